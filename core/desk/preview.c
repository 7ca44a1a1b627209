/* SPDX-License-Identifier: Apache-2.0 */
/* preview.c - a message in a line, for lists of conversations.
 *
 * Happy path: the start of its text; without a text its kind in brackets and
 * what it is called, "[image] photo.jpg": apps say the kind in their own
 * language. Failure: a body that is no JSON object (bodies are checked before
 * they come here) has no preview.
 */
#include "base/json.h"
#include "desk/event.h"

static uint32_t cut(struct slice text, char out[PREVIEW_BYTES])
{
    size_t n = text.len < PREVIEW_BYTES ? text.len : PREVIEW_BYTES;
    while (n < text.len && n > 0 && (text.at[n] & 0xc0) == 0x80)
        n--; /* not in the middle of a character */
    if (n)
        memcpy(out, text.at, n);
    return (uint32_t)n;
}

/* A text message as frame_check_message writes it, without escapes in its
 * first bytes: the many. False: look properly. */
static bool cut_fast(struct slice body, char out[PREVIEW_BYTES], uint32_t *n)
{
    static const char head[] = "{\"kind\":\"text\",\"text\":\"";
    size_t skip = sizeof head - 1;
    if (body.len <= skip || memcmp(body.at, head, skip) != 0)
        return false;
    struct slice text = {body.at + skip, body.len - skip};
    size_t most = text.len < PREVIEW_BYTES + 1 ? text.len : PREVIEW_BYTES + 1;
    const char *quote = memchr(text.at, '"', most);
    text.len = quote ? (size_t)(quote - text.at) : most;
    if (memchr(text.at, '\\', text.len))
        return false;
    *n = cut(text, out);
    return true;
}

uint32_t preview_of_text(struct slice body, char out[PREVIEW_BYTES])
{
    uint32_t n = 0;
    if (cut_fast(body, out, &n))
        return n;
    if (!memmem(body.at, body.len, "\"text\"", 6))
        return 0;
    struct arena *a = arena_new();
    struct json *j;
    if (json_parse(a, body, NULL, &j) == 0)
        n = cut(json_text(j, "text"), out);
    arena_free(a);
    return n;
}

/* What it is called: a file, a place, a card. */
static struct slice name_of(const struct json *j)
{
    const struct {
        const char *of, *name;
    } places[] = {{NULL, "name"},
                  {"file", "name"},
                  {NULL, "label"},
                  {NULL, "address"},
                  {"card", "title"}};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        const struct json *in = places[i].of ? json_get(j, places[i].of) : j;
        struct slice s = json_text(in, places[i].name);
        if (s.len)
            return s;
    }
    return SLICE("");
}

static uint32_t name_kind(const struct json *j, char out[PREVIEW_BYTES])
{
    enum message_kind kind;
    struct buf line;
    if (!message_kind_find(json_text(j, "kind"), &kind) || kind == MESSAGE_TEXT)
        return 0;
    struct slice name = name_of(j);
    buf_init(&line, name.len + 32);
    int r = buf_addf(&line, "[%s]%s%.*s", message_kind_name(kind),
                     name.len ? " " : "", SLICE_FMT(name));
    uint32_t n = r == 0 ? cut(buf_slice(&line), out) : 0;
    buf_fini(&line);
    return n;
}

uint32_t preview_of(struct slice body, char out[PREVIEW_BYTES])
{
    uint32_t n = preview_of_text(body, out);
    if (n)
        return n;
    struct arena *a = arena_new();
    struct json *j;
    if (json_parse(a, body, NULL, &j) == 0)
        n = name_kind(j, out);
    arena_free(a);
    return n;
}
