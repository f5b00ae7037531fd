//! Rows that can be leased, with an index of those that are to be woken.

use std::collections::{BTreeMap, BTreeSet};

use alfred_model::environment::{Environment, Step};
use alfred_model::id::{EnvironmentId, VmId};
use alfred_model::vm::{Vm, VmStep};
use jiff::Timestamp;

use crate::rule::earlier;
use crate::{Claim, Lease};

/// A row that workers lease.
pub(super) trait Leasable: Clone {
    type Id: Copy + Ord;

    fn id(&self) -> Self::Id;
    fn wake_at(&self) -> Option<Timestamp>;
    fn set_wake_at(&mut self, wake_at: Option<Timestamp>);
    fn raise_version(&mut self);
    fn is_settled(&self) -> bool;
}

macro_rules! leasable {
    ($row:ty, $id:ty, $settled:path) => {
        impl Leasable for $row {
            type Id = $id;

            fn id(&self) -> $id {
                self.id
            }

            fn wake_at(&self) -> Option<Timestamp> {
                self.wake_at
            }

            fn set_wake_at(&mut self, wake_at: Option<Timestamp>) {
                self.wake_at = wake_at;
            }

            fn raise_version(&mut self) {
                self.version += 1;
            }

            fn is_settled(&self) -> bool {
                self.step == $settled
            }
        }
    };
}

leasable!(Environment, EnvironmentId, Step::Settled);
leasable!(Vm, VmId, VmStep::Settled);

/// A row with what the store adds to it.
#[derive(Debug, Clone)]
pub(super) struct Held<R> {
    pub(super) row: R,
    /// Who has it, and until when.
    pub(super) lease: Option<(String, Timestamp)>,
    /// Whether it was woken while somebody had it.
    pub(super) woken: bool,
}

/// All rows of one kind.
#[derive(Debug)]
pub(super) struct Rows<R: Leasable> {
    held: BTreeMap<R::Id, Held<R>>,
    due: BTreeSet<(Timestamp, R::Id)>,
}

impl<R: Leasable> Default for Rows<R> {
    fn default() -> Self {
        Self { held: BTreeMap::new(), due: BTreeSet::new() }
    }
}

impl<R: Leasable> Rows<R> {
    pub(super) fn get(&self, id: &R::Id) -> Option<&Held<R>> {
        self.held.get(id)
    }

    pub(super) fn all(&self) -> impl DoubleEndedIterator<Item = &R> {
        self.held.values().map(|held| &held.row)
    }

    /// All rows with what the store adds to them.
    pub(super) fn held(&self) -> impl Iterator<Item = &Held<R>> {
        self.held.values()
    }

    /// Adds a row with what the store adds to it.
    pub(super) fn put_held(&mut self, held: Held<R>) {
        if let Some(wake_at) = held.row.wake_at() {
            self.due.insert((wake_at, held.row.id()));
        }
        self.held.insert(held.row.id(), held);
    }

    /// Adds a row, or replaces it, keeping its lease or not.
    pub(super) fn put(&mut self, row: R, lease: Lease) {
        let id = row.id();
        let (kept, woken) = match (self.held.remove(&id), lease) {
            (Some(before), Lease::Keep) => {
                self.forget_wake(&before.row);
                (before.lease, before.woken)
            }
            (Some(before), Lease::Release) => {
                self.forget_wake(&before.row);
                (None, false)
            }
            (None, _) => (None, false),
        };
        if let Some(wake_at) = row.wake_at() {
            self.due.insert((wake_at, id));
        }
        self.held.insert(id, Held { row, lease: kept, woken });
    }

    fn forget_wake(&mut self, row: &R) {
        if let Some(wake_at) = row.wake_at() {
            self.due.remove(&(wake_at, row.id()));
        }
    }

    /// Makes a row that is not settled due at `time`, if it is not due earlier.
    pub(super) fn wake(&mut self, id: R::Id, time: Timestamp) {
        let Some(held) = self.held.get_mut(&id).filter(|held| !held.row.is_settled()) else { return };
        let before = held.row.wake_at();
        let after = earlier(before, time);
        held.row.set_wake_at(Some(after));
        held.woken = held.lease.is_some();
        if let Some(before) = before {
            self.due.remove(&(before, id));
        }
        self.due.insert((after, id));
    }

    /// Leases the rows that are due and free.
    pub(super) fn claim(&mut self, claim: &Claim) -> Vec<R> {
        let is_free = |held: &Held<R>| held.lease.as_ref().is_none_or(|(_, until)| *until <= claim.now);
        let ids: Vec<R::Id> = self
            .due
            .iter()
            .take_while(|(wake_at, _)| *wake_at <= claim.now)
            .map(|(_, id)| *id)
            .filter(|id| self.held.get(id).is_some_and(is_free))
            .take(claim.limit)
            .collect();
        let mut claimed = Vec::with_capacity(ids.len());
        for id in ids {
            if let Some(held) = self.held.get_mut(&id) {
                held.row.raise_version();
                held.lease = Some((claim.worker.clone(), claim.until));
                held.woken = false;
                claimed.push(held.row.clone());
            }
        }
        claimed
    }

    /// Prolongs the leases of `worker` and counts them.
    pub(super) fn renew(&mut self, worker: &str, until: Timestamp) -> u64 {
        let mut renewed = 0;
        for (holder, end) in self.held.values_mut().filter_map(|held| held.lease.as_mut()) {
            if holder == worker {
                *end = until.max(*end);
                renewed += 1;
            }
        }
        renewed
    }

    /// The earliest time at which a claim could find a row.
    pub(super) fn next_wake(&self) -> Option<Timestamp> {
        let free_at = |&(wake_at, id): &(Timestamp, R::Id)| {
            let lease = self.held.get(&id).and_then(|held| held.lease.as_ref());
            lease.map_or(wake_at, |(_, until)| wake_at.max(*until))
        };
        self.due.iter().map(free_at).min()
    }
}
