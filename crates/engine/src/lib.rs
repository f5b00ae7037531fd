//! Reconcilers that carry out what the model decides.
//!
//! One loop for environments and one for VMs: claim rows that are due, ask the model for the next action, write the
//! intent, act, hand the report to the model, write the row. The loop takes no input but the rows, so that progress,
//! retry and recovery after a crash are the same code; a poke only makes it look sooner.
//!
//! The engine knows providers and store through their seams. It decides nothing by itself and knows no HTTP server.
//! Start reading at [`Engine::run`] in `run.rs`, then at `Engine::drive` in `environments.rs`.

mod audit;
mod budget;
mod effects;
mod environments;
mod expiry;
mod gather;
mod intents;
mod leases;
mod measure;
mod order;
mod pool;
mod reader;
mod request;
mod run;
mod vms;
mod webhook;
mod writer;
mod zones;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use alfred_model::id::InstallationId;
use alfred_model::policy::Policy;
use alfred_model::seam::{Clock, Random};
use alfred_providers::authority::Authority;
use alfred_providers::cloudflare::Cloudflare;
use alfred_providers::contabo::Contabo;
use alfred_providers::reach::Reach;
use alfred_store::Store;
use tokio::sync::{Mutex, Notify, watch};

use intents::CallHomeTokens;
use leases::Leases;
use pool::InFlight;
use reader::InstanceReader;
use zones::Zones;

pub use audit::{AuditError, AuditReport, AuditSchedule, RepairOutcome, RepairReport, Repaired};
pub use budget::shared_budget;
pub use intents::secret_hash;
pub use pool::{OrderError, OrderPreview, OrderedVm, PoolRequestError, PoolView, VmPreview};
pub use request::{COUNT_MAX, CreateEnvironments, RequestError};
pub use webhook::{BadWebhook, Webhook};
pub use writer::{Change, ChangeOutcome, Look, Ours, RecordWriter, StillWanted};
pub use zones::{NoRoom, ZoneSettings};

/// Everything outside that the engine works with.
pub struct Parts {
    /// The records.
    pub store: Arc<dyn Store>,
    /// The DNS provider, by the token that may edit all zones; which zone it speaks about does not matter.
    pub cloudflare: Arc<Cloudflare>,
    /// The VM provider.
    pub contabo: Arc<Contabo>,
    /// The zone's authoritative servers.
    pub authority: Arc<dyn Authority>,
    /// Connections to VMs.
    pub reach: Arc<dyn Reach>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub random: Arc<dyn Random>,
}

/// How the engine works.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Times and limits of the decisions.
    pub policy: Policy,
    /// The zones in which environments are named; at least one.
    pub zones: Vec<ZoneSettings>,
    /// Whose marks are ours.
    pub installation: InstallationId,
    /// The name of this process among the replicas; a new one each time it starts.
    pub worker: String,
    /// The port on which a VM is reachable when it is ready.
    pub readiness_port: u16,
    /// What is bought: Contabo's product id.
    pub product: String,
    /// Where it is bought.
    pub region: String,
    /// What is installed: Contabo's image id.
    pub image: String,
    /// Where VMs call home, such as `https://alfred.example.com`; they do not, where absent.
    pub call_home_base: Option<String>,
    /// How many environments are worked on at once.
    pub concurrency: usize,
    /// How long a lease holds without being renewed.
    pub lease: Duration,
    /// How often audits are made, and what they may do.
    pub audit: AuditSchedule,
}

/// The engine: shared by the reconcilers and by whoever takes users' requests.
pub struct Engine {
    store: Arc<dyn Store>,
    contabo: Arc<Contabo>,
    authority: Arc<dyn Authority>,
    reach: Arc<dyn Reach>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    settings: Settings,
    zones: Zones,
    reader: InstanceReader,
    call_home_tokens: CallHomeTokens,
    due: Arc<Notify>,
    vms_due: Notify,
    /// An end may be nearer than it was.
    ends_moved: Notify,
    /// One order at a time is counted and written down, so that the limit of VMs holds.
    order_gate: Arc<Mutex<()>>,
    in_flight: InFlight,
    leases: Leases,
    /// One audit at a time: each reads everything.
    audit_gate: Mutex<()>,
    progress: watch::Sender<u64>,
}

impl Engine {
    /// The records.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// How the engine works.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Time.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Chance.
    pub fn random(&self) -> &Arc<dyn Random> {
        &self.random
    }

    /// Changes whenever this process wrote something that an observer may want to read.
    pub fn progress(&self) -> watch::Receiver<u64> {
        self.progress.subscribe()
    }

    /// Makes the reconcilers look now instead of at their next time.
    pub fn poke(&self) {
        self.due.notify_one();
        self.progress.send_modify(|count| *count += 1);
    }

    /// Whether the VM at this address accepts connections on the readiness port.
    pub async fn accepts(&self, address: Ipv4Addr) -> bool {
        self.reach.accepts(address, self.settings.readiness_port).await
    }
}
