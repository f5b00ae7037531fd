//! Counts and times the calls of a backend: for the metrics, and for a trial of a new primary store.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use alfred_model::seam::Clock;
use alfred_model::state::mirror::SeenCall;
use alfred_model::state::{BlobKey, StateName};
use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;

use crate::backend::{Backend, BackendError, Blob, BlobEntry, Document, Put, Recalled, Revision, Swapped};

/// So many calls are remembered.
const CALLS_MAX: usize = 10_000;

/// A backend whose calls are counted.
#[derive(Debug)]
pub(crate) struct Measured {
    inner: Arc<dyn Backend>,
    watch: Watch,
}

struct Watch {
    clock: Arc<dyn Clock>,
    calls: Mutex<VecDeque<SeenCall>>,
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Watch")
    }
}

impl Measured {
    pub(crate) fn new(inner: Arc<dyn Backend>, clock: Arc<dyn Clock>) -> Self {
        Self { inner, watch: Watch { clock, calls: Mutex::default() } }
    }

    /// The calls that are remembered, oldest first.
    pub(crate) fn calls(&self) -> Vec<SeenCall> {
        self.watch.calls.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }

    async fn run<T>(
        &self,
        call: &'static str,
        future: impl Future<Output = Result<T, BackendError>> + Send,
    ) -> Result<T, BackendError> {
        let begun = self.watch.clock.now();
        let result = future.await;
        let at = self.watch.clock.now();
        let took = Duration::try_from(at.duration_since(begun)).unwrap_or_default();
        let failed = matches!(result, Err(BackendError::Unavailable { .. }));
        let outcome = if result.is_ok() { "ok" } else { "error" };
        let place = self.inner.place().to_owned();
        metrics::counter!("alfred_state_calls_total", "place" => place.clone(), "call" => call, "outcome" => outcome)
            .increment(1);
        metrics::histogram!("alfred_state_call_seconds", "place" => place, "call" => call).record(took.as_secs_f64());
        let mut calls = self.watch.calls.lock().unwrap_or_else(PoisonError::into_inner);
        if calls.len() == CALLS_MAX {
            calls.pop_front();
        }
        calls.push_back(SeenCall { at, took, failed });
        result
    }
}

#[async_trait]
impl Backend for Measured {
    fn place(&self) -> &str {
        self.inner.place()
    }

    async fn document(&self, state: &StateName) -> Result<Option<Document>, BackendError> {
        self.run("read_document", self.inner.document(state)).await
    }

    fn recalled_document(&self, state: &StateName) -> Recalled {
        self.inner.recalled_document(state)
    }

    async fn swap_document(
        &self,
        state: &StateName,
        expected: Option<Revision>,
        content: Bytes,
    ) -> Result<Swapped, BackendError> {
        self.run("swap_document", self.inner.swap_document(state, expected, content)).await
    }

    async fn remove_document(&self, state: &StateName, expected: Revision) -> Result<Swapped, BackendError> {
        self.run("remove_document", self.inner.remove_document(state, expected)).await
    }

    async fn states(&self, after: Option<&StateName>, limit: usize) -> Result<Vec<StateName>, BackendError> {
        self.run("list_states", self.inner.states(after, limit)).await
    }

    async fn put_blob(&self, state: &StateName, key: &BlobKey, content: Blob) -> Result<Put, BackendError> {
        self.run("put_blob", self.inner.put_blob(state, key, content)).await
    }

    async fn blob(&self, state: &StateName, key: &BlobKey) -> Result<Option<Blob>, BackendError> {
        self.run("read_blob", self.inner.blob(state, key)).await
    }

    async fn blobs(&self, state: &StateName) -> Result<Vec<BlobEntry>, BackendError> {
        self.run("list_blobs", self.inner.blobs(state)).await
    }

    async fn delete_blob(&self, state: &StateName, key: &BlobKey) -> Result<(), BackendError> {
        self.run("delete_blob", self.inner.delete_blob(state, key)).await
    }

    async fn forget_uploads(&self, before: Timestamp) -> Result<usize, BackendError> {
        self.run("forget_uploads", self.inner.forget_uploads(before)).await
    }
}
