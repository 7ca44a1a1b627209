/* SPDX-License-Identifier: Apache-2.0 */
/* bind_edit.c - conv:edit, conv:reject, conv:set_contact: changing what came
 * in and who it came from.
 *
 * Happy path: an effect, and the job's copy changed so that later rules see
 * it; what was is kept once, for a handler that fails afterwards. Failure
 * modes: fields that are the house's own, a body that grows too large, a
 * contact's field that is no text: raised.
 */
#include "base/limits.h"
#include "script/api/bind_conv.h"
#include "script/run/worker.h"
#include <string.h>

/* Once a handler: what back_to_mark (task.c) puts back. */
static void keep_was(struct task *t)
{
    struct job *job = t->job;
    if (t->was)
        return;
    t->was = arena_one(job->arena, struct was);
    *t->was = (struct was){.contact = job->contact,
                           .body = job->event.body,
                           .text = job->text,
                           .kind = job->kind};
}

/* --- the message ---------------------------------------------------------- */

static void check_edit(lua_State *L)
{
    static const char *const own[] = {"id", "seq", "at", "ref", "sender", NULL};
    luaL_checktype(L, 2, LUA_TTABLE);
    for (lua_pushnil(L); lua_next(L, 2); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING)
            bind_raise(L, "edit: named fields only");
        const char *name = lua_tostring(L, -2);
        for (int i = 0; own[i]; i++)
            if (strcmp(name, own[i]) == 0)
                bind_raise(L, "edit: %s stays as it is", name);
    }
}

/* The body with the fields of the change over it; null takes one away. */
static struct slice merged(lua_State *L, const struct json *old,
                           const struct json *change)
{
    struct buf *out = bind_buf(L, LIMIT_FRAME_BYTES);
    struct jsonw w = jsonw_on(out);
    jsonw_open(&w, '{');
    for (const struct json *c = json_is(old, JSON_OBJECT) ? old->first : NULL;
         c; c = c->next) {
        if (json_get(change, c->key.at))
            continue;
        jsonw_key(&w, c->key.at);
        jsonw_value(&w, c);
    }
    for (const struct json *c = change->first; c; c = c->next) {
        if (c->type == JSON_NULL)
            continue;
        jsonw_key(&w, c->key.at);
        jsonw_value(&w, c);
    }
    jsonw_close(&w, '}');
    if (w.failed)
        bind_raise(L, "the message grows too large");
    return buf_slice(out);
}

/* The table at 2 as a tree in the call's scratch. */
static struct json *tree_of(lua_State *L, const char *what)
{
    const char *why;
    struct json *j = NULL;
    struct buf *out = bind_buf(L, LIMIT_FRAME_BYTES);
    if (value_write(L, 2, out, &why) < 0)
        bind_raise(L, "%s: %s", what, why);
    if (json_parse(bind_arena(L), buf_slice(out), NULL, &j) < 0 ||
        (j->type != JSON_OBJECT && j->count))
        bind_raise(L, "%s: a table with named fields is needed", what);
    return j;
}

/* conv:edit{ text = "...", original = "..." } */
int conv_edit(lua_State *L)
{
    struct task *t = conv_task(L);
    struct job *job = t->job;
    struct run *run = job->task;
    struct json *now = NULL;
    check_edit(L);
    bind_room(L, t, EFFECT_EDIT);
    struct slice body = merged(L, bind_body(job), tree_of(L, "edit"));
    if (json_parse(bind_arena(L), body, NULL, &now) < 0)
        bind_raise(L, "edit: the message has no JSON form");
    struct slice kind = json_text(now, "kind"), text = json_text(now, "text");
    if (!bind_is_kind(kind))
        bind_raise(L, "edit: kind must be text, image, file, audio, video, "
                      "location or card");
    if (text.len > LIMIT_TEXT_BYTES || (slice_is(kind, "text") && !text.len))
        bind_raise(L, "edit: the text must have 1 to %d bytes",
                   LIMIT_TEXT_BYTES);
    keep_was(t);
    struct effect *e = bind_effect(L, t, EFFECT_EDIT);
    e->body = job->event.body = bind_kept(t, body);
    e->text = job->text = bind_kept(t, text);
    job->kind = bind_kept(t, kind);
    run->body = NULL;
    return 0;
}

/* conv:reject("why") */
int conv_reject(lua_State *L)
{
    struct task *t = conv_task(L);
    struct slice why = bind_text(L, 2, LIMIT_NAME_BYTES, "reject: the reason");
    struct effect *e = bind_effect(L, t, EFFECT_REJECT);
    e->text = bind_kept(t, why);
    t->rejected = e;
    lua_pushboolean(L, 1);
    return 1;
}

/* --- the person ----------------------------------------------------------- */

static struct slice *contact_text(struct contact *c, struct slice name)
{
    if (slice_is(name, "name"))
        return &c->name;
    if (slice_is(name, "email"))
        return &c->email;
    if (slice_is(name, "phone"))
        return &c->phone;
    return slice_is(name, "tier") ? &c->tier : NULL;
}

static void check_tags(lua_State *L, const struct json *tags)
{
    if (tags->type != JSON_ARRAY && tags->count)
        bind_raise(L, "set_contact: tags must be a list of texts");
    if (tags->count > LIMIT_TAGS)
        bind_raise(L, "set_contact: too many tags (at most %d)", LIMIT_TAGS);
    for (const struct json *c = tags->first; c; c = c->next)
        if (c->type != JSON_STRING || !c->text.len ||
            c->text.len > LIMIT_TAG_BYTES)
            bind_raise(L, "set_contact: a tag must have 1 to %d bytes",
                       LIMIT_TAG_BYTES);
}

static void check_contact(lua_State *L, const struct json *change)
{
    struct contact any;
    for (const struct json *c = change->first; c; c = c->next) {
        bool tags = slice_is(c->key, "tags");
        bool set = slice_is(c->key, "attributes");
        bool is_text = contact_text(&any, c->key) != NULL;
        if (!tags && !set && !is_text)
            bind_raise(L,
                       "set_contact: unknown field '%s' (known are name, "
                       "email, phone, tier, tags, attributes)",
                       c->key.at);
        if (is_text &&
            (c->type != JSON_STRING || c->text.len > LIMIT_NAME_BYTES))
            bind_raise(L, "set_contact: %s must be a text of at most %d bytes",
                       c->key.at, LIMIT_NAME_BYTES);
        if (set && c->type != JSON_OBJECT && c->type != JSON_ARRAY)
            bind_raise(L, "set_contact: attributes must be a table");
        if (set && c->type == JSON_ARRAY && c->count)
            bind_raise(L, "set_contact: attributes must have named fields");
        if (tags)
            check_tags(L, c);
    }
}

static struct slice json_of(lua_State *L, const struct json *j, char bracket)
{
    struct buf *out = bind_buf(L, LIMIT_BODY_BYTES);
    struct jsonw w = jsonw_on(out);
    if (j->count) {
        jsonw_value(&w, j);
    } else { /* an empty table may have been written as the other kind */
        jsonw_open(&w, bracket);
        jsonw_close(&w, bracket == '{' ? '}' : ']');
    }
    if (w.failed)
        bind_raise(L, "set_contact: too large");
    return buf_slice(out);
}

/* The change in one form, whatever an empty table was. */
static struct slice change_text(lua_State *L, const struct json *change)
{
    struct buf *out = bind_buf(L, LIMIT_FRAME_BYTES);
    struct jsonw w = jsonw_on(out);
    jsonw_open(&w, '{');
    for (const struct json *c = change->first; c; c = c->next) {
        jsonw_key(&w, c->key.at);
        if (c->count || c->type == JSON_STRING) {
            jsonw_value(&w, c);
            continue;
        }
        bool tags = slice_is(c->key, "tags");
        jsonw_open(&w, tags ? '[' : '{');
        jsonw_close(&w, tags ? ']' : '}');
    }
    jsonw_close(&w, '}');
    if (w.failed)
        bind_raise(L, "set_contact: too large");
    return buf_slice(out);
}

/* The job's copy, so that later rules see it. */
static void change_contact(lua_State *L, struct task *t,
                           const struct json *change)
{
    struct contact *c = &t->job->contact;
    struct json *old = NULL;
    for (const struct json *f = change->first; f; f = f->next) {
        struct slice *text = contact_text(c, f->key);
        if (text)
            *text = bind_kept(t, f->text);
        else if (slice_is(f->key, "tags"))
            c->tags = bind_kept(t, json_of(L, f, '['));
    }
    struct json *attributes = json_get(change, "attributes");
    if (!attributes || !attributes->count)
        return;
    if (c->attributes.len &&
        json_parse(t->job->arena, c->attributes, NULL, &old) < 0)
        old = NULL;
    c->attributes = bind_kept(t, merged(L, old, attributes));
}

/* conv:set_contact{ name =, email =, phone =, tier =, tags =, attributes = } */
int conv_set_contact(lua_State *L)
{
    struct task *t = conv_task(L);
    if (!t->job->contact.id)
        return bind_trouble(L, "not_found", "there is no contact here");
    luaL_checktype(L, 2, LUA_TTABLE);
    bind_room(L, t, EFFECT_CONTACT);
    const struct json *change = tree_of(L, "set_contact");
    check_contact(L, change);
    if (!change->count)
        bind_raise(L, "set_contact: nothing is said");
    keep_was(t);
    struct effect *e = bind_effect(L, t, EFFECT_CONTACT);
    e->data = bind_kept(t, change_text(L, change));
    change_contact(L, t, change);
    conv_forget(L, "contact");
    lua_pushboolean(L, 1);
    return 1;
}
