//! One VM that no environment has, driven from where its row stands to where it has to wait.

use std::sync::Arc;

use alfred_model::id::VmId;
use alfred_model::intent::Intent;
use alfred_model::lifecycle::Context;
use alfred_model::pool::{self, VmAction, VmReport};
use alfred_model::vm::{Vm, VmState, VmStep, pool_display_name};
use alfred_store::{Changes, IntentQuery, Lease, StoreError};
use jiff::Timestamp;

use crate::intents::NewIntent;
use crate::run::STORE_PAUSE;
use crate::{Engine, measure};

impl Engine {
    /// Drives one VM. Whatever interrupts it, the row and the intents written so far are enough to go on; it begins
    /// again itself, as [`Engine::drive`] does.
    pub(crate) async fn drive_vm(self: Arc<Self>, vm: Vm, open_intents: Vec<Intent>) {
        let claimed_at = self.clock.now();
        let id = vm.id;
        let (mut vm, mut open_intents) = (vm, open_intents);
        while let Err(error) = self.drive_vm_to_rest(vm.clone(), open_intents.clone(), claimed_at).await {
            if matches!(error, StoreError::Conflict { .. }) {
                tracing::debug!(%id, "the VM's row was changed by someone else");
            } else {
                tracing::error!(%id, error = %error, "the store failed");
                tokio::time::sleep(STORE_PAUSE).await;
            }
            if !self.leases.holds(claimed_at) {
                return;
            }
            match self.read_vm_again(id).await {
                Ok(Some(again)) => (vm, open_intents) = again,
                Ok(None) => return,
                // The next turn conflicts or fails, and comes here again.
                Err(error) => {
                    tracing::error!(%id, error = %error, "the store failed");
                    tokio::time::sleep(STORE_PAUSE).await;
                }
            }
        }
    }

    async fn read_vm_again(&self, id: VmId) -> Result<Option<(Vm, Vec<Intent>)>, StoreError> {
        let Some(vm) = self.store.vm(id).await? else {
            return Ok(None);
        };
        let open = self.store.intents(IntentQuery { only_open: true, ..IntentQuery::default() }).await?;
        let own = open.into_iter().rev().filter(|one| one.environment_id.is_none() && one.vm_id == Some(id));
        Ok(Some((vm, own.collect())))
    }

    async fn drive_vm_to_rest(
        &self,
        mut vm: Vm,
        mut open_intents: Vec<Intent>,
        claimed_at: Timestamp,
    ) -> Result<(), StoreError> {
        let mut unwritten = Changes::default();
        loop {
            let action = pool::next(&vm);
            let mut intent = None;
            if let Some(kind) = action.intent_kind() {
                let known = open_intents.iter().find(|intent| intent.kind == kind).cloned();
                let new = NewIntent { kind, environment: None, vm_id: Some(vm.id), subject: pool_display_name(vm.id) };
                let prepared = self.with_call_home(known.unwrap_or_else(|| self.new_intent(&new)));
                unwritten.intents.push(prepared.row.clone());
                vm = self.write_vm(vm, std::mem::take(&mut unwritten), Lease::Keep).await?;
                if !self.leases.holds(claimed_at) {
                    return Ok(());
                }
                self.call_home_tokens.remember(&prepared);
                intent = Some(prepared.row);
            }
            let report = self.carry_out_vm(&vm, &action, intent.as_ref()).await;
            let now = self.clock.now();
            let context = Context { now, unit: self.random.unit(), policy: &self.settings.policy };
            let transition = pool::advance(&vm, intent.as_ref(), report, &context);
            measure::vm(&vm, &transition.vm);
            vm = transition.vm;
            if let Some(settled) = transition.intent {
                open_intents.retain(|known| known.id != settled.id);
                if settled.outcome.is_open() {
                    open_intents.push(settled.clone());
                }
                unwritten.intents.push(settled);
            }
            if vm.state == VmState::Ended || (vm.state == VmState::Retiring && vm.step == VmStep::Settled) {
                unwritten.intents.extend(pool::given_up_with(&open_intents, now));
            }
            if let Some(waiting) = transition.wake {
                unwritten.wake.push(waiting);
                unwritten.wake_at_time = Some(now);
            }
            if vm.wake_at.is_none_or(|wake_at| wake_at > now) {
                self.write_vm(vm, unwritten, Lease::Release).await?;
                if transition.wake.is_some() {
                    self.poke();
                }
                return Ok(());
            }
        }
    }

    async fn carry_out_vm(&self, vm: &Vm, action: &VmAction, intent: Option<&Intent>) -> VmReport {
        match action {
            VmAction::Rest => VmReport::Nothing,
            VmAction::Name => VmReport::Wrote(self.name_vm(vm.id, &pool_display_name(vm.id), intent).await),
            VmAction::Wipe => {
                let data = self.pool_user_data(&pool_display_name(vm.id), intent);
                VmReport::Wrote(self.install_vm(vm.id, data, intent).await)
            }
            VmAction::Cancel => self.cancel_vm(vm.id, intent).await,
            VmAction::Start => VmReport::Wrote(self.start_vm(vm.id, intent).await),
            VmAction::Observe => self.observe(vm.id).await.map_or_else(VmReport::ReadFailed, VmReport::Seen),
            VmAction::Reach(address) => VmReport::Reached(self.accepts(*address).await),
        }
    }

    async fn write_vm(&self, vm: Vm, mut changes: Changes, lease: Lease) -> Result<Vm, StoreError> {
        changes.vms = vec![(vm.clone(), lease)];
        let written = self.store.commit(changes).await?;
        self.moved();
        Ok(written.vms.into_iter().next().map_or(vm, |(vm, _)| vm))
    }
}
