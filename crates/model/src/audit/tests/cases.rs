//! Each rule by its cases.

use super::*;

/// What a finding is about, without its words.
type About = (FindingKind, Option<EnvironmentId>, Option<VmId>, Option<RecordId>, bool);

fn about(finding: &Finding) -> About {
    (finding.kind, finding.environment_id, finding.vm_id, finding.record_id.clone(), finding.foreign)
}

fn all_about(cloud: &Cloud) -> Vec<About> {
    cloud.findings().iter().map(about).collect()
}

#[test]
fn an_empty_world_and_a_sound_one_have_no_findings() {
    assert_eq!(Cloud::default().compare(), Comparison::default());
    assert_eq!(Cloud::with_one().compare(), Comparison::default());
}

#[test]
fn a_record_outlives_its_environment() {
    let mut cloud = Cloud::default();
    let gone = environment(5, Status::Deleted, Step::Settled);
    cloud.records.push(record_of(&gone, "r5", address(5)));
    let expected = (FindingKind::RecordWithoutEnvironment, Some(gone.id), None, Some(record_id("r5")), false);
    assert_eq!(all_about(&cloud), std::slice::from_ref(&expected), "the store knows nothing of it");
    for (status, step) in [
        (Status::Deleted, Step::Settled),
        (Status::Error, Step::Settled),
        (Status::Error, Step::ReleaseVm),
        (Status::Deleting, Step::ReleaseVm),
    ] {
        cloud.environments = vec![environment(5, status, step)];
        assert_eq!(all_about(&cloud), std::slice::from_ref(&expected), "{status} {step}");
        cloud.environments[0].step_since = just_now();
        cloud.environments[0].updated_at = just_now();
        assert_eq!(cloud.findings(), [], "{status} {step}, just now");
    }
    for step in [Step::WithdrawRecord, Step::AwaitAbsence] {
        for status in [Status::Deleting, Status::Error] {
            cloud.environments = vec![environment(5, status, step)];
            assert_eq!(cloud.findings(), [], "{status} {step}");
        }
    }
}

#[test]
fn an_environment_has_no_record() {
    let mut cloud = Cloud::with_one();
    cloud.records.clear();
    let expected = (FindingKind::EnvironmentWithoutRecord, Some(environment_id(0)), Some(vm_id(0)), None, false);
    assert_eq!(all_about(&cloud), [expected]);
    cloud.environments[0].step_since = just_now();
    assert_eq!(cloud.findings(), [], "it became active while the zone was read");
    cloud.environments[0].step_since = long_ago();
    cloud.environments[0].wish = Wish::Absent;
    assert_eq!(cloud.findings(), [], "it is about to be taken down");
}

#[test]
fn an_environment_being_made_needs_no_record_yet() {
    for step in [Step::NameVm, Step::InstallVm, Step::AwaitVm, Step::ReachVm, Step::WriteRecord, Step::VerifyRecord] {
        let mut cloud = Cloud::default();
        cloud.add_with_vm(0, Status::Provisioning, step);
        assert_eq!(cloud.findings(), [], "{step}");
        cloud.add_record(0);
        assert_eq!(cloud.findings(), [], "{step} with a record");
        cloud.records[0].content = "198.51.100.9".to_owned();
        let moving = matches!(step, Step::WriteRecord | Step::VerifyRecord);
        assert_eq!(cloud.findings().len(), usize::from(!moving), "{step} with a wrong record");
    }
}

#[test]
fn an_environment_of_another_zone_is_not_judged_by_this_zones_records() {
    let mut cloud = Cloud::with_one();
    cloud.records.clear();
    cloud.environments[0].domain = "brave-tiger-0.example.com".parse().unwrap();
    assert_eq!(cloud.findings(), []);
}

#[test]
fn a_record_answers_wrongly() {
    let expected =
        (FindingKind::RecordWrongAddress, Some(environment_id(0)), Some(vm_id(0)), Some(record_id("record0")), false);
    let wrong: [fn(&mut Cloud); 4] = [
        |cloud| cloud.records[0].content = "198.51.100.9".to_owned(),
        |cloud| cloud.records[0].content = "no address".to_owned(),
        |cloud| cloud.records[0].kind = "CNAME".to_owned(),
        |cloud| cloud.instances[0].address = Some(address(77)),
    ];
    for damage in wrong {
        let mut cloud = Cloud::with_one();
        damage(&mut cloud);
        assert_eq!(all_about(&cloud), std::slice::from_ref(&expected), "{cloud:?}");
        cloud.environments[0].step_since = just_now();
        assert_eq!(cloud.findings(), []);
    }
    let mut cloud = Cloud::with_one();
    cloud.instances[0].address = Some(address(77));
    assert!(cloud.only_finding().words.contains("203.0.113.77"), "the address to write is the provider's");
}

#[test]
fn of_several_records_the_one_in_the_row_is_kept_then_the_right_one_then_the_first() {
    let duplicate =
        |id: &str| (FindingKind::DuplicateRecord, Some(environment_id(0)), Some(vm_id(0)), Some(record_id(id)), false);
    let mut cloud = Cloud::with_one();
    let twin = record_of(&cloud.environments[0], "a", address(0));
    cloud.records.push(twin);
    assert_eq!(all_about(&cloud), [duplicate("a")]);
    cloud.environments[0].record_id = None;
    assert_eq!(all_about(&cloud), [duplicate("record0")], "the first");
    cloud.records[1].content = "198.51.100.9".to_owned();
    assert_eq!(all_about(&cloud), [duplicate("a")], "the right one");
    cloud.records = vec![cloud.records[0].clone(), cloud.records[0].clone()];
    assert_eq!(cloud.findings(), [], "one record, seen on two pages");
}

#[test]
fn a_mark_was_altered() {
    let mut cloud = Cloud::with_one();
    let environment = Some(environment_id(0));
    let whole = cloud.records[0].comment.clone().unwrap();
    let copied = comment(INSTALLATION, environment_id(0), &"elsewhere.alfredos.site".parse().unwrap());
    for altered in [None, Some(String::new()), Some("mine".to_owned()), Some(whole[..80].to_owned()), Some(copied)] {
        cloud.records[0].comment = altered;
        let expected = (FindingKind::AlteredMark, environment, None, Some(record_id("record0")), true);
        assert_eq!(all_about(&cloud), [expected], "kept, and not written over");
        assert_eq!(cloud.compare().foreign_records, 1);
    }
}

#[test]
fn foreign_records_beside_ours() {
    let mut cloud = Cloud::with_one();
    let name = cloud.environments[0].domain.to_string();
    cloud.records.push(foreign_record("t", &name, "TXT", None));
    assert_eq!(cloud.findings(), [], "a TXT record does not mix with the answers");
    cloud.records.push(foreign_record("q", &name, "AAAA", None));
    let expected = (FindingKind::AlteredMark, Some(environment_id(0)), None, Some(record_id("q")), true);
    assert_eq!(all_about(&cloud), [expected]);
    assert_eq!(cloud.compare().foreign_records, 2);
}

#[test]
fn foreign_records_elsewhere_are_only_counted() {
    let mut cloud = Cloud::with_one();
    let apex = comment(INSTALLATION, environment_id(0), &zone());
    for (id, name, comment) in [
        ("f1", "www.alfredos.site", None),
        ("f2", "alfredos.site", Some(apex.as_str())),
        ("f3", "*.alfredos.site", Some("alfred:v1:")),
        ("f4", "brave-tiger-0.alfredos.site.example.com", None),
        ("f5", "notalfredos.site", None),
        ("f6", "", Some("x")),
        ("f7", "ümlaut.alfredos.site", None),
    ] {
        cloud.records.push(foreign_record(id, name, "A", comment));
    }
    assert_eq!(cloud.compare(), Comparison { foreign_records: 7, ..Comparison::default() });
}

#[test]
fn a_record_that_claims_to_be_ours_is_reported_wherever_it_stands() {
    let mut cloud = Cloud::default();
    cloud.records.push(foreign_record("x", "old.alfredos.site", "A", Some("alfred:v1:cut")));
    assert_eq!(all_about(&cloud), [(FindingKind::AlteredMark, None, None, Some(record_id("x")), true)]);
}

#[test]
fn another_installation_in_the_same_zone() {
    let mut cloud = Cloud::default();
    let name = "calm-otter.alfredos.site";
    let theirs = comment(OTHER_INSTALLATION, environment_id(9), &name.parse().unwrap());
    cloud.records.push(foreign_record("x", name, "A", Some(&theirs)));
    let expected = (FindingKind::MarkOfAnotherInstallation, None, None, Some(record_id("x")), true);
    assert_eq!(all_about(&cloud), [expected]);
    let mut cloud = Cloud::with_one();
    let name = cloud.environments[0].domain.clone();
    cloud.records[0].comment = Some(comment(OTHER_INSTALLATION, environment_id(0), &name));
    let expected =
        (FindingKind::MarkOfAnotherInstallation, Some(environment_id(0)), None, Some(record_id("record0")), true);
    assert_eq!(all_about(&cloud), [expected], "their record is not written over");
}

#[test]
fn a_mark_of_a_living_environment_under_another_name_is_kept() {
    let mut cloud = Cloud::with_one();
    let name: DomainName = "alias.alfredos.site".parse().unwrap();
    let mark = comment(INSTALLATION, environment_id(0), &name);
    cloud.records.push(foreign_record("x", name.as_str(), "A", Some(&mark)));
    let expected = (FindingKind::RecordWithoutEnvironment, Some(environment_id(0)), None, Some(record_id("x")), true);
    assert_eq!(all_about(&cloud), [expected]);
    cloud.records[1].kind = "CNAME".to_owned();
    cloud.records[1].content = cloud.environments[0].domain.to_string();
    assert_eq!(cloud.findings(), [], "an alias");
}

#[test]
fn a_vm_that_nothing_accounts_for() {
    let mut cloud = Cloud::with_one();
    let stranger = SeenInstance { display_name: "alfredos-lost".to_owned(), ..instance_of(&vm(8, VmState::Ready)) };
    cloud.instances.push(stranger);
    let expected = (FindingKind::VmWithoutEnvironment, None, Some(vm_id(8)), None, false);
    assert_eq!(all_about(&cloud), std::slice::from_ref(&expected));
    cloud.intents.push(order(8, "alfredos-lost", just_now()));
    assert_eq!(cloud.findings(), [], "on order");
    cloud.intents[0].outcome = Outcome::Abandoned;
    assert_eq!(
        all_about(&cloud),
        std::slice::from_ref(&expected),
        "the order was given up, and bought something after all"
    );
    cloud.intents[0] = order(8, "alfredos-other", just_now());
    assert_eq!(all_about(&cloud), std::slice::from_ref(&expected), "the order is for another");
    cloud.intents[0] = Intent { kind: IntentKind::InstallVm, ..order(8, "alfredos-lost", just_now()) };
    assert_eq!(all_about(&cloud), [expected], "this was no order");
    cloud.instances[1].display_name = "web server".to_owned();
    assert_eq!(cloud.compare(), Comparison { foreign_vms: 1, ..Comparison::default() });
}

#[test]
fn one_order_accounts_for_one_vm() {
    let mut cloud = Cloud::default();
    for number in [4, 3] {
        let name = "alfredos-twice".to_owned();
        cloud.instances.push(SeenInstance { display_name: name, ..instance_of(&vm(number, VmState::Ready)) });
    }
    cloud.intents.push(order(3, "alfredos-twice", just_now()));
    assert_eq!(cloud.only_finding().vm_id, Some(vm_id(4)));
    cloud.intents.push(order(4, "alfredos-twice", just_now()));
    assert_eq!(cloud.findings(), []);
}

#[test]
fn a_vm_that_was_thought_to_be_over_or_was_never_understood() {
    for state in [VmState::Ended, VmState::Unknown] {
        let mut cloud = Cloud::default();
        cloud.add_vm(vm(3, state));
        let expected = (FindingKind::VmWithoutEnvironment, None, Some(vm_id(3)), None, false);
        assert_eq!(all_about(&cloud), [expected], "{state}");
        cloud.instances[0].display_name = "renamed".to_owned();
        assert!(cloud.only_finding().foreign, "{state}");
    }
    let mut cloud = Cloud::default();
    cloud.add_vm(vm(3, VmState::Ended));
    cloud.instances[0].cancel_date = Some(date(2026, 2, 28));
    assert_eq!(cloud.findings(), [], "the provider shows it a little longer");
}

#[test]
fn an_environment_has_no_vm() {
    let expected = |id| (FindingKind::EnvironmentWithoutVm, Some(environment_id(0)), id, None, false);
    let mut cloud = Cloud::with_one();
    cloud.environments[0].vm_id = None;
    assert_eq!(all_about(&cloud), [expected(Some(vm_id(0)))], "one link is cut");
    let mut cloud = Cloud::with_one();
    cloud.vms.clear();
    assert_eq!(all_about(&cloud), [expected(Some(vm_id(0)))], "the row is lost, the VM is seen");
    cloud.instances.clear();
    assert_eq!(all_about(&cloud), [expected(Some(vm_id(0)))], "row and VM are lost");
    cloud.environments[0].vm_id = None;
    assert_eq!(all_about(&cloud), [expected(None)]);
    for state in [VmState::Ready, VmState::Preparing, VmState::Retiring] {
        let mut cloud = Cloud::with_one();
        cloud.vms[0].state = state;
        cloud.vms[0].environment_id = None;
        assert_eq!(all_about(&cloud), [expected(Some(vm_id(0)))], "{state}");
        cloud.environments[0].step_since = just_now();
        assert_eq!(cloud.findings(), [], "{state}");
    }
}

#[test]
fn environments_without_a_vm_for_a_reason() {
    for (status, step) in [
        (Status::Provisioning, Step::AssignVm),
        (Status::Provisioning, Step::OrderVm),
        (Status::Deleting, Step::ReleaseVm),
        (Status::Error, Step::Settled),
        (Status::Deleted, Step::Settled),
    ] {
        let cloud = Cloud { environments: vec![environment(0, status, step)], ..Cloud::default() };
        assert_eq!(cloud.findings(), [], "{status} {step}");
    }
}

#[test]
fn a_vm_that_the_provider_does_not_show() {
    let mut cloud = Cloud::with_one();
    cloud.instances.clear();
    let expected = (FindingKind::VmNotAtProvider, Some(environment_id(0)), Some(vm_id(0)), None, false);
    assert_eq!(all_about(&cloud), [expected]);
    cloud.vms[0].created_at = just_now();
    assert_eq!(cloud.findings(), [], "bought while the list was read");
    let mut cloud = Cloud { vms: vec![vm(2, VmState::Retiring)], ..Cloud::default() };
    assert_eq!(cloud.only_finding().kind, FindingKind::VmNotAtProvider);
    cloud.vms[0].cancel_date = Some(date(2026, 3, 1));
    assert_eq!(cloud.only_finding().kind, FindingKind::VmNotAtProvider, "its last day is not over");
    cloud.vms[0].cancel_date = Some(date(2026, 2, 28));
    assert_eq!(cloud.findings(), [], "its contract is over");
    cloud.vms = vec![vm(2, VmState::Ended)];
    assert_eq!(cloud.findings(), []);
}

#[test]
fn a_vm_has_a_name_that_we_did_not_give_it() {
    let mut cloud = Cloud::with_one();
    cloud.instances[0].display_name = "alfredos-swapped".to_owned();
    let expected = |foreign| (FindingKind::VmNameUnknown, Some(environment_id(0)), Some(vm_id(0)), None, foreign);
    assert_eq!(all_about(&cloud), [expected(false)]);
    cloud.instances[0].display_name = "web".to_owned();
    assert_eq!(all_about(&cloud), [expected(true)], "without our prefix it is not touched");
    cloud.vms[0].updated_at = just_now();
    assert_eq!(cloud.findings(), [], "its row changed just now");
    cloud.vms[0].updated_at = long_ago();
    cloud.intents.push(Intent { kind: IntentKind::NameVm, vm_id: Some(vm_id(0)), ..order(0, "web", long_ago()) });
    assert_eq!(cloud.findings(), [], "it is being named");
}

#[test]
fn an_order_of_which_nothing_is_known() {
    let mut cloud = Cloud::default();
    cloud.intents.push(order(3, "alfredos-brave-tiger-3", long_ago()));
    let expected = |id| (FindingKind::OrderUnknown, Some(environment_id(3)), id, None, false);
    assert_eq!(all_about(&cloud), [expected(None)]);
    let name = "alfredos-brave-tiger-3".to_owned();
    cloud.instances.push(SeenInstance { display_name: name, ..instance_of(&vm(3, VmState::Ready)) });
    assert_eq!(all_about(&cloud), [expected(Some(vm_id(3)))], "one finding for both");
    for settled in [Outcome::Done, Outcome::Rejected, Outcome::Abandoned] {
        let mut cloud = cloud.clone();
        cloud.instances.clear();
        cloud.intents[0].outcome = settled;
        assert_eq!(cloud.findings(), [], "{settled}");
    }
}

#[test]
fn a_vm_is_assigned_and_unused() {
    let finding = |environment| (FindingKind::VmUnusedAssigned, environment, Some(vm_id(0)), None, false);
    let mut cloud = Cloud::with_one();
    cloud.vms[0].environment_id = None;
    assert_eq!(all_about(&cloud), [finding(Some(environment_id(0)))], "the environment names it");
    let mut assigned = vm(0, VmState::Assigned);
    let mut cloud = Cloud::default();
    cloud.add_vm(assigned.clone());
    assert_eq!(all_about(&cloud), [finding(None)], "to none");
    assigned.environment_id = Some(environment_id(5));
    cloud.vms = vec![assigned];
    assert_eq!(all_about(&cloud), [finding(Some(environment_id(5)))], "to one that is not there");
    for (status, step, unused) in [
        (Status::Deleted, Step::Settled, true),
        (Status::Error, Step::Settled, true),
        (Status::Error, Step::ReleaseVm, false),
        (Status::Deleting, Step::ReleaseVm, false),
        (Status::Provisioning, Step::AssignVm, true),
    ] {
        cloud.environments = vec![environment(5, status, step)];
        assert_eq!(cloud.findings().len(), usize::from(unused), "{status} {step}");
        cloud.environments[0].step_since = just_now();
        cloud.environments[0].updated_at = just_now();
        assert_eq!(cloud.findings(), [], "{status} {step}, just now");
    }
    let mut cloud = Cloud::with_one();
    cloud.add_vm(Vm { environment_id: Some(environment_id(0)), ..vm(6, VmState::Assigned) });
    assert_eq!(cloud.only_finding().vm_id, Some(vm_id(6)), "the environment uses another");
    cloud.vms[1].updated_at = just_now();
    assert_eq!(cloud.findings(), []);
}

#[test]
fn words_are_safe_on_a_terminal() {
    let mut cloud = Cloud::with_one();
    cloud.records[0].content = "\u{1b}[2J".repeat(1_000);
    cloud.instances[0].display_name = "alfredos-\u{202e}\n".repeat(1_000);
    for finding in cloud.findings() {
        let text = format!("{}{}", finding.subject, finding.words);
        assert!(text.chars().count() < 700 && text.chars().all(crate::printable::is_printable), "{text:?}");
    }
}

#[test]
fn a_record_kept_by_hand_is_a_finding_only_where_one_of_ours_should_be() {
    let mut cloud = Cloud::with_one();
    let owner: crate::record::Mark = crate::record::Mark::Owner("team".parse().unwrap());
    let elsewhere: crate::name::DomainName = "www.alfredos.site".parse().unwrap();
    let mut kept = cloud.records[0].clone();
    kept.id = record_id("k");
    kept.name = elsewhere.to_string();
    kept.comment = Some(owner.comment(&elsewhere));
    cloud.records.push(kept.clone());
    assert_eq!(cloud.findings(), []);
    cloud.records[1].comment = kept.comment.map(|comment| comment[..comment.len() - 1].to_owned());
    assert_eq!(cloud.findings(), [], "an altered one is no claim on an environment either");
    let own = cloud.environments[0].domain.clone();
    cloud.records[1].name = own.to_string();
    cloud.records[1].comment = Some(owner.comment(&own));
    let expected = (FindingKind::AlteredMark, Some(environment_id(0)), None, Some(record_id("k")), true);
    assert_eq!(all_about(&cloud), [expected]);
}

/// So many records are read on a thread of their own: what is found is the same.
#[test]
fn many_records_are_compared_as_few_are() {
    let mut few = Cloud::with_one();
    few.records[0].content = "198.51.100.66".to_owned();
    let mut many = Cloud::with_one();
    many.records[0].content = "198.51.100.66".to_owned();
    for number in 0..super::super::MANY {
        many.records.push(foreign_record(&format!("f{number}"), &format!("f{number}.alfredos.site"), "A", None));
    }
    let compared = many.compare();
    assert_eq!(compared.findings, few.compare().findings);
    assert_eq!((compared.findings.len(), compared.foreign_records), (1, super::super::MANY));
}
