//! `/v1/backups`.

use std::sync::Arc;

use alfred_model::id::StateLogId;
use alfred_model::state::log::{StateAction, StateLogEntry, StateOutcome, bounded};
use alfred_state::backup::{BackupError, Entry, Lacking, Made};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{BackupService, RunError};
use crate::app::{App, Shared};
use crate::auth::{Administrator, Caller};
use crate::input::OptionalJsonBody;
use crate::openapi::Refused;
use crate::problem::{Code, Problem};

/// The path. Making a backup may take minutes.
pub(crate) const PATH: &str = "/v1/backups";

/// So long is waited for a backup before it is answered that it is under way.
const PATIENCE: std::time::Duration = std::time::Duration::from_mins(4);

/// That a backup shall be made.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"full": false}))]
pub(crate) struct BackupBody {
    /// Compare everything that is there from earlier backups with what it came from, and mend what is damaged.
    full: bool,
}

/// A backup.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Backup)]
pub(crate) struct BackupView {
    /// Its number.
    number: u64,
    /// When it was begun.
    #[schema(value_type = String, format = DateTime)]
    begun_at: Timestamp,
    /// When it was done.
    #[schema(value_type = String, format = DateTime)]
    finished_at: Timestamp,
    /// States in it.
    states: u64,
    /// Versions of theirs.
    versions: u64,
    /// Their length, in bytes.
    bytes: u64,
    /// So many bytes were new.
    written: u64,
    /// The length of alfred's own records, in bytes; null, where they are not in it.
    records: Option<u64>,
    /// What could not be backed up, because it is damaged in the store of states.
    lacking: u64,
    /// When all of it was last read back without a fault.
    #[schema(value_type = Option<String>, format = DateTime)]
    verified_at: Option<Timestamp>,
}

impl From<&Entry> for BackupView {
    fn from(entry: &Entry) -> Self {
        Self {
            number: entry.number,
            begun_at: entry.begun_at,
            finished_at: entry.finished_at,
            states: entry.states,
            versions: entry.versions,
            bytes: entry.bytes,
            written: entry.written,
            records: entry.records,
            lacking: entry.lacking,
            verified_at: entry.verified_at,
        }
    }
}

/// Something that could not be backed up.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BackupLacking)]
pub(crate) struct LackingView {
    /// Of which state.
    state: String,
    /// The serial of the version; null, where nothing of the state can be read.
    serial: Option<u64>,
    /// What is wrong with it.
    words: String,
}

impl From<&Lacking> for LackingView {
    fn from(lacking: &Lacking) -> Self {
        Self {
            state: lacking.state.to_string(),
            serial: lacking.version.map(|version| version.serial),
            words: lacking.words.clone(),
        }
    }
}

/// What came of making a backup.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BackupMade)]
pub(crate) struct MadeView {
    /// The backup.
    backup: BackupView,
    /// What is not in it, because it is damaged in the store of states.
    lacking: Vec<LackingView>,
    /// Backups that were dropped because they need not be kept.
    dropped: Vec<u64>,
}

impl From<&Made> for MadeView {
    fn from(made: &Made) -> Self {
        Self {
            backup: BackupView::from(&made.entry),
            lacking: made.lacking.iter().map(LackingView::from).collect(),
            dropped: made.dropped.clone(),
        }
    }
}

/// The backups, and how it stands with the next.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Backups)]
pub(crate) struct BackupsView {
    /// Where they are.
    place: String,
    /// Oldest first.
    backups: Vec<BackupView>,
    /// Since when one is being made; null, where none is.
    #[schema(value_type = Option<String>, format = DateTime)]
    running_since: Option<Timestamp>,
    /// So many have failed since the last good one.
    failures: u32,
    /// Why the last one failed; null, where it did not.
    problem: Option<String>,
}

/// List backups
///
/// For administrators.
#[utoipa::path(
    get, path = "/v1/backups", tag = "backups",
    responses((status = 200, description = "The backups", body = BackupsView), Refused<403>, Refused<409>),
)]
pub(crate) async fn list(State(app): State<Shared>, _: Administrator) -> Result<Json<BackupsView>, Problem> {
    let service = service(&app)?;
    let turn = service.turn().await?;
    let backups = service.parts.backups.list().await.map_err(problem)?;
    Ok(Json(BackupsView {
        place: service.parts.backups.place().to_owned(),
        backups: backups.iter().map(BackupView::from).collect(),
        running_since: turn.holder_at(app.now()).map(|holder| holder.since),
        failures: turn.failures,
        problem: turn.problem,
    }))
}

/// Make a backup now
///
/// For administrators. One that takes longer than four minutes is answered with 202 and goes on; the list tells when it is
/// done. It also goes on if nobody waits for the answer.
#[utoipa::path(
    post, path = "/v1/backups", tag = "backups", request_body(content = Option<BackupBody>),
    responses(
        (status = 201, description = "The backup was made", body = MadeView),
        (status = 202, description = "It is being made"),
        Refused<400>, Refused<403>, Refused<409>, Refused<413>, Refused<415>, Refused<502>,
    ),
)]
pub(crate) async fn make(
    State(app): State<Shared>,
    Administrator(caller): Administrator,
    OptionalJsonBody(body): OptionalJsonBody<BackupBody>,
) -> Result<Response, Problem> {
    let service = Arc::clone(service(&app)?);
    let shared = Arc::clone(&app);
    let running = tokio::spawn(async move {
        let made = service.run(body.full).await.map_err(failed);
        note(&shared, &caller, made.as_ref()).await;
        made
    });
    match tokio::time::timeout(PATIENCE, running).await {
        Ok(Ok(made)) => Ok((StatusCode::CREATED, Json(MadeView::from(&made?))).into_response()),
        Ok(Err(_)) => Err(Problem::internal("the backup ended badly")),
        Err(_) => Ok((StatusCode::ACCEPTED, Json(serde_json::json!({ "running": true }))).into_response()),
    }
}

fn service(app: &App) -> Result<&Arc<BackupService>, Problem> {
    app.backups.as_ref().ok_or_else(|| Problem::new(Code::NoBackups, "this server has no place for backups"))
}

/// Writes down who asked for it, in the log of states.
async fn note(app: &App, caller: &Caller, made: Result<&Made, &Problem>) {
    let now = app.now();
    let id = StateLogId::generate(now, &**app.engine.random());
    let mut line = StateLogEntry::new(id, now, caller.user.as_str(), "*", StateAction::Backup, StateOutcome::Done);
    line.token = Some(caller.token);
    match made {
        Ok(made) => {
            line.bytes = Some(made.entry.written);
            line.detail = Some(format!("backup {}", made.entry.number));
        }
        Err(problem) => {
            line.outcome = StateOutcome::Failed;
            line.detail = Some(bounded(problem.detail()));
        }
    }
    if let Err(error) = app.store().log_state(&line).await {
        tracing::error!(%error, "the log of states lacks the line of a backup");
    }
}

fn failed(error: RunError) -> Problem {
    match error {
        RunError::UnderWay(_) => Problem::new(Code::BackupUnderWay, error.to_string()),
        RunError::Lost => Problem::new(Code::BackupFailed, error.to_string()),
        RunError::Store(error) => error.into(),
        RunError::Backup(error) => problem(error),
    }
}

/// The reader is an administrator, and places are told without secrets.
fn problem(error: BackupError) -> Problem {
    match error {
        BackupError::State(error) => error.into(),
        error => Problem::new(Code::BackupFailed, error.to_string()).because(error.to_string()),
    }
}
