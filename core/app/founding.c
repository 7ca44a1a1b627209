/* SPDX-License-Identifier: Apache-2.0 */
/* founding.c - the first start: one admin, one web channel.
 *
 * Happy path: the channel is committed at once; the password is hashed on a
 * reader thread while the house opens, and shown once. Who signs in meanwhile
 * waits those milliseconds. Failure: without an admin nobody could ever sign
 * in, so the server stops with the reason.
 */
#include "app/api/api.h"
#include "app/server.h"
#include "app/sign.h"
#include "base/clock.h"
#include "base/log.h"
#include <stdio.h>

#define PASSWORD_CHARS 16

static void on_channel(struct tx *tx)
{
    if (tx->result) {
        log_error("app", "the first channel was not written: %s", tx->err.text);
    } else {
        server_announce(tx->owner, tx);
    }
    tx_free(tx);
}

static void make_channel(struct server *s)
{
    char secret[SECRET_TEXT], json[128], id[ID_TEXT], body[96];
    struct tx *tx = tx_new(on_channel, s);
    struct channel *ch = arena_one(tx->arena, struct channel);
    struct slice text = secret_new(secret, "ycs_");
    snprintf(json, sizeof json, "{\"identity_secret\":\"%.*s\"}",
             SLICE_FMT(text));
    *ch = (struct channel){.id = id_new(),
                           .type = SLICE("web"),
                           .name = SLICE("Web"),
                           .config = SLICE("{}"),
                           .secrets = slice_dup(tx->arena, slice_of(json)),
                           .enabled = true,
                           .created_at = clock_ms()};
    ch->updated_at = ch->created_at;
    snprintf(body, sizeof body, "{\"id\":\"%s\",\"name\":\"Web\"}",
             id_text(id, ID_CHANNEL, ch->id).at);
    tx_put(tx, PUT_CHANNEL)->channel = ch;
    tx_event(tx, EVENT_CHANNEL_UPDATED)->body =
        slice_dup(tx->arena, slice_of(body));
    desk_put_channel(s->desk, ch); /* whatever uses it is committed later */
    server_commit(s, tx);
}

/* Told once, plainly, and never logged (I9). */
static void show_password(const struct config *conf, const char *password)
{
    fprintf(stderr,
            "\n  first start: sign in at /console/ as\n"
            "    email     %s\n    password  %s\n"
            "  (shown only once; change it in the console)\n\n",
            conf->admin_email, password);
}

static void give_up(struct server *s, const char *why)
{
    s->failed = true;
    if (s->state == SERVER_CLOSED) {
        return; /* the opening failed already, for its own reason */
    }
    log_error("app", "the first admin was not made: %s", why);
    server_stop(s);
}

static void on_admin(struct tx *tx)
{
    struct server *s = tx->owner;
    if (tx->result) {
        give_up(s, tx->err.text);
    } else {
        desk_put_agent(s->desk, tx->puts->agent);
        server_keep_password(s, s->founder, tx->puts->agent->password);
        server_announce(s, tx);
        if (s->conf.admin_password[0]) {
            log_info("app", "the admin %s was made", s->conf.admin_email);
        } else {
            show_password(&s->conf, s->password);
        }
    }
    memset(s->password, 0, sizeof s->password);
    s->founder = 0;
    tx_free(tx);
    api_founded(s);
    mem_trim(); /* argon2 took 19 MB for a moment */
}

static void on_hash(struct query *q)
{
    struct server *s = q->owner;
    char id[ID_TEXT], body[96];
    if (q->result) {
        give_up(s, q->err.text);
        query_free(q);
        return;
    }
    struct tx *tx = tx_new(on_admin, s);
    struct agent *a = arena_one(tx->arena, struct agent);
    struct slice email = slice_of(s->conf.admin_email);
    *a = (struct agent){.id = s->founder,
                        .email = slice_dup(tx->arena, email),
                        .name = SLICE("Admin"),
                        .password = slice_dup(tx->arena, q->text),
                        .role = AGENT_ROLE_ADMIN,
                        .max_load = 10,
                        .skills = SLICE("[]"),
                        .status = AGENT_ONLINE,
                        .enabled = true,
                        .created_at = clock_ms()};
    a->updated_at = a->created_at;
    query_free(q);
    snprintf(body, sizeof body, "{\"id\":\"%s\",\"name\":\"Admin\"}",
             id_text(id, ID_AGENT, a->id).at);
    tx_put(tx, PUT_AGENT)->agent = a;
    tx_event(tx, EVENT_AGENT_UPDATED)->body =
        slice_dup(tx->arena, slice_of(body));
    server_commit(s, tx);
}

static void make_password(struct server *s)
{
    static const char set[] = "abcdefghjkmnpqrstuvwxyz23456789"; /* 31 */
    for (size_t i = 0; i < PASSWORD_CHARS;) {
        unsigned char r;
        random_bytes(&r, 1);
        if (r < 8 * (sizeof set - 1)) {
            s->password[i++] = set[r % (sizeof set - 1)];
        }
    }
    s->password[PASSWORD_CHARS] = 0;
}

int founding_begin(struct server *s, struct err *e)
{
    size_t i = 0, k = 0;
    if (desk_next_agent(s->desk, &i)) {
        return 0;
    }
    struct slice given = slice_of(s->conf.admin_password);
    if (given.len && given.len < 8) {
        return err_field(e, ERR_UNPROCESSABLE, "admin_password",
                         "YUELAI_ADMIN_PASSWORD must have at least 8 bytes");
    }
    if (!given.len) {
        make_password(s);
        given = slice_of(s->password);
    }
    s->founder = id_new();
    struct query *q = query_new(QUERY_HASH, on_hash, s);
    q->password = slice_dup(q->arena, given);
    server_read(s, q);
    if (!desk_next_channel(s->desk, &k)) {
        make_channel(s);
    }
    return 0;
}
