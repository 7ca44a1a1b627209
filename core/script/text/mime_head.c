/* SPDX-License-Identifier: Apache-2.0 */
/* mime_head.c - what stands in the head of a mail: words, parameters,
 * addresses, dates.
 *
 * Happy path: one pass over a field of at most MIME_FIELD_BYTES. Failure
 * modes: none; what is broken is taken as it stands, as text.
 */
#include "base/crypto.h"
#include "script/text/mime.h"
#include "script/text/text.h"

#define WORD_BYTES 1000 /* of one encoded word */
#define WORDS 100       /* of one text; further ones stay as they are */
#define PIECES 20       /* of a parameter that goes on (RFC 2231) */
#define IDS 100

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static struct slice cut(struct slice s, size_t from, size_t to)
{
    return (struct slice){s.at + from, to - from};
}

/* Bytes in a charset as UTF-8 behind what is in out. */
static void add_utf8(struct buf *out, struct slice charset, struct slice s)
{
    if (s.len && text_to_utf8(charset, s, out) < 0)
        (void)buf_add_text(out, "\xef\xbf\xbd"); /* in no charset at all */
}

/* --- encoded words (RFC 2047) --------------------------------------------- */

struct word {
    struct slice charset, text;
    bool is_q;
    size_t end; /* behind it */
};

static size_t find(struct slice s, size_t i, size_t most, char c)
{
    const char *at;
    if (i >= s.len)
        return s.len;
    most = s.len - i < most ? s.len - i : most;
    at = memchr(s.at + i, c, most);
    return at ? (size_t)(at - s.at) : s.len;
}

/* =?charset?B?text?= at i */
static bool read_word(struct slice s, size_t i, struct word *w)
{
    if (s.len - i < 8 || s.at[i] != '=' || s.at[i + 1] != '?')
        return false;
    size_t q = find(s, i + 2, TEXT_CHARSET, '?');
    if (q + 3 >= s.len || s.at[q + 2] != '?')
        return false;
    char kind = lower(s.at[q + 1]);
    size_t end = find(s, q + 3, WORD_BYTES, '?');
    if ((kind != 'b' && kind != 'q') || end + 1 >= s.len ||
        s.at[end + 1] != '=')
        return false;
    w->charset = cut(s, i + 2, q);
    size_t star = find(w->charset, 0, TEXT_CHARSET, '*'); /* a language */
    w->charset.len = star < w->charset.len ? star : w->charset.len;
    w->is_q = kind == 'q';
    w->text = cut(s, q + 3, end);
    w->end = end + 2;
    return true;
}

static int hex(char c)
{
    c = lower(c);
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

static void add_q(struct slice s, struct buf *out)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.at[i] == '_' ? ' ' : s.at[i];
        if (c == '=' && s.len - i > 2 && hex(s.at[i + 1]) >= 0 &&
            hex(s.at[i + 2]) >= 0) {
            c = (char)(hex(s.at[i + 1]) << 4 | hex(s.at[i + 2]));
            i += 2;
        }
        must(buf_add_char(out, c) == 0);
    }
}

/* Words of one charset in a row are one: mailers cut characters in two. */
struct run {
    struct buf *out, bytes;
    struct slice charset;
};

static void end_run(struct run *r)
{
    if (r->bytes.len)
        add_utf8(r->out, r->charset, buf_slice(&r->bytes));
    buf_clear(&r->bytes);
}

static void add_word(struct run *r, const struct word *w)
{
    if (!slice_eq(r->charset, w->charset))
        end_run(r);
    r->charset = w->charset;
    if (w->is_q)
        add_q(w->text, &r->bytes);
    else if (base64_decode(&r->bytes, w->text) < 0)
        must(buf_add_slice(&r->bytes, w->text) == 0);
}

static void decode_words(struct slice s, struct run *r)
{
    struct word w;
    size_t lit = 0; /* where plain text began */
    for (size_t i = 0, n = 0; i < s.len && n < WORDS;) {
        if (!read_word(s, i, &w)) {
            i++;
            continue;
        }
        n++;
        /* Blanks between two words are not there. */
        if (r->bytes.len == 0 || slice_trim(cut(s, lit, i)).len) {
            end_run(r);
            add_utf8(r->out, SLICE(""), cut(s, lit, i));
        }
        add_word(r, &w);
        lit = i = w.end;
    }
    end_run(r);
    add_utf8(r->out, SLICE(""), cut(s, lit, s.len));
}

struct slice mime_text(struct arena *a, struct slice raw)
{
    struct buf out;
    struct run r = {.out = &out};
    struct slice s = slice_trim(raw);
    if (s.len == 0)
        return SLICE("");
    buf_init(&out, 8 * MIME_FIELD_BYTES);
    buf_init(&r.bytes, 2 * MIME_FIELD_BYTES);
    decode_words(s, &r);
    struct slice got = slice_dup(a, out.len ? buf_slice(&out) : SLICE(""));
    buf_fini(&r.bytes);
    buf_fini(&out);
    return got;
}

/* --- parameters ----------------------------------------------------------- */

struct parameter {
    struct slice name, value; /* value without quotes, in the arena */
};

static size_t skip_blanks(struct slice s, size_t i)
{
    while (i < s.len && is_blank(s.at[i]))
        i++;
    return i;
}

/* The quoted text that begins at *i, without quotes and backslashes. */
static struct slice unquote(struct arena *a, struct slice s, size_t *i)
{
    size_t from = ++*i, n = 0;
    while (*i < s.len && s.at[*i] != '"')
        *i += s.at[*i] == '\\' && *i + 1 < s.len ? 2 : 1;
    char *text = arena_text(a, *i - from + 1);
    for (size_t k = from; k < *i; k++) {
        if (s.at[k] == '\\' && k + 1 < *i)
            k++;
        text[n++] = s.at[k];
    }
    *i += *i < s.len;
    return (struct slice){text, n};
}

/* The next "; name=value" at or behind *i. */
static bool next_parameter(struct arena *a, struct slice s, size_t *i,
                           struct parameter *p)
{
    while (*i < s.len && s.at[*i] != ';')
        ++*i;
    if (*i >= s.len)
        return false;
    size_t from = skip_blanks(s, *i + 1), to = from;
    while (to < s.len && s.at[to] != '=' && s.at[to] != ';')
        to++;
    p->name = slice_trim(cut(s, from, to));
    p->value = SLICE("");
    *i = to;
    if (to >= s.len || s.at[to] == ';')
        return true;
    *i = skip_blanks(s, to + 1);
    if (*i < s.len && s.at[*i] == '"') {
        p->value = unquote(a, s, i);
        return true;
    }
    for (from = *i; *i < s.len && s.at[*i] != ';';)
        ++*i;
    p->value = slice_trim(cut(s, from, *i));
    return true;
}

struct pieces {
    struct slice at[PIECES];
    bool coded[PIECES]; /* with %XX */
    int count;
    struct slice plain;
};

/* "filename", "filename*", "filename*2", "filename*2*" */
static void sort_in(struct pieces *all, const struct parameter *p,
                    const char *name)
{
    size_t n = strlen(name);
    struct slice head = cut(p->name, 0, p->name.len < n ? p->name.len : n);
    if (!slice_is_nocase(head, name))
        return;
    struct slice rest = cut(p->name, n, p->name.len);
    if (rest.len == 0) {
        if (!all->plain.at)
            all->plain = p->value;
        return;
    }
    bool coded = rest.at[rest.len - 1] == '*';
    int number = 0;
    if (rest.at[0] != '*')
        return;
    for (size_t i = 1; i < rest.len - (coded && rest.len > 1); i++) {
        if (rest.at[i] < '0' || rest.at[i] > '9' || number >= PIECES)
            return;
        number = number * 10 + (rest.at[i] - '0');
    }
    if (number >= PIECES || all->at[number].at)
        return;
    all->at[number] = p->value;
    all->coded[number] = coded;
    if (number >= all->count)
        all->count = number + 1;
}

static void add_percent(struct slice s, struct buf *out)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.at[i];
        if (c == '%' && s.len - i > 2 && hex(s.at[i + 1]) >= 0 &&
            hex(s.at[i + 2]) >= 0) {
            c = (char)(hex(s.at[i + 1]) << 4 | hex(s.at[i + 2]));
            i += 2;
        }
        must(buf_add_char(out, c) == 0);
    }
}

static struct slice join(struct arena *a, struct pieces *all)
{
    struct buf bytes, out;
    struct slice charset = SLICE("");
    buf_init(&bytes, 2 * MIME_FIELD_BYTES);
    buf_init(&out, 8 * MIME_FIELD_BYTES);
    for (int i = 0; i < all->count; i++) {
        struct slice s = all->at[i];
        if (i == 0 && all->coded[0]) { /* charset'language'text */
            size_t one = find(s, 0, s.len, '\'');
            size_t two = find(s, one + 1, s.len, '\'');
            if (two < s.len) {
                charset = cut(s, 0, one);
                s = cut(s, two + 1, s.len);
            }
        }
        if (all->coded[i])
            add_percent(s, &bytes);
        else
            must(buf_add_slice(&bytes, s) == 0);
    }
    if (bytes.len)
        add_utf8(&out, charset, buf_slice(&bytes));
    struct slice got = slice_dup(a, out.len ? buf_slice(&out) : SLICE(""));
    buf_fini(&out);
    buf_fini(&bytes);
    return got;
}

struct slice mime_parameter(struct arena *a, struct slice raw, const char *name)
{
    struct pieces all = {.count = 0};
    struct parameter p;
    size_t i = 0;
    for (int n = 0; n < 100 && next_parameter(a, raw, &i, &p); n++)
        sort_in(&all, &p, name);
    if (all.count && all.at[0].at)
        return join(a, &all);
    return all.plain.at ? mime_text(a, all.plain) : all.plain;
}

struct slice mime_value(struct arena *a, struct slice raw)
{
    size_t n = 0, end = find(raw, 0, raw.len, ';');
    char *text = arena_text(a, end + 1);
    for (size_t i = 0; i < end && raw.at[i] != '('; i++)
        if (!is_blank(raw.at[i]))
            text[n++] = lower(raw.at[i]);
    return (struct slice){text, n};
}

/* --- addresses ------------------------------------------------------------ */

struct reading {
    struct arena *arena;
    struct mime_address *first, **last;
    int count;
    struct buf phrase, angle, comment;
    bool has_angle;
};

static void end_address(struct reading *r)
{
    struct slice phrase = slice_trim(buf_slice(&r->phrase));
    struct slice angle = slice_trim(buf_slice(&r->angle));
    struct slice name = r->has_angle ? phrase : buf_slice(&r->comment);
    struct slice address = r->has_angle ? angle : phrase;
    if (address.len && r->count < MIME_ADDRESSES) {
        struct mime_address *m = arena_one(r->arena, struct mime_address);
        m->name = mime_text(r->arena, name.len ? name : SLICE(""));
        m->address = mime_text(r->arena, address);
        *r->last = m;
        r->last = &m->next;
        r->count++;
    }
    buf_clear(&r->phrase);
    buf_clear(&r->angle);
    buf_clear(&r->comment);
    r->has_angle = false;
}

/* Behind the comment that begins at i; its text to out. */
static size_t read_comment(struct slice s, size_t i, struct buf *out)
{
    int depth = 0;
    for (; i < s.len; i++) {
        char c = s.at[i];
        if (c == ')' && --depth == 0)
            return i + 1;
        if (c == '\\' && i + 1 < s.len)
            c = s.at[++i];
        else if (c == '(' && depth++ == 0)
            continue;
        must(buf_add_char(out, c) == 0);
    }
    return i;
}

static size_t read_quoted(struct slice s, size_t i, struct buf *out)
{
    for (i++; i < s.len && s.at[i] != '"'; i++) {
        if (s.at[i] == '\\' && i + 1 < s.len)
            i++;
        must(buf_add_char(out, s.at[i]) == 0);
    }
    return i + 1;
}

static size_t read_one(struct reading *r, struct slice s, size_t i)
{
    size_t end;
    switch (s.at[i]) {
    case '"':
        return read_quoted(s, i, &r->phrase);
    case '(':
        return read_comment(s, i, &r->comment);
    case '<':
        end = find(s, i, s.len, '>');
        must(buf_add_slice(&r->angle, cut(s, i + 1, end > i ? end : i + 1)) ==
             0);
        r->has_angle = true;
        return end + 1;
    case ':': /* a group's name is no address */
        buf_clear(&r->phrase);
        return i + 1;
    case ',':
    case ';':
        end_address(r);
        return i + 1;
    default:
        must(buf_add_char(&r->phrase, s.at[i]) == 0);
        return i + 1;
    }
}

struct mime_address *mime_addresses(struct arena *a, struct slice raw)
{
    struct reading r = {.arena = a};
    r.last = &r.first;
    buf_init(&r.phrase, 2 * MIME_FIELD_BYTES);
    buf_init(&r.angle, 2 * MIME_FIELD_BYTES);
    buf_init(&r.comment, 2 * MIME_FIELD_BYTES);
    for (size_t i = 0; i < raw.len && r.count < MIME_ADDRESSES;)
        i = read_one(&r, raw, i);
    end_address(&r);
    buf_fini(&r.phrase);
    buf_fini(&r.angle);
    buf_fini(&r.comment);
    return r.first;
}

/* --- ids ------------------------------------------------------------------ */

struct mime_id *mime_ids(struct arena *a, struct slice raw)
{
    struct mime_id *first = NULL, **last = &first;
    bool angles = raw.len && memchr(raw.at, '<', raw.len);
    size_t i = 0;
    for (int n = 0; n < IDS && i < raw.len; n++) {
        size_t from, to;
        if (angles) {
            from = find(raw, i, raw.len, '<') + 1;
            to = find(raw, from, raw.len, '>');
            if (to >= raw.len)
                break;
            i = to + 1;
        } else {
            from = skip_blanks(raw, i);
            for (to = from; to < raw.len && !is_blank(raw.at[to]);)
                to++;
            i = to;
        }
        struct slice id = slice_trim(cut(raw, from, to));
        if (id.len == 0 || (!angles && !memchr(id.at, '@', id.len)))
            continue;
        *last = arena_one(a, struct mime_id);
        (*last)->id = mime_text(a, id);
        last = &(*last)->next;
    }
    return first;
}
