//! How much may be deleted at once: a file that was cut short or belongs elsewhere must not empty a zone.

use std::fmt;
use std::str::FromStr;

/// So many may always go, where nobody said otherwise.
const ALWAYS: u64 = 10;

/// The share of an owner's records that may go, in percent, where nobody said otherwise.
const SHARE: u8 = 30;

/// Most records that one plan may delete.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DeleteLimit {
    /// Three in ten of the owner's records in the zone, and ten in any case.
    #[default]
    Usual,
    /// So many.
    Count(u64),
    /// So many in a hundred of the owner's records in the zone, rounded down.
    Share(u8),
}

/// Why a text is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("give a number, such as `25`, or a share from `0%` to `100%`")]
pub struct BadDeleteLimit;

impl DeleteLimit {
    /// How many may go of an owner who has `owned` records.
    pub fn of(self, owned: u64) -> u64 {
        let share = |percent: u8| u64::try_from(u128::from(owned) * u128::from(percent) / 100).unwrap_or(u64::MAX);
        match self {
            Self::Usual => share(SHARE).max(ALWAYS),
            Self::Count(count) => count,
            Self::Share(percent) => share(percent),
        }
    }
}

impl FromStr for DeleteLimit {
    type Err = BadDeleteLimit;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_suffix('%') {
            Some(share) => share.parse().ok().filter(|share| *share <= 100).map(Self::Share),
            None => text.parse().ok().map(Self::Count),
        }
        .ok_or(BadDeleteLimit)
    }
}

impl fmt::Display for DeleteLimit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usual => write!(formatter, "{SHARE}% and {ALWAYS} in any case"),
            Self::Count(count) => count.fmt(formatter),
            Self::Share(share) => write!(formatter, "{share}%"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_count_or_a_share() {
        for (text, owned, most) in
            [("25", 1, 25), ("0", 1_000, 0), ("10%", 1_009, 100), ("0%", 50, 0), ("100%", u64::MAX, u64::MAX)]
        {
            assert_eq!(text.parse::<DeleteLimit>().unwrap().of(owned), most, "{text} of {owned}");
        }
        for bad in ["", "%", "-1", "101%", "10 %", "some", "1e3", "99999999999999999999"] {
            assert_eq!(bad.parse::<DeleteLimit>(), Err(BadDeleteLimit), "{bad}");
        }
    }

    #[test]
    fn ten_may_always_go_and_of_many_three_in_ten() {
        for (owned, most) in [(0, 10), (10, 10), (33, 10), (34, 10), (37, 11), (1_000, 300)] {
            assert_eq!(DeleteLimit::default().of(owned), most, "{owned}");
        }
    }
}
