//! The name of a state: `production`, or `team/network/production`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Longest name, in bytes. Names are parts of keys, of which R2 allows 1,024 bytes, of subjects of NATS, and of file
/// names, of which file systems allow 255 bytes.
pub const NAME_MAX: usize = 128;

/// The name of a state: parts of lower-case letters, digits, `-`, `_` and `.`, joined by `/`.
///
/// Upper case is refused because two names that differ in it alone would be one file on some file systems.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StateName(String);

/// Why a text is no name of a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StateNameError {
    /// Nothing at all, or nothing between two slashes.
    #[error("a part of it is empty")]
    Empty,
    /// More than [`NAME_MAX`] bytes.
    #[error("it is longer than {NAME_MAX} characters")]
    TooLong,
    /// Something other than `a-z`, `0-9`, `-`, `_`, `.` and `/`.
    #[error("it may hold only `a-z`, `0-9`, `-`, `_`, `.` and `/`")]
    Character,
    /// A part that begins or ends otherwise than with a letter or a digit.
    #[error("each part must begin and end with a letter or a digit")]
    Edge,
}

impl StateName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as one part of a key, file name or subject of NATS: `/` is written `=`, which no name holds.
    pub fn as_key(&self) -> String {
        self.0.replace('/', "=")
    }

    /// Reads what [`as_key`](Self::as_key) wrote.
    pub fn from_key(key: &str) -> Result<Self, StateNameError> {
        if key.contains('/') {
            return Err(StateNameError::Character);
        }
        key.replace('=', "/").parse()
    }
}

impl FromStr for StateName {
    type Err = StateNameError;

    fn from_str(text: &str) -> Result<Self, StateNameError> {
        if text.len() > NAME_MAX {
            return Err(StateNameError::TooLong);
        }
        for part in text.split('/') {
            let bytes = part.as_bytes();
            let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else {
                return Err(StateNameError::Empty);
            };
            let is_known = |byte: &u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.');
            if !bytes.iter().all(is_known) {
                return Err(StateNameError::Character);
            }
            if !first.is_ascii_alphanumeric() || !last.is_ascii_alphanumeric() {
                return Err(StateNameError::Edge);
            }
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for StateName {
    type Error = StateNameError;

    fn try_from(text: String) -> Result<Self, StateNameError> {
        text.parse()
    }
}

impl From<StateName> for String {
    fn from(name: StateName) -> Self {
        name.0
    }
}

impl fmt::Display for StateName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_names_keep_their_way_through_keys() {
        for text in ["production", "team/network/production", "a", "a.b_c-d/1", &"x".repeat(NAME_MAX)] {
            let name: StateName = text.parse().unwrap();
            assert_eq!(StateName::from_key(&name.as_key()), Ok(name.clone()));
            assert!(!name.as_key().contains('/'));
        }
    }

    #[test]
    fn what_could_lead_elsewhere_is_no_name() {
        let cases = [
            ("", StateNameError::Empty),
            ("/a", StateNameError::Empty),
            ("a//b", StateNameError::Empty),
            ("a/", StateNameError::Empty),
            ("..", StateNameError::Edge),
            ("a/../b", StateNameError::Edge),
            (".hidden", StateNameError::Edge),
            ("a-", StateNameError::Edge),
            ("A", StateNameError::Character),
            ("a b", StateNameError::Character),
            ("a=b", StateNameError::Character),
            ("a\\b", StateNameError::Character),
            ("a\0", StateNameError::Character),
            ("ä", StateNameError::Character),
            ("*", StateNameError::Character),
        ];
        for (text, error) in cases {
            assert_eq!(text.parse::<StateName>(), Err(error), "{text}");
        }
        assert_eq!("x".repeat(NAME_MAX + 1).parse::<StateName>(), Err(StateNameError::TooLong));
        assert_eq!(StateName::from_key("a/b"), Err(StateNameError::Character));
    }
}
