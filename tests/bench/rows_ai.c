/* SPDX-License-Identifier: Apache-2.0 */
/* rows_ai.c - assistants: mixed traffic, kept answers, many streams.
 *
 * ai: 5,000 messages a second to people, as in openloop, and 600 questions a
 * second of new visitors beside them, two of three a frequent one that was
 * answered before. hits: frequent questions alone, as fast as they are
 * answered, and the same with a rule that says those words itself: what is more
 * is the hit. streams: 5,000 visitors whose answers grow at the same time. dead:
 * 5,000 questions to a provider that takes calls and says nothing, until all of
 * them are given to people; others talk meanwhile.
 *
 * The provider is model.c, the guard is on. A question counts as answered when
 * its visitor has the whole answer; who gets none, or half of one, makes the
 * row WRONG.
 */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PERSONS 200 /* as openloop_run wants it */
#define ASK_RATE 600
#define STREAMS 5000
#define AT_ONCE 256 /* hits on the way */

static char home[HOME_TEXT];
static struct model model;

struct asker {
    int64_t asked_ns;
    uint32_t bytes; /* of the answer, as it grew */
    bool frequent, first, done;
};
static struct asker *askers;
static uint32_t asker_count, asked, answered;
static uint64_t grown; /* bytes of all answers so far */
static struct hist to_people, to_first, to_hit;
static void (*on_answered)(void);
static int whole_bytes; /* of a provider's answer */

/* As patient as the rows are that want an answer to each. */
#define PATIENT "\"limits\":{\"at_once\":5100,\"patience\":\"60s\"}"

static void set_up(int tokens, int gap_ms, bool rule_answers, const char *more)
{
    char body[600];
    home_make(home, HOME_LINKED);
    home_write(
        home, "scripts/rules/01-bench.lua",
        "local words = ((\"%s\"):rep(7) .. \"%s\"):rep(%d)\n"
        "return { api = 1, priority = 1, deadline = \"5s\", match = { first = "
        "true, text = \"ask:\" },\n  on_message = function(conv)\n    %s\n"
        "    return true\n  end }\n",
        MODEL_TOKEN, MODEL_END, tokens / 8,
        rule_answers ? "conv:reply(words)" : "conv:assign { ai = \"bench\" }");
    model_start(&model, tokens, gap_ms);
    whole_bytes = tokens / 8 * (int)strlen(MODEL_END) +
                  (tokens - tokens / 8) * (int)strlen(MODEL_TOKEN);
    crowd_open(home);
    snprintf(body, sizeof(body),
             "{\"name\":\"bench\",\"type\":\"openai\",\"config\":{"
             "\"provider\":\"other\",\"base\":\"http://127.0.0.1:%d/v1\","
             "\"key\":\"k\",\"model\":\"bench\"},\"cache\":{\"ttl\":\"1h\"},"
             "%s}",
             model.port, more);
    struct answer a = rest(crowd.server.port, "POST", "/api/v1/assistants",
                           crowd.token, body);
    if (a.status != 201)
        die("no assistant: %d %s", a.status, a.body ? a.body : "");
    answer_free(&a);
    asked = answered = 0;
    grown = 0;
    on_answered = NULL;
    hist_clear(&to_people);
    hist_clear(&to_first);
    hist_clear(&to_hit);
}

static void take_down(void)
{
    crowd_close();
    model_stop(&model);
    remove_tree(home);
    free(askers);
    askers = NULL;
}

static bool is_frame(const char *text, size_t len, const char *name)
{
    return memmem(text, len < 64 ? len : 64, name, strlen(name)) != NULL;
}

/* Bytes of the frame's text: the model's have no escapes. */
static uint32_t text_bytes(const char *text, size_t len)
{
    const char *at = memmem(text, len, "\"text\":\"", 8);
    const char *end =
        at ? memchr(at + 8, '"', len - (size_t)(at + 8 - text)) : NULL;
    return end ? (uint32_t)(end - at - 8) : 0;
}

static void on_side(struct visitor *v, const char *text, size_t len)
{
    struct asker *k = &askers[v->conn.id - crowd.side_from];
    bool grows = is_frame(text, len, "\"delta\"");
    bool ends = is_frame(text, len, "\"message.created\"");
    if (is_frame(text, len, "\"error\""))
        wrong("a question was refused: %.*s", (int)(len < 200 ? len : 200),
              text);
    if (!k->asked_ns || k->done || (!grows && !ends))
        return;
    uint32_t n = text_bytes(text, len);
    if (grows) {
        if (!k->first)
            hist_add(&to_first, now_ns() - k->asked_ns);
        k->first = true;
        k->bytes += n;
        grown += n;
        return;
    }
    if (!memmem(text, len, "\"bot\"", 5))
        return; /* their own words, or the house's */
    if ((int)n != whole_bytes || (k->bytes && k->bytes != n))
        wrong("an answer of %u bytes, %u of them grown, is not whole", n,
              k->bytes);
    if (k->frequent && !k->first)
        hist_add(&to_hit, now_ns() - k->asked_ns);
    k->done = true;
    answered++;
    if (on_answered)
        on_answered();
}

static void people(struct visitor *v, uint32_t n, int64_t at_ns)
{
    if (n >= 2)
        hist_add(&to_people, at_ns - openloop_due(v, n));
}

static void ask(uint32_t i, bool frequent, int64_t at_ns)
{
    char ref[64], text[100];
    struct asker *k = &askers[i];
    k->asked_ns = at_ns;
    k->frequent = frequent;
    snprintf(ref, sizeof(ref), "q%u", i);
    if (frequent)
        snprintf(text, sizeof(text), "ask: how long can I return it? %u",
                 i % 20);
    else
        snprintf(text, sizeof(text), "ask: where is my order number %u", i);
    crowd_say(&crowd.visitors[crowd.side_from + i], ref, text);
    asked++;
}

static void wait_answers(uint32_t count, int64_t ms)
{
    int64_t until = now_ns() + ms * 1000000;
    while (answered < count && now_ns() < until && !engine.dead) {
        engine_turn(-1);
        server_drain_log(&crowd.server);
    }
    if (answered < count)
        wrong("%u of %u questions were answered", answered, count);
}

/* Persons who talk to people (one at least), and so many who ask; the frequent questions are
 * asked once, so that their answers are kept. */
static void open_askers(uint32_t persons, uint32_t count, bool warm)
{
    askers = calloc(count, sizeof(*askers));
    asker_count = count;
    crowd_agents();
    crowd.side_from = persons;
    crowd.on_side = on_side;
    crowd_visitors(persons + count, 512);
    crowd_warm_up();
    for (uint32_t i = 0; warm && i < 20; i++)
        ask(i, true, now_ns());
    if (warm)
        wait_answers(20, 30000);
}

/* --- ai: mixed ------------------------------------------------------------- */

static void each(int64_t at_ns)
{
    static int64_t from;
    server_drain_log(&crowd.server);
    if (asked <= 20)
        from = at_ns;
    while (asked < asker_count &&
           (int64_t)(asked - 20) * 1000000000LL / ASK_RATE <= at_ns - from)
        ask(asked, asked % 3 != 0, at_ns);
}

void row_ai(void)
{
    double s = 8 * options.scale;
    uint32_t count = (uint32_t)(ASK_RATE * s) + 20;
    set_up(40, 20, false, PATIENT);
    open_askers(PERSONS, count, true);
    crowd.on_delivered = people;
    hist_clear(&to_first);
    hist_clear(&to_hit);
    int64_t cpu = server_cpu_ns(&crowd.server), from = now_ns();
    uint64_t done = crowd.done;
    openloop_run((uint64_t)(5000 * s), each);
    wait_answers(count, 20000);
    double n = (double)(crowd.done - done) + count - 20;
    double took = (double)(now_ns() - from) / 1e9;
    cpu = server_cpu_ns(&crowd.server) - cpu;
    crowd_check("ai");
    figure("ai", "5,600/s, 600 of them to a bot: throughput", "messages/s",
           n / took, 5000, true);
    figure("ai", "the same: CPU per message", "us", (double)cpu / 1e3 / n, 0,
           false);
    figure("ai", "to a person: p50", "ms",
           (double)hist_at(&to_people, 0.50) / 1e6, 0, false);
    figure("ai", "to a person: p99", "ms",
           (double)hist_at(&to_people, 0.99) / 1e6, 50, false);
    figure("ai", "a kept answer: p50", "ms",
           (double)hist_at(&to_hit, 0.50) / 1e6, 0, false);
    figure("ai", "a kept answer: p99", "ms",
           (double)hist_at(&to_hit, 0.99) / 1e6, 50, false);
    figure("ai", "a model's first words (it takes 160 ms): p50", "ms",
           (double)hist_at(&to_first, 0.50) / 1e6, 0, false);
    figure("ai", "a model's first words: p99", "ms",
           (double)hist_at(&to_first, 0.99) / 1e6, 0, false);
    take_down();
}

/* --- hits ------------------------------------------------------------------ */

static void ask_next(void)
{
    if (asked < asker_count)
        ask(asked, true, now_ns());
}

/* CPU of the server for a question and its answer. */
static double one_by_one(bool rule_answers, double *rate)
{
    uint32_t count = (uint32_t)(8000 * options.scale) + 20;
    set_up(40, 2, rule_answers, PATIENT);
    open_askers(1, count, true);
    on_answered = ask_next;
    int64_t cpu = server_cpu_ns(&crowd.server), from = now_ns();
    for (int i = 0; i < AT_ONCE; i++)
        ask_next();
    wait_answers(count, 60000);
    double n = count - 20, s = (double)(now_ns() - from) / 1e9;
    cpu = server_cpu_ns(&crowd.server) - cpu;
    *rate = n / s;
    take_down();
    return (double)cpu / 1e3 / n;
}

void row_hits(void)
{
    double rate, rule_rate;
    double hit = one_by_one(false, &rate), rule = one_by_one(true, &rule_rate);
    figure("hits", "kept answers, 256 on the way", "answers/s", rate, 0, true);
    figure("hits", "CPU of question, rule, kept answer and journal", "us", hit,
           0, false);
    figure("hits", "the same when the rule answers itself", "us", rule, 0,
           false);
    figure("hits", "a hit", "us", hit - rule, 50, false);
}

/* --- streams ---------------------------------------------------------------- */

static void idle(double s)
{
    int64_t until = now_ns() + (int64_t)(s * 1e9);
    while (now_ns() < until && !engine.dead) {
        engine_turn(-1);
        server_drain_log(&crowd.server);
    }
}

void row_streams(void)
{
    uint32_t count =
        (uint32_t)(STREAMS * (options.scale < 1 ? options.scale : 1));
    const int tokens = 80, gap_ms = 500;
    set_up(tokens, gap_ms, false, PATIENT);
    open_askers(1, count, false);
    idle(1);
    int64_t rss = server_rss_bytes(&crowd.server);
    int64_t from = now_ns();
    for (uint32_t i = 0; i < count; i++) { /* within two seconds */
        ask(i, false, now_ns());
        while (now_ns() - from < (int64_t)i * 2000000000LL / count)
            engine_turn(-1);
    }
    idle(6);
    rss = server_rss_bytes(&crowd.server) - rss;
    uint64_t was = grown;
    int64_t cpu = server_cpu_ns(&crowd.server);
    from = now_ns();
    idle(10);
    double s = (double)(now_ns() - from) / 1e9;
    cpu = server_cpu_ns(&crowd.server) - cpu;
    double said = (double)(grown - was) / whole_bytes * tokens;
    if (answered)
        wrong("streams: %u had ended before it was measured", answered);
    wait_answers(count, 120000);
    figure("streams", "5,000 answers that grow: memory each", "B",
           (double)rss / count, 32768, false);
    figure("streams", "tokens to sockets (10,000/s offered)", "tokens/s",
           said / s, 9500, true);
    figure("streams", "CPU per token", "us", (double)cpu / 1e3 / said, 0,
           false);
    take_down();
}

/* --- dead ------------------------------------------------------------------- */

static double metric(const char *name)
{
    struct answer a = rest(crowd.server.port, "GET", "/metrics", NULL, NULL);
    char line[100];
    snprintf(line, sizeof(line), "\n%s ", name);
    const char *at = a.body ? strstr(a.body, line) : NULL;
    double n = at ? strtod(at + strlen(line), NULL) : 0;
    answer_free(&a);
    return n;
}

static int64_t said_ns[PERSONS];

static void heard(struct visitor *v, uint32_t n, int64_t at_ns)
{
    if (n >= 2)
        hist_add(&to_people, at_ns - said_ns[v->conn.id]);
}

/* 500 messages a second to people, each of 200 visitors in turn. */
static void talk_on(double s)
{
    int64_t from = now_ns();
    for (uint32_t k = 0; k < 500 * s && !engine.dead; k++) {
        int64_t due = from + (int64_t)k * 2000000;
        while (now_ns() < due)
            engine_turn(due);
        said_ns[k % PERSONS] = now_ns();
        crowd_send(&crowd.visitors[k % PERSONS]);
        server_drain_log(&crowd.server);
    }
    crowd_wait_done(15000);
}

void row_dead(void)
{
    static const char handed[] = "yuelai_turns_handed_over_total";
    uint32_t count =
        (uint32_t)(STREAMS * (options.scale < 1 ? options.scale : 1));
    set_up(8, 600000, false,
           "\"timeout\":{\"first\":\"10s\",\"total\":\"20s\"},"
           "\"limits\":{\"patience\":\"60s\"}");
    open_askers(PERSONS, count, false);
    crowd.on_delivered = heard;
    idle(1);
    int64_t rss = server_rss_bytes(&crowd.server), from = now_ns();
    for (uint32_t i = 0; i < count; i++) { /* within two seconds */
        ask(i, false, now_ns());
        while (now_ns() - from < (int64_t)i * 2000000000LL / count)
            engine_turn(-1);
    }
    idle(2);
    rss = server_rss_bytes(&crowd.server) - rss;
    if (metric(handed) > 0)
        wrong("dead: some were given up before it was measured");
    talk_on(14); /* in whose middle all of them go to people */
    crowd_check("dead");
    int64_t until = now_ns() + 60 * 1000000000LL;
    while (metric(handed) < count && now_ns() < until)
        idle(0.2);
    if (metric(handed) < count || answered)
        wrong("dead: %.0f of %u were given to people", metric(handed), count);
    figure("dead", "5,000 who wait for a provider: memory each", "B",
           (double)rss / count, 16384, false);
    figure("dead", "to a person meanwhile: p50", "ms",
           (double)hist_at(&to_people, 0.50) / 1e6, 0, false);
    figure("dead", "to a person meanwhile: p99", "ms",
           (double)hist_at(&to_people, 0.99) / 1e6, 100, false);
    figure("dead", "calls that the provider got", "calls",
           metric("yuelai_assistant_asked_total{assistant=\"bench\"}"), 100,
           false);
    take_down();
}
