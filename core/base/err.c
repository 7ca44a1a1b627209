/* SPDX-License-Identifier: Apache-2.0 */
/* err.c - the table behind the codes, and the end of the program for bugs.
 *
 * Happy path: a caller writes `return err_set(e, ERR_X, "sentence")`.
 * Failure modes: a sentence or field name too long for its room is cut at a
 * whole UTF-8 character; a code nobody knows reads as "internal".
 */
#include "base/err.h"
#include "base/log.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *code;
    int status;
    bool may_retry;
} table[] = {
    [0] = {"ok", 200, false},
    [-ERR_BAD_REQUEST] = {"bad_request", 400, false},
    [-ERR_UNAUTHORIZED] = {"unauthorized", 401, false},
    [-ERR_FORBIDDEN] = {"forbidden", 403, false},
    [-ERR_NOT_FOUND] = {"not_found", 404, false},
    [-ERR_CONFLICT] = {"conflict", 409, false},
    [-ERR_GONE] = {"gone", 410, false},
    [-ERR_TOOBIG] = {"too_large", 413, false},
    [-ERR_UNSUPPORTED] = {"unsupported", 415, false},
    [-ERR_UNPROCESSABLE] = {"unprocessable", 422, false},
    [-ERR_RATE_LIMITED] = {"rate_limited", 429, true},
    [-ERR_INTERNAL] = {"internal", 500, false},
    [-ERR_UNAVAILABLE] = {"unavailable", 503, true},
    [-ERR_TIMEOUT] = {"timeout", 504, true},
    [-ERR_CANCELLED] = {"unavailable", 503, true},
};

static int row(int code)
{
    int n = (int)(sizeof table / sizeof *table);
    if (code > 0 || code <= -n)
        return -ERR_INTERNAL;
    return -code;
}

const char *err_code(int code)
{
    return table[row(code)].code;
}

int err_status(int code)
{
    return table[row(code)].status;
}

bool err_may_retry(int code)
{
    return table[row(code)].may_retry;
}

/* A text that vsnprintf had to cut may end inside a character. */
static void trim_utf8(char *text, size_t room, int wanted)
{
    if (wanted < 0 || (size_t)wanted < room)
        return;
    size_t n = strlen(text), start = n;
    while (start > 0 && ((unsigned char)text[start - 1] & 0xC0) == 0x80)
        start--;
    if (start == 0)
        return;
    unsigned char lead = (unsigned char)text[start - 1];
    size_t need = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : lead >= 0xC0 ? 1 : 0;
    if (n - start < need)
        text[start - 1] = '\0';
}

static void fill(struct err *e, int code, const char *fmt, va_list args)
    __attribute__((format(printf, 3, 0)));

static void fill(struct err *e, int code, const char *fmt, va_list args)
{
    e->code = code;
    e->field[0] = '\0';
    int n = vsnprintf(e->text, sizeof e->text, fmt, args);
    trim_utf8(e->text, sizeof e->text, n);
}

int err_set(struct err *e, int code, const char *fmt, ...)
{
    if (e) {
        va_list args;
        va_start(args, fmt);
        fill(e, code, fmt, args);
        va_end(args);
    }
    return code;
}

int err_field(struct err *e, int code, const char *field, const char *fmt, ...)
{
    if (e) {
        va_list args;
        va_start(args, fmt);
        fill(e, code, fmt, args);
        va_end(args);
        int n = snprintf(e->field, sizeof e->field, "%s", field);
        trim_utf8(e->field, sizeof e->field, n);
    }
    return code;
}

void must_fail(const char *file, int line, const char *what)
{
    char text[512];
    log_tail(STDERR_FILENO);
    int n = snprintf(text, sizeof text,
                     "yuelai: bug at %s:%d: must(%s) does not hold\n", file,
                     line, what);
    if (n > 0) {
        size_t len = (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
        ssize_t told = write(STDERR_FILENO, text, len);
        (void)told; /* nobody is left to be told */
    }
    abort();
}
