//! What other people's clients ask: the operations that ours do not use, and good part of what can go wrong.

use std::time::Duration;

use alfred_local_cloud::LocalCloud;
use alfred_local_cloud::cloudflare::{DEMO_ACCOUNT_ID, DEMO_TOKEN, DEMO_ZONE, DEMO_ZONE_ID};
use alfred_local_cloud::contabo::OrderOutcome;
use bytes::Bytes;
use serde_json::{Value, json};

use crate::stage::Stage;

const INSTANCES: &str = "/v1/compute/instances";
const NONE: Value = Value::Null;

/// Asks everything.
pub(crate) async fn run(stage: &Stage) {
    zone_files(stage).await;
    bad_records(stage).await;
    buckets(stage).await;
    let token = stage.contabo_login().await;
    let vm = instances(stage, &token).await;
    power(stage, &token, vm).await;
    secrets_and_tags(stage, &token, vm).await;
    bad_calls(stage, &token, vm).await;
    // Tokens end after 300 s.
    tokio::time::sleep(Duration::from_secs(10)).await;
    outcomes(stage).await;
    blocked(stage).await;
}

async fn zone_files(stage: &Stage) {
    let zone = format!("/zones/{DEMO_ZONE_ID}/dns_records");
    stage.ask_cloudflare(DEMO_TOKEN, "GET", &format!("{zone}/export"), &NONE).await;
    let file = format!("mail.{DEMO_ZONE}. 300 IN A 192.0.2.77\n");
    let form =
        format!("--x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"z\"\r\n\r\n{file}\r\n--x--\r\n");
    let request = http::Request::post(format!("/client/v4{zone}/import"))
        .header("authorization", format!("Bearer {DEMO_TOKEN}"))
        .header("content-type", "multipart/form-data; boundary=x")
        .body(Bytes::from(form))
        .expect("the parts are good");
    let imported = stage.send(request).await;
    assert_eq!(imported["result"]["recs_added"], 1, "{imported}");
    let usage = format!("/accounts/{DEMO_ACCOUNT_ID}/dns_records/usage");
    stage.ask_cloudflare(DEMO_TOKEN, "GET", &usage, &NONE).await;
}

async fn bad_records(stage: &Stage) {
    let zone = format!("/zones/{DEMO_ZONE_ID}/dns_records");
    let good = json!({"type": "A", "name": "twice", "content": "192.0.2.88", "ttl": 300});
    stage.ask_cloudflare(DEMO_TOKEN, "POST", &zone, &good).await;
    let alias = json!({"type": "CNAME", "name": "twice", "content": "a.example.com", "ttl": 300});
    let bad_ttl = json!({"type": "A", "name": "once", "content": "192.0.2.88", "ttl": 3});
    for (method, path, body) in [
        ("POST", zone.clone(), good.clone()),
        ("POST", zone.clone(), alias),
        ("POST", zone.clone(), bad_ttl),
        ("POST", zone.clone(), json!({"type": "A", "name": "once", "content": "not an address", "ttl": 300})),
        ("POST", zone.clone(), json!({})),
        ("PUT", format!("{zone}/{}", "0".repeat(32)), good.clone()),
        ("PATCH", format!("{zone}/{}", "0".repeat(32)), json!({"ttl": 60})),
        ("DELETE", format!("{zone}/{}", "0".repeat(32)), NONE),
        ("GET", format!("{zone}/{}", "0".repeat(32)), NONE),
        ("GET", format!("{zone}?per_page=0"), NONE),
        ("GET", format!("{zone}?type=NONE"), NONE),
        ("POST", format!("{zone}/batch"), json!({"posts": [good]})),
        ("POST", format!("{zone}/batch"), json!({"deletes": [{"id": "x"}]})),
        ("POST", format!("{zone}/import"), NONE),
        ("GET", format!("/accounts/{DEMO_ACCOUNT_ID}/tokens/verify"), NONE),
    ] {
        let answer = stage.ask_cloudflare(DEMO_TOKEN, method, &path, &body).await;
        assert_eq!(answer["success"], false, "{method} {path}: {answer}");
    }
    for token in ["cfut_nobody-knows-this-one", "not even a token"] {
        let answer = stage.ask_cloudflare(token, "GET", &zone, &NONE).await;
        assert_eq!(answer["success"], false, "{answer}");
    }
}

/// What ours do not ask of buckets: one that is ruled, looked at and taken away, and one that is not there.
async fn buckets(stage: &Stage) {
    let buckets = format!("/accounts/{DEMO_ACCOUNT_ID}/r2/buckets");
    let made = stage.ask_cloudflare(DEMO_TOKEN, "POST", &buckets, &json!({"name": "a-strangers"})).await;
    assert_eq!(made["success"], true, "{made}");
    for (method, place, body) in [
        ("GET", "", NONE),
        ("GET", "/a-strangers/cors", NONE),
        ("GET", "/a-strangers/lifecycle", NONE),
        ("GET", "/a-strangers/lock", NONE),
        ("GET", "/a-strangers/domains/managed", NONE),
        ("PATCH", "/a-strangers", NONE),
        ("DELETE", "/a-strangers/cors", NONE),
        ("DELETE", "/a-strangers", NONE),
        ("GET", "/a-strangers", NONE),
    ] {
        let answer = stage.ask_cloudflare(DEMO_TOKEN, method, &format!("{buckets}{place}"), &body).await;
        assert!(answer["success"].is_boolean(), "{method} {place}: {answer}");
    }
}

async fn instances(stage: &Stage, token: &str) -> i64 {
    let order = json!({
        "period": 1, "displayName": "a-strangers", "addOns": {"privateNetworking": {}, "additionalIps": {}, "backup": {}},
    });
    let ordered = stage.ask_contabo(Some(token), "POST", INSTANCES, &order).await;
    let vm = ordered["data"][0]["instanceId"].as_i64().unwrap_or_else(|| panic!("no order: {ordered}"));
    tokio::time::sleep(Duration::from_secs(20)).await;
    let listed = format!("{INSTANCES}?orderBy=name:ASC&page=2&size=1&search=vmi&ipConfig=true");
    for path in [INSTANCES, &listed, &format!("{INSTANCES}/{vm}"), &format!("{INSTANCES}/audits")] {
        let answer = stage.ask_contabo(Some(token), "GET", path, &NONE).await;
        assert!(answer["data"].is_array(), "{path}: {answer}");
    }
    vm
}

async fn power(stage: &Stage, token: &str, vm: i64) {
    for (action, body) in [
        ("stop", NONE),
        ("start", NONE),
        ("restart", NONE),
        ("shutdown", NONE),
        ("start", NONE),
        ("resetPassword", json!({"userData": "#cloud-config\n{}\n"})),
        ("rescue", json!({"userData": "#cloud-config\n{}\n"})),
    ] {
        let path = format!("{INSTANCES}/{vm}/actions/{action}");
        let answer = stage.ask_contabo(Some(token), "POST", &path, &body).await;
        assert!(answer["data"].is_array(), "{action}: {answer}");
        tokio::time::sleep(Duration::from_secs(5)).await;
        stage.ask_contabo(Some(token), "GET", &format!("{INSTANCES}/{vm}"), &NONE).await;
    }
    stage.ask_contabo(Some(token), "GET", &format!("{INSTANCES}/actions/audits"), &NONE).await;
}

async fn secrets_and_tags(stage: &Stage, token: &str, vm: i64) {
    let ask = async |method: &str, path: &str, body: Value| stage.ask_contabo(Some(token), method, path, &body).await;
    let secret = ask("POST", "/v1/secrets", json!({"name": "p", "type": "password", "value": "Correct!Horse?9"})).await;
    let secret = format!("/v1/secrets/{}", secret["data"][0]["secretId"]);
    ask("GET", &secret, NONE).await;
    ask("PATCH", &secret, json!({"name": "renamed"})).await;
    ask("GET", "/v1/secrets?type=password", NONE).await;
    ask("DELETE", &secret, NONE).await;
    let tag = ask("POST", "/v1/tags", json!({"name": "web", "color": "#0A78C3", "description": "the web"})).await;
    let tag = format!("/v1/tags/{}", tag["data"][0]["tagId"]);
    ask("GET", &tag, NONE).await;
    ask("PATCH", &tag, json!({"name": "web-2"})).await;
    ask("GET", "/v1/tags?name=web", NONE).await;
    let assigned = format!("{tag}/assignments/instance/{vm}");
    ask("POST", &assigned, NONE).await;
    ask("GET", &assigned, NONE).await;
    ask("GET", &format!("{tag}/assignments?resourceType=instance"), NONE).await;
    ask("DELETE", &assigned, NONE).await;
    ask("DELETE", &tag, NONE).await;
    let images = ask("GET", "/v1/compute/images?standardImage=true", NONE).await;
    let image = images["data"][0]["imageId"].as_str().expect("there are images").to_owned();
    ask("GET", &format!("/v1/compute/images/{image}"), NONE).await;
    // Rows of the histories come late.
    tokio::time::sleep(Duration::from_secs(5)).await;
    for history in ["secrets/audits", "tags/audits", "tags/assignments/audits"] {
        let answer = ask("GET", &format!("/v1/{history}"), NONE).await;
        assert!(answer["data"].as_array().is_some_and(|rows| !rows.is_empty()), "{history}: {answer}");
    }
}

async fn bad_calls(stage: &Stage, token: &str, vm: i64) {
    let order = |changed: Value| {
        let mut order = json!({"period": 1, "displayName": "bad"});
        order.as_object_mut().expect("an object").extend(changed.as_object().cloned().unwrap_or_default());
        order
    };
    for (method, path, body) in [
        ("POST", INSTANCES.to_owned(), order(json!({"period": 7}))),
        ("POST", INSTANCES.to_owned(), order(json!({"productId": ""}))),
        ("POST", INSTANCES.to_owned(), order(json!({"productId": "V91"}))),
        ("POST", INSTANCES.to_owned(), NONE),
        ("GET", format!("{INSTANCES}/1"), NONE),
        ("GET", format!("{INSTANCES}?status=gone"), NONE),
        ("PATCH", format!("{INSTANCES}/1"), json!({"displayName": "x"})),
        ("PUT", format!("{INSTANCES}/{vm}"), json!({})),
        ("POST", format!("{INSTANCES}/{vm}/cancel"), NONE),
        ("POST", "/v1/secrets".to_owned(), json!({"name": "weak", "type": "password", "value": "weak"})),
    ] {
        let answer = stage.ask_contabo(Some(token), method, &path, &body).await;
        assert!(answer["statusCode"].is_u64(), "{method} {path}: {answer}");
    }
    assert_eq!(stage.ask_contabo(None, "GET", INSTANCES, &NONE).await["statusCode"], 401);
    let cancel = format!("{INSTANCES}/{vm}/cancel");
    assert!(stage.ask_contabo(Some(token), "POST", &cancel, &json!({})).await["data"].is_array());
    assert_eq!(stage.ask_contabo(Some(token), "POST", &cancel, &json!({})).await["statusCode"], 422);
    let text = http::Request::patch(format!("{INSTANCES}/{vm}"))
        .header("authorization", format!("Bearer {token}"))
        .header("x-request-id", "04e0f898-37b4-48bc-a794-1a57abe6aa31")
        .header("content-type", "text/plain")
        .body(Bytes::from_static(b"displayName=x"))
        .expect("the parts are good");
    assert_eq!(stage.send(text).await["statusCode"], 415);
    let seventh = http::Request::get(INSTANCES)
        .header("authorization", format!("Bearer {token}"))
        .header("x-request-id", "019a0b5e-37b4-7bbc-a794-1a57abe6aa31")
        .body(Bytes::new())
        .expect("the parts are good");
    assert_eq!(stage.send(seventh).await["statusCode"], 400, "a version 7 UUID does not fit the pattern");
}

/// What becomes of orders that do not simply become VMs.
async fn outcomes(stage: &Stage) {
    let cloud: &LocalCloud = &stage.cloud;
    let token = stage.contabo_login().await;
    for outcome in [
        OrderOutcome::PendingPayment,
        OrderOutcome::VerificationRequired,
        OrderOutcome::ManualProvisioning,
        OrderOutcome::ProductNotAvailable,
        OrderOutcome::Error,
    ] {
        cloud.contabo().next_order(outcome);
        let order = json!({"period": 1, "displayName": format!("{outcome:?}")});
        stage.ask_contabo(Some(&token), "POST", INSTANCES, &order).await;
    }
    tokio::time::sleep(Duration::from_secs(20)).await;
    stage.ask_contabo(Some(&token), "GET", &format!("{INSTANCES}?size=100"), &NONE).await;
}

/// The request budget of Cloudflare's side is overdrawn.
async fn blocked(stage: &Stage) {
    let zone = format!("/zones/{DEMO_ZONE_ID}/dns_records?per_page=1");
    for _ in 0..1_300 {
        let answer = stage.ask_cloudflare(DEMO_TOKEN, "GET", &zone, &NONE).await;
        if answer["success"] == false {
            return;
        }
    }
    panic!("the budget was never overdrawn");
}
