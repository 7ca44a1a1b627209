/* SPDX-License-Identifier: Apache-2.0 */
/* kinds.c - reads schema files, checks settings by them.
 *
 * Happy path: the folders below channels/ by name, each schema a Lua table
 * turned into JSON by the script wing, its fields put into an array. Failure:
 * a file that is too long, not a table or with a field of an unknown type is
 * logged and its type is left out; the others serve.
 */
#include "app/kinds.h"
#include "base/log.h"
#include "files/files.h"
#include "script/script.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define KIND_FIELD_NAME_MAX 40
#define KIND_PATH 4096

struct kinds {
    struct arena *arena;
    struct kind at[KINDS_MAX];
    size_t count;
    bool connectors; /* of AI: no channels, so not what all channels have */
};

/* What the pages of web/ ask for; all of it is public. */
static const char web[] =
    "{\"face\":{\"socket\":true},"
    "\"title\":{\"zh\":\"网页\",\"en\":\"Web\"},\"schema\":{"
    "\"title\":{\"type\":\"string\",\"title\":{\"zh\":\"标题\","
    "\"en\":\"Title\"}},"
    "\"color\":{\"type\":\"string\",\"title\":{\"zh\":\"颜色\","
    "\"en\":\"Colour\"},\"help\":{\"zh\":\"#rrggbb\",\"en\":\"#rrggbb\"}},"
    "\"greeting\":{\"type\":\"string\",\"title\":{\"zh\":\"问候语\","
    "\"en\":\"Greeting\"}},"
    "\"locale\":{\"type\":\"string\",\"title\":{\"zh\":\"语言\","
    "\"en\":\"Language\"},\"help\":{\"zh\":\"auto、zh-CN 或 en\","
    "\"en\":\"auto, zh-CN or en\"}},"
    "\"theme\":{\"type\":\"choice\",\"choices\":[\"auto\",\"light\",\"dark\"],"
    "\"title\":{\"zh\":\"明暗\",\"en\":\"Theme\"}},"
    "\"side\":{\"type\":\"choice\",\"choices\":[\"left\",\"right\"],"
    "\"title\":{\"zh\":\"位置\",\"en\":\"Side\"}}}}";

/* What every channel can be told beside what its adapter asks for. */
static const char of_all[] =
    "{\"" KIND_FILE_MB "\":{\"type\":\"integer\",\"title\":{"
    "\"zh\":\"文件最大（MB）\",\"en\":\"Largest file (MB)\"},\"help\":{"
    "\"zh\":\"不填则按全局设置 file_bytes；0 表示这个渠道不收发文件\","
    "\"en\":\"Empty means the house's file_bytes; 0: no files by this "
    "channel\"}},"
    "\"" KIND_FILE_TYPES "\":{\"type\":\"string\",\"title\":{"
    "\"zh\":\"允许的文件类型\",\"en\":\"Types of files\"},\"help\":{"
    "\"zh\":\"例如 image/*, application/pdf；不填则按全局设置 file_types。"
    "只能更严，不能更宽\","
    "\"en\":\"As in image/*, application/pdf; empty means the house's "
    "file_types. It narrows those, never widens\"}}}";

/* Beside that, those whose visitors come by the WebSocket. */
static const char of_sockets[] =
    "{\"" KIND_TYPING_TEXT "\":{\"type\":\"boolean\",\"title\":{"
    "\"zh\":\"显示访客未发送的文字\",\"en\":\"Show unsent text\"},"
    "\"help\":{\"zh\":"
    "\"打开后，访客还没发送的文字客服也能看到；我们的聊天页会告诉访客，"
    "您自己的应用请在界面上说明\",\"en\":\"On: agents see what a visitor "
    "types before it is sent. Our chat page says so; an app of yours must say "
    "it itself\"}}}";

static const char *wrong_mb(const struct json *v)
{
    return v->integer < 0 || v->integer > KIND_FILE_MB_MOST
               ? "must be 0 to " KIND_STR(KIND_FILE_MB_MOST)
               : NULL;
}

static const char *wrong_types(const struct json *v)
{
    return files_policy_is_good(v->text)
               ? NULL
               : "must be types, as in image/*, application/pdf or !video/*";
}

/* --- a file, made into a kind --- */

static int field_type(const struct json *f, struct kind_field *out)
{
    static const char *const names[] = {"string", "secret", "integer",
                                        "boolean", "choice"};
    bool is_short = json_is(f, JSON_STRING); /* token = "secret" */
    struct slice type = is_short ? f->text : json_text(f, "type");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (slice_is(type, names[i])) {
            out->type = (enum kind_type)i;
            out->choices = json_get(f, "choices");
            return i == KIND_CHOICE && !json_is(out->choices, JSON_ARRAY)
                       ? ERR_UNPROCESSABLE
                       : 0;
        }
    }
    return ERR_UNPROCESSABLE;
}

static int by_name(const void *pa, const void *pb)
{
    const struct kind_field *a = pa, *b = pb;
    return strcmp(a->name, b->name);
}

/* Behind `fields`: what all channels have. */
static size_t common_fields(struct arena *a, const struct json *common,
                            struct kind_field *fields)
{
    size_t n = 0;
    for (const struct json *f = common->first; f; f = f->next, n++) {
        must(field_type(f, &fields[n]) == 0);
        fields[n].name = slice_dup(a, f->key).at;
        fields[n].wrong = slice_is(f->key, KIND_FILE_MB)      ? wrong_mb
                          : slice_is(f->key, KIND_FILE_TYPES) ? wrong_types
                                                              : NULL;
    }
    return n;
}

static int fields_of(struct arena *a, const struct json *schema,
                     const struct json *common, struct kind *out, struct err *e)
{
    struct kind_field *fields = arena_many(
        a, struct kind_field, KIND_FIELDS_MAX + (common ? common->count : 0));
    bool is_object = json_is(schema, JSON_OBJECT);
    /* An empty Lua table looks like an empty list. */
    if (!is_object && !(json_is(schema, JSON_ARRAY) && schema->count == 0)) {
        return err_set(e, ERR_UNPROCESSABLE, "there is no table `schema`");
    }
    if (schema->count > KIND_FIELDS_MAX) {
        return err_set(e, ERR_TOOBIG, "more than %d fields", KIND_FIELDS_MAX);
    }
    for (const struct json *f = schema->first; f; f = f->next) {
        if (common && json_get(common, slice_dup(a, f->key).at)) {
            return err_set(e, ERR_UNPROCESSABLE,
                           "field %.40s is the house's own",
                           slice_dup(a, f->key).at);
        }
        struct kind_field *to = &fields[out->count++];
        if (f->key.len == 0 || f->key.len > KIND_FIELD_NAME_MAX ||
            field_type(f, to)) {
            return err_set(e, ERR_UNPROCESSABLE,
                           "field %.40s: its type must be string, secret, "
                           "integer, boolean, or choice with choices",
                           slice_dup(a, f->key).at);
        }
        to->name = slice_dup(a, f->key).at;
        to->required = json_bool(f, "required", false);
    }
    if (common) {
        out->count += common_fields(a, common, fields + out->count);
    }
    /* A Lua table has no order of its own: without this, which of two wrong
     * fields is named first would differ from start to start. */
    qsort(fields, out->count, sizeof *fields, by_name);
    out->fields = fields;
    return 0;
}

static void put_members(struct arena *a, struct jsonw *w, const struct json *v)
{
    for (const struct json *j = json_is(v, JSON_OBJECT) ? v->first : NULL; j;
         j = j->next) {
        jsonw_key(w, slice_dup(a, j->key).at);
        jsonw_value(w, j);
    }
}

/* The members of v, and of more (either may be NULL), as one object. */
static struct slice text_of(struct arena *a, const struct json *v,
                            const struct json *more)
{
    struct buf out;
    buf_init(&out, KIND_CONFIG_MAX);
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '{');
    put_members(a, &w, v);
    put_members(a, &w, more);
    jsonw_close(&w, '}');
    struct slice text = w.failed ? SLICE("{}") : slice_dup(a, buf_slice(&out));
    buf_fini(&out);
    return text;
}

/* The house's own fields; NULL: none. */
static struct json *common_of(struct kinds *k, bool socket)
{
    struct arena *a = k->arena;
    struct json *all = NULL, *more = NULL;
    if (k->connectors) {
        return NULL;
    }
    must(json_parse(a, slice_of(of_all), NULL, &all) == 0);
    if (socket) {
        must(json_parse(a, slice_of(of_sockets), NULL, &more) == 0);
        must(json_parse(a, text_of(a, all, more), NULL, &all) == 0);
    }
    return all;
}

static int add(struct kinds *k, const char *name, struct slice text,
               bool has_adapter, struct err *e)
{
    struct kind *out = &k->at[k->count];
    struct json *table = NULL;
    *out = (struct kind){.name = slice_dup(k->arena, slice_of(name)).at,
                         .has_adapter = has_adapter};
    int r = json_parse(k->arena, text, e, &table);
    out->socket = json_bool(json_get(table, "face"), "socket", false);
    struct json *common = common_of(k, out->socket);
    r = r ? r : fields_of(k->arena, json_get(table, "schema"), common, out, e);
    if (r) {
        return r;
    }
    const struct json *title = json_get(table, "title");
    out->en = json_text(title, "en");
    if (out->en.len == 0) {
        out->en = slice_of(out->name);
    }
    out->title = text_of(k->arena, title, NULL);
    out->schema = text_of(k->arena, json_get(table, "schema"), common);
    out->capabilities =
        text_of(k->arena, json_get(table, "capabilities"), NULL);
    plain_can_read(NULL, &out->can);
    k->count++;
    return 0;
}

/* --- adapters that serve --- */

static void drop(struct kinds *k, struct slice name)
{
    for (size_t i = 0; i < k->count; i++) {
        if (slice_is(name, k->at[i].name)) {
            memmove(&k->at[i], &k->at[i + 1],
                    (--k->count - i) * sizeof k->at[i]);
            return;
        }
    }
}

static void learn_socket(struct kinds *k, const struct json *face,
                         struct kind *out)
{
    out->push_after_ms = json_int(face, "push_after_ms", 0);
    out->push_quiet_ms = json_int(face, "push_quiet_ms", 0);
    out->after_from = slice_dup(k->arena, json_text(face, "after_from"));
    out->quiet_from = slice_dup(k->arena, json_text(face, "quiet_from"));
    out->push_needs = slice_dup(k->arena, json_text(face, "push_needs"));
    out->identity_max_ms = json_int(face, "identity_max_ms", 0);
    out->max_from = slice_dup(k->arena, json_text(face, "max_from"));
    out->only_from = slice_dup(k->arena, json_text(face, "only_from"));
}

static void learn(struct kinds *k, const struct json *j)
{
    struct err e = {0};
    struct slice type = json_text(j, "type");
    struct slice text = text_of(k->arena, j, NULL);
    if (!type.len || type.len > KIND_NAME_MAX || slice_is(type, "web")) {
        log_error("channels", "type %.*s is left out: its name is no good",
                  SLICE_FMT(type));
        return;
    }
    drop(k, type);
    if (k->count == KINDS_MAX) {
        log_error("channels", "type %.*s is left out: there are %d already",
                  SLICE_FMT(type), KINDS_MAX);
        return;
    }
    struct kind *out = &k->at[k->count];
    if (add(k, slice_dup(k->arena, type).at, text, true, &e)) {
        log_error("channels", "type %.*s is left out: %s", SLICE_FMT(type),
                  e.text);
        return;
    }
    const struct json *face = json_get(j, "face");
    out->receives = json_bool(j, "receives", false);
    out->sends = json_bool(j, "sends", false);
    out->pushes = json_bool(j, "pushes", false);
    out->polls = json_bool(j, "polls", false);
    out->checks = json_bool(j, "checks", false);
    out->types = json_bool(j, "types", false);
    out->recalls = json_bool(j, "recalls", false);
    out->answers = json_bool(j, "answers", false);
    out->rate = (int32_t)json_int(face, "rate", 0);
    out->burst = (int32_t)json_int(face, "burst", 0);
    out->at_once = (int32_t)json_int(face, "at_once", 0);
    out->reply_window_ms = json_int(face, "reply_window_ms", 0);
    out->reply_count = (int32_t)json_int(face, "reply_count", 0);
    out->hours_from = slice_dup(k->arena, json_text(face, "hours_from"));
    out->count_from = slice_dup(k->arena, json_text(face, "count_from"));
    plain_can_read(face, &out->can);
    learn_socket(k, face, out);
}

struct kinds *kinds_with(const struct kinds *base, struct slice adapters)
{
    struct kinds *k = mem_alloc(sizeof *k);
    struct json *all = NULL;
    k->arena = arena_new();
    k->count = base->count;
    memcpy(k->at, base->at, sizeof k->at);
    if (json_parse(k->arena, adapters, NULL, &all) == 0 &&
        json_is(all, JSON_ARRAY)) {
        for (const struct json *j = all->first; j; j = j->next) {
            learn(k, j);
        }
    }
    return k;
}

struct kinds *kinds_of_connectors(struct slice assistants)
{
    struct kinds *k = mem_alloc(sizeof *k);
    struct json *all = NULL;
    k->arena = arena_new();
    k->connectors = true;
    if (assistants.len && json_parse(k->arena, assistants, NULL, &all) == 0 &&
        json_is(all, JSON_ARRAY)) {
        for (const struct json *j = all->first; j; j = j->next) {
            if (slice_is(json_text(j, "kind"), "connector")) {
                learn(k, j);
            }
        }
    }
    return k;
}

/* --- the folder --- */

static int read_file(const char *path, struct buf *out, struct err *e)
{
    struct stat st;
    if (stat(path, &st) || !S_ISREG(st.st_mode)) {
        return ERR_NOT_FOUND; /* a folder without a schema is no type */
    }
    if (st.st_size > KIND_FILE_MAX) {
        return err_set(e, ERR_TOOBIG, "longer than %d bytes", KIND_FILE_MAX);
    }
    FILE *f = fopen(path, "re");
    int r = f ? buf_reserve(out, KIND_FILE_MAX)
              : err_set(e, ERR_UNAVAILABLE, "it cannot be opened");
    if (r == 0) {
        out->len = fread(out->data, 1, KIND_FILE_MAX, f);
        r = ferror(f) ? err_set(e, ERR_UNAVAILABLE, "it cannot be read") : 0;
    }
    if (f) {
        fclose(f);
    }
    return r;
}

static bool is_file(const char *home, const char *fmt, const char *name)
{
    char rest[KIND_NAME_MAX + 16], path[KIND_PATH];
    struct stat st;
    snprintf(rest, sizeof rest, "%s%s", name, fmt);
    int n = snprintf(path, sizeof path, "%s/channels/%s", home, rest);
    return n < (int)sizeof path && stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static void read_one(struct kinds *k, const char *home, const char *name)
{
    char path[KIND_PATH];
    struct err e = {0};
    struct buf text;
    struct slice json;
    int n =
        snprintf(path, sizeof path, "%s/channels/%s/schema.lua", home, name);
    if (n >= (int)sizeof path) {
        log_warn("channels", "%s: the path is too long", name);
        return;
    }
    buf_init(&text, KIND_FILE_MAX);
    int r = read_file(path, &text, &e);
    if (r != ERR_NOT_FOUND) {
        r = r ? r
              : script_read_table(buf_slice(&text), "schema.lua", k->arena, &e,
                                  &json);
        bool has =
            is_file(home, "/adapter.lua", name) || is_file(home, ".lua", name);
        r = r ? r : add(k, name, json, has, &e);
        if (r) {
            log_error("channels", "type %s is left out (%s): %s", name, path,
                      e.text);
        }
    }
    buf_fini(&text);
}

static int is_name(const struct dirent *d)
{
    size_t n = strspn(d->d_name, "abcdefghijklmnopqrstuvwxyz0123456789_-");
    return d->d_name[0] != '_' && d->d_name[0] != '-' && n > 0 &&
           n <= KIND_NAME_MAX && d->d_name[n] == 0 &&
           strcmp(d->d_name, "web") != 0;
}

struct kinds *kinds_read(const char *home)
{
    struct kinds *k = mem_alloc(sizeof *k);
    struct dirent **names = NULL;
    char folder[KIND_PATH];
    k->arena = arena_new();
    must(add(k, "web", slice_of(web), true, NULL) == 0);
    snprintf(folder, sizeof folder, "%s/channels", home);
    int n = scandir(folder, &names, is_name, alphasort);
    for (int i = 0; i < n; i++) {
        if (k->count < KINDS_MAX) {
            read_one(k, home, names[i]->d_name);
        } else {
            log_error("channels", "type %s is left out: there are %d already",
                      names[i]->d_name, KINDS_MAX);
        }
        free(names[i]);
    }
    free(names);
    return k;
}

void kinds_free(struct kinds *k)
{
    if (k) {
        arena_free(k->arena);
        mem_free(k);
    }
}

size_t kinds_count(const struct kinds *k)
{
    return k->count;
}

const struct kind *kinds_at(const struct kinds *k, size_t i)
{
    must(i < k->count);
    return &k->at[i];
}

const struct kind *kinds_find(const struct kinds *k, struct slice name)
{
    for (size_t i = 0; i < k->count; i++) {
        if (slice_is(name, k->at[i].name)) {
            return &k->at[i];
        }
    }
    return NULL;
}

/* --- settings --- */

static bool is_choice(const struct kind_field *f, struct slice value)
{
    for (const struct json *c = f->choices->first; c; c = c->next) {
        if (json_is(c, JSON_STRING) && slice_eq(c->text, value)) {
            return true;
        }
    }
    return false;
}

static const char *why_wrong(const struct kind_field *f, const struct json *v)
{
    if (f->type == KIND_INTEGER) {
        return !json_is(v, JSON_INT) ? "must be a whole number"
               : f->wrong            ? f->wrong(v)
                                     : NULL;
    }
    if (f->type == KIND_BOOLEAN) {
        return json_is(v, JSON_BOOL) ? NULL : "must be true or false";
    }
    if (!json_is(v, JSON_STRING)) {
        return "must be a text";
    }
    if (v->text.len > KIND_VALUE_MAX) {
        return "is too long";
    }
    if (f->wrong) {
        return f->wrong(v);
    }
    return f->type == KIND_CHOICE && !is_choice(f, v->text)
               ? "must be one of its choices"
               : NULL;
}

static bool is_empty(const struct json *v)
{
    return !v || json_is(v, JSON_NULL) ||
           (json_is(v, JSON_STRING) && v->text.len == 0);
}

static bool is_hidden(const struct json *v)
{
    return json_is(v, JSON_STRING) && slice_is(v->text, KIND_HIDDEN);
}

int kind_merge(const struct kind *k, const struct json *given,
               struct kind_values was, struct jsonw *config,
               struct jsonw *secrets, struct err *e)
{
    jsonw_open(config, '{');
    jsonw_open(secrets, '{');
    for (size_t i = 0; i < k->count; i++) {
        const struct kind_field *f = &k->fields[i];
        bool is_secret = f->type == KIND_SECRET;
        const struct json *v = json_get(given, f->name);
        if (!v || (is_secret && is_hidden(v))) {
            v = json_get(is_secret ? was.secrets : was.config, f->name);
        }
        const char *why = !is_empty(v)  ? why_wrong(f, v)
                          : f->required ? "is missing"
                                        : NULL;
        if (why) {
            char field[sizeof e->field];
            snprintf(field, sizeof field, "config.%s", f->name);
            return err_field(e, ERR_UNPROCESSABLE, field, "%s %s", field, why);
        }
        if (!is_empty(v)) {
            jsonw_key(is_secret ? secrets : config, f->name);
            jsonw_value(is_secret ? secrets : config, v);
        }
    }
    jsonw_close(config, '}');
    jsonw_close(secrets, '}');
    return config->failed ? config->failed : secrets->failed;
}

static const struct kind_field *field_find(const struct kind *k,
                                           struct slice name)
{
    for (size_t i = 0; k && i < k->count; i++) {
        if (slice_is(name, k->fields[i].name)) {
            return &k->fields[i];
        }
    }
    return NULL;
}

void kind_show(const struct kind *k, struct kind_values v, struct jsonw *w,
               struct arena *a)
{
    const struct json *c =
        json_is(v.config, JSON_OBJECT) ? v.config->first : NULL;
    const struct json *s =
        json_is(v.secrets, JSON_OBJECT) ? v.secrets->first : NULL;
    jsonw_open(w, '{');
    for (; c; c = c->next) {
        const struct kind_field *f = field_find(k, c->key);
        /* Older settings, or those of a schema that has become stricter. */
        if ((k && !f) || (f && f->type == KIND_SECRET)) {
            continue;
        }
        jsonw_key(w, slice_dup(a, c->key).at);
        jsonw_value(w, c);
    }
    for (; s; s = s->next) {
        jsonw_put_text(w, slice_dup(a, s->key).at, SLICE(KIND_HIDDEN));
    }
    jsonw_close(w, '}');
}
