/* SPDX-License-Identifier: Apache-2.0 */
/* channels.c - the doors visitors come in by.
 *
 * Happy path: a type we know and a config that fits its schema. A web channel
 * gets a secret for signing identities, shown once, at creation and when it is
 * changed. Failure: an unknown type is 422 with the list of those known.
 */
#include "app/api/api.h"
#include "app/sign.h"
#include "base/clock.h"
#include "base/limits.h"
#include <stdio.h>

/* Built in; adapters dropped into channels/ will add theirs (issue 4). */
static const struct type {
    const char *name, *zh, *en;
    const char *schema; /* JSON */
} types[] = {
    {"web", "网页", "Web", "{}"},
};
#define TYPES (sizeof types / sizeof types[0])

static bool type_is_known(struct slice name)
{
    for (size_t i = 0; i < TYPES; i++) {
        if (slice_is(name, types[i].name)) {
            return true;
        }
    }
    return false;
}

static void channel_members(struct jsonw *w, const struct channel *ch)
{
    put_id(w, "id", ID_CHANNEL, ch->id);
    jsonw_put_text(w, "type", ch->type);
    jsonw_put_text(w, "name", ch->name);
    jsonw_put_raw(w, "config", ch->config.len ? ch->config : SLICE("{}"));
    jsonw_put_bool(w, "enabled", ch->enabled);
    jsonw_put_text(w, "state",
                   ch->enabled ? SLICE("active") : SLICE("disabled"));
    jsonw_put_text(w, "status",
                   ch->enabled ? SLICE("active") : SLICE("disabled"));
    jsonw_key(w, "webhook_url");
    jsonw_null(w); /* a web channel needs none */
    jsonw_put_int(w, "created_at", ch->created_at);
    jsonw_put_int(w, "updated_at", ch->updated_at);
}

static void channel_write(struct call *c, struct jsonw *w,
                          const struct channel *ch)
{
    (void)c;
    jsonw_open(w, '{');
    channel_members(w, ch);
    jsonw_close(w, '}');
}

static void write_row(struct call *c, struct jsonw *w, const void *row)
{
    channel_write(c, w, row);
}

/* With the secret: the only two answers that have it. */
static void write_with_secret(struct call *c, const struct channel *ch)
{
    struct json *secrets = NULL;
    struct jsonw *w = reply_begin(c);
    if (ch->secrets.len && json_parse(c->a, ch->secrets, NULL, &secrets)) {
        secrets = NULL;
    }
    jsonw_open(w, '{');
    channel_members(w, ch);
    jsonw_put_text(w, "secret", json_text(secrets, "identity_secret"));
    jsonw_close(w, '}');
}

static void list(struct call *c)
{
    struct rows rows = {0};
    struct slice type;
    const struct channel *ch;
    bool by_type = http_query(c->r, "type", &type) && type.len;
    for (size_t i = 0; (ch = desk_next_channel(c->s->desk, &i)) != NULL;) {
        if (query_matches(c, &ch->name, 1) &&
            (!by_type || slice_eq(ch->type, type))) {
            rows_add(c, &rows, ch);
        }
    }
    rows_reply(c, &rows, write_row);
}

static void list_types(struct call *c)
{
    struct jsonw *w = reply_begin(c);
    jsonw_open(w, '{');
    jsonw_key(w, "items");
    jsonw_open(w, '[');
    for (size_t i = 0; i < TYPES; i++) {
        jsonw_open(w, '{');
        jsonw_put_text(w, "type", slice_of(types[i].name));
        jsonw_key(w, "title");
        jsonw_open(w, '{');
        jsonw_put_text(w, "zh", slice_of(types[i].zh));
        jsonw_put_text(w, "en", slice_of(types[i].en));
        jsonw_close(w, '}');
        jsonw_put_raw(w, "schema", slice_of(types[i].schema));
        jsonw_close(w, '}');
    }
    jsonw_close(w, ']');
    jsonw_put_int(w, "total", TYPES);
    jsonw_key(w, "next");
    jsonw_null(w);
    jsonw_close(w, '}');
    reply_send(c, 200);
}

static const struct channel *find(struct call *c)
{
    uint64_t id;
    const struct channel *ch;
    if (!call_id(c, 0, ID_CHANNEL, "channel", &id)) {
        return NULL;
    }
    ch = desk_channel(c->s->desk, id);
    if (!ch) {
        reply_missing(c, "channel");
    }
    return ch;
}

static void get(struct call *c)
{
    const struct channel *ch = find(c);
    if (ch) {
        channel_write(c, reply_begin(c), ch);
        reply_send(c, 200);
    }
}

static void applied(struct call *c, struct tx *tx)
{
    if (tx->puts->kind == PUT_CHANNEL) {
        desk_put_channel(c->s->desk, tx->puts->channel);
    } else {
        desk_del_channel(c->s->desk, tx->puts->id);
    }
}

static struct channel *channel_copy(struct arena *a, const struct channel *from)
{
    struct channel *copy = arena_one(a, struct channel);
    *copy = *from;
    copy->type = slice_dup(a, from->type);
    copy->name = slice_dup(a, from->name);
    copy->config = slice_dup(a, from->config);
    copy->secrets = slice_dup(a, from->secrets);
    return copy;
}

static void commit(struct call *c, const struct channel *ch, int status,
                   bool shows_secret)
{
    struct tx *tx = tx_new(NULL, c);
    struct channel *copy = channel_copy(tx->arena, ch);
    tx_put(tx, PUT_CHANNEL)->channel = copy;
    channel_write(c, reply_begin(c), copy);
    call_event(c, tx, EVENT_CHANNEL_UPDATED, buf_slice(&c->out));
    if (shows_secret) {
        char id[ID_TEXT], stub[64];
        snprintf(stub, sizeof stub, "{\"id\":\"%s\"}",
                 id_text(id, ID_CHANNEL, ch->id).at);
        c->stub = slice_dup(c->a, slice_of(stub));
        write_with_secret(c, copy);
    }
    reply_commit(c, tx, status, applied);
}

static struct slice new_secrets(struct call *c)
{
    char text[SECRET_TEXT], json[128];
    struct slice secret = secret_new(text, "ycs_");
    snprintf(json, sizeof json, "{\"identity_secret\":\"%.*s\"}",
             SLICE_FMT(secret));
    return slice_dup(c->a, slice_of(json));
}

static void reply_unknown_type(struct call *c)
{
    char known[120] = "";
    for (size_t i = 0; i < TYPES; i++) {
        size_t n = strlen(known);
        snprintf(known + n, sizeof known - n, "%s%s", n ? ", " : "",
                 types[i].name);
    }
    reply_fail(c, ERR_UNPROCESSABLE, "type",
               "this type of channel is not known; known are: %s", known);
}

static void post(struct call *c)
{
    struct channel ch = {.id = id_new(),
                         .type = body_text(c, "type"),
                         .name = body_text(c, "name"),
                         .created_at = clock_ms()};
    if (!type_is_known(ch.type)) {
        reply_unknown_type(c);
        return;
    }
    if (ch.name.len == 0) {
        ch.name = SLICE("Web");
    }
    ch.config = body_json(c, "config", SLICE("{}"));
    ch.enabled = body_bool(c, "enabled", true);
    ch.secrets = new_secrets(c);
    ch.updated_at = ch.created_at;
    commit(c, &ch, 201, true);
}

static void reveal(struct call *c, const struct json *stub)
{
    uint64_t id = 0;
    const struct channel *ch = NULL;
    if (id_parse(json_text(stub, "id"), ID_CHANNEL, &id)) {
        ch = desk_channel(c->s->desk, id);
    }
    if (!ch) {
        reply_fail(c, ERR_GONE, NULL, "this channel was deleted meanwhile");
        return;
    }
    write_with_secret(c, ch);
    reply_send(c, c->status);
}

static void patch(struct call *c)
{
    const struct channel *was = find(c);
    if (!was) {
        return;
    }
    struct channel ch = *was;
    if (body_get(c, "type") && !slice_eq(body_text(c, "type"), was->type)) {
        reply_fail(c, ERR_UNPROCESSABLE, "type",
                   "a channel's type cannot change");
        return;
    }
    if (body_text(c, "name").len) {
        ch.name = body_text(c, "name");
    }
    ch.config = body_json(c, "config", was->config);
    ch.enabled = body_bool(c, "enabled", was->enabled);
    ch.updated_at = clock_ms();
    commit(c, &ch, 200, false);
}

static void rotate(struct call *c)
{
    const struct channel *was = find(c);
    if (!was) {
        return;
    }
    struct channel ch = *was;
    ch.secrets = new_secrets(c);
    ch.updated_at = clock_ms();
    commit(c, &ch, 200, true);
}

static void del(struct call *c)
{
    const struct channel *ch = find(c);
    char id[ID_TEXT], body[96];
    if (!ch) {
        return;
    }
    struct tx *tx = tx_new(NULL, c);
    tx_put(tx, DEL_CHANNEL)->id = ch->id;
    snprintf(body, sizeof body, "{\"id\":\"%s\",\"deleted\":true}",
             id_text(id, ID_CHANNEL, ch->id).at);
    call_event(c, tx, EVENT_CHANNEL_UPDATED, slice_of(body));
    reply_commit(c, tx, 204, applied);
}

/* What the widget asks before anybody has said hello. */
static void chat_config(struct call *c)
{
    const struct channel *ch = desk_find_channel(c->s->desk, c->args[0]);
    if (!ch || !ch->enabled) {
        reply_missing(c, "channel");
        return;
    }
    struct jsonw *w = reply_begin(c);
    jsonw_open(w, '{');
    put_id(w, "channel", ID_CHANNEL, ch->id);
    jsonw_put_text(w, "name", ch->name);
    jsonw_put_text(w, "type", ch->type);
    jsonw_put_raw(w, "config", ch->config.len ? ch->config : SLICE("{}"));
    jsonw_put_int(w, "text_bytes", LIMIT_TEXT_BYTES);
    jsonw_put_int(w, "file_bytes", c->s->conf.file_bytes);
    jsonw_close(w, '}');
    c->headers = SLICE("Access-Control-Allow-Origin: *\r\n");
    reply_send(c, 200);
}

static const struct field channel_in[] = {
    {.name = "type",
     .type = FIELD_TEXT,
     .required = true,
     .least = 1,
     .most = 32},
    {.name = "name", .type = FIELD_TEXT},
    {.name = "config", .type = FIELD_OBJECT, .help = "by the type's schema"},
    {.name = "enabled", .type = FIELD_BOOL},
    {0}};
static const struct field channel_out[] = {
    {.name = "id", .type = FIELD_TEXT},
    {.name = "type", .type = FIELD_TEXT},
    {.name = "name", .type = FIELD_TEXT},
    {.name = "config", .type = FIELD_OBJECT},
    {.name = "enabled", .type = FIELD_BOOL},
    {.name = "state", .type = FIELD_TEXT, .choices = "active|disabled"},
    {.name = "status", .type = FIELD_TEXT, .help = "the same as state"},
    {.name = "webhook_url", .type = FIELD_TEXT, .help = "null for web"},
    {.name = "secret",
     .type = FIELD_TEXT,
     .help = "signs identities; only in the answers that make it"},
    {.name = "created_at", .type = FIELD_INT},
    {.name = "updated_at", .type = FIELD_INT},
    {0}};
static const struct field type_out[] = {
    {.name = "type", .type = FIELD_TEXT},
    {.name = "title", .type = FIELD_OBJECT},
    {.name = "schema", .type = FIELD_OBJECT},
    {0}};
static const struct field config_out[] = {
    {.name = "channel", .type = FIELD_TEXT},
    {.name = "name", .type = FIELD_TEXT},
    {.name = "type", .type = FIELD_TEXT},
    {.name = "config", .type = FIELD_OBJECT},
    {.name = "text_bytes", .type = FIELD_INT},
    {.name = "file_bytes", .type = FIELD_INT},
    {0}};
static const struct field no_fields[] = {{0}};
const struct shape shape_channel = {"Channel", channel_out};
const struct shape shape_channel_type = {"ChannelType", type_out};
static const struct shape shape_chat_config = {"ChatConfig", config_out};
#define ONE "/api/v1/channels/{id}"
const struct route routes_channels[] = {
    {"GET", "/api/v1/channels", list, ACCESS_AGENT, "channels", ROUTE_LIST, 200,
     NULL, &shape_channel, "List channels", "q type", NULL},
    {"POST", "/api/v1/channels", post, ACCESS_ADMIN, "channels", ROUTE_CREATES,
     201, channel_in, &shape_channel, "Create a channel", NULL, reveal},
    {"POST", "/api/v1/channel", post, ACCESS_ADMIN, "channels", ROUTE_CREATES,
     201, channel_in, &shape_channel, "The same, by its first name", NULL,
     reveal},
    {"GET", "/api/v1/channels/types", list_types, ACCESS_AGENT, "channels",
     ROUTE_LIST, 200, NULL, &shape_channel_type, "Types with their schemas",
     NULL, NULL},
    {"GET", ONE, get, ACCESS_AGENT, "channels", 0, 200, NULL, &shape_channel,
     "One channel", NULL, NULL},
    {"PATCH", ONE, patch, ACCESS_ADMIN, "channels", 0, 200, channel_in,
     &shape_channel, "Change a channel", NULL, NULL},
    {"DELETE", ONE, del, ACCESS_ADMIN, "channels", 0, 204, NULL, NULL,
     "Delete a channel", NULL, NULL},
    {"POST", ONE "/secret", rotate, ACCESS_ADMIN, "channels", 0, 200, no_fields,
     &shape_channel, "Make a new secret for identities", NULL, NULL},
    {"GET", "/chat/{channel}/config", chat_config, ACCESS_PUBLIC, NULL, 0, 200,
     NULL, &shape_chat_config, "What a chat page needs before hello", NULL,
     NULL},
    {0}};
