/* SPDX-License-Identifier: Apache-2.0 */
/* assistants.c - connectors to models, set up: who may answer as a bot.
 *
 * Happy path: a type whose connector serves and a config that fits its schema;
 * secrets are kept apart and shown as ***. Names are unique, for rules and
 * chains name them. Failure: an unknown type, a wrong setting or a name taken
 * is 422 or 409 with the field.
 */
#include "app/api/api.h"
#include "app/api/configured.h"
#include "app/assist/assist.h"
#include "base/clock.h"
#include "base/limits.h"
#include <stdio.h>
#include <string.h>

#define SETTINGS_BYTES (32 * 1024)

static const char *const settings_names[] = {
    "fallback", "prompt", "limits",  "timeout", "price", "cache",
    "tools",    "guard",  "confirm", "summary", NULL};

static struct kind_values values_of(struct call *c, const struct assistant *a)
{
    return configured_values(c, a->config, a->secrets);
}

static const struct kind *kind_of(const struct call *c,
                                  const struct assistant *a)
{
    return kinds_find(assist_kinds(c->s), a->type);
}

static struct json *settings_of(struct call *c, const struct assistant *a)
{
    struct json *j = NULL;
    return json_parse(c->a, a->settings, NULL, &j) == 0 ? j : NULL;
}

static void put_settings(struct jsonw *w, const struct json *given,
                         const struct json *was)
{
    for (size_t i = 0; settings_names[i]; i++) {
        const struct json *v = json_get(given, settings_names[i]);
        v = v ? v : json_get(was, settings_names[i]);
        if (v && !json_is(v, JSON_NULL)) {
            jsonw_key(w, settings_names[i]);
            jsonw_value(w, v);
        }
    }
}

static void assistant_write(struct call *c, struct jsonw *w,
                            const struct assistant *a)
{
    const struct kind *k = kind_of(c, a);
    jsonw_open(w, '{');
    put_id(w, "id", ID_ASSISTANT, a->id);
    jsonw_put_text(w, "name", a->name);
    jsonw_put_text(w, "type", a->type);
    jsonw_key(w, "config");
    kind_show(k, values_of(c, a), w, c->a);
    jsonw_put_bool(w, "enabled", a->enabled);
    jsonw_put_text(w, "state",
                   !k           ? SLICE("pending")
                   : a->enabled ? SLICE("active")
                                : SLICE("disabled"));
    put_settings(w, settings_of(c, a), NULL);
    assist_show(c->s, a->id, w);
    jsonw_put_int(w, "created_at", a->created_at);
    jsonw_put_int(w, "updated_at", a->updated_at);
    jsonw_close(w, '}');
}

static void write_row(struct call *c, struct jsonw *w, const void *row)
{
    assistant_write(c, w, row);
}

static void list(struct call *c)
{
    struct rows rows = {0};
    const struct assistant *a;
    for (size_t i = 0; (a = assist_next(c->s, &i)) != NULL;) {
        if (query_matches(c, &a->name, 1)) {
            rows_add(c, &rows, a);
        }
    }
    rows_reply(c, &rows, write_row);
}

static void put_type(struct jsonw *w, const struct kind *k)
{
    jsonw_put_raw(w, "capabilities", k->capabilities);
}

static void list_types(struct call *c)
{
    configured_reply_types(c, assist_kinds(c->s), put_type);
}

static const struct assistant *find(struct call *c)
{
    uint64_t id;
    const struct assistant *a;
    if (!call_id(c, 0, ID_ASSISTANT, "assistant", &id)) {
        return NULL;
    }
    a = assist_get(c->s, id);
    if (!a) {
        reply_missing(c, "assistant");
    }
    return a;
}

static void get(struct call *c)
{
    const struct assistant *a = find(c);
    if (a) {
        assistant_write(c, reply_begin(c), a);
        reply_send(c, 200);
    }
}

/* --- changes -------------------------------------------------------------- */

static void applied(struct call *c, struct tx *tx)
{
    if (tx->puts->kind == PUT_ASSISTANT) {
        assist_put(c->s, tx->puts->assistant);
    } else {
        assist_del(c->s, tx->puts->id);
    }
}

static void commit(struct call *c, const struct assistant *a, int status)
{
    struct tx *tx = tx_new(NULL, c);
    struct assistant *copy = arena_one(tx->arena, struct assistant);
    *copy = *a;
    copy->name = slice_dup(tx->arena, a->name);
    copy->type = slice_dup(tx->arena, a->type);
    copy->config = slice_dup(tx->arena, a->config);
    copy->secrets = slice_dup(tx->arena, a->secrets);
    copy->settings = slice_dup(tx->arena, a->settings);
    tx_put(tx, PUT_ASSISTANT)->assistant = copy;
    audit_put(c, tx, status == 201 ? "assistant.create" : "assistant.update",
              copy->name, SLICE(""));
    assistant_write(c, reply_begin(c), copy);
    reply_commit(c, tx, status, applied);
}

/* The body's config over the one there; false after a refusal. */
static bool settle_config(struct call *c, const struct kind *k,
                          struct assistant *a)
{
    struct slice secrets;
    struct buf kept;
    if (!configured_settle(c, k, values_of(c, a), &a->config, &secrets)) {
        return false;
    }
    buf_init(&kept, KIND_CONFIG_MAX + 32);
    must(buf_addf(&kept, "{\"config\":%.*s}", SLICE_FMT(secrets)) == 0);
    a->secrets = slice_dup(c->a, buf_slice(&kept));
    buf_fini(&kept);
    return true;
}

static bool settle_settings(struct call *c, struct assistant *a)
{
    struct json *was = a->settings.len ? settings_of(c, a) : NULL, *now = NULL;
    struct buf out;
    const char *wrong;
    buf_init(&out, SETTINGS_BYTES);
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '{');
    put_settings(&w, c->body, was);
    jsonw_close(&w, '}');
    a->settings = w.failed ? SLICE("") : slice_dup(c->a, buf_slice(&out));
    buf_fini(&out);
    if (!a->settings.len) {
        reply_fail(c, ERR_TOOBIG, "limits", "the settings are too long");
        return false;
    }
    now = settings_of(c, a);
    wrong = assist_wrong(now);
    if (wrong) {
        reply_fail(c, ERR_UNPROCESSABLE, wrong,
                   "%s must be an amount, a duration such as \"15s\" (a "
                   "timeout: 5m at most), or \"visitor\" or \"agent\"",
                   wrong);
    }
    return wrong == NULL;
}

static bool is_name(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.at[i];
        bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                    (c >= '0' && c <= '9') || c == '-' || c == '_';
        if (!good) {
            return false;
        }
    }
    return s.len > 0;
}

static bool name_is_free(struct call *c, struct slice name, uint64_t own)
{
    const struct assistant *other = assist_find(c->s, name);
    if (!is_name(name)) {
        reply_fail(c, ERR_UNPROCESSABLE, "name",
                   "a name has letters, digits, - and _");
        return false;
    }
    if (other && other->id != own) {
        reply_fail(c, ERR_CONFLICT, "name", "another assistant has this name");
        return false;
    }
    return true;
}

static void post(struct call *c)
{
    struct assistant a = {.id = id_new(),
                          .type = body_text(c, "type"),
                          .name = body_text(c, "name"),
                          .enabled = body_bool(c, "enabled", true),
                          .created_at = clock_ms()};
    const struct kind *k = kind_of(c, &a);
    const struct assistant *each;
    size_t count = 0;
    for (size_t i = 0; (each = assist_next(c->s, &i)) != NULL;) {
        count++;
    }
    if (!k) {
        reply_fail(c, ERR_UNPROCESSABLE, "type",
                   "there is no connector of this type");
    } else if (count >= LIMIT_ASSISTANTS) {
        reply_fail(c, ERR_TOOBIG, NULL, "there are %d assistants already",
                   LIMIT_ASSISTANTS);
    } else if (name_is_free(c, a.name, 0)) {
        a.updated_at = a.created_at;
        if (settle_config(c, k, &a) && settle_settings(c, &a)) {
            commit(c, &a, 201);
        }
    }
}

static void patch(struct call *c)
{
    const struct assistant *was = find(c);
    if (!was) {
        return;
    }
    struct assistant a = *was;
    if (!configured_keeps_type(c, was->type,
                               "an assistant's type cannot change")) {
        return;
    }
    if (body_text(c, "name").len) {
        a.name = body_text(c, "name");
    }
    const struct kind *k = kind_of(c, was);
    if (body_get(c, "config") && !k) {
        reply_fail(c, ERR_UNPROCESSABLE, "type",
                   "there is no connector of this type any more");
        return;
    }
    if (!name_is_free(c, a.name, a.id) ||
        (body_get(c, "config") && !settle_config(c, k, &a)) ||
        !settle_settings(c, &a)) {
        return;
    }
    a.enabled = body_bool(c, "enabled", was->enabled);
    a.updated_at = clock_ms();
    commit(c, &a, 200);
}

static void del(struct call *c)
{
    const struct assistant *a = find(c);
    if (!a) {
        return;
    }
    struct tx *tx = tx_new(NULL, c);
    tx_put(tx, DEL_ASSISTANT)->id = a->id;
    audit_put(c, tx, "assistant.delete", a->name, SLICE(""));
    reply_commit(c, tx, 204, applied);
}

/* --- is it set up well? --------------------------------------------------- */

static void on_checked(void *arg, struct slice answer, const struct err *e)
{
    struct call *c = arg;
    if (e) {
        reply_error(c, e);
        return;
    }
    jsonw_raw(reply_begin(c), slice_dup(c->a, answer));
    reply_send(c, 200);
}

static void check(struct call *c)
{
    const struct assistant *a = find(c);
    if (a) {
        assist_check(c->s, a->id, on_checked, c);
    }
}

/* --- answers that are kept ------------------------------------------------ */

static void reply_forgotten(struct call *c, size_t n)
{
    struct jsonw *w = reply_begin(c);
    jsonw_open(w, '{');
    jsonw_put_int(w, "forgotten", (int64_t)n);
    jsonw_close(w, '}');
    reply_send(c, 200);
}

static void forget(struct call *c)
{
    const struct assistant *a = find(c);
    if (a) {
        reply_forgotten(
            c, assist_forget(c->s, a->id, body_text(c, "question"), SLICE("")));
    }
}

static void forget_tag(struct call *c)
{
    reply_forgotten(c, assist_forget(c->s, 0, SLICE(""), body_text(c, "tag")));
}

/* --- tables --------------------------------------------------------------- */

#define SETTINGS                                                               \
    {.name = "fallback",                                                       \
     .type = FIELD_TEXTS,                                                      \
     .most = 7,                                                                \
     .help = "names of assistants to ask next if this one cannot answer"},     \
        {.name = "prompt",                                                     \
         .type = FIELD_TEXT,                                                   \
         .most = 64,                                                           \
         .help = "name of a file in ai/prompts, without .md"},                 \
        {.name = "limits",                                                     \
         .type = FIELD_OBJECT,                                                 \
         .help = "at_once, rate (a minute), patience (\"20s\"), turn_tokens, " \
                 "conversation_tokens, day_tokens, conversation_cost, "        \
                 "day_cost"},                                                  \
        {.name = "timeout",                                                    \
         .type = FIELD_OBJECT,                                                 \
         .help = "connect, first, total: durations such as \"15s\""},          \
        {.name = "price",                                                      \
         .type = FIELD_OBJECT,                                                 \
         .help = "input, output, cached: of a million tokens; currency"},      \
        {.name = "cache",                                                      \
         .type = FIELD_OBJECT,                                                 \
         .help = "ttl: how long an answer is given again; tags"},              \
        {.name = "tools",                                                      \
         .type = FIELD_TEXTS,                                                  \
         .most = 32,                                                           \
         .help = "names of files in ai/tools"},                                \
        {.name = "guard",                                                      \
         .type = FIELD_BOOL,                                                   \
         .help = "ai/guard.lua looks at what goes out and comes in"},          \
        {.name = "confirm",                                                    \
         .type = FIELD_OBJECT,                                                 \
         .help =                                                               \
             "tool: \"visitor\" or \"agent\", whose word it needs before it "  \
             "runs; stricter than the tool says, never less"},                 \
    {                                                                          \
        .name = "summary", .type = FIELD_BOOL,                                 \
        .help = "a note for who takes over; true if not given"                 \
    }

static const struct field assistant_in[] = {
    {.name = "name",
     .type = FIELD_TEXT,
     .required = true,
     .least = 1,
     .most = 64,
     .help = "unique: rules say conv:assign { ai = name }"},
    {.name = "type",
     .type = FIELD_TEXT,
     .required = true,
     .least = 1,
     .most = 32},
    {.name = "config",
     .type = FIELD_OBJECT,
     .help = "by the type's schema; secrets are shown as ***"},
    {.name = "enabled", .type = FIELD_BOOL},
    SETTINGS,
    {0}};
static const struct field assistant_out[] = {
    {.name = "id", .type = FIELD_TEXT},
    {.name = "name", .type = FIELD_TEXT},
    {.name = "type", .type = FIELD_TEXT},
    {.name = "config", .type = FIELD_OBJECT, .help = "secrets as ***"},
    {.name = "enabled", .type = FIELD_BOOL},
    {.name = "state",
     .type = FIELD_TEXT,
     .choices = "active|disabled|pending",
     .help = "pending: no connector of this type serves"},
    SETTINGS,
    {.name = "breaker", .type = FIELD_TEXT, .choices = "closed|open|half-open"},
    {.name = "under_way", .type = FIELD_INT, .help = "calls"},
    {.name = "waiting", .type = FIELD_INT, .help = "questions without a place"},
    {.name = "trouble",
     .type = FIELD_TEXT,
     .help = "what the operator must look at"},
    {.name = "today", .type = FIELD_OBJECT, .help = "what was spent"},
    {.name = "kept",
     .type = FIELD_OBJECT,
     .help = "hits and misses of answers that are given again, since the "
             "start"},
    {.name = "created_at", .type = FIELD_INT},
    {.name = "updated_at", .type = FIELD_INT},
    {0}};
static const struct field type_out[] = {
    {.name = "type", .type = FIELD_TEXT},
    {.name = "title", .type = FIELD_OBJECT},
    {.name = "schema", .type = FIELD_OBJECT},
    {.name = "capabilities", .type = FIELD_OBJECT},
    {0}};
static const struct field forget_in[] = {
    {.name = "question",
     .type = FIELD_TEXT,
     .most = LIMIT_TEXT_BYTES,
     .help = "this one's answer; all if not given"},
    {0}};
static const struct field tag_in[] = {{.name = "tag",
                                       .type = FIELD_TEXT,
                                       .required = true,
                                       .least = 1,
                                       .most = 64},
                                      {0}};
static const struct field forget_out[] = {
    {.name = "forgotten",
     .type = FIELD_INT,
     .help = "answers, or assistants whose answers are all forgotten"},
    {0}};
static const struct shape shape_forget = {"Forgotten", forget_out};
static const struct field no_fields[] = {{0}};
const struct shape shape_assistant = {"Assistant", assistant_out};
const struct shape shape_assistant_type = {"AssistantType", type_out};
#define ONE "/api/v1/assistants/{id}"
const struct route routes_assistants[] = {
    {"GET", "/api/v1/assistants", list, ACCESS_AGENT, "assistants", ROUTE_LIST,
     200, NULL, &shape_assistant, "List assistants", "q", NULL},
    {"POST", "/api/v1/assistants", post, ACCESS_ADMIN, "assistants",
     ROUTE_CREATES, 201, assistant_in, &shape_assistant, "Set up an assistant",
     NULL, NULL},
    {"GET", "/api/v1/assistants/types", list_types, ACCESS_AGENT, "assistants",
     ROUTE_LIST, 200, NULL, &shape_assistant_type,
     "Connectors with their schemas", NULL, NULL},
    {"GET", ONE, get, ACCESS_AGENT, "assistants", 0, 200, NULL,
     &shape_assistant, "One assistant", NULL, NULL},
    {"PATCH", ONE, patch, ACCESS_ADMIN, "assistants", 0, 200, assistant_in,
     &shape_assistant, "Change an assistant", NULL, NULL},
    {"DELETE", ONE, del, ACCESS_ADMIN, "assistants", 0, 204, NULL, NULL,
     "Delete an assistant", NULL, NULL},
    {"POST", ONE "/check", check, ACCESS_ADMIN, "assistants", ROUTE_READS, 200,
     no_fields, &shape_check,
     "Ask the assistant's connector whether it is set up well", NULL, NULL},
    {"POST", "/api/v1/assistants/forget", forget_tag, ACCESS_ADMIN,
     "assistants", 0, 200, tag_in, &shape_forget,
     "Forget answers of all assistants with this tag in cache.tags", NULL,
     NULL},
    {"POST", ONE "/forget", forget, ACCESS_ADMIN, "assistants", 0, 200,
     forget_in, &shape_forget, "Forget answers that are given again", NULL,
     NULL},
    {0}};
