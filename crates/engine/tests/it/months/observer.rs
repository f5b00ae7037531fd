//! Looks at the account, past the engine, and compares it with the rows: who has what, and what is paid.

use std::collections::HashMap;
use std::sync::Arc;

use alfred_local_cloud::LocalCloud;
use alfred_local_cloud::contabo::Contract;
use alfred_model::environment::{Environment, Status, Wish};
use alfred_model::id::{EnvironmentId, VmId};
use alfred_model::intent::{Intent, IntentKind, Outcome};
use alfred_model::pool::OrderRules;
use alfred_model::seam::Clock;
use alfred_model::vm::{DISPLAY_NAME_PREFIX, Vm, VmState};
use alfred_store::{EnvironmentQuery, IntentQuery, Store};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::world::{Process, World};

/// Who had a VM last, and how often it had been installed anew by then.
struct Use {
    environment: EnvironmentId,
    wiped: u32,
}

pub(super) struct Observer {
    cloud: LocalCloud,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    rules: OrderRules,
    uses: HashMap<VmId, Use>,
    /// Before when a VM was not to be given away, as its row said last.
    assignable: HashMap<VmId, Timestamp>,
    /// How often the VM of an active environment had been installed anew when it was seen first.
    installed: HashMap<EnvironmentId, u32>,
    /// So many environments got a VM whose contract was cancelled.
    pub(super) served_by_cancelled: u64,
}

/// Contracts of ours.
pub(super) fn ours(cloud: &LocalCloud) -> Vec<Contract> {
    let all = cloud.contabo().contracts().into_iter();
    all.filter(|contract| contract.display_name.starts_with(DISPLAY_NAME_PREFIX)).collect()
}

impl Observer {
    pub(super) fn new(world: &World) -> Self {
        Self {
            cloud: world.cloud.clone(),
            store: Arc::clone(&world.store),
            clock: Arc::clone(&world.clock),
            rules: world.policy.orders.clone(),
            uses: HashMap::new(),
            assignable: HashMap::new(),
            installed: HashMap::new(),
            served_by_cancelled: 0,
        }
    }

    pub(super) async fn look(&mut self, process: Option<&Process>) {
        let now = self.clock.now();
        let contracts = ours(&self.cloud);
        let vms = self.store.vms(true).await.expect("the store answers");
        let rows: HashMap<i64, &Vm> = vms.iter().map(|vm| (vm.id.0, vm)).collect();
        self.spending_is_capped(&contracts, now);
        let running: Vec<&Contract> = contracts.iter().filter(|contract| contract.runs(now)).collect();
        self.all_are_known(&running, &rows, process).await;
        let environments = self.environments().await;
        for vm in vms.iter().filter(|vm| vm.state == VmState::Assigned) {
            let contract = contracts.iter().find(|contract| contract.instance == vm.id.0);
            let id = vm.environment_id.expect("promise 6: assigned to nobody");
            let environment = environments.get(&id).expect("promise 6: assigned to somebody who is not there");
            self.is_rightly_used(vm, contract.expect("a row without a contract"), environment, now);
        }
        for vm in vms.iter().filter(|vm| vm.state != VmState::Assigned) {
            self.assignable.remove(&vm.id);
            self.assignable.extend(vm.assignable_at.map(|at| (vm.id, at)));
        }
        for environment in environments.values().filter(|one| one.status == Status::Active) {
            self.is_left_alone(environment, &contracts, now);
        }
    }

    async fn environments(&self) -> HashMap<EnvironmentId, Environment> {
        let all = self.store.environments(EnvironmentQuery::default()).await.expect("the store answers");
        all.into_iter().map(|environment| (environment.id, environment)).collect()
    }

    /// Promise 1: each VM is a row that has not ended, or on order, or reported by the audit.
    async fn all_are_known(&self, running: &[&Contract], rows: &HashMap<i64, &Vm>, process: Option<&Process>) {
        let query = IntentQuery { kind: Some(IntentKind::OrderVm), ..IntentQuery::default() };
        let orders: Vec<Intent> = self.store.intents(query).await.expect("the store answers");
        for contract in running {
            let row = rows.get(&contract.instance);
            let ended = row.is_some_and(|vm| vm.state == VmState::Ended);
            assert!(!ended, "promise 1: VM {} has ended by the store and not at the provider", contract.instance);
            let on_order = |order: &Intent| order.outcome.is_open() && order.subject == contract.display_name;
            if row.is_some() || orders.iter().any(on_order) {
                continue;
            }
            let Some(process) = process else { continue };
            // Where the providers cannot be read now, the next look asks again.
            let Ok(report) = process.engine.audit().await else { continue };
            let reported =
                report.findings.iter().any(|one| one.finding.vm_id.is_some_and(|id| id.0 == contract.instance));
            // A list may lag behind an order by as much as this.
            let new = contract.ordered_at > self.clock.now() - jiff::SignedDuration::from_mins(2);
            assert!(reported || new, "promise 1: {contract:?} is paid for and nobody knows it: {:#?}", report.findings);
            let given_up = orders.iter().any(|order| {
                order.subject == contract.display_name
                    && matches!(order.outcome, Outcome::Abandoned | Outcome::Rejected)
            });
            assert!(given_up, "promise 5: nobody ordered {contract:?}");
        }
    }

    /// By the account's own records, whatever the ledger says.
    fn spending_is_capped(&self, contracts: &[Contract], now: Timestamp) {
        let owned = contracts.iter().filter(|contract| contract.runs(now)).count();
        let most = usize::try_from(self.rules.owned_max).expect("a small number");
        assert!(owned <= most, "{owned} VMs are owned and {most} may be");
        let Some(most) = self.rules.month_max else { return };
        let mut months: HashMap<Date, u32> = HashMap::new();
        for contract in contracts {
            let month = contract.ordered_at.to_zoned(TimeZone::UTC).date().first_of_month();
            *months.entry(month).or_default() += 1;
        }
        for (month, count) in months {
            assert!(count <= most, "{count} VMs were bought in the month of {month} and {most} may be");
        }
    }

    /// Promises 4 and 6, and that nobody has a VM for longer than there is one.
    fn is_rightly_used(&mut self, vm: &Vm, contract: &Contract, environment: &Environment, now: Timestamp) {
        let id = vm.id;
        assert!(contract.runs(now), "VM {id} has ended and {} has it", environment.slug);
        if let Some(ends_at) = contract.ends_at {
            let leaves_at = environment.expires_at;
            assert!(
                leaves_at.is_some_and(|at| at < ends_at),
                "VM {id} ends at {ends_at} and belongs to {} until {leaves_at:?}",
                environment.slug
            );
        }
        let before = self.uses.get(&id);
        if before.is_none_or(|before| before.environment != environment.id) {
            if let Some(before) = before {
                assert!(contract.wiped > before.wiped, "promise 6: VM {id} was given to {} unwiped", environment.slug);
            }
            let given_at = environment.assigned_at.expect("whoever has a VM was given it");
            if let Some(assignable_at) = self.assignable.get(&id) {
                assert!(
                    given_at >= *assignable_at,
                    "promise 4: VM {id} was given away at {given_at}, not {assignable_at}"
                );
            }
            let cancelled = contract.cancelled_at.is_some_and(|cancelled_at| cancelled_at < given_at);
            self.served_by_cancelled += u64::from(cancelled);
        }
        self.uses.insert(id, Use { environment: environment.id, wiped: contract.wiped });
    }

    /// Nothing is installed over an environment that is in use.
    fn is_left_alone(&mut self, environment: &Environment, contracts: &[Contract], now: Timestamp) {
        let id = environment.vm_id.expect("active without a VM");
        let contract = contracts.iter().find(|contract| contract.instance == id.0).expect("active without a contract");
        if environment.wish == Wish::Present {
            assert!(contract.runs(now), "{} is active and VM {id} is gone", environment.slug);
        }
        let wiped = *self.installed.entry(environment.id).or_insert(contract.wiped);
        assert_eq!(contract.wiped, wiped, "promise 6: VM {id} was installed anew while {} had it", environment.slug);
    }
}
