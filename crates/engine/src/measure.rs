//! What an operator's dashboard shows of the reconcilers: how far things come, how long that takes, what needs a person.
//!
//! Counters and histograms alone: how many environments there are now is a question to the store.

use std::time::Duration;

use alfred_model::environment::Environment;
use alfred_model::name::DomainName;
use alfred_model::vm::Vm;
use alfred_model::zones::Room;
use jiff::Timestamp;

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

fn seconds(from: Timestamp, until: Timestamp) -> f64 {
    Duration::try_from(until.duration_since(from)).unwrap_or_default().as_secs_f64()
}
