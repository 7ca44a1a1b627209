/* SPDX-License-Identifier: Apache-2.0 */
/* purse.c - what is remembered of a conversation, and what was spent.
 *
 * Happy path: a conversation's memo is read once when something is asked in it
 * and written as a whole with each answer; an assistant's day is read at the
 * start. Costs are whole billionths, as fine as connectors tell them, so that
 * sums are exact. Failure: a row
 * that cannot be read counts as empty and is logged; nothing is asked before
 * the answer is there.
 */
#include "app/assist/inside.h"
#include "base/clock.h"
#include "base/log.h"
#include <stdio.h>

#define DAY_MS (24LL * 3600 * 1000)
#define KEPT_MS (60 * DAY_MS)
#define COST_MOST 1e9 /* of one call: more is nonsense */

void purse_add(struct purse *to, const struct purse *more)
{
    to->input += more->input;
    to->output += more->output;
    to->cached += more->cached;
    to->cost += more->cost;
    to->turns += more->turns;
}

static int64_t count_of(const struct json *usage, const char *name)
{
    const struct json *v = json_get(usage, name);
    double n = json_is(v, JSON_REAL) ? v->real : 0;
    int64_t all = json_is(v, JSON_INT) ? v->integer : (int64_t)n;
    return all > 0 ? all : 0;
}

struct purse purse_of(const struct bot *bot, const struct json *usage)
{
    const struct json *cost = json_get(usage, "cost");
    struct purse p = {.input = count_of(usage, "input"),
                      .output = count_of(usage, "output"),
                      .cached = count_of(usage, "cached"),
                      .turns = 1};
    double told = json_is(cost, JSON_REAL)  ? cost->real
                  : json_is(cost, JSON_INT) ? (double)cost->integer
                                            : 0;
    if (told > 0) {
        p.cost = told < COST_MOST ? (int64_t)(told * 1e9 + 0.5) : 0;
        return p;
    }
    int64_t fresh = p.input - (p.cached < p.input ? p.cached : p.input);
    /* Millionths of a price for a million tokens: one division at the end. */
    p.cost = (fresh * bot->price_input + p.cached * bot->price_cached +
              p.output * bot->price_output) /
             1000;
    return p;
}

void purse_write(struct jsonw *w, const struct purse *p, struct slice currency)
{
    jsonw_open(w, '{');
    jsonw_put_int(w, "input", p->input);
    jsonw_put_int(w, "output", p->output);
    jsonw_put_int(w, "cached", p->cached);
    jsonw_key(w, "cost");
    jsonw_real(w, (double)p->cost / 1e9);
    jsonw_put_int(w, "cost_micro", (p->cost + 500) / 1000);
    jsonw_put_int(w, "cost_nano", p->cost);
    if (currency.len) {
        jsonw_put_text(w, "currency", currency);
    }
    jsonw_put_int(w, "turns", p->turns);
    jsonw_close(w, '}');
}

static void read_purse(const struct json *j, struct purse *p)
{
    p->input += json_int(j, "input", 0);
    p->output += json_int(j, "output", 0);
    p->cached += json_int(j, "cached", 0);
    p->cost += json_int(j, "cost_nano", 1000 * json_int(j, "cost_micro", 0));
    p->turns += json_int(j, "turns", 0);
}

/* --- of a conversation ---------------------------------------------------- */

static struct slice memo_key(struct arena *a, uint64_t conv)
{
    char id[ID_TEXT];
    return slice_dup(a, id_text(id, ID_CONVERSATION, conv));
}

static void own(struct slice *to, struct slice from)
{
    char *copy = NULL;
    if (from.len) {
        copy = mem_alloc(from.len + 1);
        memcpy(copy, from.at, from.len);
    }
    mem_free((char *)to->at);
    *to = (struct slice){copy, from.len};
}

static void know(struct memo *m, const struct json *j)
{
    struct buf out;
    const struct json *states = json_get(j, "states");
    read_purse(json_get(j, "spent"), &m->purse);
    if (json_is(states, JSON_OBJECT)) {
        buf_init(&out, MEMO_BYTES);
        struct jsonw w = jsonw_on(&out);
        jsonw_value(&w, states);
        own(&m->states, w.failed ? SLICE("") : buf_slice(&out));
        buf_fini(&out);
    }
    m->known = true;
    while (!list_empty(&m->waiting)) {
        struct asking *k = container_of(m->waiting.next, struct asking, link);
        list_remove(&k->link);
        asking_ready(k);
    }
}

static void on_memo(struct query *q)
{
    struct assist *as = q->owner;
    struct memo *m = map_get(&as->memos, q->id);
    struct json *j = NULL;
    if (m) {
        if (q->result && q->result != ERR_NOT_FOUND) {
            log_warn("assist", "a conversation's memory was not read: %s",
                     q->err.text);
        }
        if (q->result == 0 && json_parse(q->arena, q->text, NULL, &j) < 0) {
            j = NULL;
        }
        know(m, j);
        memo_unref(as, m); /* the question's own */
    }
    query_free(q);
}

struct memo *memo_get(struct assist *as, uint64_t conv)
{
    struct memo *m = map_get(&as->memos, conv);
    if (m) {
        m->refs++;
        return m;
    }
    m = mem_alloc(sizeof *m);
    m->conv = conv;
    m->refs = 2; /* the question holds it, too */
    list_init(&m->waiting);
    map_put(&as->memos, conv, m);
    struct query *q = query_new(QUERY_KV, on_memo, as);
    q->id = conv;
    q->kv.space = SLICE(ASSIST_SPACE);
    q->kv.key = memo_key(q->arena, conv);
    server_read(as->server, q);
    return m;
}

void memo_unref(struct assist *as, struct memo *m)
{
    if (m && --m->refs == 0) {
        map_take(&as->memos, m->conv);
        mem_free((char *)m->states.at);
        mem_free(m);
    }
}

void memo_wait(struct memo *m, struct asking *k)
{
    list_add_last(&m->waiting, &k->link);
}

static struct json *states_of(const struct memo *m, struct arena *a)
{
    struct json *j = NULL;
    bool good = m && m->states.len && json_parse(a, m->states, NULL, &j) == 0;
    return good ? j : NULL;
}

struct slice memo_state(const struct memo *m, uint64_t bot, struct arena *a)
{
    char id[ID_TEXT];
    struct buf out;
    const struct json *v =
        json_get(states_of(m, a), id_text(id, ID_ASSISTANT, bot).at);
    if (!v) {
        return SLICE("");
    }
    buf_init(&out, MEMO_BYTES);
    struct jsonw w = jsonw_on(&out);
    jsonw_value(&w, v);
    struct slice s = w.failed ? SLICE("") : slice_dup(a, buf_slice(&out));
    buf_fini(&out);
    return s;
}

void memo_keep(struct memo *m, uint64_t bot, struct slice state)
{
    char id[ID_TEXT];
    struct buf out;
    struct arena *a = arena_new();
    struct slice me = id_text(id, ID_ASSISTANT, bot);
    const struct json *j = states_of(m, a);
    buf_init(&out, MEMO_BYTES);
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '{');
    for (const struct json *v = j ? j->first : NULL; v; v = v->next) {
        if (!slice_eq(v->key, me)) {
            jsonw_key(&w, slice_dup(a, v->key).at);
            jsonw_value(&w, v);
        }
    }
    if (state.len && !slice_is(state, "null")) {
        jsonw_put_raw(&w, me.at, state);
    }
    jsonw_close(&w, '}');
    if (w.failed) {
        log_warn("assist", "what a connector wants to keep is too long");
    } else {
        own(&m->states, buf_slice(&out));
    }
    buf_fini(&out);
    arena_free(a);
}

static struct slice memo_text(const struct memo *m, struct arena *a)
{
    struct buf out;
    buf_init(&out, MEMO_BYTES + 1024);
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '{');
    jsonw_key(&w, "spent");
    purse_write(&w, &m->purse, SLICE(""));
    if (m->states.len) {
        jsonw_put_raw(&w, "states", m->states);
    }
    jsonw_close(&w, '}');
    must(w.failed == 0);
    struct slice s = slice_dup(a, buf_slice(&out));
    buf_fini(&out);
    return s;
}

/* --- of a day ------------------------------------------------------------- */

static int64_t today(void)
{
    return clock_ms() / DAY_MS;
}

static struct slice day_key(struct arena *a, const struct desk_of_bot *b,
                            int64_t day)
{
    char id[ID_TEXT], key[80];
    int n = snprintf(key, sizeof key, "day/%lld/%s", (long long)day,
                     id_text(id, ID_ASSISTANT, b->id).at);
    return slice_dup(a, (struct slice){key, (size_t)n});
}

void purse_currency(struct desk_of_bot *b, struct slice told)
{
    if (told.len && told.len < sizeof b->currency) {
        memcpy(b->currency, told.at, told.len);
        b->currency[told.len] = '\0';
    }
}

/* A new day begins with an empty purse. */
static void turn_day(struct desk_of_bot *b)
{
    int64_t day = today();
    if (b->day != day && b->purse_known) {
        b->day = day;
        b->purse = (struct purse){0};
    }
}

static void on_day(struct query *q)
{
    struct assist *as = q->owner;
    struct desk_of_bot *b = map_get(&as->bots, q->id);
    struct json *j = NULL;
    if (b) {
        if (q->result == 0 && json_parse(q->arena, q->text, NULL, &j) == 0) {
            read_purse(j, &b->purse);
            purse_currency(b, json_text(j, "currency"));
        }
        b->purse_known = true;
        bot_pump(b);
    }
    query_free(q);
}

void purse_read(struct desk_of_bot *b)
{
    if (b->purse_asked) {
        return;
    }
    b->purse_asked = true;
    b->day = today();
    struct query *q = query_new(QUERY_KV, on_day, b->as);
    q->id = b->id;
    q->kv.space = SLICE(ASSIST_SPACE);
    q->kv.key = day_key(q->arena, b, b->day);
    server_read(b->as->server, q);
}

const char *purse_empty(struct desk_of_bot *b, const struct memo *m)
{
    const struct bot *bot = b->bot;
    const struct purse *p = &b->purse;
    if (!bot) {
        return NULL;
    }
    turn_day(b);
    if (bot->day_tokens && p->input + p->output >= bot->day_tokens) {
        return "its tokens of the day are used up";
    }
    if (bot->day_cost && p->cost >= bot->day_cost) {
        return "its money of the day is used up";
    }
    if (!m || !m->known) {
        return NULL;
    }
    p = &m->purse;
    if (bot->conversation_tokens &&
        p->input + p->output >= bot->conversation_tokens) {
        return "the conversation's tokens are used up";
    }
    if (bot->conversation_cost && p->cost >= bot->conversation_cost) {
        return "the conversation's money is used up";
    }
    return NULL;
}

size_t purse_rows(struct assist *as, struct memo *m, struct desk_of_bot *b,
                  struct arena *a, struct kv out[2])
{
    size_t n = 0;
    (void)as;
    if (m && m->known) {
        out[n++] = (struct kv){.space = SLICE(ASSIST_SPACE),
                               .key = memo_key(a, m->conv),
                               .value = memo_text(m, a),
                               .expires_at = clock_ms() + KEPT_MS};
    }
    if (b && b->purse_known) {
        struct buf text;
        buf_init(&text, 512);
        struct jsonw w = jsonw_on(&text);
        turn_day(b);
        purse_write(&w, &b->purse, slice_of(b->currency));
        must(w.failed == 0);
        out[n++] = (struct kv){.space = SLICE(ASSIST_SPACE),
                               .key = day_key(a, b, b->day),
                               .value = slice_dup(a, buf_slice(&text)),
                               .expires_at = clock_ms() + KEPT_MS};
        buf_fini(&text);
    }
    return n;
}
