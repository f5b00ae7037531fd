//! Which backups are kept.
//!
//! A backup is a point in time. Many of the last hours are kept and one of each day before, so that a mistake that is noticed
//! at once and one that is noticed weeks later can both be undone.

use std::collections::BTreeMap;

use jiff::Timestamp;

/// Never are more than so many of the newest kept, nor those of more than so many days: all of them are listed in one
/// document, which has to fit into one message of NATS.
pub const KEEP_MAX: u32 = 400;

/// A backup, as far as its keeping is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// Counts the backups of one place from 1.
    pub number: u64,
    /// When it was made.
    pub at: Timestamp,
    /// Whether all of it was read back.
    pub verified: bool,
}

/// How many are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// So many of the newest, of any age; at least one is.
    pub newest: u32,
    /// Of each of so many days (of UTC, today included) the newest.
    pub days: u32,
}

impl Default for Keep {
    /// Two days of hourly backups, and a month of daily ones.
    fn default() -> Self {
        Self { newest: 48, days: 30 }
    }
}

/// The numbers of backups that need not be kept any longer, in order. The newest one stays whatever happens, and so does the
/// newest of which it is known that it can be read back.
pub fn dropped(backups: &[Taken], keep: &Keep, now: Timestamp) -> Vec<u64> {
    let mut all: Vec<&Taken> = backups.iter().collect();
    all.sort_unstable_by_key(|taken| taken.number);
    let newest = usize::try_from(keep.newest.clamp(1, KEEP_MAX)).unwrap_or(1);
    let first_kept = all.len().saturating_sub(newest);
    let today = day(now);
    let mut of_days: BTreeMap<i64, u64> = BTreeMap::new();
    for taken in &all {
        // A clock that went wrong makes no backup too old: what lies in the future counts as today.
        let age = today.saturating_sub(day(taken.at)).max(0);
        if age < i64::from(keep.days.min(KEEP_MAX)) {
            of_days.insert(age, taken.number);
        }
    }
    let verified = all.iter().rev().find(|taken| taken.verified).map(|taken| taken.number);
    let is_kept = |number: u64| Some(number) == verified || of_days.values().any(|kept| *kept == number);
    all[..first_kept].iter().map(|taken| taken.number).filter(|number| !is_kept(*number)).collect()
}

fn day(at: Timestamp) -> i64 {
    at.as_second().div_euclid(24 * 60 * 60)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at_hour(hour: i64) -> Timestamp {
        Timestamp::from_second(hour * 3_600).unwrap()
    }

    fn taken(number: u64, hour: i64, verified: bool) -> Taken {
        Taken { number, at: at_hour(hour), verified }
    }

    /// One each hour, from the first hour of the first day.
    fn hourly(count: u64) -> Vec<Taken> {
        (1..=count).zip(0..).map(|(number, hour)| taken(number, hour, false)).collect()
    }

    fn kept(backups: &[Taken], keep: Keep, hour: i64) -> Vec<u64> {
        let gone = dropped(backups, &keep, at_hour(hour));
        backups.iter().map(|taken| taken.number).filter(|number| !gone.contains(number)).collect()
    }

    #[test]
    fn the_newest_and_the_last_of_each_day_are_kept() {
        let keep = Keep { newest: 3, days: 2 };
        assert_eq!(kept(&hourly(72), keep, 71), [48, 70, 71, 72]);
        assert_eq!(kept(&hourly(72), Keep { newest: 1, days: 3 }, 71), [24, 48, 72]);
        assert_eq!(kept(&hourly(72), Keep { newest: 0, days: 0 }, 71), [72], "one always is");
        assert_eq!(kept(&hourly(5), Keep { newest: 48, days: 30 }, 4), [1, 2, 3, 4, 5]);
    }

    #[test]
    fn the_newest_that_is_known_to_be_good_is_kept_however_old() {
        let mut backups = hourly(72);
        backups[4].verified = true;
        backups[9].verified = true;
        assert_eq!(kept(&backups, Keep { newest: 2, days: 0 }, 71), [10, 71, 72]);
    }

    #[test]
    fn a_clock_that_was_wrong_makes_nothing_too_old() {
        let backups = [taken(1, 10_000, false), taken(2, 5, false)];
        assert_eq!(kept(&backups, Keep { newest: 1, days: 1 }, 6), [2], "the later one of today");
        assert_eq!(kept(&backups, Keep { newest: 2, days: 0 }, 6), [1, 2]);
    }

    proptest! {
        #[test]
        fn what_is_kept_is_bounded_and_a_second_look_drops_nothing(
            made in prop::collection::vec((0_i64..2_000, any::<bool>()), 0..120),
            newest in 0_u32..60,
            days in 0_u32..40,
            now in 0_i64..2_500,
        ) {
            let keep = Keep { newest, days };
            let mut backups: Vec<Taken> =
                (1..).zip(&made).map(|(number, (hour, verified))| taken(number, *hour, *verified)).collect();
            let gone = dropped(&backups, &keep, at_hour(now));
            let newest_verified = backups.iter().rev().find(|taken| taken.verified).copied();
            let last = backups.last().copied();
            prop_assert!(gone.is_sorted());
            backups.retain(|taken| !gone.contains(&taken.number));
            prop_assert!(backups.len() <= usize::try_from(newest.max(1) + days + 1).unwrap());
            prop_assert_eq!(backups.last().copied(), last);
            prop_assert!(newest_verified.is_none_or(|verified| backups.contains(&verified)));
            prop_assert!(backups.len() >= made.len().min(usize::try_from(newest).unwrap()));
            prop_assert_eq!(dropped(&backups, &keep, at_hour(now)), Vec::<u64>::new());
        }

        #[test]
        fn each_day_that_is_kept_has_its_newest(
            made in prop::collection::vec(0_i64..600, 1..120),
            days in 1_u32..25,
        ) {
            let mut hours = made;
            hours.sort_unstable();
            let backups: Vec<Taken> =
                (1..).zip(&hours).map(|(number, hour)| taken(number, *hour, false)).collect();
            let now = hours[hours.len() - 1];
            let gone = dropped(&backups, &Keep { newest: 1, days }, at_hour(now));
            for day_back in 0..i64::from(days) {
                let day_of = now.div_euclid(24) - day_back;
                let newest = backups.iter().rev().find(|taken| day(taken.at) == day_of);
                prop_assert!(newest.is_none_or(|taken| !gone.contains(&taken.number)));
            }
        }
    }
}
