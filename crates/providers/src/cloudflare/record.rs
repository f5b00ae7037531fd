//! DNS records as Cloudflare shows and takes them.

use alfred_model::id::RecordId;
use alfred_model::name::DomainName;
use alfred_model::record::{DesiredRecord, Mark};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::lenient;

/// A record as it stands in the zone. Only id, name and type are required; what this version does not know is ignored.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Record {
    /// Cloudflare's id of it.
    #[serde(deserialize_with = "record_id")]
    pub id: RecordId,
    /// The full name, as Cloudflare writes it. Compare with [`same_name`].
    pub name: String,
    /// The type, such as `A`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it answers with.
    #[serde(default, deserialize_with = "lenient::null_as_default")]
    pub content: String,
    /// Seconds; 1 is automatic, and a proxied record always reads 1.
    #[serde(default = "automatic", deserialize_with = "ttl")]
    pub ttl: u32,
    /// Whether Cloudflare's proxy answers in its place.
    #[serde(default, deserialize_with = "lenient::null_as_default")]
    pub proxied: bool,
    /// The comment, which holds our mark.
    #[serde(default, deserialize_with = "lenient::text")]
    pub comment: Option<String>,
    /// The tags; there are none on the Free plan.
    #[serde(default, deserialize_with = "lenient::null_as_default")]
    pub tags: Vec<String>,
    /// When it was created.
    #[serde(default, deserialize_with = "lenient::timestamp")]
    pub created_on: Option<Timestamp>,
    /// When it last changed.
    #[serde(default, deserialize_with = "lenient::timestamp")]
    pub modified_on: Option<Timestamp>,
    /// More about it.
    #[serde(default, deserialize_with = "lenient::null_as_default")]
    pub meta: RecordMeta,
}

/// What Cloudflare adds to a record.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct RecordMeta {
    /// Another Cloudflare product owns the record, and it cannot be changed here.
    #[serde(default, deserialize_with = "lenient::null_as_default")]
    pub read_only: bool,
}

impl Record {
    /// The mark, if the record carries one that is intact and made for this very name.
    pub fn mark(&self) -> Option<Mark> {
        let name: DomainName = self.name.parse().ok()?;
        Mark::read(self.comment.as_deref()?, &name)
    }

    /// Whether the record is called `name`, whatever the case and the final dot.
    pub fn is_called(&self, name: &DomainName) -> bool {
        same_name(&self.name, name.as_str())
    }
}

/// Whether two texts are the same DNS name: case and the final dot do not matter.
pub fn same_name(one: &str, other: &str) -> bool {
    let bare = |name: &str| name.strip_suffix('.').unwrap_or(name).len();
    one[..bare(one)].eq_ignore_ascii_case(&other[..bare(other)])
}

/// A record to be written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewRecord {
    /// The full name.
    pub name: String,
    /// The type, such as `A`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it shall answer with.
    pub content: String,
    /// Seconds, 60 to 86,400 on most plans; 1 is automatic.
    pub ttl: u32,
    /// Whether Cloudflare's proxy shall answer in its place.
    pub proxied: bool,
    /// The comment: at most 100 characters on the Free plan, 500 on others, no line breaks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Tags; a Free zone refuses any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

impl From<&DesiredRecord> for NewRecord {
    fn from(desired: &DesiredRecord) -> Self {
        Self {
            name: desired.name.as_str().to_owned(),
            kind: desired.target.kind().to_owned(),
            content: desired.target.to_string(),
            ttl: desired.ttl,
            proxied: false,
            comment: Some(desired.mark.comment(&desired.name)),
            tags: Vec::new(),
        }
    }
}

/// A change of parts of a record; what is absent stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecordPatch {
    /// Which record.
    pub id: RecordId,
    /// Another content.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// Another time to live, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<u32>,
    /// Through the proxy or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxied: Option<bool>,
    /// Another comment; an empty one removes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

impl RecordPatch {
    /// A patch of nothing yet.
    pub fn new(id: RecordId) -> Self {
        Self { id, content: None, ttl: None, proxied: None, comment: None }
    }

    /// The changes without the id, which stands in the path of a single change.
    pub(super) fn changes(&self) -> impl Serialize {
        #[derive(Serialize)]
        struct Changes {
            #[serde(skip_serializing_if = "Option::is_none")]
            content: Option<String>,
            #[serde(skip_serializing_if = "Option::is_none")]
            ttl: Option<u32>,
            #[serde(skip_serializing_if = "Option::is_none")]
            proxied: Option<bool>,
            #[serde(skip_serializing_if = "Option::is_none")]
            comment: Option<String>,
        }
        let Self { content, ttl, proxied, comment, .. } = self.clone();
        Changes { content, ttl, proxied, comment }
    }
}

fn record_id<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<RecordId, D::Error> {
    let text = String::deserialize(deserializer)?;
    RecordId::parse(&text).ok_or_else(|| serde::de::Error::custom("a record's id is not letters and digits"))
}

pub(super) fn automatic() -> u32 {
    1
}

pub(super) fn ttl<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    Ok(lenient::integer(deserializer)?.and_then(|ttl| u32::try_from(ttl).ok()).unwrap_or_else(automatic))
}
