/* SPDX-License-Identifier: Apache-2.0 */
#include "script/api/secret.h"
#include "stage.h"
#include "world.h"

#define SECRET "hunter22-of-the-shop"

/* --- sets ----------------------------------------------------------------- */

static bool has(const struct secrets *s, const char *name, const char *text)
{
    struct slice got;
    return secrets_find(s, slice_of(name), &got) && slice_is(got, text);
}

TEST("a set has what it was given; another takes over, both live")
{
    struct secrets *one, *two, *same;
    struct err e = {0};
    CHECK_EQ_INT(
        secrets_new(SLICE("{\"a\":\"1\",\"b\":\"2\"}"), NULL, &e, &one), 0);
    CHECK(has(one, "a", "1") && has(one, "b", "2") && !has(one, "c", ""));
    CHECK_EQ_INT(secrets_new(SLICE("{\"a\":\"3\"}"), one, &e, &two), 0);
    CHECK(has(two, "a", "3") && !has(two, "b", "2") && has(one, "a", "1"));
    CHECK_EQ_INT(secrets_new(SLICE("{\"a\":\"3\"}"), two, &e, &same), 0);
    CHECK(same == two);
    secrets_free(two);
    CHECK_EQ_INT(secrets_new(SLICE(""), NULL, &e, &one), 0);
    CHECK(!has(one, "a", ""));
    secrets_free(one);
    secrets_free(NULL);
}

TEST("a set that is none is refused, and its texts are not told")
{
    static const char *const bad[] = {"[\"" SECRET "\"]",
                                      "{\"A\":\"" SECRET "\"}",
                                      "{\"\":\"" SECRET "\"}",
                                      "{\"a\":{\"b\":\"" SECRET "\"}}",
                                      "{\"a\":\"" SECRET "\",}",
                                      "{\"a\":\"\"}",
                                      "{\"a\":7}",
                                      "nonsense"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct secrets *s = NULL, *out;
        struct err e = {0};
        test_note("%s", bad[i]);
        CHECK_EQ_INT(secrets_new(slice_of(bad[i]), s, &e, &out),
                     ERR_UNPROCESSABLE);
        CHECK(out == NULL && e.text[0] && !strstr(e.text, SECRET));
    }
}

/* --- in a house ----------------------------------------------------------- */

static void open_with(struct world *w, const char *rule)
{
    world_init(w);
    w->conf.secrets = SLICE("{\"key\":\"" SECRET "\",\"b\":\"bb\"}");
    world_write(w, "rules/10-a", rule);
    world_open(w);
}

/* Neither the list of scripts (errors, tracebacks) nor the effects. */
static void check_hidden(struct world *w, const struct job *job)
{
    struct buf list;
    buf_init(&list, 1024 * 1024);
    CHECK_EQ_INT(script_list(w->script, &list), 0);
    CHECK(!contains(buf_slice(&list), SECRET));
    for (const struct effect *e = job->first; e; e = e->next) {
        CHECK(!contains(e->text, SECRET));
        CHECK(!contains(e->body, SECRET));
    }
    buf_fini(&list);
}

TEST("a secret is used without being seen")
{
    struct world w;
    open_with(&w,
              "local key = secret.get 'key'\n" /* before there are any */
              "local auth = secret.join('Bearer ', key, 7)\n"
              "return { api = 1, on_message = function(conv, msg)\n"
              "  assert(secret.has 'key' and not secret.has 'nope')\n"
              "  assert(secret.is(key) and not secret.is 'x')\n"
              "  assert(crypto.equal(key, '" SECRET "'))\n"
              "  assert(crypto.equal(auth, 'Bearer " SECRET "7'))\n"
              "  assert(crypto.equal(secret.join(auth, '-', secret.get 'b'),"
              " 'Bearer " SECRET "7-bb'))\n"
              "  assert(crypto.sha1(secret.sorted('z', key, 'a')) == "
              "crypto.sha1 'a" SECRET "z')\n"
              "  assert(crypto.equal(secret.hide 'x', 'x'))\n"
              "  local coded = crypto.base64_encode(secret.join('u:', key))\n"
              "  assert(secret.is(coded) and crypto.equal(\n"
              "    coded, crypto.base64_encode('u:" SECRET "')))\n"
              "  assert(secret.is(crypto.hex_encode(key)))\n"
              "  assert(not secret.is(crypto.hex_encode 'x'))\n"
              "  log.info(coded, crypto.hex_encode(key))\n"
              "  log.info(key, { 1 }, tostring(auth))\n"
              "  print(('%s'):format(tostring(key)))\n"
              "  conv:reply(tostring(key) .. ' ' .. tostring(auth))\n"
              "end }\n");
    struct job *job = world_say(&w, "hi");
    CHECK_SLICE(effect_text(job, EFFECT_REPLY), "<secret> <secret>");
    check_hidden(&w, job);
    job_free(job);
    world_close(&w);
}

TEST("each way out is closed")
{
    static const struct {
        const char *lua, *says;
    } ways[] = {
        {"conv:reply(key)", ""},
        {"conv:note(key)", ""},
        {"conv:tag(key)", ""},
        {"conv:reply('x' .. key)", "secret.join"},
        {"conv:reply(key .. 'x')", "secret.join"},
        {"conv:reply(json.encode { k = key })", "a secret has no JSON form"},
        {"conv:set('k', key)", "a secret has no JSON form"},
        {"kv.set('k', key)", "a secret has no JSON form"},
        {"conv:reply(('%s'):format(key))", NULL}, /* "<secret>" */
        {"conv:reply(table.concat { key })", "invalid value"},
        {"conv:reply(xml.encode { k = key })", "a secret cannot be written"},
        {"conv:reply(url.query_encode { k = key })", "give it to http"},
        {"conv:reply(url.encode(key))", "give it to http"},
        {"conv:reply(text.trim(key))", "string expected"},
        {"conv:reply(crypto.base64_encode(key))", ""},
        {"conv:reply(crypto.base64url_encode(key))", ""},
        {"conv:reply('x' .. crypto.hex_encode(key))", "secret.join"},
        {"conv:reply(tostring(crypto.hex_encode(key)))", NULL},
        {"conv:reply(#key)", "cannot be looked into"},
        {"conv:reply(key:sub(1))", "cannot be looked into"},
        {"conv:reply(key.text)", "cannot be looked into"},
        {"key.x = 1", "cannot be looked into"},
        {"for k, v in pairs(key) do conv:reply(v) end", ""},
        {"conv:reply(getmetatable(key).__index())", ""},
        {"setmetatable(key, {})", ""},
        {"error(key)", ""},
        {"error(tostring(key))", ""},
        {"error { key }", ""},
        {"return key < 'x'", ""},
        {"conv:reply(string.rep(key, 2))", "string expected"}};
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        struct world w;
        char rule[400];
        struct arena *a = arena_new();
        snprintf(rule, sizeof rule,
                 "local key = secret.get 'key'\n"
                 "return { api = 1, on_message = function(conv) %s end }",
                 ways[i].lua);
        test_note("%s", ways[i].lua);
        open_with(&w, rule);
        struct job *job = world_say(&w, "hi");
        if (ways[i].says) {
            struct slice why = world_error(&w, a, "rules/10-a");
            CHECK(why.len > 0);
            CHECK(contains(why, ways[i].says) || !ways[i].says[0]);
        }
        check_hidden(&w, job);
        job_free(job);
        world_close(&w);
        arena_free(a);
    }
}

TEST("what is not set is told by name when it is used")
{
    struct world w;
    struct arena *a = arena_new();
    open_with(&w, "return { api = 1, on_message = function()\n"
                  "crypto.sha1(secret.get 'openai') end }");
    job_free(world_say(&w, "hi"));
    struct slice why = world_error(&w, a, "rules/10-a");
    CHECK(contains(why, "there is no secret \"openai\""));
    CHECK(contains(why, "config.lua"));
    world_close(&w);
    arena_free(a);
}

TEST("a changed secret is used from the next call on, broken ones change "
     "nothing")
{
    struct world w;
    open_with(&w, "local key = secret.join(secret.get 'key', '!')\n"
                  "return { api = 1, on_message = function(conv)\n"
                  "conv:reply(crypto.sha1(key)) end }");
    struct job *one = world_say(&w, "hi");
    script_set_secrets(w.script, SLICE("{\"key\":\"new\"}"));
    struct job *two = world_say(&w, "hi");
    script_set_secrets(w.script, SLICE("{\"key\":7}"));
    struct job *three = world_say(&w, "hi");
    struct slice first = effect_text(one, EFFECT_REPLY);
    struct slice second = effect_text(two, EFFECT_REPLY);
    CHECK_EQ_INT(first.len, 40);
    CHECK_EQ_INT(second.len, 40);
    CHECK(!slice_eq(first, second));
    CHECK(slice_eq(effect_text(three, EFFECT_REPLY), second));
    job_free(one);
    job_free(two);
    job_free(three);
    world_close(&w);
}

TEST("while a file is loaded a secret can be passed on, not read")
{
    STAGE("local a = secret.join('x', secret.get 'key')\n"
          "assert(tostring(a) == '<secret>')");
    STAGE_FAILS("crypto.sha1(secret.get 'key')", "in a handler only");
    STAGE_FAILS("secret.has 'key'", "secret.has may only be called in");
    STAGE_FAILS("secret.get 'Key'", "a-z, 0-9 and _");
    STAGE_FAILS("secret.get ''", "a-z, 0-9 and _");
    STAGE_FAILS("secret.join()", "value expected");
    STAGE_FAILS("secret.join({})", "string expected");
    STAGE_FAILS("secret.hide ''", "1 to 16384 bytes");
    STAGE_FAILS("local s = secret.hide 'x' for _ = 1, 6 do "
                "s = secret.join(s, s) end",
                "at most 32 parts");
}

/* The ask of the last http call. */
static bool carried;
static struct slice answer(struct script_ask *ask)
{
    const struct http_call *h = ask->http;
    for (size_t i = 0; h && i < h->header_count; i++)
        if (slice_is_nocase(h->headers[2 * i], "authorization"))
            carried = slice_is(h->headers[2 * i + 1], "Bearer " SECRET);
    carried = carried && h && contains(h->body, "\"token\":\"" SECRET "\"") &&
              contains(h->url, "k=" SECRET);
    if (h) {
        ask->http->status = 200;
        ask->http->answer = SLICE("{}");
        ask->http->answer_headers = SLICE("");
    }
    return SLICE("");
}

TEST("http takes it to where it belongs: headers, query, body")
{
    struct world w;
    open_with(&w, "return { api = 1, on_message = function(conv)\n"
                  "  local key = secret.get 'key'\n"
                  "  local res, code, why = http.post { 'https://x.example/a', "
                  "query = { k = key }, headers = { authorization = "
                  "secret.join('Bearer ', key) }, json = { token = key } }\n"
                  "  conv:reply(tostring(res and res.status or why))\n"
                  "end }");
    w.reply = answer;
    carried = false;
    struct job *job = world_say(&w, "hi");
    CHECK(carried);
    CHECK_SLICE(effect_text(job, EFFECT_REPLY), "200");
    check_hidden(&w, job);
    job_free(job);
    world_close(&w);
}
