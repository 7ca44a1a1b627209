/* SPDX-License-Identifier: Apache-2.0 */
/* bench.h - the load generator's rooms.
 *
 * It knows nothing of core/: what it says and reads is the contract (HTTP,
 * WebSocket, JSON), so that a figure is one that any client would see.
 * One thread, one epoll; every loop is bounded in count and time.
 *
 *   model  a provider of answers
 *   home   a folder to serve from
 *   hist   latencies in 3 % steps          proc   the server as a process
 *   rest   blocking HTTP, for the set-up   conn   WebSocket clients on epoll
 *   crowd  agents and visitors, checking   rows*  one function a figure
 *   table  medians, targets, text, JSON    main   options
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* --- time, text, trouble (main.c) ---------------------------------------- */
int64_t now_ns(void); /* monotonic */
_Noreturn void die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* A figure that must not be believed: printed, and the exit code is 1. */
void wrong(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

struct options {
    const char *program, *home, *json, *markdown;
    const char *rows; /* comma list, NULL = all */
    int repeats;
    double scale; /* of durations and counts: 0.1 = a quick look */
    bool verbose; /* the server's log to our stderr */
};
extern struct options options;

/* --- hist.c: values in ns, about 3 % wide buckets ------------------------- */
#define HIST_SLOTS (64 * 32)
struct hist {
    uint64_t count;
    int64_t max;
    uint32_t slot[HIST_SLOTS];
};
void hist_clear(struct hist *h);
void hist_add(struct hist *h, int64_t ns);
int64_t hist_at(const struct hist *h, double quantile); /* 0.5, 0.99 */

/* --- proc.c: the server --------------------------------------------------- */
struct server {
    pid_t pid;
    int log_fd; /* its stderr */
    int port;
    char dir[64];     /* temporary data directory, ours to remove */
    char home[256];   /* --home */
    int64_t ready_ns; /* from exec to /readyz 200 */
};
/* Starts on an empty data directory and waits for /readyz. */
void server_start(struct server *s, const char *home);
void server_stop(struct server *s); /* SIGTERM, waits, removes the data */
void server_halt(struct server *s); /* keeps the data, for server_again */
void server_again(struct server *s);
void server_drain_log(struct server *s);
int64_t server_cpu_ns(const struct server *s); /* user + system, all threads */
/* Of its threads of that name. */
int64_t server_thread_cpu_ns(const struct server *s, const char *name);
int64_t server_rss_bytes(const struct server *s);
int64_t server_disk_bytes(const struct server *s);
void remove_tree(const char *dir);

/* --- home.c: a folder of our own to serve from ---------------------------- */
#define HOME_TEXT 128
enum home_kind {
    HOME_EMPTY,       /* nothing in it */
    HOME_SCRIPTS,     /* scripts/ alone, a copy */
    HOME_LINKED,      /* and links to channels/, ai/ and web/ */
    HOME_OWN_CHANNELS /* the same, channels/ a copy */
};
void home_make(char home[HOME_TEXT], enum home_kind kind);
/* name: "scripts/rules/10-x.lua"; renamed into place. */
void home_write(const char *home, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* --- rest.c ----------------------------------------------------------------*/
struct answer {
    int status;
    char *body; /* NUL-terminated */
    size_t len;
};
/* Blocking, one connection a call. token and body may be NULL. */
struct answer rest(int port, const char *method, const char *path,
                   const char *token, const char *body);
void answer_free(struct answer *a);
/* Copies the first string or number under "key": into out; false if absent. */
bool json_find(const char *text, size_t len, const char *key, char *out,
               size_t size);
int64_t json_number(const char *text, size_t len, const char *key);

/* --- conn.c: WebSocket clients -------------------------------------------- */
enum conn_state {
    CONN_NONE,
    CONN_CONNECTING,
    CONN_UPGRADING,
    CONN_HELLO,
    CONN_LIVE,
    CONN_DEAD
};
struct conn {
    int fd;
    enum conn_state state;
    bool agent;
    bool want_write;
    bool dirty; /* in the list of those with something to write */
    uint32_t id;
    char *out;
    uint32_t out_len, out_sent, out_room;
    char *part; /* an incomplete frame */
    uint32_t part_len;
    const char *hello; /* sent after the upgrade */
};
struct engine {
    int epoll_fd, timer_fd;
    int port;
    uint32_t live, dead, connecting;
    void (*on_live)(struct conn *c); /* welcome came; may be NULL */
    void (*on_frame)(struct conn *c, const char *text, size_t len);
    struct conn **dirty;
    uint32_t dirty_count, dirty_room;
    uint64_t errors, reconnects;
};
extern struct engine engine;
void engine_open(int port);
void engine_close(void);
void conn_start(struct conn *c, uint32_t id, bool agent, const char *hello);
void conn_close(struct conn *c);
void conn_text(struct conn *c, const char *text, size_t len); /* queued */
/* One turn: writes what is queued, waits until wake_ns (0 = do not wait, -1 =
 * 100 ms), handles what came. */
void engine_turn(int64_t wake_ns);

/* --- crowd.c: agents, visitors, messages ----------------------------------- */
#define CROWD_AGENTS 20
struct visitor {
    struct conn conn;
    uint32_t sent, acked, delivered; /* messages of this visitor */
    uint32_t seq;                    /* last one an agent saw */
    uint32_t ack_seq;
    char conversation[40];
};
struct crowd {
    struct server server;
    char token[256]; /* the admin's */
    char channel[64];
    char *hello; /* the visitors' */
    char *agent_hello[CROWD_AGENTS];
    struct conn agents[CROWD_AGENTS];
    struct visitor *visitors;
    uint32_t visitor_count;
    uint64_t sent, done; /* done: acked and delivered */
    uint64_t others;     /* agents' frames with a seq that is not ours */
    uint64_t jumps;      /* seqs left out between ours, summed */
    uint64_t refused;    /* error frames */
    /* called when a visitor's message n is at its agent, with the time */
    void (*on_delivered)(struct visitor *v, uint32_t n, int64_t at_ns);
    void (*on_done)(struct visitor *v); /* acked and delivered */
    /* Visitors from this number on are no part of the count: what is sent to
     * them goes here. 0 = all are. */
    uint32_t side_from;
    void (*on_side)(struct visitor *v, const char *text, size_t len);
};
extern struct crowd crowd;
/* Starts a server (home NULL = options.home), logs in, makes agents. */
void crowd_open(const char *home);
void crowd_agents(void); /* connects them */
/* Connects more visitors, at most `at_once` hand-shaking at a time. */
void crowd_visitors(uint32_t count, uint32_t at_once);
void crowd_send(struct visitor *v); /* the next message of v */
/* A side visitor's message, not counted. */
void crowd_say(struct visitor *v, const char *ref, const char *text);
/* Every visitor sends one message; waits until all are with an agent. */
void crowd_warm_up(void);
bool crowd_wait_done(int64_t ms);  /* until everything sent is done */
void crowd_check(const char *row); /* dense seq, nothing missing */
void crowd_close(void);

/* --- model.c: a provider of answers, a process of its own ----------------- */
#define MODEL_TOKEN "word "
#define MODEL_END "word. " /* the end of a sentence */
struct model {
    pid_t pid;
    int port;
};
/* An answer has so many tokens, each so long after the one before. */
void model_start(struct model *m, int tokens, int each_ms);
void model_stop(struct model *m);

/* --- table.c ------------------------------------------------------------- */
/* One measured value; the table shows the median of all with this name. A
 * target of 0 is no target; above: true = the value should be at least it. */
void figure(const char *row, const char *name, const char *unit, double value,
            double target, bool above);
double figure_median(const char *row, const char *name);
void table_print(void);
void table_json(const char *path);
void table_markdown(const char *path);

/* --- rows ---------------------------------------------------------------- */
struct row {
    const char *name;
    void (*run)(void);
    int repeats; /* 0 = options.repeats; rows that repeat inside say 1 */
};
extern const struct row rows[];
extern const size_t rows_count;
/* 5,000 messages a second for 200 visitors who have sent one each. Message k
 * is meant for the start + k / 5000 s and is the (k / 200 + 2)th of visitor
 * k % 200; openloop_due() says so the other way round. */
int64_t openloop_due(const struct visitor *v, uint32_t n);
/* Sends `count` of them on time, waits for the last; each() is called about
 * every ms and may be NULL. */
void openloop_run(uint64_t count, void (*each)(int64_t at_ns));
void row_saturated(void);
void row_openloop(void);
void row_connect(void);
void row_coldstart(void);
void row_reload(void);
void row_scripts(void);
void row_attack(void);
void row_email(void);
void row_loads(void);
void row_conversations(void);
void row_stored(void);
void row_flows(void);
void row_channels(void);
void row_ai(void);
void row_hits(void);
void row_streams(void);
void row_dead(void);
