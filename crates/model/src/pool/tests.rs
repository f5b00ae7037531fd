//! The rules of the pool: each status at each step, each refusal, and a small provider with random faults.

mod cases;
mod properties;

use super::*;
use crate::id::{IntentId, VmId};
use crate::policy::Policy;

const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 64, 0, 1);
pub(super) const START: Timestamp = Timestamp::UNIX_EPOCH;

pub(super) fn vm(state: VmState, step: VmStep) -> Vm {
    Vm {
        id: VmId(100),
        display_name: "alfredos-brave-tiger".to_owned(),
        product: "V153".to_owned(),
        region: "EU".to_owned(),
        address: Some(ADDRESS),
        state,
        step,
        environment_id: None,
        bought_for: None,
        released_by: Some(EnvironmentId(uuid::Uuid::from_u128(7))),
        assignable_at: None,
        wiped_at: None,
        install_seen: false,
        cancel_date: None,
        contract: crate::vm::Contract::default(),
        reinstalls: 0,
        attempts: 0,
        step_since: START,
        wake_at: Some(START),
        reason: None,
        attention: false,
        created_at: START,
        updated_at: START,
        version: 0,
    }
}

fn instance(status: InstanceStatus) -> SeenInstance {
    SeenInstance {
        id: VmId(100),
        display_name: "alfredos-pool.100".to_owned(),
        status,
        address: Some(ADDRESS),
        product: "V153".to_owned(),
        region: "EU".to_owned(),
        cancel_date: None,
        error_message: None,
        created_at: None,
    }
}

pub(super) fn intent(number: u128, kind: IntentKind) -> Intent {
    Intent {
        id: IntentId(uuid::Uuid::from_u128(number)),
        kind,
        environment_id: None,
        vm_id: Some(VmId(100)),
        request_id: uuid::Uuid::from_u128(number),
        subject: "alfredos-pool.100".to_owned(),
        actor: "alfred".to_owned(),
        outcome: Outcome::Open,
        audit_id: None,
        answer: None,
        refused: false,
        call_home_hash: None,
        called_home_at: None,
        created_at: START,
        settled_at: None,
    }
}

fn at(policy: &Policy, now: Timestamp) -> Context<'_> {
    Context { now, unit: 0.5, policy }
}
