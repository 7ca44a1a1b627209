-- SPDX-License-Identifier: Apache-2.0
-- Messages on their way out to platforms.

CREATE TABLE outbox (
    id INTEGER PRIMARY KEY,
    pos INTEGER NOT NULL,
    conv INTEGER NOT NULL,
    channel INTEGER NOT NULL,
    contact INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    state INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    address TEXT NOT NULL,
    remote TEXT NOT NULL,
    reason TEXT NOT NULL
);
-- 1 is OUTBOX_SENT: the many that are through cost nothing here.
CREATE INDEX outbox_open ON outbox (state, id) WHERE state <> 1;
-- For receipts, by the platform's id.
CREATE INDEX outbox_remote ON outbox (remote, channel) WHERE remote <> '';
