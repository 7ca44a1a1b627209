/* SPDX-License-Identifier: Apache-2.0 */
/* The commands: exit codes, what they print, settings that change while the
 * server runs. */
#include "roof.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* Runs the program with up to 8 arguments; what it printed. */
static int run(struct roof *r, const char *input, const char *const *args,
               const char **out)
{
    const char *in = test_path("in"), *to = test_path("out");
    int status = -1;
    test_write_file(in, input);
    test_note("yuelai %s %s", args[0] ? args[0] : "",
              args[0] && args[1] ? args[1] : "");
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        const char *argv[12] = {"yuelai"};
        for (int i = 0; i < 10 && args[i]; i++) {
            argv[i + 1] = args[i];
        }
        dup2(open(in, O_RDONLY), 0);
        int fd = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        dup2(fd, 1);
        dup2(fd, 2);
        execv(roof_program(), (char *const *)argv);
        _exit(127);
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    char *text = test_read_file(to);
    *out = slice_dup(r->t.arena, slice_of(text)).at;
    free(text);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
#define RUN(...) run(&r, "", (const char *const[]){__VA_ARGS__, NULL}, &out)
#define RUN_WITH(in, ...)                                                      \
    run(&r, in, (const char *const[]){__VA_ARGS__, NULL}, &out)

TEST("every command has help and refuses wrong usage with 2")
{
    static const char *const commands[] = {"serve",   "check", "doctor",
                                           "user",    "token", "verify",
                                           "version", "trace", "replay"};
    struct roof r;
    const char *out;
    roof_make(&r);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        CHECK_EQ_INT(RUN(commands[i], "--help"), 0);
        CHECK(strstr(out, "usage: yuelai") != NULL);
        CHECK_EQ_INT(RUN(commands[i], "--no-such-option"), 2);
        CHECK(strstr(out, "no-such-option") != NULL);
    }
    CHECK_EQ_INT(RUN("nonsense"), 2);
    CHECK_EQ_INT(RUN(NULL), 2);
    CHECK_EQ_INT(RUN("--help"), 0);
    CHECK_EQ_INT(RUN("user"), 2);
    CHECK_EQ_INT(RUN("user", "add"), 2);
    CHECK_EQ_INT(RUN("token", "create", "x"), 2);
    CHECK_EQ_INT(RUN("serve", "--listen"), 2);
    CHECK_EQ_INT(RUN("version"), 0);
    roof_close(&r);
}

TEST("sim says what it lacks: simulators, Node.js, a name")
{
    struct roof r;
    const char *out;
    roof_make(&r);
    CHECK_EQ_INT(RUN("sim", "--help"), 0);
    CHECK(strstr(out, "usage: yuelai sim") != NULL);
    CHECK_EQ_INT(RUN("sim"), 2);
    CHECK_EQ_INT(RUN("sim", "x", "--home"), 2);
    const char *home = test_path("no-simulators");
    CHECK(mkdir(home, 0700) == 0);
    CHECK_EQ_INT(RUN("sim", "x", "--home", home), 1);
    CHECK(strstr(out, "there are no simulators in") != NULL);
    CHECK(mkdir(test_path("no-simulators/tests"), 0700) == 0);
    CHECK(mkdir(test_path("no-simulators/tests/sim-platforms"), 0700) == 0);
    test_write_file(test_path("no-simulators/tests/sim-platforms/main.mjs"),
                    "");
    char *path = strdup(getenv("PATH"));
    setenv("PATH", home, 1);
    CHECK_EQ_INT(RUN("sim", "x", "--home", home), 1);
    CHECK(strstr(out, "Node.js 18 or newer") != NULL);
    setenv("PATH", path, 1);
    free(path);
    roof_close(&r);
}

TEST("users and tokens of a stopped server are made by command")
{
    struct roof r;
    const char *out;
    REQUIRE(roof_open(&r));
    CHECK_EQ_INT(RUN("user", "list", "--data", r.t.data), 1); /* it runs */
    REQUIRE(house_stop(&r.t) == 0);
    CHECK_EQ_INT(RUN_WITH("password-of-eve\n", "user", "add", "eve@x", "--role",
                          "admin", "--data", r.t.data),
                 0);
    CHECK_EQ_INT(RUN_WITH("password-of-eve\n", "user", "add", "EVE@x", "--data",
                          r.t.data),
                 1);
    CHECK_EQ_INT(RUN_WITH("short\n", "user", "add", "f@x", "--data", r.t.data),
                 1);
    CHECK_EQ_INT(RUN("user", "disable", "nobody@x", "--data", r.t.data), 1);
    CHECK_EQ_INT(RUN("user", "list", "--data", r.t.data), 0);
    CHECK(strstr(out, "eve@x") != NULL && strstr(out, "f@x") == NULL);
    CHECK_EQ_INT(RUN("token", "create", "ci", "--agent", "eve@x", "--scopes",
                     "agents:read", "--data", r.t.data),
                 0);
    const char *token = strstr(out, "token  ");
    REQUIRE(token != NULL);
    char bearer[160];
    snprintf(bearer, sizeof bearer, "Authorization: Bearer %.*s\r\n",
             (int)strcspn(token + 7, "\n"), token + 7);
    CHECK_EQ_INT(RUN("verify", "--data", r.t.data), 0);
    REQUIRE(house_start(&r.t) == 0);
    CHECK_EQ_INT(post(&r, "/api/v1/login",
                      "{\"email\":\"eve@x\",\"password\":"
                      "\"password-of-eve\"}"),
                 200);
    r.as = bearer;
    CHECK_EQ_INT(get(&r, "/api/v1/agents"), 200);
    CHECK_EQ_INT(get(&r, "/api/v1/teams"), 403);
    r.as = NULL;
    REQUIRE(house_stop(&r.t) == 0);
    CHECK_EQ_INT(RUN_WITH("password-2-of-eve\n", "user", "password", "eve@x",
                          "--data", r.t.data),
                 0);
    CHECK_EQ_INT(RUN("token", "list", "--data", r.t.data), 0);
    char id[32];
    snprintf(id, sizeof id, "%.16s", strstr(out, "tk_"));
    CHECK_EQ_INT(RUN("token", "revoke", id, "--data", r.t.data), 0);
    CHECK_EQ_INT(RUN("token", "revoke", id, "--data", r.t.data), 1);
    REQUIRE(house_start(&r.t) == 0);
    CHECK_EQ_INT(post(&r, "/api/v1/login",
                      "{\"email\":\"eve@x\",\"password\":"
                      "\"password-2-of-eve\"}"),
                 200);
    r.as = bearer;
    CHECK_EQ_INT(get(&r, "/api/v1/agents"), 401);
    roof_close(&r);
}

TEST("a second server on the same data says why it does not start")
{
    struct roof r;
    const char *out;
    REQUIRE(roof_open(&r));
    CHECK_EQ_INT(RUN("serve", "--data", r.t.data, "--listen", "127.0.0.1:0",
                     "--home", r.t.home),
                 1);
    CHECK(strlen(out) > 20);
    roof_close(&r);
}

TEST("a port in use, a data folder that is a file: 1 and a sentence")
{
    struct roof r;
    const char *out;
    char listen[32];
    REQUIRE(roof_open(&r));
    snprintf(listen, sizeof listen, "127.0.0.1:%d", r.t.port);
    CHECK_EQ_INT(RUN("serve", "--data", test_path("d"), "--listen", listen,
                     "--home", r.t.home),
                 1);
    CHECK(strstr(out, "yuelai: ") != NULL);
    test_write_file(test_path("file"), "x");
    CHECK_EQ_INT(RUN("serve", "--data", test_path("file"), "--listen",
                     "127.0.0.1:0", "--home", r.t.home),
                 1);
    CHECK(strstr(out, "yuelai: ") != NULL);
    CHECK_EQ_INT(RUN("serve", "--data", test_path("e"), "--listen", "nonsense",
                     "--home", r.t.home),
                 1);
    roof_close(&r);
}

TEST("doctor tells every setting with its origin and finds what is broken")
{
    struct roof r;
    const char *out;
    roof_make(&r);
    setenv("YUELAI_HOME", r.t.home, 1);
    setenv("YUELAI_FRAMES_PER_S", "7", 1);
    CHECK_EQ_INT(RUN("doctor", "--config"), 0);
    const char *line = strstr(out, "\nframes_per_s ");
    REQUIRE(line != NULL);
    char one[200];
    snprintf(one, sizeof one, "%.*s", (int)strcspn(line + 1, "\n"), line + 1);
    CHECK(strstr(one, " 7 ") != NULL);
    CHECK(strstr(one, "environment") != NULL);
    CHECK(strstr(one, "YUELAI_FRAMES_PER_S") != NULL);
    CHECK_EQ_INT(RUN("check"), 0);
    CHECK(house_write(&r.t, SLICE("scripts/rules/10-broken.lua"),
                      SLICE("return {")) == 0);
    CHECK_EQ_INT(RUN("check"), 1);
    CHECK(strstr(out, "10-broken.lua") != NULL);
    CHECK_EQ_INT(RUN("doctor", "--data", test_path("none")), 1);
    CHECK(strstr(out, "BAD ") != NULL);
    setenv("YUELAI_FRAMES_PER_S", "many", 1);
    CHECK_EQ_INT(RUN("doctor", "--config"), 1);
    CHECK(strstr(out, "YUELAI_FRAMES_PER_S") != NULL);
    unsetenv("YUELAI_FRAMES_PER_S");
    unsetenv("YUELAI_HOME");
    roof_close(&r);
}

TEST("a saved config takes effect while running, a broken one changes nothing")
{
    struct roof r;
    struct client *c = NULL;
    struct err e = {0};
    roof_make(&r);
    CHECK(house_write(&r.t, SLICE("config.lua"),
                      SLICE("return { file_bytes = 2000000 }")) == 0);
    REQUIRE(roof_start(&r));
    r.as = "";
    CHECK_EQ_INT(client_open(r.t.port, "", TALK_CALL_MS, &e, &c), 0);
    CHECK_EQ_INT(get(&r, "/chat/default/config"), 200);
    CHECK_EQ_INT(json_int(r.j, "file_bytes", 0), 2000000);
    CHECK(house_write(&r.t, SLICE("config.lua"),
                      SLICE("return { file_bytes = 3000000 }")) == 0);
    WAIT_UNTIL(get(&r, "/chat/default/config") == 200 &&
                   json_int(r.j, "file_bytes", 0) == 3000000,
               10000);
    CHECK(house_write(&r.t, SLICE("config.lua"),
                      SLICE("return { file_bytes = 'much' }")) == 0);
    WAIT_UNTIL(get(&r, "/metrics") == 200 &&
                   memmem(r.a.body.at, r.a.body.len,
                          "yuelai_config_refused_total 1", 29),
               10000);
    CHECK_EQ_INT(get(&r, "/chat/default/config"), 200);
    CHECK_EQ_INT(json_int(r.j, "file_bytes", 0), 3000000);
    CHECK(!c->ended);
    CHECK(house_write(&r.t, SLICE("config.lua"),
                      SLICE("return { file_bytes = 4000000 }")) == 0);
    (void)kill(r.t.pid, SIGHUP);
    WAIT_UNTIL(get(&r, "/chat/default/config") == 200 &&
                   json_int(r.j, "file_bytes", 0) == 4000000,
               10000);
    client_free(c);
    roof_close(&r);
}

TEST("verify names the file whose bytes are not what they were")
{
    struct roof r;
    const char *out;
    REQUIRE(roof_open(&r));
    CHECK_EQ_INT(
        post(&r, "/api/v1/files/uploads", "{\"name\":\"n.txt\",\"size\":5}"),
        201);
    const char *path =
        talk_fmt(&r.t, "/api/v1/files/uploads/%s", text_of(&r, "id")).at;
    CHECK_EQ_INT(roof_call(&r, "PATCH", path, "Upload-Offset: 0\r\n", "words"),
                 200);
    const struct json *file = json_get(r.j, "file");
    const char *id = slice_dup(r.t.arena, json_text(file, "id")).at;
    const char *sha = slice_dup(r.t.arena, json_text(file, "sha256")).at;
    REQUIRE(strlen(sha) == 64 && house_stop(&r.t) == 0);
    CHECK_EQ_INT(RUN("verify", "--data", r.t.data), 0);
    const char *bytes =
        talk_fmt(&r.t, "%s/files/%.2s/%s", r.t.data, sha, sha + 2).at;
    test_write_file(bytes, "w0rds");
    CHECK_EQ_INT(RUN("verify", "--data", r.t.data), 1);
    const char *want = talk_fmt(&r.t, "file %s: its bytes are not what", id).at;
    CHECK(strstr(out, want) != NULL);
    CHECK(strstr(out, "1 of 1 files are damaged") != NULL);
    CHECK(unlink(bytes) == 0);
    CHECK_EQ_INT(RUN("verify", "--data", r.t.data), 1);
    want = talk_fmt(&r.t, "file %s: its bytes are not there", id).at;
    CHECK(strstr(out, want) != NULL);
    test_write_file(bytes, "words");
    CHECK_EQ_INT(RUN("verify", "--data", r.t.data), 0);
    roof_close(&r);
}

TEST("the first start without a password shows one that works, once")
{
    struct roof r;
    char email[80] = "", password[80] = "";
    roof_make(&r);
    roof_env(&r, "YUELAI_ADMIN_PASSWORD=");
    (void)house_start(&r.t); /* its own sign-in cannot work */
    REQUIRE(r.t.pid != 0);
    char *log = test_read_file(r.t.log);
    const char *at_email = log ? strstr(log, "email     ") : NULL;
    const char *at_pass = log ? strstr(log, "password  ") : NULL;
    REQUIRE(at_email && at_pass);
    snprintf(email, sizeof email, "%.*s", (int)strcspn(at_email + 10, "\n"),
             at_email + 10);
    snprintf(password, sizeof password, "%.*s",
             (int)strcspn(at_pass + 10, "\n"), at_pass + 10);
    CHECK_EQ_STR(email, "admin@example.com");
    r.as = "";
    CHECK_EQ_INT(post(&r, "/api/v1/login",
                      talk_fmt(&r.t, "{\"email\":\"%s\",\"password\":\"%s\"}",
                               email, password)
                          .at),
                 200);
    free(log);
    roof_close(&r);
}
