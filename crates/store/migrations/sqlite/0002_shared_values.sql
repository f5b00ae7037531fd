-- Small values that replicas share, each replaced as a whole by whoever read its newest version.
CREATE TABLE shared_values (
    name    TEXT PRIMARY KEY NOT NULL,
    value   TEXT NOT NULL,
    version INTEGER NOT NULL
) STRICT;
