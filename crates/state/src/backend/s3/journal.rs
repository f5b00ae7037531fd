//! Documents as journals: each value is an object of its own, numbered, and the highest number is the document.
//!
//! Numbers count down in the keys, so that a list of one key finds the newest. Creating number n + 1 if it is absent is the
//! compare-and-set from n. Values that are long superseded are deleted, oldest first, and that takes a second look: a writer
//! that slept since it read n could find n + 1 absent because it was made, superseded and deleted meanwhile. So after a
//! creation the writer looks whether n, exactly as it was read, still is there. Deletions go from the oldest on, so while it
//! is, n + 1 had not been deleted, and had never been there before. What a late writer leaves behind has a number below the
//! newest, is nobody's document, and is deleted with the rest.
//!
//! A removed document is a value without content: numbers never begin again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use alfred_model::seam::Random;
use alfred_model::state::StateName;
use bytes::Bytes;

use super::client::{Client, Created, Entry};
use crate::backend::frame::{LINE_LEN, Mark, frame, unframe};
use crate::backend::{BackendError, Blob, Document, Revision, Swapped};

/// The newest so many values are never deleted, so that whoever has just learned a number can read it.
const KEPT: u64 = 8;

/// A reader begins anew so many times when the value it was about to read is deleted, [`KEPT`] changes later.
const READ_ATTEMPTS: usize = 5;

/// Documents are remembered up to so many bytes together.
const REMEMBERED_MAX: usize = 32 << 20;

/// All documents of one bucket and prefix.
pub(super) struct Journal {
    client: Arc<Client>,
    root: String,
    random: Arc<dyn Random>,
    remembered: Mutex<HashMap<StateName, Remembered>>,
}

/// The newest value that was seen.
#[derive(Debug, Clone)]
struct Remembered {
    value: Value,
    content: Option<Bytes>,
}

/// One value: its number, and what tells it from any other that may ever have the number.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Value {
    number: u64,
    e_tag: String,
}

impl Journal {
    /// The journals whose keys begin with `root`, which is empty or ends with `/`.
    pub(super) fn new(client: Arc<Client>, root: String, random: Arc<dyn Random>) -> Self {
        Self { client, root, random, remembered: Mutex::default() }
    }

    pub(super) fn root(&self) -> &str {
        &self.root
    }

    pub(super) async fn document(&self, state: &StateName) -> Result<Option<Document>, BackendError> {
        for _ in 0..READ_ATTEMPTS {
            let Some((value, is_removed)) = self.newest(state).await? else {
                return Ok(None);
            };
            let revision = Revision(value.number);
            if is_removed {
                self.remember(state, Remembered { value, content: None });
                return Ok(None);
            }
            if let Some(Remembered { content: Some(content), .. }) =
                self.recall(state).filter(|known| known.value == value)
            {
                return Ok(Some(Document { revision, content }));
            }
            let Some((stored, e_tag)) = self.client.get(&self.key(state, value.number)).await? else { continue };
            let content = unframe(&stored).map_err(|words| {
                let number = value.number;
                self.client.place.damaged(format_args!("the document of state `{state}`, value {number}: {words}"))
            })?;
            let value = Value { e_tag, ..value };
            self.remember(state, Remembered { value, content: content.clone() });
            return Ok(content.map(|content| Document { revision, content }));
        }
        Err(self.client.place.unavailable(format_args!("the document of state `{state}` changes too fast to be read")))
    }

    /// Makes `content` the document, or removes it.
    pub(super) async fn swap(
        &self,
        state: &StateName,
        expected: Option<Revision>,
        content: Option<Bytes>,
    ) -> Result<Swapped, BackendError> {
        let known = self.recall(state).filter(|known| Some(Revision(known.value.number)) == expected);
        let base = match known {
            Some(Remembered { value, content: Some(_) }) => Some(value),
            _ => match (self.newest(state).await?, expected) {
                (None, None) => None,
                (Some((value, true)), None) => Some(value),
                (Some((value, false)), Some(Revision(number))) if value.number == number => Some(value),
                _ => return Ok(Swapped::Conflict),
            },
        };
        let number = base.as_ref().map_or(0, |base| base.number) + 1;
        let mut mark = Mark::default();
        self.random.fill(&mut mark);
        let framed = Blob::from(frame(content.as_ref(), &mark));
        match self.client.create_unique(&self.key(state, number), &framed).await? {
            Created::Before => {
                self.forget(state);
                Ok(Swapped::Conflict)
            }
            Created::Now(e_tag) => {
                let value = Value { number, e_tag };
                self.prove(state, base.as_ref(), &value).await?;
                self.remember(state, Remembered { value, content });
                self.trim(state, number);
                Ok(Swapped::Done(Revision(number)))
            }
        }
    }

    /// Makes sure that the number of `value` had never been there before; see the module's words.
    async fn prove(&self, state: &StateName, base: Option<&Value>, value: &Value) -> Result<(), BackendError> {
        let is_proved = match base {
            Some(base) => self.client.head(&self.key(state, base.number)).await?.as_ref() == Some(&base.e_tag),
            None => self.newest(state).await?.is_some_and(|(newest, _)| newest == *value),
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
                if let Ok(name) = name.parse().map_err(drop)
                    && !is_removal(entry)
                    && found.len() < limit
                {
                    found.push(name);
                }
            }
        }
        Ok(found)
    }

    /// The newest value of a document, and whether it says that the document was removed.
    async fn newest(&self, state: &StateName) -> Result<Option<(Value, bool)>, BackendError> {
        let entries = self.client.list(&self.prefix(state), None, 1).await?;
        let Some(entry) = entries.into_iter().next() else { return Ok(None) };
        let number = number(&entry.key).ok_or_else(|| {
            self.client.place.damaged(format_args!("`{}` stands among the values of a document: delete it", entry.key))
        })?;
        let is_removed = is_removal(&entry);
        Ok(Some((Value { number, e_tag: entry.e_tag }, is_removed)))
    }

    /// Deletes values that are long superseded, now and then, while nobody waits.
    fn trim(&self, state: &StateName, newest: u64) {
        if !newest.is_multiple_of(KEPT) || newest <= KEPT {
            return;
        }
        let (client, prefix) = (Arc::clone(&self.client), self.prefix(state));
        let oldest_kept = self.key(state, newest - KEPT + 1);
        tokio::spawn(async move {
            let superseded = async {
                let entries = client.list_all(&prefix, Some(&oldest_kept)).await?;
                // From the oldest on, and no further than the first that cannot be deleted: the order is what proves.
                for entry in entries.iter().rev() {
                    client.delete(&entry.key).await?;
                }
                Ok::<(), BackendError>(())
            };
            if let Err(error) = superseded.await {
                tracing::warn!(error = %error, "superseded values of a document are left over until its next changes");
            }
        });
    }

    fn prefix(&self, state: &StateName) -> String {
        format!("{}documents/{state}!", self.root)
    }

    fn key(&self, state: &StateName, number: u64) -> String {
        format!("{}{:020}", self.prefix(state), u64::MAX - number)
    }

    fn recall(&self, state: &StateName) -> Option<Remembered> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner).get(state).cloned()
    }

    fn remember(&self, state: &StateName, newest: Remembered) {
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        let length = |known: &Remembered| known.content.as_ref().map_or(0, Bytes::len) + 256;
        if remembered.values().map(length).sum::<usize>() > REMEMBERED_MAX {
            remembered.clear();
        }
        remembered.insert(state.clone(), newest);
    }

    fn forget(&self, state: &StateName) {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner).remove(state);
    }
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
