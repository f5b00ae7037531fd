//! Ends of environments, and the events that tell of them.

use std::sync::Arc;

use alfred_model::environment::{Environment, ExpiryBound, Status, Wish};
use alfred_model::event::{Event, EventKind};
use alfred_model::expiry::Expiry;
use alfred_model::id::BatchId;
use alfred_store::{EnvironmentQuery, ExpiryChange, Lease, Store};
use futures::future::join_all;
use uuid::Uuid;

use crate::fixture::{at, claim, claimed, ending, environment, event, expiry_change, id, new, stored, write};

pub(crate) async fn an_end_is_read_back(store: Arc<dyn Store>) {
    let mut row = ending(1, 10, 100);
    row.warned_at = Some(at(11));
    row.expiry_bound = Some(ExpiryBound { at: at(200), reason: "its VM's contract ends".to_owned() });
    row.batch = Some(BatchId(Uuid::from_u128(7)));
    store.create_environments(new([row.clone(), environment(2)])).await.unwrap();
    assert_eq!(stored(&*store, 1).await, row);
    assert_eq!(stored(&*store, 2).await.expiry(), Expiry::default());
}

pub(crate) async fn an_end_changes_only_from_what_was_read(store: Arc<dyn Store>) {
    let row = ending(1, 10, 100);
    store.create_environments(new([row.clone()])).await.unwrap();
    let bound = ExpiryBound { at: at(900), reason: "its VM's contract ends".to_owned() };
    let longer = Expiry { at: Some(at(500)), warn_at: Some(at(400)), warned_at: None, bound: Some(bound) };
    let change = expiry_change(&row, longer.clone(), 5);
    let changed = store.change_expiry(&change).await.unwrap().unwrap();
    assert_eq!((changed.expiry(), changed.wish, changed.version), (longer.clone(), Wish::Present, 0));
    assert_eq!((changed.updated_at, changed.wake_at), (at(5), row.wake_at));
    assert_eq!(stored(&*store, 1).await, changed);
    assert_eq!(store.change_expiry(&change).await.unwrap(), None, "it was read before");
    let only_bound = Expiry { bound: None, ..longer };
    assert_eq!(store.change_expiry(&expiry_change(&row, only_bound, 6)).await.unwrap(), None);
    assert_eq!(store.change_expiry(&expiry_change(&ending(9, 1, 2), Expiry::default(), 6)).await.unwrap(), None);
    assert_eq!(store.last_event().await.unwrap(), 1, "what is refused tells nothing");
}

pub(crate) async fn what_is_over_is_wished_absent(store: Arc<dyn Store>) {
    let mut row = ending(1, 10, 100);
    row.wake_at = None;
    store.create_environments(new([row.clone()])).await.unwrap();
    let over = ExpiryChange { is_over: true, ..expiry_change(&row, row.expiry(), 100) };
    let gone = store.change_expiry(&over).await.unwrap().unwrap();
    assert_eq!((gone.wish, gone.wake_at, gone.expires_at), (Wish::Absent, Some(at(100)), row.expires_at));
    assert_eq!(store.change_expiry(&over).await.unwrap(), None, "once");
    let longer = Expiry { at: Some(at(900)), ..row.expiry() };
    assert_eq!(store.change_expiry(&expiry_change(&gone, longer, 101)).await.unwrap(), None, "too late");
    assert_eq!(store.claim_environments(&claim("worker", 100)).await.unwrap().len(), 1);
}

pub(crate) async fn a_worker_does_not_write_the_end(store: Arc<dyn Store>) {
    let mut row = claimed(&*store, 1).await;
    let before = row.clone();
    row.set_expiry(ending(1, 1, 2).expiry());
    row.batch = Some(BatchId(Uuid::from_u128(9)));
    let written = store.commit(write(row, Lease::Keep)).await.unwrap().environments.remove(0).0;
    assert_eq!((written.expiry(), written.batch), (Expiry::default(), None));
    // One that changes while a worker has the row stays, and does not get in the worker's way.
    let end = ending(1, 10, 100).expiry();
    assert!(store.change_expiry(&expiry_change(&before, end.clone(), 5)).await.unwrap().is_some());
    let written = store.commit(write(written, Lease::Release)).await.unwrap().environments.remove(0).0;
    assert_eq!(written.expiry(), end);
    assert_eq!(stored(&*store, 1).await, written);
}

pub(crate) async fn what_is_due_comes_soonest_first(store: Arc<dyn Store>) {
    let mut warned = ending(2, 10, 50);
    warned.warned_at = Some(at(12));
    let mut absent = ending(4, 1, 2);
    absent.wish = Wish::Absent;
    let mut deleted = ending(5, 1, 2);
    deleted.status = Status::Deleted;
    let rows = [ending(1, 60, 100), warned, ending(3, 40, 900), absent, deleted, environment(6), ending(7, 60, 100)];
    store.create_environments(new(rows)).await.unwrap();
    let due = async |until, limit| -> Vec<u128> {
        let rows: Vec<Environment> = store.expiring(at(until), limit).await.unwrap();
        rows.iter().map(|row| row.id.0.as_u128()).collect()
    };
    assert_eq!(due(39, 9).await, []);
    assert_eq!(due(40, 9).await, [3]);
    assert_eq!(due(60, 9).await, [3, 2, 1, 7]);
    assert_eq!(due(60, 2).await, [3, 2]);
    assert_eq!(store.expiring(jiff::Timestamp::MAX, 1).await.unwrap(), [ending(3, 40, 900)]);
}

pub(crate) async fn of_an_extension_and_a_deletion_one_wins(store: Arc<dyn Store>) {
    let rows: Vec<Environment> = (1..=20).map(|number| ending(number, 10, 100)).collect();
    store.create_environments(new(rows.clone())).await.unwrap();
    let longer = |row: &Environment| Expiry { at: Some(at(500)), ..row.expiry() };
    let races = rows.iter().flat_map(|row| {
        let over = ExpiryChange { is_over: true, ..expiry_change(row, row.expiry(), 100) };
        [over.clone(), expiry_change(row, longer(row), 100), over].map(|change| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.change_expiry(&change).await.unwrap() })
        })
    });
    let outcomes: Vec<_> = join_all(races).await.into_iter().map(Result::unwrap).collect();
    for (outcomes, row) in outcomes.chunks(3).zip(&rows) {
        let won: Vec<&Environment> = outcomes.iter().flatten().collect();
        assert_eq!(won.len(), 1);
        assert_eq!(*won[0], store.environment(row.id).await.unwrap().unwrap());
        assert_eq!(won[0].wish == Wish::Absent, won[0].expires_at == row.expires_at);
    }
    assert_eq!(store.last_event().await.unwrap(), 20);
}

pub(crate) async fn notices_are_the_events_of_note(store: Arc<dyn Store>) {
    use EventKind::{Attention, Progress, Warning};

    let row = environment(1);
    let told = |kind, message: &str| Event { kind, ..event(&row, message) };
    let mut request = new([row.clone()]);
    request.events = vec![
        told(EventKind::Progress, "a"),
        told(EventKind::Warning, "b"),
        told(EventKind::Progress, "c"),
        told(EventKind::Attention, "d"),
        told(EventKind::Warning, "e"),
    ];
    store.create_environments(request).await.unwrap();
    let notices = async |after, limit| -> Vec<String> {
        store.notices(after, limit).await.unwrap().into_iter().map(|event| event.message).collect()
    };
    assert_eq!(notices(0, 9).await, ["b", "d", "e"]);
    assert_eq!(notices(2, 1).await, ["d"]);
    assert!(notices(5, 9).await.is_empty());
    let kinds: Vec<EventKind> = store.events(Some(id(1)), 0, 9).await.unwrap().iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [Progress, Warning, Progress, Attention, Warning]);
}

pub(crate) async fn a_batch_is_listed(store: Arc<dyn Store>) {
    let of = |number, batch: Option<u128>| Environment {
        batch: batch.map(|batch| BatchId(Uuid::from_u128(batch))),
        ..environment(number)
    };
    store.create_environments(new([of(1, Some(8)), of(2, None), of(3, Some(9)), of(4, Some(8))])).await.unwrap();
    let query = EnvironmentQuery { batch: Some(BatchId(Uuid::from_u128(8))), ..EnvironmentQuery::default() };
    assert_eq!(store.environments(query.clone()).await.unwrap(), [of(1, Some(8)), of(4, Some(8))]);
    let rest = EnvironmentQuery { after: Some(id(1)), ..query };
    assert_eq!(store.environments(rest).await.unwrap(), [of(4, Some(8))]);
}
