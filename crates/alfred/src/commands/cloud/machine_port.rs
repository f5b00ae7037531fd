//! The port on which the machines of a local cloud accept connections.
//!
//! All local clouds of one computer share its loopback addresses, so that two of them need different ports. A cloud
//! holds its port on 127.0.0.1, where no machine is, as long as it lives; the next one finds it taken and goes on.

use std::net::{Ipv4Addr, TcpListener};

use crate::config::{Config, Key, Origin};
use crate::error::Failure;

/// The first port that is tried, and how many.
const PORTS: std::ops::Range<u16> = 2222..3222;

/// A port of this cloud's own, until it is dropped.
#[derive(Debug)]
pub(in crate::commands) struct MachinePort {
    port: u16,
    _held: Option<TcpListener>,
}

impl MachinePort {
    /// The configured port, if there is one; otherwise the first that no other local cloud holds.
    pub(in crate::commands) fn hold(config: &Config) -> Result<Self, Failure> {
        if config.origin(Key::ReadinessPort) != Some(&Origin::Default)
            && let Some(port) = config.parse(Key::ReadinessPort, "a port")?
        {
            return Ok(Self { port, _held: None });
        }
        PORTS.into_iter().find_map(Self::take).ok_or_else(|| {
            Failure::new(format!("no port from {} to {} is free for machines", PORTS.start, PORTS.end - 1))
                .hint("set `ALFRED_READINESS_PORT` to one that is")
        })
    }

    fn take(port: u16) -> Option<Self> {
        let held = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()?;
        Some(Self { port, _held: Some(held) })
    }

    /// The port.
    pub(in crate::commands) fn number(&self) -> u16 {
        self.port
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Sources;

    #[test]
    fn two_local_clouds_have_two_ports() {
        let config = Config::load(&Sources { directory: "/nonexistent".into(), ..Sources::default() }).unwrap();
        let (one, other) = (MachinePort::hold(&config).unwrap(), MachinePort::hold(&config).unwrap());
        assert_ne!(one.number(), other.number());
    }

    #[test]
    fn a_configured_port_is_taken_as_it_is() {
        let environment = [("ALFRED_READINESS_PORT".to_owned(), "4444".to_owned())].into();
        let sources = Sources { environment, directory: "/nonexistent".into(), ..Sources::default() };
        let config = Config::load(&sources).unwrap();
        assert_eq!(MachinePort::hold(&config).unwrap().number(), 4444);
    }
}
