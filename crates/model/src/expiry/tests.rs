use proptest::prelude::*;

use super::*;
use crate::environment::{OnFailure, Setup, Step};
use crate::id::EnvironmentId;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn hours(count: u64) -> Duration {
    Duration::from_hours(count)
}

fn environment(expiry: Expiry) -> Environment {
    let mut environment = Environment {
        id: EnvironmentId(uuid::Uuid::from_u128(1)),
        slug: "brave-tiger".parse().unwrap(),
        domain: "brave-tiger.alfredos.site".parse().unwrap(),
        status: Status::Active,
        step: Step::Settled,
        wish: Wish::Present,
        owner: "anna".parse().unwrap(),
        vm_id: None,
        address: None,
        record_id: None,
        setup: Setup::default(),
        on_failure: OnFailure::Pool,
        attempts: 0,
        step_since: at(0),
        assigned_at: None,
        released_at: None,
        wake_at: None,
        reason: None,
        attention: false,
        expires_at: None,
        warn_at: None,
        warned_at: None,
        expiry_bound: None,
        batch: None,
        created_at: at(0),
        updated_at: at(0),
        version: 0,
    };
    environment.set_expiry(expiry);
    environment
}

fn bound(seconds: i64) -> ExpiryBound {
    ExpiryBound { at: at(seconds), reason: "its VM's contract ends on 2027-02-01".to_owned() }
}

#[test]
fn the_warning_comes_a_tenth_before_within_bounds() {
    let rules = Rules::platform();
    for (life, before) in [(10, 5), (60, 6), (600, 60), (24 * 60 * 30, 24 * 60)] {
        assert_eq!(rules.warn_before(Duration::from_mins(life)), Duration::from_mins(before), "{life} min");
    }
    let short = Expiry::after(Some(Duration::from_mins(5)), at(0), &rules);
    assert_eq!((short.at, short.warn_at), (Some(at(300)), Some(at(0))), "as early as there is time");
}

#[test]
fn what_may_be_asked_for() {
    use AskedLife::{Endless, For, Usual};
    use Asker::{Administrator, Member};

    let plain = Rules::platform();
    let strict = Rules { usual: Some(hours(100)), most: Some(hours(48)), ..Rules::platform() };
    let granted = |rules: &Rules, asked, asker| rules.granted(asked, asker);
    assert_eq!(granted(&plain, Usual, Member), Ok(None));
    assert_eq!(granted(&plain, Endless, Member), Ok(None));
    assert_eq!(granted(&plain, For(LONGEST), Member), Ok(Some(LONGEST)));
    let too_long = LONGEST + Duration::from_secs(1);
    assert_eq!(granted(&plain, For(too_long), Administrator), Err(BadLife::TooLong { most: LONGEST }));
    let too_short = For(Duration::from_secs(299));
    assert_eq!(granted(&plain, too_short, Member), Err(BadLife::TooShort { least: Duration::from_mins(5) }));
    assert_eq!(granted(&strict, Usual, Member), Ok(Some(hours(48))), "the usual is never more than allowed");
    assert_eq!(granted(&strict, Usual, Administrator), Ok(Some(hours(100))));
    assert_eq!(granted(&strict, Endless, Member), Err(BadLife::TooLong { most: hours(48) }));
    assert_eq!(granted(&strict, Endless, Administrator), Ok(None));
    assert_eq!(granted(&strict, For(hours(49)), Member), Err(BadLife::TooLong { most: hours(48) }));
    assert_eq!(granted(&strict, For(hours(49)), Administrator), Ok(Some(hours(49))));
    let only_most = Rules { most: Some(hours(48)), ..Rules::platform() };
    assert_eq!(granted(&only_most, Usual, Member), Ok(Some(hours(48))), "who says nothing gets what is allowed");
    let words = BadLife::TooLong { most: hours(36) }.to_string();
    assert_eq!(words, "a time to live is at most 1d 12h here: ask for less, and extend it later");
}

#[test]
fn a_late_warning_puts_the_end_off() {
    let rules = Rules::platform();
    let expiry = Expiry::after(Some(hours(10)), at(0), &rules);
    let Some(Due::Warn(warned)) = expiry.due(at(100_000), &rules) else { panic!("it is due") };
    assert_eq!((warned.at, warned.warned_at), (Some(at(100_300)), Some(at(100_000))));
    assert_eq!(warned.due(at(100_299), &rules), None);
    assert_eq!(warned.due(at(100_300), &rules), Some(Due::Delete));
    let bounded = Expiry { bound: Some(bound(36_000)), ..expiry };
    let Some(Due::Warn(warned)) = bounded.due(at(100_000), &rules) else { panic!("it is due") };
    assert_eq!(warned.at, Some(at(36_000)), "a contract that is over is over");
}

#[test]
fn an_extension_never_shortens() {
    let rules = Rules::platform();
    let row = environment(Expiry::after(Some(hours(10)), at(0), &rules));
    assert_eq!(extended(&row, Some(hours(1)), at(60), &rules), Ok(row.expiry()));
    let longer = extended(&row, Some(hours(20)), at(60), &rules).unwrap();
    assert_eq!((longer.at, longer.warned_at), (Some(at(60 + 72_000)), None));
    assert_eq!(extended(&row, None, at(60), &rules), Ok(Expiry::default()));
    let endless = environment(Expiry::default());
    assert_eq!(extended(&endless, Some(hours(1)), at(60), &rules), Ok(Expiry::default()));
}

#[test]
fn what_is_being_deleted_is_not_extended() {
    let rules = Rules::platform();
    let mut row = environment(Expiry::after(Some(hours(10)), at(0), &rules));
    row.wish = Wish::Absent;
    assert_eq!(extended(&row, Some(hours(20)), at(60), &rules), Err(ExtensionRefused::Deleted));
    row.wish = Wish::Present;
    row.status = Status::Deleted;
    assert_eq!(extended(&row, None, at(60), &rules), Err(ExtensionRefused::Deleted));
}

#[test]
fn nothing_goes_past_a_bound() {
    let rules = Rules::platform();
    let row = environment(bounded(&environment(Expiry::default()), bound(7_200), at(0), &rules));
    assert_eq!(row.expires_at, Some(at(7_200)), "what had no end has one now");
    for life in [Some(hours(3)), None] {
        let refused = extended(&row, life, at(60), &rules).unwrap_err();
        let words = refused.to_string();
        assert!(
            words.contains("its VM's contract ends on 2027-02-01") && words.contains("2027-01-15 10:00:00 UTC"),
            "{words}"
        );
    }
    assert_eq!(extended(&row, Some(hours(1)), at(60), &rules), Ok(row.expiry()));
    assert!(warning(&row, &row.expiry()).contains("cannot be extended"));
    let sooner = environment(Expiry::after(Some(hours(1)), at(0), &rules));
    let kept = bounded(&sooner, bound(7_200), at(0), &rules);
    assert_eq!((kept.at, kept.bound), (Some(at(3_600)), Some(bound(7_200))), "what ends sooner still does");
}

#[test]
fn lengths_are_spoken_shortly() {
    for (seconds, words) in [(0, "0s"), (28_800, "8h"), (129_600, "1d 12h"), (61, "1m 1s")] {
        assert_eq!(spoken(Duration::from_secs(seconds)), words);
    }
}

#[derive(Debug, Clone)]
enum Deed {
    Look,
    Extend(Option<u64>),
    Bound(i64),
}

fn deed() -> impl Strategy<Value = (u32, Deed)> {
    let deed = prop_oneof![
        3 => Just(Deed::Look),
        2 => prop::option::weighted(0.9, 300..200_000_u64).prop_map(Deed::Extend),
        1 => (0..400_000_i64).prop_map(Deed::Bound),
    ];
    (0..20_000_u32, deed)
}

proptest! {
    #[test]
    fn a_warning_is_within_its_bounds(seconds in 0..400_000_000_u64) {
        let rules = Rules::platform();
        let life = Duration::from_secs(seconds);
        let before = rules.warn_before(life);
        prop_assert!(before >= rules.warn_least && before <= rules.warn_most);
        let expiry = Expiry::after(Some(life), at(0), &rules);
        prop_assert!(expiry.warn_at >= Some(at(0)) && expiry.warn_at <= expiry.at);
    }

    /// Whatever is done and however late: nothing is deleted unwarned, before the end it was warned of, or past a
    /// bound that was in place; and an extension that was granted is kept.
    #[test]
    fn whatever_is_done_a_deletion_was_told_of(life in prop::option::of(300..100_000_u64), deeds in prop::collection::vec(deed(), 1..40)) {
        let rules = Rules::platform();
        let mut now = at(0);
        let mut row = environment(Expiry::after(life.map(Duration::from_secs), now, &rules));
        let mut promised = row.expires_at;
        for (wait, deed) in deeds {
            now = later(now, Duration::from_secs(wait.into()));
            match deed {
                Deed::Look => match row.expiry().due(now, &rules) {
                    Some(Due::Warn(expiry)) => {
                        prop_assert!(row.warned_at.is_none(), "once for each end");
                        prop_assert!(expiry.at >= row.expires_at);
                        row.set_expiry(expiry);
                    }
                    Some(Due::Delete) => {
                        prop_assert!(row.warned_at.is_some_and(|warned| warned <= now));
                        prop_assert!(promised.is_some_and(|promised| promised <= now));
                        return Ok(());
                    }
                    None => prop_assert!(row.expiry().next_at().is_none_or(|next| next > now)),
                },
                Deed::Extend(seconds) => {
                    let life = seconds.map(Duration::from_secs);
                    if let Ok(expiry) = extended(&row, life, now, &rules) {
                        let wanted = life.map(|life| later(now, life));
                        prop_assert!(expiry.at.is_none() || (wanted.is_some() && expiry.at >= wanted && expiry.at >= row.expires_at));
                        promised = expiry.at;
                        row.set_expiry(expiry);
                    }
                }
                Deed::Bound(seconds) => {
                    let before = row.expires_at;
                    row.set_expiry(bounded(&row, bound(seconds), now, &rules));
                    prop_assert!(row.expires_at.is_some_and(|end| end <= at(seconds)));
                    prop_assert!(before.is_none_or(|before| row.expires_at <= Some(before)));
                    if before != row.expires_at {
                        prop_assert_eq!(row.warned_at, None);
                    }
                    promised = row.expires_at;
                }
            }
        }
    }
}
