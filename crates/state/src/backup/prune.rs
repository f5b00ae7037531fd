//! Deleting what only backups have that are not kept any longer.
//!
//! Two steps, so that a process that ends in between loses track of nothing: the index says first that they are no backups any
//! more, and forgets them when what they alone named is deleted. Nothing else is ever deleted; what cannot be read any more
//! is left.

use std::collections::{HashMap, HashSet};

use alfred_model::backup::Keep;
use alfred_model::state::{BlobKey, StateName, Version};
use futures::StreamExt as _;

use super::manifest::{Catalogue, DocumentPlace, Manifest};
use super::{BackupError, Backups, Entry};
use crate::backend::Backend as _;

/// So many are deleted at once.
const AT_ONCE: usize = 8;

/// What kept backups have.
#[derive(Default)]
struct Kept {
    /// Manifests, lists, packs and parts of the records.
    sealed: HashSet<BlobKey>,
    documents: HashSet<DocumentPlace>,
}

impl Backups {
    /// Drops the backups that need not be kept. Answers their numbers.
    pub(super) async fn prune(&self, keep: Keep) -> Result<Vec<u64>, BackupError> {
        let gone = std::sync::Mutex::new(Vec::new());
        let now = self.seams.clock.now();
        self.change_index(None, |index| {
            let dropped = index.drop_old(keep, now);
            let is_any = !dropped.is_empty();
            if is_any {
                *gone.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = dropped;
            }
            Ok(is_any)
        })
        .await?;
        self.finish_dropping().await?;
        Ok(gone.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// Deletes what only backups have that were dropped, and then forgets those.
    pub(super) async fn finish_dropping(&self) -> Result<(), BackupError> {
        let Some(index) = self.index().await? else { return Ok(()) };
        if index.dropping.is_empty() {
            return Ok(());
        }
        let kept = self.kept(&index.backups).await?;
        let mut of_states: HashMap<StateName, HashSet<BlobKey>> = HashMap::new();
        // Each says what is in those before it, so that they go in this order.
        let (mut parts, mut lists, mut manifests) = (HashSet::new(), HashSet::new(), HashSet::new());
        for entry in &index.dropping {
            let Some((manifest, catalogue)) = self.still_there(entry).await? else { continue };
            for (name, keys) in self.own_contents(&catalogue, &kept).await? {
                of_states.entry(name).or_default().extend(keys);
            }
            parts.extend(manifest.records.iter().flatten().chain(&catalogue.packs).map(Version::blob_key));
            lists.insert(manifest.catalogue.blob_key());
            manifests.insert(entry.manifest.blob_key());
        }
        self.spare_kept(&index.backups, &mut of_states).await?;
        for (name, keys) in &of_states {
            self.delete_all(name, keys.iter().copied().collect()).await?;
        }
        for keys in [parts, lists, manifests] {
            self.delete_all(&self.name, keys.difference(&kept.sealed).copied().collect()).await?;
        }
        self.change_index(None, |now| {
            let before = now.dropping.len();
            now.dropping.retain(|entry| !index.dropping.contains(entry));
            Ok(now.dropping.len() != before)
        })
        .await
    }

    /// What kept backups name. One that cannot be read keeps everything: the error is the caller's.
    async fn kept(&self, backups: &[Entry]) -> Result<Kept, BackupError> {
        let mut kept = Kept::default();
        let mut lists = HashSet::new();
        for entry in backups {
            let manifest = self.manifest(entry).await?;
            kept.sealed.insert(entry.manifest.blob_key());
            kept.sealed.extend(manifest.records.iter().flatten().map(Version::blob_key));
            if !lists.insert(manifest.catalogue.blob_key()) {
                continue;
            }
            let catalogue = self.catalogue(&manifest).await?;
            kept.sealed.insert(manifest.catalogue.blob_key());
            kept.sealed.extend(catalogue.packs.iter().map(Version::blob_key));
            kept.documents.extend(catalogue.states.iter().filter_map(|listed| catalogue.place(listed)));
        }
        Ok(kept)
    }

    /// A dropped backup as far as it is there and can be read.
    async fn still_there(&self, entry: &Entry) -> Result<Option<(Manifest, Catalogue)>, BackupError> {
        let Some(manifest) = readable(self.manifest(entry).await)? else { return Ok(None) };
        let catalogue = readable(self.catalogue(&manifest).await)?.unwrap_or_default();
        Ok(Some((manifest, catalogue)))
    }

    /// Contents in documents that no kept backup has.
    async fn own_contents(
        &self,
        catalogue: &Catalogue,
        kept: &Kept,
    ) -> Result<Vec<(StateName, Vec<BlobKey>)>, BackupError> {
        let mut own = Vec::new();
        for (pack, states) in catalogue.by_pack() {
            let is_own = |place: DocumentPlace| !kept.documents.contains(&place);
            let states: Vec<_> =
                states.into_iter().filter(|listed| catalogue.place(listed).is_some_and(is_own)).collect();
            if states.is_empty() {
                continue;
            }
            let Some(content) = readable(self.pack(pack).await)? else { continue };
            for listed in states {
                // A document that could not be read when it came names nothing that was copied.
                let document = self.document_in(&content, listed).unwrap_or_default();
                own.push((listed.name.clone(), document.versions.iter().map(Version::blob_key).collect()));
            }
        }
        Ok(own)
    }

    /// Takes what kept backups name out of what is to be deleted.
    async fn spare_kept(
        &self,
        backups: &[Entry],
        of_states: &mut HashMap<StateName, HashSet<BlobKey>>,
    ) -> Result<(), BackupError> {
        let mut seen: HashSet<DocumentPlace> = HashSet::new();
        for entry in backups {
            let catalogue = self.catalogue(&self.manifest(entry).await?).await?;
            for (pack, states) in catalogue.by_pack() {
                let is_asked = |name: &StateName| of_states.contains_key(name);
                let states: Vec<_> = states
                    .into_iter()
                    .filter(|listed| is_asked(&listed.name))
                    .filter(|listed| catalogue.place(listed).is_some_and(|place| seen.insert(place)))
                    .collect();
                if states.is_empty() {
                    continue;
                }
                let content = self.pack(pack).await?;
                for listed in states {
                    let Some(keys) = of_states.get_mut(&listed.name) else { continue };
                    let Ok(document) = self.document_in(&content, listed) else { continue };
                    for version in &document.versions {
                        keys.remove(&version.blob_key());
                    }
                }
            }
        }
        Ok(())
    }

    async fn delete_all(&self, name: &StateName, keys: Vec<BlobKey>) -> Result<(), BackupError> {
        let mut deleted = futures::stream::iter(keys)
            .map(|key| async move { self.place.delete_blob(name, &key).await })
            .buffer_unordered(AT_ONCE);
        while let Some(done) = deleted.next().await {
            done?;
        }
        Ok(())
    }
}

/// What was read; nothing, if it is damaged or was deleted by an earlier attempt.
fn readable<T>(read: Result<T, BackupError>) -> Result<Option<T>, BackupError> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(BackupError::Damaged { what, words, .. }) => {
            tracing::warn!(
                what,
                words,
                "a part of a backup that is not kept any longer cannot be read; what it names is left"
            );
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
