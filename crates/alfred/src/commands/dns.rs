//! `alfred dns`: records by hand and from files, straight at Cloudflare.
//!
//! It needs a token and a zone and nothing else: no server, no database, no data directory. What is wanted, what is there
//! and what is done about it is decided in [`alfred_model::dns`] and written by the engine's DNS writer; here are the
//! calls, the words and the questions. It knows no environments, but that their records are not its own.

mod apply;
mod carry;
mod delete;
mod file;
mod get;
mod list;
mod plan;
mod show;
mod verify;
mod zone;

use super::Context;
use crate::cli::{DnsArguments, DnsCommand};
use crate::error::{Exit, Failure};

/// Runs a command about DNS records.
pub(super) async fn run(context: &Context, arguments: DnsArguments) -> Result<Exit, Failure> {
    let DnsArguments { zone, command } = arguments;
    let context = &context.with_config(zone::narrowed(&context.config, zone.as_ref())?);
    match command {
        DnsCommand::List(arguments) => list::run(context, &arguments).await,
        DnsCommand::Get(arguments) => get::run(context, &arguments).await,
        DnsCommand::Set(arguments) => apply::set(context, &arguments).await,
        DnsCommand::Delete(arguments) => delete::run(context, &arguments).await,
        DnsCommand::Verify(arguments) => verify::run(context, &arguments).await,
        DnsCommand::Plan(arguments) => plan::run(context, &arguments.file).await,
        DnsCommand::Apply(arguments) => apply::run(context, &arguments).await,
    }
}
