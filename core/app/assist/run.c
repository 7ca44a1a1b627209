/* SPDX-License-Identifier: Apache-2.0 */
/* run.c - one call of a connector.
 *
 * Happy path: a job with the turn; pieces come by ASK_WRITE; the job comes home
 * with everything else the connector told. Failure: its class decides what
 * happens next (asking.c); a run that nobody waits for any more still gives its
 * place back and has its cost counted when the connector returns.
 */
#include "app/asks.h"
#include "app/assist/inside.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/meter.h"
#include <stdio.h>
#include <string.h>

#define JOB_BYTES 288 /* beside them: names, what the script's side notes */

METER_US(run_time, "yuelai_assistant_seconds",
         "Time of a connector's call, from its place to its end");

struct job *run_job(struct assist *as, enum hook h, const struct bot *bot,
                    void (*done)(struct job *), void *owner)
{
    struct arena *a = arena_new_for(sizeof(struct job) +
                                    sizeof(struct adapter_call) + JOB_BYTES);
    struct job *job = job_new_in(a, h, done, owner);
    struct adapter_call *call = arena_one(job->arena, struct adapter_call);
    char unit[80];
    call->channel = bot->rec.id;
    call->type = slice_dup(job->arena, bot->rec.type);
    call->name = slice_dup(job->arena, bot->rec.name);
    call->given = arena_new();
    call_settings(call, call->given, bot->rec.config, bot->rec.secrets);
    job->call = call;
    job->at = clock_ms();
    snprintf(unit, sizeof unit, "ai/%.*s", SLICE_FMT(bot->rec.type));
    job->unit = slice_dup(job->arena, slice_of(unit));
    (void)as;
    return job;
}

void run_start(struct asking *k, struct desk_of_bot *b)
{
    struct run *r = mem_alloc(sizeof *r);
    must(!k->run);
    r->number = id_new();
    r->as = k->as;
    r->asking = k;
    r->of = b;
    r->began_us = clock_mono_us();
    b->under_way++;
    map_put(&k->as->runs, r->number, r);
    k->run = r;
}

static void tell_breaker(struct run *r, enum breaker_outcome outcome)
{
    struct desk_of_bot *b = r->of;
    if (r->ticket) {
        (void)breaker_note(&b->breaker, r->ticket, outcome,
                           loop_now(r->as->server->loop));
        r->ticket = 0;
    }
    meter_set(b->state, b->breaker.state);
}

/* Its place is free again. */
static void run_free(struct run *r)
{
    struct desk_of_bot *b = r->of;
    struct assist *as = r->as;
    tell_breaker(r, BREAKER_NOTHING);
    map_take(&as->runs, r->number);
    memo_unref(as, r->memo);
    mem_free(r);
    b->under_way--;
    bot_freed(b);
}

void run_leave(struct asking *k)
{
    struct run *r = k->run;
    if (!r) {
        return;
    }
    k->run = NULL;
    r->asking = NULL;
    if (!r->goes) {
        run_free(r);
    } else {
        streams_cancel(r->as->server, r->number);
    }
}

void run_late(struct asking *k)
{
    if (k->run) {
        tell_breaker(k->run, BREAKER_FAILED);
        meter_add(k->run->of->failed, 1);
    }
    run_leave(k);
}

/* --- what it came to ------------------------------------------------------ */

static void on_kept(struct tx *tx)
{
    if (tx->result) {
        log_warn("assist", "what an answer cost was not stored: %s",
                 tx->err.text);
    }
    tx_free(tx);
}

static void keep_rows(struct run *r)
{
    struct tx *tx = tx_new(on_kept, NULL);
    struct kv *rows = arena_many(tx->arena, struct kv, 2);
    size_t n = purse_rows(r->as, r->memo, r->of, tx->arena, rows);
    for (size_t i = 0; i < n; i++) {
        tx_put(tx, PUT_KV)->kv = &rows[i];
    }
    server_commit(r->as->server, tx);
}

static struct slice json_of(struct arena *a, const struct json *v)
{
    struct buf out;
    if (!v || json_is(v, JSON_NULL)) {
        return SLICE("");
    }
    buf_init(&out, LIMIT_BODY_BYTES);
    struct jsonw w = jsonw_on(&out);
    jsonw_value(&w, v);
    struct slice s = w.failed ? SLICE("") : slice_dup(a, buf_slice(&out));
    buf_fini(&out);
    return s;
}

static void learn(struct asking *k, const struct json *j)
{
    struct arena *a = k->arena;
    k->calls = json_of(a, json_get(j, "calls"));
    k->vectors = json_of(a, json_get(j, "vectors"));
    if (json_get(j, "sources")) {
        k->sources = json_of(a, json_get(j, "sources"));
    }
    if (json_text(j, "handover").len) {
        k->handover = slice_dup(a, json_text(j, "handover"));
    }
}

static void count(struct run *r, const struct json *usage)
{
    struct desk_of_bot *b = r->of;
    struct purse p;
    if (!usage || !b->bot) {
        return;
    }
    p = purse_of(b->bot, usage);
    purse_add(&b->purse, &p);
    meter_add(b->answered, p.input + p.output);
    if (r->memo) {
        purse_add(&r->memo->purse, &p);
    }
    struct slice currency = json_text(usage, "currency");
    purse_currency(b, currency);
    if (r->asking) {
        purse_add(&r->asking->spent, &p);
        r->asking->currency = slice_dup(
            r->asking->arena, currency.len ? currency : b->bot->currency);
    }
}

static enum breaker_outcome judge(bool ok, const char *class)
{
    static const char *const theirs[] = {"unavailable", "timeout", "broken",
                                         "rate_limited", "unauthorized"};
    for (size_t i = 0; !ok && i < sizeof theirs / sizeof theirs[0]; i++) {
        if (strcmp(class, theirs[i]) == 0) {
            return BREAKER_FAILED;
        }
    }
    return ok || strcmp(class, "cancelled") != 0 ? BREAKER_WELL
                                                 : BREAKER_NOTHING;
}

static void tell_operator(struct desk_of_bot *b, bool ok, const char *class,
                          struct slice detail)
{
    bool mine = !ok && strcmp(class, "unauthorized") == 0;
    if (ok) {
        b->trouble[0] = '\0';
    } else if (mine) {
        snprintf(b->trouble, sizeof b->trouble, "unauthorized: %.*s",
                 (int)(detail.len < 150 ? detail.len : 150), detail.at);
        struct slice name = b->bot ? b->bot->rec.name : SLICE("");
        log_error("assist", "assistant %.*s: %s", SLICE_FMT(name), b->trouble);
    }
}

void asking_hops(struct asking *k, const struct job *job)
{
    struct slice more = job->hops, was = k->hops;
    if (more.len < 3 || was.len + more.len > LIMIT_TRACE_BYTES / 2) {
        return;
    }
    if (was.len < 3) {
        k->hops = slice_dup(k->arena, more);
        return;
    }
    char *at = arena_text(k->arena, was.len + more.len + 1);
    memcpy(at, was.at, was.len - 1);
    at[was.len - 1] = ',';
    memcpy(at + was.len, more.at + 1, more.len - 1);
    k->hops = (struct slice){at, was.len + more.len - 1};
}

/* Somebody waits for it: the answer, tools to run, or the next try. */
static void go_on(struct asking *k, const struct json *j, const char *class,
                  struct slice detail)
{
    double again = 0;
    const struct json *s = json_get(j, "seconds");
    if (json_bool(j, "ok", false)) {
        learn(k, j);
        if (k->calls.len > 2 && k->kind != ASKING_CALL) {
            tools_begin(k);
        } else {
            k->done(k, true);
        }
        return;
    }
    if (slice_is(json_text(j, "by"), "guard") && detail.len &&
        !k->text.len) { /* the guard says so itself */
        k->handover = SLICE("");
        (void)buf_add_slice(&k->text, detail);
        k->done(k, true);
        return;
    }
    if (json_is(s, JSON_REAL)) {
        again = s->real;
    } else if (json_is(s, JSON_INT)) {
        again = (double)s->integer;
    }
    again = again > 86400 ? 86400 : again < 0 ? 0 : again;
    asking_failed(k, class, detail, (int64_t)(again * 1000));
}

static void on_ran(struct job *job)
{
    struct run *r = job->owner;
    struct asking *k = r->asking;
    struct desk_of_bot *b = r->of;
    struct json *j = NULL;
    char class[32] = "broken";
    struct slice detail = job->trouble;
    bool parsed = !job->result && job->ran && !job->failures &&
                  json_parse(job->arena, job->call->answer, NULL, &j) == 0;
    bool ok = parsed && json_bool(j, "ok", false);
    if (parsed) {
        snprintf(class, sizeof class, "%.*s", SLICE_FMT(json_text(j, "class")));
        detail = json_text(j, "detail");
    } else if (!job->ran) {
        snprintf(class, sizeof class, "unavailable");
        detail = SLICE("its connector is not there");
    }
    meter_note(&run_time, clock_mono_us() - r->began_us);
    if (job->result) { /* the house stops: a turn is asked again after it */
        if (k) {
            timer_stop(loop_wheel(r->as->server->loop), &k->timer);
            k->run = NULL;
            r->asking = NULL;
        }
        run_free(r);
        job_free(job);
        return;
    }
    tell_breaker(r, judge(ok, class));
    tell_operator(b, ok, class, detail);
    if (!ok) {
        meter_add(b->failed, 1);
    }
    const struct json *usage = json_get(j, "usage");
    count(r, usage);
    if (r->memo && b->bot && json_get(j, "state")) {
        memo_keep(r->memo, b->id, json_of(job->arena, json_get(j, "state")));
    }
    bool ends = k && k->kind == ASKING_TURN && ok && !json_get(j, "calls");
    if (usage && !ends) {
        keep_rows(r);
    }
    if (k) {
        asking_hops(k, job);
        k->run = NULL;
        r->asking = NULL;
        k->answered_by = k->chain[k->chain_at];
    }
    run_free(r);
    if (k) {
        go_on(k, j, class, detail);
    }
    job_free(job);
}

void run_go(struct asking *k)
{
    struct run *r = k->run;
    struct assist *as = k->as;
    const struct bot *bot = r->of->bot;
    bool embed = k->kind == ASKING_EMBED;
    struct job *job =
        run_job(as, embed ? HOOK_EMBED : HOOK_ASK, bot, on_ran, r);
    const struct json *face = json_get(face_of(as, bot->rec.type), "timeout");
    int64_t total = bot->total_ms;
    total = total ? total : json_int(face, "total_ms", TOTAL_MS);
    job->call->wall_ms = (total > 0 ? total : TOTAL_MS) + 1000;
    job->call->number = r->number;
    struct arena *given = job->call->given;
    job->call->item =
        embed ? slice_dup(given, k->wishes) : context_turn(k, bot, given);
    job->call->more = context_more(k, bot, job->arena);
    if (k->memo) {
        r->memo = memo_get(as, k->conv);
    }
    r->goes = true;
    meter_add(r->of->asked, 1);
    if (as->server->script) {
        script_run(as->server->script, job);
        return;
    }
    job->result = ERR_CANCELLED;
    on_ran(job);
}
