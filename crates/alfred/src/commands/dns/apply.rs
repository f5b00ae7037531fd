//! `alfred dns apply`, and `alfred dns set`, which is the same with a file of one line.

use std::time::Duration;

use alfred_model::dns::file::{WantedRecord, full_name, target_of};
use alfred_model::dns::plan::{Leave, Plan, Planner, Step};
use alfred_model::record::Target;
use alfred_providers::cloudflare::RecordFilter;
use serde_json::{Value, json};

use super::super::Context;
use super::carry::{Carried, carry_out};
use super::zone::{PATIENCE, PER_PAGE, Patience, Zone, glance, seen};
use super::{plan, show};
use crate::cli::{DnsApplyArguments, DnsSetArguments};
use crate::error::{Exit, Failure};

/// Most failures that are told one by one.
const TOLD_MAX: usize = 50;

/// Makes the zone hold what a file says.
pub(super) async fn run(context: &Context, arguments: &DnsApplyArguments) -> Result<Exit, Failure> {
    let may_go_on = arguments.yes || arguments.checksum.is_some();
    if !may_go_on && !context.printer.can_ask() {
        return Err(Failure::usage("changing a zone needs a yes")
            .hint("add `--yes`, or `--checksum` with what `alfred dns plan` printed"));
    }
    let (mut zone, wanted) = plan::prepare(context, &arguments.file).await?;
    let plan = plan::compare(context, &zone, &wanted, plan::leave(&arguments.file), arguments.timeout).await?;
    if !context.printer.json() {
        show::plan(context, &zone, &plan, arguments.file.all)?;
    }
    check(&mut zone, &plan, arguments).await?;
    if plan.steps.is_empty() {
        return end(context, &zone, &plan, &Carried::default(), arguments.file.all);
    }
    if !may_go_on {
        confirm(context, &format!("make these {} changes? [y/N]", plan.steps.len()))?;
    }
    let carried = carry_out(context, &zone, &plan.steps, arguments.timeout).await?;
    end(context, &zone, &plan, &carried, arguments.file.all)
}

/// Creates or changes one record.
pub(super) async fn set(context: &Context, arguments: &DnsSetArguments) -> Result<Exit, Failure> {
    let mut zone = Zone::open(context, arguments.access.owner.as_ref()).await?;
    let name = full_name(&arguments.name, &zone.name).map_err(Failure::usage)?;
    let target = target_of(&arguments.target, &zone.name).map_err(Failure::usage)?;
    if target == Target::Alias(name.clone()) {
        return Err(Failure::usage(format!("`{name}` would be a CNAME to itself")));
    }
    let wanted = [WantedRecord { name, target, ttl: arguments.ttl, line: 1 }];
    let leave = Leave { adopt: arguments.adopt, prune: false };
    let plan = compare_one(context, &zone, &wanted, leave).await?;
    if let Some(conflict) = plan.conflicts.first() {
        return Err(Failure::new(format!("`{}`: {}", conflict.wanted.name, conflict.reason)));
    }
    if let Some(failure) = plan::over_quota(&mut zone, &plan).await {
        return Err(failure);
    }
    if !context.printer.json() {
        show::plan(context, &zone, &plan, true)?;
    }
    let carried = carry_out(context, &zone, &plan.steps, PATIENCE).await?;
    end(context, &zone, &plan, &carried, true)
}

/// As [`plan::compare`], but only the records of the one name are read.
async fn compare_one<'a>(
    context: &Context,
    zone: &Zone,
    wanted: &'a [WantedRecord; 1],
    leave: Leave,
) -> Result<Plan<'a>, Failure> {
    let mut patience = Patience::new(context, PATIENCE);
    let filter = RecordFilter::name(wanted[0].name.as_str());
    loop {
        let mut planner = Planner::new(wanted, &zone.owner, leave);
        let listed = zone.cloudflare.each_record(&filter, PER_PAGE, |view| {
            planner.see(&glance(view), || view.to_record().map(seen));
        });
        match listed.await {
            Ok(_) => return Ok(planner.finish()),
            Err(error) => patience.wait(error).await?,
        }
    }
}

/// Whether the plan may be carried out at all. Whatever stops it stops all of it.
async fn check(zone: &mut Zone, plan: &Plan<'_>, arguments: &DnsApplyArguments) -> Result<(), Failure> {
    let checksum = plan.checksum();
    if let Some(approved) = arguments.checksum.filter(|approved| *approved != checksum) {
        return Err(Failure::new(format!(
            "the plan is not the one that was approved: it is {checksum}, not {approved}"
        ))
        .hint("nothing was changed; look at it again with `alfred dns plan`"));
    }
    if arguments.strict && !plan.conflicts.is_empty() {
        let count = plan.conflicts.len();
        let words =
            format!("{count} of the file's names are not ours, the first is `{}`", plan.conflicts[0].wanted.name);
        return Err(Failure::new(words).hint("nothing was changed; see the plan, or leave out `--strict`"));
    }
    if let Some(failure) = plan::over_limit(plan, arguments.file.max_delete) {
        return Err(failure);
    }
    plan::over_quota(zone, plan).await.map_or(Ok(()), Err)
}

/// Asks; whatever is not a yes is a no.
pub(super) fn confirm(context: &Context, question: &str) -> Result<(), Failure> {
    let answer = context.printer.ask(question)?;
    if matches!(answer.to_ascii_lowercase().as_str(), "y" | "yes") {
        return Ok(());
    }
    Err(Failure::new("nothing was changed"))
}

/// Tells what came of it, and how the command ends.
pub(super) fn end(
    context: &Context,
    zone: &Zone,
    plan: &Plan<'_>,
    carried: &Carried,
    all: bool,
) -> Result<Exit, Failure> {
    if context.printer.json() {
        let mut document = show::document(zone, plan);
        document["result"] = result(zone, carried);
        context.printer.document(&document)?;
    } else if !plan.steps.is_empty() {
        context.printer.data(done_words(zone, carried))?;
    }
    let most = if all { usize::MAX } else { TOLD_MAX };
    for (name, reason) in carried.failed.iter().take(most) {
        context.printer.must_see(format_args!("{}: {}", zone.short(name), crate::error::one_line(reason)));
    }
    if carried.failed.len() > most {
        context.printer.must_see(format_args!("and {} more: `--all` shows them", carried.failed.len() - most));
    }
    if carried.is_whole() && plan.conflicts.is_empty() {
        return Ok(Exit::Done);
    }
    let words = shortfall(plan, carried);
    let done = carried.count() > 0 || plan.unchanged > 0;
    Err(if done { Failure::partly(words) } else { Failure::new(words) })
}

fn done_words(zone: &Zone, carried: &Carried) -> String {
    let past = |action: &str| match action {
        "create" => "created",
        "update" => "updated",
        "retype" => "retyped",
        "unify" => "rid of doubles",
        "adopt" => "adopted",
        _ => "deleted",
    };
    let parts: Vec<String> = carried.done.iter().map(|(action, count)| format!("{count} {}", past(action))).collect();
    let done = if parts.is_empty() { "nothing was changed".to_owned() } else { parts.join(", ") };
    format!("{done}; {} API calls", zone.counts.total())
}

fn shortfall(plan: &Plan<'_>, carried: &Carried) -> String {
    let mut parts = Vec::new();
    if !plan.steps.is_empty() {
        parts.push(format!("{} of {} changes were made", carried.count(), plan.steps.len()));
    }
    if !carried.failed.is_empty() {
        parts.push(format!("{} failed", carried.failed.len()));
    }
    if carried.left > 0 {
        parts.push(format!("{} were not begun", carried.left));
    }
    if carried.unanswered > 0 {
        parts.push(format!("{} were sent and not answered", carried.unanswered));
    }
    if let Some(first) = plan.conflicts.first() {
        let count = plan.conflicts.len();
        parts.push(format!("{count} of the file's names are not ours, such as `{}`", first.wanted.name));
    }
    let mut words = parts.join(", ");
    if carried.interrupted {
        words.push_str(": interrupted; run the command again to go on");
    } else if carried.left > 0 {
        words.push_str(": the API budget did not allow them in time; run the command again to go on");
    }
    words
}

fn result(zone: &Zone, carried: &Carried) -> Value {
    let failed: Vec<Value> =
        carried.failed.iter().map(|(name, reason)| json!({"name": name, "reason": reason})).collect();
    json!({
        "done": carried.done,
        "failed": failed,
        "not_begun": carried.left,
        "not_answered": carried.unanswered,
        "interrupted": carried.interrupted,
        "calls": zone.counts.total(),
    })
}

/// Carries out steps that were decided elsewhere; `plan` holds nothing but them.
pub(super) async fn carry_steps(
    context: &Context,
    zone: &Zone,
    steps: Vec<Step<'_>>,
    timeout: Duration,
) -> Result<(Exit, usize), Failure> {
    let plan = Plan { steps, ..Plan::default() };
    let carried = carry_out(context, zone, &plan.steps, timeout).await?;
    let exit = end(context, zone, &plan, &carried, true)?;
    Ok((exit, carried.count()))
}
