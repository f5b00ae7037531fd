//! A cloud with a clock that the test turns, and a client that is logged in.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use alfred_model::seam::{Clock, Random};
use axum::body::Body;
use http::{Method, Request};
use http_body_util::BodyExt;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::contabo::{Contabo, Options};

pub(super) const UBUNTU: &str = "d64d5c6c-9dda-4e38-8174-0ee282474d8a";
pub(super) const WINDOWS: &str = "7a3fb0e4-56d1-4d2e-8f0a-9b6a4f1c2019";
pub(super) const INSTANCES: &str = "/v1/compute/instances";

/// A clock that stands still until it is turned.
pub(super) struct Hand(Mutex<Timestamp>);

impl Hand {
    pub(super) fn turn(&self, duration: SignedDuration) {
        let mut now = self.0.lock().unwrap();
        *now = now.checked_add(duration).unwrap();
    }

    pub(super) fn set(&self, time: &str) {
        *self.0.lock().unwrap() = time.parse().unwrap();
    }
}

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

/// Counts, so that no two tokens are the same and each run is.
pub(super) struct Counter(AtomicU64);

impl Random for Counter {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let number = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
            chunk.copy_from_slice(&number.to_le_bytes()[..chunk.len()]);
        }
    }
}

/// A clock and a source of random numbers for a cloud.
pub(super) fn seams() -> (Arc<Hand>, Arc<Counter>) {
    let hand = Hand(Mutex::new("2026-04-10T08:00:00Z".parse().unwrap()));
    (Arc::new(hand), Arc::new(Counter(AtomicU64::new(1))))
}

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) text: String,
    pub(super) body: Value,
}

impl Answer {
    /// The only object in `data`.
    pub(super) fn object(&self) -> &Value {
        let data = self.data();
        assert_eq!(data.len(), 1, "{self:?}");
        &data[0]
    }

    pub(super) fn data(&self) -> &Vec<Value> {
        self.body["data"].as_array().unwrap_or_else(|| panic!("`data` must be an array: {self:?}"))
    }

    pub(super) fn ids(&self) -> Vec<i64> {
        self.data().iter().map(|object| object["instanceId"].as_i64().unwrap()).collect()
    }

    /// Checks that the call was refused with this status, and that a message holds these words.
    pub(super) fn refused(&self, status: u16, words: &str) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.body["statusCode"], status, "{self:?}");
        let message = &self.body["message"];
        assert!(message.to_string().contains(words), "`{words}` must be in {message}");
    }

    /// The same, for a validation: its messages are an array.
    pub(super) fn invalid(&self, words: &str) {
        self.refused(400, words);
        assert!(self.body["message"].is_array(), "{self:?}");
    }

    pub(super) fn done(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }
}

pub(super) struct Bench {
    pub(super) contabo: Contabo,
    pub(super) clock: Arc<Hand>,
    token: Mutex<String>,
    request: AtomicU64,
}

impl Bench {
    pub(super) async fn new(options: Options) -> Self {
        let (clock, random) = seams();
        let contabo = Contabo::new(options, clock.clone(), random);
        let bench = Self { contabo, clock, token: Mutex::default(), request: AtomicU64::new(0) };
        bench.login().await;
        bench
    }

    pub(super) async fn instant() -> Self {
        Self::new(Options::instant()).await
    }

    /// Turns the clock, and logs in again, so that no test trips over a token that has ended.
    pub(super) async fn pass(&self, seconds: i64) {
        self.clock.turn(SignedDuration::from_secs(seconds));
        self.login().await;
    }

    pub(super) async fn at(&self, time: &str) {
        self.clock.set(time);
        self.login().await;
    }

    pub(super) async fn login(&self) {
        let answer = self.token(PASSWORD_FORM).await.done(200);
        *self.token.lock().unwrap() = answer.body["access_token"].as_str().unwrap().to_owned();
    }

    pub(super) async fn token(&self, form: &str) -> Answer {
        let request = Request::post("/auth/realms/contabo/protocol/openid-connect/token")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(form.to_owned()))
            .unwrap();
        self.send(request).await
    }

    pub(super) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.contabo.router().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let body = serde_json::from_str(&text).unwrap_or_default();
        Answer { status, text, body }
    }

    /// A request with a token and a request id of its own.
    pub(super) fn request(&self, method: &Method, path: &str) -> http::request::Builder {
        Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {}", self.token.lock().unwrap()))
            .header("x-request-id", self.next_request_id())
    }

    pub(super) fn next_request_id(&self) -> String {
        let number = self.request.fetch_add(1, Ordering::Relaxed);
        format!("04e0f898-37b4-48bc-a794-{number:012x}")
    }

    pub(super) async fn call(&self, method: &Method, path: &str, body: Option<Value>) -> Answer {
        let request = self.request(method, path);
        let request = match body {
            Some(body) => request.header("content-type", "application/json").body(Body::from(body.to_string())),
            None => request.body(Body::empty()),
        };
        self.send(request.unwrap()).await
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.call(&Method::GET, path, None).await
    }

    pub(super) async fn post(&self, path: &str, body: Value) -> Answer {
        self.call(&Method::POST, path, Some(body)).await
    }

    /// A POST without a body.
    pub(super) async fn act(&self, path: &str) -> Answer {
        self.call(&Method::POST, path, None).await
    }

    pub(super) async fn patch(&self, path: &str, body: Value) -> Answer {
        self.call(&Method::PATCH, path, Some(body)).await
    }

    pub(super) async fn put(&self, path: &str, body: Value) -> Answer {
        self.call(&Method::PUT, path, Some(body)).await
    }

    pub(super) async fn delete(&self, path: &str) -> Answer {
        self.call(&Method::DELETE, path, None).await
    }

    /// Orders a VM with this name.
    pub(super) async fn order(&self, name: &str) -> i64 {
        let answer = self.post(INSTANCES, json!({ "period": 1, "displayName": name })).await.done(201);
        answer.object()["instanceId"].as_i64().unwrap()
    }

    pub(super) async fn instance(&self, id: i64) -> Value {
        self.get(&format!("{INSTANCES}/{id}")).await.done(200).object().clone()
    }

    pub(super) async fn status(&self, id: i64) -> String {
        self.instance(id).await["status"].as_str().unwrap().to_owned()
    }

    pub(super) async fn address(&self, id: i64) -> std::net::Ipv4Addr {
        self.instance(id).await["ipConfig"]["v4"]["ip"].as_str().unwrap().parse().unwrap()
    }
}

pub(super) const PASSWORD_FORM: &str = "grant_type=password&client_id=local-client&client_secret=local-client-secret\
    &username=local%40alfred.invalid&password=local-password";
