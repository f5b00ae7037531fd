//! Opening the stores of the Terraform states, with a plain word for everything that may be wrong with them.

use std::path::Path;
use std::sync::Arc;

use alfred_model::state::retention::Defaults;
use alfred_server::{STATE_SIZE_MAX, STATES_AT_ONCE, StatesParts, mirror_records};
use alfred_state::backend::{NatsOptions, OpenOptions, length, open as open_backend};
use alfred_state::mirror::MirrorRecords;
use alfred_state::{Backend, Keyring, Room, Seams, States, Stores};
use alfred_store::Store;
use secrecy::{ExposeSecret, SecretString};

use crate::config::{Config, Key};
use crate::error::{Failure, chain};
use crate::system::{SystemClock, SystemRandom};

/// A content is never allowed to be longer, in bytes: it is held in memory whole.
const SIZE_MAX: u64 = 4 << 30;

/// Opens the states that the configuration names. The record of a mirror is kept in `store`.
pub(in crate::commands) async fn open(config: &Config, store: Arc<dyn Store>) -> Result<StatesParts, Failure> {
    let (keyring, defaults, size_max) = (keyring(config)?, retention(config)?, size_max(config)?);
    let seams = seams();
    let first = at(config, Key::State).await?;
    let stores = if config.secret(Key::StateMirror).is_some() {
        let second = at(config, Key::StateMirror).await?;
        if first.place() == second.place() {
            let words = format!("`{}` and `{}` are the same", Key::State.variable(), Key::StateMirror.variable());
            return Err(Failure::usage(words).hint("a mirror is another store, of any kind"));
        }
        Stores::mirrored(first, second, mirror_records(store), seams.clone())
    } else {
        check_alone(&first, &*mirror_records(store)).await?;
        Stores::single(first, seams.clone())
    };
    let room = Room::new(size_max.saturating_mul(STATES_AT_ONCE));
    let states = Arc::new(States::new(stores, keyring, defaults, seams).in_room(room));
    Ok(StatesParts { states, size_max })
}

/// Refuses a store that followed another one when there were two: what the other one took in since would not be there.
async fn check_alone(only: &Arc<dyn Backend>, records: &dyn MirrorRecords) -> Result<(), Failure> {
    let record = records.read().await.map_err(|error| Failure::new(chain(&error)))?;
    match record {
        Some((record, _)) if record.primary != only.place() => {
            let words = format!("states are kept in {}, which {} followed", record.primary, only.place());
            Err(Failure::usage(words).hint(format!(
                "name that one in `{}`, or both of them and `alfred state switch` first",
                Key::State.variable()
            )))
        }
        _ => Ok(()),
    }
}

/// The system's time and chance.
pub(in crate::commands) fn seams() -> Seams {
    Seams { clock: Arc::new(SystemClock), random: Arc::new(SystemRandom) }
}

pub(in crate::commands) async fn at(config: &Config, key: Key) -> Result<Arc<dyn Backend>, Failure> {
    let address = config.secret(key).map(ExposeSecret::expose_secret).unwrap_or_default();
    // What a relative one is below would depend on who starts the server.
    if !address.contains("://") && !Path::new(address).is_absolute() {
        return Err(config.wrong(key, "an absolute path, or an address such as `r2://BUCKET/PREFIX`"));
    }
    backend(config, address).await.map_err(|failure| failure.about(key.variable()))
}

/// Opens the store at an address, with the keys and credentials that the configuration has.
pub(in crate::commands) async fn backend(config: &Config, address: &str) -> Result<Arc<dyn Backend>, Failure> {
    open_backend(address, &options(config)).await.map_err(|error| Failure::new(chain(&error)))
}

/// What the configuration has for the stores of states.
pub(in crate::commands) fn options(config: &Config) -> OpenOptions {
    OpenOptions {
        endpoint: config.text(Key::R2Endpoint).map(str::to_owned),
        access_key_id: config.text(Key::AwsAccessKeyId).map(SecretString::from),
        secret_access_key: config.secret(Key::AwsSecretAccessKey).cloned(),
        nats: NatsOptions { credentials: config.secret(Key::StateNatsCredentials).cloned(), ..NatsOptions::default() },
        ..OpenOptions::new(seams())
    }
}

/// The keys that states are encrypted with.
pub(in crate::commands) fn keyring(config: &Config) -> Result<Keyring, Failure> {
    let Some(keys) = config.secret(Key::StateKeys) else { return Ok(Keyring::default()) };
    Keyring::parse(keys).map_err(|error| Failure::usage(format!("`{}`: {error}", Key::StateKeys.variable())))
}

fn retention(config: &Config) -> Result<Defaults, Failure> {
    let usual = Defaults::default();
    let number = |key| config.parse::<std::num::NonZeroU32>(key, "a number from 1 on");
    Ok(Defaults {
        keep_versions: number(Key::StateKeepVersions)?.map_or(usual.keep_versions, std::num::NonZeroU32::get),
        keep_days: number(Key::StateKeepDays)?.map(std::num::NonZeroU32::get).or(usual.keep_days),
    })
}

fn size_max(config: &Config) -> Result<usize, Failure> {
    let expected = "a length from 1KiB to 4GiB, such as `256MiB`";
    let Some(text) = config.text(Key::StateSizeMax) else { return Ok(STATE_SIZE_MAX) };
    let bytes = length(text).filter(|bytes| (1_024..=SIZE_MAX).contains(bytes));
    bytes.and_then(|bytes| usize::try_from(bytes).ok()).ok_or_else(|| config.wrong(Key::StateSizeMax, expected))
}
