//! What VMs cost and when that is decided: contracts are paid ahead, renew themselves, and end only if they are
//! cancelled long before.
//!
//! Contabo's contracts run for whole months from the order on and are not refunded. One of 10 April that was cancelled on
//! 9 May, hours before its end, has been reported to run until 9 June. The rule is not published, so the pessimistic one
//! is taken: cancelled less than [`NOTICE`] before a renewal, a VM is paid for that renewal too. What the provider then
//! shows as the last day is believed, and nothing here.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};

use crate::id::VmId;
use crate::money::{Money, sums};
use crate::vm::{Vm, VmState};

/// How long before a renewal a contract must be cancelled so that it does not renew.
pub const NOTICE: SignedDuration = SignedDuration::from_hours(28 * 24);

/// How far ahead costs are told: four weeks.
pub const HORIZON: SignedDuration = SignedDuration::from_hours(28 * 24);

/// How long before the end of a contract a VM must be free again: its environment's name must be gone by then, and
/// the provider tells a day, not an hour.
const MARGIN: SignedDuration = SignedDuration::from_hours(24);

/// A contract longer than this has been going on for longer than there are VMs.
const RENEWALS_MAX: i32 = 12 * 100;

/// What is paid for a VM, and what may be decided about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContractView {
    /// Whose.
    pub vm_id: VmId,
    /// Until when it is paid. Where it is cancelled, the beginning of its last day.
    pub paid_until: Option<Timestamp>,
    /// Whether it ends then instead of renewing.
    pub ends: bool,
    /// By when it must be cancelled to end at the first renewal that can still be avoided.
    pub decide_by: Option<Timestamp>,
    /// That renewal.
    pub avoidable_from: Option<Timestamp>,
    /// What it costs a month, where that is known.
    pub price: Option<Money>,
    /// The renewals within the next four weeks.
    pub renewals: Vec<Timestamp>,
}

/// What a VM's contract means now.
pub fn contract(vm: &Vm, now: Timestamp) -> ContractView {
    let months = vm.contract.months.unwrap_or(1).max(1);
    let view = |paid_until, ends| ContractView {
        vm_id: vm.id,
        paid_until,
        ends,
        decide_by: None,
        avoidable_from: None,
        price: vm.contract.price,
        renewals: Vec::new(),
    };
    if let Some(last_day) = vm.cancel_date {
        return view(Some(begin_of(last_day)), true);
    }
    let Some(began_at) = vm.contract.began_at else { return view(None, false) };
    let notice_ends = now.saturating_add(NOTICE).unwrap_or(Timestamp::MAX);
    let horizon = now.saturating_add(HORIZON).unwrap_or(Timestamp::MAX);
    let mut renewals = renewals(began_at, months).skip_while(|renewal| *renewal <= now).peekable();
    let paid_until = renewals.peek().copied();
    let soon: Vec<Timestamp> = renewals.clone().take_while(|renewal| *renewal <= horizon).collect();
    let avoidable = renewals.find(|renewal| *renewal >= notice_ends);
    ContractView {
        decide_by: avoidable.and_then(|renewal| renewal.checked_sub(NOTICE).ok()),
        avoidable_from: avoidable,
        renewals: soon,
        ..view(paid_until, false)
    }
}

/// What a renewal of this VM costs.
pub fn renewal_cost(vm: &Vm) -> Option<Money> {
    vm.contract.price.map(|price| price.times(vm.contract.months.unwrap_or(1).max(1)))
}

/// What the renewals of the next four weeks cost, week by week; VMs without a known price are not in it.
pub fn weekly_costs(vms: &[Vm], now: Timestamp) -> [Vec<Money>; 4] {
    let week = HORIZON.as_secs() / 4;
    std::array::from_fn(|number| {
        let in_week = |renewal: &Timestamp| {
            let seconds = renewal.duration_since(now).as_secs();
            seconds.div_euclid(week).min(3) == i64::try_from(number).unwrap_or(i64::MAX)
        };
        let costs = vms.iter().filter(|vm| vm.state != VmState::Ended).flat_map(|vm| {
            let due = contract(vm, now).renewals.iter().filter(|renewal| in_week(renewal)).count();
            std::iter::repeat_n(renewal_cost(vm), due).flatten()
        });
        sums(costs)
    })
}

/// What the use of a VM costs for `used`, by the hour; the average month has 730 hours.
pub fn cost_of_use(price: Money, used: SignedDuration) -> Money {
    price.share(i128::from(used.as_secs()), 730 * 3600)
}

/// The end of a cancelled contract, as a moment by which nobody may use the VM any more; nothing, where it goes on.
pub fn usable_until(vm: &Vm) -> Option<Timestamp> {
    vm.cancel_date.map(|last_day| begin_of(last_day).saturating_sub(MARGIN).unwrap_or(Timestamp::MIN))
}

/// The first last day with which a VM may be given to an environment that ends at `expires_at`.
pub fn first_fitting_day(expires_at: Timestamp) -> Date {
    let free_at = expires_at.saturating_add(MARGIN).unwrap_or(Timestamp::MAX);
    let day = free_at.to_zoned(TimeZone::UTC).date();
    if begin_of(day) >= free_at { day } else { day.tomorrow().unwrap_or(Date::MAX) }
}

/// Whether the contract is over: its last day has passed everywhere.
pub fn is_over(last_day: Date, now: Timestamp) -> bool {
    let past = now.saturating_sub(SignedDuration::from_hours(12)).unwrap_or(Timestamp::MIN);
    last_day < past.to_zoned(TimeZone::UTC).date()
}

/// The calendar month of `now` begins here, as far as caps on spending count.
pub fn month_of(now: Timestamp) -> Timestamp {
    begin_of(now.to_zoned(TimeZone::UTC).date().first_of_month())
}

fn begin_of(day: Date) -> Timestamp {
    day.to_zoned(TimeZone::UTC).map_or(Timestamp::MAX, |zoned| zoned.timestamp())
}

/// Each renewal of a contract, counted from its beginning, so that a contract of the 31st renews on a last day.
fn renewals(began_at: Timestamp, months: u32) -> impl Iterator<Item = Timestamp> + Clone {
    let began = began_at.to_zoned(TimeZone::UTC);
    let months = i32::try_from(months).unwrap_or(RENEWALS_MAX);
    (1..=RENEWALS_MAX).map_while(move |number| {
        let ahead = number.checked_mul(months).filter(|ahead| *ahead <= RENEWALS_MAX)?;
        began.checked_add(ahead.months()).ok().map(|zoned| zoned.timestamp())
    })
}

#[cfg(test)]
mod tests;
