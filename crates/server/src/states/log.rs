//! `/v1/state-log`: who did what to which state.

use alfred_model::id::StateLogId;
use alfred_model::state::log::StateLogQuery;
use alfred_model::state::{Right, StateName, StatePattern};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::reference;
use super::view::LogView;
use super::visit::{grants_of, held, service};
use crate::app::Shared;
use crate::auth::Caller;
use crate::input::{Parameters, bad_parameter};
use crate::openapi::Refused;
use crate::page;
use crate::problem::{Code, Problem};

/// Which lines.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct LogParameters {
    /// Only this state's.
    state: Option<String>,
    /// At most so many, from 1 to 1000; 100, where absent.
    limit: Option<usize>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A page of the log of states.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StateLog {
    /// The lines, newest first.
    lines: Vec<LogView>,
    /// Where the next page begins; null on the last page.
    next_cursor: Option<String>,
}

/// Read the log of states
///
/// Each read, write, lock and refusal. Needs the right `administer` on the state, or on all states where none is named.
#[utoipa::path(
    get, path = "/v1/state-log", tag = "states", params(LogParameters),
    responses((status = 200, description = "A page", body = StateLog), Refused<400>, Refused<403>),
)]
pub(crate) async fn list(
    State(app): State<Shared>,
    caller: Caller,
    Parameters(asked): Parameters<LogParameters>,
) -> Result<Json<StateLog>, Problem> {
    service(&app)?;
    let state: Option<StateName> = asked.state.as_deref().map(reference::name).transpose()?;
    let on = state.clone().map_or(StatePattern::All, StatePattern::from);
    let grants = grants_of(&app, &caller).await?;
    if !held(&caller, &grants, &on).has(Right::Administer) {
        let words = format!("`{}` has no right to administer `{on}`", caller.user);
        return Err(Problem::new(Code::StateForbidden, words));
    }
    let limit = page::limit(asked.limit)?;
    let before: Option<StateLogId> = asked.cursor.as_deref().map(read_cursor).transpose()?;
    let mut lines = app.store().state_log(&StateLogQuery { state, before, limit: limit + 1 }).await?;
    let is_more = lines.len() > limit;
    lines.truncate(limit);
    let next_cursor = lines.last().filter(|_| is_more).map(|line| line.id.to_string());
    Ok(Json(StateLog { lines: lines.into_iter().map(LogView::from).collect(), next_cursor }))
}

fn read_cursor(text: &str) -> Result<StateLogId, Problem> {
    text.parse().map_err(|_| {
        bad_parameter("`cursor` is none of ours").hint("send the `next_cursor` of the page before, unchanged")
    })
}
