//! What may be repaired: ripeness, caps and lists that were cut short.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn finding(number: usize, action: Action, foreign: bool) -> Finding {
    let id = format!("r{number}");
    let mut record = record_of(&environment(1, Status::Deleted, Step::Settled), &id, address(1));
    record.name = format!("{id}.alfredos.site");
    let missing = action == Action::WriteRecord && number.is_multiple_of(2);
    let finding = if missing {
        let id = environment_id(u32::try_from(number).unwrap());
        Finding::new(FindingKind::EnvironmentWithoutRecord, &record.name, String::new()).environment(id)
    } else {
        Finding::new(FindingKind::RecordWithoutEnvironment, &record.name, String::new()).record(&record)
    };
    finding.action(action, "").foreign(foreign)
}

fn seen(finding: &Finding, first: i64, last: i64, times: u32) -> Sighting {
    let at = |seconds| now() + SignedDuration::from_secs(seconds);
    Sighting { key: finding.key(), first_seen: at(first), last_seen: at(last), times }
}

fn whole(own_records: usize) -> Extent {
    Extent { records: own_records.max(1), own_records, ..Extent::default() }
}

/// Findings that are all ripe.
fn ripe(count: usize) -> Vec<Standing> {
    let findings: Vec<Finding> = (0..count).map(|number| finding(number, Action::WithdrawRecord, false)).collect();
    let sightings: Vec<Sighting> = findings.iter().map(|finding| seen(finding, -100, 0, 2)).collect();
    standing(findings, &sightings, Duration::from_secs(100), now())
}

#[test]
fn a_key_says_the_kind_and_the_one_thing_and_is_read_back() {
    let mut cloud = Cloud::with_one();
    cloud.records[0].content = "198.51.100.9".to_owned();
    cloud.intents.push(order(5, "alfredos-unknown", long_ago()));
    let keys: Vec<String> = cloud.findings().iter().map(|finding| finding.key().to_string()).collect();
    assert_eq!(keys, ["record_wrong_address:record0".to_owned(), format!("order_unknown:{}", cloud.intents[0].id)]);
    for finding in cloud.findings() {
        assert_eq!(finding.key().as_str().parse(), Ok(finding.key()));
        assert_eq!(finding.key().kind(), Some(finding.kind));
    }
    for bad in ["", "x", "nonsense:1", "duplicate_record:", "duplicate_record:a b", "duplicate_record:a:b"] {
        assert!(bad.parse::<FindingKey>().is_err(), "{bad}");
    }
}

#[test]
fn one_sighting_is_never_enough_and_two_need_the_grace_between() {
    let one = finding(1, Action::WithdrawRecord, false);
    let ripe = |first, last, times, grace| seen(&one, first, last, times).is_ripe(Duration::from_secs(grace));
    assert!(!ripe(0, 0, 1, 0), "no grace at all needs two sightings as well");
    assert!(!ripe(-1000, 0, 1, 10), "a sighting that somebody wrote with a hole in it");
    assert!(ripe(0, 0, 2, 0) && ripe(-10, 0, 2, 10) && ripe(-10, 0, 50, 10));
    assert!(!ripe(-9, 0, 50, 10), "often and too soon");
    let new = standing(vec![one], &[], Duration::ZERO, now());
    assert_eq!((new[0].since, new[0].times, new[0].ripe), (now(), 1, false));
}

#[test]
fn at_the_cap_all_is_repaired_and_over_it_nothing() {
    for (count, own, max_count, max_share, allowed) in
        [(1, 1, 25, 10, 1), (2, 10, 25, 10, 1), (25, 250, 25, 10, 25), (26, 260, 25, 10, 25), (3, 30, 0, 100, 0)]
    {
        let plan = plan(&ripe(count), &whole(own), Limits { max_count, max_share });
        assert_eq!((plan.ripe, plan.allowed), (count, allowed));
        let done = if count <= allowed { count } else { 0 };
        assert_eq!((plan.places.len(), plan.refused.is_some()), (done, done == 0), "{plan:?}");
    }
}

#[test]
fn a_list_that_was_cut_short_is_told_with_its_numbers() {
    let extent = |records, expected, found| Extent {
        records,
        own_records: found,
        records_expected: expected,
        records_found: found,
        ..Extent::default()
    };
    assert!(extent(0, 0, 0).shrunken().is_some_and(|why| why.contains("empty")));
    assert!(extent(9, 9, 4).shrunken().is_some_and(|why| why.contains("4 of the 9")));
    assert_eq!(extent(9, 8, 4).shrunken(), None);
    let vms = Extent { vms_expected: 3, vms_found: 1, ..extent(1, 0, 0) };
    assert!(vms.shrunken().is_some_and(|why| why.contains("list of VMs shows 1 of the 3")));
}

#[test]
fn the_extent_counts_what_should_be_there_and_is() {
    let mut cloud = Cloud::with_one();
    cloud.add_active(1);
    cloud.add_active(2);
    cloud.records.push(foreign_record("f", "www.alfredos.site", "A", None));
    cloud.records.remove(1);
    cloud.instances.remove(2);
    let zones = [zone()];
    let (_, extent) = survey(&cloud.world(&zones));
    let (records, own_records, records_expected, records_found) = (3, 2, 3, 2);
    let expected = Extent { records, own_records, records_expected, records_found, vms_expected: 3, vms_found: 2 };
    assert_eq!(extent, expected);
}

#[test]
fn only_an_environment_that_works_with_a_vm_of_its_own_is_mended() {
    let action = |damage: fn(&mut Cloud)| {
        let mut cloud = Cloud::with_one();
        cloud.records[0].content = "198.51.100.9".to_owned();
        damage(&mut cloud);
        let findings = cloud.findings();
        findings.into_iter().find(|one| one.kind == FindingKind::RecordWrongAddress).map(|one| one.action)
    };
    assert_eq!(action(|_| {}), Some(Action::WriteRecord));
    assert_eq!(action(|cloud| cloud.vms[0].environment_id = Some(environment_id(9))), Some(Action::None));
    assert_eq!(action(|cloud| cloud.vms[0].state = VmState::Retiring), Some(Action::None));
    assert_eq!(action(|cloud| cloud.vms.clear()), Some(Action::None));
    assert_eq!(action(|cloud| cloud.instances.clear()), Some(Action::None));
    assert_eq!(action(|cloud| cloud.instances[0].address = None), Some(Action::None));
    assert_eq!(action(|cloud| cloud.environments[0].status = Status::Provisioning), Some(Action::None));
    assert_eq!(action(|cloud| cloud.environments[0].step = Step::WriteRecord), None, "it is being mended");
}

#[test]
fn several_zones_are_judged_together() {
    let mut cloud = Cloud::with_one();
    cloud.add_active(1);
    cloud.records.remove(1);
    cloud.environments[1].domain = "brave-tiger-1.example.com".parse().unwrap();
    let mark = comment(INSTALLATION, environment_id(7), &"left.example.com".parse().unwrap());
    cloud.records.push(foreign_record("l", "left.example.com", "A", Some(&mark)));
    let kinds = |zones: &[DomainName]| -> Vec<FindingKind> {
        survey(&cloud.world(zones)).0.findings.iter().map(|finding| finding.kind).collect()
    };
    assert_eq!(kinds(&[zone()]), [], "the other zone was not read");
    let both = [FindingKind::RecordWithoutEnvironment, FindingKind::EnvironmentWithoutRecord];
    assert_eq!(kinds(&[zone(), "example.com".parse().unwrap()]), both);
}

#[test]
fn a_mark_of_another_tool_is_foreign_and_no_finding() {
    let mut cloud = Cloud::with_one();
    cloud.records.push(foreign_record("t", "tool.alfredos.site", "A", Some("alfred:dns:v1:0123456789abcdef")));
    let compared = cloud.compare();
    assert_eq!((compared.findings, compared.foreign_records), (vec![], 1));
}

/// One environment whose record is gone is a list that shows none of what it should; writing takes nothing away.
#[test]
fn a_missing_record_is_written_again_however_short_the_list_is() {
    let findings = vec![finding(1, Action::WithdrawRecord, false), finding(2, Action::WriteRecord, false)];
    let sightings: Vec<Sighting> = findings.iter().map(|finding| seen(finding, -50, 0, 2)).collect();
    let all = standing(findings, &sightings, Duration::from_secs(10), now());
    let short = Extent { records_expected: 1, ..whole(0) };
    assert!(short.shrunken().is_some());
    let plan = plan(&all, &short, Limits::default());
    let written: Vec<Action> = plan.places.iter().map(|place| all[*place].finding.action).collect();
    assert_eq!((written, plan.refused), (vec![Action::WriteRecord], None));
}

proptest! {
    /// Whatever the caps and the lists: all that is ripe and ours, or nothing.
    #[test]
    fn a_plan_is_all_or_nothing_within_its_caps(
        kinds in prop::collection::vec((0..2_u32, any::<bool>(), prop::sample::select(Action::ALL), any::<bool>()), 0..60),
        records in 0..400_usize,
        found in 0..20_usize,
        expected in 0..20_usize,
        max_count in 0..80_usize,
        max_share in 0..=100_usize,
    ) {
        let findings: Vec<Finding> = kinds.iter().enumerate()
            .map(|(number, (_, _, action, foreign))| finding(number, *action, *foreign)).collect();
        let sightings: Vec<Sighting> = findings.iter().zip(&kinds)
            .map(|(finding, (times, early, ..))| seen(finding, if *early { -50 } else { -5 }, 0, times + 1)).collect();
        let all = standing(findings, &sightings, Duration::from_secs(10), now());
        let own_records = records / 2;
        let (records_expected, records_found) = (expected, found.min(expected));
        let extent = Extent { records, own_records, records_expected, records_found, ..Extent::default() };
        let limits = Limits { max_count, max_share };
        let plan = plan(&all, &extent, limits);
        let may = |place: usize| {
            let (times, early, action, foreign) = &kinds[place];
            *times == 1 && *early && *action != Action::None && !foreign
        };
        let ripe: Vec<usize> = (0..all.len()).filter(|place| may(*place)).collect();
        prop_assert_eq!(plan.ripe, ripe.len());
        let shrunken = records == 0 || records_found * 2 < records_expected;
        let adds = |place: &usize| all[*place].finding.action == Action::WriteRecord && all[*place].finding.record_id.is_none();
        let allowed: Vec<usize> = ripe.iter().copied().filter(|place| !shrunken || adds(place)).collect();
        prop_assert!(plan.places.is_empty() || plan.places == allowed, "promise 9");
        prop_assert!(plan.places.len() <= max_count && plan.places.len() <= (own_records * max_share / 100).max(1));
        prop_assert_eq!(plan.refused.is_some(), plan.places.is_empty() && plan.ripe > 0);
    }

    /// What is not surely ours is never acted upon, and neither is a VM, in whatever world.
    #[test]
    fn no_action_touches_vms_or_what_is_foreign(damages in prop::collection::vec(prop::sample::select(FindingKind::ALL), 0..6)) {
        let mut cloud = Cloud::with_one();
        for (number, kind) in (200..).zip(damages) {
            cloud.add_active(number);
            cloud.damage(number, number + 100, kind);
        }
        for finding in cloud.findings() {
            let acts = finding.action != Action::None;
            prop_assert!(!finding.foreign || !acts, "{:?}", finding);
            let of_record = finding.record_id.is_some() || finding.kind == FindingKind::EnvironmentWithoutRecord;
            prop_assert!(!acts || of_record, "{:?}", finding);
            prop_assert!(!finding.because.is_empty());
        }
    }
}
