//! States as the API shows them.

use alfred_model::state::lock::Lock;
use alfred_model::state::log::{StateAction, StateLogEntry, StateOutcome};
use alfred_model::state::{Right, Rights, Settings, StateDocument, StateName, Version};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// A lock that somebody has.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StateLock)]
pub(crate) struct LockView {
    /// The holder's id for it.
    id: String,
    /// The holder, in its own words, such as `ada@laptop`.
    who: String,
    /// What it is for, in the holder's words, such as `OperationTypeApply`.
    operation: String,
    /// More about it, in the holder's words.
    info: Option<String>,
    /// The user whose token asked for it.
    by: String,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// When a version was last written under it; null, if none was yet.
    #[schema(value_type = Option<String>, format = DateTime)]
    written_at: Option<Timestamp>,
    /// When it stops to count; never, where null.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
}

impl LockView {
    pub(crate) fn of(lock: &Lock, settings: &Settings) -> Self {
        let info = lock.info.rest.get("Info").and_then(|info| info.as_str()).filter(|info| !info.is_empty());
        Self {
            id: lock.info.id.clone(),
            who: lock.info.who.clone(),
            operation: lock.info.operation.clone(),
            info: info.map(str::to_owned),
            by: lock.by.clone(),
            at: lock.at,
            written_at: lock.written_at,
            expires_at: lock.expires_at(settings),
        }
    }
}

/// A version without its content.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StateVersion)]
pub(crate) struct VersionView {
    /// Terraform's counter.
    serial: u64,
    /// SHA-256 of the content, in hexadecimal.
    sha256: String,
    /// Terraform's name for the history it belongs to.
    lineage: String,
    /// Length of the content, in bytes.
    size: u64,
    /// When it was written.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// The user who wrote it.
    by: String,
    /// The lock it was written under.
    lock_id: Option<String>,
    /// The key it is encrypted with at rest; null, if it is not.
    key_id: Option<String>,
    /// Whether the client encrypted it.
    opaque: bool,
    /// Whether it is kept whatever the retention says.
    pinned: bool,
    /// The serial of the version it was rolled back to.
    rolled_back_to: Option<u64>,
}

impl From<&Version> for VersionView {
    fn from(version: &Version) -> Self {
        Self {
            serial: version.key.serial,
            sha256: version.key.sha256.to_string(),
            lineage: version.lineage.clone(),
            size: version.size,
            at: version.at,
            by: version.by.clone(),
            lock_id: version.lock_id.clone(),
            key_id: version.key_id.as_ref().map(ToString::to_string),
            opaque: version.opaque,
            pinned: version.pinned,
            rolled_back_to: version.rolled_back_to,
        }
    }
}

/// What was decided about a state. What is null follows the installation's default.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StateSettings, example = json!({"keep_versions": 50, "keep_days": 90, "lock_expires_seconds": null}))]
pub(crate) struct SettingsView {
    /// So many versions are kept, the newest included; pinned ones are not counted.
    #[serde(default)]
    #[schema(required = false)]
    keep_versions: Option<u32>,
    /// For so many days a version that was replaced is kept.
    #[serde(default)]
    #[schema(required = false)]
    keep_days: Option<u32>,
    /// After so many seconds without a write a lock no longer counts.
    #[serde(default)]
    #[schema(required = false)]
    lock_expires_seconds: Option<u32>,
}

impl From<&Settings> for SettingsView {
    fn from(settings: &Settings) -> Self {
        let Settings { keep_versions, keep_days, lock_expires_seconds } = *settings;
        Self { keep_versions, keep_days, lock_expires_seconds }
    }
}

impl From<SettingsView> for Settings {
    fn from(view: SettingsView) -> Self {
        let SettingsView { keep_versions, keep_days, lock_expires_seconds } = view;
        Self { keep_versions, keep_days, lock_expires_seconds }
    }
}

/// A state.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = State)]
pub(crate) struct StateView {
    /// The name.
    name: String,
    /// The newest version; null, if there is none, or the state was deleted.
    newest: Option<VersionView>,
    /// How many versions are kept.
    versions: usize,
    /// Length of their contents together, in bytes.
    bytes: u64,
    /// Who has the lock; null, if nobody.
    lock: Option<LockView>,
    /// What was decided about it.
    settings: SettingsView,
    /// When it was deleted; its versions are kept.
    #[schema(value_type = Option<String>, format = DateTime)]
    deleted_at: Option<Timestamp>,
    /// What the caller may do with it.
    #[schema(schema_with = crate::schema::state_rights)]
    rights: Vec<Right>,
}

impl StateView {
    pub(crate) fn of(name: &StateName, document: &StateDocument, held: Rights, now: Timestamp) -> Self {
        Self {
            name: name.to_string(),
            newest: document.head().map(VersionView::from),
            versions: document.versions.len(),
            bytes: document.versions.iter().map(|version| version.size).fold(0, u64::saturating_add),
            lock: document.lock_at(now).map(|lock| LockView::of(lock, &document.settings)),
            settings: SettingsView::from(&document.settings),
            deleted_at: document.deleted_at,
            rights: held.words(),
        }
    }
}

/// One line of the log of states.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StateLogLine)]
pub(crate) struct LogView {
    /// Its id.
    id: Uuid,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Who.
    actor: String,
    /// With which token.
    token_id: Option<Uuid>,
    /// Which state; for rights, the pattern.
    state: String,
    /// What was asked for.
    #[schema(schema_with = crate::schema::state_action)]
    action: StateAction,
    /// What came of it.
    #[schema(schema_with = crate::schema::state_outcome)]
    outcome: StateOutcome,
    /// The serial of the version that it was about.
    serial: Option<u64>,
    /// The SHA-256 of its content.
    sha256: Option<String>,
    /// The lock that it was about.
    lock_id: Option<String>,
    /// The content's length.
    bytes: Option<u64>,
    /// Where the request came from: the other end of the connection, which may be a proxy.
    remote: Option<String>,
    /// More about it.
    detail: Option<String>,
}

impl From<StateLogEntry> for LogView {
    fn from(line: StateLogEntry) -> Self {
        Self {
            id: line.id.0,
            at: line.at,
            actor: line.actor,
            token_id: line.token.map(|token| token.0),
            state: line.state,
            action: line.action,
            outcome: line.outcome,
            serial: line.version.map(|version| version.serial),
            sha256: line.version.map(|version| version.sha256.to_string()),
            lock_id: line.lock_id,
            bytes: line.bytes,
            remote: line.remote,
            detail: line.detail,
        }
    }
}
