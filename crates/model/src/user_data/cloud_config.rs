//! The document as cloud-init reads it: one field for each key that we use, and no others.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::SSH_PORT;

/// cloud-init takes the document for what it is by its first line.
const FIRST_LINE: &str = "#cloud-config\n";

/// Where the owner's script is kept. Root alone can read it there: it may hold secrets.
const SCRIPT_PATH: &str = "/usr/local/sbin/alfred-setup";

/// How often the VM tries to call home. Always written: some versions of cloud-init fail without it
/// (<https://github.com/canonical/cloud-init/issues/3985>).
const CALL_HOME_TRIES: u32 = 10;

const AUTO_UPGRADES: &str = "APT::Periodic::Update-Package-Lists \"1\";\nAPT::Periodic::Unattended-Upgrade \"1\";\n";

#[derive(Serialize)]
pub(super) struct CloudConfig<'a> {
    hostname: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    fqdn: Option<&'a str>,
    manage_etc_hosts: &'static str,
    timezone: &'a str,
    ssh_pwauth: bool,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    ssh_authorized_keys: &'a [String],
    package_update: bool,
    packages: [&'static str; 2],
    write_files: Vec<File>,
    runcmd: Vec<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone_home: Option<PhoneHome<'a>>,
}

#[derive(Serialize)]
struct File {
    path: &'static str,
    owner: &'static str,
    permissions: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    encoding: Option<&'static str>,
    content: String,
}

#[derive(Serialize)]
struct PhoneHome<'a> {
    url: &'a str,
    post: [&'static str; 3],
    tries: u32,
}

impl<'a> CloudConfig<'a> {
    /// What every VM gets: its name, no passwords over SSH, security updates by itself.
    pub(super) fn standard(hostname: &'a str, fqdn: Option<&'a str>, timezone: &'a str) -> Self {
        Self {
            hostname,
            fqdn,
            // Only the VM's own line is kept right; `true` would undo at each boot what the owner wrote into the file.
            manage_etc_hosts: "localhost",
            timezone,
            ssh_pwauth: false,
            ssh_authorized_keys: &[],
            package_update: true,
            packages: ["unattended-upgrades", "ufw"],
            write_files: vec![File {
                path: "/etc/apt/apt.conf.d/20auto-upgrades",
                owner: "root:root",
                permissions: "0644",
                encoding: None,
                content: AUTO_UPGRADES.to_owned(),
            }],
            runcmd: Vec::new(),
            phone_home: None,
        }
    }

    /// Lets these keys log in as the image's default user. No user is named: a list of users would replace the one
    /// that the provider sets up.
    pub(super) fn authorize(&mut self, keys: &'a [String]) {
        self.ssh_authorized_keys = keys;
    }

    /// Closes all ports but that of SSH and these. SSH is let in before the firewall is switched on.
    pub(super) fn close_firewall(&mut self, open_ports: &[u16]) {
        self.run(&["ufw", "default", "deny", "incoming"]);
        self.run(&["ufw", "default", "allow", "outgoing"]);
        self.run(&["ufw", "allow", &format!("{SSH_PORT}/tcp")]);
        for port in open_ports.iter().filter(|port| **port != SSH_PORT) {
            self.run(&["ufw", "allow", &format!("{port}/tcp")]);
        }
        self.run(&["ufw", "--force", "enable"]);
    }

    /// Runs the owner's script once. In base64 it arrives byte for byte, whatever it holds.
    pub(super) fn run_script(&mut self, script: &str) {
        self.write_files.push(File {
            path: SCRIPT_PATH,
            owner: "root:root",
            permissions: "0700",
            encoding: Some("b64"),
            content: STANDARD.encode(script),
        });
        self.run(&[SCRIPT_PATH]);
    }

    /// Reports to `url` after everything else, the script included, has run.
    pub(super) fn call_home(&mut self, url: &'a str) {
        let post = ["instance_id", "hostname", "fqdn"];
        self.phone_home = Some(PhoneHome { url, post, tries: CALL_HOME_TRIES });
    }

    /// A list of arguments, which cloud-init quotes; a single text would be read by a shell.
    fn run(&mut self, arguments: &[&str]) {
        self.runcmd.push(arguments.iter().map(|&argument| argument.to_owned()).collect());
    }

    /// The document. Every text is quoted, so that none is read as a number, a time or a word such as `on`: cloud-init
    /// reads YAML 1.1.
    pub(super) fn render(&self) -> Result<String, String> {
        let options = serde_saphyr::ser_options! { quote_all: true };
        let body = serde_saphyr::to_string_with_options(self, options).map_err(|error| error.to_string())?;
        Ok(format!("{FIRST_LINE}{body}"))
    }
}
