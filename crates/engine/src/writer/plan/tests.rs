use alfred_model::id::{EnvironmentId, InstallationId};
use serde_json::json;
use uuid::Uuid;

use super::*;

const OURS: Ipv4Addr = Ipv4Addr::new(127, 64, 0, 1);
const OTHER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);

fn name() -> DomainName {
    "brave-tiger.alfredos.site".parse().unwrap()
}

fn mark() -> OwnershipMark {
    OwnershipMark { installation: InstallationId(Uuid::from_u128(1)), environment: EnvironmentId(Uuid::from_u128(7)) }
}

fn desired() -> DesiredRecord {
    DesiredRecord { name: name(), address: OURS, mark: mark() }
}

fn id(text: &str) -> RecordId {
    RecordId::parse(text).unwrap()
}

/// Our record, as desired.
fn ours(number: &str) -> Record {
    let record = json!({
        "id": number,
        "name": name().as_str(),
        "type": "A",
        "content": OURS.to_string(),
        "ttl": RECORD_TTL_SECONDS,
        "proxied": false,
        "comment": mark().comment(&name()),
    });
    serde_json::from_value(record).unwrap()
}

fn foreign(kind: &str, content: Ipv4Addr) -> Record {
    Record { kind: kind.to_owned(), content: content.to_string(), comment: None, ..ours("f1") }
}

/// Comments that look like our mark and are not.
fn altered() -> Vec<Option<String>> {
    let whole = mark().comment(&name());
    let environment = EnvironmentId(Uuid::from_u128(8));
    let elsewhere: DomainName = "other.alfredos.site".parse().unwrap();
    vec![
        None,
        Some(String::new()),
        Some(format!("{whole} ")),
        Some(whole.to_uppercase()),
        Some(whole[..whole.len() - 1].to_owned()),
        Some(OwnershipMark { environment, ..mark() }.comment(&name())),
        Some(OwnershipMark { installation: InstallationId(Uuid::from_u128(2)), ..mark() }.comment(&name())),
        Some(mark().comment(&elsewhere)),
    ]
}

#[test]
fn nothing_there_is_a_post() {
    assert_eq!(write(&desired(), &[]), Plan::Operations(vec![Operation::Post(desired())]));
    let elsewhere = Record { name: "other.alfredos.site".to_owned(), ..foreign("A", OTHER) };
    assert_eq!(write(&desired(), &[elsewhere]), Plan::Operations(vec![Operation::Post(desired())]), "another name");
}

#[test]
fn ours_as_desired_is_done_however_its_name_is_written() {
    assert_eq!(write(&desired(), &[ours("a")]), Plan::Done(Some(id("a"))));
    let shouted = Record { name: "Brave-Tiger.AlfredOS.site.".to_owned(), ..ours("a") };
    assert_eq!(write(&desired(), &[shouted]), Plan::Done(Some(id("a"))));
}

#[test]
fn ours_in_any_other_way_is_put_by_its_id() {
    for different in [
        Record { content: OTHER.to_string(), ..ours("a") },
        Record { ttl: 1, ..ours("a") },
        Record { proxied: true, ttl: 1, ..ours("a") },
        Record { kind: "AAAA".to_owned(), content: "2001:db8::1".to_owned(), ..ours("a") },
    ] {
        let expected = Plan::Operations(vec![Operation::Put(id("a"), desired())]);
        assert_eq!(write(&desired(), std::slice::from_ref(&different)), expected, "{different:?}");
    }
}

#[test]
fn of_several_of_ours_one_stays() {
    let deletes = vec![Operation::Delete(id("b")), Operation::Delete(id("c"))];
    assert_eq!(write(&desired(), &[ours("a"), ours("b"), ours("c")]), Plan::Operations(deletes.clone()));
    let different = Record { content: OTHER.to_string(), ..ours("a") };
    let put = [deletes, vec![Operation::Put(id("a"), desired())]].concat();
    assert_eq!(write(&desired(), &[different, ours("b"), ours("c")]), Plan::Operations(put));
}

#[test]
fn what_is_foreign_and_answers_for_the_name_refuses_a_write() {
    for kind in ["A", "AAAA", "CNAME", "NS"] {
        for there in [vec![foreign(kind, OTHER)], vec![ours("a"), foreign(kind, OTHER)]] {
            let Plan::Foreign(words) = write(&desired(), &there) else { panic!("{kind} was not refused") };
            assert!(words.contains("brave-tiger.alfredos.site") && words.contains(kind) && words.contains("not ours"));
        }
    }
    for kind in ["TXT", "MX", "CAA"] {
        assert_eq!(write(&desired(), &[ours("a"), foreign(kind, OTHER)]), Plan::Done(Some(id("a"))), "{kind}");
    }
}

#[test]
fn an_altered_mark_is_no_mark() {
    for comment in altered() {
        let record = Record { comment: comment.clone(), ..ours("a") };
        assert!(matches!(write(&desired(), std::slice::from_ref(&record)), Plan::Foreign(_)), "{comment:?}");
        let plan = withdraw(&name(), mark(), Some(OURS), &[record]);
        assert!(matches!(&plan, Plan::Foreign(words) if words.contains("comment")), "{comment:?}: {plan:?}");
    }
}

#[test]
fn only_ours_is_withdrawn() {
    assert_eq!(withdraw(&name(), mark(), Some(OURS), &[]), Plan::Done(None));
    let deletes = vec![Operation::Delete(id("a")), Operation::Delete(id("b"))];
    let there = [ours("a"), foreign("A", OTHER), foreign("A", OURS), foreign("TXT", OURS), ours("b")];
    assert_eq!(withdraw(&name(), mark(), Some(OURS), &there), Plan::Operations(deletes));
    for harmless in [foreign("A", OTHER), foreign("TXT", OURS)] {
        assert_eq!(withdraw(&name(), mark(), Some(OURS), &[harmless]), Plan::Done(None));
    }
    assert_eq!(withdraw(&name(), mark(), None, &[foreign("A", OURS)]), Plan::Done(None), "nothing was ever written");
}

#[test]
fn a_plan_that_was_carried_out_is_done() {
    let mut zone = vec![Record { content: OTHER.to_string(), ..ours("a") }, ours("b"), foreign("TXT", OTHER)];
    let mut apply = |plan: Plan| {
        let Plan::Operations(operations) = plan else { panic!("nothing to do") };
        for operation in operations {
            match operation {
                Operation::Post(_) => zone.push(ours("new")),
                Operation::Put(id, _) => zone.iter_mut().filter(|record| record.id == id).for_each(|record| {
                    *record = ours(id.as_str());
                }),
                Operation::Delete(id) => zone.retain(|record| record.id != id),
            }
        }
        zone.clone()
    };
    let after = apply(write(&desired(), &[Record { content: OTHER.to_string(), ..ours("a") }, ours("b")]));
    assert_eq!(write(&desired(), &after), Plan::Done(Some(id("a"))));
    let after = apply(withdraw(&name(), mark(), Some(OURS), &after));
    assert_eq!(withdraw(&name(), mark(), Some(OURS), &after), Plan::Done(None));
    assert_eq!(after, [foreign("TXT", OTHER)], "what is not ours stays");
}
