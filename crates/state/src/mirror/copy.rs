//! Copying one state from a store to another, bit for bit.

use std::collections::HashSet;

use alfred_model::state::{BlobKey, StateDocument, StateName, Version};

use crate::backend::{Backend, BackendError, Blob, Document, Swapped};
use crate::envelope::{self, EnvelopeError};

/// How often a copy is begun again because the state changes meanwhile.
const ATTEMPTS: u32 = 16;

/// So many names are read at once.
const PAGE: usize = 500;

/// Why a state was not copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// A store failed.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// The target has a later document, of a time when it was the primary store.
    #[error("the other store has gone on with the state")]
    Overtaken,
    /// Something that would be copied is damaged.
    #[error("version {version} of `{state}` is damaged: {source}")]
    Damaged {
        /// Which version.
        version: Box<BlobKey>,
        /// Of which state.
        state: StateName,
        /// What is wrong.
        source: EnvelopeError,
    },
    /// A document cannot be read.
    #[error("what {place} holds about `{state}` cannot be read: {words}")]
    Document {
        /// Where.
        place: String,
        /// Of which state.
        state: StateName,
        /// Why.
        words: String,
    },
    /// The state changed again and again.
    #[error("`{0}` changes too often to be copied; it is tried again")]
    Busy(StateName),
}

/// Makes `to` hold what `from` holds of a state, unless it already does or is ahead.
pub(crate) async fn state(
    from: &dyn Backend,
    to: &dyn Backend,
    state: &StateName,
    fresh: Option<(BlobKey, Blob)>,
) -> Result<(), CopyError> {
    let mut fresh = fresh;
    for _ in 0..ATTEMPTS {
        let Some(Document { content, .. }) = from.document(state).await? else {
            return Ok(());
        };
        let source = parse(from, state, &content)?;
        let there = to.document(state).await?;
        let target = there.as_ref().map(|there| parse(to, state, &there.content)).transpose()?;
        if let Some(target) = &target {
            if target.epoch > source.epoch {
                return Err(CopyError::Overtaken);
            }
            if target.progress() >= source.progress() {
                return Ok(());
            }
        }
        let known = target.as_ref().map(keys).unwrap_or_default();
        if !contents(from, to, state, &source, &known, &mut fresh).await? {
            continue;
        }
        if let Swapped::Done(_) = to.swap_document(state, there.map(|there| there.revision), content).await? {
            // What a store took in while it had been given up is no version any more, and still nobody's to delete.
            if target.is_some_and(|target| target.epoch == source.epoch) {
                let kept = keys(&source);
                for key in known.difference(&kept) {
                    to.delete_blob(state, key).await?;
                }
            }
            return Ok(());
        }
    }
    Err(CopyError::Busy(state.clone()))
}

/// Copies the contents that the target does not have. Answers no if one was dropped meanwhile.
async fn contents(
    from: &dyn Backend,
    to: &dyn Backend,
    state: &StateName,
    source: &StateDocument,
    known: &HashSet<BlobKey>,
    fresh: &mut Option<(BlobKey, Blob)>,
) -> Result<bool, CopyError> {
    let mut missing = missing(source, known);
    let is_fresh = |key: &BlobKey| fresh.as_ref().is_some_and(|(fresh, _)| fresh == key);
    if !missing.iter().all(is_fresh) {
        // An earlier copy may have ended in the middle.
        let there: HashSet<BlobKey> = to.blobs(state).await?.into_iter().map(|entry| entry.key).collect();
        missing.retain(|key| !there.contains(key));
    }
    for key in missing {
        let blob = fresh.take_if(|(fresh, _)| *fresh == key).map(|(_, blob)| blob);
        if !content(from, to, state, &key, blob).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The contents of a document that are not among the `known` ones, oldest first.
pub(crate) fn missing(source: &StateDocument, known: &HashSet<BlobKey>) -> Vec<BlobKey> {
    source.versions.iter().map(Version::blob_key).filter(|key| !known.contains(key)).collect()
}

/// Copies one content. Answers no if it is not there.
pub(crate) async fn content(
    from: &dyn Backend,
    to: &dyn Backend,
    state: &StateName,
    key: &BlobKey,
    blob: Option<Blob>,
) -> Result<bool, CopyError> {
    let blob = match blob {
        Some(blob) => Some(blob),
        None => from.blob(state, key).await?,
    };
    let Some(blob) = blob else { return Ok(false) };
    let blob = envelope::check(state, key, blob).map_err(|source| CopyError::Damaged {
        version: Box::new(*key),
        state: state.clone(),
        source,
    })?;
    to.put_blob(state, key, blob).await?;
    Ok(true)
}

/// Throws away what a store holds of a state that was thrown away in the other one: its document as it was then or
/// before, and the contents it names.
pub(crate) async fn purge(store: &dyn Backend, state: &StateName, until: (u64, u64)) -> Result<(), CopyError> {
    let Some(found) = store.document(state).await? else { return Ok(()) };
    let document = parse(store, state, &found.content)?;
    if document.progress() > until || store.remove_document(state, found.revision).await? == Swapped::Conflict {
        // It has begun anew.
        return Ok(());
    }
    for key in document.versions.iter().map(Version::blob_key) {
        store.delete_blob(state, &key).await?;
    }
    Ok(())
}

/// Every name that a store has.
pub(crate) async fn all_states(store: &dyn Backend) -> Result<Vec<StateName>, BackendError> {
    let mut names: Vec<StateName> = Vec::new();
    loop {
        let page = store.states(names.last(), PAGE).await?;
        let is_last = page.len() < PAGE;
        names.extend(page);
        if is_last {
            return Ok(names);
        }
    }
}

fn keys(document: &StateDocument) -> HashSet<BlobKey> {
    document.versions.iter().map(Version::blob_key).collect()
}

pub(crate) fn parse(store: &dyn Backend, state: &StateName, content: &[u8]) -> Result<StateDocument, CopyError> {
    StateDocument::parse(content).map_err(|words| CopyError::Document {
        place: store.place().to_owned(),
        state: state.clone(),
        words,
    })
}
