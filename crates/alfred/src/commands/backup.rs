//! `alfred backup`: copies of all states and of alfred's own records. All but `now` read the place of the backups directly:
//! a backup is for when the server is gone.

mod list;
mod look;
mod now;
mod restore;
mod verify;

use std::path::Path;

use alfred_state::Backups;
use alfred_state::backup::{BackupError, Entry};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::Context;
use super::up::states;
use crate::cli::BackupCommand;
use crate::config::Key;
use crate::error::{Exit, Failure, chain};

/// Runs the command.
pub(super) async fn run(context: &Context, command: BackupCommand) -> Result<Exit, Failure> {
    match command {
        BackupCommand::Now { full } => now::run(context, full).await,
        BackupCommand::List { from } => list::run(context, from.as_deref()).await,
        BackupCommand::Verify { number, all, from } => verify::run(context, number, all, from.as_deref()).await,
        BackupCommand::Show { number, from } => look::show(context, number, from.as_deref()).await,
        BackupCommand::Read { number, state, from } => look::read(context, number, &state, from.as_deref()).await,
        BackupCommand::Restore(arguments) => restore::run(context, &arguments).await,
    }
}

/// The backups at an address, or where the configuration says.
async fn open(context: &Context, from: Option<&str>) -> Result<Backups, Failure> {
    let config = &context.config;
    let configured = config.secret(Key::Backup).map(ExposeSecret::expose_secret);
    let Some(address) = from.or(configured) else {
        let failure = Failure::usage("it is not said where the backups are");
        return Err(failure.hint(format!("name the place with `--from`, or set `{}`", Key::Backup.variable())));
    };
    // A store that is not there would be made.
    let path = address.strip_prefix("file://").unwrap_or(address);
    if !path.contains("://") && !Path::new(path).is_dir() {
        return Err(Failure::new(format!("there is no folder `{path}`")));
    }
    let place = states::backend(config, address).await.map_err(|failure| failure.about("the backups"))?;
    Ok(Backups::new(place, states::keyring(config)?, states::seams()))
}

/// Why something was not done, in words for people.
fn failed(error: &BackupError) -> Failure {
    Failure::new(chain(error))
}

/// A backup for machines, as the server tells one.
fn document(entry: &Entry) -> Value {
    json!({
        "number": entry.number,
        "begun_at": entry.begun_at,
        "finished_at": entry.finished_at,
        "states": entry.states,
        "versions": entry.versions,
        "bytes": entry.bytes,
        "written": entry.written,
        "records": entry.records,
        "lacking": entry.lacking,
        "verified_at": entry.verified_at,
    })
}
