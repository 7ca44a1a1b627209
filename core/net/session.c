/* SPDX-License-Identifier: Apache-2.0 */
/* session.c - a WebSocket peer from hello to goodbye.
 *
 * Happy path: the first frame is a hello; the session is not read while the
 * roof finds out who that is; after peer_accept frames go to on_frame one by
 * one, notices are encoded once and copied into each recipient's out-buffer.
 *
 * Failure modes:
 * - a bad frame: an `error` with its ref, the socket stays; before the hello
 *   it closes with 4001, as does no hello in time;
 * - broken protocol: wslay's close, then the end;
 * - too fast: `rate_limited` for each, 4029 when it goes on for 3 s;
 * - too slow a reader: what it has not begun to read is dropped, it is told to
 *   reconnect (its cursor finds everything again), then closed;
 * - silence: pings, closer together after a miss; three misses or 90 s end it;
 * - a flood of hellos or a lagging loop: visitors are asked to come back
 *   later, agents are let in.
 */
#include "net/session.h"
#include "net/door.h"
#include "net/inside.h"
#include "net/serve.h"
#include "net/wire_json.h"
#include "net/wire_pb.h"
#include "net/ws.h"

#define SESSION_MAGIC 0x5E550001u
#define OUT_MOST (LIMIT_OUT_BYTES + 16 * 1024 * 1024) /* one notice beyond */
#define COMPACT_BYTES (256 * 1024)
#define ASKED_MS 30000   /* for the roof to answer a hello */
#define FRAMES_A_TURN 64 /* of one session, then the others */
#define HELLO_BURST 20000
#define AGENT_RATE 10 /* times a visitor's frames */
#define OPCODE_TEXT 1
#define OPCODE_BINARY 2
#define OPCODE_PING 9

static const struct conn_ops ops;

/* --- the table ------------------------------------------------------------ */

struct slot {
    struct session *session;
    uint32_t generation, next_free;
};

struct sessions {
    struct net *net;
    struct slot *slots;
    uint32_t cap, first_free; /* index + 1, 0 = none */
    size_t count;
    struct bucket hellos;
};

struct sessions *sessions_new(struct net *n)
{
    struct sessions *t = mem_alloc(sizeof(*t));
    t->net = n;
    t->hellos.milli = HELLO_BURST * 1000;
    t->hellos.at_ms = (uint32_t)net_now(n);
    return t;
}

void sessions_free(struct sessions *t)
{
    if (!t)
        return;
    must(t->count == 0);
    mem_free(t->slots);
    mem_free(t);
}

size_t sessions_count(const struct sessions *t)
{
    return t->count;
}

static void grow(struct sessions *t)
{
    uint32_t cap = t->cap ? t->cap * 2 : 64;
    t->slots = mem_resize(t->slots, cap * sizeof(*t->slots));
    for (uint32_t i = cap; i-- > t->cap;) {
        t->slots[i] = (struct slot){.next_free = t->first_free};
        t->first_free = i + 1;
    }
    t->cap = cap;
}

static void table_add(struct sessions *t, struct session *s)
{
    if (!t->first_free)
        grow(t);
    uint32_t i = t->first_free - 1;
    struct slot *slot = &t->slots[i];
    t->first_free = slot->next_free;
    slot->session = s;
    slot->generation++;
    s->id = (uint64_t)slot->generation << 32 | (i + 1);
    t->count++;
}

static void table_remove(struct sessions *t, struct session *s)
{
    if (!s->id)
        return;
    uint32_t i = (uint32_t)s->id - 1;
    t->slots[i].session = NULL;
    t->slots[i].next_free = t->first_free;
    t->first_free = i + 1;
    s->id = 0;
    t->count--;
}

static struct session *find(const struct net *n, uint64_t id)
{
    const struct sessions *t = n->sessions;
    uint32_t i = (uint32_t)id - 1;
    if (i >= t->cap || !t->slots[i].session || t->slots[i].session->id != id)
        return NULL;
    must_be(t->slots[i].session, SESSION_MAGIC);
    return t->slots[i].session;
}

/* --- saying --------------------------------------------------------------- */

static int say(struct session *s, struct slice bytes)
{
    struct conn *c = s->conn;
    conn_prepare(c, bytes.len + 10);
    int rc =
        ws_write(&c->out, s->is_binary ? OPCODE_BINARY : OPCODE_TEXT, bytes);
    if (rc == 0)
        meter_add(&net_frames_out, 1);
    conn_touch(c);
    return rc;
}

/* The notice's bytes for this peer: kept in the notice's arena, or in the
 * scratch buffer until the next one. */
static struct slice encode(struct session *s, struct notice *notice)
{
    struct slice *kept = s->is_binary ? &notice->as_pb : &notice->as_json;
    struct buf *b = &s->conn->net->scratch;
    if (kept->len)
        return *kept;
    if (b->cap > NET_READ_BYTES)
        buf_fini(b);
    buf_clear(b);
    int rc =
        s->is_binary ? wire_pb_write(b, notice) : wire_json_write(b, notice);
    if (rc < 0) {
        log_error("net", "a notice could not be written: %s", err_code(rc));
        return (struct slice){"", 0};
    }
    if (!notice->arena)
        return buf_slice(b);
    return *kept = slice_dup(notice->arena, buf_slice(b));
}

static void tell(struct session *s, struct notice *notice)
{
    struct slice bytes = encode(s, notice);
    if (bytes.len)
        say(s, bytes); /* no room: the close that follows says enough */
}

static void tell_error(struct session *s, int code, struct slice ref,
                       struct slice text, int64_t after_ms)
{
    struct notice n = {.type = NOTICE_ERROR,
                       .code = code,
                       .ref = ref,
                       .text = text,
                       .after_ms = after_ms};
    tell(s, &n);
}

static void tell_reconnect(struct session *s, int64_t after_ms,
                           const char *reason)
{
    struct notice n = {.type = NOTICE_RECONNECT,
                       .after_ms = after_ms,
                       .text = slice_of(reason)};
    tell(s, &n);
}

/* --- leaving -------------------------------------------------------------- */

/* From now on nobody finds it; the roof is told, once. */
static void leave(struct session *s)
{
    struct net *n = s->conn->net;
    uint64_t id = s->id;
    table_remove(n->sessions, s);
    if (s->is_told && !n->closed) {
        s->is_told = false;
        n->conf.on_gone(n->conf.arg, id);
    }
}

/* Our half of the closing handshake. */
static void close_with(struct session *s, int code, const char *reason)
{
    struct conn *c = s->conn;
    if (s->state == SESSION_CLOSING || c->state != CONN_OPEN)
        return;
    s->state = SESSION_CLOSING;
    net_count_close(code);
    conn_prepare(c, 128);
    ws_write_close(&c->out, code, slice_of(reason)); /* no room: just the end */
    conn_touch(c);
    conn_deadline(c, c->net->times.close_ms);
    if (c->paused)
        conn_resume(c); /* to read the peer's half */
}

/* Everything the peer has not begun to read makes place for one frame. */
static void give_up(struct session *s)
{
    struct conn *c = s->conn;
    size_t skip = s->preamble;
    size_t cut = c->sent <= skip
                     ? skip
                     : skip + ws_boundary(c->out.data + skip, c->out.len - skip,
                                          c->sent - skip);
    struct buf rest;
    buf_init(&rest, OUT_MOST);
    if (buf_add(&rest, c->out.data + c->sent, cut - c->sent) < 0)
        log_error("net", "a slow reader's rest does not fit");
    buf_fini(&c->out);
    c->out = rest;
    c->sent = 0;
    s->preamble = 0;
    meter_add(&net_slow_readers, 1);
    tell_reconnect(s, jitter(1000, random_u64()), "slow_reader");
    close_with(s, 1001, "slow_reader");
}

/* Bytes that are sent already are dropped, up to the frame under way: the
 * buffer must begin with a frame for give_up. */
static void compact(struct session *s)
{
    struct conn *c = s->conn;
    size_t skip = s->preamble;
    if (c->sent < COMPACT_BYTES || c->sent < skip)
        return;
    size_t drop =
        skip + ws_begin(c->out.data + skip, c->out.len - skip, c->sent - skip);
    buf_drop(&c->out, drop);
    c->sent -= (uint32_t)drop;
    s->preamble = 0;
}

/* --- rates ---------------------------------------------------------------- */

static int64_t rate_of(const struct session *s)
{
    int64_t rate = s->conn->net->conf.frames_per_s;
    return s->role == ROLE_AGENT ? rate * AGENT_RATE : rate;
}

/* false: one too many (the session may be closed by it). */
static bool may_speak(struct session *s)
{
    int64_t rate = rate_of(s);
    struct net *n = s->conn->net;
    uint32_t now = (uint32_t)net_now(n);
    if (rate <= 0 || s->state != SESSION_LIVE)
        return true;
    if (bucket_take(&s->bucket, rate, 2 * rate, net_now(n))) {
        if (s->bucket.milli > rate * 500)
            s->excess_ms = 0; /* it has calmed down */
        return true;
    }
    meter_add(&net_rate_limited, 1);
    if (!s->excess_ms) {
        s->excess_ms = now ? now : 1;
        s->excess = 0;
    }
    /* Who waits as told and then goes on at the rate is refused every other
     * frame for as long as it likes; a flood is refused far more. */
    int64_t since = now - s->excess_ms;
    s->excess++;
    if (since >= n->times.excess_ms && s->excess > 2 * rate * since / 1000)
        close_with(s, 4029, "too many frames");
    return false;
}

/* --- hello ---------------------------------------------------------------- */

static bool is_lagging(const struct net *n)
{
    return loop_now(n->loop) < n->lag_until_ms;
}

static void on_hello(struct session *s, struct frame *f, struct arena *a)
{
    struct net *n = s->conn->net;
    bool visitor = f->hello->channel.len > 0;
    meter_add(&net_hellos, 1);
    bool room = bucket_take(&n->sessions->hellos, n->times.hellos_per_s,
                            HELLO_BURST, net_now(n));
    if (visitor && (!room || is_lagging(n))) {
        meter_add(&net_sent_away, 1);
        tell_reconnect(s, 1000 + (int64_t)(random_u64() % 9000), "busy");
        close_with(s, 1001, "busy");
        arena_free(a);
        return;
    }
    s->state = SESSION_ASKED;
    s->is_told = true;
    conn_pause(s->conn);
    conn_deadline(s->conn, ASKED_MS);
    n->conf.on_hello(n->conf.arg, s->id, f, a,
                     s->upgrade ? s->upgrade->cookie : (struct slice){"", 0});
}

void peer_accept(struct net *n, uint64_t peer, enum role role)
{
    struct session *s = find(n, peer);
    if (!s || s->state != SESSION_ASKED)
        return;
    s->state = SESSION_LIVE;
    s->role = (uint8_t)role;
    mem_free(s->upgrade);
    s->upgrade = NULL;
    int64_t most = n->conf.heartbeat_ms, first = n->times.ping_first_ms;
    s->interval_ms = (uint32_t)(first < most ? first : most);
    s->bucket.milli =
        (int32_t)(rate_of(s) * 2000 < INT32_MAX ? rate_of(s) * 2000
                                                : INT32_MAX);
    s->bucket.at_ms = (uint32_t)net_now(n);
    conn_deadline(s->conn, jitter(s->interval_ms, random_u64()));
    conn_resume(s->conn);
}

/* --- frames --------------------------------------------------------------- */

static void on_bad_frame(struct session *s, int code, const struct err *e,
                         struct slice ref)
{
    tell_error(s, code, ref, slice_of(e->text), 0);
    if (s->state == SESSION_NEW)
        close_with(s, 4001, "hello missing");
}

/* Takes the arena. */
static void on_frame(struct session *s, struct frame *f, struct arena *a)
{
    struct net *n = s->conn->net;
    if (s->state == SESSION_NEW && f->type == FRAME_HELLO) {
        on_hello(s, f, a);
        return;
    }
    if (s->state == SESSION_NEW || f->type == FRAME_HELLO) {
        struct err e;
        err_set(&e, ERR_BAD_REQUEST, "%s",
                f->type == FRAME_HELLO ? "hello was said already."
                                       : "The first frame must be hello.");
        on_bad_frame(s, e.code, &e, f->ref);
    } else if (f->type == FRAME_PING) {
        struct notice pong = {.type = NOTICE_PONG, .ref = f->ref};
        tell(s, &pong);
    } else {
        n->conf.on_frame(n->conf.arg, s->id, f, a);
        return;
    }
    arena_free(a);
}

static void on_message(struct session *s, bool binary, struct slice data)
{
    struct err e = {0};
    struct slice ref;
    struct frame *f;
    if (binary != s->is_binary) {
        close_with(s, 1003,
                   binary ? "this subprotocol is text"
                          : "this subprotocol is binary");
        return;
    }
    bool fast = !may_speak(s);
    if (s->state == SESSION_CLOSING)
        return;
    struct arena *a = arena_new();
    int rc = binary ? wire_pb_read(a, data, &e, &ref, &f)
                    : wire_json_read(a, data, &e, &ref, &f);
    if (fast)
        tell_error(s, ERR_RATE_LIMITED, ref, (struct slice){"", 0},
                   bucket_wait(&s->bucket, rate_of(s)));
    else if (rc < 0)
        on_bad_frame(s, rc, &e, ref);
    if (fast || rc < 0)
        arena_free(a);
    else
        on_frame(s, f, a);
}

static void on_pong(struct session *s)
{
    struct net *n = s->conn->net;
    if (!s->ping_out)
        return;
    s->ping_out = false;
    s->misses = 0;
    s->rtt_ms = (uint32_t)net_now(n) - s->ping_ms;
    meter_note(&net_rtt, (int64_t)s->rtt_ms * 1000);
    s->interval_ms = (uint32_t)heartbeat_widen(s->interval_ms, s->rtt_ms,
                                               n->conf.heartbeat_ms);
}

static void on_event(struct session *s, const struct ws_event *ev)
{
    struct conn *c = s->conn;
    switch (ev->kind) {
    case WS_NONE:
        break;
    case WS_TEXT:
    case WS_BINARY:
        meter_add(&net_frames_in, 1);
        on_message(s, ev->kind == WS_BINARY, ev->data);
        break;
    case WS_PING:
        meter_add(&net_frames_in, 1);
        may_speak(s);
        if (conn_unsent(c) > LIMIT_OUT_BYTES)
            give_up(s);
        break;
    case WS_PONG:
        on_pong(s);
        break;
    case WS_CLOSE:
    case WS_FAILED:
        if (ev->kind == WS_FAILED)
            net_count_close(ev->code);
        s->state = SESSION_CLOSING;
        conn_end(c);
        leave(s);
        break;
    }
}

/* After our close only the peer's is of interest. */
static size_t read_last(struct session *s, struct slice data)
{
    struct conn *c = s->conn;
    struct buf nowhere;
    struct ws_event ev = {0};
    size_t used = 0, n = 1;
    buf_init(&nowhere, 4096);
    while (n && ev.kind != WS_CLOSE && ev.kind != WS_FAILED) {
        struct slice rest = {data.at + used, data.len - used};
        n = ws_read(c->net->ws, &s->part, LIMIT_AGENT_FRAME_BYTES, rest,
                    &nowhere, &ev);
        used += n;
        buf_clear(&nowhere);
    }
    buf_fini(&nowhere);
    if (ev.kind == WS_CLOSE || ev.kind == WS_FAILED) {
        conn_end(c);
        leave(s);
    }
    return used;
}

static size_t frame_limit(const struct session *s)
{
    size_t limit = (size_t)s->conn->net->conf.frame_bytes;
    if (s->role == ROLE_AGENT && limit < LIMIT_AGENT_FRAME_BYTES)
        limit = LIMIT_AGENT_FRAME_BYTES;
    return limit;
}

static size_t on_data(struct conn *c, struct slice data)
{
    struct session *s = c->user;
    struct net *n = c->net;
    size_t used = 0;
    must_be(s, SESSION_MAGIC);
    s->heard_ms = (uint32_t)net_now(n);
    for (int i = 0; s->state != SESSION_CLOSING && !c->paused; i++) {
        if (s->state == SESSION_LIVE && net_is_starved(n)) {
            conn_starve(c);
            break;
        }
        struct ws_event ev;
        struct slice rest = {data.at + used, data.len - used};
        size_t before = c->out.len;
        size_t got =
            ws_read(n->ws, &s->part, frame_limit(s), rest, &c->out, &ev);
        if (got == 0)
            return used;
        if (c->out.len != before)
            conn_touch(c);
        used += got;
        on_event(s, &ev);
        if (c->state != CONN_OPEN)
            return used;
        if (i == FRAMES_A_TURN && !c->paused) {
            conn_pause(c);
            conn_resume(c);
        }
    }
    if (s->state == SESSION_CLOSING && c->state == CONN_OPEN) {
        struct slice rest = {data.at + used, data.len - used};
        used += read_last(s, rest);
    }
    return used;
}

/* --- deadlines ------------------------------------------------------------ */

static void send_ping(struct session *s)
{
    struct conn *c = s->conn;
    conn_prepare(c, 16);
    if (ws_write(&c->out, OPCODE_PING, (struct slice){"", 0}) == 0)
        conn_touch(c);
    meter_add(&net_pings, 1);
    s->ping_out = true;
    s->ping_ms = (uint32_t)net_now(c->net);
}

/* The ping before was not answered. true: the peer is given up. */
static bool miss(struct session *s, uint32_t now)
{
    struct net *n = s->conn->net;
    if ((int32_t)(s->heard_ms - s->ping_ms) > 0) {
        s->ping_out = false; /* it lives, its pong is behind other things */
        return false;
    }
    s->misses++;
    meter_add(&net_missed_pongs, 1);
    s->interval_ms = (uint32_t)(n->times.ping_least_ms < n->conf.heartbeat_ms
                                    ? n->times.ping_least_ms
                                    : n->conf.heartbeat_ms);
    return s->misses >= 3 || now - s->heard_ms > n->times.ping_dead_ms;
}

static void beat(struct session *s)
{
    struct conn *c = s->conn;
    uint32_t now = (uint32_t)net_now(c->net);
    if (!c->paused) { /* who is not read cannot answer */
        if (s->ping_out && miss(s, now)) {
            conn_abort(c);
            return;
        }
        if (now - s->heard_ms >= s->interval_ms / 2 || s->rtt_ms == UINT32_MAX)
            send_ping(s);
    }
    conn_deadline(c, jitter(s->interval_ms, random_u64()));
}

static void on_timer(struct conn *c)
{
    struct session *s = c->user;
    switch ((enum session_state)s->state) {
    case SESSION_NEW:
        close_with(s, 4001, "hello missing");
        break;
    case SESSION_ASKED:
        close_with(s, 1013, "busy");
        break;
    case SESSION_LIVE:
        beat(s);
        break;
    case SESSION_CLOSING:
        conn_end(c);
        leave(s);
        break;
    }
}

/* --- a connection's functions --------------------------------------------- */

static void on_eof(struct conn *c)
{
    conn_end(c);
    leave(c->user);
}

static void on_drained(struct conn *c)
{
    struct session *s = c->user;
    s->preamble = 0;
}

static void on_gone(struct conn *c)
{
    struct session *s = c->user;
    leave(s);
    meter_add(&net_open_ws, -1);
    ws_part_free(s->part);
    mem_free(s->upgrade);
    s->magic = 0;
    mem_free(s);
}

static const struct conn_ops ops = {.on_data = on_data,
                                    .on_eof = on_eof,
                                    .on_drained = on_drained,
                                    .on_timer = on_timer,
                                    .on_gone = on_gone};

void session_open(struct conn *c, bool is_binary, struct upgrade *up,
                  size_t preamble)
{
    struct net *n = c->net;
    struct session *s = mem_alloc(sizeof(*s));
    s->magic = SESSION_MAGIC;
    s->conn = c;
    s->is_binary = is_binary;
    s->upgrade = up;
    s->rtt_ms = UINT32_MAX;
    s->preamble = (uint32_t)preamble;
    s->heard_ms = (uint32_t)net_now(n);
    table_add(n->sessions, s);
    c->ops = &ops;
    c->user = s;
    meter_add(&net_open_ws, 1);
    conn_deadline(c, n->times.hello_ms);
}

/* --- the face ------------------------------------------------------------- */

bool peer_send(struct net *n, uint64_t peer, struct notice *notice)
{
    struct session *s = find(n, peer);
    if (!s || s->state == SESSION_CLOSING || s->conn->state != CONN_OPEN)
        return false;
    if (conn_unsent(s->conn) > LIMIT_OUT_BYTES)
        conn_push(s->conn);
    compact(s);
    if (conn_unsent(s->conn) > LIMIT_OUT_BYTES) {
        give_up(s);
        return false;
    }
    struct slice bytes = encode(s, notice);
    if (bytes.len && say(s, bytes) < 0) {
        give_up(s);
        return false;
    }
    return true;
}

int64_t peer_backlog(struct net *n, uint64_t peer)
{
    const struct session *s = find(n, peer);
    return s && s->conn ? (int64_t)conn_unsent(s->conn) : 0;
}

int64_t peer_silence(struct net *n, uint64_t peer, bool ask)
{
    struct session *s = find(n, peer);
    if (!s || !s->conn || s->state != SESSION_LIVE)
        return -1;
    if (ask)
        send_ping(s);
    return (uint32_t)net_now(n) - s->heard_ms;
}

void peer_close(struct net *n, uint64_t peer, int ws_code, const char *reason)
{
    struct session *s = find(n, peer);
    if (s)
        close_with(s, ws_code, reason ? reason : "");
}

const char *peer_address(struct net *n, uint64_t peer)
{
    const struct session *s = find(n, peer);
    return s ? s->conn->place->text : "";
}

struct slice peer_origin(struct net *n, uint64_t peer)
{
    const struct session *s = find(n, peer);
    return s && s->upgrade ? s->upgrade->origin : (struct slice){"", 0};
}

int64_t peer_rtt_ms(struct net *n, uint64_t peer)
{
    const struct session *s = find(n, peer);
    return s && s->rtt_ms != UINT32_MAX ? (int64_t)s->rtt_ms : -1;
}

void sessions_drain(struct net *n)
{
    struct sessions *t = n->sessions;
    int64_t peers = (int64_t)t->count;
    for (uint32_t i = 0; i < t->cap; i++) {
        struct session *s = t->slots[i].session;
        if (!s || s->state == SESSION_CLOSING)
            continue;
        tell_reconnect(s, away_ms(peers, s->role == ROLE_AGENT, random_u64()),
                       "restarting");
        close_with(s, 1001, "going away");
    }
}
