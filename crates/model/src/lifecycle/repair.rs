//! Mending an environment's record that the audit found wrong: the row goes back to the step where the record is written
//! or withdrawn, and the ordinary drive does it, with its intents, its look at the zone and its questions to the servers.
//!
//! An environment that works stays `active` meanwhile: what fails ends the repair, never the environment. Its VM holds
//! its owner's data, and a record is not worth it.

use std::net::Ipv4Addr;

use jiff::Timestamp;

use super::{Context, Situation, Transition, create, event};
use crate::environment::{Status, Step, Wish};
use crate::event::Event;
use crate::intent::IntentKind;
use crate::vm::VmState;

/// Why a record is not repaired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RepairRefused {
    /// The reconciler is at work on the environment, or its owner asked for it to be deleted.
    #[error("the environment is in motion")]
    InMotion,
    /// An earlier write has no answer yet and may still be carried out.
    #[error("an earlier write of the record has no answer yet")]
    Unsettled,
    /// The VM is not assigned to the environment.
    #[error("the environment's VM is not its own")]
    NotItsVm,
    /// The provider shows no address.
    #[error("the provider shows no address of the environment's VM")]
    NoAddress,
}

/// Which kind of write a repair of this environment ends in; nothing, where it is in motion.
pub fn repair_kind(status: Status, step: Step, wish: Wish) -> Option<IntentKind> {
    match (status, step, wish) {
        (Status::Active, Step::Settled, Wish::Present) => Some(IntentKind::WriteRecord),
        (Status::Deleting | Status::Error, Step::ReleaseVm | Step::Settled, _) => Some(IntentKind::WithdrawRecord),
        _ => None,
    }
}

/// Puts an environment back to the step where its record is written or, where it is done with it, withdrawn.
/// `address` is what the provider shows of its VM now, which counts more than the row.
pub fn repair(
    situation: &Situation<'_>,
    address: Option<Ipv4Addr>,
    actor: &str,
    now: Timestamp,
) -> Result<(Transition, Event), RepairRefused> {
    let environment = situation.environment;
    let kind = repair_kind(environment.status, environment.step, environment.wish).ok_or(RepairRefused::InMotion)?;
    if situation.open_intent(kind).is_some() {
        return Err(RepairRefused::Unsettled);
    }
    let mut transition = Transition::new(environment, now);
    let message = if kind == IntentKind::WriteRecord {
        let own = |vm: &&crate::vm::Vm| vm.state == VmState::Assigned && vm.environment_id == Some(environment.id);
        let vm = situation.vm.filter(own).ok_or(RepairRefused::NotItsVm)?;
        let address = address.ok_or(RepairRefused::NoAddress)?;
        transition = transition.step(Step::WriteRecord, now);
        transition.environment.address = Some(address);
        if vm.address != Some(address) {
            transition.vm = Some(crate::vm::Vm { address: Some(address), updated_at: now, ..vm.clone() });
        }
        "the audit found the DNS record missing or wrong: it is written again"
    } else {
        let reason = environment.reason.clone();
        transition = transition.step(Step::WithdrawRecord, now);
        transition.environment.reason = reason;
        "the audit found the DNS record still there: it is withdrawn again"
    };
    let event = event(&transition.environment, now, actor, message);
    Ok((transition, event))
}

/// A repair failed for good: the environment is left as it was, and the next audit tells of its record again.
pub(super) fn end(situation: &Situation<'_>, words: &str, context: &Context<'_>) -> Transition {
    create::settled(situation, context).tell(context.now, format!("the DNS record could not be repaired: {words}"))
}
