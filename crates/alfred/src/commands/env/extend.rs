//! `alfred env extend`.

use super::Context;
use crate::api::{Environment, Extend};
use crate::cli::ExtendArguments;
use crate::error::{Exit, Failure};
use crate::table;

/// Puts the end of one environment off.
pub(super) async fn run(context: &Context, arguments: &ExtendArguments) -> Result<Exit, Failure> {
    let path = format!("/v1/environments/{}/extend", arguments.slug);
    let body = Extend { ttl_seconds: arguments.ttl };
    let environment: Environment = context.client()?.post(&path, &body).await?;
    if context.printer.json() {
        context.printer.document(&environment)?;
    } else {
        let slug = &environment.slug;
        context.printer.note(match environment.expires_at {
            Some(at) => format!("`{slug}` lives until {} UTC", table::time(at)),
            None => format!("`{slug}` lives until somebody deletes it"),
        });
    }
    Ok(Exit::Done)
}
