//! Moving states from one store to another, with all versions, bit for bit.
//!
//! Lineage, serials, checksums, times and authors stay what they were; Terraform's own migration begins a new lineage
//! instead (`terraform init -migrate-state`). A state is moved under its lock, so that nobody writes it meanwhile, and is
//! read back from where it went before it is closed where it came from. A migration that was interrupted goes on where it
//! was: what is there already is not copied again.

use std::collections::HashSet;
use std::sync::Arc;

use alfred_model::state::lock::{LockInfo, Taken};
use alfred_model::state::retention::Defaults;
use alfred_model::state::write;
use alfred_model::state::{StateDocument, StateName, Version, VersionKey};
use bytes::Bytes;

use crate::backend::{Backend, Swapped};
use crate::error::StateError;
use crate::keys::Keyring;
use crate::mirror::{CopyError, Stores, copy};
use crate::service::{Seams, States, Written};

/// How often the source is closed while others change it.
const ATTEMPTS: u32 = 16;

/// Moves states from one store to another.
pub struct Migration {
    from: Arc<dyn Backend>,
    to: Arc<dyn Backend>,
    source: States,
    target: States,
    seams: Seams,
    by: String,
}

/// How far the move of one state is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// So many bytes of its versions will be copied; the rest is there already.
    Begun {
        /// Their number.
        versions: usize,
        /// Their length.
        bytes: u64,
    },
    /// One version is copied.
    Copied {
        /// Its length, in bytes.
        bytes: u64,
    },
    /// All of it is there and is being read back.
    Checking,
}

/// What moving one state came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// The newest version; nothing, for a state that was deleted or never written.
    pub newest: Option<VersionKey>,
    /// Versions that the target has, each read back and compared with its checksum.
    pub versions: usize,
    /// Their length, in bytes.
    pub bytes: u64,
    /// Versions that were not there before.
    pub copied: usize,
}

/// Why a state was not moved. It is still where it was, and may be used there.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// There is no such state.
    #[error("{place} has no state `{state}`")]
    NoState {
        /// Where.
        place: String,
        /// Which.
        state: StateName,
    },
    /// Somebody works on it.
    #[error("`{state}` is locked by `{who}`, lock `{id}`: wait until that is done, and begin again")]
    Locked {
        /// Which.
        state: StateName,
        /// By whom.
        who: String,
        /// The lock.
        id: String,
    },
    /// The target has something else of this name.
    #[error("{place} has another state `{state}`: {words}")]
    Another {
        /// Where.
        place: String,
        /// Which.
        state: StateName,
        /// How it differs.
        words: String,
    },
    /// What was copied cannot be read back as it was.
    #[error("{place} does not give `{state}` back as it was: {words}; it is still used where it was")]
    NotTheSame {
        /// Where.
        place: String,
        /// Which.
        state: StateName,
        /// What is wrong.
        words: String,
    },
    /// A state was not copied.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// One of the stores failed.
    #[error(transparent)]
    State(#[from] StateError),
}

impl Migration {
    /// Between two stores. Both rings of keys must hold the keys of versions that are encrypted: those are
    /// read back with them.
    pub fn new(from: Arc<dyn Backend>, to: Arc<dyn Backend>, keys: [Keyring; 2], seams: Seams, by: &str) -> Self {
        let states = |backend: &Arc<dyn Backend>, keyring| {
            let stores = Stores::single(Arc::clone(backend), seams.clone());
            States::new(stores, keyring, Defaults::default(), seams.clone())
        };
        let [source_keys, target_keys] = keys;
        let (source, target) = (states(&from, source_keys), states(&to, target_keys));
        Self { from, to, source, target, seams, by: by.to_owned() }
    }

    /// Every state of the source.
    pub async fn states(&self) -> Result<Vec<StateName>, StateError> {
        Ok(copy::all_states(&*self.from).await?)
    }

    /// Moves one state. Afterwards the source takes no changes of it any more, unless it is `left_open`.
    pub async fn run(
        &self,
        state: &StateName,
        left_open: bool,
        progress: &(dyn Fn(Step) + Send + Sync),
    ) -> Result<Moved, MigrateError> {
        let no_state = || MigrateError::NoState { place: self.from.place().to_owned(), state: state.clone() };
        let before = self.source.document(state).await?.ok_or_else(no_state)?;
        let lock_id = self.lock_id();
        if before.kept_in.as_deref() != Some(self.to.place()) {
            self.take_lock(state, &lock_id).await?;
        }
        let moved = self.copy(state, progress).await;
        // The lock is given back whether or not the state was moved; the target's copy of it as well.
        if moved.is_ok() {
            self.target.unlock(state, &lock_id, &self.by).await?;
            if !left_open {
                self.close(state, &lock_id).await?;
                return moved;
            }
        }
        if before.kept_in.is_none() {
            self.source.unlock(state, &lock_id, &self.by).await?;
        }
        moved
    }

    /// The same for each attempt, so that one that is begun again holds the lock already.
    fn lock_id(&self) -> String {
        let name = format!("{} {}", self.from.place(), self.to.place());
        format!("alfred-migration-{}", uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, name.as_bytes()))
    }

    async fn take_lock(&self, state: &StateName, id: &str) -> Result<(), MigrateError> {
        let info = LockInfo {
            id: id.to_owned(),
            operation: "migration".to_owned(),
            who: self.by.clone(),
            rest: serde_json::Map::new(),
        };
        match self.source.lock(state, info, &self.by).await? {
            Taken::New { .. } | Taken::Already => Ok(()),
            Taken::Held(lock) => {
                Err(MigrateError::Locked { state: state.clone(), who: lock.info.who.clone(), id: lock.info.id.clone() })
            }
        }
    }

    async fn copy(&self, state: &StateName, progress: &(dyn Fn(Step) + Send + Sync)) -> Result<Moved, MigrateError> {
        let source = self.source.document(state).await?.unwrap_or_default();
        self.check_target(state, &source).await?;
        let there: HashSet<_> =
            self.to.blobs(state).await.map_err(StateError::from)?.into_iter().map(|entry| entry.key).collect();
        let missing = copy::missing(&source, &there);
        let size =
            |key| source.versions.iter().find(|version| version.blob_key() == key).map_or(0, |version| version.size);
        progress(Step::Begun { versions: missing.len(), bytes: missing.iter().map(|key| size(*key)).sum() });
        for key in &missing {
            if !copy::content(&*self.from, &*self.to, state, key, None).await? {
                let words = format!("version {key} is not there any more");
                return Err(self.not_the_same(state, &words));
            }
            progress(Step::Copied { bytes: size(*key) });
        }
        copy::state(&*self.from, &*self.to, state, None).await?;
        progress(Step::Checking);
        self.check(state, &source, missing.len()).await
    }

    /// Whether the target may take the state: it has none, or one that this one went on from.
    async fn check_target(&self, state: &StateName, source: &StateDocument) -> Result<(), MigrateError> {
        let another =
            |words: String| MigrateError::Another { place: self.to.place().to_owned(), state: state.clone(), words };
        let Some(target) = self.target.document(state).await? else { return Ok(()) };
        if let Some(version) = target.versions.iter().find(|version| source.version(&version.key).is_none()) {
            return Err(another(format!("it has version {}, which is not in {}", version.key, self.from.place())));
        }
        if target.progress() > source.progress() {
            return Err(another("it was changed there since; purge it there to begin again".to_owned()));
        }
        Ok(())
    }

    /// Reads everything back.
    async fn check(&self, state: &StateName, source: &StateDocument, copied: usize) -> Result<Moved, MigrateError> {
        let report = self.target.verify(state).await?;
        if let Some(problem) = report.problems.first() {
            return Err(self.not_the_same(state, &problem.words));
        }
        let target = self.target.document(state).await?.unwrap_or_default();
        if target.versions != source.versions || report.good != source.versions.len() {
            let words = format!("{} of {} versions are there", report.good, source.versions.len());
            return Err(self.not_the_same(state, &words));
        }
        let newest = target.head().map(|head| head.key);
        Ok(Moved { newest, versions: report.good, bytes: report.bytes, copied })
    }

    fn not_the_same(&self, state: &StateName, words: &str) -> MigrateError {
        MigrateError::NotTheSame { place: self.to.place().to_owned(), state: state.clone(), words: words.to_owned() }
    }

    /// Gives the lock at the source back and writes there that the state is kept in the target, in one change.
    async fn close(&self, state: &StateName, lock_id: &str) -> Result<(), StateError> {
        for _ in 0..ATTEMPTS {
            let Some(found) = self.from.document(state).await? else { return Ok(()) };
            let unread = |words| StateError::Document { state: state.clone(), words };
            let mut document = StateDocument::parse(&found.content).map_err(unread)?;
            if document.kept_in.as_deref() == Some(self.to.place()) {
                return Ok(());
            }
            document.lock.take_if(|lock| lock.info.id == lock_id);
            document.kept_in = Some(self.to.place().to_owned());
            document.advance(self.seams.clock.now(), &self.by, self.seams.random.uuid());
            let content = document.to_json().into();
            if let Swapped::Done(_) = self.from.swap_document(state, Some(found.revision), content).await? {
                return Ok(());
            }
        }
        Err(StateError::Busy(state.clone()))
    }

    /// Takes in a single state, as Terraform's own backends keep one: a `terraform.tfstate`, an object, an answer.
    pub async fn take_in(&self, state: &StateName, content: Bytes) -> Result<Version, StateError> {
        write::inspect(&content)?;
        match self.target.write(state, content, None, &self.by).await? {
            Written::New(version) | Written::Same(version) => Ok(version),
        }
    }
}

#[cfg(test)]
mod tests;
