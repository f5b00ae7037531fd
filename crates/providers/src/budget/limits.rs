//! Reading `Ratelimit` and `Ratelimit-Policy`.
//!
//! Both are lists of structured-field items such as `"default";r=50;t=30` and `"burst";q=100;w=60`: remaining calls and
//! seconds to the reset, quota and seconds of the window
//! (<https://developers.cloudflare.com/changelog/2025-09-03-rate-limiting-improvement/>). What cannot be read is
//! skipped: the headers make the budget better and are not needed.

use std::time::Duration;

use alfred_model::budget::Reading;
use http::HeaderMap;

/// Most items that are read of one header.
const ITEMS_MAX: usize = 16;

pub(super) fn readings(headers: &HeaderMap) -> Vec<Reading> {
    let policies = items(headers, "ratelimit-policy");
    items(headers, "ratelimit")
        .into_iter()
        .filter_map(|item| {
            let policy = policies.iter().find(|policy| policy.name == item.name);
            let policy = policy.or(if policies.len() == 1 { policies.first() } else { None });
            Some(Reading {
                remaining: u32::try_from(item.value("r")?).unwrap_or(u32::MAX),
                reset: item.value("t").map(|seconds| Duration::from_secs(seconds.min(86_400))),
                quota: policy.and_then(|policy| policy.value("q")).and_then(|quota| u32::try_from(quota).ok()),
                name: item.name,
            })
        })
        .collect()
}

struct Item {
    name: String,
    parameters: Vec<(String, u64)>,
}

impl Item {
    fn value(&self, name: &str) -> Option<u64> {
        self.parameters.iter().find(|(key, _)| key == name).map(|(_, value)| *value)
    }
}

fn items(headers: &HeaderMap, name: &str) -> Vec<Item> {
    let lines = headers.get_all(name).into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).take(ITEMS_MAX).map(item).collect()
}

fn item(text: &str) -> Item {
    let mut parts = text.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default().trim_matches('"').to_ascii_lowercase();
    let parameters = parts
        .filter_map(|part| part.split_once('='))
        .filter_map(|(key, value)| Some((key.trim().to_ascii_lowercase(), value.trim().parse().ok()?)))
        .collect();
    Item { name, parameters }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(limit: &'static str, policy: &'static str) -> Vec<(u32, Option<u64>, Option<u32>)> {
        let mut headers = HeaderMap::new();
        headers.insert("ratelimit", http::HeaderValue::from_static(limit));
        headers.insert("ratelimit-policy", http::HeaderValue::from_static(policy));
        let read = readings(&headers).into_iter();
        read.map(|reading| (reading.remaining, reading.reset.map(|reset| reset.as_secs()), reading.quota)).collect()
    }

    #[test]
    fn lists_are_read_and_nonsense_is_skipped() {
        assert_eq!(read(r#""default";r=50;t=30"#, r#""burst";q=100;w=60"#), [(50, Some(30), Some(100))]);
        assert_eq!(
            read(r#""burst";r=5;t=1, "default"; r=700 ;t=290"#, r#""default";q=1200;w=300, "burst";q=10;w=1"#),
            [(5, Some(1), Some(10)), (700, Some(290), Some(1_200))]
        );
        assert_eq!(read("default;r=1", ""), [(1, None, None)]);
        assert_eq!(read("x;r=99999999999;t=99999999999", "q"), [(u32::MAX, Some(86_400), None)]);
        for nonsense in ["", ",,;;==", r#""default";r=-1;t=3"#, r#""default";t=3"#, "\"", "r=50"] {
            assert_eq!(read(nonsense, nonsense), [], "{nonsense}");
        }
    }
}
