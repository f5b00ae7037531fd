//! Whether a version that Terraform sends may become the newest.
//!
//! Terraform itself writes whatever it holds (<https://github.com/hashicorp/terraform>,
//! `internal/backend/remote-state/http/client.go`); it checks serials on `state push` alone. So a client with a stale state
//! and without a lock would overwrite what another wrote, if the store did not look.

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::document::StateDocument;
use super::lock::Lock;
use super::version::{Checksum, Version, VersionKey};

/// Longest lineage that is accepted, in bytes. Terraform's are UUIDs.
pub const LINEAGE_MAX: usize = 128;

/// What the content of a state says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspected {
    /// Terraform's counter.
    pub serial: u64,
    /// The history the content belongs to; empty, where it has none.
    pub lineage: String,
    /// Whether the client encrypted it.
    pub opaque: bool,
}

/// Why a content is no state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContentError {
    /// It is no JSON object, or one without a `serial`.
    #[error("the content is no Terraform state: {0}")]
    Syntax(String),
    /// The lineage is longer than [`LINEAGE_MAX`].
    #[error("the content's lineage is longer than {LINEAGE_MAX} characters")]
    Lineage,
}

/// The part of a state that is read. An encrypted state of OpenTofu has `serial`, `lineage`, `meta`, `encrypted_data` and
/// `encryption_version` (<https://github.com/opentofu/opentofu>, `internal/encryption`), and no `version`.
#[derive(Deserialize)]
struct Content {
    serial: u64,
    #[serde(default)]
    lineage: String,
    version: Option<IgnoredAny>,
    encrypted_data: Option<IgnoredAny>,
}

/// Reads the serial and the lineage, and no more of a content than that it is JSON to its end.
pub fn inspect(content: &[u8]) -> Result<Inspected, ContentError> {
    // A list of the same values would be read as well.
    if content.trim_ascii_start().first() != Some(&b'{') {
        return Err(ContentError::Syntax("it is no JSON object".to_owned()));
    }
    let read: Content = serde_json::from_slice(content).map_err(|error| ContentError::Syntax(error.to_string()))?;
    if read.version.is_none() && read.encrypted_data.is_none() {
        return Err(ContentError::Syntax("it has neither a `version` nor `encrypted_data`".to_owned()));
    }
    if read.lineage.len() > LINEAGE_MAX {
        return Err(ContentError::Lineage);
    }
    Ok(Inspected { serial: read.serial, lineage: read.lineage, opaque: read.encrypted_data.is_some() })
}

/// A version that somebody sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming<'a> {
    /// Its serial and checksum.
    pub key: VersionKey,
    /// Its history.
    pub lineage: &'a str,
    /// The lock it claims to be written under.
    pub lock_id: Option<&'a str>,
    /// The user who sends it.
    pub by: &'a str,
}

/// What is to be done with a version that may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It becomes the newest.
    Write,
    /// It is the newest already: an earlier request did it, whose answer was lost.
    Same,
}

/// Why a version may not be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Somebody else has the lock.
    #[error("the state is locked by `{}` ({}), lock `{}`", .0.info.who, .0.info.operation, .0.info.id)]
    Locked(Box<Lock>),
    /// It claims a lock that nobody has.
    #[error("the lock `{0}` it is written under is not held any more: it expired, or was taken away")]
    LockLost(String),
    /// It belongs to another history.
    #[error("the state's lineage is `{there}`, what came has `{came}`")]
    Lineage {
        /// The newest version's.
        there: String,
        /// What came.
        came: String,
    },
    /// Its serial is lower than the newest's, or the same with another content.
    #[error("the state is at serial {there}, what came is serial {came}")]
    Serial {
        /// The newest version.
        there: VersionKey,
        /// What came.
        came: VersionKey,
    },
}

/// Whether `incoming` may become the newest version of the state.
pub fn decide(document: &StateDocument, incoming: &Incoming<'_>, now: Timestamp) -> Result<Decision, Refusal> {
    let head = document.head();
    if head.is_some_and(|head| head.key == incoming.key && head.lineage == incoming.lineage) {
        return Ok(Decision::Same);
    }
    // An expired lock that nobody took over still is its holder's: nothing can have been written since.
    let is_holder = document.lock.as_ref().zip(incoming.lock_id).is_some_and(|(lock, id)| lock.is_of(id, incoming.by));
    if !is_holder {
        match (document.lock_at(now), incoming.lock_id) {
            (Some(lock), _) => return Err(Refusal::Locked(Box::new(lock.clone()))),
            (None, Some(id)) => return Err(Refusal::LockLost(id.to_owned())),
            (None, None) => {}
        }
    }
    let Some(head) = head else {
        return Ok(Decision::Write);
    };
    if head.lineage != incoming.lineage {
        return Err(Refusal::Lineage { there: head.lineage.clone(), came: incoming.lineage.to_owned() });
    }
    if head.key.serial >= incoming.key.serial {
        return Err(Refusal::Serial { there: head.key, came: incoming.key });
    }
    Ok(Decision::Write)
}

/// Makes `version` the newest. The caller has asked [`decide`] about this document and drops versions by the retention
/// afterwards.
pub fn append(document: &mut StateDocument, version: Version, now: Timestamp) {
    if let Some(lock) = document.lock.as_mut().filter(|lock| version.lock_id.as_deref() == Some(lock.info.id.as_str()))
    {
        lock.written_at = Some(now);
    }
    document.deleted_at = None;
    document.versions.push(version);
}

/// The checksum and serial of a content as one key.
pub const fn key(inspected: &Inspected, sha256: Checksum) -> VersionKey {
    VersionKey { serial: inspected.serial, sha256 }
}

#[cfg(test)]
mod tests;
