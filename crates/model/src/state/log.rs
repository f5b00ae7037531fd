//! One line of the log of states: who did what to which state, and what came of it. Never anything of its content.

use jiff::Timestamp;

use super::name::StateName;
use super::version::VersionKey;
use crate::id::{StateLogId, TokenId};
use crate::printable::printable;
use crate::word::words;

/// Longest text in a line, in characters.
pub const TEXT_MAX: usize = 300;

words! {
    /// What somebody asked for.
    StateAction, "action on a state" {
        /// The content of a version, or what changed between two.
        Read = "read",
        /// A new version.
        Write = "write",
        /// The lock.
        Lock = "lock",
        /// To give the lock back.
        Unlock = "unlock",
        /// To take the lock away from whoever has it.
        ForceUnlock = "force-unlock",
        /// An older content as a new version.
        RollBack = "roll-back",
        /// To keep a version whatever the retention says.
        Pin = "pin",
        /// To let it go as others do.
        Unpin = "unpin",
        /// Other settings.
        Settings = "settings",
        /// To read every version and compare checksums.
        Verify = "verify",
        /// To let it read as absent.
        Delete = "delete",
        /// To remove it with all its versions.
        Purge = "purge",
        /// To give somebody rights.
        Grant = "grant",
        /// To take them away.
        Revoke = "revoke",
        /// To make the other of two stores the primary one.
        Switch = "switch",
        /// A backup of all states and of alfred's own records.
        Backup = "backup",
    }
}

words! {
    /// What came of it.
    StateOutcome, "outcome" {
        /// It was done.
        Done = "done",
        /// It had been done already: a repeated request.
        Repeated = "repeated",
        /// The state did not allow it: a lock, a serial, a lineage.
        Refused = "refused",
        /// The asker has no right to it.
        Forbidden = "forbidden",
        /// The store failed; a write may have taken place.
        Failed = "failed",
    }
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateLogEntry {
    /// Sorts by time.
    pub id: StateLogId,
    /// When.
    pub at: Timestamp,
    /// Who: the user's name.
    pub actor: String,
    /// With which token.
    pub token: Option<TokenId>,
    /// The state; for a right on several, the pattern.
    pub state: String,
    /// What was asked for.
    pub action: StateAction,
    /// What came of it.
    pub outcome: StateOutcome,
    /// The version that it was about.
    pub version: Option<VersionKey>,
    /// The lock that it was about, or that it was done under.
    pub lock_id: Option<String>,
    /// The content's length, in bytes.
    pub bytes: Option<u64>,
    /// Where the request came from.
    pub remote: Option<String>,
    /// More about it in words, such as why it was refused.
    pub detail: Option<String>,
}

impl StateLogEntry {
    /// A line with nothing optional in it.
    pub fn new(
        id: StateLogId,
        at: Timestamp,
        actor: &str,
        state: &str,
        action: StateAction,
        outcome: StateOutcome,
    ) -> Self {
        Self {
            id,
            at,
            actor: bounded(actor),
            token: None,
            state: bounded(state),
            action,
            outcome,
            version: None,
            lock_id: None,
            bytes: None,
            remote: None,
            detail: None,
        }
    }
}

/// A text as it may stand in a line: it may come from outside.
pub fn bounded(text: &str) -> String {
    printable(text, TEXT_MAX)
}

/// Which lines to list.
#[derive(Debug, Clone, Default)]
pub struct StateLogQuery {
    /// Only this state's.
    pub state: Option<StateName>,
    /// Only those before this one.
    pub before: Option<StateLogId>,
    /// At most so many.
    pub limit: usize,
}
