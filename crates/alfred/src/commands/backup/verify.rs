//! `alfred backup verify`.

use std::fmt::Write as _;

use alfred_state::backup::{Lacking, Problem, Verified};
use serde_json::{Value, json};

use super::look::lacking;
use super::{Context, failed, open};
use crate::cli::BackupNumber;
use crate::commands::state::size;
use crate::error::{Exit, Failure, one_line};
use crate::table;

/// Reads one backup back, or all of them.
pub(super) async fn run(
    context: &Context,
    number: Option<BackupNumber>,
    all: bool,
    from: Option<&str>,
) -> Result<Exit, Failure> {
    let backups = open(context, from).await?;
    let verified = if all {
        backups.verify_all().await
    } else {
        let number = number.and_then(|BackupNumber(number)| number);
        backups.verify(number).await.map(|verified| vec![verified])
    };
    let verified = verified.map_err(|error| failed(&error))?;
    if context.printer.json() {
        let told: Vec<Value> = verified.iter().map(document).collect();
        context.printer.document(&json!({ "backups": told }))?;
    } else {
        context.printer.data(told(&verified))?;
    }
    let bad: Vec<String> =
        verified.iter().filter(|one| !one.problems.is_empty()).map(|one| one.number.to_string()).collect();
    if !bad.is_empty() {
        let failure = Failure::new(format!("backup {} cannot be read back as it was written", bad.join(", ")));
        return Err(failure.hint("`alfred backup now --full` mends what the store of states still has"));
    }
    if verified.iter().any(|one| !one.lacking.is_empty()) {
        let words = "what is in the backups is good, but what was damaged when they were made is not in them";
        return Err(Failure::partly(words).hint("`alfred state verify` looks at the store of states"));
    }
    let keys: Vec<String> = verified.iter().flat_map(|one| &one.keys_missing).map(|key| format!("`{key}`")).collect();
    if keys.is_empty() {
        return Ok(Exit::Done);
    }
    let mut keys = keys;
    keys.sort_unstable();
    keys.dedup();
    let words = format!("what is encrypted with {} was read, but not decrypted", keys.join(", "));
    Err(Failure::partly(words).hint("give the keys in `ALFRED_STATE_KEYS`"))
}

fn told(verified: &[Verified]) -> String {
    let mut table = table::table(&["NUMBER", "STATES", "VERSIONS", "READ", "RECORDS", "BAD", "LACKING"]);
    for one in verified {
        table.add_row([
            one.number.to_string(),
            one.states.to_string(),
            one.versions.to_string(),
            size(one.bytes),
            one.records.to_string(),
            one.problems.len().to_string(),
            one.lacking.len().to_string(),
        ]);
    }
    let mut text = table::text(&table);
    for one in verified {
        for problem in &one.problems {
            let _ = write!(text, "\n{}: {}", one.number, words(problem));
        }
        for Lacking { state, version, words } in &one.lacking {
            let version = version.map_or_else(String::new, |version| format!(" version {version}"));
            let _ = write!(text, "\n{}: `{state}`{version} is not in it: {}", one.number, one_line(words));
        }
    }
    text
}

/// What is wrong, in one line.
pub(super) fn words(problem: &Problem) -> String {
    let state = problem.state.as_ref().map_or_else(String::new, |state| format!("`{state}` "));
    let version = problem.version.map_or_else(String::new, |version| format!("version {version} "));
    let of = format!("{state}{version}");
    if of.is_empty() { one_line(&problem.words) } else { format!("{}: {}", of.trim_end(), one_line(&problem.words)) }
}

fn document(verified: &Verified) -> Value {
    let problem = |problem: &Problem| {
        json!({
            "state": problem.state,
            "serial": problem.version.map(|version| version.serial),
            "words": problem.words,
        })
    };
    json!({
        "number": verified.number,
        "good": verified.is_good(),
        "states": verified.states,
        "versions": verified.versions,
        "bytes": verified.bytes,
        "records": verified.records,
        "problems": verified.problems.iter().map(problem).collect::<Vec<_>>(),
        "lacking": verified.lacking.iter().map(lacking).collect::<Vec<_>>(),
        "keys_missing": verified.keys_missing,
    })
}
