/* SPDX-License-Identifier: Apache-2.0 */
/* ports.c - the desk's ports and the wings' callbacks, wired.
 *
 * Happy path: one call on the one side is one call on the other; what passes
 * is counted. Failure: once the store is closed a commit or a read is answered
 * by ERR_CANCELLED through the loop, as the ports' contract wants it.
 */
#include "app/api/api.h"
#include "app/assist/assist.h"
#include "app/channels/channels.h"
#include "app/files/files.h"
#include "app/ops.h"
#include "app/server.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/meter.h"
#include <stdio.h>

METER(messages_in, METER_COUNTER, "yuelai_messages_in_total",
      "Messages sent to the house over sockets");
METER(messages_out, METER_COUNTER, "yuelai_messages_out_total",
      "Messages delivered to sockets");
METER(acks_out, METER_COUNTER, "yuelai_acks_total",
      "Messages acknowledged over sockets");
METER_US(ack_time, "yuelai_ack_seconds",
         "From a send frame to its ack on the way out");
METER(jobs_run, METER_COUNTER, "yuelai_jobs_total", "Jobs given to scripts");

/* --- the desk's ports --- */

static int64_t port_now(void *arg)
{
    (void)arg;
    return clock_ms();
}

static uint64_t port_id(void *arg)
{
    (void)arg;
    return id_new();
}

/* A question or a commit that comes too late: answered on the next turn. */
static void late_tx(struct mail *m)
{
    struct tx *tx = (struct tx *)m;
    tx->result = err_set(&tx->err, ERR_CANCELLED, "the server is stopping");
    tx->done(tx);
}

static void late_query(struct mail *m)
{
    struct query *q = (struct query *)m;
    q->result = err_set(&q->err, ERR_CANCELLED, "the server is stopping");
    q->done(q);
}

static void looked_query(struct mail *m)
{
    struct query *q = (struct query *)m;
    q->done(q);
}

static void late_job(struct mail *m)
{
    struct job *job = (struct job *)m;
    job->result = ERR_CANCELLED;
    job->done(job);
}

void server_commit(struct server *s, struct tx *tx)
{
    if (s->store) {
        store_commit(s->store, tx);
        return;
    }
    tx->mail.run = late_tx;
    loop_post(s->loop, &tx->mail);
}

void server_read(struct server *s, struct query *q)
{
    if (s->store) {
        store_read(s->store, q);
        return;
    }
    if (s->look) { /* yuelai replay: blocking is fine there */
        (void)store_look(s->look, q); /* q->result says it */
    }
    q->mail.run = s->look ? looked_query : late_query;
    loop_post(s->loop, &q->mail);
}

static void port_commit(void *arg, struct tx *tx)
{
    server_commit(arg, tx);
}

static void port_read(void *arg, struct query *q)
{
    server_read(arg, q);
}

static void port_run(void *arg, struct job *job)
{
    struct server *s = arg;
    meter_add(&jobs_run, 1);
    if (job->hook == HOOK_PASSIVE && !held_dress(s, job)) {
        return;
    }
    if (job->hook == HOOK_DELIVER || job->hook == HOOK_PASSIVE) {
        call_dress(s, job);
    } else if (job->hook == HOOK_PUSH) { /* a push says it in its own words */
        files_dress_item(s, job);
    }
    if (s->script) {
        script_queue(s->script, job); /* at_turns_end gives them */
        return;
    }
    job->mail.run = late_job;
    loop_post(s->loop, &job->mail);
}

static bool port_wants(void *arg, const struct job *job)
{
    struct server *s = arg;
    return s->script && script_wants(s->script, job);
}

static int64_t port_patience(void *arg, const struct job *job)
{
    struct server *s = arg;
    return s->script ? script_patience(s->script, job) : 0;
}

static bool port_strict(void *arg, const struct job *job)
{
    struct server *s = arg;
    return s->script ? script_is_strict(s->script, job) : false;
}

static void port_face(void *arg, const struct channel *c,
                      struct channel_face *out)
{
    struct server *s = arg;
    const struct kind *k = kinds_find(s->kinds, c->type);
    if (k) {
        kind_face(k, c, out);
    }
    int64_t most = files_most(s, c->id);
    out->file_bytes = most > 0 ? most : -1;
}

static uint64_t port_held(void *arg, uint64_t channel, uint64_t contact)
{
    return held_take(arg, channel, contact);
}

/* --- acks, measured: a direct-mapped table that forgets on collision --- */

static uint64_t ack_key(uint64_t peer, struct slice ref)
{
    return hash_bytes(ref.at, ref.len) ^ (peer * 0x9e3779b97f4a7c15u);
}

static void ack_await(struct server *s, uint64_t peer, struct slice ref)
{
    uint64_t key = ack_key(peer, ref);
    s->acks[key % ACK_SLOTS].key = key;
    s->acks[key % ACK_SLOTS].at_us = clock_mono_us();
}

static void ack_note(struct server *s, uint64_t peer, struct slice ref)
{
    uint64_t key = ack_key(peer, ref);
    meter_add(&acks_out, 1);
    if (s->acks[key % ACK_SLOTS].key == key) {
        meter_note(&ack_time, clock_mono_us() - s->acks[key % ACK_SLOTS].at_us);
        s->acks[key % ACK_SLOTS].key = 0;
    }
}

static bool port_send(void *arg, uint64_t peer, struct notice *n)
{
    struct server *s = arg;
    if (n->type == NOTICE_ACK) {
        ack_note(s, peer, n->ref);
    } else if (n->type == NOTICE_EVENT &&
               n->event->name == EVENT_MESSAGE_CREATED) {
        meter_add(&messages_out, 1);
    }
    return peer_send(s->net, peer, n);
}

static int64_t port_backlog(void *arg, uint64_t peer)
{
    struct server *s = arg;
    return s->net ? peer_backlog(s->net, peer) : 0;
}

static int64_t port_silence(void *arg, uint64_t peer, bool ask)
{
    struct server *s = arg;
    return s->net ? peer_silence(s->net, peer, ask) : -1;
}

static void port_accept(void *arg, uint64_t peer, enum role role)
{
    struct server *s = arg;
    peer_accept(s->net, peer, role);
}

static void port_close(void *arg, uint64_t peer, int code, const char *reason)
{
    struct server *s = arg;
    peer_close(s->net, peer, code, reason);
}

static void port_give_credits(void *arg, int64_t n)
{
    struct server *s = arg;
    net_give_credits(s->net, n);
}

struct desk_conf ports_conf(struct server *s)
{
    return (struct desk_conf){
        .ports = {.arg = s,
                  .now = port_now,
                  .id = port_id,
                  .commit = port_commit,
                  .run = port_run,
                  .read = port_read,
                  .wants = port_wants,
                  .patience = port_patience,
                  .strict = port_strict,
                  .face = port_face,
                  .held = port_held,
                  .send = port_send,
                  .ask = assist_ask,
                  .known = assist_known,
                  .unask = assist_unask,
                  .halt = assist_halt,
                  .told = assist_told,
                  .leaves = assist_leaves,
                  .left = assist_left,
                  .backlog = port_backlog,
                  .silence = port_silence,
                  .accept = port_accept,
                  .close = port_close,
                  .give_credits = port_give_credits},
        .epoch = s->epoch,
        .pos = server_pos(s),
        .agent_grace_ms = s->conf.agent_grace_ms,
        .heartbeat_ms = s->conf.heartbeat_ms,
        .text_bytes = LIMIT_TEXT_BYTES,
        .file_bytes = (uint32_t)s->conf.file_bytes,
        .frames_per_s = (uint32_t)s->conf.frames_per_s,
        .recall_ms = s->conf.recall_ms,
    };
}

/* --- what net tells --- */

static void on_hello(void *arg, uint64_t peer, struct frame *f, struct arena *a,
                     struct slice cookie)
{
    hello_arrived(arg, peer, f, a, cookie);
}

static void on_frame(void *arg, uint64_t peer, struct frame *f, struct arena *a)
{
    struct server *s = arg;
    if (f->type == FRAME_SEND) {
        meter_add(&messages_in, 1);
        ack_await(s, peer, f->ref);
    }
    net_take_credit(s->net); /* the desk gives it back, once per frame */
    desk_frame(s->desk, peer, f, a);
}

static void on_gone(void *arg, uint64_t peer)
{
    struct server *s = arg;
    if (!hello_gone(s, peer)) {
        desk_gone(s->desk, peer);
    }
}

static void on_request(void *arg, struct http_req *r)
{
    struct server *s = arg;
    if (r->streamed) {
        files_incoming(s, r);
    } else if (slice_starts(r->path, "/files/") ||
               slice_is(r->path, "/files")) {
        files_answer_get(s, r);
    } else if (!ops_answer(s, r) && !hooks_answer(s, r)) {
        api_answer(s, r);
    }
}

struct net_conf ports_net_conf(struct server *s)
{
    static char web[CONFIG_TEXT + 16], local[CONFIG_TEXT + 16];
    snprintf(web, sizeof web, "%s/web/dist", s->conf.home);
    local_socket(local, s->conf.data);
    return (struct net_conf){
        .loop = s->loop,
        .listen = s->conf.listen,
        .local_socket = local,
        .web_dir = web,
        .connections = s->conf.connections,
        .connections_per_address = s->conf.connections_per_address,
        .frames_per_s = s->conf.frames_per_s,
        .frame_bytes = s->conf.frame_bytes,
        .body_bytes = s->conf.body_bytes,
        .heartbeat_ms = s->conf.heartbeat_ms,
        .http_ca_file = s->conf.http_ca_file,
        .arg = s,
        .on_hello = on_hello,
        .on_frame = on_frame,
        .on_gone = on_gone,
        .on_request = on_request,
        .streams = files_streams,
    };
}

/* --- what scripts tell --- */

static void on_scripts_changed(void *arg)
{
    server_kinds_changed(arg); /* consoles look at the resources themselves */
}

static void on_every(void *arg, struct slice unit)
{
    struct server *s = arg;
    if (s->desk) { /* not before all is restored */
        desk_every(s->desk, unit);
    }
}

static void on_part(void *arg, struct job *part)
{
    struct server *s = arg;
    if (s->desk) {
        desk_part(s->desk, part);
    } else {
        part->result = ERR_CANCELLED;
        part->done(part);
    }
}

struct script_conf ports_script_conf(struct server *s)
{
    return (struct script_conf){
        .home = s->conf.home,
        .home_loop = s->loop,
        .threads = (int)s->conf.script_threads,
        .cpu_ms = s->conf.script_cpu_ms,
        .memory_bytes = s->conf.script_memory_bytes,
        .secrets = slice_of(s->conf.secrets),
        .failures = s->conf.script_failures,
        .routing_ms = s->conf.routing_ms,
        .canary_conversations = s->conf.canary_conversations,
        .run_tests = s->conf.script_tests,
        .run_test = proving_run,
        .on_ask = asks_on_ask,
        .on_change = on_scripts_changed,
        .keep_version = versions_keep,
        .on_every = on_every,
        .on_part = on_part,
        .arg = s,
    };
}
