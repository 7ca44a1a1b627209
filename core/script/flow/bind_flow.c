/* SPDX-License-Identifier: Apache-2.0 */
/* bind_flow.c - flow.*: starting and ending flows, and the module's table.
 *
 * Happy path: a start is an effect; the calls of a running flow are in
 * flowcall*.c and in lua/flow.lua, saga.lua, states.lua. Failure modes: a flow
 * nobody has, or no conversation: nil, code, detail.
 */
#include "script/flow/bind_flow.h"
#include "base/limits.h"
#include "script/api/modules.h"
#include "script/flow/flowcall.h"
#include "script/load/chunk.h"
#include "script/load/unit.h"
#include "script/run/sandbox.h"
#include "script/run/worker.h"
#include <stdio.h>
#include <string.h>

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

static int begin(lua_State *L)
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

static int flow_start(lua_State *L)
{
    return flowcall_once(L, "flow", begin);
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
    {"wait_reply", flowcall_wait_reply, IN_FLOW, 0,
     "(timeout?: Duration): Message|nil, string?",
     "Waits for the visitor's next message, as flow.ask does, without saying "
     "anything. Without a time it waits as long as it takes."
     "\n\nlocal msg = wait_reply \"10m\"",
     "1"},
    {"sleep", flowcall_sleep, IN_FLOW, 0, "(time: Duration): boolean",
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
    {"now", flowcall_now, IN_FLOW, 0, "(): integer",
     "The flow's time in ms since 1970: of its last wait or step, and so the "
     "same whenever it is played again. time.now() gives it too.",
     "1"},
    {"random", flowcall_random, IN_FLOW, 0,
     "(m?: integer, n?: integer): number",
     "As math.random, but the same whenever the flow is played again. "
     "math.random does so too in a flow.",
     "1"},
    {"id", flowcall_id, IN_FLOW, 0, "(): string",
     "This run's id, \"fl_...\": good as a key that makes a step safe to "
     "repeat.",
     "1"},
    {"attempt", flowcall_attempt, IN_FLOW, 0, "(): integer",
     "1, and one more for each time in a row the run has failed.", "1"},
    {NULL, NULL, 0, 0, NULL, NULL, NULL}};
/* Stack: what the file is given, n of it. */
static void run_source(lua_State *L, const char *name, int n)
{
    int at = lua_gettop(L) - n + 1;
    chunk_push_own(L, name, "=flow");
    lua_insert(L, at);
    lua_call(L, n, 0);
}

/* Upvalue: the call's name. In any other script than a flow. */
static int elsewhere(lua_State *L)
{
    bind_raise(L, "flow.%s belongs into a file below scripts/flows",
               lua_tostring(L, lua_upvalueindex(1)));
}

/* The Lua half costs time and memory, and only flows can use it. */
static void add_refusals(lua_State *L)
{
    for (const struct api_call *c = calls; c->name; c++) {
        if (!(c->flags & API_LUA))
            continue;
        lua_pushstring(L, c->name);
        lua_pushcclosure(L, elsewhere, 1);
        lua_setfield(L, -2, c->name);
    }
}

static bool is_flow(lua_State *L)
{
    return slice_starts(bind_version(L)->name, "flows/");
}

static void fill(lua_State *L)
{
    static const char *const files[] = {"flow", "saga", "states"};
    if (!is_flow(L)) {
        add_refusals(L);
        return;
    }
    int flow = lua_gettop(L);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        sandbox_push(L);
        api_native(L, "self");
        lua_pushvalue(L, flow);
        run_source(L, files[i], 3);
    }
}

const struct api_module flow_module = {
    .name = "flow",
    .doc = "Conversations in several steps, written as straight code in "
           "scripts/flows. They survive restart, reload and upgrade: see "
           "flows.md.",
    .calls = calls,
    .fill = fill};

/* A flow's module is made here, before any of the author's code has run. */
void bind_flow_open(lua_State *L)
{
    if (!is_flow(L))
        return;
    lua_getfield(L, -1, "await");
    flowcall_keep_await(L);
    flowcall_natives(L);
    flowcall_step_natives(L);
    lua_pushvalue(L, -2);
    lua_pushvalue(L, -2);
    run_source(L, "flow_env", 2);
}
