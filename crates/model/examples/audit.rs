//! How long an audit's comparison takes, and what it needs beside its input, on data that it makes itself:
//! `cargo run --release -p alfred-model --example audit -- 1000000`.
//!
//! It prints figures and proves nothing: what the comparison finds is tested in `src/audit/tests`.

use std::net::Ipv4Addr;
use std::time::Duration;

use alfred_model::audit::{Comparison, SeenRecord, World, compare};
use alfred_model::environment::{Environment, OnFailure, Setup, Status, Step, Wish};
use alfred_model::id::{EnvironmentId, InstallationId, RecordId, VmId};
use alfred_model::name::DomainName;
use alfred_model::record::OwnershipMark;
use alfred_model::vm::{DISPLAY_NAME_PREFIX, InstanceStatus, SeenInstance, Vm, VmState, VmStep};
use jiff::Timestamp;
use uuid::Uuid;

const INSTALLATION: InstallationId = InstallationId(Uuid::from_u128(1));

/// One environment in so many lost its record; the others are sound.
const DAMAGED_EVERY: u32 = 1000;

struct Fleet {
    environments: Vec<Environment>,
    vms: Vec<Vm>,
    records: Vec<SeenRecord>,
    instances: Vec<SeenInstance>,
}

fn environment(number: u32) -> Environment {
    let slug: alfred_model::name::Slug = format!("brave-tiger-{number}").parse().expect("letters, digits, dashes");
    let domain = format!("{slug}.alfredos.site").parse().expect("a DNS name");
    let since = Timestamp::UNIX_EPOCH;
    Environment {
        // Scattered, as the random part of a real id is.
        id: EnvironmentId(Uuid::from_u128(
            u128::from(number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835),
        )),
        slug,
        domain,
        status: Status::Active,
        step: Step::Settled,
        wish: Wish::Present,
        owner: "alice".parse().expect("a user's name"),
        vm_id: Some(VmId(i64::from(number) + 1)),
        address: Some(Ipv4Addr::from(0x0a00_0000 + number)),
        record_id: None,
        setup: Setup::default(),
        on_failure: OnFailure::Pool,
        attempts: 0,
        step_since: since,
        released_at: None,
        wake_at: None,
        reason: None,
        attention: false,
        created_at: since,
        updated_at: since,
        version: 0,
    }
}

fn vm(environment: &Environment) -> Vm {
    Vm {
        id: environment.vm_id.expect("it was given one"),
        display_name: format!("{DISPLAY_NAME_PREFIX}{}", environment.slug),
        product: "V153".to_owned(),
        region: "EU".to_owned(),
        address: environment.address,
        state: VmState::Assigned,
        step: VmStep::Settled,
        environment_id: Some(environment.id),
        bought_for: Some(environment.id),
        released_by: None,
        assignable_at: None,
        wiped_at: None,
        install_seen: true,
        cancel_date: None,
        attempts: 0,
        step_since: environment.step_since,
        wake_at: None,
        reason: None,
        attention: false,
        created_at: environment.created_at,
        updated_at: environment.updated_at,
        version: 0,
    }
}

fn record(number: u32, environment: &Environment) -> SeenRecord {
    let mark = OwnershipMark { installation: INSTALLATION, environment: environment.id };
    SeenRecord {
        id: RecordId::parse(&format!("{number:032x}")).expect("hexadecimal digits"),
        name: environment.domain.to_string(),
        kind: "A".to_owned(),
        content: environment.address.expect("it was given one").to_string(),
        comment: Some(mark.comment(&environment.domain)),
    }
}

fn instance(vm: &Vm) -> SeenInstance {
    SeenInstance {
        id: vm.id,
        display_name: vm.display_name.clone(),
        status: InstanceStatus::Running,
        address: vm.address,
        product: vm.product.clone(),
        region: vm.region.clone(),
        cancel_date: None,
        error_message: None,
    }
}

fn fleet(count: u32) -> Fleet {
    let environments: Vec<Environment> = (0..count).map(environment).collect();
    let vms: Vec<Vm> = environments.iter().map(vm).collect();
    let numbered = (0..count).zip(&environments);
    let sound = numbered.filter(|(number, _)| number % DAMAGED_EVERY != 0);
    let mut records: Vec<SeenRecord> = sound.map(|(number, environment)| record(number, environment)).collect();
    records.reverse();
    let instances = vms.iter().map(instance).collect();
    Fleet { environments, vms, records, instances }
}

/// A line of `/proc/self/status` in MiB, where there is such a file.
fn memory(line: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let text = status.lines().find_map(|one| one.strip_prefix(line))?;
    text.trim().trim_end_matches(" kB").parse::<u64>().ok().map(|kib| kib / 1024)
}

/// How long this thread has run so far, where the system tells: unlike the clock's time it means the same on a busy
/// machine.
fn processor_time() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}

#[expect(clippy::disallowed_methods, reason = "this program measures real time and takes part in no simulation")]
fn timed(world: &World<'_>) -> (Comparison, Duration) {
    let (start, worked) = (std::time::Instant::now(), processor_time());
    let comparison = compare(world);
    let elapsed = start.elapsed();
    let worked = worked.zip(processor_time()).map(|(before, after)| after.saturating_sub(before));
    (comparison, worked.unwrap_or(elapsed))
}

#[expect(clippy::print_stdout, reason = "its output is what it is for")]
fn main() {
    let count = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    let fleet = fleet(count);
    let zone: DomainName = "alfredos.site".parse().expect("a DNS name");
    let world = World {
        environments: &fleet.environments,
        vms: &fleet.vms,
        open_intents: &[],
        records: &fleet.records,
        instances: &fleet.instances,
        zones: std::slice::from_ref(&zone),
        installation: INSTALLATION,
        now: Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(24),
        grace: alfred_model::audit::GRACE,
    };
    let before = memory("VmRSS:");
    let (comparison, took) = timed(&world);
    println!(
        "{count} environments, {} findings: {:.2} s of processor time",
        comparison.findings.len(),
        took.as_secs_f64()
    );
    if let (Some(before), Some(most)) = (before, memory("VmHWM:")) {
        println!("input {before} MiB, comparison at most {} MiB more", most.saturating_sub(before));
    }
}
