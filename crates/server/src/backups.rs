//! Backups: made at their times by one of several replicas, and when an administrator asks.
//!
//! Who makes one, and how the last one ended, is a value that all replicas share ([`turn`]). What is copied, and how, is
//! known to `alfred-state`; here the records of the store join the states.

pub(crate) mod routes;
mod turn;

use std::sync::Arc;
use std::time::Duration;

use alfred_model::backup::Keep;
use alfred_model::id::InstallationId;
use alfred_model::seam::{Clock, Random};
use alfred_model::state::mirror::MirrorRecord;
use alfred_state::backup::{BackupError, Entry, Made, Problem, Request};
use alfred_state::{Backups, States};
use alfred_store::{Store, StoreError};
use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::states::mirror_records;
use turn::{Held, Taken, Turn, Turns};

/// It is looked at least so often whether a backup is due.
const LOOK: Duration = Duration::from_secs(30);

/// A backup that failed is tried again after this, or after the usual time if that is shorter.
const AGAIN: Duration = Duration::from_mins(5);

/// When so much time has passed since a backup was last read back whole, the newest one is: what lies somewhere for years may
/// rot there, and each backup relies on what earlier ones wrote.
const READ_BACK: jiff::SignedDuration = jiff::SignedDuration::from_hours(7 * 24);

/// What the server needs to make backups.
pub struct BackupParts {
    /// Where they are.
    pub backups: Backups,
    /// Which are kept.
    pub keep: Keep,
    /// How long after one the next is made; only when somebody asks, where absent.
    pub every: Option<Duration>,
    /// Whose they are.
    pub installation: InstallationId,
    /// What is copied.
    pub states: Arc<States>,
    /// What is copied too, and where replicas agree on who does it.
    pub store: Arc<dyn Store>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Names this process among the replicas.
    pub random: Arc<dyn Random>,
}

/// Makes backups.
pub struct BackupService {
    parts: BackupParts,
    turns: Turns,
}

/// What kind of backup is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    /// The scheduled one: now and then the newest is read back whole, and mended.
    Usual,
    /// What is new, and no more: somebody waits for it.
    Quick,
    /// Everything is compared with what it came from.
    Full,
}

/// Why there is no new backup.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    /// Another process makes one, or this one does.
    #[error("a backup is being made since {0}")]
    UnderWay(Timestamp),
    /// Another process took over: this one took too long without a sign of life.
    #[error("another process has taken over the backup")]
    Lost,
    /// The records failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It failed.
    #[error(transparent)]
    Backup(#[from] BackupError),
}

impl BackupService {
    /// Takes the parts; nothing is read or opened.
    pub fn new(parts: BackupParts) -> Arc<Self> {
        let turns = Turns::new(Arc::clone(&parts.store), Arc::clone(&parts.clock), parts.random.uuid());
        Arc::new(Self { parts, turns })
    }

    /// Makes a backup now, unless one is being made.
    pub(crate) async fn run(&self, full: bool) -> Result<Made, RunError> {
        let held = match self.turns.take(None).await? {
            Taken::Mine(held) => held,
            Taken::UnderWay(since) => return Err(RunError::UnderWay(since)),
            Taken::NotDue(_) => return Err(RunError::Lost),
        };
        self.run_in(held, if full { Wish::Full } else { Wish::Quick }).await
    }

    /// Makes one if it is due. Answers when to look again.
    async fn run_if_due(&self, every: Duration) -> Result<Duration, RunError> {
        match self.turns.take(Some((every, AGAIN.min(every)))).await? {
            Taken::Mine(held) => self.run_in(held, Wish::Usual).await.map(|_| Duration::ZERO),
            Taken::UnderWay(_) => Ok(LOOK),
            Taken::NotDue(wait) => Ok(wait.min(LOOK)),
        }
    }

    async fn run_in(&self, held: Held, wish: Wish) -> Result<Made, RunError> {
        let began = self.parts.clock.now();
        let made = tokio::select! {
            made = self.carry_out(wish) => made.map_err(RunError::from),
            () = self.turns.keep(&held) => Err(RunError::Lost),
        };
        let took = self.parts.clock.now().duration_since(began);
        match &made {
            Ok(made) => told(made, Duration::try_from(took).unwrap_or_default()),
            Err(error) => {
                metrics::counter!("alfred_backup_failures_total").increment(1);
                tracing::error!(%error, place = self.parts.backups.place(), "the backup failed; it is tried again");
            }
        }
        let problem = made.as_ref().err().map(ToString::to_string);
        if let Err(error) = self.turns.give_back(&held, problem).await {
            tracing::warn!(%error, "that a backup has ended could not be noted; the next waits for the turn to run out");
        }
        made
    }

    async fn carry_out(&self, wish: Wish) -> Result<Made, BackupError> {
        let made = self.make(wish == Wish::Full).await?;
        if wish != Wish::Usual || self.is_read_back().await? {
            return Ok(made);
        }
        let verified = self.parts.backups.verify(Some(made.entry.number)).await?;
        metrics::gauge!("alfred_backup_damages")
            .set(f64::from(u32::try_from(verified.problems.len()).unwrap_or(u32::MAX)));
        if verified.problems.is_empty() {
            tracing::info!(number = verified.number, versions = verified.versions, "a backup was read back whole");
            return Ok(made);
        }
        for Problem { state, version, words } in &verified.problems {
            let (state, serial) = (state.as_ref().map(ToString::to_string), version.map(|version| version.serial));
            tracing::error!(number = verified.number, state, serial, words, "damaged in the place of the backups");
        }
        tracing::warn!("another backup is made, which mends what the store of states still has");
        self.make(true).await
    }

    /// Whether a backup was read back whole lately.
    async fn is_read_back(&self) -> Result<bool, BackupError> {
        let list = self.parts.backups.list().await?;
        let newest = list.iter().filter_map(|entry| entry.verified_at).max();
        Ok(newest.is_some_and(|at| self.parts.clock.now().duration_since(at) < READ_BACK))
    }

    async fn make(&self, full: bool) -> Result<Made, BackupError> {
        let BackupParts { backups, keep, installation, states, store, .. } = &self.parts;
        let (parts, mut exported) = mpsc::channel::<Vec<u8>>(1);
        let (into, records) = mpsc::channel::<Result<Bytes, String>>(1);
        let request = Request { states, installation: *installation, records: Some(records), keep: *keep, full };
        let export = async {
            let hand_on = async {
                while let Some(part) = exported.recv().await {
                    if into.send(Ok(part.into())).await.is_err() {
                        break;
                    }
                }
                // Ends the export, if it has not ended.
                exported.close();
            };
            let (done, ()) = tokio::join!(store.export(parts), hand_on);
            if let Err(error) = done {
                // Nobody listens any more where that is why it failed.
                let _ = into.send(Err(error.to_string())).await;
            }
            drop(into);
        };
        let (made, ()) = tokio::join!(backups.make(request), export);
        made
    }

    /// The newest backup, for the metrics of a process that has made none.
    async fn measure(&self) {
        match self.parts.backups.list().await {
            Ok(list) => list.last().into_iter().for_each(measure),
            Err(error) => tracing::warn!(%error, "the list of backups cannot be read"),
        }
    }

    /// How the last one ended, and whether one is being made.
    async fn turn(&self) -> Result<Turn, StoreError> {
        self.turns.look().await
    }
}

/// Makes backups at their times until `stop` is cancelled. Several replicas may do so at once: one of them makes each.
pub async fn tend_backups(service: Arc<BackupService>, stop: CancellationToken) {
    let tend = async {
        service.measure().await;
        let Some(every) = service.parts.every else { return std::future::pending().await };
        loop {
            let wait = match service.run_if_due(every).await {
                Ok(wait) => wait,
                // Told already, where a backup was begun.
                Err(RunError::Store(error)) => {
                    tracing::warn!(%error, "it cannot be told whether a backup is due");
                    LOOK
                }
                Err(_) => AGAIN.min(LOOK),
            };
            tokio::time::sleep(wait.max(Duration::from_millis(200))).await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = tend => {}
    }
    service.turns.abandon().await;
}

/// Tells a backup to whoever reads the log and the metrics.
fn told(made: &Made, took: Duration) {
    let Entry { number, states, versions, written, .. } = &made.entry;
    tracing::info!(number, states, versions, written, dropped = made.dropped.len(), "a backup was made");
    for lacking in &made.lacking {
        let version = lacking.version.map(|version| version.serial);
        tracing::error!(state = %lacking.state, version, words = lacking.words, "damaged, and not in the backup");
    }
    if let Some(words) = &made.unpruned {
        tracing::warn!(words, "old backups could not be deleted; it is tried again after the next one");
    }
    metrics::counter!("alfred_backup_written_bytes_total").increment(*written);
    metrics::histogram!("alfred_backup_seconds").record(took);
    measure(&made.entry);
}

#[expect(clippy::cast_precision_loss, reason = "seconds since 1970 and lengths below 8 PiB fit a double exactly")]
fn measure(entry: &Entry) {
    metrics::gauge!("alfred_backup_completed_timestamp_seconds").set(entry.finished_at.as_second() as f64);
    metrics::gauge!("alfred_backup_bytes").set((entry.bytes + entry.records.unwrap_or(0)) as f64);
    metrics::gauge!("alfred_backup_lacking").set(entry.lacking as f64);
}

/// Makes records that were just restored fit to be used: nobody makes a backup any more, and if the states were restored too,
/// they are in `states` now, and a second store of them has to be compared anew.
pub async fn after_restore(store: Arc<dyn Store>, clock: &dyn Clock, states: Option<&str>) -> Result<(), BackupError> {
    turn::forget(&*store).await.map_err(|error| BackupError::Records(error.to_string()))?;
    let Some(place) = states else { return Ok(()) };
    let records = mirror_records(store);
    let Some((old, version)) = records.read().await? else { return Ok(()) };
    let secondary = if old.secondary == place { &old.primary } else { &old.secondary };
    let begun = MirrorRecord::begin(place, secondary, clock.now());
    // The documents that were restored have epoch 0: what they say of stores counts for nothing in this one.
    let record = MirrorRecord { epoch: old.epoch + 1, switched: old.switched.clone(), ..begun };
    if records.swap(Some(version), &record).await? {
        return Ok(());
    }
    Err(BackupError::Records("somebody else uses them already".to_owned()))
}

#[cfg(test)]
mod tests;
