//! `alfred vm order`: buys VMs for the pool, or gives up an order of which nothing is known.

use alfred_model::money::sums;
use serde::Deserialize as _;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Context;
use crate::api::{OneOrder, Order, Ordered};
use crate::cli::OrderArguments;
use crate::client::{Client, ClientError};
use crate::error::{Exit, Failure, one_line};
use crate::table;

const PATH: &str = "/v1/vms/orders";

/// Says what it costs, asks, buys, and tells what came of each order.
pub(super) async fn run(context: &Context, arguments: &OrderArguments) -> Result<Exit, Failure> {
    if let Some(id) = arguments.abandon {
        return abandon(context, id).await;
    }
    if !arguments.dry_run && !arguments.yes && !context.printer.can_ask() {
        return Err(Failure::usage("buying needs a yes").hint("add `--yes`, or `--dry-run` to see what it costs"));
    }
    let client = context.client()?;
    let (document, preview) = read(client.post(PATH, &json!({ "count": arguments.count, "dry_run": true })).await?)?;
    if arguments.dry_run {
        if context.printer.json() {
            context.printer.document(&document)?;
        } else {
            context.printer.data(would(&preview))?;
        }
        return Ok(Exit::Done);
    }
    let possible = preview.orders.iter().filter(|order| order.outcome == "would_order").count();
    if possible == 0 {
        return Err(Failure::new(reasons(&preview.orders)));
    }
    context.printer.note(would(&preview));
    if !arguments.yes {
        let answer = context.printer.ask(format_args!("buy {}? [y/N]", counted(possible)))?;
        if !matches!(answer.to_ascii_lowercase().as_str(), "y" | "yes") {
            return Err(Failure::new("nothing was bought"));
        }
    }
    buy(context, &client, arguments.count).await
}

async fn buy(context: &Context, client: &Client, count: u32) -> Result<Exit, Failure> {
    let sent = client.post_slowly(PATH, &json!({ "count": count, "dry_run": false })).await;
    let (document, result) = read(sent.map_err(|error| {
        match &error {
            ClientError::Lost(_) => Failure::new(error.to_string())
                .hint("the server goes on with what it began; look at `alfred vm pool` before you order again"),
            _ => error.into(),
        }
    })?)?;
    if context.printer.json() {
        context.printer.document(&document)?;
    } else {
        let mut table = table::table(&["OUTCOME", "VM", "COST", "LEDGER"]);
        for order in &result.orders {
            table.add_row([
                order.outcome.clone(),
                table::or_dash(order.vm_id),
                table::or_dash(order.cost),
                table::or_dash(order.intent_id.as_deref()),
            ]);
        }
        context.printer.data(table::text(&table))?;
    }
    let done = result.orders.iter().filter(|order| order.outcome == "ordered").count();
    if done > 0 {
        context.printer.note("a new VM is ready in some minutes: `alfred vm pool` shows when it is");
    }
    match done {
        done if done == result.orders.len() => Ok(Exit::Done),
        0 => Err(Failure::new(reasons(&result.orders))),
        done => Err(Failure::partly(format!(
            "{done} of {} were ordered; {}",
            counted(result.orders.len()),
            reasons(&result.orders)
        ))),
    }
}

/// The answer as it came, for `--json`, and as it is understood here.
fn read(document: Value) -> Result<(Value, Ordered), Failure> {
    let ordered = Ordered::deserialize(&document)
        .map_err(|error| Failure::because("the server's answer cannot be understood", &error))?;
    Ok((document, ordered))
}

/// What the orders would cost, and which of them would not be sent.
fn would(preview: &Ordered) -> String {
    let (possible, held): (Vec<&OneOrder>, Vec<&OneOrder>) =
        preview.orders.iter().partition(|order| order.outcome == "would_order");
    let mut words = Vec::new();
    if !possible.is_empty() {
        let months = match preview.months {
            1 => "a month".to_owned(),
            months => format!("{months} months"),
        };
        let cost = sums(possible.iter().filter_map(|order| order.cost));
        let cost: Vec<String> = cost.iter().map(ToString::to_string).collect();
        let cost = match preview.price {
            Some(_) => format!("{} for {months}, paid at once, and the same with each renewal", cost.join(" and ")),
            None => format!("an unknown price for {months} (set `ALFRED_VM_PRICE` to see it)"),
        };
        words.push(format!("{} would be ordered: {cost}", counted(possible.len())));
    }
    if !held.is_empty() {
        let why = details(held.iter().copied());
        let why = why.strip_prefix("no VM is bought: ").unwrap_or(&why);
        words.push(format!("{} would not: {why}", counted(held.len())));
    }
    words.iter().map(|words| table::labelled("", words, 0)).collect::<Vec<_>>().join("\n")
}

/// Why orders bought nothing.
fn reasons(orders: &[OneOrder]) -> String {
    details(orders.iter().filter(|order| order.problem.is_some()))
}

/// Each reason once.
fn details<'a>(orders: impl Iterator<Item = &'a OneOrder>) -> String {
    let mut details: Vec<String> = Vec::new();
    for problem in orders.filter_map(|order| order.problem.as_ref()) {
        let words = problem.detail.as_deref().or(problem.title.as_deref()).unwrap_or("no reason was given");
        let words = one_line(words);
        if !details.contains(&words) {
            details.push(words);
        }
    }
    details.join("; ")
}

fn counted(count: usize) -> String {
    format!("{count} VM{}", if count == 1 { "" } else { "s" })
}

async fn abandon(context: &Context, id: Uuid) -> Result<Exit, Failure> {
    let document: Value = context.client()?.post(&format!("/v1/ledger/{id}/abandon"), &json!({})).await?;
    let order = Order::deserialize(&document)
        .map_err(|error| Failure::because("the server's answer cannot be understood", &error))?;
    if context.printer.json() {
        context.printer.document(&document)?;
    } else {
        context.printer.note(format_args!(
            "the order `{}` is given up; if a VM came of it after all, `alfred audit` finds it as `{}`",
            order.id,
            one_line(&order.subject)
        ));
    }
    Ok(Exit::Done)
}
