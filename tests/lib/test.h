/* SPDX-License-Identifier: Apache-2.0 */
/* test.h - a tiny unit framework.
 *
 * Why our own: a test file is one executable, a test is a sentence, nothing
 * to register, nothing to install.
 *
 *     TEST("a slice of an empty text is empty")
 *     {
 *         CHECK_EQ_INT(slice_of("").len, 0);
 *     }
 *
 * CHECK* go on after a failure, REQUIRE leaves the test (void functions only).
 * Tests run in the order of the file, each with an own folder on demand. The
 * last line printed is "N passed, N failed"; exit code 1 if any failed.
 * Options: --list, --only WORDS, --keep (folders), and whatever else a test
 * asks for by test_option("seed") as --seed N.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef void (*test_fn)(void);
void test_add(const char *name, const char *file, int line, test_fn fn);

#define TEST_JOIN2(a, b) a##b
#define TEST_JOIN(a, b) TEST_JOIN2(a, b)
#define TEST(sentence)                                                         \
    static void TEST_JOIN(test_at_, __LINE__)(void);                           \
    __attribute__((constructor)) static void TEST_JOIN(test_add_,              \
                                                       __LINE__)(void)         \
    {                                                                          \
        test_add(sentence, __FILE__, __LINE__, TEST_JOIN(test_at_, __LINE__)); \
    }                                                                          \
    static void TEST_JOIN(test_at_, __LINE__)(void)

/* Marks the running test as failed and prints the place. Any thread. */
void test_fail(const char *file, int line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
bool test_check(bool ok, const char *text, const char *file, int line);
bool test_eq_int(int64_t a, int64_t b, const char *text, const char *file,
                 int line);
bool test_eq_str(const char *a, const char *b, const char *text,
                 const char *file, int line);
bool test_eq_mem(const void *a, size_t an, const void *b, size_t bn,
                 const char *text, const char *file, int line);

#define CHECK(cond) test_check(!!(cond), #cond, __FILE__, __LINE__)
#define CHECK_EQ_INT(a, b)                                                     \
    test_eq_int((int64_t)(a), (int64_t)(b), #a " == " #b, __FILE__, __LINE__)
#define CHECK_EQ_STR(a, b)                                                     \
    test_eq_str((a), (b), #a " == " #b, __FILE__, __LINE__)
#define CHECK_EQ_MEM(a, an, b, bn)                                             \
    test_eq_mem((a), (an), (b), (bn), #a " == " #b, __FILE__, __LINE__)
/* s is a struct slice (.at, .len), text a C string. */
#define CHECK_SLICE(s, text)                                                   \
    test_eq_mem((s).at, (s).len, (text), strlen(text), #s " == " #text,        \
                __FILE__, __LINE__)
#define FAIL(...) test_fail(__FILE__, __LINE__, __VA_ARGS__)
#define REQUIRE(cond)                                                          \
    do {                                                                       \
        if (!CHECK(cond))                                                      \
            return;                                                            \
    } while (0)

/* Says where a loop of cases stands; printed with failures until changed. */
void test_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* A fresh empty folder for the running test, removed after it. */
const char *test_dir(void);
/* "<test_dir>/name"; lives until the test ends. */
const char *test_path(const char *name);
void test_write_file(const char *path, const char *text);
/* The whole file, NUL-terminated, NULL if there is none; free() it. */
char *test_read_file(const char *path);

/* The value of --name N on the command line, or fallback. */
int64_t test_option(const char *name, int64_t fallback);

int64_t test_now_ms(void);         /* monotonic */
void test_tick(void);              /* a millisecond's rest between two looks */
int64_t test_patience(int64_t ms); /* no less than a busy machine needs */
/* Waits for a condition that is to come; ms: when it should have come. Who
 * waits that long and longer fails, and is told which it was. */
#define WAIT_UNTIL(cond, ms)                                                   \
    do {                                                                       \
        int64_t wait_end_ = test_now_ms() + test_patience(ms);                 \
        while (!(cond) && test_now_ms() < wait_end_)                           \
            test_tick();                                                       \
        test_check(!!(cond), "within " #ms " ms: " #cond, __FILE__, __LINE__); \
    } while (0)
/* The same for a function; true if it came about. */
bool test_wait(bool (*cond)(void *arg), void *arg, int64_t ms);
