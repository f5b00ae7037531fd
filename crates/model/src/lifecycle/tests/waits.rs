//! Waiting for people, for slow VMs and for writes of which nothing is known.

use super::*;
use crate::pool;

const START: Timestamp = Timestamp::UNIX_EPOCH;

fn at(policy: &Policy, now: Timestamp) -> Context<'_> {
    Context { now, unit: 0.5, policy }
}

fn row(status: Status, step: Step) -> Environment {
    Environment { status, step, vm_id: Some(VmId(1)), address: Some(ADDRESS), ..environment() }
}

fn vm() -> Vm {
    let adopted = pool::adopted(&World::instance(VmId(1)), None, START);
    let environment_id = Some(environment().id);
    Vm { state: VmState::Assigned, step: VmStep::Settled, environment_id, wake_at: None, ..adopted }
}

fn intent(kind: IntentKind, outcome: Outcome) -> Intent {
    let mut world = World::new(Vec::new());
    Intent { outcome, ..world.write_intent(kind) }
}

fn seen(status: InstanceStatus) -> Report {
    Report::VmSeen(Some(SeenInstance { status, ..World::instance(VmId(1)) }))
}

fn alone(environment: &Environment) -> Situation<'_> {
    Situation { environment, vm: None, open_intents: &[] }
}

#[test]
fn what_a_person_takes_does_not_count_against_the_vm() {
    let policy = Policy::local();
    let first = row(Status::Provisioning, Step::AwaitVm);
    let waits =
        advance(&alone(&first), None, seen(InstanceStatus::ManualProvisioning), &at(&policy, START)).environment;
    assert!(waits.attention && waits.reason.as_deref().is_some_and(|words| words.contains("staff")));
    let days = later(START, Duration::from_hours(72));
    let goes_on = advance(&alone(&waits), None, seen(InstanceStatus::Installing), &at(&policy, days)).environment;
    assert_eq!((goes_on.status, goes_on.step), (Status::Provisioning, Step::AwaitVm));
    assert_eq!((goes_on.attention, goes_on.step_since), (false, days), "its time begins now");
    let late = later(days, policy.vm_deadline);
    let slow = advance(&alone(&goes_on), None, seen(InstanceStatus::Installing), &at(&policy, late)).environment;
    assert_eq!(slow.status, Status::Error);
    let reason = slow.reason.unwrap();
    assert!(reason.contains("`installing`") && reason.contains("alfred env retry brave-tiger"), "{reason}");
}

#[test]
fn a_vm_that_accepts_nothing_is_looked_at_once_more_before_that_is_an_error() {
    let policy = Policy::local();
    let first = row(Status::Provisioning, Step::ReachVm);
    let late = later(START, policy.reach_deadline);
    let asks = advance(&alone(&first), None, Report::Reached(false), &at(&policy, late)).environment;
    assert_eq!((asks.status, asks.step), (Status::Provisioning, Step::AwaitVm));
    let runs = advance(&alone(&asks), None, seen(InstanceStatus::Running), &at(&policy, late)).environment;
    assert_eq!((runs.step, runs.step_since), (Step::ReachVm, late));
    let reached = advance(&alone(&runs), None, Report::Reached(true), &at(&policy, late)).environment;
    assert_eq!((reached.step, reached.attempts), (Step::WriteRecord, 0));
    let later_still = later(late, policy.reach_deadline);
    let fails = advance(&alone(&runs), None, Report::Reached(false), &at(&policy, later_still)).environment;
    assert_eq!(fails.status, Status::Error);
}

#[test]
fn a_running_vm_without_an_address_is_not_waited_for_for_ever() {
    let policy = Policy::local();
    let first = Environment { address: None, ..row(Status::Provisioning, Step::AwaitVm) };
    let bare = || Report::VmSeen(Some(SeenInstance { address: None, ..World::instance(VmId(1)) }));
    let waits = advance(&alone(&first), None, bare(), &at(&policy, START)).environment;
    assert_eq!((waits.status, waits.step), (Status::Provisioning, Step::AwaitVm));
    let late = later(START, policy.vm_deadline);
    assert_eq!(advance(&alone(&first), None, bare(), &at(&policy, late)).environment.status, Status::Error);
}

#[test]
fn a_failed_order_looks_in_the_pool_again_and_goes_on_counting() {
    let policy = Policy::local();
    let mut first = environment();
    first.step = Step::OrderVm;
    let order = intent(IntentKind::OrderVm, Outcome::Open);
    let failed = || Report::OrderFailed(Failure::wait("login failed", None));
    let after = advance(&alone(&first), Some(&order), failed(), &at(&policy, START));
    assert_eq!((after.environment.step, after.environment.attempts), (Step::AssignVm, 1));
    assert_eq!(after.intents[0].outcome, Outcome::NotSent);
    let soon = later(START, Duration::from_secs(1));
    let again = advance(&alone(&after.environment), None, Report::PoolEmpty { hold: None }, &at(&policy, soon));
    assert_eq!(again.environment.step, Step::OrderVm);
    assert_eq!((again.environment.attempts, again.environment.step_since), (1, START), "the deadline stays");
}

#[test]
fn a_first_write_without_an_answer_at_the_deadline_is_withdrawn() {
    let policy = Policy::local();
    let first = row(Status::Provisioning, Step::WriteRecord);
    let write = intent(IntentKind::WriteRecord, Outcome::Open);
    let late = later(START, policy.step_deadline);
    let lost = || Report::Written(Err(Failure::unknown("lost")));
    let after = advance(&alone(&first), Some(&write), lost(), &at(&policy, late));
    assert_eq!((after.environment.status, after.environment.step), (Status::Error, Step::WithdrawRecord));
    assert_eq!(after.intents[0].outcome, Outcome::Unknown, "it may still arrive");
}

#[test]
fn a_record_is_believed_to_be_gone_only_when_no_write_can_arrive_any_more() {
    let policy = Policy::local();
    let first = row(Status::Deleting, Step::AwaitAbsence);
    let open = [intent(IntentKind::WriteRecord, Outcome::Unknown)];
    let machine = vm();
    let situation = Situation { environment: &first, vm: Some(&machine), open_intents: &open };
    let absent = || Report::ServersSay(vec![ServerSays { server: "ns1".to_owned(), addresses: Ok(vec![]) }]);
    let early = advance(&situation, None, absent(), &at(&policy, START));
    assert_eq!((early.environment.step, early.vm), (Step::AwaitAbsence, None));
    let after = advance(&situation, None, absent(), &at(&policy, later(START, policy.write_grace)));
    assert_eq!((after.environment.step, &after.vm), (Step::WithdrawRecord, &None), "the zone is read once more");
    assert!(!after.intents[0].outcome.is_open());
    let settled = Situation { open_intents: &[], ..situation };
    let gone = advance(&settled, None, absent(), &at(&policy, START));
    assert_eq!(gone.environment.step, Step::ReleaseVm);
    assert_eq!(gone.vm.unwrap().assignable_at, Some(later(START, policy.name_rest)));
}

#[test]
fn an_active_environment_settles_a_write_without_an_answer_in_the_end() {
    let policy = Policy::local();
    let write = intent(IntentKind::WriteRecord, Outcome::Unknown);
    let first = row(Status::Provisioning, Step::WriteRecord);
    let id = RecordId::parse("abc").unwrap();
    let written = advance(&alone(&first), Some(&write), Report::Written(Ok(id)), &at(&policy, START));
    assert_eq!(written.intents[0].outcome, Outcome::Unknown, "another attempt of it may still arrive");
    let open = written.intents;
    let situation = Situation { environment: &written.environment, vm: None, open_intents: &open };
    let right = Report::ServersSay(vec![ServerSays { server: "ns1".to_owned(), addresses: Ok(vec![ADDRESS]) }]);
    let active = advance(&situation, None, right, &at(&policy, START)).environment;
    let settles_at = later(START, policy.write_grace);
    assert_eq!((active.status, active.wake_at), (Status::Active, Some(settles_at)));
    let situation = Situation { environment: &active, vm: None, open_intents: &open };
    assert_eq!(next(&situation), Action::Rest);
    let early = advance(&situation, None, Report::Nothing, &at(&policy, START));
    assert_eq!((early.environment.wake_at, early.intents.len()), (Some(settles_at), 0));
    let done = advance(&situation, None, Report::Nothing, &at(&policy, settles_at));
    assert_eq!((done.environment.status, done.environment.wake_at), (Status::Active, None));
    assert_eq!(done.intents[0].outcome, Outcome::Done);
}

#[test]
fn a_vm_that_needs_a_person_holds_no_environment_up() {
    let policy = Policy::local();
    let released = Vm { state: VmState::Preparing, step: VmStep::Install, environment_id: None, ..vm() };
    for (status, ends) in [(Status::Deleting, Status::Deleted), (Status::Error, Status::Error)] {
        let first = Environment { released_at: Some(START), ..row(status, Step::ReleaseVm) };
        let situation = Situation { environment: &first, vm: Some(&released), open_intents: &[] };
        let waits = advance(&situation, None, Report::Nothing, &at(&policy, START)).environment;
        assert_eq!((waits.status, waits.step), (status, Step::ReleaseVm), "the wipe is under way");
        let dead = Vm { attention: true, reason: Some("VM 1 failed".to_owned()), ..released.clone() };
        let situation = Situation { vm: Some(&dead), ..situation };
        let after = advance(&situation, None, Report::Nothing, &at(&policy, START));
        assert_eq!((after.environment.status, after.environment.step), (ends, Step::Settled));
        assert!(after.event.unwrap().message.contains("VM 1 failed"), "it is told");
        assert_eq!(after.vm, None, "the VM stays the pool's");
    }
}
