/* SPDX-License-Identifier: Apache-2.0 */
/* fakes_turn.c - conversations that a rule gave to an assistant, answered by
 * the test's made-up models.
 *
 * Happy path: a turn is a question like a script's ai.ask, with the visitor's
 * last words as its prompt; the answer comes in the loop's next turn. Failure:
 * t.ai.fails hands over, as a provider that is down does. No answer was made
 * up: the bot says nothing, which is what replays want; nothing here ever
 * reaches a provider.
 */
#include "app/testing/fakes.h"
#include "base/clock.h"

#define UNIT "desk/turn"
#define TURN_BYTES (64 * 1024)

struct turn_ask {
    struct script_ask ask; /* must be first */
    struct stage *stage;
};

bool fakes_is_turn(const struct script_ask *ask)
{
    return slice_is(ask->unit, UNIT);
}

static struct slice text_json(struct arena *a, struct slice assistant,
                              struct slice text)
{
    struct buf out;
    buf_init(&out, TURN_BYTES);
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '{');
    jsonw_put_text(&w, "kind", SLICE("text"));
    jsonw_put_text(&w, "text", text);
    jsonw_put_text(&w, "assistant", assistant);
    jsonw_close(&w, '}');
    struct slice s = w.failed ? SLICE("") : slice_dup(a, buf_slice(&out));
    buf_fini(&out);
    return s;
}

static void on_answer(struct mail *m)
{
    struct turn_ask *x = (struct turn_ask *)m;
    struct script_ask *ask = &x->ask;
    struct stage *st = x->stage;
    struct turn_end *e = turn_end_new((uint64_t)ask->number);
    struct json *j = NULL;
    st->busy--;
    stage_moved(st);
    if (ask->result == 0 && json_parse(e->arena, ask->data, NULL, &j) == 0) {
        struct slice text = json_text(j, "text");
        e->body = text.len ? text_json(e->arena, ask->name, text) : SLICE("");
        e->handover = json_text(j, "handover");
    } else {
        e->state = TURN_FAILED;
        e->reason = slice_dup(e->arena, slice_of(ask->err.text));
        e->handover = e->reason.len ? e->reason : SLICE("no answer");
    }
    if (!e->body.len && !e->handover.len) {
        e->state = TURN_FAILED;
        e->reason = e->handover = SLICE("the assistant had nothing to say");
    }
    if (st->crashed || !st->server || !st->server->desk) {
        turn_end_free(e);
    } else {
        desk_turn_end(st->server->desk, e);
    }
    arena_free(ask->arena);
}

void fakes_turn_given(struct fakes *f, struct script_ask *ask)
{
    f->stage->busy++;
    ask->mail.run = on_answer;
    loop_post(f->stage->loop, &ask->mail);
}

void fakes_ask(void *stage, const struct turn *t)
{
    struct stage *st = stage;
    const struct conversation *c = desk_conversation(st->server->desk, t->conv);
    struct arena *a = arena_new();
    struct turn_ask *x = arena_one(a, struct turn_ask);
    struct script_ask *ask = &x->ask;
    char id[ID_TEXT];
    struct buf out;
    buf_init(&out, TURN_BYTES);
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '{');
    jsonw_put_text(&w, "turn", id_text(id, ID_TURN, t->id));
    jsonw_put_text(&w, "conversation", id_text(id, ID_CONVERSATION, t->conv));
    jsonw_put_text(&w, "prompt", c && c->preview.at ? c->preview : SLICE(""));
    jsonw_close(&w, '}');
    ask->arena = a;
    ask->kind = ASK_AI;
    ask->unit = SLICE(UNIT);
    ask->name = slice_dup(a, t->assistant);
    ask->data = w.failed ? SLICE("{}") : slice_dup(a, buf_slice(&out));
    ask->number = (int64_t)t->id;
    x->stage = st;
    buf_fini(&out);
    fakes_take(st->fakes, ask);
}
