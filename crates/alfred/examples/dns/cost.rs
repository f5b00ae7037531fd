//! What a process costs.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use tokio::time::Instant;
use wait4::Wait4 as _;

use crate::Failure;

/// What one run cost.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cost {
    /// API calls, as the cloud counted them.
    pub(crate) calls: u64,
    pub(crate) wall: Duration,
    /// User and system time.
    pub(crate) cpu: Duration,
    /// Peak resident memory in bytes.
    pub(crate) peak: u64,
}

/// Runs a command to its end and answers what it cost, calls aside. What it prints goes to files in `folder`.
///
/// The peak is never less than what this process holds while it starts the other one: the kernel counts that in.
pub(crate) fn of(command: &mut Command, folder: &Path) -> Result<Cost, Failure> {
    let said = folder.join("stderr");
    command.stdin(Stdio::null()).stdout(File::create(folder.join("stdout"))?).stderr(File::create(&said)?);
    let began = Instant::now();
    let ended = command.spawn()?.wait4()?;
    let wall = began.elapsed();
    if !ended.status.success() {
        let words = std::fs::read_to_string(&said)?;
        let last: Vec<&str> = words.lines().rev().take(20).collect();
        let last: Vec<&str> = last.into_iter().rev().collect();
        return Err(format!("it failed ({}):\n{}", ended.status, last.join("\n")).into());
    }
    Ok(Cost { calls: 0, wall, cpu: ended.rusage.utime + ended.rusage.stime, peak: ended.rusage.maxrss })
}
