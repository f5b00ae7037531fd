//! `cargo xtask bench NAME`: the benches, each an example of the binary's crate, built for release.

use crate::run::{Step, run};
use crate::tools;

/// What is measured, and what that takes.
struct Bench {
    name: &'static str,
    /// The crate that it stands in: beside what it measures.
    package: &'static str,
    about: &'static str,
    /// Whether it runs the binary itself.
    runs_binary: bool,
    /// Whether it runs Python clients beside it.
    has_peers: bool,
}

const BENCHES: [Bench; 5] = [
    Bench {
        name: "environments",
        package: "alfred",
        about: "[COUNT ...]  a fleet of environments from a warm pool: time, CPU, memory and calls of each",
        runs_binary: false,
        has_peers: false,
    },
    Bench {
        name: "latency",
        package: "alfred",
        about: "[COUNT]      `alfred env create --wait` with a ready VM: how long one person waits; takes three minutes",
        runs_binary: true,
        has_peers: false,
    },
    Bench {
        name: "dns",
        package: "alfred",
        about: "[--quick]    `alfred dns apply` beside octoDNS: calls, time, CPU and memory; takes ten minutes",
        runs_binary: true,
        has_peers: true,
    },
    Bench {
        name: "state",
        package: "alfred",
        about: "[--quick]    Terraform states through `/tfstate` beside Terraform's own backends: time and memory; takes three minutes",
        runs_binary: true,
        has_peers: false,
    },
    Bench {
        name: "audit",
        package: "alfred-model",
        about: "[COUNT ...]  the audit's comparison of so many environments, VMs and records: CPU and memory",
        runs_binary: false,
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
    }
    if bench.runs_binary {
        // Running an example builds no binary.
        run(&Step::cargo(["build", "--release", "--locked", "--package", "alfred", "--bin", "alfred"]))?;
    }
    run(&step)
}

fn named(name: &str) -> Option<&'static Bench> {
    BENCHES.iter().find(|bench| bench.name == name)
}
