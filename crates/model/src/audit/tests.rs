mod cases;
mod properties;
mod repair;

use std::net::Ipv4Addr;

use jiff::civil::date;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::*;
use crate::environment::{OnFailure, Setup, Status, Step, Wish};
use crate::id::{EnvironmentId, IntentId, VmId};
use crate::intent::{IntentKind, Outcome};
use crate::record::OwnershipMark;
use crate::vm::{InstanceStatus, VmState, VmStep, pool_display_name};

const INSTALLATION: InstallationId = InstallationId(Uuid::from_u128(1));
const OTHER_INSTALLATION: InstallationId = InstallationId(Uuid::from_u128(2));

fn now() -> Timestamp {
    date(2026, 3, 1).at(12, 0, 0, 0).in_tz("UTC").unwrap().timestamp()
}

/// Long before the grace began.
fn long_ago() -> Timestamp {
    now() - SignedDuration::from_hours(48)
}

/// Within the grace.
fn just_now() -> Timestamp {
    now() - SignedDuration::from_secs(60)
}

fn zone() -> DomainName {
    "alfredos.site".parse().unwrap()
}

/// A world that can be changed.
#[derive(Debug, Clone, Default)]
struct Cloud {
    environments: Vec<Environment>,
    vms: Vec<Vm>,
    intents: Vec<Intent>,
    records: Vec<SeenRecord>,
    instances: Vec<SeenInstance>,
}

fn environment_id(number: u32) -> EnvironmentId {
    EnvironmentId(Uuid::from_u128(0x1_0000 + u128::from(number)))
}

fn vm_id(number: u32) -> VmId {
    VmId(200_000 + i64::from(number))
}

fn address(number: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(0xCB00_7100 + number)
}

fn record_id(text: &str) -> RecordId {
    RecordId::parse(text).unwrap()
}

fn environment(number: u32, status: Status, step: Step) -> Environment {
    let slug: crate::name::Slug = format!("brave-tiger-{number}").parse().unwrap();
    let wish = if matches!(status, Status::Deleting | Status::Deleted) { Wish::Absent } else { Wish::Present };
    Environment {
        id: environment_id(number),
        domain: zone().environment(&slug).unwrap(),
        slug,
        status,
        step,
        wish,
        owner: "ada".parse().unwrap(),
        vm_id: None,
        address: None,
        record_id: None,
        setup: Setup::default(),
        on_failure: OnFailure::Pool,
        attempts: 0,
        step_since: long_ago(),
        assigned_at: None,
        released_at: None,
        wake_at: None,
        reason: None,
        attention: false,
        expires_at: None,
        warn_at: None,
        warned_at: None,
        expiry_bound: None,
        batch: None,
        created_at: long_ago(),
        updated_at: long_ago(),
        version: 1,
    }
}

fn vm(number: u32, state: VmState) -> Vm {
    Vm {
        id: vm_id(number),
        display_name: pool_display_name(vm_id(number)),
        product: "V153".to_owned(),
        region: "EU".to_owned(),
        address: Some(address(number)),
        state,
        step: VmStep::Settled,
        environment_id: None,
        bought_for: None,
        released_by: None,
        assignable_at: None,
        wiped_at: None,
        install_seen: true,
        cancel_date: None,
        contract: crate::vm::Contract::default(),
        reinstalls: 0,
        attempts: 0,
        step_since: long_ago(),
        wake_at: None,
        reason: None,
        attention: false,
        created_at: long_ago(),
        updated_at: long_ago(),
        version: 1,
    }
}

fn instance_of(vm: &Vm) -> SeenInstance {
    SeenInstance {
        id: vm.id,
        display_name: vm.display_name.clone(),
        status: InstanceStatus::Running,
        address: vm.address,
        product: vm.product.clone(),
        region: vm.region.clone(),
        cancel_date: vm.cancel_date,
        error_message: None,
        created_at: None,
    }
}

fn order(number: u32, subject: &str, created_at: Timestamp) -> Intent {
    Intent {
        id: IntentId(Uuid::from_u128(0x2_0000 + u128::from(number))),
        kind: IntentKind::OrderVm,
        environment_id: Some(environment_id(number)),
        vm_id: None,
        request_id: Uuid::from_u128(0x3_0000 + u128::from(number)),
        subject: subject.to_owned(),
        actor: "ada".to_owned(),
        outcome: Outcome::Unknown,
        audit_id: None,
        answer: None,
        refused: false,
        call_home_hash: None,
        called_home_at: None,
        created_at,
        settled_at: None,
    }
}

fn comment(installation: InstallationId, environment: EnvironmentId, name: &DomainName) -> String {
    OwnershipMark { installation, environment }.comment(name)
}

fn record_of(environment: &Environment, id: &str, address: Ipv4Addr) -> SeenRecord {
    SeenRecord {
        id: record_id(id),
        name: environment.domain.to_string(),
        kind: "A".to_owned(),
        content: address.to_string(),
        comment: Some(comment(INSTALLATION, environment.id, &environment.domain)),
    }
}

fn foreign_record(id: &str, name: &str, kind: &str, comment: Option<&str>) -> SeenRecord {
    SeenRecord {
        id: record_id(id),
        name: name.to_owned(),
        kind: kind.to_owned(),
        content: "198.51.100.9".to_owned(),
        comment: comment.map(str::to_owned),
    }
}

impl Cloud {
    /// A cloud with one active environment, number 0, and everything that belongs to it.
    fn with_one() -> Self {
        let mut cloud = Self::default();
        cloud.add_active(0);
        cloud
    }

    /// An environment in a state in which it has a VM.
    fn add_with_vm(&mut self, number: u32, status: Status, step: Step) {
        let mut environment = environment(number, status, step);
        environment.vm_id = Some(vm_id(number));
        environment.address = Some(address(number));
        let mut vm = vm(number, VmState::Assigned);
        vm.environment_id = Some(environment.id);
        vm.display_name = environment.vm_display_name();
        self.instances.push(instance_of(&vm));
        self.vms.push(vm);
        self.environments.push(environment);
    }

    fn add_active(&mut self, number: u32) {
        self.add_with_vm(number, Status::Active, Step::Settled);
        self.add_record(number);
    }

    /// The record of the environment that was added last.
    fn add_record(&mut self, number: u32) {
        let environment = self.environments.last_mut().unwrap();
        environment.record_id = Some(record_id(&format!("record{number}")));
        let record = record_of(environment, &format!("record{number}"), address(number));
        self.records.push(record);
    }

    fn add_vm(&mut self, vm: Vm) {
        self.instances.push(instance_of(&vm));
        self.vms.push(vm);
    }

    fn world<'a>(&'a self, zones: &'a [DomainName]) -> World<'a> {
        World {
            environments: &self.environments,
            vms: &self.vms,
            open_intents: &self.intents,
            records: &self.records,
            instances: &self.instances,
            zones,
            installation: INSTALLATION,
            now: now(),
            grace: GRACE,
        }
    }

    fn compare(&self) -> Comparison {
        compare(&self.world(&[zone()]))
    }

    fn findings(&self) -> Vec<Finding> {
        self.compare().findings
    }

    /// The only finding there is.
    fn only_finding(&self) -> Finding {
        let mut findings = self.findings();
        assert_eq!(findings.len(), 1, "{findings:#?}");
        findings.remove(0)
    }
}
