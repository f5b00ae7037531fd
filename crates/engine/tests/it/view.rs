//! What really stands in the cloud, read as a stranger would, past the engine and its store.

use alfred_local_cloud::{LocalCloud, cloudflare, contabo};
use bytes::Bytes;
use serde_json::{Value, json};

/// A token that the engine does not use.
pub(crate) const STRANGERS_TOKEN: &str = "cfut_a-strangers-token-0000000000000000000000";

/// A record as the cloud holds it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SeenRecord {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) content: String,
    pub(crate) comment: Option<String>,
    pub(crate) modified_on: String,
}

/// A VM as the cloud holds it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SeenMachine {
    pub(crate) id: i64,
    pub(crate) display_name: String,
    pub(crate) wiped: u64,
}

pub(crate) fn records(cloud: &LocalCloud) -> Vec<SeenRecord> {
    let zones = cloud.cloudflare().state().zones;
    let records = zones.iter().flat_map(|zone| &zone.records);
    records
        .map(|record| SeenRecord {
            id: record.id.clone(),
            name: record.name.clone(),
            content: record.content.clone(),
            comment: record.comment.clone(),
            modified_on: record.modified_on.to_string(),
        })
        .collect()
}

pub(crate) async fn machines(cloud: &LocalCloud) -> Vec<SeenMachine> {
    let listed = call(cloud, "GET", "/_admin/machines", &[], Value::Null).await;
    let machines = listed.as_array().expect("a list of machines");
    machines
        .iter()
        .map(|machine| SeenMachine {
            id: machine["instanceId"].as_i64().expect("a number"),
            display_name: machine["displayName"].as_str().unwrap_or_default().to_owned(),
            wiped: machine["wiped"].as_u64().expect("a number"),
        })
        .collect()
}

pub(crate) async fn user_data(cloud: &LocalCloud, id: i64) -> String {
    let request = http::Request::get(format!("/_admin/machines/{id}/user-data"))
        .body(Bytes::new())
        .expect("the local cloud answers what this test asks");
    let response = cloud.call(request).await.expect("the local cloud answers what this test asks");
    String::from_utf8(response.into_body().to_vec()).expect("the local cloud answers what this test asks")
}

/// Puts a record and a VM there that are not ours, as their owner would.
pub(crate) async fn plant_foreign(cloud: &LocalCloud) {
    let record = json!({"type": "A", "name": "www", "content": "198.51.100.7", "ttl": 300, "comment": "not alfred's"});
    stranger(cloud, "POST", "", record).await;
    plant_vm(cloud, "somebody-elses-vm").await;
}

/// Buys a VM of that name, as somebody who is not us.
pub(crate) async fn plant_vm(cloud: &LocalCloud, name: &str) {
    let order = json!({"period": 1, "displayName": name});
    let ordered = call(cloud, "POST", "/v1/compute/instances", &account(cloud).await, order).await;
    assert!(ordered["data"][0]["instanceId"].is_i64(), "{ordered}");
}

/// Cancels a VM in the provider's panel, past us.
pub(crate) async fn cancel_vm(cloud: &LocalCloud, id: i64) {
    let path = format!("/v1/compute/instances/{id}/cancel");
    let cancelled = call(cloud, "POST", &path, &account(cloud).await, json!({})).await;
    assert!(cancelled["data"][0]["cancelDate"].is_string(), "{cancelled}");
}

/// What a call on the account's behalf carries.
async fn account(cloud: &LocalCloud) -> [(&'static str, String); 2] {
    let options = contabo::Options::demo();
    let form = format!(
        "grant_type=password&client_id={}&client_secret={}&username={}&password={}",
        options.client_id,
        secrecy::ExposeSecret::expose_secret(&options.client_secret),
        options.user,
        secrecy::ExposeSecret::expose_secret(&options.password),
    );
    let request = http::Request::post("/auth/realms/contabo/protocol/openid-connect/token")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Bytes::from(form))
        .expect("the local cloud answers what this test asks");
    let response = cloud.call(request).await.expect("the local cloud answers what this test asks");
    let login: Value = serde_json::from_slice(response.body()).expect("the local cloud answers what this test asks");
    let token = login["access_token"].as_str().expect("the local cloud answers what this test asks");
    [("authorization", format!("Bearer {token}")), ("x-request-id", "04e0f898-37b4-48bc-a794-1a57abe6aa31".to_owned())]
}

/// A call about the zone's records by somebody who is not us, with a token that may do everything.
pub(crate) async fn stranger(cloud: &LocalCloud, method: &str, below: &str, body: Value) -> Value {
    let bearer = [("authorization", format!("Bearer {STRANGERS_TOKEN}"))];
    let path = format!("/client/v4/zones/{}/dns_records{below}", cloudflare::DEMO_ZONE_ID);
    let answer = call(cloud, method, &path, &bearer, body).await;
    assert_eq!(answer["success"], true, "{answer}");
    answer["result"].clone()
}

/// The foreign record and VM as they are now.
pub(crate) async fn foreign(cloud: &LocalCloud) -> (SeenRecord, SeenMachine) {
    let record = records(cloud).into_iter().find(|record| record.name == "www.alfredos.site");
    let machine = machines(cloud).await.into_iter().find(|machine| machine.display_name == "somebody-elses-vm");
    (record.expect("promise 3: the foreign record is gone"), machine.expect("promise 3: the foreign VM is gone"))
}

async fn call(cloud: &LocalCloud, method: &str, path: &str, headers: &[(&str, String)], body: Value) -> Value {
    let mut request = http::Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let body = if body.is_null() {
        Bytes::new()
    } else {
        request = request.header("content-type", "application/json");
        Bytes::from(body.to_string())
    };
    let response = cloud
        .call(request.body(body).expect("the local cloud answers what this test asks"))
        .await
        .expect("the local cloud answers what this test asks");
    serde_json::from_slice(response.body()).unwrap_or(Value::Null)
}
