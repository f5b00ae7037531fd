//! Several changes in one call, all or none.

use alfred_model::id::RecordId;
use serde::{Deserialize, Serialize};

use super::record::{NewRecord, Record, RecordPatch};
use crate::lenient;

/// Changes that are made together or not at all, in this order: deletes, patches, puts, posts. One call takes 200 on
/// the Free plan and 3,500 on others
/// (<https://developers.cloudflare.com/dns/manage-dns-records/how-to/batch-record-changes/>).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// Records to delete.
    pub deletes: Vec<RecordId>,
    /// Records to change in part.
    pub patches: Vec<RecordPatch>,
    /// Records to replace.
    pub puts: Vec<(RecordId, NewRecord)>,
    /// Records to create.
    pub posts: Vec<NewRecord>,
}

impl Batch {
    /// How many changes there are.
    pub fn len(&self) -> usize {
        self.deletes.len() + self.patches.len() + self.puts.len() + self.posts.len()
    }

    /// Whether there is nothing to change.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// For an error: the records by name or id while they are few, their number otherwise.
    pub(super) fn words(&self) -> String {
        const NAMED_MAX: usize = 3;
        if self.len() > NAMED_MAX {
            let Self { deletes, patches, puts, posts } = self;
            let (deletes, patches, puts, posts) = (deletes.len(), patches.len(), puts.len(), posts.len());
            return format!("({deletes} deletes, {patches} patches, {puts} puts, {posts} posts)");
        }
        let deletes = self.deletes.iter().map(RecordId::as_str);
        let patches = self.patches.iter().map(|patch| patch.id.as_str());
        let puts = self.puts.iter().map(|(_, record)| record.name.as_str());
        let posts = self.posts.iter().map(|record| record.name.as_str());
        let named: Vec<String> = deletes.chain(patches).chain(puts).chain(posts).map(|it| format!("`{it}`")).collect();
        named.join(", ")
    }
}

impl Serialize for Batch {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Id<'a> {
            id: &'a RecordId,
        }
        #[derive(Serialize)]
        struct Put<'a> {
            id: &'a RecordId,
            #[serde(flatten)]
            record: &'a NewRecord,
        }
        #[derive(Serialize)]
        struct Body<'a> {
            #[serde(skip_serializing_if = "Vec::is_empty")]
            deletes: Vec<Id<'a>>,
            #[serde(skip_serializing_if = "<[_]>::is_empty")]
            patches: &'a [RecordPatch],
            #[serde(skip_serializing_if = "Vec::is_empty")]
            puts: Vec<Put<'a>>,
            #[serde(skip_serializing_if = "<[_]>::is_empty")]
            posts: &'a [NewRecord],
        }
        let deletes = self.deletes.iter().map(|id| Id { id }).collect();
        let puts = self.puts.iter().map(|(id, record)| Put { id, record }).collect();
        Body { deletes, patches: &self.patches, puts, posts: &self.posts }.serialize(serializer)
    }
}

/// Whether the JSON of a batch has deletes: they come first and are left out where there are none.
pub(super) fn deletes(body: &[u8]) -> bool {
    body.starts_with(br#"{"deletes""#)
}

/// The records as they stand after a batch, in the order of the changes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct BatchResult {
    /// The deleted records, as far as the answer shows them; it may show ids only.
    #[serde(default, deserialize_with = "readable_records")]
    pub deletes: Vec<Record>,
    /// The changed records.
    #[serde(default, deserialize_with = "lenient::null_as_default")]
    pub patches: Vec<Record>,
    /// The replaced records.
    #[serde(default, deserialize_with = "lenient::null_as_default")]
    pub puts: Vec<Record>,
    /// The created records.
    #[serde(default, deserialize_with = "lenient::null_as_default")]
    pub posts: Vec<Record>,
}

impl BatchResult {
    /// What `batch` asked for and the answer does not show.
    pub(super) fn missing(&self, batch: &Batch) -> Option<String> {
        let lists = [
            ("patches", self.patches.len(), batch.patches.len()),
            ("puts", self.puts.len(), batch.puts.len()),
            ("posts", self.posts.len(), batch.posts.len()),
        ];
        let (list, shown, asked) = lists.into_iter().find(|(_, shown, asked)| shown != asked)?;
        Some(format!("it shows {shown} of {asked} {list}"))
    }
}

fn readable_records<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<Record>, D::Error> {
    let values: Vec<serde_json::Value> = lenient::null_as_default(deserializer)?;
    Ok(values.into_iter().filter_map(|value| serde_json::from_value(value).ok()).collect())
}
