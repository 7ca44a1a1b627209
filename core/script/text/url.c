/* SPDX-License-Identifier: Apache-2.0 */
/* url.c - splits, joins, encodes.
 *
 * Happy path: one look at each character. Failure modes: what is no address is
 * refused; nothing is repaired, because two programs that repair differently
 * can be played against each other.
 */
#include "script/text/url.h"
#include "base/err.h"

/* --- reading -------------------------------------------------------------- */

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static struct slice cut(struct slice s, size_t from, size_t to)
{
    return (struct slice){s.at + from, to - from};
}

/* The first of the marks, or s.len. */
static size_t find(struct slice s, const char *marks)
{
    size_t i = 0;
    while (i < s.len && !strchr(marks, s.at[i]))
        i++;
    return i;
}

static bool is_clean(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.at[i];
        if (c <= ' ' || c == 0x7f || c == '\\' || c == '"' || c == '<' ||
            c == '>')
            return false;
    }
    return true;
}

static size_t scheme_end(struct slice s)
{
    size_t i = 0;
    if (s.len == 0 || !is_alpha(s.at[0]))
        return 0;
    while (i < s.len && (is_alpha(s.at[i]) || is_digit(s.at[i]) ||
                         s.at[i] == '+' || s.at[i] == '-' || s.at[i] == '.'))
        i++;
    return i < s.len && s.at[i] == ':' ? i : 0;
}

static bool read_port(struct slice s, int *port)
{
    int64_t n;
    if (s.len == 0)
        return true;
    for (size_t i = 0; i < s.len; i++)
        if (!is_digit(s.at[i]))
            return false;
    if (s.len > 5 || !slice_to_i64(s, &n) || n > 65535)
        return false;
    *port = (int)n;
    return true;
}

static bool read_authority(struct slice s, struct url *u)
{
    const char *at = memrchr(s.at, '@', s.len);
    if (at) {
        struct slice who = cut(s, 0, (size_t)(at - s.at));
        size_t colon = find(who, ":");
        u->user = cut(who, 0, colon);
        if (colon < who.len)
            u->password = cut(who, colon + 1, who.len);
        s = cut(s, who.len + 1, s.len);
    }
    size_t end = find(s, ":");
    if (s.len && s.at[0] == '[') {
        const char *close = memchr(s.at, ']', s.len);
        if (!close)
            return false;
        end = (size_t)(close - s.at) + 1;
        if (end < s.len && s.at[end] != ':')
            return false;
    }
    u->host = cut(s, 0, end);
    if (memchr(u->host.at, '@', u->host.len) ||
        (end && s.at[0] != '[' && find(u->host, "[]") < u->host.len))
        return false;
    return end >= s.len || read_port(cut(s, end + 1, s.len), &u->port);
}

bool url_read(struct slice text, struct url *out)
{
    struct slice s = text;
    *out = (struct url){.port = -1};
    if (text.len > URL_BYTES || !is_clean(text))
        return false;
    if (!s.at)
        s.at = "";
    size_t n = scheme_end(s);
    if (n) {
        out->scheme = cut(s, 0, n);
        s = cut(s, n + 1, s.len);
    }
    size_t hash = find(s, "#");
    if (hash < s.len)
        out->fragment = cut(s, hash + 1, s.len);
    s = cut(s, 0, hash);
    size_t mark = find(s, "?");
    if (mark < s.len)
        out->query = cut(s, mark + 1, s.len);
    s = cut(s, 0, mark);
    if (s.len >= 2 && s.at[0] == '/' && s.at[1] == '/') {
        s = cut(s, 2, s.len);
        size_t end = find(s, "/");
        if (!read_authority(cut(s, 0, end), out))
            return false;
        s = cut(s, end, s.len);
    }
    out->path = s;
    return true;
}

/* --- writing -------------------------------------------------------------- */

struct writing {
    struct buf *out;
    int err;
};

static void add(struct writing *w, const char *before, struct slice s)
{
    if (w->err == 0)
        w->err = buf_add_text(w->out, before);
    if (w->err == 0)
        w->err = buf_add_slice(w->out, s);
}

static void add_if(struct writing *w, const char *before, struct slice s)
{
    if (s.at)
        add(w, before, s);
}

int url_write(const struct url *u, struct buf *out)
{
    struct writing w = {out, 0};
    size_t was = out->len;
    if (!u->host.at && u->path.len > 1 && memcmp(u->path.at, "//", 2) == 0)
        return ERR_BAD_REQUEST; /* it would be read as a host */
    if (u->scheme.at) {
        add(&w, "", u->scheme);
        add(&w, ":", SLICE(""));
    }
    if (u->host.at) {
        add(&w, "//", SLICE(""));
        add_if(&w, "", u->user);
        add_if(&w, ":", u->password);
        add(&w, u->user.at ? "@" : "", u->host);
        if (u->port >= 0 && w.err == 0)
            w.err = buf_addf(out, ":%d", u->port);
    }
    add_if(&w, "", u->path);
    add_if(&w, "?", u->query);
    add_if(&w, "#", u->fragment);
    if (w.err < 0)
        out->len = was;
    return w.err;
}

/* --- joining -------------------------------------------------------------- */

/* RFC 3986, 5.2.4. to has room for the path and gets its length back. */
static size_t remove_dots(struct slice path, char *to)
{
    size_t n = 0, i = 0;
    while (i < path.len) {
        size_t end = i + (path.at[i] == '/');
        while (end < path.len && path.at[end] != '/')
            end++;
        struct slice part = cut(path, i, end);
        bool last = end == path.len;
        i = end;
        if (slice_is(part, "/..") || slice_is(part, "/.")) {
            if (part.len == 3)
                while (n > 0 && to[--n] != '/')
                    ;
            if (last)
                to[n++] = '/';
        } else if (!slice_is(part, "..") && !slice_is(part, ".")) {
            memcpy(to + n, part.at, part.len);
            n += part.len;
        } else if (!last && n == 0) {
            i++; /* "../x" and "./x": the slash goes with it */
        }
    }
    return n;
}

/* Path of ref on the page of base. */
static struct slice merge(const struct url *base, struct slice ref, char *to)
{
    size_t n = base->path.len;
    if (base->host.at && base->path.len == 0) {
        to[0] = '/';
        n = 1;
    } else {
        while (n > 0 && base->path.at[n - 1] != '/')
            n--;
        memcpy(to, base->path.at, n);
    }
    memcpy(to + n, ref.at, ref.len);
    return (struct slice){to, n + ref.len};
}

int url_join(struct slice base, struct slice ref, struct buf *out)
{
    char merged[2 * URL_BYTES + 1], clean[2 * URL_BYTES + 1];
    struct url b, u;
    if (!url_read(base, &b) || !url_read(ref, &u) || !b.scheme.at)
        return ERR_BAD_REQUEST;
    if (!u.scheme.at) {
        u.scheme = b.scheme;
        if (!u.host.at) {
            u.host = b.host;
            u.user = b.user;
            u.password = b.password;
            u.port = b.port;
            if (u.path.len == 0) {
                u.path = b.path;
                if (!u.query.at)
                    u.query = b.query;
                return url_write(&u, out);
            }
            if (u.path.at[0] != '/')
                u.path = merge(&b, u.path, merged);
        }
    }
    u.path = (struct slice){clean, remove_dots(u.path, clean)};
    return url_write(&u, out);
}

/* --- percent -------------------------------------------------------------- */

int url_encode(struct slice s, bool plus, struct buf *out)
{
    static const char digits[] = "0123456789ABCDEF";
    int got = buf_reserve(out, 3 * s.len);
    if (got < 0)
        return got;
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.at[i];
        char *to = out->data + out->len;
        if (is_alpha((char)c) || is_digit((char)c) ||
            (c && strchr("-._~", (char)c))) {
            to[0] = (char)c;
            out->len++;
        } else if (plus && c == ' ') {
            to[0] = '+';
            out->len++;
        } else {
            to[0] = '%';
            to[1] = digits[c >> 4];
            to[2] = digits[c & 15];
            out->len += 3;
        }
    }
    return 0;
}

static int hex(char c)
{
    if (is_digit(c))
        return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int url_decode(struct slice s, bool plus, struct buf *out)
{
    int got = buf_reserve(out, s.len);
    if (got < 0)
        return got;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.at[i];
        bool coded = c == '%' && s.len - i > 2 && hex(s.at[i + 1]) >= 0 &&
                     hex(s.at[i + 2]) >= 0;
        if (coded) {
            c = (char)(hex(s.at[i + 1]) << 4 | hex(s.at[i + 2]));
            i += 2;
        } else if (plus && c == '+') {
            c = ' ';
        }
        out->data[out->len++] = c;
    }
    return 0;
}
