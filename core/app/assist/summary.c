/* SPDX-License-Identifier: Apache-2.0 */
/* summary.c - for the people who take over what an assistant held: what it was
 * about.
 *
 * Happy path: that it is owed is stored with the hand-over. Once that is on
 * disk, the assistant that held the conversation is asked for a summary
 * (ai/prompts/copilot-summary.md), guarded and counted like any answer of it,
 * and what it says becomes a note that the visitor never sees; with it goes
 * the row. Nobody waits for it. Failure: the house falls: what is owed is asked
 * for again at the start, and told once. No provider, no budget, no place, too
 * late: there is no note, and the agent has the co-pilot's button.
 */
#include "app/assist/inside.h"
#include "app/assist/prompts.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/meter.h"
#include <stdio.h>

#define PROMPT SLICE("copilot-summary")
#define LEAST_MESSAGES 3 /* fewer are read faster than summed up */
#define PREFIX "summary/"
#define OWED_MS 86400000 /* then nobody wants it any more */

METER(m_made, METER_COUNTER, "yuelai_summaries_total",
      "Notes made for who takes over from an assistant");
METER(m_failed, METER_COUNTER, "yuelai_summaries_failed_total",
      "Notes that no assistant could make");

struct summary {
    struct list link;
    struct server *server;
    uint64_t conv;
    char key[80]; /* of the row that says it is owed */
};

static struct kv row_of(const struct summary *x)
{
    return (struct kv){.space = SLICE(ASSIST_SPACE), .key = slice_of(x->key)};
}

/* Tells it, or that there is none (""); nothing is owed any more. */
static void settle(struct summary *x, struct slice assistant, struct slice body)
{
    struct kv owed = row_of(x);
    meter_add(body.len ? &m_made : &m_failed, 1);
    desk_note(x->server->desk, x->conv, assistant, body, &owed);
    list_remove(&x->link);
    mem_free(x);
}

static void on_done(void *arg, const struct draft_answer *a)
{
    struct summary *x = arg;
    struct buf out;
    if (!a->well || !a->text.len) {
        log_debug("assist", "no summary: %.*s", SLICE_FMT(a->class));
        settle(x, a->assistant, SLICE(""));
        return;
    }
    buf_init(&out, LIMIT_AGENT_FRAME_BYTES);
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '{');
    jsonw_put_text(&w, "kind", SLICE("text"));
    jsonw_put_text(&w, "text", a->text);
    jsonw_put_bool(&w, "private", true);
    jsonw_put_bool(&w, "summary", true);
    jsonw_put_text(&w, "assistant", a->assistant);
    jsonw_key(&w, "usage");
    purse_write(&w, &a->spent, a->currency);
    jsonw_close(&w, '}');
    settle(x, a->assistant, w.failed ? SLICE("") : buf_slice(&out));
    buf_fini(&out);
}

static void begin(struct server *s, const struct conversation *c,
                  struct slice key)
{
    struct summary *x = mem_alloc(sizeof *x);
    x->server = s;
    x->conv = c->id;
    snprintf(x->key, sizeof x->key, "%.*s", SLICE_FMT(key));
    list_add_last(&s->assist->summaries, &x->link);
    const struct draft d = {.conv = c->id,
                            .contact = c->contact,
                            .assistant = c->bot,
                            .prompt = PROMPT,
                            .stream = SLICE(""),
                            .wish = SLICE(""),
                            .text = SLICE(""),
                            .bare = true,
                            .done = on_done,
                            .arg = x};
    if (!assist_draft(s, &d)) {
        settle(x, c->bot, SLICE(""));
    }
}

struct kv *assist_leaves(void *server, const struct conversation *next,
                         struct arena *a)
{
    struct server *s = server;
    struct desk_of_bot *b = s->assist ? bot_of(s->assist, next->bot) : NULL;
    struct slice text;
    char id[ID_TEXT], key[80];
    if (!b || !b->bot->summary || next->last_seq < LEAST_MESSAGES ||
        !prompts_find(s->assist->prompts, PROMPT, &text)) {
        return NULL;
    }
    if (b->waiting_count) { /* answers come first */
        meter_add(&m_failed, 1);
        return NULL;
    }
    snprintf(key, sizeof key, PREFIX "%s/%010u",
             id_text(id, ID_CONVERSATION, next->id).at, next->fence);
    struct kv *owed = arena_one(a, struct kv);
    owed->space = SLICE(ASSIST_SPACE);
    owed->key = slice_dup(a, slice_of(key));
    owed->value = SLICE("true");
    owed->expires_at = clock_ms() + OWED_MS;
    return owed;
}

void assist_left(void *server, const struct conversation *c,
                 const struct kv *owed)
{
    begin(server, c, owed->key);
}

/* --- what the last end of the house has cut ------------------------------- */

static struct slice conv_text(struct slice key)
{
    size_t skip = sizeof PREFIX - 1;
    struct slice id = {key.at + skip, key.len - skip};
    const char *end = memchr(id.at, '/', id.len);
    id.len = end ? (size_t)(end - id.at) : 0;
    return id;
}

static void on_owed(struct query *q)
{
    struct server *s = q->owner;
    struct json *j = NULL;
    if (q->result || json_parse(q->arena, q->json, NULL, &j) < 0) {
        log_warn("assist", "which summaries are owed was not read: %s",
                 q->err.text);
    }
    for (const struct json *x = j ? j->first : NULL; x; x = x->next) {
        struct kv owed = {.space = SLICE(ASSIST_SPACE), .key = x->text};
        struct slice id = conv_text(x->text);
        bool again = x->next && slice_eq(conv_text(x->next->text), id);
        uint64_t conv = 0;
        id_parse(id, ID_CONVERSATION, &conv);
        const struct conversation *c = desk_conversation(s->desk, conv);
        if (c && c->bot.len && c->state != CONV_BOT && !again) {
            begin(s, c, x->text);
        } else { /* it is over, or went on; or a later one is owed, too */
            desk_note(s->desk, conv, SLICE(""), SLICE(""), &owed);
        }
    }
    query_free(q);
}

void assist_start(struct server *s)
{
    struct query *q = query_new(QUERY_KV_KEYS, on_owed, s);
    q->kv.space = SLICE(ASSIST_SPACE);
    q->kv.key = SLICE(PREFIX);
    q->limit = LIMIT_KV_KEYS;
    server_read(s, q);
}

void summaries_free(struct assist *as)
{
    list_each (&as->summaries, n) {
        mem_free(container_of(n, struct summary, link));
    }
    list_init(&as->summaries);
}
