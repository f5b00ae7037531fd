//! The pool with real clients and a cloud: what is bought, kept, taken in, let go, and when.

use std::time::Duration;

use alfred_engine::{CreateEnvironments, OrderError, PoolRequestError, RequestError};
use alfred_local_cloud::Options;
use alfred_local_cloud::contabo::{self, Delay, OrderOutcome};
use alfred_local_cloud::faults::{Fault, Rule};
use alfred_model::environment::Status;
use alfred_model::event::EventKind;
use alfred_model::expiry::ExtensionRefused;
use alfred_model::id::VmId;
use alfred_model::intent::{IntentKind, Outcome};
use alfred_model::pool::{CancelRefused, Hold, Wanted};
use alfred_model::vm::{Vm, VmState, VmStep};
use alfred_store::IntentQuery;

use crate::promises;
use crate::view;
use crate::world::{Process, World, request};

const LONG: Duration = Duration::from_hours(2);

const DAY: Duration = Duration::from_hours(24);

fn world(ready: u32) -> World {
    let mut world = World::new(400);
    world.policy.pool.ready = Wanted::Fixed(ready);
    world
}

/// A world in which months pass.
fn slow_world(ready: u32) -> World {
    let mut world = world(ready);
    world.policy.pool.interval = Duration::from_mins(10);
    world.policy.pool.look_interval = Duration::from_hours(1);
    world.policy.pool.patience = Duration::ZERO;
    // How often idle loops look follows from it, and nothing else costs anything in months.
    world.lease = Duration::from_hours(1);
    world
}

async fn vms(world: &World) -> Vec<Vm> {
    world.store.vms(true).await.expect("the store answers")
}

/// Lets time pass and everything come to rest.
async fn rest(world: &World) {
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(world.settle(LONG).await, "it never came to rest: {:#?}", vms(world).await);
}

fn orders_sent(world: &World) -> u64 {
    world.cloud.journal().count_by_route().get("contabo.instances.create").copied().unwrap_or(0)
}

/// The only VM of the pool, ready.
async fn one_ready(world: &World, process: &Process) -> Vm {
    let bought = process.engine.order_vms(1, "ada").await;
    let id = bought.into_iter().next().expect("one was asked for").expect("it was bought").vm_id;
    rest(world).await;
    let vm = world.store.vm(id).await.unwrap().unwrap();
    assert_eq!((vm.state, vm.step), (VmState::Ready, VmStep::Settled), "{vm:#?}");
    vm
}

#[tokio::test(start_paused = true)]
async fn as_many_vms_are_ready_as_are_wanted_and_no_more_are_bought() {
    let world = world(3);
    let (process, _other) = (world.start(), world.start());
    rest(&world).await;
    tokio::time::sleep(LONG).await;
    let vms = vms(&world).await;
    assert!(vms.len() == 3 && vms.iter().all(|vm| vm.state == VmState::Ready), "{vms:#?}");
    assert_eq!(orders_sent(&world), 3, "two replicas, one plan");
    for vm in &vms {
        assert!(vm.contract.began_at.is_some() && vm.contract.months == Some(1), "{vm:#?}");
    }
    let query = IntentQuery { kind: Some(IntentKind::OrderVm), ..IntentQuery::default() };
    for order in world.store.intents(query).await.unwrap() {
        assert_eq!((order.outcome, order.environment_id), (Outcome::Done, None));
        assert!(order.vm_id.is_some() && order.audit_id.is_some(), "joined to the provider's own log: {order:#?}");
        assert_eq!(order.subject, format!("alfredos-pool.{}", order.id));
        assert_eq!(order.request_id.get_version_num(), 4);
    }
    assert!(process.engine.audit().await.unwrap().findings.is_empty());

    // One is taken, and the pool is filled up again.
    let made = world.create(&process, 1).await.remove(0);
    rest(&world).await;
    assert_eq!(world.environment(made.id).await.status, Status::Active);
    assert_eq!(orders_sent(&world), 4);
    process.engine.delete(made.id, &made.owner).await.unwrap();
    rest(&world).await;
    tokio::time::sleep(LONG).await;
    assert_eq!(orders_sent(&world), 4, "what comes back is enough");
}

#[tokio::test(start_paused = true)]
async fn neither_cap_is_passed() {
    let mut world = world(9);
    world.policy.orders.owned_max = 4;
    let process = world.start();
    rest(&world).await;
    tokio::time::sleep(LONG).await;
    assert_eq!(vms(&world).await.len(), 4);
    assert_eq!(process.engine.pool().await.unwrap().plan.hold, Some(Hold::Owned { owned: 4, limit: 4 }));
    let refused = process.engine.order_vms(2, "ada").await;
    assert!(refused.iter().all(|one| matches!(one, Err(OrderError::Held(Hold::Owned { .. })))), "{refused:?}");
    drop(process);

    world.policy.orders.owned_max = 40;
    world.policy.orders.month_max = Some(6);
    let (process, _other) = (world.start(), world.start());
    tokio::time::sleep(LONG).await;
    assert_eq!((vms(&world).await.len(), orders_sent(&world)), (6, 6));
    let view = process.engine.pool().await.unwrap();
    assert_eq!((view.plan.hold, view.ordered_this_month), (Some(Hold::Month { ordered: 6, limit: 6 }), 6));
    let made = world.create(&process, 8).await;
    rest(&world).await;
    assert_eq!(orders_sent(&world), 6, "environments buy under the same cap");
    assert_eq!(world.with_status(Status::Active).await.len(), 6, "of {}", made.len());
}

#[tokio::test(start_paused = true)]
async fn a_paused_pool_buys_nothing_and_goes_on_serving() {
    let world = world(0);
    let process = world.start();
    one_ready(&world, &process).await;
    process.engine.pause_pool("ada", Some("invoice unpaid".to_owned())).await.unwrap();
    let refused = process.engine.order_vms(1, "bob").await.remove(0).unwrap_err().to_string();
    assert!(refused.contains("ada") && refused.contains("invoice unpaid"), "{refused}");
    let made = world.create(&process, 2).await;
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(world.with_status(Status::Active).await.len(), 1, "the ready one is given out");
    let waiting = world.with_status(Status::Provisioning).await.remove(0);
    assert!(waiting.reason.as_ref().is_some_and(|reason| reason.contains("was paused by ada")), "{waiting:#?}");
    assert_eq!(orders_sent(&world), 1);
    process.engine.resume_pool("ada").await.unwrap();
    rest(&world).await;
    assert_eq!(world.with_status(Status::Active).await.len(), made.len());
    assert_eq!(orders_sent(&world), 2);
}

#[tokio::test(start_paused = true)]
async fn failing_orders_stop_the_next_until_one_works() {
    let world = world(0);
    let process = world.start();
    let fault = Fault::Status { status: 400, retry_after: None, body: None, after: false };
    let rule = Rule { route: Some("contabo.instances.create".to_owned()), count: Some(4), ..Rule::new(fault) };
    world.cloud.faults().add(rule);
    let results = process.engine.order_vms(10, "ada").await;
    let failed = results.iter().filter(|one| matches!(one, Err(OrderError::Failed(_)))).count();
    let held = results.iter().filter(|one| matches!(one, Err(OrderError::Held(Hold::Failing { .. })))).count();
    assert_eq!(failed + held, 10, "{results:?}");
    let sent = orders_sent(&world);
    assert!((3..=4).contains(&sent), "{sent} orders were sent, some of them at once");
    let again = process.engine.order_vms(1, "ada").await.remove(0);
    assert!(matches!(again, Err(OrderError::Held(Hold::Failing { .. }))), "{again:?}");
    assert_eq!(orders_sent(&world), sent);
    // After the stop a single one is tried, and once it works all may.
    tokio::time::sleep(world.policy.orders.stop_max).await;
    while process.engine.order_vms(1, "ada").await.remove(0).is_err() {
        tokio::time::sleep(world.policy.orders.stop_max).await;
    }
    assert!(process.engine.order_vms(3, "ada").await.iter().all(Result::is_ok));
    assert_eq!(orders_sent(&world), 4 + 1 + 3);
}

#[tokio::test(start_paused = true)]
async fn a_vm_without_an_owner_is_taken_in_by_way_of_a_wipe() {
    let world = world(0);
    let process = world.start();
    view::plant_vm(&world.cloud, "alfredos-lost-lynx").await;
    view::plant_vm(&world.cloud, "somebody-elses-vm").await;
    rest(&world).await;
    let machines = view::machines(&world.cloud).await;
    let find = |name: &str| VmId(machines.iter().find(|machine| machine.display_name == name).unwrap().id);
    let (lost, foreign) = (find("alfredos-lost-lynx"), find("somebody-elses-vm"));
    tokio::time::sleep(world.policy.order_grace).await;
    let report = process.engine.audit().await.unwrap();
    assert_eq!(report.findings.len(), 1, "it is reported: {:#?}", report.findings);

    let preview = process.engine.preview_adopt(lost, false).await.unwrap();
    assert!(preview.gives_up.contains("erased for ever"), "{}", preview.gives_up);
    assert!(vms(&world).await.is_empty(), "a look changes nothing");
    let wrong = process.engine.adopt(lost, "alfredos-other", false, "ada").await;
    assert!(matches!(wrong, Err(PoolRequestError::Name { .. })), "{wrong:?}");
    let not_ours = process.engine.adopt(foreign, "somebody-elses-vm", false, "ada").await;
    assert!(matches!(not_ours, Err(PoolRequestError::Foreign { .. })), "{not_ours:?}");
    assert!(matches!(process.engine.preview_adopt(VmId(1), false).await, Err(PoolRequestError::NotFound(VmId(1)))));

    process.engine.adopt(lost, "alfredos-lost-lynx", false, "ada").await.unwrap();
    rest(&world).await;
    let row = world.store.vm(lost).await.unwrap().unwrap();
    assert_eq!((row.state, row.bought_for), (VmState::Ready, None));
    let machine = view::machines(&world.cloud).await.into_iter().find(|machine| machine.id == lost.0).unwrap();
    assert_eq!((machine.wiped, machine.display_name), (1, format!("alfredos-pool.{lost}")));
    let known = process.engine.adopt(lost, &row.display_name, false, "ada").await;
    assert!(matches!(known, Err(PoolRequestError::Known(_, VmState::Ready))), "{known:?}");
    let ledger = world.store.intents(IntentQuery::default()).await.unwrap();
    assert!(ledger.iter().any(|line| line.actor == "ada" && line.vm_id == Some(lost)), "promise 12: {ledger:#?}");
    assert!(process.engine.audit().await.unwrap().findings.is_empty());
    assert_eq!(view::machines(&world.cloud).await.iter().filter(|machine| machine.wiped > 0).count(), 1, "promise 3");
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_vm_serves_short_lives_until_it_ends() {
    let world = slow_world(0);
    let process = world.start();
    let vm = one_ready(&world, &process).await;
    let wrong = process.engine.cancel_contract(vm.id, "alfredos-pool", "ada").await;
    assert!(matches!(wrong, Err(PoolRequestError::Name { .. })), "{wrong:?}");
    process.engine.cancel_contract(vm.id, &vm.display_name, "ada").await.unwrap();
    rest(&world).await;
    let row = world.store.vm(vm.id).await.unwrap().unwrap();
    let last_day = row.cancel_date.expect("the provider's own date");
    assert_eq!((row.state, row.step, row.wiped_at), (VmState::Retiring, VmStep::Settled, vm.wiped_at));
    let again = process.engine.cancel_contract(vm.id, &vm.display_name, "ada").await;
    assert!(matches!(again, Err(PoolRequestError::Cancel(CancelRefused::Cancelled(..)))), "{again:?}");

    // Who never ends gets another one, who ends in time gets this one.
    let endless = world.create(&process, 1).await.remove(0);
    rest(&world).await;
    assert_ne!(world.environment(endless.id).await.vm_id, Some(vm.id));
    let asked = CreateEnvironments { life: Some(3 * DAY), ..request(1) };
    let short = process.engine.create(asked).await.unwrap().remove(0);
    rest(&world).await;
    let row = world.environment(short.id).await;
    assert_eq!((row.status, row.vm_id), (Status::Active, Some(vm.id)));
    let bound = row.expiry_bound.clone().expect("it cannot outlive its VM");
    assert!(bound.reason.contains(&last_day.to_string()), "{}", bound.reason);
    let longer = process.engine.extend(short.id, Some(90 * DAY), &short.owner).await;
    assert!(
        matches!(&longer, Err(RequestError::Extension { refused: ExtensionRefused::Bound { .. }, .. })),
        "{longer:?}"
    );
    let used = process.engine.cancel_contract(vm.id, &vm.display_name, "ada").await;
    assert!(matches!(used, Err(PoolRequestError::Cancel(CancelRefused::Assigned(_)))), "{used:?}");

    tokio::time::sleep(4 * DAY).await;
    assert_eq!(world.environment(short.id).await.status, Status::Deleted);
    let back = world.store.vm(vm.id).await.unwrap().unwrap();
    assert_eq!((back.state, back.step), (VmState::Retiring, VmStep::Settled), "it goes back to where it was");
    assert!(back.wiped_at > vm.wiped_at, "promise 6");
    while world.clock.now().to_zoned(jiff::tz::TimeZone::UTC).date() <= last_day {
        tokio::time::sleep(DAY).await;
    }
    tokio::time::sleep(2 * DAY).await;
    let ended = world.store.vm(vm.id).await.unwrap().unwrap();
    assert_eq!((ended.state, ended.wake_at), (VmState::Ended, None), "{ended:#?}");
    promises::hold(&world).await;
}

#[tokio::test(start_paused = true)]
async fn an_environment_whose_vm_was_cancelled_elsewhere_is_warned_and_gone_before_it_ends() {
    let world = slow_world(0);
    let process = world.start();
    let made = world.create(&process, 1).await.remove(0);
    rest(&world).await;
    let vm_id = world.environment(made.id).await.vm_id.unwrap();
    view::cancel_vm(&world.cloud, vm_id.0).await;
    tokio::time::sleep(2 * world.policy.pool.look_interval).await;
    let row = world.environment(made.id).await;
    let last_day = world.store.vm(vm_id).await.unwrap().unwrap().cancel_date.unwrap();
    let expires_at = row.expires_at.expect("it ends now");
    assert!(expires_at.to_zoned(jiff::tz::TimeZone::UTC).date() < last_day, "{expires_at} {last_day}");
    while world.environment(made.id).await.status != Status::Deleted {
        assert!(
            world.clock.now().to_zoned(jiff::tz::TimeZone::UTC).date() < last_day,
            "promise 4: it must be gone by now"
        );
        tokio::time::sleep(Duration::from_hours(1)).await;
    }
    let events = world.store.events(Some(made.id), 0, usize::MAX).await.unwrap();
    assert!(events.iter().any(|event| event.kind == EventKind::Warning), "{events:#?}");
    promises::hold(&world).await;
}

#[tokio::test(start_paused = true)]
async fn a_vm_that_never_answers_is_kept_out_and_can_be_tried_once_more() {
    let world = world(0);
    world.cloud.contabo().adjust(|options| options.boot = Delay::seconds(10_000_000, 0));
    let process = world.start();
    process.engine.order_vms(1, "ada").await.remove(0).unwrap();
    tokio::time::sleep(world.policy.reach_deadline * 4 + Duration::from_mins(5)).await;
    let kept_out = vms(&world).await.remove(0);
    assert_eq!((kept_out.state, kept_out.attention, kept_out.wake_at), (VmState::Quarantined, true, None));
    let machine = view::machines(&world.cloud).await.remove(0);
    assert_eq!(machine.wiped, u64::from(world.policy.reinstalls_max));
    let view = process.engine.pool().await.unwrap();
    assert_eq!((view.plan.counts.quarantined, view.owned), (1, 1), "it is paid and counts");

    world.cloud.contabo().adjust(|options| options.boot = Delay::ZERO);
    process.engine.adopt(kept_out.id, &kept_out.display_name, false, "ada").await.unwrap();
    rest(&world).await;
    assert_eq!(vms(&world).await[0].state, VmState::Ready);
}

#[tokio::test(start_paused = true)]
async fn an_environment_s_vm_that_fails_is_installed_anew_before_anybody_gives_up() {
    let world = World::with(401, Options { contabo: contabo::Options::demo(), ..Options::default() });
    world.cloud.contabo().next_order(OrderOutcome::Error);
    let process = world.start();
    let made = world.create(&process, 1).await.remove(0);
    rest(&world).await;
    assert_eq!(world.environment(made.id).await.status, Status::Active, "another installation mended it");
    assert_eq!((orders_sent(&world), view::machines(&world.cloud).await[0].wiped), (1, 1));
    promises::hold(&world).await;
}

#[tokio::test(start_paused = true)]
async fn contracts_that_nobody_needs_are_let_lapse_in_time_and_only_if_that_is_allowed() {
    for lapse in [false, true] {
        let mut world = slow_world(0);
        world.policy.pool.lapse = lapse;
        world.policy.pool.slack = 1;
        let process = world.start();
        assert!(process.engine.order_vms(4, "ada").await.iter().all(Result::is_ok));
        rest(&world).await;
        let busy = world.create(&process, 1).await.remove(0);
        rest(&world).await;
        tokio::time::sleep(Duration::from_hours(24 * 33)).await;
        let vms = vms(&world).await;
        let cancelled: Vec<&Vm> = vms.iter().filter(|vm| vm.cancel_date.is_some()).collect();
        assert_eq!(cancelled.len(), if lapse { 2 } else { 0 }, "one is used, one is kept to be sure: {vms:#?}");
        assert_eq!(world.environment(busy.id).await.status, Status::Active);
        assert_eq!(orders_sent(&world), 4);
        promises::hold(&world).await;
    }
}
