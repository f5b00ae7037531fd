-- What audits found and still find: a finding is acted upon only after it was seen twice, a grace apart.
CREATE TABLE sightings (
    finding    TEXT COLLATE "C" PRIMARY KEY NOT NULL,
    first_seen BIGINT NOT NULL,
    last_seen  BIGINT NOT NULL,
    times      BIGINT NOT NULL
);

-- When the last complete audit was made (`noted`), and before when no replica begins the next scheduled one (`due`).
CREATE TABLE audit_times (
    name TEXT COLLATE "C" PRIMARY KEY NOT NULL,
    at   BIGINT NOT NULL
);
