//! A local cloud in this process, whose calls are counted and whose records are seen, and a place for the binary.

use std::collections::BTreeMap;
use std::sync::Arc;

use alfred_local_cloud::cloudflare::{DEMO_TOKEN, DEMO_ZONE_ID, Plan, RateOptions, ZoneOptions};
use alfred_local_cloud::{Listen, LocalCloud, Options, Running};
use alfred_model::name::DomainName;
use alfred_model::record::Mark;
use alfred_model::seam::{Clock, Random};
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::place::{Ended, Place};

pub(super) const ZONE: &str = "example.com";

struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the binary under test has a real clock too")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

struct SystemRandom;

impl Random for SystemRandom {
    #[expect(clippy::disallowed_methods, reason = "ids must differ, and nothing else depends on them")]
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(16) {
            chunk.copy_from_slice(&uuid::Uuid::new_v4().as_bytes()[..chunk.len()]);
        }
    }
}

/// A record as the zone holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) id: String,
    pub(super) kind: String,
    pub(super) content: String,
    pub(super) ttl: u64,
    pub(super) comment: Option<String>,
    pub(super) modified_on: String,
}

pub(super) struct Stage {
    pub(super) place: Place,
    pub(super) cloud: LocalCloud,
    pub(super) dns: String,
    runtime: Runtime,
    _running: Running,
}

impl Stage {
    /// A zone of this plan with room for everything.
    pub(super) fn new(plan: Plan) -> Self {
        Self::with(ZoneOptions { record_quota: Some(1_000_000), ..ZoneOptions::new(DEMO_ZONE_ID, ZONE, plan) })
    }

    pub(super) fn with(zone: ZoneOptions) -> Self {
        let mut options = Options::default();
        options.cloudflare.zones = vec![zone];
        options.cloudflare.rate = RateOptions { quota: 100_000, ..RateOptions::default() };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let cloud = LocalCloud::new(options, Arc::new(SystemClock), Arc::new(SystemRandom));
        let any = "127.0.0.1:0".parse().unwrap();
        let running = runtime.block_on(cloud.serve(Listen { http: any, dns: any, r2: any })).unwrap();
        let mut place = Place::new();
        place.set("CLOUDFLARE_API_BASE", format!("http://{}/client/v4", running.http_address));
        place.set("CLOUDFLARE_API_TOKEN", DEMO_TOKEN);
        place.set("CLOUDFLARE_ZONE_ID", DEMO_ZONE_ID);
        place.set("ALFRED_DOMAIN", ZONE);
        place.set("ALFRED_DNS_SERVER", running.dns_address.to_string());
        Self { place, cloud, dns: running.dns_address.to_string(), runtime, _running: running }
    }

    /// Runs `alfred dns` with these words.
    pub(super) fn dns(&self, line: &str) -> Ended {
        self.place.line(&format!("dns {line}"))
    }

    /// As [`Self::dns`], with its JSON.
    pub(super) fn json(&self, line: &str) -> (i32, Value) {
        let ended = self.dns(&format!("{line} --json"));
        let value = serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:?}"));
        (ended.code, value)
    }

    /// A file beside the binary.
    pub(super) fn file(&self, name: &str, text: &str) {
        self.place.file(name, text, 0o644);
    }

    /// Puts records there past the binary, and forgets the calls that it took.
    pub(super) fn plant(&self, records: &[Value]) {
        for part in records.chunks(200) {
            self.call("POST", "/batch", &json!({"posts": part}));
        }
        self.cloud.journal().clear();
    }

    /// One call past the binary.
    pub(super) fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let request = http::Request::builder()
            .method(method)
            .uri(format!("/client/v4/zones/{DEMO_ZONE_ID}/dns_records{path}"))
            .header("authorization", format!("Bearer {DEMO_TOKEN}"))
            .header("content-type", "application/json")
            .body(Bytes::from(body.to_string()))
            .unwrap();
        let answer = self.runtime.block_on(self.cloud.call(request)).unwrap();
        let value: Value = serde_json::from_slice(answer.body()).unwrap();
        assert_eq!(value["success"], true, "{value}");
        value["result"].clone()
    }

    /// How often each call was made since the last look.
    pub(super) fn calls(&self) -> BTreeMap<&'static str, u64> {
        let calls = self.cloud.journal().count_by_route();
        self.cloud.journal().clear();
        calls
    }

    /// The zone's records by name.
    pub(super) fn held(&self) -> BTreeMap<String, Vec<Held>> {
        let mut held: BTreeMap<String, Vec<Held>> = BTreeMap::new();
        for record in self.cloud.cloudflare().state().zones.iter().flat_map(|zone| &zone.records) {
            let value = serde_json::to_value(record).unwrap();
            let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
            held.entry(record.name.clone()).or_default().push(Held {
                id: record.id.clone(),
                kind: text("type"),
                content: record.content.clone(),
                ttl: value["ttl"].as_u64().unwrap(),
                comment: record.comment.clone(),
                modified_on: record.modified_on.to_string(),
            });
        }
        held
    }

    /// The contents at a short name.
    pub(super) fn at(&self, label: &str) -> Vec<String> {
        let held = self.held().remove(&full(label)).unwrap_or_default();
        held.into_iter().map(|record| format!("{} {}", record.kind, record.content)).collect()
    }
}

pub(super) fn full(label: &str) -> String {
    format!("{label}.{ZONE}")
}

/// The comment of a record of the owner `dns`.
pub(super) fn mark(label: &str) -> String {
    mark_of("dns", label)
}

pub(super) fn mark_of(owner: &str, label: &str) -> String {
    let name: DomainName = full(label).parse().unwrap();
    Mark::Owner(owner.parse().unwrap()).comment(&name)
}

/// An A record of the owner `dns`.
pub(super) fn ours(label: &str, address: &str) -> Value {
    json!({"type": "A", "name": full(label), "content": address, "ttl": 300, "comment": mark(label)})
}

/// An A record that is nobody's.
pub(super) fn stray(label: &str, address: &str) -> Value {
    json!({"type": "A", "name": full(label), "content": address, "ttl": 300})
}

/// Lines of a file: `prefix-N` with one address each.
pub(super) fn lines(prefix: &str, numbers: std::ops::Range<usize>, address: &str) -> String {
    let lines: Vec<String> = numbers.map(|number| format!("{prefix}-{number} {address}\n")).collect();
    lines.concat()
}
