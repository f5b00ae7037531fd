//! A record as it stands in an answer, without a copy of its own: for lists that are looked through once.

use std::borrow::Cow;

use alfred_model::id::RecordId;
use serde::Deserialize;

use super::record::{Record, RecordMeta, automatic, ttl};
use crate::lenient;

/// See [`super::Record`]. The texts belong to the answer.
#[derive(Debug, Clone, Deserialize)]
pub struct RecordView<'a> {
    /// Cloudflare's id of it, as it came; check it before it goes into a path.
    #[serde(borrow)]
    pub id: Cow<'a, str>,
    /// The full name, as Cloudflare writes it.
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    /// The type, such as `A`.
    #[serde(rename = "type", borrow)]
    pub kind: Cow<'a, str>,
    #[serde(default, borrow)]
    content: Option<Text<'a>>,
    /// Seconds; 1 is automatic, and a proxied record always reads 1.
    #[serde(default = "automatic", deserialize_with = "ttl")]
    pub ttl: u32,
    /// Whether Cloudflare's proxy answers in its place.
    #[serde(default, deserialize_with = "lenient::null_as_default")]
    pub proxied: bool,
    #[serde(default, borrow)]
    comment: Option<Text<'a>>,
    #[serde(default, borrow)]
    tags: Option<Vec<Text<'a>>>,
    /// More about it.
    #[serde(default, deserialize_with = "lenient::null_as_default")]
    pub meta: RecordMeta,
}

#[derive(Debug, Clone, Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl RecordView<'_> {
    /// What it answers with; empty for types that have no single content.
    pub fn content(&self) -> &str {
        self.content.as_ref().map_or("", |text| &text.0)
    }

    /// A copy that lasts; none where the id is none.
    pub fn to_record(&self) -> Option<Record> {
        Some(Record {
            id: RecordId::parse(&self.id)?,
            name: self.name.clone().into_owned(),
            kind: self.kind.clone().into_owned(),
            content: self.content().to_owned(),
            ttl: self.ttl,
            proxied: self.proxied,
            comment: self.comment().map(str::to_owned),
            tags: self.tags.iter().flatten().map(|tag| tag.0.clone().into_owned()).collect(),
            created_on: None,
            modified_on: None,
            meta: self.meta.clone(),
        })
    }

    /// The comment, which holds our mark; none where it is empty.
    pub fn comment(&self) -> Option<&str> {
        self.comment.as_ref().map(|text| text.0.as_ref()).filter(|comment| !comment.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_borrowed_and_what_is_missing_is_lenient() {
        let json = r#"{"id":"a1","name":"a.example.com","type":"A","content":"192.0.2.1","ttl":300,"proxied":false,
            "comment":"hello","meta":{"read_only":true},"more":[1,{"x":null}]}"#;
        let record: RecordView<'_> = serde_json::from_str(json).unwrap();
        assert!(matches!(record.name, Cow::Borrowed("a.example.com")));
        assert!(matches!(record.comment, Some(Text(Cow::Borrowed("hello")))));
        assert_eq!((record.content(), record.ttl, record.proxied), ("192.0.2.1", 300, false));
        assert!(record.meta.read_only);
        let bare: RecordView<'_> =
            serde_json::from_str(r#"{"id":"b","name":"b","type":"TXT","content":null,"comment":"","meta":null}"#)
                .unwrap();
        assert_eq!((bare.content(), bare.comment(), bare.ttl), ("", None, 1));
        let escaped: RecordView<'_> =
            serde_json::from_str(r#"{"id":"b","name":"b","type":"TXT","comment":"a\nb"}"#).unwrap();
        assert_eq!(escaped.comment(), Some("a\nb"));
    }
}
