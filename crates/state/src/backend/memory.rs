//! States in memory, for tests and simulations: nothing of them outlives the process.
//!
//! It keeps the contract of every backend, and fails when it is told to: before a call takes place, or after it did, so
//! that callers meet lost answers. It can also be damaged, as a disk would be.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use alfred_model::state::{BlobKey, StateName};
use async_trait::async_trait;
use bytes::Bytes;

use super::place::Place;
use super::{Backend, BackendError, Blob, BlobEntry, Document, Put, Revision, Swapped};

/// A method of [`Backend`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Call {
    /// [`Backend::document`].
    Document,
    /// [`Backend::swap_document`].
    SwapDocument,
    /// [`Backend::remove_document`].
    RemoveDocument,
    /// [`Backend::states`].
    States,
    /// [`Backend::put_blob`].
    PutBlob,
    /// [`Backend::blob`].
    Blob,
    /// [`Backend::blobs`].
    Blobs,
    /// [`Backend::delete_blob`].
    DeleteBlob,
}

/// What goes wrong with a call. The caller is told [`BackendError::Unavailable`] either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It does not take place.
    Before,
    /// It takes place, and its answer is lost.
    After,
}

/// Says of each call, in their order, what goes wrong with it.
pub type Faults = Box<dyn FnMut(Call) -> Option<Fault> + Send>;

/// States in memory. A clone is another handle to the same ones.
#[derive(Clone)]
pub struct Memory {
    place: Place,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    faults: Option<Faults>,
    states: BTreeMap<StateName, State>,
}

#[derive(Default)]
struct State {
    /// Counts on when the document is removed.
    revision: u64,
    content: Option<Bytes>,
    blobs: BTreeMap<BlobKey, Blob>,
}

impl State {
    fn current(&self) -> Option<Revision> {
        self.content.as_ref().map(|_| Revision(self.revision))
    }
}

impl Memory {
    /// Nothing yet. `name` tells one from another: `memory NAME`.
    pub fn new(name: &str) -> Self {
        Self { place: Place(format!("memory {name}")), inner: Arc::default() }
    }

    /// From now on, calls through every handle go wrong as `faults` says.
    pub fn set_faults(&self, faults: impl FnMut(Call) -> Option<Fault> + Send + 'static) {
        self.lock().faults = Some(Box::new(faults));
    }

    /// From now on, nothing goes wrong.
    pub fn heal(&self) {
        self.lock().faults = None;
    }

    /// Puts other bytes in the place of a blob's, as a damaged disk or a foreign hand would.
    pub fn damage_blob(&self, state: &StateName, key: &BlobKey, content: Bytes) {
        self.lock().states.entry(state.clone()).or_default().blobs.insert(*key, content.into());
    }

    /// Puts other bytes in the place of a document's, under the same revision.
    pub fn damage_document(&self, state: &StateName, content: Bytes) {
        self.lock().states.entry(state.clone()).or_default().content = Some(content);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A test that panics while it holds the lock has failed already; nothing is half done under it.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Carries out one call, unless it goes wrong.
    fn run<T>(
        &self,
        call: Call,
        body: impl FnOnce(&mut BTreeMap<StateName, State>) -> Result<T, BackendError>,
    ) -> Result<T, BackendError> {
        let mut inner = self.lock();
        let fault = inner.faults.as_mut().and_then(|faults| faults(call));
        match fault {
            None => body(&mut inner.states),
            Some(Fault::Before) => Err(self.place.unavailable("a fault was asked for, before the call")),
            Some(Fault::After) => {
                body(&mut inner.states)?;
                Err(self.place.unavailable("a fault was asked for, after the call"))
            }
        }
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Memory({})", self.place.0)
    }
}

#[async_trait]
impl Backend for Memory {
    fn place(&self) -> &str {
        &self.place.0
    }

    async fn document(&self, state: &StateName) -> Result<Option<Document>, BackendError> {
        self.run(Call::Document, |states| {
            let found = states.get(state);
            Ok(found.and_then(|state| Some(Document { revision: state.current()?, content: state.content.clone()? })))
        })
    }

    async fn swap_document(
        &self,
        state: &StateName,
        expected: Option<Revision>,
        content: Bytes,
    ) -> Result<Swapped, BackendError> {
        self.run(Call::SwapDocument, |states| {
            self.place.check_document(&content)?;
            let state = states.entry(state.clone()).or_default();
            if state.current() != expected {
                return Ok(Swapped::Conflict);
            }
            state.revision += 1;
            state.content = Some(content);
            Ok(Swapped::Done(Revision(state.revision)))
        })
    }

    async fn remove_document(&self, state: &StateName, expected: Revision) -> Result<Swapped, BackendError> {
        self.run(Call::RemoveDocument, |states| {
            let Some(state) = states.get_mut(state).filter(|state| state.current() == Some(expected)) else {
                return Ok(Swapped::Conflict);
            };
            state.revision += 1;
            state.content = None;
            Ok(Swapped::Done(Revision(state.revision)))
        })
    }

    async fn states(&self, after: Option<&StateName>, limit: usize) -> Result<Vec<StateName>, BackendError> {
        self.run(Call::States, |states| {
            let start = after.map_or(Bound::Unbounded, Bound::Excluded);
            let named = states.range((start, Bound::Unbounded)).filter(|(_, state)| state.content.is_some());
            Ok(named.map(|(name, _)| name.clone()).take(limit).collect())
        })
    }

    async fn put_blob(&self, state: &StateName, key: &BlobKey, content: Blob) -> Result<Put, BackendError> {
        self.run(Call::PutBlob, |states| {
            let blobs = &mut states.entry(state.clone()).or_default().blobs;
            if blobs.contains_key(key) {
                return Ok(Put::Exists);
            }
            blobs.insert(*key, content);
            Ok(Put::Created)
        })
    }

    async fn blob(&self, state: &StateName, key: &BlobKey) -> Result<Option<Blob>, BackendError> {
        self.run(Call::Blob, |states| Ok(states.get(state).and_then(|state| state.blobs.get(key).cloned())))
    }

    async fn blobs(&self, state: &StateName) -> Result<Vec<BlobEntry>, BackendError> {
        self.run(Call::Blobs, |states| {
            let blobs = states.get(state).into_iter().flat_map(|state| &state.blobs);
            Ok(blobs.map(|(key, blob)| BlobEntry { key: *key, size: blob.len() as u64 }).collect())
        })
    }

    async fn delete_blob(&self, state: &StateName, key: &BlobKey) -> Result<(), BackendError> {
        self.run(Call::DeleteBlob, |states| {
            if let Some(state) = states.get_mut(state) {
                state.blobs.remove(key);
            }
            Ok(())
        })
    }
}
