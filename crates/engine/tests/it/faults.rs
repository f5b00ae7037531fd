//! The fault matrix: each fault on each kind of call that the ways through an environment's life make. The end must be
//! right, nothing doubled, nothing foreign touched, and no fault may provoke a storm of calls.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use alfred_engine::CreateEnvironments;
use alfred_local_cloud::contabo::OrderOutcome;
use alfred_local_cloud::faults::{Fault, Rule};
use alfred_local_cloud::{Options, contabo};
use alfred_model::audit::FindingKind;
use alfred_model::environment::{Environment, OnFailure, Setup, Status, Step};
use alfred_model::vm::{VmState, VmStep};

use crate::promises;
use crate::view;
use crate::world::{Process, World, request};

const LONG: Duration = Duration::from_hours(1);

/// A way through an environment's life, and the kinds of call that are made on it alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Created, then deleted.
    Plain,
    /// As plain, and the answer to its order is lost.
    LostOrder,
    /// It fails for good and its VM is cancelled.
    Retired,
    /// It takes a VM of the pool and has it installed with its owner's settings.
    Personal,
}

impl Way {
    const ALL: [Self; 4] = [Self::Plain, Self::LostOrder, Self::Retired, Self::Personal];

    fn routes(self) -> &'static [&'static str] {
        match self {
            Self::Plain => &[
                "contabo.token",
                "contabo.instances.create",
                "contabo.instances.list",
                "contabo.instances.rename",
                "contabo.instances.reinstall",
                "cloudflare.records.batch",
                "cloudflare.records.list",
            ],
            Self::LostOrder => &["contabo.instances.audits", "contabo.instances.get"],
            Self::Retired => &["contabo.instances.cancel", "contabo.instances.list"],
            Self::Personal => &["contabo.instances.reinstall", "contabo.instances.rename"],
        }
    }
}

pub(crate) fn faults() -> Vec<(&'static str, Fault)> {
    let status = |status, retry_after| Fault::Status { status, retry_after, body: None, after: false };
    vec![
        ("lost before", Fault::LostBefore),
        ("lost after commit", Fault::LostAfter),
        ("429 with retry-after", status(429, Some(2))),
        ("429 without retry-after", status(429, None)),
        ("500", status(500, None)),
        ("502", status(502, None)),
        ("500 after commit", Fault::Status { status: 500, retry_after: None, body: None, after: true }),
        ("too slow", Fault::Delay { ms: 60_000, after: true }),
        ("carried out late", Fault::Delay { ms: 60_000, after: false }),
        ("cut body", Fault::CutBody),
        ("HTML body", Fault::Html { status: 200, after: true }),
        ("HTML body instead", Fault::Html { status: 502, after: false }),
    ]
}

/// Whether the fault may leave an order of which nobody can know anything: then a person is called, and nothing else
/// may happen.
fn order_may_stay_unknown(route: &str, fault: &Fault) -> bool {
    route == "contabo.instances.create"
        && match fault {
            Fault::LostBefore | Fault::Html { after: false, .. } | Fault::Delay { after: false, .. } => true,
            Fault::Status { status, after: false, .. } => *status != 429,
            _ => false,
        }
}

struct Case {
    what: String,
    world: World,
    process: Process,
    route: &'static str,
    fault: Fault,
}

impl Case {
    async fn new(way: Way, route: &'static str, name: &str, fault: Fault, count: u64) -> Self {
        let what = format!("{way:?}: {name} × {count} on {route}");
        let mut world = World::with(100, Options { contabo: contabo::Options::demo(), ..Options::default() });
        // A 429 without a word on how long means Cloudflare's block of five minutes.
        world.policy.step_deadline = Duration::from_mins(30);
        view::plant_foreign(&world.cloud).await;
        if way == Way::Retired {
            // Another installation would mend what the order is made to suffer from.
            world.policy.reinstalls_max = 0;
        }
        let process = world.start();
        if way == Way::Personal {
            let first = world.create(&process, 1).await.remove(0);
            assert!(world.settle(LONG).await, "{what}");
            process.engine.delete(first.id, &first.owner).await.expect("the store and the providers answer");
            assert!(world.settle(LONG).await, "{what}");
            tokio::time::sleep(world.policy.name_rest).await;
        }
        if way == Way::LostOrder {
            let rule = Rule::new(Fault::LostAfter);
            let lost = Rule { route: Some("contabo.instances.create".to_owned()), count: Some(1), ..rule };
            world.cloud.faults().add(lost);
        }
        if way == Way::Retired {
            world.cloud.contabo().next_order(OrderOutcome::Error);
        }
        world.cloud.journal().clear();
        let rule = Rule { route: Some(route.to_owned()), count: Some(count), ..Rule::new(fault.clone()) };
        world.cloud.faults().add(rule);
        Self { what, world, process, route, fault }
    }

    async fn rests(&self) {
        assert!(self.world.settle(LONG).await, "{}: it never came to rest", self.what);
        promises::hold(&self.world).await;
    }

    async fn create(&self, way: Way) -> Environment {
        let script = (way == Way::Personal).then(|| "#!/bin/sh\ntrue\n".to_owned());
        let on_failure = if way == Way::Retired { OnFailure::Retire } else { OnFailure::Pool };
        let asked = CreateEnvironments { setup: Setup { script, ..Setup::default() }, on_failure, ..request(1) };
        let made = self.process.engine.create(asked).await.expect("the store and the providers answer").remove(0);
        self.rests().await;
        let mut row = self.world.environment(made.id).await;
        while row.step == Step::OrderVm && row.attention {
            assert!(order_may_stay_unknown(self.route, &self.fault), "{}: {:?}", self.what, row.reason);
            // A person takes some time, so that what is carried out late is found after all.
            tokio::time::sleep(Duration::from_mins(2)).await;
            if view::machines(&self.world.cloud).await.len() == 1 {
                self.process
                    .engine
                    .retry(made.id, true, &made.owner)
                    .await
                    .expect("the store and the providers answer");
            }
            self.rests().await;
            row = self.world.environment(made.id).await;
        }
        row
    }

    async fn delete(&self, made: &Environment) {
        self.process.engine.delete(made.id, &made.owner).await.expect("the store and the providers answer");
        self.rests().await;
        assert_eq!(self.world.environment(made.id).await.status, Status::Deleted, "{}", self.what);
    }

    /// The fault struck, nothing is left over, and what was called how often.
    async fn end(self, calls: &mut BTreeMap<&'static str, u64>) {
        let what = self.what;
        for rule in self.world.cloud.faults().rules() {
            assert!(rule.fired >= 1, "{what}: the fault never struck, so this case shows nothing");
        }
        // What is carried out late has happened by now.
        tokio::time::sleep(Duration::from_mins(2)).await;
        let mut findings = self.process.engine.audit().await.expect("the store and the providers answer").findings;
        if self.route == "contabo.instances.rename" && matches!(self.fault, Fault::Delay { after: false, .. }) {
            // A label that arrives after a newer one is told, and harms nobody.
            findings.retain(|standing| standing.finding.kind != FindingKind::VmNameUnknown);
        }
        assert!(findings.is_empty(), "{what}: {findings:#?}");
        for (route, count) in self.world.cloud.journal().count_by_route() {
            assert!(count <= limit(route), "{what}: {count} calls of {route}");
            let most = calls.entry(route).or_default();
            *most = count.max(*most);
        }
    }
}

/// No case may call more often. Writes are sent once, again after each fault, and once more where nobody knows; reads
/// go on for as long as something is waited for: every 0.2 s for a VM, every 5 s for an order that a person settles.
fn limit(route: &str) -> u64 {
    match route {
        "contabo.instances.list" => 110,
        "contabo.instances.audits" => 100,
        "cloudflare.records.list" => 9,
        "contabo.instances.create" => 4,
        _ => 6,
    }
}

async fn live(way: Way, case: Case, calls: &mut BTreeMap<&'static str, u64>) {
    let foreign = view::foreign(&case.world.cloud).await;
    let row = case.create(way).await;
    let what = &case.what;
    let machines = view::machines(&case.world.cloud).await.len();
    if way == Way::Retired {
        assert_eq!((row.status, row.step), (Status::Error, Step::Settled), "{what}: {:?}", row.reason);
        let vms = case.world.store.vms(false).await.expect("the store and the providers answer");
        assert_eq!((vms[0].state, vms[0].step), (VmState::Retiring, VmStep::Settled), "{what}");
        assert!(vms[0].cancel_date.is_some(), "{what}: the provider's own date");
    } else {
        assert_eq!(row.status, Status::Active, "{what}: {:?}", row.reason);
    }
    assert_eq!(machines, 2, "{what}: one VM was bought");
    case.delete(&row).await;
    assert_eq!(view::foreign(&case.world.cloud).await, foreign, "promise 3: {what}: something foreign was touched");
    case.end(calls).await;
}

#[tokio::test(start_paused = true)]
async fn each_fault_on_each_kind_of_call_ends_right() {
    let (mut tried, mut calls) = (0, BTreeMap::new());
    for way in Way::ALL {
        for route in way.routes() {
            for (name, fault) in faults() {
                for count in [1, 3] {
                    live(way, Case::new(way, route, name, fault.clone(), count).await, &mut calls).await;
                    tried += 1;
                }
            }
        }
    }
    println!("fault matrix: {tried} cases; most calls in one case: {calls:#?}");
}

#[tokio::test(start_paused = true)]
async fn silent_name_servers_delay_and_break_nothing() {
    for silent in [1, 3, 40] {
        let world = World::new(200);
        let process = world.start();
        world.silence.next.store(silent, Ordering::Relaxed);
        let made = world.create(&process, 1).await.remove(0);
        assert!(world.settle(LONG).await);
        promises::hold(&world).await;
        assert_eq!(world.environment(made.id).await.status, Status::Active, "{silent} questions without an answer");
        world.silence.next.store(silent, Ordering::Relaxed);
        process.engine.delete(made.id, &made.owner).await.unwrap();
        assert!(world.settle(LONG).await);
        promises::hold(&world).await;
        assert_eq!(world.environment(made.id).await.status, Status::Deleted, "{silent} questions without an answer");
        assert_eq!(world.silence.fired.load(Ordering::Relaxed), 2 * silent);
        let asked = world.silence.asked.load(Ordering::Relaxed);
        assert!(asked <= 2 * silent + 10, "{asked} questions");
        assert!(world.counts.total() <= 80, "{} calls: the API is not asked instead", world.counts.total());
    }
}

/// Another installation on the same account has a VM for the same slug. A lost order must not take it for its own.
#[tokio::test(start_paused = true)]
async fn a_vm_of_the_same_name_that_another_request_bought_is_not_adopted() {
    let world = World::new(77);
    view::plant_vm(&world.cloud, "alfredos-twin-otter").await;
    let before = view::machines(&world.cloud).await;
    let lost =
        Rule { route: Some("contabo.instances.create".to_owned()), count: Some(1), ..Rule::new(Fault::LostBefore) };
    world.cloud.faults().add(lost);
    let process = world.start();
    let asked = CreateEnvironments { slug: Some("twin-otter".parse().unwrap()), ..request(1) };
    let made = process.engine.create(asked).await.unwrap().remove(0);
    assert!(world.settle(LONG).await);
    let row = world.environment(made.id).await;
    assert!(row.attention && row.step == Step::OrderVm && row.vm_id.is_none(), "{row:#?}");
    assert_eq!(view::machines(&world.cloud).await, before, "promise 3: somebody else's VM was touched");
}

/// The same while the audits are behind: who looks early sees a VM of that name and nobody who bought it.
#[tokio::test(start_paused = true)]
async fn a_vm_of_the_same_name_is_not_believed_while_the_audits_lag() {
    let mut options = contabo::Options::demo();
    options.audit_lag = contabo::Delay::millis(2_000, 0);
    let world = World::with(78, Options { contabo: options, ..Options::default() });
    let lost =
        Rule { route: Some("contabo.instances.create".to_owned()), count: Some(1), ..Rule::new(Fault::LostBefore) };
    let process = world.start();
    view::plant_vm(&world.cloud, "alfredos-twin-otter").await;
    // Both VMs are bought, or not, within the same second.
    world.cloud.faults().add(lost);
    let asked = CreateEnvironments { slug: Some("twin-otter".parse().unwrap()), ..request(1) };
    let made = process.engine.create(asked).await.unwrap().remove(0);
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    process.engine.retry(made.id, false, &made.owner).await.unwrap();
    assert!(world.settle(LONG).await);
    let row = world.environment(made.id).await;
    assert!(row.attention && row.step == Step::OrderVm && row.vm_id.is_none(), "{row:#?}");
    assert_eq!(view::machines(&world.cloud).await[0].wiped, 0, "promise 3: somebody else's VM was touched");
}
