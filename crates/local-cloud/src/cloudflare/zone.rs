//! One zone: the rules between its records, and the transaction in which they are changed.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    draft::Draft,
    error::ApiError,
    index::{Change, Records},
    options::ZoneOptions,
    record::{Record, RecordKind},
};

/// A zone with its records.
#[derive(Clone, Debug)]
pub(crate) struct Zone {
    pub(crate) settings: ZoneOptions,
    pub(crate) created_on: Timestamp,
    pub(crate) records: Records,
    /// Counts committed changes; a listing that was sorted for one version serves all its pages.
    pub(crate) version: u64,
}

/// What a transaction needs to know beside the zone.
pub(crate) struct Context<'a> {
    pub(crate) now: Timestamp,
    /// How many more records the zone may get, before this transaction.
    pub(crate) room: u64,
    pub(crate) older_duplicate_code: bool,
    pub(crate) new_id: &'a mut dyn FnMut() -> String,
}

/// The body of a batch.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Batch {
    pub(crate) deletes: Option<Vec<Map<String, Value>>>,
    pub(crate) patches: Option<Vec<Map<String, Value>>>,
    pub(crate) puts: Option<Vec<Map<String, Value>>>,
    pub(crate) posts: Option<Vec<Map<String, Value>>>,
}

/// What a batch did, in the order given.
#[derive(Debug, Default)]
pub(crate) struct BatchOutcome {
    pub(crate) deletes: Vec<Arc<Record>>,
    pub(crate) patches: Vec<Arc<Record>>,
    pub(crate) puts: Vec<Arc<Record>>,
    pub(crate) posts: Vec<Arc<Record>>,
}

impl Zone {
    pub(crate) fn new(settings: ZoneOptions, now: Timestamp) -> Self {
        Self { settings, created_on: now, records: Records::default(), version: 0 }
    }

    /// Runs `work`; if it fails, nothing has happened. Gives its result and what changed, in order.
    pub(crate) fn transact<T>(
        &mut self,
        context: Context<'_>,
        work: impl FnOnce(&mut Transaction<'_, '_>) -> Result<T, ApiError>,
    ) -> Result<(T, Vec<Change>), ApiError> {
        let mut transaction = Transaction { zone: self, context, changes: Vec::new() };
        let result = work(&mut transaction);
        let changes = transaction.changes;
        match result {
            Ok(value) => {
                if !changes.is_empty() {
                    self.version += 1;
                }
                Ok((value, changes))
            }
            Err(error) => {
                for (before, after) in changes.into_iter().rev() {
                    if let Some(id) = before.as_ref().or(after.as_ref()).map(|record| record.id.clone()) {
                        self.records.put(&id, before);
                    }
                }
                Err(error)
            }
        }
    }
}

/// Changes that become real together.
pub(crate) struct Transaction<'z, 'c> {
    zone: &'z mut Zone,
    context: Context<'c>,
    changes: Vec<Change>,
}

impl Transaction<'_, '_> {
    pub(crate) fn create(&mut self, fields: &Map<String, Value>) -> Result<Arc<Record>, ApiError> {
        let draft = Draft::parse(fields, &self.zone.settings.name, self.zone.settings.plan)?;
        if self.context.room == 0 {
            return Err(ApiError::quota_exceeded());
        }
        let id = (self.context.new_id)();
        let record = self.record(id, self.context.now, self.zone.records.next_sequence(), None, draft);
        self.check_neighbours(&record)?;
        Ok(self.put(record))
    }

    pub(crate) fn overwrite(&mut self, id: &str, fields: &Map<String, Value>) -> Result<Arc<Record>, ApiError> {
        let before = self.existing(id)?;
        let draft = Draft::parse(fields, &self.zone.settings.name, self.zone.settings.plan)?;
        self.change(&before, draft)
    }

    pub(crate) fn edit(&mut self, id: &str, fields: &Map<String, Value>) -> Result<Arc<Record>, ApiError> {
        let before = self.existing(id)?;
        let draft = Draft::edit(&before, fields, &self.zone.settings.name, self.zone.settings.plan)?;
        self.change(&before, draft)
    }

    pub(crate) fn delete(&mut self, id: &str) -> Result<Arc<Record>, ApiError> {
        let before = self.existing(id)?;
        self.zone.records.put(id, None);
        self.context.room += 1;
        self.changes.push((Some(Arc::clone(&before)), None));
        Ok(before)
    }

    pub(crate) fn batch(&mut self, batch: &Batch) -> Result<BatchOutcome, ApiError> {
        let lists = [&batch.deletes, &batch.patches, &batch.puts, &batch.posts];
        let limit = self.zone.settings.plan.batch_limit();
        let operations: usize = lists.iter().filter_map(|list| list.as_ref()).map(Vec::len).sum();
        if operations > limit {
            return Err(ApiError::batch_too_large(limit));
        }
        let mut outcome = BatchOutcome::default();
        for item in batch.deletes.iter().flatten() {
            outcome.deletes.push(self.delete(id_of(item)?)?);
        }
        for item in batch.patches.iter().flatten() {
            outcome.patches.push(self.edit(id_of(item)?, item)?);
        }
        for item in batch.puts.iter().flatten() {
            outcome.puts.push(self.overwrite(id_of(item)?, item)?);
        }
        for item in batch.posts.iter().flatten() {
            outcome.posts.push(self.create(item)?);
        }
        Ok(outcome)
    }

    fn existing(&self, id: &str) -> Result<Arc<Record>, ApiError> {
        self.zone.records.get(id).cloned().ok_or_else(ApiError::record_missing)
    }

    fn change(&mut self, before: &Arc<Record>, draft: Draft) -> Result<Arc<Record>, ApiError> {
        let record = self.record(before.id.clone(), before.created_on, before.sequence, Some(before), draft);
        self.check_neighbours(&record)?;
        Ok(self.put(record))
    }

    fn record(
        &self,
        id: String,
        created_on: Timestamp,
        sequence: u64,
        before: Option<&Record>,
        draft: Draft,
    ) -> Record {
        let now = self.context.now;
        let comment_modified_on = if draft.comment.is_none() {
            None
        } else {
            before
                .filter(|before| before.comment == draft.comment)
                .map_or(Some(now), |before| before.comment_modified_on)
        };
        let tags_modified_on = if draft.tags.is_empty() {
            None
        } else {
            before.filter(|before| before.tags == draft.tags).map_or(Some(now), |before| before.tags_modified_on)
        };
        Record {
            id,
            name: draft.name,
            kind: draft.kind,
            content: draft.content.text,
            priority: draft.content.priority,
            data: draft.content.data,
            ttl: draft.ttl,
            proxied: draft.proxied,
            settings: draft.settings,
            comment: draft.comment,
            tags: draft.tags,
            created_on,
            modified_on: now,
            comment_modified_on,
            tags_modified_on,
            sequence,
        }
    }

    fn put(&mut self, record: Record) -> Arc<Record> {
        let record = Arc::new(record);
        let before = self.zone.records.put(&record.id, Some(Arc::clone(&record)));
        if before.is_none() {
            self.context.room = self.context.room.saturating_sub(1);
        }
        self.changes.push((before, Some(Arc::clone(&record))));
        record
    }

    /// An identical record, or one that excludes this one at the same name.
    fn check_neighbours(&self, record: &Record) -> Result<(), ApiError> {
        let at_apex = record.name == self.zone.settings.name;
        let mut refusal = None;
        for other in self.zone.records.at(&record.name) {
            if other.id == record.id {
                continue;
            }
            if other.same_data(record) {
                return Err(ApiError::identical(self.context.older_duplicate_code));
            }
            if refusal.is_none() {
                refusal = exclusion(record.kind, other.kind, at_apex);
            }
        }
        refusal.map_or(Ok(()), Err)
    }
}

/// Why a record of one type cannot join one of another at the same name.
/// <https://developers.cloudflare.com/dns/manage-dns-records/reference/dns-record-types/>
fn exclusion(new: RecordKind, old: RecordKind, at_apex: bool) -> Option<ApiError> {
    use RecordKind::{A, Aaaa, Cname, Ds, Ns};
    match (new, old) {
        (Cname, A | Aaaa | Cname) => Some(ApiError::address_or_cname_exists()),
        (A | Aaaa, Cname) => Some(ApiError::cname_exists()),
        (Ns | Ds, Ns) | (Ns, Ds) => None,
        (Ns, _) | (_, Ns) if !at_apex => Some(ApiError::name_servers_exist()),
        _ => None,
    }
}

fn id_of(item: &Map<String, Value>) -> Result<&str, ApiError> {
    item.get("id").and_then(Value::as_str).ok_or_else(ApiError::record_missing)
}
