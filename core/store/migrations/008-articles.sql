-- SPDX-License-Identifier: Apache-2.0
-- The knowledge base. An article that is published lies in passages, each a row
-- that is searched; passage_words holds their words (store/kb/words.c), by the
-- same number. FTS5 is SQLite's own: another engine has its own words table.

CREATE TABLE article (
    id INTEGER PRIMARY KEY,
    state INTEGER NOT NULL,
    lang TEXT NOT NULL,
    title TEXT NOT NULL,
    tags TEXT NOT NULL,
    author INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    body TEXT NOT NULL
);
CREATE TABLE passage (
    id INTEGER PRIMARY KEY,
    article INTEGER NOT NULL,
    text TEXT NOT NULL
);
CREATE INDEX passage_article ON passage (article);
CREATE VIRTUAL TABLE passage_words USING fts5 (title, text);
