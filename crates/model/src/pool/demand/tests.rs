//! What the past says of the next hour, and how many were busy at once.

use proptest::prelude::*;

use super::*;

const LEAD: Duration = Duration::from_mins(20);
const FORECAST: Wanted = Wanted::Forecast { at_least: 0, at_most: 100 };

fn now() -> Timestamp {
    "2026-03-20T12:00:00Z".parse().unwrap()
}

fn ago(minutes: i64) -> Timestamp {
    now() - SignedDuration::from_mins(minutes)
}

fn life(from: i64, to: Option<i64>) -> Life {
    Life { from: ago(from), to: to.map(ago) }
}

#[test]
fn a_fixed_number_is_what_it_is() {
    let busy: Vec<Life> = (0..500).map(|minute| life(minute, None)).collect();
    assert_eq!(wanted(Wanted::Fixed(3), &[], now(), LEAD), 3);
    assert_eq!(wanted(Wanted::Fixed(3), &busy, now(), LEAD), 3);
}

#[test]
fn without_a_past_the_least_is_wanted() {
    assert_eq!(wanted(FORECAST, &[], now(), LEAD), 0);
    assert_eq!(wanted(Wanted::Forecast { at_least: 2, at_most: 9 }, &[], now(), LEAD), 2);
}

#[test]
fn a_busy_day_wants_ready_vms_and_a_quiet_week_forgets_them() {
    // One every ten minutes for two days: two in the time that a VM takes, and a few more to be sure.
    let busy: Vec<Life> = (0..288).map(|number| life(number * 10, None)).collect();
    let wanted_now = wanted(FORECAST, &busy, now(), LEAD);
    assert!((3..=6).contains(&wanted_now), "{wanted_now}");
    let later = now() + SignedDuration::from_hours(24 * 21);
    assert_eq!(wanted(FORECAST, &busy, later, LEAD), 0);
    assert_eq!(wanted(Wanted::Forecast { at_least: 0, at_most: 2 }, &busy, now(), LEAD), 2, "the cap holds");
}

#[test]
fn the_same_hours_of_other_days_are_expected_again() {
    // Thirty at noon of each of the last seven days, nothing else.
    let noons = (1..=7).flat_map(|day| (0..30).map(move |number| life(day * 24 * 60 - number, None)));
    let noons: Vec<Life> = noons.collect();
    let at_noon = wanted(FORECAST, &noons, now(), LEAD);
    let at_midnight = wanted(FORECAST, &noons, now() + SignedDuration::from_hours(12), LEAD);
    assert!(at_noon >= 10, "{at_noon}");
    assert!(at_midnight < at_noon / 2, "{at_midnight} at midnight, {at_noon} at noon");
}

#[test]
fn the_peak_counts_who_was_there_at_once() {
    assert_eq!(peak(&[], now()), 0);
    assert_eq!(peak(&[life(50, Some(40)), life(30, Some(20)), life(10, None)], now()), 1);
    assert_eq!(peak(&[life(50, Some(25)), life(30, Some(20)), life(22, None)], now()), 2);
    assert_eq!(peak(&[life(50, Some(30)), life(30, Some(20))], now()), 1, "a VM that is given on serves both");
    let month = 28 * 24 * 60;
    assert_eq!(peak(&[life(month + 90, Some(month + 5)), life(month + 80, Some(month + 5))], now()), 0, "forgotten");
    assert_eq!(peak(&[life(month + 90, None), life(month + 80, Some(5))], now()), 2, "still there within the month");
}

#[test]
fn enough_is_enough_in_nineteen_of_twenty_cases() {
    // From tables of the Poisson distribution.
    for (expected, number) in [(0.0, 0), (0.05, 0), (0.06, 1), (1.0, 3), (2.0, 5), (5.0, 9), (10.0, 15), (100.0, 117)] {
        assert_eq!(covering(expected), number, "{expected}");
    }
    assert_eq!([covering(f64::NAN), covering(-1.0), covering(1e300)], [0, 0, FORECAST_MAX]);
}

proptest! {
    #[test]
    fn more_is_never_wanted_than_allowed_nor_fewer(
        starts in prop::collection::vec(-1000_i64..100_000, 0..200),
        at_least in 0_u32..5,
        at_most in 0_u32..20,
    ) {
        let lives: Vec<Life> = starts.iter().map(|minutes| life(*minutes, None)).collect();
        let number = wanted(Wanted::Forecast { at_least, at_most }, &lives, now(), LEAD);
        prop_assert!(number <= at_most && number >= at_least.min(at_most));
    }

    #[test]
    fn the_peak_is_at_least_who_is_there_now(
        spans in prop::collection::vec((0_i64..50_000, prop::option::of(0_i64..50_000)), 0..60),
    ) {
        let lives: Vec<Life> =
            spans.iter().map(|(from, length)| Life { from: ago(*from), to: length.map(|length| ago(from - length.min(*from))) }).collect();
        let there = lives.iter().filter(|life| life.to.is_none()).count();
        let most = usize::try_from(peak(&lives, now())).unwrap();
        prop_assert!(most >= there && most <= lives.len());
    }
}
