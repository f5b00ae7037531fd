//! How many states are written and read in a second.

use std::time::Duration;

use tokio::time::Instant;

use crate::stage::{ControlPlane, Place};
use crate::{Failure, content};

/// At least so many of each, however long they take; at most so many, for the bytes that they leave.
const COUNT_MIN: u64 = 3;
const BYTES_MAX: u64 = 512 << 20;

/// What was measured.
pub(crate) struct Rates {
    writes: f64,
    reads: f64,
}

/// Writes states of a size for some time, each a new version, and then reads the last one for some time.
pub(crate) async fn measure(up: &ControlPlane, size: usize, time: Duration) -> Result<Rates, Failure> {
    let name = format!("size-{size}");
    let count_max = (BYTES_MAX / size as u64).max(COUNT_MIN);
    let (mut serial, mut wrote) = (0, Duration::ZERO);
    while serial < COUNT_MIN || (wrote < time && serial < count_max) {
        serial += 1;
        // Making it takes longer than writing it, and is no part of that.
        let state = content::state(serial, size);
        let md5 = content::md5(&state);
        let began = Instant::now();
        content::write(up, &name, state, &md5).await?;
        wrote += began.elapsed();
    }
    let (mut count, began) = (0, Instant::now());
    while count < COUNT_MIN || began.elapsed() < time {
        let length = content::read(up, &name).await?;
        if length != size {
            return Err(format!("a state of {size} bytes came back with {length}").into());
        }
        count += 1;
    }
    Ok(Rates { writes: per_second(serial, wrote), reads: per_second(count, began.elapsed()) })
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn per_second(count: u64, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}

/// A size in words.
pub(crate) fn words(size: usize) -> String {
    if size < 1 << 20 { format!("{} KiB", size >> 10) } else { format!("{} MiB", size >> 20) }
}

/// Prints what the columns are.
pub(crate) fn print_head() {
    println!("  {:<10} {:>8} {:>12} {:>12} {:>12} {:>12}", "place", "size", "writes/s", "MiB/s", "reads/s", "MiB/s");
}

impl Rates {
    pub(crate) fn print(&self, place: Place, size: usize) {
        #[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^53")]
        let mebibytes = size as f64 / f64::from(1 << 20);
        let (writes, reads) = (self.writes, self.reads);
        println!(
            "  {place:<10} {:>8} {writes:>12.1} {:>12.1} {reads:>12.1} {:>12.1}",
            words(size),
            writes * mebibytes,
            reads * mebibytes
        );
    }
}
