//! Listing environments, page by page.

use alfred_model::environment::{Environment, Status};
use alfred_model::id::BatchId;
use alfred_store::{EnvironmentQuery, Store};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::view::EnvironmentView;
use crate::app::Shared;
use crate::auth::Caller;
use crate::input::Parameters;
use crate::openapi::Refused;
use crate::problem::Problem;
use crate::{lookup, page};

/// At least so many rows are read at once: where few match, small reads would be many.
const READ_MIN: usize = 200;

/// So many times; a page whose filter matches little may then have fewer than its limit, but has a cursor.
const READS_MAX: usize = 10;

/// Which environments.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListParameters {
    /// Only with this status.
    #[param(schema_with = crate::schema::status)]
    status: Option<Status>,
    /// Only those of this request: the `batch` of any of them.
    #[param(value_type = Option<uuid::Uuid>)]
    batch: Option<Uuid>,
    /// Only this user's; for members, only their own name.
    owner: Option<String>,
    /// Also the deleted ones.
    include_deleted: Option<bool>,
    /// At most so many, from 1 to 1000; 100, where absent.
    limit: Option<usize>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A page of environments.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EnvironmentPage {
    /// The environments, oldest first. There may be fewer than the limit although more follow.
    environments: Vec<EnvironmentView>,
    /// Where the next page begins; null on the last page.
    next_cursor: Option<String>,
}

/// List environments
///
/// Members see their own, administrators all. The list is in order of age, so that a page does not change while later
/// ones are read.
#[utoipa::path(
    get, path = "/v1/environments", tag = "environments", params(ListParameters),
    responses((status = 200, description = "A page", body = EnvironmentPage), Refused<400>, Refused<403>, Refused<422>),
)]
pub(crate) async fn list(
    State(app): State<Shared>,
    caller: Caller,
    Parameters(asked): Parameters<ListParameters>,
) -> Result<Json<EnvironmentPage>, Problem> {
    let limit = page::limit(asked.limit)?;
    let mut owner = asked.owner.as_deref().map(lookup::user_name).transpose()?;
    if owner.as_ref().is_some_and(|owner| *owner != caller.user) {
        caller.must_be_administrator("list the environments of others")?;
    }
    if !caller.is_administrator() {
        owner = Some(caller.user);
    }
    let query = EnvironmentQuery {
        owner,
        batch: asked.batch.map(BatchId),
        // A wish to delete shows as `deleting` before the row says so: that one is found by looking at each row.
        status: asked.status.filter(|status| *status != Status::Deleting),
        include_deleted: asked.include_deleted.unwrap_or(false) || asked.status == Some(Status::Deleted),
        after: asked.cursor.as_deref().map(page::read_cursor).transpose()?,
        limit: 0,
    };
    let (environments, more) = collect(app.store(), query, asked.status, limit).await?;
    Ok(Json(EnvironmentPage {
        environments: environments.iter().map(EnvironmentView::from).collect(),
        next_cursor: more,
    }))
}

/// Reads until the page is full or all was seen; also where the next page begins, if there may be one.
async fn collect(
    store: &dyn Store,
    mut query: EnvironmentQuery,
    shown: Option<Status>,
    limit: usize,
) -> Result<(Vec<Environment>, Option<String>), Problem> {
    let mut page: Vec<Environment> = Vec::new();
    for _ in 0..READS_MAX {
        // One more than the page holds tells whether there is another page.
        query.limit = (limit - page.len() + 1).max(READ_MIN);
        let rows = store.environments(query.clone()).await?;
        let was_last = rows.len() < query.limit;
        for row in rows {
            let (id, fits) = (row.id, shown.is_none_or(|status| row.shown_status() == status));
            if fits && page.len() == limit {
                return Ok((page, query.after.map(page::cursor_after)));
            }
            if fits {
                page.push(row);
            }
            query.after = Some(id);
        }
        if was_last {
            return Ok((page, None));
        }
    }
    Ok((page, query.after.map(page::cursor_after)))
}
