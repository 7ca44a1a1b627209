/* SPDX-License-Identifier: Apache-2.0 */
/* auth.c - the table of tokens and what their scopes allow.
 *
 * Happy path: the digest's first 8 bytes find the entry, the other 24 confirm
 * it. Failure: unknown, expired, wrong: NULL, all alike.
 */
#include "app/auth.h"
#include "base/crypto.h"
#include "base/json.h"
#include "base/map.h"

struct entry {
    struct token t; /* slices point into the arena */
    struct arena *arena;
};

struct auth {
    struct map by_digest; /* first 8 bytes */
    struct map by_id;
};

static uint64_t digest_key(const unsigned char digest[32])
{
    uint64_t key;
    memcpy(&key, digest, sizeof key);
    return key;
}

struct auth *auth_new(void)
{
    struct auth *a = mem_alloc(sizeof *a);
    map_init(&a->by_digest);
    map_init(&a->by_id);
    return a;
}

static void entry_free(struct entry *e)
{
    arena_free(e->arena);
}

void auth_free(struct auth *a)
{
    struct entry *e;
    if (!a) {
        return;
    }
    for (size_t i = 0; (e = map_next(&a->by_id, &i)) != NULL;) {
        entry_free(e);
    }
    map_fini(&a->by_digest);
    map_fini(&a->by_id);
    mem_free(a);
}

void auth_put(struct auth *a, const struct token *t)
{
    struct arena *arena = arena_new();
    struct entry *e = arena_one(arena, struct entry);
    auth_del(a, t->id);
    e->arena = arena;
    e->t = *t;
    e->t.name = slice_dup(arena, t->name);
    e->t.scopes = slice_dup(arena, t->scopes);
    map_put(&a->by_id, t->id, e);
    map_put(&a->by_digest, digest_key(t->digest), e);
}

void auth_del(struct auth *a, uint64_t id)
{
    struct entry *e = map_take(&a->by_id, id);
    if (!e) {
        return;
    }
    if (map_get(&a->by_digest, digest_key(e->t.digest)) == e) {
        (void)map_take(&a->by_digest, digest_key(e->t.digest));
    }
    entry_free(e);
}

const struct token *auth_find(const struct auth *a, struct slice text,
                              int64_t now)
{
    unsigned char digest[32];
    if (text.len == 0 || text.len > 256) {
        return NULL;
    }
    sha256_of(text, digest);
    const struct entry *e = map_get(&a->by_digest, digest_key(digest));
    if (!e || !crypto_equal(e->t.digest, digest, sizeof digest) ||
        (e->t.expires_at && e->t.expires_at <= now)) {
        return NULL;
    }
    return &e->t;
}

const struct token *auth_token(const struct auth *a, uint64_t id)
{
    const struct entry *e = map_get(&a->by_id, id);
    return e ? &e->t : NULL;
}

const struct token *auth_next(const struct auth *a, size_t *i)
{
    const struct entry *e = map_next(&a->by_id, i);
    return e ? &e->t : NULL;
}

bool auth_is_session(const struct token *t)
{
    return t->name.len == 0;
}

const struct token *auth_oldest_session(const struct auth *a, uint64_t agent,
                                        int64_t now)
{
    const struct token *t, *oldest = NULL;
    size_t count = 0;
    for (size_t i = 0; (t = auth_next(a, &i)) != NULL;) {
        if (t->agent != agent || !auth_is_session(t)) {
            continue;
        }
        count++;
        if (t->expires_at && t->expires_at <= now) {
            return t;
        }
        if (!oldest || t->created_at < oldest->created_at) {
            oldest = t;
        }
    }
    return count < AUTH_SESSIONS_PER_AGENT ? NULL : oldest;
}

/* --- scopes --- */

static const char *const resources[] = {
    "me",      "agents",   "channels", "conversations", "messages",
    "files",   "contacts", "teams",    "tokens",        "scripts",
    "changes", "socket",   "flows",    "dead-letters",  "audit",
};

static bool scope_is(struct slice scope, const char *resource, bool writes)
{
    size_t n = strlen(resource);
    if (slice_is(scope, "*")) {
        return true;
    }
    if (!slice_starts(scope, resource) || scope.len <= n ||
        scope.at[n] != ':') {
        return false;
    }
    struct slice verb = {scope.at + n + 1, scope.len - n - 1};
    return slice_is(verb, "write") || (!writes && slice_is(verb, "read"));
}

bool scope_is_known(struct slice scope)
{
    for (size_t i = 0; i < sizeof resources / sizeof resources[0]; i++) {
        if (scope_is(scope, resources[i], false)) {
            return true;
        }
    }
    return false;
}

bool scopes_allow(struct slice scopes, const char *resource, bool writes)
{
    if (scopes.len == 0 || slice_is(scopes, "[]")) {
        return true;
    }
    struct arena *a = arena_new();
    struct json *list = NULL;
    bool allowed = false;
    if (json_parse(a, scopes, NULL, &list) == 0) {
        for (struct json *s = list->type == JSON_ARRAY ? list->first : NULL; s;
             s = s->next) {
            allowed = allowed || (s->type == JSON_STRING &&
                                  scope_is(s->text, resource, writes));
        }
    }
    arena_free(a);
    return allowed;
}
