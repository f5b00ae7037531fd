//! The one document that says which backups there are.

use alfred_model::backup::{Keep, Taken, dropped};
use alfred_model::id::InstallationId;
use alfred_model::state::Version;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{BackupError, Backups};
use crate::backend::{Backend as _, BackendError, Revision, Swapped};

/// The format of the index, of manifests and of lists of states that this version of the program writes.
pub(super) const FORMAT: u32 = 1;

/// How often a change is tried while others change the index.
const ATTEMPTS: u32 = 16;

/// One backup, as the index knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Counts the backups of one place from 1.
    pub number: u64,
    /// When it was begun.
    pub begun_at: Timestamp,
    /// When all of it was written and what was new was read back.
    pub finished_at: Timestamp,
    /// States in it.
    pub states: u64,
    /// Versions of theirs.
    pub versions: u64,
    /// The length of those versions, in bytes.
    pub bytes: u64,
    /// So many bytes were new and were written for this backup; the others were there.
    pub written: u64,
    /// The length of alfred's own records in it, in bytes; nothing, where they are not in it.
    pub records: Option<u64>,
    /// What could not be backed up, because it is damaged where it came from.
    pub lacking: u64,
    /// When all that is in it was last read back without a fault.
    pub verified_at: Option<Timestamp>,
    /// Where its manifest is.
    pub(super) manifest: Version,
}

/// All backups of one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Index {
    pub(super) format: u32,
    /// Whose backups these are.
    pub(super) installation: InstallationId,
    /// The highest number that was ever given.
    pub(super) last: u64,
    /// By number.
    pub(super) backups: Vec<Entry>,
    /// No backups any more; what they alone have is being deleted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) dropping: Vec<Entry>,
    /// What was wrong with the list that was there, if this one was made from the backups themselves.
    #[serde(skip)]
    pub(super) recovered: Option<String>,
}

/// What lies there as the index.
enum Stored {
    There(Revision, Index),
    /// It cannot be read, and this is why.
    Damaged(Revision, BackupError),
    Gone,
}

#[derive(Deserialize)]
struct Format {
    format: u32,
}

impl Index {
    pub(super) fn new(installation: InstallationId) -> Self {
        Self { format: FORMAT, installation, last: 0, backups: Vec::new(), dropping: Vec::new(), recovered: None }
    }

    /// Takes out what need not be kept. Answers the numbers.
    pub(super) fn drop_old(&mut self, keep: Keep, now: Timestamp) -> Vec<u64> {
        let taken = |entry: &Entry| Taken {
            number: entry.number,
            at: entry.finished_at,
            verified: entry.verified_at.is_some() && entry.lacking == 0,
        };
        let gone = dropped(&self.backups.iter().map(taken).collect::<Vec<_>>(), &keep, now);
        let out = self.backups.extract_if(.., |entry| gone.contains(&entry.number));
        self.dropping.extend(out);
        gone
    }
}

impl Backups {
    async fn stored(&self) -> Result<Stored, BackupError> {
        match self.place.document(&self.name).await {
            Ok(None) => Ok(Stored::Gone),
            Ok(Some(found)) => match self.parsed(&found.content) {
                Ok(index) => Ok(Stored::There(found.revision, index)),
                Err(error @ BackupError::Damaged { .. }) => Ok(Stored::Damaged(found.revision, error)),
                Err(error) => Err(error),
            },
            Err(error @ BackendError::Damaged { revision: Some(revision), .. }) => {
                Ok(Stored::Damaged(revision, error.into()))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The index as it is now; nothing, where nobody made a backup here.
    pub(super) async fn index(&self) -> Result<Option<Index>, BackupError> {
        match self.stored().await? {
            Stored::There(_, index) => Ok(Some(index)),
            Stored::Gone => self.recovered("it is gone").await,
            Stored::Damaged(_, error) => self.recovered(&error.to_string()).await?.map(Some).ok_or(error),
        }
    }

    fn parsed(&self, content: &[u8]) -> Result<Index, BackupError> {
        let damaged = |error: serde_json::Error| self.damaged("the list of backups", error);
        let Format { format } = serde_json::from_slice(content).map_err(damaged)?;
        self.check_format("the list of backups", format)?;
        serde_json::from_slice(content).map_err(damaged)
    }

    /// The index of a place that has one.
    pub(super) async fn present_index(&self) -> Result<Index, BackupError> {
        let nothing = || BackupError::None { place: self.place().to_owned() };
        self.index().await?.ok_or_else(nothing)
    }

    /// All backups, oldest first; nothing, where there are none.
    pub async fn list(&self) -> Result<Vec<Entry>, BackupError> {
        Ok(self.index().await?.map(|index| index.backups).unwrap_or_default())
    }

    /// One backup; the newest, where no number is given.
    pub async fn entry(&self, number: Option<u64>) -> Result<Entry, BackupError> {
        self.entry_in(self.present_index().await?, number)
    }

    /// The same of a list that was read.
    pub(super) fn entry_in(&self, mut index: Index, number: Option<u64>) -> Result<Entry, BackupError> {
        let place = || self.place().to_owned();
        match number {
            None => index.backups.pop().ok_or_else(|| BackupError::None { place: place() }),
            Some(number) => {
                let found = index.backups.into_iter().find(|entry| entry.number == number);
                found.ok_or_else(|| BackupError::NoBackup { place: place(), number })
            }
        }
    }

    /// Changes the index until it was written. `change` says whether there is anything to write, may be called several
    /// times, and finds by itself what an earlier try has done whose answer was lost. `known` is what the caller has found
    /// before: where the index is gone or damaged, that is changed.
    pub(super) async fn change_index(
        &self,
        known: Option<&Index>,
        change: impl Fn(&mut Index) -> Result<bool, BackupError> + Send,
    ) -> Result<(), BackupError> {
        let mut failure = None;
        for _ in 0..ATTEMPTS {
            let (revision, found) = match self.stored().await? {
                Stored::There(revision, index) => (Some(revision), Some(index)),
                Stored::Damaged(revision, _) => (Some(revision), None),
                Stored::Gone => (None, None),
            };
            let mut index = match (found, known) {
                (Some(index), _) => index,
                (None, Some(known)) => known.clone(),
                (None, None) => self.present_index().await?,
            };
            if !change(&mut index)? {
                return Ok(());
            }
            let content = serde_json::to_vec(&index).expect("numbers, times and texts are always JSON");
            match self.place.swap_document(&self.name, revision, content.into()).await {
                Ok(Swapped::Done(_)) => return Ok(()),
                Ok(Swapped::Conflict) => failure = None,
                // It may have taken place: the next look shows it.
                Err(error @ BackendError::Unavailable { .. }) if failure.is_none() => failure = Some(error),
                Err(error) => return Err(error.into()),
            }
        }
        Err(match failure {
            Some(error) => error.into(),
            None => BackupError::Overtaken { place: self.place().to_owned() },
        })
    }

    pub(super) fn check_format(&self, what: &'static str, format: u32) -> Result<(), BackupError> {
        if format == FORMAT {
            return Ok(());
        }
        Err(BackupError::Format { place: self.place().to_owned(), what, format })
    }

    #[expect(clippy::needless_pass_by_value, reason = "errors and format arguments are handed over as they come")]
    pub(super) fn damaged(&self, what: impl ToString, words: impl ToString) -> BackupError {
        BackupError::Damaged { place: self.place().to_owned(), what: what.to_string(), words: words.to_string() }
    }
}
