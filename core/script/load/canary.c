/* SPDX-License-Identifier: Apache-2.0 */
/* canary.c - counting both sides, and the verdict.
 *
 * Happy path: a worker tells of each call of a version on trial; home counts
 * it for its side; when enough conversations have met the canary the figures
 * are compared. Failure modes: a canary that is switched off, or fails again
 * and again, is rolled back before its time; one that nobody meets waits, or
 * until `for_` has passed; figures that cannot be read after a restart begin
 * anew.
 */
#include "script/load/canary.h"
#include "base/clock.h"
#include "script/api/bind.h"
#include "script/inside.h"
#include "script/load/history.h"
#include "script/load/serving.h"
#include <stdio.h>

#define EARLY_ERRORS 20 /* that many, and a quarter more of the calls */
#define EARLY_POINTS 25.0
#define NOTE_BYTES 2048
#define GRACE_US 1000 /* what is this fast is fast enough */

/* --- the file's field ----------------------------------------------------- */

static int refuse(struct err *e, const char *why)
{
    return err_field(e, ERR_UNPROCESSABLE, "canary", "canary%s", why);
}

static bool number_in(lua_State *L, double least, double most, double *out)
{
    if (lua_type(L, -1) != LUA_TNUMBER)
        return false;
    *out = lua_tonumber(L, -1);
    return *out >= least && *out <= most;
}

static int read_share(lua_State *L, struct canary_conf *out, struct err *e)
{
    double n;
    if (!number_in(L, 1, 99, &n) || n != (int32_t)n)
        return refuse(e, " must be a whole number of percent, 1 to 99, or a "
                         "table with share = that");
    out->share = (int32_t)n;
    return 0;
}

static int read_for(lua_State *L, struct canary_conf *out, struct err *e)
{
    struct slice s = {"", 0};
    if (lua_type(L, -1) == LUA_TSTRING)
        s.at = lua_tolstring(L, -1, &s.len);
    if (!duration_read(s, &out->for_ms) || out->for_ms < 1000)
        return refuse(e, ".for_ must be a duration like \"24h\"");
    return 0;
}

static int read_part(lua_State *L, const char *name, struct canary_conf *out,
                     struct err *e)
{
    double n;
    if (strcmp(name, "share") == 0)
        return read_share(L, out, e);
    if (strcmp(name, "for_") == 0)
        return read_for(L, out, e);
    if (strcmp(name, "conversations") == 0) {
        if (!number_in(L, 1, CANARY_SEEN, &n))
            return refuse(e, ".conversations must be 1 to 20000");
        out->conversations = (int64_t)n;
        return 0;
    }
    if (strcmp(name, "errors") == 0)
        return number_in(L, 0, 100, &out->errors)
                   ? 0
                   : refuse(e, ".errors must be percent points, 0 to 100");
    if (strcmp(name, "slower") == 0)
        return number_in(L, 1, 1000, &out->slower)
                   ? 0
                   : refuse(e, ".slower must be a factor, 1 to 1000");
    if (strcmp(name, "handovers") == 0)
        return number_in(L, 0, 100, &out->handovers)
                   ? 0
                   : refuse(e, ".handovers must be percent points, 0 to 100");
    return refuse(e, " knows share, conversations, for_, errors, slower, "
                     "handovers only");
}

int canary_read(lua_State *L, struct canary_conf *out, struct err *e)
{
    int top = lua_gettop(L), got = 0;
    *out = (struct canary_conf){.errors = 1, .slower = 1.5, .handovers = 20};
    if (lua_type(L, -1) != LUA_TTABLE)
        return read_share(L, out, e);
    for (lua_pushnil(L); got == 0 && lua_next(L, top); lua_settop(L, top + 1))
        got = lua_type(L, -2) == LUA_TSTRING
                  ? read_part(L, lua_tostring(L, -2), out, e)
                  : refuse(e, " must have named fields only");
    lua_settop(L, top);
    if (got == 0 && !out->share)
        return refuse(e, ".share is missing");
    return got;
}

/* --- from the worker ------------------------------------------------------ */

struct telling {
    struct mail mail;
    struct script *script;         /* one ref */
    struct unit *unit;             /* one ref */
    const struct version *version; /* told by address only */
    uint64_t conv;
    int64_t created_at;
    struct canary_call call;
};

static void on_home(struct mail *m)
{
    struct telling *t = container_of(m, struct telling, mail);
    if (!t->script->closed)
        canary_count(t->script, t->unit, t->version, t->conv, t->created_at,
                     &t->call);
    unit_free(t->unit);
    script_unref(t->script);
    mem_free(t);
}

void canary_note(struct worker *w, struct version *v, const struct job *job,
                 const struct canary_call *call)
{
    if (!job->conv.id ||
        !atomic_load_explicit(&v->on_trial, memory_order_relaxed))
        return;
    struct telling *t = mem_alloc(sizeof *t);
    t->script = w->conf.script;
    t->unit = v->unit;
    t->version = v;
    t->conv = job->conv.id;
    t->created_at = job->conv.created_at;
    t->call = *call;
    script_ref(t->script);
    unit_ref(t->unit);
    t->mail.run = on_home;
    worker_post(w, &t->mail);
}

/* --- counting ------------------------------------------------------------- */

static char seen_mark, handed_mark; /* their addresses are the marks */

static void count_conversation(struct canary_side *side, uint64_t conv,
                               bool handed_over)
{
    const char *mark = map_get(&side->seen, conv);
    if (!mark && side->seen.count >= CANARY_SEEN)
        return;
    side->conversations += !mark;
    side->handovers += handed_over && mark != &handed_mark;
    if (mark != &handed_mark)
        map_put(&side->seen, conv, handed_over ? &handed_mark : &seen_mark);
}

static void count(struct canary_side *side, uint64_t conv,
                  const struct canary_call *call)
{
    side->calls++;
    side->errors += call->failed;
    side->kills += call->killed;
    side->us += call->us;
    count_conversation(side, conv, call->handed_over);
}

static double part(int64_t n, int64_t of) /* in percent */
{
    return of ? 100.0 * (double)n / (double)of : 0;
}

static bool fails_early(const struct canary *c)
{
    return c->canary.errors >= EARLY_ERRORS &&
           part(c->canary.errors, c->canary.calls) >
               part(c->stable.errors, c->stable.calls) + EARLY_POINTS;
}

static int64_t wanted(const struct canary *c)
{
    const struct canary_conf *conf = &c->version->canary;
    int64_t house = c->unit->script->conf.canary_conversations;
    return conf->conversations ? conf->conversations
           : house             ? house
                               : CANARY_CONVERSATIONS;
}

static void decide(struct script *s, struct unit *u)
{
    char why[240];
    bool good = canary_is_good(u->canary, why);
    serving_end_canary(s, u, good, why);
}

void canary_count(struct script *s, struct unit *u, const struct version *v,
                  uint64_t conv, int64_t created_at,
                  const struct canary_call *call)
{
    struct canary *c = u->canary;
    if (!c || created_at < c->since_at)
        return;
    if (v == c->version)
        count(&c->canary, conv, call);
    else if (v == u->version)
        count(&c->stable, conv, call);
    if (c->canary.conversations >= wanted(c) || fails_early(c))
        decide(s, u);
}

/* --- the verdict ---------------------------------------------------------- */

static double mean_us(const struct canary_side *side)
{
    return side->calls ? (double)side->us / (double)side->calls : 0;
}

static double difference(double a, double b)
{
    return a < b ? b - a : a - b;
}

bool canary_is_good(const struct canary *c, char why[240])
{
    const struct canary_conf *conf = &c->version->canary;
    const struct canary_side *old = &c->stable, *new = &c->canary;
    double e_old = part(old->errors, old->calls);
    double e_new = part(new->errors, new->calls);
    double h_old = part(old->handovers, old->conversations);
    double h_new = part(new->handovers, new->conversations);
    double t_old = mean_us(old), t_new = mean_us(new);
    const char *verdict = "it is as good";
    if (new->kills)
        verdict = "it was stopped for time or memory";
    else if (e_new > e_old + conf->errors)
        verdict = "it fails more often";
    else if (old->calls && t_new > t_old * conf->slower + GRACE_US)
        verdict = "it takes longer";
    else if (old->conversations && difference(h_old, h_new) > conf->handovers)
        verdict = "it hands over to people more, or less, often";
    else
        conf = NULL;
    snprintf(why, 240,
             "%s: errors %.1f %% (before %.1f %%), a call %.2f ms (%.2f ms), "
             "handed over %.0f %% (%.0f %%), in %lld (%lld) conversations",
             verdict, e_new, e_old, t_new / 1000, t_old / 1000, h_new, h_old,
             (long long)new->conversations, (long long)old->conversations);
    return !conf;
}

static void on_due(struct timer *t)
{
    struct canary *c = container_of(t, struct canary, due);
    struct script *s = c->unit->script;
    if (c->canary.conversations)
        decide(s, c->unit);
    else /* nobody has met it */
        timer_start(s->every, t, script_now(s) + c->version->canary.for_ms);
}

/* --- telling -------------------------------------------------------------- */

static void write_side(struct jsonw *w, const char *key,
                       const struct canary_side *side)
{
    jsonw_key(w, key);
    jsonw_open(w, '{');
    jsonw_put_int(w, "conversations", side->conversations);
    jsonw_put_int(w, "calls", side->calls);
    jsonw_put_int(w, "errors", side->errors);
    jsonw_put_int(w, "kills", side->kills);
    jsonw_put_int(w, "us", side->us);
    jsonw_put_int(w, "handovers", side->handovers);
    jsonw_close(w, '}');
}

void canary_write(struct jsonw *w, const struct canary *c)
{
    jsonw_open(w, '{');
    jsonw_put_text(w, "version", slice_of(c->version->text));
    jsonw_put_int(w, "share", c->version->canary.share);
    jsonw_put_int(w, "since_at", c->since_at);
    jsonw_put_int(w, "conversations", wanted(c));
    write_side(w, "stable", &c->stable);
    write_side(w, "canary", &c->canary);
    jsonw_close(w, '}');
}

void canary_keep(struct script *s, struct canary *c)
{
    struct buf note;
    int64_t calls = c->stable.calls + c->canary.calls;
    if (calls == c->kept_calls)
        return;
    c->kept_calls = calls;
    buf_init(&note, NOTE_BYTES);
    struct jsonw w = jsonw_on(&note);
    canary_write(&w, c);
    must(!w.failed);
    history_keep(s, c->version, VERSION_CANARY, c->since_at, 0,
                 buf_slice(&note));
    buf_fini(&note);
}

/* --- life ----------------------------------------------------------------- */

static void read_side(struct canary_side *side, const struct json *j)
{
    side->conversations = json_int(j, "conversations", 0);
    side->calls = json_int(j, "calls", 0);
    side->errors = json_int(j, "errors", 0);
    side->kills = json_int(j, "kills", 0);
    side->us = json_int(j, "us", 0);
    side->handovers = json_int(j, "handovers", 0);
}

static void go_on(struct canary *c, struct slice note)
{
    struct json *j = NULL;
    struct arena *a = arena_new();
    if (note.len && json_parse(a, note, NULL, &j) == 0) {
        read_side(&c->stable, json_get(j, "stable"));
        read_side(&c->canary, json_get(j, "canary"));
    }
    c->kept_calls = c->stable.calls + c->canary.calls;
    arena_free(a);
}

static void set_trial(struct unit *u, bool on)
{
    atomic_store(&u->canary->version->on_trial, on);
    if (u->version)
        atomic_store(&u->version->on_trial, on);
}

void canary_begin(struct script *s, struct unit *u, struct version *v,
                  int64_t since_at, struct slice note)
{
    struct canary *c = mem_alloc(sizeof *c);
    must(!u->canary);
    c->unit = u;
    c->version = v;
    c->since_at = since_at;
    map_init(&c->stable.seen);
    map_init(&c->canary.seen);
    go_on(c, note);
    u->canary = c;
    set_trial(u, true);
    timer_init(&c->due, on_due);
    int64_t left = since_at + v->canary.for_ms - clock_ms();
    if (v->canary.for_ms)
        timer_start(s->every, &c->due, script_now(s) + (left > 0 ? left : 0));
}

struct version *canary_end(struct script *s, struct unit *u)
{
    struct canary *c = u->canary;
    struct version *v = c->version;
    set_trial(u, false);
    u->canary = NULL;
    timer_stop(s->every, &c->due);
    map_fini(&c->stable.seen);
    map_fini(&c->canary.seen);
    mem_free(c);
    return v;
}
