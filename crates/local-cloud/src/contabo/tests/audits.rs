//! The histories by which a lost answer is found again.

use axum::body::Body;
use http::Method;
use serde_json::{Value, json};

use super::support::{Bench, INSTANCES, UBUNTU};
use crate::contabo::{Delay, Options, ZeroRows};

const AUDITS: &str = "/v1/compute/instances/audits";

async fn order_with(bench: &Bench, request_id: &str, trace_id: Option<&str>) -> i64 {
    let mut request = bench
        .request(&Method::POST, INSTANCES)
        .header("content-type", "application/json")
        .body(Body::from(r#"{"period":1}"#))
        .unwrap();
    request.headers_mut().insert("x-request-id", request_id.parse().unwrap());
    if let Some(trace_id) = trace_id {
        request.headers_mut().insert("x-trace-id", trace_id.parse().unwrap());
    }
    bench.send(request).await.done(201).object()["instanceId"].as_i64().unwrap()
}

#[tokio::test]
async fn an_order_is_found_by_its_request_id() {
    let bench = Bench::instant().await;
    let wanted = "04e0f898-37b4-48bc-a794-1a57abe6aa31";
    let id = order_with(&bench, wanted, Some("operation-7")).await;
    bench.order("other").await;
    let answer = bench.get(&format!("{AUDITS}?requestId={wanted}")).await.done(200);
    let row = answer.object();
    assert_eq!(row["instanceId"], id);
    assert_eq!(row["action"], "CREATED");
    assert_eq!(row["requestId"], wanted);
    assert_eq!(row["traceId"], "operation-7");
    assert_eq!(row["timestamp"], "2026-04-10T08:00:00.000Z");
    assert!(row["changedBy"].is_string() && row["username"].is_string() && row["changes"].is_object());
    assert!(bench.get(&format!("{AUDITS}?requestId=04e0f898-37b4-48bc-a794-000000000fff")).await.data().is_empty());
}

#[tokio::test]
async fn a_row_without_a_trace_has_null() {
    let bench = Bench::instant().await;
    bench.order("one").await;
    assert_eq!(bench.get(AUDITS).await.object()["traceId"], Value::Null);
}

#[tokio::test]
async fn a_row_can_be_read_after_the_lag() {
    let bench = Bench::new(Options { audit_lag: Delay::seconds(5, 0), ..Options::instant() }).await;
    bench.order("one").await;
    bench.pass(4).await;
    assert!(bench.get(AUDITS).await.data().is_empty());
    bench.pass(1).await;
    assert_eq!(bench.get(AUDITS).await.data().len(), 1);
}

#[tokio::test]
async fn created_rows_can_have_the_instance_id_0() {
    for (rows, zeroes, others) in [(ZeroRows::Never, 0, 1), (ZeroRows::Extra, 1, 1), (ZeroRows::Instead, 1, 0)] {
        let bench = Bench::new(Options { zero_rows: rows, ..Options::instant() }).await;
        let id = bench.order("one").await;
        let ids = bench.get(AUDITS).await.ids();
        let count = |wanted| ids.iter().filter(|id| **id == wanted).count();
        assert_eq!((count(0), count(id)), (zeroes, others), "{rows:?}");
    }
}

#[tokio::test]
async fn every_change_of_an_instance_has_its_row_newest_first() {
    let bench = Bench::instant().await;
    let id = bench.order("one").await;
    bench.order("other").await;
    let path = format!("{INSTANCES}/{id}");
    bench.patch(&path, json!({ "displayName": "two" })).await.done(200);
    bench.put(&path, json!({ "imageId": UBUNTU })).await.done(200);
    bench.post(&format!("{path}/cancel"), json!({})).await.done(201);
    let history = format!("{AUDITS}?instanceId={id}");
    let changes = |answer: &super::support::Answer| -> Vec<String> {
        answer.data().iter().map(|row| row["action"].as_str().unwrap().to_owned()).collect()
    };
    let answer = bench.get(&history).await;
    assert_eq!(changes(&answer), ["UPDATED", "UPDATED", "UPDATED", "CREATED"]);
    assert_eq!(answer.data()[0]["changes"]["new"]["cancelDate"], "2026-05-09");
    assert_eq!(answer.data()[2]["changes"]["prev"]["displayName"], "one");
    bench.at("2026-05-10T00:00:00Z").await;
    assert_eq!(changes(&bench.get(&history).await)[0], "DELETED");
}

#[tokio::test]
async fn reads_and_refused_changes_leave_no_row() {
    let bench = Bench::instant().await;
    bench.post(INSTANCES, json!({ "period": 7 })).await.invalid("period");
    bench.get(INSTANCES).await.done(200);
    assert!(bench.get(AUDITS).await.data().is_empty());
}

#[tokio::test]
async fn rows_are_filtered_by_day_and_user() {
    let bench = Bench::instant().await;
    let first = bench.order("one").await;
    bench.at("2026-04-12T23:00:00Z").await;
    let second = bench.order("two").await;
    for (filter, expected) in [
        ("startDate=2026-04-11", vec![second]),
        ("startDate=2026-04-12", vec![second]),
        ("endDate=2026-04-11", vec![first]),
        ("startDate=2026-04-10&endDate=2026-04-12", vec![second, first]),
        ("startDate=2026-04-13", vec![]),
        ("changedBy=nobody", vec![]),
    ] {
        assert_eq!(bench.get(&format!("{AUDITS}?{filter}")).await.done(200).ids(), expected, "{filter}");
    }
    bench.get(&format!("{AUDITS}?startDate=yesterday")).await.invalid("startDate must be a valid date");
    let user = bench.get(AUDITS).await.data()[0]["changedBy"].as_str().unwrap().to_owned();
    assert_eq!(bench.get(&format!("{AUDITS}?changedBy={user}")).await.data().len(), 2);
}

#[tokio::test]
async fn rows_come_in_pages_and_can_be_ordered() {
    let bench = Bench::instant().await;
    let ids = [bench.order("one").await, bench.order("two").await, bench.order("three").await];
    let page = bench.get(&format!("{AUDITS}?size=2&page=2")).await;
    assert_eq!(page.ids(), [ids[0]]);
    assert_eq!(bench.get(&format!("{AUDITS}?orderBy=instanceId:ASC")).await.ids(), ids);
}

#[tokio::test]
async fn actions_have_a_history_of_their_own() {
    let bench = Bench::instant().await;
    let id = bench.order("one").await;
    bench.act(&format!("{INSTANCES}/{id}/actions/stop")).await.done(201);
    let answer = bench.get("/v1/compute/instances/actions/audits").await.done(200);
    assert_eq!(answer.object()["instanceId"], id);
    assert_eq!(answer.object()["changes"]["new"]["action"], "stop");
    assert_eq!(bench.get(AUDITS).await.data().len(), 1);
}
