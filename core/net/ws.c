/* SPDX-License-Identifier: Apache-2.0 */
/* ws.c - wslay glue.
 *
 * Happy path: peek at the header; a message in one whole frame - nearly all of
 * them - is unmasked and checked here, eight bytes at a time (0.1 us; wslay
 * goes byte by byte and takes 0.9). Everything that has rules goes to wslay:
 * control frames through the shared context, which answers pings and closes
 * into the connection's out-buffer, and fragments through one of their own.
 *
 * Failure modes: what the header alone gives away (no mask, reserved bits or
 * opcodes, overlong control frames, too long a message) is refused before its
 * payload is waited for. Whatever wslay refuses ends with its close frame in
 * out. A context that has seen a close or an error is spent: a new shared one
 * is made (wslay has no reset).
 *
 * Sending is by hand: a server's frame is two to ten bytes in front of the
 * payload, while wslay's queue takes an allocation and two callbacks a frame.
 */
#include "net/ws.h"
#include "base/crypto.h"
#include "base/err.h"

#include <string.h>
#include <wslay/wslay.h>

/* A context with what its callbacks need. */
struct channel {
    wslay_event_context_ptr ctx;
    struct slice in; /* bytes of one frame still to be read */
    struct buf *out; /* of the connection just served */
    struct ws_event *ev;
    struct buf msg; /* data of the message under way */
    bool is_data;   /* of the frame under way */
};

struct ws {
    struct channel shared; /* control frames */
    struct buf plain;      /* the last message in one frame */
    struct ws_part *done;  /* holds the last message in fragments */
};

struct ws_part {
    struct channel channel;
};

#define MSG_MOST (64u * 1024 * 1024)
#define MSG_KEPT 4096 /* more than that is given back after a message */

/* --- wslay's callbacks ---------------------------------------------------- */

static ssize_t on_recv(wslay_event_context_ptr ctx, uint8_t *to, size_t len,
                       int flags, void *arg)
{
    struct channel *c = arg;
    (void)flags;
    if (c->in.len == 0) {
        wslay_event_set_error(ctx, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    size_t n = len < c->in.len ? len : c->in.len;
    memcpy(to, c->in.at, n);
    c->in.at += n;
    c->in.len -= n;
    return (ssize_t)n;
}

static ssize_t on_send(wslay_event_context_ptr ctx, const uint8_t *data,
                       size_t len, int flags, void *arg)
{
    struct channel *c = arg;
    (void)flags;
    if (buf_add(c->out, data, len) < 0) {
        wslay_event_set_error(ctx, WSLAY_ERR_CALLBACK_FAILURE);
        return -1;
    }
    return (ssize_t)len;
}

static void on_frame(wslay_event_context_ptr ctx,
                     const struct wslay_event_on_frame_recv_start_arg *arg,
                     void *user)
{
    struct channel *c = user;
    (void)ctx;
    c->is_data = !wslay_is_ctrl_frame(arg->opcode);
}

static void on_chunk(wslay_event_context_ptr ctx,
                     const struct wslay_event_on_frame_recv_chunk_arg *arg,
                     void *user)
{
    struct channel *c = user;
    if (c->is_data && buf_add(&c->msg, arg->data, arg->data_length) < 0)
        wslay_event_set_error(ctx, WSLAY_ERR_NOMEM);
}

static void on_message(wslay_event_context_ptr ctx,
                       const struct wslay_event_on_msg_recv_arg *arg,
                       void *user)
{
    struct channel *c = user;
    (void)ctx;
    switch (arg->opcode) {
    case WSLAY_TEXT_FRAME:
    case WSLAY_BINARY_FRAME:
        c->ev->kind = arg->opcode == WSLAY_TEXT_FRAME ? WS_TEXT : WS_BINARY;
        c->ev->data = buf_slice(&c->msg);
        break;
    case WSLAY_PING:
        c->ev->kind = WS_PING;
        break;
    case WSLAY_PONG:
        c->ev->kind = WS_PONG;
        break;
    case WSLAY_CONNECTION_CLOSE:
        c->ev->kind = WS_CLOSE;
        c->ev->code = arg->status_code ? arg->status_code : 1005;
        break;
    }
}

static void channel_init(struct channel *c)
{
    static const struct wslay_event_callbacks callbacks = {
        .recv_callback = on_recv,
        .send_callback = on_send,
        .on_frame_recv_start_callback = on_frame,
        .on_frame_recv_chunk_callback = on_chunk,
        .on_msg_recv_callback = on_message,
    };
    must(wslay_event_context_server_init(&c->ctx, &callbacks, c) == 0);
    wslay_event_config_set_no_buffering(c->ctx, 1);
    /* The limit that counts is ws_read's, which peeks at every header. */
    wslay_event_config_set_max_recv_msg_length(c->ctx, MSG_MOST);
    buf_init(&c->msg, MSG_MOST);
}

static void channel_fini(struct channel *c)
{
    wslay_event_context_free(c->ctx);
    buf_fini(&c->msg);
}

/* One whole frame through wslay. */
static void channel_feed(struct channel *c, struct slice frame, struct buf *out,
                         struct ws_event *ev)
{
    c->in = frame;
    c->out = out;
    c->ev = ev;
    int rc = wslay_event_recv(c->ctx);
    /* Also after a failure: its close frame must go out (house 8). */
    if (rc != 0 || wslay_event_want_write(c->ctx))
        rc |= wslay_event_send(c->ctx);
    if (ev->kind == WS_CLOSE)
        return;
    if (rc != 0 || !wslay_event_get_read_enabled(c->ctx)) {
        ev->kind = WS_FAILED;
        ev->code = wslay_event_get_status_code_sent(c->ctx);
        if (ev->code == 1006 || ev->code == 0) /* none was sent */
            ev->code = 1002;
    }
}

/* --- the header ----------------------------------------------------------- */

struct head {
    size_t bytes; /* of the header */
    uint64_t payload;
    int opcode;
    bool fin;
};

enum peeked { PEEK_MORE, PEEK_OK, PEEK_BAD };

static enum peeked peek(struct slice in, struct head *h)
{
    const unsigned char *p = (const unsigned char *)in.at;
    if (in.len < 2)
        return PEEK_MORE;
    h->fin = p[0] >> 7;
    h->opcode = p[0] & 15;
    h->payload = p[1] & 127;
    bool control = h->opcode >= 8;
    if (p[0] & 0x70 || !(p[1] & 0x80) || h->opcode > 10 ||
        (h->opcode > 2 && h->opcode < 8) ||
        (control && (!h->fin || h->payload > 125)) ||
        (h->opcode == WSLAY_CONNECTION_CLOSE && h->payload == 1))
        return PEEK_BAD; /* half a close code: wslay lets it pass */
    size_t more = h->payload == 126 ? 2 : h->payload == 127 ? 8 : 0;
    h->bytes = 2 + more + 4;
    if (in.len < 2 + more)
        return PEEK_MORE;
    if (more)
        h->payload = 0;
    for (size_t i = 0; i < more; i++)
        h->payload = h->payload << 8 | p[2 + i];
    if ((more == 2 && h->payload < 126) ||
        (more == 8 && (h->payload >> 63 || h->payload < 65536)))
        return PEEK_BAD; /* the shortest form is a must */
    return PEEK_OK;
}

static size_t fail(struct ws_event *ev, struct buf *out, int code, size_t used)
{
    ev->kind = WS_FAILED;
    ev->code = code;
    ws_write_close(out, code, (struct slice){"", 0}); /* or out is full */
    return used;
}

static void finish_part(struct ws *w, struct ws_part **part)
{
    ws_part_free(w->done);
    w->done = *part;
    *part = NULL;
}

static void feed_part(struct ws *w, struct ws_part **part, struct slice frame,
                      struct buf *out, struct ws_event *ev)
{
    if (!*part) {
        *part = mem_alloc(sizeof(**part));
        channel_init(&(*part)->channel);
    }
    channel_feed(&(*part)->channel, frame, out, ev);
    if (ev->kind == WS_TEXT || ev->kind == WS_BINARY)
        finish_part(w, part);
}

/* A whole message in one frame whose header is sound. */
static void read_plain(struct ws *w, const struct head *h, struct slice frame,
                       struct buf *out, struct ws_event *ev)
{
    struct buf *msg = &w->plain;
    size_t n = (size_t)h->payload;
    const char *p = frame.at + h->bytes;
    uint32_t mask;
    if (msg->cap > MSG_KEPT)
        buf_fini(msg);
    buf_clear(msg);
    if (buf_reserve(msg, n + 1) < 0) {
        fail(ev, out, 1009, 0);
        return;
    }
    memcpy(&mask, p - 4, 4);
    const uint64_t eight = (uint64_t)mask << 32 | mask;
    size_t i = 0;
    for (uint64_t x; i + 8 <= n; i += 8) {
        memcpy(&x, p + i, 8);
        x ^= eight;
        memcpy(msg->data + i, &x, 8);
    }
    for (; i < n; i++)
        msg->data[i] = (char)(p[i] ^ (p - 4)[i & 3]);
    msg->len = n;
    ev->data = buf_slice(msg);
    ev->kind = h->opcode == WSLAY_TEXT_FRAME ? WS_TEXT : WS_BINARY;
    if (ev->kind == WS_TEXT && !slice_is_utf8(ev->data))
        fail(ev, out, 1007, 0);
}

static void feed_shared(struct ws *w, struct slice frame, struct buf *out,
                        struct ws_event *ev)
{
    channel_feed(&w->shared, frame, out, ev);
    if (ev->kind == WS_CLOSE || ev->kind == WS_FAILED) {
        channel_fini(&w->shared);
        channel_init(&w->shared);
    }
}

size_t ws_read(struct ws *w, struct ws_part **part, size_t limit,
               struct slice in, struct buf *out, struct ws_event *ev)
{
    struct head h;
    *ev = (struct ws_event){0};
    switch (peek(in, &h)) {
    case PEEK_MORE:
        return 0;
    case PEEK_BAD:
        return fail(ev, out, 1002, in.len);
    case PEEK_OK:
        break;
    }
    size_t before = *part ? (*part)->channel.msg.len : 0;
    if (h.opcode < 8 && (h.payload > limit || h.payload + before > limit))
        return fail(ev, out, 1009, in.len);
    size_t bytes = h.bytes + (size_t)h.payload;
    if (in.len < bytes)
        return 0;
    struct slice frame = {in.at, bytes};
    bool begins =
        h.opcode == WSLAY_TEXT_FRAME || h.opcode == WSLAY_BINARY_FRAME;
    /* A stray continuation goes to the shared one, which refuses it. */
    if (*part || (begins && !h.fin))
        feed_part(w, part, frame, out, ev);
    else if (begins)
        read_plain(w, &h, frame, out, ev);
    else
        feed_shared(w, frame, out, ev);
    return bytes;
}

struct ws *ws_new(void)
{
    struct ws *w = mem_alloc(sizeof(*w));
    channel_init(&w->shared);
    buf_init(&w->plain, MSG_MOST);
    return w;
}

void ws_free(struct ws *w)
{
    if (!w)
        return;
    channel_fini(&w->shared);
    buf_fini(&w->plain);
    ws_part_free(w->done);
    mem_free(w);
}

void ws_part_free(struct ws_part *part)
{
    if (!part)
        return;
    channel_fini(&part->channel);
    mem_free(part);
}

/* --- writing -------------------------------------------------------------- */

int ws_write(struct buf *out, int opcode, struct slice payload)
{
    int rc = buf_reserve(out, payload.len + 10);
    if (rc < 0)
        return rc;
    unsigned char *p = (unsigned char *)out->data + out->len;
    size_t n = payload.len, head = 2;
    p[0] = (unsigned char)(0x80 | opcode);
    if (n < 126) {
        p[1] = (unsigned char)n;
    } else if (n < 65536) {
        p[1] = 126;
        p[2] = (unsigned char)(n >> 8);
        p[3] = (unsigned char)n;
        head = 4;
    } else {
        p[1] = 127;
        for (int i = 0; i < 8; i++)
            p[2 + i] = (unsigned char)((uint64_t)n >> (56 - 8 * i));
        head = 10;
    }
    if (n)
        memcpy(p + head, payload.at, n);
    out->len += head + n;
    return 0;
}

int ws_write_close(struct buf *out, int code, struct slice reason)
{
    char text[125];
    if (reason.len > sizeof(text) - 2)
        reason.len = sizeof(text) - 2;
    text[0] = (char)(code >> 8);
    text[1] = (char)code;
    if (reason.len)
        memcpy(text + 2, reason.at, reason.len);
    return ws_write(out, WSLAY_CONNECTION_CLOSE,
                    (struct slice){text, reason.len + 2});
}

/* Bytes of the server's frame at p, of which n can be seen. */
static size_t frame_bytes(const unsigned char *p, size_t n)
{
    if (n < 2)
        return n;
    uint64_t payload = p[1] & 127;
    size_t more = payload == 126 ? 2 : payload == 127 ? 8 : 0;
    if (n < 2 + more)
        return n;
    if (more)
        payload = 0;
    for (size_t k = 0; k < more; k++)
        payload = payload << 8 | p[2 + k];
    size_t bytes = 2 + more + (size_t)payload;
    return bytes < n ? bytes : n;
}

size_t ws_boundary(const char *data, size_t len, size_t at)
{
    size_t i = 0;
    while (i < at && i < len)
        i += frame_bytes((const unsigned char *)data + i, len - i);
    return i;
}

size_t ws_begin(const char *data, size_t len, size_t at)
{
    size_t i = 0, n;
    while (i < len &&
           (n = frame_bytes((const unsigned char *)data + i, len - i),
            i + n <= at))
        i += n;
    return i;
}

bool ws_accept_key(struct slice key, char out[WS_KEY_TEXT])
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    unsigned char digest[SHA1_BYTES];
    char text[24 + sizeof(guid)];
    if (key.len != 24 || key.at[22] != '=' || key.at[23] != '=')
        return false;
    for (size_t i = 0; i < 22; i++) {
        char c = key.at[i];
        bool ok = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
                  (c >= 'a' && c <= 'z') || c == '+' || c == '/';
        if (!ok)
            return false;
    }
    memcpy(text, key.at, 24);
    memcpy(text + 24, guid, sizeof(guid));
    sha1_of((struct slice){text, 24 + sizeof(guid) - 1}, digest);
    struct buf b;
    buf_init(&b, WS_KEY_TEXT);
    int rc = base64_add(&b, (struct slice){(char *)digest, sizeof(digest)});
    must(rc == 0 && b.len == 28);
    memcpy(out, b.data, 28);
    out[28] = '\0';
    buf_fini(&b);
    return true;
}
