/* SPDX-License-Identifier: Apache-2.0 */
/* record.h - the lasting things to rows and back.
 *
 * Every *_COLUMNS is read by the function of the same name below it, from
 * column `at` on; slices as in got_text. Thread: the connection's.
 */
#pragma once
#include "desk/event.h"
#include "store/db.h"

#define CHANNEL_COLUMNS                                                        \
    "id, type, name, config, secrets, enabled, created_at, updated_at"
void record_channel(struct stmt *s, struct arena *a, struct channel *out);
#define AGENT_COLUMNS                                                          \
    "id, email, name, password, role, max_load, skills, status, enabled, "     \
    "created_at, updated_at"
void record_agent(struct stmt *s, struct arena *a, struct agent *out);
#define TEAM_COLUMNS "id, name, members, created_at, updated_at"
void record_team(struct stmt *s, struct arena *a, struct team *out);
#define TOKEN_COLUMNS "id, digest, agent, name, scopes, created_at, expires_at"
void record_token(struct stmt *s, struct arena *a, struct token *out);
#define ALARM_COLUMNS "id, due_at, conversation, unit, name, data"
void record_alarm(struct stmt *s, struct arena *a, struct alarm *out);
#define CONTACT_COLUMNS                                                        \
    "ct.id, ct.channel, ct.identity, ct.name, ct.email, ct.phone, ct.tier, "   \
    "ct.tags, ct.attributes, ct.created_at, ct.updated_at"
#define CONTACT_COUNT 11
void record_contact(struct stmt *s, int at, struct arena *a,
                    struct contact *out);
/* With its progress, contact and channel. */
#define CONVERSATION_COLUMNS                                                   \
    "c.id, c.channel, c.contact, c.state, c.assignee, c.team, c.priority, "    \
    "c.tags, c.attributes, c.fence, c.created_at, c.updated_at, "              \
    "c.closed_at, c.snoozed_until, c.queued_at, p.last_seq, p.unread, "        \
    "p.agent_read, p.visitor_read, p.last_pos, p.handled, p.last_at, "         \
    "p.waiting_since_at, p.preview, ct.name, ch.type, ct.tier, p.heard_at, "   \
    "p.said, c.bot"
#define CONVERSATION_COUNT 30
#define CONVERSATION_TABLES                                                    \
    "conversation c LEFT JOIN progress p ON p.conv = c.id "                    \
    "LEFT JOIN contact ct ON ct.id = c.contact "                               \
    "LEFT JOIN channel ch ON ch.id = c.channel "
void record_conversation(struct stmt *s, struct arena *a,
                         struct conversation *out);

/* What makes emails equal: ASCII case is folded. */
#define EMAIL_BYTES 320 /* RFC 5321: 64 + 1 + 255 */
struct slice record_email_key(struct slice email, char out[EMAIL_BYTES]);

/* How long an Idempotency-Key is known. */
#define RECORD_ANSWER_MS (24LL * 3600 * 1000)

/* Writes. */
#define RECORD_SCRIPT_STMTS 16
struct record_writer {
    struct db *db;
    struct stmt by_kind[PUT_ANSWER + 1];      /* opened when first wanted */
    struct stmt scripts[RECORD_SCRIPT_STMTS]; /* so too: record_scripts.c */
    struct stmt outbox_put, turn_put;
    int64_t trace_ms; /* how long traces and ended flows are kept */
    int64_t file_ms;  /* how long files are kept after their last use; 0 =
                         for ever */
    uint32_t deads;   /* put since their number was last looked at */
};
void record_writer_init(struct record_writer *w, struct db *db);
void record_writer_fini(struct record_writer *w);
/* PUT_TRACE: not before the events it tells of are appended.
 * ERR_CONFLICT (with the field) leaves the database as it was and the
 * transaction standing; other errors fail it. */
int record_put(struct record_writer *w, const struct put *p, int64_t now_ms,
               struct err *e);
/* Throws away what has run out, at most RECORD_PURGE of each kind. 1 = there
 * may be more, 0 = that was all, or an error. */
#define RECORD_PURGE 1000
int record_purge(struct record_writer *w, int64_t now_ms);
/* The same of one kind: sql has $before and $most. */
int record_purge_old(struct record_writer *w, const char *sql, int64_t before,
                     int most);
