//! The listeners: HTTP for all APIs on one port, S3 on another (R2 has a host of its own), DNS on UDP and TCP of a third.

mod connection;

use std::{fmt, io, net::SocketAddr, time::Duration};

use tokio::{
    net::TcpListener,
    sync::watch,
    task::{JoinHandle, JoinSet},
};

use crate::{LocalCloud, StateError, cloud::Door, dns::server::DnsServer, persistence};

/// How long open connections may go on after the cloud is told to stop.
const GRACE: Duration = Duration::from_secs(2);

/// Where to listen; loopback addresses only. Port 0 takes any that is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen {
    /// For HTTP.
    pub http: SocketAddr,
    /// For DNS, both UDP and TCP.
    pub dns: SocketAddr,
    /// For S3, which is R2.
    pub r2: SocketAddr,
}

impl Default for Listen {
    /// Any free ports of 127.0.0.1.
    fn default() -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        Self { http: any, dns: any, r2: any }
    }
}

/// Why the cloud could not be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The controls have no password: they must not be reachable from elsewhere.
    #[error("`{0}` is not a loopback address; the local cloud listens on loopback only, for example `127.0.0.1:0`")]
    NotLoopback(SocketAddr),
    /// The address is taken or not ours.
    #[error("cannot listen for {service} on `{address}`; choose another port, or 0 for any free one")]
    Bind {
        /// `HTTP`, `S3` or `DNS`.
        service: &'static str,
        /// The address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The machines cannot listen.
    #[error("cannot open the machines' listeners")]
    Machines(#[source] crate::machines::MachinesError),
    /// The state file is not ours to write.
    #[error("cannot keep the state file")]
    State(#[source] StateError),
}

/// A cloud that is being served. It ends when dropped, or in order with [`Running::stop`].
pub struct Running {
    /// Where HTTP is answered.
    pub http_address: SocketAddr,
    /// Where DNS is answered, on UDP and TCP.
    pub dns_address: SocketAddr,
    /// Where S3 is answered.
    pub r2_address: SocketAddr,
    cloud: LocalCloud,
    stop: watch::Sender<bool>,
    supervisor: Option<JoinHandle<()>>,
}

impl fmt::Debug for Running {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Running")
            .field("http_address", &self.http_address)
            .field("dns_address", &self.dns_address)
            .field("r2_address", &self.r2_address)
            .finish_non_exhaustive()
    }
}

impl Running {
    /// Lets running calls end, closes the listeners and writes the state file a last time.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        if let Some(supervisor) = self.supervisor.take()
            && let Err(error) = supervisor.await
        {
            tracing::error!(%error, "the local cloud did not end cleanly");
        }
        self.cloud.contabo().stop_machines().await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let Some(supervisor) = self.supervisor.take() else {
            return;
        };
        supervisor.abort();
        // The machines' listeners are their own tasks; without a runtime they are gone already.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let contabo = self.cloud.contabo().clone();
            runtime.spawn(async move { contabo.stop_machines().await });
        }
    }
}

impl LocalCloud {
    /// Listens for HTTP and DNS and opens the machines, until the result is stopped or dropped.
    pub async fn serve(&self, listen: Listen) -> Result<Running, ServeError> {
        for address in [listen.http, listen.dns, listen.r2] {
            if !address.ip().is_loopback() {
                return Err(ServeError::NotLoopback(address));
            }
        }
        persistence::check_loaded(self).map_err(ServeError::State)?;
        let bind_error = |service, address| move |source| ServeError::Bind { service, address, source };
        let listener = TcpListener::bind(listen.http).await.map_err(bind_error("HTTP", listen.http))?;
        let http_address = listener.local_addr().map_err(bind_error("HTTP", listen.http))?;
        let r2 = TcpListener::bind(listen.r2).await.map_err(bind_error("S3", listen.r2))?;
        let r2_address = r2.local_addr().map_err(bind_error("S3", listen.r2))?;
        let dns =
            DnsServer::bind(self.cloudflare().clone(), listen.dns).await.map_err(bind_error("DNS", listen.dns))?;
        let dns_address = dns.address;
        self.contabo().start_machines().await.map_err(ServeError::Machines)?;
        let (stop, stopped) = watch::channel(false);
        let supervisor = tokio::spawn(supervise(self.clone(), listener, r2, dns, stopped));
        Ok(Running { http_address, dns_address, r2_address, cloud: self.clone(), stop, supervisor: Some(supervisor) })
    }
}

async fn told_to_stop(stopped: &mut watch::Receiver<bool>) {
    // An error means that nobody can tell any more, which is the same.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

async fn supervise(
    cloud: LocalCloud,
    apis: TcpListener,
    r2: TcpListener,
    dns: DnsServer,
    mut stopped: watch::Receiver<bool>,
) {
    let mut tasks = JoinSet::new();
    let mut connections = JoinSet::new();
    tasks.spawn(persistence::keep_saved(cloud.clone(), stopped.clone()));
    loop {
        let (accepted, door) = tokio::select! {
            accepted = apis.accept() => (accepted, Door::Apis),
            accepted = r2.accept() => (accepted, Door::R2),
            Some(_) = connections.join_next() => continue,
            () = told_to_stop(&mut stopped) => break,
        };
        match accepted {
            Ok((stream, _)) => {
                connections.spawn(connection::serve(cloud.clone(), door, stream, stopped.clone()));
            }
            Err(error) => {
                // Out of descriptors, most likely: wait for connections to end rather than spin.
                tracing::warn!(%error, "the local cloud cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    drop((apis, r2));
    let ended = tokio::time::timeout(GRACE, async { while connections.join_next().await.is_some() {} }).await;
    if ended.is_err() {
        connections.shutdown().await;
    }
    dns.stop().await;
    // Last, so that what the last calls changed is saved.
    while tasks.join_next().await.is_some() {}
    if let Err(error) = cloud.save() {
        tracing::error!(%error, "the local cloud's state was not saved");
    }
}
