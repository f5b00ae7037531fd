//! The bench behind `cargo xtask bench dns`: `alfred dns apply` beside octoDNS, with the same work on the same zone.
//!
//! Both are measured as users run them, as a process from its start to its end. A local cloud runs in a process of its
//! own and keeps a journal, from which the calls are counted; before each run the zone is filled past the API, and after
//! it every record is compared with what was wanted, so that nobody is fast by doing nothing. The zone's batches are the
//! smallest that Cloudflare has, those of the Free plan.
//!
//! `cargo xtask bench dns [--quick]`: `--quick` takes a tenth of the records, to see that it runs; the aims hold for the
//! full size alone. It fails if a number of calls is not what it should be; times depend on the machine and only print.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "figures are what a bench is for")]

mod cloud;
mod cost;
mod table;
mod tool;
mod workload;

use std::path::Path;
use std::process::ExitCode;

use cloud::CloudProcess;
use cost::Cost;
use table::{Row, Table};
use tool::Tool;
use workload::{Work, Workload};

type Failure = Box<dyn std::error::Error>;

const USAGE: &str = "usage: cargo xtask bench dns [--quick]";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments.as_slice() {
        ["cloud"] => cloud::serve().map(|()| true),
        [] => bench(&Workload::full(), true),
        ["--quick"] => bench(&Workload::quick(), false),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs every workload with both. Answers whether the aims that are numbers of calls are met.
fn bench(workloads: &[Workload], has_aims: bool) -> Result<bool, Failure> {
    let (alfred, octodns) = (Tool::alfred()?, Tool::octodns()?);
    let folder = tempfile::tempdir()?;
    let mut cloud = CloudProcess::start()?;
    let processors = std::thread::available_parallelism()?;
    println!("{alfred} and {octodns} on {processors} processors; batches of 200, no latency");
    table::print_head();
    let mut table = Table::default();
    for workload in workloads {
        let row = Row {
            workload: *workload,
            alfred: median(&alfred, *workload, &mut cloud, folder.path())?,
            octodns: run(&octodns, *workload, &mut cloud, folder.path())?,
        };
        table.print(row);
    }
    Ok(!has_aims || table.print_aims())
}

/// So many times alfred runs: it takes a fraction of a second, in which a busy machine shows.
const RUNS: usize = 5;

/// The run in the middle by CPU, with the most calls of any.
fn median(tool: &Tool, workload: Workload, cloud: &mut CloudProcess, folder: &Path) -> Result<Cost, Failure> {
    let mut costs = Vec::with_capacity(RUNS);
    for _ in 0..RUNS {
        costs.push(run(tool, workload, cloud, folder)?);
    }
    let calls = costs.iter().map(|cost| cost.calls).max().unwrap_or_default();
    costs.sort_unstable_by_key(|cost| cost.cpu);
    let middle = costs.swap_remove(costs.len() / 2);
    Ok(Cost { calls, ..middle })
}

fn run(tool: &Tool, workload: Workload, cloud: &mut CloudProcess, folder: &Path) -> Result<Cost, Failure> {
    let mut command = tool.prepare(workload, &cloud.base, folder)?;
    cloud.fill(tool.marks(), workload)?;
    let cost = cost::of(&mut command, folder).map_err(|error| format!("{tool}, {}: {error}", workload.title()))?;
    let end = cloud.end(tool.marks(), workload)?;
    if end.wrong > 0 {
        return Err(format!("{tool}, {}: {} records are not as wanted", workload.title(), end.wrong).into());
    }
    if end.writes > 0 && workload.work == Work::Nothing {
        return Err(format!("{tool} wrote {} times although there was nothing to do", end.writes).into());
    }
    Ok(Cost { calls: end.calls, ..cost })
}
