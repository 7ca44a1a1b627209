/* SPDX-License-Identifier: Apache-2.0 */
/* err.h - one list of errors for the whole house.
 *
 * A function that can fail returns 0 or one of these negative codes. A code
 * has a text (the contract's error code), an HTTP status and says whether
 * trying again may help. `struct err` carries a sentence for people.
 */
#pragma once
#include <stdbool.h>

enum {
    ERR_BAD_REQUEST = -1,   /* 400 the peer said something we cannot read */
    ERR_UNAUTHORIZED = -2,  /* 401 */
    ERR_FORBIDDEN = -3,     /* 403 */
    ERR_NOT_FOUND = -4,     /* 404 */
    ERR_CONFLICT = -5,      /* 409 */
    ERR_GONE = -6,          /* 410 */
    ERR_TOOBIG = -7,        /* 413 "too_large": a named maximum was reached */
    ERR_UNSUPPORTED = -8,   /* 415 */
    ERR_UNPROCESSABLE = -9, /* 422 well-formed, but wrong */
    ERR_RATE_LIMITED = -10, /* 429 */
    ERR_INTERNAL = -11,     /* 500 a bug, or a library's surprise */
    ERR_UNAVAILABLE = -12,  /* 503 disk full, overloaded, draining */
    ERR_TIMEOUT = -13,      /* 504 */
    ERR_CANCELLED = -14,    /* 503 the asker went away or we are stopping */
};

/* A failure told to people. Callers may pass NULL where they do not care. */
struct err {
    int code;
    char text[240];
    char field[64]; /* the field at fault, "" if none */
};

/* Fills e (may be NULL) and returns code, so that one line does both. */
int err_set(struct err *e, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The same, naming the field at fault. */
int err_field(struct err *e, int code, const char *field, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

const char *err_code(int code); /* "not_found", never NULL */
int err_status(int code);       /* HTTP status; 200 for 0 */
bool err_may_retry(int code);   /* trying the same again may help */

/* Bugs end the program, always: prints place, sentence and the log's last
 * lines to stderr, then aborts. */
_Noreturn void must_fail(const char *file, int line, const char *what);
#define must(cond) ((cond) ? (void)0 : must_fail(__FILE__, __LINE__, #cond))
/* A void * that crosses a border points at a struct whose first member is
 * `unsigned magic`. */
#define must_be(p, m) must((p) != NULL && *(const unsigned *)(p) == (m))
