//! How long things may take, how often they are looked at, and how failures are spaced.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::expiry;
use crate::pool::{OrderRules, PoolRules, Wanted};
use crate::record::RECORD_TTL_SECONDS;

/// The times that the decisions need. [`Policy::platform`] fits Contabo and Cloudflare, [`Policy::local`] the local
/// cloud.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// First bound of the exponential backoff.
    pub backoff_base: Duration,
    /// Last bound of the exponential backoff.
    pub backoff_cap: Duration,
    /// How often a VM's status is read while it is being built or installed.
    pub vm_interval: Duration,
    /// How often a connection to a VM is tried.
    pub reach_interval: Duration,
    /// How often the authoritative servers are asked, at most: see [`Policy::dns_wait`].
    pub dns_interval: Duration,
    /// How long an order of which nothing is known may stay out of the provider's audits before a person is called.
    pub order_grace: Duration,
    /// How long a VM may show `running` after a wipe was accepted before that means that the wipe is over.
    pub install_grace: Duration,
    /// How long a VM may take to have an address and run.
    pub vm_deadline: Duration,
    /// How long a running VM may take to accept a connection.
    pub reach_deadline: Duration,
    /// How long any other step of a creation may keep failing.
    pub step_deadline: Duration,
    /// How long a VM rests after its name was seen to be gone: the record's time to live (promise 4), and the time in
    /// which a record that was written shortly before may still appear at the authoritative servers for a moment.
    pub name_rest: Duration,
    /// How long after its answer was lost a write may still be carried out: no provider says, so this is a margin.
    pub write_grace: Duration,
    /// How far apart two audits must have seen something before it may be repaired (promise 9).
    pub repair_grace: Duration,
    /// How often a VM that does not come up is installed anew before it is kept out of the pool.
    pub reinstalls_max: u32,
    /// What may be spent.
    pub orders: OrderRules,
    /// How many VMs shall be ready.
    pub pool: PoolRules,
    /// How long environments live.
    pub expiry: expiry::Rules,
    /// How many environments that are not deleted a user may have who has no quota of their own; any number, where
    /// absent.
    pub quota: Option<u32>,
}

impl Policy {
    /// For the real platforms: a VM comes up in 5 to 15 minutes, reads may lag behind writes. It is paid for a month, so
    /// that none is bought unless somebody allows it.
    pub const fn platform() -> Self {
        Self {
            backoff_base: Duration::from_secs(1),
            backoff_cap: Duration::from_mins(1),
            vm_interval: Duration::from_secs(10),
            reach_interval: Duration::from_secs(5),
            dns_interval: Duration::from_secs(2),
            order_grace: Duration::from_mins(15),
            install_grace: Duration::from_secs(90),
            vm_deadline: Duration::from_hours(2),
            reach_deadline: Duration::from_mins(30),
            step_deadline: Duration::from_mins(30),
            name_rest: Duration::from_secs(RECORD_TTL_SECONDS as u64 + 60),
            write_grace: Duration::from_mins(2),
            repair_grace: Duration::from_mins(15),
            reinstalls_max: 2,
            orders: OrderRules {
                allowed: false,
                owned_max: 10,
                month_max: None,
                failures: 3,
                stop: Duration::from_mins(1),
                stop_max: Duration::from_hours(1),
                price: None,
                months: 1,
            },
            pool: PoolRules {
                ready: Wanted::Fixed(0),
                lapse: false,
                slack: 1,
                lead: Duration::from_mins(20),
                patience: Duration::from_mins(10),
                interval: Duration::from_mins(1),
                look_interval: Duration::from_mins(15),
            },
            expiry: expiry::Rules::platform(),
            quota: None,
        }
    }

    /// For the local cloud, where everything takes seconds.
    pub const fn local() -> Self {
        Self {
            backoff_base: Duration::from_millis(100),
            backoff_cap: Duration::from_secs(5),
            vm_interval: Duration::from_millis(200),
            reach_interval: Duration::from_millis(100),
            dns_interval: Duration::from_millis(100),
            order_grace: Duration::from_secs(3),
            install_grace: Duration::from_secs(1),
            vm_deadline: Duration::from_mins(5),
            reach_deadline: Duration::from_mins(2),
            step_deadline: Duration::from_mins(2),
            name_rest: Duration::from_secs(RECORD_TTL_SECONDS as u64 + 5),
            write_grace: Duration::from_secs(45),
            repair_grace: Duration::from_secs(1),
            reinstalls_max: 2,
            orders: OrderRules {
                allowed: true,
                owned_max: 75,
                month_max: None,
                failures: 3,
                stop: Duration::from_secs(1),
                stop_max: Duration::from_secs(30),
                price: None,
                months: 1,
            },
            pool: PoolRules {
                ready: Wanted::Fixed(0),
                lapse: false,
                slack: 1,
                lead: Duration::from_secs(20),
                patience: Duration::from_secs(1),
                interval: Duration::from_secs(1),
                look_interval: Duration::from_mins(10),
            },
            expiry: expiry::Rules::local(),
            quota: None,
        }
    }

    /// How long to wait before the authoritative servers are asked once more for a record that was written `since` ago
    /// and does not show yet.
    ///
    /// Most changes show within a second or two, and somebody waits: so the first looks come close together, and then
    /// each after another eighth of the time so far, which bounds what looking adds to the wait. A look is one small
    /// question to each server and no call of an API's budget.
    pub fn dns_wait(&self, since: Duration) -> Duration {
        (since / 8).clamp(self.dns_interval / 20, self.dns_interval)
    }

    /// How long to wait after the failed attempt number `attempt` (the first is 1): exponential with full jitter,
    /// `unit` being a random number in `0.0..1.0`, and never less than the provider's own word.
    pub fn backoff(&self, attempt: u32, after: Option<Duration>, unit: f64) -> Duration {
        let doublings = attempt.saturating_sub(1).min(20);
        let bound = self.backoff_base.saturating_mul(1 << doublings).min(self.backoff_cap);
        bound.mul_f64(unit.clamp(0.0, 1.0)).max(after.unwrap_or_default())
    }
}

/// `time` later by `wait`, or the end of time.
pub fn later(time: Timestamp, wait: Duration) -> Timestamp {
    SignedDuration::try_from(wait).ok().and_then(|wait| time.checked_add(wait).ok()).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_for_a_name_come_close_together_at_first_and_never_too_often() {
        for policy in [Policy::local(), Policy::platform()] {
            let mut since = Duration::ZERO;
            let mut looks = 0;
            while since < Duration::from_mins(1) {
                let wait = policy.dns_wait(since);
                assert!(wait <= policy.dns_interval && wait >= policy.dns_interval / 20);
                assert!(wait <= since / 8 || wait == policy.dns_interval / 20, "looking adds no more than an eighth");
                since += wait;
                looks += 1;
            }
            let steady = Duration::from_mins(1).as_secs_f64() / policy.dns_interval.as_secs_f64();
            assert!(f64::from(looks) <= steady + 40.0, "{looks} looks in a minute");
        }
    }
}
