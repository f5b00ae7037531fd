//! `/v1/states`: which there are, and what is known of one.

use alfred_model::state::{Right, StateName, StatePattern};
use axum::Json;
use axum::extract::{Path, State};
use futures::{StreamExt as _, TryStreamExt as _};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::reference;
use super::view::StateView;
use super::visit::{From, Visit, grants_of, held, no_such_state, service};
use crate::app::Shared;
use crate::auth::Caller;
use crate::input::Parameters;
use crate::openapi::Refused;
use crate::page;
use crate::problem::Problem;

/// So many documents are read at once.
const AT_ONCE: usize = 16;

/// At least so many names are read at once, and so many times: whoever may see few of many reads several short pages.
const READ_MIN: usize = 200;
const READS_MAX: usize = 10;

/// Which states.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListParameters {
    /// Also those that were deleted, whose versions are kept.
    include_deleted: Option<bool>,
    /// At most so many, from 1 to 1000; 100, where absent.
    limit: Option<usize>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A page of states.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StatePage {
    /// The states by name. There may be fewer than the limit although more follow.
    states: Vec<StateView>,
    /// Where the next page begins; null on the last page.
    next_cursor: Option<String>,
    /// Where they are kept, for administrators: one store, or two that mirror each other.
    places: Vec<String>,
}

/// List states
///
/// Those with which the caller may do anything at all.
#[utoipa::path(
    get, path = "/v1/states", tag = "states", params(ListParameters),
    responses((status = 200, description = "A page", body = StatePage), Refused<400>),
)]
pub(crate) async fn list(
    State(app): State<Shared>,
    caller: Caller,
    Parameters(asked): Parameters<ListParameters>,
) -> Result<Json<StatePage>, Problem> {
    let states = &service(&app)?.states;
    let limit = page::limit(asked.limit)?;
    let grants = grants_of(&app, &caller).await?;
    let mut after = asked.cursor.as_deref().map(reference::name).transpose()?;
    let mut names: Vec<StateName> = Vec::new();
    let mut next = None;
    'reading: for _ in 0..READS_MAX {
        let wanted = (limit + 1).max(READ_MIN);
        let read = states.list(after.as_ref(), wanted).await?;
        let was_last = read.len() < wanted;
        for name in read {
            let is_seen = !held(&caller, &grants, &StatePattern::from(name.clone())).is_empty();
            if is_seen && names.len() == limit {
                next.clone_from(&after);
                break 'reading;
            }
            names.extend(is_seen.then(|| name.clone()));
            after = Some(name);
        }
        next = if was_last { None } else { after.clone() };
        if was_last {
            break;
        }
    }
    let now = app.now();
    let views = futures::stream::iter(names)
        .map(async |name| states.document(&name).await.map(|document| (name, document)))
        .buffered(AT_ONCE)
        .try_collect::<Vec<_>>()
        .await?;
    let shown = views
        .into_iter()
        .filter_map(|(name, document)| document.map(|document| (name, document)))
        .filter(|(_, document)| asked.include_deleted.unwrap_or(false) || document.deleted_at.is_none())
        .map(|(name, document)| {
            let held = held(&caller, &grants, &StatePattern::from(name.clone()));
            StateView::of(&name, &document, held, now)
        })
        .collect();
    let next_cursor = next.map(|name| name.to_string());
    let places = if caller.is_administrator() {
        states.stores().places().iter().map(ToString::to_string).collect()
    } else {
        Vec::new()
    };
    Ok(Json(StatePage { states: shown, next_cursor, places }))
}

/// Show a state
#[utoipa::path(
    get, path = "/v1/states/{name}", tag = "states",
    params(("name" = String, Path, description = "The state's name; a `/` in it is written `%2F`", example = "team%2Fnetwork")),
    responses((status = 200, description = "The state", body = StateView), Refused<400>, Refused<404>),
)]
pub(crate) async fn show(
    State(app): State<Shared>,
    caller: Caller,
    Path(name): Path<String>,
    from: From,
) -> Result<Json<StateView>, Problem> {
    let visit = Visit::begin(&app, caller, reference::name(&name)?, from).await?;
    if visit.held.is_empty() {
        return Err(no_such_state(&visit.name));
    }
    let document = visit.states()?.document(&visit.name).await?.ok_or_else(|| no_such_state(&visit.name))?;
    debug_assert!(Right::ALL.iter().any(|right| visit.held.has(*right)), "it was just found that there is one");
    Ok(Json(StateView::of(&visit.name, &document, visit.held, app.now())))
}
