/* SPDX-License-Identifier: Apache-2.0 */
/* fakes_file.c - files in tests: what a made-up server answers is one.
 *
 * Happy path: ctx.file{ url = } meets a fake as http.get does; its body gets an
 * id, by which ctx.file_body and a multipart body find it again. Failure: a
 * status that is no success is told as the house tells it; bytes of a file
 * that was never brought are its id in pointed brackets.
 */
#include "app/files/files.h"
#include "app/testing/fakes.h"
#include "base/clock.h"
#include "base/limits.h"

static struct slice body_of(struct fakes *f, uint64_t id)
{
    for (const struct file_made *m = f->files; m; m = m->next)
        if (m->id == id)
            return m->body;
    return (struct slice){NULL, 0};
}

static struct slice type_of(const struct script_ask *ask)
{
    struct slice lines = ask->http ? ask->http->answer_headers : SLICE("");
    const char *at =
        lines.len ? memmem(lines.at, lines.len, "content-type:", 13) : NULL;
    if (ask->was.len || !at)
        return ask->was.len ? ask->was : SLICE("application/octet-stream");
    const char *end = memchr(at, '\n', lines.len - (size_t)(at - lines.at));
    size_t n = end ? (size_t)(end - at) : lines.len - (size_t)(at - lines.at);
    return slice_trim((struct slice){at + 13, n - 13});
}

void fake_file_keep(struct fakes *f, struct script_ask *ask)
{
    struct slice body = ask->http ? ask->http->answer : ask->data;
    if (ask->result)
        return;
    struct json *j;
    if (ask->http && slice_is(ask->data, "json") &&
        file_is_word(ask->http->status, ask->http->answer_headers) &&
        json_parse(ask->arena, body, NULL, &j) >= 0 &&
        json_is(j, JSON_OBJECT)) {
        ask->was = SLICE("answer");
        ask->data = slice_dup(ask->arena, body);
        return;
    }
    if (ask->http && (ask->http->status < 200 || ask->http->status > 299)) {
        ask->result =
            err_set(&ask->err,
                    ask->http->status == 404 ? ERR_NOT_FOUND : ERR_UNAVAILABLE,
                    "the answer was %d", ask->http->status);
        return;
    }
    struct file_made *m = arena_one(f->arena, struct file_made);
    m->id = ++f->last_id;
    m->body = slice_dup(f->arena, body);
    m->next = f->files;
    f->files = m;
    struct file row = {.id = m->id,
                       .size = (int64_t)body.len,
                       .name = ask->name,
                       .mime = type_of(ask)};
    struct buf out;
    buf_init(&out, 64 * 1024);
    struct jsonw w = jsonw_on(&out);
    file_put_json(&w, &row);
    ask->data = slice_dup(ask->arena, buf_slice(&out));
    ask->was = SLICE("");
    buf_fini(&out);
}

void fake_file(struct fakes *f, struct script_ask *ask)
{
    if (ask->kind == ASK_FILE && ask->http) {
        fake_http(f, ask);
        return;
    }
    if (ask->kind == ASK_FILE) {
        fake_file_keep(f, ask);
    } else {
        struct slice body = body_of(f, (uint64_t)ask->number);
        if (body.at)
            ask->data = slice_dup(ask->arena, body);
        else
            ask->result =
                err_set(&ask->err, ERR_NOT_FOUND, "there is no such file");
    }
    fakes_give(f, ask);
}

struct slice fake_file_body(struct fakes *f, struct arena *a,
                            const struct http_call *c)
{
    struct buf out;
    char id[ID_TEXT];
    size_t from = 0;
    buf_init(&out, 4 * LIMIT_HTTP_BODY_MOST);
    for (size_t i = 0; i <= c->file_count; i++) {
        size_t to = i < c->file_count ? c->files[i].at : c->body.len;
        (void)buf_add(&out, c->body.at + from, to - from);
        from = to;
        if (i == c->file_count)
            break;
        struct slice body = body_of(f, c->files[i].id);
        if (body.at)
            (void)buf_add_slice(&out, body);
        else
            (void)buf_addf(&out, "<%.*s>",
                           SLICE_FMT(id_text(id, ID_FILE, c->files[i].id)));
    }
    struct slice all = slice_dup(a, buf_slice(&out));
    buf_fini(&out);
    return all;
}
