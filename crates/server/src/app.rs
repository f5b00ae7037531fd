//! What every route works with.

use std::sync::Arc;

use alfred_engine::Engine;
use alfred_store::Store;
use jiff::Timestamp;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::watch;

use crate::auth::Gate;
use crate::backups::BackupService;
use crate::events::Seats;
use crate::states::StatesService;

/// The parts that routes share; one per server.
pub(crate) struct App {
    /// Takes users' requests, and knows store, clock and chance.
    pub(crate) engine: Arc<Engine>,
    /// Tells callers by their tokens.
    pub(crate) gate: Gate,
    /// The seats of those who listen to events.
    pub(crate) seats: Arc<Seats>,
    /// The Terraform states, where this server keeps any.
    pub(crate) states: Option<StatesService>,
    /// Makes backups, where this server has a place for them.
    pub(crate) backups: Option<Arc<BackupService>>,
    /// Renders the metrics, where they are collected.
    pub(crate) metrics: Option<PrometheusHandle>,
    /// Whether the start-up checks have passed.
    pub(crate) ready: watch::Receiver<bool>,
}

/// [`App`] as the routes hold it.
pub(crate) type Shared = Arc<App>;

impl App {
    /// The records.
    pub(crate) fn store(&self) -> &dyn Store {
        &**self.engine.store()
    }

    /// The current time.
    pub(crate) fn now(&self) -> Timestamp {
        self.engine.clock().now()
    }
}
