-- The records of the control plane. Times are microseconds since 1970 (UTC), booleans 0 or 1, ids text.
-- The same tables and columns as migrations/sqlite; a test compares them.
-- Texts compare by bytes (collation "C") as they do in SQLite, whatever language the server speaks.

-- What holds for the installation as a whole.
CREATE TABLE settings (
    name  TEXT COLLATE "C" PRIMARY KEY NOT NULL,
    value TEXT COLLATE "C" NOT NULL
);

-- Numbers that grow. A sequence is not used for events: it gives numbers out before the transaction ends, so that a
-- reader could see the later of two events first and never the earlier.
CREATE TABLE counters (
    name  TEXT COLLATE "C" PRIMARY KEY NOT NULL,
    value BIGINT NOT NULL
);
INSERT INTO counters (name, value) VALUES ('events', 0);

CREATE TABLE environments (
    id           TEXT COLLATE "C" PRIMARY KEY NOT NULL,
    slug         TEXT COLLATE "C" NOT NULL,
    domain       TEXT COLLATE "C" NOT NULL,
    status       TEXT COLLATE "C" NOT NULL,
    step         TEXT COLLATE "C" NOT NULL,
    wish         TEXT COLLATE "C" NOT NULL,
    owner        TEXT COLLATE "C" NOT NULL,
    vm_id        BIGINT,
    address      TEXT COLLATE "C",
    record_id    TEXT COLLATE "C",
    setup        TEXT COLLATE "C" NOT NULL,
    on_failure   TEXT COLLATE "C" NOT NULL,
    attempts     BIGINT NOT NULL,
    step_since   BIGINT NOT NULL,
    released_at  BIGINT,
    wake_at      BIGINT,
    reason       TEXT COLLATE "C",
    attention    BIGINT NOT NULL,
    created_at   BIGINT NOT NULL,
    updated_at   BIGINT NOT NULL,
    version      BIGINT NOT NULL,
    lease_worker TEXT COLLATE "C",
    lease_until  BIGINT,
    woken        BIGINT NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX environments_live_slug ON environments (slug) WHERE status <> 'deleted';
CREATE INDEX environments_slug ON environments (slug, id);
CREATE INDEX environments_owner ON environments (owner, id);
CREATE INDEX environments_live_owner ON environments (owner, id) WHERE status <> 'deleted';
CREATE INDEX environments_live ON environments (id) WHERE status <> 'deleted';
CREATE INDEX environments_status ON environments (status, id);
CREATE INDEX environments_due ON environments (wake_at, id, lease_until) WHERE wake_at IS NOT NULL;
CREATE INDEX environments_leased ON environments (lease_worker) WHERE lease_until IS NOT NULL;

CREATE TABLE vms (
    id             BIGINT PRIMARY KEY NOT NULL,
    display_name   TEXT COLLATE "C" NOT NULL,
    product        TEXT COLLATE "C" NOT NULL,
    region         TEXT COLLATE "C" NOT NULL,
    address        TEXT COLLATE "C",
    state          TEXT COLLATE "C" NOT NULL,
    step           TEXT COLLATE "C" NOT NULL,
    environment_id TEXT COLLATE "C",
    bought_for     TEXT COLLATE "C",
    released_by    TEXT COLLATE "C",
    assignable_at  BIGINT,
    wiped_at       BIGINT,
    install_seen   BIGINT NOT NULL,
    cancel_date    TEXT COLLATE "C",
    attempts       BIGINT NOT NULL,
    step_since     BIGINT NOT NULL,
    wake_at        BIGINT,
    reason         TEXT COLLATE "C",
    attention      BIGINT NOT NULL,
    created_at     BIGINT NOT NULL,
    updated_at     BIGINT NOT NULL,
    version        BIGINT NOT NULL,
    lease_worker   TEXT COLLATE "C",
    lease_until    BIGINT,
    woken          BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX vms_pool ON vms (state, assignable_at NULLS FIRST, id);
CREATE INDEX vms_present ON vms (id) WHERE state <> 'ended';
CREATE INDEX vms_due ON vms (wake_at, id, lease_until) WHERE wake_at IS NOT NULL;
CREATE INDEX vms_leased ON vms (lease_worker) WHERE lease_until IS NOT NULL;

CREATE TABLE intents (
    id              TEXT COLLATE "C" PRIMARY KEY NOT NULL,
    kind            TEXT COLLATE "C" NOT NULL,
    environment_id  TEXT COLLATE "C",
    vm_id           BIGINT,
    request_id      TEXT COLLATE "C" NOT NULL,
    subject         TEXT COLLATE "C" NOT NULL,
    actor           TEXT COLLATE "C" NOT NULL,
    outcome         TEXT COLLATE "C" NOT NULL,
    answer          TEXT COLLATE "C",
    refused         BIGINT NOT NULL,
    call_home_hash  TEXT COLLATE "C",
    called_home_at  BIGINT,
    created_at      BIGINT NOT NULL,
    settled_at      BIGINT
);
CREATE INDEX intents_environment ON intents (environment_id, id) WHERE environment_id IS NOT NULL;
CREATE INDEX intents_kind ON intents (kind, id);
CREATE INDEX intents_open ON intents (id) WHERE outcome IN ('open', 'unknown');
CREATE INDEX intents_open_environment ON intents (environment_id, id)
    WHERE environment_id IS NOT NULL AND outcome IN ('open', 'unknown');
CREATE INDEX intents_open_vm ON intents (vm_id, id) WHERE environment_id IS NULL AND outcome IN ('open', 'unknown');
CREATE INDEX intents_call_home ON intents (call_home_hash) WHERE call_home_hash IS NOT NULL;

CREATE TABLE events (
    sequence       BIGINT PRIMARY KEY NOT NULL,
    environment_id TEXT COLLATE "C" NOT NULL,
    at             BIGINT NOT NULL,
    status         TEXT COLLATE "C" NOT NULL,
    step           TEXT COLLATE "C" NOT NULL,
    actor          TEXT COLLATE "C" NOT NULL,
    message        TEXT COLLATE "C" NOT NULL
);
CREATE INDEX events_environment ON events (environment_id, sequence);

CREATE TABLE idempotency_keys (
    user_name       TEXT COLLATE "C" NOT NULL,
    request_key     TEXT COLLATE "C" NOT NULL,
    request_hash    TEXT COLLATE "C" NOT NULL,
    environment_ids TEXT COLLATE "C" NOT NULL,
    used_at         BIGINT NOT NULL,
    PRIMARY KEY (user_name, request_key)
);

CREATE TABLE users (
    name       TEXT COLLATE "C" PRIMARY KEY NOT NULL,
    role       TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE access_tokens (
    id         TEXT COLLATE "C" PRIMARY KEY NOT NULL,
    user_name  TEXT COLLATE "C" NOT NULL REFERENCES users (name),
    label      TEXT COLLATE "C" NOT NULL,
    hash       TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT
);
CREATE UNIQUE INDEX access_tokens_hash ON access_tokens (hash);
