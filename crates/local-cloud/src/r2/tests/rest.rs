//! Buckets and their rules over the REST API, and what S3 then does.

use serde_json::{Value, json};

use super::{Stage, signing::Signer};
use crate::{
    bench::codes,
    cloudflare::{DEMO_ACCOUNT_ID, Permission, TokenOptions},
};

#[tokio::test]
async fn buckets_live_their_life() {
    let stage = Stage::new().await;
    let (status, made) = stage.rest("POST", "", json!({"name": "mine", "locationHint": "apac"})).await;
    assert_eq!(status, 200, "{made}");
    let expected = json!({
        "name": "mine", "creation_date": "2026-09-21T14:13:20.123000Z", "location": "apac", "jurisdiction": "default",
        "storage_class": "Standard",
    });
    assert_eq!(made["result"], expected);
    assert_eq!(stage.rest("GET", "/mine", Value::Null).await.1["result"], expected);
    let again = stage.rest("POST", "", json!({"name": "mine"})).await;
    assert_eq!((again.0, codes(&again.1)), (409, (10_073, None)));
    let names = |answer: &Value| -> Vec<String> {
        let buckets = answer["result"]["buckets"].as_array().unwrap().iter();
        buckets.map(|bucket| bucket["name"].as_str().unwrap().to_owned()).collect()
    };
    let (_, page) = stage.rest("GET", "?per_page=1", Value::Null).await;
    assert_eq!((names(&page), &page["result_info"]["cursor"]), (vec!["mine".to_owned()], &json!("mine")));
    let (_, page) = stage.rest("GET", "?per_page=1&cursor=mine", Value::Null).await;
    assert_eq!((names(&page), &page["result_info"]["cursor"]), (vec!["states".to_owned()], &json!("")));
    assert_eq!(stage.s3("GET", "/mine?location", &[], "").await.elements("LocationConstraint").len(), 0);
    stage.s3("PUT", "/mine/k", &[], "x").await;
    let refused = stage.rest("DELETE", "/mine", Value::Null).await;
    assert_eq!((refused.0, codes(&refused.1)), (409, (10_008, None)));
    stage.s3("DELETE", "/mine/k", &[], "").await;
    assert_eq!(stage.rest("DELETE", "/mine", Value::Null).await.0, 200);
    let gone = stage.rest("GET", "/mine", Value::Null).await;
    assert_eq!((gone.0, codes(&gone.1)), (404, (10_006, None)));
    let (_, again) = stage.rest("POST", "", json!({"name": "mine", "locationHint": "weur"})).await;
    assert_eq!(again["result"]["location"], "apac", "a hint counts when a name is first used");
    for body in [json!({"name": "No"}), json!({"name": "ok-name", "locationHint": "mars"}), json!({"name": "a.b"})] {
        assert_eq!(stage.rest("POST", "", body).await.0, 400);
    }
}

#[tokio::test]
async fn jurisdictions_have_names_and_endpoints_of_their_own() {
    let stage = Stage::new().await;
    let path = format!("/accounts/{DEMO_ACCOUNT_ID}/r2/buckets");
    let mut request = crate::bench::request("POST", &path, &json!({"name": "states"}));
    request.headers_mut().insert("cf-r2-jurisdiction", "eu".parse().unwrap());
    assert_eq!(stage.bench.send(request).await.status(), 200, "another bucket has this name");
    let signer = Signer { host: "eu.localhost:7072".into(), ..Signer::default() };
    let put = signer.sign("PUT", "/states/k", &[], "x".into());
    assert_eq!(stage.send(put).await.status, 200);
    assert_eq!(stage.s3("HEAD", "/states/k", &[], "").await.status, 404, "the default endpoint does not see it");
    let mut request = crate::bench::request("GET", &path, &Value::Null);
    request.headers_mut().insert("cf-r2-jurisdiction", "moon".parse().unwrap());
    assert_eq!(stage.bench.send(request).await.status(), 400);
}

#[tokio::test]
async fn locks_hold_objects_as_long_as_they_say() {
    let stage = Stage::new().await;
    for key in ["v/1", "d/1", "i/1", "free"] {
        stage.s3("PUT", &format!("/states/{key}"), &[], "x").await;
    }
    stage.bench.clock.advance_ms(30_000);
    let rules = json!({"rules": [
        {"id": "age", "enabled": true, "prefix": "v/", "condition": {"type": "Age", "maxAgeSeconds": 60}},
        {"id": "date", "enabled": true, "prefix": "d/", "condition": {"type": "Date", "date": "2026-09-21T14:14:20Z"}},
        {"id": "ever", "enabled": true, "prefix": "i/", "condition": {"type": "Indefinite"}},
        {"id": "off", "enabled": false, "condition": {"type": "Indefinite"}},
    ]});
    assert_eq!(stage.rest("PUT", "/states/lock", rules.clone()).await.0, 200);
    assert_eq!(stage.rest("GET", "/states/lock", Value::Null).await.1["result"]["rules"][0], rules["rules"][0]);
    let locked = (403, "ObjectLockedByBucketPolicy");
    for key in ["v/1", "d/1", "i/1"] {
        let uri = format!("/states/{key}");
        assert_eq!(stage.s3("PUT", &uri, &[], "y").await.refusal(), locked, "{key}");
        assert_eq!(stage.s3("DELETE", &uri, &[], "").await.refusal(), locked, "{key}");
        let copy = [("x-amz-copy-source", "/states/free")];
        assert_eq!(stage.s3("PUT", &uri, &copy, "").await.refusal(), locked, "{key}");
    }
    assert_eq!(stage.s3("PUT", "/states/free", &[], "y").await.status, 200);
    assert_eq!(stage.s3("PUT", "/states/v/2", &[], "new").await.status, 200, "a new object may be written");
    let many = "<Delete><Object><Key>i/1</Key></Object><Object><Key>free</Key></Object></Delete>";
    let answer = stage.s3("POST", "/states?delete", &[], many).await;
    assert_eq!(
        (answer.elements("Code"), answer.elements("Key")),
        (vec!["ObjectLockedByBucketPolicy"], vec!["free", "i/1"])
    );
    stage.bench.clock.advance_ms(30_000);
    for (key, status) in [("v/1", 204), ("d/1", 204), ("i/1", 403), ("v/2", 403)] {
        assert_eq!(stage.s3("DELETE", &format!("/states/{key}"), &[], "").await.status, status, "{key}");
    }
}

#[tokio::test]
async fn lifecycle_rules_act_when_their_time_comes_and_locks_go_first() {
    let stage = Stage::new().await;
    for key in ["tmp/1", "tmp/held", "kept"] {
        stage.s3("PUT", &format!("/states/{key}"), &[], "x").await;
    }
    let (_, default) = stage.rest("GET", "/states/lifecycle", Value::Null).await;
    assert_eq!(default["result"]["rules"][0]["abortMultipartUploadsTransition"]["condition"]["maxAge"], 604_800);
    let rules = json!({"rules": [
        {"id": "tmp", "enabled": true, "conditions": {"prefix": "tmp/"},
         "deleteObjectsTransition": {"condition": {"type": "Age", "maxAge": 86_400}}},
        {"id": "cold", "enabled": true, "conditions": {"prefix": "kept"},
         "storageClassTransitions": [{"condition": {"type": "Date", "date": "2026-09-22T00:00:00Z"},
                                      "storageClass": "InfrequentAccess"}]},
    ]});
    assert_eq!(stage.rest("PUT", "/states/lifecycle", rules.clone()).await.0, 200);
    assert_eq!(stage.rest("GET", "/states/lifecycle", Value::Null).await.1["result"], rules);
    let shown = stage.s3("GET", "/states?lifecycle", &[], "").await;
    assert_eq!((shown.elements("Days"), shown.elements("ID")), (vec!["1"], vec!["tmp", "cold"]));
    let lock =
        json!({"rules": [{"id": "l", "enabled": true, "prefix": "tmp/held", "condition": {"type": "Indefinite"}}]});
    assert_eq!(stage.rest("PUT", "/states/lock", lock).await.0, 200);
    stage.bench.clock.advance_ms(86_400_000 - 1);
    assert_eq!(stage.s3("HEAD", "/states/tmp/1", &[], "").await.status, 200);
    assert_eq!(stage.s3("HEAD", "/states/kept", &[], "").await.header("x-amz-storage-class"), "STANDARD_IA");
    stage.bench.clock.advance_ms(1_000);
    assert_eq!(stage.s3("HEAD", "/states/tmp/1", &[], "").await.status, 404);
    assert_eq!(stage.s3("GET", "/states?list-type=2", &[], "").await.elements("Key"), ["kept", "tmp/held"]);
}

#[tokio::test]
async fn lifecycle_rules_over_s3_are_the_same_rules() {
    let stage = Stage::new().await;
    let body = "<LifecycleConfiguration><Rule><ID>x</ID><Filter><Prefix>tmp/</Prefix></Filter><Status>Enabled</Status>\
                <Expiration><Days>2</Days></Expiration></Rule></LifecycleConfiguration>";
    let put = stage.s3("PUT", "/states?lifecycle", &[], body).await;
    assert_eq!(put.status, 200, "{:?}", put.body);
    let (_, rules) = stage.rest("GET", "/states/lifecycle", Value::Null).await;
    assert_eq!(
        rules["result"]["rules"][0]["deleteObjectsTransition"]["condition"],
        json!({"type": "Age", "maxAge": 172_800})
    );
    let tagged = body.replace("<Prefix>tmp/</Prefix>", "<Tag><Key>a</Key><Value>b</Value></Tag>");
    assert_eq!(stage.s3("PUT", "/states?lifecycle", &[], tagged).await.refusal(), (501, "NotImplemented"));
    let encryption = stage.s3("GET", "/states?encryption", &[], "").await;
    assert_eq!(encryption.element("SSEAlgorithm"), Some("AES256"));
}

#[tokio::test]
async fn cors_and_public_reading_go_together() {
    let stage = Stage::new().await;
    stage.s3("PUT", "/states/a%20b", &[("content-type", "text/plain")], "hello").await;
    assert_eq!(codes(&stage.rest("GET", "/states/cors", Value::Null).await.1), (10_059, None));
    assert_eq!(stage.s3("GET", "/states?cors", &[], "").await.refusal(), (404, "NoSuchCORSConfiguration"));
    let rule = json!({"allowed": {"methods": ["GET"], "origins": ["https://app.example"]}, "maxAgeSeconds": 60});
    assert_eq!(stage.rest("PUT", "/states/cors", json!({"rules": [rule]})).await.0, 200);
    assert_eq!(stage.rest("GET", "/states/cors", Value::Null).await.1["result"]["rules"][0], rule);
    assert_eq!(stage.s3("GET", "/states?cors", &[], "").await.element("AllowedOrigin"), Some("https://app.example"));
    let wrong = json!({"rules": [{"allowed": {"methods": ["LOOK"], "origins": ["*"]}}]});
    assert_eq!(stage.rest("PUT", "/states/cors", wrong).await.0, 400);

    let (_, managed) = stage.rest("GET", "/states/domains/managed", Value::Null).await;
    assert_eq!(managed["result"]["enabled"], false);
    let host = managed["result"]["domain"].as_str().unwrap().to_owned();
    let look = |method: &str, path: &str| {
        let request = http::Request::builder().method(method).uri(path).header("host", &host);
        request.header("origin", "https://app.example").body(bytes::Bytes::new()).unwrap()
    };
    assert_eq!(stage.send(look("GET", "/a%20b")).await.status, 401, "not public yet");
    let (_, managed) = stage.rest("PUT", "/states/domains/managed", json!({"enabled": true})).await;
    assert_eq!(managed["result"]["enabled"], true);
    let got = stage.send(look("GET", "/a%20b")).await;
    assert_eq!((got.status, got.body.as_ref(), got.header("content-type")), (200, &b"hello"[..], "text/plain"));
    assert_eq!(got.header("access-control-allow-origin"), "https://app.example");
    assert_eq!(stage.send(look("GET", "/none")).await.status, 404);
    assert_eq!(stage.send(look("GET", "/")).await.status, 404, "nothing is listed");
    assert_eq!(stage.send(look("PUT", "/a%20b")).await.status, 405);
    assert_eq!(stage.rest("DELETE", "/states/cors", Value::Null).await.0, 200);
    assert_eq!(stage.send(look("GET", "/a%20b")).await.header("access-control-allow-origin"), "");
}

#[tokio::test]
async fn tokens_may_do_what_they_were_made_for() {
    let stage = Stage::with(|options| {
        let token = |value: &str, r2| TokenOptions { r2, ..TokenOptions::new(value, value) };
        options.cloudflare.tokens.extend([token("dns", None), token("look", Some(Permission::Read))]);
    })
    .await;
    let ask = async |token: &str, method: &str| {
        let body = if method == "POST" { json!({"name": "other"}) } else { Value::Null };
        let path = format!("/accounts/{DEMO_ACCOUNT_ID}/r2/buckets");
        let mut request = crate::bench::request(method, &path, &body);
        request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        stage.bench.send(request).await.status().as_u16()
    };
    assert_eq!((ask("dns", "GET").await, ask("dns", "POST").await), (403, 403));
    assert_eq!((ask("look", "GET").await, ask("look", "POST").await), (200, 403));
    let (status, answer) = stage.bench.call("GET", "/accounts/ffff/r2/buckets", Value::Null).await;
    assert_eq!((status, codes(&answer)), (403, (10_000, None)));
}

#[tokio::test]
async fn a_storage_class_is_edited_by_header() {
    let stage = Stage::new().await;
    let path = format!("/accounts/{DEMO_ACCOUNT_ID}/r2/buckets/states");
    let mut request = crate::bench::request("PATCH", &path, &Value::Null);
    assert_eq!(stage.bench.send(request.clone()).await.status(), 400);
    request.headers_mut().insert("cf-r2-storage-class", "InfrequentAccess".parse().unwrap());
    assert_eq!(stage.bench.send(request).await.status(), 200);
    stage.s3("PUT", "/states/k", &[], "x").await;
    assert_eq!(stage.s3("HEAD", "/states/k", &[], "").await.header("x-amz-storage-class"), "STANDARD_IA");
}
