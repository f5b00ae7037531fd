//! Bad records, lost answers, refusals and interrupts: everybody is told the truth, and a second run makes no writes.

use std::time::Duration;

use alfred_local_cloud::cloudflare::Plan;
use alfred_local_cloud::faults::{Fault, Rule};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::stage::{Stage, full, lines, ours, stray};

fn fault_on(stage: &Stage, route: &str, fault: Fault, count: u64) {
    stage.cloud.faults().add(Rule { route: Some(route.to_owned()), count: Some(count), ..Rule::new(fault) });
}

fn batches(stage: &Stage) -> u64 {
    stage.calls().get("cloudflare.records.batch").copied().unwrap_or_default()
}

/// A second run finds nothing to do.
fn assert_converged(stage: &Stage, line: &str) {
    stage.calls();
    let ended = stage.dns(line);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(batches(stage), 0, "a second run makes no writes");
}

#[test]
fn each_fault_of_a_batch_ends_with_every_record_right_and_none_doubled() {
    let status = |status, retry_after, after| Fault::Status { status, retry_after, body: None, after };
    for fault in [
        status(429, Some(1), false),
        status(500, None, false),
        status(500, None, true),
        status(502, None, true),
        Fault::Html { status: 502, after: false },
        Fault::LostBefore,
        Fault::LostAfter,
        Fault::CutBody,
    ] {
        let stage = Stage::new(Plan::Free);
        let mut planted: Vec<Value> = (0..40).map(|number| ours(&format!("own-{number}"), "192.0.2.1")).collect();
        planted.extend((0..10).map(|number| ours(&format!("old-{number}"), "192.0.2.1")));
        planted.push(stray("stray", "192.0.2.7"));
        stage.plant(&planted);
        let before = stage.held();
        stage.file("a.txt", &format!("{}{}", lines("own", 0..40, "192.0.2.2"), lines("new", 0..40, "192.0.2.3")));
        fault_on(&stage, "cloudflare.records.batch", fault.clone(), 1);
        let ended = stage.dns("apply a.txt --prune --yes");
        assert_eq!(ended.code, 0, "{fault:?}: {ended:?}");
        let held = stage.held();
        assert_eq!(held.len(), 81, "{fault:?}");
        assert!(held.values().all(|records| records.len() == 1), "{fault:?}: none is doubled");
        for (name, records) in &held {
            let expected = if name.starts_with("own") { "192.0.2.2" } else { "192.0.2.3" };
            assert!(name.starts_with("stray") || records[0].content == expected, "{fault:?}: {name} {records:?}");
        }
        assert_eq!(held[&full("stray")], before[&full("stray")], "{fault:?}");
        assert_converged(&stage, "apply a.txt --prune --yes");
    }
}

#[test]
fn a_list_that_fails_is_read_again_from_its_beginning() {
    let stage = Stage::new(Plan::Free);
    stage.plant(&[ours("web", "192.0.2.1"), ours("old", "192.0.2.1")]);
    stage.file("a.txt", "web 192.0.2.1\n");
    for fault in [Fault::LostBefore, Fault::CutBody, Fault::Html { status: 503, after: false }] {
        fault_on(&stage, "cloudflare.records.list", fault.clone(), 1);
        let ended = stage.dns("apply a.txt --yes");
        assert_eq!(ended.code, 0, "{fault:?}: {ended:?}");
        assert!(ended.stderr.contains("trying again"), "{fault:?}: {ended:?}");
        assert_eq!(stage.held().len(), 2, "{fault:?}: a list that was not read deletes nothing");
    }
    let ended = stage.dns("apply a.txt --prune --yes --timeout 0s");
    assert_eq!(ended.code, 0, "{ended:?}");
}

#[test]
fn what_goes_on_failing_is_told_when_the_time_is_over() {
    let stage = Stage::new(Plan::Free);
    stage.file("a.txt", &lines("new", 0..3, "192.0.2.3"));
    fault_on(&stage, "cloudflare.records.batch", Fault::LostBefore, 1_000);
    let ended = stage.dns("apply a.txt --yes --timeout 1s");
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(
        ended.stderr.contains("new-0: ") && ended.stderr.contains("0 of 3 changes were made, 3 failed"),
        "{ended:?}"
    );
    assert!(stage.held().is_empty());
}

/// Two writers in one zone: what came between the read and the write is met at the refusal.
#[test]
fn one_record_that_cannot_be_had_does_not_keep_the_others() {
    let stage = Stage::new(Plan::Free);
    stage.file("a.txt", &format!("{}bad-1 192.0.2.3\n", lines("new", 0..150, "192.0.2.3")));
    // The list is answered late, after somebody else has taken the name that it does not show.
    fault_on(&stage, "cloudflare.records.list", Fault::Delay { ms: 1_500, after: true }, 1);
    let running = std::thread::scope(|scope| {
        let running = scope.spawn(|| stage.dns("apply a.txt --yes"));
        while stage.cloud.journal().entries().is_empty() {
            std::thread::sleep(Duration::from_millis(5));
        }
        std::thread::sleep(Duration::from_millis(300));
        let foreign = json!({"type": "CNAME", "name": full("bad-1"), "content": "x.example.net", "ttl": 300});
        stage.call("POST", "", &foreign);
        running.join().unwrap()
    });
    assert_eq!(running.code, 3, "{running:?}");
    assert!(running.stderr.contains("bad-1: ") && running.stderr.contains("CNAME"), "{running:?}");
    assert!(running.stderr.contains("150 of 151 changes were made, 1 failed"), "{running:?}");
    assert_eq!(stage.at("bad-1"), ["CNAME x.example.net"], "it is as it was");
    assert_eq!(stage.held().len(), 151);
}

#[test]
fn an_interrupt_stops_between_two_calls_and_the_next_run_goes_on() {
    let stage = Stage::new(Plan::Free);
    stage.file("a.txt", &lines("new", 0..1_000, "192.0.2.3"));
    let rule =
        Rule { route: Some("cloudflare.records.batch".into()), ..Rule::new(Fault::Delay { ms: 400, after: true }) };
    stage.cloud.faults().add(rule);
    let mut running = stage.place.start_in_background("dns apply a.txt --yes");
    while stage.cloud.journal().count_by_route().get("cloudflare.records.batch").is_none_or(|count| *count < 2) {
        std::thread::sleep(Duration::from_millis(5));
    }
    running.signal(Signal::INT);
    assert_eq!(running.wait(), Some(3), "{}", running.stderr());
    let said = running.stderr();
    assert!(said.contains("were not begun") && said.contains("run the command again to go on"), "{said}");
    let there = stage.held().len();
    assert!((200..1_000).contains(&there), "whole batches were written: {there}");
    assert!(said.contains(&format!("{there} of 1000 changes were made")), "{there}: {said}");
    stage.cloud.faults().clear();
    assert_eq!(stage.dns("apply a.txt --yes").code, 0);
    assert_eq!(stage.held().len(), 1_000);
    assert_converged(&stage, "apply a.txt --prune --yes");
}

#[test]
fn a_blocked_budget_is_said() {
    let stage = Stage::new(Plan::Free);
    stage.file("a.txt", "web 192.0.2.1\n");
    let wait = Fault::Status { status: 429, retry_after: Some(3), body: None, after: false };
    fault_on(&stage, "cloudflare.records.batch", wait, 1);
    let ended = stage.dns("apply a.txt --yes");
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.stderr.contains("trying again in 3 s"), "{ended:?}");
    assert_eq!(stage.at("web"), ["A 192.0.2.1"]);
}
