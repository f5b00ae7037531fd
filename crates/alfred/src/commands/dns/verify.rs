//! `alfred dns verify`: what every authoritative server answers, and whether it is what it should be.

use std::sync::Arc;
use std::time::Duration;

use alfred_model::dns::file::target_of;
use alfred_model::dns::plan::SeenRecord;
use alfred_model::name::DomainName;
use alfred_model::record::Target;
use alfred_providers::authority::{AnswerState, DnsAuthority, FullAnswer, Source};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::super::Context;
use super::get;
use super::zone::{Zone, configured_name};
use crate::cli::DnsVerifyArguments;
use crate::config::Key;
use crate::error::{Exit, Failure};
use crate::system::SystemRandom;
use crate::table;

/// How often the servers are asked again while they are waited for.
const AGAIN: Duration = Duration::from_secs(1);

/// What the servers must answer.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Expected {
    /// These addresses and no alias, sorted.
    Addresses(Vec<std::net::Ipv4Addr>),
    /// This alias.
    Alias(DomainName),
    /// Nothing that is an address or an alias.
    Nothing,
    /// Whatever it is, the same from all: Cloudflare answers for a proxied record with addresses of its own.
    Agreement,
}

/// Asks every authoritative server.
pub(super) async fn run(context: &Context, arguments: &DnsVerifyArguments) -> Result<Exit, Failure> {
    let (name, zone, expected) = prepare(context, arguments).await?;
    let source = match context.config.parse(Key::DnsServer, "an address with a port, such as `127.0.0.1:53`")? {
        Some(address) => Source::Fixed(vec![address]),
        None => Source::Zone(zone),
    };
    let authority = DnsAuthority::new(source, Arc::new(SystemRandom));
    let until = Instant::now() + arguments.wait.unwrap_or_default();
    let (answers, wrong) = loop {
        let answers = authority.ask_fully(&name).await.map_err(|error| Failure::new(error.to_string()))?;
        let wrong = answers.iter().filter(|answer| !fits(answer, &expected, &answers[0])).count();
        if wrong == 0 || Instant::now() + AGAIN > until {
            break (answers, wrong);
        }
        tokio::time::sleep(AGAIN).await;
    };
    show(context, &name, &answers, &expected)?;
    if wrong == 0 {
        return Ok(Exit::Done);
    }
    let failure =
        Failure::new(format!("{wrong} of {} servers do not answer `{name}` with {}", answers.len(), words(&expected)));
    Err(failure.hint("a change takes some seconds to arrive: wait for it with `--wait 1m`, or see `alfred dns get`"))
}

/// The name in full, the zone, and what must be answered. With `--expect` and a configured zone nobody is asked.
async fn prepare(
    context: &Context,
    arguments: &DnsVerifyArguments,
) -> Result<(DomainName, DomainName, Expected), Failure> {
    let expect = |zone: &DomainName| {
        let text = arguments.expect.as_deref();
        text.map(|text| target_of(text, zone).map(of_target).map_err(Failure::usage)).transpose()
    };
    if let Some(zone) = configured_name(&context.config)?
        && let Some(expected) = expect(&zone)?
    {
        return Ok((get::name(&arguments.name, &zone)?, zone, expected));
    }
    let zone = Zone::open(context, None).await?;
    let name = get::name(&arguments.name, &zone.name)?;
    let expected = match expect(&zone.name)? {
        Some(expected) => expected,
        None => of_records(&get::at(context, &zone, &name).await?),
    };
    Ok((name, zone.name, expected))
}

fn of_target(target: Target) -> Expected {
    match target {
        Target::Address(address) => Expected::Addresses(vec![address]),
        Target::Alias(name) => Expected::Alias(name),
    }
}

fn of_records(records: &[SeenRecord]) -> Expected {
    let answering = || records.iter().filter(|record| matches!(record.kind.as_str(), "A" | "CNAME"));
    if answering().any(|record| record.proxied) {
        return Expected::Agreement;
    }
    let alias = answering().find(|record| record.kind == "CNAME").and_then(|record| record.content.parse().ok());
    if let Some(alias) = alias {
        return Expected::Alias(alias);
    }
    let mut addresses: Vec<_> = answering().filter_map(|record| record.content.parse().ok()).collect();
    addresses.sort_unstable();
    addresses.dedup();
    if addresses.is_empty() { Expected::Nothing } else { Expected::Addresses(addresses) }
}

fn fits(full: &FullAnswer, expected: &Expected, first: &FullAnswer) -> bool {
    let answered = full.answer.state == AnswerState::Answered;
    match expected {
        Expected::Addresses(addresses) => answered && full.alias.is_none() && full.answer.addresses == *addresses,
        Expected::Alias(alias) => answered && full.alias.as_deref() == Some(alias.as_str()),
        Expected::Nothing => matches!(full.answer.state, AnswerState::NoSuchName | AnswerState::NoData),
        Expected::Agreement => answered && full.alias == first.alias && full.answer.addresses == first.answer.addresses,
    }
}

fn words(expected: &Expected) -> String {
    match expected {
        Expected::Addresses(addresses) => joined(addresses),
        Expected::Alias(name) => format!("the CNAME `{name}`"),
        Expected::Nothing => "nothing, though the zone has no address for it".to_owned(),
        Expected::Agreement => "the same".to_owned(),
    }
}

fn joined(addresses: &[std::net::Ipv4Addr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// What a server said, in words.
fn said(full: &FullAnswer) -> String {
    match (&full.answer.state, &full.alias) {
        (AnswerState::Answered, Some(alias)) => format!("CNAME {alias}"),
        (AnswerState::Answered, None) => format!("A {}", joined(&full.answer.addresses)),
        (AnswerState::NoSuchName, _) => "no such name".to_owned(),
        (AnswerState::NoData, _) => "no address".to_owned(),
        (AnswerState::Refused, _) => "refused".to_owned(),
        (AnswerState::Failed(words), _) => crate::error::one_line(&format!("failed: {words}")),
    }
}

fn show(context: &Context, name: &DomainName, answers: &[FullAnswer], expected: &Expected) -> Result<(), Failure> {
    let right = |full: &FullAnswer| fits(full, expected, &answers[0]);
    if context.printer.json() {
        let servers: Vec<Value> = answers
            .iter()
            .map(|full| {
                json!({
                    "server": full.answer.server,
                    "answer": said(full),
                    "addresses": full.answer.addresses,
                    "alias": full.alias,
                    "right": right(full),
                })
            })
            .collect();
        context.printer.document(&json!({"name": name, "expected": words(expected), "servers": servers}))?;
        return Ok(());
    }
    let mut table = table::table(&["SERVER", "ANSWER", "RIGHT"]);
    for full in answers {
        let verdict = if right(full) { "yes" } else { "no" };
        table.add_row([full.answer.server.clone(), said(full), verdict.to_owned()]);
    }
    context.printer.data(table::text(&table))?;
    Ok(())
}
