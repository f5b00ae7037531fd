//! `alfred vm`: the VMs that are paid for, and the pool that they are kept in.

mod list;
mod order;
mod pool;
mod request;

use super::Context;
use crate::cli::VmCommand;
use crate::error::{Exit, Failure};

/// Runs the command.
pub(super) async fn run(context: &Context, command: VmCommand) -> Result<Exit, Failure> {
    match command {
        VmCommand::List => list::run(context).await,
        VmCommand::Pool(arguments) => pool::run(context, arguments).await,
        VmCommand::Order(arguments) => order::run(context, &arguments).await,
        VmCommand::Cancel(arguments) => request::cancel(context, arguments).await,
        VmCommand::Adopt(arguments) => request::adopt(context, arguments).await,
    }
}
