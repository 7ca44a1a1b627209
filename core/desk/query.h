/* SPDX-License-Identifier: Apache-2.0 */
/* query.h - a question to what is lasting, and its answer (desk words).
 *
 * Asked through a port, answered once. What was acknowledged before the
 * question was asked is visible to it.
 */
#pragma once
#include "desk/event.h"

enum query_kind {
    QUERY_MESSAGES,      /* conv; before | after seq; visitor -> json items */
    QUERY_CONVERSATIONS, /* filters -> json items, total */
    QUERY_CONVERSATION,  /* id -> conversation + contact (rows) */
    QUERY_CONTACTS,      /* q, limit, offset -> json items, total */
    QUERY_CONTACT,       /* id, or channel + identity -> contact */
    QUERY_CHANGES,       /* after, limit, viewer -> events */
    QUERY_RESUME,        /* after..upto, viewer -> events, recovered */
    QUERY_BACKLOG,       /* conv, upto, skip, limit -> events: its messages */
    QUERY_KV,            /* kv.space, kv.key -> text (JSON) */
    QUERY_LOGIN,         /* email, password -> agent; argon2 happens here */
    QUERY_HASH,          /* password -> text: argon2 of it */
    QUERY_ANSWER,        /* text = key -> answer */
    QUERY_FLOW,          /* id -> flow, with its log */
    QUERY_FLOWS,         /* state, conv (0 = any), text = unit, limit, offset ->
                            json items, total */
    QUERY_TRACE,    /* after_pos = pos -> json: [rows of trace], events: what
                            has it as cause */
    QUERY_EVENT,    /* after_pos = pos, or conv + after_seq, or id = contact +
                       text = ref (not long ago) -> events (one) */
    QUERY_DEADS,    /* limit, offset -> json items, total */
    QUERY_DEAD,     /* id -> dead */
    QUERY_VERSIONS, /* text = unit -> json items, newest first, no sources */
    QUERY_VERSION,  /* text = unit, identity = version -> version */
    QUERY_KV_KEYS,  /* kv.space, kv.key = prefix, limit -> json: ["key"...],
                            sorted, what has not expired */
    QUERY_OUTBOX,   /* id, or channel + text = remote, or conv + after_seq ->
                       outbox */
    QUERY_OUTBOXES, /* state (outbox_state), channel, conv, limit, offset ->
                            json items, total */
    QUERY_FILE,     /* id, viewer -> file; not the viewer's: ERR_FORBIDDEN, to
                       visitors ERR_NOT_FOUND */
    QUERY_FILE_HASHES, /* text = hashes of 32 bytes -> text: 1 for each that
                          some file has */
    QUERY_TURNS,       /* conv, state (turn_state, -1 = any), limit, offset ->
                            json items, total */
    QUERY_CONFIRMS,    /* conv (0 = any), state (confirm_state, -1 = any),
                            limit, offset -> json items, total */
    QUERY_ARTICLE,     /* id -> article */
    QUERY_ARTICLES,    /* state (1 published, 0 draft), identity = lang, text,
                            limit, offset -> json items, total */
    QUERY_KB,   /* text = a question, identity = lang, tags, limit -> json:
                            passages, the best first */
    QUERY_AUDIT /* limit, offset, text = what -> json items, total */
};
/* Who looks: what they may see of the journal. */
struct viewer {
    enum role role; /* VISITOR: contact's; AGENT */
    uint64_t id;
    enum agent_role agent_role; /* supervisors and admins see all */
    const uint64_t *teams;      /* in the query's arena */
    size_t team_count;
};
struct channel_window {
    uint64_t channel;
    struct reply_window window;
};
struct query {
    struct mail mail;    /* must be first */
    struct arena *arena; /* owned; the query lies in it */
    enum query_kind kind;
    uint64_t id, conv, channel;
    struct slice tags; /* KB: JSON array, any of them; "" = all */
    struct slice identity, email, password, text; /* text: q= */
    struct viewer viewer;
    uint64_t after_pos, upto_pos; /* (after, upto] */
    uint32_t before_seq, after_seq, skip;
    uint32_t limit, offset;
    int state;        /* -1 = any, else enum conv_state (FLOWS: flow_state) */
    bool by_assignee; /* then assignee (0 = none) counts */
    uint64_t assignee, team;
    bool newest_first, waiting_first;
    const struct channel_window *windows; /* CONVERSATIONS: of channels that
                                             have one; in the arena */
    size_t window_count;
    struct kv kv;
    /* answer, all in the arena */
    int result; /* 0, ERR_NOT_FOUND, ... */
    struct err err;
    struct slice json; /* "[...]" */
    uint64_t total;
    bool more;            /* there is a next page */
    bool recovered;       /* RESUME: complete; false = start over */
    struct event *events; /* chained by next, rising pos */
    uint32_t count;
    struct conversation *conversation;
    struct contact *contact;
    struct agent *agent;
    struct answer *answer;
    struct flow *flow;
    struct dead *dead;
    struct outbox *outbox;
    struct file *file;
    struct article *article;
    struct script_version *version;
    void (*done)(struct query *q); /* on the home loop, exactly once */
    void *owner;
    uint64_t token; /* the asker's */
};
struct query *query_new(enum query_kind kind, void (*done)(struct query *q),
                        void *owner);
void query_free(struct query *q);
