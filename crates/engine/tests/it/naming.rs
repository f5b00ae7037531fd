//! The way from a ready VM to `active`: what is on it, and what comes after.

use std::collections::BTreeMap;
use std::time::Duration;

use alfred_local_cloud::faults::{Fault, Rule};
use alfred_model::environment::{Environment, Status, Step};
use alfred_model::vm::{VmState, pool_display_name};

use crate::promises;
use crate::view;
use crate::world::{Process, World};

const LONG: Duration = Duration::from_mins(10);

/// A call at a platform takes so long.
const CALL_MS: u64 = 150;

/// A world with one VM that is wiped and may be given away; no call is in the journal.
async fn with_a_ready_vm(seed: u64) -> (World, Process) {
    let world = World::new(seed);
    let process = world.start();
    let first = world.create(&process, 1).await.remove(0);
    assert!(world.settle(LONG).await);
    process.engine.delete(first.id, &first.owner).await.unwrap();
    assert!(world.settle(LONG).await);
    tokio::time::sleep(world.policy.name_rest).await;
    world.cloud.journal().clear();
    (world, process)
}

fn slow(world: &World, route: &str, ms: u64) {
    let delay = Rule::new(Fault::Delay { ms, after: false });
    world.cloud.faults().add(Rule { route: Some(route.to_owned()), ..delay });
}

/// The calls so far, but for logins: a token is good for many calls.
fn calls(world: &World) -> BTreeMap<&'static str, u64> {
    world.cloud.journal().count_by_route().into_iter().filter(|(route, _)| *route != "contabo.token").collect()
}

async fn until_active(world: &World, made: &Environment) -> Environment {
    loop {
        let row = world.environment(made.id).await;
        if row.status == Status::Active {
            return row;
        }
        assert_eq!(row.status, Status::Provisioning, "{row:#?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn labels(world: &World) -> Vec<String> {
    view::machines(&world.cloud).await.into_iter().map(|machine| machine.display_name).collect()
}

#[tokio::test(start_paused = true)]
async fn one_record_write_is_all_that_lies_between_a_ready_vm_and_active() {
    let (world, process) = with_a_ready_vm(40).await;
    slow(&world, "*", CALL_MS);
    let began = world.clock.now();
    let made = world.create(&process, 1).await.remove(0);
    let active = until_active(&world, &made).await;
    // Simulated time: one call fits into it, and a second one after it does not.
    let took = Duration::try_from(world.clock.now().duration_since(began)).unwrap();
    assert!(took < Duration::from_millis(2 * CALL_MS), "{took:?}");
    assert_eq!(active.step, Step::NameVm, "the name comes after");
    assert_eq!(calls(&world).get("cloudflare.records.batch"), Some(&1));
    promises::hold(&world).await;

    assert!(world.settle(LONG).await);
    // How full the zone is was read more than five minutes ago: that look is taken beside.
    let beside = "cloudflare.records.usage";
    let all = BTreeMap::from([("cloudflare.records.batch", 1), ("contabo.instances.rename", 1), (beside, 1)]);
    assert_eq!(calls(&world), all, "in all");
    assert_eq!(world.environment(made.id).await.step, Step::Settled);
    assert_eq!(labels(&world).await, [made.vm_display_name()]);
    let report = process.engine.audit().await.unwrap();
    assert!(report.findings.is_empty(), "{:#?}", report.findings);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_shows_after_a_second_is_seen_soon_and_asked_for_without_calls() {
    let (world, process) = with_a_ready_vm(41).await;
    world.cloud.cloudflare().set_publication_delay(1_000);
    let asked = world.silence.asked.load(std::sync::atomic::Ordering::Relaxed);
    let began = world.clock.now();
    let made = world.create(&process, 1).await.remove(0);
    until_active(&world, &made).await;
    let asked = world.silence.asked.load(std::sync::atomic::Ordering::Relaxed) - asked;
    // Simulated time: this is no measurement but what the schedule of looks gives.
    let took = Duration::try_from(world.clock.now().duration_since(began)).unwrap();
    assert!(took <= Duration::from_millis(1_200), "{took:?}");
    assert!(asked <= 45, "{asked} questions");
    assert_eq!(calls(&world).get("cloudflare.records.batch"), Some(&1));
    assert_eq!(calls(&world).get("cloudflare.records.list"), None);
}

#[tokio::test(start_paused = true)]
async fn a_process_that_ends_on_the_way_to_active_or_after_it_leaves_nothing_undone() {
    for ends_after_ms in [0, 1, 50, 100, 149, 151, 200, 250, 299, 301, 320, 400, 600] {
        let (world, process) = with_a_ready_vm(42).await;
        slow(&world, "*", CALL_MS);
        let made = world.create(&process, 1).await.remove(0);
        tokio::time::sleep(Duration::from_millis(ends_after_ms)).await;
        drop(process);
        let process = world.start();
        assert!(world.settle(LONG).await, "after {ends_after_ms} ms");
        promises::hold(&world).await;
        let row = world.environment(made.id).await;
        assert_eq!((row.status, row.step), (Status::Active, Step::Settled), "after {ends_after_ms} ms");
        assert_eq!(labels(&world).await, [row.vm_display_name()], "after {ends_after_ms} ms");
        let calls = calls(&world);
        assert!(calls["contabo.instances.rename"] <= 2, "after {ends_after_ms} ms: {calls:?}");
        assert_eq!(calls.get("contabo.instances.create"), None, "after {ends_after_ms} ms");
        let report = process.engine.audit().await.unwrap();
        assert!(report.findings.is_empty(), "after {ends_after_ms} ms: {:#?}", report.findings);
    }
}

#[tokio::test(start_paused = true)]
async fn a_deletion_asked_for_while_the_vm_is_named_leaves_it_with_the_pool_s_name() {
    for fault in [Fault::Delay { ms: 1_500, after: false }, Fault::LostAfter, Fault::LostBefore] {
        let (world, process) = with_a_ready_vm(43).await;
        let rule = Rule::new(fault.clone());
        world.cloud.faults().add(Rule { route: Some("contabo.instances.rename".to_owned()), count: Some(1), ..rule });
        let made = world.create(&process, 1).await.remove(0);
        let active = until_active(&world, &made).await;
        process.engine.delete(active.id, &active.owner).await.unwrap();
        assert!(world.settle(LONG).await, "{fault:?}");
        promises::hold(&world).await;
        assert_eq!(world.environment(made.id).await.status, Status::Deleted, "{fault:?}");
        let vms = world.store.vms(false).await.unwrap();
        assert_eq!((vms.len(), vms[0].state), (1, VmState::Ready), "{fault:?}");
        assert_eq!(labels(&world).await, [pool_display_name(vms[0].id)], "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_refused_leaves_the_environment_as_it_is() {
    let (world, process) = with_a_ready_vm(44).await;
    let refused = Fault::Status { status: 404, retry_after: None, body: None, after: false };
    world.cloud.faults().add(Rule { route: Some("contabo.instances.rename".to_owned()), ..Rule::new(refused) });
    let made = world.create(&process, 1).await.remove(0);
    assert!(world.settle(LONG).await);
    promises::hold(&world).await;
    let row = world.environment(made.id).await;
    assert_eq!((row.status, row.step, row.reason), (Status::Active, Step::Settled, None));
    assert_eq!(calls(&world)["contabo.instances.rename"], 1, "a refusal is an answer");
}
