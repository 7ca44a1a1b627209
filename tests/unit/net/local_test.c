/* SPDX-License-Identifier: Apache-2.0 */
/* local_test.c - the socket of this machine's own user. */
#include "base/log.h"
#include "house.h"
#include "net/client.h"
#include "test.h"
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static const char *path_in(const char *dir)
{
    static char path[200];
    snprintf(path, sizeof path, "%s/house.sock", dir);
    return path;
}

static struct slice ask_local(const char *path, struct arena *a)
{
    struct err e = {0};
    struct client_answer answer;
    CHECK_EQ_INT(client_call_local(path, "POST", "/api/v1/echo?x=1", "",
                                   SLICE("hello"), 5000, a, &e, &answer),
                 0);
    CHECK_EQ_STR(e.text, "");
    CHECK_EQ_INT(answer.status, 200);
    return answer.body;
}

TEST("a request by the local socket is the machine's user's, by TCP nobody's")
{
    struct house h = {.conf.local_socket = path_in(test_dir())};
    struct arena *a = arena_new();
    struct stat st;
    struct buf b;
    REQUIRE(house_start(&h));
    REQUIRE(stat(path_in(test_dir()), &st) == 0);
    CHECK(S_ISSOCK(st.st_mode));
    CHECK_EQ_INT(st.st_mode & 0777, 0600);
    CHECK_SLICE(ask_local(path_in(test_dir()), a),
                "POST /api/v1/echo ?x=1 [hello] local as the machine's user");
    ask(h.port,
        "GET /api/v1/echo HTTP/1.1\r\nHost: a\r\n"
        "X-Forwarded-For: local\r\nConnection: close\r\n\r\n",
        &b);
    CHECK_EQ_INT(status_of(&b), 200);
    CHECK(!memmem(b.data, b.len, "machine", 7));
    buf_fini(&b);
    house_stop(&h);
    CHECK(stat(path_in(test_dir()), &st) != 0); /* it is taken away */
    arena_free(a);
}

TEST("a socket left behind by a house that died is replaced")
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    struct house h = {.conf.local_socket = path_in(test_dir())};
    struct arena *a = arena_new();
    snprintf(to.sun_path, sizeof to.sun_path, "%s", path_in(test_dir()));
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    REQUIRE(bind(fd, (struct sockaddr *)&to, sizeof to) == 0);
    close(fd);
    REQUIRE(house_start(&h));
    CHECK(ask_local(path_in(test_dir()), a).len > 0);
    house_stop(&h);
    arena_free(a);
}

TEST("a path too long for a socket is a warning, the house is open")
{
    char path[200];
    struct err e = {0};
    struct client_answer answer;
    struct arena *a = arena_new();
    memset(path, 'x', sizeof path);
    path[0] = '/';
    path[sizeof path - 1] = '\0';
    log_setup(LOG_ERROR, LOG_TEXT);
    struct house h = {.conf.local_socket = path};
    REQUIRE(house_start(&h));
    CHECK_EQ_INT(client_call(h.port, "GET", "/api/v1/echo", "", SLICE(""),
                             60000, a, &e, &answer),
                 0);
    CHECK_EQ_INT(answer.status, 200);
    CHECK_EQ_INT(client_call_local(path, "GET", "/", "", SLICE(""), 60000, a,
                                   &e, &answer),
                 ERR_TOOBIG);
    house_stop(&h);
    arena_free(a);
}

TEST("where nobody listens it is said at once")
{
    struct err e = {0};
    struct client_answer answer;
    struct arena *a = arena_new();
    CHECK_EQ_INT(client_call_local(path_in(test_dir()), "GET", "/", "",
                                   SLICE(""), 60000, a, &e, &answer),
                 ERR_NOT_FOUND);
    CHECK(strstr(e.text, "house.sock") != NULL);
    arena_free(a);
}

TEST("the machine's user comes in when the house is full")
{
    struct house h = {.conf.local_socket = path_in(test_dir()),
                      .conf.connections = 1};
    struct arena *a = arena_new();
    struct buf b;
    REQUIRE(house_start(&h));
    int held = dial(h.port);
    buf_init(&b, 65536);
    say_text(held, "GET /api/v1/echo HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK(read_until(held, &b, "/api/v1/echo"));
    buf_fini(&b);
    ask(h.port, "GET /api/v1/echo HTTP/1.1\r\nHost: a\r\n\r\n", &b);
    CHECK_EQ_INT(status_of(&b), 503);
    CHECK(ask_local(path_in(test_dir()), a).len > 0);
    close(held);
    buf_fini(&b);
    house_stop(&h);
    arena_free(a);
}
