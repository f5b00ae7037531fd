//! DNS records that are ours, and the mark by which we know them.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

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

/// How the marks of records begin that were written by hand or from a file, not for an environment.
pub(crate) const OWNER_PREFIX: &str = "alfred:v1:dns:";

/// Digits of the check at the end of such a mark.
const OWNER_CHECK_LENGTH: usize = 8;

/// Longest owner's name: the mark must fit into the 100 characters that a Free zone keeps of a comment.
pub const OWNER_NAME_MAX: usize = 40;

/// What a name leads to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Target {
    /// An address: the record is an A record.
    Address(Ipv4Addr),
    /// Another name: the record is a CNAME.
    Alias(DomainName),
}

impl Target {
    /// The record's type.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Address(_) => "A",
            Self::Alias(_) => "CNAME",
        }
    }

    /// Whether a record of this type and content leads there. Case and a final dot of a name do not matter.
    pub fn is(&self, kind: &str, content: &str) -> bool {
        kind.eq_ignore_ascii_case(self.kind())
            && match self {
                Self::Address(address) => content.parse() == Ok(*address),
                Self::Alias(name) => content.strip_suffix('.').unwrap_or(content).eq_ignore_ascii_case(name.as_str()),
            }
    }
}

/// The record's content.
impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(formatter),
            Self::Alias(name) => formatter.write_str(name.as_str()),
        }
    }
}

/// What a record shall be: TTL as said, not proxied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesiredRecord {
    /// The full name.
    pub name: DomainName,
    /// What it leads to.
    pub target: Target,
    /// Time to live in seconds; [`RECORD_TTL_SECONDS`] for environments.
    pub ttl: u32,
    /// The mark in its comment.
    pub mark: Mark,
}

/// Who keeps records by hand or from a file: 1 to [`OWNER_NAME_MAX`] of `a-z`, `0-9` and `-`, beginning and ending with
/// a letter or digit.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OwnerName(String);

/// Why a text is no owner's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an owner's name is 1 to {OWNER_NAME_MAX} of a-z, 0-9 and `-`, and begins and ends with a letter or digit")]
pub struct BadOwnerName;

impl OwnerName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OwnerName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl FromStr for OwnerName {
    type Err = BadOwnerName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = (1..=OWNER_NAME_MAX).contains(&text.len())
            && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
            && !text.starts_with('-')
            && !text.ends_with('-');
        if fits { Ok(Self(text.to_owned())) } else { Err(BadOwnerName) }
    }
}

/// Whose a record is, as its comment says.
///
/// The two forms never read as each other: an environment's mark has an installation's number where an owner's mark has
/// the word `dns`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mark {
    /// An environment's.
    Environment(OwnershipMark),
    /// Somebody's who writes records by hand or from a file. It reads `alfred:v1:dns:OWNER:CHECK`.
    Owner(OwnerName),
}

impl Mark {
    /// The comment of the record called `name`; at most 100 characters.
    pub fn comment(&self, name: &DomainName) -> String {
        match self {
            Self::Environment(mark) => mark.comment(name),
            Self::Owner(owner) => format!("{OWNER_PREFIX}{owner}:{:08x}", owner_check(owner, name)),
        }
    }

    /// Whether `comment` is this mark of the record called `name`: the same as reading it, with nothing written out,
    /// since it is asked of every record of a zone.
    pub fn is_in(&self, comment: &str, name: &DomainName) -> bool {
        match self {
            Self::Environment(mark) => OwnershipMark::read(comment, name).as_ref() == Some(mark),
            Self::Owner(owner) => comment
                .strip_prefix(OWNER_PREFIX)
                .and_then(|rest| rest.strip_prefix(owner.as_str()))
                .and_then(|rest| rest.strip_prefix(':'))
                .filter(|check| check.len() == OWNER_CHECK_LENGTH)
                .is_some_and(|check| number(check.as_bytes()) == Some(owner_check(owner, name).into())),
        }
    }

    /// Reads the mark of the record called `name`; see [`OwnershipMark::read`].
    pub fn read(comment: &str, name: &DomainName) -> Option<Self> {
        if let Some(rest) = comment.strip_prefix(OWNER_PREFIX) {
            let owner: OwnerName = rest.split_once(':')?.0.parse().ok()?;
            let mark = Self::Owner(owner);
            return mark.is_in(comment, name).then_some(mark);
        }
        OwnershipMark::read(comment, name).map(Self::Environment)
    }

    /// What the comments of all records of an owner begin with.
    pub fn owner_prefix(owner: &OwnerName) -> String {
        format!("{OWNER_PREFIX}{owner}:")
    }

    /// A tag that says the same for people at the dashboard, `name:value`, where the zone's plan has tags. What is ours
    /// is decided by the comment alone.
    pub fn tag(&self) -> String {
        match self {
            Self::Environment(mark) => format!("alfred-environment:{}", mark.environment),
            Self::Owner(owner) => format!("alfred-owner:{owner}"),
        }
    }
}

impl From<OwnershipMark> for Mark {
    fn from(mark: OwnershipMark) -> Self {
        Self::Environment(mark)
    }
}

fn owner_check(owner: &OwnerName, name: &DomainName) -> u32 {
    let mut hash = Sha256::new();
    hash.update(b"dns\0");
    hash.update(owner.as_str().as_bytes());
    hash.update(b"\0");
    hash.update(name.as_str().as_bytes());
    let bytes = hash.finalize();
    u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
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
