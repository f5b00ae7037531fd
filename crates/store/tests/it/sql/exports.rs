//! Exports of databases: complete, of one moment, and of older schemas.

use std::collections::BTreeSet;
use std::path::Path;

use alfred_store::{SqlOptions, SqlStore, Store, export};
use tokio::sync::mpsc;

use super::{beside, texts};
use crate::contract::exports::{parts, taken_in};
use crate::fixture::{add_vms, at, environment, id, new, open_sqlite, postgres_address, sqlite_address, user, vm};

#[tokio::test]
async fn every_table_that_exists_is_exported() {
    let folder = tempfile::tempdir().unwrap();
    open_sqlite(&folder, SqlOptions::default()).await.close().await;
    let pool = beside(&sqlite_address(&folder)).await;
    let there = texts(
        &pool,
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'schema_migrations' \
         AND name NOT LIKE 'sqlite_%'",
    );
    let there: BTreeSet<String> = there.await.into_iter().collect();
    assert!(there.len() >= 14, "{there:?}");
    assert_eq!(
        there,
        export::tables().map(str::to_owned).collect(),
        "a table that is not exported is lost by a restore"
    );
}

/// An export of an older schema is taken in as it is: that is right only as long as a migration adds tables and columns and
/// does nothing with rows.
#[test]
fn migrations_only_add() {
    for database in ["sqlite", "postgres"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(database);
        let mut count = 0;
        for file in std::fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            if path.ends_with("0001_records.sql") {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let code: String = text.lines().map(|line| line.split("--").next().unwrap()).collect::<Vec<_>>().join(" ");
            for statement in code.split(';').map(|one| one.split_whitespace().collect::<Vec<_>>().join(" ")) {
                let adds = ["CREATE TABLE ", "CREATE INDEX ", "CREATE UNIQUE INDEX "]
                    .iter()
                    .any(|word| statement.starts_with(word))
                    || (statement.starts_with("ALTER TABLE ") && statement.contains(" ADD COLUMN "));
                assert!(adds || statement.is_empty(), "{}: `{statement}`", path.display());
                count += 1;
            }
        }
        assert!(count > 20);
    }
}

#[tokio::test]
async fn an_export_of_an_older_schema_gets_the_defaults() {
    let folder = tempfile::tempdir().unwrap();
    let source = open_sqlite(&folder, SqlOptions::default()).await;
    add_vms(&source, [vm(7)]).await;
    source.create_user(&user("anna")).await.unwrap();
    let export = String::from_utf8(parts(&source).await.concat()).unwrap();
    // As schema 4 had it: VMs were not counted as installed anew.
    let mut columns: Vec<String> = Vec::new();
    let old: Vec<String> = export
        .lines()
        .map(|line| match serde_json::from_str(line).unwrap() {
            serde_json::Value::Object(mut mark) if mark.get("table").is_some_and(|table| table == "vms") => {
                columns = serde_json::from_value(mark["columns"].clone()).unwrap();
                mark["columns"].as_array_mut().unwrap().retain(|name| name != "reinstalls");
                serde_json::Value::Object(mark).to_string()
            }
            serde_json::Value::Object(mark) => {
                columns.clear();
                serde_json::Value::Object(mark).to_string().replace("\"schema\":6", "\"schema\":4")
            }
            serde_json::Value::Array(mut cells) => {
                if let Some(place) = columns.iter().position(|name| name == "reinstalls") {
                    cells.remove(place);
                }
                serde_json::Value::Array(cells).to_string()
            }
            other => panic!("{other}"),
        })
        .collect();
    let old = format!("{}\n", old.join("\n"));
    assert!(old.contains("\"schema\":4") && !old.contains("reinstalls"));
    let postgres = SqlStore::open(&postgres_address(), SqlOptions::default()).await.unwrap();
    taken_in(&postgres, [old.clone().into_bytes()]).await.unwrap();
    let there = postgres.vms(true).await.unwrap();
    assert_eq!((there.len(), there[0].reinstalls, &there[0].display_name), (1, 0, &vm(7).display_name));
    let todays = old.replace("\"schema\":4", "\"schema\":6");
    let other = tempfile::tempdir().unwrap();
    let refused = taken_in(&open_sqlite(&other, SqlOptions::default()).await, [todays.into_bytes()]).await.unwrap_err();
    assert!(refused.to_string().contains("lacks columns"), "{refused}");
}

/// What is written while an export is under way is in none of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_is_of_one_moment() {
    let folder = tempfile::tempdir().unwrap();
    let sqlite = open_sqlite(&folder, SqlOptions::default()).await;
    let postgres = SqlStore::open(&postgres_address(), SqlOptions::default()).await.unwrap();
    for store in [sqlite, postgres] {
        store.create_environments(new((1..=1_500).map(environment))).await.unwrap();
        let (into, mut from) = mpsc::channel(1);
        let store = std::sync::Arc::new(store);
        let exporting = tokio::spawn({
            let store = std::sync::Arc::clone(&store);
            async move { store.export(into).await }
        });
        // The first part is there, so that the transaction has begun; the rest waits for us.
        let mut export = from.recv().await.unwrap();
        store.wish_absent(id(1_400), "anna", at(5)).await.unwrap().unwrap();
        store.create_user(&user("anna")).await.unwrap();
        store.create_environments(new([environment(9_000)])).await.unwrap();
        while let Some(part) = from.recv().await {
            export.extend(part);
        }
        exporting.await.unwrap().unwrap();
        let text = String::from_utf8(export).unwrap();
        assert_eq!(text.lines().filter(|line| line.contains("brave-tiger-")).count(), 1_500);
        assert!(!text.contains("\"absent\"") && !text.contains("[\"anna\""), "later writes are not in it");
    }
}
