//! The Cloudflare side: zones, records and tokens behind API v4, for the calls that DNS needs, and R2's buckets.
//!
//! The rules are plain functions of state, request and time (`zone`, `draft`, `content`, `query`, `budget`); this file
//! joins them to requests. It knows nothing of sockets, faults or the journal: those stand in front of it.

mod answer;
mod bucket_route;
mod budget;
mod content;
mod draft;
mod error;
mod index;
mod name;
mod operations;
mod options;
mod query;
mod record;
mod route;
mod state;
mod token;
mod world;
mod zone;
mod zone_file;

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use alfred_model::seam::{Clock, Random};
use bytes::Bytes;
use http::{Request, Response};
use tokio::sync::watch;

use crate::r2::R2;

pub(crate) use index::{Names, self_and_ancestors};
pub use options::{
    DEMO_ACCOUNT_ID, DEMO_MANAGER_TOKEN, DEMO_MANAGER_TOKEN_ID, DEMO_TOKEN, DEMO_TOKEN_ID, DEMO_ZONE, DEMO_ZONE_ID,
    Options, Permission, Plan, RateOptions, TokenOptions, TokenOwner, TokenStatus, ZoneOptions,
};
pub use record::{Record, RecordKind};
pub(crate) use route::PREFIX;
pub use route::route_name;
pub use state::{State, ZoneState};
pub(crate) use world::{World, ZoneEntry};

/// Cloudflare. Clones share one state.
#[derive(Clone)]
pub struct Cloudflare {
    inner: Arc<Inner>,
}

struct Inner {
    world: Mutex<World>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    r2: R2,
    changes: watch::Sender<u64>,
}

impl Cloudflare {
    /// Makes the account that `options` describe; its buckets are those of `r2`.
    pub fn new(options: Options, r2: R2, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        let world = World::new(options, clock.now());
        Self { inner: Arc::new(Inner { world: Mutex::new(world), clock, random, r2, changes: watch::Sender::new(0) }) }
    }

    /// Answers one API request; its path begins with `/client/v4`.
    pub async fn answer(&self, request: Request<Bytes>) -> Response<Bytes> {
        operations::answer(self, request).await
    }

    /// A copy of all zones with their records.
    pub fn state(&self) -> State {
        State::of(&self.world())
    }

    /// Replaces the records of all zones, and the values of tokens that were rolled. Zones of the options that the state
    /// does not have stay as they are.
    pub fn restore(&self, state: State) {
        let now = self.inner.clock.now();
        state.restore(&mut self.world(), now);
        self.note_change();
    }

    /// Counts changes of the state.
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.inner.changes.subscribe()
    }

    /// Sets how long committed changes take until DNS shows them.
    pub fn set_publication_delay(&self, milliseconds: u64) {
        self.world().options.publication_delay_ms = milliseconds;
    }

    /// Sets the request budget of every token owner.
    pub fn set_rate(&self, rate: RateOptions) {
        self.world().options.rate = rate;
    }

    /// The delay and the budget now in force.
    pub fn adjustable(&self) -> (u64, RateOptions) {
        let world = self.world();
        (world.options.publication_delay_ms, world.options.rate)
    }

    /// Runs `work` on the world as it is published now.
    pub(crate) fn with_published<T>(&self, work: impl FnOnce(&World) -> T) -> T {
        let now = self.inner.clock.now();
        let mut world = self.world();
        world.publish(now);
        work(&world)
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        // Work under the lock is rolled back or complete: a panic elsewhere leaves nothing half done.
        self.inner.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn clock(&self) -> &dyn Clock {
        self.inner.clock.as_ref()
    }

    fn r2(&self) -> &R2 {
        &self.inner.r2
    }

    fn random(&self) -> &dyn Random {
        self.inner.random.as_ref()
    }

    fn note_change(&self) {
        self.inner.changes.send_modify(|count| *count += 1);
    }
}

/// `bytes` random bytes in hexadecimal.
pub(crate) fn random_hex(random: &dyn Random, bytes: usize) -> String {
    use std::fmt::Write;
    let mut buffer = vec![0; bytes];
    random.fill(&mut buffer);
    buffer.iter().fold(String::with_capacity(2 * bytes), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
