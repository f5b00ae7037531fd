//! DNS records that are ours, and the mark by which we know them.

use std::net::Ipv4Addr;

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::id::{EnvironmentId, InstallationId};
use crate::name::DomainName;

/// Time to live of every record we write, in seconds.
pub const RECORD_TTL_SECONDS: u32 = 300;

/// How every mark begins, also one that was altered since.
pub(crate) const MARK_PREFIX: &str = "alfred:v1:";

/// A mark is so many characters long: the prefix, two ids of 32 digits, the check's 8 and two colons.
const COMMENT_LENGTH: usize = MARK_PREFIX.len() + 32 + 1 + 32 + 1 + 8;

/// What a record of an environment shall be: an A record, TTL [`RECORD_TTL_SECONDS`], not proxied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesiredRecord {
    /// The full name.
    pub name: DomainName,
    /// The address it answers with.
    pub address: Ipv4Addr,
    /// The mark in its comment.
    pub mark: OwnershipMark,
}

/// The ownership mark: it stands in the record's comment, so that the record and its owner change in one write.
///
/// It reads `alfred:v1:INSTALLATION:ENVIRONMENT:CHECK` and is 84 characters long; Cloudflare's Free plan keeps 100
/// (<https://developers.cloudflare.com/dns/manage-dns-records/reference/record-attributes/>). The check covers the
/// record's name, so that a comment copied to another record does not make that record ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnershipMark {
    /// Which installation of the control plane wrote it.
    pub installation: InstallationId,
    /// For which environment.
    pub environment: EnvironmentId,
}

impl OwnershipMark {
    /// What the comments of all records of an installation begin with.
    pub fn comment_prefix(installation: InstallationId) -> String {
        format!("{MARK_PREFIX}{}:", installation.0.simple())
    }

    /// The comment of the record called `name`.
    pub fn comment(&self, name: &DomainName) -> String {
        let check = self.check(name.as_str());
        format!("{MARK_PREFIX}{}:{}:{check:08x}", self.installation.0.simple(), self.environment.0.simple())
    }

    /// Reads the mark of the record called `name`. Anything altered, cut or copied from elsewhere is no mark, and a
    /// record without one is foreign.
    pub fn read(comment: &str, name: &DomainName) -> Option<Self> {
        Self::read_at(comment, name.as_str())
    }

    /// The same for a name that is known to be written as [`DomainName`] writes it. Audits read a million of them, so
    /// the digits are compared where they stand and nothing is written out again.
    pub(crate) fn read_at(comment: &str, name: &str) -> Option<Self> {
        let rest: &[u8; COMMENT_LENGTH - MARK_PREFIX.len()] =
            comment.strip_prefix(MARK_PREFIX)?.as_bytes().try_into().ok()?;
        let installation = InstallationId(Uuid::from_u128(number(&rest[..32])?));
        let environment = EnvironmentId(Uuid::from_u128(number(&rest[33..65])?));
        let mark = Self { installation, environment };
        let whole = rest[32] == b':' && rest[65] == b':' && number(&rest[66..]) == Some(mark.check(name).into());
        whole.then_some(mark)
    }

    fn check(&self, name: &str) -> u32 {
        let mut hash = Sha256::new();
        hash.update(self.installation.0.as_bytes());
        hash.update(self.environment.0.as_bytes());
        hash.update(name.as_bytes());
        let bytes = hash.finalize();
        u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
    }
}

/// The number of at most 32 lower-case hexadecimal digits; anything else is none.
fn number(digits: &[u8]) -> Option<u128> {
    // In halves: a shift of 128 bits for each digit costs a quarter of reading a mark.
    digits.chunks(16).try_fold(0, |number: u128, half| {
        let value = half.iter().try_fold(0_u64, |value, digit| Some(value << 4 | u64::from(digit_value(*digit)?)))?;
        Some(number << (4 * half.len()) | u128::from(value))
    })
}

fn digit_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
