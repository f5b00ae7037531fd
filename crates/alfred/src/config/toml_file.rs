//! `alfred.toml`: one flat table of texts, numbers and truth values. Everything else is an error that names the line.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::{FILE_MAX, Key, Kind, Origin, Sources, Value, has_password};
use crate::error::{Failure, one_line};
use crate::files;

/// The values of the file; none, if no file was asked for and there is none.
pub(super) fn read(sources: &Sources) -> Result<BTreeMap<Key, Value>, Failure> {
    let path = sources.toml.clone().unwrap_or_else(|| sources.directory.join("alfred.toml"));
    match files::read_text(&path, FILE_MAX)? {
        Some(text) => parse(&path, &text),
        None if sources.toml.is_some() => {
            Err(Failure::usage(format!("there is no configuration file `{}`", path.display())))
        }
        None => Ok(BTreeMap::new()),
    }
}

fn parse(path: &Path, text: &str) -> Result<BTreeMap<Key, Value>, Failure> {
    let line_of = |offset: usize| text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1;
    let at = |offset: usize| format!("{}:{}", path.display(), line_of(offset));
    let table = DeTable::parse(text).map_err(|error| {
        let place = error.span().map_or_else(|| path.display().to_string(), |span| at(span.start));
        Failure::usage(format!("{place}: {}", one_line(error.message())))
    })?;
    let mut values = BTreeMap::new();
    for (name, value) in table.get_ref() {
        let place = at(name.span().start);
        let key = Key::of_name(name.get_ref()).ok_or_else(|| unknown(&place, name.get_ref()))?;
        let written = scalar(value.get_ref())
            .ok_or_else(|| Failure::usage(format!("{place}: `{}` must be a text or a number", key.name())))?;
        if key.kind() == Kind::Secret {
            return Err(secret(&place, key));
        }
        if key.kind() == Kind::Url && has_password(&written) {
            return Err(secret(&place, key));
        }
        let origin = Origin::Toml(PathBuf::from(path), line_of(name.span().start));
        values.insert(key, Value { text: written.into(), origin });
    }
    Ok(values)
}

fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str().replace('_', "")),
        _ => None,
    }
}

fn unknown(place: &str, name: &str) -> Failure {
    let nearest = Key::ALL
        .iter()
        .map(|key| (distance(key.name(), name), key.name()))
        .min()
        .filter(|(distance, _)| *distance <= 3)
        .map(|(_, nearest)| format!("did you mean `{nearest}`?"));
    let hint = nearest.unwrap_or_else(|| "`alfred config show` lists the keys".to_owned());
    let name: String = name.chars().take(64).collect();
    Failure::usage(format!("{place}: unknown key `{name}`")).hint(hint)
}

fn secret(place: &str, key: Key) -> Failure {
    let variable = key.variable();
    Failure::usage(format!("{place}: `{}` holds a secret, which does not belong in this file", key.name()))
        .hint(format!("set `{variable}` or `{variable}_FILE`, or write `{variable}` into `.env.server`"))
}

/// How many single-letter edits lie between two names (Levenshtein's distance); names longer than any key are far.
fn distance(left: &str, right: &str) -> usize {
    if right.len() > 64 {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=right.chars().count()).collect();
    for (line, a) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, b) in right.chars().enumerate() {
            let change = diagonal + usize::from(a != b);
            diagonal = row[column + 1];
            row[column + 1] = change.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}
