/* SPDX-License-Identifier: Apache-2.0 */
/* bind_flow.c - flow.*: starting flows, and the natives a flow's waits and
 * steps are made of (their Lua half is lua/flow.lua, saga.lua, states.lua).
 *
 * Happy path: an entry of the log gives the result; without one a wait parks
 * the run by yielding, and nothing ever resumes it. Failure modes: called
 * outside of a flow, or a wait inside a step: raised; a log that does not fit:
 * the run is broken (play.h) and yields as well.
 */
#include "script/bind_flow.h"
#include "base/clock.h"
#include "base/limits.h"
#include "script/bind_conv.h"
#include "script/lua_source.h"
#include "script/modules.h"
#include "script/play.h"
#include "script/unit.h"
#include "script/worker.h"
#include <stdio.h>
#include <string.h>

#define WAIT_MOST_MS (400LL * 24 * 3600 * 1000)
#define BACKOFF_MOST_MS (3600LL * 1000)
#define TRIES_MOST 100

static const char await_key = 0; /* its address: the scheduler's token */

/* --- whose flow ----------------------------------------------------------- */

static struct play *find_play(lua_State *L)
{
    struct task *t = bind_version(L)->running;
    return t ? t->play : NULL;
}

static struct play *the_play(lua_State *L)
{
    struct play *p = find_play(L);
    if (!p)
        bind_raise(L, "this may only be called while a flow runs (a file in "
                      "scripts/flows)");
    if (p->stopped)
        bind_raise(L, "what waits cannot be called inside a callback of gsub "
                      "or sort, nor in a metamethod");
    return p;
}

/* A call that leaves an entry of its own. */
static struct play *outside(lua_State *L, const char *what)
{
    struct play *p = the_play(L);
    if (p->in_step)
        bind_raise(L, "%s cannot be called inside flow.step", what);
    return p;
}

void bind_in_step(lua_State *L, const char *what)
{
    const struct play *p = find_play(L);
    if (p && !p->in_step)
        bind_raise(L,
                   "in a flow put %s into flow.step(name, function() ... end) "
                   "so that its result is kept",
                   what);
}

/* --- values --------------------------------------------------------------- */

static int stop(lua_State *L)
{
    lua_pushlightuserdata(L, (void *)&await_key);
    lua_rawget(L, LUA_REGISTRYINDEX);
    return lua_yield(L, 1);
}

/* Pushes the values of an entry: [null, "timeout"] is nil, "timeout". */
static int push_values(lua_State *L, const struct json *list)
{
    int n = 0;
    const struct json *v = json_is(list, JSON_ARRAY) ? list->first : NULL;
    luaL_checkstack(L, list ? (int)list->count + 4 : 4, "too many values");
    for (; v; v = v->next, n++) {
        if (v->type == JSON_NULL)
            lua_pushnil(L);
        else
            value_push(L, v);
    }
    return n;
}

/* The values from stack index `from` up as a JSON array, in the job's arena;
 * at is NULL and the play is broken if one has no JSON form. */
static struct slice values_of(lua_State *L, struct play *p, int from,
                              const char *kind, const char *name)
{
    int top = lua_gettop(L);
    const char *why = "";
    struct buf *out = bind_buf(L, LIMIT_FLOW_LOG);
    int got = buf_add_char(out, '[');
    while (top > from && lua_isnil(L, top))
        top--;
    for (int i = from; i <= top && got == 0; i++) {
        got = i > from ? buf_add_char(out, ',') : 0;
        got = got < 0 ? got : value_write(L, i, out, &why);
    }
    if (got < 0 || (got = buf_add_char(out, ']')) < 0) {
        play_break(p, "%s '%s': its result cannot be kept: %s", kind, name,
                   got == ERR_TOOBIG ? "it has more than 64 KB; return only "
                                       "what the flow needs"
                                     : why);
        return (struct slice){0};
    }
    return slice_dup(p->task->job->arena, buf_slice(out));
}

/* The text at arg as a name of an entry: at most PLAY_NAME bytes of it. */
static const char *name_at(lua_State *L, int arg, char out[PLAY_NAME + 1])
{
    struct slice s = bind_slice(L, arg);
    size_t n = s.len < PLAY_NAME ? s.len : PLAY_NAME;
    while (n && n < s.len && ((unsigned char)s.at[n] & 0xc0) == 0x80)
        n--;
    memcpy(out, s.at, n);
    out[n] = '\0';
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)out[i] < ' ')
            out[i] = ' ';
    return slice_is_utf8((struct slice){out, n}) ? out : "?";
}

static int close_with(lua_State *L, struct play *p, const char *kind,
                      const char *name, struct slice values)
{
    const struct json *kept;
    if (!play_close(p, kind, name, 0, values, &kept))
        return stop(L);
    return push_values(L, kept);
}

/* --- waits ---------------------------------------------------------------- */

static int begin_wait(lua_State *L, struct play *p, const char *kind,
                      const char *name, int64_t ms)
{
    char text[64] = "", time[24];
    bool reply = strcmp(kind, "reply") == 0;
    bool held = p->now.state == CONV_OPEN || p->now.state == CONV_SNOOZED;
    if (reply && held)
        return close_with(L, p, kind, name, SLICE("[null,\"taken\"]"));
    int64_t due = ms < 0 ? 0 : play_wall(p) + ms;
    play_wait(p, kind, name, due, 0);
    if (ms >= 0)
        play_duration(time, ms);
    snprintf(text, sizeof text, "%s%s%s", kind, ms < 0 ? "" : " ",
             ms < 0 ? "" : time);
    play_park(p, reply ? FLOW_WAITING : FLOW_SLEEPING, due, text);
    return stop(L);
}

/* ms < 0: as long as it takes. */
static int wait_for(lua_State *L, struct play *p, const char *kind,
                    const char *name, int64_t ms)
{
    const struct json *e;
    struct slice values;
    switch (play_next(p, kind, NULL, &e)) {
    case PLAY_KEPT:
        return push_values(L, json_get(e, "v"));
    case PLAY_STOP:
        return stop(L);
    case PLAY_NEW:
        return begin_wait(L, p, kind, name, ms);
    case PLAY_OPEN:
        break;
    }
    if (play_outcome(p, &values))
        return close_with(L, p, kind, name, values);
    play_park(p, *kind == 'r' ? FLOW_WAITING : FLOW_SLEEPING, p->open.due_at,
              "");
    return stop(L);
}

/* A duration of at most 400 days at arg. */
static int64_t time_at(lua_State *L, int arg, const char *what)
{
    int64_t ms = bind_duration(L, arg, what);
    if (ms > WAIT_MOST_MS)
        bind_raise(L, "%s: at most 400 days", what);
    return ms;
}

static int flow_sleep(lua_State *L)
{
    struct play *p = outside(L, "a flow's sleep");
    return wait_for(L, p, "sleep", "", time_at(L, 1, "sleep"));
}

/* flow.wait_reply("10m"), flow.wait_reply() */
static int flow_wait_reply(lua_State *L)
{
    struct play *p = outside(L, "wait_reply");
    bool ever = lua_isnoneornil(L, 1);
    int64_t ms = ever ? -1 : time_at(L, 1, "wait_reply");
    return wait_for(L, p, "reply", "", ms);
}

/* native.flow_wait(name, ms|nil) */
static int flow_wait(lua_State *L)
{
    char name[PLAY_NAME + 1];
    struct play *p = outside(L, "ask");
    lua_Number ms = lua_isnoneornil(L, 2) ? -1 : luaL_checknumber(L, 2);
    return wait_for(L, p, "reply", name_at(L, 1, name), (int64_t)ms);
}

/* native.flow_ms(duration, what) -> ms */
static int flow_ms(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)time_at(L, 1, luaL_checkstring(L, 2)));
    return 1;
}

/* native.flow_conv() -> conv, for a reply */
static int flow_conv(lua_State *L)
{
    struct play *p = outside(L, "ask");
    if (!p->task->job->conv.id)
        bind_raise(L, "this flow has no conversation to ask in");
    bind_push_conv(L, p->task);
    return 1;
}

/* --- steps ---------------------------------------------------------------- */

/* native.flow_step_begin(kind, name) -> true, tries, values... (it is done)
 * or false, tries (do it now) */
static int flow_step_begin(lua_State *L)
{
    char room[PLAY_NAME + 1];
    const char *kind = luaL_checkstring(L, 1);
    struct play *p = outside(L, kind);
    const char *name = name_at(L, 2, room);
    const struct json *e = NULL;
    uint32_t tries = 0;
    switch (play_next(p, kind, name, &e)) {
    case PLAY_STOP:
        return stop(L);
    case PLAY_KEPT:
        lua_pushboolean(L, 1);
        lua_pushinteger(L, (lua_Integer)json_int(e, "t", 0));
        return 2 + push_values(L, json_get(e, "v"));
    case PLAY_OPEN:
        tries = p->open.tries;
        if (p->open.due_at > play_wall(p)) {
            play_park(p, FLOW_READY, p->open.due_at, "");
            return stop(L);
        }
        break;
    case PLAY_NEW:
        break;
    }
    play_step_begin(p);
    lua_pushboolean(L, 0);
    lua_pushinteger(L, (lua_Integer)tries);
    return 2;
}

struct
try {
    const char *kind, *name;
    uint32_t tries, most; /* failed so far; that may fail and be tried again */
    int64_t backoff_ms;
};

static int try_again(lua_State *L, struct play *p, const struct try *y)
{
    char text[64], time[24];
    int64_t ms = y->backoff_ms;
    for (uint32_t i = 0; i < y->tries && ms < BACKOFF_MOST_MS; i++)
        ms *= 2;
    if (ms > BACKOFF_MOST_MS)
        ms = BACKOFF_MOST_MS;
    int64_t due = play_wall(p) + ms;
    play_wait(p, y->kind, y->name, due, y->tries + 1);
    play_duration(time, ms);
    snprintf(text, sizeof text, "retry %s", time);
    play_park(p, FLOW_READY, due, text);
    return stop(L);
}

/* What undoes a step must work in the end: people look at it. */
static int stuck(lua_State *L, struct play *p, const struct try *y,
                 const char *why)
{
    lua_pushfstring(L, "%s '%s' failed %d times, the last time: %s", y->kind,
                    y->name, (int)y->tries + 1, why);
    struct slice text = bind_slice(L, -1);
    play_wait(p, y->kind, y->name, 0, y->tries + 1);
    play_stuck(p, text);
    return stop(L);
}

#define KEEP (-1000) /* no number of results, nor lua_yield's */

/* It failed for good; the stack from 6 on is ok and the values. */
static int failed(lua_State *L, struct play *p, const struct try *y, bool ok)
{
    const char *why = lua_tostring(L, ok ? 8 : 7);
    bool is_step = strcmp(y->kind, "step") == 0;
    if (!why)
        why = "(the error is not a text)";
    if (strcmp(y->kind, "undo") == 0)
        return stuck(L, p, y, why);
    if (ok)
        return KEEP; /* like a result: nil, code, detail */
    if (is_step) {
        lua_pushboolean(L, 0);
        lua_pushstring(L, why);
        return 2;
    }
    lua_settop(L, 6);
    lua_pushnil(L);
    lua_pushliteral(L, "error");
    lua_pushstring(L, why);
    return KEEP;
}

/* Its values, from stack index 7 on, are kept; then it is stored if the step
 * has waited, before anything else happens. */
static int keep(lua_State *L, struct play *p, const struct try *y, bool waited)
{
    const struct json *kept;
    struct slice values = values_of(L, p, 7, y->kind, y->name);
    if (!values.at || !play_close(p, y->kind, y->name, y->tries, values, &kept))
        return stop(L);
    if (waited) {
        play_park(p, FLOW_READY, 0, "its turn");
        return stop(L);
    }
    lua_pushboolean(L, 1);
    return 1 + push_values(L, kept);
}

/* native.flow_step_end(kind, name, tries, most, backoff_ms, ok, ...) -> true,
 * values... or false, error (of a step) */
static int flow_step_end(lua_State *L)
{
    char room[PLAY_NAME + 1];
    struct play *p = the_play(L);
    struct try y = {luaL_checkstring(L, 1), name_at(L, 2, room),
                    (uint32_t)luaL_checkinteger(L, 3),
                    (uint32_t)luaL_checkinteger(L, 4),
                    (int64_t)luaL_checknumber(L, 5)};
    bool ok = lua_toboolean(L, 6);
    bool good = ok && !(lua_isnil(L, 7) && lua_type(L, 8) == LUA_TSTRING);
    bool waited = play_step_end(p, good);
    if (!good && p->task->version->drained) {
        play_park(p, FLOW_READY, 0, "a new version of its script");
        return stop(L);
    }
    if (!good && y.tries < y.most)
        return try_again(L, p, &y);
    int n = good ? KEEP : failed(L, p, &y, ok);
    return n == KEEP ? keep(L, p, &y, waited) : n;
}

/* --- states and people's view --------------------------------------------- */

/* native.flow_state() -> name, data, text where a flow of states is now */
static int flow_state(lua_State *L)
{
    struct play *p = outside(L, "flow.states");
    const struct json *e;
    switch (play_next(p, "state", NULL, &e)) {
    case PLAY_STOP:
        return stop(L);
    case PLAY_KEPT:
        value_push_slice(L, json_text(e, "n"));
        return 1 + push_values(L, json_get(e, "v"));
    default:
        return 0;
    }
}

/* native.flow_enter(name, data, text) -> data, text; the log begins anew */
static int flow_enter(lua_State *L)
{
    char room[PLAY_NAME + 1];
    struct play *p = outside(L, "flow.states");
    const char *name = name_at(L, 1, room);
    struct slice values = values_of(L, p, 2, "state", name);
    if (!values.at)
        return stop(L);
    play_forget(p);
    return close_with(L, p, "state", name, values);
}

/* native.flow_view("state", name), native.flow_view("saga", table) */
static int flow_view(lua_State *L)
{
    struct play *p = the_play(L);
    struct slice which = bind_slice(L, 1);
    const char *why;
    if (slice_is(which, "state")) {
        p->state = slice_dup(p->task->job->arena, bind_slice(L, 2));
        return 0;
    }
    struct buf *out = bind_buf(L, LIMIT_FLOW_LOG / 2);
    if (value_write(L, 2, out, &why) == 0)
        p->saga = slice_dup(p->task->job->arena, buf_slice(out));
    return 0;
}

/* conv:live(): the conversation as it is now; a step of its own */
int conv_live(lua_State *L)
{
    struct task *t = conv_task(L);
    struct play *p = the_play(L);
    const struct json *e;
    struct job *job = t->job;
    enum play_next next =
        p->in_step ? PLAY_NEW : play_next(p, "live", NULL, &e);
    if (next == PLAY_KEPT)
        return push_values(L, json_get(e, "v"));
    if (next != PLAY_NEW)
        return stop(L);
    struct conversation conv = job->conv;
    struct contact contact = job->contact;
    job->conv = p->now;
    job->contact = p->contact;
    lua_settop(L, 1);
    bind_push_fields(L, job);
    job->conv = conv;
    job->contact = contact;
    if (p->in_step)
        return 1;
    struct slice values = values_of(L, p, 2, "live", "");
    return values.at ? close_with(L, p, "live", "", values) : stop(L);
}

/* --- what a flow knows of itself ------------------------------------------ */

static int flow_now(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)the_play(L)->at);
    return 1;
}

static int flow_id(lua_State *L)
{
    char text[ID_TEXT];
    value_push_slice(L, id_text(text, ID_FLOW, the_play(L)->flow->id));
    return 1;
}

static int flow_attempt(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)the_play(L)->flow->attempts + 1);
    return 1;
}

/* As math.random: (), (n), (m, n). */
static int push_random(lua_State *L, double r)
{
    lua_Number low = 1, high = 1;
    if (lua_gettop(L) == 0) {
        lua_pushnumber(L, r);
        return 1;
    }
    high = luaL_checknumber(L, 1);
    if (lua_gettop(L) > 1) {
        low = high;
        high = luaL_checknumber(L, 2);
    }
    if (!(low <= high && high - low < 9e15))
        bind_raise(L, "random: the interval is empty");
    double width = (double)(int64_t)(high - low + 1);
    lua_pushnumber(L, low + (lua_Number)(int64_t)(r * width));
    return 1;
}

static int flow_random(lua_State *L)
{
    return push_random(L, play_random(outside(L, "flow.random")));
}

/* native.flow_runs() -> is a flow outside of its steps? */
static int flow_runs(lua_State *L)
{
    const struct play *p = find_play(L);
    lua_pushboolean(L, p && !p->in_step);
    return 1;
}

static int flow_guard(lua_State *L)
{
    bind_in_step(L, luaL_checkstring(L, 1));
    return 0;
}

/* --- starting and ending -------------------------------------------------- */

static bool serves(const struct task *t, struct slice unit)
{
    const struct run *run = t->job->task;
    for (size_t i = 0; run->plan && i < run->plan->count; i++)
        if (slice_eq(run->plan->at[i]->name, unit))
            return run->plan->at[i]->hook[HOOK_FLOW] != LUA_NOREF;
    return false;
}

/* "refund" -> "flows/refund" in the job's arena */
static struct slice unit_at(lua_State *L, struct task *t, const char *what)
{
    char text[UNIT_NAME];
    struct slice s = bind_text(L, 1, UNIT_NAME - 8, what);
    int n = snprintf(text, sizeof text, "flows/%.*s", SLICE_FMT(s));
    return slice_dup(t->job->arena, (struct slice){text, (size_t)n});
}

static struct effect *effect(lua_State *L, struct task *t,
                             enum effect_type type, struct slice name)
{
    struct effect *e = job_effect(t->job, type);
    if (!e)
        bind_raise(L, "too many effects (at most %d an event)", LIMIT_EFFECTS);
    e->unit = slice_dup(t->job->arena, t->version->name);
    e->name = name;
    return e;
}

static int flow_start(lua_State *L)
{
    struct task *t = bind_task(L, "flow.start");
    lua_settop(L, 2);
    struct slice unit = unit_at(L, t, "flow.start: the flow's name");
    if (!t->job->conv.id)
        return bind_trouble(L, "conflict", "a flow needs a conversation");
    if (!serves(t, unit))
        return bind_trouble(L, "not_found", "there is no such flow");
    if (lua_isnil(L, 2)) {
        lua_newtable(L);
        lua_replace(L, 2);
    }
    struct slice args = bind_json_of(L, 2, LIMIT_FLOW_LOG / 2, "flow.start");
    effect(L, t, EFFECT_FLOW, unit)->data = args;
    lua_pushboolean(L, 1);
    return 1;
}

static int flow_stop(lua_State *L)
{
    struct task *t = bind_task(L, "flow.stop");
    effect(L, t, EFFECT_FLOW_END, unit_at(L, t, "flow.stop: the flow's name"));
    lua_pushboolean(L, 1);
    return 1;
}

/* --- the module ----------------------------------------------------------- */

#define IN_FLOW API_IN(HOOK_FLOW)
static const struct api_call calls[] = {
    {"start", flow_start, API_ACTS, 0,
     "(name: string, args?: any): Decision|nil, string?, string?",
     "Starts scripts/flows/NAME.lua for this conversation. args go to its "
     "run(conv, args); they must have a JSON form. A decision; or nil, "
     "\"not_found\", detail when there is no such flow. It begins when "
     "everything else the handler wants has been stored."
     "\n\nreturn flow.start(\"refund\", { order = \"A17\" })",
     "1"},
    {"stop", flow_stop, API_ACTS, 0, "(name: string): Decision",
     "Ends this conversation's flows of that name; what they have done stays. "
     "Does nothing if there is none.",
     "1"},
    {"ask", NULL, IN_FLOW, API_LUA,
     "(message: string|Body, options?: { timeout?: Duration, name?: string }): "
     "Message|nil, string?",
     "Says something and waits for the visitor's next message. Gives the "
     "message; or nil and why not: \"timeout\", \"taken\" (a person has the "
     "conversation), \"closed\". A text of more than 4 KB is cut (msg.cut is "
     "true then). In a flow's file the plain name ask does too."
     "\n\nlocal msg, why = ask(\"Which order?\", { timeout = \"10m\" })\n"
     "if not msg then return end",
     "1"},
    {"wait_reply", flow_wait_reply, IN_FLOW, 0,
     "(timeout?: Duration): Message|nil, string?",
     "Waits for the visitor's next message, as flow.ask does, without saying "
     "anything. Without a time it waits as long as it takes."
     "\n\nlocal msg = wait_reply \"10m\"",
     "1"},
    {"sleep", flow_sleep, IN_FLOW, 0, "(time: Duration): boolean",
     "Sleeps, up to 400 days, also over restarts and upgrades. In a flow's "
     "file the plain name sleep does the same; inside flow.step it is the "
     "short sleep of all scripts.\n\nsleep \"2d\"",
     "1"},
    {"choose", NULL, IN_FLOW, API_LUA, "(what: Choice): any|nil, string?",
     "Asks to choose one of several. Takes the number (also full-width "
     "digits), the label or the value; asks again up to tries times (3). Gives "
     "the option's value, or its label if it has none; or nil and "
     "\"no_choice\", \"timeout\", \"taken\", \"closed\"."
     "\n\nlocal how = choose { prompt = \"How shall we refund?\", options = {\n"
     "  { label = \"To the card\", value = \"card\" }, { label = \"Voucher\", "
     "value = \"voucher\" } } }",
     "1"},
    {"step", NULL, IN_FLOW, API_LUA,
     "(name: string, fn: fun(): ..., options?: { retry?: integer, backoff?: "
     "Duration }): ...",
     "Does something once and keeps what it gave: when the flow is played "
     "again, the kept result is given and fn is not called. Everything that "
     "differs from time to time (http, kv.get, ai, agents) belongs in here. fn "
     "runs at least once, and exactly once if it succeeded and that was "
     "stored. nil, code, detail or an error is a failure: with retry = n it is "
     "tried up to n times more, after backoff (5s), then twice that, and so "
     "on; in the end flow.step gives nil, code, detail, or raises the error."
     "\n\nlocal order = flow.step(\"order\", function()\n"
     "  local res, code, detail = http.get(\"https://shop.example/o/\" .. id)\n"
     "  if not res then return nil, code, detail end\n"
     "  return res.json\nend, { retry = 3, backoff = \"5s\" })",
     "1"},
    {"saga", NULL, IN_FLOW, API_LUA,
     "(name: string, steps: SagaStep[], data?: any): boolean|nil, string?, "
     "string?",
     "Steps that are undone if a later one fails. Each is kept and tried again "
     "like flow.step; when one fails for good, the undo of those before it "
     "runs, the last one first, each until it works. Gives true; or nil, code, "
     "detail of what failed, when everything has been undone. An undo that "
     "fails 20 times stops the flow as failed; run again, it goes on there.",
     "1"},
    {"states", NULL, API_LOAD, API_LUA, "(machine: table): function",
     "Makes a flow of declared states, to be put into the file's table as "
     "states = flow.states { ... }. Checked when the file is loaded: targets "
     "that are not there, states nobody reaches or leaves.",
     "1"},
    {"now", flow_now, IN_FLOW, 0, "(): integer",
     "The flow's time in ms since 1970: of its last wait or step, and so the "
     "same whenever it is played again. time.now() gives it too.",
     "1"},
    {"random", flow_random, IN_FLOW, 0, "(m?: integer, n?: integer): number",
     "As math.random, but the same whenever the flow is played again. "
     "math.random does so too in a flow.",
     "1"},
    {"id", flow_id, IN_FLOW, 0, "(): string",
     "This run's id, \"fl_...\": good as a key that makes a step safe to "
     "repeat.",
     "1"},
    {"attempt", flow_attempt, IN_FLOW, 0, "(): integer",
     "1, and one more for each time in a row the run has failed.", "1"},
    {NULL, NULL, 0, 0, NULL, NULL, NULL}};
const struct api_module flow_module = {
    .name = "flow",
    .doc = "Conversations in several steps, written as straight code in "
           "scripts/flows. They survive restart, reload and upgrade: see "
           "flows.md.",
    .calls = calls};

static void add_natives(lua_State *L)
{
    static const luaL_Reg natives[] = {
        {"flow_wait", flow_wait},         {"flow_ms", flow_ms},
        {"flow_conv", flow_conv},         {"flow_step_begin", flow_step_begin},
        {"flow_step_end", flow_step_end}, {"flow_state", flow_state},
        {"flow_enter", flow_enter},       {"flow_view", flow_view},
        {"flow_random", flow_random},     {"flow_runs", flow_runs},
        {"flow_guard", flow_guard},       {NULL, NULL}};
    luaL_setfuncs(L, natives, 0);
}

/* Stack: env, native. */
static void run_source(lua_State *L, const char *name)
{
    const struct lua_source *s = lua_sources;
    while (s->name && strcmp(s->name, name) != 0)
        s++;
    must(s->name);
    if (luaL_loadbuffer(L, s->text, strlen(s->text), "=flow") != 0)
        must_fail(__FILE__, __LINE__, lua_tostring(L, -1));
    lua_pushvalue(L, -3);
    lua_pushvalue(L, -3);
    lua_call(L, 2, 0);
}

void bind_flow_open(lua_State *L)
{
    lua_pushlightuserdata(L, (void *)&await_key);
    lua_getfield(L, -2, "await");
    lua_rawset(L, LUA_REGISTRYINDEX);
    add_natives(L);
    run_source(L, "flow");
    run_source(L, "saga");
    run_source(L, "states");
    if (slice_starts(bind_version(L)->name, "flows/"))
        run_source(L, "flow_env");
}
