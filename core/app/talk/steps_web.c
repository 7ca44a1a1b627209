/* SPDX-License-Identifier: Apache-2.0 */
/* steps_web.c - sentences about services of others: what they answer, what
 * they were asked, what they push.
 */
#include "app/talk/talk.h"
#include "app/talk/web.h"
#include "base/crypto.h"
#include <stdio.h>

struct talk_web *talk_web_find(struct talk *t, struct slice name)
{
    for (struct talk_web *w = t->webs; w; w = w->next)
        if (slice_is(name, w->name))
            return w;
    return NULL;
}

static struct talk_web *find(struct talk *t, struct slice name)
{
    struct talk_web *w = talk_web_find(t, name);
    if (!w)
        talk_fail(t, "say first: given web %.*s", SLICE_FMT(name));
    return w;
}

void talk_webs_close(struct talk *t)
{
    for (struct talk_web *w = t->webs; w; w = w->next)
        web_close(w->web);
    t->webs = NULL;
}

static int given_web(struct talk *t, struct slice *args, int variant)
{
    struct err e = {0};
    struct talk_web *w = arena_one(t->arena, struct talk_web);
    (void)variant;
    snprintf(w->name, sizeof w->name, "%.*s", SLICE_FMT(args[0]));
    if (web_open(&e, &w->web))
        return talk_fail(t, "it could not be opened: %s", e.text);
    w->next = t->webs;
    t->webs = w;
    return 0;
}

/* shop answers GET /orders/42 with 200 {"state":"shipped"} */
static int answers(struct talk *t, struct slice *args, int variant)
{
    struct talk_web *w = find(t, args[0]);
    struct slice rest = args[3];
    int64_t status = 0;
    (void)variant;
    const char *blank = rest.len ? memchr(rest.at, ' ', rest.len) : NULL;
    size_t n = blank ? (size_t)(blank - rest.at) : rest.len;
    if (!w)
        return -1;
    if (!slice_to_i64((struct slice){rest.at, n}, &status) || status < 200 ||
        status > 599)
        return talk_fail(t, "say a status and a body: with 200 {\"a\":1}");
    struct slice body = slice_trim((struct slice){rest.at + n, rest.len - n});
    web_answer(w->web, args[1], args[2], (int)status, read_variables(t, body));
    return 0;
}

static int is_down(struct talk *t, struct slice *args, int down)
{
    struct talk_web *w = find(t, args[0]);
    if (!w)
        return -1;
    web_set_down(w->web, down);
    return 0;
}

/* shop got POST /send [~ "words"]: waits for it; then it is spoken of. */
static int got(struct talk *t, struct slice *args, int compares)
{
    struct talk_web *w = find(t, args[0]);
    int64_t until = talk_now_ms() + t->within_ms;
    struct slice body;
    if (!w)
        return -1;
    do {
        if (!web_take(w->web, args[1], args[2], t->arena, &body))
            continue;
        if (!compares)
            return 0;
        struct json text = {.type = JSON_STRING, .text = body};
        if (step_compare(t, &text, args[3], args[4]))
            return 0;
        return talk_fail(t, "it got %.*s", SLICE_FMT(body));
    } while (actor_pump(t, 10) == 0 && talk_now_ms() < until);
    return talk_fail(t, "it was not asked that; what it was asked:\n%.*s",
                     SLICE_FMT(web_rest(w->web, t->arena)));
}

static int got_nothing(struct talk *t, struct slice *args, int variant)
{
    struct talk_web *w = find(t, args[0]);
    int64_t until = talk_now_ms() + (t->waits ? t->within_ms : 0);
    struct slice rest;
    (void)variant;
    if (!w)
        return -1;
    do {
        rest = web_rest(w->web, t->arena);
        if (rest.len)
            return talk_fail(t, "it got %.*s", SLICE_FMT(rest));
    } while (talk_now_ms() < until && actor_pump(t, 10) == 0);
    return 0;
}

/* shop posts /hooks/$ch with {…}: what a platform pushes. signed: by header
 * and key, hex HMAC-SHA256 of the body. */
static int posts(struct talk *t, struct slice *args, int is_signed)
{
    struct err e = {0};
    struct slice path = read_variables(t, args[1]);
    struct slice body = read_variables(t, args[is_signed ? 4 : 2]);
    struct slice head = SLICE("");
    if (!find(t, args[0]))
        return -1;
    if (is_signed) {
        unsigned char sum[SHA256_BYTES];
        struct buf hex;
        buf_init(&hex, 2 * SHA256_BYTES);
        hmac_sha256(args[3], body, sum);
        must(hex_add(&hex, sum, sizeof sum) == 0);
        head = talk_fmt(t, "%.*s: %.*s\r\n", SLICE_FMT(args[2]),
                        SLICE_FMT(buf_slice(&hex)));
        buf_fini(&hex);
    }
    head =
        talk_fmt(t, "Content-Type: application/json\r\n%.*s", SLICE_FMT(head));
    t->answer_json = NULL;
    if (client_call(t->port, "POST", talk_fmt(t, "%.*s", SLICE_FMT(path)).at,
                    head.at, body, TALK_CALL_MS, t->arena, &e, &t->answer))
        return talk_fail(t, "%s", e.text);
    if (t->answer.body.len)
        json_parse(t->arena, t->answer.body, NULL, &t->answer_json);
    return 0;
}

const struct step steps_web[] = {
    {"given web WORD", given_web, 0, true},
    {"WHO answers WORD WORD with REST", answers, 0, true},
    {"WHO is down", is_down, 1, true},
    {"WHO is up", is_down, 0, true},
    {"WHO got nothing more", got_nothing, 0, false},
    {"WHO got WORD WORD OP REST", got, 1, false},
    {"WHO got WORD WORD", got, 0, false},
    {"WHO posts WORD with REST", posts, 0, false},
    {"WHO posts WORD signed WORD WORD with REST", posts, 1, false},
    {NULL, NULL, 0, false},
};
