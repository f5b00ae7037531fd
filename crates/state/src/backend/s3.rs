//! States in a bucket of Cloudflare R2, or of any S3 that honours `If-None-Match: *`.
//!
//! ```text
//! PREFIX/documents/NAME!NUMBER   one object for each value of a document
//! PREFIX/blobs/NAME/KEY          one object for each version's content
//! ```
//!
//! R2 takes one write a second for each key and knows no conditional deletion, so a document is no key that is overwritten:
//! each value is a new key, created if it is absent, and that is the compare-and-set. See [`journal`]. Nothing is ever
//! overwritten, so a rule that forbids it (R2's bucket locks) may stand on `PREFIX/blobs/`.
//!
//! What a call costs, in requests: a document 1 (get) if this process saw it in the last quarter of an hour, and else 2
//! (list, get); a change 1 (put), and a list before it or a head after it if that was not seen lately; a blob of at most
//! 8 MiB 1, another 2 and one for each 8 MiB; and, for every 8th change, a list and the deletion of what is superseded for an
//! hour, which nobody waits for.

mod client;
mod failure;
mod journal;
pub(super) mod object;
mod parts;
mod proof;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use alfred_model::state::{BlobKey, StateName};
use async_trait::async_trait;
use bytes::Bytes;
use secrecy::{ExposeSecret as _, SecretString};

use super::place::Place;
use super::{Backend, BackendError, Blob, BlobEntry, Document, Put, Recalled, Revision, Swapped};
use crate::service::Seams;
use client::{Client, Created};
use journal::Journal;

/// Longest prefix, in bytes: with a name and a key after it, R2's 1,024 bytes for a key are not reached.
const PREFIX_MAX: usize = 400;

/// Where a bucket is and who may use it.
#[derive(Debug, Clone)]
pub struct S3Options {
    /// The address of the service, without the bucket: `https://ACCOUNT.r2.cloudflarestorage.com`. That of Amazon, where
    /// absent.
    pub endpoint: Option<String>,
    /// The region: `auto` for R2.
    pub region: String,
    /// Who asks.
    pub access_key_id: SecretString,
    /// Proves it.
    pub secret_access_key: SecretString,
    /// How long failures are put up with.
    pub patience: Patience,
}

/// How long failures are put up with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Tries of one request, at least one.
    pub attempts: u32,
    /// Before the second try; twice as long before each later one.
    pub first_pause: Duration,
    /// No pause is longer.
    pub longest_pause: Duration,
    /// An answer without much content is waited for so long; one with more for a second longer for every 64 KiB.
    pub answer: Duration,
}

impl Default for Patience {
    /// Seven tries in about 15 seconds, beside the time that answers take.
    fn default() -> Self {
        Self {
            attempts: 7,
            first_pause: Duration::from_millis(400),
            longest_pause: Duration::from_secs(4),
            answer: Duration::from_secs(20),
        }
    }
}

/// States in a bucket.
pub struct S3 {
    client: Arc<Client>,
    journal: Journal,
}

impl S3 {
    /// Looks into the bucket, so that a wrong credential or name is known now. `kind` is what people call the service:
    /// `r2` or `s3`. Keys begin with `prefix`, which may be empty.
    pub async fn open(
        kind: &str,
        bucket: &str,
        prefix: &str,
        options: &S3Options,
        seams: Seams,
    ) -> Result<Self, BackendError> {
        let prefix = prefix.trim_matches('/');
        let shown = if prefix.is_empty() { bucket.to_owned() } else { format!("{bucket}/{prefix}") };
        let place = Place(format!("{kind} {shown}"));
        check(bucket, prefix, options).map_err(|words| place.refused(words))?;
        let root = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        let client = Arc::new(Client::new(place, bucket, options, Arc::clone(&seams.random))?);
        client.list(&format!("{root}documents/"), None, 1).await?;
        Ok(Self { journal: Journal::new(Arc::clone(&client), root, seams), client })
    }

    fn blob_prefix(&self, state: &StateName) -> String {
        format!("{}blobs/{}/", self.journal.root(), state.as_key())
    }

    fn blob_key(&self, state: &StateName, key: &BlobKey) -> String {
        self.blob_prefix(state) + &key.as_key()
    }
}

/// Refuses what would make an address or a key that nobody means; the client trusts what it is given.
fn check(bucket: &str, prefix: &str, options: &S3Options) -> Result<(), String> {
    let is_bucket = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_');
    if !(3..=63).contains(&bucket.len()) || !bucket.bytes().all(is_bucket) {
        return Err("the name of a bucket has 3 to 63 characters of `a-z`, `0-9`, `-`, `.` and `_`".to_owned());
    }
    let is_known = |byte| matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'/');
    let has_parts = prefix.is_empty() || prefix.split('/').all(|part| !matches!(part, "" | "." | ".."));
    if prefix.len() > PREFIX_MAX || !prefix.bytes().all(is_known) || !has_parts {
        return Err(format!(
            "a prefix has at most {PREFIX_MAX} characters of `A-Z`, `a-z`, `0-9`, `-`, `_`, `.` and `/`, and no part of it is \
             empty"
        ));
    }
    if let Some(endpoint) = &options.endpoint {
        let url = reqwest::Url::parse(endpoint).ok().filter(|url| matches!(url.scheme(), "https" | "http"));
        if url.is_none_or(|url| url.query().is_some() || !url.username().is_empty() || url.password().is_some()) {
            return Err("its endpoint must be `https://HOST`, as the service shows it, without the bucket".to_owned());
        }
    }
    let secrets = [&options.access_key_id, &options.secret_access_key];
    let is_graphic = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_graphic(&options.region) || !secrets.iter().all(|secret| is_graphic(secret.expose_secret())) {
        return Err("its region, access key and secret must be words without spaces, and none may be empty".to_owned());
    }
    Ok(())
}

impl fmt::Debug for S3 {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "S3({})", self.client.place.0)
    }
}

#[async_trait]
impl Backend for S3 {
    fn place(&self) -> &str {
        &self.client.place.0
    }

    async fn document(&self, state: &StateName) -> Result<Option<Document>, BackendError> {
        self.journal.document(state).await
    }

    fn recalled_document(&self, state: &StateName) -> Recalled {
        self.journal.recalled(state)
    }

    async fn swap_document(
        &self,
        state: &StateName,
        expected: Option<Revision>,
        content: Bytes,
    ) -> Result<Swapped, BackendError> {
        self.client.place.check_document(&content)?;
        self.journal.swap(state, expected, Some(content)).await
    }

    async fn remove_document(&self, state: &StateName, expected: Revision) -> Result<Swapped, BackendError> {
        self.journal.swap(state, Some(expected), None).await
    }

    async fn states(&self, after: Option<&StateName>, limit: usize) -> Result<Vec<StateName>, BackendError> {
        self.journal.states(after, limit).await
    }

    async fn put_blob(&self, state: &StateName, key: &BlobKey, content: Blob) -> Result<Put, BackendError> {
        Ok(match self.client.create(&self.blob_key(state, key), &content).await? {
            Created::Now(_) => Put::Created,
            Created::Before => Put::Exists,
        })
    }

    async fn blob(&self, state: &StateName, key: &BlobKey) -> Result<Option<Blob>, BackendError> {
        Ok(self.client.get(&self.blob_key(state, key)).await?.map(|(content, _)| content.into()))
    }

    async fn blobs(&self, state: &StateName) -> Result<Vec<BlobEntry>, BackendError> {
        let prefix = self.blob_prefix(state);
        let entries = self.client.list_all(&prefix, None).await?;
        let mut blobs: Vec<BlobEntry> = entries
            .into_iter()
            .filter_map(|entry| {
                Some(BlobEntry { key: BlobKey::from_key(entry.key.strip_prefix(&prefix)?)?, size: entry.size })
            })
            .collect();
        blobs.sort_unstable_by_key(|entry| entry.key);
        Ok(blobs)
    }

    async fn delete_blob(&self, state: &StateName, key: &BlobKey) -> Result<(), BackendError> {
        self.client.delete(&self.blob_key(state, key)).await
    }
}
