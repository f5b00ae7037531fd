//! States as their users see them: locked, read, written, rolled back.
//!
//! Each change is one compare-and-set of the state's document. A store that does not answer may have done it or not; so
//! each change is such that doing it again does no harm, and the document carries the id of the write that made it.

mod change;
mod history;
mod upkeep;
mod verify;

use std::sync::Arc;

use alfred_model::seam::{Clock, Random};
use alfred_model::state::lock::{self, LockInfo, Released, Taken};
use alfred_model::state::retention::Defaults;
use alfred_model::state::write::{self, Decision, Incoming, Refusal};
use alfred_model::state::{BlobTag, StateDocument, StateName, Version, VersionKey};
use bytes::Bytes;

use crate::backend::Backend;
use crate::envelope;
use crate::error::StateError;
use crate::keys::Keyring;
use change::Change;

pub use upkeep::Purged;
pub use verify::{VerifyReport, VersionProblem};

/// A version with its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadVersion {
    /// What is known of it.
    pub version: Version,
    /// The content, as Terraform sent it.
    pub content: Bytes,
}

/// What writing a version came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// It is the newest now.
    New(Version),
    /// It was the newest already: an earlier request wrote it.
    Same(Version),
}

/// All states of one store.
#[derive(Debug)]
pub struct States {
    backend: Arc<dyn Backend>,
    keyring: Keyring,
    defaults: Defaults,
    seams: Seams,
}

/// Time and chance.
#[derive(Clone)]
pub struct Seams {
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Draws ids and nonces.
    pub random: Arc<dyn Random>,
}

impl std::fmt::Debug for Seams {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Seams")
    }
}

impl States {
    /// The states in `backend`. What `defaults` says holds for states whose owner decided nothing else.
    pub const fn new(backend: Arc<dyn Backend>, keyring: Keyring, defaults: Defaults, seams: Seams) -> Self {
        Self { backend, keyring, defaults, seams }
    }

    /// Where they are kept, in words for people.
    pub fn place(&self) -> &str {
        self.backend.place()
    }

    /// What holds for states whose owner decided nothing.
    pub const fn defaults(&self) -> &Defaults {
        &self.defaults
    }

    /// What is known of a state; nothing, if nobody ever locked or wrote it.
    pub async fn document(&self, state: &StateName) -> Result<Option<StateDocument>, StateError> {
        Ok(self.load(state).await?.map(|(_, document)| document))
    }

    /// Names of states, deleted ones among them, in order, beginning after `after`; at most `limit`.
    pub async fn list(&self, after: Option<&StateName>, limit: usize) -> Result<Vec<StateName>, StateError> {
        Ok(self.backend.states(after, limit).await?)
    }

    /// The newest version; nothing, if there is none or the state was deleted.
    pub async fn read(&self, state: &StateName) -> Result<Option<ReadVersion>, StateError> {
        let Some(document) = self.document(state).await? else {
            return Ok(None);
        };
        let Some(head) = document.head() else {
            return Ok(None);
        };
        match self.content(state, head).await? {
            Some(content) => Ok(Some(ReadVersion { version: head.clone(), content })),
            None => self.read_again(state, head).await,
        }
    }

    /// The content was not there. Either it was superseded and dropped between two calls, or it is lost.
    async fn read_again(&self, state: &StateName, missed: &Version) -> Result<Option<ReadVersion>, StateError> {
        let document = self.document(state).await?.unwrap_or_default();
        let Some(head) = document.head() else {
            return Ok(None);
        };
        let content = if head.blob_key() == missed.blob_key() { None } else { self.content(state, head).await? };
        let content = content.ok_or_else(|| missing(state, head))?;
        Ok(Some(ReadVersion { version: head.clone(), content }))
    }

    /// One version that is kept.
    pub async fn read_version(&self, state: &StateName, key: &VersionKey) -> Result<Option<ReadVersion>, StateError> {
        let document = self.document(state).await?.unwrap_or_default();
        let Some(version) = document.version(key) else {
            return Ok(None);
        };
        let content = self.content(state, version).await?.ok_or_else(|| missing(state, version))?;
        Ok(Some(ReadVersion { version: version.clone(), content }))
    }

    /// Takes the lock for whoever sends `info`, or says who has it. Asking again under the same id is no error.
    pub async fn lock(&self, state: &StateName, info: LockInfo, by: &str) -> Result<Taken, StateError> {
        self.change(state, by, |document, now| {
            if let Some(place) = &document.sealed_for {
                return Err(Refusal::Moved(place.clone()).into());
            }
            let taken = lock::take(document, info.clone(), by, now);
            Ok(match taken {
                Taken::New { .. } => Change::Write(taken),
                Taken::Already | Taken::Held(_) => Change::Leave(taken),
            })
        })
        .await
    }

    /// Gives the lock with this id back. Asking again is no error.
    pub async fn unlock(&self, state: &StateName, id: &str, by: &str) -> Result<Released, StateError> {
        self.release(state, by, |document| lock::release(document, id)).await
    }

    /// Takes the lock away from whoever has it; with an id, only that lock. Whether the asker may is for the caller to say.
    pub async fn force_unlock(&self, state: &StateName, id: Option<&str>, by: &str) -> Result<Released, StateError> {
        self.release(state, by, |document| lock::force_release(document, id)).await
    }

    async fn release(
        &self,
        state: &StateName,
        by: &str,
        release: impl Fn(&mut StateDocument) -> Released,
    ) -> Result<Released, StateError> {
        self.change(state, by, |document, _| {
            let released = release(document);
            Ok(match released {
                Released::Done(_) => Change::Write(released),
                Released::NotHeld | Released::HeldByAnother(_) => Change::Leave(released),
            })
        })
        .await
    }

    /// Makes `content` the newest version, if the rules allow it ([`write::decide`]). When it returns, the version is
    /// durable; sending the same again is no error.
    pub async fn write(
        &self,
        state: &StateName,
        content: Bytes,
        lock_id: Option<&str>,
        by: &str,
    ) -> Result<Written, StateError> {
        let inspected = write::inspect(&content)?;
        let key = write::key(&inspected, envelope::checksum(&content));
        let incoming = Incoming { key, lineage: &inspected.lineage, lock_id };
        let document = self.document(state).await?.unwrap_or_default();
        if write::decide(&document, &incoming, self.seams.clock.now())? == Decision::Same
            && let Some(head) = document.head()
        {
            return Ok(Written::Same(head.clone()));
        }
        let version = Version {
            key,
            blob: self.new_tag(),
            lineage: inspected.lineage.clone(),
            size: content.len() as u64,
            at: self.seams.clock.now(),
            by: by.to_owned(),
            lock_id: lock_id.map(str::to_owned),
            key_id: self.keyring.writing_id().cloned(),
            opaque: inspected.opaque,
            pinned: false,
            rolled_back_to: None,
        };
        self.put(state, &version, content).await?;
        let (written, dropped) = self
            .change(state, by, |document, now| {
                if write::decide(document, &incoming, now)? == Decision::Same {
                    let head = document.head().cloned().unwrap_or_else(|| version.clone());
                    return Ok(Change::Leave((Written::Same(head), vec![version.blob_key()])));
                }
                write::append(document, version.clone(), now);
                let dropped = self.drop_old(document, now);
                Ok(Change::Write((Written::New(version.clone()), dropped)))
            })
            .await?;
        self.delete_blobs(state, &dropped).await;
        Ok(written)
    }

    /// From now on the state reads as absent, until somebody writes it or rolls it back. Its versions are kept. Says whether
    /// there was anything to delete.
    pub async fn delete(&self, state: &StateName, lock_id: Option<&str>, by: &str) -> Result<bool, StateError> {
        self.change(state, by, |document, now| {
            if let Some(place) = &document.sealed_for {
                return Err(Refusal::Moved(place.clone()).into());
            }
            if let Some(lock) = document.lock_at(now).filter(|lock| lock_id != Some(lock.info.id.as_str())) {
                return Err(StateError::Locked(Box::new(lock.clone())));
            }
            if document.head().is_none() {
                return Ok(Change::Leave(false));
            }
            document.deleted_at = Some(now);
            Ok(Change::Write(true))
        })
        .await
    }

    /// The content of a version, checked; nothing, if it is not there.
    async fn content(&self, state: &StateName, version: &Version) -> Result<Option<Bytes>, StateError> {
        let key = version.blob_key();
        let Some(blob) = self.backend.blob(state, &key).await? else {
            return Ok(None);
        };
        match envelope::open(state, &key, blob, &self.keyring) {
            Ok(opened) => Ok(Some(opened.content)),
            Err(envelope::EnvelopeError::KeyMissing(key_id)) => {
                Err(StateError::KeyMissing { state: state.clone(), version: version.key, key_id })
            }
            Err(error) => {
                Err(StateError::Damaged { state: state.clone(), version: version.key, words: error.to_string() })
            }
        }
    }

    /// Stores the content of a version that no document names yet.
    async fn put(&self, state: &StateName, version: &Version, content: Bytes) -> Result<(), StateError> {
        let mut nonce = [0; envelope::NONCE_LENGTH];
        self.seams.random.fill(&mut nonce);
        let key = version.key_id.as_ref().and_then(|id| self.keyring.key(id));
        let blob = envelope::seal(state, version, content, key, nonce);
        // A key is drawn at random, so one that exists is our own of an earlier attempt inside the backend.
        self.backend.put_blob(state, &version.blob_key(), blob).await?;
        Ok(())
    }

    fn new_tag(&self) -> BlobTag {
        let mut bytes = [0; 8];
        self.seams.random.fill(&mut bytes);
        BlobTag(u64::from_le_bytes(bytes))
    }
}

fn missing(state: &StateName, version: &Version) -> StateError {
    StateError::Damaged { state: state.clone(), version: version.key, words: "its content is not there".to_owned() }
}
