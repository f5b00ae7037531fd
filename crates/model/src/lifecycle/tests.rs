//! The rules of the lifecycle, held against a small world with random faults.

mod naming;
mod waits;

use std::net::Ipv4Addr;
use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::environment::{OnFailure, Setup};
use crate::id::{EnvironmentId, IntentId};
use crate::vm::{InstanceStatus, VmState, VmStep};

const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 64, 0, 1);

fn environment() -> Environment {
    Environment {
        id: EnvironmentId(Uuid::from_u128(7)),
        slug: "brave-tiger".parse().unwrap(),
        domain: "brave-tiger.alfredos.site".parse().unwrap(),
        status: Status::Provisioning,
        step: Step::AssignVm,
        wish: Wish::Present,
        owner: "alice".parse().unwrap(),
        vm_id: None,
        address: None,
        record_id: None,
        setup: Setup::default(),
        on_failure: OnFailure::Pool,
        attempts: 0,
        step_since: Timestamp::UNIX_EPOCH,
        assigned_at: None,
        released_at: None,
        wake_at: Some(Timestamp::UNIX_EPOCH),
        reason: None,
        attention: false,
        expires_at: None,
        warn_at: None,
        warned_at: None,
        expiry_bound: None,
        batch: None,
        created_at: Timestamp::UNIX_EPOCH,
        updated_at: Timestamp::UNIX_EPOCH,
        version: 0,
    }
}

/// Whoever waits for what needs a person hears when it begins and when a creation failed, and of nothing else.
fn check_kind(before: &Environment, transition: &Transition) {
    let after = &transition.environment;
    let failed = |environment: &Environment| environment.status == Status::Error;
    let needs_a_person = |environment: &Environment| environment.attention && !failed(environment);
    let begins = (needs_a_person(after) && !before.attention) || (failed(after) && !failed(before));
    let told = transition.event.as_ref().map(|event| event.kind);
    if begins {
        assert_eq!(told, Some(EventKind::Attention), "{after:?}");
    } else if !failed(after) {
        assert_ne!(told, Some(EventKind::Attention), "{after:?}");
    }
}

/// What is really there, as opposed to what the rows say.
struct World {
    now: Timestamp,
    policy: Policy,
    environment: Environment,
    vm: Option<Vm>,
    rows_of_vms: Vec<VmId>,
    /// A VM that may be taken, and the display name that the provider shows of the environment's VM.
    pool: Option<Vm>,
    label: String,
    renames: u32,
    last_rename_lost: Option<Timestamp>,
    intents: Vec<Intent>,
    bought: Vec<VmId>,
    orders_sent: u32,
    record: bool,
    reached: bool,
    answered: bool,
    faults: Vec<u8>,
    history: Vec<String>,
}

impl World {
    fn new(faults: Vec<u8>) -> Self {
        Self {
            now: Timestamp::UNIX_EPOCH,
            policy: Policy::local(),
            environment: environment(),
            vm: None,
            rows_of_vms: Vec::new(),
            pool: None,
            label: "alfredos-brave-tiger".to_owned(),
            renames: 0,
            last_rename_lost: None,
            intents: Vec::new(),
            bought: Vec::new(),
            orders_sent: 0,
            record: false,
            reached: false,
            answered: false,
            faults,
            history: Vec::new(),
        }
    }

    fn chance(&mut self, kinds: u8) -> u8 {
        self.faults.pop().map_or(0, |fault| fault % kinds)
    }

    fn instance(id: VmId) -> SeenInstance {
        SeenInstance {
            id,
            display_name: "alfredos-brave-tiger".to_owned(),
            status: InstanceStatus::Running,
            address: Some(ADDRESS),
            product: "V153".to_owned(),
            region: "EU".to_owned(),
            cancel_date: None,
            error_message: None,
            created_at: None,
        }
    }

    /// One action, its real effect and the next row. Returns whether the row rests for good.
    fn turn(&mut self) -> bool {
        let open: Vec<Intent> = self.intents.iter().filter(|intent| intent.outcome.is_open()).cloned().collect();
        let environment = self.environment.clone();
        let vm = self.vm.clone();
        let situation = Situation { environment: &environment, vm: vm.as_ref(), open_intents: &open };
        let action = next(&situation);
        if action == Action::Assign && self.assign() {
            return false;
        }
        let intent = action.intent_kind().map(|kind| {
            open.iter().find(|intent| intent.kind == kind).cloned().unwrap_or_else(|| self.write_intent(kind))
        });
        let report = self.act(&action);
        let settled = match &action {
            Action::SettleOrder(intent) => Some((**intent).clone()),
            _ => intent,
        };
        let context = Context { now: self.now, unit: 0.5, policy: &self.policy };
        let transition = advance(&situation, settled.as_ref(), report, &context);
        self.history.push(format!("{action:?} -> {} {}", transition.environment.status, transition.environment.step));
        check_kind(&environment, &transition);
        self.take(transition);
        self.check();
        match self.environment.wake_at {
            None => true,
            Some(wake_at) => {
                self.now = self.now.max(wake_at);
                self.wipe();
                false
            }
        }
    }

    fn write_intent(&mut self, kind: IntentKind) -> Intent {
        let intent = Intent {
            id: IntentId(Uuid::from_u128(self.intents.len() as u128 + 1)),
            kind,
            environment_id: Some(self.environment.id),
            vm_id: None,
            request_id: Uuid::from_u128(1),
            subject: String::new(),
            actor: "alice".to_owned(),
            outcome: Outcome::Open,
            audit_id: None,
            answer: None,
            refused: false,
            call_home_hash: None,
            called_home_at: None,
            created_at: self.now,
            settled_at: None,
        };
        self.intents.push(intent.clone());
        intent
    }

    fn act(&mut self, action: &Action) -> Report {
        let lost = || Failure::unknown("lost");
        let wait = || Failure::wait("not now", None);
        match action {
            Action::Rest | Action::BeginDeletion | Action::AwaitRelease => Report::Nothing,
            Action::Assign => Report::PoolEmpty { hold: None },
            Action::Order => {
                self.orders_sent += 1;
                let id = VmId(1000 + i64::from(self.orders_sent));
                match self.chance(6) {
                    1 => Report::OrderFailed(wait()),
                    2 => Report::OrderFailed(lost()),
                    3 => {
                        self.bought.push(id);
                        Report::OrderFailed(lost())
                    }
                    4 => Report::OrderFailed(Failure { refused: true, ..lost() }),
                    5 => Report::OrderFailed(Failure::definite("no offer was found")),
                    _ => {
                        self.bought.push(id);
                        Report::Ordered(Self::instance(id))
                    }
                }
            }
            Action::SettleOrder(_) => {
                let unknown: Vec<VmId> =
                    self.bought.iter().filter(|id| !self.rows_of_vms.contains(id)).copied().collect();
                match (self.chance(3), unknown.first()) {
                    (1, _) => Report::ReadFailed(wait()),
                    (2, _) | (_, None) => Report::OrderNotFound { matches: 0 },
                    (_, Some(id)) => Report::OrderFound(Self::instance(*id)),
                }
            }
            Action::NameVm(id) => Report::Named(self.rename(*id)),
            Action::StartVm(_) => Report::Started(if self.chance(3) == 1 { Err(wait()) } else { Ok(()) }),
            Action::InstallVm(_) => Report::InstallAccepted(if self.chance(3) == 1 { Err(wait()) } else { Ok(()) }),
            Action::ObserveVm(id) => match self.chance(6) {
                1 => Report::ReadFailed(wait()),
                2 => Report::VmSeen(None),
                3 => Report::VmSeen(Some(SeenInstance { address: None, ..self.shown(*id) })),
                4 => Report::VmSeen(Some(SeenInstance { status: InstanceStatus::Installing, ..self.shown(*id) })),
                5 => Report::VmSeen(Some(SeenInstance { status: InstanceStatus::Error, ..self.shown(*id) })),
                _ => Report::VmSeen(Some(self.shown(*id))),
            },
            Action::ReachVm(_) => {
                self.reached = self.chance(2) == 0;
                Report::Reached(self.reached)
            }
            Action::WriteRecord { .. } => match self.chance(6) {
                1 => Report::Written(Err(wait())),
                2 => Report::Written(Err(lost())),
                3 => {
                    self.record = true;
                    Report::Written(Err(lost()))
                }
                4 if !self.record => Report::Written(Err(Failure::definite("quota"))),
                _ => {
                    self.record = true;
                    Report::Written(Ok(RecordId::parse("abc").unwrap()))
                }
            },
            Action::AskServers => {
                let fails = self.chance(3) == 1;
                let addresses = match (fails, self.record) {
                    (true, _) => Err("timeout".to_owned()),
                    (false, true) => Ok(vec![ADDRESS]),
                    (false, false) => Ok(vec![]),
                };
                self.answered = addresses == Ok(vec![ADDRESS]);
                Report::ServersSay(vec![ServerSays { server: "ns1".to_owned(), addresses }])
            }
            Action::WithdrawRecord => match self.chance(4) {
                1 => Report::Withdrawn(Err(wait())),
                2 => {
                    self.record = false;
                    Report::Withdrawn(Err(lost()))
                }
                3 => Report::Withdrawn(Err(Failure::definite("the token may not edit"))),
                _ => {
                    self.record = false;
                    Report::Withdrawn(Ok(()))
                }
            },
        }
    }

    fn take(&mut self, transition: Transition) {
        for intent in transition.intents {
            let row = self.intents.iter_mut().find(|row| row.id == intent.id).expect("an intent is written first");
            *row = intent;
        }
        if let Some(vm) = transition.new_vm {
            assert!(!self.rows_of_vms.contains(&vm.id), "VM {} has a row already", vm.id);
            self.rows_of_vms.push(vm.id);
            self.vm = Some(vm);
        }
        if let Some(vm) = transition.vm {
            let before = self.vm.as_ref().and_then(|vm| vm.environment_id);
            if before.is_some() && vm.environment_id.is_none() {
                assert!(!self.record, "the VM left while its name still stood in the zone: {:#?}", self.history);
                self.late_renames_meet_nobody(&vm);
            }
            self.vm = Some(vm);
        }
        self.environment = transition.environment;
    }

    fn check(&self) {
        let open_orders =
            self.intents.iter().filter(|intent| intent.kind == IntentKind::OrderVm && intent.outcome.is_open()).count();
        assert!(open_orders <= 1, "two orders are open: {:#?}", self.history);
        let unknown = self.bought.iter().filter(|id| !self.rows_of_vms.contains(id)).count();
        assert!(unknown <= open_orders, "a paid VM is known to no row and no order: {:#?}", self.history);
        if self.environment.status == Status::Active && self.environment.wish == Wish::Present {
            assert!(self.record && self.reached && self.answered, "active, and does not work: {:#?}", self.history);
        }
        if matches!(self.environment.status, Status::Deleted) {
            assert!(!self.record, "deleted, and its record is there: {:#?}", self.history);
            let free = self.vm.as_ref().is_none_or(|vm| vm.environment_id.is_none());
            assert!(free, "deleted, and its VM is assigned: {:#?}", self.history);
        }
    }

    /// Plays the pool's part: what was handed over is wiped after a while.
    fn wipe(&mut self) {
        if let Some(vm) = &mut self.vm
            && vm.state == VmState::Preparing
        {
            vm.state = VmState::Ready;
            vm.step = VmStep::Settled;
            vm.wiped_at = Some(self.now);
        }
    }

    fn run(&mut self, turns: usize) -> bool {
        (0..turns).any(|_| self.turn())
    }

    fn ask_to_delete(&mut self) {
        self.environment.wish = Wish::Absent;
        self.environment.wake_at = Some(self.now);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Whatever fails on the way, an environment comes to rest as active or as an error that left nothing behind, or
    /// it waits for a person because nobody knows what an order bought.
    #[test]
    fn a_creation_comes_to_rest(faults in prop::collection::vec(any::<u8>(), 0..30)) {
        let mut world = World::new(faults);
        let rests = world.run(400);
        let environment = &world.environment;
        if rests {
            prop_assert!(matches!(environment.status, Status::Active | Status::Error), "{:#?}", world.history);
            if environment.status == Status::Error {
                prop_assert!(!world.record && environment.vm_id.is_none() && environment.reason.is_some());
            }
        } else {
            prop_assert!(environment.attention && environment.step == Step::OrderVm, "{:#?}", world.history);
            prop_assert_eq!(world.bought.len(), world.rows_of_vms.len());
        }
    }

    /// A deletion asked for at any moment ends as deleted, with nothing left, once faults end.
    #[test]
    fn a_deletion_leaves_nothing(
        faults in prop::collection::vec(any::<u8>(), 0..30),
        later_faults in prop::collection::vec(any::<u8>(), 0..30),
        turns in 0_usize..40,
        pool in any::<bool>(),
    ) {
        let mut world = if pool { World::with_pool(faults) } else { World::new(faults) };
        world.run(turns);
        world.faults = later_faults;
        world.ask_to_delete();
        let rests = world.run(600);
        let environment = &world.environment;
        if rests {
            prop_assert_eq!(environment.status, Status::Deleted, "{:#?}", world.history);
            prop_assert!(!world.record);
            prop_assert!(world.intents.iter().all(|intent| !intent.outcome.is_open()), "{:#?}", world.intents);
        } else {
            prop_assert!(environment.attention && environment.step == Step::OrderVm, "{:#?}", world.history);
        }
    }

    /// A crash between any two turns changes nothing: the next turn depends on the rows alone. One request buys at
    /// most one VM unless the provider or a person said that the first order bought none.
    #[test]
    fn one_request_buys_at_most_one_vm(faults in prop::collection::vec(any::<u8>(), 0..60)) {
        let mut world = World::new(faults);
        world.run(300);
        let released = world.intents.iter()
            .filter(|intent| intent.kind == IntentKind::OrderVm && matches!(intent.outcome, Outcome::Rejected | Outcome::NotSent))
            .count();
        prop_assert!(world.orders_sent as usize <= released + 1, "{:#?}", world.history);
        prop_assert!(world.bought.len() <= 1, "{:#?}", world.history);
    }
}

fn transition(environment: &Environment, report: Report, now: Timestamp, policy: &Policy) -> Transition {
    let situation = Situation { environment, vm: None, open_intents: &[] };
    advance(&situation, None, report, &Context { now, unit: 0.5, policy })
}

#[test]
fn a_refused_order_is_an_error_and_touches_no_dns() {
    let mut row = environment();
    row.step = Step::OrderVm;
    let policy = Policy::local();
    let failure = Failure::definite("No offer was found for product ID 'V1'");
    let after = transition(&row, Report::OrderFailed(failure), Timestamp::UNIX_EPOCH, &policy).environment;
    assert_eq!((after.status, after.step), (Status::Error, Step::ReleaseVm));
    assert!(after.reason.unwrap().contains("No offer was found"));
}

#[test]
fn a_failure_that_may_pass_is_tried_again_visibly_until_the_deadline() {
    let mut row = environment();
    row.step = Step::WriteRecord;
    row.address = Some(ADDRESS);
    let policy = Policy { step_deadline: Duration::from_mins(1), ..Policy::local() };
    let report = || Report::Written(Err(Failure::wait("Cloudflare answered 500", None)));
    let first = transition(&row, report(), Timestamp::UNIX_EPOCH, &policy);
    assert_eq!((first.environment.status, first.environment.attempts), (Status::Provisioning, 1));
    assert!(first.event.unwrap().message.contains("attempt 2 follows"));
    assert!(first.environment.wake_at.unwrap() > Timestamp::UNIX_EPOCH);
    let late = later(Timestamp::UNIX_EPOCH, policy.step_deadline);
    let last = transition(&first.environment, report(), late, &policy);
    assert_eq!(last.environment.status, Status::Error);
}

#[test]
fn a_deletion_has_no_deadline() {
    let mut row = environment();
    (row.status, row.step, row.wish) = (Status::Deleting, Step::WithdrawRecord, Wish::Absent);
    let policy = Policy::local();
    let late = later(Timestamp::UNIX_EPOCH, Duration::from_hours(24 * 365));
    for failure in [Failure::definite("no"), Failure::wait("later", None), Failure::unknown("lost")] {
        let after = transition(&row, Report::Withdrawn(Err(failure)), late, &policy).environment;
        assert_eq!((after.status, after.step), (Status::Deleting, Step::WithdrawRecord));
        assert!(after.wake_at.is_some_and(|wake_at| wake_at > late));
    }
}

#[test]
fn the_provider_s_own_word_on_waiting_is_kept() {
    let policy = Policy::local();
    let day = Duration::from_hours(24);
    assert_eq!(policy.backoff(1, Some(day), 0.0), day);
    assert!(policy.backoff(30, None, 0.999) <= policy.backoff_cap);
    assert_eq!(policy.backoff(1, None, 0.0), Duration::ZERO);
}

#[test]
fn an_extra_address_at_the_name_is_not_active() {
    let policy = Policy::local();
    let mut row = environment();
    (row.step, row.vm_id, row.address) = (Step::VerifyRecord, Some(VmId(1)), Some(ADDRESS));
    let says = |addresses| vec![ServerSays { server: "ns1".to_owned(), addresses: Ok(addresses) }];
    let other = Ipv4Addr::new(127, 64, 0, 9);
    for wrong in [vec![], vec![other], vec![ADDRESS, other]] {
        let after = transition(&row, Report::ServersSay(says(wrong)), Timestamp::UNIX_EPOCH, &policy);
        assert_eq!(after.environment.status, Status::Provisioning);
    }
    let none = transition(&row, Report::ServersSay(vec![]), Timestamp::UNIX_EPOCH, &policy);
    assert_eq!(none.environment.status, Status::Provisioning);
    let right = transition(&row, Report::ServersSay(says(vec![ADDRESS])), Timestamp::UNIX_EPOCH, &policy);
    assert_eq!(right.environment.status, Status::Active);
}

#[test]
fn a_retry_never_abandons_an_order_by_itself() {
    let mut world = World::new(vec![2]);
    for _ in 0..50 {
        world.turn();
    }
    assert!(world.environment.attention);
    let open: Vec<Intent> = world.intents.iter().filter(|intent| intent.outcome.is_open()).cloned().collect();
    let situation = Situation { environment: &world.environment, vm: None, open_intents: &open };
    assert!(matches!(retry(&situation, false, "alice", world.now), Err(RetryRefused::OrderUnknown(_))));
    let (after, _) = retry(&situation, true, "alice", world.now).unwrap();
    assert_eq!(after.environment.step, Step::AssignVm);
    assert_eq!(after.intents[0].outcome, Outcome::Abandoned);
}
