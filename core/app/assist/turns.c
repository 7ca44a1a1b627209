/* SPDX-License-Identifier: Apache-2.0 */
/* turns.c - the desk's turns, asked and answered.
 *
 * Happy path: a turn becomes an asking; its text becomes the message, with who
 * said it and where it is from. Failure: none could answer: the conversation
 * goes to the queue with the reason in words.
 */
#include "app/assist/inside.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include <stdio.h>

#define NOTE_BYTES (16 * 1024)

static const struct {
    const char *class, *why;
} reasons[] = {
    {"unauthorized", "the assistant is not set up well"},
    {"rate_limited", "the assistant is overloaded"},
    {"unavailable", "the assistant cannot be reached"},
    {"timeout", "the assistant did not answer in time"},
    {"too_long", "the conversation is too long for the assistant"},
    {"refused", "the assistant refused to answer"},
    {"bad_request", "the assistant did not understand the question"},
    {"budget", "the assistant's budget is used up"},
    {"broken", "the assistant's answer broke off"},
    {"empty", "the assistant had nothing to say"},
};

static struct slice reason_of(struct asking *k, struct arena *a)
{
    char text[400];
    const char *why = "the assistant could not answer";
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        if (slice_is(k->class, reasons[i].class)) {
            why = reasons[i].why;
        }
    }
    struct slice d = k->detail;
    d.len = d.len < 240 ? d.len : 240;
    while (d.len && !slice_is_utf8(d)) {
        d.len--;
    }
    int n = d.len ? snprintf(text, sizeof text, "%s (%.*s)", why, SLICE_FMT(d))
                  : snprintf(text, sizeof text, "%s", why);
    return slice_dup(a, (struct slice){text, (size_t)n});
}

/* What the message is, with who said it. */
static struct slice body_of(struct asking *k, struct arena *a, bool cut)
{
    char id[ID_TEXT];
    struct buf out;
    buf_init(&out, LIMIT_AGENT_FRAME_BYTES);
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '{');
    jsonw_put_text(&w, "kind", SLICE("text"));
    jsonw_put_text(&w, "text", buf_slice(&k->text));
    jsonw_put_text(&w, "format", SLICE("markdown"));
    jsonw_put_text(&w, "stream", id_text(id, ID_TURN, k->id));
    jsonw_put_text(&w, "assistant", k->answered_by);
    if (k->sources.len > 2) {
        jsonw_put_raw(&w, "sources", k->sources);
    }
    if (k->asks) {
        bool zh = k->asks_zh;
        jsonw_put_text(&w, "confirm", id_text(id, ID_CONFIRM, k->asks->id));
        if (!k->asks->agent) {
            jsonw_key(&w, "choices");
            jsonw_open(&w, '[');
            jsonw_text(&w, zh ? SLICE("确认") : SLICE("confirm"));
            jsonw_text(&w, zh ? SLICE("取消") : SLICE("cancel"));
            jsonw_close(&w, ']');
        }
    }
    if (cut) {
        jsonw_put_text(&w, "cut",
                       k->halted     ? SLICE("stopped")
                       : k->too_long ? SLICE("too_long")
                                     : k->class);
    }
    jsonw_close(&w, '}');
    struct slice s = w.failed ? SLICE("") : slice_dup(a, buf_slice(&out));
    buf_fini(&out);
    if (!s.len && k->sources.len) { /* without them, then */
        k->sources = SLICE("");
        return body_of(k, a, cut);
    }
    return s;
}

static struct slice note_of(struct asking *k, struct arena *a)
{
    struct buf out;
    buf_init(&out, NOTE_BYTES);
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '{');
    if (k->answered_by.len) {
        jsonw_put_text(&w, "assistant", k->answered_by);
    }
    jsonw_key(&w, "usage");
    purse_write(&w, &k->spent, k->currency);
    jsonw_key(&w, "asked");
    jsonw_open(&w, '[');
    jsonw_raw(&w, buf_slice(&k->asked));
    jsonw_close(&w, ']');
    if (k->prompt_version.len) {
        jsonw_put_text(&w, "prompt", k->prompt_version);
    }
    if (k->cached) {
        jsonw_put_bool(&w, "cached", true);
    }
    jsonw_close(&w, '}');
    struct slice s = w.failed ? SLICE("{}") : slice_dup(a, buf_slice(&out));
    buf_fini(&out);
    return s;
}

static struct confirm *asks_of_turn(const struct asking *k, struct arena *a)
{
    const struct confirm *from = k->asks;
    if (!from) {
        return NULL;
    }
    struct confirm *f = arena_one(a, struct confirm);
    *f = *from;
    f->assistant = slice_dup(a, from->assistant);
    f->tool = slice_dup(a, from->tool);
    f->call = slice_dup(a, from->call);
    f->hash = slice_dup(a, from->hash);
    f->question = slice_dup(a, from->question);
    return f;
}

static void on_done(struct asking *k, bool well)
{
    struct server *s = k->as->server;
    struct turn_end *e = turn_end_new(k->id);
    struct desk_of_bot *b =
        k->answered_by.len ? bot_of(k->as, k->answered_by) : NULL;
    struct arena *a = e->arena;
    e->kv = arena_many(a, struct kv, 2);
    if (!k->cached) { /* it has cost nothing */
        e->kv_count = purse_rows(k->as, k->memo, b, a, e->kv);
    }
    e->hops = slice_dup(a, k->hops);
    if (well) {
        answers_keep(k);
    }
    if (well && k->text.len) {
        e->body = body_of(k, a, k->cut || k->too_long);
        e->handover = slice_dup(a, k->handover);
        e->told = k->tells;
        e->asks = asks_of_turn(k, a);
    } else if (well && k->halted) {
        e->state = TURN_FAILED;
        e->reason = SLICE("stopped");
    } else {
        if (well && !k->handover.len) {
            k->class = SLICE("empty");
        }
        e->state = k->handover.len ? TURN_DONE : TURN_FAILED;
        e->handover =
            k->handover.len ? slice_dup(a, k->handover) : reason_of(k, a);
        e->reason = e->handover;
    }
    e->note = note_of(k, a);
    write_answer(k, 0);
    asking_free(k);
    desk_turn_end(s->desk, e);
}

void assist_ask(void *server, const struct turn *t)
{
    struct server *s = server;
    struct asking *k = asking_new(s->assist, ASKING_TURN, t->id);
    k->conv = t->conv;
    k->contact = t->contact;
    k->upto_seq = t->seq;
    k->done = on_done;
    k->hears = desk_confirm(s->desk, t->conv) != NULL;
    asking_chain(k, t->assistant);
    asking_start(k);
}

/* What was kept is the answer: no asking, no history, no row that waits. */
bool assist_known(void *server, struct known *w)
{
    struct server *s = server;
    struct asking k = {.as = s->assist,
                       .kind = ASKING_TURN,
                       .id = w->turn->id,
                       .arena = w->arena,
                       .chain = {w->turn->assistant},
                       .question = w->question,
                       .message_count = 1,
                       .plain = true};
    buf_init(&k.text, LIMIT_TURN_TEXT);
    bool known = answers_known(&k, w->channel);
    if (known) {
        w->body = body_of(&k, w->arena, false);
        w->note = note_of(&k, w->arena);
    }
    buf_fini(&k.text);
    return known && w->body.len;
}

void assist_unask(void *server, uint64_t turn, const char *why)
{
    struct server *s = server;
    struct asking *k = s->assist ? map_get(&s->assist->askings, turn) : NULL;
    if (k) {
        log_debug("assist", "a turn is not wanted any more: %s", why);
        asking_drop(k);
    }
}

void assist_halt(void *server, uint64_t turn)
{
    struct server *s = server;
    struct asking *k = map_get(&s->assist->askings, turn);
    if (k) {
        k->halted = true;
        asking_halt(k, "stopped");
    }
}

bool assist_told(void *server, uint64_t turn, struct slice *text,
                 uint32_t *index)
{
    struct server *s = server;
    const struct asking *k =
        s->assist ? map_get(&s->assist->askings, turn) : NULL;
    if (!k || !k->index) {
        return false;
    }
    *text = (struct slice){k->text.data, k->told};
    *index = k->index - 1;
    return true;
}
