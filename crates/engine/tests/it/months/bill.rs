//! What the months cost and whom they served, beside what the same demand costs where each environment buys its own VM.

use std::fmt;
use std::ops::AddAssign;
use std::time::Duration;

use alfred_local_cloud::contabo::{Contract, Delay};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use rand::RngExt as _;
use rand::rngs::StdRng;

/// One environment that was served.
#[derive(Debug, Clone, Copy)]
pub(super) struct Served {
    /// When it was asked for.
    pub(super) asked: Timestamp,
    /// When it had a VM.
    pub(super) assigned: Timestamp,
    /// When it was active.
    pub(super) active: Timestamp,
    /// When it was not wanted any more, or the months were over.
    pub(super) left: Timestamp,
}

/// Sums of one way to serve.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Bill {
    /// So many were served.
    pub(super) served: usize,
    /// Months that were paid.
    pub(super) months: u64,
    /// Hours of them until the end of the months.
    pub(super) paid_hours: f64,
    /// Hours in which a VM belonged to somebody.
    pub(super) used_hours: f64,
    /// How long each waited until it was active, in seconds.
    pub(super) waits: Vec<f64>,
}

impl AddAssign<&Self> for Bill {
    fn add_assign(&mut self, other: &Self) {
        self.served += other.served;
        self.months += other.months;
        self.paid_hours += other.paid_hours;
        self.used_hours += other.used_hours;
        self.waits.extend(&other.waits);
    }
}

impl Bill {
    /// The share of what was paid that served nobody.
    pub(super) fn idle(&self) -> f64 {
        if self.paid_hours > 0.0 { 1.0 - self.used_hours / self.paid_hours } else { 0.0 }
    }

    fn wait(&self, share: f64) -> f64 {
        let mut waits = self.waits.clone();
        waits.sort_by(f64::total_cmp);
        #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "few")]
        let place = ((waits.len() as f64 - 1.0).max(0.0) * share) as usize;
        waits.get(place).copied().unwrap_or_default()
    }

    pub(super) fn of_pool(contracts: &[Contract], served: &[Served], end: Timestamp) -> Self {
        let paid = |contract: &Contract| hours(contract.ordered_at, contract.paid_until.min(end));
        Self {
            served: served.len(),
            months: contracts.iter().map(|contract| u64::from(contract.terms)).sum(),
            paid_hours: contracts.iter().filter(|contract| contract.terms > 0).map(paid).sum(),
            used_hours: served.iter().map(|one| hours(one.assigned, one.left)).sum(),
            waits: served.iter().map(|one| one.active.duration_since(one.asked).as_secs_f64()).collect(),
        }
    }

    /// Each buys its own VM for whole months when it is asked for, and cancels it at once as soon as it knows its end.
    pub(super) fn of_each(served: &[Served], end: Timestamp, delays: &[Delay], dice: &mut StdRng) -> Self {
        let mut bill = Self { served: served.len(), ..Self::default() };
        for one in served {
            let lead = delays.iter().map(|delay| drawn(*delay, dice)).sum::<Duration>();
            let began = one.asked.to_zoned(TimeZone::UTC);
            let until = |months: i64| began.checked_add(months.months()).expect("a time near ours").timestamp();
            let months = (1..1_000).find(|months| until(*months) >= one.left).expect("nobody stays for so long");
            bill.months += u64::try_from(months).expect("a small number");
            bill.paid_hours += hours(one.asked, until(months).min(end));
            bill.used_hours += (hours(one.asked, one.left) - lead.as_secs_f64() / 3600.0).max(0.0);
            bill.waits.push(lead.as_secs_f64());
        }
        bill
    }
}

fn drawn(delay: Delay, dice: &mut StdRng) -> Duration {
    let seconds = delay.base.as_secs_f64() + delay.spread.as_secs_f64() * dice.random_range(0.0..1.0);
    Duration::from_secs_f64(seconds)
}

fn hours(from: Timestamp, to: Timestamp) -> f64 {
    (to.duration_since(from).as_secs_f64() / 3600.0).max(0.0)
}

impl fmt::Display for Bill {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} served, {} VM-months paid, {:.1} % of the paid hours served nobody, waiting: median {:.0} s, p95 {:.0} s",
            self.served,
            self.months,
            100.0 * self.idle(),
            self.wait(0.5),
            self.wait(0.95)
        )
    }
}
