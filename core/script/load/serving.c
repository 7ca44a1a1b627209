/* SPDX-License-Identifier: Apache-2.0 */
/* serving.c - swaps, canaries, pins and roll backs.
 *
 * Happy path: a new version is given a worker and takes the place of the old
 * one, whose waits are cancelled after a while. Failure modes: a file that
 * does not load leaves whoever serves; a version that was rolled back from is
 * not taken again; a canary that fails goes, and nobody else notices.
 */
#include "script/load/serving.h"
#include "base/clock.h"
#include "base/log.h"
#include "script/inside.h"
#include "script/load/canary.h"
#include "script/load/history.h"
#include "script/load/period.h"
#include <stdio.h>

#define LOOK_AGAIN_MS (3600 * 1000)

METER(canaries_now, METER_GAUGE, "yuelai_script_canaries",
      "New versions that are being tried.");
METER(rollbacks, METER_COUNTER, "yuelai_script_rollbacks_total",
      "Versions that were rolled back from.");

/* --- units ---------------------------------------------------------------- */

bool serving_is_on(const struct unit *u)
{
    return u->version && !u->off && u->ill == UNIT_SERVING;
}

bool serving_is_guard(const struct unit *u)
{
    return u->version && !u->off && u->version->strict;
}

/* The state follows from what is the case. */
static void settle(struct unit *u)
{
    u->state = !u->version  ? UNIT_BROKEN
               : u->off     ? UNIT_OFF
               : u->ill     ? u->ill
               : u->broken  ? UNIT_LAST_GOOD
               : u->is_back ? UNIT_ROLLED_BACK
                            : UNIT_SERVING;
}

/* The clock may be set, and no timer should be out for months. */
static void arm_every(struct script *s, struct unit *u)
{
    int64_t wall = s->conf.now ? s->conf.now(s->conf.arg) : clock_ms();
    int64_t wait = period_wait(u->version, wall);
    u->due_at = wait ? wall + wait : 0;
    if (!s->conf.now && u->version->period && wait > LOOK_AGAIN_MS)
        wait = LOOK_AGAIN_MS;
    if (wait)
        timer_start(s->every, &u->every, script_now(s) + wait);
}

static void on_every(struct timer *t)
{
    struct unit *u = container_of(t, struct unit, every);
    struct script *s = u->script;
    if (!u->version)
        return;
    int64_t wall = s->conf.now ? s->conf.now(s->conf.arg) : clock_ms();
    bool is_due = !u->version->period || wall >= u->due_at;
    arm_every(s, u);
    if (is_due && serving_is_on(u))
        s->conf.on_every(s->conf.arg, slice_of(u->name));
}

static void start_every(struct script *s, struct unit *u)
{
    timer_stop(s->every, &u->every);
    if (!u->version->every_ms && !u->version->period)
        return;
    if (s->conf.on_every)
        arm_every(s, u);
    else
        log_warn("script", "%s: nobody runs `every` here", u->name);
}

struct unit *serving_unit(struct script *s, struct slice name)
{
    struct unit *u = script_unit(s, name);
    if (u)
        return u;
    u = unit_new(s, name);
    timer_init(&u->every, on_every);
    u->state = UNIT_BROKEN;
    map_put_text(&s->units, slice_of(u->name), u);
    return u;
}

/* --- versions ------------------------------------------------------------- */

static bool same(const struct version *a, const struct version *b)
{
    return a && strcmp(a->text, b->text) == 0;
}

/* Always the same thread for a unit, whatever its version. A job walks all
 * rules and a hop costs more than a short handler, so rules stay together: on
 * the first half of the threads, and what channels are called for alone on the
 * other. The name's hash is the same in each process. */
static struct worker *worker_of(const struct script *s, struct slice name)
{
    uint64_t at = choice_salt(name), all = (uint64_t)s->workers;
    uint64_t rules = (all + 1) / 2;
    if (all == 1)
        return s->worker[0];
    if (slice_starts(name, "channels/"))
        return s->worker[rules + at % (all - rules)];
    return s->worker[at % rules];
}

static void adopt(struct script *s, struct unit *u, struct version *v)
{
    unit_ref(u);
    v->unit = u;
    v->worker = worker_of(s, slice_of(u->name));
}

/* Takes a ref: nothing new comes to it, what waits in it has a while. */
static void retire(struct version *v)
{
    worker_retire(v->worker, v);
    version_unref(v);
}

static void drop_pinned(struct unit *u, size_t i)
{
    retire(u->pinned[i].version);
    u->pinned_count--;
    memmove(&u->pinned[i], &u->pinned[i + 1],
            (u->pinned_count - i) * sizeof u->pinned[0]);
}

void serving_forget(struct script *s, struct unit *u)
{
    map_take_text(&s->units, slice_of(u->name));
    timer_stop(s->every, &u->every);
    if (u->canary)
        retire(canary_end(s, u));
    while (u->pinned_count)
        drop_pinned(u, 0);
    if (u->version)
        retire(u->version);
    u->version = NULL;
    unit_free(u);
}

/* Who served is the caller's. */
static void install(struct script *s, struct unit *u, struct version *v,
                    int64_t since_at)
{
    u->version = v;
    u->ill = UNIT_SERVING;
    u->since_at = since_at;
    u->loaded_at = clock_ms();
    memcpy(u->text, v->text, sizeof u->text);
    meter_add(u->meters.reloads, 1);
    meter_set(u->meters.memory, (int64_t)v->budget.used);
    start_every(s, u);
}

/* --- ends ----------------------------------------------------------------- */

/* Old, but there are conversations that stay on it. */
static void pin(struct script *s, struct unit *u, struct version *v,
                int64_t since_at, int64_t until_at)
{
    if (u->pinned_count == PINNED_MAX) {
        const struct term *t = &u->pinned[0];
        history_keep(s, t->version, VERSION_OLD, t->since_at, t->until_at,
                     SLICE(""));
        drop_pinned(u, 0);
    }
    u->pinned[u->pinned_count++] = (struct term){v, since_at, until_at};
    history_keep(s, v, VERSION_PINNED, since_at, until_at, SLICE(""));
}

/* The one that served until now; takes its ref. */
static void end_serving(struct script *s, struct unit *u, struct version *v,
                        bool refused, const char *why)
{
    int64_t now = clock_ms();
    if (refused) {
        unit_refuse(u, v->text);
        meter_add(&rollbacks, 1);
        history_keep(s, v, VERSION_REFUSED, u->since_at, now, slice_of(why));
    } else if (v->pin) {
        pin(s, u, v, u->since_at, now);
        return;
    } else {
        history_keep(s, v, VERSION_OLD, u->since_at, now, slice_of(why));
    }
    retire(v);
}

static void keep_serving(struct script *s, struct unit *u)
{
    history_keep(s, u->version, VERSION_SERVING, u->since_at,
                 u->off ? clock_ms() : 0, slice_of(u->note));
}

/* If it is pinned its term is over: it serves again. Gives when it began. */
static int64_t take_from_pinned(struct unit *u, const struct version *v,
                                int64_t otherwise)
{
    for (size_t i = 0; i < u->pinned_count; i++) {
        if (!same(u->pinned[i].version, v))
            continue;
        int64_t since_at = u->pinned[i].since_at;
        drop_pinned(u, i);
        return since_at;
    }
    return otherwise;
}

/* v serves; takes its ref. refused: so is who served until now. why: NULL = the
 * note stays, for the same version loaded anew. */
static void replace(struct script *s, struct unit *u, struct version *v,
                    bool refused, const char *why)
{
    struct version *old = u->version;
    int64_t since_at = take_from_pinned(u, v, clock_ms());
    bool again = old && same(old, v);
    if (again) {
        since_at = u->since_at;
        retire(old);
    } else if (old) {
        end_serving(s, u, old, refused, why);
    }
    u->tried.share = 0;
    install(s, u, v, since_at);
    if (why)
        snprintf(u->note, sizeof u->note, "%s", why);
    if (!again)
        keep_serving(s, u);
    log_info("script", "%s serves as version %s", u->name, u->text);
}

/* The canary is nobody's any more. */
static void drop_canary(struct script *s, struct unit *u, bool refused,
                        const char *why)
{
    int64_t since_at = u->canary->since_at;
    struct version *v = canary_end(s, u);
    meter_add(&canaries_now, -1);
    if (refused) {
        unit_refuse(u, v->text);
        meter_add(&rollbacks, 1);
    }
    history_keep(s, v, refused ? VERSION_REFUSED : VERSION_OLD, since_at,
                 clock_ms(), slice_of(why));
    snprintf(u->note, sizeof u->note, "%s", why);
    retire(v);
}

/* --- what comes ----------------------------------------------------------- */

void serving_restore(struct script *s, struct unit *u, struct outcome_of *o)
{
    struct version *v = o->version;
    o->version = NULL;
    if (o->kept == VERSION_REFUSED) {
        unit_refuse(u, o->text);
        return;
    }
    adopt(s, u, v);
    if (o->kept == VERSION_PINNED) {
        u->pinned[u->pinned_count++] =
            (struct term){v, o->since_at, o->until_at};
    } else if (o->kept == VERSION_CANARY) {
        canary_begin(s, u, v, o->since_at, o->note);
        meter_add(&canaries_now, 1);
    } else {
        install(s, u, v, o->since_at);
        snprintf(u->note, sizeof u->note, "%.*s", SLICE_FMT(o->note));
        u->off = o->until_at != 0;
        settle(u);
    }
}

/* v is tried beside who serves; takes its ref. */
static void try_it(struct script *s, struct unit *u, struct version *v)
{
    int64_t now = clock_ms();
    canary_begin(s, u, v, now, SLICE(""));
    meter_add(&canaries_now, 1);
    history_keep(s, v, VERSION_CANARY, now, 0, SLICE(""));
    log_info("script",
             "%s: version %s is tried on %d %% of the new "
             "conversations",
             u->name, v->text, v->canary.share);
}

static void load_refused(struct unit *u, struct version *v)
{
    version_unref(v);
    u->is_back = true;
    settle(u);
    if (!u->version)
        unit_note_text(u,
                       SLICE("this version was rolled back from; it is not "
                             "loaded until the file changes"),
                       PHASE_LOAD);
}

void serving_load(struct script *s, struct unit *u, struct version *v)
{
    adopt(s, u, v);
    unit_forget_troubles(u, true);
    u->broken = u->is_back = false;
    if (unit_is_refused(u, v->text)) {
        load_refused(u, v);
        return;
    }
    if (u->canary && same(u->canary->version, v)) {
        version_unref(v); /* saved again while it is tried */
        settle(u);
        return;
    }
    if (u->canary)
        drop_canary(s, u, false, "the file has changed");
    if (v->canary.share && serving_is_on(u) && !same(u->version, v)) {
        try_it(s, u, v);
    } else {
        unit_forget_troubles(u, false);
        replace(s, u, v, false, "");
    }
    settle(u);
}

void serving_break(struct unit *u, struct slice trouble, enum phase phase)
{
    unit_forget_troubles(u, true);
    unit_note_text(u, trouble, phase);
    u->broken = true;
    settle(u);
}

static void mend(struct script *s, struct unit *u, struct version *v)
{
    if (same(u->version, v)) {
        replace(s, u, v, false, NULL);
        settle(u);
    } else {
        version_unref(v); /* another one serves meanwhile */
    }
}

void serving_choose(struct script *s, struct unit *u, struct version *v,
                    const char *file_text, bool is_mending)
{
    bool is_file = strcmp(v->text, file_text) == 0;
    adopt(s, u, v);
    unit_forget_troubles(u, false);
    unit_forgive(u, v->text);
    if (is_mending) { /* the same again, with a clean slate */
        mend(s, u, v);
        return;
    }
    if (u->canary)
        drop_canary(s, u, !same(u->canary->version, v),
                    "another version was chosen by command");
    bool refused =
        u->version && !is_file && strcmp(u->version->text, file_text) == 0;
    if (!is_file)
        unit_refuse(u, file_text);
    replace(s, u, v, refused, "chosen by command");
    u->broken = false;
    u->is_back = !is_file;
    settle(u);
}

bool serving_switch(struct script *s, struct unit *u, bool on)
{
    bool changes = u->off == on;
    u->off = !on;
    settle(u);
    if (changes && u->version)
        keep_serving(s, u);
    return !on || !u->version || u->ill == UNIT_SERVING;
}

/* --- canaries and pins ---------------------------------------------------- */

static void tell(struct script *s)
{
    script_publish(s);
    if (s->conf.on_change)
        s->conf.on_change(s->conf.arg);
}

static void promote_canary(struct script *s, struct unit *u, const char *why)
{
    int64_t since_at = u->canary->since_at;
    struct version *v = canary_end(s, u);
    meter_add(&canaries_now, -1);
    unit_forget_troubles(u, false);
    replace(s, u, v, false, why);
    u->tried.share = v->canary.share; /* pinned ones of the trial stay on it */
    u->tried.since_at = since_at;
    u->tried.until_at = u->since_at;
}

void serving_end_canary(struct script *s, struct unit *u, bool promote,
                        const char *why)
{
    char note[sizeof u->note];
    snprintf(note, sizeof note, "%s %s: %s",
             promote ? "promoted" : "rolled back from",
             u->canary->version->text, why);
    log_info("script", "%s: %s", u->name, note);
    if (promote) {
        promote_canary(s, u, note);
    } else {
        drop_canary(s, u, true, note);
        u->is_back = true;
    }
    settle(u);
    tell(s);
}

void serving_ill(struct script *s, struct unit *u, const struct version *v,
                 enum unit_state state)
{
    const char *why = "it was switched off for its failures";
    if (u->canary && u->canary->version == v) {
        serving_end_canary(s, u, false, why);
        return;
    }
    if (u->version == v) {
        u->ill = state;
        settle(u);
        tell(s);
        return;
    }
    for (size_t i = 0; i < u->pinned_count; i++) {
        const struct term *t = &u->pinned[i];
        if (t->version != v)
            continue;
        history_keep(s, v, VERSION_OLD, t->since_at, t->until_at,
                     slice_of(why));
        drop_pinned(u, i);
        tell(s);
        return;
    }
}

void serving_unpin(struct script *s, struct unit *u, int64_t oldest)
{
    size_t was = u->pinned_count;
    for (size_t i = u->pinned_count; i-- > 0;) {
        const struct term *t = &u->pinned[i];
        if (oldest && t->until_at > oldest)
            continue;
        history_keep(s, t->version, VERSION_OLD, t->since_at, t->until_at,
                     SLICE(""));
        drop_pinned(u, i);
    }
    if (was != u->pinned_count)
        tell(s);
}
