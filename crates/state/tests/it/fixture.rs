//! Stores to test, and things to put into them.

use std::sync::Arc;

use alfred_model::state::{BlobKey, BlobTag, Checksum, StateName, VersionKey};
use alfred_state::backend::{Folder, Memory, Revision, Swapped};
use alfred_state::{Backend, Blob};
use async_trait::async_trait;
use bytes::Bytes;

/// One empty store, which several processes may open.
#[async_trait]
pub(crate) trait Store: Send + Sync {
    /// A handle of its own, as another process has it.
    async fn open(&self) -> Arc<dyn Backend>;
}

pub(crate) async fn memory() -> Box<dyn Store> {
    struct InMemory(Memory);

    #[async_trait]
    impl Store for InMemory {
        async fn open(&self) -> Arc<dyn Backend> {
            Arc::new(self.0.clone())
        }
    }

    Box::new(InMemory(Memory::new("test")))
}

pub(crate) async fn folder() -> Box<dyn Store> {
    struct InFolder(tempfile::TempDir);

    #[async_trait]
    impl Store for InFolder {
        async fn open(&self) -> Arc<dyn Backend> {
            Arc::new(Folder::open(&self.0.path().join("states")).await.unwrap())
        }
    }

    Box::new(InFolder(tempfile::tempdir().unwrap()))
}

pub(crate) fn name(text: &str) -> StateName {
    text.parse().unwrap()
}

/// The key of a version; `fill` stands for its content.
pub(crate) fn key(serial: u64, fill: u8) -> BlobKey {
    BlobKey { version: VersionKey { serial, sha256: Checksum([fill; 32]) }, tag: BlobTag(1) }
}

/// Bytes that do not repeat soon, another sequence for each seed.
pub(crate) fn noise(length: usize, seed: u64) -> Bytes {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes.into()
}

pub(crate) fn blob(content: &Bytes) -> Blob {
    content.clone().into()
}

pub(crate) fn done(swapped: Swapped) -> Revision {
    match swapped {
        Swapped::Done(revision) => revision,
        Swapped::Conflict => panic!("a conflict where nobody else writes"),
    }
}
