/* SPDX-License-Identifier: Apache-2.0 */
/* read.c - a .talk file: lines, blocks, patterns, variables. */
#include "app/talk/talk.h"
#include "app/talk/web.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#define FILE_MAX (1024 * 1024)

static int slurp(struct arena *a, const char *path, struct slice *out)
{
    struct buf b;
    char chunk[8192];
    FILE *f = fopen(path, "r");
    if (!f)
        return ERR_NOT_FOUND;
    buf_init(&b, FILE_MAX);
    int bad = 0;
    for (size_t n; !bad && (n = fread(chunk, 1, sizeof(chunk), f)) > 0;)
        bad = buf_add(&b, chunk, n);
    fclose(f);
    *out = slice_dup(a, buf_slice(&b));
    buf_fini(&b);
    return bad;
}

static struct slice next_line(struct slice *rest)
{
    const char *end = rest->len ? memchr(rest->at, '\n', rest->len) : NULL;
    size_t n = end ? (size_t)(end - rest->at) : rest->len;
    struct slice line = {rest->at, n};
    rest->at += end ? n + 1 : n;
    rest->len -= end ? n + 1 : n;
    return line;
}

/* "... within 2s" -> 2000, and the words are taken off. */
static int64_t take_within(struct slice *text)
{
    for (size_t i = text->len; i > 8; i--) {
        size_t at = i - 8;
        if (memcmp(text->at + at, " within ", 8) != 0)
            continue;
        char *end;
        char word[16] = "";
        size_t n = text->len - i;
        if (n == 0 || n >= sizeof(word))
            return 0;
        memcpy(word, text->at + i, n);
        double v = strtod(word, &end);
        double unit = strcmp(end, "ms") == 0  ? 1
                      : strcmp(end, "s") == 0 ? 1000
                      : strcmp(end, "m") == 0 ? 60000
                                              : 0;
        if (unit == 0 || v <= 0)
            return 0;
        *text = slice_trim((struct slice){text->at, at});
        return (int64_t)(v * unit);
    }
    return 0;
}

/* The lines between "<<<" and ">>>". */
static int take_block(struct slice *rest, int *number, struct slice *out)
{
    const char *from = rest->at;
    while (rest->len) {
        struct slice l = next_line(rest);
        (*number)++;
        if (slice_is(slice_trim(l), ">>>")) {
            *out = (struct slice){from, (size_t)(l.at - from)};
            return 0;
        }
    }
    return ERR_BAD_REQUEST;
}

int read_lines(struct arena *a, const char *path, struct line **out,
               size_t *count, int *line)
{
    struct slice rest;
    int number = 0, bad = slurp(a, path, &rest);
    size_t room = 0;
    *line = 0;
    *count = 0;
    if (bad)
        return bad;
    for (size_t i = 0; i < rest.len; i++)
        room += rest.at[i] == '\n';
    *out = arena_many(a, struct line, room + 1);
    while (rest.len) {
        struct slice text = slice_trim(next_line(&rest));
        struct line *l = &(*out)[*count];
        l->number = *line = ++number;
        if (text.len == 0 || text.at[0] == '#')
            continue;
        if (text.len > 3 && memcmp(text.at + text.len - 3, "<<<", 3) == 0) {
            text = slice_trim((struct slice){text.at, text.len - 3});
            bad = take_block(&rest, &number, &l->block);
            if (bad)
                return bad;
        }
        l->within_ms = take_within(&text);
        l->text = text;
        (*count)++;
    }
    return 0;
}

/* --- patterns --------------------------------------------------------------*/

static struct slice take_word(struct slice *s)
{
    *s = slice_trim(*s);
    size_t n = 0;
    while (n < s->len && s->at[n] != ' ' && s->at[n] != '\t')
        n++;
    struct slice w = {s->at, n};
    s->at += n;
    s->len -= n;
    return w;
}

/* "a \"quoted\" text", with \n \t \" \\; a is where it is put. */
static bool take_quoted(struct slice *s, struct arena *a, struct slice *out)
{
    *s = slice_trim(*s);
    if (s->len < 2 || s->at[0] != '"')
        return false;
    char *o = arena_text(a, s->len);
    size_t n = 0, i = 1;
    for (; i < s->len && s->at[i] != '"'; i++) {
        char c = s->at[i];
        if (c == '\\' && i + 1 < s->len) {
            c = s->at[++i];
            c = c == 'n' ? '\n' : c == 't' ? '\t' : c;
        }
        o[n++] = c;
    }
    if (i >= s->len)
        return false;
    *out = (struct slice){o, n};
    s->at += i + 1;
    s->len -= i + 1;
    return true;
}

static bool is_op(struct slice w)
{
    return slice_is(w, "=") || slice_is(w, "!=") || slice_is(w, "~") ||
           slice_is(w, "!~");
}

/* One word of a pattern against the front of the text. 1 = took an argument,
 * 0 = fits, -1 = does not fit. */
static int match_one(struct slice p, struct slice *s, struct arena *a,
                     struct slice *arg)
{
    if (slice_is(p, "TEXT"))
        return take_quoted(s, a, arg) ? 1 : -1;
    if (slice_is(p, "REST")) {
        *arg = slice_trim(*s);
        *s = (struct slice){s->at + s->len, 0};
        return arg->len ? 1 : -1;
    }
    struct slice w = take_word(s);
    if (w.len == 0)
        return -1;
    if (slice_is(p, "WHO's")) {
        if (w.len < 3 || memcmp(w.at + w.len - 2, "'s", 2) != 0)
            return -1;
        *arg = (struct slice){w.at, w.len - 2};
        return 1;
    }
    if (slice_is(p, "WHO") || slice_is(p, "WORD") || slice_is(p, "OP")) {
        *arg = w;
        bool fits = slice_is(p, "OP") ? is_op(w) : w.at[0] != '"';
        return fits ? 1 : -1;
    }
    return slice_eq(p, w) ? 0 : -1;
}

bool read_match(const char *pattern, const struct line *l, struct arena *a,
                struct slice args[TALK_ARGS])
{
    struct slice p = slice_of(pattern), s = l->text;
    bool wants_block = false;
    int n = 0;
    for (;;) {
        struct slice w = take_word(&p);
        if (w.len == 0)
            break;
        if (slice_is(w, "BLOCK")) {
            wants_block = true;
            args[n++] = l->block;
            continue;
        }
        int took = match_one(w, &s, a, &args[n]);
        if (took < 0)
            return false;
        n += took;
        must(n <= TALK_ARGS);
    }
    return slice_trim(s).len == 0 && wants_block == (l->block.at != NULL);
}

/* --- variables ------------------------------------------------------------- */

static struct slice variable(struct talk *t, struct slice name,
                             struct slice field)
{
    struct actor *who = actor_find(t, name);
    if (slice_is(name, "answer") && t->answer_json) {
        const struct json *v = step_field(t->answer_json, field);
        if (json_is(v, JSON_STRING))
            return v->text;
        if (json_is(v, JSON_INT))
            return talk_fmt(t, "%lld", (long long)v->integer);
        return SLICE("");
    }
    struct talk_web *web = talk_web_find(t, name);
    if (web) /* $shop, $shop.port */
        return talk_fmt(t,
                        slice_is(field, "port") ? "%d" : "http://127.0.0.1:%d",
                        web_port(web->web));
    if (slice_is(name, "house"))
        return talk_fmt(t, "http://127.0.0.1:%d", t->port);
    if (slice_is(name, "admin"))
        return t->admin;
    if (who && slice_is(field, "conversation"))
        return who->conversation;
    if (who && slice_is(field, "id"))
        return who->id;
    if (who && slice_is(field, "token"))
        return who->token;
    if (who && slice_is(field, "cursor"))
        return who->cursor;
    return SLICE("");
}

static size_t name_length(struct slice s)
{
    size_t n = 0;
    while (n < s.len && (isalnum((unsigned char)s.at[n]) || s.at[n] == '_'))
        n++;
    return n;
}

static struct slice replace(struct talk *t, struct slice text, bool webs_only)
{
    struct buf b;
    if (text.len == 0 || !memchr(text.at, '$', text.len))
        return text;
    buf_init(&b, FILE_MAX);
    for (size_t i = 0; i < text.len;) {
        struct slice rest = {text.at + i + 1, text.len - i - 1};
        size_t n = text.at[i] == '$' ? name_length(rest) : 0;
        if (n == 0 ||
            (webs_only && !talk_web_find(t, (struct slice){rest.at, n}))) {
            buf_add_char(&b, text.at[i++]);
            continue;
        }
        struct slice name = {rest.at, n}, field = {rest.at + n, 0};
        if (n < rest.len && rest.at[n] == '.') {
            field = (struct slice){rest.at + n + 1, rest.len - n - 1};
            size_t k = 0;
            for (size_t more; (more = name_length((struct slice){
                                   field.at + k, field.len - k})) > 0;) {
                k += more;
                if (k + 1 >= field.len || field.at[k] != '.')
                    break;
                k++;
            }
            field.len = k;
        }
        buf_add_slice(&b, variable(t, name, field));
        i += 1 + n + (field.len ? field.len + 1 : 0);
    }
    struct slice out = slice_dup(t->arena, buf_slice(&b));
    buf_fini(&b);
    return out;
}

struct slice read_variables(struct talk *t, struct slice text)
{
    return replace(t, text, false);
}

struct slice read_webs(struct talk *t, struct slice text)
{
    return replace(t, text, true);
}
