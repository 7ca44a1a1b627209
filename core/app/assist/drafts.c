/* SPDX-License-Identifier: Apache-2.0 */
/* drafts.c - a bot as an agent's co-pilot: drafts, other words, translations,
 * summaries.
 *
 * Happy path: an asking with the task's prompt (ai/prompts/copilot-*.md); its
 * pieces go to that agent's sockets alone, the whole is the answer. Nothing of
 * it is stored or seen by the visitor. Failure: the class of the last
 * assistant that was asked.
 */
#include "app/assist/inside.h"
#include "base/clock.h"

static void on_done(struct asking *k, bool well)
{
    struct draft *d = k->owner;
    struct draft_answer a = {.well = well,
                             .text =
                                 k->text.len ? buf_slice(&k->text) : SLICE(""),
                             .assistant = k->answered_by,
                             .class = k->class,
                             .detail = k->detail,
                             .spent = k->spent,
                             .currency = k->currency};
    k->owner = NULL;
    k->draft = NULL;
    d->done(d->arg, &a);
    asking_free(k);
}

/* The pieces, named as the agent's console wants them. */
bool draft_tell(struct asking *k, uint32_t index, struct slice text)
{
    struct draft *d = k->draft;
    return !d || !d->stream.len ||
           desk_draft(k->as->server->desk, d->agent, k->conv, d->stream, index,
                      text);
}

static void put(struct jsonw *w, struct slice text)
{
    jsonw_open(w, '{');
    jsonw_put_text(w, "role", SLICE("user"));
    jsonw_put_text(w, "text", text);
    jsonw_close(w, '}');
}

bool assist_draft(struct server *s, const struct draft *wanted)
{
    struct slice name = wanted->assistant;
    const struct assistant *a, *first = NULL;
    for (size_t i = 0; !name.len && (a = assist_next(s, &i)) != NULL;) {
        if (a->enabled && (!first || a->id < first->id)) {
            first = a;
        }
    }
    name = first ? first->name : name;
    if (!name.len || !bot_of(s->assist, name)) {
        return false;
    }
    struct asking *k = asking_new(s->assist, ASKING_DRAFT, id_new());
    struct draft *d = arena_one(k->arena, struct draft);
    *d = *wanted;
    d->stream = slice_dup(k->arena, wanted->stream);
    d->prompt = slice_dup(k->arena, wanted->prompt);
    k->owner = d;
    k->draft = d;
    k->done = on_done;
    k->conv = wanted->conv;
    k->contact = wanted->contact;
    if (wanted->text.len) { /* of the text alone, not of the conversation */
        struct buf out;
        buf_init(&out, 4 * CONTEXT_BYTES);
        struct jsonw w = jsonw_on(&out);
        if (wanted->wish.len) {
            put(&w, wanted->wish);
        }
        put(&w, wanted->text);
        k->messages = slice_dup(k->arena, buf_slice(&out));
        buf_fini(&out);
        k->has_context = true;
    }
    asking_chain(k, name);
    asking_start(k);
    return true;
}
