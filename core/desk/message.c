/* SPDX-License-Identifier: Apache-2.0 */
/* message.c - judges a message from outside and writes it down anew.
 *
 * Happy path: the kind is known, its fields are of the right type and size, a
 * clean JSON object is made of them: nothing unknown travels on (contract §4).
 * Failure: the first field at fault is named.
 */
#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"
#include "desk/frame.h"

#define CARD_BYTES (16 * 1024)

static const struct slice nothing = {"", 0};

/* Bounded and without NUL (which the database and scripts cannot keep). */
static int bounded(struct slice s, size_t max, const char *field, struct err *e)
{
    if (s.len > max)
        return err_field(e, ERR_TOOBIG, field, "%s is longer than %zu bytes.",
                         field, max);
    if (s.len && memchr(s.at, '\0', s.len))
        return err_field(e, ERR_BAD_REQUEST, field, "%s holds a NUL character.",
                         field);
    return 0;
}

static struct slice given(struct slice s)
{
    return s.at ? s : nothing;
}

enum shape { SHAPE_TEXT, SHAPE_FILE, SHAPE_POINT, SHAPE_CARD };

static const enum shape shapes[MESSAGE_KINDS] = {
    [MESSAGE_TEXT] = SHAPE_TEXT,  [MESSAGE_IMAGE] = SHAPE_FILE,
    [MESSAGE_FILE] = SHAPE_FILE,  [MESSAGE_AUDIO] = SHAPE_FILE,
    [MESSAGE_VIDEO] = SHAPE_FILE, [MESSAGE_LOCATION] = SHAPE_POINT,
    [MESSAGE_CARD] = SHAPE_CARD,
};

static bool find_kind(struct slice name, bool lenient, enum message_kind *out)
{
    *out = MESSAGE_TEXT; /* curl users mean a text */
    return name.at ? message_kind_find(name, out) : lenient;
}

static bool is_file_id(struct slice s)
{
    uint64_t id;
    return id_parse(s, ID_FILE, &id);
}

static int check_point(const struct message_draft *d, struct err *e)
{
    if (!d->has_point || !(d->lat >= -90 && d->lat <= 90))
        return err_field(e, ERR_BAD_REQUEST, "lat",
                         "A location needs lat and lng.");
    if (!(d->lng >= -180 && d->lng <= 180))
        return err_field(e, ERR_BAD_REQUEST, "lng", "lng is out of range.");
    return 0;
}

static int check_shape(const struct message_draft *d, enum shape shape,
                       struct err *e)
{
    switch (shape) {
    case SHAPE_TEXT:
        return d->text.len ? 0
                           : err_field(e, ERR_BAD_REQUEST, "text",
                                       "A text message needs text.");
    case SHAPE_FILE:
        return is_file_id(d->file)
                   ? 0
                   : err_field(e, ERR_BAD_REQUEST, "file",
                               "This kind needs the id of an uploaded file.");
    case SHAPE_POINT:
        return check_point(d, e);
    case SHAPE_CARD:
        return d->card.len ? 0
                           : err_field(e, ERR_BAD_REQUEST, "card",
                                       "A card needs an object in card.");
    }
    return ERR_INTERNAL;
}

static int check_sizes(const struct message_draft *d, struct err *e)
{
    const struct {
        struct slice s;
        size_t max;
        const char *field;
    } rules[] = {{d->text, LIMIT_TEXT_BYTES, "text"},
                 {d->name, LIMIT_NAME_BYTES, "name"},
                 {d->label, LIMIT_NAME_BYTES, "label"},
                 {d->address, 2 * LIMIT_NAME_BYTES, "address"},
                 {d->card, CARD_BYTES, "card"}};
    int r = 0;
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]) && r == 0; i++)
        r = bounded(rules[i].s, rules[i].max, rules[i].field, e);
    return r;
}

static int check_ref(const struct message_draft *d, bool lenient, struct err *e)
{
    if (!d->ref.at && lenient)
        return 0;
    if (d->ref.len == 0 || d->ref.len > LIMIT_REF_BYTES)
        return err_field(e, ERR_BAD_REQUEST, "ref",
                         "A send needs a ref of 1 to %d bytes.",
                         LIMIT_REF_BYTES);
    return bounded(d->ref, LIMIT_REF_BYTES, "ref", e);
}

static void put_given(struct jsonw *w, const char *key, struct slice s)
{
    if (s.len)
        jsonw_put_text(w, key, s);
}

static void write_shape(struct jsonw *w, const struct message_draft *d,
                        enum shape shape)
{
    if (shape == SHAPE_FILE) {
        jsonw_put_text(w, "file", d->file);
        put_given(w, "name", d->name);
    } else if (shape == SHAPE_POINT) {
        jsonw_key(w, "lat");
        jsonw_real(w, d->lat);
        jsonw_key(w, "lng");
        jsonw_real(w, d->lng);
        put_given(w, "label", d->label);
        put_given(w, "address", d->address);
    } else if (shape == SHAPE_CARD) {
        jsonw_put_raw(w, "card", d->card);
    }
}

/* The message's clean JSON object. */
static int write_body(struct arena *a, const struct message_draft *d,
                      enum message_kind kind, struct slice *out)
{
    struct buf b;
    buf_init(&b, 6 * (LIMIT_TEXT_BYTES + CARD_BYTES)); /* all escaped */
    struct jsonw w = jsonw_on(&b);
    jsonw_open(&w, '{');
    jsonw_put_text(&w, "kind", slice_of(message_kind_name(kind)));
    put_given(&w, "text", d->text);
    write_shape(&w, d, shapes[kind]);
    if (d->is_private)
        jsonw_put_bool(&w, "private", true);
    put_given(&w, "reply_to", d->reply_to);
    jsonw_close(&w, '}');
    int r = w.failed;
    if (r == 0)
        *out = slice_dup(a, buf_slice(&b));
    buf_fini(&b);
    return r;
}

int message_check(struct arena *a, const struct message_draft *in, bool lenient,
                  struct frame *out, struct err *e)
{
    uint64_t id;
    int r = check_ref(in, lenient, e);
    if (r)
        return r;
    enum message_kind kind;
    if (!find_kind(in->kind, lenient, &kind))
        return err_field(e, ERR_BAD_REQUEST, "kind",
                         "kind must be one of text image file audio video "
                         "location card.");
    r = check_sizes(in, e);
    r = r ? r : check_shape(in, shapes[kind], e);
    if (r)
        return r;
    if (in->reply_to.len && !id_parse(in->reply_to, ID_MESSAGE, &id))
        return err_field(e, ERR_BAD_REQUEST, "reply_to",
                         "reply_to is not the id of a message.");
    out->ref = given(in->ref);
    out->kind = slice_of(message_kind_name(kind));
    out->text =
        given(kind == MESSAGE_LOCATION && !in->text.len ? in->label : in->text);
    out->is_private = in->is_private;
    r = write_body(a, in, kind, &out->body);
    return r ? err_set(e, r, "The message is too large.") : 0;
}

/* --- the same from JSON --------------------------------------------------- */

static int take_text(const struct json *in, const char *field,
                     struct slice *out, struct err *e)
{
    struct json *v = json_get(in, field);
    if (!v || json_is(v, JSON_NULL))
        return 0;
    if (json_is(v, JSON_OBJECT) && strcmp(field, "file") == 0) {
        *out = json_text(v, "id"); /* as it comes in messages */
        return 0;
    }
    if (!json_is(v, JSON_STRING))
        return err_field(e, ERR_BAD_REQUEST, field, "%s must be a text.",
                         field);
    *out = v->text.len ? v->text : nothing;
    return 0;
}

static int take_number(const struct json *in, const char *field, double *out,
                       bool *has, struct err *e)
{
    struct json *v = json_get(in, field);
    *has = json_is(v, JSON_INT) || json_is(v, JSON_REAL);
    if (v && !*has && !json_is(v, JSON_NULL))
        return err_field(e, ERR_BAD_REQUEST, field, "%s must be a number.",
                         field);
    if (*has)
        *out = v->type == JSON_INT ? (double)v->integer : v->real;
    return 0;
}

static int take_card(const struct json *in, struct arena *a, struct slice *out,
                     struct err *e)
{
    struct json *card = json_get(in, "card");
    if (!card || json_is(card, JSON_NULL))
        return 0;
    if (!json_is(card, JSON_OBJECT))
        return err_field(e, ERR_BAD_REQUEST, "card", "card must be an object.");
    struct buf b;
    buf_init(&b, CARD_BYTES);
    struct jsonw w = jsonw_on(&b);
    jsonw_value(&w, card);
    if (!w.failed)
        *out = slice_dup(a, buf_slice(&b));
    buf_fini(&b);
    return w.failed ? err_field(e, ERR_TOOBIG, "card",
                                "card is longer than %d bytes.", CARD_BYTES)
                    : 0;
}

static int take_private(const struct json *in, bool *out, struct err *e)
{
    struct json *v = json_get(in, "private");
    if (v && !json_is(v, JSON_BOOL) && !json_is(v, JSON_NULL))
        return err_field(e, ERR_BAD_REQUEST, "private",
                         "private must be true or false.");
    *out = json_is(v, JSON_BOOL) && v->boolean;
    return 0;
}

int frame_check_message(const struct json *in, bool lenient, struct arena *a,
                        struct frame *out, struct err *e)
{
    struct message_draft d = {0};
    bool has_lng = false;
    const struct {
        const char *field;
        struct slice *to;
    } texts[] = {{"ref", &d.ref},     {"kind", &d.kind},
                 {"text", &d.text},   {"file", &d.file},
                 {"name", &d.name},   {"reply_to", &d.reply_to},
                 {"label", &d.label}, {"address", &d.address}};
    int r = 0;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]) && r == 0; i++)
        r = take_text(in, texts[i].field, texts[i].to, e);
    r = r ? r : take_number(in, "lat", &d.lat, &d.has_point, e);
    r = r ? r : take_number(in, "lng", &d.lng, &has_lng, e);
    d.has_point = d.has_point && has_lng;
    r = r ? r : take_card(in, a, &d.card, e);
    r = r ? r : take_private(in, &d.is_private, e);
    return r ? r : message_check(a, &d, lenient, out, e);
}
