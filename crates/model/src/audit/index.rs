//! The rows of a world with what belongs to them, and what is on its way.
//!
//! Rows are brought together by sorting their ids and walking both lists: a table of a million rows that is looked up
//! at random spends its time waiting for memory. Stores and providers mostly list by id, so that there is little to sort.

use foldhash::HashSet;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::World;
use crate::environment::{Environment, Status, Step, Wish};
use crate::id::{EnvironmentId, VmId};
use crate::intent::IntentKind;
use crate::vm::{SeenInstance, Vm, VmState};

/// An environment with the VM that it names.
pub(super) struct Home<'a> {
    pub(super) environment: &'a Environment,
    pub(super) vm: Option<&'a Vm>,
    pub(super) instance: Option<&'a SeenInstance>,
}

/// A VM of the store with what the provider shows of it, and the environment that it names.
pub(super) struct Machine<'a> {
    pub(super) vm: &'a Vm,
    pub(super) instance: Option<&'a SeenInstance>,
    pub(super) environment: Option<&'a Environment>,
}

pub(super) struct Index<'a> {
    /// In the order of the world's environments.
    pub(super) homes: Vec<Home<'a>>,
    /// In the order of the world's VMs.
    pub(super) machines: Vec<Machine<'a>>,
    /// Whether the store has a row for each of the world's instances, in their order.
    pub(super) known: Vec<bool>,
    /// Where each environment stands, by its id.
    pub(super) places: Keys<u128>,
    /// Where the environments stand that should have a VM, by the VM that they name.
    users: Keys<i64>,
    /// Assigned VMs, by the environment that they name.
    assigned: Vec<(u128, VmId)>,
    /// VMs whose new display name may have arrived or not.
    pub(super) being_named: HashSet<VmId>,
    /// The day on which the store was read.
    pub(super) today: Date,
    now: Timestamp,
    grace: SignedDuration,
}

/// Whether an environment's record should be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RecordExpected {
    /// It should.
    Yes,
    /// Not yet; one that is there must be right all the same.
    NotYet,
    /// It is being written or withdrawn: anything may be seen.
    Moving,
    /// It should be gone.
    Gone,
}

/// Places of rows, in the order of a key.
pub(super) struct Keys<K>(Vec<(K, usize)>);

/// Finds places by keys that only grow.
pub(super) struct Walk<'k, K>(&'k [(K, usize)]);

impl<K: Ord + Copy> Keys<K> {
    fn new<T>(rows: &[T], key: impl Fn(&T) -> Option<K>) -> Self {
        let mut keys = Vec::with_capacity(rows.len());
        keys.extend(rows.iter().enumerate().filter_map(|(place, row)| Some((key(row)?, place))));
        keys.sort_unstable();
        Self(keys)
    }

    pub(super) fn walk(&self) -> Walk<'_, K> {
        Walk(&self.0)
    }

    fn find(&self, key: K) -> Option<usize> {
        let first = self.0.partition_point(|(other, _)| *other < key);
        self.0.get(first).filter(|(other, _)| *other == key).map(|(_, place)| *place)
    }

    /// Tells of each pair of places with the same key.
    fn join(&self, others: &Self, mut meet: impl FnMut(usize, usize)) {
        let mut walk = others.walk();
        for (key, place) in &self.0 {
            if let Some(other) = walk.seek(*key) {
                meet(*place, other);
            }
        }
    }
}

impl<K: Ord + Copy> Walk<'_, K> {
    /// The place of a key that is not smaller than the one before.
    pub(super) fn seek(&mut self, key: K) -> Option<usize> {
        while self.0.first().is_some_and(|(other, _)| *other < key) {
            self.0 = &self.0[1..];
        }
        self.0.first().filter(|(other, _)| *other == key).map(|(_, place)| *place)
    }
}

impl<'a> Index<'a> {
    pub(super) fn new(world: &World<'a>) -> Self {
        let World { environments, vms, instances, .. } = *world;
        let homes = environments.iter().map(|environment| Home { environment, vm: None, instance: None });
        let machines = vms.iter().map(|vm| Machine { vm, instance: None, environment: None });
        let naming = world.open_intents.iter().filter(|intent| intent.kind == IntentKind::NameVm);
        let assigned = vms.iter().filter(|vm| vm.state == VmState::Assigned);
        let mut index = Self {
            homes: homes.collect(),
            machines: machines.collect(),
            known: vec![false; instances.len()],
            places: Keys::new(environments, |environment| Some(environment.id.0.as_u128())),
            users: Keys::new(environments, |environment| {
                environment.vm_id.filter(|_| needs_vm(environment)).map(|id| id.0)
            }),
            assigned: assigned.filter_map(|vm| Some((vm.environment_id?.0.as_u128(), vm.id))).collect(),
            being_named: naming.filter_map(|intent| intent.vm_id).collect(),
            today: world.now.to_zoned(TimeZone::UTC).date(),
            now: world.now,
            grace: SignedDuration::try_from(world.grace).unwrap_or(SignedDuration::MAX),
        };
        index.assigned.sort_unstable();
        index.bring_together(world);
        index
    }

    fn bring_together(&mut self, world: &World<'a>) {
        let World { environments, vms, instances, .. } = *world;
        let named = Keys::new(environments, |environment| environment.vm_id.map(|id| id.0));
        let rows = Keys::new(vms, |vm| Some(vm.id.0));
        let shown = Keys::new(instances, |instance| Some(instance.id.0));
        let owners = Keys::new(vms, |vm| vm.environment_id.map(|id| id.0.as_u128()));
        named.join(&rows, |home, vm| self.homes[home].vm = Some(&vms[vm]));
        named.join(&shown, |home, instance| self.homes[home].instance = Some(&instances[instance]));
        rows.join(&shown, |machine, instance| self.machines[machine].instance = Some(&instances[instance]));
        shown.join(&rows, |instance, _| self.known[instance] = true);
        let (machines, places) = (&mut self.machines, &self.places);
        owners.join(places, |machine, home| machines[machine].environment = Some(&environments[home]));
    }

    /// The environment that should have this VM and names it.
    pub(super) fn user(&self, id: VmId) -> Option<EnvironmentId> {
        self.users.find(id.0).map(|place| self.homes[place].environment.id)
    }

    /// The VM that is assigned to this environment; the first of several.
    pub(super) fn assigned(&self, id: EnvironmentId) -> Option<VmId> {
        let key = id.0.as_u128();
        let first = self.assigned.partition_point(|(other, _)| *other < key);
        self.assigned.get(first).filter(|(other, _)| *other == key).map(|(_, vm)| *vm)
    }

    /// Whether it is so short since `time` that what was read may be older.
    pub(super) fn is_young(&self, time: Timestamp) -> bool {
        self.now.duration_since(time) < self.grace
    }

    pub(super) fn record_expected(&self, environment: &Environment) -> RecordExpected {
        let young = self.is_young(environment.step_since);
        match (environment.status, environment.step) {
            (Status::Deleted, _) if self.is_young(environment.updated_at) => RecordExpected::Moving,
            (Status::Deleted, _) => RecordExpected::Gone,
            (Status::Active | Status::Provisioning, _) if young || environment.wish == Wish::Absent => {
                RecordExpected::Moving
            }
            (Status::Active | Status::Provisioning, Step::WriteRecord | Step::VerifyRecord) => RecordExpected::Moving,
            (Status::Active, _) => RecordExpected::Yes,
            (Status::Provisioning, _) => RecordExpected::NotYet,
            (Status::Deleting | Status::Error, Step::ReleaseVm | Step::Settled) if !young => RecordExpected::Gone,
            (Status::Deleting | Status::Error, _) => RecordExpected::Moving,
        }
    }

    /// Whether the environment should have a VM now, and should have had it for a while.
    pub(super) fn vm_expected(&self, environment: &Environment) -> bool {
        needs_vm(environment) && !self.is_young(environment.step_since)
    }

    /// Whether the environment has no VM yet, and has wanted one for a while.
    pub(super) fn looks_for_vm(&self, environment: &Environment) -> bool {
        looks_for_vm(environment) && !self.is_young(environment.step_since)
    }

    /// Whether the environment is done with its VM, and has been for a while.
    pub(super) fn has_left_vm(&self, environment: &Environment) -> bool {
        match (environment.status, environment.step) {
            (Status::Deleted, _) => !self.is_young(environment.updated_at),
            (Status::Error, Step::Settled) => !self.is_young(environment.step_since),
            _ => false,
        }
    }
}

/// Whether an environment in this state has no VM yet and wants one.
fn looks_for_vm(environment: &Environment) -> bool {
    environment.status == Status::Provisioning && matches!(environment.step, Step::AssignVm | Step::OrderVm)
}

/// Whether an environment in this state has a VM, unless something is broken.
fn needs_vm(environment: &Environment) -> bool {
    environment.wish == Wish::Present
        && match environment.status {
            Status::Active => true,
            Status::Provisioning => !looks_for_vm(environment),
            Status::Deleting | Status::Deleted | Status::Error => false,
        }
}
