-- SPDX-License-Identifier: Apache-2.0
-- The script platform: flows, why things went as they did, what no rule could
-- place, which versions served, who did what to the house.

-- One run of a flow. The log stands last: whoever reads the head never touches
-- its pages.
CREATE TABLE flow (
    id INTEGER PRIMARY KEY,
    unit TEXT NOT NULL,
    version TEXT NOT NULL,
    conv INTEGER NOT NULL,
    contact INTEGER NOT NULL,
    state INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    step INTEGER NOT NULL,
    fence INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    args TEXT NOT NULL,
    view TEXT NOT NULL,
    error TEXT NOT NULL,
    log TEXT NOT NULL
);
CREATE INDEX flow_conv ON flow (conv);
-- For lists by state, and to find what ended long ago.
CREATE INDEX flow_state ON flow (state, updated_at);

-- One row a job of the scripts, id = pos * 256 + hook * 16 + n: it grows at
-- its end, and the rows of one event lie side by side without an index.
CREATE TABLE trace (
    id INTEGER PRIMARY KEY,
    conv INTEGER NOT NULL,
    at INTEGER NOT NULL,
    body TEXT NOT NULL
);

-- What can be run again by hand.
CREATE TABLE dead (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    conv INTEGER NOT NULL,
    pos INTEGER NOT NULL,
    hook INTEGER NOT NULL,
    unit TEXT NOT NULL,
    reason TEXT NOT NULL,
    data TEXT NOT NULL,
    runs INTEGER NOT NULL
);

-- Versions of scripts, a few a unit.
CREATE TABLE version (
    id INTEGER PRIMARY KEY,
    unit TEXT NOT NULL,
    version TEXT NOT NULL,
    state INTEGER NOT NULL,
    since_at INTEGER NOT NULL,
    until_at INTEGER NOT NULL,
    note TEXT NOT NULL,
    sources TEXT NOT NULL
);
CREATE UNIQUE INDEX version_unit ON version (unit, version);

CREATE TABLE audit (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    agent INTEGER NOT NULL,
    what TEXT NOT NULL,
    about TEXT NOT NULL,
    data TEXT NOT NULL
);
