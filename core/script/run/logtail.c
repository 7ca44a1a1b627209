/* SPDX-License-Identifier: Apache-2.0 */
/* logtail.c - a ring of lines.
 *
 * Happy path: a line takes the place of the oldest one. Failure: none; what is
 * too long is cut between two characters.
 */
#include "script/run/logtail.h"
#include <string.h>

struct log_tail {
    uint32_t count; /* lines so far */
    char lines[LOGTAIL_LINES][LOGTAIL_BYTES + 1];
};

void logtail_add(struct log_tail **tail, struct slice line)
{
    if (!*tail)
        *tail = mem_alloc(sizeof **tail);
    struct log_tail *t = *tail;
    size_t n = line.len < LOGTAIL_BYTES ? line.len : LOGTAIL_BYTES;
    while (n < line.len && n > 0 && ((unsigned char)line.at[n] & 0xc0) == 0x80)
        n--; /* not in the middle of a character */
    char *to = t->lines[t->count++ % LOGTAIL_LINES];
    if (n)
        memcpy(to, line.at, n);
    to[n] = '\0';
}

char *logtail_text(const struct log_tail *t)
{
    if (!t || !t->count)
        return NULL;
    uint32_t first = t->count > LOGTAIL_LINES ? t->count - LOGTAIL_LINES : 0;
    char *text =
        mem_alloc((t->count - first) * (size_t)(LOGTAIL_BYTES + 1) + 1);
    char *to = text;
    for (uint32_t i = first; i < t->count; i++) {
        const char *line = t->lines[i % LOGTAIL_LINES];
        size_t n = strlen(line);
        memcpy(to, line, n);
        to += n;
        *to++ = '\n';
    }
    *to = '\0';
    return text;
}
