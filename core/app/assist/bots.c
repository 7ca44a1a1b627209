/* SPDX-License-Identifier: Apache-2.0 */
/* bots.c - the assistants that are set up, and what their connectors say.
 *
 * Happy path: rows at the start, then each change; settings are read once into
 * numbers. Failure: an assistant whose connector is not there is kept, and
 * pending; one that is deleted ends when its last call has.
 */
#include "app/assist/inside.h"
#include "app/assist/prompts.h"
#include "base/cache.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/meter.h"
#include <stdio.h>
#include <string.h>

#define FACES_MAX (1024 * 1024)

int64_t assist_now(const struct assist *as)
{
    (void)as;
    return clock_ms();
}

bool duration_of(struct slice text, int64_t *ms)
{
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = {
        {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
    size_t n = 0;
    int64_t count = 0;
    while (n < text.len && text.at[n] >= '0' && text.at[n] <= '9') {
        n++;
    }
    struct slice unit = {text.at + n, text.len - n};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (slice_is(unit, units[i].unit) && n > 0 && n < 10 &&
            slice_to_i64((struct slice){text.at, n}, &count)) {
            *ms = count * units[i].ms;
            return true;
        }
    }
    return false;
}

/* --- settings ---------------------------------------------------------- */

static size_t texts_of(const struct json *list, struct slice *out, size_t most)
{
    size_t n = 0;
    const struct json *t = json_is(list, JSON_ARRAY) ? list->first : NULL;
    for (; t && n < most; t = t->next) {
        if (json_is(t, JSON_STRING) && t->text.len) {
            out[n++] = t->text;
        }
    }
    return n;
}

/* Millionths of an amount such as 2.5. */
static int64_t micro(const struct json *j, const char *name)
{
    const struct json *v = json_get(j, name);
    if (json_is(v, JSON_REAL)) {
        return (int64_t)(v->real * 1e6 + 0.5);
    }
    return json_is(v, JSON_INT) ? v->integer * 1000000 : 0;
}

static int64_t ms_of(const struct json *j, const char *name, int64_t otherwise)
{
    int64_t ms = 0;
    struct slice text = json_text(j, name);
    return text.len && duration_of(text, &ms) && ms > 0 ? ms : otherwise;
}

static const char *const durations[][2] = {
    {"timeout", "connect"}, {"timeout", "first"},  {"timeout", "total"},
    {"limits", "patience"}, {"limits", "confirm"}, {"cache", "ttl"}};
static const char *const amounts[][2] = {{"limits", "at_once"},
                                         {"limits", "rate"},
                                         {"limits", "turn_tokens"},
                                         {"limits", "conversation_tokens"},
                                         {"limits", "day_tokens"},
                                         {"limits", "day_cost"},
                                         {"limits", "conversation_cost"},
                                         {"price", "input"},
                                         {"price", "output"},
                                         {"price", "cached"}};

const char *assist_wrong(const struct json *setup)
{
    int64_t ms;
    for (size_t i = 0; i < sizeof durations / sizeof durations[0]; i++) {
        const struct json *v =
            json_get(json_get(setup, durations[i][0]), durations[i][1]);
        int64_t most = strcmp(durations[i][0], "timeout") == 0 ? LIMIT_STREAM_MS
                                                               : INT64_MAX;
        if (v && !json_is(v, JSON_NULL) &&
            !(json_is(v, JSON_STRING) && duration_of(v->text, &ms) &&
              ms <= most)) {
            return durations[i][1];
        }
    }
    const struct json *confirm = json_get(setup, "confirm");
    const struct json *by =
        json_is(confirm, JSON_OBJECT) ? confirm->first : NULL;
    for (; by; by = by->next) {
        if (!json_is(by, JSON_STRING) ||
            (!slice_is(by->text, "visitor") && !slice_is(by->text, "agent"))) {
            return "confirm";
        }
    }
    for (size_t i = 0; i < sizeof amounts / sizeof amounts[0]; i++) {
        const struct json *v =
            json_get(json_get(setup, amounts[i][0]), amounts[i][1]);
        bool good = !v || json_is(v, JSON_NULL) ||
                    (json_is(v, JSON_INT) && v->integer >= 0) ||
                    (json_is(v, JSON_REAL) && v->real >= 0);
        if (!good) {
            return amounts[i][1];
        }
    }
    return NULL;
}

static void read_settings(struct bot *b, const struct json *j)
{
    const struct json *limits = json_get(j, "limits");
    const struct json *timeout = json_get(j, "timeout");
    const struct json *price = json_get(j, "price");
    b->fallback_count =
        texts_of(json_get(j, "fallback"), b->fallback, CHAIN_MOST - 1);
    b->tool_count = texts_of(json_get(j, "tools"), b->tools, TOOLS_MOST);
    b->prompt = json_text(j, "prompt");
    b->guard = json_bool(j, "guard", true);
    b->summary = json_bool(j, "summary", true);
    b->at_once = json_int(limits, "at_once", AT_ONCE);
    b->per_minute = json_int(limits, "rate", 0);
    b->turn_tokens = json_int(limits, "turn_tokens", 0);
    b->conversation_tokens = json_int(limits, "conversation_tokens", 0);
    b->day_tokens = json_int(limits, "day_tokens", 0);
    b->day_cost = 1000 * micro(limits, "day_cost");
    b->conversation_cost = 1000 * micro(limits, "conversation_cost");
    b->patience_ms = ms_of(limits, "patience", PATIENCE_MS);
    b->confirm_ms = ms_of(limits, "confirm", CONFIRM_MS);
    b->confirm = json_get(j, "confirm");
    b->cache_ms = ms_of(json_get(j, "cache"), "ttl", 0);
    b->tag_count = texts_of(json_get(json_get(j, "cache"), "tags"), b->tags,
                            sizeof b->tags / sizeof b->tags[0]);
    b->connect_ms = ms_of(timeout, "connect", 0);
    b->first_ms = ms_of(timeout, "first", 0);
    b->total_ms = ms_of(timeout, "total", 0);
    b->price_input = micro(price, "input");
    b->price_output = micro(price, "output");
    b->price_cached =
        json_get(price, "cached") ? micro(price, "cached") : b->price_input;
    b->currency = json_text(price, "currency");
}

static struct bot *bot_new(const struct assistant *from)
{
    struct arena *a = arena_new();
    struct bot *b = arena_one(a, struct bot);
    struct json *setup = NULL;
    b->arena = a;
    b->rec = *from;
    b->rec.name = slice_dup(a, from->name);
    b->rec.type = slice_dup(a, from->type);
    b->rec.config = slice_dup(a, from->config);
    b->rec.secrets = slice_dup(a, from->secrets);
    b->rec.settings = slice_dup(a, from->settings);
    if (json_parse(a, b->rec.settings, NULL, &setup) < 0) {
        setup = NULL;
    }
    read_settings(b, setup);
    return b;
}

/* --- live ----------------------------------------------------------------- */

static void on_pace(struct timer *t)
{
    bot_pump(container_of(t, struct desk_of_bot, timer));
}

static struct meter *series(enum meter_kind kind, const char *name,
                            const char *help, struct slice assistant)
{
    char labels[200];
    snprintf(labels, sizeof labels, "{assistant=\"%.*s\"}",
             SLICE_FMT(assistant));
    return meter_labelled(kind, name, help, 0, labels);
}

static struct desk_of_bot *live_new(struct assist *as, struct bot *bot)
{
    static const struct breaker_conf conf = {
        .in_a_row = 5, .open_ms = 10000, .open_most_ms = 120000};
    struct desk_of_bot *b = mem_alloc(sizeof *b);
    b->as = as;
    b->id = bot->rec.id;
    b->tokens = INT32_MAX;
    list_init(&b->waiting);
    timer_init(&b->timer, on_pace);
    breaker_init(&b->breaker, &conf);
    b->state = series(METER_GAUGE, "yuelai_assistant_breaker",
                      "0 closed, 1 open, 2 probing", bot->rec.name);
    b->asked = series(METER_COUNTER, "yuelai_assistant_asked_total",
                      "Calls of an assistant's connector", bot->rec.name);
    b->failed = series(METER_COUNTER, "yuelai_assistant_failed_total",
                       "Of these, in vain", bot->rec.name);
    b->answered = series(METER_COUNTER, "yuelai_assistant_tokens_total",
                         "Tokens as the provider reported them", bot->rec.name);
    map_put(&as->bots, b->id, b);
    return b;
}

void bot_settle(struct desk_of_bot *b)
{
    if (b->bot || b->under_way || !list_empty(&b->waiting)) {
        return;
    }
    timer_stop(loop_wheel(b->as->server->loop), &b->timer);
    map_take(&b->as->bots, b->id);
    mem_free(b);
}

void bot_freed(struct desk_of_bot *b)
{
    struct loop *l = b->as->server->loop;
    if (!list_empty(&b->waiting)) {
        timer_stop(loop_wheel(l), &b->timer);
        timer_start(loop_wheel(l), &b->timer, loop_now(l));
    }
    bot_settle(b);
}

static void forget(struct desk_of_bot *b)
{
    if (b->bot) {
        map_take_text(&b->as->names, b->bot->rec.name);
        arena_free(b->bot->arena);
        b->bot = NULL;
    }
}

void assist_put(struct server *s, const struct assistant *a)
{
    struct assist *as = s->assist;
    struct bot *bot = bot_new(a);
    struct desk_of_bot *b = map_get(&as->bots, a->id);
    if (!b) {
        b = live_new(as, bot);
    }
    forget(b);
    b->bot = bot;
    b->trouble[0] = '\0'; /* somebody has looked at it */
    b->generation++;      /* it may answer otherwise now */
    map_put_text(&as->names, bot->rec.name, b);
    purse_read(b);
    bot_pump(b);
}

void assist_del(struct server *s, uint64_t id)
{
    struct desk_of_bot *b = map_get(&s->assist->bots, id);
    if (b) {
        forget(b);
        bot_pump(b); /* who waits goes on to the next */
        bot_settle(b);
    }
}

static struct desk_of_bot *live_of(const struct server *s, uint64_t id)
{
    struct desk_of_bot *b = s->assist ? map_get(&s->assist->bots, id) : NULL;
    return b && b->bot ? b : NULL;
}

const struct assistant *assist_get(const struct server *s, uint64_t id)
{
    struct desk_of_bot *b = live_of(s, id);
    return b ? &b->bot->rec : NULL;
}

struct desk_of_bot *bot_of(const struct assist *as, struct slice name)
{
    return map_get_text(&as->names, name);
}

const struct assistant *assist_find(const struct server *s, struct slice name)
{
    struct desk_of_bot *b = bot_of(s->assist, name);
    return b ? &b->bot->rec : NULL;
}

const struct assistant *assist_next(const struct server *s, size_t *i)
{
    struct desk_of_bot *b;
    while ((b = map_next(&s->assist->bots, i)) != NULL) {
        if (b->bot) {
            return &b->bot->rec;
        }
    }
    return NULL;
}

void assist_show(const struct server *s, uint64_t id, struct jsonw *w)
{
    struct desk_of_bot *b = live_of(s, id);
    if (!b) {
        return;
    }
    jsonw_put_text(w, "breaker",
                   slice_of(breaker_state_name(b->breaker.state)));
    jsonw_put_int(w, "under_way", b->under_way);
    jsonw_put_int(w, "waiting", b->waiting_count);
    jsonw_put_text(w, "trouble", slice_of(b->trouble));
    jsonw_key(w, "today");
    purse_write(w, &b->purse,
                b->currency[0] ? slice_of(b->currency) : b->bot->currency);
    jsonw_key(w, "kept");
    jsonw_open(w, '{');
    jsonw_put_int(w, "hits", b->hits);
    jsonw_put_int(w, "misses", b->misses);
    jsonw_close(w, '}');
}

/* --- connectors ----------------------------------------------------------- */

static const struct json *find_face(const struct assist *as, const char *kind,
                                    const char *key, struct slice name)
{
    const struct json *f =
        json_is(as->faces, JSON_ARRAY) ? as->faces->first : NULL;
    for (; f; f = f->next) {
        if (slice_is(json_text(f, "kind"), kind) &&
            slice_eq(json_text(f, key), name)) {
            return f;
        }
    }
    return NULL;
}

const struct json *face_of(const struct assist *as, struct slice type)
{
    return find_face(as, "connector", "type", type);
}

const struct json *tool_face(const struct assist *as, struct slice name)
{
    return find_face(as, "tool", "name", name);
}

const struct kinds *assist_kinds(const struct server *s)
{
    return s->assist->kinds;
}

void assist_faces_changed(struct server *s)
{
    struct assist *as = s->assist;
    struct buf out;
    if (!as) {
        return;
    }
    buf_init(&out, FACES_MAX);
    if (s->script && script_assistants(s->script, &out)) {
        log_error("assist", "the connectors say more than %d bytes", FACES_MAX);
        buf_clear(&out);
    }
    arena_free(as->faces_arena);
    as->faces_arena = arena_new();
    as->faces = NULL;
    if (!out.len ||
        json_parse(as->faces_arena, buf_slice(&out), NULL, &as->faces) < 0) {
        as->faces = NULL;
    }
    kinds_free(as->kinds);
    as->kinds = kinds_of_connectors(buf_slice(&out));
    buf_fini(&out);
}

/* --- the whole ------------------------------------------------------------ */

bool assist_is_busy(const struct server *s)
{
    return s->assist && s->assist->reads_prompts;
}

struct assist *assist_new(struct server *s)
{
    struct assist *as = mem_alloc(sizeof *as);
    as->server = s;
    map_init(&as->bots);
    map_init(&as->names);
    map_init(&as->askings);
    map_init(&as->runs);
    map_init(&as->memos);
    map_init(&as->confirms);
    list_init(&as->written);
    list_init(&as->summaries);
    as->kinds = kinds_of_connectors(SLICE("[]"));
    as->prompts = prompts_read(s->conf.home);
    return as;
}

void assist_free(struct assist *as)
{
    struct asking *k;
    struct run *r;
    struct desk_of_bot *b;
    if (!as) {
        return;
    }
    for (size_t i = 0; (k = map_next(&as->askings, &i)) != NULL;) {
        asking_drop(k);
    }
    for (size_t i = 0; (r = map_next(&as->runs, &i)) != NULL;) {
        map_take(&as->runs, r->number); /* its job is freed with the scripts */
        memo_unref(as, r->memo);
        mem_free(r);
    }
    for (size_t i = 0; (b = map_next(&as->bots, &i)) != NULL;) {
        forget(b);
        b->under_way = 0;
        bot_settle(b);
    }
    map_fini(&as->bots);
    map_fini(&as->names);
    map_fini(&as->askings);
    map_fini(&as->runs);
    map_fini(&as->memos);
    confirms_free(as);
    summaries_free(as);
    cache_free(as->answers);
    prompts_free(as->prompts);
    kinds_free(as->kinds);
    arena_free(as->faces_arena);
    mem_free(as);
}
