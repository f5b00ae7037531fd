//! What an order needs, and what it is answered with.

use axum::body::Body;
use http::Method;
use serde_json::{Value, json};

use super::support::{Bench, INSTANCES, UBUNTU, WINDOWS};
use crate::contabo::{Options, Region, SoldOut, Stock};

#[tokio::test]
async fn an_order_is_answered_without_address_and_names() {
    let bench = Bench::new(Options::default()).await;
    let answer = bench.post(INSTANCES, json!({ "period": 1, "displayName": "one" })).await.done(201);
    let object = answer.object();
    let mut keys: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(
        keys,
        [
            "addOns",
            "createdDate",
            "customerId",
            "imageId",
            "instanceId",
            "osType",
            "productId",
            "region",
            "sshKeys",
            "status",
            "tenantId"
        ]
    );
    assert_eq!(object["status"], "provisioning");
    assert_eq!(object["productId"], "V153");
    assert_eq!(object["region"], "EU");
    assert_eq!(object["imageId"], "afecbb85-e2fc-46f0-9684-b46b1faf00bb");
    assert_eq!(object["createdDate"], "2026-04-10T08:00:00.000Z");
}

#[tokio::test]
async fn all_that_is_wrong_with_an_order_is_told_at_once() {
    let bench = Bench::instant().await;
    let answer = bench
        .post(
            INSTANCES,
            json!({ "productId": "", "region": "MOON", "displayName": "x".repeat(256), "license": "Word" }),
        )
        .await;
    for words in [
        "productId must be longer than or equal to 1 characters",
        "region must be one of the following values: EU, US-central",
        "displayName must be shorter than or equal to 255 characters",
        "license must be one of",
        "period should not be empty",
    ] {
        answer.invalid(words);
    }
    for (field, value, words) in [
        ("period", json!(3), "period must be one of the following values: 1, 12, 24"),
        ("period", json!("1"), "period must be an integer number"),
        ("imageId", json!("ubuntu"), "imageId must be a UUID"),
        ("sshKeys", json!(["a"]), "each value in sshKeys must be an integer number"),
        ("sshKeys", json!(1), "sshKeys must be an array"),
        ("rootPassword", json!("secret"), "rootPassword must be an integer number"),
        ("userData", json!(1), "userData must be a string"),
        ("userData", json!("x".repeat(32_769)), "userData must be shorter than or equal to 32768 characters"),
        ("defaultUser", json!("bob"), "defaultUser must be one of"),
        ("addOns", json!([]), "addOns must be an object"),
        ("addOns", json!({ "addonsIds": [{ "id": 1 }] }), "addOns must be a valid list"),
    ] {
        let mut body = json!({ "period": 1 });
        body[field] = value;
        bench.post(INSTANCES, body).await.invalid(words);
    }
    assert!(bench.get(INSTANCES).await.data().is_empty());
}

#[tokio::test]
async fn an_order_needs_a_body() {
    let bench = Bench::instant().await;
    bench.act(INSTANCES).await.refused(400, "Body cannot be empty");
}

#[tokio::test]
async fn a_display_name_is_counted_in_characters() {
    let bench = Bench::instant().await;
    bench.post(INSTANCES, json!({ "period": 1, "displayName": "ü".repeat(255) })).await.done(201);
}

#[tokio::test]
async fn a_product_that_is_not_sold_has_no_offer() {
    let bench = Bench::instant().await;
    let answer = bench.post(INSTANCES, json!({ "period": 1, "productId": "V91" })).await;
    answer.refused(400, "No offer was found for product ID 'V91' and period '1'");
    assert!(answer.body["message"].is_string());
    bench.contabo.adjust(|options| options.products[0].regions = vec![Region::Eu]);
    bench.post(INSTANCES, json!({ "period": 12, "region": "SIN" })).await.refused(400, "period '12'");
    bench.post(INSTANCES, json!({ "period": 12, "region": "EU" })).await.done(201);
}

#[tokio::test]
async fn a_product_that_is_sold_out_is_accepted_and_not_available() {
    let stock = vec![Stock { product: "V153".to_owned(), region: Region::Eu, count: 1 }];
    let bench = Bench::new(Options { stock, ..Options::instant() }).await;
    let first = bench.order("one").await;
    let second = bench.order("two").await;
    assert_eq!(bench.status(first).await, "running");
    assert_eq!(bench.status(second).await, "product_not_available");
    bench.contabo.adjust(|options| options.sold_out = SoldOut::Refuse);
    bench.post(INSTANCES, json!({ "period": 1 })).await.refused(400, "No offer was found");
    bench.post(INSTANCES, json!({ "period": 1, "region": "UK" })).await.done(201);
}

#[tokio::test]
async fn secrets_of_an_order_must_exist() {
    let bench = Bench::instant().await;
    let password = json!({ "name": "root", "type": "password", "value": "PwdA?2092w#" });
    let password = bench.post("/v1/secrets", password).await.done(201).object()["secretId"].clone();
    let key = json!({ "name": "key", "type": "ssh", "value": "ssh-ed25519 AAAA" });
    let key = bench.post("/v1/secrets", key).await.done(201).object()["secretId"].clone();
    bench.post(INSTANCES, json!({ "period": 1, "sshKeys": [99] })).await.refused(400, "secretId 99");
    bench.post(INSTANCES, json!({ "period": 1, "sshKeys": [password] })).await.refused(400, "was not found");
    let answer = bench.post(INSTANCES, json!({ "period": 1, "sshKeys": [key], "rootPassword": password })).await;
    assert_eq!(answer.done(201).object()["sshKeys"], json!([key]));
}

#[tokio::test]
async fn a_wrong_root_password_makes_the_platform_fail() {
    let bench = Bench::instant().await;
    bench.post(INSTANCES, json!({ "period": 1, "rootPassword": 99 })).await.refused(500, "Internal server error");
    assert!(bench.get(INSTANCES).await.data().is_empty());
}

#[tokio::test]
async fn windows_takes_no_ssh_keys_and_has_its_own_user() {
    let bench = Bench::instant().await;
    let key = json!({ "name": "key", "type": "ssh", "value": "ssh-ed25519 AAAA" });
    let key = bench.post("/v1/secrets", key).await.object()["secretId"].clone();
    let order = |field: &str, value: Value, image: &str| {
        let mut body = json!({ "period": 1, "imageId": image });
        body[field] = value;
        body
    };
    bench.post(INSTANCES, order("sshKeys", json!([key]), WINDOWS)).await.refused(400, "Windows");
    bench.post(INSTANCES, order("defaultUser", json!("root"), WINDOWS)).await.refused(400, "not allowed");
    bench.post(INSTANCES, order("defaultUser", json!("administrator"), UBUNTU)).await.refused(400, "not allowed");
    bench.post(INSTANCES, order("defaultUser", json!("administrator"), WINDOWS)).await.done(201);
}

#[tokio::test]
async fn an_image_that_does_not_exist_is_refused() {
    let bench = Bench::instant().await;
    let image = "00000000-0000-4000-8000-000000000000";
    bench.post(INSTANCES, json!({ "period": 1, "imageId": image })).await.refused(400, image);
}

#[tokio::test]
async fn the_account_has_room_for_75_instances() {
    let bench = Bench::instant().await;
    for _ in 0..75 {
        bench.order("x").await;
    }
    bench.post(INSTANCES, json!({ "period": 1 })).await.refused(402, "maximum of 75 instances");
    assert_eq!(bench.get(INSTANCES).await.body["_pagination"]["totalElements"], 75);
}

#[tokio::test]
async fn the_same_request_id_twice_buys_two_vms() {
    let bench = Bench::instant().await;
    for _ in 0..2 {
        let mut request = bench
            .request(&Method::POST, INSTANCES)
            .header("content-type", "application/json")
            .body(Body::from(r#"{"period":1,"displayName":"same"}"#))
            .unwrap();
        request.headers_mut().insert("x-request-id", "04e0f898-37b4-48bc-a794-1a57abe6aa31".parse().unwrap());
        bench.send(request).await.done(201);
    }
    assert_eq!(bench.get(INSTANCES).await.ids().len(), 2);
}

#[tokio::test]
async fn addresses_ascend_without_those_that_end_in_0_or_255() {
    let bench = Bench::new(Options { instance_cap: 300, ..Options::instant() }).await;
    let mut addresses = Vec::new();
    for _ in 0..256 {
        let id = bench.order("x").await;
        addresses.push(bench.address(id).await);
    }
    assert_eq!(addresses[0].to_string(), "127.64.0.1");
    assert_eq!(addresses[253].to_string(), "127.64.0.254");
    assert_eq!(addresses[254].to_string(), "127.64.1.1");
    assert!(addresses.is_sorted());
}

#[tokio::test]
async fn an_empty_pool_fails_the_order() {
    let bench = Bench::new(Options { pool_prefix: 30, ..Options::instant() }).await;
    for _ in 0..3 {
        bench.order("x").await;
    }
    bench.post(INSTANCES, json!({ "period": 1 })).await.refused(500, "Internal server error");
    assert_eq!(bench.get(INSTANCES).await.ids().len(), 3);
}

#[tokio::test]
async fn an_extra_address_can_be_ordered() {
    let bench = Bench::instant().await;
    let body = json!({ "period": 1, "addOns": { "additionalIps": {}, "addonsIds": [{ "id": 1431, "quantity": 2 }] } });
    let answer = bench.post(INSTANCES, body).await.done(201);
    assert_eq!(answer.object()["addOns"], json!([{ "id": 1478, "quantity": 1 }, { "id": 1431, "quantity": 2 }]));
    let object = bench.instance(answer.object()["instanceId"].as_i64().unwrap()).await;
    assert_eq!(object["additionalIps"][0]["v4"]["ip"], "127.64.0.2");
}
