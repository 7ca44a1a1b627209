/* SPDX-License-Identifier: Apache-2.0 */
/* scripts.c - scripts as the wing knows them, their versions, and what people
 * order: reload, roll back, promote, switch off and on.
 *
 * Happy path: an order is answered when it is done, with the script as it is
 * then, and is in the audit. Failure: what did not become true is an error
 * with the reason (a file that does not load: 422 with file and line), and
 * nothing has changed.
 *
 * A name in a path is folder/name; below that a colon stands for a slash:
 * /scripts/rules/shop:refund is rules/shop/refund.
 */
#include "app/api/api.h"
#include <stdio.h>

/* --- looking -------------------------------------------------------------- */

static bool is_asked_for(struct call *c, const struct json *script)
{
    const struct slice texts[] = {json_text(script, "name"),
                                  json_text(script, "note")};
    return query_matches(c, texts, 2);
}

static void list(struct call *c)
{
    struct buf text;
    struct json *items = NULL;
    buf_init(&text, REPLY_MAX);
    int r = script_list(c->s->script, &text);
    if (r || json_parse(c->a, buf_slice(&text), NULL, &items)) {
        buf_fini(&text);
        reply_fail(c, r ? r : ERR_INTERNAL, NULL, "the list is too large");
        return;
    }
    struct page p;
    if (page_read(c, &p)) {
        uint32_t at = 0;
        struct jsonw *w = reply_begin(c);
        jsonw_open(w, '{');
        jsonw_key(w, "items");
        jsonw_open(w, '[');
        for (struct json *i = items->first; i; i = i->next) {
            if (!is_asked_for(c, i)) {
                continue;
            }
            if (at >= p.offset && at - p.offset < p.limit) {
                jsonw_value(w, i);
            }
            at++;
        }
        jsonw_close(w, ']');
        page_next(c, &p, at);
        jsonw_close(w, '}');
        reply_send(c, 200);
    }
    buf_fini(&text);
}

/* "rules/shop/refund" of the path; it outlives the request's bytes. */
static struct slice name_of(struct call *c)
{
    struct slice folder = c->args[0], name = c->args[1];
    size_t len = folder.len + 1 + name.len;
    char *text = arena_text(c->a, len + 1);
    memcpy(text, folder.at, folder.len);
    text[folder.len] = '/';
    memcpy(text + folder.len + 1, name.at, name.len);
    for (size_t i = folder.len; i < len; i++) {
        if (text[i] == ':') {
            text[i] = '/';
        }
    }
    text[len] = 0;
    return (struct slice){text, len};
}

static bool is_known(struct call *c, struct slice name)
{
    struct buf text;
    buf_init(&text, REPLY_MAX);
    int r = c->s->script ? script_show(c->s->script, name, &text) : 0;
    buf_fini(&text);
    return r == 0;
}

/* Writes the script as it is; false after a 404. */
static bool write_one(struct call *c, struct slice name)
{
    struct buf text;
    buf_init(&text, REPLY_MAX);
    int r = script_show(c->s->script, name, &text);
    if (r == 0) {
        jsonw_raw(reply_begin(c), buf_slice(&text));
    }
    buf_fini(&text);
    if (r) {
        reply_missing(c, "script");
    }
    return r == 0;
}

static void get(struct call *c)
{
    if (write_one(c, name_of(c))) {
        reply_send(c, 200);
    }
}

/* --- versions ------------------------------------------------------------- */

/* There may be versions of a script that is gone; else it never was. */
static void reply_versions(struct query *q)
{
    struct call *c = q->owner;
    if (q->result || q->total || is_known(c, q->text)) {
        reply_page(q);
        return;
    }
    query_free(q);
    reply_missing(c, "script");
}

static void list_versions(struct call *c)
{
    struct page p;
    if (!page_read(c, &p)) {
        return;
    }
    struct query *q = query_new(QUERY_VERSIONS, reply_versions, c);
    q->text = slice_dup(q->arena, name_of(c));
    q->limit = p.limit;
    q->offset = p.offset;
    server_read(c->s, q);
}

static bool is_refused(struct call *c, struct query *q)
{
    if (q->result == 0) {
        return false;
    }
    struct err e = q->err;
    e.code = q->result;
    query_free(q);
    if (e.code == ERR_NOT_FOUND) {
        reply_missing(c, "version");
    } else {
        reply_error(c, &e);
    }
    return true;
}

static void put_time(struct jsonw *w, const char *key, int64_t at)
{
    jsonw_key(w, key);
    if (at) {
        jsonw_int(w, at);
    } else {
        jsonw_null(w);
    }
}

static void on_version(struct query *q)
{
    struct call *c = q->owner;
    if (is_refused(c, q)) {
        return;
    }
    const struct script_version *v = q->version;
    struct jsonw *w = reply_begin(c);
    jsonw_open(w, '{');
    jsonw_put_text(w, "script", v->unit);
    jsonw_put_text(w, "version", v->version);
    jsonw_put_text(w, "state", slice_of(version_state_name(v->state)));
    put_time(w, "since_at", v->since_at);
    put_time(w, "until_at", v->until_at);
    jsonw_put_text(w, "note", v->note);
    jsonw_put_raw(w, "sources", v->sources.len ? v->sources : SLICE("[]"));
    jsonw_close(w, '}');
    query_free(q);
    reply_send(c, 200);
}

static void ask_version(struct call *c, struct slice name, struct slice version,
                        void (*done)(struct query *q))
{
    struct query *q = query_new(QUERY_VERSION, done, c);
    q->text = slice_dup(q->arena, name);
    q->identity = slice_dup(q->arena, version);
    server_read(c->s, q);
}

static void get_version(struct call *c)
{
    ask_version(c, name_of(c), c->args[2], on_version);
}

/* --- orders --------------------------------------------------------------- */

/* What the order is called in the audit lies in own, the name in text. */
static void order(struct call *c, const char *what)
{
    c->text = name_of(c);
    c->own = (void *)what;
}

static void on_done(void *arg, int result, const struct err *e)
{
    struct call *c = arg;
    if (result) {
        c->err = *e;
        c->err.code = result;
        reply_error(c, &c->err);
        return;
    }
    if (!c->s->script || !write_one(c, c->text)) {
        return;
    }
    struct tx *tx = tx_new(NULL, NULL);
    audit_put(c, tx, c->own, c->text, c->stub);
    reply_commit(c, tx, 200, NULL);
}

static void reload(struct call *c)
{
    order(c, "script.reload");
    script_reload(c->s->script, c->text, on_done, c);
}

static void promote(struct call *c)
{
    order(c, "script.promote");
    script_promote(c->s->script, c->text, true, on_done, c);
}

static void abort_canary(struct call *c)
{
    order(c, "script.abort");
    script_promote(c->s->script, c->text, false, on_done, c);
}

static void enable(struct call *c)
{
    order(c, "script.enable");
    script_enable(c->s->script, c->text, true, on_done, c);
}

static void disable(struct call *c)
{
    order(c, "script.disable");
    script_enable(c->s->script, c->text, false, on_done, c);
}

/* --- roll back ------------------------------------------------------------ */

static void on_target(struct query *q)
{
    struct call *c = q->owner;
    char data[64];
    if (is_refused(c, q)) {
        return;
    }
    snprintf(data, sizeof data, "{\"version\":\"%.*s\"}",
             SLICE_FMT(q->version->version));
    c->stub = slice_dup(c->a, slice_of(data));
    if (c->s->script) {
        script_roll_back(c->s->script, q->version, on_done, c);
    } else {
        reply_fail(c, ERR_UNAVAILABLE, NULL, "the server is stopping");
    }
    query_free(q);
}

/* The version before the one that serves: the newest that served once. */
static struct slice version_before(struct call *c, const struct query *q)
{
    struct json *rows = NULL;
    if (json_parse(c->a, q->json, NULL, &rows)) {
        return SLICE("");
    }
    for (const struct json *v = rows->first; v; v = v->next) {
        if (slice_is(json_text(v, "state"), "old") ||
            slice_is(json_text(v, "state"), "pinned")) {
            return json_text(v, "version");
        }
    }
    return SLICE("");
}

static void on_rows(struct query *q)
{
    struct call *c = q->owner;
    if (is_refused(c, q)) {
        return;
    }
    struct slice version = version_before(c, q);
    query_free(q);
    if (version.len) {
        ask_version(c, c->text, version, on_target);
    } else if (!is_known(c, c->text)) {
        reply_missing(c, "script");
    } else {
        reply_fail(c, ERR_CONFLICT, NULL,
                   "there is no version to go back to; see versions");
    }
}

static void roll_back(struct call *c)
{
    struct slice version = body_text(c, "version");
    order(c, "script.rollback");
    if (version.len) {
        ask_version(c, c->text, version, on_target);
        return;
    }
    struct query *q = query_new(QUERY_VERSIONS, on_rows, c);
    q->text = slice_dup(q->arena, c->text);
    q->limit = 100;
    server_read(c->s, q);
}

/* --- routes --------------------------------------------------------------- */

static const struct field rollback_in[] = {
    {.name = "version",
     .type = FIELD_TEXT,
     .help = "12 hex digits; none: the one before"},
    {0}};
static const struct field script_out[] = {
    {.name = "name", .type = FIELD_TEXT},
    {.name = "kind",
     .type = FIELD_TEXT,
     .choices = "rule|flow|channel|ai|tool"},
    {.name = "state",
     .type = FIELD_TEXT,
     .choices = "serving|last_good|broken|quarantined|failing|rolled_back|off"},
    {.name = "version", .type = FIELD_ANY},
    {.name = "priority", .type = FIELD_INT, .help = "of a rule"},
    {.name = "loaded_at", .type = FIELD_INT},
    {.name = "note", .type = FIELD_TEXT, .help = "why this version serves"},
    {.name = "canary",
     .type = FIELD_ANY,
     .help =
         "null, or version, share, since_at, conversations, stable, canary"},
    {.name = "pin", .type = FIELD_BOOL},
    {.name = "pinned",
     .type = FIELD_ANY,
     .help = "version, since_at, until_at"},
    {.name = "calls", .type = FIELD_INT, .help = "since the start"},
    {.name = "failures", .type = FIELD_INT},
    {.name = "kills", .type = FIELD_INT},
    {.name = "cpu_us", .type = FIELD_INT, .help = "of all calls"},
    {.name = "memory_bytes", .type = FIELD_INT},
    {.name = "in_flight", .type = FIELD_INT, .help = "handlers that wait"},
    {.name = "limits",
     .type = FIELD_ANY,
     .help = "cpu_ms, wall_ms, memory_bytes, http, effects"},
    {.name = "errors",
     .type = FIELD_ANY,
     .help = "phase, file, line, message, traceback, count, first_at, last_at; "
             "of the last one: hook, event, conversation, log (up to 20 lines "
             "the script wrote before)"},
    {0}};
const struct shape shape_script = {"Script", script_out};
static const struct field version_out[] = {
    {.name = "script", .type = FIELD_TEXT},
    {.name = "version", .type = FIELD_TEXT},
    {.name = "state",
     .type = FIELD_TEXT,
     .choices = "serving|canary|old|refused|pinned"},
    {.name = "since_at", .type = FIELD_INT},
    {.name = "until_at", .type = FIELD_ANY, .help = "null = still"},
    {.name = "note", .type = FIELD_TEXT, .help = "what became of it, and why"},
    {.name = "sources", .type = FIELD_ANY, .help = "name, text; of one only"},
    {0}};
const struct shape shape_script_version = {"ScriptVersion", version_out};

#define ONE "/api/v1/scripts/{folder}/{name}"
#define LOOK(path, run, flags, shape, help)                                    \
    {                                                                          \
        "GET", path, run, ACCESS_AGENT, "scripts", flags, 200, NULL, shape,    \
            help, NULL, NULL                                                   \
    }
#define ORDER(verb, run, in, help)                                             \
    {                                                                          \
        "POST", ONE "/" verb, run, ACCESS_SUPERVISOR, "scripts", 0, 200, in,   \
            &shape_script, help, NULL, NULL                                    \
    }
const struct route routes_scripts[] = {
    {"GET", "/api/v1/scripts", list, ACCESS_AGENT, "scripts", ROUTE_LIST, 200,
     NULL, &shape_script, "List scripts with their state and errors", "q",
     NULL},
    LOOK(ONE, get, 0, &shape_script,
         "One script (a colon in the name stands for a slash)"),
    LOOK(ONE "/versions", list_versions, ROUTE_LIST, &shape_script_version,
         "Its versions, newest first"),
    LOOK(ONE "/versions/{version}", get_version, 0, &shape_script_version,
         "One version with its sources"),
    ORDER("reload", reload, NULL, "Read its file again"),
    ORDER("rollback", roll_back, rollback_in, "Serve an earlier version"),
    ORDER("promote", promote, NULL, "The version that is tried serves all"),
    ORDER("abort", abort_canary, NULL, "The version that is tried goes"),
    ORDER("enable", enable, NULL, "Switch it on again"),
    ORDER("disable", disable, NULL, "Switch it off"),
    {0}};
