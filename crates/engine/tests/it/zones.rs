//! Several zones: names are spread by the room that there is, and what has no room is refused before it costs anything.

use std::collections::BTreeMap;
use std::time::Duration;

use alfred_engine::{CreateEnvironments, RequestError};
use alfred_local_cloud::cloudflare::{DEMO_ZONE, DEMO_ZONE_ID, Plan, ZoneOptions};
use alfred_local_cloud::{Options, contabo};
use alfred_model::environment::{Environment, Status};
use serde_json::json;

use crate::promises;
use crate::view;
use crate::world::{World, request};

const LONG: Duration = Duration::from_mins(20);
const USAGE: &str = "GET /zones/{zone}/dns_records/usage";
const OTHER_ZONE: &str = "alfredos.dev";
const OTHER_ZONE_ID: &str = "5170e5170e5170e5170e5170e5170e01";

/// Two zones with room for so many records each.
fn world(seed: u64, quotas: [u64; 2]) -> World {
    let mut options = Options { contabo: contabo::Options::instant(), ..Options::default() };
    options.contabo.instance_cap = 1_000;
    options.cloudflare.zones = [(DEMO_ZONE_ID, DEMO_ZONE), (OTHER_ZONE_ID, OTHER_ZONE)]
        .into_iter()
        .zip(quotas)
        .map(|((id, name), quota)| ZoneOptions { record_quota: Some(quota), ..ZoneOptions::new(id, name, Plan::Free) })
        .collect();
    let mut world = World::with(seed, options);
    world.policy.orders.owned_max = 1_000;
    world
}

fn by_zone(environments: &[Environment]) -> BTreeMap<String, usize> {
    let mut zones = BTreeMap::new();
    for environment in environments {
        let (_, zone) = environment.domain.as_str().split_once('.').expect("a name in a zone");
        *zones.entry(zone.to_owned()).or_default() += 1;
    }
    zones
}

#[tokio::test(start_paused = true)]
async fn names_are_spread_by_room_and_each_lives_and_dies_in_its_zone() {
    let world = world(50, [30, 50]);
    view::plant_foreign(&world.cloud).await;
    let process = world.start();
    // 29 and 50 are free: the larger one takes the difference and half of the rest.
    let created = world.create(&process, 31).await;
    assert_eq!(by_zone(&created), BTreeMap::from([(DEMO_ZONE.to_owned(), 5), (OTHER_ZONE.to_owned(), 26)]));
    assert!(world.settle(LONG).await);
    promises::hold(&world).await;
    assert_eq!(world.with_status(Status::Active).await.len(), 31);
    let records = view::records(&world.cloud).into_iter().filter(|record| record.comment.is_some());
    let ours = records.filter(|record| record.comment.as_deref().is_some_and(|comment| comment.starts_with("alfred:")));
    assert_eq!(ours.count(), 31);
    for environment in &created {
        process.engine.delete(environment.id, &environment.owner).await.expect("a wish is never refused");
    }
    assert!(world.settle(LONG).await);
    promises::hold(&world).await;
    assert_eq!(view::records(&world.cloud).len(), 1, "only the foreign record is left");
}

#[tokio::test(start_paused = true)]
async fn without_room_nothing_is_created_and_nothing_bought_and_the_numbers_are_told() {
    let world = world(51, [3, 4]);
    let process = world.start();
    let refused = process.engine.create(request(8)).await.expect_err("there is room for 7");
    let words = refused.to_string();
    assert!(matches!(refused, RequestError::NoRoom(_)), "{words}");
    for part in ["8 more names", "`alfredos.site` holds 0 of 3", "`alfredos.dev` holds 0 of 4", "nothing was created"] {
        assert!(words.contains(part), "{part}: {words}");
    }
    assert!(world.settle(LONG).await);
    assert!(view::machines(&world.cloud).await.is_empty(), "nothing was bought");
    // What is promised counts before it is written, and what is there counts also where it is not ours.
    let first = CreateEnvironments { idempotency: Some(("key".to_owned(), "hash".to_owned())), ..request(4) };
    let created = process.engine.create(first.clone()).await.expect("there is room for 7");
    assert!(process.engine.create(request(4)).await.is_err(), "3 places are left");
    view::stranger(
        &world.cloud,
        "POST",
        "",
        json!({"type": "A", "name": "www", "content": "198.51.100.7", "ttl": 300}),
    )
    .await;
    let refused = process.engine.create(request(3)).await.expect_err("2 places are left").to_string();
    assert!(refused.contains("`alfredos.site` holds"), "{refused}");
    process.engine.create(request(2)).await.expect("2 places are left");
    // The same request again is no new one, however full the zones are now.
    let again = process.engine.create(first.clone()).await.expect("it was carried out before");
    let ids = |environments: &[Environment]| environments.iter().map(|it| it.id).collect::<Vec<_>>();
    assert_eq!(ids(&again), ids(&created));
    let other = CreateEnvironments { idempotency: Some(("key".to_owned(), "other".to_owned())), ..first };
    assert!(matches!(process.engine.create(other).await, Err(RequestError::Store(_))), "another request, the same key");
    assert!(world.settle(LONG).await);
    promises::hold(&world).await;
    // A name that is gone makes room again.
    let gone = &created[0];
    process.engine.delete(gone.id, &gone.owner).await.expect("a wish is never refused");
    assert!(world.settle(LONG).await);
    process.engine.create(request(1)).await.expect("there is room for 1");
    assert!(process.engine.create(request(1)).await.is_err(), "and not for more");
    assert!(world.settle(LONG).await);
    promises::hold(&world).await;
}

#[tokio::test(start_paused = true)]
async fn where_there_is_plenty_of_room_nobody_looks_each_time() {
    let world = world(52, [1_000, 1_000]);
    let process = world.start();
    for _ in 0..20 {
        world.create(&process, 2).await;
    }
    assert_eq!(world.counts.of(USAGE), 2, "once for each zone");
    assert_eq!(
        by_zone(&world.store.environments(alfred_store::EnvironmentQuery::default()).await.expect("rows")).len(),
        2
    );
    tokio::time::sleep(Duration::from_mins(6)).await;
    world.create(&process, 1).await;
    // The new look is taken beside the request, which does not wait for it.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(world.counts.of(USAGE), 4, "a look is good for five minutes");
}

#[tokio::test(start_paused = true)]
async fn a_usage_that_cannot_be_read_keeps_nobody_from_creating() {
    use alfred_local_cloud::faults::{Fault, Rule};
    let world = world(53, [100, 100]);
    let fault = Fault::Status { status: 500, retry_after: None, body: None, after: false };
    world.cloud.faults().add(Rule { route: Some("cloudflare.records.usage".to_owned()), ..Rule::new(fault) });
    let process = world.start();
    world.create(&process, 3).await;
    assert!(world.cloud.faults().rules()[0].fired > 0);
    assert!(world.settle(LONG).await);
    assert_eq!(world.with_status(Status::Active).await.len(), 3);
}

/// Requests that come at once neither wait for each other's commits nor take each other's last places.
#[tokio::test(start_paused = true)]
async fn requests_at_once_share_the_room_exactly() {
    let world = world(54, [20, 25]);
    let process = world.start();
    let asked = futures::future::join_all((0..60).map(|_| process.engine.create(request(1)))).await;
    let refused = asked.iter().filter(|answer| matches!(answer, Err(RequestError::NoRoom(_)))).count();
    assert_eq!((asked.iter().filter(|answer| answer.is_ok()).count(), refused), (45, 15));
    assert!(world.settle(LONG).await);
    promises::hold(&world).await;
    assert_eq!(world.with_status(Status::Active).await.len(), 45);
    assert!(process.engine.create(request(1)).await.is_err());
}
