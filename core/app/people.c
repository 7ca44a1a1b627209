/* SPDX-License-Identifier: Apache-2.0 */
/* people.c - user and token: agents and API tokens of a stopped server.
 *
 * Happy path: the database is opened without threads, visited, changed by one
 * transaction, closed. Failure: a server that runs holds the lock; then the
 * console or the API is the way.
 */
#include "app/auth.h"
#include "app/command.h"
#include "app/sign.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/log.h"
#include "store/store.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#define PASSWORD_LEAST 8
#define PASSWORD_MOST 200

static const char user_usage[] =
    "usage: yuelai user list                 [--data DIR]\n"
    "       yuelai user add EMAIL            [--name NAME] [--role ROLE]\n"
    "       yuelai user password EMAIL\n"
    "       yuelai user disable EMAIL\n"
    "       yuelai user enable EMAIL\n"
    "\n"
    "ROLE is agent, supervisor or admin. The password is asked for on a\n"
    "terminal, else read as one line from standard input. The server must be\n"
    "stopped; of one that runs, use the console or the API.\n";
static const char token_usage[] =
    "usage: yuelai token list                [--data DIR]\n"
    "       yuelai token create NAME --agent EMAIL [--scopes a:read,b:write]\n"
    "       yuelai token revoke ID\n"
    "\n"
    "The token's text is printed once, at creation. The server must be "
    "stopped.\n";

/* Everything of a database that these commands look at. */
struct people {
    struct store *store;
    struct arena *arena;
    struct agent *agents[1000];
    struct token *tokens[AUTH_TOKENS];
    size_t agent_count, token_count;
    int result;
    struct err err;
};

static void on_agent(void *arg, const struct agent *a)
{
    struct people *p = arg;
    if (p->agent_count < sizeof p->agents / sizeof p->agents[0]) {
        struct agent *copy = arena_one(p->arena, struct agent);
        *copy = *a;
        copy->email = slice_dup(p->arena, a->email);
        copy->name = slice_dup(p->arena, a->name);
        copy->password = slice_dup(p->arena, a->password);
        copy->skills = slice_dup(p->arena, a->skills);
        p->agents[p->agent_count++] = copy;
    }
}

static void on_token(void *arg, const struct token *t)
{
    struct people *p = arg;
    if (t->name.len && p->token_count < AUTH_TOKENS) {
        struct token *copy = arena_one(p->arena, struct token);
        *copy = *t;
        copy->name = slice_dup(p->arena, t->name);
        copy->scopes = slice_dup(p->arena, t->scopes);
        p->tokens[p->token_count++] = copy;
    }
}

static struct people *people_open(const struct config *conf, bool makes)
{
    struct stat st;
    struct people *p = mem_alloc(sizeof *p);
    const struct store_conf sc = {.dir = conf->data, .offline = true};
    const struct store_visit v = {
        .arg = p, .agent = on_agent, .token = on_token};
    p->arena = arena_new();
    int r = 0;
    if (!makes && stat(conf->data, &st)) {
        r = err_set(&p->err, ERR_NOT_FOUND, "there is no data in %s",
                    conf->data);
    }
    r = r ? r : store_open(&sc, &p->err, &p->store);
    r = r ? r : store_visit(p->store, &v, &p->err);
    p->result = r;
    return p;
}

/* Says what went wrong, if anything; the exit code. */
static int people_close(struct people *p)
{
    int r = p->result;
    if (r) {
        fprintf(stderr, "yuelai: %s\n", p->err.text);
        if (r == ERR_CONFLICT && !p->store) {
            fprintf(stderr, "Stop the server first, or use its console.\n");
        }
    }
    if (p->store) {
        store_close(p->store);
    }
    arena_free(p->arena);
    mem_free(p);
    return r ? 1 : 0;
}

static void on_done(struct tx *tx)
{
    struct people *p = tx->owner;
    p->result = tx->result;
    p->err = tx->err;
    tx_free(tx);
}

static struct agent *find_agent(struct people *p, const char *email)
{
    for (size_t i = 0; i < p->agent_count; i++) {
        if (slice_is_nocase(p->agents[i]->email, email)) {
            return p->agents[i];
        }
    }
    p->result = err_set(&p->err, ERR_NOT_FOUND, "there is no user %s", email);
    return NULL;
}

/* --- passwords --- */

static bool read_line(char *out, size_t max)
{
    if (!fgets(out, (int)max, stdin)) {
        return false;
    }
    out[strcspn(out, "\r\n")] = 0;
    return true;
}

static bool read_password(char *out, size_t max)
{
    struct termios was, quiet;
    bool asks = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &was) == 0;
    if (asks) {
        fputs("password: ", stderr);
        quiet = was;
        quiet.c_lflag &= (tcflag_t)~ECHO;
        (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
    }
    bool got = read_line(out, max);
    if (asks) {
        (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &was);
        fputs("\n", stderr);
    }
    return got;
}

static bool take_password(struct people *p, struct agent *a)
{
    char text[PASSWORD_MOST + 2], hash[128];
    if (!read_password(text, sizeof text) || strlen(text) < PASSWORD_LEAST) {
        p->result = err_set(&p->err, ERR_UNPROCESSABLE,
                            "a password has at least %d bytes", PASSWORD_LEAST);
        return false;
    }
    p->result = password_hash(slice_of(text), hash);
    if (p->result) {
        (void)err_set(&p->err, p->result, "the password cannot be hashed");
        return false;
    }
    a->password = slice_dup(p->arena, slice_of(hash));
    return true;
}

/* --- user --- */

static void commit_agent(struct people *p, struct agent *a)
{
    char id[ID_TEXT], body[96];
    struct tx *tx = tx_new(on_done, p);
    a->updated_at = clock_ms();
    snprintf(body, sizeof body, "{\"id\":\"%s\"}",
             id_text(id, ID_AGENT, a->id).at);
    tx_put(tx, PUT_AGENT)->agent = a;
    tx_event(tx, EVENT_AGENT_UPDATED)->body =
        slice_dup(tx->arena, slice_of(body));
    store_commit(p->store, tx);
}

static void user_list(struct people *p)
{
    printf("%-32s %-24s %-10s %s\n", "EMAIL", "NAME", "ROLE", "STATE");
    for (size_t i = 0; i < p->agent_count; i++) {
        const struct agent *a = p->agents[i];
        printf("%-32.*s %-24.*s %-10s %s\n", SLICE_FMT(a->email),
               SLICE_FMT(a->name), agent_role_name(a->role),
               a->enabled ? "enabled" : "disabled");
    }
}

static void user_add(struct people *p, const char *email, const char *name,
                     const char *role)
{
    struct agent *a = arena_one(p->arena, struct agent);
    *a = (struct agent){.id = id_new(),
                        .email = slice_of(email),
                        .name = slice_of(name ? name : email),
                        .max_load = 10,
                        .skills = SLICE("[]"),
                        .status = AGENT_ONLINE,
                        .enabled = true,
                        .created_at = clock_ms()};
    if (find_agent(p, email)) {
        p->result =
            err_set(&p->err, ERR_CONFLICT, "%s is there already", email);
        return;
    }
    p->result = 0;
    if (role && !agent_role_find(slice_of(role), &a->role)) {
        p->result = err_set(&p->err, ERR_UNPROCESSABLE,
                            "the role must be agent, supervisor or admin");
    } else if (take_password(p, a)) {
        commit_agent(p, a);
    }
    if (!p->result) {
        printf("added %s as %s\n", email, agent_role_name(a->role));
    }
}

static void user_change(struct people *p, const char *what, const char *email)
{
    struct agent *a = find_agent(p, email);
    if (!a) {
        return;
    }
    if (strcmp(what, "password") == 0) {
        if (!take_password(p, a)) {
            return;
        }
    } else {
        a->enabled = strcmp(what, "enable") == 0;
    }
    commit_agent(p, a);
    if (!p->result) {
        printf("%s: %s\n", email,
               strcmp(what, "password") == 0 ? "new password"
               : a->enabled                  ? "enabled"
                                             : "disabled");
    }
}

int user_main(int argc, char **argv)
{
    struct flags f = {.rest_max = 2, .options = "name role"};
    struct config conf;
    int r = flags_read(&f, "data config home", user_usage, argc, argv);
    if (r) {
        return r - 1;
    }
    const char *what = f.rest_count ? f.rest[0] : "";
    bool lists = strcmp(what, "list") == 0, adds = strcmp(what, "add") == 0;
    if (!lists && !adds && strcmp(what, "password") != 0 &&
        strcmp(what, "disable") != 0 && strcmp(what, "enable") != 0) {
        return usage_error(user_usage, "say what to do: list, add, password, "
                                       "disable or enable");
    }
    if (f.rest_count != (lists ? 1 : 2)) {
        return usage_error(user_usage,
                           lists ? "list takes no email" : "whose email?");
    }
    if (!flags_config(&f, &conf)) {
        return 1;
    }
    log_setup(LOG_WARN, LOG_TEXT);
    struct people *p = people_open(&conf, adds);
    if (p->result == 0) {
        if (lists) {
            user_list(p);
        } else if (adds) {
            user_add(p, f.rest[1], f.value[0], f.value[1]);
        } else {
            user_change(p, what, f.rest[1]);
        }
    }
    return people_close(p);
}

/* --- token --- */

static void token_list(struct people *p)
{
    char id[ID_TEXT];
    printf("%-18s %-24s %s\n", "ID", "NAME", "SCOPES");
    for (size_t i = 0; i < p->token_count; i++) {
        const struct token *t = p->tokens[i];
        printf("%-18s %-24.*s %.*s\n", id_text(id, ID_TOKEN, t->id).at,
               SLICE_FMT(t->name), SLICE_FMT(t->scopes));
    }
}

/* "a:read,b:write" -> ["a:read","b:write"]; false names the unknown one. */
static bool read_scopes(struct people *p, const char *text,
                        struct slice *scopes)
{
    struct buf out;
    buf_init(&out, 4096);
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '[');
    for (const char *at = text ? text : ""; *at && !p->result;) {
        size_t n = strcspn(at, ",");
        struct slice scope = {at, n};
        if (!scope_is_known(scope)) {
            p->result = err_set(&p->err, ERR_UNPROCESSABLE, "%.*s is no scope",
                                SLICE_FMT(scope));
        }
        jsonw_text(&w, scope);
        at += n + (at[n] == ',');
    }
    jsonw_close(&w, ']');
    *scopes = slice_dup(p->arena, buf_slice(&out));
    buf_fini(&out);
    return p->result == 0;
}

static void token_create(struct people *p, const char *name, const char *email,
                         const char *scopes)
{
    char text[SECRET_TEXT], id[ID_TEXT];
    const struct agent *a = find_agent(p, email);
    struct token *t = arena_one(p->arena, struct token);
    *t = (struct token){
        .id = id_new(), .name = slice_of(name), .created_at = clock_ms()};
    if (!a || !read_scopes(p, scopes, &t->scopes)) {
        return;
    }
    t->agent = a->id;
    struct slice secret = api_token_text(text, store_key(p->store), t->id);
    sha256_of(secret, t->digest);
    struct tx *tx = tx_new(on_done, p);
    tx_put(tx, PUT_TOKEN)->token = t;
    store_commit(p->store, tx);
    if (!p->result) {
        printf("id     %s\ntoken  %.*s\n", id_text(id, ID_TOKEN, t->id).at,
               SLICE_FMT(secret));
    }
}

static void token_revoke(struct people *p, const char *text)
{
    uint64_t id;
    for (size_t i = 0;
         id_parse(slice_of(text), ID_TOKEN, &id) && i < p->token_count; i++) {
        if (p->tokens[i]->id == id) {
            struct tx *tx = tx_new(on_done, p);
            tx_put(tx, DEL_TOKEN)->id = id;
            store_commit(p->store, tx);
            if (!p->result) {
                printf("revoked %s\n", text);
            }
            return;
        }
    }
    p->result = err_set(&p->err, ERR_NOT_FOUND, "there is no token %s", text);
}

int token_main(int argc, char **argv)
{
    struct flags f = {.rest_max = 2, .options = "agent scopes"};
    struct config conf;
    int r = flags_read(&f, "data config home", token_usage, argc, argv);
    if (r) {
        return r - 1;
    }
    const char *what = f.rest_count ? f.rest[0] : "";
    bool lists = strcmp(what, "list") == 0;
    bool creates = strcmp(what, "create") == 0;
    if ((!lists && !creates && strcmp(what, "revoke") != 0) ||
        f.rest_count != (lists ? 1 : 2)) {
        return usage_error(token_usage, "say list, create NAME, or revoke ID");
    }
    if (creates && !f.value[0]) {
        return usage_error(token_usage, "create needs --agent EMAIL");
    }
    if (!flags_config(&f, &conf)) {
        return 1;
    }
    log_setup(LOG_WARN, LOG_TEXT);
    struct people *p = people_open(&conf, false);
    if (p->result == 0) {
        if (lists) {
            token_list(p);
        } else if (creates) {
            token_create(p, f.rest[1], f.value[0], f.value[1]);
        } else {
            token_revoke(p, f.rest[1]);
        }
    }
    return people_close(p);
}
