//! Errors that name the backend they come from.

use std::fmt;

use bytes::Bytes;

use super::{BackendError, DOCUMENT_MAX, Revision};

/// What and where a backend is, in words that hold no secret.
#[derive(Debug, Clone)]
pub(super) struct Place(pub(super) String);

impl Place {
    pub(super) fn unavailable(&self, words: impl fmt::Display) -> BackendError {
        BackendError::Unavailable { place: self.0.clone(), words: words.to_string() }
    }

    pub(super) fn refused(&self, words: impl fmt::Display) -> BackendError {
        BackendError::Refused { place: self.0.clone(), words: words.to_string() }
    }

    pub(super) fn damaged(&self, words: impl fmt::Display) -> BackendError {
        BackendError::Damaged { place: self.0.clone(), words: words.to_string(), revision: None }
    }

    pub(super) fn damaged_document(&self, revision: u64, words: impl fmt::Display) -> BackendError {
        BackendError::Damaged { place: self.0.clone(), words: words.to_string(), revision: Some(Revision(revision)) }
    }

    /// Refuses what one of the backends could not take, so that every one refuses the same; and nothing at all, which stands
    /// for a removed document.
    pub(super) fn check_document(&self, content: &Bytes) -> Result<(), BackendError> {
        if content.is_empty() || content.len() > DOCUMENT_MAX {
            return Err(self.refused(format_args!(
                "a document has 1 to {DOCUMENT_MAX} bytes, this one has {}: keep fewer versions of the state",
                content.len()
            )));
        }
        Ok(())
    }
}
