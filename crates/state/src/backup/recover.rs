//! Finding backups whose list is damaged or gone: each has a manifest that says all about it.
//!
//! A manifest is written after everything that it names was written and read back, and deleted after everything that it alone
//! names. So whatever has a manifest is a backup, or was one until a moment ago, which `verify` shows.

use std::collections::BTreeMap;

use alfred_model::state::Version;

use super::index::{FORMAT, Index};
use super::manifest::Manifest;
use super::shelf::Kind;
use super::{BackupError, Backups, Entry};
use crate::backend::Backend as _;
use crate::envelope::{self, EnvelopeError};

impl Backups {
    /// The list as the manifests have it; nothing, where there is none. `words` say what is wrong with the list that was there.
    ///
    /// Reads everything that is no state's content, one thing after the other.
    pub(super) async fn recovered(&self, words: &str) -> Result<Option<Index>, BackupError> {
        let mut found: BTreeMap<u64, (Manifest, Version)> = BTreeMap::new();
        for entry in self.place.blobs(&self.name).await? {
            let Some(blob) = self.place.blob(&self.name, &entry.key).await? else { continue };
            let opened = match envelope::open(&self.name, &entry.key, blob, &self.keyring) {
                Ok(opened) if opened.version.lineage == Kind::Manifest.word() => opened,
                Err(EnvelopeError::KeyMissing(key_id)) => {
                    tracing::warn!(%key_id, "a part of the backups needs a key that is not in `ALFRED_STATE_KEYS`");
                    continue;
                }
                Ok(_) | Err(_) => continue,
            };
            if let Ok(manifest) = serde_json::from_slice::<Manifest>(&opened.content)
                && manifest.format == FORMAT
            {
                found.insert(manifest.number, (manifest, opened.version));
            }
        }
        let Some((newest, _)) = found.values().next_back() else { return Ok(None) };
        let mut index = Index::new(newest.installation);
        index.recovered = Some(words.to_owned());
        for (number, (manifest, version)) in found {
            index.last = number;
            index.backups.push(self.entry_again(&manifest, version).await?);
        }
        let (place, backups) = (self.place(), index.backups.len());
        tracing::warn!(place, backups, words, "the list of backups was made anew from the backups themselves");
        Ok(Some(index))
    }

    /// What the list had said of a backup, as far as it still can be told.
    async fn entry_again(&self, manifest: &Manifest, version: Version) -> Result<Entry, BackupError> {
        let states = match self.catalogue(manifest).await {
            Ok(catalogue) => catalogue.states,
            Err(BackupError::Backend(error)) => return Err(error.into()),
            // That it cannot be read is for `verify` to tell.
            Err(_) => Vec::new(),
        };
        Ok(Entry {
            number: manifest.number,
            begun_at: manifest.begun_at,
            finished_at: version.at,
            states: states.len() as u64,
            versions: states.iter().map(|listed| listed.versions).sum(),
            bytes: states.iter().map(|listed| listed.bytes).sum(),
            written: 0,
            records: manifest.records_length(),
            lacking: manifest.lacking.len() as u64,
            verified_at: None,
            manifest: version,
        })
    }
}
