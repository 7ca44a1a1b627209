-- SPDX-License-Identifier: Apache-2.0
-- A row of the outbox may take another one's message back: that row's id.

ALTER TABLE outbox ADD COLUMN undoes INTEGER NOT NULL DEFAULT 0;
