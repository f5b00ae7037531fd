//! What can go wrong with a state, in words for whoever asked.

use alfred_model::state::lock::Lock;
use alfred_model::state::mirror::SwitchRefusal;
use alfred_model::state::write::{ContentError, Refusal};
use alfred_model::state::{KeyId, StateName, VersionKey};

use crate::backend::BackendError;
use crate::mirror::CopyError;

/// Why something was not done with a state. Unless it says otherwise, nothing changed.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The rules of writing forbid it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Somebody has the lock.
    #[error("the state is locked by `{}` ({}), lock `{}`", .0.info.who, .0.info.operation, .0.info.id)]
    Locked(Box<Lock>),
    /// What came is no state.
    #[error(transparent)]
    Content(#[from] ContentError),
    /// There is no such state.
    #[error("there is no state `{0}`")]
    NoState(StateName),
    /// The state has no such version, or not any more.
    #[error("`{state}` has no version {version}")]
    NoVersion {
        /// The state.
        state: StateName,
        /// Which version, as it was asked for.
        version: String,
    },
    /// The version cannot be rolled back to.
    #[error("`{state}` cannot be rolled back to version {version}: {words}")]
    NoWayBack {
        /// The state.
        state: StateName,
        /// To which version.
        version: VersionKey,
        /// Why, and what to do.
        words: String,
    },
    /// The state has not been deleted, so it is not purged.
    #[error("`{0}` is not deleted; only what was deleted before can be purged")]
    NotDeleted(StateName),
    /// A stored version is not what was written.
    #[error("version {version} of `{state}` is damaged: {words}; `alfred state verify {state}` looks at all of them")]
    Damaged {
        /// The state.
        state: StateName,
        /// The version.
        version: VersionKey,
        /// What is wrong.
        words: String,
    },
    /// A stored version is encrypted with a key that is not configured.
    #[error("version {version} of `{state}` is encrypted with the key `{key_id}`, which is not in `ALFRED_STATE_KEYS`")]
    KeyMissing {
        /// The state.
        state: StateName,
        /// The version.
        version: VersionKey,
        /// The key that is missing.
        key_id: KeyId,
    },
    /// The state's document cannot be read.
    #[error("what is stored about `{state}` cannot be read: {words}")]
    Document {
        /// The state.
        state: StateName,
        /// Why.
        words: String,
    },
    /// The state is kept in another store now.
    #[error("the state is kept in {0} now; try again")]
    Moved(String),
    /// Two stores are changing places at this moment.
    #[error("the stores of states are changing places at this moment; try again")]
    Switching,
    /// The record names a primary store that is not configured.
    #[error(
        "states are kept in {primary}, which is neither `ALFRED_STATE` nor `ALFRED_STATE_MIRROR`; configure it as one of \
         them"
    )]
    OtherPrimary {
        /// The place that is not configured.
        primary: String,
    },
    /// There is one store only.
    #[error("states are kept in one store only; `ALFRED_STATE_MIRROR` names a second one")]
    NoMirror,
    /// The old primary store cannot be closed.
    #[error("the primary store cannot be closed first: {0}; `--without-old` goes on without it")]
    OldUnreachable(String),
    /// The stores do not change places.
    #[error(transparent)]
    SwitchRefused(#[from] SwitchRefusal),
    /// A state was not copied.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// The record of the mirror is changed by others, again and again.
    #[error("what is known about the two stores is being changed by others; try again")]
    MirrorBusy,
    /// Others changed the state at the same moments, again and again.
    #[error("`{0}` is being changed by others; try again")]
    Busy(StateName),
    /// Too many contents are being read.
    #[error("as many large states as fit into memory are being read; try again")]
    NoRoom,
    /// The store failed. A change may have taken place; asking for the same again is safe.
    #[error(transparent)]
    Backend(#[from] BackendError),
}
