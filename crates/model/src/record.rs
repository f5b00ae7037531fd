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
        format!("{MARK_PREFIX}{}:{}:{}", self.installation.0.simple(), self.environment.0.simple(), self.check(name))
    }

    /// Reads the mark of the record called `name`. Anything altered, cut or copied from elsewhere is no mark, and a
    /// record without one is foreign.
    pub fn read(comment: &str, name: &DomainName) -> Option<Self> {
        let mut parts = comment.strip_prefix(MARK_PREFIX)?.split(':');
        let installation = InstallationId(Uuid::try_parse(parts.next()?).ok()?);
        let environment = EnvironmentId(Uuid::try_parse(parts.next()?).ok()?);
        let mark = Self { installation, environment };
        (mark.comment(name) == comment).then_some(mark)
    }

    fn check(&self, name: &DomainName) -> String {
        let mut hash = Sha256::new();
        hash.update(self.installation.0.as_bytes());
        hash.update(self.environment.0.as_bytes());
        hash.update(name.as_str().as_bytes());
        let bytes = hash.finalize();
        format!("{:02x}{:02x}{:02x}{:02x}", bytes[0], bytes[1], bytes[2], bytes[3])
    }
}

#[cfg(test)]
mod tests;
