//! Several replicas on one PostgreSQL database.

use std::collections::BTreeSet;
use std::sync::Arc;

use alfred_store::{
    Changes, Claim, ExpiryChange, IdempotencyKey, Lease, NewEnvironments, SqlOptions, SqlStore, Store, StoreError,
};
use futures::future::join_all;

use crate::fixture::{
    add_vms, assignment, at, claim, ending, environment, event, expiry_change, id, new, postgres_address, stored, user,
    vm, write,
};

async fn replicas(count: usize) -> Vec<Arc<SqlStore>> {
    let address = postgres_address();
    let opened = (0..count).map(|_| SqlStore::open(&address, SqlOptions::default()));
    join_all(opened).await.into_iter().map(|store| Arc::new(store.unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_claim_different_rows() {
    let replicas = replicas(4).await;
    replicas[0].create_environments(new((1..=200).map(environment))).await.unwrap();
    let claims = (0..40_usize).map(|number| {
        let store = Arc::clone(&replicas[number % 4]);
        tokio::spawn(async move {
            let claim = Claim { limit: 7, ..claim(&format!("worker-{}", number % 4), 1) };
            store.claim_environments(&claim).await.unwrap()
        })
    });
    let claimed: Vec<_> = join_all(claims).await.into_iter().flat_map(Result::unwrap).collect();
    let distinct: BTreeSet<_> = claimed.iter().map(|claimed| claimed.environment.id).collect();
    assert_eq!(distinct.len(), claimed.len());
    let mut rest = replicas[0].claim_environments(&Claim { limit: 1000, ..claim("last", 1) }).await.unwrap().len();
    rest += claimed.len();
    assert_eq!(rest, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_never_give_one_vm_twice() {
    let replicas = replicas(3).await;
    add_vms(&*replicas[0], (1..=20).map(vm)).await;
    replicas[0].create_environments(new((1..=48).map(environment))).await.unwrap();
    let callers = (1..=48_u128).map(|number| {
        let store = Arc::clone(&replicas[usize::try_from(number).unwrap() % 3]);
        tokio::spawn(async move { store.assign_vm(assignment(&environment(number), 1)).await.unwrap() })
    });
    let given: Vec<_> = join_all(callers).await.into_iter().filter_map(Result::unwrap).map(|(_, vm)| vm.id).collect();
    assert_eq!(given.iter().collect::<BTreeSet<_>>().len(), given.len());
    let mut total = given.len();
    for number in 1..=48 {
        // Whoever came while another replica held the last rows may have been told that there is none.
        let row = stored(&*replicas[0], number).await;
        if row.vm_id.is_none() && replicas[0].assign_vm(assignment(&row, 1)).await.unwrap().is_some() {
            total += 1;
        }
    }
    assert_eq!(total, 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_that_want_the_same_get_refusals_not_failures() {
    let replicas = replicas(4).await;
    let creations = (0..40_u128).map(|number| {
        let store = Arc::clone(&replicas[usize::try_from(number).unwrap() % 4]);
        let mut row = environment(number % 5);
        row.id = id(1000 + number);
        tokio::spawn(async move { store.create_environments(new([row])).await })
    });
    let outcomes: Vec<_> = join_all(creations).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 5);
    assert!(
        outcomes.iter().all(|outcome| matches!(outcome, Ok(_) | Err(StoreError::SlugTaken { .. }))),
        "{outcomes:?}"
    );

    let same_key = (0..12_u128).map(|number| {
        let store = Arc::clone(&replicas[usize::try_from(number).unwrap() % 4]);
        let key = IdempotencyKey {
            user: "anna".parse().unwrap(),
            key: "key".to_owned(),
            request_hash: "hash".to_owned(),
            at: at(0),
        };
        let request = NewEnvironments { idempotency: Some(key), ..new([environment(100 + number)]) };
        tokio::spawn(async move { store.create_environments(request).await.unwrap()[0].id })
    });
    let ids: BTreeSet<_> = join_all(same_key).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(ids.len(), 1, "one request, whichever replica it reached");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_that_create_at_once_stay_within_the_quota() {
    let replicas = replicas(4).await;
    for name in ["anna", "berta"] {
        replicas[0].create_user(&user(name)).await.unwrap();
    }
    let creations = (0..80_u128).map(|number| {
        let store = Arc::clone(&replicas[usize::try_from(number / 2).unwrap() % 4]);
        let mut row = environment(number);
        row.owner = if number % 2 == 0 { "anna" } else { "berta" }.parse().unwrap();
        let request = NewEnvironments { quota: Some(7), ..new([row]) };
        tokio::spawn(async move { store.create_environments(request).await })
    });
    let outcomes: Vec<_> = join_all(creations).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 14);
    assert!(
        outcomes.iter().all(|outcome| matches!(outcome, Ok(_) | Err(StoreError::OverQuota { used: 7, limit: 7, .. }))),
        "{outcomes:?}"
    );
    for name in ["anna", "berta"] {
        assert_eq!(replicas[1].live_environments(&name.parse().unwrap()).await.unwrap(), 7);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_end_an_environment_once() {
    let replicas = replicas(3).await;
    let rows: Vec<_> = (1..=30).map(|number| ending(number, 10, 100)).collect();
    replicas[0].create_environments(new(rows.clone())).await.unwrap();
    let changes =
        rows.iter().flat_map(|row| replicas.iter().map(move |store| (row, Arc::clone(store)))).map(|(row, store)| {
            let over = ExpiryChange { is_over: true, ..expiry_change(row, row.expiry(), 100) };
            tokio::spawn(async move { store.change_expiry(&over).await.unwrap() })
        });
    let won = join_all(changes).await.into_iter().filter_map(Result::unwrap).count();
    assert_eq!((won, replicas[0].last_event().await.unwrap()), (30, 30));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_that_lock_in_a_circle_go_on() {
    let replicas = replicas(2).await;
    replicas[0].create_environments(new((1..=20).map(environment))).await.unwrap();
    let rounds = (0..200_u128).map(|number| {
        let store = Arc::clone(&replicas[usize::try_from(number).unwrap() % 2]);
        tokio::spawn(async move {
            // One wakes rows in falling order while the other writes or wishes them.
            let wake = Changes {
                wake: (1..=20).rev().map(id).collect(),
                wake_at_time: Some(at(-i64::try_from(number).unwrap())),
                ..Changes::default()
            };
            store.commit(wake).await.unwrap();
            store.wish_absent(id(number % 20 + 1), "anna", at(1)).await.unwrap();
            let row = stored(&*store, number * 7 % 20 + 1).await;
            match store.commit(write(row, Lease::Keep)).await {
                Ok(_) | Err(StoreError::Conflict { .. }) => {}
                Err(error) => panic!("{error:?}"),
            }
        })
    });
    for outcome in join_all(rounds).await {
        outcome.unwrap();
    }
    assert_eq!(replicas[1].last_event().await.unwrap(), 20, "each wish has one event");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_become_visible_in_their_order() {
    let replicas = replicas(3).await;
    let writers =
        (0..3_usize).flat_map(|replica| (0..40_u128).map(move |number| (replica, number))).map(|(replica, number)| {
            let store = Arc::clone(&replicas[replica]);
            tokio::spawn(async move {
                let changes = Changes { events: vec![event(&environment(number), "x")], ..Changes::default() };
                store.commit(changes).await.unwrap();
            })
        });
    let reader = Arc::clone(&replicas[0]);
    let writers = tokio::spawn(join_all(writers.collect::<Vec<_>>()));
    let mut seen = Vec::new();
    while seen.len() < 120 {
        let after = seen.last().copied().unwrap_or(0);
        seen.extend(reader.events(None, after, 10).await.unwrap().iter().map(|event| event.sequence));
    }
    assert_eq!(seen, (1..=120).collect::<Vec<_>>(), "a reader that goes on from the last one misses none");
    assert!(writers.await.unwrap().iter().all(Result::is_ok));
}
