//! `/v1/quota`: how many environments a user may have, and how many of them there are.

use alfred_model::user::{QuotaUse, User, UserName};
use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::app::{App, Shared};
use crate::auth::{Administrator, Caller};
use crate::input::JsonBody;
use crate::lookup;
use crate::openapi::Refused;
use crate::problem::{Code, Problem};

/// A user's quota and how much of it is used.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Quota, example = json!({"user": "alice", "used": 8, "limit": 10, "own": false, "nearly_used": true}))]
pub(crate) struct QuotaView {
    /// Whose.
    #[schema(value_type = String)]
    user: UserName,
    /// Environments that are not deleted; those that are being deleted count until they are gone.
    used: u64,
    /// How many there may be; null for any number.
    limit: Option<u32>,
    /// Whether the limit is the user's own, and not what holds for all.
    own: bool,
    /// Whether four fifths or more are used.
    nearly_used: bool,
}

/// A quota to set.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"quota": 20}))]
pub(crate) struct QuotaBody {
    /// At most so many environments that are not deleted; null for what holds for all.
    #[serde(deserialize_with = "required")]
    #[schema(required)]
    quota: Option<u32>,
}

/// Show the caller's quota
#[utoipa::path(
    get, path = "/v1/quota", tag = "users",
    responses((status = 200, description = "The caller's quota", body = QuotaView)),
)]
pub(crate) async fn own(State(app): State<Shared>, caller: Caller) -> Result<Json<QuotaView>, Problem> {
    Ok(Json(of(&app, &caller.user).await?))
}

/// Show a user's quota
///
/// Members see their own; administrators anybody's.
#[utoipa::path(
    get, path = "/v1/users/{user}/quota", tag = "users",
    params(("user" = String, Path, description = "The user's name", example = "alice")),
    responses((status = 200, description = "The user's quota", body = QuotaView), Refused<403>, Refused<404>, Refused<422>),
)]
pub(crate) async fn show(
    State(app): State<Shared>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Json<QuotaView>, Problem> {
    let name = lookup::user_name(&name)?;
    if name != caller.user {
        caller.must_be_administrator("see the quota of others")?;
    }
    Ok(Json(of(&app, &name).await?))
}

/// Set a user's quota
///
/// For administrators. A quota below what is used takes nothing away; it only keeps more from being made.
#[utoipa::path(
    put, path = "/v1/users/{user}/quota", tag = "users",
    params(("user" = String, Path, description = "The user's name", example = "alice")),
    request_body = QuotaBody,
    responses(
        (status = 200, description = "The user's quota as it is now", body = QuotaView),
        Refused<400>, Refused<403>, Refused<404>, Refused<413>, Refused<415>, Refused<422>,
    ),
)]
pub(crate) async fn set(
    State(app): State<Shared>,
    _: Administrator,
    Path(name): Path<String>,
    JsonBody(body): JsonBody<QuotaBody>,
) -> Result<Json<QuotaView>, Problem> {
    let name = lookup::user_name(&name)?;
    if !app.store().set_quota(&name, body.quota).await? {
        return Err(no_such_user(&name));
    }
    Ok(Json(of(&app, &name).await?))
}

/// A user's quota as the API shows it.
pub(crate) async fn of(app: &App, name: &UserName) -> Result<QuotaView, Problem> {
    let user: User = app.store().user(name).await?.ok_or_else(|| no_such_user(name))?;
    let quota = app.engine.quota(&user).await?;
    let nearly_used = quota.is_nearly_used();
    let QuotaUse { used, limit, own } = quota;
    Ok(QuotaView { user: user.name, used, limit, own, nearly_used })
}

fn no_such_user(name: &UserName) -> Problem {
    Problem::new(Code::UserNotFound, format!("there is no user `{name}`"))
}

/// Tells `null` from a field that is not there.
fn required<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    Option::deserialize(deserializer)
}
