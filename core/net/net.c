/* SPDX-License-Identifier: Apache-2.0 */
/* net.c - the face: opening, credits, draining, closing.
 *
 * Happy path: net_open makes the parts, the door lets connections in, at each
 * turn's end what the turn has produced is written. net_drain tells everyone
 * to come back later and waits for them to leave; net_close ends what is left.
 *
 * Failure modes: an address that cannot be listened on is net_open's error; a
 * drain has a deadline, after which who is still there is cut off.
 *
 * The struct is freed by the last closed-callback of its libuv handles. The
 * loop's at-end function cannot be taken back, so it goes by a small hook that
 * stays (one per net_open in the program's life).
 */
#include "net/door.h"
#include "net/files.h"
#include "net/httpc.h"
#include "net/inside.h"
#include "net/post/post.h"
#include "net/serve.h"
#include "net/session.h"
#include "net/ws.h"

#include <unistd.h>

#define DEFAULT_HEARTBEAT_MS 55000
#define LAG_US 200000
#define LAG_MEMORY_MS 1000

struct net_hook {
    struct net *net; /* NULL after net_close */
    struct net_hook *next;
};
static struct net_hook *hooks; /* main thread only */

/* Mail to ourselves; outlives net_close, so it names the hook. */
struct kick {
    struct mail mail; /* must be first */
    struct net_hook *hook;
};

/* --- turns ---------------------------------------------------------------- */

static void on_turn_end(void *arg)
{
    struct net_hook *hook = arg;
    struct net *n = hook->net;
    if (!n)
        return;
    conns_turn_end(n);
    if (n->turn_began_us && clock_mono_us() - n->turn_began_us > LAG_US)
        n->lag_until_ms = net_now(n) + LAG_MEMORY_MS;
    n->turn_began_us = 0;
}

static void on_kick(struct mail *m)
{
    struct net_hook *hook = ((struct kick *)m)->hook;
    mem_free(m);
    if (hook->net)
        hook->net->kicked = false;
}

void net_kick(struct net *n)
{
    if (n->kicked)
        return;
    struct kick *k = mem_alloc(sizeof(*k));
    k->mail.run = on_kick;
    k->hook = n->hook;
    n->kicked = true;
    loop_post(n->loop, &k->mail);
}

/* --- opening -------------------------------------------------------------- */

static void take_conf(struct net *n, const struct net_conf *conf)
{
    n->conf = *conf;
    n->conf.listen = n->conf.web_dir = n->conf.local_socket =
        NULL; /* were used at opening */
    if (n->conf.frame_bytes <= 0)
        n->conf.frame_bytes = LIMIT_FRAME_BYTES;
    if (n->conf.body_bytes <= 0)
        n->conf.body_bytes = LIMIT_BODY_BYTES;
    if (n->conf.heartbeat_ms <= 0)
        n->conf.heartbeat_ms = DEFAULT_HEARTBEAT_MS;
}

static const struct net_times usual_times = {
    .header_ms = LIMIT_HEADER_MS,
    .body_ms = LIMIT_BODY_MS,
    .idle_ms = LIMIT_IDLE_MS,
    .hello_ms = LIMIT_HELLO_MS,
    .linger_ms = NET_LINGER_MS,
    .close_ms = NET_CLOSE_MS,
    .stall_ms = NET_STALL_MS,
    .excess_ms = 3000,
    .ping_first_ms = 25000,
    .ping_least_ms = 10000,
    .ping_dead_ms = 90000,
    .hellos_per_s = 20000,
};

static void add_hook(struct net *n)
{
    struct net_hook *hook = mem_alloc(sizeof(*hook));
    hook->net = n;
    hook->next = hooks;
    hooks = hook;
    n->hook = hook;
    loop_at_end(n->loop, on_turn_end, hook);
}

/* Without it the house is open all the same; the commands of this machine's
 * user are not. */
static void open_local(struct net *n, const char *path)
{
    struct err e = {0};
    if (!path)
        return;
    if (door_open_local(n, path, &e, &n->local) < 0)
        log_warn("net", "no local socket: %s", e.text);
    else
        n->handles++;
}

int net_open(const struct net_conf *conf, struct err *e, struct net **out)
{
    *out = NULL;
    struct net *n = mem_alloc(sizeof(*n));
    n->loop = conf->loop;
    n->times = usual_times;
    take_conf(n, conf);
    int rc = door_open(n, conf->listen, e, &n->door);
    if (rc < 0) {
        mem_free(n);
        return rc;
    }
    n->handles++; /* the door's */
    open_local(n, conf->local_socket);
    conns_open(n);
    n->ws = ws_new();
    n->sessions = sessions_new(n);
    n->files = files_new(n, conf->web_dir);
    n->httpc = httpc_new(n, conf->http_ca_file);
    buf_init(&n->scratch, 16 * 1024 * 1024);
    add_hook(n);
    *out = n;
    return 0;
}

void net_adjust(struct net *n, const struct net_conf *conf)
{
    take_conf(n, conf);
}

int net_port(const struct net *n)
{
    return n->port;
}

const char *net_address(const struct net *n)
{
    return n->address;
}

/* --- credits -------------------------------------------------------------- */

void net_set_credits(struct net *n, int64_t n_credits)
{
    int64_t used = n->has_credits ? n->credits_max - n->credits : 0;
    n->has_credits = true;
    n->credits_max = n_credits;
    n->credits = n_credits - used;
    meter_set(&net_credits_left, n->credits);
}

void net_take_credit(struct net *n)
{
    n->credits--;
    meter_set(&net_credits_left, n->credits);
}

void net_give_credits(struct net *n, int64_t count)
{
    n->credits += count;
    if (n->credits > n->credits_max) /* never more than there are */
        n->credits = n->credits_max;
    meter_set(&net_credits_left, n->credits);
    if (!net_is_starved(n) && !list_empty(&n->starved))
        net_kick(n);
}

/* --- the end -------------------------------------------------------------- */

static void all_gone(struct net *n)
{
    void (*drained)(void *arg) = n->drained;
    n->drained = NULL;
    timer_stop(loop_wheel(n->loop), &n->drain_timer);
    if (drained)
        drained(n->drained_arg);
}

static void on_drain_timer(struct timer *t)
{
    struct net *n = container_of(t, struct net, drain_timer);
    while (!list_empty(&n->conns))
        conn_abort(container_of(n->conns.next, struct conn, link));
    all_gone(n);
}

/* Not from inside net_drain: a turn later at the soonest. */
void net_check_drained(struct net *n)
{
    if (n->draining && n->drained && list_empty(&n->conns) && !n->closed)
        timer_start(loop_wheel(n->loop), &n->drain_timer, net_now(n));
}

void net_drain(struct net *n, void (*closed)(void *arg), void *arg)
{
    must(!n->draining);
    n->draining = true;
    n->drained = closed;
    n->drained_arg = arg;
    door_shut(n->door);
    if (n->local)
        door_shut(n->local);
    sessions_drain(n);
    serve_drain(n);
    timer_init(&n->drain_timer, on_drain_timer);
    timer_start(loop_wheel(n->loop), &n->drain_timer,
                net_now(n) + NET_DRAIN_MS);
    net_check_drained(n);
}

void net_handle_closed(uv_handle_t *h)
{
    struct net *n = h->data;
    if (--n->handles || !n->closed)
        return;
    close(n->epoll);
    door_free(n->door);
    if (n->local)
        door_free(n->local);
    mem_free(n);
}

void net_close(struct net *n)
{
    if (!n)
        return;
    n->closed = true;
    n->hook->net = NULL;
    if (n->draining)
        timer_stop(loop_wheel(n->loop), &n->drain_timer);
    door_shut(n->door);
    if (n->local)
        door_shut(n->local);
    post_close(n);
    httpc_close(n->httpc);
    conns_close(n);
    sessions_free(n->sessions);
    files_free(n->files);
    ws_free(n->ws);
    buf_fini(&n->scratch);
}
