//! Answers that are not as the document says, or not there yet.

use std::time::Duration;

use alfred_engine::CreateEnvironments;
use alfred_local_cloud::contabo::{Delay, Options, ZeroRows};
use alfred_local_cloud::faults::{Fault, Rule};
use alfred_model::environment::Status;
use serde_json::{Value, json};

use super::life::{Life, demo};
use crate::view;
use crate::world::request;

#[tokio::test(start_paused = true)]
async fn ip_config_is_null_or_empty_before_allocation() {
    // The local cloud gives `null` to VMs with an even number, and an empty address to those with an odd one.
    for planted in [false, true] {
        let life = Life::begin(Options { provisioning: Delay::seconds(20, 0), ..demo() });
        if planted {
            view::plant_vm(&life.world.cloud, "somebody-elses-vm").await;
        }
        let id = life.ask(request(1)).await;
        tokio::time::sleep(Duration::from_secs(5)).await;
        let shown = life.shown().await;
        assert!(shown["name"].is_null() && shown["macAddress"].is_null(), "{shown}");
        assert_eq!(shown["ipConfig"].is_null(), planted, "{shown}");
        assert!(planted || shown["ipConfig"]["v4"]["ip"] == "", "{shown}");
        assert!(!life.calls("contabo.instances.list").is_empty(), "the engine looked at it meanwhile");
        assert_eq!(life.row(id).await.address, None);
        let made = life.active(id).await;
        assert!(made.address.is_some());
        life.end(id).await;
    }
}

/// Refuses the first order with `message`, which must come to its owner; then it is tried again.
async fn refused_with(message: Value, words: &str) {
    let life = Life::begin(demo());
    let body = Some(json!({"statusCode": 400, "message": message}).to_string());
    let fault = Fault::Status { status: 400, retry_after: None, body, after: false };
    life.add(Rule { route: Some("contabo.instances.create".to_owned()), count: Some(1), ..Rule::new(fault) });
    let id = life.ask(request(1)).await;
    life.rest().await;
    let row = life.row(id).await;
    assert_eq!(row.status, Status::Error);
    assert!(row.reason.as_deref().is_some_and(|reason| reason.contains(words)), "{:?}", row.reason);
    life.process.engine.retry(id, false, &row.owner).await.unwrap();
    life.active(id).await;
    life.end(id).await;
}

#[tokio::test(start_paused = true)]
async fn an_error_message_may_be_a_string() {
    refused_with(json!("the product is wrong"), "the product is wrong").await;
}

#[tokio::test(start_paused = true)]
async fn an_error_message_may_be_an_array() {
    refused_with(json!(["the product is wrong", "the region too"]), "the region too").await;
}

#[tokio::test(start_paused = true)]
async fn the_last_link_of_an_empty_list_is_empty() {
    let life = Life::begin(Options {
        audit_lag: Delay::seconds(20, 0),
        unlisted_after_create: Delay::seconds(20, 0),
        ..demo()
    });
    let (_, empty) = life.stranger("GET", "/v1/compute/instances/audits", Value::Null).await;
    assert_eq!((&empty["_links"]["last"], &empty["data"]), (&json!(""), &json!([])), "the quirk: {empty}");
    life.fault("contabo.instances.create lost-after count=1");
    let id = life.ask(request(1)).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    let read = life.statuses("contabo.instances.audits");
    assert!(read.len() > 1 && read.iter().all(|status| *status == Some(200)), "empty lists are read: {read:?}");
    assert_eq!(life.row(id).await.vm_id, None);
    life.active(id).await;
    assert_eq!(life.orders(), 1);
    life.end(id).await;
}

#[tokio::test(start_paused = true)]
async fn a_new_instance_answers_404_for_a_while() {
    let life =
        Life::begin(Options { unreadable_after_create: Delay::seconds(20, 0), audit_lag: Delay::ZERO, ..demo() });
    life.fault("contabo.instances.create lost-after count=1");
    let id = life.ask(request(1)).await;
    life.active(id).await;
    let read = life.statuses("contabo.instances.get");
    assert_eq!((read.first(), read.last()), (Some(&Some(404)), Some(&Some(200))), "the quirk: {read:?}");
    assert_eq!(life.orders(), 1);
    life.end(id).await;
}

#[tokio::test(start_paused = true)]
async fn a_new_instance_is_missing_in_lists_for_a_while() {
    let life = Life::begin(Options { unlisted_after_create: Delay::seconds(30, 0), ..demo() });
    let id = life.ask(request(1)).await;
    tokio::time::sleep(Duration::from_secs(15)).await;
    let (_, listed) = life.stranger("GET", "/v1/compute/instances", Value::Null).await;
    assert_eq!(listed["data"], json!([]), "the quirk");
    assert!(life.row(id).await.vm_id.is_some(), "its VM is known all the same");
    life.active(id).await;
    assert_eq!(life.orders(), 1);
    life.end(id).await;
}

#[tokio::test(start_paused = true)]
async fn a_filter_by_display_name_matches_parts_of_names() {
    // The audits do not name the VM, so that the name must.
    let life = Life::begin(Options { zero_rows: ZeroRows::Instead, ..demo() });
    view::plant_vm(&life.world.cloud, "not-alfredos-twin-otter-2").await;
    life.fault("contabo.instances.create lost-after count=1");
    let asked = CreateEnvironments { slug: Some("twin-otter".parse().unwrap()), ..request(1) };
    let id = life.ask(asked).await;
    let made = life.active(id).await;
    let (_, listed) = life.stranger("GET", "/v1/compute/instances?displayName=alfredos-twin-otter", Value::Null).await;
    assert_eq!(listed["data"].as_array().map(Vec::len), Some(2), "the quirk: {listed}");
    let by_name = life.calls("contabo.instances.list").into_iter().filter(|call| call.path.contains("displayName="));
    assert!(by_name.count() >= 2, "the engine asked for the name");
    let ours = life.bought().await;
    assert_eq!(made.vm_id.map(|id| id.0), ours.first().map(|machine| machine.id), "the one of exactly this name");
    life.end(id).await;
}
