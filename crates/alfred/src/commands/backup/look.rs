//! `alfred backup show` and `alfred backup read`.

use std::io::Write as _;

use alfred_model::state::StateName;
use alfred_state::backup::{Lacking, ListedState};
use serde_json::{Value, json};

use super::{Context, document, failed, open};
use crate::cli::BackupNumber;
use crate::commands::state::size;
use crate::error::{Exit, Failure, one_line};
use crate::table;

/// Lists the states in a backup.
pub(super) async fn show(
    context: &Context,
    BackupNumber(number): BackupNumber,
    from: Option<&str>,
) -> Result<Exit, Failure> {
    let backups = open(context, from).await?;
    let shown = backups.show(number).await.map_err(|error| failed(&error))?;
    if context.printer.json() {
        let mut told = document(&shown.entry);
        told["source"] = shown.source.into();
        told["states"] = shown.states.iter().map(state).collect();
        told["lacking"] = shown.lacking.iter().map(lacking).collect();
        context.printer.document(&told)?;
        return Ok(Exit::Done);
    }
    let mut table = table::table(&["NAME", "NEWEST", "VERSIONS", "SIZE", "CHANGED"]);
    for state in &shown.states {
        table.add_row([
            state.name.to_string(),
            table::or_dash(state.newest.as_ref().map(|version| version.key.serial)),
            state.versions.to_string(),
            size(state.bytes),
            table::time(state.changed_at),
        ]);
    }
    context.printer.data(table::text(&table))?;
    for Lacking { state, version, words } in &shown.lacking {
        let version = version.map_or_else(String::new, |version| format!(" version {version}"));
        context.printer.warning(format_args!("not in it: `{state}`{version}: {}", one_line(words)));
    }
    Ok(Exit::Done)
}

fn state(state: &ListedState) -> Value {
    let ListedState { name, newest, versions, bytes, changed_at } = state;
    json!({ "name": name, "newest": newest, "versions": versions, "bytes": bytes, "changed_at": changed_at })
}

/// What could not be backed up, for machines.
pub(super) fn lacking(lacking: &Lacking) -> Value {
    let serial = lacking.version.map(|version| version.serial);
    json!({ "state": lacking.state, "serial": serial, "words": lacking.words })
}

/// Prints the newest content of a state, bit for bit.
pub(super) async fn read(
    context: &Context,
    BackupNumber(number): BackupNumber,
    state: &StateName,
    from: Option<&str>,
) -> Result<Exit, Failure> {
    let backups = open(context, from).await?;
    let (version, bytes) = backups.read_state(number, state).await.map_err(|error| failed(&error))?;
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(&bytes)?;
    stdout.flush()?;
    context.printer.detail(format_args!("version {} of `{state}`, written by `{}`", version.key, version.by));
    Ok(Exit::Done)
}
