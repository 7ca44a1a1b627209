/* SPDX-License-Identifier: Apache-2.0 */
/* match.c - reading a `match` table and asking it.
 *
 * Happy path: a handful of comparisons. Failure modes: an unknown field, a
 * value that is no text, a state nobody knows, too many words: the file is
 * refused with the field's name.
 */
#include "script/load/match.h"
#include "base/clock.h"
#include "base/limits.h"
#include <ctype.h>
#include <string.h>

/* --- reading -------------------------------------------------------------- */

static int refuse(struct err *e, const char *field, const char *why)
{
    return err_field(e, ERR_UNPROCESSABLE, field, "match.%s %s", field, why);
}

/* Copies the text on top of the stack. */
static int add_word(lua_State *L, struct arena *a, const char *field,
                    struct words *out, struct err *e)
{
    struct slice s;
    if (lua_type(L, -1) != LUA_TSTRING)
        return refuse(e, field, "must be a text or a list of texts");
    s.at = lua_tolstring(L, -1, &s.len);
    if (s.len == 0 || s.len > LIMIT_NAME_BYTES)
        return refuse(e, field, "has an empty or overlong entry");
    out->at[out->count++] = slice_dup(a, s);
    return 0;
}

/* The value on top of the stack: a text, or a list of them. */
static int read_words(lua_State *L, struct arena *a, const char *field,
                      struct words *out, struct err *e)
{
    bool list = lua_type(L, -1) == LUA_TTABLE;
    size_t n = list ? lua_objlen(L, -1) : 1, seen = 0;
    if (n > MATCH_WORDS)
        return refuse(e, field, "is too long (at most 200 entries)");
    out->at = arena_many(a, struct slice, n + 1);
    if (!list)
        return add_word(L, a, field, out, e);
    for (size_t i = 1; i <= n; i++, seen++) {
        lua_rawgeti(L, -1, (int)i);
        int got = add_word(L, a, field, out, e);
        lua_pop(L, 1);
        if (got < 0)
            return got;
    }
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1))
        seen--;
    return seen == 0 && n ? 0 : refuse(e, field, "must be a list");
}

static int read_states(lua_State *L, struct arena *a, struct match *m,
                       struct err *e)
{
    struct words names = {0};
    enum conv_state state;
    int got = read_words(L, a, "state", &names, e);
    for (size_t i = 0; got == 0 && i < names.count; i++) {
        if (!conv_state_find(names.at[i], &state))
            return refuse(e, "state",
                          "must be bot, queued, open, snoozed or "
                          "closed");
        m->states |= 1u << state;
    }
    return got;
}

static int read_holders(lua_State *L, struct arena *a, struct match *m,
                        struct err *e)
{
    struct words names = {0};
    int got = read_words(L, a, "holder", &names, e);
    for (size_t i = 0; got == 0 && i < names.count; i++) {
        if (slice_is(names.at[i], "bot"))
            m->holders |= HOLDER_BOT;
        else if (slice_is(names.at[i], "agent"))
            m->holders |= HOLDER_AGENT;
        else if (slice_is(names.at[i], "assistant"))
            m->holders |= HOLDER_ASSISTANT;
        else
            return refuse(e, "holder",
                          "must be \"bot\", \"assistant\" or \"agent\"");
    }
    return got;
}

static int read_text(lua_State *L, struct arena *a, struct match *m,
                     struct err *e)
{
    int got = read_words(L, a, "text", &m->text, e);
    for (size_t i = 0; got == 0 && i < m->text.count; i++) {
        char *at = (char *)m->text.at[i].at; /* our own copy */
        for (size_t k = 0; k < m->text.at[i].len; k++)
            at[k] = (char)tolower((unsigned char)at[k]);
    }
    return got;
}

/* One field; its value is on top of the stack. */
static int read_field(lua_State *L, struct arena *a, const char *name,
                      struct match *m, struct err *e)
{
    if (strcmp(name, "kind") == 0)
        return read_words(L, a, name, &m->kind, e);
    if (strcmp(name, "channel") == 0)
        return read_words(L, a, name, &m->channel, e);
    if (strcmp(name, "tier") == 0)
        return read_words(L, a, name, &m->tier, e);
    if (strcmp(name, "text") == 0)
        return read_text(L, a, m, e);
    if (strcmp(name, "state") == 0)
        return read_states(L, a, m, e);
    if (strcmp(name, "holder") == 0)
        return read_holders(L, a, m, e);
    if (strcmp(name, "first") != 0)
        return refuse(e, name,
                      "is unknown (known are kind, channel, tier, "
                      "state, holder, text, first)");
    if (!lua_isboolean(L, -1))
        return refuse(e, name, "must be true or false");
    m->first = lua_toboolean(L, -1);
    return 0;
}

int match_read(lua_State *L, struct arena *a, struct match *m, struct err *e)
{
    *m = (struct match){0};
    if (lua_type(L, -1) != LUA_TTABLE)
        return err_field(e, ERR_UNPROCESSABLE, "match",
                         "match must be a table");
    int top = lua_gettop(L), got = 0;
    for (lua_pushnil(L); got == 0 && lua_next(L, top); lua_settop(L, top + 1))
        got = lua_type(L, -2) == LUA_TSTRING
                  ? read_field(L, a, lua_tostring(L, -2), m, e)
                  : err_field(e, ERR_UNPROCESSABLE, "match",
                              "match must have named fields only");
    lua_settop(L, top);
    return got;
}

/* --- asking --------------------------------------------------------------- */

static bool has(const struct words *w, struct slice s)
{
    for (size_t i = 0; i < w->count; i++)
        if (slice_eq(w->at[i], s))
            return true;
    return false;
}

static bool at_place(const char *text, struct slice word)
{
    for (size_t i = 1; i < word.len; i++)
        if (tolower((unsigned char)text[i]) != (unsigned char)word.at[i])
            return false;
    return true;
}

static bool contains(struct slice text, struct slice word)
{
    unsigned char low = (unsigned char)word.at[0];
    unsigned char high = (unsigned char)toupper(low);
    for (size_t i = 0; i + word.len <= text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];
        if ((c == low || c == high) && at_place(text.at + i, word))
            return true;
    }
    return false;
}

static bool any_word(const struct match *m, struct slice text)
{
    for (size_t i = 0; i < m->text.count; i++)
        if (contains(text, m->text.at[i]))
            return true;
    return false;
}

static unsigned holder_of(const struct conversation *c)
{
    switch (c->state) {
    case CONV_BOT:
        return c->bot.len ? HOLDER_ASSISTANT : HOLDER_BOT;
    case CONV_QUEUED:
        return HOLDER_BOT;
    case CONV_OPEN:
    case CONV_SNOOZED:
        return HOLDER_AGENT;
    case CONV_CLOSED:
        return 0;
    }
    return 0;
}

static bool channel_is(const struct match *m, const struct conversation *c)
{
    char id[ID_TEXT];
    return has(&m->channel, c->channel_type) ||
           has(&m->channel, id_text(id, ID_CHANNEL, c->channel));
}

static bool is_first(const struct job *job)
{
    /* Before it is stored a message has no number yet. */
    return job->event.seq ? job->event.seq == 1 : job->conv.last_seq == 0;
}

bool match_is(const struct match *m, const struct job *job)
{
    const struct conversation *c = &job->conv;
    bool message = job->hook == HOOK_MESSAGE || job->hook == HOOK_INBOUND ||
                   job->hook == HOOK_SEND;
    if (job->hook == HOOK_TIMER || job->hook == HOOK_FLOW)
        return true;
    if (!c->id && (m->holders || m->states || m->channel.count))
        return false; /* an event of no conversation */
    if (m->holders && !(m->holders & holder_of(c)))
        return false;
    if (m->states && !(m->states & 1u << c->state))
        return false;
    if (m->first && message && !is_first(job))
        return false;
    if (m->kind.count && message && !has(&m->kind, job->kind))
        return false;
    if (m->tier.count && !has(&m->tier, job->contact.tier))
        return false;
    if (m->channel.count && !channel_is(m, c))
        return false;
    return !m->text.count || !message || any_word(m, job->text);
}
