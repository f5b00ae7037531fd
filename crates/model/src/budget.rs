//! How many calls a token may make, and who may make them: the rules of the API budget (promise 8).
//!
//! Cloudflare allows 1,200 calls in five minutes and then refuses every call for the next five
//! (<https://developers.cloudflare.com/fundamentals/api/reference/limits/>). The [`Ledger`] counts what was granted, in
//! whoever's process; an [`Allowance`] says how much of the limit is ours. A ledger is a value: it takes the time and
//! has no clock, and it can be written down as a small text, so that replicas can share one.
//!
//! Two rules decide between those who want calls:
//! - **Reserves.** [`Priority::Audit`] only gets what is left above 30 % of the allowance, [`Priority::Read`] above
//!   15 %, [`Priority::NewName`] above 5 %, [`Priority::Deletion`] all of it. A flood of audits in one replica therefore
//!   leaves room for the names and deletions of another.
//! - **Trickles.** Of each window, 1 % is set aside for audits, 3 % for reads and 2 % for new names, at least one call
//!   each, so that none waits for ever. With the default share these are 10, 32 and 21 calls. While the others take all they
//!   can get, a call of such a kind waits for [`LONGEST_WAIT`] at most for each trickle's worth of calls of its kind
//!   before it: an audit of one call among fewer than ten waiting ones ends after five minutes and a quarter.
//!   Where the server's own count or its block is what holds calls up, it holds up these as well.

mod ledger;
mod text;

use std::time::Duration;

pub use ledger::{Grant, Ledger, NotBefore};
pub use text::UnreadableLedger;

/// Calls a token may make within [`WINDOW`].
pub const LIMIT: u32 = 1_200;

/// The span over which calls are counted.
pub const WINDOW: Duration = Duration::from_mins(5);

/// Calls are counted in slots of this length. A slot counts until [`WINDOW`] after its end, so that calls count a little
/// longer than they must.
pub const SLOT: Duration = Duration::from_secs(5);

/// How far the clocks of replicas may be apart. A ledger that reaches further into the future than this was written
/// before the clock was set back.
pub const CLOCK_TOLERANCE: Duration = Duration::from_secs(10);

/// Longer than this nobody is told to wait for want of calls, also after the clock was set back.
pub const LONGEST_WAIT: Duration = Duration::from_secs(316);

/// How much of the limit is used unless told otherwise, in percent. The rest is for people at the dashboard and their
/// other tools.
pub const DEFAULT_SHARE: u32 = 90;

/// Whose call goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Priority {
    /// A record that must go, so that its address can be used again.
    Deletion,
    /// A name that somebody waits for.
    NewName,
    /// A look at what is there.
    Read,
    /// A look at everything, to compare.
    Audit,
}

impl Priority {
    /// All of them, first ones first.
    pub const ALL: [Self; 4] = [Self::Deletion, Self::NewName, Self::Read, Self::Audit];

    /// Its name in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deletion => "deletion",
            Self::NewName => "new_name",
            Self::Read => "read",
            Self::Audit => "audit",
        }
    }

    /// Its place in [`Priority::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Percent of the allowance that are left to those with a higher priority.
    const fn reserve(self) -> u32 {
        match self {
            Self::Deletion => 0,
            Self::NewName => 5,
            Self::Read => 15,
            Self::Audit => 30,
        }
    }

    /// Percent of the allowance that nobody else gets.
    const fn trickle(self) -> u32 {
        match self {
            Self::Deletion => 0,
            Self::NewName => 2,
            Self::Read => 3,
            Self::Audit => 1,
        }
    }
}

/// How much of the limit is ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    share: u32,
}

impl Default for Allowance {
    fn default() -> Self {
        Self::of_share(DEFAULT_SHARE)
    }
}

impl Allowance {
    /// So many percent of the limit, between 1 and 100.
    pub const fn of_share(percent: u32) -> Self {
        let share = if percent < 1 {
            1
        } else if percent > 100 {
            100
        } else {
            percent
        };
        Self { share }
    }

    /// The share in percent.
    pub const fn share(self) -> u32 {
        self.share
    }

    /// Calls within [`WINDOW`]; at least twelve.
    pub const fn calls(self) -> u32 {
        LIMIT * self.share / 100
    }

    /// What `priority` has to leave.
    fn reserve(self, priority: Priority) -> u32 {
        self.calls() * priority.reserve() / 100
    }

    /// What is set aside for `priority` in each window.
    fn trickle(self, priority: Priority) -> u32 {
        let percent = priority.trickle();
        if percent == 0 { 0 } else { (self.calls() * percent / 100).max(1) }
    }

    /// What is not ours of a quota that the server names.
    fn kept_back(self, quota: u32) -> u32 {
        let ours = u64::from(quota) * u64::from(self.share) / 100;
        quota - u32::try_from(ours).unwrap_or(u32::MAX).max(1).min(quota)
    }
}

/// The server's own count, as it stands in an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// Which of the server's limits.
    pub name: String,
    /// Calls left.
    pub remaining: u32,
    /// How long until they are as many as the quota again.
    pub reset: Option<Duration>,
    /// Calls allowed in all, where the policy says so.
    pub quota: Option<u32>,
}

#[cfg(test)]
mod tests;
