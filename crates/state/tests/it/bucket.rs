//! A small S3 on a socket of this process: one bucket, every decision under one mutex, calls counted, failures on demand.
//!
//! It knows what the backend asks for and nothing else, so that a test can say exactly what goes wrong. The stand-in for R2
//! in `alfred-local-cloud` is the faithful one.

mod answers;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use alfred_model::seam::Clock;
use alfred_state::Seams;
use alfred_state::backend::{Patience, S3, S3Options};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use jiff::Timestamp;

use crate::fixture::Chance;

pub(crate) const BUCKET: &str = "states";
const KEY: &str = "AKIDTEST";

/// What goes wrong with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is answered so, and does not take place.
    Before(u16),
    /// It takes place, and is answered so all the same.
    After(u16),
    /// It takes place, and then there is no answer, ever.
    Silence,
}

type Faults = Box<dyn FnMut(&str) -> Option<Fault> + Send>;

#[derive(Default)]
pub(crate) struct Contents {
    pub(crate) objects: BTreeMap<String, Object>,
    uploads: BTreeMap<String, BTreeMap<u32, Bytes>>,
    /// Each request so far: `put`, `get`, `head`, `list`, `delete`, `upload`, `part`, `complete`, `abort`.
    pub(crate) calls: Vec<&'static str>,
    faults: Option<Faults>,
    next_upload: u64,
    clock: Arc<BucketClock>,
}

#[derive(Clone)]
pub(crate) struct Object {
    pub(crate) content: Bytes,
    pub(crate) e_tag: String,
    pub(crate) modified_at: Timestamp,
}

/// The time of the bucket and of everybody who uses it. It stands still until it is told to go on.
#[derive(Default)]
struct BucketClock(AtomicI64);

impl Clock for BucketClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(1_795_305_600 + self.0.load(Ordering::SeqCst)).unwrap()
    }
}

#[derive(Clone)]
pub(crate) struct Bucket {
    address: SocketAddr,
    clock: Arc<BucketClock>,
    contents: Arc<Mutex<Contents>>,
}

impl Bucket {
    pub(crate) async fn start() -> Self {
        let clock = Arc::<BucketClock>::default();
        let contents = Arc::new(Mutex::new(Contents { clock: Arc::clone(&clock), ..Contents::default() }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = axum::Router::new().fallback(serve).with_state(Arc::clone(&contents));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, clock, contents }
    }

    pub(crate) fn options(&self) -> S3Options {
        S3Options {
            endpoint: Some(format!("http://{}", self.address)),
            region: "auto".to_owned(),
            access_key_id: KEY.into(),
            secret_access_key: "secret-of-the-test".into(),
            patience: Patience {
                first_pause: Duration::from_millis(1),
                longest_pause: Duration::from_millis(4),
                ..Patience::default()
            },
        }
    }

    pub(crate) async fn open(&self) -> S3 {
        self.open_at("team/states").await
    }

    pub(crate) async fn open_at(&self, prefix: &str) -> S3 {
        let seams = Seams { clock: Arc::clone(&self.clock) as Arc<dyn Clock>, random: Chance::new() };
        S3::open("r2", BUCKET, prefix, &self.options(), seams).await.unwrap()
    }

    /// Lets so many minutes pass.
    pub(crate) fn go_on(&self, minutes: i64) {
        self.clock.0.fetch_add(minutes * 60, Ordering::SeqCst);
    }

    pub(crate) fn contents(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap()
    }

    /// From now on, `faults` is asked about each request, by its name in [`Contents::calls`].
    pub(crate) fn set_faults(&self, faults: impl FnMut(&str) -> Option<Fault> + Send + 'static) {
        self.contents().faults = Some(Box::new(faults));
    }

    pub(crate) fn heal(&self) {
        self.contents().faults = None;
    }

    /// The requests since this was asked last.
    pub(crate) fn take_calls(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.contents().calls)
    }
}

/// A request, as far as it matters here.
pub(crate) struct Asked {
    pub(crate) key: String,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) only_new: bool,
    pub(crate) body: Bytes,
}

async fn serve(State(contents): State<Arc<Mutex<Contents>>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    // A client that is killed ends in the middle.
    let Ok(body) = axum::body::to_bytes(body, 64 << 20).await else {
        return answers::error(StatusCode::BAD_REQUEST, "IncompleteBody");
    };
    let authorization = head.headers.get("authorization").map_or("", |value| value.to_str().unwrap());
    if !authorization.contains(&format!("Credential={KEY}/")) {
        return answers::error(StatusCode::FORBIDDEN, "InvalidAccessKeyId");
    }
    let path = answers::decoded(head.uri.path().trim_start_matches('/'));
    let (bucket, key) = path.split_once('/').unwrap_or((&path, ""));
    if bucket != BUCKET {
        return answers::error(StatusCode::NOT_FOUND, "NoSuchBucket");
    }
    let asked = Asked {
        key: key.to_owned(),
        query: answers::query(head.uri.query().unwrap_or("")),
        only_new: head.headers.get("if-none-match").is_some_and(|value| value == "*"),
        body,
    };
    let fault = {
        let mut contents = contents.lock().unwrap();
        let call = answers::call(&head.method, &asked);
        contents.calls.push(call);
        let fault = contents.faults.as_mut().and_then(|faults| faults(call));
        if let Some(Fault::Before(status)) = fault {
            return answers::error(StatusCode::from_u16(status).unwrap(), "AFault");
        }
        let response = answers::answer(call, &asked, &mut contents);
        match fault {
            Some(Fault::After(status)) => {
                return answers::error(StatusCode::from_u16(status).unwrap(), "AFault");
            }
            Some(_) => fault,
            None => return response,
        }
    };
    assert_eq!(fault, Some(Fault::Silence));
    std::future::pending::<()>().await;
    StatusCode::OK.into_response()
}
