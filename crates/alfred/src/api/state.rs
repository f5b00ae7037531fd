//! What the server says of Terraform states.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A lock.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct StateLock {
    pub(crate) id: String,
    pub(crate) who: String,
    pub(crate) operation: String,
    pub(crate) info: Option<String>,
    pub(crate) by: String,
    pub(crate) at: Timestamp,
    pub(crate) written_at: Option<Timestamp>,
    pub(crate) expires_at: Option<Timestamp>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// A version.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct StateVersion {
    pub(crate) serial: u64,
    pub(crate) sha256: String,
    pub(crate) lineage: String,
    pub(crate) size: u64,
    pub(crate) at: Timestamp,
    pub(crate) by: String,
    pub(crate) key_id: Option<String>,
    #[serde(default)]
    pub(crate) opaque: bool,
    #[serde(default)]
    pub(crate) pinned: bool,
    pub(crate) rolled_back_to: Option<u64>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

impl StateVersion {
    /// As people read it: serial and the beginning of the checksum.
    pub(crate) fn name(&self) -> String {
        format!("{}-{}", self.serial, self.sha256.get(..8).unwrap_or(&self.sha256))
    }
}

/// What was decided about a state.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct StateSettings {
    pub(crate) keep_versions: Option<u32>,
    pub(crate) keep_days: Option<u32>,
    pub(crate) lock_expires_seconds: Option<u32>,
}

/// A state.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) name: String,
    pub(crate) newest: Option<StateVersion>,
    pub(crate) versions: usize,
    pub(crate) bytes: u64,
    pub(crate) lock: Option<StateLock>,
    pub(crate) settings: StateSettings,
    pub(crate) deleted_at: Option<Timestamp>,
    #[serde(default)]
    pub(crate) rights: Vec<String>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// A page of states.
#[derive(Debug, Serialize, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the API calls it so")]
pub(crate) struct States {
    pub(crate) states: Vec<State>,
    #[serde(default)]
    pub(crate) places: Vec<String>,
    #[serde(default, skip_serializing)]
    pub(crate) next_cursor: Option<String>,
}

/// Versions, newest first.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StateVersions {
    pub(crate) versions: Vec<StateVersion>,
}

/// An attribute that changed.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct AttributeChange {
    pub(crate) path: String,
    pub(crate) before: Option<String>,
    pub(crate) after: Option<String>,
    #[serde(default)]
    pub(crate) sensitive: bool,
}

/// A resource or output that changed.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Change {
    pub(crate) address: String,
    pub(crate) kind: String,
    pub(crate) attributes: Vec<AttributeChange>,
    #[serde(default)]
    pub(crate) attributes_omitted: usize,
}

/// How many changed.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct ChangeCounts {
    pub(crate) added: usize,
    pub(crate) changed: usize,
    pub(crate) removed: usize,
}

/// What changed between two versions.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StateDiff {
    pub(crate) from: Option<StateVersion>,
    pub(crate) to: StateVersion,
    pub(crate) resources: Vec<Change>,
    pub(crate) resource_counts: ChangeCounts,
    pub(crate) outputs: Vec<Change>,
    pub(crate) output_counts: ChangeCounts,
}

/// A version that is not what was written.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StateProblem {
    pub(crate) serial: u64,
    pub(crate) words: String,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// What reading every version back showed.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StateVerification {
    pub(crate) good: bool,
    pub(crate) versions: usize,
    pub(crate) bytes: u64,
    pub(crate) problems: Vec<StateProblem>,
    #[serde(default)]
    pub(crate) left_over: usize,
}

/// Rights that somebody has.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StateGrant {
    pub(crate) user: Option<String>,
    pub(crate) token: Option<String>,
    pub(crate) pattern: String,
    pub(crate) rights: Vec<String>,
    pub(crate) by: String,
    pub(crate) at: Timestamp,
}

/// Rights.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StateGrants {
    pub(crate) grants: Vec<StateGrant>,
}

/// One line of the log of states.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StateLogLine {
    pub(crate) at: Timestamp,
    pub(crate) actor: String,
    pub(crate) state: String,
    pub(crate) action: String,
    pub(crate) outcome: String,
    pub(crate) serial: Option<u64>,
    pub(crate) detail: Option<String>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// A page of the log of states.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StateLog {
    pub(crate) lines: Vec<StateLogLine>,
    #[serde(default, skip_serializing)]
    pub(crate) next_cursor: Option<String>,
}
