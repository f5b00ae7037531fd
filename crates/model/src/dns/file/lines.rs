//! `NAME TARGET [TTL]` on each line.

use std::borrow::Cow;

use super::entry::Entry;
use super::{Found, TEXT_MAX};

pub(super) fn read(text: &str, found: &mut Found<'_>) {
    for (number, line) in (1..).zip(text.lines()) {
        if line.len() > TEXT_MAX {
            found.problem(number, || format!("the line is longer than {TEXT_MAX} bytes"));
            continue;
        }
        let mut words = line.split_whitespace().take_while(|word| !word.starts_with('#'));
        let Some(name) = words.next() else { continue };
        let (target, ttl) = (words.next(), words.next());
        let mut entry = Entry {
            name: Some(Cow::Borrowed(name)),
            target: target.map(Cow::Borrowed),
            ttl: ttl.map(Cow::Borrowed),
            malformed: None,
        };
        if words.next().is_some() {
            entry.malformed = Some("a line has a name, a target and at most a time to live".to_owned());
        }
        found.entry(number, &entry);
    }
}
