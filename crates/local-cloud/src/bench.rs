//! What the tests of this crate share: a clock that is set by hand, random numbers from a seed, and short requests.

use std::sync::{
    Arc,
    atomic::{AtomicI64, AtomicU64, Ordering},
};

use alfred_model::seam::{Clock, Random};
use bytes::Bytes;
use http::{Request, Response};
use jiff::Timestamp;
use serde_json::Value;

use crate::{
    LocalCloud, Options,
    cloudflare::{self, DEMO_TOKEN, DEMO_ZONE_ID, Plan},
};

/// A clock that stands still until told.
pub(crate) struct HandClock(AtomicI64);

impl HandClock {
    pub(crate) fn advance_ms(&self, milliseconds: i64) {
        self.0.fetch_add(milliseconds, Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.0.load(Ordering::SeqCst)).unwrap()
    }
}

/// The same numbers in each run.
pub(crate) struct SeedRandom(AtomicU64);

impl Random for SeedRandom {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let count = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::SeqCst);
            let mut mixed = (count ^ (count >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            let word = (mixed ^ (mixed >> 31)).to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
    }
}

pub(crate) fn clock() -> Arc<HandClock> {
    Arc::new(HandClock(AtomicI64::new(1_790_000_000_123)))
}

pub(crate) fn random() -> Arc<SeedRandom> {
    Arc::new(SeedRandom(AtomicU64::new(7)))
}

/// A cloud with its clock.
pub(crate) struct Bench {
    pub(crate) cloud: LocalCloud,
    pub(crate) clock: Arc<HandClock>,
}

impl Bench {
    pub(crate) fn new(options: Options) -> Self {
        let clock = clock();
        let cloud = LocalCloud::new(options, Arc::clone(&clock) as Arc<dyn Clock>, random());
        Self { cloud, clock }
    }

    /// The demo's cloud with another plan.
    pub(crate) fn with_plan(plan: Plan) -> Self {
        Self::with(|options| options.zones[0].plan = plan)
    }

    /// The demo's cloud with changes on the Cloudflare side.
    pub(crate) fn with(change: impl FnOnce(&mut cloudflare::Options)) -> Self {
        let mut options = Options::default();
        change(&mut options.cloudflare);
        Self::new(options)
    }

    pub(crate) async fn send(&self, request: Request<Bytes>) -> Response<Bytes> {
        self.cloud.call(request).await.unwrap()
    }

    /// A call with the demo's token; `path` goes behind `/client/v4`, an empty body is none.
    pub(crate) async fn call(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let response = self.send(request(method, path, &body)).await;
        let status = response.status().as_u16();
        (status, serde_json::from_slice(response.body()).unwrap())
    }

    /// A call below the demo zone's records.
    pub(crate) async fn records(&self, method: &str, rest: &str, body: Value) -> (u16, Value) {
        self.call(method, &records_path(rest), body).await
    }

    /// Creates an A record and gives its id.
    pub(crate) async fn create(&self, name: &str, address: &str) -> String {
        let body = serde_json::json!({"type": "A", "name": name, "content": address, "ttl": 300});
        let (status, answer) = self.records("POST", "", body).await;
        assert_eq!(status, 200, "{answer}");
        answer["result"]["id"].as_str().unwrap().to_owned()
    }
}

pub(crate) fn records_path(rest: &str) -> String {
    format!("/zones/{DEMO_ZONE_ID}/dns_records{rest}")
}

pub(crate) fn request(method: &str, path: &str, body: &Value) -> Request<Bytes> {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    Request::builder()
        .method(method)
        .uri(format!("/client/v4{path}"))
        .header("authorization", format!("Bearer {DEMO_TOKEN}"))
        .header("content-type", "application/json")
        .body(Bytes::from(body))
        .unwrap()
}

/// The first error's code and its first cause.
pub(crate) fn codes(answer: &Value) -> (u64, Option<u64>) {
    assert_eq!(answer["success"], false, "{answer}");
    assert!(answer["result"].is_null(), "{answer}");
    let first = &answer["errors"][0];
    (first["code"].as_u64().unwrap(), first["error_chain"][0]["code"].as_u64())
}
