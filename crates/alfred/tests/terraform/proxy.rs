//! A proxy between terraform and a store of states, which loses requests and answers, or answers itself.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What is waited for comes within this time, or never.
const LIMIT: Duration = Duration::from_mins(1);

/// What terraform asks for when it changes something, in either of the two protocols.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    Lock,
    Write,
    Unlock,
}

impl Call {
    fn of(method: &Method, path: &str) -> Option<Self> {
        match (method.as_str(), path.ends_with(".tflock")) {
            ("LOCK", _) | ("PUT", true) => Some(Self::Lock),
            ("POST" | "PUT", false) => Some(Self::Write),
            ("UNLOCK", _) | ("DELETE", true) => Some(Self::Unlock),
            _ => None,
        }
    }
}

/// Whether the store gets a request before it goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// The store never hears of it.
    Before,
    /// The store does what it was asked to; terraform does not learn of it.
    After,
}

/// What terraform gets instead of the store's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// None: the connection is closed.
    Lost,
    Status(StatusCode),
}

/// How often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Times {
    Once,
    Always,
}

/// One thing that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) call: Call,
    pub(crate) side: Side,
    pub(crate) answer: Answer,
    pub(crate) times: Times,
}

/// A call that came.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) call: Call,
    /// The id of a lock that stands in the body.
    pub(crate) lock_id: Option<String>,
    /// What the store answered, if it was asked.
    pub(crate) status: Option<StatusCode>,
    /// Whether terraform got another answer than that.
    pub(crate) went_wrong: bool,
}

struct Shared {
    upstream: String,
    client: reqwest::Client,
    fault: Mutex<Option<Fault>>,
    seen: watch::Sender<Vec<Seen>>,
}

/// A running proxy; it ends when it is dropped.
pub(crate) struct Proxy {
    pub(crate) url: String,
    shared: Arc<Shared>,
    listening: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl Proxy {
    /// Starts one in front of an origin such as `http://127.0.0.1:7070`.
    pub(crate) async fn start(upstream: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let client = client();
        let (seen, _) = watch::channel(Vec::new());
        let shared = Arc::new(Shared { upstream: upstream.to_owned(), client, fault: Mutex::new(None), seen });
        let listening = tokio::spawn(listen(listener, Arc::clone(&shared)));
        Self { url, shared, listening }
    }

    /// From now on this goes wrong, and nothing else.
    pub(crate) fn inject(&self, fault: Fault) {
        *self.shared.fault.lock().unwrap() = Some(fault);
    }

    /// From now on nothing goes wrong.
    pub(crate) fn clear(&self) {
        *self.shared.fault.lock().unwrap() = None;
    }

    /// What came so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.shared.seen.borrow().clone()
    }

    /// The id of the lock that was asked for last.
    pub(crate) fn last_lock_id(&self) -> String {
        let seen = self.seen();
        let last = seen.iter().rev().find(|seen| seen.call == Call::Lock && seen.lock_id.is_some());
        last.and_then(|seen| seen.lock_id.clone()).expect("a lock was asked for")
    }

    /// Waits until so many calls of a kind were answered so.
    pub(crate) async fn until(&self, call: Call, status: StatusCode, count: usize) {
        let mut seen = self.shared.seen.subscribe();
        let is_right = |seen: &&Seen| seen.call == call && seen.status == Some(status);
        let enough = seen.wait_for(|seen| seen.iter().filter(is_right).count() >= count);
        let enough = tokio::time::timeout(LIMIT, enough).await;
        enough.expect("what is waited for comes within a minute").expect("the proxy is there");
    }
}

async fn listen(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let Ok((connection, _)) = listener.accept().await else { continue };
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(Arc::clone(&shared), request));
            // A connection on which an answer was lost ends with an error: that is what it is for.
            let _ =
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(connection), service).await;
        });
    }
}

/// The answer was lost on purpose, or the client went away.
#[derive(Debug, thiserror::Error)]
#[error("the answer is lost")]
struct Lost;

impl From<Infallible> for Lost {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Lost> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Lost)?.to_bytes();
    let call = Call::of(&parts.method, parts.uri.path());
    let fault = shared.take(call);
    let answered = if fault.is_some_and(|fault| fault.side == Side::Before) {
        None
    } else {
        Some(shared.forward(&parts, body.clone()).await.ok_or(Lost)?)
    };
    if let Some(call) = call {
        let status = answered.as_ref().map(Response::status);
        let seen = Seen { call, lock_id: lock_id(&body), status, went_wrong: fault.is_some() };
        shared.seen.send_modify(|all| all.push(seen));
    }
    match (fault.map(|fault| fault.answer), answered) {
        (Some(Answer::Status(status)), _) => {
            Ok(Response::builder().status(status).body(Full::default()).expect("a status alone is an answer"))
        }
        (None, Some(answered)) => Ok(answered),
        (Some(Answer::Lost), _) | (None, None) => Err(Lost),
    }
}

impl Shared {
    /// The fault for this call, if there is one. One that happens once is gone then.
    fn take(&self, call: Option<Call>) -> Option<Fault> {
        let mut next = self.fault.lock().unwrap();
        let fault = next.filter(|fault| Some(fault.call) == call)?;
        if fault.times == Times::Once {
            *next = None;
        }
        Some(fault)
    }

    /// Asks the store. The name of the host stays as it was asked for: S3 requests are signed with it.
    async fn forward(&self, parts: &http::request::Parts, body: Bytes) -> Option<Response<Full<Bytes>>> {
        let path = parts.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        let mut headers = parts.headers.clone();
        without_hops(&mut headers);
        let request = self.client.request(parts.method.clone(), format!("{}{path}", self.upstream));
        let answer = request.headers(headers).body(body).send().await.ok()?;
        let mut response = Response::builder().status(answer.status());
        let mut headers = answer.headers().clone();
        without_hops(&mut headers);
        *response.headers_mut()? = headers;
        response.body(Full::new(answer.bytes().await.ok()?)).ok()
    }
}

fn without_hops(headers: &mut HeaderMap) {
    for name in [header::CONNECTION, header::TRANSFER_ENCODING, header::CONTENT_LENGTH] {
        headers.remove(name);
    }
}

/// The id in what terraform says of a lock.
fn lock_id(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    let (_, rest) = text.split_once("\"ID\":\"")?;
    rest.split_once('"').map(|(id, _)| id.to_owned())
}

/// A client of this process's own.
pub(crate) fn client() -> reqwest::Client {
    // Another one of this process may have set it before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().expect("a client needs nothing but a provider for TLS")
}
