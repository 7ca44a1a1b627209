/* SPDX-License-Identifier: Apache-2.0 */
/* agents.c - the people who answer.
 *
 * Happy path: a copy of the record is changed, committed with agent.updated,
 * then the desk learns of it. Passwords are hashed on a reader thread first.
 * Failure: an email in use is 409; the last admin can be neither deleted,
 * disabled nor demoted.
 */
#include "app/api/api.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"

#define LOAD_DEFAULT 10
#define LOAD_MAX 1000
#define PASSWORD_MAX 1000

/* As it will be when this call is done; offline without a socket. */
static enum agent_status status_of(struct call *c, const struct agent *a)
{
    enum agent_status now = desk_presence(c->s->desk, a->id);
    bool changes = c->number && now != AGENT_OFFLINE;
    return changes ? (enum agent_status)(c->number - 1) : now;
}

void agent_write(struct call *c, struct jsonw *w, const struct agent *a)
{
    jsonw_open(w, '{');
    put_id(w, "id", ID_AGENT, a->id);
    jsonw_put_text(w, "email", a->email);
    jsonw_put_text(w, "name", a->name);
    jsonw_put_text(w, "role", slice_of(agent_role_name(a->role)));
    jsonw_put_int(w, "max_load", a->max_load);
    jsonw_put_raw(w, "skills", a->skills.len ? a->skills : SLICE("[]"));
    jsonw_put_text(w, "status", slice_of(agent_status_name(status_of(c, a))));
    jsonw_put_int(w, "load", desk_load(c->s->desk, a->id));
    jsonw_put_bool(w, "enabled", a->enabled);
    jsonw_put_int(w, "created_at", a->created_at);
    jsonw_put_int(w, "updated_at", a->updated_at);
    jsonw_close(w, '}');
}

static void write_row(struct call *c, struct jsonw *w, const void *row)
{
    agent_write(c, w, row);
}

struct agent *agent_copy(struct arena *a, const struct agent *from)
{
    struct agent *copy = arena_one(a, struct agent);
    *copy = *from;
    copy->email = slice_dup(a, from->email);
    copy->name = slice_dup(a, from->name);
    copy->password = slice_dup(a, from->password);
    copy->skills = slice_dup(a, from->skills);
    return copy;
}

static void list(struct call *c)
{
    struct rows rows = {0};
    struct slice text;
    enum agent_status status = AGENT_OFFLINE;
    bool by_status = http_query(c->r, "status", &text) && text.len;
    if (by_status && !agent_status_find(text, &status)) {
        reply_fail(c, ERR_BAD_REQUEST, "status",
                   "status must be online, busy, away or offline");
        return;
    }
    const struct agent *a;
    for (size_t i = 0; (a = desk_next_agent(c->s->desk, &i)) != NULL;) {
        struct slice in[] = {a->name, a->email};
        if (query_matches(c, in, 2) &&
            (!by_status || desk_presence(c->s->desk, a->id) == status)) {
            rows_add(c, &rows, a);
        }
    }
    rows_reply(c, &rows, write_row);
}

static const struct agent *find(struct call *c)
{
    uint64_t id;
    const struct agent *a;
    if (!call_id(c, 0, ID_AGENT, "agent", &id)) {
        return NULL;
    }
    a = desk_agent(c->s->desk, id);
    if (!a) {
        reply_missing(c, "agent");
    }
    return a;
}

static void get(struct call *c)
{
    const struct agent *a = find(c);
    if (a) {
        agent_write(c, reply_begin(c), a);
        reply_send(c, 200);
    }
}

/* --- making and changing --- */

static void applied(struct call *c, struct tx *tx)
{
    for (struct put *p = tx->puts; p; p = p->next) {
        if (p->kind == PUT_AGENT) {
            desk_put_agent(c->s->desk, p->agent);
            server_keep_password(c->s, p->agent->id, p->agent->password);
        } else if (p->kind == DEL_AGENT) {
            desk_del_agent(c->s->desk, p->id);
            server_keep_password(c->s, p->id, SLICE(""));
        } else if (p->kind == DEL_TOKEN) {
            server_end_token(c->s, p->id);
        }
    }
    if (c->number) { /* a new status; the stored one is in the record */
        desk_set_status(c->s->desk, c->id, (enum agent_status)(c->number - 1));
    }
}

/* Who was disabled, deleted or got another password is signed out everywhere
 * but here. */
static void revoke(struct call *c, struct tx *tx, uint64_t agent,
                   bool sessions_only)
{
    const struct token *t;
    for (size_t i = 0; (t = auth_next(c->s->auth, &i)) != NULL;) {
        if (t->agent == agent && t->id != c->who.token &&
            (!sessions_only || auth_is_session(t))) {
            tx_put(tx, DEL_TOKEN)->id = t->id;
        }
    }
}

static void commit_agent(struct call *c, struct agent *a, int status)
{
    const struct agent *was = desk_agent(c->s->desk, a->id);
    bool has_new = a->password.len != 0;
    if (!has_new) {
        a->password = server_password(c->s, a->id);
    }
    struct tx *tx = tx_new(NULL, c);
    struct agent *copy = agent_copy(tx->arena, a);
    tx_put(tx, PUT_AGENT)->agent = copy;
    agent_write(c, reply_begin(c), copy);
    call_event(c, tx, EVENT_AGENT_UPDATED, buf_slice(&c->out));
    if (was && (!a->enabled || has_new)) {
        revoke(c, tx, a->id, a->enabled);
    }
    c->id = a->id;
    reply_commit(c, tx, status, applied);
}

static bool email_is_free(struct call *c, const struct agent *a)
{
    const struct agent *other = desk_find_agent(c->s->desk, a->email);
    if (!other || other->id == a->id) {
        return true;
    }
    reply_fail(c, ERR_CONFLICT, "email", "this email is in use");
    return false;
}

static void on_hash(struct query *q)
{
    struct call *c = q->owner;
    struct agent *a = c->own;
    int r = q->result;
    struct err e = q->err;
    a->password = slice_dup(c->a, q->text);
    query_free(q);
    if (r) {
        e.code = r;
        reply_error(c, &e);
    } else if (email_is_free(c, a)) {
        commit_agent(c, a, c->status);
    }
}

static void save(struct call *c, struct agent *a, int status)
{
    struct slice password = body_text(c, "password");
    c->own = a;
    c->status = status;
    if (!email_is_free(c, a)) {
        return;
    }
    if (password.len == 0) {
        commit_agent(c, a, status);
        return;
    }
    struct query *q = query_new(QUERY_HASH, on_hash, c);
    q->password = slice_dup(q->arena, password);
    server_read(c->s, q);
}

/* What everybody may change of themselves; the rest is the admins'. */
static void take_own(struct call *c, struct agent *a)
{
    if (body_get(c, "name")) {
        a->name = body_text(c, "name");
    }
    if (body_get(c, "status") &&
        agent_status_find(body_text(c, "status"), &a->status)) {
        c->number = (int64_t)a->status + 1;
    }
    a->updated_at = clock_ms();
}

static void take_all(struct call *c, struct agent *a)
{
    take_own(c, a);
    if (body_get(c, "email")) {
        a->email = body_text(c, "email");
    }
    if (body_get(c, "role")) {
        (void)agent_role_find(body_text(c, "role"), &a->role); /* checked */
    }
    a->max_load = (int32_t)body_int(c, "max_load", a->max_load);
    a->skills = body_json(c, "skills", a->skills);
    a->enabled = body_bool(c, "enabled", a->enabled);
}

static struct agent *changed_copy(struct call *c, const struct agent *was)
{
    struct agent *a = agent_copy(c->a, was);
    a->password = (struct slice){0};
    a->status = desk_presence(c->s->desk, was->id);
    return a;
}

static bool email_looks_right(struct call *c)
{
    struct slice email = body_text(c, "email");
    if (!body_get(c, "email") ||
        (email.len >= 3 && memchr(email.at + 1, '@', email.len - 2))) {
        return true;
    }
    reply_fail(c, ERR_UNPROCESSABLE, "email", "this is no email address");
    return false;
}

static void post(struct call *c)
{
    struct agent *a = arena_one(c->a, struct agent);
    *a = (struct agent){.id = id_new(),
                        .max_load = LOAD_DEFAULT,
                        .skills = SLICE("[]"),
                        .status = AGENT_ONLINE,
                        .enabled = true,
                        .created_at = clock_ms()};
    if (!email_looks_right(c)) {
        return;
    }
    take_all(c, a);
    c->number = 0;
    if (a->name.len == 0) {
        a->name = a->email;
    }
    save(c, a, 201);
}

/* Somebody must be able to sign in and put things right. */
static bool keeps_an_admin(struct call *c, const struct agent *was,
                           const struct agent *now)
{
    const struct agent *a;
    if (was->role != AGENT_ROLE_ADMIN || !was->enabled ||
        (now && now->role == AGENT_ROLE_ADMIN && now->enabled)) {
        return true;
    }
    for (size_t i = 0; (a = desk_next_agent(c->s->desk, &i)) != NULL;) {
        if (a->id != was->id && a->role == AGENT_ROLE_ADMIN && a->enabled) {
            return true;
        }
    }
    reply_fail(c, ERR_CONFLICT, now ? "role" : NULL,
               "this is the last admin who can sign in");
    return false;
}

static void patch(struct call *c)
{
    const struct agent *was = find(c);
    if (!was || !email_looks_right(c)) {
        return;
    }
    struct agent *a = changed_copy(c, was);
    take_all(c, a);
    if (keeps_an_admin(c, was, a)) {
        save(c, a, 200);
    }
}

static void del(struct call *c)
{
    const struct agent *a = find(c);
    if (!a || !keeps_an_admin(c, a, NULL)) {
        return;
    }
    if (a->id == c->who.agent) {
        reply_fail(c, ERR_CONFLICT, NULL, "you cannot delete yourself");
        return;
    }
    struct tx *tx = tx_new(NULL, c);
    struct buf body;
    buf_init(&body, 128);
    struct jsonw w = jsonw_on(&body);
    jsonw_open(&w, '{');
    put_id(&w, "id", ID_AGENT, a->id);
    jsonw_put_bool(&w, "deleted", true);
    jsonw_close(&w, '}');
    tx_put(tx, DEL_AGENT)->id = a->id;
    call_event(c, tx, EVENT_AGENT_UPDATED, buf_slice(&body));
    buf_fini(&body);
    revoke(c, tx, a->id, false);
    reply_commit(c, tx, 204, applied);
}

/* --- me --- */

static void me_get(struct call *c)
{
    const struct agent *a = desk_agent(c->s->desk, c->who.agent);
    if (!a) {
        reply_missing(c, "agent");
        return;
    }
    agent_write(c, reply_begin(c), a);
    reply_send(c, 200);
}

static void me_save(struct call *c)
{
    const struct agent *was = desk_agent(c->s->desk, c->who.agent);
    if (!was) {
        reply_missing(c, "agent");
        return;
    }
    struct agent *a = changed_copy(c, was);
    take_own(c, a);
    save(c, a, 200);
}

static void on_password(struct query *q)
{
    struct call *c = q->owner;
    int r = q->result;
    struct err e = q->err;
    query_free(q);
    if (r == ERR_UNAUTHORIZED || r == ERR_NOT_FOUND) {
        reply_fail(c, ERR_UNPROCESSABLE, "current_password",
                   "this is not your password");
    } else if (r) {
        e.code = r;
        reply_error(c, &e);
    } else {
        me_save(c);
    }
}

static void me_patch(struct call *c)
{
    const struct agent *a = desk_agent(c->s->desk, c->who.agent);
    if (!a || !body_get(c, "password")) {
        me_save(c);
        return;
    }
    if (!body_get(c, "current_password")) {
        reply_fail(c, ERR_UNPROCESSABLE, "current_password",
                   "current_password is missing");
        return;
    }
    struct query *q = query_new(QUERY_LOGIN, on_password, c);
    q->email = slice_dup(q->arena, a->email);
    q->password = slice_dup(q->arena, body_text(c, "current_password"));
    server_read(c->s, q);
}

/* --- tables --- */

#define STATUSES "online|busy|away|offline"
#define ROLES "agent|supervisor|admin"
static const struct field agent_in[] = {
    {.name = "email", .type = FIELD_TEXT, .required = true, .least = 3},
    {.name = "name", .type = FIELD_TEXT},
    {.name = "password",
     .type = FIELD_TEXT,
     .required = true,
     .least = 8,
     .most = PASSWORD_MAX},
    {.name = "role", .type = FIELD_TEXT, .choices = ROLES},
    {.name = "max_load",
     .type = FIELD_INT,
     .most = LOAD_MAX,
     .help = "conversations at once"},
    {.name = "skills", .type = FIELD_TEXTS, .most = LIMIT_TAGS},
    {.name = "enabled", .type = FIELD_BOOL},
    {.name = "status", .type = FIELD_TEXT, .choices = STATUSES},
    {0}};
static const struct field me_in[] = {
    {.name = "name", .type = FIELD_TEXT, .least = 1},
    {.name = "password", .type = FIELD_TEXT, .least = 8, .most = PASSWORD_MAX},
    {.name = "current_password",
     .type = FIELD_TEXT,
     .most = PASSWORD_MAX,
     .help = "needed with password"},
    {.name = "status", .type = FIELD_TEXT, .choices = STATUSES},
    {0}};
static const struct field agent_out[] = {
    {.name = "id", .type = FIELD_TEXT},
    {.name = "email", .type = FIELD_TEXT},
    {.name = "name", .type = FIELD_TEXT},
    {.name = "role", .type = FIELD_TEXT, .choices = ROLES},
    {.name = "max_load", .type = FIELD_INT},
    {.name = "skills", .type = FIELD_TEXTS},
    {.name = "status", .type = FIELD_TEXT, .choices = STATUSES},
    {.name = "load", .type = FIELD_INT},
    {.name = "enabled", .type = FIELD_BOOL},
    {.name = "created_at", .type = FIELD_INT},
    {.name = "updated_at", .type = FIELD_INT},
    {0}};
const struct shape shape_agent = {"Agent", agent_out};
const struct route routes_agents[] = {
    {"GET", "/api/v1/agents", list, ACCESS_AGENT, "agents", ROUTE_LIST, 200,
     NULL, &shape_agent, "List agents", "q status", NULL},
    {"POST", "/api/v1/agents", post, ACCESS_ADMIN, "agents", ROUTE_CREATES, 201,
     agent_in, &shape_agent, "Create an agent", NULL, NULL},
    {"GET", "/api/v1/agents/{id}", get, ACCESS_AGENT, "agents", 0, 200, NULL,
     &shape_agent, "One agent", NULL, NULL},
    {"PATCH", "/api/v1/agents/{id}", patch, ACCESS_ADMIN, "agents", 0, 200,
     agent_in, &shape_agent, "Change an agent", NULL, NULL},
    {"DELETE", "/api/v1/agents/{id}", del, ACCESS_ADMIN, "agents", 0, 204, NULL,
     NULL, "Delete an agent; its sessions and tokens end", NULL, NULL},
    {0}};
const struct route routes_me[] = {
    {"GET", "/api/v1/me", me_get, ACCESS_AGENT, NULL, 0, 200, NULL,
     &shape_agent, "Who am I", NULL, NULL},
    {"PATCH", "/api/v1/me", me_patch, ACCESS_AGENT, "me", 0, 200, me_in,
     &shape_agent, "Change my name, password or status", NULL, NULL},
    {0}};
