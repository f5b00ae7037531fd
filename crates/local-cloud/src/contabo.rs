//! A stand-in for Contabo's compute API: instances, images, secrets, tags and their histories, and the token endpoint.
//!
//! It answers as the platform does, with the platform's quirks, refusals and delays, so that a client that works here has
//! met them. Where the platform's behaviour is not known, it does what is harder for the client, and says so at the option.
//! It must not know who calls it: the product's own client gets no shortcut.
//!
//! Start reading at `state`: [`State`] is all that is remembered, and one function applies a call to it, given the time and
//! random numbers. Statuses follow from timestamps, so that nothing has to run for time to pass. `http` is the skin around
//! it. The VMs' sockets are opened by [`crate::machines`], which knows nothing about this API.

mod account;
mod actions;
mod audit;
mod block;
mod catalogue;
mod contract;
mod fields;
mod http;
mod images;
mod install;
mod instance;
mod instances;
mod options;
mod order;
mod page;
mod reply;
mod route;
mod secret_text;
mod secrets;
mod state;
mod status;
mod tags;
#[cfg(test)]
mod tests;
mod time;
mod token;

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use alfred_model::seam::{Clock, Random};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::machines::{Census, Machine, Machines, MachinesError};

pub use account::Contract;
pub use catalogue::{Product, Region};
pub use options::{Delay, NameMatch, Options, OrderOutcome, Rate, SoldOut, Stock, Stuck, ZeroRows};
pub use route::route_name;
pub use state::State;
pub use status::Status;

use state::Moment;

/// The stand-in. Clones share one state.
#[derive(Clone)]
pub struct Contabo {
    shared: Arc<Shared>,
}

struct Shared {
    inner: Mutex<Inner>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    changed: watch::Sender<u64>,
    machines: tokio::sync::Mutex<Option<(Machines, Option<block::Block>)>>,
    /// Where the machines' listeners are, while they run.
    dials: Mutex<Option<crate::machines::Dials>>,
}

struct Inner {
    state: State,
    options: Options,
}

impl Contabo {
    /// An account without instances.
    pub fn new(options: Options, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        let state = State { next_orders: options.next_orders.iter().copied().collect(), ..State::default() };
        Self {
            shared: Arc::new(Shared {
                inner: Mutex::new(Inner { state, options }),
                clock,
                random,
                changed: watch::Sender::new(0),
                machines: tokio::sync::Mutex::new(None),
                dials: Mutex::new(None),
            }),
        }
    }

    /// The API as a service: `/v1/…`, the token endpoint, and `/_admin/machines` for whoever looks at the machines.
    pub fn router(&self) -> axum::Router {
        http::router(self.clone())
    }

    /// A copy of all that is remembered.
    pub fn state(&self) -> State {
        self.lock().state.clone()
    }

    /// Replaces all that is remembered.
    pub fn restore(&self, state: State) {
        self.lock().state = state;
        self.bump();
    }

    /// Tells of changes: the number grows with each one. What the clock changes is not told.
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.shared.changed.subscribe()
    }

    /// Changes the options of the running cloud.
    pub fn adjust(&self, adjust: impl FnOnce(&mut Options)) {
        adjust(&mut self.lock().options);
        self.bump();
    }

    /// Decides what becomes of the next order that has no outcome yet.
    pub fn next_order(&self, outcome: OrderOutcome) {
        self.lock().state.next_orders.push_back(outcome);
        self.bump();
    }

    /// Makes all tokens invalid, as the platform may at any time.
    pub fn revoke_tokens(&self) {
        self.lock().state.tokens.revoke();
    }

    /// Every contract of the account, also those that have ended: what was paid, past the API and its delays.
    pub fn contracts(&self) -> Vec<Contract> {
        let now = self.shared.clock.now();
        self.lock().state.contracts(now)
    }

    /// Removes an order that was never paid, as the account's holder does under `Unpaid Orders` in the panel; whether there
    /// was one of that number.
    pub fn remove_unpaid(&self, instance: i64) -> bool {
        let now = self.shared.clock.now();
        let removed = self.lock().state.remove_unpaid(instance, now);
        if removed {
            self.bump();
        }
        removed
    }

    /// What a TCP connection to this address and port would find now: whether a booted VM accepts it.
    pub fn reachable(&self, address: Ipv4Addr, port: u16) -> bool {
        let now = self.shared.clock.now();
        let inner = self.lock();
        port == inner.options.readiness_port
            && inner
                .state
                .machine_at(address, now)
                .is_some_and(|instance| instance.address == Some(address) && instance.booted(now, &inner.options))
    }

    /// Where to connect to reach the VM with this address, while its listener is open. It differs from the address only on
    /// systems that cannot bind all of 127.0.0.0/8.
    pub fn dial(&self, address: Ipv4Addr) -> Option<SocketAddr> {
        let dials = self.shared.dials.lock().unwrap_or_else(PoisonError::into_inner);
        dials.as_ref().and_then(|dials| dials.get(address))
    }

    /// Gives each booted VM a real listener on its address and the readiness port, and keeps that so until
    /// [`Self::stop_machines`]. It fails if loopback addresses cannot be bound, or if the process may not open a socket for
    /// each VM that the account may have. Does nothing if they are started.
    pub async fn start_machines(&self) -> Result<(), MachinesError> {
        let mut machines = self.shared.machines.lock().await;
        if machines.is_some() {
            return Ok(());
        }
        let (options, own) = {
            let inner = self.lock();
            (inner.options.clone(), inner.state.block.filter(|_| !inner.state.instances.is_empty()))
        };
        let block = block::take(&options, own).await?;
        if let Some(block) = &block {
            self.lock().state.block = Some(block.base);
        }
        let most = options.instance_cap;
        // The machines hold a weak reference: they end with the cloud, not the other way round.
        let weak = Arc::downgrade(&self.shared);
        let census = move || weak.upgrade().map(|shared| Self { shared }.census());
        let started = Machines::start(census, self.changed(), most).await?;
        *self.shared.dials.lock().unwrap_or_else(PoisonError::into_inner) = Some(started.dials());
        *machines = Some((started, block));
        Ok(())
    }

    /// Closes all listeners.
    pub async fn stop_machines(&self) {
        *self.shared.dials.lock().unwrap_or_else(PoisonError::into_inner) = None;
        if let Some((machines, block)) = self.shared.machines.lock().await.take() {
            machines.stop().await;
            drop(block);
        }
    }

    /// The machines that accept connections now, and when that next changes by itself.
    fn census(&self) -> Census {
        let now = self.shared.clock.now();
        let inner = self.lock();
        let options = &inner.options;
        let up = inner.state.instances.values().filter(|instance| instance.booted(now, options));
        Census {
            up: up
                .filter_map(|instance| {
                    Some(Machine {
                        id: instance.id,
                        address: instance.address?,
                        port: options.readiness_port,
                        install: instance.wiped,
                        hostname: instance.name(),
                        user_data: instance.install.user_data.secret(),
                    })
                })
                .collect(),
            next_change: inner.state.next_change(now).and_then(|wait| wait.try_into().ok()),
        }
    }

    /// All machines whose contract runs, for `/_admin/machines`.
    fn machines(&self) -> Value {
        let now = self.shared.clock.now();
        let inner = self.lock();
        let options = &inner.options;
        inner
            .state
            .instances
            .values()
            .filter(|instance| instance.exists(now))
            .map(|instance| {
                let address = instance.address.filter(|_| instance.allocated(now, options));
                let dial = address.and_then(|address| self.dial(address));
                json!({
                    "instanceId": instance.id,
                    "address": address.map(|address| address.to_string()),
                    "port": options.readiness_port,
                    "dial": dial.map(|dial| dial.to_string()),
                    "status": instance.status(now, options).as_str(),
                    "booted": instance.booted(now, options),
                    "userDataBytes": instance.install.user_data.text().len(),
                    "wiped": instance.wiped,
                    "displayName": instance.display_name,
                })
            })
            .collect()
    }

    /// The user data of a machine, as it was given with the last installation.
    fn user_data(&self, id: i64) -> Option<String> {
        let now = self.shared.clock.now();
        let inner = self.lock();
        let instance = inner.state.instances.get(&id).filter(|instance| instance.exists(now))?;
        Some(instance.install.user_data.text().to_owned())
    }

    /// Runs `work` on the state; it returns its result and whether something changed.
    fn change<T>(&self, work: impl FnOnce(&mut State, Moment<'_>) -> (T, bool)) -> T {
        let mut inner = self.lock();
        let Inner { state, options } = &mut *inner;
        // Read under the lock, so that the order of the calls is the order of their times.
        let now = self.shared.clock.now();
        let (result, changed) = work(state, Moment { now, options, random: self.shared.random.as_ref() });
        drop(inner);
        if changed {
            self.bump();
        }
        result
    }

    fn bump(&self) {
        self.shared.changed.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// A panic while the lock was held has not torn the state: each step writes it in one go or not at all.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.shared.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Contabo {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = self.lock();
        formatter.debug_struct("Contabo").field("state", &inner.state).field("options", &inner.options).finish()
    }
}
