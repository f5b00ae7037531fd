//! Files and folders that are private, whole and durable.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A change of a document takes a few milliseconds; whoever holds the lock for so long is stuck.
const LOCK_ATTEMPTS: u32 = 4_000;
const LOCK_PAUSE: Duration = Duration::from_millis(3);

/// Makes a folder for this user alone, and those above it; each is durable where it was made.
pub(super) fn create_folder(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent {
        create_folder(parent)?;
    }
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => {}
        result => result?,
    }
    sync_folder(parent.unwrap_or(Path::new(".")))
}

/// Makes the names in a folder durable.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// A file with a name that nobody else has. It is removed when it is dropped.
pub(super) struct Temporary {
    path: PathBuf,
}

impl Temporary {
    /// Writes `pieces` to the disk.
    pub(super) fn write<'a>(folder: &Path, pieces: impl IntoIterator<Item = &'a [u8]>) -> io::Result<Self> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        loop {
            // Processes in containers may have the same id: the name is only taken if it is free.
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let path = folder.join(format!("{}-{number}", std::process::id()));
            let mut file = match private().create_new(true).open(&path) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
                result => result?,
            };
            let temporary = Self { path };
            for piece in pieces {
                file.write_all(piece)?;
            }
            file.sync_all()?;
            return Ok(temporary);
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the file its name in `folder`, durably. Answers whether it did: not, if there is one of this name.
    pub(super) fn publish(self, folder: &Path, name: &str) -> io::Result<bool> {
        let is_new = match fs::hard_link(&self.path, folder.join(name)) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => false,
            result => result.map(|()| true)?,
        };
        // Also for a name that was there: whoever gave it may not have come so far.
        sync_folder(folder)?;
        Ok(is_new)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // What cannot be removed now is removed when the folder is opened a day later.
        let _ = fs::remove_file(&self.path);
    }
}

/// Removes what processes that were killed left behind: files that are a day older than `now`.
pub(super) fn remove_leftovers(folder: &Path, now: std::time::SystemTime) -> io::Result<()> {
    const DAY: Duration = Duration::from_hours(24);
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let written = entry.metadata().and_then(|metadata| metadata.modified());
        if written.is_ok_and(|written| now.duration_since(written).is_ok_and(|age| age > DAY)) {
            let _ = fs::remove_file(entry.path());
        }
    }
    Ok(())
}

/// Waits for the lock and takes it; it ends when the file is dropped, or its process ends. Nothing, if another has it for
/// longer than any change takes.
pub(super) fn lock(path: &Path) -> io::Result<Option<File>> {
    let file = private().create(true).truncate(false).open(path)?;
    for _ in 0..LOCK_ATTEMPTS {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(None)
}

/// The names in a folder; none, where there is no folder.
pub(super) fn names(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        result => result?,
    };
    // A name that is not UTF-8 is none of ours.
    entries.filter_map(|entry| entry.map(|entry| entry.file_name().into_string().ok()).transpose()).collect()
}
