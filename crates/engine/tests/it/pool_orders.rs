//! Orders whose answer is lost, or whose process ends, at every point: for an environment, by a person, and by the pool
//! itself. Where a VM was bought, exactly one is known in the end and within the grace; where nobody can know, nothing is
//! sent again and a person is told.

mod replicas;
mod trap;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use alfred_local_cloud::contabo::{Contract, Delay, ZeroRows};
use alfred_local_cloud::faults::{Fault, Rule};
use alfred_local_cloud::{Options, contabo};
use alfred_model::audit::FindingKind;
use alfred_model::environment::{Status, Step};
use alfred_model::id::EnvironmentId;
use alfred_model::intent::{Intent, IntentKind, Outcome};
use alfred_model::policy::{Policy, later};
use alfred_model::pool::Wanted;
use alfred_model::vm::{DISPLAY_NAME_PREFIX, VmState};
use alfred_providers::transport::Transport;
use alfred_store::{IntentQuery, MemoryStore};

use crate::faults::faults;
use crate::world::{Process, World};
use trap::{Moment, Trap, Trapped};

/// Everything that comes of an order within the grace has come by then, and people were told of the rest.
const SOON: Duration = Duration::from_mins(32);

/// Also what shows after the grace has come by then.
const LATE: Duration = Duration::from_mins(80);

/// Who buys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Buyer {
    /// An environment that found the pool empty.
    Environment,
    /// A person, for the pool.
    Person,
    /// The pool itself.
    Pool,
}

/// How the provider's audits behave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Audits {
    Prompt,
    /// After minutes; so do its lists.
    Late,
    /// They show nothing before the grace is over; nor do lists.
    AfterGrace,
    /// The only line names the instance 0.
    WithoutNumber,
    /// Two lines, and one names the instance 0.
    Doubled,
    /// The same lines on two pages.
    Repeated,
}

impl Audits {
    const ALL: [Self; 6] =
        [Self::Prompt, Self::Late, Self::AfterGrace, Self::WithoutNumber, Self::Doubled, Self::Repeated];

    fn options(self) -> contabo::Options {
        let mut options = contabo::Options::demo();
        let lag = |minutes: i64| Delay::seconds(minutes * 60, 0);
        match self {
            Self::Prompt => {}
            Self::Late => {
                options.audit_lag = lag(6);
                options.unlisted_after_create = lag(4);
                options.unreadable_after_create = lag(4);
            }
            Self::AfterGrace => {
                options.audit_lag = lag(40);
                options.unlisted_after_create = lag(40);
                options.unreadable_after_create = lag(40);
            }
            Self::WithoutNumber => options.zero_rows = ZeroRows::Instead,
            Self::Doubled => options.zero_rows = ZeroRows::Extra,
            Self::Repeated => {
                options.zero_rows = ZeroRows::Extra;
                options.duplicate_pages = true;
                options.page_size_max = 1;
            }
        }
        options
    }
}

/// What must come of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    /// One VM, known.
    Known,
    /// Nothing was bought, and nobody can know: it waits, and a person is told.
    Waits,
    /// Nothing was bought, and that is known.
    Refused,
    /// Nothing was ever asked of the provider.
    Nothing,
}

#[derive(Debug, Clone)]
struct Case {
    buyer: Buyer,
    moment: Moment,
    audits: Audits,
    fault: Option<(&'static str, Fault)>,
}

impl Case {
    fn carried_out(&self) -> bool {
        match &self.fault {
            Some((_, Fault::LostBefore)) => false,
            Some((_, Fault::Status { after, .. } | Fault::Html { after, .. })) => *after,
            None | Some(_) => true,
        }
    }

    fn refused(&self) -> bool {
        matches!(self.fault, Some((_, Fault::Status { status: 429, .. })))
    }

    fn expected(&self) -> End {
        match self.moment {
            Moment::BeforeIntent if self.buyer == Buyer::Person => return End::Nothing,
            Moment::AfterIntent | Moment::Lost => return End::Waits,
            _ => {}
        }
        let forgotten = matches!(self.moment, Moment::Sent | Moment::Answered | Moment::BeforeSettle);
        match (self.carried_out(), self.refused() && !forgotten) {
            // People are told; environments and the pool try again when the audits know of nothing.
            (false, true) if self.buyer == Buyer::Person => End::Refused,
            (true, _) | (false, true) => End::Known,
            (false, false) => End::Waits,
        }
    }

    fn world(&self, trap: &Arc<Trap>) -> World {
        let mut world = World::with(300, Options { contabo: self.audits.options(), ..Options::default() });
        world.policy = Policy::platform();
        world.policy.orders.allowed = true;
        world.policy.vm_interval = Duration::from_mins(1);
        // What a dead process had in hand comes free after this.
        world.lease = Duration::from_mins(10);
        world.policy.pool.patience = Duration::ZERO;
        if self.buyer == Buyer::Pool {
            world.policy.pool.ready = Wanted::Fixed(1);
        }
        world.store = Arc::new(MemoryStore::gated(Arc::clone(trap) as _));
        let trap = Arc::clone(trap);
        world.contabo_through =
            Some(Arc::new(move |wire| Arc::new(Trapped { wire, trap: Arc::clone(&trap) }) as Arc<dyn Transport>));
        if let Some((_, fault)) = &self.fault {
            let rule = Rule::new(fault.clone());
            world.cloud.faults().add(Rule {
                route: Some("contabo.instances.create".to_owned()),
                count: Some(1),
                ..rule
            });
        }
        world
    }
}

struct Run {
    case: Case,
    world: World,
    trap: Arc<Trap>,
    process: Process,
    environment: Option<EnvironmentId>,
}

impl Run {
    /// The buyer buys; its process ends where the case says so, and another one is started.
    async fn new(case: Case) -> Self {
        let trap = Trap::new(case.moment);
        let world = case.world(&trap);
        let mut process = world.start();
        let mut environment = None;
        let mut person = None;
        match case.buyer {
            Buyer::Environment => environment = Some(world.create(&process, 1).await[0].id),
            Buyer::Person => {
                let engine = Arc::clone(&process.engine);
                person = Some(tokio::spawn(async move { engine.order_vms(1, "root").await }));
            }
            Buyer::Pool => {}
        }
        if case.moment != Moment::Never {
            let sprung = tokio::time::timeout(Duration::from_mins(10), trap.sprung()).await;
            assert!(sprung.is_ok(), "{case:?}: the process never came to the point where it ends");
            if let Some(person) = person {
                person.abort();
            }
            drop(process);
            tokio::time::sleep(Duration::from_secs(5)).await;
            process = world.start();
        }
        Self { case, world, trap, process, environment }
    }

    fn contracts(&self) -> Vec<Contract> {
        let all = self.world.cloud.contabo().contracts();
        all.into_iter().filter(|contract| contract.display_name.starts_with(DISPLAY_NAME_PREFIX)).collect()
    }

    async fn orders(&self) -> Vec<Intent> {
        let query = IntentQuery { kind: Some(IntentKind::OrderVm), ..IntentQuery::default() };
        self.world.store.intents(query).await.expect("the store answers")
    }

    /// Nothing is ever sent twice, and nothing beyond what was wanted.
    fn nothing_doubled(&self) {
        let case = &self.case;
        for (request_id, times) in self.trap.sent_each() {
            assert_eq!(times, 1, "{case:?}: the order {request_id} was sent {times} times");
        }
        let sent = self.trap.posts().iter().filter(|post| !post.refused).count();
        assert!(sent <= 1, "{case:?}: {sent} orders for one VM");
        let bought = self.contracts().len();
        assert!(bought <= 1, "{case:?}: {bought} VMs were bought for one");
    }

    async fn judge(&self, expected: End) {
        self.nothing_doubled();
        let case = &self.case;
        let (contracts, orders) = (self.contracts(), self.orders().await);
        let open: Vec<&Intent> = orders.iter().filter(|order| order.outcome.is_open()).collect();
        match expected {
            End::Known => {
                assert_eq!(contracts.len(), 1, "{case:?}: one VM is bought: {orders:#?}");
                assert!(open.is_empty(), "{case:?}: {open:#?}");
                self.known(&contracts[0], &orders).await;
            }
            End::Waits => {
                assert_eq!(
                    (open.len(), open.first().map(|order| order.outcome)),
                    (1, Some(Outcome::Unknown)),
                    "{case:?}"
                );
                self.told(open[0]).await;
            }
            End::Refused => {
                assert!(contracts.is_empty() && open.is_empty(), "{case:?}: {orders:#?}");
                assert_eq!(orders[0].outcome, Outcome::Rejected, "{case:?}");
            }
            End::Nothing => assert!(contracts.is_empty() && orders.is_empty(), "{case:?}: {orders:#?}"),
        }
    }

    /// The VM has a row, was found in time, and is what was asked for.
    async fn known(&self, contract: &Contract, orders: &[Intent]) {
        let case = &self.case;
        let vms = self.world.store.vms(true).await.expect("the store answers");
        assert_eq!(vms.len(), 1, "{case:?}: {vms:#?}");
        let vm = &vms[0];
        assert_eq!(vm.id.0, contract.instance, "{case:?}");
        let order =
            orders.iter().find(|order| order.vm_id == Some(vm.id)).expect("the ledger joins the order to the VM");
        assert_eq!(order.outcome, Outcome::Done, "{case:?}");
        if case.audits != Audits::AfterGrace {
            let grace = later(order.created_at, self.world.policy.order_grace);
            assert!(vm.created_at <= grace, "{case:?}: found at {} and not by {grace}", vm.created_at);
        }
        let Some(id) = self.environment else {
            assert!(matches!(vm.state, VmState::Ready | VmState::Preparing), "{case:?}: {vm:#?}");
            return;
        };
        let environment = self.world.environment(id).await;
        assert_eq!((environment.vm_id, vm.environment_id), (Some(vm.id), Some(id)), "{case:?}");
    }

    /// The pool's view, the audit and the environment's row say that nobody knows.
    async fn told(&self, order: &Intent) {
        let case = &self.case;
        let view = self.process.engine.pool().await.expect("the store answers");
        let unknown: Vec<_> = view.unknown_orders.iter().map(|order| order.id).collect();
        assert_eq!(unknown, [order.id], "{case:?}");
        let report = self.process.engine.audit().await.expect("the providers answer");
        let found = report.findings.iter().any(|standing| standing.finding.kind == FindingKind::OrderUnknown);
        assert!(found, "{case:?}: {:#?}", report.findings);
        if let Some(id) = self.environment {
            let row = self.world.environment(id).await;
            assert!(row.attention && row.step == Step::OrderVm, "{case:?}: {row:#?}");
            let words = row.reason.as_deref().unwrap_or_default();
            assert!(words.contains(&order.request_id.to_string()), "{case:?}: {words}");
        }
    }

    /// In the end the VM works.
    async fn works(&self) {
        let vm = &self.world.store.vms(false).await.expect("the store answers")[0];
        match self.environment {
            Some(id) => assert_eq!(self.world.environment(id).await.status, Status::Active, "{:?}", self.case),
            None => assert_eq!(vm.state, VmState::Ready, "{:?}", self.case),
        }
    }
}

async fn live(case: Case) -> End {
    let end = case.expected();
    let run = Run::new(case).await;
    tokio::time::sleep(SOON).await;
    if run.case.audits == Audits::AfterGrace {
        // The answer itself named the VM, or the ledger had it before the process ended.
        let known = matches!(run.case.moment, Moment::Never | Moment::AfterSettle) && run.case.fault.is_none();
        run.judge(if known { End::Known } else { End::Waits }).await;
        tokio::time::sleep(LATE).await;
    }
    run.judge(end).await;
    if end == End::Known {
        run.works().await;
    }
    for rule in run.world.cloud.faults().rules() {
        assert_eq!(rule.fired, 1, "{:?}: the fault never struck, so this case shows nothing", run.case);
    }
    end
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for buyer in [Buyer::Environment, Buyer::Person, Buyer::Pool] {
        for moment in Moment::ALL {
            for audits in Audits::ALL {
                let faults = faults().into_iter().map(Some).chain([None]);
                cases
                    .extend(faults.map(|fault| Case { buyer, moment, audits, fault }).filter(Case::says_something_new));
            }
        }
    }
    cases
}

impl Case {
    /// A fault says nothing where no order is sent. How the audits behave matters where a VM was bought, and then not how
    /// exactly the answer was lost.
    fn says_something_new(&self) -> bool {
        let person_stopped = self.buyer == Buyer::Person && self.moment == Moment::BeforeIntent;
        let sent = !person_stopped && !matches!(self.moment, Moment::AfterIntent | Moment::Lost);
        let lost = matches!(self.fault, None | Some((_, Fault::LostAfter | Fault::Delay { after: false, .. })));
        match self.audits {
            Audits::Prompt => sent || self.fault.is_none(),
            _ => sent && lost && self.moment != Moment::BeforeIntent,
        }
    }
}

#[test]
fn a_lost_order_is_one_vm_or_a_question_to_a_person() {
    let (mut ends, cases) = (BTreeMap::<End, u32>::new(), cases());
    let count = cases.len();
    for case in cases {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .expect("a runtime can be made");
        *ends.entry(runtime.block_on(live(case))).or_default() += 1;
    }
    println!("lost orders: {count} cases: {ends:?}");
    assert!(ends.len() == 4, "each end was met: {ends:?}");
}
