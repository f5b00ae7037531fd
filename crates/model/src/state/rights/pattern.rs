//! On which states a right is granted: one, all below a name, or all.

use std::fmt;
use std::str::FromStr;

use crate::state::name::{StateName, StateNameError};

/// `production` (this state), `team/*` (every state whose name begins with `team/`), or `*` (every state).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StatePattern {
    /// Every state.
    All,
    /// Every state below this name; not the state of this name itself.
    Below(StateName),
    /// This state.
    One(StateName),
}

/// Why a text is no pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a pattern is the name of a state, such as `team/network`, or a name and `/*`, or `*`: {0}")]
pub struct StatePatternError(#[from] pub StateNameError);

impl StatePattern {
    /// Whether it stands for every state that `other` stands for.
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::All, _) => true,
            (_, Self::All) | (Self::One(_), Self::Below(_)) => false,
            (Self::One(name), Self::One(other)) => name == other,
            (Self::Below(name), Self::One(other)) => is_below(other, name),
            (Self::Below(name), Self::Below(other)) => name == other || is_below(other, name),
        }
    }

    /// Whether it stands for this state.
    pub fn matches(&self, name: &StateName) -> bool {
        match self {
            Self::All => true,
            Self::Below(parent) => is_below(name, parent),
            Self::One(one) => one == name,
        }
    }
}

fn is_below(name: &StateName, parent: &StateName) -> bool {
    name.as_str().strip_prefix(parent.as_str()).is_some_and(|rest| rest.starts_with('/'))
}

impl From<StateName> for StatePattern {
    fn from(name: StateName) -> Self {
        Self::One(name)
    }
}

impl FromStr for StatePattern {
    type Err = StatePatternError;

    fn from_str(text: &str) -> Result<Self, StatePatternError> {
        match text.strip_suffix("/*") {
            _ if text == "*" => Ok(Self::All),
            Some(parent) => Ok(Self::Below(parent.parse()?)),
            None => Ok(Self::One(text.parse()?)),
        }
    }
}

impl fmt::Display for StatePattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => formatter.pad("*"),
            Self::Below(name) => formatter.pad(&format!("{name}/*")),
            Self::One(name) => name.fmt(formatter),
        }
    }
}
