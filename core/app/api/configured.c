/* SPDX-License-Identifier: Apache-2.0 */
/* configured.c - settings by a schema, merged, kept and listed.
 *
 * Happy path: what is given goes over what is there; secrets are split off.
 * Failure: what is missing or wrong is 422 with "config.<name>", too much 413.
 */
#include "app/api/configured.h"

struct kind_values configured_values(struct call *c, struct slice config,
                                     struct slice secrets)
{
    struct json *open = NULL, *hidden = NULL;
    if (config.len && json_parse(c->a, config, NULL, &open)) {
        open = NULL;
    }
    if (secrets.len && json_parse(c->a, secrets, NULL, &hidden)) {
        hidden = NULL;
    }
    return (struct kind_values){open, json_get(hidden, "config")};
}

bool configured_settle(struct call *c, const struct kind *k,
                       struct kind_values was, struct slice *config,
                       struct slice *secrets)
{
    struct buf open, hidden;
    buf_init(&open, KIND_CONFIG_MAX);
    buf_init(&hidden, KIND_CONFIG_MAX);
    struct jsonw o = jsonw_on(&open), h = jsonw_on(&hidden);
    int r = kind_merge(k, body_get(c, "config"), was, &o, &h, &c->err);
    if (r == 0) {
        *config = slice_dup(c->a, buf_slice(&open));
        *secrets = slice_dup(c->a, buf_slice(&hidden));
    } else if (r == ERR_UNPROCESSABLE) {
        reply_error(c, &c->err);
    } else {
        reply_fail(c, r, "config", "config is too long");
    }
    buf_fini(&open);
    buf_fini(&hidden);
    return r == 0;
}

void configured_reply_types(struct call *c, const struct kinds *kinds,
                            void (*put)(struct jsonw *w, const struct kind *k))
{
    size_t count = kinds_count(kinds);
    struct jsonw *w = reply_begin(c);
    jsonw_open(w, '{');
    jsonw_key(w, "items");
    jsonw_open(w, '[');
    for (size_t i = 0; i < count; i++) {
        const struct kind *k = kinds_at(kinds, i);
        jsonw_open(w, '{');
        jsonw_put_text(w, "type", slice_of(k->name));
        jsonw_put_raw(w, "title", k->title);
        jsonw_put_raw(w, "schema", k->schema);
        put(w, k);
        jsonw_close(w, '}');
    }
    jsonw_close(w, ']');
    jsonw_put_int(w, "total", (int64_t)count);
    jsonw_key(w, "next");
    jsonw_null(w);
    jsonw_close(w, '}');
    reply_send(c, 200);
}

bool configured_keeps_type(struct call *c, struct slice type,
                           const char *sentence)
{
    if (!body_get(c, "type") || slice_eq(body_text(c, "type"), type)) {
        return true;
    }
    reply_fail(c, ERR_UNPROCESSABLE, "type", "%s", sentence);
    return false;
}
