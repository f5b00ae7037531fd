//! Finds the places at which two values differ.

use std::collections::BTreeSet;

use serde_json::Value;
use serde_json::value::RawValue;

use super::address::{plain, quoted};
use super::content::{Instance, Output};
use super::secret::{Mask, Secrets};
use super::{ATTRIBUTES_MAX, AttributeChange, Shown, VALUE_MAX};
use crate::printable::printable;

/// At most so many changed attributes of one object are listed.
const OF_ONE_MAX: usize = 100;

/// Deeper values are compared as a whole.
const DEPTH_MAX: usize = 16;

/// How many more changed attributes may be listed, in all.
pub(super) struct Budget(usize);

impl Budget {
    pub(super) const fn new() -> Self {
        Self(ATTRIBUTES_MAX)
    }
}

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// A member of an object or map.
    Name(String),
    /// An item of a list.
    Index(usize),
    /// From an attribute of any type to its value: Terraform writes it as `{"value": …, "type": …}`.
    Wrapped,
}

impl Step {
    /// Whether both lead to the same place. A number may be written as a text.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Name(name), Self::Index(index)) | (Self::Index(index), Self::Name(name)) => {
                name.parse() == Ok(*index)
            }
            _ => self == other,
        }
    }
}

/// The value of an attribute of any type, without the type beside it.
pub(super) fn unwrapped(value: &Value) -> Option<&Value> {
    let members = value.as_object().filter(|members| members.len() == 2 && members.contains_key("type"))?;
    members.get("value")
}

/// The attributes in which two objects of a resource differ and how many more there are; nothing, if they are the same.
pub(super) fn instances(
    before: &Instance<'_>,
    after: &Instance<'_>,
    secrets: &Secrets,
    budget: &mut Budget,
) -> Option<(Vec<AttributeChange>, usize)> {
    let values = [before.attributes, after.attributes].map(|text| text.map(read));
    let [was, is] = values.each_ref().map(|value| value.as_ref().and_then(|value| value.as_ref().ok()));
    let mask = Mask::of_instances([(before, was), (after, is)], secrets);
    let mut walk = Walk { mask: &mask, budget, path: Vec::new(), found: Vec::new(), omitted: 0 };
    if before.status != after.status {
        let shown = |status: &str| if status.is_empty() { Shown::Absent } else { Shown::Value(quoted(status)) };
        walk.push("(status)".to_owned(), shown(before.status), shown(after.status));
    }
    if before.schema_version != after.schema_version {
        let shown = |version: &Value| Shown::Value(cut(&version.to_string()));
        walk.push("(schema version)".to_owned(), shown(before.schema_version), shown(after.schema_version));
    }
    // What is nested too deeply to be read is known by its text alone, as is what old programs wrote: without a word about
    // secrets.
    if values.iter().flatten().any(Result::is_err) {
        walk.unread("(attributes)", before.attributes, after.attributes);
    } else {
        walk.compare(was, is);
    }
    walk.unread("(attributes of an old format)", before.attributes_flat, after.attributes_flat);
    walk.finish()
}

/// The same for two values of an output.
pub(super) fn outputs(
    name: &str,
    before: &Output<'_>,
    after: &Output<'_>,
    secrets: &Secrets,
    budget: &mut Budget,
) -> Option<(Vec<AttributeChange>, usize)> {
    let mask = Mask::of_outputs(name, [before, after], secrets);
    let values = [before.value, after.value].map(|text| text.map(read));
    let [was, is] = values.each_ref().map(|value| value.as_ref().and_then(|value| value.as_ref().ok()));
    let mut walk = Walk { mask: &mask, budget, path: Vec::new(), found: Vec::new(), omitted: 0 };
    if values.iter().flatten().any(Result::is_err) {
        walk.unread("(value)", before.value, after.value);
    } else {
        walk.compare(was, is);
    }
    walk.finish()
}

fn read(text: &RawValue) -> serde_json::Result<Value> {
    serde_json::from_str(text.get())
}

struct Walk<'a> {
    mask: &'a Mask<'a>,
    budget: &'a mut Budget,
    path: Vec<Step>,
    found: Vec<AttributeChange>,
    omitted: usize,
}

impl Walk<'_> {
    fn finish(self) -> Option<(Vec<AttributeChange>, usize)> {
        let is_same = self.found.is_empty() && self.omitted == 0;
        (!is_same).then_some((self.found, self.omitted))
    }

    fn compare(&mut self, before: Option<&Value>, after: Option<&Value>) {
        if before == after {
            return;
        }
        let is_shallow = self.path.len() < DEPTH_MAX;
        match (before, after) {
            (Some(was), Some(is)) if is_shallow && unwrapped(was).is_some() && unwrapped(is).is_some() => {
                self.step(Step::Wrapped, unwrapped(was), unwrapped(is));
            }
            (Some(Value::Object(was)), Some(Value::Object(is))) if is_shallow => {
                let names: BTreeSet<&String> = was.keys().chain(is.keys()).collect();
                for name in names {
                    self.step(Step::Name(name.clone()), was.get(name), is.get(name));
                }
            }
            (Some(Value::Array(was)), Some(Value::Array(is))) if is_shallow => {
                for index in 0..was.len().max(is.len()) {
                    self.step(Step::Index(index), was.get(index), is.get(index));
                }
            }
            _ => self.differ(before, after),
        }
    }

    fn step(&mut self, step: Step, before: Option<&Value>, after: Option<&Value>) {
        if before != after {
            self.path.push(step);
            self.compare(before, after);
            self.path.pop();
        }
    }

    fn differ(&mut self, before: Option<&Value>, after: Option<&Value>) {
        if self.is_spent() {
            self.omitted += 1;
            return;
        }
        let shown = |value: Option<&Value>| match value {
            None => Shown::Absent,
            Some(value) if self.mask.hides(&self.path, value) => Shown::Masked,
            Some(value) => Shown::Value(cut(&value.to_string())),
        };
        // A secret often stands beside what it replaces, so that one side's mask is the other's too.
        let (before, after) = match (shown(before), shown(after)) {
            (Shown::Masked, Shown::Value(_)) | (Shown::Value(_), Shown::Masked) => (Shown::Masked, Shown::Masked),
            sides => sides,
        };
        self.push(path_text(&self.path), before, after);
    }

    fn unread(&mut self, what: &str, before: Option<&RawValue>, after: Option<&RawValue>) {
        if before.map(RawValue::get) != after.map(RawValue::get) {
            let shown = |text: Option<&RawValue>| text.map_or(Shown::Absent, |_| Shown::Masked);
            self.push(what.to_owned(), shown(before), shown(after));
        }
    }

    fn is_spent(&self) -> bool {
        self.budget.0 == 0 || self.found.len() >= OF_ONE_MAX
    }

    fn push(&mut self, path: String, before: Shown, after: Shown) {
        if self.is_spent() {
            self.omitted += 1;
            return;
        }
        self.budget.0 -= 1;
        self.found.push(AttributeChange { path, before, after });
    }
}

/// A path as people read it: `tags["owner"]`, `rule[0].port`.
fn path_text(path: &[Step]) -> String {
    let is_word = |name: &str| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
    };
    let mut text = String::new();
    for step in path {
        match step {
            Step::Wrapped => {}
            Step::Index(index) => text.extend(["[", &index.to_string(), "]"]),
            Step::Name(name) if !is_word(name) => text.extend(["[", &quoted(name), "]"]),
            Step::Name(name) if text.is_empty() => text.push_str(&plain(name)),
            Step::Name(name) => {
                text.push('.');
                text.push_str(&plain(name));
            }
        }
    }
    if text.is_empty() { "(value)".to_owned() } else { text }
}

/// The beginning of a value's JSON.
fn cut(text: &str) -> String {
    let mut shown = printable(text, VALUE_MAX);
    if text.chars().nth(VALUE_MAX).is_some() {
        shown.pop();
        shown.push('…');
    }
    shown
}
