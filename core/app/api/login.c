/* SPDX-License-Identifier: Apache-2.0 */
/* login.c - signing in and out.
 *
 * Happy path: the password is checked on a reader thread, a session token is
 * made, its digest committed, its text given once (and as a cookie). Failure:
 * unknown email and wrong password look alike; too many attempts by an address
 * or at an account get 429 with the time to wait.
 */
#include "app/api/api.h"
#include "app/sign.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/limits.h"
#include "base/meter.h"
#include <stdio.h>

#define MINUTE_MS 60000
#define ACCOUNT_WINDOW_MS (15 * MINUTE_MS)
#define ACCOUNT_TRIES 20
#define LOGINS_AT_ONCE 64
#define DAY_MS (24LL * 3600 * 1000)

METER(logins_ok, METER_COUNTER, "yuelai_logins_ok_total",
      "Successful sign-ins");
METER(logins_failed, METER_COUNTER, "yuelai_logins_failed_total",
      "Sign-ins with a wrong password or too many attempts");

static void write_answer(struct call *c, const struct agent *a,
                         struct slice token, int64_t expires_at)
{
    struct jsonw *w = reply_begin(c);
    jsonw_open(w, '{');
    jsonw_put_text(w, "token", token);
    jsonw_key(w, "agent");
    agent_write(c, w, a);
    jsonw_put_int(w, "expires_at", expires_at);
    jsonw_close(w, '}');
}

static void set_cookie(struct call *c, struct slice token, int64_t max_age_s)
{
    char line[256];
    snprintf(line, sizeof line,
             "Set-Cookie: yuelai_session=%.*s; Max-Age=%lld; HttpOnly; "
             "SameSite=Strict; Path=/%s\r\nCache-Control: no-store\r\n",
             SLICE_FMT(token), (long long)max_age_s,
             c->r->secure ? "; Secure" : "");
    c->headers = slice_dup(c->a, slice_of(line));
}

static void session_made(struct call *c, struct tx *tx)
{
    for (struct put *p = tx->puts; p; p = p->next) {
        if (p->kind == PUT_TOKEN) {
            auth_put(c->s->auth, p->token);
        } else if (p->kind == DEL_TOKEN) {
            server_end_token(c->s, p->id);
        }
    }
    meter_add(&logins_ok, 1);
}

static void open_session(struct call *c, const struct agent *a)
{
    char text[SECRET_TEXT];
    struct slice secret = secret_new(text, "ys_");
    int64_t now = clock_ms(), life = c->s->conf.session_days * DAY_MS;
    struct tx *tx = tx_new(NULL, c);
    struct token *t = arena_one(tx->arena, struct token);
    const struct token *old = auth_oldest_session(c->s->auth, a->id, now);
    *t = (struct token){.id = id_new(),
                        .agent = a->id,
                        .scopes = SLICE("[]"),
                        .created_at = now,
                        .expires_at = now + life};
    sha256_of(secret, t->digest);
    tx_put(tx, PUT_TOKEN)->token = t;
    if (old) {
        tx_put(tx, DEL_TOKEN)->id = old->id;
    }
    write_answer(c, a, secret, t->expires_at);
    set_cookie(c, secret, life / 1000);
    reply_commit(c, tx, 200, session_made);
}

static void on_login(struct query *q)
{
    struct call *c = q->owner;
    struct server *s = c->s;
    const struct agent *a =
        q->result == 0 && q->agent ? desk_agent(s->desk, q->agent->id) : NULL;
    int r = q->result;
    struct err e = q->err;
    s->logins_under_way--;
    query_free(q);
    if (a && a->enabled) {
        guard_forgive(s->logins, c->text);
        open_session(c, a);
    } else if (r == 0 || r == ERR_UNAUTHORIZED || r == ERR_NOT_FOUND) {
        meter_add(&logins_failed, 1);
        reply_fail(c, ERR_UNAUTHORIZED, NULL, "email or password is wrong");
    } else {
        e.code = r;
        reply_error(c, &e);
    }
}

static void ask_login(struct call *c)
{
    struct query *q = query_new(QUERY_LOGIN, on_login, c);
    q->email = slice_dup(q->arena, body_text(c, "email"));
    q->password = slice_dup(q->arena, body_text(c, "password"));
    c->s->logins_under_way++;
    server_read(c->s, q);
}

static bool too_often(struct call *c)
{
    int64_t now = clock_ms();
    int64_t wait = guard_try(c->s->logins, slice_of(c->r->address), now,
                             MINUTE_MS, c->s->conf.logins_per_min);
    if (wait == 0) {
        wait = guard_try(c->s->logins, c->text, now, ACCOUNT_WINDOW_MS,
                         ACCOUNT_TRIES);
    }
    if (wait == 0 && c->s->logins_under_way >= LOGINS_AT_ONCE) {
        wait = 1000;
    }
    if (wait == 0) {
        return false;
    }
    meter_add(&logins_failed, 1);
    c->number = wait;
    reply_fail(c, ERR_RATE_LIMITED, NULL,
               "too many attempts to sign in; wait a little");
    return true;
}

/* The account's key in the guard: email and address, so that strangers cannot
 * lock a person out from elsewhere. */
static void login(struct call *c)
{
    struct slice email = body_text(c, "email");
    size_t n = strlen(c->r->address);
    char *key = arena_text(c->a, email.len + n + 1);
    memcpy(key, c->r->address, n);
    key[n] = ' ';
    memcpy(key + n + 1, email.at, email.len);
    c->text = (struct slice){key, n + 1 + email.len};
    if (too_often(c)) {
        return;
    }
    if (c->s->founder) {
        list_add_last(&c->s->founding, &c->link);
        return;
    }
    ask_login(c);
}

void api_founded(struct server *s)
{
    list_each (&s->founding, l) {
        struct call *c = container_of(l, struct call, link);
        list_remove(l);
        ask_login(c);
    }
}

static void session_ended(struct call *c, struct tx *tx)
{
    server_end_token(c->s, tx->puts->id);
}

static void logout(struct call *c)
{
    const struct token *t = auth_token(c->s->auth, c->who.token);
    set_cookie(c, SLICE(""), 0);
    if (!t || !auth_is_session(t)) {
        reply_fail(c, ERR_CONFLICT, NULL,
                   "an API token is revoked by DELETE /api/v1/tokens/{id}");
        return;
    }
    struct tx *tx = tx_new(NULL, c);
    tx_put(tx, DEL_TOKEN)->id = t->id;
    reply_commit(c, tx, 204, session_ended);
}

static const struct field login_in[] = {
    {.name = "email", .type = FIELD_TEXT, .required = true, .least = 1},
    {.name = "password", .type = FIELD_TEXT, .required = true, .most = 1000},
    {.name = "code",
     .type = FIELD_TEXT,
     .most = 32,
     .help = "second factor; not asked for yet"},
    {0}};
static const struct field login_out[] = {
    {.name = "token", .type = FIELD_TEXT, .help = "shown once"},
    {.name = "agent", .type = FIELD_OBJECT},
    {.name = "expires_at", .type = FIELD_INT},
    {0}};
const struct shape shape_login = {"Login", login_out};
const struct route routes_login[] = {
    {"POST", "/api/v1/login", login, ACCESS_PUBLIC, NULL, 0, 200, login_in,
     &shape_login, "Sign in; gives a session token and sets the cookie", NULL,
     NULL},
    {"POST", "/api/v1/logout", logout, ACCESS_AGENT, NULL, 0, 204, NULL, NULL,
     "End this session", NULL, NULL},
    {0}};
