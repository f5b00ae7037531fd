//! The VMs of the local cloud as far as a network can see them: a socket that accepts connections, and a call home.
//!
//! Whoever owns the VMs gives a census, that is, the machines that are up now and when that next changes; one task keeps the
//! listeners as the census says. This module must not know what a VM costs, who ordered it or through which API.

mod call_home;
mod cloud_init;
mod host;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use host::Host;

/// A machine that is up.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Its number.
    pub id: i64,
    /// Its address.
    pub address: Ipv4Addr,
    /// The port on which it accepts connections.
    pub port: u16,
    /// How often it was wiped; a machine that was wiped meanwhile is another machine.
    pub install: u32,
    /// The name that it was given.
    pub hostname: String,
    /// Its cloud-init data; empty if it has none.
    pub user_data: Arc<SecretString>,
}

/// The machines that are up, and for how long this is known to be so.
#[derive(Clone, Debug, Default)]
pub struct Census {
    /// The machines that accept connections.
    pub up: Vec<Machine>,
    /// After which the census should be taken again, if nothing else asks for it; `None` is never.
    pub next_change: Option<Duration>,
}

/// Why machines cannot be shown on the network.
#[derive(Debug, thiserror::Error)]
pub enum MachinesError {
    /// Not even 127.0.0.1 can be bound.
    #[error("could not listen on a loopback address")]
    Loopback(#[source] io::Error),
    /// Each machine needs a file descriptor.
    #[error(
        "the process may open {limit} files, and {machines} machines need {needed}; raise the limit with \
         `ulimit -n {needed}`, or lower the instance cap"
    )]
    TooFewFiles {
        /// How many files the process may open.
        limit: u64,
        /// How many machines there may be.
        machines: u32,
        /// How many files they and the rest of the process need.
        needed: u64,
    },
    /// Other clouds on this computer have the addresses.
    #[error(
        "the machines' addresses from {base} on are taken by another local cloud on this computer: {}",
        if *.only { "stop that one first, the addresses of machines that exist cannot change" } else { "stop one of them" }
    )]
    NoAddresses {
        /// The first of them.
        base: Ipv4Addr,
        /// Whether only this block would do.
        only: bool,
    },
    /// The machines that were up at the start could not be shown.
    #[error("could not listen on `{address}` for machine {machine}")]
    Listen {
        /// The machine.
        machine: i64,
        /// What was to be bound.
        address: SocketAddr,
        /// Why it was not.
        #[source]
        source: io::Error,
    },
}

/// Where the listeners are, by the machines' addresses.
#[derive(Clone, Default)]
pub struct Dials(Arc<Mutex<HashMap<Ipv4Addr, SocketAddr>>>);

impl Dials {
    /// Where to connect to reach the machine with this address; `None` while nothing listens.
    pub fn get(&self, address: Ipv4Addr) -> Option<SocketAddr> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&address).copied()
    }

    fn set(&self, address: Ipv4Addr, dial: Option<SocketAddr>) {
        let mut dials = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match dial {
            Some(dial) => dials.insert(address, dial),
            None => dials.remove(&address),
        };
    }
}

impl fmt::Debug for Dials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dials = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        formatter.debug_tuple("Dials").field(&dials.len()).finish()
    }
}

/// The listeners of all machines. They close when it is dropped.
#[derive(Debug)]
pub struct Machines {
    task: JoinHandle<()>,
    stop: watch::Sender<bool>,
    dials: Dials,
}

impl Machines {
    /// Opens a listener for each machine that is up, and keeps on following the census: it is taken when `changed` tells of
    /// a change, and when its own time is over. A census of `None` ends it. There may be up to `most` machines.
    pub async fn start(
        census: impl Fn() -> Option<Census> + Send + 'static,
        changed: watch::Receiver<u64>,
        most: u32,
    ) -> Result<Self, MachinesError> {
        check_file_limit(most)?;
        let dials = Dials::default();
        let mut host = Host::new(dials.clone()).await?;
        if let Some(first) = census() {
            host.follow(&first.up).await?;
        }
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(keep(host, census, changed, stopped));
        Ok(Self { task, stop, dials })
    }

    /// Where the listeners are.
    pub fn dials(&self) -> Dials {
        self.dials.clone()
    }

    /// Closes all listeners; they are closed when it returns.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        if let Err(error) = (&mut self.task).await {
            tracing::error!(%error, "the task that keeps the machines' listeners has failed");
        }
    }
}

impl Drop for Machines {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn keep(
    mut host: Host,
    census: impl Fn() -> Option<Census> + Send,
    mut changed: watch::Receiver<u64>,
    mut stopped: watch::Receiver<bool>,
) {
    /// How long to wait before a listener that could not be opened is tried again.
    const RETRY: Duration = Duration::from_secs(1);
    loop {
        // Marked as seen before the census is taken: a change in between wakes the task once more.
        changed.borrow_and_update();
        let Some(Census { up, next_change }) = census() else {
            break;
        };
        let mut wait = next_change;
        if let Err(error) = host.follow(&up).await {
            tracing::error!(error = %error, cause = ?std::error::Error::source(&error), "a machine cannot be reached");
            wait = Some(wait.map_or(RETRY, |wait| wait.min(RETRY)));
        }
        tokio::select! {
            told = changed.changed() => if told.is_err() { break },
            () = pause(wait) => {}
            _ = stopped.changed() => break,
        }
    }
    host.close().await;
}

/// Waits for `wait`, or for ever. The timer may be finer than the clock of the census; a millisecond keeps it from spinning.
async fn pause(wait: Option<Duration>) {
    match wait {
        Some(wait) => tokio::time::sleep(wait.max(Duration::from_millis(1))).await,
        None => std::future::pending().await,
    }
}

#[cfg(unix)]
fn check_file_limit(machines: u32) -> Result<(), MachinesError> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    limit.map_or(Ok(()), |limit| fits(machines, limit))
}

#[cfg(not(unix))]
fn check_file_limit(_machines: u32) -> Result<(), MachinesError> {
    Ok(())
}

/// What the rest of the process needs: its database, its server, its clients.
#[cfg(unix)]
const OTHER_FILES: u64 = 128;

#[cfg(unix)]
fn fits(machines: u32, limit: u64) -> Result<(), MachinesError> {
    let needed = u64::from(machines) + OTHER_FILES;
    if needed <= limit { Ok(()) } else { Err(MachinesError::TooFewFiles { limit, machines, needed }) }
}
