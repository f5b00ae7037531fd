//! The schema: the same in both databases, made once, never stepped back.

use std::collections::BTreeSet;

use alfred_store::{SqlOptions, SqlStore, StoreError};

use super::{beside, texts};
use crate::fixture::{open_sqlite, postgres_address, sqlite_address};

#[tokio::test]
async fn both_databases_have_the_same_tables_and_columns() {
    let folder = tempfile::tempdir().unwrap();
    open_sqlite(&folder, SqlOptions::default()).await.close().await;
    let sqlite = beside(&sqlite_address(&folder)).await;
    let columns = texts(
        &sqlite,
        "SELECT tables.name, columns.name, columns.type, CASE columns.\"notnull\" WHEN 1 THEN 'required' ELSE '' END \
         FROM sqlite_schema AS tables JOIN pragma_table_info(tables.name) AS columns \
         WHERE tables.type = 'table' AND tables.name NOT LIKE 'sqlite_%'",
    );
    let in_sqlite: BTreeSet<String> = columns.await.iter().map(|column| column.replace("INTEGER", "BIGINT")).collect();

    let address = postgres_address();
    drop(SqlStore::open(&address, SqlOptions::default()).await.unwrap());
    let postgres = beside(&address).await;
    let columns = texts(
        &postgres,
        "SELECT CAST(table_name AS TEXT), CAST(column_name AS TEXT), upper(data_type), \
         CASE is_nullable WHEN 'NO' THEN 'required' ELSE '' END \
         FROM information_schema.columns WHERE table_schema = 'public'",
    );
    let in_postgres: BTreeSet<String> = columns.await.into_iter().collect();
    assert!(in_sqlite.len() > 70 && in_sqlite.contains("environments wake_at BIGINT "), "{in_sqlite:?}");
    assert_eq!(in_sqlite, in_postgres);

    let in_sqlite =
        texts(&sqlite, "SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL ORDER BY 1");
    let in_postgres = texts(
        &postgres,
        "SELECT CAST(indexname AS TEXT) FROM pg_indexes WHERE schemaname = 'public' AND indexname NOT LIKE '%_pkey' \
         ORDER BY 1",
    );
    assert_eq!(in_sqlite.await, in_postgres.await);
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    open_sqlite(&folder, SqlOptions::default()).await.close().await;
    let postgres = postgres_address();
    drop(SqlStore::open(&postgres, SqlOptions::default()).await.unwrap());
    for address in [sqlite_address(&folder), postgres] {
        let pool = beside(&address).await;
        sqlx::query("INSERT INTO schema_migrations (number) VALUES (999)").execute(&pool).await.unwrap();
        pool.close().await;
        let refused = SqlStore::open(&address, SqlOptions::default()).await.err();
        assert!(matches!(refused, Some(StoreError::Newer { found: 999, known: 6 })), "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_that_start_at_once_migrate_once() {
    let address = postgres_address();
    let starts = (0..6).map(|_| {
        let address = address.clone();
        tokio::spawn(async move { SqlStore::open(&address, SqlOptions::default()).await.map(drop) })
    });
    for outcome in futures::future::join_all(starts).await {
        outcome.unwrap().unwrap();
    }
    let pool = beside(&address).await;
    assert_eq!(
        texts(&pool, "SELECT CAST(number AS TEXT) FROM schema_migrations ORDER BY number").await,
        ["1", "2", "3", "4", "5", "6"]
    );
    assert_eq!(texts(&pool, "SELECT name FROM counters").await, ["events"]);
}
