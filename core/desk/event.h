/* SPDX-License-Identifier: Apache-2.0 */
/* event.h - what came in or was decided, and what commits together.
 *
 * An event is one row of the journal (house §1). The store gives it pos, seq
 * and at; until then they are 0. A `tx` is one transaction: events and record
 * changes that become lasting together or not at all (I3).
 *
 * Wire shape: contract §3. Body is a JSON object with everything but id, seq,
 * ref and at, which are columns; event_write_data puts them together.
 */
#pragma once
#include "base/err.h"
#include "base/mail.h"
#include "desk/run.h"

enum event_name {
    EVENT_NONE,
    EVENT_MESSAGE_CREATED = 1,
    EVENT_MESSAGE_UPDATED = 2, /* recalled: body {"id","seq","recalled",…} */
    EVENT_MESSAGE_STATUS = 3,  /* body {"seq","status","by"} */
    EVENT_CONVERSATION_CREATED = 10,
    EVENT_CONVERSATION_UPDATED = 11,
    EVENT_CONVERSATION_ASSIGNED = 12,
    EVENT_CONVERSATION_CLOSED = 13,
    EVENT_CONTACT_UPDATED = 20,
    EVENT_AGENT_UPDATED = 30,
    EVENT_CHANNEL_UPDATED = 40,
    EVENT_TEAM_UPDATED = 41,
    EVENT_HANDLED = 60, /* inside only: scripts handled `cause`, no effect */
};
const char *event_name_text(enum event_name n); /* "message.created" */
bool event_is_public(enum event_name n);        /* false for HANDLED */

enum {
    EVENT_PRIVATE = 1,   /* an agents' note: never to visitors */
    EVENT_DUPLICATE = 2, /* told by the store: this ref was stored before */
    EVENT_DOOR = 4,      /* so too, in a resume: with it the agent began to see
                            the conversation */
    EVENT_OUTSIDE = 8,   /* not kept: it was said on the platform itself, so its
                            visitor has it (outside.c) */
};

/* preview.c: a message's body in a line for lists, "[image] photo.jpg" without
 * a text; its length, 0 = nothing to show. */
#define PREVIEW_BYTES 120
#define PREVIEW_RECALLED "[recalled]" /* it was taken back */
uint32_t preview_of(struct slice body, char out[PREVIEW_BYTES]);
/* Its text alone: the preview as it was once. */
uint32_t preview_of_text(struct slice body, char out[PREVIEW_BYTES]);

struct event {
    struct event *next; /* in its tx */
    uint64_t pos;       /* rising, given by the store */
    int64_t at;         /* ms, given by the store if 0 */
    uint64_t conv;      /* 0 = of no conversation */
    uint32_t seq;       /* messages only, given by the store */
    enum event_name name;
    enum role role;
    uint64_t sender; /* contact or agent id, 0 = the house */
    uint64_t cause;  /* pos of the event whose handling made this one: the
                             handled mark (I3); 0 = none */
    unsigned flags;
    uint64_t file;     /* messages: the one named in the body, which the store
                      binds (record_files.h); 0 = none */
    struct slice ref;  /* messages: idempotency, unique per sender */
    struct slice body; /* JSON object */
};

/* A change of a record, in the same transaction. */
enum put_kind {
    PUT_CONVERSATION,
    PUT_CONTACT,
    PUT_AGENT,
    PUT_CHANNEL,
    PUT_TEAM,
    PUT_TOKEN,
    PUT_ALARM,
    PUT_KV, /* insert or replace */
    DEL_AGENT,
    DEL_CHANNEL,
    DEL_TEAM,
    DEL_TOKEN,
    DEL_ALARM,
    DEL_KV,
    PUT_ANSWER, /* first answer to an Idempotency-Key */
    PUT_FLOW,
    PUT_TRACE,
    PUT_DEAD,
    DEL_DEAD,
    PUT_VERSION, /* insert or replace by unit and version; the oldest go */
    PUT_AUDIT,
    PUT_OUTBOX,
    DEL_OUTBOX,
    PUT_FILE, /* insert */
    PUT_ASSISTANT,
    DEL_ASSISTANT,
    PUT_TURN,
    PUT_CONFIRM,
    PUT_ARTICLE,
    DEL_ARTICLE,
    PUT_LEFT, /* of an event's body only this is left; ERR_CONFLICT: it was
                 done before */
    KV_SWAP   /* kv.value for kv.was, else the tx fails with ERR_CONFLICT */
};
struct kv {
    struct slice space;      /* the unit's name, or "app" */
    struct slice key, value; /* value: JSON */
    struct slice was;        /* KV_SWAP: expected value, "" = there is none */
    int64_t expires_at;      /* 0 = never */
};
struct left {
    uint64_t pos, conv, file; /* file: its own, 0 = none */
    uint64_t last_pos;        /* the store's own: of the conversation */
    struct slice body;
};
struct answer {               /* contract §2, Idempotency-Key; kept 24 h */
    struct slice key;         /* caller and key */
    unsigned char digest[32]; /* of method, path, body */
    int32_t status;
    struct slice body;
};
struct put {
    struct put *next;
    enum put_kind kind;
    uint64_t id; /* DEL_* by id */
    union {
        struct conversation *conversation;
        struct contact *contact;
        struct agent *agent;
        struct channel *channel;
        struct team *team;
        struct token *token;
        struct alarm *alarm;
        struct kv *kv;
        struct answer *answer;
        struct flow *flow;
        struct trace *trace;
        struct dead *dead;
        struct script_version *version;
        struct audit *audit;
        struct outbox *outbox;
        struct file *file;
        struct assistant *assistant;
        struct turn *turn;
        struct confirm *confirm;
        struct article *article;
        struct left *left;
    };
};

/* One transaction. Everything in it lives in its arena. The owner of the tx
 * frees it by tx_free. Given to the store, it comes back by done(tx) on the
 * main loop, exactly once, with `result` 0 or ERR_*. If any message's
 * (sender, ref) was stored before, nothing of the tx is committed: result is 0
 * and that event has EVENT_DUPLICATE with the first one's conv, pos, seq, at. */
struct tx {
    struct mail mail;    /* must be first */
    struct arena *arena; /* owned; the tx itself lies in it */
    struct event *first, *last;
    struct put *puts, *puts_last;
    uint32_t count; /* of events */
    int refuse;     /* ERR_* with err: stored never, but a ref that was stored
                   before is told as usual; 0 = no */
    int result;
    struct err err;
    int64_t begun_us; /* when it was made (meters) */
    void (*done)(struct tx *tx);
    void *owner;    /* the maker's */
    uint64_t token; /* the maker's */
    void *job;      /* the maker's */
};
struct tx *tx_new(void (*done)(struct tx *tx), void *owner);
struct tx *tx_new_in(struct arena *a, void (*done)(struct tx *tx), void *owner);
void tx_free(struct tx *tx);
struct event *tx_event(struct tx *tx, enum event_name name); /* appended */
struct put *tx_put(struct tx *tx, enum put_kind kind);

/* The position outside: epoch and pos, opaque, text order = order. sub says
 * how much of the backlog behind an assignment was shown (delivery.c). */
#define CURSOR_TEXT 40
struct cursor {
    uint64_t epoch, pos;
    uint32_t sub;
};
struct slice cursor_text(char out[CURSOR_TEXT], struct cursor c);
bool cursor_parse(struct slice text, struct cursor *out);

/* {"id":…,"seq":…,"at":…,"ref":…, body…}: "data" of contract §3. */
int event_write_data(struct buf *out, const struct event *ev);
/* {"event":…,"cursor":…,"at":…,"conversation":…,"data":…}; with_type adds
 * "type":"event" in front, the socket's frame. */
int event_write(struct buf *out, const struct event *ev, struct cursor at,
                bool with_type);
/* {"type":"ack","ref":…}: the socket's frame that ev is on disk (contract §4). */
int event_write_ack(struct buf *out, const struct event *ev, struct slice ref,
                    struct cursor at, bool duplicate);
/* Until when its platform takes answers, by its window; 0 = the visitor has not
 * written yet. */
int64_t window_until(const struct conversation *c);
/* The conversation object of contract §2, as in conversation.* events. */
int conversation_write(struct buf *out, const struct conversation *c);
/* The contact object of contract §2, as in contact.updated. */
struct jsonw;
void contact_write(struct jsonw *w, const struct contact *c);
/* The file object of messages and of the files resource. */
void file_put_json(struct jsonw *w, const struct file *f);
/* The article object; body_as: "body", or what part of it is there. */
void article_write(struct jsonw *w, const struct article *a,
                   const char *body_as);
