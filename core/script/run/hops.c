/* SPDX-License-Identifier: Apache-2.0 */
/* hops.c - noting and writing hops.
 *
 * Happy path: one small piece of the job's arena a handler, one text at the
 * end. Failure modes: more handlers than fit: {"more":n} closes the list.
 */
#include "script/run/hops.h"
#include "base/json.h"
#include "base/limits.h"
#include "script/load/unit.h"

#define MORE_ROOM 32 /* bytes kept for {"more":n}] */
#define HOP_ROOM 200 /* of a hop but its head and error */

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

/* --- writing -------------------------------------------------------------- */

void hops_head(struct version *v)
{
    struct buf out;
    buf_init(&out, UNIT_NAME * 6 + 100);
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '{');
    jsonw_put_text(&w, "unit", v->name);
    jsonw_put_text(&w, "version", slice_of(v->text));
    must(!w.failed);
    v->hop_head = slice_dup(v->arena, buf_slice(&out));
    buf_fini(&out);
}

static char *put(char *at, const char *text, size_t n)
{
    memcpy(at, text, n);
    return at + n;
}
#define PUT(at, lit) put(at, lit, sizeof(lit) - 1)

static char *put_number(char *at, int64_t n)
{
    char digits[24];
    size_t i = sizeof digits;
    uint64_t u = n < 0 ? 0 : (uint64_t)n;
    do {
        digits[--i] = (char)('0' + u % 10);
        u /= 10;
    } while (u);
    return put(at, digits + i, sizeof digits - i);
}

/* A time, as text: hops that follow each other mostly have the same. */
struct stamp {
    int64_t at;
    char text[24];
    size_t len;
};

static char *put_stamp(char *to, int64_t at, struct stamp *s)
{
    if (!s->len || s->at != at) {
        s->at = at;
        s->len = (size_t)(put_number(s->text, at) - s->text);
    }
    return put(to, s->text, s->len);
}

/* By hand: fifty of them are written for an event that fifty rules look at. */
static bool write_hop(struct buf *out, const struct hop *hop, enum hook hook,
                      struct stamp *stamp)
{
    static const char *const names[] = {"passed",     "decided",  "rejected",
                                        "failed",     "killed",   "skipped",
                                        "waited-cut", "cancelled"};
    struct slice head = hop->version->hop_head;
    if (buf_reserve(out, head.len + HOP_ROOM) < 0)
        return false;
    char *at = put(out->data + out->len, head.at, head.len);
    if (hop->hook != hook) {
        at = PUT(at, ",\"hook\":\"");
        at = put(at, hook_name(hop->hook), strlen(hook_name(hop->hook)));
        at = PUT(at, "\"");
    }
    at = put_stamp(PUT(at, ",\"at\":"), hop->at, stamp);
    at = put_number(PUT(at, ",\"us\":"), hop->us);
    at = put_number(PUT(at, ",\"wall_us\":"), hop->wall_us);
    at = PUT(at, ",\"outcome\":\"");
    at = put(at, names[hop->outcome], strlen(names[hop->outcome]));
    at = PUT(at, "\"");
    out->len = (size_t)(at - out->data);
    if (hop->error.len && (buf_add_text(out, ",\"error\":") < 0 ||
                           json_quote(out, hop->error) < 0))
        return false;
    return buf_add_char(out, '}') == 0;
}

void hops_write(const struct hops *h, struct job *job, enum hook hook,
                struct buf *out)
{
    uint32_t more = h->more, written = 0;
    struct stamp stamp = {.len = 0};
    buf_clear(out);
    must(buf_add_char(out, '[') == 0);
    for (const struct hop *hop = h->first; hop; hop = hop->next, written++) {
        size_t was = out->len;
        if ((!written || buf_add_char(out, ',') == 0) &&
            write_hop(out, hop, hook, &stamp) &&
            out->len <= out->max - MORE_ROOM)
            continue;
        out->len = was;
        more += h->count - written;
        break;
    }
    if (more)
        must(buf_addf(out, "%s{\"more\":%u}", written ? "," : "", more) == 0);
    must(buf_add_char(out, ']') == 0);
    job->hops = slice_dup(job->arena, buf_slice(out));
}
