//! What a folder's backend does with files. Every function waits for the disk.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use alfred_model::state::{BlobKey, StateName};
use bytes::Bytes;

use super::io::{Temporary, create_folder, lock, names, remove_leftovers, sync_folder};
use crate::backend::frame::{LINE_LEN, frame, unframe};
use crate::backend::place::Place;
use crate::backend::{BackendError, Blob, BlobEntry, Document, Put, Revision, Swapped};

/// So many values of a document are kept, for readers that have just learned a name, and for people who look for what
/// happened.
const KEPT: usize = 4;

/// A reader begins anew so many times when the value that it was about to read is deleted, [`KEPT`] changes later.
const READ_ATTEMPTS: usize = 100;

/// The lock lets only one process write at a time, so a value needs no mark to be told from another.
const NO_MARK: [u8; 16] = [0; 16];

#[derive(Debug)]
pub(super) struct Files {
    root: PathBuf,
    pub(super) place: Place,
}

/// The files of one state.
struct StateFolder {
    root: PathBuf,
    documents: PathBuf,
    blobs: PathBuf,
}

impl Files {
    pub(super) fn open(path: &Path) -> Result<Self, BackendError> {
        let root = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let files = Self { place: Place(format!("folder {}", root.display())), root };
        files.prove().map_err(|error| match error.kind() {
            ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
                files.place.refused("there is a file where the folder should be: name another folder")
            }
            ErrorKind::Unsupported => files.place.refused(
                "its file system knows no locks or no hard links, without which two writers could both win: name a folder \
                 on a local disk",
            ),
            _ => files.failed("opening it", &error),
        })?;
        Ok(files)
    }

    /// Does once what every write does later.
    fn prove(&self) -> io::Result<()> {
        create_folder(&self.root.join("states"))?;
        let temporary = self.temporary();
        create_folder(&temporary)?;
        let lock_path = self.root.join("lock");
        let Some(_held) = lock(&lock_path)? else {
            return Err(ErrorKind::ResourceBusy.into());
        };
        let now = fs::metadata(Temporary::write(&temporary, [&b"probe"[..]])?.path())?.modified()?;
        let probe = self.root.join("probe");
        let _ = fs::remove_file(&probe);
        Temporary::write(&temporary, [&b"probe"[..]])?.publish(&self.root, "probe").map_err(|error| {
            // What Linux says where a file system has no links, although this user may write there.
            let has_no_links = matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::Unsupported);
            if has_no_links { ErrorKind::Unsupported.into() } else { error }
        })?;
        fs::remove_file(&probe)?;
        remove_leftovers(&temporary, now)
    }

    pub(super) fn document(&self, state: &StateName) -> Result<Option<Document>, BackendError> {
        let folder = self.state(state);
        for _ in 0..READ_ATTEMPTS {
            let Some(number) = self.numbers(&folder)?.pop() else {
                return Ok(None);
            };
            match fs::read(folder.documents.join(document_name(number))) {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                result => {
                    let stored = result.map_err(|error| self.failed("reading a document", &error))?;
                    let content = unframe(&stored.into()).map_err(|words| {
                        let words = format_args!("the document of state `{state}`, value {number}: {words}");
                        self.place.damaged_document(number, words)
                    })?;
                    return Ok(content.map(|content| Document { revision: Revision(number), content }));
                }
            }
        }
        Err(self.place.unavailable(format_args!("the document of state `{state}` changes too fast to be read")))
    }

    /// Makes `content` the document, or removes it.
    pub(super) fn swap(
        &self,
        state: &StateName,
        expected: Option<Revision>,
        content: Option<&Bytes>,
    ) -> Result<Swapped, BackendError> {
        let folder = self.state(state);
        if expected.is_some() && !folder.documents.is_dir() {
            return Ok(Swapped::Conflict);
        }
        create_folder(&folder.documents).map_err(|error| self.failed("making a folder for a document", &error))?;
        let held = lock(&folder.root.join("lock")).map_err(|error| self.failed("locking a document", &error))?;
        let Some(_held) = held else {
            return Err(self.place.unavailable(format_args!(
                "another process holds `{}` for many seconds: see what it does",
                folder.root.join("lock").display()
            )));
        };
        let numbers = self.numbers(&folder)?;
        let newest = numbers.last().copied();
        if self.current(&folder, newest)? != expected {
            return Ok(Swapped::Conflict);
        }
        let next = newest.unwrap_or(0) + 1;
        let framed = frame(content, &NO_MARK);
        let write =
            || Temporary::write(&self.temporary(), [&framed[..]])?.publish(&folder.documents, &document_name(next));
        if !write().map_err(|error| self.failed("writing a document", &error))? {
            // Somebody who does not heed the lock was faster; the link did not replace theirs.
            return Ok(Swapped::Conflict);
        }
        for number in numbers.iter().rev().skip(KEPT - 1) {
            // What stays is deleted by the next change.
            let _ = fs::remove_file(folder.documents.join(document_name(*number)));
        }
        Ok(Swapped::Done(Revision(next)))
    }

    pub(super) fn states(&self, after: Option<&StateName>, limit: usize) -> Result<Vec<StateName>, BackendError> {
        let keys = names(&self.root.join("states")).map_err(|error| self.failed("listing states", &error))?;
        let mut found: Vec<StateName> = keys.iter().filter_map(|key| StateName::from_key(key).ok()).collect();
        found.sort_unstable();
        let begin = after.map_or(0, |after| found.partition_point(|name| name <= after));
        let mut listed = Vec::new();
        for name in found.drain(begin..) {
            if listed.len() == limit {
                break;
            }
            let folder = self.state(&name);
            let newest = self.numbers(&folder)?.pop();
            if self.current(&folder, newest)?.is_some() {
                listed.push(name);
            }
        }
        Ok(listed)
    }

    pub(super) fn put_blob(&self, state: &StateName, key: &BlobKey, content: &Blob) -> Result<Put, BackendError> {
        let folder = self.state(state);
        let name = key.as_key();
        let write = || {
            create_folder(&folder.blobs)?;
            if folder.blobs.join(&name).exists() {
                // Whoever wrote it may not have come so far.
                return sync_folder(&folder.blobs).map(|()| false);
            }
            let pieces = content.0.iter().map(|piece| &piece[..]);
            Temporary::write(&self.temporary(), pieces)?.publish(&folder.blobs, &name)
        };
        let is_new = write().map_err(|error| self.failed("writing a version", &error))?;
        Ok(if is_new { Put::Created } else { Put::Exists })
    }

    pub(super) fn blob(&self, state: &StateName, key: &BlobKey) -> Result<Option<Blob>, BackendError> {
        match fs::read(self.state(state).blobs.join(key.as_key())) {
            Ok(content) => Ok(Some(Bytes::from(content).into())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.failed("reading a version", &error)),
        }
    }

    pub(super) fn blobs(&self, state: &StateName) -> Result<Vec<BlobEntry>, BackendError> {
        let folder = self.state(state).blobs;
        let failed = |error: io::Error| self.failed("listing versions", &error);
        let mut entries = Vec::new();
        for name in names(&folder).map_err(failed)? {
            let Some(key) = BlobKey::from_key(&name) else { continue };
            match fs::metadata(folder.join(&name)) {
                Ok(metadata) => entries.push(BlobEntry { key, size: metadata.len() }),
                // Deleted since.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(failed(error)),
            }
        }
        entries.sort_unstable_by_key(|entry| entry.key);
        Ok(entries)
    }

    pub(super) fn delete_blob(&self, state: &StateName, key: &BlobKey) -> Result<(), BackendError> {
        let folder = self.state(state).blobs;
        let result = match fs::remove_file(folder.join(key.as_key())) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            result => result.and_then(|()| sync_folder(&folder)),
        };
        result.map_err(|error| self.failed("deleting a version", &error))
    }

    fn temporary(&self) -> PathBuf {
        self.root.join("temporary")
    }

    fn state(&self, state: &StateName) -> StateFolder {
        let root = self.root.join("states").join(state.as_key());
        StateFolder { documents: root.join("documents"), blobs: root.join("blobs"), root }
    }

    /// The values that a document has, oldest first.
    fn numbers(&self, folder: &StateFolder) -> Result<Vec<u64>, BackendError> {
        let names =
            names(&folder.documents).map_err(|error| self.failed("listing the values of a document", &error))?;
        let mut numbers: Vec<u64> = names.iter().filter_map(|name| document_number(name)).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// The revision that a swap must expect, where `newest` is the highest number.
    fn current(&self, folder: &StateFolder, newest: Option<u64>) -> Result<Option<Revision>, BackendError> {
        let Some(number) = newest else { return Ok(None) };
        match fs::metadata(folder.documents.join(document_name(number))) {
            Ok(metadata) => Ok((metadata.len() != LINE_LEN as u64).then_some(Revision(number))),
            // Only a reader without the lock sees this: the document has changed since, so there is one.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Some(Revision(number))),
            Err(error) => Err(self.failed("reading a document", &error)),
        }
    }

    fn failed(&self, doing: &str, error: &io::Error) -> BackendError {
        let advice = match error.kind() {
            ErrorKind::PermissionDenied => "let this user read and write there, or name another folder",
            ErrorKind::ReadOnlyFilesystem => "the file system is read-only: name a folder on another",
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "make room on its disk",
            ErrorKind::FileTooLarge | ErrorKind::InvalidFilename => "its file system does not take that",
            _ => return self.place.unavailable(format_args!("{doing}: {error}")),
        };
        self.place.refused(format_args!("{doing}: {error}: {advice}"))
    }
}

fn document_name(number: u64) -> String {
    format!("{number:020}")
}

fn document_number(name: &str) -> Option<u64> {
    let is_number = name.len() == 20 && name.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { name.parse().ok() } else { None }
}
