/* SPDX-License-Identifier: Apache-2.0 */
/* What follows from events about one conversation. */
#include "store/progress.h"
#include "test.h"

struct fixture {
    struct progress p;
    uint64_t pos;
    int64_t left; /* what the journal would say */
    int asked;
};

static int64_t above(void *arg, uint64_t pos, uint32_t seq, bool visitors)
{
    struct fixture *f = arg;
    f->asked++;
    return f->left;
}

static void apply(struct fixture *f, struct event ev)
{
    ev.pos = ++f->pos;
    ev.at = 1000 + (int64_t)f->pos;
    if (ev.name == EVENT_MESSAGE_CREATED)
        ev.seq = f->p.last_seq + 1;
    struct progress_ask ask = {above, f};
    CHECK_EQ_INT(progress_apply(&f->p, &ev, &ask), 0);
}

static struct event says(enum role role, const char *body)
{
    return (struct event){.name = EVENT_MESSAGE_CREATED,
                          .role = role,
                          .conv = 7,
                          .body = slice_of(body)};
}
static struct event reads(enum role role, const char *body)
{
    return (struct event){.name = EVENT_MESSAGE_STATUS,
                          .role = role,
                          .conv = 7,
                          .body = slice_of(body)};
}
#define TEXT(t) "{\"kind\":\"text\",\"text\":\"" t "\"}"

TEST("a visitor's messages count as unread until an agent answers")
{
    struct fixture f = {0};
    apply(&f, says(ROLE_VISITOR, TEXT("a")));
    apply(&f, says(ROLE_VISITOR, TEXT("b")));
    CHECK_EQ_INT(f.p.unread, 2);
    CHECK_EQ_INT(f.p.last_seq, 2);
    apply(&f, says(ROLE_BOT, TEXT("c")));
    CHECK_EQ_INT(f.p.unread, 2);
    apply(&f, says(ROLE_AGENT, TEXT("d")));
    CHECK_EQ_INT(f.p.unread, 0);
    CHECK_EQ_INT(f.p.last_seq, 4);
    CHECK_EQ_INT(f.p.last_at, 1004);
}

TEST("the wait begins with the first unanswered message, ends with an answer")
{
    struct fixture f = {0};
    apply(&f, says(ROLE_VISITOR, TEXT("a")));
    apply(&f, says(ROLE_VISITOR, TEXT("b")));
    CHECK_EQ_INT(f.p.waiting_since_at, 1001);
    apply(&f, says(ROLE_SYSTEM, TEXT("you are 3rd")));
    CHECK_EQ_INT(f.p.waiting_since_at, 1001);
    apply(&f, says(ROLE_BOT, TEXT("c")));
    CHECK_EQ_INT(f.p.waiting_since_at, 0);
    apply(&f, says(ROLE_VISITOR, TEXT("d")));
    CHECK_EQ_INT(f.p.waiting_since_at, 1005);
}

TEST("when the visitor last wrote, and what was said to them since")
{
    struct fixture f = {0};
    CHECK_EQ_INT(f.p.heard_at, 0);
    apply(&f, says(ROLE_VISITOR, TEXT("a")));
    CHECK_EQ_INT(f.p.heard_at, 1001);
    apply(&f, says(ROLE_AGENT, TEXT("b")));
    apply(&f, says(ROLE_BOT, TEXT("c")));
    apply(&f, says(ROLE_SYSTEM, TEXT("nobody sends this")));
    struct event note = says(ROLE_AGENT, TEXT("between us"));
    note.flags = EVENT_PRIVATE;
    apply(&f, note);
    CHECK_EQ_INT(f.p.said, 2);
    CHECK_EQ_INT(f.p.heard_at, 1001);
    apply(&f, says(ROLE_VISITOR, TEXT("d")));
    CHECK_EQ_INT(f.p.said, 0);
    CHECK_EQ_INT(f.p.heard_at, 1006);
}

TEST("a private note is no answer, is hidden and is no preview")
{
    struct fixture f = {0};
    apply(&f, says(ROLE_VISITOR, TEXT("hello")));
    struct event note = says(ROLE_AGENT, TEXT("rude one"));
    note.flags = EVENT_PRIVATE;
    apply(&f, note);
    CHECK_EQ_INT(f.p.unread, 1);
    CHECK(f.p.waiting_since_at != 0);
    CHECK_EQ_INT(f.p.hidden, 1);
    CHECK_EQ_INT(f.p.last_seq, 2);
    CHECK_EQ_MEM(f.p.preview, f.p.preview_len, "hello", 5);
}

TEST("a read mark up to the last message leaves nothing unread, without asking")
{
    struct fixture f = {0};
    apply(&f, says(ROLE_VISITOR, TEXT("a")));
    apply(&f, says(ROLE_VISITOR, TEXT("b")));
    apply(&f, reads(ROLE_AGENT, "{\"seq\":2,\"status\":\"read\"}"));
    CHECK_EQ_INT(f.p.unread, 0);
    CHECK_EQ_INT(f.p.agent_read, 2);
    CHECK_EQ_INT(f.asked, 0);
    CHECK(f.p.waiting_since_at != 0);
}

TEST("a read mark in the middle leaves what lies above it")
{
    struct fixture f = {.left = 2};
    for (int i = 0; i < 5; i++)
        apply(&f, says(ROLE_VISITOR, TEXT("a")));
    apply(&f, reads(ROLE_AGENT, "{\"seq\":3,\"status\":\"read\"}"));
    CHECK_EQ_INT(f.p.unread, 2);
    CHECK_EQ_INT(f.p.agent_read, 3);
    CHECK_EQ_INT(f.asked, 1);
    /* Backwards is no mark. */
    apply(&f, reads(ROLE_AGENT, "{\"seq\":1,\"status\":\"read\"}"));
    CHECK_EQ_INT(f.p.agent_read, 3);
    /* The visitor's mark is theirs alone. */
    apply(&f, reads(ROLE_VISITOR, "{\"seq\":4,\"status\":\"read\"}"));
    CHECK_EQ_INT(f.p.visitor_read, 4);
    CHECK_EQ_INT(f.p.unread, 2);
}

TEST("a mark changes nothing when the journal cannot be read")
{
    struct fixture f = {.left = ERR_UNAVAILABLE};
    apply(&f, says(ROLE_VISITOR, TEXT("a")));
    apply(&f, says(ROLE_VISITOR, TEXT("b")));
    struct progress was = f.p;
    struct event ev = reads(ROLE_AGENT, "{\"seq\":1,\"status\":\"read\"}");
    ev.pos = 3;
    struct progress_ask ask = {above, &f};
    CHECK_EQ_INT(progress_apply(&f.p, &ev, &ask), ERR_UNAVAILABLE);
    CHECK_EQ_MEM(&f.p, sizeof f.p, &was, sizeof was);
}

TEST("an event seen before changes nothing: a replay may repeat")
{
    struct fixture f = {0};
    apply(&f, says(ROLE_VISITOR, TEXT("a")));
    apply(&f, says(ROLE_VISITOR, TEXT("b")));
    struct progress was = f.p;
    f.pos = 0;
    apply(&f, says(ROLE_VISITOR, TEXT("a")));
    CHECK_EQ_MEM(&f.p, sizeof f.p, &was, sizeof was);
}

TEST("handled is the greatest cause, whatever order they come in")
{
    struct fixture f = {0};
    static const uint64_t causes[] = {5, 9, 7, 0};
    for (int i = 0; i < 4; i++) {
        struct event ev = {.name = EVENT_HANDLED,
                           .cause = causes[i],
                           .conv = 7,
                           .body = SLICE("{}")};
        apply(&f, ev);
    }
    CHECK_EQ_INT(f.p.handled, 9);
    CHECK_EQ_INT(f.p.last_seq, 0);
    CHECK_EQ_INT(f.p.last_pos, 4);
}

static void shows(const char *body, const char *want)
{
    char out[PREVIEW_BYTES];
    test_note("%s", body);
    uint32_t n = preview_of(slice_of(body), out);
    CHECK_EQ_MEM(out, n, want, strlen(want));
}

TEST("a preview is the start of the text, whatever the body looks like")
{
    shows(TEXT("hello"), "hello");
    shows(TEXT(""), "");
    shows(TEXT("say \\\"hi\\\"\\n"), "say \"hi\"\n");
    shows(TEXT("\\u4f60\\u597d"), "\xe4\xbd\xa0\xe5\xa5\xbd");
    shows("{\"kind\":\"image\",\"file\":\"f\",\"text\":\"look\"}", "look");
    shows("{\"kind\":\"image\",\"file\":\"text\"}", "[image]");
    shows("{\"kind\":\"file\",\"file\":{\"name\":\"a.pdf\"}}", "[file] a.pdf");
    shows("{\"kind\":\"audio\",\"name\":\"b\",\"file\":{\"name\":\"a\"}}",
          "[audio] b");
    shows("{\"kind\":\"location\",\"label\":\"Bund\",\"lat\":1}",
          "[location] Bund");
    shows("{\"kind\":\"card\",\"card\":{\"title\":\"Order\"}}", "[card] Order");
    shows("{\"card\":{\"text\":\"inner\"}}", "");
    shows("{\"kind\":\"text\",\"text\":5}", "");
    shows("{", "");
    shows("", "");
}

TEST("a long preview ends between characters")
{
    char body[1200] = "{\"kind\":\"text\",\"text\":\"x";
    for (int i = 0; i < 200; i++)
        strcat(body, "\xe4\xbd\xa0");
    strcat(body, "\"}");
    char out[PREVIEW_BYTES];
    uint32_t n = preview_of(slice_of(body), out);
    CHECK_EQ_INT(n, 1 + 39 * 3);
    CHECK(slice_is_utf8((struct slice){out, n}));
    /* Cut at every byte: never more than is there, never half a character
     * of what is whole. */
    for (size_t len = 0; len <= 200; len++)
        CHECK(preview_of((struct slice){body, len}, out) <= PREVIEW_BYTES);
}

TEST("a message that was taken back is not the line of the list any more")
{
    struct fixture f = {0};
    apply(&f, says(ROLE_VISITOR, TEXT("a secret")));
    struct event back = {.name = EVENT_MESSAGE_UPDATED,
                         .role = ROLE_VISITOR,
                         .conv = 7,
                         .body = SLICE("{\"seq\":1,\"recalled\":true}")};
    f.left = 1; /* something was said behind it */
    apply(&f, back);
    CHECK_SLICE(((struct slice){f.p.preview, f.p.preview_len}), "a secret");
    f.left = 0;
    apply(&f, back);
    CHECK_SLICE(((struct slice){f.p.preview, f.p.preview_len}), "[recalled]");
    CHECK_EQ_INT(f.p.unread, 1);
}
