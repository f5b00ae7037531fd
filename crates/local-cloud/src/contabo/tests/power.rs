//! Power actions.

use serde_json::json;

use super::support::{Answer, Bench, INSTANCES};
use crate::contabo::{Delay, Options};

async fn act(bench: &Bench, id: i64, action: &str) -> Answer {
    bench.act(&format!("{INSTANCES}/{id}/actions/{action}")).await
}

#[tokio::test]
async fn an_action_is_answered_with_its_name() {
    let bench = Bench::instant().await;
    let id = bench.order("one").await;
    for action in ["stop", "start", "restart", "shutdown"] {
        let answer = act(&bench, id, action).await.done(201);
        assert_eq!(
            *answer.object(),
            json!({ "tenantId": "DE", "customerId": "10000001", "instanceId": id, "action": action })
        );
    }
}

#[tokio::test]
async fn starting_what_runs_and_stopping_what_is_stopped_changes_nothing() {
    let bench = Bench::new(Options { boot: Delay::seconds(5, 0), ..Options::instant() }).await;
    let id = bench.order("one").await;
    let address = bench.address(id).await;
    bench.pass(5).await;
    act(&bench, id, "start").await.done(201);
    assert!(bench.contabo.reachable(address, 2222), "a start of what runs must not boot it again");
    for _ in 0..2 {
        act(&bench, id, "stop").await.done(201);
        assert_eq!(bench.status(id).await, "stopped");
        assert!(!bench.contabo.reachable(address, 2222));
    }
    act(&bench, id, "start").await.done(201);
    assert_eq!(bench.status(id).await, "running");
    assert!(!bench.contabo.reachable(address, 2222));
    bench.pass(5).await;
    assert!(bench.contabo.reachable(address, 2222));
}

#[tokio::test]
async fn a_restart_boots_again() {
    let bench = Bench::new(Options { boot: Delay::seconds(5, 0), ..Options::instant() }).await;
    let id = bench.order("one").await;
    let address = bench.address(id).await;
    bench.pass(5).await;
    act(&bench, id, "restart").await.done(201);
    assert_eq!(bench.status(id).await, "running");
    assert!(!bench.contabo.reachable(address, 2222));
    bench.pass(5).await;
    assert!(bench.contabo.reachable(address, 2222));
}

#[tokio::test]
async fn a_shutdown_takes_its_time() {
    let bench = Bench::new(Options { action: Delay::seconds(5, 0), ..Options::instant() }).await;
    let id = bench.order("one").await;
    act(&bench, id, "shutdown").await.done(201);
    assert_eq!(bench.status(id).await, "running");
    bench.pass(5).await;
    assert_eq!(bench.status(id).await, "stopped");
}

#[tokio::test]
async fn rescue_and_password_reset_need_a_body_and_do_not_wipe() {
    let bench = Bench::new(Options { action: Delay::seconds(5, 0), ..Options::instant() }).await;
    let id = bench.order("one").await;
    let path = |action: &str| format!("{INSTANCES}/{id}/actions/{action}");
    for action in ["rescue", "resetPassword"] {
        bench.act(&path(action)).await.refused(400, "Body cannot be empty");
        bench.post(&path(action), json!({ "sshKeys": [9] })).await.refused(400, "secretId 9");
        bench.post(&path(action), json!({ "rootPassword": 9 })).await.refused(500, "Internal server error");
    }
    bench.post(&path("rescue"), json!({})).await.done(201);
    assert_eq!(bench.status(id).await, "rescue");
    act(&bench, id, "restart").await.done(201);
    assert_eq!(bench.status(id).await, "running");
    bench.post(&path("resetPassword"), json!({})).await.done(201);
    assert_eq!(bench.status(id).await, "reset_password");
    bench.pass(5).await;
    assert_eq!(bench.status(id).await, "running");
    assert_eq!(bench.get("/_admin/machines").await.body[0]["wiped"], 0);
}

#[tokio::test]
async fn what_is_being_installed_takes_no_action() {
    let bench = Bench::new(Options { installing: Delay::seconds(5, 0), ..Options::instant() }).await;
    let id = bench.order("one").await;
    act(&bench, id, "stop").await.refused(409, "not provisioned");
    assert_eq!(bench.status(id).await, "installing");
}
