//! The display name of a VM from the pool: set once the environment works, and never in anybody's way.

use super::*;
use crate::pool;
use crate::vm::pool_display_name;

const START: Timestamp = Timestamp::UNIX_EPOCH;
const POOLED: VmId = VmId(7);

/// So often a name is tried at most, each time that it is to be set.
const TRIES: u32 = 3;

fn in_pool() -> Vm {
    let seen = SeenInstance { display_name: pool_display_name(POOLED), ..World::instance(POOLED) };
    Vm { state: VmState::Ready, step: VmStep::Settled, wiped_at: Some(START), ..pool::adopted(&seen, None, START) }
}

impl World {
    /// A world with one VM in the pool.
    pub(super) fn with_pool(faults: Vec<u8>) -> Self {
        Self { pool: Some(in_pool()), label: pool_display_name(POOLED), ..Self::new(faults) }
    }

    /// The store's part: the VM of the pool, if there is one, is the environment's in one transaction.
    pub(super) fn assign(&mut self) -> bool {
        let Some(vm) = self.pool.take() else { return false };
        let context = Context { now: self.now, unit: 0.5, policy: &self.policy };
        let (environment, _) = assigned(&self.environment, &context);
        self.history.push(format!("Assign -> {} {}", environment.status, environment.step));
        self.environment = Environment { vm_id: Some(vm.id), address: vm.address, ..environment };
        self.rows_of_vms.push(vm.id);
        self.vm = Some(Vm { state: VmState::Assigned, environment_id: Some(self.environment.id), ..vm });
        true
    }

    pub(super) fn shown(&self, id: VmId) -> SeenInstance {
        SeenInstance { display_name: self.label.clone(), ..Self::instance(id) }
    }

    pub(super) fn rename(&mut self, id: VmId) -> Result<(), Failure> {
        let own = self.vm.as_ref().is_some_and(|vm| vm.id == id && vm.environment_id == Some(self.environment.id));
        assert!(own, "a VM that is not the environment's is renamed: {:#?}", self.history);
        let works = self.environment.status == Status::Active;
        assert!(works || !self.environment.setup.is_standard(), "somebody waits for a label: {:#?}", self.history);
        self.renames += 1;
        let kind = self.chance(5);
        if kind == 0 || kind == 2 {
            self.label = self.environment.vm_display_name();
        }
        if works && matches!(kind, 1 | 2) {
            self.last_rename_lost = Some(self.now);
        }
        match kind {
            1 | 2 => Err(Failure::unknown("lost")),
            3 => Err(Failure::wait("not now", Some(Duration::from_hours(1)))),
            4 => Err(Failure::definite("there is no such VM")),
            _ => Ok(()),
        }
    }

    /// A rename without an answer may be carried out late: by the time that somebody else can have the VM, it cannot.
    pub(super) fn late_renames_meet_nobody(&self, released: &Vm) {
        let Some(lost) = self.last_rename_lost else { return };
        let safe = later(lost, self.policy.write_grace);
        assert!(released.assignable_at >= Some(safe), "given away too early: {:#?}", self.history);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// With a VM in the pool a creation ends as active or as an error, whatever fails. A name that cannot be set changes
    /// nothing of that, and is not tried for ever.
    #[test]
    fn a_creation_from_the_pool_comes_to_rest(
        faults in prop::collection::vec(any::<u8>(), 0..30),
        personal in any::<bool>(),
    ) {
        let mut world = World::with_pool(faults);
        world.environment.setup.time_zone = personal.then(|| "Europe/Berlin".to_owned());
        prop_assert!(world.run(400), "{:#?}", world.history);
        let environment = &world.environment;
        prop_assert!(matches!(environment.status, Status::Active | Status::Error), "{:#?}", world.history);
        prop_assert_eq!(environment.step, Step::Settled);
        prop_assert!(world.renames <= if personal { 2 * TRIES } else { TRIES }, "{:#?}", world.history);
        prop_assert_eq!(world.orders_sent, 0);
        let open = world.intents.iter().filter(|intent| intent.kind == IntentKind::NameVm && intent.outcome.is_open());
        if environment.status == Status::Active {
            prop_assert_eq!(open.count(), 0, "{:#?}", world.intents);
            let row = world.vm.as_ref().map(|vm| vm.display_name.clone());
            let named = world.intents.iter().any(|one| one.kind == IntentKind::NameVm && one.outcome == Outcome::Done);
            prop_assert!(!named || row == Some(environment.vm_display_name()), "{row:?}");
        }
    }

    /// Once it is active it stays so, whatever becomes of the name.
    #[test]
    fn a_name_never_takes_what_works_away(faults in prop::collection::vec(any::<u8>(), 0..30)) {
        let mut world = World::with_pool(Vec::new());
        while world.environment.status != Status::Active {
            prop_assert!(!world.turn(), "{:#?}", world.history);
        }
        prop_assert_eq!((world.environment.step, world.renames), (Step::NameVm, 0));
        world.faults = faults;
        loop {
            let rests = world.turn();
            prop_assert_eq!(world.environment.status, Status::Active, "{:#?}", world.history);
            if rests {
                break;
            }
        }
        prop_assert_eq!((world.environment.step, world.environment.reason.as_deref()), (Step::Settled, None));
    }
}

#[test]
fn a_vm_of_the_pool_takes_two_ways() {
    let policy = Policy::local();
    let context = Context { now: START, unit: 0.5, policy: &policy };
    assert_eq!(assigned(&environment(), &context).0.step, Step::ReachVm, "it fits as it is");
    let mut personal = environment();
    personal.setup.ssh_keys = vec!["ssh-ed25519 AAAA".to_owned()];
    let (named, _) = assigned(&personal, &context);
    assert_eq!(named.step, Step::NameVm);
    let installed = transition(&named, Report::Named(Ok(())), START, &policy).environment;
    assert_eq!(installed.step, Step::InstallVm);
}

/// Earlier versions named a VM before they connected to it: such a row goes on.
#[test]
fn a_row_that_an_earlier_version_was_naming_goes_on() {
    let policy = Policy::local();
    let row = Environment { step: Step::NameVm, vm_id: Some(POOLED), address: Some(ADDRESS), ..environment() };
    for result in [Ok(()), Err(Failure::definite("no"))] {
        let after = transition(&row, Report::Named(result), START, &policy).environment;
        assert_eq!((after.status, after.step), (Status::Provisioning, Step::ReachVm));
    }
}

fn active_and_misnamed() -> (Environment, Vm) {
    let mut world = World::with_pool(Vec::new());
    while world.environment.status != Status::Active {
        world.turn();
    }
    (world.environment, world.vm.expect("it was assigned"))
}

#[test]
fn a_refused_name_is_told_and_nothing_else_happens() {
    let policy = Policy::local();
    let (active, vm) = active_and_misnamed();
    let situation = Situation { environment: &active, vm: Some(&vm), open_intents: &[] };
    let context = Context { now: START, unit: 0.5, policy: &policy };
    let report = Report::Named(Err(Failure::definite("there is no such VM")));
    let after = advance(&situation, None, report, &context);
    assert_eq!((after.environment.status, after.environment.step), (Status::Active, Step::Settled));
    assert_eq!((after.environment.wake_at, after.vm), (None, None));
    assert!(after.event.unwrap().message.contains("keeps its old display name"));
}

#[test]
fn a_name_is_given_up_at_the_deadline_and_never_as_a_failed_repair() {
    let policy = Policy::local();
    let (active, vm) = active_and_misnamed();
    let late = later(active.step_since, policy.step_deadline);
    let situation = Situation { environment: &active, vm: Some(&vm), open_intents: &[] };
    let report = Report::Named(Err(Failure::wait("not now", None)));
    let after = advance(&situation, None, report, &Context { now: late, unit: 0.5, policy: &policy });
    assert_eq!((after.environment.status, after.environment.step), (Status::Active, Step::Settled));
    assert!(!after.event.unwrap().message.contains("repaired"));
}

#[test]
fn a_wish_to_delete_goes_before_the_name() {
    let (mut active, vm) = active_and_misnamed();
    active.wish = Wish::Absent;
    let situation = Situation { environment: &active, vm: Some(&vm), open_intents: &[] };
    assert_eq!(next(&situation), Action::BeginDeletion);
    let policy = Policy::local();
    let context = Context { now: START, unit: 0.5, policy: &policy };
    let after = advance(&situation, None, Report::Nothing, &context).environment;
    assert_eq!((after.status, after.step), (Status::Deleting, Step::WithdrawRecord));
}

#[test]
fn a_record_s_write_without_an_answer_is_still_looked_at_after_the_naming() {
    let policy = Policy::local();
    let (active, vm) = active_and_misnamed();
    let mut world = World::new(Vec::new());
    let write = Intent { outcome: Outcome::Unknown, ..world.write_intent(IntentKind::WriteRecord) };
    let open = [write];
    let situation = Situation { environment: &active, vm: Some(&vm), open_intents: &open };
    let context = Context { now: START, unit: 0.5, policy: &policy };
    let after = advance(&situation, None, Report::Named(Ok(())), &context).environment;
    assert_eq!((after.step, after.wake_at), (Step::Settled, Some(later(START, policy.write_grace))));
}
