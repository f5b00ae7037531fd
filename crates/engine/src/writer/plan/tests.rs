use alfred_model::id::{EnvironmentId, InstallationId};
use alfred_model::record::{OwnershipMark, RECORD_TTL_SECONDS, Target};
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
    DesiredRecord { name: name(), target: Target::Address(OURS), ttl: RECORD_TTL_SECONDS, mark: mark().into() }
}

/// Nothing is adopted, and the plan has no tags.
fn write(desired: &DesiredRecord, there: &[Record]) -> Plan {
    super::write(desired, false, false, there)
}

fn withdraw(name: &DomainName, mark: OwnershipMark, address: Option<Ipv4Addr>, there: &[Record]) -> Plan {
    super::withdraw(name, &mark.into(), address, there)
}

fn operations(operations: Vec<Operation>) -> Plan {
    Plan::Operations(operations, None)
}

fn post() -> Operation {
    Operation::Post(desired(), Vec::new())
}

fn put(number: &str) -> Operation {
    Operation::Put(id(number), desired(), Vec::new())
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
    assert_eq!(write(&desired(), &[]), operations(vec![post()]));
    let elsewhere = Record { name: "other.alfredos.site".to_owned(), ..foreign("A", OTHER) };
    assert_eq!(write(&desired(), &[elsewhere]), operations(vec![post()]), "another name");
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
        let expected = operations(vec![put("a")]);
        assert_eq!(write(&desired(), std::slice::from_ref(&different)), expected, "{different:?}");
    }
}

#[test]
fn of_several_of_ours_one_stays() {
    let deletes = vec![Operation::Delete(id("b")), Operation::Delete(id("c"))];
    assert_eq!(write(&desired(), &[ours("a"), ours("b"), ours("c")]), Plan::Operations(deletes.clone(), Some(id("a"))));
    let different = Record { content: OTHER.to_string(), ..ours("a") };
    let put = [deletes, vec![put("a")]].concat();
    assert_eq!(write(&desired(), &[different, ours("b"), ours("c")]), operations(put));
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
    assert_eq!(withdraw(&name(), mark(), Some(OURS), &there), operations(deletes));
    for harmless in [foreign("A", OTHER), foreign("TXT", OURS)] {
        assert_eq!(withdraw(&name(), mark(), Some(OURS), &[harmless]), Plan::Done(None));
    }
    assert_eq!(withdraw(&name(), mark(), None, &[foreign("A", OURS)]), Plan::Done(None), "nothing was ever written");
}

#[test]
fn a_plan_that_was_carried_out_is_done() {
    let mut zone = vec![Record { content: OTHER.to_string(), ..ours("a") }, ours("b"), foreign("TXT", OTHER)];
    let mut apply = |plan: Plan| {
        let Plan::Operations(operations, _) = plan else { panic!("nothing to do") };
        for operation in operations {
            match operation {
                Operation::Post(..) => zone.push(ours("new")),
                Operation::Put(id, ..) => zone.iter_mut().filter(|record| record.id == id).for_each(|record| {
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

#[test]
fn adopting_takes_one_record_that_is_nobodys_and_no_other() {
    let owner = DesiredRecord { mark: Mark::Owner("team".parse().unwrap()), ..desired() };
    let adopt = |there: &[Record]| super::write(&owner, true, false, there);
    let taken = operations(vec![Operation::Put(id("f1"), owner.clone(), Vec::new())]);
    assert_eq!(adopt(&[foreign("A", OTHER)]), taken);
    assert_eq!(adopt(&[foreign("CNAME", OTHER), foreign("TXT", OTHER)]), taken, "what does not answer is no matter");
    let colleagues =
        Record { comment: Some(Mark::Owner("other".parse().unwrap()).comment(&name())), ..foreign("A", OURS) };
    assert_eq!(adopt(&[colleagues]), taken);
    let kept = Record { meta: alfred_providers::cloudflare::RecordMeta { read_only: true }, ..foreign("A", OTHER) };
    for (there, why) in [
        (vec![ours("a")], "environment"),
        (vec![kept], "product"),
        (vec![foreign("AAAA", OTHER)], "AAAA"),
        (vec![foreign("NS", OTHER)], "NS"),
        (vec![foreign("A", OTHER), foreign("A", OURS)], "several"),
    ] {
        let plan = adopt(&there);
        assert!(matches!(&plan, Plan::Foreign(words) if words.contains(why)), "{why}: {plan:?}");
    }
}

#[test]
fn another_type_is_one_put_and_tags_of_people_stay() {
    let alias = DesiredRecord { target: Target::Alias("www.example.com".parse().unwrap()), ..desired() };
    let tagged = Record { tags: vec!["team:a".to_owned()], ..ours("a") };
    let plan = super::write(&alias, false, true, &[tagged]);
    let tags = vec!["team:a".to_owned(), mark_tag()];
    assert_eq!(plan, operations(vec![Operation::Put(id("a"), alias, tags)]));
    let plan = super::write(&desired(), false, true, &[]);
    assert_eq!(plan, operations(vec![Operation::Post(desired(), vec![mark_tag()])]));
}

fn mark_tag() -> String {
    "alfred-environment:00000000-0000-0000-0000-000000000007".to_owned()
}
