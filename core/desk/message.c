/* SPDX-License-Identifier: Apache-2.0 */
/* message.c - checks a message from outside and writes it down anew.
 *
 * Happy path: the kind is known, its fields are of the right type and size, a
 * clean JSON object is made of them. Failure: the first field at fault is
 * named. Unknown fields are dropped (contract §4).
 */
#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"
#include "desk/frame.h"

#define CARD_MAX LIMIT_TEXT_BYTES
#define FILE_ID_MAX 64

/* One checked field on its way into the body. */
struct check {
    const struct json *in;
    struct jsonw *w;
    struct err *e;
};

static int bad(struct check *c, const char *field, const char *why)
{
    return err_field(c->e, ERR_BAD_REQUEST, field, "%s %s", field, why);
}

static int text_field(struct check *c, const char *field, size_t max,
                      bool required)
{
    struct json *v = json_get(c->in, field);
    if (!v || json_is(v, JSON_NULL)) {
        return required ? bad(c, field, "is missing") : 0;
    }
    if (!json_is(v, JSON_STRING)) {
        return bad(c, field, "must be text");
    }
    if (required && v->text.len == 0) {
        return bad(c, field, "must not be empty");
    }
    if (v->text.len > max) {
        return err_field(c->e, ERR_TOOBIG, field,
                         "%s is longer than %zu bytes", field, max);
    }
    jsonw_put_text(c->w, field, v->text);
    return 0;
}

static int number_field(struct check *c, const char *field, double least,
                        double most)
{
    struct json *v = json_get(c->in, field);
    double n;
    if (json_is(v, JSON_INT)) {
        n = (double)v->integer;
    } else if (json_is(v, JSON_REAL)) {
        n = v->real;
    } else {
        return bad(c, field, "must be a number");
    }
    if (!(n >= least && n <= most)) {
        return bad(c, field, "is out of range");
    }
    jsonw_key(c->w, field);
    jsonw_value(c->w, v);
    return 0;
}

static int text_message(struct check *c)
{
    return text_field(c, "text", LIMIT_TEXT_BYTES, true);
}

static int file_message(struct check *c)
{
    int r = text_field(c, "file", FILE_ID_MAX, true);
    if (r == 0) {
        r = text_field(c, "name", LIMIT_NAME_BYTES, false);
    }
    return r ? r : text_field(c, "text", LIMIT_TEXT_BYTES, false);
}

static int location_message(struct check *c)
{
    int r = number_field(c, "lat", -90, 90);
    if (r == 0) {
        r = number_field(c, "lng", -180, 180);
    }
    if (r == 0) {
        r = text_field(c, "name", LIMIT_NAME_BYTES, false);
    }
    return r ? r : text_field(c, "text", LIMIT_TEXT_BYTES, false);
}

static int card_message(struct check *c)
{
    struct json *card = json_get(c->in, "card");
    if (!json_is(card, JSON_OBJECT)) {
        return bad(c, "card", "must be an object");
    }
    struct buf out;
    buf_init(&out, CARD_MAX);
    struct jsonw w = jsonw_on(&out);
    jsonw_value(&w, card);
    if (w.failed) {
        buf_fini(&out);
        return err_field(c->e, ERR_TOOBIG, "card",
                         "card is longer than %d bytes", CARD_MAX);
    }
    jsonw_put_raw(c->w, "card", buf_slice(&out));
    buf_fini(&out);
    return text_field(c, "text", LIMIT_TEXT_BYTES, false);
}

static const struct kind {
    const char *name;
    int (*check)(struct check *c);
} kinds[] = {
    {"text", text_message},       {"image", file_message},
    {"file", file_message},       {"audio", file_message},
    {"video", file_message},      {"location", location_message},
    {"card", card_message},
};

static int check_ref(const struct json *in, bool optional, struct frame *out,
                     struct err *e)
{
    struct json *ref = json_get(in, "ref");
    if (!ref && optional) {
        return 0;
    }
    if (!json_is(ref, JSON_STRING) || ref->text.len == 0) {
        return err_field(e, ERR_BAD_REQUEST, "ref",
                         "ref must be a text of 1 to %d bytes",
                         LIMIT_REF_BYTES);
    }
    if (ref->text.len > LIMIT_REF_BYTES) {
        return err_field(e, ERR_BAD_REQUEST, "ref",
                         "ref is longer than %d bytes", LIMIT_REF_BYTES);
    }
    out->ref = ref->text;
    return 0;
}

static int find_kind(const struct json *in, const struct kind **out,
                     struct err *e)
{
    struct json *name = json_get(in, "kind");
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        /* Without a kind it is a text: what curl users expect. */
        if (name ? json_is(name, JSON_STRING) &&
                       slice_is(name->text, kinds[i].name)
                 : i == 0) {
            *out = &kinds[i];
            return 0;
        }
    }
    return err_field(e, ERR_BAD_REQUEST, "kind",
                     "kind must be one of text image file audio video "
                     "location card");
}

static int check_private(struct check *c, struct frame *out)
{
    struct json *private = json_get(c->in, "private");
    if (private && !json_is(private, JSON_BOOL)) {
        return bad(c, "private", "must be true or false");
    }
    out->is_private = private && private->boolean;
    if (out->is_private) {
        jsonw_put_bool(c->w, "private", true);
    }
    return text_field(c, "reply_to", ID_TEXT, false);
}

int frame_check_message(const struct json *in, bool ref_optional,
                        struct arena *a, struct frame *out, struct err *e)
{
    const struct kind *kind;
    int r = check_ref(in, ref_optional, out, e);
    if (r == 0) {
        r = find_kind(in, &kind, e);
    }
    if (r) {
        return r;
    }
    struct buf body;
    buf_init(&body, LIMIT_AGENT_FRAME_BYTES);
    struct jsonw w = jsonw_on(&body);
    struct check c = {in, &w, e};
    jsonw_open(&w, '{');
    jsonw_put_text(&w, "kind", slice_of(kind->name));
    r = kind->check(&c);
    if (r == 0) {
        r = check_private(&c, out);
    }
    jsonw_close(&w, '}');
    if (r == 0 && w.failed) {
        r = err_set(e, w.failed, "the message is too large");
    }
    if (r == 0) {
        out->kind = slice_of(kind->name);
        out->body = slice_dup(a, buf_slice(&body));
        out->text = json_text(in, "text");
    }
    buf_fini(&body);
    return r;
}
