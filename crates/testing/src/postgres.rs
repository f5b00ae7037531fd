//! A private PostgreSQL server: its own folder, its own socket, nothing listening on the network.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

const USER: &str = "alfred";
const PASSWORD: &str = "correct-horse";
const HOW_TO_INSTALL: &str = "PostgreSQL is not installed: `initdb` is neither in PATH nor in /usr/lib/postgresql/*/bin; get it with \
     `apt-get install postgresql` or from https://www.postgresql.org/download/";

/// Ends the server and removes its folder as soon as nobody holds the other end of its input: also when the tests
/// are killed, or the server is in a static and never dropped.
const GUARD: &str = r#"
trap '' INT TERM HUP
folder=$1; shift
"$@" >"$folder/log" 2>&1 </dev/null &
server=$!
cat >/dev/null
kill -INT "$server" 2>/dev/null
wait "$server"
rm -rf "$folder"
"#;

/// A running server.
#[derive(Debug)]
pub struct Server {
    folder: PathBuf,
    binaries: PathBuf,
    /// Absent where another process keeps the server.
    guard: Option<Child>,
    databases: AtomicU32,
}

/// The folder of a server that another process keeps for all tests of a run, so that not each test process starts one.
pub const SHARED_FOLDER: &str = "ALFRED_TEST_POSTGRES";

impl Server {
    /// Starts a server in a new folder, which takes about two seconds. The error says in one line what is missing.
    pub fn start() -> Result<Self, String> {
        let binaries = binaries().ok_or(HOW_TO_INSTALL)?;
        let folder = tempfile::Builder::new().prefix("alfred-pg-").tempdir_in("/tmp");
        let folder = folder.map_err(|error| format!("cannot create a folder for PostgreSQL in /tmp: {error}"))?;
        let become_user = unprivileged(folder.path())?;
        initialise(&binaries, folder.path(), &become_user)?;
        let guard = spawn(&binaries, folder.path(), &become_user)?;
        let mut server = Self { folder: folder.keep(), binaries, guard: Some(guard), databases: AtomicU32::new(0) };
        server.await_ready()?;
        Ok(server)
    }

    /// The server that all tests of this process share: the one in [`SHARED_FOLDER`], if that is set, or one of their
    /// own.
    pub fn shared() -> Result<&'static Self, String> {
        static SERVER: OnceLock<Result<Server, String>> = OnceLock::new();
        let join_or_start = || match std::env::var_os(SHARED_FOLDER) {
            Some(folder) => Self::join(folder.into()),
            None => Self::start(),
        };
        SERVER.get_or_init(join_or_start).as_ref().map_err(Clone::clone)
    }

    fn join(folder: PathBuf) -> Result<Self, String> {
        let binaries = binaries().ok_or(HOW_TO_INSTALL)?;
        let mut server = Self { folder, binaries, guard: None, databases: AtomicU32::new(0) };
        server.await_ready()?;
        Ok(server)
    }

    /// Where it lives.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The address of the database `postgres`, which every server has.
    pub fn url(&self) -> String {
        self.database_url("postgres", PASSWORD)
    }

    /// The same with a password that the server refuses.
    pub fn url_with_wrong_password(&self) -> String {
        self.database_url("postgres", "wrong-horse")
    }

    /// Makes an empty database and answers its address.
    pub fn create_database(&self) -> Result<String, String> {
        // Other processes make databases at the same server.
        let name = format!("test_{}_{}", std::process::id(), self.databases.fetch_add(1, Ordering::Relaxed));
        let mut command = Command::new(self.binaries.join("createdb"));
        command.arg("--host").arg(&self.folder).args(["--username", USER, &name]).env("PGPASSWORD", PASSWORD);
        run(&mut command)?;
        Ok(self.database_url(&name, PASSWORD))
    }

    fn database_url(&self, database: &str, password: &str) -> String {
        let host = self.folder.display().to_string().replace('/', "%2F");
        format!("postgres://{USER}:{password}@{host}/{database}")
    }

    fn await_ready(&mut self) -> Result<(), String> {
        for _ in 0..600 {
            let mut command = Command::new(self.binaries.join("pg_isready"));
            command.arg("--quiet").arg("--host").arg(&self.folder);
            if command.status().is_ok_and(|status| status.success()) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        Err(format!("PostgreSQL did not become ready in 30 seconds; its last words: {}", last_line(&log)))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(guard) = &mut self.guard {
            drop(guard.stdin.take());
            // The guard ends by itself; if it is gone already there is nothing left to wait for.
            let _ = guard.wait();
        }
    }
}

/// Where `initdb` is.
fn binaries() -> Option<PathBuf> {
    let in_path = std::env::var_os("PATH")
        .and_then(|path| std::env::split_paths(&path).map(|folder| folder.join("initdb")).find(|file| file.is_file()));
    // Only `initdb` may be linked into PATH; its neighbours are where the link points to.
    let in_path = in_path.and_then(|file| Some(file.canonicalize().ok()?.parent()?.to_owned()));
    in_path.or_else(|| {
        let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
        let folders = versions.flatten().map(|version| version.path().join("bin"));
        folders.filter(|folder| folder.join("initdb").is_file()).max()
    })
}

/// PostgreSQL refuses to run as root. Answers the words to put before a command so that it runs as the user
/// `postgres` (which Debian's package makes), and gives that user the folder; nothing, where that is not needed.
fn unprivileged(folder: &Path) -> Result<Vec<String>, String> {
    if run(Command::new("id").arg("-u"))?.trim() != "0" {
        return Ok(Vec::new());
    }
    run(Command::new("chown").arg("postgres").arg(folder))
        .map_err(|error| format!("PostgreSQL does not run as root and there is no user `postgres`: {error}"))?;
    Ok(["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"].map(str::to_owned).to_vec())
}

fn initialise(binaries: &Path, folder: &Path, become_user: &[String]) -> Result<(), String> {
    let password = folder.join("password");
    std::fs::write(&password, PASSWORD).map_err(|error| format!("cannot write `{}`: {error}", password.display()))?;
    let mut command = as_user(become_user, &binaries.join("initdb"));
    command.arg("--pgdata").arg(folder.join("data")).arg("--pwfile").arg(&password).args([
        "--username",
        USER,
        "--auth-local=scram-sha-256",
        "--auth-host=reject",
        "--encoding=UTF8",
        "--no-locale",
        "--no-sync",
    ]);
    run(&mut command).map(drop)
}

fn spawn(binaries: &Path, folder: &Path, become_user: &[String]) -> Result<Child, String> {
    let mut command = Command::new("sh");
    command.args(["-c", GUARD, "sh"]).arg(folder).args(become_user).arg(binaries.join("postgres"));
    command.arg("-D").arg(folder.join("data")).arg("-k").arg(folder).args([
        "-F",
        "-c",
        "listen_addresses=",
        "-c",
        "max_connections=300",
        "-c",
        "deadlock_timeout=100ms",
    ]);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().map_err(|error| format!("cannot start PostgreSQL: {error}"))
}

fn as_user(become_user: &[String], program: &Path) -> Command {
    match become_user.split_first() {
        Some((first, rest)) => {
            let mut command = Command::new(first);
            command.args(rest).arg(program);
            command
        }
        None => Command::new(program),
    }
}

/// Runs a command to its end and answers what it printed.
fn run(command: &mut Command) -> Result<String, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    // A folder that the other user may enter.
    let output = command.current_dir("/").stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("cannot run `{name}`: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(format!("`{name}` ended with {}: {}", output.status, last_line(&words)))
}

fn last_line(text: &str) -> &str {
    text.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("nothing")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_starts_and_leaves_nothing_behind() {
        let server = Server::start().unwrap_or_else(|words| panic!("{words}"));
        let folder = server.folder.clone();
        let first = server.create_database().unwrap();
        assert_ne!(first, server.create_database().unwrap());
        assert!(folder.join("data").is_dir());
        drop(server);
        assert!(!folder.exists());
    }
}
