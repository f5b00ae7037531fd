//! `alfred audit`: do providers, store and ledger agree?

use serde_json::Value;

use super::Context;
use crate::error::{Exit, Failure, one_line};
use crate::table;

/// Prints what was compared and what was found.
pub(super) async fn run(context: &Context) -> Result<Exit, Failure> {
    let report: Value = context.client()?.get_slowly("/v1/audit").await?;
    if context.printer.json() {
        context.printer.document(&report)?;
        return Ok(Exit::Done);
    }
    let count = |name: &str| report.get(name).and_then(Value::as_u64).unwrap_or_default();
    context.printer.note(format_args!(
        "compared {} environments and {} VMs with {} records ({} not ours) and {} instances ({} not ours)",
        count("environments"),
        count("vms"),
        count("records"),
        count("foreign_records"),
        count("instances"),
        count("foreign_vms"),
    ));
    let findings = report.get("findings").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if findings.is_empty() {
        context.printer.note("all is as it should be");
        return Ok(Exit::Done);
    }
    let mut table = table::table(&["FINDING", "SUBJECT", "WHAT TO DO"]);
    for finding in findings {
        let text = |name: &str| one_line(finding.get(name).and_then(Value::as_str).unwrap_or("-"));
        table.add_row([text("kind"), text("subject"), text("words")]);
    }
    context.printer.data(table::text(&table))?;
    Ok(Exit::Done)
}
