//! Running other programs, and saying which.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A program with its arguments and variables.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    program: OsString,
    arguments: Vec<OsString>,
    variables: Vec<(OsString, OsString)>,
}

impl Step {
    /// A program by name or path.
    pub(crate) fn new(program: impl Into<OsString>, arguments: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        let arguments = arguments.into_iter().map(Into::into).collect();
        Self { program: program.into(), arguments, variables: Vec::new() }
    }

    /// The cargo that runs this tool.
    pub(crate) fn cargo(arguments: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        Self::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()), arguments)
    }

    /// Adds a variable.
    pub(crate) fn variable(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    /// The line as one would type it.
    pub(crate) fn line(&self) -> String {
        let program = Path::new(&self.program).file_name().unwrap_or(&self.program);
        let words = std::iter::once(program).chain(self.arguments.iter().map(OsString::as_os_str));
        words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        let variables = self.variables.iter().map(|(name, value)| (name, value));
        // Cargo set these about this tool. Build scripts that look at them, such as ring's, would run again whenever
        // cargo is called by hand and by this tool in turn.
        let own = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(own)) {
            command.env_remove(name);
        }
        command.args(&self.arguments).envs(variables).current_dir(root());
        command
    }
}

/// The repository.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// Where cargo builds.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Runs a step to its end, with its output as it comes.
pub(crate) fn run(step: &Step) -> Result<(), String> {
    println!("$ {}", step.line());
    let status = step.command().status().map_err(|error| format!("cannot run `{}`: {error}", step.line()))?;
    if status.success() { Ok(()) } else { Err(format!("`{}` failed ({status})", step.line())) }
}

/// Runs a step to its end, with its output as it comes; also hands each line to `read`. Answers whether it succeeded.
pub(crate) fn run_reading(step: &Step, read: &mut dyn FnMut(&str)) -> Result<bool, String> {
    println!("$ {}", step.line());
    let cannot = |error: std::io::Error| format!("cannot run `{}`: {error}", step.line());
    let mut child = step.command().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(cannot)?;
    let (lines, received) = std::sync::mpsc::channel();
    let streams: [Option<Box<dyn Read + Send>>; 2] = [
        child.stdout.take().map(|stream| Box::new(stream) as Box<dyn Read + Send>),
        child.stderr.take().map(|stream| Box::new(stream) as Box<dyn Read + Send>),
    ];
    for stream in streams.into_iter().flatten() {
        let lines = lines.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
                if lines.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                    break;
                }
            }
        });
    }
    drop(lines);
    for line in received {
        println!("{line}");
        read(&line);
    }
    Ok(child.wait().map_err(cannot)?.success())
}

/// A program that is kept running until this is dropped, which closes its input.
#[derive(Debug)]
pub(crate) struct Kept(std::process::Child);

impl Drop for Kept {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        // It ends by itself; if it is gone already there is nothing to wait for.
        let _ = self.0.wait();
    }
}

/// Starts a step, waits for its first line, and keeps it running.
pub(crate) fn keep(step: &Step) -> Result<(Kept, String), String> {
    println!("$ {} &", step.line());
    let cannot = |error: std::io::Error| format!("cannot run `{}`: {error}", step.line());
    let mut child = step.command().stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(cannot)?;
    let stdout = child.stdout.take();
    let kept = Kept(child);
    let mut line = String::new();
    if let Some(stdout) = stdout {
        BufReader::new(stdout).read_line(&mut line).map_err(cannot)?;
    }
    if line.trim().is_empty() { Err(format!("`{}` failed", step.line())) } else { Ok((kept, line.trim().to_owned())) }
}
