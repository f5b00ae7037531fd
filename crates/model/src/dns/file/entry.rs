//! One entry of a file, from its texts to a record.

use std::borrow::Cow;
use std::fmt;
use std::net::Ipv4Addr;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{Reading, TEXT_MAX, TTL_SECONDS, WantedRecord, quoted};
use crate::name::DomainName;
use crate::record::Target;

/// The texts of an entry, as they stand in the file.
#[derive(Debug, Default)]
pub(super) struct Entry<'a> {
    pub(super) name: Option<Cow<'a, str>>,
    pub(super) target: Option<Cow<'a, str>>,
    pub(super) ttl: Option<Cow<'a, str>>,
    /// What was wrong with its form, where something was.
    pub(super) malformed: Option<String>,
}

impl<'a> Entry<'a> {
    /// Takes the field called `key`.
    pub(super) fn set(&mut self, key: &str, value: Value<'a>) {
        let place = match key {
            "name" => &mut self.name,
            "target" | "address" | "content" => &mut self.target,
            "ttl" => &mut self.ttl,
            _ => {
                let words = || format!("`{}` is none of `name`, `target` and `ttl`", quoted(key));
                self.malformed.get_or_insert_with(words);
                return;
            }
        };
        match value {
            Value::Absent => {}
            Value::Text(text) if place.is_none() => *place = Some(text),
            Value::Text(_) => {
                self.malformed.get_or_insert_with(|| format!("`{}` is given twice in one entry", quoted(key)));
            }
            Value::Other => {
                self.malformed.get_or_insert_with(|| format!("`{}` is no text", quoted(key)));
            }
        }
    }

    pub(super) fn record(&self, reading: &Reading<'_>, line: u32) -> Result<WantedRecord, String> {
        if let Some(words) = &self.malformed {
            return Err(words.clone());
        }
        let name = self.name.as_deref().ok_or("it has no `name`")?;
        let name = full_name(name.trim(), reading.zone)?;
        let target = self.target.as_deref().map(str::trim).filter(|target| !target.is_empty());
        let target = target.ok_or_else(|| format!("`{name}` has no address and no other name to lead to"))?;
        let target = target_of(target, reading.zone)?;
        if target == Target::Alias(name.clone()) {
            return Err(format!("`{name}` is a CNAME to itself"));
        }
        let ttl = match self.ttl.as_deref().map(str::trim).filter(|ttl| !ttl.is_empty()) {
            Some(ttl) => ttl_of(ttl)?,
            None => reading.ttl,
        };
        Ok(WantedRecord { name, target, ttl, line })
    }
}

/// The full name that `text` means in the zone: `web` and `web.example.com` are the same, with or without a final dot.
///
/// A name with dots must be a full one. `api.eu` could mean `api.eu.example.com`, and it could be a mistake; nobody is
/// helped by a record that they did not mean.
pub fn full_name(text: &str, zone: &DomainName) -> Result<DomainName, String> {
    readable(text, "the name")?;
    let bare = text.strip_suffix('.').unwrap_or(text);
    if text.is_empty() || text == "@" || bare.eq_ignore_ascii_case(zone.as_str()) {
        return Err(format!(
            "the zone's own name, `{zone}`, is not kept here: give a name below it, such as `web.{zone}`"
        ));
    }
    if !text.is_ascii() {
        return Err(format!("`{}` has letters outside ASCII: give its Punycode form, `xn--…`", quoted(text)));
    }
    if text.contains('*') {
        return Err(format!("`{}` is a wildcard, and only single names are kept", quoted(text)));
    }
    let is_relative = !text.contains('.');
    let full = if is_relative { format!("{bare}.{zone}").parse() } else { bare.parse() };
    let name: DomainName = full.map_err(|_| {
        format!("`{}` is no DNS name: labels of 1 to 63 of a-z, 0-9, `_` and `-`, at most 253 in all", quoted(text))
    })?;
    if name.is_below(zone) {
        return Ok(name);
    }
    Err(format!(
        "`{}` is not in the zone `{zone}`: write names below it in full, such as `web.{zone}`, or as one word",
        quoted(text)
    ))
}

/// What `text` names as a target: an IPv4 address, or the full name of something else.
pub fn target_of(text: &str, zone: &DomainName) -> Result<Target, String> {
    readable(text, "the target")?;
    if let Ok(address) = text.parse::<Ipv4Addr>() {
        return Ok(Target::Address(address));
    }
    if text.contains(':') {
        return Err(format!("`{}` is no IPv4 address, and only A and CNAME records are kept", quoted(text)));
    }
    if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return Err(format!("`{}` is no IPv4 address, such as `192.0.2.1`", quoted(text)));
    }
    if !text.is_ascii() {
        return Err(format!("`{}` has letters outside ASCII: give its Punycode form, `xn--…`", quoted(text)));
    }
    if !text.contains('.') {
        return Err(format!(
            "`{}` is neither an IPv4 address nor a full name, such as `{}.{zone}`",
            quoted(text),
            quoted(text)
        ));
    }
    text.parse().map(Target::Alias).map_err(|_| format!("`{}` is neither an IPv4 address nor a DNS name", quoted(text)))
}

fn ttl_of(text: &str) -> Result<u32, String> {
    let ttl: u32 = text.parse().map_err(|_| format!("the time to live `{}` is no number of seconds", quoted(text)))?;
    if TTL_SECONDS.contains(&ttl) {
        return Ok(ttl);
    }
    let (least, most) = (TTL_SECONDS.start(), TTL_SECONDS.end());
    Err(match ttl {
        1 => "the time to live 1 (automatic) is answered as 300 by Cloudflare: write 300".to_owned(),
        _ => format!("the time to live {ttl} is not from {least} to {most} seconds"),
    })
}

fn readable(text: &str, what: &str) -> Result<(), String> {
    if text.len() > TEXT_MAX {
        return Err(format!("{what} is longer than {TEXT_MAX} bytes"));
    }
    if text.chars().any(char::is_control) {
        return Err(format!("{what} `{}` has a control character", quoted(text)));
    }
    Ok(())
}

/// A field's value: numbers are kept as they are written in texts.
#[derive(Debug)]
pub(super) enum Value<'a> {
    Text(Cow<'a, str>),
    Absent,
    /// A list, a map or a truth value.
    Other,
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a text or a number")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Owned(number.to_string())))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Owned(number.to_string())))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Owned(number.to_string())))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Value<'de>, E> {
        Ok(Value::Other)
    }

    fn visit_unit<E>(self) -> Result<Value<'de>, E> {
        Ok(Value::Absent)
    }

    fn visit_none<E>(self) -> Result<Value<'de>, E> {
        Ok(Value::Absent)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value<'de>, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value<'de>, A::Error> {
        while fields.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Value::Other)
    }
}

impl<'de> Deserialize<'de> for Value<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

/// An entry of a document: an object, or a bare target whose name stands before it.
impl<'de> Deserialize<'de> for Entry<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EntryVisitor)
    }
}

struct EntryVisitor;

impl<'de> Visitor<'de> for EntryVisitor {
    type Value = Entry<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an entry with `name` and `target`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Entry<'de>, A::Error> {
        let mut entry = Entry::default();
        while let Some((key, value)) = fields.next_entry::<Value<'de>, Value<'de>>()? {
            match key {
                Value::Text(key) => entry.set(&key, value),
                _ => entry.set("", Value::Other),
            }
        }
        Ok(entry)
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Entry<'de>, E> {
        Ok(Entry { target: Some(Cow::Borrowed(text)), ..Entry::default() })
    }

    fn visit_str<E>(self, text: &str) -> Result<Entry<'de>, E> {
        Ok(Entry { target: Some(Cow::Owned(text.to_owned())), ..Entry::default() })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Entry<'de>, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(no_entry("a list"))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Entry<'de>, E> {
        Ok(no_entry("a number"))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Entry<'de>, E> {
        Ok(no_entry("a number"))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Entry<'de>, E> {
        Ok(no_entry("a number"))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Entry<'de>, E> {
        Ok(no_entry("a truth value"))
    }

    fn visit_unit<E>(self) -> Result<Entry<'de>, E> {
        Ok(no_entry("nothing"))
    }
}

fn no_entry<'a>(what: &str) -> Entry<'a> {
    let words = format!("an entry with `name` and `target` belongs here, this is {what}");
    Entry { malformed: Some(words), ..Entry::default() }
}
