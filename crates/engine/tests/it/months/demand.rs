//! Who comes when and stays for how long, drawn from the seed.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rand::RngExt as _;
use rand::rngs::StdRng;

/// People come and go at such moments.
pub(super) const TICK: Duration = Duration::from_mins(10);

/// One environment that somebody wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stay {
    /// In which tick it is asked for.
    pub(super) tick: u64,
    /// How many ticks later it is deleted.
    pub(super) ticks: u64,
    /// Whether it is known from the start when that will be.
    pub(super) told: bool,
}

/// More on working days and by day, with bursts; for hours, days or weeks.
pub(super) fn draw(dice: &mut StdRng, start: Timestamp, ticks: u64) -> Vec<Stay> {
    let a_day: f64 = dice.random_range(1.5..6.0);
    let mut stays = Vec::new();
    for tick in 0..ticks {
        let now = start + TICK * u32::try_from(tick).expect("months have few ticks");
        let zoned = now.to_zoned(TimeZone::UTC);
        let by_day = if (7..18).contains(&zoned.hour()) { 1.8 } else { 0.3 };
        let weekend = zoned.weekday().to_monday_zero_offset() >= 5;
        let share = a_day / 144.0 * by_day * if weekend { 0.3 } else { 1.2 };
        let mut count = u64::from(dice.random_bool(share.min(1.0)));
        if dice.random_bool(1.0 / (144.0 * 12.0)) {
            count += dice.random_range(3..9);
        }
        for _ in 0..count {
            let (hours, told) = (life(dice), dice.random_bool(0.8));
            stays.push(Stay { tick, ticks: hours * 6, told });
        }
    }
    stays
}

fn life(dice: &mut StdRng) -> u64 {
    match dice.random_range(0..100) {
        0..45 => dice.random_range(1..12),
        45..80 => dice.random_range(12..6 * 24),
        80..96 => dice.random_range(6 * 24..21 * 24),
        _ => dice.random_range(21 * 24..50 * 24),
    }
}
