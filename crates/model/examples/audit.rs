//! How long an audit's comparison takes, and what it needs beside its input, on data that it makes itself:
//! `cargo xtask bench audit [COUNT ...]`, by default 100000 and 1000000.
//!
//! Environments and VMs stand in the order of their ids, as the store lists them; records and instances in no order at
//! all. It prints figures and proves nothing: what the comparison finds is tested in `src/audit/tests`.

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

/// A number that looks drawn by chance.
fn scattered(number: u32) -> u128 {
    u128::from(number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
}

fn environment(number: u32) -> Environment {
    let slug: alfred_model::name::Slug = format!("brave-tiger-{number}").parse().expect("letters, digits, dashes");
    let domain = format!("{slug}.alfredos.site").parse().expect("a DNS name");
    let since = Timestamp::UNIX_EPOCH;
    Environment {
        // The time first and then chance, as in a real id.
        id: EnvironmentId(Uuid::from_u128(u128::from(number + 1) << 80 | scattered(number) >> 64)),
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
        contract: alfred_model::vm::Contract::default(),
        reinstalls: 0,
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
        created_at: None,
    }
}

fn fleet(count: u32) -> Fleet {
    let environments: Vec<Environment> = (0..count).map(environment).collect();
    let vms: Vec<Vm> = environments.iter().map(vm).collect();
    let numbered = (0..count).zip(&environments);
    let sound = numbered.filter(|(number, _)| number % DAMAGED_EVERY != 0);
    let mut records: Vec<SeenRecord> = sound.map(|(number, environment)| record(number, environment)).collect();
    let mut numbers: Vec<u32> = (0..count).collect();
    numbers.sort_unstable_by_key(|number| scattered(*number));
    // The lists in no order, with their texts where the list was read to.
    let mut places: Vec<u32> = (0..u32::try_from(records.len()).unwrap_or(u32::MAX)).collect();
    places.sort_unstable_by_key(|number| scattered(*number));
    let at = |place: u32| usize::try_from(place).expect("an index into a list in memory");
    records = places.into_iter().map(|place| records[at(place)].clone()).collect();
    let instances = numbers.into_iter().map(|number| instance(&vms[at(number)])).collect();
    Fleet { environments, vms, records, instances }
}

/// A line of `/proc/self/status` in MiB, where there is such a file.
fn memory(line: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let text = status.lines().find_map(|one| one.strip_prefix(line))?;
    text.trim().trim_end_matches(" kB").parse::<u64>().ok().map(|kib| kib / 1024)
}

/// How long this process has run so far on all processors, where the system tells: unlike the clock's time it means the
/// same on a busy machine. Linux counts it in hundredths of a second.
fn processor_time() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the program may hold anything but ends with the last bracket; user and system time are fields 14, 15.
    let mut fields = text.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    Some(Duration::from_millis((ticks()? + ticks()?) * 10))
}

#[expect(clippy::disallowed_methods, reason = "this program measures real time and takes part in no simulation")]
fn timed(world: &World<'_>) -> (Comparison, Duration, Option<Duration>) {
    let (start, worked) = (std::time::Instant::now(), processor_time());
    let comparison = compare(world);
    let elapsed = start.elapsed();
    let worked = worked.zip(processor_time()).map(|(before, after)| after.saturating_sub(before));
    (comparison, elapsed, worked)
}

/// Compares one fleet and prints a line; how long it took.
#[expect(clippy::print_stdout, reason = "its output is what it is for")]
fn measure(count: u32) -> Duration {
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
    // What making the fleet took at most does not count.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    let before = memory("VmRSS:");
    let (comparison, took, worked) = timed(&world);
    let more = before.zip(memory("VmHWM:")).map(|(before, most)| most.saturating_sub(before));
    let shown = |mebibytes: Option<u64>| mebibytes.map_or_else(|| "-".to_owned(), |number| number.to_string());
    println!(
        "{count:>12}  {:>9}  {:>7.2}  {:>6}  {:>10.2}  {:>9}  {:>12}",
        comparison.findings.len(),
        took.as_secs_f64(),
        worked.map_or_else(|| "-".to_owned(), |worked| format!("{:.2}", worked.as_secs_f64())),
        took.as_secs_f64() * 1e6 / f64::from(count.max(1)),
        shown(before),
        shown(more),
    );
    took
}

#[expect(clippy::print_stdout, reason = "its output is what it is for")]
fn main() {
    let mut counts: Vec<u32> = std::env::args().skip(1).filter_map(|text| text.parse().ok()).collect();
    if counts.is_empty() {
        counts = vec![100_000, 1_000_000];
    }
    println!("environments   findings   wall s   CPU s     µs each  input MiB  more MiB at most");
    let took: Vec<(u32, Duration)> = counts.into_iter().map(|count| (count, measure(count))).collect();
    if let [(few, short), .., (many, long)] = took[..] {
        let rows = f64::from(many) / f64::from(few.max(1));
        let time = long.as_secs_f64() / short.as_secs_f64().max(f64::EPSILON);
        println!("{rows:.1} times as many took {time:.1} times as long");
    }
}
