//! Conditions on reads and writes.
//!
//! <https://developers.cloudflare.com/r2/api/s3/extensions/#conditional-operations-in-putobject>: `If-Match`,
//! `If-None-Match`, `If-Modified-Since` and `If-Unmodified-Since`; comparison as in RFC 9110.

use http::HeaderMap;
use jiff::{Timestamp, fmt::rfc2822::DateTimeParser};

use super::{object::Object, refusal::Refusal};

/// What must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Conditions {
    matches: Option<Tags>,
    none_matches: Option<Tags>,
    modified_since: Option<Timestamp>,
    unmodified_since: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Tags {
    Any,
    /// Without quotation marks, with whether each is weak.
    These(Vec<(String, bool)>),
}

impl Tags {
    fn parse(text: &str) -> Self {
        if text.trim() == "*" {
            return Self::Any;
        }
        let tag = |text: &str| {
            let text = text.trim();
            let (text, weak) = text.strip_prefix("W/").map_or((text, false), |rest| (rest, true));
            (text.trim_matches('"').to_owned(), weak)
        };
        Self::These(text.split(',').map(tag).collect())
    }

    /// `If-Match` compares strongly: a weak tag never matches.
    fn strongly(&self, etag: &str) -> bool {
        match self {
            Self::Any => true,
            Self::These(tags) => tags.iter().any(|(tag, weak)| !weak && tag == etag),
        }
    }

    /// `If-None-Match` compares weakly.
    fn weakly(&self, etag: &str) -> bool {
        match self {
            Self::Any => true,
            Self::These(tags) => tags.iter().any(|(tag, _)| tag == etag),
        }
    }
}

/// What comes of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// The object is given.
    Given,
    /// The client has it: 304.
    NotModified,
    /// 412.
    Failed,
}

impl Conditions {
    /// The conditions that headers with this beginning state; R2's own for the destination of a copy begin with
    /// `cf-copy-destination-`.
    pub(crate) fn of(headers: &HeaderMap, beginning: &str) -> Result<Self, Refusal> {
        let text = |name: &str| headers.get(format!("{beginning}{name}")).map(|value| value.to_str().unwrap_or("?"));
        let time = |name: &str| {
            let refused = || Refusal::INVALID_ARGUMENT.saying(format!("`{beginning}{name}` is no HTTP date."));
            let parse = |text| DateTimeParser::new().parse_timestamp(text).map_err(|_| refused());
            text(name).map(parse).transpose()
        };
        Ok(Self {
            matches: text("if-match").map(Tags::parse),
            none_matches: text("if-none-match").map(Tags::parse),
            modified_since: time("if-modified-since")?,
            unmodified_since: time("if-unmodified-since")?,
        })
    }

    /// Whether an object may be written where `current` is.
    pub(crate) fn allow_write(&self, current: Option<&Object>) -> bool {
        let Some(current) = current else {
            // Nothing matches nothing.
            return self.matches.is_none();
        };
        let modified = current.modified.as_second();
        self.matches.as_ref().is_none_or(|tags| tags.strongly(&current.etag))
            && self.none_matches.as_ref().is_none_or(|tags| !tags.weakly(&current.etag))
            && self.modified_since.is_none_or(|since| modified > since.as_second())
            && self.unmodified_since.is_none_or(|since| modified <= since.as_second())
    }

    /// What comes of reading `object`: the order of <https://www.rfc-editor.org/rfc/rfc9110#section-13.2.2>.
    pub(crate) fn read(&self, object: &Object) -> Reading {
        let modified = object.modified.as_second();
        let unmodified = || self.unmodified_since.is_none_or(|since| modified <= since.as_second());
        if !self.matches.as_ref().map_or_else(unmodified, |tags| tags.strongly(&object.etag)) {
            return Reading::Failed;
        }
        let known = match &self.none_matches {
            Some(tags) => tags.weakly(&object.etag),
            None => self.modified_since.is_some_and(|since| modified <= since.as_second()),
        };
        if known { Reading::NotModified } else { Reading::Given }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conditions(pairs: &[(&'static str, &str)]) -> Conditions {
        let headers =
            pairs.iter().map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap())).collect();
        Conditions::of(&headers, "").unwrap()
    }

    fn object(etag: &str) -> Object {
        Object {
            etag: etag.into(),
            // A fraction of a second that headers cannot tell.
            modified: "1994-11-06T08:49:37.5Z".parse().unwrap(),
            description: super::super::object::Description::default(),
            checksums: super::super::checksum::Checksums::default(),
            contents: Vec::new(),
        }
    }

    const THEN: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";

    #[test]
    fn writes_are_allowed_as_the_conditions_say() {
        let there = object("a");
        for (name, value, over_it, over_nothing) in [
            ("if-none-match", "*", false, true),
            ("if-none-match", "\"a\"", false, true),
            ("if-none-match", "\"b\", W/\"a\"", false, true),
            ("if-none-match", "\"b\"", true, true),
            ("if-match", "*", true, false),
            ("if-match", "\"a\"", true, false),
            ("if-match", "a", true, false),
            ("if-match", "\"b\", \"a\"", true, false),
            ("if-match", "W/\"a\"", false, false),
            ("if-match", "\"b\"", false, false),
            ("if-modified-since", THEN, false, true),
            ("if-modified-since", BEFORE, true, true),
            ("if-unmodified-since", THEN, true, true),
            ("if-unmodified-since", BEFORE, false, true),
        ] {
            let conditions = conditions(&[(name, value)]);
            assert_eq!(conditions.allow_write(Some(&there)), over_it, "{name}: {value}");
            assert_eq!(conditions.allow_write(None), over_nothing, "{name}: {value}");
        }
        assert!(conditions(&[]).allow_write(Some(&there)));
    }

    #[test]
    fn reads_are_given_known_or_refused() {
        let there = object("a");
        for (pairs, reading) in [
            (&[("if-match", "\"a\"")][..], Reading::Given),
            (&[("if-match", "\"b\"")], Reading::Failed),
            (&[("if-none-match", "W/\"a\"")], Reading::NotModified),
            (&[("if-none-match", "*")], Reading::NotModified),
            (&[("if-none-match", "\"b\"")], Reading::Given),
            (&[("if-modified-since", THEN)], Reading::NotModified),
            (&[("if-modified-since", BEFORE)], Reading::Given),
            (&[("if-unmodified-since", BEFORE)], Reading::Failed),
            // `If-Match` goes before `If-Unmodified-Since`, `If-None-Match` before `If-Modified-Since`.
            (&[("if-match", "\"a\""), ("if-unmodified-since", BEFORE)], Reading::Given),
            (&[("if-none-match", "\"b\""), ("if-modified-since", THEN)], Reading::Given),
            (&[("if-match", "\"b\""), ("if-none-match", "\"a\"")], Reading::Failed),
        ] {
            assert_eq!(conditions(pairs).read(&there), reading, "{pairs:?}");
        }
    }

    #[test]
    fn what_is_no_date_is_refused() {
        let headers = HeaderMap::from_iter([(http::header::IF_MODIFIED_SINCE, "tomorrow".parse().unwrap())]);
        assert_eq!(Conditions::of(&headers, "").unwrap_err().name, "InvalidArgument");
    }
}
