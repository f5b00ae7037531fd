//! A place to run the binary in: its own working directory, home and environment.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// No command that ends takes nearly so long, on the slowest of machines.
const LIMIT: Duration = Duration::from_mins(3);

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// The only line on stderr, after checking that there is no other and no backtrace or `Debug` output in it.
    pub(crate) fn one_line(&self) -> &str {
        let line = self.stderr.trim_end();
        assert!(!line.is_empty() && !line.contains('\n'), "not one line: {self:?}");
        assert!(line.starts_with("error: "), "{line}");
        for bad in ["panicked", "RUST_BACKTRACE", "Some(", "Error {", "Os {", "\u{1b}"] {
            assert!(!line.contains(bad), "{line}");
        }
        line
    }
}

/// A temporary home.
pub(crate) struct Place {
    directory: tempfile::TempDir,
    variables: Vec<(String, String)>,
    /// Its port is that of this place's machines: as long as it is held, no other place gets it.
    machine_port: TcpListener,
}

impl Place {
    pub(crate) fn new() -> Self {
        let machine_port = TcpListener::bind("127.0.0.1:0").unwrap();
        Self { directory: tempfile::tempdir().unwrap(), variables: Vec::new(), machine_port }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    pub(crate) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.variables.push((name.to_owned(), value.into()));
    }

    /// Sets what a control plane needs to use a local cloud as if it were the real platforms.
    pub(crate) fn point_at(&mut self, cloud: &Running) {
        for name in [
            "ALFRED_DOMAIN",
            "ALFRED_DNS_SERVER",
            "ALFRED_READINESS_PORT",
            "CLOUDFLARE_API_BASE",
            "CLOUDFLARE_API_TOKEN",
            "CLOUDFLARE_ZONE_ID",
            "CONTABO_API_BASE",
            "CONTABO_AUTH_URL",
            "CONTABO_CLIENT_ID",
            "CONTABO_CLIENT_SECRET",
            "CONTABO_API_USER",
            "CONTABO_API_PASSWORD",
        ] {
            self.set(name, cloud.told(name));
        }
    }

    pub(crate) fn file(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    fn command(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_alfred"));
        command
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path())
            .env("ALFRED_DATA_DIR", self.data())
            .env("ALFRED_READINESS_PORT", self.machine_port.local_addr().unwrap().port().to_string())
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(self.path())
            .stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Ended {
        let child = self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let output = within_limit(child);
        Ended {
            code: output.status.code().expect("the command was not killed"),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs a command line to its end, and says whether a signal killed it.
    pub(crate) fn killed(&self, line: &str) -> bool {
        let mut command = self.command(line.split_whitespace());
        let output = within_limit(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
        output.status.code().is_none()
    }

    /// Runs a command line to its end.
    pub(crate) fn line(&self, line: &str) -> Ended {
        self.run(line.split_whitespace())
    }

    /// Starts a command that tells about itself in one line of JSON on stdout and then goes on.
    pub(crate) fn start(&self, line: &str) -> Running {
        self.start_arguments(line.split_whitespace())
    }

    /// Starts a command that ends by itself, and goes on without waiting for it.
    pub(crate) fn start_in_background(&self, line: &str) -> Running {
        let stderr = self.path().join("stderr");
        let child = self
            .command(line.split_whitespace())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&stderr).unwrap())
            .spawn()
            .unwrap();
        Running { child, told: serde_json::Value::Null, stderr }
    }

    /// Starts a control plane on a local cloud with one fault.
    pub(crate) fn start_with_fault(&self, rule: &str) -> Running {
        self.start_arguments(["up", "--local", "--instant", "--listen", "127.0.0.1:0", "--fault", rule].into_iter())
    }

    fn start_arguments<'a>(&self, arguments: impl Iterator<Item = &'a str>) -> Running {
        let stderr = self.path().join("stderr");
        let mut child = self
            .command(arguments.chain(["--json"]))
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(&stderr).unwrap())
            .spawn()
            .unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        let told = serde_json::from_str(&first).unwrap_or_else(|_| {
            let _ = child.kill();
            panic!("it said: {}", std::fs::read_to_string(&stderr).unwrap());
        });
        Running { child, told, stderr }
    }
}

/// The output of a command that should end. One that does not is killed, which fails the test instead of hanging it.
fn within_limit(child: Child) -> std::process::Output {
    let pid = Pid::from_child(&child);
    let (ended, end) = std::sync::mpsc::channel::<()>();
    let watch = std::thread::spawn(move || {
        if end.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout) {
            // It may have ended in this moment.
            let _ = kill_process(pid, Signal::KILL);
        }
    });
    let output = child.wait_with_output().unwrap();
    drop(ended);
    watch.join().unwrap();
    output
}

/// A command that goes on; it is killed when dropped.
pub(crate) struct Running {
    child: Child,
    told: serde_json::Value,
    stderr: PathBuf,
}

impl Running {
    /// What it told about itself.
    pub(crate) fn told(&self, name: &str) -> String {
        self.told[name].as_str().unwrap_or_else(|| panic!("no `{name}` in {}", self.told)).to_owned()
    }

    /// What it wrote to stderr so far.
    pub(crate) fn stderr(&self) -> String {
        std::fs::read_to_string(&self.stderr).unwrap()
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end and answers its exit code; nothing, if a signal killed it.
    pub(crate) fn wait(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
