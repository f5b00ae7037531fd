//! `alfred state versions`, `diff`, `download`, `roll-back`, `pin` and `unpin`.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;

use alfred_model::state::StateName;
use serde_json::json;

use super::{Context, confirm, path, size};
use crate::api::{AttributeChange, Change, ChangeCounts, StateDiff, StateVersion, StateVersions};
use crate::cli::{StateDiffArguments, StateDownloadArguments, StateRollBackArguments, StateVersionArguments};
use crate::client::Client;
use crate::error::{Exit, Failure, one_line};
use crate::table;

/// Values are cut to so many characters on the screen.
const VALUE_MAX: usize = 60;

async fn versions(client: &Client, name: &StateName) -> Result<StateVersions, Failure> {
    Ok(client.get(&path(name, "/versions")).await?)
}

/// Lists versions.
pub(super) async fn list(context: &Context, name: &StateName) -> Result<Exit, Failure> {
    let versions = versions(&context.client()?, name).await?;
    if context.printer.json() {
        context.printer.document(&versions)?;
        return Ok(Exit::Done);
    }
    let mut table = table::table(&["VERSION", "SIZE", "WRITTEN (UTC)", "BY", "NOTE"]);
    for version in &versions.versions {
        let notes = [
            version.pinned.then(|| "pinned".to_owned()),
            version.rolled_back_to.map(|serial| format!("rolled back to {serial}")),
            version.opaque.then(|| "encrypted by the client".to_owned()),
            version.key_id.as_ref().map(|key| format!("key {key}")),
        ];
        table.add_row([
            version.name(),
            size(version.size),
            table::time(version.at),
            one_line(&version.by),
            table::or_dash(
                Some(notes.into_iter().flatten().collect::<Vec<_>>().join(", ")).filter(|note| !note.is_empty()),
            ),
        ]);
    }
    context.printer.data(table::text(&table))?;
    Ok(Exit::Done)
}

/// Shows what changed.
pub(super) async fn diff(context: &Context, arguments: &StateDiffArguments) -> Result<Exit, Failure> {
    let mut query = Vec::new();
    query.extend(arguments.from.as_ref().map(|from| format!("from={from}")));
    query.extend(arguments.to.as_ref().map(|to| format!("to={to}")));
    let path = path(&arguments.name, &format!("/diff?{}", query.join("&")));
    let diff: StateDiff = context.client()?.get_slowly(&path).await?;
    if context.printer.json() {
        context.printer.document(&diff)?;
    } else {
        context.printer.data(told(&diff))?;
    }
    Ok(Exit::Done)
}

fn told(diff: &StateDiff) -> String {
    let from = diff.from.as_ref().map_or_else(|| "nothing".to_owned(), StateVersion::name);
    let mut text = format!("from {from} to {}", diff.to.name());
    for (what, changes, counts) in
        [("resources", &diff.resources, diff.resource_counts), ("outputs", &diff.outputs, diff.output_counts)]
    {
        let ChangeCounts { added, changed, removed } = counts;
        let _ = write!(text, "\n\n{what}: {added} added, {changed} changed, {removed} removed");
        for change in changes {
            text.push_str(&change_told(change));
        }
        let omitted = (added + changed + removed).saturating_sub(changes.len());
        if omitted > 0 {
            let _ = write!(text, "\n  and {omitted} more");
        }
    }
    text
}

fn change_told(change: &Change) -> String {
    let mark = match change.kind.as_str() {
        "added" => '+',
        "removed" => '-',
        _ => '~',
    };
    let mut text = format!("\n  {mark} {}", one_line(&change.address));
    for AttributeChange { path, before, after, sensitive } in &change.attributes {
        let side = |value: &Option<String>| match value {
            _ if *sensitive => "(hidden)".to_owned(),
            Some(value) => table::shortened(&one_line(value), VALUE_MAX),
            None => "(none)".to_owned(),
        };
        let values = if *sensitive { "(hidden)".to_owned() } else { format!("{} -> {}", side(before), side(after)) };
        let _ = write!(text, "\n      {}: {values}", one_line(path));
    }
    if change.attributes_omitted > 0 {
        let _ = write!(text, "\n      and {} more attributes", change.attributes_omitted);
    }
    text
}

/// Writes a version's content out.
pub(super) async fn download(context: &Context, arguments: &StateDownloadArguments) -> Result<Exit, Failure> {
    let client = context.client()?;
    let version = if let Some(version) = &arguments.version {
        version.clone()
    } else {
        let versions = versions(&client, &arguments.name).await?.versions;
        let none = || Failure::new(format!("`{}` has no version yet", arguments.name));
        let newest = versions.first().ok_or_else(none)?;
        format!("{}-{}", newest.serial, newest.sha256)
    };
    let path = path(&arguments.name, &format!("/versions/{version}/content"));
    let Some(file) = &arguments.output else {
        client.copy(&path, &mut std::io::stdout()).await?;
        return Ok(Exit::Done);
    };
    let cannot = |error: std::io::Error| Failure::because(format!("cannot write `{}`", file.display()), &error);
    let mut out = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file).map_err(cannot)?;
    let copied = async {
        let length = client.copy(&path, &mut out).await?;
        out.flush().and_then(|()| out.sync_all()).map_err(cannot)?;
        Ok::<u64, Failure>(length)
    };
    match copied.await {
        Ok(length) => {
            context.printer.note(format_args!("wrote {} to `{}`", size(length), file.display()));
            Ok(Exit::Done)
        }
        Err(failure) => {
            // Half a state must not be taken for one.
            let _ = std::fs::remove_file(file);
            Err(failure)
        }
    }
}

/// Goes back to a version.
pub(super) async fn roll_back(context: &Context, arguments: &StateRollBackArguments) -> Result<Exit, Failure> {
    let StateRollBackArguments { name, version, lock_id, yes } = arguments;
    confirm(context, *yes, &format!("make version {version} of `{name}` the newest again"))?;
    let client = context.client()?;
    let body = json!({ "version": version, "lock_id": lock_id });
    let made: StateVersion = client.post_slowly(&path(name, "/roll-back"), &body).await?;
    if context.printer.json() {
        context.printer.document(&made)?;
    } else {
        context.printer.note(format_args!("`{name}` is at version {} with the content of {version}", made.name()));
        context.printer.note("run `terraform plan` to see what that means for what it describes");
    }
    Ok(Exit::Done)
}

/// Pins or unpins a version.
pub(super) async fn pin(context: &Context, arguments: &StateVersionArguments, pinned: bool) -> Result<Exit, Failure> {
    let StateVersionArguments { name, version } = arguments;
    let client = context.client()?;
    let path = path(name, &format!("/versions/{version}/pin"));
    if pinned {
        client.put_nothing(&path).await?;
        context.printer.note(format_args!("version {version} of `{name}` is kept until it is unpinned"));
    } else {
        client.delete(&path).await?;
        context.printer.note(format_args!("version {version} of `{name}` is kept as long as others are"));
    }
    Ok(Exit::Done)
}
