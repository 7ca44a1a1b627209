/* SPDX-License-Identifier: Apache-2.0 */
/* lookups.c - what scripts look up: conversations, contacts, messages.
 *
 * Happy path: the filter becomes a question to the store, its answer is
 * written anew in the shape scripts know (conv, contact, msg). Scripts see
 * all: they are the house's own. Failure modes: nothing found is
 * ERR_NOT_FOUND for one thing and [] for many; a filter without a condition
 * is refused, so that no slip reads the whole house.
 */
#include "app/asks.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"

#define ANSWER_BYTES (4 * 1024 * 1024)

struct lookup {
    struct server *server;
    struct script_ask *ask;
    struct json *filter;
};

/* --- answers -------------------------------------------------------------- */

static void put_given(struct jsonw *w, const char *name, const struct json *j)
{
    struct slice text = json_text(j, name);
    if (text.len)
        jsonw_put_text(w, name, text);
}

static void put_same(struct jsonw *w, const char *name, const struct json *j)
{
    const struct json *value = json_get(j, name);
    if (!value || value->type == JSON_NULL)
        return;
    jsonw_key(w, name);
    jsonw_value(w, value);
}

static void put_contact(struct jsonw *w, const struct contact *c)
{
    char id[ID_TEXT], channel[ID_TEXT];
    jsonw_open(w, '{');
    jsonw_put_text(w, "id", id_text(id, ID_CONTACT, c->id));
    jsonw_put_text(w, "channel", id_text(channel, ID_CHANNEL, c->channel));
    const struct {
        const char *name;
        struct slice text;
    } texts[] = {{"user_id", c->identity},
                 {"name", c->name},
                 {"email", c->email},
                 {"phone", c->phone},
                 {"tier", c->tier}};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (texts[i].text.len)
            jsonw_put_text(w, texts[i].name, texts[i].text);
    jsonw_put_raw(w, "tags", c->tags.len ? c->tags : SLICE("[]"));
    jsonw_put_raw(w, "attributes",
                  c->attributes.len ? c->attributes : SLICE("{}"));
    jsonw_put_int(w, "created_at", c->created_at);
    jsonw_close(w, '}');
}

/* An item of the contacts' list. */
static void put_contact_item(struct jsonw *w, const struct json *j)
{
    const struct json *known = json_get(j, "identities");
    jsonw_open(w, '{');
    put_given(w, "id", j);
    put_given(w, "channel", j);
    put_given(w, "user_id", known ? known->first : NULL);
    put_given(w, "name", j);
    put_given(w, "email", j);
    put_given(w, "phone", j);
    put_given(w, "tier", j);
    put_same(w, "tags", j);
    put_same(w, "attributes", j);
    put_same(w, "created_at", j);
    jsonw_close(w, '}');
}

/* j: as the API shows it. contact: its row, or NULL: what j tells of it. */
static void put_conversation(struct jsonw *w, const struct json *j,
                             const struct contact *contact)
{
    static const char *const same[] = {
        "id",      "state",      "assignee", "team",   "priority",
        "tags",    "attributes", "last_seq", "unread", "preview",
        "last_at", "created_at", "closed_at"};
    jsonw_open(w, '{');
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++)
        put_same(w, same[i], j);
    jsonw_key(w, "channel");
    jsonw_open(w, '{');
    jsonw_put_text(w, "id", json_text(j, "channel"));
    jsonw_put_text(w, "type", json_text(j, "channel_type"));
    jsonw_close(w, '}');
    jsonw_key(w, "contact");
    if (contact) {
        put_contact(w, contact);
    } else {
        jsonw_open(w, '{');
        jsonw_put_text(w, "id", json_text(j, "contact"));
        if (json_text(j, "contact_name").len)
            jsonw_put_text(w, "name", json_text(j, "contact_name"));
        if (json_text(j, "contact_tier").len)
            jsonw_put_text(w, "tier", json_text(j, "contact_tier"));
        jsonw_close(w, '}');
    }
    jsonw_close(w, '}');
}

static bool is_asked(const struct lookup *l, const struct json *j,
                     const char *name)
{
    struct slice want = json_text(l->filter, name);
    return !want.len || slice_eq(want, json_text(j, name));
}

/* The store searches for a part of any field; what is asked for is all of
 * one. */
static bool is_wanted(const struct lookup *l, const struct json *j)
{
    const struct json *known = json_get(j, "identities");
    struct slice email = json_text(l->filter, "email");
    struct slice has = json_text(j, "email");
    bool same =
        email.len == has.len && strncasecmp(email.at ? email.at : "",
                                            has.at ? has.at : "", has.len) == 0;
    return (!email.len || same) && is_asked(l, j, "phone") &&
           is_asked(l, j, "name") &&
           is_asked(l, known ? known->first : NULL, "user_id");
}

static void put_list(struct lookup *l, struct jsonw *w, const struct query *q)
{
    struct json *items = NULL;
    if (json_parse(q->arena, q->json, NULL, &items) < 0)
        items = NULL; /* "" */
    jsonw_open(w, '[');
    for (const struct json *j = items ? items->first : NULL; j; j = j->next) {
        if (q->kind == QUERY_CONVERSATIONS)
            put_conversation(w, j, NULL);
        else if (is_wanted(l, j))
            put_contact_item(w, j);
    }
    jsonw_close(w, ']');
}

static int put_one(struct jsonw *w, const struct query *q)
{
    struct buf b;
    struct json *j;
    buf_init(&b, LIMIT_BODY_BYTES);
    int r = conversation_write(&b, q->conversation);
    r = r ? r : json_parse(q->arena, buf_slice(&b), NULL, &j);
    if (r == 0)
        put_conversation(w, j, q->contact);
    buf_fini(&b);
    return r;
}

static int write_answer(struct lookup *l, struct query *q)
{
    struct buf b;
    int r = 0;
    buf_init(&b, ANSWER_BYTES);
    struct jsonw w = jsonw_on(&b);
    switch (q->kind) {
    case QUERY_CONVERSATION:
        r = put_one(&w, q);
        break;
    case QUERY_CONTACT:
        put_contact(&w, q->contact);
        break;
    case QUERY_MESSAGES:
        jsonw_raw(&w, q->json.len ? q->json : SLICE("[]"));
        break;
    default:
        put_list(l, &w, q);
    }
    r = r ? r : w.failed;
    if (r == 0)
        l->ask->data = slice_dup(l->ask->arena, buf_slice(&b));
    buf_fini(&b);
    return r;
}

static void on_found(struct query *q)
{
    struct lookup *l = q->owner;
    struct script_ask *ask = l->ask;
    ask->result = q->result;
    ask->err = q->err;
    if (q->result == 0)
        ask->result = write_answer(l, q);
    query_free(q);
    asks_answer(l->server, ask);
}

/* --- questions ------------------------------------------------------------ */

static int bad(struct script_ask *ask, const char *why)
{
    return err_set(&ask->err, ERR_BAD_REQUEST, "%s", why);
}

/* An id in the filter; "" leaves 0. */
static int id_of(struct lookup *l, const char *name, const char *prefix,
                 uint64_t *out)
{
    struct slice text = json_text(l->filter, name);
    if (!text.len || id_parse(text, prefix, out))
        return 0;
    return err_set(&l->ask->err, ERR_BAD_REQUEST, "%s must be an id", name);
}

static int for_conversations(struct lookup *l, struct query *q)
{
    enum conv_state state;
    struct slice text = json_text(l->filter, "state");
    int r = id_of(l, "contact", ID_CONTACT, &q->id);
    if (r == 0 && !q->id)
        return bad(l->ask, "whose conversations?");
    q->state = -1;
    q->newest_first = true;
    if (text.len && !conv_state_find(text, &state))
        return bad(l->ask, "there is no such state");
    if (text.len)
        q->state = (int)state;
    return r;
}

static int for_contact(struct lookup *l, struct query *q)
{
    int r = id_of(l, "id", ID_CONTACT, &q->id);
    r = r ? r : id_of(l, "channel", ID_CHANNEL, &q->channel);
    q->identity = slice_dup(q->arena, json_text(l->filter, "user_id"));
    if (r == 0 && !q->id && !(q->channel && q->identity.len))
        return bad(l->ask, "whose? say id, or channel and user_id");
    return r;
}

static int for_contacts(struct lookup *l, struct query *q)
{
    static const char *const names[] = {"user_id", "email", "phone", "name"};
    int r = id_of(l, "channel", ID_CHANNEL, &q->channel);
    for (size_t i = 0; i < 4 && !q->text.len; i++)
        q->text = slice_dup(q->arena, json_text(l->filter, names[i]));
    if (r == 0 && !q->text.len)
        return bad(l->ask, "say user_id, email, phone or name");
    q->limit = LIMIT_LIST; /* of them the wanted are taken */
    return r;
}

static int for_messages(struct lookup *l, struct query *q)
{
    int64_t before = json_int(l->filter, "before", 0);
    int r = id_of(l, "conversation", ID_CONVERSATION, &q->conv);
    if (r == 0 && !q->conv)
        return bad(l->ask, "of which conversation?");
    q->before_seq =
        before > 0 && before < UINT32_MAX ? (uint32_t)before : UINT32_MAX;
    return r;
}

static int for_conversation(struct lookup *l, struct query *q)
{
    int r = id_of(l, "id", ID_CONVERSATION, &q->id);
    if (r == 0 && !q->id)
        return bad(l->ask, "which one? say its id");
    q->conv = q->id;
    return r;
}

static const struct {
    const char *name;
    enum query_kind kind;
    int (*fill)(struct lookup *l, struct query *q);
} kinds[] = {{"conversation", QUERY_CONVERSATION, for_conversation},
             {"conversations", QUERY_CONVERSATIONS, for_conversations},
             {"contact", QUERY_CONTACT, for_contact},
             {"contacts", QUERY_CONTACTS, for_contacts},
             {"messages", QUERY_MESSAGES, for_messages}};

static int begin(struct lookup *l, struct query **out)
{
    struct script_ask *ask = l->ask;
    *out = NULL;
    if (json_parse(ask->arena, ask->data, NULL, &l->filter) < 0)
        return bad(ask, "the filter is not JSON");
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (!slice_is(ask->name, kinds[i].name))
            continue;
        struct query *q = query_new(kinds[i].kind, on_found, l);
        int64_t limit = json_int(l->filter, "limit", 0);
        q->limit = limit > 0 && limit <= LIMIT_LIST ? (uint32_t)limit
                                                    : LIMIT_LIST_DEFAULT;
        q->viewer.role = ROLE_AGENT;
        q->viewer.agent_role = AGENT_ROLE_ADMIN;
        int r = kinds[i].fill(l, q);
        if (r)
            query_free(q);
        else
            *out = q;
        return r;
    }
    return err_set(&ask->err, ERR_UNSUPPORTED, "there is nothing like that");
}

void lookup_ask(struct server *s, struct script_ask *ask)
{
    struct query *q;
    struct lookup *l = arena_one(ask->arena, struct lookup);
    l->server = s;
    l->ask = ask;
    ask->result = begin(l, &q);
    if (ask->result)
        asks_answer(s, ask);
    else
        server_read(s, q);
}
