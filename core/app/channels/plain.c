/* SPDX-License-Identifier: Apache-2.0 */
/* plain.c - an item as its platform can show it.
 *
 * Happy path: the kind is among the adapter's and nothing changes; or its
 * members give way to a text. Failure: an item that cannot be read, or whose
 * words do not fit, goes as it is: the adapter says what is wrong.
 */
#include "app/channels/plain.h"
#include "base/limits.h"
#include <stdio.h>

#define CHOICES 10
#define CHOICE_BYTES 256

void plain_can_read(const struct json *face, struct plain_can *out)
{
    const struct json *kinds = json_get(face, "kinds");
    const struct json *most = json_get(face, "most");
    *out = (struct plain_can){
        .as_is = !json_is(kinds, JSON_ARRAY),
        .buttons = (int32_t)json_int(face, "buttons", 0),
        .markdown = json_bool(face, "markdown", false),
    };
    for (int k = 0; k < MESSAGE_KINDS; k++) {
        out->shows[k] = out->as_is;
        out->most[k] =
            json_int(most, message_kind_name((enum message_kind)k), 0);
    }
    for (const struct json *j = out->as_is ? NULL : kinds->first; j;
         j = j->next) {
        enum message_kind k;
        if (json_is(j, JSON_STRING) && message_kind_find(j->text, &k)) {
            out->shows[k] = true;
        }
    }
}

/* --- words ---------------------------------------------------------------- */

/* "[图片]", "[Image]" */
static void put_mark(struct buf *b, enum message_kind k, bool zh)
{
    static const char *const marks[MESSAGE_KINDS][2] = {
        [MESSAGE_TEXT] = {"Message", "消息"},
        [MESSAGE_IMAGE] = {"Image", "图片"},
        [MESSAGE_FILE] = {"File", "文件"},
        [MESSAGE_AUDIO] = {"Audio", "语音"},
        [MESSAGE_VIDEO] = {"Video", "视频"},
        [MESSAGE_LOCATION] = {"Location", "位置"},
        [MESSAGE_CARD] = {"Card", "卡片"}};
    buf_addf(b, "[%s]", marks[k][zh]);
}

static void put_part(struct buf *b, const char *before, struct slice s)
{
    if (s.len) {
        buf_addf(b, "%s%.*s", b->len ? before : "", SLICE_FMT(s));
    }
}

static void put_size(struct buf *b, int64_t bytes)
{
    double n = (double)bytes;
    if (bytes >= 1024 * 1024) {
        buf_addf(b, " (%.1f MB)", n / (1024 * 1024));
    } else if (bytes >= 1024) {
        buf_addf(b, " (%.0f KB)", n / 1024);
    } else if (bytes > 0) {
        buf_addf(b, " (%d B)", (int)bytes);
    }
}

static void put_file(struct buf *b, const struct json *item,
                     enum message_kind k, bool zh)
{
    const struct json *file = json_get(item, "file");
    struct slice name = json_text(item, "name"), url = json_text(file, "url");
    put_mark(b, k, zh);
    put_part(b, " ", name.len ? name : json_text(file, "name"));
    put_size(b, json_int(file, "size", 0));
    if (url.len) {
        put_part(b, "\n", url);
    } else {
        buf_add_text(b, zh ? "（这里无法显示，请换一种方式向我们索取）"
                           : " - it cannot be shown here; please ask us for "
                             "it another way");
    }
    put_part(b, "\n", json_text(item, "text"));
}

static double real_of(const struct json *item, const char *name)
{
    const struct json *j = json_get(item, name);
    return json_is(j, JSON_REAL)  ? j->real
           : json_is(j, JSON_INT) ? (double)j->integer
                                  : 0;
}

static void put_place(struct buf *b, const struct json *item, bool zh)
{
    put_mark(b, MESSAGE_LOCATION, zh);
    put_part(b, " ", json_text(item, "label"));
    put_part(b, " ", json_text(item, "address"));
    buf_addf(b, " (%.6f,%.6f)", real_of(item, "lat"), real_of(item, "lng"));
}

/* What a button says for the visitor; "" if it opens a page. */
static struct slice said_by(const struct json *button)
{
    struct slice value = json_text(button, "value");
    if (json_text(button, "url").len) {
        return SLICE("");
    }
    value = value.len ? value : json_text(button, "label");
    return value.len <= CHOICE_BYTES ? value : SLICE("");
}

static const struct json *buttons_of(const struct json *item)
{
    const struct json *all = json_get(json_get(item, "card"), "buttons");
    return json_is(all, JSON_ARRAY) ? all->first : NULL;
}

/* Does it have more buttons than can stand below it? Those that open a page
 * are no choices, but want a place where there is none at all. */
static bool has_too_many(const struct json *item, const struct plain_can *can)
{
    int32_t n = 0;
    for (const struct json *b = buttons_of(item); b; b = b->next) {
        n += can->buttons == 0 || said_by(b).len > 0;
    }
    return n > can->buttons;
}

static struct slice put_buttons(struct arena *a, struct buf *b,
                                const struct json *item)
{
    struct buf list;
    int n = 0;
    buf_init(&list, CHOICES * (CHOICE_BYTES * 6 + 4) + 2);
    struct jsonw w = jsonw_on(&list);
    jsonw_open(&w, '[');
    for (const struct json *j = buttons_of(item); j; j = j->next) {
        struct slice label = json_text(j, "label"), says = said_by(j);
        if (says.len && n < CHOICES) {
            jsonw_text(&w, says);
            buf_addf(b, "%s%d. %.*s", b->len ? "\n" : "", ++n,
                     SLICE_FMT(label.len ? label : says));
        } else {
            put_part(b, "\n", label);
            put_part(b, ": ", json_text(j, "url"));
        }
    }
    jsonw_close(&w, ']');
    struct slice all =
        n && !w.failed ? slice_dup(a, buf_slice(&list)) : SLICE("");
    buf_fini(&list);
    return all;
}

/* Title, text, address; then what can be said and opened. Gives the choices. */
static struct slice put_card(struct arena *a, struct buf *b,
                             const struct json *item, bool zh)
{
    const struct json *card = json_get(item, "card");
    put_part(b, "\n", json_text(card, "title"));
    put_part(b, "\n", json_text(card, "text"));
    put_part(b, "\n", json_text(card, "url"));
    struct slice choices = put_buttons(a, b, item);
    if (choices.len) {
        buf_add_text(b, zh ? "\n（回复数字选择）"
                           : "\n(Answer with a number to choose)");
    }
    if (b->len == 0) {
        put_part(b, "", json_text(card, "image"));
    }
    if (b->len == 0) {
        put_mark(b, MESSAGE_CARD, zh);
    }
    return choices;
}

/* --- the item ------------------------------------------------------------- */

/* The members of the kind give way to a text. */
static bool write(struct arena *a, const struct json *item, struct slice text,
                  struct slice *out)
{
    static const char *const gone[] = {"kind", "text",  "file",    "name",
                                       "lat",  "lng",   "address", "label",
                                       "card", "format"};
    struct buf b;
    buf_init(&b, LIMIT_AGENT_FRAME_BYTES * 2);
    struct jsonw w = jsonw_on(&b);
    jsonw_open(&w, '{');
    for (const struct json *j = item->first; j; j = j->next) {
        bool goes = false;
        for (size_t i = 0; i < sizeof gone / sizeof gone[0]; i++) {
            goes = goes || slice_is(j->key, gone[i]);
        }
        if (!goes) {
            jsonw_key(&w, slice_dup(a, j->key).at);
            jsonw_value(&w, j);
        }
    }
    jsonw_put_text(&w, "kind", SLICE("text"));
    jsonw_put_text(&w, "text", text);
    jsonw_close(&w, '}');
    if (!w.failed) {
        *out = slice_dup(a, buf_slice(&b));
    }
    buf_fini(&b);
    return !w.failed;
}

/* Why this item is not shown as it is; NULL: it is. */
static const char *why_not(const struct json *item, enum message_kind k,
                           const struct plain_can *can)
{
    int64_t size = json_int(json_get(item, "file"), "size", 0);
    if (!can->shows[k]) {
        return "kind";
    }
    if (can->most[k] && size > can->most[k]) {
        return "size";
    }
    bool crowded = k == MESSAGE_CARD && !can->as_is && has_too_many(item, can);
    return crowded ? "buttons" : NULL;
}

static struct slice shown_as(struct arena *a, enum message_kind k,
                             const char *why)
{
    char text[96];
    int n = snprintf(text, sizeof text,
                     "{\"kind\":\"%s\",\"as\":\"text\",\"why\":\"%s\"}",
                     message_kind_name(k), why);
    return slice_dup(a, (struct slice){text, (size_t)n});
}

static void flatten(struct arena *a, const struct json *item, struct plain *out)
{
    struct buf b;
    buf_init(&b, LIMIT_AGENT_FRAME_BYTES * 2);
    if (plain_flat(&b, json_text(item, "text")) == 0 && b.len) {
        (void)write(a, item, buf_slice(&b), &out->item);
    }
    buf_fini(&b);
}

static void as_text(struct arena *a, const struct json *item,
                    enum message_kind k, bool zh, const char *why,
                    struct plain *out)
{
    struct buf b;
    struct slice choices = {"", 0};
    buf_init(&b, LIMIT_AGENT_FRAME_BYTES);
    if (k == MESSAGE_LOCATION) {
        put_place(&b, item, zh);
    } else if (k == MESSAGE_CARD) {
        choices = put_card(a, &b, item, zh);
    } else {
        put_file(&b, item, k, zh);
    }
    if (write(a, item, buf_slice(&b), &out->item)) {
        out->shown = shown_as(a, k, why);
        out->choices = choices;
    }
    buf_fini(&b);
}

void plain_item(struct arena *a, struct slice item, const struct plain_can *can,
                bool zh, struct plain *out)
{
    struct json *j = NULL;
    enum message_kind k;
    *out = (struct plain){item, SLICE(""), SLICE("")};
    if (json_parse(a, item, NULL, &j) < 0 ||
        !message_kind_find(json_text(j, "kind"), &k)) {
        return;
    }
    const char *why = why_not(j, k, can);
    if (k == MESSAGE_TEXT && !can->markdown && !can->as_is &&
        slice_is(json_text(j, "format"), "markdown")) {
        flatten(a, j, out);
    } else if (k != MESSAGE_TEXT && why) {
        as_text(a, j, k, zh, why, out);
    }
}
