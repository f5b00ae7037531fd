//! Starting and stopping: the loops, the lease, and what they share.

use std::sync::Arc;
use std::time::Duration;

use alfred_model::environment::{Environment, Step};
use alfred_model::policy::later;
use alfred_store::{Claim, StoreError};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::intents::CallHomeTokens;
use crate::leases::Leases;
use crate::pool::InFlight;
use crate::reader::InstanceReader;
use crate::zones::Zones;
use crate::{Engine, Parts, Settings};

/// The store is looked at again after this long even where nothing is known to be due: another replica may have died.
/// What falls due within it may wait for its end, and is then looked at together: that shares calls.
const IDLE: Duration = Duration::from_secs(1);

/// After the store failed, the loops pause so long.
pub(crate) const STORE_PAUSE: Duration = Duration::from_secs(1);

/// At most so many rows are claimed at once.
const CLAIM_MAX: usize = 256;

impl Engine {
    /// Puts the engine together; nothing runs before [`Engine::run`].
    pub fn new(parts: Parts, settings: Settings) -> Arc<Self> {
        let Parts { store, cloudflare, contabo, authority, reach, clock, random } = parts;
        let zones = Zones::new(&cloudflare, &settings.zones, settings.installation, &clock);
        let leases = Leases::new(Arc::clone(&clock), settings.lease);
        let reader = InstanceReader::new(Arc::clone(&contabo));
        Arc::new(Self {
            store,
            contabo,
            authority,
            reach,
            clock,
            random,
            settings,
            zones,
            reader,
            call_home_tokens: CallHomeTokens::default(),
            due: Arc::default(),
            vms_due: Notify::new(),
            ends_moved: Notify::new(),
            order_gate: Arc::default(),
            in_flight: InFlight::default(),
            leases,
            audit_gate: tokio::sync::Mutex::default(),
            progress: watch::Sender::new(0),
        })
    }

    /// Reconciles until `stop` is cancelled; then what is being done is brought to its next resting point.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut tasks = JoinSet::new();
        tasks.spawn(Arc::clone(&self).environment_loop(stop.clone()));
        tasks.spawn(Arc::clone(&self).vm_loop(stop.clone()));
        tasks.spawn(Arc::clone(&self).audit_loop(stop.clone()));
        tasks.spawn(Arc::clone(&self).pool_loop(stop.clone()));
        tasks.spawn(Arc::clone(&self).room_loop(stop.clone()));
        tasks.spawn(Arc::clone(&self).expiry_loop(stop.clone()));
        tasks.spawn(Arc::clone(&self).renew_loop(stop));
        while tasks.join_next().await.is_some() {}
    }

    async fn environment_loop(self: Arc<Self>, stop: CancellationToken) {
        let mut running = JoinSet::new();
        while !stop.is_cancelled() {
            let room = self.settings.concurrency.saturating_sub(running.len()).min(CLAIM_MAX);
            let mut full = room == 0;
            if room > 0 {
                match self.store.claim_environments(&self.claim(room)).await {
                    Ok(claimed) => {
                        full = claimed.len() == room;
                        for one in claimed {
                            running.spawn(Arc::clone(&self).drive(one));
                        }
                    }
                    Err(error) => self.store_failed("claiming environments", &error, &stop).await,
                }
            }
            self.rest(full, &mut running, &self.due, &stop).await;
        }
        while running.join_next().await.is_some() {}
    }

    async fn vm_loop(self: Arc<Self>, stop: CancellationToken) {
        let mut running = JoinSet::new();
        while !stop.is_cancelled() {
            let room = self.settings.concurrency.saturating_sub(running.len()).min(CLAIM_MAX);
            let mut full = room == 0;
            if room > 0 {
                match self.store.claim_vms(&self.claim(room)).await {
                    Ok(claimed) => {
                        full = claimed.len() == room;
                        for (vm, open_intents) in claimed {
                            running.spawn(Arc::clone(&self).drive_vm(vm, open_intents));
                        }
                    }
                    Err(error) => self.store_failed("claiming VMs", &error, &stop).await,
                }
            }
            self.rest(full, &mut running, &self.vms_due, &stop).await;
        }
        while running.join_next().await.is_some() {}
    }

    /// Waits until there may be something to claim. `full` says that there may be more right now.
    async fn rest(&self, full: bool, running: &mut JoinSet<()>, due: &Notify, stop: &CancellationToken) {
        let busy = running.len() >= self.settings.concurrency;
        if full && !busy {
            tokio::task::yield_now().await;
            while running.try_join_next().is_some() {}
            return;
        }
        let wait = self.until_next_wake().await;
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = due.notified(), if !busy => {}
            Some(_) = running.join_next(), if busy => {}
            () = tokio::time::sleep(wait), if !busy => {}
        }
        while running.try_join_next().is_some() {}
    }

    async fn until_next_wake(&self) -> Duration {
        let next = self.store.next_wake().await.ok().flatten();
        let now = self.clock.now();
        next.map_or(IDLE, |next| Duration::try_from(next.duration_since(now)).unwrap_or(Duration::ZERO))
            .clamp(Duration::from_millis(2), IDLE)
    }

    async fn renew_loop(self: Arc<Self>, stop: CancellationToken) {
        loop {
            tokio::select! {
            biased;
                () = stop.cancelled() => return,
                () = tokio::time::sleep(self.settings.lease / 4) => {}
            }
            let now = self.clock.now();
            match self.store.renew_leases(&self.settings.worker, later(now, self.settings.lease)).await {
                Ok(_) => self.leases.renewed(now),
                Err(error) => tracing::warn!(error = %error, "the leases could not be renewed"),
            }
        }
    }

    fn claim(&self, limit: usize) -> Claim {
        let now = self.clock.now();
        Claim { worker: self.settings.worker.clone(), now, until: later(now, self.settings.lease), limit }
    }

    async fn store_failed(&self, doing: &'static str, error: &StoreError, stop: &CancellationToken) {
        tracing::error!(error = %error, doing, "the store failed");
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = tokio::time::sleep(STORE_PAUSE) => {}
        }
    }

    /// Makes the loop look as soon as an environment is due for whose name somebody waits. Asking name servers costs no
    /// call of an API's budget, so that nothing is saved by waiting until there is more to do.
    pub(crate) fn look_in_time(&self, environment: &Environment) {
        let Some(wake_at) = environment.wake_at.filter(|_| environment.step == Step::VerifyRecord) else {
            return;
        };
        let wait = Duration::try_from(wake_at.duration_since(self.clock.now())).unwrap_or_default();
        if wait < IDLE {
            let due = Arc::clone(&self.due);
            tokio::spawn(async move {
                tokio::time::sleep(wait).await;
                due.notify_one();
            });
        }
    }

    pub(crate) fn moved(&self) {
        self.progress.send_modify(|count| *count += 1);
    }
}
