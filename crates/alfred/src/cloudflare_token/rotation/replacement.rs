//! Replacing a secret in its file so that at every moment a reader finds the old one or the new one, whole.

use std::fs::{self, File, Metadata, TryLockError};
use std::io;

use secrecy::ExposeSecret as _;

use crate::config::SecretPlace;
use crate::error::Failure;
use crate::files;

/// The right to replace a secret; let go when dropped, also by a crash.
#[derive(Debug)]
pub(crate) struct Replacement {
    place: SecretPlace,
    /// The directory, locked: nothing is left beside the file for a lock that is no longer needed.
    _lock: File,
}

impl Replacement {
    /// Takes the place for this process.
    pub(crate) fn begin(place: SecretPlace) -> Result<Self, Failure> {
        let path = place.path();
        let directory = path.parent().unwrap_or(&path);
        let cannot = |error: io::Error| Failure::because(format!("cannot lock `{}`", directory.display()), &error);
        let lock = File::open(directory).map_err(cannot)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { place, _lock: lock }),
            Err(TryLockError::WouldBlock) => {
                Err(Failure::new(format!("another `alfred token rotate` works on `{}`", path.display()))
                    .hint("wait until it has ended"))
            }
            Err(TryLockError::Error(error)) => Err(cannot(error)),
        }
    }

    /// The place.
    pub(crate) fn place(&self) -> &SecretPlace {
        &self.place
    }

    /// Proves that the file can be replaced, by replacing it with what it holds; and leaves a second file beside it, by
    /// which a running service knows that a new value is coming.
    pub(crate) fn rehearse(&self) -> Result<(), Failure> {
        let path = self.place.path();
        let rehearse = || {
            let text = self.place.text()?;
            let like = self.metadata()?;
            // In this order the second file, which an earlier run may have left, is there all the time.
            files::write_like(&self.place.beside(), text.expose_secret(), &like)?;
            files::write_like(&path, text.expose_secret(), &like)
        };
        let was_there = self.place.beside().exists();
        rehearse().map_err(|failure: Failure| {
            if !was_there {
                self.abandon();
            }
            let words = format!("a new value could not be stored in `{}`, so nothing was done: {failure}", path.display());
            Failure::new(words)
                .hint("run this as the owner of the file, in a directory that can be written to and is no single mounted file")
        })
    }

    /// Keeps `value` in the second file.
    pub(crate) fn keep(&self, value: &str) -> Result<(), Failure> {
        let text = self.place.text()?;
        let text = self.place.with_value(text.expose_secret(), value)?;
        files::write_like(&self.place.beside(), text.expose_secret(), &self.metadata()?)
    }

    /// Puts `value` in its place. What else was changed in the file meanwhile stays changed.
    pub(crate) fn put(&self, value: &str) -> Result<(), Failure> {
        self.keep(value)?;
        self.rename()
    }

    /// Takes the second file away.
    pub(crate) fn abandon(&self) {
        if let Err(error) = fs::remove_file(self.place.beside())
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "`{}` cannot be removed", self.place.beside().display());
        }
    }

    fn rename(&self) -> Result<(), Failure> {
        let (from, to) = (self.place.beside(), self.place.path());
        files::rename(&from, &to).map_err(|error| {
            Failure::because(format!("cannot rename `{}` to `{}`", from.display(), to.display()), &error)
        })
    }

    fn metadata(&self) -> Result<Metadata, Failure> {
        let path = self.place.path();
        fs::metadata(&path).map_err(|error| Failure::because(format!("cannot read `{}`", path.display()), &error))
    }
}
