/* SPDX-License-Identifier: Apache-2.0 */
/* httpc_line.c - libcurl's CONNECT_ONLY connections on our loop.
 *
 * Happy path: a call without a request waits for its place like any other;
 * when curl has connected, the handle stays in curl's multi (it owns the
 * connection), and we watch the socket ourselves and read and write by
 * curl_easy_recv and curl_easy_send, through TLS.
 *
 * Curl is given no name and no password: it would log in, and say LOGOUT or
 * QUIT and wait for the answer, blocking, when that failed. What is left of
 * this (a peer that refuses STARTTLS) is given up after BLOCKED_US (I5).
 *
 * Failure modes: no way to the peer, its certificate, no STARTTLS: on_open has
 * the error. The peer goes, or TLS breaks: on_end. TLS may keep bytes that the
 * socket does not show any more: we read until there is nothing.
 */
#include "net/httpc_inside.h"
#include "net/httpc_lib.h"
#include "net/line.h"

#include <stdio.h>

#define READ_BYTES (16 * 1024)
#define READS_A_TURN 64
#define BLOCKED_US 900000 /* curl looks once a second */

struct watcher {
    uv_poll_t poll; /* must be first */
    struct line *line;
};
struct line {
    struct httpc_call call;
    struct line_conf conf;
    struct arena *arena;
    void *easy; /* NULL: not connected */
    struct loop *loop;
    struct watcher *watcher;
    struct timer more; /* there is more to read */
    struct buf out;
    int depth; /* of callbacks we are in */
    bool connecting, gone, ended, unsent;
    char why[HTTPC_WHY];
};

/* --- while connecting (called by httpc_curl.c) ---------------------------- */

static int on_progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t c,
                       curl_off_t d)
{
    const struct task *t = arg;
    return clock_mono_us() - t->h->entered_us > BLOCKED_US;
}

#define OPT(name, value) curl.easy_setopt(t->easy, CURLOPT_##name, value)

void httpc_line_options(struct task *t)
{
    bool plain = t->call->line->conf.plain;
    OPT(PROTOCOLS_STR, "imap,imaps,smtp,smtps");
    OPT(CONNECT_ONLY, 1L);
    OPT(USE_SSL, plain ? (long)CURLUSESSL_NONE : (long)CURLUSESSL_ALL);
    OPT(SSL_ENABLE_ALPN, 0L);
    OPT(XFERINFOFUNCTION, on_progress);
    OPT(XFERINFODATA, t);
    OPT(NOPROGRESS, 0L);
}

void httpc_line_take(struct task *t)
{
    struct line *l = t->call->line;
    OPT(NOPROGRESS, 1L);
    OPT(XFERINFOFUNCTION, NULL);
    OPT(XFERINFODATA, NULL);
    OPT(WRITEDATA, NULL);
    OPT(HEADERDATA, NULL);
    OPT(ERRORBUFFER, l->why);
    OPT(PRIVATE, NULL);
    l->easy = t->easy;
    t->easy = NULL;
}

/* --- the end -------------------------------------------------------------- */

static void on_poll_closed(uv_handle_t *handle)
{
    net_handle_closed(handle);
    mem_free(handle);
}

static void unwatch(struct line *l)
{
    if (!l->watcher)
        return;
    uv_poll_stop(&l->watcher->poll);
    uv_close((uv_handle_t *)l->watcher, on_poll_closed);
    l->watcher = NULL;
}

static void hang_up(struct line *l)
{
    timer_stop(loop_wheel(l->loop), &l->more);
    unwatch(l);
    if (!l->easy)
        return; /* net may be gone by now */
    /* CONNECT_ONLY: it closes without a word. */
    curl.multi_remove_handle(l->conf.net->httpc->multi, l->easy);
    curl.easy_cleanup(l->easy);
    l->easy = NULL;
}

static void line_free(struct line *l)
{
    hang_up(l);
    buf_fini(&l->out);
    arena_free(l->arena); /* it lies in it */
}

void line_close(struct line *l)
{
    if (!l || l->gone)
        return;
    l->gone = true;
    if (l->easy && !l->ended && l->out.len) { /* a last word, if it fits */
        size_t n = 0;
        (void)curl.easy_send(l->easy, l->out.data, l->out.len, &n);
    }
    if (l->connecting) {
        httpc_cancel(l->conf.net, &l->call);
        hang_up(l); /* on_connected frees it */
    } else if (!l->depth) {
        line_free(l);
    }
}

/* Ends a callback's time. False: the line is gone. */
static bool leave(struct line *l)
{
    if (--l->depth == 0 && l->gone) {
        line_free(l);
        return false;
    }
    return !l->gone;
}

static void end(struct line *l, const char *why)
{
    if (l->ended)
        return;
    l->ended = true;
    hang_up(l);
    l->depth++;
    l->conf.on_end(l->conf.arg, why);
    leave(l);
}

/* --- bytes ---------------------------------------------------------------- */

static void watch(struct line *l);

/* False: the line ended. */
static bool write_out(struct line *l)
{
    while (l->out.len) {
        size_t n = 0;
        CURLcode rc = curl.easy_send(l->easy, l->out.data, l->out.len, &n);
        if (rc == CURLE_AGAIN)
            break;
        if (rc != CURLE_OK) {
            end(l, "The connection broke.");
            return false;
        }
        buf_drop(&l->out, n);
    }
    watch(l);
    if (l->out.len || !l->unsent)
        return true;
    l->unsent = false;
    if (!l->conf.on_sent)
        return true;
    l->depth++;
    l->conf.on_sent(l->conf.arg);
    return leave(l);
}

static void read_in(struct line *l)
{
    char bytes[READ_BYTES];
    for (int i = 0; i < READS_A_TURN; i++) {
        size_t n = 0;
        CURLcode rc = curl.easy_recv(l->easy, bytes, sizeof(bytes), &n);
        if (rc == CURLE_AGAIN)
            return;
        if (rc != CURLE_OK || n == 0) {
            end(l, "The server ended the connection.");
            return;
        }
        l->depth++;
        l->conf.on_data(l->conf.arg, (struct slice){bytes, n});
        if (!leave(l))
            return;
    }
    timer_start(loop_wheel(l->loop), &l->more, loop_now(l->loop));
}

static void on_more(struct timer *t)
{
    read_in(container_of(t, struct line, more));
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct line *l = ((struct watcher *)poll)->line;
    if (status < 0)
        end(l, "The connection broke.");
    else if (!(events & UV_WRITABLE) || write_out(l))
        read_in(l);
}

static void watch(struct line *l)
{
    if (l->watcher)
        uv_poll_start(&l->watcher->poll,
                      UV_READABLE | (l->out.len ? UV_WRITABLE : 0), on_poll);
}

int line_send(struct line *l, struct slice bytes)
{
    if (l->ended || !l->easy)
        return ERR_UNAVAILABLE;
    if (buf_add_slice(&l->out, bytes) < 0)
        return ERR_TOOBIG;
    l->unsent = true;
    watch(l); /* written in the loop's next turn */
    return 0;
}

/* --- opening -------------------------------------------------------------- */

static bool begin(struct line *l)
{
    struct net *n = l->conf.net;
    curl_socket_t fd = CURL_SOCKET_BAD;
    if (curl.easy_getinfo(l->easy, CURLINFO_ACTIVESOCKET, &fd) != CURLE_OK ||
        fd == CURL_SOCKET_BAD)
        return false;
    struct watcher *w = mem_alloc(sizeof(*w));
    if (uv_poll_init_socket(loop_uv(n->loop), &w->poll, fd) != 0) {
        mem_free(w);
        return false;
    }
    w->poll.data = n; /* for net_handle_closed */
    w->line = l;
    n->handles++;
    l->watcher = w;
    watch(l);
    return true;
}

static void on_connected(struct httpc_call *c)
{
    struct line *l = c->line;
    struct err e = c->err;
    int result = c->result;
    l->connecting = false;
    if (l->gone) {
        line_free(l);
        return;
    }
    if (result == 0 && !begin(l))
        result = err_set(&e, ERR_UNAVAILABLE, "The connection broke.");
    l->ended = result < 0;
    l->depth++;
    l->conf.on_open(l->conf.arg, result, &e);
    leave(l);
}

struct line *line_open(const struct line_conf *conf)
{
    struct arena *a = arena_new();
    struct line *l = arena_one(a, struct line);
    l->arena = a;
    l->conf = *conf;
    l->loop = conf->net->loop;
    l->connecting = true;
    buf_init(&l->out, LINE_OUT_BYTES);
    timer_init(&l->more, on_more);
    l->call = (struct httpc_call){
        .url = slice_dup(a, conf->url),
        .connect_ms = conf->connect_ms > 0 ? conf->connect_ms : LINE_CONNECT_MS,
        .total_ms = conf->connect_ms > 0 ? conf->connect_ms : LINE_CONNECT_MS,
        .arena = a,
        .line = l,
        .done = on_connected};
    httpc_start(conf->net, &l->call);
    return l;
}
