//! The pool: what is done next for a VM that no environment has, and for all of them together.
//!
//! ```text
//! preparing: name ─ wipe ─ install ─ reach ─► ready
//!                           └ start ┘   └ too late: wipe again, and the third time: quarantined
//! retiring:  cancel ─ confirm_cancel ─► settled until the contract's end
//! ```
//!
//! This module is about one VM. [`plan()`] is about their number, [`hold()`] about whether one may be bought, [`contract()`]
//! about what is paid, [`demand`] about how many are wanted.

use std::net::Ipv4Addr;
use std::time::Duration;

use jiff::Timestamp;

use crate::failure::{Disposition, Failure};
use crate::id::EnvironmentId;
use crate::intent::{Intent, IntentKind, Outcome};
use crate::lifecycle::Context;
use crate::money::Money;
use crate::policy::later;
use crate::vm::{Contract, InstanceStatus, SeenInstance, Vm, VmState, VmStep, pool_display_name};

mod contract;
pub mod demand;
mod end;
mod hold;
mod plan;
mod preview;
#[cfg(test)]
mod tests;

pub use contract::{
    ContractView, HORIZON, NOTICE, contract, cost_of_use, first_fitting_day, is_over, month_of, renewal_cost,
    usable_until, weekly_costs,
};
pub use demand::{Life, Wanted};
pub use end::{ended, given_up_with};
pub use hold::{Hold, OrderRules, Pause, PoolState, Spending, hold};
pub use plan::{Lapse, PoolCounts, PoolPlan, PoolRules, PoolSituation, plan};
pub use preview::hold_after;

/// What an instance's status means to whoever waits for the VM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Not there yet, for this reason.
    Wait(&'static str),
    /// Powered on with its system installed; not necessarily reachable.
    Running,
    /// Powered off: it must be started.
    Stopped,
    /// It failed in a way that another installation may mend.
    Failed(String),
    /// It goes no further until a person acts.
    Person(String),
    /// It will never run.
    Dead(String),
}

/// What an instance's status means. The match names every status, so that none falls through to "ready".
pub fn progress(instance: &SeenInstance) -> Progress {
    let id = instance.id;
    match instance.status {
        InstanceStatus::Running => Progress::Running,
        InstanceStatus::Provisioning => Progress::Wait("the VM is being built"),
        InstanceStatus::Installing => Progress::Wait("the VM is being installed"),
        InstanceStatus::Stopped => Progress::Stopped,
        InstanceStatus::Uninstalled => Progress::Wait("the VM has no operating system yet"),
        InstanceStatus::Rescue => Progress::Wait("the VM is in its rescue system"),
        InstanceStatus::ResetPassword => Progress::Wait("the VM's password is being reset"),
        InstanceStatus::Unknown | InstanceStatus::Other => Progress::Wait("the provider does not know the VM's status"),
        InstanceStatus::ManualProvisioning => Progress::Person(format!(
            "VM {id} is being built by the provider's staff: this can take a day, nothing needs to be done"
        )),
        InstanceStatus::PendingPayment => Progress::Person(format!(
            "VM {id} waits for payment: pay or cancel it under `Unpaid Orders` in the provider's panel"
        )),
        InstanceStatus::VerificationRequired => Progress::Person(format!(
            "the provider wants to verify the account before VM {id} is built: see the e-mail to the account's holder"
        )),
        InstanceStatus::ProductNotAvailable => Progress::Dead(format!(
            "the product of VM {id} is sold out in this region: choose another product or region"
        )),
        InstanceStatus::Error => Progress::Failed(format!(
            "VM {id} failed at the provider: {}",
            instance.error_message.as_deref().unwrap_or("no reason was given")
        )),
    }
}

/// The VM's row with what the provider shows of it.
pub fn observed(vm: &Vm, instance: &SeenInstance, now: Timestamp) -> Vm {
    let mut new = vm.clone();
    new.address = instance.address.or(vm.address);
    if !instance.product.is_empty() {
        new.product.clone_from(&instance.product);
    }
    if !instance.region.is_empty() {
        new.region.clone_from(&instance.region);
    }
    new.cancel_date = instance.cancel_date.or(vm.cancel_date);
    new.contract.began_at = instance.created_at.or(vm.contract.began_at);
    // A rename whose answer was lost may have been carried out.
    if instance.display_name == pool_display_name(vm.id) {
        new.display_name.clone_from(&instance.display_name);
    }
    new.install_seen |= instance.status != InstanceStatus::Running;
    if new != *vm {
        new.updated_at = now;
    }
    new
}

/// What is done next for a VM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VmAction {
    /// Nothing.
    Rest,
    /// Give it the pool's display name under a new intent.
    Name,
    /// Install it anew under a new intent.
    Wipe,
    /// Read it at the provider.
    Observe,
    /// Try to connect to it.
    Reach(Ipv4Addr),
    /// Cancel it under a new intent.
    Cancel,
    /// Power it on under a new intent.
    Start,
}

impl VmAction {
    /// The intent that must be written before this action, if it writes at the provider.
    pub fn intent_kind(&self) -> Option<IntentKind> {
        match self {
            Self::Name => Some(IntentKind::NameVm),
            Self::Wipe => Some(IntentKind::InstallVm),
            Self::Cancel => Some(IntentKind::CancelVm),
            Self::Start => Some(IntentKind::StartVm),
            Self::Rest | Self::Observe | Self::Reach(_) => None,
        }
    }
}

/// What came of a [`VmAction`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VmReport {
    /// Nothing had to be done.
    Nothing,
    /// What came of renaming, of asking for the installation, of starting, or of cancelling.
    Wrote(Result<(), Failure>),
    /// The VM at the provider; nothing, if it is not shown.
    Seen(Option<SeenInstance>),
    /// The provider could not be read.
    ReadFailed(Failure),
    /// Whether the VM accepted a connection.
    Reached(bool),
}

/// The rows as they shall be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VmTransition {
    /// The VM. It is driven on at once where `wake_at` has come.
    pub vm: Vm,
    /// The intent that this settles.
    pub intent: Option<Intent>,
    /// The environment that waits for this VM, where it has something new to see.
    pub wake: Option<EnvironmentId>,
}

/// What is done next for a VM.
pub fn next(vm: &Vm) -> VmAction {
    match (vm.state, vm.step, vm.address) {
        (VmState::Preparing, VmStep::Name, _) => VmAction::Name,
        (VmState::Preparing, VmStep::Wipe, _) => VmAction::Wipe,
        (VmState::Preparing, VmStep::Start, _) => VmAction::Start,
        (VmState::Preparing, VmStep::Reach, Some(address)) => VmAction::Reach(address),
        (VmState::Retiring, VmStep::Cancel, _) => VmAction::Cancel,
        (VmState::Preparing, VmStep::Install | VmStep::Reach, _) | (VmState::Retiring, VmStep::ConfirmCancel, _) => {
            VmAction::Observe
        }
        _ => VmAction::Rest,
    }
}

/// The rows as they shall be after an action.
pub fn advance(vm: &Vm, intent: Option<&Intent>, report: VmReport, context: &Context<'_>) -> VmTransition {
    match report {
        VmReport::Nothing => {
            let mut transition = VmTransition::new(vm, context.now);
            transition.vm.wake_at = None;
            transition
        }
        VmReport::Wrote(result) => wrote(vm, intent, result.err().as_ref(), context),
        VmReport::ReadFailed(failure) => try_again(vm, None, &failure, context),
        VmReport::Seen(instance) => seen(vm, instance.as_ref(), context),
        VmReport::Reached(reached) => self::reached(vm, reached, context),
    }
}

impl VmTransition {
    fn new(vm: &Vm, now: Timestamp) -> Self {
        let mut vm = vm.clone();
        vm.updated_at = now;
        vm.wake_at = Some(now);
        Self { vm, intent: None, wake: None }
    }

    fn step(mut self, step: VmStep, now: Timestamp) -> Self {
        self.vm.step = step;
        self.vm.step_since = now;
        self.vm.attempts = 0;
        self.vm.reason = None;
        self.vm.attention = false;
        self
    }

    fn wait(mut self, now: Timestamp, wait: Duration, reason: impl Into<String>) -> Self {
        self.vm.wake_at = Some(later(now, wait));
        self.vm.reason = Some(reason.into());
        self
    }

    fn settle(mut self, intent: Option<&Intent>, outcome: Outcome, answer: Option<String>, now: Timestamp) -> Self {
        self.intent = intent.map(|intent| {
            let mut intent = intent.clone();
            intent.outcome = outcome;
            intent.answer = answer;
            intent.settled_at = (!outcome.is_open()).then_some(now);
            intent
        });
        self
    }
}

fn wrote(vm: &Vm, intent: Option<&Intent>, failure: Option<&Failure>, context: &Context<'_>) -> VmTransition {
    let now = context.now;
    if let Some(failure) = failure {
        // It ends anyway: one that cannot be wiped serves nobody until then.
        let for_long =
            failure.disposition == Disposition::Definite && now >= later(vm.step_since, context.policy.vm_deadline);
        if for_long && vm.step == VmStep::Wipe && vm.cancel_date.is_some() {
            let transition = VmTransition::new(vm, now).step(VmStep::Settled, now);
            return retired(transition.settle(intent, Outcome::Rejected, Some(failure.words.clone()), now));
        }
        let label_only = vm.step == VmStep::Name && (failure.disposition == Disposition::Definite || vm.attempts >= 2);
        if !label_only {
            return try_again(vm, intent, failure, context);
        }
    }
    let (outcome, answer) = match failure {
        None => (Outcome::Done, None),
        Some(failure) => (Outcome::Rejected, Some(failure.words.clone())),
    };
    let mut transition = VmTransition::new(vm, now);
    transition = match vm.step {
        VmStep::Name => {
            if failure.is_none() {
                transition.vm.display_name = pool_display_name(vm.id);
            }
            transition.step(VmStep::Wipe, now)
        }
        VmStep::Wipe => {
            transition.vm.install_seen = false;
            transition.step(VmStep::Install, now)
        }
        VmStep::Cancel => transition.step(VmStep::ConfirmCancel, now),
        VmStep::Start => transition.step(VmStep::Install, now),
        VmStep::Install | VmStep::Reach | VmStep::ConfirmCancel | VmStep::Settled => transition,
    };
    transition.settle(intent, outcome, answer, now)
}

/// A VM is never given up: it is paid for. What fails is tried again for ever, and shown to a person when it is
/// refused or takes too long.
fn try_again(vm: &Vm, intent: Option<&Intent>, failure: &Failure, context: &Context<'_>) -> VmTransition {
    let mut transition = VmTransition::new(vm, context.now);
    transition.vm.attempts = vm.attempts.saturating_add(1);
    let after = match failure.disposition {
        Disposition::Wait { after } => after,
        Disposition::Definite => Some(context.policy.backoff_cap),
        Disposition::Unknown => None,
    };
    transition.vm.attention = failure.disposition == Disposition::Definite
        || context.now >= later(vm.step_since, context.policy.step_deadline);
    let wait = context.policy.backoff(transition.vm.attempts, after, context.unit);
    if vm.step == VmStep::Wipe && failure.disposition == Disposition::Unknown {
        // An installation that is carried out late must not hit whoever has the VM by then.
        let rest_until = later(context.now, context.policy.write_grace);
        transition.vm.assignable_at = Some(vm.assignable_at.map_or(rest_until, |time| time.max(rest_until)));
    }
    // Naming, wiping and cancelling may be repeated: the intent stays open until one attempt is answered.
    let outcome = if failure.disposition == Disposition::Unknown { Outcome::Unknown } else { Outcome::Open };
    transition.settle(intent, outcome, Some(failure.words.clone()), context.now).wait(
        context.now,
        wait,
        failure.words.clone(),
    )
}

fn seen(vm: &Vm, instance: Option<&SeenInstance>, context: &Context<'_>) -> VmTransition {
    let now = context.now;
    let policy = context.policy;
    let Some(instance) = instance else { return end::not_shown(vm, context) };
    let transition = VmTransition::new(&observed(vm, instance, now), now);
    if vm.step == VmStep::ConfirmCancel {
        return confirm_cancel(transition, context);
    }
    match progress(instance) {
        Progress::Running => {
            let over = transition.vm.install_seen || now >= later(vm.step_since, policy.install_grace);
            if !over {
                return transition.wait(now, policy.vm_interval, "waiting for the installation to begin");
            }
            if transition.vm.address.is_some() {
                return transition.step(VmStep::Reach, now);
            }
            let mut transition = transition.wait(now, policy.vm_interval, "the VM runs and has no address");
            transition.vm.attention = now >= later(vm.step_since, policy.vm_deadline);
            transition
        }
        Progress::Wait(_) | Progress::Stopped if now >= later(vm.step_since, policy.vm_deadline) => {
            install_again(transition, &format!("VM {} takes too long to be installed", vm.id), context)
        }
        Progress::Wait(words) => transition.wait(now, policy.vm_interval, words),
        // An installation ends with a VM that is off for a moment.
        Progress::Stopped if now < later(vm.step_since, policy.install_grace) => {
            transition.wait(now, policy.vm_interval, "the VM is off")
        }
        Progress::Stopped => transition.step(VmStep::Start, now),
        // What is shown may be from before the installation.
        Progress::Failed(words) if now < later(vm.step_since, policy.install_grace) => {
            transition.wait(now, policy.vm_interval, words)
        }
        Progress::Failed(words) => install_again(transition, &words, context),
        Progress::Person(words) => {
            let mut transition = transition.wait(now, policy.backoff_cap, words);
            transition.vm.attention = true;
            transition
        }
        Progress::Dead(words) => quarantine(transition, &words, now),
    }
}

fn confirm_cancel(mut transition: VmTransition, context: &Context<'_>) -> VmTransition {
    if transition.vm.cancel_date.is_none() {
        transition.vm.attention = context.now >= later(transition.vm.step_since, context.policy.vm_deadline);
        let words = if transition.vm.attention {
            "the provider accepted the cancellation and shows no end date: look in its panel"
        } else {
            "waiting for the provider to show the end date"
        };
        return transition.wait(context.now, context.policy.vm_interval, words);
    }
    let now = context.now;
    // It is paid until its end: wiped, it may serve an environment that ends before. One that does not come up does not, and
    // one that never had an address was never built.
    let comes_up = transition.vm.reinstalls < context.policy.reinstalls_max && transition.vm.address.is_some();
    if transition.vm.wiped_at.is_none() && comes_up {
        transition.vm.state = VmState::Preparing;
        return transition.step(VmStep::Name, now);
    }
    retired(transition.step(VmStep::Settled, now))
}

/// Cancelled, and at rest until its contract ends.
fn retired(mut transition: VmTransition) -> VmTransition {
    transition.vm.state = VmState::Retiring;
    transition.vm.wake_at = None;
    transition.wake = transition.vm.released_by.take();
    transition
}

fn reached(vm: &Vm, reached: bool, context: &Context<'_>) -> VmTransition {
    let now = context.now;
    let transition = VmTransition::new(vm, now);
    if !reached {
        return if now >= later(vm.step_since, context.policy.reach_deadline) {
            install_again(transition, &format!("VM {} runs and accepts no connection", vm.id), context)
        } else {
            transition.wait(now, context.policy.reach_interval, "waiting for the VM to accept connections")
        };
    }
    let mut transition = transition.step(VmStep::Settled, now);
    transition.vm.wiped_at = Some(now);
    transition.vm.assignable_at = Some(vm.assignable_at.map_or(now, |time| time.max(now)));
    transition.vm.reinstalls = 0;
    if transition.vm.cancel_date.is_some() {
        return retired(transition);
    }
    transition.vm.state = VmState::Ready;
    transition.vm.wake_at = None;
    transition.wake = transition.vm.released_by.take();
    transition
}

/// A VM that nobody has, kept from everybody until `until`: a name was found to lead to it, and resolvers may remember
/// that for a while (promise 4). Nothing, where the VM is no longer to be given away or rests for so long already.
pub fn rest(vm: &Vm, until: Timestamp, now: Timestamp) -> Option<Vm> {
    let free = matches!(vm.state, VmState::Ready | VmState::Preparing);
    let longer = vm.assignable_at.is_none_or(|at| at < until);
    (free && longer).then(|| Vm { assignable_at: Some(until), updated_at: now, ..vm.clone() })
}

/// The VM does not come up: it is installed anew, but not for ever.
fn install_again(transition: VmTransition, words: &str, context: &Context<'_>) -> VmTransition {
    let done = transition.vm.reinstalls;
    let most = context.policy.reinstalls_max;
    if done >= most {
        return quarantine(transition, &format!("{words}, also after it was installed anew {done} times"), context.now);
    }
    let mut transition = transition.step(VmStep::Wipe, context.now);
    transition.vm.reinstalls = done.saturating_add(1);
    transition.vm.reason = Some(format!("{words}: it is installed anew, {} of {most}", done.saturating_add(1)));
    transition
}

/// Kept out of the pool, with the reason, until a person acts. It stays paid and in sight.
fn quarantine(transition: VmTransition, words: &str, now: Timestamp) -> VmTransition {
    let mut transition = transition.step(VmStep::Settled, now);
    let vm = &mut transition.vm;
    vm.state = VmState::Quarantined;
    vm.wiped_at = None;
    vm.wake_at = None;
    vm.attention = true;
    vm.reason = Some(format!(
        "{words}; look at it in the provider's panel, then `alfred vm adopt {id}` tries it once more and `alfred vm cancel \
         {id}` gives it up",
        id = vm.id
    ));
    transition.wake = vm.released_by.take();
    transition
}

/// Whether a VM may be given to an environment that ends at `expires_at`; never, where absent. Every store chooses by
/// this rule.
pub fn fits(vm: &Vm, expires_at: Option<Timestamp>, now: Timestamp) -> bool {
    if vm.assignable_at.is_some_and(|at| at > now) {
        return false;
    }
    match (vm.state, vm.cancel_date) {
        (VmState::Ready, None) => true,
        (VmState::Ready | VmState::Retiring, Some(last_day)) => {
            let long_enough = expires_at.is_some_and(|at| first_fitting_day(at) <= last_day);
            vm.step == VmStep::Settled && vm.wiped_at.is_some() && long_enough
        }
        _ => false,
    }
}

/// A person takes a VM back into the pool by way of a wipe: one that was quarantined, or that nobody understood.
pub fn taken_back(vm: &Vm, now: Timestamp) -> Option<Vm> {
    let stands_still = matches!(vm.state, VmState::Quarantined | VmState::Unknown);
    stands_still.then(|| Vm {
        state: VmState::Preparing,
        step: VmStep::Name,
        step_since: now,
        attempts: 0,
        reinstalls: 0,
        wiped_at: None,
        wake_at: Some(now),
        reason: None,
        attention: false,
        updated_at: now,
        ..vm.clone()
    })
}

/// Why a VM cannot be cancelled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CancelRefused {
    /// Somebody uses it.
    #[error("VM {0} belongs to an environment: delete that first, then cancel the VM")]
    Assigned(crate::id::VmId),
    /// It is cancelled already.
    #[error("VM {0} is cancelled already and ends on {1}")]
    Cancelled(crate::id::VmId, jiff::civil::Date),
    /// The cancellation is under way.
    #[error("VM {0} is being cancelled")]
    UnderWay(crate::id::VmId),
    /// It is gone.
    #[error("the contract of VM {0} has ended")]
    Ended(crate::id::VmId),
}

/// The row of a VM whose contract shall end.
pub fn to_cancel(vm: &Vm, now: Timestamp) -> Result<Vm, CancelRefused> {
    match (vm.state, vm.cancel_date) {
        (VmState::Ended, _) => return Err(CancelRefused::Ended(vm.id)),
        (VmState::Assigned, _) => return Err(CancelRefused::Assigned(vm.id)),
        (_, Some(last_day)) => return Err(CancelRefused::Cancelled(vm.id, last_day)),
        (VmState::Retiring, None) => return Err(CancelRefused::UnderWay(vm.id)),
        (VmState::Ready | VmState::Preparing | VmState::Quarantined | VmState::Unknown, None) => {}
    }
    Ok(Vm {
        state: VmState::Retiring,
        step: VmStep::Cancel,
        step_since: now,
        attempts: 0,
        wake_at: Some(now),
        reason: None,
        attention: false,
        updated_at: now,
        ..vm.clone()
    })
}

/// A VM that was bought for the pool: new, and so installed once without a wipe.
pub fn bought(instance: &SeenInstance, price: Option<Money>, months: u32, now: Timestamp) -> Vm {
    let mut vm = adopted(instance, None, now);
    vm.step = VmStep::Install;
    vm.install_seen = true;
    vm.contract = Contract { began_at: Some(instance.created_at.unwrap_or(now)), months: Some(months), price };
    vm
}

/// A VM found at the provider that no row knows, taken into the pool by way of a wipe.
pub fn adopted(instance: &SeenInstance, bought_for: Option<EnvironmentId>, now: Timestamp) -> Vm {
    Vm {
        id: instance.id,
        display_name: instance.display_name.clone(),
        product: instance.product.clone(),
        region: instance.region.clone(),
        address: instance.address,
        state: VmState::Preparing,
        step: VmStep::Name,
        environment_id: None,
        bought_for,
        released_by: None,
        assignable_at: None,
        wiped_at: None,
        install_seen: false,
        cancel_date: instance.cancel_date,
        contract: Contract { began_at: instance.created_at, ..Contract::default() },
        reinstalls: 0,
        attempts: 0,
        step_since: now,
        wake_at: Some(now),
        reason: None,
        attention: false,
        created_at: now,
        updated_at: now,
        version: 0,
    }
}
