//! `alfred vm`: the VMs that are paid for.

use alfred_model::seam::Clock as _;
use std::collections::BTreeMap;

use super::Context;
use crate::api::{Vm, Vms};
use crate::cli::VmCommand;
use crate::error::{Exit, Failure, one_line};
use crate::system::SystemClock;
use crate::table;

/// Runs the command.
pub(super) async fn run(context: &Context, command: VmCommand) -> Result<Exit, Failure> {
    let all: Vms = context.client()?.get("/v1/vms").await?;
    match command {
        VmCommand::List => list(context, &all),
        VmCommand::Pool => pool(context, all),
    }
}

fn list(context: &Context, all: &Vms) -> Result<Exit, Failure> {
    if context.printer.json() {
        context.printer.document(all)?;
    } else {
        context.printer.data(rows(&all.vms))?;
    }
    Ok(Exit::Done)
}

fn pool(context: &Context, all: Vms) -> Result<Exit, Failure> {
    let in_pool = |vm: &Vm| matches!(vm.state.as_str(), "ready" | "preparing");
    let pool = Vms { vms: all.vms.into_iter().filter(in_pool).collect() };
    if context.printer.json() {
        context.printer.document(&pool)?;
        return Ok(Exit::Done);
    }
    let now = SystemClock.now();
    let mut counts = BTreeMap::from([("assignable now", 0), ("resting", 0), ("preparing", 0)]);
    for vm in &pool.vms {
        let rests = vm.assignable_at.is_none_or(|at| at > now);
        let word = match (vm.state.as_str(), rests) {
            ("ready", false) => "assignable now",
            ("ready", true) => "resting",
            _ => "preparing",
        };
        *counts.entry(word).or_default() += 1;
    }
    let counts: Vec<String> = counts.iter().map(|(word, count)| format!("{count} {word}")).collect();
    context.printer.note(format_args!("{} in the pool: {}", pool.vms.len(), counts.join(", ")));
    context.printer.data(rows(&pool.vms))?;
    Ok(Exit::Done)
}

fn rows(vms: &[Vm]) -> String {
    let mut table =
        table::table(&["ID", "STATE", "NAME", "ADDRESS", "PRODUCT", "REGION", "ASSIGNABLE", "ENDS", "REASON"]);
    for vm in vms {
        table.add_row([
            vm.id.to_string(),
            vm.state.clone(),
            one_line(&vm.display_name),
            table::or_dash(vm.address.as_deref()),
            vm.product.clone(),
            vm.region.clone(),
            table::or_dash(vm.assignable_at.map(table::time)),
            table::or_dash(vm.cancel_date.as_deref()),
            one_line(vm.reason.as_deref().unwrap_or_default()),
        ]);
    }
    table::text(&table)
}
