/* SPDX-License-Identifier: Apache-2.0 */
/* bind_post.c - imap.look, imap.mark, smtp.send: mailboxes and mails, calls
 * that wait.
 *
 *     local box, code, detail = imap.look { url = "imaps://imap.example.com",
 *       user = config.user, password = config.password, after = last }
 *
 * Happy path: the table becomes an ask, the answer a table. Failure modes: no
 * answer is nil, code, detail (a mail server's 550 is an answer); a table that
 * makes no sense raises, naming the field. Secrets are copied to the ask's
 * arena and nowhere else (I9).
 */
#include "base/limits.h"
#include "script/api/calls.h"
#include "script/api/options.h"
#include "script/api/secret.h"
#include <stdio.h>
#include <string.h>

#define TIMEOUT_MS 10000
#define LOOK_MS 20000
#define MOST 20

/* --- fields --------------------------------------------------------------- */

static void check_fields(lua_State *L, const char *what,
                         const char *const *known)
{
    bind_table(L, 1, what, "a table");
    for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
        const char *name =
            lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?";
        int i = 0;
        while (known[i] && strcmp(known[i], name) != 0)
            i++;
        if (!known[i])
            bind_raise(L, "%s: unknown field '%s'", what, name);
    }
}

/* A text or secret, copied; "". */
static struct slice text_of(lua_State *L, struct arena *a, const char *name)
{
    struct slice s = {"", 0};
    const char *why = NULL;
    if (!option_push(L, 1, name))
        return s;
    if (!secret_text(L, -1, &s, &why))
        bind_raise(L, "%s %s", name, why ? why : "must be a text");
    if (s.len > SECRET_BYTES)
        bind_raise(L, "%s is too long", name);
    s = slice_dup(a, s);
    lua_pop(L, 1);
    return s;
}

static int64_t number_of(lua_State *L, const char *name, int64_t otherwise,
                         int64_t most)
{
    if (!option_push(L, 1, name))
        return otherwise;
    double n = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : -1;
    if (n < 0 || n > (double)most || n != (double)(int64_t)n)
        bind_raise(L, "%s must be a whole number from 0 to %lld", name,
                   (long long)most);
    lua_pop(L, 1);
    return (int64_t)n;
}

static int64_t time_of(lua_State *L, const char *name, int64_t otherwise)
{
    int64_t ms = otherwise;
    if (!option_push(L, 1, name))
        return ms;
    if (lua_type(L, -1) != LUA_TSTRING ||
        !duration_read(bind_slice(L, -1), &ms) || ms < 1 ||
        ms > LIMIT_SCRIPT_WALL_MS)
        bind_raise(L, "%s must be a duration such as \"5s\", at most %ds", name,
                   LIMIT_SCRIPT_WALL_MS / 1000);
    lua_pop(L, 1);
    return ms;
}

static struct post_ask *read_login(lua_State *L, struct script_ask *ask,
                                   int64_t timeout_ms)
{
    struct arena *a = ask->arena;
    struct post_ask *p = arena_one(a, struct post_ask);
    ask->post = p;
    p->url = text_of(L, a, "url");
    p->plain = option_is(L, 1, "plain");
    p->user = text_of(L, a, "user");
    p->password = text_of(L, a, "password");
    p->token = text_of(L, a, "token");
    p->timeout_ms = time_of(L, "timeout", timeout_ms);
    return p;
}

/* --- imap ----------------------------------------------------------------- */

static int look_start(lua_State *L)
{
    static const char *const known[] = {
        "url",     "plain",     "user",  "password", "token",
        "timeout", "folder",    "after", "most",     "validity",
        "since",   "max_bytes", "wait",  NULL};
    struct task *t = bind_task(L, "imap");
    check_fields(L, "imap.look", known);
    struct script_ask *ask = task_ask(t, ASK_IMAP);
    struct post_ask *p = read_login(L, ask, LOOK_MS);
    p->folder = text_of(L, ask->arena, "folder");
    p->after = (uint32_t)number_of(L, "after", 0, UINT32_MAX - 1);
    p->validity = (uint32_t)number_of(L, "validity", 0, UINT32_MAX);
    p->since_ms = number_of(L, "since", 0, INT64_C(1) << 50);
    p->most = (size_t)number_of(L, "most", MOST, 100);
    p->wait_ms = time_of(L, "wait", 0);
    p->bytes_max = LIMIT_POST_BYTES;
    if (option_push(L, 1, "max_bytes")) {
        p->bytes_max = (size_t)calls_size(L, -1, LIMIT_POST_BYTES_MOST,
                                          "imap.look: max_bytes");
        lua_pop(L, 1);
    }
    return calls_waiting(L, t);
}

static void set_number(lua_State *L, const char *name, double n)
{
    lua_pushnumber(L, n);
    lua_setfield(L, -2, name);
}

static void set_text(lua_State *L, const char *name, struct slice s)
{
    value_push_slice(L, s);
    lua_setfield(L, -2, name);
}

static void set_is(lua_State *L, const char *name, bool is)
{
    lua_pushboolean(L, is);
    lua_setfield(L, -2, name);
}

static const struct post_ask *answered(lua_State *L, int *results)
{
    struct task *t = bind_task(L, "post");
    const struct script_ask *ask = t->answer;
    int got = bind_wait_result(L, t);
    if (got == 0 && ask && ask->post)
        return ask->post;
    *results = bind_trouble_of(L, got, ask ? ask->err.text : "");
    return NULL;
}

static int look_finish(lua_State *L)
{
    int results = 0;
    const struct post_ask *p = answered(L, &results);
    if (!p)
        return results;
    lua_createtable(L, 0, 6);
    set_number(L, "validity", p->validity);
    set_number(L, "next", p->next);
    set_number(L, "exists", (double)p->exists);
    set_is(L, "more", p->more);
    set_is(L, "idles", p->idles);
    lua_createtable(L, (int)p->mail_count, 0);
    value_mark_array(L, lua_gettop(L));
    for (size_t i = 0; i < p->mail_count; i++) {
        const struct post_mail *m = &p->mails[i];
        lua_createtable(L, 0, 5);
        set_number(L, "uid", m->uid);
        set_number(L, "size", (double)m->size);
        set_text(L, "bytes", m->bytes);
        set_is(L, "cut", m->size > (int64_t)m->bytes.len);
        set_is(L, "seen", m->seen);
        lua_rawseti(L, -2, (int)i + 1);
    }
    lua_setfield(L, -2, "mails");
    return 1;
}

static int mark_start(lua_State *L)
{
    static const char *const known[] = {
        "url",    "plain", "user", "password", "token",   "timeout",
        "folder", "uid",   "seen", "answered", "flagged", NULL};
    struct task *t = bind_task(L, "imap");
    char flags[40];
    check_fields(L, "imap.mark", known);
    struct script_ask *ask = task_ask(t, ASK_IMAP);
    struct post_ask *p = read_login(L, ask, TIMEOUT_MS);
    p->folder = text_of(L, ask->arena, "folder");
    p->mark = (uint32_t)number_of(L, "uid", 0, UINT32_MAX);
    snprintf(flags, sizeof flags, "%s%s%s",
             option_is(L, 1, "seen") ? "\\Seen " : "",
             option_is(L, 1, "answered") ? "\\Answered " : "",
             option_is(L, 1, "flagged") ? "\\Flagged " : "");
    p->flags = slice_dup(ask->arena, slice_trim(slice_of(flags)));
    if (!p->mark || !p->flags.len)
        bind_raise(L, "imap.mark: say uid, and seen, answered or flagged");
    return calls_waiting(L, t);
}

static int mark_finish(lua_State *L)
{
    int results = 0;
    if (!answered(L, &results))
        return results;
    lua_pushboolean(L, 1);
    return 1;
}

/* --- smtp ----------------------------------------------------------------- */

static void read_to(lua_State *L, struct arena *a, struct post_ask *p)
{
    if (!option_push(L, 1, "to"))
        bind_raise(L, "smtp.send: say to whom");
    bool many = lua_istable(L, -1);
    size_t n = many ? lua_objlen(L, -1) : 1;
    if (n < 1 || n > LIMIT_POST_TO)
        bind_raise(L, "smtp.send: `to` has 1 to %d addresses", LIMIT_POST_TO);
    struct slice *to = arena_many(a, struct slice, n);
    for (size_t i = 0; i < n; i++) {
        if (many)
            lua_rawgeti(L, -1, (int)i + 1);
        if (lua_type(L, -1) != LUA_TSTRING)
            bind_raise(L, "smtp.send: `to` must be an address or several");
        to[i] = slice_dup(a, bind_slice(L, -1));
        if (many)
            lua_pop(L, 1);
    }
    lua_pop(L, 1);
    p->to = to;
    p->to_count = n;
}

static int send_start(lua_State *L)
{
    static const char *const known[] = {"url",   "plain",   "user", "password",
                                        "token", "timeout", "name", "from",
                                        "to",    "bytes",   NULL};
    struct task *t = bind_task(L, "smtp");
    check_fields(L, "smtp.send", known);
    struct script_ask *ask = task_ask(t, ASK_SMTP);
    struct post_ask *p = read_login(L, ask, LOOK_MS);
    p->name = text_of(L, ask->arena, "name");
    p->from = text_of(L, ask->arena, "from");
    read_to(L, ask->arena, p);
    struct slice mail = option_text(L, 1, "bytes");
    if (!mail.len || mail.len > LIMIT_POST_SEND_BYTES)
        bind_raise(L, "smtp.send: bytes must be a mail of at most %d MB",
                   LIMIT_POST_SEND_BYTES / (1024 * 1024));
    p->mail = slice_dup(ask->arena, mail);
    return calls_waiting(L, t);
}

static int check_start(lua_State *L)
{
    static const char *const known[] = {"url",   "plain",   "user", "password",
                                        "token", "timeout", "name", NULL};
    struct task *t = bind_task(L, "smtp");
    check_fields(L, "smtp.check", known);
    struct script_ask *ask = task_ask(t, ASK_SMTP);
    struct post_ask *p = read_login(L, ask, TIMEOUT_MS);
    p->name = text_of(L, ask->arena, "name");
    p->from = p->mail = SLICE("");
    return calls_waiting(L, t);
}

static int send_finish(lua_State *L)
{
    int results = 0;
    const struct post_ask *p = answered(L, &results);
    if (!p)
        return results;
    lua_createtable(L, 0, 4);
    set_number(L, "status", p->status);
    set_is(L, "ok", p->status >= 200 && p->status < 300);
    set_text(L, "text", p->text);
    lua_createtable(L, (int)p->refused_count, 0);
    value_mark_array(L, lua_gettop(L));
    for (size_t i = 0; i < p->refused_count; i++) {
        lua_createtable(L, 0, 3);
        set_text(L, "address", p->refused[i].address);
        set_number(L, "status", p->refused[i].status);
        set_text(L, "text", p->refused[i].why);
        lua_rawseti(L, -2, (int)i + 1);
    }
    lua_setfield(L, -2, "refused");
    return 1;
}

/* --- the tables ----------------------------------------------------------- */

#define WAITS (API_LUA | API_WAITS)

static const struct api_call imap_calls[] = {
    {"look", NULL, API_HANDLERS, WAITS,
     "(call: ImapCall): ImapAnswer|nil, string?, string?",
     "Waits for a mailbox's mails with a uid over `after`, the oldest first; "
     "nothing is marked as read. With `wait`: until one comes, if there is "
     "none (IDLE). Where `validity` is not the mailbox's any more no mails "
     "come, and `after` means nothing any more. nil, and \"unauthorized\" (it "
     "does not take name and secret), \"not_found\" (no such folder), "
     "\"unavailable\" (or the host's breaker is open), \"timeout\", "
     "\"rate_limited\", \"bad_request\", with the server's words."
     "\n\nlocal box, code, detail = imap.look { url = "
     "\"imaps://imap.example.com\", user = \"help@example.com\", password = "
     "ctx.config.password, after = last, wait = \"20s\" }",
     "1"},
    {"mark", NULL, API_HANDLERS, WAITS,
     "(call: ImapMark): boolean|nil, string?, string?",
     "Marks a mail as read, answered or important. true, or nil and why as "
     "imap.look."
     "\n\nimap.mark { url = url, user = user, password = password, uid = "
     "mail.uid, seen = true }",
     "1"},
    {NULL, NULL, 0, 0, NULL, NULL, NULL}};
static void fill_imap(lua_State *L)
{
    api_waits(L, &imap_module, "look", look_start, look_finish);
    api_waits(L, &imap_module, "mark", mark_start, mark_finish);
}

const struct api_module imap_module = {
    .name = "imap",
    .doc = "Mailboxes. They wait without holding anyone else up; certificates "
           "are always checked; a mailbox stays open between two looks.",
    .calls = imap_calls,
    .fill = fill_imap};

static const struct api_call smtp_calls[] = {
    {"send", NULL, API_HANDLERS, WAITS,
     "(call: SmtpCall): SmtpAnswer|nil, string?, string?",
     "Gives a mail (of mime.build) to a mail server. What the server says is "
     "an answer: a status of 250 means that it takes the mail on, 4xx later "
     "perhaps, 5xx never. Without one: nil, and \"unauthorized\", "
     "\"unavailable\", \"timeout\", \"rate_limited\", \"bad_request\", with a "
     "sentence."
     "\n\nlocal bytes, id = mime.build { from = from, to = to, subject = "
     "\"Re: 1\", text = text }\n"
     "local said = smtp.send { url = \"smtps://smtp.example.com\", user = "
     "from, password = password, from = from, to = to, bytes = bytes }",
     "1"},
    {"check", NULL, API_HANDLERS, WAITS,
     "(call: SmtpCall): SmtpAnswer|nil, string?, string?",
     "Logs in and goes away again: without from, to and bytes. What it gives "
     "is as of smtp.send."
     "\n\nlocal ok, code, detail = smtp.check { url = url, user = user, "
     "password = password }",
     "1"},
    {NULL, NULL, 0, 0, NULL, NULL, NULL}};
static void fill_smtp(lua_State *L)
{
    api_waits(L, &smtp_module, "send", send_start, send_finish);
    api_waits(L, &smtp_module, "check", check_start, send_finish);
}

const struct api_module smtp_module = {.name = "smtp",
                                       .doc = "Mails go out.",
                                       .calls = smtp_calls,
                                       .fill = fill_smtp};

#define FIELD(name, type, doc)                                                 \
    {                                                                          \
        name, NULL, API_ANYWHERE, API_FIELD, type, doc, "1"                    \
    }
#define LOGIN(scheme, secure)                                                  \
    FIELD("url", "string",                                                     \
          "\"" secure "://host:port\" for TLS from the first byte, \"" scheme  \
          "://host:port\" for TLS by STARTTLS."),                              \
        FIELD("plain", "boolean?",                                             \
              "With " scheme "://: no TLS at all; for a server on this "       \
              "machine."),                                                     \
        FIELD("user", "string?", "The name to log in with."),                  \
        FIELD("password", "string|Secret|nil", "Its password."),               \
        FIELD("token", "string|Secret|nil",                                    \
              "OAuth2's access token, instead of a password."),                \
        FIELD("timeout", "Duration?", "For all of it; at most 30s.")

static const struct api_call look_fields[] = {
    LOGIN("imap", "imaps"),
    FIELD("folder", "string?", "INBOX; others as IMAP writes them."),
    FIELD("after", "integer?", "Mails with a uid over this: 0."),
    FIELD("validity", "integer?", "The mailbox's, from the look before."),
    FIELD("since", "integer?", "Ms; only mails of that day and later."),
    FIELD("most", "integer?", "How many, at most 100: 20. 0: none."),
    FIELD("max_bytes", "integer|string|nil",
          "Of one mail; the rest of it is cut: \"4MB\", at most 8MB."),
    FIELD("wait", "Duration?", "Nothing there: wait so long for it."),
    {NULL, NULL, 0, 0, NULL, NULL, NULL}};
const struct api_module imap_call_module = {.name = "ImapCall",
                                            .doc = "Which mailbox, and what "
                                                   "of it.",
                                            .calls = look_fields,
                                            .is_object = true};

static const struct api_call mark_fields[] = {
    LOGIN("imap", "imaps"),
    FIELD("folder", "string?", "INBOX."),
    FIELD("uid", "integer", "Which mail."),
    FIELD("seen", "boolean?", "It was read."),
    FIELD("answered", "boolean?", "It was answered."),
    FIELD("flagged", "boolean?", "It is important."),
    {NULL, NULL, 0, 0, NULL, NULL, NULL}};
const struct api_module imap_mark_module = {.name = "ImapMark",
                                            .doc = "Which mail, and how.",
                                            .calls = mark_fields,
                                            .is_object = true};

static const struct api_call box_fields[] = {
    FIELD("mails", "ImapMail[]", "The oldest first."),
    FIELD("validity", "integer", "Another one: all uids are others."),
    FIELD("next", "integer", "The uid that the next mail will have."),
    FIELD("exists", "integer", "How many mails there are."),
    FIELD("more", "boolean", "There are more new ones: look again."),
    FIELD("idles", "boolean", "The server can tell of new mails (wait)."),
    {NULL, NULL, 0, 0, NULL, NULL, NULL}};
const struct api_module imap_answer_module = {.name = "ImapAnswer",
                                              .doc = "What imap.look gives.",
                                              .calls = box_fields,
                                              .is_object = true};

static const struct api_call mail_fields[] = {
    FIELD("uid", "integer", "Its number in the mailbox; ascending."),
    FIELD("bytes", "string", "As it came: for mime.parse."),
    FIELD("size", "integer", "Of all of it."),
    FIELD("cut", "boolean", "bytes are only its beginning."),
    FIELD("seen", "boolean", "Somebody has read it."),
    {NULL, NULL, 0, 0, NULL, NULL, NULL}};
const struct api_module imap_mail_module = {.name = "ImapMail",
                                            .doc = "A mail in a mailbox.",
                                            .calls = mail_fields,
                                            .is_object = true};

static const struct api_call send_fields[] = {
    LOGIN("smtp", "smtps"),
    FIELD("from", "string?",
          "Who hears of trouble; \"\": nobody (answers of machines)."),
    FIELD("to", "string|string[]|nil", "Addresses, at most 100."),
    FIELD("bytes", "string?", "The mail, of mime.build; at most 16MB."),
    FIELD("name", "string?", "What we call ourselves: localhost."),
    {NULL, NULL, 0, 0, NULL, NULL, NULL}};
const struct api_module smtp_call_module = {.name = "SmtpCall",
                                            .doc = "A mail, and where to.",
                                            .calls = send_fields,
                                            .is_object = true};

static const struct api_call said_fields[] = {
    FIELD("status", "integer", "250, 451, 550 and their like."),
    FIELD("ok", "boolean", "The server takes the mail on."),
    FIELD("text", "string", "The server's words."),
    FIELD("refused", "table[]",
          "Addresses it does not take: { address, status, text }."),
    {NULL, NULL, 0, 0, NULL, NULL, NULL}};
const struct api_module smtp_answer_module = {.name = "SmtpAnswer",
                                              .doc = "What smtp.send gives.",
                                              .calls = said_fields,
                                              .is_object = true};
