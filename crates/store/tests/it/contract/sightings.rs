//! What audits saw, and whose turn the next one is.

use std::sync::Arc;

use alfred_model::audit::{FindingKey, Sighting};
use alfred_store::Store;
use futures::future::join_all;

use crate::fixture::at;

fn key(text: &str) -> FindingKey {
    format!("record_without_environment:{text}").parse().unwrap()
}

fn sighting(text: &str, first: i64, last: i64, times: u32) -> Sighting {
    Sighting { key: key(text), first_seen: at(first), last_seen: at(last), times }
}

pub(crate) async fn what_is_seen_again_is_counted_and_what_is_not_is_forgotten(store: Arc<dyn Store>) {
    assert_eq!(store.sightings().await.unwrap(), []);
    let noted = store.note_sightings(&[key("b"), key("a")], at(1)).await.unwrap();
    assert_eq!(noted, [sighting("a", 1, 1, 1), sighting("b", 1, 1, 1)], "by their keys");
    let noted = store.note_sightings(&[key("b"), key("c")], at(5)).await.unwrap();
    assert_eq!(noted, [sighting("b", 1, 5, 2), sighting("c", 5, 5, 1)]);
    assert_eq!(store.sightings().await.unwrap(), noted);
    let noted = store.note_sightings(&[key("a")], at(9)).await.unwrap();
    assert_eq!(noted, [sighting("a", 9, 9, 1)], "what was gone in between begins anew");
    assert_eq!(store.note_sightings(&[], at(10)).await.unwrap(), []);
}

pub(crate) async fn an_older_audit_changes_nothing(store: Arc<dyn Store>) {
    let noted = store.note_sightings(&[key("a")], at(5)).await.unwrap();
    for time in [4, 5] {
        assert_eq!(store.note_sightings(&[key("b")], at(time)).await.unwrap(), noted);
        assert_eq!(store.note_sightings(&[], at(time)).await.unwrap(), noted);
    }
    assert_eq!(store.note_sightings(&[key("a")], at(6)).await.unwrap(), [sighting("a", 5, 6, 2)]);
}

pub(crate) async fn a_finding_told_twice_is_one(store: Arc<dyn Store>) {
    let noted = store.note_sightings(&[key("a"), key("a")], at(1)).await.unwrap();
    assert_eq!(noted, [sighting("a", 1, 1, 1)]);
}

pub(crate) async fn many_findings_are_noted(store: Arc<dyn Store>) {
    let keys: Vec<FindingKey> = (0..1000).map(|number| key(&format!("{number:04}"))).collect();
    assert_eq!(store.note_sightings(&keys, at(1)).await.unwrap().len(), 1000);
    let noted = store.note_sightings(&keys[..700], at(2)).await.unwrap();
    assert_eq!(noted.len(), 700);
    assert!(noted.iter().all(|sighting| sighting.times == 2 && sighting.first_seen == at(1)));
}

pub(crate) async fn one_turn_in_each_interval(store: Arc<dyn Store>) {
    assert_eq!(store.take_audit_turn(at(0), at(60)).await.unwrap(), None, "the first is due at once");
    assert_eq!(store.take_audit_turn(at(1), at(61)).await.unwrap(), Some(at(60)));
    assert_eq!(store.take_audit_turn(at(59), at(119)).await.unwrap(), Some(at(60)));
    assert_eq!(store.take_audit_turn(at(60), at(120)).await.unwrap(), None);
    assert_eq!(store.take_audit_turn(at(60), at(120)).await.unwrap(), Some(at(120)));
    store.note_sightings(&[], at(70)).await.unwrap();
    assert_eq!(store.take_audit_turn(at(80), at(140)).await.unwrap(), Some(at(120)), "audits by hand take no turn");
}

pub(crate) async fn of_many_one_gets_the_turn(store: Arc<dyn Store>) {
    let turns = (0..20).map(|_| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.take_audit_turn(at(5), at(65)).await.unwrap() })
    });
    let turns: Vec<_> = join_all(turns).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(turns.iter().filter(|turn| turn.is_none()).count(), 1, "{turns:?}");
    assert!(turns.iter().flatten().all(|due| *due == at(65)));
}
