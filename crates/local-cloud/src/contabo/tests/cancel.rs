//! The end of a contract.

use serde_json::{Value, json};

use super::support::{Bench, INSTANCES, UBUNTU};
use crate::contabo::{Delay, Options, OrderOutcome};

fn cancel(id: i64) -> String {
    format!("{INSTANCES}/{id}/cancel")
}

#[tokio::test]
async fn a_cancellation_needs_a_body_and_an_empty_object_will_do() {
    let bench = Bench::instant().await;
    let id = bench.order("one").await;
    bench.act(&cancel(id)).await.refused(400, "Body cannot be empty");
    let answer = bench.post(&cancel(id), json!({})).await.done(201);
    assert_eq!(
        *answer.object(),
        json!({ "tenantId": "DE", "customerId": "10000001", "instanceId": id, "cancelDate": "2026-05-09" })
    );
}

#[tokio::test]
async fn a_late_cancellation_pays_for_the_next_month() {
    let bench = Bench::instant().await;
    let id = bench.order("one").await;
    bench.at("2026-05-09T19:30:00Z").await;
    assert_eq!(bench.post(&cancel(id), json!({})).await.object()["cancelDate"], "2026-06-09");
}

#[tokio::test]
async fn a_yearly_contract_ends_after_a_year() {
    let bench = Bench::instant().await;
    let answer = bench.post(INSTANCES, json!({ "period": 12 })).await;
    let id = answer.object()["instanceId"].as_i64().unwrap();
    assert_eq!(bench.post(&cancel(id), json!({})).await.object()["cancelDate"], "2027-04-09");
}

#[tokio::test]
async fn an_earlier_date_is_not_granted_and_a_malformed_one_is_refused() {
    let bench = Bench::instant().await;
    let id = bench.order("one").await;
    for wrong in [json!("tomorrow"), json!("2026-04-11"), json!(5)] {
        bench.post(&cancel(id), json!({ "cancelDate": wrong })).await.invalid("cancelDate must be");
    }
    let answer = bench.post(&cancel(id), json!({ "cancelDate": "2026-04-11T00:00:00Z" })).await;
    assert_eq!(answer.object()["cancelDate"], "2026-05-09");
}

#[tokio::test]
async fn a_second_cancellation_is_422() {
    let bench = Bench::instant().await;
    let id = bench.order("one").await;
    bench.post(&cancel(id), json!({})).await.done(201);
    bench.post(&cancel(id), json!({})).await.refused(422, "already cancelled");
}

#[tokio::test]
async fn an_unpaid_order_cannot_be_cancelled() {
    let bench = Bench::instant().await;
    bench.contabo.next_order(OrderOutcome::PendingPayment);
    let id = bench.order("ghost").await;
    bench.post(&cancel(id), json!({})).await.refused(422, "not paid");
}

#[tokio::test]
async fn a_vm_can_be_cancelled_right_after_its_order() {
    let bench = Bench::new(Options::default()).await;
    let id = bench.order("one").await;
    bench.get(&format!("{INSTANCES}/{id}")).await.refused(404, "not found");
    bench.post(&cancel(id), json!({})).await.done(201);
}

#[tokio::test]
async fn the_date_is_shown_after_a_delay() {
    let bench = Bench::new(Options { cancel_date_delay: Delay::seconds(5, 0), ..Options::instant() }).await;
    let id = bench.order("one").await;
    bench.post(&cancel(id), json!({})).await.done(201);
    let shown = bench.instance(id).await["cancelDate"].clone();
    assert!(shown == Value::Null || shown == "", "{shown}");
    bench.pass(5).await;
    assert_eq!(bench.instance(id).await["cancelDate"], "2026-05-09");
    assert_eq!(bench.get(INSTANCES).await.object()["cancelDate"], "2026-05-09");
}

#[tokio::test]
async fn a_cancelled_vm_works_until_its_date_and_is_gone_after_it() {
    let bench = Bench::instant().await;
    let id = bench.order("one").await;
    let address = bench.address(id).await;
    bench.post(&cancel(id), json!({})).await.done(201);
    bench.at("2026-05-09T23:59:59Z").await;
    bench.put(&format!("{INSTANCES}/{id}"), json!({ "imageId": UBUNTU })).await.done(200);
    assert_eq!(bench.status(id).await, "running");
    assert!(bench.contabo.reachable(address, 2222));
    bench.at("2026-05-10T00:00:00Z").await;
    bench.get(&format!("{INSTANCES}/{id}")).await.refused(404, "not found");
    assert!(bench.get(INSTANCES).await.data().is_empty());
    assert!(!bench.contabo.reachable(address, 2222));
    bench.put(&format!("{INSTANCES}/{id}"), json!({ "imageId": UBUNTU })).await.refused(404, "not found");
}

#[tokio::test]
async fn there_is_no_way_back_from_a_cancellation() {
    let bench = Bench::instant().await;
    let id = bench.order("one").await;
    bench.post(&cancel(id), json!({})).await.done(201);
    bench.delete(&cancel(id)).await.refused(404, "Cannot DELETE");
    bench.patch(&cancel(id), json!({})).await.refused(404, "Cannot PATCH");
    for nothing in [Value::Null, json!("")] {
        bench.patch(&format!("{INSTANCES}/{id}"), json!({ "cancelDate": nothing })).await.done(200);
        assert_eq!(bench.instance(id).await["cancelDate"], "2026-05-09");
    }
}

#[tokio::test]
async fn an_ended_vm_makes_room_and_its_address_is_not_given_again() {
    let bench = Bench::new(Options { instance_cap: 1, ..Options::instant() }).await;
    let id = bench.order("one").await;
    let address = bench.address(id).await;
    bench.post(&cancel(id), json!({})).await.done(201);
    bench.post(INSTANCES, json!({ "period": 1 })).await.refused(402, "maximum of 1 instances");
    bench.at("2026-05-10T00:00:00Z").await;
    let next = bench.order("two").await;
    assert_ne!(bench.address(next).await, address);
}
