/* SPDX-License-Identifier: Apache-2.0 */
/* play_log.c - a flow's log: read, grown, written back; what woke the flow, as
 * values of an entry.
 *
 * Happy path: the closed entries are copied to p->log, new ones behind them.
 * Failure modes: no log, or one that has an open entry in the middle
 * (ERR_UNPROCESSABLE); past its limits: the run is broken.
 */
#include "script/flow/play_log.h"
#include "base/clock.h"
#include "base/limits.h"
#include "script/load/unit.h"
#include <string.h>

#define TEXT_BYTES 4000 /* of a reply, as the flow sees and keeps it */

struct slice play_head(struct slice s, size_t max)
{
    if (s.len <= max)
        return s;
    while (max && ((unsigned char)s.at[max] & 0xc0) == 0x80)
        max--;
    return (struct slice){s.at, max};
}

/* --- reading -------------------------------------------------------------- */

static int depth_of(const struct json *j)
{
    int most = 0;
    if (!json_is(j, JSON_ARRAY) && !json_is(j, JSON_OBJECT))
        return 0;
    for (const struct json *c = j->first; c; c = c->next) {
        int d = depth_of(c);
        most = d > most ? d : most;
    }
    return most + 1;
}

int play_depth(struct arena *a, struct slice json)
{
    struct json *j = NULL;
    return json_parse(a, json, NULL, &j) < 0 ? 0 : depth_of(j);
}

bool play_log_is_open(const struct json *e)
{
    return !json_is(json_get(e, "v"), JSON_ARRAY);
}

static void read_open(struct play *p, const struct json *e)
{
    p->open = (struct play_open){.is = true,
                                 .kind = json_text(e, "k"),
                                 .name = json_text(e, "n"),
                                 .due_at = json_int(e, "due", 0),
                                 .tries = (uint32_t)json_int(e, "t", 0)};
}

/* Copies the closed entries to p->log. */
static int read_entries(struct play *p, const struct json *list)
{
    struct jsonw w = jsonw_on(&p->log);
    const struct json *e = list->first;
    jsonw_open(&w, '[');
    for (; e && !play_log_is_open(e); e = e->next) {
        jsonw_value(&w, e);
        if (!p->step++)
            p->first_len = p->log.len;
    }
    p->next = p->step ? list->first : NULL;
    if (e)
        read_open(p, e);
    return w.failed || (e && (e->next || !p->step)) ? ERR_UNPROCESSABLE : 0;
}

int play_log_read(struct play *p)
{
    struct job *job = p->task->job;
    struct slice text = p->flow->log.len ? p->flow->log : SLICE("[]");
    struct json *list;
    if (json_parse(job->arena, text, NULL, &list) < 0 ||
        !json_is(list, JSON_ARRAY))
        return ERR_UNPROCESSABLE;
    return read_entries(p, list);
}

/* --- writing -------------------------------------------------------------- */

static void write_entry(struct jsonw *w, const char *kind, const char *name,
                        uint32_t tries)
{
    jsonw_open(w, '{');
    jsonw_put_text(w, "k", slice_of(kind));
    jsonw_put_text(w, "n", slice_of(name));
    if (tries)
        jsonw_put_int(w, "t", tries);
}

static bool too_long(struct play *p, const char *kind, const char *name)
{
    if (p->step >= LIMIT_FLOW_STEPS)
        play_break(p, "the flow has more than %d steps", LIMIT_FLOW_STEPS);
    else
        play_break(p,
                   "the flow's log grows over %d KB with %s '%s'; let steps "
                   "return only what the flow needs",
                   LIMIT_FLOW_LOG / 1024, kind, name);
    return false;
}

bool play_close(struct play *p, const char *kind, const char *name,
                uint32_t tries, struct slice values, const struct json **out)
{
    struct json *j;
    struct jsonw w = jsonw_on(&p->log);
    if (json_parse(p->task->job->arena, values, NULL, &j) < 0 ||
        depth_of(j) > PLAY_DEPTH) {
        play_break(p, "%s '%s': its result is nested too deep to be kept", kind,
                   name);
        return false;
    }
    if (!p->log.len)
        jsonw_open(&w, '[');
    w.comma = p->step > 0;
    write_entry(&w, kind, name, tries);
    p->at = play_wall(p);
    p->drawn = 0;
    jsonw_put_int(&w, "at", p->at);
    jsonw_put_raw(&w, "v", values);
    jsonw_close(&w, '}');
    if (w.failed || p->step >= LIMIT_FLOW_STEPS)
        return too_long(p, kind, name);
    p->step++;
    p->open.is = false;
    *out = j;
    if (!p->live)
        play_go_live(p);
    return true;
}

void play_wait(struct play *p, const char *kind, const char *name,
               int64_t due_at, uint32_t tries)
{
    struct arena *a = p->task->job->arena;
    p->open = (struct play_open){.is = true,
                                 .kind = slice_dup(a, slice_of(kind)),
                                 .name = slice_dup(a, slice_of(name)),
                                 .due_at = due_at,
                                 .tries = tries};
}

void play_forget(struct play *p)
{
    if (!p->safe.text.at)
        p->safe.text = slice_dup(p->task->job->arena,
                                 (struct slice){p->log.data, p->safe.len});
    p->log.len = p->first_len;
    p->step = 1;
}

static struct slice log_text(struct play *p, const struct play_point *to)
{
    struct buf out;
    struct arena *a = p->task->job->arena;
    buf_init(&out, LIMIT_FLOW_LOG);
    struct jsonw w = jsonw_on(&out);
    if (to->len)
        jsonw_raw(&w, to->text.at ? to->text
                                  : (struct slice){p->log.data, to->len});
    else
        jsonw_open(&w, '[');
    if (to->open.is) {
        w.comma = to->step > 0;
        jsonw_open(&w, '{');
        jsonw_put_text(&w, "k", to->open.kind);
        jsonw_put_text(&w, "n", to->open.name);
        if (to->open.due_at)
            jsonw_put_int(&w, "due", to->open.due_at);
        if (to->open.tries)
            jsonw_put_int(&w, "t", to->open.tries);
        jsonw_close(&w, '}');
    }
    jsonw_close(&w, ']');
    must(!w.failed);
    struct slice text = slice_dup(a, buf_slice(&out));
    buf_fini(&out);
    return text;
}

void play_log_store(struct play *p, const struct play_point *to)
{
    struct flow *f = p->flow;
    f->log = log_text(p, to);
    f->step = to->step;
    f->version =
        slice_dup(p->task->job->arena, slice_of(p->task->version->text));
}

/* --- what woke it --------------------------------------------------------- */

/* The rest of the body, if it has a size and depth that fit. */
static void write_rest(struct jsonw *w, struct job *job)
{
    struct json *body = NULL;
    if (job->event.body.len > LIMIT_FLOW_LOG / 4 ||
        json_parse(job->arena, job->event.body, NULL, &body) < 0 ||
        !json_is(body, JSON_OBJECT) || depth_of(body) >= PLAY_DEPTH)
        return;
    for (const struct json *c = body->first; c; c = c->next) {
        if (slice_is(c->key, "text") || slice_is(c->key, "kind"))
            continue;
        jsonw_key(w, c->key.at);
        jsonw_value(w, c);
    }
}

/* The message, as on_message sees it, but with a head of a long text. */
static struct slice reply_values(struct job *job)
{
    char id[ID_TEXT];
    struct buf out;
    struct slice text = job->text.len ? job->text : SLICE("");
    buf_init(&out, LIMIT_FLOW_LOG);
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '[');
    jsonw_open(&w, '{');
    write_rest(&w, job);
    jsonw_put_text(&w, "id", id_text(id, ID_MESSAGE, job->event.pos));
    jsonw_put_int(&w, "seq", job->event.seq);
    jsonw_put_int(&w, "at", job->event.at);
    jsonw_put_text(&w, "kind", job->kind.len ? job->kind : SLICE("text"));
    jsonw_put_text(&w, "text", play_head(text, TEXT_BYTES));
    if (text.len > TEXT_BYTES)
        jsonw_put_bool(&w, "cut", true);
    jsonw_close(&w, '}');
    jsonw_close(&w, ']');
    must(!w.failed); /* a body of LIMIT_FLOW_LOG / 4, written as it was */
    text = slice_dup(job->arena, buf_slice(&out));
    buf_fini(&out);
    return text;
}

/* False: it still waits. */
static bool outcome(struct play *p, struct slice *out)
{
    struct job *job = p->task->job;
    bool reply = slice_is(p->open.kind, "reply");
    bool due = p->open.due_at && p->open.due_at <= play_wall(p);
    if (reply && slice_is(job->what, "reply"))
        *out = reply_values(job);
    else if (reply && slice_is(job->what, "taken"))
        *out = SLICE("[null,\"taken\"]");
    else if (reply && slice_is(job->what, "closed"))
        *out = SLICE("[null,\"closed\"]");
    else if (due || slice_is(job->what, "timer"))
        *out = reply ? SLICE("[null,\"timeout\"]") : SLICE("[true]");
    else
        return false;
    return true;
}

bool play_outcome(struct play *p, struct slice *out)
{
    if (p->brought || !outcome(p, out))
        return false;
    p->brought = true;
    return true;
}
