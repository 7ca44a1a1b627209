/* SPDX-License-Identifier: Apache-2.0 */
/* summary.c - for the people who take over what an assistant held: what it was
 * about.
 *
 * Happy path: the hand-over is on disk; the assistant that held the
 * conversation is asked for a summary (ai/prompts/copilot-summary.md), guarded
 * and counted like any answer of it, and what it says becomes a note that the
 * visitor never sees. Nobody waits for it. Failure: no provider, no budget, no
 * place, a house that falls meanwhile: there is no note, and the agent has the
 * co-pilot's button.
 */
#include "app/assist/inside.h"
#include "app/assist/prompts.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/meter.h"

#define PROMPT SLICE("copilot-summary")
#define LEAST_MESSAGES 3 /* fewer are read faster than summed up */

METER(m_made, METER_COUNTER, "yuelai_summaries_total",
      "Notes made for who takes over from an assistant");
METER(m_failed, METER_COUNTER, "yuelai_summaries_failed_total",
      "Notes that no assistant could make");

struct wanted {
    struct server *server;
    uint64_t conv;
};

static void on_done(void *arg, const struct draft_answer *a)
{
    struct wanted *x = arg;
    struct buf out;
    meter_add(a->well && a->text.len ? &m_made : &m_failed, 1);
    if (a->well && a->text.len) {
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
        if (!w.failed) {
            desk_note(x->server->desk, x->conv, a->assistant, buf_slice(&out));
        }
        buf_fini(&out);
    } else {
        log_debug("assist", "no summary: %.*s", SLICE_FMT(a->class));
    }
    mem_free(x);
}

void assist_left(void *server, const struct conversation *c)
{
    struct server *s = server;
    struct desk_of_bot *b = s->assist ? bot_of(s->assist, c->bot) : NULL;
    struct slice text;
    if (!b || !b->bot->summary || c->last_seq < LEAST_MESSAGES ||
        !prompts_find(s->assist->prompts, PROMPT, &text)) {
        return;
    }
    if (b->waiting_count) { /* answers come first */
        meter_add(&m_failed, 1);
        return;
    }
    struct wanted *x = mem_alloc(sizeof *x);
    *x = (struct wanted){s, c->id};
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
        mem_free(x);
    }
}
