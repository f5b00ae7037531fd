//! Records on their way out of one store and into another.

use std::collections::BTreeMap;
use std::sync::Arc;

use alfred_model::audit::FindingKey;
use alfred_model::id::{EnvironmentId, InstallationId, StateLogId, TokenId};
use alfred_model::state::log::{StateAction, StateLogEntry, StateLogQuery, StateOutcome};
use alfred_model::state::{Checksum, StateGrant, Subject, VersionKey};
use alfred_store::{Changes, IdempotencyKey, IntentQuery, NewEnvironments, Store, StoreError};
use serde_json::Value;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::fixture::{
    Opened, add_vms, assignment, at, claim, claimed, environment, event, id, intent, memory, new, postgres, sqlite,
    stored, token, user, vm,
};

/// Something in every table: leases, absent values, quotation marks, a deleted environment's slug taken again.
async fn fill(store: &dyn Store) {
    store.installation(InstallationId(Uuid::from_u128(1))).await.unwrap();
    let key = IdempotencyKey {
        user: "anna".parse().unwrap(),
        key: "it's \"mine\"".to_owned(),
        request_hash: "abc".to_owned(),
        at: at(3),
    };
    let first = environment(1);
    let events = vec![event(&first, "asked for\nin two lines, ü and \u{1f985}")];
    let asked = NewEnvironments { environments: vec![first], events, idempotency: Some(key), quota: None };
    store.create_environments(asked).await.unwrap();
    add_vms(store, [vm(7), vm(8)]).await;
    let second = claimed(store, 2).await;
    store.assign_vm(assignment(&second, 1)).await.unwrap().unwrap();
    let intents = vec![intent(1, Some(id(1))), intent(2, None)];
    store.commit(Changes { intents, ..Changes::default() }).await.unwrap();
    store.create_user(&user("anna")).await.unwrap();
    store.create_token(&token(1, "anna")).await.unwrap();
    store.swap_shared_value("one", None, "{\"a\":1}").await.unwrap();
    let seen: FindingKey = format!("record_without_environment:{}", EnvironmentId(Uuid::from_u128(5)))
        .parse()
        .unwrap_or_else(|_| panic!("a finding's key"));
    store.note_sightings(&[seen], at(9)).await.unwrap();
    store.take_audit_turn(at(9), at(99)).await.unwrap();
    let subject = Subject::Token(TokenId(Uuid::from_u128(1)));
    let (pattern, rights) = ("team/*".parse().unwrap(), "read,write".parse().unwrap());
    store
        .put_state_grant(&StateGrant { subject, pattern, rights, by: "root".parse().unwrap(), at: at(4) })
        .await
        .unwrap();
    let line_id = StateLogId(Uuid::from_u128(3));
    let mut line = StateLogEntry::new(line_id, at(5), "anna", "team/a", StateAction::Write, StateOutcome::Done);
    line.version = Some(VersionKey { serial: u64::MAX, sha256: Checksum([7; 32]) });
    line.bytes = Some(12);
    store.log_state(&line).await.unwrap();
}

async fn exported(store: &dyn Store) -> Vec<u8> {
    parts(store).await.concat()
}

pub(crate) async fn parts(store: &dyn Store) -> Vec<Vec<u8>> {
    let (into, mut from) = mpsc::channel(1);
    let take = async {
        let mut parts = Vec::new();
        while let Some(part) = from.recv().await {
            parts.push(part);
        }
        parts
    };
    let (done, parts) = tokio::join!(store.export(into), take);
    done.unwrap();
    parts
}

pub(crate) async fn taken_in(store: &dyn Store, parts: impl IntoIterator<Item = Vec<u8>>) -> Result<u64, StoreError> {
    let parts: Vec<Vec<u8>> = parts.into_iter().collect();
    let (into, from) = mpsc::channel(parts.len().max(1));
    for part in parts {
        into.send(part).await.unwrap();
    }
    drop(into);
    store.import(from).await
}

/// Each table's rows by their columns, whatever order those have.
fn rows(export: &[u8]) -> BTreeMap<String, Vec<BTreeMap<String, Value>>> {
    let mut tables: BTreeMap<String, Vec<BTreeMap<String, Value>>> = BTreeMap::new();
    let mut open = (String::new(), Vec::new());
    for line in export.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        match serde_json::from_slice(line).unwrap() {
            Value::Object(mark) if mark.contains_key("table") => {
                let columns = serde_json::from_value(mark["columns"].clone()).unwrap();
                open = (mark["table"].as_str().unwrap().to_owned(), columns);
                tables.entry(open.0.clone()).or_default();
            }
            Value::Array(cells) => {
                let row = open.1.iter().cloned().zip(cells).collect();
                tables.entry(open.0.clone()).or_default().push(row);
            }
            _ => {}
        }
    }
    tables
}

async fn each_kind() -> [Opened; 3] {
    [memory().await, sqlite().await, postgres().await]
}

pub(crate) async fn every_kind_takes_in_what_any_has(store: Arc<dyn Store>) {
    fill(&*store).await;
    let export = exported(&*store).await;
    let told = rows(&export);
    assert!(told.values().all(|rows| !rows.is_empty()), "each table is tried: {told:?}");
    for other in each_kind().await {
        let other = other.store;
        let count = taken_in(&*other, [export.clone()]).await.unwrap();
        assert_eq!(count, told.values().map(|rows| rows.len() as u64).sum::<u64>());
        assert_eq!(rows(&exported(&*other).await), told);
        // And it works with them.
        assert_eq!(stored(&*other, 1).await, stored(&*store, 1).await);
        assert_eq!(other.vms(true).await.unwrap(), store.vms(true).await.unwrap());
        let ledger = || IntentQuery::default();
        assert_eq!(other.intents(ledger()).await.unwrap(), store.intents(ledger()).await.unwrap());
        assert_eq!(other.token_by_hash(&token(1, "anna").hash).await.unwrap().unwrap().1, user("anna"));
        assert_eq!(other.events(None, 0, 100).await.unwrap(), store.events(None, 0, 100).await.unwrap());
        let log = StateLogQuery { limit: 10, ..StateLogQuery::default() };
        assert_eq!(other.state_log(&log).await.unwrap(), store.state_log(&log).await.unwrap());
        let taken = other.create_environments(new([environment(1)])).await.unwrap_err();
        assert!(matches!(taken, StoreError::SlugTaken { .. }), "{taken}");
        assert_eq!(other.claim_environments(&claim("other", 1_000)).await.unwrap().len(), 2);
        let next = store.last_event().await.unwrap() + 1;
        let told = Changes { events: vec![event(&environment(1), "more")], ..Changes::default() };
        assert_eq!(other.commit(told).await.unwrap().events[0].sequence, next, "events go on where they were");
    }
}

pub(crate) async fn records_are_taken_in_by_an_empty_store_alone(store: Arc<dyn Store>) {
    let source = memory().await.store;
    fill(&*source).await;
    let export = exported(&*source).await;
    store.create_user(&user("bob")).await.unwrap();
    let refused = taken_in(&*store, [export]).await.unwrap_err();
    assert!(matches!(refused, StoreError::NotEmpty { table: "users" }), "{refused}");
    assert_eq!(store.users().await.unwrap(), [user("bob")]);
    assert_eq!(store.environment(id(1)).await.unwrap(), None);
}

pub(crate) async fn an_export_that_is_not_whole_changes_nothing(store: Arc<dyn Store>) {
    let source = memory().await.store;
    fill(&*source).await;
    let export = String::from_utf8(exported(&*source).await).unwrap();
    let lines: Vec<&str> = export.lines().collect();
    let joined = |lines: &[&str]| format!("{}\n", lines.join("\n"));
    let mut bad = vec![String::new(), "\n".to_owned(), joined(&lines[1..]), format!("{export}[]\n"), export.repeat(2)];
    for cut in (1..lines.len()).step_by(3) {
        bad.push(joined(&lines[..cut]));
        bad.push(joined(&lines[..cut]) + &lines[cut][..lines[cut].len() / 2]);
        let without: Vec<&str> = [&lines[..cut], &lines[cut + 1..]].concat();
        bad.push(joined(&without));
    }
    bad.push(export.replace("\"schema\":6", "\"schema\":7"));
    bad.push(export.replace("alfred-records/1", "alfred-records/2"));
    bad.push(export.replace("\"table\":\"vms\"", "\"table\":\"users; DROP TABLE users\""));
    bad.push(export.replace("\"owner\"", "\"owner) VALUES (1); --\""));
    bad.push(export.replacen("\"environments\"", "\"users\"", 1));
    for (index, words) in bad.into_iter().enumerate() {
        let refused = taken_in(&*store, [words.into_bytes()]).await.unwrap_err();
        let is_said =
            matches!(refused, StoreError::BadExport { .. } | StoreError::Newer { .. } | StoreError::Database { .. });
        assert!(is_said, "{index}: {refused}");
        assert_eq!(store.users().await.unwrap(), [], "{index}");
        assert_eq!(store.last_event().await.unwrap(), 0, "{index}");
    }
    taken_in(&*store, [export.into_bytes()]).await.unwrap();
}

pub(crate) async fn parts_of_what_only_grows_stay(store: Arc<dyn Store>) {
    let first = environment(1);
    store.create_environments(new([first.clone()])).await.unwrap();
    let tell = |count: usize| {
        let events = (0..count).map(|number| event(&first, &number.to_string())).collect();
        Changes { events, ..Changes::default() }
    };
    store.commit(tell(2_500)).await.unwrap();
    let before = parts(&*store).await;
    store.commit(tell(1_700)).await.unwrap();
    store.swap_shared_value("one", None, "a").await.unwrap();
    let after = parts(&*store).await;
    assert_eq!((before.len(), after.len()), (3, 5));
    // The first one has what comes before the events as well, the last one what comes after them.
    assert!(before[1] == after[1] && before[0] != after[0] && before[2] != after[2]);
    let other = sqlite().await;
    taken_in(&*other.store, after).await.unwrap();
    assert_eq!(other.store.last_event().await.unwrap(), 4_200);
}

pub(crate) async fn an_export_that_nobody_takes_ends(store: Arc<dyn Store>) {
    let (into, from) = mpsc::channel(1);
    drop(from);
    assert!(matches!(store.export(into).await, Err(StoreError::ExportUnwanted)));
    // Nothing of it stays behind.
    store.create_user(&user("anna")).await.unwrap();
    assert_eq!(store.users().await.unwrap().len(), 1);
}
