/* SPDX-License-Identifier: Apache-2.0 */
/* wire.c - the rules for frames, whatever their encoding (contract §4).
 *
 * Happy path: lengths and ids are checked, a message's fields are written
 * anew as a clean JSON object, so that nothing unknown travels on.
 * Failure: ERR_BAD_REQUEST, ERR_TOOBIG or ERR_UNPROCESSABLE with the field.
 */
#include "net/wire.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"

#define ATTRIBUTES_BYTES (8 * 1024)
#define URL_BYTES 2048
#define TOKEN_BYTES 512
#define ID_BYTES 64

static const struct slice nothing = {"", 0};

bool wire_ref_ok(struct slice ref)
{
    return ref.len > 0 && ref.len <= LIMIT_REF_BYTES;
}

static bool has_nul(struct slice s)
{
    return s.len && memchr(s.at, '\0', s.len);
}

/* Bounded and without NUL (which the database and scripts cannot keep). */
static int bounded(struct slice s, size_t max, const char *field, struct err *e)
{
    if (s.len > max)
        return err_field(e, ERR_TOOBIG, field, "%s is longer than %zu bytes.",
                         field, max);
    if (has_nul(s))
        return err_field(e, ERR_BAD_REQUEST, field, "%s holds a NUL character.",
                         field);
    return 0;
}

struct rule {
    struct slice s;
    size_t max;
    const char *field;
};

static int all_bounded(const struct rule *rules, size_t n, struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        int rc = bounded(rules[i].s, rules[i].max, rules[i].field, e);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static struct slice given(struct slice s)
{
    return s.at ? s : nothing;
}

/* --- send ----------------------------------------------------------------- */

static int check_send(struct arena *a, const struct draft *d, struct err *e,
                      struct frame *f)
{
    const struct message_draft m = {
        d->ref,      d->kind,      d->text,      d->file, d->name,
        d->reply_to, d->label,     d->address,   d->card, d->lat,
        d->lng,      d->has_point, d->is_private};
    return message_check(a, &m, false, f, e);
}

/* --- hello ---------------------------------------------------------------- */

static void put_given(struct jsonw *w, const char *key, struct slice s)
{
    if (s.len)
        jsonw_put_text(w, key, s);
}

static int check_page(struct arena *a, const struct draft *d, struct slice *out)
{
    struct buf b;
    buf_init(&b, 64 * 1024);
    struct jsonw w = jsonw_on(&b);
    jsonw_open(&w, '{');
    put_given(&w, "url", d->page_url);
    put_given(&w, "title", d->page_title);
    put_given(&w, "referrer", d->page_referrer);
    jsonw_close(&w, '}');
    if (w.failed == 0)
        *out = slice_dup(a, buf_slice(&b));
    buf_fini(&b);
    return w.failed;
}

static int check_hello(struct arena *a, const struct draft *d, struct err *e,
                       struct frame *f)
{
    const struct rule rules[] = {
        {d->channel, ID_BYTES, "channel"},
        {d->token, TOKEN_BYTES, "token"},
        {d->locale, ID_BYTES, "locale"},
        {d->page_url, URL_BYTES, "page.url"},
        {d->page_title, 2 * LIMIT_NAME_BYTES, "page.title"},
        {d->page_referrer, URL_BYTES, "page.referrer"},
        {d->user_id, LIMIT_NAME_BYTES, "identity.user_id"},
        {d->id_name, LIMIT_NAME_BYTES, "identity.name"},
        {d->email, LIMIT_NAME_BYTES, "identity.email"},
        {d->tier, ID_BYTES, "identity.tier"},
        {d->attributes, ATTRIBUTES_BYTES, "identity.attributes"},
        {d->signature, 2 * ID_BYTES, "identity.signature"}};
    int rc = all_bounded(rules, sizeof(rules) / sizeof(rules[0]), e);
    if (rc < 0)
        return rc;
    if (d->has_identity && (!d->user_id.len || !d->signature.len))
        return err_field(e, ERR_BAD_REQUEST, "identity",
                         "An identity needs user_id and signature.");
    /* Nonsense, also long nonsense, is a cursor nobody knows: start over. */
    struct slice resume = given(d->resume);
    if (resume.len > CURSOR_TEXT)
        resume = SLICE("?");
    struct hello *h = arena_one(a, struct hello);
    *h = (struct hello){.channel = given(d->channel),
                        .token = given(d->token),
                        .resume = resume,
                        .status = given(d->status),
                        .locale = given(d->locale),
                        .page = nothing,
                        .has_identity = d->has_identity,
                        .user_id = given(d->user_id),
                        .name = given(d->id_name),
                        .email = given(d->email),
                        .tier = given(d->tier),
                        .attributes = given(d->attributes),
                        .signature = given(d->signature),
                        .expires_at = d->expires_at};
    if (d->has_page)
        rc = check_page(a, d, &h->page);
    f->hello = h;
    return rc;
}

/* --- all ------------------------------------------------------------------ */

static int check_range(int64_t n, bool has, int64_t least, const char *field,
                       uint32_t *out, struct err *e)
{
    *out = 0;
    if (!has)
        return 0;
    if (n < least || n > UINT32_MAX)
        return err_field(e, ERR_BAD_REQUEST, field,
                         "%s must be a whole number from %d on.", field,
                         (int)least);
    *out = (uint32_t)n;
    return 0;
}

static int check_status(const struct draft *d, struct err *e)
{
    enum agent_status s;
    if (d->status.len && !agent_status_find(d->status, &s))
        return err_field(e, ERR_BAD_REQUEST, "status",
                         "status is one of online, busy, away, offline.");
    if (!d->status.len && d->type == FRAME_STATUS)
        return err_field(e, ERR_BAD_REQUEST, "status", "status is missing.");
    return 0;
}

static int check_common(const struct draft *d, struct err *e, struct frame *f)
{
    int rc = 0;
    if (d->ref.at && d->ref.len > LIMIT_REF_BYTES)
        rc = err_field(e, ERR_BAD_REQUEST, "ref",
                       "A ref may have at most %d bytes.", LIMIT_REF_BYTES);
    if (rc == 0)
        rc = bounded(d->ref, LIMIT_REF_BYTES, "ref", e);
    if (rc == 0 && d->conversation.at &&
        !id_parse(d->conversation, ID_CONVERSATION, &f->conv))
        rc = err_field(e, ERR_BAD_REQUEST, "conversation",
                       "This is not the id of a conversation.");
    if (rc == 0)
        rc = check_range(d->seq, d->has_seq, 1, "seq", &f->seq, e);
    if (rc == 0)
        rc = check_range(d->before, d->has_before, 1, "before", &f->before, e);
    if (rc == 0)
        rc = check_range(d->limit, d->has_limit, 1, "limit", &f->limit, e);
    if (rc == 0)
        rc = check_status(d, e);
    return rc;
}

int wire_check(struct arena *a, const struct draft *d, struct err *e,
               struct frame **out)
{
    struct frame *f = arena_one(a, struct frame);
    *out = NULL;
    f->type = d->type;
    f->ref = given(d->ref);
    f->status = given(d->status);
    f->kind = f->body = f->text = nothing;
    int rc = check_common(d, e, f);
    if (rc < 0)
        return rc;
    switch (d->type) {
    case FRAME_HELLO:
        rc = check_hello(a, d, e, f);
        break;
    case FRAME_SEND:
        rc = check_send(a, d, e, f);
        break;
    case FRAME_TYPING:
        f->text = given(d->text);
        rc = bounded(f->text, LIMIT_TEXT_BYTES, "text", e);
        break;
    case FRAME_READ:
        if (!d->has_seq)
            rc = err_field(e, ERR_BAD_REQUEST, "seq", "seq is missing.");
        break;
    case FRAME_HISTORY:
        if (!wire_ref_ok(d->ref))
            rc = err_field(e, ERR_BAD_REQUEST, "ref", "ref is missing.");
        if (f->limit > LIMIT_LIST)
            f->limit = LIMIT_LIST;
        break;
    case FRAME_RECALL:
        if (!id_parse(given(d->message), ID_MESSAGE, &f->message))
            rc = err_field(e, ERR_BAD_REQUEST, "message",
                           "This is not the id of a message.");
        break;
    case FRAME_PING:
    case FRAME_STATUS:
    case FRAME_STOP:
    case FRAME_WATCH:
        break;
    }
    if (rc == 0)
        *out = f;
    return rc;
}

const char *wire_error_text(int code)
{
    switch (code) {
    case ERR_RATE_LIMITED:
        return "Too many frames; slow down.";
    case ERR_UNAVAILABLE:
        return "This cannot be done right now.";
    case ERR_FORBIDDEN:
        return "This is not allowed.";
    case ERR_NOT_FOUND:
        return "There is no such thing.";
    case ERR_INTERNAL:
        return "Something went wrong here.";
    default:
        return "This frame cannot be handled.";
    }
}
