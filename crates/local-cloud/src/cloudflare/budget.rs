//! Request budgets: a fixed window for each token owner, and the block that follows an overdraft.
//!
//! <https://developers.cloudflare.com/fundamentals/api/reference/limits/>

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use super::options::RateOptions;

/// What a token owner has used.
#[derive(Clone, Debug)]
struct Window {
    began: Timestamp,
    used: u32,
    blocked_until: Option<Timestamp>,
}

/// The budgets of all token owners.
#[derive(Clone, Debug, Default)]
pub(crate) struct Budgets {
    owners: HashMap<String, Window>,
}

/// Where a budget stands after a request: the numbers of the `Ratelimit` header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) remaining: u32,
    pub(crate) reset_seconds: u64,
    /// Seconds until requests are taken again, if this one was refused.
    pub(crate) blocked_seconds: Option<u64>,
}

impl Budgets {
    /// Takes one request from an owner's budget.
    pub(crate) fn take(&mut self, owner: &str, rate: RateOptions, now: Timestamp) -> Standing {
        if !self.owners.contains_key(owner) {
            self.owners.insert(owner.to_owned(), Window { began: now, used: 0, blocked_until: None });
        }
        let window = self.owners.get_mut(owner).expect("the owner was put in just above");
        if let Some(until) = window.blocked_until {
            if now < until {
                let seconds = seconds_until(now, until);
                return Standing { remaining: 0, reset_seconds: seconds, blocked_seconds: Some(seconds) };
            }
            *window = Window { began: now, used: 0, blocked_until: None };
        }
        let length = SignedDuration::from_secs(i64::from(rate.window_seconds));
        if now.duration_since(window.began) >= length {
            window.began = now;
            window.used = 0;
        }
        if window.used >= rate.quota {
            let until = later(now, rate.block_seconds);
            window.blocked_until = Some(until);
            let seconds = seconds_until(now, until);
            return Standing { remaining: 0, reset_seconds: seconds, blocked_seconds: Some(seconds) };
        }
        window.used += 1;
        Standing {
            remaining: rate.quota - window.used,
            reset_seconds: seconds_until(now, later(window.began, rate.window_seconds)),
            blocked_seconds: None,
        }
    }
}

fn later(time: Timestamp, seconds: u32) -> Timestamp {
    time.saturating_add(SignedDuration::from_secs(i64::from(seconds))).unwrap_or(Timestamp::MAX)
}

/// Whole seconds, rounded up.
fn seconds_until(now: Timestamp, until: Timestamp) -> u64 {
    let left = until.duration_since(now);
    let whole = u64::try_from(left.as_secs()).unwrap_or(0);
    whole + u64::from(left.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: RateOptions = RateOptions { quota: 2, window_seconds: 300, block_seconds: 300 };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + second).unwrap()
    }

    #[test]
    fn the_window_is_fixed_and_starts_anew() {
        let mut budgets = Budgets::default();
        assert_eq!(budgets.take("u", RATE, at(0)).remaining, 1);
        let second = budgets.take("u", RATE, at(100));
        assert_eq!((second.remaining, second.reset_seconds), (0, 200));
        assert_eq!(budgets.take("other", RATE, at(100)).remaining, 1);
        assert_eq!(budgets.take("u", RATE, at(300)).remaining, 1);
    }

    #[test]
    fn an_overdraft_blocks_for_the_whole_block_and_tells_the_rest_of_it() {
        let mut budgets = Budgets::default();
        for _ in 0..2 {
            budgets.take("u", RATE, at(290));
        }
        assert_eq!(budgets.take("u", RATE, at(299)).blocked_seconds, Some(300));
        assert_eq!(budgets.take("u", RATE, at(399)).blocked_seconds, Some(200));
        assert_eq!(budgets.take("u", RATE, at(598)).blocked_seconds, Some(1));
        let after = budgets.take("u", RATE, at(599));
        assert_eq!((after.blocked_seconds, after.remaining), (None, 1));
    }
}
