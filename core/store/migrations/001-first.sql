-- SPDX-License-Identifier: Apache-2.0
-- The first schema. Integers for times (ms since 1970), ids and booleans;
-- statements elsewhere use $name parameters only (house section 1).

-- epoch, key: made once, with the database.
CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL
);

-- Durable readers of the journal and how far each has come. 'projected' is the
-- store's own: every row up to it is in `progress`.
CREATE TABLE reader (
    name TEXT PRIMARY KEY,
    pos INTEGER NOT NULL
);
INSERT INTO reader (name, pos) VALUES ('projected', 0);

-- What happened, once. `prev` is the event before in the same conversation
-- (0 = none): histories walk it, so that no index is kept on the hot path.
-- The body stands last: whoever reads the head never touches its pages.
CREATE TABLE journal (
    pos INTEGER PRIMARY KEY,
    prev INTEGER NOT NULL,
    at INTEGER NOT NULL,
    conv INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    name INTEGER NOT NULL,
    role INTEGER NOT NULL,
    flags INTEGER NOT NULL,
    sender INTEGER NOT NULL,
    cause INTEGER NOT NULL,
    ref TEXT NOT NULL,
    hash BLOB NOT NULL,
    body_hash BLOB,
    body TEXT
);

-- Where to begin a walk: every 64th message of a conversation.
CREATE TABLE anchor (
    conv INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    pos INTEGER NOT NULL,
    PRIMARY KEY (conv, seq)
) WITHOUT ROWID;

-- The projection: what follows from the journal about one conversation (0 =
-- the events of none), up to its last_pos.
CREATE TABLE progress (
    conv INTEGER PRIMARY KEY,
    last_pos INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    hidden INTEGER NOT NULL,
    unread INTEGER NOT NULL,
    agent_read INTEGER NOT NULL,
    visitor_read INTEGER NOT NULL,
    visitor_seq INTEGER NOT NULL,
    waiting_since_at INTEGER NOT NULL,
    handled INTEGER NOT NULL,
    preview TEXT NOT NULL
);

-- What the desk decided about a conversation.
CREATE TABLE conversation (
    id INTEGER PRIMARY KEY,
    channel INTEGER NOT NULL,
    contact INTEGER NOT NULL,
    state INTEGER NOT NULL,
    assignee INTEGER NOT NULL,
    team INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    tags TEXT NOT NULL,
    attributes TEXT NOT NULL,
    fence INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    closed_at INTEGER NOT NULL,
    snoozed_until INTEGER NOT NULL,
    queued_at INTEGER NOT NULL
);
CREATE INDEX conversation_contact ON conversation (contact);
-- 4 is CONV_CLOSED: the many closed ones cost nothing here.
CREATE INDEX conversation_open ON conversation (state) WHERE state <> 4;

CREATE TABLE contact (
    id INTEGER PRIMARY KEY,
    channel INTEGER NOT NULL,
    identity TEXT NOT NULL,
    name TEXT NOT NULL,
    email TEXT NOT NULL,
    phone TEXT NOT NULL,
    tier TEXT NOT NULL,
    tags TEXT NOT NULL,
    attributes TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
);
CREATE UNIQUE INDEX contact_identity ON contact (channel, identity)
    WHERE identity <> '';

CREATE TABLE agent (
    id INTEGER PRIMARY KEY,
    email TEXT NOT NULL,
    email_key TEXT NOT NULL,
    name TEXT NOT NULL,
    password TEXT NOT NULL,
    role INTEGER NOT NULL,
    max_load INTEGER NOT NULL,
    skills TEXT NOT NULL,
    status INTEGER NOT NULL,
    enabled INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
);
CREATE UNIQUE INDEX agent_email ON agent (email_key);

CREATE TABLE channel (
    id INTEGER PRIMARY KEY,
    type TEXT NOT NULL,
    name TEXT NOT NULL,
    config TEXT NOT NULL,
    secrets TEXT NOT NULL,
    enabled INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
);

CREATE TABLE team (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    members TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
);

CREATE TABLE token (
    id INTEGER PRIMARY KEY,
    digest BLOB NOT NULL,
    agent INTEGER NOT NULL,
    name TEXT NOT NULL,
    scopes TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
);
CREATE UNIQUE INDEX token_digest ON token (digest);

CREATE TABLE alarm (
    id INTEGER PRIMARY KEY,
    due_at INTEGER NOT NULL,
    conversation INTEGER NOT NULL,
    unit TEXT NOT NULL,
    name TEXT NOT NULL,
    data TEXT NOT NULL
);

CREATE TABLE kv (
    space TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (space, name)
) WITHOUT ROWID;
CREATE INDEX kv_expires ON kv (expires_at) WHERE expires_at <> 0;

CREATE TABLE answer (
    name TEXT PRIMARY KEY,
    digest BLOB NOT NULL,
    status INTEGER NOT NULL,
    body TEXT NOT NULL,
    created_at INTEGER NOT NULL
);
CREATE INDEX answer_created ON answer (created_at);
