//! Signals that ask a long-running command to stop: Ctrl-C, and what systemd and container runtimes send.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::error::Failure;

/// What was asked for so far. From the moment it exists no signal is missed, and none ends the process by itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stop {
    /// Cancelled by the first signal: bring everything to a resting point.
    pub(crate) gently: CancellationToken,
    /// Cancelled by the second: end now.
    pub(crate) at_once: CancellationToken,
}

impl Stop {
    /// Listens for signals from now on.
    pub(crate) fn on_signals() -> Result<Self, Failure> {
        let listen = |kind| signal(kind).map_err(|error| Failure::because("cannot listen for signals", &error));
        let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
        let stop = Self::default();
        let told = stop.clone();
        tokio::spawn(async move {
            next(&mut interrupt, &mut terminate).await;
            told.gently.cancel();
            next(&mut interrupt, &mut terminate).await;
            told.at_once.cancel();
        });
        Ok(stop)
    }
}

/// An interruption of a command that waits: Ctrl-C. From the moment it exists none is missed, whatever the command is
/// doing, and none ends the process by itself.
#[derive(Debug)]
pub(crate) struct Interrupt(Signal);

impl Interrupt {
    /// Listens from now on.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let listen = signal(SignalKind::interrupt());
        listen.map(Self).map_err(|error| Failure::because("cannot listen for signals", &error))
    }

    /// Waits for the next one.
    pub(crate) async fn next(&mut self) {
        self.0.recv().await;
    }
}

async fn next(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
