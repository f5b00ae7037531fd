//! The DNS writer: one per zone. What everybody wants changed gathers for a moment and goes out as one batch; each
//! asker is told its own outcome.
//!
//! Rules, in the order in which they bind:
//! - Nothing without our mark is changed or deleted (promise 3): whatever is to be changed is read first.
//! - A write whose answer was lost is read back, never sent again blindly.
//! - A refused batch is halved until the one bad change stands alone; a batch that may pass later is not split.
//! - A full zone is told to everybody at once: nobody's change is tried one by one.

mod plan;
mod send;

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use alfred_model::failure::Failure;
use alfred_model::id::{InstallationId, RecordId};
use alfred_model::name::DomainName;
use alfred_model::record::{DesiredRecord, OwnershipMark};
use alfred_providers::cloudflare::Cloudflare;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

use crate::gather::gather;

/// Changes that arrive within this time share a batch.
const WINDOW: Duration = Duration::from_millis(5);

/// A batch on a Free zone holds 200 operations
/// (<https://developers.cloudflare.com/dns/manage-dns-records/how-to/batch-record-changes/>).
const BATCH_MAX: usize = 200;

/// Where to look before a record is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// Nowhere: nothing stands at the name.
    Nowhere,
    /// At our records: an earlier write may have been carried out.
    Ours,
    /// At all records: something answers for the name, and it may be somebody else's.
    Everywhere,
}

/// A wanted change of one name.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    /// The record shall be there as desired.
    Write {
        /// As desired.
        desired: DesiredRecord,
        /// Where to look first.
        look: Look,
    },
    /// Our records of this name shall be gone.
    Withdraw {
        /// The name.
        name: DomainName,
        /// Whose records.
        mark: OwnershipMark,
        /// The address that the name must not answer with afterwards, where one was written.
        address: Option<Ipv4Addr>,
    },
}

/// The written record, where one was written; or why not.
pub(crate) type ChangeOutcome = Result<Option<RecordId>, Failure>;

pub(crate) struct Ask {
    change: Change,
    answer: oneshot::Sender<ChangeOutcome>,
}

/// What the writer works with.
pub(crate) struct Zone {
    cloudflare: Arc<Cloudflare>,
    installation: InstallationId,
}

/// The way to the writer.
pub(crate) struct RecordWriter {
    asks: mpsc::UnboundedSender<Ask>,
    task: Mutex<Task>,
}

enum Task {
    Waiting(Box<(Zone, mpsc::UnboundedReceiver<Ask>)>),
    /// Only within [`RecordWriter::start`].
    Starting,
    Running(AbortHandle),
}

impl RecordWriter {
    pub(crate) fn new(cloudflare: Arc<Cloudflare>, installation: InstallationId) -> Self {
        let (asks, receiver) = mpsc::unbounded_channel();
        Self { asks, task: Mutex::new(Task::Waiting(Box::new((Zone { cloudflare, installation }, receiver)))) }
    }

    /// Hands a change in and waits for what came of it.
    pub(crate) async fn submit(&self, change: Change) -> ChangeOutcome {
        self.start();
        let (answer, receiver) = oneshot::channel();
        let gone = || Failure::wait("the DNS writer has stopped", None);
        self.asks.send(Ask { change, answer }).map_err(|_| gone())?;
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
    while let Some(asks) = gather(&mut receiver, WINDOW, BATCH_MAX).await {
        zone.write(asks).await;
    }
}
