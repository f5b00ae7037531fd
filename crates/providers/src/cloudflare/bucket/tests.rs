use std::sync::Arc;

use super::super::tests::{client, error, result};
use super::*;
use crate::testing::{Script, json};

fn bucket(jurisdiction: Option<&'static str>) -> BucketName {
    BucketName { account: "acc".to_owned(), name: "states".to_owned(), jurisdiction }
}

#[tokio::test]
async fn a_bucket_is_made_once_where_it_was_asked_for() {
    let script =
        Script::new([json(404, &error(10_006, "The specified bucket does not exist.")), result("{}"), result("{}")]);
    let client = client(&script);
    assert!(client.create_bucket(&bucket(Some("eu")), Some("weur")).await.unwrap());
    assert!(!client.create_bucket(&bucket(Some("eu")), Some("weur")).await.unwrap());
    let base = "https://api.example/client/v4/accounts/acc/r2/buckets";
    let made = format!(r#"POST {base} {{"locationHint":"weur","name":"states"}}"#);
    assert_eq!(script.sent(), [format!("GET {base}/states"), made, format!("GET {base}/states")]);
    for index in 0..3 {
        assert_eq!(script.header(index, "cf-r2-jurisdiction").as_deref(), Some("eu"));
    }
}

#[tokio::test]
async fn another_failure_than_its_absence_makes_no_bucket() {
    let script = Script::new([json(403, &error(10_003, "access denied"))]);
    assert!(client(&script).create_bucket(&bucket(None), None).await.is_err());
    assert_eq!(script.sent().len(), 1);
    assert_eq!(script.header(0, "cf-r2-jurisdiction"), None);
}

#[tokio::test]
async fn only_the_rules_that_were_asked_for_are_set() {
    let script: Arc<Script> = Script::new(std::iter::repeat_with(|| result("{}")).take(5));
    let client = client(&script);
    client.set_bucket_rules(&bucket(None), &BucketRules::default()).await.unwrap();
    let all = BucketRules {
        lock: Some(("blobs/".to_owned(), 2_592_000)),
        cors_origins: vec!["https://a.example".to_owned()],
        public: true,
    };
    client.set_bucket_rules(&bucket(None), &all).await.unwrap();
    let sent = script.sent();
    let places: Vec<&str> =
        sent.iter().map(|call| call.split(' ').nth(1).unwrap().rsplit("states/").next().unwrap()).collect();
    assert_eq!(places, ["lifecycle", "lifecycle", "lock", "cors", "domains/managed"]);
    assert!(sent[2].contains(r#""condition":{"maxAgeSeconds":2592000,"type":"Age"}"#), "{}", sent[2]);
    assert!(sent[2].contains(r#""prefix":"blobs/""#) && sent[3].contains(r#""origins":["https://a.example"]"#));
    assert!(sent[4].ends_with(r#"{"enabled":true}"#));
}
