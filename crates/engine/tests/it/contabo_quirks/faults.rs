//! Each fault on the order of a VM, which must not be sent twice, and on reads and other writes of the same life.

use alfred_local_cloud::faults::{Fault, Rule};

use super::life::Life;
use super::life::demo;
use crate::world::request;

/// The calls of a whole life that are struck, each once.
const ROUTES: [&str; 5] = [
    "contabo.token",
    "contabo.instances.create",
    "contabo.instances.list",
    "contabo.instances.rename",
    "contabo.instances.reinstall",
];

/// One life after another, each with the fault on another call.
async fn survived(fault: Fault) {
    for route in ROUTES {
        let life = Life::begin(demo());
        let strikes_order = route == "contabo.instances.create";
        life.add(Rule { route: Some(route.to_owned()), count: Some(1), ..Rule::new(fault.clone()) });
        let id = life.ask(request(1)).await;
        if strikes_order {
            life.active_with_a_person(id).await;
        } else {
            life.active(id).await;
        }
        assert!(life.orders() <= 2, "{route}: {} orders", life.orders());
        life.end(id).await;
    }
}

fn status(status: u16, retry_after: Option<u64>) -> Fault {
    Fault::Status { status, retry_after, body: None, after: false }
}

#[tokio::test(start_paused = true)]
async fn lost_before() {
    survived(Fault::LostBefore).await;
}

#[tokio::test(start_paused = true)]
async fn lost_after_commit() {
    survived(Fault::LostAfter).await;
}

#[tokio::test(start_paused = true)]
async fn status_429_with_retry_after() {
    survived(status(429, Some(7))).await;
}

#[tokio::test(start_paused = true)]
async fn status_429_without_retry_after() {
    survived(status(429, None)).await;
}

#[tokio::test(start_paused = true)]
async fn status_500() {
    survived(status(500, None)).await;
}

#[tokio::test(start_paused = true)]
async fn status_502() {
    survived(status(502, None)).await;
}

#[tokio::test(start_paused = true)]
async fn delay_before_and_after() {
    for after in [false, true] {
        survived(Fault::Delay { ms: 60_000, after }).await;
    }
}

#[tokio::test(start_paused = true)]
async fn cut_body() {
    survived(Fault::CutBody).await;
}

#[tokio::test(start_paused = true)]
async fn html_body() {
    for (status, after) in [(200, true), (502, false)] {
        survived(Fault::Html { status, after }).await;
    }
}

#[tokio::test(start_paused = true)]
async fn stuck_status() {
    let life = Life::begin(demo());
    life.add(Rule::new(Fault::Stuck { status: "installing".to_owned(), instance: None }));
    let id = life.ask(request(1)).await;
    tokio::time::sleep(std::time::Duration::from_mins(10)).await;
    assert_eq!(life.shown().await["status"], "installing", "the fault");
    assert_eq!(life.orders(), 1, "waiting buys nothing");
    life.world.cloud.faults().clear();
    life.active(id).await;
    life.end(id).await;
}
