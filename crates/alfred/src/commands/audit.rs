//! `alfred audit`: do providers, store and ledger agree, and may what does not be mended?

mod view;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Context;
use crate::cli::AuditArguments;
use crate::client::Client;
use crate::error::{Exit, Failure};
use view::Report;

/// How much a repair may do; the server knows what is usual.
#[derive(Debug, Serialize)]
struct RepairBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    max_count: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_share: Option<u32>,
}

/// Prints what was compared and what was found, and repairs if that was asked for.
pub(super) async fn run(context: &Context, arguments: &AuditArguments) -> Result<Exit, Failure> {
    let client = context.client()?;
    if !arguments.repair {
        let (document, report) = read(client.get_slowly("/v1/audit").await?)?;
        show(context, &document, &report)?;
        return Ok(exit(arguments, &report));
    }
    if !arguments.yes && !agreed(context, &client).await? {
        return Err(Failure::new("nothing was repaired"));
    }
    let body = RepairBody { max_count: arguments.max_count, max_share: arguments.max_share };
    let (document, report) = read(client.post_slowly("/v1/audit/repair", &body).await?)?;
    show(context, &document, &report)?;
    if let Some(repair) = report.repair.as_ref().filter(|_| !context.printer.json()) {
        view::repair(context.printer, repair)?;
    }
    Ok(exit(arguments, &report))
}

/// The answer as it came, for `--json`, and as it is understood here.
fn read(document: Value) -> Result<(Value, Report), Failure> {
    let report = Report::deserialize(&document)
        .map_err(|error| Failure::because("the server's report cannot be understood", &error))?;
    Ok((document, report))
}

fn show(context: &Context, document: &Value, report: &Report) -> Result<(), Failure> {
    if context.printer.json() {
        context.printer.document(document)?;
        return Ok(());
    }
    view::findings(context.printer, report)
}

/// Shows what is ripe and asks. Where nothing is, there is nothing to ask.
async fn agreed(context: &Context, client: &Client) -> Result<bool, Failure> {
    if !context.printer.can_ask() {
        return Err(Failure::usage("a repair needs a yes").hint("add `--yes`"));
    }
    let (_, report) = read(client.get_slowly("/v1/audit").await?)?;
    let ripe: Vec<&str> = report.findings.iter().filter(|one| one.is_repairable()).map(view::subject).collect();
    if ripe.is_empty() {
        return Ok(true);
    }
    let question = format!("repair {} ({})? [y/N]", view::count(ripe.len(), "finding"), view::listed(&ripe));
    let answer = context.printer.ask(question)?;
    Ok(matches!(answer.to_ascii_lowercase().as_str(), "y" | "yes"))
}

fn exit(arguments: &AuditArguments, report: &Report) -> Exit {
    let unrepaired = report.repair.as_ref().is_some_and(|repair| repair.unrepaired > 0);
    let findings = arguments.exit_code && !report.findings.is_empty();
    if unrepaired || findings { Exit::Partly } else { Exit::Done }
}
