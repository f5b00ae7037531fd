//! `/v1/pool`: how many VMs there are, are wanted and may be bought, what they cost, and the switch that stops buying.

mod view;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::app::Shared;
use crate::auth::Administrator;
use crate::input::OptionalJsonBody;
use crate::openapi::Refused;
use crate::problem::{Code, Problem};

pub(crate) use view::PoolDocument;

/// A longer reason is a report.
const REASON_MAX: usize = 200;

/// Why the pool is paused.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"reason": "the invoice is being looked at"}))]
pub(crate) struct PauseBody {
    /// In your words: one line of at most 200 characters.
    reason: Option<String>,
}

/// Show the pool
///
/// For administrators. What is there, what is wanted, whether anything may be bought and why not, what the next four weeks
/// cost, which contracts must be decided about by when, and orders of which nothing is known. It reads the store alone.
#[utoipa::path(
    get, path = "/v1/pool", tag = "pool",
    responses((status = 200, description = "The pool and its plan", body = PoolDocument), Refused<403>),
)]
pub(crate) async fn show(State(app): State<Shared>, _: Administrator) -> Result<Json<PoolDocument>, Problem> {
    document(&app).await
}

/// Pause the pool
///
/// For administrators. Nothing is bought and nothing is let lapse, for environments neither, until it is resumed. VMs go
/// on being wiped and assigned.
#[utoipa::path(
    post, path = "/v1/pool/pause", tag = "pool", request_body(content = Option<PauseBody>),
    responses(
        (status = 200, description = "The pool as it is now", body = PoolDocument),
        Refused<400>, Refused<403>, Refused<413>, Refused<415>, Refused<422>,
    ),
)]
pub(crate) async fn pause(
    State(app): State<Shared>,
    Administrator(caller): Administrator,
    OptionalJsonBody(body): OptionalJsonBody<PauseBody>,
) -> Result<Json<PoolDocument>, Problem> {
    let reason = body.reason.map(|reason| reason.trim().to_owned()).filter(|reason| !reason.is_empty());
    if reason.as_ref().is_some_and(|reason| reason.chars().count() > REASON_MAX || reason.contains(char::is_control)) {
        return Err(Problem::new(Code::BadReason, format!("a reason is one line of at most {REASON_MAX} characters")));
    }
    app.engine.pause_pool(caller.user.as_str(), reason).await?;
    document(&app).await
}

/// Resume the pool
///
/// For administrators. VMs may be bought again, and orders that failed before are forgiven: the next one is sent at once.
#[utoipa::path(
    post, path = "/v1/pool/resume", tag = "pool",
    responses((status = 200, description = "The pool as it is now", body = PoolDocument), Refused<403>),
)]
pub(crate) async fn resume(
    State(app): State<Shared>,
    Administrator(caller): Administrator,
) -> Result<Json<PoolDocument>, Problem> {
    app.engine.resume_pool(caller.user.as_str()).await?;
    document(&app).await
}

async fn document(app: &Shared) -> Result<Json<PoolDocument>, Problem> {
    let view = app.engine.pool().await?;
    Ok(Json(PoolDocument::new(view, &app.engine.settings().policy)))
}
