//! States in NATS JetStream: documents in a key-value bucket, contents of versions in a stream beside it.
//!
//! A document is the last value of its key, and moves by JetStream's own compare-and-set (the sequence that the subject must
//! be at). What decides is that write, never a read: reads that a replica answers may be old
//! (<https://github.com/nats-io/nats-server/issues/6557>), so documents are read from the stream's leader.
//!
//! A content that fits into one message is one, created if it is absent. A longer one goes up in pieces first, and becomes
//! visible by a last, small message that is created if it is absent and says where they are.
//!
//! | subject | what |
//! |---|---|
//! | `$KV.BUCKET.NAME` | a document |
//! | `BUCKET-contents.whole.NAME.KEY` | a content, or where its pieces are |
//! | `BUCKET-contents.piece.NAME.KEY.UPLOAD.NUMBER` | a piece |
//! | `BUCKET-contents.piece.NAME.KEY.UPLOAD.forgotten` | that the pieces beside it are about to be deleted |
//!
//! An answered write is on most of the servers that keep the bucket, and on their disks as soon as they write it there: two
//! minutes, unless they are told `sync_interval: always`. Where the power of all of them may fail at once, mirror the states.

mod connection;
mod denials;
mod documents;
mod failure;
mod listing;
mod pieces;
mod streams;
mod tls;
mod uploads;

use std::fmt;
use std::sync::Arc;

use alfred_model::seam::Random;
use alfred_model::state::{BlobKey, StateName};
use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use secrecy::SecretString;

use super::{Backend, BackendError, Blob, BlobEntry, Document, Put, Revision, Swapped};
use connection::Connection;

/// Who may use a system of NATS, and how its bucket is made if it is missing.
#[derive(Debug, Clone, Default)]
pub struct NatsOptions {
    /// The content of a credentials file, as `nsc` and Synadia Cloud give it; used where the address names no user.
    pub credentials: Option<SecretString>,
    /// So many servers keep each message: 1, 3 or 5. Where absent, as many as did before, and 1 when the bucket is made.
    /// A bucket with fewer is given more; one with more keeps them.
    pub replicas: Option<usize>,
    /// The bucket and the stream may each hold so many bytes; needed by accounts that demand a limit. Only looked at when
    /// they are made.
    pub max_bytes: Option<i64>,
}

/// States in JetStream.
pub struct Nats {
    connection: Connection,
    random: Arc<dyn Random>,
}

impl Nats {
    /// Connects to `address` (`nats://`, `tls://`, `ws://` or `wss://`, with a user and password in it if need be; the path
    /// of the last two is kept) and makes the bucket and its stream if they are missing.
    pub async fn open(
        address: &str,
        bucket: &str,
        options: &NatsOptions,
        random: Arc<dyn Random>,
    ) -> Result<Self, BackendError> {
        Ok(Self { connection: Connection::open(address, bucket, options).await?, random })
    }

    /// Tells one write from every other.
    fn draw(&self) -> [u8; 16] {
        let mut drawn = [0; 16];
        self.random.fill(&mut drawn);
        drawn
    }
}

impl fmt::Debug for Nats {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Nats({})", self.connection.place.0)
    }
}

#[async_trait]
impl Backend for Nats {
    fn place(&self) -> &str {
        &self.connection.place.0
    }

    async fn document(&self, state: &StateName) -> Result<Option<Document>, BackendError> {
        documents::read(&self.connection, state).await
    }

    async fn swap_document(
        &self,
        state: &StateName,
        expected: Option<Revision>,
        content: Bytes,
    ) -> Result<Swapped, BackendError> {
        self.connection.place.check_document(&content)?;
        documents::swap(&self.connection, state, expected, &content, &self.draw()).await
    }

    async fn remove_document(&self, state: &StateName, expected: Revision) -> Result<Swapped, BackendError> {
        documents::remove(&self.connection, state, expected, &self.draw()).await
    }

    async fn states(&self, after: Option<&StateName>, limit: usize) -> Result<Vec<StateName>, BackendError> {
        documents::names(&self.connection, after, limit).await
    }

    async fn put_blob(&self, state: &StateName, key: &BlobKey, content: Blob) -> Result<Put, BackendError> {
        pieces::put(&self.connection, state, key, content, &self.draw()).await
    }

    async fn blob(&self, state: &StateName, key: &BlobKey) -> Result<Option<Blob>, BackendError> {
        pieces::get(&self.connection, state, key).await
    }

    async fn blobs(&self, state: &StateName) -> Result<Vec<BlobEntry>, BackendError> {
        pieces::entries(&self.connection, state).await
    }

    async fn delete_blob(&self, state: &StateName, key: &BlobKey) -> Result<(), BackendError> {
        pieces::delete(&self.connection, state, key).await
    }

    async fn forget_uploads(&self, before: Timestamp) -> Result<usize, BackendError> {
        uploads::forget(&self.connection, before, || self.draw()).await
    }
}

/// A state's name as one token of a subject, where a dot would begin another: dots are written `=`.
fn token(state: &StateName) -> String {
    state.as_str().replace('.', "=")
}

/// Reads what [`token`] wrote.
fn from_token(token: &str) -> Option<StateName> {
    if token.contains('.') { None } else { token.replace('=', ".").parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_their_way_through_subjects() {
        for text in ["a", "a.b", "a..b", "team/network.eu/production"] {
            let name: StateName = text.parse().unwrap();
            assert!(!token(&name).contains('.'));
            assert_eq!(from_token(&token(&name)), Some(name));
        }
        assert_eq!(from_token("a.b"), None);
        assert_eq!(from_token("A"), None);
    }
}
