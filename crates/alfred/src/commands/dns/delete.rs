//! `alfred dns delete`.

use std::collections::BTreeMap;

use alfred_model::dns::file::full_name;
use alfred_model::dns::plan::{SeenRecord, Step};
use alfred_model::name::DomainName;
use alfred_model::record::Mark;
use alfred_providers::cloudflare::RecordFilter;

use super::super::Context;
use super::apply;
use super::zone::{PATIENCE, PER_PAGE, Patience, Zone, seen};
use crate::cli::DnsDeleteArguments;
use crate::error::{Exit, Failure};

/// Up to so many names are read one by one; more are read as one list.
const NAMES_READ_SINGLY: usize = 4;

/// Deletes records of an owner, by name.
pub(super) async fn run(context: &Context, arguments: &DnsDeleteArguments) -> Result<Exit, Failure> {
    if !arguments.yes && !context.printer.can_ask() {
        return Err(Failure::usage("deleting records needs a yes").hint("add `--yes`"));
    }
    let zone = Zone::open(context, arguments.access.owner.as_ref()).await?;
    let mut there: BTreeMap<DomainName, Vec<SeenRecord>> = BTreeMap::new();
    for name in &arguments.names {
        there.insert(full_name(name, &zone.name).map_err(Failure::usage)?, Vec::new());
    }
    read(context, &zone, &mut there).await?;
    let (mut steps, mut refused) = (Vec::new(), Vec::new());
    for (name, records) in there {
        let (ours, others): (Vec<SeenRecord>, Vec<SeenRecord>) =
            records.into_iter().partition(|record| record.mark().as_ref() == Some(&zone.mark()));
        if ours.is_empty() {
            refused.push(format!("`{name}` {}", why_not(&others)));
        } else {
            steps.push(Step::Delete(name, ours));
        }
    }
    if !steps.is_empty() && !arguments.yes {
        let names: Vec<&str> = steps.iter().map(|step| zone.short(step.name().as_str())).collect();
        apply::confirm(context, &format!("delete the records of {}? [y/N]", names.join(", ")))?;
    }
    let done = if steps.is_empty() { 0 } else { apply::carry_steps(context, &zone, steps, PATIENCE).await?.1 };
    match refused.len() {
        0 => Ok(Exit::Done),
        _ if done > 0 => Err(Failure::partly(refused.join("; "))),
        _ => Err(Failure::new(refused.join("; "))),
    }
}

async fn read(
    context: &Context,
    zone: &Zone,
    there: &mut BTreeMap<DomainName, Vec<SeenRecord>>,
) -> Result<(), Failure> {
    let filters: Vec<RecordFilter> = if there.len() <= NAMES_READ_SINGLY {
        there.keys().map(|name| RecordFilter::name(name.as_str())).collect()
    } else {
        vec![RecordFilter::all()]
    };
    let mut patience = Patience::new(context, PATIENCE);
    for filter in &filters {
        let records = loop {
            let mut found = Vec::new();
            let listed = zone.cloudflare.each_record(filter, PER_PAGE, |view| {
                let name: Option<DomainName> = view.name.parse().ok();
                if name.is_some_and(|name| there.contains_key(&name)) {
                    found.extend(view.to_record().map(seen));
                }
            });
            match listed.await {
                Ok(_) => break found,
                Err(error) => patience.wait(error).await?,
            }
        };
        for record in records {
            if let Ok(name) = record.name.parse::<DomainName>() {
                there.entry(name).or_default().push(record);
            }
        }
    }
    Ok(())
}

/// Why nothing at a name can be deleted.
fn why_not(others: &[SeenRecord]) -> String {
    let Some(first) = others.first() else { return "has no record".to_owned() };
    let marks = || others.iter().filter_map(SeenRecord::mark);
    if let Some(Mark::Environment(mark)) = marks().find(|mark| matches!(mark, Mark::Environment(_))) {
        return format!("belongs to the environment {}: `alfred env delete` deletes it", mark.environment);
    }
    if let Some(Mark::Owner(owner)) = marks().next() {
        return format!("belongs to the owner `{owner}`: say so with `--owner {owner}`");
    }
    format!(
        "is not ours ({} {}): delete it in the zone, or take it over first with `alfred dns set --adopt`",
        first.kind, first.content
    )
}
