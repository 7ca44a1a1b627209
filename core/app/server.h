/* SPDX-License-Identifier: Apache-2.0 */
/* server.h - the roof: ports to wings, start, drain, stop.
 *
 * Why: desk, net, store and script know nothing of each other; here their
 * calls meet. Happy path of a start: database, memory of the desk, scripts,
 * socket, ready. Of a stop: no new sockets, everything accepted is committed,
 * scripts end, the database closes, the loop ends.
 *
 * Thread: main.
 * States: STARTING -> SERVING -> DRAINING -> CLOSING -> CLOSED
 */
#pragma once
#include "app/auth.h"
#include "app/config.h"
#include "app/guard.h"
#include "app/kinds.h"
#include "desk/desk.h"
#include "loop/loop.h"
#include "loop/watch.h"
#include "net/net.h"
#include "script/script.h"
#include "store/store.h"

#define VERSIONS_MAX 4000 /* of scripts, read at the start */
#define ACK_SLOTS 16384   /* sends whose ack is awaited, for one histogram */

enum server_state {
    SERVER_STARTING,
    SERVER_SERVING,
    SERVER_DRAINING,
    SERVER_CLOSING,
    SERVER_CLOSED
};

/* A hello whose database answer is awaited. */
struct arrival;

struct server {
    struct config conf, given; /* given: the command line, for reloads */
    enum server_state state;
    struct loop *loop;
    struct net *net;
    struct desk *desk;
    struct store *store;
    const char *look; /* NULL, or: no store; reads look at this folder */
    struct script *script;
    struct kinds *kinds_base; /* types of channels by file; swapped by a
                                 reload */
    struct kinds *kinds;      /* with the adapters that serve */
    struct map polled;        /* channel -> what asks its platform */
    uint32_t hooks_under_way;
    struct map hooks;    /* webhooks until their answer, by number */
    struct map held;     /* contact -> the one that waits for a message */
    uint32_t hooks_held; /* that wait, also those a message is going into */
    bool console_busy, console_writes; /* api/console.c */
    int64_t unpinned_at;               /* when versions were looked at last */
    struct { /* versions of scripts, from the store, until they are loaded */
        struct arena *arena;
        struct script_version *at;
        size_t count;
    } kept;
    struct auth *auth;
    uint64_t epoch;
    unsigned char key[32]; /* signs tokens */
    struct guard *logins, *replays;
    struct watch *watch;
    int64_t conf_seen;      /* when the config file was changed last */
    struct map arrivals;    /* peer -> struct arrival */
    struct map agent_peers; /* peer -> the token it came in by */
    struct list polls;      /* of the changes resource */
    uint64_t polled_pos;    /* what they were told of */
    struct timer tick, beat, drain;
    struct mail step; /* the next step of closing */
    int64_t beat_due_ms, started_us, started_at, drain_until_ms;
    bool net_is_closed;
    uint64_t founder;     /* the admin being made at first start */
    char password[32];    /* the one made for it, until it is shown */
    bool failed;          /* the program ends with 1 */
    struct list founding; /* logins that wait for it */
    struct {
        uint64_t key;
        int64_t at_us;
    } acks[ACK_SLOTS];
    uint32_t logins_under_way;
    struct map passwords; /* agent -> its hash, for whole rows */
    struct map idem;      /* Idempotency-Keys at work: hash -> call */
    bool reloading;
    struct filing *filing;
    struct map resumables; /* files/resume.c */
    struct guard *upload_guard;
    uint32_t uploads; /* under way */
    bool tidying;
    int64_t tidied_at;
    struct asks *asks;     /* of scripts, under way; NULL until there are any */
    struct assist *assist; /* NULL on a stage without */
};

/* Blocking: opens everything; then loop_run(s->loop) serves. given: what the
 * command line said, conf: all of it. */
int server_open(const struct config *given, const struct config *conf,
                struct err *e, struct server **out);
/* Drains and stops; the loop ends by itself. Any call after the first is
 * harmless. */
void server_stop(struct server *s);
/* Reads the configuration again, on a thread of its own. */
void server_reload(struct server *s);
void server_free(struct server *s); /* after loop_run returned */
/* 0, or an error with the reason why it cannot serve. */
uint64_t server_pos(const struct server *s); /* last committed */
int server_is_ready(const struct server *s, struct err *e);
void server_abandon(struct server *s); /* an opening that failed */
void server_log_setup(const struct config *c);
/* A committed tx of the roof: its events are told, tx is still the caller's. */
void server_announce(struct server *s, struct tx *tx);

/* Forgets a token and ends the sockets that came in by it. */
void server_end_token(struct server *s, uint64_t token);
/* An agent's password hash: the desk does not keep it. "" = none. */
struct slice server_password(const struct server *s, uint64_t agent);
void server_keep_password(struct server *s, uint64_t agent, struct slice hash);

/* hello.c: who comes in */
void hello_arrived(struct server *s, uint64_t peer, struct frame *f,
                   struct arena *a, struct slice cookie);
/* The peer went while its hello was looked up; true if so. */
bool hello_gone(struct server *s, uint64_t peer);
void hello_end_token(struct server *s, uint64_t token);

/* founding.c: the first start */
int founding_begin(struct server *s, struct err *e);

/* asks.c */
void asks_on_ask(void *arg, struct script_ask *ask);

/* The types of channels and what is asked of them, as they are now. */
void server_kinds_changed(struct server *s);

/* versions.c */
void versions_keep(void *arg, const struct script_version *v);
void versions_visit(void *arg, const struct script_version *v);
void versions_forget(struct server *s);
void versions_beat(struct server *s); /* now and then; once a minute it acts */

/* proving.c: script_conf.run_test */
int proving_run(void *arg, struct slice unit, struct buf *out);

/* ports.c: take their argument; its done comes, also when the store is
 * closed already */
void server_commit(struct server *s, struct tx *tx);
void server_read(struct server *s, struct query *q);
struct desk_conf ports_conf(struct server *s);
struct net_conf ports_net_conf(struct server *s);
struct script_conf ports_script_conf(struct server *s);
