//! Places where a test can end this process with SIGKILL: before and after each write at a provider and each commit
//! of the store. They are in debug builds alone; a release build has none of this.
//!
//! `ALFRED_CRASH_AT=N` ends the process at the place number N, counted from 1; `ALFRED_CRASH_LOG=FILE` writes a line
//! for each place that was passed.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use alfred_providers::transport::{Transport, TransportError};
use alfred_store::{CommitHook, CommitMoment};
use async_trait::async_trait;
use bytes::Bytes;
use http::{Method, Request, Response};

/// Counts the places passed, and ends the process at the one that was asked for.
#[derive(Clone)]
pub(crate) struct CrashPoints(Arc<Mutex<State>>);

struct State {
    passed: u64,
    at: Option<u64>,
    log: Option<File>,
}

impl CrashPoints {
    /// What the environment asks for; nothing, where it asks for nothing. The places are counted together.
    pub(crate) fn from_environment() -> Option<Self> {
        static ONE: std::sync::LazyLock<Option<CrashPoints>> = std::sync::LazyLock::new(CrashPoints::read);
        ONE.clone()
    }

    fn read() -> Option<Self> {
        let at = std::env::var("ALFRED_CRASH_AT").ok().and_then(|text| text.parse().ok());
        let log = std::env::var_os("ALFRED_CRASH_LOG")
            .and_then(|path| OpenOptions::new().create(true).append(true).open(path).ok());
        (at.is_some() || log.is_some()).then(|| Self(Arc::new(Mutex::new(State { passed: 0, at, log }))))
    }

    /// For the store's options.
    pub(crate) fn commit_hook(&self) -> CommitHook {
        let points = self.clone();
        Arc::new(move |moment| {
            points.pass(match moment {
                CommitMoment::Before => "before a commit",
                CommitMoment::After => "after a commit",
            });
        })
    }

    /// `transport`, with places around each write.
    pub(crate) fn around(&self, transport: Arc<dyn Transport>) -> Arc<dyn Transport> {
        Arc::new(Crashing { points: self.clone(), transport })
    }

    fn pass(&self, place: &str) {
        // The lock is held over the end of the process, so that nobody passes another place meanwhile.
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.passed += 1;
        let passed = state.passed;
        if let Some(log) = &mut state.log {
            // A log that cannot be written makes the test fail, not the process.
            let _ = writeln!(log, "{passed} {place}");
        }
        if state.at == Some(passed) {
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
            std::process::abort();
        }
    }
}

struct Crashing {
    points: CrashPoints,
    transport: Arc<dyn Transport>,
}

#[async_trait]
impl Transport for Crashing {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let path = request.uri().path();
        if request.method() == Method::GET || path.contains("/openid-connect/") {
            return self.transport.send(request).await;
        }
        let call = format!("{} {}", request.method(), path);
        self.points.pass(&format!("before {call}"));
        let answer = self.transport.send(request).await;
        self.points.pass(&format!("after {call}"));
        answer
    }
}
