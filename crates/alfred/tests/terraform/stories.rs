//! What is done with terraform on every store, each on a state of its own.

pub(crate) mod contention;
pub(crate) mod faults;
pub(crate) mod life;
pub(crate) mod locks;
pub(crate) mod migration;

use crate::door::Door;
use crate::world::ControlPlane;

/// A store under test.
pub(crate) struct Store<'a> {
    /// How Terraform reaches it.
    pub(crate) door: Door,
    /// What keeps the states, where it is ours.
    pub(crate) ours: Option<&'a ControlPlane>,
}

impl Store<'_> {
    /// Checks that nobody has the lock.
    pub(crate) async fn is_free(&self, state: &str) {
        if let Some(ours) = self.ours {
            assert_eq!(ours.lock(state).await, None, "a lock on `{state}` was left");
        }
    }

    /// Checks that the versions of a state have exactly these serials, if there are versions.
    pub(crate) async fn has_versions(&self, state: &str, serials: impl IntoIterator<Item = u64>) {
        if let Some(ours) = self.ours {
            assert_eq!(ours.serials(state).await, serials.into_iter().collect::<Vec<_>>(), "versions of `{state}`");
        }
    }
}
