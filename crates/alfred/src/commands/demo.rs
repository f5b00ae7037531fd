//! `alfred demo`: the whole story on the local cloud, over real HTTP and real DNS, with nothing configured.
//!
//! It is the control plane as `alfred up --local` runs it, in a temporary folder, and a client that asks it over HTTP.
//! What it claims at the end it has seen: every proof is a question to a DNS server or a connection to a VM.

mod proof;
mod stage;
mod story;

use serde_json::json;

use super::Context;
use crate::cli::DemoArguments;
use crate::error::{Exit, Failure};
use crate::logging;
use crate::stop::Stop;

use stage::Stage;
use story::Story;

/// Runs the story; with `--keep` it stops before the deletion and leaves everything running.
pub(super) async fn run(context: &Context, arguments: &DemoArguments) -> Result<Exit, Failure> {
    logging::start(context.printer);
    let stage = Stage::start(context).await?;
    let result = tell(context, arguments, &stage).await;
    stage.stop().await;
    result
}

async fn tell(context: &Context, arguments: &DemoArguments, stage: &Stage) -> Result<Exit, Failure> {
    let printer = context.printer;
    let mut story = Story::new(printer, stage);
    story.begin();
    story.create(arguments.count).await?;
    story.prove().await?;
    story.audit().await?;
    if arguments.keep {
        let stop = Stop::on_signals()?;
        return keep(context, stage, &story, &stop).await;
    }
    story.delete().await?;
    story.prove_absence().await?;
    story.audit().await?;
    story.count_calls();
    if printer.json() {
        printer.document(&story.report())?;
    }
    Ok(Exit::Done)
}

async fn keep(context: &Context, stage: &Stage, story: &Story<'_>, stop: &Stop) -> Result<Exit, Failure> {
    let printer = context.printer;
    let addresses = json!({
        "url": stage.url,
        "token_file": stage.token_file.display().to_string(),
        "cloud_url": stage.cloud_url(),
        "dns_server": stage.dns_server().to_string(),
    });
    if printer.json() {
        let mut report = story.report();
        report["addresses"] = addresses;
        printer.document(&report)?;
    }
    printer.note(format_args!(
        "\nEverything is left running until Ctrl-C. In another terminal:\n  export ALFRED_URL={}\n  alfred --token-file {} \
         env list\n  dig @{} -p {} {} +short\n  curl {}/_admin/journal",
        stage.url,
        stage.token_file.display(),
        stage.dns_server().ip(),
        stage.dns_server().port(),
        story.first_domain(),
        stage.cloud_url(),
    ));
    stop.gently.cancelled().await;
    Ok(Exit::Done)
}
