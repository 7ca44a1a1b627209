/* SPDX-License-Identifier: Apache-2.0 */
/* api_test.c - the tables say what is there, where it may be called, and how it
 * is called; what is written from them holds together. */
#include "script/api/api.h"
#include "script/api/bind.h"
#include "script/api/modules.h"
#include "script/api/reference.h"
#include "script/load/unit.h"
#include "script/run/sandbox.h"
#include "world.h"

/* --- the tables ----------------------------------------------------------- */

static void each_call(void (*fn)(const struct api_module *m,
                                 const struct api_call *c))
{
    for (const struct api_module *const *m = api_modules; *m; m++)
        for (const struct api_call *c = (*m)->calls; c->name; c++) {
            test_note("%s.%s", (*m)->name, c->name);
            fn(*m, c);
        }
    test_note(" ");
}

static void is_well_written(const struct api_module *m,
                            const struct api_call *c)
{
    struct prototype p;
    CHECK(m->doc && *m->doc);
    CHECK(c->doc && *c->doc);
    CHECK(c->since && *c->since);
    CHECK(c->signature && *c->signature);
    if (c->flags & API_FIELD) {
        CHECK(c->fn == NULL);
        return;
    }
    CHECK(prototype_read(c->signature, &p));
    CHECK(c->where != 0);
    CHECK((c->fn == NULL) == ((c->flags & API_LUA) != 0));
    for (size_t i = 0; i < p.param_count; i++)
        CHECK(p.params[i].name.len && p.params[i].type.len);
    if (c->flags & API_WAITS)
        CHECK(!(c->where & API_LOAD)); /* nothing waits at the top of a file */
}

TEST("every call has a signature that can be read, a place and words")
{
    each_call(is_well_written);
}

static void is_once(const struct api_module *m, const struct api_call *c)
{
    CHECK(api_find(m, c->name) == c);
    CHECK(api_module_find(m->name) == m);
}

TEST("no name is taken twice")
{
    each_call(is_once);
}

/* Words that begin with a capital and stand for themselves, outside of
 * quotes. */
static bool next_type(const char **at, struct slice *out)
{
    bool quoted = false;
    for (const char *p = *at; *p; p++) {
        quoted ^= *p == '"';
        if (quoted || *p < 'A' || *p > 'Z')
            continue;
        *out = (struct slice){p, 0};
        while ((*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z'))
            p++;
        out->len = (size_t)(p - out->at);
        *at = p;
        return true;
    }
    return false;
}

static void is_of_known_types(const struct api_module *m,
                              const struct api_call *c)
{
    static const char *const aliases[] = {"Decision", "Duration", "Kind",
                                          "State", "T"};
    struct slice type;
    (void)m;
    for (const char *at = c->signature; next_type(&at, &type);) {
        char name[100];
        bool known = false;
        snprintf(name, sizeof name, "%.*s", SLICE_FMT(type));
        for (size_t i = 0; i < sizeof aliases / sizeof aliases[0]; i++)
            known |= strcmp(name, aliases[i]) == 0;
        const struct api_module *of = api_module_find(name);
        if (!known && !(of && of->is_object))
            FAIL("nobody says what a %s is", name);
    }
}

TEST("every type that a signature names is described")
{
    each_call(is_of_known_types);
}

/* The part behind the empty line is an example. */
static void has_lua_example(const struct api_module *m,
                            const struct api_call *c)
{
    const char *gap = strstr(c->doc, "\n\n");
    if (!gap)
        return;
    char text[2000];
    snprintf(text, sizeof text, "%s", gap + 2);
    for (char *at; (at = strstr(text, " ... ")) != NULL;)
        memset(at, ' ', 5); /* what is left out */
    lua_State *L = luaL_newstate();
    if (luaL_loadstring(L, text) != 0)
        FAIL("%s.%s: %s", m->name, c->name, lua_tostring(L, -1));
    lua_close(L);
}

TEST("every example is Lua")
{
    each_call(has_lua_example);
}

/* --- what is really there ------------------------------------------------- */

static lua_State *state;

/* Pushes what a script finds under that name. */
static void push_call(const struct api_module *m, const struct api_call *c)
{
    sandbox_push(state);
    if (strcmp(m->name, "globals") != 0) {
        lua_getfield(state, -1, m->name); /* made by being asked for */
        lua_remove(state, -2);
    }
    if (lua_istable(state, -1)) {
        lua_pushstring(state, c->name);
        lua_rawget(state, -2);
        lua_remove(state, -2);
    }
}

static void is_there(const struct api_module *m, const struct api_call *c)
{
    if (m->is_object && strcmp(m->name, "globals") != 0) {
        if (c->flags & API_FIELD)
            return;
        api_methods(state, m);
        lua_getfield(state, -1, c->name);
        lua_remove(state, -2);
    } else {
        push_call(m, c);
    }
    bool is = c->flags & API_FIELD ? !lua_isnil(state, -1)
                                   : lua_isfunction(state, -1);
    CHECK(is);
    lua_pop(state, 1);
}

static void open_state(struct version *v)
{
    *v = (struct version){.magic = VERSION_MAGIC};
    state = v->L = sandbox_new(&v->budget, LIMIT_SCRIPT_MEMORY);
    sandbox_open(state);
}

static void close_state(struct version *v)
{
    budget_close(&v->budget, state);
}

TEST("what the tables name is there")
{
    struct version v;
    open_state(&v);
    each_call(is_there);
    close_state(&v);
}

TEST("what is there, the tables name")
{
    struct version v;
    open_state(&v);
    for (const struct api_module *const *m = api_modules; *m; m++) {
        if (strcmp((*m)->name, "globals") == 0)
            continue;
        api_methods(state, *m);
        for (lua_pushnil(state); lua_next(state, -2); lua_pop(state, 1)) {
            test_note("%s.%s", (*m)->name, lua_tostring(state, -2));
            CHECK(api_find(*m, lua_tostring(state, -2)));
        }
        lua_pop(state, 1);
    }
    close_state(&v);
}

/* --- made when touched ---------------------------------------------------- */

#define SMALL_BYTES (80 * 1024) /* all modules made are 100 KB more */

static bool is_made(const struct api_module *m)
{
    lua_pushlightuserdata(state, (void *)m);
    lua_rawget(state, LUA_REGISTRYINDEX);
    bool is = !lua_isnil(state, -1);
    lua_pop(state, 1);
    return is;
}

/* lua_pcall's status of that text in the sandbox; one value on top. */
static int run_text(const char *text)
{
    CHECK_EQ_INT(luaL_loadstring(state, text), 0);
    sandbox_push(state);
    lua_setfenv(state, -2);
    return lua_pcall(state, 0, 1, 0);
}

static void is_true(const char *text)
{
    test_note("%s", text);
    int status = run_text(text);
    if (status != 0)
        FAIL("%s", lua_tostring(state, -1));
    CHECK(lua_toboolean(state, -1));
    lua_pop(state, 1);
}

TEST("a module is made when it is first touched, and no other")
{
    struct version v;
    open_state(&v);
    for (const struct api_module *const *m = api_modules; *m; m++) {
        test_note("%s", (*m)->name);
        CHECK(!is_made(*m));
    }
    CHECK(v.budget.used < SMALL_BYTES);
    is_true("return http.get ~= nil");
    CHECK(is_made(&http_module));
    CHECK(!is_made(&kv_module));
    is_true("return require 'http' == http and require('kv') == kv");
    CHECK(is_made(&kv_module));
    is_true("return not pcall(function() return htpp end)");
    close_state(&v);
}

TEST("a global may have a module's name, touched or not; require finds it")
{
    struct version v;
    open_state(&v);
    is_true("http = 5 return http == 5 and type(require 'http') == 'table' "
            "and http == 5");
    is_true("local was = kv kv = 6 return kv == 6 and require 'kv' == was");
    is_true("return not pcall(function() htpp = 5 end)");
    close_state(&v);
}

TEST("a module made within a script's limits of memory is whole")
{
    struct version v;
    open_state(&v);
    v.budget.max = v.budget.used + 4096;
    v.budget.enforced = true;
    is_true("return type(kv.once) == 'function'");
    CHECK(v.budget.enforced);
    CHECK_EQ_INT(v.budget.fails, 0);
    v.budget.enforced = false;
    close_state(&v);
}

TEST("what the house writes in Lua does not use what a script put in its place")
{
    struct version v;
    open_state(&v);
    is_true("local mine = function() taken() end "
            "error, next, pcall, type, tostring = mine, mine, mine, mine, mine "
            "math.huge = nil string.find = mine table.concat = mine "
            "return kv.once and cache.new and http.stream and true");
    each_call(is_there);
    close_state(&v);
}

static void on_kill(lua_State *L, lua_Debug *ar)
{
    (void)ar;
    luaL_error(L, "killed");
}

TEST("a module whose handler was killed while it was made is made anew")
{
    struct version v;
    int killed = 0;
    for (int n = 1, status = 1; status != 0; n++) {
        open_state(&v);
        lua_sethook(state, on_kill, LUA_MASKCOUNT, n);
        status = run_text("return kv.once");
        lua_sethook(state, NULL, 0, 0);
        lua_pop(state, 1);
        killed += status != 0 && !is_made(&kv_module);
        is_true("return kv.once ~= nil");
        each_call(is_there);
        close_state(&v);
    }
    CHECK(killed > 10);
}

/* --- gates ---------------------------------------------------------------- */

/* The rule's note when its hook runs this, or its failure's sentence. */
static void says(enum hook hook, const char *body, const char *what)
{
    struct world w;
    char rule[2000], said[1000] = "";
    test_note("%s: %s", hook_name(hook), body);
    snprintf(rule, sizeof rule,
             "return { api = 1, %s = function(conv, msg)\nlocal ok, e = "
             "pcall(function() %s end)\nkv.set('e', ok or e)\nend }",
             hook_name(hook), body);
    world_with(&w, rule);
    struct job *job = world_job(&w, "x");
    job->hook = hook;
    world_run(&w, job);
    for (const struct effect *e = job->first; e; e = e->next)
        if (e->type == EFFECT_KV_SET)
            snprintf(said, sizeof said, "%.*s", SLICE_FMT(e->data));
    if (!strstr(said, what))
        FAIL("it said: %s", said);
    job_free(job);
    world_close(&w);
}

TEST("a call in the wrong hook is refused with the right ones")
{
    says(HOOK_MESSAGE, "conv:reply 'x'", "true");
    says(HOOK_SEND, "conv:reply 'x'",
         "conv:reply may not be called in on_send (only in on_message, "
         "on_conversation, on_timer, on_assign, on_queue, on_close, run)");
    says(HOOK_SEND, "conv:tag 'x'", "true");
    says(HOOK_MESSAGE, "conv:edit { text = 'x' }",
         "conv:edit may not be called in on_message (only in on_inbound, "
         "on_send)");
}

TEST("what waits names the author's line when its argument is none")
{
    says(HOOK_MESSAGE, "http.get(nil)",
         "10-a.lua:2: http wants a url or a table, not nil");
    says(HOOK_MESSAGE, "ai.ask(nil)",
         "10-a.lua:2: ai.ask wants a text or a table, not nil");
    says(HOOK_MESSAGE, "contacts.find 'anna'",
         "10-a.lua:2: contacts.find wants a table, not string");
    says(HOOK_MESSAGE, "kv.get(nil)", "10-a.lua:2: ");
    says(HOOK_MESSAGE, "kv.get(nil)", "must be a text, not nil");
}

TEST("a call that waits is refused while the file is loaded")
{
    struct world w;
    struct err e = {0};
    world_with(&w, "local x = kv.get 'x'\nreturn { api = 1, on_message = "
                   "function() end }");
    CHECK(!script_is_well(w.script, &e));
    if (!strstr(e.text, "10-a.lua:1: kv.get may only be called in a handler"))
        FAIL("it said: %s", e.text);
    world_close(&w);
}

TEST("a name that a module does not have raises with the one that was meant")
{
    says(HOOK_MESSAGE, "kv.gett 'x'",
         "kv has no function 'gett' (did you mean kv.get?)");
    says(HOOK_MESSAGE, "return json.frobnicate",
         "json has no function 'frobnicate'");
    says(HOOK_MESSAGE, "kv.get = 1", "");
    says(HOOK_MESSAGE, "kv.mine = 1",
         "kv belongs to the house: nothing can be added to it");
    says(HOOK_MESSAGE, "return require 'kv' == kv or error 'no'", "true");
}

/* --- what a file may say -------------------------------------------------- */

/* The names after "known are" in what a file with a wrong field is told. */
static void known_fields(const char *unit, char *out, size_t max)
{
    struct world w;
    struct arena *a = arena_new();
    world_init(&w);
    world_write(&w, unit, "return { api = 1, xyzzy = 1 }");
    world_open(&w);
    struct slice said = world_error(&w, a, unit);
    char text[1000];
    snprintf(text, sizeof text, "%.*s", SLICE_FMT(said));
    const char *at = strstr(text, "known are ");
    snprintf(out, max, " %s", at ? at + 10 : "");
    arena_free(a);
    out[strcspn(out, ")")] = '\0';
    world_close(&w);
}

TEST("the fields a rule may have are those of the type Rule")
{
    char known[1000], *rest = NULL;
    const struct api_module *rule = api_module_find("Rule");
    const struct api_module *flow = api_module_find("Flow");
    REQUIRE(rule && flow);
    known_fields("rules/10-a", known, sizeof known);
    for (const struct api_call *c = rule->calls; c->name; c++) {
        char name[100];
        snprintf(name, sizeof name, " %s", c->name);
        test_note("%s in %s", c->name, known);
        const char *at = strstr(known, name);
        CHECK(at && strchr(",", at[strlen(name)])); /* or the end */
    }
    for (char *name = strtok_r(known, " ,", &rest); name;
         name = strtok_r(NULL, " ,", &rest)) {
        test_note("%s", name);
        CHECK(api_find(rule, name) || api_find(flow, name));
    }
}

/* --- what is written of it ------------------------------------------------ */

static void write_as(const char *format, const char *module, struct buf *out)
{
    struct err e = {0};
    buf_clear(out);
    CHECK_EQ_INT(script_reference(format, module, out, &e), 0);
    CHECK(out->len > 0);
}

TEST("the reference is written in every format, for every module")
{
    struct buf out;
    struct arena *a = arena_new();
    struct json *all = NULL;
    size_t modules = 0, count = 0;
    buf_init(&out, 4 * 1024 * 1024);
    write_as("json", "", &out);
    CHECK_EQ_INT(json_parse(a, buf_slice(&out), NULL, &all), 0);
    REQUIRE(all);
    for (const struct api_module *const *m = api_modules; *m; m++) {
        modules++;
        write_as("markdown", (*m)->name, &out);
        CHECK(contains(buf_slice(&out), (*m)->name));
    }
    for (const struct json *m = all->first; m; m = m->next)
        count++;
    CHECK_EQ_INT(count, modules);
    write_as("markdown", "", &out);
    CHECK(contains(buf_slice(&out), "[kv](kv.md)"));
    write_as("luals", "", &out);
    CHECK(contains(buf_slice(&out), "---@alias Duration"));
    CHECK(!contains(buf_slice(&out), "function kv.get(key)"));
    write_as("luals", "kv", &out);
    CHECK(contains(buf_slice(&out), "function kv.get(key)"));
    write_as("luals", "Conversation", &out);
    CHECK(contains(buf_slice(&out), "function Conversation:reply(message)"));
    write_as("luacheck", "", &out);
    CHECK(contains(buf_slice(&out), "  kv = { fields = {"));
    buf_fini(&out);
    arena_free(a);
}

TEST("an unknown format and an unknown module are said to be so")
{
    struct buf out;
    struct err e = {0};
    buf_init(&out, 1000);
    CHECK_EQ_INT(script_reference("pdf", "", &out, &e), ERR_BAD_REQUEST);
    CHECK_EQ_INT(script_reference("json", "nobody", &out, &e), ERR_NOT_FOUND);
    CHECK_EQ_INT(script_reference("json", "", &out, &e), ERR_TOOBIG);
    buf_fini(&out);
}

/* --- signatures ----------------------------------------------------------- */

static void has_parts(const char *text, const char *what)
{
    struct prototype p;
    char got[400] = "";
    int n = 0;
    test_note("%s", text);
    if (!prototype_read(text, &p)) {
        CHECK_EQ_STR("no", what);
        return;
    }
    for (size_t i = 0; i < p.param_count; i++)
        n += snprintf(got + n, sizeof got - (size_t)n, "%.*s%s=%.*s;",
                      SLICE_FMT(p.params[i].name),
                      p.params[i].optional ? "?" : "",
                      SLICE_FMT(p.params[i].type));
    for (size_t i = 0; i < p.result_count; i++)
        n += snprintf(got + n, sizeof got - (size_t)n, "->%.*s",
                      SLICE_FMT(p.results[i].type));
    CHECK_EQ_STR(got, what);
}

TEST("a signature is taken apart at the commas outside of brackets")
{
    has_parts("()", "");
    has_parts("(): integer", "->integer");
    has_parts("(key: string, ttl?: Duration): any|nil, string?",
              "key=string;ttl?=Duration;->any|nil->string?");
    has_parts("(f: fun(a: integer, b: string): boolean, ...: any): T[]",
              "f=fun(a: integer, b: string): boolean;...=any;->T[]");
    has_parts("(x: { a?: string, b: integer }): table<string, any>",
              "x={ a?: string, b: integer };->table<string, any>");
    has_parts("(x: \",)\"|\"b\")", "x=\",)\"|\"b\";");
    has_parts("x", "no");
    has_parts("(x", "no");
    has_parts("(x) y", "no");
    has_parts("(x):", "no");
    has_parts("(a: A, b: A, c: A, d: A, e: A, f: A, g: A, h: A, i: A)", "no");
}
