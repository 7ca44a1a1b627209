-- SPDX-License-Identifier: Apache-2.0
-- What is known of people's files; their bytes lie below DATA/files by hash.

CREATE TABLE file (
    id INTEGER PRIMARY KEY,
    hash BLOB NOT NULL,
    size INTEGER NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    thumb INTEGER NOT NULL,
    mime TEXT NOT NULL,
    name TEXT NOT NULL,
    -- Who brought it: one of these, or none (the house's own).
    contact INTEGER NOT NULL,
    agent INTEGER NOT NULL,
    channel INTEGER NOT NULL,
    conv INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    used_at INTEGER NOT NULL
);
CREATE INDEX file_hash ON file (hash);
CREATE INDEX file_unused ON file (created_at) WHERE used_at = 0;
CREATE INDEX file_used ON file (used_at) WHERE used_at <> 0;
-- The conversations whose messages bear it; shared: not only in notes.
CREATE TABLE file_use (
    file INTEGER NOT NULL,
    conv INTEGER NOT NULL,
    shared INTEGER NOT NULL,
    PRIMARY KEY (file, conv)
);
