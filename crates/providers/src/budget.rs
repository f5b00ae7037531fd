//! How many calls a Cloudflare token may still make, and whose turn is next (promise 8).
//!
//! A token may make 1,200 calls in five minutes, whoever makes them; one more and every call is refused for the next
//! five minutes (<https://developers.cloudflare.com/fundamentals/api/reference/limits/>). The budget keeps a share of
//! that back for people at the dashboard, believes the server's own count where that is lower, and stands still while
//! the server says so. It is kept in this process; it does not know of other processes that use the same token, other
//! than through the server's count.

mod limits;
mod queue;
mod window;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use alfred_model::seam::Clock;
use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::Notify;

use crate::error::retry_after;
use queue::{Queue, Ticket};
use window::{Window, later};

/// Calls a token may make within [`WINDOW`].
pub const LIMIT: u32 = 1_200;

/// The span over which calls are counted.
pub const WINDOW: Duration = Duration::from_mins(5);

/// How much of the limit a budget uses unless told otherwise, in percent.
pub const DEFAULT_SHARE: u32 = 90;

/// How long to stand still after a 429 that does not say: as long as Cloudflare's block lasts.
const BLOCK: Duration = WINDOW;

/// Whose call goes first. Every tenth call goes to whoever has waited longest, so that none waits for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Priority {
    /// A record that must go, so that its address can be used again.
    Deletion,
    /// A name that somebody waits for.
    NewName,
    /// A look at what is there.
    Read,
    /// A look at everything, to compare.
    Audit,
}

/// The budget of one token. Share one among all clients that use the token.
pub struct Budget {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

struct State {
    window: Window,
    queue: Queue,
}

impl Budget {
    /// A full budget that uses `share` percent of the limit, between 1 and 100.
    pub fn new(clock: Arc<dyn Clock>, share: u32) -> Arc<Self> {
        let state = State { window: Window::new(share.clamp(1, 100)), queue: Queue::default() };
        Arc::new(Self { clock, state: Mutex::new(state) })
    }

    /// Waits until a call may be made and counts it. Dropping the future gives the turn to the next.
    pub async fn acquire(self: &Arc<Self>, priority: Priority) -> Permit {
        let mut place = self.join(priority);
        loop {
            let wait = match self.turn(place.ticket) {
                Turn::Now => {
                    place.served = true;
                    return Permit { budget: self.clone() };
                }
                Turn::NotBefore(time) => Some(self.until(time)),
                Turn::AfterOthers => None,
            };
            match wait {
                // Whoever is next sleeps; a notice (a new limit, a place given up) makes it look again.
                Some(wait) => {
                    let _ = tokio::time::timeout(wait, place.notify.notified()).await;
                }
                None => place.notify.notified().await,
            }
        }
    }

    /// How many calls may be made at once, now.
    pub fn remaining(&self) -> u32 {
        let now = self.clock.now();
        self.lock().window.remaining(now)
    }

    /// Until when every call waits because the server said so.
    pub fn blocked_until(&self) -> Option<Timestamp> {
        let now = self.clock.now();
        self.lock().window.blocked_until(now)
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn join(self: &Arc<Self>, priority: Priority) -> Place {
        let (ticket, notify) = self.lock().queue.join(priority);
        Place { budget: self.clone(), ticket, notify, served: false }
    }

    fn turn(&self, ticket: Ticket) -> Turn {
        let now = self.clock.now();
        let mut state = self.lock();
        if state.queue.next() != Some(ticket) {
            return Turn::AfterOthers;
        }
        match state.window.take(now) {
            Ok(()) => {
                state.queue.serve(ticket);
                Turn::Now
            }
            Err(time) => Turn::NotBefore(time),
        }
    }

    /// At least a millisecond, so that a clock that stands still does not make us spin.
    fn until(&self, time: Timestamp) -> Duration {
        Duration::try_from(time.duration_since(self.clock.now()))
            .unwrap_or(Duration::ZERO)
            .max(Duration::from_millis(1))
    }
}

impl std::fmt::Debug for Budget {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Budget").field("remaining", &self.remaining()).finish_non_exhaustive()
    }
}

enum Turn {
    Now,
    NotBefore(Timestamp),
    AfterOthers,
}

/// A place in the queue, given up when dropped.
struct Place {
    budget: Arc<Budget>,
    ticket: Ticket,
    notify: Arc<Notify>,
    served: bool,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.budget.lock();
        if !self.served {
            state.queue.leave(self.ticket);
        }
        state.queue.wake_next();
    }
}

/// Leave to make one call; kept until its answer is there.
#[derive(Debug)]
pub struct Permit {
    budget: Arc<Budget>,
}

impl Permit {
    /// Tells the budget what the server said of its limits in this answer.
    pub fn answered(self, answer: &http::Response<Bytes>) {
        let now = self.budget.now();
        let readings = limits::readings(answer.headers());
        let block = (answer.status() == http::StatusCode::TOO_MANY_REQUESTS).then(|| {
            let reset =
                readings.iter().filter(|reading| reading.remaining == 0).filter_map(|reading| reading.reset).max();
            retry_after(answer, now).or(reset).unwrap_or(BLOCK)
        });
        let mut state = self.budget.lock();
        for reading in &readings {
            state.window.believe(reading, now);
        }
        if let Some(length) = block {
            state.window.block(later(now, length), length);
        }
        state.queue.wake_next();
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.budget.lock().window.landed();
    }
}

#[cfg(test)]
mod tests;
