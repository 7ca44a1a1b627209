/* SPDX-License-Identifier: Apache-2.0 */
/* fakes.c - made-up servers and models.
 *
 * Happy path: a script's call meets the first fake that fits and has turns
 * left; its answer goes back at once, after its delay in held time, or when
 * the test's function has made it (a job of its own on the test's unit, while
 * the test itself waits). Failure modes: a call that meets none is trouble:
 * the test fails with the request shown, and the script gets "unavailable".
 */
#include "app/testing/fakes.h"
#include "base/clock.h"
#include "base/limits.h"
#include <stdio.h>

/* --- trouble -------------------------------------------------------------- */

struct slice fakes_json(struct arena *a, const struct json *j)
{
    struct buf out;
    buf_init(&out, STAGE_STEP_BYTES);
    struct jsonw w = jsonw_on(&out);
    jsonw_value(&w, j);
    struct slice text = slice_dup(a, buf_slice(&out));
    buf_fini(&out);
    return text;
}

static void trouble(struct fakes *f, struct slice json)
{
    if (!f->trouble.len) /* the first one is the reason */
        f->trouble = slice_dup(f->arena, json);
}

void fakes_fail(struct fakes *f, const char *message, struct slice actual,
                const char *expected)
{
    struct buf out;
    buf_init(&out, STAGE_STEP_BYTES);
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '{');
    jsonw_put_text(&w, "message", slice_of(message));
    if (expected)
        jsonw_put_text(&w, "expected", slice_of(expected));
    if (actual.len)
        jsonw_put_text(&w, "actual", actual);
    jsonw_close(&w, '}');
    trouble(f, buf_slice(&out));
    buf_fini(&out);
}

struct slice fakes_trouble(struct fakes *f)
{
    return f->trouble;
}

/* --- answers -------------------------------------------------------------- */

void fakes_give(struct fakes *f, struct script_ask *ask)
{
    stage_moved(f->stage);
    if (fakes_is_turn(ask)) {
        fakes_turn_given(f, ask);
        return;
    }
    script_answer(f->stage->tester, ask); /* whichever it belongs to */
}

static int code_of(struct slice name)
{
    if (slice_is(name, "cancelled"))
        return ERR_CANCELLED; /* its code is "unavailable" too */
    for (int code = -1; code > ERR_CANCELLED; code--)
        if (slice_is(name, err_code(code)))
            return code;
    return ERR_UNAVAILABLE;
}

bool fakes_failed(struct script_ask *ask, const struct json *answer)
{
    struct slice code = json_text(answer, "fails");
    if (!code.len)
        return false;
    struct slice why = json_text(answer, "detail");
    ask->result =
        err_set(&ask->err, code_of(code), "%.*s", why.len ? (int)why.len : 14,
                why.len ? why.at : "so it was told");
    return true;
}

static void fill_headers(struct script_ask *ask, const struct json *answer)
{
    struct json *headers = json_get(answer, "headers");
    struct buf out;
    bool typed = false;
    buf_init(&out, LIMIT_HEADER_BYTES * 2);
    for (const struct json *h = json_is(headers, JSON_OBJECT) ? headers->first
                                                              : NULL;
         h; h = h->next) {
        typed |= slice_is_nocase(h->key, "content-type");
        for (size_t i = 0; i < h->key.len; i++) {
            char c = h->key.at[i];
            (void)buf_add_char(&out, c >= 'A' && c <= 'Z' ? (char)(c + 32) : c);
        }
        (void)buf_addf(&out, ": %.*s\n", SLICE_FMT(h->text)); /* or cut off */
    }
    if (!typed && json_get(answer, "json"))
        (void)buf_add_text(&out, "content-type: application/json\n");
    if (!typed && (json_get(answer, "sse") || json_get(answer, "chunks")))
        (void)buf_add_text(&out, "content-type: text/event-stream\n");
    ask->http->answer_headers = slice_dup(ask->arena, buf_slice(&out));
    buf_fini(&out);
}

static void answer_http(struct fakes *f, struct script_ask *ask,
                        const struct json *answer)
{
    struct json *body = json_get(answer, "json");
    ask->http->status = (int)json_int(answer, "status", 200);
    fill_headers(ask, answer);
    ask->http->answer = body ? fakes_json(ask->arena, body)
                             : slice_dup(ask->arena, json_text(answer, "body"));
    if (ask->http->answer.len > ask->http->body_max && ask->http->body_max)
        ask->result =
            err_set(&ask->err, ERR_TOOBIG, "the answer is longer than allowed");
    else if (ask->kind == ASK_STREAM)
        fake_stream(f, ask, answer);
}

void fakes_answer(struct fakes *f, struct script_ask *ask,
                  const struct json *answer)
{
    if (fakes_failed(ask, answer)) {
        /* told already */
    } else if (ask->kind == ASK_FILE) {
        answer_http(f, ask, answer);
        fake_file_keep(f, ask);
    } else if (ask->kind == ASK_HTTP || ask->kind == ASK_STREAM) {
        answer_http(f, ask, answer);
    } else if (ask->kind == ASK_IMAP || ask->kind == ASK_SMTP) {
        fake_post_answer(ask, answer);
    } else {
        ask->data = fakes_json(ask->arena, answer);
    }
    fakes_give(f, ask);
}

/* --- now, later, or by a function ----------------------------------------- */

static void on_called(struct job *job)
{
    struct pending *p = job->owner;
    struct fakes *f = p->fakes;
    if (job->failures && p->ask) /* killed: it could not tell by itself */
        fakes_fail(f, "a fake's function failed", job->trouble, NULL);
    if (p->ask) {
        p->ask->result =
            err_set(&p->ask->err, ERR_UNAVAILABLE, "the fake did not answer");
        fakes_give(f, p->ask);
        p->ask = NULL;
    }
    f->stage->calls--;
    list_remove(&p->link);
    mem_free(p);
    stage_moved(f->stage);
    job_free(job);
}

static struct pending *pending_new(struct fakes *f, struct script_ask *ask)
{
    struct pending *p = mem_alloc(sizeof *p);
    p->fakes = f;
    p->ask = ask;
    p->id = ++f->last_id;
    list_init(&p->link);
    return p;
}

static void call(struct fakes *f, struct script_ask *ask,
                 const struct fake *fake, struct slice argument)
{
    struct pending *p = pending_new(f, ask);
    struct job *job = job_new(HOOK_TIMER, on_called, p);
    struct buf out;
    list_add_last(&f->called, &p->link);
    buf_init(&out, STAGE_STEP_BYTES);
    (void)buf_addf(&out, "{\"fake\":%lld,\"call\":%llu,\"argument\":",
                   (long long)fake->function, (unsigned long long)p->id);
    (void)buf_add_slice(&out, argument); /* as large as a step at most */
    (void)buf_add_char(&out, '}');
    job->unit = SLICE(SCRIPT_TEST_UNIT);
    job->what = SLICE("call");
    job->data = slice_dup(job->arena, buf_slice(&out));
    job->at = clock_ms();
    buf_fini(&out);
    f->stage->calls++;
    script_run(f->stage->tester, job);
}

void fakes_play(struct fakes *f, struct script_ask *ask, struct fake *fake,
                struct slice argument)
{
    if (fake->times > 0)
        fake->times--;
    if (fake->function) {
        call(f, ask, fake, argument);
    } else if (fake->delay_ms) {
        struct pending *p = pending_new(f, ask);
        p->due = clock_ms() + fake->delay_ms;
        p->answer = fake->answer;
        list_add_last(&f->late, &p->link);
    } else {
        fakes_answer(f, ask, fake->answer);
    }
}

void fakes_result(struct fakes *f, const struct json *in)
{
    uint64_t id = (uint64_t)json_int(in, "call", 0);
    struct json *failure = json_get(in, "failure");
    struct json *value = json_get(in, "value");
    list_each (&f->called, n) {
        struct pending *p = container_of(n, struct pending, link);
        if (p->id != id || !p->ask)
            continue;
        struct script_ask *ask = p->ask;
        if (failure) {
            struct arena *a = arena_new();
            trouble(f, fakes_json(a, failure));
            arena_free(a);
            return; /* on_called answers */
        }
        p->ask = NULL;
        if (value && json_is(value, JSON_STRING) && ask->kind == ASK_AI) {
            struct json text = {
                .type = JSON_STRING, .key = SLICE("text"), .text = value->text};
            struct json all = {.type = JSON_OBJECT, .count = 1, .first = &text};
            fakes_answer(f, ask, &all);
        } else {
            fakes_answer(f, ask, value);
        }
        return;
    }
}

/* --- time ----------------------------------------------------------------- */

int64_t fakes_next(const struct fakes *f)
{
    int64_t next = -1;
    list_each (&f->late, n) {
        const struct pending *p = container_of(n, struct pending, link);
        next = next < 0 || p->due < next ? p->due : next;
    }
    return next;
}

size_t fakes_waiting(const struct fakes *f)
{
    size_t count = 0;
    list_each (&f->late, n)
        count++;
    return count;
}

void fakes_turn(struct fakes *f)
{
    int64_t now = clock_ms();
    list_each (&f->late, n) {
        struct pending *p = container_of(n, struct pending, link);
        if (p->due > now)
            continue;
        list_remove(&p->link);
        fakes_answer(f, p->ask, p->answer);
        mem_free(p);
    }
}

/* --- what scripts ask ----------------------------------------------------- */

static void take_model(struct fakes *f, struct script_ask *ask)
{
    bool kb = ask->kind == ASK_KB;
    struct fake **at = kb ? &f->kb : &f->models, *fake = *at;
    struct arena *a = arena_new();
    struct json *turn = NULL;
    if (!kb) {
        struct model_call *c = arena_one(f->arena, struct model_call);
        c->assistant = slice_dup(f->arena, ask->name);
        c->turn = slice_dup(f->arena, ask->data);
        c->next = f->model_calls;
        f->model_calls = c;
    }
    (void)json_parse(a, ask->data, NULL, &turn); /* the wing wrote it */
    arena_free(a);
    if (!fake && fakes_is_turn(ask)) {
        arena_free(ask->arena); /* the bot says nothing */
        return;
    }
    if (!fake) {
        fakes_fail(f,
                   kb ? "the knowledge base was asked, but has no answer "
                        "(t.kb.says)"
                      : "the model was asked, but has no answer (t.ai.says, "
                        "t.ai.on)",
                   ask->data, NULL);
        ask->result = err_set(&ask->err, ERR_UNAVAILABLE, "no fake answers");
        fakes_give(f, ask);
        return;
    }
    if (!fake->function && fake->next)
        *at = fake->next; /* the last answer stays */
    fakes_play(f, ask, fake, ask->data.len ? ask->data : SLICE("{}"));
}

bool fakes_take(struct fakes *f, struct script_ask *ask)
{
    switch (ask->kind) {
    case ASK_FILE:
    case ASK_FILE_BODY:
        fake_file(f, ask);
        return true;
    case ASK_HTTP:
    case ASK_STREAM:
        fake_http(f, ask);
        return true;
    case ASK_IMAP:
    case ASK_SMTP:
        fake_post(f, ask);
        return true;
    case ASK_STREAM_NEXT:
    case ASK_STREAM_END:
        fake_stream_take(f, ask);
        return true;
    case ASK_AI:
    case ASK_KB:
        take_model(f, ask);
        return true;
    default:
        return false;
    }
}

/* --- steps ---------------------------------------------------------------- */

struct fake *fake_of(struct fakes *f, const struct json *in)
{
    struct fake *fake = arena_one(f->arena, struct fake);
    struct json *answer = json_get(in, "answer");
    fake->function = json_int(in, "fake", 0);
    fake->times = json_int(in, "times", -1);
    fake->delay_ms = json_int(in, "delay", 0);
    if (answer)
        (void)json_parse(f->arena, fakes_json(f->arena, answer), NULL,
                         &fake->answer); /* it was JSON before */
    return fake;
}

static void add_last(struct fake **list, struct fake *fake)
{
    while (*list)
        list = &(*list)->next;
    *list = fake;
}

static int step_ai_on(struct stage *st, const struct json *in,
                      struct jsonw *out, struct err *e)
{
    add_last(&st->fakes->models, fake_of(st->fakes, in));
    return 0;
}

static int step_kb_on(struct stage *st, const struct json *in,
                      struct jsonw *out, struct err *e)
{
    add_last(&st->fakes->kb, fake_of(st->fakes, in));
    return 0;
}

static void put_model_calls(const struct model_call *c, struct jsonw *out)
{
    if (!c)
        return;
    put_model_calls(c->next, out);
    jsonw_open(out, '{');
    jsonw_put_text(out, "assistant", c->assistant);
    jsonw_put_raw(out, "turn", c->turn.len ? c->turn : SLICE("{}"));
    jsonw_close(out, '}');
}

static int step_ai_calls(struct stage *st, const struct json *in,
                         struct jsonw *out, struct err *e)
{
    jsonw_key(out, "items");
    jsonw_open(out, '[');
    put_model_calls(st->fakes->model_calls, out);
    jsonw_close(out, ']');
    return 0;
}

const struct step steps_fakes[] = {{"http_on", step_http_on, false},
                                   {"http_calls", step_http_calls, false},
                                   {"http_fixtures", step_http_fixtures, false},
                                   {"fixture", step_fixture, false},
                                   {"ai_on", step_ai_on, false},
                                   {"ai_calls", step_ai_calls, false},
                                   {"kb_on", step_kb_on, false},
                                   {NULL, NULL, false}};

/* --- life ----------------------------------------------------------------- */

static void begin(struct fakes *f)
{
    f->arena = arena_new();
    list_init(&f->late);
    list_init(&f->called);
}

struct fakes *fakes_new(struct stage *st)
{
    struct fakes *f = mem_alloc(sizeof *f);
    f->stage = st;
    begin(f);
    return f;
}

static void forget(struct fakes *f)
{
    list_each (&f->late, n) { /* their scripts are closed */
        struct pending *p = container_of(n, struct pending, link);
        arena_free(p->ask->arena);
        mem_free(p);
    }
    record_end(f);
    arena_free(f->arena);
}

void fakes_reset(struct fakes *f)
{
    struct stage *st = f->stage;
    forget(f);
    *f = (struct fakes){.stage = st};
    begin(f);
}

void fakes_free(struct fakes *f)
{
    forget(f);
    mem_free(f);
}
