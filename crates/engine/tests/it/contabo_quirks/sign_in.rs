//! The OAuth2 password grant and what goes with each call.

use std::time::Duration;

use alfred_local_cloud::contabo::{Delay, Options};
use alfred_local_cloud::faults::{Fault, Rule};
use alfred_local_cloud::journal::Service;
use alfred_model::environment::Status;
use bytes::Bytes;

use super::life::{Life, demo};
use crate::world::request;

const TOKEN: &str = "contabo.token";

#[tokio::test(start_paused = true)]
async fn access_tokens_of_300_s_are_renewed_early() {
    let options = Options { provisioning: Delay::seconds(1_200, 0), ..demo() };
    // Twenty minutes are many looks.
    let life = Life::begin_with(options, |policy| policy.vm_interval = Duration::from_secs(10));
    let made = life.create().await;
    assert!(life.calls(TOKEN).len() >= 4, "1,200 s take more than four tokens of 300 s");
    let list = life.statuses("contabo.instances.list");
    assert!(list.len() > 50 && list.iter().all(|status| *status == Some(200)), "none ended on its way: {list:?}");
    life.end(made.id).await;
}

#[tokio::test(start_paused = true)]
async fn one_login_at_a_time_serves_all_who_wait() {
    let life = Life::begin(demo());
    life.fault("contabo.token delay=3000 count=1");
    let made = life.process.engine.create(request(20)).await.unwrap();
    life.rest().await;
    assert_eq!(life.calls(TOKEN).len(), 1, "twenty orders waited for one login");
    assert_eq!((life.bought().await.len(), life.orders()), (20, 20), "one VM each");
    for one in &made {
        assert_eq!(life.row(one.id).await.status, Status::Active);
        life.process.engine.delete(one.id, &one.owner).await.unwrap();
    }
    life.rest().await;
    assert_eq!(life.world.with_status(Status::Deleted).await.len(), 20);
}

#[tokio::test(start_paused = true)]
async fn a_401_in_between_logs_in_once_more() {
    let life = Life::begin(Options { provisioning: Delay::seconds(10, 0), ..demo() });
    let id = life.ask(request(1)).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    life.world.cloud.contabo().revoke_tokens();
    let made = life.active(id).await;
    let refused = life.statuses("contabo.instances.list").into_iter().filter(|status| *status == Some(401)).count();
    assert_eq!((refused, life.calls(TOKEN).len()), (1, 2), "one refusal, one more login");
    life.end(made.id).await;
}

#[tokio::test(start_paused = true)]
async fn invalid_grant_under_load_is_tried_again() {
    let life = Life::begin(demo());
    let body = Some(r#"{"error":"invalid_grant","error_description":"Invalid user credentials"}"#.to_owned());
    let fault = Fault::Status { status: 401, retry_after: None, body, after: false };
    life.add(Rule { route: Some(TOKEN.to_owned()), count: Some(1), ..Rule::new(fault) });
    let made = life.create().await;
    assert_eq!(life.statuses(TOKEN), [Some(401), Some(200)]);
    assert_eq!(life.orders(), 1, "nothing was sent without a token");
    life.end(made.id).await;
}

#[tokio::test(start_paused = true)]
async fn an_x_request_id_of_the_pattern_is_required() {
    let life = Life::begin(demo());
    for id in [None, Some("019a0b5e-37b4-7bbc-a794-1a57abe6aa31"), Some("order-1")] {
        let request = life.request("GET", "/v1/compute/instances").await;
        let request = if let Some(id) = id { request.header("x-request-id", id) } else { request };
        assert_eq!(life.send(request, Bytes::new()).await.0, 400, "the quirk: {id:?}");
    }
    life.world.cloud.journal().clear();
    let made = life.create().await;
    let journal = life.world.cloud.journal().entries();
    let calls: Vec<_> = journal.into_iter().filter(|it| it.service == Service::Contabo && it.route != TOKEN).collect();
    assert!(calls.len() > 3, "{calls:#?}");
    for call in calls {
        let id = uuid::Uuid::try_parse(&call.request_id.unwrap_or_default()).unwrap();
        assert_eq!(id.get_version_num(), 4, "{} {}", call.method, call.path);
    }
    life.end(made.id).await;
}

#[tokio::test(start_paused = true)]
async fn a_call_without_a_body_must_not_carry_a_content_type() {
    let life = Life::begin(demo());
    for (method, path) in [("GET", "/v1/compute/instances"), ("DELETE", "/v1/secrets/1")] {
        let request = life.request(method, path).await.header("x-request-id", "04e0f898-37b4-48bc-a794-1a57abe6aa31");
        let (status, refusal) = life.send(request.header("content-type", "application/json"), Bytes::new()).await;
        let words = refusal["message"].as_str().unwrap_or_default();
        assert!(
            status == 400 && words.contains("Body cannot be empty when content-type is set"),
            "the quirk: {refusal}"
        );
    }
    life.world.cloud.journal().clear();
    let made = life.create().await;
    let reads = life.statuses("contabo.instances.list");
    assert!(!reads.is_empty() && reads.iter().all(|status| *status == Some(200)), "{reads:?}");
    life.end(made.id).await;
}
