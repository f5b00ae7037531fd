//! The stores that states can be kept in, behind one trait.
//!
//! A backend is small on purpose: it knows neither what a document says nor what a blob holds, and decides nothing. The same
//! contract tests run against each kind (`tests/it/contract.rs`).

mod folder;
mod frame;
pub mod memory;
mod nats;
mod open;
mod place;
mod s3;
mod sql;

use std::fmt;

use alfred_model::state::{BlobKey, StateName};
use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;

pub use folder::Folder;
pub use memory::Memory;
pub use nats::{Nats, NatsOptions};
pub use open::{OpenOptions, is_object, length, open, read_object};
pub use s3::object::ObjectError;
pub use s3::{Patience, S3, S3Options};
pub use sql::Sql;

/// Longest document that a backend must take, in bytes: what fits into one message of NATS with room for its headers.
pub const DOCUMENT_MAX: usize = 900 * 1024;

/// Counts the values that a state's document has had in one backend. A later value has a greater one, which need not be the
/// next number. None comes a second time, also not after the document was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Revision(pub u64);

/// A document as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Which value it is.
    pub revision: Revision,
    /// The value.
    pub content: Bytes,
}

/// What a compare-and-set came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Swapped {
    /// The value is now the new one.
    Done(Revision),
    /// It was another than expected; nothing changed.
    Conflict,
}

/// What writing a blob came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It is there now, whole.
    Created,
    /// One was there already under this key; nothing changed.
    Exists,
}

/// What a backend recalls of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recalled {
    /// Nothing: ask.
    Nothing,
    /// There was none.
    Absent,
    /// It was this one.
    Present(Document),
}

/// The bytes of one blob, in pieces so that nothing is copied to put a head before them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Blob(pub Vec<Bytes>);

impl Blob {
    /// Length of all pieces, in bytes.
    pub fn len(&self) -> usize {
        self.0.iter().map(Bytes::len).sum()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(Bytes::is_empty)
    }

    /// All bytes in one piece; copied only if there is more than one.
    pub fn into_bytes(self) -> Bytes {
        match <[Bytes; 1]>::try_from(self.0) {
            Ok([only]) => only,
            Err(pieces) => pieces.concat().into(),
        }
    }
}

impl From<Bytes> for Blob {
    fn from(bytes: Bytes) -> Self {
        Self(vec![bytes])
    }
}

impl fmt::Debug for Blob {
    /// Tells the length alone: states hold secrets (promise 11).
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Blob({} bytes)", self.len())
    }
}

/// A blob that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobEntry {
    /// What it holds.
    pub key: BlobKey,
    /// Its length as it is stored, in bytes.
    pub size: u64,
}

/// Why a backend did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// It cannot be reached, is too busy or answered that it failed. For a write: it may have taken place.
    #[error("{place} is not available: {words}")]
    Unavailable {
        /// Which backend.
        place: String,
        /// What happened.
        words: String,
    },
    /// It refused, and will again: a wrong credential, a missing bucket, a full disk, a length that it does not take.
    #[error("{place} refused: {words}")]
    Refused {
        /// Which backend.
        place: String,
        /// What happened, and what to do.
        words: String,
    },
    /// What it holds cannot be read as what this program wrote.
    #[error("{place} holds something damaged: {words}")]
    Damaged {
        /// Which backend.
        place: String,
        /// What, and where.
        words: String,
        /// Of a document: its revision, where that is known. Whoever knows better what it said can replace it.
        revision: Option<Revision>,
    },
}

/// A store of states. Every method may be called at any time by any number of processes.
#[async_trait]
pub trait Backend: Send + Sync + fmt::Debug + 'static {
    /// What and where it is, in words for people, without secrets: `folder /var/lib/alfred/states`, `r2 bucket/prefix`.
    fn place(&self) -> &str;

    /// The document of a state as it is now. A value that was acknowledged is seen by every later call.
    async fn document(&self, state: &StateName) -> Result<Option<Document>, BackendError>;

    /// What the document of a state was when this handle had to do with it last, without asking anybody. It may have changed
    /// since: it is good for trying a change, which is refused then, and for no answer.
    fn recalled_document(&self, _state: &StateName) -> Recalled {
        Recalled::Nothing
    }

    /// Replaces a state's document if it still is the `expected` one; without `expected`, if there is none. Of several calls
    /// that expect the same, at most one is done. After an error it may have taken place, now or a little later; a caller
    /// reads the document to know.
    async fn swap_document(
        &self,
        state: &StateName,
        expected: Option<Revision>,
        content: Bytes,
    ) -> Result<Swapped, BackendError>;

    /// Removes a state's document if it still is the `expected` one. Its blobs stay. After an error it may have taken place.
    async fn remove_document(&self, state: &StateName, expected: Revision) -> Result<Swapped, BackendError>;

    /// Names of states that have a document, in order, beginning after `after`: at most `limit`, and fewer only at the end.
    async fn states(&self, after: Option<&StateName>, limit: usize) -> Result<Vec<StateName>, BackendError>;

    /// Writes a blob that is not there yet. When it returns, all of it is durable; until then, no reader sees any of it.
    async fn put_blob(&self, state: &StateName, key: &BlobKey, content: Blob) -> Result<Put, BackendError>;

    /// Reads a blob whole.
    async fn blob(&self, state: &StateName, key: &BlobKey) -> Result<Option<Blob>, BackendError>;

    /// All blobs of a state, acknowledged or not, ordered by key.
    async fn blobs(&self, state: &StateName) -> Result<Vec<BlobEntry>, BackendError>;

    /// Deletes a blob. No error if there is none.
    async fn delete_blob(&self, state: &StateName, key: &BlobKey) -> Result<(), BackendError>;

    /// Deletes what nobody sees of blobs whose writers ended, or were given up, while they wrote: of all states, if nothing
    /// came of them since `before`. Says how many blobs those would have been. A writer who is at it still gets an error
    /// rather than a blob that is not whole. Nothing, where the store forgets such things by itself.
    async fn forget_uploads(&self, before: Timestamp) -> Result<usize, BackendError> {
        let _ = before;
        Ok(0)
    }
}
