-- Tokens that are good for states alone.
ALTER TABLE access_tokens ADD COLUMN states_only BIGINT NOT NULL DEFAULT 0;

-- Who may do what with which states. The states themselves are elsewhere.
CREATE TABLE state_grants (
    subject_kind TEXT COLLATE "C" NOT NULL,
    subject      TEXT COLLATE "C" NOT NULL,
    pattern      TEXT COLLATE "C" NOT NULL,
    rights       TEXT COLLATE "C" NOT NULL,
    granted_by   TEXT COLLATE "C" NOT NULL,
    granted_at   BIGINT NOT NULL,
    PRIMARY KEY (subject_kind, subject, pattern)
);

-- Who did what to which state. A serial is text because it may be larger than any number here.
CREATE TABLE state_log (
    id       TEXT COLLATE "C" PRIMARY KEY NOT NULL,
    at       BIGINT NOT NULL,
    actor    TEXT COLLATE "C" NOT NULL,
    token_id TEXT COLLATE "C",
    state    TEXT COLLATE "C" NOT NULL,
    action   TEXT COLLATE "C" NOT NULL,
    outcome  TEXT COLLATE "C" NOT NULL,
    serial   TEXT COLLATE "C",
    checksum TEXT COLLATE "C",
    lock_id  TEXT COLLATE "C",
    bytes    BIGINT,
    remote   TEXT COLLATE "C",
    detail   TEXT COLLATE "C"
);
CREATE INDEX state_log_state ON state_log (state, id);
