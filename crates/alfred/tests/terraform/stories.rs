//! What is done with terraform on every store, each on a state of its own.

pub(crate) mod contention;
pub(crate) mod faults;
pub(crate) mod life;
pub(crate) mod locks;
pub(crate) mod migration;

use tokio::process::Child;

use crate::door::Door;
use crate::terraform::{Ended, end_of};
use crate::world::ControlPlane;

/// A store under test.
pub(crate) struct Store<'a> {
    /// How Terraform reaches it.
    pub(crate) door: Door,
    /// What keeps the states, where it is ours.
    pub(crate) ours: Option<&'a ControlPlane>,
}

impl Store<'_> {
    /// Waits for the end of a command that waits for a lock. Terraform's own S3 backend may give up before its time
    /// ([`Ended::missed_the_holder`]): there, and nowhere else, it is then begun again, as its user would.
    pub(crate) async fn patient(&self, first: Child, again: impl Fn() -> Child) -> Ended {
        let mut ended = end_of(first, "command that waits").await;
        while self.ours.is_none() && ended.missed_the_holder() {
            ended = end_of(again(), "command that waits").await;
        }
        ended
    }

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
