//! What each kind of work costs in calls, on a zone that already holds ten thousand records.

use alfred_local_cloud::cloudflare::Plan;
use serde_json::Value;

use super::stage::{Stage, lines, ours, stray};

/// Ten thousand records: nine thousand are somebody else's, a thousand are ours.
fn stage(plan: Plan) -> Stage {
    let stage = Stage::new(plan);
    let theirs = (0..9_000).map(|number| stray(&format!("theirs-{number}"), "198.51.100.1"));
    let own = (0..1_000).map(|number| ours(&format!("own-{number}"), "192.0.2.1"));
    stage.plant(&theirs.chain(own).collect::<Vec<Value>>());
    stage
}

/// Applies a file and answers how many writes and how many calls it took.
fn apply(stage: &Stage, text: &str, flags: &str) -> (u64, u64) {
    stage.file("records.txt", text);
    stage.calls();
    let ended = stage.dns(&format!("apply records.txt --yes {flags}"));
    assert_eq!(ended.code, 0, "{ended:?}");
    let calls = stage.calls();
    (calls.get("cloudflare.records.batch").copied().unwrap_or_default(), calls.values().sum())
}

#[test]
fn a_thousand_changes_cost_a_handful_of_calls_on_a_free_zone() {
    let stage = stage(Plan::Free);
    let own = lines("own", 0..1_000, "192.0.2.1");
    assert_eq!(apply(&stage, &own, "--prune"), (0, 1), "there is nothing to do");

    let (writes, calls) = apply(&stage, &lines("own", 0..1_000, "192.0.2.2"), "");
    assert!(writes == 5 && calls <= 9, "{writes} writes, {calls} calls to update");

    let more = format!("{}{}", lines("own", 0..1_000, "192.0.2.2"), lines("new", 0..1_000, "192.0.2.3"));
    let (writes, calls) = apply(&stage, &more, "");
    assert!(writes == 5 && calls <= 9, "{writes} writes, {calls} calls to create");
    assert_eq!(stage.at("new-999"), ["A 192.0.2.3"]);

    let (writes, calls) = apply(&stage, &lines("own", 0..1_000, "192.0.2.2"), "--prune --max-delete 1000");
    assert!(writes == 5 && calls <= 9, "{writes} writes, {calls} calls to delete");
    assert_eq!(stage.held().len(), 10_000);
    assert_eq!(apply(&stage, &lines("own", 0..1_000, "192.0.2.2"), "--prune"), (0, 1), "a second run does nothing");
}

#[test]
fn a_thousand_changes_are_one_write_on_a_paid_zone() {
    let stage = stage(Plan::Enterprise);
    let (writes, calls) = apply(&stage, &lines("own", 0..1_000, "192.0.2.2"), "");
    assert!(writes == 1 && calls <= 4, "{writes} writes, {calls} calls to update");
    let more = format!("{}{}", lines("own", 0..1_000, "192.0.2.2"), lines("new", 0..1_000, "192.0.2.3"));
    let (writes, calls) = apply(&stage, &more, "");
    assert!(writes == 1 && calls <= 5, "{writes} writes, {calls} calls to create");
    let (writes, calls) = apply(&stage, &lines("new", 0..1_000, "192.0.2.3"), "--prune --max-delete 50%");
    assert!(writes == 1 && calls <= 5, "{writes} writes, {calls} calls to delete");
    assert!(stage.at("own-0").is_empty() && stage.held().len() == 10_000);
}

#[test]
fn one_name_costs_two_calls_and_an_unknown_zone_one_more() {
    let stage = Stage::new(Plan::Free);
    assert_eq!(stage.dns("set web 192.0.2.1").code, 0);
    assert_eq!(stage.calls().values().sum::<u64>(), 2, "one read, one write");
    assert_eq!(stage.dns("set web 192.0.2.1").code, 0);
    assert_eq!(stage.calls().values().sum::<u64>(), 1, "it is so already");
    assert_eq!(stage.dns("get web").code, 0);
    assert_eq!(stage.calls().values().sum::<u64>(), 1);
    let mut stage = stage;
    stage.place.set("ALFRED_DOMAIN", "");
    assert_eq!(stage.dns("set web.example.com 192.0.2.2").code, 0);
    assert_eq!(stage.calls().values().sum::<u64>(), 3, "the zone's name is read");
    assert_eq!(stage.at("web"), ["A 192.0.2.2"]);
}
