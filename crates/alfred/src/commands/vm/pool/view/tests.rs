//! The plan of a pool in which everything is going on, and of one in which nothing is.

use serde::Deserialize as _;
use serde_json::{Value, json};

use super::*;

fn vm(id: i64, state: &str, decide_by: &str, price: Option<&str>) -> Value {
    json!({
        "id": id, "display_name": format!("alfredos-pool.{id}"), "state": state, "assignable_at": null,
        "paid_until": "2026-03-21T10:00:00Z", "ends": false, "decide_by": decide_by, "price": price, "reason": null,
        "attention": false, "renewals": ["2026-03-21T10:00:00Z"],
    })
}

fn busy() -> Value {
    let mut vms = vec![
        vm(203_000_001, "assigned", "2026-03-24T10:00:00Z", Some("5.50 EUR")),
        vm(203_000_002, "ready", "2026-03-02T10:00:00Z", Some("5.50 EUR")),
        vm(203_000_003, "ready", "2026-03-20T10:00:00Z", None),
        vm(203_000_004, "quarantined", "2026-03-21T10:00:00Z", Some("5.50 EUR")),
        vm(203_000_005, "retiring", "2026-03-21T10:00:00Z", Some("5.50 EUR")),
    ];
    vms[2]["assignable_at"] = json!("2026-03-01T10:05:00Z");
    vms[3]["attention"] = json!(true);
    vms[3]["reason"] = json!("VM 203000004 runs and accepts no connection, also after it was installed anew 2 times");
    vms[4]["decide_by"] = json!(null);
    vms[4]["ends"] = json!(true);
    vms[4]["renewals"] = json!([]);
    let order = |id: &str, subject: &str, outcome: &str, environment: Value| {
        json!({
            "id": id, "environment_id": environment, "request_id": "5f3a1c9e-44f0-4c0e-9d1b-2f6f0a7f3b11",
            "subject": subject, "actor": "alfred", "outcome": outcome, "created_at": "2026-03-01T09:00:00Z",
        })
    };
    json!({
        "at": "2026-03-01T10:00:00Z",
        "counts": { "assigned": 1, "ready": 1, "resting": 1, "quarantined": 1, "retiring": 1, "ordered": 1 },
        "wanted": 4, "peak": 2, "short_since": "2026-03-01T09:55:00Z", "order": 0,
        "hold": { "words": "8 VMs are owned and the limit is 8: delete environments, or raise `ALFRED_VM_LIMIT`" },
        "paused": { "by": "ada", "at": "2026-03-01T09:58:00Z", "reason": "the invoice\nis looked at" },
        "owned": 8, "owned_max": 8, "ordered_this_month": 2, "month_max": 5, "price": "5.50 EUR",
        "weekly_costs": [[], [], ["16.50 EUR"], []],
        "lapse": [{ "vm_id": 203_000_002, "decide_by": "2026-03-02T10:00:00Z", "saves_from": "2026-03-30T10:00:00Z" }],
        "lapses_by_itself": false,
        "vms": vms,
        "unknown_orders": [
            order("01a2", "alfredos-pool.01a2", "unknown", json!(null)),
            order("01a3", "alfredos-calm-owl", "unknown", json!("01a1")),
            order("01a4", "alfredos-pool.01a4", "open", json!(null)),
        ],
    })
}

fn told(document: Value) -> String {
    plan(&Pool::deserialize(document).unwrap())
}

#[test]
fn a_busy_pool_is_told_within_the_columns() {
    let told = told(busy());
    assert!(told.lines().all(|line| line.chars().count() <= table::COLUMNS && !line.ends_with(' ')), "{told}");
    insta::assert_snapshot!("busy", told);
}

#[test]
fn an_empty_pool_has_nothing_to_decide() {
    let told = told(json!({
        "at": "2026-03-01T10:00:00Z", "counts": {}, "wanted": 0, "peak": 0, "short_since": null, "order": 0,
        "hold": null, "paused": null, "owned": 0, "owned_max": 10, "ordered_this_month": 0, "month_max": null,
        "price": null, "weekly_costs": [[], [], [], []], "lapse": [], "lapses_by_itself": false, "vms": [],
        "unknown_orders": [],
    }));
    insta::assert_snapshot!("empty", told);
}

#[test]
fn what_lapses_by_itself_is_not_asked_for() {
    let mut document = busy();
    document["lapses_by_itself"] = json!(true);
    assert!(told(document.clone()).contains("`alfred vm cancel 203000002`"), "while it is paused, a person must");
    document["paused"] = json!(null);
    let told = told(document);
    assert!(told.contains("is cancelled by itself") && !told.contains("alfred vm cancel 203000002"), "{told}");
}

#[test]
fn only_the_most_urgent_of_many_stand_in_the_table() {
    let mut document = busy();
    document["vms"] = (0..60).map(|n| vm(n + 1, "ready", &format!("2026-03-02T10:{:02}:00Z", 59 - n), None)).collect();
    let told = told(document);
    let first = told.lines().skip_while(|line| !line.starts_with("DECIDE BY")).nth(1).unwrap();
    assert!(first.starts_with("2026-03-02 10:00  60 "), "{first}");
    assert!(told.contains("and 35 more, less urgent"), "{told}");
}
