//! The bench behind `cargo xtask bench state`: Terraform states through `/tfstate`.
//!
//! Four tables. How long `terraform apply` of one `terraform_data` takes, as a process from its start to its end, through
//! `/tfstate` with states in a folder and in R2, beside Terraform's own `local` and `s3` backends: one after the other in
//! turn, R2 being the same local cloud for both; and again with an R2 that is far away. How many states of three sizes are
//! written and read in a second. And how much more memory than when idle a control plane needs at its peak for one write and
//! one read of a state.
//!
//! `cargo xtask bench state [--quick]`: `--quick` takes a few runs of each, to see that it works; the aims hold for the full
//! numbers alone. It fails if `/tfstate` on R2 is slower than Terraform's own S3 backend, asks R2 more often or takes more
//! memory than stated.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "figures are what a bench is for")]

mod applies;
mod content;
mod memory;
#[path = "../common/program.rs"]
mod program;
mod rates;
mod stage;
mod terraform;

use std::process::ExitCode;
use std::time::Duration;

use stage::{Place, Stage};

type Failure = Box<dyn std::error::Error>;

/// Sizes of states, in bytes.
const SIZES: [usize; 3] = [1 << 10, 1 << 20, 64 << 20];

/// The largest state that is taken if nothing else is configured, in bytes.
const LARGEST: usize = 256 << 20;

/// How much later an R2 that is far away answers.
const DISTANCE: Duration = Duration::from_millis(40);

/// How much is done.
#[derive(Debug, Clone, Copy)]
struct Extent {
    /// Applies of each kind.
    applies: usize,
    /// The same where R2 is far away.
    far_applies: usize,
    /// How long each size is written, and read.
    time: Duration,
    /// Whether the figures are held against the aims.
    has_aims: bool,
}

const FULL: Extent = Extent { applies: 60, far_applies: 20, time: Duration::from_secs(5), has_aims: true };
const QUICK: Extent = Extent { applies: 5, far_applies: 3, time: Duration::from_millis(500), has_aims: false };

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let extent = match arguments.as_slice() {
        [] => FULL,
        ["--quick"] => QUICK,
        _ => {
            eprintln!("usage: cargo xtask bench state [--quick]");
            return ExitCode::from(2);
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime starts");
    match runtime.block_on(bench(extent)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Prints all tables. Answers whether the aims are met.
async fn bench(extent: Extent) -> Result<bool, Failure> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let stage = Stage::start().await?;
    let processors = std::thread::available_parallelism()?;
    println!(
        "{} on {processors} processors; R2 is the local cloud, without its limit of writes",
        terraform::version()?
    );

    println!("\n`terraform apply` of one `terraform_data`, {} of each, in turn", extent.applies);
    let applies = applies::measure(&stage, extent.applies).await?;
    applies.print();
    let far = Stage::start().await?;
    far.be_far_away(DISTANCE).await?;
    println!("\nthe same, {} of each, with an R2 that answers {} ms later", extent.far_applies, DISTANCE.as_millis());
    let far_applies = applies::measure(&far, extent.far_applies).await?;
    far_applies.print();
    drop(far);

    println!("\nstates by one client through `/tfstate`, one after the other");
    rates::print_head();
    for place in Place::ALL {
        let up = stage.control_plane(place, None)?;
        for size in SIZES {
            rates::measure(&up, size, extent.time).await?.print(place, size);
        }
    }

    println!(
        "\npeak memory of the control plane for one write and one read of a state, beyond what it holds when idle"
    );
    let mut peaks = Vec::new();
    memory::print_head();
    for place in Place::ALL {
        for key in [None, Some(stage::KEYS)] {
            for size in SIZES.into_iter().chain([LARGEST]) {
                let up = stage.control_plane(place, key)?;
                let peak = memory::measure(&up, size).await?;
                peak.print(place, key.is_some(), size);
                peaks.push((size, peak));
            }
        }
    }
    if !extent.has_aims {
        return Ok(true);
    }
    println!();
    let aims = [applies.print_aims("nearby"), far_applies.print_aims("far away"), memory::print_aim(&peaks)];
    Ok(aims == [true; 3])
}
