/* SPDX-License-Identifier: Apache-2.0 */
/* fake.h - a roof for the tests of calls: http answers with what it was asked,
 * streams give prepared pieces, kv is a small table, onces have one maker. */
#pragma once
#include "world.h"

struct fake_value {
    char space[64], key[64], data[300];
    int64_t expires_at;
};
struct fake {
    struct world w;
    int result;                       /* of http and streams; 0 = well */
    int status;                       /* 0 = 200 */
    const char *why, *headers, *body; /* body NULL = what was asked */
    const char *pieces[16];           /* of a stream, NULL ends it */
    int cut;                          /* error behind the pieces */
    int at;                           /* piece */
    int opened, ended, nexts, https;
    int64_t last_ms, first_ms, connect_ms;
    size_t body_max;
    int follow;
    struct fake_value kv[16];
    int kvs, gets, swaps;
    void (*before_swap)(struct fake *f); /* somebody else is faster */
    char once_kind[300];                 /* "ask k;done k=1;" */
    bool once_makes;                     /* else the value is kept: "7" */
    struct script_ask *held;
    bool hold_next;
    char asked[2000]; /* ai, kb: name and data */
};

static inline struct fake_value *fake_find(struct fake *f, struct slice space,
                                           struct slice key)
{
    for (int i = 0; i < f->kvs; i++)
        if (slice_is(space, f->kv[i].space) && slice_is(key, f->kv[i].key) &&
            f->kv[i].data[0])
            return &f->kv[i];
    return NULL;
}

static inline void fake_set(struct fake *f, const char *space, const char *key,
                            struct slice data, int64_t expires_at)
{
    struct fake_value *v = fake_find(f, slice_of(space), slice_of(key));
    if (!v && !CHECK(f->kvs < 16))
        return;
    if (!v)
        v = &f->kv[f->kvs++];
    snprintf(v->space, sizeof v->space, "%s", space);
    snprintf(v->key, sizeof v->key, "%s", key);
    snprintf(v->data, sizeof v->data, "%.*s", SLICE_FMT(data));
    v->expires_at = expires_at;
}

static inline void fake_there(struct script_ask *ask,
                              const struct fake_value *v)
{
    ask->data = v ? slice_dup(ask->arena, slice_of(v->data)) : SLICE("");
    ask->number = v ? v->expires_at : 0;
}

static inline void fake_swap(struct fake *f, struct script_ask *ask)
{
    char space[64], key[64];
    f->swaps++;
    if (f->before_swap)
        f->before_swap(f);
    struct fake_value *v = fake_find(f, ask->unit, ask->name);
    if (!slice_is(ask->was, v ? v->data : "")) {
        ask->result = ERR_CONFLICT;
        fake_there(ask, v);
        return;
    }
    snprintf(space, sizeof space, "%.*s", SLICE_FMT(ask->unit));
    snprintf(key, sizeof key, "%.*s", SLICE_FMT(ask->name));
    fake_set(f, space, key, ask->data, ask->number);
}

static inline void fake_keys(struct fake *f, struct script_ask *ask)
{
    struct buf out;
    buf_init(&out, 4000);
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '[');
    for (int i = 0; i < f->kvs && i < ask->number; i++)
        if (slice_is(ask->unit, f->kv[i].space) &&
            strncmp(f->kv[i].key, ask->name.at, ask->name.len) == 0)
            jsonw_text(&w, slice_of(f->kv[i].key));
    jsonw_close(&w, ']');
    ask->data = slice_dup(ask->arena, buf_slice(&out));
    buf_fini(&out);
}

/* "METHOD url\nname: value\n\nbody" */
static inline struct slice fake_echo(struct script_ask *ask)
{
    const struct http_call *h = ask->http;
    struct buf out;
    buf_init(&out, LIMIT_HTTP_BODY_MOST + 10000);
    buf_addf(&out, "%.*s %.*s\n", SLICE_FMT(h->method), SLICE_FMT(h->url));
    for (size_t i = 0; i < h->header_count; i++)
        buf_addf(&out, "%.*s: %.*s\n", SLICE_FMT(h->headers[2 * i]),
                 SLICE_FMT(h->headers[2 * i + 1]));
    buf_add_char(&out, '\n');
    buf_add_slice(&out, h->body);
    struct slice s = slice_dup(ask->arena, buf_slice(&out));
    buf_fini(&out);
    return s;
}

static inline void fake_http(struct fake *f, struct script_ask *ask)
{
    struct http_call *h = ask->http;
    ask->result = f->result;
    if (f->result < 0)
        err_set(&ask->err, f->result, "%s", f->why ? f->why : "");
    f->last_ms = h->timeout_ms;
    f->first_ms = h->first_ms;
    f->connect_ms = h->connect_ms;
    f->body_max = h->body_max;
    f->follow = h->follow;
    h->status = f->status ? f->status : 200;
    h->answer_headers = slice_of(f->headers ? f->headers : "x-a: b\n");
    h->answer = f->body ? slice_of(f->body) : fake_echo(ask);
}

static inline void fake_next(struct fake *f, struct script_ask *ask)
{
    const char *piece = f->at < 16 ? f->pieces[f->at] : NULL;
    f->nexts++;
    if (piece) {
        ask->data = slice_of(piece);
        f->at++;
    } else if (f->cut) {
        ask->result = err_set(&ask->err, f->cut, "it was cut");
    }
}

static inline void fake_once(struct fake *f, struct script_ask *ask)
{
    size_t n = strlen(f->once_kind);
    snprintf(
        f->once_kind + n, sizeof f->once_kind - n,
        ask->kind == ASK_ONCE ? "ask %.*s %.*s %lld;" : "done %.*s %.*s %lld",
        SLICE_FMT(ask->unit), SLICE_FMT(ask->name), (long long)ask->number);
    n = strlen(f->once_kind);
    if (ask->kind == ASK_ONCE_DONE)
        snprintf(f->once_kind + n, sizeof f->once_kind - n, " %.*s;",
                 SLICE_FMT(ask->data));
    else if (f->once_makes)
        ask->result = ERR_NOT_FOUND;
    else
        ask->data = SLICE("7");
}

static inline void fake_on_ask(void *arg, struct script_ask *ask)
{
    struct fake *f = container_of((struct world *)arg, struct fake, w);
    struct fake_value *v;
    switch (ask->kind) {
    case ASK_HTTP:
        f->https++;
        fake_http(f, ask);
        break;
    case ASK_STREAM:
        f->opened++;
        f->at = 0;
        fake_http(f, ask);
        break;
    case ASK_STREAM_NEXT:
        if (f->hold_next) {
            f->held = ask;
            loop_stop(f->w.loop);
            return;
        }
        fake_next(f, ask);
        break;
    case ASK_STREAM_END:
        f->ended++;
        break;
    case ASK_KV_GET:
        f->gets++;
        v = fake_find(f, ask->unit, ask->name);
        if (!v)
            ask->result = ERR_NOT_FOUND;
        fake_there(ask, v);
        break;
    case ASK_KV_SWAP:
        fake_swap(f, ask);
        break;
    case ASK_KV_KEYS:
        fake_keys(f, ask);
        break;
    case ASK_ONCE:
    case ASK_ONCE_DONE:
        fake_once(f, ask);
        break;
    default:
        snprintf(f->asked, sizeof f->asked, "%.*s %.*s", SLICE_FMT(ask->name),
                 SLICE_FMT(ask->data));
        ask->result = f->result;
        if (f->result < 0)
            err_set(&ask->err, f->result, "%s", f->why ? f->why : "");
        ask->data = slice_of(f->body ? f->body : "null");
    }
    script_answer(f->w.script, ask);
}

/* One rule; body is that of on_message(conv, msg), top is before it. */
static inline void fake_with(struct fake *f, const char *top, const char *body)
{
    char rule[6000];
    world_init(&f->w);
    f->w.conf.on_ask = fake_on_ask;
    snprintf(rule, sizeof rule,
             "%s\nreturn { api = 1, on_message = function(conv, msg)\n%s\n"
             "end }",
             top, body);
    world_write(&f->w, "rules/10-a", rule);
    world_open(&f->w);
}

/* Says hello to a rule with that body; its first reply, copied to out. What
 * goes wrong in it comes as "ERROR: ...". */
static inline const char *fake_reply(struct fake *f, const char *top,
                                     const char *body)
{
    static char out[20000];
    char text[5000];
    snprintf(text, sizeof text,
             "local ok, why = pcall(function() %s\nend)\n"
             "if not ok then conv:reply('ERROR: ' .. tostring(why)) end",
             body);
    fake_with(f, top, text);
    struct job *job = world_say(&f->w, "hello");
    struct slice s = effect_text(job, EFFECT_REPLY);
    snprintf(out, sizeof out, "%.*s", SLICE_FMT(s));
    job_free(job);
    world_close(&f->w);
    return out;
}
