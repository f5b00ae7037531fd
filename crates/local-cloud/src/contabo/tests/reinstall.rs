//! Wiping a VM, and renaming it.

use serde_json::json;

use super::support::{Bench, INSTANCES, UBUNTU};
use crate::contabo::{Delay, Options, OrderOutcome};

#[tokio::test]
async fn a_reinstall_needs_an_image() {
    let bench = Bench::instant().await;
    let path = format!("{INSTANCES}/{}", bench.order("one").await);
    bench.put(&path, json!({})).await.invalid("imageId should not be empty");
    bench.put(&path, json!({ "imageId": "x" })).await.invalid("imageId must be a UUID");
    bench.put(&path, json!({ "imageId": UBUNTU, "sshKeys": [9] })).await.refused(400, "secretId 9");
    bench.put(&path, json!({ "imageId": UBUNTU, "rootPassword": 9 })).await.refused(500, "Internal server error");
}

#[tokio::test]
async fn a_reinstalled_vm_is_installing_then_running_at_the_same_address() {
    let options = Options { reinstalling: Delay::seconds(30, 0), boot: Delay::seconds(5, 0), ..Options::instant() };
    let bench = Bench::new(options).await;
    let id = bench.order("one").await;
    let address = bench.address(id).await;
    bench.pass(5).await;
    assert!(bench.contabo.reachable(address, 2222));
    let answer = bench.put(&format!("{INSTANCES}/{id}"), json!({ "imageId": UBUNTU })).await.done(200);
    assert_eq!(
        *answer.object(),
        json!({
            "tenantId": "DE", "customerId": "10000001", "instanceId": id, "createdDate": "2026-04-10T08:00:00.000Z",
        })
    );
    assert_eq!(bench.status(id).await, "installing");
    assert!(!bench.contabo.reachable(address, 2222));
    bench.pass(30).await;
    let object = bench.instance(id).await;
    assert_eq!(object["status"], "running");
    assert_eq!(object["displayName"], "one");
    assert_eq!(object["imageId"], UBUNTU);
    assert_eq!(bench.address(id).await, address);
    assert!(!bench.contabo.reachable(address, 2222));
    bench.pass(5).await;
    assert!(bench.contabo.reachable(address, 2222));
}

#[tokio::test]
async fn a_reinstall_replaces_the_user_data_also_by_none() {
    let bench = Bench::instant().await;
    let answer = bench.post(INSTANCES, json!({ "period": 1, "userData": "#cloud-config\n" })).await;
    let id = answer.object()["instanceId"].as_i64().unwrap();
    let path = format!("/_admin/machines/{id}/user-data");
    assert_eq!(bench.get(&path).await.done(200).text, "#cloud-config\n");
    bench.put(&format!("{INSTANCES}/{id}"), json!({ "imageId": UBUNTU })).await.done(200);
    assert_eq!(bench.get(&path).await.done(200).text, "");
}

#[tokio::test]
async fn each_wipe_is_counted() {
    let bench = Bench::instant().await;
    let id = bench.order("one").await;
    for wiped in 0..3 {
        assert_eq!(bench.get("/_admin/machines").await.body[0]["wiped"], wiped);
        bench.put(&format!("{INSTANCES}/{id}"), json!({ "imageId": UBUNTU })).await.done(200);
    }
}

#[tokio::test]
async fn a_vm_without_hardware_cannot_be_reinstalled() {
    let bench = Bench::new(Options { unreadable_after_create: Delay::ZERO, ..Options::default() }).await;
    let id = bench.order("one").await;
    bench.put(&format!("{INSTANCES}/{id}"), json!({ "imageId": UBUNTU })).await.refused(409, "not provisioned");
}

#[tokio::test]
async fn a_reinstall_mends_a_failed_installation() {
    let bench = Bench::instant().await;
    bench.contabo.next_order(OrderOutcome::Error);
    let id = bench.order("one").await;
    assert_eq!(bench.instance(id).await["errorMessage"], "Installation failed");
    bench.put(&format!("{INSTANCES}/{id}"), json!({ "imageId": UBUNTU })).await.done(200);
    let object = bench.instance(id).await;
    assert_eq!(object["status"], "running");
    assert_eq!(object.get("errorMessage"), None);
}

#[tokio::test]
async fn a_rename_changes_the_display_name_and_an_empty_one_clears_it() {
    let bench = Bench::instant().await;
    let id = bench.order("one").await;
    let path = format!("{INSTANCES}/{id}");
    bench.patch(&path, json!({ "displayName": "x".repeat(256) })).await.invalid("displayName must be shorter");
    for name in ["brave-tiger", ""] {
        let answer = bench.patch(&path, json!({ "displayName": name })).await.done(200);
        assert_eq!(answer.object()["instanceId"], id);
        assert_eq!(bench.instance(id).await["displayName"], name);
    }
}
