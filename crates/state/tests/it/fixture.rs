//! Stores to test, and things to put into them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use alfred_model::seam::{Clock, Random};
use alfred_model::state::{BlobKey, BlobTag, Checksum, StateName, VersionKey};
use alfred_state::backend::{Folder, Memory, Nats, NatsOptions, Revision, Sql, Swapped};
use alfred_state::{Backend, Blob, Seams};
use alfred_testing::nats;
use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;

use crate::bucket::Bucket;
use crate::platform::Platform;

/// One empty store, which several processes may open. The functions below make one for a test; where what it needs is not
/// there, they say so and make none.
#[async_trait]
pub(crate) trait Store: Send + Sync {
    /// A handle of its own, as another process has it.
    async fn open(&self) -> Arc<dyn Backend>;
}

pub(crate) async fn memory(_test: &str) -> Option<Box<dyn Store>> {
    struct InMemory(Memory);

    #[async_trait]
    impl Store for InMemory {
        async fn open(&self) -> Arc<dyn Backend> {
            Arc::new(self.0.clone())
        }
    }

    Some(Box::new(InMemory(Memory::new("test"))))
}

pub(crate) async fn folder(_test: &str) -> Option<Box<dyn Store>> {
    struct InFolder(tempfile::TempDir);

    #[async_trait]
    impl Store for InFolder {
        async fn open(&self) -> Arc<dyn Backend> {
            Arc::new(Folder::open(&self.0.path().join("states")).await.unwrap())
        }
    }

    Some(Box::new(InFolder(tempfile::tempdir().unwrap())))
}

#[async_trait]
impl Store for Bucket {
    async fn open(&self) -> Arc<dyn Backend> {
        Arc::new(Self::open(self).await)
    }
}

pub(crate) async fn s3(_test: &str) -> Option<Box<dyn Store>> {
    Some(Box::new(Bucket::start().await))
}

/// The local cloud's R2, without its limit: the races would last for hours.
pub(crate) async fn r2(_test: &str) -> Option<Box<dyn Store>> {
    Some(Box::new(Platform::start(0).await))
}

pub(crate) async fn sqlite(_test: &str) -> Option<Box<dyn Store>> {
    struct InSqlite(tempfile::TempDir);

    #[async_trait]
    impl Store for InSqlite {
        async fn open(&self) -> Arc<dyn Backend> {
            Arc::new(Sql::open(&sqlite_address(&self.0)).await.unwrap())
        }
    }

    Some(Box::new(InSqlite(tempfile::tempdir().unwrap())))
}

pub(crate) fn sqlite_address(folder: &tempfile::TempDir) -> String {
    format!("sqlite://{}/states.sqlite", folder.path().display())
}

pub(crate) async fn postgres(_test: &str) -> Option<Box<dyn Store>> {
    struct InPostgres(String);

    #[async_trait]
    impl Store for InPostgres {
        async fn open(&self) -> Arc<dyn Backend> {
            Arc::new(Sql::open(&self.0).await.unwrap())
        }
    }

    Some(Box::new(InPostgres(postgres_address())))
}

/// The address of a new, empty database.
pub(crate) fn postgres_address() -> String {
    let server = alfred_testing::postgres::Server::shared().unwrap_or_else(|words| panic!("{words}"));
    server.create_database().unwrap()
}

/// A server of NATS; none, if there is no program, which is then said.
pub(crate) fn nats_server(test: &str, settings: &nats::Settings) -> Option<nats::Server> {
    let program = nats::server(test)?;
    Some(nats::Server::start(&program, settings).unwrap_or_else(|words| panic!("{words}")))
}

struct InNats {
    server: nats::Server,
    over_websocket: bool,
}

#[async_trait]
impl Store for InNats {
    async fn open(&self) -> Arc<dyn Backend> {
        let url = if self.over_websocket { self.server.websocket_url() } else { self.server.url() };
        Arc::new(Nats::open(&url, "states", &NatsOptions::default(), Chance::new()).await.unwrap())
    }
}

pub(crate) async fn nats(test: &str) -> Option<Box<dyn Store>> {
    let server = nats_server(test, &nats::Settings::default())?;
    Some(Box::new(InNats { server, over_websocket: false }))
}

pub(crate) async fn nats_over_websocket(test: &str) -> Option<Box<dyn Store>> {
    let server = nats_server(test, &nats::Settings::default())?;
    Some(Box::new(InNats { server, over_websocket: true }))
}

/// The system's time, and chance.
pub(crate) fn seams() -> Seams {
    Seams { clock: Arc::new(SystemClock), random: Chance::new() }
}

/// The system's time.
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "signatures are of now")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// Numbers that differ from call to call and from process to process.
pub(crate) struct Chance(AtomicU64);

impl Chance {
    pub(crate) fn new() -> Arc<Self> {
        static HANDLES: AtomicU64 = AtomicU64::new(1);
        let handle = HANDLES.fetch_add(1, Ordering::Relaxed);
        Arc::new(Self(AtomicU64::new(u64::from(std::process::id()) << 40 | handle << 24)))
    }
}

impl Random for Chance {
    fn fill(&self, bytes: &mut [u8]) {
        let seed = self.0.fetch_add(1, Ordering::Relaxed);
        bytes.copy_from_slice(&noise(bytes.len(), seed));
    }
}

pub(crate) fn name(text: &str) -> StateName {
    text.parse().unwrap()
}

/// The key of a version; `fill` stands for its content.
pub(crate) fn key(serial: u64, fill: u8) -> BlobKey {
    BlobKey { version: VersionKey { serial, sha256: Checksum([fill; 32]) }, tag: BlobTag(7) }
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
