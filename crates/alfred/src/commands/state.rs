//! `alfred state`: Terraform states, their versions, locks and rights.

mod init;
mod locks;
mod log;
mod look;
mod migrate;
mod mirror;
mod rights;
mod settings;
mod verify;
mod versions;

use alfred_model::state::StateName;

use super::Context;
use crate::cli::StateCommand;
use crate::client::encode;
use crate::error::{Exit, Failure};

/// Runs the command.
pub(super) async fn run(context: &Context, command: StateCommand) -> Result<Exit, Failure> {
    match command {
        StateCommand::List { all } => look::list(context, all).await,
        StateCommand::Show { name } => look::show(context, &name).await,
        StateCommand::Init(arguments) => init::run(context, &arguments).await,
        StateCommand::Versions { name } => versions::list(context, &name).await,
        StateCommand::Diff(arguments) => versions::diff(context, &arguments).await,
        StateCommand::Download(arguments) => versions::download(context, &arguments).await,
        StateCommand::RollBack(arguments) => versions::roll_back(context, &arguments).await,
        StateCommand::Pin(arguments) => versions::pin(context, &arguments, true).await,
        StateCommand::Unpin(arguments) => versions::pin(context, &arguments, false).await,
        StateCommand::Lock { name, reason } => locks::lock(context, &name, reason.as_deref()).await,
        StateCommand::Unlock { name, id } => locks::unlock(context, &name, &id).await,
        StateCommand::ForceUnlock(arguments) => locks::force_unlock(context, &arguments).await,
        StateCommand::Settings(arguments) => settings::run(context, &arguments).await,
        StateCommand::Verify { names } => verify::run(context, &names).await,
        StateCommand::Delete(arguments) => settings::delete(context, &arguments).await,
        StateCommand::Grant(arguments) => rights::grant(context, &arguments).await,
        StateCommand::Revoke(arguments) => rights::revoke(context, &arguments).await,
        StateCommand::Rights { name } => rights::list(context, name.as_ref()).await,
        StateCommand::Log(arguments) => log::run(context, &arguments).await,
        StateCommand::Mirror => mirror::show(context).await,
        StateCommand::Switch(arguments) => mirror::switch(context, &arguments).await,
        StateCommand::Migrate(arguments) => migrate::run(context, &arguments).await,
    }
}

/// Where the API has a state.
fn path(name: &StateName, below: &str) -> String {
    format!("/v1/states/{}{below}", encode(name.as_str()))
}

/// Asks before something is done, unless that was answered on the command line.
fn confirm(context: &Context, yes: bool, what: &str) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !context.printer.can_ask() {
        return Err(Failure::usage("this needs a yes").hint("add `--yes`"));
    }
    let answer = context.printer.ask(format_args!("{what}? [y/N]"))?;
    if matches!(answer.to_ascii_lowercase().as_str(), "y" | "yes") {
        Ok(())
    } else {
        Err(Failure::new("nothing was changed"))
    }
}

/// A length as people read it.
pub(super) fn size(bytes: u64) -> String {
    let tenths = |unit: u64| {
        let tenths = bytes.saturating_mul(10) / unit;
        format!("{}.{}", tenths / 10, tenths % 10)
    };
    match bytes {
        0..1_024 => format!("{bytes} B"),
        1_024..1_048_576 => format!("{} KiB", tenths(1_024)),
        _ => format!("{} MiB", tenths(1_048_576)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_told_in_the_largest_unit_that_fits() {
        assert_eq!([size(0), size(1_023), size(1_024), size(1_600)], ["0 B", "1023 B", "1.0 KiB", "1.5 KiB"]);
        assert_eq!([size(1 << 20), size(256 << 20)], ["1.0 MiB", "256.0 MiB"]);
        assert_eq!(size(u64::MAX).split('.').count(), 2);
    }
}
