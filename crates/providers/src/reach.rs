//! Whether a VM accepts a connection: the last proof before an environment is called active.
//!
//! A connection that stands is all that is asked. Nothing is sent, and what answers is not judged.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use async_trait::async_trait;
use tokio::net::TcpStream;

/// Tries connections.
#[async_trait]
pub trait Reach: Send + Sync + 'static {
    /// Whether a TCP connection to that address and port stands. Every failure is a plain no: a VM that boots refuses,
    /// then times out, then accepts, and none of these differ for the caller.
    async fn accepts(&self, address: Ipv4Addr, port: u16) -> bool;
}

/// Connects over the network.
#[derive(Debug, Clone, Copy)]
pub struct TcpReach {
    /// How long a connection may take to stand.
    pub timeout: Duration,
}

impl Default for TcpReach {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(3) }
    }
}

#[async_trait]
impl Reach for TcpReach {
    async fn accepts(&self, address: Ipv4Addr, port: u16) -> bool {
        connects(SocketAddr::from((address, port)), self.timeout).await
    }
}

/// Connects to wherever `route` says an address really is: the VMs of the local cloud have addresses from
/// documentation ranges and listen on this machine. An address without a route does not accept.
#[derive(Debug, Clone)]
pub struct MappedReach<F> {
    /// How long a connection may take to stand.
    pub timeout: Duration,
    /// Where to dial for an address; it brings its own port.
    pub route: F,
}

#[async_trait]
impl<F> Reach for MappedReach<F>
where
    F: Fn(Ipv4Addr) -> Option<SocketAddr> + Send + Sync + 'static,
{
    async fn accepts(&self, address: Ipv4Addr, _port: u16) -> bool {
        match (self.route)(address) {
            Some(target) => connects(target, self.timeout).await,
            None => false,
        }
    }
}

async fn connects(target: SocketAddr, timeout: Duration) -> bool {
    matches!(tokio::time::timeout(timeout, TcpStream::connect(target)).await, Ok(Ok(_)))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn an_open_port_accepts_and_a_closed_one_does_not() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let reach = TcpReach::default();
        assert!(reach.accepts(Ipv4Addr::LOCALHOST, port).await);
        let held = crate::testing::refusing_port();
        assert!(!reach.accepts(Ipv4Addr::LOCALHOST, held.local_addr().unwrap().port()).await);
    }

    #[tokio::test]
    async fn a_mapped_address_is_dialled_where_it_is() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = listener.local_addr().unwrap();
        let known = Ipv4Addr::new(203, 0, 113, 7);
        let reach =
            MappedReach { timeout: Duration::from_secs(3), route: move |address| (address == known).then_some(target) };
        assert!(reach.accepts(known, 22).await);
        assert!(!reach.accepts(Ipv4Addr::new(203, 0, 113, 8), 22).await);
    }
}
