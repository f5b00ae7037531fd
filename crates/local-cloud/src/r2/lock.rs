//! Bucket locks: rules that forbid overwriting and deleting objects, by prefix.
//!
//! <https://developers.cloudflare.com/r2/buckets/bucket-locks/>. The forms here are those of the REST API; S3 knows nothing
//! of them.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::object::Object;

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LockRule {
    pub(crate) id: String,
    pub(crate) enabled: bool,
    /// Empty for all objects.
    #[serde(default)]
    pub(crate) prefix: String,
    pub(crate) condition: LockCondition,
}

/// How long a rule holds an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
pub(crate) enum LockCondition {
    /// For so long after it was uploaded.
    Age { max_age_seconds: u32 },
    /// Until then.
    Date { date: Timestamp },
    /// For ever.
    Indefinite,
}

/// Whether any of the rules holds the object: the strictest wins.
pub(crate) fn holds(rules: &[LockRule], key: &str, object: &Object, now: Timestamp) -> bool {
    rules.iter().filter(|rule| rule.enabled && key.starts_with(&rule.prefix)).any(|rule| match rule.condition {
        LockCondition::Age { max_age_seconds } => {
            now.duration_since(object.modified) < SignedDuration::from_secs(i64::from(max_age_seconds))
        }
        LockCondition::Date { date } => now < date,
        LockCondition::Indefinite => true,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::r2::{checksum::Checksums, object::Description};

    #[test]
    fn rules_hold_as_long_as_they_say() {
        let modified: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let object = Object {
            etag: "e".into(),
            modified,
            description: Description::default(),
            checksums: Checksums::default(),
            contents: Vec::new(),
        };
        let at = |second| modified + SignedDuration::from_secs(second);
        for (rule, key, second, held) in [
            (json!({"type": "Age", "maxAgeSeconds": 60}), "v/1", 59, true),
            (json!({"type": "Age", "maxAgeSeconds": 60}), "v/1", 60, false),
            (json!({"type": "Date", "date": "2026-01-01T00:01:00Z"}), "v/1", 59, true),
            (json!({"type": "Date", "date": "2026-01-01T00:01:00Z"}), "v/1", 60, false),
            (json!({"type": "Indefinite"}), "v/1", 1_000_000, true),
            (json!({"type": "Indefinite"}), "w/1", 0, false),
        ] {
            let read = json!({"id": "x", "enabled": true, "prefix": "v/", "condition": rule});
            let read: LockRule = serde_json::from_value(read).unwrap();
            assert_eq!(holds(std::slice::from_ref(&read), key, &object, at(second)), held, "{read:?} {key} {second}");
            assert!(!holds(&[LockRule { enabled: false, ..read }], key, &object, at(second)));
        }
    }
}
