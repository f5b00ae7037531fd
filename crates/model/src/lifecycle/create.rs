//! From a VM to an environment that works.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::{Context, ServerSays, Situation, Transition, event, look_again, may_arrive, overdue, remove, try_again};
use crate::environment::{Environment, Status, Step};
use crate::event::Event;
use crate::failure::{Disposition, Failure};
use crate::id::RecordId;
use crate::intent::{Intent, IntentKind, Outcome};
use crate::policy::later;
use crate::pool::{self, Progress};
use crate::vm::{SeenInstance, Vm};

/// How often a rename is tried: the name is a label for people and holds nobody up.
const NAME_ATTEMPTS: u32 = 3;

/// The row as it shall be once the store has given the environment a VM of the pool, and the event to add. VM and
/// address are filled in by the store, in the same transaction.
///
/// A VM that fits as it is goes straight on: its display name is a label for people and is set once the environment
/// works. One that is installed anew takes minutes in any case, and is named first.
pub fn assigned(environment: &Environment, context: &Context<'_>) -> (Environment, Event) {
    let step = if environment.setup.is_standard() { Step::ReachVm } else { Step::NameVm };
    let mut transition = Transition::new(environment, context.now).step(step, context.now);
    transition.environment.assigned_at = Some(context.now);
    let event = event(&transition.environment, context.now, super::ACTOR, "VM taken from the pool");
    (transition.environment, event)
}

/// The VM's display name was changed, or not.
pub(super) fn named(
    situation: &Situation<'_>,
    intent: Option<&Intent>,
    result: Result<(), Failure>,
    context: &Context<'_>,
) -> Transition {
    let environment = situation.environment;
    match result {
        Ok(()) => {
            let mut transition = after_naming(situation, context);
            transition.vm = situation.vm.map(|vm| {
                let mut vm = vm.clone();
                vm.display_name = environment.vm_display_name();
                vm.updated_at = context.now;
                vm
            });
            transition.settle(intent, Outcome::Done, None, context.now)
        }
        Err(failure)
            if failure.disposition != Disposition::Definite
                && environment.attempts + 1 < NAME_ATTEMPTS
                && !overdue(environment, context.policy.step_deadline, context.now) =>
        {
            try_again(situation, intent, &failure, context)
        }
        Err(failure) => after_naming(situation, context)
            .settle(intent, Outcome::Rejected, Some(failure.words.clone()), context.now)
            .tell(context.now, format!("the VM keeps its old display name: {}", failure.words)),
    }
}

fn after_naming(situation: &Situation<'_>, context: &Context<'_>) -> Transition {
    let environment = situation.environment;
    let next = match environment.status {
        Status::Active => return settled(situation, context),
        // Earlier versions named every VM first: such rows may still be on their way.
        _ if environment.setup.is_standard() => Step::ReachVm,
        _ => Step::InstallVm,
    };
    Transition::new(environment, context.now).step(next, context.now)
}

/// An environment that works has nothing more to do, but for one look after a write without an answer.
pub(super) fn settled(situation: &Situation<'_>, context: &Context<'_>) -> Transition {
    let mut transition = Transition::new(situation.environment, context.now).step(Step::Settled, context.now);
    let unsettled = situation.open_intent(IntentKind::WriteRecord).is_some();
    transition.environment.wake_at = unsettled.then(|| later(context.now, context.policy.write_grace));
    transition
}

/// The provider accepted to install the VM anew, or not. Installing twice does no harm: nobody else has the VM.
pub(super) fn install_accepted(
    situation: &Situation<'_>,
    intent: Option<&Intent>,
    result: Result<(), Failure>,
    context: &Context<'_>,
) -> Transition {
    match result {
        Ok(()) => {
            let mut transition = Transition::new(situation.environment, context.now).step(Step::AwaitVm, context.now);
            transition.vm = situation.vm.map(|vm| {
                let mut vm = vm.clone();
                vm.install_seen = false;
                vm.updated_at = context.now;
                vm
            });
            transition
                .settle(intent, Outcome::Done, None, context.now)
                .tell(context.now, "VM is being installed with its owner's settings")
        }
        Err(failure) if failure.disposition == Disposition::Definite => {
            let words = match &situation.environment.reason {
                // It is installed anew because something else went wrong, which its owner must know first.
                Some(reason) if situation.vm.is_some_and(|vm| vm.reinstalls > 0) => {
                    format!("{reason}; it could not be installed anew: {}", failure.words)
                }
                _ => format!("the VM could not be installed: {}", failure.words),
            };
            remove::give_up(situation, intent, &words, context)
        }
        Err(failure) => try_again(situation, intent, &failure, context),
    }
}

/// The VM at the provider.
pub(super) fn vm_seen(situation: &Situation<'_>, instance: Option<&SeenInstance>, context: &Context<'_>) -> Transition {
    let environment = situation.environment;
    let policy = context.policy;
    // What a person or the provider's staff took does not count against the VM.
    let was_with_person = environment.attention;
    let late = !was_with_person && overdue(environment, policy.vm_deadline, context.now);
    let Some(instance) = instance else {
        return if late {
            let words = "the provider does not show the VM: look for it in the provider's panel";
            remove::give_up(situation, None, words, context)
        } else {
            look_again(situation, policy.vm_interval, "the provider does not show the VM yet", context)
        };
    };
    let vm = situation.vm.map(|vm| {
        let mut vm = pool::observed(vm, instance, context.now);
        // A rename whose answer was lost may have been carried out.
        if instance.display_name == environment.vm_display_name() {
            vm.display_name.clone_from(&instance.display_name);
        }
        vm
    });
    let changed = situation.vm.zip(vm.as_ref()).is_some_and(|(old, new)| old != new);
    let with_vm = |mut transition: Transition| {
        if was_with_person && transition.environment.step == environment.step {
            transition.environment.attention = false;
            transition.environment.step_since = context.now;
        }
        transition.vm = if changed { vm.clone() } else { None };
        transition
    };
    match pool::progress(instance) {
        Progress::Dead(words) => with_vm(remove::give_up(situation, None, &words, context)),
        // What is shown may be from before the installation.
        Progress::Failed(words) if !overdue(environment, policy.install_grace, context.now) => {
            with_vm(look_again(situation, policy.vm_interval, &words, context))
        }
        Progress::Failed(words) => install_again(situation, vm.as_ref(), &words, context),
        Progress::Person(words) => {
            let mut transition = with_vm(look_again(situation, policy.backoff_cap, &words, context));
            transition.environment.attention = true;
            if was_with_person { transition } else { transition.tell(context.now, words) }
        }
        Progress::Wait(_) | Progress::Stopped if late => {
            let words = format!("VM {} is still `{}`, longer than it may take", instance.id, instance.status);
            install_again(situation, vm.as_ref(), &words, context)
        }
        // An installation ends with a VM that is off for a moment.
        Progress::Stopped if !overdue(environment, policy.install_grace, context.now) => {
            with_vm(look_again(situation, policy.vm_interval, "the VM is off", context))
        }
        Progress::Stopped => with_vm(Transition::new(environment, context.now).step(Step::StartVm, context.now)),
        Progress::Wait(words) => with_vm(look_again(situation, policy.vm_interval, words, context)),
        Progress::Running => {
            let old_system = vm
                .as_ref()
                .is_some_and(|vm| !vm.install_seen && !overdue(environment, policy.install_grace, context.now));
            match instance.address {
                Some(_) if old_system => {
                    let words = "the installation has not begun yet";
                    with_vm(look_again(situation, policy.vm_interval, words, context))
                }
                Some(address) => {
                    let mut transition = Transition::new(environment, context.now).step(Step::ReachVm, context.now);
                    transition.environment.address = Some(address);
                    // One more look at the provider was taken because the VM could not be reached.
                    transition.environment.attempts = environment.attempts.min(1);
                    with_vm(transition.tell(context.now, format!("VM runs at {address}")))
                }
                None if late => {
                    let words = format!("VM {} runs and has no address: see it in the provider's panel", instance.id);
                    with_vm(remove::give_up(situation, None, &words, context))
                }
                None => with_vm(look_again(situation, policy.vm_interval, "the VM has no address yet", context)),
            }
        }
    }
}

/// The VM does not come up: it is installed anew, but not for ever.
fn install_again(situation: &Situation<'_>, vm: Option<&Vm>, words: &str, context: &Context<'_>) -> Transition {
    let most = context.policy.reinstalls_max;
    let Some(vm) = vm.filter(|vm| vm.reinstalls < most) else {
        let words = format!("{words}, also after it was installed anew: see its console in the provider's panel");
        let mut transition = remove::give_up(situation, None, &words, context);
        transition.vm = vm.cloned().or(transition.vm);
        return transition;
    };
    let number = vm.reinstalls + 1;
    let mut transition = Transition::new(situation.environment, context.now).step(Step::InstallVm, context.now);
    transition.vm = Some(Vm { reinstalls: number, updated_at: context.now, ..vm.clone() });
    transition.environment.reason = Some(words.to_owned());
    transition.tell(context.now, format!("{words}: it is installed anew, {number} of {most}"))
}

/// What came of powering the VM on.
pub(super) fn started(
    situation: &Situation<'_>,
    intent: Option<&Intent>,
    result: Result<(), Failure>,
    context: &Context<'_>,
) -> Transition {
    match result {
        Ok(()) => Transition::new(situation.environment, context.now)
            .step(Step::AwaitVm, context.now)
            .settle(intent, Outcome::Done, None, context.now)
            .tell(context.now, "the VM was off and is started"),
        Err(failure) if failure.disposition == Disposition::Definite => {
            let words = format!("the VM could not be started: {}", failure.words);
            remove::give_up(situation, intent, &words, context)
        }
        Err(failure) => try_again(situation, intent, &failure, context),
    }
}

/// Whether the VM accepted a connection.
pub(super) fn reached(situation: &Situation<'_>, reached: bool, context: &Context<'_>) -> Transition {
    let environment = situation.environment;
    if reached {
        return Transition::new(environment, context.now)
            .step(Step::WriteRecord, context.now)
            .tell(context.now, "VM accepts connections");
    }
    if overdue(environment, context.policy.reach_deadline, context.now) {
        if environment.attempts == 0 && environment.vm_id.is_some() {
            // It may be off or still being installed: the provider is asked once more before this is a failure.
            let mut transition = Transition::new(environment, context.now).step(Step::AwaitVm, context.now);
            transition.environment.attempts = 1;
            return transition.tell(context.now, "the VM accepts no connection; asking the provider how it is");
        }
        return install_again(situation, situation.vm, "the VM runs but accepts no connection", context);
    }
    look_again(situation, context.policy.reach_interval, "the VM does not accept connections yet", context)
}

/// The record was written, or not.
pub(super) fn written(
    situation: &Situation<'_>,
    intent: Option<&Intent>,
    result: Result<RecordId, Failure>,
    context: &Context<'_>,
) -> Transition {
    match result {
        Ok(record_id) => {
            let mut transition =
                Transition::new(situation.environment, context.now).step(Step::VerifyRecord, context.now);
            let answer = format!("record {record_id}");
            transition.environment.record_id = Some(record_id);
            // An earlier attempt without an answer is kept in sight: arriving after a deletion it would leak a record.
            let outcome = if intent.is_some_and(may_arrive) { Outcome::Unknown } else { Outcome::Done };
            transition.settle(intent, outcome, Some(answer), context.now).tell(context.now, "DNS record written")
        }
        Err(failure) if failure.disposition == Disposition::Definite => {
            let words = format!("the DNS record was refused: {}", failure.words);
            remove::give_up(situation, intent, &words, context)
        }
        Err(failure) => try_again(situation, intent, &failure, context),
    }
}

/// `active` means it works: every authoritative server answers with the address and nothing else (promise 7).
pub(super) fn verified(situation: &Situation<'_>, says: &[ServerSays], context: &Context<'_>) -> Transition {
    let environment = situation.environment;
    let Some(problem) =
        environment.address.map_or(Some("it has no address".to_owned()), |address| first_wrong(says, address))
    else {
        let mut transition = if is_misnamed(situation) {
            Transition::new(environment, context.now).step(Step::NameVm, context.now)
        } else {
            settled(situation, context)
        };
        transition.environment.status = Status::Active;
        let servers = says.len();
        let plural = if servers == 1 { "" } else { "s" };
        return transition
            .tell(context.now, format!("{} answers at {servers} authoritative server{plural}", environment.domain));
    };
    if overdue(environment, context.policy.step_deadline, context.now) {
        let words = format!("the name does not answer as written: {problem}");
        return remove::give_up(situation, None, &words, context);
    }
    let asked_for = Duration::try_from(context.now.duration_since(environment.step_since)).unwrap_or_default();
    look_again(situation, context.policy.dns_wait(asked_for), &problem, context)
}

/// Whether the environment's own VM has another display name than it should, as one from the pool has.
fn is_misnamed(situation: &Situation<'_>) -> bool {
    let environment = situation.environment;
    let own = situation.vm.filter(|vm| vm.environment_id == Some(environment.id));
    own.is_some_and(|vm| vm.display_name != environment.vm_display_name())
}

fn first_wrong(says: &[ServerSays], address: Ipv4Addr) -> Option<String> {
    if says.is_empty() {
        return Some("no authoritative server is known".to_owned());
    }
    says.iter().find_map(|one| match &one.addresses {
        Ok(addresses) if addresses[..] == [address] => None,
        Ok(addresses) if addresses.is_empty() => Some(format!("{} does not have the name yet", one.server)),
        Ok(addresses) => Some(format!("{} answers {addresses:?}, not {address}", one.server)),
        Err(words) => Some(format!("{} gives no answer: {words}", one.server)),
    })
}
