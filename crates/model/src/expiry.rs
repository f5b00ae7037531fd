//! When an environment is deleted by itself, and when its owner is warned of it.

use jiff::Timestamp;

use crate::environment::{Environment, ExpiryBound};

/// All that an environment's row says about its end. It changes as a whole, and only if it is as it was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expiry {
    /// [`Environment::expires_at`].
    pub at: Option<Timestamp>,
    /// [`Environment::warn_at`].
    pub warn_at: Option<Timestamp>,
    /// [`Environment::warned_at`].
    pub warned_at: Option<Timestamp>,
    /// [`Environment::expiry_bound`].
    pub bound: Option<ExpiryBound>,
}

impl Environment {
    /// What its row says about its end.
    pub fn expiry(&self) -> Expiry {
        Expiry {
            at: self.expires_at,
            warn_at: self.warn_at,
            warned_at: self.warned_at,
            bound: self.expiry_bound.clone(),
        }
    }

    /// Gives it another end.
    pub fn set_expiry(&mut self, expiry: Expiry) {
        let Expiry { at, warn_at, warned_at, bound } = expiry;
        self.expires_at = at;
        self.warn_at = warn_at;
        self.warned_at = warned_at;
        self.expiry_bound = bound;
    }
}
