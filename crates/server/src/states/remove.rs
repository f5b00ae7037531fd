//! Deleting a state, and removing it with all its versions.

use alfred_model::state::Right;
use alfred_model::state::log::{StateAction, StateOutcome, bounded};
use alfred_state::StateError;
use alfred_state::service::Purged;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::IntoParams;

use super::visit::{From, Visit};
use super::{grants, reference};
use crate::app::{App, Shared};
use crate::auth::Caller;
use crate::input::Parameters;
use crate::openapi::Refused;
use crate::problem::Problem;

/// How.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DeleteParameters {
    /// Remove it with all its versions, and the rights on just this name, for ever; it must be deleted already. Needs the
    /// right `administer`.
    purge: Option<bool>,
    /// The lock under which it is deleted.
    lock_id: Option<String>,
}

/// Purges a state, after the rights on just that name: whoever begins a state of the same name is owed nothing by those
/// who had rights on this one. The other way round, a crash would leave them their rights.
async fn purge_with_rights(app: &App, visit: &Visit) -> Result<Result<Purged, StateError>, Problem> {
    let states = visit.states()?;
    if let Err(error) = states.check_purge(&visit.name).await {
        return Ok(Err(error));
    }
    let taken = grants::take_all(app, visit).await?;
    let purged = states.purge(&visit.name).await;
    // Somebody brought it back in between. A store that failed may have purged it, so that rights stay away then.
    if matches!(purged, Err(StateError::NotDeleted(_) | StateError::Locked(_) | StateError::Busy(_))) {
        grants::give_back(app, visit, &taken).await?;
    }
    Ok(purged)
}

/// Delete a state
///
/// It then reads as absent; its versions are kept and can be rolled back to. Needs the right `write`.
#[utoipa::path(
    delete, path = "/v1/states/{name}", tag = "states",
    params(("name" = String, Path, description = "The state's name; a `/` in it is written `%2F`", example = "team%2Fnetwork"), DeleteParameters),
    responses((status = 204, description = "It is gone"), Refused<400>, Refused<403>, Refused<404>, Refused<409>, Refused<423>),
)]
pub(crate) async fn delete(
    State(app): State<Shared>,
    caller: Caller,
    Path(name): Path<String>,
    Parameters(asked): Parameters<DeleteParameters>,
    from: From,
) -> Result<StatusCode, Problem> {
    let visit = Visit::begin(&app, caller, reference::name(&name)?, from).await?;
    let purge = asked.purge.unwrap_or(false);
    let (right, action) =
        if purge { (Right::Administer, StateAction::Purge) } else { (Right::Write, StateAction::Delete) };
    visit.need_seen(right, action).await?;
    let mut line = visit.line(action, StateOutcome::Done);
    line.lock_id = asked.lock_id.as_deref().map(bounded);
    let done = if purge {
        purge_with_rights(&app, &visit).await?.map(|purged| {
            line.detail = Some(format!("{} stored contents removed", purged.blobs));
        })
    } else {
        visit.states()?.delete(&visit.name, asked.lock_id.as_deref(), visit.by()).await.map(|was_there| {
            line.outcome = if was_there { StateOutcome::Done } else { StateOutcome::Repeated };
        })
    };
    if let Err(error) = done {
        return Err(visit.failed(line, error).await);
    }
    visit.log_done(&line).await;
    Ok(StatusCode::NO_CONTENT)
}
