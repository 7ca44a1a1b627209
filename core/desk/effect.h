/* SPDX-License-Identifier: Apache-2.0 */
/* effect.h - a job for the scripts, and what shall happen because of it.
 *
 * A job carries copies: what a script sees of the event, the conversation and
 * the agents at that moment. Its effects are buffered and count only when the
 * desk has committed them. fence is the conversation's at the time: a reply
 * under an older fence is refused (I13).
 */
#pragma once
#include "desk/event.h"
#include <stdatomic.h>

enum hook {
    HOOK_MESSAGE,      /* on_message(conv, msg): a visitor's message */
    HOOK_CONVERSATION, /* on_conversation(conv, what): created assigned closed */
    HOOK_TIMER,        /* on_timer(conv|nil, name, data) */
    HOOK_INBOUND,      /* on_inbound(conv, msg): a visitor's message before it
                          is stored; may edit, reject, tag */
    HOOK_SEND,         /* on_send(conv, msg): an agent's or a script's message
                          before it is stored; may edit, reject */
    HOOK_ASSIGN,       /* on_assign(conv, agent|nil): it was assigned */
    HOOK_QUEUE,        /* on_queue(conv, position): it began to wait */
    HOOK_CLOSE,        /* on_close(conv): it was closed */
    HOOK_EVENT,        /* on_event(conv|nil, event): any public event */
    HOOK_FLOW,         /* run(conv, args) of a flow, from its start or log */
    /* of a channel's adapter; job->call is there */
    HOOK_RECEIVE, /* receive(req, ctx): a webhook has come */
    HOOK_DELIVER, /* send(item, ctx): one message out */
    HOOK_PUSH,    /* push(item, ctx): a visitor without a socket */
    HOOK_POLL,    /* poll(ctx): a platform that must be asked */
    HOOK_CHECK,   /* check(config, ctx): is this configuration right? */
    /* of a connector below ai/, and of a tool; job->call is there */
    HOOK_ASK,   /* ask(turn, ctx): one turn of a conversation */
    HOOK_EMBED, /* embed(texts, ctx) */
    HOOK_TOOL,  /* run(args, ctx): the model wants it */
    /* of a channel's adapter again; its number is behind those that are kept */
    HOOK_TYPING,  /* typing(item, ctx): somebody is about to answer; fleeting */
    HOOK_RECALL,  /* recall(item, ctx): a message that was sent is taken back */
    HOOK_PASSIVE, /* passive(item, req, ctx): one message out, as the answer to
                     a webhook that waits for it */
    HOOK_COUNT
};
const char *hook_name(enum hook h); /* "on_message"; FLOW: "run"; "send" */

enum effect_type {
    EFFECT_REPLY,  /* body, text: a message by the bot */
    EFFECT_NOTE,   /* text: a private note */
    EFFECT_ASSIGN, /* agent, team, name = assistant ("*" = the last one), or
                      none = the queue; pick */
    EFFECT_CLOSE,
    EFFECT_TAG,
    EFFECT_UNTAG,    /* text */
    EFFECT_PRIORITY, /* number */
    EFFECT_SET,      /* name, data: one attribute of the conversation */
    EFFECT_SNOOZE,   /* number = until, ms */
    EFFECT_ALARM,    /* name, data, number = due_at */
    EFFECT_KV_SET,   /* name, data (JSON), number = expires_at */
    EFFECT_KV_DEL,   /* name */
    EFFECT_EDIT,     /* INBOUND, SEND: body, text: what is stored instead */
    EFFECT_REJECT,   /* INBOUND, SEND: text = why; nothing is stored */
    EFFECT_CONTACT,  /* data: JSON object of name email phone tier tags
                        attributes; attributes are merged, null deletes */
    EFFECT_FLOW,     /* name = unit "flows/refund", data = its args (JSON) */
    EFFECT_FLOW_END, /* name = unit: this conversation's flows of that unit are
                        cancelled */
    EFFECT_COUNT
};
const char *effect_name(enum effect_type t); /* "reply" */

struct effect {
    struct effect *next;
    enum effect_type type;
    struct slice unit; /* which script wanted it */
    struct slice text, name, data;
    struct slice body; /* REPLY: JSON object {"kind":"text","text":…} */
    struct slice pick; /* ASSIGN: "least_busy" (default), "round_robin" */
    uint64_t agent, team;
    int64_t number; /* ALARM, SNOOZE: till when; PRIORITY; ASSIGN: ms to answer
                       in, 0 = any */
};

/* What scripts may know of an agent. */
struct agent_view {
    uint64_t id;
    struct slice name, email, skills;
    enum agent_status status;
    int32_t load, max_load;
};
struct team_view {
    uint64_t id;
    struct slice name;
    const uint64_t *members;
    size_t count;
    uint32_t waiting; /* conversations queued for it, at the snapshot */
};
/* A snapshot shared by many jobs; immutable, counted. */
struct roster {
    atomic_int refs;
    struct arena *arena;
    const struct agent_view *agents;
    size_t count;
    const struct team_view *teams;
    size_t team_count;
    uint32_t waiting; /* queued, all teams and none */
};
void roster_free(struct roster *r); /* drops one ref; the last one frees */

/* A channel's adapter is called: what it is given, what it gave. All in the
 * job's arena. */
struct adapter_call {
    uint64_t channel;
    struct slice type, name; /* of the channel */
    struct slice config;     /* JSON object; secrets are in it: only for the
                                adapter (I9) */
    struct slice secrets;    /* JSON array: the names of those settings */
    /* RECEIVE, PASSIVE */
    struct slice method, path, query, body, address; /* path: below the hook */
    struct slice headers; /* lines "name: value\n", names in lower case */
    /* DELIVER, PUSH, RECALL, PASSIVE: the item as JSON; see channels/README.md. ASK: the turn, EMBED:
     * the texts, TOOL: the arguments; see ai/README.md */
    struct slice item;
    /* DELIVER, by the roof: JSON {"kind","as","why"} if the item's kind had to
     * change, and what numbers stand for, ["…"]; both "" = not. */
    struct slice shown, choices;
    struct slice more; /* ASK, TOOL: JSON object, what ctx has beside; an ASK
                          reads it again at its end (lua/assist.lua) */
    /* Of what is below ai/: config, secrets and item lie in it. The handler has
     * copies, so it is freed when that begins; else with the job. NULL: they
     * lie in the job's. */
    struct arena *given;
    uint64_t number; /* ASK: whose pieces (ASK_WRITE) they are; RECEIVE,
                          PASSIVE: which webhook */
    int64_t wall_ms; /* ASK, EMBED, TOOL, PASSIVE: at most so long; 0 = the
                          script's */
    /* answer */
    int status;                  /* RECEIVE: HTTP; 0 = none was given */
    struct slice answer_headers; /* RECEIVE: "name: value\r\n" lines */
    struct slice answer; /* RECEIVE: the body; else JSON of what it returned */
};

/* config and secrets of the call, in the arena, of what is kept of a channel
 * or an assistant. */
void call_settings(struct adapter_call *call, struct arena *a,
                   struct slice public, struct slice private);

struct job {
    struct mail mail;    /* must be first */
    struct arena *arena; /* owned; the job lies in it */
    enum hook hook;
    struct slice unit; /* TIMER, FLOW: only this one; "" = the whole pipeline */
    struct event event; /* MESSAGE: the message; its slices are copies. INBOUND,
                           SEND: not stored yet, pos 0; role, sender, body */
    struct slice text;  /* of the message */
    struct slice kind;
    struct slice what; /* CONVERSATION: "created"; TIMER: its name; QUEUE:
                                 position; EVENT: event's name; FLOW: "start"
                                 "timer" "reply" "again" */
    struct slice data; /* TIMER: JSON; EVENT: the event's data */
    struct flow *flow; /* FLOW: in: its row with log; out: as it is to be
                                 stored (state, due_at, step, log, view) */
    struct adapter_call
        *call; /* RECEIVE DELIVER POLL CHECK TYPING ..., else NULL */
    struct conversation conv; /* a copy; id 0 = none */
    struct contact contact;
    struct roster *roster; /* one ref */
    uint32_t fence;
    int64_t at;
    uint32_t depth;  /* jobs that this one follows from, one by another */
    uint64_t letter; /* the dead letter that is run again, 0 = none */
    uint32_t runs;   /* how often that was done before */
    /* answer */
    int result;           /* 0, or ERR_CANCELLED when the house stops */
    bool decided;         /* some rule ended the round */
    bool stuck;           /* a thread may still write to it: never freed */
    uint32_t ran;         /* handlers that were called */
    uint32_t failures;    /* of them; what they wanted is forgotten */
    struct slice trouble; /* the first failure's sentence */
    struct slice hops;    /* trace: JSON array, one object a handler: unit
                             version at_us us outcome error? */
    struct effect *first, *last;
    uint32_t count;
    struct slice rule;             /* which one decided: "rules/20-refund" */
    void (*done)(struct job *job); /* on the main loop, exactly once */
    void *owner;                   /* the maker's */
    /* script's own */
    uint32_t step;
    void *task;
};
struct job *job_new(enum hook hook, void (*done)(struct job *), void *owner);
/* The same in an arena of its own, which it takes. */
struct job *job_new_in(struct arena *a, enum hook hook,
                       void (*done)(struct job *), void *owner);
void job_free(struct job *job);
void effect_put_kv(const struct effect *e, struct tx *tx); /* of these */
/* What its scripts want remembered (KV_SET, KV_DEL), into the tx. */
void job_put_kv(const struct job *job, struct tx *tx);
struct effect *job_effect(struct job *job, enum effect_type type); /* NULL when
                                                    LIMIT_EFFECTS are there */
