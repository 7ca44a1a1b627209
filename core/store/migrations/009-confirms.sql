-- SPDX-License-Identifier: Apache-2.0
-- Tools of models that need a person's word before they run.

CREATE TABLE confirm (
    id INTEGER PRIMARY KEY,
    conv INTEGER NOT NULL,
    turn INTEGER NOT NULL,
    fence INTEGER NOT NULL,
    state INTEGER NOT NULL,
    agent INTEGER NOT NULL,
    told INTEGER NOT NULL,
    decided_by INTEGER NOT NULL,
    assistant TEXT NOT NULL,
    tool TEXT NOT NULL,
    call TEXT NOT NULL,
    hash TEXT NOT NULL,
    question TEXT NOT NULL,
    result TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
);
-- Those that are over cost nothing here.
CREATE INDEX confirm_open ON confirm (id) WHERE told = 0;
CREATE INDEX confirm_conv ON confirm (conv, id);
