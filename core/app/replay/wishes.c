/* SPDX-License-Identifier: Apache-2.0 */
/* wishes.c - what scripts wanted, as texts that can be compared.
 *
 * Happy path: every effect, from a trace or from a job, becomes one text in
 * one form: keys sorted, moments told from the job's start in steps of ten
 * seconds (the clock went on a little while the script ran). Two lists of
 * texts are equal or they are a difference. Failure: what is too long is cut.
 */
#include "app/replay/replay.h"
#include "base/clock.h"
#include "base/limits.h"
#include <stdlib.h>

#define TEXT_MAX (256 * 1024)
#define STEP_MS 10000

const char *const group_names[] = {
    [GROUP_ROUTED] = "routed",   [GROUP_ANSWERED] = "answered",
    [GROUP_TAGGED] = "tagged",   [GROUP_KEPT] = "kept",
    [GROUP_DECIDED] = "decided", [GROUP_FAILED] = "failed",
};

/* One effect, wherever it comes from. */
struct wish {
    struct slice type, text, name, pick, agent, team;
    const struct json *data;
    int64_t number;
};

static enum group group_of(struct slice type)
{
    static const struct {
        const char *type;
        enum group group;
    } known[] = {{"assign", GROUP_ROUTED},  {"close", GROUP_ROUTED},
                 {"snooze", GROUP_ROUTED},  {"priority", GROUP_ROUTED},
                 {"reply", GROUP_ANSWERED}, {"note", GROUP_ANSWERED},
                 {"edit", GROUP_ANSWERED},  {"reject", GROUP_ANSWERED},
                 {"tag", GROUP_TAGGED},     {"untag", GROUP_TAGGED},
                 {"set", GROUP_TAGGED},     {"contact", GROUP_TAGGED}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (slice_is(type, known[i].type)) {
            return known[i].group;
        }
    }
    return GROUP_KEPT;
}

/* --- one form ------------------------------------------------------------- */

static int by_key(const void *a, const void *b)
{
    struct slice x = (*(const struct json *const *)a)->key;
    struct slice y = (*(const struct json *const *)b)->key;
    size_t n = x.len < y.len ? x.len : y.len;
    int c = n ? memcmp(x.at, y.at, n) : 0;
    return c ? c : (x.len > y.len) - (x.len < y.len);
}

static void put_sorted(struct jsonw *w, const struct json *j)
{
    if (j->type != JSON_OBJECT && j->type != JSON_ARRAY) {
        jsonw_value(w, j);
        return;
    }
    bool object = j->type == JSON_OBJECT;
    const struct json **at = mem_alloc((j->count + 1) * sizeof *at);
    size_t n = 0;
    for (const struct json *c = j->first; c; c = c->next) {
        at[n++] = c;
    }
    if (object) {
        qsort(at, n, sizeof *at, by_key);
    }
    jsonw_open(w, object ? '{' : '[');
    for (size_t i = 0; i < n; i++) {
        if (object) {
            jsonw_key(w, at[i]->key.at);
        }
        put_sorted(w, at[i]);
    }
    jsonw_close(w, object ? '}' : ']');
    mem_free(at);
}

/* What does not fit is left away: both sides lose the same. */
static void add(struct buf *out, const char *word, struct slice s)
{
    if (s.len) {
        (void)buf_addf(out, " %s%.*s", word, SLICE_FMT(s));
    }
}

static bool is_moment(struct slice type)
{
    return slice_is(type, "snooze") || slice_is(type, "after") ||
           slice_is(type, "kv_set");
}

static void put_wish(struct buf *out, const struct wish *w, int64_t at)
{
    if (out->len) {
        (void)buf_add_text(out, "; ");
    }
    (void)buf_add_slice(out, w->type);
    if (w->text.len && w->text.len < REPLAY_QUOTE) {
        (void)buf_addf(out, " \"%.*s\"", SLICE_FMT(w->text));
    } else {
        add(out, "", w->text);
    }
    add(out, "", w->name);
    add(out, "agent ", w->agent);
    add(out, "team ", w->team);
    add(out, "pick ", w->pick);
    if (w->data) {
        struct jsonw jw = jsonw_on(out);
        (void)buf_add_char(out, ' ');
        put_sorted(&jw, w->data);
    }
    if (w->number && is_moment(w->type)) {
        (void)buf_addf(out, " in %lld s",
                       (long long)((w->number - at + STEP_MS / 2) / STEP_MS *
                                   (STEP_MS / 1000)));
    } else if (w->number) {
        (void)buf_addf(out, " %lld", (long long)w->number);
    }
}

/* --- collecting ----------------------------------------------------------- */

struct collector {
    struct buf of[GROUP_COUNT];
};

static void begin(struct collector *c, const struct wishes *w)
{
    for (int i = 0; i < GROUP_COUNT; i++) {
        buf_init(&c->of[i], TEXT_MAX);
        (void)buf_add_slice(&c->of[i], w->of[i]);
    }
}

static void end(struct collector *c, struct wishes *w, struct arena *a)
{
    for (int i = 0; i < GROUP_COUNT; i++) {
        w->of[i] = slice_dup(a, buf_slice(&c->of[i]));
        buf_fini(&c->of[i]);
    }
}

static void collect(struct collector *c, struct wishes *w,
                    const struct wish *wish, int64_t at)
{
    w->rejected |= slice_is(wish->type, "reject");
    put_wish(&c->of[group_of(wish->type)], wish, at);
}

static void collect_more(struct collector *c, enum group g, struct slice s)
{
    if (s.len) {
        (void)buf_addf(&c->of[g], "%s%.*s", c->of[g].len ? "; " : "",
                       SLICE_FMT(s));
    }
}

void wishes_recorded(struct wishes *w, struct arena *a, const struct json *t)
{
    struct collector c;
    const struct json *list = json_get(t, "effects");
    begin(&c, w);
    for (const struct json *e = list ? list->first : NULL; e; e = e->next) {
        const struct wish wish = {.type = json_text(e, "type"),
                                  .text = json_text(e, "text"),
                                  .name = json_text(e, "name"),
                                  .pick = json_text(e, "pick"),
                                  .agent = json_text(e, "agent"),
                                  .team = json_text(e, "team"),
                                  .data = json_get(e, "data"),
                                  .number = json_int(e, "number", 0)};
        collect(&c, w, &wish, json_int(t, "at", 0));
    }
    collect_more(&c, GROUP_DECIDED, json_text(t, "decided_by"));
    collect_more(&c, GROUP_FAILED, json_text(t, "trouble"));
    end(&c, w, a);
}

void wishes_of(struct wishes *w, struct arena *a, const struct job *job)
{
    struct collector c;
    char agent[ID_TEXT], team[ID_TEXT];
    begin(&c, w);
    for (const struct effect *e = job->first; e; e = e->next) {
        struct json *data = NULL;
        struct wish wish = {.type = slice_of(effect_name(e->type)),
                            .text = e->text,
                            .name = e->name,
                            .pick = e->pick,
                            .number = e->number};
        if (e->agent) {
            wish.agent = id_text(agent, ID_AGENT, e->agent);
        }
        if (e->team) {
            wish.team = id_text(team, ID_TEAM, e->team);
        }
        if (e->data.len && json_parse(a, e->data, NULL, &data) == 0) {
            wish.data = data;
        }
        collect(&c, w, &wish, job->at);
    }
    collect_more(&c, GROUP_DECIDED, job->rule);
    collect_more(&c, GROUP_FAILED, job->trouble);
    end(&c, w, a);
}

/* --- comparing ------------------------------------------------------------ */

static struct slice quote(struct arena *a, struct slice s)
{
    size_t n = s.len < REPLAY_QUOTE ? s.len : REPLAY_QUOTE;
    while (n < s.len && n > 0 && ((unsigned char)s.at[n] & 0xc0) == 0x80) {
        n--;
    }
    return slice_dup(a, (struct slice){s.at, n});
}

static void note(struct replay *r, enum group g, const struct wishes *before,
                 const struct wishes *after)
{
    struct sum *sum = &r->groups[g];
    sum->count++;
    if (sum->kept == REPLAY_EXAMPLES) {
        return;
    }
    struct json *body = NULL;
    struct example *x = arena_one(r->arena, struct example);
    (void)json_parse(r->arena, r->moment.message.body, NULL, &body);
    *x = (struct example){.pos = r->moment.message.pos,
                          .group = g,
                          .text = quote(r->arena, json_text(body, "text")),
                          .before = quote(r->arena, before->of[g]),
                          .after = quote(r->arena, after->of[g])};
    if (sum->last) {
        sum->last->next = x;
    } else {
        sum->first = x;
    }
    sum->last = x;
    sum->kept++;
}

void replay_compare(struct replay *r, const struct wishes *before,
                    const struct wishes *after)
{
    bool same = true;
    for (enum group g = GROUP_ROUTED; g <= GROUP_KEPT; g++) {
        if (!slice_eq(before->of[g], after->of[g])) {
            same = false;
            note(r, g, before, after);
        }
    }
    if (same &&
        !slice_eq(before->of[GROUP_DECIDED], after->of[GROUP_DECIDED])) {
        same = false;
        note(r, GROUP_DECIDED, before, after);
    }
    if (after->of[GROUP_FAILED].len && !before->of[GROUP_FAILED].len) {
        same = false;
        note(r, GROUP_FAILED, before, after);
    }
    r->compared++;
    r->same += same;
}
