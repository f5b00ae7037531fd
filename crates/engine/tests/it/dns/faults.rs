//! Each fault on each call of the writer, with two hundred changes in flight: creations, changes, withdrawals, and some
//! that somebody else's records stand in the way of. Nothing is lost, nothing is doubled, no foreign record is touched,
//! and each asker is told the truth.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use alfred_engine::Look;
use alfred_local_cloud::cloudflare::Plan;
use alfred_local_cloud::faults::{Fault, Rule};
use alfred_model::failure::Disposition;
use futures::stream::{FuturesUnordered, StreamExt as _};

use super::*;
use crate::faults::faults;

/// Ours before: 0 to 99. To be changed: 0 to 49. To be withdrawn: 50 to 99. New: 100 to 189. In the way of 190 to 199
/// is somebody else.
const CHANGED: std::ops::Range<u32> = 0..50;
const WITHDRAWN: std::ops::Range<u32> = 50..100;
const NEW: std::ops::Range<u32> = 100..190;
const BLOCKED: std::ops::Range<u32> = 190..200;

/// After so many answers that it may pass later, something is wrong.
const ATTEMPTS_MAX: u32 = 12;

fn change(number: u32, again: bool) -> Change {
    if WITHDRAWN.contains(&number) {
        return withdraw(number);
    }
    if again || CHANGED.contains(&number) {
        return write(number, 2, Look::Ours);
    }
    // Half of the new names are looked for, as where nobody could be asked whether they are free.
    let looked_for = NEW.contains(&number) && number.is_multiple_of(2);
    write(number, 2, if looked_for { Look::Everywhere } else { Look::Nowhere })
}

async fn prepare(place: &Place) -> BTreeSet<(String, String)> {
    let foreign: Vec<_> = BLOCKED
        .map(|number| json!({"type": "CNAME", "name": name(number).as_str(), "content": "example.com", "ttl": 300}))
        .chain([json!({"type": "A", "name": "www", "content": "198.51.100.7", "ttl": 300, "comment": "a person's"})])
        .collect();
    view::stranger(&place.cloud, "POST", "/batch", json!({ "posts": foreign })).await;
    let writer = place.writer();
    let before = submit(&writer, (0..100).map(|number| write(number, 1, Look::Nowhere))).await;
    assert!(before.iter().all(Result::is_ok));
    foreigners(place)
}

/// Records that are not ours, and when they last changed.
fn foreigners(place: &Place) -> BTreeSet<(String, String)> {
    let foreign = view::records(&place.cloud)
        .into_iter()
        .filter(|record| record.comment.as_deref().is_none_or(|comment| !comment.starts_with("alfred:")));
    foreign.map(|record| (record.name, record.modified_on)).collect()
}

/// Our records: name and address, each as often as it stands there.
fn ours(place: &Place) -> BTreeMap<String, Vec<String>> {
    let mut ours = BTreeMap::<String, Vec<String>>::new();
    for record in view::records(&place.cloud) {
        if record.comment.is_some_and(|comment| comment.starts_with("alfred:")) {
            ours.entry(record.name).or_default().push(record.content);
        }
    }
    ours
}

/// What an asker was told holds at the moment at which it is told.
fn assert_true(place: &Place, number: u32, outcome: &ChangeOutcome, what: &str) {
    let there = ours(place).remove(name(number).as_str()).unwrap_or_default();
    match outcome {
        Ok(Some(id)) => {
            assert_eq!(there, [address(number, 2).to_string()], "{what}: {number}");
            let record = view::records(&place.cloud).into_iter().find(|record| record.id == id.as_str());
            assert_eq!(record.map(|record| record.name).as_deref(), Some(name(number).as_str()), "{what}: {number}");
        }
        Ok(None) => assert_eq!((WITHDRAWN.contains(&number), there.len()), (true, 0), "{what}: {number}"),
        Err(failure) if failure.disposition == Disposition::Definite => {
            assert!(BLOCKED.contains(&number), "{what}: {number}: {failure:?}");
            assert!(failure.words.contains(name(number).as_str()), "{what}: {failure:?}");
        }
        Err(_) => {}
    }
}

/// Asks until each change is settled, as the engine and `alfred dns` do; how often each was asked.
async fn ask_until_settled(place: &Place, writer: &RecordWriter, what: &str) -> u32 {
    let mut most = 0;
    let mut asking: FuturesUnordered<_> = (0..200)
        .map(|number| async move {
            let mut attempts = 0;
            loop {
                let outcome = writer.submit(change(number, attempts > 0)).await;
                assert_true(place, number, &outcome, what);
                attempts += 1;
                let wait = match outcome.map_err(|failure| failure.disposition) {
                    Ok(_) | Err(Disposition::Definite) => return attempts,
                    Err(Disposition::Wait { after }) => after.unwrap_or(Duration::from_mins(5)),
                    Err(Disposition::Unknown) => Duration::from_secs(5),
                };
                assert!(attempts < ATTEMPTS_MAX, "{what}: {number} is never settled");
                tokio::time::sleep(wait).await;
            }
        })
        .collect();
    while let Some(attempts) = asking.next().await {
        most = most.max(attempts);
    }
    most
}

async fn one(route: &'static str, name_of_fault: &str, fault: Fault, nth: u64, count: u64) -> bool {
    let what = format!("{name_of_fault} on {route}, from call {nth}, {count} times");
    let place = Place::new(20, Plan::Free, Some(1_000));
    let foreign = prepare(&place).await;
    let mut made = 0;
    place.calls(&mut made);
    let route = Some(route.to_owned());
    place.cloud.faults().add(Rule { route, nth: Some(nth), count: Some(count), ..Rule::new(fault) });
    let writer = place.writer();
    ask_until_settled(&place, &writer, &what).await;
    // A request that was carried out late may still be on its way.
    tokio::time::sleep(Duration::from_mins(3)).await;
    let fired = place.cloud.faults().rules().iter().any(|rule| rule.fired > 0);
    let expected: BTreeMap<String, Vec<String>> =
        CHANGED.chain(NEW).map(|number| (name(number).to_string(), vec![address(number, 2).to_string()])).collect();
    assert_eq!(ours(&place), expected, "{what}");
    assert_eq!(foreigners(&place), foreign, "{what}: promise 3");
    let calls = place.calls(&mut made);
    assert!(calls <= 60, "{what}: {calls} calls");
    // All is settled: the same once more writes nothing.
    let batches = place.counts.of("POST /zones/{zone}/dns_records/batch");
    submit(&writer, CHANGED.chain(NEW).map(|number| write(number, 2, Look::Ours))).await;
    submit(&writer, WITHDRAWN.map(withdraw)).await;
    assert_eq!(place.counts.of("POST /zones/{zone}/dns_records/batch"), batches, "{what}: a second run writes nothing");
    fired
}

#[tokio::test(start_paused = true)]
async fn two_hundred_changes_survive_each_fault_on_each_call() {
    let (mut cases, mut fired) = (0, 0);
    for route in ["cloudflare.records.batch", "cloudflare.records.list"] {
        for (name, fault) in faults() {
            for (nth, count) in [(1, 1), (1, 3), (2, 1), (2, 3)] {
                cases += 1;
                fired += u32::from(one(route, name, fault.clone(), nth, count).await);
            }
        }
    }
    println!("faults of the DNS writer: {cases} cases, {fired} met their fault");
    assert!(fired * 2 > cases, "most faults must be met: {fired} of {cases}");
}
