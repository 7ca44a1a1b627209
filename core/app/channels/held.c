/* SPDX-License-Identifier: Apache-2.0 */
/* held.c - webhooks whose answer may be a message to their visitor.
 *
 * Why: some platforms show what a webhook is answered, and let some accounts
 * say nothing in any other way; but they hang up after a few seconds.
 *
 * Happy path: an adapter delivers a message with {hold}: its webhook waits,
 * known by its visitor. The desk takes it for the next message to them (port
 * held), the adapter's passive() makes the answer of it, and the message counts
 * as sent when the last byte was written. Failure: time is over, the client is
 * gone, passive() has nothing to say, a newer webhook of the same visitor: the
 * webhook is answered what receive() returned, and the message is sent as any
 * other. Too many that wait: those beyond are answered at once.
 */
#include "app/channels/hook.h"
#include "app/kinds.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/meter.h"

#define GRACE_MS 500 /* for a passive() that has begun in time */

METER(m_held, METER_GAUGE, "yuelai_hooks_held",
      "Webhooks whose answer waits for a message");
METER(m_full, METER_COUNTER, "yuelai_hooks_not_held_total",
      "Webhooks that could not wait, because too many do");
METER(m_passive, METER_COUNTER, "yuelai_hooks_answers_total",
      "Messages that went out as the answer to a webhook");
METER(m_missed, METER_COUNTER, "yuelai_hooks_answers_missed_total",
      "Messages that should have, and were sent otherwise");

/* A message on its way into a webhook's answer. Lies in its job's arena. */
struct passive {
    struct server *server;
    struct hook_call *hook; /* NULL: it was answered otherwise */
    struct job *job;
    void (*done)(struct job *job); /* the desk's */
    void *owner;
    struct slice body, type;
    bool ready;
};

/* --- a message ------------------------------------------------------------ */

static struct slice sent_answer(struct job *job)
{
    struct json *item = NULL;
    struct buf out;
    buf_init(&out, 256);
    (void)json_parse(job->arena, job->call->item, NULL, &item);
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '{');
    jsonw_put_text(&w, "sent", json_text(item, "id"));
    jsonw_close(&w, '}');
    struct slice all = slice_dup(job->arena, buf_slice(&out));
    buf_fini(&out);
    return all;
}

/* Back to the desk, which sends it as any other if it did not go out. */
static void give_back(struct passive *p, bool sent)
{
    struct job *job = p->job;
    meter_add(sent ? &m_passive : &m_missed, 1);
    job->owner = p->owner;
    job->done = p->done;
    job->call->answer = sent ? sent_answer(job) : SLICE("{}");
    if (!sent && p->server->state >= SERVER_CLOSING) {
        job->result = ERR_CANCELLED; /* after the start, again */
    }
    job->done(job);
}

static void on_written(void *arg, bool written)
{
    give_back(arg, written);
}

/* --- the webhook ---------------------------------------------------------- */

static void unoffer(struct hook_call *h)
{
    if (map_get(&h->server->held, h->contact) == h) {
        map_take(&h->server->held, h->contact);
    }
}

void held_drop(struct hook_call *h)
{
    struct passive *p = h->answer;
    if (!h->held) {
        return;
    }
    h->held = false;
    h->answer = NULL;
    unoffer(h);
    timer_stop(loop_wheel(h->server->loop), &h->timer);
    meter_add(&m_held, -1);
    h->server->hooks_held--;
    if (p) {
        p->hook = NULL;
        if (p->ready) { /* else passive() will find out */
            give_back(p, false);
        }
    }
}

/* It is answered what receive() returned. */
static void release(struct hook_call *h)
{
    held_drop(h);
    hook_reply(h);
    hook_end(h);
}

static void write_answer(struct hook_call *h)
{
    struct passive *p = h->answer;
    if (http_reply_told(h->request, 200, p->type, SLICE(""), p->body,
                        on_written, p)) {
        p->hook = NULL;
        h->answer = NULL;
        held_drop(h);
        hook_end(h);
    } else {
        release(h); /* the client is gone */
    }
}

bool held_waits(struct hook_call *h)
{
    int status = h->job->call->status;
    if (!h->held) {
        return false;
    }
    if (status && status != 200) {
        held_drop(h);
        return false;
    }
    h->received = true;
    hook_count(h);
    if (h->answer && h->answer->ready) {
        write_answer(h);
    }
    return true;
}

static void on_time(struct timer *t)
{
    struct hook_call *h = container_of(t, struct hook_call, timer);
    struct loop *l = h->server->loop;
    if (h->taken && !h->grace) {
        h->grace = true;
        timer_start(loop_wheel(l), &h->timer, loop_now(l) + GRACE_MS);
    } else if (h->received) {
        release(h);
    } else {
        held_drop(h);
    }
}

static bool can_answer(const struct server *s, uint64_t channel)
{
    const struct channel *ch = desk_channel(s->desk, channel);
    const struct kind *k = ch ? kinds_find(s->kinds, ch->type) : NULL;
    return k && k->answers && s->state == SERVER_SERVING;
}

void held_begin(struct server *s, uint64_t hook, uint64_t channel,
                uint64_t contact, int64_t ms)
{
    struct hook_call *h = map_get(&s->hooks, hook);
    if (!h || h->held || !can_answer(s, channel)) {
        return;
    }
    if ((int64_t)s->hooks_held >= s->conf.held_answers) {
        meter_add(&m_full, 1);
        return;
    }
    struct hook_call *older = map_take(&s->held, contact);
    if (older && older->received) {
        release(older);
    } else if (older) {
        held_drop(older);
    }
    ms = ms < LIMIT_HELD_MS ? ms : LIMIT_HELD_MS;
    ms -= (clock_mono_us() - h->began_us) / 1000;
    h->held = true;
    h->channel = channel;
    h->contact = contact;
    h->until_ms = loop_now(s->loop) + (ms > 0 ? ms : 0);
    s->hooks_held++;
    meter_add(&m_held, 1);
    map_put(&s->held, contact, h);
    timer_init(&h->timer, on_time);
    timer_start(loop_wheel(s->loop), &h->timer, h->until_ms);
}

void held_forget(struct server *s, uint64_t hook)
{
    struct hook_call *h = map_get(&s->hooks, hook);
    if (h) {
        held_drop(h);
    }
}

void held_stop(struct server *s)
{
    struct hook_call *h;
    for (size_t i = 0; (h = map_next(&s->hooks, &i)) != NULL;) {
        if (h->received && !h->taken) {
            release(h);
        } else if (!h->taken) {
            held_drop(h);
        }
    }
}

/* --- what the desk asks --------------------------------------------------- */

uint64_t held_take(struct server *s, uint64_t channel, uint64_t contact)
{
    struct hook_call *h = map_get(&s->held, contact);
    if (!h || h->channel != channel || s->state != SERVER_SERVING) {
        return 0;
    }
    map_take(&s->held, contact);
    if (!http_is_live(h->request)) {
        if (h->received) {
            release(h);
        } else {
            held_drop(h);
        }
        return 0;
    }
    h->taken = true;
    return h->number;
}

/* passive() has ended, or never ran. */
static void on_passive(struct job *job)
{
    struct passive *p = job->owner;
    struct hook_call *h = p->hook;
    struct json *all = NULL;
    if (job->failures) {
        log_warn("app", "passive() failed: %.*s", SLICE_FMT(job->trouble));
        desk_channel_trouble(p->server->desk, job->call->channel,
                             SLICE("passive"), job->trouble);
    }
    if (!job->result && job->ran && !job->failures && h &&
        json_parse(job->arena, job->call->answer, NULL, &all) == 0) {
        p->body = json_text(all, "body");
        p->type = json_text(all, "type");
        p->type = p->type.len ? p->type : SLICE("text/plain; charset=utf-8");
        p->ready = p->body.len && !memchr(p->type.at, '\n', p->type.len);
    }
    if (p->ready) {
        if (h->received) {
            write_answer(h);
        }
        return; /* else receive() is still at it */
    }
    if (h) {
        h->answer = NULL;
        if (h->received) {
            release(h);
        } else {
            held_drop(h);
        }
    }
    give_back(p, false);
}

static void on_nothing(struct mail *m)
{
    struct job *job = (struct job *)m;
    job->done(job);
}

bool held_dress(struct server *s, struct job *job)
{
    struct hook_call *h = map_get(&s->hooks, job->call->number);
    struct adapter_call *to = job->call;
    struct arena *a = job->arena;
    if (!h || !h->held) {
        meter_add(&m_missed, 1);
        job->mail.run = on_nothing;
        loop_post(s->loop, &job->mail);
        return false;
    }
    const struct adapter_call *from = h->job->call;
    to->method = slice_dup(a, from->method);
    to->path = slice_dup(a, from->path);
    to->query = slice_dup(a, from->query);
    to->body = slice_dup(a, from->body);
    to->address = slice_dup(a, from->address);
    to->headers = slice_dup(a, from->headers);
    to->wall_ms = h->until_ms + GRACE_MS - loop_now(s->loop);
    to->wall_ms = to->wall_ms > 1 ? to->wall_ms : 1;
    struct passive *p = arena_one(a, struct passive);
    *p = (struct passive){.server = s,
                          .hook = h,
                          .job = job,
                          .done = job->done,
                          .owner = job->owner};
    job->owner = p;
    job->done = on_passive;
    h->answer = p;
    return true;
}
