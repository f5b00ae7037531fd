//! Who may write a state now.
//!
//! Terraform asks for a lock under an id that it draws itself, and asks again under the same id where the answer was lost
//! (<https://github.com/hashicorp/terraform>, `internal/backend/remote-state/http/client.go`, with its retries). A second
//! answer "it is held" to the holder would leave a lock that nobody takes away; so a lock that is held under the id that
//! asks is granted again, and one that is gone is released again.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::document::{Settings, StateDocument};
use crate::policy::later;

/// Longest text that is accepted as the description of a lock, in bytes.
pub const INFO_MAX: usize = 16 * 1024;

/// Longest id of a lock, in bytes. Terraform's are UUIDs.
pub const LOCK_ID_MAX: usize = 128;

/// What Terraform sends about a lock. Fields that this program does not know are kept and given back: other holders are
/// told the holder's own words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockInfo {
    /// Drawn by the client.
    #[serde(rename = "ID")]
    pub id: String,
    /// Such as `OperationTypeApply`.
    #[serde(rename = "Operation", default)]
    pub operation: String,
    /// Such as `user@host`.
    #[serde(rename = "Who", default)]
    pub who: String,
    /// Everything else.
    #[serde(flatten)]
    pub rest: serde_json::Map<String, serde_json::Value>,
}

/// Why a text does not describe a lock.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LockInfoError {
    /// More than [`INFO_MAX`] bytes.
    #[error("the description of the lock is longer than {INFO_MAX} bytes")]
    TooLong,
    /// It is no JSON object with an `ID`.
    #[error("the description of the lock is no JSON object with an `ID`: {0}")]
    Syntax(String),
    /// The id is empty, or longer than [`LOCK_ID_MAX`] bytes.
    #[error("the lock's `ID` must have 1 to {LOCK_ID_MAX} characters")]
    Id,
}

impl LockInfo {
    /// Reads what Terraform sends.
    pub fn parse(text: &[u8]) -> Result<Self, LockInfoError> {
        if text.len() > INFO_MAX {
            return Err(LockInfoError::TooLong);
        }
        let info: Self = serde_json::from_slice(text).map_err(|error| LockInfoError::Syntax(error.to_string()))?;
        if info.id.is_empty() || info.id.len() > LOCK_ID_MAX {
            return Err(LockInfoError::Id);
        }
        Ok(info)
    }
}

/// A lock that somebody has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// The holder's own words.
    pub info: LockInfo,
    /// Since when.
    pub at: Timestamp,
    /// The user whose token asked for it.
    pub by: String,
    /// When a version was last written under it; nothing was written yet, where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written_at: Option<Timestamp>,
}

impl Lock {
    /// Whether this is the lock of this id that this user took. An id alone proves nothing: whoever is refused is told it.
    pub fn is_of(&self, id: &str, by: &str) -> bool {
        self.info.id == id && self.by == by
    }

    /// When the lock stops to count, if it ever does.
    pub fn expires_at(&self, settings: &Settings) -> Option<Timestamp> {
        let seconds = settings.lock_expires_seconds?;
        Some(later(self.written_at.unwrap_or(self.at).max(self.at), Duration::from_secs(seconds.into())))
    }
}

impl StateDocument {
    /// The lock that counts now.
    pub fn lock_at(&self, now: Timestamp) -> Option<&Lock> {
        self.lock.as_ref().filter(|lock| lock.expires_at(&self.settings).is_none_or(|at| at > now))
    }
}

/// What asking for a lock came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// It is the asker's now; the document changed. Says whose lock had expired, if one had.
    New {
        /// The lock that no longer counted.
        expired: Option<Box<Lock>>,
    },
    /// The asker had it already.
    Already,
    /// Somebody else has it.
    Held(Box<Lock>),
}

/// Takes the lock, or says who has it.
pub fn take(document: &mut StateDocument, info: LockInfo, by: &str, now: Timestamp) -> Taken {
    match document.lock_at(now) {
        Some(held) if held.is_of(&info.id, by) => Taken::Already,
        Some(held) => Taken::Held(Box::new(held.clone())),
        None => {
            let expired = document.lock.take().map(Box::new);
            document.lock = Some(Lock { info, at: now, by: by.to_owned(), written_at: None });
            Taken::New { expired }
        }
    }
}

/// What giving a lock back came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Released {
    /// The document changed. Says whose lock it was.
    Done(Box<Lock>),
    /// Nobody had it: an earlier request did it already.
    NotHeld,
    /// Somebody else has it.
    HeldByAnother(Box<Lock>),
}

/// Gives one's own lock with this id back.
pub fn release(document: &mut StateDocument, id: &str, by: &str) -> Released {
    release_if(document, |lock| lock.is_of(id, by))
}

fn release_if(document: &mut StateDocument, is_meant: impl FnOnce(&Lock) -> bool) -> Released {
    match document.lock.take() {
        None => Released::NotHeld,
        Some(lock) if is_meant(&lock) => Released::Done(Box::new(lock)),
        Some(lock) => {
            document.lock = Some(lock.clone());
            Released::HeldByAnother(Box::new(lock))
        }
    }
}

/// Takes the lock away from whoever has it. Whether the asker may is for the caller to say; with an id, only that lock.
pub fn force_release(document: &mut StateDocument, id: Option<&str>) -> Released {
    release_if(document, |lock| id.is_none_or(|id| id == lock.info.id))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT: &str = r#"{"ID":"a","Operation":"OperationTypeApply","Info":"","Who":"me@here","Version":"1.11.4","Created":"2026-11-22T06:00:00.123456789Z","Path":""}"#;

    fn info(id: &str) -> LockInfo {
        LockInfo::parse(SENT.replace("\"a\"", &format!("{id:?}")).as_bytes()).unwrap()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_holders_words_are_given_back_whole() {
        let again = serde_json::to_value(info("a")).unwrap();
        assert_eq!(again, serde_json::from_str::<serde_json::Value>(SENT).unwrap());
    }

    #[test]
    fn a_lock_is_granted_again_to_its_holder_and_to_nobody_else() {
        let mut document = StateDocument::new();
        assert_eq!(take(&mut document, info("a"), "ann", at(1)), Taken::New { expired: None });
        let held = document.clone();
        assert_eq!(take(&mut document, info("a"), "ann", at(2)), Taken::Already);
        assert!(matches!(take(&mut document, info("b"), "bob", at(3)), Taken::Held(lock) if lock.by == "ann"));
        assert!(matches!(take(&mut document, info("a"), "bob", at(3)), Taken::Held(lock) if lock.by == "ann"));
        assert!(matches!(release(&mut document, "b", "ann"), Released::HeldByAnother(_)));
        assert!(matches!(release(&mut document, "a", "bob"), Released::HeldByAnother(_)));
        assert_eq!(document, held, "nothing of this changed anything");
        assert!(matches!(release(&mut document, "a", "ann"), Released::Done(_)));
        assert_eq!(release(&mut document, "a", "ann"), Released::NotHeld, "a repetition is no error");
    }

    #[test]
    fn a_lock_expires_only_where_that_was_decided_and_counts_from_the_last_write() {
        let mut document = StateDocument::new();
        take(&mut document, info("a"), "ann", at(0));
        assert!(matches!(take(&mut document, info("b"), "bob", at(1_000_000)), Taken::Held(_)));
        document.settings.lock_expires_seconds = Some(60);
        document.lock.as_mut().unwrap().written_at = Some(at(50));
        assert!(matches!(take(&mut document, info("b"), "bob", at(109)), Taken::Held(_)));
        assert!(
            matches!(take(&mut document, info("b"), "bob", at(110)), Taken::New { expired: Some(lock) } if lock.by == "ann")
        );
    }

    #[test]
    fn by_force_one_lock_or_whichever_there_is() {
        let mut document = StateDocument::new();
        take(&mut document, info("a"), "ann", at(0));
        assert!(matches!(force_release(&mut document, Some("b")), Released::HeldByAnother(_)));
        assert!(matches!(force_release(&mut document, None), Released::Done(lock) if lock.info.id == "a"));
        assert_eq!(force_release(&mut document, None), Released::NotHeld);
    }

    #[test]
    fn what_describes_no_lock_is_refused() {
        for bad in
            ["", "[]", "{}", r#"{"ID":7}"#, r#"{"ID":""}"#, &format!(r#"{{"ID":"{}"}}"#, "x".repeat(LOCK_ID_MAX + 1))]
        {
            assert!(LockInfo::parse(bad.as_bytes()).is_err(), "{bad}");
        }
        assert_eq!(LockInfo::parse(&vec![b' '; INFO_MAX + 1]), Err(LockInfoError::TooLong));
    }
}
