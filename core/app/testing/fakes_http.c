/* SPDX-License-Identifier: Apache-2.0 */
/* fakes_http.c - which fake a call meets, and streams read piece by piece.
 *
 * Happy path: the first fake of the method whose URL fits and that has turns
 * left. A URL without a question mark says nothing of the query. Failure
 * modes: none fits: the test fails with the whole request; a stream read after
 * its end stays at its end.
 */
#include "app/testing/fakes.h"
#include "base/limits.h"

/* --- the request, for people and functions -------------------------------- */

static char hex_of(char c)
{
    return c >= '0' && c <= '9'   ? (char)(c - '0')
           : c >= 'a' && c <= 'f' ? (char)(c - 'a' + 10)
           : c >= 'A' && c <= 'F' ? (char)(c - 'A' + 10)
                                  : (char)-1;
}

static struct slice unescaped(struct arena *a, struct slice s)
{
    char *text = arena_text(a, s.len + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++) {
        char high = i + 2 < s.len + 0 ? hex_of(s.at[i + 1]) : (char)-1;
        char low = i + 2 < s.len ? hex_of(s.at[i + 2]) : (char)-1;
        if (s.at[i] == '%' && high >= 0 && low >= 0) {
            text[n++] = (char)(high * 16 + low);
            i += 2;
        } else {
            text[n++] = s.at[i] == '+' ? ' ' : s.at[i];
        }
    }
    return (struct slice){text, n};
}

static void put_query(struct arena *a, struct jsonw *w, struct slice query)
{
    jsonw_key(w, "query");
    jsonw_open(w, '{');
    while (query.len) {
        const char *end = memchr(query.at, '&', query.len);
        size_t n = end ? (size_t)(end - query.at) : query.len;
        const char *is = memchr(query.at, '=', n);
        size_t k = is ? (size_t)(is - query.at) : n;
        struct slice key = unescaped(a, (struct slice){query.at, k});
        struct slice value =
            is ? unescaped(a, (struct slice){is + 1, n - k - 1}) : SLICE("");
        if (slice_is_utf8(key) && slice_is_utf8(value))
            jsonw_put_text(w, slice_dup(a, key).at, value);
        query.at += n + (end != NULL);
        query.len -= n + (end != NULL);
    }
    jsonw_close(w, '}');
}

static void put_url(struct arena *a, struct jsonw *w, struct slice url)
{
    const char *mark = memchr(url.at, '?', url.len);
    size_t n = mark ? (size_t)(mark - url.at) : url.len;
    struct slice path = {url.at, n};
    const char *host = memmem(path.at, path.len, "://", 3);
    if (host) {
        size_t skip = (size_t)(host + 3 - path.at);
        const char *slash = memchr(host + 3, '/', path.len - skip);
        path = slash ? (struct slice){slash, (size_t)(url.at + n - slash)}
                     : SLICE("/");
    }
    jsonw_put_text(w, "url", url);
    jsonw_put_text(w, "path", path);
    put_query(a, w,
              mark ? (struct slice){mark + 1, url.len - n - 1} : SLICE(""));
}

struct slice fake_request(struct arena *a, const struct http_call *c)
{
    struct json *json = NULL;
    struct buf out;
    buf_init(&out, STAGE_STEP_BYTES);
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '{');
    jsonw_put_text(&w, "method", c->method);
    put_url(a, &w, c->url);
    jsonw_key(&w, "headers");
    jsonw_open(&w, '{');
    for (size_t i = 0; i < c->header_count; i++) {
        struct slice name = slice_dup(a, c->headers[2 * i]);
        char *at = (char *)name.at;
        for (size_t k = 0; k < name.len; k++)
            at[k] = at[k] >= 'A' && at[k] <= 'Z' ? (char)(at[k] + 32) : at[k];
        jsonw_put_text(&w, name.at, c->headers[2 * i + 1]);
    }
    jsonw_close(&w, '}');
    if (slice_is_utf8(c->body))
        jsonw_put_text(&w, "body", c->body.len ? c->body : SLICE(""));
    if (c->body.len && json_parse(a, c->body, NULL, &json) == 0) {
        jsonw_key(&w, "json");
        jsonw_value(&w, json);
    }
    jsonw_close(&w, '}');
    struct slice text = w.failed ? SLICE("{}") : slice_dup(a, buf_slice(&out));
    buf_fini(&out);
    return text;
}

/* --- which one ------------------------------------------------------------ */

static bool fits(struct slice text, struct slice like)
{
    size_t t = 0, l = 0, star = SIZE_MAX, back = 0;
    while (t < text.len) {
        if (l < like.len && like.at[l] == '*') {
            star = l++;
            back = t;
        } else if (l < like.len && like.at[l] == text.at[t]) {
            l++;
            t++;
        } else if (star != SIZE_MAX) {
            l = star + 1;
            t = ++back;
        } else {
            return false;
        }
    }
    while (l < like.len && like.at[l] == '*')
        l++;
    return l == like.len;
}

static bool meets(const struct fake *fake, const struct http_call *c,
                  struct slice as_fixture)
{
    struct slice url = fake->is_fixture ? as_fixture : c->url;
    if (!slice_eq(fake->method, c->method) || fake->times == 0)
        return false;
    if (!memchr(fake->url.at, '?', fake->url.len)) {
        const char *mark = memchr(url.at, '?', url.len);
        url.len = mark ? (size_t)(mark - url.at) : url.len;
    }
    return fake->is_fixture ? slice_eq(url, fake->url) : fits(url, fake->url);
}

static void remember(struct fakes *f, struct slice request)
{
    struct http_made *m = arena_one(f->arena, struct http_made);
    m->json = slice_dup(f->arena, request);
    if (f->calls_last)
        f->calls_last->next = m;
    else
        f->calls = m;
    f->calls_last = m;
}

static void unmatched(struct fakes *f, struct script_ask *ask)
{
    const struct http_call *c = ask->http;
    struct buf text;
    buf_init(&text, STAGE_STEP_BYTES);
    (void)buf_addf(&text, "%.*s %.*s", SLICE_FMT(c->method), SLICE_FMT(c->url));
    for (size_t i = 0; i < c->header_count; i++)
        (void)buf_addf(&text, "\n%.*s: %.*s", SLICE_FMT(c->headers[2 * i]),
                       SLICE_FMT(c->headers[2 * i + 1]));
    if (c->body.len)
        (void)buf_addf(&text, "\n\n%.*s",
                       c->body.len < 2000 ? (int)c->body.len : 2000,
                       c->body.at);
    fakes_fail(f, "a script called a server that the test does not know",
               buf_slice(&text), "a call that t.http.on or a fixture answers");
    buf_fini(&text);
    ask->result =
        err_set(&ask->err, ERR_UNAVAILABLE, "no fake answers this call");
    fakes_give(f, ask);
}

void fake_http(struct fakes *f, struct script_ask *ask)
{
    if (ask->http->file_count)
        ask->http->body = fake_file_body(f, ask->arena, ask->http);
    struct slice request = fake_request(ask->arena, ask->http);
    struct slice url = fixture_url(f->stage, ask->arena, ask->http->url);
    remember(f, request);
    for (struct fake *fake = f->http; fake; fake = fake->next) {
        if (meets(fake, ask->http, url)) {
            fakes_play(f, ask, fake, request);
            return;
        }
    }
    if (ask->post || !record_take(f, ask))
        unmatched(f, ask);
}

int step_http_on(struct stage *st, const struct json *in, struct jsonw *out,
                 struct err *e)
{
    struct fakes *f = st->fakes;
    struct fake *fake = fake_of(f, in), **at = &f->http;
    fake->method = slice_dup(f->arena, json_text(in, "method"));
    fake->url = slice_dup(f->arena, json_text(in, "url"));
    while (*at)
        at = &(*at)->next;
    *at = fake;
    return 0;
}

int step_http_calls(struct stage *st, const struct json *in, struct jsonw *out,
                    struct err *e)
{
    jsonw_key(out, "items");
    jsonw_open(out, '[');
    for (const struct http_made *m = st->fakes->calls; m; m = m->next)
        jsonw_raw(out, m->json);
    jsonw_close(out, ']');
    return 0;
}

/* --- streams -------------------------------------------------------------- */

/* { chunks = {...} }, { sse = {"text" or {...}} }, or the whole body. A chunk is
 * a text, { hex = "ff" } for bytes that are none, { text =, times = } for one
 * that comes again and again, { fails = code } where the stream breaks. */
void fake_stream(struct fakes *f, struct script_ask *ask,
                 const struct json *answer)
{
    struct stream *s = arena_one(f->arena, struct stream);
    struct json *chunks = json_get(answer, "chunks"), *copy = NULL;
    struct json *sse = json_get(answer, "sse");
    s->ticket = ++f->last_id;
    s->next = f->streams;
    f->streams = s;
    ask->number = (int64_t)s->ticket;
    if (sse || chunks) {
        (void)json_parse(f->arena, fakes_json(f->arena, sse ? sse : chunks),
                         NULL, &copy); /* it was JSON before */
        s->at = copy ? copy->first : NULL;
        s->is_sse = sse != NULL;
    } else {
        s->whole = slice_dup(f->arena, ask->http->answer);
    }
    ask->http->answer = SLICE("");
}

static struct slice from_hex(struct arena *a, struct slice hex)
{
    char *bytes = arena_text(a, hex.len / 2 + 1);
    for (size_t i = 0; i + 1 < hex.len; i += 2)
        bytes[i / 2] = (char)(hex_of(hex.at[i]) * 16 + hex_of(hex.at[i + 1]));
    return (struct slice){bytes, hex.len / 2};
}

static struct slice as_event(struct arena *a, struct slice piece)
{
    struct buf out;
    buf_init(&out, STAGE_STEP_BYTES);
    (void)buf_addf(&out, "data: %.*s\n\n", SLICE_FMT(piece));
    piece = slice_dup(a, buf_slice(&out));
    buf_fini(&out);
    return piece;
}

static struct slice special(struct stream *s, const struct json *j,
                            struct script_ask *ask)
{
    struct slice hex = json_text(j, "hex"), code = json_text(j, "fails");
    if (code.len) {
        s->at = NULL;
        fakes_failed(ask, j);
        return SLICE("");
    }
    if (++s->repeated < json_int(j, "times", 1))
        return slice_dup(ask->arena, json_text(j, "text"));
    s->repeated = 0;
    s->at = j->next;
    return hex.len ? from_hex(ask->arena, hex)
                   : slice_dup(ask->arena, json_text(j, "text"));
}

static struct slice next_piece(struct stream *s, struct script_ask *ask)
{
    struct slice piece = s->whole;
    const struct json *j = s->at;
    s->whole = SLICE("");
    if (!j)
        return slice_dup(ask->arena, piece);
    if (!s->is_sse && j->type == JSON_OBJECT)
        return special(s, j, ask);
    s->at = j->next;
    piece = j->type == JSON_STRING ? j->text : fakes_json(ask->arena, j);
    return s->is_sse ? as_event(ask->arena, piece)
                     : slice_dup(ask->arena, piece);
}

void fake_stream_take(struct fakes *f, struct script_ask *ask)
{
    struct stream *s = f->streams;
    while (s && s->ticket != (uint64_t)ask->number)
        s = s->next;
    if (!s)
        ask->result = err_set(&ask->err, ERR_NOT_FOUND, "no such stream");
    else if (ask->kind == ASK_STREAM_NEXT)
        ask->data = next_piece(s, ask);
    fakes_give(f, ask);
}
