//! Reading every version of a state back.

use alfred_model::state::Right;
use alfred_model::state::log::{StateAction, StateOutcome};
use axum::Json;
use axum::extract::{Path, State};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::Shared;
use crate::auth::Caller;
use crate::openapi::Refused;
use crate::problem::Problem;
use crate::states::reference;
use crate::states::visit::{From, Visit};

/// What reading every version back showed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StateVerification)]
pub(crate) struct VerifyView {
    /// Whether every version is what was written.
    good: bool,
    /// How many are.
    versions: usize,
    /// Their length, in bytes.
    bytes: u64,
    /// Those that are not.
    problems: Vec<ProblemView>,
    /// Stored contents that belong to no version: what a crash left behind. They do no harm.
    left_over: usize,
}

/// A version that is not what was written.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StateProblem)]
pub(crate) struct ProblemView {
    /// Its serial.
    serial: u64,
    /// The SHA-256 that it should have.
    sha256: String,
    /// What is wrong.
    words: String,
}

/// Verify a state
///
/// Reads every version back and compares it with what was written. Needs the right `read`.
#[utoipa::path(
    post, path = "/v1/states/{name}/verify", tag = "states",
    params(("name" = String, Path, description = "The state's name; a `/` in it is written `%2F`", example = "team%2Fnetwork")),
    responses(
        (status = 200, description = "What was found", body = VerifyView),
        Refused<400>, Refused<403>, Refused<404>,
    ),
)]
pub(crate) async fn verify(
    State(app): State<Shared>,
    caller: Caller,
    Path(name): Path<String>,
    from: From,
) -> Result<Json<VerifyView>, Problem> {
    let visit = Visit::begin(&app, caller, reference::name(&name)?, from).await?;
    visit.need_seen(Right::Read, StateAction::Verify).await?;
    super::document(&visit).await?;
    let mut line = visit.line(StateAction::Verify, StateOutcome::Done);
    match visit.states()?.verify(&visit.name).await {
        Ok(report) => {
            line.bytes = Some(report.bytes);
            line.detail = Some(format!("{} good, {} bad", report.good, report.problems.len()));
            visit.log(&line).await?;
            let problem = |problem: alfred_state::VersionProblem| ProblemView {
                serial: problem.version.serial,
                sha256: problem.version.sha256.to_string(),
                words: problem.words,
            };
            Ok(Json(VerifyView {
                good: report.problems.is_empty(),
                versions: report.good,
                bytes: report.bytes,
                left_over: report.left_over.len(),
                problems: report.problems.into_iter().map(problem).collect(),
            }))
        }
        Err(error) => Err(visit.failed(line, error).await),
    }
}
