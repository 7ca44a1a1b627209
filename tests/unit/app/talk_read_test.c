/* SPDX-License-Identifier: Apache-2.0 */
#include "app/talk/talk.h"
#include "test.h"

static bool matches(const char *pattern, const char *text,
                    struct slice args[TALK_ARGS], struct arena *a)
{
    struct line l = {.text = slice_of(text)};
    return read_match(pattern, &l, a, args);
}

TEST("a pattern takes names, words, quoted texts and the rest")
{
    struct arena *a = arena_new();
    struct slice args[TALK_ARGS];
    REQUIRE(matches("WHO says TEXT to WORD",
                    "bo says \"a \\\"b\\\"\\n\" to anna", args, a));
    CHECK_SLICE(args[0], "bo");
    CHECK_SLICE(args[1], "a \"b\"\n");
    CHECK_SLICE(args[2], "anna");
    REQUIRE(matches("given time REST", "given time   2030-01-05 22:00 UTC",
                    args, a));
    CHECK_SLICE(args[0], "2030-01-05 22:00 UTC");
    REQUIRE(matches("WHO's conversation is WORD", "anna's conversation is open",
                    args, a));
    CHECK_SLICE(args[0], "anna");
    CHECK(matches("WHO sees text OP TEXT", "x sees text !~ \"y\"", args, a));
    arena_free(a);
}

TEST("a sentence that is too long, too short or differently put does not fit")
{
    struct arena *a = arena_new();
    struct slice args[TALK_ARGS];
    CHECK(!matches("WHO says TEXT", "bo says", args, a));
    CHECK(!matches("WHO says TEXT", "bo says \"x\" loudly", args, a));
    CHECK(!matches("WHO says TEXT", "bo says \"x", args, a));
    CHECK(!matches("WHO says TEXT", "bo said \"x\"", args, a));
    CHECK(
        !matches("WHO sees text OP TEXT", "bo sees text like \"x\"", args, a));
    CHECK(!matches("rule WORD is BLOCK", "rule x.lua is", args, a));
    CHECK(!matches("WHO says TEXT", "", args, a));
    arena_free(a);
}

TEST("a file is cut into lines, comments left out, blocks and within taken")
{
    struct arena *a = arena_new();
    struct line *l;
    size_t n;
    int at;
    const char *path = test_path("x.talk");
    test_write_file(path, "# words\n\n  anna says \"x\" within 2s\n"
                          "rule a.lua is <<<\nreturn {}\n# kept\n>>>\n"
                          "bo signs in");
    REQUIRE(read_lines(a, path, &l, &n, &at) == 0);
    REQUIRE(n == 3);
    CHECK_SLICE(l[0].text, "anna says \"x\"");
    CHECK_EQ_INT(l[0].within_ms, 2000);
    CHECK_EQ_INT(l[0].number, 3);
    CHECK_SLICE(l[1].text, "rule a.lua is");
    CHECK_SLICE(l[1].block, "return {}\n# kept\n");
    CHECK_SLICE(l[2].text, "bo signs in");
    CHECK_EQ_INT(l[2].number, 8);
    test_write_file(path, "rule a.lua is <<<\nreturn {}\n");
    CHECK(read_lines(a, path, &l, &n, &at) == ERR_BAD_REQUEST);
    CHECK(read_lines(a, "/nowhere", &l, &n, &at) == ERR_NOT_FOUND);
    arena_free(a);
}

TEST("within knows ms, s and m, and leaves other words alone")
{
    struct arena *a = arena_new();
    struct line *l;
    size_t n;
    int at;
    const char *path = test_path("x.talk");
    test_write_file(path, "a b within 300ms\na b within 1.5s\na b within 2m\n"
                          "a b within reason\nb \"x within 2s\"\n");
    REQUIRE(read_lines(a, path, &l, &n, &at) == 0);
    REQUIRE(n == 5);
    CHECK_EQ_INT(l[0].within_ms, 300);
    CHECK_EQ_INT(l[1].within_ms, 1500);
    CHECK_EQ_INT(l[2].within_ms, 120000);
    CHECK_EQ_INT(l[3].within_ms, 0);
    CHECK_EQ_INT(l[4].within_ms, 0);
    arena_free(a);
}

TEST("variables stand for what actors are and answers said")
{
    struct talk t = {.arena = arena_new()};
    struct actor anna = {
        .name = "anna", .id = SLICE("ct_1"), .conversation = SLICE("cv_2")};
    t.actors = &anna;
    json_parse(t.arena, SLICE("{\"a\":{\"b\":[5,\"six\"]}}"), NULL,
               &t.answer_json);
    CHECK_SLICE(read_variables(&t, SLICE("/c/$anna.conversation/close")),
                "/c/cv_2/close");
    CHECK_SLICE(read_variables(&t, SLICE("[\"$anna.id\"]")), "[\"ct_1\"]");
    CHECK_SLICE(read_variables(&t, SLICE("$answer.a.b.0 $answer.a.b.1.")),
                "5 six.");
    CHECK_SLICE(read_variables(&t, SLICE("costs 5$ or $")), "costs 5$ or $");
    CHECK_SLICE(read_variables(&t, SLICE("$nobody.id!")), "!");
    arena_free(t.arena);
}
