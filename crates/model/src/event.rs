//! What happened to an environment, in the words its owner reads.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::environment::{Status, Step};
use crate::id::EnvironmentId;
use crate::word::words;

words! {
    /// What an event asks of those who read it.
    EventKind, "kind of event" {
        /// Nothing: it tells how far things are.
        Progress = "progress",
        /// Something will happen unless the owner acts.
        Warning = "warning",
        /// It goes no further until a person acts.
        Attention = "attention",
    }
}

/// One line of an environment's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Grows with each event of this store; zero until stored.
    pub sequence: i64,
    /// Whose history.
    pub environment_id: EnvironmentId,
    /// When.
    pub at: Timestamp,
    /// The status afterwards.
    pub status: Status,
    /// The step that is next.
    pub step: Step,
    /// What it asks of its reader.
    pub kind: EventKind,
    /// Who caused it: a user, or `alfred`.
    pub actor: String,
    /// What happened.
    pub message: String,
}
