//! `/v1/states/NAME/settings`: what the owner of a state decides about it.

use alfred_model::state::log::{StateAction, StateOutcome, bounded};
use alfred_model::state::{Right, Settings};
use axum::Json;
use axum::extract::{Path, State};

use super::reference;
use super::view::SettingsView;
use super::visit::{From, Visit};
use crate::app::Shared;
use crate::auth::Caller;
use crate::input::JsonBody;
use crate::openapi::Refused;
use crate::problem::{Code, Problem};

/// A lock that expires sooner would do so during an ordinary apply, which writes every 20 seconds at most.
const LOCK_EXPIRES_MIN: u32 = 60;

/// Set a state's settings
///
/// All of them are replaced. A shorter retention drops versions when the next one is written. Needs the right `administer`.
#[utoipa::path(
    put, path = "/v1/states/{name}/settings", tag = "states", request_body = SettingsView,
    params(("name" = String, Path, description = "The state's name; a `/` in it is written `%2F`", example = "team%2Fnetwork")),
    responses(
        (status = 200, description = "The settings", body = SettingsView),
        Refused<400>, Refused<403>, Refused<404>, Refused<413>, Refused<415>,
    ),
)]
pub(crate) async fn set(
    State(app): State<Shared>,
    caller: Caller,
    Path(name): Path<String>,
    from: From,
    JsonBody(body): JsonBody<SettingsView>,
) -> Result<Json<SettingsView>, Problem> {
    let visit = Visit::begin(&app, caller, reference::name(&name)?, from).await?;
    visit.need_seen(Right::Administer, StateAction::Settings).await?;
    let settings = Settings::from(body);
    if settings.keep_versions == Some(0) {
        return Err(Problem::new(Code::BadRequest, "`keep_versions` must be at least 1: the newest is always kept"));
    }
    if settings.lock_expires_seconds.is_some_and(|seconds| seconds < LOCK_EXPIRES_MIN) {
        let words = format!("`lock_expires_seconds` must be at least {LOCK_EXPIRES_MIN}");
        return Err(Problem::new(Code::BadRequest, words));
    }
    let mut line = visit.line(StateAction::Settings, StateOutcome::Done);
    line.detail = serde_json::to_string(&settings).ok().map(|text| bounded(&text));
    if let Err(error) = visit.states()?.set_settings(&visit.name, settings.clone(), visit.by()).await {
        return Err(visit.failed(line, error).await);
    }
    visit.log_done(&line).await;
    Ok(Json(SettingsView::from(&settings)))
}
