/* SPDX-License-Identifier: Apache-2.0 */
/* Calls to others, made to our own door. */
#include "house.h"
#include "net/httpc.h"
#include "test.h"

#include <stdio.h>
#include <unistd.h>

struct shot {
    struct httpc_call call;
    struct house *h;
    char url[200];
    atomic_bool done;
    bool inside; /* httpc_start has not returned yet */
};

static void on_done(struct httpc_call *c)
{
    struct shot *s = c->owner;
    CHECK(!s->inside);
    CHECK(!atomic_load(&s->done));
    atomic_store(&s->done, true);
}

static void start(struct house *h, void *arg)
{
    struct shot *s = arg;
    s->inside = true;
    httpc_start(h->net, &s->call);
    s->inside = false;
}

static void cancel(struct house *h, void *arg)
{
    struct shot *s = arg;
    httpc_cancel(h->net, &s->call);
}

static void shot_init(struct shot *s, struct house *h, const char *path)
{
    *s = (struct shot){.h = h};
    snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%d%s", h->port, path);
    s->call.method = SLICE("GET");
    s->call.url = slice_of(s->url);
    s->call.arena = arena_new();
    s->call.done = on_done;
    s->call.owner = s;
}

static void shoot(struct shot *s)
{
    house_run(s->h, start, s);
    WAIT_UNTIL(atomic_load(&s->done), 8000);
}

TEST("a call brings status, lower-case headers and body")
{
    struct house h = {0};
    struct shot s;
    REQUIRE(house_start(&h));
    shot_init(&s, &h, "/api/v1/later");
    s.call.method = SLICE("POST");
    s.call.body = SLICE("body of mine");
    const struct slice headers[] = {SLICE("X-A"), SLICE("1")};
    s.call.headers = headers;
    s.call.header_count = 1;
    shoot(&s);
    CHECK_EQ_INT(s.call.result, 0);
    CHECK_EQ_INT(s.call.status, 200);
    CHECK_SLICE(s.call.answer, "body of mine");
    CHECK(strstr(s.call.answer_headers.at, "x-late: yes\n") != NULL);
    arena_free(s.call.arena);
    house_stop(&h);
}

TEST("addresses that are none and headers with line breaks are refused")
{
    static const char *const urls[] = {"", "ftp://127.0.0.1/", "file:///etc",
                                       "127.0.0.1", "http://"};
    struct house h = {0};
    struct shot s;
    REQUIRE(house_start(&h));
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        shot_init(&s, &h, "/");
        s.call.url = slice_of(urls[i]);
        shoot(&s);
        CHECK_EQ_INT(s.call.result, ERR_BAD_REQUEST);
        arena_free(s.call.arena);
    }
    shot_init(&s, &h, "/api/v1/echo");
    const struct slice headers[] = {SLICE("X"), SLICE("a\r\nEvil: 1")};
    s.call.headers = headers;
    s.call.header_count = 1;
    shoot(&s);
    CHECK_EQ_INT(s.call.result, ERR_BAD_REQUEST);
    arena_free(s.call.arena);
    house_stop(&h);
}

TEST("an answer too big, one too late and one cancelled say so")
{
    struct house h = {0};
    struct shot s;
    REQUIRE(house_start(&h));
    shot_init(&s, &h, "/api/v1/big?n=100000");
    s.call.body_max = 1000;
    shoot(&s);
    CHECK_EQ_INT(s.call.result, ERR_TOOBIG);
    arena_free(s.call.arena);
    shot_init(&s, &h, "/api/v1/hold");
    s.call.total_ms = 50;
    shoot(&s);
    CHECK_EQ_INT(s.call.result, ERR_TIMEOUT);
    CHECK(s.call.err.text[0] != '\0');
    arena_free(s.call.arena);
    house_release(&h);
    shot_init(&s, &h, "/api/v1/hold");
    house_run(&h, start, &s);
    house_run(&h, cancel, &s);
    WAIT_UNTIL(atomic_load(&s.done), 5000);
    CHECK_EQ_INT(s.call.result, ERR_CANCELLED);
    house_run(&h, cancel, &s); /* harmless: it is answered */
    arena_free(s.call.arena);
    house_stop(&h);
}

TEST("a host that cannot be reached is left alone after five failures")
{
    struct house h = {0};
    struct shot s;
    REQUIRE(house_start(&h));
    for (int i = 0; i < 6; i++) {
        shot_init(&s, &h, "/");
        snprintf(s.url, sizeof(s.url), "http://127.0.0.1:1/");
        s.call.url = slice_of(s.url);
        shoot(&s);
        CHECK_EQ_INT(s.call.result, ERR_UNAVAILABLE);
        CHECK_EQ_INT(strstr(s.call.err.text,
                            "the breaker of 127.0.0.1:1 is open") != NULL,
                     i == 5);
        arena_free(s.call.arena);
    }
    shot_init(&s, &h, "/api/v1/echo"); /* others are called as ever */
    shoot(&s);
    CHECK_EQ_INT(s.call.status, 200);
    arena_free(s.call.arena);
    house_stop(&h);
}

static int refused_of(struct shot *shots, int n)
{
    int count = 0;
    for (int i = 0; i < n; i++)
        count += atomic_load(&shots[i].done) &&
                 shots[i].call.result == ERR_UNAVAILABLE;
    return count;
}

TEST("those who wait for a host are answered when its breaker opens")
{
    enum { WAITING = 12, MANY = HTTPC_PER_HOST + WAITING };
    static struct shot shots[MANY];
    struct house h = {0};
    REQUIRE(house_start(&h));
    for (int i = 0; i < MANY; i++) {
        shot_init(&shots[i], &h, "/api/v1/hold");
        shots[i].call.total_ms = i < HTTPC_PER_HOST ? 100 : 20000;
        house_run(&h, start, &shots[i]);
    }
    /* Each of the four failures before the fifth may let one begin. */
    WAIT_UNTIL(refused_of(shots + HTTPC_PER_HOST, WAITING) >= WAITING - 4,
               8000);
    house_stop(&h);
    for (int i = 0; i < MANY; i++)
        arena_free(shots[i].call.arena);
}

TEST("who waits in vain for a place is told so at the end of his time")
{
    enum { MANY = HTTPC_PER_HOST + 1 };
    static struct shot shots[MANY];
    struct house h = {0};
    REQUIRE(house_start(&h));
    for (int i = 0; i < MANY; i++) {
        shot_init(&shots[i], &h, "/api/v1/hold");
        shots[i].call.total_ms = i < HTTPC_PER_HOST ? 20000 : 50;
        house_run(&h, start, &shots[i]);
    }
    WAIT_UNTIL(atomic_load(&shots[MANY - 1].done), 8000);
    CHECK_EQ_INT(shots[MANY - 1].call.result, ERR_TIMEOUT);
    CHECK(strstr(shots[MANY - 1].call.err.text, "no place") != NULL);
    house_stop(&h);
    for (int i = 0; i < MANY; i++)
        arena_free(shots[i].call.arena);
}

TEST("a placed call takes no place of the host's and waits for none")
{
    enum { HELD = HTTPC_PER_HOST + 3, PLACED = HTTPC_PER_HOST + 5 };
    static struct shot held[HELD], placed[PLACED];
    struct house h = {0};
    REQUIRE(house_start(&h));
    for (int i = 0; i < HELD; i++) { /* all places are taken, three wait */
        shot_init(&held[i], &h, "/api/v1/hold");
        house_run(&h, start, &held[i]);
    }
    for (int i = 0; i < PLACED; i++) {
        shot_init(&placed[i], &h, "/api/v1/later");
        placed[i].call.placed = true;
        house_run(&h, start, &placed[i]);
    }
    for (int i = 0; i < PLACED; i++) {
        WAIT_UNTIL(atomic_load(&placed[i].done), 8000);
        CHECK_EQ_INT(placed[i].call.result, 0);
    }
    for (int i = 0; i < HELD; i++)
        CHECK(!atomic_load(&held[i].done));
    house_stop(&h);
    for (int i = 0; i < HELD; i++)
        arena_free(held[i].call.arena);
    for (int i = 0; i < PLACED; i++)
        arena_free(placed[i].call.arena);
}

TEST("a host has room for so many that wait, and no more")
{
    enum { MANY = HTTPC_PER_HOST + HTTPC_WAITING + 1 };
    static struct shot shots[MANY];
    struct house h = {0};
    struct shot *last = &shots[MANY - 1];
    REQUIRE(house_start(&h));
    for (int i = 0; i < MANY; i++) {
        shot_init(&shots[i], &h, "/api/v1/hold");
        house_run(&h, start, &shots[i]);
    }
    WAIT_UNTIL(atomic_load(&last->done), 8000);
    CHECK_EQ_INT(last->call.result, ERR_RATE_LIMITED);
    CHECK(!atomic_load(&shots[MANY - 2].done));
    house_stop(&h);
    for (int i = 0; i < MANY; i++)
        arena_free(shots[i].call.arena);
}

TEST("many calls to one host wait for each other; closing answers the rest")
{
    enum { MANY = 30 };
    static struct shot shots[MANY];
    struct house h = {0};
    REQUIRE(house_start(&h));
    for (int i = 0; i < MANY; i++) {
        shot_init(&shots[i], &h, "/api/v1/later");
        house_run(&h, start, &shots[i]);
    }
    for (int i = 0; i < MANY; i++) {
        WAIT_UNTIL(atomic_load(&shots[i].done), 8000);
        CHECK_EQ_INT(shots[i].call.result, 0);
        arena_free(shots[i].call.arena);
    }
    for (int i = 0; i < MANY; i++) {
        shot_init(&shots[i], &h, "/api/v1/hold");
        house_run(&h, start, &shots[i]);
    }
    house_stop(&h);
    for (int i = 0; i < MANY; i++) {
        CHECK(atomic_load(&shots[i].done));
        CHECK_EQ_INT(shots[i].call.result, ERR_CANCELLED);
        arena_free(shots[i].call.arena);
    }
}
