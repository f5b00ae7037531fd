//! The real binary, killed with SIGKILL before and after every write at a provider and every commit of its store,
//! started again, and the world then compared with the promises: by the local cloud's own records, which outlive it.
//!
//! It prints how many places it tried. `ALFRED_KILL_AT=N` tries one place alone.

#![allow(clippy::print_stdout, reason = "how many places were tried is what this test reports")]
#![allow(clippy::unwrap_used, reason = "a test ends where something is not as it must be")]

mod control_plane;
mod place;
mod promises;
mod scenario;
mod stage;

use std::collections::BTreeMap;

use futures::StreamExt as _;

use scenario::Story;

/// So many stories run at the same time; each has its own cloud, store and processes.
const CONCURRENCY: usize = 4;

/// Places move a little from run to run, because waiting takes more or fewer looks; so many more are tried.
const SLACK: u64 = 3;

async fn every_place(story: Story) {
    let (places, _) = scenario::rehearse(story).await;
    assert!(places.len() > 20, "the rehearsal passed {} places only", places.len());
    let last = u64::try_from(places.len()).expect("few places") + SLACK;
    let only: Option<u64> = std::env::var("ALFRED_KILL_AT").ok().and_then(|text| text.parse().ok());
    let numbers = (1..=last).filter(|number| only.is_none_or(|only| only == *number));
    let outcomes: Vec<scenario::Outcome> = futures::stream::iter(numbers)
        .map(|number| scenario::kill_at(story, number))
        .buffer_unordered(CONCURRENCY)
        .collect()
        .await;
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    let mut killed = 0;
    for outcome in &outcomes {
        if let Some(place) = &outcome.killed_at {
            killed += 1;
            *kinds.entry(place::kind(place)).or_default() += 1;
        }
    }
    println!("{}: killed at {killed} of {} places tried; after each, the promises held", story.name(), outcomes.len());
    for (kind, count) in &kinds {
        println!("  {count:4} × {kind}");
    }
    let asked: usize = outcomes.iter().filter(|outcome| outcome.person_was_asked).count();
    println!("  in {asked} of them a person was asked what became of an order");
    if only.is_none() {
        assert!(killed + 5 >= places.len(), "only {killed} of {} places were reached", places.len());
        for needed in [
            "after POST /v1/compute/instances",
            "before POST /v1/compute/instances",
            "after PUT /v1/compute/instances/ID",
            "after POST /client/v4/zones/ID/dns_records/batch",
            "before POST /client/v4/zones/ID/dns_records/batch",
            "before a commit",
            "after a commit",
        ] {
            assert!(kinds.contains_key(needed), "no run was killed {needed}: {kinds:#?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn create_and_delete_on_sqlite() {
    every_place(Story::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn create_and_delete_with_two_replicas_on_postgresql() {
    every_place(Story::TwoReplicas).await;
}
