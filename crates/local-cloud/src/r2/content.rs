//! The bytes of objects and parts: in memory, or in files beside the state file.
//!
//! A content never changes. Objects hold their contents by `Arc`, so that a copy costs nothing and a reader that has
//! begun is not disturbed by a deletion.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize};

/// Some bytes with their id.
#[derive(Debug, Serialize)]
pub(crate) struct Content {
    /// 32 hexadecimal digits; the name of the file.
    id: String,
    length: u64,
    #[serde(skip)]
    place: Place,
    /// How much all contents hold together; this one's share is taken off at its end.
    #[serde(skip)]
    total: Arc<AtomicU64>,
}

#[derive(Debug, Default)]
enum Place {
    Memory(Bytes),
    File(PathBuf),
    /// Read from a state document and not yet found again.
    #[default]
    Nowhere,
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Saved {
            id: String,
            length: u64,
        }
        let Saved { id, length } = Saved::deserialize(deserializer)?;
        Ok(Self { id, length, place: Place::Nowhere, total: Arc::new(AtomicU64::new(length)) })
    }
}

impl Drop for Content {
    fn drop(&mut self) {
        self.total.fetch_sub(self.length, Ordering::Relaxed);
    }
}

impl Content {
    /// How many bytes it has.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// All its bytes.
    pub(crate) async fn read(&self) -> io::Result<Bytes> {
        match &self.place {
            Place::Memory(bytes) => Ok(bytes.clone()),
            Place::File(path) => tokio::fs::read(path).await.map(Bytes::from),
            Place::Nowhere => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

/// Where contents are kept.
#[derive(Debug)]
pub(crate) struct Contents {
    folder: Option<PathBuf>,
    total: Arc<AtomicU64>,
    /// Contents that no object names any more, by id. Their files stay until a state document without them is written:
    /// one that is older names them still.
    forsaken: Mutex<BTreeMap<String, Arc<Content>>>,
}

impl Contents {
    /// Contents in a folder, or in memory.
    pub(crate) fn new(folder: Option<PathBuf>) -> Self {
        Self { folder, total: Arc::default(), forsaken: Mutex::default() }
    }

    /// Bytes of all contents together.
    pub(crate) fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    /// Keeps bytes under a new id.
    pub(crate) async fn keep(&self, id: String, bytes: Bytes) -> io::Result<Arc<Content>> {
        let length = bytes.len() as u64;
        let place = match &self.folder {
            None => Place::Memory(bytes),
            Some(folder) => {
                let path = folder.join(&id);
                let made = folder.clone();
                let written = path.clone();
                // The file is complete before anything names it.
                tokio::task::spawn_blocking(move || write_new(&made, &written, &bytes))
                    .await
                    .map_err(io::Error::other)??;
                Place::File(path)
            }
        };
        self.total.fetch_add(length, Ordering::Relaxed);
        Ok(Arc::new(Content { id, length, place, total: Arc::clone(&self.total) }))
    }

    /// Lets go of contents that an object no longer names, or that no object came to name.
    pub(crate) fn forsake(&self, contents: impl IntoIterator<Item = Arc<Content>>) {
        if self.folder.is_some() {
            let named = contents.into_iter().map(|content| (content.id.clone(), content));
            self.forsaken.lock().unwrap_or_else(PoisonError::into_inner).extend(named);
        }
    }

    /// What is forsaken by now; call it together with taking a picture of the state, and give the result to
    /// [`Contents::sweep`] when that picture is saved, or back to [`Contents::forsake`] when it was not.
    pub(crate) fn take_forsaken(&self) -> Vec<Arc<Content>> {
        let mut forsaken = self.forsaken.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *forsaken).into_values().collect()
    }

    /// Removes the files of forsaken contents. Those that somebody reads, or that a copy names, stay for the next time.
    pub(crate) fn sweep(&self, forsaken: Vec<Arc<Content>>) {
        let mut kept = Vec::new();
        for content in forsaken {
            if Arc::strong_count(&content) > 1 {
                kept.push(content);
            } else if let Place::File(path) = &content.place
                && let Err(error) = fs::remove_file(path)
            {
                tracing::warn!(path = %path.display(), %error, "the content of a deleted object was not removed");
            }
        }
        self.forsake(kept);
    }

    /// Finds the contents of a state document again and removes the files that it does not name.
    ///
    /// # Errors
    /// When a content is missing or has another length, with its path.
    pub(crate) fn find<'a>(
        &self,
        named: impl IntoIterator<Item = &'a mut Arc<Content>>,
    ) -> Result<(), (PathBuf, io::Error)> {
        let folder = self.folder.clone().unwrap_or_default();
        let mut known: BTreeMap<String, Arc<Content>> = BTreeMap::new();
        for content in named {
            if let Some(found) = known.get(&content.id) {
                *content = Arc::clone(found);
                continue;
            }
            let path = folder.join(&content.id);
            let with_path = |error| (path.clone(), error);
            if !is_id(&content.id) {
                return Err(with_path(io::Error::other("an object's content has no proper id")));
            }
            let length = fs::metadata(&path).map_err(with_path)?.len();
            if length != content.length {
                return Err((path, io::Error::other(format!("it has {length} bytes in place of {}", content.length))));
            }
            self.total.fetch_add(length, Ordering::Relaxed);
            let found = Arc::new(Content {
                id: content.id.clone(),
                length,
                place: Place::File(path),
                total: Arc::clone(&self.total),
            });
            known.insert(found.id.clone(), Arc::clone(&found));
            *content = found;
        }
        let entries = fs::read_dir(&folder).into_iter().flatten().filter_map(Result::ok);
        for entry in entries {
            let name = entry.file_name().to_string_lossy().into_owned();
            if is_id(&name) && !known.contains_key(&name) {
                // What cannot be removed is only in the way of nobody.
                let _ = fs::remove_file(entry.path());
            }
        }
        Ok(())
    }
}

fn is_id(name: &str) -> bool {
    name.len() == 32 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn write_new(folder: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(path)?;
    io::Write::write_all(&mut file, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u8) -> String {
        format!("{number:032x}")
    }

    #[tokio::test]
    async fn contents_in_files_are_found_again_and_others_removed() {
        let folder = tempfile::tempdir().unwrap();
        let contents = Contents::new(Some(folder.path().to_owned()));
        let one = contents.keep(id(1), Bytes::from_static(b"one")).await.unwrap();
        drop(contents.keep(id(2), Bytes::from_static(b"two")).await.unwrap());
        let saved = serde_json::to_string(&one).unwrap();
        assert!(!saved.contains("place"), "{saved}");

        let again = Contents::new(Some(folder.path().to_owned()));
        let restored: Content = serde_json::from_str(&saved).unwrap();
        let mut named = [Arc::new(restored)];
        again.find(&mut named).unwrap();
        assert_eq!(named[0].read().await.unwrap(), "one");
        assert_eq!(again.total(), 3);
        assert!(!folder.path().join(id(2)).exists(), "nothing named it");
        fs::write(folder.path().join(id(1)), "on").unwrap();
        assert!(again.find(&mut named).is_err(), "a shortened file is noticed");
    }

    #[tokio::test]
    async fn a_forsaken_file_goes_only_when_nobody_has_it() {
        let folder = tempfile::tempdir().unwrap();
        let contents = Contents::new(Some(folder.path().to_owned()));
        let content = contents.keep(id(1), Bytes::from_static(b"one")).await.unwrap();
        contents.forsake([Arc::clone(&content)]);
        contents.sweep(contents.take_forsaken());
        assert_eq!(content.read().await.unwrap(), "one");
        drop(content);
        contents.sweep(contents.take_forsaken());
        assert!(!folder.path().join(id(1)).exists());
        assert_eq!(contents.total(), 0);
    }
}
