//! Ends of environments: warning of them, carrying them out, and putting them off.
//!
//! The model says what is due; this asks the store to change the row only if it still is as the model saw it. So it
//! does not matter how many replicas look at once, and an extension that was answered is never followed by the
//! deletion that it prevented.

use std::sync::Arc;
use std::time::Duration;

use alfred_model::environment::{Environment, ExpiryBound};
use alfred_model::event::{Event, EventKind};
use alfred_model::expiry::{self, Due, Expiry};
use alfred_model::id::EnvironmentId;
use alfred_model::lifecycle::{self, ACTOR};
use alfred_model::user::UserName;
use alfred_store::{ExpiryChange, StoreError};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::run::STORE_PAUSE;
use crate::{Engine, RequestError, measure};

/// Other replicas take requests too, so that the next end may be nearer than it was: so often is it looked up again.
const LOOK: Duration = Duration::from_secs(15);

/// So many are seen to at once.
const BATCH: usize = 256;

/// Ends move rarely; so often is one read again that somebody else changed meanwhile.
const ATTEMPTS: usize = 20;

impl Engine {
    /// Warns of ends and carries them out until `stop` is cancelled.
    pub(crate) async fn expiry_loop(self: Arc<Self>, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let wait = match self.see_to_ends().await {
                Ok(wait) => wait,
                Err(error) => {
                    tracing::error!(error = %error, "the store failed while looking for environments that end");
                    STORE_PAUSE
                }
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = self.ends_moved.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Does what is due, and says how long there is nothing to do.
    async fn see_to_ends(&self) -> Result<Duration, StoreError> {
        loop {
            let due = self.store.expiring(self.clock.now(), BATCH).await?;
            let mut changed = 0;
            for environment in &due {
                changed += usize::from(self.see_to(environment).await?);
            }
            // Rows that did not change were somebody else's, and are not due any more.
            if due.len() < BATCH || changed == 0 {
                break;
            }
        }
        let next = self.store.expiring(Timestamp::MAX, 1).await?.pop().and_then(|row| row.expiry().next_at());
        let now = self.clock.now();
        let wait = next.map_or(LOOK, |next| Duration::try_from(next.duration_since(now)).unwrap_or_default());
        Ok(wait.clamp(Duration::from_millis(10), LOOK))
    }

    /// Does what is due for one; whether it did.
    async fn see_to(&self, environment: &Environment) -> Result<bool, StoreError> {
        let now = self.clock.now();
        let read = environment.expiry();
        let (becomes, kind, words) = match read.due(now, &self.settings.policy.expiry) {
            None => return Ok(false),
            Some(Due::Warn(warned)) => {
                let words = expiry::warning(environment, &warned);
                (warned, EventKind::Warning, words)
            }
            Some(Due::Delete) => (read.clone(), EventKind::Progress, expiry::farewell(&read)),
        };
        let is_over = kind == EventKind::Progress;
        let event = Event { kind, ..lifecycle::event(environment, now, ACTOR, words) };
        let change = ExpiryChange { is_over, ..change(environment, becomes, event, now) };
        if self.store.change_expiry(&change).await?.is_none() {
            return Ok(false);
        }
        measure::expiry(is_over);
        if is_over {
            self.poke();
        } else {
            self.moved();
        }
        Ok(true)
    }

    /// Lets an environment live at least for `life` from now on, or without an end where that is absent; never for less
    /// than before. Whoever asks has been told by [`Rules::granted`](expiry::Rules::granted) how much they may ask for.
    pub async fn extend(
        &self,
        id: EnvironmentId,
        life: Option<Duration>,
        actor: &UserName,
    ) -> Result<Environment, RequestError> {
        for _ in 0..ATTEMPTS {
            let environment = self.store.environment(id).await?;
            let environment = environment.ok_or_else(|| RequestError::NotFound(id.to_string()))?;
            let now = self.clock.now();
            let becomes = expiry::extended(&environment, life, now, &self.settings.policy.expiry)
                .map_err(|refused| RequestError::Extension { slug: environment.slug.to_string(), refused })?;
            if becomes == environment.expiry() {
                return Ok(environment);
            }
            let words = match becomes.at {
                Some(at) => format!("extended: it is deleted at {}", expiry::moment(at)),
                None => "extended: it is not deleted by itself any more".to_owned(),
            };
            let event = lifecycle::event(&environment, now, actor.as_str(), words);
            if let Some(changed) = self.change_end(&environment, becomes, event, now).await? {
                return Ok(changed);
            }
        }
        Err(moved_all_the_time(id))
    }

    /// Keeps an environment from living beyond `bound`: an end that would be later comes then, its owner is warned of
    /// it anew, and no extension goes further. Answers the row as it is now; nothing, if there is none or it is being
    /// deleted. Asking twice is asking once.
    pub async fn bound_expiry(
        &self,
        id: EnvironmentId,
        bound: ExpiryBound,
    ) -> Result<Option<Environment>, RequestError> {
        for _ in 0..ATTEMPTS {
            let Some(environment) = self.store.environment(id).await? else { return Ok(None) };
            if environment.wish == alfred_model::environment::Wish::Absent {
                return Ok(None);
            }
            let now = self.clock.now();
            let becomes = expiry::bounded(&environment, bound.clone(), now, &self.settings.policy.expiry);
            if becomes == environment.expiry() {
                return Ok(Some(environment));
            }
            let at = expiry::moment(bound.at);
            let words = format!("it is deleted at {at} at the latest, because {}", bound.reason);
            let event = lifecycle::event(&environment, now, ACTOR, words);
            if let Some(changed) = self.change_end(&environment, becomes, event, now).await? {
                return Ok(Some(changed));
            }
        }
        Err(moved_all_the_time(id))
    }

    async fn change_end(
        &self,
        read: &Environment,
        becomes: Expiry,
        event: Event,
        now: Timestamp,
    ) -> Result<Option<Environment>, StoreError> {
        let changed = self.store.change_expiry(&change(read, becomes, event, now)).await?;
        self.ends_moved.notify_one();
        self.moved();
        Ok(changed)
    }
}

fn change(read: &Environment, becomes: Expiry, event: Event, now: Timestamp) -> ExpiryChange {
    ExpiryChange { id: read.id, expected: read.expiry(), becomes, is_over: false, event, now }
}

fn moved_all_the_time(id: EnvironmentId) -> RequestError {
    RequestError::Store(StoreError::Conflict { what: format!("the end of the environment {id}") })
}
