//! Who asks: bearer tokens, roles, and the layer that lets nobody in without one.

mod basic;
mod gate;
pub(crate) mod secret;

use alfred_model::environment::Environment;
use alfred_model::id::TokenId;
use alfred_model::user::{Role, UserName};
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;

use crate::app::Shared;
use crate::problem::{Code, Problem};

pub(crate) use gate::Gate;

/// Who sent a request, by a token that was valid a moment ago.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    /// The user.
    pub(crate) user: UserName,
    /// What the user may do.
    pub(crate) role: Role,
    /// The token's id.
    pub(crate) token: TokenId,
    /// Whether the token is good for states alone.
    pub(crate) states_only: bool,
    /// Until when the token is valid; for ever, where absent.
    pub(crate) expires_at: Option<Timestamp>,
    /// The token's hash, by which a long answer asks again whether it is still valid.
    pub(crate) hash: String,
}

/// A caller who is an administrator.
pub(crate) struct Administrator(pub(crate) Caller);

impl Caller {
    /// Whether the caller may see and change everything.
    pub(crate) fn is_administrator(&self) -> bool {
        self.role == Role::Administrator
    }

    /// Whether the caller may see and change an environment.
    pub(crate) fn sees(&self, environment: &Environment) -> bool {
        self.is_administrator() || environment.owner == self.user
    }

    /// Refuses everybody but an administrator.
    pub(crate) fn must_be_administrator(&self, what: &str) -> Result<(), Problem> {
        if self.is_administrator() {
            return Ok(());
        }
        Err(Problem::new(Code::AdministratorOnly, format!("`{}` is no administrator and may not {what}", self.user)))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| unauthorized("the request has no access token"))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Administrator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, state).await?;
        caller.must_be_administrator("do this")?;
        Ok(Self(caller))
    }
}

/// Lets a request pass that has a valid token, or that needs none. Paths that do not exist are no exception, so that
/// nobody learns without a token which paths do.
pub(crate) async fn admit(State(app): State<Shared>, mut request: Request, next: Next) -> Response {
    if is_public(request.method(), request.uri().path()) {
        return next.run(request).await;
    }
    let path = request.uri().path();
    let takes_basic = path.starts_with(crate::states::terraform::PREFIX);
    let secret = if takes_basic { basic::secret(request.headers()) } else { None };
    let caller = match secret.as_ref().map_or_else(|| bearer(request.headers()), |secret| Ok(secret.as_str())) {
        Ok(secret) => app.gate.caller(secret).await,
        Err(problem) => Err(problem),
    };
    let caller = caller.and_then(|caller| {
        if caller.states_only && !crate::states::is_for_states(path) {
            return Err(Problem::new(Code::TokenForStates, "the token in use is good for states alone"));
        }
        Ok(caller)
    });
    match caller {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(problem) if takes_basic => problem.basic().into_response(),
        Err(problem) => problem.into_response(),
    }
}

/// What answers without a token: the liveness probe, and the call home of a VM, whose path is its own secret.
fn is_public(method: &Method, path: &str) -> bool {
    let is_probe = path == crate::probes::HEALTH_PATH && matches!(*method, Method::GET | Method::HEAD);
    let is_call_home = *method == Method::POST
        && path.strip_prefix(crate::call_home::PREFIX).is_some_and(|token| !token.is_empty() && !token.contains('/'));
    is_probe || is_call_home
}

/// The token of `Authorization: Bearer TOKEN` (RFC 6750 §2.1); a token in the query would end up in logs.
fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Err(unauthorized("the request has no access token"));
    };
    if values.next().is_some() {
        return Err(unauthorized("the request has more than one `authorization` header"));
    }
    let parts = value.to_str().ok().and_then(|text| text.split_once(' '));
    match parts {
        Some((scheme, secret)) if scheme.eq_ignore_ascii_case("bearer") => Ok(secret.trim()),
        _ => Err(unauthorized("the `authorization` header is not `Bearer TOKEN`")),
    }
}

fn unauthorized(words: &str) -> Problem {
    Problem::new(Code::Unauthorized, words)
}
