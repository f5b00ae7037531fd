//! `alfred env show`.

use alfred_model::name::Slug;

use super::Context;
use crate::api::{Cost, Environment, Event, Events};
use crate::client::Client;
use crate::error::{Exit, Failure, one_line};
use crate::table;

/// So many events are read at once.
const PAGE: usize = 1000;

/// Of a longer history only the newest part is of use on a screen, and of no use at all beyond this.
const HISTORY_MAX: usize = 10_000;

/// Prints one environment with its history.
pub(super) async fn run(context: &Context, slug: &Slug) -> Result<Exit, Failure> {
    let client = context.client()?;
    let environment: Environment = client.get(&format!("/v1/environments/{slug}")).await?;
    let history = history(&client, &environment.id).await?;
    if context.printer.json() {
        let mut document = serde_json::to_value(&environment)
            .map_err(|error| Failure::because("cannot write the environment as JSON", &error))?;
        document["history"] = serde_json::json!(history);
        context.printer.document(&document)?;
    } else {
        context.printer.data(fields(&environment))?;
        context.printer.data(format_args!("\n{}", lines(&history)))?;
    }
    Ok(Exit::Done)
}

async fn history(client: &Client, id: &str) -> Result<Vec<Event>, Failure> {
    let mut history: Vec<Event> = Vec::new();
    while history.len() < HISTORY_MAX {
        let after = history.last().map_or(0, |event| event.sequence);
        let page: Events = client.get(&format!("/v1/environments/{id}/events?after={after}&limit={PAGE}")).await?;
        let last = page.events.len() < PAGE;
        history.extend(page.events);
        if last {
            break;
        }
    }
    Ok(history)
}

fn fields(environment: &Environment) -> String {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    let mut row = |name: &str, value: String| {
        table.add_row([name.to_owned(), value]);
    };
    row("slug", environment.slug.clone());
    row("id", environment.id.clone());
    row("domain", environment.domain.clone());
    row("address", table::or_dash(environment.address.as_deref()));
    row("status", environment.status.clone());
    if !environment.doing().is_empty() {
        row("doing", environment.doing().to_owned());
    }
    if let Some(reason) = &environment.reason {
        row("reason", one_line(reason));
    }
    if environment.attention {
        row("attention", "it goes no further until a person acts".to_owned());
    }
    row("owner", environment.owner.clone());
    row("vm", table::or_dash(environment.vm_id));
    if let Some(at) = environment.expires_at {
        let warned = if environment.expiry_warned_at.is_some() { ", its owner was warned" } else { "" };
        row("expires", format!("{}{warned}", table::time(at)));
    }
    if let Some(at) = environment.expires_at_most {
        row("at most", format!("{}: it cannot be extended beyond that", table::time(at)));
    }
    if let Some(batch) = &environment.batch {
        row("batch", batch.clone());
    }
    if let Some(Cost { vm_id, price, hours, amount }) = environment.cost() {
        row("cost", format!("{amount} for {hours} hours of VM {vm_id}, which costs {price} a month"));
    }
    row("created", table::time(environment.created_at));
    row("changed", table::time(environment.updated_at));
    table::text(&table)
}

fn lines(history: &[Event]) -> String {
    let mut table = table::table(&["TIME (UTC)", "STATUS", "BY", "WHAT"]);
    for event in history {
        let what = one_line(&event.message);
        table.add_row([table::time(event.at), event.status.clone(), one_line(&event.actor), what]);
    }
    table::text(&table)
}
