//! `/tfstate/NAME`: the HTTP backend of Terraform and OpenTofu, as they speak it
//! (<https://developer.hashicorp.com/terraform/language/backend/http>, and the client itself:
//! <https://github.com/hashicorp/terraform>, `internal/backend/remote-state/http/client.go`).
//!
//! Terraform repeats requests that were answered with 5xx, and those whose answer was lost. So taking a lock that one has,
//! giving back one that nobody has and writing what is there already are all answered with 200.

use alfred_model::state::Right;
use alfred_model::state::lock::{Lock, LockInfo, Released, Taken};
use alfred_model::state::log::{StateAction, StateOutcome};
use alfred_model::state::write::Refusal;
use alfred_state::{StateError, Written};
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::visit::{From, Visit, service};
use super::{body, reference};
use crate::app::Shared;
use crate::auth::Caller;
use crate::guard::Verbatim;
use crate::input::{self, Parameters};
use crate::problem::{Code, Problem};

/// The route. Names may hold `/`.
pub(crate) const PATH: &str = "/tfstate/{*name}";

/// How its paths begin.
pub(crate) const PREFIX: &str = "/tfstate/";

/// What stands behind the `?`.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Query {
    /// The lock under which is written.
    #[serde(rename = "ID")]
    lock_id: Option<String>,
}

/// Answers Terraform.
pub(crate) async fn serve(
    State(app): State<Shared>,
    caller: Caller,
    Path(name): Path<String>,
    Parameters(query): Parameters<Query>,
    from: From,
    request: Request,
) -> Result<Response, Problem> {
    let visit = Visit::begin(&app, caller, reference::name(&name)?, from).await?;
    let (parts, body) = request.into_parts();
    let lock_id = query.lock_id.as_deref().filter(|id| !id.is_empty());
    match (&parts.method, parts.method.as_str()) {
        (&Method::GET | &Method::HEAD, _) => read(&visit).await,
        (&Method::POST | &Method::PUT, _) => write(&app, &visit, lock_id, &parts.headers, body).await,
        (&Method::DELETE, _) => delete(&visit, lock_id).await,
        (_, "LOCK") => lock(&visit, &parts.headers, body).await,
        (_, "UNLOCK") => unlock(&visit, &parts.headers, body).await,
        _ => Err(Problem::new(Code::MethodNotAllowed, "a state takes GET, POST, PUT, DELETE, LOCK and UNLOCK")),
    }
}

async fn read(visit: &Visit) -> Result<Response, Problem> {
    visit.need(Right::Read, StateAction::Read).await?;
    let mut line = visit.line(StateAction::Read, StateOutcome::Done);
    let found = match visit.states()?.read(&visit.name).await {
        Ok(found) => found,
        Err(error) => return Err(visit.failed(line, error).await),
    };
    line.version = found.as_ref().map(|found| found.version.key);
    line.bytes = found.as_ref().map(|found| found.version.size);
    visit.log(&line).await?;
    let Some(found) = found else {
        return Err(super::visit::no_such_state(&visit.name));
    };
    body::answer(found.content).await
}

async fn write(
    app: &Shared,
    visit: &Visit,
    lock_id: Option<&str>,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    visit.need(Right::Write, StateAction::Write).await?;
    let arrived = body::read(service(app)?, headers, body).await?;
    let mut line = visit.line(StateAction::Write, StateOutcome::Done);
    line.lock_id = lock_id.map(alfred_model::state::log::bounded);
    line.bytes = Some(arrived.content.len() as u64);
    match visit.states()?.write(&visit.name, arrived.content.clone(), lock_id, visit.by()).await {
        Ok(written) => {
            let (version, outcome) = match written {
                Written::New(version) => (version, StateOutcome::Done),
                Written::Same(version) => (version, StateOutcome::Repeated),
            };
            line.version = Some(version.key);
            line.outcome = outcome;
            visit.log_done(&line).await;
            Ok(StatusCode::OK.into_response())
        }
        Err(error) => {
            let holder = holder(&error);
            let problem = visit.failed(line, error).await;
            holder.ok_or(problem)
        }
    }
}

async fn delete(visit: &Visit, lock_id: Option<&str>) -> Result<Response, Problem> {
    visit.need(Right::Write, StateAction::Delete).await?;
    let mut line = visit.line(StateAction::Delete, StateOutcome::Done);
    line.lock_id = lock_id.map(alfred_model::state::log::bounded);
    match visit.states()?.delete(&visit.name, lock_id, visit.by()).await {
        Ok(was_there) => {
            line.outcome = if was_there { StateOutcome::Done } else { StateOutcome::Repeated };
            visit.log_done(&line).await;
            Ok(StatusCode::OK.into_response())
        }
        Err(error) => {
            let holder = holder(&error);
            let problem = visit.failed(line, error).await;
            holder.ok_or(problem)
        }
    }
}

async fn lock(visit: &Visit, headers: &HeaderMap, body: Body) -> Result<Response, Problem> {
    visit.need(Right::Lock, StateAction::Lock).await?;
    let info = lock_info(&input::read(headers, body, input::BODY_MAX).await?)?;
    let mut line = visit.line(StateAction::Lock, StateOutcome::Done);
    line.lock_id = Some(alfred_model::state::log::bounded(&info.id));
    line.detail = Some(alfred_model::state::log::bounded(&format!("{} by {}", info.operation, info.who)));
    match visit.states()?.lock(&visit.name, info, visit.by()).await {
        Ok(Taken::New { .. }) => {
            visit.log_done(&line).await;
            Ok(StatusCode::OK.into_response())
        }
        Ok(Taken::Already) => {
            line.outcome = StateOutcome::Repeated;
            visit.log_done(&line).await;
            Ok(StatusCode::OK.into_response())
        }
        Ok(Taken::Held(held)) => {
            line.outcome = StateOutcome::Refused;
            visit.log_done(&line).await;
            Ok(locked(&held))
        }
        Err(error) => Err(visit.failed(line, error).await),
    }
}

async fn unlock(visit: &Visit, headers: &HeaderMap, body: Body) -> Result<Response, Problem> {
    let sent = input::read(headers, body, input::BODY_MAX).await?;
    // `terraform force-unlock` sends no id, although it was told one (<https://github.com/hashicorp/terraform/issues/28421>).
    let id = if sent.is_empty() { None } else { Some(lock_info(&sent)?.id) };
    match visit.release(id.as_deref(), false).await? {
        Released::HeldByAnother(held) => Ok(locked(&held)),
        Released::Done(_) | Released::NotHeld => Ok(StatusCode::OK.into_response()),
    }
}

fn lock_info(sent: &[u8]) -> Result<LockInfo, Problem> {
    LockInfo::parse(sent).map_err(|error| Problem::new(Code::BadJson, input::shortened(&error.to_string())))
}

/// 423 with what the holder said of itself, which Terraform shows to whoever waits.
fn locked(held: &Lock) -> Response {
    let body = serde_json::to_vec(&held.info).unwrap_or_default();
    let mut response = (StatusCode::LOCKED, body).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.extensions_mut().insert(Verbatim);
    response
}

/// The same for an error that says who has the lock.
fn holder(error: &StateError) -> Option<Response> {
    match error {
        StateError::Locked(held) | StateError::Refused(Refusal::Locked(held)) => Some(locked(held)),
        _ => None,
    }
}
