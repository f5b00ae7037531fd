//! What the tests of this crate share: a transport that follows a script, a clock that stands or follows tokio's.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use alfred_model::seam::{Clock, Random};
use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;

use crate::transport::{Transport, TransportError};

pub(crate) type Answer = Result<http::Response<Bytes>, TransportError>;

/// Gives the scripted answers in turn, and keeps the requests.
#[derive(Default)]
pub(crate) struct Script {
    answers: Mutex<VecDeque<Answer>>,
    pub(crate) requests: Mutex<Vec<http::Request<Bytes>>>,
}

impl Script {
    pub(crate) fn new(answers: impl IntoIterator<Item = Answer>) -> Arc<Self> {
        Arc::new(Self { answers: Mutex::new(answers.into_iter().collect()), requests: Mutex::default() })
    }

    /// Each request as `METHOD target`, one header per line where asked for, and the body.
    pub(crate) fn sent(&self) -> Vec<String> {
        self.requests
            .lock()
            .unwrap()
            .iter()
            .map(|request| {
                let body = String::from_utf8(request.body().to_vec()).unwrap();
                format!("{} {} {body}", request.method(), request.uri()).trim_end().to_owned()
            })
            .collect()
    }

    pub(crate) fn header(&self, index: usize, name: &str) -> Option<String> {
        let requests = self.requests.lock().unwrap();
        requests[index].headers().get(name).map(|value| value.to_str().unwrap().to_owned())
    }
}

#[async_trait]
impl Transport for Script {
    async fn send(&self, request: http::Request<Bytes>) -> Answer {
        self.requests.lock().unwrap().push(request);
        tokio::task::yield_now().await;
        self.answers.lock().unwrap().pop_front().expect("the script has an answer for each request")
    }
}

#[expect(clippy::unnecessary_wraps, reason = "a script holds answers and errors alike")]
pub(crate) fn json(status: u16, body: &str) -> Answer {
    Ok(http::Response::builder().status(status).body(Bytes::copy_from_slice(body.as_bytes())).unwrap())
}

pub(crate) fn with_header(answer: Answer, name: &'static str, value: &'static str) -> Answer {
    answer.map(|mut response| {
        response.headers_mut().insert(name, http::HeaderValue::from_static(value));
        response
    })
}

pub(crate) fn lost() -> Answer {
    Err(TransportError::Lost { words: "connection reset".into() })
}

pub(crate) fn not_sent() -> Answer {
    Err(TransportError::NotSent { words: "connection refused".into() })
}

/// Follows tokio's time, so that it can be paused and advanced.
pub(crate) struct TokioClock {
    began: tokio::time::Instant,
}

impl TokioClock {
    pub(crate) fn start() -> Arc<Self> {
        Arc::new(Self { began: tokio::time::Instant::now() })
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        "2026-11-21T08:00:00Z".parse::<Timestamp>().unwrap() + self.began.elapsed()
    }
}

/// A TCP port that refuses connections for as long as it is held: bound, so that no other test gets it, and not
/// listening.
pub(crate) fn refusing_port() -> tokio::net::TcpSocket {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    socket
}

/// Counts up; not random at all, but never the same twice.
#[derive(Default)]
pub(crate) struct Counting(Mutex<u64>);

impl Random for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        let mut state = self.0.lock().unwrap();
        for byte in bytes {
            *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = u8::try_from(*state >> 56).unwrap();
        }
    }
}
