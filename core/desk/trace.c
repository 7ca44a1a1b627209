/* SPDX-License-Identifier: Apache-2.0 */
/* trace.c - why things went as they did, and what could not go at all.
 *
 * Happy path: a job's hops and effects become one JSON object, stored with the
 * effects or, when there are none, with the next round of marks. Failure: a
 * trace that grows too long loses its effects, then its hops, and says so;
 * a letter that could not be stored is logged.
 */
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/meter.h"
#include "desk/outcome.h"

#define LATER_MOST 500
#define LETTER_SAY_MS 1000

METER(m_dead, METER_COUNTER, "yuelai_dead_letters_total",
      "Events, timers and flows that no script could handle");
METER(m_lost, METER_COUNTER, "yuelai_traces_lost_total",
      "Traces that could not be stored");

/* --- the object ----------------------------------------------------------- */

static void put_some(struct jsonw *w, const char *key, struct slice s)
{
    if (s.len) {
        jsonw_put_text(w, key, s);
    }
}

static void put_who(struct jsonw *w, const char *key, const char *prefix,
                    uint64_t id)
{
    char text[ID_TEXT];
    if (id) {
        jsonw_put_text(w, key, id_text(text, prefix, id));
    }
}

static void write_effect(struct jsonw *w, const struct effect *e,
                         const char *refused)
{
    jsonw_open(w, '{');
    jsonw_put_text(w, "type", slice_of(effect_name(e->type)));
    put_some(w, "unit", e->unit);
    put_some(w, "text", e->text);
    put_some(w, "name", e->name);
    if (e->data.len) {
        jsonw_put_raw(w, "data", e->data);
    }
    put_who(w, "agent", ID_AGENT, e->agent);
    put_who(w, "team", ID_TEAM, e->team);
    put_some(w, "pick", e->pick);
    if (e->number) {
        jsonw_put_int(w, "number", e->number);
    }
    if (refused) {
        jsonw_put_text(w, "refused", slice_of(refused));
    }
    jsonw_close(w, '}');
}

static void write_effects(struct outcome *o, struct jsonw *w)
{
    uint32_t i = 0;
    for (const struct effect *e = o->job->first; e; e = e->next, i++) {
        write_effect(w, e, o->refused[i]);
    }
}

/* What the job has done before it went on to wait. A message that is screened
 * meanwhile (on_inbound, on_send) has no share in it. */
static struct slice parts_of(const struct outcome *o)
{
    bool screened = o->job->hook == HOOK_INBOUND || o->job->hook == HOOK_SEND;
    return o->c && !screened ? o->c->parts : (struct slice){0};
}

static void parts_drop(struct outcome *o)
{
    if (parts_of(o).len) {
        text_free(&o->c->parts);
    }
}

enum how_much { WHOLE, NO_EFFECTS, BARE };

static int write_trace(struct outcome *o, struct buf *out, enum how_much much)
{
    const struct job *job = o->job;
    struct jsonw w = jsonw_on(out);
    int64_t now = o->d->conf.ports.now(o->d->conf.ports.arg);
    jsonw_open(&w, '{');
    jsonw_put_text(&w, "hook", slice_of(hook_name(job->hook)));
    put_some(&w, "what", job->what);
    jsonw_put_int(&w, "at", job->at);
    jsonw_put_int(&w, "took_ms", now - job->at);
    jsonw_put_int(&w, "fence", job->fence);
    if (o->late || o->overdue) {
        jsonw_put_bool(&w, "late", true);
    }
    if (o->placed) {
        jsonw_put_bool(&w, "default", true);
    }
    put_some(&w, "decided_by", job->rule);
    put_some(&w, "kept_by", o->known ? o->known->assistant : SLICE(""));
    put_who(&w, "letter", ID_DEAD, job->letter);
    put_some(&w, "trouble", job->trouble.len ? job->trouble : o->why);
    if (o->again_at) {
        jsonw_put_int(&w, "retry_at", o->again_at);
    }
    if (job->call && job->call->shown.len) {
        jsonw_put_raw(&w, "shown", job->call->shown);
    }
    if (much != BARE && job->hops.len) {
        jsonw_put_raw(&w, "hops", job->hops);
    }
    if (much == WHOLE) {
        jsonw_key(&w, "effects");
        jsonw_open(&w, '[');
        if (parts_of(o).len) {
            jsonw_raw(&w, parts_of(o));
        }
        write_effects(o, &w);
        jsonw_close(&w, ']');
    } else {
        jsonw_put_bool(&w, "cut", true);
    }
    jsonw_close(&w, '}');
    return w.failed;
}

static struct trace *trace_new(struct outcome *o, struct arena *a,
                               const struct event *of)
{
    struct trace *t = arena_one(a, struct trace);
    struct buf out;
    buf_init(&out, LIMIT_TRACE_BYTES);
    for (enum how_much m = WHOLE; write_trace(o, &out, m) && m < BARE; m++) {
        buf_clear(&out);
    }
    t->pos = o->job->event.pos;
    t->of = t->pos ? NULL : of;
    t->hook = (int)o->job->hook;
    t->conv = o->c ? o->c->rec.id : o->job->conv.id;
    t->at = o->job->at;
    t->body = slice_dup(a, buf_slice(&out));
    buf_fini(&out);
    return t;
}

/* A round in which nobody ran and nothing was placed explains nothing. */
static bool tells(const struct outcome *o)
{
    return o->job->ran || o->job->failures || o->placed || o->overdue ||
           parts_of(o).len;
}

void trace_put(struct outcome *o, const struct event *of)
{
    if (tells(o) && (o->job->event.pos || of)) {
        tx_put(o->tx, PUT_TRACE)->trace = trace_new(o, o->tx->arena, of);
    }
    parts_drop(o);
}

/* --- without effects ------------------------------------------------------ */

static void on_flushed(struct tx *tx)
{
    if (tx->result) {
        for (const struct put *p = tx->puts; p; p = p->next) {
            meter_add(&m_lost, 1);
        }
    }
    tx_free(tx);
}

void trace_later(struct outcome *o)
{
    struct desk *d = o->d;
    if (tells(o) && o->job->event.pos) {
        if (!d->traces) {
            d->traces = tx_new(on_flushed, NULL);
        }
        tx_put(d->traces, PUT_TRACE)->trace =
            trace_new(o, d->traces->arena, NULL);
        if (++d->trace_count >= LATER_MOST) {
            trace_flush(d);
        }
    }
    parts_drop(o);
}

void trace_flush(struct desk *d)
{
    struct tx *tx = d->traces;
    d->traces = NULL;
    d->trace_count = 0;
    if (tx) {
        d->conf.ports.commit(d->conf.ports.arg, tx);
    }
}

void trace_part(struct outcome *o)
{
    struct buf out;
    buf_init(&out, LIMIT_TRACE_BYTES);
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '[');
    write_effects(o, &w);
    jsonw_close(&w, ']');
    struct slice all = buf_slice(&out);
    if (!w.failed && all.len > 2 &&
        o->c->parts.len + all.len < LIMIT_TRACE_BYTES) {
        struct buf sum; /* items, each with a comma behind it */
        buf_init(&sum, LIMIT_TRACE_BYTES);
        int r = buf_add_slice(&sum, o->c->parts);
        r = r || !o->c->parts.len ? r : buf_add_char(&sum, ',');
        r = r ? r : buf_add(&sum, all.at + 1, all.len - 2);
        if (r == 0) {
            text_own(&o->c->parts, buf_slice(&sum));
        }
        buf_fini(&sum);
    }
    buf_fini(&out);
}

/* --- dead letters --------------------------------------------------------- */

static struct slice letter_data(struct arena *a, const struct job *job)
{
    struct buf out;
    char id[ID_TEXT];
    buf_init(&out, LIMIT_KV_VALUE * 2);
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '{');
    put_some(&w, "name", job->what);
    if (job->data.len) {
        jsonw_put_raw(&w, "data", job->data);
    }
    if (job->flow) {
        jsonw_put_text(&w, "flow", id_text(id, ID_FLOW, job->flow->id));
    }
    jsonw_close(&w, '}');
    struct slice all = w.failed ? SLICE("{}") : slice_dup(a, buf_slice(&out));
    buf_fini(&out);
    return all;
}

/* One line a second at most: under saturation every skipped event has a letter,
 * and a disk full of the same line helps nobody. The metric counts them all. */
static void letter_say(struct desk *d, int64_t now, const char *hook,
                       struct slice reason)
{
    if (d->letter_said && now - d->letter_said < LETTER_SAY_MS) {
        d->letters_unsaid++;
        return;
    }
    log_warn("desk", "a dead letter (%s): %.*s (unsaid since the last: %llu)",
             hook, SLICE_FMT(reason), (unsigned long long)d->letters_unsaid);
    d->letter_said = now;
    d->letters_unsaid = 0;
}

void letter_put(struct outcome *o, struct slice reason)
{
    struct job *job = o->job;
    struct arena *a = o->tx->arena;
    struct dead *row = arena_one(a, struct dead);
    int64_t now = o->d->conf.ports.now(o->d->conf.ports.arg);
    row->id =
        job->letter ? job->letter : o->d->conf.ports.id(o->d->conf.ports.arg);
    row->at = now;
    row->conv = o->c ? o->c->rec.id : job->conv.id;
    row->pos = job->event.pos;
    row->hook = (int)job->hook;
    row->unit = slice_dup(a, job->unit);
    row->reason = slice_dup(a, reason);
    row->data = letter_data(a, job);
    row->runs = job->letter ? job->runs + 1 : 0;
    tx_put(o->tx, PUT_DEAD)->dead = row;
    o->puts = true;
    meter_add(&m_dead, 1);
    letter_say(o->d, now, hook_name(job->hook), reason);
}

void letter_cut(struct outcome *o)
{
    struct conv *c = o->c;
    if (!c->part_letter) {
        c->part_letter = o->d->conf.ports.id(o->d->conf.ports.arg);
    }
    struct dead *row = arena_one(o->tx->arena, struct dead);
    *row = (struct dead){
        .id = c->part_letter,
        .at = o->d->conf.ports.now(o->d->conf.ports.arg),
        .conv = c->rec.id,
        .pos = o->job->event.pos,
        .hook = (int)o->job->hook,
        .reason = SLICE("its handler was waiting when the house stopped"),
        .data = SLICE("{\"cut\":true}")};
    tx_put(o->tx, PUT_DEAD)->dead = row;
}

static void on_letter(struct tx *tx)
{
    if (tx->result) {
        log_error("desk", "a dead letter was not stored: %s", tx->err.text);
    }
    tx_free(tx);
}

void letter_of(struct desk *d, struct conv *c, enum hook hook,
               const struct event *ev, const char *reason)
{
    struct tx *tx = tx_new(on_letter, NULL);
    struct job job = {.hook = hook, .event = *ev};
    struct outcome o = {.d = d, .c = c, .job = &job, .tx = tx};
    letter_put(&o, slice_of(reason));
    d->conf.ports.commit(d->conf.ports.arg, tx);
}
