//! Everything that is known of one state but its versions' content.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::lock::Lock;
use super::version::{Version, VersionKey};

/// The format of documents written by this version of the program.
pub const FORMAT: u32 = 1;

/// At most so many versions are listed in a document, pinned ones and the newest included: it is written anew with each
/// lock and must fit into one message of NATS (1 MiB).
pub const VERSIONS_MAX: usize = 1_000;

/// One state: its versions, its lock, its settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateDocument {
    /// [`FORMAT`]; a document of a later format is not touched.
    pub format: u32,
    /// Which write made this value of the document. It tells whether a write whose answer was lost took place.
    pub write_id: uuid::Uuid,
    /// When it was written.
    pub changed_at: Timestamp,
    /// Who caused it.
    pub changed_by: String,
    /// Grows with each change, also over the end of a state that is made again: it is never less than the time in
    /// microseconds was. Of two stores that hold the state, the one with the later document is ahead.
    pub sequence: u64,
    /// Grows when another store becomes the primary one, and then comes before the sequence: what a store that was given
    /// up still took in is not ahead.
    #[serde(default)]
    pub epoch: u64,
    /// The place of the store that takes changes of the state, where that was decided: any other store refuses them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_in: Option<String>,
    /// The acknowledged versions that are kept, oldest first. The last one is the newest.
    pub versions: Vec<Version>,
    /// Terraform deleted the state then: it reads as absent, and its versions are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
    /// Who may write now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock: Option<Lock>,
    /// What its owner decided.
    #[serde(default)]
    pub settings: Settings,
}

/// What the owner of a state decided about it. Everything that is absent follows the installation's default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// So many versions are kept, the newest included; pinned ones are not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_versions: Option<u32>,
    /// For so many days a version that was replaced is kept; see [`retention`](super::retention).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_days: Option<u32>,
    /// A lock that is older, in seconds, no longer counts. For ever, where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock_expires_seconds: Option<u32>,
}

impl StateDocument {
    /// A state of which there is nothing yet.
    pub fn new() -> Self {
        Self {
            format: FORMAT,
            write_id: uuid::Uuid::nil(),
            changed_at: Timestamp::UNIX_EPOCH,
            changed_by: String::new(),
            sequence: 0,
            epoch: 0,
            kept_in: None,
            versions: Vec::new(),
            deleted_at: None,
            lock: None,
            settings: Settings::default(),
        }
    }

    /// Reads a document that was stored, or says in words for people why it cannot be.
    pub fn parse(content: &[u8]) -> Result<Self, String> {
        let document: Self = serde_json::from_slice(content).map_err(|error| error.to_string())?;
        if document.format > FORMAT {
            return Err(format!("it has format {}, which this version of alfred does not know", document.format));
        }
        Ok(document)
    }

    /// As it is stored.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a document of names, numbers and texts is always JSON")
    }

    /// Makes a change of the document a later value of it.
    pub fn advance(&mut self, now: Timestamp, by: &str, write_id: uuid::Uuid) {
        self.write_id = write_id;
        self.sequence = (self.sequence + 1).max(u64::try_from(now.as_microsecond()).unwrap_or(0));
        self.changed_at = now;
        by.clone_into(&mut self.changed_by);
    }

    /// How far the document is, to be compared with another store's.
    pub const fn progress(&self) -> (u64, u64) {
        (self.epoch, self.sequence)
    }

    /// The newest version, if the state has one and is not deleted.
    pub fn head(&self) -> Option<&Version> {
        self.versions.last().filter(|_| self.deleted_at.is_none())
    }

    /// The version with this key.
    pub fn version(&self, key: &VersionKey) -> Option<&Version> {
        self.versions.iter().rev().find(|version| version.key == *key)
    }

    /// The newest version with this serial.
    pub fn version_of_serial(&self, serial: u64) -> Option<&Version> {
        self.versions.iter().rev().find(|version| version.key.serial == serial)
    }
}

impl Default for StateDocument {
    fn default() -> Self {
        Self::new()
    }
}
