//! Backups: all states and alfred's own records as they were at one time, kept in a store of their own.
//!
//! A backup is no mirror. What is deleted, overwritten, dropped or purged afterwards stays in it. It lies in any
//! [`Backend`]:
//!
//! - contents of versions bit for bit as they are stored, under the state's own name and key. They are immutable, so all
//!   backups share them, and each backup copies only what is new;
//! - under the name [`NAME`], blobs that are sealed as versions are: a [manifest] for each backup, the list of its states,
//!   their documents in packs, and alfred's own records in parts. What has not changed is not written again;
//! - under the same name one document, the [index], which moves by compare-and-set. A backup is in it only after all that it
//!   names was written and what was new was read back. So a process that ends anywhere leaves no half backup, and what it
//!   wrote is found and used by the next one.
//!
//! A state may be called [`NAME`] too: only its contents come here, whose keys are drawn at random and name their content.
//!
//! This module does not know what alfred's own records are; it is handed their export in parts.

mod contents;
mod gather;
mod index;
mod look;
mod make;
mod manifest;
mod prune;
mod recover;
mod restore;
mod shelf;
mod verify;

use std::fmt;
use std::sync::Arc;

use alfred_model::id::InstallationId;
use alfred_model::state::{KeyId, StateName};

use crate::backend::{Backend, BackendError};
use crate::error::StateError;
use crate::keys::Keyring;
use crate::measured::Measured;
use crate::service::Seams;

pub use index::Entry;
pub use look::{ListedState, Shown};
pub use make::{Made, Request};
pub use manifest::Lacking;
pub use restore::{Restored, RestoredStates, Step};
pub use verify::{Problem, Verified};

/// The name under which the index and everything that is no state's content lies.
pub const NAME: &str = "alfred-backups";

/// Backups in one place.
pub struct Backups {
    place: Arc<Measured>,
    keyring: Keyring,
    seams: Seams,
    name: StateName,
}

impl fmt::Debug for Backups {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Backups").field("place", &self.place.place()).finish_non_exhaustive()
    }
}

impl Backups {
    /// Those in `place`. With a key in the ring, what is no state's content is encrypted with it; contents stay as they are
    /// in the store of states.
    pub fn new(place: Arc<dyn Backend>, keyring: Keyring, seams: Seams) -> Self {
        let name = NAME.parse().expect("the name is of letters and a `-`");
        Self { place: Arc::new(Measured::new(place, Arc::clone(&seams.clock))), keyring, seams, name }
    }

    /// What and where they are, in words for people, without secrets.
    pub fn place(&self) -> &str {
        self.place.place()
    }
}

/// Why something was not done with a backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The place of the backups, or a store that is restored into, failed.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// The states that are backed up cannot be read.
    #[error(transparent)]
    State(#[from] StateError),
    /// Nobody has made a backup there.
    #[error("{place} has no backups")]
    None {
        /// Where.
        place: String,
    },
    /// There is no such backup, or not any more.
    #[error("{place} has no backup {number}; `alfred backup list` shows those that are kept")]
    NoBackup {
        /// Where.
        place: String,
        /// Which.
        number: u64,
    },
    /// The place is used for something else.
    #[error("{place} holds the state `{state}`, so it is a store of states: name another place for backups")]
    NotForBackups {
        /// Where.
        place: String,
        /// What lies there.
        state: StateName,
    },
    /// The backups are another installation's.
    #[error(
        "{place} has the backups of installation {there}, and this is {here}: restore its records with `alfred backup \
         restore`, or name another place"
    )]
    OtherInstallation {
        /// Where.
        place: String,
        /// Whose they are.
        there: InstallationId,
        /// Who asks.
        here: InstallationId,
    },
    /// A later version of this program wrote it.
    #[error("{what} in {place} has format {format}, which this version of alfred does not know")]
    Format {
        /// Where.
        place: String,
        /// What has it.
        what: &'static str,
        /// Which.
        format: u32,
    },
    /// A part of a backup is not what was written.
    #[error("{what} in {place} is damaged: {words}")]
    Damaged {
        /// Where.
        place: String,
        /// Which part.
        what: String,
        /// What is wrong with it.
        words: String,
    },
    /// A part of a backup is encrypted with a key that is not configured.
    #[error("{what} in {place} is encrypted with the key `{key_id}`, which is not in `ALFRED_STATE_KEYS`")]
    KeyMissing {
        /// Where.
        place: String,
        /// Which part.
        what: String,
        /// The key.
        key_id: KeyId,
    },
    /// What was written was not read back the same.
    #[error("{place} does not give {what} back as it was written")]
    NotTheSame {
        /// Where.
        place: String,
        /// Which part.
        what: String,
    },
    /// Alfred's own records could not be read.
    #[error("alfred's own records cannot be read: {0}")]
    Records(String),
    /// The backup was made without alfred's own records.
    #[error("backup {0} has none of alfred's own records")]
    NoRecords(u64),
    /// Another process has made a backup, or is deleting old ones, at the same time.
    #[error("another process works on the backups in {place}; nothing is lost, try again")]
    Overtaken {
        /// Where.
        place: String,
    },
    /// The backup has no such state.
    #[error("backup {number} has no state `{state}`")]
    NoState {
        /// Which backup.
        number: u64,
        /// Which state.
        state: StateName,
    },
    /// The state had no content then.
    #[error("`{state}` had no content when backup {number} was made: it was deleted, or never written")]
    NoContent {
        /// Which backup.
        number: u64,
        /// Which state.
        state: StateName,
    },
    /// The states to restore are there already, and are others.
    #[error("{place} has other states of these names already: {names}; restore into a store that does not have them")]
    InTheWay {
        /// Where.
        place: String,
        /// Some of them.
        names: String,
    },
}

#[cfg(test)]
mod tests;
