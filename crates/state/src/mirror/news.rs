//! What becomes of a mirror without anybody asking.

use std::fmt;

/// Something about a mirror that a person should know. Shown in words; whether anything has to be done says its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// A switch that was interrupted has been ended.
    SwitchEnded,
    /// The secondary store has everything again.
    CaughtUp {
        /// Which store.
        place: String,
    },
    /// The new primary store has passed its trial.
    TrialPassed {
        /// Which store.
        place: String,
    },
    /// The new primary store has failed its trial, and the old one counts again.
    TrialFailed {
        /// Which store failed.
        place: String,
        /// Why.
        words: String,
        /// Which store counts again.
        back_in: String,
    },
    /// The new primary store fails its trial, and going back would lose versions.
    NoWayBack {
        /// Which store fails.
        place: String,
        /// Why.
        words: String,
        /// Why there is no way back.
        error: String,
    },
}

impl News {
    /// Whether all is well: nobody needs to look at it.
    pub const fn is_good(&self) -> bool {
        match self {
            Self::SwitchEnded | Self::CaughtUp { .. } | Self::TrialPassed { .. } => true,
            Self::TrialFailed { .. } | Self::NoWayBack { .. } => false,
        }
    }
}

impl fmt::Display for News {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SwitchEnded => {
                formatter.write_str("a switch of the stores of states that was interrupted has been ended")
            }
            Self::CaughtUp { place } => write!(formatter, "{place} has everything again"),
            Self::TrialPassed { place } => write!(formatter, "{place} has passed its trial"),
            Self::TrialFailed { place, words, back_in } => {
                write!(formatter, "{place} failed its trial: {words}; states are in {back_in} again")
            }
            Self::NoWayBack { place, words, error } => {
                write!(formatter, "{place} fails its trial: {words}; the way back is closed: {error}")
            }
        }
    }
}
