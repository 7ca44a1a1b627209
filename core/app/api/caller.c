/* SPDX-License-Identifier: Apache-2.0 */
/* caller.c - who calls: a token, a signature, the console's cookie, or the
 * machine's own user by the local socket.
 *
 * Happy path: the digest of a token is known and its agent enabled. A signed
 * request is accepted once: its mark is committed before anything is done.
 * Failure: 401 without a hint which part was wrong.
 */
#include "app/api/api.h"
#include "app/sign.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/log.h"
#include <stdlib.h>

#define WINDOW_S 300
#define REPLAY_MS (600 * 1000)
#define DEFAULT_KEYS 64 /* tokens tried when a request names none */

static void refuse(struct call *c, const char *why)
{
    reply_fail(c, ERR_UNAUTHORIZED, NULL, "%s", why);
}

static bool take_token(struct call *c, const struct token *t)
{
    const struct agent *a = t ? desk_agent(c->s->desk, t->agent) : NULL;
    if (!a || !a->enabled) {
        return false;
    }
    c->who = (struct caller){.agent = a->id,
                             .token = t->id,
                             .role = a->role,
                             .scopes = slice_dup(c->a, t->scopes)};
    return true;
}

static void by_text(struct call *c, struct slice text)
{
    if (!take_token(c, auth_find(c->s->auth, text, clock_ms()))) {
        refuse(c, "this token is unknown or has expired");
        return;
    }
    c->next(c);
}

bool caller_is_local(const struct call *c)
{
    const char *a = c->r->address;
    return strncmp(a, "127.", 4) == 0 || strcmp(a, "::1") == 0 ||
           strncmp(a, "::ffff:127.", 11) == 0;
}

/* --- signatures --- */

static struct slice secret_of(struct call *c, const struct token *t)
{
    char text[SECRET_TEXT];
    unsigned char digest[32];
    struct slice secret = api_token_text(text, c->s->key, t->id);
    sha256_of(secret, digest); /* a token of another making cannot sign */
    return crypto_equal(digest, t->digest, sizeof digest)
               ? slice_dup(c->a, secret)
               : (struct slice){0};
}

static bool signed_by(struct call *c, const struct token *t,
                      const struct signature *sig, unsigned char match[32])
{
    if (!t || auth_is_session(t) ||
        (t->expires_at && t->expires_at <= clock_ms())) {
        return false;
    }
    struct slice secret = secret_of(c, t);
    return secret.len && signature_is_of(sig, secret, c->r->body, match);
}

static const struct token *find_signer(struct call *c,
                                       const struct signature *sig,
                                       unsigned char match[32])
{
    struct slice key = http_header(c->r, "X-Key-Id");
    const struct token *t;
    uint64_t id;
    if (key.len) {
        t = id_parse(key, ID_TOKEN, &id) ? auth_token(c->s->auth, id) : NULL;
        return signed_by(c, t, sig, match) ? t : NULL;
    }
    int tried = 0;
    for (size_t i = 0; (t = auth_next(c->s->auth, &i)) != NULL;) {
        if (!auth_is_session(t) && tried++ < DEFAULT_KEYS &&
            signed_by(c, t, sig, match)) {
            return t;
        }
    }
    return NULL;
}

static void on_marked(struct tx *tx)
{
    struct call *c = tx->owner;
    struct err e = tx->err;
    e.code = tx->result;
    tx_free(tx);
    if (e.code) {
        reply_error(c, &e);
    } else {
        c->next(c);
    }
}

static void mark_used(struct call *c)
{
    struct tx *tx = tx_new(on_marked, c);
    struct kv *kv = arena_one(tx->arena, struct kv);
    kv->space = SLICE("replay");
    kv->key = slice_dup(tx->arena, c->text);
    kv->value = SLICE("1");
    kv->expires_at = clock_ms() + REPLAY_MS;
    tx_put(tx, PUT_KV)->kv = kv;
    server_commit(c->s, tx);
}

static void on_mark_found(struct query *q)
{
    struct call *c = q->owner;
    int r = q->result;
    struct err e = q->err;
    query_free(q);
    if (r == 0) {
        refuse(c, "this signature was used before");
    } else if (r != ERR_NOT_FOUND) {
        e.code = r;
        reply_error(c, &e);
    } else {
        mark_used(c);
    }
}

/* What was used before this start is known by the database only. */
static void timed_once(struct call *c, const struct signature *sig,
                       const unsigned char match[32])
{
    struct buf hex;
    buf_init(&hex, 80);
    must(hex_add(&hex, match, 32) == 0);
    c->text = slice_dup(c->a, buf_slice(&hex));
    buf_fini(&hex);
    if (!guard_once(c->s->replays, c->text, clock_ms(), REPLAY_MS)) {
        refuse(c, "this signature was used before");
        return;
    }
    if (sig->t * 1000 > c->s->started_at + 1000) {
        mark_used(c);
        return;
    }
    struct query *q = query_new(QUERY_KV, on_mark_found, c);
    q->kv.space = SLICE("replay");
    q->kv.key = slice_dup(q->arena, c->text);
    server_read(c->s, q);
}

static void by_plain_key(struct call *c, struct slice key)
{
    if (!c->s->conf.plain_keys && !c->r->secure && !caller_is_local(c)) {
        refuse(c, "a plain key in X-Signature is accepted over HTTPS only");
        return;
    }
    log_warn("api", "X-Signature carries a plain key; sign the body or use "
                    "Authorization: Bearer");
    by_text(c, key);
}

static void by_signature(struct call *c, struct slice header)
{
    struct signature sig;
    unsigned char match[32];
    if (signature_read(header, &sig, &c->err)) {
        reply_error(c, &c->err);
        return;
    }
    if (sig.form == SIGNATURE_PLAIN) {
        by_plain_key(c, sig.plain);
        return;
    }
    if (!take_token(c, find_signer(c, &sig, match))) {
        refuse(c, "the signature is wrong");
        return;
    }
    if (sig.form == SIGNATURE_BODY) {
        c->next(c);
        return;
    }
    int64_t off = clock_ms() / 1000 - sig.t;
    if (off > WINDOW_S || off < -WINDOW_S) {
        refuse(c, "the signature's time is more than 300 s away from ours");
        return;
    }
    timed_once(c, &sig, match);
}

/* --- cookies --- */

static struct slice session_cookie(const struct http_req *r)
{
    struct slice all = http_header(r, "Cookie");
    const char *p = all.at, *end = all.at + all.len;
    while (p && p < end) {
        const char *semi = memchr(p, ';', (size_t)(end - p));
        const char *stop = semi ? semi : end;
        struct slice one = slice_trim((struct slice){p, (size_t)(stop - p)});
        if (slice_starts(one, "yuelai_session=")) {
            return (struct slice){one.at + 15, one.len - 15};
        }
        p = stop + 1;
    }
    return (struct slice){0};
}

/* A page of another site can send the cookie along, but not this header. */
static void by_cookie(struct call *c, struct slice cookie)
{
    bool reads =
        slice_is(c->r->method, "GET") || slice_is(c->r->method, "HEAD");
    if (!take_token(c, auth_find(c->s->auth, cookie, clock_ms()))) {
        refuse(c, "the session is unknown or has expired; sign in again");
        return;
    }
    c->who.by_cookie = true;
    if (!reads && !slice_is(http_header(c->r, "X-Yuelai"), "1")) {
        reply_fail(c, ERR_FORBIDDEN, "X-Yuelai",
                   "requests by cookie need the header X-Yuelai: 1");
        return;
    }
    c->next(c);
}

/* The socket's mode has said who it is; a token given all the same counts. */
static void by_local_socket(struct call *c)
{
    c->who = (struct caller){.role = AGENT_ROLE_ADMIN, .scopes = SLICE("[]")};
    c->next(c);
}

void caller_viewer(struct call *c, struct arena *a, struct viewer *out)
{
    desk_viewer(c->s->desk, c->who.agent, a, out);
    if (!c->who.agent) {
        out->agent_role = c->who.role;
    }
}

bool caller_may_see(const struct call *c, const struct conversation *v)
{
    return !c->who.agent || desk_may_see(c->s->desk, c->who.agent, v);
}

void caller_find(struct call *c, void (*next)(struct call *c))
{
    struct slice auth = http_header(c->r, "Authorization");
    struct slice sig = http_header(c->r, "X-Signature");
    struct slice cookie = session_cookie(c->r);
    c->next = next;
    if (auth.len) {
        if (auth.len > 7 &&
            slice_is_nocase((struct slice){auth.at, 7}, "bearer ")) {
            by_text(c, slice_trim((struct slice){auth.at + 7, auth.len - 7}));
        } else {
            refuse(c, "Authorization must be: Bearer <token>");
        }
    } else if (sig.len) {
        by_signature(c, sig);
    } else if (c->r->local) {
        by_local_socket(c);
    } else if (cookie.len) {
        by_cookie(c, cookie);
    } else {
        refuse(c, "sign in, or send Authorization: Bearer <token>");
    }
}
