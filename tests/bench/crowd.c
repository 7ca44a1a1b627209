/* SPDX-License-Identifier: Apache-2.0 */
/* crowd.c - twenty agents, many visitors, and what must be true of their talk.
 *
 * A message counts as done only when its sender has the ack *and* the agent
 * who holds the conversation has the event. Every ref says whose message it is
 * ("b<visitor>-<n>"), so that a lost, doubled or reordered one is seen.
 */
#include "bench.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct crowd crowd;

static void on_ack(struct visitor *v, const char *text, size_t len)
{
    char ref[72];
    if (!json_find(text, len, "ref", ref, sizeof(ref)))
        return;
    const char *dash = strchr(ref, '-');
    uint32_t n = dash ? (uint32_t)strtoul(dash + 1, NULL, 10) : 0;
    uint32_t seq = (uint32_t)json_number(text, len, "seq");
    if (n != v->acked + 1)
        wrong("visitor %u: ack of %u after %u", v->conn.id, n, v->acked);
    if (seq <= v->ack_seq)
        wrong("visitor %u: seq %u acked after %u", v->conn.id, seq, v->ack_seq);
    if (!v->conversation[0])
        json_find(text, len, "conversation", v->conversation,
                  sizeof(v->conversation));
    v->ack_seq = seq;
    v->acked = n;
    if (v->delivered >= n) {
        crowd.done++;
        if (crowd.on_done)
            crowd.on_done(v);
    }
}

static void on_event(const char *text, size_t len)
{
    const char *ref = memmem(text, len, "\"ref\":\"b", 8);
    if (!memmem(text, len, "\"message.created\"", 17))
        return;
    if (!ref) {
        crowd.others++;
        return;
    }
    char *end;
    uint32_t id = (uint32_t)strtoul(ref + 8, &end, 10);
    uint32_t n = *end == '-' ? (uint32_t)strtoul(end + 1, NULL, 10) : 0;
    uint32_t seq = (uint32_t)json_number(text, len, "seq");
    if (id >= crowd.visitor_count) {
        wrong("an agent saw a message of visitor %u, who does not exist", id);
        return;
    }
    struct visitor *v = &crowd.visitors[id];
    if (n != v->delivered + 1 || seq <= v->seq) {
        wrong("visitor %u: message %u (seq %u) delivered after %u (seq %u)", id,
              n, seq, v->delivered, v->seq);
        return;
    }
    crowd.jumps += seq - v->seq - 1;
    v->seq = seq;
    v->delivered = n;
    if (crowd.on_delivered)
        crowd.on_delivered(v, n, now_ns());
    if (v->acked >= n) {
        crowd.done++;
        if (crowd.on_done)
            crowd.on_done(v);
    }
}

static void on_frame(struct conn *c, const char *text, size_t len)
{
    if (c->agent) {
        on_event(text, len);
        return;
    }
    if (crowd.side_from && c->id >= crowd.side_from) {
        crowd.on_side((struct visitor *)c, text, len);
        return;
    }
    if (memmem(text, len < 64 ? len : 64, "\"ack\"", 5))
        on_ack((struct visitor *)c, text, len);
    else if (memmem(text, len < 64 ? len : 64, "\"error\"", 7))
        crowd.refused++;
}

static __attribute__((format(printf, 1, 2))) char *text_of(const char *fmt, ...)
{
    char *s = NULL;
    va_list ap;
    va_start(ap, fmt);
    if (vasprintf(&s, fmt, ap) < 0)
        die("memory");
    va_end(ap);
    return s;
}

static void log_in(const char *email, const char *password, char *token,
                   size_t size)
{
    char body[256];
    snprintf(body, sizeof(body), "{\"email\":\"%s\",\"password\":\"%s\"}",
             email, password);
    struct answer a =
        rest(crowd.server.port, "POST", "/api/v1/login", NULL, body);
    if (a.status / 100 != 2 || !json_find(a.body, a.len, "token", token, size))
        die("login of %s: %d %s", email, a.status, a.body ? a.body : "");
    answer_free(&a);
}

static void make_agent(int i)
{
    char body[256], email[64], token[256];
    snprintf(email, sizeof(email), "agent%d@example.com", i);
    snprintf(body, sizeof(body),
             "{\"email\":\"%s\",\"name\":\"Agent %d\",\"password\":"
             "\"agent-password-%d\",\"role\":\"agent\",\"max_load\":1000}",
             email, i, i);
    struct answer a =
        rest(crowd.server.port, "POST", "/api/v1/agents", crowd.token, body);
    if (a.status / 100 != 2)
        die("agent %d: %d %s", i, a.status, a.body ? a.body : "");
    answer_free(&a);
    snprintf(body, sizeof(body), "agent-password-%d", i);
    log_in(email, body, token, sizeof(token));
    crowd.agent_hello[i] = text_of(
        "{\"type\":\"hello\",\"token\":\"%s\",\"status\":\"online\"}", token);
}

void crowd_open(const char *home)
{
    memset(&crowd, 0, sizeof(crowd));
    server_start(&crowd.server, home ? home : options.home);
    engine_open(crowd.server.port);
    engine.on_frame = on_frame;
    log_in("bench@example.com", "bench-password-1", crowd.token,
           sizeof(crowd.token));
    struct answer a = rest(crowd.server.port, "GET",
                           "/api/v1/channels?type=web", crowd.token, NULL);
    const char *items = a.body ? strstr(a.body, "\"items\"") : NULL;
    if (a.status != 200 || !items ||
        !json_find(items, strlen(items), "id", crowd.channel,
                   sizeof(crowd.channel)))
        die("no web channel: %d %s", a.status, a.body ? a.body : "");
    answer_free(&a);
    crowd.hello =
        text_of("{\"type\":\"hello\",\"channel\":\"%s\"}", crowd.channel);
    for (int i = 0; i < CROWD_AGENTS; i++)
        make_agent(i);
}

static void wait_live(uint32_t live, int64_t ms)
{
    int64_t until = now_ns() + ms * 1000000;
    while (engine.live < live && engine.dead == 0) {
        engine_turn(-1);
        server_drain_log(&crowd.server);
        if (now_ns() > until)
            die("only %u of %u connections are live after %lld ms", engine.live,
                live, (long long)ms);
    }
    if (engine.dead)
        die("%u connections broke", engine.dead);
}

void crowd_agents(void)
{
    for (uint32_t i = 0; i < CROWD_AGENTS; i++)
        conn_start(&crowd.agents[i], i, true, crowd.agent_hello[i]);
    wait_live(engine.live + CROWD_AGENTS, 10000);
}

void crowd_visitors(uint32_t count, uint32_t at_once)
{
    if (crowd.visitor_count)
        die("visitors come once");
    uint32_t goal = engine.live + count;
    int64_t until = now_ns() + 60 * 1000000000LL;
    crowd.visitors = calloc(count, sizeof(*crowd.visitors));
    crowd.visitor_count = count;
    for (uint32_t i = 0; i < count;) {
        while (i < count && engine.connecting < at_once) {
            conn_start(&crowd.visitors[i].conn, i, false, crowd.hello);
            i++;
        }
        engine_turn(-1);
        if (engine.dead || now_ns() > until)
            break;
    }
    wait_live(goal, 30000);
}

void crowd_send(struct visitor *v)
{
    char text[256];
    uint32_t n = ++v->sent;
    int len = snprintf(text, sizeof(text),
                       "{\"type\":\"send\",\"ref\":\"b%u-%u\",\"kind\":\"text\""
                       ",\"text\":\"\344\275\240\345\245\275, message %u of "
                       "visitor %u\"}",
                       v->conn.id, n, n, v->conn.id);
    conn_text(&v->conn, text, (size_t)len);
    crowd.sent++;
}

void crowd_say(struct visitor *v, const char *ref, const char *text)
{
    char frame[400];
    int len = snprintf(frame, sizeof(frame),
                       "{\"type\":\"send\",\"ref\":\"%s\",\"kind\":\"text\","
                       "\"text\":\"%s\"}",
                       ref, text);
    conn_text(&v->conn, frame, (size_t)len);
}

bool crowd_wait_done(int64_t ms)
{
    int64_t until = now_ns() + ms * 1000000;
    while (crowd.done < crowd.sent && now_ns() < until && !engine.dead)
        engine_turn(-1);
    server_drain_log(&crowd.server);
    return crowd.done == crowd.sent;
}

void crowd_warm_up(void)
{
    /* In steps, as the first message of a conversation goes through a rule. */
    uint32_t count = crowd.side_from ? crowd.side_from : crowd.visitor_count;
    for (uint32_t i = 0; i < count; i++) {
        crowd_send(&crowd.visitors[i]);
        if (i % 200 == 199 && !crowd_wait_done(10000))
            break;
    }
    if (!crowd_wait_done(20000))
        die("warm-up: %llu of %llu messages reached an agent",
            (unsigned long long)crowd.done, (unsigned long long)crowd.sent);
}

void crowd_check(const char *row)
{
    if (crowd.done != crowd.sent)
        wrong("%s: %llu sent, %llu acked and delivered", row,
              (unsigned long long)crowd.sent, (unsigned long long)crowd.done);
    if (crowd.jumps > crowd.others)
        wrong("%s: %llu seqs are missing", row,
              (unsigned long long)(crowd.jumps - crowd.others));
    if (engine.dead || engine.reconnects || crowd.refused)
        wrong("%s: %u connections broke, %llu told to reconnect, %llu errors",
              row, engine.dead, (unsigned long long)engine.reconnects,
              (unsigned long long)crowd.refused);
}

void crowd_close(void)
{
    for (uint32_t i = 0; i < crowd.visitor_count; i++)
        if (crowd.visitors[i].conn.state != CONN_NONE)
            conn_close(&crowd.visitors[i].conn);
    for (int i = 0; i < CROWD_AGENTS; i++) {
        if (crowd.agents[i].state != CONN_NONE)
            conn_close(&crowd.agents[i]);
        free(crowd.agent_hello[i]);
    }
    engine_close();
    server_stop(&crowd.server);
    free(crowd.hello);
    free(crowd.visitors);
}
