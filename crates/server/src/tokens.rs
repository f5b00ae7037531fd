//! `/v1/tokens` and `/v1/whoami`: access tokens, and whose the one in use is.

use alfred_model::id::TokenId;
use alfred_model::state::Right;
use alfred_model::user::{AccessToken, Role, UserName};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::Shared;
use crate::auth::{Caller, secret};
use crate::input::{JsonBody, shortened};
use crate::lookup;
use crate::openapi::Refused;
use crate::problem::{Code, Problem};
use crate::states::grants;

/// The longest label, in characters.
const LABEL_MAX: usize = 100;

/// A token to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"label": "laptop", "expires_at": "2027-03-01T00:00:00Z"}))]
pub(crate) struct TokenBody {
    /// What it is for: 1 to 100 characters.
    label: String,
    /// Whose it is: an administrator may name any user. The caller, where absent.
    user: Option<String>,
    /// Until when it is valid; for ever, where absent.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// What it may do with states, and then with nothing else; whatever its user may, where absent. Members hand on what
    /// they may do themselves.
    #[serde(default)]
    #[schema(required = false)]
    states: Option<Vec<StateRights>>,
}

/// Rights on some states.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"pattern": "team/*", "rights": ["read", "write", "lock"]}))]
pub(crate) struct StateRights {
    /// A state, `NAME/*` for all below a name, or `*` for all.
    pattern: String,
    /// What may be done.
    #[schema(schema_with = crate::schema::state_rights)]
    rights: Vec<Right>,
}

/// A token without its secret.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Token, example = json!({
    "id": "01926f3c-0000-7000-8000-5a6b7c8d9e0f",
    "user": "alice",
    "label": "laptop",
    "created_at": "2026-03-01T09:00:00Z",
    "expires_at": "2027-03-01T00:00:00Z",
    "states_only": false,
    "revoked_at": null
}))]
pub(crate) struct TokenView {
    /// Its id, by which it is withdrawn.
    #[schema(value_type = uuid::Uuid)]
    id: TokenId,
    /// Whose it is.
    #[schema(value_type = String)]
    user: UserName,
    /// What it is for.
    label: String,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Until when it is valid; for ever, where null.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// Whether it is good for states alone.
    states_only: bool,
    /// When it was withdrawn.
    #[schema(value_type = Option<String>, format = DateTime)]
    revoked_at: Option<Timestamp>,
}

/// A token that was just made. Not `Debug`: the secret must not reach a log.
#[derive(Serialize, ToSchema)]
pub(crate) struct NewToken {
    /// The token.
    token: TokenView,
    /// What to send as `Authorization: Bearer SECRET`. It is shown this once and cannot be found out again.
    secret: String,
}

/// Tokens.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TokenList {
    /// The tokens, oldest first.
    tokens: Vec<TokenView>,
}

/// Whose token is in use.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "user": "alice",
    "role": "member",
    "token_id": "01926f3c-0000-7000-8000-5a6b7c8d9e0f",
    "states_only": false,
    "expires_at": null
}))]
pub(crate) struct WhoAmI {
    /// The user.
    #[schema(value_type = String)]
    user: UserName,
    /// What the user may do.
    #[schema(schema_with = crate::schema::role)]
    role: Role,
    /// The token in use.
    #[schema(value_type = uuid::Uuid)]
    token_id: TokenId,
    /// Whether it is good for states alone.
    states_only: bool,
    /// Until when it is valid; for ever, where null.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
}

/// Make a token
///
/// Members make their own, administrators anybody's.
#[utoipa::path(
    post, path = "/v1/tokens", tag = "tokens", request_body = TokenBody,
    responses(
        (status = 201, description = "The token, with its secret this once", body = NewToken),
        Refused<400>, Refused<403>, Refused<413>, Refused<415>, Refused<422>,
    ),
)]
pub(crate) async fn create(
    State(app): State<Shared>,
    caller: Caller,
    JsonBody(body): JsonBody<TokenBody>,
) -> Result<(StatusCode, Json<NewToken>), Problem> {
    let now = app.now();
    if body.label.trim().is_empty() || body.label.chars().count() > LABEL_MAX || body.label.contains(char::is_control) {
        return Err(Problem::new(Code::BadToken, format!("a label is 1 to {LABEL_MAX} visible characters")));
    }
    if body.expires_at.is_some_and(|end| end <= now) {
        return Err(Problem::new(Code::BadToken, "`expires_at` has passed already"));
    }
    let user = match body.user {
        Some(name) if name != caller.user.as_str() => {
            caller.must_be_administrator("make tokens for others")?;
            lookup::user(&app, &name).await?.name
        }
        _ => caller.user.clone(),
    };
    let random = app.engine.random();
    let (secret, hash) = secret::mint(&**random);
    let token = AccessToken {
        id: TokenId::generate(now, &**random),
        user,
        label: body.label,
        hash,
        created_at: now,
        expires_at: body.expires_at,
        states_only: body.states.is_some(),
        revoked_at: None,
    };
    match body.states {
        None => app.store().create_token(&token).await?,
        Some(rights) => {
            let wanted = rights.into_iter().map(|one| (one.pattern, one.rights)).collect();
            let grants = grants::for_token(&app, &caller, &token, wanted).await?;
            app.store().create_limited_token(&token, &grants).await?;
        }
    }
    let body = NewToken { token: TokenView::from(token), secret: secret.expose_secret().to_owned() };
    Ok((StatusCode::CREATED, Json(body)))
}

/// List tokens
///
/// Members see their own, administrators all. Secrets are never shown.
#[utoipa::path(
    get, path = "/v1/tokens", tag = "tokens",
    responses((status = 200, description = "The tokens", body = TokenList)),
)]
pub(crate) async fn list(State(app): State<Shared>, caller: Caller) -> Result<Json<TokenList>, Problem> {
    let mut tokens = app.store().tokens().await?;
    tokens.retain(|token| caller.is_administrator() || token.user == caller.user);
    Ok(Json(TokenList { tokens: tokens.into_iter().map(TokenView::from).collect() }))
}

/// Withdraw a token
///
/// It stops working at once here and within five seconds on other replicas. Members withdraw their own,
/// administrators anybody's; withdrawing again is harmless.
#[utoipa::path(
    delete, path = "/v1/tokens/{id}", tag = "tokens",
    params(("id" = uuid::Uuid, Path, description = "The token's id")),
    responses((status = 204, description = "It is withdrawn"), Refused<404>),
)]
pub(crate) async fn withdraw(
    State(app): State<Shared>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    let id: Option<TokenId> = name.parse().ok();
    let tokens = app.store().tokens().await?;
    let token = tokens
        .into_iter()
        .find(|token| Some(token.id) == id && (caller.is_administrator() || token.user == caller.user))
        .ok_or_else(|| Problem::new(Code::TokenNotFound, format!("there is no token `{}`", shortened(&name))))?;
    // The store answers no if it was withdrawn before, which is as good.
    app.store().revoke_token(token.id, app.now()).await?;
    app.gate.forget(token.id);
    Ok(StatusCode::NO_CONTENT)
}

/// Tell whose token this is
#[utoipa::path(
    get, path = "/v1/whoami", tag = "tokens",
    responses((status = 200, description = "The caller", body = WhoAmI)),
)]
pub(crate) async fn whoami(caller: Caller) -> Json<WhoAmI> {
    Json(WhoAmI {
        user: caller.user,
        role: caller.role,
        token_id: caller.token,
        states_only: caller.states_only,
        expires_at: caller.expires_at,
    })
}

impl From<AccessToken> for TokenView {
    fn from(token: AccessToken) -> Self {
        Self {
            id: token.id,
            user: token.user,
            label: token.label,
            created_at: token.created_at,
            expires_at: token.expires_at,
            states_only: token.states_only,
            revoked_at: token.revoked_at,
        }
    }
}
