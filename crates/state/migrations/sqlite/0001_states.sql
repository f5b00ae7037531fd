-- Terraform states. The same tables and columns as migrations/postgres; a test compares them.

-- The newest value of each document. A removed one keeps its row, so that its revisions do not come again.
CREATE TABLE state_documents (
    name     TEXT PRIMARY KEY NOT NULL,
    revision INTEGER NOT NULL,
    removed  INTEGER NOT NULL,
    content  BLOB NOT NULL
) STRICT;

-- Contents of versions, and their pieces. A row here and all its pieces are written in one transaction.
CREATE TABLE state_blobs (
    state TEXT NOT NULL,
    key   TEXT NOT NULL,
    size  INTEGER NOT NULL,
    PRIMARY KEY (state, key)
) STRICT;

CREATE TABLE state_chunks (
    state   TEXT NOT NULL,
    key     TEXT NOT NULL,
    number  INTEGER NOT NULL,
    content BLOB NOT NULL,
    PRIMARY KEY (state, key, number)
) STRICT;
