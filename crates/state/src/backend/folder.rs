//! States in a folder of this machine, the embedded default.
//!
//! ```text
//! FOLDER/temporary/              what is being written
//! FOLDER/states/NAME/lock        held while the document changes
//! FOLDER/states/NAME/documents/  one file for each value, named by its number; the highest is the document
//! FOLDER/states/NAME/blobs/      one file for each version's content
//! ```
//!
//! A file gets its final name when all of it is on the disk, by a link that never replaces another, and the name is on the
//! disk before the caller is told. So a process that is killed at any moment leaves whole files and, at most, a temporary
//! one. Several processes may use the folder: a document changes under a lock of the operating system, which ends with
//! whoever holds it.

mod files;
mod io;

use std::path::Path;
use std::sync::Arc;

use alfred_model::state::{BlobKey, StateName};
use async_trait::async_trait;
use bytes::Bytes;

use super::{Backend, BackendError, Blob, BlobEntry, Document, Put, Revision, Swapped};
use files::Files;

/// States in a folder.
#[derive(Debug, Clone)]
pub struct Folder {
    files: Arc<Files>,
}

impl Folder {
    /// Makes the folder, for this user alone, if it is not there, and proves that it can be written to.
    pub async fn open(path: &Path) -> Result<Self, BackendError> {
        let path = path.to_owned();
        let opened = tokio::task::spawn_blocking(move || Files::open(&path)).await;
        Ok(Self { files: Arc::new(opened.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))?) })
    }

    /// Runs `work`, which waits for the disk, where it keeps nobody else waiting.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Files) -> Result<T, BackendError> + Send + 'static,
    ) -> Result<T, BackendError> {
        let files = Arc::clone(&self.files);
        match tokio::task::spawn_blocking(move || work(&files)).await {
            Ok(result) => result,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => Err(self.files.place.unavailable("the program is ending")),
        }
    }
}

#[async_trait]
impl Backend for Folder {
    fn place(&self) -> &str {
        &self.files.place.0
    }

    async fn document(&self, state: &StateName) -> Result<Option<Document>, BackendError> {
        let state = state.clone();
        self.run(move |files| files.document(&state)).await
    }

    async fn swap_document(
        &self,
        state: &StateName,
        expected: Option<Revision>,
        content: Bytes,
    ) -> Result<Swapped, BackendError> {
        self.files.place.check_document(&content)?;
        let state = state.clone();
        self.run(move |files| files.swap(&state, expected, Some(&content))).await
    }

    async fn remove_document(&self, state: &StateName, expected: Revision) -> Result<Swapped, BackendError> {
        let state = state.clone();
        self.run(move |files| files.swap(&state, Some(expected), None)).await
    }

    async fn states(&self, after: Option<&StateName>, limit: usize) -> Result<Vec<StateName>, BackendError> {
        let after = after.cloned();
        self.run(move |files| files.states(after.as_ref(), limit)).await
    }

    async fn put_blob(&self, state: &StateName, key: &BlobKey, content: Blob) -> Result<Put, BackendError> {
        let (state, key) = (state.clone(), *key);
        self.run(move |files| files.put_blob(&state, &key, &content)).await
    }

    async fn blob(&self, state: &StateName, key: &BlobKey) -> Result<Option<Blob>, BackendError> {
        let (state, key) = (state.clone(), *key);
        self.run(move |files| files.blob(&state, &key)).await
    }

    async fn blobs(&self, state: &StateName) -> Result<Vec<BlobEntry>, BackendError> {
        let state = state.clone();
        self.run(move |files| files.blobs(&state)).await
    }

    async fn delete_blob(&self, state: &StateName, key: &BlobKey) -> Result<(), BackendError> {
        let (state, key) = (state.clone(), *key);
        self.run(move |files| files.delete_blob(&state, &key)).await
    }
}
