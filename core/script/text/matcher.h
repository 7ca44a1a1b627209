/* SPDX-License-Identifier: Apache-2.0 */
/* matcher.h - many words looked for at once (Aho and Corasick).
 *
 * Why: a list of 5,000 forbidden words must not be 5,000 searches. One pass
 * over the text finds any of them, however many there are.
 *
 * Words and text are compared folded: no case, no width, no traditional form.
 * All of it lies in one block of the caller's; immutable once built.
 */
#pragma once
#include "base/buf.h"

#define MATCHER_WORDS 20000
#define MATCHER_WORD_BYTES 200
#define MATCHER_BYTES (128 * 1024) /* of all words */
#define MATCHER_TEXT_BYTES (128 * 1024)

struct matcher;
/* Bytes of the block for words of so many bytes together. */
size_t matcher_room(size_t bytes);
/* room is zeroed. words[i].len is 1 to MATCHER_WORD_BYTES, without NUL. */
struct matcher *matcher_build(void *room, const struct slice *words,
                              size_t count, size_t bytes,
                              struct arena *scratch);
struct matcher_hit {
    size_t word;     /* index */
    size_t from, to; /* bytes of the text; to is behind the last */
};
/* The first hit at or behind `from`: the leftmost, of these the longest.
 * *steps goes down; when it is used up there is no hit more. */
bool matcher_find(const struct matcher *m, struct slice text, size_t from,
                  size_t *steps, struct matcher_hit *out);
