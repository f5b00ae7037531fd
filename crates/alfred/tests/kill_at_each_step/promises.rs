//! The promises, checked against the local cloud's own records at the end of a story.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use alfred_local_cloud::journal::Outcome;
use alfred_local_cloud::{LocalCloud, cloudflare};
use bytes::Bytes;
use hickory_proto::rr::RecordType;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::stage::Stage;

const FOREIGN_VM: &str = "somebody-elses-vm";

/// Puts a record and a VM there that are not ours.
pub(crate) async fn plant_foreign(stage: &Stage) {
    let token = format!("Bearer {}", cloudflare::DEMO_TOKEN);
    let path = format!("/client/v4/zones/{}/dns_records", cloudflare::DEMO_ZONE_ID);
    let record = json!({"type": "A", "name": "www", "content": "198.51.100.7", "ttl": 300, "comment": "not alfred's"});
    let made = call(&stage.cloud, "POST", &path, &[("authorization", token)], &record.to_string()).await;
    assert_eq!(made["success"], true, "{made}");
    let options = alfred_local_cloud::contabo::Options::instant();
    let form = format!(
        "grant_type=password&client_id={}&client_secret={}&username={}&password={}",
        options.client_id,
        options.client_secret.expose_secret(),
        options.user,
        options.password.expose_secret(),
    );
    let kind = ("content-type", "application/x-www-form-urlencoded".to_owned());
    let login = call(&stage.cloud, "POST", "/auth/realms/contabo/protocol/openid-connect/token", &[kind], &form).await;
    let headers = [
        ("authorization", format!("Bearer {}", login["access_token"].as_str().expect("a token"))),
        ("x-request-id", "04e0f898-37b4-48bc-a794-1a57abe6aa31".to_owned()),
        ("content-type", "application/json".to_owned()),
    ];
    let order = json!({"period": 1, "displayName": FOREIGN_VM}).to_string();
    let ordered = call(&stage.cloud, "POST", "/v1/compute/instances", &headers, &order).await;
    assert!(ordered["data"][0]["instanceId"].is_i64(), "{ordered}");
}

/// Promise 7, by a real connection and the zone's own answer.
pub(crate) async fn works(stage: &Stage, environment: &Value) {
    let address: Ipv4Addr = environment["address"].as_str().expect("an address").parse().expect("an address");
    let target = SocketAddr::new(address.into(), stage.readiness_port);
    let connecting = tokio::time::timeout(Duration::from_secs(5), tokio::net::TcpStream::connect(target));
    connecting.await.expect("promise 7: the VM answers in time").expect("promise 7: the VM accepts a connection");
    let domain = environment["domain"].as_str().expect("a domain");
    let answers = stage.cloud.resolve(domain, RecordType::A).answers;
    let values: Vec<&str> = answers.iter().map(|answer| answer.value.as_str()).collect();
    assert_eq!(values, [address.to_string()], "promise 7: {domain}");
}

/// What must hold when the environment is deleted and nothing moves.
pub(crate) async fn hold(stage: &Stage, vms: &Value, audit: &Value) {
    let zones = stage.cloud.cloudflare().state().zones;
    let records: Vec<_> = zones.iter().flat_map(|zone| &zone.records).collect();
    let names: Vec<&str> = records.iter().map(|record| record.name.as_str()).collect();
    assert_eq!(names, ["www.alfredos.site"], "promises 2 and 3: our record is gone, the foreign one is there");
    assert_eq!(records[0].modified_on, records[0].created_on, "promise 3: the foreign record was touched");

    let machines = call(&stage.cloud, "GET", "/_admin/machines", &[], "").await;
    let machines = machines.as_array().expect("a list");
    let foreign: Vec<&Value> = machines.iter().filter(|machine| machine["displayName"] == FOREIGN_VM).collect();
    assert_eq!(foreign.len(), 1, "promise 3: the foreign VM is there");
    let foreign_wiped = foreign[0]["wiped"].as_u64().expect("a number");
    let ours: Vec<&Value> = machines.iter().filter(|machine| machine["displayName"] != FOREIGN_VM).collect();
    assert_eq!(ours.len(), 1, "promises 1 and 5: one VM was bought: {machines:#?}");
    assert!(ours[0]["wiped"].as_u64().expect("a number") > foreign_wiped, "promise 6: our VM was wiped, no other");

    let vms = vms["vms"].as_array().expect("a list");
    assert_eq!(vms.len(), 1, "promise 1: the VM is known");
    assert_eq!(vms[0]["id"], ours[0]["instanceId"], "promise 1");
    assert_eq!(vms[0]["state"], "ready", "promise 1: the VM is in the pool");
    assert!(vms[0]["assignable_at"].as_str().is_some(), "promise 4: the VM rests before somebody else gets it");

    let entries = stage.cloud.journal().entries();
    let limited = entries.iter().filter(|entry| entry.outcome == Outcome::Answered(429)).count();
    assert_eq!(limited, 0, "promise 8: Cloudflare had to refuse calls");
    assert_eq!(audit["findings"], json!([]), "the audit finds nothing");
}

async fn call(cloud: &LocalCloud, method: &str, path: &str, headers: &[(&str, String)], body: &str) -> Value {
    let mut request = http::Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let request = request.body(Bytes::from(body.to_owned())).expect("a request");
    let response = cloud.call(request).await.expect("no faults are set");
    serde_json::from_slice(response.body()).unwrap_or(Value::Null)
}
