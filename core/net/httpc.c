/* SPDX-License-Identifier: Apache-2.0 */
/* httpc.c - calls to others: libcurl's multi interface on the loop.
 *
 * Happy path: a call waits in the queue until its host and the house have
 * room; curl tells which sockets to watch (a uv_poll each) and when to be
 * woken (the wheel); what comes is collected in buffers with a maximum and
 * copied into the caller's arena at the end. Every answer goes by mail, so
 * done never comes from inside a call nor from inside curl.
 *
 * Failure modes: an address that is not http or https, header lines with line
 * breaks: ERR_BAD_REQUEST. Queue full or host resting: ERR_UNAVAILABLE.
 * Nobody there: ERR_UNAVAILABLE, too slow: ERR_TIMEOUT, too long an answer:
 * ERR_TOOBIG. A host is struck for what is wrong with the way to it, not for
 * its status codes.
 */
#include "net/httpc.h"
#include "net/inside.h"

#include <curl/curl.h>
#include <stdio.h>

#define HOSTS_MOST 1000
#define HOST_TEXT 300

struct host {
    struct slice key;
    char text[HOST_TEXT];
    int running, waiting, strikes;
    int64_t rests_until; /* 0 = not resting */
};

struct task {
    struct list link; /* waiting or running */
    struct httpc *h;
    struct httpc_call *call;
    struct host *host;
    CURL *easy; /* NULL while waiting */
    struct curl_slist *headers;
    struct buf head, body;
    bool too_big;
    int64_t began_us;
    char why[CURL_ERROR_SIZE];
};

/* A socket of curl's. */
struct watch {
    uv_poll_t poll; /* must be first */
    struct list link;
    struct httpc *h;
    curl_socket_t fd;
};

struct httpc {
    struct net *net;
    CURLM *multi; /* NULL until the first call */
    struct list waiting, running, watches;
    size_t waiting_count, running_count;
    struct map hosts;
    struct timer timer;
};

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
    if (call->result < 0)
        meter_add(&net_httpc_errors, 1);
    loop_post(h->net->loop, &m->mail);
}

static void fail(struct httpc *h, struct httpc_call *call, int code,
                 const char *why)
{
    call->result = err_set(&call->err, code, "%s", why);
    post_answer(h, call);
}

/* --- hosts and their rest ------------------------------------------------- */

static void host_forget(struct httpc *h, struct host *host)
{
    if (host->running || host->waiting || host->strikes)
        return;
    map_take_text(&h->hosts, host->key);
    mem_free(host);
}

/* Too many hosts with some strikes are remembered: forget the idle ones. */
static void forget_hosts(struct httpc *h)
{
    struct host *host;
    for (size_t i = 0; (host = map_next(&h->hosts, &i)) != NULL;) {
        if (host->rests_until)
            continue;
        host->strikes = 0;
        host_forget(h, host);
    }
}

static struct host *host_get(struct httpc *h, const char *text)
{
    struct host *host = map_get_text(&h->hosts, slice_of(text));
    if (host)
        return host;
    if (h->hosts.count >= HOSTS_MOST)
        forget_hosts(h);
    if (h->hosts.count >= 2 * HOSTS_MOST)
        return NULL;
    host = mem_alloc(sizeof(*host));
    snprintf(host->text, sizeof(host->text), "%s", text);
    host->key = slice_of(host->text);
    map_put_text(&h->hosts, host->key, host);
    return host;
}

static void host_note(struct httpc *h, struct host *host, int code)
{
    bool broken = code == ERR_UNAVAILABLE || code == ERR_TIMEOUT;
    if (code == ERR_CANCELLED)
        return;
    if (!broken) {
        if (host->rests_until)
            meter_add(&net_httpc_open_breakers, -1);
        host->strikes = 0;
        host->rests_until = 0;
        return;
    }
    if (++host->strikes < HTTPC_STRIKES)
        return;
    if (!host->rests_until) {
        meter_add(&net_httpc_open_breakers, 1);
        log_warn("net", "calls to %s rest: %d failures in a row", host->text,
                 host->strikes);
    }
    host->rests_until = net_now(h->net) + HTTPC_REST_MS;
}

/* Resting, or being tried by one call after the rest. */
static bool host_rests(const struct httpc *h, const struct host *host)
{
    return host->rests_until && (loop_now(h->net->loop) < host->rests_until ||
                                 host->running || host->waiting);
}

/* "https://host:port" in lower case; false: not an address we call. */
static bool host_of(const char *url, char out[HOST_TEXT])
{
    CURLU *u = curl_url();
    char *scheme = NULL, *name = NULL, *port = NULL;
    bool ok =
        u && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
        curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
        curl_url_get(u, CURLUPART_HOST, &name, 0) == CURLUE_OK &&
        curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK;
    ok = ok && (slice_is_nocase(slice_of(scheme), "http") ||
                slice_is_nocase(slice_of(scheme), "https"));
    if (ok) {
        int n = snprintf(out, HOST_TEXT, "%s://%s:%s", scheme, name, port);
        ok = n > 0 && n < HOST_TEXT;
        for (char *c = out; ok && *c; c++)
            if (*c >= 'A' && *c <= 'Z')
                *c = (char)(*c + 32);
    }
    curl_free(scheme);
    curl_free(name);
    curl_free(port);
    curl_url_cleanup(u);
    return ok;
}

/* --- what curl hears ------------------------------------------------------ */

static size_t on_body(char *at, size_t one, size_t n, void *arg)
{
    struct task *t = arg;
    if (buf_add(&t->body, at, one * n) < 0) {
        t->too_big = true;
        return 0;
    }
    return one * n;
}

/* One header line: its name in lower case. A status line starts afresh. */
static size_t on_header(char *at, size_t one, size_t n, void *arg)
{
    struct task *t = arg;
    size_t len = one * n;
    if (len >= 5 && memcmp(at, "HTTP/", 5) == 0) {
        buf_clear(&t->head);
        return len;
    }
    const char *colon = memchr(at, ':', len);
    size_t was = t->head.len;
    if (!colon)
        return len; /* the empty line */
    struct slice line = slice_trim((struct slice){at, len});
    if (buf_add_slice(&t->head, line) < 0 || buf_add_char(&t->head, '\n') < 0) {
        t->too_big = true;
        return 0;
    }
    for (size_t i = 0; i < (size_t)(colon - at); i++) {
        char *c = &t->head.data[was + i];
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c + 32);
    }
    return len;
}

/* --- a task's life -------------------------------------------------------- */

static void task_free(struct task *t)
{
    if (t->easy) {
        curl_multi_remove_handle(t->h->multi, t->easy);
        curl_easy_cleanup(t->easy);
    }
    curl_slist_free_all(t->headers);
    buf_fini(&t->head);
    buf_fini(&t->body);
    mem_free(t);
}

static void finish(struct task *t, int code, const char *why)
{
    struct httpc *h = t->h;
    struct httpc_call *call = t->call;
    struct host *host = t->host;
    list_remove(&t->link);
    if (t->easy) {
        h->running_count--;
        host->running--;
        host_note(h, host, code);
        meter_note(&net_httpc_time, clock_mono_us() - t->began_us);
    } else {
        h->waiting_count--;
        host->waiting--;
    }
    call->result = code;
    if (code == 0) {
        long status = 0;
        curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
        call->status = (int)status;
        call->answer = slice_dup(call->arena, buf_slice(&t->body));
        call->answer_headers = slice_dup(call->arena, buf_slice(&t->head));
    } else {
        err_set(&call->err, code, "%s", why);
    }
    task_free(t);
    host_forget(h, host);
    post_answer(h, call);
}

static int code_of(const struct task *t, CURLcode rc)
{
    if (t->too_big)
        return ERR_TOOBIG;
    switch (rc) {
    case CURLE_OK:
        return 0;
    case CURLE_OPERATION_TIMEDOUT:
        return ERR_TIMEOUT;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return ERR_BAD_REQUEST;
    default:
        return ERR_UNAVAILABLE;
    }
}

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
        t->headers = curl_slist_append(t->headers, line.data);
    buf_fini(&line);
    return ok;
}

static bool add_headers(struct task *t)
{
    const struct httpc_call *c = t->call;
    bool has_type = false;
    for (size_t i = 0; i < c->header_count; i++) {
        has_type |= slice_is_nocase(c->headers[2 * i], "content-type");
        if (!add_header(t, c->headers[2 * i], c->headers[2 * i + 1]))
            return false;
    }
    if (!has_type) /* curl's guess would be a form */
        t->headers = curl_slist_append(t->headers, "Content-Type:");
    t->headers = curl_slist_append(t->headers, "Expect:");
    return true;
}

#define OPT(name, value) curl_easy_setopt(t->easy, CURLOPT_##name, value)

static void set_request(struct task *t)
{
    struct httpc_call *c = t->call;
    struct slice method = c->method.len ? c->method : SLICE("GET");
    char text[32];
    snprintf(text, sizeof(text), "%.*s", SLICE_FMT(method));
    if (slice_is(method, "HEAD")) {
        OPT(NOBODY, 1L);
    } else if (c->body.len || slice_is(method, "POST") ||
               slice_is(method, "PUT") || slice_is(method, "PATCH")) {
        OPT(POSTFIELDSIZE_LARGE, (curl_off_t)c->body.len);
        OPT(POSTFIELDS, c->body.len ? c->body.at : "");
    }
    if (!slice_is(method, "HEAD"))
        OPT(CUSTOMREQUEST, text); /* curl copies it */
    OPT(HTTPHEADER, t->headers);
}

static void set_rules(struct task *t)
{
    struct httpc_call *c = t->call;
    int64_t total = c->total_ms > 0 ? c->total_ms : HTTPC_TOTAL_MS;
    int64_t connect = c->connect_ms > 0 ? c->connect_ms : HTTPC_CONNECT_MS;
    OPT(NOSIGNAL, 1L);
    OPT(PROTOCOLS_STR, "http,https");
    OPT(FOLLOWLOCATION, 0L);
    OPT(SSL_VERIFYPEER, 1L);
    OPT(SSL_VERIFYHOST, 2L);
    OPT(TIMEOUT_MS, (long)total);
    OPT(CONNECTTIMEOUT_MS, (long)(connect < total ? connect : total));
    OPT(ACCEPT_ENCODING, "");
    OPT(USERAGENT, "yuelai/" YUELAI_VERSION);
    OPT(ERRORBUFFER, t->why);
    OPT(WRITEFUNCTION, on_body);
    OPT(WRITEDATA, t);
    OPT(HEADERFUNCTION, on_header);
    OPT(HEADERDATA, t);
    OPT(PRIVATE, t);
}

static void start(struct task *t)
{
    struct httpc *h = t->h;
    t->easy = curl_easy_init();
    must(t->easy != NULL);
    struct slice url = slice_dup(t->call->arena, t->call->url);
    OPT(URL, url.at);
    set_rules(t);
    set_request(t);
    list_remove(&t->link);
    list_add_last(&h->running, &t->link);
    h->waiting_count--;
    h->running_count++;
    t->host->waiting--;
    t->host->running++;
    t->began_us = clock_mono_us();
    must(curl_multi_add_handle(h->multi, t->easy) == CURLM_OK);
}

static void start_more(struct httpc *h)
{
    list_each (&h->waiting, l) {
        struct task *t = container_of(l, struct task, link);
        if (h->running_count >= HTTPC_MOST)
            return;
        if (t->host->running < HTTPC_PER_HOST)
            start(t);
    }
}

/* --- curl on the loop ----------------------------------------------------- */

static void collect(struct httpc *h)
{
    CURLMsg *m;
    for (int left; (m = curl_multi_info_read(h->multi, &left));) {
        if (m->msg != CURLMSG_DONE)
            continue;
        struct task *t = NULL;
        CURLcode rc = m->data.result; /* m dies with the handle */
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&t);
        char why[CURL_ERROR_SIZE];
        snprintf(why, sizeof(why), "%s",
                 t->too_big  ? "The answer is too large."
                 : t->why[0] ? t->why
                             : curl_easy_strerror(rc));
        finish(t, code_of(t, rc), why);
    }
    start_more(h);
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
    curl_multi_socket_action(h->multi, w->fd, flags, &running);
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
        curl_multi_assign(h->multi, fd, NULL);
        if (w)
            watch_close(w);
        return 0;
    }
    if (!w && !(w = watch_new(h, fd)))
        return 0;
    curl_multi_assign(h->multi, fd, w);
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) |
                 (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    uv_poll_start(&w->poll, events, on_poll);
    return 0;
}

static void on_timer(struct timer *t)
{
    struct httpc *h = container_of(t, struct httpc, timer);
    int running;
    curl_multi_socket_action(h->multi, CURL_SOCKET_TIMEOUT, 0, &running);
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

/* libcurl costs 2 MB and some ms: not before the first call. */
static void wake_curl(struct httpc *h)
{
    if (h->multi)
        return;
    must(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
    h->multi = curl_multi_init();
    must(h->multi != NULL);
    curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
    curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, on_timeout);
    curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
    curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, (long)HTTPC_MOST);
}

/* --- the face ------------------------------------------------------------- */

static struct task *task_new(struct httpc *h, struct httpc_call *c,
                             struct host *host)
{
    struct task *t = mem_alloc(sizeof(*t));
    t->h = h;
    t->call = c;
    t->host = host;
    buf_init(&t->head, HTTPC_HEADER_BYTES);
    buf_init(&t->body, c->body_max ? c->body_max : HTTPC_BODY_BYTES);
    list_add_last(&h->waiting, &t->link);
    h->waiting_count++;
    host->waiting++;
    return t;
}

void httpc_start(struct net *n, struct httpc_call *c)
{
    struct httpc *h = n->httpc;
    char key[HOST_TEXT];
    meter_add(&net_httpc_calls, 1);
    c->status = 0;
    c->answer = c->answer_headers = (struct slice){"", 0};
    if (!c->url.len || memchr(c->url.at, '\0', c->url.len) ||
        c->method.len > 16 || !host_of(slice_dup(c->arena, c->url).at, key)) {
        fail(h, c, ERR_BAD_REQUEST, "This is no http or https address.");
        return;
    }
    struct host *host = host_get(h, key);
    if (h->waiting_count >= HTTPC_WAITING || !host || host_rests(h, host)) {
        fail(h, c, ERR_UNAVAILABLE,
             host && host_rests(h, host)
                 ? "This host failed too often; it is left alone for a while."
                 : "Too many calls are waiting.");
        return;
    }
    wake_curl(h);
    struct task *t = task_new(h, c, host);
    if (!add_headers(t))
        finish(t, ERR_BAD_REQUEST, "A header is malformed.");
    else
        start_more(h);
}

static struct task *find(struct list *in, const struct httpc_call *c)
{
    list_each (in, l) {
        struct task *t = container_of(l, struct task, link);
        if (t->call == c)
            return t;
    }
    return NULL;
}

void httpc_cancel(struct net *n, struct httpc_call *c)
{
    struct httpc *h = n->httpc;
    struct task *t = find(&h->running, c);
    if (!t)
        t = find(&h->waiting, c);
    if (!t)
        return; /* its answer is in the mail already */
    finish(t, ERR_CANCELLED, "The call was cancelled.");
    start_more(h);
}

struct httpc *httpc_new(struct net *n)
{
    struct httpc *h = mem_alloc(sizeof(*h));
    h->net = n;
    list_init(&h->waiting);
    list_init(&h->running);
    list_init(&h->watches);
    map_init(&h->hosts);
    timer_init(&h->timer, on_timer);
    return h;
}

void httpc_close(struct httpc *h)
{
    struct host *host;
    if (!h)
        return;
    list_each (&h->running, l)
        finish(container_of(l, struct task, link), ERR_CANCELLED, "stopping");
    list_each (&h->waiting, m)
        finish(container_of(m, struct task, link), ERR_CANCELLED, "stopping");
    if (h->multi)
        curl_multi_cleanup(h->multi);
    list_each (&h->watches, w)
        watch_close(container_of(w, struct watch, link));
    timer_stop(loop_wheel(h->net->loop), &h->timer);
    for (size_t i = 0; (host = map_next(&h->hosts, &i)) != NULL;)
        mem_free(host);
    map_fini(&h->hosts);
    mem_free(h);
}
