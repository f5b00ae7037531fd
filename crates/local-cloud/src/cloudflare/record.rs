//! A DNS record as Cloudflare keeps and shows it.
//!
//! Shape: the record responses of Cloudflare's official SDKs (`cloudflare` on npm and PyPI).

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

/// The record types of the API, in the order in which lists sort them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "each is the record type of that name")]
pub enum RecordKind {
    A,
    Aaaa,
    Caa,
    Cert,
    Cname,
    Dnskey,
    Ds,
    Https,
    Loc,
    Mx,
    Naptr,
    Ns,
    Openpgpkey,
    Ptr,
    Smimea,
    Srv,
    Sshfp,
    Svcb,
    Tlsa,
    Txt,
    Uri,
}

const KINDS: [(RecordKind, &str); 21] = [
    (RecordKind::A, "A"),
    (RecordKind::Aaaa, "AAAA"),
    (RecordKind::Caa, "CAA"),
    (RecordKind::Cert, "CERT"),
    (RecordKind::Cname, "CNAME"),
    (RecordKind::Dnskey, "DNSKEY"),
    (RecordKind::Ds, "DS"),
    (RecordKind::Https, "HTTPS"),
    (RecordKind::Loc, "LOC"),
    (RecordKind::Mx, "MX"),
    (RecordKind::Naptr, "NAPTR"),
    (RecordKind::Ns, "NS"),
    (RecordKind::Openpgpkey, "OPENPGPKEY"),
    (RecordKind::Ptr, "PTR"),
    (RecordKind::Smimea, "SMIMEA"),
    (RecordKind::Srv, "SRV"),
    (RecordKind::Sshfp, "SSHFP"),
    (RecordKind::Svcb, "SVCB"),
    (RecordKind::Tlsa, "TLSA"),
    (RecordKind::Txt, "TXT"),
    (RecordKind::Uri, "URI"),
];

impl RecordKind {
    /// The type's name, upper case.
    pub fn as_str(self) -> &'static str {
        KINDS.iter().find(|(kind, _)| *kind == self).map_or("", |(_, name)| name)
    }

    /// Whether Cloudflare can proxy records of this type.
    pub fn proxiable(self) -> bool {
        matches!(self, Self::A | Self::Aaaa | Self::Cname)
    }

    /// Whether the content is the name of a host.
    pub fn names_a_host(self) -> bool {
        matches!(self, Self::Cname | Self::Mx | Self::Ns | Self::Ptr)
    }
}

impl fmt::Display for RecordKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for RecordKind {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        KINDS.iter().find(|(_, name)| *name == text).map(|(kind, _)| *kind).ok_or(())
    }
}

/// One record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// 32 hexadecimal digits.
    pub id: String,
    /// The full name, lower case, in Punycode, without a final dot.
    pub name: String,
    /// The type.
    #[serde(rename = "type")]
    pub kind: RecordKind,
    /// The value as text.
    pub content: String,
    /// For MX and URI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u16>,
    /// The components of the content, for the types that have them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Map<String, Value>>,
    /// Seconds, or 1 for automatic.
    pub ttl: u32,
    /// Whether traffic goes through Cloudflare.
    pub proxied: bool,
    /// Settings such as `ipv4_only`, as given.
    #[serde(default)]
    pub settings: Map<String, Value>,
    /// A note; ours carries the ownership mark.
    #[serde(default)]
    pub comment: Option<String>,
    /// `name:value` pairs, on paid plans.
    #[serde(default)]
    pub tags: Vec<String>,
    /// When it was created.
    pub created_on: Timestamp,
    /// When it was last changed.
    pub modified_on: Timestamp,
    /// When the comment was last changed.
    #[serde(default)]
    pub comment_modified_on: Option<Timestamp>,
    /// When the tags were last changed.
    #[serde(default)]
    pub tags_modified_on: Option<Timestamp>,
    /// Counts up over all records of a zone: the order of creation.
    pub sequence: u64,
}

impl Record {
    /// Whether both say the same to a DNS resolver, TTL and proxying aside.
    pub(crate) fn same_data(&self, other: &Self) -> bool {
        self.kind == other.kind
            && self.name == other.name
            && self.priority == other.priority
            && if self.kind == RecordKind::Txt {
                self.content == other.content
            } else {
                self.content.eq_ignore_ascii_case(&other.content)
            }
    }

    /// The seconds a resolver is told; automatic is 300.
    /// <https://developers.cloudflare.com/dns/manage-dns-records/reference/ttl/>
    pub(crate) fn served_ttl(&self) -> u32 {
        if self.ttl == 1 { 300 } else { self.ttl }
    }

    /// The record as the API answers it.
    pub(crate) fn view(&self) -> View<'_> {
        View {
            id: &self.id,
            name: &self.name,
            kind: self.kind,
            content: &self.content,
            priority: self.priority,
            data: self.data.as_ref(),
            proxiable: self.kind.proxiable(),
            proxied: self.proxied,
            ttl: self.ttl,
            settings: &self.settings,
            meta: Map::new(),
            comment: self.comment.as_deref(),
            tags: &self.tags,
            created_on: self.created_on,
            modified_on: self.modified_on,
            comment_modified_on: self.comment_modified_on,
            tags_modified_on: self.tags_modified_on,
        }
    }

    /// The fields that a client may write, as it would write them.
    pub(crate) fn writable(&self) -> Map<String, Value> {
        let mut fields = Map::new();
        fields.insert("name".into(), self.name.clone().into());
        fields.insert("type".into(), self.kind.as_str().into());
        fields.insert("content".into(), self.content.clone().into());
        if let Some(priority) = self.priority {
            fields.insert("priority".into(), priority.into());
        }
        if let Some(data) = &self.data {
            fields.insert("data".into(), Value::Object(data.clone()));
        }
        fields.insert("ttl".into(), self.ttl.into());
        fields.insert("proxied".into(), self.proxied.into());
        fields.insert("settings".into(), Value::Object(self.settings.clone()));
        fields.insert("comment".into(), self.comment.clone().into());
        fields.insert("tags".into(), self.tags.clone().into());
        fields
    }
}

/// A record on the wire.
#[derive(Serialize)]
pub(crate) struct View<'a> {
    id: &'a str,
    name: &'a str,
    #[serde(rename = "type")]
    kind: RecordKind,
    content: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a Map<String, Value>>,
    proxiable: bool,
    proxied: bool,
    ttl: u32,
    settings: &'a Map<String, Value>,
    meta: Map<String, Value>,
    comment: Option<&'a str>,
    tags: &'a [String],
    #[serde(serialize_with = "microseconds")]
    created_on: Timestamp,
    #[serde(serialize_with = "microseconds")]
    modified_on: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "some_microseconds")]
    comment_modified_on: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "some_microseconds")]
    tags_modified_on: Option<Timestamp>,
}

/// A time as Cloudflare writes it, always with six digits behind the point.
pub(crate) fn wire_time(time: Timestamp) -> String {
    format!("{time:.6}")
}

fn microseconds<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{time:.6}"))
}

#[expect(clippy::ref_option, reason = "serde passes references")]
fn some_microseconds<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => microseconds(time, serializer),
        None => serializer.serialize_none(),
    }
}
