/* SPDX-License-Identifier: Apache-2.0 */
/* channels.c - the doors visitors come in by.
 *
 * Happy path: a type we know and a config that fits its schema; its secrets
 * are kept apart and never shown. A channel whose visitors come by the socket
 * gets a secret for signing identities, shown once, at creation and when it is
 * changed. Failure: an
 * unknown type is 422 with the list of those known, a wrong setting 422 with
 * its name.
 */
#include "app/channels/channels.h"
#include "app/api/configured.h"
#include "app/files/files.h"
#include "app/sign.h"
#include "base/clock.h"
#include "base/limits.h"
#include <stdio.h>

static struct kind_values values_of(struct call *c, const struct channel *ch)
{
    return configured_values(c, ch->config, ch->secrets);
}

static const struct kind *kind_of(const struct call *c,
                                  const struct channel *ch)
{
    return kinds_find(c->s->kinds, ch->type);
}

static bool has_socket(const struct call *c, const struct channel *ch)
{
    const struct kind *k = kind_of(c, ch);
    return k && k->socket;
}

/* Without an adapter the settings are kept, and that is all. */
static struct slice state_of(const struct call *c, const struct channel *ch)
{
    const struct kind *k = kind_of(c, ch);
    if (!k || !k->has_adapter) {
        return SLICE("pending");
    }
    return ch->enabled ? SLICE("active") : SLICE("disabled");
}

static void put_webhook_url(struct call *c, struct jsonw *w,
                            const struct channel *ch)
{
    char url[CONFIG_TEXT + 64], id[ID_TEXT];
    struct slice base = slice_of(c->s->conf.public_url);
    jsonw_key(w, "webhook_url");
    if (has_socket(c, ch) && !kind_of(c, ch)->receives) {
        jsonw_null(w); /* it comes by the socket */
        return;
    }
    while (base.len && base.at[base.len - 1] == '/') {
        base.len--;
    }
    snprintf(url, sizeof url, "%.*s/hooks/%s", SLICE_FMT(base),
             id_text(id, ID_CHANNEL, ch->id).at);
    jsonw_text(w, slice_of(url));
}

/* What is shown as it is there; all else arrives as text (plain.h). */
static void put_shows(struct jsonw *w, const struct kind *k)
{
    jsonw_key(w, "kinds");
    jsonw_open(w, '[');
    for (int i = 0; k && i < MESSAGE_KINDS; i++) {
        if (k->can.shows[i]) {
            jsonw_text(w, slice_of(message_kind_name((enum message_kind)i)));
        }
    }
    jsonw_close(w, ']');
    jsonw_put_bool(w, "recalls", k && (!k->sends || k->recalls));
    jsonw_put_raw(w, "capabilities", k ? k->capabilities : SLICE("{}"));
}

static void put_time(struct jsonw *w, const char *name, int64_t at)
{
    jsonw_key(w, name);
    if (at) {
        jsonw_int(w, at);
    } else {
        jsonw_null(w);
    }
}

/* count: 0 = not told. */
static void put_word(struct jsonw *w, const char *name,
                     const struct channel_word *word, uint64_t count)
{
    jsonw_key(w, name);
    if (!word->at) {
        jsonw_null(w);
        return;
    }
    jsonw_open(w, '{');
    jsonw_put_text(w, "code", word->code.len ? word->code : SLICE(""));
    jsonw_put_text(w, "text", word->text.len ? word->text : SLICE(""));
    jsonw_put_int(w, "at", word->at);
    if (count) {
        jsonw_put_int(w, "count", (int64_t)count);
    }
    jsonw_close(w, '}');
}

static void put_figures(struct call *c, struct jsonw *w, uint64_t id)
{
    struct channel_figures f;
    desk_channel_figures(c->s->desk, id, &f);
    jsonw_put_text(w, "breaker", slice_of(breaker_state_name(f.breaker)));
    jsonw_put_int(w, "waiting", f.waiting);
    put_time(w, "oldest_waiting_at", f.oldest_at);
    put_time(w, "last_in_at", f.last_in_at);
    put_time(w, "last_out_at", f.last_out_at);
    put_word(w, "last_error", &f.trouble, 0);
    put_word(w, "rejected", &f.rejected, f.rejections);
}

static void channel_members(struct call *c, struct jsonw *w,
                            const struct channel *ch)
{
    put_id(w, "id", ID_CHANNEL, ch->id);
    jsonw_put_text(w, "type", ch->type);
    jsonw_put_text(w, "name", ch->name);
    jsonw_key(w, "config");
    kind_show(kind_of(c, ch), values_of(c, ch), w, c->a);
    jsonw_put_bool(w, "enabled", ch->enabled);
    jsonw_put_text(w, "state", state_of(c, ch));
    jsonw_put_text(w, "status", state_of(c, ch));
    put_webhook_url(c, w, ch);
    put_shows(w, kind_of(c, ch));
    jsonw_put_int(w, "created_at", ch->created_at);
    jsonw_put_int(w, "updated_at", ch->updated_at);
}

static void channel_write(struct call *c, struct jsonw *w,
                          const struct channel *ch)
{
    jsonw_open(w, '{');
    channel_members(c, w, ch);
    jsonw_close(w, '}');
}

/* With how it does now: not in events, which last. */
static void channel_write_now(struct call *c, struct jsonw *w,
                              const struct channel *ch)
{
    jsonw_open(w, '{');
    channel_members(c, w, ch);
    put_figures(c, w, ch->id);
    jsonw_close(w, '}');
}

static void write_row(struct call *c, struct jsonw *w, const void *row)
{
    channel_write_now(c, w, row);
}

static struct slice identity_secret(struct call *c, const struct channel *ch)
{
    struct json *secrets = NULL;
    if (ch->secrets.len && json_parse(c->a, ch->secrets, NULL, &secrets)) {
        secrets = NULL;
    }
    return json_text(secrets, "identity_secret");
}

/* With the secret: the only two answers that have it. */
static void write_with_secret(struct call *c, const struct channel *ch)
{
    struct slice secret = identity_secret(c, ch);
    struct jsonw *w = reply_begin(c);
    jsonw_open(w, '{');
    channel_members(c, w, ch);
    if (secret.len) {
        jsonw_put_text(w, "secret", secret);
    }
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

static void put_type(struct jsonw *w, const struct kind *k)
{
    put_shows(w, k);
    jsonw_put_text(w, "state",
                   k->has_adapter ? SLICE("active") : SLICE("pending"));
    jsonw_put_bool(w, "socket", k->socket);
}

static void list_types(struct call *c)
{
    configured_reply_types(c, c->s->kinds, put_type);
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
        channel_write_now(c, reply_begin(c), ch);
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
    polls_look(c->s);
    desk_faces_changed(c->s->desk);
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

static struct slice new_identity_secret(struct call *c)
{
    char text[SECRET_TEXT];
    return slice_dup(c->a, secret_new(text, "ycs_"));
}

/* What is kept of a channel's secrets; config: those of its settings. */
static struct slice secrets_text(struct call *c, struct slice identity,
                                 struct slice config)
{
    struct buf out;
    buf_init(&out, KIND_CONFIG_MAX + 256);
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '{');
    if (identity.len) {
        jsonw_put_text(&w, "identity_secret", identity);
    }
    jsonw_put_raw(&w, "config", config);
    jsonw_close(&w, '}');
    must(w.failed == 0);
    struct slice text = slice_dup(c->a, buf_slice(&out));
    buf_fini(&out);
    return text;
}

/* The body's config over the one there; false after a refusal. */
static bool settle(struct call *c, const struct kind *k, struct channel *ch,
                   struct slice identity)
{
    struct slice secrets;
    if (!configured_settle(c, k, values_of(c, ch), &ch->config, &secrets)) {
        return false;
    }
    ch->secrets = secrets_text(c, identity, secrets);
    return true;
}

static void reply_unknown_type(struct call *c)
{
    char known[160] = "";
    for (size_t i = 0; i < kinds_count(c->s->kinds); i++) {
        size_t n = strlen(known);
        snprintf(known + n, sizeof known - n, "%s%s", n ? ", " : "",
                 kinds_at(c->s->kinds, i)->name);
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
    const struct kind *k = kind_of(c, &ch);
    struct slice identity = {0};
    if (!k) {
        reply_unknown_type(c);
        return;
    }
    if (ch.name.len == 0) {
        ch.name = k->en;
    }
    if (k->socket) {
        identity = new_identity_secret(c);
    }
    ch.enabled = body_bool(c, "enabled", true);
    ch.updated_at = ch.created_at;
    if (settle(c, k, &ch, identity)) {
        commit(c, &ch, 201, true);
    }
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
    if (!configured_keeps_type(c, was->type,
                               "a channel's type cannot change")) {
        return;
    }
    if (body_text(c, "name").len) {
        ch.name = body_text(c, "name");
    }
    const struct kind *k = kind_of(c, was);
    if (body_get(c, "config") && !k) {
        reply_unknown_type(c); /* its schema has gone since */
        return;
    }
    if (body_get(c, "config") && !settle(c, k, &ch, identity_secret(c, was))) {
        return;
    }
    ch.enabled = body_bool(c, "enabled", was->enabled);
    ch.updated_at = clock_ms();
    commit(c, &ch, 200, false);
}

/* Those of its settings, as they are kept. */
static struct slice config_secrets(struct call *c, const struct channel *ch)
{
    const struct json *of = values_of(c, ch).secrets;
    struct buf out;
    if (!json_is(of, JSON_OBJECT)) {
        return SLICE("{}");
    }
    buf_init(&out, KIND_CONFIG_MAX);
    struct jsonw w = jsonw_on(&out);
    jsonw_value(&w, of);
    must(w.failed == 0); /* it came from there */
    struct slice text = slice_dup(c->a, buf_slice(&out));
    buf_fini(&out);
    return text;
}

static void rotate(struct call *c)
{
    const struct channel *was = find(c);
    if (!was) {
        return;
    }
    if (!has_socket(c, was)) {
        reply_fail(c, ERR_CONFLICT, NULL,
                   "only a channel whose visitors come by the socket has a "
                   "secret for identities");
        return;
    }
    struct channel ch = *was;
    ch.secrets =
        secrets_text(c, new_identity_secret(c), config_secrets(c, was));
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
    if (!ch || !ch->enabled || !has_socket(c, ch)) {
        reply_missing(c, "channel");
        return;
    }
    struct jsonw *w = reply_begin(c);
    jsonw_open(w, '{');
    put_id(w, "channel", ID_CHANNEL, ch->id);
    jsonw_put_text(w, "name", ch->name);
    jsonw_put_text(w, "type", ch->type);
    jsonw_key(w, "config");
    if (slice_is(ch->type, "web")) {
        kind_show(kind_of(c, ch), values_of(c, ch), w, c->a);
    } else { /* an adapter's settings are the house's own business */
        struct channel_face face;
        kind_face(kind_of(c, ch), ch, &face);
        jsonw_open(w, '{');
        jsonw_put_bool(w, KIND_TYPING_TEXT, face.drafts);
        jsonw_close(w, '}');
    }
    jsonw_put_int(w, "text_bytes", LIMIT_TEXT_BYTES);
    jsonw_put_int(w, "file_bytes", files_most(c->s, ch->id));
    jsonw_close(w, '}');
    c->headers = SLICE("Access-Control-Allow-Origin: *\r\n");
    reply_send(c, 200);
}

#define KINDS_OUT                                                              \
    {.name = "kinds",                                                          \
     .type = FIELD_TEXTS,                                                      \
     .help = "of messages the platform shows; others arrive as text"},         \
        {.name = "recalls",                                                    \
         .type = FIELD_BOOL,                                                   \
         .help = "what was sent can be taken back"},                           \
    {                                                                          \
        .name = "capabilities", .type = FIELD_OBJECT,                          \
        .help = "as the adapter says"                                          \
    }

static const struct field channel_in[] = {
    {.name = "type",
     .type = FIELD_TEXT,
     .required = true,
     .least = 1,
     .most = 32},
    {.name = "name", .type = FIELD_TEXT},
    {.name = "config",
     .type = FIELD_OBJECT,
     .help = "by the type's schema; secrets are shown as ***"},
    {.name = "enabled", .type = FIELD_BOOL},
    {0}};
static const struct field channel_out[] = {
    {.name = "id", .type = FIELD_TEXT},
    {.name = "type", .type = FIELD_TEXT},
    {.name = "name", .type = FIELD_TEXT},
    {.name = "config", .type = FIELD_OBJECT, .help = "secrets as ***"},
    {.name = "enabled", .type = FIELD_BOOL},
    {.name = "state",
     .type = FIELD_TEXT,
     .choices = "active|disabled|pending",
     .help = "pending: no adapter for this type is installed"},
    {.name = "status", .type = FIELD_TEXT, .help = "the same as state"},
    {.name = "webhook_url",
     .type = FIELD_TEXT,
     .help = "null where visitors come by the socket"},
    KINDS_OUT,
    {.name = "breaker",
     .type = FIELD_TEXT,
     .choices = "closed|open|half-open",
     .help = "open: the platform fails and is left alone for a while"},
    {.name = "waiting", .type = FIELD_INT, .help = "messages to be sent"},
    {.name = "oldest_waiting_at", .type = FIELD_INT, .help = "null: none"},
    {.name = "last_in_at", .type = FIELD_INT, .help = "null: not since start"},
    {.name = "last_out_at", .type = FIELD_INT, .help = "null: not since start"},
    {.name = "last_error",
     .type = FIELD_OBJECT,
     .help = "code, text, at; null: none since the start"},
    {.name = "rejected",
     .type = FIELD_OBJECT,
     .help = "webhooks the adapter refused, strangers' among them: code, text, "
             "at of the last, count; null: none since the start"},
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
    KINDS_OUT,
    {.name = "state", .type = FIELD_TEXT, .choices = "active|pending"},
    {.name = "socket",
     .type = FIELD_BOOL,
     .help = "visitors come by the WebSocket; it has a secret for identities"},
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
