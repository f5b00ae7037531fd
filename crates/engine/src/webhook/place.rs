//! How far the sending has come: a value that replicas share, small enough to be replaced at each step.

use std::time::Duration;

use alfred_store::{Store, StoreError};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The name of the shared value.
const NAME: &str = "webhook";

/// Where the sending stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Place {
    /// The sequence of the last event that is done with.
    pub(super) after: i64,
    /// How often the next one was tried.
    pub(super) attempts: u32,
    /// Not tried again before.
    not_before: Option<Timestamp>,
    /// Which process is sending.
    holder: Option<String>,
    /// Until when nobody else does.
    held_until: Option<Timestamp>,
}

impl Place {
    /// How long `worker` has to wait before it may send; nothing, if it may.
    pub(super) fn wait(&self, worker: &str, now: Timestamp) -> Option<Duration> {
        let held = self.held_until.filter(|_| self.holder.as_deref() != Some(worker));
        let free_at = held.max(self.not_before)?;
        Duration::try_from(free_at.duration_since(now)).ok().filter(|wait| !wait.is_zero())
    }

    pub(super) fn held_by(&self, worker: &str, until: Timestamp) -> Self {
        Self { holder: Some(worker.to_owned()), held_until: Some(until), ..self.clone() }
    }

    /// Nobody sends.
    pub(super) fn free(&self) -> Self {
        Self { holder: None, held_until: None, ..self.clone() }
    }

    /// The event with this sequence is done with.
    pub(super) fn past(sequence: i64) -> Self {
        Self { after: sequence, ..Self::default() }
    }

    /// The same event again, later.
    pub(super) fn again(&self, not_before: Timestamp) -> Self {
        Self { attempts: self.attempts.saturating_add(1), not_before: Some(not_before), ..self.free() }
    }
}

/// The place with its version.
pub(super) async fn read(store: &dyn Store) -> Result<Option<(Place, i64)>, StoreError> {
    let Some(value) = store.shared_value(NAME).await? else { return Ok(None) };
    let place = serde_json::from_str(&value.text)
        .map_err(|error| StoreError::Damaged { table: "shared_values", words: format!("`{NAME}`: {error}") })?;
    Ok(Some((place, value.version)))
}

/// Begins with what happens from now on: the history of an installation that had no webhook is no news.
pub(super) async fn begin(store: &dyn Store) -> Result<(), StoreError> {
    let place = Place::past(store.last_event().await?);
    store.swap_shared_value(NAME, None, &text(&place)).await.map(drop)
}

/// Replaces the place, if it is still the one with this version.
pub(super) async fn swap(store: &dyn Store, place: &Place, version: i64) -> Result<bool, StoreError> {
    store.swap_shared_value(NAME, Some(version), &text(place)).await
}

fn text(place: &Place) -> String {
    serde_json::to_string(place).expect("a place is numbers, times and a name, which JSON can hold")
}
