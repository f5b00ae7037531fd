//! Records found by id and by name.
//!
//! One primitive, [`Records::put`], changes it; a transaction is a list of what it gave back. [`Names`] is also what DNS
//! answers from, once a change is published.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use super::record::Record;

/// Records by full name, with the tree of names above them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    records: HashMap<String, Vec<Arc<Record>>>,
    /// For each name, how many records are at it or below it: a name with a count but no record is an empty
    /// non-terminal, which exists.
    tree: HashMap<String, u32>,
}

impl Names {
    /// The records at a name, in the order of their creation.
    pub(crate) fn at(&self, name: &str) -> &[Arc<Record>] {
        self.records.get(name).map_or(&[], Vec::as_slice)
    }

    /// Whether a record is at the name or below it.
    pub(crate) fn exists(&self, name: &str) -> bool {
        self.tree.contains_key(name)
    }

    /// Takes `before` out and puts `after` in.
    pub(crate) fn change(&mut self, before: Option<&Record>, after: Option<&Arc<Record>>) {
        if let Some(before) = before {
            self.remove(before);
        }
        if let Some(after) = after {
            self.insert(after);
        }
    }

    fn insert(&mut self, record: &Arc<Record>) {
        let records = self.records.entry(record.name.clone()).or_default();
        let place = records.partition_point(|other| other.sequence < record.sequence);
        records.insert(place, Arc::clone(record));
        for name in self_and_ancestors(&record.name) {
            if let Some(count) = self.tree.get_mut(name) {
                *count += 1;
            } else {
                self.tree.insert(name.to_owned(), 1);
            }
        }
    }

    fn remove(&mut self, record: &Record) {
        let Some(records) = self.records.get_mut(&record.name) else {
            return;
        };
        let Some(place) = records.iter().position(|other| other.id == record.id) else {
            return;
        };
        records.remove(place);
        if records.is_empty() {
            self.records.remove(&record.name);
        }
        for name in self_and_ancestors(&record.name) {
            if let Some(count) = self.tree.get_mut(name) {
                *count -= 1;
                if *count == 0 {
                    self.tree.remove(name);
                }
            }
        }
    }
}

/// `a.b.c`, `b.c`, `c`.
pub(crate) fn self_and_ancestors(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(name), |name| name.split_once('.').map(|(_, parent)| parent))
}

/// What a record was before and is now.
pub(crate) type Change = (Option<Arc<Record>>, Option<Arc<Record>>);

/// All records of a zone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Records {
    by_id: HashMap<String, Arc<Record>>,
    by_creation: BTreeMap<u64, Arc<Record>>,
    names: Names,
}

impl Records {
    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Arc<Record>> {
        self.by_id.get(id)
    }

    /// The records at a full, lower-case name.
    pub(crate) fn at(&self, name: &str) -> &[Arc<Record>] {
        self.names.at(name)
    }

    /// All records in the order of their creation.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Record>> {
        self.by_creation.values()
    }

    /// The number for the next record.
    pub(crate) fn next_sequence(&self) -> u64 {
        self.by_creation.last_key_value().map_or(1, |(sequence, _)| sequence + 1)
    }

    /// Makes `after` the record with this id, or removes it, and gives back what was there.
    pub(crate) fn put(&mut self, id: &str, after: Option<Arc<Record>>) -> Option<Arc<Record>> {
        let before = match &after {
            Some(record) => self.by_id.insert(id.to_owned(), Arc::clone(record)),
            None => self.by_id.remove(id),
        };
        self.names.change(before.as_deref(), after.as_ref());
        if let Some(before) = &before {
            self.by_creation.remove(&before.sequence);
        }
        if let Some(record) = after {
            self.by_creation.insert(record.sequence, record);
        }
        before
    }

    /// A copy of the names, for DNS.
    pub(crate) fn names(&self) -> &Names {
        &self.names
    }
}
