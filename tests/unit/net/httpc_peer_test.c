/* SPDX-License-Identifier: Apache-2.0 */
/* Calls to peers that stall, cut, flood, move, fail and encrypt. */
#include "house.h"
#include "net/httpc_inside.h"
#include "peer.h"
#include "test.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

struct shot {
    struct httpc_call call;
    struct house *h;
    char url[200];
    atomic_bool done, headed, reads; /* reads: all that comes, at once */
    atomic_llong news;
    struct buf got; /* loop's thread only, until done */
};

static void on_done(struct httpc_call *c)
{
    struct shot *s = c->owner;
    CHECK(!atomic_load(&s->done));
    if (c->stream)
        buf_add_slice(&s->got, c->answer);
    atomic_store(&s->done, true);
}

static void on_head(struct httpc_call *c)
{
    struct shot *s = c->owner;
    CHECK(!atomic_load(&s->headed));
    CHECK_EQ_INT(s->got.len, 0);
    atomic_store(&s->headed, true);
}

static void on_more(struct httpc_call *c)
{
    struct shot *s = c->owner;
    CHECK(atomic_load(&s->headed));
    if (atomic_load(&s->reads))
        buf_add_slice(&s->got, httpc_read(s->h->net, c));
    atomic_fetch_add(&s->news, 1);
}

static void start(struct house *h, void *arg)
{
    httpc_start(h->net, &((struct shot *)arg)->call);
}

static void cancel(struct house *h, void *arg)
{
    httpc_cancel(h->net, &((struct shot *)arg)->call);
}

static void take(struct house *h, void *arg)
{
    struct shot *s = arg;
    buf_add_slice(&s->got, httpc_read(h->net, &s->call));
}

static void shot_init(struct shot *s, struct house *h, int port,
                      const char *path)
{
    *s = (struct shot){.h = h};
    snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%d%s", port, path);
    s->call.method = SLICE("GET");
    s->call.url = slice_of(s->url);
    s->call.arena = arena_new();
    s->call.done = on_done;
    s->call.head = on_head;
    s->call.more = on_more;
    s->call.owner = s;
    buf_init(&s->got, 64 << 20);
}

static void shot_fini(struct shot *s)
{
    buf_fini(&s->got);
    arena_free(s->call.arena);
}

static void shoot(struct shot *s)
{
    house_run(s->h, start, s);
    WAIT_UNTIL(atomic_load(&s->done), 20000);
}

/* --- one answer ----------------------------------------------------------- */

static void serve_200(struct peer_line *l)
{
    line_say(l, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
                "Connection: close\r\n\r\nok");
}

static void serve_500(struct peer_line *l)
{
    line_say(l, "HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n"
                "Connection: close\r\n\r\nno");
}

static void serve_by_gate(struct peer_line *l)
{
    if (atomic_load(&l->peer->gate))
        serve_200(l);
    else
        serve_500(l);
}

static void serve_cut(struct peer_line *l)
{
    line_say(l, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
}

static void serve_junk(struct peer_line *l)
{
    line_say(l, "\x01\x02 this is not HTTP at all \r\n\r\n");
}

static void serve_long_head(struct peer_line *l)
{
    line_say(l, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 1000; i++)
        if (!line_say(l,
                      "X-Filler: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n"))
            return;
    line_say(l, "\r\n");
    line_wait_gone(l);
}

static void serve_silence(struct peer_line *l)
{
    line_wait_gone(l);
}

TEST("a cut answer and one that is no HTTP are unavailable")
{
    static void (*const serve[])(struct peer_line *) = {serve_cut, serve_junk};
    for (int i = 0; i < 2; i++) {
        struct house h = {0};
        struct peer p = {0};
        struct shot s;
        REQUIRE(house_start(&h) && peer_start(&p, serve[i]));
        shot_init(&s, &h, p.port, "/");
        shoot(&s);
        CHECK_EQ_INT(s.call.result, ERR_UNAVAILABLE);
        CHECK(s.call.err.text[0] != '\0');
        shot_fini(&s);
        house_stop(&h);
        peer_stop(&p);
    }
}

TEST("a head without end is too large, a silent peer too slow")
{
    struct house h = {0};
    struct peer a = {0}, b = {0};
    struct shot s;
    REQUIRE(house_start(&h) && peer_start(&a, serve_long_head) &&
            peer_start(&b, serve_silence));
    shot_init(&s, &h, a.port, "/");
    shoot(&s);
    CHECK_EQ_INT(s.call.result, ERR_TOOBIG);
    shot_fini(&s);
    shot_init(&s, &h, b.port, "/");
    s.call.total_ms = 50;
    shoot(&s);
    CHECK_EQ_INT(s.call.result, ERR_TIMEOUT);
    shot_fini(&s);
    house_stop(&h);
    peer_stop(&a);
    peer_stop(&b);
}

/* --- nobody takes the connection ------------------------------------------ */

struct deaf {
    int listener, filler, port;
};

/* Its queue of connections is full, and nobody takes one out: Linux lets every
 * further SYN fall. */
static bool deaf_open(struct deaf *d)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(at);
    struct tcp_info info = {0};
    socklen_t len = sizeof(info);
    d->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    d->filler = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (d->listener < 0 || d->filler < 0 ||
        bind(d->listener, (struct sockaddr *)&at, sizeof(at)) ||
        listen(d->listener, 0) ||
        getsockname(d->listener, (struct sockaddr *)&at, &n) ||
        connect(d->filler, (struct sockaddr *)&at, sizeof(at)))
        return false;
    d->port = ntohs(at.sin_port);
    /* Of a listener that is how many wait to be taken. */
    WAIT_UNTIL(getsockopt(d->listener, IPPROTO_TCP, TCP_INFO, &info, &len) ==
                       0 &&
                   info.tcpi_unacked > 0,
               30000);
    return info.tcpi_unacked > 0;
}

static void deaf_close(struct deaf *d)
{
    close(d->filler);
    close(d->listener);
}

TEST("a connection that nobody takes has its own, shorter time")
{
    struct house h = {0};
    struct deaf d = {0};
    struct shot shots[2], patient;
    REQUIRE(house_start(&h) && deaf_open(&d));
    shot_init(&patient, &h, d.port, "/");
    patient.call.connect_ms = patient.call.total_ms = 300000;
    house_run(&h, start, &patient);
    for (int i = 0; i < 2; i++) {
        struct shot *s = &shots[i];
        shot_init(s, &h, d.port, "/");
        s->call.stream = i == 1;
        s->call.connect_ms = 100;
        s->call.first_ms = s->call.total_ms = 300000;
        house_run(&h, start, s);
        WAIT_UNTIL(atomic_load(&s->done), 60000);
        REQUIRE(atomic_load(&s->done));
        CHECK_EQ_INT(s->call.result, ERR_TIMEOUT);
        CHECK(!atomic_load(&s->headed));
        shot_fini(s);
    }
    CHECK(!atomic_load(&patient.done)); /* it was that limit, no other */
    house_run(&h, cancel, &patient);
    WAIT_UNTIL(atomic_load(&patient.done), 60000);
    CHECK_EQ_INT(patient.call.result, ERR_CANCELLED);
    shot_fini(&patient);
    house_stop(&h);
    deaf_close(&d);
}

/* --- the breaker ---------------------------------------------------------- */

/* Time is not waited for: the breaker is told that its rest is over. */
static void end_rest(struct house *h, void *arg)
{
    struct host *host;
    (void)arg;
    for (size_t i = 0; (host = map_next(&h->net->httpc->hosts, &i)) != NULL;)
        host->breaker.until = net_now(h->net);
}

static void get(struct house *h, int port, struct shot *s)
{
    shot_init(s, h, port, "/");
    shoot(s);
}

static int64_t gauge(const char *name, int port)
{
    char text[100];
    struct buf out;
    buf_init(&out, 4 << 20);
    meter_write(&out);
    buf_add_char(&out, '\0');
    snprintf(text, sizeof(text), "%s{host=\"http://127.0.0.1:%d\"} ", name,
             port);
    const char *at = strstr(out.data, text);
    int64_t n = at ? at[strlen(text)] - '0' : -1;
    buf_fini(&out);
    return n;
}

TEST("answers of 5xx open the breaker, a probe that is well closes it")
{
    struct house h = {0};
    struct peer p = {0};
    struct shot s;
    REQUIRE(house_start(&h) && peer_start(&p, serve_by_gate));
    for (int i = 0; i < 5; i++) {
        get(&h, p.port, &s);
        CHECK_EQ_INT(s.call.result, 0);
        CHECK_EQ_INT(s.call.status, 500);
        shot_fini(&s);
    }
    CHECK_EQ_INT(gauge("yuelai_http_breaker", p.port), 1);
    CHECK_EQ_INT(gauge("yuelai_http_failures_total", p.port), 5);
    get(&h, p.port, &s);
    CHECK_EQ_INT(s.call.result, ERR_UNAVAILABLE);
    CHECK(strstr(s.call.err.text, "is open") != NULL);
    shot_fini(&s);
    CHECK_EQ_INT(atomic_load(&p.count), 5); /* nobody went there */
    house_run(&h, end_rest, NULL);
    get(&h, p.port, &s); /* the probe fails */
    CHECK_EQ_INT(s.call.status, 500);
    shot_fini(&s);
    get(&h, p.port, &s);
    CHECK_EQ_INT(s.call.result, ERR_UNAVAILABLE);
    shot_fini(&s);
    atomic_store(&p.gate, 1);
    house_run(&h, end_rest, NULL);
    for (int i = 0; i < 3; i++) {
        get(&h, p.port, &s);
        CHECK_EQ_INT(s.call.status, 200);
        shot_fini(&s);
    }
    CHECK_EQ_INT(gauge("yuelai_http_breaker", p.port), 0);
    house_stop(&h);
    peer_stop(&p);
}

static void serve_404(struct peer_line *l)
{
    line_say(l, "HTTP/1.1 404 No\r\nContent-Length: 0\r\n"
                "Connection: close\r\n\r\n");
}

TEST("answers of 4xx are the caller's fault and open nothing")
{
    struct house h = {0};
    struct peer p = {0};
    struct shot s;
    REQUIRE(house_start(&h) && peer_start(&p, serve_404));
    for (int i = 0; i < 12; i++) {
        get(&h, p.port, &s);
        CHECK_EQ_INT(s.call.status, 404);
        shot_fini(&s);
    }
    CHECK_EQ_INT(gauge("yuelai_http_breaker", p.port), 0);
    house_stop(&h);
    peer_stop(&p);
}

/* --- redirects ------------------------------------------------------------ */

/* /3 -> /2 -> /1 -> /0, which tells the method */
static void serve_moves(struct peer_line *l)
{
    char text[300];
    const char *slash = strchr(l->head, '/');
    int n = slash ? slash[1] - '0' : 0;
    if (strstr(l->head, "/file "))
        snprintf(text, sizeof(text),
                 "HTTP/1.1 302 Go\r\nLocation: file:///etc/hosts\r\n"
                 "Content-Length: 0\r\nConnection: close\r\n\r\n");
    else if (n > 0)
        snprintf(text, sizeof(text),
                 "HTTP/1.1 302 Go\r\nLocation: /%d\r\nX-Old: %d\r\n"
                 "Content-Length: 5\r\nConnection: close\r\n\r\nmoved",
                 n - 1, n);
    else
        snprintf(text, sizeof(text),
                 "HTTP/1.1 200 OK\r\nX-Method: %.*s\r\nContent-Length: 4\r\n"
                 "Connection: close\r\n\r\nhere",
                 (int)strcspn(l->head, " "), l->head);
    line_say(l, text);
}

TEST("redirects are followed only as far as asked for")
{
    struct house h = {0};
    struct peer p = {0};
    struct shot s;
    REQUIRE(house_start(&h) && peer_start(&p, serve_moves));
    shot_init(&s, &h, p.port, "/3");
    shoot(&s);
    CHECK_EQ_INT(s.call.status, 302);
    shot_fini(&s);
    shot_init(&s, &h, p.port, "/3");
    s.call.follow = 3;
    s.call.method = SLICE("POST");
    s.call.body = SLICE("a body");
    shoot(&s);
    CHECK_EQ_INT(s.call.status, 200);
    CHECK_SLICE(s.call.answer, "here");
    CHECK(strstr(s.call.answer_headers.at, "x-old") == NULL);
    CHECK(strstr(s.call.answer_headers.at, "x-method: GET") != NULL);
    shot_fini(&s);
    shot_init(&s, &h, p.port, "/3");
    s.call.follow = 2;
    shoot(&s);
    CHECK_EQ_INT(s.call.result, ERR_BAD_REQUEST);
    shot_fini(&s);
    shot_init(&s, &h, p.port, "/file");
    s.call.follow = 5;
    shoot(&s);
    CHECK_EQ_INT(s.call.result, ERR_BAD_REQUEST);
    CHECK_EQ_INT(s.call.answer.len, 0);
    shot_fini(&s);
    house_stop(&h);
    peer_stop(&p);
}

/* --- streams -------------------------------------------------------------- */

static void serve_words(struct peer_line *l)
{
    line_say(l, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                "Connection: close\r\n\r\n");
    for (int i = 0; i < 3; i++) {
        int64_t end = test_now_ms() + test_patience(0);
        while (atomic_load(&l->peer->gate) <= i && test_now_ms() < end)
            test_tick();
        line_say(l, "data: word\n\n");
    }
}

TEST("a stream is read as it comes")
{
    struct house h = {0};
    struct peer p = {0};
    struct shot s;
    REQUIRE(house_start(&h) && peer_start(&p, serve_words));
    shot_init(&s, &h, p.port, "/");
    s.call.stream = true;
    atomic_store(&s.reads, true);
    house_run(&h, start, &s);
    WAIT_UNTIL(atomic_load(&s.headed), 5000); /* before any word is said */
    CHECK_EQ_INT(s.call.status, 200);
    CHECK(strstr(s.call.answer_headers.at, "text/event-stream") != NULL);
    for (int i = 1; i <= 3; i++) {
        CHECK(!atomic_load(&s.done) || i == 3);
        atomic_store(&p.gate, i);
        WAIT_UNTIL(atomic_load(&s.news) >= i || atomic_load(&s.done), 5000);
    }
    WAIT_UNTIL(atomic_load(&s.done), 5000);
    CHECK_EQ_INT(s.call.result, 0);
    CHECK_SLICE(buf_slice(&s.got),
                "data: word\n\ndata: word\n\ndata: word\n\n");
    shot_fini(&s);
    house_stop(&h);
    peer_stop(&p);
}

#define LONG_LINE (8 * HTTPC_STREAM_PIECE + 7)

static char long_line(int i)
{
    return (char)('a' + i % 23);
}

static void serve_long_lines(struct peer_line *l)
{
    static char line[LONG_LINE];
    for (int i = 0; i < LONG_LINE; i++)
        line[i] = long_line(i);
    line_say(l, "HTTP/1.1 200 OK\r\nConnection: close\r\nX-Long: ");
    line_write(l, line, LONG_LINE);
    line_say(l, "\r\n\r\n");
    line_write(l, line, LONG_LINE);
}

TEST("lines longer than what is read at once come whole")
{
    struct house h = {0};
    struct peer p = {0};
    struct shot s;
    REQUIRE(house_start(&h) && peer_start(&p, serve_long_lines));
    shot_init(&s, &h, p.port, "/");
    s.call.stream = true;
    atomic_store(&s.reads, true);
    shoot(&s);
    CHECK_EQ_INT(s.call.result, 0);
    const char *at = strstr(s.call.answer_headers.at, "x-long: ");
    REQUIRE(at && s.got.len == LONG_LINE);
    for (int i = 0; i < LONG_LINE; i++)
        if (!CHECK(at[8 + i] == long_line(i) && s.got.data[i] == at[8 + i]))
            break;
    CHECK_EQ_INT(at[8 + LONG_LINE], '\n');
    shot_fini(&s);
    house_stop(&h);
    peer_stop(&p);
}

#define FLOOD (32 << 20)

static void serve_flood(struct peer_line *l)
{
    static char piece[65536];
    memset(piece, 'x', sizeof(piece));
    line_say(l, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
    for (int i = 0; i < FLOOD / (int)sizeof(piece); i++)
        if (!line_write(l, piece, sizeof(piece)))
            return;
}

static void look_at_memory(struct house *h, void *arg)
{
    struct shot *s = arg;
    struct task *t = s->call.inside;
    (void)h;
    CHECK(t && t->paused);
    CHECK(t && t->body.len <= HTTPC_STREAM_BYTES);
}

TEST("nobody reads: the peer is held back, and goes on when one does")
{
    struct house h = {0};
    struct peer p = {0};
    struct shot s;
    REQUIRE(house_start(&h) && peer_start(&p, serve_flood));
    shot_init(&s, &h, p.port, "/");
    s.call.stream = true;
    house_run(&h, start, &s);
    WAIT_UNTIL(atomic_load(&s.news) == 1, 5000);
    /* It has stopped when a while of looking shows no more bytes. */
    int64_t was = -1;
    for (int same = 0; same < 100;) {
        int64_t now = atomic_load(&p.written);
        same = now == was ? same + 1 : 0;
        was = now;
        test_tick();
    }
    CHECK(was < FLOOD); /* what is between is in the sockets' buffers */
    house_run(&h, look_at_memory, &s);
    CHECK_EQ_INT(atomic_load(&s.news), 1); /* told once until it is read */
    atomic_store(&s.reads, true);
    house_run(&h, take, &s);
    WAIT_UNTIL(atomic_load(&s.done), 20000);
    CHECK_EQ_INT(s.call.result, 0);
    CHECK(s.got.len == FLOOD);
    shot_fini(&s);
    house_stop(&h);
    peer_stop(&p);
}

static void serve_head_only(struct peer_line *l)
{
    line_say(l, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
    line_wait_gone(l);
}

TEST("a stream whose first byte does not come is given up, head or not")
{
    static void (*const serve[])(struct peer_line *) = {serve_silence,
                                                        serve_head_only};
    for (int i = 0; i < 2; i++) {
        struct house h = {0};
        struct peer p = {0};
        struct shot s;
        REQUIRE(house_start(&h) && peer_start(&p, serve[i]));
        shot_init(&s, &h, p.port, "/");
        s.call.stream = true;
        s.call.first_ms = 80;
        shoot(&s);
        CHECK_EQ_INT(s.call.result, ERR_TIMEOUT);
        CHECK(strstr(s.call.err.text, "first byte") != NULL);
        CHECK_EQ_INT(atomic_load(&s.headed), i == 1);
        shot_fini(&s);
        house_stop(&h);
        peer_stop(&p);
    }
}

TEST("a stream that is cut or cancelled tells it, and says what it had")
{
    struct house h = {0};
    struct peer a = {0}, b = {0};
    struct shot s;
    REQUIRE(house_start(&h) && peer_start(&a, serve_cut) &&
            peer_start(&b, serve_words));
    shot_init(&s, &h, a.port, "/");
    s.call.stream = true;
    shoot(&s);
    CHECK_EQ_INT(s.call.result, ERR_UNAVAILABLE);
    CHECK_SLICE(buf_slice(&s.got), "half");
    shot_fini(&s);
    shot_init(&s, &h, b.port, "/");
    s.call.stream = true;
    house_run(&h, start, &s);
    WAIT_UNTIL(atomic_load(&s.headed), 5000);
    house_run(&h, cancel, &s);
    WAIT_UNTIL(atomic_load(&s.done), 5000);
    CHECK_EQ_INT(s.call.result, ERR_CANCELLED);
    house_run(&h, cancel, &s); /* harmless */
    shot_fini(&s);
    house_stop(&h);
    atomic_store(&b.gate, 9);
    peer_stop(&a);
    peer_stop(&b);
}

TEST("closing the house ends open streams")
{
    struct house h = {0};
    struct peer p = {0};
    struct shot s;
    REQUIRE(house_start(&h) && peer_start(&p, serve_head_only));
    shot_init(&s, &h, p.port, "/");
    s.call.stream = true;
    house_run(&h, start, &s);
    WAIT_UNTIL(atomic_load(&s.headed), 5000);
    house_stop(&h);
    CHECK(atomic_load(&s.done));
    CHECK_EQ_INT(s.call.result, ERR_CANCELLED);
    shot_fini(&s);
    peer_stop(&p);
}

/* --- TLS ------------------------------------------------------------------ */

static void shoot_tls(struct shot *s, struct house *h, struct peer *p,
                      const char *name)
{
    shot_init(s, h, p->port, "/");
    snprintf(s->url, sizeof(s->url), "https://%s:%d/", name, p->port);
    s->call.url = slice_of(s->url);
    shoot(s);
}

TEST("a certificate of the operator's own authority is trusted when named")
{
    struct house h = {0};
    struct peer p = {0};
    struct shot s;
    const char *ca;
    REQUIRE(peer_start_tls(&p, serve_200, "127.0.0.1", &ca));
    h.conf.http_ca_file = ca;
    REQUIRE(house_start(&h));
    shoot_tls(&s, &h, &p, "127.0.0.1");
    CHECK_EQ_INT(s.call.result, 0);
    CHECK_EQ_STR(s.call.err.text, "");
    CHECK_SLICE(s.call.answer, "ok");
    shot_fini(&s);
    house_stop(&h);
    peer_stop(&p);
}

TEST("an unknown authority and another's name are refused")
{
    for (int i = 0; i < 2; i++) {
        struct house h = {0};
        struct peer p = {0};
        struct shot s;
        const char *ca;
        REQUIRE(peer_start_tls(&p, serve_200,
                               i ? "elsewhere.example" : "127.0.0.1", &ca));
        if (i)
            h.conf.http_ca_file = ca;
        REQUIRE(house_start(&h));
        shoot_tls(&s, &h, &p, "127.0.0.1");
        CHECK_EQ_INT(s.call.result, ERR_UNAVAILABLE);
        CHECK(strstr(s.call.err.text, "SSL") != NULL);
        shot_fini(&s);
        house_stop(&h);
        peer_stop(&p);
    }
}
