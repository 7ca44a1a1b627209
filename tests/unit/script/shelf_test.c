/* SPDX-License-Identifier: Apache-2.0 */
/* shelf_test.c - a text that several states load: one copy, compiled once. */
#include "script/load/shelf.h"
#include "test.h"
#include <lauxlib.h>
#include <lualib.h>
#include <pthread.h>
#include <string.h>

#define TEXT                                                                   \
    "local n = ...\n"                                                          \
    "if n == 0 then\n"                                                         \
    "  error 'nought'\n"                                                       \
    "end\n"                                                                    \
    "return n + 1\n"

/* What the leaf gives for n in a state of its own: a number or a sentence. */
static void says(struct leaf *f, int n, const char *what)
{
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    CHECK_EQ_INT(leaf_push(L, f, "@scripts/lib/x.lua"), 0);
    lua_pushinteger(L, n);
    (void)lua_pcall(L, 1, 1, 0);
    CHECK_EQ_STR(lua_tostring(L, -1), what);
    lua_close(L);
}

TEST("a leaf gives each state a function of its own, with places of its text")
{
    struct shelf *s = shelf_new();
    struct leaf *f = shelf_put(s, SLICE("lib/x"), SLICE(TEXT));
    CHECK(!atomic_load(&f->code));
    for (int i = 0; i < 3; i++) {
        says(f, i + 1, i == 0 ? "2" : i == 1 ? "3" : "4");
        says(f, 0, "scripts/lib/x.lua:3: nought");
        CHECK(atomic_load(&f->code)); /* from now on it is loaded from that */
    }
    leaf_unref(f);
    shelf_free(s);
}

TEST("who requires the same name gets the same leaf; its text outlives the "
     "shelf")
{
    struct shelf *s = shelf_new();
    struct leaf *f = shelf_put(s, SLICE("lib/x"), SLICE(TEXT));
    struct leaf *same = shelf_find(s, SLICE("lib/x"));
    CHECK(same == f);
    CHECK(!shelf_find(s, SLICE("lib/y")));
    CHECK(!shelf_find(NULL, SLICE("lib/x")));
    leaf_unref(same);
    says(f, 1, "2");
    shelf_free(s);
    CHECK(!atomic_load(&f->code));
    CHECK(slice_is(f->text, TEXT));
    leaf_unref(f);
}

TEST("without a shelf a leaf is text only")
{
    struct leaf *f = shelf_put(NULL, SLICE("lib/x"), SLICE(TEXT));
    says(f, 1, "2");
    CHECK(!atomic_load(&f->code));
    leaf_unref(f);
}

TEST("a text that does not compile says where, each time; bytecode is no text")
{
    static const char *const texts[][2] = {
        {"return\nreturn return", "scripts/lib/x.lua:2:"},
        {"\033LJ\002\n", "attempt to load chunk with wrong mode"}};
    struct shelf *s = shelf_new();
    for (size_t i = 0; i < 2; i++) {
        struct leaf *f = shelf_put(s, SLICE("lib/x"), slice_of(texts[i][0]));
        for (int k = 0; k < 2; k++) {
            lua_State *L = luaL_newstate();
            CHECK(leaf_push(L, f, "@scripts/lib/x.lua") != 0);
            test_note("%s", lua_tostring(L, -1));
            CHECK(strstr(lua_tostring(L, -1), texts[i][1]));
            lua_close(L);
        }
        leaf_unref(f);
    }
    shelf_free(s);
}

#define THREADS 4
#define ROUNDS 50

static void *load_all(void *arg)
{
    struct shelf *s = arg;
    for (int i = 0; i < ROUNDS; i++) {
        char name[20];
        snprintf(name, sizeof name, "lib/%d", i);
        struct leaf *f = shelf_find(s, slice_of(name));
        if (!f)
            f = shelf_put(s, slice_of(name), SLICE(TEXT));
        says(f, 1, "2");
        leaf_unref(f);
    }
    return NULL;
}

TEST("threads may put and load the same leaves at once")
{
    struct shelf *s = shelf_new();
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        REQUIRE(pthread_create(&threads[i], NULL, load_all, s) == 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < ROUNDS; i++) {
        char name[20];
        snprintf(name, sizeof name, "lib/%d", i);
        struct leaf *f = shelf_find(s, slice_of(name));
        REQUIRE(f);
        leaf_unref(f);
    }
    shelf_free(s);
}
