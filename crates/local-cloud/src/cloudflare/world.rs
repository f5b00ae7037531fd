//! Everything the Cloudflare side holds, and the path from a committed change to DNS.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};

use super::{
    budget::Budgets,
    error::ApiError,
    index::{Change, Names},
    options::{Options, Plan},
    query::{Order, Query},
    record::Record,
    zone::{Context, Transaction, Zone},
};

/// All state of the Cloudflare side.
pub(crate) struct World {
    pub(crate) options: Options,
    /// By id.
    pub(crate) zones: BTreeMap<String, ZoneEntry>,
    pub(crate) budgets: Budgets,
    pub(crate) imports: Budgets,
    /// Ids of the tokens whose value is no longer that of the options.
    pub(crate) rolled: BTreeSet<String>,
    /// When it was made; its tokens say that they were issued then.
    pub(crate) began: Timestamp,
}

/// A zone with what is derived from it.
pub(crate) struct ZoneEntry {
    pub(crate) zone: Zone,
    /// What DNS answers from.
    pub(crate) published: Names,
    /// Grows with each published transaction: the zone's serial number.
    pub(crate) serial: u32,
    /// Committed but not yet visible in DNS, oldest first.
    waiting: VecDeque<(Timestamp, Vec<Change>)>,
    /// The last sorted listing; pages of a zone that does not change are cut from it.
    listing: Option<Listing>,
}

/// All records of one version of a zone in one order.
struct Listing {
    version: u64,
    order: Order,
    records: Arc<[Arc<Record>]>,
}

/// The first serial number; any will do, as long as it grows.
pub(crate) const FIRST_SERIAL: u32 = 2_300_000_000;

impl ZoneEntry {
    pub(crate) fn new(zone: Zone) -> Self {
        Self {
            published: zone.records.names().clone(),
            zone,
            serial: FIRST_SERIAL,
            waiting: VecDeque::new(),
            listing: None,
        }
    }

    fn publish(&mut self, now: Timestamp) {
        while self.waiting.front().is_some_and(|(due, _)| *due <= now) {
            let Some((_, changes)) = self.waiting.pop_front() else {
                return;
            };
            self.serial = self.serial.wrapping_add(1);
            for (before, after) in &changes {
                self.published.change(before.as_deref(), after.as_ref());
            }
        }
    }

    /// The records that a query asks for, in its order, all pages.
    pub(crate) fn select(&mut self, query: &Query) -> Arc<[Arc<Record>]> {
        if let Some(name) = query.exact_name() {
            let mut found: Vec<_> =
                self.zone.records.at(name).iter().filter(|record| query.matches(record)).cloned().collect();
            query.order.sort(&mut found);
            return found.into();
        }
        let sorted = self.sorted(query.order);
        if query.takes_all() {
            return sorted;
        }
        sorted.iter().filter(|record| query.matches(record)).cloned().collect()
    }

    fn sorted(&mut self, order: Order) -> Arc<[Arc<Record>]> {
        let version = self.zone.version;
        if let Some(listing) = &self.listing
            && listing.version == version
            && listing.order == order
        {
            return Arc::clone(&listing.records);
        }
        let mut records: Vec<_> = self.zone.records.iter().cloned().collect();
        order.sort(&mut records);
        let records: Arc<[Arc<Record>]> = records.into();
        self.listing = Some(Listing { version, order, records: Arc::clone(&records) });
        records
    }
}

impl World {
    pub(crate) fn new(options: Options, now: Timestamp) -> Self {
        let zones =
            options.zones.iter().map(|zone| (zone.id.clone(), ZoneEntry::new(Zone::new(zone.clone(), now)))).collect();
        let (budgets, imports, rolled) = (Budgets::default(), Budgets::default(), BTreeSet::new());
        Self { options, zones, budgets, imports, rolled, began: now }
    }

    /// Lets DNS see what is due.
    pub(crate) fn publish(&mut self, now: Timestamp) {
        for entry in self.zones.values_mut() {
            entry.publish(now);
        }
    }

    /// The zone that a full, lower-case name lies in.
    pub(crate) fn zone_of(&self, name: &str) -> Option<&ZoneEntry> {
        self.zones
            .values()
            .filter(|entry| super::name::is_in(name, &entry.zone.settings.name))
            .max_by_key(|entry| entry.zone.settings.name.len())
    }

    /// The quota that a zone has itself, if its plan gives it one.
    pub(crate) fn quota(zone: &Zone) -> Option<u64> {
        zone.settings.record_quota.or(zone.settings.plan.record_quota())
    }

    /// Records in the zones that share the account's quota.
    pub(crate) fn account_usage(&self) -> u64 {
        self.zones
            .values()
            .filter(|entry| entry.zone.settings.plan == Plan::Enterprise)
            .map(|entry| entry.zone.records.len() as u64)
            .sum()
    }

    /// How many more records a zone may get.
    fn room(&self, zone: &Zone) -> u64 {
        match Self::quota(zone) {
            Some(quota) => quota.saturating_sub(zone.records.len() as u64),
            None => self.options.account_quota.saturating_sub(self.account_usage()),
        }
    }

    /// Changes a zone in one transaction and sends the changes on their way to DNS.
    pub(crate) fn transact<T>(
        &mut self,
        zone: &str,
        now: Timestamp,
        new_id: &mut dyn FnMut() -> String,
        work: impl FnOnce(&mut Transaction<'_, '_>) -> Result<T, ApiError>,
    ) -> Result<(T, bool), ApiError> {
        let room = self.zones.get(zone).map(|entry| self.room(&entry.zone)).unwrap_or_default();
        let entry = self.zones.get_mut(zone).ok_or_else(|| ApiError::no_route(&format!("/zones/{zone}")))?;
        let context = Context { now, room, older_duplicate_code: self.options.older_duplicate_code, new_id };
        let (value, changes) = entry.zone.transact(context, work)?;
        let any = !changes.is_empty();
        if any {
            entry.listing = None;
            let delay = i64::try_from(self.options.publication_delay_ms).unwrap_or(i64::MAX);
            let due = now.saturating_add(SignedDuration::from_millis(delay)).unwrap_or(Timestamp::MAX);
            entry.waiting.push_back((due, changes));
            entry.publish(now);
        }
        Ok((value, any))
    }
}
