//! What is thrown away, and what is encrypted anew.

use alfred_model::state::{BlobKey, StateDocument, StateName, Version, retention};
use bytes::Bytes;
use futures::StreamExt as _;
use jiff::{SignedDuration, Timestamp};

use super::change::{Change, load};
use super::{ReadVersion, States};
use crate::backend::{Backend as _, Swapped};
use crate::envelope;
use crate::error::StateError;
use crate::mirror::{Current, copy};

/// So many blobs are deleted at once.
const AT_ONCE: usize = 8;

/// A content that no version has may still become one for so long.
const LEFT_OVER_AFTER: SignedDuration = SignedDuration::from_hours(24);

/// What a purge threw away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purged {
    /// Versions, and contents that no version has.
    pub blobs: usize,
}

/// What the upkeep of all states did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Upkeep {
    /// Versions that are encrypted with the writing key now.
    pub encrypted: usize,
    /// Contents that were deleted because no version has them.
    pub swept: usize,
    /// Contents whose writing was broken off, and of which the pieces were deleted.
    pub uploads: usize,
}

impl States {
    /// Encrypts versions anew that were encrypted with an older key, where there is a key at all, and deletes what is left
    /// over, for every state. One that cannot be read is skipped, and shown by `verify`.
    pub async fn upkeep(&self) -> Result<Upkeep, StateError> {
        let mut done = Upkeep { uploads: self.forget_uploads().await, ..Upkeep::default() };
        for state in copy::all_states(&*self.stores.current().await?.primary).await? {
            let encrypted = match self.keyring.writing_id() {
                Some(_) => self.encrypt_anew(&state, alfred_model::lifecycle::ACTOR).await,
                None => Ok(0),
            };
            match (encrypted, self.sweep(&state).await) {
                (Ok(encrypted), Ok(swept)) => {
                    done.encrypted += encrypted;
                    done.swept += swept;
                }
                (Err(StateError::Moved(_)), _) | (_, Err(StateError::Moved(_))) => {}
                (Err(error), _) | (_, Err(error)) => {
                    tracing::warn!(state = %state, error = %error, "a state was left out of the upkeep");
                }
            }
        }
        Ok(done)
    }

    /// Deletes what is left of contents whose writing was broken off more than a day ago, in every store. Says how many
    /// those were.
    async fn forget_uploads(&self) -> usize {
        let before = self.seams.clock.now().checked_sub(LEFT_OVER_AFTER).unwrap_or(Timestamp::MIN);
        let mut forgotten = 0;
        for store in self.stores.all() {
            match store.forget_uploads(before).await {
                Ok(count) => forgotten += count,
                Err(error) => tracing::warn!(error = %error, "what uploads left behind was left out of the upkeep"),
            }
        }
        forgotten
    }

    /// Takes the versions out of the document that need not be kept. Their contents are for the caller to delete once the
    /// document was written.
    pub(super) fn drop_old(&self, document: &mut StateDocument, now: Timestamp) -> Vec<BlobKey> {
        let mut gone = Vec::new();
        for key in retention::dropped(document, &self.defaults, now) {
            // The same version may be there twice, around a deletion of the state; the older one goes first.
            let place = document.versions.iter().position(|version| version.key == key && !version.pinned);
            gone.extend(place.map(|place| document.versions.remove(place).blob_key()));
        }
        gone
    }

    /// Deletes contents that no document names any more. One that cannot be deleted now is left over: `verify` shows it.
    pub(super) async fn delete_blobs(&self, current: &Current, state: &StateName, keys: &[BlobKey]) {
        futures::stream::iter(0..keys.len())
            .for_each_concurrent(AT_ONCE, |index| async move {
                let key = &keys[index];
                if let Err(error) = current.primary.delete_blob(state, key).await {
                    tracing::warn!(state = %state, version = %key, error = %error, "a content that nobody needs is left over");
                }
            })
            .await;
    }

    /// Refuses what [`purge`](Self::purge) would refuse now.
    pub async fn check_purge(&self, state: &StateName) -> Result<(), StateError> {
        let document = self.own_document(state).await?.ok_or_else(|| StateError::NoState(state.clone()))?;
        may_be_purged(state, &document, self.seams.clock.now())
    }

    /// Throws a deleted state away, with all its versions, for ever.
    pub async fn purge(&self, state: &StateName) -> Result<Purged, StateError> {
        // Before the document is gone: afterwards nobody finds what is left over.
        self.sweep(state).await?;
        self.in_current(|current| async move {
            let (revision, document) =
                load(&current, state).await?.ok_or_else(|| StateError::NoState(state.clone()))?;
            may_be_purged(state, &document, self.seams.clock.now())?;
            if current.primary.remove_document(state, revision).await? == Swapped::Conflict {
                return Err(StateError::Busy(state.clone()));
            }
            // Others than these may be of a writer who is about to begin the state anew.
            let keys: Vec<BlobKey> = document.versions.iter().map(Version::blob_key).collect();
            self.delete_blobs(&current, state, &keys).await;
            self.stores.follow_purge(&current, state, document.progress()).await;
            Ok(Purged { blobs: keys.len() })
        })
        .await
    }

    /// Deletes contents that no version has and that were written more than a day ago: what crashes and lost answers left.
    /// Says how many those were.
    pub async fn sweep(&self, state: &StateName) -> Result<usize, StateError> {
        let report = self.left_over(state).await?;
        let current = self.stores.current().await?;
        let now = self.seams.clock.now();
        let mut old = Vec::new();
        for entry in report {
            let Some(blob) = current.primary.blob(state, &entry.key).await? else { continue };
            // What is damaged tells no time, and is kept for whoever wants to look at it.
            let written_at = envelope::written_at(blob);
            if written_at.is_some_and(|at| now.duration_since(at) > LEFT_OVER_AFTER) {
                old.push(entry.key);
            }
        }
        self.delete_blobs(&current, state, &old).await;
        Ok(old.len())
    }

    /// Encrypts every version with the writing key that is not yet, one at a time, and says how many those were. May be
    /// stopped at any time and begun again; readers and writers notice nothing.
    pub async fn encrypt_anew(&self, state: &StateName, by: &str) -> Result<usize, StateError> {
        let wanted = self.keyring.writing_id().cloned();
        let mut count = 0;
        let document = self.document(state).await?.unwrap_or_default();
        for old in document.versions.iter().filter(|version| version.key_id != wanted) {
            let Some(ReadVersion { content, .. }) = self.read_version(state, &old.key).await? else { continue };
            let new = Version { blob: self.new_tag(), key_id: wanted.clone(), ..old.clone() };
            count += usize::from(self.replace(state, old, &new, content, by).await?);
        }
        Ok(count)
    }

    /// Stores a version's content anew, and makes the document name that one. Answers no if the version is gone.
    async fn replace(
        &self,
        state: &StateName,
        old: &Version,
        new: &Version,
        content: Bytes,
        by: &str,
    ) -> Result<bool, StateError> {
        let content = &content;
        self.in_current(|current| async move {
            let blob = self.put(&current, state, new, content.clone()).await?;
            let replaced = self
                .change_in(&current, state, by, |document, _| {
                    let entry = document.versions.iter_mut().find(|version| version.blob_key() == old.blob_key());
                    let Some(entry) = entry else { return Ok(Change::Leave(false)) };
                    entry.blob = new.blob;
                    entry.key_id.clone_from(&new.key_id);
                    Ok(Change::Write(true))
                })
                .await?;
            self.stores.follow(&current, state, Some((new.blob_key(), blob))).await?;
            let needless = if replaced { old.blob_key() } else { new.blob_key() };
            self.delete_blobs(&current, state, &[needless]).await;
            Ok(replaced)
        })
        .await
    }
}

/// Only what was deleted and that nobody has locked.
fn may_be_purged(state: &StateName, document: &StateDocument, now: Timestamp) -> Result<(), StateError> {
    if document.deleted_at.is_none() && !document.versions.is_empty() {
        return Err(StateError::NotDeleted(state.clone()));
    }
    document.lock_at(now).map_or(Ok(()), |lock| Err(StateError::Locked(Box::new(lock.clone()))))
}
