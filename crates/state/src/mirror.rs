//! Two stores of the same states: a primary one, whose answer counts, and a secondary one, which has everything that was
//! acknowledged or is known to lack something.
//!
//! A change is made in the primary store, then copied to the secondary one before it is acknowledged. If the copy fails,
//! the [`MirrorRecord`] is told first that the secondary store is behind, and then the change is acknowledged: a failing
//! secondary store never fails a user's apply. The record is kept outside of both stores and moves by compare-and-set.
//! A store that was given up while it could not be reached, and still takes a write from a process that does not know, is
//! found out by that process when it copies: the other store's document has a later epoch, and nothing is acknowledged.

pub(crate) mod copy;
mod news;
mod switch;

use std::sync::Arc;
use std::time::Duration;

use alfred_model::state::mirror::{Behind, MirrorRecord, Verdict, verdict};
use alfred_model::state::{BlobKey, StateName};
use async_trait::async_trait;
use jiff::Timestamp;

use crate::backend::{Backend, BackendError, Blob};
use crate::error::StateError;
use crate::measured::Measured;
use crate::service::Seams;

pub use copy::CopyError;
pub use news::News;
pub use switch::SwitchRequest;

/// How long a change waits for the secondary store before it is acknowledged without it.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often a change of the record is tried while others change it.
const ATTEMPTS: u32 = 16;

/// Keeps the record of a mirror: outside of both stores, and seen by every process of the installation.
#[async_trait]
pub trait MirrorRecords: Send + Sync + 'static {
    /// The record with its version.
    async fn read(&self) -> Result<Option<(MirrorRecord, i64)>, BackendError>;

    /// Replaces the record if it still has this version. Answers whether it did.
    async fn swap(&self, expected: Option<i64>, record: &MirrorRecord) -> Result<bool, BackendError>;
}

/// The stores of an installation: one, or two that mirror each other.
pub struct Stores {
    first: Arc<Measured>,
    mirror: Option<Mirror>,
    seams: Seams,
}

struct Mirror {
    second: Arc<Measured>,
    records: Arc<dyn MirrorRecords>,
}

impl std::fmt::Debug for Stores {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let second = self.mirror.as_ref().map(|mirror| mirror.second.place());
        formatter
            .debug_struct("Stores")
            .field("first", &self.first.place())
            .field("second", &second)
            .finish_non_exhaustive()
    }
}

/// Which store counts now.
#[derive(Clone)]
pub(crate) struct Current {
    pub(crate) primary: Arc<Measured>,
    pub(crate) mirrored: Option<Mirrored>,
}

/// The other store, and what was known of the two.
#[derive(Clone)]
pub(crate) struct Mirrored {
    pub(crate) secondary: Arc<Measured>,
    pub(crate) record: MirrorRecord,
}

impl Current {
    /// How often the stores have changed places.
    pub(crate) fn epoch(&self) -> u64 {
        self.mirrored.as_ref().map_or(0, |mirrored| mirrored.record.epoch)
    }
}

impl Stores {
    /// One store.
    pub fn single(backend: Arc<dyn Backend>, seams: Seams) -> Self {
        Self { first: Arc::new(Measured::new(backend, Arc::clone(&seams.clock))), mirror: None, seams }
    }

    /// Two stores. Which one is the primary says the record; the `first`, where there is none yet.
    pub fn mirrored(
        first: Arc<dyn Backend>,
        second: Arc<dyn Backend>,
        records: Arc<dyn MirrorRecords>,
        seams: Seams,
    ) -> Self {
        let measured = |backend| Arc::new(Measured::new(backend, Arc::clone(&seams.clock)));
        let (first, second) = (measured(first), measured(second));
        Self { first, mirror: Some(Mirror { second, records }), seams }
    }

    /// The stores, in the order in which they are configured.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Measured>> {
        std::iter::once(&self.first).chain(self.mirror.as_ref().map(|mirror| &mirror.second))
    }

    /// The places of the stores, in words for people, in the order in which they are configured.
    pub fn places(&self) -> Vec<&str> {
        self.all().map(|store| store.place()).collect()
    }

    /// Which store counts now.
    pub(crate) async fn current(&self) -> Result<Current, StateError> {
        let Some(mirror) = &self.mirror else {
            return Ok(Current { primary: Arc::clone(&self.first), mirrored: None });
        };
        let record = match mirror.records.read().await? {
            Some((record, _)) => record,
            None => self.begin(mirror).await?,
        };
        let (first, second) = (Arc::clone(&self.first), Arc::clone(&mirror.second));
        let (primary, secondary) = match () {
            () if record.primary == first.place() => (first, second),
            () if record.primary == second.place() => (second, first),
            () => return Err(StateError::OtherPrimary { primary: record.primary }),
        };
        let record = if record.secondary == secondary.place() { record } else { self.begin(mirror).await? };
        Ok(Current { primary, mirrored: Some(Mirrored { secondary, record }) })
    }

    /// Notes which two stores mirror each other, where that is not what the record says.
    async fn begin(&self, mirror: &Mirror) -> Result<MirrorRecord, StateError> {
        for _ in 0..ATTEMPTS {
            let read = mirror.records.read().await?;
            let places = [self.first.place(), mirror.second.place()];
            let (mut record, version) = match read {
                Some((record, version)) => (Some(record), Some(version)),
                None => (None, None),
            };
            if let Some(record) = record.take_if(|record| places.contains(&&*record.secondary)) {
                return Ok(record);
            }
            let now = self.seams.clock.now();
            let new = match record {
                None => MirrorRecord::begin(places[0], places[1], now),
                Some(old) => {
                    let secondary = if old.primary == places[0] { places[1] } else { places[0] };
                    let begun = MirrorRecord::begin(&old.primary, secondary, now);
                    MirrorRecord { epoch: old.epoch, switched: old.switched, ..begun }
                }
            };
            if mirror.records.swap(version, &new).await? {
                return Ok(new);
            }
        }
        Err(StateError::MirrorBusy)
    }

    /// The record as it is now; nothing, where there is one store alone.
    pub async fn record(&self) -> Result<Option<MirrorRecord>, StateError> {
        Ok(self.current().await?.mirrored.map(|mirrored| mirrored.record))
    }

    /// Changes the record. `change` answers whether there is anything to write.
    async fn change_record(
        &self,
        mirror: &Mirror,
        change: impl Fn(&mut MirrorRecord, Timestamp) -> Result<bool, StateError>,
    ) -> Result<MirrorRecord, StateError> {
        for _ in 0..ATTEMPTS {
            let Some((mut record, version)) = mirror.records.read().await? else {
                self.begin(mirror).await?;
                continue;
            };
            if !change(&mut record, self.seams.clock.now())? {
                return Ok(record);
            }
            if mirror.records.swap(Some(version), &record).await? {
                return Ok(record);
            }
            tokio::time::sleep(Duration::from_millis(20).mul_f64(self.seams.random.unit())).await;
        }
        Err(StateError::MirrorBusy)
    }

    /// Brings a change that the primary store has to the secondary one. When it returns, the change may be acknowledged:
    /// the other store has it, or is known to be behind. `fresh` is a content that was just written, to spare reading it.
    pub(crate) async fn follow(
        &self,
        current: &Current,
        state: &StateName,
        fresh: Option<(BlobKey, Blob)>,
    ) -> Result<(), StateError> {
        let (Some(mirror), Some(Mirrored { secondary, record: known })) = (&self.mirror, &current.mirrored) else {
            return Ok(());
        };
        // Read after the change took place: whoever catches up either sees the change, or is seen here.
        let Some((record, _)) = mirror.records.read().await? else {
            return Err(StateError::MirrorBusy);
        };
        if record.epoch != known.epoch {
            return Err(StateError::Moved(record.primary));
        }
        if record.behind.as_ref().is_some_and(|behind| behind.covers(state)) {
            return Ok(());
        }
        let copied = tokio::time::timeout(PATIENCE, copy::state(&*current.primary, &**secondary, state, fresh)).await;
        let words = match copied {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(CopyError::Overtaken)) => return Err(StateError::Moved(record.secondary)),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("it did not answer within {} s", PATIENCE.as_secs()),
        };
        tracing::warn!(state = %state, secondary = secondary.place(), words, "the secondary store of states is behind");
        self.change_record(mirror, |record, now| {
            if record.epoch != known.epoch {
                return Err(StateError::Moved(record.primary.clone()));
            }
            Ok(record.fall_behind(state, &words, now))
        })
        .await
        .map(drop)
    }

    /// Notes that a state may have changed in the primary store without anybody knowing.
    pub(crate) async fn compare_later(&self, current: &Current, state: &StateName, words: &str) {
        let (Some(mirror), Some(Mirrored { record: known, .. })) = (&self.mirror, &current.mirrored) else {
            return;
        };
        let noted = self
            .change_record(mirror, |record, now| {
                Ok(record.epoch == known.epoch && record.fall_behind(state, words, now))
            })
            .await;
        if let Err(error) = noted {
            tracing::warn!(state = %state, error = %error, "that a state must be compared could not be noted");
        }
    }

    /// Throws a state away in the secondary store that was thrown away in the primary one.
    pub(crate) async fn follow_purge(&self, current: &Current, state: &StateName, until: (u64, u64)) {
        let Some(Mirrored { secondary, .. }) = &current.mirrored else { return };
        if let Err(error) = copy::purge(&**secondary, state, until).await {
            tracing::warn!(state = %state, secondary = secondary.place(), error = %error, "a purged state is left over");
        }
    }

    /// One round of what has to be done from time to time: catching up, ending a switch that was interrupted, judging a
    /// trial. Answers what a person should know.
    pub async fn tend(&self) -> Result<Vec<News>, StateError> {
        let Some(mirror) = &self.mirror else {
            return Ok(Vec::new());
        };
        let mut news = Vec::new();
        let current = self.current().await?;
        let Some(mirrored) = &current.mirrored else {
            return Ok(news);
        };
        if let Some(switching) = mirrored.record.switching.clone() {
            self.resume_switch(mirror, &switching).await?;
            news.push(News::SwitchEnded);
            return Ok(news);
        }
        if mirrored.record.behind.is_some() && self.catch_up(mirror, &current, mirrored).await? {
            news.push(News::CaughtUp { place: mirrored.secondary.place().to_owned() });
        }
        news.extend(self.judge(mirror).await?);
        self.measure().await?;
        Ok(news)
    }

    /// Copies what the secondary store lacks. Answers whether it has everything afterwards.
    ///
    /// In two rounds. Changes that come during the first one are not copied by those who make them; before the second, the
    /// record says that they are again, so that the second one meets everything that came before.
    async fn catch_up(&self, mirror: &Mirror, current: &Current, mirrored: &Mirrored) -> Result<bool, StateError> {
        let epoch = mirrored.record.epoch;
        let Some(behind) = &mirrored.record.behind else { return Ok(false) };
        if !self.copy_behind(current, mirrored, behind).await? {
            return Ok(false);
        }
        let closing = Behind { closing: true, ..behind.clone() };
        let begun = self.change_behind(mirror, epoch, behind, Some(&closing)).await?;
        Ok(begun
            && self.copy_behind(current, mirrored, &closing).await?
            && self.change_behind(mirror, epoch, &closing, None).await?)
    }

    async fn copy_behind(&self, current: &Current, mirrored: &Mirrored, behind: &Behind) -> Result<bool, StateError> {
        let secondary = &mirrored.secondary;
        let names = if behind.all {
            copy::all_states(&*current.primary).await?
        } else {
            behind.states.iter().cloned().collect()
        };
        for state in &names {
            if let Err(error) = copy::state(&*current.primary, &**secondary, state, None).await {
                tracing::warn!(state = %state, secondary = secondary.place(), error = %error, "still behind");
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Replaces what is known to be missing, if it is what it was. Answers whether it did.
    async fn change_behind(
        &self,
        mirror: &Mirror,
        epoch: u64,
        from: &Behind,
        to: Option<&Behind>,
    ) -> Result<bool, StateError> {
        let record = self
            .change_record(mirror, |record, _| {
                let is_same = record.epoch == epoch && record.behind.as_ref() == Some(from);
                if is_same {
                    record.behind = to.cloned();
                }
                Ok(is_same)
            })
            .await?;
        Ok(record.epoch == epoch && record.behind.as_ref() == to)
    }

    /// Ends a trial that is over, and goes back where it failed.
    async fn judge(&self, mirror: &Mirror) -> Result<Option<News>, StateError> {
        let current = self.current().await?;
        let Some(mirrored) = current.mirrored else { return Ok(None) };
        let Some(trial) = mirrored.record.trial.clone() else { return Ok(None) };
        let place = current.primary.place().to_owned();
        match verdict(&trial, &current.primary.calls(), self.seams.clock.now()) {
            Verdict::GoesOn => Ok(None),
            Verdict::Passed => {
                self.change_record(mirror, |record, _| Ok(record.trial.take_if(|now| *now == trial).is_some())).await?;
                Ok(Some(News::TrialPassed { place }))
            }
            Verdict::Failed(words) => Ok(Some(match self.go_back(&words).await {
                Ok(_) => News::TrialFailed { place, words, back_in: mirrored.secondary.place().to_owned() },
                Err(error) => News::NoWayBack { place, words, error: error.to_string() },
            })),
        }
    }

    /// Sets the metrics of the mirror.
    async fn measure(&self) -> Result<(), StateError> {
        let Some(record) = self.record().await? else { return Ok(()) };
        let lag = record
            .behind
            .as_ref()
            .map_or(0.0, |behind| self.seams.clock.now().duration_since(behind.since).as_secs_f64());
        metrics::gauge!("alfred_state_mirror_lag_seconds").set(lag);
        let states = record.behind.as_ref().map_or(0, |behind| behind.states.len().max(usize::from(behind.all)));
        #[expect(clippy::cast_precision_loss, reason = "at most 200")]
        metrics::gauge!("alfred_state_mirror_behind_states").set(states as f64);
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests;
