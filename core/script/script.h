/* SPDX-License-Identifier: Apache-2.0 */
/* script.h - the face of the scripts: Lua on threads of its own.
 *
 * A script file is a unit: one lua_State, one version, pinned to a thread.
 * The pipeline of a hook is the list of units that have it, by priority. A
 * job walks it; what waits looks blocking to the author (scripting.md).
 *
 * Thread: main calls; all answers come on the home loop.
 */
#pragma once
#include "desk/effect.h"
#include "loop/loop.h"

struct script;
struct script_ask;
#define SCRIPT_THREADS_MAX 64
struct script_conf {
    const char *home; /* folder with scripts/ ... */
    const char *only; /* NULL, or one file (path) that is loaded in place of
                         the one of its name in home (yuelai replay --script) */
    struct loop *home_loop; /* borrowed */
    int threads; /* 1 when 0; with two or more what is new or slow runs on
                    threads beside them (run/lane.h) */
    int64_t cpu_ms, memory_bytes; /* per unit; 0 = limits.h */
    int64_t failures;   /* in a row: switched off; 0 = LIMIT_FAILURES */
    int64_t routing_ms; /* script_patience of a rule that says no deadline */
    int64_t canary_conversations; /* decides a canary; 0 = 200 */
    bool run_tests; /* x_test.lua beside x.lua must pass before x serves */
    /* Runs them: 0, or ERR_* and out has what failed ("file:line: message",
     * then the rest). On the builder's thread, may block. NULL: none is run. */
    int (*run_test)(void *arg, struct slice unit, struct buf *out);
    struct slice secrets; /* JSON object name -> text, for `secret`; copied */
    /* A script wants something of the house; on the home loop. Each takes the
     * ask and answers by script_answer exactly once. */
    void (*on_ask)(void *arg, struct script_ask *ask);
    /* The set of units or the state of one changed (scripts resource). */
    void (*on_change)(void *arg);
    /* A version began to serve, became canary, ended: for the history. The
     * roof stores it (PUT_VERSION). Slices are valid during the call. NULL:
     * no history. */
    void (*keep_version)(void *arg, const struct script_version *v);
    /* Effects of a handler that goes on to wait (scripting.md: effects count
     * when the handler returns or awaits). Takes the part; its done, set by
     * the script wing, is to be called on the home loop with part->result and
     * part->fence. NULL: they count at the handler's end only. */
    void (*on_part)(void *arg, struct job *part);
    /* Wall clock in ms, any thread; NULL = the real one. With it all waits of
     * scripts are in that time too (yuelai test). */
    int64_t (*now)(void *arg);
    /* A unit's `every` has passed; on the home loop. The roof runs a job
     * {HOOK_TIMER, unit, what = "every"} and commits its effects. NULL: no
     * unit's `every` is run. */
    void (*on_every)(void *arg, struct slice unit);
    void *arg;
};

/* What a script may ask of the house; answered by script_answer. `data` is
 * JSON both ways unless said. Unknown kinds: ERR_UNSUPPORTED. */
enum ask_kind {
    ASK_HTTP,        /* request -> response */
    ASK_STREAM,      /* request -> status, headers; number = the asker's name
                        for it, unique; the body comes by ASK_STREAM_NEXT */
    ASK_STREAM_NEXT, /* number -> data: the next bytes (not JSON); "" = end */
    ASK_STREAM_END,  /* number; the reader is done with it, or gave up waiting
                        for its head. Always comes; nobody waits for an answer */
    ASK_KV_GET,      /* name (key) in space unit -> data, number = expires_at
                        (0 = never); ERR_NOT_FOUND */
    ASK_KV_SWAP,     /* name: data ("" = delete) in place of was ("" = none),
                        number = expires_at; ERR_CONFLICT: data = what is there
                        ("" = none), number = its expires_at */
    ASK_KV_KEYS,     /* name = prefix, number = most -> data: JSON array */
    ASK_ONCE,        /* name, was = the asker's name, number = ttl ms (0 = not
                        kept) -> data = kept value; or ERR_NOT_FOUND: the asker
                        makes it and says ASK_ONCE_DONE; others who ask
                        meanwhile wait for that */
    ASK_ONCE_DONE,   /* name, was, number = ttl ms, data ("" = failed, or gave
                        up waiting: the next one makes it) */
    ASK_LOOKUP,      /* name = "conversation" "contact" "contacts" "messages",
                        data = filter -> data */
    ASK_DELIVER,     /* number = channel, data = message -> data = {"id",
                    "conversation","seq","duplicate"}: on disk then */
    ASK_ECHO,      /* number = channel, data = staff's message -> as DELIVER */
    ASK_POLL_SOON, /* number = channel */
    ASK_RECALLED,  /* number = channel, data = {"from","dedupe"} or {"sent"} */
    ASK_RECEIPT,   /* number = channel, data = {"sent","status","why"} */
    ASK_AI,        /* name = assistant, data = turn -> data = answer;
                        ERR_UNAVAILABLE while no assistant is set up */
    ASK_EMBED,     /* name = assistant, data = texts -> data = answer */
    ASK_WRITE,     /* number = the call's, data = text (not JSON): a piece of
                        a connector's answer; answered when it may go on,
                        ERR_CANCELLED: nobody wants any more */
    ASK_AI_FORGET, /* name = assistant or "", data = question or "" (not
                        JSON), was = tag or "" -> number = how many */
    ASK_KB,        /* name = query, data = options -> data; likewise */
    ASK_IMAP,      /* post: a mailbox is read */
    ASK_SMTP,      /* post: a mail is sent */
    ASK_FILE, /* number = channel; http, or data = the bytes (not JSON); name,
                 was = its type -> data = {"id","name","mime",...}; data =
                 "json" beside http: a word in JSON is taken, too -> was =
                 "answer", data = that */
    ASK_FILE_BODY, /* number = id of a file -> data: its bytes, at most
                      LIMIT_HTTP_BODY_MOST */
    ASK_TEST       /* name = step, data: of a *_test.lua, to its runner */
};
struct http_file { /* a file's bytes stand at this place of the body */
    size_t at;
    uint64_t id;
};
struct http_call {           /* in the ask's arena */
    struct http_file *files; /* HTTP: by rising `at` */
    size_t file_count;
    struct slice method, url, body;
    const struct slice *headers;    /* name, value, name, value ... */
    size_t header_count;            /* of pairs */
    int64_t timeout_ms, connect_ms; /* connect: 0 = the house's */
    size_t body_max;
    int follow;       /* redirects */
    int64_t first_ms; /* STREAM: to the first byte; 0 = timeout_ms */
    /* answer */
    int status;
    struct slice answer_headers; /* "name: value\n" lines, lower-case names */
    struct slice answer;
};
struct post_mail {
    uint32_t uid;
    int64_t size; /* of all of it; bytes may be its beginning */
    struct slice bytes;
    bool seen;
};
struct post_refused {
    struct slice address, why;
    int status;
};
struct post_ask { /* in the ask's arena */
    struct slice url, user, password, token;
    bool plain;
    int64_t timeout_ms;
    /* IMAP: mails over `after`, or one to be marked */
    struct slice folder, flags;
    uint32_t after, validity, mark;
    int64_t since_ms, wait_ms;
    size_t most, bytes_max;
    /* SMTP */
    struct slice name, from, mail;
    const struct slice *to;
    size_t to_count;
    /* answer; validity too */
    uint32_t next;
    int64_t exists;
    bool more, idles;
    struct post_mail *mails;
    size_t mail_count;
    int status;
    struct slice text;
    struct post_refused *refused;
    size_t refused_count;
};
struct script_ask {
    struct mail mail;    /* must be first */
    struct arena *arena; /* owned; the ask lies in it */
    enum ask_kind kind;
    struct slice unit, name, data, was;
    int64_t number;
    struct http_call *http;
    struct post_ask *post;
    int result; /* 0, ERR_NOT_FOUND, ERR_TIMEOUT, ... */
    struct err err;
    int64_t wait_ms;    /* DELIVER: so long the webhook's answer waits */
    uint64_t call;      /* adapter_call.number of the handler's job, 0 = none */
    uint64_t ticket[4]; /* script's own: unit, version, slot, generation */
};

int script_open(const struct script_conf *conf, struct err *e,
                struct script **out);
/* Other threads begin to compile what script_load_all will find, while the
 * caller opens something else. May be left out. */
void script_load_ahead(struct script *s);
/* Compiles and starts everything found; broken files are listed, not fatal.
 * kept: the versions the store knows (not OLD), so that a broken file serves
 * its last good one and canaries, pins and rolled-back files are as they were.
 * Borrowed. Blocking, at start. */
int script_load_all(struct script *s, const struct script_version *kept,
                    size_t count);
/* Cancels jobs, answers them, joins. Asks not answered by then are the asker's
 * to free (their arena). */
void script_close(struct script *s);

/* Would any unit look at this event? Data only (match of the loaded units),
 * no Lua; main thread. */
bool script_wants(const struct script *s, const struct job *job);
/* Ms until the default places the conversation: the longest `deadline` of the
 * rules that match, else conf.routing_ms. */
int64_t script_patience(const struct script *s, const struct job *job);
/* Does one of the rules that match say on_failure = "reject"? */
bool script_is_strict(const struct script *s, const struct job *job);
void script_run(struct script *s, struct job *job); /* takes; job->done comes */
/* The same, but the thread is woken by the next script_flush: once for all that
 * one turn of the home loop has for it. */
void script_queue(struct script *s, struct job *job); /* takes */
void script_flush(struct script *s);
void script_answer(struct script *s, struct script_ask *ask); /* takes */
/* Changed, new or deleted files (absolute or below home); validated and
 * swapped in, or the old version serves on. n = 0: look at all. From watch,
 * command, API. */
void script_changed(struct script *s, const char *const *paths, size_t n);
/* The serving adapters, as they say of themselves: JSON array of {"type",
 * "version","title","schema","capabilities","receives","sends","pushes",
 * "polls","checks","face":{"rate","burst","at_once","reply_window_ms",
 * "socket",...}}. */
int script_channels(struct script *s, struct buf *out);
/* The same of what is below ai/: connectors {"kind":"connector","type",
 * "title","schema","capabilities","timeout":{"connect_ms",…},"asks",
 * "embeds","checks"} and tools {"kind":"tool","name","description",
 * "parameters","permission","confirm"}. */
int script_assistants(struct script *s, struct buf *out);
int64_t script_depth(struct script *s); /* jobs waiting or running */
/* When the oldest conversation that is not closed was created, 0 = there is
 * none: versions pinned for older ones go. Once a minute or so. */
void script_oldest(struct script *s, int64_t created_at);
void script_nudge(struct script *s); /* conf.now has moved: look at the time */
void script_set_secrets(struct script *s, struct slice secrets); /* copies */

/* --- by command; done comes on the home loop with what really became of it,
 * exactly once (never from inside), e tells why not --- */
typedef void (*script_done_fn)(void *arg, int result, const struct err *e);
/* Reads the unit's file again, also when it has not changed. */
void script_reload(struct script *s, struct slice unit, script_done_fn done,
                   void *arg);
/* This version serves; the file as it is now is refused until it changes. */
void script_roll_back(struct script *s, const struct script_version *to,
                      script_done_fn done, void *arg);
/* Ends a canary: it serves all (true) or nobody. ERR_CONFLICT: there is none. */
void script_promote(struct script *s, struct slice unit, bool promote,
                    script_done_fn done, void *arg);
/* Switched off by hand, or on again (also one that failed too often). */
void script_enable(struct script *s, struct slice unit, bool on,
                   script_done_fn done, void *arg);
/* Runs Lua in a sandbox of its own, as the unit "console", for `yuelai
 * console`: an expression or statements. done comes once, with {"ok":…,
 * "text":…} as JSON and the job (NULL: it did not compile), whose effects are
 * the caller's to commit or not; both valid during the call. One at a time. */
#define SCRIPT_CONSOLE_UNIT "console"
typedef void (*script_eval_fn)(void *arg, struct slice answer,
                               const struct job *job);
void script_eval(struct script *s, struct slice source, struct roster *roster,
                 script_eval_fn done, void *arg); /* takes the roster's ref */
/* --- for `yuelai test` (app/testing) --- */
#define SCRIPT_TEST_UNIT "test"
/* Loads a *_test.lua as the unit "test"; file: as people are told it. It runs
 * by jobs {HOOK_TIMER, unit "test", what = "list" | "run" | "call"} and asks by
 * ASK_TEST. A failure's sentence goes to trouble. */
int script_load_test(struct script *s, const char *file, struct slice source,
                     struct buf *trouble);
/* When the threads have looked at all that was given before: ms until a wait
 * of theirs ends (-1 = none is timed), how many wait for an answer. */
typedef void (*script_look_fn)(void *arg, int64_t next_ms, size_t asks);
void script_look(struct script *s, script_look_fn done, void *arg);
/* JSON array for the scripts resource: name kind state version loaded_at
 * errors[] (file, line, message, traceback, count, first_at, last_at), calls,
 * cpu, memory. Main thread, from a snapshot. */
int script_list(struct script *s, struct buf *out);
/* One of them. ERR_NOT_FOUND. */
int script_show(struct script *s, struct slice unit, struct buf *out);
bool script_is_well(struct script *s,
                    struct err *e); /* false: first broken one */
/* The reference of the API, from the tables the calls are made of: format is
 * "json", "markdown" (one module or, with "", the index), "luals" (one module
 * or, with "", what they share), "luacheck". */
int script_reference(const char *format, const char *module, struct buf *out,
                     struct err *e);
/* yuelai check: compiles one file or all below home; findings to out. */
int script_check(const char *home, const char *file, struct buf *out);
/* Config files are Lua tables read in an empty sandbox: text -> JSON. */
int script_read_table(struct slice source, const char *name, struct arena *a,
                      struct err *e, struct slice *json);
