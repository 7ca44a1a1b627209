/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"
#include "base/log.h"
#include "test.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int real_stderr = -1;

static void catch_stderr(void)
{
    real_stderr = dup(STDERR_FILENO);
    int fd =
        open(test_path("err"), O_CREAT | O_TRUNC | O_RDWR | O_APPEND, 0600);
    dup2(fd, STDERR_FILENO);
    close(fd);
}

/* free() it */
static char *caught(void)
{
    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    log_setup(LOG_INFO, LOG_TEXT);
    log_event(0);
    return test_read_file(test_path("err"));
}

TEST("a text line has time, level, module and sentence, the event if there is "
     "one")
{
    catch_stderr();
    errno = ENOENT;
    log_info("net", "listening on %s", "127.0.0.1:8080");
    CHECK_EQ_INT(errno, ENOENT);
    log_event(42);
    log_warn("store", "slow");
    char *text = caught();
    REQUIRE(text != NULL);
    /* 2026-01-05T22:00:00.123Z INFO net listening on 127.0.0.1:8080 */
    CHECK_EQ_INT(strcspn(text, " "), 24);
    CHECK(text[10] == 'T' && text[19] == '.' && text[23] == 'Z');
    char *second = strchr(text, '\n');
    REQUIRE(second != NULL);
    *second++ = '\0';
    CHECK_EQ_STR(text + 24, " INFO net listening on 127.0.0.1:8080");
    CHECK_EQ_STR(second + 24, " WARN store event=42 slow\n");
    free(text);
}

TEST("a JSON line is one object that reads back")
{
    catch_stderr();
    log_setup(LOG_DEBUG, LOG_JSON);
    log_event(7);
    log_debug("script", "say \"hi\" to 悦来");
    char *text = caught();
    REQUIRE(text != NULL);
    struct arena *a = arena_new();
    struct json *j;
    CHECK_EQ_INT(json_parse(a, slice_of(text), NULL, &j), 0);
    CHECK_SLICE(json_text(j, "level"), "debug");
    CHECK_SLICE(json_text(j, "module"), "script");
    CHECK_SLICE(json_text(j, "message"), "say \"hi\" to 悦来");
    CHECK_EQ_INT(json_int(j, "event", 0), 7);
    CHECK_EQ_INT(json_text(j, "at").len, 24);
    arena_free(a);
    free(text);
}

TEST("lines below the level are not written and not counted")
{
    uint64_t debugs = log_count(LOG_DEBUG), errors = log_count(LOG_ERROR);
    catch_stderr();
    log_debug("x", "quiet");
    log_error("x", "loud");
    char *text = caught();
    CHECK(strstr(text, "quiet") == NULL && strstr(text, "loud") != NULL);
    CHECK_EQ_INT(log_count(LOG_DEBUG), debugs);
    CHECK_EQ_INT(log_count(LOG_ERROR), errors + 1);
    free(text);
}

TEST("whatever a peer sent, one call is one line of clean text")
{
    static const char *const odd[] = {"a\nb\r\nc", "\033[31m", "\xff\xfe",
                                      "tab\there", "ok 悦来 \x7f"};
    for (int json = 0; json < 2; json++) {
        catch_stderr();
        log_setup(LOG_INFO, json ? LOG_JSON : LOG_TEXT);
        for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
            log_info("x", "%s", odd[i]);
        char *text = caught();
        size_t lines = 0;
        for (char *p = text; *p; p++) {
            lines += *p == '\n';
            CHECK(*p == '\n' || (unsigned char)*p >= 0x20);
        }
        CHECK_EQ_INT(lines, 5);
        CHECK(slice_is_utf8(slice_of(text)));
        CHECK(strstr(text, "悦来") != NULL);
        free(text);
    }
}

TEST("a long sentence is cut between characters and says so")
{
    char big[5000];
    for (int lead = 0; lead < 3; lead++) {
        size_t n = (size_t)lead;
        memset(big, 'a', n);
        for (; n + 3 < sizeof big; n += 3)
            memcpy(big + n, "悦", 3);
        big[n] = '\0';
        catch_stderr();
        log_info("x", "%s", big);
        char *text = caught();
        CHECK(strlen(text) < 1200);
        CHECK(slice_is_utf8(slice_of(text)));
        CHECK(strstr(text, "...\n") != NULL);
        free(text);
    }
}

TEST("the ring gives the last lines, oldest first")
{
    catch_stderr();
    for (int i = 0; i < LOG_RING + 50; i++)
        log_info("ring", "line %d.", i);
    free(caught());
    int fd = open(test_path("tail"), O_CREAT | O_RDWR, 0600);
    log_tail(fd);
    close(fd);
    char *text = test_read_file(test_path("tail"));
    REQUIRE(text != NULL);
    int want = 50;
    for (char *p = text; (p = strstr(p, "line ")) != NULL; p++, want++)
        CHECK_EQ_INT(atoi(p + 5), want);
    CHECK_EQ_INT(want, LOG_RING + 50);
    free(text);
}

static void *talk(void *arg)
{
    log_event((uint64_t)(uintptr_t)arg);
    for (int i = 0; i < 200; i++)
        log_info("thread", "%d said %d, a sentence of some length",
                 (int)(uintptr_t)arg, i);
    return NULL;
}

TEST("lines of several threads do not mix, each has its own event")
{
    catch_stderr();
    pthread_t t[4];
    for (uintptr_t i = 0; i < 4; i++)
        REQUIRE(pthread_create(&t[i], NULL, talk, (void *)(i + 1)) == 0);
    for (int i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    char *text = caught();
    int lines = 0;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        int event = 0, who = 0, what = 0, end = 0;
        int got = sscanf(line + 24,
                         " INFO thread event=%d %d said %d, a sentence of some "
                         "length%n",
                         &event, &who, &what, &end);
        CHECK_EQ_INT(got, 3);
        CHECK_EQ_INT(event, who);
        CHECK_EQ_INT(end, strlen(line + 24));
        lines++;
    }
    CHECK_EQ_INT(lines, 800);
    free(text);
}
