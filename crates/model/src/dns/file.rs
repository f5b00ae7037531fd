//! Files of wanted records: names and what they lead to, as lines, CSV, JSON or YAML.
//!
//! A file is read to its end, so that everything that is wrong with it is told at once, each with its line. It knows the
//! zone's name and nothing else of the zone: whether a record is there already is decided by [`super::plan`].

mod csv;
mod entry;
mod json;
mod lines;
mod yaml;

use std::fmt;
use std::path::Path;

use crate::name::DomainName;
use crate::printable::printable;
use crate::record::Target;
use entry::Entry;

pub use entry::{full_name, target_of};

/// Largest file, in bytes.
pub const FILE_MAX: u64 = 16 * 1024 * 1024;

/// Most problems that are told of one file; the others are counted.
pub const PROBLEMS_TOLD: usize = 20;

/// Shortest and longest time to live, in seconds, that every plan takes
/// (<https://developers.cloudflare.com/dns/manage-dns-records/reference/ttl/>).
pub const TTL_SECONDS: std::ops::RangeInclusive<u32> = 60..=86_400;

/// Longest line of a file of lines, and longest field elsewhere, in bytes: two names, a number and a comment are shorter.
const TEXT_MAX: usize = 1_000;

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `NAME TARGET [TTL]` on each line; `#` begins a comment.
    Lines,
    /// `name,target[,ttl]`, with these words as the header or without one.
    Csv,
    /// An array of objects with `name`, `target` and `ttl`, or one object from names to targets.
    Json,
    /// The same shapes as JSON's.
    Yaml,
}

impl Format {
    /// By the end of a file's name; lines, where it says nothing.
    pub fn of(path: &Path) -> Self {
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        match extension.to_ascii_lowercase().as_str() {
            "csv" => Self::Csv,
            "json" => Self::Json,
            "yaml" | "yml" => Self::Yaml,
            _ => Self::Lines,
        }
    }
}

/// One record that a file wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedRecord {
    /// The full name, below the zone's apex.
    pub name: DomainName,
    /// What it shall lead to.
    pub target: Target,
    /// Time to live in seconds, within [`TTL_SECONDS`].
    pub ttl: u32,
    /// Where it stands in the file, counted from 1.
    pub line: u32,
}

/// Something that is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileProblem {
    /// Where, counted from 1.
    pub line: u32,
    /// What, and what to do.
    pub reason: String,
}

/// Everything that is wrong with a file: the first [`PROBLEMS_TOLD`], by line, and how many more there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileProblems {
    /// The first ones, by line.
    pub first: Vec<FileProblem>,
    /// How many more.
    pub more: usize,
}

impl FileProblems {
    fn add(&mut self, line: u32, reason: impl FnOnce() -> String) {
        if self.first.len() < PROBLEMS_TOLD {
            self.first.push(FileProblem { line, reason: reason() });
        } else {
            self.more += 1;
        }
    }

    fn is_empty(&self) -> bool {
        self.first.is_empty()
    }
}

/// What a file is read for.
#[derive(Debug, Clone, Copy)]
pub struct Reading<'a> {
    /// How it is written.
    pub format: Format,
    /// The zone in which its names are.
    pub zone: &'a DomainName,
    /// Time to live of records that do not say one, in seconds.
    pub ttl: u32,
    /// Whether a file without any record is fine.
    pub allow_empty: bool,
}

/// Reads a file: the wanted records, sorted by name, each name once; or everything that is wrong with it.
pub fn parse(bytes: &[u8], reading: &Reading<'_>) -> Result<Vec<WantedRecord>, FileProblems> {
    let mut found = Found { reading, wanted: Vec::new(), problems: FileProblems::default() };
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => match reading.format {
            Format::Lines => lines::read(text, &mut found),
            Format::Csv => csv::read(text, &mut found),
            Format::Json => json::read(text, &mut found),
            Format::Yaml => yaml::read(text, &mut found),
        },
        Err(error) => {
            let line = Lines::default().at(bytes, error.valid_up_to());
            found.problem(line, || "this is not UTF-8 text: save the file as UTF-8".to_owned());
        }
    }
    found.finish()
}

/// What was found so far.
struct Found<'a> {
    reading: &'a Reading<'a>,
    wanted: Vec<WantedRecord>,
    problems: FileProblems,
}

impl Found<'_> {
    fn problem(&mut self, line: u32, reason: impl FnOnce() -> String) {
        self.problems.add(line, reason);
    }

    fn entry(&mut self, line: u32, entry: &Entry<'_>) {
        match entry.record(self.reading, line) {
            Ok(record) => self.wanted.push(record),
            Err(reason) => self.problem(line, || reason),
        }
    }

    /// Names must be told apart only now: sorting costs less memory than a second table of them.
    fn finish(mut self) -> Result<Vec<WantedRecord>, FileProblems> {
        self.wanted.sort_unstable_by(|one, other| (&one.name, one.line).cmp(&(&other.name, other.line)));
        let mut first = 0;
        for index in 1..self.wanted.len() {
            if self.wanted[index].name != self.wanted[first].name {
                first = index;
                continue;
            }
            let (earlier, later) = (&self.wanted[first], &self.wanted[index]);
            self.problems.add(later.line, || twice(earlier, later));
        }
        if self.wanted.is_empty() && self.problems.is_empty() && !self.reading.allow_empty {
            self.problems.add(1, || {
                "there is no record in it, which would mean that none is wanted: add `--allow-empty` if that is meant"
                    .to_owned()
            });
        }
        if self.problems.is_empty() {
            self.wanted.shrink_to_fit();
            return Ok(self.wanted);
        }
        self.problems.first.sort_by_key(|problem| problem.line);
        Err(self.problems)
    }
}

fn twice(earlier: &WantedRecord, later: &WantedRecord) -> String {
    let (name, line) = (&later.name, earlier.line);
    if std::mem::discriminant(&earlier.target) == std::mem::discriminant(&later.target) {
        return format!("`{name}` is given twice, first in line {line}: keep one of them");
    }
    format!(
        "`{name}` has {} here and {} in line {line}: a name with a CNAME has nothing else",
        article(&later.target),
        article(&earlier.target)
    )
}

const fn article(target: &Target) -> &'static str {
    match target {
        Target::Address(_) => "an address",
        Target::Alias(_) => "a CNAME",
    }
}

/// A foreign text in a message.
fn quoted(text: &str) -> impl fmt::Display {
    printable(text, 64)
}

/// Line numbers of ever larger places in a text.
#[derive(Default)]
struct Lines {
    place: usize,
    breaks: u32,
}

impl Lines {
    /// The line of the byte at `place`, counted from 1; `place` must not be smaller than in the call before.
    fn at(&mut self, bytes: &[u8], place: usize) -> u32 {
        let end = place.min(bytes.len());
        let passed = bytes.get(self.place..end).unwrap_or_default();
        let breaks = passed.split(|byte| *byte == b'\n').count().saturating_sub(1);
        self.breaks = self.breaks.saturating_add(u32::try_from(breaks).unwrap_or(u32::MAX));
        self.place = end.max(self.place);
        self.breaks.saturating_add(1)
    }
}

#[cfg(test)]
mod tests;
