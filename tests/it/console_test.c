/* SPDX-License-Identifier: Apache-2.0 */
/* console_test.c - `yuelai console`: looks at the running house, changes it
 * only when asked to, and stands in the audit. */
#include "roof.h"

/* What it printed, both ways. */
static const char *console(struct roof *r, int *code, const char *words)
{
    static char out[16 * 1024];
    char line[2048];
    snprintf(line, sizeof line, "%s console --data %s %s 2>&1", r->t.program,
             r->t.data, words);
    FILE *p = popen(line, "r");
    size_t n = p ? fread(out, 1, sizeof out - 1, p) : 0;
    out[n] = 0;
    int status = p ? pclose(p) : -1;
    *code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    test_note("%s: %s", words, out);
    return out;
}

TEST("an expression is answered, an error said, a loop ended")
{
    struct roof r;
    int code;
    roof_make(&r);
    REQUIRE(roof_start(&r));
    CHECK_EQ_STR(console(&r, &code, "-e '1 + 1'"), "2\n");
    CHECK_EQ_INT(code, 0);
    CHECK_EQ_STR(console(&r, &code, "-e 'print(1) return \"a\", { b = 2 }'"),
                 "1\na\t{ b = 2 }\n");
    CHECK(strstr(console(&r, &code, "-e 'error(\"boom\", 0)'"), "boom"));
    CHECK_EQ_INT(code, 1);
    CHECK(strstr(console(&r, &code, "-e 'while true do end'"), "killed"));
    CHECK(strstr(console(&r, &code, "-e 'local = 5'"), "console"));
    CHECK_EQ_INT(code, 1);
    CHECK(strstr(console(&r, &code, "-e 'agents.list()'"), "admin"));
    roof_close(&r);
}

TEST("it may only look, until it is asked to write")
{
    struct roof r;
    int code;
    roof_make(&r);
    REQUIRE(roof_start(&r));
    CHECK(strstr(console(&r, &code, "-e 'kv.set(\"x\", 5)'"), "read-only"));
    CHECK_EQ_INT(code, 1);
    CHECK_EQ_STR(console(&r, &code, "-e 'kv.get \"x\"'"), "nil\n");
    CHECK(strstr(console(&r, &code, "-e 'kv.incr \"x\"'"), "read-only"));
    CHECK(strstr(console(&r, &code, "-e 'http.get \"http://127.0.0.1:1/\"'"),
                 "read-only"));
    console(&r, &code, "--write -e 'kv.set(\"x\", 5)'");
    CHECK_EQ_INT(code, 0);
    CHECK_EQ_STR(console(&r, &code, "-e 'kv.get \"x\"'"), "5\n");
    CHECK_EQ_INT(get(&r, "/api/v1/audit?what=console.write"), 200);
    const struct json *items = json_get(r.j, "items");
    REQUIRE(items && items->count == 1);
    CHECK_EQ_INT(get(&r, "/api/v1/scripts?limit=100"), 200);
    items = json_get(r.j, "items");
    for (const struct json *i = items->first; i; i = i->next)
        CHECK(!slice_is(json_text(i, "name"), "console"));
    roof_close(&r);
}
