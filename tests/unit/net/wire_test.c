/* SPDX-License-Identifier: Apache-2.0 */
/* Frames and notices in both encodings: the same rules, the same meaning. */
#include "base/json.h"
#include "base/limits.h"
#include "net/wire_json.h"
#include "net/wire_pb.h"
#include "test.h"
#include "yuelai.pb-c.h"

#include <stdio.h>

#define W(literal) ((char *)(uintptr_t)(literal)) /* protobuf-c only reads */

struct read {
    struct arena *a;
    struct err e;
    struct slice ref;
    struct frame *f;
    int rc;
};

static struct read read_json(const char *text)
{
    struct read r = {.a = arena_new()};
    r.rc = wire_json_read(r.a, slice_of(text), &r.e, &r.ref, &r.f);
    return r;
}

static struct read read_pb(Yuelai__Frame *f)
{
    struct read r = {.a = arena_new()};
    size_t n = yuelai__frame__get_packed_size(f);
    uint8_t *p = (uint8_t *)arena_text(r.a, n);
    yuelai__frame__pack(f, p);
    r.rc = wire_pb_read(r.a, (struct slice){(char *)p, n}, &r.e, &r.ref, &r.f);
    return r;
}

static void check_refused(const char *text, int code, const char *field)
{
    struct read r = read_json(text);
    test_note("%.80s", text);
    CHECK_EQ_INT(r.rc, code);
    CHECK_EQ_STR(r.e.field, field);
    CHECK(r.e.text[0] != '\0');
    CHECK(r.f == NULL);
    arena_free(r.a);
    test_note("%s", "");
}

TEST("a send is taken apart and its body written anew without strangers")
{
    struct read r = read_json(
        "{\"type\":\"send\",\"ref\":\"r1\",\"kind\":\"text\",\"text\":\"hi\","
        "\"conversation\":\"cv_0000000000005\",\"evil\":{\"a\":1},"
        "\"private\":true,\"reply_to\":\"m_0000000000007\"}");
    REQUIRE(r.rc == 0);
    CHECK_EQ_INT(r.f->type, FRAME_SEND);
    CHECK_EQ_INT(r.f->conv, 5);
    CHECK_SLICE(r.f->ref, "r1");
    CHECK_SLICE(r.f->text, "hi");
    CHECK(r.f->is_private);
    CHECK_SLICE(r.f->body,
                "{\"kind\":\"text\",\"text\":\"hi\",\"private\":true,"
                "\"reply_to\":\"m_0000000000007\"}");
    arena_free(r.a);
    r = read_json("{\"type\":\"send\",\"ref\":\"r\",\"kind\":\"image\","
                  "\"file\":\"fi_0000000000001\",\"text\":\"look\"}");
    CHECK_SLICE(
        r.f->body,
        "{\"kind\":\"image\",\"text\":\"look\",\"file\":\"fi_0000000000001\"}");
    arena_free(r.a);
    r = read_json("{\"type\":\"send\",\"ref\":\"r\",\"kind\":\"location\","
                  "\"lat\":1.5,\"lng\":-2,\"label\":\"here\"}");
    CHECK_SLICE(r.f->text, "here");
    CHECK(strstr(r.f->body.at, "\"lat\":1.5") != NULL);
    arena_free(r.a);
    r = read_json("{\"type\":\"send\",\"ref\":\"r\",\"kind\":\"card\","
                  "\"card\":{\"title\":\"t\",\"n\":[1,2]}}");
    CHECK_SLICE(r.f->body,
                "{\"kind\":\"card\",\"card\":{\"title\":\"t\",\"n\":[1,2]}}");
    arena_free(r.a);
}

TEST("wrong fields are named")
{
    check_refused("", ERR_BAD_REQUEST, "");
    check_refused("[]", ERR_BAD_REQUEST, "");
    check_refused("{}", ERR_BAD_REQUEST, "type");
    check_refused("{\"type\":7}", ERR_BAD_REQUEST, "type");
    check_refused("{\"type\":\"send\",\"kind\":\"text\",\"text\":\"x\"}",
                  ERR_BAD_REQUEST, "ref");
    check_refused("{\"type\":\"send\",\"ref\":\"\",\"kind\":\"text\"}",
                  ERR_BAD_REQUEST, "ref");
    check_refused("{\"type\":\"send\",\"ref\":7,\"kind\":\"text\"}",
                  ERR_BAD_REQUEST, "ref");
    check_refused("{\"type\":\"send\",\"ref\":\"r\",\"kind\":\"dance\"}",
                  ERR_BAD_REQUEST, "kind");
    check_refused("{\"type\":\"send\",\"ref\":\"r\",\"kind\":\"text\"}",
                  ERR_BAD_REQUEST, "text");
    check_refused("{\"type\":\"send\",\"ref\":\"r\",\"kind\":\"text\","
                  "\"text\":\"a\\u0000b\"}",
                  ERR_BAD_REQUEST, "text");
    check_refused("{\"type\":\"send\",\"ref\":\"r\",\"kind\":\"file\"}",
                  ERR_BAD_REQUEST, "file");
    check_refused("{\"type\":\"send\",\"ref\":\"r\",\"kind\":\"file\","
                  "\"file\":\"../x\"}",
                  ERR_BAD_REQUEST, "file");
    check_refused("{\"type\":\"send\",\"ref\":\"r\",\"kind\":\"location\","
                  "\"lat\":91,\"lng\":0}",
                  ERR_BAD_REQUEST, "lat");
    check_refused("{\"type\":\"send\",\"ref\":\"r\",\"kind\":\"card\","
                  "\"card\":[]}",
                  ERR_BAD_REQUEST, "card");
    check_refused("{\"type\":\"send\",\"ref\":\"r\",\"kind\":\"text\","
                  "\"text\":\"x\",\"reply_to\":\"cv_0000000000001\"}",
                  ERR_BAD_REQUEST, "reply_to");
    check_refused("{\"type\":\"send\",\"ref\":\"r\",\"kind\":\"text\","
                  "\"text\":\"x\",\"conversation\":\"ct_0000000000001\"}",
                  ERR_BAD_REQUEST, "conversation");
    check_refused("{\"type\":\"read\"}", ERR_BAD_REQUEST, "seq");
    check_refused("{\"type\":\"read\",\"seq\":0}", ERR_BAD_REQUEST, "seq");
    check_refused("{\"type\":\"read\",\"seq\":1.5}", ERR_BAD_REQUEST, "seq");
    check_refused("{\"type\":\"read\",\"seq\":4294967296}", ERR_BAD_REQUEST,
                  "seq");
    check_refused("{\"type\":\"status\",\"status\":\"asleep\"}",
                  ERR_BAD_REQUEST, "status");
    check_refused("{\"type\":\"history\"}", ERR_BAD_REQUEST, "ref");
    check_refused("{\"type\":\"hello\",\"identity\":{\"user_id\":\"u\"}}",
                  ERR_BAD_REQUEST, "identity");
    check_refused("{\"type\":\"hello\",\"page\":7}", ERR_BAD_REQUEST, "page");
}

TEST("lengths are bounded, and a ref that can be read comes with the error")
{
    struct buf b;
    buf_init(&b, 1 << 20);
    buf_add_text(&b, "{\"type\":\"send\",\"ref\":\"r\",\"kind\":\"text\","
                     "\"text\":\"");
    for (int i = 0; i < LIMIT_TEXT_BYTES; i++)
        buf_add_char(&b, 'a');
    size_t full = b.len;
    buf_add(&b, "\"}", 3);
    struct read r = read_json(b.data);
    CHECK_EQ_INT(r.rc, 0);
    arena_free(r.a);
    b.len = full;
    buf_add(&b, "a\"}", 4);
    r = read_json(b.data);
    CHECK_EQ_INT(r.rc, ERR_TOOBIG);
    CHECK_SLICE(r.ref, "r");
    arena_free(r.a);
    buf_clear(&b);
    buf_add_text(&b, "{\"type\":\"ping\",\"ref\":\"");
    for (int i = 0; i <= LIMIT_REF_BYTES; i++)
        buf_add_char(&b, 'r');
    buf_add(&b, "\"}", 3);
    r = read_json(b.data);
    CHECK_EQ_INT(r.rc, ERR_BAD_REQUEST);
    CHECK_EQ_INT(r.ref.len, 0); /* too long to be echoed */
    arena_free(r.a);
    buf_fini(&b);
}

TEST("a frame cut at any place is refused, never half taken")
{
    static const char text[] =
        "{\"type\":\"send\",\"ref\":\"r1\",\"kind\":\"card\","
        "\"card\":{\"a\":[1,2.5,null,true]},\"text\":\"\\u4f60\\n\"}";
    for (size_t n = 0; n + 1 < sizeof(text); n++) {
        struct arena *a = arena_new();
        struct err e;
        struct slice ref;
        struct frame *f;
        char *exact = mem_alloc(n ? n : 1); /* so that ASan sees the end */
        memcpy(exact, text, n);
        CHECK(wire_json_read(a, (struct slice){exact, n}, &e, &ref, &f) < 0);
        mem_free(exact);
        arena_free(a);
    }
}

/* --- both encodings ------------------------------------------------------- */

static void check_same(const char *json, Yuelai__Frame *pb)
{
    struct read a = read_json(json), b = read_pb(pb);
    test_note("%.60s", json);
    CHECK_EQ_INT(a.rc, b.rc);
    CHECK(slice_eq(a.ref, b.ref));
    CHECK((a.f == NULL) == (b.f == NULL));
    if (a.f && b.f) {
        const struct frame *f = a.f, *g = b.f;
        CHECK_EQ_INT(f->type, g->type);
        CHECK(slice_eq(f->ref, g->ref));
        CHECK(f->conv == g->conv);
        CHECK(slice_eq(f->kind, g->kind));
        CHECK_EQ_MEM(f->body.at, f->body.len, g->body.at, g->body.len);
        CHECK(slice_eq(f->text, g->text));
        CHECK_EQ_INT(f->is_private, g->is_private);
        CHECK_EQ_INT(f->seq, g->seq);
        CHECK(f->message == g->message);
        CHECK_EQ_INT(f->before, g->before);
        CHECK_EQ_INT(f->limit, g->limit);
        CHECK(slice_eq(f->status, g->status));
        CHECK((f->hello == NULL) == (g->hello == NULL));
    }
    if (a.f && a.f->hello && b.f && b.f->hello) {
        const struct hello *f = a.f->hello, *g = b.f->hello;
        CHECK(slice_eq(f->channel, g->channel));
        CHECK(slice_eq(f->token, g->token));
        CHECK(slice_eq(f->resume, g->resume));
        CHECK(slice_eq(f->locale, g->locale));
        CHECK(slice_eq(f->page, g->page));
        CHECK_EQ_INT(f->has_identity, g->has_identity);
        CHECK(slice_eq(f->user_id, g->user_id));
        CHECK(slice_eq(f->attributes, g->attributes));
        CHECK(slice_eq(f->signature, g->signature));
        CHECK_EQ_INT(f->expires_at, g->expires_at);
    }
    arena_free(a.a);
    arena_free(b.a);
    test_note("%s", "");
}

#define FRAME(case_, member, value)                                            \
    (Yuelai__Frame)                                                            \
    {                                                                          \
        PROTOBUF_C_MESSAGE_INIT(&yuelai__frame__descriptor), case_,            \
        {                                                                      \
            .member = value                                                    \
        }                                                                      \
    }

TEST("the same frames mean the same in JSON and in Protobuf")
{
    Yuelai__Send s = YUELAI__SEND__INIT;
    Yuelai__Frame f = YUELAI__FRAME__INIT;
    s.ref = W("r1"), s.kind = W("text"), s.text = W("\xe4\xbd\xa0");
    s.conversation = W("cv_0000000000005");
    s.has_private_ = s.private_ = 1;
    f.frame_case = YUELAI__FRAME__FRAME_SEND, f.send = &s;
    check_same("{\"type\":\"send\",\"ref\":\"r1\",\"kind\":\"text\","
               "\"text\":\"\xe4\xbd\xa0\",\"private\":true,"
               "\"conversation\":\"cv_0000000000005\"}",
               &f);
    s = (Yuelai__Send)YUELAI__SEND__INIT;
    s.ref = W("r"), s.kind = W("location"), s.has_lat = s.has_lng = 1;
    s.lat = 1.25, s.lng = -3, s.label = W("L"), s.address = W("A");
    check_same("{\"type\":\"send\",\"ref\":\"r\",\"kind\":\"location\","
               "\"lat\":1.25,\"lng\":-3,\"label\":\"L\",\"address\":\"A\"}",
               &f);
    s = (Yuelai__Send)YUELAI__SEND__INIT;
    s.ref = W("r"), s.kind = W("card"), s.card_json = W("{ \"a\" : [1] }");
    check_same("{\"type\":\"send\",\"ref\":\"r\",\"kind\":\"card\","
               "\"card\":{\"a\":[1]}}",
               &f);
    s.card_json = W("[1]"); /* refused alike */
    check_same("{\"type\":\"send\",\"ref\":\"r\",\"kind\":\"card\","
               "\"card\":[1]}",
               &f);
    s = (Yuelai__Send)YUELAI__SEND__INIT;
    s.ref = W("r"), s.kind = W("file"), s.file = W("fi_0000000000009"),
    s.name = W("a.pdf");
    s.reply_to = W("m_0000000000001");
    check_same("{\"type\":\"send\",\"ref\":\"r\",\"kind\":\"file\","
               "\"file\":\"fi_0000000000009\",\"name\":\"a.pdf\","
               "\"reply_to\":\"m_0000000000001\"}",
               &f);
    s = (Yuelai__Send)YUELAI__SEND__INIT;
    s.kind = W("text");
    check_same("{\"type\":\"send\",\"kind\":\"text\"}", &f);
}

TEST("hello, typing, read, ping, history and status mean the same as well")
{
    Yuelai__Hello h = YUELAI__HELLO__INIT;
    Yuelai__Identity i = YUELAI__IDENTITY__INIT;
    Yuelai__Page p = YUELAI__PAGE__INIT;
    Yuelai__Frame f = YUELAI__FRAME__INIT;
    h.channel = W("default"), h.token = W("t"), h.resume = W("c"),
    h.locale = W("zh");
    i.user_id = W("u"), i.attributes_json = W("{\"a\":1}"),
    i.signature = W("ff");
    i.has_expires_at = 1, i.expires_at = 99;
    p.url = W("http://x"), p.title = W("T");
    h.identity = &i, h.page = &p;
    f.frame_case = YUELAI__FRAME__FRAME_HELLO, f.hello = &h;
    check_same("{\"type\":\"hello\",\"channel\":\"default\",\"token\":\"t\","
               "\"resume\":\"c\",\"locale\":\"zh\",\"identity\":{\"user_id\":"
               "\"u\",\"attributes\":{\"a\":1},\"signature\":\"ff\","
               "\"expires_at\":99},\"page\":{\"title\":\"T\","
               "\"url\":\"http://x\"}}",
               &f);
    Yuelai__Typing t = YUELAI__TYPING__INIT;
    t.text = W("dra");
    f = FRAME(YUELAI__FRAME__FRAME_TYPING, typing, &t);
    check_same("{\"type\":\"typing\",\"text\":\"dra\"}", &f);
    Yuelai__Read r = YUELAI__READ__INIT;
    r.has_seq = 1, r.seq = 12;
    f = FRAME(YUELAI__FRAME__FRAME_READ, read, &r);
    check_same("{\"type\":\"read\",\"seq\":12}", &f);
    r.seq = -1;
    check_same("{\"type\":\"read\",\"seq\":-1}", &f);
    Yuelai__Ping g = YUELAI__PING__INIT;
    g.ref = W("p");
    f = FRAME(YUELAI__FRAME__FRAME_PING, ping, &g);
    check_same("{\"type\":\"ping\",\"ref\":\"p\"}", &f);
    Yuelai__History o = YUELAI__HISTORY__INIT;
    o.ref = W("h"), o.has_before = o.has_limit = 1, o.before = 40,
    o.limit = 900;
    f = FRAME(YUELAI__FRAME__FRAME_HISTORY, history, &o);
    check_same("{\"type\":\"history\",\"ref\":\"h\",\"before\":40,"
               "\"limit\":900}",
               &f);
    Yuelai__Status s = YUELAI__STATUS__INIT;
    s.status = W("away");
    f = FRAME(YUELAI__FRAME__FRAME_STATUS, status, &s);
    check_same("{\"type\":\"status\",\"status\":\"away\"}", &f);
    Yuelai__Stop x = YUELAI__STOP__INIT;
    x.ref = W("s"), x.conversation = W("cv_0000000000005");
    f = FRAME(YUELAI__FRAME__FRAME_STOP, stop, &x);
    check_same("{\"type\":\"stop\",\"ref\":\"s\",\"conversation\":"
               "\"cv_0000000000005\"}",
               &f);
    Yuelai__Recall z = YUELAI__RECALL__INIT;
    z.ref = W("b"), z.message = W("m_0000000000007");
    f = FRAME(YUELAI__FRAME__FRAME_RECALL, recall, &z);
    check_same("{\"type\":\"recall\",\"ref\":\"b\",\"message\":"
               "\"m_0000000000007\"}",
               &f);
    z.message = W("cv_0000000000007");
    check_same("{\"type\":\"recall\",\"ref\":\"b\",\"message\":"
               "\"cv_0000000000007\"}",
               &f);
    check_refused("{\"type\":\"recall\"}", ERR_BAD_REQUEST, "message");
    Yuelai__Watch y = YUELAI__WATCH__INIT;
    y.conversation = W("cv_0000000000005");
    f = FRAME(YUELAI__FRAME__FRAME_WATCH, watch, &y);
    check_same("{\"type\":\"watch\",\"conversation\":"
               "\"cv_0000000000005\"}",
               &f);
    f = FRAME(YUELAI__FRAME__FRAME_STOP, stop, &x);
    x.conversation = W("anna's");
    check_same("{\"type\":\"stop\",\"ref\":\"s\",\"conversation\":"
               "\"anna's\"}",
               &f);
}

TEST("Protobuf that is cut, broken or greedy is refused in bounded memory")
{
    struct err e;
    struct slice ref;
    struct frame *out;
    Yuelai__Send s = YUELAI__SEND__INIT;
    Yuelai__Frame f = YUELAI__FRAME__INIT;
    uint8_t bytes[256];
    s.ref = W("r1"), s.kind = W("text"), s.text = W("hello");
    f.frame_case = YUELAI__FRAME__FRAME_SEND, f.send = &s;
    size_t n = yuelai__frame__pack(&f, bytes);
    for (size_t i = 0; i < n; i++) {
        struct arena *a = arena_new();
        char *exact = mem_alloc(i ? i : 1);
        memcpy(exact, bytes, i);
        CHECK(wire_pb_read(a, (struct slice){exact, i}, &e, &ref, &out) < 0);
        mem_free(exact);
        arena_free(a);
    }
    s.text = W("\xff"); /* protobuf-c does not look at UTF-8, we do */
    struct read r = read_pb(&f);
    CHECK_EQ_INT(r.rc, ERR_BAD_REQUEST);
    arena_free(r.a);
    /* Unknown fields, two bytes each, kept by protobuf-c at 24 and more. */
    char *greedy = mem_alloc(200000);
    for (size_t i = 0; i < 200000; i += 2) {
        greedy[i] = 120; /* field 15, varint */
        greedy[i + 1] = 1;
    }
    struct arena *a = arena_new();
    CHECK(wire_pb_read(a, (struct slice){greedy, 200000}, &e, &ref, &out) < 0);
    CHECK(arena_bytes(a) < 3 * 1024 * 1024);
    arena_free(a);
    mem_free(greedy);
}

/* --- notices -------------------------------------------------------------- */

struct both {
    struct arena *a;
    struct json *json;
    Yuelai__Notice *pb;
};

static struct both write_both(const struct notice *n)
{
    struct both out = {.a = arena_new()};
    struct buf b;
    struct err e = {0};
    buf_init(&b, 1 << 20);
    CHECK(wire_json_write(&b, n) == 0);
    if (!CHECK(json_parse(out.a, buf_slice(&b), &e, &out.json) == 0))
        FAIL("%s: %.*s", e.text, (int)b.len, b.data);
    buf_clear(&b);
    CHECK(wire_pb_write(&b, n) == 0);
    out.pb = yuelai__notice__unpack(NULL, b.len, (uint8_t *)b.data);
    CHECK(out.pb != NULL);
    buf_fini(&b);
    return out;
}

static void both_free(struct both *b)
{
    yuelai__notice__free_unpacked(b->pb, NULL);
    arena_free(b->a);
}

static void check_text(const struct json *j, const char *key, const char *pb)
{
    struct slice s = json_text(j, key);
    if (!pb)
        CHECK_EQ_INT(s.len, 0);
    else
        CHECK_EQ_MEM(s.at, s.len, pb, strlen(pb));
}

TEST("a welcome says the same in both encodings")
{
    struct conversation c = {
        .id = 5, .state = CONV_QUEUED, .last_seq = 3, .agent_read = 2};
    struct notice n = {.type = NOTICE_WELCOME,
                       .session = 77,
                       .who_role = ROLE_VISITOR,
                       .who = 6,
                       .who_name = SLICE("Anna"),
                       .token = SLICE("tok"),
                       .cursor = {1, 2, 0},
                       .recovered = true,
                       .conversation = &c,
                       .position = 4,
                       .eta_ms = 9000,
                       .heartbeat_ms = 30000,
                       .server_at = 123,
                       .text_bytes = 16384,
                       .file_bytes = 9,
                       .frames_per_s = 100};
    struct both b = write_both(&n);
    const Yuelai__Welcome *w = b.pb->welcome;
    const struct json *j = b.json;
    check_text(j, "session", w->session);
    check_text(j, "token", w->token);
    check_text(j, "cursor", w->cursor);
    check_text(json_get(j, "you"), "id", w->you->id);
    check_text(json_get(j, "you"), "role", w->you->role);
    check_text(json_get(j, "you"), "name", w->you->name);
    CHECK_EQ_INT(json_bool(j, "recovered", false), w->recovered);
    CHECK_EQ_INT(json_int(j, "heartbeat_ms", 0), w->heartbeat_ms);
    CHECK_EQ_INT(json_int(j, "server_at", 0), w->server_at);
    const struct json *jc = json_get(j, "conversation");
    check_text(jc, "id", w->conversation->id);
    check_text(jc, "state", w->conversation->state);
    CHECK_EQ_INT(json_int(jc, "last_seq", 0), w->conversation->last_seq);
    CHECK_EQ_INT(json_int(jc, "agent_read", 0), w->conversation->agent_read);
    CHECK_EQ_INT(w->conversation->agent_read, 2);
    CHECK_EQ_INT(json_int(json_get(jc, "queue"), "position", 0),
                 w->conversation->queue->position);
    CHECK_EQ_INT(json_int(json_get(jc, "queue"), "eta_ms", 0),
                 w->conversation->queue->eta_ms);
    CHECK_EQ_INT(json_int(json_get(j, "limits"), "frames_per_s", 0),
                 w->limits->frames_per_s);
    CHECK_EQ_INT(w->conversation->queue->position, 4);
    both_free(&b);
}

TEST("an event and its ack say the same in both encodings")
{
    struct event ev = {
        .pos = 9,
        .at = 44,
        .conv = 5,
        .seq = 2,
        .name = EVENT_MESSAGE_CREATED,
        .ref = SLICE("r"),
        .body = SLICE("{\"kind\":\"text\",\"text\":\"hi\",\"sender\":{"
                      "\"role\":\"agent\",\"id\":\"ag_1\",\"name\":\"Li\"},"
                      "\"private\":true,\"options\":[{\"text\":\"yes\"}]}")};
    struct notice n = {.type = NOTICE_EVENT, .event = &ev, .cursor = {1, 9, 0}};
    struct both b = write_both(&n);
    const struct json *d = json_get(b.json, "data");
    const Yuelai__Event *e = b.pb->event;
    const Yuelai__Message *m = e->message;
    check_text(b.json, "event", e->event);
    check_text(b.json, "cursor", e->cursor);
    check_text(b.json, "conversation", e->conversation);
    check_text(d, "id", m->id);
    check_text(d, "kind", m->kind);
    check_text(d, "text", m->text);
    check_text(d, "ref", m->ref);
    check_text(json_get(d, "sender"), "name", m->sender->name);
    CHECK_EQ_INT(json_int(d, "seq", 0), m->seq);
    CHECK_EQ_INT(json_int(d, "at", 0), m->at);
    CHECK_EQ_INT(json_bool(d, "private", false), m->private_);
    CHECK_EQ_STR(m->more_json, "{\"options\":[{\"text\":\"yes\"}]}");
    both_free(&b);
    n = (struct notice){.type = NOTICE_ACK,
                        .event = &ev,
                        .ref = SLICE("r"),
                        .cursor = {1, 9, 0},
                        .duplicate = true};
    b = write_both(&n);
    check_text(b.json, "ref", b.pb->ack->ref);
    check_text(b.json, "id", b.pb->ack->id);
    check_text(b.json, "conversation", b.pb->ack->conversation);
    CHECK_EQ_INT(json_int(b.json, "seq", 0), b.pb->ack->seq);
    CHECK_EQ_INT(json_bool(b.json, "duplicate", false), b.pb->ack->duplicate);
    both_free(&b);
    ev.name = EVENT_CONVERSATION_CLOSED;
    ev.body = SLICE("{\"id\":\"cv_1\"}");
    n = (struct notice){.type = NOTICE_EVENT, .event = &ev};
    b = write_both(&n);
    CHECK_EQ_STR(b.pb->event->data_json, "{\"id\":\"cv_1\"}");
    both_free(&b);
}

TEST("the small notices say the same in both encodings")
{
    struct notice n = {.type = NOTICE_ERROR,
                       .code = ERR_RATE_LIMITED,
                       .ref = SLICE("r"),
                       .after_ms = 50};
    struct both b = write_both(&n);
    check_text(b.json, "code", b.pb->error->code);
    check_text(b.json, "message", b.pb->error->message);
    check_text(b.json, "ref", b.pb->error->ref);
    CHECK_EQ_INT(json_int(b.json, "retry_after_ms", 0),
                 b.pb->error->retry_after_ms);
    both_free(&b);
    n = (struct notice){.type = NOTICE_TYPING,
                        .conv = 5,
                        .who = 3,
                        .who_role = ROLE_AGENT,
                        .text = SLICE("dra")};
    b = write_both(&n);
    check_text(b.json, "conversation", b.pb->typing->conversation);
    check_text(b.json, "text", b.pb->typing->text);
    check_text(json_get(b.json, "who"), "id", b.pb->typing->who->id);
    both_free(&b);
    n = (struct notice){
        .type = NOTICE_QUEUE, .conv = 5, .position = 2, .eta_ms = 10};
    b = write_both(&n);
    CHECK_EQ_INT(json_int(b.json, "position", 0), b.pb->queue->position);
    CHECK_EQ_INT(json_int(b.json, "eta_ms", 0), b.pb->queue->eta_ms);
    both_free(&b);
    n = (struct notice){
        .type = NOTICE_PRESENCE, .who = 3, .text = SLICE("away")};
    b = write_both(&n);
    check_text(b.json, "agent", b.pb->presence->agent);
    check_text(b.json, "status", b.pb->presence->status);
    both_free(&b);
    n = (struct notice){.type = NOTICE_DELTA,
                        .conv = 5,
                        .stream = SLICE("s"),
                        .index = 3,
                        .text = SLICE("piece")};
    b = write_both(&n);
    check_text(b.json, "stream", b.pb->delta->stream);
    check_text(b.json, "text", b.pb->delta->text);
    CHECK_EQ_INT(json_int(b.json, "index", 0), b.pb->delta->index);
    CHECK(!json_get(b.json, "whole") && !b.pb->delta->has_whole);
    CHECK(!json_get(b.json, "sender") && !b.pb->delta->sender);
    both_free(&b);
    n.as_json = n.as_pb = (struct slice){0};
    n.whole = true;
    n.who_role = ROLE_BOT;
    n.who_name = SLICE("polly");
    b = write_both(&n);
    CHECK(json_bool(b.json, "whole", false) && b.pb->delta->whole);
    check_text(json_get(b.json, "sender"), "name", b.pb->delta->sender->name);
    check_text(json_get(b.json, "sender"), "role", b.pb->delta->sender->role);
    both_free(&b);
    n = (struct notice){
        .type = NOTICE_RECONNECT, .after_ms = 700, .text = SLICE("why")};
    b = write_both(&n);
    CHECK_EQ_INT(json_int(b.json, "after_ms", 0), b.pb->reconnect->after_ms);
    check_text(b.json, "reason", b.pb->reconnect->reason);
    both_free(&b);
    n = (struct notice){.type = NOTICE_PONG, .ref = SLICE("p")};
    b = write_both(&n);
    check_text(b.json, "ref", b.pb->pong->ref);
    both_free(&b);
    n = (struct notice){.type = NOTICE_HISTORY,
                        .ref = SLICE("h"),
                        .conv = 5,
                        .items = SLICE("[{\"seq\":1}]"),
                        .more = true};
    b = write_both(&n);
    CHECK_EQ_STR(b.pb->history->items_json, "[{\"seq\":1}]");
    CHECK_EQ_INT(json_bool(b.json, "more", false), b.pb->history->more);
    both_free(&b);
}
