//! What an operator's dashboard shows of the reconcilers: how far things come, how long that takes, what needs a person.
//!
//! How many environments there are now is a question to the store; how many findings there are, only an audit knows.

use std::time::Duration;

use alfred_model::audit::{FindingKind, Plan};
use alfred_model::environment::Environment;
use alfred_model::name::DomainName;
use alfred_model::pool::PoolPlan;
use alfred_model::vm::Vm;
use alfred_model::zones::Room;
use jiff::Timestamp;

use crate::audit::{AuditReport, Repaired};

/// An environment moved from one row to the next.
pub(crate) fn environment(before: &Environment, after: &Environment) {
    if before.status != after.status {
        metrics::counter!("alfred_environment_transitions_total", "status" => after.status.as_str()).increment(1);
    }
    if before.step != after.step {
        metrics::histogram!("alfred_environment_step_seconds", "step" => before.step.as_str())
            .record(seconds(before.step_since, after.updated_at));
    }
    if after.attempts > before.attempts {
        metrics::counter!("alfred_environment_retries_total", "step" => before.step.as_str()).increment(1);
    }
    if after.attention && !before.attention {
        metrics::counter!("alfred_attention_total", "kind" => "environment").increment(1);
    }
}

/// A VM of the pool moved from one row to the next.
pub(crate) fn vm(before: &Vm, after: &Vm) {
    if before.state != after.state {
        metrics::counter!("alfred_vm_transitions_total", "state" => after.state.as_str()).increment(1);
    }
    if before.step != after.step {
        metrics::histogram!("alfred_vm_step_seconds", "step" => before.step.as_str())
            .record(seconds(before.step_since, after.updated_at));
    }
    if after.attempts > before.attempts {
        metrics::counter!("alfred_vm_retries_total", "step" => before.step.as_str()).increment(1);
    }
    if after.attention && !before.attention {
        metrics::counter!("alfred_attention_total", "kind" => "vm").increment(1);
    }
}

/// The pool as the plan sees it.
pub(crate) fn pool(plan: &PoolPlan) {
    let counts = &plan.counts;
    let gauge =
        |state: &'static str, count: u32| metrics::gauge!("alfred_pool_vms", "state" => state).set(f64::from(count));
    gauge("assigned", counts.assigned);
    gauge("ready", counts.ready);
    gauge("resting", counts.resting);
    gauge("preparing", counts.preparing);
    gauge("retiring", counts.retiring);
    gauge("quarantined", counts.quarantined);
    gauge("unknown", counts.unknown);
    gauge("unfit", counts.unfit);
    gauge("ordered", counts.ordered);
    metrics::gauge!("alfred_pool_wanted_vms").set(f64::from(plan.wanted));
    metrics::gauge!("alfred_pool_orders_held").set(f64::from(u8::from(plan.hold.is_some())));
}

/// An order is looked for in vain.
pub(crate) fn unknown_order() {
    metrics::counter!("alfred_unknown_orders_total").increment(1);
}

/// An end was seen to: carried out, or warned of.
pub(crate) fn expiry(is_over: bool) {
    let name = if is_over { "alfred_expired_total" } else { "alfred_expiry_warnings_total" };
    metrics::counter!(name).increment(1);
}

/// The webhook was called, and this came of it: `delivered`, `failed` or `given_up`.
pub(crate) fn webhook(outcome: &'static str) {
    metrics::counter!("alfred_webhook_deliveries_total", "outcome" => outcome).increment(1);
}

/// The DNS writer sends a batch of so many changes.
pub(crate) fn batch(changes: usize) {
    #[expect(clippy::cast_precision_loss, reason = "a batch has at most some thousand changes")]
    metrics::histogram!("alfred_dns_batch_changes").record(changes as f64);
}

/// How full a zone is.
pub(crate) fn zone(name: &DomainName, room: &Room) {
    #[expect(clippy::cast_precision_loss, reason = "a zone has at most some million records")]
    let gauge =
        |metric: &'static str, value: u64| metrics::gauge!(metric, "zone" => name.to_string()).set(value as f64);
    gauge("alfred_zone_records", room.used);
    if let Some(quota) = room.quota {
        gauge("alfred_zone_record_quota", quota);
    }
}

/// An audit was made to its end.
pub(crate) fn audit(report: &AuditReport, took: Duration) {
    for kind in FindingKind::ALL {
        let count = report.findings.iter().filter(|standing| standing.finding.kind == *kind).count();
        metrics::gauge!("alfred_audit_findings", "kind" => kind.as_str()).set(number(count));
    }
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 fit a double exactly")]
    let at = report.at.as_second() as f64;
    metrics::gauge!("alfred_audit_completed_timestamp_seconds").set(at);
    metrics::histogram!("alfred_audit_seconds").record(took);
}

/// An audit was not made to its end.
pub(crate) fn audit_failed() {
    metrics::counter!("alfred_audit_failures_total").increment(1);
}

/// What a repair did, and what it was kept from.
pub(crate) fn repairs(plan: &Plan, repairs: &[Repaired]) {
    for one in repairs {
        metrics::counter!("alfred_audit_repairs_total", "outcome" => one.outcome.as_str()).increment(1);
    }
    if plan.refused.is_some() {
        let ripe = u64::try_from(plan.ripe).unwrap_or(u64::MAX);
        metrics::counter!("alfred_audit_repairs_total", "outcome" => "refused").increment(ripe);
    }
}

#[expect(clippy::cast_precision_loss, reason = "a report has at most some thousand findings")]
fn number(count: usize) -> f64 {
    count as f64
}

fn seconds(from: Timestamp, until: Timestamp) -> f64 {
    Duration::try_from(until.duration_since(from)).unwrap_or_default().as_secs_f64()
}
