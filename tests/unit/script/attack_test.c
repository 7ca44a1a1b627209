/* SPDX-License-Identifier: Apache-2.0 */
/* attack_test.c - scripts that try to hurt the house or to get out. Each is
 * stopped or refused, and the rule behind it answers the same event. */
#include "world.h"

static const char bystander[] =
    "return { api = 1, on_message = function(conv) conv:note 'alive' "
    "return true end }";

/* Runs the code in a handler beside an innocent rule; what it was told goes
 * to said. */
static void attack(const char *code, int64_t cpu_ms, char *said, size_t max,
                   int64_t *kills)
{
    struct world w;
    struct arena *a = arena_new();
    char rule[2000];
    snprintf(rule, sizeof rule,
             "return { api = 1, on_message = function(conv, msg)\n%s\nend }",
             code);
    world_init(&w);
    w.conf.cpu_ms = cpu_ms;
    world_write(&w, "rules/10-bad", rule);
    world_write(&w, "rules/20-good", bystander);
    world_open(&w);
    /* Series outlive a test. */
    int64_t before = json_int(world_unit(&w, a, "rules/10-bad"), "kills", 0);
    for (int i = 0; i < 2; i++) { /* the state must live on as well */
        struct job *job = world_say(&w, "hello");
        CHECK(job->decided);
        CHECK_SLICE(job->rule, "rules/20-good");
        CHECK_SLICE(effect_text(job, EFFECT_NOTE), "alive");
        CHECK_EQ_INT(job->count, 1);
        job_free(job);
    }
    struct json *u = world_unit(&w, a, "rules/10-bad");
    struct slice text = world_error(&w, a, "rules/10-bad");
    *kills = json_int(u, "kills", -1) - before;
    snprintf(said, max, "%.*s", SLICE_FMT(text));
    world_close(&w);
    arena_free(a);
}

enum killed { NO, YES, MAYBE }; /* MAYBE: depends on the machine's speed */
struct attack {
    const char *code, *says;
    enum killed kill;
};

static void run_all(const struct attack *list, size_t n, int64_t cpu_ms)
{
    static char said[1200];
    for (size_t i = 0; i < n; i++) {
        int64_t kills = 0;
        test_note("%s", list[i].code);
        attack(list[i].code, cpu_ms, said, sizeof said, &kills);
        if (!strstr(said, list[i].says))
            FAIL("it said: %s", said);
        if (list[i].kill != MAYBE)
            CHECK_EQ_INT(kills, list[i].kill == YES ? 2 : 0);
    }
    test_note("%s", "");
}

#ifdef __SANITIZE_THREAD__
/* Errors unwind through C functions, and each leaves its frames on TSan's own
 * stack until that is full. Races are looked for by the other tests. */
#define run_all(list, n, cpu_ms) ((void)(list), (void)run_all)
#endif
#define RUN(list) run_all(list, sizeof list / sizeof list[0], 20)
/* Time enough to reach the other limit, also under a sanitizer. */
#define RUN_SLOWLY(list) run_all(list, sizeof list / sizeof list[0], 2000)

TEST("endless loops are killed, whatever they wrap themselves in")
{
    static const struct attack list[] = {
        {"while true do end", "killed: used too much CPU", YES},
        {"for i = 1, math.huge do local x = i * 2 end", "killed", YES},
        {"::a:: goto a", "killed", YES},
        {"repeat until false", "killed", YES},
        {"while true do pcall(function() while true do end end) end", "killed",
         YES},
        {"while true do pcall(error) end", "killed", YES},
        {"local function f() return pcall(f) end while true do f() end",
         "killed", YES},
        {"xpcall(function() while true do end end, function() while true do "
         "end end)",
         "killed", YES},
        {"local function f() return f() end f()", "killed", YES},
        {"setmetatable({}, { __index = function() while true do end end }).x()",
         "killed", YES},
        {"local t = setmetatable({}, { __lt = function() while true do end "
         "end }) return t < t",
         "killed", YES},
        {"for k in next, {1} do while true do end end", "killed", YES},
        {"while true do coroutine.wrap(function() while true do end end)() "
         "end",
         "killed", YES},
        {"coroutine.wrap(function() pcall(function() while true do end end) "
         "while true do end end)()",
         "killed", YES},
        {"while true do local c = coroutine.create(print) end", "killed", YES},
        {"while true do log.info 'flood' end", "killed", YES},
        {"while true do string.format('%s', {}) end", "killed", YES},
        {"tostring(setmetatable({}, { __tostring = function() while true do "
         "end end }))",
         "killed", YES},
        {"('x'):rep(1000):gsub('.', function() while true do end end)",
         "killed", YES},
        {"while true do pcall(http.get, 1) end", "killed", YES},
        {"while true do pcall(kv.set, 'k', print) end", "killed", YES},
        {"while true do pcall(conv.reply, conv, {}) end", "killed", YES},
    };
    RUN(list);
}

TEST("sorting with a hostile comparison is stopped")
{
    static const struct attack list[] = {
        {"table.sort({ 3, 1, 2 }, function() while true do end end)", "killed",
         YES},
        {"local t = {} for i = 1, 200 do t[i] = i end "
         "table.sort(t, function() return true end)",
         "invalid order", NO},
        {"table.sort({ 3, 1, 2 }, function() error 'x' end)", "x", NO},
        {"table.sort({ 1, 'a', {} })", "attempt to compare", NO},
        {"local t = {} for i = 1, 3e5 do t[i] = -i end while true do "
         "table.sort(t) end",
         "killed", YES},
        {"local s = ('a'):rep(1e5) local t = {} for i = 1, 500 do "
         "t[i] = s .. i end while true do table.sort(t) end",
         "killed", YES},
        {"local t = {} for i = 1, 200 do t[i] = i end "
         "table.sort(t, function(a, b) sleep '1ms' return a < b end)",
         "callback of gsub or sort", NO},
    };
    RUN(list);
}

/* In another hook than on_message; the message is stored by nobody here. */
static struct job *screened(struct world *w, const char *rule)
{
    world_init(w);
    world_write(w, "rules/10-bad", rule);
    world_write(w, "rules/20-good",
                "return { api = 1, on_inbound = function(conv, msg) "
                "conv:tag 'alive' end, on_send = function(conv, msg) "
                "conv:tag 'alive' end, on_message = function(conv) "
                "conv:reply 'one' conv:reply 'two' end }");
    world_open(w);
    struct job *job = world_job(w, "hello");
    job->hook = HOOK_INBOUND;
    return job;
}

TEST("edits without end meet the effects' limit and leave no memory behind")
{
    static const char *const list[] = {
        "for i = 1, 1e9 do conv:edit{ text = 't' .. i } end",
        "for i = 1, 1e9 do pcall(conv.edit, conv, { x = ('y'):rep(60000) }) "
        "end",
        "for i = 1, 1e9 do pcall(conv.set_contact, conv, { attributes = { a = "
        "('y'):rep(30000) } }) end",
        "for i = 1, 1e9 do pcall(conv.edit, conv, { ['k' .. i] = i }) end",
        "local t = {} for i = 1, 1e4 do t['k' .. i] = i end while true do "
        "pcall(conv.edit, conv, t) end",
        "local t = { text = 'x' } for i = 1, 200 do t = { text = 'x', a = t } "
        "end while true do pcall(conv.edit, conv, t) end",
        "while true do pcall(conv.reject, conv, ('x'):rep(1e6)) end",
    };
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
        struct world w;
        struct arena *a = arena_new();
        char rule[600];
        test_note("%s", list[i]);
        snprintf(rule, sizeof rule,
                 "return { api = 1, on_inbound = function(conv, msg) %s end }",
                 list[i]);
        struct job *job = world_run(&w, screened(&w, rule));
        CHECK_EQ_INT(job->failures, 1);
        CHECK_EQ_INT(job->count, 1);
        CHECK_SLICE(effect_text(job, EFFECT_TAG), "alive");
        CHECK_SLICE(job->text, "hello");
        CHECK(contains(job->event.body, "\"text\":\"hello\""));
        CHECK(arena_bytes(job->arena) < 16 * 1024 * 1024);
        job_free(job);
        world_close(&w);
        arena_free(a);
    }
    test_note("%s", "");
}

TEST("acts tried again past the limit cost the event no memory")
{
    static const char *const list[] = {
        "conv.reply, conv, ('x'):rep(16000)",
        "conv.note, conv, ('x'):rep(16000)",
        "conv.set, conv, 'k', ('x'):rep(60000)",
        "conv.after, conv, '1m', 'n', ('x'):rep(60000)",
        "kv.set, 'k', ('x'):rep(60000)",
        "conv.tag, conv, tostring({})",
    };
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
        struct world w;
        char rule[600];
        test_note("%s", list[i]);
        snprintf(rule, sizeof rule,
                 "return { api = 1, on_timer = print, on_message = "
                 "function(conv) while true do pcall(%s) end end }",
                 list[i]);
        world_with(&w, rule);
        struct job *job = world_say(&w, "x");
        CHECK_EQ_INT(job->failures, 1);
        CHECK_EQ_INT(job->count, 0);
        CHECK(arena_bytes(job->arena) < 16 * 1024 * 1024);
        job_free(job);
        world_close(&w);
    }
    test_note("%s", "");
}

TEST("a hostile on_send holds up no reply, and cannot reply itself")
{
    static const char *const list[] = {
        "while true do end",
        "conv:reply 'again'",
        "while true do pcall(conv.reply, conv, 'again') end",
        "while true do pcall(conv.edit, conv, { text = msg.text .. '!' }) end",
        "conv:edit{ text = 'x' } sleep '1ms' error 'x'",
        "for i = 1, 1e9 do conv:tag('t' .. i) end",
    };
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
        struct world w;
        char rule[600];
        test_note("%s", list[i]);
        snprintf(rule, sizeof rule,
                 "return { api = 1, on_send = function(conv, msg) %s end }",
                 list[i]);
        struct job *job = screened(&w, rule);
        job->hook = HOOK_MESSAGE;
        world_run(&w, job);
        CHECK_EQ_INT(job->failures, 2);
        CHECK_EQ_INT(effect_count(job, EFFECT_REPLY), 2);
        CHECK_SLICE(effect_text(job, EFFECT_REPLY), "one");
        CHECK_SLICE(effect_text(job, EFFECT_TAG), "alive");
        CHECK(job->count <= LIMIT_EFFECTS);
        job_free(job);
        world_close(&w);
    }
    test_note("%s", "");
}

static int parts_seen;

static void on_flood_part(void *arg, struct job *part)
{
    parts_seen++;
    part->done(part);
}

TEST("a flood of waits gives at most as many parts as effects")
{
    struct world w;
    world_init(&w);
    parts_seen = 0;
    w.conf.on_part = on_flood_part;
    world_write(&w, "rules/10-bad",
                "return { api = 1, limits = { wall = '300ms' }, on_message = "
                "function(conv) local i = 0 while true do i = i + 1 "
                "pcall(conv.note, conv, 'n' .. i) sleep '0ms' end end }");
    world_write(&w, "rules/20-good", bystander);
    world_open(&w);
    struct job *job = world_say(&w, "x");
    CHECK_EQ_INT(parts_seen, LIMIT_EFFECTS - 0);
    CHECK_EQ_INT(job->failures, 2); /* the bystander's note was one too many */
    job_free(job);
    world_close(&w);
}

TEST("hundreds of failing rules leave a trace within its bytes")
{
    struct world w;
    char name[40];
    world_init(&w);
    for (int i = 0; i < 150; i++) {
        snprintf(name, sizeof name, "rules/%03d-bad", i + 100);
        world_write(&w, name,
                    "return { api = 1, on_message = function() "
                    "error(('\\195\\188\\0\\n'):rep(4000), 0) end }");
    }
    world_write(&w, "rules/999-good", bystander);
    world_open(&w);
    struct job *job = world_say(&w, "x");
    struct json *hops = NULL;
    CHECK_EQ_INT(job->failures, 150);
    CHECK_SLICE(effect_text(job, EFFECT_NOTE), "alive");
    CHECK(job->hops.len <= LIMIT_TRACE_BYTES);
    CHECK_EQ_INT(json_parse(job->arena, job->hops, NULL, &hops), 0);
    job_free(job);
    world_close(&w);
}

TEST("memory bombs meet the cap, caught or not")
{
    static const struct attack list[] = {
        {"local t = {} while true do t[#t + 1] = {} end", "killed", YES},
        {"local s = 'x' while true do s = s .. s end",
         "killed: not enough memory", YES},
        {"pcall(function() local s = 'x' while true do s = s .. s end end)",
         "killed: not enough memory", YES},
        {"local t = {} for i = 1, 4e5 do t[i] = 'abcdefghijklmnopqrst' end "
         "for i = 1, 30 do t[#t + 1] = table.concat(t) end",
         "killed", YES},
        {"return ('x'):rep(1e9)", "over 8 MB", NO},
        {"return ('x').rep('xy', 2^40)", "over 8 MB", NO},
        {"local t = {} for i = 1, 20 do t[i] = ('x'):rep(7e6) .. i end",
         "killed: not enough memory", YES},
        {"return ('x'):rep(8e6):gsub('x', 'yyyyyyyyyyyyyyyy')", "over 1 MB",
         NO},
        {"return ('x'):rep(1e6):gsub('x', ('y'):rep(1000))",
         "killed: not enough memory", YES},
        {"return { unpack({}, 1, 1e7) }", "too many results", NO},
        {"return string.char(unpack({}, 1, 1e6))", "too many results", NO},
        {"local t = {} t[1] = t for i = 1, 1e4 do t = { t } end "
         "json.encode(t)",
         "nested too deep", NO},
        {"json.decode(('['):rep(5000))  error 'still here'", "still here", NO},
        {"local t = {} for i = 1, 1e9 do t[i] = i end", "killed", YES},
        {"local f = function() end for i = 1, 1e9 do local g = f f = "
         "function() return g() end end",
         "killed", YES},
        {"local list = {} while true do list[#list + 1] = coroutine.create("
         "function() coroutine.yield(('x'):rep(100)) end) "
         "coroutine.resume(list[#list]) end",
         "killed", YES},
    };
    RUN_SLOWLY(list);
}

TEST("deep recursion ends as an error, on the C stack as well")
{
    static const struct attack list[] = {
        {"local function f() return 1 + f() end f()", "stack overflow", NO},
        {"local function f() pcall(f) error 'out' end f()", "", MAYBE},
        {"local function f() return (('a'):gsub('a', f)) end f()",
         "nested too deep", NO},
        {"local function f() table.sort({ 1, 2 }, function(a, b) f() return "
         "a < b end) end f()",
         "nested too deep", NO},
        {"local t = setmetatable({}, {}) getmetatable(t).__tostring = "
         "function(x) return string.format('%s', x) end tostring(t)",
         "nested too deep", NO},
        {"local t = setmetatable({}, {}) getmetatable(t).__tostring = "
         "tostring tostring(t)",
         "", MAYBE},
        {"local t = setmetatable({}, {}) getmetatable(t).__tostring = "
         "function(x) log.info(x) return '' end log.info(t)",
         "", NO},
        {"local function f() return coroutine.wrap(f)() end f()",
         "nested too deep", NO},
        {"local function f() local c = coroutine.create(f) "
         "local ok, why = coroutine.resume(c) error(why, 0) end f()",
         "nested too deep", NO},
        {"local t = setmetatable({}, {}) getmetatable(t).__index = t "
         "return t.x",
         "loop", NO},
        {"error(setmetatable({}, { __tostring = function() while true do end "
         "end }))",
         "the error is a table", NO},
        {"error(('x'):rep(1e6))", "xxxx", NO},
        {"error('\\255\\254\\1bad')", "??\1bad", NO},
        {"return ('('):rep(300) .. ('x'):find(('('):rep(300))", "malformed",
         NO},
    };
    RUN(list);
}

TEST("catastrophic patterns give up")
{
    static const struct attack list[] = {
        {"return ('a'):rep(400):find('.-.-.-.-b')", "too many steps", MAYBE},
        {"return ('a'):rep(1e5):match('(.*)*x*x*b')", "", MAYBE},
        {"return ('a'):rep(2000):gsub('.-.-b', '')", "too many steps", MAYBE},
        {"for x in ('a'):rep(2000):gmatch('.-.-b') do end", "too many steps",
         MAYBE},
        {"return ('('):rep(1e5):find('%b()')", "too many steps", MAYBE},
        {"return ('a'):rep(1e5):find(('a-'):rep(150) .. 'b')", "", MAYBE},
        {"while true do ('a'):rep(1e6):find(('a'):rep(5e5) .. 'b', 1, true) "
         "end",
         "killed", YES},
        {"return ('a'):find('[a')", "missing ']'", NO},
        {"return ('a'):find('%')", "ends with '%'", NO},
        {"return ('a'):rep(40):find(('(a)'):rep(40))", "too many captures", NO},
    };
    RUN(list);
}

TEST("what is not on the list is not there")
{
    static const char *const names[] = {"getfenv",
                                        "setfenv",
                                        "load",
                                        "loadstring",
                                        "loadfile",
                                        "dofile",
                                        "debug",
                                        "io",
                                        "package",
                                        "jit",
                                        "ffi",
                                        "newproxy",
                                        "collectgarbage",
                                        "gcinfo",
                                        "module",
                                        "_G",
                                        "rawlen",
                                        "native",
                                        "AWAIT",
                                        "os.execute",
                                        "os.getenv",
                                        "os.exit",
                                        "os.remove",
                                        "string.dump",
                                        "table.foreach",
                                        "coroutine.isyieldable",
                                        "math.nothing"};
    char code[300], said[1200];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        int64_t kills;
        test_note("%s", names[i]);
        snprintf(code, sizeof code,
                 "error(%s == nil and 'it is absent' or 'IT IS THERE', 0)",
                 names[i]);
        attack(code, 20, said, sizeof said, &kills);
        if (!strstr(said, "it is absent") && !strstr(said, "unknown name"))
            FAIL("%s: %s", names[i], said);
    }
    test_note("%s", "");
}

TEST("no way out by metatables, requires, bytecode or other tasks")
{
    static const struct attack list[] = {
        {"getmetatable('').__index.rep = nil", "attempt to index", NO},
        {"assert(getmetatable('') == false) error('held', 0)", "held", NO},
        {"setmetatable('x', {})", "table expected", NO},
        {"assert(getmetatable(conv) == 'conv') error('held', 0)", "held", NO},
        {"setmetatable(conv, {})", "protected", NO},
        {"setmetatable(msg, {})", "protected", NO},
        {"rawset(conv, 1, 0) conv:note 'x'", "event that is over", NO},
        {"rawset(conv, 2, setmetatable({}, { __newindex = function() error "
         "'in' end })) local x = conv.id error('held', 0)",
         "held", NO},
        {"local x = conv.state conv.state = 'open'", "cannot be set", NO},
        {"for k in pairs(conv) do end", "no list of its fields", NO},
        {"kv.set('k', conv)", "no JSON form", NO},
        {"rawset(msg, 1, 0) return msg.sender", "event that is over", NO},
        {"rawset(msg, 1, {}) for k in pairs(msg) do end", "event that is over",
         NO},
        {"rawset(msg, 1, 0/0) json.encode(msg)", "event that is over", NO},
        {"setmetatable(json.array{}, {})", "protected", NO},
        {"require 'io'", "top of the file", NO},
        {"require '../../etc/passwd'", "top of the file", NO},
        {"local ok = pcall(coroutine.resume, coroutine.running()) "
         "error(tostring(coroutine.running()), 0)",
         "nil", NO},
        {"string.format = nil string.rep = function() return 'mine' end "
         "error(('x'):rep(2), 0)",
         "mine", NO},
        {"local c = coroutine.create(function() sleep '5ms' end) "
         "coroutine.resume(c) error(coroutine.status(c), 0)",
         "dead", NO},
        {"local c c = coroutine.wrap(function() c() end) c()", "cannot resume",
         NO},
        {"conv.set({}, 1)", "colon", NO},
        {"kv.get(('k'):rep(300))", "1 to 200", NO},
        {"sleep '1ms' while true do end", "killed", YES},
        {"('x'):gsub('x', function() sleep '1ms' end)",
         "callback of gsub or sort", NO},
    };
    RUN(list);
}

TEST("a file cannot misbehave while it is loaded")
{
    static const struct {
        const char *file, *says;
    } list[] = {
        {"while true do end", "killed: loading took too much"},
        {"pcall(function() while true do end end) while true do end", "killed"},
        {"local t = {} while true do t[#t + 1] = ('x'):rep(100000) .. #t end",
         "memory"},
        {"pcall(function() local s = 'x' while true do s = s .. s end end) "
         "return { api = 1, on_message = print }",
         "memory"},
        {"sleep '1s' return {}", "only be called in a handler"},
        {"kv.get 'x'", "only be called in a handler"},
        {"http.get 'http://x'", "only be called in a handler"},
        {"agents.online()", "only be called in a handler"},
        {"\033LJ\2\2", "attempt to load chunk with wrong mode"},
        {"return { api = 1, on_message = 1 }", "must be a function"},
        {"return { api = 1 }", "needs a hook"},
        {"return { on_message = print }", "api = 1"},
        {"return { api = 2, on_message = print }", "api = 1 only"},
        {"return 5", "must return a table"},
        {"", "must return a table"},
        {"return { api = 1, on_message = print, on_mesage = 1 }",
         "unknown field 'on_mesage'"},
        {"return { api = 1, on_message = print, match = { txt = 'x' } }",
         "match.txt is unknown"},
        {"return { api = 1, on_message = print, match = { state = 'x' } }",
         "match.state must be"},
        {"return { api = 1, on_message = print, match = { text = {} } }",
         "match.text must be a list"},
        {"return { api = 1, on_message = print, priority = 'x' }",
         "whole number"},
        {"return { api = 1, on_timer = print, every = '1ms' }", "at least"},
        {"return { api = 1, on_message = print, every = '1m' }",
         "every needs on_timer"},
        {"return { api = 1, run = print }", "below flows/"},
        {"return { api = 1, on_event = print }", "needs events ="},
        {"return { api = 1, events = { 'contact.updated' } }", "needs a hook"},
        {"return { api = 1, on_event = print, events = { '*' } }",
         "'*' is no event"},
        {"return { api = 1, on_event = print, events = {} }", "list of event"},
        {"return { api = 1, on_message = print, deadline = '31s' }",
         "deadline must be"},
        {"return { api = 1, on_message = print, limits = { cpu = 5 } }",
         "limits.cpu must be"},
        {"return { api = 1, on_message = print, limits = { memory = '8' } }",
         "limits.memory must be"},
        {"return { api = 1, on_message = print, limits = { memory = '1KB' } }",
         "less than the loaded file needs"},
        {"return { api = 1, on_message = print, limits = { gold = 1 } }",
         "limits.gold is unknown"},
        {"require 'lib.missing'", "No such file"},
        {"require 'lib.../x'", "must be one of"},
        {"require 'os'", "must be one of"},
        {"return setmetatable({}, { __index = function() while true do end "
         "end })",
         "api = 1"},
        {"local x = \n\n)", "unexpected symbol"},
    };
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
        struct world w;
        struct arena *a = arena_new();
        test_note("%s", list[i].file);
        world_init(&w);
        world_write(&w, "rules/10-bad", list[i].file);
        world_write(&w, "rules/20-good", bystander);
        world_open(&w);
        struct slice said = world_error(&w, a, "rules/10-bad");
        if (!contains(said, list[i].says))
            FAIL("it said: %.*s", SLICE_FMT(said));
        struct job *job = world_say(&w, "x");
        CHECK_SLICE(effect_text(job, EFFECT_NOTE), "alive");
        CHECK(!script_is_well(w.script, NULL));
        job_free(job);
        world_close(&w);
        arena_free(a);
    }
    test_note("%s", "");
}

TEST("five kills within a minute switch a script off until it changes")
{
    struct world w;
    struct arena *a = arena_new();
    struct err e = {0};
    world_init(&w);
    w.conf.cpu_ms = 10;
    world_write(&w, "rules/10-bad",
                "return { api = 1, on_message = function() while true do end "
                "end }");
    world_write(&w, "rules/20-good", bystander);
    world_open(&w);
    for (int i = 0; i < 5; i++)
        job_free(world_say(&w, "x"));
    struct json *u = world_unit(&w, a, "rules/10-bad");
    CHECK_SLICE(json_text(u, "state"), "quarantined");
    CHECK(!script_is_well(w.script, &e));
    CHECK(strstr(e.text, "switched off") != NULL);
    int64_t calls = json_int(u, "calls", 0);
    struct job *job = world_say(&w, "x");
    CHECK_SLICE(effect_text(job, EFFECT_NOTE), "alive");
    job_free(job);
    u = world_unit(&w, a, "rules/10-bad");
    CHECK_EQ_INT(json_int(u, "calls", 0), calls); /* not asked any more */
    world_rewrite(&w, "rules/10-bad",
                  "return { api = 1, on_message = function(conv) "
                  "conv:note 'better' end }");
    u = world_unit(&w, a, "rules/10-bad");
    CHECK_SLICE(json_text(u, "state"), "serving");
    job = world_say(&w, "x");
    CHECK_SLICE(effect_text(job, EFFECT_NOTE), "better");
    job_free(job);
    CHECK(script_is_well(w.script, NULL));
    world_close(&w);
    arena_free(a);
}

TEST("much garbage is not a memory bomb")
{
    struct world w;
    world_init(&w);
    w.conf.cpu_ms = 2000;
    world_write(&w, "rules/10-a",
                "return { api = 1, on_message = function(conv)\n"
                "for i = 1, 3000 do local s = ('x'):rep(50000) .. i end\n"
                "conv:note 'done' end }");
    world_open(&w);
    struct job *job = world_say(&w, "x");
    CHECK_SLICE(effect_text(job, EFFECT_NOTE), "done");
    job_free(job);
    world_close(&w);
}
