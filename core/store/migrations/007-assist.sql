-- SPDX-License-Identifier: Apache-2.0
-- Assistants (configured connectors to models), and the turns they answer.

CREATE TABLE assistant (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    type TEXT NOT NULL,
    config TEXT NOT NULL,
    secrets TEXT NOT NULL,
    settings TEXT NOT NULL,
    enabled INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
);
CREATE UNIQUE INDEX assistant_name ON assistant (name);

CREATE TABLE turn (
    id INTEGER PRIMARY KEY,
    conv INTEGER NOT NULL,
    contact INTEGER NOT NULL,
    pos INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    fence INTEGER NOT NULL,
    state INTEGER NOT NULL,
    assistant TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    reason TEXT NOT NULL,
    note TEXT NOT NULL
);
-- 0 is TURN_PENDING: those that are over cost nothing here.
CREATE INDEX turn_open ON turn (id) WHERE state = 0;
CREATE INDEX turn_conv ON turn (conv, id);

-- Which assistant holds a conversation in state bot; '' = none yet.
ALTER TABLE conversation ADD COLUMN bot TEXT NOT NULL DEFAULT '';
