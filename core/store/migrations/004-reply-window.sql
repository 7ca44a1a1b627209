-- SPDX-License-Identifier: Apache-2.0
-- When the visitor last wrote and how often they were answered since: platforms
-- take answers for so long, or so many.

ALTER TABLE progress ADD COLUMN heard_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE progress ADD COLUMN said INTEGER NOT NULL DEFAULT 0;

-- From the journal, once. 1 is message.created; roles: 1 visitor, 2 agent, 3
-- bot; flag 1: private. Only up to last_pos: the rest is replayed.
CREATE TEMP TABLE heard AS
    SELECT j.conv AS conv, max(j.pos) AS pos, max(j.at) AS at
    FROM journal j JOIN progress p ON p.conv = j.conv
    WHERE j.name = 1 AND j.role = 1 AND j.pos <= p.last_pos
        AND (j.flags & 1) = 0
    GROUP BY j.conv;
CREATE UNIQUE INDEX heard_conv ON heard (conv);
UPDATE progress SET heard_at =
    coalesce((SELECT h.at FROM heard h WHERE h.conv = progress.conv), 0);
CREATE TEMP TABLE told AS
    SELECT j.conv AS conv, count(*) AS n
    FROM journal j JOIN progress p ON p.conv = j.conv
    LEFT JOIN heard h ON h.conv = j.conv
    WHERE j.name = 1 AND j.role IN (2, 3) AND j.pos <= p.last_pos
        AND (j.flags & 1) = 0 AND j.pos > coalesce(h.pos, 0)
    GROUP BY j.conv;
CREATE UNIQUE INDEX told_conv ON told (conv);
UPDATE progress SET said =
    coalesce((SELECT t.n FROM told t WHERE t.conv = progress.conv), 0);
DROP TABLE told;
DROP TABLE heard;
