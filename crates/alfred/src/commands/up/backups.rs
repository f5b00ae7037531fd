//! Opening the place of the backups, and how often they are made.

use std::sync::Arc;

use alfred_model::backup::{KEEP_MAX, Keep};
use alfred_model::id::InstallationId;
use alfred_server::{BackupParts, BackupService};
use alfred_state::{Backups, States};
use alfred_store::Store;

use super::schedule::Interval;
use super::states;
use crate::config::{Config, Key};
use crate::error::Failure;
use crate::system::{SystemClock, SystemRandom};

/// What makes backups; nothing, where no place for them is configured.
pub(super) async fn open(
    config: &Config,
    store: Arc<dyn Store>,
    states: &Arc<States>,
    installation: InstallationId,
) -> Result<Option<Arc<BackupService>>, Failure> {
    let expected = "a time such as `1h` or `30m`, at least `1s`, or `off`";
    let every = config.parse(Key::BackupInterval, expected)?.and_then(|Interval(every)| every);
    let keep = Keep { newest: count(config, Key::BackupKeep, 1)?, days: count(config, Key::BackupKeepDays, 0)? };
    if config.secret(Key::Backup).is_none() {
        return Ok(None);
    }
    let place = states::at(config, Key::Backup).await?;
    if states.stores().places().contains(&place.place()) {
        let words = format!("`{}` is a store of states: {}", Key::Backup.variable(), place.place());
        return Err(Failure::usage(words).hint("name a place that nothing else uses"));
    }
    Ok(Some(BackupService::new(BackupParts {
        backups: Backups::new(place, states::keyring(config)?, states::seams()),
        keep,
        every,
        installation,
        states: Arc::clone(states),
        store,
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
    })))
}

fn count(config: &Config, key: Key, least: u32) -> Result<u32, Failure> {
    let expected = format!("a number from {least} to {KEEP_MAX}");
    let count = config.parse(key, &expected)?.filter(|count| (least..=KEEP_MAX).contains(count));
    count.ok_or_else(|| config.wrong(key, &expected))
}
