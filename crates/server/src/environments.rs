//! `/v1/environments`: ask for environments, look at them, retry and delete them.

mod cost;
mod create;
mod extend;
mod list;
mod view;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::app::Shared;
use crate::auth::Caller;
use crate::input::OptionalJsonBody;
use crate::lookup;
use crate::openapi::Refused;
use crate::problem::Problem;

pub(crate) use cost::*;
pub(crate) use create::*;
pub(crate) use extend::*;
pub(crate) use list::*;
pub(crate) use view::EnvironmentView;

/// How to retry.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"abandon_order": false}))]
pub(crate) struct RetryBody {
    /// Go on although nobody knows what came of an order for a VM. This may pay for two; the audit keeps watching for
    /// the first.
    abandon_order: bool,
}

/// Show an environment
///
/// By its slug, or by its id, which also finds a deleted one whose slug is used again.
#[utoipa::path(
    get, path = "/v1/environments/{environment}", tag = "environments",
    params(("environment" = String, Path, description = "Slug or id", example = "brave-tiger")),
    responses((status = 200, description = "The environment", body = EnvironmentView), Refused<404>),
)]
pub(crate) async fn show(
    State(app): State<Shared>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Json<EnvironmentView>, Problem> {
    let environment = lookup::environment(&app, &caller, &name).await?;
    let mut view = EnvironmentView::from(&environment);
    view.cost = cost_of(&app, &environment).await?;
    Ok(Json(view))
}

/// Delete an environment
///
/// The wish is taken at once and never lost; the record is withdrawn and the VM wiped afterwards. Asking again is
/// harmless.
#[utoipa::path(
    delete, path = "/v1/environments/{environment}", tag = "environments",
    params(("environment" = String, Path, description = "Slug or id", example = "brave-tiger")),
    responses((status = 202, description = "The wish was taken", body = EnvironmentView), Refused<404>),
)]
pub(crate) async fn delete(
    State(app): State<Shared>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<(StatusCode, Json<EnvironmentView>), Problem> {
    let environment = lookup::environment(&app, &caller, &name).await?;
    let environment = app.engine.delete(environment.id, &caller.user).await?;
    Ok((StatusCode::ACCEPTED, Json(EnvironmentView::from(&environment))))
}

/// Retry an environment
///
/// After an error it starts again; while it waits, it looks at once instead of later.
#[utoipa::path(
    post, path = "/v1/environments/{environment}/retry", tag = "environments",
    params(("environment" = String, Path, description = "Slug or id", example = "brave-tiger")),
    request_body(content = Option<RetryBody>),
    responses(
        (status = 202, description = "It is tried again", body = EnvironmentView),
        Refused<400>, Refused<404>, Refused<409>, Refused<413>, Refused<415>,
    ),
)]
pub(crate) async fn retry(
    State(app): State<Shared>,
    caller: Caller,
    Path(name): Path<String>,
    OptionalJsonBody(body): OptionalJsonBody<RetryBody>,
) -> Result<(StatusCode, Json<EnvironmentView>), Problem> {
    let environment = lookup::environment(&app, &caller, &name).await?;
    let environment = app.engine.retry(environment.id, body.abandon_order, &caller.user).await?;
    Ok((StatusCode::ACCEPTED, Json(EnvironmentView::from(&environment))))
}
