/* SPDX-License-Identifier: Apache-2.0 */
/* rerun.c - a dead letter is run again.
 *
 * Happy path: its event and its conversation are read, a job of the same kind
 * is queued that knows its letter; what the job comes to is written with the
 * letter's end in one transaction. Failure: what it was about is gone: the
 * caller is told, the letter stays; a run that fails again counts in it.
 */
#include "base/clock.h"
#include "base/json.h"
#include "desk/outcome.h"

struct rerun {
    struct desk *desk;
    struct arena *arena; /* this lies in it */
    struct dead letter;
    struct event event; /* found by its pos */
    struct flow *flow;
    void (*done)(void *arg, int result);
    void *arg;
};

static void end(struct rerun *r, int result)
{
    if (r->done) {
        r->done(r->arg, result);
    }
    arena_free(r->arena);
}

/* --- the job -------------------------------------------------------------- */

static struct json *data_of(struct rerun *r)
{
    struct json *data = NULL;
    return json_parse(r->arena, r->letter.data, NULL, &data) == 0 ? data : NULL;
}

static void run_timer(struct rerun *r)
{
    const struct json *data = data_of(r);
    const struct json *given = json_get(data, "data");
    struct buf out;
    buf_init(&out, LIMIT_KV_VALUE);
    struct jsonw w = jsonw_on(&out);
    if (given) {
        jsonw_value(&w, given);
    }
    const struct alarm a = {.conversation = r->letter.conv,
                            .unit = r->letter.unit,
                            .name = json_text(data, "name"),
                            .data = w.failed
                                        ? SLICE("null")
                                        : slice_dup(r->arena, buf_slice(&out))};
    buf_fini(&out);
    alarm_fire(r->desk, &a, &r->letter);
    end(r, 0);
}

static void run_event(struct rerun *r, struct conv *c)
{
    struct json *body = NULL;
    struct job *job =
        job_make(r->desk, c, (enum hook)r->letter.hook, &r->event);
    if (json_parse(job->arena, job->event.body, NULL, &body) == 0) {
        job->text = json_text(body, "text");
        job->kind = json_text(body, "kind");
    }
    job->letter = r->letter.id;
    job->runs = r->letter.runs;
    job_queue(r->desk, c, job);
    end(r, 0);
}

/* The row as it was, ready again; the letter goes with it. */
static void on_ready(struct tx *tx)
{
    struct rerun *r = tx->owner;
    int result = tx->result;
    if (result == 0) {
        flow_stored(r->desk, tx->puts->flow);
    }
    tx_free(tx);
    end(r, result);
}

static void run_flow(struct rerun *r)
{
    int64_t now = r->desk->conf.ports.now(r->desk->conf.ports.arg);
    struct tx *tx = tx_new(on_ready, r);
    struct flow *f = arena_one(tx->arena, struct flow);
    flow_copy(tx->arena, f, r->flow);
    f->state = FLOW_READY;
    f->due_at = 0;
    f->attempts = 0;
    f->error = SLICE("");
    f->updated_at = now;
    tx_put(tx, PUT_FLOW)->flow = f;
    tx_put(tx, DEL_DEAD)->id = r->letter.id;
    r->desk->conf.ports.commit(r->desk->conf.ports.arg, tx);
}

/* --- what it was about ---------------------------------------------------- */

static void with_conv(struct rerun *r, struct conv *c)
{
    if (r->letter.hook == HOOK_TIMER) {
        run_timer(r);
    } else {
        run_event(r, c);
    }
}

static void on_conv(struct query *q)
{
    struct rerun *r = q->owner;
    if (q->result || !q->conversation) {
        end(r, q->result ? q->result : ERR_NOT_FOUND);
    } else {
        struct desk *d = r->desk;
        struct conv *c = conv_from(d, q);
        with_conv(r, c);
        conv_settle(d, c);
    }
    query_free(q);
}

static void find_conv(struct rerun *r)
{
    struct conv *c = conv_of(r->desk, r->letter.conv);
    if (c || !r->letter.conv) {
        if (c || r->letter.hook == HOOK_TIMER) {
            with_conv(r, c);
        } else {
            end(r, ERR_NOT_FOUND);
        }
        return;
    }
    struct query *q = query_new(QUERY_CONVERSATION, on_conv, r);
    q->id = r->letter.conv;
    q->conv = r->letter.conv;
    r->desk->conf.ports.read(r->desk->conf.ports.arg, q);
}

static void on_event(struct query *q)
{
    struct rerun *r = q->owner;
    if (q->result || !q->events) {
        end(r, q->result ? q->result : ERR_NOT_FOUND);
    } else {
        r->event = *q->events;
        r->event.next = NULL;
        r->event.ref = slice_dup(r->arena, q->events->ref);
        r->event.body = slice_dup(r->arena, q->events->body);
        find_conv(r);
    }
    query_free(q);
}

static void on_flow(struct query *q)
{
    struct rerun *r = q->owner;
    if (q->result || !q->flow) {
        end(r, q->result ? q->result : ERR_NOT_FOUND);
    } else if (q->flow->state != FLOW_FAILED) {
        end(r, ERR_CONFLICT);
    } else {
        r->flow = arena_one(r->arena, struct flow);
        flow_copy(r->arena, r->flow, q->flow);
        run_flow(r);
    }
    query_free(q);
}

static void find_flow(struct rerun *r)
{
    uint64_t id = 0;
    if (!id_parse(json_text(data_of(r), "flow"), ID_FLOW, &id)) {
        end(r, ERR_NOT_FOUND);
        return;
    }
    struct query *q = query_new(QUERY_FLOW, on_flow, r);
    q->id = id;
    r->desk->conf.ports.read(r->desk->conf.ports.arg, q);
}

void desk_rerun(struct desk *d, const struct dead *letter,
                void (*done)(void *arg, int result), void *arg)
{
    struct arena *a = arena_new();
    struct rerun *r = arena_one(a, struct rerun);
    *r = (struct rerun){
        .desk = d, .arena = a, .letter = *letter, .done = done, .arg = arg};
    r->letter.unit = slice_dup(a, letter->unit);
    r->letter.reason = slice_dup(a, letter->reason);
    r->letter.data = slice_dup(a, letter->data);
    if (letter->hook == HOOK_FLOW) {
        find_flow(r);
    } else if (letter->pos) {
        struct query *q = query_new(QUERY_EVENT, on_event, r);
        q->after_pos = letter->pos;
        d->conf.ports.read(d->conf.ports.arg, q);
    } else {
        find_conv(r);
    }
}
