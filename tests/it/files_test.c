/* SPDX-License-Identifier: Apache-2.0 */
/* Files over REST: up, down, who may have them, what is refused. */
#include "app/api/api.h"
/* api.h before roof.h: names of the tests' own */
#include "roof.h"

/* A PNG of 2x3 with a text chunk ("GPS: secret-place") in front of its data. */
static const unsigned char png[] = {
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00,
    0x0d, 0x49, 0x48, 0x44, 0x52, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00,
    0x00, 0x03, 0x08, 0x02, 0x00, 0x00, 0x00, 0x36, 0x88, 0x49, 0xd6,
    0x00, 0x00, 0x00, 0x10, 0x74, 0x45, 0x58, 0x74, 0x47, 0x50, 0x53,
    0x00, 0x73, 0x65, 0x63, 0x72, 0x65, 0x74, 0x2d, 0x70, 0x6c, 0x61,
    0x63, 0x65, 0x70, 0x3c, 0xf0, 0xcc, 0x00, 0x00, 0x00, 0x19, 0x49,
    0x44, 0x41, 0x54, 0x78, 0x9c, 0x63, 0x38, 0xc1, 0xa0, 0x01, 0x44,
    0x0c, 0x27, 0xe4, 0x34, 0x80, 0x88, 0xe1, 0x84, 0x8d, 0x06, 0x10,
    0x01, 0x00, 0x42, 0xff, 0x06, 0x55, 0xb9, 0x7c, 0xaf, 0x90, 0x00,
    0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82};

#define FORM "Content-Type: multipart/form-data; boundary=edge\r\n"

/* POSTs a form with this file (and conversation, may be NULL). */
static int put(struct roof *r, struct slice bytes, const char *name,
               const char *type, const char *conversation)
{
    struct buf body;
    struct err e = {0};
    buf_init(&body, 64 << 20);
    if (conversation)
        buf_addf(&body,
                 "--edge\r\nContent-Disposition: form-data; "
                 "name=\"conversation\"\r\n\r\n%s\r\n",
                 conversation);
    buf_addf(&body,
             "--edge\r\nContent-Disposition: form-data; name=\"file\"; "
             "filename=\"%s\"\r\nContent-Type: %s\r\n\r\n",
             name, type);
    buf_add_slice(&body, bytes);
    buf_add_text(&body, "\r\n--edge--\r\n");
    struct slice heads =
        talk_fmt(&r->t, "%s" FORM, r->as ? r->as : roof_bearer(r, r->t.admin));
    r->j = NULL;
    r->a = (struct client_answer){0};
    if (client_call(r->t.port, "POST", "/api/v1/files", heads.at,
                    buf_slice(&body), TALK_CALL_MS, r->t.arena, &e, &r->a))
        FAIL("no answer: %s", e.text);
    buf_fini(&body);
    if (r->a.body.len && json_parse(r->t.arena, r->a.body, NULL, &r->j))
        r->j = NULL;
    return r->a.status;
}

static const struct slice image = {(const char *)png, sizeof png};

TEST("an image comes in, without what it told of its maker, and goes out")
{
    struct roof r;
    REQUIRE(roof_open(&r));
    CHECK_EQ_INT(put(&r, image, "C:\\a\\sun.png", "image/png", NULL), 201);
    CHECK_EQ_STR(text_of(&r, "name"), "sun.png");
    CHECK_EQ_STR(text_of(&r, "mime"), "image/png");
    CHECK_EQ_INT(json_int(r.j, "width", 0), 2);
    CHECK_EQ_INT(json_int(r.j, "height", 0), 3);
    CHECK(json_int(r.j, "size", 0) < (int64_t)sizeof png);
    const char *id = text_of(&r, "id"), *url = text_of(&r, "url");
    const char *sha = text_of(&r, "sha256");
    CHECK_EQ_INT((int)strlen(sha), 64);
    const char *file = at(&r, "/files/%", id);
    CHECK_EQ_INT(get(&r, file), 200);
    CHECK(!memmem(r.a.body.at, r.a.body.len, "secret-place", 12));
    CHECK(head_has(&r, "Content-Type: image/png\r\n"));
    CHECK(
        head_has(&r, "Content-Disposition: inline; filename*=UTF-8''sun.png"));
    CHECK(head_has(&r, "X-Content-Type-Options: nosniff\r\n"));
    CHECK(head_has(&r, "Content-Security-Policy: default-src 'none'; sandbox"));
    /* The link needs nobody; another id or time with its signature is wrong. */
    r.as = "";
    CHECK_EQ_INT(get(&r, url), 200);
    CHECK_EQ_INT(get(&r, file), 401);
    REQUIRE(strstr(url, "e=") != NULL);
    char *worse = mem_strdup(url);
    strstr(worse, "e=")[2] = '3';
    CHECK_EQ_INT(get(&r, worse), 403);
    mem_free(worse);
    CHECK_EQ_INT(get(&r, "/files/fi_0000000000001"), 401);
    r.as = NULL;
    CHECK_EQ_INT(get(&r, "/files/fi_0000000000001"), 404);
    const char *thumb = talk_fmt(&r.t, "%s?thumb=1", file).at;
    CHECK_EQ_INT(get(&r, thumb), 200);
    CHECK(head_has(&r, "Content-Type: image/webp\r\n"));
    CHECK(r.a.body.len > 12 && memcmp(r.a.body.at + 8, "WEBP", 4) == 0);
    /* The same content again: another id, the same bytes. */
    CHECK_EQ_INT(put(&r, image, "again.png", "", NULL), 201);
    CHECK(strcmp(text_of(&r, "id"), id) != 0);
    CHECK_EQ_STR(text_of(&r, "sha256"), sha);
    roof_close(&r);
}

TEST("a signed link is over when its time is")
{
    struct roof r;
    REQUIRE(roof_open(&r));
    CHECK_EQ_INT(put(&r, image, "sun.png", "image/png", NULL), 201);
    const char *url = text_of(&r, "url"), *id = text_of(&r, "id");
    const char *thumb = text_of(&r, "thumb_url");
    int64_t until = json_int(r.j, "url_expires_at", 0);
    r.as = "";
    CHECK_EQ_INT(get(&r, url), 200);
    REQUIRE(house_stop(&r.t) == 0);
    snprintf(r.t.clock, sizeof r.t.clock, "%lld", (long long)until - 30000);
    REQUIRE(roof_start(&r));
    r.as = "";
    CHECK_EQ_INT(get(&r, url), 200);
    CHECK_EQ_INT(get(&r, thumb), 200);
    REQUIRE(house_stop(&r.t) == 0);
    snprintf(r.t.clock, sizeof r.t.clock, "%lld", (long long)until + 2000);
    REQUIRE(roof_start(&r));
    r.as = "";
    CHECK_EQ_INT(get(&r, url), 403);
    CHECK_ERROR(&r, 403, "forbidden", "");
    CHECK(strstr(slice_dup(r.t.arena, r.a.body).at, "this link is over"));
    CHECK_EQ_INT(get(&r, thumb), 403);
    /* Who sees the file gets a new one. */
    r.as = NULL;
    CHECK_EQ_INT(get(&r, at(&r, "/api/v1/files/%", id)), 200);
    url = text_of(&r, "url");
    r.as = "";
    CHECK_EQ_INT(get(&r, url), 200);
    roof_close(&r);
}

TEST("ranges, ETag, HEAD")
{
    struct roof r;
    REQUIRE(roof_open(&r));
    CHECK_EQ_INT(put(&r, SLICE("0123456789 plain text"), "n.txt", "", NULL),
                 201);
    const char *file = at(&r, "/files/%", text_of(&r, "id"));
    CHECK_EQ_INT(roof_call(&r, "GET", file, "Range: bytes=2-4\r\n", NULL), 206);
    CHECK_SLICE(r.a.body, "234");
    CHECK(head_has(&r, "Content-Range: bytes 2-4/21\r\n"));
    CHECK(head_has(&r, "Content-Disposition: attachment"));
    CHECK_EQ_INT(roof_call(&r, "GET", file, "Range: bytes=-4\r\n", NULL), 206);
    CHECK_SLICE(r.a.body, "text");
    CHECK_EQ_INT(roof_call(&r, "GET", file, "Range: bytes=90-\r\n", NULL), 416);
    CHECK(head_has(&r, "Content-Range: bytes */21\r\n"));
    CHECK_EQ_INT(get(&r, file), 200);
    const char *tag = memmem(r.a.head.at, r.a.head.len, "ETag: ", 6);
    REQUIRE(tag != NULL);
    char known[80];
    snprintf(known, sizeof known, "If-None-Match: %.26s\r\n", tag + 6);
    CHECK_EQ_INT(roof_call(&r, "GET", file, known, NULL), 304);
    CHECK_EQ_INT(roof_call(&r, "POST", file, NULL, ""), 405);
    roof_close(&r);
}

TEST("what is not what it says, is too long, or is no form is refused")
{
    struct roof r;
    static const char exe[300] = "MZ\x90";
    roof_make(&r);
    roof_env(&r, "YUELAI_FILE_BYTES=1000");
    REQUIRE(roof_start(&r));
    CHECK_EQ_INT(
        put(&r, (struct slice){exe, sizeof exe}, "cat.png", "image/png", NULL),
        415);
    CHECK_ERROR(&r, 415, "unsupported", "file");
    CHECK_EQ_INT(
        put(&r, SLICE("<svg onload=alert(1)>"), "x.jpg", "image/jpeg", NULL),
        415);
    CHECK_EQ_INT(put(&r, SLICE("#!/bin/sh\nrm -rf /\n"), "x.sh", "", NULL),
                 415);
    CHECK_EQ_INT(put(&r, SLICE(""), "x.txt", "", NULL), 422);
    char *many = mem_alloc(2000);
    memset(many, 'a', 2000);
    CHECK_EQ_INT(put(&r, (struct slice){many, 2000}, "x.txt", "", NULL), 413);
    CHECK_ERROR(&r, 413, "too_large", "file");
    mem_free(many);
    CHECK_EQ_INT(roof_call(&r, "POST", "/api/v1/files", NULL, "{}"), 415);
    CHECK_EQ_INT(roof_call(&r, "POST", "/api/v1/files", NULL, NULL), 415);
    CHECK_EQ_INT(roof_call(&r, "POST", "/api/v1/files", FORM, "--edge\r\nx"),
                 400);
    CHECK_EQ_INT(roof_call(&r, "POST", "/api/v1/files", FORM, "--edge--"), 422);
    CHECK_EQ_INT(put(&r, SLICE("<html><script>x</script></html>"), "page.html",
                     "text/html", NULL),
                 201);
    CHECK_EQ_INT(get(&r, at(&r, "/files/%", text_of(&r, "id"))), 200);
    CHECK(head_has(&r, "Content-Type: application/octet-stream\r\n"));
    CHECK(head_has(&r, "Content-Disposition: attachment"));
    roof_close(&r);
}

static const char *visitor(struct roof *r, const char *name)
{
    struct actor *a = actor_find(&r->t, slice_of(name));
    must(a != NULL);
    return roof_bearer(r, a->token);
}

static int chunk(struct roof *r, const char *path, const char *from,
                 struct slice bytes)
{
    struct err e = {0};
    struct slice heads = talk_fmt(&r->t, "%sUpload-Offset: %s\r\n",
                                  roof_bearer(r, r->t.admin), from);
    r->a = (struct client_answer){0};
    r->j = NULL;
    if (client_call(r->t.port, "PATCH", path, heads.at, bytes, TALK_CALL_MS,
                    r->t.arena, &e, &r->a))
        FAIL("no answer: %s", e.text);
    if (r->a.body.len && json_parse(r->t.arena, r->a.body, NULL, &r->j))
        r->j = NULL;
    return r->a.status;
}

/* A channel of this type and these settings; its id. */
static const char *channel(struct roof *r, const char *type, const char *config)
{
    CHECK_EQ_INT(post(r, "/api/v1/channels",
                      talk_fmt(&r->t,
                               "{\"type\":\"%s\",\"name\":\"Strict\","
                               "\"config\":%s}",
                               type, config)
                          .at),
                 201);
    return text_of(r, "id");
}

/* Says hello by the web channel `id`: a visitor's token, and what welcome says
 * of files. */
static bool enter(struct roof *r, const char *id, const char *name)
{
    return play(r, talk_fmt(&r->t, "%s connects on %s", name, id).at);
}

TEST("a channel may take fewer files than the house, by every way in")
{
    struct roof r;
    char *many = mem_alloc((1 << 20) + 1);
    memset(many, 'a', (1 << 20) + 1);
    struct slice long_one = {many, (1 << 20) + 1};
    REQUIRE(roof_open(&r));
    CHECK_EQ_INT(post(&r, "/api/v1/channels",
                      "{\"type\":\"web\",\"config\":"
                      "{\"file_types\":\"pictures\"}}"),
                 422);
    CHECK_ERROR(&r, 422, "unprocessable", "config.file_types");
    const char *id = channel(
        &r, "web", "{\"file_mb\":1,\"file_types\":\"image/*, !image/gif\"}");
    REQUIRE(play(&r, "bo signs in"));
    REQUIRE(enter(&r, id, "anna"));
    REQUIRE(play(&r, "anna says \"hello\""));
    REQUIRE(play(&r, "bo is assigned anna"));
    const char *cv = conversation_of(&r, "anna");
    CHECK_EQ_INT(get(&r, at(&r, "/chat/%/config", id)), 200);
    CHECK_EQ_INT(json_int(r.j, "file_bytes", 0), 1 << 20);
    /* A visitor's, whole and in chunks. */
    r.as = visitor(&r, "anna");
    CHECK_EQ_INT(put(&r, image, "sun.png", "image/png", cv), 201);
    CHECK_EQ_INT(put(&r, long_one, "a.txt", "", cv), 413);
    CHECK_EQ_INT(put(&r, SLICE("words"), "a.txt", "", NULL), 415);
    CHECK_ERROR(&r, 415, "unsupported", "file");
    CHECK(strstr(slice_dup(r.t.arena, r.a.body).at,
                 "not taken on this channel; taken are: image/*, !image/gif"));
    CHECK_EQ_INT(post(&r, "/api/v1/files/uploads",
                      "{\"name\":\"a.png\",\"size\":1048577}"),
                 413);
    CHECK_ERROR(&r, 413, "too_large", "size");
    /* An agent's for this conversation; elsewhere they may. */
    r.as = NULL;
    CHECK_EQ_INT(put(&r, SLICE("words"), "a.txt", "", cv), 415);
    CHECK_EQ_INT(put(&r, long_one, "a.txt", "", cv), 413);
    CHECK_ERROR(&r, 413, "too_large", "file");
    CHECK_EQ_INT(put(&r, SLICE("words"), "a.txt", "", NULL), 201);
    CHECK_EQ_INT(post(&r, "/api/v1/files/uploads",
                      talk_fmt(&r.t,
                               "{\"name\":\"a.png\",\"size\":1048577,"
                               "\"conversation\":\"%s\"}",
                               cv)
                          .at),
                 413);
    CHECK_EQ_INT(post(&r, "/api/v1/files/uploads",
                      talk_fmt(&r.t,
                               "{\"name\":\"a.txt\",\"size\":5,"
                               "\"conversation\":\"%s\"}",
                               cv)
                          .at),
                 201);
    const char *path = at(&r, "/api/v1/files/uploads/%", text_of(&r, "id"));
    CHECK_EQ_INT(chunk(&r, path, "0", SLICE("words")), 415);
    CHECK_ERROR(&r, 415, "unsupported", "file");
    /* None at all. */
    id = channel(&r, "web", "{\"file_mb\":0}");
    REQUIRE(enter(&r, id, "eve"));
    r.as = visitor(&r, "eve");
    CHECK_EQ_INT(put(&r, image, "sun.png", "image/png", NULL), 403);
    CHECK_EQ_INT(
        post(&r, "/api/v1/files/uploads", "{\"name\":\"a.png\",\"size\":1}"),
        403);
    roof_close(&r);
    mem_free(many);
}

TEST("a visitor's file is theirs and their agents'; nobody else's")
{
    struct roof r;
    REQUIRE(roof_open(&r));
    const char *other = make_agent(&r, "cy@example.com", "agent", NULL);
    REQUIRE(play(&r, "bo signs in"));
    REQUIRE(play(&r, "anna connects on webchat"));
    REQUIRE(play(&r, "eve connects on webchat"));
    REQUIRE(play(&r, "anna says \"hello\""));
    REQUIRE(play(&r, "bo is assigned anna"));
    const char *cv = conversation_of(&r, "anna");
    r.as = visitor(&r, "anna");
    CHECK_EQ_INT(put(&r, image, "sun.png", "image/png", cv), 201);
    const char *id = text_of(&r, "id");
    const char *file = at(&r, "/files/%", id);
    CHECK_EQ_INT(get(&r, file), 200);
    CHECK_EQ_INT(get(&r, at(&r, "/api/v1/files/%", id)), 200);
    CHECK_EQ_INT(get(&r, "/api/v1/conversations"), 401);
    r.as = visitor(&r, "eve");
    CHECK_EQ_INT(get(&r, file), 404);
    CHECK_EQ_INT(put(&r, image, "sun.png", "image/png", cv), 404);
    r.as = other;
    CHECK_EQ_INT(get(&r, file), 403);
    CHECK_EQ_INT(put(&r, image, "sun.png", "image/png", cv), 403);
    /* Eve may not send what is Anna's. */
    REQUIRE(play(&r, talk_fmt(&r.t,
                              "eve sends {\"type\":\"send\",\"ref\":\"r1\","
                              "\"kind\":\"image\",\"file\":\"%s\"}",
                              id)
                         .at));
    REQUIRE(play(&r, "eve sees error not_found"));
    REQUIRE(play(&r, talk_fmt(&r.t,
                              "anna sends {\"type\":\"send\",\"ref\":\"r1\","
                              "\"kind\":\"image\",\"file\":\"%s\"}",
                              id)
                         .at));
    REQUIRE(play(&r, "bo sees event message.created where data.file.mime = "
                     "image/png"));
    r.as = NULL;
    CHECK_EQ_INT(
        get(&r, at(&r, "/api/v1/conversations/%/messages?limit=9", cv)), 200);
    CHECK(memmem(r.a.body.at, r.a.body.len, "\"width\":2,\"height\":3", 20));
    roof_close(&r);
}

/* Anna sends her file, and gets the ack. */
static void anna_sends(struct roof *r, const char *file, const char *ref)
{
    REQUIRE(play(r, talk_fmt(&r->t,
                             "anna sends {\"type\":\"send\",\"ref\":\"%s\","
                             "\"kind\":\"image\",\"file\":\"%s\"}",
                             ref, file)
                        .at));
    REQUIRE(
        play(r, talk_fmt(&r->t, "anna sees frame ack where ref = %s", ref).at));
}

/* She takes the message with this seq back. */
static void anna_recalls(struct roof *r, const char *cv, const char *seq)
{
    const char *was = r->as;
    r->as = NULL;
    CHECK_EQ_INT(
        get(r, talk_fmt(&r->t,
                        "/api/v1/conversations/%s/messages?before=%s&limit=1",
                        cv, seq)
                   .at),
        200);
    r->as = was;
    const struct json *items = json_get(r->j, "items");
    REQUIRE(items != NULL && items->first != NULL);
    struct slice id = json_text(items->first, "id");
    REQUIRE(play(r, talk_fmt(&r->t,
                             "anna sends {\"type\":\"recall\",\"message\":"
                             "\"%.*s\",\"ref\":\"back-%s\"}",
                             SLICE_FMT(id), seq)
                        .at));
    REQUIRE(play(r, talk_fmt(&r->t,
                             "anna sees frame ack where ref = back-%s and "
                             "duplicate = false",
                             seq)
                        .at));
}

TEST(
    "a file that was taken back is its owner's alone, unless it was sent twice")
{
    struct roof r;
    const char *dan_id = NULL;
    REQUIRE(roof_open(&r));
    const char *dan = make_agent(&r, "dan@example.com", "agent", &dan_id);
    REQUIRE(play(&r, "anna connects on webchat"));
    REQUIRE(play(&r, "anna says \"hello\""));
    const char *cv = conversation_of(&r, "anna");
    CHECK_EQ_INT(post(&r, at(&r, "/api/v1/conversations/%/assign", cv),
                      talk_fmt(&r.t, "{\"agent\":\"%s\"}", dan_id).at),
                 200);
    r.as = visitor(&r, "anna");
    CHECK_EQ_INT(put(&r, image, "sun.png", "image/png", cv), 201);
    const char *id = text_of(&r, "id"), *file = at(&r, "/files/%", id);
    anna_sends(&r, id, "r1");
    anna_sends(&r, id, "r2");
    r.as = dan;
    CHECK_EQ_INT(get(&r, file), 200);
    anna_recalls(&r, cv, "3");
    CHECK_EQ_INT(get(&r, file), 200); /* it stands there once more */
    anna_recalls(&r, cv, "4");
    CHECK_EQ_INT(get(&r, file), 403);
    r.as = visitor(&r, "anna");
    CHECK_EQ_INT(get(&r, file), 200);
    r.as = NULL;
    CHECK_EQ_INT(
        get(&r, at(&r, "/api/v1/conversations/%/messages?limit=9", cv)), 200);
    CHECK(!memmem(r.a.body.at, r.a.body.len, "sun.png", 7));
    roof_close(&r);
}

TEST("an upload in chunks goes on where it was cut")
{
    struct roof r;
    REQUIRE(roof_open(&r));
    CHECK_EQ_INT(
        post(&r, "/api/v1/files/uploads", "{\"name\":\"n.txt\",\"size\":10}"),
        201);
    CHECK_EQ_INT(json_int(r.j, "offset", -1), 0);
    const char *path = at(&r, "/api/v1/files/uploads/%", text_of(&r, "id"));
    CHECK_EQ_INT(chunk(&r, path, "0", SLICE("0123")), 200);
    CHECK_EQ_INT(json_int(r.j, "offset", -1), 4);
    CHECK_EQ_INT(chunk(&r, path, "0", SLICE("0123")), 409);
    CHECK(head_has(&r, "Upload-Offset: 4\r\n"));
    CHECK_EQ_INT(roof_call(&r, "HEAD", path, NULL, NULL), 200);
    CHECK(head_has(&r, "Upload-Offset: 4\r\n"));
    CHECK_EQ_INT(chunk(&r, path, "4", SLICE("456789")), 200);
    const char *id =
        slice_dup(r.t.arena, json_text(json_get(r.j, "file"), "id")).at;
    CHECK_EQ_INT(get(&r, at(&r, "/files/%", id)), 200);
    CHECK_SLICE(r.a.body, "0123456789");
    CHECK_EQ_INT(get(&r, path), 200);
    CHECK_SLICE(json_text(json_get(r.j, "file"), "id"), id);
    CHECK_EQ_INT(
        post(&r, "/api/v1/files/uploads", "{\"name\":\"n.txt\",\"size\":4}"),
        201);
    path = at(&r, "/api/v1/files/uploads/%", text_of(&r, "id"));
    CHECK_EQ_INT(chunk(&r, path, "0", SLICE("too many")), 413);
    CHECK_EQ_INT(get(&r, path), 404);
    CHECK_EQ_INT(post(&r, "/api/v1/files/uploads",
                      "{\"name\":\"n.txt\",\"size\":999999999}"),
                 413);
    CHECK_EQ_INT(
        post(&r, "/api/v1/files/uploads",
             "{\"name\":\"n.txt\",\"size\":1,\"sha256\":\"00112233445566"
             "778899aabbccddeeff00112233445566778899aabbccddeeff\"}"),
        201);
    path = at(&r, "/api/v1/files/uploads/%", text_of(&r, "id"));
    CHECK_EQ_INT(chunk(&r, path, "0", SLICE("x")), 422);
    CHECK_ERROR(&r, 422, "unprocessable", "sha256");
    roof_close(&r);
}

TEST("30 MB go up and come down as they were")
{
    struct roof r;
    const size_t n = 30 << 20;
    REQUIRE(roof_open(&r));
    char *bytes = mem_alloc(n);
    for (size_t i = 0; i < n; i++)
        bytes[i] = (char)(i * 2654435761u >> 13);
    CHECK_EQ_INT(put(&r, (struct slice){bytes, n}, "big.bin", "", NULL), 201);
    CHECK_EQ_INT((int)json_int(r.j, "size", 0), (int)n);
    char want[65];
    unsigned char sum[32];
    sha256_of((struct slice){bytes, n}, sum);
    for (int i = 0; i < 32; i++)
        snprintf(want + 2 * i, 3, "%02x", sum[i]);
    CHECK_EQ_STR(text_of(&r, "sha256"), want);
    const char *file = at(&r, "/files/%", text_of(&r, "id"));
    size_t step = 3 << 20; /* the client takes 4 MB at once */
    for (size_t i = 0; i < n; i += step) {
        size_t end = i + step < n ? i + step : n;
        struct slice range =
            talk_fmt(&r.t, "Range: bytes=%zu-%zu\r\n", i, end - 1);
        CHECK_EQ_INT(roof_call(&r, "GET", file, range.at, NULL), 206);
        CHECK_EQ_INT((int)r.a.body.len, (int)(end - i));
        CHECK(r.a.body.len == end - i &&
              memcmp(r.a.body.at, bytes + i, end - i) == 0);
    }
    mem_free(bytes);
    roof_close(&r);
}
