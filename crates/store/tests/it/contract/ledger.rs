//! The ledger, calls home, and events.

use std::sync::Arc;

use alfred_model::environment::Step;
use alfred_model::id::VmId;
use alfred_model::intent::{Intent, IntentKind, Outcome};
use alfred_model::vm::VmStep;
use alfred_store::{Changes, IntentQuery, Lease, Store};

use crate::fixture::{add_vms, at, claim, environment, event, id, intent, new, stored, vm};

fn lines(intents: impl IntoIterator<Item = Intent>) -> Changes {
    Changes { intents: intents.into_iter().collect(), ..Changes::default() }
}

pub(crate) async fn lines_are_added_and_overwritten(store: Arc<dyn Store>) {
    let mut line = intent(1, None);
    assert_eq!(store.commit(lines([line.clone()])).await.unwrap().intents, [line.clone()]);
    line.outcome = Outcome::Done;
    line.kind = IntentKind::OrderVm;
    line.vm_id = Some(VmId(77));
    line.environment_id = Some(id(4));
    line.answer = Some("12345".to_owned());
    line.refused = true;
    line.settled_at = Some(at(9));
    line.call_home_hash = Some("ab".repeat(32));
    let mut earlier = line.clone();
    earlier.answer = Some("overwritten in the same breath".to_owned());
    store.commit(lines([earlier, line.clone(), intent(2, None)])).await.unwrap();
    assert_eq!(store.intent(line.id).await.unwrap(), Some(line));
    assert_eq!(store.intent(intent(2, None).id).await.unwrap(), Some(intent(2, None)));
    assert_eq!(store.intent(intent(3, None).id).await.unwrap(), None);
}

pub(crate) async fn lines_are_listed_newest_first(store: Arc<dyn Store>) {
    let mut order = intent(2, Some(id(1)));
    order.kind = IntentKind::OrderVm;
    order.outcome = Outcome::Abandoned;
    let mut unknown = intent(4, Some(id(2)));
    unknown.outcome = Outcome::Unknown;
    store.commit(lines([intent(1, Some(id(1))), order, intent(3, None), unknown])).await.unwrap();
    let list = async |query| -> Vec<u128> {
        store.intents(query).await.unwrap().iter().map(|line| line.id.0.as_u128()).collect()
    };
    assert_eq!(list(IntentQuery::default()).await, [4, 3, 2, 1]);
    assert_eq!(list(IntentQuery { limit: 2, ..IntentQuery::default() }).await, [4, 3]);
    assert_eq!(list(IntentQuery { environment: Some(id(1)), ..IntentQuery::default() }).await, [2, 1]);
    assert_eq!(list(IntentQuery { kind: Some(IntentKind::OrderVm), ..IntentQuery::default() }).await, [2]);
    let open = IntentQuery { only_open: true, ..IntentQuery::default() };
    assert_eq!(list(open.clone()).await, [4, 3, 1]);
    assert_eq!(list(IntentQuery { environment: Some(id(1)), ..open }).await, [1]);
}

pub(crate) async fn lines_since_a_time_are_listed_by_it(store: Arc<dyn Store>) {
    let order = |number, seconds| Intent { kind: IntentKind::OrderVm, created_at: at(seconds), ..intent(number, None) };
    let other = Intent { created_at: at(99), ..intent(9, None) };
    store.commit(lines([order(1, 30), order(2, 10), order(3, 20), other])).await.unwrap();
    let list = async |since, limit| -> Vec<u128> {
        let query =
            IntentQuery { kind: Some(IntentKind::OrderVm), since: Some(at(since)), limit, ..IntentQuery::default() };
        store.intents(query).await.unwrap().iter().map(|line| line.id.0.as_u128()).collect()
    };
    assert_eq!(list(0, 0).await, [1, 3, 2]);
    assert_eq!(list(20, 0).await, [1, 3]);
    assert_eq!(list(0, 2).await, [1, 3]);
    assert_eq!(list(31, 0).await, [0_u128; 0]);
}

/// An installation of VM 5 for environment 1, which waits for a call home.
async fn install(store: &dyn Store, step: Step, vm_step: VmStep) -> Intent {
    let mut row = environment(1);
    row.step = step;
    row.wake_at = None;
    store.create_environments(new([row])).await.unwrap();
    let mut installed = vm(5);
    installed.step = vm_step;
    add_vms(store, [installed]).await;
    let mut line = intent(1, Some(id(1)));
    line.vm_id = Some(VmId(5));
    line.call_home_hash = Some("hash".to_owned());
    store.commit(lines([line.clone()])).await.unwrap();
    line
}

pub(crate) async fn a_vm_calls_home_once(store: Arc<dyn Store>) {
    let mut line = install(&*store, Step::InstallVm, VmStep::Install).await;
    assert_eq!(store.call_home("other", at(3)).await.unwrap(), None);
    line.called_home_at = Some(at(3));
    assert_eq!(store.call_home("hash", at(3)).await.unwrap(), Some(line.clone()));
    assert_eq!(store.call_home("hash", at(4)).await.unwrap(), None);
    assert_eq!(store.intent(line.id).await.unwrap(), Some(line));
    let row = stored(&*store, 1).await;
    assert_eq!((row.wake_at, row.version), (Some(at(3)), 0));
    let woken = store.vm(VmId(5)).await.unwrap().unwrap();
    assert_eq!((woken.wake_at, woken.version), (Some(at(3)), 0));
}

pub(crate) async fn a_call_home_wakes_but_not_the_settled(store: Arc<dyn Store>) {
    install(&*store, Step::Settled, VmStep::Settled).await;
    assert!(store.call_home("hash", at(3)).await.unwrap().is_some());
    assert_eq!(stored(&*store, 1).await.wake_at, None);
    assert_eq!(store.vm(VmId(5)).await.unwrap().unwrap().wake_at, None);
}

pub(crate) async fn a_call_home_survives_a_stale_write(store: Arc<dyn Store>) {
    let stale = install(&*store, Step::InstallVm, VmStep::Install).await;
    store.commit(Changes { wake: vec![id(1)], wake_at_time: Some(at(1)), ..Changes::default() }).await.unwrap();
    let mut held = vm(5);
    held.step = VmStep::Install;
    held.wake_at = Some(at(1));
    store.commit(Changes { vms: vec![(held, Lease::Keep)], ..Changes::default() }).await.unwrap();
    let (mut held, _) = store.claim_vms(&claim("worker", 1)).await.unwrap().remove(0);
    store.call_home("hash", at(3)).await.unwrap();
    let written = store.commit(lines([Intent { answer: Some("seen".to_owned()), ..stale.clone() }])).await.unwrap();
    assert_eq!(written.intents[0].called_home_at, Some(at(3)));
    let kept = store.intent(stale.id).await.unwrap().unwrap();
    assert_eq!((kept.called_home_at, kept.answer.as_deref()), (Some(at(3)), Some("seen")));
    held.wake_at = Some(at(500));
    held.updated_at = at(4);
    let changes = Changes { vms: vec![(held, Lease::Release)], ..Changes::default() };
    let (held, _) = store.commit(changes).await.unwrap().vms.remove(0);
    assert_eq!(held.wake_at, Some(at(4)), "the VM called while its worker was busy");
    assert_eq!(store.vm(VmId(5)).await.unwrap(), Some(held));
}

pub(crate) async fn events_are_read_from_a_place_on(store: Arc<dyn Store>) {
    assert_eq!(store.last_event().await.unwrap(), 0);
    let rows = [environment(1), environment(2)];
    let events = (1..=6).map(|number: usize| event(&rows[number % 2], &number.to_string())).collect();
    store.create_environments(alfred_store::NewEnvironments { events, ..new(rows.clone()) }).await.unwrap();
    let list = async |environment, after, limit| -> Vec<(i64, String)> {
        let events = store.events(environment, after, limit).await.unwrap();
        events.into_iter().map(|event| (event.sequence, event.message)).collect()
    };
    let numbered = |numbers: &[i64]| -> Vec<(i64, String)> { numbers.iter().map(|n| (*n, n.to_string())).collect() };
    assert_eq!(list(None, 0, 100).await, numbered(&[1, 2, 3, 4, 5, 6]));
    assert_eq!(list(None, 4, 100).await, numbered(&[5, 6]));
    assert_eq!(list(None, 1, 2).await, numbered(&[2, 3]));
    assert_eq!(list(Some(id(1)), 2, 100).await, numbered(&[4, 6]));
    assert_eq!(list(Some(id(3)), 0, 100).await, numbered(&[]));
    assert_eq!(list(None, 0, 0).await, numbered(&[]));
    assert_eq!(store.last_event().await.unwrap(), 6);
}
