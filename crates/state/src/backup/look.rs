//! Looking into a backup.

use alfred_model::state::{StateDocument, StateName, Version};
use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::mpsc;

use super::contents::checked;
use super::manifest::{Catalogue, Lacking, Listed, Manifest};
use super::shelf::Kind;
use super::{BackupError, Backups, Entry};
use crate::backend::Backend as _;
use crate::envelope::{self, EnvelopeError};

/// One backup with what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// As the index has it.
    pub entry: Entry,
    /// Where the states were kept.
    pub source: String,
    /// Its states, by name.
    pub states: Vec<ListedState>,
    /// What could not be backed up.
    pub lacking: Vec<Lacking>,
}

/// One state in a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedState {
    /// Its name.
    pub name: StateName,
    /// The newest version, of a state that was not deleted.
    pub newest: Option<Version>,
    /// Versions that were kept of it.
    pub versions: usize,
    /// Their length, in bytes.
    pub bytes: u64,
    /// When it was last changed.
    pub changed_at: Timestamp,
}

impl Backups {
    /// The states in a backup; in the newest, where no number is given.
    pub async fn show(&self, number: Option<u64>) -> Result<Shown, BackupError> {
        let entry = self.entry(number).await?;
        let manifest = self.manifest(&entry).await?;
        let catalogue = self.catalogue(&manifest).await?;
        let mut states = Vec::with_capacity(catalogue.states.len());
        for (pack, listed) in catalogue.by_pack() {
            let content = self.pack(pack).await?;
            for listed in listed {
                // One whose document could not be read when it came is told among what is lacking.
                let Some(document) = self.understood(&manifest, &content, listed)? else { continue };
                states.push(ListedState {
                    name: listed.name.clone(),
                    newest: document.head().cloned(),
                    versions: document.versions.len(),
                    bytes: document.versions.iter().map(|version| version.size).sum(),
                    changed_at: document.changed_at,
                });
            }
        }
        states.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(Shown { entry, source: manifest.source, states, lacking: manifest.lacking })
    }

    /// A document; nothing, if it could not be read when it was backed up.
    pub(super) fn understood(
        &self,
        manifest: &Manifest,
        pack: &Bytes,
        listed: &Listed,
    ) -> Result<Option<StateDocument>, BackupError> {
        let is_lacking = |one: &Lacking| one.version.is_none() && one.state == listed.name;
        if manifest.lacking.iter().any(is_lacking) {
            return self.raw_document(pack, listed).map(|_| None);
        }
        self.document_in(pack, listed).map(Some)
    }

    /// The newest content that a state had then, as Terraform sent it.
    pub async fn read_state(&self, number: Option<u64>, state: &StateName) -> Result<(Version, Bytes), BackupError> {
        let entry = self.entry(number).await?;
        let manifest = self.manifest(&entry).await?;
        let catalogue = self.catalogue(&manifest).await?;
        let number = entry.number;
        let listed = find(&catalogue, state).ok_or_else(|| BackupError::NoState { number, state: state.clone() })?;
        let pack = catalogue.pack(listed).ok_or_else(|| self.damaged("the list of states", "a pack is missing"))?;
        let content = self.pack(pack).await?;
        let document = self.understood(&manifest, &content, listed)?.unwrap_or_default();
        let newest = document.head().ok_or_else(|| BackupError::NoContent { number, state: state.clone() })?;
        let key = newest.blob_key();
        let what = || format!("version {} of `{state}`", newest.key);
        let Some(blob) = self.place.blob(state, &key).await? else {
            return Err(self.damaged(what(), "its content is not there"));
        };
        match envelope::open(state, &key, blob, &self.keyring) {
            Ok(opened) => Ok((newest.clone(), opened.content)),
            Err(EnvelopeError::KeyMissing(key_id)) => {
                Err(BackupError::KeyMissing { place: self.place().to_owned(), what: what(), key_id })
            }
            Err(error) => Err(self.damaged(what(), error)),
        }
    }

    /// Hands the parts of alfred's own records on, in order, each checked. Answers their number; fewer are sent if nobody
    /// takes them any more.
    pub async fn read_records(&self, number: Option<u64>, into: mpsc::Sender<Vec<u8>>) -> Result<usize, BackupError> {
        let entry = self.entry(number).await?;
        let manifest = self.manifest(&entry).await?;
        let parts = manifest.records.ok_or(BackupError::NoRecords(entry.number))?;
        for (sent, part) in parts.iter().enumerate() {
            let content = self.sealed(Kind::Records, part).await?;
            if into.send(content.into()).await.is_err() {
                return Ok(sent);
            }
        }
        Ok(parts.len())
    }

    /// Reads a content of a state, and compares all of it with what was written as far as the keys allow. Answers its bytes
    /// as they are stored, and the key that is missing to know for certain.
    pub(super) async fn content(
        &self,
        state: &StateName,
        version: &Version,
    ) -> Result<Result<(Bytes, Option<EnvelopeError>), String>, BackupError> {
        let key = version.blob_key();
        let Some(blob) = self.place.blob(state, &key).await? else {
            return Ok(Err("its content is not there".to_owned()));
        };
        Ok(checked(state, &key, blob, &self.keyring).map_err(|error| error.to_string()))
    }
}

/// A state in a list, which is in order.
pub(super) fn find<'a>(catalogue: &'a Catalogue, state: &StateName) -> Option<&'a Listed> {
    catalogue.states.iter().find(|listed| listed.name == *state)
}
