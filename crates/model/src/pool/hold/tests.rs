//! What may not be bought, and why.

use proptest::prelude::*;

use super::*;
use crate::pool::tests::{START, intent};

fn rules() -> OrderRules {
    OrderRules {
        allowed: true,
        owned_max: 5,
        month_max: Some(3),
        failures: 3,
        stop: Duration::from_mins(1),
        stop_max: Duration::from_mins(10),
        price: None,
        months: 1,
    }
}

fn order(number: u128, at: Timestamp, outcome: Outcome) -> Intent {
    let settled_at = (!outcome.is_open()).then_some(at);
    let answer = Some(format!("answer {number}"));
    Intent { outcome, created_at: at, settled_at, answer, ..intent(number, IntentKind::OrderVm) }
}

fn minute(number: u64) -> Timestamp {
    later(START, Duration::from_mins(number))
}

fn held(state: &PoolState, orders: &[Intent], owned: u64, own: Option<u128>, now: Timestamp) -> Option<Hold> {
    let own = own.map(|number| IntentId(uuid::Uuid::from_u128(number)));
    hold(&rules(), state, &Spending { orders, owned, own }, now)
}

fn failing(count: u64, outcome: Outcome) -> Vec<Intent> {
    (0..count).rev().map(|number| order(u128::from(number), minute(number), outcome)).collect()
}

#[test]
fn nothing_stands_in_the_way_of_the_first_order() {
    assert_eq!(held(&PoolState::default(), &[], 0, None, START), None);
}

#[test]
fn buying_that_is_not_allowed_and_a_pause_hold_everything() {
    let off = OrderRules { allowed: false, ..rules() };
    let spending = Spending { orders: &[], owned: 0, own: None };
    assert_eq!(hold(&off, &PoolState::default(), &spending, START), Some(Hold::Off));
    let pause = Pause { by: "ada".to_owned(), at: START, reason: Some("invoice".to_owned()) };
    let paused = PoolState { paused: Some(pause), ..PoolState::default() };
    let words = held(&paused, &[], 0, None, START).unwrap().to_string();
    assert!(words.contains("ada") && words.contains("invoice") && words.contains("`alfred vm pool resume`"), "{words}");
}

#[test]
fn the_cap_on_vms_counts_the_order_itself_once() {
    let state = PoolState::default();
    assert_eq!(held(&state, &[], 4, None, START), None);
    assert_eq!(held(&state, &[], 5, None, START), Some(Hold::Owned { owned: 5, limit: 5 }));
    let own = [order(1, START, Outcome::Open)];
    assert_eq!(held(&state, &own, 5, Some(1), START), None, "the fifth is this one");
    assert_eq!(held(&state, &own, 6, Some(1), START), Some(Hold::Owned { owned: 5, limit: 5 }), "another came first");
}

#[test]
fn the_cap_of_the_month_counts_what_may_have_bought() {
    let state = PoolState::default();
    let now = "2026-03-31T23:00:00Z".parse().unwrap();
    let at = "2026-03-01T00:00:00Z".parse().unwrap();
    let count = |outcomes: [Outcome; 3]| {
        let orders: Vec<Intent> =
            (0_u128..).zip(outcomes).map(|(number, outcome)| order(number, at, outcome)).collect();
        held(&state, &orders, 0, None, now)
    };
    assert_eq!(count([Outcome::Done; 3]), Some(Hold::Month { ordered: 3, limit: 3 }));
    let month = Some(Hold::Month { ordered: 3, limit: 3 });
    assert_eq!(count([Outcome::Done, Outcome::Unknown, Outcome::Open]), month, "nobody knows that they did not");
    assert_eq!(count([Outcome::Done, Outcome::Abandoned, Outcome::Done]), month);
    assert_eq!(count([Outcome::Done, Outcome::Rejected, Outcome::Done]), None);
    assert_eq!(count([Outcome::Done, Outcome::NotSent, Outcome::Done]), None);
    let orders: Vec<Intent> = (0..3).map(|number| order(number, at, Outcome::Done)).collect();
    let next_month = "2026-04-01T00:00:00Z".parse().unwrap();
    assert_eq!(held(&state, &orders, 0, None, next_month), None);
}

#[test]
fn orders_that_fail_one_after_the_other_stop_the_next() {
    let state = PoolState::default();
    for outcome in [Outcome::Rejected, Outcome::Unknown, Outcome::Abandoned] {
        let two = failing(2, outcome);
        let free = OrderRules { month_max: None, ..rules() };
        let look = |orders: &[Intent], now| hold(&free, &state, &Spending { orders, owned: 0, own: None }, now);
        assert_eq!(look(&two, minute(1)), None, "{outcome}: two are chance");
        let three = failing(3, outcome);
        let stopped = look(&three, minute(2)).unwrap();
        let expected = Hold::Failing { failures: 3, until: minute(3), words: "answer 2".to_owned() };
        assert_eq!(stopped, expected, "{outcome}");
        assert_eq!(look(&three, minute(3)), None, "{outcome}: then one is tried");
        let five = failing(5, outcome);
        assert!(look(&five, minute(7)).is_some(), "{outcome}: the stop doubles with each failure");
        assert_eq!(look(&five, minute(8)), None, "{outcome}");
        let many = failing(60, outcome);
        assert!(
            look(&many, minute(68)).is_some() && look(&many, minute(69)).is_none(),
            "{outcome}: ten minutes at most"
        );
        let mut mended = three.clone();
        mended.insert(0, order(9, minute(3), Outcome::Done));
        assert_eq!(look(&mended, minute(3)), None, "{outcome}: one that works ends it");
        let mut trying = three.clone();
        trying.insert(0, order(9, minute(3), Outcome::Open));
        assert!(look(&trying, minute(3)).is_some(), "{outcome}: while one is tried, the others wait");
        let unsent = [order(9, minute(3), Outcome::NotSent), three[0].clone(), three[1].clone()];
        assert_eq!(look(&unsent, minute(2)), None, "{outcome}: what was not sent says nothing");
    }
}

#[test]
fn a_person_who_resumes_forgives() {
    let three = failing(3, Outcome::Rejected);
    let resumed = |at| PoolState { resumed_at: Some(at), ..PoolState::default() };
    assert_eq!(held(&resumed(minute(3)), &three, 0, None, minute(2)), None);
    assert!(held(&resumed(START), &three, 0, None, minute(2)).is_some(), "not what came after");
}

#[test]
fn the_state_reads_what_an_older_version_wrote() {
    let state: PoolState = serde_json::from_str("{}").unwrap();
    assert_eq!(state, PoolState::default());
    let pause = Pause { by: "ada".to_owned(), at: START, reason: None };
    let all = PoolState { paused: Some(pause), resumed_at: Some(START), short_since: Some(START), ..state };
    assert_eq!(serde_json::from_str::<PoolState>(&serde_json::to_string(&all).unwrap()).unwrap(), all);
}

proptest! {
    /// However many replicas count at once, each before and after its own order is written: no cap is passed.
    #[test]
    fn of_orders_that_are_counted_twice_none_passes_a_cap(
        before in 0_u64..6,
        racers in 1_usize..8,
        owned_max in 0_u32..6,
        month_max in prop::option::of(0_u32..6),
    ) {
        let rules = OrderRules { owned_max, month_max, ..rules() };
        let state = PoolState::default();
        let mut orders: Vec<Intent> =
            (0..before).map(|number| order(u128::from(number), START, Outcome::Done)).collect();
        let first = Spending { orders: &orders, owned: before, own: None };
        if hold(&rules, &state, &first, START).is_some() {
            return Ok(());
        }
        // All looked before any wrote.
        let ids: Vec<u128> = (100..).take(racers).collect();
        for id in &ids {
            orders.insert(0, order(*id, START, Outcome::Open));
        }
        let owned = before + u64::try_from(racers).unwrap();
        let sent = ids.iter().filter(|id| {
            let own = Some(IntentId(uuid::Uuid::from_u128(**id)));
            hold(&rules, &state, &Spending { orders: &orders, owned, own }, START).is_none()
        }).count();
        let sent = u64::try_from(sent).unwrap();
        prop_assert!(before + sent <= u64::from(owned_max));
        prop_assert!(month_max.is_none_or(|limit| before + sent <= u64::from(limit)));
    }
}
