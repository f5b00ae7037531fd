use proptest::prelude::*;

use jiff::{SignedDuration, Timestamp};

use super::*;

fn at(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(1_800_000_000_000 + milliseconds).unwrap()
}

fn seconds(count: i64) -> Timestamp {
    at(count * 1_000)
}

fn reading(remaining: u32, reset: u64, quota: Option<u32>) -> Reading {
    Reading { name: "default".to_owned(), remaining, reset: Some(Duration::from_secs(reset)), quota }
}

/// Takes one by one until none is left.
fn drain(ledger: &mut Ledger, allowance: Allowance, now: Timestamp, priority: Priority) -> u32 {
    let mut taken = 0;
    while let Ok(grant) = ledger.take(allowance, now, priority, 7) {
        taken += grant.granted;
    }
    taken
}

/// The most of `times` (sorted) within any span shorter than the window.
fn fullest_window(times: &[i64]) -> usize {
    let window = i64::try_from(WINDOW.as_millis()).unwrap();
    let mut first = 0;
    let mut fullest = 0;
    for (last, time) in times.iter().enumerate() {
        while time - times[first] >= window {
            first += 1;
        }
        fullest = fullest.max(last - first + 1);
    }
    fullest
}

fn take() -> impl Strategy<Value = (i64, usize, u32, u64)> {
    // Pauses, mostly short; who asks; for how many; and how much of the grant's time passes before the call.
    (prop_oneof![4 => 0_i64..800, 1 => 0_i64..90_000], 0_usize..4, 1_u32..40, 0_u64..=1_000)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_window_holds_more_than_the_allowance(share in 1_u32..=100, takes in prop::collection::vec(take(), 1..1_500)) {
        let allowance = Allowance::of_share(share);
        // Replicas know of each other through the text alone.
        let mut text = Ledger::default().to_text();
        let (mut clock, mut times) = (0, Vec::new());
        for (pause, priority, want, late) in takes {
            clock += pause;
            let mut ledger = Ledger::from_text(&text).unwrap();
            match ledger.take(allowance, at(clock), Priority::ALL[priority], want) {
                Ok(grant) => {
                    prop_assert!(grant.granted >= 1 && grant.granted <= want);
                    let span = grant.until.duration_since(at(clock));
                    prop_assert!(span >= SignedDuration::from_secs(1) && span <= SignedDuration::from_secs(6), "{span:?}");
                    let latest = i64::try_from(span.as_millis()).unwrap() - 1;
                    let used = clock + latest * i64::try_from(late).unwrap() / 1_000;
                    times.extend(std::iter::repeat_n(used, usize::try_from(grant.granted).unwrap()));
                }
                Err(NotBefore(time)) => {
                    prop_assert!(time > at(clock));
                    prop_assert!(time <= at(clock) + LONGEST_WAIT);
                }
            }
            text = ledger.to_text();
            prop_assert!(text.len() < 4_096, "{} bytes", text.len());
        }
        times.sort_unstable();
        prop_assert!(fullest_window(&times) <= usize::try_from(allowance.calls()).unwrap());
    }

    #[test]
    fn a_clock_that_is_set_back_lets_nothing_more_through(
        share in 1_u32..=100,
        takes in prop::collection::vec((take(), prop_oneof![20 => Just(0_i64), 1 => 1_i64..20_000, 1 => 1_i64..90_000_000]), 1..1_500),
    ) {
        let allowance = Allowance::of_share(share);
        let mut ledger = Ledger::default();
        let (mut real, mut behind, mut times) = (0, 0, Vec::new());
        for ((pause, priority, want, late), set_back) in takes {
            real += pause;
            behind += set_back;
            let now = at(real - behind);
            match ledger.take(allowance, now, Priority::ALL[priority], want) {
                Ok(grant) => {
                    let span = i64::try_from(grant.until.duration_since(now).as_millis()).unwrap() - 1;
                    let used = real + span * i64::try_from(late).unwrap() / 1_000;
                    times.extend(std::iter::repeat_n(used, usize::try_from(grant.granted).unwrap()));
                }
                Err(NotBefore(time)) => prop_assert!(time > now && time <= now + LONGEST_WAIT, "{}", time.duration_since(now)),
            }
        }
        times.sort_unstable();
        prop_assert!(fullest_window(&times) <= usize::try_from(allowance.calls()).unwrap());
    }

    #[test]
    fn whoever_waits_as_told_is_not_told_the_same_again(
        share in 1_u32..=100,
        priority in 0_usize..4,
        takes in prop::collection::vec(take(), 1..400),
    ) {
        let (allowance, priority) = (Allowance::of_share(share), Priority::ALL[priority]);
        let mut ledger = Ledger::default();
        let mut clock = 0;
        for (pause, other, want, _) in takes {
            clock += pause;
            let _ = ledger.take(allowance, at(clock), Priority::ALL[other], want);
        }
        if let Err(NotBefore(time)) = ledger.take(allowance, at(clock), priority, 1) {
            let just_before = time - SignedDuration::from_millis(1);
            prop_assert!(ledger.clone().take(allowance, just_before, priority, 1).is_err(), "it could have been told earlier");
            prop_assert!(ledger.take(allowance, time, priority, 1).is_ok());
        }
    }

    #[test]
    fn text_is_read_back_or_refused(
        takes in prop::collection::vec(take(), 0..200),
        block in prop::option::of(0_u64..100_000),
        remaining in prop::option::of(0_u32..1_200),
        place in any::<prop::sample::Index>(),
        junk in any::<char>(),
    ) {
        let mut ledger = Ledger::default();
        let mut clock = 0;
        for (pause, priority, want, _) in takes {
            clock += pause;
            let _ = ledger.take(Allowance::default(), at(clock), Priority::ALL[priority], want);
        }
        if let Some(remaining) = remaining {
            ledger.believe(Allowance::default(), at(clock), &reading(remaining, 77, Some(1_200)), 2);
        }
        if let Some(length) = block {
            ledger.block(at(clock), Duration::from_secs(length));
        }
        let text = ledger.to_text();
        prop_assert_eq!(Ledger::from_text(&text), Ok(ledger));
        // Cut anywhere, it is no ledger; with a strange character in it, it does not panic.
        let cut = place.index(text.len());
        prop_assert!(Ledger::from_text(&text[..cut]).is_err());
        let _ = Ledger::from_text(&format!("{}{junk}{}", &text[..cut], &text[cut..]));
    }
}

#[test]
fn nonsense_is_no_empty_ledger() {
    let long = format!(r#"{{"version":1,"slots":[{}]}}"#, vec!["[1,0,0,0,0]"; 2_000].join(","));
    let many = (0..129).map(|number| format!("[{number},0,0,0,1]")).collect::<Vec<_>>().join(",");
    let many = format!(r#"{{"version":1,"slots":[{many}]}}"#);
    for text in [
        "",
        "{}",
        "null",
        "[]",
        "0",
        r#"{"version":1}"#,
        r#"{"version":2,"slots":[]}"#,
        r#"{"version":1,"slots":[],"more":1}"#,
        r#"{"version":1,"slots":[[1,0,0,0]]}"#,
        r#"{"version":1,"slots":[[2,0,0,0,1],[1,0,0,0,1]]}"#,
        r#"{"version":1,"slots":[[1,0,0,0,1],[1,0,0,0,1]]}"#,
        r#"{"version":1,"slots":[[1,0,0,0,-1]]}"#,
        r#"{"version":1,"slots":[[1,0,0,0,4294967295]]}"#,
        r#"{"version":1,"slots":[[9223372036854775807,0,0,0,1]]}"#,
        r#"{"version":1,"slots":[],"block":{"until":"soon","length":5}}"#,
        r#"{"version":1,"slots":[],"block":{"until":"2027-01-01T00:00:00Z","length":86400001}}"#,
        &long,
        &many,
    ] {
        let error = Ledger::from_text(text).expect_err(text);
        assert!(error.to_string().starts_with("the ledger of the API budget cannot be read: "), "{error}");
    }
    assert_eq!(Ledger::from_text(r#"{"version":1,"slots":[]}"#), Ok(Ledger::default()));
}

#[test]
fn each_leaves_what_is_reserved_for_those_before_it() {
    let allowance = Allowance::default();
    assert_eq!(allowance.calls(), 1_080);
    // 324, 162, 54 and 0 are reserved; 10, 32 and 21 are set aside for the others.
    for (priority, most) in [
        (Priority::Audit, 1_080 - 324 - 32 - 21),
        (Priority::Read, 1_080 - 162 - 10 - 21),
        (Priority::NewName, 1_080 - 54 - 10 - 32),
        (Priority::Deletion, 1_080 - 10 - 32 - 21),
    ] {
        assert_eq!(drain(&mut Ledger::default(), allowance, seconds(0), priority), most, "{priority:?}");
    }
    let mut ledger = Ledger::default();
    let audits = drain(&mut ledger, allowance, seconds(0), Priority::Audit);
    let reads = drain(&mut ledger, allowance, seconds(0), Priority::Read);
    let names = drain(&mut ledger, allowance, seconds(0), Priority::NewName);
    let deletions = drain(&mut ledger, allowance, seconds(0), Priority::Deletion);
    assert_eq!((audits, reads, names), (703, 194, 129), "each comes after a flood of those behind it");
    assert_eq!((deletions, ledger.remaining(allowance, seconds(0))), (54, 0), "and all of it can be used");
}

/// The others take all they can get at every moment; audits come last every time.
#[test]
fn audits_end_under_constant_pressure() {
    for share in [1, 30, 90, 100] {
        let allowance = Allowance::of_share(share);
        for (pressed, trickle) in [(Priority::Audit, 1), (Priority::Read, 3), (Priority::NewName, 2)] {
            let mut ledger = Ledger::default();
            let mut granted = Vec::new();
            for second in 0..3_000 {
                for priority in Priority::ALL.into_iter().filter(|priority| *priority != pressed) {
                    drain(&mut ledger, allowance, seconds(second), priority);
                }
                if ledger.take(allowance, seconds(second), pressed, 1).is_ok() {
                    granted.push(second);
                }
            }
            let trickle = usize::try_from((allowance.calls() * trickle / 100).max(1)).unwrap();
            let longest = i64::try_from(LONGEST_WAIT.as_secs()).unwrap();
            assert!(granted.len() >= trickle * 9, "{share} %, {pressed:?}: {granted:?}");
            for (first, last) in granted.iter().zip(granted.iter().skip(trickle)) {
                assert!(last - first <= longest, "{share} %, {pressed:?}: {trickle} calls took {}", last - first);
            }
        }
    }
}

#[test]
fn the_servers_count_is_believed_where_it_is_lower() {
    let allowance = Allowance::default();
    let mut ledger = Ledger::default();
    ledger.believe(allowance, seconds(0), &reading(123, 30, Some(1_200)), 0);
    assert_eq!(ledger.remaining(allowance, seconds(0)), 3, "120 of 1,200 are kept back");
    // An answer that was overtaken does not raise the count again; a new window of the server's does.
    ledger.believe(allowance, seconds(1), &reading(900, 29, Some(1_200)), 0);
    assert_eq!(ledger.remaining(allowance, seconds(1)), 3);
    assert_eq!(drain(&mut ledger, allowance, seconds(1), Priority::Deletion), 3);
    assert_eq!(ledger.take(allowance, seconds(2), Priority::Deletion, 1), Err(NotBefore(seconds(30))));
    assert!(ledger.take(allowance, seconds(30), Priority::Deletion, 1).is_ok(), "our own count holds again");
    ledger.believe(allowance, seconds(31), &reading(200, 300, Some(1_200)), 5);
    assert_eq!(ledger.remaining(allowance, seconds(31)), 75, "calls under way may not be in it");
    assert_eq!(ledger.take(allowance, seconds(31), Priority::NewName, 1).map(|grant| grant.granted), Ok(1));
    // 74 are left: no read beyond its trickle, which is 32 calls.
    assert_eq!(drain(&mut ledger, allowance, seconds(32), Priority::Read), 32);
    assert_eq!(ledger.take(allowance, seconds(32), Priority::Read, 1), Err(NotBefore(seconds(331))));
    let mut small = Ledger::default();
    small.believe(allowance, seconds(0), &reading(1, 60, Some(1)), 0);
    assert_eq!(small.remaining(allowance, seconds(0)), 1, "of a quota of one, that one is ours");
}

#[test]
fn the_counts_of_a_hostile_server_stay_few() {
    let mut ledger = Ledger::default();
    for number in 0..100 {
        let name = format!("{number}{}", "ü".repeat(500));
        let hostile = Reading { name, remaining: u32::MAX, reset: Some(Duration::MAX), quota: Some(u32::MAX) };
        ledger.believe(Allowance::default(), seconds(0), &hostile, u32::MAX);
    }
    let text = ledger.to_text();
    assert!(text.len() < 8_192, "{} bytes", text.len());
    assert_eq!(Ledger::from_text(&text), Ok(ledger.clone()));
    assert_eq!(ledger.remaining(Allowance::default(), seconds(0)), 0);
    assert_eq!(ledger.remaining(Allowance::default(), seconds(86_400)), 1_080);
}

#[test]
fn a_block_holds_for_all_and_is_not_made_shorter() {
    let allowance = Allowance::default();
    let mut ledger = Ledger::default();
    ledger.block(seconds(0), Duration::from_mins(5));
    ledger.block(seconds(1), Duration::from_secs(1));
    for priority in Priority::ALL {
        assert_eq!(ledger.take(allowance, seconds(299), priority, 1), Err(NotBefore(seconds(300))));
    }
    assert_eq!(ledger.blocked_until(seconds(299)), Some(seconds(300)));
    assert_eq!(ledger.remaining(allowance, seconds(299)), 0);
    assert_eq!(ledger.blocked_until(seconds(300)), None);
    assert!(ledger.take(allowance, seconds(300), Priority::Audit, 1).is_ok());
}

#[test]
fn a_clock_that_is_set_back_does_not_stop_us_for_longer_than_a_window() {
    let allowance = Allowance::of_share(1);
    let mut ledger = Ledger::default();
    assert_eq!(drain(&mut ledger, allowance, seconds(0), Priority::Deletion), 9);
    ledger.block(seconds(0), Duration::from_mins(1));
    let earlier = seconds(-86_400);
    let later = |seconds: i64| earlier + SignedDuration::from_secs(seconds);
    assert_eq!(ledger.take(allowance, earlier, Priority::Deletion, 1), Err(NotBefore(later(70))));
    assert_eq!(ledger.take(allowance, later(70), Priority::Deletion, 1), Err(NotBefore(later(315))));
    assert!(ledger.take(allowance, later(315), Priority::Deletion, 1).is_ok());
}

#[test]
fn a_share_is_between_one_and_a_hundred_percent() {
    let calls = [0, 1, 50, 90, 100, 101, u32::MAX].map(|share| Allowance::of_share(share).calls());
    assert_eq!(calls, [12, 12, 600, 1_080, 1_200, 1_200, 1_200]);
    assert_eq!(Allowance::default().share(), DEFAULT_SHARE);
}
