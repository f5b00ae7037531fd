//! The real `terraform`: a folder with a configuration in it, and commands in that folder.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::door::Door;

/// No command takes nearly so long unless it waits for something that does not come.
const LIMIT: Duration = Duration::from_mins(2);

/// One resource whose input is the variable `value`. `terraform_data` is built in: nothing is downloaded.
///
/// Where the variable `gate` names a file, an apply says in `FILE.entered` that it holds the lock, and then waits until the
/// file is there or terraform is gone.
const RESOURCES: &str = r#"
variable "value" {
  type    = string
  default = "one"
}

variable "gate" {
  type    = string
  default = ""
}

resource "terraform_data" "it" {
  input = var.value
}

resource "terraform_data" "gate" {
  triggers_replace = var.value

  provisioner "local-exec" {
    command     = "[ -z \"$GATE\" ] || { echo \"$VALUE\" >> \"$GATE.entered\"; while [ ! -e \"$GATE\" ] && kill -0 $PPID; do sleep 0.05; done; }"
    environment = { GATE = var.gate, VALUE = var.value }
  }
}

output "value" {
  value = terraform_data.it.output
}
"#;

/// Whether there is a `terraform` that can be run. If there is none, says that `test` could not run, in a line that
/// `cargo xtask test` counts and repeats at its end.
pub(crate) fn is_there(test: &str) -> bool {
    let ran = std::process::Command::new("terraform")
        .arg("version")
        .env("CHECKPOINT_DISABLE", "1")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if ran.is_ok_and(|status| status.success()) {
        return true;
    }
    could_not_run(
        test,
        "there is no `terraform` in `PATH`; get it from https://developer.hashicorp.com/terraform/install",
    );
    false
}

/// Says that `test` could not run, past the harness, which hides what passing tests print.
pub(crate) fn could_not_run(test: &str, why: &str) {
    let line = format!("\ncould not run: terraform::{test}: {why}\n");
    std::io::stdout().write_all(line.as_bytes()).expect("the output is open");
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Absent, if it was killed.
    pub(crate) code: Option<i32>,
    /// Only what it said on stdout, as it said it.
    pub(crate) stdout: String,
    /// What it said to people, without colours, frames and line breaks.
    pub(crate) words: String,
}

impl Ended {
    /// Checks that it succeeded.
    #[track_caller]
    pub(crate) fn done(self) -> Self {
        assert_eq!(self.code, Some(0), "terraform said: {}", self.words);
        self
    }

    /// Whether Terraform's own S3 backend gave up waiting although it was told to wait: it was refused the lock, then looked who
    /// has it, and in between the lock had been given back. It takes that for an error like any other
    /// (<https://github.com/hashicorp/terraform>, `internal/backend/remote-state/s3/client.go`). Nothing has changed then.
    pub(crate) fn missed_the_holder(&self) -> bool {
        let words = ["Error acquiring the state lock", "PreconditionFailed", ".tflock", "NoSuchKey"];
        self.code == Some(1) && words.iter().all(|one| self.words.contains(one))
    }

    /// Checks that it failed and said this.
    #[track_caller]
    pub(crate) fn failed_with(&self, words: &str) {
        assert_eq!(self.code, Some(1), "terraform said: {}", self.words);
        assert!(self.words.contains(words), "not `{words}`, but: {}", self.words);
    }
}

/// A folder with a configuration whose state is kept behind a door, or in the folder itself.
pub(crate) struct Workspace {
    folder: TempDir,
    variables: Vec<(String, String)>,
}

impl Workspace {
    /// A configuration whose state is kept in the folder itself.
    pub(crate) fn local() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("terraform.rc"), "").unwrap();
        std::fs::write(folder.path().join("resources.tf"), RESOURCES).unwrap();
        Self { folder, variables: Vec::new() }
    }

    /// A configuration whose state is kept behind a door under this name, initialised.
    pub(crate) async fn new(door: &Door, state: &str) -> Self {
        let mut workspace = Self::local();
        workspace.keep_at(door, state);
        workspace.run(["init"]).await.done();
        workspace
    }

    /// From now on its configuration says that its state is kept there. Until the next `init` Terraform refuses to work.
    pub(crate) fn keep_at(&mut self, door: &Door, state: &str) {
        std::fs::write(self.path("backend.tf"), door.block(state)).unwrap();
        self.variables = door.variables(state);
    }

    /// From now on its configuration says that its state is kept in the folder. What it takes to reach the door where it was
    /// kept before is still known: a migration reads there.
    pub(crate) fn keep_here(&self) {
        std::fs::remove_file(self.path("backend.tf")).unwrap();
    }

    /// What commands are given in their environment.
    pub(crate) fn variables(&self) -> &[(String, String)] {
        &self.variables
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.path(name).exists()
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    fn command<const N: usize>(&self, arguments: [&str; N]) -> Command {
        let mut command = Command::new("terraform");
        command
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .env("CHECKPOINT_DISABLE", "1")
            .env("TF_CLI_CONFIG_FILE", self.path("terraform.rc"))
            .env("TF_IN_AUTOMATION", "1")
            .env("TF_INPUT", "0")
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Runs a command to its end.
    pub(crate) async fn run<const N: usize>(&self, arguments: [&str; N]) -> Ended {
        let child = self.command(arguments).spawn().expect("terraform can be started");
        end_of(child, &arguments.join(" ")).await
    }

    /// Starts a command and goes on.
    pub(crate) fn start<const N: usize>(&self, arguments: [&str; N]) -> Child {
        self.command(arguments).spawn().expect("terraform can be started")
    }

    /// `apply` with this value.
    pub(crate) async fn apply(&self, value: &str) -> Ended {
        self.run(["apply", "-auto-approve", &format!("-var=value={value}")]).await
    }

    /// Starts an `apply` that holds the lock until the gate is opened, and waits until it does.
    pub(crate) async fn apply_at(&self, gate: &Gate, value: &str) -> Child {
        let variables = [format!("-var=value={value}"), format!("-var=gate={}", gate.file().display())];
        let child = self.start(["apply", "-auto-approve", &variables[0], &variables[1]]);
        gate.entered_by(1).await;
        child
    }

    /// Checks that this value is applied: there is nothing to do.
    pub(crate) async fn settled(&self, value: &str) {
        let ended = self.run(["plan", "-detailed-exitcode", &format!("-var=value={value}")]).await;
        assert_eq!(ended.code, Some(0), "there is something to do: {}", ended.words);
    }

    /// The state as `state pull` shows it.
    pub(crate) async fn pull(&self) -> Pulled {
        let ended = self.run(["state", "pull"]).await.done();
        Pulled(serde_json::from_str(&ended.stdout).unwrap_or(Value::Null))
    }
}

/// A state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pulled(pub(crate) Value);

impl Pulled {
    pub(crate) fn serial(&self) -> u64 {
        self.0["serial"].as_u64().expect("a state has a serial")
    }

    pub(crate) fn lineage(&self) -> &str {
        self.0["lineage"].as_str().expect("a state has a lineage")
    }

    /// The value that was applied last.
    pub(crate) fn value(&self) -> &str {
        self.0["outputs"]["value"]["value"].as_str().expect("a state that was applied has the output")
    }
}

/// Waits for the end of a command.
pub(crate) async fn end_of(child: Child, what: &str) -> Ended {
    let output = tokio::time::timeout(LIMIT, child.wait_with_output());
    let output = output.await.unwrap_or_else(|_| panic!("`terraform {what}` does not end")).unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let words = flowing(&format!("{stdout}\n{}", String::from_utf8_lossy(&output.stderr)));
    Ended { code: output.status.code(), stdout, words }
}

/// Text without colours, frames and line breaks.
fn flowing(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        plain.push_str(before);
        rest = after.split_once('m').map_or("", |(_, rest)| rest);
    }
    plain.push_str(rest);
    let words = plain.split_whitespace().filter(|word| !matches!(*word, "│" | "╷" | "╵"));
    words.collect::<Vec<_>>().join(" ")
}

/// A file that applies wait for while they hold the lock.
pub(crate) struct Gate(TempDir);

impl Gate {
    pub(crate) fn closed() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.0.path().join("gate")
    }

    pub(crate) fn open(&self) {
        std::fs::write(self.file(), "").unwrap();
    }

    /// The values of those that came to it while it was closed, or since.
    pub(crate) fn entered(&self) -> Vec<String> {
        let path: &Path = &self.0.path().join("gate.entered");
        std::fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    async fn entered_by(&self, count: usize) {
        let entered = async {
            while self.entered().len() < count {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(LIMIT, entered).await.expect("an apply comes to hold the lock");
    }
}
