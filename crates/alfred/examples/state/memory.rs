//! What a control plane needs at its peak, as Linux counts it.

use crate::rates::words;
use crate::stage::{ControlPlane, Place};
use crate::{Failure, content};

/// The peak beyond the idle value is at most so many times the size of the state, and a little.
const MULTIPLE: u64 = 4;

/// What any request needs, whatever the size, in bytes.
const BESIDE: u64 = 16 << 20;

/// What was measured, in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peak {
    idle: u64,
    beyond: u64,
}

/// Writes and reads one state.
pub(crate) async fn measure(up: &ControlPlane, size: usize) -> Result<Peak, Failure> {
    let small = content::state(1, 1 << 10);
    content::write(up, "warm-up", small.clone(), &content::md5(&small)).await?;
    content::read(up, "warm-up").await?;
    let idle = peak(up.process())?;
    let state = content::state(1, size);
    let md5 = content::md5(&state);
    content::write(up, "state", state, &md5).await?;
    content::read(up, "state").await?;
    Ok(Peak { idle, beyond: peak(up.process())?.saturating_sub(idle) })
}

/// The most that a process has ever held in memory.
fn peak(process: u32) -> Result<u64, Failure> {
    let path = format!("/proc/{process}/status");
    let status =
        std::fs::read_to_string(&path).map_err(|error| format!("cannot read `{path}`, which Linux has: {error}"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no peak is told")?;
    let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kibibytes << 10)
}

/// Prints what the columns are.
pub(crate) fn print_head() {
    println!("  {:<10} {:<10} {:>8} {:>10} {:>12} {:>10}", "place", "", "size", "idle MiB", "beyond MiB", "multiple");
}

impl Peak {
    pub(crate) fn print(self, place: Place, is_encrypted: bool, size: usize) {
        let encrypted = if is_encrypted { "encrypted" } else { "" };
        // Beside a small state everything else is large: a multiple would say nothing of it.
        let multiple = if size < 1 << 20 { "-".to_owned() } else { format!("{:.1}", ratio(self.beyond, size as u64)) };
        println!(
            "  {place:<10} {encrypted:<10} {:>8} {:>10.1} {:>12.1} {multiple:>10}",
            words(size),
            ratio(self.idle, 1 << 20),
            ratio(self.beyond, 1 << 20)
        );
    }
}

/// Prints the aim. Answers whether it is met.
pub(crate) fn print_aim(peaks: &[(usize, Peak)]) -> bool {
    let met = peaks.iter().all(|(size, peak)| peak.beyond <= MULTIPLE * *size as u64 + BESIDE);
    let most = peaks.iter().max_by_key(|(size, _)| *size).map_or(0, |(size, _)| *size);
    let largest = peaks.iter().filter(|(size, _)| *size == most).map(|(size, peak)| ratio(peak.beyond, *size as u64));
    println!(
        "{:<8} memory: at most {MULTIPLE} times the state's size and {} MiB; of {}, {:.1} times",
        if met { "met" } else { "not met" },
        BESIDE >> 20,
        words(most),
        largest.fold(0.0, f64::max)
    );
    met
}

#[expect(clippy::cast_precision_loss, reason = "bytes of memory are far below 2^53")]
fn ratio(bytes: u64, of: u64) -> f64 {
    bytes as f64 / of as f64
}
