//! `/v1/states/NAME/lock`: taking a lock by hand, giving it back, and taking it away.

use alfred_model::state::lock::{LOCK_ID_MAX, LockInfo, Released, Taken};
use alfred_model::state::log::{StateAction, StateOutcome, bounded};
use alfred_model::state::{Right, Settings};
use alfred_state::StateError;
use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::Map;
use utoipa::{IntoParams, ToSchema};

use super::reference;
use super::view::LockView;
use super::visit::{From, Visit};
use crate::app::Shared;
use crate::auth::Caller;
use crate::input::{OptionalJsonBody, Parameters};
use crate::openapi::Refused;
use crate::problem::{Code, Problem};

/// Longest reason, in characters.
const REASON_MAX: usize = 200;

/// A lock to take.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"reason": "the network is being rebuilt by hand"}))]
pub(crate) struct LockBody {
    /// The lock's id, so that the request can be repeated; drawn, where absent.
    #[serde(default)]
    #[schema(required = false)]
    id: Option<String>,
    /// Why, for whoever waits.
    #[serde(default)]
    #[schema(required = false)]
    reason: Option<String>,
}

/// Which lock.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct UnlockParameters {
    /// The lock's id. Without it, and with `force`, whichever lock there is.
    id: Option<String>,
    /// Take it away from whoever has it; needs the right `force-unlock`.
    force: Option<bool>,
}

/// Lock a state
///
/// Nobody else can then write it or lock it, Terraform included, until the lock is given back. Needs the right `lock`.
#[utoipa::path(
    post, path = "/v1/states/{name}/lock", tag = "states", request_body = Option<LockBody>,
    params(("name" = String, Path, description = "The state's name; a `/` in it is written `%2F`", example = "team%2Fnetwork")),
    responses(
        (status = 200, description = "The lock, which is the caller's", body = LockView),
        Refused<400>, Refused<403>, Refused<404>, Refused<423>,
    ),
)]
pub(crate) async fn lock(
    State(app): State<Shared>,
    caller: Caller,
    Path(name): Path<String>,
    from: From,
    OptionalJsonBody(body): OptionalJsonBody<LockBody>,
) -> Result<Json<LockView>, Problem> {
    let visit = Visit::begin(&app, caller, reference::name(&name)?, from).await?;
    visit.need_seen(Right::Lock, StateAction::Lock).await?;
    let id = body.id.unwrap_or_else(|| app.engine.random().uuid().to_string());
    if id.is_empty() || id.len() > LOCK_ID_MAX {
        return Err(Problem::new(Code::BadRequest, format!("a lock's id has 1 to {LOCK_ID_MAX} characters")));
    }
    let reason: String = body.reason.unwrap_or_default().chars().take(REASON_MAX).collect();
    let rest = Map::from_iter([
        ("Info".to_owned(), reason.into()),
        ("Created".to_owned(), app.now().to_string().into()),
        ("Version".to_owned(), "".into()),
        ("Path".to_owned(), visit.name.as_str().into()),
    ]);
    let info = LockInfo { id, operation: "by hand".to_owned(), who: visit.by().to_owned(), rest };
    let mut line = visit.line(StateAction::Lock, StateOutcome::Done);
    line.lock_id = Some(bounded(&info.id));
    match visit.states()?.lock(&visit.name, info, visit.by()).await {
        Ok(Taken::Held(held)) => {
            line.outcome = StateOutcome::Refused;
            visit.log_done(&line).await;
            Err(StateError::Locked(held).into())
        }
        Ok(taken) => {
            line.outcome = if taken == Taken::Already { StateOutcome::Repeated } else { StateOutcome::Done };
            visit.log_done(&line).await;
            let document = visit.states()?.document(&visit.name).await?.unwrap_or_default();
            let none = || Problem::new(Code::StateRefused, "the lock was taken away again at once");
            document.lock.as_ref().map(|lock| Json(LockView::of(lock, &document.settings))).ok_or_else(none)
        }
        Err(error) => Err(visit.failed(line, error).await),
    }
}

/// Unlock a state
///
/// Answers whose lock it was; null, if nobody had one. Needs the right `lock` for one's own lock, and the right
/// `force-unlock` for anybody else's.
#[utoipa::path(
    delete, path = "/v1/states/{name}/lock", tag = "states",
    params(("name" = String, Path, description = "The state's name; a `/` in it is written `%2F`", example = "team%2Fnetwork"), UnlockParameters),
    responses(
        (status = 200, description = "The lock that there was", body = Option<LockView>),
        Refused<400>, Refused<403>, Refused<404>, Refused<423>,
    ),
)]
pub(crate) async fn unlock(
    State(app): State<Shared>,
    caller: Caller,
    Path(name): Path<String>,
    Parameters(asked): Parameters<UnlockParameters>,
    from: From,
) -> Result<Json<Option<LockView>>, Problem> {
    let visit = Visit::begin(&app, caller, reference::name(&name)?, from).await?;
    let force = asked.force.unwrap_or(false);
    if asked.id.is_none() && !force {
        return Err(Problem::new(Code::BadParameter, "give the lock's `id`, or `force=true` for whichever there is"));
    }
    match visit.release(asked.id.as_deref(), force).await? {
        Released::Done(lock) => Ok(Json(Some(LockView::of(&lock, &Settings::default())))),
        Released::NotHeld => Ok(Json(None)),
        Released::HeldByAnother(lock) => Err(StateError::Locked(lock).into()),
    }
}

impl Visit {
    /// Gives a lock back, or takes it away: without an id, by force, or if it is another user's.
    ///
    /// Whoever is refused the lock is told the holder's id. So an id alone is no proof that the lock is one's own.
    pub(super) async fn release(&self, id: Option<&str>, force: bool) -> Result<Released, Problem> {
        let states = self.states()?;
        let only_by_force = self.held.has(Right::ForceUnlock) && !self.held.has(Right::Lock);
        if let Some(id) = id.filter(|_| !force && !only_by_force) {
            self.need(Right::Lock, StateAction::Unlock).await?;
            let released = states.unlock(&self.name, id, self.by()).await;
            let is_anothers = matches!(&released, Ok(Released::HeldByAnother(lock)) if lock.info.id == id);
            if !is_anothers {
                return self.released(StateAction::Unlock, Some(id), released).await;
            }
        }
        self.need(Right::ForceUnlock, StateAction::ForceUnlock).await?;
        let released = states.force_unlock(&self.name, id, self.by()).await;
        self.released(StateAction::ForceUnlock, id, released).await
    }

    /// Writes down what came of giving a lock back, or of taking it away.
    async fn released(
        &self,
        action: StateAction,
        id: Option<&str>,
        released: Result<Released, StateError>,
    ) -> Result<Released, Problem> {
        let mut line = self.line(action, StateOutcome::Done);
        line.lock_id = id.map(bounded);
        let released = match released {
            Ok(released) => released,
            Err(error) => return Err(self.failed(line, error).await),
        };
        match &released {
            Released::Done(lock) => {
                line.lock_id = Some(bounded(&lock.info.id));
                line.detail =
                    Some(bounded(&format!("it was {}'s: {} by {}", lock.by, lock.info.operation, lock.info.who)));
            }
            Released::NotHeld => line.outcome = StateOutcome::Repeated,
            Released::HeldByAnother(_) => line.outcome = StateOutcome::Refused,
        }
        self.log_done(&line).await;
        Ok(released)
    }
}
