//! Whether rows that this process claimed are still its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use alfred_model::policy::later;
use alfred_model::seam::Clock;
use jiff::Timestamp;

/// The leases of one process. Clones know the same.
#[derive(Clone)]
pub(crate) struct Leases {
    clock: Arc<dyn Clock>,
    length: Duration,
    /// When they were last renewed, in microseconds.
    renewed_at: Arc<AtomicI64>,
}

impl Leases {
    pub(crate) fn new(clock: Arc<dyn Clock>, length: Duration) -> Self {
        Self { clock, length, renewed_at: Arc::new(AtomicI64::new(i64::MIN)) }
    }

    pub(crate) fn renewed(&self, at: Timestamp) {
        self.renewed_at.store(at.as_microsecond(), Ordering::Release);
    }

    /// Whether a row claimed at `claimed_at` is still ours. A process that stood still for longer than its lease must
    /// not write at a provider any more: somebody else may have the row.
    pub(crate) fn holds(&self, claimed_at: Timestamp) -> bool {
        let renewed = Timestamp::from_microsecond(self.renewed_at.load(Ordering::Acquire)).unwrap_or(claimed_at);
        self.clock.now() < later(claimed_at.max(renewed), self.length)
    }
}
