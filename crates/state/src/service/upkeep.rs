//! What is thrown away, and what is encrypted anew.

use alfred_model::state::{BlobKey, StateDocument, StateName, Version, retention};
use futures::StreamExt as _;
use jiff::Timestamp;

use super::States;
use super::change::Change;
use crate::backend::Swapped;
use crate::error::StateError;

/// So many blobs are deleted at once.
const AT_ONCE: usize = 8;

/// What a purge threw away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purged {
    /// Versions, and contents that no version has.
    pub blobs: usize,
}

impl States {
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
    pub(super) async fn delete_blobs(&self, state: &StateName, keys: &[BlobKey]) {
        futures::stream::iter(keys)
            .for_each_concurrent(AT_ONCE, async |key| {
                if let Err(error) = self.backend.delete_blob(state, key).await {
                    tracing::warn!(state = %state, version = %key, error = %error, "a content that nobody needs is left over");
                }
            })
            .await;
    }

    /// Throws a deleted state away, with all its versions, for ever.
    pub async fn purge(&self, state: &StateName) -> Result<Purged, StateError> {
        let (revision, document) = self.load(state).await?.ok_or_else(|| StateError::NoState(state.clone()))?;
        if document.deleted_at.is_none() && !document.versions.is_empty() {
            return Err(StateError::NotDeleted(state.clone()));
        }
        if let Some(lock) = document.lock_at(self.seams.clock.now()) {
            return Err(StateError::Locked(Box::new(lock.clone())));
        }
        if self.backend.remove_document(state, revision).await? == Swapped::Conflict {
            return Err(StateError::Busy(state.clone()));
        }
        let keys: Vec<BlobKey> = self.backend.blobs(state).await?.into_iter().map(|entry| entry.key).collect();
        self.delete_blobs(state, &keys).await;
        Ok(Purged { blobs: keys.len() })
    }

    /// Encrypts every version with the writing key that is not yet, one at a time, and says how many those were. May be
    /// stopped at any time and begun again; readers and writers notice nothing.
    pub async fn encrypt_anew(&self, state: &StateName, by: &str) -> Result<usize, StateError> {
        let wanted = self.keyring.writing_id().cloned();
        let mut count = 0;
        let document = self.document(state).await?.unwrap_or_default();
        for old in document.versions.iter().filter(|version| version.key_id != wanted) {
            let Some(content) = self.content(state, old).await? else { continue };
            let new = Version { blob: self.new_tag(), key_id: wanted.clone(), ..old.clone() };
            self.put(state, &new, content).await?;
            let replaced = self
                .change(state, by, |document, _| {
                    let entry = document.versions.iter_mut().find(|version| version.blob_key() == old.blob_key());
                    let Some(entry) = entry else { return Ok(Change::Leave(false)) };
                    entry.blob = new.blob;
                    entry.key_id.clone_from(&new.key_id);
                    Ok(Change::Write(true))
                })
                .await?;
            let needless = if replaced { old.blob_key() } else { new.blob_key() };
            self.delete_blobs(state, &[needless]).await;
            count += usize::from(replaced);
        }
        Ok(count)
    }
}
