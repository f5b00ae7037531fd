//! How many calls were made, to what.
//!
//! Costs are counted, not timed: the demo prints these numbers and tests assert them. The same calls go to the
//! process's metrics as `alfred_provider_calls_total` and `alfred_provider_call_seconds`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Counts calls by provider and route. Clones share one count.
#[derive(Debug, Clone, Default)]
pub struct CallCounts {
    counts: Arc<Mutex<BTreeMap<(&'static str, &'static str), u64>>>,
}

impl CallCounts {
    /// An empty count.
    pub fn new() -> Self {
        Self::default()
    }

    /// Every (provider, route) that was called, and how often. A route reads like `GET /zones/{zone}/dns_records`.
    pub fn snapshot(&self) -> BTreeMap<(&'static str, &'static str), u64> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How often a route was called, at whichever provider.
    pub fn of(&self, route: &str) -> u64 {
        self.snapshot().into_iter().filter(|((_, called), _)| *called == route).map(|(_, count)| count).sum()
    }

    /// All calls.
    pub fn total(&self) -> u64 {
        self.snapshot().into_values().sum()
    }

    pub(crate) fn record(&self, provider: &'static str, route: &'static str, status: &str, took: Duration) {
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner).entry((provider, route)).or_default() += 1;
        metrics::counter!(
            "alfred_provider_calls_total", "provider" => provider, "route" => route, "status" => status.to_owned()
        )
        .increment(1);
        metrics::histogram!("alfred_provider_call_seconds", "provider" => provider, "route" => route)
            .record(took.as_secs_f64());
    }
}
