//! R2: buckets and objects behind S3, with the platform's limits and gaps.
//!
//! The rules are plain functions of state, request and time (`world`, `conditions`, `lock`, `lifecycle`, `listing`); `s3`
//! puts the `s3s` crate in front of them, which reads and signs what S3 calls are, and the Cloudflare side its REST API.
//! A request's body is read whole before anything is decided, and each decision is one step under one lock: of two
//! conditional writes that race, one wins. It knows nothing of sockets, faults or the journal.

mod bucket;
mod checksum;
mod conditions;
mod content;
mod cors;
mod lifecycle;
mod limits;
mod listing;
mod lock;
mod object;
mod options;
mod public;
mod refusal;
mod route;
mod s3;
mod world;
mod write_rate;

#[cfg(test)]
mod tests;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use alfred_model::seam::{Clock, Random};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use jiff::Timestamp;
use s3s::service::S3Service;
use tokio::sync::watch;

pub(crate) use bucket::{Bucket, BucketName};
pub(crate) use cors::CorsRule;
pub(crate) use lifecycle::{LifecycleRule, Moment};
pub(crate) use limits::RULES;
pub(crate) use lock::{LockCondition, LockRule};
pub use options::{DEMO_ACCESS_KEY_ID, DEMO_SECRET_ACCESS_KEY, Jurisdiction, Location, Options, StorageClass};
pub(crate) use refusal::Refusal;
pub(crate) use route::name as route_name;
pub use world::State;
use world::World;

use content::{Content, Contents};

/// R2. Clones share one state.
#[derive(Clone)]
pub struct R2 {
    core: Arc<Core>,
    service: S3Service,
}

/// What both skins, S3 and REST, work on.
pub(crate) struct Core {
    world: Mutex<World>,
    contents: Arc<Contents>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    changes: watch::Sender<u64>,
}

impl R2 {
    /// Makes the account that `options` describe. Contents are kept in `folder`, or in memory.
    pub fn new(options: Options, folder: Option<PathBuf>, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        let contents = Arc::new(Contents::new(folder));
        let account = s3::Account::new(&options);
        let core = Arc::new(Core {
            world: Mutex::new(World::new(options, Arc::clone(&contents))),
            contents,
            clock,
            random,
            changes: watch::Sender::new(0),
        });
        let service = s3::service(Arc::clone(&core), account);
        Self { core, service }
    }

    /// Answers one S3 request: path style, signed with version 4. A request whose `Host` is a bucket's `pub-….r2.dev`
    /// needs no signature.
    pub async fn answer(&self, request: Request<Bytes>) -> Response<Bytes> {
        let head = request.method() == Method::HEAD;
        let mut response = match public::host(&request) {
            Some(host) => public::answer(&self.core, &host, &request).await,
            None => s3::answer(&self.service, request).await,
        };
        if head || response.status() == StatusCode::NOT_MODIFIED {
            *response.body_mut() = Bytes::new();
        }
        if let Ok(ray) = format!("{}-LOC", self.core.random_hex(8)).parse() {
            response.headers_mut().insert("cf-ray", ray);
        }
        response
    }

    /// A picture of all buckets and objects, without contents.
    pub fn state(&self) -> State {
        self.core.world().state()
    }

    /// Counts changes of the state.
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.core.changes.subscribe()
    }

    /// Sets the milliseconds between two writes of one key; 0 for no limit.
    pub fn set_write_interval(&self, milliseconds: u64) {
        self.core.world().options.write_interval_ms = milliseconds;
    }

    /// The milliseconds between two writes of one key.
    pub fn write_interval(&self) -> u64 {
        self.core.world().options.write_interval_ms
    }

    /// Puts a state in place of what is there; its contents must be in the folder.
    pub(crate) fn restore(&self, state: State) -> Result<(), (PathBuf, std::io::Error)> {
        self.core.world().restore(state)?;
        self.core.note_change();
        Ok(())
    }

    /// A picture, and the contents that nothing in it names any more: their files may go once it is saved.
    pub(crate) fn picture(&self) -> (State, Vec<Arc<Content>>) {
        let world = self.core.world();
        (world.state(), self.core.contents.take_forsaken())
    }

    /// What a picture came with: to be removed when the picture was saved, to be kept when not.
    pub(crate) fn settle(&self, forsaken: Vec<Arc<Content>>, saved: bool) {
        if saved {
            self.core.contents.sweep(forsaken);
        } else {
            self.core.contents.forsake(forsaken);
        }
    }

    pub(crate) fn core(&self) -> &Core {
        &self.core
    }
}

/// The answer of a fault: an S3 error with this status, or with this body.
pub(crate) fn failure(status: StatusCode, body: Option<&str>) -> Response<Bytes> {
    let name = match status.as_u16() {
        429 => "TooManyRequests",
        503 => "ServiceUnavailable",
        400..=499 => "InvalidRequest",
        _ => "InternalError",
    };
    let text = format!("fault: status {}", status.as_u16());
    let mut response =
        Response::new(body.map_or_else(|| s3::error_body(name, &text), |body| Bytes::from(body.to_owned())));
    *response.status_mut() = status;
    response.headers_mut().insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/xml"));
    response
}

impl Core {
    /// The world at this time, with what lifecycle rules ask for done.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        if world.tidy(self.now()) {
            self.note_change();
        }
        world
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn note_change(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// `bytes` random bytes in hexadecimal.
    pub(crate) fn random_hex(&self, bytes: usize) -> String {
        crate::cloudflare::random_hex(self.random.as_ref(), bytes)
    }

    /// Keeps bytes, which nothing names yet.
    pub(crate) async fn keep(&self, bytes: Bytes) -> Result<Arc<Content>, Refusal> {
        self.world().make_room(bytes.len() as u64)?;
        self.contents.keep(self.random_hex(16), bytes).await.map_err(|error| {
            tracing::error!(%error, "the local cloud cannot keep an object's content");
            Refusal::INTERNAL
        })
    }

    /// The bytes of some contents, one after the other.
    pub(crate) async fn read(&self, contents: &[Arc<Content>]) -> Result<Bytes, Refusal> {
        let lost = |error| {
            tracing::error!(%error, "the local cloud cannot read an object's content");
            Refusal::INTERNAL
        };
        if let [content] = contents {
            return content.read().await.map_err(lost);
        }
        let mut whole = Vec::new();
        for content in contents {
            whole.extend_from_slice(&content.read().await.map_err(lost)?);
        }
        Ok(whole.into())
    }
}
