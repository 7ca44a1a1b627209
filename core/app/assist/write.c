/* SPDX-License-Identifier: Apache-2.0 */
/* write.c - the pieces of an answer, on their way to who waits for it.
 *
 * Happy path: what came in one turn of the loop is one delta at its end, and
 * only then the connector goes on. Failure: a reader that is slow holds the
 * connector back, and so the provider; for SLOW_MS at most, then it does
 * without pieces and gets the whole answer. So no piece waits anywhere but in
 * the answer's own text.
 */
#include "app/asks.h"
#include "app/assist/inside.h"
#include "base/limits.h"
#include "base/meter.h"

#define SLOW_BYTES (32 * 1024)
#define SLOW_MS 2000
#define LOOK_MS 20

METER(m_pieces, METER_COUNTER, "yuelai_deltas_total",
      "Pieces of answers sent while they are made");
METER(m_slow, METER_COUNTER, "yuelai_deltas_held_total",
      "Of these, held back for a slow reader");

void write_answer(struct asking *k, int result)
{
    struct script_ask *ask = k->writing;
    if (ask) {
        k->writing = NULL;
        ask->result = result;
        asks_answer(k->as->server, ask);
    }
}

void write_forget(struct asking *k)
{
    write_answer(k, ERR_CANCELLED);
}

void assist_write(struct server *s, struct script_ask *ask)
{
    struct run *r =
        s->assist ? map_get(&s->assist->runs, (uint64_t)ask->number) : NULL;
    struct asking *k = r ? r->asking : NULL;
    if (!k || k->writing) {
        asks_refuse(s, ask, ERR_CANCELLED, "nobody wants it any more");
        return;
    }
    if (buf_add_slice(&k->text, ask->data)) {
        k->too_long = true;
        asks_refuse(s, ask, ERR_CANCELLED, "the answer is too long");
        return;
    }
    if (!r->heard) { /* also of words that the guard still holds back */
        r->heard = true;
        asking_speaks(k);
    }
    if (k->kind == ASKING_CALL || k->kind == ASKING_EMBED) {
        ask->result = 0;
        asks_answer(s, ask);
        return;
    }
    k->writing = ask;
    if (list_empty(&k->link)) {
        list_add_last(&s->assist->written, &k->link);
    }
}

struct slice assist_so_far(const struct server *s, uint64_t turn)
{
    struct asking *k = s->assist ? map_get(&s->assist->askings, turn) : NULL;
    return k && k->kind == ASKING_TURN ? (struct slice){k->text.data, k->told}
                                       : (struct slice){0};
}

static void on_slow(struct timer *t)
{
    (void)t; /* the turn's end looks */
}

/* false: not now. */
static bool tell(struct assist *as, struct asking *k, int64_t now)
{
    struct server *s = as->server;
    struct slice rest = {k->text.data + k->told, k->text.len - k->told};
    if (k->kind == ASKING_TURN &&
        desk_turn_backlog(s->desk, k->id) > SLOW_BYTES) {
        if (!k->slow_since) {
            k->slow_since = now;
            meter_add(&m_slow, 1);
        }
        if (now - k->slow_since < SLOW_MS) {
            return false;
        }
        k->told = k->text.len; /* it gets the whole at the end */
        k->index++;            /* and sees that one is missing */
        write_answer(k, 0);
        return true;
    }
    k->slow_since = 0;
    bool wanted = !rest.len || (k->kind == ASKING_TURN
                                    ? desk_delta(s->desk, k->id, k->index, rest)
                                    : draft_tell(k, rest));
    if (wanted && rest.len) {
        k->index++;
        meter_add(&m_pieces, 1);
    }
    k->told = k->text.len;
    write_answer(k, wanted ? 0 : ERR_CANCELLED);
    return true;
}

void assist_flush(void *server)
{
    struct server *s = server;
    struct assist *as = s->assist;
    if (!as || list_empty(&as->written) || !s->desk) {
        return;
    }
    int64_t now = loop_now(s->loop);
    bool held = false;
    list_each (&as->written, n) {
        struct asking *k = container_of(n, struct asking, link);
        if (tell(as, k, now)) {
            list_remove(&k->link);
            list_init(&k->link);
        } else {
            held = true;
        }
    }
    if (held) {
        timer_init(&as->slow, on_slow);
        timer_start(loop_wheel(s->loop), &as->slow, now + LOOK_MS);
    }
}
