//! Cancelling: the only end that an instance has.

use std::time::Duration;

use alfred_engine::CreateEnvironments;
use alfred_local_cloud::contabo::{Delay, Options, OrderOutcome};
use alfred_model::environment::{OnFailure, Status};
use alfred_model::id::EnvironmentId;
use alfred_model::vm::VmState;
use serde_json::{Value, json};

use super::life::{Life, demo};
use crate::world::request;

const CANCEL: &str = "contabo.instances.cancel";

/// A life whose VM fails at Contabo, so that it is cancelled as its owner asked for.
async fn retired(options: Options) -> (Life, EnvironmentId, i64) {
    // Another installation would mend what the order is made to suffer from.
    let life = Life::begin_with(options, |policy| policy.reinstalls_max = 0);
    life.world.cloud.contabo().next_order(OrderOutcome::Error);
    let id = life.ask(CreateEnvironments { on_failure: OnFailure::Retire, ..request(1) }).await;
    life.rest().await;
    let row = life.row(id).await;
    assert_eq!(row.status, Status::Error, "{:?}", row.reason);
    let vm = life.world.store.vms(false).await.unwrap().remove(0);
    assert_eq!(vm.state, VmState::Retiring);
    (life, id, vm.id.0)
}

#[tokio::test(start_paused = true)]
async fn a_cancellation_needs_an_empty_object_as_its_body() {
    let (life, id, vm) = retired(demo()).await;
    assert_eq!(life.statuses(CANCEL), [Some(201)], "sent once, and taken");
    let (status, refusal) = life.stranger("POST", &format!("/v1/compute/instances/{vm}/cancel"), Value::Null).await;
    assert_eq!((status, &refusal["message"]), (400, &json!("Body cannot be empty")), "the quirk");
    life.end(id).await;
}

#[tokio::test(start_paused = true)]
async fn the_end_date_appears_late() {
    let options = Options { cancel_date_delay: Delay::seconds(60, 0), ..demo() };
    let life = Life::begin_with(options, |policy| policy.reinstalls_max = 0);
    life.world.cloud.contabo().next_order(OrderOutcome::Error);
    let id = life.ask(CreateEnvironments { on_failure: OnFailure::Retire, ..request(1) }).await;
    let mut waited = 0;
    while life.calls(CANCEL).is_empty() {
        tokio::time::sleep(Duration::from_secs(1)).await;
        waited += 1;
        assert!(waited < 600, "it was never cancelled");
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    let shown = life.shown().await["cancelDate"].clone();
    assert!(shown.is_null() || shown == "", "the quirk: {shown}");
    life.rest().await;
    tokio::time::sleep(Duration::from_mins(2)).await;
    let shown = life.shown().await["cancelDate"].as_str().unwrap().to_owned();
    let vm = life.world.store.vms(false).await.unwrap().remove(0);
    assert_eq!(vm.cancel_date.map(|date| date.to_string()), Some(shown), "the provider's own date");
    assert_eq!(life.calls(CANCEL).len(), 1, "what is cancelled is not cancelled again");
    life.end(id).await;
}

#[tokio::test(start_paused = true)]
async fn an_instance_cannot_be_deleted() {
    let life = Life::begin(demo());
    let made = life.create().await;
    let vm = made.vm_id.unwrap();
    let (status, _) = life.stranger("DELETE", &format!("/v1/compute/instances/{vm}"), Value::Null).await;
    assert_eq!(status, 404, "the quirk");
    life.process.engine.delete(made.id, &made.owner).await.unwrap();
    life.rest().await;
    let vms = life.world.store.vms(false).await.unwrap();
    assert_eq!((vms[0].id, vms[0].state), (vm, VmState::Ready), "it is in the pool, and paid for");
    assert_eq!((life.shown().await["status"].as_str(), life.calls(CANCEL).len()), (Some("running"), 0));
    let deletions = life.world.cloud.journal().entries();
    let deletions = deletions.iter().filter(|call| call.method == "DELETE" && call.path.starts_with("/v1/"));
    assert_eq!(deletions.count(), 1, "the stranger's alone");
    life.end(made.id).await;
}

#[tokio::test(start_paused = true)]
async fn a_cancellation_cannot_be_taken_back() {
    let (life, id, vm) = retired(demo()).await;
    tokio::time::sleep(Duration::from_mins(1)).await;
    let before = life.shown().await["cancelDate"].clone();
    let path = format!("/v1/compute/instances/{vm}");
    let (status, _) = life.stranger("PATCH", &path, json!({"cancelDate": null})).await;
    assert_eq!(
        (status, life.shown().await["cancelDate"].clone()),
        (200, before),
        "the quirk: taken, and nothing changed"
    );
    for method in ["DELETE", "PATCH"] {
        let (status, _) = life.stranger(method, &format!("{path}/cancel"), json!({})).await;
        assert_eq!(status, 404, "the quirk: {method}");
    }
    life.process.engine.delete(id, &"alice".parse().unwrap()).await.unwrap();
    life.rest().await;
    let known = life.world.store.vms(false).await.unwrap();
    assert_eq!((known[0].id.0, known[0].state), (vm, VmState::Retiring), "it never goes back to the pool");
    life.end(id).await;
}
