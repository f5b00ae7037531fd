//! Documents as journals: each value is an object of its own, numbered, and the highest number is the document.
//!
//! Numbers count down in the keys, so that a list of one key finds the newest. Creating number n + 1 if it is absent is the
//! compare-and-set from n. Values that are superseded are deleted, oldest first, and not before they are [`RETAINED`] old by
//! the service's own times. So whoever knows that n was the newest a while ago, [`SURE`] at most, knows this too: if n + 1
//! is absent now, it has never been there. Creating it then takes one request, and so does seeing that n still is the
//! newest. The while is measured here, by whichever of two clocks says more: one stands still while a machine sleeps, the
//! other may be set. S3 refuses a request whose time is wrong by 15 minutes
//! (<https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>, `RequestTimeTooSkewed`), so that a machine that
//! slept, and woke up with both clocks wrong, gets no answer that it could misread.
//!
//! A writer that is slower looks again: it could find n + 1 absent because it was made, superseded and deleted meanwhile. So
//! after the creation it looks whether n, exactly as it was read, still is there. Deletions go from the oldest on, so while
//! it is, n + 1 had not been deleted, and had never been there before. What a late writer leaves behind has a number below
//! the newest, is nobody's document, and is deleted with the rest.
//!
//! A removed document is a value without content: numbers never begin again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use alfred_model::state::StateName;
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::client::{Client, Created, Entry};
use crate::backend::frame::{LINE_LEN, Mark, frame, unframe};
use crate::backend::{BackendError, Blob, Document, Recalled, Revision, Swapped};
use crate::service::Seams;

/// The newest so many values are never deleted, so that whoever has just learned a number can read it.
const KEPT: usize = 8;

/// Superseded values are looked for after so many changes.
const TRIM_EVERY: u64 = 8;

/// A value is not deleted before it is so old, by the times of the service.
const RETAINED: SignedDuration = SignedDuration::from_hours(1);

/// For so long after a value was seen to be the newest, an absent next one means that there never was one. Far shorter than
/// [`RETAINED`]: two clocks that S3 still takes requests from differ by half an hour at most.
const SURE: Duration = Duration::from_mins(15);

/// A reader that knows a value looks for so many later ones, one by one, before it asks for a list.
const STEPS: usize = 3;

/// A reader begins anew so many times when the value it was about to read is deleted, [`KEPT`] changes later.
const READ_ATTEMPTS: usize = 5;

/// Documents are remembered up to so many bytes together.
const REMEMBERED_MAX: usize = 32 << 20;

/// All documents of one bucket and prefix.
pub(super) struct Journal {
    client: Arc<Client>,
    root: String,
    seams: Seams,
    remembered: Mutex<HashMap<StateName, Seen>>,
}

/// The newest value of a document when it was looked at.
#[derive(Debug, Clone)]
struct Seen {
    value: Value,
    content: Option<Bytes>,
    /// It was the newest then, or a little later.
    at: Moment,
}

/// One value: its number, and what tells it from any other that may ever have the number. Number 0 is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Value {
    number: u64,
    e_tag: String,
}

/// A time by two clocks.
#[derive(Debug, Clone, Copy)]
struct Moment {
    steady: Instant,
    wall: Timestamp,
}

impl Seen {
    fn document(&self) -> Option<Document> {
        let content = self.content.clone()?;
        Some(Document { revision: Revision(self.value.number), content })
    }
}

impl Journal {
    /// The journals whose keys begin with `root`, which is empty or ends with `/`.
    pub(super) fn new(client: Arc<Client>, root: String, seams: Seams) -> Self {
        Self { client, root, seams, remembered: Mutex::default() }
    }

    pub(super) fn root(&self) -> &str {
        &self.root
    }

    pub(super) async fn document(&self, state: &StateName) -> Result<Option<Document>, BackendError> {
        if let Some(seen) = self.step_on(state).await? {
            return Ok(seen.document());
        }
        for _ in 0..READ_ATTEMPTS {
            let at = self.moment();
            let (value, is_removed) = self.newest(state).await?;
            if is_removed {
                self.remember(state, Seen { value, content: None, at });
                return Ok(None);
            }
            if let Some(seen) = self.recall(state).filter(|seen| seen.value == value) {
                self.remember(state, Seen { at, ..seen.clone() });
                return Ok(seen.document());
            }
            let Some(seen) = self.read(state, value.number, at).await? else { continue };
            self.remember(state, seen.clone());
            return Ok(seen.document());
        }
        Err(self.client.place.unavailable(format_args!("the document of state `{state}` changes too fast to be read")))
    }

    /// What was seen last, if that was a moment ago. It may be superseded.
    pub(super) fn recalled(&self, state: &StateName) -> Recalled {
        match self.recall(state).filter(|seen| self.is_sure(seen.at)) {
            Some(seen) => seen.document().map_or(Recalled::Absent, Recalled::Present),
            None => Recalled::Nothing,
        }
    }

    /// The newest value, found from the one that was seen last; nothing, if that is too long ago or too far behind.
    async fn step_on(&self, state: &StateName) -> Result<Option<Seen>, BackendError> {
        let Some(mut seen) = self.recall(state).filter(|seen| self.is_sure(seen.at)) else { return Ok(None) };
        let since = seen.at;
        for _ in 0..STEPS {
            let at = self.moment();
            let next = self.read(state, seen.value.number + 1, at).await?;
            if !self.is_sure(since) {
                return Ok(None);
            }
            let Some(next) = next else {
                // When it was seen is left as it is: if somebody empties the bucket, the next list will tell.
                self.remember(state, seen.clone());
                return Ok(Some(seen));
            };
            seen = next;
        }
        Ok(None)
    }

    /// One value, if it is there.
    async fn read(&self, state: &StateName, number: u64, at: Moment) -> Result<Option<Seen>, BackendError> {
        let Some((stored, e_tag)) = self.client.get(&self.key(state, number)).await? else { return Ok(None) };
        let content = unframe(&stored).map_err(|words| {
            let words = format_args!("the document of state `{state}`, value {number}: {words}");
            self.client.place.damaged_document(number, words)
        })?;
        Ok(Some(Seen { value: Value { number, e_tag }, content, at }))
    }

    /// Makes `content` the document, or removes it.
    pub(super) async fn swap(
        &self,
        state: &StateName,
        expected: Option<Revision>,
        content: Option<Bytes>,
    ) -> Result<Swapped, BackendError> {
        let Some((base, since)) = self.base(state, expected).await? else { return Ok(Swapped::Conflict) };
        let number = base.number + 1;
        let mut mark = Mark::default();
        self.seams.random.fill(&mut mark);
        let framed = Blob::from(frame(content.as_ref(), &mark));
        let at = self.moment();
        match self.client.create_unique(&self.key(state, number), &framed).await? {
            Created::Before => {
                self.forget(state);
                Ok(Swapped::Conflict)
            }
            Created::Now(e_tag) => {
                let value = Value { number, e_tag };
                if !self.is_sure(since) {
                    self.prove(state, &base, &value).await?;
                }
                self.remember(state, Seen { value, content, at });
                self.trim(state, number);
                Ok(Swapped::Done(Revision(number)))
            }
        }
    }

    /// The value that a change from `expected` comes after, and when it was the newest; nothing, if it is not.
    async fn base(
        &self,
        state: &StateName,
        expected: Option<Revision>,
    ) -> Result<Option<(Value, Moment)>, BackendError> {
        let is_expected = |seen: &Seen| match expected {
            Some(Revision(number)) => seen.value.number == number && seen.content.is_some(),
            None => seen.content.is_none() && self.is_sure(seen.at),
        };
        if let Some(seen) = self.recall(state).filter(is_expected) {
            return Ok(Some((seen.value, seen.at)));
        }
        let at = self.moment();
        let (value, is_removed) = self.newest(state).await?;
        let found = (!is_removed).then_some(Revision(value.number));
        Ok((found == expected).then_some((value, at)))
    }

    /// Makes sure that the number of `value` had never been there before; see the module's words.
    async fn prove(&self, state: &StateName, base: &Value, value: &Value) -> Result<(), BackendError> {
        let is_proved = if base.number == 0 {
            self.newest(state).await?.0 == *value
        } else {
            self.client.head(&self.key(state, base.number)).await?.as_ref() == Some(&base.e_tag)
        };
        if is_proved {
            return Ok(());
        }
        self.forget(state);
        Err(self.client.place.unavailable(format_args!(
            "others changed the document of state `{state}` so often meanwhile that nobody knows whether this change counts"
        )))
    }

    /// Names of states that have a document.
    pub(super) async fn states(&self, after: Option<&StateName>, limit: usize) -> Result<Vec<StateName>, BackendError> {
        let root = format!("{}documents/", self.root);
        // `!` comes before everything that a name may hold, so keys are in the order of names; `"` comes right after it.
        let mut offset = after.map(|after| format!("{root}{after}\""));
        let (mut found, mut last) = (Vec::new(), None);
        while found.len() < limit {
            let at = self.moment();
            let page = self.client.list(&root, offset.as_deref(), usize::MAX).await?;
            let Some(end) = page.last() else { break };
            offset = Some(end.key.clone());
            for entry in &page {
                let Some((name, _)) = entry.key.strip_prefix(&root).and_then(|key| key.rsplit_once('!')) else {
                    continue;
                };
                if last.as_deref() == Some(name) || number(&entry.key).is_none() {
                    continue;
                }
                last = Some(name.to_owned());
                // The first key of a name is its newest value.
                let Ok(name) = name.parse() else { continue };
                self.see_again(&name, entry, at);
                if !is_removal(entry) && found.len() < limit {
                    found.push(name);
                }
            }
        }
        Ok(found)
    }

    /// The newest value of a document, and whether there is none or it says that the document was removed.
    async fn newest(&self, state: &StateName) -> Result<(Value, bool), BackendError> {
        let entries = self.client.list(&self.prefix(state), None, 1).await?;
        let Some(entry) = entries.into_iter().next() else { return Ok((Value::default(), true)) };
        let number = number(&entry.key).ok_or_else(|| {
            self.client.place.damaged(format_args!("`{}` stands among the values of a document: delete it", entry.key))
        })?;
        let is_removed = is_removal(&entry);
        Ok((Value { number, e_tag: entry.e_tag }, is_removed))
    }

    /// Deletes values that are long superseded, now and then, while nobody waits.
    fn trim(&self, state: &StateName, newest: u64) {
        if !newest.is_multiple_of(TRIM_EVERY) {
            return;
        }
        let (client, prefix) = (Arc::clone(&self.client), self.prefix(state));
        tokio::spawn(async move {
            let superseded = async {
                let entries = client.list_all(&prefix, None).await?;
                // The order is what proves: none is deleted before those that are older.
                for entry in superseded(&entries) {
                    client.delete(&entry.key).await?;
                }
                Ok::<(), BackendError>(())
            };
            if let Err(error) = superseded.await {
                tracing::warn!(error = %error, "superseded values of a document are left over until its next changes");
            }
        });
    }

    fn moment(&self) -> Moment {
        Moment { steady: Instant::now(), wall: self.seams.clock.now() }
    }

    fn is_sure(&self, since: Moment) -> bool {
        let wall = self.seams.clock.now().duration_since(since.wall);
        // A clock that was set back says nothing.
        since.steady.elapsed() < SURE && Duration::try_from(wall).is_ok_and(|passed| passed < SURE)
    }

    fn prefix(&self, state: &StateName) -> String {
        format!("{}documents/{state}!", self.root)
    }

    fn key(&self, state: &StateName, number: u64) -> String {
        format!("{}{:020}", self.prefix(state), u64::MAX - number)
    }

    fn recall(&self, state: &StateName) -> Option<Seen> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner).get(state).cloned()
    }

    /// Remembers what was seen, unless something was seen later.
    fn remember(&self, state: &StateName, newest: Seen) {
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        let length = |seen: &Seen| seen.content.as_ref().map_or(0, Bytes::len) + 256;
        if remembered.values().map(length).sum::<usize>() > REMEMBERED_MAX {
            remembered.clear();
        }
        if remembered.get(state).is_none_or(|seen| seen.at.steady <= newest.at.steady) {
            remembered.insert(state.clone(), newest);
        }
    }

    /// If what is remembered still is the newest value, it was seen now: whoever goes through all states, as a backup does, is
    /// spared a list for each.
    fn see_again(&self, state: &StateName, newest: &Entry, at: Moment) {
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        let is_same =
            |seen: &&mut Seen| number(&newest.key) == Some(seen.value.number) && newest.e_tag == seen.value.e_tag;
        if let Some(seen) = remembered.get_mut(state).filter(is_same)
            && seen.at.steady <= at.steady
        {
            seen.at = at;
        }
    }

    fn forget(&self, state: &StateName) {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner).remove(state);
    }
}

/// The values that may be deleted, oldest first. `entries` are all of a document, newest first.
fn superseded(entries: &[Entry]) -> impl Iterator<Item = &Entry> {
    let latest = entries.iter().map(|entry| entry.modified_at).max().unwrap_or_default();
    let kept = entries.get(KEPT..).unwrap_or_default();
    kept.iter().rev().take_while(move |entry| latest.duration_since(entry.modified_at) >= RETAINED)
}

fn is_removal(entry: &Entry) -> bool {
    entry.size == LINE_LEN as u64
}

/// The number in a key.
fn number(key: &str) -> Option<u64> {
    let (_, digits) = key.rsplit_once('!')?;
    let is_number = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { digits.parse().ok().map(|inverted: u64| u64::MAX - inverted) } else { None }
}
