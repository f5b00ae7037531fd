//! Whose data directory it is: one process' at a time where the local cloud lives in it, and for ever either the
//! local cloud's or the real platforms'. Records of one would be lies about the other.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use crate::error::Failure;
use crate::files;

/// The file that says which platforms the records are about.
const MARKER: &str = "platform";

/// The lock of a data directory; let go when dropped, also by a crash.
#[derive(Debug)]
pub(super) struct Owner {
    _lock: File,
}

/// Takes the data directory for this process.
pub(super) fn claim(data_dir: &Path, local: bool) -> Result<Owner, Failure> {
    let path = data_dir.join("alfred.lock");
    let cannot = |error: std::io::Error| Failure::because(format!("cannot lock `{}`", path.display()), &error);
    let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(cannot)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let words = format!("another `alfred up` uses the data directory `{}`", data_dir.display());
            return Err(Failure::new(words).hint("stop it, or choose another with `--data-dir`"));
        }
        Err(TryLockError::Error(error)) => return Err(cannot(error)),
    }
    check_marker(data_dir, if local { "local" } else { "real" })?;
    Ok(Owner { _lock: lock })
}

fn check_marker(data_dir: &Path, wanted: &str) -> Result<(), Failure> {
    let path = data_dir.join(MARKER);
    match files::read_text(&path, 64)?.as_deref().map(str::trim) {
        None => files::write_private(&path, wanted),
        Some(found) if found == wanted => Ok(()),
        Some("local") => {
            let words = format!("the records in `{}` are about the local cloud", data_dir.display());
            Err(Failure::usage(words).hint("start with `--local`, or choose another directory with `--data-dir`"))
        }
        Some(_) => {
            let words = format!("the records in `{}` are about real VMs", data_dir.display());
            Err(Failure::usage(words).hint("start without `--local`, or choose another directory with `--data-dir`"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_at_a_time() {
        let directory = tempfile::tempdir().unwrap();
        let owner = claim(directory.path(), true).unwrap();
        assert!(claim(directory.path(), true).unwrap_err().to_string().contains("another `alfred up`"));
        drop(owner);
        claim(directory.path(), true).unwrap();
    }

    #[test]
    fn records_of_the_local_cloud_are_never_taken_for_real_ones() {
        for (first, words) in [(true, "about the local cloud"), (false, "about real VMs")] {
            let directory = tempfile::tempdir().unwrap();
            drop(claim(directory.path(), first).unwrap());
            let failure = claim(directory.path(), !first).unwrap_err().to_string();
            assert!(failure.contains(words), "{failure}");
        }
    }
}
