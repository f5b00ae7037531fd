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
use alfred_model::state::lock::{self, Lock, LockInfo, Released, Taken};
use alfred_model::state::retention::Defaults;
use alfred_model::state::write::{self, Decision, Incoming};
use alfred_model::state::{BlobTag, StateDocument, StateName, Version, VersionKey};
use bytes::Bytes;
use jiff::Timestamp;

use crate::backend::{Backend as _, Blob};
use crate::envelope;
use crate::error::StateError;
use crate::keys::Keyring;
use crate::mirror::{Current, Stores};
use crate::room::Room;
use change::{Change, load, recall};

pub use upkeep::{Purged, Upkeep};
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
    stores: Stores,
    keyring: Keyring,
    defaults: Defaults,
    seams: Seams,
    room: Room,
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
    /// The states in `stores`. What `defaults` says holds for states whose owner decided nothing else.
    pub fn new(stores: Stores, keyring: Keyring, defaults: Defaults, seams: Seams) -> Self {
        Self { stores, keyring, defaults, seams, room: Room::default() }
    }

    /// Contents that are read take up no more than this room, for as long as anybody has them.
    #[must_use]
    pub fn in_room(self, room: Room) -> Self {
        Self { room, ..self }
    }

    /// The store or stores they are kept in.
    pub const fn stores(&self) -> &Stores {
        &self.stores
    }

    /// What holds for states whose owner decided nothing.
    pub const fn defaults(&self) -> &Defaults {
        &self.defaults
    }

    /// What is known of a state; nothing, if nobody ever locked or wrote it. Also of one that is kept in another store now
    /// ([`StateDocument::kept_in`]).
    pub async fn document(&self, state: &StateName) -> Result<Option<StateDocument>, StateError> {
        let current = self.stores.current().await?;
        let found = current.primary.document(state).await?;
        let unread = |words| StateError::Document { state: state.clone(), words };
        found.map(|found| StateDocument::parse(&found.content).map_err(unread)).transpose()
    }

    /// The same, of a state that may be changed here.
    async fn own_document(&self, state: &StateName) -> Result<Option<StateDocument>, StateError> {
        self.in_current(|current| async move { Ok(load(&current, state).await?.map(|(_, document)| document)) }).await
    }

    /// Names of states, deleted ones among them, in order, beginning after `after`; at most `limit`.
    pub async fn list(&self, after: Option<&StateName>, limit: usize) -> Result<Vec<StateName>, StateError> {
        Ok(self.stores.current().await?.primary.states(after, limit).await?)
    }

    /// The newest version; nothing, if there is none or the state was deleted. Waits while there is no room for it.
    pub async fn read(&self, state: &StateName) -> Result<Option<ReadVersion>, StateError> {
        self.read_where(state, |document| document.head().cloned()).await
    }

    /// One version that is kept.
    pub async fn read_version(&self, state: &StateName, key: &VersionKey) -> Result<Option<ReadVersion>, StateError> {
        self.read_where(state, |document| document.version(key).cloned()).await
    }

    async fn read_where(
        &self,
        state: &StateName,
        wanted: impl Fn(&StateDocument) -> Option<Version> + Sync,
    ) -> Result<Option<ReadVersion>, StateError> {
        let wanted = &wanted;
        self.in_current(|current| async move {
            let mut missed: Option<Version> = None;
            // A content that is not there was dropped or stored anew since the document was read, or it is lost.
            loop {
                let document = load(&current, state).await?.map(|(_, document)| document).unwrap_or_default();
                let Some(version) = wanted(&document) else { return Ok(None) };
                if missed.is_some_and(|missed| missed.blob_key() == version.blob_key()) {
                    let words = "its content is not there".to_owned();
                    return Err(StateError::Damaged { state: state.clone(), version: version.key, words });
                }
                let taken = self.room.take(version.size).await.ok_or(StateError::NoRoom)?;
                if let Some(content) = self.content(&current, state, &version).await? {
                    return Ok(Some(ReadVersion { version, content: taken.hold(content) }));
                }
                missed = Some(version);
            }
        })
        .await
    }

    /// Does something in the store that counts now; once more, if that is another one by then.
    ///
    /// Not an `AsyncFn`, whose futures the routes that await this could not know to be `Send`.
    async fn in_current<T, F>(&self, act: impl Fn(Current) -> F) -> Result<T, StateError>
    where
        F: Future<Output = Result<T, StateError>>,
    {
        let current = self.stores.current().await?;
        let before = current.mirrored.as_ref().map(|mirrored| mirrored.record.epoch);
        match act(current).await {
            Err(StateError::Moved(place)) => {
                let current = self.stores.current().await?;
                let record = current.mirrored.as_ref().map(|mirrored| &mirrored.record);
                match record {
                    Some(record) if Some(record.epoch) != before => act(current).await,
                    Some(record) if record.switching.is_some() => Err(StateError::Switching),
                    _ => Err(StateError::Moved(place)),
                }
            }
            result => result,
        }
    }

    /// Takes the lock for whoever sends `info`, or says who has it. Asking again under the same id is no error.
    pub async fn lock(&self, state: &StateName, info: LockInfo, by: &str) -> Result<Taken, StateError> {
        self.change(state, by, |document, now| {
            let taken = lock::take(document, info.clone(), by, now);
            Ok(match taken {
                Taken::New { .. } => Change::Write(taken),
                Taken::Already | Taken::Held(_) => Change::Leave(taken),
            })
        })
        .await
    }

    /// Gives one's own lock with this id back. Asking again is no error.
    pub async fn unlock(&self, state: &StateName, id: &str, by: &str) -> Result<Released, StateError> {
        self.release(state, by, |document| lock::release(document, id, by)).await
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
        let incoming = Incoming { key, lineage: &inspected.lineage, lock_id, by };
        if !self.is_likely_new(state, &incoming).await? {
            let document = self.own_document(state).await?.unwrap_or_default();
            if write::decide(&document, &incoming, self.seams.clock.now())? == Decision::Same
                && let Some(head) = document.head()
            {
                return Ok(Written::Same(head.clone()));
            }
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
        self.append(state, &version, content, by, |document, now| {
            if write::decide(document, &incoming, now)? == Decision::Same {
                let head = document.head().cloned().unwrap_or_else(|| version.clone());
                return Ok(Change::Leave(Written::Same(head)));
            }
            Ok(Change::Write(Written::New(version.clone())))
        })
        .await
    }

    /// Whether a content would have been a new version a moment ago, so that it is worth storing.
    async fn is_likely_new(&self, state: &StateName, incoming: &Incoming<'_>) -> Result<bool, StateError> {
        let current = self.stores.current().await?;
        let Some((_, document)) = recall(&current, state) else { return Ok(false) };
        Ok(matches!(write::decide(&document, incoming, self.seams.clock.now()), Ok(Decision::Write)))
    }

    /// Stores the content of a new version, and then makes it the newest if `decide` says so.
    async fn append<T>(
        &self,
        state: &StateName,
        version: &Version,
        content: Bytes,
        by: &str,
        decide: impl Fn(&StateDocument, Timestamp) -> Result<Change<T>, StateError>,
    ) -> Result<T, StateError> {
        let (content, decide) = (&content, &decide);
        self.in_current(|current| async move {
            let blob = self.put(&current, state, version, content.clone()).await?;
            // A content that is refused now stays: an earlier attempt of this may have made it a version, unknown to us.
            let (answer, needless) = self
                .change_in(&current, state, by, |document, now| match decide(document, now)? {
                    Change::Leave(answer) => Ok(Change::Leave((answer, Vec::new()))),
                    Change::Write(answer) => {
                        write::append(document, version.clone(), now);
                        Ok(Change::Write((answer, self.drop_old(document, now))))
                    }
                })
                .await?;
            self.stores.follow(&current, state, Some((version.blob_key(), blob))).await?;
            self.delete_blobs(&current, state, &needless).await;
            Ok(answer)
        })
        .await
    }

    /// From now on the state reads as absent, until somebody writes it or rolls it back. Its versions are kept. Says whether
    /// there was anything to delete.
    pub async fn delete(&self, state: &StateName, lock_id: Option<&str>, by: &str) -> Result<bool, StateError> {
        self.change(state, by, |document, now| {
            let is_own = |lock: &Lock| lock_id.is_some_and(|id| lock.is_of(id, by));
            if let Some(lock) = document.lock_at(now).filter(|lock| !is_own(lock)) {
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
    async fn content(
        &self,
        current: &Current,
        state: &StateName,
        version: &Version,
    ) -> Result<Option<Bytes>, StateError> {
        let key = version.blob_key();
        let Some(blob) = current.primary.blob(state, &key).await? else {
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

    /// Stores the content of a version that no document names yet, and gives what was stored.
    async fn put(
        &self,
        current: &Current,
        state: &StateName,
        version: &Version,
        content: Bytes,
    ) -> Result<Blob, StateError> {
        let mut nonce = [0; envelope::NONCE_LENGTH];
        self.seams.random.fill(&mut nonce);
        let key = version.key_id.as_ref().and_then(|id| self.keyring.key(id));
        let blob = envelope::seal(state, version, content, key, nonce);
        // The tag is drawn at random: a content that exists under it is what an earlier attempt to write it left.
        current.primary.put_blob(state, &version.blob_key(), blob.clone()).await?;
        Ok(blob)
    }

    fn new_tag(&self) -> BlobTag {
        let mut bytes = [0; 8];
        self.seams.random.fill(&mut bytes);
        BlobTag(u64::from_le_bytes(bytes))
    }
}

#[cfg(test)]
pub(crate) mod tests;
