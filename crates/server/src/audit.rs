//! `/v1/audit`: do providers, store and ledger agree, and may what does not be mended?

use alfred_engine::{AuditError, AuditReport};
use alfred_model::audit::Limits;
use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::app::Shared;
use crate::auth::Administrator;
use crate::input::{OptionalJsonBody, bad_parameter};
use crate::openapi::Refused;
use crate::problem::{Code, Problem};

/// The paths; they get more time than others.
pub(crate) const PATHS: [&str; 2] = ["/v1/audit", "/v1/audit/repair"];

/// More is no cap.
const COUNT_MAX: usize = 10_000;

/// How much a repair may do.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"max_count": 25, "max_share": 10}))]
pub(crate) struct RepairBody {
    /// At most so many findings, up to 10000; 25, where absent.
    max_count: Option<usize>,
    /// At most so many, in percent of our records, but one always; 10, where absent.
    max_share: Option<usize>,
}

/// Audit
///
/// For administrators. It reads everything at both providers, notes what it found and changes nothing; it may take
/// minutes. Each finding says since when it stands, what it costs and what a repair would do.
#[utoipa::path(
    get, path = "/v1/audit", tag = "audit",
    responses(
        (status = 200, description = "What was compared and what was found", body = Object, content_type = "application/json"),
        Refused<403>,
    ),
)]
pub(crate) async fn show(State(app): State<Shared>, _: Administrator) -> Result<Json<AuditReport>, Problem> {
    app.engine.audit().await.map(Json).map_err(failed)
}

/// Repair what the audit finds
///
/// For administrators. It audits, and then repairs what was seen twice, a grace apart: all of it or, over a cap, nothing.
/// On a list that was cut short only missing records are written. `repair` in the answer says what was done.
#[utoipa::path(
    post, path = "/v1/audit/repair", tag = "audit",
    request_body(content = Option<RepairBody>),
    responses(
        (status = 200, description = "What was found and what was done", body = Object, content_type = "application/json"),
        Refused<400>, Refused<403>, Refused<413>, Refused<415>,
    ),
)]
pub(crate) async fn repair(
    State(app): State<Shared>,
    Administrator(caller): Administrator,
    OptionalJsonBody(body): OptionalJsonBody<RepairBody>,
) -> Result<Json<AuditReport>, Problem> {
    let usual = Limits::default();
    let limits = Limits {
        max_count: body.max_count.unwrap_or(usual.max_count),
        max_share: body.max_share.unwrap_or(usual.max_share),
    };
    if limits.max_count > COUNT_MAX {
        return Err(bad_parameter(&format!("`max_count` is from 0 to {COUNT_MAX}, not {}", limits.max_count)));
    }
    if limits.max_share > 100 {
        return Err(bad_parameter(&format!("`max_share` is from 0 to 100 percent, not {}", limits.max_share)));
    }
    app.engine.audit_and_repair(limits, caller.user.as_str()).await.map(Json).map_err(failed)
}

fn failed(error: AuditError) -> Problem {
    match error {
        AuditError::Store(error) => error.into(),
        // The reader is an administrator, and the provider's words are already without secrets.
        AuditError::Provider(_) => Problem::new(Code::AuditFailed, error.to_string()).because(error.to_string()),
    }
}
