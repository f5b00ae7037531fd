//! Listing records: filters, order and pages, as the query string asks for them.

use std::{cmp::Ordering, sync::Arc};

use super::{
    error::ApiError,
    record::{Record, RecordKind},
};

const PER_PAGE_MOST: usize = 5_000_000;
const PER_PAGE_DEFAULT: usize = 100;

/// How a text filter compares; all fold case.
#[derive(Clone, Copy, Debug)]
enum Comparison {
    Exact,
    Contains,
    StartsWith,
    EndsWith,
}

#[derive(Clone, Copy, Debug)]
enum Field {
    Name,
    Content,
    Comment,
}

#[derive(Clone, Debug)]
enum Condition {
    Text(Field, Comparison, String),
    CommentPresent(bool),
    Kind(RecordKind),
    Proxied(bool),
    Search(String),
    Tag(Comparison, String, String),
    TagPresent(bool, String),
}

/// The column that sorts a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Column {
    Kind,
    Name,
    Content,
    Ttl,
    Proxied,
}

/// The order of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    column: Column,
    descending: bool,
}

/// A part of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) number: usize,
    pub(crate) size: usize,
}

impl Page {
    /// Reads `page` and `per_page`.
    pub(crate) fn parse(
        parameters: &[(String, String)],
        default: usize,
        sizes: std::ops::RangeInclusive<usize>,
    ) -> Result<Self, ApiError> {
        let mut page = Self { number: 1, size: default };
        for (key, value) in parameters {
            match key.as_str() {
                "page" => page.number = number(key, value, 1..=usize::MAX)?,
                "per_page" => page.size = number(key, value, sizes.clone())?,
                _ => {}
            }
        }
        Ok(page)
    }

    /// The part of `items` on this page.
    pub(crate) fn of<T: Clone>(self, items: &[T]) -> Vec<T> {
        let start = (self.number - 1).saturating_mul(self.size).min(items.len());
        let end = start.saturating_add(self.size).min(items.len());
        items[start..end].to_vec()
    }
}

fn number(key: &str, value: &str, bounds: std::ops::RangeInclusive<usize>) -> Result<usize, ApiError> {
    value.parse().ok().filter(|number| bounds.contains(number)).ok_or_else(|| ApiError::invalid_parameter(key))
}

/// A parsed list query.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    conditions: Vec<Condition>,
    tags: Vec<Condition>,
    any: bool,
    any_tag: bool,
    pub(crate) order: Order,
    pub(crate) page: Page,
}

impl Query {
    pub(crate) fn parse(parameters: &[(String, String)]) -> Result<Self, ApiError> {
        let mut query = Self {
            conditions: Vec::new(),
            tags: Vec::new(),
            any: false,
            any_tag: false,
            order: Order { column: Column::Kind, descending: false },
            page: Page::parse(parameters, PER_PAGE_DEFAULT, 1..=PER_PAGE_MOST)?,
        };
        for (key, value) in parameters {
            query.read(key, value)?;
        }
        Ok(query)
    }

    fn read(&mut self, key: &str, value: &str) -> Result<(), ApiError> {
        let wrong = || ApiError::invalid_parameter(key);
        let folded = value.to_lowercase();
        match key {
            "type" => {
                let kind = value.to_ascii_uppercase().parse().map_err(|()| wrong())?;
                self.conditions.push(Condition::Kind(kind));
            }
            "proxied" => self.conditions.push(Condition::Proxied(flag(value).ok_or_else(wrong)?)),
            "search" => self.conditions.push(Condition::Search(folded)),
            "match" => self.any = any(value).ok_or_else(wrong)?,
            "tag_match" | "tag-match" => self.any_tag = any(value).ok_or_else(wrong)?,
            "order" => {
                self.order.column = match value {
                    "type" => Column::Kind,
                    "name" => Column::Name,
                    "content" => Column::Content,
                    "ttl" => Column::Ttl,
                    "proxied" => Column::Proxied,
                    _ => return Err(wrong()),
                }
            }
            "direction" => {
                self.order.descending = match value {
                    "asc" => false,
                    "desc" => true,
                    _ => return Err(wrong()),
                }
            }
            "comment.present" => self.conditions.push(Condition::CommentPresent(true)),
            "comment.absent" => self.conditions.push(Condition::CommentPresent(false)),
            "tag.present" => self.tags.push(Condition::TagPresent(true, folded)),
            "tag.absent" => self.tags.push(Condition::TagPresent(false, folded)),
            _ => self.read_text(key, folded),
        }
        Ok(())
    }

    /// A filter on text, or a parameter that is not known, which the platform ignores.
    fn read_text(&mut self, key: &str, folded: String) {
        let (field, comparison) = key.split_once('.').unwrap_or((key, "exact"));
        let comparison = match comparison {
            "exact" => Comparison::Exact,
            "contains" => Comparison::Contains,
            "startswith" => Comparison::StartsWith,
            "endswith" => Comparison::EndsWith,
            _ => return,
        };
        let field = match field {
            "name" => Field::Name,
            "content" => Field::Content,
            "comment" => Field::Comment,
            "tag" => {
                let (name, value) = folded.split_once(':').unwrap_or((&folded, ""));
                self.tags.push(Condition::Tag(comparison, name.to_owned(), value.to_owned()));
                return;
            }
            _ => return,
        };
        self.conditions.push(Condition::Text(field, comparison, folded));
    }

    /// The one name that every match has, if the filters say so: then no scan is needed.
    pub(crate) fn exact_name(&self) -> Option<&str> {
        if self.any {
            return None;
        }
        self.conditions.iter().find_map(|condition| match condition {
            Condition::Text(Field::Name, Comparison::Exact, name) => Some(name.as_str()),
            _ => None,
        })
    }

    /// Whether nothing is filtered out.
    pub(crate) fn takes_all(&self) -> bool {
        self.conditions.is_empty() && self.tags.is_empty()
    }

    pub(crate) fn matches(&self, record: &Record) -> bool {
        let tags = (!self.tags.is_empty()).then(|| {
            let mut checks = self.tags.iter().map(|condition| holds(condition, record));
            if self.any_tag { checks.any(|held| held) } else { checks.all(|held| held) }
        });
        let mut checks = self.conditions.iter().map(|condition| holds(condition, record)).chain(tags);
        if self.any && !self.takes_all() { checks.any(|held| held) } else { checks.all(|held| held) }
    }
}

fn flag(value: &str) -> Option<bool> {
    match value {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

fn any(value: &str) -> Option<bool> {
    match value {
        "any" => Some(true),
        "all" => Some(false),
        _ => None,
    }
}

fn compare(comparison: Comparison, text: &str, wanted: &str) -> bool {
    let text = text.to_lowercase();
    match comparison {
        Comparison::Exact => text == wanted,
        Comparison::Contains => text.contains(wanted),
        Comparison::StartsWith => text.starts_with(wanted),
        Comparison::EndsWith => text.ends_with(wanted),
    }
}

fn holds(condition: &Condition, record: &Record) -> bool {
    match condition {
        Condition::Text(Field::Name, comparison, wanted) => compare(*comparison, &record.name, wanted),
        Condition::Text(Field::Content, comparison, wanted) => compare(*comparison, &record.content, wanted),
        Condition::Text(Field::Comment, comparison, wanted) => {
            record.comment.as_ref().is_some_and(|comment| compare(*comparison, comment, wanted))
        }
        Condition::CommentPresent(present) => record.comment.is_some() == *present,
        Condition::Kind(kind) => record.kind == *kind,
        Condition::Proxied(proxied) => record.proxied == *proxied,
        Condition::Search(wanted) => {
            compare(Comparison::Contains, &record.name, wanted)
                || compare(Comparison::Contains, &record.content, wanted)
                || record.comment.as_ref().is_some_and(|comment| compare(Comparison::Contains, comment, wanted))
                || record.tags.iter().any(|tag| compare(Comparison::Contains, tag, wanted))
        }
        Condition::Tag(comparison, name, wanted) => record.tags.iter().any(|tag| {
            let (tag_name, value) = tag.split_once(':').unwrap_or((tag, ""));
            tag_name.eq_ignore_ascii_case(name) && compare(*comparison, value, wanted)
        }),
        Condition::TagPresent(present, name) => {
            let found = record.tags.iter().any(|tag| {
                tag.split_once(':').map_or(tag.as_str(), |(tag_name, _)| tag_name).eq_ignore_ascii_case(name)
            });
            found == *present
        }
    }
}

impl Order {
    /// Sorts; records that the column does not tell apart stay in the order of their creation.
    pub(crate) fn sort(self, records: &mut [Arc<Record>]) {
        let by_column = |one: &Arc<Record>, other: &Arc<Record>| -> Ordering {
            let ordering = match self.column {
                Column::Kind => one.kind.cmp(&other.kind),
                Column::Name => one.name.cmp(&other.name),
                Column::Content => one.content.cmp(&other.content),
                Column::Ttl => one.ttl.cmp(&other.ttl),
                Column::Proxied => one.proxied.cmp(&other.proxied),
            };
            let ordering = if self.descending { ordering.reverse() } else { ordering };
            ordering.then(one.sequence.cmp(&other.sequence))
        };
        records.sort_by(by_column);
    }
}
