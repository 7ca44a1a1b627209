/* SPDX-License-Identifier: Apache-2.0 */
/* kb.h - the knowledge base: articles to rows, their passages found again.
 *
 * Why words of our own: FTS5 splits at blanks, and Chinese has none. Texts are
 * written down as their words: Latin ones as they are, Han ones as single
 * characters and pairs of neighbours, so that a question finds what it shares.
 *
 * Thread: the connection's.
 */
#pragma once
#include "store/reader.h"
#include "store/record.h"

/* --- words.c --- */
#define KB_PASSAGE_BYTES 1200 /* of one passage, about */
#define KB_PASSAGES 400       /* of one article; the rest is not searched */
#define KB_QUERY_WORDS 64
/* Appends the words of a text, with blanks between; ERR_TOOBIG. */
int kb_words(struct slice text, struct buf *out);
/* Appends a question for FTS5, any of the words; nothing if there is none. */
int kb_question(struct slice text, struct buf *out);
/* Takes the next passage off the front of *rest: whole paragraphs, a heading
 * begins a new one; false: there is none. */
bool kb_passage(struct slice *rest, struct slice *out);

/* --- articles.c --- */
bool record_is_article(enum put_kind kind);
/* PUT_ARTICLE, DEL_ARTICLE, with their passages; ERR_TOOBIG: there are
 * LIMIT_ARTICLES already. */
int record_put_article(struct record_writer *w, const struct put *p,
                       struct err *e);
int find_article(struct reader *r, struct query *q);
int list_articles(struct reader *r, struct query *q);
int search_passages(struct reader *r, struct query *q);
