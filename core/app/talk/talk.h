/* SPDX-License-Identifier: Apache-2.0 */
/* talk.h - the rooms of the `.talk` runner (inner header of app/talk/).
 *
 * Why: a bug, a promise or a rule is told as a conversation that anyone can
 * read, and played against the real program: a server process of its own with
 * a fresh data folder and a copy of the home, killed and started as the story
 * says. docs/author/talk.md explains the language.
 *
 *   read   a file into lines, a line against patterns
 *   house  the server, its folders, REST
 *   actor  people: sockets, what they saw, what they have not yet sent
 *   web    services of others
 *   steps* one function a sentence
 *
 * Thread: the command's only one. One arena a talk; everything lies in it.
 */
#pragma once
#include "base/json.h"
#include "net/client.h"
#include <sys/types.h>

#define TALK_WAIT_MS 30000 /* how long a sentence waits without "within" */
#define TALK_CALL_MS 60000 /* for the answer to a call */
#define TALK_ARGS 6
#define TALK_NAME 32

struct line {
    int number;
    struct slice text;  /* trimmed, without "within ..." */
    struct slice block; /* between <<< and >>>, .at NULL if there is none */
    int64_t within_ms;  /* 0 = not said */
};

struct seen { /* a frame that came */
    struct seen *next;
    struct slice raw;
    struct json *json;
    bool taken; /* a sentence has spoken of it */
};

struct unsent { /* said, but not acknowledged */
    struct unsent *next;
    struct slice ref, frame;
};

struct actor {
    struct actor *next;
    char name[TALK_NAME];
    bool is_agent;
    struct client *client; /* NULL = away */
    struct slice token, cursor, id, conversation;
    struct slice channel, status; /* as said in hello */
    struct slice extra;           /* agents: further JSON members */
    bool keeps_place;             /* resumes by its cursor when it comes back */
    bool here;                    /* has come and not gone by itself */
    bool welcomed, recovered, told_to_go;
    struct seen *first, *last;
    struct seen *fresh; /* first frame since the last start-over */
    struct unsent *unsent;
    int said; /* makes refs */
};

struct talk {
    const char *file;
    struct arena *arena;
    int line; /* running */
    int64_t within_ms;
    bool waits; /* "within" was said */
    char why[2048];
    /* folders and process */
    char dir[64], home[96], data[96], log[96];
    const char *house;   /* where scripts channels ai web are copied from */
    const char *program; /* NULL = ourselves */
    pid_t pid;           /* 0 = not running */
    int port;
    struct slice env[64]; /* "NAME=value" */
    size_t env_count;
    char clock[32];
    struct actor *actors;
    struct slice admin; /* token */
    struct client_answer answer;
    struct json *answer_json;
    int refs;
    int64_t epoch; /* makes refs unique between talks */
    bool twice_is_fine;
    struct talk_web *webs;
};

struct web;
struct talk_web { /* somebody else's service */
    struct talk_web *next;
    char name[TALK_NAME];
    struct web *web;
};

/* A sentence failed: keeps the reason, returns -1. */
int talk_fail(struct talk *t, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
struct slice talk_fmt(struct talk *t, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
int64_t talk_now_ms(void);

/* --- read.c ---------------------------------------------------------------- */
/* Cuts a file into lines. ERR_NOT_FOUND, or ERR_BAD_REQUEST for a block
 * without an end (*line tells where). */
int read_lines(struct arena *a, const char *path, struct line **out,
               size_t *count, int *line);
/* A pattern is words: lower-case ones are meant as they are, WHO and WORD take
 * one word, TEXT a quoted text, OP one of = != ~ !~, REST all that follows,
 * BLOCK a block. "WHO's" takes a possessive. Fills args. */
bool read_match(const char *pattern, const struct line *l, struct arena *a,
                struct slice args[TALK_ARGS]);
/* $anna.conversation, $anna.id, $bo.token, $answer.field, $house */
struct slice read_variables(struct talk *t, struct slice text);
/* Only those of services ($shop): files have dollars of their own. */
struct slice read_webs(struct talk *t, struct slice text);

/* --- house.c --------------------------------------------------------------- */
int house_make(struct talk *t); /* folders, a copy of the home */
int house_scripts(struct talk *t, struct slice from);
int house_start(struct talk *t); /* waits for /readyz, signs the admin in */
int house_kill(struct talk *t);  /* -9 */
int house_stop(struct talk *t);  /* SIGTERM, exit code 0 */
/* The server ended by itself: says so in why. */
bool house_died(struct talk *t);
int house_write(struct talk *t, struct slice path, struct slice text);
int house_remove(struct talk *t, struct slice path);
void house_forget(struct talk *t, bool keep);
void house_print_log(const struct talk *t);
/* REST; the answer goes to t->answer. token may be empty. */
int house_call(struct talk *t, const char *method, struct slice path,
               struct slice token, struct slice body);

/* --- actor.c --------------------------------------------------------------- */
struct actor *actor_find(struct talk *t, struct slice name); /* or NULL */
struct actor *actor_get(struct talk *t, struct slice name);  /* makes */
/* hello and welcome; a resume cursor only if the actor keeps its place. */
int actor_connect(struct talk *t, struct actor *a);
int actor_send(struct talk *t, struct actor *a, struct slice frame);
/* Reads what comes for everybody, waiting at most ms. */
void actor_listen(struct talk *t, int64_t ms);
/* The same; fails if the server died. */
int actor_pump(struct talk *t, int64_t ms);
/* Waits until everything the server had for this actor is here (ping, pong). */
int actor_settle(struct talk *t, struct actor *a);
typedef bool (*seen_fn)(struct talk *t, const struct json *j, void *arg);
/* The first frame not yet spoken of that fits, waiting for it; or NULL. */
struct seen *actor_see(struct talk *t, struct actor *a, seen_fn fits,
                       void *arg);
struct seen *actor_look(struct talk *t, struct actor *a, seen_fn fits,
                        void *arg); /* without waiting */
void actor_leave(struct actor *a, bool cut);
/* What came lately, into why: for the reader of a failure. */
void actor_tell(struct talk *t, const struct actor *a);
/* NULL, or the raw text of a message this actor was shown twice. */
const struct seen *actor_twice(struct talk *t, const struct actor *a);

/* --- steps*.c -------------------------------------------------------------- */
struct step {
    const char *pattern;
    int (*fn)(struct talk *t, struct slice *args, int variant);
    int variant;
    bool before; /* may be said before the server runs */
};
extern const struct step steps_given[], steps_say[], steps_see[], steps_web[];
struct talk_web *talk_web_find(struct talk *t, struct slice name); /* or NULL */
void talk_webs_close(struct talk *t);
/* A value at a path ("data.sender.role", or "text" for "data.text"). */
const struct json *step_field(const struct json *j, struct slice path);
bool step_compare(struct talk *t, const struct json *value, struct slice op,
                  struct slice with);
