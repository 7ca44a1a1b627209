/* SPDX-License-Identifier: Apache-2.0 */
/* lint.c - unknown functions of known modules, by a scan of the tokens.
 *
 * Happy path: one pass; `kv.get`, `conv:reply` and their like are looked up in
 * the tables the calls are made of. `local k = require "kv"` makes k another
 * name of kv. A name that the script binds otherwise (local, parameter, for)
 * is its own from there on, wherever that binding ends. Failure: what is not
 * Lua ends the scan; the compiler says it better.
 */
#include "script/load/lint.h"
#include "base/err.h"
#include "script/api/modules.h"
#include "script/load/token.h"
#include <string.h>

#define NAMES_MOST 200 /* bound names that matter in one file */

struct bound {
    struct slice name;
    const struct api_module *module; /* NULL = the script's own */
};
struct lint {
    struct slice file;
    struct tokens t;
    struct buf *out;
    size_t *found;
    struct bound bound[NAMES_MOST];
    size_t count;
    int failed;
};

/* --- names ---------------------------------------------------------------- */

static const struct api_module *module_of(struct slice name)
{
    if (slice_is(name, "conv"))
        return &conversation_module;
    for (const struct api_module *const *m = api_modules; *m; m++)
        if (!(*m)->is_object && slice_is(name, (*m)->name))
            return *m;
    return NULL;
}

static void bind(struct lint *l, struct slice name, const struct api_module *m)
{
    if (m != module_of(name) && l->count < NAMES_MOST)
        l->bound[l->count++] = (struct bound){name, m};
}

static const struct api_module *meant(const struct lint *l, struct slice name)
{
    for (size_t i = l->count; i-- > 0;)
        if (slice_eq(l->bound[i].name, name))
            return l->bound[i].module;
    return module_of(name);
}

/* Is the name bound somewhere as the script's own? Then nothing is said. */
static bool is_own(const struct lint *l, struct slice name)
{
    for (size_t i = 0; i < l->count; i++)
        if (slice_eq(l->bound[i].name, name) && !l->bound[i].module)
            return true;
    return false;
}

static void check_name(struct lint *l, const struct api_module *m,
                       struct slice name, int line)
{
    char text[100];
    if (name.len >= sizeof text)
        return;
    memcpy(text, name.at, name.len);
    text[name.len] = '\0';
    if (api_find(m, text))
        return;
    bool conv = m == &conversation_module;
    const char *near = api_near(m, name), *whose = conv ? "conv" : m->name;
    l->failed =
        buf_addf(l->out, "%.*s:%d: %s has no %s '%s'", SLICE_FMT(l->file), line,
                 whose, conv ? "field or method" : "function", text);
    if (near && !l->failed) {
        bool colon = api_find(m, near)->flags & API_METHOD;
        l->failed = buf_addf(l->out, " (did you mean %s%c%s?)", whose,
                             colon ? ':' : '.', near);
    }
    l->failed = l->failed ? l->failed : buf_add_char(l->out, '\n');
    ++*l->found;
}

/* --- the scan ------------------------------------------------------------- */

/* After `local`, `for` or "(" of a function: names, with commas between. The
 * token behind them has been read. Returns how many; the first in *first. */
static size_t read_names(struct lint *l, struct slice *names, size_t max)
{
    size_t n = 0;
    while (l->t.kind == TOKEN_NAME) {
        if (n < max)
            names[n++] = l->t.word;
        if (token_next(&l->t) != TOKEN_SIGN || l->t.sign != ',')
            break;
        token_next(&l->t);
    }
    return n;
}

static void bind_all(struct lint *l, const struct slice *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        bind(l, names[i], NULL);
}

/* After `function`: a name perhaps, then parameters. */
static void scan_function(struct lint *l, bool local)
{
    struct slice names[16];
    if (local && l->t.kind == TOKEN_NAME)
        bind(l, l->t.word, NULL);
    while (l->t.kind == TOKEN_NAME || token_is(&l->t, '.') ||
           token_is(&l->t, ':'))
        token_next(&l->t);
    if (!token_is(&l->t, '('))
        return;
    token_next(&l->t);
    size_t n = read_names(l, names, 16);
    for (size_t i = 0; i < n; i++)
        if (!slice_is(names[i], "conv")) /* a parameter conv is one */
            bind(l, names[i], NULL);
}

/* In `= require "kv"`, `= require("kv")`: the module; the last token read is
 * behind it. NULL for anything else. */
static const struct api_module *scan_require(struct lint *l)
{
    if (!token_is_word(&l->t, "require"))
        return NULL;
    if (token_next(&l->t) == TOKEN_SIGN && l->t.sign == '(')
        token_next(&l->t);
    const struct api_module *m =
        l->t.kind == TOKEN_TEXT && !slice_is(l->t.word, "conv")
            ? module_of(l->t.word)
            : NULL;
    if (l->t.kind == TOKEN_TEXT)
        token_next(&l->t);
    if (token_is(&l->t, ')'))
        token_next(&l->t);
    return m;
}

static void scan_local(struct lint *l)
{
    struct slice names[16];
    if (token_is_word(&l->t, "function")) {
        token_next(&l->t);
        scan_function(l, true);
        return;
    }
    size_t n = read_names(l, names, 16), i = 0;
    bool more = token_is(&l->t, '=');
    while (more && i < n) {
        token_next(&l->t);
        struct slice word = l->t.kind == TOKEN_NAME ? l->t.word : SLICE("");
        const struct api_module *m = scan_require(l);
        if (!m && slice_eq(word, names[i]) &&
            !strchr(".:(", token_peek(&l->t, 0)))
            m = module_of(word); /* local kv = kv */
        if (!m)
            break;
        bind(l, names[i++], m);
        more = token_is(&l->t, ',');
    }
    bind_all(l, names + i, n - i);
}

/* A name that begins an expression: is it a module's field? */
static void scan_use(struct lint *l)
{
    struct slice word = l->t.word;
    int line = l->t.line;
    const struct api_module *m = is_own(l, word) ? NULL : meant(l, word);
    token_next(&l->t);
    while (token_is(&l->t, '.') || token_is(&l->t, ':')) {
        if (token_next(&l->t) != TOKEN_NAME)
            return;
        struct slice field = l->t.word;
        token_next(&l->t);
        if (m)
            check_name(l, m, field, line);
        m = NULL; /* of what the field holds nothing is known */
        line = l->t.line;
    }
}

int lint_source(struct slice file, struct slice text, struct buf *out,
                size_t *found)
{
    struct slice names[16];
    struct lint l = {.file = file,
                     .t = {.text = text, .line = 1},
                     .out = out,
                     .found = found};
    token_next(&l.t);
    while (l.t.kind != TOKEN_END && !l.failed) {
        if (token_is(&l.t, '.') || token_is(&l.t, ':')) { /* of an expression */
            if (token_next(&l.t) == TOKEN_NAME)
                token_next(&l.t);
        } else if (l.t.kind != TOKEN_NAME) {
            token_next(&l.t);
        } else if (token_is_word(&l.t, "local")) {
            token_next(&l.t);
            scan_local(&l);
        } else if (token_is_word(&l.t, "function")) {
            token_next(&l.t);
            scan_function(&l, false);
        } else if (token_is_word(&l.t, "for")) {
            token_next(&l.t);
            bind_all(&l, names, read_names(&l, names, 16));
        } else {
            scan_use(&l);
        }
    }
    return l.failed;
}
