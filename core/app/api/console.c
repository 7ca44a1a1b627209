/* SPDX-License-Identifier: Apache-2.0 */
/* console.c - Lua against the running house, for `yuelai console`.
 *
 * Happy path: one line at a time, in a sandbox of its own; what it looks at is
 * the house as it is; each line is in the audit. Failure: whoever only looks
 * is refused what changes something; a second console waits for the first.
 */
#include "app/api/api.h"
#include "base/clock.h"
#include "base/limits.h"

#define READ_ONLY "this console is read-only (yuelai console --write)"

static bool is_change(const struct effect *e)
{
    bool kv = e->type == EFFECT_KV_SET || e->type == EFFECT_KV_DEL;
    return kv && !slice_is(e->name, "=");
}

static bool changes(const struct job *job)
{
    for (const struct effect *e = job ? job->first : NULL; e; e = e->next) {
        if (is_change(e)) {
            return true;
        }
    }
    return false;
}

static void on_evaluated(void *arg, struct slice answer, const struct job *job)
{
    struct call *c = arg;
    struct server *s = c->s;
    bool write = s->console_writes;
    s->console_busy = s->console_writes = false;
    struct tx *tx = tx_new(NULL, c);
    struct jsonw *w = reply_begin(c);
    jsonw_raw(w, !write && changes(job)
                     ? SLICE("{\"ok\":false,\"text\":\"" READ_ONLY "\"}")
                     : answer);
    for (const struct effect *e = job && write ? job->first : NULL; e;
         e = e->next) {
        if (is_change(e)) {
            effect_put_kv(e, tx);
        }
    }
    struct buf data;
    buf_init(&data, LIMIT_SCRIPT_BYTES * 6 + 64);
    struct jsonw d = jsonw_on(&data);
    jsonw_open(&d, '{');
    jsonw_put_text(&d, "source", body_text(c, "source"));
    jsonw_close(&d, '}');
    audit_put(c, tx, write ? "console.write" : "console.read", SLICE("console"),
              d.failed ? SLICE("{}") : slice_dup(c->a, buf_slice(&data)));
    buf_fini(&data);
    reply_commit(c, tx, 200, NULL);
}

static void post(struct call *c)
{
    struct server *s = c->s;
    if (!s->script) {
        reply_fail(c, ERR_UNAVAILABLE, NULL, "the server is stopping");
    } else if (s->console_busy) {
        reply_fail(c, ERR_CONFLICT, NULL, "another console is at work");
    } else {
        s->console_busy = true;
        s->console_writes = body_bool(c, "write", false);
        script_eval(s->script, body_text(c, "source"), desk_roster(s->desk),
                    on_evaluated, c);
    }
}

static const struct field eval_in[] = {
    {.name = "source",
     .type = FIELD_TEXT,
     .required = true,
     .least = 1,
     .most = 60000,
     .help = "Lua: an expression or statements"},
    {.name = "write",
     .type = FIELD_BOOL,
     .help = "what it changes counts; false: it may only look"},
    {0}};
static const struct field eval_out[] = {
    {.name = "ok", .type = FIELD_BOOL},
    {.name = "text", .type = FIELD_TEXT, .help = "what it printed and gave"},
    {0}};
const struct shape shape_eval = {"ConsoleAnswer", eval_out};
const struct route routes_console[] = {
    {"POST", "/api/v1/console", post, ACCESS_ADMIN, "console", ROUTE_READS, 200,
     eval_in, &shape_eval, "Evaluate Lua in the running server", NULL, NULL},
    {0}};
