//! The real `terraform` against the states that `alfred up` keeps, on every store that it can be given; and against the local
//! cloud's R2 through Terraform's own S3 backend.
//!
//! For each store one control plane runs, and every story has a state of its own there. Nothing is downloaded: the resources
//! are `terraform_data`, which is built in. What is missing on this machine is said in a line that begins with
//! `could not run:`.

#![allow(clippy::print_stdout, reason = "where locks were left is what this test reports")]
#![allow(clippy::unwrap_used, reason = "a test ends where something is not as it must be")]

mod door;
mod proxy;
mod stories;
mod terraform;
mod world;

use std::path::Path;
use std::time::Duration;

use futures::StreamExt as _;

use proxy::{Answer, Call, Fault, Side, Times};
use stories::{Store, contention, faults, life, locks, migration};
use terraform::Workspace;
use world::{BUCKET, Cloud, ControlPlane};

/// So many faults are met at the same time, beside the other stories. Terraform computes; more would wait for each other.
const CONCURRENCY: usize = 3;

/// Everything that is shown of one store, with these faults.
async fn everything(name: &str, store: &Store<'_>, faults: Vec<Fault>) {
    let count = faults.len();
    let met = futures::stream::iter(faults.into_iter().enumerate())
        .map(|(number, fault)| async move { faults::one(store, fault, number).await.then_some(fault) })
        .buffer_unordered(CONCURRENCY)
        .collect::<Vec<Option<Fault>>>();
    let (left, ..) = tokio::join!(
        met,
        contention::all_who_wait(store),
        contention::one_of_fifty(store),
        locks::waiting(store),
        locks::killed(store),
        life::from_init_to_destroy(store),
        life::push_and_pull(store),
        migration::there_and_back(store),
    );
    println!("{name}: {count} faults; a lock was left after {} of them:", left.iter().flatten().count());
    for Fault { call, side, answer, times } in left.iter().flatten() {
        println!("  {call:?}, {side:?} the store heard of it, {answer:?}, {times:?}");
    }
}

/// The same for the states that a control plane keeps at a place.
async fn tfstate(name: &str, place: impl FnOnce(&Path) -> Option<String>, faults: Vec<Fault>) {
    let cloud = Cloud::start().await;
    let ours = ControlPlane::start(&cloud, place).await;
    everything(name, &Store { door: ours.door(), ours: Some(&ours) }, faults).await;
    let log = ours.log();
    assert!(!log.contains("panicked"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn states_in_a_folder() {
    if terraform::is_there("states_in_a_folder") {
        tfstate("folder", |_| None, faults::every_fault()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn states_in_sqlite() {
    if terraform::is_there("states_in_sqlite") {
        let place = |data: &Path| Some(format!("sqlite://{}", data.join("states.sqlite").display()));
        tfstate("SQLite", place, faults::every_single_fault()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn states_in_postgresql() {
    if terraform::is_there("states_in_postgresql") {
        let server = alfred_testing::postgres::Server::shared().expect("PostgreSQL can be started");
        let database = server.create_database().expect("a database can be made");
        tfstate("PostgreSQL", |_| Some(database), faults::every_single_fault()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn states_in_r2() {
    if terraform::is_there("states_in_r2") {
        let cloud = Cloud::start().await;
        let ours = ControlPlane::start(&cloud, |_| Some(format!("r2://{BUCKET}/ours"))).await;
        let store = Store { door: ours.door(), ours: Some(&ours) };
        everything("R2", &store, faults::every_single_fault()).await;
        let other = Cloud::start_with_write_limit(Duration::ZERO).await;
        migration::between(&store, &other.door()).await;
        let log = ours.log();
        assert!(!log.contains("panicked"), "{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn states_in_nats() {
    let Some(program) = alfred_testing::nats::server("terraform::states_in_nats") else { return };
    if terraform::is_there("states_in_nats") {
        let settings = alfred_testing::nats::Settings::default();
        let server = alfred_testing::nats::Server::start(&program, &settings).expect("NATS can be started");
        let place = format!("{}/terraform", server.url());
        tfstate("NATS", |_| Some(place), faults::every_single_fault()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn terraforms_own_s3_backend_on_r2() {
    if terraform::is_there("terraforms_own_s3_backend_on_r2") {
        let cloud = Cloud::start_with_write_limit(Duration::ZERO).await;
        let store = Store { door: cloud.door(), ours: None };
        // Terraform waits for seconds between its tries of an S3 call, and nobody can tell it not to.
        let faults = faults::every_single_fault();
        let is_met = |fault: &Fault| !matches!(fault.answer, Answer::Status(status) if status.is_client_error());
        everything("Terraform's own S3 backend on R2", &store, faults.into_iter().filter(is_met).collect()).await;
    }
}

/// The one fault that an S3 backend with a lock file cannot survive: see <https://github.com/opentofu/opentofu/issues/4405>.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_to_a_lock_locks_terraforms_own_backend_out_and_not_ours() {
    if !terraform::is_there("a_lost_answer_to_a_lock_locks_terraforms_own_backend_out_and_not_ours") {
        return;
    }
    let lost = Fault { call: Call::Lock, side: Side::After, answer: Answer::Lost, times: Times::Once };
    let cloud = Cloud::start_with_write_limit(Duration::ZERO).await;
    let ours = ControlPlane::start(&cloud, |_| None).await;
    let (bucket, tfstate) = (cloud.door(), ours.door());
    assert!(faults::one(&Store { door: bucket, ours: None }, lost, 0).await, "the S3 backend left a lock");
    assert!(!faults::one(&Store { door: tfstate, ours: Some(&ours) }, lost, 0).await, "ours left a lock");
    let history = ours.history("faults/0").await;
    assert!(history.iter().any(|line| line == "lock repeated"), "the second request found its own lock: {history:?}");
}

/// R2 takes one write a second for each key (<https://developers.cloudflare.com/r2/platform/limits/>). Here it is one in ten
/// minutes, so that it does not matter how fast this machine is.
#[tokio::test(flavor = "multi_thread")]
async fn a_limit_of_writes_stops_terraforms_own_backend_and_not_ours() {
    if !terraform::is_there("a_limit_of_writes_stops_terraforms_own_backend_and_not_ours") {
        return;
    }
    let cloud = Cloud::start_with_write_limit(Duration::from_mins(10)).await;
    let ours = ControlPlane::start(&cloud, |_| Some(format!("r2://{BUCKET}/ours"))).await;
    let through_bucket = Workspace::new(&cloud.door(), "limit").await;
    through_bucket.apply("one").await.done();
    through_bucket.apply("two").await.failed_with("TooManyRequests");
    let through_us = Workspace::new(&ours.door(), "limit").await;
    for value in ["one", "two", "three"] {
        through_us.apply(value).await.done();
    }
    assert_eq!(ours.serials("limit").await, [1, 2, 3]);
}
