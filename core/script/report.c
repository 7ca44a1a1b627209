/* SPDX-License-Identifier: Apache-2.0 */
/* report.c - error records: from the worker to the unit.
 *
 * Happy path: a failure is one small mail home; there it is counted at its
 * place. Failure modes: a text that is not UTF-8 (shown with question marks),
 * too many places (the one seen longest ago makes room).
 */
#include "script/report.h"
#include "base/clock.h"
#include "base/log.h"
#include "loop/loop.h"
#include "script/inside.h"
#include "script/load/serving.h"
#include "script/run/logtail.h"
#include <stdio.h>
#include <string.h>

#define MESSAGE_BYTES 1000
#define TRACEBACK_BYTES 4000

struct telling {
    struct mail mail;
    struct unit *unit;       /* one ref */
    struct script *script;   /* one ref */
    struct version *version; /* told by address only; never followed */
    struct slice text;
    enum unit_state ill; /* it is switched off; SERVING = it is not */
    const char *hook;    /* NULL: of no job */
    uint64_t pos, conv;
    char *log; /* owned, or NULL */
    char bytes[];
};

/* --- places --------------------------------------------------------------- */

/* Length of the file's name if a ":12:" follows at i, else 0. */
static size_t file_length(struct slice s, size_t i, uint32_t *line)
{
    size_t k = i + 1;
    uint32_t n = 0;
    while (k < s.len && s.at[k] >= '0' && s.at[k] <= '9' && k < i + 8)
        n = n * 10 + (uint32_t)(s.at[k++] - '0');
    if (k == i + 1 || k == s.len || s.at[k] != ':')
        return 0;
    *line = n;
    return k;
}

struct place place_of(struct slice text, struct slice otherwise)
{
    struct place p = {.file = otherwise, .message = text};
    for (size_t i = 1; i < text.len && text.at[i] != '\n'; i++) {
        size_t k = text.at[i] == ':' ? file_length(text, i, &p.line) : 0;
        if (!k)
            continue;
        p.file = (struct slice){text.at, i};
        p.message =
            slice_trim((struct slice){text.at + k + 1, text.len - k - 1});
        break;
    }
    return p;
}

/* --- on main -------------------------------------------------------------- */

static char *copy(struct slice s, size_t max)
{
    size_t n = s.len < max ? s.len : max;
    while (n < s.len && n > 0 && ((unsigned char)s.at[n] & 0xc0) == 0x80)
        n--; /* not in the middle of a character */
    char *text = mem_alloc(n + 1);
    if (n)
        memcpy(text, s.at, n);
    if (!slice_is_utf8((struct slice){text, n}))
        for (size_t i = 0; i < n; i++)
            if ((unsigned char)text[i] >= 0x80)
                text[i] = '?';
    return text;
}

static bool same(const struct trouble *t, const struct place *p,
                 const char *message, enum phase phase)
{
    return t->phase == phase && t->line == p->line &&
           slice_is(p->file, t->file) && strcmp(t->message, message) == 0;
}

static void make_room(struct unit *u)
{
    struct trouble *oldest = NULL;
    list_each (&u->troubles, n) {
        struct trouble *t = container_of(n, struct trouble, link);
        if (!oldest || t->last_at < oldest->last_at)
            oldest = t;
    }
    trouble_free(oldest);
    u->trouble_count--;
}

struct trouble *unit_note(struct unit *u, const struct place *at,
                          struct slice traceback, enum phase phase)
{
    char *message = copy(at->message, MESSAGE_BYTES);
    int64_t now = clock_ms();
    list_each (&u->troubles, n) {
        struct trouble *t = container_of(n, struct trouble, link);
        if (!same(t, at, message, phase))
            continue;
        t->count++;
        t->last_at = now;
        mem_free(message);
        return t;
    }
    if (u->trouble_count == UNIT_TROUBLES)
        make_room(u);
    struct trouble *t = mem_alloc(sizeof *t);
    t->phase = phase;
    t->line = at->line;
    t->count = 1;
    t->first_at = t->last_at = now;
    t->file = copy(at->file, UNIT_NAME + 20);
    t->message = message;
    t->traceback = copy(traceback, TRACEBACK_BYTES);
    list_add_last(&u->troubles, &t->link);
    u->trouble_count++;
    log_warn("script", "%s:%u: %s", t->file, t->line, t->message);
    return t;
}

void unit_forget_troubles(struct unit *u, bool only_loading)
{
    list_each (&u->troubles, n) {
        struct trouble *t = container_of(n, struct trouble, link);
        if (only_loading && t->phase == PHASE_RUN)
            continue;
        trouble_free(t);
        u->trouble_count--;
    }
}

static struct slice split_traceback(struct slice *text)
{
    static const char mark[] = "\nstack traceback:";
    struct slice rest = {"", 0};
    const char *at = memmem(text->at, text->len, mark, sizeof mark - 1);
    if (at) {
        rest.at = at + 1;
        rest.len = text->len - (size_t)(rest.at - text->at);
        text->len = (size_t)(at - text->at);
    }
    return rest;
}

struct trouble *unit_note_text(struct unit *u, struct slice text,
                               enum phase phase)
{
    char file[UNIT_NAME + 20];
    int n = snprintf(file, sizeof file, "scripts/%s.lua", u->name);
    struct slice traceback = split_traceback(&text);
    struct place p = place_of(text, (struct slice){file, (size_t)n});
    return unit_note(u, &p, traceback, phase);
}

/* The event of the last one is the one to look at: its trace is there. */
static void note_cause(struct trouble *t, struct telling *of)
{
    if (!of->hook)
        return;
    t->hook = of->hook;
    t->pos = of->pos;
    t->conv = of->conv;
    mem_free(t->log);
    t->log = of->log;
    of->log = NULL;
}

static void on_home(struct mail *m)
{
    struct telling *t = container_of(m, struct telling, mail);
    struct script *s = t->script;
    struct unit *u = t->unit;
    if (!s->closed) {
        note_cause(unit_note_text(u, t->text, PHASE_RUN), t);
        if (t->ill != UNIT_SERVING)
            serving_ill(s, u, t->version, t->ill);
        if (s->conf.on_change)
            s->conf.on_change(s->conf.arg);
    }
    unit_free(u);
    script_unref(s);
    mem_free(t->log);
    mem_free(t);
}

/* --- on the worker -------------------------------------------------------- */

static void tell(struct worker *w, struct version *v, const struct job *job,
                 struct slice text, enum unit_state ill)
{
    struct telling *t = mem_alloc(sizeof *t + text.len + 1);
    if (text.len)
        memcpy(t->bytes, text.at, text.len);
    t->text = (struct slice){t->bytes, text.len};
    t->ill = ill;
    t->hook = job ? hook_name(job->hook) : NULL;
    t->pos = job ? job->event.pos : 0;
    t->conv = job ? job->conv.id : 0;
    /* a lane that has the state has its lines */
    t->log = job && !v->away ? logtail_text(v->log) : NULL;
    t->unit = v->unit;
    t->version = v;
    t->script = w->conf.script;
    unit_ref(v->unit);
    script_ref(w->conf.script);
    t->mail.run = on_home;
    worker_post(w, &t->mail);
}

void report_failure(struct worker *w, struct version *v, const struct job *job,
                    struct slice text)
{
    size_t most = MESSAGE_BYTES * 8 + TRACEBACK_BYTES;
    if (text.len > most)
        text.len = most;
    tell(w, v, job, text, UNIT_SERVING);
}

void report_quarantine(struct worker *w, struct version *v)
{
    tell(w, v, NULL,
         SLICE("switched off: stopped 5 times within a minute; it serves "
               "again when the file changes or is reloaded"),
         UNIT_QUARANTINED);
}

void report_lost(struct worker *w, struct version *v)
{
    tell(w, v, NULL,
         SLICE("switched off: a call did not come back and holds its thread; "
               "it serves again when the file changes or is reloaded"),
         UNIT_QUARANTINED);
}

void report_failing(struct worker *w, struct version *v)
{
    tell(w, v, NULL,
         SLICE("switched off: it failed too often in a row; it serves again "
               "when the file changes or is reloaded"),
         UNIT_FAILING);
}
