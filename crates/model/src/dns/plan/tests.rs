use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::id::{EnvironmentId, InstallationId};
use crate::record::{OwnershipMark, Target};

const ZONE: &str = "example.com";

fn owner(name: &str) -> OwnerName {
    name.parse().unwrap()
}

fn wanted(label: &str, target: &str) -> WantedRecord {
    let zone: DomainName = ZONE.parse().unwrap();
    let name = crate::dns::file::full_name(label, &zone).unwrap();
    WantedRecord { name, target: crate::dns::file::target_of(target, &zone).unwrap(), ttl: 300, line: 1 }
}

fn seen(id: &str, label: &str, kind: &str, content: &str, comment: Option<String>) -> SeenRecord {
    SeenRecord {
        id: RecordId::parse(id).unwrap(),
        name: format!("{label}.{ZONE}"),
        kind: kind.to_owned(),
        content: content.to_owned(),
        ttl: 300,
        proxied: false,
        comment,
        tags: Vec::new(),
        read_only: false,
    }
}

fn ours(label: &str) -> String {
    let name: DomainName = format!("{label}.{ZONE}").parse().unwrap();
    Mark::Owner(owner("dns")).comment(&name)
}

fn environment(label: &str) -> String {
    let name: DomainName = format!("{label}.{ZONE}").parse().unwrap();
    let mark = OwnershipMark {
        installation: InstallationId(Uuid::from_u128(1)),
        environment: EnvironmentId(Uuid::from_u128(2)),
    };
    mark.comment(&name)
}

fn plan<'a>(wanted: &'a [WantedRecord], zone: &[SeenRecord], leave: Leave) -> Plan<'a> {
    let mut planner = Planner::new(wanted, &owner("dns"), leave);
    for record in zone {
        let glance = Glance {
            id: record.id.as_str(),
            name: &record.name,
            kind: &record.kind,
            content: &record.content,
            ttl: record.ttl,
            proxied: record.proxied,
            comment: record.comment.as_deref(),
        };
        planner.see(&glance, || Some(record.clone()));
    }
    planner.finish()
}

const NOTHING: Leave = Leave { adopt: false, prune: false };
const ADOPT: Leave = Leave { adopt: true, prune: false };
const PRUNE: Leave = Leave { adopt: false, prune: true };

fn actions(plan: &Plan<'_>) -> Vec<&'static str> {
    plan.steps.iter().map(Step::action).collect()
}

#[test]
fn each_state_of_a_name_has_its_step() {
    let wanted = [wanted("web", "192.0.2.1")];
    let other = || seen("a1", "web", "A", "192.0.2.9", Some(ours("web")));
    let right = || seen("b1", "web", "A", "192.0.2.1", Some(ours("web")));
    for (there, action) in [
        (vec![], "create"),
        (vec![other()], "update"),
        (vec![SeenRecord { ttl: 60, ..right() }], "update"),
        (vec![SeenRecord { proxied: true, ttl: 1, ..right() }], "update"),
        (vec![seen("a1", "web", "CNAME", "x.example.net", Some(ours("web")))], "retype"),
        (vec![right(), other()], "unify"),
        (vec![other(), right()], "unify"),
        (vec![seen("t1", "web", "TXT", "hello", None)], "create"),
        (vec![SeenRecord { name: "WEB.Example.com.".into(), ..other() }], "update"),
    ] {
        let plan = plan(&wanted, &there, NOTHING);
        assert_eq!(actions(&plan), [action], "{there:?}");
        assert_eq!((plan.conflicts.len(), plan.unchanged), (0, 0), "{there:?}");
    }
    let idle = plan(&wanted, &[right(), seen("t1", "web", "TXT", "hello", None)], NOTHING);
    assert_eq!((idle.steps.len(), idle.unchanged, idle.owned, idle.total), (0, 1, 1, 2));
    let unify = plan(&wanted, &[other(), right()], NOTHING);
    assert_eq!(unify.steps[0].seen()[0].id.as_str(), "b1", "the one that is right stays");
    assert_eq!(unify.deletions(), 1);
}

#[test]
fn what_is_not_ours_is_left_and_adopted_only_where_that_is_safe() {
    let wanted = [wanted("web", "192.0.2.1")];
    let stray = || seen("f1", "web", "A", "192.0.2.9", None);
    let second = seen("f2", "web", "A", "192.0.2.8", None);
    let mine = seen("a1", "web", "A", "192.0.2.1", Some(ours("web")));
    let theirs = SeenRecord { comment: Some(Mark::Owner(owner("other")).comment(&wanted[0].name)), ..stray() };
    let copied = SeenRecord { comment: Some(ours("api")), ..stray() };
    let kept = SeenRecord { read_only: true, ..stray() };
    let lives = SeenRecord { comment: Some(environment("web")), ..stray() };
    for (there, alone, adopting) in [
        (vec![stray()], "take it over with `--adopt`", None),
        (vec![theirs], "belongs to the owner `other`", None),
        (vec![copied], "is not ours", None),
        (vec![seen("f1", "web", "CNAME", "x.example.net", None)], "--adopt", None),
        (vec![lives], "`alfred env delete`", Some("`alfred env delete`")),
        (vec![kept], "another Cloudflare product", Some("another Cloudflare product")),
        (vec![stray(), second], "is not ours", Some("only a single one can be adopted")),
        (vec![seen("f1", "web", "AAAA", "2001:db8::1", None)], "delete it in the zone", Some("only A and CNAME")),
        (vec![seen("f1", "web", "NS", "ns.example.net", None)], "delete it in the zone", Some("only A and CNAME")),
        (vec![mine, stray()], "stands beside it", Some("stands beside it")),
    ] {
        let refused = plan(&wanted, &there, NOTHING);
        assert!(refused.steps.is_empty() && refused.conflicts.len() == 1, "{there:?}");
        assert!(refused.conflicts[0].reason.contains(alone), "{there:?}: {}", refused.conflicts[0].reason);
        let asked = plan(&wanted, &there, ADOPT);
        match adopting {
            None => assert_eq!(actions(&asked), ["adopt"], "{there:?}"),
            Some(words) => {
                assert!(asked.steps.is_empty(), "{there:?}");
                assert!(asked.conflicts[0].reason.contains(words), "{there:?}: {}", asked.conflicts[0].reason);
            }
        }
    }
}

#[test]
fn only_what_is_ours_is_pruned_and_only_where_asked() {
    let zone = [
        seen("a1", "old", "A", "192.0.2.1", Some(ours("old"))),
        seen("a2", "old", "CNAME", "x.example.net", Some(ours("old"))),
        seen("a3", "moved", "A", "192.0.2.1", Some(ours("old"))),
        seen("a4", "env", "A", "192.0.2.1", Some(environment("env"))),
        seen("a5", "free", "A", "192.0.2.1", None),
    ];
    let kept = plan(&[], &zone, NOTHING);
    assert_eq!((kept.steps.len(), kept.unlisted, kept.owned, kept.total), (0, 2, 2, 5));
    let pruned = plan(&[], &zone, PRUNE);
    assert_eq!(actions(&pruned), ["delete"]);
    assert_eq!(pruned.steps[0].name().as_str(), "old.example.com");
    assert_eq!((pruned.deletions(), pruned.unlisted), (2, 0));
}

#[test]
fn the_checksum_is_that_of_exactly_this_plan() {
    let one = [wanted("web", "192.0.2.1")];
    let there = seen("a1", "web", "A", "192.0.2.9", Some(ours("web")));
    let checksum = plan(&one, std::slice::from_ref(&there), NOTHING).checksum();
    assert_eq!(checksum.to_string().parse(), Ok(checksum));
    assert_eq!(checksum.to_string().to_uppercase().parse(), Ok(checksum));
    let unrelated = seen("z9", "unrelated", "A", "192.0.2.9", None);
    assert_eq!(plan(&one, &[unrelated, there.clone()], NOTHING).checksum(), checksum);
    let another_id = SeenRecord { id: RecordId::parse("a2").unwrap(), ..there.clone() };
    let another_content = SeenRecord { content: "192.0.2.8".into(), ..there.clone() };
    for other in [vec![], vec![another_id], vec![another_content]] {
        assert_ne!(plan(&one, &other, NOTHING).checksum(), checksum, "{other:?}");
    }
    let longer = [WantedRecord { ttl: 600, ..one[0].clone() }];
    assert_ne!(plan(&longer, &[there], NOTHING).checksum(), checksum);
    for bad in ["", "12", "0123456789abcdeg", "0123456789abcdef0"] {
        assert!(bad.parse::<Checksum>().is_err(), "{bad}");
    }
}

/// A zone that carries a plan out, as the provider does.
fn carry_out(zone: &[SeenRecord], plan: &Plan<'_>) -> Vec<SeenRecord> {
    let mut zone: BTreeMap<RecordId, SeenRecord> =
        zone.iter().map(|record| (record.id.clone(), record.clone())).collect();
    for (number, step) in plan.steps.iter().enumerate() {
        let written = |wanted: &WantedRecord, id: RecordId| SeenRecord {
            id,
            name: wanted.name.to_string(),
            kind: wanted.target.kind().to_owned(),
            content: wanted.target.to_string(),
            ttl: wanted.ttl,
            proxied: false,
            comment: Some(Mark::Owner(owner("dns")).comment(&wanted.name)),
            tags: Vec::new(),
            read_only: false,
        };
        for record in step.seen() {
            zone.remove(&record.id).unwrap();
        }
        match step {
            Step::Create(wanted) => {
                let id = RecordId::parse(&format!("new{number}")).unwrap();
                zone.insert(id.clone(), written(wanted, id));
            }
            Step::Update(wanted, seen)
            | Step::Retype(wanted, seen)
            | Step::Unify(wanted, seen)
            | Step::Adopt(wanted, seen) => {
                zone.insert(seen[0].id.clone(), written(wanted, seen[0].id.clone()));
            }
            Step::Delete(..) => {}
        }
    }
    zone.into_values().collect()
}

prop_compose! {
    fn some_target()(kind in 0_u8..3, last in 1_u8..4) -> Target {
        if kind == 0 {
            Target::Alias(format!("t{last}.example.net").parse().unwrap())
        } else {
            Target::Address(Ipv4Addr::new(192, 0, 2, last))
        }
    }
}

prop_compose! {
    fn some_file()(
        records in proptest::collection::btree_map(0_u8..12, (some_target(), prop_oneof![Just(300_u32), Just(600)]), 0..10)
    ) -> Vec<WantedRecord> {
        let mut records: Vec<WantedRecord> = records
            .into_iter()
            .map(|(number, (target, ttl))| WantedRecord { target, ttl, ..wanted(&format!("n{number}"), "192.0.2.1") })
            .collect();
        records.sort_by(|one, other| one.name.cmp(&other.name));
        records
    }
}

prop_compose! {
    fn some_zone()(
        records in proptest::collection::vec(
            (0_u8..12, 0_u8..6, some_target(), any::<bool>(), prop_oneof![Just(300_u32), Just(600)], 0_u8..3), 0..24)
    ) -> Vec<SeenRecord> {
        let one = |(index, (number, whose, target, flag, ttl, other)): (usize, (u8, u8, Target, bool, u32, u8))| {
            let label = format!("n{number}");
            let comment = match whose {
                0..3 => Some(ours(&label)),
                3 => Some(environment(&label)),
                4 => Some(ours("elsewhere")),
                _ => None,
            };
            let record = seen(&format!("r{index}"), &label, target.kind(), &target.to_string(), comment);
            let record = SeenRecord { ttl, proxied: flag && other == 1, read_only: flag && other == 2, ..record };
            if whose == 5 && other == 0 { SeenRecord { kind: "TXT".into(), content: "x".into(), ..record } } else { record }
        };
        records.into_iter().enumerate().map(one).collect()
    }
}

proptest! {
    /// What is not ours is never touched, but for one record at a time that is adopted; and never an environment's, nor
    /// one that another product keeps.
    #[test]
    fn a_foreign_record_is_in_no_operation(file in some_file(), zone in some_zone(), adopt: bool, prune: bool) {
        let plan = plan(&file, &zone, Leave { adopt, prune });
        for step in &plan.steps {
            for record in step.seen() {
                match record.mark() {
                    Some(Mark::Owner(name)) => prop_assert_eq!(name, owner("dns")),
                    Some(Mark::Environment(_)) => prop_assert!(false, "{:?}", step),
                    None => {
                        prop_assert!(adopt && matches!(step, Step::Adopt(..)) && step.seen().len() == 1);
                        prop_assert!(!record.read_only);
                    }
                }
            }
            prop_assert!(prune || !matches!(step, Step::Delete(..)));
        }
        let names = plan.steps.len() as u64 + plan.conflicts.len() as u64 + plan.unchanged;
        let deleted = plan.steps.iter().filter(|step| matches!(step, Step::Delete(..))).count() as u64;
        prop_assert_eq!(names - deleted, file.len() as u64, "each wanted name is decided once");
    }

    #[test]
    fn a_plan_that_was_carried_out_leaves_nothing_to_do(file in some_file(), zone in some_zone(), adopt: bool, prune: bool) {
        let leave = Leave { adopt, prune };
        let first = plan(&file, &zone, leave);
        let after = carry_out(&zone, &first);
        let second = plan(&file, &after, leave);
        prop_assert_eq!(&second.steps, &[], "after {:?}", first);
        prop_assert_eq!(&second.conflicts, &first.conflicts);
        prop_assert_eq!(second.unchanged, (file.len() - first.conflicts.len()) as u64);
        if prune {
            prop_assert_eq!(second.unlisted, 0);
        }
        for record in zone.iter().filter(|record| record.mark().is_none() && !adopt) {
            prop_assert!(after.contains(record), "it is as it was: {:?}", record);
        }
    }

    #[test]
    fn the_order_of_the_records_does_not_matter(file in some_file(), zone in some_zone(), adopt: bool, prune: bool) {
        let leave = Leave { adopt, prune };
        let turned: Vec<SeenRecord> = zone.iter().rev().cloned().collect();
        let (one, other) = (plan(&file, &zone, leave), plan(&file, &turned, leave));
        prop_assert_eq!(one.steps.len(), other.steps.len());
        prop_assert_eq!((one.unchanged, one.unlisted, one.owned), (other.unchanged, other.unlisted, other.owned));
    }
}
