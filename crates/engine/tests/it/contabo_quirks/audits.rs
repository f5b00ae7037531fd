//! What the audits say of an order whose answer was lost.

use std::time::Duration;

use alfred_local_cloud::contabo::{Delay, Options, ZeroRows};
use serde_json::{Value, json};

use super::life::{Life, demo};
use crate::world::request;

/// An order whose answer is lost is found again, and bought once; the rows that the audits show of it.
async fn found_again(options: Options) -> Vec<Value> {
    let life = Life::begin(options);
    life.fault("contabo.instances.create lost-after count=1");
    let id = life.ask(request(1)).await;
    life.active(id).await;
    assert_eq!(life.orders(), 1, "the order was not sent again");
    assert!(!life.calls("contabo.instances.audits").is_empty(), "the audits were asked");
    let (_, audits) = life.stranger("GET", "/v1/compute/instances/audits?size=100", Value::Null).await;
    let rows = audits["data"].as_array().unwrap().iter().filter(|row| row["action"] == "CREATED").cloned().collect();
    life.end(id).await;
    rows
}

#[tokio::test(start_paused = true)]
async fn an_audit_row_may_have_instance_id_0() {
    let rows = found_again(Options { zero_rows: ZeroRows::Instead, ..demo() }).await;
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["instanceId"], 0, "the quirk");
}

#[tokio::test(start_paused = true)]
async fn an_audit_row_may_be_doubled() {
    let rows = found_again(Options { zero_rows: ZeroRows::Extra, ..demo() }).await;
    assert_eq!(rows.len(), 2, "the quirk: {rows:#?}");
    assert!(rows.iter().any(|row| row["instanceId"] == 0) && rows.iter().any(|row| row["instanceId"] != 0));
}

#[tokio::test(start_paused = true)]
async fn audits_may_come_late() {
    let late = Delay::seconds(40, 0);
    let life = Life::begin(Options { audit_lag: late, unlisted_after_create: late, ..demo() });
    life.fault("contabo.instances.create lost-after count=1");
    let id = life.ask(request(1)).await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    let (_, audits) = life.stranger("GET", "/v1/compute/instances/audits", Value::Null).await;
    assert_eq!(audits["data"], json!([]), "the quirk");
    let row = life.row(id).await;
    assert!(row.vm_id.is_none() && !row.attention, "within the grace nobody is called: {row:#?}");
    life.active(id).await;
    assert_eq!(life.orders(), 1);
    life.end(id).await;
}
