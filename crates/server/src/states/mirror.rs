//! `/v1/state-mirror`: the two stores that states are kept in, and their changing places.

use alfred_model::id::StateLogId;
use alfred_model::state::log::{StateAction, StateLogEntry, StateOutcome, bounded};
use alfred_model::state::mirror::{MirrorRecord, TrialRules};
use alfred_state::mirror::SwitchRequest;
use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::visit::service;
use crate::app::{App, Shared};
use crate::auth::{Administrator, Caller};
use crate::input::JsonBody;
use crate::openapi::Refused;
use crate::problem::Problem;

/// Two stores that mirror each other.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StateMirror)]
pub(crate) struct MirrorView {
    /// The store whose answer counts.
    primary: String,
    /// The store that follows.
    secondary: String,
    /// How often they have changed places.
    epoch: u64,
    /// What the secondary one lacks; null, where it has everything that was acknowledged.
    behind: Option<BehindView>,
    /// Since when they are changing places; null, where they are not.
    #[schema(value_type = Option<String>, format = DateTime)]
    switching_since: Option<Timestamp>,
    /// Until when the primary one has to prove itself; null, where it has not.
    #[schema(value_type = Option<String>, format = DateTime)]
    trial_until: Option<Timestamp>,
    /// The last time they changed places.
    switched: Option<SwitchedView>,
}

/// What the secondary store lacks.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StateMirrorBehind)]
pub(crate) struct BehindView {
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
    /// Why.
    words: String,
    /// Of how many states, as it must be repeated to change places nevertheless.
    loss: String,
    /// Of which states; empty, where it may be any.
    states: Vec<String>,
}

/// A time when the stores changed places.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StateMirrorSwitched)]
pub(crate) struct SwitchedView {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Who asked for it; `alfred`, where the primary one failed its trial.
    by: String,
    /// Why.
    words: String,
}

/// That the stores shall change places.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"trial": {"seconds": 1800, "errors_percent_max": 10}}))]
pub(crate) struct SwitchBody {
    /// What may be lost, as `behind.loss` says it now.
    #[serde(default)]
    loss: Option<String>,
    /// Leave the primary store as it is: it cannot be reached.
    #[serde(default)]
    without_old: bool,
    /// What the new primary store has to prove, or the stores change places again by themselves.
    #[serde(default)]
    trial: Option<TrialBody>,
}

/// What a new primary store has to prove.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StateMirrorTrial)]
pub(crate) struct TrialBody {
    /// How long, in seconds; half an hour, where absent.
    #[serde(default)]
    seconds: Option<u32>,
    /// More failed calls of a hundred are too many; 10, where absent.
    #[serde(default)]
    errors_percent_max: Option<u8>,
    /// A slower median of its calls, in milliseconds, is too slow; no bound, where absent.
    #[serde(default)]
    latency_milliseconds_max: Option<u32>,
    /// Fewer calls than this say nothing; 5, where absent.
    #[serde(default)]
    calls_min: Option<u32>,
    /// Calls of the last so many seconds count; a minute, where absent.
    #[serde(default)]
    window_seconds: Option<u32>,
}

impl From<TrialBody> for TrialRules {
    fn from(body: TrialBody) -> Self {
        let usual = Self::default();
        Self {
            seconds: body.seconds.unwrap_or(usual.seconds),
            errors_percent_max: body.errors_percent_max.unwrap_or(usual.errors_percent_max),
            latency_milliseconds_max: body.latency_milliseconds_max,
            calls_min: body.calls_min.unwrap_or(usual.calls_min),
            window_seconds: body.window_seconds.unwrap_or(usual.window_seconds),
        }
    }
}

impl From<MirrorRecord> for MirrorView {
    fn from(record: MirrorRecord) -> Self {
        let behind = record.behind.map(|behind| BehindView {
            since: behind.since,
            loss: behind.count(),
            words: behind.words,
            states: behind.states.iter().map(ToString::to_string).collect(),
        });
        let trial_until = record.trial.and_then(|trial| {
            let length = jiff::SignedDuration::from_secs(i64::from(trial.rules.seconds));
            trial.since.checked_add(length).ok()
        });
        Self {
            primary: record.primary,
            secondary: record.secondary,
            epoch: record.epoch,
            behind,
            switching_since: record.switching.map(|switching| switching.since),
            trial_until,
            switched: record.switched.map(|switched| SwitchedView {
                at: switched.at,
                by: switched.by,
                words: switched.words,
            }),
        }
    }
}

/// Show the mirror of the states
///
/// For administrators: which of the two stores counts, and whether the other one has everything.
#[utoipa::path(
    get, path = "/v1/state-mirror", tag = "states",
    responses((status = 200, description = "The two stores", body = MirrorView), Refused<403>, Refused<409>),
)]
pub(crate) async fn show(State(app): State<Shared>, _: Administrator) -> Result<Json<MirrorView>, Problem> {
    let record = service(&app)?.states.stores().record().await?;
    let nothing = || Problem::from(alfred_state::StateError::NoMirror);
    Ok(Json(record.ok_or_else(nothing)?.into()))
}

/// Make the secondary store of the states the primary one
///
/// For administrators. Refused while it lacks something that was acknowledged, unless that loss is named. Locks stay
/// with their holders; whoever asks for a state meanwhile is told to ask again.
#[utoipa::path(
    post, path = "/v1/state-mirror/switch", tag = "states", request_body = SwitchBody,
    responses(
        (status = 200, description = "The two stores as they are now", body = MirrorView),
        Refused<400>, Refused<403>, Refused<409>, Refused<413>, Refused<415>, Refused<422>, Refused<503>,
    ),
)]
pub(crate) async fn switch(
    State(app): State<Shared>,
    Administrator(caller): Administrator,
    JsonBody(body): JsonBody<SwitchBody>,
) -> Result<Json<MirrorView>, Problem> {
    let request = SwitchRequest {
        by: caller.user.to_string(),
        words: "asked for".to_owned(),
        loss: body.loss,
        without_old: body.without_old,
        trial: body.trial.map(TrialRules::from),
    };
    let mut line = line(&app, &caller);
    let switched = service(&app)?.states.stores().switch(&request).await;
    let result = switched.map_err(Problem::from);
    match &result {
        Ok(record) => line.detail = Some(bounded(&format!("{} is the primary store now", record.primary))),
        Err(problem) => {
            let failed = problem.code().status().is_server_error();
            line.outcome = if failed { StateOutcome::Failed } else { StateOutcome::Refused };
            line.detail = Some(bounded(problem.detail()));
        }
    }
    if let Err(error) = app.store().log_state(&line).await {
        tracing::error!(%error, "the log of states lacks the line of a switch");
    }
    Ok(Json(result?.into()))
}

fn line(app: &App, caller: &Caller) -> StateLogEntry {
    let now = app.now();
    let id = StateLogId::generate(now, &**app.engine.random());
    let mut line = StateLogEntry::new(id, now, caller.user.as_str(), "*", StateAction::Switch, StateOutcome::Done);
    line.token = Some(caller.token);
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_of_a_trial_is_as_usual() {
        let body: TrialBody = serde_json::from_str(r#"{"calls_min": 9}"#).unwrap();
        assert_eq!(TrialRules::from(body), TrialRules { calls_min: 9, ..TrialRules::default() });
    }
}
