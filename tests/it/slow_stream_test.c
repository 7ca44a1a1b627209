/* SPDX-License-Identifier: Apache-2.0 */
/* A visitor's socket reads slowly, or not at all, while an answer grows: that
 * one does without pieces, the house keeps little for it, nobody else notices,
 * and it has the whole answer in the end. Nor does it keep more than it must of
 * an answer whose next word it waits for.
 */
#include "roof.h"

#define PIECES 2400 /* of "w0001 " */
#define HELD_MOST (96 * 1024)

static const char connector[] =
    "return {\n"
    "  api = 1, schema = {}, capabilities = { stream = true },\n"
    "  timeout = { first = \"60s\", total = \"120s\" },\n"
    "  ask = function(turn, ctx)\n"
    "    local last = turn.messages[#turn.messages].text\n"
    "    if last == \"wait\" then\n"
    "      return ctx.write(\"w0001 \") and sleep(\"50s\")\n"
    "    end\n"
    "    local calm = last == \"long\" and 2400 or 1600\n"
    "    for n = 1, 2400 do\n"
    "      local ok, why = ctx.write((\"w%04d \"):format(n))\n"
    "      if not ok then return nil, why end\n"
    "      if n > calm and n < calm + 300 then sleep \"5ms\" end\n"
    "    end\n"
    "    return true\n"
    "  end,\n"
    "}\n";
static const char rule[] =
    "return { api = 1, match = { first = true },\n"
    "  on_message = function(conv) return conv:assign { ai = \"talker\" } end "
    "}\n";

struct scene {
    struct roof r;
    struct actor *anna, *phone, *slow;
    struct client *line; /* slow's, while nobody reads it */
    int64_t most;        /* bytes the house kept for readers */
};

/* The whole answer, as it must come. */
static struct slice whole(struct scene *s)
{
    char *text = arena_text(s->r.t.arena, PIECES * 6 + 1);
    for (int n = 1; n <= PIECES; n++) {
        char piece[16];
        snprintf(piece, sizeof piece, "w%04d ", n);
        memcpy(text + (n - 1) * 6, piece, 6);
    }
    return (struct slice){text, PIECES * 6};
}

static void stop_reading(struct scene *s)
{
    s->line = s->slow->client;
    s->slow->client = NULL;
}

static void read_on(struct scene *s)
{
    s->slow->client = s->line;
    s->line = NULL;
}

/* Anna, her phone, and a third one of her sockets on a thin line. */
static bool begin(struct scene *s)
{
    struct err e = {0};
    struct roof *r = &s->r;
    *s = (struct scene){0};
    roof_make(r);
    if (house_write(&r->t, SLICE("ai/talker/connector.lua"),
                    slice_of(connector)) ||
        house_write(&r->t, SLICE("scripts/rules/10-bot.lua"), slice_of(rule)) ||
        !roof_start(r)) {
        return roof_fail(r, "begin");
    }
    CHECK_EQ_INT(post(r, "/api/v1/assistants",
                      "{\"type\":\"talker\",\"name\":\"talker\","
                      "\"guard\":false,\"config\":{}}"),
                 201);
    if (!play(r, "anna connects on webchat") ||
        !play(r, "phone connects as anna")) {
        return false;
    }
    s->anna = actor_find(&r->t, SLICE("anna"));
    s->phone = actor_find(&r->t, SLICE("phone"));
    s->slow = actor_get(&r->t, SLICE("slow"));
    if (client_open_thin(r->t.port, 5000, &e, &s->slow->client)) {
        FAIL("no thin line: %s", e.text);
        return false;
    }
    (void)actor_send(&r->t, s->slow,
                     talk_fmt(&r->t,
                              "{\"type\":\"hello\",\"channel\":\"default\","
                              "\"token\":\"%.*s\"}",
                              SLICE_FMT(s->anna->token)));
    return play(r, "slow sees frame welcome");
}

static void end(struct scene *s)
{
    client_free(s->line);
    roof_close(&s->r);
}

static int64_t figure(struct scene *s, const char *name)
{
    char line[128];
    CHECK_EQ_INT(get(&s->r, "/metrics"), 200);
    snprintf(line, sizeof line, "\n%s ", name);
    const char *at =
        memmem(s->r.a.body.at, s->r.a.body.len, line, strlen(line));
    return at ? strtoll(at + strlen(line), NULL, 10) : -1;
}

static const struct json *delta_of(const struct seen *x)
{
    return slice_is(json_text(x->json, "type"), "delta") ? x->json : NULL;
}

static int deltas(const struct actor *a)
{
    int n = 0;
    for (const struct seen *x = a->first; x; x = x->next) {
        n += delta_of(x) != NULL;
    }
    return n;
}

/* The pieces came one after another, and are the answer's beginning; a whole
 * one stands for all before it. How many whole ones there were. */
static int check_pieces(struct scene *s, const struct actor *a, bool gaps)
{
    struct slice text = whole(s);
    int64_t next = 0, wholes = 0;
    for (const struct seen *x = a->first; x; x = x->next) {
        const struct json *d = delta_of(x);
        if (!d) {
            continue;
        }
        int64_t index = json_int(d, "index", -1);
        bool all = json_bool(d, "whole", false);
        struct slice said = json_text(d, "text");
        struct slice due = {text.at + index * 6, 5};
        wholes += all;
        if (all) {
            CHECK_EQ_INT(said.len, (index + 1) * 6);
            due.at = text.at;
        }
        if (!CHECK(index == next || (gaps && all && index > next)) ||
            !CHECK(said.len >= 5 && memcmp(said.at, due.at, 5) == 0)) {
            break;
        }
        next = index + 1;
    }
    return (int)wholes;
}

static bool has_answer(struct talk *t, const struct json *j, void *arg)
{
    (void)t;
    const struct json *d = json_get(j, "data");
    return slice_is(json_text(j, "event"), "message.created") &&
           json_text(d, "stream").len &&
           slice_eq(json_text(d, "text"), *(const struct slice *)arg);
}

static bool sees_answer(struct scene *s, struct actor *a)
{
    struct slice text = whole(s);
    s->r.t.within_ms = 90000;
    if (!actor_see(&s->r.t, a, has_answer, &text)) {
        actor_tell(&s->r.t, a);
        return roof_fail(&s->r, "the whole answer did not come");
    }
    return true;
}

/* Until the phone has so many pieces; notes what the house keeps meanwhile. */
static bool hear(struct scene *s, int count)
{
    int64_t until = talk_now_ms() + 90000;
    while (deltas(s->phone) < count) {
        if (talk_now_ms() > until || actor_pump(&s->r.t, 20)) {
            return roof_fail(&s->r, "the phone does not hear enough");
        }
        int64_t now = figure(s, "yuelai_net_out_buffer_bytes");
        s->most = now > s->most ? now : s->most;
    }
    return true;
}

TEST("a socket that reads nothing: little is kept, and the whole comes at last")
{
    struct scene s;
    if (begin(&s)) {
        stop_reading(&s);
        CHECK(play(&s.r, "anna says \"long\""));
        CHECK(hear(&s, PIECES) && sees_answer(&s, s.phone));
        CHECK(sees_answer(&s, s.anna));
        CHECK_EQ_INT(check_pieces(&s, s.phone, false), 0);
        CHECK_EQ_INT(check_pieces(&s, s.anna, false), 0);
        CHECK(figure(&s, "yuelai_deltas_spared_total") > PIECES / 4);
        CHECK(s.most > 16 * 1024); /* so it waited here, not in the kernel */
        test_note("%lld bytes were kept", (long long)s.most);
        CHECK(s.most < HELD_MOST);
        read_on(&s);
        CHECK(sees_answer(&s, s.slow));
        /* Whole ones: only while the kernel still took what had waited. */
        CHECK(check_pieces(&s, s.slow, true) < 8);
        CHECK(deltas(s.slow) < PIECES * 3 / 4);
        CHECK(s.slow->client && !s.slow->client->ended);
    }
    end(&s);
}

TEST("a socket that reads up in the middle has all at once, and goes on")
{
    struct scene s;
    if (begin(&s)) {
        stop_reading(&s);
        CHECK(play(&s.r, "anna says \"in part\""));
        CHECK(hear(&s, 1610));
        CHECK(figure(&s, "yuelai_deltas_spared_total") > 0);
        read_on(&s);
        CHECK(sees_answer(&s, s.slow) && sees_answer(&s, s.phone));
        CHECK(check_pieces(&s, s.slow, true) >= 1);
        CHECK_EQ_INT(check_pieces(&s, s.phone, false), 0);
        CHECK(deltas(s.slow) < PIECES);
    }
    end(&s);
}

TEST("while a connector waits there are the asking and its job, and no more")
{
    struct scene s;
    if (begin(&s)) {
        int64_t before = figure(&s, "yuelai_live_arenas"), now = INT64_MAX;
        CHECK(play(&s.r, "anna says \"wait\""));
        CHECK(hear(&s, 1));
        int64_t until = talk_now_ms() + 30000;
        while (now > before + 2 && talk_now_ms() < until) {
            now = figure(&s, "yuelai_live_arenas");
        }
        test_note("%lld arenas more", (long long)(now - before));
        CHECK(now <= before + 2);
    }
    end(&s);
}
