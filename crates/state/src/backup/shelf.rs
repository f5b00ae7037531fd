//! What is no state's content: sealed, read back when it was written, and checked when it is read.

use std::collections::HashMap;

use alfred_model::lifecycle::ACTOR;
use alfred_model::state::{BlobKey, BlobTag, Checksum, StateDocument, Version, VersionKey};
use bytes::Bytes;
use serde::de::DeserializeOwned;

use super::manifest::{Catalogue, Listed, Manifest};
use super::{BackupError, Backups, Entry};
use crate::backend::{Backend as _, Blob};
use crate::envelope::{self, EnvelopeError};

/// What a sealed thing is. It stands where versions of states have their lineage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A manifest.
    Manifest,
    /// A list of states.
    Catalogue,
    /// Documents of states, one after the other.
    Pack,
    /// A part of alfred's own records.
    Records,
}

impl Kind {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Manifest => "manifest",
            Self::Catalogue => "list of states",
            Self::Pack => "pack of documents",
            Self::Records => "part of the records",
        }
    }

    /// As people read it.
    fn told(self, version: &Version) -> String {
        format!("the {} {}", self.word(), version.key)
    }
}

/// What lies there already, also what a process that ended has left: by its checksum.
#[derive(Debug, Default)]
pub(super) struct There(HashMap<Checksum, BlobKey>);

impl Backups {
    /// Everything sealed that lies there.
    pub(super) async fn there(&self) -> Result<There, BackupError> {
        let entries = self.place.blobs(&self.name).await?;
        Ok(There(entries.into_iter().map(|entry| (entry.key.version.sha256, entry.key)).collect()))
    }

    /// Makes sure that a content is there, durable and read back. Answers it as it is named from now on, and how many bytes
    /// were written for it.
    pub(super) async fn keep(
        &self,
        there: &There,
        kind: Kind,
        number: u64,
        content: Bytes,
    ) -> Result<(Version, u64), BackupError> {
        let sha256 = envelope::checksum(&content);
        if let Some(found) = self.adopt(there, kind, sha256, &content).await? {
            return Ok((found, 0));
        }
        let mut tag = [0; 8];
        self.seams.random.fill(&mut tag);
        let mut nonce = [0; envelope::NONCE_LENGTH];
        self.seams.random.fill(&mut nonce);
        let key = self.keyring.writing();
        let version = Version {
            key: VersionKey { serial: number, sha256 },
            blob: BlobTag(u64::from_le_bytes(tag)),
            lineage: kind.word().to_owned(),
            size: content.len() as u64,
            at: self.seams.clock.now(),
            by: ACTOR.to_owned(),
            lock_id: None,
            key_id: key.map(|key| key.id.clone()),
            opaque: false,
            pinned: false,
            rolled_back_to: None,
        };
        let blob = envelope::seal(&self.name, &version, content, key, nonce);
        let written = blob.len() as u64;
        self.place.put_blob(&self.name, &version.blob_key(), blob.clone()).await?;
        let back = self.place.blob(&self.name, &version.blob_key()).await?;
        if back.map(Blob::into_bytes) != Some(blob.into_bytes()) {
            return Err(BackupError::NotTheSame { place: self.place().to_owned(), what: kind.told(&version) });
        }
        Ok((version, written))
    }

    /// The same content, if it lies there whole and under today's key.
    async fn adopt(
        &self,
        there: &There,
        kind: Kind,
        sha256: Checksum,
        content: &Bytes,
    ) -> Result<Option<Version>, BackupError> {
        let Some(key) = there.0.get(&sha256) else { return Ok(None) };
        let Some(blob) = self.place.blob(&self.name, key).await? else { return Ok(None) };
        let opened = envelope::open(&self.name, key, blob, &self.keyring).ok();
        let fits =
            |version: &Version| version.lineage == kind.word() && version.key_id.as_ref() == self.keyring.writing_id();
        Ok(opened.filter(|opened| opened.content == *content && fits(&opened.version)).map(|opened| opened.version))
    }

    /// Reads a content back, and checks every byte of it.
    pub(super) async fn sealed(&self, kind: Kind, version: &Version) -> Result<Bytes, BackupError> {
        let what = || kind.told(version);
        let Some(blob) = self.place.blob(&self.name, &version.blob_key()).await? else {
            return Err(self.damaged(what(), "it is not there"));
        };
        match envelope::open(&self.name, &version.blob_key(), blob, &self.keyring) {
            Ok(opened) if opened.version.lineage == kind.word() => Ok(opened.content),
            Ok(_) => Err(self.damaged(what(), "something else lies in its place")),
            Err(EnvelopeError::KeyMissing(key_id)) => {
                Err(BackupError::KeyMissing { place: self.place().to_owned(), what: what(), key_id })
            }
            Err(error) => Err(self.damaged(what(), error)),
        }
    }

    async fn read<T: DeserializeOwned>(&self, kind: Kind, version: &Version) -> Result<T, BackupError> {
        let content = self.sealed(kind, version).await?;
        serde_json::from_slice(&content).map_err(|error| self.damaged(kind.told(version), error))
    }

    /// The manifest of a backup.
    pub(super) async fn manifest(&self, entry: &Entry) -> Result<Manifest, BackupError> {
        let manifest: Manifest = self.read(Kind::Manifest, &entry.manifest).await?;
        self.check_format("a manifest", manifest.format)?;
        if manifest.number != entry.number {
            return Err(self.damaged(Kind::Manifest.told(&entry.manifest), "it is another backup's"));
        }
        Ok(manifest)
    }

    /// The states of a backup.
    pub(super) async fn catalogue(&self, manifest: &Manifest) -> Result<Catalogue, BackupError> {
        let catalogue: Catalogue = self.read(Kind::Catalogue, &manifest.catalogue).await?;
        self.check_format("a list of states", catalogue.format)?;
        if catalogue.states.iter().any(|listed| catalogue.pack(listed).is_none()) {
            return Err(
                self.damaged(Kind::Catalogue.told(&manifest.catalogue), "it names a pack that it does not have")
            );
        }
        Ok(catalogue)
    }

    /// The documents of a pack.
    pub(super) async fn pack(&self, pack: &Version) -> Result<Bytes, BackupError> {
        self.sealed(Kind::Pack, pack).await
    }

    /// One document of a pack that was read, bit for bit.
    pub(super) fn raw_document(&self, pack: &Bytes, listed: &Listed) -> Result<Bytes, BackupError> {
        let range = usize::try_from(listed.offset).ok().zip(usize::try_from(listed.length).ok());
        let range = range.and_then(|(offset, length)| Some(offset..offset.checked_add(length)?));
        let document = range.filter(|range| range.end <= pack.len()).map(|range| pack.slice(range));
        document
            .filter(|document| envelope::checksum(document) == listed.sha256)
            .ok_or_else(|| self.damaged(format_args!("the document of `{}`", listed.name), "its checksum is another"))
    }

    /// The same, read.
    pub(super) fn document_in(&self, pack: &Bytes, listed: &Listed) -> Result<StateDocument, BackupError> {
        let raw = self.raw_document(pack, listed)?;
        StateDocument::parse(&raw)
            .map_err(|words| self.damaged(format_args!("the document of `{}`", listed.name), words))
    }
}
