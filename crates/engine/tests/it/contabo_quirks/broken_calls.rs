//! Each fault on the order of a VM, which must not be sent twice, and on reads and other writes of the same life.

use std::time::Duration;

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

/// One life after another, each with the fault on another call, which is not made again sooner than after `pause`.
async fn survived(fault: Fault, pause: Duration) {
    for route in ROUTES {
        let life = Life::begin(demo());
        life.add(Rule { route: Some(route.to_owned()), count: Some(1), ..Rule::new(fault.clone()) });
        let id = life.ask(request(1)).await;
        if route == "contabo.instances.create" {
            life.active_with_a_person(id).await;
        } else {
            life.active(id).await;
        }
        assert!(life.orders() <= 2, "{route}: {} orders", life.orders());
        let (calls, row) = (life.calls(route), life.row(id).await);
        life.process.engine.delete(id, &row.owner).await.unwrap();
        life.rest().await;
        let calls = if calls.is_empty() { life.calls(route) } else { calls };
        // Lists are read by several parts of the engine, each for itself.
        if let [struck, next, ..] = &calls[..]
            && route != "contabo.instances.list"
        {
            let paused = next.time.duration_since(struck.time);
            assert!(paused >= pause.try_into().unwrap(), "{route}: called again after {paused:#}");
        }
        life.end(id).await;
    }
}

fn status(status: u16, retry_after: Option<u64>) -> Fault {
    Fault::Status { status, retry_after, body: None, after: false }
}

#[tokio::test(start_paused = true)]
async fn lost_before() {
    survived(Fault::LostBefore, Duration::ZERO).await;
}

#[tokio::test(start_paused = true)]
async fn lost_after_commit() {
    survived(Fault::LostAfter, Duration::ZERO).await;
}

#[tokio::test(start_paused = true)]
async fn status_429_with_retry_after() {
    survived(status(429, Some(7)), Duration::from_secs(7)).await;
}

#[tokio::test(start_paused = true)]
async fn status_429_without_retry_after() {
    survived(status(429, None), Duration::ZERO).await;
}

#[tokio::test(start_paused = true)]
async fn status_500() {
    survived(status(500, None), Duration::ZERO).await;
}

#[tokio::test(start_paused = true)]
async fn status_500_after_commit() {
    survived(Fault::Status { status: 500, retry_after: None, body: None, after: true }, Duration::ZERO).await;
}

#[tokio::test(start_paused = true)]
async fn status_502() {
    survived(status(502, None), Duration::ZERO).await;
}

#[tokio::test(start_paused = true)]
async fn delay_before_and_after() {
    for after in [false, true] {
        survived(Fault::Delay { ms: 60_000, after }, Duration::ZERO).await;
    }
}

#[tokio::test(start_paused = true)]
async fn cut_body() {
    survived(Fault::CutBody, Duration::ZERO).await;
}

#[tokio::test(start_paused = true)]
async fn html_body() {
    for (status, after) in [(200, true), (502, false)] {
        survived(Fault::Html { status, after }, Duration::ZERO).await;
    }
}

#[tokio::test(start_paused = true)]
async fn stuck_status() {
    let life = Life::begin(demo());
    life.add(Rule::new(Fault::Stuck { status: "installing".to_owned(), instance: None }));
    let id = life.ask(request(1)).await;
    tokio::time::sleep(Duration::from_mins(10)).await;
    assert_eq!(life.shown().await["status"], "installing", "the fault");
    assert_eq!(life.orders(), 1, "waiting buys nothing");
    life.world.cloud.faults().clear();
    life.active(id).await;
    life.end(id).await;
}
