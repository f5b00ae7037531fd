//! The bench behind `cargo xtask bench latency`: how long one person waits for one environment.
//!
//! The real binary in three processes: `alfred cloud`, `alfred up` on SQLite on disk with a pool of ready VMs, and
//! `alfred env create --wait`, one after the other. HTTP and DNS go over sockets. Two times are taken: of the command's
//! whole process, and from a request to the moment in which a client that listens to events knows that the environment is
//! `active`. First without any delay; then with delays like the platform's, beside the sum of what must follow one
//! another. It fails if a median is beyond its limit.
//!
//! `cargo xtask bench latency [COUNT]`, by default 50 creations of each kind.

#![expect(clippy::print_stdout, reason = "figures are what a bench is for")]

#[path = "../common/pool.rs"]
mod pool;
#[path = "../common/program.rs"]
mod program;
mod stage;

use std::process::ExitCode;
use std::time::Duration;

use pool::Failure;
use stage::Stage;

/// So many creations of each kind are measured.
const COUNT: u32 = 50;

/// So many come before, so that connections stand and files are in memory.
const WARM_UP: u32 = 3;

/// Without delays, the median is not longer.
const LIMIT: Duration = Duration::from_millis(150);

/// With delays, the median is not longer than so many times the sum of what must follow one another.
const RATIO: f64 = 1.2;

/// What every call to a platform takes, and how long after a write DNS shows it.
const CALL: Duration = Duration::from_millis(150);
const PUBLICATION: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let count = std::env::args().nth(1).map_or(Ok(COUNT), |text| text.parse());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime starts");
    let result = match count {
        Ok(count) if count > 0 => runtime.block_on(bench(count)),
        _ => Err("give a number of creations".into()),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all limits were kept.
async fn bench(count: u32) -> Result<bool, Failure> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    println!("{count} creations of each kind, one after the other, each with a ready VM in the pool\n");

    println!("no delays");
    let times = measure(count, None).await?;
    let kept = times.print(None);

    println!("\ndelays like the platform's: {} each call, DNS shows a change after {}", ms(CALL), ms(PUBLICATION));
    let floor = CALL + PUBLICATION;
    println!("  what must follow one another:");
    println!("    {:>7}  the record is written: nobody answers for the name before that", ms(CALL));
    println!("    {:>7}  the record shows at the zone's servers: `active` means that it answers", ms(PUBLICATION));
    println!("    {:>7}  in all; the user's own request and the VM's connection are local", ms(floor));
    let times = measure(count, Some((CALL, PUBLICATION))).await?;
    Ok(times.print(Some(floor)) && kept)
}

async fn measure(count: u32, delays: Option<(Duration, Duration)>) -> Result<Times, Failure> {
    let mut stage = Stage::start(2 * count + WARM_UP).await?;
    for _ in 0..WARM_UP {
        stage.create_by_command().await?;
    }
    if let Some((call, publication)) = delays {
        stage.slow_down(call, publication).await?;
    }
    let calls = stage.calls().await?;
    let (mut command, mut request) = (Vec::new(), Vec::new());
    for _ in 0..count {
        command.push(stage.create_by_command().await?);
        request.push(stage.create_by_request().await?);
    }
    let calls = stage.calls().await?.since(&calls);
    Ok(Times { command: Sample::new(command), request: Sample::new(request), calls: calls.each(2 * count) })
}

/// What was measured.
struct Times {
    command: Sample,
    request: Sample,
    /// The calls of one creation, in words.
    calls: String,
}

impl Times {
    /// Prints all, and says whether the medians keep within the limit: of a floor, or the one without delays.
    fn print(&self, floor: Option<Duration>) -> bool {
        let limit = floor.map_or(LIMIT, |floor| floor.mul_f64(RATIO));
        println!("  {:<36} {:>9} {:>9} {:>9} {:>7}", "", "median", "p90", "limit", "ratio");
        let mut kept = true;
        for (what, sample) in
            [("`alfred env create --wait`, process", &self.command), ("request to `active`", &self.request)]
        {
            let (median, p90) = (sample.share(0.5), sample.share(0.9));
            let ratio =
                floor.map_or("-".to_owned(), |floor| format!("{:.2}", median.as_secs_f64() / floor.as_secs_f64()));
            let missed = if median < limit { "" } else { "  missed" };
            kept &= median < limit;
            println!("  {what:<36} {:>9} {:>9} {:>9} {ratio:>7}{missed}", ms(median), ms(p90), ms(limit));
        }
        println!("  calls for each: {}", self.calls);
        kept
    }
}

/// Times, shortest first.
struct Sample(Vec<Duration>);

impl Sample {
    fn new(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    /// The time that this share of all does not exceed, by the nearest rank.
    fn share(&self, share: f64) -> Duration {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a few"
        )]
        let rank = (share * self.0.len() as f64).ceil() as usize;
        self.0.get(rank.saturating_sub(1)).copied().unwrap_or_default()
    }
}

fn ms(time: Duration) -> String {
    format!("{:.0} ms", time.as_secs_f64() * 1000.0)
}
