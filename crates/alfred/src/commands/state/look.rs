//! `alfred state list` and `show`.

use alfred_model::seam::Clock as _;
use alfred_model::state::StateName;
use jiff::{SignedDuration, Timestamp};

use super::{Context, path, size};
use crate::api::{State, StateLock, States};
use crate::client::{Client, ClientError, encode};
use crate::error::{Exit, Failure, one_line};
use crate::system::SystemClock;
use crate::table;

/// A lock that expires sooner is warned of.
const EXPIRES_SOON: SignedDuration = SignedDuration::from_mins(10);

/// Every state that the caller may see, over all pages.
pub(super) async fn all(client: &Client, include_deleted: bool) -> Result<States, ClientError> {
    let mut all = States { states: Vec::new(), places: Vec::new(), next_cursor: None };
    let mut cursor: Option<String> = None;
    loop {
        let after = cursor.map(|cursor| format!("&cursor={}", encode(&cursor))).unwrap_or_default();
        let page: States =
            client.get(&format!("/v1/states?limit=1000&include_deleted={include_deleted}{after}")).await?;
        all.states.extend(page.states);
        all.places = page.places;
        match page.next_cursor {
            Some(next) => cursor = Some(next),
            None => return Ok(all),
        }
    }
}

/// Lists states.
pub(super) async fn list(context: &Context, include_deleted: bool) -> Result<Exit, Failure> {
    let states = all(&context.client()?, include_deleted).await?;
    if context.printer.json() {
        context.printer.document(&states)?;
        return Ok(Exit::Done);
    }
    if states.states.is_empty() {
        context.printer.note("there are no states: `alfred state init NAME` tells how to keep one here");
        return Ok(Exit::Done);
    }
    let now = SystemClock.now();
    let mut table = table::table(&["NAME", "SERIAL", "VERSIONS", "SIZE", "WRITTEN", "BY", "LOCK"]);
    for state in &states.states {
        let newest = state.newest.as_ref();
        let written = newest.map(|version| format!("{} ago", table::age(version.at, now)));
        let deleted = state.deleted_at.map(|_| "deleted".to_owned());
        table.add_row([
            state.name.clone(),
            table::or_dash(newest.map(|version| version.serial)),
            state.versions.to_string(),
            table::or_dash(newest.map(|version| size(version.size))),
            table::or_dash(deleted.or(written)),
            table::or_dash(newest.map(|version| one_line(&version.by))),
            table::or_dash(state.lock.as_ref().map(|lock| holder(lock, now))),
        ]);
    }
    context.printer.data(table::text(&table))?;
    warn_of_ends(context, &states.states, now);
    Ok(Exit::Done)
}

/// Who has a lock since when, and whether anything came of it yet.
fn holder(lock: &StateLock, now: Timestamp) -> String {
    let who = table::shortened(&one_line(&lock.who), 24);
    let written = if lock.written_at.is_some() { "" } else { ", no write yet" };
    format!("{who} for {}{written}", table::age(lock.at, now))
}

fn warn_of_ends(context: &Context, states: &[State], now: Timestamp) {
    for state in states {
        let Some((lock, at)) = state.lock.as_ref().and_then(|lock| lock.expires_at.map(|at| (lock, at))) else {
            continue;
        };
        let left = at.duration_since(now);
        if left < EXPIRES_SOON {
            context.printer.warning(format_args!(
                "the lock of `{}`, which `{}` has, no longer counts in {}",
                state.name,
                one_line(&lock.who),
                table::elapsed(left)
            ));
        }
    }
}

/// Shows one state.
pub(super) async fn show(context: &Context, name: &StateName) -> Result<Exit, Failure> {
    let state: State = context.client()?.get(&path(name, "")).await?;
    if context.printer.json() {
        context.printer.document(&state)?;
        return Ok(Exit::Done);
    }
    let now = SystemClock.now();
    context.printer.data(fields(&state, now))?;
    warn_of_ends(context, std::slice::from_ref(&state), now);
    Ok(Exit::Done)
}

fn fields(state: &State, now: Timestamp) -> String {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    let mut row = |name: &str, value: String| {
        table.add_row([name.to_owned(), value]);
    };
    row("name", state.name.clone());
    match &state.newest {
        Some(version) => {
            row("version", version.name());
            row("lineage", one_line(&version.lineage));
            row("size", size(version.size));
            row("written", format!("{} by {}", table::time(version.at), one_line(&version.by)));
            if version.opaque {
                row("content", "encrypted by the client: its resources cannot be read here".to_owned());
            }
            row(
                "at rest",
                version
                    .key_id
                    .as_ref()
                    .map_or("not encrypted by alfred".to_owned(), |key| format!("encrypted with the key `{key}`")),
            );
        }
        None => row("version", "none yet".to_owned()),
    }
    if let Some(at) = state.deleted_at {
        row("deleted", format!("{}: its versions are kept", table::time(at)));
    }
    row("kept", format!("{} versions, {}", state.versions, size(state.bytes)));
    match &state.lock {
        None => row("lock", "-".to_owned()),
        Some(lock) => {
            row("lock", lock.id.clone());
            row("holder", one_line(&format!("{} ({}), user {}", lock.who, lock.operation, lock.by)));
            if let Some(info) = &lock.info {
                row("reason", one_line(info));
            }
            row("since", format!("{}, {} ago", table::time(lock.at), table::age(lock.at, now)));
            row(
                "under it",
                lock.written_at.map_or("no write yet".to_owned(), |at| format!("last written {}", table::time(at))),
            );
            if let Some(at) = lock.expires_at {
                row("expires", table::time(at));
            }
        }
    }
    let kept = |number: Option<u32>| number.map_or("default".to_owned(), |number| number.to_string());
    row("keep versions", kept(state.settings.keep_versions));
    row("keep days", kept(state.settings.keep_days));
    let expires =
        state.settings.lock_expires_seconds.map(|seconds| table::elapsed(SignedDuration::from_secs(seconds.into())));
    row("locks expire", expires.map_or("never".to_owned(), |after| format!("after {after} without a write")));
    row("you may", state.rights.join(", "));
    table::text(&table)
}
