/* SPDX-License-Identifier: Apache-2.0 */
/* httpc.c - calls to others: who waits, who runs, what they are told.
 *
 * Happy path: a call waits with its host until host and house have room; curl
 * carries it (httpc_curl.c); the answer is copied into the caller's arena and
 * goes by mail, so done never comes from inside a call nor from inside curl. A
 * stream's reader is told in the loop's next turn that there is something, and
 * takes it; while it does not, its peer is held back.
 *
 * Failure modes: an address that is not http or https, header lines with line
 * breaks: ERR_BAD_REQUEST. No room to wait: ERR_RATE_LIMITED. The breaker is
 * open, or nobody there: ERR_UNAVAILABLE, too slow: ERR_TIMEOUT, too long an
 * answer: ERR_TOOBIG. When a breaker opens, those who wait for that host are
 * answered too.
 */
#include "net/httpc_inside.h"

#include <stdio.h>

/* --- answers -------------------------------------------------------------- */

struct answer_mail {
    struct mail mail; /* must be first */
    struct httpc_call *call;
};

static void on_answer(struct mail *m)
{
    struct httpc_call *call = ((struct answer_mail *)m)->call;
    mem_free(m);
    call->done(call);
}

static void post_answer(struct httpc *h, struct httpc_call *call)
{
    struct answer_mail *m = mem_alloc(sizeof(*m));
    m->mail.run = on_answer;
    m->call = call;
    call->inside = NULL;
    if (call->result < 0)
        meter_add(&net_httpc_errors, 1);
    loop_post(h->net->loop, &m->mail);
}

static void fail(struct httpc *h, struct httpc_call *call, int code,
                 const char *why)
{
    call->result = err_set(&call->err, code, "%s", why);
    httpc_pieces_close(call);
    post_answer(h, call);
}

/* --- a task's life -------------------------------------------------------- */

static void task_free(struct task *t)
{
    httpc_end(t);
    httpc_feed_end(t);
    httpc_pieces_close(t->call);
    timer_stop(loop_wheel(t->h->net->loop), &t->timer);
    list_remove(&t->news);
    buf_fini(&t->head);
    buf_fini(&t->body);
    buf_fini(&t->taken);
    mem_free(t);
}

static void leave_queue(struct task *t)
{
    struct host *host = t->host;
    list_remove(&t->link);
    t->h->waiting_bytes -= t->call->body.len;
    if (--host->waits == 0)
        list_remove(&host->link);
}

/* Of those who run; a placed call takes no place of the others. */
static void count_running(struct task *t, int n)
{
    struct httpc *h = t->h;
    if (t->call->placed) {
        h->placed_count += (size_t)n;
        t->host->placed += (size_t)n;
        return;
    }
    h->running_count += (size_t)n;
    t->host->running += (size_t)n;
}

static bool has_room(const struct task *t)
{
    return t->call->placed || (t->h->running_count < HTTPC_MOST &&
                               t->host->running < HTTPC_PER_HOST);
}

void httpc_finish(struct task *t, int code, const char *why)
{
    struct httpc *h = t->h;
    struct httpc_call *call = t->call;
    struct host *host = t->host;
    if (t->easy) {
        list_remove(&t->link);
        count_running(t, -1);
        host_note(h, host, t, code);
        meter_note(&net_httpc_time, clock_mono_us() - t->began_us);
    } else {
        leave_queue(t);
    }
    call->result = code;
    if (code == 0 || call->stream) {
        call->status = t->status;
        call->answer = slice_dup(call->arena, buf_slice(&t->body));
        call->answer_headers = slice_dup(call->arena, buf_slice(&t->head));
    }
    if (code < 0)
        err_set(&call->err, code, "%s", why);
    else if (call->line)
        httpc_line_take(t);
    task_free(t);
    host_forget(h, host);
    post_answer(h, call);
}

/* Waiting: no place in time. A stream: no byte in time. */
static void on_task_timer(struct timer *timer)
{
    struct task *t = container_of(timer, struct task, timer);
    struct httpc *h = t->h;
    httpc_finish(t, ERR_TIMEOUT,
                 t->easy ? "The first byte did not come in time."
                         : "There was no place for the call in time.");
    httpc_start_more(h);
}

static struct task *task_new(struct httpc *h, struct httpc_call *c,
                             struct host *host)
{
    struct task *t = mem_alloc(sizeof(*t));
    size_t most = c->stream     ? HTTPC_STREAM_BYTES
                  : c->body_max ? c->body_max
                                : HTTPC_BODY_BYTES;
    int64_t total = c->total_ms > 0 ? c->total_ms : HTTPC_TOTAL_MS;
    t->h = h;
    t->call = c;
    t->host = host;
    t->queued_ms = net_now(h->net);
    buf_init(&t->head, HTTPC_HEADER_BYTES);
    buf_init(&t->body, most);
    buf_init(&t->taken, most);
    list_init(&t->news);
    timer_init(&t->timer, on_task_timer);
    timer_start(loop_wheel(h->net->loop), &t->timer, t->queued_ms + total);
    if (c->placed)
        list_add_last(host->waiting.next, &t->link); /* before all others */
    else
        list_add_last(&host->waiting, &t->link);
    if (host->waits++ == 0)
        list_add_last(&h->hungry, &host->link);
    h->waiting_bytes += c->body.len;
    c->inside = t;
    return t;
}

/* --- the queue ------------------------------------------------------------ */

static void start(struct task *t, uint32_t ticket)
{
    struct httpc *h = t->h;
    leave_queue(t);
    timer_stop(loop_wheel(h->net->loop), &t->timer);
    list_add_last(&h->running, &t->link);
    count_running(t, 1);
    t->ticket = ticket;
    t->began_us = clock_mono_us();
    httpc_begin(t);
}

/* As many as there is room for; all, if the breaker is open. */
static void serve_host(struct httpc *h, struct host *host)
{
    while (host->waits) {
        struct task *t = container_of(host->waiting.next, struct task, link);
        if (!has_room(t))
            return;
        bool last = host->waits == 1; /* then it may be forgotten */
        uint32_t ticket = host_take(h, host);
        if (ticket) {
            start(t, ticket);
            continue;
        }
        char why[HTTPC_WHY];
        host_say(h, host, why, sizeof(why));
        httpc_finish(t, ERR_UNAVAILABLE, why);
        if (last)
            return;
    }
}

void httpc_start_more(struct httpc *h)
{
    size_t n = 0;
    list_each (&h->hungry, l)
        n++;
    while (n-- > 0 && !list_empty(&h->hungry)) {
        struct host *host = container_of(h->hungry.next, struct host, link);
        list_remove(&host->link); /* the next ones have their turn first */
        list_add_last(&h->hungry, &host->link);
        serve_host(h, host);
    }
}

/* --- streams -------------------------------------------------------------- */

void httpc_tell(struct task *t)
{
    struct httpc *h = t->h;
    if (!list_empty(&t->news))
        return;
    list_add_last(&h->news, &t->news);
    if (!timer_is_running(&h->news_timer))
        timer_start(loop_wheel(h->net->loop), &h->news_timer, net_now(h->net));
}

/* A callback may cancel any call, also its own. */
static void tell(struct task *t)
{
    struct httpc_call *c = t->call;
    if (t->has_head && !t->told_head) {
        t->told_head = true;
        c->status = t->status;
        c->answer_headers = slice_dup(c->arena, buf_slice(&t->head));
        c->head(c);
        if (c->inside != t)
            return;
    }
    if (t->body.len && !t->told_more) {
        t->told_more = true;
        c->more(c);
    }
}

static void on_news(struct timer *timer)
{
    struct httpc *h = container_of(timer, struct httpc, news_timer);
    struct list now;
    list_init(&now);
    list_each (&h->news, l) { /* those who come meanwhile have another turn */
        list_remove(l);
        list_add_last(&now, l);
    }
    while (!list_empty(&now)) {
        struct task *t = container_of(now.next, struct task, news);
        list_remove(&t->news);
        tell(t);
    }
}

struct slice httpc_read(struct net *n, struct httpc_call *c)
{
    struct task *t = c->inside;
    (void)n;
    if (!t)
        return SLICE(""); /* it has ended: see c->answer */
    struct buf was = t->taken;
    t->taken = t->body;
    t->body = was;
    buf_clear(&t->body);
    t->told_more = false;
    if (t->paused)
        httpc_go_on(t);
    return buf_slice(&t->taken);
}

/* --- the face ------------------------------------------------------------- */

/* The host to call, or NULL and it is answered. */
static struct host *admit(struct httpc *h, struct httpc_call *c)
{
    char key[HOST_TEXT], why[HTTPC_WHY];
    c->url = slice_dup(c->arena, c->url); /* ends with NUL from here on */
    if (!c->url.len || memchr(c->url.at, '\0', c->url.len) ||
        c->method.len > 16 || !httpc_host_of(c->url.at, c->line != NULL, key)) {
        fail(h, c, ERR_BAD_REQUEST,
             c->line ? "This is no mail server's address."
                     : "This is no http or https address.");
        return NULL;
    }
    struct host *host = host_get(h, key);
    if (!host || host->waits >= HTTPC_WAITING ||
        h->waiting_bytes + c->body.len > HTTPC_WAITING_BYTES ||
        (c->placed && h->placed_count >= HTTPC_PLACED)) {
        fail(h, c, ERR_RATE_LIMITED, "Too many calls are waiting.");
        return NULL;
    }
    if (!breaker_lets(&host->breaker, net_now(h->net))) {
        host_say(h, host, why, sizeof(why));
        fail(h, c, ERR_UNAVAILABLE, why);
        return NULL;
    }
    return host;
}

void httpc_start(struct net *n, struct httpc_call *c)
{
    struct httpc *h = n->httpc;
    meter_add(&net_httpc_calls, 1);
    c->status = 0;
    c->inside = NULL;
    c->answer = c->answer_headers = SLICE("");
    if (!httpc_wake(h)) {
        fail(h, c, ERR_UNAVAILABLE, "libcurl is not installed");
        return;
    }
    struct host *host = admit(h, c);
    if (!host)
        return;
    struct task *t = task_new(h, c, host);
    if (httpc_prepare(t) < 0)
        httpc_finish(t, ERR_BAD_REQUEST, "A header is malformed.");
    else
        httpc_start_more(h);
}

void httpc_cancel(struct net *n, struct httpc_call *c)
{
    struct task *t = c->inside;
    if (!t)
        return; /* its answer is in the mail already */
    httpc_finish(t, ERR_CANCELLED, "The call was cancelled.");
    httpc_start_more(n->httpc);
}

struct httpc *httpc_new(struct net *n, const char *ca_file)
{
    struct httpc *h = mem_alloc(sizeof(*h));
    h->net = n;
    if (ca_file && *ca_file)
        h->ca_file = mem_strdup(ca_file);
    list_init(&h->hungry);
    list_init(&h->running);
    list_init(&h->watches);
    list_init(&h->news);
    map_init(&h->hosts);
    map_init(&h->metered);
    timer_init(&h->timer, httpc_on_timer);
    timer_init(&h->news_timer, on_news);
    return h;
}

void httpc_close(struct httpc *h)
{
    if (!h)
        return;
    list_each (&h->running, l)
        httpc_finish(container_of(l, struct task, link), ERR_CANCELLED,
                     "stopping");
    while (!list_empty(&h->hungry)) {
        struct host *host = container_of(h->hungry.next, struct host, link);
        httpc_finish(container_of(host->waiting.next, struct task, link),
                     ERR_CANCELLED, "stopping");
    }
    httpc_stop(h);
    timer_stop(loop_wheel(h->net->loop), &h->news_timer);
    hosts_free(h);
    mem_free(h->ca_file);
    mem_free(h);
}
