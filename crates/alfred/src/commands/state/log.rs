//! `alfred state log`.

use super::Context;
use crate::api::StateLog;
use crate::cli::StateLogArguments;
use crate::client::encode;
use crate::error::{Exit, Failure, one_line};
use crate::table;

/// So many lines are read at once.
const PAGE: usize = 1_000;

/// Shows the newest lines, the newest last, as in a log file.
pub(super) async fn run(context: &Context, arguments: &StateLogArguments) -> Result<Exit, Failure> {
    let client = context.client()?;
    let wanted = usize::try_from(arguments.limit).unwrap_or(PAGE);
    let state = arguments.name.as_ref().map(|name| format!("&state={}", encode(name.as_str()))).unwrap_or_default();
    let mut log = StateLog { lines: Vec::new(), next_cursor: None };
    let mut cursor = String::new();
    while log.lines.len() < wanted {
        let limit = PAGE.min(wanted - log.lines.len());
        let page: StateLog = client.get(&format!("/v1/state-log?limit={limit}{state}{cursor}")).await?;
        log.lines.extend(page.lines);
        match page.next_cursor {
            Some(next) => cursor = format!("&cursor={}", encode(&next)),
            None => break,
        }
    }
    log.lines.reverse();
    if context.printer.json() {
        context.printer.document(&log)?;
        return Ok(Exit::Done);
    }
    if log.lines.is_empty() {
        context.printer.note("the log is empty");
        return Ok(Exit::Done);
    }
    let mut table = table::table(&["TIME (UTC)", "WHO", "STATE", "DID", "OUTCOME", "SERIAL", "MORE"]);
    for line in &log.lines {
        table.add_row([
            table::time(line.at),
            one_line(&line.actor),
            one_line(&line.state),
            line.action.clone(),
            line.outcome.clone(),
            table::or_dash(line.serial),
            one_line(line.detail.as_deref().unwrap_or_default()),
        ]);
    }
    context.printer.data(table::text(&table))?;
    Ok(Exit::Done)
}
