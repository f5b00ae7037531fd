//! Rows that somebody spoiled, and a disk without room.

use alfred_model::environment::Setup;
use alfred_store::{Lease, SqlOptions, Store, StoreError};
use sqlx::AssertSqlSafe;

use super::beside;
use crate::fixture::{
    add_vms, at, claim, environment, event, id, intent, new, open_sqlite, sqlite_address, stored, token, user, vm,
    write,
};

async fn spoil(folder: &tempfile::TempDir, change: &str) {
    let pool = beside(&sqlite_address(folder)).await;
    let changed = sqlx::query(AssertSqlSafe(change.to_owned())).execute(&pool).await.unwrap();
    assert_eq!(changed.rows_affected(), 1, "{change}");
    pool.close().await;
}

fn assert_damaged<T: std::fmt::Debug>(change: &str, outcome: &Result<T, StoreError>) {
    assert!(matches!(outcome, Err(StoreError::Damaged { .. })), "{change}: {outcome:?}");
}

#[tokio::test]
async fn a_damaged_row_is_an_error_and_never_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_sqlite(&folder, SqlOptions::default()).await;
    store.create_environments(new([environment(1)])).await.unwrap();
    let changes = [
        "slug = 'Not A Slug'",
        "domain = 'nodots'",
        "status = 'broken'",
        "step = ''",
        "wish = 'perhaps'",
        "owner = ''",
        "address = '300.1.1.1'",
        "record_id = '../zones'",
        "setup = '{'",
        "setup = '[1]'",
        "on_failure = 'x'",
        "attempts = -1",
        "attempts = 4294967296",
        "step_since = 9223372036854775807",
        "wake_at = -9223372036854775808",
        "attention = 2",
        "created_at = 9223372036854775807",
    ];
    for change in changes {
        spoil(&folder, &format!("UPDATE environments SET {change}")).await;
        assert_damaged(change, &store.environment(id(1)).await);
        assert_damaged(change, &store.environments(alfred_store::EnvironmentQuery::default()).await);
        let restore = "DELETE FROM environments";
        spoil(&folder, restore).await;
        store.create_environments(new([environment(1)])).await.unwrap();
    }
    assert_eq!(stored(&store, 1).await, environment(1));
}

#[tokio::test]
async fn damage_is_found_in_every_table() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_sqlite(&folder, SqlOptions::default()).await;
    add_vms(&store, [vm(1)]).await;
    store.create_user(&user("anna")).await.unwrap();
    store.create_token(&token(1, "anna")).await.unwrap();
    let changes = alfred_store::Changes {
        intents: vec![intent(1, None)],
        events: vec![event(&environment(1), "hello")],
        ..alfred_store::Changes::default()
    };
    store.commit(changes).await.unwrap();
    spoil(&folder, "UPDATE vms SET cancel_date = 'tomorrow'").await;
    assert_damaged("vms", &store.vms(true).await);
    spoil(&folder, "UPDATE intents SET request_id = 'none'").await;
    assert_damaged("intents", &store.intent(intent(1, None).id).await);
    spoil(&folder, "UPDATE events SET environment_id = 'none'").await;
    assert_damaged("events", &store.events(None, 0, 9).await);
    spoil(&folder, "UPDATE users SET role = 'king'").await;
    assert_damaged("users", &store.users().await);
    assert_damaged("users", &store.token_by_hash(&token(1, "anna").hash).await);
    spoil(&folder, "UPDATE access_tokens SET id = 'none'").await;
    assert_damaged("access_tokens", &store.tokens().await);
}

#[tokio::test]
async fn a_damaged_row_does_not_keep_others_from_being_served() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_sqlite(&folder, SqlOptions::default()).await;
    store.create_environments(new((1..=3).map(environment))).await.unwrap();
    spoil(&folder, &format!("UPDATE environments SET step = 'dance' WHERE id = '{}'", id(2))).await;
    let claimed = store.claim_environments(&claim("worker", 1)).await.unwrap();
    let rows: Vec<_> = claimed.into_iter().map(|claimed| claimed.environment).collect();
    assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), [id(1), id(3)]);
    spoil(&folder, &format!("UPDATE environments SET wish = 'perhaps' WHERE id = '{}'", id(3))).await;
    let writes = rows.into_iter().map(|row| store.commit(write(row, Lease::Keep)));
    let outcomes = futures::future::join_all(writes).await;
    assert!(outcomes[0].is_ok());
    assert!(matches!(outcomes[1], Err(StoreError::Damaged { .. })));
}

#[tokio::test]
async fn a_full_disk_is_named_and_what_was_answered_stays() {
    let folder = tempfile::tempdir().unwrap();
    let options = SqlOptions { max_pages: Some(120), ..SqlOptions::default() };
    let store = open_sqlite(&folder, options).await;
    let large = |number| {
        let mut row = environment(number);
        row.setup = Setup { script: Some("x".repeat(20_000)), ..Setup::default() };
        row
    };
    let mut written = 0;
    let error = loop {
        match store.create_environments(new([large(written + 1)])).await {
            Ok(_) => written += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, StoreError::Full), "{error:?}");
    assert!(written > 3);
    let rows = store.environments(alfred_store::EnvironmentQuery::default()).await.unwrap();
    assert_eq!(rows.len(), usize::try_from(written).unwrap());
    let wished = store.wish_absent(id(1), "anna", at(1)).await;
    assert!(
        matches!(wished, Ok(Some(_)) | Err(StoreError::Full)),
        "small writes go on where there is room: {wished:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_write_that_the_database_refuses_does_not_fail_its_group() {
    let folder = tempfile::tempdir().unwrap();
    let store =
        std::sync::Arc::new(open_sqlite(&folder, SqlOptions { max_pages: Some(300), ..SqlOptions::default() }).await);
    let creations = (1..=40_u128).map(|number| {
        let store = std::sync::Arc::clone(&store);
        let mut row = environment(number);
        let too_large = number % 10 == 0;
        if too_large {
            row.setup.script = Some("x".repeat(2_000_000));
        }
        tokio::spawn(async move { (too_large, store.create_environments(new([row])).await) })
    });
    for outcome in futures::future::join_all(creations).await {
        let (too_large, outcome) = outcome.unwrap();
        assert_eq!(too_large, matches!(outcome, Err(StoreError::Full)), "{outcome:?}");
        assert_eq!(too_large, outcome.is_err(), "{outcome:?}");
    }
}
