//! Files with the path in each error, bounded in size, and private where they hold secrets.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::error::Failure;

/// Reads a text file of at most `limit` bytes; nothing, if there is no such file.
pub(crate) fn read_text(path: &Path, limit: u64) -> Result<Option<String>, Failure> {
    let cannot = |error: std::io::Error| Failure::because(format!("cannot read `{}`", path.display()), &error);
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(cannot(error)),
    };
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > limit) {
        return Err(Failure::new(format!("`{}` is larger than {limit} bytes", path.display())));
    }
    let text = String::from_utf8(bytes).map_err(|_| Failure::new(format!("`{}` is not UTF-8 text", path.display())))?;
    Ok(Some(text))
}

/// Refuses a file that anybody but its owner may read. No file is fine.
pub(crate) fn check_private(path: &Path) -> Result<(), Failure> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.mode() & 0o077 != 0 => Err(Failure::usage(format!(
            "`{path}` holds secrets and has mode {mode:04o}, so that others may read it: run `chmod 600 {path}`",
            path = path.display(),
            mode = metadata.mode() & 0o7777,
        ))),
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(Failure::because(format!("cannot read `{}`", path.display()), &error))
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Writes a file that only its owner may read, all of it or nothing, and waits until it is on the disk.
pub(crate) fn write_private(path: &Path, text: &str) -> Result<(), Failure> {
    let temporary = path.with_extension("new");
    let write = || {
        let _ = fs::remove_file(&temporary);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        rename(&temporary, path)
    };
    write().map_err(|error: std::io::Error| Failure::because(format!("cannot write `{}`", path.display()), &error))
}

/// `path` with `ending` behind its name.
pub(crate) fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// Writes a file with the mode and the owner of `like`, all of it or nothing, and waits until it is on the disk. It is
/// never readable for more people than `like`.
pub(crate) fn write_like(path: &Path, text: &str, like: &fs::Metadata) -> Result<(), Failure> {
    let temporary = with_ending(path, ".new");
    let write = || {
        let _ = fs::remove_file(&temporary);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        let made = file.metadata()?;
        if (made.uid(), made.gid()) != (like.uid(), like.gid()) {
            std::os::unix::fs::fchown(&file, Some(like.uid()), Some(like.gid()))?;
        }
        file.set_permissions(fs::Permissions::from_mode(like.mode() & 0o7777))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        rename(&temporary, path)
    };
    let result = write();
    if result.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    result.map_err(|error: std::io::Error| Failure::because(format!("cannot write `{}`", path.display()), &error))
}

/// Renames a file, and waits until that is on the disk.
pub(crate) fn rename(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::rename(from, to)?;
    // The name is on the disk only when its directory is.
    fs::File::open(to.parent().unwrap_or(Path::new(".")))?.sync_all()
}

/// Makes a directory that only its owner may enter, with all above it; one that exists is left as it is, if it can
/// be written to.
pub(crate) fn private_directory(path: &Path) -> Result<(), Failure> {
    let cannot = |error: std::io::Error| {
        Failure::because(format!("the data directory `{}` cannot be used", path.display()), &error)
            .hint("make it writable, or choose another with `--data-dir`")
    };
    if !path.exists() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(cannot)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(cannot)?;
    }
    let probe = path.join(".writable");
    fs::write(&probe, b"").map_err(cannot)?;
    fs::remove_file(&probe).map_err(cannot)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_file_has_mode_0600_and_replaces_the_old_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("admin-token");
        write_private(&path, "one").unwrap();
        write_private(&path, "two").unwrap();
        assert_eq!(read_text(&path, 10).unwrap().unwrap(), "two");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
        check_private(&path).unwrap();
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_others_may_read_is_refused_with_the_cure() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(".env.server");
        fs::write(&path, "A=b").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let words = check_private(&path).unwrap_err().to_string();
        assert!(words.contains("mode 0640") && words.contains("chmod 600"), "{words}");
    }

    #[test]
    fn reading_is_bounded_and_a_missing_file_is_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("large");
        assert!(read_text(&path, 4).unwrap().is_none());
        fs::write(&path, "12345").unwrap();
        assert!(read_text(&path, 4).unwrap_err().to_string().contains("larger than 4 bytes"));
        fs::write(&path, [0xff, 0xfe]).unwrap();
        assert!(read_text(&path, 4).unwrap_err().to_string().contains("not UTF-8"));
    }

    #[test]
    fn a_new_data_directory_is_private() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a/b");
        private_directory(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o700);
    }
}
