/* SPDX-License-Identifier: Apache-2.0 */
/* flow_lint.c - one pass over the tokens with a stack of what is open.
 *
 * Happy path: brackets and blocks are followed, so that it is known whether a
 * name stands in a function, in the body of run or enter, or within the
 * brackets of flow.step. Failure modes: nested deeper than OPEN_MOST, or what
 * is no Lua: the scan ends, the compiler says it better.
 */
#include "script/load/flow_lint.h"
#include "base/err.h"
#include "script/api/modules.h"
#include "script/load/token.h"
#include <string.h>

#define OPEN_MOST 200
#define NAMES_MOST 200

enum open { OPEN_BLOCK, OPEN_FUNCTION, OPEN_BODY, OPEN_BRACKET, OPEN_STEP };
struct flint {
    struct slice file;
    struct tokens t;
    struct buf *out;
    size_t *found;
    enum open open[OPEN_MOST];
    size_t depth;
    int functions, bodies, steps; /* of those that are open */
    struct slice shared[NAMES_MOST], own[NAMES_MOST]; /* file's; functions' */
    size_t shared_count, own_count;
    struct slice key; /* NAME before "=": whose value comes */
    bool awaits_do;   /* for, while: their do opens no block of its own */
    bool starts;      /* a statement may begin here */
    bool step_next;   /* flow.step or flow.saga: its bracket comes */
    bool over;
    int failed;
};

static void say(struct flint *l, int line, const char *fmt, struct slice name)
{
    if (!l->failed)
        l->failed = buf_addf(l->out, "%.*s:%d: ", SLICE_FMT(l->file), line);
    /* fmt is one of this file's own, with one %.*s */
    const char *hole = strstr(fmt, "%s");
    must(hole);
    if (!l->failed)
        l->failed = buf_add(l->out, fmt, (size_t)(hole - fmt));
    if (!l->failed)
        l->failed = buf_add_slice(l->out, name);
    if (!l->failed)
        l->failed = buf_addf(l->out, "%s\n", hole + 2);
    ++*l->found;
}

/* --- what is open --------------------------------------------------------- */

static void count(struct flint *l, enum open o, int by)
{
    l->functions += (o == OPEN_FUNCTION || o == OPEN_BODY) ? by : 0;
    l->bodies += o == OPEN_BODY ? by : 0;
    l->steps += o == OPEN_STEP ? by : 0;
}

static void push(struct flint *l, enum open o)
{
    if (l->depth == OPEN_MOST) {
        l->over = true;
        return;
    }
    l->open[l->depth++] = o;
    count(l, o, 1);
}

static void pop(struct flint *l)
{
    if (l->depth == 0)
        l->over = true;
    else
        count(l, l->open[--l->depth], -1);
}

static bool in_brackets(const struct flint *l)
{
    return l->depth && l->open[l->depth - 1] >= OPEN_BRACKET;
}

/* --- names ---------------------------------------------------------------- */

static bool has(const struct slice *names, size_t n, struct slice name)
{
    for (size_t i = 0; i < n; i++)
        if (slice_eq(names[i], name))
            return true;
    return false;
}

static void remember(struct flint *l, struct slice name)
{
    if (slice_is(name, "conv"))
        return; /* a parameter conv is the one everybody means */
    if (l->functions == 0 && l->shared_count < NAMES_MOST)
        l->shared[l->shared_count++] = name;
    else if (l->functions && l->own_count < NAMES_MOST)
        l->own[l->own_count++] = name;
}

/* Names with commas between; the token behind them has been read. */
static void read_names(struct flint *l)
{
    while (l->t.kind == TOKEN_NAME) {
        remember(l, l->t.word);
        if (token_next(&l->t) != TOKEN_SIGN || l->t.sign != ',')
            break;
        token_next(&l->t);
    }
}

/* --- functions ------------------------------------------------------------ */

/* run = function, enter = function: what is played again. */
static bool is_body(const struct flint *l, struct slice name)
{
    return l->functions == 0 && l->steps == 0 &&
           (slice_is(name, "run") || slice_is(name, "enter"));
}

/* A saga's steps have a run too: a table with an undo or in a list. */
static bool is_saga_step(const struct flint *l)
{
    size_t brackets = 0;
    while (brackets < l->depth &&
           l->open[l->depth - 1 - brackets] == OPEN_BRACKET)
        brackets++;
    return brackets > 1 && slice_is(l->key, "run");
}

/* Behind `function`. */
static void scan_function(struct flint *l, bool local)
{
    struct slice name = l->key;
    bool named = l->t.kind == TOKEN_NAME;
    if (named)
        name = l->t.word;
    if (named && local)
        remember(l, name);
    bool body = is_body(l, name) && (named || !is_saga_step(l));
    while (l->t.kind == TOKEN_NAME || token_is(&l->t, '.') ||
           token_is(&l->t, ':'))
        token_next(&l->t);
    push(l, body ? OPEN_BODY : OPEN_FUNCTION);
    if (token_is(&l->t, '(')) {
        token_next(&l->t);
        read_names(l);
    }
    while (l->t.kind != TOKEN_END && !token_is(&l->t, ')'))
        token_next(&l->t); /* "..." */
    token_next(&l->t);
    l->starts = true;
    l->key = SLICE("");
}

/* --- uses ----------------------------------------------------------------- */

static bool varies(const struct api_module *m, struct slice field)
{
    char text[60];
    if (field.len >= sizeof text)
        return false;
    memcpy(text, field.at, field.len);
    text[field.len] = '\0';
    const struct api_call *c = api_find(m, text);
    return c && c->flags & (API_WAITS | API_VARIES) &&
           strcmp(text, "sleep") != 0;
}

static const struct api_module *module_of(struct slice name)
{
    if (slice_is(name, "conv"))
        return &conversation_module;
    for (const struct api_module *const *m = api_modules; *m; m++)
        if (!(*m)->is_object && slice_is(name, (*m)->name))
            return *m;
    return NULL;
}

static void check_use(struct flint *l, struct slice name, struct slice field,
                      int line)
{
    const struct api_module *m = module_of(name);
    bool clock = slice_is(name, "os") && slice_is(field, "clock");
    struct slice whole = {name.at, (size_t)(field.at + field.len - name.at)};
    l->step_next = slice_is(name, "flow") &&
                   (slice_is(field, "step") || slice_is(field, "saga"));
    if (!l->bodies || l->steps || has(l->own, l->own_count, name))
        return;
    if (clock || (m && varies(m, field)))
        say(l, line,
            "in a flow put %s into flow.step(name, function() ... end) so that "
            "its result is kept",
            whole);
}

/* `name = `, `name.x = `, `name[i] = ` where a statement begins. */
static void check_write(struct flint *l, struct slice name, int line)
{
    bool shared = has(l->shared, l->shared_count, name);
    if (!shared || !l->functions || l->steps || has(l->own, l->own_count, name))
        return;
    say(l, line,
        "'%s' is shared by all runs of this flow and forgotten at each "
        "restart: keep it in a local inside of run",
        name);
}

/* Over "[...]"; the token behind it has been read. */
static void skip_index(struct flint *l)
{
    int open = 0;
    do {
        open += token_is(&l->t, '[') - token_is(&l->t, ']');
        token_next(&l->t);
    } while (open > 0 && l->t.kind != TOKEN_END);
}

/* A name that begins an expression or a statement. */
static void scan_name(struct flint *l, bool statement)
{
    struct slice name = l->t.word;
    int line = l->t.line;
    bool first = true, simple = true;
    token_next(&l->t);
    while (token_is(&l->t, '.') || token_is(&l->t, ':') ||
           (statement && token_is(&l->t, '['))) {
        if (token_is(&l->t, '[')) {
            skip_index(l);
            continue;
        }
        if (token_next(&l->t) != TOKEN_NAME)
            return;
        if (first)
            check_use(l, name, l->t.word, line);
        first = simple = false;
        token_next(&l->t);
    }
    /* local step = flow.step */
    l->step_next |=
        simple && (slice_is(name, "step") || slice_is(name, "saga"));
    l->key = simple && token_is(&l->t, '=') ? name : SLICE("");
    if (statement && token_is(&l->t, '='))
        check_write(l, name, line);
}

/* --- the scan ------------------------------------------------------------- */

static void scan_sign(struct flint *l)
{
    char c = l->t.sign;
    bool step = l->step_next && (c == '(' || c == '{');
    if (c == '(' || c == '{' || c == '[')
        push(l, step ? OPEN_STEP : OPEN_BRACKET);
    else if (c == ')' || c == '}' || c == ']')
        pop(l);
    l->step_next = false;
    l->starts = c == ';' || c == ')' || c == ']' || c == '}';
    if (c != '=')
        l->key = SLICE("");
    token_next(&l->t);
}

static void scan_local(struct flint *l)
{
    if (token_is_word(&l->t, "function")) {
        token_next(&l->t);
        scan_function(l, true);
        return;
    }
    struct slice name = l->t.kind == TOKEN_NAME ? l->t.word : SLICE("");
    read_names(l);
    l->key = name;
    l->starts = !token_is(&l->t, '=');
}

/* True: it was a word of the language's own. */
static bool scan_keyword(struct flint *l)
{
    static const char *const rest[] = {
        "and", "break", "else", "elseif", "false", "goto", "in",
        "nil", "not",   "or",   "return", "then",  "true", NULL};
    struct tokens *t = &l->t;
    bool opens = token_is_word(t, "if") || token_is_word(t, "repeat");
    bool loops = token_is_word(t, "for") || token_is_word(t, "while");
    bool does = token_is_word(t, "do");
    bool ends = token_is_word(t, "end") || token_is_word(t, "until");
    bool known = opens || loops || does || ends;
    for (int i = 0; rest[i] && !known; i++)
        known = token_is_word(t, rest[i]);
    if (!known)
        return false;
    if (opens || loops || (does && !l->awaits_do))
        push(l, OPEN_BLOCK);
    if (ends)
        pop(l);
    l->awaits_do = loops || (l->awaits_do && !does);
    l->starts = does || ends || token_is_word(t, "then") ||
                token_is_word(t, "else") || token_is_word(t, "repeat");
    bool names = token_is_word(t, "for");
    token_next(t);
    if (names)
        read_names(l);
    return true;
}

static void scan_word(struct flint *l)
{
    bool statement = l->starts && !in_brackets(l);
    if (scan_keyword(l))
        return;
    if (token_is_word(&l->t, "local")) {
        token_next(&l->t);
        scan_local(l);
    } else if (token_is_word(&l->t, "function")) {
        token_next(&l->t);
        scan_function(l, false);
    } else {
        scan_name(l, statement);
        l->starts = !token_is(&l->t, '=') && !token_is(&l->t, ',');
    }
}

int flow_lint(struct slice file, struct slice text, struct buf *out,
              size_t *found)
{
    struct flint l = {.file = file,
                      .t = {.text = text, .line = 1},
                      .out = out,
                      .found = found,
                      .starts = true};
    token_next(&l.t);
    while (l.t.kind != TOKEN_END && !l.over && !l.failed) {
        if (l.t.kind == TOKEN_SIGN) {
            scan_sign(&l);
        } else if (l.t.kind == TOKEN_NAME) {
            scan_word(&l);
        } else {
            l.starts = true; /* a text may end a statement: f "x" */
            l.key = SLICE("");
            token_next(&l.t);
        }
    }
    return l.failed;
}
