/* SPDX-License-Identifier: Apache-2.0 */
/* WebSocket over a real socket: handshake, framing, fragments, UTF-8, close,
 * limits, reserved bits; then hello, rates, heartbeat, slow readers. */
#include "house.h"
#include "net/session.h"
#include "test.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define HELLO "{\"type\":\"hello\",\"channel\":\"default\"}"
#define SEND(ref, text)                                                        \
    "{\"type\":\"send\",\"ref\":\"" ref                                        \
    "\",\"kind\":\"text\",\"text\":\"" text "\"}"

/* Sends frames given by their first bytes and expects a close with a code. */
static void check_broken(int port, const void *bytes, size_t n, int code)
{
    int fd = ws_dial(port, "");
    REQUIRE(fd >= 0);
    CHECK(ws_hello(fd));
    say(fd, bytes, n);
    struct got g = ws_get_past_pings(fd);
    CHECK_EQ_INT(g.opcode, 8);
    CHECK_EQ_INT(g.code, code);
    CHECK_EQ_INT(ws_get(fd).opcode, -1);
    close(fd);
}

static void check_frame(int port, int first, const char *payload, size_t n,
                        int code)
{
    struct buf b;
    test_note("first byte 0x%02x, %zu bytes", first, n);
    buf_init(&b, 1 << 20);
    put_frame(&b, first, payload, n);
    check_broken(port, b.data, b.len, code);
    buf_fini(&b);
}

TEST("the handshake answers the key and takes a subprotocol if offered")
{
    struct house h = {0};
    struct buf b;
    REQUIRE(house_start(&h));
    ask(h.port,
        "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: WebSocket\r\n"
        "Connection: keep-alive, Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        "Sec-WebSocket-Protocol: chat, yuelai.json.v1\r\n"
        "Sec-WebSocket-Version: 13\r\n\r\n",
        &b);
    CHECK_EQ_INT(status_of(&b), 101);
    CHECK(strstr(b.data, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    CHECK(strstr(b.data, "Sec-WebSocket-Protocol: yuelai.json.v1\r\n"));
    buf_fini(&b);
    ask(h.port,
        "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Key: short\r\n"
        "Sec-WebSocket-Version: 13\r\n\r\n",
        &b);
    CHECK_EQ_INT(status_of(&b), 400);
    buf_fini(&b);
    ask(h.port,
        "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        "Sec-WebSocket-Version: 8\r\n\r\n",
        &b);
    CHECK_EQ_INT(status_of(&b), 426);
    CHECK(strstr(b.data, "Sec-WebSocket-Version: 13\r\n") != NULL);
    buf_fini(&b);
    house_stop(&h);
}

TEST("handshake, hello and a message work when fed byte by byte")
{
    struct house h = {0};
    struct buf b;
    REQUIRE(house_start(&h));
    buf_init(&b, 65536);
    buf_add_text(&b, "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
                     "Connection: Upgrade\r\n"
                     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                     "Sec-WebSocket-Version: 13\r\n\r\n");
    put_frame(&b, 0x81, HELLO, strlen(HELLO));
    put_frame(&b, 0x01, SEND("r1", "he") - 0, 10); /* in fragments, */
    put_frame(&b, 0x89, "tick", 4);                /* a ping between */
    put_frame(&b, 0x80, SEND("r1", "he") + 10, strlen(SEND("r1", "he")) - 10);
    int fd = dial(h.port);
    for (size_t i = 0; i < b.len; i++)
        say(fd, b.data + i, 1);
    struct buf in;
    buf_init(&in, 65536);
    CHECK(read_until(fd, &in, "\"type\":\"ack\",\"ref\":\"r1\""));
    CHECK(memmem(in.data, in.len, "\x8a\x04tick", 6) != NULL);
    CHECK_EQ_INT(atomic_load(&h.frames), 1);
    close(fd);
    buf_fini(&in);
    /* The same in one go. */
    fd = dial(h.port);
    buf_init(&in, 65536);
    say(fd, b.data, b.len);
    CHECK(read_until(fd, &in, "\"type\":\"ack\",\"ref\":\"r1\""));
    close(fd);
    buf_fini(&in);
    buf_fini(&b);
    house_stop(&h);
}

TEST("broken framing ends with 1002")
{
    struct house h = {0};
    REQUIRE(house_start(&h));
    int p = h.port;
    check_frame(p, 0xC1, "{}", 2, 1002); /* reserved bits */
    check_frame(p, 0xA1, "{}", 2, 1002);
    check_frame(p, 0x91, "{}", 2, 1002);
    check_frame(p, 0x83, "{}", 2, 1002); /* reserved opcodes */
    check_frame(p, 0x8B, "", 0, 1002);
    check_frame(p, 0x80, "x", 1, 1002); /* continues nothing */
    check_frame(p, 0x00, "x", 1, 1002);
    check_frame(p, 0x09, "x", 1, 1002); /* a ping in fragments */
    char big[126] = {0};
    check_frame(p, 0x89, big, 126, 1002);         /* a long ping */
    check_broken(p, "\x81\x02{}", 4, 1002);       /* no mask */
    check_broken(p, "\x81\xfe\x00\x05", 4, 1002); /* length not the shortest */
    check_broken(p, "\x81\xff\x80\0\0\0\0\0\0\0", 10, 1002);
    struct buf b;
    buf_init(&b, 4096);
    put_frame(&b, 0x01, "x", 1); /* a text inside a text */
    put_frame(&b, 0x81, "x", 1);
    check_broken(p, b.data, b.len, 1002);
    buf_fini(&b);
    house_stop(&h);
}

TEST("text that is not UTF-8 ends with 1007, also over fragments")
{
    struct house h = {0};
    struct buf b;
    REQUIRE(house_start(&h));
    check_frame(h.port, 0x81, "\xff", 1, 1007);
    check_frame(h.port, 0x81, "\xed\xa0\x80", 3, 1007); /* a surrogate */
    check_frame(h.port, 0x81, "\xc0\xaf", 2, 1007);     /* overlong */
    check_frame(h.port, 0x81, "\xe4\xbd", 2, 1007);     /* cut */
    buf_init(&b, 4096);
    put_frame(&b, 0x01, "\xe4\xbd", 2);
    put_frame(&b, 0x80, "x", 1);
    check_broken(h.port, b.data, b.len, 1007);
    buf_fini(&b);
    check_frame(h.port, 0x88, "\x03\xe8\xff", 3, 1007); /* a close's reason */
    int fd = ws_dial(h.port, ""); /* a character split over two is fine */
    CHECK(ws_hello(fd));
    buf_init(&b, 4096);
    static const char text[] = SEND("u", "\xe4\xbd\xa0");
    const char *split = strstr(text, "\xe4") + 1;
    put_frame(&b, 0x01, text, (size_t)(split - text));
    put_frame(&b, 0x80, split, strlen(split));
    say(fd, b.data, b.len);
    CHECK(strstr(ws_get_past_pings(fd).text, "\xe4\xbd\xa0") != NULL);
    close(fd);
    buf_fini(&b);
    house_stop(&h);
}

TEST("the closing handshake answers with the code it got")
{
    struct house h = {0};
    REQUIRE(house_start(&h));
    check_frame(h.port, 0x88,
                "\x03\xe8"
                "bye",
                5, 1000);
    check_frame(h.port, 0x88, "\x0b\xb8", 2, 3000);
    check_frame(h.port, 0x88, "", 0, 1005);
    check_frame(h.port, 0x88, "\x03", 1, 1002);
    check_frame(h.port, 0x88, "\x03\xee", 2, 1002); /* 1006 is not for wires */
    check_frame(h.port, 0x88, "\x03\xe7", 2, 1002); /* 999 */
    WAIT_UNTIL(atomic_load(&h.gone) == 6, 5000);
    house_stop(&h);
}

TEST("messages beyond the limit end with 1009 at the header")
{
    struct house h = {.conf.frame_bytes = 1000};
    struct buf b;
    REQUIRE(house_start(&h));
    check_broken(h.port, "\x81\xfe\x03\xe9", 4, 1009); /* 1001 announced */
    check_broken(h.port, "\x82\xff\0\0\0\1\0\0\0\0", 10, 1009);
    buf_init(&b, 65536);
    char half[600];
    memset(half, ' ', sizeof(half));
    put_frame(&b, 0x01, half, sizeof(half));
    put_frame(&b, 0x00, half, sizeof(half));
    check_broken(h.port, b.data, b.len, 1009);
    buf_fini(&b);
    house_stop(&h);
}

TEST("binary on the JSON protocol and text on Protobuf end with 1003")
{
    struct house h = {.times = {.close_ms = 30}};
    REQUIRE(house_start(&h));
    check_frame(h.port, 0x82, "{}", 2, 1003);
    int fd = ws_dial(h.port, "Sec-WebSocket-Protocol: yuelai.protobuf.v1\r\n");
    ws_say(fd, HELLO);
    CHECK_EQ_INT(ws_get(fd).code, 1003);
    close(fd);
    house_stop(&h);
}

TEST("many fragments, empty ones and pongs nobody asked for are fine")
{
    struct house h = {0};
    struct buf b;
    static const char text[] = SEND("frag", "in many pieces");
    REQUIRE(house_start(&h));
    int fd = ws_dial(h.port, "");
    CHECK(ws_hello(fd));
    buf_init(&b, 65536);
    for (size_t i = 0; i < sizeof(text) - 1; i++) {
        put_frame(&b, i == 0 ? 0x01 : 0x00, text + i, 1);
        put_frame(&b, 0x00, "", 0);
        put_frame(&b, 0x8A, "pong", 4);
    }
    put_frame(&b, 0x80, "", 0);
    say(fd, b.data, b.len);
    CHECK(strstr(ws_get_past_pings(fd).text, "in many pieces") != NULL);
    close(fd);
    buf_fini(&b);
    house_stop(&h);
}

TEST("a whole talk in Protobuf: hello, welcome, send, event, ack, error")
{
    static const char hello[] = "\x0a\x09\x0a\x07"
                                "default";
    static const char send[] = "\x12\x0c\x0a\x02r1\x1a\x04text\x22\x00";
    static const char good[] = "\x12\x0e\x0a\x02r1\x1a\x04text\x22\x02hi";
    struct house h = {0};
    struct buf b;
    REQUIRE(house_start(&h));
    int fd = ws_dial(h.port, "Sec-WebSocket-Protocol: yuelai.protobuf.v1\r\n");
    REQUIRE(fd >= 0);
    buf_init(&b, 4096);
    put_frame(&b, 0x82, hello, sizeof(hello) - 1);
    put_frame(&b, 0x82, send, sizeof(send) - 1); /* an empty text */
    put_frame(&b, 0x82, good, sizeof(good) - 1);
    put_frame(&b, 0x82, "\xff\xff", 2);
    say(fd, b.data, b.len);
    buf_fini(&b);
    struct got g = ws_get(fd);
    CHECK_EQ_INT(g.opcode, 2);
    CHECK_EQ_INT(g.text[0], 0x0a); /* welcome = 1 */
    g = ws_get(fd);
    CHECK_EQ_INT(g.text[0], 0x42); /* error = 8 */
    CHECK(memmem(g.text, g.len, "bad_request", 11) != NULL);
    CHECK(memmem(g.text, g.len, "r1", 2) != NULL);
    g = ws_get(fd);
    CHECK_EQ_INT(g.text[0], 0x1a); /* event = 3 */
    CHECK(memmem(g.text, g.len, "message.created", 15) != NULL);
    g = ws_get(fd);
    CHECK_EQ_INT(g.text[0], 0x12); /* ack = 2 */
    g = ws_get(fd);
    CHECK_EQ_INT(g.text[0], 0x42);
    close(fd);
    house_stop(&h);
}

/* --- hello ---------------------------------------------------------------- */

TEST("no hello in time, or something else first, closes with 4001")
{
    struct house h = {.times = {.hello_ms = 30}};
    REQUIRE(house_start(&h));
    int fd = ws_dial(h.port, "");
    CHECK_EQ_INT(ws_get(fd).code, 4001);
    close(fd);
    h.net->times.hello_ms = 5000;
    fd = ws_dial(h.port, "");
    ws_say(fd, SEND("early", "x"));
    CHECK(strstr(ws_get(fd).text, "\"type\":\"error\",\"ref\":\"early\""));
    CHECK_EQ_INT(ws_get(fd).code, 4001);
    close(fd);
    CHECK_EQ_INT(atomic_load(&h.gone), 0); /* nobody said hello */
    house_stop(&h);
}

TEST("a second hello and bad frames get an error, the socket stays")
{
    struct house h = {0};
    struct buf deep;
    REQUIRE(house_start(&h));
    int fd = ws_dial(h.port, "");
    CHECK(ws_hello(fd));
    ws_say(fd, HELLO);
    CHECK(strstr(ws_get(fd).text, "\"code\":\"bad_request\"") != NULL);
    ws_say(fd, "{not json");
    CHECK(strstr(ws_get(fd).text, "\"code\":\"bad_request\"") != NULL);
    ws_say(fd, "{\"type\":\"dance\",\"ref\":\"d1\"}");
    CHECK(strstr(ws_get(fd).text, "\"ref\":\"d1\"") != NULL);
    ws_say(fd, "{\"type\":\"send\",\"kind\":\"text\",\"text\":\"no ref\"}");
    CHECK(strstr(ws_get(fd).text, "\"code\":\"bad_request\"") != NULL);
    buf_init(&deep, 4096);
    buf_add_text(&deep, "{\"type\":\"ping\",\"x\":");
    for (int i = 0; i < 40; i++)
        buf_add_char(&deep, '[');
    for (int i = 0; i < 40; i++)
        buf_add_char(&deep, ']');
    buf_add(&deep, "}", 2);
    ws_say(fd, deep.data);
    CHECK(strstr(ws_get(fd).text, "\"type\":\"error\"") != NULL);
    buf_fini(&deep);
    ws_say(fd, "{\"type\":\"ping\",\"ref\":\"still here\"}");
    CHECK(strstr(ws_get(fd).text, "\"type\":\"pong\",\"ref\":\"still here\""));
    close(fd);
    house_stop(&h);
}

TEST("who is refused at hello gets the handler's code; on_gone comes once")
{
    struct house h = {0};
    REQUIRE(house_start(&h));
    int fd = ws_dial(h.port, "");
    ws_say(fd, "{\"type\":\"hello\",\"token\":\"refuse\"}");
    CHECK_EQ_INT(ws_get(fd).code, 4003);
    close(fd);
    WAIT_UNTIL(atomic_load(&h.gone) == 1, 5000);
    house_stop(&h);
    CHECK_EQ_INT(atomic_load(&h.gone), 1);
}

static void accept_peer(struct house *h, void *arg)
{
    (void)arg;
    peer_accept(h->net, atomic_load(&h->peer), ROLE_VISITOR);
}

TEST("what is sent right behind the hello waits until it is accepted")
{
    struct house h = {0};
    REQUIRE(house_start(&h));
    int fd = ws_dial(h.port, "");
    ws_say(fd, "{\"type\":\"hello\",\"token\":\"hold\"}");
    ws_say(fd, SEND("ahead", "x"));
    WAIT_UNTIL(atomic_load(&h.hellos) == 1, 5000);
    CHECK_EQ_INT(atomic_load(&h.frames), 0);
    house_run(&h, accept_peer, NULL);
    CHECK(strstr(ws_get(fd).text, "\"ref\":\"ahead\"") != NULL);
    close(fd);
    house_stop(&h);
}

TEST("the cookie is handed on to the same origin only")
{
    struct house h = {0};
    char headers[200];
    REQUIRE(house_start(&h));
    snprintf(headers, sizeof(headers),
             "Cookie: a=b; yuelai_session=s3cret\r\n"
             "Origin: http://localhost:%d\r\n",
             h.port);
    int fd = ws_dial(h.port, headers);
    CHECK(ws_hello(fd));
    CHECK_EQ_STR(h.cookie, "s3cret");
    close(fd);
    fd = ws_dial(h.port, "Cookie: yuelai_session=s3cret\r\n");
    CHECK(ws_hello(fd));
    CHECK_EQ_STR(h.cookie, "s3cret");
    close(fd);
    fd = ws_dial(h.port, "Cookie: yuelai_session=s3cret\r\n"
                         "Origin: https://evil.example\r\n");
    CHECK(ws_hello(fd));
    CHECK_EQ_STR(h.cookie, "");
    CHECK_EQ_STR(h.origin, "https://evil.example");
    close(fd);
    house_stop(&h);
}

/* --- rates, credits, heartbeat -------------------------------------------- */

TEST("too many frames get rate_limited, and 4029 when it goes on")
{
    struct house h = {.conf.frames_per_s = 10, .times = {.excess_ms = 50}};
    bool limited = false, closed = false;
    REQUIRE(house_start(&h));
    int fd = ws_dial(h.port, "");
    CHECK(ws_hello(fd));
    for (int i = 0; i < 100000 && !closed; i++) {
        ws_say(fd, "{\"type\":\"ping\",\"ref\":\"r\"}");
        struct got g = ws_get(fd);
        if (strstr(g.text, "rate_limited")) {
            CHECK(limited || strstr(g.text, "retry_after_ms"));
            CHECK(limited || i == 20); /* the burst */
            limited = true;
        }
        closed = g.opcode == 8;
        if (closed)
            CHECK_EQ_INT(g.code, 4029);
    }
    CHECK(limited);
    CHECK(closed);
    close(fd);
    house_stop(&h);
}

TEST("who waits as told when it is limited is not sent away")
{
    struct house h = {.conf.frames_per_s = 200, .times = {.excess_ms = 40}};
    int limited = 0;
    REQUIRE(house_start(&h));
    int fd = ws_dial(h.port, "");
    CHECK(ws_hello(fd));
    for (int i = 0; limited < 30; i++) {
        ws_say(fd, "{\"type\":\"ping\",\"ref\":\"r\"}");
        struct got g = ws_get(fd);
        REQUIRE(g.opcode == 1);
        if (strstr(g.text, "rate_limited")) {
            const char *wait = strstr(g.text, "retry_after_ms\":");
            REQUIRE(wait != NULL);
            poll(NULL, 0, atoi(wait + 16)); /* as a client would */
            limited++;
        }
    }
    close(fd);
    house_stop(&h);
}

static void give_all(struct house *h, void *arg)
{
    net_give_credits(h->net, *(int64_t *)arg);
}

TEST("without credits reading stops, and goes on when they come back")
{
    struct house h = {.credits = 5, .keep_credits = true};
    REQUIRE(house_start(&h));
    int fd = ws_dial(h.port, ""), other = ws_dial(h.port, "");
    CHECK(ws_hello(fd));
    CHECK(ws_hello(other));
    for (int i = 0; i < 20; i++)
        ws_say(fd, SEND("c", "x"));
    for (int i = 0; i < 10; i++)
        ws_get(fd); /* five events, five acks */
    ws_say(other, SEND("o", "x"));
    struct buf b;
    ask(h.port,
        "POST /hooks/x HTTP/1.1\r\nHost: a\r\n"
        "Content-Length: 0\r\n\r\n",
        &b);
    CHECK_EQ_INT(status_of(&b), 503);
    buf_fini(&b);
    CHECK_EQ_INT(atomic_load(&h.frames), 5);
    for (int i = 0; i < 4; i++)
        house_run(&h, give_all, &(int64_t){5});
    CHECK(strstr(ws_get_past_pings(other).text, "\"ref\":\"o\"") != NULL);
    WAIT_UNTIL(atomic_load(&h.frames) == 21, 5000);
    close(fd);
    close(other);
    house_stop(&h);
}

TEST("pings are sent; who answers stays, who does not is given up")
{
    struct house h = {.times = {.ping_first_ms = 20, .ping_least_ms = 20},
                      .conf.heartbeat_ms = 40};
    REQUIRE(house_start(&h));
    int fd = ws_dial(h.port, "");
    CHECK(ws_hello(fd));
    for (int i = 0; i < 5; i++) {
        struct got g = ws_get(fd);
        CHECK_EQ_INT(g.opcode, 9);
        struct buf b;
        buf_init(&b, 64);
        put_frame(&b, 0x8A, g.text, g.len);
        say(fd, b.data, b.len);
        buf_fini(&b);
    }
    CHECK_EQ_INT(atomic_load(&h.gone), 0);
    struct got g;
    int pings = 0;
    while ((g = ws_get(fd)).opcode == 9)
        pings++;
    CHECK_EQ_INT(g.opcode, -1);
    CHECK_EQ_INT(pings, 3);
    WAIT_UNTIL(atomic_load(&h.gone) == 1, 5000);
    close(fd);
    house_stop(&h);
}

/* --- slow readers --------------------------------------------------------- */

struct flood {
    int sent;
    bool refused;
};

static void flood(struct house *h, void *arg)
{
    struct flood *f = arg;
    char text[16384];
    memset(text, 'y', sizeof(text));
    for (int i = 0; i < 3000 && !f->refused; i++) {
        struct notice n = {.type = NOTICE_TYPING,
                           .conv = 1,
                           .who_role = ROLE_AGENT,
                           .who = 1,
                           .text = {text, sizeof(text)}};
        f->refused = !peer_send(h->net, atomic_load(&h->peer), &n);
        f->sent += !f->refused;
    }
}

TEST("a slow reader is told to reconnect, whole frames only, memory bounded")
{
    struct house h = {0};
    struct flood f = {0};
    REQUIRE(house_start(&h));
    int fd = ws_dial(h.port, "");
    CHECK(ws_hello(fd));
    /* More and more, as the socket's own buffers fill. */
    while (!f.refused)
        house_run(&h, flood, &f);
    struct got g;
    int typing = 0;
    while ((g = ws_get_past_pings(fd)).opcode == 1 &&
           strncmp(g.text, "{\"type\":\"typing\"", 16) == 0)
        typing++;
    CHECK(strstr(g.text, "\"type\":\"reconnect\"") != NULL);
    CHECK(strstr(g.text, "\"reason\":\"slow_reader\"") != NULL);
    CHECK_EQ_INT(ws_get(fd).code, 1001);
    CHECK(typing > 0 && typing < f.sent);
    close(fd);
    WAIT_UNTIL(atomic_load(&h.gone) == 1, 5000);
    house_stop(&h);
}

/* --- draining ------------------------------------------------------------- */

static void on_drained(void *arg)
{
    struct house *h = arg;
    atomic_store(&h->drained, 1);
}

static void start_drain(struct house *h, void *arg)
{
    (void)arg;
    net_drain(h->net, on_drained, h);
}

TEST("a drain tells everyone when to come back, agents soonest")
{
    struct house h = {0};
    long long visitor = 0, agent = 0;
    REQUIRE(house_start(&h));
    int v = ws_dial(h.port, ""), a = ws_dial(h.port, "");
    CHECK(ws_hello(v));
    ws_say(a, "{\"type\":\"hello\",\"token\":\"t\"}");
    CHECK(strstr(ws_get(a).text, "\"role\":\"agent\"") != NULL);
    house_run(&h, start_drain, NULL);
    struct got g = ws_get(v);
    CHECK_EQ_INT(
        sscanf(g.text, "{\"type\":\"reconnect\",\"after_ms\":%lld", &visitor),
        1);
    CHECK_EQ_INT(ws_get(v).code, 1001);
    g = ws_get(a);
    CHECK_EQ_INT(
        sscanf(g.text, "{\"type\":\"reconnect\",\"after_ms\":%lld", &agent), 1);
    CHECK(visitor >= 1000 && visitor <= 10000);
    CHECK(agent > 0 && agent < 1000);
    close(v);
    close(a);
    WAIT_UNTIL(atomic_load(&h.drained) == 1, 5000);
    house_stop(&h);
}

TEST("the governor sends visitors away and lets agents in")
{
    struct house h = {.times = {.hellos_per_s = 1}};
    REQUIRE(house_start(&h));
    h.net->lag_until_ms = INT64_MAX; /* as if the loop lagged */
    int v = ws_dial(h.port, "");
    ws_say(v, HELLO);
    CHECK(strstr(ws_get(v).text, "\"type\":\"reconnect\"") != NULL);
    CHECK_EQ_INT(ws_get(v).code, 1001);
    close(v);
    int a = ws_dial(h.port, "");
    ws_say(a, "{\"type\":\"hello\",\"token\":\"t\"}");
    CHECK(strstr(ws_get(a).text, "\"type\":\"welcome\"") != NULL);
    close(a);
    house_stop(&h);
}
