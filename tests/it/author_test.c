/* SPDX-License-Identifier: Apache-2.0 */
/* What authors type: yuelai new, yuelai test with its reports, talks among the
 * tests, watching. */
#include "roof.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

static pid_t start(const char *const *args, const char *to)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        const char *argv[14] = {"yuelai"};
        for (int i = 0; i < 12 && args[i]; i++) {
            argv[i + 1] = args[i];
        }
        int fd = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        dup2(open("/dev/null", O_RDONLY), 0);
        dup2(fd, 1);
        dup2(fd, 2);
        execv(roof_program(), (char *const *)argv);
        _exit(127);
    }
    return pid;
}

/* The exit code; *out: what was printed, free() it. */
static int run(const char *const *args, char **out)
{
    int status = -1;
    const char *to = test_path("out");
    test_note("yuelai %s %s", args[0], args[1] ? args[1] : "");
    pid_t pid = start(args, to);
    CHECK(waitpid(pid, &status, 0) == pid);
    *out = test_read_file(to);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
#define RUN(...)                                                               \
    (free(out), run((const char *const[]){__VA_ARGS__, NULL}, &out))

static void make_home(void)
{
    mkdir(test_path("scripts"), 0700);
    mkdir(test_path("scripts/rules"), 0700);
}

TEST("every start that is written passes its own tests, and is never "
     "overwritten")
{
    static const char *const kinds[] = {"rule", "flow", "channel", "ai"};
    char *out = NULL;
    make_home();
    for (size_t i = 0; i < 4; i++) {
        CHECK_EQ_INT(RUN("new", kinds[i], "tea", "--home", test_dir()), 0);
        CHECK(strstr(out, "tea") && strstr(out, "_test.lua"));
        CHECK_EQ_INT(RUN("new", kinds[i], "tea", "--home", test_dir()), 1);
        CHECK(strstr(out, "is there already") != NULL);
    }
    CHECK_EQ_INT(RUN("new", "rule", "30-milk", "--home", test_dir()), 0);
    unlink(test_path("scripts/rules/30-milk_test.lua"));
    CHECK_EQ_INT(RUN("new", "test", "rules/30-milk", "--home", test_dir()), 0);
    CHECK_EQ_INT(RUN("new", "test", "rules/none", "--home", test_dir()), 1);
    CHECK_EQ_INT(RUN("test", "--home", test_dir()), 0);
    CHECK(strstr(out, " passed, 0 failed\n") != NULL);
    CHECK(strstr(out, "\033[") == NULL); /* no terminal, no colours */
    free(out);
}

TEST("both commands have help and refuse what they do not know")
{
    char *out = NULL;
    CHECK_EQ_INT(RUN("new", "--help"), 0);
    CHECK(strstr(out, "usage: yuelai new") != NULL);
    CHECK_EQ_INT(RUN("test", "--help"), 0);
    CHECK(strstr(out, "usage: yuelai test") != NULL);
    CHECK_EQ_INT(RUN("test", "--no-such-option"), 2);
    CHECK_EQ_INT(RUN("new", "rule", "a", "b"), 2);
    free(out);
}

TEST("a name that is none is refused")
{
    static const char *const names[] = {
        "",
        "Tea",
        "../x",
        "a/b",
        "a b",
        "-a",
        "x_test",
        "12",
        "a.lua",
        "täe",
        "a\nb",
        "a'b",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    char *out = NULL;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        CHECK_EQ_INT(RUN("new", "rule", names[i], "--home", test_dir()), 2);
        CHECK(RUN("new", "test", names[i], "--home", test_dir()) > 0);
    }
    CHECK_EQ_INT(RUN("new", "nonsense", "tea", "--home", test_dir()), 2);
    CHECK_EQ_INT(RUN("new", "rule"), 2);
    CHECK(access(test_path("scripts"), F_OK) != 0); /* nothing was written */
    free(out);
}

TEST("a failure is told with its place, line, values and in every report")
{
    char *out = NULL, *junit;
    make_home();
    test_write_file(test_path("scripts/rules/10-a.lua"),
                    "return { api = 1, on_message = function(conv) conv:reply "
                    "'<b>&' return true end }\n");
    test_write_file(test_path("scripts/rules/10-a_test.lua"),
                    "local t = require 'test'\n"
                    "it('sees \"it\"', function()\n"
                    "  local a = t.visitor()\n"
                    "  a:says 'x'\n"
                    "  a:sees 'something else'\n"
                    "end)\n");
    CHECK_EQ_INT(
        RUN("test", "--home", test_dir(), "--junit", test_path("junit.xml")),
        1);
    CHECK(strstr(out, "10-a_test.lua:5: the visitor does not see it") != NULL);
    CHECK(strstr(out, "    5 |   a:sees 'something else'\n") != NULL);
    CHECK(strstr(out, "  expected  a message with \"something else\"\n"));
    CHECK(strstr(out, "  actual    bot: \"<b>&\"\n") != NULL);
    CHECK(strstr(out, "\n0 passed, 1 failed\n") != NULL);
    junit = test_read_file(test_path("junit.xml"));
    REQUIRE(junit != NULL);
    CHECK(strstr(junit, "name=\"sees &quot;it&quot;\"") != NULL);
    CHECK(strstr(junit, "actual: bot: &quot;&lt;b&gt;&amp;&quot;") != NULL);
    free(junit);
    CHECK_EQ_INT(
        RUN("test", "--home", test_dir(), "--json", "--only", "rules/10-a"), 1);
    CHECK(strstr(out, "{\"passed\":0,\"failed\":1,") == out);
    CHECK(strstr(out, "\"at_line\":5") != NULL);
    CHECK_EQ_INT(RUN("test", "--home", test_dir(), "--only", "rules/none"), 0);
    CHECK_EQ_INT(RUN("test", test_path("nowhere")), 2);
    CHECK_EQ_INT(RUN("test", "--home", test_dir(), "--junit",
                     test_path("no/such/folder")),
                 2);
    CHECK_EQ_INT(RUN("test", "--source", "x"), 2);
    free(out);
}

TEST("a talk beside the scripts is a test too")
{
    char *out = NULL;
    make_home();
    test_write_file(test_path("scripts/good.talk"),
                    "anna connects on webchat\nanna says \"hi\"\n");
    test_write_file(test_path("scripts/bad.talk"),
                    "anna connects on webchat\n"
                    "anna sees text = \"never\" within 100ms\n");
    CHECK_EQ_INT(RUN("test", "--home", test_dir()), 1);
    CHECK(strstr(out, "bad.talk:2: the talk did not come true") != NULL);
    CHECK(strstr(out, "\n1 passed, 1 failed\n") != NULL);
    CHECK_EQ_INT(RUN("test", "--home", test_dir(), "--no-talk"), 0);
    CHECK(strstr(out, "\n0 passed, 0 failed\n") != NULL);
    free(out);
}

static bool wait_for(const char *path, const char *text, pid_t pid)
{
    for (int i = 0; i < 600; i++) {
        char *got = test_read_file(path);
        bool there = got && strstr(got, text);
        free(got);
        if (there) {
            return true;
        }
        if (waitpid(pid, NULL, WNOHANG) != 0) {
            return false;
        }
        usleep(50000); /* between two looks */
    }
    return false;
}

TEST("what a killed run has left behind is swept away by the next")
{
    char *out = NULL, dir[64];
    make_home();
    pid_t dead = fork();
    if (dead == 0) {
        _exit(0);
    }
    CHECK(waitpid(dead, NULL, 0) == dead);
    bool shm = access("/dev/shm", W_OK) == 0;
    snprintf(dir, sizeof dir, "%s/yuelai-test-of-%ld-abcdef",
             shm ? "/dev/shm" : "/tmp", (long)dead);
    CHECK(mkdir(dir, 0700) == 0);
    CHECK_EQ_INT(RUN("test", "--home", test_dir()), 0);
    CHECK(access(dir, F_OK) != 0);
    free(out);
}

TEST("watching runs again what a change touches")
{
    const char *to = test_path("watched");
    const char *const args[] = {"test", "--watch", "--home", test_dir(), NULL};
    make_home();
    test_write_file(test_path("scripts/rules/10-a_test.lua"),
                    "it('one', function() assert(false) end)\n");
    test_write_file(test_path("scripts/rules/20-b_test.lua"),
                    "it('two', function() end)\n");
    mkdir(test_path("scripts/tests"), 0700);
    test_write_file(test_path("scripts/tests/kit.lua"), "return { n = 1 }\n");
    pid_t pid = start(args, to);
    CHECK(wait_for(to, "1 passed, 1 failed\nwaiting for changes\n", pid));
    test_write_file(test_path("scripts/rules/10-a_test.lua"),
                    "it('one', function() assert(true) end)\n");
    CHECK(wait_for(to, "\n1 passed, 0 failed\nwaiting for changes\n", pid));
    test_write_file(test_path("scripts/rules/20-b_test.lua"),
                    "local kit = require 'tests.kit'\n"
                    "it('two', function() assert.equal(2, kit.n) end)\n"
                    "it('three', function() end)\n"
                    "it('four', function() end)\n");
    CHECK(wait_for(to, "\n2 passed, 1 failed\nwaiting for changes\n", pid));
    test_write_file(test_path("scripts/tests/kit.lua"), "return { n = 2 }\n");
    CHECK(wait_for(to, "\n4 passed, 0 failed\nwaiting for changes\n", pid));
    kill(pid, SIGTERM);
    CHECK(waitpid(pid, NULL, 0) == pid);
}
