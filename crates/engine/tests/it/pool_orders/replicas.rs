//! Replicas that count what is owned at the same moment.

use std::sync::Arc;
use std::time::Duration;

use alfred_model::intent::{IntentKind, Outcome};
use alfred_model::vm::DISPLAY_NAME_PREFIX;
use alfred_store::{Changes, CommitGate, CommitMoment, MemoryStore};
use async_trait::async_trait;
use tokio::sync::Barrier;

use crate::world::World;

/// Each has counted before any writes its order down.
struct AllCount(Barrier);

#[async_trait]
impl CommitGate for AllCount {
    async fn pass(&self, moment: CommitMoment, changes: &Changes) {
        let order = |kind, outcome| kind == IntentKind::OrderVm && outcome == Outcome::Open;
        if moment == CommitMoment::Before && changes.intents.iter().any(|one| order(one.kind, one.outcome)) {
            self.0.wait().await;
        }
    }
}

fn world(replicas: usize) -> World {
    let mut world = World::new(310);
    world.store = Arc::new(MemoryStore::gated(Arc::new(AllCount(Barrier::new(replicas)))));
    world
}

fn bought(world: &World) -> usize {
    let contracts = world.cloud.contabo().contracts();
    contracts.iter().filter(|contract| contract.display_name.starts_with(DISPLAY_NAME_PREFIX)).count()
}

#[tokio::test(start_paused = true)]
async fn replicas_that_count_at_one_moment_stay_within_the_limit() {
    for (owned_max, month_max) in [(1, None), (10, Some(1))] {
        let mut world = world(3);
        world.policy.orders.owned_max = owned_max;
        world.policy.orders.month_max = month_max;
        let (one, two, three) = (world.start(), world.start(), world.start());
        let orders = (one.engine.order_vms(1, "ada"), two.engine.order_vms(1, "ben"), three.engine.order_vms(1, "eve"));
        let (one, two, three) = tokio::join!(orders.0, orders.1, orders.2);
        assert_eq!(bought(&world), 1, "{owned_max}, {month_max:?}: {one:?} {two:?} {three:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn environments_of_replicas_that_count_at_one_moment_stay_within_the_limit() {
    let mut world = world(2);
    world.policy.orders.owned_max = 1;
    let one = world.start();
    world.create(&one, 1).await;
    // It has counted, and waits to write its order down.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let two = world.start();
    world.create(&two, 1).await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(bought(&world), 1);
}
