/* SPDX-License-Identifier: Apache-2.0 */
/* house.c - the server a talk is played against: folders, process, REST.
 *
 * The program is our own (/proc/self/exe serve), on any free port, with a
 * fresh data folder and a copy of scripts, channels and ai, so that a talk may
 * write rules. Its log goes to a file that is shown when a sentence fails.
 */
#include "app/talk/talk.h"
#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_MS 120000 /* sanitizers are slow, and machines busy */
#define STOP_MS 120000

extern char **environ;

/* Runs a program to its end; its exit code. */
static int run(const char *const *argv)
{
    int status = -1;
    pid_t pid = fork();
    if (pid == 0) {
        execvp(argv[0], (char *const *)argv);
        _exit(127);
    }
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int copy(struct talk *t, const char *from, const char *to)
{
    const char *argv[] = {"cp", "-rL", "--", from, to, NULL};
    return run(argv) == 0 ? 0 : talk_fail(t, "cannot copy %s", from);
}

int house_make(struct talk *t)
{
    static const char *const rooms[] = {"scripts", "channels", "ai"};
    snprintf(t->dir, sizeof(t->dir), "/tmp/yuelai-talk-XXXXXX");
    if (!mkdtemp(t->dir))
        return talk_fail(t, "no folder below /tmp: %s", strerror(errno));
    snprintf(t->home, sizeof(t->home), "%s/home", t->dir);
    snprintf(t->data, sizeof(t->data), "%s/data", t->dir);
    snprintf(t->log, sizeof(t->log), "%s/server.log", t->dir);
    mkdir(t->home, 0755);
    for (size_t i = 0; i < 3; i++) {
        struct slice from = talk_fmt(t, "%s/%s", t->house, rooms[i]);
        if (is_folder(from.at) && copy(t, from.at, t->home))
            return -1;
    }
    struct slice web = talk_fmt(t, "%s/web", t->house);
    char *real = realpath(web.at, NULL);
    struct slice link = talk_fmt(t, "%s/web", t->home);
    if (real && symlink(real, link.at) != 0)
        talk_fail(t, "cannot link web: %s", strerror(errno));
    free(real);
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int kind,
                      struct FTW *at)
{
    (void)st, (void)kind, (void)at;
    return remove(path);
}

/* The adapters and connectors an example has beside its scripts. */
static int copy_rooms(struct talk *t, struct slice home)
{
    static const char *const rooms[] = {"channels", "ai"};
    for (size_t i = 0; i < 2; i++) {
        struct slice from = talk_fmt(t, "%.*s/%s", SLICE_FMT(home), rooms[i]);
        if (is_folder(from.at) && copy(t, from.at, t->home))
            return -1;
    }
    return 0;
}

/* Another set of scripts: "none", a folder with scripts/ in it, or scripts. */
int house_scripts(struct talk *t, struct slice from)
{
    struct slice to = talk_fmt(t, "%s/scripts", t->home);
    nftw(to.at, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    mkdir(to.at, 0755);
    struct slice rules = talk_fmt(t, "%s/rules", to.at);
    if (slice_is(from, "none"))
        return mkdir(rules.at, 0755) == 0 ? 0 : talk_fail(t, "mkdir");
    struct slice dir = talk_fmt(t, "%.*s/scripts", SLICE_FMT(from));
    struct slice bare = talk_fmt(t, "%.*s", SLICE_FMT(from));
    struct slice config = talk_fmt(t, "%s/config.lua", bare.at);
    if (!is_folder(bare.at))
        return talk_fail(t, "there is no folder %s", bare.at);
    if (access(config.at, R_OK) == 0 && copy(t, config.at, t->home))
        return -1;
    if (is_folder(dir.at) && copy_rooms(t, bare))
        return -1;
    struct slice all =
        talk_fmt(t, "%s/.", is_folder(dir.at) ? dir.at : bare.at);
    return copy(t, all.at, to.at);
}

/* --- the process ----------------------------------------------------------- */

/* Ours and nobody else's settings. */
static void set_environment(const struct talk *t)
{
    char *names[128];
    size_t n = 0;
    for (char **e = environ; *e && n < 128; e++)
        if (strncmp(*e, "YUELAI_", 7) == 0)
            names[n++] = strndup(*e, strcspn(*e, "="));
    while (n > 0)
        unsetenv(names[--n]); /* lost to the child's end */
    setenv("YUELAI_ADMIN_EMAIL", "admin@example.com", 1);
    setenv("YUELAI_ADMIN_PASSWORD", "admin-password-1", 1);
    setenv("YUELAI_LOGINS_PER_MIN", "10000", 1);
    /* A busy machine under sanitizers is no reason for another story. */
    setenv("YUELAI_ROUTING_MS", "5000", 1);
    setenv("YUELAI_SCRIPT_CPU_MS", "1000", 1);
    if (t->clock[0])
        setenv("YUELAI_CLOCK", t->clock, 1);
    for (size_t i = 0; i < t->env_count; i++)
        putenv((char *)t->env[i].at);
}

static void child(const struct talk *t)
{
    char listen[32];
    snprintf(listen, sizeof(listen), "127.0.0.1:%d", t->port);
    int fd = open(t->log, O_WRONLY | O_CREAT | O_APPEND, 0644);
    int nothing = open("/dev/null", O_RDONLY);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(nothing, 0);
    dup2(fd, 1);
    dup2(fd, 2);
    set_environment(t);
    execl(t->program ? t->program : "/proc/self/exe", "yuelai", "serve",
          "--data", t->data, "--home", t->home, "--listen", listen,
          (char *)NULL);
    _exit(127);
}

bool house_died(struct talk *t)
{
    int status;
    if (t->pid == 0 || waitpid(t->pid, &status, WNOHANG) != t->pid)
        return false;
    t->pid = 0;
    if (WIFSIGNALED(status))
        talk_fail(t, "the server died of signal %d", WTERMSIG(status));
    else
        talk_fail(t, "the server ended with exit code %d", WEXITSTATUS(status));
    return true;
}

/* The port in the last "listening on http://HOST:PORT" after offset from. */
static int port_in_log(const struct talk *t, long from)
{
    char text[16384];
    FILE *f = fopen(t->log, "r");
    if (!f)
        return 0;
    fseek(f, from, SEEK_SET);
    size_t n = fread(text, 1, sizeof(text) - 1, f);
    fclose(f);
    text[n] = '\0';
    const char *at = strstr(text, "listening on http://");
    const char *end = at ? strpbrk(at + 20, " \n\"\\") : NULL;
    if (!end)
        return 0;
    while (end > at && !(end[-1] >= '0' && end[-1] <= '9'))
        end--;
    while (end[-1] >= '0' && end[-1] <= '9')
        end--;
    return atoi(end);
}

static int sign_admin_in(struct talk *t)
{
    int bad = house_call(t, "POST", SLICE("/api/v1/login"), SLICE(""),
                         SLICE("{\"email\":\"admin@example.com\","
                               "\"password\":\"admin-password-1\"}"));
    if (bad)
        return bad;
    t->admin = json_text(t->answer_json, "token");
    return t->admin.len
               ? 0
               : talk_fail(t, "the admin cannot sign in: %d %.*s",
                           t->answer.status, SLICE_FMT(t->answer.body));
}

static bool is_ready(struct talk *t)
{
    struct client_answer a;
    return client_call(t->port, "GET", "/readyz", "", SLICE(""), 10000,
                       t->arena, NULL, &a) == 0 &&
           a.status == 200;
}

int house_start(struct talk *t)
{
    struct stat st;
    long from = stat(t->log, &st) == 0 ? (long)st.st_size : 0;
    int64_t until = talk_now_ms() + START_MS;
    if (t->pid)
        return talk_fail(t, "the server is running already");
    t->pid = fork();
    if (t->pid == 0)
        child(t);
    int port = 0;
    while (!house_died(t) && talk_now_ms() < until) {
        if (!port)
            port = port_in_log(t, from);
        if (port) {
            t->port = port;
            if (is_ready(t))
                return t->admin.len ? 0 : sign_admin_in(t);
        }
        poll(NULL, 0, 2);
    }
    return t->pid ? talk_fail(t, "the server is not ready after %d s",
                              START_MS / 1000)
                  : -1;
}

int house_kill(struct talk *t)
{
    if (!t->pid)
        return talk_fail(t, "the server is not running");
    kill(t->pid, SIGKILL);
    waitpid(t->pid, NULL, 0);
    t->pid = 0;
    return 0;
}

int house_stop(struct talk *t)
{
    int status;
    int64_t until = talk_now_ms() + STOP_MS;
    if (!t->pid)
        return talk_fail(t, "the server is not running");
    kill(t->pid, SIGTERM);
    while (waitpid(t->pid, &status, WNOHANG) == 0) {
        if (talk_now_ms() > until) {
            house_kill(t);
            return talk_fail(t, "the server did not stop in %d s",
                             STOP_MS / 1000);
        }
        /* Its clients read on and go when they are told, as real ones do. */
        actor_listen(t, 2);
    }
    t->pid = 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    return talk_fail(t, "the server stopped with status %#x", (unsigned)status);
}

/* --- files ----------------------------------------------------------------- */

static int home_path(struct talk *t, struct slice path, struct slice *out)
{
    if (path.len == 0 || path.at[0] == '/' ||
        memmem(path.at, path.len, "..", 2))
        return talk_fail(t, "%.*s: paths are inside the home", SLICE_FMT(path));
    *out = talk_fmt(t, "%s/%.*s", t->home, SLICE_FMT(path));
    return 0;
}

/* Written beside and renamed, as editors and git do. */
int house_write(struct talk *t, struct slice path, struct slice text)
{
    struct slice to = SLICE("");
    if (home_path(t, path, &to))
        return -1;
    for (char *s = (char *)to.at + strlen(t->home) + 1; (s = strchr(s, '/'));
         s++) {
        *s = '\0';
        mkdir(to.at, 0755);
        *s = '/';
    }
    struct slice next = talk_fmt(t, "%s~", to.at);
    FILE *f = fopen(next.at, "w");
    bool ok = f && fwrite(text.at, 1, text.len, f) == text.len;
    if (f && fclose(f) != 0)
        ok = false;
    if (!ok || rename(next.at, to.at) != 0)
        return talk_fail(t, "cannot write %s", to.at);
    return 0;
}

int house_remove(struct talk *t, struct slice path)
{
    struct slice to = SLICE("");
    if (home_path(t, path, &to))
        return -1;
    return unlink(to.at) == 0 ? 0 : talk_fail(t, "there is no %s", to.at);
}

void house_forget(struct talk *t, bool keep)
{
    if (t->pid)
        house_kill(t);
    if (keep)
        printf("      kept: %s\n", t->dir);
    else if (t->dir[0])
        nftw(t->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void house_print_log(const struct talk *t)
{
    const char *argv[] = {"tail", "-n", "40", t->log, NULL};
    if (access(t->log, R_OK) != 0)
        return;
    printf("      the server's last words:\n");
    fflush(stdout);
    run(argv);
}

/* --- REST ------------------------------------------------------------------ */

int house_call(struct talk *t, const char *method, struct slice path,
               struct slice token, struct slice body)
{
    struct err e = {0};
    struct slice where = talk_fmt(t, "%.*s", SLICE_FMT(path));
    struct slice heads =
        talk_fmt(t, "%s%.*s%s%s", token.len ? "Authorization: Bearer " : "",
                 SLICE_FMT(token), token.len ? "\r\n" : "",
                 body.len ? "Content-Type: application/json\r\n" : "");
    t->answer_json = NULL;
    if (client_call(t->port, method, where.at, heads.at, body, TALK_CALL_MS,
                    t->arena, &e, &t->answer))
        return talk_fail(t, "%s", e.text);
    if (t->answer.body.len)
        json_parse(t->arena, t->answer.body, NULL, &t->answer_json);
    return 0;
}
