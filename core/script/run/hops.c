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

static inline char *put(char *at, const char *text, size_t n)
{
    memcpy(at, text, n);
    return at + n;
}
#define PUT(at, lit) put(at, lit, sizeof(lit) - 1)

static char *put_number(char *at, int64_t n)
{
    char digits[24];
    size_t i = sizeof digits;
    if (n >= 0 && n < 10) { /* most are */
        *at = (char)('0' + n);
        return at + 1;
    }
    uint64_t u = n < 0 ? 0 : (uint64_t)n;
    do {
        digits[--i] = (char)('0' + u % 10);
        u /= 10;
    } while (u);
    return put(at, digits + i, sizeof digits - i);
}

/* A time, as text: hops that follow each other mostly have the same. What is
 * copied whole is of a length the compiler knows: two moves, no call. */
struct stamp {
    int64_t at;
    char text[40];
    size_t len;
};

static char *put_stamp(char *to, int64_t at, struct stamp *s)
{
    if (!s->len || s->at != at) {
        s->at = at;
        s->len =
            (size_t)(PUT(put_number(PUT(s->text, ",\"at\":"), at), ",\"us\":") -
                     s->text);
    }
    memcpy(to, s->text, sizeof s->text);
    return to + s->len;
}

static char *put_outcome(char *at, enum hop_outcome outcome)
{
    static const struct {
        char text[32];
        size_t len;
    } names[] = {
#define NAME(n) {",\"outcome\":\"" n "\"", sizeof(",\"outcome\":\"" n "\"") - 1}
        NAME("passed"), NAME("decided"), NAME("rejected"),   NAME("failed"),
        NAME("killed"), NAME("skipped"), NAME("waited-cut"), NAME("cancelled"),
#undef NAME
    };
    memcpy(at, names[outcome].text, sizeof names[outcome].text);
    return at + names[outcome].len;
}

/* By hand: fifty of them are written for an event that fifty rules look at. */
static bool write_hop(struct buf *out, const struct hop *hop, enum hook hook,
                      struct stamp *stamp)
{
    struct slice head = hop->version->hop_head;
    if (out->cap - out->len < head.len + HOP_ROOM &&
        buf_reserve(out, head.len + HOP_ROOM) < 0)
        return false;
    char *at = out->data + out->len;
    if (out->len > 1)
        *at++ = ',';
    at = put(at, head.at, head.len);
    if (hop->hook != hook) {
        at = PUT(at, ",\"hook\":\"");
        at = put(at, hook_name(hop->hook), strlen(hook_name(hop->hook)));
        at = PUT(at, "\"");
    }
    at = put_number(put_stamp(at, hop->at, stamp), hop->us);
    at = put_number(PUT(at, ",\"wall_us\":"), hop->wall_us);
    at = put_outcome(at, hop->outcome);
    if (!hop->error.len)
        *at++ = '}';
    out->len = (size_t)(at - out->data);
    if (!hop->error.len)
        return true;
    return buf_add_text(out, ",\"error\":") == 0 &&
           json_quote(out, hop->error) == 0 && buf_add_char(out, '}') == 0;
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
        if (write_hop(out, hop, hook, &stamp) &&
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
