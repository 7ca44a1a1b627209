/* SPDX-License-Identifier: Apache-2.0 */
/* fixtures.c - answers kept beside the test, in fixtures/NAME.json.
 *
 * Happy path: the file is a list of {"request": {...}, "answer": {...}}; each
 * answers one call of its method and URL, the last of a kind answers all that
 * follow. With --record the calls are really made and the file is written
 * anew. Whatever looks like a secret is "<secret>" in the file, in URLs too,
 * so a call is compared by what is left (I9). Failure modes: no file, broken
 * JSON, a call that fails: the test fails with the reason.
 */
#include "app/testing/fakes.h"
#include "base/limits.h"
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#define PATH_BYTES 4096
#define HIDDEN "<secret>"

struct recording {
    char path[PATH_BYTES];
    struct net *net;
    struct buf out; /* the entries */
    int count;
};

/* --- what is secret ------------------------------------------------------- */

static bool is_secret(struct slice name)
{
    static const char *const words[] = {
        "token",    "secret",        "password", "passwd",     "apikey",
        "api_key",  "api-key",       "sign",     "credential", "session",
        "auth",     "cookie",        "ticket",   "access_key", "private",
        "identity", "authorization", "bearer",   "openid"};
    char low[64];
    size_t n = name.len < sizeof low - 1 ? name.len : sizeof low - 1;
    for (size_t i = 0; i < n; i++)
        low[i] = name.at[i] >= 'A' && name.at[i] <= 'Z'
                     ? (char)(name.at[i] + 32)
                     : name.at[i];
    low[n] = '\0';
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strstr(low, words[i]))
            return true;
    return strcmp(low, "key") == 0 || strcmp(low, "code") == 0;
}

static struct slice without_secrets(struct stage *st, struct arena *a,
                                    struct slice text)
{
    struct json *values = NULL;
    if (!st->secrets.len || json_parse(a, st->secrets, NULL, &values))
        return text;
    for (const struct json *v = values->first; v; v = v->next) {
        struct buf out;
        if (v->type != JSON_STRING || v->text.len < 4)
            continue;
        buf_init(&out, STAGE_STEP_BYTES);
        for (const char *hit; (hit = memmem(text.at, text.len, v->text.at,
                                            v->text.len)) != NULL;) {
            size_t n = (size_t)(hit - text.at);
            (void)buf_add(&out, text.at, n); /* shorter than it was */
            (void)buf_add_text(&out, HIDDEN);
            text.at += n + v->text.len;
            text.len -= n + v->text.len;
        }
        (void)buf_add_slice(&out, text);
        text = slice_dup(a, buf_slice(&out));
        buf_fini(&out);
    }
    return text;
}

static struct slice hidden_query(struct arena *a, struct slice url)
{
    const char *mark = memchr(url.at, '?', url.len);
    struct buf out;
    buf_init(&out, STAGE_STEP_BYTES);
    size_t n = mark ? (size_t)(mark - url.at) : url.len;
    (void)buf_add(&out, url.at, n); /* a URL is 4 kB at most */
    struct slice rest = {url.at + n, url.len - n};
    while (rest.len) {
        const char *end = memchr(rest.at + 1, '&', rest.len - 1);
        size_t len = end ? (size_t)(end - rest.at) : rest.len;
        const char *is = memchr(rest.at, '=', len);
        size_t name = is ? (size_t)(is - rest.at) : len;
        bool hide = is && is_secret((struct slice){rest.at + 1, name - 1});
        (void)buf_add(&out, rest.at, hide ? name + 1 : len);
        if (hide)
            (void)buf_add_text(&out, HIDDEN);
        rest.at += len;
        rest.len -= len;
    }
    struct slice text = slice_dup(a, buf_slice(&out));
    buf_fini(&out);
    return text;
}

struct slice fixture_url(struct stage *st, struct arena *a, struct slice url)
{
    return hidden_query(a, without_secrets(st, a, url));
}

static void put_hidden(struct jsonw *w, const struct json *j, bool hide)
{
    if (j->type == JSON_OBJECT || j->type == JSON_ARRAY) {
        char open = j->type == JSON_OBJECT ? '{' : '[';
        jsonw_open(w, open);
        for (const struct json *c = j->first; c; c = c->next) {
            if (j->type == JSON_OBJECT)
                jsonw_key(w, c->key.at);
            put_hidden(w, c,
                       hide || (j->type == JSON_OBJECT && is_secret(c->key)));
        }
        jsonw_close(w, open == '{' ? '}' : ']');
    } else if (hide && j->type != JSON_BOOL && j->type != JSON_NULL) {
        jsonw_text(w, SLICE(HIDDEN));
    } else {
        jsonw_value(w, j);
    }
}

/* --- playing -------------------------------------------------------------- */

static int path_of(const struct stage *st, struct slice name, char *out,
                   struct err *e)
{
    struct slice dir = slice_of(st->test_file);
    const char *slash = memrchr(dir.at, '/', dir.len);
    dir.len = slash ? (size_t)(slash - dir.at) : 0;
    if (memchr(name.at, '/', name.len) || !name.len)
        return err_set(e, ERR_BAD_REQUEST,
                       "a fixture is named by its file in fixtures/, without "
                       ".json");
    int n = snprintf(out, PATH_BYTES, "%.*s%sfixtures/%.*s.json",
                     SLICE_FMT(dir), dir.len ? "/" : "", SLICE_FMT(name));
    return n < PATH_BYTES ? 0 : err_set(e, ERR_TOOBIG, "the path is too long");
}

static bool same_call(const struct fake *a, const struct fake *b)
{
    return a->is_fixture && slice_eq(a->method, b->method) &&
           slice_eq(a->url, b->url);
}

static void add_entry(struct fakes *f, struct json *entry)
{
    struct json *request = json_get(entry, "request");
    struct fake *fake = arena_one(f->arena, struct fake), **at = &f->http;
    fake->method = json_text(request, "method");
    fake->url = json_text(request, "url");
    fake->answer = json_get(entry, "answer");
    fake->is_fixture = true;
    fake->times = -1;
    for (; *at; at = &(*at)->next)
        if (same_call(*at, fake))
            (*at)->times = 1; /* the next one is for the next call */
    *at = fake;
}

/* One as JSON; *text (may be NULL): as it stands there. */
static int read_one(struct fakes *f, const char *path, const char *mend,
                    struct slice *text, struct json **out, struct err *e)
{
    struct slice got;
    struct err why = {0};
    int r = file_read(path, f->arena, &got, e);
    if (r == ERR_NOT_FOUND)
        return err_set(e, r, "there is no %s%s", path, mend);
    r = r ? r : json_parse(f->arena, got, &why, out);
    if (text)
        *text = got;
    return r && why.text[0] ? err_set(e, r, "%s: %s", path, why.text) : r;
}

static int play(struct fakes *f, const char *path, struct err *e)
{
    struct json *list = NULL;
    int r = read_one(f, path, " (make it with --record)", NULL, &list, e);
    for (struct json *j = list ? list->first : NULL; j && !r; j = j->next)
        add_entry(f, j);
    return r;
}

/* --- recording ------------------------------------------------------------ */

static void on_hello(void *arg, uint64_t peer, struct frame *f, struct arena *a,
                     struct slice cookie)
{
    arena_free(a); /* nobody is meant to come in here */
}

static void on_frame(void *arg, uint64_t peer, struct frame *f, struct arena *a)
{
    arena_free(a);
}

static void on_gone(void *arg, uint64_t peer)
{
}

static void on_request(void *arg, struct http_req *r)
{
    http_reply(r, 404, SLICE("text/plain"), SLICE(""), SLICE("a test\n"));
}

static int record_begin(struct fakes *f, const char *path, struct err *e)
{
    const struct net_conf conf = {.loop = f->stage->loop,
                                  .listen = "127.0.0.1:0",
                                  .web_dir = "",
                                  .connections = 4,
                                  .frame_bytes = LIMIT_FRAME_BYTES,
                                  .body_bytes = LIMIT_BODY_BYTES,
                                  .heartbeat_ms = 30000,
                                  .on_hello = on_hello,
                                  .on_frame = on_frame,
                                  .on_gone = on_gone,
                                  .on_request = on_request};
    struct recording *rec = f->recording;
    if (!rec) {
        rec = f->recording = mem_alloc(sizeof *rec);
        buf_init(&rec->out, STAGE_STEP_BYTES);
    }
    snprintf(rec->path, sizeof rec->path, "%s", path);
    return rec->net ? 0 : net_open(&conf, e, &rec->net);
}

struct real_call {
    struct httpc_call call;
    struct fakes *fakes;
    struct script_ask *ask;
};

static void put_answer(struct jsonw *w, struct arena *a,
                       const struct httpc_call *c)
{
    static const char *const dull[] = {"date",
                                       "connection",
                                       "content-length",
                                       "transfer-encoding",
                                       "content-encoding",
                                       "keep-alive"};
    struct json *json = NULL;
    struct slice lines = c->answer_headers;
    jsonw_key(w, "answer");
    jsonw_open(w, '{');
    jsonw_put_int(w, "status", c->status);
    jsonw_key(w, "headers");
    jsonw_open(w, '{');
    while (lines.len) {
        const char *end = memchr(lines.at, '\n', lines.len);
        size_t len = end ? (size_t)(end - lines.at) : lines.len;
        const char *colon = memchr(lines.at, ':', len);
        struct slice name = {lines.at, colon ? (size_t)(colon - lines.at) : 0};
        bool keep = colon && !is_secret(name);
        for (size_t i = 0; i < sizeof dull / sizeof dull[0]; i++)
            keep = keep && !slice_is(name, dull[i]);
        if (keep)
            jsonw_put_text(
                w, slice_dup(a, name).at,
                slice_trim((struct slice){colon + 1, len - name.len - 1}));
        lines.at += len + (end != NULL);
        lines.len -= len + (end != NULL);
    }
    jsonw_close(w, '}');
    if (json_parse(a, c->answer, NULL, &json) == 0) {
        jsonw_key(w, "json");
        put_hidden(w, json, false);
    } else if (slice_is_utf8(c->answer)) {
        jsonw_put_text(w, "body", c->answer.len ? c->answer : SLICE(""));
    }
    jsonw_close(w, '}');
}

static void keep(struct fakes *f, struct arena *a, const struct httpc_call *c)
{
    struct recording *rec = f->recording;
    struct json *body = NULL;
    struct jsonw w;
    if (rec->count++)
        (void)buf_add_text(&rec->out, ",\n"); /* checked when it is written */
    w = jsonw_on(&rec->out);
    jsonw_open(&w, '{');
    jsonw_key(&w, "request");
    jsonw_open(&w, '{');
    jsonw_put_text(&w, "method", c->method);
    jsonw_put_text(&w, "url", fixture_url(f->stage, a, c->url));
    if (c->body.len && json_parse(a, c->body, NULL, &body) == 0) {
        jsonw_key(&w, "json");
        put_hidden(&w, body, false);
    }
    jsonw_close(&w, '}');
    put_answer(&w, a, c);
    jsonw_close(&w, '}');
}

static void on_real(struct httpc_call *c)
{
    struct real_call *r = container_of(c, struct real_call, call);
    struct script_ask *ask = r->ask;
    ask->result = c->result;
    ask->err = c->err;
    ask->http->status = c->status;
    ask->http->answer_headers = c->answer_headers;
    ask->http->answer = c->answer;
    if (c->result == 0 && r->fakes->recording)
        keep(r->fakes, ask->arena, c);
    if (c->result)
        fakes_fail(r->fakes, "a recorded call failed", slice_of(c->err.text),
                   NULL);
    if (c->result == 0 && ask->kind == ASK_STREAM) {
        struct json none = {.type = JSON_OBJECT};
        fake_stream(r->fakes, ask, &none);
    }
    fakes_give(r->fakes, ask);
}

bool record_take(struct fakes *f, struct script_ask *ask)
{
    if (!f->recording)
        return false;
    struct real_call *r = arena_one(ask->arena, struct real_call);
    r->fakes = f;
    r->ask = ask;
    r->call = (struct httpc_call){
        .method = ask->http->method,
        .url = ask->http->url,
        .body = ask->http->body,
        .headers = ask->http->headers,
        .header_count = ask->http->header_count,
        .connect_ms = 5000,
        .total_ms = ask->http->timeout_ms,
        .body_max = ask->http->body_max ? ask->http->body_max : LIMIT_HTTP_BODY,
        .arena = ask->arena,
        .done = on_real};
    httpc_start(f->recording->net, &r->call);
    return true;
}

/* What another test of this run has recorded there, without its end. */
static struct slice written_before(struct stage *st, const char *path,
                                   struct arena *a)
{
    struct slice text = {"", 0};
    for (int i = 0; i < st->recorded_count; i++)
        if (strcmp(st->recorded[i], path) == 0 &&
            file_read(path, a, &text, NULL) == 0 && text.len > 3) {
            text.len -= 3; /* "\n]\n" but for its first */
            return text;
        }
    if (st->recorded_count < (int)(sizeof st->recorded / sizeof(char *)))
        st->recorded[st->recorded_count++] = mem_strdup(path);
    return SLICE("");
}

static void write_file(struct fakes *f, const struct recording *rec)
{
    struct err e = {0};
    struct buf out;
    char dir[PATH_BYTES];
    struct slice before = written_before(f->stage, rec->path, f->arena);
    struct slice text =
        without_secrets(f->stage, f->arena, buf_slice(&rec->out));
    buf_init(&out, STAGE_STEP_BYTES * 2);
    int r = before.len ? buf_add_slice(&out, before) : buf_add_char(&out, '[');
    r = r ? r : buf_add_text(&out, before.len ? ",\n" : "\n");
    r = r ? r : buf_add_slice(&out, text);
    r = r ? r : buf_add_text(&out, "\n]\n");
    if (r)
        (void)err_set(&e, r, "the fixture is too large");
    snprintf(dir, sizeof dir, "%s", rec->path);
    *strrchr(dir, '/') = '\0';
    if (r == 0 && mkdir(dir, 0777) && errno != EEXIST)
        r = err_set(&e, ERR_UNAVAILABLE, "%s cannot be made", dir);
    r = r ? r : file_write(rec->path, buf_slice(&out), &e);
    if (r)
        fprintf(stderr, "not recorded: %s\n", e.text);
    else
        fprintf(stderr, "recorded %s\n", rec->path);
    buf_fini(&out);
}

void record_end(struct fakes *f)
{
    struct recording *rec = f->recording;
    f->recording = NULL;
    if (!rec)
        return;
    if (rec->count)
        write_file(f, rec);
    if (rec->net)
        net_close(rec->net);
    buf_fini(&rec->out);
    mem_free(rec);
}

int step_http_fixtures(struct stage *st, const struct json *in,
                       struct jsonw *out, struct err *e)
{
    char path[PATH_BYTES];
    int r = path_of(st, json_text(in, "name"), path, e);
    if (r)
        return r;
    return st->record ? record_begin(st->fakes, path, e)
                      : play(st->fakes, path, e);
}

int step_fixture(struct stage *st, const struct json *in, struct jsonw *out,
                 struct err *e)
{
    char path[PATH_BYTES];
    struct slice text;
    struct json *value = NULL;
    int r = path_of(st, json_text(in, "name"), path, e);
    r = r ? r : read_one(st->fakes, path, "", &text, &value, e);
    if (r == 0)
        jsonw_put_raw(out, "value", text);
    return r;
}
