-- The records of the control plane. Times are microseconds since 1970 (UTC), booleans 0 or 1, ids text.
-- The same tables and columns as migrations/postgres; a test compares them.
-- Every table is STRICT: SQLite would otherwise take text for a number.

-- What holds for the installation as a whole.
CREATE TABLE settings (
    name  TEXT PRIMARY KEY NOT NULL,
    value TEXT NOT NULL
) STRICT;

-- Numbers that grow. A sequence is not used for events: it gives numbers out before the transaction ends, so that a
-- reader could see the later of two events first and never the earlier.
CREATE TABLE counters (
    name  TEXT PRIMARY KEY NOT NULL,
    value INTEGER NOT NULL
) STRICT;
INSERT INTO counters (name, value) VALUES ('events', 0);

CREATE TABLE environments (
    id           TEXT PRIMARY KEY NOT NULL,
    slug         TEXT NOT NULL,
    domain       TEXT NOT NULL,
    status       TEXT NOT NULL,
    step         TEXT NOT NULL,
    wish         TEXT NOT NULL,
    owner        TEXT NOT NULL,
    vm_id        INTEGER,
    address      TEXT,
    record_id    TEXT,
    setup        TEXT NOT NULL,
    on_failure   TEXT NOT NULL,
    attempts     INTEGER NOT NULL,
    step_since   INTEGER NOT NULL,
    released_at  INTEGER,
    wake_at      INTEGER,
    reason       TEXT,
    attention    INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    version      INTEGER NOT NULL,
    lease_worker TEXT,
    lease_until  INTEGER,
    woken        INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX environments_live_slug ON environments (slug) WHERE status <> 'deleted';
CREATE INDEX environments_slug ON environments (slug, id);
CREATE INDEX environments_owner ON environments (owner, id);
CREATE INDEX environments_live_owner ON environments (owner, id) WHERE status <> 'deleted';
CREATE INDEX environments_live ON environments (id) WHERE status <> 'deleted';
CREATE INDEX environments_status ON environments (status, id);
CREATE INDEX environments_due ON environments (wake_at, id, lease_until) WHERE wake_at IS NOT NULL;
CREATE INDEX environments_leased ON environments (lease_worker) WHERE lease_until IS NOT NULL;

CREATE TABLE vms (
    id             INTEGER PRIMARY KEY NOT NULL,
    display_name   TEXT NOT NULL,
    product        TEXT NOT NULL,
    region         TEXT NOT NULL,
    address        TEXT,
    state          TEXT NOT NULL,
    step           TEXT NOT NULL,
    environment_id TEXT,
    bought_for     TEXT,
    released_by    TEXT,
    assignable_at  INTEGER,
    wiped_at       INTEGER,
    install_seen   INTEGER NOT NULL,
    cancel_date    TEXT,
    attempts       INTEGER NOT NULL,
    step_since     INTEGER NOT NULL,
    wake_at        INTEGER,
    reason         TEXT,
    attention      INTEGER NOT NULL,
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL,
    version        INTEGER NOT NULL,
    lease_worker   TEXT,
    lease_until    INTEGER,
    woken          INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX vms_pool ON vms (state, assignable_at, id);
CREATE INDEX vms_present ON vms (id) WHERE state <> 'ended';
CREATE INDEX vms_due ON vms (wake_at, id, lease_until) WHERE wake_at IS NOT NULL;
CREATE INDEX vms_leased ON vms (lease_worker) WHERE lease_until IS NOT NULL;

CREATE TABLE intents (
    id              TEXT PRIMARY KEY NOT NULL,
    kind            TEXT NOT NULL,
    environment_id  TEXT,
    vm_id           INTEGER,
    request_id      TEXT NOT NULL,
    subject         TEXT NOT NULL,
    actor           TEXT NOT NULL,
    outcome         TEXT NOT NULL,
    answer          TEXT,
    refused         INTEGER NOT NULL,
    call_home_hash  TEXT,
    called_home_at  INTEGER,
    created_at      INTEGER NOT NULL,
    settled_at      INTEGER
) STRICT;
CREATE INDEX intents_environment ON intents (environment_id, id) WHERE environment_id IS NOT NULL;
CREATE INDEX intents_kind ON intents (kind, id);
CREATE INDEX intents_open ON intents (id) WHERE outcome IN ('open', 'unknown');
CREATE INDEX intents_open_environment ON intents (environment_id, id)
    WHERE environment_id IS NOT NULL AND outcome IN ('open', 'unknown');
CREATE INDEX intents_open_vm ON intents (vm_id, id) WHERE environment_id IS NULL AND outcome IN ('open', 'unknown');
CREATE INDEX intents_call_home ON intents (call_home_hash) WHERE call_home_hash IS NOT NULL;

CREATE TABLE events (
    sequence       INTEGER PRIMARY KEY NOT NULL,
    environment_id TEXT NOT NULL,
    at             INTEGER NOT NULL,
    status         TEXT NOT NULL,
    step           TEXT NOT NULL,
    actor          TEXT NOT NULL,
    message        TEXT NOT NULL
) STRICT;
CREATE INDEX events_environment ON events (environment_id, sequence);

CREATE TABLE idempotency_keys (
    user_name       TEXT NOT NULL,
    request_key     TEXT NOT NULL,
    request_hash    TEXT NOT NULL,
    environment_ids TEXT NOT NULL,
    used_at         INTEGER NOT NULL,
    PRIMARY KEY (user_name, request_key)
) STRICT;

CREATE TABLE users (
    name       TEXT PRIMARY KEY NOT NULL,
    role       TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE access_tokens (
    id         TEXT PRIMARY KEY NOT NULL,
    user_name  TEXT NOT NULL REFERENCES users (name),
    label      TEXT NOT NULL,
    hash       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER
) STRICT;
CREATE UNIQUE INDEX access_tokens_hash ON access_tokens (hash);
