/* SPDX-License-Identifier: Apache-2.0 */
/* conn.c - sockets in an epoll of their own.
 *
 * Happy path: readable -> one read into the shared buffer -> on_data; whatever
 * is to be said lands in c->out, the connection is marked dirty, and at the
 * turn's end one write sends it and the buffer goes back to the spares.
 *
 * Failure modes: a short write registers EPOLLOUT once and for all and goes on
 * there. A full read is followed by a new registration (edge-triggered epoll
 * then reports again), so that one busy socket does not starve the others. A
 * reset aborts. After an answer that ends the connection the socket is shut
 * down and what still comes is thrown away for a while: close() with unread
 * bytes would send a reset that can overtake the answer.
 *
 * Memory of a dead connection is freed at the end of the turn only, since the
 * batch of epoll events may still name it.
 */
#include "net/conn.h"
#include "net/door.h"
#include "net/inside.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONN_MAGIC 0xC0110001u
#define EVENTS 256
#define IN_MOST (16 * 1024 * 1024)  /* protocols bound it far lower */
#define OUT_MOST (64 * 1024 * 1024) /* an answer of ours; WS: LIMIT_OUT_BYTES */
#define RESUMED_MOST 4096           /* in one turn */

/* --- buffers -------------------------------------------------------------- */

void net_spare_take(struct net *n, struct buf *b)
{
    if (b->cap || n->spares == 0)
        return;
    n->spares--;
    b->data = n->spare[n->spares];
    b->cap = n->spare_cap[n->spares];
    n->spares_bytes -= b->cap;
}

void net_spare_give(struct net *n, struct buf *b)
{
    if (b->cap && b->cap <= NET_SPARE_BYTES && n->spares < NET_SPARES &&
        n->spares_bytes + b->cap <= NET_SPARES_BYTES) {
        n->spares_bytes += b->cap;
        n->spare[n->spares] = b->data;
        n->spare_cap[n->spares++] = b->cap;
        b->data = NULL;
        b->cap = b->len = 0;
    } else {
        buf_fini(b);
    }
}

void conn_prepare(struct conn *c, size_t n)
{
    net_spare_take(c->net, &c->out);
    if (c->out.cap == 0) /* small things grow without steps */
        buf_reserve(&c->out, n < 512 ? 512 : n);
}

/* --- registration --------------------------------------------------------- */

static void watch(struct conn *c, int op)
{
    struct epoll_event ev = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET,
                             .data.ptr = c};
    if (c->wants_out)
        ev.events |= EPOLLOUT;
    if (epoll_ctl(c->net->epoll, op, c->fd, &ev) < 0) {
        log_warn("net", "epoll_ctl: %s", strerror(errno));
        shutdown(c->fd, SHUT_RDWR);
    }
}

static void on_timer(struct timer *t)
{
    struct conn *c = container_of(t, struct conn, timer);
    must_be(c, CONN_MAGIC);
    if (c->state == CONN_OPEN)
        c->ops->on_timer(c);
    else if (c->state == CONN_LINGER || conn_is_stalled(c))
        conn_abort(c);
    else
        conn_deadline(c, c->net->times.stall_ms);
}

bool conn_is_stalled(struct conn *c)
{
    uint32_t unsent = (uint32_t)conn_unsent(c);
    bool stalled = unsent && unsent == c->mark;
    c->mark = unsent;
    return stalled;
}

void conn_deadline(struct conn *c, int64_t ms)
{
    struct wheel *w = loop_wheel(c->net->loop);
    if (ms < 0)
        timer_stop(w, &c->timer);
    else
        timer_start(w, &c->timer, net_now(c->net) + ms);
}

struct conn *conn_new(struct net *n, int fd, struct place *place,
                      const struct conn_ops *ops)
{
    struct conn *c = mem_alloc(sizeof(*c));
    c->magic = CONN_MAGIC;
    c->fd = fd;
    c->net = n;
    c->ops = ops;
    c->place = place;
    timer_init(&c->timer, on_timer);
    list_init(&c->wait);
    list_add_last(&n->conns, &c->link);
    buf_init(&c->in, IN_MOST);
    buf_init(&c->out, OUT_MOST);
    watch(c, EPOLL_CTL_ADD);
    return c;
}

/* --- the end -------------------------------------------------------------- */

static void count_out(struct conn *c)
{
    uint32_t unsent = (uint32_t)conn_unsent(c);
    if (unsent != c->counted)
        meter_add(&net_out_bytes, (int64_t)unsent - c->counted);
    c->counted = unsent;
}

void conn_abort(struct conn *c)
{
    struct net *n = c->net;
    if (c->state == CONN_DEAD)
        return;
    c->state = CONN_DEAD;
    close(c->fd);
    timer_stop(loop_wheel(n->loop), &c->timer);
    list_remove(&c->link);
    list_remove(&c->wait);
    c->sent = (uint32_t)c->out.len;
    count_out(c);
    c->ops->on_gone(c);
    c->user = NULL;
    if (c->refused)
        n->refused_count--;
    else
        n->conn_count--;
    place_leave(c->place);
    if (!c->is_dirty) { /* otherwise the flush finds it */
        c->next = n->dead;
        n->dead = c;
    }
    net_check_drained(n);
}

static void linger(struct conn *c)
{
    c->state = CONN_LINGER;
    if (c->eof || shutdown(c->fd, SHUT_WR) < 0) {
        conn_abort(c);
        return;
    }
    conn_deadline(c, c->net->times.linger_ms);
}

void conn_end(struct conn *c)
{
    if (c->state != CONN_OPEN)
        return;
    c->state = CONN_ENDING;
    c->paused = false;
    list_remove(&c->wait);
    conn_touch(c);
    /* A reader who never reads does not keep it. */
    c->mark = (uint32_t)conn_unsent(c);
    conn_deadline(c, c->net->times.stall_ms);
}

static void conn_free(struct conn *c)
{
    net_spare_give(c->net, &c->in);
    net_spare_give(c->net, &c->out);
    c->magic = 0;
    mem_free(c);
}

/* --- writing -------------------------------------------------------------- */

void conn_touch(struct conn *c)
{
    if (c->is_dirty || c->state == CONN_DEAD)
        return;
    c->is_dirty = true;
    c->next = c->net->dirty;
    c->net->dirty = c;
}

static void written(struct conn *c)
{
    buf_clear(&c->out);
    c->sent = 0;
    net_spare_give(c->net, &c->out);
    if (c->state == CONN_ENDING)
        linger(c);
    else if (c->state == CONN_OPEN)
        c->ops->on_drained(c);
}

/* One send; its result, -1 with errno. */
static ssize_t send_some(struct conn *c)
{
    ssize_t n;
    do
        n = send(c->fd, c->out.data + c->sent, conn_unsent(c), MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n > 0) {
        meter_add(&net_bytes_out, n);
        c->sent += (uint32_t)n;
    }
    return n;
}

void conn_push(struct conn *c)
{
    if (c->state == CONN_OPEN && conn_unsent(c))
        (void)send_some(c);
}

static void flush(struct conn *c)
{
    while (conn_unsent(c)) {
        ssize_t n = send_some(c);
        if (n < 0 && errno != EAGAIN) {
            conn_abort(c);
            return;
        }
        if (conn_unsent(c) == 0)
            break;
        if (!c->wants_out) {
            c->wants_out = true;
            watch(c, EPOLL_CTL_MOD);
        }
        if (n < 0) {
            count_out(c);
            return;
        }
    }
    if (c->counted)
        count_out(c);
    written(c);
}

/* --- reading -------------------------------------------------------------- */

static void deliver(struct conn *c, struct slice data)
{
    bool kept = c->in.len > 0;
    if (kept) {
        if (buf_add_slice(&c->in, data) < 0) {
            conn_abort(c);
            return;
        }
        data = buf_slice(&c->in);
    }
    size_t used = 0;
    const struct conn_ops *ops;
    do {
        ops = c->ops;
        used +=
            ops->on_data(c, (struct slice){data.at + used, data.len - used});
        must(used <= data.len);
    } while (c->ops != ops && c->state == CONN_OPEN && !c->paused);
    if (c->state != CONN_OPEN)
        used = data.len; /* nobody reads it any more */
    if (kept) {
        buf_drop(&c->in, used);
        if (c->in.len == 0)
            net_spare_give(c->net, &c->in);
    } else if (used < data.len) {
        net_spare_take(c->net, &c->in);
        if (buf_add(&c->in, data.at + used, data.len - used) < 0)
            conn_abort(c);
    }
}

/* One read. true: look again at once. */
static bool read_some(struct conn *c)
{
    ssize_t n = read(c->fd, c->net->read_buf, NET_READ_BYTES);
    if (n < 0 && errno == EINTR)
        return true;
    if (n < 0) {
        if (errno != EAGAIN)
            conn_abort(c);
        return false;
    }
    if (n == 0) {
        c->eof = true;
        if (c->state == CONN_OPEN)
            c->ops->on_eof(c);
        else if (c->state == CONN_LINGER)
            conn_abort(c);
        return false;
    }
    meter_add(&net_bytes_in, n);
    if (c->state == CONN_OPEN)
        deliver(c, (struct slice){c->net->read_buf, (size_t)n});
    bool more = n == NET_READ_BYTES || c->eof;
    if (c->state == CONN_DEAD || !more)
        return false;
    if (c->paused) {
        c->unread = true;
        return false;
    }
    if (c->eof)
        return true;
    watch(c, EPOLL_CTL_MOD); /* full: the others first, then again */
    return false;
}

static void read_all(struct conn *c)
{
    c->unread = false;
    while (read_some(c))
        ;
}

static void on_event(struct conn *c, uint32_t events)
{
    must_be(c, CONN_MAGIC);
    if (c->state == CONN_DEAD)
        return;
    if (events & EPOLLRDHUP)
        c->eof = true;
    if (events & (EPOLLERR | EPOLLHUP) && !(events & EPOLLIN)) {
        conn_abort(c);
        return;
    }
    if (events & EPOLLOUT && conn_unsent(c))
        conn_touch(c);
    if (!(events & (EPOLLIN | EPOLLRDHUP)))
        return;
    if (c->paused)
        c->unread = true;
    else
        read_all(c);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct net *n = poll->data;
    struct epoll_event ready[EVENTS];
    (void)status, (void)events;
    n->turn_began_us = clock_mono_us();
    int count = epoll_wait(n->epoll, ready, EVENTS, 0);
    for (int i = 0; i < count && !n->closed; i++)
        on_event(ready[i].data.ptr, ready[i].events);
}

/* --- pausing -------------------------------------------------------------- */

void conn_pause(struct conn *c)
{
    c->paused = true;
}

void conn_resume(struct conn *c)
{
    if (!c->paused || c->state != CONN_OPEN)
        return;
    list_remove(&c->wait);
    list_add_last(&c->net->resume, &c->wait);
    net_kick(c->net);
}

void conn_starve(struct conn *c)
{
    meter_add(&net_starved, 1);
    c->paused = true;
    list_remove(&c->wait);
    list_add_last(&c->net->starved, &c->wait);
}

static void go_on(struct conn *c)
{
    list_remove(&c->wait);
    c->paused = false;
    if (c->in.len)
        deliver(c, (struct slice){"", 0});
    if (c->state != CONN_DEAD && !c->paused && c->unread)
        read_all(c);
}

static void resume_all(struct net *n)
{
    while (!net_is_starved(n) && !list_empty(&n->starved)) {
        struct list *l = n->starved.next;
        list_remove(l);
        list_add_last(&n->resume, l);
    }
    /* Those who come back during this pass wait for the next one. */
    struct list now;
    list_init(&now);
    for (int i = 0; i < RESUMED_MOST && !list_empty(&n->resume); i++) {
        struct list *l = n->resume.next;
        list_remove(l);
        list_add_last(&now, l);
    }
    while (!list_empty(&now))
        go_on(container_of(now.next, struct conn, wait));
    if (!list_empty(&n->resume))
        net_kick(n);
}

/* --- turns ---------------------------------------------------------------- */

void conns_turn_end(struct net *n)
{
    if (!list_empty(&n->resume) || !list_empty(&n->starved))
        resume_all(n);
    for (struct conn *c; (c = n->dirty);) {
        n->dirty = c->next;
        c->is_dirty = false;
        if (c->state != CONN_DEAD) {
            flush(c); /* may make it dirty again, or dead */
        } else {
            c->next = n->dead;
            n->dead = c;
        }
    }
    for (struct conn *c; (c = n->dead);) {
        n->dead = c->next;
        conn_free(c);
    }
}

void conns_open(struct net *n)
{
    list_init(&n->conns);
    list_init(&n->resume);
    list_init(&n->starved);
    n->read_buf = mem_alloc(NET_READ_BYTES);
    n->epoll = epoll_create1(EPOLL_CLOEXEC);
    must(n->epoll >= 0);
    must(uv_poll_init(loop_uv(n->loop), &n->poll, n->epoll) == 0);
    n->poll.data = n;
    n->handles++;
    must(uv_poll_start(&n->poll, UV_READABLE, on_poll) == 0);
}

void conns_close(struct net *n)
{
    while (!list_empty(&n->conns))
        conn_abort(container_of(n->conns.next, struct conn, link));
    conns_turn_end(n);
    uv_close((uv_handle_t *)&n->poll, net_handle_closed);
    for (size_t i = 0; i < n->spares; i++)
        mem_free(n->spare[i]);
    n->spares = 0;
    mem_free(n->read_buf);
    n->read_buf = NULL;
}
