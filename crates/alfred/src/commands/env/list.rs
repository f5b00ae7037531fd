//! `alfred env list`.

use alfred_model::environment::Status;
use alfred_model::seam::Clock as _;
use jiff::Timestamp;

use super::{Context, quota};
use crate::api::{Environment, Environments};
use crate::cli::ListArguments;
use crate::error::{Exit, Failure, one_line};
use crate::system::SystemClock;
use crate::table;

/// Prints environments, oldest first.
pub(super) async fn run(context: &Context, arguments: &ListArguments) -> Result<Exit, Failure> {
    let mut query = String::new();
    if let Some(status) = arguments.status {
        query.push_str("&status=");
        query.push_str(status.as_str());
    }
    if arguments.all || arguments.status == Some(Status::Deleted) {
        query.push_str("&include_deleted=true");
    }
    if let Some(batch) = arguments.batch {
        query.push_str("&batch=");
        query.push_str(&batch.to_string());
    }
    let client = context.client()?;
    let environments = client.environments(&query).await?;
    if context.printer.json() {
        context.printer.document(&Environments::of(environments))?;
    } else if environments.is_empty() {
        context.printer.note("there are no environments: make one with `alfred env create`");
    } else {
        context.printer.data(rows(&environments))?;
        // A list is a list, also where nobody can tell what is left.
        if let Ok(quota) = client.get("/v1/quota").await {
            quota::note(context, &quota);
        }
    }
    Ok(Exit::Done)
}

/// When it ends, roughly; with a mark once its owner was warned.
fn expires(environment: &Environment, now: Timestamp) -> String {
    let mark = if environment.expiry_warned_at.is_some() { "!" } else { "" };
    let lives = !matches!(environment.status.as_str(), "deleting" | "deleted");
    table::or_dash(environment.expires_at.filter(|_| lives).map(|at| format!("in {}{mark}", table::age(now, at))))
}

/// Environments as a table.
pub(in crate::commands) fn rows(environments: &[Environment]) -> String {
    let now = SystemClock.now();
    let mut table = table::table(&["SLUG", "STATUS", "ADDRESS", "DOMAIN", "OWNER", "AGE", "EXPIRES", "DOING"]);
    for environment in environments {
        let reason = environment.reason.as_deref().unwrap_or_else(|| environment.doing());
        table.add_row([
            environment.slug.clone(),
            environment.status.clone(),
            table::or_dash(environment.address.as_deref()),
            environment.domain.clone(),
            environment.owner.clone(),
            table::age(environment.created_at, now),
            expires(environment, now),
            one_line(reason),
        ]);
    }
    table::text(&table)
}
