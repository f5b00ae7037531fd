//! One environment, driven from where its row stands to where it has to wait.

use std::sync::Arc;

use alfred_model::environment::Environment;
use alfred_model::failure::Failure;
use alfred_model::id::EnvironmentId;
use alfred_model::intent::Intent;
use alfred_model::lifecycle::{self, Action, Context, Report, Situation, Transition};
use alfred_model::vm::Vm;
use alfred_store::{Assignment, Changes, ClaimedEnvironment, IntentQuery, Lease, PoolFilter, StoreError};
use jiff::Timestamp;
use tokio::sync::OwnedMutexGuard;

use crate::intents::NewIntent;
use crate::run::STORE_PAUSE;
use crate::{Engine, measure};

/// The rows in hand, and what of them is not written yet.
///
/// Rows are written before each write at a provider and when the drive ends. Between them only reads happen, and a
/// read can be done again after a crash.
struct Work {
    environment: Environment,
    vm: Option<Vm>,
    open_intents: Vec<Intent>,
    claimed_at: Timestamp,
    unwritten: Changes,
    /// Held from counting the VMs we own until the order's intent is written.
    order_gate: Option<OwnedMutexGuard<()>>,
}

/// Why a drive ended before its row came to rest.
enum Interrupted {
    /// Somebody changed the row meanwhile, or the lease ran out.
    Lost,
    /// The store failed.
    Store(StoreError),
}

impl From<StoreError> for Interrupted {
    fn from(error: StoreError) -> Self {
        if matches!(error, StoreError::Conflict { .. }) { Self::Lost } else { Self::Store(error) }
    }
}

impl Engine {
    /// Drives one environment. Whatever interrupts it, the rows and intents written so far are enough to go on.
    ///
    /// While the lease is ours nobody else takes the row up, and it does not run out as long as this process lives: so
    /// a drive that was interrupted begins again itself.
    pub(crate) async fn drive(self: Arc<Self>, claimed: ClaimedEnvironment) {
        let claimed_at = self.clock.now();
        let (id, slug) = (claimed.environment.id, claimed.environment.slug.clone());
        let mut work = Work::new(claimed, claimed_at);
        while let Err(interrupted) = self.drive_to_rest(&mut work).await {
            match interrupted {
                Interrupted::Lost => tracing::debug!(%slug, "the row was changed by someone else"),
                Interrupted::Store(error) => {
                    tracing::error!(%slug, error = %error, "the store failed");
                    tokio::time::sleep(STORE_PAUSE).await;
                }
            }
            if !self.leases.holds(claimed_at) {
                return;
            }
            match self.read_again(id).await {
                Ok(Some(again)) => work = Work::new(again, claimed_at),
                Ok(None) => return,
                // The next turn conflicts or fails, and comes here again.
                Err(error) => {
                    tracing::error!(%slug, error = %error, "the store failed");
                    tokio::time::sleep(STORE_PAUSE).await;
                }
            }
        }
    }

    async fn read_again(&self, id: EnvironmentId) -> Result<Option<ClaimedEnvironment>, StoreError> {
        let Some(environment) = self.store.environment(id).await? else {
            return Ok(None);
        };
        let vm = match environment.vm_id {
            Some(vm_id) => self.store.vm(vm_id).await?,
            None => None,
        };
        let query = IntentQuery { environment: Some(id), only_open: true, ..IntentQuery::default() };
        let mut open_intents = self.store.intents(query).await?;
        open_intents.reverse();
        Ok(Some(ClaimedEnvironment { environment, vm, open_intents }))
    }

    async fn drive_to_rest(&self, work: &mut Work) -> Result<(), Interrupted> {
        loop {
            let action = lifecycle::next(&work.situation());
            if action == Action::Assign && self.assign(work).await? {
                continue;
            }
            let intent = self.prepare(work, &action).await?;
            let report = self.carry_out(work, &action, intent.as_ref()).await?;
            let now = self.clock.now();
            let context = Context { now, unit: self.random.unit(), policy: &self.settings.policy };
            let settled = match &action {
                Action::SettleOrder(intent) => Some(intent.as_ref()),
                _ => intent.as_ref(),
            };
            let transition = lifecycle::advance(&work.situation(), settled, report, &context);
            measure::environment(&work.environment, &transition.environment);
            let at_once = transition.new_vm.is_some();
            work.take(transition);
            if work.environment.wake_at.is_none_or(|wake_at| wake_at > now) {
                self.write(work, Lease::Release).await?;
                self.look_in_time(&work.environment);
                return Ok(());
            }
            if at_once {
                self.write(work, Lease::Keep).await?;
            }
        }
    }

    /// Takes a VM of the pool; whether there was one.
    async fn assign(&self, work: &mut Work) -> Result<bool, Interrupted> {
        self.write(work, Lease::Keep).await?;
        let now = self.clock.now();
        let context = Context { now, unit: self.random.unit(), policy: &self.settings.policy };
        let (environment, event) = lifecycle::assigned(&work.environment, &context);
        let assignment = Assignment {
            environment,
            lease: Lease::Keep,
            filter: PoolFilter {
                product: Some(self.settings.product.clone()),
                region: Some(self.settings.region.clone()),
                expires_at: work.environment.expires_at,
            },
            now,
            event,
        };
        let Some((environment, vm)) = self.store.assign_vm(assignment).await? else {
            return Ok(false);
        };
        // Put off beyond the end of its VM it would outlive it.
        self.bound_by_contract(&vm).await;
        work.environment = environment;
        work.vm = Some(vm);
        self.moved();
        Ok(true)
    }

    /// Writes down what is about to be written at a provider, together with everything that led to it.
    async fn prepare(&self, work: &mut Work, action: &Action) -> Result<Option<Intent>, Interrupted> {
        let Some(kind) = action.intent_kind() else {
            return Ok(None);
        };
        let known = work.situation().open_intent(kind).cloned();
        let intent = match known {
            Some(intent) => intent,
            None => self.new_intent(&NewIntent {
                kind,
                environment: Some(&work.environment),
                vm_id: work.environment.vm_id,
                subject: match action {
                    Action::WriteRecord { .. } | Action::WithdrawRecord => work.environment.domain.to_string(),
                    _ => work.environment.vm_display_name(),
                },
            }),
        };
        let intent = self.with_call_home(intent);
        work.unwritten.intents.push(intent.row.clone());
        self.write(work, Lease::Keep).await?;
        work.order_gate = None;
        if !self.leases.holds(work.claimed_at) {
            return Err(Interrupted::Lost);
        }
        self.call_home_tokens.remember(&intent);
        Ok(Some(intent.row))
    }

    async fn carry_out(
        &self,
        work: &mut Work,
        action: &Action,
        intent: Option<&Intent>,
    ) -> Result<Report, Interrupted> {
        let environment = &work.environment;
        Ok(match action {
            Action::Rest | Action::BeginDeletion => Report::Nothing,
            Action::AwaitRelease => {
                // The VM in hand may have news that the store has not: they go first.
                let vm_id = environment.vm_id;
                self.write(work, Lease::Keep).await?;
                if let Some(vm_id) = vm_id {
                    work.vm = self.store.vm(vm_id).await?;
                }
                Report::Nothing
            }
            Action::Assign => {
                work.order_gate = Some(Arc::clone(&self.order_gate).lock_owned().await);
                Report::PoolEmpty { hold: self.hold(None).await? }
            }
            Action::Order => match self.over_limit(intent).await? {
                Some(failure) => Report::OrderFailed(failure),
                None => self.order(environment, intent).await,
            },
            Action::SettleOrder(intent) => self.what_came(intent).await?.into(),
            Action::NameVm(vm_id) => {
                let name = environment.vm_display_name();
                Report::Named(self.name_vm(*vm_id, &name, intent).await)
            }
            Action::InstallVm(vm_id) => {
                let data = self.environment_user_data(environment, intent);
                Report::InstallAccepted(self.install_vm(*vm_id, data, intent).await)
            }
            Action::StartVm(vm_id) => Report::Started(self.start_vm(*vm_id, intent).await),
            Action::ObserveVm(vm_id) => self.observe(*vm_id).await.map_or_else(Report::ReadFailed, Report::VmSeen),
            Action::ReachVm(address) => Report::Reached(self.accepts(*address).await),
            Action::WriteRecord { address, read_first } => {
                Report::Written(self.write_record(environment, *address, *read_first, work.claimed_at).await)
            }
            Action::AskServers => self.ask_servers(environment).await,
            Action::WithdrawRecord => Report::Withdrawn(self.withdraw_record(environment, work.claimed_at).await),
        })
    }

    /// Counted once more with the order's own intent in the store: of several replicas that counted at the same time,
    /// at least one sees the other's.
    async fn over_limit(&self, intent: Option<&Intent>) -> Result<Option<Failure>, Interrupted> {
        let hold = self.hold(intent.map(|intent| intent.id)).await?;
        Ok(hold.map(|hold| Failure::wait(format!("nothing was ordered: {hold}"), None)))
    }

    async fn write(&self, work: &mut Work, lease: Lease) -> Result<(), Interrupted> {
        if lease == Lease::Keep && !work.is_dirty() {
            return Ok(());
        }
        let mut changes = std::mem::take(&mut work.unwritten);
        changes.environments.push((work.environment.clone(), lease));
        let had_vm = !changes.vms.is_empty();
        let vms_due = changes.vms.iter().any(|(vm, _)| vm.wake_at.is_some());
        let written = self.store.commit(changes).await?;
        if let Some((environment, _)) = written.environments.into_iter().next() {
            work.environment = environment;
        }
        if let Some(vm) = written.new_vms.into_iter().next() {
            work.vm = Some(vm);
        } else if had_vm && let Some((vm, _)) = written.vms.into_iter().next() {
            work.vm = Some(vm);
        }
        if vms_due {
            self.vms_due.notify_one();
        }
        self.moved();
        Ok(())
    }
}

impl Work {
    fn new(claimed: ClaimedEnvironment, claimed_at: Timestamp) -> Self {
        let ClaimedEnvironment { environment, vm, open_intents } = claimed;
        Self { environment, vm, open_intents, claimed_at, unwritten: Changes::default(), order_gate: None }
    }

    fn situation(&self) -> Situation<'_> {
        Situation { environment: &self.environment, vm: self.vm.as_ref(), open_intents: &self.open_intents }
    }

    fn is_dirty(&self) -> bool {
        let unwritten = &self.unwritten;
        !(unwritten.events.is_empty()
            && unwritten.intents.is_empty()
            && unwritten.vms.is_empty()
            && unwritten.new_vms.is_empty())
    }

    fn take(&mut self, transition: Transition) {
        let Transition { environment, vm, new_vm, intents, event } = transition;
        self.environment = environment;
        for intent in intents {
            self.open_intents.retain(|known| known.id != intent.id);
            if intent.outcome.is_open() {
                self.open_intents.push(intent.clone());
            }
            self.unwritten.intents.retain(|known| known.id != intent.id);
            self.unwritten.intents.push(intent);
        }
        self.unwritten.events.extend(event);
        if let Some(vm) = vm {
            self.unwritten.vms = vec![(vm.clone(), Lease::Release)];
            self.vm = Some(vm);
        }
        if let Some(vm) = new_vm {
            self.unwritten.new_vms = vec![vm.clone()];
            self.vm = Some(vm);
        }
    }
}
