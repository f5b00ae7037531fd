//! Taking down: a deletion, the cleaning up after a failure, and the way back by retry.

use std::net::Ipv4Addr;

use jiff::Timestamp;

use super::{Context, ServerSays, Situation, Transition, event, look_again, repair, try_again};
use crate::environment::{Environment, OnFailure, Status, Step};
use crate::event::Event;
use crate::failure::{Disposition, Failure};
use crate::intent::{Intent, IntentKind, Outcome};
use crate::policy::later;
use crate::vm::{Vm, VmState, VmStep};

/// A transition that needs nothing from outside.
pub(super) fn without_report(situation: &Situation<'_>, context: &Context<'_>) -> Transition {
    match super::next(situation) {
        super::Action::BeginDeletion => begin(situation, context),
        super::Action::AwaitRelease => release(situation, context),
        _ => rest(situation, context),
    }
}

/// Nothing to do. An environment that works looks once more after a write without an answer: by then no earlier
/// attempt can arrive any more, and the intent is settled.
fn rest(situation: &Situation<'_>, context: &Context<'_>) -> Transition {
    let environment = situation.environment;
    let mut transition = Transition::new(environment, context.now);
    transition.environment.wake_at = None;
    let write = situation.open_intent(IntentKind::WriteRecord).filter(|_| environment.status == Status::Active);
    let settled_at = later(environment.step_since, context.policy.write_grace);
    if write.is_some() && context.now < settled_at {
        transition.environment.wake_at = Some(settled_at);
        return transition;
    }
    transition.settle(write, Outcome::Done, None, context.now)
}

/// Takes up the wish to delete. An order of which nothing is known is settled first: its VM must not be lost.
fn begin(situation: &Situation<'_>, context: &Context<'_>) -> Transition {
    let environment = situation.environment;
    let mut transition = Transition::new(environment, context.now);
    transition.environment.status = Status::Deleting;
    let step = match environment.step {
        Step::OrderVm if situation.open_intent(IntentKind::OrderVm).is_some() => Step::OrderVm,
        step @ (Step::WithdrawRecord | Step::AwaitAbsence | Step::ReleaseVm) => step,
        _ => first_step(situation, false),
    };
    if step != environment.step {
        transition = transition.step(step, context.now);
    }
    transition.tell(context.now, "deletion begins")
}

/// Where taking down starts: at the record, if there may be one. `unknown` says that the last write has no answer.
fn first_step(situation: &Situation<'_>, unknown: bool) -> Step {
    let environment = situation.environment;
    let written = environment.record_id.is_some()
        || (environment.step == Step::WriteRecord && unknown)
        || situation.open_intent(IntentKind::WriteRecord).is_some()
        || matches!(environment.step, Step::VerifyRecord | Step::WithdrawRecord)
        || (environment.step == Step::WriteRecord && environment.attempts > 0);
    if written { Step::WithdrawRecord } else { Step::ReleaseVm }
}

/// A creation failed for good: what was made is taken down, the environment stays as `error` with the reason.
pub(super) fn give_up(
    situation: &Situation<'_>,
    intent: Option<&Intent>,
    words: &str,
    context: &Context<'_>,
) -> Transition {
    let outcome = given_up(intent, false);
    fail(situation, false, words, context).settle(intent, outcome, Some(words.to_owned()), context.now)
}

/// As [`give_up`], after a last failure. A write without an answer stays open: it may still be carried out.
pub(super) fn give_up_after(
    situation: &Situation<'_>,
    intent: Option<&Intent>,
    failure: &Failure,
    words: &str,
    context: &Context<'_>,
) -> Transition {
    let unknown = failure.disposition == Disposition::Unknown;
    let outcome = given_up(intent, unknown);
    fail(situation, unknown, words, context).settle(intent, outcome, Some(words.to_owned()), context.now)
}

fn given_up(intent: Option<&Intent>, unknown: bool) -> Outcome {
    match intent {
        Some(intent) if intent.kind == IntentKind::WriteRecord && (unknown || super::may_arrive(intent)) => {
            Outcome::Unknown
        }
        _ => Outcome::Rejected,
    }
}

fn fail(situation: &Situation<'_>, unknown: bool, words: &str, context: &Context<'_>) -> Transition {
    let environment = situation.environment;
    if environment.status == Status::Active {
        return repair::end(situation, words, context);
    }
    let words = format!("{words}; `alfred env retry {}` tries again", environment.slug);
    let step = first_step(situation, unknown);
    let mut transition = Transition::new(environment, context.now).step(step, context.now);
    transition.environment.status = Status::Error;
    transition.environment.reason = Some(words.clone());
    transition.tell(context.now, words)
}

/// The record was withdrawn, or not. Nothing makes this give up: what stays in the zone stays in sight.
pub(super) fn withdrawn(
    situation: &Situation<'_>,
    intent: Option<&Intent>,
    result: Result<(), Failure>,
    context: &Context<'_>,
) -> Transition {
    match result {
        Ok(()) => {
            let transition = keep_reason(situation, Step::AwaitAbsence, context);
            transition.settle(intent, Outcome::Done, None, context.now).tell(context.now, "DNS record withdrawn")
        }
        Err(failure) => {
            let definite = failure.disposition == Disposition::Definite;
            let mut transition = try_again(situation, intent, &failure, context);
            transition.environment.attention |= definite;
            if definite {
                let wait = context.policy.backoff_cap;
                let message = format!("{}; trying again in {:.0} s", failure.words, wait.as_secs_f64());
                let news = situation.environment.reason.as_ref() != Some(&failure.words);
                transition.event = None;
                transition = transition.wait(context.now, wait);
                if news {
                    transition = transition.tell(context.now, message);
                }
            }
            transition
        }
    }
}

/// Whether every authoritative server has forgotten the address. Only then may the VM be wiped, and only after the
/// record's time to live may it go to anyone else (promise 4).
pub(super) fn absence(situation: &Situation<'_>, says: &[ServerSays], context: &Context<'_>) -> Transition {
    let environment = situation.environment;
    if let Some(problem) = environment.address.and_then(|address| first_present(says, address)) {
        // The zone is asked again now and then: the record may be another one by now, or no longer ours.
        if super::overdue(environment, context.policy.backoff_cap, context.now) {
            let mut transition = keep_reason(situation, Step::WithdrawRecord, context);
            if environment.status == Status::Deleting {
                transition.environment.reason = Some(problem);
            }
            return transition;
        }
        let mut transition = look_again(situation, context.policy.dns_interval, &problem, context);
        if environment.status == Status::Error {
            transition.environment.reason.clone_from(&environment.reason);
        }
        return transition;
    }
    if let Some(write) = situation.open_intent(IntentKind::WriteRecord) {
        return after_unknown_write(situation, write, context);
    }
    let mut transition = keep_reason(situation, Step::ReleaseVm, context);
    transition.environment.record_id = None;
    if let Some(vm) = situation.vm.filter(|vm| vm.environment_id == Some(environment.id)) {
        let mut vm = vm.clone();
        let rest_until = later(context.now, context.policy.name_rest);
        hand_over(&mut transition.environment, &mut vm, Some(rest_until), context);
        transition.vm = Some(vm);
    }
    transition.tell(context.now, format!("{} is gone from the authoritative servers", environment.domain))
}

/// A write of which nothing is known may still arrive: only after a while is what the zone shows believed.
fn after_unknown_write(situation: &Situation<'_>, write: &Intent, context: &Context<'_>) -> Transition {
    let environment = situation.environment;
    if !super::overdue(environment, context.policy.write_grace, context.now) {
        let words = "the answer to a write of the record was lost: waiting until it cannot be carried out any more";
        let mut transition = look_again(situation, context.policy.vm_interval, words, context);
        if environment.status == Status::Error {
            transition.environment.reason.clone_from(&environment.reason);
        }
        return transition;
    }
    let answer = "the record was looked for again and withdrawn".to_owned();
    keep_reason(situation, Step::WithdrawRecord, context).settle(
        Some(write),
        Outcome::Rejected,
        Some(answer),
        context.now,
    )
}

fn first_present(says: &[ServerSays], address: Ipv4Addr) -> Option<String> {
    if says.is_empty() {
        return Some("no authoritative server is known".to_owned());
    }
    says.iter().find_map(|one| match &one.addresses {
        Ok(addresses) if addresses.contains(&address) => Some(format!("{} still answers {address}", one.server)),
        Ok(_) => None,
        Err(words) => Some(format!("{} gives no answer: {words}", one.server)),
    })
}

fn keep_reason(situation: &Situation<'_>, step: Step, context: &Context<'_>) -> Transition {
    let mut transition = Transition::new(situation.environment, context.now).step(step, context.now);
    if situation.environment.status == Status::Error {
        transition.environment.reason.clone_from(&situation.environment.reason);
    }
    transition
}

/// The VM leaves the environment: to be wiped for the pool, or to be cancelled if that was wished.
pub(super) fn hand_over(
    environment: &mut Environment,
    vm: &mut Vm,
    rest_until: Option<Timestamp>,
    context: &Context<'_>,
) {
    let retire = environment.status == Status::Error
        && environment.on_failure == OnFailure::Retire
        && vm.bought_for == Some(environment.id);
    (vm.state, vm.step) = if retire { (VmState::Retiring, VmStep::Cancel) } else { (VmState::Preparing, VmStep::Name) };
    vm.environment_id = None;
    vm.released_by = Some(environment.id);
    vm.assignable_at = rest_until;
    vm.wiped_at = None;
    vm.attempts = 0;
    vm.reason = None;
    vm.attention = false;
    vm.step_since = context.now;
    vm.wake_at = Some(context.now);
    vm.updated_at = context.now;
    environment.released_at = Some(context.now);
}

/// Hands the VM over if that is still to be done, then waits until it is wiped or cancelled.
fn release(situation: &Situation<'_>, context: &Context<'_>) -> Transition {
    let environment = situation.environment;
    let Some(vm) = situation.vm else {
        return close(situation, context);
    };
    if vm.environment_id == Some(environment.id) {
        let mut transition = keep_reason(situation, Step::ReleaseVm, context);
        let mut vm = vm.clone();
        hand_over(&mut transition.environment, &mut vm, None, context);
        let message = match vm.state {
            VmState::Retiring => format!("VM {} is being cancelled", vm.id),
            _ => format!("VM {} is being wiped for the pool", vm.id),
        };
        transition.vm = Some(vm);
        return transition.tell(context.now, message).wait(context.now, context.policy.vm_interval);
    }
    let wiped = vm.wiped_at.zip(environment.released_at).is_some_and(|(wiped, released)| wiped >= released);
    let moved_on = matches!(vm.state, VmState::Assigned | VmState::Ended)
        || (vm.state == VmState::Retiring && vm.step == VmStep::Settled);
    // The name is gone and nobody gets the VM before its wipe: what the VM needs from a person, or another installation,
    // holds nobody up here.
    let in_trouble = vm.environment_id.is_none() && (vm.attention || vm.reinstalls > 0);
    if wiped || moved_on || in_trouble {
        return close(situation, context);
    }
    let mut transition = Transition::new(environment, context.now);
    if environment.status == Status::Deleting {
        transition.environment.reason =
            Some(vm.reason.clone().unwrap_or_else(|| format!("VM {} is being wiped", vm.id)));
        transition.environment.attention = vm.attention;
    }
    transition.wait(context.now, context.policy.vm_interval.saturating_mul(2))
}

fn close(situation: &Situation<'_>, context: &Context<'_>) -> Transition {
    let environment = situation.environment;
    let mut transition = keep_reason(situation, Step::Settled, context);
    transition.environment.wake_at = None;
    transition.environment.record_id = None;
    let vm = situation.vm.map(|vm| match vm.state {
        _ if vm.attention => {
            let why = vm.reason.as_deref().unwrap_or("it needs a person");
            format!("VM {} is not yet wiped or cancelled and stays out of the pool: {why}", vm.id)
        }
        VmState::Retiring => format!("VM {} is cancelled", vm.id),
        VmState::Preparing => format!("VM {} is being wiped for the pool", vm.id),
        _ => format!("VM {} is wiped and back in the pool", vm.id),
    });
    if environment.status == Status::Error {
        transition.environment.attention = true;
        transition.environment.vm_id = None;
        transition.environment.address = None;
        return match vm {
            Some(words) => transition.tell(context.now, words),
            None => transition,
        };
    }
    transition.environment.status = Status::Deleted;
    for intent in situation.open_intents.iter().filter(|intent| intent.outcome.is_open()) {
        let answer = "overtaken by the deletion".to_owned();
        transition = transition.settle(Some(intent), Outcome::Rejected, Some(answer), context.now);
    }
    let message = vm.map_or_else(|| "deleted".to_owned(), |words| format!("deleted; {words}"));
    transition.tell(context.now, message)
}

/// Why an environment cannot be tried again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RetryRefused {
    /// It is gone.
    #[error("`{0}` is deleted: create a new one")]
    Deleted(String),
    /// It works.
    #[error("`{0}` is active: there is nothing to retry")]
    Active(String),
    /// What was made is still being taken down.
    #[error("`{0}` is still being cleaned up: wait until that is over (`alfred env watch {0}`), then retry")]
    CleaningUp(String),
    /// Nobody knows whether a VM was bought.
    #[error(
        "it is not known whether the order for `{0}` bought a VM: look in the provider's panel first, then use `--abandon-order`"
    )]
    OrderUnknown(String),
}

/// A person asks to try again: after an error from the beginning, while waiting at once. With `abandon_order` an order
/// of which nothing is known is given up, on that person's word that no VM came of it.
pub fn retry(
    situation: &Situation<'_>,
    abandon_order: bool,
    actor: &str,
    now: Timestamp,
) -> Result<(Transition, Event), RetryRefused> {
    let environment = situation.environment;
    let slug = || environment.slug.to_string();
    let order = situation.open_intent(IntentKind::OrderVm);
    let mut transition = Transition::new(environment, now);
    match (environment.status, environment.step) {
        (Status::Deleted, _) => return Err(RetryRefused::Deleted(slug())),
        (Status::Active, _) => return Err(RetryRefused::Active(slug())),
        (Status::Error, Step::Settled) => {
            transition.environment.status = Status::Provisioning;
            transition = transition.step(Step::AssignVm, now);
        }
        (Status::Error, _) => return Err(RetryRefused::CleaningUp(slug())),
        (status, Step::OrderVm) if order.is_some() => {
            if abandon_order {
                let step = if status == Status::Deleting { Step::ReleaseVm } else { Step::AssignVm };
                transition = transition
                    .settle(order, Outcome::Abandoned, Some(format!("abandoned by {actor}")), now)
                    .step(step, now);
            } else if environment.attention {
                return Err(RetryRefused::OrderUnknown(slug()));
            }
        }
        _ => {
            transition.environment.attempts = 0;
            transition.environment.step_since = now;
        }
    }
    let message = if abandon_order && order.is_some() { "retry; the unknown order is abandoned" } else { "retry" };
    let event = event(&transition.environment, now, actor, message);
    Ok((transition, event))
}
