/* SPDX-License-Identifier: Apache-2.0 */
/* mime_read.c - the parts of a mail.
 *
 * Happy path: one pass over the lines; those that begin with "--" are held
 * against the boundaries that are open (16 at most), whatever the depth.
 * Failure modes: a missing end, an unknown encoding, a broken charset: taken
 * as well as can be. Only more than 200 parts, or no field at all, is refused.
 */
#include "base/crypto.h"
#include "script/text/mime.h"
#include "script/text/text.h"

enum { NO_LEVEL = -1 };

struct reading {
    struct arena *arena;
    struct err *err;
    struct slice s;
    size_t at; /* where the next line begins */
    struct slice boundary[MIME_DEPTH];
    int depth;
    int hit; /* level of the boundary the last line was, or NO_LEVEL */
    bool closes;
    struct mime_mail *mail;
    struct mime_part **last;
    struct buf text, html;
};

/* --- lines ---------------------------------------------------------------- */

/* The next line without its end; false at the end of all. */
static bool next_line(struct reading *r, struct slice *line)
{
    if (r->at >= r->s.len)
        return false;
    const char *from = r->s.at + r->at;
    size_t left = r->s.len - r->at;
    const char *end = memchr(from, '\n', left);
    size_t n = end ? (size_t)(end - from) : left;
    r->at += n + (end != NULL);
    if (end && n && from[n - 1] == '\r')
        n--;
    *line = (struct slice){from, n};
    return true;
}

/* Is the line a boundary that is open? The innermost first. */
static bool is_boundary(struct reading *r, struct slice line)
{
    if (line.len < 3 || line.at[0] != '-' || line.at[1] != '-')
        return false;
    struct slice body = {line.at + 2, line.len - 2};
    for (int i = r->depth - 1; i >= 0; i--) {
        struct slice b = r->boundary[i];
        if (body.len < b.len || memcmp(body.at, b.at, b.len) != 0)
            continue;
        struct slice rest =
            slice_trim((struct slice){body.at + b.len, body.len - b.len});
        if (rest.len && !slice_is(rest, "--"))
            continue;
        r->hit = i;
        r->closes = rest.len > 0;
        return true;
    }
    return false;
}

/* Up to the next boundary or the end of all: what lies between, without the
 * line end that belongs to the boundary. */
static struct slice read_body(struct reading *r)
{
    struct slice line;
    size_t from = r->at, to = r->at;
    r->hit = NO_LEVEL;
    while (next_line(r, &line)) {
        if (is_boundary(r, line)) {
            to = (size_t)(line.at - r->s.at);
            to -= to > from && r->s.at[to - 1] == '\n';
            to -= to > from && r->s.at[to - 1] == '\r';
            return (struct slice){r->s.at + from, to - from};
        }
    }
    return (struct slice){r->s.at + from, r->s.len - from};
}

/* --- heads ---------------------------------------------------------------- */

static bool is_field(struct slice line, size_t *colon)
{
    size_t n = 0;
    while (n < line.len && line.at[n] > ' ' && line.at[n] < 0x7f &&
           line.at[n] != ':')
        n++;
    size_t end = n;
    while (end < line.len && (line.at[end] == ' ' || line.at[end] == '\t'))
        end++;
    *colon = end;
    return n > 0 && n <= 200 && end < line.len && line.at[end] == ':';
}

static struct mime_field *add_field(struct reading *r, struct slice line,
                                    size_t colon)
{
    struct mime_field *f = arena_one(r->arena, struct mime_field);
    char *name = arena_text(r->arena, colon + 1);
    size_t n = 0;
    for (; n < colon && line.at[n] != ' ' && line.at[n] != '\t'; n++)
        name[n] = line.at[n] >= 'A' && line.at[n] <= 'Z'
                      ? (char)(line.at[n] + 32)
                      : line.at[n];
    f->name = (struct slice){name, n};
    f->raw = (struct slice){line.at + colon + 1, line.len - colon - 1};
    if (f->raw.len > MIME_FIELD_BYTES)
        f->raw.len = MIME_FIELD_BYTES;
    return f;
}

/* The line goes on from the one before: joined by its blank. */
static void unfold(struct reading *r, struct mime_field *f, struct buf *joined,
                   struct slice line)
{
    if (joined->len == 0)
        must(buf_add_slice(joined, f->raw) == 0);
    size_t room = MIME_FIELD_BYTES - joined->len;
    if (line.len > room)
        line.len = room;
    must(buf_add_slice(joined, line) == 0);
}

static void end_field(struct reading *r, struct mime_field *f,
                      struct buf *joined)
{
    if (f && joined->len)
        f->raw = slice_dup(r->arena, buf_slice(joined));
    buf_clear(joined);
}

/* Fields up to the empty line. A boundary in between ends the part (r->hit);
 * a line that is neither ends the head, too: it is the body's first. */
static struct mime_field *read_fields(struct reading *r)
{
    struct mime_field *first = NULL, **last = &first, *now = NULL;
    struct slice line;
    struct buf joined;
    size_t colon, from = r->at;
    int count = 0;
    r->hit = NO_LEVEL;
    buf_init(&joined, MIME_FIELD_BYTES);
    for (; next_line(r, &line) && line.len && !is_boundary(r, line);
         from = r->at) {
        if (line.at[0] == ' ' || line.at[0] == '\t') {
            if (now)
                unfold(r, now, &joined, line);
            continue;
        }
        end_field(r, now, &joined);
        now = NULL;
        if (!is_field(line, &colon)) {
            if (from == 0 && slice_starts(line, "From "))
                continue; /* of an mbox */
            r->at = from;
            break;
        }
        if (count++ >= MIME_FIELDS)
            continue;
        now = add_field(r, line, colon);
        *last = now;
        last = &now->next;
    }
    end_field(r, now, &joined);
    buf_fini(&joined);
    return first;
}

static struct slice field(const struct mime_field *f, const char *name)
{
    for (; f; f = f->next)
        if (slice_is(f->name, name))
            return f->raw;
    return (struct slice){NULL, 0};
}

/* --- leaves --------------------------------------------------------------- */

/* A digit's value + 1, 0 = no digit. */
static void fill(unsigned char digits[256])
{
    static const char order[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrs"
                                "tuvwxyz0123456789+/";
    memset(digits, 0, 256);
    for (unsigned char i = 0; i < 64; i++)
        digits[(unsigned char)order[i]] = (unsigned char)(i + 1);
}

/* What is no digit is not there. */
static struct slice from_base64(struct arena *a, struct slice s)
{
    char *out = arena_text(a, s.len / 4 * 3 + 4);
    size_t n = 0;
    unsigned bits = 0, have = 0;
    unsigned char digits[256];
    fill(digits);
    for (size_t i = 0; i < s.len; i++) {
        unsigned digit = digits[(unsigned char)s.at[i]];
        if (digit == 0)
            continue;
        bits = bits << 6 | (digit - 1);
        have += 6;
        if (have >= 8) {
            have -= 8;
            out[n++] = (char)(bits >> have & 255);
        }
    }
    return (struct slice){out, n};
}

static int hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

/* Behind the line end that follows a '=' at i; 0: none does. */
static size_t soft_break(struct slice s, size_t i)
{
    for (i++; i < s.len && (s.at[i] == ' ' || s.at[i] == '\t');)
        i++;
    if (i < s.len && s.at[i] == '\r')
        i++;
    if (i >= s.len)
        return i;
    return s.at[i] == '\n' ? i + 1 : 0;
}

static struct slice from_quoted(struct arena *a, struct slice s)
{
    char *out = arena_text(a, s.len + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.len;) {
        size_t behind = s.at[i] == '=' ? soft_break(s, i) : 0;
        if (behind) {
            i = behind;
        } else if (s.at[i] == '=' && s.len - i > 2 && hex(s.at[i + 1]) >= 0 &&
                   hex(s.at[i + 2]) >= 0) {
            out[n++] = (char)(hex(s.at[i + 1]) << 4 | hex(s.at[i + 2]));
            i += 3;
        } else {
            out[n++] = s.at[i++];
        }
    }
    return (struct slice){out, n};
}

static struct slice decoded(struct arena *a, const struct mime_field *head,
                            struct slice body)
{
    struct slice how = mime_value(a, field(head, "content-transfer-encoding"));
    if (slice_is(how, "base64"))
        return from_base64(a, body);
    if (slice_is(how, "quoted-printable"))
        return from_quoted(a, body);
    return body;
}

/* The last part of a path, without what a file system or a terminal takes
 * amiss. */
static struct slice safe_name(struct arena *a, struct slice name)
{
    char *out = arena_text(a, name.len + 1);
    size_t n = 0;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.at[i];
        if (c == '/' || c == '\\')
            n = 0;
        else if ((unsigned char)c >= ' ' && c != 0x7f)
            out[n++] = c;
    }
    if (n > MIME_NAME_BYTES) {
        n = MIME_NAME_BYTES;
        while (n > 0 && ((unsigned char)out[n] & 0xc0) == 0x80)
            n--;
    }
    struct slice s = slice_trim((struct slice){out, n});
    return slice_is(s, ".") || slice_is(s, "..") ? SLICE("") : s;
}

static struct slice name_of(struct arena *a, const struct mime_field *head)
{
    struct slice name =
        mime_parameter(a, field(head, "content-disposition"), "filename");
    if (!name.at)
        name = mime_parameter(a, field(head, "content-type"), "name");
    return name.at ? safe_name(a, name) : SLICE("");
}

/* Appends the part as UTF-8 with \n at the ends of lines. */
static void add_text(struct buf *out, const struct mime_part *p)
{
    struct buf utf8;
    buf_init(&utf8, 4 * MIME_BYTES);
    if (text_to_utf8(p->charset, p->bytes, &utf8) == 0) {
        size_t n = 0;
        for (size_t i = 0; i < utf8.len; i++)
            if (utf8.data[i] != '\r' || i + 1 == utf8.len ||
                utf8.data[i + 1] != '\n')
                utf8.data[n++] = utf8.data[i];
        utf8.len = n;
        if (out->len)
            (void)buf_add_char(out, '\n'); /* there is room for all of it */
        (void)buf_add_slice(out, buf_slice(&utf8));
    }
    buf_fini(&utf8);
}

static void choose(struct reading *r, struct mime_part *p, bool attached,
                   bool alternative)
{
    struct mime_mail *m = r->mail;
    bool plain = slice_is(p->type, "text/plain");
    bool html = slice_is(p->type, "text/html");
    if (attached || p->name.len || (!plain && !html) ||
        p->bytes.len > MIME_TEXT_BYTES)
        return;
    /* Texts around a picture are one text; the second of two alternatives,
     * or a second HTML page, is not the body's. */
    if (html ? m->html.at != NULL : alternative && m->text.at)
        return;
    p->is_body = true;
    add_text(html ? &r->html : &r->text, p);
    if (html)
        m->html = SLICE("");
    else
        m->text = SLICE("");
}

static int add_leaf(struct reading *r, const struct mime_field *head,
                    struct slice type, struct slice body, bool alternative)
{
    struct arena *a = r->arena;
    struct slice how = mime_value(a, field(head, "content-disposition"));
    struct slice charset =
        mime_parameter(a, field(head, "content-type"), "charset");
    if (r->mail->part_count++ >= MIME_PARTS)
        return err_set(r->err, ERR_TOOBIG, "the mail has more than %d parts",
                       MIME_PARTS);
    struct mime_part *p = arena_one(a, struct mime_part);
    struct mime_id *cid = mime_ids(a, field(head, "content-id"));
    *r->last = p;
    r->last = &p->next;
    p->type = type;
    p->charset = charset.at ? charset : SLICE("");
    p->name = name_of(a, head);
    p->cid = cid ? cid->id : mime_text(a, field(head, "content-id"));
    p->bytes = decoded(a, head, body);
    bool attached = slice_is(how, "attachment");
    p->is_inline = !attached && (slice_is(how, "inline") || p->cid.len);
    choose(r, p, attached, alternative);
    return 0;
}

/* --- parts ---------------------------------------------------------------- */

static int read_part(struct reading *r, struct mime_field *head,
                     struct slice otherwise, bool alternative);

/* The boundary has been pushed. Leaves r->hit at an outer one, or none. */
static int read_children(struct reading *r, struct slice type)
{
    int level = r->depth - 1, got = 0;
    struct slice otherwise = slice_is(type, "multipart/digest")
                                 ? SLICE("message/rfc822")
                                 : SLICE("text/plain");
    struct slice front = read_body(r);            /* for old mailers */
    if (r->hit != level && slice_trim(front).len) /* all there is */
        got = add_leaf(r, NULL, SLICE("text/plain"), front, false);
    while (got == 0 && r->hit == level && !r->closes)
        got = read_part(r, read_fields(r), otherwise,
                        slice_is(type, "multipart/alternative"));
    r->depth--;
    if (got == 0 && r->hit == level)
        (void)read_body(r); /* behind the last */
    return got;
}

static int read_part(struct reading *r, struct mime_field *head,
                     struct slice otherwise, bool alternative)
{
    struct slice type = field(head, "content-type");
    struct slice boundary =
        type.at ? mime_parameter(r->arena, type, "boundary") : type;
    type = mime_value(r->arena, type.at ? type : otherwise);
    if (!memchr(type.at, '/', type.len))
        type = otherwise;
    bool multi = slice_starts(type, "multipart/") && boundary.at &&
                 boundary.len && r->depth < MIME_DEPTH && r->hit == NO_LEVEL;
    if (!multi)
        return add_leaf(r, head, type,
                        r->hit == NO_LEVEL ? read_body(r) : SLICE(""),
                        alternative);
    r->boundary[r->depth++] = boundary;
    return read_children(r, type);
}

/* --- the mail ------------------------------------------------------------- */

static void read_head(struct arena *a, struct mime_mail *m)
{
    const struct mime_field *f = m->fields;
    struct mime_id *id = mime_ids(a, field(f, "message-id"));
    m->subject = mime_text(a, field(f, "subject"));
    m->from = mime_addresses(a, field(f, "from"));
    m->to = mime_addresses(a, field(f, "to"));
    m->cc = mime_addresses(a, field(f, "cc"));
    m->reply_to = mime_addresses(a, field(f, "reply-to"));
    m->message_id = id ? id->id : mime_text(a, field(f, "message-id"));
    m->in_reply_to = mime_ids(a, field(f, "in-reply-to"));
    m->references = mime_ids(a, field(f, "references"));
    m->has_date = mime_date(field(f, "date"), &m->date_at);
}

static struct slice kept(struct reading *r, const struct buf *b,
                         struct slice was)
{
    return was.at ? slice_dup(r->arena, b->len ? buf_slice(b) : SLICE(""))
                  : was;
}

int mime_read(struct arena *a, struct slice bytes, struct err *e,
              struct mime_mail *out)
{
    struct reading r = {.arena = a, .err = e, .s = bytes, .mail = out};
    *out = (struct mime_mail){.fields = NULL};
    r.last = &out->parts;
    if (bytes.len > MIME_BYTES)
        return err_set(e, ERR_TOOBIG, "the mail is over %d MB",
                       MIME_BYTES / 1024 / 1024);
    out->fields = read_fields(&r);
    if (!out->fields)
        return err_set(e, ERR_BAD_REQUEST,
                       "this is not a mail: it has no "
                       "header");
    read_head(a, out);
    buf_init(&r.text, 4 * MIME_BYTES);
    buf_init(&r.html, 4 * MIME_BYTES);
    int got = read_part(&r, out->fields, SLICE("text/plain"), false);
    out->text = kept(&r, &r.text, out->text);
    out->html = kept(&r, &r.html, out->html);
    buf_fini(&r.text);
    buf_fini(&r.html);
    return got;
}
