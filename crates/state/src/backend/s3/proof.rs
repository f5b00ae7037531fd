//! Showing that a bucket does what Terraform's own `s3` backend needs of it: a lock that only one gets, and reading back what
//! was written. On keys of its own, which are gone afterwards.

use bytes::Bytes;

use super::S3;
use super::client::Created;
use crate::backend::{BackendError, Blob};

impl S3 {
    /// Takes a lock, sees it refused to a second asker, writes, reads back, and gives the lock back. `mark` must be a text
    /// that nobody else uses.
    pub async fn prove(&self, mark: &str) -> Result<(), BackendError> {
        let root = self.journal.root();
        let (lock, state) = (format!("{root}alfred-check-{mark}.tflock"), format!("{root}alfred-check-{mark}"));
        let proved = self.round_trip(&lock, &state, mark).await;
        // Whatever came of it, nothing is left behind; a deletion that fails is told by the check itself.
        let (one, other) = (self.client.delete(&state).await, self.client.delete(&lock).await);
        proved.and(one).and(other)
    }

    async fn round_trip(&self, lock: &str, state: &str, mark: &str) -> Result<(), BackendError> {
        let refused = |words: &str| Err(self.client.place.refused(words));
        let content = |holder: &str| Blob::from(Bytes::from(format!("{mark} {holder}")));
        if self.client.create(lock, &content("one")).await? == Created::Before {
            return refused("a lock of this check is there already; try again");
        }
        if self.client.create(lock, &content("two")).await? != Created::Before {
            return refused(
                "it let two take one lock: it does not honour `If-None-Match`, and states are not safe there",
            );
        }
        self.client.create(state, &content("state")).await?;
        match self.client.get(state).await? {
            Some((read, _)) if read == content("state").into_bytes() => Ok(()),
            _ => refused("it did not give back what was written a moment ago"),
        }
    }
}
