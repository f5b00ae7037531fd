//! The rows of a world by what they are looked up by, and what is on its way.
//!
//! The hasher is `foldhash`, which is seeded per process: with the standard one a comparison of a million rows spends
//! most of its time on hashing.

use foldhash::{HashMap, HashMapExt as _, HashSet};
use jiff::{SignedDuration, Timestamp};

use super::World;
use crate::environment::{Environment, Status, Step, Wish};
use crate::id::{EnvironmentId, VmId};
use crate::intent::IntentKind;
use crate::vm::{SeenInstance, Vm, VmState};

pub(super) struct Index<'a> {
    pub(super) environments: HashMap<EnvironmentId, &'a Environment>,
    /// By full DNS name; without those that are deleted, whose name may belong to a later one.
    pub(super) by_name: HashMap<&'a str, &'a Environment>,
    pub(super) vms: HashMap<VmId, &'a Vm>,
    pub(super) instances: HashMap<VmId, &'a SeenInstance>,
    /// Environments that should have a VM, by the VM that they name.
    pub(super) users: HashMap<VmId, EnvironmentId>,
    /// Assigned VMs, by the environment that they name.
    pub(super) assigned: HashMap<EnvironmentId, VmId>,
    /// VMs whose new display name may have arrived or not.
    pub(super) being_named: HashSet<VmId>,
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

impl<'a> Index<'a> {
    pub(super) fn new(world: &World<'a>) -> Self {
        let mut index = Self {
            environments: world.environments.iter().map(|environment| (environment.id, environment)).collect(),
            by_name: HashMap::with_capacity(world.environments.len()),
            vms: world.vms.iter().map(|vm| (vm.id, vm)).collect(),
            instances: world.instances.iter().map(|instance| (instance.id, instance)).collect(),
            users: HashMap::with_capacity(world.environments.len()),
            assigned: HashMap::with_capacity(world.vms.len()),
            being_named: HashSet::default(),
            now: world.now,
            grace: SignedDuration::try_from(world.grace).unwrap_or(SignedDuration::MAX),
        };
        for environment in world.environments.iter().filter(|environment| environment.status != Status::Deleted) {
            index.by_name.insert(environment.domain.as_str(), environment);
            if let Some(vm_id) = environment.vm_id.filter(|_| needs_vm(environment)) {
                index.users.insert(vm_id, environment.id);
            }
        }
        for vm in world.vms.iter().filter(|vm| vm.state == VmState::Assigned) {
            if let Some(environment_id) = vm.environment_id {
                let first = index.assigned.entry(environment_id).or_insert(vm.id);
                *first = vm.id.min(*first);
            }
        }
        let naming = world.open_intents.iter().filter(|intent| intent.kind == IntentKind::NameVm);
        index.being_named.extend(naming.filter_map(|intent| intent.vm_id));
        index
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
            (Status::Active, _) => RecordExpected::Yes,
            (Status::Provisioning, Step::WriteRecord | Step::VerifyRecord) => RecordExpected::Moving,
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
