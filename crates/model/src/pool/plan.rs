//! What the pool does next: how many VMs to buy, which contracts to let lapse, and what both cost.
//!
//! A VM is bought for a month and given up for ever, so neither follows a single moment. Too few VMs must be ready for a
//! while before one is bought; a contract is let lapse only if the busiest hour of the last weeks could have done
//! without its VM, and only in the days before that must be decided.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::contract::{ContractView, contract};
use super::demand::{Life, Wanted, peak, wanted};
use super::hold::{Hold, OrderRules, PoolState, Spending, hold};
use crate::id::VmId;
use crate::policy::later;
use crate::vm::{Vm, VmState};

/// How long before the last moment a contract is let lapse: neither early, when demand may still grow, nor so late that
/// an hour of trouble costs a month.
const LAPSE_WINDOW: SignedDuration = SignedDuration::from_hours(48);

/// An installation younger than this has seen too little to give anything up.
const HISTORY_MIN: SignedDuration = SignedDuration::from_hours(14 * 24);

/// How many VMs shall be ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolRules {
    /// How many.
    pub ready: Wanted,
    /// Whether contracts are let lapse without a person; otherwise they are only named.
    pub lapse: bool,
    /// So many VMs more than were ever needed are kept.
    pub slack: u32,
    /// How long a VM takes from the order until it is ready.
    pub lead: Duration,
    /// How long there must be too few before one is bought.
    pub patience: Duration,
    /// How often the pool is looked at.
    pub interval: Duration,
    /// How often the provider's list of VMs is read for ends of contracts.
    pub look_interval: Duration,
}

/// What the plan looks at.
#[derive(Debug, Clone, Copy)]
pub struct PoolSituation<'a> {
    /// All VMs that are not ended.
    pub vms: &'a [Vm],
    /// Orders for the pool of which it is not known what came of them.
    pub ordered: u32,
    /// Environments of the last weeks.
    pub lives: &'a [Life],
    /// What a person decided.
    pub state: &'a PoolState,
    /// What orders are measured against.
    pub spending: Spending<'a>,
    /// What is bought now: the product.
    pub product: &'a str,
    /// And its region. Other VMs fit nobody.
    pub region: &'a str,
}

/// VMs by what they are to the pool.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PoolCounts {
    /// They belong to environments.
    pub assigned: u32,
    /// They could be assigned now.
    pub ready: u32,
    /// Ready, and kept from everybody until their old names are forgotten.
    pub resting: u32,
    /// Being installed or wiped.
    pub preparing: u32,
    /// Cancelled; given to environments that end before they do.
    pub retiring: u32,
    /// Kept out until a person acts.
    pub quarantined: u32,
    /// Understood by nobody.
    pub unknown: u32,
    /// Ready, but of another product or region than is wanted now.
    pub unfit: u32,
    /// Ordered for the pool, and not there yet.
    pub ordered: u32,
}

/// A contract that nobody needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lapse {
    /// Whose.
    pub vm_id: VmId,
    /// By when it must be cancelled.
    pub decide_by: Timestamp,
    /// From when on it costs nothing then.
    pub saves_from: Timestamp,
}

/// What the pool does next, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolPlan {
    /// What is there.
    pub counts: PoolCounts,
    /// How many ready VMs are wanted.
    pub wanted: u32,
    /// The most environments that had a VM at once in the last weeks.
    pub peak: u32,
    /// Since when there have been too few.
    pub short_since: Option<Timestamp>,
    /// So many VMs are bought now.
    pub order: u32,
    /// Why none may be bought, whether or not one is needed.
    pub hold: Option<Hold>,
    /// Contracts that nobody needs and that must be decided about soon, the most urgent first.
    pub lapse: Vec<Lapse>,
}

/// What the pool does next.
pub fn plan(situation: &PoolSituation<'_>, rules: &PoolRules, orders: &OrderRules, now: Timestamp) -> PoolPlan {
    let counts = count(situation, now);
    let wanted = wanted(rules.ready, situation.lives, now, rules.lead);
    let peak = peak(situation.lives, now);
    let hold = hold(orders, situation.state, &situation.spending, now);
    let there = counts.ready + counts.resting + counts.preparing + counts.ordered;
    let missing = wanted.saturating_sub(there);
    let short_since = (missing > 0).then(|| situation.state.short_since.unwrap_or(now));
    let long_enough = short_since.is_some_and(|since| now >= later(since, rules.patience));
    let order = if long_enough && hold.is_none() { missing.min(room(situation, orders, now)) } else { 0 };
    let lapse = lapse(situation, rules, wanted, peak, now);
    PoolPlan { counts, wanted, peak, short_since, order, hold, lapse }
}

/// How many may be bought before a cap is met; at most one while earlier orders are failing.
fn room(situation: &PoolSituation<'_>, orders: &OrderRules, now: Timestamp) -> u32 {
    let spending = &situation.spending;
    let owned = u32::try_from(spending.owned).unwrap_or(u32::MAX);
    let by_owned = orders.owned_max.saturating_sub(owned);
    let by_month = orders.month_max.map_or(u32::MAX, |limit| limit.saturating_sub(spending.bought_since_month(now)));
    let by_trust = if spending.last_failed() { 1 } else { u32::MAX };
    by_owned.min(by_month).min(by_trust)
}

fn count(situation: &PoolSituation<'_>, now: Timestamp) -> PoolCounts {
    let mut counts = PoolCounts { ordered: situation.ordered, ..PoolCounts::default() };
    for vm in situation.vms {
        let counter = match vm.state {
            VmState::Assigned => &mut counts.assigned,
            VmState::Ready | VmState::Preparing if vm.cancel_date.is_some() => &mut counts.retiring,
            // One that waits for a person may wait for days.
            VmState::Preparing if vm.attention => &mut counts.unknown,
            VmState::Ready | VmState::Preparing if !fits(vm, situation) => &mut counts.unfit,
            VmState::Ready if vm.assignable_at.is_none_or(|at| at <= now) => &mut counts.ready,
            VmState::Ready => &mut counts.resting,
            VmState::Preparing => &mut counts.preparing,
            VmState::Retiring => &mut counts.retiring,
            VmState::Quarantined => &mut counts.quarantined,
            VmState::Unknown => &mut counts.unknown,
            VmState::Ended => continue,
        };
        *counter += 1;
    }
    counts
}

fn fits(vm: &Vm, situation: &PoolSituation<'_>) -> bool {
    vm.product == situation.product && vm.region == situation.region
}

/// Contracts that nobody needs, as far as that must be decided now.
fn lapse(situation: &PoolSituation<'_>, rules: &PoolRules, wanted: u32, peak: u32, now: Timestamp) -> Vec<Lapse> {
    let oldest = situation.vms.iter().map(|vm| vm.created_at).min();
    if oldest.is_none_or(|oldest| now.duration_since(oldest) < HISTORY_MIN) {
        return Vec::new();
    }
    let goes_on = |vm: &&Vm| {
        vm.cancel_date.is_none() && matches!(vm.state, VmState::Assigned | VmState::Ready | VmState::Preparing)
    };
    let fitting =
        situation.vms.iter().filter(goes_on).filter(|vm| vm.state == VmState::Assigned || fits(vm, situation));
    let kept = u32::try_from(fitting.count()).unwrap_or(u32::MAX);
    let needed = peak.saturating_add(wanted).saturating_add(rules.slack);
    let surplus = usize::try_from(kept.saturating_sub(needed)).unwrap_or(usize::MAX);
    let soon = now.saturating_add(LAPSE_WINDOW).unwrap_or(Timestamp::MAX);
    let due = |vm: &Vm| {
        let ContractView { vm_id, decide_by, avoidable_from, .. } = contract(vm, now);
        let (decide_by, saves_from) = decide_by.zip(avoidable_from)?;
        (decide_by <= soon).then_some(Lapse { vm_id, decide_by, saves_from })
    };
    let free = || situation.vms.iter().filter(goes_on).filter(|vm| vm.state == VmState::Ready);
    let mut unneeded: Vec<Lapse> = free().filter(|vm| fits(vm, situation)).filter_map(&due).collect();
    unneeded.sort_unstable_by_key(|lapse| (lapse.decide_by, lapse.vm_id));
    unneeded.truncate(surplus);
    // What fits nobody is needed by nobody.
    unneeded.extend(free().filter(|vm| !fits(vm, situation)).filter_map(due));
    unneeded.sort_unstable_by_key(|lapse| (lapse.decide_by, lapse.vm_id));
    unneeded
}

#[cfg(test)]
mod tests;
