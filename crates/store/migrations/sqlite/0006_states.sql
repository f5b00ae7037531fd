-- Tokens that are good for states alone.
ALTER TABLE access_tokens ADD COLUMN states_only INTEGER NOT NULL DEFAULT 0;

-- Who may do what with which states. The states themselves are elsewhere.
CREATE TABLE state_grants (
    subject_kind TEXT NOT NULL,
    subject      TEXT NOT NULL,
    pattern      TEXT NOT NULL,
    rights       TEXT NOT NULL,
    granted_by   TEXT NOT NULL,
    granted_at   INTEGER NOT NULL,
    PRIMARY KEY (subject_kind, subject, pattern)
) STRICT;

-- Who did what to which state. A serial is text because it may be larger than any number here.
CREATE TABLE state_log (
    id       TEXT PRIMARY KEY NOT NULL,
    at       INTEGER NOT NULL,
    actor    TEXT NOT NULL,
    token_id TEXT,
    state    TEXT NOT NULL,
    action   TEXT NOT NULL,
    outcome  TEXT NOT NULL,
    serial   TEXT,
    checksum TEXT,
    lock_id  TEXT,
    bytes    INTEGER,
    remote   TEXT,
    detail   TEXT
) STRICT;
CREATE INDEX state_log_state ON state_log (state, id);
