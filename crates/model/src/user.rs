//! Users and their access tokens.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::TokenId;
use crate::word::words;

words! {
    /// What a user may do.
    Role, "role" {
        /// Everything.
        Administrator = "administrator",
        /// What belongs to them.
        Member = "member",
    }
}

/// A user's name: 1 to 64 of `a-z`, `0-9`, `.`, `_`, `@`, `-`, beginning with a letter or digit.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UserName(String);

/// Why a text is no user name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a user name is 1 to 64 of a-z, 0-9, `.`, `_`, `@` and `-`, and begins with a letter or digit")]
pub struct BadUserName;

impl UserName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for UserName {
    type Err = BadUserName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = (1..=64).contains(&text.len())
            && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'@' | b'-'))
            && text.as_bytes()[0].is_ascii_alphanumeric();
        if fits { Ok(Self(text.to_owned())) } else { Err(BadUserName) }
    }
}

impl TryFrom<String> for UserName {
    type Error = BadUserName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<UserName> for String {
    fn from(name: UserName) -> Self {
        name.0
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

/// A user as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The name, which is also the key.
    pub name: UserName,
    /// What the user may do.
    pub role: Role,
    /// At most so many environments that are not deleted; what the configuration says, where absent.
    pub quota: Option<u32>,
    /// Since when.
    pub created_at: Timestamp,
}

/// How much of a user's quota is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuotaUse {
    /// Environments that are not deleted.
    pub used: u64,
    /// How many there may be; any number, where absent.
    pub limit: Option<u32>,
    /// Whether the limit is the user's own, and not what the configuration says for all.
    pub own: bool,
}

impl QuotaUse {
    /// Whether so much is used that it should be told before it hurts: four fifths.
    pub fn is_nearly_used(&self) -> bool {
        self.limit.is_some_and(|limit| self.used.saturating_mul(5) >= u64::from(limit).saturating_mul(4))
    }
}

/// An access token as the store keeps it: the secret itself is shown once and never stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessToken {
    /// Its id, which may be shown.
    pub id: TokenId,
    /// Whose it is.
    pub user: UserName,
    /// What it is for, in the user's words.
    pub label: String,
    /// SHA-256 of the secret, in lower-case hexadecimal.
    pub hash: String,
    /// Since when.
    pub created_at: Timestamp,
    /// Until when; for ever, where absent.
    pub expires_at: Option<Timestamp>,
    /// Whether it is good for nothing but the states on which rights were granted to it.
    pub states_only: bool,
    /// When it was withdrawn.
    pub revoked_at: Option<Timestamp>,
}

#[cfg(test)]
mod tests;
