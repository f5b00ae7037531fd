//! Writing rows together, and wishes.

use std::sync::Arc;

use alfred_model::environment::{Status, Step, Wish};
use alfred_store::{Changes, Lease, Store, StoreError};
use futures::future::join_all;

use crate::fixture::{add_vms, at, claim, claimed, environment, event, id, intent, new, stored, vm, write};

pub(crate) async fn rows_come_back_with_their_versions(store: Arc<dyn Store>) {
    let mut mine = claimed(&*store, 1).await;
    add_vms(&*store, [vm(1)]).await;
    mine.status = Status::Active;
    mine.step = Step::VerifyRecord;
    mine.address = Some([203, 0, 113, 9].into());
    mine.reason = Some("waits".to_owned());
    mine.attempts = 3;
    mine.wake_at = Some(at(90));
    mine.updated_at = at(8);
    let mut changed_vm = vm(1);
    changed_vm.reason = Some("waits too".to_owned());
    let changes = Changes {
        environments: vec![(mine.clone(), Lease::Keep)],
        vms: vec![(changed_vm.clone(), Lease::Keep)],
        new_vms: vec![vm(2)],
        intents: vec![intent(1, Some(id(1)))],
        events: vec![event(&mine, "first"), event(&mine, "second")],
        ..Changes::default()
    };
    let written = store.commit(changes).await.unwrap();
    mine.version += 1;
    changed_vm.version += 1;
    assert_eq!(written.environments, [(mine.clone(), Lease::Keep)]);
    assert_eq!(written.vms, [(changed_vm.clone(), Lease::Keep)]);
    assert_eq!(written.events.iter().map(|event| event.sequence).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(stored(&*store, 1).await, mine);
    assert_eq!(store.vm(changed_vm.id).await.unwrap(), Some(changed_vm));
    assert_eq!(store.vm(vm(2).id).await.unwrap(), Some(vm(2)));
    assert_eq!(store.intent(intent(1, None).id).await.unwrap(), Some(intent(1, Some(id(1)))));
    assert_eq!(store.events(Some(id(1)), 0, 9).await.unwrap(), written.events);
}

pub(crate) async fn a_conflict_writes_nothing_of_its_own(store: Arc<dyn Store>) {
    let mine = claimed(&*store, 1).await;
    add_vms(&*store, [vm(1)]).await;
    let mut stale = vm(1);
    stale.version = 5;
    let changes = Changes {
        environments: vec![(mine.clone(), Lease::Release)],
        vms: vec![(stale, Lease::Release)],
        new_vms: vec![vm(2)],
        intents: vec![intent(1, None)],
        events: vec![event(&mine, "never")],
        wake: vec![id(1)],
        wake_at_time: Some(at(-9)),
    };
    assert!(matches!(store.commit(changes).await, Err(StoreError::Conflict { what }) if what == "the VM 1"));
    assert_eq!(stored(&*store, 1).await, mine);
    assert_eq!(store.vms(true).await.unwrap(), [vm(1)]);
    assert_eq!(store.intent(intent(1, None).id).await.unwrap(), None);
    assert_eq!(store.last_event().await.unwrap(), 0);
    let missing = store.commit(write(environment(9), Lease::Keep)).await;
    assert!(matches!(missing, Err(StoreError::Conflict { .. })), "a row that is not there");
}

pub(crate) async fn a_conflict_does_not_touch_others(store: Arc<dyn Store>) {
    store.create_environments(new((1..=40).map(environment))).await.unwrap();
    let claimed = store.claim_environments(&claim("worker", 1)).await.unwrap();
    let commits = claimed.into_iter().zip(0_i64..).map(|(claimed, number)| {
        let store = Arc::clone(&store);
        let mut row = claimed.environment;
        row.version -= number % 2;
        let changes = Changes {
            intents: vec![intent(row.id.0.as_u128(), Some(row.id))],
            events: vec![event(&row, "written")],
            ..write(row, Lease::Keep)
        };
        tokio::spawn(async move { (number, store.commit(changes).await) })
    });
    for outcome in join_all(commits).await {
        match outcome.unwrap() {
            (number, Ok(_)) => assert_eq!(number % 2, 0),
            (number, Err(StoreError::Conflict { .. })) => assert_eq!(number % 2, 1),
            (number, Err(error)) => panic!("{number}: {error}"),
        }
    }
    assert_eq!(store.last_event().await.unwrap(), 20);
    assert_eq!(store.intents(alfred_store::IntentQuery::default()).await.unwrap().len(), 20);
}

pub(crate) async fn of_two_writers_one_wins(store: Arc<dyn Store>) {
    let mine = claimed(&*store, 1).await;
    let writers = (0..16).map(|number| {
        let store = Arc::clone(&store);
        let mut row = mine.clone();
        row.reason = Some(number.to_string());
        tokio::spawn(async move { store.commit(write(row, Lease::Keep)).await })
    });
    let outcomes: Vec<_> = join_all(writers).await.into_iter().map(Result::unwrap).collect();
    let winners: Vec<_> = outcomes.into_iter().filter_map(Result::ok).collect();
    assert_eq!(winners.len(), 1);
    assert_eq!(winners[0].environments[0].0, stored(&*store, 1).await);
}

pub(crate) async fn one_row_twice_is_a_conflict(store: Arc<dyn Store>) {
    let mine = claimed(&*store, 1).await;
    let twice =
        Changes { environments: vec![(mine.clone(), Lease::Keep), (mine.clone(), Lease::Keep)], ..Changes::default() };
    assert!(matches!(store.commit(twice).await, Err(StoreError::Conflict { .. })));
    let twice = Changes { new_vms: vec![vm(1), vm(1)], ..Changes::default() };
    assert!(matches!(store.commit(twice).await, Err(StoreError::Conflict { .. })));
    assert_eq!(stored(&*store, 1).await, mine);
    assert!(store.vms(true).await.unwrap().is_empty());
}

pub(crate) async fn a_wish_is_never_overwritten(store: Arc<dyn Store>) {
    let mut mine = claimed(&*store, 1).await;
    let wished = store.wish_absent(id(1), "berta", at(2)).await.unwrap().unwrap();
    assert_eq!((wished.wish, wished.version), (Wish::Absent, mine.version));
    let events = store.events(Some(id(1)), 0, 9).await.unwrap();
    assert_eq!((events.len(), events[0].actor.as_str(), events[0].at), (1, "berta", at(2)));
    assert_eq!(events[0].status, Status::Deleting, "as its owner sees it");
    mine.wake_at = Some(at(900));
    mine.updated_at = at(3);
    let (mine, _) = store.commit(write(mine, Lease::Keep)).await.unwrap().environments.remove(0);
    assert_eq!((mine.wish, mine.wake_at), (Wish::Absent, Some(at(3))), "seen by the worker, and due at once");
    assert_eq!(stored(&*store, 1).await, mine);
    let mut mine = mine;
    mine.wake_at = Some(at(900));
    let (mine, _) = store.commit(write(mine, Lease::Release)).await.unwrap().environments.remove(0);
    assert_eq!(mine.wake_at, Some(at(900)), "the worker knows the wish now");
}

pub(crate) async fn a_second_wish_changes_nothing(store: Arc<dyn Store>) {
    let mut sleeping = environment(1);
    sleeping.wake_at = None;
    store.create_environments(new([sleeping])).await.unwrap();
    let first = store.wish_absent(id(1), "anna", at(2)).await.unwrap().unwrap();
    assert_eq!((first.wake_at, first.updated_at), (Some(at(2)), at(2)));
    assert_eq!(store.wish_absent(id(1), "berta", at(3)).await.unwrap().unwrap(), first);
    assert_eq!(stored(&*store, 1).await, first);
    assert_eq!(store.last_event().await.unwrap(), 1);
    let claimed = store.claim_environments(&claim("worker", 2)).await.unwrap();
    assert_eq!(claimed.len(), 1, "a wish makes the row due");
}

pub(crate) async fn a_wish_for_nothing_answers_nothing(store: Arc<dyn Store>) {
    assert_eq!(store.wish_absent(id(1), "anna", at(2)).await.unwrap(), None);
    let mut row = claimed(&*store, 1).await;
    row.status = Status::Deleted;
    row.wake_at = None;
    let (row, _) = store.commit(write(row, Lease::Release)).await.unwrap().environments.remove(0);
    assert_eq!(store.wish_absent(id(1), "anna", at(2)).await.unwrap(), Some(row), "history is not changed");
    assert_eq!(store.last_event().await.unwrap(), 0);
}

pub(crate) async fn identity_is_not_written(store: Arc<dyn Store>) {
    let mine = claimed(&*store, 1).await;
    let mut other = environment(2);
    other.id = mine.id;
    other.version = mine.version;
    other.owner = "eve".parse().unwrap();
    other.created_at = at(77);
    let (written, _) = store.commit(write(other, Lease::Keep)).await.unwrap().environments.remove(0);
    let row = stored(&*store, 1).await;
    assert_eq!(written, row);
    assert_eq!(
        (row.slug, row.domain, row.owner, row.created_at),
        (mine.slug, mine.domain, mine.owner, mine.created_at)
    );
}

pub(crate) async fn a_deleted_environment_stays_deleted(store: Arc<dyn Store>) {
    let mut row = claimed(&*store, 1).await;
    row.status = Status::Deleted;
    let (mut row, _) = store.commit(write(row, Lease::Keep)).await.unwrap().environments.remove(0);
    row.reason = Some("its record is gone too".to_owned());
    let (mut row, _) = store.commit(write(row, Lease::Keep)).await.unwrap().environments.remove(0);
    row.status = Status::Active;
    assert!(matches!(store.commit(write(row, Lease::Keep)).await, Err(StoreError::Conflict { .. })));
}

pub(crate) async fn vms_are_added_once(store: Arc<dyn Store>) {
    add_vms(&*store, [vm(1)]).await;
    let again = store.commit(Changes { new_vms: vec![vm(2), vm(1)], ..Changes::default() }).await;
    assert!(matches!(again, Err(StoreError::Conflict { what }) if what == "the VM 1"));
    assert_eq!(store.vms(true).await.unwrap(), [vm(1)]);
    let adds = (0..8).map(|_| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.commit(Changes { new_vms: vec![vm(3)], ..Changes::default() }).await.is_ok() })
    });
    let added = join_all(adds).await.into_iter().filter(|outcome| *outcome.as_ref().unwrap()).count();
    assert_eq!(added, 1);
}

pub(crate) async fn events_are_numbered_in_order(store: Arc<dyn Store>) {
    store.create_environments(new((1..=30).map(environment))).await.unwrap();
    let writers = (1..=30).map(|number| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let row = environment(number);
            let changes = Changes { events: vec![event(&row, "a"), event(&row, "b")], ..Changes::default() };
            store.commit(changes).await.unwrap().events
        })
    });
    let mut answered: Vec<_> = join_all(writers).await.into_iter().flat_map(Result::unwrap).collect();
    answered.sort_by_key(|event| event.sequence);
    assert_eq!(answered.iter().map(|event| event.sequence).collect::<Vec<_>>(), (1..=60).collect::<Vec<_>>());
    assert_eq!(store.events(None, 0, 100).await.unwrap(), answered, "what was answered is what is stored");
}
