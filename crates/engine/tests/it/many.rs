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
    world.policy.orders.owned_max = 1000;
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

/// A store in which every plain pair of words is taken, as in a fleet of a million.
#[tokio::test(start_paused = true)]
async fn names_are_found_where_every_plain_one_is_taken() {
    let roomy = || {
        let mut options = Options { contabo: contabo::Options::demo(), ..Options::default() };
        options.cloudflare.zones[0].record_quota = Some(1_000);
        World::with(11, options)
    };
    let world = roomy();
    let process = world.start();
    // The same draws a second time: each plain name of the first request is taken.
    let mut again = roomy();
    again.store = std::sync::Arc::clone(&world.store);
    let second = again.start();
    let first = world.create(&process, 200).await;
    let other = again.create(&second, 200).await;
    let plain = |environments: &[alfred_model::environment::Environment]| {
        environments.iter().filter(|one| !one.slug.as_str().ends_with(|last: char| last.is_ascii_digit())).count()
    };
    assert_eq!(plain(&first), 200);
    assert_eq!((other.len(), plain(&other)), (200, 0), "all of a request's names get a number at once");
}
