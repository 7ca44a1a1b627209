/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/log.h"
#include "test.h"
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

TEST("every code has its contract name and HTTP status")
{
    CHECK_EQ_STR(err_code(ERR_NOT_FOUND), "not_found");
    CHECK_EQ_INT(err_status(ERR_NOT_FOUND), 404);
    CHECK_EQ_STR(err_code(ERR_TOOBIG), "too_large");
    CHECK_EQ_INT(err_status(ERR_TOOBIG), 413);
    CHECK_EQ_STR(err_code(ERR_CANCELLED), "unavailable");
    CHECK_EQ_INT(err_status(0), 200);
    for (int code = ERR_CANCELLED; code < 0; code++) {
        test_note("code %d", code);
        CHECK(err_code(code)[0] != '\0');
        CHECK(err_status(code) >= 400 && err_status(code) < 600);
    }
}

TEST("a code nobody knows reads as internal")
{
    CHECK_EQ_STR(err_code(-1000), "internal");
    CHECK_EQ_STR(err_code(7), "internal");
    CHECK_EQ_INT(err_status(-15), 500);
}

TEST("only trouble that may pass may be retried")
{
    CHECK(err_may_retry(ERR_UNAVAILABLE));
    CHECK(err_may_retry(ERR_TIMEOUT));
    CHECK(err_may_retry(ERR_RATE_LIMITED));
    CHECK(!err_may_retry(ERR_BAD_REQUEST));
    CHECK(!err_may_retry(ERR_INTERNAL));
    CHECK(!err_may_retry(0));
}

TEST("setting an error gives its code back, with or without a place for it")
{
    struct err e;
    CHECK_EQ_INT(err_set(NULL, ERR_GONE, "x"), ERR_GONE);
    CHECK_EQ_INT(
        err_field(&e, ERR_UNPROCESSABLE, "config.appid", "%d is odd", 3),
        ERR_UNPROCESSABLE);
    CHECK_EQ_INT(e.code, ERR_UNPROCESSABLE);
    CHECK_EQ_STR(e.text, "3 is odd");
    CHECK_EQ_STR(e.field, "config.appid");
    err_set(&e, ERR_GONE, "y");
    CHECK_EQ_STR(e.field, "");
}

TEST("a sentence too long is cut between characters")
{
    struct err e;
    for (int lead = 0; lead < 4; lead++) {
        char text[1000];
        size_t n = (size_t)lead;
        memset(text, 'a', n);
        for (int i = 0; i < 200; i++, n += 3)
            memcpy(text + n, "悦", 3);
        text[n] = '\0';
        err_set(&e, ERR_INTERNAL, "%s", text);
        size_t len = strlen(e.text);
        test_note("lead %d, %zu bytes", lead, len);
        CHECK(len >= sizeof e.text - 4 && len < sizeof e.text);
        CHECK_EQ_INT((len - (size_t)lead) % 3, 0);
        CHECK_EQ_MEM(e.text, len, text, len);
    }
}

TEST("a bug prints the last log lines and the place, then aborts")
{
    int out[2];
    REQUIRE(pipe(out) == 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(out[1], STDERR_FILENO);
        log_info("test", "the line before");
        must_fail("file.c", 12, "1 == 2");
    }
    close(out[1]);
    char text[4096];
    size_t n = 0;
    for (ssize_t got; (got = read(out[0], text + n, sizeof text - 1 - n)) > 0;)
        n += (size_t)got;
    text[n] = '\0';
    close(out[0]);
    int status = 0;
    waitpid(child, &status, 0);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    char *first = strstr(text, "the line before");
    CHECK(first && strstr(first + 1, "the line before"));
    CHECK(strstr(text, "bug at file.c:12: must(1 == 2)") != NULL);
}
