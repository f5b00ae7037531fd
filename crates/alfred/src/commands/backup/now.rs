//! `alfred backup now`.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::Context;
use crate::commands::state::size;
use crate::error::{Exit, Failure, one_line};

const PATH: &str = "/v1/backups";

/// So often is looked whether a backup that takes long is made.
const LOOK: Duration = Duration::from_secs(2);

#[derive(Debug, Deserialize)]
struct Made {
    backup: Backup,
    #[serde(default)]
    lacking: Vec<Lacking>,
    #[serde(default)]
    dropped: Vec<u64>,
}

#[derive(Debug, Deserialize)]
struct Backup {
    number: u64,
    states: u64,
    versions: u64,
    bytes: u64,
    written: u64,
}

#[derive(Debug, Deserialize)]
struct Lacking {
    state: String,
    serial: Option<u64>,
    words: String,
}

#[derive(Debug, Deserialize)]
struct Standing {
    backups: Vec<Value>,
    running_since: Option<String>,
    problem: Option<String>,
}

/// Asks the server for a backup and waits for it.
pub(super) async fn run(context: &Context, full: bool) -> Result<Exit, Failure> {
    let client = context.client()?;
    let mut answer: Value = client.post_slowly(PATH, &json!({ "full": full })).await?;
    if answer.get("backup").is_none() {
        context.printer.note("it takes long; waiting until it is done");
        answer = loop {
            tokio::time::sleep(LOOK).await;
            let Standing { backups, running_since, problem } = client.get(PATH).await?;
            match (running_since, problem, backups.last()) {
                (Some(_), ..) => {}
                (None, None, Some(newest)) => break json!({ "backup": newest }),
                (None, problem, _) => {
                    let words = problem.unwrap_or_else(|| "there is none".to_owned());
                    return Err(Failure::new(format!("the backup was not made: {}", one_line(&words))));
                }
            }
        };
    }
    if context.printer.json() {
        context.printer.document(&answer)?;
    }
    let made = Made::deserialize(answer)
        .map_err(|error| Failure::because("the server's answer cannot be understood", &error))?;
    if !context.printer.json() {
        let Backup { number, states, versions, bytes, written } = made.backup;
        let (bytes, written) = (size(bytes), size(written));
        context
            .printer
            .data(format_args!("backup {number}: {states} states, {versions} versions, {bytes}; {written} were new"))?;
        if !made.dropped.is_empty() {
            let dropped = made.dropped.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            context.printer.note(format_args!("no longer kept: {dropped}"));
        }
    }
    if made.lacking.is_empty() {
        return Ok(Exit::Done);
    }
    for Lacking { state, serial, words } in &made.lacking {
        let version = serial.map_or_else(String::new, |serial| format!(" version {serial}"));
        context.printer.warning(format_args!("`{}`{version}: {}", one_line(state), one_line(words)));
    }
    Err(Failure::partly("something is damaged in the store of states and is not in the backup")
        .hint("`alfred state verify` looks at all of it"))
}
