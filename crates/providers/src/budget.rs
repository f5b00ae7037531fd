//! Waiting for a call: the budget of one token in this process, and the ledger behind it (promise 8).
//!
//! The rules are in [`alfred_model::budget`]: how much of Cloudflare's limit is ours, who leaves what to whom. Here
//! callers stand in a queue, and one task for all of them takes calls from a [`BudgetLedger`] while anybody waits: either
//! the one in this process ([`Budget::new`]), or one that all replicas share ([`SharedLedger`]). A grant that nobody uses
//! within its slot is given up. If the shared ledger cannot be read or written, calls wait; none is made
//! that was not counted.
//!
//! What is not known here: that two tokens belong to one user, whose calls Cloudflare adds up; that a token was rolled,
//! which begins a new ledger; and other programs that use the token. All three are seen through the server's own count
//! alone, which is believed where it is lower, and through the share that is kept back.
//!
//! Cloudflare also allows an address no more than 200 calls in a second. That is counted here, in this process: several
//! budgets, or several processes behind one address, do not know of each other.

mod ledger;
mod limits;
mod measure;
mod pace;
mod pump;
mod queue;
mod shared;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use alfred_model::seam::Clock;
use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::Notify;

use crate::error::retry_after;
use queue::Queue;

pub use alfred_model::budget::{Allowance, DEFAULT_SHARE, LIMIT, Priority, WINDOW};
pub use ledger::{Answer, BudgetLedger, LedgerError};
pub use shared::{SharedLedger, SharedText, VersionedText};

/// How long to stand still after a 429 that does not say: as long as Cloudflare's block lasts.
const BLOCK: std::time::Duration = WINDOW;

/// The budget of one token. Share one among all clients that use the token.
pub struct Budget {
    clock: Arc<dyn Clock>,
    ledger: Arc<dyn BudgetLedger>,
    state: Mutex<State>,
    /// Somebody new waits, or the ledger has news to hand over.
    wake: Notify,
    /// Calls without an answer yet: the server's count may not hold them.
    in_flight: AtomicU32,
}

#[derive(Default)]
struct State {
    queue: Queue,
    pace: pace::Pace,
    /// Whether the task that serves the queue runs.
    served: bool,
    /// Whether it was called since it began its turn.
    called: bool,
}

impl Budget {
    /// A full budget that uses `share` percent of the limit, between 1 and 100, counted in this process alone.
    pub fn new(clock: Arc<dyn Clock>, share: u32) -> Arc<Self> {
        let ledger = ledger::LocalLedger::new(Arc::clone(&clock), Allowance::of_share(share));
        Self::over(clock, Arc::new(ledger))
    }

    /// A budget that takes its calls from `ledger`.
    pub fn over(clock: Arc<dyn Clock>, ledger: Arc<dyn BudgetLedger>) -> Arc<Self> {
        Arc::new(Self { clock, ledger, state: Mutex::default(), wake: Notify::new(), in_flight: AtomicU32::new(0) })
    }

    /// Waits until a call may be made and counts it; the call is to be made at once. Dropping the future gives the turn
    /// to the next.
    pub async fn acquire(self: &Arc<Self>, priority: Priority) -> Permit {
        let since = tokio::time::Instant::now();
        loop {
            let place = self.lock().queue.join(priority);
            self.serve();
            // It fails if the task that serves ended badly; another is started.
            if let Ok(permit) = place.await {
                measure::waited(priority, since.elapsed());
                return permit;
            }
        }
    }

    /// How many calls may be made at once, now, as far as is known here without asking.
    pub fn remaining(&self) -> u32 {
        self.ledger.seen().remaining(self.ledger.allowance(), self.clock.now())
    }

    /// Until when every call waits because the server said so, as far as is known here without asking.
    pub fn blocked_until(&self) -> Option<Timestamp> {
        self.ledger.seen().blocked_until(self.clock.now())
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes sure that somebody serves the queue, and looks at it now.
    fn serve(self: &Arc<Self>) {
        let serving = {
            let mut state = self.lock();
            state.called = true;
            std::mem::replace(&mut state.served, true)
        };
        if serving {
            self.wake.notify_one();
        } else {
            tokio::spawn(pump::run(Arc::clone(self)));
        }
    }
}

impl std::fmt::Debug for Budget {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Budget").field("remaining", &self.remaining()).finish_non_exhaustive()
    }
}

/// Leave to make one call; kept until its answer is there.
#[derive(Debug)]
pub struct Permit {
    budget: Arc<Budget>,
}

impl Permit {
    fn new(budget: &Arc<Budget>) -> Self {
        budget.in_flight.fetch_add(1, Ordering::Relaxed);
        Self { budget: Arc::clone(budget) }
    }

    /// Tells the budget what the server said of its limits in this answer.
    pub fn answered(self, answer: &http::Response<Bytes>) {
        let budget = &self.budget;
        let readings = limits::readings(answer.headers());
        let others_in_flight = budget.in_flight.load(Ordering::Relaxed).saturating_sub(1);
        for reading in &readings {
            budget.ledger.believe(reading, others_in_flight);
        }
        if answer.status() == http::StatusCode::TOO_MANY_REQUESTS {
            let reset =
                readings.iter().filter(|reading| reading.remaining == 0).filter_map(|reading| reading.reset).max();
            let length = retry_after(answer, budget.now()).or(reset).unwrap_or(BLOCK);
            budget.ledger.block(length);
            // The others are told at once, whether anybody waits here or not.
            budget.serve();
        }
        measure::standing(budget);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.budget.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
