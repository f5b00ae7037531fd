//! Giving VMs of the pool to environments.

use std::collections::BTreeSet;
use std::sync::Arc;

use alfred_model::environment::{Step, Wish};
use alfred_model::id::VmId;
use alfred_model::intent::{Intent, IntentKind, Outcome};
use alfred_model::vm::{Vm, VmState, VmStep};
use alfred_store::{Assignment, Changes, Lease, PoolFilter, Store, StoreError};
use futures::future::join_all;

use crate::fixture::{add_vms, assignment, at, claim, claimed, environment, id, intent, new, stored, vm};

fn assignable(number: i64, seconds: Option<i64>) -> Vm {
    let mut row = vm(number);
    row.assignable_at = seconds.map(at);
    row
}

/// Assigns at `seconds` and answers the VM's number.
async fn assign(store: &dyn Store, number: u128, seconds: i64) -> Option<i64> {
    let row = stored(store, number).await;
    store.assign_vm(assignment(&row, seconds)).await.unwrap().map(|(_, vm)| vm.id.0)
}

pub(crate) async fn the_longest_assignable_vm_comes_first(store: Arc<dyn Store>) {
    let mut preparing = assignable(9, Some(0));
    preparing.state = VmState::Preparing;
    let mut waiting = assignable(5, Some(20));
    waiting.wake_at = Some(at(3));
    add_vms(&*store, [preparing, waiting, assignable(4, Some(10)), assignable(3, Some(10)), assignable(8, None)]).await;
    store.create_environments(new((1..=5).map(environment))).await.unwrap();
    assert_eq!(assign(&*store, 1, 10).await, Some(8));
    assert_eq!(assign(&*store, 2, 10).await, Some(3));
    assert_eq!(assign(&*store, 3, 10).await, Some(4));
    assert_eq!(assign(&*store, 4, 19).await, None);
    let mut row = stored(&*store, 4).await;
    row.step = Step::WriteRecord;
    row.updated_at = at(20);
    let (written, taken) = store.assign_vm(assignment(&row, 20)).await.unwrap().unwrap();
    let mut expected = row.clone();
    expected.vm_id = Some(VmId(5));
    expected.address = vm(5).address;
    expected.version += 1;
    assert_eq!(written, expected);
    assert_eq!(stored(&*store, 4).await, expected);
    assert_eq!((taken.state, taken.step, taken.environment_id), (VmState::Assigned, VmStep::Settled, Some(id(4))));
    assert_eq!((taken.assignable_at, taken.wake_at, taken.wiped_at), (None, None, None));
    assert_eq!(taken.version, 1);
    assert_eq!(store.vm(VmId(5)).await.unwrap(), Some(taken));
    assert_eq!(store.events(Some(id(4)), 0, 9).await.unwrap().len(), 1);
}

pub(crate) async fn a_vm_fits_the_filter(store: Arc<dyn Store>) {
    let other = Vm { product: "V45".to_owned(), region: "US-east".to_owned(), ..vm(2) };
    add_vms(&*store, [vm(1), other]).await;
    store.create_environments(new([environment(1)])).await.unwrap();
    let row = stored(&*store, 1).await;
    let with = |product: Option<&str>, region: Option<&str>| Assignment {
        filter: PoolFilter { product: product.map(str::to_owned), region: region.map(str::to_owned), expires_at: None },
        ..assignment(&row, 1)
    };
    assert!(store.assign_vm(with(Some("V45"), Some("EU"))).await.unwrap().is_none());
    let (row, chosen) = store.assign_vm(with(Some("V45"), None)).await.unwrap().unwrap();
    assert_eq!(chosen.id, VmId(2));
    let filter = PoolFilter { product: None, region: Some("EU".to_owned()), expires_at: None };
    let again = Assignment { filter, ..assignment(&row, 1) };
    assert_eq!(store.assign_vm(again).await.unwrap().map(|(_, vm)| vm.id), Some(VmId(1)));
}

pub(crate) async fn an_empty_pool_writes_nothing(store: Arc<dyn Store>) {
    let mut row = claimed(&*store, 1).await;
    let before = row.clone();
    row.reason = Some("never".to_owned());
    assert!(store.assign_vm(assignment(&row, 5)).await.unwrap().is_none());
    assert_eq!(stored(&*store, 1).await, before);
    assert_eq!(store.last_event().await.unwrap(), 0);
}

pub(crate) async fn assignment_is_fenced(store: Arc<dyn Store>) {
    add_vms(&*store, [vm(1)]).await;
    let mine = claimed(&*store, 1).await;
    let mut stale = mine.clone();
    stale.version -= 1;
    assert!(matches!(store.assign_vm(assignment(&stale, 5)).await, Err(StoreError::Conflict { .. })));
    assert_eq!(store.vm(VmId(1)).await.unwrap(), Some(vm(1)));
    store.wish_absent(id(1), "anna", at(3)).await.unwrap();
    let mut mine = mine;
    mine.wake_at = Some(at(99));
    mine.updated_at = at(6);
    let (row, _) = store.assign_vm(assignment(&mine, 6)).await.unwrap().unwrap();
    assert_eq!((row.wish, row.wake_at), (Wish::Absent, Some(at(6))), "a wish is kept here too");
    assert!(store.claim_environments(&claim("other", 7)).await.unwrap().is_empty(), "the lease was kept");
}

pub(crate) async fn assignment_takes_the_vm_from_its_worker(store: Arc<dyn Store>) {
    let mut due = vm(1);
    due.wake_at = Some(at(0));
    add_vms(&*store, [due]).await;
    let (held, _) = store.claim_vms(&claim("trimmer", 1)).await.unwrap().remove(0);
    store.create_environments(new([environment(1)])).await.unwrap();
    assert_eq!(assign(&*store, 1, 2).await, Some(1));
    let cancel = Changes { vms: vec![(held, Lease::Release)], ..Changes::default() };
    assert!(matches!(store.commit(cancel).await, Err(StoreError::Conflict { .. })));
    assert_eq!(store.renew_leases("trimmer", at(99)).await.unwrap(), 0);
}

pub(crate) async fn no_vm_is_given_twice(store: Arc<dyn Store>) {
    add_vms(&*store, (1..=10).map(vm)).await;
    store.create_environments(new((1..=16).map(environment))).await.unwrap();
    let callers = (1..=16).map(|number| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { assign(&*store, number, 1).await })
    });
    let given: Vec<i64> = join_all(callers).await.into_iter().filter_map(Result::unwrap).collect();
    assert_eq!(given.len(), 10);
    assert_eq!(given.into_iter().collect::<BTreeSet<_>>(), (1..=10).collect());
    let owners: BTreeSet<_> = store.vms(false).await.unwrap().iter().filter_map(|vm| vm.environment_id).collect();
    assert_eq!(owners.len(), 10);
}

pub(crate) async fn a_later_caller_does_not_help_an_earlier_one(store: Arc<dyn Store>) {
    add_vms(&*store, [assignable(1, Some(100))]).await;
    store.create_environments(new((1..=8).map(environment))).await.unwrap();
    let callers = (1..=8).map(|number| {
        let store = Arc::clone(&store);
        let seconds = if number == 5 { 100 } else { 99 };
        tokio::spawn(async move { (number, assign(&*store, number, seconds).await) })
    });
    for outcome in join_all(callers).await {
        let (number, given) = outcome.unwrap();
        assert_eq!(given, (number == 5).then_some(1), "{number}");
    }
}

pub(crate) async fn filters_do_not_share_a_vm(store: Arc<dyn Store>) {
    add_vms(&*store, (1..=4).map(vm)).await;
    store.create_environments(new((1..=12).map(environment))).await.unwrap();
    let rows = store.environments(alfred_store::EnvironmentQuery::default()).await.unwrap();
    let callers = rows.into_iter().zip(0..).map(|(row, number)| {
        let store = Arc::clone(&store);
        let filter = match number % 3 {
            0 => PoolFilter::default(),
            1 => PoolFilter { product: Some("V153".to_owned()), region: None, expires_at: None },
            _ => PoolFilter { product: None, region: Some("EU".to_owned()), expires_at: None },
        };
        let wanted = Assignment { filter, ..assignment(&row, 1) };
        tokio::spawn(async move { store.assign_vm(wanted).await.unwrap() })
    });
    let given = join_all(callers).await.into_iter().filter_map(Result::unwrap);
    let given: Vec<i64> = given.map(|(_, vm)| vm.id.0).collect();
    assert_eq!(given.len(), 4);
    assert_eq!(given.into_iter().collect::<BTreeSet<_>>().len(), 4);
}

pub(crate) async fn vms_are_listed(store: Arc<dyn Store>) {
    let mut ended = vm(2);
    ended.state = VmState::Ended;
    ended.cancel_date = Some(jiff::civil::date(2026, 12, 31));
    add_vms(&*store, [vm(3), ended.clone(), vm(-1)]).await;
    assert_eq!(store.vms(false).await.unwrap(), [vm(-1), vm(3)]);
    assert_eq!(store.vms(true).await.unwrap(), [vm(-1), ended, vm(3)]);
    assert_eq!(store.vm(VmId(9)).await.unwrap(), None);
}

/// VMs whose contract has ended count no more, orders of which nothing is known count already.
pub(crate) async fn what_the_limit_counts(store: Arc<dyn Store>) {
    assert_eq!(store.owned_vms().await.unwrap(), 0);
    let mut ended = vm(2);
    ended.state = VmState::Ended;
    add_vms(&*store, [vm(1), ended]).await;
    assert_eq!(store.owned_vms().await.unwrap(), 1);
    let order = |number, outcome| Intent { kind: IntentKind::OrderVm, outcome, ..intent(number, None) };
    let intents = vec![
        order(1, Outcome::Open),
        order(2, Outcome::Unknown),
        order(3, Outcome::Done),
        order(4, Outcome::Rejected),
        order(5, Outcome::Abandoned),
        Intent { outcome: Outcome::Open, ..intent(6, None) },
    ];
    store.commit(Changes { intents, ..Changes::default() }).await.unwrap();
    assert_eq!(store.owned_vms().await.unwrap(), 3);
}

/// So many days after the fixture's first second, which is at eight in the morning.
fn day(days: i64) -> jiff::civil::Date {
    at(days * 24 * 3600).to_zoned(jiff::tz::TimeZone::UTC).date()
}

/// A VM that ends with that day.
fn ending(number: i64, days: i64, state: VmState) -> Vm {
    Vm { cancel_date: Some(day(days)), state, ..vm(number) }
}

pub(crate) async fn vms_that_end_serve_only_who_ends_before(store: Arc<dyn Store>) {
    const DAY: i64 = 24 * 3600;
    let unwiped = Vm { wiped_at: None, ..ending(5, 20, VmState::Retiring) };
    let being_cancelled = Vm { step: VmStep::ConfirmCancel, ..ending(6, 20, VmState::Retiring) };
    let resting = Vm { assignable_at: Some(at(1_000)), ..ending(7, 20, VmState::Ready) };
    let ends = [ending(2, 12, VmState::Retiring), ending(3, 9, VmState::Ready), ending(4, 5, VmState::Retiring)];
    add_vms(&*store, [vm(1), unwiped, being_cancelled, resting].into_iter().chain(ends)).await;
    store.create_environments(new((1..=6).map(environment))).await.unwrap();
    let until = async |number, expires_at: Option<i64>| {
        let row = stored(&*store, number).await;
        let filter = PoolFilter { expires_at: expires_at.map(at), ..PoolFilter::default() };
        let asked = Assignment { filter, ..assignment(&row, 10) };
        store.assign_vm(asked).await.unwrap().map(|(_, vm)| (vm.id.0, vm.state, vm.cancel_date))
    };
    let last_day = |days| Some(day(days));
    assert_eq!(until(1, None).await, Some((1, VmState::Assigned, None)), "one that goes on");
    assert_eq!(until(2, None).await, None, "and no other");
    // Gone a day before the last day begins.
    assert_eq!(
        until(2, Some(7 * DAY)).await,
        Some((3, VmState::Assigned, last_day(9))),
        "the soonest to end that lasts"
    );
    assert_eq!(until(3, Some(7 * DAY)).await, Some((2, VmState::Assigned, last_day(12))));
    assert_eq!(until(4, Some(7 * DAY)).await, None);
    assert_eq!(until(4, Some(3 * DAY + 16 * 3600 + 1)).await, None, "a second too long");
    assert_eq!(until(4, Some(3 * DAY + 16 * 3600)).await, Some((4, VmState::Assigned, last_day(5))));
}

pub(crate) async fn callers_with_other_ends_at_once_get_other_vms(store: Arc<dyn Store>) {
    const DAY: i64 = 24 * 3600;
    let ends = (1..=8).map(|number| ending(number, number + 10, VmState::Retiring));
    add_vms(&*store, ends.chain([vm(20), vm(21)])).await;
    store.create_environments(new((1..=14).map(environment))).await.unwrap();
    let rows = store.environments(alfred_store::EnvironmentQuery::default()).await.unwrap();
    let callers = rows.into_iter().zip(0..).map(|(row, number)| {
        let store = Arc::clone(&store);
        let expires_at = (number % 7 != 0).then(|| at((10 + number % 7) * DAY));
        let filter = PoolFilter { expires_at, ..PoolFilter::default() };
        tokio::spawn(async move { (expires_at, store.assign_vm(Assignment { filter, ..assignment(&row, 1) }).await) })
    });
    let mut given = BTreeSet::new();
    for outcome in join_all(callers).await {
        let (expires_at, assigned) = outcome.unwrap();
        let Some((_, vm)) = assigned.unwrap() else { continue };
        assert!(given.insert(vm.id.0), "VM {} was given twice", vm.id);
        let asked = Vm { state: VmState::Retiring, wiped_at: Some(at(0)), assignable_at: None, ..vm.clone() };
        assert!(
            vm.cancel_date.is_none() || alfred_model::pool::fits(&asked, expires_at, at(1)),
            "{vm:?} {expires_at:?}"
        );
    }
    assert!(given.len() >= 8, "{given:?}");
}

pub(crate) async fn demand_is_read_from_environments(store: Arc<dyn Store>) {
    use alfred_model::environment::Status;
    use alfred_model::pool::Life;
    let mut rows: Vec<_> = (1..=5).map(environment).collect();
    for (row, number) in rows.iter_mut().zip(1..) {
        row.created_at = at(number);
    }
    store.create_environments(new(rows)).await.unwrap();
    let end = async |number, status, released: Option<i64>, updated| {
        let mut row = stored(&*store, number).await;
        row.status = status;
        row.released_at = released.map(at);
        row.updated_at = at(updated);
        row.vm_id = (status == Status::Active).then_some(VmId(4));
        store.commit(Changes { environments: vec![(row, Lease::Release)], ..Changes::default() }).await.unwrap();
    };
    end(1, Status::Deleted, Some(50), 60).await;
    end(2, Status::Deleted, None, 70).await;
    end(3, Status::Error, None, 80).await;
    end(4, Status::Active, None, 90).await;
    let lives = async |since| {
        let mut lives = store.lives(at(since)).await.unwrap();
        lives.sort_by_key(|life| life.from);
        lives
    };
    let life = |from, to: Option<i64>| Life { from: at(from), to: to.map(at) };
    let still_there = [life(3, Some(80)), life(4, None), life(5, None)];
    assert_eq!(lives(0).await, [&[life(1, Some(50)), life(2, Some(70))][..], &still_there].concat());
    assert_eq!(lives(60).await.len(), 5, "one that ended at this time counts");
    assert_eq!(lives(61).await, [&[life(2, Some(70))][..], &still_there].concat());
    assert_eq!(lives(71).await, still_there);
}
