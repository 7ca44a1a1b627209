/* SPDX-License-Identifier: Apache-2.0 */
/* handshake.c - from a request for /ws to a session (RFC 6455, 4.2).
 *
 * Happy path: version 13 and a key of 16 bytes; the first subprotocol we know
 * is taken, none is fine too. Origin and cookie are kept until the hello.
 * Failure modes: not an upgrade or another version (the caller says 426), a
 * bad key (400), a house that is closing (503). The cookie of a page of
 * another origin is dropped: such a page may talk to us, but only as a visitor
 * with a token, never in the name of whoever is signed in.
 */
#include "net/inside.h"
#include "net/serve.h"
#include "net/session.h"
#include "net/ws.h"

#define ORIGIN_BYTES 256
#define COOKIE_BYTES 1024

static const char json_name[] = "yuelai.json.v1";
static const char pb_name[] = "yuelai.protobuf.v1";

/* The first of the offered subprotocols that we speak, NULL if none. */
static const char *choose(const struct http_req *r)
{
    for (size_t i = 0; i < r->header_count; i++) {
        if (!slice_is_nocase(r->headers[i].name, "sec-websocket-protocol"))
            continue;
        struct slice list = r->headers[i].value;
        while (list.len) {
            const char *comma = memchr(list.at, ',', list.len);
            size_t n = comma ? (size_t)(comma - list.at) : list.len;
            struct slice one = slice_trim((struct slice){list.at, n});
            if (slice_is(one, json_name))
                return json_name;
            if (slice_is(one, pb_name))
                return pb_name;
            n += comma ? 1 : 0;
            list.at += n;
            list.len -= n;
        }
    }
    return NULL;
}

/* The value of our cookie in a Cookie header. */
static struct slice find_cookie(struct slice list)
{
    static const char name[] = "yuelai_session=";
    while (list.len) {
        const char *semi = memchr(list.at, ';', list.len);
        size_t n = semi ? (size_t)(semi - list.at) : list.len;
        struct slice one = slice_trim((struct slice){list.at, n});
        if (slice_starts(one, name)) {
            one.at += sizeof(name) - 1;
            one.len -= sizeof(name) - 1;
            return one;
        }
        n += semi ? 1 : 0;
        list.at += n;
        list.len -= n;
    }
    return (struct slice){"", 0};
}

/* Is the page that asks one of ours? (scheme://host[:port] against Host) */
static bool is_same_origin(struct slice origin, struct slice host)
{
    if (!origin.len)
        return true; /* not a browser: nobody's cookie is borrowed */
    const char *at = memmem(origin.at, origin.len, "://", 3);
    if (!at || !host.len)
        return false;
    struct slice authority = {at + 3,
                              (size_t)(origin.at + origin.len - at - 3)};
    return authority.len == host.len &&
           strncasecmp(authority.at, host.at, host.len) == 0;
}

static struct upgrade *upgrade_new(const struct http_in *in)
{
    struct slice origin = http_header(&in->req, "origin");
    struct slice cookie = find_cookie(http_header(&in->req, "cookie"));
    if (cookie.len > COOKIE_BYTES || !is_same_origin(origin, in->host))
        cookie.len = 0;
    if (origin.len > ORIGIN_BYTES)
        origin.len = 0;
    if (!origin.len && !cookie.len)
        return NULL;
    struct upgrade *up = mem_alloc(sizeof(*up) + origin.len + cookie.len);
    char *at = (char *)(up + 1);
    if (origin.len)
        memcpy(at, origin.at, origin.len);
    up->origin = (struct slice){at, origin.len};
    at += origin.len;
    if (cookie.len)
        memcpy(at, cookie.at, cookie.len);
    up->cookie = (struct slice){at, cookie.len};
    return up;
}

int session_upgrade(struct exchange *x)
{
    struct conn *c = x->conn;
    const struct http_req *r = &x->in->req;
    char accept[WS_KEY_TEXT];
    if (!x->in->upgrade || !x->in->minor ||
        !slice_is(http_header(r, "sec-websocket-version"), "13"))
        return ERR_BAD_REQUEST;
    if (!ws_accept_key(http_header(r, "sec-websocket-key"), accept)) {
        exchange_error(x, 400, "Sec-WebSocket-Key must be 16 bytes of base64.",
                       SLICE(""));
        return 0;
    }
    if (c->net->draining) {
        exchange_error(x, 503, "The server is stopping; try again soon.",
                       SLICE("Retry-After: 2\r\n"));
        return 0;
    }
    const char *protocol = choose(r);
    struct upgrade *up = upgrade_new(x->in);
    conn_prepare(c, 256);
    buf_addf(&c->out,
             "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
             "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n%s%s%s\r\n",
             accept, protocol ? "Sec-WebSocket-Protocol: " : "",
             protocol ? protocol : "", protocol ? "\r\n" : "");
    conn_touch(c);
    serve_leave(x);
    /* What was pipelined in front of the upgrade may be unsent as well. */
    session_open(c, protocol == pb_name, up, c->out.len);
    return 0;
}
