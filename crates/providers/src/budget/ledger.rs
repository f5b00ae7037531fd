//! The seam to the ledger, and the one in this process.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use alfred_model::budget::{Allowance, Grant, Ledger, NotBefore, Priority, Reading};
use alfred_model::seam::Clock;
use async_trait::async_trait;

/// What came of a wish for calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// Whose wish it was.
    pub priority: Priority,
    /// The calls, or when to ask again.
    pub outcome: Result<Grant, NotBefore>,
}

/// Why there is no answer. Calls wait meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{words}")]
pub struct LedgerError {
    /// What is wrong and what to do.
    pub words: String,
    /// Try again after this.
    pub pause: Duration,
}

/// Counts the calls of one token.
#[async_trait]
pub trait BudgetLedger: Send + Sync + 'static {
    /// How much of the limit is ours.
    fn allowance(&self) -> Allowance;

    /// Takes as many calls as there are, up to what each priority wants. The wishes are in the order of priority.
    async fn take(&self, wishes: &[(Priority, u32)]) -> Result<Vec<Answer>, LedgerError>;

    /// Notes the server's count; `in_flight` other calls of this process have no answer yet. It holds here at once, and
    /// for all who share the ledger no later than with the next call that is taken.
    fn believe(&self, reading: &Reading, in_flight: u32);

    /// Notes that nothing may be called for `length`. It holds here at once; [`BudgetLedger::tell`] tells the others.
    fn block(&self, length: Duration);

    /// Hands what was noted over to all who share the ledger, where it must not wait. Mostly there is nothing to do.
    async fn tell(&self) -> Result<(), LedgerError>;

    /// The ledger as far as it is known without asking, with all that was noted.
    fn seen(&self) -> Ledger;
}

/// Counts in this process, without I/O: for whoever is alone with a token, such as the owner of a SQLite file.
pub(super) struct LocalLedger {
    clock: Arc<dyn Clock>,
    allowance: Allowance,
    ledger: Mutex<Ledger>,
}

impl LocalLedger {
    pub(super) fn new(clock: Arc<dyn Clock>, allowance: Allowance) -> Self {
        Self { clock, allowance, ledger: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl BudgetLedger for LocalLedger {
    fn allowance(&self) -> Allowance {
        self.allowance
    }

    async fn take(&self, wishes: &[(Priority, u32)]) -> Result<Vec<Answer>, LedgerError> {
        Ok(take_all(&mut self.lock(), self.allowance, self.clock.now(), wishes))
    }

    fn believe(&self, reading: &Reading, in_flight: u32) {
        self.lock().believe(self.allowance, self.clock.now(), reading, in_flight);
    }

    fn block(&self, length: Duration) {
        self.lock().block(self.clock.now(), length);
    }

    async fn tell(&self) -> Result<(), LedgerError> {
        Ok(())
    }

    fn seen(&self) -> Ledger {
        self.lock().clone()
    }
}

/// One answer for each wish.
pub(super) fn take_all(
    ledger: &mut Ledger,
    allowance: Allowance,
    now: jiff::Timestamp,
    wishes: &[(Priority, u32)],
) -> Vec<Answer> {
    let answer = |(priority, want)| Answer { priority, outcome: ledger.take(allowance, now, priority, want) };
    wishes.iter().copied().map(answer).collect()
}
