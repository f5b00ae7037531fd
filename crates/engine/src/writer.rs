//! The DNS writer: one per zone. What everybody wants changed gathers for a moment, or until the budget allows the next
//! call, and goes out as one batch; each asker is told its own outcome.
//!
//! Rules, in the order in which they bind:
//! - Nothing without our mark is changed or deleted (promise 3): whatever is to be changed is read first.
//! - All changes of one name go out together and in order, so that a name is never absent between two of them.
//! - A write whose answer was lost is read back, never sent again blindly.
//! - A batch that is refused because the zone is not as it was thought to be is planned anew after one look; one that is
//!   refused for anything else is halved until the one bad change stands alone; one that may pass later is not split.
//! - A full zone is told to everybody at once: nobody's change is tried one by one.
//! - Whoever no longer wants a change when its turn comes is left out of the batch.
//!
//! The engine writes environments through it, the audit its repairs, and `alfred dns` what people ask for.

mod known;
mod limit;
mod plan;
mod send;
mod unit;

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use alfred_model::failure::Failure;
use alfred_model::id::{InstallationId, RecordId};
use alfred_model::name::DomainName;
use alfred_model::record::{DesiredRecord, Mark, OwnerName, OwnershipMark};
use alfred_model::seam::Clock;
use alfred_providers::cloudflare::{Cloudflare, PAID_BATCH_LIMIT, Plan, Record};
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

use crate::gather::gather;
use known::Known;
use limit::Limit;

/// Changes that arrive within this time share a batch.
const WINDOW: Duration = Duration::from_millis(5);

/// Most changes that are looked up together: what the largest batch holds.
const GATHERED_MAX: usize = PAID_BATCH_LIMIT;

/// Where to look before a record is written or withdrawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// Nowhere: nothing stands at the name.
    Nowhere,
    /// At our records: an earlier write may have been carried out.
    Ours,
    /// At all records: something answers for the name, and it may be somebody else's.
    Everywhere,
    /// Nowhere: these are the zone's records of the name, read a moment ago. Should they have changed meanwhile, the
    /// refusal tells, and the name is read.
    Seen(Vec<Record>),
}

/// A wanted change of one name.
#[derive(Debug, Clone)]
pub enum Change {
    /// The record shall be there as desired.
    Write {
        /// As desired.
        desired: DesiredRecord,
        /// Where to look first.
        look: Look,
        /// Whether a single record that is nobody's, or another owner's, becomes ours. An environment's never does.
        adopt: bool,
    },
    /// Our records of this name shall be gone.
    Withdraw {
        /// The name.
        name: DomainName,
        /// Whose records.
        mark: Mark,
        /// The address that the name must not answer with afterwards, where one was written.
        address: Option<Ipv4Addr>,
        /// Where to look first; [`Look::Nowhere`] makes no sense here and reads as [`Look::Ours`].
        look: Look,
    },
}

/// The written record, where one was written; or why not.
pub type ChangeOutcome = Result<Option<RecordId>, Failure>;

/// Whether a change is still wanted: asked again when its turn comes, which may be minutes after it was handed in.
pub type StillWanted = Arc<dyn Fn() -> bool + Send + Sync>;

pub(crate) struct Ask {
    change: Change,
    answer: oneshot::Sender<ChangeOutcome>,
    still_wanted: Option<StillWanted>,
}

/// Whose records a writer finds when it lists what is ours.
#[derive(Debug, Clone)]
pub enum Ours {
    /// The environments of an installation.
    Installation(InstallationId),
    /// An owner by hand or from a file.
    Owner(OwnerName),
}

/// What the writer works with.
pub(crate) struct Zone {
    cloudflare: Arc<Cloudflare>,
    /// What the comments of our records begin with.
    comment_prefix: String,
    limit: Limit,
    known: Arc<Known>,
}

/// The way to the writer of one zone.
pub struct RecordWriter {
    asks: mpsc::UnboundedSender<Ask>,
    known: Arc<Known>,
    task: Mutex<Task>,
}

enum Task {
    Waiting(Box<(Zone, mpsc::UnboundedReceiver<Ask>)>),
    /// Only within [`RecordWriter::start`].
    Starting,
    Running(AbortHandle),
}

impl RecordWriter {
    /// A writer for the client's zone. What is not known of the zone's `plan` is learnt when it matters.
    pub fn new(cloudflare: Arc<Cloudflare>, ours: &Ours, plan: Option<&Plan>, clock: Arc<dyn Clock>) -> Self {
        let (asks, receiver) = mpsc::unbounded_channel();
        let comment_prefix = match ours {
            Ours::Installation(installation) => OwnershipMark::comment_prefix(*installation),
            Ours::Owner(owner) => Mark::owner_prefix(owner),
        };
        let known = Arc::new(Known::new(clock));
        let zone = Zone { cloudflare, comment_prefix, limit: Limit::new(plan), known: Arc::clone(&known) };
        Self { asks, known, task: Mutex::new(Task::Waiting(Box::new((zone, receiver)))) }
    }

    /// Hands a change in and waits for what came of it.
    pub async fn submit(&self, change: Change) -> ChangeOutcome {
        self.hand_in(change, None).await
    }

    /// As [`Self::submit`], for a change that may no longer be wanted when its turn comes.
    pub async fn submit_while(&self, change: Change, still_wanted: StillWanted) -> ChangeOutcome {
        self.hand_in(change, Some(still_wanted)).await
    }

    /// Tells the writer which names have records: it then need not ask for some minutes.
    pub fn seen_whole_zone<'a>(&self, names: impl IntoIterator<Item = &'a str>) {
        self.known.whole_zone(names);
    }

    async fn hand_in(&self, change: Change, still_wanted: Option<StillWanted>) -> ChangeOutcome {
        self.start();
        let (answer, receiver) = oneshot::channel();
        let gone = || Failure::wait("the DNS writer has stopped", None);
        self.asks.send(Ask { change, answer, still_wanted }).map_err(|_| gone())?;
        receiver.await.unwrap_or_else(|_| Err(gone()))
    }

    /// The task starts with the first change, so that the engine can be put together outside a runtime.
    fn start(&self) {
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        *task = match std::mem::replace(&mut *task, Task::Starting) {
            Task::Waiting(parts) => {
                let (zone, receiver) = *parts;
                Task::Running(tokio::spawn(write_all(zone, receiver)).abort_handle())
            }
            running => running,
        };
    }
}

/// Nothing is written for an engine that is gone: whoever takes over its rows must be alone with them.
impl Drop for RecordWriter {
    fn drop(&mut self) {
        if let Task::Running(task) = self.task.get_mut().unwrap_or_else(PoisonError::into_inner) {
            task.abort();
        }
    }
}

async fn write_all(zone: Zone, mut receiver: mpsc::UnboundedReceiver<Ask>) {
    while let Some(asks) = gather(&mut receiver, WINDOW, GATHERED_MAX).await {
        zone.write(asks).await;
    }
}

impl Change {
    pub(crate) fn name(&self) -> &DomainName {
        match self {
            Self::Write { desired, .. } => &desired.name,
            Self::Withdraw { name, .. } => name,
        }
    }

    fn look(&self) -> &Look {
        match self {
            Self::Withdraw { look: Look::Nowhere, .. } => &Look::Ours,
            Self::Write { look, .. } | Self::Withdraw { look, .. } => look,
        }
    }

    fn plan(&self, there: &[Record], tags: bool) -> plan::Plan {
        match self {
            Self::Write { desired, adopt, .. } => plan::write(desired, *adopt, tags, there),
            Self::Withdraw { name, mark, address, .. } => plan::withdraw(name, mark, *address, there),
        }
    }
}

impl Ask {
    /// An asker that has gone away does not need the answer; the row it worked on is taken up again.
    fn answer(self, outcome: ChangeOutcome) {
        let _ = self.answer.send(outcome);
    }

    /// Whether somebody still waits for it and may still have it.
    fn is_wanted(&self) -> bool {
        !self.answer.is_closed() && self.still_wanted.as_ref().is_none_or(|still_wanted| still_wanted())
    }
}
