//! The zones in which environments are named: a client and a writer for each, and how much room each has.
//!
//! Room is looked at before anything is bought. The numbers are the provider's own (`usage`), which count other
//! people's records too; between two looks our own promises are counted on top. Two replicas may promise the same last
//! place in the same moment: then one environment is told by the zone itself that it is full.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use alfred_model::environment::Status;
use alfred_model::failure::Failure;
use alfred_model::id::{InstallationId, ZoneId};
use alfred_model::name::DomainName;
use alfred_model::policy::later;
use alfred_model::seam::Clock;
use alfred_model::zones::{Room, spread};
use alfred_providers::cloudflare::{Cloudflare, Plan};
use alfred_store::{EnvironmentQuery, StoreError};
use jiff::Timestamp;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::writer::{Ours, RecordWriter};
use crate::{Engine, measure};

/// How long a look at a zone's usage is good for, as long as there is plenty of room.
const GOOD_FOR: Duration = Duration::from_mins(5);

/// How long it is still good enough while a new look is taken beside the request: nobody waits for that.
const GOOD_ENOUGH_FOR: Duration = Duration::from_hours(24);

/// Room beyond which nobody needs to look again: so many names, or that share of a small zone, and so many times what is
/// asked for, must be left.
const PLENTY: u64 = 200;
const PLENTY_SHARE: u64 = 8;
const PLENTY_TIMES: u64 = 4;

fn has_plenty(room: &Room, asked: u64) -> bool {
    let spare = room.quota.map_or(PLENTY, |quota| PLENTY.min(quota / PLENTY_SHARE));
    room.free().is_none_or(|free| free >= spare.saturating_add(asked.saturating_mul(PLENTY_TIMES)))
}

/// A zone in which environments are named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZoneSettings {
    /// Its name, such as `example.com`.
    pub name: DomainName,
    /// Its id at the provider.
    pub id: ZoneId,
    /// Its plan, where it is known: it says how large a batch may be, and whether records have tags.
    pub plan: Option<Plan>,
}

pub(crate) struct Zone {
    pub(crate) name: DomainName,
    pub(crate) cloudflare: Arc<Cloudflare>,
    pub(crate) writer: RecordWriter,
    places: Mutex<Taken>,
}

/// What of a zone's room is known, and what is being given away.
#[derive(Default)]
struct Taken {
    /// How full the zone was at that time, with all promises since.
    room: Option<(Room, Timestamp)>,
    /// Names that are being written down just now.
    reserved: u64,
}

/// Never empty.
pub(crate) struct Zones {
    all: Vec<Zone>,
    /// One request at a time looks for room and reserves it.
    gate: tokio::sync::Mutex<()>,
    /// Somebody was given a place by an old look.
    outdated: Notify,
}

/// No zone has room for what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoRoom {
    /// How many names were asked for.
    pub asked: usize,
    /// The zones and how full they are.
    pub zones: Vec<(DomainName, Room)>,
}

impl std::error::Error for NoRoom {}

impl fmt::Display for NoRoom {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = if self.asked == 1 { "name" } else { "names" };
        let which = if self.zones.len() == 1 { "the zone has" } else { "the zones have" };
        write!(formatter, "{which} no room for {} more {names}: ", self.asked)?;
        for (place, (name, room)) in self.zones.iter().enumerate() {
            let separator = if place == 0 { "" } else { "; " };
            let quota = room.quota.unwrap_or_default();
            write!(formatter, "{separator}`{name}` holds {} of {quota} records", room.used)?;
            if room.promised > 0 {
                write!(formatter, ", and {} more are promised", room.promised)?;
            }
        }
        formatter.write_str("; nothing was created")
    }
}

impl Zones {
    pub(crate) fn new(
        cloudflare: &Arc<Cloudflare>,
        settings: &[ZoneSettings],
        installation: InstallationId,
        clock: &Arc<dyn Clock>,
    ) -> Self {
        let zones = settings.iter().map(|zone| {
            let cloudflare = Arc::new(cloudflare.for_zone(zone.id.clone()));
            let ours = Ours::Installation(installation);
            let writer = RecordWriter::new(Arc::clone(&cloudflare), &ours, zone.plan.as_ref(), Arc::clone(clock));
            Zone { name: zone.name.clone(), cloudflare, writer, places: Mutex::default() }
        });
        Self { all: zones.collect(), gate: tokio::sync::Mutex::default(), outdated: Notify::new() }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Zone> {
        self.all.iter()
    }

    /// The zone that a name belongs to: of zones within zones, the innermost.
    pub(crate) fn of(&self, name: &DomainName) -> Result<&Zone, Failure> {
        let holds = |zone: &&Zone| name.is_below(&zone.name);
        let zone = self.all.iter().filter(holds).max_by_key(|zone| zone.name.as_str().len());
        // It waits: whoever configured the zone may have left it out by mistake.
        zone.ok_or_else(|| {
            Failure::wait(format!("no configured zone holds `{name}`: name its zone in `ALFRED_DOMAIN` again"), None)
        })
    }
}

impl Zone {
    /// What is known of the room, and when it was read.
    fn room(&self, now: Timestamp) -> Option<(Room, Timestamp)> {
        let mut places = self.places();
        places.room.take_if(|(_, seen)| later(*seen, GOOD_ENOUGH_FOR) <= now || *seen > now);
        places.room.map(|(room, seen)| (Room { promised: room.promised + places.reserved, ..room }, seen))
    }

    /// The room as it was just read; what is being written down may be missing in it.
    fn set_room(&self, room: Room, now: Timestamp) -> Room {
        measure::zone(&self.name, &room);
        let mut places = self.places();
        places.room = Some((room, now));
        Room { promised: room.promised + places.reserved, ..room }
    }

    fn places(&self) -> MutexGuard<'_, Taken> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place for each of the names that were asked for, reserved until it is dropped.
pub(crate) struct Places<'a> {
    zones: Vec<&'a Zone>,
    taken: bool,
}

impl<'a> Places<'a> {
    fn reserve(zones: Vec<&'a Zone>) -> Self {
        for zone in &zones {
            zone.places().reserved += 1;
        }
        Self { zones, taken: false }
    }

    /// The zone of the name with this number.
    pub(crate) fn zone(&self, number: usize) -> &DomainName {
        &self.zones[number % self.zones.len()].name
    }

    /// The names are written down; they count as promised from now on.
    pub(crate) fn take(&mut self) {
        self.taken = true;
    }
}

impl Drop for Places<'_> {
    fn drop(&mut self) {
        for zone in &self.zones {
            let mut places = zone.places();
            places.reserved = places.reserved.saturating_sub(1);
            if let Some((room, _)) = places.room.as_mut().filter(|_| self.taken) {
                room.promised += 1;
            }
        }
    }
}

impl Engine {
    /// Finds a zone with room for each of `count` names, at least one. Where there is not room for all, the provider is
    /// asked before anybody is told so.
    pub(crate) async fn find_room(&self, count: usize) -> Result<Result<Places<'_>, NoRoom>, StoreError> {
        let _one_at_a_time = self.zones.gate.lock().await;
        let now = self.clock.now();
        let known: Option<Vec<(Room, Timestamp)>> = self.zones.iter().map(|zone| zone.room(now)).collect();
        let asked = u64::try_from(count).unwrap_or(u64::MAX);
        let rooms = match known.filter(|rooms| rooms.iter().any(|(room, _)| has_plenty(room, asked))) {
            Some(rooms) => {
                if rooms.iter().any(|(_, seen)| later(*seen, GOOD_FOR) <= now) {
                    self.zones.outdated.notify_one();
                }
                rooms.into_iter().map(|(room, _)| room).collect()
            }
            None => self.look_for_room().await?,
        };
        let Some(places) = spread(&rooms, count) else {
            let names = self.zones.iter().map(|zone| zone.name.clone());
            return Ok(Err(NoRoom { asked: count, zones: names.zip(rooms).collect() }));
        };
        let zones = places.into_iter().map(|place| &self.zones.all[place]).collect();
        Ok(Ok(Places::reserve(zones)))
    }

    /// Looks for room again whenever somebody was given a place by an old look, so that the next one has a new one.
    pub(crate) async fn room_loop(self: Arc<Self>, stop: CancellationToken) {
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = self.zones.outdated.notified() => {}
            }
            if let Err(error) = self.look_for_room().await {
                tracing::warn!(%error, "how many names are promised cannot be read now");
            }
        }
    }

    async fn look_for_room(&self) -> Result<Vec<Room>, StoreError> {
        let usages = futures::future::join_all(self.zones.iter().map(|zone| zone.cloudflare.usage())).await;
        // The store is read afterwards: a record that was written meanwhile counts twice rather than not at all.
        let promised = self.promised().await?;
        let now = self.clock.now();
        let rooms = self.zones.iter().zip(usages).map(|(zone, usage)| {
            let promised = promised.get(&zone.name).copied().unwrap_or_default();
            match usage {
                Ok(usage) => zone.set_room(Room { quota: usage.quota, used: usage.used, promised }, now),
                Err(error) => {
                    // The zone itself refuses what it has no room for.
                    tracing::warn!(zone = %zone.name, %error, "how full the zone is cannot be read now");
                    Room { quota: None, used: 0, promised }
                }
            }
        });
        Ok(rooms.collect())
    }

    /// How many names of each zone have no record yet and will get one.
    async fn promised(&self) -> Result<HashMap<DomainName, u64>, StoreError> {
        let query = EnvironmentQuery { status: Some(Status::Provisioning), ..EnvironmentQuery::default() };
        let mut promised = HashMap::new();
        for environment in self.store.environments(query).await? {
            if environment.record_id.is_none()
                && let Ok(zone) = self.zones.of(&environment.domain)
            {
                *promised.entry(zone.name.clone()).or_default() += 1;
            }
        }
        Ok(promised)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_zones_and_the_numbers() {
        let name = |text: &str| text.parse::<DomainName>().unwrap();
        let full = (name("a.example.com"), Room { quota: Some(200), used: 198, promised: 2 });
        let one = NoRoom { asked: 1, zones: vec![full.clone()] };
        assert_eq!(
            one.to_string(),
            "the zone has no room for 1 more name: `a.example.com` holds 198 of 200 records, and 2 more are promised; \
             nothing was created"
        );
        let more = (name("b.example.com"), Room { quota: Some(3_500), used: 3_499, promised: 0 });
        let two = NoRoom { asked: 5, zones: vec![full, more] };
        assert_eq!(
            two.to_string(),
            "the zones have no room for 5 more names: `a.example.com` holds 198 of 200 records, and 2 more are \
             promised; `b.example.com` holds 3499 of 3500 records; nothing was created"
        );
    }
}
