//! Reading all of a backup back.

use std::collections::{BTreeSet, HashSet};

use alfred_model::state::{BlobKey, KeyId, StateName, Version, VersionKey};
use futures::StreamExt as _;

use super::contents::room;
use super::manifest::{Catalogue, DocumentPlace, Lacking, Listed, Manifest};
use super::shelf::Kind;
use super::{BackupError, Backups, Entry};
use crate::envelope::EnvelopeError;

/// So many contents are read at once, as far as there is room for them.
const AT_ONCE: usize = 4;

/// What reading a backup back showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Which backup.
    pub number: u64,
    /// States whose documents are good.
    pub states: usize,
    /// Contents of versions that are good.
    pub versions: usize,
    /// Their length, in bytes.
    pub bytes: u64,
    /// Parts of alfred's own records that are good.
    pub records: usize,
    /// What is not as it was written, or is not there.
    pub problems: Vec<Problem>,
    /// What is not in it, because it was damaged already in the store of states.
    pub lacking: Vec<Lacking>,
    /// Keys that are not configured, so that what they encrypted was not read to the end.
    pub keys_missing: BTreeSet<KeyId>,
}

/// Something that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Of which state; of the backup itself, where absent.
    pub state: Option<StateName>,
    /// Which version.
    pub version: Option<VersionKey>,
    /// What is wrong, for people.
    pub words: String,
}

/// What several verifications have read already: backups share most of what they name.
#[derive(Debug, Default)]
struct Seen {
    documents: HashSet<DocumentPlace>,
    contents: HashSet<BlobKey>,
    records: HashSet<BlobKey>,
}

impl Verified {
    fn new(number: u64) -> Self {
        Self {
            number,
            states: 0,
            versions: 0,
            bytes: 0,
            records: 0,
            problems: Vec::new(),
            lacking: Vec::new(),
            keys_missing: BTreeSet::new(),
        }
    }

    /// Whether all of it was read, was as it was written, and is all that there was.
    pub fn is_good(&self) -> bool {
        self.is_sound() && self.lacking.is_empty()
    }

    /// Whether all of it was read, and was as it was written.
    fn is_sound(&self) -> bool {
        self.problems.is_empty() && self.keys_missing.is_empty()
    }

    /// Tells what is wrong with the list of backups, if anything is.
    fn list_was(&mut self, recovered: Option<String>) {
        if let Some(words) = recovered {
            let words = format!("the list of backups is damaged ({words}), and the next backup writes it anew");
            self.problem(None, None, words);
        }
    }

    fn problem(&mut self, state: Option<&StateName>, version: Option<VersionKey>, words: String) {
        self.problems.push(Problem { state: state.cloned(), version, words });
    }
}

impl Backups {
    /// Reads a backup back, the newest where no number is given, and notes in the index that it is good if it is. A place
    /// that does not answer is an error, not a finding.
    pub async fn verify(&self, number: Option<u64>) -> Result<Verified, BackupError> {
        let mut index = self.present_index().await?;
        let recovered = index.recovered.take();
        let mut verified = self.read_back(&self.entry_in(index, number)?, None).await?;
        verified.list_was(recovered);
        self.note_verified(&verified).await?;
        Ok(verified)
    }

    /// The same for all of them, oldest first. What they share is read once; it is counted, and told, with the first of them.
    pub async fn verify_all(&self) -> Result<Vec<Verified>, BackupError> {
        let index = self.present_index().await?;
        let mut seen = Seen::default();
        let mut all: Vec<Verified> = Vec::new();
        for entry in &index.backups {
            let mut verified = self.read_back(entry, Some(&mut seen)).await?;
            if all.is_empty() {
                verified.list_was(index.recovered.clone());
            }
            // What is wrong with an earlier one may be wrong with this one too.
            if all.iter().all(Verified::is_sound) {
                self.note_verified(&verified).await?;
            }
            all.push(verified);
        }
        Ok(all)
    }

    async fn note_verified(&self, verified: &Verified) -> Result<(), BackupError> {
        if !verified.is_sound() {
            return Ok(());
        }
        let now = self.seams.clock.now();
        let noted = self
            .change_index(None, |index| {
                let Some(entry) = index.backups.iter_mut().find(|entry| entry.number == verified.number) else {
                    return Ok(false);
                };
                let is_news = entry.verified_at.is_none_or(|at| at < now);
                entry.verified_at = Some(now);
                Ok(is_news)
            })
            .await;
        match noted {
            // Whoever may only read has verified it all the same.
            Err(BackupError::Backend(error)) => {
                tracing::warn!(%error, "that a backup is good could not be noted");
                Ok(())
            }
            noted => noted,
        }
    }

    async fn read_back(&self, entry: &Entry, seen: Option<&mut Seen>) -> Result<Verified, BackupError> {
        let mut report = Verified::new(entry.number);
        let mut nothing = Seen::default();
        let seen = seen.unwrap_or(&mut nothing);
        let Some(manifest) = found(&mut report, self.manifest(entry).await)? else { return Ok(report) };
        report.lacking.clone_from(&manifest.lacking);
        for part in manifest.records.iter().flatten().filter(|part| seen.records.insert(part.blob_key())) {
            let read = self.sealed(Kind::Records, part).await;
            report.records += usize::from(found(&mut report, read)?.is_some());
        }
        let Some(catalogue) = found(&mut report, self.catalogue(&manifest).await)? else { return Ok(report) };
        for (pack, states) in catalogue.by_pack() {
            let states = unseen(&catalogue, states, seen);
            if states.is_empty() {
                continue;
            }
            let Some(content) = found(&mut report, self.pack(pack).await)? else { continue };
            for listed in states {
                let read = self.understood(&manifest, &content, listed);
                let Some(document) = found(&mut report, read)? else { continue };
                report.states += 1;
                let Some(document) = document else { continue };
                let versions =
                    document.versions.into_iter().filter(|version| seen.contents.insert(version.blob_key())).collect();
                self.read_contents(&mut report, &manifest, &listed.name, versions).await?;
            }
        }
        Ok(report)
    }

    async fn read_contents(
        &self,
        report: &mut Verified,
        manifest: &Manifest,
        state: &StateName,
        versions: Vec<Version>,
    ) -> Result<(), BackupError> {
        let room = &room();
        let read = |version: Version| async move {
            let _room = room.wait(version.size).await;
            let read = self.content(state, &version).await;
            (version, read.map(|read| read.map(|(_, missing)| missing)))
        };
        let mut results = futures::stream::iter(versions).map(read).buffered(AT_ONCE);
        while let Some((version, result)) = results.next().await {
            match result? {
                Ok(missing) => {
                    report.versions += 1;
                    report.bytes += version.size;
                    if let Some(EnvelopeError::KeyMissing(key_id)) = missing {
                        report.keys_missing.insert(key_id);
                    }
                }
                Err(words) => {
                    let is_it = |one: &Lacking| one.state == *state && one.version == Some(version.key);
                    if !manifest.lacking.iter().any(is_it) {
                        report.problem(Some(state), Some(version.key), words);
                    }
                }
            }
        }
        Ok(())
    }
}

/// The states whose documents were not read before.
fn unseen<'a>(catalogue: &Catalogue, states: Vec<&'a Listed>, seen: &mut Seen) -> Vec<&'a Listed> {
    let is_new = |listed: &&Listed| catalogue.place(listed).is_none_or(|place| seen.documents.insert(place));
    states.into_iter().filter(is_new).collect()
}

/// What was read. Damage and a missing key are findings, a place that does not answer is an error.
fn found<T>(report: &mut Verified, read: Result<T, BackupError>) -> Result<Option<T>, BackupError> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(BackupError::Backend(error)) => Err(error.into()),
        Err(BackupError::KeyMissing { key_id, what, .. }) => {
            report.problem(None, None, format!("{what} is encrypted with the key `{key_id}`, which is not configured"));
            report.keys_missing.insert(key_id);
            Ok(None)
        }
        Err(error) => {
            report.problem(None, None, error.to_string());
            Ok(None)
        }
    }
}
