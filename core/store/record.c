/* SPDX-License-Identifier: Apache-2.0 */
/* record.c - channels, agents, contacts and the rest: a table a kind.
 *
 * Happy path: the kind names its statement, its fields are put in order, one
 * step. Failure modes: a value that must be unique and is not (an agent's
 * email, a contact's identity, an Idempotency-Key) is ERR_CONFLICT naming the
 * field; SQLite undoes that one statement by itself.
 */
#include "store/record.h"
#include "base/limits.h"
#include "store/kb/kb.h"
#include "store/record_assist.h"
#include "store/record_files.h"
#include "store/record_outbox.h"
#include "store/record_recall.h"
#include "store/record_scripts.h"
#include <ctype.h>

/* -- rows --------------------------------------------------------------- */

void record_channel(struct stmt *s, struct arena *a, struct channel *out)
{
    *out = (struct channel){.id = got_u64(s, 0),
                            .type = got_text(s, 1, a),
                            .name = got_text(s, 2, a),
                            .config = got_text(s, 3, a),
                            .secrets = got_text(s, 4, a),
                            .enabled = got_i64(s, 5) != 0,
                            .created_at = got_i64(s, 6),
                            .updated_at = got_i64(s, 7)};
}

void record_agent(struct stmt *s, struct arena *a, struct agent *out)
{
    *out = (struct agent){.id = got_u64(s, 0),
                          .email = got_text(s, 1, a),
                          .name = got_text(s, 2, a),
                          .password = got_text(s, 3, a),
                          .role = (enum agent_role)got_i64(s, 4),
                          .max_load = (int32_t)got_i64(s, 5),
                          .skills = got_text(s, 6, a),
                          .status = (enum agent_status)got_i64(s, 7),
                          .enabled = got_i64(s, 8) != 0,
                          .created_at = got_i64(s, 9),
                          .updated_at = got_i64(s, 10)};
}

void record_team(struct stmt *s, struct arena *a, struct team *out)
{
    *out = (struct team){.id = got_u64(s, 0),
                         .name = got_text(s, 1, a),
                         .members = got_text(s, 2, a),
                         .created_at = got_i64(s, 3),
                         .updated_at = got_i64(s, 4)};
}

void record_token(struct stmt *s, struct arena *a, struct token *out)
{
    *out = (struct token){.id = got_u64(s, 0),
                          .agent = got_u64(s, 2),
                          .name = got_text(s, 3, a),
                          .scopes = got_text(s, 4, a),
                          .created_at = got_i64(s, 5),
                          .expires_at = got_i64(s, 6)};
    /* Of another length it stays all zero, which no secret's digest is. */
    (void)got_bytes(s, 1, out->digest, sizeof out->digest);
}

void record_alarm(struct stmt *s, struct arena *a, struct alarm *out)
{
    *out = (struct alarm){.id = got_u64(s, 0),
                          .due_at = got_i64(s, 1),
                          .conversation = got_u64(s, 2),
                          .unit = got_text(s, 3, a),
                          .name = got_text(s, 4, a),
                          .data = got_text(s, 5, a)};
}

void record_contact(struct stmt *s, int at, struct arena *a,
                    struct contact *out)
{
    *out = (struct contact){.id = got_u64(s, at),
                            .channel = got_u64(s, at + 1),
                            .identity = got_text(s, at + 2, a),
                            .name = got_text(s, at + 3, a),
                            .email = got_text(s, at + 4, a),
                            .phone = got_text(s, at + 5, a),
                            .tier = got_text(s, at + 6, a),
                            .tags = got_text(s, at + 7, a),
                            .attributes = got_text(s, at + 8, a),
                            .created_at = got_i64(s, at + 9),
                            .updated_at = got_i64(s, at + 10)};
}

void record_conversation(struct stmt *s, struct arena *a,
                         struct conversation *out)
{
    *out = (struct conversation){
        .id = got_u64(s, 0),
        .channel = got_u64(s, 1),
        .contact = got_u64(s, 2),
        .state = (enum conv_state)got_i64(s, 3),
        .assignee = got_u64(s, 4),
        .team = got_u64(s, 5),
        .priority = (int32_t)got_i64(s, 6),
        .tags = got_text(s, 7, a),
        .attributes = got_text(s, 8, a),
        .fence = got_u32(s, 9),
        .created_at = got_i64(s, 10),
        .updated_at = got_i64(s, 11),
        .closed_at = got_i64(s, 12),
        .snoozed_until = got_i64(s, 13),
        .queued_at = got_i64(s, 14),
        .last_seq = got_u32(s, 15),
        .unread = got_u32(s, 16),
        .agent_read = got_u32(s, 17),
        .visitor_read = got_u32(s, 18),
        .last_pos = got_u64(s, 19),
        .handled = got_u64(s, 20),
        .last_at = got_i64(s, 21),
        .waiting_since_at = got_i64(s, 22),
        .preview = got_text(s, 23, a),
        .contact_name = got_text(s, 24, a),
        .channel_type = got_text(s, 25, a),
        .contact_tier = got_text(s, 26, a),
        .heard_at = got_i64(s, 27),
        .said = got_u32(s, 28),
        .bot = got_text(s, 29, a),
    };
    if (out->last_at > out->updated_at)
        out->updated_at = out->last_at;
}

/* -- writes: the statements --------------------------------------------- */

static const struct {
    const char *sql, *names;
} statements[PUT_ANSWER + 1] = {
    [PUT_CONVERSATION] =
        {"INSERT INTO conversation (id, channel, contact, state, assignee, "
         "team, priority, tags, attributes, fence, created_at, updated_at, "
         "closed_at, snoozed_until, queued_at, bot) VALUES ($id, $channel, "
         "$contact, $state, $assignee, $team, $priority, $tags, $attributes, "
         "$fence, $created_at, $updated_at, $closed_at, $snoozed_until, "
         "$queued_at, $bot) ON CONFLICT (id) DO UPDATE SET "
         "channel = excluded.channel, contact = excluded.contact, "
         "state = excluded.state, assignee = excluded.assignee, "
         "team = excluded.team, priority = excluded.priority, "
         "tags = excluded.tags, attributes = excluded.attributes, "
         "fence = excluded.fence, created_at = excluded.created_at, "
         "updated_at = excluded.updated_at, closed_at = excluded.closed_at, "
         "snoozed_until = excluded.snoozed_until, "
         "queued_at = excluded.queued_at, bot = excluded.bot",
         "id channel contact state assignee team priority tags attributes "
         "fence created_at updated_at closed_at snoozed_until queued_at bot"},
    [PUT_CONTACT] =
        {"INSERT INTO contact (id, channel, identity, name, email, phone, "
         "tier, tags, attributes, created_at, updated_at) VALUES ($id, "
         "$channel, $identity, $name, $email, $phone, $tier, $tags, "
         "$attributes, $created_at, $updated_at) "
         "ON CONFLICT (id) DO UPDATE SET channel = excluded.channel, "
         "identity = excluded.identity, name = excluded.name, "
         "email = excluded.email, phone = excluded.phone, "
         "tier = excluded.tier, tags = excluded.tags, "
         "attributes = excluded.attributes, created_at = excluded.created_at, "
         "updated_at = excluded.updated_at",
         "id channel identity name email phone tier tags attributes "
         "created_at updated_at"},
    [PUT_AGENT] =
        {"INSERT INTO agent (id, email, email_key, name, password, role, "
         "max_load, skills, status, enabled, created_at, updated_at) VALUES "
         "($id, $email, $email_key, $name, $password, $role, $max_load, "
         "$skills, $status, $enabled, $created_at, $updated_at) "
         "ON CONFLICT (id) DO UPDATE SET email = excluded.email, "
         "email_key = excluded.email_key, name = excluded.name, "
         "password = excluded.password, role = excluded.role, "
         "max_load = excluded.max_load, skills = excluded.skills, "
         "status = excluded.status, enabled = excluded.enabled, "
         "created_at = excluded.created_at, updated_at = excluded.updated_at",
         "id email email_key name password role max_load skills status "
         "enabled created_at updated_at"},
    [PUT_CHANNEL] =
        {"INSERT INTO channel (id, type, name, config, secrets, enabled, "
         "created_at, updated_at) VALUES ($id, $type, $name, $config, "
         "$secrets, $enabled, $created_at, $updated_at) "
         "ON CONFLICT (id) DO UPDATE SET type = excluded.type, "
         "name = excluded.name, config = excluded.config, "
         "secrets = excluded.secrets, enabled = excluded.enabled, "
         "created_at = excluded.created_at, updated_at = excluded.updated_at",
         "id type name config secrets enabled created_at updated_at"},
    [PUT_TEAM] =
        {"INSERT INTO team (id, name, members, created_at, updated_at) "
         "VALUES ($id, $name, $members, $created_at, $updated_at) "
         "ON CONFLICT (id) DO UPDATE SET name = excluded.name, "
         "members = excluded.members, created_at = excluded.created_at, "
         "updated_at = excluded.updated_at",
         "id name members created_at updated_at"},
    [PUT_TOKEN] =
        {"INSERT INTO token (id, digest, agent, name, scopes, created_at, "
         "expires_at) VALUES ($id, $digest, $agent, $name, $scopes, "
         "$created_at, $expires_at) "
         "ON CONFLICT (id) DO UPDATE SET digest = excluded.digest, "
         "agent = excluded.agent, name = excluded.name, "
         "scopes = excluded.scopes, created_at = excluded.created_at, "
         "expires_at = excluded.expires_at",
         "id digest agent name scopes created_at expires_at"},
    [PUT_ALARM] =
        {"INSERT INTO alarm (id, due_at, conversation, unit, name, data) "
         "VALUES ($id, $due_at, $conversation, $unit, $name, $data) "
         "ON CONFLICT (id) DO UPDATE SET due_at = excluded.due_at, "
         "conversation = excluded.conversation, unit = excluded.unit, "
         "name = excluded.name, data = excluded.data",
         "id due_at conversation unit name data"},
    [PUT_KV] =
        {"INSERT INTO kv (space, name, value, expires_at) "
         "VALUES ($space, $name, $value, $expires_at) "
         "ON CONFLICT (space, name) DO UPDATE SET value = excluded.value, "
         "expires_at = excluded.expires_at",
         "space name value expires_at"},
    [DEL_AGENT] = {"DELETE FROM agent WHERE id = $id", "id"},
    [DEL_CHANNEL] = {"DELETE FROM channel WHERE id = $id", "id"},
    [DEL_TEAM] = {"DELETE FROM team WHERE id = $id", "id"},
    [DEL_TOKEN] = {"DELETE FROM token WHERE id = $id", "id"},
    [DEL_ALARM] = {"DELETE FROM alarm WHERE id = $id", "id"},
    [DEL_KV] = {"DELETE FROM kv WHERE space = $space AND name = $name",
                "space name"},
    /* The first answer stays, unless it has run out. */
    [PUT_ANSWER] =
        {"INSERT INTO answer (name, digest, status, body, created_at) "
         "VALUES ($name, $digest, $status, $body, $created_at) "
         "ON CONFLICT (name) DO UPDATE SET digest = excluded.digest, "
         "status = excluded.status, body = excluded.body, "
         "created_at = excluded.created_at "
         "WHERE answer.created_at < $gone",
         "name digest status body created_at gone"},
};

void record_writer_init(struct record_writer *w, struct db *db)
{
    *w = (struct record_writer){
        .db = db, .trace_ms = LIMIT_TRACE_DAYS * 24LL * 3600 * 1000};
}

void record_writer_fini(struct record_writer *w)
{
    for (int i = 0; i <= PUT_ANSWER; i++)
        stmt_close(&w->by_kind[i]);
    stmt_close(&w->outbox_put);
    stmt_close(&w->turn_put);
    for (int i = 0; i < RECORD_SCRIPT_STMTS; i++)
        stmt_close(&w->scripts[i]);
}

/* -- writes: the fields ------------------------------------------------- */

static void put_conversation(struct stmt *s, const struct conversation *c)
{
    put_u64(s, c->id);
    put_u64(s, c->channel);
    put_u64(s, c->contact);
    put_i64(s, c->state);
    put_u64(s, c->assignee);
    put_u64(s, c->team);
    put_i64(s, c->priority);
    put_text(s, c->tags);
    put_text(s, c->attributes);
    put_i64(s, c->fence);
    put_i64(s, c->created_at);
    put_i64(s, c->updated_at);
    put_i64(s, c->closed_at);
    put_i64(s, c->snoozed_until);
    put_i64(s, c->queued_at);
    put_text(s, c->bot);
}

static void put_contact(struct stmt *s, const struct contact *c)
{
    put_u64(s, c->id);
    put_u64(s, c->channel);
    put_text(s, c->identity);
    put_text(s, c->name);
    put_text(s, c->email);
    put_text(s, c->phone);
    put_text(s, c->tier);
    put_text(s, c->tags);
    put_text(s, c->attributes);
    put_i64(s, c->created_at);
    put_i64(s, c->updated_at);
}

struct slice record_email_key(struct slice email, char out[EMAIL_BYTES])
{
    size_t n = email.len < EMAIL_BYTES ? email.len : EMAIL_BYTES;
    for (size_t i = 0; i < n; i++)
        out[i] = (char)tolower((unsigned char)email.at[i]);
    return (struct slice){out, n};
}

static void put_agent(struct stmt *s, const struct agent *a, struct slice key)
{
    put_u64(s, a->id);
    put_text(s, a->email);
    put_text(s, key);
    put_text(s, a->name);
    put_text(s, a->password);
    put_i64(s, a->role);
    put_i64(s, a->max_load);
    put_text(s, a->skills);
    put_i64(s, a->status);
    put_i64(s, a->enabled);
    put_i64(s, a->created_at);
    put_i64(s, a->updated_at);
}

static void put_channel(struct stmt *s, const struct channel *c)
{
    put_u64(s, c->id);
    put_text(s, c->type);
    put_text(s, c->name);
    put_text(s, c->config);
    put_text(s, c->secrets);
    put_i64(s, c->enabled);
    put_i64(s, c->created_at);
    put_i64(s, c->updated_at);
}

static void put_team(struct stmt *s, const struct team *t)
{
    put_u64(s, t->id);
    put_text(s, t->name);
    put_text(s, t->members);
    put_i64(s, t->created_at);
    put_i64(s, t->updated_at);
}

static void put_token(struct stmt *s, const struct token *t)
{
    put_u64(s, t->id);
    put_blob(s, t->digest, sizeof t->digest);
    put_u64(s, t->agent);
    put_text(s, t->name);
    put_text(s, t->scopes);
    put_i64(s, t->created_at);
    put_i64(s, t->expires_at);
}

static void put_alarm(struct stmt *s, const struct alarm *a)
{
    put_u64(s, a->id);
    put_i64(s, a->due_at);
    put_u64(s, a->conversation);
    put_text(s, a->unit);
    put_text(s, a->name);
    put_text(s, a->data);
}

static void put_kv(struct stmt *s, const struct kv *kv)
{
    put_text(s, kv->space);
    put_text(s, kv->key);
    put_text(s, kv->value);
    put_i64(s, kv->expires_at);
}

static void put_answer(struct stmt *s, const struct answer *a, int64_t now_ms)
{
    put_text(s, a->key);
    put_blob(s, a->digest, sizeof a->digest);
    put_i64(s, a->status);
    put_text(s, a->body);
    put_i64(s, now_ms);
    put_i64(s, now_ms - RECORD_ANSWER_MS);
}

static void put_fields(struct stmt *s, const struct put *p, int64_t now_ms,
                       char key[EMAIL_BYTES])
{
    switch (p->kind) {
    case PUT_CONVERSATION:
        put_conversation(s, p->conversation);
        break;
    case PUT_CONTACT:
        put_contact(s, p->contact);
        break;
    case PUT_AGENT:
        put_agent(s, p->agent, record_email_key(p->agent->email, key));
        break;
    case PUT_CHANNEL:
        put_channel(s, p->channel);
        break;
    case PUT_TEAM:
        put_team(s, p->team);
        break;
    case PUT_TOKEN:
        put_token(s, p->token);
        break;
    case PUT_ALARM:
        put_alarm(s, p->alarm);
        break;
    case PUT_KV:
        put_kv(s, p->kv);
        break;
    case DEL_KV:
        put_text(s, p->kv->space);
        put_text(s, p->kv->key);
        break;
    case PUT_ANSWER:
        put_answer(s, p->answer, now_ms);
        break;
    default:
        put_u64(s, p->id);
    }
}

static int conflict(enum put_kind kind, struct err *e)
{
    switch (kind) {
    case PUT_AGENT:
        return err_field(e, ERR_CONFLICT, "email",
                         "another agent has this email");
    case PUT_CONTACT:
        return err_field(e, ERR_CONFLICT, "identities",
                         "another contact of the channel has this identity");
    case PUT_ANSWER:
        return err_field(e, ERR_CONFLICT, "Idempotency-Key",
                         "this key was used before");
    default:
        return err_set(e, ERR_CONFLICT, "it exists already");
    }
}

int record_put(struct record_writer *w, const struct put *p, int64_t now_ms,
               struct err *e)
{
    if (record_is_article(p->kind))
        return record_put_article(w, p, e);
    if (record_is_outbox(p->kind))
        return record_put_outbox(w, p, e);
    if (record_is_file(p->kind))
        return record_put_file(w, p, e);
    if (p->kind == PUT_LEFT)
        return record_put_left(w, p->left, e);
    if (record_is_assist(p->kind))
        return record_put_assist(w, p, e);
    if (record_is_scripts(p->kind))
        return record_put_scripts(w, p, now_ms, e);
    must(p->kind <= PUT_ANSWER);
    struct stmt *s = &w->by_kind[p->kind];
    char key[EMAIL_BYTES];
    int r = 0;
    if (!s->h)
        r = stmt_open(w->db, statements[p->kind].sql, statements[p->kind].names,
                      s);
    if (r == 0) {
        put_fields(s, p, now_ms, key);
        r = stmt_run(s);
    }
    if (r == ERR_CONFLICT ||
        (r == 0 && p->kind == PUT_ANSWER && db_changes(w->db) == 0))
        return conflict(p->kind, e);
    return r < 0 ? err_set(e, r, "%s", w->db->err.text) : 0;
}

int record_purge_old(struct record_writer *w, const char *sql, int64_t before,
                     int most)
{
    struct stmt s;
    int r = stmt_open(w->db, sql, "before most", &s);
    if (r == 0) {
        put_i64(&s, before);
        put_i64(&s, most);
        r = stmt_run(&s);
    }
    stmt_close(&s);
    return r < 0 ? r : db_changes(w->db) >= most;
}

int record_purge(struct record_writer *w, int64_t now_ms)
{
    int answers =
        record_purge_old(w,
                         "DELETE FROM answer WHERE name IN (SELECT name FROM "
                         "answer WHERE created_at < $before LIMIT $most)",
                         now_ms - RECORD_ANSWER_MS, RECORD_PURGE);
    if (answers < 0)
        return answers;
    int kvs =
        record_purge_old(w,
                         "DELETE FROM kv WHERE (space, name) IN (SELECT space, "
                         "name FROM kv WHERE expires_at <> 0 AND "
                         "expires_at < $before LIMIT $most)",
                         now_ms, RECORD_PURGE);
    if (kvs < 0)
        return kvs;
    int scripts = record_purge_scripts(w, now_ms);
    if (scripts < 0)
        return scripts;
    int outbox = record_purge_outbox(w, now_ms);
    if (outbox < 0)
        return outbox;
    int files = record_purge_files(w, now_ms);
    if (files < 0)
        return files;
    int turns = record_purge_turns(w, now_ms);
    if (turns < 0)
        return turns;
    int confirms = record_purge_confirms(w, now_ms);
    if (confirms < 0)
        return confirms;
    return answers || kvs || scripts || outbox || files || turns || confirms;
}
