/* SPDX-License-Identifier: Apache-2.0 */
/* changes.c - the durable feed: everything after a cursor, or wait for it.
 *
 * Happy path: the journal is read up to what is committed; `next` is the last
 * position looked at, so nothing comes twice and nothing is missed. With
 * wait_ms and nothing to tell, the call sleeps until the journal grows or the
 * time is over. Failure: a cursor of another epoch is 410, start over.
 */
#include "app/api/api.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/meter.h"

#define WAIT_MAX_MS 30000
#define POLLS_MAX 1000
#define CHANGES_MAX 1000

METER(polls_open, METER_GAUGE, "yuelai_change_polls",
      "Long polls of the change feed that wait");

/* In the call: number = limit, id = after, text unused; own = struct poll. */
struct poll {
    uint64_t after;
    uint32_t limit;
    int64_t until_ms; /* loop time */
    bool asking, waits;
};

static void ask(struct call *c);

static void stop_waiting(struct call *c)
{
    struct poll *p = c->own;
    if (p->waits) {
        p->waits = false;
        list_remove(&c->link);
        timer_stop(loop_wheel(c->s->loop), &c->timer);
        meter_add(&polls_open, -1);
    }
}

static void write_answer(struct call *c, const struct query *q, uint64_t next)
{
    char text[CURSOR_TEXT];
    uint64_t epoch = c->s->epoch;
    struct jsonw *w = reply_begin(c);
    jsonw_open(w, '{');
    jsonw_key(w, "items");
    jsonw_open(w, '[');
    for (const struct event *ev = q ? q->events : NULL; ev; ev = ev->next) {
        struct buf one;
        buf_init(&one, LIMIT_AGENT_FRAME_BYTES * 2);
        struct cursor at = {epoch, ev->pos, 0};
        if (event_write(&one, ev, at, false) == 0) {
            jsonw_raw(w, buf_slice(&one));
        } else {
            w->failed = ERR_TOOBIG;
        }
        buf_fini(&one);
    }
    jsonw_close(w, ']');
    struct cursor at = {epoch, next, 0};
    jsonw_put_text(w, "next", cursor_text(text, at));
    jsonw_close(w, '}');
}

static void wait_more(struct call *c);

static void on_changes(struct query *q)
{
    struct call *c = q->owner;
    struct poll *p = c->own;
    p->asking = false;
    if (q->result) {
        struct err e = q->err;
        e.code = q->result;
        query_free(q);
        reply_error(c, &e);
        return;
    }
    uint64_t next = q->upto_pos; /* complete up to there, shown or not */
    bool time_over =
        loop_now(c->s->loop) >= p->until_ms || c->s->state != SERVER_SERVING;
    if (!q->events && !q->more && !time_over) {
        p->after = next;
        query_free(q);
        wait_more(c);
        return;
    }
    write_answer(c, q, next);
    query_free(q);
    reply_send(c, 200);
}

static void ask(struct call *c)
{
    struct poll *p = c->own;
    struct query *q = query_new(QUERY_CHANGES, on_changes, c);
    q->after_pos = p->after;
    q->upto_pos = server_pos(c->s);
    q->limit = p->limit;
    caller_viewer(c, q->arena, &q->viewer);
    p->asking = true;
    server_read(c->s, q);
}

static void on_time(struct timer *t)
{
    struct call *c = container_of(t, struct call, timer);
    struct poll *p = c->own;
    stop_waiting(c);
    write_answer(c, NULL, p->after);
    reply_send(c, 200);
}

static void wait_more(struct call *c)
{
    struct poll *p = c->own;
    if (server_pos(c->s) > p->after) {
        ask(c);
        return;
    }
    p->waits = true;
    list_add_last(&c->s->polls, &c->link);
    timer_init(&c->timer, on_time);
    timer_start(loop_wheel(c->s->loop), &c->timer, p->until_ms);
    meter_add(&polls_open, 1);
}

void api_wake_polls(struct server *s)
{
    list_each (&s->polls, l) {
        struct call *c = container_of(l, struct call, link);
        struct poll *p = c->own;
        if (server_pos(s) > p->after) {
            stop_waiting(c);
            ask(c);
        }
    }
}

void api_stop(struct server *s)
{
    list_each (&s->polls, l) {
        struct call *c = container_of(l, struct call, link);
        on_time(&c->timer);
    }
}

static bool numbers(struct call *c, int64_t *limit, int64_t *wait)
{
    struct slice text;
    if (http_query(c->r, "limit", &text) &&
        (!slice_to_i64(text, limit) || *limit < 1)) {
        reply_fail(c, ERR_BAD_REQUEST, "limit", "limit must be a number");
        return false;
    }
    if (http_query(c->r, "wait_ms", &text) &&
        (!slice_to_i64(text, wait) || *wait < 0)) {
        reply_fail(c, ERR_BAD_REQUEST, "wait_ms", "wait_ms must be a number");
        return false;
    }
    *limit = *limit > CHANGES_MAX ? CHANGES_MAX : *limit;
    *wait = *wait > WAIT_MAX_MS ? WAIT_MAX_MS : *wait;
    return true;
}

static bool after(struct call *c, uint64_t *pos)
{
    struct slice text;
    struct cursor at;
    *pos = 0;
    if (!http_query(c->r, "after", &text) || text.len == 0) {
        return true;
    }
    if (!cursor_parse(text, &at)) {
        reply_fail(c, ERR_BAD_REQUEST, "after", "after must be a cursor");
        return false;
    }
    if (at.epoch != c->s->epoch || at.pos > server_pos(c->s)) {
        reply_fail(c, ERR_GONE, "after",
                   "this cursor is of another database; start over");
        return false;
    }
    *pos = at.pos;
    return true;
}

static void changes(struct call *c)
{
    int64_t limit = LIMIT_LIST_DEFAULT, wait = 0;
    struct poll *p = arena_one(c->a, struct poll);
    if (!numbers(c, &limit, &wait) || !after(c, &p->after)) {
        return;
    }
    size_t waiting = 0;
    list_each (&c->s->polls, l) {
        waiting++;
    }
    if (wait && waiting >= POLLS_MAX) {
        reply_fail(c, ERR_UNAVAILABLE, NULL, "too many wait already");
        return;
    }
    c->own = p;
    p->limit = (uint32_t)limit;
    p->until_ms = loop_now(c->s->loop) + wait;
    ask(c);
}

static const struct field event_out[] = {
    {.name = "event", .type = FIELD_TEXT},
    {.name = "cursor", .type = FIELD_TEXT},
    {.name = "at", .type = FIELD_INT},
    {.name = "conversation", .type = FIELD_TEXT},
    {.name = "data", .type = FIELD_OBJECT},
    {0}};
const struct shape shape_event = {"Event", event_out};
const struct route routes_changes[] = {
    {"GET", "/api/v1/changes", changes, ACCESS_AGENT, "changes", ROUTE_LIST,
     200, NULL, &shape_event,
     "Everything lasting after a cursor; wait_ms waits for more", "wait_ms",
     NULL},
    {0}};
