/* SPDX-License-Identifier: Apache-2.0 */
/* hops.c - noting and writing hops.
 *
 * Happy path: one small piece of the job's arena a handler, one text at the
 * end. Failure modes: more handlers than fit: {"more":n} closes the list.
 */
#include "script/hops.h"
#include "base/json.h"
#include "base/limits.h"
#include "script/unit.h"

#define MORE_ROOM 32 /* bytes kept for {"more":n}] */

struct hop *hops_add(struct hops *h, struct job *job, const struct version *v,
                     int64_t at)
{
    if (h->count == HOPS_MOST) {
        h->more++;
        return NULL;
    }
    struct hop *hop = arena_one(job->arena, struct hop);
    hop->version = v;
    hop->hook = job->hook;
    hop->at = at;
    if (h->last)
        h->last->next = hop;
    else
        h->first = hop;
    h->last = hop;
    h->count++;
    return hop;
}

void hop_error(struct hop *hop, struct arena *a, struct slice text)
{
    const char *end = memchr(text.at, '\n', text.len);
    if (end)
        text.len = (size_t)(end - text.at);
    bool cut = text.len > HOP_ERROR_BYTES;
    if (cut)
        text.len = HOP_ERROR_BYTES;
    while (cut && text.len && (text.at[text.len - 1] & 0x80))
        text.len--; /* not in the middle of a character */
    hop->error = slice_is_utf8(text) ? slice_dup(a, text)
                                     : SLICE("(an error that is no UTF-8)");
}

void hops_join(struct hops *h, const struct hops *from, struct arena *a)
{
    h->more += from->more;
    for (const struct hop *p = from->first; p; p = p->next) {
        if (h->count == HOPS_MOST) {
            h->more++;
            continue;
        }
        struct hop *hop = arena_one(a, struct hop);
        *hop = *p;
        hop->next = NULL;
        hop->error = slice_dup(a, p->error);
        if (h->last)
            h->last->next = hop;
        else
            h->first = hop;
        h->last = hop;
        h->count++;
    }
}

static bool write_hop(struct jsonw *w, const struct hop *hop, enum hook hook)
{
    static const char *const names[] = {"passed",     "decided",  "rejected",
                                        "failed",     "killed",   "skipped",
                                        "waited-cut", "cancelled"};
    jsonw_open(w, '{');
    jsonw_put_text(w, "unit", hop->version->name);
    jsonw_put_text(w, "version", slice_of(hop->version->text));
    if (hop->hook != hook)
        jsonw_put_text(w, "hook", slice_of(hook_name(hop->hook)));
    jsonw_put_int(w, "at", hop->at);
    jsonw_put_int(w, "us", hop->us);
    jsonw_put_int(w, "wall_us", hop->wall_us);
    jsonw_put_text(w, "outcome", slice_of(names[hop->outcome]));
    if (hop->error.len)
        jsonw_put_text(w, "error", hop->error);
    jsonw_close(w, '}');
    return !w->failed;
}

void hops_write(const struct hops *h, struct job *job, enum hook hook,
                struct buf *out)
{
    uint32_t more = h->more, written = 0;
    buf_clear(out);
    struct jsonw w = jsonw_on(out);
    jsonw_open(&w, '[');
    for (const struct hop *hop = h->first; hop; hop = hop->next, written++) {
        size_t was = out->len;
        bool comma = w.comma;
        if (write_hop(&w, hop, hook) && out->len <= out->max - MORE_ROOM)
            continue;
        out->len = was;
        w = jsonw_on(out);
        w.comma = comma;
        more += h->count - written;
        break;
    }
    if (more) {
        jsonw_open(&w, '{');
        jsonw_put_int(&w, "more", more);
        jsonw_close(&w, '}');
    }
    jsonw_close(&w, ']');
    must(!w.failed);
    job->hops = slice_dup(job->arena, buf_slice(out));
}
