//! `cloudflare-token.json` in the data directory: since when each value of the token is known here, and which token it
//! is a value of.
//!
//! Cloudflare tells a token for DNS records nothing about the age of its value, and nothing at all once the value is
//! dead. The file holds no value: only the beginning of its SHA-256, by which it is recognised.

use std::path::{Path, PathBuf};

use alfred_providers::cloudflare::{TokenOwner, TokenStatus};
use alfred_providers::secret::ApiToken;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::error::Failure;
use crate::files;

/// The file's name.
const FILE: &str = "cloudflare-token.json";

/// The file is not larger.
const FILE_MAX: u64 = 64 * 1024;

/// So many values are remembered; the oldest are forgotten first.
const VALUES_MAX: usize = 32;

const VERSION: u32 = 1;

/// What is remembered, and where.
#[derive(Debug)]
pub(crate) struct KnownValues {
    path: PathBuf,
    values: Vec<KnownValue>,
}

/// What is remembered of one value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KnownValue {
    fingerprint: String,
    /// When it was first used here.
    pub(crate) first_seen: Timestamp,
    /// The token's id.
    pub(crate) id: String,
    /// Whether the token belongs to an account and not to a user.
    #[serde(default)]
    account: bool,
}

#[derive(Serialize, Deserialize)]
struct Document {
    version: u32,
    values: Vec<KnownValue>,
}

impl KnownValue {
    /// Whose token it is.
    pub(crate) fn owner(&self) -> TokenOwner {
        if self.account { TokenOwner::Account } else { TokenOwner::User }
    }
}

impl KnownValues {
    /// Reads the file of a data directory; nothing is remembered, if there is none.
    pub(crate) fn load(data_dir: &Path) -> Result<Self, Failure> {
        let path = data_dir.join(FILE);
        let Some(text) = files::read_text(&path, FILE_MAX)? else { return Ok(Self { path, values: Vec::new() }) };
        let damaged = |words: &str| {
            Failure::new(format!("`{}` {words}", path.display()))
                .hint("move it away, and the age of the token's value is counted from now on")
        };
        let document: Document = serde_json::from_str(&text).map_err(|_| damaged("is damaged"))?;
        if document.version != VERSION {
            return Err(damaged("was written by another version of this program"));
        }
        Ok(Self { path, values: document.values })
    }

    /// What is remembered of a value.
    pub(crate) fn of(&self, value: &ApiToken) -> Option<&KnownValue> {
        let fingerprint = fingerprint(value);
        self.values.iter().find(|known| known.fingerprint == fingerprint)
    }

    /// Remembers that `value` belongs to the token that `status` is about, and tells since when it is known.
    pub(crate) fn note(
        &mut self,
        value: &ApiToken,
        status: &TokenStatus,
        now: Timestamp,
    ) -> Result<Timestamp, Failure> {
        let first_seen = self.of(value).map_or(now, |known| known.first_seen);
        let account = status.owner == TokenOwner::Account;
        let known = KnownValue { fingerprint: fingerprint(value), first_seen, id: status.id.clone(), account };
        if self.of(value) == Some(&known) {
            return Ok(first_seen);
        }
        self.values.retain(|other| other.fingerprint != known.fingerprint);
        self.values.push(known);
        let surplus = self.values.len().saturating_sub(VALUES_MAX);
        self.values.drain(..surplus);
        if let Some(directory) = self.path.parent() {
            files::private_directory(directory)?;
        }
        let document = Document { version: VERSION, values: self.values.clone() };
        let text = serde_json::to_string_pretty(&document).expect("texts, numbers and truth values are always JSON");
        files::write_private(&self.path, &format!("{text}\n"))?;
        Ok(first_seen)
    }
}

/// Enough of the hash to tell values apart. A value is random and long: its hash does not help to guess it.
pub(crate) fn fingerprint(value: &ApiToken) -> String {
    use std::fmt::Write as _;
    Sha256::digest(value.expose().as_bytes()).iter().take(8).fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(id: &str, owner: TokenOwner) -> TokenStatus {
        TokenStatus { id: id.into(), status: "active".into(), expires_on: None, not_before: None, owner }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn the_first_sight_of_a_value_is_kept_and_the_value_is_not() {
        use std::os::unix::fs::MetadataExt as _;
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("data");
        let (one, two) = (ApiToken::new("cfut_one"), ApiToken::new("cfut_two"));
        let (first, second) = (at("2026-01-01T00:00:00Z"), at("2026-02-01T00:00:00Z"));
        let mut known = KnownValues::load(&data).unwrap();
        assert_eq!(known.of(&one), None);
        assert_eq!(known.note(&one, &status("t1", TokenOwner::User), first).unwrap(), first);
        let mut known = KnownValues::load(&data).unwrap();
        assert_eq!(known.note(&one, &status("t1", TokenOwner::User), second).unwrap(), first);
        assert_eq!(known.note(&two, &status("t1", TokenOwner::Account), second).unwrap(), second);
        let known = KnownValues::load(&data).unwrap();
        assert_eq!(known.of(&one).map(|one| (one.id.as_str(), one.owner())), Some(("t1", TokenOwner::User)));
        assert_eq!(known.of(&two).map(KnownValue::owner), Some(TokenOwner::Account));
        let text = std::fs::read_to_string(data.join(FILE)).unwrap();
        assert!(!text.contains("cfut_"), "{text}");
        assert_eq!(data.join(FILE).metadata().unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let directory = tempfile::tempdir().unwrap();
        let mut known = KnownValues::load(directory.path()).unwrap();
        for number in 0..=VALUES_MAX {
            known
                .note(&ApiToken::new(&number.to_string()), &status("t", TokenOwner::User), Timestamp::UNIX_EPOCH)
                .unwrap();
        }
        let known = KnownValues::load(directory.path()).unwrap();
        assert_eq!(known.values.len(), VALUES_MAX);
        assert!(known.of(&ApiToken::new("0")).is_none() && known.of(&ApiToken::new("1")).is_some());
    }

    #[test]
    fn a_damaged_file_is_told_with_the_mend() {
        let directory = tempfile::tempdir().unwrap();
        for (text, words) in [("{", "is damaged"), (r#"{"version":2,"values":[]}"#, "another version")] {
            std::fs::write(directory.path().join(FILE), text).unwrap();
            let said = KnownValues::load(directory.path()).unwrap_err().to_string();
            assert!(said.contains(words) && said.contains("move it away"), "{said}");
        }
    }
}
