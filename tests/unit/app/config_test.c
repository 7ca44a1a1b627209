/* SPDX-License-Identifier: Apache-2.0 */
#include "app/config.h"
#include "test.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int apply(struct config *c, const char *json, struct err *e)
{
    struct arena *a = arena_new();
    struct json *table = NULL;
    int r = json_parse(a, slice_of(json), e, &table);
    r = r ? r : config_apply(c, table, e);
    arena_free(a);
    return r;
}

static enum setting_origin origin_of(const struct config *c, const char *name)
{
    const struct setting *s = setting_find(slice_of(name));
    CHECK(s != NULL);
    return s ? (enum setting_origin)c->origin[s - settings] : ORIGIN_DEFAULT;
}

TEST("every setting's default is a value it would accept")
{
    struct config c;
    config_init(&c); /* must() inside */
    CHECK_EQ_STR(c.listen, "127.0.0.1:8080");
    CHECK_EQ_INT(c.plain_keys, 0);
}

TEST("a file's values are taken with their types")
{
    struct config c;
    struct err e = {0};
    config_init(&c);
    CHECK_EQ_INT(apply(&c,
                       "{\"listen\":\"0.0.0.0:1\",\"frames_per_s\":5,"
                       "\"plain_keys\":true,\"log\":\"json\"}",
                       &e),
                 0);
    CHECK_EQ_STR(c.listen, "0.0.0.0:1");
    CHECK_EQ_INT(c.frames_per_s, 5);
    CHECK_EQ_INT(c.plain_keys, 1);
    CHECK_EQ_INT(origin_of(&c, "listen"), ORIGIN_FILE);
    CHECK_EQ_INT(origin_of(&c, "connections"), ORIGIN_DEFAULT);
    CHECK_EQ_INT(apply(&c, "[]", &e), 0); /* an empty Lua table */
}

TEST("a file with a fault changes nothing and names the setting")
{
    static const struct {
        const char *json, *field;
    } bad[] = {
        {"{\"frames_per_s\":5,\"connections\":0}", "connections"},
        {"{\"frames_per_s\":5,\"connections\":\"9\"}", "connections"},
        {"{\"frames_per_s\":5,\"log\":\"xml\"}", "log"},
        {"{\"frames_per_s\":5,\"log\":1}", "log"},
        {"{\"frames_per_s\":5,\"plain_keys\":1}", "plain_keys"},
        {"{\"frames_per_s\":5,\"admin_password\":\"x\"}", "admin_password"},
        {"{\"frames_per_s\":5,\"no_such\":1}", ""},
        {"{\"frames_per_s\":1.5}", "frames_per_s"},
        {"\"text\"", ""},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct config c;
        struct err e = {0};
        config_init(&c);
        test_note("%s", bad[i].json);
        CHECK_EQ_INT(apply(&c, bad[i].json, &e), ERR_UNPROCESSABLE);
        CHECK_EQ_STR(e.field, bad[i].field);
        CHECK_EQ_INT(c.frames_per_s, 100);
        CHECK(e.text[0] != 0);
    }
}

TEST("the command line wins over the environment, that over the file")
{
    struct config given, c;
    struct err e = {0};
    const char *file = test_path("c.lua");
    test_write_file(file, "return { listen = '127.0.0.1:1', data = '/a',\n"
                          "  frames_per_s = 7, refs = 5000 }\n");
    config_init(&given);
    CHECK_EQ_INT(
        config_set(&given, SLICE("config"), slice_of(file), ORIGIN_COMMAND, &e),
        0);
    CHECK_EQ_INT(config_set(&given, SLICE("listen"), SLICE("127.0.0.1:3"),
                            ORIGIN_COMMAND, &e),
                 0);
    setenv("YUELAI_LISTEN", "127.0.0.1:2", 1);
    setenv("YUELAI_DATA", "/b", 1);
    int r = config_load(&given, &c, &e);
    unsetenv("YUELAI_LISTEN");
    unsetenv("YUELAI_DATA");
    test_note("%s", e.text);
    REQUIRE(r == 0);
    CHECK_EQ_STR(c.listen, "127.0.0.1:3");
    CHECK_EQ_STR(c.data, "/b");
    CHECK_EQ_INT(c.frames_per_s, 7);
    CHECK_EQ_INT(origin_of(&c, "listen"), ORIGIN_COMMAND);
    CHECK_EQ_INT(origin_of(&c, "data"), ORIGIN_ENV);
    CHECK_EQ_INT(origin_of(&c, "refs"), ORIGIN_FILE);
}

TEST("a broken file or a wrong variable is told and nothing is loaded")
{
    struct config given, c;
    struct err e = {0};
    const char *file = test_path("c.lua");
    memset(&c, 7, sizeof c);
    config_init(&given);
    CHECK_EQ_INT(
        config_set(&given, SLICE("config"), slice_of(file), ORIGIN_COMMAND, &e),
        0);
    CHECK(config_load(&given, &c, &e) != 0); /* no such file */
    test_write_file(file, "return { listen = ");
    CHECK(config_load(&given, &c, &e) != 0);
    test_write_file(file, "return { lisden = 'x' }");
    CHECK(config_load(&given, &c, &e) != 0);
    CHECK(strstr(e.text, "lisden") != NULL);
    test_write_file(file, "return {}");
    setenv("YUELAI_CONNECTIONS", "many", 1);
    CHECK(config_load(&given, &c, &e) != 0);
    unsetenv("YUELAI_CONNECTIONS");
    CHECK(strstr(e.text, "YUELAI_CONNECTIONS") != NULL);
    CHECK_EQ_INT(c.connections, 0x0707070707070707);
}

TEST("a reload takes what may change and leaves what needs a restart")
{
    struct config now, next;
    struct err e = {0};
    config_init(&now);
    next = now;
    CHECK_EQ_INT(apply(&next,
                       "{\"listen\":\"0.0.0.0:9\",\"frames_per_s\":7,"
                       "\"public_url\":\"https://x\"}",
                       &e),
                 0);
    CHECK_EQ_INT(config_adopt(&now, &next), 2);
    CHECK_EQ_STR(now.listen, "127.0.0.1:8080");
    CHECK_EQ_INT(now.frames_per_s, 7);
    CHECK_EQ_STR(now.public_url, "https://x");
    CHECK_EQ_INT(origin_of(&now, "frames_per_s"), ORIGIN_FILE);
}

TEST("secrets are not shown")
{
    struct config c;
    struct buf out;
    struct err e = {0};
    config_init(&c);
    buf_init(&out, 256);
    CHECK_EQ_INT(config_set(&c, SLICE("admin_password"), SLICE("hunter22"),
                            ORIGIN_ENV, &e),
                 0);
    setting_show(setting_find(SLICE("admin_password")), &c, &out);
    CHECK_SLICE(buf_slice(&out), "***");
    buf_fini(&out);
}

static const char *shown(const struct config *c, struct buf *out)
{
    buf_clear(out);
    setting_show(setting_find(SLICE("secrets")), c, out);
    CHECK(buf_add_char(out, 0) == 0);
    return out->data;
}

TEST("secrets for scripts come from the file and, one by one, the environment")
{
    struct config given, c;
    struct err e = {0};
    struct buf out;
    const char *file = test_path("c.lua");
    config_init(&given);
    buf_init(&out, 256);
    CHECK_EQ_INT(
        config_set(&given, SLICE("config"), slice_of(file), ORIGIN_COMMAND, &e),
        0);
    test_write_file(file, "return { secrets = { openai = 'sk-\\n1', b = 'two' "
                          "} }");
    setenv("YUELAI_SECRET_WX_TOKEN", "t\"ok", 1);
    setenv("YUELAI_SECRET_B", "three", 1);
    CHECK_EQ_INT(config_load(&given, &c, &e), 0);
    CHECK(strstr(shown(&c, &out), "openai") != NULL);
    CHECK(strstr(out.data, "wx_token") != NULL);
    CHECK(strstr(out.data, "sk-") == NULL);
    CHECK(strstr(c.secrets, "\"openai\":\"sk-\\n1\"") != NULL);
    CHECK(strstr(c.secrets, "\"wx_token\":\"t\\\"ok\"") != NULL);
    CHECK(strstr(c.secrets, "\"b\":\"three\"") != NULL);
    CHECK(strstr(c.secrets, "two") == NULL);
    setenv("YUELAI_SECRETS", "{\"only\":\"this\"}", 1);
    unsetenv("YUELAI_SECRET_WX_TOKEN");
    unsetenv("YUELAI_SECRET_B");
    CHECK_EQ_INT(config_load(&given, &c, &e), 0);
    CHECK_EQ_STR(shown(&c, &out), "only");
    unsetenv("YUELAI_SECRETS");
    buf_fini(&out);
}

TEST("a secret that cannot be one is refused by name, its text is not told")
{
    static const char *const files[] = {
        "return { secrets = 'hunter22' }",
        "return { secrets = { ['A B'] = 'hunter22' } }",
        "return { secrets = { a = { 'hunter22' } } }",
        "return { secrets = { a = '' } }",
        "return { secrets = { 'hunter22' } }",
        "return { secrets = { a = 7 } }"};
    struct config given, c;
    struct err e = {0};
    const char *file = test_path("c.lua");
    config_init(&given);
    CHECK_EQ_INT(
        config_set(&given, SLICE("config"), slice_of(file), ORIGIN_COMMAND, &e),
        0);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        test_note("%s", files[i]);
        test_write_file(file, files[i]);
        CHECK_EQ_INT(config_load(&given, &c, &e), ERR_UNPROCESSABLE);
        CHECK(strstr(e.text, "secrets") != NULL);
        CHECK(strstr(e.text, "hunter22") == NULL);
    }
    test_write_file(file, "return {}");
    setenv("YUELAI_SECRETS", "{\"a\":\"hunter22", 1);
    CHECK_EQ_INT(config_load(&given, &c, &e), ERR_UNPROCESSABLE);
    CHECK(strstr(e.text, "hunter22") == NULL);
    unsetenv("YUELAI_SECRETS");
    setenv("YUELAI_SECRET_A-B", "hunter22", 1);
    CHECK_EQ_INT(config_load(&given, &c, &e), ERR_UNPROCESSABLE);
    CHECK(strstr(e.text, "hunter22") == NULL);
    unsetenv("YUELAI_SECRET_A-B");
}

TEST("all secrets together have a maximum, and changed ones are taken over")
{
    struct config now, next;
    struct err e = {0};
    char *big = malloc(CONFIG_SECRETS + 40);
    config_init(&now);
    memset(big, 'x', CONFIG_SECRETS + 40);
    memcpy(big, "{\"a\":\"", 6);
    memcpy(big + CONFIG_SECRETS + 30, "\"}", 3);
    CHECK_EQ_INT(
        config_set(&now, SLICE("secrets"), slice_of(big), ORIGIN_ENV, &e),
        ERR_UNPROCESSABLE);
    free(big);
    next = now;
    CHECK_EQ_INT(config_set(&next, SLICE("secrets"), SLICE("{\"a\":\"b\"}"),
                            ORIGIN_ENV, &e),
                 0);
    CHECK_EQ_INT(config_adopt(&now, &next), 1);
    CHECK_EQ_STR(now.secrets, "{\"a\":\"b\"}");
}

/* The row of docs/operator/settings.md. */
static void row_of(const struct setting *s, struct buf *out)
{
    static const char *const types[] = {"text", "number", "true/false", "",
                                        "table"};
    char env[SETTING_ENV];
    const char *type = s->type == SETTING_CHOICE ? s->choices : types[s->type];
    buf_clear(out);
    CHECK(buf_addf(out, "| `%s` | `%s` | ", s->name, setting_env(s, env)) == 0);
    for (const char *p = type; *p; p++) {
        CHECK(buf_add_text(out, *p == '|' ? ", " : (char[]){*p, 0}) == 0);
    }
    if (s->type == SETTING_INT) {
        CHECK(buf_addf(out, " %lld…%lld", (long long)s->least,
                       (long long)s->most) == 0);
    }
    CHECK(buf_addf(out, " | %s | %s | %s |", s->otherwise,
                   s->flags & SETTING_RELOADS   ? "yes"
                   : s->flags & SETTING_NO_FILE ? "start only"
                                                : "no",
                   s->help) == 0);
}

TEST("the operator's table of settings is the program's")
{
    char *page = test_read_file("docs/operator/settings.md");
    struct buf row;
    REQUIRE(page != NULL);
    buf_init(&row, 4096);
    for (size_t i = 0; i < settings_count; i++) {
        row_of(&settings[i], &row);
        CHECK(buf_add_char(&row, 0) == 0);
        test_note("missing row: %s", row.data);
        CHECK(strstr(page, row.data) != NULL);
    }
    size_t rows = 0;
    for (const char *p = page; (p = strstr(p, "| `YUELAI_")) != NULL; p++) {
        rows++;
    }
    test_note("rows in the page");
    CHECK_EQ_INT(rows, settings_count);
    buf_fini(&row);
    free(page);
}
