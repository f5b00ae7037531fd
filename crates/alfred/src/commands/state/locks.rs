//! `alfred state lock`, `unlock` and `force-unlock`.

use alfred_model::seam::{Clock as _, Random as _};
use alfred_model::state::StateName;
use serde_json::json;

use super::{Context, confirm, path};
use crate::api::{State, StateLock};
use crate::cli::StateForceUnlockArguments;
use crate::client::encode;
use crate::error::{Exit, Failure, one_line};
use crate::system::{SystemClock, SystemRandom};
use crate::table;

/// Takes a lock.
pub(super) async fn lock(context: &Context, name: &StateName, reason: Option<&str>) -> Result<Exit, Failure> {
    let client = context.client()?;
    let body = json!({ "id": SystemRandom.uuid().to_string(), "reason": reason });
    let lock: StateLock = client.post(&path(name, "/lock"), &body).await?;
    if context.printer.json() {
        context.printer.document(&lock)?;
    } else {
        context.printer.data(&lock.id)?;
        context.printer.note(format_args!("`{name}` is locked until `alfred state unlock {name} {}`", lock.id));
    }
    Ok(Exit::Done)
}

/// Gives a lock back.
pub(super) async fn unlock(context: &Context, name: &StateName, id: &str) -> Result<Exit, Failure> {
    let query = format!("/lock?id={}", encode(id));
    let released: Option<StateLock> = context.client()?.delete_and_read(&path(name, &query)).await?;
    tell(context, name, released.as_ref())
}

/// Takes a lock away.
pub(super) async fn force_unlock(context: &Context, arguments: &StateForceUnlockArguments) -> Result<Exit, Failure> {
    let StateForceUnlockArguments { name, id, yes } = arguments;
    let client = context.client()?;
    let state: State = client.get(&path(name, "")).await?;
    let Some(lock) = state.lock.filter(|lock| id.as_ref().is_none_or(|id| lock.id == *id)) else {
        let words = match id {
            Some(id) => format!("`{name}` has no lock `{id}`"),
            None => format!("`{name}` is not locked"),
        };
        return Err(Failure::new(words).hint(format!("`alfred state show {name}` tells who has it")));
    };
    let written = if lock.written_at.is_some() { "it has written" } else { "it has written nothing yet" };
    let age = table::age(lock.at, SystemClock.now());
    let who = one_line(&format!("{} ({})", lock.who, lock.operation));
    confirm(context, *yes, &format!("take the lock `{}` from {who}, who has it for {age} ({written})", lock.id))?;
    // The very lock that was shown: another one that somebody took meanwhile stays.
    let query = format!("/lock?force=true&id={}", encode(&lock.id));
    let released: Option<StateLock> = client.delete_and_read(&path(name, &query)).await?;
    tell(context, name, released.as_ref())
}

fn tell(context: &Context, name: &StateName, released: Option<&StateLock>) -> Result<Exit, Failure> {
    if context.printer.json() {
        context.printer.document(&released)?;
        return Ok(Exit::Done);
    }
    match released {
        Some(lock) => {
            let who = one_line(&lock.who);
            context.printer.note(format_args!("`{name}` is no longer locked by {who}"));
        }
        None => context.printer.note(format_args!("`{name}` was not locked")),
    }
    Ok(Exit::Done)
}
