/* SPDX-License-Identifier: Apache-2.0 */
/* imap_read.c - see imap_read.h.
 *
 * Happy path: bytes are copied up to a line's end; if the line announces a
 * literal its bytes are counted off, then the line goes on. Of several literals
 * the first is kept. Failure modes: a line or literal over its maximum is
 * ERR_TOOBIG; a fetch that is cut or nested too deep is none.
 */
#include "net/post/imap_read.h"
#include "base/err.h"

#define DEPTH 8

void imap_reader_init(struct imap_reader *r, size_t most)
{
    *r = (struct imap_reader){.most = most};
    buf_init(&r->text, IMAP_TEXT_BYTES);
    buf_init(&r->literal, most);
}

void imap_reader_fini(struct imap_reader *r)
{
    buf_fini(&r->text);
    buf_fini(&r->literal);
}

/* --- responses ------------------------------------------------------------ */

struct slice imap_word(struct slice *s)
{
    while (s->len && *s->at == ' ') {
        s->at++;
        s->len--;
    }
    const char *end = s->len ? memchr(s->at, ' ', s->len) : NULL;
    struct slice word = {s->at, end ? (size_t)(end - s->at) : s->len};
    s->at += word.len;
    s->len -= word.len;
    return word;
}

/* Sentences for people end as they like; only data has literals. */
static bool may_have_literal(struct slice text)
{
    static const char *const states[] = {"OK", "NO", "BAD", "BYE", "PREAUTH"};
    if (!slice_is(imap_word(&text), "*"))
        return false;
    struct slice word = imap_word(&text);
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
        if (slice_is_nocase(word, states[i]))
            return false;
    return true;
}

/* Does the text end in "{n}"? -1: no. */
static int64_t announced(struct slice text)
{
    size_t at = text.len;
    int64_t n = 0, unit = 1;
    if (at < 3 || text.at[--at] != '}' || !may_have_literal(text))
        return -1;
    if (text.at[at - 1] == '+')
        at--;
    size_t end = at;
    while (at > 0 && end - at < 11 && text.at[at - 1] >= '0' &&
           text.at[at - 1] <= '9') {
        n += (text.at[--at] - '0') * unit;
        unit *= 10;
    }
    return at < end && at > 0 && text.at[at - 1] == '{' ? n : -1;
}

static void take_literal(struct imap_reader *r, struct slice *in, int *bad)
{
    size_t n = in->len < r->need ? in->len : r->need;
    if (r->literals == 1 && buf_add(&r->literal, in->at, n) < 0)
        *bad = ERR_TOOBIG;
    in->at += n;
    in->len -= n;
    r->need -= n;
}

/* A line has ended: 1, 0 = it goes on after a literal, ERR_TOOBIG. */
static int end_line(struct imap_reader *r)
{
    r->text.len--;
    if (r->text.len && r->text.data[r->text.len - 1] == '\r')
        r->text.len--;
    int64_t n = announced(buf_slice(&r->text));
    if (n < 0) {
        r->whole = true;
        return 1;
    }
    if ((uint64_t)n > r->most)
        return ERR_TOOBIG;
    r->literals++;
    r->need = (size_t)n;
    return 0;
}

int imap_reader_take(struct imap_reader *r, struct slice *in)
{
    int got = 0;
    if (r->whole) {
        r->whole = false;
        r->literals = 0;
        buf_clear(&r->text);
        buf_clear(&r->literal);
    }
    while (in->len && got == 0) {
        if (r->need) {
            take_literal(r, in, &got);
            continue;
        }
        const char *end = memchr(in->at, '\n', in->len);
        size_t n = end ? (size_t)(end - in->at) + 1 : in->len;
        if (buf_add(&r->text, in->at, n) < 0)
            return ERR_TOOBIG;
        in->at += n;
        in->len -= n;
        if (end)
            got = end_line(r);
    }
    return got;
}

/* --- what is in them ------------------------------------------------------ */

uint32_t imap_number(struct slice word)
{
    int64_t n = 0;
    return word.len < 11 && slice_to_i64(word, &n) && n > 0 && n <= UINT32_MAX
               ? (uint32_t)n
               : 0;
}

uint32_t imap_code_number(struct slice text, const char *name)
{
    const char *open = text.len ? memchr(text.at, '[', text.len) : NULL;
    const char *close = text.len ? memchr(text.at, ']', text.len) : NULL;
    if (!open || !close || close < open)
        return 0;
    struct slice code = {open + 1, (size_t)(close - open - 1)};
    return slice_is_nocase(imap_word(&code), name)
               ? imap_number(imap_word(&code))
               : 0;
}

bool imap_has_word(struct slice text, const char *word)
{
    while (text.len)
        if (slice_is_nocase(imap_word(&text), word))
            return true;
    return false;
}

struct scan {
    struct slice s;
    size_t literals;
    bool broken;
};

static char peek(const struct scan *c)
{
    return c->s.len ? *c->s.at : '\0';
}

static void skip(struct scan *c, size_t n)
{
    c->s.at += n;
    c->s.len -= n;
}

/* "BODY[HEADER]<0>", "UID", "\\Seen", "{12}", "12" */
static struct slice atom(struct scan *c)
{
    struct slice a = {c->s.at, 0};
    bool inside = false;
    for (char x; (x = peek(c)) && (inside || (x != ' ' && x != ')'));) {
        inside = x == '[' || (inside && x != ']');
        skip(c, 1);
        a.len++;
    }
    c->broken |= !a.len;
    return a;
}

static struct slice quoted(struct scan *c)
{
    skip(c, 1);
    struct slice q = {c->s.at, 0};
    while (c->s.len && peek(c) != '"') {
        size_t n = peek(c) == '\\' && c->s.len > 1 ? 2 : 1;
        skip(c, n);
        q.len += n;
    }
    if (c->s.len)
        skip(c, 1);
    else
        c->broken = true;
    return q;
}

/* Any value; a list with all that is in it. What it covers. */
static struct slice value(struct scan *c)
{
    const char *at = c->s.at;
    int depth = 0;
    do {
        while (peek(c) == ' ')
            skip(c, 1);
        if (peek(c) == '(') {
            depth++;
            skip(c, 1);
        } else if (peek(c) == ')') {
            depth--;
            skip(c, 1);
        } else if (peek(c) == '"') {
            quoted(c);
        } else {
            struct slice a = atom(c);
            c->literals += a.len > 2 && *a.at == '{';
        }
        c->broken |= depth < 0 || depth > DEPTH;
    } while (depth > 0 && !c->broken);
    return (struct slice){at, (size_t)(c->s.at - at)};
}

static void read_body(struct scan *c, struct imap_fetch *f)
{
    f->has_body = true;
    if (peek(c) == '"') {
        f->quoted = quoted(c);
        return;
    }
    bool first = c->literals == 0;
    struct slice v = value(c);
    f->in_literal = first && v.len > 2 && *v.at == '{';
}

static bool has_seen(struct slice flags)
{
    while (flags.len && (*flags.at == '(' || *flags.at == ' ')) {
        flags.at++;
        flags.len--;
    }
    if (flags.len && flags.at[flags.len - 1] == ')')
        flags.len--;
    return imap_has_word(flags, "\\Seen");
}

bool imap_fetch_read(struct slice text, struct imap_fetch *out)
{
    *out = (struct imap_fetch){.quoted = SLICE("")};
    if (!slice_is(imap_word(&text), "*") || !imap_number(imap_word(&text)) ||
        !slice_is_nocase(imap_word(&text), "FETCH"))
        return false;
    struct scan c = {.s = slice_trim(text)};
    if (peek(&c) != '(')
        return false;
    skip(&c, 1);
    while (!c.broken && peek(&c) != ')') {
        struct slice name = atom(&c);
        while (peek(&c) == ' ')
            skip(&c, 1);
        if (slice_is_nocase(name, "UID"))
            out->uid = imap_number(value(&c));
        else if (slice_is_nocase(name, "RFC822.SIZE"))
            (void)slice_to_i64(value(&c), &out->size);
        else if (slice_is_nocase(name, "FLAGS"))
            out->seen = has_seen(value(&c));
        else if (name.len > 5 &&
                 slice_is_nocase((struct slice){name.at, 5}, "BODY["))
            read_body(&c, out);
        else
            value(&c);
        while (peek(&c) == ' ')
            skip(&c, 1);
    }
    return !c.broken && out->size >= 0;
}
