/* SPDX-License-Identifier: Apache-2.0 */
/* asking.c - a question's way from assistant to assistant.
 *
 * Happy path: the first of the chain has a place, the conversation is read, its
 * connector answers. Failure: one that cannot be asked (off, over its budget,
 * its breaker open, no place in time) or fails before a word was said is passed
 * over for the next, after a second try where that may help; when there is none
 * left the asker is told what the last one said. What waits is a small struct:
 * nothing is read or built before there is a place.
 */
#include "app/asks.h"
#include "app/assist/inside.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/meter.h"
#include <string.h>

#define AGAIN_MS 300
#define AGAIN_MOST_MS 3000
#define TRIES 2
/* Passed on in one go, and until the next: thousands who waited for one that is
 * down go to people without crowding out who talks meanwhile. */
#define PUMP_MOST 16
#define PUMP_MS 10
#define ASKED_BYTES 4096
#define WORDS_BYTES 192 /* of a short question, with its assistant's name */

METER(m_over, METER_COUNTER, "yuelai_assistant_failovers_total",
      "Questions that went on to the next assistant");

static void on_timer(struct timer *t);

struct asking *asking_new(struct assist *as, enum asking_kind kind, uint64_t id)
{
    struct arena *a = arena_new_for(sizeof(struct asking) + WORDS_BYTES);
    struct asking *k = arena_one(a, struct asking);
    k->arena = a;
    k->as = as;
    k->kind = kind;
    k->id = id;
    k->began_ms = clock_ms();
    list_init(&k->link);
    timer_init(&k->timer, on_timer);
    buf_init(&k->text, LIMIT_TURN_TEXT);
    buf_init(&k->asked, ASKED_BYTES);
    map_put(&as->askings, id, k);
    return k;
}

void asking_free(struct asking *k)
{
    struct assist *as = k->as;
    list_remove(&k->link);
    timer_stop(loop_wheel(as->server->loop), &k->timer);
    map_take(&as->askings, k->id);
    run_leave(k);
    write_forget(k);
    memo_unref(as, k->memo);
    if (k->draft) {
        struct draft_answer a = {.class = SLICE("cancelled"),
                                 .detail = SLICE("the server is stopping")};
        k->draft->done(k->draft->arg, &a);
    } else if (k->owner) { /* a script's: nobody answers it any more */
        asks_refuse(as->server, k->owner, ERR_CANCELLED,
                    "the server is stopping");
    }
    buf_fini(&k->text);
    buf_fini(&k->asked);
    arena_free(k->arena);
}

void asking_chain(struct asking *k, struct slice first)
{
    struct desk_of_bot *b = bot_of(k->as, first);
    k->chain[k->chain_count++] = slice_dup(k->arena, first);
    for (size_t i = 0; b && i < b->bot->fallback_count; i++) {
        bool known = false;
        for (size_t n = 0; n < k->chain_count; n++) {
            known |= slice_eq(k->chain[n], b->bot->fallback[i]);
        }
        if (!known && k->chain_count < CHAIN_MOST) {
            k->chain[k->chain_count++] =
                slice_dup(k->arena, b->bot->fallback[i]);
        }
    }
}

static void arm(struct asking *k, enum asking_state state, int64_t ms)
{
    struct loop *l = k->as->server->loop;
    k->state = state;
    timer_stop(loop_wheel(l), &k->timer);
    if (ms >= 0) {
        timer_start(loop_wheel(l), &k->timer, loop_now(l) + ms);
    }
}

/* One line of the story: who was asked, what came of it. */
void asking_note(struct asking *k, struct slice name, const char *class,
                 struct slice detail)
{
    size_t was = k->asked.len;
    if (detail.len > 300) {
        detail.len = 300;
        while (detail.len && !slice_is_utf8(detail)) {
            detail.len--;
        }
    }
    struct jsonw w = jsonw_on(&k->asked);
    w.comma = was > 0;
    jsonw_open(&w, '{');
    jsonw_put_text(&w, "assistant", name);
    jsonw_put_text(&w, "class", slice_of(class));
    if (detail.len && slice_is_utf8(detail)) {
        jsonw_put_text(&w, "detail", detail);
    }
    jsonw_put_int(&w, "after_ms", clock_ms() - k->began_ms);
    jsonw_close(&w, '}');
    if (w.failed) {
        k->asked.len = was; /* the first ones tell most */
    }
}

/* Likewise, and it is what the asker is told if there is no other. */
static void note(struct asking *k, struct slice name, const char *class,
                 struct slice detail)
{
    asking_note(k, name, class, detail);
    k->class = slice_dup(k->arena, slice_of(class));
    k->detail = slice_dup(k->arena, detail);
}

static void pass_on(struct asking *k, const char *class, struct slice detail)
{
    note(k, k->chain[k->chain_at], class, detail);
    k->chain_at++;
    k->tries = 0;
    if (k->chain_at < k->chain_count) {
        meter_add(&m_over, 1);
    }
}

/* NULL: it may be asked. */
static const char *why_not(struct asking *k, struct desk_of_bot *b,
                           const char **class)
{
    const struct json *face;
    *class = "unavailable";
    if (!b) {
        return "there is no such assistant";
    }
    if (!b->bot->rec.enabled) {
        return "it is switched off";
    }
    face = face_of(k->as, b->bot->rec.type);
    if (!json_bool(face, k->kind == ASKING_EMBED ? "embeds" : "asks", false)) {
        return "its connector is not there";
    }
    if (!breaker_lets(&b->breaker, loop_now(k->as->server->loop))) {
        return "it has failed too often and is left alone for a while";
    }
    *class = "budget";
    return purse_empty(b, k->memo);
}

void asking_go(struct asking *k)
{
    while (k->chain_at < k->chain_count) {
        struct desk_of_bot *b = bot_of(k->as, k->chain[k->chain_at]);
        const char *class, *why = why_not(k, b, &class);
        if (!why) {
            arm(k, ASKING_WAITS, b->bot->patience_ms);
            list_add_last(&b->waiting, &k->link);
            b->waiting_count++;
            bot_pump(b);
            return;
        }
        pass_on(k, class, slice_of(why));
    }
    k->done(k, false);
}

/* --- places --------------------------------------------------------------- */

static void take_from(struct desk_of_bot *b, struct asking *k)
{
    list_remove(&k->link);
    list_init(&k->link);
    b->waiting_count--;
}

/* Ms until the rate lets another one go; 0 = now. Tokens are thousandths. */
static int64_t rate_wait(struct desk_of_bot *b, int64_t now)
{
    int64_t rate = b->bot->per_minute;
    if (rate <= 0) {
        return 0;
    }
    int64_t got = b->tokens + (now - b->filled_at) * rate / 60;
    int64_t most = rate * 1000 / 6 > 1000 ? rate * 1000 / 6 : 1000;
    if (now != b->filled_at) {
        b->tokens = got < most ? got : most;
        b->filled_at = now;
    }
    return b->tokens >= 1000 ? 0 : (1000 - b->tokens) * 60 / rate + 1;
}

static void begin(struct desk_of_bot *b, struct asking *k)
{
    struct loop *l = k->as->server->loop;
    take_from(b, k);
    b->tokens -= b->bot->per_minute > 0 ? 1000 : 0;
    k->tries++;
    arm(k, ASKING_READS, -1);
    run_start(k, b);
    k->run->ticket = breaker_take(&b->breaker, loop_now(l));
    meter_set(b->state, b->breaker.state); /* it may be a probe */
    if (k->has_context && k->conv && !k->memo) {
        k->memo = memo_get(k->as, k->conv);
    }
    if (k->has_context && k->memo && !k->memo->known) {
        memo_wait(k->memo, k);
    } else if (k->has_context) {
        asking_ready(k);
    } else {
        context_read(k);
    }
}

/* Those who cannot be asked here any more go on, some at a time. */
static void turn_away(struct desk_of_bot *b, const char *why)
{
    struct loop *l = b->as->server->loop;
    for (int i = 0; i < PUMP_MOST && !list_empty(&b->waiting); i++) {
        struct asking *k = container_of(b->waiting.next, struct asking, link);
        take_from(b, k);
        pass_on(k, "unavailable", slice_of(why));
        asking_go(k);
    }
    if (!list_empty(&b->waiting)) {
        timer_stop(loop_wheel(l), &b->timer);
        timer_start(loop_wheel(l), &b->timer, loop_now(l) + PUMP_MS);
    }
}

void bot_pump(struct desk_of_bot *b)
{
    struct loop *l = b->as->server->loop;
    while (!list_empty(&b->waiting)) {
        int64_t now = loop_now(l);
        if (!b->bot || !b->bot->rec.enabled) {
            turn_away(b, "it is switched off");
            return;
        }
        if (!breaker_lets(&b->breaker, now)) {
            turn_away(b, "it has failed too often and is left alone for a "
                         "while");
            return;
        }
        if (b->under_way >= b->bot->at_once) {
            return;
        }
        int64_t ms = rate_wait(b, now);
        if (ms > 0) {
            timer_stop(loop_wheel(l), &b->timer);
            timer_start(loop_wheel(l), &b->timer, now + ms);
            return;
        }
        begin(b, container_of(b->waiting.next, struct asking, link));
    }
}

/* --- what became of it ---------------------------------------------------- */

static bool may_help(const char *class)
{
    return strcmp(class, "unavailable") == 0 || strcmp(class, "broken") == 0 ||
           strcmp(class, "rate_limited") == 0;
}

void asking_failed(struct asking *k, const char *class, struct slice detail,
                   int64_t again_ms)
{
    if (k->text.len) { /* something was said: that is the answer */
        k->cut = true;
        note(k, k->chain[k->chain_at], class, detail);
        k->done(k, true);
        return;
    }
    if (strcmp(class, "refused") == 0) {
        note(k, k->chain[k->chain_at], class, detail);
        k->done(k, false);
        return;
    }
    if (may_help(class) && k->tries < TRIES && again_ms <= AGAIN_MOST_MS) {
        note(k, k->chain[k->chain_at], class, detail);
        arm(k, ASKING_RESTS, again_ms > 0 ? again_ms : AGAIN_MS);
        return;
    }
    pass_on(k, class, detail);
    asking_go(k);
}

void asking_ready(struct asking *k)
{
    struct desk_of_bot *b = k->run->of;
    const char *why = purse_empty(b, k->memo);
    const struct json *face = b->bot ? face_of(k->as, b->bot->rec.type) : NULL;
    k->has_context = true;
    if (why || !b->bot) {
        run_leave(k);
        pass_on(k, why ? "budget" : "unavailable",
                slice_of(why ? why : "it was deleted"));
        asking_go(k);
        return;
    }
    int64_t first = b->bot->first_ms;
    first = first ? first
                  : json_int(json_get(face, "timeout"), "first_ms", FIRST_MS);
    arm(k, ASKING_RUNS, first > 0 ? first : FIRST_MS);
    run_go(k);
}

/* The first word has come: from now on its whole time counts. */
void asking_speaks(struct asking *k)
{
    struct desk_of_bot *b = k->run->of;
    const struct json *face = b->bot ? face_of(k->as, b->bot->rec.type) : NULL;
    int64_t total = b->bot ? b->bot->total_ms : 0;
    total = total ? total
                  : json_int(json_get(face, "timeout"), "total_ms", TOTAL_MS);
    total = total > 0 ? total : TOTAL_MS;
    arm(k, ASKING_RUNS, total);
}

static void on_timer(struct timer *t)
{
    struct asking *k = container_of(t, struct asking, timer);
    struct desk_of_bot *b = k->chain_at < k->chain_count
                                ? bot_of(k->as, k->chain[k->chain_at])
                                : NULL;
    switch (k->state) {
    case ASKING_NEW:
        if (k->early) {
            arm(k, ASKING_READS, -1);
            context_read(k);
            break;
        }
        asking_go(k);
        break;
    case ASKING_RESTS:
        asking_go(k);
        break;
    case ASKING_WAITS:
        if (b) {
            take_from(b, k);
        }
        pass_on(k, "rate_limited", SLICE("there was no place in time"));
        asking_go(k);
        break;
    case ASKING_RUNS:
        run_late(k);
        asking_failed(k, "timeout",
                      k->text.len ? SLICE("the answer took too long")
                                  : SLICE("no word of an answer in time"),
                      INT64_MAX);
        break;
    case ASKING_READS:
        break;
    }
}

/* It was read before there is a place: an answer may be known. */
void asking_known(struct asking *k)
{
    k->early = false;
    k->has_context = true;
    if (k->hears) {
        k->hears = false;
        confirm_heard(k);
    } else if (answers_find(k)) {
        k->done(k, true);
    } else {
        asking_go(k);
    }
}

void asking_start(struct asking *k)
{
    struct desk_of_bot *b = bot_of(k->as, k->chain[0]);
    k->early =
        k->hears || (k->kind == ASKING_TURN && b && b->bot->cache_ms > 0);
    arm(k, ASKING_NEW, 0);
}

void asking_again(struct asking *k)
{
    arm(k, ASKING_NEW, 0);
}

void asking_drop(struct asking *k)
{
    struct desk_of_bot *b;
    if (k->state == ASKING_WAITS) {
        b = bot_of(k->as, k->chain[k->chain_at]);
        if (b && !list_empty(&k->link)) {
            b->waiting_count--;
        }
    }
    asking_free(k);
}

void asking_halt(struct asking *k, const char *why)
{
    if (k->state == ASKING_WAITS) {
        struct desk_of_bot *b = bot_of(k->as, k->chain[k->chain_at]);
        if (b) {
            take_from(b, k);
        }
    }
    k->answered_by =
        k->chain_at < k->chain_count ? k->chain[k->chain_at] : SLICE("");
    note(k, k->answered_by, "stopped", slice_of(why));
    k->cut = true;
    run_leave(k);
    k->done(k, true);
}
