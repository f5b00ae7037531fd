//! Lifecycle rules: what happens to objects and open uploads as they grow old.
//!
//! <https://developers.cloudflare.com/r2/buckets/object-lifecycles/>. The forms here are those of the REST API. The platform
//! acts within a day; this one acts at the first call after the moment.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{bucket::Bucket, lock, options::StorageClass};

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LifecycleRule {
    pub(crate) id: String,
    pub(crate) enabled: bool,
    #[serde(default)]
    pub(crate) conditions: Scope,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) abort_multipart_uploads_transition: Option<Due>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) delete_objects_transition: Option<Due>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) storage_class_transitions: Vec<ClassTransition>,
}

/// Which objects a rule is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Scope {
    /// Empty for all.
    #[serde(default)]
    pub(crate) prefix: String,
}

/// When something happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Due {
    pub(crate) condition: Moment,
}

/// A moment in the life of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
pub(crate) enum Moment {
    /// So many seconds after it was uploaded.
    Age { max_age: u32 },
    /// Then.
    Date { date: Timestamp },
}

/// The move to another storage class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ClassTransition {
    pub(crate) condition: Moment,
    pub(crate) storage_class: StorageClass,
}

impl Moment {
    /// Whether it has come for what began at `since`.
    fn has_come(self, since: Timestamp, now: Timestamp) -> bool {
        match self {
            Self::Age { max_age } => now.duration_since(since) >= SignedDuration::from_secs(i64::from(max_age)),
            Self::Date { date } => now >= date,
        }
    }
}

/// The rule that each new bucket has: uploads that nobody completes end after seven days.
pub(crate) fn default_rules() -> Vec<LifecycleRule> {
    vec![LifecycleRule {
        id: "Default Multipart Abort Rule".into(),
        enabled: true,
        conditions: Scope::default(),
        abort_multipart_uploads_transition: Some(Due { condition: Moment::Age { max_age: 7 * 86_400 } }),
        delete_objects_transition: None,
        storage_class_transitions: Vec::new(),
    }]
}

/// What is due in a bucket.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct DueNow {
    /// Keys of objects to delete.
    pub(crate) deletions: Vec<String>,
    /// Ids of uploads to abort.
    pub(crate) aborts: Vec<String>,
    /// Keys of objects whose storage class changes.
    pub(crate) moves: Vec<(String, StorageClass)>,
}

/// What the rules of a bucket ask for now. Objects that a lock holds stay.
pub(crate) fn due(bucket: &Bucket, now: Timestamp) -> DueNow {
    let mut due = DueNow::default();
    for rule in bucket.lifecycle.iter().filter(|rule| rule.enabled) {
        let prefix = rule.conditions.prefix.as_str();
        if let Some(Due { condition }) = rule.abort_multipart_uploads_transition {
            let ended = bucket.uploads.iter().filter(|(_, upload)| upload.key.starts_with(prefix));
            let ended = ended.filter(|(_, upload)| condition.has_come(upload.started, now));
            due.aborts.extend(ended.map(|(id, _)| id.clone()));
        }
        if rule.delete_objects_transition.is_none() && rule.storage_class_transitions.is_empty() {
            continue;
        }
        let from = (std::ops::Bound::Included(prefix), std::ops::Bound::Unbounded);
        let objects = bucket.objects.range::<str, _>(from).take_while(|(key, _)| key.starts_with(prefix));
        for (key, object) in objects {
            let ends = rule.delete_objects_transition.is_some_and(|end| end.condition.has_come(object.modified, now));
            if ends && !lock::holds(&bucket.lock, key, object, now) {
                due.deletions.push(key.clone());
                continue;
            }
            for change in &rule.storage_class_transitions {
                let differs = object.description.storage_class != change.storage_class;
                if differs && change.condition.has_come(object.modified, now) {
                    due.moves.push((key.clone(), change.storage_class));
                }
            }
        }
    }
    due
}
