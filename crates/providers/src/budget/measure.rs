//! What an operator's dashboard shows of the budget.

use std::time::Duration;

use super::{Budget, Priority};

/// Somebody got a call after so long.
pub(super) fn waited(priority: Priority, time: Duration) {
    metrics::histogram!("alfred_api_budget_wait_seconds", "priority" => priority.as_str()).record(time.as_secs_f64());
}

/// How the budget stands, after a call or a look at the ledger.
pub(super) fn standing(budget: &Budget) {
    metrics::gauge!("alfred_api_budget_remaining").set(f64::from(budget.remaining()));
    let blocked = budget.blocked_until().map(|until| until.duration_since(budget.now()).as_secs_f64());
    metrics::gauge!("alfred_api_budget_blocked_seconds").set(blocked.unwrap_or(0.0).max(0.0));
}

/// The ledger did not answer, so that no call is granted.
pub(super) fn refused() {
    metrics::counter!("alfred_api_budget_refusals_total").increment(1);
}
