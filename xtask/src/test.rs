//! `cargo xtask test`: everything that can be tested on this machine, counted.
//!
//! A test that cannot run for want of a tool counts as failed: green means that all of it ran. The exceptions are
//! documents that are other people's and that nobody can be asked to have, and `terraform`, which no package registry that
//! is used here carries: what needs them says so and is told at the end, beside the tests that passed.

mod count;

use std::path::{Path, PathBuf};

use count::Count;

use crate::run::{Step, keep, root, run, run_reading};
use crate::tools;

/// What came of everything.
#[derive(Debug, Default)]
struct Tally {
    passed: u64,
    failed: u64,
    could_not_run: Vec<String>,
}

/// Finds what tests need, runs them all, and ends with the line `N passed, N failed`.
pub(crate) fn run_all(arguments: &[&str]) -> Result<(), String> {
    let mut tally = Tally::default();
    let needs = [
        ("PostgreSQL", tools::postgresql().and_then(|_| tools::postgresql_user())),
        ("`dig`, the DNS client that people use", tools::program("dig", "-v", "bind9-dnsutils")),
        ("certificates", tools::program("openssl", "version", "openssl")),
        ("a kill at each system call", tools::program("strace", "--version", "strace")),
    ];
    for (what, result) in needs {
        if let Err(words) = result {
            // The tests that need it fail by themselves and are counted there; this says why, and what to do.
            tally.could_not_run.push(format!("tests with {what}: {words}"));
        }
    }
    // Each test runs in a process of its own, and starting a server takes seconds: one serves them all. Without it they
    // start their own, or fail and say why.
    let postgres =
        keep(&Step::cargo(["run", "--quiet", "--locked", "--package", "alfred-testing", "--example", "postgres"]));
    let mut variables: Vec<(&str, PathBuf)> = Vec::new();
    if let Ok((_, folder)) = &postgres {
        variables.push(("ALFRED_TEST_POSTGRES", PathBuf::from(folder)));
    }
    match tools::nats_server() {
        Ok(program) => variables.push(("ALFRED_NATS_SERVER", program)),
        // Tests without it pass and say that they could not run; what is missing makes the whole red.
        Err(words) => {
            tally.failed += 1;
            tally.could_not_run.push(format!("tests with a NATS server: {words}"));
        }
    }
    rust(arguments, &variables, &mut tally)?;
    drop(postgres);
    // A selection of tests is for whoever works on them; the peers belong to the whole.
    if arguments.is_empty() {
        peers(&mut tally)?;
    }
    finish(&tally)
}

/// Every Rust test: with nextest, which runs each in its own process, or with cargo alone. Doc tests are cargo's.
fn rust(arguments: &[&str], variables: &[(&str, PathBuf)], tally: &mut Tally) -> Result<(), String> {
    let workspace = ["--workspace", "--all-targets", "--locked", "--no-fail-fast"];
    if tools::answers("cargo", &["nextest", "--version"]) {
        // Tests start it to kill it; nextest builds examples as tests alone.
        run(&Step::cargo(["build", "--workspace", "--locked", "--example", "write_states"]))?;
        let step = Step::cargo(["nextest", "run"].into_iter().chain(workspace).chain(arguments.iter().copied()));
        count(&with_variables(step, variables), tally)?;
        if arguments.is_empty() {
            count(&Step::cargo(["test", "--workspace", "--doc", "--locked", "--no-fail-fast"]), tally)?;
        }
        return Ok(());
    }
    let workspace = ["test", "--workspace", "--locked", "--no-fail-fast"];
    count(&with_variables(Step::cargo(workspace.into_iter().chain(arguments.iter().copied())), variables), tally)
}

fn with_variables(step: Step, variables: &[(&str, PathBuf)]) -> Step {
    variables.iter().fold(step, |step, (name, value)| step.variable(name, value))
}

/// The clients that other people wrote, against the local cloud. Each is one test.
const PEERS: [&str; 5] = ["sdk", "octodns", "boto", "awscli", "terraform"];

fn peers(tally: &mut Tally) -> Result<(), String> {
    let script = root().join("crates/local-cloud/tests/peers/run.sh");
    match tools::python() {
        Ok(python) => PEERS.iter().try_for_each(|peer| script_test(&script, peer, &python, tally)),
        Err(words) => {
            tally.failed += PEERS.len() as u64;
            tally.could_not_run.push(format!("the foreign clients against the local cloud: {words}"));
            Ok(())
        }
    }
}

fn script_test(script: &Path, peer: &str, python: &Path, tally: &mut Tally) -> Result<(), String> {
    let step = Step::new("sh", [script.as_os_str(), peer.as_ref()]).variable("PEER_PYTHON", python);
    let mut count = Count::default();
    if run_reading(&step, &mut |line| count.read(line))? {
        // A script that says that it could not run is no test that passed.
        tally.passed += u64::from(count.could_not_run.is_empty());
    } else {
        tally.failed += 1;
    }
    tally.could_not_run.extend(count.could_not_run);
    Ok(())
}

fn count(step: &Step, tally: &mut Tally) -> Result<(), String> {
    let mut count = Count::default();
    let succeeded = run_reading(step, &mut |line| count.read(line))?;
    tally.passed += count.passed;
    tally.failed += count.failed;
    tally.could_not_run.extend(count.could_not_run);
    if count.skipped > 0 {
        tally.could_not_run.push(format!("{} tests were left out by `{}`", count.skipped, step.line()));
    }
    if !succeeded && count.failed == 0 {
        // It did not come as far as a test: a build error, or a runner that broke.
        tally.failed += 1;
        tally.could_not_run.push(format!("`{}` failed before or beside its tests", step.line()));
    }
    Ok(())
}

fn finish(tally: &Tally) -> Result<(), String> {
    println!();
    for words in &tally.could_not_run {
        println!("could not run: {words}");
    }
    if !tally.could_not_run.is_empty() {
        println!("{} could not run", tally.could_not_run.len());
    }
    let summary = format!("{} passed, {} failed", tally.passed, tally.failed);
    println!("{summary}");
    if tally.failed > 0 {
        return Err("not all tests passed".to_owned());
    }
    if tally.passed == 0 {
        return Err("no test ran".to_owned());
    }
    Ok(())
}
