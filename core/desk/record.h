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
#define ID_FILE "fi"
#define ID_UPLOAD "up"
#define ID_ASSISTANT "as"
#define ID_TURN "tu"
#define ID_CONFIRM "cf"
#define ID_ARTICLE "ar"

enum role { ROLE_SYSTEM, ROLE_VISITOR, ROLE_AGENT, ROLE_BOT };
const char *role_name(enum role r); /* "visitor" */

/* Of a message, contract §4. */
enum message_kind {
    MESSAGE_TEXT,
    MESSAGE_IMAGE,
    MESSAGE_FILE,
    MESSAGE_AUDIO,
    MESSAGE_VIDEO,
    MESSAGE_LOCATION,
    MESSAGE_CARD,
    MESSAGE_KINDS
};
const char *message_kind_name(enum message_kind k); /* "text" */
bool message_kind_find(struct slice name, enum message_kind *out);

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

/* How long after a visitor's message, and how often, a platform takes answers.
 */
struct reply_window {
    int64_t ms;     /* 0 = any time */
    uint32_t count; /* 0 = any number */
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
    struct slice bot;  /* BOT: the assistant that holds it, "" = none yet */
    /* projection */
    uint32_t last_seq;
    uint32_t unread; /* visitor's messages no agent has read */
    uint32_t agent_read, visitor_read; /* seq up to which */
    uint64_t last_pos, handled; /* pos of the last event; of the last one the
                                   scripts have handled */
    int64_t last_at, waiting_since_at; /* 0 = nobody waits for an answer */
    int64_t heard_at;     /* of the visitor's last message, 0 = none yet */
    uint32_t said;        /* public messages to the visitor since then */
    struct slice preview; /* start of the last text, at most 120 bytes */
    /* joined for reading */
    struct slice contact_name, channel_type, contact_tier;
    struct reply_window window; /* of its channel */
};

/* What is known of somebody's file; its bytes lie in the files wing. */
struct file {
    uint64_t id;
    unsigned char hash[32]; /* SHA-256 of what is kept */
    int64_t size;
    int32_t width, height; /* of images; else 0 */
    bool has_thumb;
    struct slice mime, name;
    /* Who brought it; at most one, none = the house. channel: its adapter. */
    uint64_t contact, agent, channel;
    uint64_t conv; /* it was brought for this one, 0 = none said */
    int64_t created_at, used_at; /* used: by a message, last; 0 = never */
};

/* What the house knows; passages of published ones are found by kb.search. */
struct article {
    uint64_t id, author; /* agent, 0 = the house */
    bool published;
    struct slice lang, title;
    struct slice tags; /* JSON array of texts */
    struct slice body; /* Markdown */
    int64_t created_at, updated_at;
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
