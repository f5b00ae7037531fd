//! `/v1/state-grants`: who has which rights on states.

use alfred_model::state::log::{StateAction, StateLogEntry, StateOutcome};
use alfred_model::state::{Right, Rights, StateGrant, StatePattern, Subject};
use alfred_model::user::AccessToken;
use alfred_store::StoreError;
use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::visit::{From, Visit, grants_of, held, service};
use crate::app::{App, Shared};
use crate::auth::Caller;
use crate::input::{JsonBody, Parameters, shortened};
use crate::openapi::Refused;
use crate::problem::{Code, Problem};
use crate::serve::Peer;

/// So many patterns a token that is limited to states may have at its making.
const PATTERNS_MAX: usize = 50;

/// Rights that somebody has.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StateGrant, example = json!({
    "user": "ada", "token": null, "pattern": "team/*", "rights": ["read", "write", "lock"],
    "by": "admin", "at": "2026-03-01T09:00:00Z"
}))]
pub(crate) struct GrantView {
    /// The user who has them; null, if a token has.
    user: Option<String>,
    /// The id of the token that has them; null, if a user has.
    token: Option<String>,
    /// On which states: a name, `NAME/*` for all below a name, or `*` for all.
    pattern: String,
    /// What may be done.
    #[schema(schema_with = crate::schema::state_rights)]
    rights: Vec<Right>,
    /// Who gave them.
    by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
}

/// Rights on states.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct GrantList {
    /// By pattern.
    grants: Vec<GrantView>,
}

/// Rights to give.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"user": "ada", "pattern": "team/*", "rights": ["read", "write", "lock"]}))]
pub(crate) struct GrantBody {
    /// To this user,
    #[serde(default)]
    #[schema(required = false)]
    user: Option<String>,
    /// or to the token with this id.
    #[serde(default)]
    #[schema(required = false)]
    token: Option<String>,
    /// A state, `NAME/*` for all below a name, or `*` for all.
    pattern: String,
    /// What may be done, instead of what could be done before.
    #[schema(schema_with = crate::schema::state_rights)]
    rights: Vec<Right>,
}

/// Rights to take away.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct RevokeParameters {
    /// From this user,
    user: Option<String>,
    /// or from the token with this id.
    token: Option<String>,
    /// The pattern, as it was granted.
    pattern: String,
}

/// List rights on states
///
/// Those on states that the caller administers, and the caller's own.
#[utoipa::path(
    get, path = "/v1/state-grants", tag = "states",
    responses((status = 200, description = "The rights", body = GrantList)),
)]
pub(crate) async fn list(State(app): State<Shared>, caller: Caller) -> Result<Json<GrantList>, Problem> {
    service(&app)?;
    let own = grants_of(&app, &caller).await?;
    let mut grants = app.store().state_grants().await?;
    grants.retain(|grant| own.contains(grant) || held(&caller, &own, &grant.pattern).has(Right::Administer));
    Ok(Json(GrantList { grants: grants.into_iter().map(GrantView::from).collect() }))
}

/// Grant rights on states
///
/// Instead of those that the same user or token had on the same pattern. Needs the right `administer` on all of it.
#[utoipa::path(
    put, path = "/v1/state-grants", tag = "states", request_body = GrantBody,
    responses(
        (status = 200, description = "The rights", body = GrantView),
        Refused<400>, Refused<403>, Refused<413>, Refused<415>, Refused<422>,
    ),
)]
pub(crate) async fn grant(
    State(app): State<Shared>,
    caller: Caller,
    from: From,
    JsonBody(body): JsonBody<GrantBody>,
) -> Result<Json<GrantView>, Problem> {
    service(&app)?;
    let subject = subject(body.user.as_deref(), body.token.as_deref())?;
    let pattern = pattern(&body.pattern)?;
    let rights = rights(body.rights)?;
    let now = app.now();
    let grant = StateGrant { subject, pattern, rights, by: caller.user.clone(), at: now };
    let mut line = line(&app, &caller, &grant.pattern, StateAction::Grant, from);
    line.detail = Some(format!("{rights} to {}", grant.subject));
    administers(&app, &caller, &grant.pattern, &mut line).await?;
    match app.store().put_state_grant(&grant).await {
        Ok(()) => {}
        Err(StoreError::Conflict { .. }) => {
            let words = format!("there is no {} `{}`", grant.subject.kind(), grant.subject.name());
            return Err(Problem::new(Code::BadGrant, words));
        }
        Err(error) => return Err(error.into()),
    }
    app.store().log_state(&line).await?;
    Ok(Json(GrantView::from(grant)))
}

/// Take rights on states away
///
/// Answers 204 also if there were none. Needs the right `administer` on all of the pattern.
#[utoipa::path(
    delete, path = "/v1/state-grants", tag = "states", params(RevokeParameters),
    responses((status = 204, description = "They are gone"), Refused<400>, Refused<403>, Refused<422>),
)]
pub(crate) async fn revoke(
    State(app): State<Shared>,
    caller: Caller,
    Parameters(asked): Parameters<RevokeParameters>,
    from: From,
) -> Result<StatusCode, Problem> {
    service(&app)?;
    let subject = subject(asked.user.as_deref(), asked.token.as_deref())?;
    let pattern = pattern(&asked.pattern)?;
    let mut line = line(&app, &caller, &pattern, StateAction::Revoke, from);
    line.detail = Some(format!("from {subject}"));
    administers(&app, &caller, &pattern, &mut line).await?;
    if !app.store().remove_state_grant(&subject, &pattern).await? {
        line.outcome = StateOutcome::Repeated;
    }
    app.store().log_state(&line).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes all rights away that were granted on just the state of this visit. Those on more than that stay.
pub(crate) async fn take_all(app: &App, visit: &Visit) -> Result<Vec<StateGrant>, Problem> {
    let pattern = StatePattern::from(visit.name.clone());
    let mut taken = app.store().state_grants().await?;
    taken.retain(|grant| grant.pattern == pattern);
    for grant in &taken {
        app.store().remove_state_grant(&grant.subject, &pattern).await?;
        let mut line = visit.line(StateAction::Revoke, StateOutcome::Done);
        line.detail = Some(format!("from {}, before the state is purged", grant.subject));
        visit.log_done(&line).await;
    }
    Ok(taken)
}

/// Gives back what [`take_all`] took.
pub(crate) async fn give_back(app: &App, visit: &Visit, taken: &[StateGrant]) -> Result<(), Problem> {
    for grant in taken {
        match app.store().put_state_grant(grant).await {
            Ok(()) => {
                let mut line = visit.line(StateAction::Grant, StateOutcome::Done);
                line.detail =
                    Some(format!("{} to {}, as before: the state is not purged", grant.rights, grant.subject));
                visit.log_done(&line).await;
            }
            // Whoever had them is gone.
            Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// The rights of a token that is about to be made and will be limited to states. Whoever makes it hands on what they may
/// do themselves, and nothing else.
pub(crate) async fn for_token(
    app: &App,
    caller: &Caller,
    token: &AccessToken,
    wanted: Vec<(String, Vec<Right>)>,
) -> Result<Vec<StateGrant>, Problem> {
    service(app)?;
    if wanted.is_empty() || wanted.len() > PATTERNS_MAX {
        return Err(Problem::new(Code::BadGrant, format!("name 1 to {PATTERNS_MAX} patterns of states")));
    }
    let own = grants_of(app, caller).await?;
    let mut grants: Vec<StateGrant> = Vec::new();
    for (text, words) in wanted {
        let (pattern, rights) = (pattern(&text)?, rights(words)?);
        if !rights.is_within(held(caller, &own, &pattern)) {
            let words = format!("`{}` may not {rights} `{pattern}`, and so cannot hand that on", caller.user);
            return Err(Problem::new(Code::StateForbidden, words));
        }
        if grants.iter().any(|grant| grant.pattern == pattern) {
            return Err(Problem::new(Code::BadGrant, format!("`{pattern}` is there twice")));
        }
        let subject = Subject::Token(token.id);
        grants.push(StateGrant { subject, pattern, rights, by: caller.user.clone(), at: token.created_at });
    }
    Ok(grants)
}

async fn administers(app: &App, caller: &Caller, on: &StatePattern, line: &mut StateLogEntry) -> Result<(), Problem> {
    let own = grants_of(app, caller).await?;
    if held(caller, &own, on).has(Right::Administer) {
        return Ok(());
    }
    line.outcome = StateOutcome::Forbidden;
    app.store().log_state(line).await?;
    Err(Problem::new(Code::StateForbidden, format!("`{}` has no right to administer `{on}`", caller.user)))
}

fn line(app: &App, caller: &Caller, on: &StatePattern, action: StateAction, from: From) -> StateLogEntry {
    let now = app.now();
    let id = alfred_model::id::StateLogId::generate(now, &**app.engine.random());
    let mut line = StateLogEntry::new(id, now, caller.user.as_str(), &on.to_string(), action, StateOutcome::Done);
    line.token = Some(caller.token);
    line.remote = from.map(|Extension(Peer(address))| address.to_string());
    line
}

fn subject(user: Option<&str>, token: Option<&str>) -> Result<Subject, Problem> {
    let read = match (user, token) {
        (Some(user), None) => Subject::read("user", user),
        (None, Some(token)) => Subject::read("token", token),
        _ => return Err(Problem::new(Code::BadGrant, "name one user or one token")),
    };
    let name = shortened(user.or(token).unwrap_or_default());
    read.ok_or_else(|| Problem::new(Code::BadGrant, format!("`{name}` is no name of a user and no id of a token")))
}

fn pattern(text: &str) -> Result<StatePattern, Problem> {
    text.parse().map_err(|error| Problem::new(Code::BadGrant, format!("`{}`: {error}", shortened(text))))
}

fn rights(words: Vec<Right>) -> Result<Rights, Problem> {
    let rights: Rights = words.into_iter().collect();
    if rights.is_empty() {
        return Err(Problem::new(Code::BadGrant, "no right is named; to take all away, revoke them"));
    }
    Ok(rights)
}

impl std::convert::From<StateGrant> for GrantView {
    fn from(grant: StateGrant) -> Self {
        let name = Some(grant.subject.name());
        let (user, token) = if matches!(grant.subject, Subject::User(_)) { (name, None) } else { (None, name) };
        Self {
            user,
            token,
            pattern: grant.pattern.to_string(),
            rights: grant.rights.words(),
            by: grant.by.to_string(),
            at: grant.at,
        }
    }
}
