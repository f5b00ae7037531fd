//! The seam below every client: one HTTP request in, one whole answer out.
//!
//! A transport must not know what a request means. It sends a request at most once, and its error says whether that
//! happened, because on this hangs whether a write may be repeated.

mod http_transport;

use async_trait::async_trait;
use bytes::Bytes;

pub use http_transport::{CannotStart, HttpOptions, HttpTransport};

/// Most bytes of an answer that does not say otherwise: 8 MiB.
pub const ANSWER_LIMIT: usize = 8 * 1024 * 1024;

/// Most bytes of an answer that lists a whole zone's records: 512 MiB, about a million records.
pub const LIST_ANSWER_LIMIT: usize = 512 * 1024 * 1024;

/// How large the answer to a request may be, in bytes after decompression. Stands in the request's extensions; a
/// request without it is held to [`ANSWER_LIMIT`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnswerLimit(pub usize);

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// Provably no byte of the request left: the name was not found, the connection was refused, TLS failed.
    #[error("{words}")]
    NotSent {
        /// What happened.
        words: String,
    },
    /// Anything else: a timeout, a reset, an answer cut short or too large. The request may have been carried out.
    #[error("{words}")]
    Lost {
        /// What happened.
        words: String,
    },
}

/// Sends HTTP requests.
#[async_trait]
pub trait Transport: Send + Sync + 'static {
    /// Sends `request` at most once and reads the whole answer, of whatever status. Redirects are answers like others.
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, TransportError>;
}
