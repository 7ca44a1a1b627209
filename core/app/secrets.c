/* SPDX-License-Identifier: Apache-2.0 */
/* secrets.c - the setting `secrets`: a table of names and texts for scripts.
 *
 * Happy path: the file's table, then YUELAI_SECRETS (a JSON object in place of
 * it), then one YUELAI_SECRET_NAME each; kept as one JSON object. Failure
 * modes: a name or a text that cannot be one, more than there is room for:
 * refused by name. No sentence ever has a text in it (I9).
 */
#include "app/config.h"
#include <ctype.h>
#include <stdio.h>

#define PREFIX "YUELAI_SECRET_"
#define NAME_BYTES 64

extern char **environ;

static bool is_name(struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.at[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_')) {
            return false;
        }
    }
    return name.len > 0 && name.len <= NAME_BYTES;
}

static int check(struct slice name, struct slice text, struct err *e)
{
    if (!is_name(name)) {
        return err_field(e, ERR_UNPROCESSABLE, "secrets",
                         "secrets: a name is made of a-z, 0-9 and _, at most "
                         "%d of them",
                         NAME_BYTES);
    }
    if (!text.at || text.len == 0 || !slice_is_utf8(text)) {
        return err_field(e, ERR_UNPROCESSABLE, "secrets",
                         "secrets: %.*s must be a text, and not empty",
                         SLICE_FMT(name));
    }
    return 0;
}

/* The object of what there is, but without `name`, left open for more. */
static struct jsonw begin(const struct config *c, struct slice name,
                          struct arena *a, struct buf *out)
{
    struct json *all = NULL;
    struct jsonw w = jsonw_on(out);
    jsonw_open(&w, '{');
    if (c->secrets[0]) {
        must(json_parse(a, slice_of(c->secrets), NULL, &all) == 0);
    }
    for (const struct json *j = all ? all->first : NULL; j; j = j->next) {
        if (!slice_eq(j->key, name)) {
            char key[NAME_BYTES + 1];
            snprintf(key, sizeof key, "%.*s", SLICE_FMT(j->key));
            jsonw_put_text(&w, key, j->text);
        }
    }
    return w;
}

static int finish(struct config *c, struct jsonw *w, struct err *e)
{
    jsonw_close(w, '}');
    if (w->failed || w->out->len >= sizeof c->secrets) {
        return err_field(e, ERR_UNPROCESSABLE, "secrets",
                         "secrets: more than %d bytes together",
                         CONFIG_SECRETS);
    }
    memcpy(c->secrets, w->out->data, w->out->len);
    c->secrets[w->out->len] = 0;
    return 0;
}

static int add(struct config *c, struct slice name, struct slice text,
               struct err *e)
{
    char key[NAME_BYTES + 1];
    struct buf out;
    int r = check(name, text, e);
    if (r) {
        return r;
    }
    struct arena *a = arena_new();
    buf_init(&out, sizeof c->secrets);
    struct jsonw w = begin(c, name, a, &out);
    snprintf(key, sizeof key, "%.*s", SLICE_FMT(name));
    jsonw_put_text(&w, key, text);
    r = finish(c, &w, e);
    buf_fini(&out);
    arena_free(a);
    return r;
}

int config_secrets_set(struct config *c, const struct json *table,
                       struct err *e)
{
    bool empty = json_is(table, JSON_ARRAY) && table->count == 0;
    if (!json_is(table, JSON_OBJECT) && !empty) {
        return err_field(e, ERR_UNPROCESSABLE, "secrets",
                         "secrets must be a table of name = \"text\"");
    }
    c->secrets[0] = 0;
    for (const struct json *j = empty ? NULL : table->first; j; j = j->next) {
        struct slice none = {NULL, 0};
        int r = add(c, j->key, j->type == JSON_STRING ? j->text : none, e);
        if (r) {
            return r;
        }
    }
    return 0;
}

int config_secrets_read(struct config *c, struct slice json, struct err *e)
{
    struct json *table;
    struct arena *a = arena_new();
    /* The parser's sentence may quote the text: it is not shown. */
    int r = json.len == 0 ? 0 : json_parse(a, json, NULL, &table);
    if (r) {
        r = err_field(e, ERR_UNPROCESSABLE, "secrets",
                      "YUELAI_SECRETS must be a JSON object of name and text");
    } else if (json.len) {
        r = config_secrets_set(c, table, e);
    } else {
        c->secrets[0] = 0;
    }
    arena_free(a);
    return r;
}

int config_secrets_env(struct config *c, struct err *e)
{
    for (char **var = environ; *var; var++) {
        char name[NAME_BYTES + 2];
        size_t n = 0;
        const char *p = *var + strlen(PREFIX);
        if (strncmp(*var, PREFIX, strlen(PREFIX)) != 0) {
            continue;
        }
        for (; *p && *p != '=' && n < sizeof name; p++) {
            name[n++] = (char)tolower((unsigned char)*p);
        }
        int r = *p != '=' ? check(SLICE(""), SLICE(""), e)
                          : add(c, (struct slice){name, n}, slice_of(p + 1), e);
        if (r) {
            return r;
        }
    }
    return 0;
}

void config_secrets_show(const struct config *c, struct buf *out)
{
    struct json *all = NULL;
    struct arena *a = arena_new();
    if (c->secrets[0]) {
        must(json_parse(a, slice_of(c->secrets), NULL, &all) == 0);
    }
    for (const struct json *j = all ? all->first : NULL; j; j = j->next) {
        /* What does not fit is left out, as a whole. */
        (void)buf_addf(out, "%s%.*s", out->len ? " " : "", SLICE_FMT(j->key));
    }
    arena_free(a);
}
