/* SPDX-License-Identifier: Apache-2.0 */
/* api.h - REST: one request on its way, and what every resource needs.
 *
 * Happy path: the router finds the route, the caller is known and allowed, the
 * body is checked against the route's fields, an Idempotency-Key is looked up,
 * then the resource's function runs and replies exactly once, at once or
 * later. Failure: every refusal is the contract's error object.
 *
 * Thread: main.   A call lives in its request's arena, until the reply.
 */
#pragma once
#include "app/api/route.h"

#define CALL_ARGS 3
#define REPLY_MAX (8 * 1024 * 1024)

/* --- a call --- */
struct call {
    struct server *s;
    struct http_req *r;
    struct arena *a;
    const struct route *route;
    struct caller who;
    uint64_t visitor, visitor_channel; /* ACCESS_VISITOR: by their token */
    struct slice args[CALL_ARGS];
    struct json *body; /* an object, checked; NULL without a body */
    struct err err;
    struct buf out; /* what will be sent */
    struct jsonw w;
    int status;
    struct slice headers;
    struct list link; /* polls, waiting logins */
    struct timer timer;
    struct slice idem_key; /* scoped by caller; "" = none */
    unsigned char idem_digest[32];
    uint64_t idem_hash;
    bool idem_kept;    /* goes into the tx already */
    struct slice stub; /* what is kept instead of the body */
    void (*next)(struct call *c);
    void (*applied)(struct call *c, struct tx *tx);
    uint64_t id; /* the resource's own notes */
    struct slice text;
    int64_t number;
    void *own;
};
/* Takes the request: the whole way described above. */
void api_answer(struct server *s, struct http_req *r);
/* Answers what waits (long polls), because the server stops. */
void api_stop(struct server *s);
/* The journal has grown or time has passed. */
void api_wake_polls(struct server *s);
/* The admin of the first start is there: logins go on. */
void api_founded(struct server *s);

/* caller.c: finds who calls, then goes on with next; replies 401 itself. */
void caller_find(struct call *c, void (*next)(struct call *c));
/* What the caller may see; the machine's own user (agent 0) all. */
void caller_viewer(struct call *c, struct arena *a, struct viewer *out);
bool caller_may_see(const struct call *c, const struct conversation *v);
/* "1.2.3.4": loopback callers may use plain keys. */
bool caller_is_local(const struct call *c);

/* body.c */
int body_check(struct call *c);
/* The name must be one of the route's fields. */
const struct json *body_get(const struct call *c, const char *name);
int64_t body_int(const struct call *c, const char *name, int64_t otherwise);
bool body_bool(const struct call *c, const char *name, bool otherwise);
struct slice body_text(const struct call *c, const char *name);
/* A list of texts as JSON in the arena, or `otherwise` if not given. */
struct slice body_json(const struct call *c, const char *name,
                       struct slice otherwise);

/* idem.c: looks for the first answer; runs next if there is none. */
void idem_begin(struct call *c, void (*next)(struct call *c));
void idem_keep(struct call *c, struct tx *tx); /* the answer in c->out */
void idem_end(struct call *c);

/* reply.c: each sends the reply and ends the call. */
void reply_fail(struct call *c, int code, const char *field, const char *fmt,
                ...) __attribute__((format(printf, 4, 5)));
void reply_error(struct call *c, const struct err *e);
void reply_missing(struct call *c, const char *what); /* 404 */
struct jsonw *reply_begin(struct call *c);
void reply_send(struct call *c, int status); /* what was written */
void reply_none(struct call *c);             /* 204 */
/* Commits tx with the answer already written; on success applied(c, tx), the
 * events are announced and the answer goes out. Takes tx. */
void reply_commit(struct call *c, struct tx *tx, int status,
                  void (*applied)(struct call *c, struct tx *tx));
/* acts.c: the caller's act on the conversation in the path, NULL after a 404;
 * act_go takes it. In its done, act_came gives the call back; NULL if it was
 * refused: then the call is answered and the act is freed. */
struct act *act_of_call(struct call *c, enum act_kind kind,
                        void (*done)(struct act *act));
void act_go(struct call *c, struct act *act);
struct call *act_came(struct act *act);
/* Id in the path: false after a 404. */
bool call_id(struct call *c, int arg, const char *prefix, const char *what,
             uint64_t *id);
/* An id in the body or the query as text; 0 and a 422 if it is none. */
void put_id(struct jsonw *w, const char *key, const char *prefix, uint64_t id);

/* Lists. */
struct page {
    uint32_t limit, offset;
};
bool page_read(struct call *c, struct page *p); /* false after a 400 */
void page_next(struct call *c, const struct page *p, uint64_t total);
/* A query's done: its json items as a page; takes q, whose owner is the call. */
void reply_page(struct query *q);
/* Sorts rows by their first member (an id), filters by wanted, writes a page. */
struct rows {
    const void **at;
    size_t count, max;
};
void rows_add(struct call *c, struct rows *r, const void *row);
void rows_reply(struct call *c, struct rows *r,
                void (*write)(struct call *c, struct jsonw *w,
                              const void *row));
/* q= in any of n texts, without regard to ASCII case; true without q. */
bool query_matches(struct call *c, const struct slice *texts, size_t n);

/* Shapes others need. */
void agent_write(struct call *c, struct jsonw *w, const struct agent *a);
/* An event by the caller, body = what write() wrote last (borrowed). */
struct event *call_event(struct call *c, struct tx *tx, enum event_name name,
                         struct slice body);
struct agent *agent_copy(struct arena *a, const struct agent *from);
/* Loads the conversation of args[0]; next runs if the caller may see it. The
 * record is in c->own during next. */
void conversation_load(struct call *c,
                       void (*next)(struct call *c,
                                    const struct conversation *v));
/* The same for this one; c->own is used for it. */
void conversation_load_id(struct call *c, uint64_t id,
                          void (*next)(struct call *c,
                                       const struct conversation *v));
/* Who did what, into the tx: "flow.cancel" about "fl_...". data: JSON or "". */
void audit_put(struct call *c, struct tx *tx, const char *what,
               struct slice about, struct slice data);
