/* SPDX-License-Identifier: Apache-2.0 */
/* asks_kb.c - scripts search the knowledge base.
 *
 * Happy path: one query of the store. Failure: its error, with its sentence.
 */
#include "app/asks.h"
#include "base/json.h"
#include "base/limits.h"

struct ask_kb {
    struct server *server;
    struct script_ask *ask;
};

static void on_found(struct query *q)
{
    struct ask_kb *k = q->owner;
    k->ask->result = q->result;
    k->ask->err = q->err;
    k->ask->data =
        slice_dup(k->ask->arena, q->json.len ? q->json : SLICE("[]"));
    asks_answer(k->server, k->ask);
    query_free(q);
}

static struct slice tags_of(struct arena *a, const struct json *options)
{
    struct buf out;
    const struct json *tags = json_get(options, "tags");
    buf_init(&out, LIMIT_TAGS * (LIMIT_TAG_BYTES * 6 + 8));
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '[');
    uint32_t n = 0;
    const struct json *t = json_is(tags, JSON_ARRAY) ? tags->first : NULL;
    for (; t && n < LIMIT_TAGS; t = t->next) {
        if (json_is(t, JSON_STRING) && t->text.len <= LIMIT_TAG_BYTES) {
            jsonw_text(&w, t->text);
            n++;
        }
    }
    jsonw_close(&w, ']');
    struct slice all = w.failed ? SLICE("[]") : slice_dup(a, buf_slice(&out));
    buf_fini(&out);
    return all;
}

void kb_ask(struct server *s, struct script_ask *ask)
{
    struct ask_kb *k = arena_one(ask->arena, struct ask_kb);
    struct json *options = NULL;
    *k = (struct ask_kb){s, ask};
    if (json_parse(ask->arena, ask->data, NULL, &options) < 0) {
        options = NULL;
    }
    struct query *q = query_new(QUERY_KB, on_found, k);
    q->text = slice_dup(q->arena, ask->name);
    q->limit = (uint32_t)json_int(options, "limit", 5);
    struct slice lang = json_text(options, "lang");
    q->identity = lang.len ? slice_dup(q->arena, lang) : SLICE("");
    q->tags = tags_of(q->arena, options);
    server_read(s, q);
}
