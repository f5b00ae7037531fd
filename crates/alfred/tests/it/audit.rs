//! `alfred audit` against a control plane of its own, with something left over in its zone.

use std::time::Duration;

use alfred_local_cloud::cloudflare::{DEMO_TOKEN, DEMO_ZONE_ID};
use alfred_model::id::{EnvironmentId, InstallationId};
use alfred_model::record::OwnershipMark;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::place::{Ended, Place, Running};

/// So often is something looked for that comes to pass by itself.
const LOOKS: u32 = 300;

/// The zone as somebody sees it who has its token.
struct Zone {
    http: reqwest::Client,
    records: String,
    runtime: tokio::runtime::Runtime,
}

impl Zone {
    fn of(up: &Running) -> Self {
        // The client cannot be built without one; a second installation is refused and changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let records = format!("{}/client/v4/zones/{DEMO_ZONE_ID}/dns_records", up.told("cloud_url"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { http: reqwest::Client::builder().no_proxy().build().unwrap(), records, runtime }
    }

    fn call(&self, request: reqwest::RequestBuilder) -> Value {
        let answered = async {
            let response = request.bearer_auth(DEMO_TOKEN).send().await.unwrap();
            let answer: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
            assert_eq!(answer["success"], true, "{answer}");
            answer["result"].clone()
        };
        self.runtime.block_on(answered)
    }

    fn records(&self) -> Vec<Value> {
        self.call(self.http.get(&self.records)).as_array().unwrap().clone()
    }

    fn has(&self, name: &str) -> bool {
        self.records().iter().any(|record| record["name"] == name)
    }

    /// Puts a record there with the mark of an environment that nobody knows.
    fn leak(&self, label: &str) -> String {
        let comment = self.records()[0]["comment"].as_str().unwrap().to_owned();
        let installation = InstallationId(Uuid::try_parse(comment.split(':').nth(2).unwrap()).unwrap());
        let name = format!("{label}.alfredos.site");
        let mark = OwnershipMark { installation, environment: EnvironmentId(Uuid::from_u128(7)) };
        let comment = mark.comment(&name.parse().unwrap());
        let record = json!({"type": "A", "name": name, "content": "198.51.100.9", "ttl": 300, "comment": comment});
        let body = record.to_string();
        self.call(self.http.post(&self.records).header("content-type", "application/json").body(body));
        name
    }
}

fn up(place: &mut Place) -> (Running, Zone) {
    let running = place.start("up --local --instant --listen 127.0.0.1:0");
    place.set("ALFRED_URL", running.told("url"));
    assert_eq!(place.line("env create --count 2 --wait --quiet").code, 0);
    let zone = Zone::of(&running);
    (running, zone)
}

fn json(ended: &Ended) -> Value {
    serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{ended:?}"))
}

#[test]
fn what_was_left_over_is_told_and_withdrawn_only_when_asked() {
    let mut place = Place::new();
    let (_up, zone) = up(&mut place);
    assert_eq!(place.line("audit --exit-code").code, 0, "nothing is wrong yet");
    let name = zone.leak("left-over");

    let ended = place.line("audit");
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.stdout.lines().all(|line| line.chars().count() <= 100), "{}", ended.stdout);
    let mut lines = ended.stdout.lines();
    let header: Vec<&str> = lines.next().unwrap().split("  ").filter(|part| !part.is_empty()).map(str::trim).collect();
    assert_eq!(header, ["FINDING", "SUBJECT", "SINCE", "WHAT WOULD BE DONE"]);
    let row = lines.next().unwrap();
    assert!(row.starts_with("record_without_environment") && row.contains(&name), "{row}");
    assert!(row.contains("withdraw the record"), "{row}");
    assert!(ended.stdout.contains("costs nothing but its place in the zone's quota"), "{}", ended.stdout);
    assert_eq!(place.line("audit --exit-code --quiet").code, 3);

    let ended = place.line("audit --repair");
    assert_eq!(ended.code, 2, "nobody can be asked: {ended:?}");
    assert!(ended.one_line().contains("add `--yes`"), "{ended:?}");
    for wrong in ["audit --yes", "audit --max-count 3", "audit --repair --yes --max-share 101"] {
        assert_eq!(place.line(wrong).code, 2, "{wrong}");
    }
    assert!(zone.has(&name));

    let ripe = |document: &Value| document["findings"][0]["ripe"] == true;
    let found = (0..LOOKS).find(|_| {
        std::thread::sleep(Duration::from_millis(100));
        ripe(&json(&place.line("audit --json")))
    });
    assert!(found.is_some(), "it never became ripe");
    let ended = place.line("audit --repair --yes --max-count 0");
    assert_eq!(ended.code, 3, "{ended:?}");
    assert!(ended.stderr.contains("at most 0 may be repaired at once"), "{ended:?}");
    assert!(zone.has(&name), "over the cap nothing is done");

    let ended = place.line("audit --repair --yes");
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.stdout.contains("the record is withdrawn"), "{ended:?}");
    assert!(!zone.has(&name));
    assert_eq!(zone.records().len(), 2, "the others are as they were");
    let ended = place.line("audit --repair --yes --json --exit-code");
    assert_eq!(ended.code, 0, "{ended:?}");
    let report = json(&ended);
    assert_eq!((report["findings"].clone(), report["repair"]["actor"].clone()), (json!([]), json!("admin")));
}

#[test]
fn a_member_may_not_repair() {
    let mut place = Place::new();
    let running = place.start("up --local --instant --listen 127.0.0.1:0");
    place.set("ALFRED_URL", running.told("url"));
    let ended = place.line("token create --user ada --label laptop");
    place.set("ALFRED_TOKEN", ended.stdout.trim());
    let ended = place.line("audit --repair --yes");
    assert_eq!(ended.code, 1);
    assert!(ended.one_line().contains("administrator"), "{ended:?}");
}

#[test]
fn the_schedule_repairs_where_it_is_told_to() {
    let mut place = Place::new();
    place.set("ALFRED_AUDIT_INTERVAL", "1s");
    place.set("ALFRED_AUDIT_REPAIR", "on");
    let (running, zone) = up(&mut place);
    let name = zone.leak("left-over");
    let gone = (0..LOOKS).find(|_| {
        std::thread::sleep(Duration::from_millis(100));
        !zone.has(&name)
    });
    assert!(gone.is_some(), "nobody withdrew it: {}", running.stderr());
    assert_eq!(zone.records().len(), 2);
    let token = std::fs::read_to_string(place.data().join("admin-token")).unwrap();
    let metrics = async {
        let request = zone.http.get(format!("{}/metrics", running.told("url"))).bearer_auth(token.trim());
        request.send().await.unwrap().text().await.unwrap()
    };
    let metrics = zone.runtime.block_on(metrics);
    for line in [
        "alfred_audit_findings{kind=\"record_without_environment\"}",
        "alfred_audit_completed_timestamp_seconds",
        "alfred_audit_seconds",
        "alfred_audit_repairs_total{outcome=\"done\"} 1",
    ] {
        assert!(metrics.contains(line), "{line} is not in {metrics}");
    }
}

#[test]
fn a_schedule_that_is_none() {
    for (name, value) in
        [("ALFRED_AUDIT_INTERVAL", "soon"), ("ALFRED_AUDIT_INTERVAL", "0s"), ("ALFRED_AUDIT_REPAIR", "perhaps")]
    {
        let mut place = Place::new();
        place.set(name, value);
        let ended = place.line("up --local --listen 127.0.0.1:0");
        assert_eq!(ended.code, 2, "{ended:?}");
        assert!(ended.one_line().contains(name) && ended.stderr.contains("off"), "{ended:?}");
    }
}
