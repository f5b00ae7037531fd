//! `alfred env watch`.

use std::time::Duration;

use alfred_model::name::Slug;

use super::Context;
use crate::api::{Environment, Event};
use crate::cli::WatchArguments;
use crate::client::{Client, EventStream};
use crate::error::{Exit, Failure, one_line};
use crate::table;

/// A server that is restarted is asked again after this.
const RECONNECT: Duration = Duration::from_secs(1);

/// Prints events as they happen, until interrupted or, for one environment, until it is gone.
pub(super) async fn run(context: &Context, arguments: &WatchArguments) -> Result<Exit, Failure> {
    let client = context.client()?;
    let slug = arguments.slug.as_ref().map(Slug::as_str);
    if let Some(slug) = slug {
        let environment: Environment = client.get(&format!("/v1/environments/{slug}")).await?;
        let words = environment.reason.as_deref().unwrap_or_else(|| environment.doing());
        context.printer.note(format_args!("{slug} is {} {}; Ctrl-C ends", environment.status, one_line(words)));
    }
    let stream = client.events(slug, None).await?;
    tokio::select! {
        biased;
        _ = tokio::signal::ctrl_c() => Ok(Exit::Done),
        result = print(context, &client, slug, stream) => result,
    }
}

async fn print(
    context: &Context,
    client: &Client,
    slug: Option<&str>,
    mut stream: EventStream,
) -> Result<Exit, Failure> {
    let mut last = None;
    loop {
        while let Some(event) = stream.next().await {
            last = Some(event.sequence);
            line(context, slug, &event)?;
            if slug.is_some() && event.status == "deleted" {
                return Ok(Exit::Done);
            }
        }
        context.printer.note("the server closed the connection; connecting again");
        stream = reconnect(client, slug, last).await?;
    }
}

/// Goes on after the last event that was seen, so that none is missed.
async fn reconnect(client: &Client, slug: Option<&str>, last: Option<i64>) -> Result<EventStream, Failure> {
    loop {
        tokio::time::sleep(RECONNECT).await;
        match client.events(slug, last).await {
            Ok(stream) => return Ok(stream),
            Err(error) if error.may_pass() => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn line(context: &Context, slug: Option<&str>, event: &Event) -> Result<(), Failure> {
    if context.printer.json() {
        context.printer.document_line(event)?;
    } else {
        let name = event.slug.as_deref().or(slug).unwrap_or(&event.environment_id);
        let message = one_line(&event.message);
        context.printer.data(format_args!("{}  {name:28} {:12} {message}", table::time(event.at), event.status))?;
    }
    Ok(())
}
