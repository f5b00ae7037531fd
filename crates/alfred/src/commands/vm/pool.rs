//! `alfred vm pool`: the pool, its plan, and the switch that stops buying.

mod view;

use serde::Deserialize as _;
use serde_json::{Value, json};

use super::Context;
use crate::api::Pool;
use crate::cli::{PoolArguments, PoolCommand};
use crate::error::{Exit, Failure};

/// Shows the plan, after doing what was asked for.
pub(super) async fn run(context: &Context, arguments: PoolArguments) -> Result<Exit, Failure> {
    let client = context.client()?;
    let (document, said): (Value, _) = match arguments.command {
        None => (client.get("/v1/pool").await?, None),
        Some(PoolCommand::Pause { reason }) => {
            let said = "the pool is paused: nothing is bought and nothing is let lapse until `alfred vm pool resume`";
            (client.post("/v1/pool/pause", &json!({ "reason": reason })).await?, Some(said))
        }
        Some(PoolCommand::Resume) => {
            let said = "the pool is resumed: orders that failed before are forgiven";
            (client.post("/v1/pool/resume", &json!({})).await?, Some(said))
        }
    };
    if context.printer.json() {
        context.printer.document(&document)?;
        return Ok(Exit::Done);
    }
    if let Some(said) = said {
        context.printer.note(said);
    }
    let pool = Pool::deserialize(&document)
        .map_err(|error| Failure::because("the server's answer cannot be understood", &error))?;
    context.printer.data(if said.is_some() { view::summary(&pool) } else { view::plan(&pool) })?;
    Ok(Exit::Done)
}
