/* SPDX-License-Identifier: Apache-2.0 */
/* calls.c - what scripts and people ask of an assistant by themselves.
 *
 * Happy path: ai.ask and ai.embed become askings like a conversation's turns,
 * with the same limits and the same chain; their answer goes back as JSON.
 * Failure: nil, class, detail of the last assistant that was asked.
 */
#include "app/asks.h"
#include "app/assist/inside.h"
#include "base/clock.h"
#include "base/limits.h"

static int code_of(struct slice class)
{
    static const struct {
        const char *class;
        int code;
    } codes[] = {{"rate_limited", ERR_RATE_LIMITED}, {"timeout", ERR_TIMEOUT},
                 {"unauthorized", ERR_UNAUTHORIZED}, {"too_long", ERR_TOOBIG},
                 {"bad_request", ERR_BAD_REQUEST},   {"refused", ERR_FORBIDDEN},
                 {"cancelled", ERR_CANCELLED}};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (slice_is(class, codes[i].class)) {
            return codes[i].code;
        }
    }
    return ERR_UNAVAILABLE;
}

static struct slice answer_of(struct asking *k, struct arena *a)
{
    struct buf out;
    buf_init(&out, LIMIT_BODY_BYTES);
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '{');
    if (k->kind == ASKING_EMBED) {
        jsonw_put_raw(&w, "vectors", k->vectors.len ? k->vectors : SLICE("[]"));
    } else {
        jsonw_put_text(&w, "text",
                       k->text.len ? buf_slice(&k->text) : SLICE(""));
    }
    jsonw_key(&w, "usage");
    purse_write(&w, &k->spent, k->currency);
    jsonw_put_text(&w, "assistant", k->answered_by);
    if (k->calls.len > 2) {
        jsonw_put_raw(&w, "tool_calls", k->calls);
    }
    if (k->sources.len > 2) {
        jsonw_put_raw(&w, "sources", k->sources);
    }
    if (k->handover.len) {
        jsonw_put_text(&w, "handover", k->handover);
    }
    jsonw_close(&w, '}');
    struct slice s = w.failed ? SLICE("{}") : slice_dup(a, buf_slice(&out));
    buf_fini(&out);
    return s;
}

static void on_done(struct asking *k, bool well)
{
    struct server *s = k->as->server;
    struct script_ask *ask = k->owner;
    k->owner = NULL;
    if (well) {
        ask->result = 0;
        ask->data = answer_of(k, ask->arena);
    } else {
        ask->result =
            err_set(&ask->err, code_of(k->class), "%.*s", SLICE_FMT(k->detail));
    }
    asking_free(k);
    asks_answer(s, ask);
}

/* No name: the oldest assistant that is switched on. */
static struct slice name_for(struct server *s, struct slice name)
{
    const struct assistant *a, *first = NULL;
    if (name.len) {
        return name;
    }
    for (size_t i = 0; (a = assist_next(s, &i)) != NULL;) {
        if (a->enabled && (!first || a->id < first->id)) {
            first = a;
        }
    }
    return first ? first->name : SLICE("");
}

void assist_call(struct server *s, struct script_ask *ask)
{
    bool embed = ask->kind == ASK_EMBED;
    struct slice name = s->assist ? name_for(s, ask->name) : SLICE("");
    if (!name.len) {
        asks_refuse(s, ask, ERR_UNAVAILABLE, "no assistant is set up");
        return;
    }
    struct asking *k =
        asking_new(s->assist, embed ? ASKING_EMBED : ASKING_CALL, id_new());
    k->owner = ask;
    k->done = on_done;
    k->wishes = ask->data; /* the ask lives as long */
    asking_chain(k, name);
    asking_start(k);
}

/* --- check ---------------------------------------------------------------- */

struct checking {
    void (*done)(void *arg, struct slice answer, const struct err *e);
    void *arg;
};

static void on_checked(struct job *job)
{
    struct checking *c = job->owner;
    struct err e = {0};
    if (job->result) {
        err_set(&e, ERR_UNAVAILABLE, "the server is stopping");
    } else if (!job->ran) {
        err_set(&e, ERR_UNSUPPORTED, "the connector cannot check its settings");
    } else if (job->failures) {
        err_set(&e, ERR_UNPROCESSABLE, "%.*s", SLICE_FMT(job->trouble));
    }
    c->done(c->arg, e.code ? SLICE("") : job->call->answer, e.code ? &e : NULL);
    job_free(job);
}

static void on_stopped(struct mail *m)
{
    struct job *job = (struct job *)m;
    job->result = ERR_CANCELLED;
    on_checked(job);
}

void assist_check(struct server *s, uint64_t id,
                  void (*done)(void *arg, struct slice answer,
                               const struct err *e),
                  void *arg)
{
    struct desk_of_bot *b = map_get(&s->assist->bots, id);
    must(b && b->bot);
    struct job *job = run_job(s->assist, HOOK_CHECK, b->bot, on_checked, NULL);
    struct checking *c = arena_one(job->arena, struct checking);
    *c = (struct checking){done, arg};
    job->owner = c;
    if (s->script) {
        script_run(s->script, job);
        return;
    }
    job->mail.run = on_stopped;
    loop_post(s->loop, &job->mail);
}
