/* SPDX-License-Identifier: Apache-2.0 */
/* faces.c - what a kind of channel can do, with what one channel's settings say.
 *
 * Happy path: the adapter's capabilities name settings; those that are filled
 * win. Failure: a setting that is no sensible number leaves the capability's.
 */
#include "app/kinds.h"
#include "desk/desk.h"

#define HOURS_MOST (24 * 366)
#define SECONDS_MOST (24 * 3600)

/* A positive number up to most at the setting `name`, times each; else was. */
static int64_t number_of(const struct json *config, struct slice name,
                         int64_t most, int64_t each, int64_t was)
{
    int64_t n = name.len ? json_int(config, name.at, 0) : 0;
    return n > 0 && n <= most ? n * each : was;
}

static struct json *settings_of(const struct channel *c, struct arena *a)
{
    struct json *config = NULL;
    return c->config.len &&
                   json_parse(a, slice_dup(a, c->config), NULL, &config) == 0
               ? config
               : NULL;
}

static bool is_plain(const struct kind *k)
{
    return !k->socket && !k->hours_from.len && !k->count_from.len &&
           !k->after_from.len && !k->quiet_from.len && !k->push_needs.len;
}

void kind_face(const struct kind *k, const struct channel *c,
               struct channel_face *out)
{
    *out = (struct channel_face){.sends = k->sends,
                                 .types = k->types,
                                 .recalls = k->recalls && k->sends,
                                 .answers = k->answers && k->sends,
                                 .pushes = k->pushes && !k->sends,
                                 .push_after_ms = k->push_after_ms,
                                 .push_quiet_ms = k->push_quiet_ms,
                                 .rate = k->rate,
                                 .burst = k->burst,
                                 .at_once = k->at_once,
                                 .reply_window_ms = k->reply_window_ms,
                                 .reply_count = k->reply_count};
    if (is_plain(k)) {
        return;
    }
    struct arena *a = arena_new();
    const struct json *config = settings_of(c, a);
    out->reply_window_ms = number_of(config, k->hours_from, HOURS_MOST,
                                     3600 * 1000, out->reply_window_ms);
    out->reply_count = (int32_t)number_of(config, k->count_from, INT32_MAX, 1,
                                          out->reply_count);
    out->push_after_ms = number_of(config, k->after_from, SECONDS_MOST, 1000,
                                   out->push_after_ms);
    out->push_quiet_ms = number_of(config, k->quiet_from, SECONDS_MOST, 1000,
                                   out->push_quiet_ms);
    if (k->push_needs.len && !json_text(config, k->push_needs.at).len) {
        out->pushes = false;
    }
    out->drafts = k->socket && json_bool(config, KIND_TYPING_TEXT, false);
    arena_free(a);
}

struct kind_door kind_door(const struct kind *k, const struct channel *c)
{
    struct kind_door out = {.identity_max_ms = k->identity_max_ms};
    if (!k->max_from.len && !k->only_from.len) {
        return out;
    }
    struct arena *a = arena_new();
    const struct json *config = settings_of(c, a);
    out.identity_max_ms = number_of(config, k->max_from, HOURS_MOST,
                                    3600 * 1000, out.identity_max_ms);
    out.signed_only =
        k->only_from.len && json_bool(config, k->only_from.at, false);
    arena_free(a);
    return out;
}
