/* SPDX-License-Identifier: Apache-2.0 */
/* token.h - the tokens of a Lua source, one by one, without compiling it.
 *
 * Comments and blanks are passed over. Signs are one character; ".." and "..."
 * are '~', "==", "~=", "<=" and ">=" are '?'. Pure; what is no Lua gives some
 * token or other.
 */
#pragma once
#include "base/buf.h"

enum token_kind { TOKEN_END, TOKEN_NAME, TOKEN_TEXT, TOKEN_SIGN };
struct tokens {
    struct slice text;
    size_t at; /* behind the token read last */
    int line;  /* of `at`; 1 at first */
    /* the token read last */
    enum token_kind kind;
    struct slice word; /* NAME (also a number); TEXT: between the quotes */
    char sign;         /* SIGN */
};
enum token_kind token_next(struct tokens *l);
char token_peek(const struct tokens *l, size_t ahead);
bool token_is(const struct tokens *l, char sign);
bool token_is_word(const struct tokens *l, const char *word);
