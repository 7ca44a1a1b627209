/* SPDX-License-Identifier: Apache-2.0 */
#include "app/kinds.h"
#include "test.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* A home with channels/x/schema.lua. */
struct home {
    char dir[32], file[80];
    struct arena *a;
    struct buf config, secrets;
    struct err err;
};

static void home_open(struct home *h)
{
    memset(h, 0, sizeof *h);
    snprintf(h->dir, sizeof h->dir, "/tmp/yuelai-kinds-XXXXXX");
    must(mkdtemp(h->dir) != NULL);
    snprintf(h->file, sizeof h->file, "%s/channels", h->dir);
    must(mkdir(h->file, 0755) == 0);
    snprintf(h->file, sizeof h->file, "%s/channels/x", h->dir);
    must(mkdir(h->file, 0755) == 0);
    snprintf(h->file, sizeof h->file, "%s/channels/x/schema.lua", h->dir);
    h->a = arena_new();
    buf_init(&h->config, KIND_CONFIG_MAX);
    buf_init(&h->secrets, KIND_CONFIG_MAX);
}

static void home_close(struct home *h)
{
    char path[80];
    unlink(h->file);
    snprintf(path, sizeof path, "%s/channels/x", h->dir);
    must(rmdir(path) == 0);
    snprintf(path, sizeof path, "%s/channels", h->dir);
    must(rmdir(path) == 0 && rmdir(h->dir) == 0);
    arena_free(h->a);
    buf_fini(&h->config);
    buf_fini(&h->secrets);
}

static struct kinds *home_read(struct home *h, const char *text)
{
    FILE *f = fopen(h->file, "we");
    must(f != NULL && fputs(text, f) >= 0 && fclose(f) == 0);
    return kinds_read(h->dir);
}

static const struct json *parsed(struct home *h, struct slice text)
{
    struct json *j = NULL;
    must(json_parse(h->a, text, NULL, &j) == 0);
    return j;
}

static int merge(struct home *h, const struct kind *k, const char *given,
                 const char *config, const char *secrets)
{
    buf_clear(&h->config);
    buf_clear(&h->secrets);
    struct jsonw c = jsonw_on(&h->config), s = jsonw_on(&h->secrets);
    struct kind_values was = {parsed(h, slice_of(config)),
                              parsed(h, slice_of(secrets))};
    h->err = (struct err){0};
    test_note("%s", given);
    return kind_merge(k, parsed(h, slice_of(given)), was, &c, &s, &h->err);
}

static const char schema[] =
    "return { schema = {\n"
    "  id = { type = 'string', required = true },\n"
    "  key = { type = 'secret', required = true },\n"
    "  port = { type = 'integer' }, on = { type = 'boolean' },\n"
    "  way = { type = 'choice', choices = { 'a', 'b' } } } }\n";

TEST("settings are merged, secrets apart from the others")
{
    struct home h;
    home_open(&h);
    struct kinds *all = home_read(&h, schema);
    const struct kind *k = kinds_find(all, SLICE("x"));
    REQUIRE(k != NULL);
    CHECK(!k->has_adapter);
    CHECK_EQ_INT(
        merge(&h, k, "{\"id\":\"1\",\"key\":\"s\",\"z\":9}", "{}", "{}"), 0);
    CHECK_SLICE(buf_slice(&h.config), "{\"id\":\"1\"}");
    CHECK_SLICE(buf_slice(&h.secrets), "{\"key\":\"s\"}");
    CHECK_EQ_INT(merge(&h, k, "{\"key\":\"***\",\"port\":5,\"on\":false}",
                       "{\"id\":\"1\",\"way\":\"a\"}", "{\"key\":\"s\"}"),
                 0);
    const struct json *c = parsed(&h, buf_slice(&h.config));
    CHECK_SLICE(json_text(c, "id"), "1");
    CHECK_SLICE(json_text(c, "way"), "a");
    CHECK_EQ_INT(json_int(c, "port", 0), 5);
    CHECK(!json_bool(c, "on", true));
    CHECK_SLICE(buf_slice(&h.secrets), "{\"key\":\"s\"}");
    kinds_free(all);
    home_close(&h);
}

TEST("a wrong or missing setting is named")
{
    static const struct {
        const char *given, *field;
    } bad[] = {
        {"{}", "config.id"},
        {"{\"id\":\"1\",\"key\":\"***\"}", "config.key"},
        {"{\"id\":\"1\",\"key\":null}", "config.key"},
        {"{\"id\":{},\"key\":\"s\"}", "config.id"},
        {"{\"id\":\"1\",\"key\":\"s\",\"port\":1.5}", "config.port"},
        {"{\"id\":\"1\",\"key\":\"s\",\"on\":1}", "config.on"},
        {"{\"id\":\"1\",\"key\":\"s\",\"way\":\"c\"}", "config.way"},
    };
    struct home h;
    home_open(&h);
    struct kinds *all = home_read(&h, schema);
    const struct kind *k = kinds_find(all, SLICE("x"));
    REQUIRE(k != NULL);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK_EQ_INT(merge(&h, k, bad[i].given, "{}", "{}"), ERR_UNPROCESSABLE);
        CHECK_EQ_STR(h.err.field, bad[i].field);
    }
    char text[KIND_VALUE_MAX + 64];
    snprintf(text, sizeof text, "{\"key\":\"s\",\"id\":\"%0*d\"}",
             KIND_VALUE_MAX, 1);
    CHECK_EQ_INT(merge(&h, k, text, "{}", "{}"), 0);
    snprintf(text, sizeof text, "{\"key\":\"s\",\"id\":\"%0*d\"}",
             KIND_VALUE_MAX + 1, 1);
    CHECK_EQ_INT(merge(&h, k, text, "{}", "{}"), ERR_UNPROCESSABLE);
    kinds_free(all);
    home_close(&h);
}

TEST("every channel can be told which files it takes")
{
    static const struct {
        const char *given, *field;
    } bad[] = {
        {"{\"file_mb\":-1}", "config.file_mb"},
        {"{\"file_mb\":1001}", "config.file_mb"},
        {"{\"file_mb\":\"5\"}", "config.file_mb"},
        {"{\"file_types\":\"pictures\"}", "config.file_types"},
        {"{\"file_types\":\"image/*, !zip\"}", "config.file_types"},
    };
    struct home h;
    home_open(&h);
    struct kinds *all =
        home_read(&h, "return { schema = { port = 'integer' } }");
    const char *types[] = {"x", "web"};
    for (size_t i = 0; i < 2; i++) {
        const struct kind *k = kinds_find(all, slice_of(types[i]));
        REQUIRE(k != NULL);
        const struct json *shown = parsed(&h, k->schema);
        CHECK_SLICE(json_text(json_get(shown, "file_mb"), "type"), "integer");
        CHECK_SLICE(json_text(json_get(shown, "file_types"), "type"), "string");
        CHECK(json_text(json_get(json_get(shown, "file_types"), "help"), "zh")
                  .len > 0);
        CHECK_EQ_INT(merge(&h, k,
                           "{\"file_mb\":0,"
                           "\"file_types\":\"image/*, !image/gif\"}",
                           "{}", "{}"),
                     0);
        CHECK_SLICE(buf_slice(&h.config),
                    "{\"file_mb\":0,"
                    "\"file_types\":\"image/*, !image/gif\"}");
        for (size_t n = 0; n < sizeof bad / sizeof bad[0]; n++) {
            CHECK_EQ_INT(merge(&h, k, bad[n].given, "{}", "{}"),
                         ERR_UNPROCESSABLE);
            CHECK_EQ_STR(h.err.field, bad[n].field);
        }
    }
    /* Unsent text is a matter of those whose visitors have sockets. */
    CHECK(!json_get(parsed(&h, kinds_find(all, SLICE("x"))->schema),
                    "typing_text"));
    CHECK_SLICE(
        json_text(json_get(parsed(&h, kinds_find(all, SLICE("web"))->schema),
                           "typing_text"),
                  "type"),
        "boolean");
    kinds_free(all);
    /* The house's own word cannot be another thing for one adapter. */
    all = home_read(&h, "return { schema = { file_mb = 'string' } }");
    CHECK(kinds_find(all, SLICE("x")) == NULL);
    kinds_free(all);
    home_close(&h);
}

TEST("what has become a secret, or is in no schema, is not shown")
{
    struct home h;
    home_open(&h);
    struct kinds *all = home_read(&h, schema);
    const struct kind *k = kinds_find(all, SLICE("x"));
    struct jsonw w = jsonw_on(&h.config);
    struct kind_values v = {
        parsed(&h, SLICE("{\"id\":\"1\",\"key\":\"old\",\"gone\":2}")),
        parsed(&h, SLICE("{\"key\":\"s\"}"))};
    kind_show(k, v, &w, h.a);
    CHECK_SLICE(buf_slice(&h.config), "{\"id\":\"1\",\"key\":\"***\"}");
    kinds_free(all);
    home_close(&h);
}

TEST("a schema that is broken or too large leaves its type out")
{
    static const char *const bad[] = {
        "return {",
        "return 1",
        "return { schema = 1 }",
        "return { schema = { { type = 'string' } } }",
        "return { schema = { a = 'text' } }",
        "return { schema = { a = { type = 'number' } } }",
        "return { schema = { a = { type = 'choice' } } }",
        "return { schema = { aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa = { "
        "type = 'string' } } }",
        "while true do end",
    };
    struct home h;
    char *large = mem_alloc(KIND_FILE_MAX + 64);
    home_open(&h);
    for (size_t i = 0; i <= sizeof bad / sizeof bad[0]; i++) {
        bool last = i == sizeof bad / sizeof bad[0];
        test_note("%s", last ? "large" : bad[i]);
        if (last) {
            snprintf(large, KIND_FILE_MAX + 64, "return { schema = {} } --%*s",
                     KIND_FILE_MAX, "x");
        }
        struct kinds *all = home_read(&h, last ? large : bad[i]);
        CHECK_EQ_INT(kinds_count(all), 1); /* the web */
        kinds_free(all);
    }
    struct kinds *all = home_read(&h, "return { schema = {} }");
    CHECK_EQ_INT(kinds_count(all), 2);
    kinds_free(all);
    mem_free(large);
    home_close(&h);
}
