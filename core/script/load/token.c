/* SPDX-License-Identifier: Apache-2.0 */
/* token.c - reading tokens.
 *
 * Happy path: one look at each character. Failure: a quote or a long bracket
 * that is not closed goes on to the end.
 */
#include "script/load/token.h"
#include <string.h>

char token_peek(const struct tokens *l, size_t ahead)
{
    return l->at + ahead < l->text.len ? l->text.at[l->at + ahead] : '\0';
}

static void skip_one(struct tokens *l)
{
    l->line += token_peek(l, 0) == '\n';
    l->at++;
}

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (c >= '0' && c <= '9');
}

/* At "[", the number of "=" if a long bracket begins here, else -1. */
static int long_level(const struct tokens *l)
{
    int n = 0;
    while (token_peek(l, (size_t)n + 1) == '=')
        n++;
    return token_peek(l, (size_t)n + 1) == '[' ? n : -1;
}

static void read_long(struct tokens *l, int level)
{
    l->at += (size_t)level + 2;
    size_t from = l->at;
    for (; l->at < l->text.len; skip_one(l)) {
        int n = 0;
        if (token_peek(l, 0) != ']')
            continue;
        while (token_peek(l, (size_t)n + 1) == '=')
            n++;
        if (n == level && token_peek(l, (size_t)n + 1) == ']')
            break;
    }
    l->word = (struct slice){l->text.at + from, l->at - from};
    l->at += (size_t)level + 2;
    l->kind = TOKEN_TEXT;
}

static void read_quoted(struct tokens *l)
{
    char quote = token_peek(l, 0);
    size_t from = ++l->at;
    for (; l->at < l->text.len && token_peek(l, 0) != quote; skip_one(l))
        if (token_peek(l, 0) == '\\')
            skip_one(l);
    if (l->at > l->text.len)
        l->at = l->text.len;
    l->word = (struct slice){l->text.at + from, l->at - from};
    l->at++;
    l->kind = TOKEN_TEXT;
}

static void read_name(struct tokens *l)
{
    size_t from = l->at;
    while (is_name_char(token_peek(l, 0)))
        l->at++;
    l->word = (struct slice){l->text.at + from, l->at - from};
    l->kind = TOKEN_NAME;
}

static void skip_comment(struct tokens *l)
{
    l->at += 2;
    int level = token_peek(l, 0) == '[' ? long_level(l) : -1;
    if (level >= 0)
        read_long(l, level);
    else
        while (l->at < l->text.len && token_peek(l, 0) != '\n')
            l->at++;
}

enum token_kind token_next(struct tokens *l)
{
    for (;;) {
        char c = token_peek(l, 0);
        if (l->at >= l->text.len)
            return l->kind = TOKEN_END;
        if (c == '-' && token_peek(l, 1) == '-')
            skip_comment(l);
        else if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
            skip_one(l);
        else
            break;
    }
    l->kind = TOKEN_SIGN;
    l->sign = token_peek(l, 0);
    if (is_name_char(l->sign))
        read_name(l);
    else if (l->sign == '"' || l->sign == '\'')
        read_quoted(l);
    else if (l->sign == '[' && long_level(l) >= 0)
        read_long(l, long_level(l));
    else if (l->sign == '.' && token_peek(l, 1) == '.') {
        l->at += token_peek(l, 2) == '.' ? 3 : 2;
        l->sign = '~'; /* ".." and "..." begin no field */
    } else if (strchr("=~<>", l->sign) && token_peek(l, 1) == '=') {
        l->at += 2;
        l->sign = '?';
    } else
        l->at++;
    return l->kind;
}

bool token_is(const struct tokens *l, char sign)
{
    return l->kind == TOKEN_SIGN && l->sign == sign;
}

bool token_is_word(const struct tokens *l, const char *word)
{
    return l->kind == TOKEN_NAME && slice_is(l->word, word);
}
