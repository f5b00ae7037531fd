use super::*;
use crate::state::BlobTag;
use crate::state::lock::{self, LockInfo};

fn key(serial: u64, content: u8) -> VersionKey {
    VersionKey { serial, sha256: Checksum([content; 32]) }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn version(serial: u64, content: u8) -> Version {
    Version {
        key: key(serial, content),
        blob: BlobTag(0),
        lineage: "l".to_owned(),
        size: 1,
        at: at(0),
        by: "ann".to_owned(),
        lock_id: None,
        key_id: None,
        opaque: false,
        pinned: false,
        rolled_back_to: None,
    }
}

fn incoming(serial: u64, content: u8, lock_id: Option<&str>) -> Incoming<'_> {
    Incoming { key: key(serial, content), lineage: "l", lock_id, by: "ann" }
}

fn at_serial(serial: u64) -> StateDocument {
    let mut document = StateDocument::new();
    append(&mut document, version(serial, 1), at(0));
    document
}

fn lock(document: &mut StateDocument, id: &str) {
    let info = LockInfo::parse(format!(r#"{{"ID":"{id}","Who":"w"}}"#).as_bytes()).unwrap();
    lock::take(document, info, "ann", at(0));
}

#[test]
fn a_higher_serial_of_the_same_lineage_is_written_and_nothing_else() {
    let document = at_serial(7);
    let decided = |serial, content| decide(&document, &incoming(serial, content, None), at(1));
    assert_eq!(decided(8, 1), Ok(Decision::Write));
    assert_eq!(decided(900, 2), Ok(Decision::Write));
    assert_eq!(decided(7, 1), Ok(Decision::Same));
    assert_eq!(decided(7, 2), Err(Refusal::Serial { there: key(7, 1), came: key(7, 2) }));
    assert_eq!(decided(6, 1), Err(Refusal::Serial { there: key(7, 1), came: key(6, 1) }));
    let foreign = Incoming { lineage: "other", ..incoming(8, 2, None) };
    assert!(matches!(decide(&document, &foreign, at(1)), Err(Refusal::Lineage { .. })));
    let same_content = Incoming { lineage: "other", ..incoming(7, 1, None) };
    assert!(matches!(decide(&document, &same_content, at(1)), Err(Refusal::Lineage { .. })));
}

#[test]
fn a_state_without_versions_or_deleted_begins_with_any() {
    let mut document = at_serial(7);
    assert_eq!(decide(&StateDocument::new(), &incoming(3, 1, None), at(1)), Ok(Decision::Write));
    document.deleted_at = Some(at(1));
    let other = Incoming { lineage: "other", ..incoming(1, 1, None) };
    assert_eq!(decide(&document, &other, at(2)), Ok(Decision::Write));
    append(&mut document, version(1, 2), at(2));
    assert_eq!(document.head().map(|head| head.key), Some(key(1, 2)));
}

#[test]
fn a_lock_lets_its_holder_write_and_nobody_else() {
    let mut document = at_serial(7);
    lock(&mut document, "a");
    assert_eq!(decide(&document, &incoming(8, 2, Some("a")), at(1)), Ok(Decision::Write));
    for other in [None, Some("b")] {
        assert!(matches!(decide(&document, &incoming(8, 2, other), at(1)), Err(Refusal::Locked(_))), "{other:?}");
    }
    let knows_the_id = Incoming { by: "bob", ..incoming(8, 2, Some("a")) };
    assert!(matches!(decide(&document, &knows_the_id, at(1)), Err(Refusal::Locked(_))));
    assert_eq!(decide(&document, &incoming(7, 1, Some("b")), at(1)), Ok(Decision::Same), "it changes nothing");
}

#[test]
fn a_lock_that_was_lost_writes_nothing() {
    let mut document = at_serial(7);
    assert_eq!(decide(&document, &incoming(8, 2, Some("a")), at(1)), Err(Refusal::LockLost("a".to_owned())));
    lock(&mut document, "a");
    document.settings.lock_expires_seconds = Some(10);
    assert!(matches!(decide(&document, &incoming(8, 2, None), at(9)), Err(Refusal::Locked(_))));
    assert_eq!(decide(&document, &incoming(8, 2, Some("a")), at(10)), Ok(Decision::Write), "nobody took it over");
    assert_eq!(decide(&document, &incoming(8, 2, None), at(10)), Ok(Decision::Write), "it does not count any more");
    assert_eq!(decide(&document, &incoming(8, 2, Some("b")), at(10)), Err(Refusal::LockLost("b".to_owned())));
}

#[test]
fn a_write_is_noted_at_its_lock() {
    let mut document = StateDocument::new();
    lock(&mut document, "a");
    assert_eq!(document.lock.as_ref().unwrap().written_at, None);
    append(&mut document, Version { lock_id: Some("a".to_owned()), ..version(1, 1) }, at(5));
    assert_eq!(document.lock.as_ref().unwrap().written_at, Some(at(5)));
}

#[test]
fn contents_say_their_serial_and_lineage() {
    let plain = br#"{"version":4,"terraform_version":"1.11.4","serial":3,"lineage":"l","outputs":{},"resources":[]}"#;
    assert_eq!(inspect(plain), Ok(Inspected { serial: 3, lineage: "l".to_owned(), opaque: false }));
    let sealed = br#"{"serial":4,"lineage":"m","meta":{"key_provider.pbkdf2.p":"e30="},"encrypted_data":"AAAA","encryption_version":"v0"}"#;
    assert_eq!(inspect(sealed), Ok(Inspected { serial: 4, lineage: "m".to_owned(), opaque: true }));
    for bad in [
        "",
        "{}",
        "[]",
        r#"[1,"l",4,null]"#,
        "{\"serial\":1}",
        "{\"version\":4}",
        "{\"version\":4,\"serial\":-1}",
        "{\"version\":4,\"serial\":1",
        "{\"version\":4,\"serial\":1}}",
    ] {
        assert!(inspect(bad.as_bytes()).is_err(), "{bad}");
    }
}

#[test]
fn of_any_order_of_writes_each_serial_is_acknowledged_once() {
    use proptest::prelude::*;
    let writes = proptest::collection::vec((0..6_u64, 0..3_u8, proptest::option::of(0..2_u8), 0..4_u8), 1..60);
    proptest!(|(writes in writes)| {
        let mut document = StateDocument::new();
        let mut last = None;
        for (second, (serial, content, writer, action)) in writes.into_iter().enumerate() {
            let now = at(i64::try_from(second).unwrap());
            let id = writer.map(|writer| writer.to_string());
            match (action, &id) {
                (0, Some(id)) => lock(&mut document, id),
                (1, Some(id)) => drop(lock::release(&mut document, id, "ann")),
                _ => {
                    let incoming = incoming(serial, content, id.as_deref());
                    let held = document.lock_at(now).map(|lock| lock.info.id.clone());
                    if decide(&document, &incoming, now) == Ok(Decision::Write) {
                        prop_assert_eq!(held, id.clone(), "the holder writes, or nobody holds it");
                        prop_assert!(last.is_none_or(|last| last < serial));
                        last = Some(serial);
                        append(&mut document, Version { lock_id: id, ..version(serial, content) }, now);
                    }
                }
            }
        }
    });
}
