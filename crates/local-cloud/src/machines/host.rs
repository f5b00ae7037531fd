//! The listeners: opens what is up, closes what is not.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use secrecy::ExposeSecret;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::{AbortHandle, JoinSet};

use super::call_home::{self, Caller};
use super::cloud_init::CloudConfig;
use super::{Dials, Machine, MachinesError};

/// What an SSH server says first; then the connection is closed.
const GREETING: &[u8] = b"SSH-2.0-OpenSSH_9.6 local-cloud\r\n";
/// How many machines call home at the same time.
const CALLS_AT_ONCE: usize = 32;

/// How machines get an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Each has its own: all of 127.0.0.0/8 can be bound.
    Own,
    /// They share 127.0.0.1 and have a port each, as on systems that know no other loopback address.
    Shared,
}

impl Reach {
    /// What to bind for a machine. An address that is not a loopback address is never bound: it could be seen from outside.
    pub(super) fn bind_address(self, machine: &Machine) -> SocketAddr {
        match self {
            Self::Own if machine.address.is_loopback() => SocketAddr::new(IpAddr::V4(machine.address), machine.port),
            _ => SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
        }
    }
}

/// An open machine.
struct Open {
    install: u32,
    address: Ipv4Addr,
    port: u16,
    tasks: Vec<AbortHandle>,
}

/// All open machines.
pub(super) struct Host {
    reach: Reach,
    open: HashMap<i64, Open>,
    /// The last installation that is done with calling home, by machine: cloud-init does so once per installation, not per
    /// boot, but starts again if the machine goes down meanwhile.
    called: Arc<Mutex<HashMap<i64, u32>>>,
    tasks: JoinSet<()>,
    calls: Arc<Semaphore>,
    dials: Dials,
}

impl Host {
    /// A host without machines; finds out which addresses can be bound.
    pub(super) async fn new(dials: Dials) -> Result<Self, MachinesError> {
        let reach = if TcpListener::bind((Ipv4Addr::new(127, 64, 0, 1), 0)).await.is_ok() {
            Reach::Own
        } else {
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(MachinesError::Loopback)?;
            Reach::Shared
        };
        Ok(Self::with_reach(reach, dials))
    }

    pub(super) fn with_reach(reach: Reach, dials: Dials) -> Self {
        Self {
            reach,
            open: HashMap::new(),
            called: Arc::default(),
            tasks: JoinSet::new(),
            calls: Arc::new(Semaphore::new(CALLS_AT_ONCE)),
            dials,
        }
    }

    /// Opens and closes listeners until those of `up` are open and no others. All that can be opened are, also if it fails.
    pub(super) async fn follow(&mut self, up: &[Machine]) -> Result<(), MachinesError> {
        let alive: HashSet<(i64, u32, u16)> =
            up.iter().map(|machine| (machine.id, machine.install, machine.port)).collect();
        let gone: Vec<i64> = self
            .open
            .iter()
            .filter(|(id, open)| !alive.contains(&(**id, open.install, open.port)))
            .map(|(id, _)| *id)
            .collect();
        self.shut(&gone).await;
        let mut result = Ok(());
        for machine in up {
            if self.open.contains_key(&machine.id) {
                continue;
            }
            if let Err(error) = self.open(machine).await {
                result = result.and(Err(error));
            }
        }
        result
    }

    async fn open(&mut self, machine: &Machine) -> Result<(), MachinesError> {
        let address = self.reach.bind_address(machine);
        let failed = |source: io::Error| MachinesError::Listen { machine: machine.id, address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let dial = listener.local_addr().map_err(failed)?;
        let mut tasks = vec![self.tasks.spawn(greet(listener))];
        self.dials.set(machine.address, Some(dial));
        tasks.extend(self.call_home(machine));
        let open = Open { install: machine.install, address: machine.address, port: machine.port, tasks };
        self.open.insert(machine.id, open);
        Ok(())
    }

    fn call_home(&mut self, machine: &Machine) -> Option<AbortHandle> {
        let Machine { id, install, .. } = *machine;
        if lock(&self.called).get(&id) == Some(&install) {
            return None;
        }
        let config = CloudConfig::parse(machine.user_data.expose_secret())?;
        let report = Caller::new(id, &machine.hostname, config)?;
        let calls = Arc::clone(&self.calls);
        let called = Arc::clone(&self.called);
        Some(self.tasks.spawn(async move {
            // The semaphore is never closed, so that a permit always comes.
            let _permit = calls.acquire_owned().await;
            if let Err(error) = call_home::call(&report).await {
                tracing::warn!(machine = id, %error, "a machine could not call home");
            }
            lock(&called).insert(id, install);
        }))
    }

    /// Closes the listeners of these machines, and waits until they are closed: an address must be free when the next
    /// installation of its machine is opened.
    async fn shut(&mut self, ids: &[i64]) {
        let mut closing = HashSet::new();
        for open in ids.iter().filter_map(|id| self.open.remove(id)) {
            self.dials.set(open.address, None);
            // A call home that has ended may have been taken out of the set already, and would be waited for in vain.
            for task in open.tasks.into_iter().filter(|task| !task.is_finished()) {
                task.abort();
                closing.insert(task.id());
            }
        }
        while !closing.is_empty() {
            let ended = match self.tasks.join_next_with_id().await {
                Some(Ok((id, ()))) => id,
                Some(Err(error)) => error.id(),
                None => break,
            };
            closing.remove(&ended);
        }
        // Calls home that have ended by themselves.
        while self.tasks.try_join_next().is_some() {}
    }

    /// Closes everything.
    pub(super) async fn close(mut self) {
        for open in self.open.values() {
            self.dials.set(open.address, None);
        }
        self.tasks.shutdown().await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Greets each connection and closes it.
async fn greet(listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((mut stream, _)) => {
                // The greeting fits the send buffer of a fresh socket, so that a client cannot hold this up. A client that
                // has gone already needs no greeting.
                if stream.write_all(GREETING).await.is_ok() {
                    stream.shutdown().await.ok();
                }
            }
            Err(error) => {
                tracing::warn!(%error, "a machine could not accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}
