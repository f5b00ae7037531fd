//! `name,target[,ttl]`, with a header or without.

use std::borrow::Cow;

use super::entry::{Entry, Value};
use super::{Found, Lines, quoted};

const COLUMNS: [&str; 3] = ["name", "target", "ttl"];

pub(super) fn read(text: &str, found: &mut Found<'_>) {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .comment(Some(b'#'))
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let mut header: Option<Vec<String>> = None;
    let mut lines = Lines::default();
    let mut record = csv::StringRecord::new();
    let mut is_first = true;
    loop {
        let begins = usize::try_from(reader.position().byte()).unwrap_or(usize::MAX);
        match reader.read_record(&mut record) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                let line = lines.at(text.as_bytes(), begins);
                return found.problem(line, || format!("this is no CSV: {error}"));
            }
        }
        let line = lines.at(text.as_bytes(), skip_blank(text.as_bytes(), begins));
        if std::mem::take(&mut is_first) && record.iter().any(|field| field.eq_ignore_ascii_case("name")) {
            header = Some(record.iter().map(str::to_ascii_lowercase).collect());
            if let Some(bad) = header.iter().flatten().find(|column| !is_column(column)) {
                return found
                    .problem(line, || format!("the column `{}` is none of `name`, `target` and `ttl`", quoted(bad)));
            }
            continue;
        }
        let mut entry = Entry::default();
        let columns = header.as_ref().map_or(COLUMNS.len(), Vec::len);
        for (place, field) in record.iter().enumerate() {
            let column =
                header.as_ref().map_or(COLUMNS.get(place).copied(), |columns| columns.get(place).map(String::as_str));
            match column {
                Some(column) => entry.set(column, Value::Text(Cow::Borrowed(field))),
                None => {
                    entry.malformed = Some(format!("it has {} fields, and there are {columns} columns", record.len()));
                }
            }
        }
        found.entry(line, &entry);
    }
}

fn is_column(name: &str) -> bool {
    COLUMNS.contains(&name) || matches!(name, "address" | "content")
}

/// Where a record really begins: the reader passes over blank lines and comments before it.
fn skip_blank(bytes: &[u8], mut place: usize) -> usize {
    loop {
        match bytes.get(place) {
            Some(b'\r' | b'\n') => place += 1,
            Some(b'#') => {
                let rest = &bytes[place..];
                place += rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
            }
            _ => return place,
        }
    }
}
