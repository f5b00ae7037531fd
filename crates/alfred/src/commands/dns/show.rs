//! A plan as people and machines read it.

use alfred_model::dns::file::WantedRecord;
use alfred_model::dns::plan::{Conflict, Plan, SeenRecord, Step};
use owo_colors::OwoColorize as _;
use serde_json::{Value, json};

use super::super::Context;
use super::zone::Zone;
use crate::error::{Failure, one_line};

/// Most lines of a plan, unless all are asked for.
const LINES_MAX: usize = 50;

/// Prints a plan.
pub(super) fn plan(context: &Context, zone: &Zone, plan: &Plan<'_>, all: bool) -> Result<(), Failure> {
    if context.printer.json() {
        context.printer.document(&document(zone, plan))?;
        return Ok(());
    }
    let text = text(zone, plan, all);
    context.printer.data(text)?;
    Ok(())
}

/// A plan as text: the first lines or all of them, then the sums and the checksum.
pub(super) fn text(zone: &Zone, plan: &Plan<'_>, all: bool) -> String {
    let most = if all { usize::MAX } else { LINES_MAX };
    // Conflicts first: they are what a person has to do something about.
    let conflicts = plan.conflicts.iter().map(|conflict| conflict_line(zone, conflict));
    let mut lines: Vec<String> =
        conflicts.chain(plan.steps.iter().map(|step| step_line(zone, step))).take(most).collect();
    let left_out = (plan.steps.len() + plan.conflicts.len()).saturating_sub(lines.len());
    if left_out > 0 {
        lines.push(format!("… and {left_out} more: add `--all` to see them"));
    }
    lines.push(sums(zone, plan));
    if !plan.steps.is_empty() {
        lines.push(format!("checksum {}", plan.checksum()));
    }
    lines.join("\n")
}

/// How much of what, in one line.
pub(super) fn sums(zone: &Zone, plan: &Plan<'_>) -> String {
    let count = |action: &str| plan.steps.iter().filter(|step| step.action() == action).count();
    let mut parts = Vec::new();
    for (action, words) in [
        ("create", "to create"),
        ("update", "to update"),
        ("retype", "to retype"),
        ("unify", "to rid of doubles"),
        ("adopt", "to adopt"),
        ("delete", "to delete"),
    ] {
        let count = count(action);
        if count > 0 {
            parts.push(format!("{count} {words}"));
        }
    }
    if parts.is_empty() {
        parts.push("nothing to do".to_owned());
    }
    parts.push(format!("{} unchanged", plan.unchanged));
    if !plan.conflicts.is_empty() {
        parts.push(format!("{} not ours", plan.conflicts.len()));
    }
    if plan.unlisted > 0 {
        parts.push(format!("{} not in the file and kept (`--prune` deletes them)", plan.unlisted));
    }
    format!("{} (owner `{}`): {}", zone.name, zone.owner, parts.join(", "))
}

fn step_line(zone: &Zone, step: &Step<'_>) -> String {
    let name = zone.short(step.name().as_str());
    match step {
        Step::Create(wanted) => format!("{} {name} {}", "+".green(), written(wanted)),
        Step::Update(wanted, seen) | Step::Retype(wanted, seen) | Step::Adopt(wanted, seen) => {
            let note = if matches!(step, Step::Adopt(..)) { " (adopted)" } else { "" };
            format!("{} {name} {}{note}{}", "~".yellow(), change(&seen[0], wanted), doubles(seen))
        }
        Step::Unify(wanted, seen) => format!("{} {name} {}{}", "~".yellow(), written(wanted), doubles(seen)),
        Step::Delete(_, seen) => {
            let there: Vec<String> = seen.iter().map(there).collect();
            format!("{} {name} {}", "-".red(), there.join(", "))
        }
    }
}

fn conflict_line(zone: &Zone, conflict: &Conflict<'_>) -> String {
    let name = zone.short(conflict.wanted.name.as_str());
    format!("{} {name} {} {}", "!".red().bold(), conflict.wanted.target.kind(), one_line(&conflict.reason))
}

fn written(wanted: &WantedRecord) -> String {
    format!("{} {}{}", wanted.target.kind(), wanted.target, seconds(wanted.ttl))
}

fn there(record: &SeenRecord) -> String {
    one_line(&format!("{} {}{}", record.kind, record.content, seconds(record.ttl)))
}

/// The usual time to live goes without saying.
fn seconds(ttl: u32) -> String {
    if ttl == alfred_model::record::RECORD_TTL_SECONDS { String::new() } else { format!(" {ttl}s") }
}

/// Only what changes, the old first.
fn change(old: &SeenRecord, new: &WantedRecord) -> String {
    let (kind, target) = (new.target.kind(), new.target.to_string());
    let mut line = if old.kind != kind {
        format!("{} {} -> {kind} {target}", old.kind, one_line(&old.content))
    } else if new.target.is(&old.kind, &old.content) {
        format!("{kind} {target}")
    } else {
        format!("{kind} {} -> {target}", one_line(&old.content))
    };
    if old.ttl != new.ttl && !old.proxied {
        line = format!("{line}, {}s -> {}s", old.ttl, new.ttl);
    }
    if old.proxied {
        line.push_str(", proxied -> not proxied");
    }
    line
}

fn doubles(seen: &[SeenRecord]) -> String {
    let others: Vec<String> = seen.iter().skip(1).map(there).collect();
    if others.is_empty() { String::new() } else { format!(", without its double {}", others.join(", ")) }
}

/// A plan for machines.
pub(super) fn document(zone: &Zone, plan: &Plan<'_>) -> Value {
    json!({
        "zone": zone.name,
        "owner": zone.owner.as_str(),
        "checksum": plan.checksum().to_string(),
        "changes": plan.steps.iter().map(step_document).collect::<Vec<_>>(),
        "conflicts": plan.conflicts.iter().map(conflict_document).collect::<Vec<_>>(),
        "unchanged": plan.unchanged,
        "unlisted": plan.unlisted,
        "owned": plan.owned,
        "total": plan.total,
    })
}

fn step_document(step: &Step<'_>) -> Value {
    let new = match step {
        Step::Create(wanted)
        | Step::Update(wanted, _)
        | Step::Retype(wanted, _)
        | Step::Unify(wanted, _)
        | Step::Adopt(wanted, _) => {
            json!({"type": wanted.target.kind(), "content": wanted.target.to_string(), "ttl": wanted.ttl})
        }
        Step::Delete(..) => Value::Null,
    };
    let old: Vec<Value> = step.seen().iter().map(record_document).collect();
    json!({"action": step.action(), "name": step.name(), "old": old, "new": new})
}

fn conflict_document(conflict: &Conflict<'_>) -> Value {
    json!({"name": conflict.wanted.name, "line": conflict.wanted.line, "reason": conflict.reason})
}

fn record_document(record: &SeenRecord) -> Value {
    json!({
        "id": record.id,
        "type": record.kind,
        "content": record.content,
        "ttl": record.ttl,
        "proxied": record.proxied,
    })
}
