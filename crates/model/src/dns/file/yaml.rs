//! The same shapes as JSON's, in YAML.
//!
//! Anchors and aliases are refused: a record is short, and a file of a few lines could otherwise mean a billion of them.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;
use serde_saphyr::options::DuplicateKeyPolicy;

use super::entry::{Entry, Value};
use super::{FILE_MAX, Found, quoted};

/// Far more than a file of the largest size has.
#[expect(clippy::cast_possible_truncation, reason = "the largest file is far below the smallest address space")]
const NODES_MAX: usize = FILE_MAX as usize;

pub(super) fn read(text: &str, found: &mut Found<'_>) {
    let options = serde_saphyr::options! {
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        with_snippet: false,
        budget: serde_saphyr::budget! {
            max_events: 2 * NODES_MAX,
            max_nodes: NODES_MAX,
            max_aliases: 0,
            max_anchors: 0,
            max_documents: 1,
            max_merge_keys: 0,
            max_depth: 8,
            flow_nesting_limit: 8,
        },
    };
    match serde_saphyr::from_str_with_options::<Document<'_>>(text, options) {
        Ok(Document(entries)) => {
            for (line, entry) in entries {
                found.entry(line, &entry);
            }
        }
        Err(error) => {
            let line = error.location().map_or(1, |location| line_of(location.line()));
            let words = error.without_snippet().to_string();
            found.problem(line, || format!("this is no YAML that can be read: {}", quoted(&words)));
        }
    }
}

fn line_of(line: u64) -> u32 {
    u32::try_from(line).unwrap_or(u32::MAX).max(1)
}

/// Entries with their lines.
struct Document<'a>(Vec<(u32, Entry<'a>)>);

impl<'de> Deserialize<'de> for Document<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DocumentVisitor)
    }
}

struct DocumentVisitor;

impl<'de> Visitor<'de> for DocumentVisitor {
    type Value = Document<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of entries, or names with targets")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Document<'de>, A::Error> {
        let mut entries = Vec::new();
        while let Some(Spanned { value: mut entry, referenced, .. }) = items.next_element::<Spanned<Entry<'de>>>()? {
            if entry.name.is_none() && entry.target.is_some() && entry.malformed.is_none() {
                entry.malformed = Some("an entry with `name` and `target` belongs here".to_owned());
            }
            entries.push((line_of(referenced.line()), entry));
        }
        Ok(Document(entries))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Document<'de>, A::Error> {
        let mut entries = Vec::new();
        while let Some(Spanned { value: name, referenced, .. }) = fields.next_key::<Spanned<Value<'de>>>()? {
            let mut entry: Entry<'de> = fields.next_value()?;
            if entry.name.is_some() {
                entry.malformed = Some("the entry has a second `name` inside".to_owned());
            }
            entry.set("name", name);
            entries.push((line_of(referenced.line()), entry));
        }
        Ok(Document(entries))
    }

    /// An empty document.
    fn visit_unit<E>(self) -> Result<Document<'de>, E> {
        Ok(Document(Vec::new()))
    }
}
