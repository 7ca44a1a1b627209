/* SPDX-License-Identifier: Apache-2.0 */
/* steps_house.c - steps about what is stored, about time and about scripts.
 *
 * Happy path: a question goes to the real store, so a test sees what is
 * lasting, not what somebody means to write. Failure modes: the store's.
 */
#include "app/testing/people.h"
#include "base/clock.h"
#include "base/limits.h"
#include <stdio.h>

#define DAY_MS (24 * 3600 * 1000LL)

/* --- a conversation ------------------------------------------------------- */

static void put_id(struct jsonw *w, const char *key, const char *prefix,
                   uint64_t id)
{
    char text[ID_TEXT];
    if (id)
        jsonw_put_text(w, key, id_text(text, prefix, id));
}

static void put_messages(struct stage *st, uint64_t conv, struct jsonw *w)
{
    struct query *q = query_new(QUERY_MESSAGES, NULL, NULL);
    q->conv = conv;
    q->limit = LIMIT_LIST;
    q->viewer.role = ROLE_AGENT;
    q->viewer.agent_role = AGENT_ROLE_ADMIN;
    if (stage_read(st, q, NULL) == 0 && q->json.len)
        jsonw_put_raw(w, "messages", q->json);
    query_free(q);
}

static void put_holder(struct stage *st, const struct conversation *c,
                       struct jsonw *w)
{
    const struct agent *a = desk_agent(st->server->desk, c->assignee);
    const struct team *t = desk_team(st->server->desk, c->team);
    if (c->assignee && a) {
        jsonw_key(w, "assignee");
        jsonw_open(w, '{');
        put_id(w, "id", ID_AGENT, a->id);
        jsonw_put_text(w, "name", a->name);
        jsonw_put_text(w, "email", a->email);
        jsonw_close(w, '}');
    }
    if (c->team && t)
        jsonw_put_text(w, "team", t->name);
}

static void put_conversation(struct stage *st, const struct query *q,
                             struct jsonw *w)
{
    const struct conversation *c = q->conversation;
    put_id(w, "id", ID_CONVERSATION, c->id);
    jsonw_put_text(w, "state", slice_of(conv_state_name(c->state)));
    put_holder(st, c, w);
    jsonw_put_raw(w, "tags", c->tags.len ? c->tags : SLICE("[]"));
    jsonw_put_raw(w, "attributes",
                  c->attributes.len ? c->attributes : SLICE("{}"));
    jsonw_put_int(w, "priority", c->priority);
    jsonw_put_int(w, "unread", c->unread);
    if (c->snoozed_until)
        jsonw_put_int(w, "snoozed_until", c->snoozed_until);
    if (q->contact) {
        jsonw_key(w, "contact");
        jsonw_open(w, '{');
        put_id(w, "id", ID_CONTACT, q->contact->id);
        jsonw_put_text(w, "name", q->contact->name);
        jsonw_put_text(w, "tier", q->contact->tier);
        jsonw_put_raw(w, "tags",
                      q->contact->tags.len ? q->contact->tags : SLICE("[]"));
        jsonw_put_raw(w, "attributes",
                      q->contact->attributes.len ? q->contact->attributes
                                                 : SLICE("{}"));
        jsonw_close(w, '}');
    }
    put_messages(st, c->id, w);
}

static int step_conversation(struct stage *st, const struct json *in,
                             struct jsonw *out, struct err *e)
{
    struct slice text = json_text(in, "conversation");
    const struct actor *a = people_find(st, (uint64_t)json_int(in, "who", 0));
    uint64_t id = a ? a->conv : 0;
    int r = stage_settle(st, e);
    if (r)
        return r;
    if (text.len && !id_parse(text, ID_CONVERSATION, &id))
        return err_set(e, ERR_BAD_REQUEST, "%.*s is no conversation's id",
                       SLICE_FMT(text));
    if (!id)
        return err_set(e, ERR_NOT_FOUND,
                       "there is no conversation yet: nobody said anything");
    struct query *q = query_new(QUERY_CONVERSATION, NULL, NULL);
    q->id = q->conv = id;
    r = stage_read(st, q, e);
    if (r == 0 && !q->conversation)
        r = err_set(e, ERR_NOT_FOUND, "the conversation is not stored");
    if (r == 0)
        put_conversation(st, q, out);
    query_free(q);
    return r;
}

static int step_queue(struct stage *st, const struct json *in,
                      struct jsonw *out, struct err *e)
{
    int r = stage_settle(st, e);
    if (r)
        return r;
    struct query *q = query_new(QUERY_CONVERSATIONS, NULL, NULL);
    q->state = CONV_QUEUED;
    q->limit = LIMIT_LIST;
    q->viewer.role = ROLE_AGENT;
    q->viewer.agent_role = AGENT_ROLE_ADMIN;
    q->waiting_first = true;
    const struct team *t;
    struct slice name = json_text(in, "team");
    for (size_t i = 0; (t = desk_next_team(st->server->desk, &i)) != NULL;)
        if (name.len && slice_eq(t->name, name))
            q->team = t->id;
    r = stage_read(st, q, e);
    if (r == 0)
        jsonw_put_raw(out, "items", q->json.len ? q->json : SLICE("[]"));
    query_free(q);
    return r;
}

/* --- lists of the store --------------------------------------------------- */

static int list(struct stage *st, struct query *q, struct jsonw *out,
                struct err *e)
{
    int r = stage_settle(st, e);
    q->limit = LIMIT_LIST;
    r = r ? r : stage_read(st, q, e);
    if (r == 0)
        jsonw_put_raw(out, "items", q->json.len ? q->json : SLICE("[]"));
    query_free(q);
    return r;
}

static int step_flows(struct stage *st, const struct json *in,
                      struct jsonw *out, struct err *e)
{
    enum flow_state state;
    struct slice name = json_text(in, "state");
    struct query *q = query_new(QUERY_FLOWS, NULL, NULL);
    q->state = -1;
    if (name.len && flow_state_find(name, &state))
        q->state = (int)state;
    return list(st, q, out, e);
}

static int step_deads(struct stage *st, const struct json *in,
                      struct jsonw *out, struct err *e)
{
    return list(st, query_new(QUERY_DEADS, NULL, NULL), out, e);
}

static int step_trace(struct stage *st, const struct json *in,
                      struct jsonw *out, struct err *e)
{
    uint64_t pos;
    struct slice id = json_text(in, "message");
    if (!id_parse(id, ID_MESSAGE, &pos))
        return err_set(e, ERR_BAD_REQUEST, "%.*s is no message's id",
                       SLICE_FMT(id));
    struct query *q = query_new(QUERY_TRACE, NULL, NULL);
    q->after_pos = pos;
    return list(st, q, out, e);
}

/* --- keys and values ------------------------------------------------------ */

static int step_kv_get(struct stage *st, const struct json *in,
                       struct jsonw *out, struct err *e)
{
    int r = stage_settle(st, e);
    if (r)
        return r;
    struct query *q = query_new(QUERY_KV, NULL, NULL);
    q->kv.space = slice_dup(q->arena, json_text(in, "unit"));
    q->kv.key = slice_dup(q->arena, json_text(in, "key"));
    r = stage_read(st, q, e);
    if (r == 0)
        jsonw_put_raw(out, "value", q->text);
    query_free(q);
    return r == ERR_NOT_FOUND ? 0 : r;
}

static int step_kv_set(struct stage *st, const struct json *in,
                       struct jsonw *out, struct err *e)
{
    struct json *value = json_get(in, "value");
    int64_t ttl = json_int(in, "ttl", 0);
    struct tx *tx = tx_new(NULL, NULL);
    struct kv *kv = arena_one(tx->arena, struct kv);
    struct buf text;
    kv->space = slice_dup(tx->arena, json_text(in, "unit"));
    kv->key = slice_dup(tx->arena, json_text(in, "key"));
    kv->expires_at = ttl ? clock_ms() + ttl : 0;
    buf_init(&text, LIMIT_KV_VALUE);
    struct jsonw w = jsonw_on(&text);
    if (value)
        jsonw_value(&w, value);
    kv->value = slice_dup(tx->arena, buf_slice(&text));
    buf_fini(&text);
    tx_put(tx, value ? PUT_KV : DEL_KV)->kv = kv;
    int r = w.failed ? err_set(e, ERR_TOOBIG, "the value is too large")
                     : stage_commit(st, tx, e);
    tx_free(tx);
    return r;
}

/* --- time ----------------------------------------------------------------- */

static int step_now(struct stage *st, const struct json *in, struct jsonw *out,
                    struct err *e)
{
    jsonw_put_int(out, "now", clock_ms());
    return 0;
}

static int step_settle(struct stage *st, const struct json *in,
                       struct jsonw *out, struct err *e)
{
    return stage_settle(st, e);
}

static int step_advance(struct stage *st, const struct json *in,
                        struct jsonw *out, struct err *e)
{
    int64_t ms = json_int(in, "ms", -1);
    if (ms < 0 || ms > 400 * DAY_MS)
        return err_set(e, ERR_BAD_REQUEST,
                       "time goes forward, by 400 days at most");
    return stage_advance(st, clock_ms() + ms, e);
}

static int step_at(struct stage *st, const struct json *in, struct jsonw *out,
                   struct err *e)
{
    int64_t at = json_int(in, "at", 0);
    if (!st->is_open) {
        stage_begin_at(at, json_text(in, "zone"));
        return 0;
    }
    if (at < clock_ms())
        return err_set(e, ERR_BAD_REQUEST,
                       "time goes forward only: say t.at before the house is "
                       "used for the first time");
    return stage_advance(st, at, e);
}

/* --- scripts -------------------------------------------------------------- */

static struct slice keep(struct stage *st, const struct json *j)
{
    struct buf out;
    buf_init(&out, STAGE_STEP_BYTES);
    struct jsonw w = jsonw_on(&out);
    jsonw_value(&w, j);
    if (!st->arena)
        st->arena = arena_new();
    struct slice text = slice_dup(st->arena, buf_slice(&out));
    buf_fini(&out);
    return text;
}

static int step_only(struct stage *st, const struct json *in, struct jsonw *out,
                     struct err *e)
{
    if (st->is_open)
        return err_set(e, ERR_CONFLICT,
                       "t.only must be said before the house is used");
    st->only = keep(st, json_get(in, "units"));
    return 0;
}

static int step_secrets(struct stage *st, const struct json *in,
                        struct jsonw *out, struct err *e)
{
    st->secrets = keep(st, json_get(in, "values"));
    if (st->is_open)
        script_set_secrets(st->server->script, st->secrets);
    return 0;
}

static int step_restart(struct stage *st, const struct json *in,
                        struct jsonw *out, struct err *e)
{
    return stage_restart(st, e);
}

static void on_reloaded(void *arg, int result, const struct err *e)
{
    struct stage *st = arg;
    st->reloaded = true; /* what became of it is seen below */
    stage_moved(st);
}

static int step_reload(struct stage *st, const struct json *in,
                       struct jsonw *out, struct err *e)
{
    char path[STAGE_PATH * 2];
    struct slice name = json_text(in, "name");
    struct json *source = json_get(in, "source");
    struct slice text =
        json_is(source, JSON_STRING) ? source->text : (struct slice){NULL, 0};
    int r = stage_files_write(st, name, text, e);
    if (r)
        return r;
    snprintf(path, sizeof path, "%s/scripts/%.*s.lua", st->dir,
             SLICE_FMT(name));
    const char *paths[] = {path};
    /* The command comes behind the change, and answers in any case. */
    st->reloaded = false;
    script_changed(st->server->script, paths, 1);
    bool lib = slice_starts(name, "lib/");
    script_reload(st->server->script, lib ? SLICE("rules/no such") : name,
                  on_reloaded, st);
    r = stage_await(st, &st->reloaded, e);
    if (r)
        return r;
    struct err why = {0};
    jsonw_put_bool(out, "ok", script_is_well(st->server->script, &why));
    if (why.text[0])
        jsonw_put_text(out, "why", slice_of(why.text));
    return stage_settle(st, e);
}

/* --- what went wrong in scripts ------------------------------------------- */

typedef void (*error_fn)(void *arg, struct slice unit, const struct json *j);

/* Before a changed script serves its own tests judge it: a file that is broken
 * elsewhere in the home must not keep it back. */
static bool is_others(const struct stage *st, const struct json *unit,
                      const struct json *error)
{
    return st->only_unit && slice_is(json_text(error, "phase"), "load") &&
           !slice_is(json_text(unit, "name"), st->only_unit);
}

static int64_t each_error(struct stage *st, struct arena *a, error_fn fn,
                          void *arg)
{
    struct json *list = NULL;
    struct buf out;
    int64_t count = 0;
    buf_init(&out, STAGE_STEP_BYTES);
    if (script_list(st->server->script, &out) == 0)
        (void)json_parse(a, buf_slice(&out), NULL, &list); /* ours */
    for (struct json *u = list ? list->first : NULL; u; u = u->next) {
        struct json *errors = json_get(u, "errors");
        for (struct json *j = errors ? errors->first : NULL; j; j = j->next) {
            if (is_others(st, u, j))
                continue;
            count += json_int(j, "count", 1);
            fn(arg, json_text(u, "name"), j);
        }
    }
    buf_fini(&out);
    return count;
}

static void put_error(void *arg, struct slice unit, const struct json *j)
{
    struct jsonw *w = arg;
    jsonw_open(w, '{');
    jsonw_put_text(w, "unit", unit);
    jsonw_put_text(w, "file", json_text(j, "file"));
    jsonw_put_int(w, "line", json_int(j, "line", 0));
    jsonw_put_text(w, "message", json_text(j, "message"));
    jsonw_put_int(w, "count", json_int(j, "count", 1));
    jsonw_close(w, '}');
}

static int step_errors(struct stage *st, const struct json *in,
                       struct jsonw *out, struct err *e)
{
    int r = stage_settle(st, e);
    if (r)
        return r;
    struct arena *a = arena_new();
    jsonw_key(out, "items");
    jsonw_open(out, '[');
    st->errors_taken = each_error(st, a, put_error, out);
    jsonw_close(out, ']');
    arena_free(a);
    return 0;
}

static void keep_last(void *arg, struct slice unit, const struct json *j)
{
    *(const struct json **)arg = j;
}

struct slice stage_errors_left(struct stage *st, struct arena *a)
{
    const struct json *last = NULL;
    if (!st->server || !st->server->script ||
        each_error(st, a, keep_last, &last) <= st->errors_taken || !last)
        return (struct slice){0};
    struct buf out;
    buf_init(&out, STAGE_STEP_BYTES);
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '{');
    jsonw_put_text(&w, "message",
                   SLICE("a script failed (t.errors() takes it, if that is "
                         "meant)"));
    struct buf text;
    struct slice trace = json_text(last, "traceback");
    buf_init(&text, STAGE_STEP_BYTES);
    (void)buf_addf(&text, "%.*s:%lld: %.*s", SLICE_FMT(json_text(last, "file")),
                   (long long)json_int(last, "line", 0),
                   SLICE_FMT(json_text(last, "message"))); /* bounded by the
                                                              script wing */
    if (trace.len)
        (void)buf_addf(&text, "\n%.*s", SLICE_FMT(trace));
    jsonw_put_text(&w, "actual", buf_slice(&text));
    buf_fini(&text);
    jsonw_close(&w, '}');
    struct slice json = slice_dup(a, buf_slice(&out));
    buf_fini(&out);
    return json;
}

static int step_source(struct stage *st, const struct json *in,
                       struct jsonw *out, struct err *e)
{
    struct arena *a = arena_new();
    struct slice text, file;
    int r = stage_files_source(st, json_text(in, "name"), a, &text, &file, e);
    if (r == 0) {
        jsonw_put_text(out, "text", text);
        jsonw_put_text(out, "file", file);
    }
    arena_free(a);
    return r;
}

const struct step steps_house[] = {{"conversation", step_conversation, true},
                                   {"queue", step_queue, true},
                                   {"flows", step_flows, true},
                                   {"dead_letters", step_deads, true},
                                   {"trace", step_trace, true},
                                   {"kv_get", step_kv_get, true},
                                   {"kv_set", step_kv_set, true},
                                   {"now", step_now, false},
                                   {"settle", step_settle, true},
                                   {"advance", step_advance, true},
                                   {"at", step_at, false},
                                   {"only", step_only, false},
                                   {"secrets", step_secrets, false},
                                   {"restart", step_restart, true},
                                   {"reload", step_reload, true},
                                   {"errors", step_errors, true},
                                   {"source", step_source, false},
                                   {NULL, NULL, false}};
