//! What the provider's list of VMs says of contracts: when they began, when they end, and that they have ended.

use std::collections::HashMap;

use alfred_model::environment::ExpiryBound;
use alfred_model::id::VmId;
use alfred_model::intent::Intent;
use alfred_model::policy::later;
use alfred_model::pool;
use alfred_model::vm::{SeenInstance, Vm, VmState};
use alfred_providers::contabo::InstanceFilter;
use alfred_store::{Changes, IntentQuery, Lease, StoreError};
use jiff::Timestamp;

use crate::Engine;

impl Engine {
    pub(super) async fn look_is_due(&self) -> Result<bool, StoreError> {
        let now = self.clock.now();
        let next = later(now, self.settings.policy.pool.look_interval);
        let mut due = false;
        self.change_pool_state(|state| {
            // The first one is due after a while: there is nothing to learn of a pool that has just begun.
            let begins = state.next_look.is_none();
            due = state.next_look.is_some_and(|at| at <= now);
            if due || begins {
                state.next_look = Some(next);
            }
            due || begins
        })
        .await?;
        Ok(due)
    }

    /// Something was bought: its contract and its line of the provider's audit log are there to learn once the provider
    /// shows what it did.
    pub(super) async fn look_soon(&self) -> Result<(), StoreError> {
        let soon = later(self.clock.now(), self.settings.policy.order_grace);
        self.change_pool_state(|state| {
            let sooner = state.next_look.is_none_or(|at| at > soon);
            if sooner {
                state.next_look = Some(soon);
            }
            sooner
        })
        .await
        .map(drop)
    }

    pub(super) async fn look_at_instances(&self) -> Result<(), StoreError> {
        match self.contabo.instances(&InstanceFilter::all()).await {
            Ok(instances) => {
                let instances: Vec<SeenInstance> = instances.into_iter().map(crate::effects::seen).collect();
                self.learn_contracts(&instances).await
            }
            Err(error) => {
                tracing::warn!(error = %error, "the list of VMs could not be read");
                Ok(())
            }
        }
    }

    /// Takes over what a complete list of the provider says of contracts. Rows that change meanwhile are left for the next
    /// time.
    pub(crate) async fn learn_contracts(&self, instances: &[SeenInstance]) -> Result<(), StoreError> {
        let now = self.clock.now();
        let shown: HashMap<VmId, &SeenInstance> = instances.iter().map(|instance| (instance.id, instance)).collect();
        for vm in self.store.vms(false).await? {
            let new = match shown.get(&vm.id) {
                Some(instance) => news(&vm, instance, now),
                None => ended(&vm, now),
            };
            self.bound_by_contract(new.as_ref().unwrap_or(&vm)).await;
            let Some(row) = new else { continue };
            let has_ended = row.state == VmState::Ended;
            let wake = vm.released_by.filter(|_| has_ended);
            let intents = if has_ended { self.left_open(vm.id, now).await? } else { Vec::new() };
            let changes = Changes {
                vms: vec![(row, Lease::Release)],
                intents,
                wake: wake.into_iter().collect(),
                wake_at_time: Some(now),
                ..Changes::default()
            };
            match self.store.commit(changes).await {
                Ok(_) | Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// What was still to be written at a VM that has ended.
    async fn left_open(&self, id: VmId, now: Timestamp) -> Result<Vec<Intent>, StoreError> {
        let open = self.store.intents(IntentQuery { only_open: true, ..IntentQuery::default() }).await?;
        let own: Vec<Intent> =
            open.into_iter().filter(|one| one.environment_id.is_none() && one.vm_id == Some(id)).collect();
        Ok(pool::given_up_with(&own, now))
    }

    /// An environment whose VM's contract ends must be gone before: its owner is warned, and cannot put it off beyond that.
    /// Done anew at each look, so that a crash or a failing store loses nothing.
    pub(crate) async fn bound_by_contract(&self, vm: &Vm) {
        let (Some(id), Some(last_day), Some(at)) = (vm.environment_id, vm.cancel_date, pool::usable_until(vm)) else {
            return;
        };
        let bound = ExpiryBound { at, reason: format!("its VM's contract ends on {last_day}") };
        if let Err(error) = self.bound_expiry(id, bound).await {
            tracing::warn!(vm = %vm.id, environment = %id, error = %error, "an environment was not bounded by its VM's contract");
        }
    }
}

/// The row with what is new about its contract. Rows that are being worked on learn it by themselves.
fn news(vm: &Vm, instance: &SeenInstance, now: Timestamp) -> Option<Vm> {
    if vm.wake_at.is_some() {
        return None;
    }
    let mut new = vm.clone();
    new.contract.began_at = instance.created_at.or(vm.contract.began_at);
    new.cancel_date = instance.cancel_date.or(vm.cancel_date);
    if new == *vm {
        return None;
    }
    new.updated_at = now;
    Some(new)
}

/// The row of a VM that the provider does not show any more, after its contract was over.
fn ended(vm: &Vm, now: Timestamp) -> Option<Vm> {
    let over = vm.cancel_date.is_some_and(|last_day| pool::is_over(last_day, now));
    (over && vm.state != VmState::Assigned).then(|| pool::ended(vm, now))
}
