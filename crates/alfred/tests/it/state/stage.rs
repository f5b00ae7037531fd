//! A control plane that keeps states, and Terraform and plain HTTP in front of it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

use crate::place::{Ended, Place, Running};

/// A configuration whose state holds a value, a secret and, if asked for, a wait of many seconds.
const CONFIGURATION: &str = r#"
terraform {
  backend "http" {}
}
variable "value" { default = "one" }
variable "wait" { default = 0 }
variable "hidden" {
  sensitive = true
  default   = "the-hidden-value"
}
resource "terraform_data" "thing" {
  for_each = toset(["x", "y"])
  input    = { plain = var.value, password = var.hidden }
}
resource "terraform_data" "slow" {
  input = var.wait
  provisioner "local-exec" {
    command = "sleep ${var.wait}"
  }
}
output "value" { value = var.value }
"#;

/// A server with a place around it.
pub(super) struct Stage {
    pub(super) place: Place,
    pub(super) url: String,
    pub(super) up: Running,
}

/// What a server answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&self.body)))
    }

    /// The value of a header, by its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned())
    }
}

impl Stage {
    pub(super) fn new() -> Self {
        Self::with(&[])
    }

    /// With more of a configuration.
    pub(super) fn with(variables: &[(&str, &str)]) -> Self {
        let mut place = Place::new();
        for (name, value) in variables {
            place.set(name, *value);
        }
        let up = place.start("up --local --instant --listen 127.0.0.1:0");
        let url = up.told("url");
        place.set("ALFRED_URL", url.clone());
        Self { place, url, up }
    }

    /// Runs a command that must succeed.
    pub(super) fn done(&self, line: &str) -> Ended {
        let ended = self.place.line(line);
        assert_eq!(ended.code, 0, "{line}: {ended:?}");
        ended
    }

    /// The same with its JSON.
    pub(super) fn told(&self, line: &str) -> Value {
        let ended = self.done(&format!("{line} --json"));
        serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{ended:?}"))
    }

    /// The administrator's token.
    pub(super) fn administrator(&self) -> String {
        std::fs::read_to_string(self.place.data().join("admin-token")).unwrap().trim().to_owned()
    }

    /// A new token.
    pub(super) fn token(&self, line: &str) -> String {
        self.done(&format!("token create {line}")).stdout.trim().to_owned()
    }

    /// Runs a command with another's token.
    pub(super) fn with_token(&self, token: &str, line: &str) -> Ended {
        let file = self.place.file("other-token", token, 0o600);
        self.place.line(&format!("--token-file {} {line}", file.display()))
    }

    /// One request, with a token as HTTP Basic's password.
    pub(super) fn ask(&self, token: &str, method: &str, path: &str, body: &[u8]) -> Answer {
        self.ask_with(token, method, path, &[], body)
    }

    /// The same with more headers.
    pub(super) fn ask_with(
        &self,
        token: &str,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let length = body.len().to_string();
        let login = format!("Basic {}", base64(format!("anybody:{token}").as_bytes()));
        let mut all = vec![("authorization", login.as_str())];
        if !headers.iter().any(|(name, _)| *name == "content-length") {
            all.push(("content-length", &length));
        }
        all.extend(headers);
        self.raw(method, path, &all, body)
    }

    /// One request with these headers alone.
    pub(super) fn raw(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        request(self.url.strip_prefix("http://").unwrap(), method, path, headers, body)
    }

    /// Terraform in a folder of its own, with a state of this server.
    pub(super) fn terraform(&self, folder: &str, state: &str, token: &str) -> Terraform {
        let folder = self.place.path().join(folder);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("main.tf"), CONFIGURATION).unwrap();
        std::fs::write(folder.join("empty.rc"), "").unwrap();
        let address = format!("{}/tfstate/{state}", self.url);
        let terraform = Terraform { folder, address, token: token.to_owned() };
        terraform.done("init");
        terraform
    }
}

/// One request to a host.
pub(crate) fn request(host: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(host).unwrap();
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n");
    for (name, value) in headers {
        head.extend([*name, ": ", *value, "\r\n"]);
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    // A server that refuses by the head alone may be gone before the body is sent.
    let _ = stream.write_all(body);
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("an answer has a head");
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head, body: answer[end + 4..].to_vec() }
}

/// Terraform with its configuration.
pub(super) struct Terraform {
    pub(super) folder: PathBuf,
    address: String,
    token: String,
}

impl Terraform {
    pub(super) fn command(&self, line: &str) -> Command {
        let mut command = Command::new("terraform");
        command
            .args(line.split_whitespace())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &self.folder)
            .env("CHECKPOINT_DISABLE", "1")
            .env("TF_CLI_CONFIG_FILE", self.folder.join("empty.rc"))
            .env("TF_IN_AUTOMATION", "1")
            .env("TF_CLI_ARGS", "-no-color")
            .env("TF_HTTP_ADDRESS", &self.address)
            .env("TF_HTTP_LOCK_ADDRESS", &self.address)
            .env("TF_HTTP_UNLOCK_ADDRESS", &self.address)
            .env("TF_HTTP_USERNAME", "alfred")
            .env("TF_HTTP_PASSWORD", &self.token)
            .env("TF_HTTP_RETRY_WAIT_MAX", "1")
            .current_dir(&self.folder)
            .stdin(Stdio::null());
        command
    }

    /// Runs it to its end.
    pub(super) fn run(&self, line: &str) -> Output {
        self.command(line).output().expect("these tests need `terraform` in the PATH")
    }

    /// The same where it must succeed.
    pub(super) fn done(&self, line: &str) -> String {
        let output = self.run(line);
        assert!(output.status.success(), "{line}: {}", words(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Starts it as the leader of a process group, which ends with it.
    pub(super) fn start(&self, line: &str) -> Child {
        self.command(line).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0).spawn().unwrap()
    }
}

/// Everything that a command said.
pub(super) fn words(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A state as Terraform writes it.
pub(crate) fn state(serial: u64, lineage: &str, value: &str) -> Vec<u8> {
    serde_json::to_vec(&serde_json::json!({
        "version": 4, "terraform_version": "1.11.4", "serial": serial, "lineage": lineage, "resources": [],
        "outputs": {"value": {"value": value, "type": "string"}}, "check_results": null
    }))
    .unwrap()
}

/// The description of a lock as Terraform writes it.
pub(super) fn lock(id: &str) -> Vec<u8> {
    serde_json::to_vec(&serde_json::json!({
        "ID": id, "Operation": "OperationTypeApply", "Info": "", "Who": "me@here", "Version": "1.11.4",
        "Created": "2026-11-22T06:00:00.123456789Z", "Path": ""
    }))
    .unwrap()
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    bytes
        .chunks(3)
        .flat_map(|three| {
            let number =
                three.iter().fold(0_u32, |number, byte| number << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
            let digits = [18, 12, 6, 0].map(|shift| char::from(DIGITS[(number >> shift) as usize & 63]));
            let used = three.len() + 1;
            digits.into_iter().enumerate().map(move |(index, digit)| if index < used { digit } else { '=' })
        })
        .collect()
}
