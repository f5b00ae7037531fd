//! The address of a resource, as Terraform writes it.

use std::fmt::{self, Write as _};

use serde_json::Value;

use crate::printable::printable;

/// Longest name, key or module in an address that is shown whole, in characters. Terraform sets no limit.
const PART_MAX: usize = 200;

/// Which of a resource's instances: the key of `for_each`, the number of `count`, or the only one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    Only,
    Number(u64),
    Text(String),
}

impl Key {
    /// Reads what a state has as the key; what it cannot be is kept as text, so that two of them stay two.
    pub(super) fn read(value: &Value) -> Self {
        match value {
            Value::Null => Self::Only,
            Value::String(text) => Self::Text(text.clone()),
            other => other.as_u64().map_or_else(|| Self::Text(other.to_string()), Self::Number),
        }
    }
}

/// Where a resource stands in the configuration. Ordered as it is read: by module, then by type and name, then by key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Address<'a> {
    pub(super) module: &'a str,
    pub(super) is_data: bool,
    pub(super) kind: &'a str,
    pub(super) name: &'a str,
    pub(super) key: Key,
    /// Of an object that was replaced and is not destroyed yet.
    pub(super) deposed: &'a str,
}

impl fmt::Display for Address<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.module.is_empty() {
            write!(formatter, "{}.", plain(self.module))?;
        }
        if self.is_data {
            formatter.write_str("data.")?;
        }
        write!(formatter, "{}.{}", plain(self.kind), plain(self.name))?;
        match &self.key {
            Key::Only => {}
            Key::Number(number) => write!(formatter, "[{number}]")?,
            Key::Text(text) => write!(formatter, "[{}]", quoted(text))?,
        }
        if !self.deposed.is_empty() {
            write!(formatter, " (deposed {})", plain(self.deposed))?;
        }
        Ok(())
    }
}

/// A foreign name as it may be shown.
pub(super) fn plain(text: &str) -> String {
    printable(text, PART_MAX)
}

/// A foreign text in quotes, as it may be shown.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for character in plain(text).chars() {
        if matches!(character, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    let _ = quoted.write_char('"');
    quoted
}
