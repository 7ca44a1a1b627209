/* SPDX-License-Identifier: Apache-2.0 */
/* record.h - the lasting things, as plain data (desk words).
 *
 * Slices point into the arena of whoever carries the record. Ids are numbers
 * inside (base/clock.h) and prefixed text outside.
 */
#pragma once
#include "base/buf.h"

/* Prefixes of ids outside. */
#define ID_MESSAGE "m"
#define ID_CONVERSATION "cv"
#define ID_CONTACT "ct"
#define ID_AGENT "ag"
#define ID_CHANNEL "ch"
#define ID_TEAM "tm"
#define ID_TOKEN "tk"
#define ID_FLOW "fl"
#define ID_DEAD "dl"
#define ID_OUTBOX "ob"

enum role { ROLE_SYSTEM, ROLE_VISITOR, ROLE_AGENT, ROLE_BOT };
const char *role_name(enum role r); /* "visitor" */

enum conv_state {
    CONV_BOT,     /* the rules (or a bot) hold it */
    CONV_QUEUED,  /* waits for an agent */
    CONV_OPEN,    /* an agent holds it */
    CONV_SNOOZED, /* an agent holds it, until snoozed_until or a new message */
    CONV_CLOSED
};
const char *conv_state_name(enum conv_state s);
bool conv_state_find(struct slice name, enum conv_state *out);

enum agent_status { AGENT_OFFLINE, AGENT_AWAY, AGENT_BUSY, AGENT_ONLINE };
const char *agent_status_name(enum agent_status s);
bool agent_status_find(struct slice name, enum agent_status *out);

enum agent_role { AGENT_ROLE_AGENT, AGENT_ROLE_SUPERVISOR, AGENT_ROLE_ADMIN };
const char *agent_role_name(enum agent_role r);
bool agent_role_find(struct slice name, enum agent_role *out);

struct channel {
    uint64_t id;
    struct slice type; /* "web" */
    struct slice name;
    struct slice config;  /* JSON object, without secrets */
    struct slice secrets; /* JSON object; never leaves (I9) */
    bool enabled;
    int64_t created_at, updated_at;
};

struct contact {
    uint64_t id;
    uint64_t channel;      /* where it was first met */
    struct slice identity; /* user_id of the channel, "" = anonymous */
    struct slice name, email, phone, tier;
    struct slice tags;       /* JSON array of texts */
    struct slice attributes; /* JSON object */
    int64_t created_at, updated_at;
};

struct agent {
    uint64_t id;
    struct slice email, name;
    struct slice password; /* argon2id, encoded; "" in every answer */
    enum agent_role role;
    int32_t max_load;         /* conversations at once */
    struct slice skills;      /* JSON array of texts */
    enum agent_status status; /* last one chosen; offline without a socket */
    bool enabled;
    int64_t created_at, updated_at;
};

struct team {
    uint64_t id;
    struct slice name;
    struct slice members; /* JSON array of agent ids as text */
    int64_t created_at, updated_at;
};

struct token {
    uint64_t id;
    unsigned char digest[32]; /* SHA-256 of the secret text */
    uint64_t agent;           /* who it acts for */
    struct slice name;
    struct slice scopes; /* JSON array; "[]" = all of the agent's rights */
    int64_t created_at, expires_at; /* 0 = never */
};

/* A conversation as kept by the store. What the desk decides is written with
 * the events that caused it; what follows from the messages (last_*, unread,
 * waiting_since_at, preview, handled) is the store's own projection. */
struct conversation {
    uint64_t id, channel, contact;
    enum conv_state state;
    uint64_t assignee, team; /* 0 = none */
    int32_t priority;        /* 0 normal, higher first */
    struct slice tags;       /* JSON array of texts */
    struct slice attributes; /* JSON object: what rules remember */
    uint32_t fence;          /* rises whenever the holder changes (I13) */
    int64_t created_at, updated_at, closed_at, snoozed_until;
    int64_t queued_at; /* since when it waits for an agent, 0 = not */
    /* projection */
    uint32_t last_seq;
    uint32_t unread; /* visitor's messages no agent has read */
    uint32_t agent_read, visitor_read; /* seq up to which */
    uint64_t last_pos, handled; /* pos of the last event; of the last one the
                                   scripts have handled */
    int64_t last_at, waiting_since_at; /* 0 = nobody waits for an answer */
    struct slice preview; /* start of the last text, at most 120 bytes */
    /* joined for reading */
    struct slice contact_name, channel_type, contact_tier;
};

/* A durable timer of a script. */
struct alarm {
    uint64_t id;
    int64_t due_at;
    uint64_t conversation; /* 0 = the unit's own */
    struct slice unit;     /* script name, "rules/20-refund" */
    struct slice name;     /* what the script called it */
    struct slice data;     /* JSON */
};

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
enum outbox_state { OUTBOX_WAITING, OUTBOX_SENT, OUTBOX_DEAD };
const char *outbox_state_name(enum outbox_state s);
struct outbox {
    uint64_t id;
    uint64_t pos, conv, channel, contact; /* pos: of message.created */
    const struct event *of; /* pos is 0: it is this event's, of the same tx */
    uint32_t seq;
    enum outbox_state state;
    uint32_t attempts;
    int64_t due_at, created_at, updated_at;
    struct slice to;     /* the contact's identity on the channel */
    struct slice remote; /* the platform's id of it, once sent */
    struct slice reason; /* why it was not sent the last time */
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
