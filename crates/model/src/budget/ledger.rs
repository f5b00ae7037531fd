//! What was granted within the window, what the server says of it, and until when nothing may be granted.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use jiff::Timestamp;

use super::{Allowance, CLOCK_TOLERANCE, Priority, Reading, SLOT, WINDOW};
use crate::policy::later;

/// Most counts of the server's that are believed at once.
pub(super) const CEILINGS_MAX: usize = 16;

/// Most characters of a count's name.
pub(super) const NAME_MAX: usize = 64;

/// No block and no count of the server's lasts longer.
pub(super) const LENGTH_MAX: Duration = Duration::from_hours(24);

/// A grant lasts at least this long: one that is made at the end of a slot is counted in the next.
const GRANT_MIN: Duration = Duration::from_secs(1);

#[expect(clippy::cast_possible_wrap, reason = "a slot is seconds long")]
const SLOT_SECONDS: i64 = SLOT.as_secs() as i64;

/// Calls that were granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// How many; at least one, if at least one was wanted.
    pub granted: u32,
    /// They must be made before this time, between one and six seconds from now. What is not is given up; it stays
    /// counted.
    pub until: Timestamp,
}

/// No call may be made; asking again earlier is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotBefore(pub Timestamp);

/// The calls of one token. The default has seen none.
///
/// Times come from the callers' clocks. These may be a few seconds apart ([`CLOCK_TOLERANCE`]): whoever is behind counts
/// into the newest slot. A clock that is set back further finds a ledger of the future, whose calls then count
/// from now on; so nothing more gets through, and nobody waits for as long as the clock was wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Oldest first.
    pub(super) slots: VecDeque<Slot>,
    pub(super) ceilings: BTreeMap<String, Ceiling>,
    pub(super) block: Option<Block>,
}

/// Calls granted in one span of [`SLOT`], by priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot {
    /// Counted from 1970.
    pub(super) number: i64,
    pub(super) calls: [u32; 4],
}

/// What the server says is left, until it says otherwise or the time has passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ceiling {
    pub(super) remaining: u32,
    pub(super) until: Timestamp,
    pub(super) length: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) until: Timestamp,
    pub(super) length: Duration,
}

impl Ledger {
    /// Counts up to `want` calls, or says when to ask again.
    pub fn take(
        &mut self,
        allowance: Allowance,
        now: Timestamp,
        priority: Priority,
        want: u32,
    ) -> Result<Grant, NotBefore> {
        self.forget(now);
        let mut totals = self.totals();
        let mut granted = 0;
        while granted < want && self.block.is_none() && self.admits(allowance, &totals, priority) {
            granted += 1;
            totals[priority.index()] += 1;
            for ceiling in self.ceilings.values_mut() {
                ceiling.remaining -= 1;
            }
        }
        if granted == 0 && want > 0 {
            return Err(NotBefore(self.not_before(allowance, now, priority)));
        }
        let slot = slot_at(later(now, GRANT_MIN));
        self.count(slot, priority, granted);
        Ok(Grant { granted, until: end_of(slot) })
    }

    /// Takes the server's count where it is lower than ours. Our share applies to it as well. `in_flight` calls may not
    /// be in it: those whose answers are not there yet. Of other processes' nobody knows; what is kept back covers them.
    pub fn believe(&mut self, allowance: Allowance, now: Timestamp, reading: &Reading, in_flight: u32) {
        self.forget(now);
        let kept_back = reading.quota.map_or(0, |quota| allowance.kept_back(quota));
        let mut remaining = reading.remaining.saturating_sub(kept_back).saturating_sub(in_flight);
        let length = reading.reset.unwrap_or(WINDOW).clamp(Duration::from_secs(1), LENGTH_MAX);
        let until = later(now, length);
        let name: String = reading.name.chars().take(NAME_MAX).collect();
        if let Some(known) = self.ceilings.get(&name) {
            // Answers overtake each other: within one window of the server's, the lower count is the newer one.
            let same_window = until <= later(known.until, Duration::from_secs(1));
            if same_window {
                remaining = remaining.min(known.remaining);
            }
        } else if self.ceilings.len() >= CEILINGS_MAX {
            return;
        }
        self.ceilings.insert(name, Ceiling { remaining, until, length });
    }

    /// Grants nothing for `length`, a day at most. A block is never made shorter by a later one.
    pub fn block(&mut self, now: Timestamp, length: Duration) {
        let length = length.min(LENGTH_MAX);
        let until = later(now, length);
        if self.block.as_ref().is_none_or(|block| block.until < until) {
            self.block = Some(Block { until, length });
        }
    }

    /// How many calls may be made at once, now, by those who go first.
    pub fn remaining(&self, allowance: Allowance, now: Timestamp) -> u32 {
        let mut current = self.clone();
        current.forget(now);
        if current.block.is_some() {
            return 0;
        }
        let counted = allowance.calls().saturating_sub(current.totals().iter().sum());
        current.ceiling().map_or(counted, |ceiling| ceiling.min(counted))
    }

    /// Until when nothing is granted because the server said so.
    pub fn blocked_until(&self, now: Timestamp) -> Option<Timestamp> {
        let block = self.block.as_ref()?;
        let until = block.until.min(later(now, block.length + CLOCK_TOLERANCE));
        (until > now).then_some(until)
    }

    fn totals(&self) -> [u32; 4] {
        self.slots.iter().fold([0; 4], |totals, slot| std::array::from_fn(|index| totals[index] + slot.calls[index]))
    }

    fn ceiling(&self) -> Option<u32> {
        self.ceilings.values().map(|ceiling| ceiling.remaining).min()
    }

    fn admits(&self, allowance: Allowance, totals: &[u32; 4], priority: Priority) -> bool {
        let ceiling = self.ceiling().unwrap_or(u32::MAX);
        ceiling > 0
            && own_count_admits(allowance, totals, priority)
            && (ceiling > allowance.reserve(priority) || in_trickle(allowance, totals, priority))
    }

    /// When to ask again: in any case later than `now`, because what is over was forgotten.
    fn not_before(&self, allowance: Allowance, now: Timestamp, priority: Priority) -> Timestamp {
        if let Some(block) = &self.block {
            return block.until;
        }
        let mut totals = self.totals();
        let least = if in_trickle(allowance, &totals, priority) { 0 } else { allowance.reserve(priority) };
        let too_low = self.ceilings.values().filter(|ceiling| ceiling.remaining <= least);
        let mut time = too_low.map(|ceiling| ceiling.until).max().unwrap_or(now);
        let mut slots = self.slots.iter();
        while !own_count_admits(allowance, &totals, priority) {
            let Some(slot) = slots.next() else { break };
            for (total, calls) in totals.iter_mut().zip(slot.calls) {
                *total -= calls;
            }
            time = time.max(later(end_of(slot.number), WINDOW));
        }
        time
    }

    fn count(&mut self, number: i64, priority: Priority, calls: u32) {
        // Whoever's clock is behind counts into the newest slot.
        if self.slots.back().is_none_or(|newest| newest.number < number) {
            self.slots.push_back(Slot { number, calls: [0; 4] });
        }
        if let Some(newest) = self.slots.back_mut() {
            newest.calls[priority.index()] += calls;
        }
    }

    /// Drops what is over. Nothing may reach further ahead than the clocks can be apart, or we would wait for as long as
    /// the clock was wrong.
    fn forget(&mut self, now: Timestamp) {
        let newest_possible = slot_at(later(now, GRANT_MIN + CLOCK_TOLERANCE));
        let mut ahead = [0; 4];
        while let Some(slot) = self.slots.pop_back_if(|slot| slot.number >= newest_possible) {
            ahead = std::array::from_fn(|index| ahead[index] + slot.calls[index]);
        }
        if ahead.iter().any(|calls| *calls > 0) {
            self.slots.push_back(Slot { number: newest_possible, calls: ahead });
        }
        while self.slots.pop_front_if(|slot| later(end_of(slot.number), WINDOW) <= now).is_some() {}
        if let Some(block) = &mut self.block {
            block.until = block.until.min(later(now, block.length + CLOCK_TOLERANCE));
        }
        self.block.take_if(|block| block.until <= now);
        for ceiling in self.ceilings.values_mut() {
            ceiling.until = ceiling.until.min(later(now, ceiling.length + CLOCK_TOLERANCE));
        }
        self.ceilings.retain(|_, ceiling| ceiling.until > now);
    }
}

fn in_trickle(allowance: Allowance, totals: &[u32; 4], priority: Priority) -> bool {
    totals[priority.index()] < allowance.trickle(priority)
}

/// Whether our own count leaves room. What is set aside counts as used by those it is set aside for.
fn own_count_admits(allowance: Allowance, totals: &[u32; 4], priority: Priority) -> bool {
    if totals.iter().sum::<u32>() >= allowance.calls() {
        return false;
    }
    let set_aside = |priority: Priority| totals[priority.index()].max(allowance.trickle(priority));
    let used: u32 = Priority::ALL.into_iter().map(set_aside).sum();
    in_trickle(allowance, totals, priority) || allowance.calls().saturating_sub(used) > allowance.reserve(priority)
}

fn slot_at(time: Timestamp) -> i64 {
    time.as_second().div_euclid(SLOT_SECONDS)
}

fn end_of(slot: i64) -> Timestamp {
    let second = slot.saturating_add(1).saturating_mul(SLOT_SECONDS);
    Timestamp::from_second(second).unwrap_or(if second < 0 { Timestamp::MIN } else { Timestamp::MAX })
}
