//! What contributors and CI run, as `cargo xtask COMMAND`: the same on every machine, with what it needs found or
//! installed, and with nothing skipped in silence.
//!
//! It knows the repository and the tools around it, and none of the code inside. It uses the standard library alone,
//! so that it is built before anything else can break.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a tool for people at a terminal and for CI logs")]

mod bench;
mod run;
mod test;
mod tools;

use std::process::ExitCode;

use run::{Step, run};

const USAGE: &str = "usage: cargo xtask COMMAND

  check        formatting, and clippy with warnings as errors
  test [ARGS]  every test, and what they need: PostgreSQL, dig, Python clients, a NATS server; ARGS go to the test runner
  deny         licences, sources and duplicates of dependencies
  bench NAME   one bench, built for release; without a name, which ones there are
  dist         the binary as it ships";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments.as_slice() {
        ["check"] => check(),
        ["test", rest @ ..] => test::run_all(rest),
        ["deny"] => deny(),
        ["bench", name, rest @ ..] if bench::exists(name) => bench::run_one(name, rest),
        ["bench", ..] => {
            eprintln!("{}", bench::list());
            return ExitCode::from(2);
        }
        ["dist"] => run(&Step::cargo(["build", "--profile", "dist", "--locked", "--package", "alfred"])),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(words) => {
            eprintln!("error: {words}");
            ExitCode::FAILURE
        }
    }
}

fn check() -> Result<(), String> {
    run(&Step::cargo(["fmt", "--all", "--check"]))?;
    run(&Step::cargo(["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]))
}

fn deny() -> Result<(), String> {
    if !tools::answers("cargo", &["deny", "--version"]) {
        run(&Step::cargo(["install", "--locked", "cargo-deny"]))?;
    }
    // Advisories need a database that is a download of its own; they are checked where the code is hosted.
    run(&Step::cargo(["deny", "--workspace", "check", "bans", "licenses", "sources"]))
}
