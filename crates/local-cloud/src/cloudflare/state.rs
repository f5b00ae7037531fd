//! The Cloudflare side as one serialisable value, for the state file and for tests that look at everything.

use std::sync::Arc;

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    World,
    options::ZoneOptions,
    record::Record,
    world::{FIRST_SERIAL, ZoneEntry},
    zone::Zone,
};

/// All zones with their records.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct State {
    /// In the order of their ids.
    pub zones: Vec<ZoneState>,
    /// Tokens that were rolled, with the values they have now.
    tokens: Vec<TokenState>,
}

/// One zone with its records.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ZoneState {
    /// What the zone is.
    pub zone: ZoneOptions,
    /// When it was made.
    pub created_on: Timestamp,
    /// The serial number that DNS tells; it only grows.
    #[serde(default = "first_serial")]
    pub serial: u32,
    /// Its records in the order of their creation.
    pub records: Vec<Arc<Record>>,
}

fn first_serial() -> u32 {
    FIRST_SERIAL
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct TokenState {
    id: String,
    #[serde(serialize_with = "exposed", deserialize_with = "hidden")]
    value: SecretString,
}

// The state file is a secret of this process: it is written with mode 0600.
fn exposed<S: Serializer>(value: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(value.expose_secret())
}

fn hidden<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    String::deserialize(deserializer).map(SecretString::from)
}

impl State {
    pub(super) fn of(world: &World) -> Self {
        Self {
            zones: world
                .zones
                .values()
                .map(|entry| ZoneState {
                    zone: entry.zone.settings.clone(),
                    created_on: entry.zone.created_on,
                    serial: entry.serial,
                    records: entry.zone.records.iter().cloned().collect(),
                })
                .collect(),
            tokens: world
                .options
                .tokens
                .iter()
                .filter(|token| world.rolled.contains(&token.id))
                .map(|token| TokenState { id: token.id.clone(), value: token.value.clone() })
                .collect(),
        }
    }

    pub(super) fn restore(self, world: &mut World, now: Timestamp) {
        for saved in self.zones {
            // Plan and quota are the options' to say: a run may try another plan on the same records.
            let settings = world.zones.get(&saved.zone.id).map_or(saved.zone, |entry| entry.zone.settings.clone());
            let mut zone = Zone::new(settings, now);
            zone.created_on = saved.created_on;
            for record in saved.records {
                let id = record.id.clone();
                zone.records.put(&id, Some(record));
            }
            world.zones.insert(zone.settings.id.clone(), ZoneEntry::new(zone));
        }
        for saved in self.tokens {
            if let Some(token) = world.options.tokens.iter_mut().find(|token| token.id == saved.id) {
                token.value = saved.value;
                world.rolled.insert(saved.id);
            }
        }
    }
}
