//! What went wrong at a provider, and what may be done about it.

use std::time::Duration;

/// What may be done about a failure. Computed once, in the client that saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// Nothing was done at the provider, and it may pass by itself: try again later.
    Wait {
        /// The provider's own word on how long, if it gave one.
        after: Option<Duration>,
    },
    /// Nothing was done, and trying again will not change that.
    Definite,
    /// A write was sent and it is not known what came of it. Never send it again before reading.
    Unknown,
}

/// A failure as the decisions see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What may be done.
    pub disposition: Disposition,
    /// What happened, to what, in the provider's own words where it had any; no secrets.
    pub words: String,
    /// Whether the provider itself answered "not now" (status 429).
    pub refused: bool,
}

impl Failure {
    /// A failure that will not pass.
    pub fn definite(words: impl Into<String>) -> Self {
        Self { disposition: Disposition::Definite, words: words.into(), refused: false }
    }

    /// A failure that may pass.
    pub fn wait(words: impl Into<String>, after: Option<Duration>) -> Self {
        Self { disposition: Disposition::Wait { after }, words: words.into(), refused: false }
    }

    /// A write of which nothing is known.
    pub fn unknown(words: impl Into<String>) -> Self {
        Self { disposition: Disposition::Unknown, words: words.into(), refused: false }
    }
}
