/* SPDX-License-Identifier: Apache-2.0 */
/* report.c - what people read.
 *
 * Happy path: a line a test as it ends; at the end every failure whole, the
 * slowest, the sum. Colours only on a terminal that wants them. Failure modes:
 * none; what cannot be read (the line of source) is left out.
 */
#include "app/testing/report.h"
#include "base/clock.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SLOWEST 3
#define SLOW_US 100000
#define LINE_BYTES 400

enum colour { PLAIN, RED, GREEN, YELLOW, DIM, BOLD };

static const char *paint(const struct report *r, enum colour c)
{
    static const char *const codes[] = {"\033[0m",  "\033[31m", "\033[32m",
                                        "\033[33m", "\033[2m",  "\033[1m"};
    return r->colours ? codes[c] : "";
}

void report_init(struct report *r, bool quiet)
{
    const char *term = getenv("TERM");
    *r = (struct report){
        .arena = arena_new(), .quiet = quiet, .began_us = clock_mono_us()};
    r->colours = isatty(STDOUT_FILENO) && !getenv("NO_COLOR") &&
                 (!term || strcmp(term, "dumb") != 0);
}

void report_fini(struct report *r)
{
    arena_free(r->arena);
}

struct outcome *report_add(struct report *r, struct slice file,
                           struct slice name)
{
    struct outcome *o = arena_one(r->arena, struct outcome);
    o->file = slice_dup(r->arena, file);
    o->name = slice_dup(r->arena, name);
    if (r->last)
        r->last->next = o;
    else
        r->first = o;
    r->last = o;
    return o;
}

/* --- as it comes ---------------------------------------------------------- */

static void print_ms(const struct report *r, int64_t us)
{
    if (us >= SLOW_US)
        printf(" %s(%lld ms)%s", paint(r, DIM), (long long)(us / 1000),
               paint(r, PLAIN));
}

static void print_line(const struct report *r, const struct outcome *o)
{
    static const char *const marks[] = {"✓", "✗", "-"};
    static const enum colour colours[] = {GREEN, RED, YELLOW};
    printf("  %s%s%s %.*s", paint(r, colours[o->verdict]), marks[o->verdict],
           paint(r, PLAIN), SLICE_FMT(o->name));
    if (o->verdict == VERDICT_PENDING)
        printf(" %s(pending)%s", paint(r, YELLOW), paint(r, PLAIN));
    print_ms(r, o->us);
    printf("\n");
}

void report_tell(struct report *r, const struct outcome *o)
{
    r->passed += o->verdict == VERDICT_PASSED;
    r->failed += o->verdict == VERDICT_FAILED;
    r->pending += o->verdict == VERDICT_PENDING;
    if (r->quiet)
        return;
    if (!slice_eq(o->file, r->file))
        printf("%s%.*s%s\n", paint(r, BOLD), SLICE_FMT(o->file),
               paint(r, PLAIN));
    r->file = o->file;
    print_line(r, o);
    fflush(stdout);
}

/* --- the failures --------------------------------------------------------- */

static void print_source(const struct report *r, struct slice file, int line)
{
    char path[4096], text[LINE_BYTES];
    int n = snprintf(path, sizeof path, "%.*s", SLICE_FMT(file));
    FILE *f = n > 0 && n < (int)sizeof path ? fopen(path, "re") : NULL;
    if (!f)
        return;
    int at = 0;
    bool whole = true; /* the piece before ended its line */
    while (fgets(text, sizeof text, f)) {
        at += whole;
        if (at == line && whole) {
            text[strcspn(text, "\r\n")] = '\0';
            printf("  %s%5d |%s %s\n", paint(r, DIM), line, paint(r, PLAIN),
                   text);
        }
        whole = strchr(text, '\n') != NULL;
        if (at > line)
            break;
    }
    fclose(f);
}

/* A text of several lines, set in. */
static void print_block(const struct report *r, const char *head,
                        struct slice text, enum colour colour)
{
    bool first = true;
    while (text.len) {
        const char *end = memchr(text.at, '\n', text.len);
        size_t n = end ? (size_t)(end - text.at) : text.len;
        printf("  %-10s%s%.*s%s\n", first ? head : "", paint(r, colour), (int)n,
               text.at, paint(r, PLAIN));
        text.at += n + (end != NULL);
        text.len -= n + (end != NULL);
        first = false;
    }
}

static void print_failure(const struct report *r, const struct outcome *o,
                          int number)
{
    printf("\n%s%d) %.*s%s\n", paint(r, RED), number, SLICE_FMT(o->name),
           paint(r, PLAIN));
    if (o->at.len) {
        printf("  %.*s:%d: %.*s\n", SLICE_FMT(o->at), o->at_line,
               SLICE_FMT(o->message));
        print_source(r, o->at, o->at_line);
    } else {
        print_block(r, "", o->message, PLAIN);
    }
    print_block(r, "expected", o->expected, GREEN);
    print_block(r, "actual", o->actual, RED);
    print_block(r, "", o->trace, DIM);
    print_block(r, "meanwhile", o->cause, YELLOW);
}

/* --- the end -------------------------------------------------------------- */

static void print_slowest(const struct report *r)
{
    const struct outcome *top[SLOWEST] = {NULL};
    for (const struct outcome *o = r->first; o; o = o->next) {
        const struct outcome *at = o;
        for (int i = 0; i < SLOWEST && at; i++) {
            if (top[i] && top[i]->us >= at->us)
                continue;
            const struct outcome *down = top[i];
            top[i] = at;
            at = down;
        }
    }
    if (!top[0] || top[0]->us < SLOW_US)
        return;
    printf("\nslowest:\n");
    for (int i = 0; i < SLOWEST && top[i] && top[i]->us >= SLOW_US; i++)
        printf("  %6lld ms  %.*s\n", (long long)(top[i]->us / 1000),
               SLICE_FMT(top[i]->name));
}

void report_end(struct report *r)
{
    int number = 0, all = r->passed + r->failed + r->pending;
    int64_t ms = (clock_mono_us() - r->began_us) / 1000;
    if (r->quiet)
        return;
    for (const struct outcome *o = r->first; o; o = o->next)
        if (o->verdict == VERDICT_FAILED)
            print_failure(r, o, ++number);
    print_slowest(r);
    printf("\n%s%d test%s in %lld.%03lld s%s", paint(r, DIM), all,
           all == 1 ? "" : "s", (long long)(ms / 1000), (long long)(ms % 1000),
           paint(r, PLAIN));
    if (r->pending)
        printf(", %d pending", r->pending);
    /* The last line is for machines too. */
    printf("\n%s%d passed, %d failed%s\n", paint(r, r->failed ? RED : GREEN),
           r->passed, r->failed, paint(r, PLAIN));
    fflush(stdout);
}
