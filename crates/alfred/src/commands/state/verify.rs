//! `alfred state verify`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use alfred_model::state::StateName;
use serde_json::json;

use super::{Context, look, path, size};
use crate::api::StateVerification;
use crate::error::{Exit, Failure, one_line};
use crate::table;

/// Reads every version of states back.
pub(super) async fn run(context: &Context, names: &[StateName]) -> Result<Exit, Failure> {
    let client = context.client()?;
    let mut names: Vec<StateName> = names.to_vec();
    if names.is_empty() {
        let states = look::all(&client, true).await?.states;
        names = states.iter().filter_map(|state| state.name.parse().ok()).collect();
    }
    let mut found: BTreeMap<String, StateVerification> = BTreeMap::new();
    for name in &names {
        let report: StateVerification = client.post_slowly(&path(name, "/verify"), &json!({})).await?;
        found.insert(name.to_string(), report);
    }
    if context.printer.json() {
        context.printer.document(&json!({ "states": found }))?;
    } else if found.is_empty() {
        context.printer.note("there are no states");
    } else {
        context.printer.data(told(&found))?;
    }
    let bad: Vec<&str> = found.iter().filter(|(_, report)| !report.good).map(|(name, _)| name.as_str()).collect();
    if bad.is_empty() {
        return Ok(Exit::Done);
    }
    Err(Failure::new(format!("versions of `{}` cannot be read back as they were written", bad.join("`, `"))))
}

fn told(found: &BTreeMap<String, StateVerification>) -> String {
    let mut table = table::table(&["NAME", "GOOD", "READ", "BAD", "LEFT OVER"]);
    for (name, report) in found {
        table.add_row([
            name.clone(),
            report.versions.to_string(),
            size(report.bytes),
            report.problems.len().to_string(),
            report.left_over.to_string(),
        ]);
    }
    let mut text = table::text(&table);
    for (name, report) in found {
        for problem in &report.problems {
            let _ = write!(text, "\n{name} {}: {}", problem.serial, one_line(&problem.words));
        }
    }
    text
}
