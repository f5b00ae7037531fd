//! The plan as people read it: what is there, what is done and why, what it costs, what a person must decide or do.

use alfred_model::money::{Money, sums};
use jiff::{SignedDuration, Timestamp};

use crate::api::{Lapse, Order, Pool, PoolVm};
use crate::error::one_line;
use crate::table;

/// So far are the values of the summary indented.
const INDENT: usize = 9;

/// So many contracts stand in the table; `--json` has all.
const CONTRACTS_MAX: usize = 25;

/// So much of a name stands in the table.
const NAME_MAX: usize = 28;

/// All of it.
pub(super) fn plan(pool: &Pool) -> String {
    let parts = [summary(pool), costs(pool), contracts(pool), advice(pool), trouble(pool), unknown_orders(pool)];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n")
}

/// What is there, what is wanted, and whether anything is bought.
pub(super) fn summary(pool: &Pool) -> String {
    let mut lines = vec![
        labelled("VMs", &counts(pool)),
        labelled("wanted", &wanted(pool)),
        labelled("demand", &demand(pool)),
        labelled("buying", &buying(pool)),
    ];
    if let Some(pause) = &pool.paused {
        let reason = pause.reason.as_ref().map(|reason| format!(": {}", one_line(reason))).unwrap_or_default();
        let words = format!("by {} since {} UTC{reason}", one_line(&pause.by), table::minute(pause.at));
        lines.push(labelled("paused", &words));
    }
    lines.push(labelled("costs", &total(pool)));
    lines.join("\n")
}

fn counts(pool: &Pool) -> String {
    let counts = &pool.counts;
    let last = pool.vms.iter().filter_map(|vm| vm.assignable_at.filter(|at| *at > pool.at)).max();
    let until = last.map(|at| format!(" (the last until {} UTC)", table::minute(at))).unwrap_or_default();
    let each = [
        (counts.assigned, "assigned", ""),
        (counts.ready, "ready", ""),
        (counts.resting, "resting", until.as_str()),
        (counts.preparing, "preparing", ""),
        (counts.ordered, "on order", ""),
        (counts.retiring, "retiring", ""),
        (counts.unfit, "of another product or region", ""),
        (counts.quarantined, "quarantined", ""),
        (counts.unknown, "waiting for a person", ""),
    ];
    let each = each.into_iter().filter(|(count, ..)| *count > 0);
    let each: Vec<String> = each.map(|(count, word, more)| format!("{count} {word}{more}")).collect();
    let each = if each.is_empty() { String::new() } else { format!(": {}", each.join(", ")) };
    format!("{} of at most {}{each}", pool.owned, pool.owned_max)
}

fn wanted(pool: &Pool) -> String {
    let counts = &pool.counts;
    let there = counts.ready + counts.resting + counts.preparing + counts.ordered;
    let since = pool.short_since.map(|since| format!(", too few since {} UTC", table::minute(since)));
    format!("{} ready; {there} are ready or on their way{}", pool.wanted, since.unwrap_or_default())
}

fn demand(pool: &Pool) -> String {
    let words = if pool.peak == 1 { "environment had a VM" } else { "environments had VMs" };
    format!("at most {} {words} at once in the last four weeks", pool.peak)
}

fn buying(pool: &Pool) -> String {
    let month = match pool.month_max {
        Some(limit) => format!("{} ordered this month of at most {limit}", pool.ordered_this_month),
        None => format!("{} ordered this month", pool.ordered_this_month),
    };
    match (&pool.hold, pool.order) {
        (Some(hold), _) => format!("held, {}", one_line(&hold.words)),
        (None, 0) if pool.short_since.is_some() => format!("soon, if there are still too few then; {month}"),
        (None, 0) => format!("nothing needed now; {month}"),
        (None, order) => format!("{order} at the next turn; {month}"),
    }
}

fn total(pool: &Pool) -> String {
    let count = |priced: bool| -> usize {
        pool.vms.iter().filter(|vm| vm.price.is_some() == priced).map(|vm| vm.renewals.len()).sum()
    };
    let renewals = |count: usize| format!("{count} renewal{}", if count == 1 { "" } else { "s" });
    let all = match (count(true), count(false)) {
        (0, 0) => "nothing renews".to_owned(),
        (0, unknown) => format!("{} of an unknown price", renewals(unknown)),
        (known, unknown) => {
            let sum = amounts(&sums(pool.weekly_costs.iter().flatten().copied()));
            let more = if unknown == 0 { String::new() } else { format!(", and {unknown} of an unknown price") };
            format!("{sum} for {}{more}", renewals(known))
        }
    };
    match pool.price {
        Some(price) => format!("{all} in the next four weeks; a new VM costs {price} a month"),
        None => format!("{all} in the next four weeks; the price of new VMs is not configured (`ALFRED_VM_PRICE`)"),
    }
}

/// What renews in each of the next four weeks.
fn costs(pool: &Pool) -> String {
    if pool.vms.iter().all(|vm| vm.renewals.is_empty()) {
        return String::new();
    }
    let mut table = table::table(&["WEEK FROM", "RENEWALS", "COST"]);
    let mut from = pool.at;
    for (number, cost) in pool.weekly_costs.iter().enumerate() {
        let last = number + 1 == pool.weekly_costs.len();
        let to = from.saturating_add(SignedDuration::from_hours(7 * 24)).unwrap_or(Timestamp::MAX);
        let in_week = |renewal: &&Timestamp| **renewal >= from && (**renewal < to || last);
        let count = pool.vms.iter().flat_map(|vm| &vm.renewals).filter(in_week).count();
        table.add_row([table::day(from), count.to_string(), if count == 0 { "-".to_owned() } else { amounts(cost) }]);
        from = to;
    }
    table::text(&table)
}

/// Each contract, the most urgent decision first; what needs none comes last.
fn contracts(pool: &Pool) -> String {
    if pool.vms.is_empty() {
        return String::new();
    }
    let mut vms: Vec<&PoolVm> = pool.vms.iter().collect();
    vms.sort_by_key(|vm| (vm.decide_by.is_none(), vm.decide_by, vm.paid_until, vm.id));
    let mut table = table::table(&["DECIDE BY (UTC)", "VM", "NAME", "PAID UNTIL", "PRICE", "WHAT"]);
    for vm in vms.iter().take(CONTRACTS_MAX) {
        table.add_row([
            table::or_dash(vm.decide_by.map(table::minute)),
            vm.id.to_string(),
            table::shortened(&one_line(&vm.display_name), NAME_MAX),
            table::or_dash(vm.paid_until.map(table::day)),
            table::or_dash(vm.price),
            what(pool, vm).to_owned(),
        ]);
    }
    let text = table::text(&table);
    match vms.len().saturating_sub(CONTRACTS_MAX) {
        0 => text,
        more => format!("{text}\nand {more} more, less urgent: `alfred vm pool --json` has all"),
    }
}

fn what(pool: &Pool, vm: &PoolVm) -> &'static str {
    if pool.lapse.iter().any(|lapse| lapse.vm_id == vm.id) {
        return "not needed";
    }
    match vm.state.as_str() {
        _ if vm.ends => "ends",
        "assigned" => "in use, renews",
        "retiring" => "being cancelled",
        "quarantined" => "quarantined",
        _ => "renews",
    }
}

/// What to do about contracts that nobody needs.
fn advice(pool: &Pool) -> String {
    let line = |Lapse { vm_id, decide_by, saves_from }: &Lapse| {
        let price = pool.vms.iter().find(|vm| vm.id == *vm_id).and_then(|vm| vm.price);
        let saves = price.map_or_else(|| "what it costs".to_owned(), |price| format!("{price} a month"));
        let (by, from) = (table::minute(*decide_by), table::day(*saves_from));
        let words = if pool.lapses_by_itself && pool.paused.is_none() {
            format!("is not needed and is cancelled by itself: that saves {saves} from {from} on")
        } else {
            format!("is not needed: `alfred vm cancel {vm_id}` before {by} UTC saves {saves} from {from} on")
        };
        paragraph(&format!("VM {vm_id}"), &words)
    };
    pool.lapse.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// VMs that wait for a person.
fn trouble(pool: &Pool) -> String {
    let waits = |vm: &&PoolVm| vm.attention || matches!(vm.state.as_str(), "quarantined" | "unknown");
    let line = |vm: &PoolVm| {
        let reason = one_line(vm.reason.as_deref().unwrap_or("no reason is known"));
        paragraph(&format!("VM {}", vm.id), &format!("is {}: {reason}", vm.state))
    };
    pool.vms.iter().filter(waits).map(line).collect::<Vec<_>>().join("\n")
}

/// Orders of which nothing is known, each with what to do.
fn unknown_orders(pool: &Pool) -> String {
    pool.unknown_orders.iter().map(unknown_order).collect::<Vec<_>>().join("\n")
}

fn unknown_order(order: &Order) -> String {
    let Order { id, request_id, subject, actor, outcome, created_at, environment_id } = order;
    let (subject, actor) = (one_line(subject), one_line(actor));
    let sent =
        format!("for `{subject}`, asked for by {actor} at {} UTC, request id {request_id}", table::minute(*created_at));
    if outcome == "open" {
        return paragraph("order", &format!("{sent}: its answer is awaited"));
    }
    let slug = subject.strip_prefix(alfred_model::vm::DISPLAY_NAME_PREFIX).filter(|_| environment_id.is_some());
    let command = match slug {
        Some(slug) => format!("alfred env retry {slug} --abandon-order"),
        None => format!("alfred vm order --abandon {}", one_line(id)),
    };
    let words = format!(
        "{sent}: it is not known whether it bought a VM. It is looked for and never sent again. Look in the provider's \
         panel for that name; when it is certain that no VM came of it, run `{command}`"
    );
    paragraph("order", &words)
}

fn amounts(amounts: &[Money]) -> String {
    if amounts.is_empty() {
        return "unknown".to_owned();
    }
    amounts.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ")
}

fn labelled(label: &str, text: &str) -> String {
    table::labelled(label, text, INDENT)
}

/// A paragraph that begins with what it is about.
fn paragraph(about: &str, text: &str) -> String {
    table::labelled("", &format!("{about} {text}"), 0)
}

#[cfg(test)]
mod tests;
