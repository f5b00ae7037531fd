//! Environments that end by themselves.

use std::time::Duration;

use alfred_engine::{CreateEnvironments, RequestError};
use alfred_model::environment::{Environment, ExpiryBound, Status, Wish};
use alfred_model::event::{Event, EventKind};
use alfred_model::expiry::ExtensionRefused;
use alfred_model::policy::later;
use alfred_store::StoreError;

use crate::promises;
use crate::world::{Process, World, request};

const HOUR: Duration = Duration::from_hours(1);

const MINUTE: Duration = Duration::from_mins(1);

async fn living_for(process: &Process, life: Duration, count: u32) -> Vec<Environment> {
    let asked = CreateEnvironments { life: Some(life), ..request(count) };
    process.engine.create(asked).await.expect("the request is good")
}

/// What the owner was told beyond progress, and at the end.
async fn told(world: &World, environment: &Environment) -> Vec<Event> {
    let all = world.store.events(Some(environment.id), 0, usize::MAX).await.expect("the store answers");
    let is_end = |event: &Event| event.message.starts_with("deleted, because");
    all.into_iter().filter(|event| event.kind != EventKind::Progress || is_end(event)).collect()
}

fn before(time: jiff::Timestamp, by: Duration) -> jiff::Timestamp {
    time - jiff::SignedDuration::try_from(by).expect("a test is short")
}

async fn at(world: &World, time: jiff::Timestamp) {
    let wait = Duration::try_from(time.duration_since(world.clock.now())).expect("the time is to come");
    tokio::time::sleep(wait).await;
}

#[tokio::test(start_paused = true)]
async fn an_environment_is_warned_of_once_and_then_deleted_like_any_other() {
    let world = World::new(1);
    let (process, _other) = (world.start(), world.start());
    let made = living_for(&process, 2 * HOUR, 3).await;
    let begun = made[0].created_at;
    at(&world, before(later(begun, 2 * HOUR), 12 * MINUTE + Duration::from_secs(1))).await;
    assert_eq!(world.with_status(Status::Active).await.len(), 3);
    for environment in &made {
        assert_eq!(told(&world, environment).await, []);
    }
    at(&world, before(later(begun, 2 * HOUR), 11 * MINUTE)).await;
    for environment in &made {
        let told = told(&world, environment).await;
        let row = world.environment(environment.id).await;
        assert!(row.warned_at.is_some() && row.wish == Wish::Present);
        let extend = format!("`alfred env extend {} --ttl 8h` keeps it for longer", environment.slug);
        assert!(
            told.len() == 1 && told[0].kind == EventKind::Warning && told[0].message.ends_with(&extend),
            "{told:?}"
        );
    }
    at(&world, before(later(begun, 2 * HOUR), Duration::from_secs(1))).await;
    assert_eq!(world.with_status(Status::Active).await.len(), 3);
    at(&world, later(begun, 2 * HOUR + Duration::from_secs(1))).await;
    assert!(world.settle(Duration::from_mins(10)).await);
    assert_eq!(world.with_status(Status::Deleted).await.len(), 3);
    for environment in &made {
        let told = told(&world, environment).await;
        assert_eq!(told.len(), 2, "each thing once, whoever looked: {told:?}");
        assert_eq!(
            (told[1].actor.as_str(), told[1].message.as_str()),
            ("alfred", "deleted, because its time to live is over")
        );
    }
    promises::hold(&world).await;
}

#[tokio::test(start_paused = true)]
async fn an_extension_is_kept_and_warned_of_anew() {
    let world = World::new(2);
    let process = world.start();
    let made = living_for(&process, 2 * HOUR, 1).await.remove(0);
    let (begun, owner) = (made.created_at, made.owner.clone());
    at(&world, before(later(begun, 2 * HOUR), Duration::from_millis(1))).await;
    let extended = process.engine.extend(made.id, Some(HOUR), &owner).await.unwrap();
    assert_eq!((extended.warned_at, extended.expires_at), (None, Some(later(world.clock.now(), HOUR))));
    let shorter = process.engine.extend(made.id, Some(MINUTE), &owner).await.unwrap();
    assert_eq!(shorter.expires_at, extended.expires_at, "an extension never shortens");
    at(&world, before(later(begun, 3 * HOUR), 7 * MINUTE)).await;
    assert_eq!(world.environment(made.id).await.shown_status(), Status::Active);
    at(&world, before(later(begun, 3 * HOUR), 5 * MINUTE)).await;
    assert_eq!(told(&world, &made).await.len(), 2, "one warning for each end");
    let endless = process.engine.extend(made.id, None, &owner).await.unwrap();
    assert_eq!((endless.expires_at, endless.warn_at, endless.warned_at), (None, None, None));
    tokio::time::sleep(2 * HOUR).await;
    assert_eq!(world.environment(made.id).await.shown_status(), Status::Active);
    process.engine.delete(made.id, &owner).await.unwrap();
    let refused = process.engine.extend(made.id, Some(HOUR), &owner).await;
    assert!(matches!(refused, Err(RequestError::Extension { refused: ExtensionRefused::Deleted, .. })), "{refused:?}");
}

#[tokio::test(start_paused = true)]
async fn nobody_was_there_to_warn_and_nothing_is_deleted_unwarned() {
    let world = World::new(3);
    let process = world.start();
    let made = living_for(&process, 2 * HOUR, 1).await.remove(0);
    assert!(world.settle(Duration::from_mins(10)).await);
    drop(process);
    tokio::time::sleep(3 * HOUR).await;
    let _process = world.start();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let row = world.environment(made.id).await;
    assert!(row.warned_at.is_some() && row.wish == Wish::Present, "{row:?}");
    assert_eq!(row.expires_at, Some(later(row.warned_at.unwrap(), world.policy.expiry.warn_least)));
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(world.environment(made.id).await.wish, Wish::Absent);
}

#[tokio::test(start_paused = true)]
async fn an_end_that_is_bounded_comes_and_cannot_be_put_off() {
    let world = World::new(4);
    let process = world.start();
    let made = world.create(&process, 1).await.remove(0);
    assert!(world.settle(Duration::from_mins(10)).await);
    let bound = ExpiryBound {
        at: later(world.clock.now(), 3 * HOUR),
        reason: "its VM's contract ends on 2027-01-16".to_owned(),
    };
    let row = process.engine.bound_expiry(made.id, bound.clone()).await.unwrap().unwrap();
    assert_eq!((row.expires_at, row.expiry_bound.as_ref()), (Some(bound.at), Some(&bound)));
    let again = process.engine.bound_expiry(made.id, bound.clone()).await.unwrap();
    assert_eq!(again, Some(row), "asking twice is asking once");
    for life in [None, Some(4 * HOUR)] {
        let refused = process.engine.extend(made.id, life, &made.owner).await.unwrap_err();
        assert!(refused.to_string().contains("because its VM's contract ends on 2027-01-16"), "{refused}");
    }
    at(&world, later(bound.at, Duration::from_secs(1))).await;
    assert!(world.settle(Duration::from_mins(10)).await);
    assert_eq!(world.with_status(Status::Deleted).await.len(), 1);
    let told = told(&world, &made).await;
    assert_eq!(told.last().unwrap().message, "deleted, because its VM's contract ends on 2027-01-16");
    assert_eq!(process.engine.bound_expiry(made.id, bound).await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn a_short_life_ends_without_waiting_for_the_next_look() {
    let world = World::new(5);
    let process = world.start();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let made = living_for(&process, Duration::from_secs(3), 1).await.remove(0);
    at(&world, later(made.created_at, Duration::from_millis(3_100))).await;
    assert_eq!(world.environment(made.id).await.wish, Wish::Absent);
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_one_reservation_of_the_quota() {
    let mut world = World::new(6);
    world.policy.quota = Some(3);
    let process = world.start();
    let made = world.create(&process, 2).await;
    assert!(made[0].batch.is_some() && made[0].batch == made[1].batch);
    let refused = process.engine.create(request(2)).await;
    assert!(
        matches!(refused, Err(RequestError::Store(StoreError::OverQuota { used: 2, limit: 3, asked: 2, .. }))),
        "{refused:?}"
    );
    assert_ne!(world.create(&process, 1).await[0].batch, made[0].batch);
    assert!(world.settle(Duration::from_mins(10)).await);
    assert_eq!(world.with_status(Status::Active).await.len(), 3);
}
