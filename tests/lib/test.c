/* SPDX-License-Identifier: Apache-2.0 */
/* test.c - runs what TEST() registered; see test.h. */
#include "test.h"

#include <ftw.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct test {
    const char *name;
    const char *file;
    int line;
    test_fn fn;
};

static struct test *tests;
static size_t tests_count;
static atomic_int failures; /* of the running test */
static const struct test *running;
static char note[256];
static char dir[64];
static char **paths;
static size_t paths_count;
static char **options;
static int options_count;
static bool keep;

void test_add(const char *name, const char *file, int line, test_fn fn)
{
    if (tests_count % 64 == 0)
        tests = realloc(tests, (tests_count + 64) * sizeof(*tests));
    tests[tests_count++] = (struct test){name, file, line, fn};
}

void test_fail(const char *file, int line, const char *fmt, ...)
{
    char text[2048];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    printf("%s:%d: %s\n", file, line, text);
    if (running)
        printf("    in \"%s\"%s%s\n", running->name, note[0] ? ", " : "", note);
    fflush(stdout);
    atomic_fetch_add(&failures, 1);
}

void test_note(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(note, sizeof(note), fmt, ap);
    va_end(ap);
}

bool test_check(bool ok, const char *text, const char *file, int line)
{
    if (!ok)
        test_fail(file, line, "not true: %s", text);
    return ok;
}

bool test_eq_int(int64_t a, int64_t b, const char *text, const char *file,
                 int line)
{
    if (a != b)
        test_fail(file, line, "%s: %lld is not %lld", text, (long long)a,
                  (long long)b);
    return a == b;
}

bool test_eq_str(const char *a, const char *b, const char *text,
                 const char *file, int line)
{
    bool ok = a && b ? strcmp(a, b) == 0 : a == b;
    if (!ok)
        test_fail(file, line, "%s: \"%s\" is not \"%s\"", text,
                  a ? a : "(NULL)", b ? b : "(NULL)");
    return ok;
}

/* Bytes as people can read them, cut at the end of out. */
static const char *readable(char *out, size_t size, const void *p, size_t n)
{
    const unsigned char *s = p;
    size_t o = 0;
    for (size_t i = 0; i < n && o + 6 < size; i++) {
        if (s[i] >= ' ' && s[i] != '\\' && s[i] != 0x7f)
            out[o++] = (char)s[i];
        else
            o += (size_t)snprintf(out + o, size - o, "\\x%02x", s[i]);
    }
    out[o] = '\0';
    return out;
}

bool test_eq_mem(const void *a, size_t an, const void *b, size_t bn,
                 const char *text, const char *file, int line)
{
    bool ok = an == bn && (an == 0 || memcmp(a, b, an) == 0);
    if (!ok) {
        char as[600], bs[600];
        test_fail(file, line, "%s: \"%s\" (%zu) is not \"%s\" (%zu)", text,
                  readable(as, sizeof(as), a, an), an,
                  readable(bs, sizeof(bs), b, bn), bn);
    }
    return ok;
}

/* --- files -------------------------------------------------------------- */

const char *test_dir(void)
{
    if (!dir[0]) {
        const char *tmp = getenv("TMPDIR");
        int n = snprintf(dir, sizeof(dir), "%s/yuelai-test-XXXXXX",
                         tmp && *tmp ? tmp : "/tmp");
        if (n < 0 || (size_t)n >= sizeof(dir) || !mkdtemp(dir)) {
            perror("test_dir");
            exit(1);
        }
    }
    return dir;
}

const char *test_path(const char *name)
{
    char *p = NULL;
    if (asprintf(&p, "%s/%s", test_dir(), name) < 0)
        abort();
    if (paths_count % 64 == 0)
        paths = realloc(paths, (paths_count + 64) * sizeof(*paths));
    return paths[paths_count++] = p;
}

static int remove_one(const char *path, const struct stat *st, int kind,
                      struct FTW *at)
{
    (void)st, (void)kind, (void)at;
    return remove(path);
}

static void forget_dir(void)
{
    if (dir[0] && keep)
        printf("kept: %s\n", dir);
    else if (dir[0])
        nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    dir[0] = '\0';
    for (size_t i = 0; i < paths_count; i++)
        free(paths[i]);
    free(paths);
    paths = NULL;
    paths_count = 0;
}

void test_write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    bool ok = f && fputs(text, f) >= 0;
    if (f && fclose(f) != 0)
        ok = false;
    if (!ok)
        test_fail(__FILE__, __LINE__, "cannot write %s", path);
}

char *test_read_file(const char *path)
{
    FILE *f = fopen(path, "r");
    if (!f)
        return NULL;
    size_t n = 0, room = 4096;
    char *text = malloc(room);
    for (size_t got; (got = fread(text + n, 1, room - n - 1, f)) > 0;) {
        n += got;
        if (room - n < 2)
            text = realloc(text, room *= 2);
    }
    text[n] = '\0';
    fclose(f);
    return text;
}

/* --- time --------------------------------------------------------------- */

int64_t test_now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void test_tick(void)
{
    poll(NULL, 0, 1);
}

#define PATIENCE_MS 60000

int64_t test_patience(int64_t ms)
{
    return ms > PATIENCE_MS ? ms : PATIENCE_MS;
}

bool test_wait(bool (*cond)(void *arg), void *arg, int64_t ms)
{
    int64_t end = test_now_ms() + test_patience(ms);
    while (!cond(arg)) {
        if (test_now_ms() >= end)
            return cond(arg);
        test_tick();
    }
    return true;
}

/* --- main --------------------------------------------------------------- */

static const char *option(const char *name)
{
    for (int i = 1; i < options_count; i++) {
        const char *o = options[i];
        if (strncmp(o, "--", 2) != 0)
            continue;
        size_t n = strlen(name);
        if (strcmp(o + 2, name) == 0)
            return i + 1 < options_count ? options[i + 1] : "";
        if (strncmp(o + 2, name, n) == 0 && o[2 + n] == '=')
            return o + 3 + n;
    }
    return NULL;
}

int64_t test_option(const char *name, int64_t fallback)
{
    const char *text = option(name);
    return text && *text ? strtoll(text, NULL, 0) : fallback;
}

static bool run(const struct test *t)
{
    atomic_store(&failures, 0);
    note[0] = '\0';
    running = t;
    int64_t at = test_now_ms();
    t->fn();
    running = NULL;
    forget_dir();
    bool ok = atomic_load(&failures) == 0;
    int64_t took = test_now_ms() - at;
    if (ok && took < 1000)
        printf("ok    %s\n", t->name);
    else
        printf("%s  %s (%lld ms)\n", ok ? "ok  " : "FAIL", t->name,
               (long long)took);
    fflush(stdout);
    return ok;
}

int main(int argc, char **argv)
{
    options = argv;
    options_count = argc;
    keep = option("keep") != NULL;
    const char *only = option("only");
    bool list = option("list") != NULL;
    int passed = 0, failed = 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t i = 0; i < tests_count; i++) {
        if (only && !strstr(tests[i].name, only))
            continue;
        if (list)
            printf("%s:%d: %s\n", tests[i].file, tests[i].line, tests[i].name);
        else if (run(&tests[i]))
            passed++;
        else
            failed++;
    }
    free(tests);
    if (!list)
        printf("%d passed, %d failed\n", passed, failed);
    return failed ? 1 : 0;
}
