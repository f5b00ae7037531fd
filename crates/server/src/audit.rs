//! `/v1/audit`: do providers, store and ledger agree?

use alfred_engine::{AuditError, AuditReport};
use axum::Json;
use axum::extract::State;

use crate::app::Shared;
use crate::auth::Administrator;
use crate::openapi::Refused;
use crate::problem::{Code, Problem};

/// The path; it gets more time than others.
pub(crate) const PATH: &str = "/v1/audit";

/// Audit
///
/// For administrators. It reads everything at both providers and changes nothing; it may take minutes.
#[utoipa::path(
    get, path = "/v1/audit", tag = "audit",
    responses(
        (status = 200, description = "What was compared and what was found", body = Object, content_type = "application/json"),
        Refused<403>,
    ),
)]
pub(crate) async fn show(State(app): State<Shared>, _: Administrator) -> Result<Json<AuditReport>, Problem> {
    let report = app.engine.audit().await;
    report.map(Json).map_err(|error| match error {
        AuditError::Store(error) => error.into(),
        // The reader is an administrator, and the provider's words are already without secrets.
        AuditError::Provider(_) => Problem::new(Code::AuditFailed, error.to_string()).because(error.to_string()),
    })
}
