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

/// The story is over before the place with this number on a machine that is not very slow: waiting longer passes more
/// places, all of kinds that were tried before.
const PLACES_MAX: u64 = 150;

/// A story passes more places than this on any machine; fewer mean that it ended too early or was not interrupted.
const KILLED_MIN: u64 = 40;

/// After so many numbers in a row that no run reached, the story is taken to have no more places.
const UNREACHED: usize = 4;

async fn every_place(story: Story) {
    let rehearsed = scenario::rehearse(story).await;
    assert!(rehearsed > 20, "the rehearsal passed {rehearsed} places only");
    let only: Option<u64> = std::env::var("ALFRED_KILL_AT").ok().and_then(|text| text.parse().ok());
    let numbers = (1..=PLACES_MAX).filter(|number| only.is_none_or(|only| only == *number));
    let mut outcomes =
        futures::stream::iter(numbers).map(|number| scenario::kill_at(story, number)).buffered(CONCURRENCY);
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    let (mut tried, mut killed, mut asked, mut unreached) = (0_u64, 0_u64, 0_usize, 0_usize);
    while let Some(outcome) = outcomes.next().await {
        tried += 1;
        asked += usize::from(outcome.person_was_asked);
        match &outcome.killed_at {
            Some(place) => {
                killed += 1;
                unreached = 0;
                *kinds.entry(place::kind(place)).or_default() += 1;
            }
            None => unreached += 1,
        }
        if unreached == UNREACHED {
            break;
        }
    }
    println!("{}: killed at {killed} of {tried} places tried; after each, the promises held", story.name());
    for (kind, count) in &kinds {
        println!("  {count:4} × {kind}");
    }
    println!("  in {asked} of them a person was asked what became of an order");
    if only.is_none() {
        assert!(killed >= KILLED_MIN, "only {killed} of {tried} places were reached");
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
