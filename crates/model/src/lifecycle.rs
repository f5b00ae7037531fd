//! What is done next for an environment, and what follows from what came of it.
//!
//! Creation, deletion, retry, cleaning up and recovery after a crash are one function over the same row:
//! [`next`] names the action, the engine carries it out and brings a [`Report`], [`advance`] turns the report into the
//! row as it shall be. An action may be carried out twice; the row says nothing that would be wrong then.
//!
//! ```text
//! provisioning: assign_vm ─┬────────────────────────────────┬─ reach_vm ─ write_record ─ verify_record ─► active
//!                          ├─ name_vm ─ install_vm ─ await_vm ─┤
//!                          └─ order_vm ─ await_vm ─────────────┘
//!                               start_vm ┘ └ too late: install_vm again, twice at most
//! active:       name_vm, where the VM still has the pool's display name
//! deleting, or error after a failure for good:
//!               withdraw_record ─ await_absence ─ release_vm ─► deleted, or error and settled
//! ```
//!
//! A record that the audit found wrong is mended on the same ways: [`repair()`].

mod create;
mod order;
mod remove;
mod repair;
#[cfg(test)]
mod tests;

use std::net::Ipv4Addr;
use std::time::Duration;

use jiff::Timestamp;

pub use create::assigned;
pub use remove::{RetryRefused, retry};
pub use repair::{RepairRefused, repair, repair_kind};

use crate::environment::{Environment, Status, Step, Wish};
use crate::event::{Event, EventKind};
use crate::failure::{Disposition, Failure};
use crate::id::{RecordId, VmId};
use crate::intent::{Intent, IntentKind, Outcome};
use crate::policy::{Policy, later};
use crate::pool::Hold;
use crate::vm::{SeenInstance, Vm};

/// Who acts where no user asked.
pub const ACTOR: &str = "alfred";

/// So many attempts in a row are told one by one.
const TOLD_ATTEMPTS: u32 = 10;

/// What a decision looks at.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// The environment's row.
    pub environment: &'a Environment,
    /// Its VM's row, if it has a VM.
    pub vm: Option<&'a Vm>,
    /// Its intents of which it is not known what came of them, oldest first.
    pub open_intents: &'a [Intent],
}

impl Situation<'_> {
    /// The open intent of a kind.
    pub fn open_intent(&self, kind: IntentKind) -> Option<&Intent> {
        self.open_intents.iter().find(|intent| intent.kind == kind && intent.outcome.is_open())
    }
}

/// Time, chance and rules.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The current time.
    pub now: Timestamp,
    /// A random number in `0.0..1.0`.
    pub unit: f64,
    /// The rules.
    pub policy: &'a Policy,
}

/// What is done next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Nothing.
    Rest,
    /// Take up the wish to delete: a change of the row alone.
    BeginDeletion,
    /// Take a VM of the pool; report [`Report::PoolEmpty`] if there is none.
    Assign,
    /// Buy a VM under a new intent.
    Order,
    /// Find out what came of an order.
    SettleOrder(Box<Intent>),
    /// Rename the VM under a new intent.
    NameVm(VmId),
    /// Install the VM anew with the owner's user data under a new intent.
    InstallVm(VmId),
    /// Power the VM on under a new intent.
    StartVm(VmId),
    /// Read the VM at the provider.
    ObserveVm(VmId),
    /// Try to connect to the VM.
    ReachVm(Ipv4Addr),
    /// Write the record under a new intent. `read_first` where an earlier write may have been carried out.
    WriteRecord {
        /// The address it shall answer with.
        address: Ipv4Addr,
        /// Whether the zone must be read before writing.
        read_first: bool,
    },
    /// Ask the authoritative servers for the name.
    AskServers,
    /// Withdraw the record under a new intent.
    WithdrawRecord,
    /// Look whether the VM has been wiped, from its row alone.
    AwaitRelease,
}

impl Action {
    /// The intent that must be written before this action, if it writes at a provider.
    pub fn intent_kind(&self) -> Option<IntentKind> {
        match self {
            Self::Order => Some(IntentKind::OrderVm),
            Self::NameVm(_) => Some(IntentKind::NameVm),
            Self::InstallVm(_) => Some(IntentKind::InstallVm),
            Self::StartVm(_) => Some(IntentKind::StartVm),
            Self::WriteRecord { .. } => Some(IntentKind::WriteRecord),
            Self::WithdrawRecord => Some(IntentKind::WithdrawRecord),
            Self::Rest
            | Self::BeginDeletion
            | Self::Assign
            | Self::SettleOrder(_)
            | Self::ObserveVm(_)
            | Self::ReachVm(_)
            | Self::AskServers
            | Self::AwaitRelease => None,
        }
    }
}

/// What one authoritative server said of the name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerSays {
    /// Which server.
    pub server: String,
    /// The addresses it answered with (none, if the name is not there), or why it gave no answer.
    pub addresses: Result<Vec<Ipv4Addr>, String>,
}

/// What came of an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// Nothing had to be done outside ([`Action::Rest`], [`Action::BeginDeletion`], [`Action::AwaitRelease`]).
    Nothing,
    /// The pool has no VM that fits.
    PoolEmpty {
        /// Why none may be bought, if that is so.
        hold: Option<Hold>,
    },
    /// The order was accepted.
    Ordered(SeenInstance),
    /// The order failed, or nothing is known of it.
    OrderFailed(Failure),
    /// The provider was read: exactly one VM came of the order.
    OrderFound(SeenInstance),
    /// The provider was read: so many VMs may have come of the order, and that is not one.
    OrderNotFound {
        /// How many match.
        matches: usize,
    },
    /// The provider could not be read.
    ReadFailed(Failure),
    /// The VM at the provider; nothing, if it is not shown.
    VmSeen(Option<SeenInstance>),
    /// What came of renaming.
    Named(Result<(), Failure>),
    /// What came of asking to install anew.
    InstallAccepted(Result<(), Failure>),
    /// What came of asking to power it on.
    Started(Result<(), Failure>),
    /// Whether the VM accepted a connection.
    Reached(bool),
    /// What came of writing the record.
    Written(Result<RecordId, Failure>),
    /// What the authoritative servers say.
    ServersSay(Vec<ServerSays>),
    /// What came of withdrawing the record; a record that is not there is a success.
    Withdrawn(Result<(), Failure>),
}

/// The rows as they shall be, and what to tell the owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// The environment. It is driven on at once where `wake_at` has come.
    pub environment: Environment,
    /// The VM, where its row changes too.
    pub vm: Option<Vm>,
    /// A VM that was not known before.
    pub new_vm: Option<Vm>,
    /// The intents that this settles, or of which it has news.
    pub intents: Vec<Intent>,
    /// What happened, where it is worth a line of history.
    pub event: Option<Event>,
}

impl Transition {
    fn new(environment: &Environment, now: Timestamp) -> Self {
        let mut environment = environment.clone();
        environment.updated_at = now;
        environment.wake_at = Some(now);
        Self { environment, vm: None, new_vm: None, intents: Vec::new(), event: None }
    }

    fn step(mut self, step: Step, now: Timestamp) -> Self {
        self.environment.step = step;
        self.environment.step_since = now;
        self.environment.attempts = 0;
        self.environment.reason = None;
        self.environment.attention = false;
        self
    }

    fn tell(mut self, now: Timestamp, message: impl Into<String>) -> Self {
        self.event = Some(event(&self.environment, now, ACTOR, message));
        self
    }

    fn wait(mut self, now: Timestamp, wait: Duration) -> Self {
        self.environment.wake_at = Some(later(now, wait));
        self
    }

    fn settle(mut self, intent: Option<&Intent>, outcome: Outcome, answer: Option<String>, now: Timestamp) -> Self {
        self.intents.extend(intent.map(|intent| {
            let mut intent = intent.clone();
            intent.outcome = outcome;
            intent.answer = answer.or(intent.answer);
            intent.settled_at = (!outcome.is_open()).then_some(now);
            intent
        }));
        self
    }
}

/// An event of an environment as its row stands.
pub fn event(environment: &Environment, at: Timestamp, actor: &str, message: impl Into<String>) -> Event {
    Event {
        sequence: 0,
        environment_id: environment.id,
        at,
        status: environment.status,
        step: environment.step,
        kind: EventKind::Progress,
        actor: actor.to_owned(),
        message: message.into(),
    }
}

/// What is done next for an environment.
pub fn next(situation: &Situation<'_>) -> Action {
    let environment = situation.environment;
    if environment.wish == Wish::Absent && !matches!(environment.status, Status::Deleting | Status::Deleted) {
        return Action::BeginDeletion;
    }
    match environment.step {
        Step::Settled => Action::Rest,
        Step::AssignVm => Action::Assign,
        Step::OrderVm => match situation.open_intent(IntentKind::OrderVm) {
            Some(intent) => Action::SettleOrder(Box::new(intent.clone())),
            None if environment.status == Status::Deleting => Action::AwaitRelease,
            None => Action::Order,
        },
        Step::NameVm => environment.vm_id.map_or(Action::Assign, Action::NameVm),
        Step::InstallVm => environment.vm_id.map_or(Action::Assign, Action::InstallVm),
        Step::AwaitVm => environment.vm_id.map_or(Action::Assign, Action::ObserveVm),
        Step::StartVm => environment.vm_id.map_or(Action::Assign, Action::StartVm),
        Step::ReachVm => match (environment.address, environment.vm_id) {
            (Some(address), _) => Action::ReachVm(address),
            (None, Some(vm_id)) => Action::ObserveVm(vm_id),
            (None, None) => Action::Assign,
        },
        Step::WriteRecord => match (environment.address, environment.vm_id) {
            (Some(address), _) => Action::WriteRecord {
                address,
                read_first: environment.record_id.is_some()
                    || situation.open_intent(IntentKind::WriteRecord).is_some()
                    || environment.attempts > 0,
            },
            (None, Some(vm_id)) => Action::ObserveVm(vm_id),
            (None, None) => Action::Assign,
        },
        Step::VerifyRecord | Step::AwaitAbsence => Action::AskServers,
        Step::WithdrawRecord => Action::WithdrawRecord,
        Step::ReleaseVm => Action::AwaitRelease,
    }
}

/// The rows as they shall be after an action.
///
/// `intent` is the intent under which the action was carried out, or which it settles.
pub fn advance(
    situation: &Situation<'_>,
    intent: Option<&Intent>,
    report: Report,
    context: &Context<'_>,
) -> Transition {
    mark(situation.environment, after(situation, intent, report, context), context.now)
}

/// Where it begins that nothing more happens without a person, or a creation failed for good, the event says so:
/// whoever waits for such events alone misses none.
fn mark(before: &Environment, mut transition: Transition, now: Timestamp) -> Transition {
    let environment = &transition.environment;
    // A failure is told when it happens, not once more when what was made is taken down.
    let was_told = environment.status == Status::Error && environment.step == Step::Settled;
    let stops = environment.attention && !before.attention && !was_told;
    let fails = environment.status == Status::Error && before.status != Status::Error;
    if stops || fails {
        let words = environment.reason.as_deref().unwrap_or("it goes no further until a person acts");
        let told = transition.event.take().unwrap_or_else(|| event(environment, now, ACTOR, words));
        transition.event = Some(Event { kind: EventKind::Attention, ..told });
    }
    transition
}

fn after(situation: &Situation<'_>, intent: Option<&Intent>, report: Report, context: &Context<'_>) -> Transition {
    match report {
        Report::Nothing => remove::without_report(situation, context),
        Report::PoolEmpty { hold } => order::pool_empty(situation, hold.as_ref(), context),
        Report::Ordered(instance) => order::ordered(situation, intent, &instance, "bought", context),
        Report::OrderFound(instance) => order::ordered(situation, intent, &instance, "found", context),
        Report::OrderFailed(failure) => order::failed(situation, intent, &failure, context),
        Report::OrderNotFound { matches } => order::not_found(situation, intent, matches, context),
        Report::ReadFailed(failure) if situation.open_intent(IntentKind::OrderVm).is_some() => {
            order::not_readable(situation, &failure, context)
        }
        Report::ReadFailed(failure) => try_again(situation, None, &failure, context),
        Report::VmSeen(instance) => create::vm_seen(situation, instance.as_ref(), context),
        Report::Named(result) => create::named(situation, intent, result, context),
        Report::InstallAccepted(result) => create::install_accepted(situation, intent, result, context),
        Report::Started(result) => create::started(situation, intent, result, context),
        Report::Reached(reached) => create::reached(situation, reached, context),
        Report::Written(result) => create::written(situation, intent, result, context),
        Report::ServersSay(says) if situation.environment.step == Step::AwaitAbsence => {
            remove::absence(situation, &says, context)
        }
        Report::ServersSay(says) => create::verified(situation, &says, context),
        Report::Withdrawn(result) => remove::withdrawn(situation, intent, result, context),
    }
}

/// After a failure that may pass: the same step again after a while, visibly. A creation and a repair give up at the
/// step's deadline; a deletion never does.
fn try_again(
    situation: &Situation<'_>,
    intent: Option<&Intent>,
    failure: &Failure,
    context: &Context<'_>,
) -> Transition {
    let environment = situation.environment;
    let deadline = later(environment.step_since, context.policy.step_deadline);
    let gives_up = matches!(environment.status, Status::Provisioning | Status::Active);
    if gives_up && context.now >= deadline {
        let words = format!("gave up after {} attempts: {}", environment.attempts + 1, failure.words);
        return remove::give_up_after(situation, intent, failure, &words, context);
    }
    let mut transition = Transition::new(environment, context.now);
    transition.environment.attempts = environment.attempts.saturating_add(1);
    let after = match failure.disposition {
        Disposition::Wait { after } => after,
        Disposition::Definite | Disposition::Unknown => None,
    };
    let mut wait = context.policy.backoff(transition.environment.attempts, after, context.unit);
    if gives_up {
        let left = Duration::try_from(deadline.duration_since(context.now)).unwrap_or_default();
        wait = wait.min(left.max(after.unwrap_or_default()));
    }
    transition.environment.reason = Some(failure.words.clone());
    let message = format!(
        "{}; attempt {} follows in {:.1} s",
        failure.words,
        transition.environment.attempts + 1,
        wait.as_secs_f64()
    );
    if intent.is_some_and(|intent| intent.kind == IntentKind::OrderVm) {
        // The pool may have a VM by now, and the limit of VMs is counted anew.
        transition.environment.step = Step::AssignVm;
    }
    // Only an order must not be sent again under the same intent. The others are repeated until they are settled.
    let outcome = match (failure.disposition, intent.map(|intent| intent.kind)) {
        (Disposition::Unknown, _) => Outcome::Unknown,
        // A later attempt that was put off tells nothing of an earlier one without an answer.
        (_, Some(IntentKind::WriteRecord)) if intent.is_some_and(may_arrive) => Outcome::Unknown,
        (_, Some(IntentKind::OrderVm)) => Outcome::NotSent,
        _ => Outcome::Open,
    };
    let transition =
        transition.settle(intent, outcome, Some(failure.words.clone()), context.now).wait(context.now, wait);
    // What fails for days in the same way is one line of history, not a thousand.
    let old = environment.attempts >= TOLD_ATTEMPTS && environment.reason.as_ref() == Some(&failure.words);
    if old { transition } else { transition.tell(context.now, message) }
}

/// Whether an attempt under this intent got no answer, so that it may still be carried out.
fn may_arrive(intent: &Intent) -> bool {
    intent.outcome == Outcome::Unknown
}

/// The same step again after `interval`: nothing failed, it is not there yet. Told once, not at each look.
fn look_again(situation: &Situation<'_>, interval: Duration, reason: &str, context: &Context<'_>) -> Transition {
    let mut transition = Transition::new(situation.environment, context.now);
    let news = transition.environment.reason.as_deref() != Some(reason);
    transition.environment.reason = Some(reason.to_owned());
    if news {
        transition = transition.tell(context.now, reason);
    }
    transition.wait(context.now, interval)
}

fn overdue(environment: &Environment, deadline: Duration, now: Timestamp) -> bool {
    now >= later(environment.step_since, deadline)
}
