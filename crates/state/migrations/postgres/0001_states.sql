-- Terraform states. The same tables and columns as migrations/sqlite; a test compares them.
-- Texts compare by bytes (collation "C") as they do in SQLite, whatever language the server speaks.

-- The newest value of each document. A removed one keeps its row, so that its revisions do not come again.
CREATE TABLE state_documents (
    name     TEXT COLLATE "C" PRIMARY KEY NOT NULL,
    revision BIGINT NOT NULL,
    removed  BIGINT NOT NULL,
    content  BYTEA NOT NULL
);

-- Contents of versions, and their pieces. A row here and all its pieces are written in one transaction.
CREATE TABLE state_blobs (
    state TEXT COLLATE "C" NOT NULL,
    key   TEXT COLLATE "C" NOT NULL,
    size  BIGINT NOT NULL,
    PRIMARY KEY (state, key)
);

CREATE TABLE state_chunks (
    state   TEXT COLLATE "C" NOT NULL,
    key     TEXT COLLATE "C" NOT NULL,
    number  BIGINT NOT NULL,
    content BYTEA NOT NULL,
    PRIMARY KEY (state, key, number)
);
