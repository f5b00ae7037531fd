//! The task that serves the queue: it lives while somebody waits.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{Answer, Budget, LedgerError, Permit, Priority, measure};
use alfred_model::budget::{Grant, NotBefore};

/// Most calls of one priority that are taken at once. Under load one look at the ledger serves so many; what a process
/// that dies has taken and not used is lost for a window.
const TAKEN_MAX: u32 = 16;

/// Serves until nobody waits.
pub(super) async fn run(budget: Arc<Budget>) {
    let mut pump = Pump { budget, again: [None; 4], failing: false, done: false };
    while let Some(pause) = pump.turn().await {
        pump.rest(pause).await;
    }
}

struct Pump {
    budget: Arc<Budget>,
    /// Asking for this priority earlier is of no use.
    again: [Option<Instant>; 4],
    /// Whether the ledger failed last time; so that it is said once.
    failing: bool,
    done: bool,
}

/// How long to rest before the next turn.
enum Pause {
    No,
    /// Until this time, or until somebody new comes.
    Until(Instant),
    /// So long, whoever comes.
    Failed(Duration),
}

impl Pump {
    /// One look at the queue and the ledger; nothing, if nobody waits.
    async fn turn(&mut self) -> Option<Pause> {
        self.budget.lock().called = false;
        if let Err(error) = self.budget.ledger.tell().await {
            return Some(self.failed(&error));
        }
        let wishes = match self.wishes()? {
            Ok(wishes) => wishes,
            Err(time) => return Some(Pause::Until(time)),
        };
        match self.budget.ledger.take(&wishes).await {
            Ok(answers) => {
                if std::mem::take(&mut self.failing) {
                    tracing::info!("the shared API budget answers again");
                }
                for answer in answers {
                    self.answered(answer);
                }
                measure::standing(&self.budget);
                Some(Pause::No)
            }
            Err(error) => Some(self.failed(&error)),
        }
    }

    /// What those who wait want now, as far as asking is of use; or when it will be. Nothing, if nobody waits: then
    /// this task ends.
    fn wishes(&mut self) -> Option<Result<Vec<(Priority, u32)>, Instant>> {
        let now = Instant::now();
        let mut state = self.budget.lock();
        let waiting = Priority::ALL.map(|priority| (priority, state.queue.waiting(priority)));
        if waiting.iter().all(|(_, count)| *count == 0) {
            if state.called {
                // There is news since this turn began.
                return Some(Err(now));
            }
            state.served = false;
            self.done = true;
            return None;
        }
        let mut room = match state.pace.room(now) {
            Ok(room) => room,
            Err(time) => return Some(Err(time)),
        };
        let (mut wishes, mut earliest) = (Vec::new(), None);
        for (priority, count) in waiting.into_iter().filter(|(_, count)| *count > 0) {
            if let Some(time) = self.again[priority.index()].filter(|time| *time > now) {
                earliest = Some(earliest.map_or(time, |earliest: Instant| earliest.min(time)));
            } else if room > 0 {
                let want = u32::try_from(count).unwrap_or(u32::MAX).min(TAKEN_MAX).min(room);
                room -= want;
                wishes.push((priority, want));
            }
        }
        Some(if wishes.is_empty() { Err(earliest.unwrap_or(now)) } else { Ok(wishes) })
    }

    fn answered(&mut self, answer: Answer) {
        match answer.outcome {
            Ok(grant) => self.hand_out(answer.priority, grant),
            Err(NotBefore(time)) => {
                // At least a millisecond, so that a clock that stands still does not make us spin.
                let wait = Duration::try_from(time.duration_since(self.budget.now())).unwrap_or_default();
                self.again[answer.priority.index()] = Some(Instant::now() + wait.max(Duration::from_millis(1)));
            }
        }
    }

    /// Gives the calls to those who wait. What is left over, because they have gone away, it took too long, or the
    /// server has said no meanwhile, is given up.
    fn hand_out(&mut self, priority: Priority, grant: Grant) {
        let budget = &self.budget;
        let mut left = if budget.blocked_until().is_none() { grant.granted } else { 0 };
        while left > 0 && budget.now() < grant.until {
            let Some(place) = budget.lock().queue.next(priority) else { return };
            if place.send(Permit::new(budget)).is_ok() {
                budget.lock().pace.count(Instant::now());
                left -= 1;
            }
        }
    }

    fn failed(&mut self, error: &LedgerError) -> Pause {
        measure::refused();
        if !std::mem::replace(&mut self.failing, true) {
            tracing::error!(%error, "calls to Cloudflare wait: the shared API budget cannot be used");
        }
        Pause::Failed(error.pause)
    }

    async fn rest(&self, pause: Pause) {
        match pause {
            Pause::No => tokio::task::yield_now().await,
            Pause::Failed(time) => tokio::time::sleep(time).await,
            Pause::Until(time) => {
                tokio::select! {
                    biased;
                    () = self.budget.wake.notified() => {}
                    () = tokio::time::sleep_until(time) => {}
                }
            }
        }
    }
}

impl Drop for Pump {
    /// If this task ends before its time (a panic, a runtime that goes away), those who wait begin again.
    fn drop(&mut self) {
        if !self.done {
            let mut state = self.budget.lock();
            state.served = false;
            state.queue.clear();
        }
    }
}
