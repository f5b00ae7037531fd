//! What audits saw, and whose turn the next one is.

use std::collections::BTreeMap;

use alfred_model::audit::{FindingKey, Sighting};
use jiff::Timestamp;

/// Sightings and times of audits.
#[derive(Debug, Default)]
pub(super) struct Sightings {
    seen: BTreeMap<FindingKey, Sighting>,
    noted: Option<Timestamp>,
    due: Option<Timestamp>,
}

impl Sightings {
    pub(super) fn all(&self) -> Vec<Sighting> {
        self.seen.values().cloned().collect()
    }

    /// The times of audits by the names that the databases have for them.
    pub(super) fn times(&self) -> Vec<(&'static str, Timestamp)> {
        let named = [("due", self.due), ("noted", self.noted)];
        named.into_iter().filter_map(|(name, at)| Some((name, at?))).collect()
    }

    pub(super) fn put(&mut self, sighting: Sighting) {
        self.seen.insert(sighting.key.clone(), sighting);
    }

    pub(super) fn put_time(&mut self, name: &str, at: Timestamp) {
        match name {
            "due" => self.due = Some(at),
            _ => self.noted = Some(at),
        }
    }

    pub(super) fn note(&mut self, seen: &[FindingKey], at: Timestamp) -> Vec<Sighting> {
        if self.noted.is_some_and(|noted| noted >= at) {
            return self.all();
        }
        self.noted = Some(at);
        let mut before = std::mem::take(&mut self.seen);
        for key in seen {
            let known = before.remove(key);
            let (first_seen, times) = known.map_or((at, 0), |sighting| (sighting.first_seen, sighting.times));
            let times = times.saturating_add(1);
            self.seen.entry(key.clone()).or_insert_with(|| Sighting {
                key: key.clone(),
                first_seen,
                last_seen: at,
                times,
            });
        }
        self.all()
    }

    pub(super) fn take_turn(&mut self, now: Timestamp, next: Timestamp) -> Option<Timestamp> {
        let taken = self.due.filter(|due| *due > now);
        if taken.is_none() {
            self.due = Some(next);
        }
        taken
    }
}
