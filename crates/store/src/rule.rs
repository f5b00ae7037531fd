//! Rules that every implementation applies to a row in the same way.

use alfred_model::environment::{Environment, Status, Step, Wish};
use alfred_model::event::{Event, EventKind};
use alfred_model::expiry::Expiry;
use alfred_model::intent::Intent;
use alfred_model::user::UserName;
use alfred_model::vm::{Vm, VmState, VmStep};
use jiff::Timestamp;

use crate::{ExpiryChange, Lease, StoreError};

/// What the store has of an environment beside what a worker writes.
#[derive(Debug, Clone)]
pub(crate) struct StoredEnvironment {
    pub(crate) version: i64,
    pub(crate) wish: Wish,
    pub(crate) status: Status,
    pub(crate) woken: bool,
    pub(crate) expiry: Expiry,
}

/// What the store has of a VM beside what a worker writes.
#[derive(Debug, Clone)]
pub(crate) struct StoredVm {
    pub(crate) version: i64,
    pub(crate) woken: bool,
}

/// The environment as it is after a worker wrote `given`, or why the worker must not.
pub(crate) fn environment_written(
    given: &Environment,
    lease: Lease,
    stored: Option<&StoredEnvironment>,
) -> Result<Environment, StoreError> {
    let stored = stored.filter(|stored| stored.version == given.version).ok_or_else(|| environment_conflict(given))?;
    // Its slug may be another's by now, and its VM too.
    if stored.status == Status::Deleted && given.status != Status::Deleted {
        return Err(environment_conflict(given));
    }
    let mut written = given.clone();
    written.version += 1;
    written.wish = stored.wish;
    written.set_expiry(stored.expiry.clone());
    if stored.wish != given.wish {
        written.wake_at = Some(given.updated_at);
    } else if stored.woken && lease == Lease::Release && given.step != Step::Settled {
        written.wake_at = Some(earlier(given.wake_at, given.updated_at));
    }
    Ok(written)
}

/// The VM as it is after a worker wrote `given`, or why the worker must not.
pub(crate) fn vm_written(given: &Vm, lease: Lease, stored: Option<&StoredVm>) -> Result<Vm, StoreError> {
    let stored = stored.filter(|stored| stored.version == given.version).ok_or_else(|| vm_conflict(given))?;
    let mut written = given.clone();
    written.version += 1;
    if stored.woken && lease == Lease::Release && given.step != VmStep::Settled {
        written.wake_at = Some(earlier(given.wake_at, given.updated_at));
    }
    Ok(written)
}

/// The VM of the pool after it was given to `environment`.
pub(crate) fn vm_assigned(vm: &Vm, environment: &Environment, now: Timestamp) -> Vm {
    Vm {
        state: VmState::Assigned,
        step: VmStep::Settled,
        environment_id: Some(environment.id),
        assignable_at: None,
        wake_at: None,
        wiped_at: None,
        updated_at: now,
        version: vm.version + 1,
        ..vm.clone()
    }
}

/// The environment after its end was changed; nothing, if it is not as whoever changes it has read it.
pub(crate) fn expiry_changed(stored: &Environment, change: &ExpiryChange) -> Option<Environment> {
    let lives = stored.wish == Wish::Present && stored.status != Status::Deleted;
    if !lives || stored.expiry() != change.expected {
        return None;
    }
    let mut changed = stored.clone();
    changed.set_expiry(change.becomes.clone());
    changed.updated_at = change.now;
    if change.is_over {
        changed.wish = Wish::Absent;
        changed.wake_at = Some(earlier(stored.wake_at, change.now));
    }
    Some(changed)
}

/// Refuses to let `owner`, who has `used` environments, have `asked` more than `limit` allows.
pub(crate) fn within_quota(owner: &UserName, used: u64, asked: u64, limit: Option<u32>) -> Result<(), StoreError> {
    match limit {
        Some(limit) if used.saturating_add(asked) > u64::from(limit) => {
            Err(StoreError::OverQuota { owner: owner.to_string(), used, limit, asked })
        }
        _ => Ok(()),
    }
}

/// The event of a wish to delete.
pub(crate) fn wish_event(environment: &Environment, actor: &str, now: Timestamp) -> Event {
    Event {
        sequence: 0,
        environment_id: environment.id,
        at: now,
        status: environment.shown_status(),
        step: environment.step,
        kind: EventKind::Progress,
        actor: actor.to_owned(),
        message: "deletion was asked for".to_owned(),
    }
}

/// The line of the ledger after `given` was written over `stored_call`, the time at which the VM called home: a worker
/// that read the line before the call must not undo it.
pub(crate) fn intent_written(given: &Intent, stored_call: Option<Timestamp>) -> Intent {
    Intent { called_home_at: given.called_home_at.or(stored_call), ..given.clone() }
}

/// The earlier of a wake-up that may be absent and `time`.
pub(crate) fn earlier(wake_at: Option<Timestamp>, time: Timestamp) -> Timestamp {
    wake_at.map_or(time, |wake_at| wake_at.min(time))
}

pub(crate) fn environment_conflict(environment: &Environment) -> StoreError {
    StoreError::Conflict { what: format!("the environment `{}`", environment.slug) }
}

pub(crate) fn vm_conflict(vm: &Vm) -> StoreError {
    StoreError::Conflict { what: format!("the VM {}", vm.id) }
}
