//! Who may do what with which state.
//!
//! Administrators may do everything. Everybody else may do what was granted to them, or to the token they use, on a state
//! or on all states below a name. A token may be limited to states: it then may do what was granted to the token, and
//! nothing else anywhere.

pub mod pattern;

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

use crate::UnknownWord;
use crate::id::TokenId;
use crate::user::{Role, UserName};
use crate::word::words;
pub use pattern::StatePattern;

words! {
    /// One thing that may be done with a state.
    Right, "right" {
        /// Read its content, its versions and what changed between them.
        Read = "read",
        /// Write a version, roll back to one, delete the state (its versions are kept).
        Write = "write",
        /// Take its lock, and give one's own lock back.
        Lock = "lock",
        /// Take a lock away from whoever has it.
        ForceUnlock = "force-unlock",
        /// Everything above; and its settings, pins, rights and log, and removing it with all its versions.
        Administer = "administer",
    }
}

impl Right {
    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A set of rights. Whoever administers a state has every other right on it too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Rights(u8);

impl Rights {
    /// None.
    pub const NONE: Self = Self(0);

    /// Every right; the same as [`Right::Administer`] alone.
    pub const ALL: Self = Self(
        Right::Read.bit() | Right::Write.bit() | Right::Lock.bit() | Right::ForceUnlock.bit() | Right::Administer.bit(),
    );

    /// Whether the right is in the set.
    pub const fn has(self, right: Right) -> bool {
        self.0 & right.bit() != 0
    }

    /// Whether nothing is in it.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// What is in either.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in both.
    #[must_use]
    pub const fn within(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether everything in it is in `other` too.
    pub const fn is_within(self, other: Self) -> bool {
        self.0 & other.0 == self.0
    }

    /// The rights as they are shown: `administer` stands for all.
    pub fn words(self) -> Vec<Right> {
        if self.has(Right::Administer) {
            return vec![Right::Administer];
        }
        Right::ALL.iter().copied().filter(|right| self.has(*right)).collect()
    }
}

impl From<Right> for Rights {
    fn from(right: Right) -> Self {
        if right == Right::Administer { Self::ALL } else { Self(right.bit()) }
    }
}

impl FromIterator<Right> for Rights {
    fn from_iter<I: IntoIterator<Item = Right>>(rights: I) -> Self {
        rights.into_iter().fold(Self::NONE, |all, right| all.and(right.into()))
    }
}

impl fmt::Display for Rights {
    /// Joined by commas: `read,write,lock`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<&str> = self.words().into_iter().map(Right::as_str).collect();
        formatter.pad(&words.join(","))
    }
}

impl FromStr for Rights {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        text.split(',').map(str::trim).map(Right::from_str).collect()
    }
}

/// To whom something is granted.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    /// To a user, with every token of theirs that is not limited to states.
    User(UserName),
    /// To whoever uses a token.
    Token(TokenId),
}

impl Subject {
    /// `user` or `token`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Token(_) => "token",
        }
    }

    /// The user's name, or the token's id.
    pub fn name(&self) -> String {
        match self {
            Self::User(name) => name.to_string(),
            Self::Token(id) => id.to_string(),
        }
    }

    /// Reads what [`kind`](Self::kind) and [`name`](Self::name) wrote; nothing for anything else.
    pub fn read(kind: &str, name: &str) -> Option<Self> {
        match kind {
            "user" => name.parse().ok().map(Self::User),
            "token" => name.parse().ok().map(Self::Token),
            _ => None,
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.kind(), self.name())
    }
}

/// Rights that somebody has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateGrant {
    /// Who has them.
    pub subject: Subject,
    /// On which states.
    pub pattern: StatePattern,
    /// Which.
    pub rights: Rights,
    /// Who gave them.
    pub by: UserName,
    /// When.
    pub at: Timestamp,
}

/// Whoever wants to do something.
#[derive(Debug, Clone, Copy)]
pub struct Asker<'a> {
    /// The user.
    pub user: &'a UserName,
    /// The user's role.
    pub role: Role,
    /// The token in use.
    pub token: TokenId,
    /// Whether the token is limited to states.
    pub states_only: bool,
}

/// What the asker may do with every state that `on` stands for.
///
/// What a user handed to a token of their own holds for as long as they could do it themselves; what somebody else granted
/// to the token holds by itself.
pub fn held(asker: &Asker<'_>, grants: &[StateGrant], on: &StatePattern) -> Rights {
    let granted = |subject: &Subject, by: &dyn Fn(&UserName) -> bool| {
        grants
            .iter()
            .filter(|grant| grant.subject == *subject && grant.pattern.covers(on) && by(&grant.by))
            .fold(Rights::NONE, |all, grant| all.and(grant.rights))
    };
    let of_user = match asker.role {
        Role::Administrator => Rights::ALL,
        Role::Member => granted(&Subject::User(asker.user.clone()), &|_| true),
    };
    let token = Subject::Token(asker.token);
    let of_others = granted(&token, &|by| by != asker.user);
    let handed_on = granted(&token, &|by| by == asker.user).within(of_user);
    let of_token = of_others.and(handed_on);
    if asker.states_only { of_token } else { of_user.and(of_token) }
}

#[cfg(test)]
mod tests;
