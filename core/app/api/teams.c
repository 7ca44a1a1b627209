/* SPDX-License-Identifier: Apache-2.0 */
/* teams.c - groups of agents that conversations are assigned to. */
#include "app/api/api.h"
#include "base/clock.h"
#include "base/limits.h"
#include <stdio.h>

#define MEMBERS_MAX 1000

static void team_write(struct jsonw *w, const struct team *t)
{
    jsonw_open(w, '{');
    put_id(w, "id", ID_TEAM, t->id);
    jsonw_put_text(w, "name", t->name);
    jsonw_put_raw(w, "members", t->members.len ? t->members : SLICE("[]"));
    jsonw_put_int(w, "created_at", t->created_at);
    jsonw_put_int(w, "updated_at", t->updated_at);
    jsonw_close(w, '}');
}

static void write_row(struct call *c, struct jsonw *w, const void *row)
{
    (void)c;
    team_write(w, row);
}

static void list(struct call *c)
{
    struct rows rows = {0};
    const struct team *t;
    for (size_t i = 0; (t = desk_next_team(c->s->desk, &i)) != NULL;) {
        if (query_matches(c, &t->name, 1)) {
            rows_add(c, &rows, t);
        }
    }
    rows_reply(c, &rows, write_row);
}

static const struct team *find(struct call *c)
{
    uint64_t id;
    const struct team *t;
    if (!call_id(c, 0, ID_TEAM, "team", &id)) {
        return NULL;
    }
    t = desk_team(c->s->desk, id);
    if (!t) {
        reply_missing(c, "team");
    }
    return t;
}

static void get(struct call *c)
{
    const struct team *t = find(c);
    if (t) {
        team_write(reply_begin(c), t);
        reply_send(c, 200);
    }
}

static void applied(struct call *c, struct tx *tx)
{
    if (tx->puts->kind == PUT_TEAM) {
        desk_put_team(c->s->desk, tx->puts->team);
    } else {
        desk_del_team(c->s->desk, tx->puts->id);
    }
}

static bool members_exist(struct call *c)
{
    const struct json *m = body_get(c, "members");
    uint64_t id;
    for (m = json_is(m, JSON_ARRAY) ? m->first : NULL; m; m = m->next) {
        if (!id_parse(m->text, ID_AGENT, &id) || !desk_agent(c->s->desk, id)) {
            reply_fail(c, ERR_UNPROCESSABLE, "members",
                       "there is no agent %.*s",
                       (int)(m->text.len > 40 ? 40 : m->text.len), m->text.at);
            return false;
        }
    }
    return true;
}

static bool name_is_free(struct call *c, const struct team *mine)
{
    const struct team *t;
    for (size_t i = 0; (t = desk_next_team(c->s->desk, &i)) != NULL;) {
        if (t->id != mine->id && slice_eq(t->name, mine->name)) {
            reply_fail(c, ERR_CONFLICT, "name", "a team has this name");
            return false;
        }
    }
    return true;
}

static void save(struct call *c, struct team *t, int status)
{
    if (!members_exist(c) || !name_is_free(c, t)) {
        return;
    }
    struct tx *tx = tx_new(NULL, c);
    struct team *copy = arena_one(tx->arena, struct team);
    *copy = *t;
    copy->name = slice_dup(tx->arena, t->name);
    copy->members = slice_dup(tx->arena, body_json(c, "members", t->members));
    copy->updated_at = clock_ms();
    tx_put(tx, PUT_TEAM)->team = copy;
    team_write(reply_begin(c), copy);
    call_event(c, tx, EVENT_TEAM_UPDATED, buf_slice(&c->out));
    reply_commit(c, tx, status, applied);
}

static void post(struct call *c)
{
    struct team t = {.id = id_new(),
                     .name = body_text(c, "name"),
                     .members = SLICE("[]"),
                     .created_at = clock_ms()};
    save(c, &t, 201);
}

static void patch(struct call *c)
{
    const struct team *was = find(c);
    if (!was) {
        return;
    }
    struct team t = *was;
    if (body_get(c, "name")) {
        t.name = body_text(c, "name");
    }
    save(c, &t, 200);
}

static void del(struct call *c)
{
    const struct team *t = find(c);
    char id[ID_TEXT], body[96];
    if (!t) {
        return;
    }
    struct tx *tx = tx_new(NULL, c);
    tx_put(tx, DEL_TEAM)->id = t->id;
    snprintf(body, sizeof body, "{\"id\":\"%s\",\"deleted\":true}",
             id_text(id, ID_TEAM, t->id).at);
    call_event(c, tx, EVENT_TEAM_UPDATED, slice_of(body));
    reply_commit(c, tx, 204, applied);
}

static const struct field team_in[] = {
    {.name = "name", .type = FIELD_TEXT, .required = true, .least = 1},
    {.name = "members",
     .type = FIELD_TEXTS,
     .most = MEMBERS_MAX,
     .help = "ids of agents"},
    {0}};
static const struct field team_out[] = {
    {.name = "id", .type = FIELD_TEXT},
    {.name = "name", .type = FIELD_TEXT},
    {.name = "members", .type = FIELD_TEXTS},
    {.name = "created_at", .type = FIELD_INT},
    {.name = "updated_at", .type = FIELD_INT},
    {0}};
const struct shape shape_team = {"Team", team_out};
const struct route routes_teams[] = {
    {"GET", "/api/v1/teams", list, ACCESS_AGENT, "teams", ROUTE_LIST, 200, NULL,
     &shape_team, "List teams", "q", NULL},
    {"POST", "/api/v1/teams", post, ACCESS_ADMIN, "teams", ROUTE_CREATES, 201,
     team_in, &shape_team, "Create a team", NULL, NULL},
    {"GET", "/api/v1/teams/{id}", get, ACCESS_AGENT, "teams", 0, 200, NULL,
     &shape_team, "One team", NULL, NULL},
    {"PATCH", "/api/v1/teams/{id}", patch, ACCESS_ADMIN, "teams", 0, 200,
     team_in, &shape_team, "Change a team", NULL, NULL},
    {"DELETE", "/api/v1/teams/{id}", del, ACCESS_ADMIN, "teams", 0, 204, NULL,
     NULL, "Delete a team", NULL, NULL},
    {0}};
