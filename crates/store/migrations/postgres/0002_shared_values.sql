-- Small values that replicas share, each replaced as a whole by whoever read its newest version.
CREATE TABLE shared_values (
    name    TEXT COLLATE "C" PRIMARY KEY NOT NULL,
    value   TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL
);
