//! `alfred env watch`.

use std::collections::BTreeSet;
use std::time::Duration;

use alfred_model::id::BatchId;

use super::{Context, outcome};
use crate::api::{Environment, Environments, Event};
use crate::cli::WatchArguments;
use crate::client::{Client, EventStream};
use crate::error::{Exit, Failure, one_line};
use crate::stop::Interrupt;
use crate::table;

/// A server that is restarted is asked again after this.
const RECONNECT: Duration = Duration::from_secs(1);

/// Prints events as they happen, until interrupted or, where environments are named, until they are gone. The
/// environments of one request are waited for instead.
pub(super) async fn run(context: &Context, arguments: &WatchArguments) -> Result<Exit, Failure> {
    let client = context.client()?;
    if let Some(batch) = arguments.batch {
        return wait(context, &client, batch).await;
    }
    let mut watched = Watched { only: None, left: BTreeSet::new() };
    for slug in &arguments.slugs {
        let environment: Environment = client.get(&format!("/v1/environments/{slug}")).await?;
        let words = environment.reason.as_deref().unwrap_or_else(|| environment.doing());
        context.printer.note(format_args!("{slug} is {} {}; Ctrl-C ends", environment.status, one_line(words)));
        watched.left.insert(environment.id);
    }
    if let [only] = arguments.slugs.as_slice() {
        watched.only = Some(only.to_string());
    }
    let stream = client.events(watched.only.as_deref(), None).await?;
    tokio::select! {
        biased;
        _ = tokio::signal::ctrl_c() => Ok(Exit::Done),
        result = print(context, &client, watched, stream) => result,
    }
}

/// Waits for the environments of one request, as the command that made them does.
async fn wait(context: &Context, client: &Client, batch: BatchId) -> Result<Exit, Failure> {
    let mut interrupt = Interrupt::listen()?;
    let environments = client.environments(&format!("&include_deleted=true&batch={batch}")).await?;
    if environments.is_empty() {
        let failure = Failure::new(format!("there are no environments of the request `{batch}`"));
        return Err(failure.hint("`alfred env list --all` shows yours"));
    }
    let made = Environments { batch: Some(batch.to_string()), ..Environments::of(environments) };
    outcome::wait(context, client, made, &mut interrupt).await
}

/// Which environments are watched.
struct Watched {
    /// The only one, which the server looks for.
    only: Option<String>,
    /// Those that are named and not gone; all are watched, where none was named.
    left: BTreeSet<String>,
}

async fn print(
    context: &Context,
    client: &Client,
    mut watched: Watched,
    mut stream: EventStream,
) -> Result<Exit, Failure> {
    let mut last = None;
    let all = watched.left.is_empty();
    loop {
        while let Some(event) = stream.next().await {
            last = Some(event.sequence);
            if !all && !watched.left.contains(&event.environment_id) {
                continue;
            }
            line(context, watched.only.as_deref(), &event)?;
            if event.status == "deleted" && watched.left.remove(&event.environment_id) && watched.left.is_empty() {
                return Ok(Exit::Done);
            }
        }
        context.printer.note("the server closed the connection; connecting again");
        stream = reconnect(client, watched.only.as_deref(), last).await?;
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
