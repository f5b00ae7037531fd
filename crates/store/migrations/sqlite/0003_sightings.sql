-- What audits found and still find: a finding is acted upon only after it was seen twice, a grace apart.
CREATE TABLE sightings (
    finding    TEXT PRIMARY KEY NOT NULL,
    first_seen INTEGER NOT NULL,
    last_seen  INTEGER NOT NULL,
    times      INTEGER NOT NULL
) STRICT;

-- When the last complete audit was made (`noted`), and before when no replica begins the next scheduled one (`due`).
CREATE TABLE audit_times (
    name TEXT PRIMARY KEY NOT NULL,
    at   INTEGER NOT NULL
) STRICT;
