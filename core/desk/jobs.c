/* SPDX-License-Identifier: Apache-2.0 */
/* jobs.c - what the scripts are asked, and what becomes of their answer.
 *
 * Happy path: an event that some hook wants becomes a job; jobs of one
 * conversation run one after the other in journal order (I2); the effects are
 * decided on the conversation as it is then and committed in one tx that names
 * the event as their cause: the handled mark (I3).
 * Failure: effects that could not be written are written later, the job is not
 * run again for that; replies and holder changes under an old fence are
 * refused (I13); what no rule decided goes to the queue.
 */
#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/meter.h"
#include "desk/inner.h"

#define RETRY_MS 1000
#define FLUSH_MOST 500

METER(m_refused, METER_COUNTER, "yuelai_effects_refused_total",
      "Replies and holder changes of scripts that came too late (I13)");
METER(m_late, METER_COUNTER, "yuelai_jobs_skipped_total",
      "Events not given to scripts because too many wait in one conversation");

/* --- asking --------------------------------------------------------------- */

static void on_job(struct job *job);

static struct job *job_make(struct desk *d, struct conv *c, enum hook hook,
                            const struct event *ev)
{
    struct job *job = job_new(hook, on_job, d);
    job->event = *ev;
    job->event.next = NULL;
    job->event.ref = slice_dup(job->arena, ev->ref);
    job->event.body = slice_dup(job->arena, ev->body);
    job->event.conv = c->rec.id;
    return job;
}

static void job_queue(struct desk *d, struct conv *c, struct job *job)
{
    job->mail.next = NULL;
    if (c->jobs_last) {
        c->jobs_last->mail.next = &job->mail;
    } else {
        c->jobs = job;
    }
    c->jobs_last = job;
    c->job_count++;
    d->pending++;
    jobs_go(d, c);
}

/* Everything a rule may look at, as it is now; texts are copied. */
static void job_fill(struct desk *d, struct conv *c, struct job *job)
{
    struct arena *a = job->arena;
    job->conv = c->rec;
    job->conv.tags = slice_dup(a, c->rec.tags);
    job->conv.attributes = slice_dup(a, c->rec.attributes);
    job->conv.preview = slice_dup(a, c->rec.preview);
    job->conv.contact_name = slice_dup(a, c->rec.contact_name);
    job->conv.contact_tier = slice_dup(a, c->rec.contact_tier);
    job->conv.channel_type = slice_dup(a, c->rec.channel_type);
    const struct contact *who = c->person->rec;
    if (who) {
        job->contact = *who;
        job->contact.identity = slice_dup(a, who->identity);
        job->contact.name = slice_dup(a, who->name);
        job->contact.email = slice_dup(a, who->email);
        job->contact.phone = slice_dup(a, who->phone);
        job->contact.tier = slice_dup(a, who->tier);
        job->contact.tags = slice_dup(a, who->tags);
        job->contact.attributes = slice_dup(a, who->attributes);
    }
    job->contact.id = c->person->id;
    job->contact.channel = c->person->channel;
    job->fence = c->rec.fence;
    job->at = d->conf.ports.now(d->conf.ports.arg);
    job->roster = roster_now(d);
}

/* Asked without a copy: most messages are wanted by nobody. */
static bool is_wanted(struct desk *d, struct conv *c, enum hook hook,
                      const struct event *ev, struct slice text,
                      struct slice kind, struct slice what)
{
    struct job probe = {.hook = hook,
                        .event = *ev,
                        .text = text,
                        .kind = kind,
                        .what = what,
                        .conv = c->rec};
    if (c->person->rec) {
        probe.contact = *c->person->rec;
    }
    return d->conf.ports.wants(d->conf.ports.arg, &probe);
}

void job_for_message(struct desk *d, struct conv *c, const struct event *ev,
                     struct slice text, struct slice kind)
{
    bool must_place = c->rec.state == CONV_BOT;
    if (!must_place &&
        !is_wanted(d, c, HOOK_MESSAGE, ev, text, kind, (struct slice){0})) {
        return;
    }
    if (c->job_count >= LIMIT_CONV_BACKLOG) {
        meter_add(&m_late, 1);
        return;
    }
    struct job *job = job_make(d, c, HOOK_MESSAGE, ev);
    job->text = slice_dup(job->arena, text);
    job->kind = slice_dup(job->arena, kind);
    job_queue(d, c, job);
}

void job_for_change(struct desk *d, struct conv *c, const struct event *ev)
{
    const char *what = ev->name == EVENT_CONVERSATION_CREATED    ? "created"
                       : ev->name == EVENT_CONVERSATION_ASSIGNED ? "assigned"
                       : ev->name == EVENT_CONVERSATION_CLOSED   ? "closed"
                                                                 : NULL;
    if (!what || c->job_count >= LIMIT_CONV_BACKLOG ||
        !is_wanted(d, c, HOOK_CONVERSATION, ev, (struct slice){0},
                   (struct slice){0}, slice_of(what))) {
        return;
    }
    struct job *job = job_make(d, c, HOOK_CONVERSATION, ev);
    job->what = slice_of(what);
    job_queue(d, c, job);
}

static struct job *job_next(struct desk *d, struct conv *c)
{
    struct job *job = c->jobs;
    if (job) {
        c->jobs = (struct job *)job->mail.next;
        if (!c->jobs) {
            c->jobs_last = NULL;
        }
        job->mail.next = NULL;
        c->job_count--;
        d->pending--;
    }
    return job;
}

static void effects_begin(struct desk *d, struct conv *c, void *what);

void jobs_go(struct desk *d, struct conv *c)
{
    if (c->job_running || !d->started) {
        return;
    }
    if (c->retry) {
        struct job *job = c->retry;
        c->retry = NULL;
        c->job_running = true;
        d->jobs++;
        conv_change(d, c, effects_begin, job);
        return;
    }
    struct job *job = job_next(d, c);
    if (job) {
        c->job_running = true;
        c->under_way++;
        d->jobs++;
        job_fill(d, c, job);
        d->conf.ports.run(d->conf.ports.arg, job);
    }
}

void jobs_drop(struct desk *d, struct conv *c)
{
    struct job *job;
    while ((job = job_next(d, c)) != NULL) {
        job_free(job);
    }
    if (c->retry) {
        job_free(c->retry);
        c->retry = NULL;
    }
}

/* Its effects stand; they are written when the store can write again. */
void job_retry(struct desk *d, struct conv *c, struct job *job)
{
    c->retry = job;
    c->job_running = false;
    d->jobs--;
    timer_start(d->wheel, &c->again,
                d->conf.ports.now(d->conf.ports.arg) + RETRY_MS);
}

/* --- the answer ----------------------------------------------------------- */

struct outcome {
    struct desk *d;
    struct conv *c;
    struct job *job;
    struct tx *tx;
    struct step *s;
    bool late;           /* the fence is an old one */
    bool moved, updated; /* holder; anything of the record */
    enum event_name name;
    bool puts;
};

static void reply(struct outcome *o, struct slice body, bool private)
{
    if (body.len > LIMIT_AGENT_FRAME_BYTES) {
        meter_add(&m_refused, 1);
        log_warn("desk", "a script's message of %zu bytes is too long",
                 body.len);
        return;
    }
    struct event *ev =
        conv_tx_message(o->tx, o->s, ROLE_BOT, 0, (struct slice){0}, body);
    ev->cause = o->job->event.pos;
    if (private) {
        ev->flags |= EVENT_PRIVATE;
    }
}

static void note(struct outcome *o, const struct effect *e)
{
    struct buf out;
    buf_init(&out, LIMIT_AGENT_FRAME_BYTES);
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '{');
    jsonw_put_text(&w, "kind", SLICE("text"));
    jsonw_put_text(&w, "text", e->text);
    jsonw_put_bool(&w, "private", true);
    jsonw_close(&w, '}');
    if (w.failed) {
        log_warn("desk", "a script's note is too long");
    } else {
        reply(o, buf_slice(&out), true);
    }
    buf_fini(&out);
}

static void release_reserved(struct outcome *o)
{
    struct agent_live *a = agent_of(o->d, o->s->reserved);
    if (a) {
        a->reserved--;
    }
    o->s->reserved = 0;
}

static void assign(struct outcome *o, uint64_t agent, uint64_t team,
                   struct slice pick)
{
    struct conversation *next = &o->s->next;
    int64_t now = o->d->conf.ports.now(o->d->conf.ports.arg);
    release_reserved(o);
    if (team && !desk_team(o->d, team)) {
        log_warn("desk", "a rule assigns to a team that is not there");
        team = 0;
    }
    struct agent_live *a = agent_of(o->d, agent);
    if (!a || !a->rec.enabled) {
        a = queue_pick(o->d, team, pick);
    }
    if (a && next->state == CONV_OPEN && next->assignee == a->rec.id) {
        return; /* holds it already */
    }
    if (!a && next->state == CONV_QUEUED && next->team == team) {
        return; /* waits there already */
    }
    next->team = team;
    if (a) {
        o->s->reserved = a->rec.id;
        a->reserved++;
    }
    bool had = next->assignee != 0;
    conv_set_holder(next, a ? CONV_OPEN : CONV_QUEUED, a ? a->rec.id : 0, now);
    o->name =
        a || had ? EVENT_CONVERSATION_ASSIGNED : EVENT_CONVERSATION_UPDATED;
    o->moved = true;
}

/* Texts in a JSON array, with one more or without it. */
static struct slice tags_with(struct arena *a, struct slice tags,
                              struct slice tag, bool add)
{
    struct json *list = NULL;
    struct buf out;
    buf_init(&out, LIMIT_TAGS * (LIMIT_TAG_BYTES * 6 + 8));
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '[');
    uint32_t n = 0;
    if (tags.len && json_parse(a, tags, NULL, &list) == 0 &&
        json_is(list, JSON_ARRAY)) {
        for (struct json *t = list->first; t; t = t->next) {
            if (json_is(t, JSON_STRING) && !slice_eq(t->text, tag)) {
                jsonw_text(&w, t->text);
                n++;
            }
        }
    }
    if (add && n < LIMIT_TAGS && tag.len && tag.len <= LIMIT_TAG_BYTES) {
        jsonw_text(&w, tag);
    }
    jsonw_close(&w, ']');
    struct slice all = w.failed ? tags : slice_dup(a, buf_slice(&out));
    buf_fini(&out);
    return all;
}

static struct slice object_with(struct arena *a, struct slice object,
                                struct slice name, struct slice value)
{
    struct json *was = NULL;
    struct buf out;
    buf_init(&out, LIMIT_KV_VALUE);
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '{');
    if (object.len && json_parse(a, object, NULL, &was) == 0 &&
        json_is(was, JSON_OBJECT)) {
        for (struct json *m = was->first; m; m = m->next) {
            if (!slice_eq(m->key, name)) {
                jsonw_key(&w, slice_dup(a, m->key).at);
                jsonw_value(&w, m);
            }
        }
    }
    if (value.len && !slice_is(value, "null")) {
        jsonw_key(&w, slice_dup(a, name).at);
        jsonw_raw(&w, value);
    }
    jsonw_close(&w, '}');
    struct slice all = w.failed ? object : slice_dup(a, buf_slice(&out));
    buf_fini(&out);
    return all;
}

static void put_kv(struct outcome *o, const struct effect *e)
{
    struct kv *kv = arena_one(o->tx->arena, struct kv);
    kv->space = slice_dup(o->tx->arena, e->unit);
    kv->key = slice_dup(o->tx->arena, e->name);
    kv->value = slice_dup(o->tx->arena, e->data);
    kv->expires_at = e->number;
    tx_put(o->tx, e->type == EFFECT_KV_SET ? PUT_KV : DEL_KV)->kv = kv;
    o->puts = true;
}

static void put_alarm(struct outcome *o, const struct effect *e)
{
    struct alarm *al = arena_one(o->tx->arena, struct alarm);
    al->id = o->d->conf.ports.id(o->d->conf.ports.arg);
    al->due_at = e->number;
    al->conversation = o->job->conv.id;
    al->unit = slice_dup(o->tx->arena, e->unit);
    al->name = slice_dup(o->tx->arena, e->name);
    al->data = slice_dup(o->tx->arena, e->data);
    tx_put(o->tx, PUT_ALARM)->alarm = al;
    o->puts = true;
}

/* What only the holder may do, under the fence it was decided with. */
static void apply_held(struct outcome *o, const struct effect *e)
{
    struct conversation *next = &o->s->next;
    int64_t now = o->d->conf.ports.now(o->d->conf.ports.arg);
    if (o->late || next->state == CONV_CLOSED) {
        meter_add(&m_refused, 1);
        log_info("desk",
                 "%.*s came too late: another one holds the "
                 "conversation now",
                 SLICE_FMT(e->unit));
        return;
    }
    switch (e->type) {
    case EFFECT_REPLY:
        reply(o, e->body, false);
        break;
    case EFFECT_ASSIGN:
        assign(o, e->agent, e->team, e->pick);
        break;
    case EFFECT_CLOSE:
        release_reserved(o);
        conv_set_holder(next, CONV_CLOSED, next->assignee, now);
        o->name = EVENT_CONVERSATION_CLOSED;
        o->moved = true;
        break;
    default: /* SNOOZE */
        if (next->state == CONV_OPEN && next->assignee) {
            conv_set_holder(next, CONV_SNOOZED, next->assignee, now);
            next->snoozed_until = e->number;
            o->updated = true;
        }
    }
}

static void apply_one(struct outcome *o, const struct effect *e)
{
    struct conversation *next = &o->s->next;
    struct arena *a = o->tx->arena;
    switch (e->type) {
    case EFFECT_NOTE:
        note(o, e);
        break;
    case EFFECT_TAG:
    case EFFECT_UNTAG:
        next->tags = tags_with(a, next->tags, e->text, e->type == EFFECT_TAG);
        o->updated = true;
        break;
    case EFFECT_PRIORITY:
        next->priority = (int32_t)e->number;
        o->updated = true;
        break;
    case EFFECT_SET:
        next->attributes = object_with(a, next->attributes, e->name, e->data);
        o->updated = true;
        break;
    case EFFECT_ALARM:
        put_alarm(o, e);
        break;
    case EFFECT_KV_SET:
    case EFFECT_KV_DEL:
        put_kv(o, e);
        break;
    default:
        apply_held(o, e);
    }
}

/* No change to the journal: remembered, written when there is time. */
static void handled_spoil(struct desk *d, struct conv *c)
{
    if (!c->handled_dirty) {
        c->handled_dirty = true;
        list_add_last(&d->dirty, &c->dirty_link);
    }
}

static void mark_handled(struct desk *d, struct conv *c, struct job *job)
{
    if (job->hook == HOOK_MESSAGE && job->event.pos > c->rec.handled) {
        c->rec.handled = job->event.pos;
        handled_spoil(d, c);
    }
}

static void effects_commit(struct outcome *o)
{
    uint64_t cause = o->job->event.pos;
    if (o->moved || o->updated) {
        conv_tx_change(o->tx, o->s,
                       o->moved ? o->name : EVENT_CONVERSATION_UPDATED,
                       ROLE_BOT, 0, cause);
    } else if (!o->tx->count) {
        struct event *ev = tx_event(o->tx, EVENT_HANDLED);
        ev->conv = o->c->rec.id;
        ev->cause = cause;
    }
    /* Even where no state changes, the lane is kept until it is committed. */
    o->s->changes = true;
    o->s->job = o->job;
    conv_commit(o->d, o->tx);
}

/* The lane's turn of a job's effects. */
static void effects_begin(struct desk *d, struct conv *c, void *what)
{
    struct job *job = what;
    struct outcome o = {.d = d, .c = c, .job = job};
    o.tx = conv_tx(d, c, &o.s);
    o.late = job->fence != c->rec.fence;
    for (const struct effect *e = job->first; e; e = e->next) {
        apply_one(&o, e);
    }
    if (job->hook == HOOK_MESSAGE && !job->decided &&
        o.s->next.state == CONV_BOT) {
        assign(&o, 0, o.s->next.team, SLICE("")); /* nobody placed it */
    }
    if (o.moved || o.updated || o.puts || o.tx->count) {
        effects_commit(&o);
        return;
    }
    release_reserved(&o);
    tx_free(o.tx);
    mark_handled(d, c, job);
    job_free(job);
    d->jobs--;
    c->job_running = false;
    conv_change_end(d, c);
    jobs_go(d, c);
}

static void on_timer_job(struct desk *d, struct job *job);

static void on_job(struct job *job)
{
    struct desk *d = job->owner;
    struct conv *c = conv_of(d, job->event.conv);
    if (job->hook == HOOK_TIMER && !c) {
        on_timer_job(d, job);
        return;
    }
    must_be(c, CONV_MAGIC);
    c->under_way--;
    if (job->result) { /* the house stops: it is run again after the start */
        job_free(job);
        d->jobs--;
        c->job_running = false;
        return;
    }
    conv_change(d, c, effects_begin, job);
}

/* --- durable timers ------------------------------------------------------- */

/* A unit's own timer (no conversation): only kv effects have a meaning. */
static void on_free_tx(struct tx *tx)
{
    tx_free(tx);
}

static void on_timer_job(struct desk *d, struct job *job)
{
    struct tx *tx = tx_new(on_free_tx, NULL);
    struct outcome o = {.d = d, .job = job, .tx = tx};
    for (const struct effect *e = job->first; e; e = e->next) {
        if (e->type == EFFECT_KV_SET || e->type == EFFECT_KV_DEL) {
            put_kv(&o, e);
        }
    }
    if (tx->puts) {
        d->conf.ports.commit(d->conf.ports.arg, tx);
    } else {
        tx_free(tx);
    }
    d->jobs--;
    job_free(job);
}

static void on_alarm(struct timer *t);

void alarm_add(struct desk *d, const struct alarm *a)
{
    struct alarm_live *old = map_get(&d->alarms, a->id);
    must(old == NULL);
    struct alarm_live *al = mem_alloc(sizeof *al);
    al->desk = d;
    al->rec = *a;
    al->rec.unit = al->rec.name = al->rec.data = (struct slice){0};
    text_own(&al->rec.unit, a->unit);
    text_own(&al->rec.name, a->name);
    text_own(&al->rec.data, a->data);
    timer_init(&al->timer, on_alarm);
    map_put(&d->alarms, a->id, al);
    timer_start(d->wheel, &al->timer, a->due_at);
}

static void alarm_fire(struct desk *d, const struct alarm *a)
{
    struct conv *c = conv_of(d, a->conversation);
    struct event none = {0};
    struct job *job;
    if (c) {
        job = job_make(d, c, HOOK_TIMER, &none);
    } else {
        job = job_new(HOOK_TIMER, on_job, d);
    }
    job->unit = slice_dup(job->arena, a->unit);
    job->what = slice_dup(job->arena, a->name);
    job->data = slice_dup(job->arena, a->data);
    if (c) {
        job_queue(d, c, job);
        return;
    }
    job->at = d->conf.ports.now(d->conf.ports.arg);
    job->roster = roster_now(d);
    d->jobs++;
    d->conf.ports.run(d->conf.ports.arg, job);
}

void desk_every(struct desk *d, struct slice unit)
{
    const struct alarm every = {
        .unit = unit, .name = SLICE("every"), .data = SLICE("null")};
    alarm_fire(d, &every);
}

/* It is deleted first and fires when that is on disk: once, at most. An alarm
 * lost to a crash in between is the price; a rule that replies twice is worse. */
static void on_alarm_gone(struct tx *tx)
{
    struct alarm_live *al = tx->owner;
    struct desk *d = al->desk;
    if (tx->result) {
        timer_start(d->wheel, &al->timer,
                    d->conf.ports.now(d->conf.ports.arg) + RETRY_MS);
    } else {
        map_take(&d->alarms, al->rec.id);
        alarm_fire(d, &al->rec);
        text_free(&al->rec.unit);
        text_free(&al->rec.name);
        text_free(&al->rec.data);
        mem_free(al);
    }
    tx_free(tx);
}

static void on_alarm(struct timer *t)
{
    struct alarm_live *al = container_of(t, struct alarm_live, timer);
    struct desk *d = al->desk;
    struct tx *tx = tx_new(on_alarm_gone, al);
    tx_put(tx, DEL_ALARM)->id = al->rec.id;
    d->conf.ports.commit(d->conf.ports.arg, tx);
}

/* --- handled marks without an effect -------------------------------------- */

static void on_flushed(struct tx *tx)
{
    struct desk *d = tx->owner;
    for (struct event *ev = tx->first; tx->result && ev; ev = ev->next) {
        struct conv *c = conv_of(d, ev->conv);
        if (c) {
            handled_spoil(d, c); /* again in the next round */
        }
    }
    tx_free(tx);
}

void handled_flush(struct desk *d)
{
    if (list_empty(&d->dirty)) {
        return;
    }
    struct tx *tx = tx_new(on_flushed, d);
    struct list *l;
    while (tx->count < FLUSH_MOST && (l = d->dirty.next) != &d->dirty) {
        struct conv *c = container_of(l, struct conv, dirty_link);
        struct event *ev = tx_event(tx, EVENT_HANDLED);
        ev->conv = c->rec.id;
        ev->cause = c->rec.handled;
        c->handled_dirty = false;
        list_remove(&c->dirty_link);
        conv_settle(d, c);
    }
    d->conf.ports.commit(d->conf.ports.arg, tx);
}
