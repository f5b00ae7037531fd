//! What holds in every world.

use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use super::*;

/// One thing that may be in a sound world.
#[derive(Debug, Clone)]
enum Part {
    Active,
    MakingWithoutVm(Step),
    MakingWithVm(Step),
    WritingRecord { written: bool },
    Withdrawing { status: Status, still_there: bool },
    Releasing(Status),
    Failed,
    Deleted,
    Pool(VmState),
    Retired { over: bool },
    Ended,
    OrderUnderWay { seen: bool },
    BeingNamed,
    ForeignRecord { kind: &'static str, comment: Option<String> },
    ForeignVm(String),
    Alias,
}

fn parts() -> impl Strategy<Value = Part> {
    let made_without = prop::sample::select(vec![Step::AssignVm, Step::OrderVm]);
    let made_with = prop::sample::select(vec![Step::NameVm, Step::InstallVm, Step::AwaitVm, Step::ReachVm]);
    let leaving = || prop::sample::select(vec![Status::Deleting, Status::Error]);
    prop_oneof![
        4 => Just(Part::Active),
        1 => made_without.prop_map(Part::MakingWithoutVm),
        1 => made_with.prop_map(Part::MakingWithVm),
        1 => any::<bool>().prop_map(|written| Part::WritingRecord { written }),
        1 => (leaving(), any::<bool>()).prop_map(|(status, still_there)| Part::Withdrawing { status, still_there }),
        1 => leaving().prop_map(Part::Releasing),
        1 => Just(Part::Failed),
        1 => Just(Part::Deleted),
        1 => prop::sample::select(vec![VmState::Ready, VmState::Preparing]).prop_map(Part::Pool),
        1 => any::<bool>().prop_map(|over| Part::Retired { over }),
        1 => Just(Part::Ended),
        1 => any::<bool>().prop_map(|seen| Part::OrderUnderWay { seen }),
        1 => Just(Part::BeingNamed),
        1 => (prop::sample::select(vec!["A", "TXT", "MX", "CNAME"]), prop::option::of("\\PC{0,20}"))
            .prop_filter("no mark", |(_, comment)| !comment.as_ref().is_some_and(|text| text.starts_with("alfred:")))
            .prop_map(|(kind, comment)| Part::ForeignRecord { kind, comment }),
        1 => "[a-z]{0,12}".prop_map(Part::ForeignVm),
        1 => Just(Part::Alias),
    ]
}

impl Cloud {
    fn add(&mut self, number: u32, part: &Part) {
        match part {
            Part::Active => self.add_active(number),
            Part::MakingWithoutVm(step) => self.environments.push(environment(number, Status::Provisioning, *step)),
            Part::MakingWithVm(step) => self.add_with_vm(number, Status::Provisioning, *step),
            Part::WritingRecord { written } => {
                self.add_with_vm(number, Status::Provisioning, Step::WriteRecord);
                if *written {
                    self.add_record(number);
                }
            }
            Part::Withdrawing { status, still_there } => {
                self.add_with_vm(number, *status, Step::WithdrawRecord);
                if *still_there {
                    self.add_record(number);
                }
            }
            Part::Releasing(status) => self.add_with_vm(number, *status, Step::ReleaseVm),
            Part::Failed => self.environments.push(environment(number, Status::Error, Step::Settled)),
            Part::Deleted => {
                let mut gone = environment(number, Status::Deleted, Step::Settled);
                gone.vm_id = Some(vm_id(number));
                gone.address = Some(address(number));
                self.environments.push(gone);
                self.add_vm(vm(number, VmState::Ready));
            }
            Part::Pool(state) => self.add_vm(vm(number, *state)),
            Part::Retired { over } => {
                let last_day = if *over { date(2026, 2, 1) } else { date(2026, 4, 1) };
                self.add_vm(Vm { cancel_date: Some(last_day), ..vm(number, VmState::Retiring) });
                if *over {
                    self.instances.pop();
                }
            }
            Part::Ended => self.vms.push(vm(number, VmState::Ended)),
            Part::OrderUnderWay { seen } => {
                let name = format!("alfredos-ordered-{number}");
                self.intents.push(order(number, &name, just_now()));
                if *seen {
                    let instance = instance_of(&vm(number, VmState::Ready));
                    self.instances.push(SeenInstance { display_name: name, ..instance });
                }
            }
            Part::BeingNamed => {
                self.add_vm(vm(number, VmState::Preparing));
                self.instances.last_mut().unwrap().display_name = format!("alfredos-old-{number}");
                let naming = order(number, "alfredos-new", long_ago());
                self.intents.push(Intent { kind: IntentKind::NameVm, vm_id: Some(vm_id(number)), ..naming });
            }
            Part::ForeignRecord { kind, comment } => {
                let name = format!("theirs-{number}.alfredos.site");
                self.records.push(foreign_record(&format!("foreign{number}"), &name, kind, comment.as_deref()));
            }
            Part::ForeignVm(name) => {
                let instance = instance_of(&vm(number, VmState::Ready));
                self.instances.push(SeenInstance { display_name: name.clone(), ..instance });
            }
            Part::Alias => {
                self.add_active(number);
                let domain = self.environments.last().unwrap().domain.clone();
                let name: DomainName = format!("alias-{number}.alfredos.site").parse().unwrap();
                let mark = comment(INSTALLATION, environment_id(number), &name);
                let mut alias = foreign_record(&format!("alias{number}"), name.as_str(), "CNAME", Some(&mark));
                alias.content = domain.to_string();
                self.records.push(alias);
            }
        }
    }

    /// Puts every list into another order.
    fn shuffle(&mut self, seed: u64) {
        let mut random = StdRng::seed_from_u64(seed);
        self.environments.shuffle(&mut random);
        self.vms.shuffle(&mut random);
        self.intents.shuffle(&mut random);
        self.records.shuffle(&mut random);
        self.instances.shuffle(&mut random);
    }

    fn record(&mut self, number: u32) -> &mut SeenRecord {
        let id = record_id(&format!("record{number}"));
        self.records.iter_mut().find(|record| record.id == id).unwrap()
    }

    fn environment(&mut self, number: u32) -> &mut Environment {
        self.environments.iter_mut().find(|environment| environment.id == environment_id(number)).unwrap()
    }

    fn vm(&mut self, number: u32) -> &mut Vm {
        self.vms.iter_mut().find(|vm| vm.id == vm_id(number)).unwrap()
    }

    fn instance(&mut self, number: u32) -> &mut SeenInstance {
        self.instances.iter_mut().find(|instance| instance.id == vm_id(number)).unwrap()
    }

    /// Breaks one thing about the active environment of this number, or adds something broken under `spare`, a number
    /// that nothing has.
    pub(super) fn damage(&mut self, number: u32, spare: u32, kind: FindingKind) {
        match kind {
            FindingKind::RecordWithoutEnvironment => {
                let gone = environment(spare, Status::Deleted, Step::Settled);
                self.records.push(record_of(&gone, &format!("orphan{spare}"), address(spare)));
            }
            FindingKind::EnvironmentWithoutRecord => {
                let id = self.record(number).id.clone();
                self.records.retain(|record| record.id != id);
            }
            FindingKind::RecordWrongAddress => self.record(number).content = "198.51.100.9".to_owned(),
            FindingKind::DuplicateRecord => {
                let id = record_id(&format!("copy{spare}"));
                let copy = SeenRecord { id, ..self.record(number).clone() };
                self.records.push(copy);
            }
            FindingKind::AlteredMark => self.record(number).comment = Some("edited".to_owned()),
            FindingKind::MarkOfAnotherInstallation => {
                let name = self.environment(number).domain.clone();
                self.record(number).comment = Some(comment(OTHER_INSTALLATION, environment_id(spare), &name));
            }
            FindingKind::VmWithoutEnvironment => self.instances.push(instance_of(&vm(spare, VmState::Ready))),
            FindingKind::EnvironmentWithoutVm => self.environment(number).vm_id = None,
            FindingKind::VmNotAtProvider => self.instances.retain(|instance| instance.id != vm_id(number)),
            FindingKind::VmNameUnknown => self.instance(number).display_name = "alfredos-renamed".to_owned(),
            FindingKind::OrderUnknown => self.intents.push(order(spare, "alfredos-unknown", long_ago())),
            FindingKind::VmUnusedAssigned => self.vm(number).environment_id = None,
        }
    }
}

/// A sound world whose part number 0 is an active environment.
fn sound() -> impl Strategy<Value = Cloud> {
    prop::collection::vec(parts(), 0..25).prop_map(|parts| {
        let mut cloud = Cloud::with_one();
        for (number, part) in (1..).zip(&parts) {
            cloud.add(number, part);
        }
        cloud
    })
}

fn kinds() -> impl Strategy<Value = FindingKind> {
    prop::sample::select(FindingKind::ALL)
}

proptest! {
    #[test]
    fn a_sound_world_has_no_findings(cloud in sound(), seed: u64) {
        let mut cloud = cloud;
        cloud.shuffle(seed);
        prop_assert_eq!(cloud.findings(), vec![]);
    }

    #[test]
    fn one_damage_gives_its_finding_and_no_other(cloud in sound(), kind in kinds(), seed: u64) {
        let mut cloud = cloud;
        cloud.damage(0, 100, kind);
        cloud.shuffle(seed);
        let findings = cloud.findings();
        prop_assert_eq!(findings.len(), 1, "{:#?}", findings);
        let finding = &findings[0];
        prop_assert_eq!(finding.kind, kind);
        let foreign = matches!(kind, FindingKind::AlteredMark | FindingKind::MarkOfAnotherInstallation);
        prop_assert_eq!(finding.foreign, foreign);
        prop_assert!(!finding.subject.is_empty());
        let spare = [
            FindingKind::RecordWithoutEnvironment, FindingKind::VmWithoutEnvironment, FindingKind::OrderUnknown,
        ];
        let number = if spare.contains(&kind) { 100 } else { 0 };
        let ids = (finding.environment_id.is_none(), finding.vm_id.is_none());
        prop_assert_ne!(ids, (true, true));
        prop_assert!(finding.environment_id.is_none_or(|id| id == environment_id(number)));
        prop_assert!(finding.vm_id.is_none_or(|id| id == vm_id(number)));
    }

    #[test]
    fn the_order_of_the_rows_does_not_matter(
        cloud in sound(),
        damages in prop::collection::vec(kinds(), 0..6),
        seed: u64,
    ) {
        let mut cloud = cloud;
        for (number, kind) in (200..).zip(damages) {
            cloud.add_active(number);
            cloud.damage(number, number + 100, kind);
        }
        let before = cloud.compare();
        cloud.shuffle(seed);
        prop_assert_eq!(cloud.compare(), before);
    }

    #[test]
    fn damages_apart_give_one_finding_each(cloud in sound(), damages in prop::collection::vec(kinds(), 0..6)) {
        let mut cloud = cloud;
        for (number, kind) in (200..).zip(&damages) {
            cloud.add_active(number);
            cloud.damage(number, number + 100, *kind);
        }
        let mut expected = damages;
        expected.sort_unstable();
        let found: Vec<FindingKind> = cloud.findings().iter().map(|finding| finding.kind).collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn what_is_foreign_is_never_to_be_repaired(
        cloud in sound(),
        name in prop_oneof![
            Just("brave-tiger-0.alfredos.site".to_owned()),
            "brave-tiger-[0-9]{1,2}\\.alfredos\\.site",
            "[a-z.*_-]{0,12}(\\.alfredos\\.site)?",
            any::<String>(),
        ],
        kind in prop::sample::select(vec!["A", "AAAA", "CNAME", "TXT", "NS", ""]),
        comment in prop::option::of(prop_oneof!["\\PC{0,100}", "alfred:v1:[0-9a-f:]{0,80}", any::<String>()]),
        content in any::<String>(),
        display_name in any::<String>().prop_filter("foreign", |name| !name.starts_with(crate::vm::DISPLAY_NAME_PREFIX)),
        damages in prop::collection::vec(kinds(), 0..3),
    ) {
        let mut cloud = cloud;
        for (number, damage) in (200..).zip(damages) {
            cloud.add_active(number);
            cloud.damage(number, number + 100, damage);
        }
        let record = SeenRecord { id: record_id("foreign"), name, kind: kind.to_owned(), content, comment };
        cloud.records.push(record);
        cloud.instances.push(SeenInstance { display_name, ..instance_of(&vm(900, VmState::Ready)) });
        for finding in cloud.findings() {
            prop_assert!(finding.foreign || finding.record_id != Some(record_id("foreign")), "{:?}", finding);
            prop_assert_ne!(finding.vm_id, Some(vm_id(900)));
        }
    }
}
