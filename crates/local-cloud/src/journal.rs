//! What was asked of the local cloud and what it answered: how tests count calls and people see what a client does.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use crate::CallLost;

/// Entries kept unless [`crate::Options::journal_capacity`] says otherwise.
pub const DEFAULT_CAPACITY: usize = 200_000;
/// Bytes of a path, or of a request id, that are kept: both come from outside.
const TEXT_LIMIT: usize = 2_048;

/// A part of the local cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Service {
    /// `/client/v4`.
    Cloudflare,
    /// `/v1` and the token endpoint.
    Contabo,
    /// S3, on a port of its own; R2's REST API is Cloudflare's.
    R2,
    /// Anything else.
    Other,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It is still running, or its client went away before it ended.
    Open,
    /// An answer with this HTTP status.
    Answered(u16),
    /// No usable answer.
    #[serde(serialize_with = "loss")]
    Lost(CallLost),
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn loss<S: Serializer>(lost: &CallLost, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(lost.as_str())
}

/// One call.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// Counts up from 1 over all calls.
    pub sequence: u64,
    /// When the call arrived.
    pub time: Timestamp,
    /// Who answered.
    pub service: Service,
    /// The HTTP method.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// The call's stable name, such as `cloudflare.records.batch`; empty for a path that means nothing.
    pub route: &'static str,
    /// How it ended.
    pub outcome: Outcome,
    /// Cloudflare's `cf-ray`, or the `x-request-id` that the client sent.
    pub request_id: Option<String>,
    /// The fault that was applied, in the form of a `--fault` flag.
    pub fault: Option<String>,
}

/// A bounded record of calls. Clones share it.
#[derive(Clone, Debug)]
pub struct Journal {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    capacity: usize,
    next: u64,
    entries: VecDeque<Entry>,
    /// Kept apart from the entries, so that it stays right when old ones go.
    by_route: BTreeMap<&'static str, u64>,
}

impl Journal {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            inner: Arc::new(Mutex::new(Inner {
                capacity: capacity.max(1),
                next: 1,
                entries: VecDeque::new(),
                by_route: BTreeMap::new(),
            })),
        }
    }

    /// The calls that are still kept, oldest first.
    pub fn entries(&self) -> Vec<Entry> {
        self.since(0)
    }

    /// The kept calls after a sequence number, oldest first.
    pub fn since(&self, sequence: u64) -> Vec<Entry> {
        let inner = self.lock();
        let start = inner.entries.partition_point(|entry| entry.sequence <= sequence);
        inner.entries.range(start..).cloned().collect()
    }

    /// How often each call was made since the start or the last [`Journal::clear`], forgotten entries included.
    pub fn count_by_route(&self) -> BTreeMap<&'static str, u64> {
        self.lock().by_route.clone()
    }

    /// Forgets all entries and counts; sequence numbers go on.
    pub fn clear(&self) {
        let mut inner = self.lock();
        inner.entries.clear();
        inner.by_route.clear();
    }

    /// Notes the arrival of a call and gives its sequence number.
    pub(crate) fn begin(&self, mut entry: Entry) -> u64 {
        shorten(&mut entry.path);
        if let Some(id) = &mut entry.request_id {
            shorten(id);
        }
        let mut inner = self.lock();
        entry.sequence = inner.next;
        inner.next += 1;
        *inner.by_route.entry(entry.route).or_default() += 1;
        if inner.entries.len() >= inner.capacity {
            inner.entries.pop_front();
        }
        let sequence = entry.sequence;
        inner.entries.push_back(entry);
        sequence
    }

    /// Notes the end of a call, unless its entry is gone.
    pub(crate) fn finish(&self, sequence: u64, outcome: Outcome, request_id: Option<String>) {
        let mut inner = self.lock();
        let place = inner.entries.partition_point(|entry| entry.sequence < sequence);
        if let Some(entry) = inner.entries.get_mut(place).filter(|entry| entry.sequence == sequence) {
            entry.outcome = outcome;
            if request_id.is_some() {
                entry.request_id = request_id;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn shorten(text: &mut String) {
    if text.len() > TEXT_LIMIT {
        let end = (0..=TEXT_LIMIT).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(route: &'static str) -> Entry {
        Entry {
            sequence: 0,
            time: Timestamp::UNIX_EPOCH,
            service: Service::Cloudflare,
            method: "GET".into(),
            path: "/".into(),
            route,
            outcome: Outcome::Open,
            request_id: None,
            fault: None,
        }
    }

    #[test]
    fn old_entries_go_but_counts_stay() {
        let journal = Journal::new(2);
        for _ in 0..3 {
            journal.begin(entry("a"));
        }
        let sequences: Vec<u64> = journal.entries().iter().map(|entry| entry.sequence).collect();
        assert_eq!(sequences, [2, 3]);
        assert_eq!(journal.count_by_route()["a"], 3);
        assert_eq!(journal.since(2).len(), 1);
        journal.finish(1, Outcome::Answered(200), None);
        journal.finish(3, Outcome::Answered(200), Some("ray".into()));
        assert_eq!(journal.entries()[0].outcome, Outcome::Open);
        assert_eq!(journal.entries()[1].outcome, Outcome::Answered(200));
    }

    #[test]
    fn clearing_forgets_but_numbers_go_on() {
        let journal = Journal::new(10);
        journal.begin(entry("a"));
        journal.clear();
        assert!(journal.entries().is_empty() && journal.count_by_route().is_empty());
        assert_eq!(journal.begin(entry("a")), 2);
    }

    #[test]
    fn long_paths_are_cut_at_a_character() {
        let journal = Journal::new(1);
        journal.begin(Entry { path: "ü".repeat(TEXT_LIMIT), ..entry("a") });
        assert_eq!(journal.entries()[0].path.len(), TEXT_LIMIT);
    }
}
