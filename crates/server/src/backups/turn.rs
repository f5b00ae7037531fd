//! Whose turn it is to make a backup: a lease among the values that replicas share.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use alfred_model::seam::Clock;
use alfred_store::{Store, StoreError};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The value's name.
const NAME: &str = "backup";

/// Whoever gives no sign of life for so long has lost the turn.
const LEASE: SignedDuration = SignedDuration::from_mins(2);

/// A sign of life is given so often.
const SIGN: Duration = Duration::from_secs(30);

/// Longest words that are kept of a failure, in characters.
const WORDS_MAX: usize = 300;

/// The value.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Turn {
    /// Who makes a backup.
    #[serde(default)]
    pub(crate) holder: Option<Holder>,
    /// When the last one ended, well or badly.
    #[serde(default)]
    pub(crate) ended_at: Option<Timestamp>,
    /// So many have failed since the last good one.
    #[serde(default)]
    pub(crate) failures: u32,
    /// Why the last one failed, if it did.
    #[serde(default)]
    pub(crate) problem: Option<String>,
}

/// Who makes a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Holder {
    process: Uuid,
    /// Since when.
    pub(crate) since: Timestamp,
    until: Timestamp,
}

/// Proof that it is this process' turn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held {
    since: Timestamp,
}

/// What asking for the turn came to.
#[derive(Debug)]
pub(super) enum Taken {
    /// It is this process' turn.
    Mine(Held),
    /// Somebody else's, since then.
    UnderWay(Timestamp),
    /// Nobody's before this has passed.
    NotDue(Duration),
}

impl Turn {
    /// Who makes a backup at this moment.
    pub(crate) fn holder_at(&self, now: Timestamp) -> Option<&Holder> {
        self.holder.as_ref().filter(|holder| holder.until > now)
    }

    /// How long nothing is due yet. `every` is the time after a good backup and after a failed one.
    fn wait(&self, (every, again): (Duration, Duration), now: Timestamp) -> Option<Duration> {
        let after = if self.failures > 0 { again } else { every };
        let due = self.ended_at?.checked_add(after).ok()?;
        // An end that lies in the future tells of a clock that was wrong, and puts nothing off.
        Duration::try_from(due.duration_since(now)).ok().filter(|wait| !wait.is_zero() && *wait <= after)
    }
}

/// The turns as one process sees them.
pub(super) struct Turns {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    process: Uuid,
    /// What this process holds now.
    held: Mutex<Option<Held>>,
}

impl Turns {
    pub(super) fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, process: Uuid) -> Self {
        Self { store, clock, process, held: Mutex::new(None) }
    }

    /// How it stands.
    pub(super) async fn look(&self) -> Result<Turn, StoreError> {
        Ok(read(&*self.store).await?.0)
    }

    /// Takes the turn if it is free and, where times are given, due.
    pub(super) async fn take(&self, due: Option<(Duration, Duration)>) -> Result<Taken, StoreError> {
        loop {
            let (turn, version) = read(&*self.store).await?;
            let now = self.clock.now();
            if let Some(holder) = turn.holder_at(now) {
                return Ok(Taken::UnderWay(holder.since));
            }
            if let Some(wait) = due.and_then(|due| turn.wait(due, now)) {
                return Ok(Taken::NotDue(wait));
            }
            let holder = Holder { process: self.process, since: now, until: later(now) };
            if self.swap(version, &Turn { holder: Some(holder), ..turn }).await? {
                let held = Held { since: now };
                *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(held);
                return Ok(Taken::Mine(held));
            }
        }
    }

    /// Gives signs of life. Returns when the turn is lost.
    pub(super) async fn keep(&self, held: &Held) {
        loop {
            tokio::time::sleep(SIGN).await;
            let still = self.change(held, |turn, now| {
                if let Some(holder) = &mut turn.holder {
                    holder.until = later(now);
                }
            });
            match still.await {
                Ok(true) => {}
                Ok(false) => return,
                // The lease is longer than a few of these.
                Err(error) => tracing::warn!(%error, "the turn to make a backup could not be prolonged"),
            }
        }
    }

    /// Says how it ended.
    pub(super) async fn give_back(&self, held: &Held, problem: Option<String>) -> Result<(), StoreError> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.change(held, |turn, now| {
            turn.holder = None;
            turn.ended_at = Some(now);
            turn.failures = if problem.is_some() { turn.failures.saturating_add(1) } else { 0 };
            turn.problem = problem.as_ref().map(|words| words.chars().take(WORDS_MAX).collect());
        })
        .await
        .map(drop)
    }

    /// Gives the turn back that this process may hold, as if it had not been taken: it stops.
    pub(super) async fn abandon(&self) {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(held) = held else { return };
        if let Err(error) = self.change(&held, |turn, _| turn.holder = None).await {
            tracing::warn!(%error, "the turn to make a backup could not be given back; it runs out in minutes");
        }
    }

    /// Changes the value while it is this process' turn. Answers whether it is.
    async fn change(&self, held: &Held, change: impl Fn(&mut Turn, Timestamp)) -> Result<bool, StoreError> {
        loop {
            let (mut turn, version) = read(&*self.store).await?;
            let is_mine = |holder: &Holder| holder.process == self.process && holder.since == held.since;
            if !turn.holder.as_ref().is_some_and(is_mine) {
                return Ok(false);
            }
            change(&mut turn, self.clock.now());
            if self.swap(version, &turn).await? {
                return Ok(true);
            }
        }
    }

    async fn swap(&self, version: Option<i64>, turn: &Turn) -> Result<bool, StoreError> {
        self.store.swap_shared_value(NAME, version, &text(turn)).await
    }
}

/// Forgets who makes a backup: the value was restored, and whoever it was is gone.
pub(super) async fn forget(store: &dyn Store) -> Result<(), StoreError> {
    let (turn, version) = read(store).await?;
    if turn.holder.is_none() {
        return Ok(());
    }
    let free = Turn { holder: None, ..turn };
    store.swap_shared_value(NAME, version, &text(&free)).await.map(drop)
}

/// A value that cannot be understood counts as none: at the worst a backup is made too soon.
async fn read(store: &dyn Store) -> Result<(Turn, Option<i64>), StoreError> {
    let Some(value) = store.shared_value(NAME).await? else { return Ok((Turn::default(), None)) };
    Ok((serde_json::from_str(&value.text).unwrap_or_default(), Some(value.version)))
}

fn text(turn: &Turn) -> String {
    serde_json::to_string(turn).expect("times and texts are always JSON")
}

fn later(now: Timestamp) -> Timestamp {
    now.checked_add(LEASE).unwrap_or(Timestamp::MAX)
}
