//! `alfred config`: what is configured, and by whom.

use serde_json::{Map, json};

use super::Context;
use crate::cli::ConfigCommand;
use crate::config::{Key, Kind};
use crate::error::{Exit, Failure};
use crate::table;

/// Prints each value with its origin.
pub(super) fn run(context: &Context, command: &ConfigCommand) -> Result<Exit, Failure> {
    match command {
        ConfigCommand::Show => show(context),
    }
}

fn show(context: &Context) -> Result<Exit, Failure> {
    let config = &context.config;
    if context.printer.json() {
        let entry = |key: &Key| {
            let origin = config.origin(*key).map(ToString::to_string);
            let value = json!({
                "variable": key.variable(),
                "value": config.shown(*key),
                "origin": origin,
                "secret": key.kind() == Kind::Secret,
            });
            (key.name().to_owned(), value)
        };
        let document: Map<_, _> = Key::ALL.iter().map(entry).collect();
        context.printer.document(&document)?;
        return Ok(Exit::Done);
    }
    let mut table = table::table(&["KEY", "VALUE", "ORIGIN", "VARIABLE"]);
    for key in Key::ALL {
        let origin = config.origin(*key).map_or_else(|| "not set".to_owned(), ToString::to_string);
        table.add_row([key.name(), &table::or_dash(config.shown(*key)), &origin, key.variable()]);
    }
    context.printer.data(table::text(&table))?;
    Ok(Exit::Done)
}
