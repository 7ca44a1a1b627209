/* SPDX-License-Identifier: Apache-2.0 */
/* choices.c - "2", where a platform has no buttons: what it stands for.
 *
 * Happy path: the numbered list that the visitor was sent is kept with its
 * message (outbox_end.c); a bare number that comes while nothing was said
 * to them since is the choice with that number, as if its button were pressed.
 * Failure: no list, a number outside of it, something said since: the number
 * is a number. The store's trouble is logged, and the number stays one.
 */
#include "app/channels/channels.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"

#define SINCE 50 /* messages since the list; more, and it is forgotten */

struct choosing {
    struct server *server;
    struct arena *arena;
    uint64_t contact;
    int64_t number;
    struct slice chosen;
    void (*next)(void *arg, struct slice chosen);
    void *arg;
};

/* "2", " 2 ", "2.", "2、" */
static int64_t number_in(struct slice text)
{
    int64_t n = 0;
    size_t digits = 0;
    text = slice_trim(text);
    while (digits < text.len && text.at[digits] >= '0' &&
           text.at[digits] <= '9') {
        digits++;
    }
    struct slice rest = {text.at + digits, text.len - digits};
    bool bare = !rest.len || slice_is(rest, ".") || slice_is(rest, "、") ||
                slice_is(rest, "。") || slice_is(rest, ")");
    return bare && digits > 0 && digits <= 2 &&
                   slice_to_i64((struct slice){text.at, digits}, &n)
               ? n
               : 0;
}

/* Has somebody spoken to the visitor among these? */
static bool was_answered(struct arena *a, const struct query *q)
{
    struct json *all = NULL;
    if (q->more || json_parse(a, q->json, NULL, &all) < 0 ||
        !json_is(all, JSON_ARRAY)) {
        return true;
    }
    for (const struct json *m = all->first; m; m = m->next) {
        struct slice role = json_text(json_get(m, "sender"), "role");
        if (slice_is(role, "agent") || slice_is(role, "bot")) {
            return true;
        }
    }
    return false;
}

static void on_since(struct query *q)
{
    struct choosing *c = q->owner;
    bool good = q->result == 0 && !was_answered(c->arena, q);
    if (q->result) {
        log_warn("app", "a choice was not looked up: %s", q->err.text);
    }
    query_free(q);
    c->next(c->arg, good ? c->chosen : SLICE(""));
}

static struct slice choice_at(const struct json *list, int64_t number)
{
    const struct json *j = json_is(list, JSON_ARRAY) ? list->first : NULL;
    for (; j && number > 1; number--) {
        j = j->next;
    }
    return json_is(j, JSON_STRING) ? j->text : SLICE("");
}

static void on_kept(struct query *q)
{
    struct choosing *c = q->owner;
    struct json *kept = NULL;
    uint64_t conv = 0;
    if (q->result && q->result != ERR_NOT_FOUND) {
        log_warn("app", "a choice was not looked up: %s", q->err.text);
    }
    if (q->result == 0 && q->text.len &&
        json_parse(c->arena, q->text, NULL, &kept) == 0 &&
        id_parse(json_text(kept, "conversation"), ID_CONVERSATION, &conv)) {
        c->chosen = choice_at(json_get(kept, "choices"), c->number);
    }
    query_free(q);
    if (!c->chosen.len) {
        c->next(c->arg, SLICE(""));
        return;
    }
    q = query_new(QUERY_MESSAGES, on_since, c);
    q->conv = conv;
    q->after_seq = (uint32_t)json_int(kept, "seq", 0);
    q->limit = SINCE;
    q->viewer = (struct viewer){.role = ROLE_VISITOR, .id = c->contact};
    server_read(c->server, q);
}

void choices_find(struct server *s, struct arena *a, uint64_t contact,
                  struct slice text,
                  void (*next)(void *arg, struct slice chosen), void *arg)
{
    char id[ID_TEXT];
    int64_t number = number_in(text);
    if (number == 0) {
        next(arg, SLICE(""));
        return;
    }
    struct choosing *c = arena_one(a, struct choosing);
    *c = (struct choosing){.server = s,
                           .arena = a,
                           .contact = contact,
                           .number = number,
                           .next = next,
                           .arg = arg};
    struct query *q = query_new(QUERY_KV, on_kept, c);
    q->kv.space = SLICE(CHOICES_SPACE);
    q->kv.key = slice_dup(q->arena, id_text(id, ID_CONTACT, contact));
    server_read(s, q);
}
