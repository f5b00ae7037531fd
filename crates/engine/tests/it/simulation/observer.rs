//! Looks at the world every 50 ms of simulated time, past the engine, and panics at the first thing that is not so.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use alfred_local_cloud::LocalCloud;
use alfred_model::environment::{Environment, Status, Wish};
use alfred_model::id::EnvironmentId;
use alfred_model::name::DomainName;
use alfred_model::policy::later;
use alfred_model::record::OwnershipMark;
use alfred_model::seam::Clock;
use alfred_model::vm::{Vm, VmState};
use alfred_store::{EnvironmentQuery, Store};
use hickory_proto::rr::RecordType;
use jiff::Timestamp;

use super::chaos::PUBLICATION_MAX;
use crate::view::{self, SeenMachine, SeenRecord};
use crate::world::{READINESS_PORT, World};

const EVERY: Duration = Duration::from_millis(50);
/// When nothing was called, written or told for so long, nothing moves by itself any more: a look a second is enough.
const QUIET: Duration = Duration::from_secs(6);

/// What changes whenever something happens.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
struct Activity {
    calls: u64,
    events: i64,
    records: u64,
    machines: u64,
}

pub(super) struct Observer {
    cloud: LocalCloud,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    time_to_live: Duration,
    foreign: (SeenRecord, SeenMachine),
    /// Whose name answered with an address last, and when.
    answered: HashMap<Ipv4Addr, Vec<(EnvironmentId, Timestamp)>>,
}

impl Observer {
    pub(super) async fn new(world: &World) -> Self {
        Self {
            cloud: world.cloud.clone(),
            store: Arc::clone(&world.store),
            clock: Arc::clone(&world.clock),
            time_to_live: world.policy.name_rest.saturating_sub(PUBLICATION_MAX),
            foreign: view::foreign(&world.cloud).await,
            answered: HashMap::new(),
        }
    }

    pub(super) async fn watch(mut self) {
        let (mut key, mut moved_at) = (Activity::default(), self.clock.now());
        for turn in 0_u64.. {
            let (before, now) = (key, self.clock.now());
            key = self.activity().await;
            if key != before {
                moved_at = now;
            }
            if turn % 20 == 0 || now < later(moved_at, QUIET) {
                self.look().await;
            }
            if turn % 20 == 0 {
                assert_eq!(view::foreign(&self.cloud).await, self.foreign, "promise 3");
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    async fn activity(&self) -> Activity {
        Activity {
            calls: self.cloud.journal().count_by_route().values().sum(),
            events: self.store.last_event().await.expect("the store answers"),
            records: *self.cloud.cloudflare().changed().borrow(),
            machines: *self.cloud.contabo().changed().borrow(),
        }
    }

    async fn look(&mut self) {
        let now = self.clock.now();
        let all = EnvironmentQuery { include_deleted: true, ..EnvironmentQuery::default() };
        let environments = self.store.environments(all).await.expect("the store answers");
        let vms = self.store.vms(true).await.expect("the store answers");
        let owners: HashMap<Ipv4Addr, &Vm> = vms.iter().filter_map(|vm| Some((vm.address?, vm))).collect();
        for record in view::records(&self.cloud) {
            Self::record_is_right(&record, &environments, &owners);
        }
        // One that is deleted has been seen to be gone, and one without an address had no record.
        let named = |one: &&Environment| one.status != Status::Deleted && one.address.is_some();
        for environment in environments.iter().filter(named) {
            let answers = self.resolve(environment);
            if environment.status == Status::Active && environment.wish == Wish::Present {
                self.works(environment, &answers);
            }
            self.note_answers(environment, answers, now);
        }
        for vm in vms.iter().filter(|vm| vm.state == VmState::Assigned) {
            self.nobody_elses_name(vm, now);
        }
    }

    /// Promise 4: what stands in the zone points at a VM that is its environment's.
    fn record_is_right(record: &SeenRecord, environments: &[Environment], owners: &HashMap<Ipv4Addr, &Vm>) {
        let Ok(name) = record.name.parse::<DomainName>() else { return };
        let Some(mark) = record.comment.as_deref().and_then(|comment| OwnershipMark::read(comment, &name)) else {
            return;
        };
        let owner = environments.iter().find(|environment| environment.id == mark.environment);
        let owner = owner.unwrap_or_else(|| panic!("promise 2: `{name}` belongs to no environment"));
        assert_ne!(owner.status, Status::Deleted, "promise 2: `{name}` outlived its environment");
        let vm = record.content.parse().ok().and_then(|address: Ipv4Addr| owners.get(&address));
        let vm = vm.unwrap_or_else(|| panic!("promise 4: `{name}` points at {}, which is no VM", record.content));
        assert_eq!(
            (vm.state, vm.environment_id),
            (VmState::Assigned, Some(owner.id)),
            "promise 4: `{name}` points at VM {} which is not its environment's: {owner:#?}\n{vm:#?}",
            vm.id
        );
    }

    fn note_answers(&mut self, environment: &Environment, answers: Vec<Ipv4Addr>, now: Timestamp) {
        for address in answers {
            let seen = self.answered.entry(address).or_default();
            seen.retain(|(id, _)| *id != environment.id);
            seen.push((environment.id, now));
        }
    }

    /// Promise 4: no resolver may still remember another environment's name with this VM's address.
    fn nobody_elses_name(&self, vm: &Vm, now: Timestamp) {
        let seen = vm.address.and_then(|address| self.answered.get(&address));
        for (environment, at) in seen.into_iter().flatten() {
            assert!(
                vm.environment_id == Some(*environment) || now >= later(*at, self.time_to_live),
                "promise 4: VM {} was given away while caches may hold the name of {environment}: {vm:#?}",
                vm.id
            );
        }
    }

    /// Promise 7: active means it works, at every moment.
    fn works(&self, environment: &Environment, answers: &[Ipv4Addr]) {
        let address = environment.address.expect("promise 7: active without an address");
        assert_eq!(answers, [address], "promise 7: {}", environment.domain);
        let id = environment.vm_id.expect("promise 7: active without a VM");
        let stuck = self.cloud.faults().stuck_status(id.0).is_some();
        let reachable = self.cloud.contabo().reachable(address, READINESS_PORT);
        assert!(stuck || reachable, "promise 7: {} is not reachable: {environment:#?}", environment.slug);
    }

    fn resolve(&self, environment: &Environment) -> Vec<Ipv4Addr> {
        let answers = self.cloud.resolve(environment.domain.as_str(), RecordType::A).answers;
        answers.iter().filter_map(|answer| answer.value.parse().ok()).collect()
    }
}
