//! Finding the servers of a zone.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use alfred_model::name::DomainName;
use hickory_proto::rr::{Name, RData};
use hickory_resolver::TokioResolver;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::AuthorityError;

/// How long the servers that were found are asked before they are looked for again.
const KEPT_FOR: Duration = Duration::from_mins(10);

/// Most servers that are asked of one zone; zones have two to six.
const SERVERS_MAX: usize = 16;

/// Most addresses of one server that are tried, and how many of these may be IPv4.
const ADDRESSES_MAX: usize = 3;
const IPV4_MAX: usize = 2;

/// One server, which may have several addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Server {
    pub(super) label: String,
    pub(super) addresses: Vec<SocketAddr>,
}

impl Server {
    pub(super) fn fixed(address: SocketAddr) -> Self {
        Self { label: address.to_string(), addresses: vec![address] }
    }
}

pub(super) struct ZoneServers {
    zone: DomainName,
    /// The port that authoritative servers listen on; 53 but in tests.
    pub(super) port: u16,
    state: Mutex<State>,
}

struct State {
    resolver: Option<TokioResolver>,
    found: Option<(Instant, Arc<[Server]>)>,
}

impl ZoneServers {
    pub(super) fn new(zone: DomainName, resolver: Option<TokioResolver>) -> Self {
        Self { zone, port: 53, state: Mutex::new(State { resolver, found: None }) }
    }

    /// The servers, from the last ten minutes or found now. Callers that come together share one look-up.
    pub(super) async fn find(&self) -> Result<Arc<[Server]>, AuthorityError> {
        let mut state = self.state.lock().await;
        if let Some((at, servers)) = &state.found
            && at.elapsed() < KEPT_FOR
        {
            return Ok(servers.clone());
        }
        let no_servers = |words: String| AuthorityError::NoServers { zone: self.zone.clone(), words };
        if state.resolver.is_none() {
            let resolver = TokioResolver::builder_tokio().and_then(hickory_resolver::ResolverBuilder::build);
            state.resolver = Some(resolver.map_err(|error| no_servers(error.to_string()))?);
        }
        let resolver = state.resolver.as_ref().expect("it was set above if it was missing");
        let servers = self.look_up(resolver).await.map_err(no_servers)?;
        state.found = Some((Instant::now(), servers.clone()));
        Ok(servers)
    }

    async fn look_up(&self, resolver: &TokioResolver) -> Result<Arc<[Server]>, String> {
        let zone = Name::from_ascii(format!("{}.", self.zone)).map_err(|error| error.to_string())?;
        let answer = resolver.ns_lookup(zone).await.map_err(|error| error.to_string())?;
        let mut names: Vec<Name> = answer
            .answers()
            .iter()
            .filter_map(|record| match &record.data {
                RData::NS(name) => Some(name.0.clone()),
                _ => None,
            })
            .collect();
        names.sort();
        names.dedup();
        names.truncate(SERVERS_MAX);
        let servers = futures::future::join_all(names.into_iter().map(|name| self.server(resolver, name))).await;
        // A server without an address cannot be asked; the others still can.
        let servers: Vec<Server> = servers.into_iter().filter(|server| !server.addresses.is_empty()).collect();
        if servers.is_empty() {
            return Err("none of its name servers has an address".to_owned());
        }
        Ok(servers.into())
    }

    async fn server(&self, resolver: &TokioResolver, name: Name) -> Server {
        let label = name.to_ascii().trim_end_matches('.').to_owned();
        let found: Vec<IpAddr> = match resolver.lookup_ip(name).await {
            Ok(answer) => answer.iter().collect(),
            Err(error) => {
                tracing::debug!(server = label, %error, "a name server has no address");
                Vec::new()
            }
        };
        let (ipv4, ipv6): (Vec<IpAddr>, Vec<IpAddr>) = found.into_iter().partition(IpAddr::is_ipv4);
        let chosen = ipv4.into_iter().take(IPV4_MAX).chain(ipv6).take(ADDRESSES_MAX);
        Server { label, addresses: chosen.map(|address| SocketAddr::new(address, self.port)).collect() }
    }
}
