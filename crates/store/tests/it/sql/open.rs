//! Opening a database, and not being able to.

use alfred_store::{SqlOptions, SqlStore, Store, StoreError};

use super::beside;
use crate::fixture::{at, claim, environment, id, new, open_sqlite, postgres_address, sqlite_address, stored};

async fn refused(address: &str) -> StoreError {
    match SqlStore::open(address, SqlOptions::default()).await {
        Ok(_) => panic!("`{address}` was opened"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn what_was_written_is_there_after_closing() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_sqlite(&folder, SqlOptions::default()).await;
    store.create_environments(new([environment(1)])).await.unwrap();
    store.close().await;
    assert!(matches!(store.ping().await, Err(StoreError::Database { .. })));
    assert!(matches!(store.wish_absent(id(1), "anna", at(0)).await, Err(StoreError::Database { .. })));
    let leftovers: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert!(!leftovers.iter().any(|name| name.to_string_lossy().ends_with("-wal")), "{leftovers:?}");
    let store = open_sqlite(&folder, SqlOptions::default()).await;
    assert_eq!(stored(&store, 1).await, environment(1));
}

#[cfg(unix)]
#[tokio::test]
async fn only_this_user_may_read_the_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let store = open_sqlite(&folder, SqlOptions::default()).await;
    store.create_environments(new([environment(1)])).await.unwrap();
    let mut files = 0;
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{}", file.path().display());
        files += 1;
    }
    assert!(files >= 3, "the file, its log and its lock");
}

#[tokio::test]
async fn paths_may_have_any_characters() {
    let folder = tempfile::tempdir().unwrap();
    let address = format!("sqlite://{}/ü 100%41 #1 & co.sqlite", folder.path().display());
    let store = SqlStore::open(&address, SqlOptions::default()).await.unwrap();
    store.ping().await.unwrap();
    assert!(folder.path().join("ü 100%41 #1 & co.sqlite").is_file());
}

#[tokio::test]
async fn a_second_process_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let first = open_sqlite(&folder, SqlOptions::default()).await;
    assert!(matches!(refused(&sqlite_address(&folder)).await, StoreError::Locked));
    first.close().await;
    drop(first);
    open_sqlite(&folder, SqlOptions::default()).await.ping().await.unwrap();
}

#[tokio::test]
async fn a_missing_folder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let address = format!("sqlite://{}/missing/alfred.sqlite", folder.path().display());
    let words = refused(&address).await.to_string();
    assert!(words.contains("missing/alfred.sqlite") && words.contains("create its folder"), "{words}");
    std::fs::write(folder.path().join("file"), "").unwrap();
    let below_a_file = format!("sqlite://{}/file/alfred.sqlite", folder.path().display());
    assert!(matches!(refused(&below_a_file).await, StoreError::Open { .. }));
    let a_folder = format!("sqlite://{}", folder.path().display());
    assert!(matches!(refused(&a_folder).await, StoreError::Open { .. }));
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("alfred.sqlite");
    std::fs::write(&file, "this is a letter to grandmother, and it shall stay one. ".repeat(40)).unwrap();
    let words = refused(&sqlite_address(&folder)).await.to_string();
    assert!(words.contains("is not a SQLite database"), "{words}");
    assert!(std::fs::read_to_string(&file).unwrap().starts_with("this is a letter"));
}

#[tokio::test]
async fn another_programs_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let pool = beside(&format!("{}?mode=rwc", sqlite_address(&folder))).await;
    sqlx::query("CREATE TABLE recipes (name TEXT)").execute(&pool).await.unwrap();
    pool.close().await;
    let words = refused(&sqlite_address(&folder)).await.to_string();
    assert!(words.contains("belongs to another program"), "{words}");
}

#[tokio::test]
async fn an_unreachable_server_and_a_wrong_password_do_not_show_the_password() {
    let folder = tempfile::tempdir().unwrap();
    let host = folder.path().display().to_string().replace('/', "%2F");
    let unreachable = refused(&format!("postgres://alfred:hush-hush@{host}/alfred")).await;
    let words = format!("{unreachable} {unreachable:?}");
    assert!(words.contains("cannot be reached") && !words.contains("hush-hush"), "{words}");
    let server = alfred_testing::postgres::Server::shared().unwrap_or_else(|words| panic!("{words}"));
    let wrong = refused(&server.url_with_wrong_password()).await;
    let words = format!("{wrong} {wrong:?}");
    assert!(words.contains("refuses this user or password") && !words.contains("wrong-horse"), "{words}");
    let absent = refused(&server.url().replace("/postgres", "/nowhere")).await.to_string();
    assert!(absent.contains("no database of this name"), "{absent}");
    let nonsense = refused("postgres://alfred:hush-hush@db:port/alfred").await;
    let words = format!("{nonsense} {nonsense:?}");
    assert!(matches!(nonsense, StoreError::Address { .. }) && !words.contains("hush-hush"), "{words}");
}

#[tokio::test]
async fn a_lost_connection_is_made_again() {
    let address = postgres_address();
    let store = SqlStore::open(&address, SqlOptions::default()).await.unwrap();
    store.create_environments(new([environment(1)])).await.unwrap();
    let pool = beside(&address).await;
    let kill = "SELECT CAST(count(pg_terminate_backend(pid)) AS TEXT) FROM pg_stat_activity \
                WHERE datname = current_database() AND pid <> pg_backend_pid()";
    assert_ne!(super::texts(&pool, kill).await, ["0"]);
    store.create_environments(new([environment(2)])).await.unwrap();
    assert_eq!(stored(&store, 2).await, environment(2));
    assert_eq!(stored(&store, 1).await, environment(1));
}

/// Whoever held a lease on a SQLite file is gone when the file is opened: nobody has to wait for the lease to run out.
#[tokio::test]
async fn leases_of_a_file_end_with_its_last_owner() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_sqlite(&folder, SqlOptions::default()).await;
    store.create_environments(new([environment(1)])).await.unwrap();
    assert_eq!(store.claim_environments(&claim("first", 0)).await.unwrap().len(), 1);
    assert_eq!(store.claim_environments(&claim("second", 0)).await.unwrap().len(), 0);
    store.close().await;
    let store = open_sqlite(&folder, SqlOptions::default()).await;
    assert_eq!(store.claim_environments(&claim("second", 0)).await.unwrap().len(), 1);
}

/// Another program has the file in a transaction of its own.
#[tokio::test]
async fn a_file_that_another_program_holds_is_locked() {
    let folder = tempfile::tempdir().unwrap();
    open_sqlite(&folder, SqlOptions::default()).await.close().await;
    let other = beside(&sqlite_address(&folder)).await;
    let mut holding = other.acquire().await.unwrap();
    sqlx::query("BEGIN EXCLUSIVE").execute(&mut *holding).await.unwrap();
    assert!(matches!(refused(&sqlite_address(&folder)).await, StoreError::Locked));
}
