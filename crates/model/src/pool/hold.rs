//! Whether a VM may be bought now: what is allowed, what is capped, and what keeps failing.
//!
//! Whoever buys looks twice: before the order's intent is written, and again with it in the store. Of several replicas
//! that look at the same time, at least one sees the other's intent then, so that no cap is passed.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::contract::month_of;
use crate::expiry::moment;
use crate::id::IntentId;
use crate::intent::{Intent, IntentKind, Outcome};
use crate::money::Money;
use crate::policy::later;

/// What may be spent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderRules {
    /// Whether VMs may be bought at all.
    pub allowed: bool,
    /// Never own more VMs than this; orders of which nothing is known count.
    pub owned_max: u32,
    /// Never order more in one calendar month (UTC); no cap, where absent.
    pub month_max: Option<u32>,
    /// So many orders that fail one after the other stop all of them for a while.
    pub failures: u32,
    /// How long the first such stop lasts; each further failure doubles it.
    pub stop: Duration,
    /// No stop is longer.
    pub stop_max: Duration,
    /// What a VM costs a month, as configured: the provider's API tells no price.
    pub price: Option<Money>,
    /// For so many months a VM is bought at once.
    pub months: u32,
}

/// What a person decided about the pool; the same for all replicas.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PoolState {
    /// Set while nothing is bought and nothing is let lapse.
    pub paused: Option<Pause>,
    /// Failures before this are forgiven.
    pub resumed_at: Option<Timestamp>,
    /// Since when there are fewer ready VMs than wanted.
    pub short_since: Option<Timestamp>,
    /// Before then no replica looks at the pool again.
    pub next_turn: Option<Timestamp>,
    /// Before then the provider's list of VMs is not read again.
    pub next_look: Option<Timestamp>,
}

/// Who paused the pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Why, in their words.
    pub reason: Option<String>,
}

/// What an order is measured against.
#[derive(Debug, Clone, Copy)]
pub struct Spending<'a> {
    /// Orders, newest first: all of this month, and enough before to see failures.
    pub orders: &'a [Intent],
    /// VMs that are owned and orders of which nothing is known.
    pub owned: u64,
    /// The order that is about to be sent, if it is among those already.
    pub own: Option<IntentId>,
}

impl Spending<'_> {
    fn others(&self) -> impl Iterator<Item = &Intent> + Clone {
        self.orders.iter().filter(|intent| intent.kind == IntentKind::OrderVm && Some(intent.id) != self.own)
    }

    /// How many other orders of this calendar month bought a VM, or may have.
    pub fn bought_since_month(&self, now: Timestamp) -> u32 {
        let since = month_of(now);
        let bought = self.others().filter(|order| order.created_at >= since && may_have_bought(order));
        u32::try_from(bought.count()).unwrap_or(u32::MAX)
    }

    /// Whether the last order that came to an end failed.
    pub fn last_failed(&self) -> bool {
        self.others().find(|order| has_ended(order)).is_some_and(|order| order.outcome != Outcome::Done)
    }
}

/// Why no VM is bought now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Hold {
    /// Buying is not allowed.
    Off,
    /// Somebody paused the pool.
    Paused {
        /// Who.
        by: String,
        /// Why.
        reason: Option<String>,
    },
    /// As many are owned as may be.
    Owned {
        /// How many.
        owned: u64,
        /// And how many may be.
        limit: u32,
    },
    /// As many were ordered this month as may be.
    Month {
        /// How many.
        ordered: u32,
        /// And how many may be.
        limit: u32,
    },
    /// Orders fail one after the other.
    Failing {
        /// How many did.
        failures: u32,
        /// Not before then; a single order is tried then.
        until: Timestamp,
        /// What the last one was answered.
        words: String,
    },
}

impl fmt::Display for Hold {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => {
                formatter.write_str("buying is off: delete environments, or allow orders with `ALFRED_BUY=on`")
            }
            Self::Paused { by, reason } => {
                let reason = reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
                write!(formatter, "the pool was paused by {by}{reason}: `alfred vm pool resume` lets it buy again")
            }
            Self::Owned { owned, limit } => write!(
                formatter,
                "{owned} VMs are owned and the limit is {limit}: delete environments, or raise `ALFRED_VM_LIMIT`"
            ),
            Self::Month { ordered, limit } => write!(
                formatter,
                "{ordered} VMs were ordered this month and the limit is {limit}: delete environments, or raise \
                 `ALFRED_ORDERS_PER_MONTH`"
            ),
            Self::Failing { failures, until, words } => write!(
                formatter,
                "the last {failures} orders failed, and none is sent before {}; the last answer was: {words}; \
                 `alfred vm pool resume` tries at once",
                moment(*until)
            ),
        }
    }
}

/// Why no VM may be bought now; nothing, if one may.
pub fn hold(rules: &OrderRules, state: &PoolState, spending: &Spending<'_>, now: Timestamp) -> Option<Hold> {
    if !rules.allowed {
        return Some(Hold::Off);
    }
    if let Some(pause) = &state.paused {
        return Some(Hold::Paused { by: pause.by.clone(), reason: pause.reason.clone() });
    }
    let own = u64::from(spending.own.is_some());
    let owned = spending.owned.saturating_sub(own);
    if owned >= u64::from(rules.owned_max) {
        return Some(Hold::Owned { owned, limit: rules.owned_max });
    }
    if let Some(limit) = rules.month_max {
        let ordered = spending.bought_since_month(now);
        if ordered >= limit {
            return Some(Hold::Month { ordered, limit });
        }
    }
    failing(rules, state, spending, now)
}

/// Whether the order bought a VM, or nobody can say that it did not.
fn may_have_bought(order: &Intent) -> bool {
    !matches!(order.outcome, Outcome::Rejected | Outcome::NotSent)
}

/// Whether something came of the order, be it that nobody knows what.
fn has_ended(order: &Intent) -> bool {
    !matches!(order.outcome, Outcome::Open | Outcome::NotSent)
}

fn failing(rules: &OrderRules, state: &PoolState, spending: &Spending<'_>, now: Timestamp) -> Option<Hold> {
    let forgiven = |order: &Intent| state.resumed_at.is_some_and(|at| order.created_at < at);
    let ended = spending.others().filter(|order| has_ended(order));
    let failed: Vec<&Intent> = ended.take_while(|order| order.outcome != Outcome::Done && !forgiven(order)).collect();
    let failures = u32::try_from(failed.len()).unwrap_or(u32::MAX);
    let last = failed.first()?;
    if rules.failures == 0 || failures < rules.failures {
        return None;
    }
    let doublings = (failures - rules.failures).min(20);
    let stop = rules.stop.saturating_mul(1 << doublings).min(rules.stop_max);
    let failed_at = failed.iter().map(|order| order.settled_at.unwrap_or(order.created_at)).max()?;
    let until = later(failed_at, stop);
    // After the stop a single order is tried; the others wait for what comes of it.
    let trying = spending.others().any(|order| order.outcome == Outcome::Open && order.created_at >= failed_at);
    (now < until || trying).then(|| Hold::Failing {
        failures,
        until: until.max(now),
        words: last.answer.clone().unwrap_or_else(|| "none".to_owned()),
    })
}

#[cfg(test)]
mod tests;
