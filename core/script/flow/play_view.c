/* SPDX-License-Identifier: Apache-2.0 */
/* play_view.c - the conversation kept in a flow's log; the flow's view.
 *
 * Happy path: a small JSON object each way. Failure modes: none; what is
 * missing in an old log stays as the job has it, too long names are cut.
 */
#include "script/flow/play_view.h"
#include "base/limits.h"
#include "script/flow/play_log.h"
#include <stdio.h>

static void put_small(struct jsonw *w, struct arena *a, const char *key,
                      struct slice json)
{
    if (json.len && json.len <= VIEW_BYTES &&
        play_depth(a, json) < PLAY_DEPTH - 3)
        jsonw_put_raw(w, key, json);
}

static void put_contact(struct jsonw *w, struct arena *a,
                        const struct contact *c)
{
    jsonw_key(w, "contact");
    jsonw_open(w, '{');
    jsonw_put_int(w, "id", (int64_t)c->id);
    jsonw_put_text(w, "identity", c->identity);
    jsonw_put_text(w, "name", c->name);
    jsonw_put_text(w, "email", c->email);
    jsonw_put_text(w, "phone", c->phone);
    jsonw_put_text(w, "tier", c->tier);
    put_small(w, a, "tags", c->tags);
    put_small(w, a, "attributes", c->attributes);
    jsonw_close(w, '}');
}

struct slice play_view_write(struct job *job)
{
    const struct conversation *c = &job->conv;
    struct buf out;
    buf_init(&out, LIMIT_BODY_BYTES);
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '[');
    jsonw_open(&w, '{');
    jsonw_put_text(&w, "state", slice_of(conv_state_name(c->state)));
    jsonw_put_int(&w, "channel", (int64_t)c->channel);
    jsonw_put_text(&w, "channel_type", c->channel_type);
    jsonw_put_int(&w, "assignee", (int64_t)c->assignee);
    jsonw_put_int(&w, "team", (int64_t)c->team);
    jsonw_put_int(&w, "priority", c->priority);
    jsonw_put_int(&w, "last_seq", c->last_seq);
    jsonw_put_int(&w, "unread", c->unread);
    put_small(&w, job->arena, "tags", c->tags);
    put_small(&w, job->arena, "attributes", c->attributes);
    put_contact(&w, job->arena, &job->contact);
    jsonw_close(&w, '}');
    jsonw_close(&w, ']');
    must(!w.failed); /* names and small things only */
    struct slice text = slice_dup(job->arena, buf_slice(&out));
    buf_fini(&out);
    return text;
}

/* The JSON text of a field, "" if it is not there. */
static struct slice text_of(struct job *job, const struct json *j,
                            const char *key)
{
    struct slice text = {"", 0};
    const struct json *v = json_get(j, key);
    struct buf out;
    if (!v)
        return text;
    buf_init(&out, 4 * VIEW_BYTES);
    struct jsonw w = jsonw_on(&out);
    jsonw_value(&w, v);
    if (!w.failed)
        text = slice_dup(job->arena, buf_slice(&out));
    buf_fini(&out);
    return text;
}

static void read_contact(struct job *job, const struct json *j)
{
    struct contact *c = &job->contact;
    if (!j)
        return;
    c->id = (uint64_t)json_int(j, "id", (int64_t)c->id);
    c->identity = json_text(j, "identity");
    c->name = json_text(j, "name");
    c->email = json_text(j, "email");
    c->phone = json_text(j, "phone");
    c->tier = json_text(j, "tier");
    c->tags = text_of(job, j, "tags");
    c->attributes = text_of(job, j, "attributes");
}

void play_view_read(struct job *job, const struct json *view)
{
    struct conversation *c = &job->conv;
    if (!json_is(view, JSON_OBJECT))
        return;
    (void)conv_state_find(json_text(view, "state"), &c->state);
    c->channel = (uint64_t)json_int(view, "channel", (int64_t)c->channel);
    c->channel_type = json_text(view, "channel_type");
    c->assignee = (uint64_t)json_int(view, "assignee", 0);
    c->team = (uint64_t)json_int(view, "team", 0);
    c->priority = (int32_t)json_int(view, "priority", 0);
    c->last_seq = (uint32_t)json_int(view, "last_seq", 0);
    c->unread = (uint32_t)json_int(view, "unread", 0);
    c->tags = text_of(job, view, "tags");
    c->attributes = text_of(job, view, "attributes");
    read_contact(job, json_get(view, "contact"));
}

/* --- for people ----------------------------------------------------------- */

void play_duration(char out[24], int64_t ms)
{
    static const struct {
        int64_t ms;
        const char *unit;
    } units[] = {{24 * 3600 * 1000, "d"},
                 {3600 * 1000, "h"},
                 {60 * 1000, "m"},
                 {1000, "s"},
                 {1, "ms"}};
    size_t i = 0;
    while (i < 4 && (ms < units[i].ms || ms % units[i].ms))
        i++;
    snprintf(out, 24, "%lld%s", (long long)(ms / units[i].ms), units[i].unit);
}

static void put_step(struct jsonw *w, const struct play *p)
{
    char text[2 * PLAY_NAME];
    int n = snprintf(text, sizeof text, "%.*s%s%.*s", SLICE_FMT(p->open.kind),
                     p->open.name.len ? " " : "", SLICE_FMT(p->open.name));
    if (n > 0 && (size_t)n < sizeof text)
        jsonw_put_text(w, "step", (struct slice){text, (size_t)n});
}

struct slice play_view(const struct play *p)
{
    struct buf out;
    if (p->stopped && !p->waits.len && !p->stuck.len)
        return p->flow->view; /* it waits on as before */
    buf_init(&out, LIMIT_FLOW_LOG);
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '{');
    if (p->waits.len)
        jsonw_put_text(&w, "waits", p->waits);
    if (p->open.is)
        put_step(&w, p);
    if (p->state.len)
        jsonw_put_text(&w, "state", p->state);
    if (p->saga.len)
        jsonw_put_raw(&w, "saga", p->saga);
    jsonw_close(&w, '}');
    struct slice text = w.failed
                            ? SLICE("{}")
                            : slice_dup(p->task->job->arena, buf_slice(&out));
    buf_fini(&out);
    return text;
}
