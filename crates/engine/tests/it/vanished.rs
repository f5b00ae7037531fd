//! VMs that the provider does not have any more although nobody let their contracts end.

use std::time::Duration;

use alfred_local_cloud::contabo::OrderOutcome;
use alfred_model::vm::{Vm, VmState};
use alfred_store::IntentQuery;

use crate::world::World;

async fn only_vm(world: &World) -> Vm {
    let mut vms = world.store.vms(true).await.unwrap();
    assert_eq!(vms.len(), 1);
    vms.remove(0)
}

/// The order was never paid; its holder removes it in the panel, and then from the pool.
#[tokio::test(start_paused = true)]
async fn an_order_that_was_removed_in_the_panel_is_struck_off_by_a_person() {
    let world = World::new(500);
    let process = world.start();
    world.cloud.contabo().next_order(OrderOutcome::PendingPayment);
    let bought = process.engine.order_vms(1, "ada").await.remove(0).unwrap();
    tokio::time::sleep(Duration::from_mins(1)).await;
    let waits = only_vm(&world).await;
    assert!(waits.attention && waits.reason.as_ref().unwrap().contains("Unpaid Orders"), "{waits:#?}");

    assert!(world.cloud.contabo().remove_unpaid(bought.vm_id.0));
    tokio::time::sleep(world.policy.vm_deadline * 2).await;
    let kept = only_vm(&world).await;
    assert!(kept.attention && kept.state == VmState::Preparing, "promise 9: a list proves nothing: {kept:#?}");
    assert!(kept.reason.as_ref().unwrap().contains("`alfred vm cancel "), "{kept:#?}");
    assert_eq!(world.store.owned_vms().await.unwrap(), 1, "it counts until somebody gives it up");

    process.engine.cancel_contract(kept.id, &kept.display_name, "ada").await.unwrap();
    tokio::time::sleep(world.policy.vm_deadline / 2).await;
    assert_eq!(only_vm(&world).await.state, VmState::Retiring, "once not seen is not enough");
    tokio::time::sleep(world.policy.vm_deadline).await;
    assert_eq!(only_vm(&world).await.state, VmState::Ended);
    assert_eq!(world.store.owned_vms().await.unwrap(), 0);
    let open = world.store.intents(IntentQuery { only_open: true, ..IntentQuery::default() }).await.unwrap();
    assert!(open.is_empty(), "{open:#?}");
    let cancelled = world.cloud.journal().count_by_route().get("contabo.instances.cancel").copied();
    assert_eq!(cancelled, None, "what is not there is not cancelled");
    assert!(process.engine.audit().await.unwrap().findings.is_empty());
}
