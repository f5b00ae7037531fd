//! What is wanted of one name, as one unit that is never divided over two batches.

use std::borrow::Cow;
use std::collections::HashMap;

use alfred_model::failure::Failure;
use alfred_model::id::RecordId;
use alfred_model::name::DomainName;
use alfred_providers::budget::Priority;
use alfred_providers::cloudflare::{Batch, BatchResult, NewRecord, Record};

use super::plan::{Operation, Plan};
use super::{Ask, Change, Look};

/// Everything that was asked of one name and can be done in one batch, in order.
pub(super) struct Wanted {
    pub(super) asks: Vec<Ask>,
}

impl Wanted {
    pub(super) fn name(&self) -> &DomainName {
        self.asks[0].change.name()
    }

    /// How urgent it is.
    pub(super) fn priority(&self) -> Priority {
        let withdraws = self.asks.iter().any(|ask| matches!(ask.change, Change::Withdraw { .. }));
        if withdraws { Priority::Deletion } else { Priority::NewName }
    }

    /// The records to plan with, where nothing needs to be read.
    pub(super) fn seen(&self) -> Option<Vec<Record>> {
        let mut seen = Vec::new();
        for ask in &self.asks {
            match ask.change.look() {
                Look::Nowhere => {}
                Look::Seen(records) => seen.extend(records.iter().cloned()),
                Look::Ours | Look::Everywhere => return None,
            }
        }
        Some(seen)
    }

    pub(super) fn looks_everywhere(&self) -> bool {
        self.asks.iter().any(|ask| *ask.change.look() == Look::Everywhere)
    }

    /// Only writes, and no earlier one of ours that may have been carried out.
    pub(super) fn only_asks_whether_free(&self) -> bool {
        self.asks.iter().all(|ask| matches!(ask.change, Change::Write { look: Look::Everywhere | Look::Nowhere, .. }))
    }
}

/// Sorts what was asked by name. A batch deletes before it creates, so a withdrawal and a write of the same name go
/// together; whatever else is asked of a name a second time waits for the next round, and is the second answer.
pub(super) fn by_name(asks: Vec<Ask>) -> (Vec<Wanted>, Vec<Ask>) {
    let mut places: HashMap<DomainName, Option<usize>> = HashMap::with_capacity(asks.len());
    let mut wanted: Vec<Wanted> = Vec::with_capacity(asks.len());
    let mut later = Vec::new();
    for ask in asks {
        let place = places.entry(ask.change.name().clone());
        match place {
            std::collections::hash_map::Entry::Vacant(vacant) => {
                vacant.insert(Some(wanted.len()));
                wanted.push(Wanted { asks: vec![ask] });
            }
            std::collections::hash_map::Entry::Occupied(mut open) => {
                let joins = open.get().filter(|place| {
                    matches!(ask.change, Change::Write { .. })
                        && wanted[*place].asks.iter().all(|ask| matches!(ask.change, Change::Withdraw { .. }))
                });
                if let Some(place) = joins {
                    wanted[place].asks.push(ask);
                } else {
                    // Once one waits, all that follow must, or they would overtake it.
                    open.insert(None);
                    later.push(ask);
                }
            }
        }
    }
    (wanted, later)
}

/// A unit with the operations that it takes.
pub(super) struct Unit {
    pub(super) wanted: Wanted,
    pub(super) operations: Vec<Operation>,
    /// The record that is right already and stays.
    kept: Option<RecordId>,
    /// Whether its name was read because an earlier attempt was refused.
    pub(super) read_again: bool,
}

impl Unit {
    /// Plans with the zone's records of the name. Whatever is settled by that is answered; nothing comes back if all
    /// is.
    pub(super) fn plan(wanted: Wanted, there: &[Record], tags: bool, read_again: bool) -> Option<Self> {
        let mut there = Cow::Borrowed(there);
        let mut asks = Vec::with_capacity(wanted.asks.len());
        let mut operations = Vec::new();
        let mut kept = None;
        for ask in wanted.asks {
            match ask.change.plan(&there, tags) {
                Plan::Done(id) => ask.answer(Ok(id)),
                Plan::Foreign(words) => ask.answer(Err(Failure::definite(words))),
                Plan::Operations(more, stays) => {
                    kept = stays;
                    let gone = |record: &Record| more.contains(&Operation::Delete(record.id.clone()));
                    if there.iter().any(gone) {
                        there = Cow::Owned(there.iter().filter(|record| !gone(record)).cloned().collect());
                    }
                    operations.extend(more);
                    asks.push(ask);
                }
            }
        }
        (!asks.is_empty()).then_some(Self { wanted: Wanted { asks }, operations, kept, read_again })
    }

    /// Whether it makes the zone larger.
    pub(super) fn adds(&self) -> bool {
        self.operations.iter().any(|operation| matches!(operation, Operation::Post(..)))
    }

    /// Without the tags that say whose the records are.
    pub(super) fn leave_out_tags(&mut self) {
        for operation in &mut self.operations {
            if let Operation::Post(desired, tags) | Operation::Put(_, desired, tags) = operation {
                let own = desired.mark.tag();
                tags.retain(|tag| *tag != own);
            }
        }
    }

    pub(super) fn answer(self, outcome: &Result<Option<RecordId>, Failure>) {
        for ask in self.wanted.asks {
            let outcome = match (&ask.change, outcome) {
                (Change::Withdraw { .. }, Ok(_)) => Ok(None),
                (_, outcome) => outcome.clone(),
            };
            ask.answer(outcome);
        }
    }

    /// Leaves out those who no longer want it; nothing comes back if nobody does.
    ///
    /// If one of several asks has been given up, all are told to ask again: the operations were planned for all.
    pub(super) fn still_wanted(self) -> Option<Self> {
        if self.wanted.asks.iter().all(Ask::is_wanted) {
            return Some(self);
        }
        self.answer(&Err(Failure::wait("the change was given up before its turn came", None)));
        None
    }
}

/// Takes units from the front of `units` until a batch of `limit` changes is full; at least one.
pub(super) fn cut(units: &mut Vec<Unit>, limit: usize) -> Vec<Unit> {
    let mut changes = 0;
    let fits = units.iter().take_while(|unit| {
        changes += unit.operations.len();
        changes <= limit
    });
    let count = fits.count().max(1).min(units.len());
    let rest = units.split_off(count);
    std::mem::replace(units, rest)
}

pub(super) fn answer_all(units: impl IntoIterator<Item = Unit>, failure: &Failure) {
    for unit in units {
        unit.answer(&Err(failure.clone()));
    }
}

/// Deletions go first in the budget, and so does a batch that has any.
pub(super) fn priority(units: &[Unit]) -> Priority {
    let mut operations = units.iter().flat_map(|unit| &unit.operations);
    if operations.any(|operation| matches!(operation, Operation::Delete(_))) {
        Priority::Deletion
    } else {
        Priority::NewName
    }
}

pub(super) fn assemble(units: &[Unit]) -> Batch {
    let mut batch = Batch::default();
    for operation in units.iter().flat_map(|unit| &unit.operations) {
        match operation {
            Operation::Post(desired, tags) => batch.posts.push(with_tags(desired, tags)),
            Operation::Put(id, desired, tags) => batch.puts.push((id.clone(), with_tags(desired, tags))),
            Operation::Delete(id) => batch.deletes.push(id.clone()),
        }
    }
    batch
}

fn with_tags(desired: &alfred_model::record::DesiredRecord, tags: &[String]) -> NewRecord {
    NewRecord { tags: tags.to_vec(), ..NewRecord::from(desired) }
}

/// The answer holds the records in the order of the operations.
pub(super) fn answer_done(units: Vec<Unit>, result: &BatchResult) {
    let mut posts = result.posts.iter();
    for unit in units {
        let mut written: Option<RecordId> = unit.kept.clone();
        for operation in &unit.operations {
            match operation {
                Operation::Post(..) => written = posts.next().map(|record| record.id.clone()),
                Operation::Put(id, ..) => written = Some(id.clone()),
                Operation::Delete(_) => {}
            }
        }
        unit.answer(&Ok(written));
    }
}
