/* SPDX-License-Identifier: Apache-2.0 */
/* lint.c - unknown functions of known modules, by a scan of the tokens.
 *
 * Happy path: one pass; `kv.get`, `conv:reply` and their like are looked up in
 * the tables the calls are made of. `local k = require "kv"` makes k another
 * name of kv. A name that the script binds otherwise (local, parameter, for)
 * is its own from there on, wherever that binding ends. Failure: what is not
 * Lua ends the scan; the compiler says it better.
 */
#include "script/lint.h"
#include "base/err.h"
#include "script/modules.h"
#include <string.h>

#define NAMES_MOST 200 /* bound names that matter in one file */

enum kind { TOKEN_END, TOKEN_NAME, TOKEN_TEXT, TOKEN_SIGN };
struct bound {
    struct slice name;
    const struct api_module *module; /* NULL = the script's own */
};
struct lint {
    struct slice file, text;
    struct buf *out;
    size_t *found;
    size_t at;
    int line;
    /* the token read last */
    enum kind token;
    struct slice word; /* NAME; TEXT: what is between the quotes */
    char sign;         /* SIGN */
    struct bound bound[NAMES_MOST];
    size_t count;
    int failed;
};

/* --- tokens --------------------------------------------------------------- */

static char peek(const struct lint *l, size_t ahead)
{
    return l->at + ahead < l->text.len ? l->text.at[l->at + ahead] : '\0';
}

static void skip_one(struct lint *l)
{
    l->line += peek(l, 0) == '\n';
    l->at++;
}

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (c >= '0' && c <= '9');
}

/* At "[", the number of "=" if a long bracket begins here, else -1. */
static int long_level(const struct lint *l)
{
    int n = 0;
    while (peek(l, (size_t)n + 1) == '=')
        n++;
    return peek(l, (size_t)n + 1) == '[' ? n : -1;
}

static void read_long(struct lint *l, int level)
{
    l->at += (size_t)level + 2;
    size_t from = l->at;
    for (; l->at < l->text.len; skip_one(l)) {
        int n = 0;
        if (peek(l, 0) != ']')
            continue;
        while (peek(l, (size_t)n + 1) == '=')
            n++;
        if (n == level && peek(l, (size_t)n + 1) == ']')
            break;
    }
    l->word = (struct slice){l->text.at + from, l->at - from};
    l->at += (size_t)level + 2;
    l->token = TOKEN_TEXT;
}

static void read_quoted(struct lint *l)
{
    char quote = peek(l, 0);
    size_t from = ++l->at;
    for (; l->at < l->text.len && peek(l, 0) != quote; skip_one(l))
        if (peek(l, 0) == '\\')
            skip_one(l);
    if (l->at > l->text.len)
        l->at = l->text.len;
    l->word = (struct slice){l->text.at + from, l->at - from};
    l->at++;
    l->token = TOKEN_TEXT;
}

static void read_name(struct lint *l)
{
    size_t from = l->at;
    while (is_name_char(peek(l, 0)))
        l->at++;
    l->word = (struct slice){l->text.at + from, l->at - from};
    l->token = TOKEN_NAME;
}

static void skip_comment(struct lint *l)
{
    l->at += 2;
    int level = peek(l, 0) == '[' ? long_level(l) : -1;
    if (level >= 0)
        read_long(l, level);
    else
        while (l->at < l->text.len && peek(l, 0) != '\n')
            l->at++;
}

static enum kind next(struct lint *l)
{
    for (;;) {
        char c = peek(l, 0);
        if (l->at >= l->text.len)
            return l->token = TOKEN_END;
        if (c == '-' && peek(l, 1) == '-')
            skip_comment(l);
        else if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
            skip_one(l);
        else
            break;
    }
    l->token = TOKEN_SIGN;
    l->sign = peek(l, 0);
    if (is_name_char(l->sign))
        read_name(l);
    else if (l->sign == '"' || l->sign == '\'')
        read_quoted(l);
    else if (l->sign == '[' && long_level(l) >= 0)
        read_long(l, long_level(l));
    else if (l->sign == '.' && peek(l, 1) == '.') {
        l->at += peek(l, 2) == '.' ? 3 : 2;
        l->sign = '~'; /* ".." and "..." begin no field */
    } else
        l->at++;
    return l->token;
}

static bool is_sign(const struct lint *l, char c)
{
    return l->token == TOKEN_SIGN && l->sign == c;
}

static bool is_word(const struct lint *l, const char *word)
{
    return l->token == TOKEN_NAME && slice_is(l->word, word);
}

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
    while (l->token == TOKEN_NAME) {
        if (n < max)
            names[n++] = l->word;
        if (next(l) != TOKEN_SIGN || l->sign != ',')
            break;
        next(l);
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
    if (local && l->token == TOKEN_NAME)
        bind(l, l->word, NULL);
    while (l->token == TOKEN_NAME || is_sign(l, '.') || is_sign(l, ':'))
        next(l);
    if (!is_sign(l, '('))
        return;
    next(l);
    size_t n = read_names(l, names, 16);
    for (size_t i = 0; i < n; i++)
        if (!slice_is(names[i], "conv")) /* a parameter conv is one */
            bind(l, names[i], NULL);
}

/* In `= require "kv"`, `= require("kv")`: the module; the last token read is
 * behind it. NULL for anything else. */
static const struct api_module *scan_require(struct lint *l)
{
    if (!is_word(l, "require"))
        return NULL;
    if (next(l) == TOKEN_SIGN && l->sign == '(')
        next(l);
    const struct api_module *m =
        l->token == TOKEN_TEXT && !slice_is(l->word, "conv")
            ? module_of(l->word)
            : NULL;
    if (l->token == TOKEN_TEXT)
        next(l);
    if (is_sign(l, ')'))
        next(l);
    return m;
}

static void scan_local(struct lint *l)
{
    struct slice names[16];
    if (is_word(l, "function")) {
        next(l);
        scan_function(l, true);
        return;
    }
    size_t n = read_names(l, names, 16), i = 0;
    bool more = is_sign(l, '=');
    while (more && i < n) {
        next(l);
        struct slice word = l->token == TOKEN_NAME ? l->word : SLICE("");
        const struct api_module *m = scan_require(l);
        if (!m && slice_eq(word, names[i]) && !strchr(".:(", peek(l, 0)))
            m = module_of(word); /* local kv = kv */
        if (!m)
            break;
        bind(l, names[i++], m);
        more = is_sign(l, ',');
    }
    bind_all(l, names + i, n - i);
}

/* A name that begins an expression: is it a module's field? */
static void scan_use(struct lint *l)
{
    struct slice word = l->word;
    int line = l->line;
    const struct api_module *m = is_own(l, word) ? NULL : meant(l, word);
    next(l);
    while (is_sign(l, '.') || is_sign(l, ':')) {
        if (next(l) != TOKEN_NAME)
            return;
        struct slice field = l->word;
        next(l);
        if (m)
            check_name(l, m, field, line);
        m = NULL; /* of what the field holds nothing is known */
        line = l->line;
    }
}

int lint_source(struct slice file, struct slice text, struct buf *out,
                size_t *found)
{
    struct slice names[16];
    struct lint l = {
        .file = file, .text = text, .out = out, .found = found, .line = 1};
    next(&l);
    while (l.token != TOKEN_END && !l.failed) {
        if (is_sign(&l, '.') || is_sign(&l, ':')) { /* of an expression */
            if (next(&l) == TOKEN_NAME)
                next(&l);
        } else if (l.token != TOKEN_NAME) {
            next(&l);
        } else if (is_word(&l, "local")) {
            next(&l);
            scan_local(&l);
        } else if (is_word(&l, "function")) {
            next(&l);
            scan_function(&l, false);
        } else if (is_word(&l, "for")) {
            next(&l);
            bind_all(&l, names, read_names(&l, names, 16));
        } else {
            scan_use(&l);
        }
    }
    return l.failed;
}
