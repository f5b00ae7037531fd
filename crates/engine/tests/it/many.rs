//! What a fleet costs in calls.

use std::time::Duration;

use alfred_local_cloud::{Options, contabo};
use alfred_model::environment::Status;

use crate::promises;
use crate::world::World;

#[tokio::test(start_paused = true)]
async fn a_hundred_environments_share_their_calls() {
    let mut options = Options { contabo: contabo::Options::demo(), ..Options::default() };
    options.contabo.instance_cap = 1000;
    let mut world = World::with(10, options);
    world.policy.vm_limit = 1000;
    let process = world.start();
    world.create(&process, 100).await;
    assert!(world.settle(Duration::from_mins(10)).await);
    promises::hold(&world).await;
    assert_eq!(world.with_status(Status::Active).await.len(), 100);
    let calls = |route: &str| world.counts.of(route);
    assert_eq!(calls("POST /v1/compute/instances"), 100, "each VM is one order");
    let writes = calls("POST /zones/{zone}/dns_records/batch");
    assert!(writes <= 25, "100 records that become due within seconds took {writes} writes");
    assert_eq!(calls("GET /zones/{zone}/dns_records"), 0, "a new name needs no list call");

    for environment in world.with_status(Status::Active).await {
        process.engine.delete(environment.id, &environment.owner).await.unwrap();
    }
    assert!(world.settle(Duration::from_mins(10)).await);
    promises::hold(&world).await;
    assert_eq!(world.with_status(Status::Deleted).await.len(), 100);
}
