/* SPDX-License-Identifier: Apache-2.0 */
/* context.c - what a model is told: the conversation's last messages.
 *
 * Happy path: one question to the store, newest CONTEXT_MOST messages within
 * CONTEXT_BYTES; notes of agents are never among them. Failure: what cannot be
 * read is a turn with nothing said, which fails.
 */
#include "app/assist/inside.h"
#include "app/assist/prompts.h"
#include "app/files/files.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/limits.h"
#include <stdio.h>
#include <string.h>

/* --- reading -------------------------------------------------------------- */

static const char *role_of(const struct event *ev)
{
    if (ev->flags & EVENT_PRIVATE || ev->name != EVENT_MESSAGE_CREATED) {
        return NULL;
    }
    return ev->role == ROLE_VISITOR                         ? "user"
           : ev->role == ROLE_AGENT || ev->role == ROLE_BOT ? "assistant"
                                                            : NULL;
}

static void put_given(struct jsonw *w, const char *key, struct slice text)
{
    if (text.len) {
        jsonw_put_text(w, key, text);
    }
}

/* With an address that the provider can reach, where the house has one. */
static void put_file(struct jsonw *w, struct server *s, struct arena *a,
                     const struct json *body)
{
    const struct json *file = json_get(body, "file");
    struct slice text = json_is(file, JSON_OBJECT) ? json_text(file, "id")
                                                   : json_text(body, "file");
    uint64_t id;
    if (!id_parse(text, ID_FILE, &id)) {
        return;
    }
    struct slice url = files_public_link(s, a, id);
    jsonw_key(w, "files");
    jsonw_open(w, '[');
    jsonw_open(w, '{');
    jsonw_put_text(w, "id", text);
    jsonw_put_text(w, "kind", json_text(body, "kind"));
    put_given(w, "name",
              json_text(json_is(file, JSON_OBJECT) ? file : body, "name"));
    put_given(w, "mime", json_text(file, "mime"));
    put_given(w, "url", url);
    jsonw_close(w, '}');
    jsonw_close(w, ']');
}

static struct slice message_of(struct asking *k, struct arena *a,
                               const struct event *ev, const char *role,
                               struct slice *said, bool *plain)
{
    struct json *body = NULL;
    struct buf out;
    *said = SLICE("");
    if (json_parse(a, ev->body, NULL, &body) < 0 ||
        json_bool(body, "recalled", false)) {
        return SLICE(""); /* what was taken back is nobody's to know */
    }
    struct slice text = json_text(body, "text");
    struct slice kind = json_text(body, "kind");
    buf_init(&out, CONTEXT_BYTES);
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '{');
    jsonw_put_text(&w, "role", slice_of(role));
    if (!text.len && !slice_is(kind, "text")) {
        char what[64];
        int n = snprintf(what, sizeof what, "[%.*s]", SLICE_FMT(kind));
        jsonw_put_text(&w, "text", (struct slice){what, (size_t)n});
    } else {
        jsonw_put_text(&w, "text", text.at ? text : SLICE(""));
    }
    put_file(&w, k->as->server, a, body);
    jsonw_close(&w, '}');
    *said = text;
    *plain = slice_is(kind, "text");
    struct slice s = w.failed ? SLICE("") : slice_dup(a, buf_slice(&out));
    buf_fini(&out);
    return s;
}

/* The newest that fit, oldest first; JSON without the brackets. What is read
 * goes with the query: the asking waits long. */
static void build(struct asking *k, struct query *q)
{
    struct slice all[CONTEXT_MOST * 2], question = {0};
    size_t n = 0, bytes = 0, from;
    for (const struct event *ev = q->events; ev; ev = ev->next) {
        const char *role = role_of(ev);
        struct slice said;
        bool plain = false;
        if (!role) {
            continue;
        }
        if (n == CONTEXT_MOST * 2) {
            memmove(all, all + 1, --n * sizeof all[0]);
        }
        all[n] = message_of(k, q->arena, ev, role, &said, &plain);
        if (!all[n].len) {
            continue;
        }
        n++;
        if (k->hears) {
            confirm_listen(k, ev, said);
        }
        if (ev->role == ROLE_VISITOR) {
            question = said;
            k->plain = plain;
            k->question_id = ev->pos;
            k->question_seq = ev->seq;
        }
    }
    for (from = n; from > 0 && n - from < CONTEXT_MOST; from--) {
        bytes += all[from - 1].len + 1;
        if (bytes > CONTEXT_BYTES) {
            break;
        }
    }
    if (question.at) {
        k->question = slice_dup(k->arena, question);
    }
    size_t len = 0, room = 1;
    for (size_t i = from; i < n; i++) {
        room += all[i].len + 1;
    }
    char *at = arena_text(k->arena, room);
    k->message_count = n - from;
    for (size_t i = from; i < n; i++) {
        if (len) {
            at[len++] = ',';
        }
        memcpy(at + len, all[i].at, all[i].len);
        len += all[i].len;
    }
    k->messages = (struct slice){at, len};
}

static void on_messages(struct query *q)
{
    struct assist *as = q->owner;
    struct asking *k = map_get(&as->askings, q->token);
    if (k && k->state == ASKING_READS && q->result != ERR_CANCELLED) {
        if (q->result == 0) {
            build(k, q);
        }
        if (k->early) {
            asking_known(k);
        } else if (k->memo->known) {
            asking_ready(k);
        } else {
            memo_wait(k->memo, k);
        }
    }
    query_free(q);
}

void context_read(struct asking *k)
{
    struct assist *as = k->as;
    if (!k->conv) {
        asking_ready(k);
        return;
    }
    if (!k->memo && !k->early) { /* a known answer needs none */
        k->memo = memo_get(as, k->conv);
    }
    struct query *q = query_new(QUERY_BACKLOG, on_messages, as);
    q->conv = k->conv;
    q->upto_pos = INT64_MAX;
    q->limit = CONTEXT_MOST * 2;
    q->token = k->id;
    server_read(as->server, q);
}

/* --- the turn ------------------------------------------------------------- */

/* Stable for the contact, and says nothing about them. */
static void put_user(struct jsonw *w, const struct asking *k)
{
    unsigned char sum[SHA256_BYTES];
    char text[33];
    char who[ID_TEXT];
    struct slice key = {(const char *)k->as->server->key, 32};
    hmac_sha256(key, id_text(who, ID_CONTACT, k->contact), sum);
    for (int i = 0; i < 16; i++) {
        snprintf(text + 2 * i, 3, "%02x", sum[i]);
    }
    jsonw_put_text(w, "user", (struct slice){text, 32});
}

static void put_tools(struct jsonw *w, const struct asking *k,
                      const struct bot *bot)
{
    bool any = false;
    size_t count = k->draft && k->draft->bare ? 0 : bot->tool_count;
    for (size_t i = 0; i < count; i++) {
        const struct json *f = tool_face(k->as, bot->tools[i]);
        if (!f || (slice_is(json_text(f, "permission"), "agent") &&
                   k->kind != ASKING_DRAFT)) {
            continue;
        }
        if (!any) {
            jsonw_key(w, "tools");
            jsonw_open(w, '[');
            any = true;
        }
        jsonw_open(w, '{');
        jsonw_put_text(w, "name", json_text(f, "name"));
        jsonw_put_text(w, "description", json_text(f, "description"));
        jsonw_key(w, "parameters");
        jsonw_value(w, json_get(f, "parameters"));
        jsonw_close(w, '}');
    }
    if (any) {
        jsonw_close(w, ']');
    }
}

static void put_message(struct jsonw *w, const char *role, struct slice text)
{
    jsonw_open(w, '{');
    jsonw_put_text(w, "role", slice_of(role));
    jsonw_put_text(w, "text", text);
    jsonw_close(w, '}');
}

static void put_prompt(struct jsonw *w, struct asking *k, const struct bot *bot)
{
    struct slice text, name = k->draft ? k->draft->prompt : bot->prompt;
    const char *version =
        name.len ? prompts_find(k->as->prompts, name, &text) : NULL;
    if (version) {
        char label[128];
        int n =
            snprintf(label, sizeof label, "%.*s %s", SLICE_FMT(name), version);
        k->prompt_version =
            slice_dup(k->arena, (struct slice){label, (size_t)n});
        put_message(w, "system", text);
    } else if (name.len) {
        asking_note(k, bot->rec.name, "prompt",
                    SLICE("its prompt is not in ai/prompts"));
    }
}

/* What a script wants said: its prompt, or its messages, and the rest. */
static void put_wishes(struct jsonw *w, const struct json *j)
{
    static const char *const passed[] = {"json", "max_tokens", "temperature",
                                         "inputs"};
    const struct json *m = json_get(j, "messages");
    struct slice prompt = json_text(j, "prompt");
    for (const struct json *x = json_is(m, JSON_ARRAY) ? m->first : NULL; x;
         x = x->next) {
        jsonw_value(w, x);
    }
    if (prompt.len) {
        put_message(w, "user", prompt);
    }
    jsonw_close(w, ']');
    for (size_t i = 0; i < sizeof passed / sizeof passed[0]; i++) {
        const struct json *v = json_get(j, passed[i]);
        if (v) {
            jsonw_key(w, passed[i]);
            jsonw_value(w, v);
        }
    }
}

struct slice context_turn(struct asking *k, const struct bot *bot,
                          struct arena *a)
{
    char id[ID_TEXT];
    struct json *wishes = NULL;
    struct buf out;
    struct slice state = memo_state(k->memo, bot->rec.id, a);
    if (k->wishes.len && json_parse(a, k->wishes, NULL, &wishes) < 0) {
        wishes = NULL;
    }
    buf_init(&out, LIMIT_TURN_BYTES);
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '{');
    jsonw_put_text(&w, "id", id_text(id, ID_TURN, k->id));
    jsonw_put_text(&w, "assistant", bot->rec.name);
    if (k->conv) {
        jsonw_put_text(&w, "conversation",
                       id_text(id, ID_CONVERSATION, k->conv));
    }
    put_user(&w, k);
    if (state.len) {
        jsonw_put_raw(&w, "state", state);
    }
    if (bot->turn_tokens && !json_get(wishes, "max_tokens")) {
        jsonw_put_int(&w, "max_tokens", bot->turn_tokens);
    }
    put_tools(&w, k, bot);
    jsonw_key(&w, "messages");
    jsonw_open(&w, '[');
    put_prompt(&w, k, bot);
    if (k->messages.len) {
        jsonw_raw(&w, k->messages);
    }
    if (k->extra.len) {
        jsonw_raw(&w, k->extra);
    }
    put_wishes(&w, wishes);
    jsonw_close(&w, '}');
    struct slice s =
        w.failed ? SLICE("{\"messages\":[]}") : slice_dup(a, buf_slice(&out));
    buf_fini(&out);
    return s;
}

/* --- beside it ------------------------------------------------------------ */

static void put_time(struct jsonw *w, const char *name, int64_t own,
                     const struct json *face, const char *key,
                     int64_t otherwise)
{
    char text[32];
    int64_t ms = own ? own : json_int(face, key, otherwise);
    snprintf(text, sizeof text, "%lldms", (long long)(ms > 0 ? ms : otherwise));
    jsonw_put_text(w, name, slice_of(text));
}

static void put_json(struct jsonw *w, const char *key, struct slice json,
                     const char *otherwise)
{
    jsonw_put_raw(w, key, json.len ? json : slice_of(otherwise));
}

/* The guard looks at these; the connector does not see them. */
static void put_view(struct jsonw *w, const struct asking *k)
{
    char id[ID_TEXT];
    const struct conversation *c =
        desk_conversation(k->as->server->desk, k->conv);
    const struct contact *who =
        c ? desk_contact(k->as->server->desk, c->contact) : NULL;
    if (!c) {
        return;
    }
    jsonw_key(w, "conv");
    jsonw_open(w, '{');
    jsonw_put_text(w, "id", id_text(id, ID_CONVERSATION, c->id));
    jsonw_put_text(w, "channel_type", c->channel_type);
    jsonw_put_int(w, "priority", c->priority);
    put_json(w, "tags", c->tags, "[]");
    put_json(w, "attributes", c->attributes, "{}");
    jsonw_close(w, '}');
    if (who) {
        jsonw_key(w, "contact");
        jsonw_open(w, '{');
        jsonw_put_text(w, "id", id_text(id, ID_CONTACT, who->id));
        jsonw_put_text(w, "name", who->name.at ? who->name : SLICE(""));
        jsonw_put_text(w, "tier", who->tier.at ? who->tier : SLICE(""));
        put_json(w, "tags", who->tags, "[]");
        put_json(w, "attributes", who->attributes, "{}");
        jsonw_close(w, '}');
    }
    if (k->kind != ASKING_TURN) {
        return;
    }
    jsonw_key(w, "message");
    jsonw_open(w, '{');
    jsonw_put_text(w, "id", id_text(id, ID_MESSAGE, k->question_id));
    jsonw_put_int(w, "seq", k->question_seq);
    jsonw_put_text(w, "text", k->question.at ? k->question : SLICE(""));
    jsonw_close(w, '}');
}

struct slice context_more(struct asking *k, const struct bot *bot,
                          struct arena *a)
{
    const struct json *face =
        json_get(face_of(k->as, bot->rec.type), "timeout");
    struct buf out;
    buf_init(&out, LIMIT_TURN_BYTES);
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '{');
    jsonw_put_bool(&w, "guard", bot->guard);
    jsonw_key(&w, "timeout");
    jsonw_open(&w, '{');
    put_time(&w, "connect", bot->connect_ms, face, "connect_ms", CONNECT_MS);
    put_time(&w, "first", bot->first_ms, face, "first_ms", FIRST_MS);
    put_time(&w, "total", bot->total_ms, face, "total_ms", TOTAL_MS);
    jsonw_close(&w, '}');
    put_view(&w, k);
    jsonw_close(&w, '}');
    struct slice s = w.failed ? SLICE("{}") : slice_dup(a, buf_slice(&out));
    buf_fini(&out);
    return s;
}
