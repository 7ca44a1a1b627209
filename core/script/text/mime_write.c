/* SPDX-License-Identifier: Apache-2.0 */
/* mime_write.c - a mail's bytes: heads in ASCII, bodies in base64, CRLF.
 *
 * Happy path: From, To ... in the usual order, then the smallest structure
 * that holds what there is: mixed(alternative(text, related(html, pictures)),
 * attachments). Failure modes: a control character in a head (it could be
 * another head), an address that is none, too much: refused with a sentence.
 */
#include "base/clock.h"
#include "base/crypto.h"
#include "script/text/mime.h"
#include <stdio.h>
#include <time.h>

#define LINE 76
#define WORD_MOST 45 /* bytes of an encoded word: 60 of base64 */
#define BODY_LINE 57 /* bytes that are 76 of base64 */

struct writing {
    const struct mime_mail *mail;
    struct buf *out;
    struct err *err;
    int code;      /* sticks */
    size_t column; /* of the head's line under way */
    int levels;    /* boundaries made */
    char mark[33];
};

static void add(struct writing *w, struct slice s)
{
    if (w->code == 0 && buf_add_slice(w->out, s) < 0)
        w->code = err_set(w->err, ERR_TOOBIG, "the mail is over %d MB",
                          MIME_OUT_BYTES / 1024 / 1024);
}

static void put(struct writing *w, const char *text)
{
    add(w, slice_of(text));
}

static void refuse(struct writing *w, const char *what)
{
    if (w->code == 0)
        w->code = err_set(w->err, ERR_BAD_REQUEST, "%s", what);
}

/* --- heads ---------------------------------------------------------------- */

static bool is_plain(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.at[i] < ' ' || s.at[i] > '~')
            return false;
    return true;
}

/* No control character, UTF-8. */
static bool check_head(struct writing *w, struct slice s)
{
    bool ok = slice_is_utf8(s) && s.len <= MIME_FIELD_BYTES;
    for (size_t i = 0; i < s.len && ok; i++)
        ok = (unsigned char)s.at[i] >= ' ' && s.at[i] != 0x7f;
    if (!ok)
        refuse(w, "a head (subject, name, address ...) must be UTF-8 without "
                  "line breaks, at most 16 kB");
    return ok;
}

/* A word that is not cut; on a new line where it does not fit. */
static void add_word(struct writing *w, struct slice s, bool blank)
{
    if (w->column > 1 && w->column + blank + s.len > LINE) {
        put(w, "\r\n ");
        w->column = 1;
    } else if (blank) {
        put(w, " ");
        w->column++;
    }
    add(w, s);
    w->column += s.len;
}

/* =?UTF-8?B?...?= as often as needed, no character cut in two. */
static void add_encoded(struct writing *w, struct slice s, bool blank)
{
    struct buf word;
    buf_init(&word, 100);
    while (s.len) {
        size_t n = s.len < WORD_MOST ? s.len : WORD_MOST;
        while (n < s.len && ((unsigned char)s.at[n] & 0xc0) == 0x80)
            n--;
        buf_clear(&word);
        must(buf_add_text(&word, "=?UTF-8?B?") == 0);
        must(base64_add(&word, (struct slice){s.at, n}) == 0);
        must(buf_add_text(&word, "?=") == 0);
        add_word(w, buf_slice(&word), blank);
        blank = true;
        s = (struct slice){s.at + n, s.len - n};
    }
    buf_fini(&word);
}

/* Free text: word by word while it is ASCII. */
static void add_text(struct writing *w, struct slice s)
{
    if (!check_head(w, s))
        return;
    if (!is_plain(s) || memmem(s.at, s.len, "=?", 2)) {
        add_encoded(w, s, true);
        return;
    }
    while (s.len) {
        const char *end = memchr(s.at + 1, ' ', s.len - 1);
        size_t n = end ? (size_t)(end - s.at) : s.len;
        bool blank = s.at[0] == ' ' || w->column > 0;
        size_t skip = s.at[0] == ' ' && n > 1;
        add_word(w, (struct slice){s.at + skip, n - skip}, blank);
        s = (struct slice){s.at + n, s.len - n};
    }
}

static void begin(struct writing *w, const char *name)
{
    put(w, name);
    put(w, ":");
    w->column = strlen(name) + 1;
}

static void end(struct writing *w)
{
    put(w, "\r\n");
    w->column = 0;
}

static bool is_address(struct slice s)
{
    const char *at = s.len ? memchr(s.at, '@', s.len) : NULL;
    if (!at || at == s.at || at == s.at + s.len - 1 || s.len > 254)
        return false;
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.at[i] <= ' ' || s.at[i] > '~' ||
            strchr("<>()[],;:\\\"", s.at[i]))
            return false;
    return !memchr(at + 1, '@', s.len - (size_t)(at + 1 - s.at));
}

/* "Anna B." needs quotes, 安娜 an encoded word. */
static void add_name(struct writing *w, struct slice s)
{
    char quoted[2 * 80 + 3];
    size_t n = 0;
    if (!check_head(w, s))
        return;
    if (!is_plain(s) || s.len > 80) {
        add_encoded(w, s, true);
        return;
    }
    quoted[n++] = '"';
    for (size_t i = 0; i < s.len; i++) {
        if (s.at[i] == '"' || s.at[i] == '\\')
            quoted[n++] = '\\';
        quoted[n++] = s.at[i];
    }
    quoted[n++] = '"';
    add_word(w, (struct slice){quoted, n}, true);
}

static void put_addresses(struct writing *w, const char *name,
                          const struct mime_address *list)
{
    if (!list)
        return;
    begin(w, name);
    for (; list; list = list->next) {
        char angle[300];
        if (!is_address(list->address)) {
            refuse(w, "an address must look like anna@example.com");
            return;
        }
        int n = snprintf(angle, sizeof angle, "%s%.*s%s%s",
                         list->name.len ? "<" : "", SLICE_FMT(list->address),
                         list->name.len ? ">" : "", list->next ? "," : "");
        if (list->name.len)
            add_name(w, list->name);
        add_word(w, (struct slice){angle, (size_t)n}, true);
    }
    end(w);
}

static void put_ids(struct writing *w, const char *name,
                    const struct mime_id *list)
{
    if (!list)
        return;
    begin(w, name);
    for (; list; list = list->next) {
        char angle[1000];
        bool ok = list->id.len && list->id.len < sizeof angle - 3 &&
                  is_plain(list->id);
        for (size_t i = 0; i < list->id.len && ok; i++)
            ok = !strchr("<> ", list->id.at[i]);
        if (!ok) {
            refuse(w, "a message's id must be plain text without < and >");
            return;
        }
        int n = snprintf(angle, sizeof angle, "<%.*s>", SLICE_FMT(list->id));
        add_word(w, (struct slice){angle, (size_t)n}, true);
    }
    end(w);
}

static void put_text(struct writing *w, const char *name, struct slice s)
{
    if (s.len == 0)
        return;
    begin(w, name);
    add_text(w, s);
    end(w);
}

static void put_date(struct writing *w)
{
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed",
                                       "Thu", "Fri", "Sat"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr",
                                         "May", "Jun", "Jul", "Aug",
                                         "Sep", "Oct", "Nov", "Dec"};
    char text[80];
    struct tm tm;
    time_t at =
        (time_t)((w->mail->has_date ? w->mail->date_at : clock_ms()) / 1000);
    if (!gmtime_r(&at, &tm) || tm.tm_year < 0 || tm.tm_year > 8099) {
        refuse(w, "date_at must be a time in ms");
        return;
    }
    snprintf(text, sizeof text, "Date: %s, %d %s %04d %02d:%02d:%02d +0000\r\n",
             days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900,
             tm.tm_hour, tm.tm_min, tm.tm_sec);
    put(w, text);
}

static bool is_field_name(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.at[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
              (c >= '0' && c <= '9') || c == '-' || c == '_'))
            return false;
    }
    return s.len > 0 && s.len <= 76;
}

/* Those we write ourselves; twice they would be two meanings. */
static bool is_ours(struct slice s)
{
    static const char *const ours[] = {"from",
                                       "to",
                                       "cc",
                                       "bcc",
                                       "reply-to",
                                       "subject",
                                       "date",
                                       "message-id",
                                       "in-reply-to",
                                       "references",
                                       "mime-version",
                                       "content-type",
                                       "content-transfer-encoding"};
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
        if (slice_is_nocase(s, ours[i]))
            return true;
    return false;
}

static void put_fields(struct writing *w)
{
    for (const struct mime_field *f = w->mail->fields; f; f = f->next) {
        char name[80];
        if (!is_field_name(f->name) || is_ours(f->name)) {
            refuse(w, "a header's name is made of letters, digits and -, and "
                      "is none that has a field of its own (from, to, "
                      "subject ...)");
            return;
        }
        snprintf(name, sizeof name, "%.*s", SLICE_FMT(f->name));
        put_text(w, name, f->raw);
    }
}

static void put_head(struct writing *w)
{
    const struct mime_mail *m = w->mail;
    struct mime_id id = {NULL, m->message_id};
    put_addresses(w, "From", m->from);
    put_addresses(w, "To", m->to);
    put_addresses(w, "Cc", m->cc);
    put_addresses(w, "Reply-To", m->reply_to);
    put_text(w, "Subject", m->subject);
    put_date(w);
    put_ids(w, "Message-ID", &id);
    put_ids(w, "In-Reply-To", m->in_reply_to);
    put_ids(w, "References", m->references);
    put_fields(w);
    put(w, "MIME-Version: 1.0\r\n");
}

/* --- bodies --------------------------------------------------------------- */

static void put_base64(struct writing *w, struct slice s)
{
    /* Room at once: 4/3 and a line end every 76. */
    if (w->code == 0 &&
        buf_reserve(w->out, s.len / 3 * 4 + s.len / 28 + 16) < 0)
        w->code = err_set(w->err, ERR_TOOBIG, "the mail is over %d MB",
                          MIME_OUT_BYTES / 1024 / 1024);
    while (s.len && w->code == 0) {
        size_t n = s.len < BODY_LINE ? s.len : BODY_LINE;
        must(base64_add(w->out, (struct slice){s.at, n}) == 0);
        put(w, "\r\n");
        s = (struct slice){s.at + n, s.len - n};
    }
}

static void put_body(struct writing *w, const char *subtype, struct slice s)
{
    struct buf crlf;
    put(w, "Content-Type: text/");
    put(w, subtype);
    put(w, "; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n");
    if (!slice_is_utf8(s)) {
        refuse(w, "text and html must be UTF-8");
        return;
    }
    buf_init(&crlf, 2 * MIME_TEXT_BYTES);
    int got = s.len > MIME_TEXT_BYTES ? ERR_TOOBIG : 0;
    for (size_t i = 0; i < s.len && got == 0; i++) {
        if (s.at[i] == '\n' && (i == 0 || s.at[i - 1] != '\r'))
            got = buf_add_char(&crlf, '\r');
        if (got == 0)
            got = buf_add_char(&crlf, s.at[i]);
    }
    if (got < 0)
        w->code = err_set(w->err, ERR_TOOBIG, "a text is over 1 MB");
    put_base64(w, buf_slice(&crlf));
    buf_fini(&crlf);
}

static bool is_type(struct slice s)
{
    int slashes = 0;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.at[i];
        slashes += c == '/';
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
              (c >= '0' && c <= '9') || strchr("/-+._", c)))
            return false;
    }
    return s.len > 2 && s.len <= 100 && slashes == 1 && s.at[0] != '/' &&
           s.at[s.len - 1] != '/' && !slice_starts(s, "multipart/");
}

/* filename="..." for old readers, filename*= for the rest. */
static void put_name(struct writing *w, struct slice name)
{
    static const char digits[] = "0123456789ABCDEF";
    bool plain = true;
    put(w, ";\r\n filename=\"");
    for (size_t i = 0; i < name.len; i++) {
        char c = name.at[i];
        bool ok = c >= ' ' && c <= '~' && c != '"' && c != '\\';
        plain &= ok;
        if (ok || ((unsigned char)c & 0xc0) != 0x80)
            add(w, ok ? (struct slice){&c, 1} : SLICE("_"));
    }
    put(w, "\"");
    if (plain)
        return;
    put(w, ";\r\n filename*=UTF-8''");
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.at[i];
        char coded[3] = {'%', digits[c >> 4], digits[c & 15]};
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                  (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
        add(w, ok ? (struct slice){(char *)&c, 1} : (struct slice){coded, 3});
    }
}

static void put_part(struct writing *w, const struct mime_part *p)
{
    struct slice type =
        p->type.len ? p->type : SLICE("application/octet-stream");
    struct mime_id cid = {NULL, p->cid};
    if (!is_type(type)) {
        refuse(w, "an attachment's type must look like image/png");
        return;
    }
    put(w, "Content-Type: ");
    add(w, type);
    put(w, p->is_inline ? "\r\nContent-Disposition: inline"
                        : "\r\nContent-Disposition: attachment");
    if (p->name.len > MIME_NAME_BYTES)
        refuse(w, "a file's name has at most 150 bytes");
    if (p->name.len && check_head(w, p->name))
        put_name(w, p->name);
    put(w, "\r\n");
    if (p->cid.len)
        put_ids(w, "Content-ID", &cid);
    put(w, "Content-Transfer-Encoding: base64\r\n\r\n");
    put_base64(w, p->bytes);
}

/* --- structure ------------------------------------------------------------ */

static void put_boundary(struct writing *w, int level, const char *tail)
{
    char line[80];
    snprintf(line, sizeof line, "--=_%s_%d%s\r\n", w->mark, level, tail);
    put(w, line);
}

static int open_multipart(struct writing *w, const char *subtype)
{
    char head[160];
    int level = w->levels++;
    snprintf(head, sizeof head,
             "Content-Type: multipart/%s;\r\n boundary=\"=_%s_%d\"\r\n\r\n",
             subtype, w->mark, level);
    put(w, head);
    return level;
}

static bool has_parts(const struct mime_mail *m, bool in_line)
{
    for (const struct mime_part *p = m->parts; p; p = p->next)
        if ((p->is_inline && m->html.at) == in_line)
            return true;
    return false;
}

static void put_parts(struct writing *w, int level, bool in_line)
{
    for (const struct mime_part *p = w->mail->parts; p; p = p->next) {
        if ((p->is_inline && w->mail->html.at) != in_line)
            continue;
        put_boundary(w, level, "");
        put_part(w, p);
    }
    put_boundary(w, level, "--");
}

static void put_html(struct writing *w)
{
    if (!has_parts(w->mail, true)) {
        put_body(w, "html", w->mail->html);
        return;
    }
    int level = open_multipart(w, "related");
    put_boundary(w, level, "");
    put_body(w, "html", w->mail->html);
    put_parts(w, level, true);
}

static void put_texts(struct writing *w)
{
    const struct mime_mail *m = w->mail;
    if (!m->html.at) {
        put_body(w, "plain", m->text.at ? m->text : SLICE(""));
        return;
    }
    if (!m->text.at) {
        put_html(w);
        return;
    }
    int level = open_multipart(w, "alternative");
    put_boundary(w, level, "");
    put_body(w, "plain", m->text);
    put_boundary(w, level, "");
    put_html(w);
    put_boundary(w, level, "--");
}

int mime_write(const struct mime_mail *m, struct buf *out, struct err *e)
{
    struct writing w = {.mail = m, .out = out, .err = e};
    unsigned char random[12];
    struct buf mark;
    random_bytes(random, sizeof random);
    buf_init(&mark, sizeof w.mark);
    must(hex_add(&mark, random, sizeof random) == 0);
    memcpy(w.mark, mark.data, mark.len);
    buf_fini(&mark);
    put_head(&w);
    if (has_parts(m, false)) {
        int level = open_multipart(&w, "mixed");
        put_boundary(&w, level, "");
        put_texts(&w);
        put_parts(&w, level, false);
    } else {
        put_texts(&w);
    }
    return w.code;
}
