//! Claims, leases, wake-ups.

use std::collections::BTreeSet;
use std::sync::Arc;

use alfred_model::environment::Step;
use alfred_model::id::VmId;
use alfred_model::intent::Outcome;
use alfred_model::vm::VmStep;
use alfred_store::{Changes, Claim, Lease, Store, StoreError};
use futures::future::join_all;

use crate::fixture::{add_vms, at, claim, claimed, environment, id, intent, new, stored, vm, write};

async fn claim_numbers(store: &dyn Store, claim: &Claim) -> Vec<u128> {
    let claimed = store.claim_environments(claim).await.unwrap();
    claimed.iter().map(|claimed| claimed.environment.id.0.as_u128()).collect()
}

pub(crate) async fn due_rows_are_claimed_oldest_first(store: Arc<dyn Store>) {
    let due = [(1, Some(30)), (2, Some(10)), (3, None), (4, Some(20)), (5, Some(40)), (6, Some(10))];
    let rows = due.map(|(number, seconds)| {
        let mut row = environment(number);
        row.wake_at = seconds.map(at);
        row
    });
    store.create_environments(new(rows)).await.unwrap();
    assert!(claim_numbers(&*store, &claim("worker", 9)).await.is_empty());
    assert!(claim_numbers(&*store, &Claim { limit: 0, ..claim("worker", 30) }).await.is_empty());
    assert_eq!(claim_numbers(&*store, &Claim { limit: 3, ..claim("worker", 30) }).await, [2, 6, 4]);
    assert_eq!(claim_numbers(&*store, &claim("worker", 30)).await, [1]);
    assert!(claim_numbers(&*store, &claim("worker", 30)).await.is_empty(), "also not by the same worker");
}

pub(crate) async fn a_claim_brings_company(store: Arc<dyn Store>) {
    let mut with_vm = environment(1);
    with_vm.vm_id = Some(VmId(7));
    let mut without_row = environment(2);
    without_row.vm_id = Some(VmId(8));
    store.create_environments(new([with_vm, without_row])).await.unwrap();
    add_vms(&*store, [vm(7), vm(9)]).await;
    let mut settled = intent(3, Some(id(1)));
    settled.outcome = Outcome::Done;
    let mut unknown = intent(4, Some(id(1)));
    unknown.outcome = Outcome::Unknown;
    let intents = vec![unknown.clone(), settled, intent(2, Some(id(1))), intent(5, Some(id(9)))];
    store.commit(Changes { intents, ..Changes::default() }).await.unwrap();
    let claimed = store.claim_environments(&claim("worker", 1)).await.unwrap();
    assert_eq!(claimed[0].environment.version, 1, "a claim raises the version");
    assert_eq!(claimed[0].environment, stored(&*store, 1).await);
    assert_eq!(claimed[0].vm, Some(vm(7)));
    assert_eq!(claimed[0].open_intents, [intent(2, Some(id(1))), unknown]);
    assert_eq!((claimed[1].vm.as_ref(), claimed[1].open_intents.len()), (None, 0));
}

pub(crate) async fn two_workers_claim_different_rows(store: Arc<dyn Store>) {
    store.create_environments(new((1..=200).map(environment))).await.unwrap();
    let claims = (0..8).flat_map(|_| ["one", "two"]).map(|worker| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { claim_numbers(&*store, &Claim { limit: 20, ..claim(worker, 1) }).await })
    });
    let claimed: Vec<u128> = join_all(claims).await.into_iter().flat_map(Result::unwrap).collect();
    assert_eq!(claimed.len(), 200);
    assert_eq!(claimed.iter().collect::<BTreeSet<_>>().len(), 200);
}

pub(crate) async fn an_expired_lease_can_be_claimed(store: Arc<dyn Store>) {
    claimed(&*store, 1).await;
    assert!(claim_numbers(&*store, &claim("other", 60)).await.is_empty(), "held until 61");
    assert_eq!(claim_numbers(&*store, &claim("other", 61)).await, [1]);
}

pub(crate) async fn a_worker_that_lost_its_lease_cannot_write(store: Arc<dyn Store>) {
    let mine = claimed(&*store, 1).await;
    let theirs = store.claim_environments(&claim("other", 61)).await.unwrap().remove(0).environment;
    let refused = store.commit(write(mine, Lease::Keep)).await;
    assert!(matches!(refused, Err(StoreError::Conflict { what }) if what.contains("brave-tiger-1")));
    let mut next = theirs;
    next.step = Step::OrderVm;
    store.commit(write(next, Lease::Keep)).await.unwrap();
    assert_eq!(stored(&*store, 1).await.step, Step::OrderVm);
}

pub(crate) async fn renewing_prolongs_only_own_leases(store: Arc<dyn Store>) {
    let mut due_vm = vm(5);
    due_vm.wake_at = Some(at(0));
    add_vms(&*store, [due_vm]).await;
    store.create_environments(new([environment(1), environment(2)])).await.unwrap();
    let one = Claim { limit: 1, ..claim("one", 1) };
    assert_eq!(claim_numbers(&*store, &one).await, [1]);
    assert_eq!(store.claim_vms(&one).await.unwrap().len(), 1);
    assert_eq!(claim_numbers(&*store, &claim("two", 1)).await, [2]);
    let before = stored(&*store, 1).await;
    assert_eq!(store.renew_leases("one", at(120)).await.unwrap(), 2, "an environment and a VM");
    assert_eq!(store.renew_leases("one", at(90)).await.unwrap(), 2, "a lease never becomes shorter");
    assert_eq!(store.renew_leases("nobody", at(120)).await.unwrap(), 0);
    assert_eq!(stored(&*store, 1).await, before, "the version stays");
    assert_eq!(claim_numbers(&*store, &claim("three", 100)).await, [2]);
    assert!(store.claim_vms(&claim("three", 100)).await.unwrap().is_empty());
    assert_eq!(claim_numbers(&*store, &claim("three", 120)).await, [1]);
}

pub(crate) async fn vms_are_claimed_with_their_intents(store: Arc<dyn Store>) {
    let due = |number, seconds| {
        let mut row = vm(number);
        row.wake_at = Some(at(seconds));
        row
    };
    add_vms(&*store, [due(1, 5), due(2, 3), vm(3), due(4, 50)]).await;
    let of_vm = |number, vm| {
        let mut line = intent(number, None);
        line.vm_id = Some(VmId(vm));
        line
    };
    let mut of_environment = of_vm(8, 1);
    of_environment.environment_id = Some(id(1));
    let mut settled = of_vm(9, 1);
    settled.outcome = Outcome::Rejected;
    let intents = vec![of_vm(6, 1), of_vm(5, 1), of_environment, settled];
    store.commit(Changes { intents, ..Changes::default() }).await.unwrap();
    let claimed = store.claim_vms(&claim("worker", 10)).await.unwrap();
    let summary: Vec<_> = claimed.iter().map(|(vm, intents)| (vm.id.0, vm.version, intents.len())).collect();
    assert_eq!(summary, [(2, 1, 0), (1, 1, 2)]);
    assert_eq!(claimed[1].1, [of_vm(5, 1), of_vm(6, 1)]);
    let mut wiping = claimed[1].0.clone();
    wiping.step = VmStep::Wipe;
    let changes = Changes { vms: vec![(wiping, Lease::Release)], ..Changes::default() };
    assert_eq!(store.commit(changes.clone()).await.unwrap().vms[0].0.version, 2);
    assert!(matches!(store.commit(changes).await, Err(StoreError::Conflict { .. })), "fenced as environments are");
    let free = store.claim_vms(&claim("worker", 11)).await.unwrap();
    assert_eq!(free.iter().map(|(vm, _)| vm.id.0).collect::<Vec<_>>(), [1], "a released VM that is still due");
}

pub(crate) async fn the_next_wake_is_the_next_possible_claim(store: Arc<dyn Store>) {
    assert_eq!(store.next_wake().await.unwrap(), None);
    let mut later = environment(1);
    later.wake_at = Some(at(30));
    let mut never = environment(2);
    never.wake_at = None;
    store.create_environments(new([later, never])).await.unwrap();
    assert_eq!(store.next_wake().await.unwrap(), Some(at(30)));
    let mut due_vm = vm(1);
    due_vm.wake_at = Some(at(20));
    add_vms(&*store, [due_vm]).await;
    assert_eq!(store.next_wake().await.unwrap(), Some(at(20)));
    store.claim_vms(&claim("worker", 20)).await.unwrap();
    assert_eq!(store.next_wake().await.unwrap(), Some(at(30)), "the VM is held until 80");
    store.claim_environments(&claim("worker", 30)).await.unwrap();
    assert_eq!(store.next_wake().await.unwrap(), Some(at(80)));
}

pub(crate) async fn a_wake_up_moves_a_row_forward(store: Arc<dyn Store>) {
    let rows =
        [(1, Some(50), Step::ReachVm), (2, None, Step::ReachVm), (3, Some(5), Step::ReachVm), (4, None, Step::Settled)];
    let rows = rows.map(|(number, seconds, step)| {
        let mut row = environment(number);
        row.wake_at = seconds.map(at);
        row.step = step;
        row
    });
    store.create_environments(new(rows)).await.unwrap();
    let wake = vec![id(1), id(2), id(3), id(4), id(1), id(99)];
    store.commit(Changes { wake: wake.clone(), ..Changes::default() }).await.unwrap();
    assert_eq!(stored(&*store, 1).await.wake_at, Some(at(50)), "no time, no wake-up");
    store.commit(Changes { wake, wake_at_time: Some(at(10)), ..Changes::default() }).await.unwrap();
    let expected = [(1, Some(10)), (2, Some(10)), (3, Some(5)), (4, None)];
    for (number, seconds) in expected {
        let row = stored(&*store, number).await;
        assert_eq!((number, row.wake_at, row.version), (number, seconds.map(at), 0));
    }
}

pub(crate) async fn a_wake_up_during_a_lease_is_not_lost(store: Arc<dyn Store>) {
    let mut mine = claimed(&*store, 1).await;
    let wake = Changes { wake: vec![id(1)], wake_at_time: Some(at(2)), ..Changes::default() };
    store.commit(wake.clone()).await.unwrap();
    mine.wake_at = Some(at(500));
    mine.updated_at = at(3);
    let (mine, _) = store.commit(write(mine, Lease::Keep)).await.unwrap().environments.remove(0);
    assert_eq!(mine.wake_at, Some(at(500)));
    let (mine, _) = store.commit(write(mine, Lease::Release)).await.unwrap().environments.remove(0);
    assert_eq!(mine.wake_at, Some(at(3)), "released, and due at once");
    assert_eq!(stored(&*store, 1).await, mine);
    let mut mine = store.claim_environments(&claim("worker", 4)).await.unwrap().remove(0).environment;
    mine.wake_at = Some(at(500));
    let (mine, _) = store.commit(write(mine, Lease::Release)).await.unwrap().environments.remove(0);
    assert_eq!(mine.wake_at, Some(at(500)), "the claim has seen what it was woken for");
    let mut settled = {
        store.commit(wake).await.unwrap();
        store.claim_environments(&claim("worker", 5)).await.unwrap().remove(0).environment
    };
    store.commit(Changes { wake: vec![id(1)], wake_at_time: Some(at(6)), ..Changes::default() }).await.unwrap();
    settled.step = Step::Settled;
    settled.wake_at = None;
    let (settled, _) = store.commit(write(settled, Lease::Release)).await.unwrap().environments.remove(0);
    assert_eq!(settled.wake_at, None, "a settled row is not woken");
}

pub(crate) async fn a_kept_lease_stays_and_a_released_one_goes(store: Arc<dyn Store>) {
    let mine = claimed(&*store, 1).await;
    let (mine, _) = store.commit(write(mine, Lease::Keep)).await.unwrap().environments.remove(0);
    assert!(claim_numbers(&*store, &claim("other", 2)).await.is_empty());
    store.commit(write(mine, Lease::Release)).await.unwrap();
    assert_eq!(claim_numbers(&*store, &claim("other", 2)).await, [1]);
}
