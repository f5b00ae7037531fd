//! The DNS writer through the engine: what one bad change, a lost answer, somebody else's record or a full zone do to
//! the others, and what they cost.

use std::collections::BTreeSet;
use std::time::Duration;

use alfred_engine::CreateEnvironments;
use alfred_local_cloud::cloudflare::{DEMO_ZONE, DEMO_ZONE_ID, Permission, Plan, ZoneOptions};
use alfred_local_cloud::faults::{Fault, Rule};
use alfred_local_cloud::journal::Outcome;
use alfred_local_cloud::{Options, contabo};
use alfred_model::environment::{Environment, Status};
use alfred_model::vm::VmState;
use serde_json::json;

use crate::promises;
use crate::view;
use crate::world::{Process, World, request};

const LONG: Duration = Duration::from_mins(20);
const BATCH: &str = "POST /zones/{zone}/dns_records/batch";
const LIST: &str = "GET /zones/{zone}/dns_records";

/// VMs take no time, so that all records are due in the same moment. The zone has room for 1,000 records.
fn options() -> Options {
    let mut options = Options { contabo: contabo::Options::instant(), ..Options::default() };
    options.contabo.instance_cap = 1000;
    options.cloudflare.zones =
        vec![ZoneOptions { record_quota: Some(1000), ..ZoneOptions::new(DEMO_ZONE_ID, DEMO_ZONE, Plan::Free) }];
    options
}

fn world(seed: u64, options: Options) -> World {
    let mut world = World::with(seed, options);
    world.policy.orders.owned_max = 1000;
    world
}

fn called(slug: &str) -> CreateEnvironments {
    CreateEnvironments { slug: Some(slug.parse().expect("a slug")), ..request(1) }
}

async fn settled(world: &World) {
    assert!(world.settle(LONG).await, "it never came to rest");
    promises::hold(world).await;
}

/// Our records are right, each once.
async fn assert_each_has_its_record(world: &World, count: usize) {
    let active = world.with_status(Status::Active).await;
    assert_eq!(active.len(), count);
    let expected: BTreeSet<(String, String)> = active
        .iter()
        .map(|environment| (environment.domain.to_string(), environment.address.expect("an address").to_string()))
        .collect();
    let records = view::records(&world.cloud);
    let ours: Vec<_> = records.into_iter().filter(|record| record.comment.is_some()).collect();
    assert_eq!(ours.len(), count, "none is doubled");
    let there: BTreeSet<(String, String)> = ours.into_iter().map(|record| (record.name, record.content)).collect();
    assert_eq!(there, expected);
}

#[tokio::test(start_paused = true)]
async fn one_bad_change_of_two_hundred_is_found_and_the_others_live() {
    let world = world(30, options());
    // Nobody can see it in the DNS yet, so that the writer meets it only when its batch is refused.
    world.cloud.cloudflare().set_publication_delay(1_000);
    let foreign = json!({"type": "CNAME", "name": "brave-bad", "content": "example.com", "ttl": 300});
    let foreign = view::stranger(&world.cloud, "POST", "", foreign).await;
    let process = world.start();
    let bad = process.engine.create(called("brave-bad")).await.expect("the request is good").remove(0);
    world.create(&process, 199).await;
    settled(&world).await;
    assert_each_has_its_record(&world, 199).await;
    let bad = world.environment(bad.id).await;
    assert_eq!(bad.status, Status::Error);
    let reason = bad.reason.expect("a reason");
    assert!(reason.contains("brave-bad.alfredos.site") && reason.contains("CNAME"), "{reason}");
    assert!(view::records(&world.cloud).iter().any(|record| record.id == foreign["id"]), "promise 3");
    let batches = world.cloud.journal().entries().into_iter().filter(|entry| entry.route == "cloudflare.records.batch");
    let refused: Vec<bool> = batches.map(|entry| entry.outcome == Outcome::Answered(400)).collect();
    assert_eq!(refused.iter().filter(|refused| **refused).count(), 1, "one look at the zone tells: {refused:?}");
    assert!(refused.len() <= 3, "{} batches", refused.len());
    assert!(world.counts.of(LIST) <= 1, "the zone is read once");
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_to_two_hundred_changes_loses_and_doubles_nothing() {
    for (fault, batches) in [(Fault::LostAfter, 1), (Fault::LostBefore, 3), (Fault::CutBody, 1)] {
        let world = world(31, options());
        let route = Some("cloudflare.records.batch".to_owned());
        world.cloud.faults().add(Rule { route, count: Some(1), ..Rule::new(fault.clone()) });
        let process = world.start();
        world.create(&process, 200).await;
        settled(&world).await;
        assert_each_has_its_record(&world, 200).await;
        let (sent, read) = (world.counts.of(BATCH), world.counts.of(LIST));
        // What was lost before it was done comes again at times of its own: the backoff spreads it.
        assert!(sent <= batches + if batches > 1 { 20 } else { 0 }, "{fault:?}: {sent} batches");
        assert!(read <= 1 + sent, "{fault:?}: {read} reads");
    }
}

#[tokio::test(start_paused = true)]
async fn somebody_elses_name_is_refused_before_anything_is_written() {
    for (kind, content) in [("A", "198.51.100.9"), ("CNAME", "example.com"), ("AAAA", "2001:db8::9")] {
        let world = world(32, options());
        let foreign = json!({"type": kind, "name": "brave-theirs", "content": content, "ttl": 300});
        view::stranger(&world.cloud, "POST", "", foreign).await;
        let before = view::records(&world.cloud);
        let process = world.start();
        let made = process.engine.create(called("brave-theirs")).await.expect("the request is good").remove(0);
        settled(&world).await;
        let row = world.environment(made.id).await;
        assert_eq!(row.status, Status::Error, "{kind}");
        let reason = row.reason.expect("a reason");
        assert!(reason.contains("not ours") && reason.contains(kind), "{reason}");
        assert_eq!(view::records(&world.cloud), before, "promise 3: {kind}");
        assert_eq!(world.counts.of(BATCH), 0, "{kind}: nothing was written");
    }
}

async fn active(world: &World, process: &Process) -> Environment {
    let made = world.create(process, 1).await.remove(0);
    settled(world).await;
    world.environment(made.id).await
}

#[tokio::test(start_paused = true)]
async fn a_record_whose_comment_was_changed_is_kept_and_holds_its_deletion_up() {
    let world = world(33, options());
    let process = world.start();
    let made = active(&world, &process).await;
    let ours = view::records(&world.cloud).into_iter().find(|record| record.name == made.domain.as_str());
    let id = ours.expect("a record").id;
    view::stranger(&world.cloud, "PATCH", &format!("/{id}"), json!({"comment": "mine now"})).await;
    let before = view::records(&world.cloud);
    process.engine.delete(made.id, &made.owner).await.expect("the wish is taken");
    let calls_before = world.counts.total();
    tokio::time::sleep(Duration::from_mins(30)).await;

    let row = world.environment(made.id).await;
    assert_eq!((row.status, row.attention), (Status::Deleting, true), "{row:#?}");
    let reason = row.reason.expect("it says why");
    assert!(reason.contains("comment") && reason.contains("delete it in the zone"), "{reason}");
    assert_eq!(view::records(&world.cloud), before, "promise 3: it is somebody else's now");
    let vm = world.store.vm(made.vm_id.expect("a VM")).await.expect("the store answers").expect("a row");
    assert_eq!((vm.state, vm.environment_id), (VmState::Assigned, Some(made.id)), "promise 4: the name still answers");
    let calls = world.counts.total() - calls_before;
    assert!(calls <= 400, "{calls} calls in half an hour");

    view::stranger(&world.cloud, "DELETE", &format!("/{id}"), serde_json::Value::Null).await;
    settled(&world).await;
    assert_eq!(world.environment(made.id).await.status, Status::Deleted);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_may_not_edit_is_told_to_all_without_a_storm() {
    let mut options = options();
    options.cloudflare.tokens[0].permission = Permission::Read;
    let world = world(34, options);
    let process = world.start();
    world.create(&process, 50).await;
    settled(&world).await;
    let failed = world.with_status(Status::Error).await;
    assert_eq!(failed.len(), 50);
    assert!(failed.iter().all(|row| row.reason.as_deref().is_some_and(|words| words.contains("DNS Write"))));
    assert!(world.counts.of(BATCH) <= 2, "{} batches", world.counts.of(BATCH));
}

#[tokio::test(start_paused = true)]
async fn a_full_zone_takes_what_fits_and_tells_the_others() {
    let mut options = options();
    options.cloudflare.zones[0].record_quota = None;
    let world = world(35, options);
    // Nobody can say how full it is: else nothing would have been created.
    let fault = Fault::Status { status: 500, retry_after: None, body: None, after: false };
    world.cloud.faults().add(Rule { route: Some("cloudflare.records.usage".to_owned()), ..Rule::new(fault) });
    for number in 0..199 {
        let record = json!({"type": "TXT", "name": format!("full-{number}"), "content": "\"x\"", "ttl": 300});
        view::stranger(&world.cloud, "POST", "", record).await;
    }
    let process = world.start();
    world.create(&process, 40).await;
    settled(&world).await;
    assert_each_has_its_record(&world, 1).await;
    let failed = world.with_status(Status::Error).await;
    assert_eq!(failed.len(), 39);
    let told = |row: &Environment| row.reason.as_deref().is_some_and(|words| words.contains("the zone is full"));
    assert!(failed.iter().all(told), "{:?}", failed[0].reason);
    let calls = world.counts.of(BATCH);
    assert!(calls <= 9, "{calls} batches for 40 names and one place");
}
