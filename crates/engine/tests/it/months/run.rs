//! One run: people come and go for months, things go wrong, processes end, and a person does the chores each day.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use alfred_engine::CreateEnvironments;
use alfred_local_cloud::Options;
use alfred_local_cloud::contabo::Delay;
use alfred_model::environment::{Status, Step};
use alfred_model::id::{EnvironmentId, VmId};
use alfred_model::intent::{IntentKind, Outcome};
use alfred_model::policy::{Policy, later};
use alfred_model::pool::Wanted;
use alfred_model::vm::{Vm, VmState};
use alfred_store::{EnvironmentQuery, IntentQuery};
use jiff::Timestamp;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::bill::{Bill, Served};
use super::demand::{self, Stay, TICK};
use super::guard::Guard;
use super::observer::{Observer, ours};
use super::weather::{self, Weather, chance};
use crate::promises;
use crate::view;
use crate::world::{Process, World, request};

/// In so many ticks a day has passed.
const DAY: u64 = 144;

/// So long may it take until everything rests once nothing goes wrong any more.
const REST_DAYS: u64 = 3;

/// After so many days a VM that needs a person is given up.
const GIVEN_UP: u32 = 4;

/// Who is there, and in which tick they leave.
struct Guest {
    id: EnvironmentId,
    leaves: u64,
    told: bool,
    left_at: Option<Timestamp>,
}

/// What came of a run.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Months {
    pub(super) asked: usize,
    pub(super) pool: Bill,
    pub(super) each: Bill,
    pub(super) orders: usize,
    pub(super) cancelled: usize,
    pub(super) served_by_cancelled: u64,
    pub(super) crashes: u32,
    pub(super) rule: String,
}

pub(super) struct Run {
    dice: StdRng,
    world: World,
    guard: std::sync::Arc<Guard>,
    observer: Observer,
    weather: Weather,
    processes: Vec<Process>,
    replicas: usize,
    resumes_at: Option<u64>,
    stays: std::vec::IntoIter<Stay>,
    ticks: u64,
    guests: Vec<Guest>,
    /// How often a person tried a VM again that does not come up.
    tried: HashMap<VmId, u32>,
    delays: [Delay; 3],
    crashes: u32,
}

fn policy(dice: &mut StdRng) -> Policy {
    let mut policy = Policy::platform();
    policy.vm_interval = Duration::from_mins(2);
    policy.reach_interval = Duration::from_mins(1);
    policy.dns_interval = Duration::from_secs(10);
    policy.backoff_base = Duration::from_secs(5);
    policy.backoff_cap = Duration::from_mins(15);
    policy.orders.allowed = true;
    policy.orders.owned_max = dice.random_range(10..45);
    policy.orders.month_max = chance(dice, 60).then(|| dice.random_range(6..30));
    policy.pool.ready = if chance(dice, 70) {
        Wanted::Forecast { at_least: dice.random_range(0..2), at_most: dice.random_range(3..12) }
    } else {
        Wanted::Fixed(dice.random_range(0..4))
    };
    policy.pool.lapse = chance(dice, 75);
    policy.pool.slack = dice.random_range(0..2);
    policy.pool.interval = Duration::from_mins(15);
    policy.pool.look_interval = Duration::from_hours(4);
    policy
}

impl Run {
    pub(super) fn new(seed: u64, days: u64) -> Self {
        let mut dice = StdRng::seed_from_u64(seed);
        let contabo = weather::cloud(&mut dice);
        let delays = [contabo.provisioning, contabo.installing, contabo.boot];
        let options = Options { contabo, journal_capacity: 100, ..Options::default() };
        let mut world = World::with(seed, options);
        world.policy = policy(&mut dice);
        // How often idle loops look follows from it, and that is most of what a simulated month costs.
        world.lease = Duration::from_hours(2);
        world.policy.quota = None;
        let guard = Guard::new(
            world.cloud.clone(),
            std::sync::Arc::clone(&world.store),
            std::sync::Arc::clone(&world.clock),
            world.policy.clone(),
        );
        world.contabo_through = Some(guard.through());
        let ticks = days * DAY;
        let stays = demand::draw(&mut dice, world.clock.now(), ticks).into_iter();
        let observer = Observer::new(&world);
        let replicas = if chance(&mut dice, 40) { 2 } else { 1 };
        Self {
            observer,
            guard,
            stays,
            ticks,
            delays,
            replicas,
            dice,
            world,
            weather: Weather::default(),
            processes: Vec::new(),
            resumes_at: None,
            guests: Vec::new(),
            tried: HashMap::new(),
            crashes: 0,
        }
    }

    pub(super) async fn play(mut self) -> Months {
        for tick in 0..self.ticks {
            self.people(tick).await;
            self.fate(tick).await;
            if tick % DAY == 60 {
                self.chores().await;
            }
            if tick % 3 == 0 {
                self.guard.judge();
                self.observer.look(self.processes.first()).await;
            }
            tokio::time::sleep(TICK).await;
        }
        let months = self.months().await;
        self.rest().await;
        months
    }

    /// Whoever knows how long they stay says so, and is deleted by itself; the others go when they go.
    async fn people(&mut self, tick: u64) {
        let now = self.world.clock.now();
        for guest in self.guests.iter_mut().filter(|guest| guest.leaves == tick) {
            guest.left_at = Some(now);
            if !guest.told {
                self.world.store.wish_absent(guest.id, "alice", now).await.expect("the store answers");
            }
        }
        let Some(process) = self.processes.first() else { return };
        process.engine.poke();
        // Those who found no server to ask come again.
        while let Some(stay) = self.stays.as_slice().first().copied().filter(|stay| stay.tick <= tick) {
            self.stays.next();
            let life = stay.told.then(|| TICK * u32::try_from(stay.ticks).expect("a stay has few ticks"));
            let asked = CreateEnvironments { life, ..request(1) };
            let made = process.engine.create(asked).await.expect("a request that is good is never refused");
            self.guests.push(Guest { id: made[0].id, leaves: tick + stay.ticks, told: stay.told, left_at: None });
        }
    }

    async fn fate(&mut self, tick: u64) {
        let now = self.world.clock.now();
        self.weather.pass(&mut self.dice, &self.world.cloud, now);
        if !self.processes.is_empty() && self.dice.random_range(0..400) == 0 {
            let which = self.dice.random_range(0..self.processes.len());
            drop(self.processes.remove(which));
            self.crashes += 1;
        }
        let missing = self.processes.len() < self.replicas;
        if missing && (tick == 0 || self.dice.random_range(0..3) == 0) {
            self.processes.push(self.world.start());
        }
        let Some(process) = self.processes.first() else { return };
        if self.resumes_at.is_none() && self.dice.random_range(0..900) == 0 {
            process.engine.pause_pool("root", None).await.expect("the store answers");
            self.resumes_at = Some(tick + self.dice.random_range(6..DAY));
        }
        if self.resumes_at.is_some_and(|at| at <= tick) {
            self.resumes_at = None;
            process.engine.resume_pool("root").await.expect("the store answers");
            self.guard.resumed();
        }
    }

    /// Once a day a person does what the rows ask a person for.
    async fn chores(&mut self) {
        let Some(process) = self.processes.first() else { return };
        let store = &self.world.store;
        let vms = store.vms(true).await.expect("the store answers");
        let panel = ours(&self.world.cloud);
        let in_panel = |name: &str| {
            panel.iter().any(|one| one.display_name == name && !vms.iter().any(|vm| vm.id.0 == one.instance))
        };
        for row in store.environments(EnvironmentQuery::default()).await.expect("the store answers") {
            if row.status == Status::Error {
                process.engine.delete(row.id, &row.owner).await.expect("a wish is never refused");
            } else if row.attention {
                let abandon = row.step == Step::OrderVm && !in_panel(&row.vm_display_name());
                // Refused where there is nothing to retry.
                let _ = process.engine.retry(row.id, abandon, &row.owner).await;
            }
        }
        let query = IntentQuery { kind: Some(IntentKind::OrderVm), only_open: true, ..IntentQuery::default() };
        for order in store.intents(query).await.expect("the store answers") {
            let old = later(order.created_at, Duration::from_hours(3)) < self.world.clock.now();
            if old && order.environment_id.is_none() && !in_panel(&order.subject) {
                process.engine.abandon_order(order.id, "root").await.expect("the store answers");
            }
        }
        for vm in vms.iter().filter(|vm| vm.attention || vm.state == VmState::Quarantined) {
            let gone =
                self.world.cloud.contabo().remove_unpaid(vm.id.0) || !panel.iter().any(|one| one.instance == vm.id.0);
            let tried = self.tried.entry(vm.id).or_default();
            *tried += 1;
            Self::mend(process, &self.guard, vm, if gone { GIVEN_UP } else { *tried }).await;
        }
    }

    /// It is tried once more, and then given up.
    async fn mend(process: &Process, guard: &Guard, vm: &Vm, tried: u32) {
        // Each may be refused: somebody was faster, or it is under way already.
        if vm.state == VmState::Quarantined && tried == 1 {
            let _ = process.engine.adopt(vm.id, &vm.display_name, false, "root").await;
        } else if tried >= GIVEN_UP || vm.state == VmState::Quarantined {
            guard.wished(vm.id);
            let _ = process.engine.cancel_contract(vm.id, &vm.display_name, "root").await;
        }
    }

    async fn months(&self) -> Months {
        let end = self.world.clock.now();
        let events = self.world.store.events(None, 0, usize::MAX).await.expect("the store answers");
        let mut active: HashMap<EnvironmentId, Timestamp> = HashMap::new();
        for event in events.iter().filter(|event| event.status == Status::Active) {
            active.entry(event.environment_id).or_insert(event.at);
        }
        let mut served = Vec::new();
        for guest in &self.guests {
            let row = self.world.environment(guest.id).await;
            if let (Some(active), Some(assigned)) = (active.get(&guest.id).copied(), row.assigned_at) {
                let left = guest.left_at.unwrap_or(end);
                served.push(Served { asked: row.created_at, assigned, active, left });
            }
        }
        let policy = &self.world.policy;
        Months {
            asked: self.guests.len(),
            pool: Bill::of_pool(&ours(&self.world.cloud), &served, end),
            each: Bill::of_each(&served, end, &self.delays, &mut StdRng::seed_from_u64(1)),
            orders: self.guard.orders(),
            cancelled: self.guard.cancelled(),
            served_by_cancelled: self.observer.served_by_cancelled,
            crashes: self.crashes,
            rule: format!("{:?}, lapse {}, {} replicas", policy.pool.ready, policy.pool.lapse, self.replicas),
        }
    }

    /// Nothing goes wrong any more, and everybody leaves: then everything comes to rest, and all is accounted for.
    async fn rest(&mut self) {
        self.weather.clear(&self.world.cloud);
        if self.processes.is_empty() {
            self.processes.push(self.world.start());
        }
        self.processes[0].engine.resume_pool("root").await.expect("the store answers");
        self.guard.resumed();
        let now = self.world.clock.now();
        for guest in &self.guests {
            self.world.store.wish_absent(guest.id, "alice", now).await.expect("the store answers");
        }
        for tick in 0..REST_DAYS * DAY {
            if tick % DAY == 60 {
                self.chores().await;
            }
            if tick % 3 == 0 {
                self.guard.judge();
                self.observer.look(self.processes.first()).await;
            }
            tokio::time::sleep(TICK).await;
        }
        assert!(self.weather.is_fair());
        promises::hold(&self.world).await;
        self.all_is_settled().await;
    }

    async fn all_is_settled(&self) {
        let environments = self.world.store.environments(EnvironmentQuery::default()).await.expect("the store answers");
        assert!(environments.is_empty(), "{} environments are left: {:#?}", environments.len(), environments[0]);
        let query = IntentQuery { only_open: true, ..IntentQuery::default() };
        let mut open = self.world.store.intents(query).await.expect("the store answers");
        // What was begun today may still be under way.
        open.retain(|intent| later(intent.created_at, Duration::from_hours(24)) < self.world.clock.now());
        let vms = self.world.store.vms(false).await.expect("the store answers");
        assert!(open.is_empty(), "never settled: {open:#?}\n{vms:#?}");
        let mut states: BTreeMap<VmState, usize> = BTreeMap::new();
        for vm in &vms {
            *states.entry(vm.state).or_default() += 1;
        }
        let machines = view::machines(&self.world.cloud).await;
        let lost: Vec<&Vm> = vms.iter().filter(|vm| !machines.iter().any(|one| one.id == vm.id.0)).collect();
        let over = |vm: &&Vm| vm.cancel_date.is_some();
        assert!(lost.iter().all(over), "rows of VMs that are gone for ever: {lost:#?}");
        let left = self.world.store.intents(IntentQuery::default()).await.expect("the store answers");
        assert!(left.iter().all(|intent| intent.outcome != Outcome::Open), "{states:?}");
    }
}
