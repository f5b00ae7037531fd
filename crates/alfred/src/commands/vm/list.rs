//! `alfred vm list`.

use alfred_model::seam::Clock as _;
use jiff::Timestamp;

use super::Context;
use crate::api::{Vm, Vms};
use crate::error::{Exit, Failure, one_line};
use crate::system::SystemClock;
use crate::table;

/// So far is what a VM waits for indented, below the table.
const INDENT: usize = 14;

/// So much of a name stands in the table; `--json` and whoever asks for the name show all of it.
const NAME_MAX: usize = 30;

/// Prints all VMs whose contract has not ended, and below them what those wait for that wait.
pub(super) async fn run(context: &Context) -> Result<Exit, Failure> {
    let all: Vms = context.client()?.get("/v1/vms").await?;
    if context.printer.json() {
        context.printer.document(&all)?;
    } else if all.vms.is_empty() {
        context.printer.note("there are no VMs");
    } else {
        context.printer.data(rows(&all.vms))?;
        let notes = notes(&all.vms, SystemClock.now());
        if !notes.is_empty() {
            context.printer.data(format_args!("\n{notes}"))?;
        }
    }
    Ok(Exit::Done)
}

fn rows(vms: &[Vm]) -> String {
    let mut table = table::table(&["ID", "STATE", "NAME", "ADDRESS", "PAID UNTIL", "ENDS", "PRICE"]);
    for vm in vms {
        table.add_row([
            vm.id.to_string(),
            vm.state.clone(),
            table::shortened(&one_line(&vm.display_name), NAME_MAX),
            table::or_dash(vm.address.as_deref()),
            table::or_dash(vm.paid_until.map(table::day)),
            if vm.ends { "yes" } else { "no" }.to_owned(),
            table::or_dash(vm.price),
        ]);
    }
    table::text(&table)
}

/// Why VMs wait, one paragraph for each.
fn notes(vms: &[Vm], now: Timestamp) -> String {
    let mut lines = Vec::new();
    for vm in vms {
        let label = format!("VM {}", vm.id);
        if let Some(reason) = &vm.reason {
            lines.push(table::labelled(&label, &one_line(reason), INDENT));
        } else if let Some(until) = vm.assignable_at.filter(|until| *until > now) {
            let words = format!("rests until {} UTC: caches forget its old name first", table::time(until));
            lines.push(table::labelled(&label, &words, INDENT));
        }
    }
    lines.join("\n")
}
