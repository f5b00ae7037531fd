//! Pages of keys, with common prefixes.

use std::{collections::BTreeMap, ops::Bound, sync::Arc};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::object::Object;

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query<'q> {
    pub(crate) prefix: &'q str,
    /// Empty for none.
    pub(crate) delimiter: &'q str,
    /// Only what sorts from here on.
    pub(crate) from: &'q str,
    /// Keys and common prefixes together.
    pub(crate) limit: usize,
}

/// A page.
#[derive(Debug, Default)]
pub(crate) struct Page<'o> {
    pub(crate) objects: Vec<(&'o str, &'o Arc<Object>)>,
    pub(crate) prefixes: Vec<String>,
    /// Where the next page begins, if there is one: what its `from` must be.
    pub(crate) next: Option<String>,
    /// The last key or common prefix of this page.
    pub(crate) last: Option<String>,
}

/// The page that `query` asks for.
pub(crate) fn list<'o>(objects: &'o BTreeMap<String, Arc<Object>>, query: &Query<'_>) -> Page<'o> {
    let mut page = Page::default();
    // Where to look on; `None` is behind everything.
    let mut from = Some(query.from.max(query.prefix).to_owned());
    while let Some(begin) = from.take() {
        let Some((key, object)) = objects.range::<str, _>((Bound::Included(begin.as_str()), Bound::Unbounded)).next()
        else {
            break;
        };
        let Some(rest) = key.strip_prefix(query.prefix) else { break };
        if page.objects.len() + page.prefixes.len() >= query.limit {
            // A page of nothing is the last one, or a client would ask for ever.
            page.next = (query.limit > 0).then_some(begin);
            break;
        }
        let end = if query.delimiter.is_empty() { None } else { rest.find(query.delimiter) };
        if let Some(end) = end {
            let common = &key[..query.prefix.len() + end + query.delimiter.len()];
            page.prefixes.push(common.to_owned());
            page.last = Some(common.to_owned());
            from = behind_prefix(common);
        } else {
            page.objects.push((key, object));
            page.last = Some(key.clone());
            from = Some(behind(key));
        }
    }
    page
}

/// The first text that sorts behind this one.
pub(crate) fn behind(key: &str) -> String {
    format!("{key}\0")
}

/// The first text that sorts behind all that begin with this one, if there is one.
fn behind_prefix(prefix: &str) -> Option<String> {
    let mut text = prefix.to_owned();
    while let Some(last) = text.pop() {
        // The numbers of characters have one gap, which this steps over.
        let next = (u32::from(last) + 1..=u32::from(char::MAX)).find_map(char::from_u32);
        if let Some(next) = next {
            text.push(next);
            return Some(text);
        }
    }
    None
}

/// Where a list goes on after a marker, which may be a common prefix: what lies below that was listed. `None` is nowhere.
pub(crate) fn behind_marker(marker: &str, delimiter: &str) -> Option<String> {
    match marker {
        "" => Some(String::new()),
        marker if !delimiter.is_empty() && marker.ends_with(delimiter) => behind_prefix(marker),
        marker => Some(behind(marker)),
    }
}

/// A continuation token: opaque to clients.
pub(crate) fn token(from: &str) -> String {
    URL_SAFE_NO_PAD.encode(from)
}

/// What a continuation token says, if it is one.
pub(crate) fn read_token(token: &str) -> Option<String> {
    String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()
}

/// A key as `encoding-type=url` writes it.
pub(crate) fn encoded(key: &str) -> String {
    use std::fmt::Write;
    key.bytes().fold(String::with_capacity(key.len()), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            text.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::r2::{checksum::Checksums, object::Description};

    fn objects(keys: &[&str]) -> BTreeMap<String, Arc<Object>> {
        let object = Arc::new(Object {
            etag: "e".into(),
            modified: Timestamp::UNIX_EPOCH,
            description: Description::default(),
            checksums: Checksums::default(),
            contents: Vec::new(),
        });
        keys.iter().map(|key| ((*key).to_owned(), Arc::clone(&object))).collect()
    }

    fn shown(page: &Page<'_>) -> Vec<String> {
        let mut shown: Vec<String> = page.objects.iter().map(|(key, _)| (*key).to_owned()).collect();
        shown.extend(page.prefixes.iter().cloned());
        shown.sort();
        shown
    }

    #[test]
    fn delimiters_gather_what_lies_below() {
        let objects = objects(&["a", "b/1", "b/2", "c/d/1", "c/e", "cc"]);
        let all = |prefix, delimiter| shown(&list(&objects, &Query { prefix, delimiter, from: "", limit: 100 }));
        assert_eq!(all("", "/"), ["a", "b/", "c/", "cc"]);
        assert_eq!(all("c/", "/"), ["c/d/", "c/e"]);
        assert_eq!(all("c", "/"), ["c/", "cc"]);
        assert_eq!(all("", ""), ["a", "b/1", "b/2", "c/d/1", "c/e", "cc"]);
        assert_eq!(all("x", ""), [""; 0]);
    }

    #[test]
    fn pages_join_up_to_the_whole_whatever_their_size() {
        let objects = objects(&[
            "a",
            "b/1",
            "b/2",
            "b/\u{10ffff}",
            "b/\u{10ffff}x",
            "c/d/1",
            "c/e",
            "cc",
            "ü/ü",
            "\u{d7ff}/1",
            "\u{10ffff}/x",
        ]);
        for delimiter in ["", "/"] {
            let whole = shown(&list(&objects, &Query { delimiter, limit: 100, ..Query::default() }));
            for limit in 1..=whole.len() {
                let (mut joined, mut from) = (Vec::new(), String::new());
                loop {
                    let page = list(&objects, &Query { prefix: "", delimiter, from: &from, limit });
                    joined.extend(shown(&page));
                    match page.next {
                        Some(next) => from = read_token(&token(&next)).unwrap(),
                        None => break,
                    }
                }
                assert_eq!(joined, whole, "delimiter `{delimiter}`, pages of {limit}");
            }
        }
    }

    #[test]
    fn a_marker_goes_on_behind_what_it_names() {
        let objects = objects(&["a", "b/1", "b/2", "c"]);
        let from = behind_marker("b/", "/").unwrap();
        assert_eq!(shown(&list(&objects, &Query { prefix: "", delimiter: "/", from: &from, limit: 9 })), ["c"]);
        let from = behind_marker("b/1", "/").unwrap();
        assert_eq!(shown(&list(&objects, &Query { prefix: "", delimiter: "/", from: &from, limit: 9 })), ["b/", "c"]);
    }

    #[test]
    fn the_end_of_all_that_begins_alike_is_found() {
        for (prefix, next) in [
            ("a/", Some("a0")),
            ("a\u{10ffff}", Some("b")),
            ("\u{d7ff}", Some("\u{e000}")),
            ("\u{10ffff}", None),
            ("", None),
        ] {
            assert_eq!(behind_prefix(prefix).as_deref(), next, "{prefix:?}");
        }
    }

    #[test]
    fn keys_are_encoded_for_urls() {
        assert_eq!(encoded("a b/ü+~.txt"), "a%20b/%C3%BC%2B~.txt");
    }
}
