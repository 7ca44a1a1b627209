/* SPDX-License-Identifier: Apache-2.0 */
/* pattern.h - Lua's patterns, matched with a bounded number of steps.
 *
 * Why our own: the library's matcher runs in C, where no hook can stop it;
 * three ".-" over 400 characters keep it busy for seconds. This one knows the
 * same language (classes, sets, * + - ?, %b %f %1, captures) and counts.
 *
 * Pure: no Lua, no memory of its own.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PATTERN_STEPS 1000000 /* and 4 a character; about 3 ms */
#define PATTERN_CAPTURES 32
#define PATTERN_DEPTH 200
#define PATTERN_SUBJECT (1024 * 1024)

enum { CAPTURE_OPEN = -1, CAPTURE_POSITION = -2 };

struct pattern {
    const char *from, *to; /* the subject */
    const char *end;       /* of the pattern */
    uint32_t steps;        /* left */
    int depth;             /* left */
    int count;             /* captures of the last match */
    struct {
        const char *at;
        ptrdiff_t len; /* or CAPTURE_* */
    } capture[PATTERN_CAPTURES];
    const char *error; /* a sentence, NULL = all is well */
};

void pattern_init(struct pattern *p, const char *subject, size_t len,
                  const char *text, size_t text_len);
/* Tries the pattern (text may begin behind a '^') at one place. Returns the
 * end of the match, or NULL: no match, or p->error. Steps go on counting. A
 * capture may still be CAPTURE_OPEN then: "(a" matches, until it is asked for. */
const char *pattern_at(struct pattern *p, const char *at, const char *text);
