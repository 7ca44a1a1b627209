/* SPDX-License-Identifier: Apache-2.0 */
/* http.c - http-parser glue: requests and answers without I/O.
 *
 * Happy path: the caller gives bytes until the empty line is among them; the
 * head is copied into the request's arena, its lines are judged, http-parser
 * takes it apart into slices of that copy. A body runs through http-parser as
 * well (it knows chunks) into a buffer with a maximum.
 *
 * Failure modes: head too long (431, or 414 while still in its first line),
 * body too long (413), a folded or otherwise odd header line, both lengths, a
 * path that tries to leave (400), a version or a coding we do not speak (505,
 * 501). Refusing is final: the caller answers and closes.
 */
#include "net/http.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"

#include <http_parser.h>
#include <stdio.h>
#include <time.h>

#define STREAM_PIECE (16 * 1024 * 1024) /* one read, and what was held */

struct http_reader {
    http_parser parser;
    size_t body_max;
    bool (*streams)(void *arg, const struct http_req *r);
    void *streams_arg;
    size_t scanned; /* of the head, so that it is searched only once */
    struct http_in *in;
    struct http_header *headers;
    struct slice url;
    bool complete; /* on_message_complete came */
    bool in_body;  /* headers that come now are trailers: dropped */
};

/* --- http-parser's callbacks ---------------------------------------------- */

static int on_url(http_parser *p, const char *at, size_t n)
{
    struct http_reader *r = p->data;
    r->url = (struct slice){at, n};
    return 0;
}

static int on_field(http_parser *p, const char *at, size_t n)
{
    struct http_reader *r = p->data;
    struct http_req *req = &r->in->req;
    if (r->in_body)
        return 0;
    if (req->header_count == LIMIT_HEADER_COUNT)
        return 1;
    r->headers[req->header_count++].name = (struct slice){at, n};
    return 0;
}

static int on_value(http_parser *p, const char *at, size_t n)
{
    struct http_reader *r = p->data;
    if (!r->in_body && r->in->req.header_count)
        r->headers[r->in->req.header_count - 1].value =
            slice_trim((struct slice){at, n});
    return 0;
}

static int on_body(http_parser *p, const char *at, size_t n)
{
    struct http_reader *r = p->data;
    return buf_add(&r->in->body, at, n) < 0;
}

static int on_complete(http_parser *p)
{
    struct http_reader *r = p->data;
    r->complete = true;
    http_parser_pause(p, 1); /* the next request is not ours yet */
    return 0;
}

/* Only WebSocket is a switch of protocols here; an offer of anything else
 * (h2c) is let pass unanswered, as RFC 9110 allows. */
static int on_head(http_parser *p)
{
    struct http_reader *r = p->data;
    struct http_in *in = r->in;
    struct slice to = http_find(r->headers, in->req.header_count, "upgrade");
    in->upgrade =
        p->upgrade && p->method == HTTP_GET && http_has_word(to, "websocket");
    p->upgrade = 0;
    r->in_body = true;
    return 0;
}

static const http_parser_settings settings = {
    .on_url = on_url,
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_headers_complete = on_head,
    .on_body = on_body,
    .on_message_complete = on_complete,
};

/* --- words in headers ----------------------------------------------------- */

struct slice http_find(const struct http_header *h, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (slice_is_nocase(h[i].name, name))
            return h[i].value;
    return (struct slice){NULL, 0};
}

bool http_has_word(struct slice list, const char *word)
{
    while (list.len) {
        const char *comma = memchr(list.at, ',', list.len);
        size_t n = comma ? (size_t)(comma - list.at) : list.len;
        if (slice_is_nocase(slice_trim((struct slice){list.at, n}), word))
            return true;
        n += comma ? 1 : 0;
        list.at += n;
        list.len -= n;
    }
    return false;
}

/* --- paths ---------------------------------------------------------------- */

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int http_decode(struct slice in, bool plus, char *out, size_t *len)
{
    size_t n = 0;
    for (size_t i = 0; i < in.len; i++) {
        char c = in.at[i];
        if (c == '%') {
            if (i + 2 >= in.len || hex(in.at[i + 1]) < 0 ||
                hex(in.at[i + 2]) < 0)
                return -1;
            c = (char)(hex(in.at[i + 1]) << 4 | hex(in.at[i + 2]));
            i += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        out[n++] = c;
    }
    *len = n;
    return 0;
}

static bool is_plain(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)p[i] < 0x20 || p[i] == 0x7f || p[i] == '\\')
            return false;
    return slice_is_utf8((struct slice){p, n});
}

bool http_path(struct slice in, char *out, size_t *len)
{
    size_t n, w = 0;
    if (in.len == 0 || in.at[0] != '/' || http_decode(in, false, out, &n) < 0 ||
        !is_plain(out, n))
        return false;
    for (size_t i = 0; i < n;) { /* in place: w never overtakes i */
        size_t end = ++i;
        while (end < n && out[end] != '/')
            end++;
        size_t seg = end - i;
        if (seg == 2 && out[i] == '.' && out[i + 1] == '.')
            return false;
        bool skip = (seg == 0 && end < n) || (seg == 1 && out[i] == '.');
        if (!skip) {
            out[w++] = '/';
            memmove(out + w, out + i, seg);
            w += seg;
        }
        i = end;
    }
    if (w == 0)
        out[w++] = '/';
    *len = w;
    out[w] = '\0';
    return true;
}

/* --- the head ------------------------------------------------------------- */

static enum http_step refuse(struct http_reader *r, int status, const char *why)
{
    if (!r->in) {
        struct arena *a = arena_new();
        r->in = arena_one(a, struct http_in);
        r->in->req.arena = a;
    }
    r->in->status = status;
    r->in->why = why;
    r->in->keep_alive = false;
    return HTTP_IS_REFUSED;
}

/* Behind the empty line that ends the head, 0 if it is not there yet. */
static size_t head_end(struct http_reader *r, struct slice data)
{
    size_t i = r->scanned;
    const char *nl;
    while ((nl = memchr(data.at + i, '\n', data.len - i))) {
        i = (size_t)(nl - data.at) + 1;
        if (i < data.len && data.at[i] == '\n')
            return i + 1;
        if (i + 1 < data.len && data.at[i] == '\r' && data.at[i + 1] == '\n')
            return i + 2;
        if (i + 1 >= data.len) {
            r->scanned = (size_t)(nl - data.at); /* look again from here */
            return 0;
        }
    }
    r->scanned = data.len;
    return 0;
}

static bool is_token(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
           (c >= 'a' && c <= 'z') || (c && strchr("!#$%&'*+-.^_`|~", c));
}

/* One header line without its end: a token, a colon, no control characters. */
static bool line_is_sane(const char *p, size_t n)
{
    const char *colon = memchr(p, ':', n);
    if (!colon || colon == p)
        return false;
    for (const char *c = p; c < colon; c++)
        if (!is_token((unsigned char)*c))
            return false;
    for (const char *c = colon; c < p + n; c++)
        if (((unsigned char)*c < 0x20 && *c != '\t') || *c == 0x7f)
            return false;
    return true;
}

/* Our rules for the lines, before http-parser sees them: no folding, no
 * blanks in names, no bare CR, no NUL. */
static const char *judge_lines(struct slice head)
{
    const char *p = head.at, *end = head.at + head.len;
    bool first = true;
    while (p < end) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        must(nl != NULL);
        size_t n = (size_t)(nl - p);
        if (n && p[n - 1] == '\r')
            n--;
        if (first) {
            for (size_t i = 0; i < n; i++)
                if ((unsigned char)p[i] <= 0x1f || (unsigned char)p[i] >= 0x7f)
                    return "The request line has bytes that do not belong.";
        } else if (n && !line_is_sane(p, n)) {
            return "A header line is malformed.";
        }
        first = false;
        p = nl + 1;
    }
    return NULL;
}

static enum http_step refuse_parse(struct http_reader *r)
{
    switch (HTTP_PARSER_ERRNO(&r->parser)) {
    case HPE_CB_header_field:
        return refuse(r, 431, "There are too many headers.");
    case HPE_CB_body:
        return refuse(r, 413, "The body is too large.");
    case HPE_HEADER_OVERFLOW:
        return refuse(r, 431, "The headers are too large.");
    case HPE_UNEXPECTED_CONTENT_LENGTH:
        return refuse(r, 400, "The length of the body is ambiguous.");
    case HPE_INVALID_VERSION:
        return refuse(r, 505, "Only HTTP/1.0 and HTTP/1.1 are spoken here.");
    case HPE_INVALID_TRANSFER_ENCODING:
        return refuse(r, 501, "Of transfer codings only chunked is known.");
    default:
        return refuse(r, 400, "The request is malformed.");
    }
}

/* The target in its parts; absolute-form brings its own host. */
static bool take_target(struct http_reader *r)
{
    struct http_in *in = r->in;
    struct slice t = r->url, path = t;
    in->target = t;
    if (t.len && t.at[0] != '/') {
        struct http_parser_url u;
        http_parser_url_init(&u);
        if (http_parser_parse_url(t.at, t.len, 0, &u) ||
            !(u.field_set & 1 << UF_HOST) || u.field_set & 1 << UF_USERINFO)
            return false;
        size_t at = u.field_data[UF_HOST].off, end = at;
        while (end < t.len && t.at[end] != '/' && t.at[end] != '?')
            end++;
        in->host = (struct slice){t.at + at, end - at};
        path = (struct slice){t.at + end, t.len - end};
    }
    const char *hash = memchr(path.at, '#', path.len);
    if (hash)
        return false;
    const char *mark = memchr(path.at, '?', path.len);
    if (mark) {
        in->req.query =
            (struct slice){mark + 1, (size_t)(path.at + path.len - mark - 1)};
        path.len = (size_t)(mark - path.at);
    }
    if (path.len == 0)
        path = SLICE("/"); /* absolute form may leave it out */
    char *out = arena_text(in->req.arena, path.len + 2);
    size_t n;
    if (!http_path(path, out, &n))
        return false;
    in->req.path = (struct slice){out, n};
    return true;
}

/* Host: exactly one in 1.1, and not a list of things. */
static bool take_host(struct http_reader *r)
{
    struct http_in *in = r->in;
    size_t hosts = 0;
    struct slice host = {NULL, 0};
    for (size_t i = 0; i < in->req.header_count; i++)
        if (slice_is_nocase(r->headers[i].name, "host")) {
            hosts++;
            host = r->headers[i].value;
        }
    if (hosts > 1 || (hosts == 0 && in->minor))
        return false;
    for (size_t i = 0; i < host.len; i++)
        if (strchr(" \t,/@?#\\", host.at[i]))
            return false;
    if (!in->host.len)
        in->host = host;
    return true;
}

/* What http-parser has understood so far, judged. 0 or a status to refuse. */
static enum http_step judge_head(struct http_reader *r)
{
    struct http_in *in = r->in;
    const http_parser *p = &r->parser;
    in->minor = p->http_minor == 1;
    if (p->http_major != 1 || p->http_minor > 1)
        return refuse(r, 505, "Only HTTP/1.0 and HTTP/1.1 are spoken here.");
    if (r->url.len > LIMIT_URL_BYTES)
        return refuse(r, 414, "The address is too long.");
    if (!take_target(r))
        return refuse(r, 400, "The address is malformed.");
    if (!take_host(r))
        return refuse(r, 400, "One Host header is needed.");
    in->keep_alive = http_should_keep_alive(p);
    in->req.method = slice_of(http_method_str((enum http_method)p->method));
    struct slice te =
        http_find(r->headers, in->req.header_count, "transfer-encoding");
    struct slice length =
        http_find(r->headers, in->req.header_count, "content-length");
    if (te.at && length.at)
        return refuse(r, 400, "The length of the body is ambiguous.");
    if (te.at && (!slice_is_nocase(te, "chunked") || !in->minor))
        return refuse(r, 501, "Of transfer codings only chunked is known.");
    in->has_body = te.at || (length.at && p->content_length);
    in->req.length = length.at ? (int64_t)p->content_length : -1;
    in->req.streamed =
        in->has_body && r->streams && r->streams(r->streams_arg, &in->req);
    if (in->req.streamed)
        buf_init(&in->body, STREAM_PIECE);
    else if (length.at && p->content_length > r->body_max)
        return refuse(r, 413, "The body is too large.");
    struct slice expect = http_find(r->headers, in->req.header_count, "expect");
    if (expect.at && !slice_is_nocase(expect, "100-continue"))
        return refuse(r, 417, "This expectation cannot be met.");
    in->expect = expect.at && in->minor && in->has_body;
    in->req.secure = slice_is_nocase(
        http_find(r->headers, in->req.header_count, "x-forwarded-proto"),
        "https");
    return HTTP_HAS_HEAD;
}

/* Room for headers: a line each, and never more than we take. */
static size_t count_lines(struct slice head)
{
    const char *p = head.at, *end = head.at + head.len;
    size_t n = 0;
    while (n < LIMIT_HEADER_COUNT && p < end &&
           (p = memchr(p, '\n', (size_t)(end - p)))) {
        n++;
        p++;
    }
    return n;
}

static void begin(struct http_reader *r, struct slice head)
{
    struct arena *a = arena_new();
    struct http_in *in = arena_one(a, struct http_in);
    r->headers = arena_many(a, struct http_header, count_lines(head));
    in->req.arena = a;
    in->req.headers = r->headers;
    in->req.query = (struct slice){"", 0};
    buf_init(&in->body, r->body_max);
    r->in = in;
    r->url = slice_dup(a, head); /* for the moment: the whole head */
    r->complete = false;
    r->in_body = false;
    http_parser_init(&r->parser, HTTP_REQUEST);
    r->parser.data = r;
}

static enum http_step finish(struct http_reader *r)
{
    r->in->req.body =
        r->in->body.len ? buf_slice(&r->in->body) : (struct slice){"", 0};
    return HTTP_IS_WHOLE;
}

static enum http_step read_head(struct http_reader *r, struct slice data,
                                size_t *used)
{
    size_t skip = 0; /* empty lines in front of a request: RFC 9112, 2.2 */
    while (skip < data.len && (data.at[skip] == '\r' || data.at[skip] == '\n'))
        skip++;
    if (skip) {
        *used = skip;
        r->scanned = 0;
        if (skip == data.len)
            return HTTP_NEEDS_MORE;
        data.at += skip;
        data.len -= skip;
    }
    size_t n = data.len ? head_end(r, data) : 0;
    if (n == 0 && data.len > LIMIT_URL_BYTES + 32 &&
        !memchr(data.at, '\n', LIMIT_URL_BYTES + 32))
        return refuse(r, 414, "The address is too long.");
    if (n == 0 && data.len <= LIMIT_HEADER_BYTES)
        return HTTP_NEEDS_MORE;
    if (n == 0 || n > LIMIT_HEADER_BYTES)
        return refuse(r, 431, "The headers are too large.");
    begin(r, (struct slice){data.at, n});
    struct slice head = {r->url.at, n};
    r->scanned = 0;
    *used += n;
    const char *why = judge_lines(head);
    if (why)
        return refuse(r, 400, why);
    r->url.len = 0;
    size_t got = http_parser_execute(&r->parser, &settings, head.at, n);
    enum http_errno code = HTTP_PARSER_ERRNO(&r->parser);
    if ((code != HPE_OK && code != HPE_PAUSED) || got != n)
        return refuse_parse(r);
    enum http_step step = judge_head(r);
    if (step == HTTP_IS_REFUSED || !r->complete)
        return step;
    return finish(r);
}

static enum http_step read_body(struct http_reader *r, struct slice data,
                                size_t *used)
{
    if (data.len == 0)
        return HTTP_NEEDS_MORE;
    *used = http_parser_execute(&r->parser, &settings, data.at, data.len);
    if (r->complete)
        return finish(r);
    if (HTTP_PARSER_ERRNO(&r->parser) != HPE_OK || *used != data.len)
        return refuse_parse(r);
    return HTTP_NEEDS_MORE;
}

enum http_step http_read(struct http_reader *r, struct slice data, size_t *used)
{
    *used = 0;
    return r->in ? read_body(r, data, used) : read_head(r, data, used);
}

struct http_in *http_now(struct http_reader *r)
{
    return r->in;
}

struct http_in *http_take(struct http_reader *r)
{
    struct http_in *in = r->in;
    r->in = NULL;
    r->headers = NULL;
    r->scanned = 0;
    return in;
}

struct http_reader *http_reader_new(size_t body_max)
{
    struct http_reader *r = mem_alloc(sizeof(*r));
    r->body_max = body_max;
    return r;
}

void http_reader_streams(struct http_reader *r,
                         bool (*streams)(void *arg, const struct http_req *r),
                         void *arg)
{
    r->streams = streams;
    r->streams_arg = arg;
}

void http_reader_free(struct http_reader *r)
{
    if (!r)
        return;
    http_in_free(r->in);
    mem_free(r);
}

void http_in_free(struct http_in *in)
{
    if (!in)
        return;
    buf_fini(&in->body);
    arena_free(in->req.arena);
}
