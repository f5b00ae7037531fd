//! One fault rule: which calls, when, and what goes wrong.

use serde::{Deserialize, Serialize};

use super::Target;
use crate::journal::Service;

/// Which calls go wrong, when, and how. What is left out does not restrict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Only calls of this service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<Service>,
    /// Only calls with this HTTP method, upper case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Only calls whose path, without query, matches; `*` stands for any characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Only calls whose stable name matches; `*` stands for any characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// The first of these calls that goes wrong, counted from 1; alone it means that call only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nth: Option<u64>,
    /// How many calls go wrong at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// The share of calls that go wrong, 0 to 1, drawn from `seed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// Where the drawing starts.
    #[serde(default)]
    pub seed: u64,
    /// What goes wrong.
    pub fault: Fault,
}

/// What goes wrong with a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Fault {
    /// The connection closes and nothing was done.
    LostBefore,
    /// The connection closes without an answer, but the call was carried out.
    LostAfter,
    /// Another HTTP status instead of the answer.
    Status {
        /// The status, 100 to 599 (below 200 it is answered as 500).
        status: u16,
        /// Seconds for a `retry-after` header.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<u64>,
        /// The body; without one, a JSON error that names the fault.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        body: Option<String>,
        /// Whether the call was carried out all the same.
        #[serde(default)]
        after: bool,
    },
    /// The answer is late.
    Delay {
        /// Milliseconds.
        ms: u64,
        /// Whether the wait comes after the call was carried out.
        #[serde(default)]
        after: bool,
    },
    /// The call was carried out; the whole answer is announced, half of its body arrives.
    CutBody,
    /// An HTML page instead of the answer, as proxies send.
    Html {
        /// The status of the page.
        #[serde(default = "bad_gateway")]
        status: u16,
        /// Whether the call was carried out all the same.
        #[serde(default)]
        after: bool,
    },
    /// A Contabo instance stays in a status.
    Stuck {
        /// The status.
        status: String,
        /// Only this instance.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        instance: Option<i64>,
    },
}

fn bad_gateway() -> u16 {
    502
}

impl Rule {
    /// A rule about all calls, always.
    pub fn new(fault: Fault) -> Self {
        Self {
            service: None,
            method: None,
            path: None,
            route: None,
            nth: None,
            count: None,
            probability: None,
            seed: 0,
            fault,
        }
    }

    pub(super) fn is_about(&self, target: Target<'_>) -> bool {
        self.service.is_none_or(|service| service == target.service)
            && self.method.as_ref().is_none_or(|method| method == target.method)
            && self.path.as_ref().is_none_or(|path| matches_glob(path, target.path))
            && self.route.as_ref().is_none_or(|route| matches_glob(route, target.route))
    }

    /// Whether the `seen`-th call it is about goes wrong, after `fired` others.
    pub(super) fn fires(&self, seen: u64, fired: u64) -> bool {
        let limit = self.count.or(self.nth.map(|_| 1)).unwrap_or(u64::MAX);
        seen >= self.nth.unwrap_or(1)
            && fired < limit
            && self.probability.is_none_or(|probability| draw(self.seed, seen) < probability)
    }
}

/// A number in 0..1 from a seed and a place (the finaliser of `SplitMix64`): calls may come in any order, each draws its own.
fn draw(seed: u64, place: u64) -> f64 {
    let mut mixed = seed.wrapping_mul(0xd134_2543_de82_ef95).wrapping_add(place.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^= mixed >> 31;
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit a double exactly")]
    let numerator = (mixed >> 11) as f64;
    numerator / 9_007_199_254_740_992.0
}

/// Whether `text` matches `pattern`, where `*` stands for any characters.
fn matches_glob(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut text) = text.strip_prefix(head) else {
        return false;
    };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        match text.find(part) {
            Some(place) => text = &text[place + part.len()..],
            None => return false,
        }
    }
    text.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_any_characters() {
        for (pattern, text, matched) in [
            ("/v1/compute/instances", "/v1/compute/instances", true),
            ("/v1/compute/instances", "/v1/compute/instances/1", false),
            ("/v1/*/instances/*", "/v1/compute/instances/1/actions/start", true),
            ("*records*", "cloudflare.records.batch", true),
            ("*", "", true),
            ("a*b*a", "aba", true),
            ("a*a", "a", false),
            ("cloudflare.*.list", "cloudflare.records.get", false),
        ] {
            assert_eq!(matches_glob(pattern, text), matched, "{pattern} {text}");
        }
    }

    #[test]
    fn json_refuses_what_it_does_not_know() {
        let rule: Rule = serde_json::from_str(
            r#"{"route": "contabo.*", "nth": 2, "fault": {"kind": "status", "status": 429, "retry_after": 3}}"#,
        )
        .unwrap();
        assert_eq!(rule.nth, Some(2));
        assert_eq!(rule.fault, Fault::Status { status: 429, retry_after: Some(3), body: None, after: false });
        assert!(serde_json::from_str::<Rule>(r#"{"rout": "x", "fault": {"kind": "lost-before"}}"#).is_err());
        assert!(serde_json::from_str::<Rule>(r#"{"fault": {"kind": "nope"}}"#).is_err());
    }
}
