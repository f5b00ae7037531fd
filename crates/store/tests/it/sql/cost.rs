//! Writing in groups: how many statements environments cost.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use alfred_model::environment::Step;
use alfred_store::{Changes, Claim, CommitHook, Lease, SqlOptions, SqlStore, Store};
use futures::future::join_all;

use crate::fixture::{add_vms, assignment, claim, environment, event, intent, new, open_sqlite, postgres_address, vm};

const COUNT: u128 = 1000;

/// Statements sent while `work` ran.
async fn statements<T>(store: &SqlStore, work: impl Future<Output = T>) -> (T, u64) {
    let before = store.statements();
    let answer = work.await;
    (answer, store.statements() - before)
}

async fn a_thousand_environments_cost_few_statements(store: SqlStore) {
    let store = &store;
    add_vms(store, (1..=1000).map(vm)).await;
    let (created, cost) = statements(store, store.create_environments(new((1..=COUNT).map(environment)))).await;
    created.unwrap();
    assert!(cost <= 20, "creating: {cost}");

    let all = Claim { limit: 1000, ..claim("worker", 1) };
    let (claimed, cost) = statements(store, store.claim_environments(&all)).await;
    let rows: Vec<_> = claimed.unwrap().into_iter().map(|claimed| claimed.environment).collect();
    assert_eq!(rows.len(), 1000);
    assert!(cost <= 12, "claiming: {cost}");

    let (assigned, cost) =
        statements(store, async { join_all(rows.iter().map(|row| store.assign_vm(assignment(row, 1)))).await }).await;
    let rows: Vec<_> = assigned.into_iter().map(|outcome| outcome.unwrap().unwrap().0).collect();
    assert!(cost <= 100, "assigning: {cost}");

    let (written, cost) = statements(store, async {
        join_all(rows.into_iter().map(|mut row| {
            row.step = Step::WriteRecord;
            let changes = Changes {
                environments: vec![(row.clone(), Lease::Release)],
                intents: vec![intent(row.id.0.as_u128(), Some(row.id))],
                events: vec![event(&row, "written")],
                ..Changes::default()
            };
            store.commit(changes)
        }))
        .await
    })
    .await;
    assert!(written.into_iter().all(|outcome| outcome.is_ok()));
    assert!(cost <= 100, "committing: {cost}");

    let all = Claim { limit: 1000, ..claim("worker", 2) };
    let (claimed, cost) = statements(store, store.claim_environments(&all)).await;
    let claimed = claimed.unwrap();
    assert!(
        claimed.len() == 1000 && claimed.iter().all(|claimed| claimed.vm.is_some() && claimed.open_intents.len() == 1)
    );
    assert!(cost <= 12, "claiming with VMs and intents: {cost}");
}

#[tokio::test]
async fn few_statements_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    a_thousand_environments_cost_few_statements(open_sqlite(&folder, SqlOptions::default()).await).await;
}

#[tokio::test]
async fn few_statements_on_postgres() {
    let store = SqlStore::open(&postgres_address(), SqlOptions::default()).await.unwrap();
    a_thousand_environments_cost_few_statements(store).await;
}

#[tokio::test]
async fn whoever_has_gone_away_is_not_served() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(open_sqlite(&folder, SqlOptions::default()).await);
    store.create_environments(new([environment(1)])).await.unwrap();
    // On this one thread the writer does not run before the first await that waits, so that both are queued.
    let gone = claim("gone", 1);
    let mut abandoned = Box::pin(store.claim_environments(&gone));
    assert!(futures::poll!(&mut abandoned).is_pending());
    drop(abandoned);
    let claimed = store.claim_environments(&claim("worker", 1)).await.unwrap();
    assert_eq!(claimed.len(), 1);
    assert_eq!(claimed[0].environment.version, 1);
}

/// Crash tests count commits: what replicas share without a story must not be among them.
#[tokio::test]
async fn a_swap_costs_three_statements_and_is_told_to_no_hook() {
    let told = Arc::new(AtomicU64::new(0));
    let hook: CommitHook = {
        let told = Arc::clone(&told);
        Arc::new(move |_| {
            told.fetch_add(1, Ordering::Relaxed);
        })
    };
    let folder = tempfile::tempdir().unwrap();
    let store = open_sqlite(&folder, SqlOptions { on_commit: Some(hook), ..SqlOptions::default() }).await;
    for version in [None, Some(1), Some(2), Some(2)] {
        let (swapped, cost) = statements(&store, store.swap_shared_value("one", version, "text")).await;
        swapped.unwrap();
        assert_eq!(cost, 3, "begin, compare and set, commit");
    }
    assert_eq!(store.shared_value("one").await.unwrap().map(|value| value.version), Some(3));
    assert_eq!(told.load(Ordering::Relaxed), 0);
    store.create_environments(new([environment(1)])).await.unwrap();
    assert_eq!(told.load(Ordering::Relaxed), 2, "before and after a commit of rows");
    let swap = store.swap_shared_value("one", Some(3), "text");
    let (created, swapped) = tokio::join!(store.create_environments(new([environment(2)])), swap);
    assert!(created.is_ok() && swapped.unwrap(), "they share a transaction");
    assert_eq!(told.load(Ordering::Relaxed), 4);
}
