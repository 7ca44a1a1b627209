/* SPDX-License-Identifier: Apache-2.0 */
/* check.c - script_check and script_read_table: Lua without a house around.
 *
 * Happy path: a candidate is built exactly as a reload would and thrown away;
 * a table file becomes JSON. Failure modes: what the loader finds, one line a
 * file; a table with code in it, too big or too slow to read.
 */
#include "base/clock.h"
#include "script/api/bind.h"
#include "script/load/files.h"
#include "script/load/flow_lint.h"
#include "script/load/kit.h"
#include "script/load/lint.h"
#include "script/load/load.h"
#include "script/report.h"
#include "script/run/sandbox.h"
#include "script/script.h"
#include <limits.h>
#include <stdio.h>

#define TABLE_MEMORY (4 * 1024 * 1024)
#define TABLE_MS 200
#define TABLE_JSON (1024 * 1024)

/* --- check ---------------------------------------------------------------- */

/* A lib is looked at as it is used: by a script that requires it. */
#define LIB_USER SLICE("rules/lib")

struct check {
    const char *home;
    struct slice lib; /* "lib/hours", or empty */
    struct buf *out;
    size_t found;
    int failed;
};

static int read_file(void *arg, struct slice name, struct arena *a,
                     struct slice *out, struct err *e)
{
    const struct check *c = arg;
    if (!c->lib.len || !slice_eq(name, LIB_USER))
        return files_read(c->home, name, a, out, e);
    struct buf b;
    buf_init(&b, LIMIT_SCRIPT_BYTES);
    int r = buf_addf(&b, "require '%.*s' return { api = 1, on_close = print }",
                     SLICE_FMT(c->lib));
    for (size_t i = 0; i < b.len; i++)
        if (b.data[i] == '/')
            b.data[i] = '.';
    *out = slice_dup(a, buf_slice(&b));
    buf_fini(&b);
    return r;
}

static void check_one(void *arg, struct slice name)
{
    struct check *c = arg;
    struct loader l;
    loader_init(&l, read_file, c, LIMIT_SCRIPT_MEMORY);
    l.home = c->home;
    c->lib = slice_starts(name, "lib/") ? name : SLICE("");
    struct version *v = load_version(&l, c->lib.len ? LIB_USER : name);
    if (v) {
        const struct source *p = v->sources;
        for (p = c->lib.len ? p->next : p; p && !c->failed; p = p->next)
            c->failed = lint_source(p == v->sources ? v->file : p->name,
                                    p->text, c->out, &c->found);
        if (slice_starts(v->name, "flows/") && !c->failed)
            c->failed = flow_lint(v->file, v->sources->text, c->out, &c->found);
        version_unref(v);
    } else {
        struct slice text = buf_slice(&l.trouble);
        const char *end = memchr(text.at, '\n', text.len);
        if (end)
            text.len = (size_t)(end - text.at);
        c->found++;
        if (buf_add_slice(c->out, text) < 0 || buf_add_char(c->out, '\n') < 0)
            c->failed = ERR_TOOBIG;
    }
    loader_fini(&l);
}

/* What tests share is not run here: no test, no house. path: below home. */
static void check_kit(void *arg, const char *path)
{
    struct check *c = arg;
    struct slice text;
    struct err e = {0};
    struct budget budget;
    char full[PATH_MAX], name[PATH_MAX + 1];
    struct arena *a = arena_new();
    lua_State *L = sandbox_new(&budget, LIMIT_SCRIPT_MEMORY);
    snprintf(full, sizeof full, "%s/%s", c->home, path);
    snprintf(name, sizeof name, "@%s", path);
    int got = files_read_at(full, path, a, &text, &e);
    if (got == 0 && luaL_loadbufferx(L, text.at, text.len, name, "t") != 0)
        got = err_set(&e, ERR_UNPROCESSABLE, "%s", lua_tostring(L, -1));
    if (got < 0) {
        c->found++;
        got = buf_addf(c->out, "%s\n", e.text);
    } else {
        got = lint_source(slice_of(path), text, c->out, &c->found);
    }
    c->failed = c->failed ? c->failed : got;
    budget_close(&budget, L);
    arena_free(a);
}

/* The path below home of a kit's file, NULL: it is none. */
static const char *kit_of(const char *home, const char *file)
{
    size_t n = strlen(home);
    if (strncmp(file, home, n) == 0 && file[n] == '/')
        file += n + 1;
    if (strncmp(file, "./", 2) == 0)
        file += 2;
    size_t m = strlen(file);
    return kit_is(slice_of(file)) && m > 4 && strcmp(file + m - 4, ".lua") == 0
               ? file
               : NULL;
}

/* "rules/x" from any way to say it: a path below home, or below scripts/. */
static bool name_of(const char *file, struct slice *name)
{
    struct slice path = slice_of(file);
    static const char mark[] = "scripts/";
    for (const char *at = file; (at = strstr(at, mark)) != NULL; at++)
        path = slice_of(at + sizeof mark - 1);
    return files_name(path, name);
}

int script_check(const char *home, const char *file, struct buf *out)
{
    struct check c = {.home = home, .out = out};
    struct slice name;
    int got = 0;
    const char *kit = file ? kit_of(home, file) : NULL;
    if (!file) {
        got = files_each(home, check_one, &c);
        kits_each(home, check_kit, &c);
    } else if (kit) {
        check_kit(&c, kit);
    } else if (name_of(file, &name)) {
        check_one(&c, name);
    } else if (buf_addf(out, "%s: this is not the name of a script\n", file) ==
               0) {
        c.found++;
    }
    if (c.failed || got < 0)
        return c.failed ? c.failed : got;
    return c.found ? ERR_UNPROCESSABLE : 0;
}

/* --- tables --------------------------------------------------------------- */

static int refuse(struct err *e, const char *name, struct slice text)
{
    const char *end = memchr(text.at, '\n', text.len);
    if (end)
        text.len = (size_t)(end - text.at);
    struct place p = place_of(text, slice_of(name));
    if (p.line)
        return err_set(e, ERR_UNPROCESSABLE, "%s:%u: %.*s", name, p.line,
                       SLICE_FMT(p.message));
    return err_set(e, ERR_UNPROCESSABLE, "%s: %.*s", name,
                   SLICE_FMT(p.message));
}

static struct slice sentence(lua_State *L)
{
    struct slice s = SLICE("the error is not a text");
    if (lua_type(L, -1) == LUA_TSTRING)
        s.at = lua_tolstring(L, -1, &s.len);
    return s;
}

static int evaluate(lua_State *L, struct slice source, const char *name,
                    struct buf *out, struct err *e)
{
    const char *why;
    bool killed;
    if (luaL_loadbufferx(L, source.at ? source.at : "", source.len, "=table",
                         "t") != 0)
        return refuse(e, name, sentence(L));
    sandbox_push_empty(L);
    lua_setfenv(L, -2);
    if (budget_pcall(L, 0, 1, TABLE_MS, &killed) != 0)
        return refuse(e, name, sentence(L));
    if (!lua_istable(L, -1))
        return refuse(e, name, SLICE("the file must return a table"));
    if (value_write(L, -1, out, &why) < 0)
        return refuse(e, name, slice_of(why));
    return 0;
}

int script_read_table(struct slice source, const char *name, struct arena *a,
                      struct err *e, struct slice *json)
{
    struct budget budget;
    struct buf out;
    *json = SLICE("");
    if (source.len > LIMIT_SCRIPT_BYTES)
        return err_set(e, ERR_TOOBIG, "%s is too long", name);
    lua_State *L = sandbox_new(&budget, TABLE_MEMORY);
    value_open(L);
    buf_init(&out, TABLE_JSON);
    int got = evaluate(L, source, name, &out, e);
    if (got == 0)
        *json = slice_dup(a, buf_slice(&out));
    buf_fini(&out);
    budget_close(&budget, L);
    return got;
}
