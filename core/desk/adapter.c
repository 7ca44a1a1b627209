/* SPDX-License-Identifier: Apache-2.0 */
/* adapter.c - what a channel's adapter is given of the channel.
 *
 * Happy path: settings and secrets become one object, with a list of which are
 * secret, so that the script wing can hide them. Failure: settings that do not
 * parse are an empty object: the adapter says what it misses.
 */
#include "base/json.h"
#include "base/limits.h"
#include "desk/inner.h"
#include <stdio.h>

#define CONFIG_MOST (256 * 1024)

static const struct json *members(struct json *j)
{
    return json_is(j, JSON_OBJECT) ? j->first : NULL;
}

static struct slice done(struct arena *a, struct jsonw *w, struct buf *out,
                         const char *otherwise)
{
    struct slice all =
        w->failed ? slice_of(otherwise) : slice_dup(a, buf_slice(out));
    buf_fini(out);
    return all;
}

static void put(struct jsonw *w, struct arena *a, const struct json *m)
{
    jsonw_key(w, slice_dup(a, m->key).at);
    jsonw_value(w, m);
}

static struct json *parsed(struct arena *a, struct slice text)
{
    struct json *j = NULL;
    return text.len && json_parse(a, text, NULL, &j) == 0 ? j : NULL;
}

void call_settings(struct adapter_call *call, struct arena *a,
                   struct slice public, struct slice private)
{
    struct json *config = parsed(a, public);
    struct json *secrets = parsed(a, private);
    const struct json *hidden = json_get(secrets, "config");
    struct buf all, names;
    buf_init(&all, CONFIG_MOST);
    buf_init(&names, CONFIG_MOST);
    struct jsonw w = jsonw_on(&all), n = jsonw_on(&names);
    jsonw_open(&w, '{');
    jsonw_open(&n, '[');
    for (const struct json *m = members(config); m; m = m->next) {
        put(&w, a, m);
    }
    for (const struct json *m = hidden ? hidden->first : NULL; m; m = m->next) {
        put(&w, a, m);
        jsonw_text(&n, m->key);
    }
    jsonw_close(&w, '}');
    jsonw_close(&n, ']');
    call->config = done(a, &w, &all, "{}");
    call->secrets = done(a, &n, &names, "[]");
}

bool desk_fill_call(const struct desk *d, uint64_t channel, struct job *job)
{
    const struct channel *ch = desk_channel(d, channel);
    struct arena *a = job->arena;
    if (!ch) {
        return false;
    }
    struct adapter_call *call = arena_one(a, struct adapter_call);
    call->channel = channel;
    call->type = slice_dup(a, ch->type);
    call->name = slice_dup(a, ch->name);
    call_settings(call, a, ch->config, ch->secrets);
    job->call = call;
    char unit[80];
    int len = snprintf(unit, sizeof unit, "channels/%.*s", SLICE_FMT(ch->type));
    job->unit = slice_dup(a, (struct slice){unit, (size_t)len});
    return true;
}
