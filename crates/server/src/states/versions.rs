//! `/v1/states/NAME/versions`: what is kept of a state, and going back to it.

mod diff;
mod verify;

use alfred_model::state::log::{StateAction, StateOutcome, bounded};
use alfred_model::state::{Right, StateDocument, VersionKey};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::view::VersionView;
use super::visit::{From, Visit, no_such_state};
use super::{body, reference};
use crate::app::Shared;
use crate::auth::Caller;
use crate::input::JsonBody;
use crate::openapi::Refused;
use crate::problem::Problem;

pub(crate) use diff::{__path_diff, diff};
pub(crate) use verify::{__path_verify, verify};

/// Versions of a state.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VersionList {
    /// Newest first.
    versions: Vec<VersionView>,
}

/// A version to go back to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"version": "7"}))]
pub(crate) struct RollBackBody {
    /// Its serial, or serial and the beginning of the checksum: `7-1f2e3d4c`.
    version: String,
    /// The lock under which it is done.
    #[serde(default)]
    #[schema(required = false)]
    lock_id: Option<String>,
}

/// List a state's versions
///
/// Needs the right `read`.
#[utoipa::path(
    get, path = "/v1/states/{name}/versions", tag = "states",
    params(("name" = String, Path, description = "The state's name; a `/` in it is written `%2F`", example = "team%2Fnetwork")),
    responses((status = 200, description = "The versions", body = VersionList), Refused<400>, Refused<403>, Refused<404>),
)]
pub(crate) async fn list(
    State(app): State<Shared>,
    caller: Caller,
    Path(name): Path<String>,
    from: From,
) -> Result<Json<VersionList>, Problem> {
    let visit = Visit::begin(&app, caller, reference::name(&name)?, from).await?;
    visit.need_seen(Right::Read, StateAction::Read).await?;
    let document = document(&visit).await?;
    Ok(Json(VersionList { versions: document.versions.iter().rev().map(VersionView::from).collect() }))
}

/// Download a version
///
/// The content as Terraform sent it. Needs the right `read`.
#[utoipa::path(
    get, path = "/v1/states/{name}/versions/{version}/content", tag = "states",
    params(
        ("name" = String, Path, description = "The state's name; a `/` in it is written `%2F`", example = "team%2Fnetwork"),
        ("version" = String, Path, description = "Its serial, or `SERIAL-CHECKSUM`", example = "7"),
    ),
    responses(
        (status = 200, description = "The content", body = Object, content_type = "application/json"),
        Refused<400>, Refused<403>, Refused<404>,
    ),
)]
pub(crate) async fn download(
    State(app): State<Shared>,
    caller: Caller,
    Path((name, version)): Path<(String, String)>,
    from: From,
) -> Result<Response, Problem> {
    let visit = Visit::begin(&app, caller, reference::name(&name)?, from).await?;
    visit.need_seen(Right::Read, StateAction::Read).await?;
    let key = reference::version(&visit.name, &document(&visit).await?, &version)?.key;
    body::answer(content(&visit, key).await?).await
}

/// Pin a version
///
/// It is then kept whatever the retention says. Needs the right `administer`.
#[utoipa::path(
    put, path = "/v1/states/{name}/versions/{version}/pin", tag = "states",
    params(
        ("name" = String, Path, description = "The state's name; a `/` in it is written `%2F`", example = "team%2Fnetwork"),
        ("version" = String, Path, description = "Its serial, or `SERIAL-CHECKSUM`", example = "7"),
    ),
    responses((status = 204, description = "It is pinned"), Refused<400>, Refused<403>, Refused<404>),
)]
pub(crate) async fn pin(
    State(app): State<Shared>,
    caller: Caller,
    Path((name, version)): Path<(String, String)>,
    from: From,
) -> Result<StatusCode, Problem> {
    let visit = Visit::begin(&app, caller, reference::name(&name)?, from).await?;
    set_pin(&visit, &version, true).await
}

/// Unpin a version
///
/// Needs the right `administer`.
#[utoipa::path(
    delete, path = "/v1/states/{name}/versions/{version}/pin", tag = "states",
    params(
        ("name" = String, Path, description = "The state's name; a `/` in it is written `%2F`", example = "team%2Fnetwork"),
        ("version" = String, Path, description = "Its serial, or `SERIAL-CHECKSUM`", example = "7"),
    ),
    responses((status = 204, description = "It is not pinned"), Refused<400>, Refused<403>, Refused<404>),
)]
pub(crate) async fn unpin(
    State(app): State<Shared>,
    caller: Caller,
    Path((name, version)): Path<(String, String)>,
    from: From,
) -> Result<StatusCode, Problem> {
    let visit = Visit::begin(&app, caller, reference::name(&name)?, from).await?;
    set_pin(&visit, &version, false).await
}

async fn set_pin(visit: &Visit, version: &str, pinned: bool) -> Result<StatusCode, Problem> {
    let action = if pinned { StateAction::Pin } else { StateAction::Unpin };
    visit.need_seen(Right::Administer, action).await?;
    let key = reference::version(&visit.name, &document(visit).await?, version)?.key;
    let mut line = visit.line(action, StateOutcome::Done);
    line.version = Some(key);
    if let Err(error) = visit.states()?.pin(&visit.name, &key, pinned, visit.by()).await {
        return Err(visit.failed(line, error).await);
    }
    visit.log_done(&line).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Roll a state back
///
/// Writes the content of an older version as a new one with a higher serial, so that clients see it as a change. Needs the
/// right `write`.
#[utoipa::path(
    post, path = "/v1/states/{name}/roll-back", tag = "states", request_body = RollBackBody,
    params(("name" = String, Path, description = "The state's name; a `/` in it is written `%2F`", example = "team%2Fnetwork")),
    responses(
        (status = 200, description = "The new version", body = VersionView),
        Refused<400>, Refused<403>, Refused<404>, Refused<409>, Refused<413>, Refused<415>, Refused<423>,
    ),
)]
pub(crate) async fn roll_back(
    State(app): State<Shared>,
    caller: Caller,
    Path(name): Path<String>,
    from: From,
    JsonBody(body): JsonBody<RollBackBody>,
) -> Result<Json<VersionView>, Problem> {
    let visit = Visit::begin(&app, caller, reference::name(&name)?, from).await?;
    visit.need_seen(Right::Write, StateAction::RollBack).await?;
    let to = reference::version(&visit.name, &document(&visit).await?, &body.version)?.key;
    let mut line = visit.line(StateAction::RollBack, StateOutcome::Done);
    line.version = Some(to);
    line.lock_id = body.lock_id.as_deref().map(bounded);
    match visit.states()?.roll_back(&visit.name, &to, body.lock_id.as_deref(), visit.by()).await {
        Ok(version) => {
            line.version = Some(version.key);
            line.bytes = Some(version.size);
            line.detail = Some(format!("back to version {to}"));
            visit.log_done(&line).await;
            Ok(Json(VersionView::from(&version)))
        }
        Err(error) => Err(visit.failed(line, error).await),
    }
}

/// What is known of the state; refused, if there is nothing.
async fn document(visit: &Visit) -> Result<StateDocument, Problem> {
    visit.states()?.document(&visit.name).await?.ok_or_else(|| no_such_state(&visit.name))
}

/// The content of a version, with a line in the log.
async fn content(visit: &Visit, key: VersionKey) -> Result<axum::body::Bytes, Problem> {
    let mut line = visit.line(StateAction::Read, StateOutcome::Done);
    line.version = Some(key);
    let read = visit.states()?.read_version(&visit.name, &key).await;
    let missing = || alfred_state::StateError::NoVersion { state: visit.name.clone(), version: key.to_string() };
    match read.and_then(|found| found.ok_or_else(missing)) {
        Ok(found) => {
            line.bytes = Some(found.version.size);
            visit.log(&line).await?;
            Ok(found.content)
        }
        Err(error) => Err(visit.failed(line, error).await),
    }
}
