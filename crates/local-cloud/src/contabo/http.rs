//! The HTTP skin: takes a request apart, checks what the platform's gateway checks, and writes the answer.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State as Shared};
use axum::response::Response;
use axum::routing::{any, get};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::{Map, Value};

use super::Contabo;
use super::audit::Origin;
use super::fields::Query;
use super::reply::{Refusal, Reply};
use super::route::{Route, TOKEN_PATH};
use super::state::{Call, Moment, State, apply};
use super::token;

/// The largest body that is read, in bytes; the platform's limit is not published.
const BODY_MAX: usize = 1 << 20;

pub(super) fn router(contabo: Contabo) -> Router {
    Router::new()
        .route(TOKEN_PATH, any(issue_token))
        .route("/v1/{*rest}", any(resource))
        .route("/_admin/machines", get(machines))
        .route("/_admin/machines/{id}/user-data", get(user_data))
        .with_state(contabo)
}

async fn issue_token(Shared(contabo): Shared<Contabo>, request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    let body = match read(body).await {
        Ok(body) => body,
        Err(refusal) => return write(refusal.into()),
    };
    let is_form = content_type(&parts.headers).is_some_and(|kind| kind == "application/x-www-form-urlencoded");
    let reply = if parts.method != Method::POST {
        token::refusal(405, "HTTP 405 Method Not Allowed", "For more on this error consult the server log.")
    } else if !is_form {
        token::refusal(415, "HTTP 415 Unsupported Media Type", "For more on this error consult the server log.")
    } else {
        contabo.change(|state, moment| {
            let reply = state.tokens.issue(&body, moment.options, moment.now, moment.random);
            (reply, false)
        })
    };
    write(reply)
}

async fn resource(Shared(contabo): Shared<Contabo>, request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    let body = match read(body).await {
        Ok(body) => body,
        Err(refusal) => return write(refusal.into()),
    };
    let reply = contabo.change(|state, moment| {
        let reply = answer(state, &parts.method, &parts.uri, &parts.headers, &body, moment).unwrap_or_else(Reply::from);
        let changed = parts.method != Method::GET && reply.status < 300;
        (reply, changed)
    });
    write(reply)
}

/// The checks of the gateway, in its order, and the call itself.
fn answer(
    state: &mut State,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: &[u8],
    moment: Moment<'_>,
) -> Result<Reply, Refusal> {
    let token = text(headers, AUTHORIZATION.as_str()).and_then(bearer).ok_or_else(Refusal::unauthorized)?;
    if !state.tokens.admits(token, moment.now) {
        return Err(Refusal::unauthorized());
    }
    state.admit(moment)?;
    let path = uri.path();
    let route = Route::parse(method, path).ok_or_else(|| Refusal::new(404, format!("Cannot {method} {path}")))?;
    let origin = origin(headers)?;
    let body = parse_body(headers, body, route.needs_body())?;
    let call = Call { route, path, query: Query::parse(uri.query().unwrap_or_default()), body, origin };
    Ok(apply(state, &call, moment))
}

/// The scheme of the header is not case sensitive (RFC 9110, section 11.1).
fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The platform requires `x-request-id` in each request.
fn origin(headers: &HeaderMap) -> Result<Origin, Refusal> {
    let request_id = text(headers, "x-request-id").unwrap_or_default();
    if !is_request_id(request_id) {
        return Err(Refusal::invalid(vec!["x-request-id must be a valid UUID of version 0 to 5".to_owned()]));
    }
    let trace_id = text(headers, "x-trace-id").filter(|trace| !trace.is_empty()).map(str::to_owned);
    Ok(Origin { request_id: request_id.to_owned(), trace_id })
}

/// The published pattern: `[0-5]` for the version and `[089ab]` for the variant, so that UUIDs of version 7 do not pass.
fn is_request_id(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 36
        && bytes.iter().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => *byte == b'-',
            14 => (b'0'..=b'5').contains(byte),
            19 => matches!(byte, b'0' | b'8' | b'9' | b'a' | b'b' | b'A' | b'B'),
            _ => byte.is_ascii_hexdigit(),
        })
}

fn parse_body(headers: &HeaderMap, body: &[u8], needed: bool) -> Result<Map<String, Value>, Refusal> {
    match content_type(headers).as_deref() {
        Some("application/json") if body.is_empty() => {
            return Err(Refusal::new(400, "Body cannot be empty when content-type is set to 'application/json'"));
        }
        Some("application/json") => {}
        _ if body.is_empty() => {
            return if needed { Err(Refusal::empty_body()) } else { Ok(Map::new()) };
        }
        Some(other) => {
            return Err(Refusal::new(415, format!("Unsupported Media Type: {other}")));
        }
        None => return Err(Refusal::new(415, "Unsupported Media Type")),
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(Refusal::new(400, "Body must be a JSON object")),
        Err(error) => Err(Refusal::new(400, format!("Body is not valid JSON: {error}"))),
    }
}

/// The media type without its parameters, in lower case.
fn content_type(headers: &HeaderMap) -> Option<String> {
    let kind = text(headers, CONTENT_TYPE.as_str())?;
    Some(kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

async fn read(body: Body) -> Result<Bytes, Refusal> {
    match Limited::new(body, BODY_MAX).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Refusal::new(413, "Request body is too large")),
        Err(_) => Err(Refusal::new(400, "Request body could not be read")),
    }
}

async fn machines(Shared(contabo): Shared<Contabo>) -> Response {
    write(Reply::new(200, contabo.machines()))
}

async fn user_data(Shared(contabo): Shared<Contabo>, Path(id): Path<String>) -> Response {
    match id.parse().ok().and_then(|id| contabo.user_data(id)) {
        Some(text) => respond(StatusCode::OK, "text/plain; charset=utf-8", Body::from(text)),
        None => write(Refusal::not_found(&format!("Machine {id}")).into()),
    }
}

fn write(reply: Reply) -> Response {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let Some(body) = reply.body else {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = status;
        return response;
    };
    respond(status, "application/json; charset=utf-8", Body::from(body.to_string()))
}

fn respond(status: StatusCode, kind: &'static str, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static(kind));
    response
}
