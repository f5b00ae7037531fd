//! Whether the server lives, whether it is ready, and what it counts.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::Shared;
use crate::openapi::Refused;
use crate::problem::{Code, Problem};

/// The path that answers without a token.
pub(crate) const HEALTH_PATH: &str = "/healthz";

/// The text format of Prometheus
/// (<https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>).
const METRICS_MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Readiness.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"ready": true}))]
pub(crate) struct Readiness {
    /// Always true; what is not ready answers with status 503.
    ready: bool,
}

/// Tell whether the process lives
///
/// It asks nothing else, not even the store: a process is not to be killed because its database is away.
#[utoipa::path(
    get, path = "/healthz", tag = "probes", security(()),
    responses((status = 200, description = "It lives", body = String, content_type = "text/plain", example = "ok\n")),
)]
pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

/// Tell whether requests are welcome
///
/// They are when start-up is over and the store answers.
#[utoipa::path(
    get, path = "/readyz", tag = "probes",
    responses((status = 200, description = "They are", body = Readiness)),
)]
pub(crate) async fn readyz(State(app): State<Shared>) -> Result<Json<Readiness>, Problem> {
    if !*app.ready.borrow() {
        return Err(Problem::new(Code::NotReady, "start-up is not over"));
    }
    app.store().ping().await?;
    Ok(Json(Readiness { ready: true }))
}

/// Read the metrics
#[utoipa::path(
    get, path = "/metrics", tag = "probes",
    responses((status = 200, description = "Metrics as Prometheus reads them", body = String, content_type = "text/plain"), Refused<404>),
)]
pub(crate) async fn metrics(State(app): State<Shared>) -> Result<Response, Problem> {
    let Some(metrics) = &app.metrics else {
        return Err(Problem::new(Code::NotFound, "this server collects no metrics"));
    };
    Ok(([(header::CONTENT_TYPE, METRICS_MEDIA_TYPE)], metrics.render()).into_response())
}
