//! What the account's holder is charged.

use jiff::Timestamp;
use serde_json::json;

use super::support::{Bench, INSTANCES};
use crate::contabo::{Contract, OrderOutcome};

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn only(bench: &Bench) -> Contract {
    let mut contracts = bench.contabo.contracts();
    assert_eq!(contracts.len(), 1);
    contracts.remove(0)
}

#[tokio::test]
async fn a_contract_renews_each_month_until_it_is_cancelled() {
    let bench = Bench::instant().await;
    let id = bench.order("one").await;
    let first = only(&bench);
    assert_eq!((first.instance, first.terms, first.months, first.display_name.as_str()), (id, 1, 1, "one"));
    assert_eq!((first.paid_until, first.cancelled_at, first.ends_at), (time("2026-05-10T00:00:00Z"), None, None));
    bench.at("2026-07-01T00:00:00Z").await;
    let third = only(&bench);
    assert_eq!((third.terms, third.paid_until), (3, time("2026-07-10T00:00:00Z")));
    bench.post(&format!("{INSTANCES}/{id}/cancel"), json!({})).await.done(201);
    let late = only(&bench);
    assert_eq!(late.ends_at, Some(time("2026-08-10T00:00:00Z")), "too late for the tenth of July");
    assert_eq!(late.cancelled_at, Some(time("2026-07-01T00:00:00Z")));
    bench.at("2026-12-01T00:00:00Z").await;
    let ended = only(&bench);
    assert_eq!((ended.terms, ended.paid_until), (4, time("2026-08-10T00:00:00Z")), "nothing is paid after its end");
    assert!(ended.runs(time("2026-08-09T23:59:59Z")) && !ended.runs(time("2026-08-10T00:00:00Z")));
}

#[tokio::test]
async fn an_order_that_is_not_paid_costs_nothing_and_can_be_removed_in_the_panel() {
    let bench = Bench::instant().await;
    let paid = bench.order("paid").await;
    bench.contabo.next_order(OrderOutcome::PendingPayment);
    let ghost = bench.order("ghost").await;
    let of = |id| bench.contabo.contracts().into_iter().find(|contract| contract.instance == id);
    assert_eq!((of(paid).unwrap().terms, of(ghost).unwrap().terms), (1, 0));
    assert!(!bench.contabo.remove_unpaid(paid), "what is paid is not removed");
    assert!(bench.contabo.remove_unpaid(ghost));
    assert!(!bench.contabo.remove_unpaid(ghost) && of(ghost).is_none());
    bench.get(&format!("{INSTANCES}/{ghost}")).await.refused(404, "not found");
}
