//! `alfred backup list`.

use serde_json::json;

use super::{Context, document, failed, open};
use crate::commands::state::size;
use crate::error::{Exit, Failure};
use crate::table;

/// Lists the backups in a place, oldest first.
pub(super) async fn run(context: &Context, from: Option<&str>) -> Result<Exit, Failure> {
    let backups = open(context, from).await?;
    let list = backups.list().await.map_err(|error| failed(&error))?;
    if context.printer.json() {
        let all: Vec<_> = list.iter().map(document).collect();
        context.printer.document(&json!({ "place": backups.place(), "backups": all }))?;
        return Ok(Exit::Done);
    }
    if list.is_empty() {
        context.printer.note(format_args!("{} has no backups", backups.place()));
        return Ok(Exit::Done);
    }
    let mut table =
        table::table(&["NUMBER", "MADE", "STATES", "VERSIONS", "SIZE", "NEW", "RECORDS", "LACKING", "VERIFIED"]);
    for entry in &list {
        table.add_row([
            entry.number.to_string(),
            table::time(entry.finished_at),
            entry.states.to_string(),
            entry.versions.to_string(),
            size(entry.bytes),
            size(entry.written),
            table::or_dash(entry.records.map(size)),
            entry.lacking.to_string(),
            table::or_dash(entry.verified_at.map(table::minute)),
        ]);
    }
    context.printer.data(table::text(&table))?;
    Ok(Exit::Done)
}
