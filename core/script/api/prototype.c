/* SPDX-License-Identifier: Apache-2.0 */
/* prototype.c - LuaLS signatures taken apart.
 *
 * Happy path: one pass that counts brackets. Failure: anything that does not
 * begin with "(" and close it, or has more than PROTOTYPE_PARTS parts.
 */
#include "script/api/reference.h"
#include <string.h>

static struct slice trimmed(const char *from, const char *to)
{
    return slice_trim((struct slice){from, (size_t)(to - from)});
}

/* From `at` to the first of `ends` outside of brackets, or the text's end. */
static const char *skip(const char *at, const char *ends)
{
    int depth = 0;
    bool quoted = false;
    for (; *at; at++) {
        if (*at == '"')
            quoted = !quoted;
        if (quoted)
            continue;
        if (depth == 0 && strchr(ends, *at))
            return at;
        depth += strchr("({[<", *at) != NULL;
        depth -= strchr(")}]>", *at) != NULL;
    }
    return at;
}

/* "ttl?: Duration" */
static struct part param_of(const char *from, const char *to)
{
    struct part p = {.type = SLICE("any")};
    const char *colon = skip(from, ":");
    p.name = trimmed(from, colon < to ? colon : to);
    if (colon < to)
        p.type = trimmed(colon + 1, to);
    p.optional = p.name.len && p.name.at[p.name.len - 1] == '?';
    p.name.len -= p.optional;
    return p;
}

/* The parts up to `end`; false: too many. */
static bool split(const char *at, char end, bool named, struct part *out,
                  size_t *count)
{
    const char ends[] = {',', end, '\0'};
    for (;;) {
        const char *to = skip(at, ends);
        if (trimmed(at, to).len) {
            if (*count == PROTOTYPE_PARTS)
                return false;
            out[*count] = named ? param_of(at, to)
                                : (struct part){.type = trimmed(at, to)};
            (*count)++;
        }
        if (*to != ',')
            return true;
        at = to + 1;
    }
}

bool prototype_read(const char *text, struct prototype *out)
{
    *out = (struct prototype){.param_count = 0};
    if (*text != '(')
        return false;
    const char *close = skip(text + 1, ")");
    if (*close != ')' ||
        !split(text + 1, ')', true, out->params, &out->param_count))
        return false;
    struct slice rest = slice_trim(slice_of(close + 1));
    if (!rest.len)
        return true;
    return rest.at[0] == ':' && rest.len > 1 &&
           split(rest.at + 1, '\0', false, out->results, &out->result_count);
}
