//! `alfred state settings` and `delete`.

use jiff::SignedDuration;

use super::{Context, confirm, path};
use crate::api::{State, StateSettings};
use crate::cli::{OrDefault, StateDeleteArguments, StateSettingsArguments};
use crate::error::{Exit, Failure};
use crate::table;
use crate::ttl::Ttl;

/// Shows settings, after changing those that are named.
pub(super) async fn run(context: &Context, arguments: &StateSettingsArguments) -> Result<Exit, Failure> {
    let StateSettingsArguments { name, keep_versions, keep_days, lock_expires } = arguments;
    let client = context.client()?;
    let state: State = client.get(&path(name, "")).await?;
    let mut settings = state.settings;
    let changes = keep_versions.is_some() || keep_days.is_some() || lock_expires.is_some();
    if let Some(OrDefault(number)) = keep_versions {
        settings.keep_versions = *number;
    }
    if let Some(OrDefault(number)) = keep_days {
        settings.keep_days = *number;
    }
    if let Some(Ttl(length)) = lock_expires {
        settings.lock_expires_seconds = length.map(|length| u32::try_from(length.as_secs()).unwrap_or(u32::MAX));
    }
    let settings: StateSettings =
        if changes { client.put(&path(name, "/settings"), &settings).await? } else { settings };
    if context.printer.json() {
        context.printer.document(&settings)?;
        return Ok(Exit::Done);
    }
    let kept = |number: Option<u32>| number.map_or("default".to_owned(), |number| number.to_string());
    let expires = settings.lock_expires_seconds.map_or("never".to_owned(), |seconds| {
        format!("after {} without a write", table::elapsed(SignedDuration::from_secs(seconds.into())))
    });
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.add_row(["keep versions", &kept(settings.keep_versions)]);
    table.add_row(["keep days", &kept(settings.keep_days)]);
    table.add_row(["locks expire", &expires]);
    context.printer.data(table::text(&table))?;
    Ok(Exit::Done)
}

/// Deletes a state, or removes a deleted one for ever.
pub(super) async fn delete(context: &Context, arguments: &StateDeleteArguments) -> Result<Exit, Failure> {
    let StateDeleteArguments { name, purge, yes } = arguments;
    let client = context.client()?;
    let state: State = client.get(&path(name, "")).await?;
    let versions = state.versions;
    if *purge {
        confirm(context, *yes, &format!("remove `{name}` with all its {versions} versions, for ever"))?;
        client.delete(&path(name, "?purge=true")).await?;
        context.printer.note(format_args!("`{name}` is gone for ever"));
    } else {
        confirm(context, *yes, &format!("delete `{name}`, so that Terraform finds no state there"))?;
        client.delete(&path(name, "")).await?;
        context.printer.note(format_args!("`{name}` is deleted; its {versions} versions are kept"));
        if let Some(version) = state.newest {
            context.printer.note(format_args!("`alfred state roll-back {name} {}` brings it back", version.name()));
        }
    }
    Ok(Exit::Done)
}
