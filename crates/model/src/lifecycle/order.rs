//! Buying a VM: the one write that must never be sent twice (promise 5).

use super::{Context, Situation, Transition, look_again, remove, try_again};
use crate::environment::{Environment, Status, Step};
use crate::failure::{Disposition, Failure};
use crate::intent::{Intent, Outcome};
use crate::policy::later;
use crate::pool::{Hold, OrderRules};
use crate::vm::{Contract, SeenInstance, Vm, VmState, VmStep};

/// The pool has nothing: buy, wait for a VM to come back, or refuse.
pub(super) fn pool_empty(situation: &Situation<'_>, hold: Option<&Hold>, context: &Context<'_>) -> Transition {
    let policy = context.policy;
    if let Some(hold) = hold {
        let environment = situation.environment;
        let words = format!("the pool has no VM, and {hold}");
        if super::overdue(environment, policy.step_deadline, context.now) {
            return remove::give_up(situation, None, &words, context);
        }
        let first = environment.reason.as_deref() != Some(&words);
        let transition = look_again(situation, policy.vm_interval, &words, context);
        return if first { transition.tell(context.now, words) } else { transition };
    }
    let mut transition = Transition::new(situation.environment, context.now);
    if situation.environment.attempts == 0 {
        return transition
            .step(Step::OrderVm, context.now)
            .tell(context.now, "the pool has no VM that is free: one is being ordered");
    }
    // Earlier orders failed: attempts and deadline go on counting.
    transition.environment.step = Step::OrderVm;
    transition
}

/// The VM is ours: its row exists from now on, whatever becomes of the environment (promise 1).
pub(super) fn ordered(
    situation: &Situation<'_>,
    intent: Option<&Intent>,
    instance: &SeenInstance,
    how: &str,
    context: &Context<'_>,
) -> Transition {
    let environment = situation.environment;
    let mut transition = Transition::new(environment, context.now);
    let mut vm = bought(environment, instance, context);
    transition.environment.vm_id = Some(vm.id);
    transition.environment.assigned_at = Some(context.now);
    transition = if environment.status == Status::Deleting {
        remove::hand_over(&mut transition.environment, &mut vm, None, context);
        transition.step(Step::ReleaseVm, context.now)
    } else {
        transition.environment.address = instance.address;
        transition.step(Step::AwaitVm, context.now)
    };
    let message = format!("VM {} {how}, {}", vm.id, instance.status);
    transition.new_vm = Some(vm);
    let mut transition =
        transition.settle(intent, Outcome::Done, Some(format!("instance {}", instance.id)), context.now);
    for intent in &mut transition.intents {
        intent.vm_id = Some(instance.id);
    }
    transition.tell(context.now, message)
}

fn bought(environment: &Environment, instance: &SeenInstance, context: &Context<'_>) -> Vm {
    let now = context.now;
    let OrderRules { price, months, .. } = context.policy.orders;
    let began_at = Some(instance.created_at.unwrap_or(now));
    Vm {
        id: instance.id,
        display_name: environment.vm_display_name(),
        product: instance.product.clone(),
        region: instance.region.clone(),
        address: instance.address,
        state: VmState::Assigned,
        step: VmStep::Settled,
        environment_id: Some(environment.id),
        bought_for: Some(environment.id),
        released_by: None,
        assignable_at: None,
        wiped_at: None,
        install_seen: true,
        cancel_date: instance.cancel_date,
        contract: Contract { began_at, months: Some(months), price },
        reinstalls: 0,
        attempts: 0,
        step_since: now,
        wake_at: None,
        reason: None,
        attention: false,
        created_at: now,
        updated_at: now,
        version: 0,
    }
}

/// The order did not go through, or nobody knows.
pub(super) fn failed(
    situation: &Situation<'_>,
    intent: Option<&Intent>,
    failure: &Failure,
    context: &Context<'_>,
) -> Transition {
    match failure.disposition {
        Disposition::Wait { .. } => try_again(situation, intent, failure, context),
        Disposition::Definite => {
            let words = format!("the order of a VM was refused: {}", failure.words);
            remove::give_up(situation, intent, &words, context)
        }
        Disposition::Unknown => {
            let mut transition = Transition::new(situation.environment, context.now)
                .settle(intent, Outcome::Unknown, Some(failure.words.clone()), context.now)
                .tell(
                    context.now,
                    format!("{}; looking in the provider's audits for what came of the order", failure.words),
                );
            for intent in &mut transition.intents {
                intent.refused = failure.refused;
            }
            transition.environment.reason = Some(failure.words.clone());
            let wait = context.policy.backoff(1, retry_after(failure), context.unit);
            transition.wait(context.now, wait)
        }
    }
}

fn retry_after(failure: &Failure) -> Option<std::time::Duration> {
    match failure.disposition {
        Disposition::Wait { after } => after,
        Disposition::Definite | Disposition::Unknown => None,
    }
}

/// The provider shows none or several VMs for the order. Within the grace its reads may lag; afterwards a person is
/// called, and the order is never sent again. One exception is proof enough: the provider itself answered "not now"
/// and its audits know of nothing.
pub(super) fn not_found(
    situation: &Situation<'_>,
    intent: Option<&Intent>,
    matches: usize,
    context: &Context<'_>,
) -> Transition {
    let environment = situation.environment;
    let sent_at = intent.map_or(environment.step_since, |intent| intent.created_at);
    let in_grace = context.now < later(sent_at, context.policy.order_grace);
    if in_grace {
        let wait = context.policy.vm_interval;
        return look_again(situation, wait, "looking for what came of the order", context);
    }
    if matches == 0 && intent.is_some_and(|intent| intent.refused) {
        let words = "the provider refused the order for now, and its audits know of no VM";
        let transition = Transition::new(environment, context.now)
            .settle(intent, Outcome::Rejected, Some(words.to_owned()), context.now)
            .tell(context.now, format!("{words}; trying again"));
        return after_refusal(transition, situation, words, context);
    }
    let request = intent.map_or_else(String::new, |intent| format!(" (request id {})", intent.request_id));
    let words = format!(
        "it is not known whether the order{request} bought a VM: {}. It is not sent again. Look in the provider's \
         panel for `{}`; when it is certain that no VM came of it, run `alfred env retry {} --abandon-order`",
        if matches == 0 { "the provider shows none".to_owned() } else { format!("{matches} VMs match") },
        environment.vm_display_name(),
        environment.slug,
    );
    let mut transition = Transition::new(environment, context.now);
    if !environment.attention {
        transition.environment.attention = true;
        transition = transition.tell(context.now, words.clone());
    }
    transition.environment.reason = Some(words);
    transition.settle(intent, Outcome::Unknown, None, context.now).wait(context.now, context.policy.backoff_cap)
}

/// The provider could not be read for what came of an order. The order stays open, however long that takes: giving up
/// here would lose a VM that may be paid for.
pub(super) fn not_readable(situation: &Situation<'_>, failure: &Failure, context: &Context<'_>) -> Transition {
    let mut transition = Transition::new(situation.environment, context.now);
    transition.environment.attempts = situation.environment.attempts.saturating_add(1);
    transition.environment.reason = Some(failure.words.clone());
    let wait = context.policy.backoff(transition.environment.attempts, retry_after(failure), context.unit);
    let message = format!("{}; looking again in {:.1} s for what came of the order", failure.words, wait.as_secs_f64());
    transition.tell(context.now, message).wait(context.now, wait)
}

fn after_refusal(transition: Transition, situation: &Situation<'_>, words: &str, context: &Context<'_>) -> Transition {
    let environment = situation.environment;
    if environment.status == Status::Deleting {
        return transition.step(Step::ReleaseVm, context.now);
    }
    let started = environment.created_at;
    if context.now >= later(started, context.policy.step_deadline) {
        let intents = transition.intents;
        let mut failed = remove::give_up(situation, None, words, context);
        failed.intents = intents;
        return failed;
    }
    transition.step(Step::AssignVm, context.now)
}
