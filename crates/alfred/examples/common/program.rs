//! The binary that was built beside this one, and processes of it.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::Failure;

/// Where the binary is. `bench` is the name of the one that runs it.
pub(crate) fn path(bench: &str) -> Result<PathBuf, Failure> {
    let here = std::env::current_exe()?;
    let folder = here.parent().and_then(Path::parent).ok_or("this program is nowhere")?;
    let program = folder.join("alfred").with_extension(std::env::consts::EXE_EXTENSION);
    if !program.is_file() {
        let words = format!("there is no `{}`: run `cargo xtask bench {bench}`, which builds it", program.display());
        return Err(words.into());
    }
    Ok(program)
}

/// A process that goes on until it is dropped.
pub(crate) struct Running {
    pub(crate) child: Child,
    /// What it told about itself.
    told: Value,
}

impl Running {
    /// Starts a command that tells about itself in one line of JSON. What it says to people goes to a file of that name.
    pub(crate) fn start(mut command: Command, says: &Path) -> Result<Self, Failure> {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(File::create(says)?).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("a process has no output")?).read_line(&mut line)?;
        let mut running = Self { child, told: Value::Null };
        running.told = serde_json::from_str(&line)
            .map_err(|_| format!("it did not start: {}", std::fs::read_to_string(says).unwrap_or_default()))?;
        Ok(running)
    }

    /// One thing that it told.
    pub(crate) fn told(&self, name: &str) -> Result<&str, Failure> {
        self.told[name].as_str().ok_or_else(|| format!("no `{name}` was told").into())
    }

    /// All texts that it told.
    pub(crate) fn all_told(&self) -> impl Iterator<Item = (&str, &str)> {
        let told = self.told.as_object().into_iter().flatten();
        told.filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may be gone already; then there is nothing to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
