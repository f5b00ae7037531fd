//! The end of a VM's row: when its contract is over, and when a VM that a person gave up is not at the provider any more.

use jiff::Timestamp;

use super::VmTransition;
use crate::intent::{Intent, Outcome};
use crate::lifecycle::Context;
use crate::policy::later;
use crate::vm::{Vm, VmState, VmStep};

/// The row of a VM that is not at the provider any more.
pub fn ended(vm: &Vm, now: Timestamp) -> Vm {
    Vm {
        state: VmState::Ended,
        step: VmStep::Settled,
        released_by: None,
        wiped_at: None,
        wake_at: None,
        reason: None,
        attention: false,
        updated_at: now,
        ..vm.clone()
    }
}

/// What was still to be written at a VM that rests for good, because it is cancelled or gone: it is not written any more.
pub fn given_up_with(intents: &[Intent], now: Timestamp) -> Vec<Intent> {
    let given_up = |intent: &Intent| Intent {
        outcome: Outcome::Abandoned,
        answer: Some("overtaken by the end of the VM".to_owned()),
        settled_at: Some(now),
        ..intent.clone()
    };
    intents.iter().filter(|intent| intent.outcome.is_open()).map(given_up).collect()
}

/// The provider's list does not have the VM. Alone that proves nothing (promise 9). Of one that a person wanted to end it is
/// the proof, if the list does not have it for as long as a VM may take to come up: an order that was never paid and was
/// removed in the provider's panel has no other end.
pub(super) fn not_shown(vm: &Vm, context: &Context<'_>) -> VmTransition {
    let (now, policy) = (context.now, context.policy);
    let mut transition = VmTransition::new(vm, now);
    let overdue = now >= later(vm.step_since, policy.vm_deadline);
    if vm.state != VmState::Retiring {
        transition.vm.attention = overdue;
        let words = format!(
            "the provider does not show VM {id}: look in its panel; if it is gone for good, `alfred vm cancel {id}` strikes \
             it off",
            id = vm.id
        );
        return transition.wait(now, policy.vm_interval, words);
    }
    if !overdue {
        let words = "the provider does not show the VM: it is struck off if that stays so";
        return transition.wait(now, policy.backoff_cap, words);
    }
    transition.vm = ended(&transition.vm, now);
    transition.wake = vm.released_by;
    transition
}
