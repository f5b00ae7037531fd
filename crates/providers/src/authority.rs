//! What the zone's own name servers answer: the proof that a name works, or that it is gone.
//!
//! The servers are asked directly and without recursion, since a resolver between would answer from its cache. It must
//! not know what the right answer is; it reports what each server said.

mod message;
mod servers;
mod several;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use alfred_model::name::DomainName;
use alfred_model::seam::Random;
use async_trait::async_trait;
use hickory_resolver::TokioResolver;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{Instant, timeout_at};

use message::{Question, Reply};
use servers::{Server, ZoneServers};
pub use several::Authorities;

/// How long one query waits for its answer.
const TIMEOUT: Duration = Duration::from_secs(2);

/// How often a query goes out over UDP.
const TRIES: u32 = 3;

/// What one server said about a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerAnswer {
    /// The server, by its name or its address and port.
    pub server: String,
    /// The IPv4 addresses, sorted. A name that is an alias for something outside the zone has an answer without any.
    pub addresses: Vec<Ipv4Addr>,
    /// What kind of answer it is.
    pub state: AnswerState,
}

/// As [`ServerAnswer`], with what the name is an alias for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FullAnswer {
    /// What the server said.
    pub answer: ServerAnswer,
    /// The name that the CNAME record leads to, in lower case and without a final dot; none where there is no such
    /// record.
    pub alias: Option<String>,
}

/// The kinds of answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnswerState {
    /// The name is there and has an address or is an alias.
    Answered,
    /// There is no such name (NXDOMAIN).
    NoSuchName,
    /// The name is there and has no IPv4 address.
    NoData,
    /// The server does not answer for this name (REFUSED).
    Refused,
    /// No answer, or one that proves nothing.
    Failed(String),
}

/// Nobody could be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthorityError {
    /// The zone's name servers could not be found.
    #[error(
        "the name servers of `{zone}` could not be found: {words}; set `ALFRED_DNS_SERVER` to ask a server directly"
    )]
    NoServers {
        /// The zone.
        zone: DomainName,
        /// Why.
        words: String,
    },
    /// The list of servers is empty.
    #[error("there is no DNS server to ask: set `ALFRED_DNS_SERVER` to `IP:PORT`")]
    EmptyList,
}

/// Asks the servers that decide.
#[async_trait]
pub trait Authority: Send + Sync + 'static {
    /// What each authoritative server says about the A records of `name`, one answer per server, in a fixed order.
    async fn ask(&self, name: &DomainName) -> Result<Vec<ServerAnswer>, AuthorityError>;
}

/// Where the servers are found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Always these.
    Fixed(Vec<SocketAddr>),
    /// Those of the zone, as the system's resolver knows them.
    Zone(DomainName),
}

/// Asks over UDP, and over TCP where the answer does not fit.
pub struct DnsAuthority {
    servers: Servers,
    random: Arc<dyn Random>,
}

enum Servers {
    Fixed(Vec<SocketAddr>),
    Zone(Box<ZoneServers>),
}

impl DnsAuthority {
    /// An authority; nothing is asked yet. `random` makes the ids of the queries.
    pub fn new(source: Source, random: Arc<dyn Random>) -> Self {
        let servers = match source {
            Source::Fixed(addresses) => Servers::Fixed(addresses),
            Source::Zone(zone) => Servers::Zone(Box::new(ZoneServers::new(zone, None))),
        };
        Self { servers, random }
    }

    /// An authority that finds the zone's servers with a resolver of the caller's.
    pub fn with_resolver(zone: DomainName, resolver: TokioResolver, random: Arc<dyn Random>) -> Self {
        Self { servers: Servers::Zone(Box::new(ZoneServers::new(zone, Some(resolver)))), random }
    }

    /// As [`Authority::ask`], also for those who want to know a CNAME record from an address.
    pub async fn ask_fully(&self, name: &DomainName) -> Result<Vec<FullAnswer>, AuthorityError> {
        let servers: Arc<[Server]> = match &self.servers {
            Servers::Fixed(addresses) if addresses.is_empty() => return Err(AuthorityError::EmptyList),
            Servers::Fixed(addresses) => addresses.iter().map(|address| Server::fixed(*address)).collect(),
            Servers::Zone(zone) => zone.find().await?,
        };
        Ok(futures::future::join_all(servers.iter().map(|server| self.ask_server(server, name))).await)
    }

    async fn ask_server(&self, server: &Server, name: &DomainName) -> FullAnswer {
        let mut failures = Vec::new();
        // A server may have addresses that this machine has no route to, mostly IPv6 ones.
        for address in &server.addresses {
            match self.ask_address(*address, name).await {
                Ok(reply) if !matches!(reply.state, AnswerState::Failed(_)) => {
                    let Reply { addresses, alias, state, .. } = reply;
                    let answer = ServerAnswer { server: server.label.clone(), addresses, state };
                    return FullAnswer { answer, alias };
                }
                Ok(Reply { state: AnswerState::Failed(words), .. }) | Err(words) => {
                    failures.push(format!("{address}: {words}"));
                }
                Ok(_) => unreachable!("the first arm takes every state but `Failed`"),
            }
        }
        let state = AnswerState::Failed(failures.join("; "));
        let answer = ServerAnswer { server: server.label.clone(), addresses: Vec::new(), state };
        FullAnswer { answer, alias: None }
    }

    async fn ask_address(&self, server: SocketAddr, name: &DomainName) -> Result<Reply, String> {
        let mut words = String::new();
        for _ in 0..TRIES {
            let question = Question::new(name, &*self.random)?;
            match ask_over_udp(server, &question).await {
                Ok(reply) if reply.truncated => {
                    let question = Question::new(name, &*self.random)?;
                    return ask_over_tcp(server, &question).await.map_err(|error| format!("over TCP: {error}"));
                }
                Ok(reply) => return Ok(reply),
                Err(error) => words = error,
            }
        }
        Err(words)
    }
}

#[async_trait]
impl Authority for DnsAuthority {
    async fn ask(&self, name: &DomainName) -> Result<Vec<ServerAnswer>, AuthorityError> {
        Ok(self.ask_fully(name).await?.into_iter().map(|full| full.answer).collect())
    }
}

/// A new socket for each query: its random port is half of what a forger has to guess.
async fn ask_over_udp(server: SocketAddr, question: &Question) -> Result<Reply, String> {
    let any: SocketAddr = if server.is_ipv4() { ([0; 4], 0).into() } else { ([0_u16; 8], 0).into() };
    let socket = UdpSocket::bind(any).await.map_err(|error| error.to_string())?;
    socket.connect(server).await.map_err(|error| error.to_string())?;
    let deadline = Instant::now() + TIMEOUT;
    socket.send(question.bytes()).await.map_err(|error| error.to_string())?;
    let mut buffer = [0; 4_096];
    loop {
        let received = timeout_at(deadline, socket.recv(&mut buffer)).await;
        let length = received.map_err(|_| "no answer in time".to_owned())?.map_err(|error| error.to_string())?;
        // What does not fit the question is somebody else's, and the true answer may still come.
        if let Some(reply) = question.read(&buffer[..length]) {
            return Ok(reply);
        }
    }
}

async fn ask_over_tcp(server: SocketAddr, question: &Question) -> Result<Reply, String> {
    let exchange = async {
        let mut stream = TcpStream::connect(server).await?;
        let length = u16::try_from(question.bytes().len()).expect("a query of one name is below 300 bytes");
        let mut sent = length.to_be_bytes().to_vec();
        sent.extend_from_slice(question.bytes());
        stream.write_all(&sent).await?;
        let length = stream.read_u16().await?;
        let mut answer = vec![0; usize::from(length)];
        stream.read_exact(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    let answer = timeout_at(Instant::now() + TIMEOUT, exchange).await;
    let answer = answer.map_err(|_| "no answer in time".to_owned())?.map_err(|error| error.to_string())?;
    question.read(&answer).ok_or_else(|| "the answer does not fit the question".to_owned())
}

#[cfg(test)]
mod tests;
