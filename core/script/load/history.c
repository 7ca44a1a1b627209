/* SPDX-License-Identifier: Apache-2.0 */
/* history.c - versions into rows, rows into versions.
 *
 * Happy path: a version's sources as a JSON list, and back through the loader.
 * Failure modes: sources larger than what is kept (told in the log; then this
 * version cannot be gone back to); a row that cannot be read or whose source
 * does not load any more is as if it were not there, and the trouble told.
 */
#include "script/load/history.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "script/inside.h"
#include "script/load/load.h"

#define SOURCES_MAX (16 * LIMIT_SCRIPT_BYTES)

/* [{"name":…,"text":…}], its own first. */
static int write_sources(const struct version *v, struct buf *out)
{
    struct jsonw w = jsonw_on(out);
    jsonw_open(&w, '[');
    for (const struct source *p = v->sources; p; p = p->next) {
        jsonw_open(&w, '{');
        jsonw_put_text(&w, "name", p->name);
        jsonw_put_text(&w, "text", p->text);
        jsonw_close(&w, '}');
    }
    jsonw_close(&w, ']');
    return w.failed;
}

void history_keep(struct script *s, const struct version *v,
                  enum version_state state, int64_t since_at, int64_t until_at,
                  struct slice note)
{
    struct buf out;
    if (!s->conf.keep_version || script_is_passing(v->name.at))
        return;
    buf_init(&out, SOURCES_MAX);
    if (write_sources(v, &out)) {
        log_warn("script", "the sources of %.*s are too large to be kept",
                 SLICE_FMT(v->name));
    } else {
        struct script_version row = {.unit = v->name,
                                     .version = slice_of(v->text),
                                     .state = state,
                                     .since_at = since_at,
                                     .until_at = until_at,
                                     .sources = buf_slice(&out),
                                     .note = note};
        s->conf.keep_version(s->conf.arg, &row);
    }
    buf_fini(&out);
}

struct script_version *history_row(const struct version *v, struct arena *a)
{
    struct buf out;
    struct script_version *row = arena_one(a, struct script_version);
    buf_init(&out, 64 * LIMIT_SCRIPT_BYTES);
    must(write_sources(v, &out) == 0);
    row->unit = slice_dup(a, v->name);
    row->version = slice_dup(a, slice_of(v->text));
    row->state = VERSION_SERVING;
    row->sources = slice_dup(a, buf_slice(&out));
    buf_fini(&out);
    return row;
}

/* --- rows ----------------------------------------------------------------- */

void history_init(struct history *h, const struct script_version *rows,
                  size_t n)
{
    h->arena = arena_new();
    map_init(&h->units);
    for (size_t i = n; i-- > 0;) { /* each goes in front of the later ones */
        struct past *k = arena_one(h->arena, struct past);
        k->row = &rows[i];
        k->next = map_get_text(&h->units, rows[i].unit);
        map_put_text(&h->units, rows[i].unit, k);
    }
}

void history_fini(struct history *h)
{
    map_fini(&h->units);
    arena_free(h->arena);
}

const struct past *history_of(const struct history *h, struct slice unit)
{
    return map_get_text(&h->units, unit);
}

const struct script_version *past_in(const struct past *k,
                                     enum version_state state)
{
    while (k && k->row->state != state)
        k = k->next;
    return k ? k->row : NULL;
}

const struct script_version *past_as(const struct past *k, const char *version)
{
    while (k && !slice_is(k->row->version, version))
        k = k->next;
    return k ? k->row : NULL;
}

/* --- loading -------------------------------------------------------------- */

static int read_row(void *arg, struct slice name, struct arena *a,
                    struct slice *out, struct err *e)
{
    const struct json *list = arg;
    for (const struct json *p = list->first; p; p = p->next) {
        if (!slice_eq(json_text(p, "name"), name))
            continue;
        *out = slice_dup(a, json_text(p, "text"));
        return 0;
    }
    *out = SLICE("");
    return err_set(e, ERR_NOT_FOUND, "%.*s is not among the kept sources",
                   SLICE_FMT(name));
}

struct version *history_load(const struct script_version *row,
                             size_t memory_bytes, struct buf *trouble)
{
    struct json *list = NULL;
    struct version *v = NULL;
    struct loader l;
    struct arena *a = arena_new();
    if (json_parse(a, row->sources, NULL, &list) == 0 &&
        json_is(list, JSON_ARRAY)) {
        loader_init(&l, read_row, list, memory_bytes);
        v = load_version(&l, row->unit);
        if (!v && trouble)
            (void)buf_add_slice(trouble, buf_slice(&l.trouble)); /* as fits */
        loader_fini(&l);
    } else if (trouble) {
        (void)buf_add_text(trouble, "its kept sources cannot be read");
    }
    arena_free(a);
    return v;
}
