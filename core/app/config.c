/* SPDX-License-Identifier: Apache-2.0 */
/* config.c - reads settings and says where each value came from.
 *
 * Happy path: defaults, then the file (a Lua table turned into JSON by the
 * script wing), then the environment, then the command line; each value is
 * checked as it is set. Failure: the first wrong value is named with its
 * origin and nothing of the new configuration is used.
 */
#include "app/config.h"
#include "base/log.h"
#include "script/script.h"
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONFIG_FILE_MAX (256 * 1024)

static char *text_at(const struct setting *s, struct config *c)
{
    return (char *)c + s->offset;
}

static int64_t *number_at(const struct setting *s, struct config *c)
{
    return (int64_t *)(void *)((char *)c + s->offset);
}

static bool is_text(const struct setting *s)
{
    return s->type == SETTING_TEXT || s->type == SETTING_CHOICE ||
           s->type == SETTING_TABLE;
}

static size_t text_room(const struct setting *s)
{
    return s->type == SETTING_TABLE ? CONFIG_SECRETS : CONFIG_TEXT;
}

const struct setting *setting_find(struct slice name)
{
    for (size_t i = 0; i < settings_count; i++) {
        if (slice_is(name, settings[i].name)) {
            return &settings[i];
        }
    }
    return NULL;
}

const char *setting_env(const struct setting *s, char out[SETTING_ENV])
{
    int n = snprintf(out, SETTING_ENV, "YUELAI_%s", s->name);
    must(n > 0 && n < SETTING_ENV);
    for (char *p = out; *p; p++) {
        *p = (char)toupper((unsigned char)*p);
    }
    return out;
}

const char *setting_origin_name(enum setting_origin o)
{
    static const char *const names[] = {"default", "file", "environment",
                                        "command line"};
    return names[o];
}

void setting_show(const struct setting *s, const struct config *c,
                  struct buf *out)
{
    struct config *at = (struct config *)(uintptr_t)c; /* only read */
    if (s->type == SETTING_TABLE) {
        config_secrets_show(c, out);
    } else if (s->flags & SETTING_SECRET) {
        (void)buf_add_text(out, *text_at(s, at) ? "***" : "");
    } else if (is_text(s)) {
        (void)buf_add_text(out, text_at(s, at));
    } else if (s->type == SETTING_BOOL) {
        (void)buf_add_text(out, *number_at(s, at) ? "true" : "false");
    } else {
        (void)buf_add_i64(out, *number_at(s, at));
    }
}

bool setting_is_same(const struct setting *s, const struct config *a,
                     const struct config *b)
{
    struct config *x = (struct config *)(uintptr_t)a;
    struct config *y = (struct config *)(uintptr_t)b;
    return is_text(s) ? strcmp(text_at(s, x), text_at(s, y)) == 0
                      : *number_at(s, x) == *number_at(s, y);
}

static bool in_choices(const char *choices, struct slice value)
{
    for (const char *p = choices; *p;) {
        size_t n = strcspn(p, "|");
        if (slice_eq((struct slice){p, n}, value)) {
            return true;
        }
        p += n + (p[n] == '|');
    }
    return false;
}

static int refuse(const struct setting *s, enum setting_origin from,
                  struct err *e, const char *why)
{
    char env[SETTING_ENV];
    return err_field(e, ERR_UNPROCESSABLE, s->name, "%s (%s): %s",
                     from == ORIGIN_ENV ? setting_env(s, env) : s->name,
                     setting_origin_name(from), why);
}

static int set_number(struct config *c, const struct setting *s,
                      struct slice value, enum setting_origin from,
                      struct err *e)
{
    int64_t n;
    if (s->type == SETTING_BOOL) {
        if (slice_is(value, "true") || slice_is(value, "1")) {
            n = 1;
        } else if (slice_is(value, "false") || slice_is(value, "0")) {
            n = 0;
        } else {
            return refuse(s, from, e, "must be true or false");
        }
    } else if (!slice_to_i64(value, &n)) {
        return refuse(s, from, e, "must be a whole number");
    } else if (n < s->least || n > s->most) {
        char why[80];
        snprintf(why, sizeof why, "must be between %lld and %lld",
                 (long long)s->least, (long long)s->most);
        return refuse(s, from, e, why);
    }
    *number_at(s, c) = n;
    return 0;
}

static int set_value(struct config *c, const struct setting *s,
                     struct slice value, enum setting_origin from,
                     struct err *e)
{
    int r = 0;
    if (s->type == SETTING_TABLE) {
        r = config_secrets_read(c, value, e);
    } else if (!is_text(s)) {
        r = set_number(c, s, value, from, e);
    } else {
        if (value.len >= CONFIG_TEXT || memchr(value.at, 0, value.len)) {
            return refuse(s, from, e, "is too long");
        }
        if (s->type == SETTING_CHOICE && !in_choices(s->choices, value)) {
            char why[80];
            snprintf(why, sizeof why, "must be one of %s", s->choices);
            return refuse(s, from, e, why);
        }
        memcpy(text_at(s, c), value.at, value.len);
        text_at(s, c)[value.len] = 0;
    }
    if (r) {
        return r;
    }
    c->origin[s - settings] = (unsigned char)from;
    return 0;
}

void local_socket(char out[CONFIG_TEXT + 16], const char *data)
{
    snprintf(out, CONFIG_TEXT + 16, "%s/yuelai.sock", data);
}

void config_init(struct config *c)
{
    memset(c, 0, sizeof *c);
    for (size_t i = 0; i < settings_count; i++) {
        int r = set_value(c, &settings[i], slice_of(settings[i].otherwise),
                          ORIGIN_DEFAULT, NULL);
        must(r == 0);
    }
}

int config_set(struct config *c, struct slice name, struct slice value,
               enum setting_origin from, struct err *e)
{
    const struct setting *s = setting_find(name);
    if (!s) {
        return err_set(e, ERR_UNPROCESSABLE, "there is no setting \"%.*s\"",
                       (int)(name.len > 60 ? 60 : name.len), name.at);
    }
    return set_value(c, s, value, from, e);
}

static int apply_one(struct config *c, const struct json *v, struct err *e)
{
    const struct setting *s = setting_find(v->key);
    char number[32];
    if (s && (s->flags & SETTING_NO_FILE)) {
        return refuse(s, ORIGIN_FILE, e,
                      "can be set by the environment or a flag only");
    }
    if (s && s->type == SETTING_TABLE) {
        int r = config_secrets_set(c, v, e);
        c->origin[s - settings] = ORIGIN_FILE;
        return r;
    }
    if (s && v->type == JSON_STRING && is_text(s)) {
        return config_set(c, v->key, v->text, ORIGIN_FILE, e);
    }
    if (s && v->type == JSON_INT && s->type == SETTING_INT) {
        snprintf(number, sizeof number, "%lld", (long long)v->integer);
        return config_set(c, v->key, slice_of(number), ORIGIN_FILE, e);
    }
    if (s && v->type == JSON_BOOL && s->type == SETTING_BOOL) {
        return config_set(c, v->key, slice_of(v->boolean ? "true" : "false"),
                          ORIGIN_FILE, e);
    }
    if (s) {
        return refuse(s, ORIGIN_FILE, e, "has a value of the wrong type");
    }
    return config_set(c, v->key, SLICE(""), ORIGIN_FILE, e);
}

int config_apply(struct config *c, const struct json *table, struct err *e)
{
    /* An empty Lua table looks like an empty array. */
    if (json_is(table, JSON_ARRAY) && table->count == 0) {
        return 0;
    }
    if (!json_is(table, JSON_OBJECT)) {
        return err_set(e, ERR_UNPROCESSABLE,
                       "the file must return a table of settings");
    }
    struct config next = *c;
    for (const struct json *v = table->first; v; v = v->next) {
        int r = apply_one(&next, v, e);
        if (r) {
            return r;
        }
    }
    *c = next;
    return 0;
}

static int read_file(const char *path, struct buf *out, struct err *e)
{
    FILE *f = fopen(path, "re");
    char part[4096];
    size_t n;
    int r = 0;
    if (!f) {
        return err_set(e, ERR_NOT_FOUND, "cannot read %s: %s", path,
                       strerror(errno));
    }
    while (r == 0 && (n = fread(part, 1, sizeof part, f)) > 0) {
        r = buf_add(out, part, n);
    }
    if (r) {
        r = err_set(e, r, "%s is longer than %d bytes", path, CONFIG_FILE_MAX);
    } else if (ferror(f)) {
        r = err_set(e, ERR_UNAVAILABLE, "cannot read %s", path);
    }
    fclose(f);
    return r;
}

static int apply_file(struct config *c, const char *path, struct err *e)
{
    struct arena *a = arena_new();
    struct buf text;
    struct slice json;
    struct json *table;
    buf_init(&text, CONFIG_FILE_MAX);
    int r = read_file(path, &text, e);
    if (r == 0) {
        r = script_read_table(buf_slice(&text), path, a, e, &json);
    }
    if (r == 0) {
        r = json_parse(a, json, e, &table);
    }
    if (r == 0) {
        struct err why = {0};
        r = config_apply(c, table, &why);
        if (r) {
            (void)err_field(e, r, why.field, "%.100s: %.130s", path, why.text);
        }
    }
    buf_fini(&text);
    arena_free(a);
    return r;
}

static int apply_env(struct config *c, struct err *e)
{
    for (size_t i = 0; i < settings_count; i++) {
        char name[SETTING_ENV];
        const char *value = getenv(setting_env(&settings[i], name));
        int r = value
                    ? set_value(c, &settings[i], slice_of(value), ORIGIN_ENV, e)
                    : 0;
        if (r) {
            return r;
        }
    }
    return config_secrets_env(c, e);
}

static void apply_given(struct config *c, const struct config *given)
{
    for (size_t i = 0; i < settings_count; i++) {
        if (given->origin[i] != ORIGIN_COMMAND) {
            continue;
        }
        if (is_text(&settings[i])) {
            struct config *from = (struct config *)(uintptr_t)given;
            memcpy(text_at(&settings[i], c), text_at(&settings[i], from),
                   text_room(&settings[i]));
        }
        c->origin[i] = ORIGIN_COMMAND;
    }
}

static bool is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Here, then where a package puts it, then beside the program or above it. */
static void find_home(struct config *c)
{
    char self[PATH_MAX], path[PATH_MAX + 16];
    if (c->home[0]) {
        return;
    }
    snprintf(c->home, sizeof c->home, ".");
    if (is_folder("scripts")) {
        return;
    }
    if (is_folder("/usr/share/yuelai/scripts")) {
        snprintf(c->home, sizeof c->home, "/usr/share/yuelai");
        return;
    }
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    self[n < 0 ? 0 : n] = 0;
    for (char *slash; (slash = strrchr(self, '/')) && slash != self;) {
        *slash = 0;
        snprintf(path, sizeof path, "%s/scripts", self);
        if (is_folder(path) && strlen(self) < sizeof c->home) {
            memcpy(c->home, self, strlen(self) + 1);
            return;
        }
    }
}

int config_load(const struct config *given, struct config *out, struct err *e)
{
    struct config c, first;
    char path[CONFIG_TEXT + 16];
    struct stat st;
    config_init(&first);
    int r = apply_env(&first, e);
    if (r) {
        return r;
    }
    apply_given(&first, given);
    find_home(&first);
    bool named = first.config[0] != 0;
    snprintf(path, sizeof path, "%s%s", named ? first.config : first.home,
             named ? "" : "/config.lua");
    config_init(&c);
    if (named || stat(path, &st) == 0) {
        r = apply_file(&c, path, e);
    }
    if (r == 0) {
        r = apply_env(&c, e);
    }
    if (r) {
        return r;
    }
    apply_given(&c, given);
    memcpy(c.home, first.home, sizeof c.home);
    if (strlen(path) < sizeof c.config) {
        memcpy(c.config, path, strlen(path) + 1);
    }
    *out = c;
    return 0;
}

int config_adopt(struct config *now, const struct config *next)
{
    int changed = 0;
    struct config *from = (struct config *)(uintptr_t)next;
    for (size_t i = 0; i < settings_count; i++) {
        const struct setting *s = &settings[i];
        if (setting_is_same(s, now, next)) {
            continue;
        }
        if (!(s->flags & SETTING_RELOADS)) {
            log_warn("config", "%s changed; it takes effect after a restart",
                     s->name);
            continue;
        }
        if (is_text(s)) {
            memcpy(text_at(s, now), text_at(s, from), text_room(s));
        } else {
            *number_at(s, now) = *number_at(s, from);
        }
        now->origin[i] = next->origin[i];
        log_info("config", "%s has a new value", s->name);
        changed++;
    }
    return changed;
}
