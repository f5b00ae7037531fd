//! Every question finds its rows by an index: nothing grows with the environments that are deleted or at rest.

use alfred_store::{SqlOptions, Store as _};
use sqlx::{AssertSqlSafe, Row as _};

use super::beside;
use crate::fixture::{environment, new, open_sqlite, sqlite_address};

/// Questions as the store asks them, with a value for each placeholder, and the index that must answer them.
const QUESTIONS: &[(&str, &str)] = &[
    ("SELECT slug FROM environments WHERE status <> 'deleted' AND slug IN ('a', 'b')", "environments_live_slug"),
    ("SELECT * FROM environments WHERE slug = 'a' AND status <> 'deleted'", "environments_live_slug"),
    ("SELECT * FROM environments WHERE slug = 'a' ORDER BY id DESC LIMIT 1", "environments_slug"),
    ("SELECT * FROM environments WHERE status <> 'deleted' AND id > 'a' ORDER BY id LIMIT 5", "environments_live"),
    ("SELECT * FROM environments WHERE status <> 'deleted' AND owner = 'a' ORDER BY id", "environments_live_owner"),
    ("SELECT * FROM environments WHERE id IS NOT NULL AND owner = 'a' ORDER BY id", "environments_owner"),
    ("SELECT * FROM environments WHERE status = 'error' ORDER BY id", "environments_status"),
    (
        "SELECT id FROM environments WHERE wake_at <= 5 AND (lease_until IS NULL OR lease_until <= 5) \
         ORDER BY wake_at, id LIMIT 9",
        "environments_due",
    ),
    ("SELECT MIN(wake_at) FROM environments WHERE wake_at IS NOT NULL AND lease_until IS NULL", "environments_due"),
    (
        "UPDATE environments SET lease_until = 5 WHERE lease_until IS NOT NULL AND lease_worker = 'a'",
        "environments_leased",
    ),
    (
        "SELECT * FROM vms WHERE cancel_date IS NOT NULL AND state IN ('ready', 'retiring') AND step = 'settled' \
         AND wiped_at IS NOT NULL AND cancel_date >= '2026-01-01' ORDER BY cancel_date, id LIMIT 9",
        "vms_pool",
    ),
    (
        "SELECT created_at, CASE WHEN status = 'error' AND vm_id IS NULL THEN updated_at ELSE NULL END AS ended_at \
         FROM environments WHERE status <> 'deleted'",
        "environments_live",
    ),
    ("SELECT created_at FROM environments WHERE status = 'deleted' AND updated_at >= 5", "environments_ended"),
    (
        "SELECT * FROM intents WHERE id IS NOT NULL AND kind = 'order_vm' AND created_at >= 5 \
         ORDER BY created_at DESC, id DESC",
        "intents_kind_time",
    ),
    (
        "SELECT * FROM vms WHERE state = 'ready' AND (assignable_at <= 5 OR assignable_at IS NULL) \
         AND cancel_date IS NULL ORDER BY assignable_at NULLS FIRST, id LIMIT 1",
        "vms_pool",
    ),
    ("SELECT * FROM vms WHERE state <> 'ended' ORDER BY id", "vms_present"),
    ("SELECT id FROM vms WHERE wake_at <= 5 ORDER BY wake_at, id LIMIT 9", "vms_due"),
    (
        "SELECT * FROM intents WHERE environment_id IN ('a', 'b') AND outcome IN ('open', 'unknown') ORDER BY id",
        "intents_open_environment",
    ),
    (
        "SELECT * FROM intents WHERE environment_id IS NULL AND vm_id IN (1, 2) AND outcome IN ('open', 'unknown') \
         ORDER BY id",
        "intents_open_vm",
    ),
    ("SELECT * FROM intents WHERE id IS NOT NULL AND environment_id = 'a' ORDER BY id DESC", "intents_environment"),
    ("SELECT * FROM intents WHERE id IS NOT NULL AND kind = 'order_vm' ORDER BY id DESC", "intents_kind"),
    ("SELECT * FROM intents WHERE outcome IN ('open', 'unknown') ORDER BY id DESC", "intents_open"),
    ("SELECT * FROM intents WHERE call_home_hash = 'a' ORDER BY id DESC LIMIT 1", "intents_call_home"),
    ("SELECT * FROM events WHERE sequence > 5 AND environment_id = 'a' ORDER BY sequence", "events_environment"),
    ("SELECT * FROM events WHERE sequence > 5 ORDER BY sequence LIMIT 5", "INTEGER PRIMARY KEY"),
    ("SELECT * FROM access_tokens WHERE hash = 'a'", "access_tokens_hash"),
    (
        "SELECT * FROM environments WHERE expires_at IS NOT NULL AND wish = 'present' AND status <> 'deleted' AND \
         (CASE WHEN warned_at IS NULL THEN warn_at ELSE expires_at END) <= 5 \
         ORDER BY (CASE WHEN warned_at IS NULL THEN warn_at ELSE expires_at END), id LIMIT 9",
        "environments_expiring",
    ),
    ("SELECT COUNT(*) FROM environments WHERE status <> 'deleted' AND owner = 'a'", "environments_live_owner"),
    (
        "SELECT * FROM environments WHERE status <> 'deleted' AND batch = 'a' AND id > 'a' ORDER BY id LIMIT 5",
        "environments_batch",
    ),
    ("SELECT * FROM environments WHERE id IS NOT NULL AND batch = 'a' ORDER BY id LIMIT 5", "environments_batch"),
    ("SELECT * FROM events WHERE kind <> 'progress' AND sequence > 5 ORDER BY sequence LIMIT 5", "events_of_note"),
    (
        "SELECT * FROM state_grants WHERE subject_kind = 'user' AND subject = 'a' \
         UNION ALL SELECT * FROM state_grants WHERE subject_kind = 'token' AND subject = 'b'",
        "sqlite_autoindex_state_grants_1",
    ),
    (
        "SELECT * FROM state_log WHERE id IS NOT NULL AND state = 'a' AND id < 'b' ORDER BY id DESC LIMIT 5",
        "state_log_state",
    ),
    (
        "SELECT * FROM state_log WHERE id IS NOT NULL AND id < 'b' ORDER BY id DESC LIMIT 5",
        "sqlite_autoindex_state_log_1",
    ),
    ("SELECT * FROM state_log WHERE id IS NOT NULL ORDER BY id DESC LIMIT 5", "sqlite_autoindex_state_log_1"),
    ("UPDATE shared_values SET value = 'a' WHERE name = 'a' AND version = 5", "sqlite_autoindex_shared_values_1"),
    (
        "UPDATE environments AS target SET step = new.column2 FROM (VALUES ('a', 'b'), ('c', 'd')) AS new \
         WHERE target.id = new.column1",
        "sqlite_autoindex_environments_1",
    ),
    (
        "UPDATE vms AS target SET step = new.column2 FROM (VALUES (1, 'b'), (2, 'd')) AS new \
         WHERE target.id = new.column1",
        "INTEGER PRIMARY KEY",
    ),
];

#[tokio::test]
async fn every_question_has_its_index() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_sqlite(&folder, SqlOptions::default()).await;
    store.create_environments(new((1..=50).map(environment))).await.unwrap();
    let pool = beside(&sqlite_address(&folder)).await;
    for (question, index) in QUESTIONS {
        let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {question}"));
        let rows = sqlx::query(explain).fetch_all(&pool).await.unwrap();
        let plan = rows.iter().map(|row| row.get::<String, _>("detail")).collect::<Vec<_>>().join("; ");
        assert!(
            plan.contains(&format!("INDEX {index}")) || plan.contains(&format!("USING {index}")),
            "{question}: {plan}"
        );
        let scans_a_table = plan
            .split("; ")
            .any(|step| step.starts_with("SCAN") && !step.contains("INDEX") && !step.contains("VALUES"));
        assert!(!scans_a_table, "{question}: {plan}");
    }
}
