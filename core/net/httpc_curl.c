/* SPDX-License-Identifier: Apache-2.0 */
/* httpc_curl.c - libcurl's multi interface on the loop.
 *
 * Happy path: curl tells which sockets to watch (a uv_poll each) and when to be
 * woken (the wheel); what comes is collected in buffers with a maximum. Nothing
 * of ours is called from inside curl: what a caller is to hear is noted and
 * told in the loop's next turn.
 *
 * Failure modes: too long a head or body ends the transfer; a stream that
 * nobody reads is paused. A stream is asked for plain and by HTTP/1.1, so that
 * a pause holds the peer back by TCP and nothing piles up inside of curl.
 */
#include "net/httpc_inside.h"
#include "net/httpc_lib.h"

#include <stdio.h>
#include <stdlib.h>

_Static_assert(HTTPC_WHY >= CURL_ERROR_SIZE, "curl writes its sentence there");

/* A socket of curl's. */
struct watch {
    uv_poll_t poll; /* must be first */
    struct list link;
    struct httpc *h;
    curl_socket_t fd;
};

static bool speaks(const char *scheme, bool mail)
{
    static const char *const known[] = {"http",  "https", "imap",
                                        "imaps", "smtp",  "smtps"};
    for (size_t i = mail ? 2 : 0; i < (mail ? 6 : 2); i++)
        if (slice_is_nocase(slice_of(scheme), known[i]))
            return true;
    return false;
}

bool httpc_host_of(const char *url, bool mail, char out[HOST_TEXT])
{
    CURLU *u = curl.url();
    char *scheme = NULL, *name = NULL, *port = NULL;
    bool ok =
        u && curl.url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
        curl.url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
        curl.url_get(u, CURLUPART_HOST, &name, 0) == CURLUE_OK &&
        curl.url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK;
    ok = ok && speaks(scheme, mail);
    if (ok) {
        int n = snprintf(out, HOST_TEXT, "%s://%s:%s", scheme, name, port);
        ok = n > 0 && n < HOST_TEXT;
        for (char *c = out; ok && *c; c++)
            if (*c >= 'A' && *c <= 'Z')
                *c = (char)(*c + 32);
    }
    curl.free(scheme);
    curl.free(name);
    curl.free(port);
    curl.url_cleanup(u);
    return ok;
}

/* --- what curl hears ------------------------------------------------------ */

static void first_byte(struct task *t)
{
    timer_stop(loop_wheel(t->h->net->loop), &t->timer);
    t->has_head = true;
}

static size_t on_body(char *at, size_t one, size_t n, void *arg)
{
    struct task *t = arg;
    size_t len = one * n;
    if (t->call->stream) {
        first_byte(t);
        httpc_tell(t);
        if (t->body.len && t->body.len + len > HTTPC_STREAM_BYTES) {
            t->paused = true;
            return CURL_WRITEFUNC_PAUSE;
        }
    }
    if (buf_add(&t->body, at, len) < 0) {
        t->too_big = true;
        return 0;
    }
    return len;
}

/* The head is whole, and it is the last one. */
static void end_head(struct task *t)
{
    bool moves = t->call->follow && t->status >= 300 && t->status < 400;
    if (!t->call->stream || moves || t->status < 200)
        return;
    t->has_head = true;
    httpc_tell(t);
}

/* One header line: its name in lower case. A status line starts afresh. */
static size_t on_header(char *at, size_t one, size_t n, void *arg)
{
    struct task *t = arg;
    size_t len = one * n;
    if (len >= 5 && memcmp(at, "HTTP/", 5) == 0) {
        const char *blank = memchr(at, ' ', len);
        buf_clear(&t->head);
        t->status = blank ? atoi(blank) : 0;
        return len;
    }
    const char *colon = memchr(at, ':', len);
    size_t was = t->head.len;
    if (!colon) {
        if (len <= 2)
            end_head(t);
        return len;
    }
    struct slice line = slice_trim((struct slice){at, len});
    if (buf_add_slice(&t->head, line) < 0 || buf_add_char(&t->head, '\n') < 0) {
        t->too_big = true;
        return 0;
    }
    for (size_t i = 0; i < (size_t)(colon - at) && was + i < t->head.len; i++) {
        char *c = &t->head.data[was + i];
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c + 32);
    }
    return len;
}

/* --- the request ---------------------------------------------------------- */

static bool add_header(struct task *t, struct slice name, struct slice value)
{
    if (!name.len || memchr(name.at, '\n', name.len) ||
        memchr(name.at, '\r', name.len) || memchr(name.at, ':', name.len) ||
        (value.len && (memchr(value.at, '\n', value.len) ||
                       memchr(value.at, '\r', value.len) ||
                       memchr(value.at, '\0', value.len))))
        return false;
    struct buf line;
    buf_init(&line, HTTPC_HEADER_BYTES);
    bool ok = buf_addf(&line, value.len ? "%.*s: %.*s" : "%.*s;%.*s",
                       SLICE_FMT(name), SLICE_FMT(value)) == 0 &&
              buf_add_char(&line, '\0') == 0;
    if (ok)
        t->headers = curl.slist_append(t->headers, line.data);
    buf_fini(&line);
    return ok;
}

static size_t on_feed(char *to, size_t one, size_t n, void *arg)
{
    long got = httpc_feed(arg, to, one * n);
    return got == HTTPC_FEED_LATER    ? CURL_READFUNC_PAUSE
           : got == HTTPC_FEED_BROKEN ? CURL_READFUNC_ABORT
                                      : (size_t)got;
}

int httpc_prepare(struct task *t)
{
    const struct httpc_call *c = t->call;
    bool has_type = false;
    for (size_t i = 0; i < c->header_count; i++) {
        has_type |= slice_is_nocase(c->headers[2 * i], "content-type");
        if (!add_header(t, c->headers[2 * i], c->headers[2 * i + 1]))
            return ERR_BAD_REQUEST;
    }
    if (!has_type) /* curl's guess would be a form */
        t->headers = curl.slist_append(t->headers, "Content-Type:");
    t->headers = curl.slist_append(t->headers, "Expect:");
    return 0;
}

#define OPT(name, value) curl.easy_setopt(t->easy, CURLOPT_##name, value)

static void set_request(struct task *t)
{
    struct httpc_call *c = t->call;
    struct slice method = c->method.len ? c->method : SLICE("GET");
    char text[32];
    bool post = slice_is(method, "POST");
    snprintf(text, sizeof(text), "%.*s", SLICE_FMT(method));
    if (c->piece_count) {
        OPT(POST, 1L);
        OPT(POSTFIELDSIZE_LARGE, (curl_off_t)httpc_feed_begin(t));
        OPT(READFUNCTION, on_feed);
        OPT(READDATA, t);
    } else if (slice_is(method, "HEAD")) {
        OPT(NOBODY, 1L);
    } else if (c->body.len || post || slice_is(method, "PUT") ||
               slice_is(method, "PATCH")) {
        OPT(POSTFIELDSIZE_LARGE, (curl_off_t)c->body.len);
        OPT(POSTFIELDS, c->body.len ? c->body.at : "");
    }
    /* Named, a method would also be that of the calls it is sent on to. */
    if (!slice_is(method, "HEAD") && !post &&
        !(slice_is(method, "GET") && !c->body.len))
        OPT(CUSTOMREQUEST, text); /* curl copies it */
    OPT(HTTPHEADER, t->headers);
}

static void set_times(struct task *t)
{
    struct httpc_call *c = t->call;
    int64_t total = c->total_ms > 0 ? c->total_ms : HTTPC_TOTAL_MS;
    int64_t connect = c->connect_ms > 0 ? c->connect_ms : HTTPC_CONNECT_MS;
    total -= net_now(t->h->net) - t->queued_ms;
    if (total < 1)
        total = 1;
    OPT(TIMEOUT_MS, (long)total);
    OPT(CONNECTTIMEOUT_MS, (long)(connect < total ? connect : total));
    if (c->stream && c->first_ms > 0)
        timer_start(loop_wheel(t->h->net->loop), &t->timer,
                    net_now(t->h->net) + c->first_ms);
}

static void set_rules(struct task *t)
{
    int follow = t->call->follow;
    if (follow > HTTPC_FOLLOW_MOST)
        follow = HTTPC_FOLLOW_MOST;
    OPT(URL, t->call->url.at); /* curl copies it */
    OPT(NOSIGNAL, 1L);
    OPT(PROTOCOLS_STR, "http,https");
    OPT(REDIR_PROTOCOLS_STR,
        slice_starts(t->host->key, "https") ? "https" : "http,https");
    OPT(FOLLOWLOCATION, follow > 0 ? 1L : 0L);
    OPT(MAXREDIRS, (long)follow);
    OPT(SSL_VERIFYPEER, 1L);
    OPT(SSL_VERIFYHOST, 2L);
    /* With a folder of authorities curl reads the system's file for each new
     * connection (45 ms on the loop, I5), without one it keeps it. The folder
     * alone is looked up by name, as much as is needed. */
    if (t->h->ca_file)
        OPT(CAINFO, t->h->ca_file);
    else
        OPT(CAPATH, NULL);
    if (t->call->stream) {
        OPT(HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
        /* Each has buffers of its own, as long as it lasts. */
        OPT(BUFFERSIZE, (long)HTTPC_STREAM_PIECE);
        OPT(UPLOAD_BUFFERSIZE, (long)HTTPC_STREAM_SENT);
    } else {
        OPT(ACCEPT_ENCODING, "");
    }
    OPT(USERAGENT, "yuelai/" YUELAI_VERSION);
    OPT(ERRORBUFFER, t->why);
    OPT(WRITEFUNCTION, on_body);
    OPT(WRITEDATA, t);
    OPT(HEADERFUNCTION, on_header);
    OPT(HEADERDATA, t);
    OPT(PRIVATE, t);
}

void httpc_begin(struct task *t)
{
    t->easy = curl.easy_init();
    must(t->easy != NULL);
    set_rules(t);
    set_times(t);
    if (t->call->line)
        httpc_line_options(t);
    else
        set_request(t);
    must(curl.multi_add_handle(t->h->multi, t->easy) == CURLM_OK);
}

void httpc_end(struct task *t)
{
    if (t->easy) {
        curl.multi_remove_handle(t->h->multi, t->easy);
        curl.easy_cleanup(t->easy);
    }
    t->easy = NULL;
    curl.slist_free_all(t->headers);
    t->headers = NULL;
}

void httpc_go_on(struct task *t)
{
    t->paused = false;
    curl.easy_pause(t->easy, CURLPAUSE_CONT);
}

/* --- curl on the loop ----------------------------------------------------- */

static int code_of(const struct task *t, CURLcode rc)
{
    if (t->too_big)
        return ERR_TOOBIG;
    switch (rc) {
    case CURLE_OK:
        return 0;
    case CURLE_OPERATION_TIMEDOUT:
        return ERR_TIMEOUT;
    case CURLE_UNSUPPORTED_PROTOCOL: /* sent on to one, or it spoke no HTTP */
        return t->status ? ERR_BAD_REQUEST : ERR_UNAVAILABLE;
    case CURLE_URL_MALFORMAT:
    case CURLE_TOO_MANY_REDIRECTS:
        return ERR_BAD_REQUEST;
    default:
        return ERR_UNAVAILABLE;
    }
}

static void collect(struct httpc *h)
{
    CURLMsg *m;
    for (int left; (m = curl.multi_info_read(h->multi, &left));) {
        if (m->msg != CURLMSG_DONE)
            continue;
        struct task *t = NULL;
        CURLcode rc = m->data.result; /* m dies with the handle */
        curl.easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&t);
        char why[HTTPC_WHY];
        snprintf(why, sizeof(why), "%s",
                 t->too_big  ? "The answer is too large."
                 : t->why[0] ? t->why
                             : curl.easy_strerror(rc));
        httpc_finish(t, code_of(t, rc), why);
    }
    httpc_start_more(h);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct watch *w = (struct watch *)poll;
    struct httpc *h = w->h;
    int flags = status < 0 ? CURL_CSELECT_ERR : 0, running;
    if (events & UV_READABLE)
        flags |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE)
        flags |= CURL_CSELECT_OUT;
    h->entered_us = clock_mono_us();
    curl.multi_socket_action(h->multi, w->fd, flags, &running);
    collect(h);
}

static void on_watch_closed(uv_handle_t *handle)
{
    struct watch *w = (struct watch *)handle;
    net_handle_closed(handle);
    mem_free(w);
}

static void watch_close(struct watch *w)
{
    list_remove(&w->link);
    uv_poll_stop(&w->poll);
    uv_close((uv_handle_t *)&w->poll, on_watch_closed);
}

static struct watch *watch_new(struct httpc *h, curl_socket_t fd)
{
    struct watch *w = mem_alloc(sizeof(*w));
    w->h = h;
    w->fd = fd;
    if (uv_poll_init_socket(loop_uv(h->net->loop), &w->poll, fd) != 0) {
        mem_free(w);
        return NULL; /* the call runs into its time-out */
    }
    w->poll.data = h->net;
    h->net->handles++;
    list_add_last(&h->watches, &w->link);
    return w;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg,
                     void *mine)
{
    struct httpc *h = arg;
    struct watch *w = mine;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        curl.multi_assign(h->multi, fd, NULL);
        if (w)
            watch_close(w);
        return 0;
    }
    if (!w && !(w = watch_new(h, fd)))
        return 0;
    curl.multi_assign(h->multi, fd, w);
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) |
                 (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    uv_poll_start(&w->poll, events, on_poll);
    return 0;
}

void httpc_on_timer(struct timer *t)
{
    struct httpc *h = container_of(t, struct httpc, timer);
    int running;
    h->entered_us = clock_mono_us();
    curl.multi_socket_action(h->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    collect(h);
}

static int on_timeout(CURLM *multi, long ms, void *arg)
{
    struct httpc *h = arg;
    struct wheel *w = loop_wheel(h->net->loop);
    (void)multi;
    if (ms < 0)
        timer_stop(w, &h->timer);
    else
        timer_start(w, &h->timer, net_now(h->net) + ms);
    return 0;
}

bool httpc_wake(struct httpc *h)
{
    if (h->multi)
        return true;
    if (!curl_is_open())
        return false;
    h->multi = curl.multi_init();
    must(h->multi != NULL);
    curl.multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl.multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
    curl.multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, on_timeout);
    curl.multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
    curl.multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, (long)HTTPC_MOST);
    return true;
}

void httpc_stop(struct httpc *h)
{
    if (h->multi)
        curl.multi_cleanup(h->multi);
    list_each (&h->watches, w)
        watch_close(container_of(w, struct watch, link));
    timer_stop(loop_wheel(h->net->loop), &h->timer);
}
