//! `cargo xtask bench NAME`: the benches, each an example of the binary's crate, built for release.

use crate::run::{Step, run};
use crate::tools;

/// What is measured, and whether it runs the binary itself beside Python clients.
struct Bench {
    name: &'static str,
    /// The crate that it stands in: beside what it measures.
    package: &'static str,
    about: &'static str,
    has_peers: bool,
}

const BENCHES: [Bench; 3] = [
    Bench {
        name: "environments",
        package: "alfred",
        about: "[COUNT ...]  a fleet of environments from a warm pool: time, CPU, memory and calls of each",
        has_peers: false,
    },
    Bench {
        name: "dns",
        package: "alfred",
        about: "[--quick]    `alfred dns apply` beside octoDNS: calls, time, CPU and memory; takes ten minutes",
        has_peers: true,
    },
    Bench {
        name: "audit",
        package: "alfred-model",
        about: "[COUNT ...]  the audit's comparison of so many environments, VMs and records: CPU and memory",
        has_peers: false,
    },
];

/// The benches with what they take, for people.
pub(crate) fn list() -> String {
    let lines = BENCHES.iter().map(|bench| format!("\n  {:<12} {}", bench.name, bench.about));
    format!("usage: cargo xtask bench NAME\n{}", lines.collect::<String>())
}

/// Whether there is a bench of this name.
pub(crate) fn exists(name: &str) -> bool {
    named(name).is_some()
}

/// Builds a bench and runs it with these arguments.
pub(crate) fn run_one(name: &str, arguments: &[&str]) -> Result<(), String> {
    let bench = named(name).ok_or_else(list)?;
    let start = ["run", "--release", "--locked", "--package", bench.package, "--example", name, "--"];
    let mut step = Step::cargo(start.into_iter().chain(arguments.iter().copied()));
    if bench.has_peers {
        step = step.variable("PEER_PYTHON", tools::python()?);
        // Running an example builds no binary.
        run(&Step::cargo(["build", "--release", "--locked", "--package", "alfred", "--bin", "alfred"]))?;
    }
    run(&step)
}

fn named(name: &str) -> Option<&'static Bench> {
    BENCHES.iter().find(|bench| bench.name == name)
}
