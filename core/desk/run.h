/* SPDX-License-Identifier: Apache-2.0 */
/* run.h - what scripts do, as plain data: flows, why things went as they did,
 * what could not go, versions, and what is on its way out (desk words).
 */
#pragma once
#include "desk/record.h"

/* One run of a flow: what it has come to is its log, from which it is played
 * again (scripting). Survives restart, reload and upgrade. */
enum flow_state {
    FLOW_READY,    /* is to be run as soon as may be */
    FLOW_SLEEPING, /* until due_at */
    FLOW_WAITING,  /* for the visitor's next message; due_at = at most */
    FLOW_DONE,
    FLOW_FAILED, /* error tells */
    FLOW_CANCELLED
};
const char *flow_state_name(enum flow_state s);
bool flow_state_find(struct slice name, enum flow_state *out);
struct flow {
    uint64_t id;
    struct slice unit;    /* "flows/refund" */
    struct slice version; /* it last ran on */
    uint64_t conv, contact;
    enum flow_state state;
    int64_t due_at; /* 0 = none */
    int64_t created_at, updated_at;
    uint32_t step;     /* entries in log */
    uint32_t fence;    /* the conversation's, when it last ran (I13) */
    uint32_t attempts; /* runs that failed since the last step */
    struct slice args; /* JSON */
    struct slice log;  /* JSON array, at most LIMIT_FLOW_LOG */
    struct slice view; /* JSON object for people: {"waits":…,"saga":[…]} */
    struct slice error;
};

struct event;
/* A message on its way out to a platform (I4). Sent ones are kept as long as
 * receipts may come. */
enum outbox_state {
    OUTBOX_WAITING,
    OUTBOX_SENT,
    OUTBOX_DEAD,
    OUTBOX_RECALLED /* taken back before it was sent */
};
const char *outbox_state_name(enum outbox_state s);
/* What the platform said of it since: never backwards. */
enum outbox_receipt { RECEIPT_NONE, RECEIPT_DELIVERED, RECEIPT_READ };
struct outbox;
/* In the words of message.status; "waiting": not taken yet. */
const char *outbox_status(const struct outbox *o);
struct outbox {
    uint64_t id;
    uint64_t pos, conv, channel, contact; /* pos: of message.created */
    uint64_t undoes; /* it takes this row's message back; 0 = it sends one */
    const struct event *of; /* pos is 0: it is this event's, of the same tx */
    uint32_t seq;
    enum outbox_state state;
    uint32_t attempts;
    int64_t due_at, created_at, updated_at;
    struct slice to;     /* the contact's identity on the channel */
    struct slice remote; /* the platform's id of it, once sent */
    struct slice reason; /* why it was not sent the last time */
    struct slice code;   /* the same for programs: "window_closed" */
    enum outbox_receipt receipt;
};

/* What numbers stand for in what a visitor was last sent: kept in this space by
 * the contact's id, so that "2" is understood. */
#define CHOICES_SPACE "house/choices"
#define CHOICES_MS (48LL * 3600 * 1000)

/* A connector to a model, set up: who may answer as a bot. */
struct assistant {
    uint64_t id;
    struct slice name;            /* unique, "aftersales" */
    struct slice type;            /* "small": ai/small.lua */
    struct slice config, secrets; /* JSON objects; secrets never leave (I9) */
    struct slice settings; /* JSON object: fallback prompt limits tools guard */
    bool enabled;
    int64_t created_at, updated_at;
};

/* One answer that an assistant owes a conversation. Pending until it is over;
 * what was under way when the house ended is asked again, under the same id,
 * which is the answer's ref: so it appears once. */
enum turn_state { TURN_PENDING, TURN_DONE, TURN_FAILED, TURN_CANCELLED };
const char *turn_state_name(enum turn_state s);
struct turn {
    uint64_t id, conv, contact;
    uint64_t pos;   /* of the visitor's message, 0 = of none */
    uint32_t seq;   /* up to which the visitor was heard */
    uint32_t fence; /* the conversation's, while this may answer (I13) */
    enum turn_state state;
    struct slice assistant; /* its name */
    int64_t created_at, updated_at;
    struct slice reason; /* why not, or why it was handed over */
    struct slice note;   /* JSON object: who was asked, usage, prompt, tools */
};

/* A tool that a model wants run and that needs a person's word first. Under
 * its conversation's fence (I13): another holder, and it is cancelled. What was
 * decided is decided once; the tool runs with the row's id as its key. told:
 * an answer of the model that knows of it is on disk, or nobody waits for one
 * any more. */
enum confirm_state {
    CONFIRM_PENDING,
    CONFIRM_APPROVED, /* the tool is to run, or runs */
    CONFIRM_DENIED,
    CONFIRM_EXPIRED,
    CONFIRM_CANCELLED,
    CONFIRM_DONE /* it ran: result */
};
const char *confirm_state_name(enum confirm_state s);
struct confirm {
    uint64_t id, conv, turn; /* the turn that asked */
    uint32_t fence;
    enum confirm_state state;
    bool agent; /* an agent's word is wanted, not the visitor's */
    bool told;
    uint64_t decided_by;     /* the agent, 0 = the visitor or the house */
    struct slice assistant;  /* its name */
    struct slice tool, call; /* call: JSON {"id","name","arguments"} */
    struct slice hash;       /* hex, of tool and call */
    struct slice question;   /* what will be done, in words */
    struct slice result;     /* what the tool gave; else why not */
    int64_t created_at, expires_at, updated_at;
};

/* Why things went as they did: one row a job of the scripts. */
struct event;
struct trace {
    uint64_t pos;           /* of the event the job was for, 0 = `of` knows */
    const struct event *of; /* of the same tx: its pos is taken */
    int hook;               /* enum hook */
    uint64_t conv;
    int64_t at;
    struct slice body; /* JSON object, see docs/author/trace.md */
};

/* What no rule could place, or no script was there for: can be run again. */
struct dead {
    uint64_t id;
    int64_t at;
    uint64_t conv, pos; /* pos of the event, 0 = none */
    int hook;
    struct slice unit; /* "" = the whole pipeline */
    struct slice reason;
    struct slice data; /* JSON: timer's {"name","data"}, flow's {"flow"} */
    uint32_t runs;     /* how often it was run again */
};

/* A version of a script that served, or tries to. */
enum version_state {
    VERSION_SERVING = 1,
    VERSION_CANARY,  /* serves its share */
    VERSION_OLD,     /* served once */
    VERSION_REFUSED, /* rolled back from: not loaded until the file changes */
    VERSION_PINNED   /* served; running conversations may still be on it */
};
const char *version_state_name(enum version_state s);
struct script_version {
    struct slice unit, version; /* "rules/20-refund", 12 hex digits */
    enum version_state state;
    int64_t since_at, until_at; /* it served new conversations; 0 = still */
    struct slice sources; /* JSON [{"name":…,"text":…}], its own first */
    struct slice note;    /* why, for people */
};

/* Who did what to the house. */
struct audit {
    uint64_t id;
    int64_t at;
    uint64_t agent;     /* 0 = the machine's own user, by the local socket */
    struct slice what;  /* "script.rollback", "console.write" */
    struct slice about; /* the thing's name or id */
    struct slice data;  /* JSON */
};
