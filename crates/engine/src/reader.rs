//! Reads of VMs gathered into list calls: a hundred VMs that come up at once cost one call, not a hundred.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use alfred_model::failure::Failure;
use alfred_model::id::VmId;
use alfred_model::vm::SeenInstance;
use alfred_providers::contabo::{Contabo, InstanceFilter};
use tokio::sync::{mpsc, oneshot};

use crate::effects::seen;
use crate::gather::gather;

/// Reads that arrive within this time share a call.
const WINDOW: Duration = Duration::from_millis(5);

/// At most so many VMs in one call.
const BATCH_MAX: usize = 100;

type Answer = Result<Option<SeenInstance>, Failure>;

struct Ask {
    id: VmId,
    answer: oneshot::Sender<Answer>,
}

/// Reads VMs at the provider.
pub(crate) struct InstanceReader {
    asks: mpsc::UnboundedSender<Ask>,
    task: std::sync::Mutex<Option<(Arc<Contabo>, mpsc::UnboundedReceiver<Ask>)>>,
}

impl InstanceReader {
    pub(crate) fn new(contabo: Arc<Contabo>) -> Self {
        let (asks, receiver) = mpsc::unbounded_channel();
        Self { asks, task: std::sync::Mutex::new(Some((contabo, receiver))) }
    }

    /// The VM as the provider shows it; nothing, if it does not.
    pub(crate) async fn read(&self, id: VmId) -> Answer {
        self.start();
        let (answer, receiver) = oneshot::channel();
        let gone = || Failure::wait("the reader of VMs has stopped", None);
        self.asks.send(Ask { id, answer }).map_err(|_| gone())?;
        receiver.await.unwrap_or_else(|_| Err(gone()))
    }

    /// The task starts with the first read, so that the engine can be put together outside a runtime.
    fn start(&self) {
        let mut task = self.task.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some((contabo, receiver)) = task.take() {
            tokio::spawn(read_all(contabo, receiver));
        }
    }
}

async fn read_all(contabo: Arc<Contabo>, mut receiver: mpsc::UnboundedReceiver<Ask>) {
    while let Some(asks) = gather(&mut receiver, WINDOW, BATCH_MAX).await {
        let mut ids: Vec<VmId> = asks.iter().map(|ask| ask.id).collect();
        ids.sort_unstable();
        ids.dedup();
        let filter = InstanceFilter { ids: Some(ids), ..InstanceFilter::default() };
        let result = contabo.instances(&filter).await.map_err(|error| error.failure());
        let shown: Result<HashMap<VmId, SeenInstance>, Failure> =
            result.map(|instances| instances.into_iter().map(seen).map(|seen| (seen.id, seen)).collect());
        for ask in asks {
            let answer = shown.as_ref().map(|shown| shown.get(&ask.id).cloned()).map_err(Clone::clone);
            // An asker that has gone away does not need the answer.
            let _ = ask.answer.send(answer);
        }
    }
}
