//! The configuration: flags, then the environment, then `.env.server`, then `alfred.toml`, then the default.
//!
//! Every value knows where it came from, so that `alfred config show` and each error can say so. Secrets come only
//! from the environment, from the file that a `*_FILE` variable names, or from `.env.server`; they are kept masked.
//! This module finds and checks values; it opens nothing that a value names, but for `*_FILE`.

mod env_file;
mod key;
mod secret_place;
mod toml_file;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use secrecy::{ExposeSecret as _, SecretString};

use crate::error::Failure;
use crate::files;

pub(crate) use key::{Key, Kind};
pub(crate) use secret_place::SecretPlace;

/// A configuration file is not larger.
const FILE_MAX: u64 = 256 * 1024;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A flag on the command line.
    Flag,
    /// An environment variable.
    Environment,
    /// The file that an environment variable names.
    NamedFile(PathBuf),
    /// A line of `.env.server`.
    EnvironmentFile(PathBuf, usize),
    /// A line of `alfred.toml`.
    Toml(PathBuf, usize),
    /// Nobody said anything.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => formatter.write_str("flag"),
            Self::Environment => formatter.write_str("environment"),
            Self::NamedFile(path) => write!(formatter, "file {}", path.display()),
            Self::EnvironmentFile(path, line) | Self::Toml(path, line) => {
                write!(formatter, "{}:{line}", path.display())
            }
            Self::Default => formatter.write_str("default"),
        }
    }
}

/// One value and where it came from. Every value is kept as a secret until its key says that it is none.
#[derive(Debug, Clone)]
struct Value {
    text: SecretString,
    origin: Origin,
}

/// Where to look.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    /// What flags said.
    pub(crate) flags: Vec<(Key, String)>,
    /// The environment's variables.
    pub(crate) environment: HashMap<String, String>,
    /// The configuration file that was asked for; `alfred.toml` in the working directory, if there is one, where not.
    pub(crate) toml: Option<PathBuf>,
    /// The directory in which `alfred.toml` and `.env.server` are looked for.
    pub(crate) directory: PathBuf,
}

/// The configuration as found.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    values: BTreeMap<Key, Value>,
}

impl Config {
    /// Reads all sources.
    pub(crate) fn load(sources: &Sources) -> Result<Self, Failure> {
        let mut values = BTreeMap::new();
        for (key, text) in toml_file::read(sources)? {
            values.insert(key, text);
        }
        let env_path = sources.directory.join(".env.server");
        let lines = env_file::read(&env_path)?;
        let from_file = |name: &str| {
            let (line, text) = lines.get(name)?;
            Some((text.clone(), Origin::EnvironmentFile(env_path.clone(), *line)))
        };
        let from_environment =
            |name: &str| sources.environment.get(name).map(|text| (text.clone(), Origin::Environment));
        for key in Key::ALL {
            for value in [variable(*key, &from_file)?, variable(*key, &from_environment)?].into_iter().flatten() {
                values.insert(*key, value);
            }
        }
        for (key, text) in &sources.flags {
            values.insert(*key, Value { text: text.as_str().into(), origin: Origin::Flag });
        }
        let mut config = Self { values };
        config.add_defaults(&sources.environment)?;
        Ok(config)
    }

    fn add_defaults(&mut self, environment: &HashMap<String, String>) -> Result<(), Failure> {
        for key in Key::ALL {
            if let Some(default) = key.default() {
                self.set_default(*key, default.to_owned());
            }
        }
        if let Some(directory) = platform_data_directory(environment) {
            self.set_default(Key::DataDir, directory.display().to_string());
        }
        if let Some(directory) = self.text(Key::DataDir) {
            let (database, states) = (format!("sqlite://{directory}/alfred.sqlite"), format!("{directory}/states"));
            self.set_default(Key::DatabaseUrl, database);
            self.set_default(Key::State, states);
        }
        let listen = self.listen()?;
        let host = match listen.ip() {
            address if address.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            address => address,
        };
        self.set_default(Key::Url, format!("http://{}", SocketAddr::new(host, listen.port())));
        Ok(())
    }

    fn set_default(&mut self, key: Key, text: String) {
        self.values.entry(key).or_insert(Value { text: text.into(), origin: Origin::Default });
    }

    /// The same with another value, chosen by a flag. The key is no secret's.
    pub(crate) fn with(&self, key: Key, text: &str) -> Self {
        let mut config = self.clone();
        config.values.insert(key, Value { text: text.into(), origin: Origin::Flag });
        config
    }

    /// A value that is no secret.
    pub(crate) fn text(&self, key: Key) -> Option<&str> {
        debug_assert!(key.kind() != Kind::Secret, "secrets are read by `secret`");
        self.values.get(&key).map(|value| value.text.expose_secret())
    }

    /// A secret.
    pub(crate) fn secret(&self, key: Key) -> Option<&SecretString> {
        self.values.get(&key).map(|value| &value.text)
    }

    /// Where a value came from.
    pub(crate) fn origin(&self, key: Key) -> Option<&Origin> {
        self.values.get(&key).map(|value| &value.origin)
    }

    /// Where a secret is kept, if it came from a file. What came from the environment itself cannot be read again.
    pub(crate) fn place_of(&self, key: Key) -> Option<SecretPlace> {
        match self.origin(key)? {
            Origin::NamedFile(path) => Some(SecretPlace::file(path)),
            Origin::EnvironmentFile(path, _) => Some(SecretPlace::line(path, key)),
            Origin::Flag | Origin::Environment | Origin::Toml(..) | Origin::Default => None,
        }
    }

    /// A value as another type; nothing, where it is not set. `expected` says what would have been right.
    pub(crate) fn parse<T: FromStr>(&self, key: Key, expected: &str) -> Result<Option<T>, Failure> {
        let Some(text) = self.text(key) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| self.wrong(key, expected))
    }

    /// What to say about a value that is not what it should be.
    pub(crate) fn wrong(&self, key: Key, expected: &str) -> Failure {
        let origin = self.origin(key).unwrap_or(&Origin::Default);
        let found = self.shown(key).unwrap_or_default();
        let found: String = found.chars().take(80).collect();
        Failure::usage(format!("`{}` ({origin}) is `{found}`, which is not {expected}", key.variable()))
    }

    /// Where the server listens.
    pub(crate) fn listen(&self) -> Result<SocketAddr, Failure> {
        let expected = "an address with a port, such as `127.0.0.1:7070`";
        self.parse(Key::Listen, expected)?.ok_or_else(|| self.wrong(Key::Listen, expected))
    }

    /// The data directory.
    pub(crate) fn data_dir(&self) -> Result<&Path, Failure> {
        self.text(Key::DataDir).map(Path::new).ok_or_else(|| {
            Failure::usage("there is no home directory to keep data in: name a directory with `--data-dir`")
        })
    }

    /// What `alfred config show` may show of a value: secrets masked, also those inside of URLs.
    pub(crate) fn shown(&self, key: Key) -> Option<String> {
        let value = self.values.get(&key)?;
        Some(match key.kind() {
            Kind::Secret => "********".to_owned(),
            Kind::Url => masked(value.text.expose_secret()),
            Kind::Plain => value.text.expose_secret().to_owned(),
        })
    }
}

type Lookup<'a> = &'a dyn Fn(&str) -> Option<(String, Origin)>;

/// A key's variable, or the content of the file that its `*_FILE` variable names. An empty variable counts as unset,
/// because container tools cannot unset one.
fn variable(key: Key, lookup: Lookup<'_>) -> Result<Option<Value>, Failure> {
    let name = key.variable();
    let lookup = |name: &str| lookup(name).filter(|(text, _)| !text.is_empty());
    let direct = lookup(name);
    let file = if key.kind() == Kind::Plain { None } else { lookup(&format!("{name}_FILE")) };
    match (direct, file) {
        (Some(_), Some(_)) => Err(Failure::usage(format!("`{name}` and `{name}_FILE` are both set: keep one of them"))),
        (Some((text, origin)), None) => Ok(Some(Value { text: text.into(), origin })),
        (None, Some((path, origin))) => {
            let path = PathBuf::from(path);
            let text = files::read_text(&path, FILE_MAX)?.ok_or_else(|| {
                Failure::usage(format!("`{name}_FILE` ({origin}) names `{}`, which does not exist", path.display()))
            })?;
            let text = text.trim_end_matches(['\r', '\n']);
            if text.is_empty() {
                return Err(Failure::usage(format!("`{}`, named by `{name}_FILE`, is empty", path.display())));
            }
            Ok(Some(Value { text: text.into(), origin: Origin::NamedFile(path) }))
        }
        (None, None) => Ok(None),
    }
}

/// An address as it may be shown. A path is one too.
fn masked(url: &str) -> String {
    if Path::new(url).is_absolute() {
        return url.to_owned();
    }
    match nats_token(url) {
        Some((scheme, place)) => format!("{scheme}://***@{place}"),
        None => alfred_store::mask_address(url),
    }
}

/// The scheme and the place of an address of NATS, where a token stands alone before the place
/// (<https://docs.nats.io/using-nats/developer/connecting/token>). Elsewhere that is a user's name, and no secret.
fn nats_token(url: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    let (login, place) = rest.rsplit_once('@')?;
    let is_token = matches!(scheme, "nats" | "tls" | "ws" | "wss") && !login.contains(':');
    is_token.then_some((scheme, place))
}

/// Whether the URL of a store carries a password.
fn has_password(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else { return false };
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let login = place.rsplit_once('@').is_some_and(|(login, _)| login.contains(':')) || nats_token(url).is_some();
    scheme != "sqlite" && (login || query.to_ascii_lowercase().contains("password"))
}

/// Where this platform keeps a program's data: the XDG base directory, `Application Support` on macOS, `/var/lib`
/// where there is no home.
fn platform_data_directory(environment: &HashMap<String, String>) -> Option<PathBuf> {
    let absolute = |name: &str| environment.get(name).map(PathBuf::from).filter(|path| path.is_absolute());
    if cfg!(target_os = "macos") {
        return absolute("HOME").map(|home| home.join("Library/Application Support/alfred"));
    }
    if let Some(data) = absolute("XDG_DATA_HOME") {
        return Some(data.join("alfred"));
    }
    match absolute("HOME") {
        Some(home) => Some(home.join(".local/share/alfred")),
        None => rustix::process::geteuid().is_root().then(|| PathBuf::from("/var/lib/alfred")),
    }
}

#[cfg(test)]
mod tests;
