//! Zones, usage, and paths that lead nowhere.

use serde_json::{Value, json};

use crate::{
    bench::{Bench, codes, records_path},
    cloudflare::{DEMO_ACCOUNT_ID, DEMO_ZONE_ID, Plan, ZoneOptions},
};

#[tokio::test]
async fn zones_are_found_by_name_account_and_status() {
    let bench = Bench::with(|options| {
        options.zones.push(ZoneOptions::new("1".repeat(32), "example.org", Plan::Pro));
    });
    for (query, expected) in [
        (String::new(), vec!["alfredos.site", "example.org"]),
        ("?direction=desc".into(), vec!["example.org", "alfredos.site"]),
        ("?name=ALFREDOS.site".into(), vec!["alfredos.site"]),
        ("?name=contains:ample".into(), vec!["example.org"]),
        ("?status=pending".into(), vec![]),
        (format!("?status=active&account.id={DEMO_ACCOUNT_ID}"), vec!["alfredos.site", "example.org"]),
        ("?account.id=0".into(), vec![]),
    ] {
        let (status, answer) = bench.call("GET", &format!("/zones{query}"), Value::Null).await;
        assert_eq!(status, 200);
        let names: Vec<&str> =
            answer["result"].as_array().unwrap().iter().map(|zone| zone["name"].as_str().unwrap()).collect();
        assert_eq!(names, expected, "{query}");
    }
    let (_, answer) = bench.call("GET", "/zones?page=2&per_page=5", Value::Null).await;
    assert_eq!(
        answer["result_info"],
        json!({"page": 2, "per_page": 5, "count": 0, "total_count": 2, "total_pages": 1})
    );
    let (_, answer) = bench.call("GET", "/zones?per_page=51", Value::Null).await;
    assert_eq!(codes(&answer), (1004, Some(9207)));
}

#[tokio::test]
async fn a_zone_has_what_clients_read_from_it() {
    let bench = Bench::with_plan(Plan::Free);
    let (_, answer) = bench.call("GET", &format!("/zones/{DEMO_ZONE_ID}"), Value::Null).await;
    let zone = &answer["result"];
    assert_eq!(zone["plan"]["legacy_id"], "free");
    assert_eq!(zone["account"]["id"], DEMO_ACCOUNT_ID);
    assert_eq!(zone["name_servers"].as_array().unwrap().len(), 2);
    assert!(zone["permissions"].as_array().unwrap().contains(&json!("#dns_records:edit")));
}

#[tokio::test]
async fn usage_counts_records_against_the_quota_of_zone_or_account() {
    let free = Bench::with_plan(Plan::Free);
    free.create("x", "198.51.100.4").await;
    let (_, answer) = free.records("GET", "/usage", Value::Null).await;
    assert_eq!(answer["result"], json!({"record_quota": 200, "record_usage": 1}));
    let enterprise = Bench::with_plan(Plan::Enterprise);
    enterprise.create("x", "198.51.100.4").await;
    let (_, answer) = enterprise.records("GET", "/usage", Value::Null).await;
    assert_eq!(answer["result"], json!({"record_quota": null, "record_usage": 1}));
    let path = format!("/accounts/{DEMO_ACCOUNT_ID}/dns_records/usage");
    let (_, answer) = enterprise.call("GET", &path, Value::Null).await;
    assert_eq!(answer["result"], json!({"record_quota": 1_000_000, "record_usage": 1}));
}

#[tokio::test]
async fn unknown_zones_and_routes_lead_nowhere() {
    let bench = Bench::with_plan(Plan::Free);
    let unknown_zone = format!("/zones/{}/dns_records", "0".repeat(32));
    for (method, path) in [
        ("GET", unknown_zone.as_str()),
        ("GET", "/nope"),
        ("DELETE", "/zones"),
        ("GET", ""),
        ("PATCH", &records_path("/a/b")),
    ] {
        let (status, answer) = bench.call(method, path, Value::Null).await;
        assert_eq!((status, codes(&answer)), (400, (7003, None)), "{method} {path}");
        assert_eq!(
            answer["errors"][0]["message"],
            format!("Could not route to {path}, perhaps your object identifier is invalid?")
        );
        assert_eq!(answer["errors"][1], json!({"code": 7000, "message": "No route for that URI"}));
    }
}
