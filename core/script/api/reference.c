/* SPDX-License-Identifier: Apache-2.0 */
/* reference.c - the API's reference, written from the tables the calls are
 * made of: JSON and Markdown (the editors' half is in reference_luals.c).
 *
 * Happy path: one walk over api_modules. Failure modes: a format or a module
 * nobody knows; the caller's buffer is full.
 */
#include "script/api/reference.h"
#include "base/json.h"
#include "script/api/modules.h"
#include "script/script.h"
#include <string.h>

#define PAGE_NAME 100

int reference_call_name(struct buf *out, const struct api_module *m,
                        const struct api_call *c)
{
    if (m == &globals_module)
        return buf_add_text(out, c->name);
    if (m == &conversation_module)
        return buf_addf(out, "conv:%s", c->name);
    if (c->flags & API_METHOD)
        return buf_addf(out, "%s:%s", m->name, c->name);
    return buf_addf(out, "%s.%s", m->name, c->name);
}

/* A module's page: its name in small letters; a type that has a module's name
 * ("Secret") says that it is one. */
static int add_page_name(struct buf *out, const struct api_module *m)
{
    int got = 0;
    bool clash = false;
    for (const char *c = m->name; *c && got == 0; c++)
        got = buf_add_char(out, *c >= 'A' && *c <= 'Z' ? (char)(*c + 'a' - 'A')
                                                       : *c);
    for (const struct api_module *const *p = api_modules; *p; p++)
        clash |= *p != m && slice_is_nocase(slice_of(m->name), (*p)->name);
    return got || !clash || !m->is_object ? got : buf_add_text(out, "-type");
}

/* The text before the example, and the example ("" if there is none). */
static struct slice doc_of(const struct api_call *c, struct slice *example)
{
    const char *gap = strstr(c->doc, "\n\n");
    *example = slice_of(gap ? gap + 2 : "");
    return gap ? (struct slice){c->doc, (size_t)(gap - c->doc)}
               : slice_of(c->doc);
}

static const char *kind_of(const struct api_call *c)
{
    if (c->flags & API_FIELD)
        return "field";
    return c->flags & API_METHOD ? "method" : "function";
}

/* --- JSON ----------------------------------------------------------------- */

static void json_call(struct jsonw *w, const struct api_call *c)
{
    struct slice example, doc = doc_of(c, &example);
    jsonw_open(w, '{');
    jsonw_put_text(w, "name", slice_of(c->name));
    jsonw_put_text(w, "kind", slice_of(kind_of(c)));
    jsonw_put_text(w, c->flags & API_FIELD ? "type" : "signature",
                   slice_of(c->signature));
    jsonw_put_text(w, "doc", doc);
    if (example.len)
        jsonw_put_text(w, "example", example);
    if (!(c->flags & API_FIELD)) {
        jsonw_put_bool(w, "waits", c->flags & API_WAITS);
        jsonw_put_bool(w, "while_loading", c->where & API_LOAD);
        jsonw_key(w, "hooks");
        jsonw_open(w, '[');
        for (int h = 0; h < HOOK_COUNT; h++)
            if (c->where & API_IN(h))
                jsonw_text(w, slice_of(hook_name((enum hook)h)));
        jsonw_close(w, ']');
    }
    jsonw_put_text(w, "since", slice_of(c->since));
    jsonw_close(w, '}');
}

static int write_json(struct buf *out, const struct api_module *only)
{
    struct buf page;
    struct jsonw w = jsonw_on(out);
    buf_init(&page, PAGE_NAME);
    jsonw_open(&w, '[');
    for (const struct api_module *const *m = api_modules; *m; m++) {
        if (only && *m != only)
            continue;
        jsonw_open(&w, '{');
        jsonw_put_text(&w, "name", slice_of((*m)->name));
        jsonw_put_text(&w, "kind",
                       slice_of((*m)->is_object ? "type" : "module"));
        jsonw_put_text(&w, "doc", slice_of((*m)->doc));
        buf_clear(&page);
        must(add_page_name(&page, *m) == 0);
        jsonw_put_text(&w, "page", buf_slice(&page));
        jsonw_key(&w, "calls");
        jsonw_open(&w, '[');
        for (const struct api_call *c = (*m)->calls; c->name; c++)
            json_call(&w, c);
        jsonw_close(&w, ']');
        jsonw_close(&w, '}');
    }
    jsonw_close(&w, ']');
    buf_fini(&page);
    return w.failed;
}

/* --- Markdown ------------------------------------------------------------- */

/* A cell of a table: no bar, no line's end. */
static int add_cell(struct buf *out, struct slice s)
{
    int got = 0;
    for (size_t i = 0; i < s.len && got == 0; i++) {
        if (s.at[i] == '|')
            got = buf_add_text(out, "\\|");
        else
            got = buf_add_char(out, s.at[i] == '\n' ? ' ' : s.at[i]);
    }
    return got;
}

/* `code` in a cell; bars in it are escaped all the same. */
static int add_code(struct buf *out, struct slice s)
{
    int got = buf_add_char(out, '`');
    got = got ? got : add_cell(out, s);
    return got ? got : buf_add_char(out, '`');
}

static int add_where(struct buf *out, const struct api_call *c)
{
    unsigned hooks = c->where & API_HANDLERS;
    int got = 0, listed = 0;
    bool rules = !(hooks & API_ADAPTERS);
    unsigned all = rules ? API_RULES : API_HANDLERS;
    bool most = __builtin_popcount(hooks) > __builtin_popcount(all & ~hooks);
    if (c->flags & API_WAITS)
        got = buf_add_text(out, "*Waits.* ");
    if (c->where == API_LOAD)
        return got ? got : buf_add_text(out, "At the top of a file.");
    if ((c->where & API_ANYWHERE) == API_ANYWHERE)
        return got ? got : buf_add_text(out, "Everywhere.");
    if (hooks == all)
        return got ? got
                   : buf_add_text(out, rules ? "In rules and flows."
                                             : "In handlers.");
    if (!got)
        got = buf_add_text(out, !most   ? "In"
                                : rules ? "In rules and flows, but not in"
                                        : "In handlers, but not in");
    for (int h = 0; h < HOOK_COUNT && got == 0; h++)
        if ((all & API_IN(h)) && !(hooks & API_IN(h)) == most)
            got = buf_addf(out, "%s `%s`", listed++ ? "," : "",
                           hook_name((enum hook)h));
    return got ? got : buf_add_char(out, '.');
}

/* "kv.set(key, value, ttl?)" */
static int add_heading(struct buf *out, const struct api_module *m,
                       const struct api_call *c)
{
    struct prototype s;
    must(prototype_read(c->signature, &s));
    int got = buf_add_text(out, "\n## ");
    got = got ? got : reference_call_name(out, m, c);
    got = got ? got : buf_add_char(out, '(');
    for (size_t i = 0; i < s.param_count && got == 0; i++)
        got = buf_addf(out, "%s%.*s%s", i ? ", " : "",
                       SLICE_FMT(s.params[i].name),
                       s.params[i].optional ? "?" : "");
    return got ? got : buf_add_text(out, ")\n\n");
}

static int add_call(struct buf *out, const struct api_module *m,
                    const struct api_call *c)
{
    struct slice example, doc = doc_of(c, &example);
    int got = add_heading(out, m, c);
    got = got ? got : buf_addf(out, "`%s`\n\n", c->signature);
    got = got ? got : buf_add_slice(out, doc);
    got = got ? got : buf_add_text(out, "\n\n");
    if (example.len && got == 0)
        got = buf_addf(out, "```lua\n%.*s\n```\n\n", SLICE_FMT(example));
    got = got ? got : add_where(out, c);
    return got ? got : buf_add_char(out, '\n');
}

static int add_fields(struct buf *out, const struct api_module *m)
{
    int got = 0, n = 0;
    for (const struct api_call *c = m->calls; c->name && got == 0; c++) {
        struct slice example, doc = doc_of(c, &example);
        if (!(c->flags & API_FIELD))
            continue;
        if (n++ == 0)
            got = buf_add_text(out, "\n| field | type | |\n|---|---|---|\n");
        got = got ? got : buf_addf(out, "| `%s` | ", c->name);
        got = got ? got : add_code(out, slice_of(c->signature));
        got = got ? got : buf_add_text(out, " | ");
        got = got ? got : add_cell(out, doc);
        got = got ? got : buf_add_text(out, " |\n");
    }
    return got;
}

static const char generated[] =
    "<!-- Generated by `yuelai api` from the tables in core/script; do not "
    "edit. -->\n";

static int write_page(struct buf *out, const struct api_module *m)
{
    int got = buf_addf(out, "%s# %s\n\n%s\n", generated, m->name, m->doc);
    got = got ? got : add_fields(out, m);
    for (const struct api_call *c = m->calls; c->name && got == 0; c++)
        if (!(c->flags & API_FIELD))
            got = add_call(out, m, c);
    return got;
}

static struct slice first_sentence(const char *doc)
{
    const char *end = strstr(doc, ". ");
    return end ? (struct slice){doc, (size_t)(end - doc) + 1} : slice_of(doc);
}

static int add_index(struct buf *out, bool objects)
{
    int got = buf_addf(out, "\n| %s | | |\n|---|---|---|\n",
                       objects ? "type" : "module");
    for (const struct api_module *const *m = api_modules; *m && !got; m++) {
        int n = 0;
        if (((*m)->is_object && *m != &globals_module) != objects)
            continue;
        got = buf_addf(out, "| [%s](", (*m)->name);
        got = got ? got : add_page_name(out, *m);
        got = got ? got : buf_add_text(out, ".md) | ");
        got = got ? got : add_cell(out, first_sentence((*m)->doc));
        got = got ? got : buf_add_text(out, " |");
        for (const struct api_call *c = (*m)->calls; c->name && !got; c++)
            if (!(c->flags & API_FIELD))
                got = buf_addf(out, "%s `%s`", n++ ? "," : "", c->name);
        got = got ? got : buf_add_text(out, " |\n");
    }
    return got;
}

static const char head[] =
    "# The script API, version 1\n\n"
    "Modules are there by name; `require \"http\"` gives the same table. "
    "Reading a name that a\nmodule does not have raises, and `yuelai check` "
    "finds it before. Durations are `\"500ms\"`,\n`\"30s\"`, `\"10m\"`, "
    "`\"2h\"`, `\"7d\"`; times are ms since 1970. Expected trouble is\n"
    "`nil, \"code\", \"detail\"`; a mistake raises.\n\n"
    "*Waits* marks calls that let other messages go on meanwhile. They work in "
    "handlers, through\n`pcall` and through your own coroutines, but not "
    "inside a callback of `gsub` or `sort`, in a\nmetamethod, or at the top of "
    "a file. Each call says in which hooks it may be used and refuses\n"
    "elsewhere.\n";

static const char tail[] =
    "\n## Of Lua\n\n"
    "Lua 5.1 with `goto`: `assert error ipairs next pairs pcall xpcall select "
    "tonumber tostring\ntype unpack rawequal rawget rawset setmetatable "
    "getmetatable`, `string.*` without `dump`,\n`table.concat insert maxn "
    "remove sort`, `math.*`, `bit.*`, `coroutine.*`, `os.time date clock\n"
    "difftime`.\n";

static int write_index(struct buf *out)
{
    int got = buf_addf(out, "%s%s", generated, head);
    got = got ? got : add_index(out, false);
    got = got ? got : add_index(out, true);
    return got ? got : buf_add_text(out, tail);
}

/* --- all ------------------------------------------------------------------ */

int script_reference(const char *format, const char *module, struct buf *out,
                     struct err *e)
{
    const struct api_module *m = NULL;
    int got;
    if (module && *module) {
        m = api_module_find(module);
        for (const struct api_module *const *p = api_modules; *p && !m; p++)
            if (slice_is_nocase(slice_of(module), (*p)->name))
                m = *p;
        if (!m)
            return err_set(e, ERR_NOT_FOUND, "There is no module %s.", module);
    }
    if (strcmp(format, "json") == 0)
        got = write_json(out, m);
    else if (strcmp(format, "markdown") == 0)
        got = m ? write_page(out, m) : write_index(out);
    else if (strcmp(format, "luals") == 0)
        got = reference_luals(out, m);
    else if (strcmp(format, "luacheck") == 0)
        got = reference_luacheck(out);
    else
        return err_set(e, ERR_BAD_REQUEST,
                       "A format is json, markdown, luals or luacheck.");
    if (got < 0)
        return err_set(e, got, "The reference is too long.");
    return 0;
}
