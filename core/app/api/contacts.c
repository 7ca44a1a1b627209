/* SPDX-License-Identifier: Apache-2.0 */
/* contacts.c - the people who ask.
 *
 * Happy path: read from the store, changed as a whole row with
 * contact.updated, told to the desk if the person is here. Failure: an
 * identity that is in use on the channel is 409.
 */
#include "app/api/api.h"
#include "base/clock.h"
#include "base/limits.h"

#define ATTRIBUTES_MAX (32 * 1024)

static void list(struct call *c)
{
    struct page p;
    struct slice words, channel;
    uint64_t id = 0;
    if (!page_read(c, &p)) {
        return;
    }
    if (http_query(c->r, "channel", &channel) && channel.len &&
        !id_parse(channel, ID_CHANNEL, &id)) {
        reply_fail(c, ERR_BAD_REQUEST, "channel", "channel must be an id");
        return;
    }
    struct query *q = query_new(QUERY_CONTACTS, reply_page, c);
    q->channel = id;
    if (http_query(c->r, "q", &words)) {
        q->text = slice_dup(q->arena, words);
    }
    q->limit = p.limit;
    q->offset = p.offset;
    q->newest_first = true;
    caller_viewer(c, q->arena, &q->viewer);
    server_read(c->s, q);
}

/* --- one --- */

static void on_found(struct query *q)
{
    struct call *c = q->owner;
    void (*next)(struct call * c, const struct contact *who) = NULL;
    memcpy(&next, &c->own, sizeof next);
    if (q->result == 0 && q->contact) {
        next(c, q->contact);
    } else if (q->result == 0 || q->result == ERR_NOT_FOUND) {
        reply_missing(c, "contact");
    } else {
        struct err e = q->err;
        e.code = q->result;
        reply_error(c, &e);
    }
    query_free(q);
}

static void load(struct call *c,
                 void (*next)(struct call *c, const struct contact *who))
{
    uint64_t id;
    if (!call_id(c, 0, ID_CONTACT, "contact", &id)) {
        return;
    }
    memcpy(&c->own, &next, sizeof next);
    struct query *q = query_new(QUERY_CONTACT, on_found, c);
    q->id = id;
    server_read(c->s, q);
}

static void reply_contact(struct call *c, const struct contact *who)
{
    contact_write(reply_begin(c), who);
    reply_send(c, 200);
}

static void get(struct call *c)
{
    load(c, reply_contact);
}

static void applied(struct call *c, struct tx *tx)
{
    desk_put_contact(c->s->desk, tx->puts->contact);
}

static struct contact *contact_copy(struct arena *a, const struct contact *from)
{
    struct contact *copy = arena_one(a, struct contact);
    *copy = *from;
    copy->identity = slice_dup(a, from->identity);
    copy->name = slice_dup(a, from->name);
    copy->email = slice_dup(a, from->email);
    copy->phone = slice_dup(a, from->phone);
    copy->tier = slice_dup(a, from->tier);
    copy->tags = slice_dup(a, from->tags);
    copy->attributes = slice_dup(a, from->attributes);
    return copy;
}

static void take_text(struct call *c, const char *name, struct slice *into)
{
    if (body_get(c, name)) {
        *into = body_text(c, name);
    }
}

static void save(struct call *c, const struct contact *was, int status)
{
    struct contact now = *was;
    take_text(c, "name", &now.name);
    take_text(c, "email", &now.email);
    take_text(c, "phone", &now.phone);
    take_text(c, "tier", &now.tier);
    now.tags = body_json(c, "tags", was->tags);
    now.attributes = body_json(c, "attributes", was->attributes);
    now.updated_at = clock_ms();
    if (now.attributes.len > ATTRIBUTES_MAX) {
        reply_fail(c, ERR_UNPROCESSABLE, "attributes",
                   "attributes are longer than %d bytes", ATTRIBUTES_MAX);
        return;
    }
    struct tx *tx = tx_new(NULL, c);
    struct contact *copy = contact_copy(tx->arena, &now);
    tx_put(tx, PUT_CONTACT)->contact = copy;
    contact_write(reply_begin(c), copy);
    call_event(c, tx, EVENT_CONTACT_UPDATED, buf_slice(&c->out));
    reply_commit(c, tx, status, applied);
}

static void patch_found(struct call *c, const struct contact *was)
{
    save(c, was, 200);
}

static void patch(struct call *c)
{
    load(c, patch_found);
}

static struct contact *new_contact(struct call *c)
{
    const struct channel *ch = NULL;
    struct slice channel = body_text(c, "channel");
    ch =
        desk_find_channel(c->s->desk, channel.len ? channel : SLICE("default"));
    if (channel.len && !ch) {
        reply_fail(c, ERR_UNPROCESSABLE, "channel", "there is no such channel");
        return NULL;
    }
    struct contact *who = arena_one(c->a, struct contact);
    *who = (struct contact){.id = id_new(),
                            .channel = ch ? ch->id : 0,
                            .identity = body_text(c, "user_id"),
                            .tags = SLICE("[]"),
                            .attributes = SLICE("{}"),
                            .created_at = clock_ms()};
    return who;
}

static void on_identity(struct query *q)
{
    struct call *c = q->owner;
    bool taken = q->result == 0 && q->contact;
    query_free(q);
    if (taken) {
        reply_fail(c, ERR_CONFLICT, "user_id",
                   "a contact with this user_id is there already");
    } else {
        save(c, c->own, 201);
    }
}

static void post(struct call *c)
{
    struct contact *who = new_contact(c);
    if (!who) {
        return;
    }
    if (who->identity.len == 0) {
        save(c, who, 201);
        return;
    }
    c->own = who;
    struct query *q = query_new(QUERY_CONTACT, on_identity, c);
    q->channel = who->channel;
    q->identity = slice_dup(q->arena, who->identity);
    server_read(c->s, q);
}

#define TEXTS                                                                  \
    {.name = "name", .type = FIELD_TEXT},                                      \
        {.name = "email", .type = FIELD_TEXT},                                 \
        {.name = "phone", .type = FIELD_TEXT},                                 \
        {.name = "tier", .type = FIELD_TEXT},                                  \
        {.name = "tags", .type = FIELD_TEXTS, .most = LIMIT_TAGS},             \
    {                                                                          \
        .name = "attributes", .type = FIELD_OBJECT                             \
    }
static const struct field contact_in[] = {
    TEXTS,
    {.name = "channel", .type = FIELD_TEXT, .help = "POST only"},
    {.name = "user_id",
     .type = FIELD_TEXT,
     .help = "POST only: the identity on that channel"},
    {0}};
static const struct field contact_out[] = {
    {.name = "id", .type = FIELD_TEXT},
    {.name = "channel", .type = FIELD_TEXT},
    {.name = "identities", .type = FIELD_ANY, .help = "channel, user_id"},
    TEXTS,
    {.name = "created_at", .type = FIELD_INT},
    {.name = "updated_at", .type = FIELD_INT},
    {0}};
const struct shape shape_contact = {"Contact", contact_out};
const struct route routes_contacts[] = {
    {"GET", "/api/v1/contacts", list, ACCESS_AGENT, "contacts", ROUTE_LIST, 200,
     NULL, &shape_contact, "List contacts", "q channel", NULL},
    {"POST", "/api/v1/contacts", post, ACCESS_AGENT, "contacts", ROUTE_CREATES,
     201, contact_in, &shape_contact, "Create a contact", NULL, NULL},
    {"GET", "/api/v1/contacts/{id}", get, ACCESS_AGENT, "contacts", 0, 200,
     NULL, &shape_contact, "One contact", NULL, NULL},
    {"PATCH", "/api/v1/contacts/{id}", patch, ACCESS_AGENT, "contacts", 0, 200,
     contact_in, &shape_contact, "Change a contact", NULL, NULL},
    {0}};
