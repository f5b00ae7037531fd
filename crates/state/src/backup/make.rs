//! Making a backup.

use alfred_model::backup::Keep;
use alfred_model::id::InstallationId;
use alfred_model::state::Version;
use bytes::Bytes;
use serde::Serialize;
use tokio::sync::mpsc;

use super::gather::{Gathered, Previous};
use super::index::{FORMAT, Index};
use super::manifest::{Lacking, Manifest};
use super::shelf::{Kind, There};
use super::{BackupError, Backups, Entry};
use crate::backend::Backend as _;
use crate::service::States;

/// What a backup is made of.
#[derive(Debug)]
pub struct Request<'a> {
    /// The states.
    pub states: &'a States,
    /// Whose they are.
    pub installation: InstallationId,
    /// Alfred's own records, in parts of a few MiB; an error in words ends the backup. Without them, states alone are backed up.
    pub records: Option<mpsc::Receiver<Result<Bytes, String>>>,
    /// Which backups are kept.
    pub keep: Keep,
    /// Nothing that earlier backups wrote is trusted: everything is compared with what it came from, and what is damaged in
    /// the place of the backups is written anew.
    pub full: bool,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The backup.
    pub entry: Entry,
    /// What could not be backed up, because it is damaged where it came from.
    pub lacking: Vec<Lacking>,
    /// Backups that are not kept any longer.
    pub dropped: Vec<u64>,
    /// Why what need not be kept could not be deleted. It is tried again after the next backup.
    pub unpruned: Option<String>,
}

impl Backups {
    /// Makes a backup. When it returns, all of it is durable, and what is new was read back; until then, there is none.
    ///
    /// It holds, beside the lists of states, 64 MiB of contents or the longest one, three times; a few packs of documents;
    /// and one part of the records.
    pub async fn make(&self, request: Request<'_>) -> Result<Made, BackupError> {
        let Request { states, installation, records, keep, full } = request;
        let begun_at = self.seams.clock.now();
        let begun = self.begin(installation).await?;
        let there = if full { There::default() } else { self.there().await? };
        let number = begun.last + 1;
        let previous = match begun.backups.last() {
            Some(entry) if !full => self.readable(entry).await?,
            _ => None,
        };
        let before = previous.as_ref().map(|previous| &previous.manifest);
        let (records, of_records) = self.take_records(records, before, &there, number).await?;
        let current = states.stores().current().await?;
        let gathered = self.gather(&current, previous.as_ref(), &there, number).await?;
        let (catalogue, of_list) = self.keep_json(&there, Kind::Catalogue, number, &gathered.catalogue).await?;
        let manifest = Manifest {
            format: FORMAT,
            number,
            installation,
            begun_at,
            source: current.primary.place().to_owned(),
            mirror: current.mirrored.as_ref().map(|mirrored| mirrored.secondary.place().to_owned()),
            epoch: current.epoch(),
            catalogue,
            records,
            lacking: gathered.lacking.clone(),
        };
        // Nothing else has this content.
        let (version, of_manifest) = self.keep_json(&There::default(), Kind::Manifest, number, &manifest).await?;
        let written = gathered.written + of_records + of_list + of_manifest;
        // Where nothing was taken for granted, all of it was read back.
        let is_verified = previous.is_none();
        let entry = self.entry_of(&manifest, &gathered, version, written, is_verified);
        self.name_in_index(&begun, &entry).await?;
        let (dropped, unpruned) = match self.prune(keep).await {
            Ok(dropped) => (dropped, None),
            Err(error) => (Vec::new(), Some(error.to_string())),
        };
        Ok(Made { entry, lacking: manifest.lacking, dropped, unpruned })
    }

    async fn keep_json(
        &self,
        there: &There,
        kind: Kind,
        number: u64,
        value: &(impl Serialize + Sync),
    ) -> Result<(Version, u64), BackupError> {
        let json = serde_json::to_vec(value).expect("names, numbers and texts are always JSON");
        self.keep(there, kind, number, json.into()).await
    }

    /// What the index will know of a backup.
    fn entry_of(
        &self,
        manifest: &Manifest,
        gathered: &Gathered,
        version: Version,
        written: u64,
        is_verified: bool,
    ) -> Entry {
        let finished_at = self.seams.clock.now();
        Entry {
            number: manifest.number,
            begun_at: manifest.begun_at,
            finished_at,
            states: gathered.catalogue.states.len() as u64,
            versions: gathered.versions,
            bytes: gathered.bytes,
            written,
            records: manifest.records_length(),
            lacking: manifest.lacking.len() as u64,
            verified_at: is_verified.then_some(finished_at),
            manifest: version,
        }
    }

    /// Makes sure that the place is for backups, and that they are this installation's.
    async fn begin(&self, installation: InstallationId) -> Result<Index, BackupError> {
        let place = || self.place().to_owned();
        let others = self.place.states(None, 2).await?;
        if let Some(state) = others.into_iter().find(|state| *state != self.name) {
            return Err(BackupError::NotForBackups { place: place(), state });
        }
        let Some(index) = self.index().await? else { return Ok(Index::new(installation)) };
        if index.installation != installation {
            let there = index.installation;
            return Err(BackupError::OtherInstallation { place: place(), there, here: installation });
        }
        Ok(index)
    }

    /// The backup before; nothing, if it cannot be read: then everything counts as new and is compared.
    async fn readable(&self, entry: &Entry) -> Result<Option<Previous>, BackupError> {
        match self.previous(entry).await {
            Ok(previous) => Ok(Some(previous)),
            Err(BackupError::Backend(error)) => Err(error.into()),
            Err(error) => {
                tracing::warn!(number = entry.number, %error, "the backup before cannot be read; all is compared anew");
                Ok(None)
            }
        }
    }

    /// Keeps the parts of alfred's own records.
    async fn take_records(
        &self,
        records: Option<mpsc::Receiver<Result<Bytes, String>>>,
        previous: Option<&Manifest>,
        there: &There,
        number: u64,
    ) -> Result<(Option<Vec<Version>>, u64), BackupError> {
        let Some(mut records) = records else { return Ok((None, 0)) };
        let before = previous.and_then(|manifest| manifest.records.as_deref()).unwrap_or_default();
        let mut parts = Vec::new();
        let mut written = 0;
        while let Some(part) = records.recv().await {
            let content = part.map_err(BackupError::Records)?;
            let sha256 = crate::envelope::checksum(&content);
            let is_same =
                |part: &&Version| part.key.sha256 == sha256 && part.key_id.as_ref() == self.keyring.writing_id();
            if let Some(same) = before.iter().find(is_same) {
                parts.push(same.clone());
                continue;
            }
            let (part, bytes) = self.keep(there, Kind::Records, number, content).await?;
            parts.push(part);
            written += bytes;
        }
        Ok((Some(parts), written))
    }

    /// From here on the backup exists.
    async fn name_in_index(&self, begun: &Index, entry: &Entry) -> Result<(), BackupError> {
        self.change_index(Some(begun), |index| {
            if index.backups.iter().any(|one| one == entry) {
                return Ok(false);
            }
            // Another process may have deleted what this backup took for granted.
            if index.last != begun.last || index.dropping != begun.dropping || index.installation != begun.installation
            {
                return Err(BackupError::Overtaken { place: self.place().to_owned() });
            }
            index.last = entry.number;
            index.backups.push(entry.clone());
            Ok(true)
        })
        .await
    }
}
