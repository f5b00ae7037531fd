//! Ends of months, notices, and what four weeks cost.

use proptest::prelude::*;

use super::*;
use crate::pool::tests::vm;
use crate::vm::{Contract, VmStep};

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn money(text: &str) -> Money {
    text.parse().unwrap()
}

fn bought(began_at: &str, months: u32) -> Vm {
    let contract = Contract { began_at: Some(time(began_at)), months: Some(months), price: Some(money("5.50 EUR")) };
    Vm { contract, ..vm(VmState::Ready, VmStep::Settled) }
}

#[test]
fn a_month_that_begins_on_the_31st_ends_on_a_last_day() {
    let vm = bought("2026-01-31T10:00:00Z", 1);
    let paid = |now: &str| contract(&vm, time(now)).paid_until.unwrap().to_string();
    assert_eq!(paid("2026-01-31T10:00:00Z"), "2026-02-28T10:00:00Z");
    assert_eq!(paid("2026-02-28T09:59:59Z"), "2026-02-28T10:00:00Z");
    assert_eq!(paid("2026-02-28T10:00:00Z"), "2026-03-31T10:00:00Z", "the 31st again, not the 28th");
    let year = bought("2026-01-31T10:00:00Z", 12);
    assert_eq!(contract(&year, time("2026-06-01T00:00:00Z")).paid_until, Some(time("2027-01-31T10:00:00Z")));
}

#[test]
fn a_decision_is_due_four_weeks_before_the_renewal_that_it_avoids() {
    let vm = bought("2026-03-10T00:00:00Z", 1);
    let view = contract(&vm, time("2026-03-11T00:00:00Z"));
    assert_eq!(view.avoidable_from, Some(time("2026-04-10T00:00:00Z")));
    assert_eq!(view.decide_by, Some(time("2026-03-13T00:00:00Z")));
    let late = contract(&vm, time("2026-03-13T00:00:01Z"));
    assert_eq!(late.paid_until, Some(time("2026-04-10T00:00:00Z")));
    assert_eq!(late.avoidable_from, Some(time("2026-05-10T00:00:00Z")), "that renewal is paid for already");
    assert_eq!(late.decide_by, Some(time("2026-04-12T00:00:00Z")));
    assert_eq!(late.renewals, [time("2026-04-10T00:00:00Z")]);
}

#[test]
fn a_cancelled_contract_has_an_end_and_nothing_to_decide() {
    let last_day = jiff::civil::date(2026, 4, 9);
    let vm = Vm { cancel_date: Some(last_day), ..bought("2026-03-10T00:00:00Z", 1) };
    let view = contract(&vm, time("2026-03-11T00:00:00Z"));
    assert!(view.ends && view.decide_by.is_none() && view.renewals.is_empty());
    assert_eq!(view.paid_until, Some(time("2026-04-09T00:00:00Z")));
    assert_eq!(usable_until(&vm), Some(time("2026-04-08T00:00:00Z")));
    assert!(!is_over(last_day, time("2026-04-10T11:59:59Z")), "the day may still last where the provider is");
    assert!(is_over(last_day, time("2026-04-10T12:00:00Z")));
    assert_eq!(usable_until(&bought("2026-03-10T00:00:00Z", 1)), None);
}

#[test]
fn of_a_vm_whose_beginning_is_unknown_nothing_is_claimed() {
    let view = contract(&vm(VmState::Ready, VmStep::Settled), time("2026-03-11T00:00:00Z"));
    assert_eq!((view.paid_until, view.decide_by, view.ends), (None, None, false));
    assert!(view.renewals.is_empty());
}

#[test]
fn costs_fall_into_the_week_of_their_renewal() {
    let now = time("2026-03-01T00:00:00Z");
    let vms = [
        bought("2026-02-02T00:00:00Z", 1),
        bought("2026-02-09T00:00:00Z", 1),
        bought("2026-02-09T06:00:00Z", 1),
        Vm { cancel_date: Some(jiff::civil::date(2026, 3, 12)), ..bought("2026-02-12T00:00:00Z", 1) },
        bought("2025-03-20T00:00:00Z", 12),
        vm(VmState::Ready, VmStep::Settled),
        Vm { state: VmState::Ended, ..bought("2026-02-02T00:00:00Z", 1) },
    ];
    let [first, second, third, fourth] = weekly_costs(&vms, now);
    assert_eq!(first, [money("5.50 EUR")]);
    assert_eq!(second, [money("11.00 EUR")]);
    assert_eq!(third, [money("66.00 EUR")], "a year at once");
    assert_eq!(fourth, []);
}

#[test]
fn use_is_counted_by_the_hour() {
    let price = money("7.30 EUR");
    assert_eq!(cost_of_use(price, SignedDuration::from_hours(730)), price);
    assert_eq!(cost_of_use(price, SignedDuration::from_hours(1)), money("0.01 EUR"));
    assert_eq!(cost_of_use(price, SignedDuration::from_hours(-1)), money("0 EUR"));
}

#[test]
fn caps_count_by_the_calendar_month() {
    assert_eq!(month_of(time("2026-03-31T23:59:59Z")), time("2026-03-01T00:00:00Z"));
    assert_eq!(month_of(time("2026-03-01T00:00:00Z")), time("2026-03-01T00:00:00Z"));
}

proptest! {
    #[test]
    fn a_contract_s_times_agree_with_each_other(
        began in 1_700_000_000_i64..1_900_000_000,
        after in 0_i64..400_000_000,
        months in prop::sample::select(vec![1_u32, 12, 24]),
    ) {
        let began_at = Timestamp::from_second(began).unwrap();
        let now = Timestamp::from_second(began + after).unwrap();
        let mut row = bought("2026-03-10T00:00:00Z", months);
        row.contract.began_at = Some(began_at);
        let view = contract(&row, now);
        let paid_until = view.paid_until.unwrap();
        let length = SignedDuration::from_hours(24 * 31 * i64::from(months));
        prop_assert!(paid_until > now && paid_until.duration_since(now) <= length);
        let (decide_by, avoidable) = (view.decide_by.unwrap(), view.avoidable_from.unwrap());
        prop_assert!(decide_by >= now, "there is time left to decide");
        prop_assert_eq!(avoidable.duration_since(decide_by), NOTICE);
        prop_assert!(avoidable >= paid_until);
        let missed = contract(&row, decide_by + SignedDuration::from_secs(1));
        prop_assert!(missed.avoidable_from.unwrap() > avoidable, "a missed decision costs another term");
        prop_assert!(view.renewals.iter().all(|renewal| *renewal > now && renewal.duration_since(now) <= HORIZON));
    }

    /// Who is given a VM on the first fitting day is gone a day before it ends.
    #[test]
    fn the_first_fitting_day_leaves_a_day(seconds in 1_700_000_000_i64..1_900_000_000) {
        let expires_at = Timestamp::from_second(seconds).unwrap();
        let day = first_fitting_day(expires_at);
        let fits = |last_day| {
            let row = Vm { cancel_date: Some(last_day), ..vm(VmState::Retiring, VmStep::Settled) };
            usable_until(&row).unwrap() >= expires_at
        };
        prop_assert!(fits(day));
        prop_assert!(!fits(day.yesterday().unwrap()));
    }
}
