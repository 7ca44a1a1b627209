/* SPDX-License-Identifier: Apache-2.0 */
/* frame.h - what clients say and what they are told, whatever the encoding.
 *
 * net turns bytes (JSON or Protobuf, contract §4) into frames and notices into
 * bytes. Slices of a frame live in the arena that comes with it.
 */
#pragma once
#include "desk/event.h"

enum frame_type {
    FRAME_HELLO,
    FRAME_SEND,
    FRAME_TYPING,
    FRAME_READ,
    FRAME_PING,
    FRAME_HISTORY, /* ours: older messages for who has no REST */
    FRAME_STATUS,  /* ours: an agent's status */
    FRAME_STOP,    /* ours: enough of the answer that is being given */
    FRAME_RECALL,  /* ours: a message is taken back */
    FRAME_WATCH    /* ours: an agent looks on while a bot answers there */
};

struct hello {
    struct slice channel; /* visitors; text id or "default" */
    struct slice token;   /* visitor's or agent's */
    struct slice resume;  /* cursor, "" = none */
    struct slice status;  /* agents */
    struct slice locale;
    struct slice page; /* JSON object text or "" */
    bool has_identity;
    struct slice user_id, name, email, tier, attributes, signature;
    int64_t expires_at;
};

struct frame {
    enum frame_type type;
    struct slice ref;
    uint64_t conv; /* 0 = not given */
    /* send */
    struct slice kind; /* "text", "image", ... already checked */
    struct slice body; /* JSON object of the message: kind and its fields,
                              validated, without sender */
    struct slice text; /* its text, for rules and previews */
    bool is_private;
    /* typing: text; read: seq; history: before, limit */
    uint32_t seq;
    uint32_t before, limit;
    uint64_t message; /* recall: its pos */
    struct slice status;
    struct hello *hello;
};

/* A message as somebody wrote it, whatever the encoding. .at NULL: not given. */
struct message_draft {
    struct slice ref, kind, text, file, name, reply_to, label, address;
    struct slice card; /* JSON object text */
    double lat, lng;
    bool has_point, is_private;
};
/* The one place where a message from outside is judged. Fills those of out:
 * kind body text is_private ref; body is a fresh JSON object without unknown
 * fields, in the arena. lenient (REST): the ref may be left out, and the kind,
 * which then is text. ERR_BAD_REQUEST / ERR_TOOBIG with the field at fault. */
int message_check(struct arena *a, const struct message_draft *in, bool lenient,
                  struct frame *out, struct err *e);
struct json;
/* The same for a JSON object. */
int frame_check_message(const struct json *in, bool lenient, struct arena *a,
                        struct frame *out, struct err *e);

enum notice_type {
    NOTICE_WELCOME,
    NOTICE_ACK,
    NOTICE_EVENT,
    NOTICE_TYPING,
    NOTICE_QUEUE,
    NOTICE_PRESENCE,
    NOTICE_DELTA,
    NOTICE_ERROR,
    NOTICE_RECONNECT,
    NOTICE_PONG,
    NOTICE_HISTORY
};

struct notice {
    enum notice_type type;
    struct slice ref;
    uint64_t conv;
    struct cursor cursor;
    const struct event *event; /* EVENT; ACK: id, seq, at, flags of it */
    bool duplicate, recovered, more;
    int code;           /* ERROR: ERR_*; */
    struct slice field; /* ERROR: the one at fault, if one is */
    struct slice text;  /* ERROR message, TYPING text, RECONNECT reason,
                                   DELTA text, STATUS text of PRESENCE */
    int64_t after_ms;   /* RECONNECT, ERROR retry_after_ms; 0 = none */
    enum role who_role; /* TYPING; WELCOME: you */
    uint64_t who;
    struct slice who_name;
    uint32_t position; /* QUEUE */
    int64_t eta_ms;
    struct slice stream; /* DELTA */
    uint32_t index;
    bool whole;         /* DELTA: all up to this index, for who came later */
    struct slice items; /* HISTORY: JSON array text */
    /* WELCOME */
    uint64_t session;
    struct slice token;                      /* visitors */
    const struct conversation *conversation; /* NULL = none */
    int64_t heartbeat_ms, server_at;
    uint32_t text_bytes, file_bytes, frames_per_s;
    int64_t recall_ms;
    /* Encoded once, kept by net in the notice for the next recipient. */
    struct slice as_json, as_pb;
    struct arena *arena; /* where net may keep them; borrowed */
};
