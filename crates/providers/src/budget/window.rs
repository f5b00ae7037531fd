//! Counting calls in a sliding window. A value: it takes the time, and has no clock.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use jiff::Timestamp;

use super::limits::Reading;
use super::{LIMIT, WINDOW};

/// Most counts of the server's that are believed at once.
const CEILINGS_MAX: usize = 16;

pub(super) struct Window {
    share: u32,
    /// When each call of the last [`WINDOW`] was allowed, oldest first.
    calls: VecDeque<Timestamp>,
    /// Calls without an answer yet: the server's count may not hold them.
    in_flight: u32,
    ceilings: BTreeMap<String, Ceiling>,
    block: Option<Block>,
}

/// What the server says is left, until it says otherwise or the time has passed.
struct Ceiling {
    remaining: u32,
    until: Timestamp,
    length: Duration,
}

struct Block {
    until: Timestamp,
    length: Duration,
}

impl Window {
    pub(super) fn new(share: u32) -> Self {
        Self { share, calls: VecDeque::new(), in_flight: 0, ceilings: BTreeMap::new(), block: None }
    }

    /// Counts one call, or says when to ask again.
    pub(super) fn take(&mut self, now: Timestamp) -> Result<(), Timestamp> {
        self.forget(now);
        if let Some(block) = &self.block {
            return Err(block.until);
        }
        if let Some(until) = self.ceilings.values().filter(|ceiling| ceiling.remaining == 0).map(|it| it.until).max() {
            return Err(until);
        }
        if self.calls.len() >= self.allowed() {
            let oldest = self.calls.front().copied().unwrap_or(now);
            return Err(later(oldest, WINDOW));
        }
        self.calls.push_back(now);
        self.in_flight += 1;
        for ceiling in self.ceilings.values_mut() {
            ceiling.remaining -= 1;
        }
        Ok(())
    }

    pub(super) fn landed(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    pub(super) fn remaining(&mut self, now: Timestamp) -> u32 {
        self.forget(now);
        if self.block.is_some() {
            return 0;
        }
        let counted = u32::try_from(self.allowed().saturating_sub(self.calls.len())).unwrap_or(0);
        self.ceilings.values().map(|ceiling| ceiling.remaining).fold(counted, u32::min)
    }

    pub(super) fn blocked_until(&mut self, now: Timestamp) -> Option<Timestamp> {
        self.forget(now);
        self.block.as_ref().map(|block| block.until)
    }

    /// Takes the server's count where it is lower than ours. Our share applies to it as well, and calls that are under
    /// way may not be in it.
    pub(super) fn believe(&mut self, reading: &Reading, now: Timestamp) {
        self.forget(now);
        let kept_back = reading.quota.map_or(0, |quota| quota - quota_share(quota, self.share));
        let others_in_flight = self.in_flight.saturating_sub(1);
        let mut remaining = reading.remaining.saturating_sub(kept_back).saturating_sub(others_in_flight);
        let length = reading.reset.unwrap_or(WINDOW).max(Duration::from_secs(1));
        let until = later(now, length);
        if let Some(known) = self.ceilings.get(&reading.name) {
            // Answers overtake each other: within one window of the server's, the lower count is the newer one.
            let same_window = until <= later(known.until, Duration::from_secs(1));
            if same_window {
                remaining = remaining.min(known.remaining);
            }
        } else if self.ceilings.len() >= CEILINGS_MAX {
            return;
        }
        self.ceilings.insert(reading.name.clone(), Ceiling { remaining, until, length });
    }

    /// No call before `until`. A block is never made shorter by a later one.
    pub(super) fn block(&mut self, until: Timestamp, length: Duration) {
        if self.block.as_ref().is_none_or(|block| block.until < until) {
            self.block = Some(Block { until, length });
        }
    }

    fn allowed(&self) -> usize {
        usize::try_from(quota_share(LIMIT, self.share)).unwrap_or(1)
    }

    /// Drops what is over. Should the clock have been set back, nothing may reach further ahead than it did at first,
    /// or we would wait for as long as the clock was wrong.
    fn forget(&mut self, now: Timestamp) {
        for call in self.calls.iter_mut().rev().take_while(|call| **call > now) {
            *call = now;
        }
        while self.calls.front().is_some_and(|call| later(*call, WINDOW) <= now) {
            self.calls.pop_front();
        }
        if let Some(block) = &mut self.block {
            block.until = block.until.min(later(now, block.length));
        }
        self.block.take_if(|block| block.until <= now);
        for ceiling in self.ceilings.values_mut() {
            ceiling.until = ceiling.until.min(later(now, ceiling.length));
        }
        self.ceilings.retain(|_, ceiling| ceiling.until > now);
    }
}

/// At least one call, however small the share.
fn quota_share(quota: u32, share: u32) -> u32 {
    let part = u64::from(quota) * u64::from(share) / 100;
    u32::try_from(part).unwrap_or(u32::MAX).max(1).min(quota)
}

pub(super) fn later(time: Timestamp, by: Duration) -> Timestamp {
    time.checked_add(by).unwrap_or(Timestamp::MAX)
}
