//! `/v1/users`: who may use the control plane.

use alfred_model::user::{Role, User, UserName};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::Shared;
use crate::auth::Administrator;
use crate::input::JsonBody;
use crate::lookup;
use crate::openapi::Refused;
use crate::problem::Problem;

/// A user to add.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "alice", "role": "member"}))]
pub(crate) struct UserBody {
    /// The name: 1 to 64 of `a-z`, `0-9`, `.`, `_`, `@` and `-`, beginning with a letter or digit.
    name: String,
    /// What the user may do; `member`, where absent.
    #[serde(default)]
    #[schema(schema_with = crate::schema::role, required = false)]
    role: Option<Role>,
}

/// A user.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = User, example = json!({"name": "alice", "role": "member", "created_at": "2026-03-01T09:00:00Z"}))]
pub(crate) struct UserView {
    /// The name, which is also the key.
    #[schema(value_type = String)]
    name: UserName,
    /// What the user may do.
    #[schema(schema_with = crate::schema::role)]
    role: Role,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

/// Users.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UserList {
    /// All users by name.
    users: Vec<UserView>,
}

/// Add a user
///
/// For administrators. The user gets in with a token from `POST /v1/tokens`.
#[utoipa::path(
    post, path = "/v1/users", tag = "users", request_body = UserBody,
    responses(
        (status = 201, description = "The user was added", body = UserView),
        Refused<400>, Refused<403>, Refused<409>, Refused<413>, Refused<415>, Refused<422>,
    ),
)]
pub(crate) async fn create(
    State(app): State<Shared>,
    _: Administrator,
    JsonBody(body): JsonBody<UserBody>,
) -> Result<(StatusCode, Json<UserView>), Problem> {
    let name = lookup::user_name(&body.name)?;
    let user = User { name, role: body.role.unwrap_or(Role::Member), quota: None, created_at: app.now() };
    app.store().create_user(&user).await?;
    Ok((StatusCode::CREATED, Json(UserView::from(user))))
}

/// List users
///
/// For administrators.
#[utoipa::path(
    get, path = "/v1/users", tag = "users",
    responses((status = 200, description = "All users", body = UserList), Refused<403>),
)]
pub(crate) async fn list(State(app): State<Shared>, _: Administrator) -> Result<Json<UserList>, Problem> {
    let users = app.store().users().await?;
    Ok(Json(UserList { users: users.into_iter().map(UserView::from).collect() }))
}

impl From<User> for UserView {
    fn from(user: User) -> Self {
        Self { name: user.name, role: user.role, created_at: user.created_at }
    }
}
