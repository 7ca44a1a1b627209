/* SPDX-License-Identifier: Apache-2.0 */
/* write.c - the pieces of an answer, on their way to who waits for it.
 *
 * Happy path: what came in one turn of the loop is one delta at its end, and
 * only then the connector goes on. Failure: nobody waits for a slow reader. Its
 * socket does without pieces (desk_delta), so none waits anywhere but in the
 * answer's own text.
 */
#include "app/asks.h"
#include "app/assist/inside.h"
#include "base/limits.h"
#include "base/meter.h"

METER(m_pieces, METER_COUNTER, "yuelai_deltas_total",
      "Pieces of answers sent while they are made");

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

static void tell(struct asking *k)
{
    struct server *s = k->as->server;
    struct slice rest = {k->text.data + k->told, k->text.len - k->told};
    uint32_t index = k->index;
    k->told = k->text.len; /* before it is told: who is behind gets it all */
    k->index += rest.len ? 1 : 0;
    bool wanted = !rest.len || (k->kind == ASKING_TURN
                                    ? desk_delta(s->desk, k->id, index, rest)
                                    : draft_tell(k, index, rest));
    if (wanted && rest.len) {
        meter_add(&m_pieces, 1);
    }
    write_answer(k, wanted ? 0 : ERR_CANCELLED);
}

void assist_flush(void *server)
{
    struct server *s = server;
    struct assist *as = s->assist;
    if (!as || !s->desk) {
        return;
    }
    list_each (&as->written, n) {
        struct asking *k = container_of(n, struct asking, link);
        list_remove(&k->link);
        list_init(&k->link);
        tell(k);
    }
}
