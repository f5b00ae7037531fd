//! What users, operators and fate do in one run, drawn from the seed.

use std::sync::atomic::Ordering;
use std::time::Duration;

use alfred_engine::CreateEnvironments;
use alfred_model::environment::{Environment, OnFailure, Setup, Status, Step};
use alfred_store::EnvironmentQuery;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use super::chaos::{self, below, chance};
use super::observer::Observer;
use crate::promises;
use crate::view;
use crate::world::{Process, World, request};

const FLEET_MAX: usize = 15;
const PROCESSES_MAX: usize = 3;
/// So long may it take until everything rests once the faults have ended.
const REST_LIMIT: Duration = Duration::from_hours(2);

pub(super) struct Run {
    dice: StdRng,
    world: World,
    processes: Vec<Process>,
    /// Whether this run has faults at all: some shall show that nothing but crashes is enough.
    faulty: bool,
}

impl Run {
    pub(super) async fn new(seed: u64) -> Self {
        let mut dice = StdRng::seed_from_u64(seed);
        let mut world = World::with(seed, chaos::cloud(&mut dice));
        world.policy.name_rest = chaos::PUBLICATION_MAX + Duration::from_millis(below(&mut dice, 20_000));
        world.policy.orders.owned_max = u32::try_from(3 + below(&mut dice, 30)).expect("a small number");
        view::plant_foreign(&world.cloud).await;
        let faulty = chance(&mut dice, 85);
        Self { dice, world, processes: Vec::new(), faulty }
    }

    pub(super) async fn play(mut self) -> Vec<String> {
        let observer = tokio::spawn(Observer::new(&self.world).await.watch());
        self.processes.push(self.world.start());
        for _ in 0..5 + below(&mut self.dice, 40) {
            self.something().await;
            let most = if chance(&mut self.dice, 80) { 3_000 } else { 40_000 };
            tokio::time::sleep(Duration::from_millis(below(&mut self.dice, most))).await;
        }
        self.rest().await;
        self.judge().await;
        if observer.is_finished() {
            std::panic::resume_unwind(observer.await.expect_err("the observer ends by a panic alone").into_panic());
        }
        observer.abort();
        self.journal()
    }

    async fn something(&mut self) {
        match below(&mut self.dice, 100) {
            0..30 => self.create().await,
            30..50 => self.delete().await,
            50..60 => self.retry().await,
            60..70 => self.crash(),
            70..82 => self.start(),
            82..94 if self.faulty => self.misbehave().await,
            94..97 => self.world.cloud.faults().clear(),
            _ => self.world.cloud.contabo().revoke_tokens(),
        }
    }

    async fn environments(&self) -> Vec<Environment> {
        self.world.store.environments(EnvironmentQuery::default()).await.expect("the store answers")
    }

    async fn any_environment(&mut self) -> Option<Environment> {
        let mut all = self.environments().await;
        let count = u64::try_from(all.len()).expect("a small number");
        (count > 0).then(|| all.swap_remove(usize::try_from(below(&mut self.dice, count)).expect("a small number")))
    }

    async fn create(&mut self) {
        let room = FLEET_MAX.saturating_sub(self.environments().await.len());
        let count = u32::try_from(room.min(1 + usize::try_from(below(&mut self.dice, 3)).expect("a small number")));
        let count = count.expect("a small number");
        let (personal, retire) = (chance(&mut self.dice, 30), chance(&mut self.dice, 25));
        let Some(process) = self.processes.first().filter(|_| count > 0) else { return };
        let setup = Setup { script: personal.then(|| "#!/bin/sh\necho hello\n".to_owned()), ..Setup::default() };
        let on_failure = if retire { OnFailure::Retire } else { OnFailure::Pool };
        let asked = CreateEnvironments { setup, on_failure, ..request(count) };
        process.engine.create(asked).await.expect("the request is good");
    }

    async fn delete(&mut self) {
        if let Some(environment) = self.any_environment().await
            && let Some(process) = self.processes.first()
        {
            process.engine.delete(environment.id, &environment.owner).await.expect("a wish is never refused");
        }
    }

    async fn retry(&mut self) {
        if let Some(environment) = self.any_environment().await {
            self.retry_one(&environment).await;
        }
    }

    /// A person looks in the provider's panel before abandoning an order.
    async fn retry_one(&self, environment: &Environment) {
        let Some(process) = self.processes.last() else { return };
        let waits = environment.step == Step::OrderVm && environment.attention;
        let abandon = waits && !self.bought_for(environment).await;
        // Refused where there is nothing to retry, or where somebody else was faster.
        let _ = process.engine.retry(environment.id, abandon, &environment.owner).await;
    }

    /// Whether the panel shows a VM of this name that no row accounts for.
    async fn bought_for(&self, environment: &Environment) -> bool {
        let rows = self.world.store.vms(true).await.expect("the store answers");
        let machines = view::machines(&self.world.cloud).await;
        machines.iter().any(|machine| {
            machine.display_name == environment.vm_display_name() && !rows.iter().any(|vm| vm.id.0 == machine.id)
        })
    }

    fn crash(&mut self) {
        if !self.processes.is_empty() {
            let count = u64::try_from(self.processes.len()).expect("a small number");
            let which = usize::try_from(below(&mut self.dice, count)).expect("a small number");
            drop(self.processes.remove(which));
        }
    }

    fn start(&mut self) {
        if self.processes.len() < PROCESSES_MAX {
            self.processes.push(self.world.start());
        }
    }

    async fn misbehave(&mut self) {
        match below(&mut self.dice, 10) {
            0 => self.world.silence.permille.store(300, Ordering::Relaxed),
            1 => self.world.silence.permille.store(0, Ordering::Relaxed),
            2..4 => {
                let machines = view::machines(&self.world.cloud).await;
                let count = u64::try_from(machines.len()).expect("a small number");
                let which = usize::try_from(below(&mut self.dice, count)).expect("a small number");
                let rule = chaos::stuck(&mut self.dice, machines[which].id);
                self.world.cloud.faults().add(rule);
            }
            _ => {
                let rule = chaos::fault(&mut self.dice);
                self.world.cloud.faults().add(rule);
            }
        }
    }

    /// The faults end, one process lives, and a person does what the rows ask a person for.
    async fn rest(&mut self) {
        self.world.cloud.faults().clear();
        self.world.silence.permille.store(0, Ordering::Relaxed);
        if self.processes.is_empty() {
            self.start();
        }
        let end = tokio::time::Instant::now() + REST_LIMIT;
        loop {
            let settled = self.world.settle(Duration::from_mins(1)).await;
            let waiting: Vec<Environment> =
                self.environments().await.into_iter().filter(|row| row.wake_at.is_some()).collect();
            if settled && waiting.is_empty() {
                return;
            }
            for environment in waiting.iter().filter(|row| row.attention) {
                self.retry_one(environment).await;
            }
            if tokio::time::Instant::now() >= end {
                let vms = self.world.store.vms(false).await.expect("the store answers");
                let journal = self.journal();
                let last = &journal[journal.len().saturating_sub(10)..];
                let blocked = self.world.budget.blocked_until();
                panic!("it never came to rest: {waiting:#?}\n{vms:#?}\nlast calls: {last:#?}\nbudget: {blocked:?}");
            }
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
    }

    async fn judge(&self) {
        promises::hold(&self.world).await;
        let vms = self.world.store.vms(false).await.expect("the store answers");
        let limit = usize::try_from(self.world.policy.orders.owned_max).expect("a small number");
        assert!(vms.len() <= limit, "{} VMs are owned and the limit is {limit}", vms.len());
        for row in self.environments().await {
            assert!(row.status != Status::Error || row.reason.is_some(), "an error without a reason: {row:#?}");
        }
        tokio::time::sleep(self.world.policy.order_grace + Duration::from_secs(5)).await;
        let report = self.processes[0].engine.audit().await.expect("the providers answer");
        assert!(report.findings.is_empty(), "{:#?}", report.findings);
        assert_eq!((report.foreign_records, report.foreign_vms), (1, 1), "promise 3");
    }

    fn journal(&self) -> Vec<String> {
        let entries = self.world.cloud.journal().entries();
        entries
            .into_iter()
            .map(|entry| {
                format!("{} {} {} {:?} {:?}", entry.time, entry.method, entry.path, entry.outcome, entry.fault)
            })
            .collect()
    }
}
