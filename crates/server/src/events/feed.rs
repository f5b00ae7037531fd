//! One listener's events, read from the store: it has those of every replica, and a listener that falls behind costs
//! no memory.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use alfred_model::event::Event;
use alfred_model::id::EnvironmentId;
use alfred_model::name::Slug;
use alfred_store::StoreError;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::seats::Seat;
use super::view::EventView;
use crate::app::Shared;
use crate::auth::Caller;

/// Other replicas' events are looked for so often; this process's own come at once.
const POLL: Duration = Duration::from_secs(1);

/// So often a listener's token is checked again: a stream must not outlive it.
const CHECK: Duration = Duration::from_secs(10);

/// So many events are read at once.
const READ_MAX: usize = 256;

/// The names of so many environments are remembered.
const NAMES_MAX: usize = 10_000;

/// Where a listener stands.
pub(super) struct Feed {
    app: Shared,
    caller: Caller,
    only: Option<EnvironmentId>,
    after: i64,
    waiting: VecDeque<EventView>,
    /// The names of environments, or that the caller may not see them: owner and slug never change.
    names: HashMap<EnvironmentId, Option<Slug>>,
    progress: watch::Receiver<u64>,
    stop: CancellationToken,
    checked: Instant,
    _seat: Seat,
}

impl Feed {
    pub(super) fn new(
        app: Shared,
        caller: Caller,
        only: Option<EnvironmentId>,
        after: i64,
        stop: CancellationToken,
        seat: Seat,
    ) -> Self {
        Self {
            progress: app.engine.progress(),
            app,
            caller,
            only,
            after,
            waiting: VecDeque::new(),
            names: HashMap::new(),
            stop,
            checked: Instant::now(),
            _seat: seat,
        }
    }

    /// The next event, as soon as there is one; nothing, when the stream ends. A client resumes after any end.
    pub(super) async fn next(&mut self) -> Option<EventView> {
        loop {
            if self.stop.is_cancelled() || !self.is_still_admitted().await {
                return None;
            }
            if let Some(event) = self.waiting.pop_front() {
                return Some(event);
            }
            // Marked as seen before reading: what is written while we read makes us read again.
            self.progress.borrow_and_update();
            let read = match self.read().await {
                Ok(read) => read,
                Err(error) => {
                    tracing::warn!(%error, "an event stream ends because the store cannot be read");
                    return None;
                }
            };
            if read < READ_MAX && self.waiting.is_empty() {
                self.wait().await;
            }
        }
    }

    async fn is_still_admitted(&mut self) -> bool {
        if self.checked.elapsed() < CHECK {
            return true;
        }
        self.checked = Instant::now();
        match self.app.gate.caller_by_hash(&self.caller.hash).await {
            Ok(caller) => caller.role == self.caller.role,
            Err(_) => false,
        }
    }

    async fn read(&mut self) -> Result<usize, StoreError> {
        let events = self.app.store().events(self.only, self.after, READ_MAX).await?;
        let read = events.len();
        for event in events {
            self.after = event.sequence;
            self.take(event).await?;
        }
        Ok(read)
    }

    async fn take(&mut self, event: Event) -> Result<(), StoreError> {
        if !self.names.contains_key(&event.environment_id) {
            if self.names.len() >= NAMES_MAX {
                self.names.clear();
            }
            let environment = self.app.store().environment(event.environment_id).await?;
            let name = environment.filter(|environment| self.caller.sees(environment)).map(|found| found.slug);
            self.names.insert(event.environment_id, name);
        }
        if let Some(Some(slug)) = self.names.get(&event.environment_id) {
            self.waiting.push_back(EventView::new(event, slug.clone()));
        }
        Ok(())
    }

    async fn wait(&mut self) {
        tokio::select! {
            () = self.stop.cancelled() => {}
            // The sender lives in the engine, which we hold; if it were gone, the poll below would go on alone.
            Ok(()) = self.progress.changed() => {}
            () = tokio::time::sleep(POLL) => {}
        }
    }
}
