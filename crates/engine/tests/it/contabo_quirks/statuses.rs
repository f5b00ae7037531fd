//! Each of the 14 statuses: what waits, what needs a person, and what is of no use.

use std::time::Duration;

use alfred_local_cloud::contabo::{Delay, Options};
use alfred_local_cloud::faults::{Fault, Rule};
use alfred_model::environment::{Environment, Status};
use serde_json::Value;

use super::life::{Life, demo};
use crate::world::request;

/// An environment whose VM stays in `status`, a minute later.
async fn stuck(status: &str) -> (Life, Environment) {
    let life = Life::begin(demo());
    life.add(Rule::new(Fault::Stuck { status: status.to_owned(), instance: None }));
    let id = life.ask(request(1)).await;
    tokio::time::sleep(Duration::from_mins(1)).await;
    let shown = life.shown().await;
    assert_eq!(shown["status"], status, "the quirk");
    let row = life.row(id).await;
    (life, row)
}

/// While it lasts the environment waits, quietly; afterwards it works.
async fn waits(status: &str) {
    let (life, row) = stuck(status).await;
    assert_eq!((row.status, row.attention), (Status::Provisioning, false), "{:?}", row.reason);
    life.world.cloud.faults().clear();
    life.active(row.id).await;
    life.end(row.id).await;
}

/// While it lasts a person is called; afterwards it works by itself.
async fn calls_a_person(status: &str, words: &str) {
    let (life, row) = stuck(status).await;
    assert_eq!((row.status, row.attention), (Status::Provisioning, true), "{:?}", row.reason);
    assert!(row.reason.as_deref().is_some_and(|reason| reason.contains(words)), "{:?}", row.reason);
    assert_eq!(life.orders(), 1, "nothing else is bought meanwhile");
    life.world.cloud.faults().clear();
    let row = life.active(row.id).await;
    assert!(!row.attention);
    life.end(row.id).await;
}

/// The environment ends in error; nothing else is bought for it until its owner says so, and the VM is not lost.
async fn is_dead(status: &str, words: &str) {
    let (life, row) = stuck(status).await;
    assert_eq!(row.status, Status::Error, "{:?}", row.reason);
    assert!(row.reason.as_deref().is_some_and(|reason| reason.contains(words)), "{:?}", row.reason);
    assert_eq!(life.orders(), 1, "nothing else is bought");
    life.world.cloud.faults().clear();
    life.rest().await;
    tokio::time::sleep(life.world.policy.name_rest).await;
    life.process.engine.retry(row.id, false, &row.owner).await.unwrap();
    life.active(row.id).await;
    // Its VM was mended and serves, or is kept for a person to look at while another one serves.
    let orders = life.orders();
    assert!(orders <= 2, "{orders} orders for one wish and one retry");
    let kept = life.world.store.vms(false).await.unwrap();
    assert_eq!(kept.len(), orders, "each is known: {kept:#?}");
    life.end_with(row.id, orders).await;
}

#[tokio::test(start_paused = true)]
async fn provisioning_waits() {
    waits("provisioning").await;
}

#[tokio::test(start_paused = true)]
async fn installing_waits() {
    waits("installing").await;
}

#[tokio::test(start_paused = true)]
async fn stopped_is_started() {
    let life = Life::begin(Options { boot: Delay::seconds(60, 0), ..demo() });
    let id = life.ask(request(1)).await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    let vm = life.row(id).await.vm_id.unwrap();
    let (status, _) = life.stranger("POST", &format!("/v1/compute/instances/{vm}/actions/stop"), Value::Null).await;
    assert_eq!((status, life.shown().await["status"].as_str()), (201, Some("stopped")), "the quirk");
    life.active(id).await;
    assert_eq!(life.statuses("contabo.instances.actions.start"), [Some(201)]);
    life.end(id).await;
}

#[tokio::test(start_paused = true)]
async fn uninstalled_waits() {
    waits("uninstalled").await;
}

#[tokio::test(start_paused = true)]
async fn rescue_waits() {
    waits("rescue").await;
}

#[tokio::test(start_paused = true)]
async fn reset_password_waits() {
    waits("reset_password").await;
}

#[tokio::test(start_paused = true)]
async fn unknown_waits() {
    waits("unknown").await;
}

#[tokio::test(start_paused = true)]
async fn other_waits() {
    waits("other").await;
}

#[tokio::test(start_paused = true)]
async fn pending_payment_calls_a_person() {
    calls_a_person("pending_payment", "Unpaid Orders").await;
}

#[tokio::test(start_paused = true)]
async fn verification_required_calls_a_person() {
    calls_a_person("verification_required", "e-mail").await;
}

#[tokio::test(start_paused = true)]
async fn manual_provisioning_calls_a_person() {
    calls_a_person("manual_provisioning", "staff").await;
}

#[tokio::test(start_paused = true)]
async fn product_not_available_is_dead() {
    is_dead("product_not_available", "sold out").await;
}

#[tokio::test(start_paused = true)]
async fn error_is_dead() {
    is_dead("error", "failed at the provider").await;
}

#[tokio::test(start_paused = true)]
async fn running_is_not_ready() {
    let life = Life::begin(Options { boot: Delay::seconds(60, 0), ..demo() });
    let id = life.ask(request(1)).await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(life.shown().await["status"], "running", "the quirk");
    let row = life.row(id).await;
    assert_eq!(row.status, Status::Provisioning, "it does not answer yet");
    let machine = life.bought().await.remove(0);
    assert_eq!(row.vm_id.map(|id| id.0), Some(machine.id));
    life.active(id).await;
    life.end(id).await;
}
