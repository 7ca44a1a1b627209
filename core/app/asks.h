/* SPDX-License-Identifier: Apache-2.0 */
/* asks.h - what scripts ask of the house, between the files that answer.
 *
 * Thread: main. An ask belongs to whoever answers it, until asks_answer.
 */
#pragma once
#include "app/server.h"

struct asks; /* streams that are open, values that are being made */

/* Takes the ask; frees it when its wing is closed. */
void asks_answer(struct server *s, struct script_ask *ask);
/* Answers with an error and its sentence. */
void asks_refuse(struct server *s, struct script_ask *ask, int code,
                 const char *why);
/* After the loop has ended. */
void asks_free(struct server *s);

/* ASK_LOOKUP: conversations, contacts, messages. Takes the ask. */
void lookup_ask(struct server *s, struct script_ask *ask);

/* --- asks_http.c: take the ask --- */
void http_ask(struct server *s, struct script_ask *ask);
void stream_ask(struct server *s, struct script_ask *ask);
void stream_next(struct server *s, struct script_ask *ask);
void stream_end(struct server *s, struct script_ask *ask);
/* Breaks what a connector's call still reads: nobody wants its answer. */
void streams_cancel(struct server *s, uint64_t call);
void streams_free(struct map *streams);

/* --- asks_post.c: takes the ask --- */
void post_ask(struct server *s, struct script_ask *ask); /* IMAP, SMTP */

/* --- asks_kv.c: take the ask --- */
void kv_ask(struct server *s, struct script_ask *ask); /* GET, SWAP, KEYS */

/* --- asks_kb.c: takes the ask --- */
void kb_ask(struct server *s, struct script_ask *ask);

/* --- asks_once.c: take the ask --- */
void once_ask(struct server *s, struct script_ask *ask);
void once_done(struct server *s, struct script_ask *ask);
void onces_free(struct server *s, struct map *onces);

struct asks {
    struct map streams;         /* by the asker's number */
    struct map streams_by_call; /* by the connector's call: one of its ring */
    struct map onces;           /* by space and key */
};
struct asks *asks_of(struct server *s); /* made when first asked for */
