//! The outermost layer: ids, deadlines, panics, security headers, logs, metrics, and one form for every refusal.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use tokio::time::Instant;
use tracing::Instrument;
use uuid::Uuid;

use crate::app::Shared;
use crate::problem::{Code, Problem};

/// Every answer carries its request's id in this header; a client's own is ignored, so that the log can be trusted.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// An answer takes at most so long to begin; each request is a few reads and one write of the store.
const DEADLINE: Duration = Duration::from_secs(30);

/// An audit reads everything at two providers within their budgets; orders are sent a few at a time; states are large.
const SLOW_DEADLINE: Duration = Duration::from_mins(5);

const NO_ROUTE: &str = "none";

/// Marks an answer whose body is what another protocol wants, also if it is a refusal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Verbatim;

/// Runs a request and finishes its answer.
pub(crate) async fn guard(State(app): State<Shared>, request: Request, next: Next) -> Response {
    let id = app.engine.random().uuid();
    // The pattern, never the path itself: a path may be a secret, and labels must be few.
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or(NO_ROUTE, MatchedPath::as_str);
    let method = known_method(request.method());
    let span = tracing::info_span!("request", %id, method, route);
    let began = Instant::now();
    let slow = crate::audit::PATHS.contains(&route)
        || crate::vms::SLOW_PATHS.contains(&route)
        || crate::states::SLOW_PATHS.contains(&route)
        || route == crate::backups::routes::PATH;
    let deadline = if slow { SLOW_DEADLINE } else { DEADLINE };

    // A dropped handler is safe at every point: the store's writes are all or nothing.
    let run = AssertUnwindSafe(tokio::time::timeout(deadline, next.run(request))).catch_unwind();
    let response = match run.instrument(span.clone()).await {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => Problem::new(Code::AnswerTooSlow, "the answer took too long and was given up").into_response(),
        Err(_) => Problem::internal("a route panicked").into_response(),
    };

    let response = span.in_scope(|| finish(response, id, method));
    let status = response.status().as_u16().to_string();
    metrics::counter!("alfred_http_requests_total", "method" => method, "route" => route.to_owned(), "status" => status)
        .increment(1);
    metrics::histogram!("alfred_http_request_seconds", "method" => method, "route" => route.to_owned())
        .record(began.elapsed());
    response
}

fn finish(mut response: Response, id: Uuid, method: &'static str) -> Response {
    let status = response.status();
    if response.extensions_mut().remove::<Verbatim>().is_some() {
        tracing::info!(status = status.as_u16(), "answered in another protocol's own form");
    } else if status.is_client_error() || status.is_server_error() {
        response = refuse(response, id);
    } else if method == "GET" {
        tracing::debug!(status = status.as_u16(), "answered");
    } else {
        tracing::info!(status = status.as_u16(), "answered");
    }
    protect(response.headers_mut(), id);
    response
}

/// Gives a refusal the request's id, and the form of a problem where it has another.
fn refuse(mut response: Response, id: Uuid) -> Response {
    let status = response.status();
    let problem = response.extensions_mut().remove::<Problem>().unwrap_or_else(|| {
        let code = Code::for_status(status);
        Problem::new(code, code.title())
    });
    let code = problem.code().word();
    let cause = problem.cause().unwrap_or_default();
    if status.is_server_error() {
        tracing::error!(status = status.as_u16(), code, cause, "refused");
    } else {
        tracing::info!(status = status.as_u16(), code, "refused");
    }
    let mut refusal = problem.of_request(id).into_response();
    if let Some(methods) = response.headers_mut().remove(header::ALLOW) {
        refusal.headers_mut().insert(header::ALLOW, methods);
    }
    refusal
}

/// Answers are data for programs: no browser shall guess their type, keep, frame or run them.
fn protect(headers: &mut HeaderMap, id: Uuid) {
    const FIXED: [(HeaderName, &str); 5] = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ];
    for (name, value) in FIXED {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let id = HeaderValue::from_str(&id.to_string()).expect("a UUID is hexadecimal digits and hyphens");
    headers.insert(REQUEST_ID, id);
}

/// A client may invent methods; labels must be few.
fn known_method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ if method.as_str() == "LOCK" => "LOCK",
        _ if method.as_str() == "UNLOCK" => "UNLOCK",
        _ => "other",
    }
}
