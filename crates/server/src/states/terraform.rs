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
use crate::openapi::Refused;
use crate::problem::{Code, Problem};

/// The route. Names may hold `/`. Three of its methods are in the OpenAPI document, as `/tfstate/{name}`: for the others
/// OpenAPI has no place.
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

/// Read a state, as Terraform does
///
/// Terraform and OpenTofu speak to this path by their backend `http`, with the access token as the password. They lock with the
/// methods `LOCK` and `UNLOCK`, which OpenAPI cannot describe: the body is Terraform's description of the lock as JSON (`ID`,
/// `Operation`, `Info`, `Who`, `Version`, `Created`, `Path`), the answer 200 with nothing in it, or 423 with the description
/// that the lock's holder sent; `UNLOCK` without a body is `terraform force-unlock`. `POST` and `DELETE` of
/// `/v1/states/{name}/lock` do the same for other clients. Needs the right `read`.
#[utoipa::path(
    get, path = "/tfstate/{name}", tag = "states", operation_id = "terraform_read",
    security(("bearer" = []), ("basic" = [])),
    params(("name" = String, Path, description = "The state's name; it may hold `/` as it is", example = "team/network")),
    responses(
        (status = 200, description = "The newest version, as it was written", body = Object, content_type = "application/json",
            headers(("Content-MD5" = String, description = "Its MD5 in Base64"))),
        Refused<400>, Refused<401>, Refused<403>, Refused<404>,
    ),
)]
pub(crate) async fn read(visit: &Visit) -> Result<Response, Problem> {
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

/// Write a state, as Terraform does
///
/// It becomes the newest version if it has the lineage of the one that is there and a higher serial. Writing again what is
/// there already is no error. `PUT` does the same. Needs the right `write`.
#[utoipa::path(
    post, path = "/tfstate/{name}", tag = "states", operation_id = "terraform_write",
    security(("bearer" = []), ("basic" = [])),
    params(
        ("name" = String, Path, description = "The state's name; it may hold `/` as it is", example = "team/network"),
        ("ID" = Option<String>, Query, description = "The lock under which it is done"),
        ("Content-MD5" = Option<String>, Header, description = "The content's MD5 in Base64, which is then checked"),
    ),
    request_body(content = Object, description = "The whole state", content_type = "application/json"),
    responses(
        (status = 200, description = "It is stored, or was"),
        (status = 423, description = "Somebody has the lock: its description as the holder sent it", body = Object, content_type = "application/json"),
        Refused<400>, Refused<401>, Refused<403>, Refused<408>, Refused<409>, Refused<413>,
    ),
)]
pub(crate) async fn write(
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

/// Delete a state, as Terraform does
///
/// It then reads as absent; its versions are kept. Deleting what is not there is no error. Needs the right `write`.
#[utoipa::path(
    delete, path = "/tfstate/{name}", tag = "states", operation_id = "terraform_delete",
    security(("bearer" = []), ("basic" = [])),
    params(
        ("name" = String, Path, description = "The state's name; it may hold `/` as it is", example = "team/network"),
        ("ID" = Option<String>, Query, description = "The lock under which it is done"),
    ),
    responses(
        (status = 200, description = "It is gone"),
        (status = 423, description = "Somebody has the lock: its description as the holder sent it", body = Object, content_type = "application/json"),
        Refused<400>, Refused<401>, Refused<403>,
    ),
)]
pub(crate) async fn delete(visit: &Visit, lock_id: Option<&str>) -> Result<Response, Problem> {
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
