//! An array of objects, or one object from names to targets.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::entry::Entry;
use super::{Found, Lines, quoted};

pub(super) fn read(text: &str, found: &mut Found<'_>) {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let document = Document { text, lines: Lines::default(), found };
    let read = deserializer.deserialize_any(document).and_then(|()| deserializer.end());
    if let Err(error) = read {
        let line = u32::try_from(error.line()).unwrap_or(u32::MAX).max(1);
        let words = error.to_string();
        // The place is told in front of the reason.
        let words = words.rsplit_once(" at line ").map_or(words.as_str(), |(words, _)| words);
        found.problem(line, || format!("this is no JSON that can be read: {}", quoted(words)));
    }
}

struct Document<'a, 'b, 'c> {
    text: &'a str,
    lines: Lines,
    found: &'b mut Found<'c>,
}

impl<'de> Document<'de, '_, '_> {
    /// Each entry is read by itself, so that one that is wrong does not hide the next.
    fn take(&mut self, name: Option<Cow<'de, str>>, raw: &'de RawValue) {
        let place = raw.get().as_ptr().addr().saturating_sub(self.text.as_ptr().addr());
        let line = self.lines.at(self.text.as_bytes(), place);
        match serde_json::from_str::<Entry<'de>>(raw.get()) {
            Ok(entry) if entry.name.is_some() && name.is_some() => {
                self.found.problem(line, || "the entry has a second `name` inside".to_owned());
            }
            Ok(mut entry) => {
                if name.is_some() {
                    entry.name = name;
                } else if entry.name.is_none() && entry.target.is_some() && raw.get().starts_with('"') {
                    entry.malformed = Some("an entry with `name` and `target` belongs here, this is a text".to_owned());
                }
                self.found.entry(line, &entry);
            }
            Err(error) => {
                self.found.problem(line, || format!("the entry cannot be read: {}", quoted(&error.to_string())));
            }
        }
    }
}

impl<'de> Visitor<'de> for Document<'de, '_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of entries, or names with targets")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<(), A::Error> {
        while let Some(raw) = items.next_element::<&'de RawValue>()? {
            self.take(None, raw);
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut fields: A) -> Result<(), A::Error> {
        while let Some((name, raw)) = fields.next_entry::<Cow<'de, str>, &'de RawValue>()? {
            self.take(Some(name), raw);
        }
        Ok(())
    }
}
