//! The Contabo side of the local cloud: nothing is answered yet.

use std::sync::Arc;

use alfred_model::seam::{Clock, Random};
use axum::Router;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// Answers whether an instance must stay in a status, and in which.
pub type StuckStatus = Arc<dyn Fn(i64) -> Option<String> + Send + Sync>;

/// How the Contabo side is set up.
#[derive(Clone, Default)]
pub struct Options {
    /// Freezes an instance in a status.
    pub stuck: Option<StuckStatus>,
}

impl std::fmt::Debug for Options {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Options").finish_non_exhaustive()
    }
}

/// Everything the Contabo side remembers.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct State {}

/// The Contabo side.
#[derive(Clone)]
pub struct Contabo {
    changes: watch::Sender<u64>,
}

impl Contabo {
    /// Makes an empty Contabo.
    pub fn new(_options: Options, _clock: Arc<dyn Clock>, _random: Arc<dyn Random>) -> Self {
        Self {
            changes: watch::Sender::new(0),
        }
    }

    /// The HTTP paths it answers.
    pub fn router(&self) -> Router {
        Router::new()
    }

    /// A copy of the state.
    pub fn state(&self) -> State {
        State {}
    }

    /// Replaces the state.
    pub fn restore(&self, _state: State) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// Counts changes of the state.
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Opens the machines' listeners.
    pub async fn start_machines(&self) -> std::io::Result<()> {
        std::future::ready(Ok(())).await
    }

    /// Closes the machines' listeners.
    pub async fn stop_machines(&self) {
        std::future::ready(()).await;
    }
}

/// The stable name of a call.
pub fn route_name(_method: &http::Method, _path: &str) -> Option<&'static str> {
    None
}
