//! Which values are not shown.
//!
//! A state says of some attributes that they are secrets (`sensitive_attributes`, a list of paths) and of some outputs
//! (`sensitive`). That is not enough: programs before 1.10 do not list what only the provider's schema calls a secret, and
//! a secret that is handed on through a computed attribute is listed once (`terraform_data` lists `input` and not `output`,
//! seen with 1.11.4). So a value is masked also where it holds a listed secret, where its name, its type's name or its own
//! form speaks for a secret, and where a list of paths cannot be read.

use std::collections::HashSet;

use serde_json::Value;

use super::content::{Instance, Output};
use super::walk::Step;

/// At most so many listed secrets are looked for in other values.
const KNOWN_MAX: usize = 200;

/// At most so many listed paths of one side are told apart; where there are more, everything is a secret.
const MARKS_MAX: usize = 1_000;

/// In longer texts, in bytes, no secrets are looked for: they are taken for one. Only their beginnings would be shown.
const SEARCHED_MAX: usize = 2_048;

/// Shorter secrets are not looked for inside of other texts, where they would be found by chance; equal ones are.
const CONTAINED_MIN: usize = 6;

/// Words in the name of an attribute, output or resource type that speak for a secret.
const WORDS: [&str; 18] = [
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "credential",
    "private",
    "key",
    "auth",
    "cert",
    "pem",
    "kubeconfig",
    "connection",
    "user_data",
    "dsn",
    "session",
    "signature",
];

/// Words in a value that speak for a secret.
const FORMS: [&str; 3] = ["-----begin", "bearer ", "eyj"];

/// Values that are known to be secrets.
#[derive(Debug, Clone, Default)]
pub(super) struct Secrets {
    texts: HashSet<String>,
    /// There were more than are kept, so that nobody knows what is a secret.
    is_full: bool,
}

/// A path that the state lists as a secret.
pub(super) type Mark = Vec<Step>;

/// What is a secret among the attributes of one object, before and after.
#[derive(Debug)]
pub(super) struct Mask<'a> {
    /// Everything is.
    all: bool,
    marks: Vec<Mark>,
    shared: &'a Secrets,
    own: Secrets,
}

impl Secrets {
    /// Remembers the texts in a value that is a secret.
    pub(super) fn learn(&mut self, value: &Value) {
        match value {
            Value::String(text) if text.is_empty() => {}
            Value::String(text) => self.keep(text.clone()),
            Value::Number(number) => self.keep(number.to_string()),
            Value::Array(items) => items.iter().for_each(|item| self.learn(item)),
            Value::Object(members) => members.values().for_each(|member| self.learn(member)),
            Value::Null | Value::Bool(_) => {}
        }
    }

    /// Remembers the value of an output that the state calls a secret.
    pub(super) fn of_output(&mut self, output: &Output<'_>) {
        if output.is_marked()
            && let Some(value) = output.value
        {
            match serde_json::from_str(value.get()) {
                Ok(value) => self.learn(&value),
                Err(_) => self.is_full = true,
            }
        }
    }

    fn keep(&mut self, text: String) {
        if self.texts.len() < KNOWN_MAX {
            self.texts.insert(text);
        } else if !self.texts.contains(&text) {
            self.is_full = true;
        }
    }

    fn knows(&self, text: &str) -> bool {
        self.is_full
            || self.texts.contains(text)
            || (text.len() > SEARCHED_MAX && !self.texts.is_empty())
            || self.texts.iter().any(|secret| secret.len() >= CONTAINED_MIN && text.contains(secret.as_str()))
    }
}

impl<'a> Mask<'a> {
    /// For one object of a resource: `sides` are its attributes with the paths that the same side lists.
    pub(super) fn of_instances(sides: [(&Instance<'_>, Option<&Value>); 2], shared: &'a Secrets) -> Self {
        let mut mask = Self { all: false, marks: Vec::new(), shared, own: Secrets::default() };
        for (instance, attributes) in sides {
            mask.all |= speaks_for_a_secret(instance.kind);
            let Some(marks) = instance.marks.map_or(Some(Vec::new()), |marks| read_marks(marks.get())) else {
                mask.all = true;
                continue;
            };
            for mut mark in marks {
                match attributes.and_then(|attributes| at(attributes, &mark)) {
                    Some(value) => mask.own.learn(value),
                    // What it means is not known: all of the attribute that it begins with.
                    None => mark.truncate(1),
                }
                mask.marks.push(mark);
            }
        }
        mask
    }

    /// For an output.
    pub(super) fn of_outputs(name: &str, sides: [&Output<'_>; 2], shared: &'a Secrets) -> Self {
        let all = speaks_for_a_secret(name) || sides.iter().any(|output| output.is_marked());
        Self { all, marks: Vec::new(), shared, own: Secrets::default() }
    }

    /// Whether the value at this path must not be shown.
    pub(super) fn hides(&self, path: &[Step], value: &Value) -> bool {
        self.all
            || self.marks.iter().any(|mark| touches(path, mark))
            || path.iter().any(|step| matches!(step, Step::Name(name) if speaks_for_a_secret(name)))
            || self.hides_value(value)
    }

    fn hides_value(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => has_form_of_a_secret(text) || self.own.knows(text) || self.shared.knows(text),
            Value::Number(number) => {
                let text = number.to_string();
                self.own.knows(&text) || self.shared.knows(&text)
            }
            Value::Array(items) => items.iter().any(|item| self.hides_value(item)),
            Value::Object(members) => {
                members.iter().any(|(name, member)| speaks_for_a_secret(name) || self.hides_value(member))
            }
            Value::Null | Value::Bool(_) => false,
        }
    }
}

impl Output<'_> {
    /// Whether the state calls it a secret. What is neither true nor false is taken for a yes.
    fn is_marked(&self) -> bool {
        !matches!(self.sensitive, None | Some(Value::Null | Value::Bool(false)))
    }
}

fn speaks_for_a_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    WORDS.iter().any(|word| name.contains(word))
}

fn has_form_of_a_secret(text: &str) -> bool {
    let beginning: String = text.chars().take(64).collect::<String>().to_ascii_lowercase();
    // A password in an address: `scheme://user:password@host`.
    let has_password = text
        .split_once("://")
        .and_then(|(_, rest)| rest.split(['/', '?', '#']).next())
        .is_some_and(|authority| authority.contains('@') && authority.contains(':'));
    has_password || FORMS.iter().any(|form| beginning.starts_with(form))
}

/// Whether a marked path leads to the value at `path`, through it or into it.
fn touches(path: &[Step], mark: &[Step]) -> bool {
    let mut marked = mark.iter();
    let mut next = marked.next();
    for step in path {
        match (step, next) {
            (_, None) => return true,
            // Between the name of an attribute of any type and its members stands a `value` that no path names.
            (Step::Wrapped, Some(_)) => {}
            (step, Some(mark)) if step.is_same(mark) => next = marked.next(),
            _ => return false,
        }
    }
    true
}

/// The value that a path leads to.
fn at<'v>(value: &'v Value, mark: &[Step]) -> Option<&'v Value> {
    let value = super::walk::unwrapped(value).unwrap_or(value);
    let Some((step, rest)) = mark.split_first() else {
        return Some(value);
    };
    let member = match step {
        Step::Name(name) => value.get(name)?,
        Step::Index(index) => value.get(*index)?,
        Step::Wrapped => return None,
    };
    at(member, rest)
}

/// Reads `sensitive_attributes`; nothing, if it is not understood. A path that is understood only at its beginning is
/// that beginning.
fn read_marks(text: &str) -> Option<Vec<Mark>> {
    let Value::Array(paths) = serde_json::from_str(text).ok()? else {
        return (text == "null").then(Vec::new);
    };
    if paths.len() > MARKS_MAX {
        return None;
    }
    paths
        .iter()
        .map(|path| {
            let steps: Mark = path.as_array()?.iter().map_while(read_step).collect();
            (!steps.is_empty()).then_some(steps)
        })
        .collect()
}

fn read_step(step: &Value) -> Option<Step> {
    let value = step.get("value")?;
    match step.get("type")?.as_str()? {
        "get_attr" => Some(Step::Name(value.as_str()?.to_owned())),
        "index" => match value.get("value")? {
            Value::String(text) => Some(Step::Name(text.clone())),
            number => Some(Step::Index(usize::try_from(number.as_u64()?).ok()?)),
        },
        _ => None,
    }
}
