-- SPDX-License-Identifier: Apache-2.0
-- What platforms said of a message after they had taken it, and why one was not
-- sent, as a code; found with the messages of a conversation.

ALTER TABLE outbox ADD COLUMN receipt INTEGER NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN code TEXT NOT NULL DEFAULT '';
CREATE INDEX outbox_conv ON outbox (conv, seq);
