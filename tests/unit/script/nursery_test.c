/* SPDX-License-Identifier: Apache-2.0 */
/* nursery_test.c - small blocks, their pages, and the state behind them. */
#include "script/run/budget.h"
#include "script/run/sandbox.h"
#include "test.h"
#include <lauxlib.h>
#include <string.h>

#define EACH (NURSERY_PAGE / 64)
#define ALL (NURSERY_PAGES * EACH)

TEST("a page is filled again when none of its blocks is left")
{
    struct nursery n = {0};
    CHECK(nursery_take(&n, 40) == NULL); /* not open */
    CHECK(nursery_is_empty(&n));
    nursery_open(&n);
    char *a = nursery_take(&n, 61), *b = nursery_take(&n, 64);
    CHECK(b == a + 64);
    CHECK(nursery_has(&n, a) && nursery_has(&n, b) && !nursery_has(&n, &n));
    CHECK(nursery_take(&n, NURSERY_MOST + 1) == NULL);
    for (int i = 2; i < EACH; i++)
        CHECK(nursery_take(&n, 64) == a + 64 * i);
    char *second = nursery_take(&n, 64);
    CHECK(second >= a + NURSERY_PAGE || second < a);
    for (int i = 0; i < EACH; i++) {
        CHECK(!nursery_is_empty(&n));
        nursery_give(&n, a + 64 * i);
    }
    for (int i = 1; i < EACH; i++)
        CHECK(nursery_take(&n, 64) == second + 64 * i);
    CHECK(nursery_take(&n, 64) == a);
    nursery_give(&n, a);
    for (int i = 0; i < EACH; i++)
        nursery_give(&n, second + 64 * i);
    CHECK(nursery_is_empty(&n));
    nursery_close(&n);
}

TEST("what lasts holds its page, and when all are held there is no more")
{
    static char *block[ALL];
    struct nursery n = {0};
    nursery_open(&n);
    for (int i = 0; i < ALL; i++) {
        block[i] = nursery_take(&n, 64);
        CHECK(block[i] != NULL);
        memset(block[i], i, 64);
    }
    CHECK(nursery_take(&n, 8) == NULL);
    for (int i = 0; i < ALL; i++) /* all but the first of each page */
        if (i % EACH)
            nursery_give(&n, block[i]);
    CHECK(nursery_take(&n, 8) == NULL);
    nursery_give(&n, block[5 * EACH]);
    CHECK(nursery_take(&n, 8) == block[5 * EACH]);
    nursery_give(&n, block[5 * EACH]);
    for (int i = 0; i < ALL; i += EACH) {
        CHECK_EQ_INT(*block[i], (char)i);
        if (i != 5 * EACH)
            nursery_give(&n, block[i]);
    }
    CHECK(nursery_is_empty(&n));
    nursery_close(&n);
}

static long mapped_pages(void)
{
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    CHECK(f && fscanf(f, "%ld", &pages) == 1);
    if (f)
        fclose(f);
    return pages;
}

/* Things that grow, move, last and go, and a finalizer that makes more. */
static void use(void)
{
    struct budget b;
    lua_State *L = sandbox_new(&b, 8 * 1024 * 1024);
    budget_pace(&b, L);
    CHECK(b.nursery.pages != NULL);
    if (luaL_dostring(L, "kept = {}\n"
                         "for i = 1, 9000 do\n"
                         "  local t = { i, name = 'n' .. i }\n"
                         "  for k = 1, i % 40 do t[k] = { k } end\n"
                         "  if i % 7 == 0 then kept[#kept + 1] = t end\n"
                         "end\n"
                         "for i, t in ipairs(kept) do\n"
                         "  if t.name ~= 'n' .. i * 7 then error(t.name) end\n"
                         "end\n"
                         "local p = newproxy(true)\n"
                         "getmetatable(p).__gc = function()\n"
                         "  for i = 1, 200 do kept[i] = { tostring(i) } end\n"
                         "end\n"))
        FAIL("%s", lua_tostring(L, -1));
    CHECK(b.used > 100000 && !nursery_is_empty(&b.nursery));
    budget_close(&b, L);
    CHECK(b.nursery.pages == NULL);
}

TEST("a state that used one gives everything back when it is closed")
{
    use();
    long before = mapped_pages();
    for (int i = 0; i < 20; i++)
        use();
    long grown = (mapped_pages() - before) * 4096;
    CHECK(grown < 2 * 1024 * 1024); /* a state has more than 500 kB */
}

TEST("a heap that weighs in the machine holds little garbage")
{
    struct budget b;
    lua_State *L = sandbox_new(&b, 128 * 1024 * 1024);
    size_t least, most = 0;
    if (luaL_dostring(L, "kept = {}\n"
                         "for i = 1, 120000 do kept[i] = { { i }, i } end\n"
                         "function churn()\n"
                         "  for i = 1, 2000 do local t = { { i }, i } end\n"
                         "end\n"))
        FAIL("%s", lua_tostring(L, -1));
    lua_gc(L, LUA_GCCOLLECT, 0);
    least = b.used;
    CHECK(least > 16 * 1024 * 1024 && least < b.max / 4);
    for (int i = 0; i < 800; i++) {
        budget_pace(&b, L);
        lua_getglobal(L, "churn");
        lua_call(L, 0, 0);
        if (i > 400 && b.used > most) /* at the pace of now since a while */
            most = b.used;
    }
    test_note("%zu kB live, at most %zu", least / 1024, most / 1024);
    CHECK(most < least + least * 6 / 10); /* with LuaJIT's own pace: twice it */
    budget_close(&b, L);
}
