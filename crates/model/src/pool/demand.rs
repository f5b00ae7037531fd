//! How many ready VMs are wanted: a fixed number, or as many as were wanted in the past.
//!
//! A VM that is ordered or wiped is there after minutes. So that nobody waits, as many must be ready as are likely to be
//! asked for in that time. How many environments are asked for in a while is taken to be random around a rate
//! (a Poisson distribution), the rate from the last day and from the same hours of the days before.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// How far back demand is looked at.
pub const MEMORY: SignedDuration = SignedDuration::from_hours(28 * 24);

/// What was an hour ago counts more than what was yesterday: after a day it counts e times less.
const FADE: f64 = 24.0 * 3600.0;

/// As many days of the same hours are looked at.
const DAYS: i64 = 7;

/// As often as this the ready VMs shall do.
const SERVICE: f64 = 0.95;

/// No forecast is larger; a larger number is configured, not guessed.
const FORECAST_MAX: u32 = 1_000;

/// How many ready VMs are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Always so many.
    Fixed(u32),
    /// As many as demand lets expect.
    Forecast {
        /// Never fewer.
        at_least: u32,
        /// Never more.
        at_most: u32,
    },
}

/// When an environment was asked for, and when it had given its VM back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    /// When it was asked for.
    pub from: Timestamp,
    /// When it had its VM no more; it still has it, where absent.
    pub to: Option<Timestamp>,
}

/// How many ready VMs are wanted now, if one more is there `lead` after it was asked for.
pub fn wanted(rule: Wanted, lives: &[Life], now: Timestamp, lead: Duration) -> u32 {
    match rule {
        Wanted::Fixed(number) => number,
        Wanted::Forecast { at_least, at_most } => {
            let expected = rate(lives, now, lead) * lead.as_secs_f64();
            covering(expected).clamp(at_least.min(at_most), at_most)
        }
    }
}

/// The most environments that had a VM at once within [`MEMORY`].
pub fn peak(lives: &[Life], now: Timestamp) -> u32 {
    let since = now.saturating_sub(MEMORY).unwrap_or(Timestamp::MIN);
    // At one moment, whoever leaves does so before whoever comes: a VM that is given on serves both.
    let mut changes: Vec<(Timestamp, i32)> = Vec::with_capacity(lives.len() * 2);
    for life in lives.iter().filter(|life| life.to.is_none_or(|to| to > since) && life.from <= now) {
        changes.push((life.from.max(since), 1));
        changes.extend(life.to.filter(|to| *to <= now).map(|to| (to, -1)));
    }
    changes.sort_unstable();
    let (mut count, mut most) = (0_i32, 0_i32);
    for (_, change) in changes {
        count += change;
        most = most.max(count);
    }
    u32::try_from(most).unwrap_or(0)
}

/// How many environments are asked for in a second: the larger of what the last day and the same hours of the last week
/// show.
fn rate(lives: &[Life], now: Timestamp, lead: Duration) -> f64 {
    let age = |life: &Life| now.duration_since(life.from).as_secs_f64();
    let asked = || lives.iter().filter(|life| life.from <= now);
    let recent = asked().map(|life| (-age(life) / FADE).exp()).sum::<f64>() / FADE;
    // A narrow window would see nothing of what comes at about the same time.
    let window = lead.as_secs_f64().max(3600.0);
    let day = 24.0 * 3600.0;
    let same_hours = |life: &&Life| {
        let into_day = age(life).rem_euclid(day);
        let days = (age(life) / day).ceil();
        // From this time of the day on, on one of the days before.
        day - into_day <= window && days <= f64::from(i32::try_from(DAYS).unwrap_or(i32::MAX))
    };
    let oldest = asked().map(age).fold(0.0_f64, f64::max);
    let days_seen = (oldest / day).ceil().clamp(1.0, 7.0);
    #[expect(clippy::cast_precision_loss, reason = "a count of environments is far below 2^53")]
    let usual = asked().filter(same_hours).count() as f64 / (days_seen * window);
    recent.max(usual)
}

/// The least number that is enough in [`SERVICE`] of all cases where `expected` are asked for on average.
fn covering(expected: f64) -> u32 {
    if !expected.is_finite() || expected <= 0.0 {
        return 0;
    }
    // Far from zero the distribution is nearly normal, and its terms would be too small for a number.
    if expected > 200.0 {
        let enough = expected + 1.645 * expected.sqrt();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded and positive")]
        return enough.ceil().min(f64::from(FORECAST_MAX)) as u32;
    }
    let mut term = (-expected).exp();
    let mut sum = term;
    let mut number = 0;
    while sum < SERVICE && number < FORECAST_MAX {
        number += 1;
        term *= expected / f64::from(number);
        sum += term;
    }
    number
}

#[cfg(test)]
mod tests;
