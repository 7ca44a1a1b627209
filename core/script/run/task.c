/* SPDX-License-Identifier: Apache-2.0 */
/* task.c - starting, waiting, going on, ending.
 *
 * Happy path: a coroutine from the pool, the handler and its arguments on it,
 * one lua_resume, back to the pool. Failure modes: an error, a kill for time
 * or memory, a yield that is not ours: what the handler wanted is taken out
 * of the job, the coroutine is thrown away, the place is reported. Arguments
 * are pushed outside of script code, where no memory limit holds, so nothing
 * can be raised there.
 */
#include "script/run/task.h"
#include "base/clock.h"
#include "base/log.h"
#include "script/flow/play.h"
#include "script/load/adapter.h"
#include "script/load/canary.h"
#include "script/report.h"
#include "script/run/args.h"
#include "script/run/lend.h"
#include "script/run/part.h"
#include "script/run/worker.h"
#include <lauxlib.h>

#define POOL 64 /* idle coroutines of a version */
#define KILLS 5 /* in KILL_MS: quarantine */
#define KILL_MS 60000
#define ASK_BYTES 128 /* beside itself: the unit's name, a short answer */
#define LOST_WHY "killed: a call did not come back; its thread was replaced"

METER_US(
    call_time, "yuelai_script_call_seconds",
    "Time of one stretch of a handler, from start or wait to wait or end.");
METER(waiting_now, METER_GAUGE, "yuelai_script_tasks_waiting",
      "Handlers that wait for an answer or for time.");
METER(kills_all, METER_COUNTER, "yuelai_script_killed_total",
      "Handlers stopped for time or memory, all scripts.");
METER(switched_off, METER_COUNTER, "yuelai_script_switched_off_total",
      "Scripts switched off because they failed too often in a row.");
METER(quarantines, METER_COUNTER, "yuelai_script_quarantines_total",
      "Scripts switched off after repeated kills.");

static void on_timer(struct timer *timer);

void task_tell(struct tally *call_times)
{
    tally_tell(call_times, &call_time);
}

/* --- the pool ------------------------------------------------------------- */

static struct task *take(struct worker *w, struct version *v)
{
    struct task *t;
    if (list_empty(&v->idle)) {
        t = mem_alloc(sizeof *t);
        list_init(&t->link);
        list_init(&t->ends);
        t->co = lua_newthread(v->L);
        t->ref = luaL_ref(v->L, LUA_REGISTRYINDEX);
        t->version = v;
    } else {
        t = container_of(v->idle.next, struct task, link);
        list_remove(&t->link);
        v->idle_count--;
    }
    t->worker = w;
    timer_init(&t->timer, on_timer);
    list_add_last(&v->tasks, &t->link);
    v->task_count++;
    return t;
}

/* Its meters are to be told of it at the turn's end. */
static void touch(struct task *t)
{
    if (list_empty(&t->version->touched))
        list_add_last(&t->worker->touched, &t->version->touched);
}

static void free_ask(struct script_ask **ask)
{
    if (*ask)
        arena_free((*ask)->arena);
    *ask = NULL;
}

static void end_all(struct task *t)
{
    while (!list_empty(&t->ends)) {
        struct task_end *e = container_of(t->ends.next, struct task_end, link);
        list_remove(&e->link);
        e->fn(t, e);
    }
}

/* The task leaves its job. keep: its coroutine ended well. */
static void drop(struct task *t, bool keep)
{
    struct version *v = t->version;
    struct worker *w = t->worker;
    end_all(t);
    timer_stop(w->wheel, &t->timer);
    play_free(t);
    free_ask(&t->ask);
    free_ask(&t->answer);
    if (t->generation)
        worker_free_slot(w, t->slot);
    t->generation = 0;
    t->job = NULL;
    list_remove(&t->link);
    v->task_count--;
    touch(t);
    if (keep && v->idle_count < POOL) {
        list_add_last(&v->idle, &t->link);
        v->idle_count++;
        return;
    }
    if (!v->lost)
        luaL_unref(v->L, LUA_REGISTRYINDEX, t->ref);
    mem_free(t);
}

void task_forget_idle(struct version *v)
{
    list_each (&v->idle, n)
        mem_free(container_of(n, struct task, link));
    list_init(&v->idle);
}

void task_abandon(struct task *t)
{
    if (t->hop)
        t->hop->outcome = HOP_CANCELLED;
    if (t->wait != WAIT_NONE)
        meter_add(&waiting_now, -1);
    t->wait = WAIT_NONE;
    drop(t, false);
}

/* --- ends ----------------------------------------------------------------- */

static void set_mark(struct task *t)
{
    const struct job *job = t->job;
    t->mark = (struct mark){.last = job->last,
                            .count = job->count,
                            .tags = job->conv.tags,
                            .attributes = job->conv.attributes,
                            .priority = job->conv.priority};
}

static void back_to_mark(struct task *t)
{
    struct job *job = t->job;
    job->last = t->mark.last;
    job->count = t->mark.count;
    if (job->last)
        job->last->next = NULL;
    else
        job->first = NULL;
    job->conv.tags = t->mark.tags;
    job->conv.attributes = t->mark.attributes;
    job->conv.priority = t->mark.priority;
    if (!t->was)
        return;
    struct run *run = job->task;
    job->contact = t->was->contact;
    job->event.body = t->was->body;
    job->text = t->was->text;
    job->kind = t->was->kind;
    run->body = NULL; /* made again of the text */
}

/* Did it give the conversation to people since the mark? For canary.h. */
static void look_for_handover(struct task *t)
{
    const struct effect *e = t->job->first;
    if (t->mark.last)
        e = t->mark.last->next;
    for (; e; e = e->next)
        t->handed_over |= e->type == EFFECT_ASSIGN && !e->name.len;
}

/* The handler has ended: its side of a trial counts it. */
static void note_call(struct task *t, enum hop_outcome outcome)
{
    struct canary_call call = {
        .us = t->hop ? t->hop->us : clock_mono_us() - t->began_us,
        .failed = outcome == HOP_FAILED || outcome == HOP_KILLED,
        .killed = outcome == HOP_KILLED};
    if (!call.failed) /* else it is taken back */
        look_for_handover(t);
    call.handed_over = t->handed_over;
    canary_note(t->worker, t->version, t->job, &call);
}

/* The hop is complete. */
static void note_end(struct task *t, enum hop_outcome outcome)
{
    note_call(t, outcome);
    if (!t->hop)
        return;
    t->hop->outcome = outcome;
    t->hop->wall_us = t->worker->tick_us - t->began_us;
}

static void count_kill(struct task *t)
{
    struct version *v = t->version;
    int64_t now = worker_now(t->worker);
    meter_add(v->unit->meters.kills, 1);
    meter_add(&kills_all, 1);
    v->kill_at[v->kills++ % KILLS] = now;
    if (v->kills < KILLS || v->quarantined)
        return;
    int64_t oldest = v->kill_at[v->kills % KILLS];
    if (now - oldest > KILL_MS)
        return;
    v->quarantined = true;
    meter_add(&quarantines, 1);
    report_quarantine(t->worker, v);
}

/* What to say of the error on top of co. No code of the script's runs for it
 * (a hostile __tostring has no say), and nothing is pushed on co, whose stack
 * may be full. */
static const char *sentence(struct task *t, int status)
{
    lua_State *L = t->version->L, *co = t->co;
    if (status == LUA_YIELD)
        return "yield outside of a coroutine of your own";
    if (status == LUA_ERRMEM)
        return "killed: not enough memory";
    if (lua_type(co, -1) != LUA_TSTRING)
        return lua_pushfstring(L, "(the error is a %s, not a text)",
                               luaL_typename(co, -1));
    const char *text = lua_tostring(co, -1);
    if (!strstr(text, "across C-call boundary"))
        return text;
    return lua_pushfstring(L,
                           "%s (what waits cannot be called inside a "
                           "callback of gsub or sort, nor in a metamethod "
                           "or at the top of a file)",
                           text);
}

/* One more in a row; a success ends the row. */
static void count_failure(struct task *t)
{
    struct version *v = t->version;
    if (v->drained || v->failing)
        return;
    v->failed++;
    if (v->failed < worker_failures(t->worker))
        return;
    v->failing = true;
    meter_add(&switched_off, 1);
    report_failing(t->worker, v);
}

/* The first failure's sentence is the job's, the first line the hop's. */
static void note_failure(struct task *t, struct slice text)
{
    struct job *job = t->job;
    struct hop any = {0}, *hop = t->hop ? t->hop : &any;
    job->failures++;
    if (job->trouble.len && !t->hop)
        return;
    hop_error(hop, job->arena, text);
    if (!job->trouble.len)
        job->trouble = hop->error;
}

static void report(struct task *t, int status)
{
    lua_State *L = t->version->L;
    int top = lua_gettop(L);
    struct slice text;
    luaL_traceback(L, t->co, sentence(t, status), 0);
    text.at = lua_tolstring(L, -1, &text.len);
    note_failure(t, text);
    report_failure(t->worker, t->version, t->job, text);
    lua_settop(L, top);
}

/* The flow is played again a while later. */
static void fail_play(struct task *t, int status)
{
    int top = lua_gettop(t->version->L);
    play_fail(t, sentence(t, status));
    lua_settop(t->version->L, top);
}

/* Of a large heap that takes longer than most handlers. */
static void collect(struct worker *w, struct version *v)
{
    const struct stretch garbage = {0};
    if (w->conf.lanes)
        lend_give(w, v, LANE_SLOW, &garbage);
    else
        lua_gc(v->L, LUA_GCCOLLECT, 0);
}

/* A guard did not come to an end: nobody shall pass it for that (on_failure).
 */
static bool refuses(struct version *v, struct job *job)
{
    if (!v->strict || (job->hook != HOOK_INBOUND && job->hook != HOOK_SEND))
        return false;
    struct effect *e = job_effect(job, EFFECT_REJECT);
    if (!e) { /* there are too many: none of the others counts either */
        job->first = job->last = NULL;
        job->count = 0;
        e = job_effect(job, EFFECT_REJECT);
    }
    e->unit = slice_dup(job->arena, v->name);
    e->text = SLICE("the message could not be checked");
    return true;
}

static enum outcome failed(struct version *v, struct job *job)
{
    return refuses(v, job) ? OUTCOME_DECIDED : OUTCOME_FAILED;
}

static enum outcome fail(struct task *t, int status, bool killed)
{
    struct version *v = t->version;
    struct worker *w = t->worker;
    struct job *job = t->job;
    if (killed && (status == 0 || status == LUA_YIELD))
        status = LUA_ERRMEM; /* the script has caught it */
    report(t, status);
    meter_add(v->unit->meters.errors, 1);
    if (killed)
        count_kill(t);
    else
        count_failure(t);
    note_end(t, killed ? HOP_KILLED : t->cut ? HOP_CUT : HOP_FAILED);
    back_to_mark(t);
    if (t->play)
        fail_play(t, status);
    drop(t, false);
    if (v->budget.used > v->budget.max / 2)
        collect(w, v);
    return failed(v, job);
}

/* A flow has ended, or its run has at a wait. */
static enum outcome finish_play(struct task *t, bool parked)
{
    bool well = play_end(t, parked);
    note_end(t, well ? HOP_DECIDED : HOP_FAILED);
    if (well)
        t->version->failed = 0;
    if (!parked)
        lua_settop(t->co, 0);
    drop(t, !parked);
    return well ? OUTCOME_DECIDED : OUTCOME_FAILED;
}

/* What an adapter's function returned; it counts as a failure if that makes
 * no sense. */
static enum outcome finish_call(struct task *t)
{
    const char *why = adapter_take(t);
    lua_settop(t->co, 0);
    if (why) {
        struct slice text = slice_of(why);
        note_failure(t, text);
        report_failure(t->worker, t->version, t->job, text);
        meter_add(t->version->unit->meters.errors, 1);
        count_failure(t);
    } else {
        t->version->failed = 0;
    }
    note_end(t, why ? HOP_FAILED : HOP_DECIDED);
    drop(t, true);
    return why ? OUTCOME_FAILED : OUTCOME_DECIDED;
}

static enum outcome finish(struct task *t)
{
    if (t->play)
        return finish_play(t, false);
    if (t->job->call)
        return finish_call(t);
    bool decided = lua_gettop(t->co) > 0 && lua_toboolean(t->co, 1);
    lua_settop(t->co, 0);
    if (t->rejected && t->hop)
        t->hop->error = t->rejected->text;
    decided |= t->rejected != NULL;
    note_end(t, t->rejected ? HOP_REJECTED
                : decided   ? HOP_DECIDED
                            : HOP_PASSED);
    t->version->failed = 0;
    drop(t, true);
    return decided ? OUTCOME_DECIDED : OUTCOME_PASSED;
}

/* --- running -------------------------------------------------------------- */

static void on_timer(struct timer *timer)
{
    struct task *t = container_of(timer, struct task, timer);
    struct worker *w = t->worker;
    struct job *job = t->job;
    bool slept = t->wait == WAIT_SLEEP && worker_now(w) >= t->wake_at;
    t->cut = !slept && t->wall_until <= worker_now(w);
    worker_go_on(w, job, task_resume(t, slept ? 0 : ERR_TIMEOUT, NULL));
}

static void begin_wait(struct task *t)
{
    struct worker *w = t->worker;
    t->generation = ++w->generation;
    int64_t due = t->wall_until;
    if (t->wait == WAIT_SLEEP && t->wake_at < due)
        due = t->wake_at;
    timer_start(w->wheel, &t->timer, due);
    if (t->wait == WAIT_ASK) {
        struct script_ask *ask = t->ask;
        t->ask = NULL;
        ask->ticket[2] = t->slot;
        ask->ticket[3] = t->generation;
        worker_ask(w, ask);
    }
}

void task_given(struct task *t)
{
    t->wait = t->after;
    begin_wait(t);
}

/* What it wanted so far counts before the wait begins. */
static enum outcome wait(struct task *t)
{
    struct worker *w = t->worker;
    free_ask(&t->answer); /* it was looked at */
    meter_add(&waiting_now, 1);
    touch(t);
    if (!t->generation)
        t->slot = worker_slot(w, t);
    t->generation = ++w->generation;
    look_for_handover(t);
    if (!part_give(t)) {
        begin_wait(t);
        return OUTCOME_WAITING;
    }
    t->after = t->wait;
    t->wait = WAIT_PART;
    t->was = NULL;
    set_mark(t);
    timer_start(w->wheel, &t->timer, t->wall_until);
    return OUTCOME_WAITING;
}

/* Who was stopped within the last minute has half the time: four more kills
 * are not to hold up the other scripts as long as the first did. */
static int64_t cpu_limit(const struct task *t)
{
    const struct version *v = t->version;
    int64_t house = t->worker->conf.conf->cpu_ms;
    if (!v->kills)
        return v->limits.cpu_ms;
    if (!house)
        house = LIMIT_SCRIPT_CPU_MS;
    int64_t ms = v->limits.cpu_ms ? v->limits.cpu_ms : house;
    int64_t last = v->kill_at[(v->kills - 1) % KILLS];
    return worker_tick_ms(t->worker) - last < KILL_MS ? (ms + 1) / 2 : ms;
}

void task_stretch(struct stretch *s, struct watch *watch)
{
    struct task *t = s->task;
    struct version *v = t->version;
    budget_enter(&v->budget);
    watch_enter(watch, v->L, s->limit_ms);
    s->status = lua_resume(t->co, s->nargs);
    s->killed = watch_leave(watch) && s->status != 0;
    budget_leave(&v->budget);
    s->killed |= v->budget.fails > 0;
}

static enum outcome after(struct task *t, const struct stretch *s)
{
    struct version *v = t->version;
    int status = s->status;
    v->running = NULL;
    tally_note(&t->worker->call_times, s->took_us);
    v->new_us += s->cpu_us;
    if (t->hop)
        t->hop->us += s->cpu_us;
    lend_note(t->worker, v, s);
    if (s->killed || (status != 0 && status != LUA_YIELD))
        return fail(t, status, s->killed);
    if (status == 0)
        return finish(t);
    if (t->wait == WAIT_PARK)
        return finish_play(t, true);
    return t->wait == WAIT_NONE ? fail(t, status, false) : wait(t);
}

static enum outcome go(struct task *t, int nargs)
{
    struct version *v = t->version;
    struct worker *w = t->worker;
    struct stretch s = {.task = t, .nargs = nargs, .limit_ms = cpu_limit(t)};
    budget_pace(&v->budget, v->L);
    t->wait = WAIT_NONE;
    v->running = t;
    enum lane lane = lend_to(w, v);
    if (lane != LANE_NONE) {
        if (t->generation) /* a late answer must not look at it meanwhile */
            t->generation = ++w->generation;
        lend_give(w, v, lane, &s);
        return OUTCOME_WAITING;
    }
    int64_t began = w->tick_us;
    task_stretch(&s, &w->watch);
    s.took_us = worker_tick(w) - began;
    s.cpu_us = worker_cpu_of(w, s.took_us);
    return after(t, &s);
}

/* The same, when it is known whose job it is. */
static enum outcome go_for(struct run *run, struct task *t, int nargs)
{
    enum outcome o = go(t, nargs);
    if (o != OUTCOME_WAITING)
        run->task = NULL;
    return o;
}

enum outcome task_back(struct task *t, const struct stretch *s)
{
    struct run *run = t->job->task;
    worker_tick(t->worker);
    enum outcome o = after(t, s);
    if (o != OUTCOME_WAITING)
        run->task = NULL;
    return o;
}

static void begin(struct task *t, struct worker *w, struct job *job)
{
    struct run *run = job->task;
    t->job = job;
    t->id = ++w->generation;
    int64_t wall_ms = t->version->limits.wall_ms;
    if (job->hook == HOOK_RECEIVE && wall_ms > LIMIT_WEBHOOK_WALL_MS)
        wall_ms = LIMIT_WEBHOOK_WALL_MS; /* platforms hang up after 5 s */
    if (job->call && job->call->wall_ms > 0)
        wall_ms = job->call->wall_ms; /* a model takes its time */
    t->wall_ms = (int32_t)wall_ms;
    t->wall_until = worker_tick_ms(w) + wall_ms;
    t->lines = t->effects = t->https = 0;
    t->unit = (struct slice){0};
    t->result = 0;
    t->resumed = t->cut = false;
    t->rejected = NULL;
    t->handed_over = false;
    t->was = NULL;
    t->hop = hops_add(&run->hops, job, t->version, worker_tick_wall(w));
    t->began_us = w->tick_us;
    job->ran++;
    set_mark(t);
}

enum outcome task_start(struct worker *w, struct version *v, struct job *job)
{
    struct run *run = job->task;
    if (v->away) {
        lend_hold(v, run);
        return OUTCOME_WAITING;
    }
    if (v->quarantined || v->failing) {
        struct hop *hop = hops_add(&run->hops, job, v, worker_wall(w));
        if (hop)
            hop->outcome = HOP_SKIPPED;
        return refuses(v, job) ? OUTCOME_DECIDED : OUTCOME_PASSED;
    }
    if (v->task_count >= LIMIT_TASKS) {
        report_failure(w, v, job,
                       SLICE("too many handlers of this script wait"));
        meter_add(v->unit->meters.errors, 1);
        job->failures++;
        return failed(v, job);
    }
    struct task *t = take(w, v);
    begin(t, w, job);
    v->new_calls++;
    if (job->hook == HOOK_FLOW && play_begin(t) < 0) {
        drop(t, true);
        return OUTCOME_FAILED;
    }
    lua_rawgeti(t->co, LUA_REGISTRYINDEX, v->hook[job->hook]);
    run->task = t;
    return go_for(run, t, args_push(t));
}

enum outcome task_resume(struct task *t, int result, struct script_ask *answer)
{
    t->cut |= result == ERR_CANCELLED && t->version->drained;
    meter_add(&waiting_now, -1);
    timer_stop(t->worker->wheel, &t->timer);
    free_ask(&t->answer);
    t->answer = answer;
    t->result = result;
    t->resumed = true;
    t->wait = WAIT_NONE;
    if (!t->version->away)
        return task_go_on(t);
    lend_hold(t->version, t->job->task);
    return OUTCOME_WAITING;
}

/* Its version is lost: its handlers are over, and no Lua runs for that. */
static enum outcome end_lost(struct task *t)
{
    struct run *run = t->job->task;
    note_failure(t, SLICE(LOST_WHY));
    note_end(t, HOP_CANCELLED);
    back_to_mark(t);
    if (t->play)
        play_fail(t, LOST_WHY);
    run->task = NULL;
    struct version *v = t->version;
    struct job *job = t->job;
    drop(t, false);
    return failed(v, job);
}

enum outcome task_go_on(struct task *t)
{
    if (t->version->lost)
        return end_lost(t);
    return go_for(t->job->task, t, 0);
}

/* Nothing of it is freed: the thread may still look at it, and at the job. */
enum outcome task_lose(struct task *t)
{
    struct worker *w = t->worker;
    struct version *v = t->version;
    struct run *run = t->job->task;
    note_failure(t, SLICE(LOST_WHY));
    report_lost(w, v);
    meter_add(v->unit->meters.errors, 1);
    meter_add(v->unit->meters.kills, 1);
    meter_add(&kills_all, 1);
    meter_add(&quarantines, 1);
    note_end(t, HOP_KILLED);
    back_to_mark(t);
    if (t->play)
        play_fail(t, LOST_WHY);
    if (t->generation)
        worker_free_slot(w, t->slot);
    list_remove(&t->link);
    v->task_count--;
    touch(t);
    t->job->stuck = true;
    run->task = NULL;
    return failed(v, t->job);
}

/* --- for the calls that wait ---------------------------------------------- */

struct script_ask *task_note(struct task *t, enum ask_kind kind)
{
    struct arena *a = arena_new_for(sizeof(struct posted_ask) + ASK_BYTES);
    struct posted_ask *p = arena_one(a, struct posted_ask);
    p->worker = t->worker;
    p->script = t->worker->conf.script;
    p->ask.arena = a;
    p->ask.kind = kind;
    p->ask.unit = slice_dup(a, t->version->name);
    p->ask.call = t->job && t->job->call ? t->job->call->number : 0;
    return &p->ask;
}

struct script_ask *task_ask(struct task *t, enum ask_kind kind)
{
    free_ask(&t->ask);
    t->https += kind == ASK_HTTP || kind == ASK_FILE || kind == ASK_STREAM ||
                kind == ASK_IMAP || kind == ASK_SMTP;
    t->ask = task_note(t, kind);
    return t->ask;
}

void task_post(struct task *t, struct script_ask *ask)
{
    ask->ticket[2] = UINT64_MAX; /* no slot: the answer is dropped */
    worker_ask(t->worker, ask);
}

static int may_wait(const struct task *t)
{
    if (t->version->drained)
        return ERR_CANCELLED;
    if (t->ask && t->https > t->version->limits.http &&
        (t->ask->kind == ASK_HTTP || t->ask->kind == ASK_FILE ||
         t->ask->kind == ASK_STREAM || t->ask->kind == ASK_IMAP ||
         t->ask->kind == ASK_SMTP))
        return ERR_RATE_LIMITED;
    return worker_now(t->worker) >= t->wall_until ? ERR_TIMEOUT : 0;
}

int task_wait_ask(struct task *t)
{
    int got = may_wait(t);
    if (got == 0)
        t->wait = WAIT_ASK;
    return got;
}

int task_wait_sleep(struct task *t, int64_t ms)
{
    int got = may_wait(t);
    if (got == 0) {
        t->wait = WAIT_SLEEP;
        t->wake_at = worker_now(t->worker) + ms;
    }
    return got;
}
