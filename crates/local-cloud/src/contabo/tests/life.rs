//! What becomes of an order that was accepted.

use serde_json::{Value, json};

use super::support::{Bench, INSTANCES};
use crate::contabo::{Delay, Options, OrderOutcome};

#[tokio::test]
async fn a_new_vm_is_provisioned_installed_and_running() {
    let options = Options {
        provisioning: Delay::seconds(10, 0),
        installing: Delay::seconds(20, 0),
        boot: Delay::seconds(5, 0),
        unreadable_after_create: Delay::ZERO,
        ..Options::default()
    };
    let bench = Bench::new(options).await;
    let id = bench.order("one").await;
    assert_eq!(bench.status(id).await, "provisioning");
    bench.pass(10).await;
    assert_eq!(bench.status(id).await, "installing");
    bench.pass(20).await;
    assert_eq!(bench.status(id).await, "running");
    let address = bench.address(id).await;
    assert!(!bench.contabo.reachable(address, 2222), "running is not booted");
    bench.pass(5).await;
    assert!(bench.contabo.reachable(address, 2222));
    assert!(!bench.contabo.reachable(address, 80));
}

#[tokio::test]
async fn fields_are_null_or_empty_before_the_vm_has_its_hardware() {
    let bench = Bench::new(Options { unreadable_after_create: Delay::ZERO, ..Options::default() }).await;
    let ids = [bench.order("one").await, bench.order("two").await];
    let mut configs = Vec::new();
    let mut cancel_dates = Vec::new();
    for id in ids {
        let object = bench.instance(id).await;
        for field in ["name", "ramMb", "diskMb", "macAddress", "vHostId", "vHostName", "dataCenter"] {
            assert_eq!(object[field], Value::Null, "{field}");
        }
        configs.push(object["ipConfig"].clone());
        cancel_dates.push(object["cancelDate"].clone());
    }
    // Both forms are met: null, and present without an address.
    assert!(configs.contains(&Value::Null));
    assert!(configs.iter().any(|config| config["v4"]["ip"] == "" && config.get("v6").is_none()));
    assert!(cancel_dates.contains(&Value::Null) && cancel_dates.contains(&json!("")));
}

#[tokio::test]
async fn a_get_answers_404_for_a_while_after_the_order() {
    let options = Options {
        unreadable_after_create: Delay::seconds(2, 0),
        unlisted_after_create: Delay::seconds(4, 0),
        ..Options::instant()
    };
    let bench = Bench::new(options).await;
    let id = bench.order("one").await;
    bench.get(&format!("{INSTANCES}/{id}")).await.refused(404, "not found");
    bench.pass(2).await;
    bench.instance(id).await;
    assert!(bench.get(INSTANCES).await.data().is_empty());
    bench.pass(2).await;
    assert_eq!(bench.get(INSTANCES).await.ids(), [id]);
}

#[tokio::test]
async fn orders_can_end_in_each_of_the_other_statuses() {
    let bench = Bench::instant().await;
    for (outcome, status) in [
        (OrderOutcome::PendingPayment, "pending_payment"),
        (OrderOutcome::VerificationRequired, "verification_required"),
        (OrderOutcome::ManualProvisioning, "manual_provisioning"),
        (OrderOutcome::ProductNotAvailable, "product_not_available"),
        (OrderOutcome::Error, "error"),
        (OrderOutcome::Normal, "running"),
    ] {
        bench.contabo.next_order(outcome);
        let id = bench.order("one").await;
        bench.pass(86_400).await;
        let object = bench.instance(id).await;
        assert_eq!(object["status"], status);
        assert_eq!(object.get("errorMessage").is_some(), status == "error");
        let has_address = object["ipConfig"]["v4"]["ip"].as_str().is_some_and(|ip| !ip.is_empty());
        assert_eq!(has_address, matches!(outcome, OrderOutcome::Normal | OrderOutcome::Error), "{status}");
    }
}

#[tokio::test]
async fn staff_builds_a_manual_order_if_it_is_told_to() {
    let options = Options {
        staff: Some(Delay::seconds(3_600, 0)),
        next_orders: vec![OrderOutcome::ManualProvisioning],
        ..Options::instant()
    };
    let bench = Bench::new(options).await;
    let id = bench.order("one").await;
    bench.pass(3_599).await;
    assert_eq!(bench.status(id).await, "manual_provisioning");
    bench.pass(1).await;
    assert_eq!(bench.status(id).await, "running");
}

#[tokio::test]
async fn an_instance_can_be_stuck_in_a_status() {
    let bench = Bench::instant().await;
    let id = bench.order("one").await;
    let address = bench.address(id).await;
    bench.contabo.adjust(|options| {
        options.stuck = Some(std::sync::Arc::new(move |other| (other == id).then(|| "installing".to_owned())));
    });
    bench.pass(86_400).await;
    assert_eq!(bench.status(id).await, "installing");
    assert!(!bench.contabo.reachable(address, 2222));
    bench.contabo.adjust(|options| options.stuck = None);
    assert_eq!(bench.status(id).await, "running");
    assert!(bench.contabo.reachable(address, 2222));
}
