//! Putting states back, into a store that does not have them.

use std::collections::BTreeSet;

use alfred_model::state::{KeyId, StateDocument, StateName, Version};
use futures::StreamExt as _;

use super::contents::room;
use super::look::find;
use super::manifest::{Catalogue, Lacking, Listed, Manifest};
use super::{BackupError, Backups, Problem};
use crate::backend::{Backend, Blob, Put, Swapped};
use crate::envelope::EnvelopeError;

/// So many contents are copied at once, as far as there is room for them.
const AT_ONCE: usize = 8;

/// So many names are told of states that are in the way.
const NAMES_MAX: usize = 5;

/// How far a restore is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// So many states will be put back.
    Begun(usize),
    /// One more is done.
    Done,
}

/// What became of the states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoredStates {
    /// From which backup.
    pub number: u64,
    /// States that are there as they were.
    pub restored: Vec<Restored>,
    /// States that are not, because their document or their newest version is damaged.
    pub left_out: Vec<Problem>,
    /// Older versions that are not there, because they are damaged in the backup. What else the state had is.
    pub damaged: Vec<Problem>,
    /// Versions that are not there, because they were damaged already when the backup was made.
    pub lacking: Vec<Lacking>,
    /// Keys that are not configured and without which some contents cannot be read.
    pub keys_missing: BTreeSet<KeyId>,
}

/// One state that is there as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// Its name.
    pub name: StateName,
    /// Versions of it.
    pub versions: usize,
    /// Whether it was there already, from an earlier attempt.
    pub was_there: bool,
    /// Where it was kept instead then: it had been moved away, and still reads as such.
    pub moved_to: Option<String>,
}

impl Backups {
    /// Puts the states of a backup, or those of them that are `wanted`, into a store. One that it has already is refused,
    /// unless it is exactly what would be put there: so a restore that was interrupted can be begun again. Nothing is written
    /// before it is known that none is refused.
    pub async fn restore_states(
        &self,
        number: Option<u64>,
        wanted: &[StateName],
        to: &dyn Backend,
        progress: &(dyn Fn(Step) + Send + Sync),
    ) -> Result<RestoredStates, BackupError> {
        let entry = self.entry(number).await?;
        let number = entry.number;
        let manifest = self.manifest(&entry).await?;
        let mut catalogue = self.catalogue(&manifest).await?;
        if let Some(state) = wanted.iter().find(|state| find(&catalogue, state).is_none()) {
            return Err(BackupError::NoState { number, state: state.clone() });
        }
        if !wanted.is_empty() {
            catalogue.states.retain(|listed| wanted.contains(&listed.name));
        }
        self.refuse_others(&manifest, &catalogue, to).await?;
        progress(Step::Begun(catalogue.states.len()));
        let mut result = RestoredStates {
            number,
            restored: Vec::new(),
            left_out: Vec::new(),
            damaged: Vec::new(),
            lacking: Vec::new(),
            keys_missing: BTreeSet::new(),
        };
        for (pack, states) in catalogue.by_pack() {
            if states.is_empty() {
                continue;
            }
            let content = self.pack(pack).await;
            for listed in states {
                let document = match &content {
                    Ok(content) => self.understood(&manifest, content, listed),
                    Err(BackupError::Backend(_)) => break,
                    Err(error) => Err(self.damaged(format_args!("the document of `{}`", listed.name), error)),
                };
                self.restore(&manifest, listed, document, to, &mut result).await?;
                progress(Step::Done);
            }
            if let Err(error @ BackupError::Backend(_)) = content {
                return Err(error);
            }
        }
        result.restored.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(result)
    }

    /// Refuses to restore over states that are others.
    async fn refuse_others(
        &self,
        manifest: &Manifest,
        catalogue: &Catalogue,
        to: &dyn Backend,
    ) -> Result<(), BackupError> {
        let mut others: Vec<&StateName> = Vec::new();
        for (pack, states) in catalogue.by_pack() {
            let mut content = None;
            for listed in states {
                let Some(there) = to.document(&listed.name).await? else { continue };
                if content.is_none() {
                    content = Some(self.pack(pack).await?);
                }
                let document = content.as_ref().map(|content| self.understood(manifest, content, listed));
                let same = match document {
                    Some(Ok(Some(document))) => as_restored(document, manifest).to_json() == *there.content,
                    _ => false,
                };
                if !same {
                    others.push(&listed.name);
                }
            }
        }
        if others.is_empty() {
            return Ok(());
        }
        let mut names = others.iter().take(NAMES_MAX).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        if others.len() > NAMES_MAX {
            names = format!("{names} and {} more", others.len() - NAMES_MAX);
        }
        Err(BackupError::InTheWay { place: to.place().to_owned(), names })
    }

    /// Puts one state back: its contents first, its document last.
    async fn restore(
        &self,
        manifest: &Manifest,
        listed: &Listed,
        document: Result<Option<StateDocument>, BackupError>,
        to: &dyn Backend,
        result: &mut RestoredStates,
    ) -> Result<(), BackupError> {
        let state = &listed.name;
        let left_out = |version: Option<&Version>, words: String| Problem {
            state: Some(state.clone()),
            version: version.map(|version| version.key),
            words,
        };
        let document = match document {
            Ok(Some(document)) => document,
            Ok(None) => {
                let words = "its document was damaged already when the backup was made".to_owned();
                result.left_out.push(left_out(None, words));
                return Ok(());
            }
            Err(BackupError::Backend(error)) => return Err(error.into()),
            Err(error) => {
                result.left_out.push(left_out(None, error.to_string()));
                return Ok(());
            }
        };
        let document = as_restored(document, manifest);
        let was_there = to.document(state).await?.is_some();
        let mut versions = document.versions.len();
        if !was_there {
            let is_lacking = |version: &Version| {
                let is_it = |one: &Lacking| one.state == *state && one.version == Some(version.key);
                manifest.lacking.iter().find(|one| is_it(one)).cloned()
            };
            result.lacking.extend(document.versions.iter().filter_map(is_lacking));
            let wanted = document.versions.iter().filter(|version| is_lacking(version).is_none()).cloned().collect();
            let damaged = self.put_contents(state, wanted, to, &mut result.keys_missing).await?;
            let newest = document.head().map(Version::blob_key);
            if let Some((version, words)) = damaged.iter().find(|(version, _)| Some(version.blob_key()) == newest) {
                result.left_out.push(left_out(Some(version), words.clone()));
                return Ok(());
            }
            versions -= damaged.len();
            result.damaged.extend(damaged.into_iter().map(|(version, words)| left_out(Some(&version), words)));
            if to.swap_document(state, None, document.to_json().into()).await? == Swapped::Conflict {
                return Err(BackupError::InTheWay { place: to.place().to_owned(), names: format!("`{state}`") });
            }
        }
        result.restored.push(Restored { name: state.clone(), versions, was_there, moved_to: document.kept_in.clone() });
        Ok(())
    }

    /// Copies contents out of the place of the backups and reads each back. Answers those that are damaged there.
    async fn put_contents(
        &self,
        state: &StateName,
        versions: Vec<Version>,
        to: &dyn Backend,
        keys_missing: &mut BTreeSet<KeyId>,
    ) -> Result<Vec<(Version, String)>, BackupError> {
        let room = &room();
        let copy = |version: Version| async move {
            let _room = room.wait(version.size).await;
            let done = self.put_content(state, &version, to).await;
            (version, done)
        };
        let mut damaged = Vec::new();
        let mut copied = futures::stream::iter(versions).map(copy).buffered(AT_ONCE);
        while let Some((version, done)) = copied.next().await {
            match done? {
                Ok(Some(EnvelopeError::KeyMissing(key_id))) => {
                    keys_missing.insert(key_id);
                }
                Ok(_) => {}
                Err(words) => damaged.push((version, words)),
            }
        }
        Ok(damaged)
    }

    async fn put_content(
        &self,
        state: &StateName,
        version: &Version,
        to: &dyn Backend,
    ) -> Result<Result<Option<EnvelopeError>, String>, BackupError> {
        let (content, missing) = match self.content(state, version).await? {
            Ok(content) => content,
            Err(words) => return Ok(Err(words)),
        };
        let key = version.blob_key();
        let put = to.put_blob(state, &key, content.clone().into()).await?;
        let back = to.blob(state, &key).await?.map(Blob::into_bytes);
        if back.as_ref() == Some(&content) {
            return Ok(Ok(missing));
        }
        let what = format!("version {} of `{state}`", version.key);
        match put {
            Put::Created => Err(BackupError::NotTheSame { place: to.place().to_owned(), what }),
            Put::Exists => Ok(Err(format!("another content lies in its place in {}", to.place()))),
        }
    }
}

/// A state's document as it is put back: nobody has the lock, and stores that had changed places before are forgotten. That
/// a state had been moved to another store altogether stays so, or there would be two of it.
fn as_restored(mut document: StateDocument, manifest: &Manifest) -> StateDocument {
    let is_decided = document.epoch >= manifest.epoch;
    // A document that was closed because the two stores were about to change places is opened again.
    let is_own = |place: &String| *place == manifest.source || manifest.mirror.as_ref() == Some(place);
    document.kept_in.take_if(|place| !is_decided || is_own(place));
    document.epoch = 0;
    document.lock = None;
    document
}
