//! `alfred env`: environments, from the wish to the end.

mod create;
mod delete;
mod extend;
pub(super) mod follow;
pub(super) mod list;
mod outcome;
mod quota;
mod show;
mod watch;

use super::Context;
use crate::api::Environment;
use crate::cli::{EnvCommand, RetryArguments};
use crate::error::{Exit, Failure};

/// Runs the command.
pub(super) async fn run(context: &Context, command: EnvCommand) -> Result<Exit, Failure> {
    match command {
        EnvCommand::Create(arguments) => create::run(context, arguments).await,
        EnvCommand::List(arguments) => list::run(context, &arguments).await,
        EnvCommand::Show { slug } => show::run(context, &slug).await,
        EnvCommand::Watch(arguments) => watch::run(context, &arguments).await,
        EnvCommand::Retry(arguments) => retry(context, &arguments).await,
        EnvCommand::Extend(arguments) => extend::run(context, &arguments).await,
        EnvCommand::Quota(arguments) => quota::run(context, &arguments).await,
        EnvCommand::Delete(arguments) => delete::run(context, arguments).await,
    }
}

async fn retry(context: &Context, arguments: &RetryArguments) -> Result<Exit, Failure> {
    let path = format!("/v1/environments/{}/retry", arguments.slug);
    let body = serde_json::json!({ "abandon_order": arguments.abandon_order });
    let environment: Environment = context.client()?.post(&path, &body).await?;
    if context.printer.json() {
        context.printer.document(&environment)?;
    } else {
        context.printer.note(format_args!(
            "`{}` is tried again: follow it with `alfred env watch {}`",
            environment.slug, environment.slug
        ));
    }
    Ok(Exit::Done)
}
