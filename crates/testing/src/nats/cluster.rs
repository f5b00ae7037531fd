//! Several servers that are one system, and keep what they are told on more than one of them.

use std::net::TcpListener;
use std::path::Path;

use super::{Killed, Server, Settings};

/// Ports are looked for so many times: between finding one and using it somebody else may take it.
const ATTEMPTS: usize = 5;

/// Which server of a cluster one is.
#[derive(Debug, Clone)]
pub struct Member {
    /// Its name, which no other has.
    pub name: String,
    port: u16,
    /// Where all of them, it among them, listen for each other.
    routes: Vec<u16>,
}

impl Member {
    /// What its configuration says of the cluster.
    pub(super) fn text(&self) -> String {
        let routes: Vec<String> = self.routes.iter().map(|port| format!("\"nats-route://127.0.0.1:{port}\"")).collect();
        let (port, routes) = (self.port, routes.join(", "));
        format!("cluster {{\n  name: test\n  listen: \"127.0.0.1:{port}\"\n  routes: [{routes}]\n}}\n")
    }
}

/// Servers of one cluster, each running or killed.
#[derive(Debug)]
pub struct Cluster {
    servers: Vec<Option<Server>>,
    killed: Vec<Option<Killed>>,
}

impl Cluster {
    /// Starts so many servers, named `server-0`, `server-1` and so on. They need some seconds to agree on who leads.
    pub fn start(program: &Path, size: usize) -> Result<Self, String> {
        let mut last = String::new();
        for _ in 0..ATTEMPTS {
            match Self::try_start(program, size) {
                Ok(cluster) => return Ok(cluster),
                Err(words) => last = words,
            }
        }
        Err(last)
    }

    fn try_start(program: &Path, size: usize) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("cannot find free ports for NATS servers: {error}");
        let listeners: Result<Vec<TcpListener>, _> = (0..size).map(|_| TcpListener::bind("127.0.0.1:0")).collect();
        let addresses: Result<Vec<_>, _> = listeners.map_err(failed)?.iter().map(TcpListener::local_addr).collect();
        let routes: Vec<u16> = addresses.map_err(failed)?.iter().map(std::net::SocketAddr::port).collect();
        let start = |(number, port): (usize, &u16)| {
            let member = Member { name: name(number), port: *port, routes: routes.clone() };
            Server::start(program, &Settings { member: Some(member), ..Settings::default() }).map(Some)
        };
        let servers: Vec<Option<Server>> = routes.iter().enumerate().map(start).collect::<Result<_, String>>()?;
        Ok(Self { servers, killed: (0..size).map(|_| None).collect() })
    }

    /// The address of each server that runs.
    pub fn urls(&self) -> Vec<String> {
        self.servers.iter().flatten().map(Server::url).collect()
    }

    /// Kills the server of this name; answers whether there is one that ran.
    pub fn kill(&mut self, server: &str) -> Result<bool, String> {
        let number = (0..self.servers.len()).find(|number| name(*number) == server);
        let Some((number, running)) = number.and_then(|number| Some((number, self.servers[number].take()?))) else {
            return Ok(false);
        };
        self.killed[number] = Some(running.kill()?);
        Ok(true)
    }

    /// Starts those again that were killed.
    pub fn start_killed(&mut self) -> Result<(), String> {
        for (server, killed) in self.servers.iter_mut().zip(&mut self.killed) {
            if let Some(killed) = killed.take() {
                *server = Some(killed.start()?);
            }
        }
        Ok(())
    }
}

fn name(number: usize) -> String {
    format!("server-{number}")
}
