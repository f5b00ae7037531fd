//! `alfred vm cancel` and `alfred vm adopt`: what cannot be undone is told first, and the VM's name is asked for.

use alfred_model::seam::Clock as _;
use serde::Deserialize as _;
use serde_json::{Value, json};

use super::Context;
use crate::api::{PoolVm, VmRequest};
use crate::cli::{AdoptArguments, CancelArguments};
use crate::error::{Exit, Failure, one_line};
use crate::system::SystemClock;
use crate::table;

/// So far are the values indented.
const INDENT: usize = 12;

/// What is asked for.
struct Request {
    id: i64,
    verb: &'static str,
    done: &'static str,
    foreign: Option<bool>,
    dry_run: bool,
    name: Option<String>,
}

/// Lets a VM's contract end.
pub(super) async fn cancel(context: &Context, arguments: CancelArguments) -> Result<Exit, Failure> {
    let CancelArguments { id, dry_run, name } = arguments;
    let done = "is being cancelled: `alfred vm list` shows its last day once the provider tells it";
    Request { id, verb: "cancel", done, foreign: None, dry_run, name }.run(context).await
}

/// Takes a VM into the pool.
pub(super) async fn adopt(context: &Context, arguments: AdoptArguments) -> Result<Exit, Failure> {
    let AdoptArguments { id, foreign, dry_run, name } = arguments;
    let done = "is ours: it is wiped and then ready, see `alfred vm list`";
    Request { id, verb: "adopt", done, foreign: Some(foreign), dry_run, name }.run(context).await
}

impl Request {
    async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let printer = context.printer;
        if !self.dry_run && self.name.is_none() && !printer.can_ask() {
            let failure = Failure::usage(format!("to {} VM {}, its name is needed", self.verb, self.id));
            return Err(failure.hint("add `--name NAME`, or `--dry-run` to see what would be given up"));
        }
        let client = context.client()?;
        let path = format!("/v1/vms/{}/{}", self.id, self.verb);
        let (document, preview) = read(client.post(&path, &self.body(true, None)).await?)?;
        if self.dry_run {
            if printer.json() {
                printer.document(&document)?;
            } else {
                printer.data(told(&preview))?;
            }
            return Ok(Exit::Done);
        }
        printer.note(told(&preview));
        let name = match &self.name {
            Some(name) => name.clone(),
            None => printer.ask(format_args!("\ntype the VM's name to {} it:", self.verb))?,
        };
        if name.is_empty() {
            return Err(Failure::new("nothing was done"));
        }
        let (document, _) = read(client.post(&path, &self.body(false, Some(&name))).await?)?;
        if printer.json() {
            printer.document(&document)?;
        } else {
            printer.note(format_args!("VM {} {}", self.id, self.done));
        }
        Ok(Exit::Done)
    }

    fn body(&self, dry_run: bool, name: Option<&str>) -> Value {
        let mut body = json!({ "dry_run": dry_run, "display_name": name });
        if let Some(foreign) = self.foreign {
            body["foreign"] = foreign.into();
        }
        body
    }
}

/// The answer as it came, for `--json`, and as it is understood here.
fn read(document: Value) -> Result<(Value, VmRequest), Failure> {
    let request = VmRequest::deserialize(&document)
        .map_err(|error| Failure::because("the server's answer cannot be understood", &error))?;
    Ok((document, request))
}

fn told(request: &VmRequest) -> String {
    let PoolVm { id, display_name, state, paid_until, ends, decide_by, price, .. } = &request.vm;
    let mut lines = Vec::new();
    let mut line = |label: &str, text: &str| lines.push(table::labelled(label, text, INDENT));
    line("VM", &id.to_string());
    line("name", &one_line(display_name));
    line("state", state);
    if let Some(until) = paid_until {
        let then = if *ends { "then it ends" } else { "then it renews" };
        line("paid until", &format!("{} UTC, {then}", table::minute(*until)));
    }
    if let Some(price) = price {
        line("price", &format!("{price} a month"));
    }
    if let Some(by) = decide_by {
        let left = table::elapsed(by.duration_since(SystemClock.now()));
        line(
            "decide by",
            &format!("{} UTC ({left} left); after that it is paid for one term more", table::minute(*by)),
        );
    }
    line("gives up", &one_line(&request.gives_up));
    lines.join("\n")
}
