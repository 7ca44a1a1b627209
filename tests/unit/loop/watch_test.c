/* SPDX-License-Identifier: Apache-2.0 */
/* Real files in a real folder. Steps follow one another by what was told, not
 * by time: each step changes files and waits for the call that tells them. */
#include "base/err.h"
#include "base/mem.h"
#include "loop/watch.h"
#include "test.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

static struct loop *loop;
static struct watch *watch;
static char told[4000]; /* " a.lua sub/b.lua", sorted, of one call */
static size_t calls;
static bool close_in_call;

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void on_change(void *arg, const char *const *paths, size_t n)
{
    size_t dir = strlen(test_dir());
    const char **sorted = malloc(n * sizeof *sorted);
    CHECK(arg == &loop);
    memcpy(sorted, paths, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, by_text);
    told[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        CHECK(strncmp(sorted[i], test_dir(), dir) == 0);
        strcat(told, i ? " " : "");
        strcat(told, sorted[i] + dir + 1);
    }
    free(sorted);
    calls++;
    if (close_in_call) {
        watch_close(watch);
        watch = NULL;
    }
    loop_stop(loop);
}

static struct timer patience;
static void on_patience(struct timer *t)
{
    (void)t;
    strcpy(told, "(nothing)");
    loop_stop(loop);
}

/* Runs the loop until the next call, or until ms have passed. */
static const char *next_call(int64_t ms)
{
    timer_init(&patience, on_patience);
    uv_update_time(loop_uv(loop));
    timer_start(loop_wheel(loop), &patience, loop_now(loop) + ms);
    loop_run(loop);
    timer_stop(loop_wheel(loop), &patience);
    return told;
}

static void begin(const char *folder)
{
    const char *folders[] = {test_path(folder)};
    must(loop_new("test", &loop) == 0);
    must(watch_open(loop, folders, 1, on_change, &loop, &watch) == 0);
    calls = 0;
    close_in_call = false;
}

static void end(void)
{
    watch_close(watch);
    loop_stop(loop);
    loop_run(loop);
    loop_free(loop);
}

static void make_folder(const char *name)
{
    CHECK_EQ_INT(mkdir(test_path(name), 0700), 0);
}

static void write_file(const char *name)
{
    test_write_file(test_path(name), "return {}\n");
}

static void move(const char *from, const char *to)
{
    char old[4096];
    snprintf(old, sizeof old, "%s", test_path(from));
    CHECK_EQ_INT(rename(old, test_path(to)), 0);
}

TEST("new, changed and deleted files are told, several in one call")
{
    make_folder("s");
    write_file("s/old.lua");
    begin("s");
    write_file("s/a.lua");
    write_file("s/b.lua");
    write_file("s/a.lua");
    CHECK_EQ_STR(next_call(5000), "s/a.lua s/b.lua");
    write_file("s/old.lua");
    CHECK_EQ_STR(next_call(5000), "s/old.lua");
    unlink(test_path("s/a.lua"));
    unlink(test_path("s/old.lua"));
    CHECK_EQ_STR(next_call(5000), "s/a.lua s/old.lua");
    end();
}

TEST("an editor's way of saving is one change of the file")
{
    make_folder("s");
    write_file("s/rule.lua");
    begin("s");
    /* vim: probe, backup by rename, write anew, drop the backup */
    write_file("s/4913");
    unlink(test_path("s/4913"));
    move("s/rule.lua", "s/rule.lua~");
    write_file("s/rule.lua");
    unlink(test_path("s/rule.lua~"));
    CHECK_EQ_STR(next_call(5000), "s/rule.lua");
    /* others: write beside, rename over */
    write_file("s/.rule.lua.swp");
    write_file("s/rule.lua.tmp");
    move("s/rule.lua.tmp", "s/rule.lua");
    CHECK_EQ_STR(next_call(5000), "s/rule.lua");
    end();
}

TEST("hidden files, backups and what came and went are not told")
{
    make_folder("s");
    make_folder("s/.git");
    begin("s");
    write_file("s/.hidden");
    write_file("s/.git/config");
    write_file("s/a.lua~");
    write_file("s/brief.lua");
    unlink(test_path("s/brief.lua"));
    write_file("s/z.lua"); /* the one that is told */
    CHECK_EQ_STR(next_call(5000), "s/z.lua");
    end();
}

TEST("new sub-folders are watched, with what is in them by then")
{
    make_folder("s");
    make_folder("s/had");
    begin("s");
    write_file("s/had/a.lua");
    CHECK_EQ_STR(next_call(5000), "s/had/a.lua");
    make_folder("s/new");
    make_folder("s/new/deep");
    write_file("s/new/deep/b.lua");
    CHECK_EQ_STR(next_call(5000), "s/new/deep/b.lua");
    write_file("s/new/deep/c.lua");
    write_file("s/new/d.lua");
    CHECK_EQ_STR(next_call(5000), "s/new/d.lua s/new/deep/c.lua");
    end();
}

TEST("a folder moved in, about and out tells the files that go with it")
{
    make_folder("s");
    make_folder("out");
    make_folder("out/sub");
    write_file("out/sub/a.lua");
    begin("s");
    move("out/sub", "s/sub");
    CHECK_EQ_STR(next_call(5000), "s/sub/a.lua");
    move("s/sub", "s/other");
    CHECK_EQ_STR(next_call(5000), "s/other/a.lua s/sub/a.lua");
    write_file("s/other/a.lua");
    CHECK_EQ_STR(next_call(5000), "s/other/a.lua");
    move("s/other", "out/gone");
    CHECK_EQ_STR(next_call(5000), "s/other/a.lua");
    write_file("out/gone/a.lua"); /* no longer ours */
    write_file("s/z.lua");
    CHECK_EQ_STR(next_call(5000), "s/z.lua");
    end();
}

TEST("a file still being written is told when it is closed")
{
    make_folder("s");
    begin("s");
    int fd = open(test_path("s/slow.lua"), O_CREAT | O_WRONLY, 0600);
    CHECK_EQ_INT(write(fd, "ret", 3), 3);
    write_file("s/other.lua");
    CHECK_EQ_STR(next_call(5000), "s/other.lua");
    CHECK_EQ_INT(write(fd, "urn", 3), 3);
    close(fd);
    CHECK_EQ_STR(next_call(5000), "s/slow.lua");
    end();
}

TEST("links count as files")
{
    make_folder("s");
    write_file("real.lua");
    begin("s");
    CHECK_EQ_INT(symlink("../real.lua", test_path("s/soft.lua")), 0);
    char old[4096];
    snprintf(old, sizeof old, "%s", test_path("real.lua"));
    CHECK_EQ_INT(link(old, test_path("s/hard.lua")), 0);
    CHECK_EQ_STR(next_call(5000), "s/hard.lua s/soft.lua");
    unlink(test_path("s/soft.lua"));
    CHECK_EQ_STR(next_call(5000), "s/soft.lua");
    end();
}

TEST("a link in a circle is no trouble")
{
    make_folder("s");
    CHECK_EQ_INT(symlink(".", test_path("s/circle")), 0);
    begin("s");
    write_file("s/a.lua");
    CHECK_EQ_STR(next_call(5000), "s/a.lua");
    end();
}

TEST("a folder that is missing is waited for, also when it goes and returns")
{
    begin("s");
    make_folder("s");
    write_file("s/a.lua");
    CHECK_EQ_STR(next_call(5000), "s/a.lua");
    unlink(test_path("s/a.lua"));
    rmdir(test_path("s"));
    CHECK_EQ_STR(next_call(5000), "s/a.lua");
    make_folder("s");
    write_file("s/b.lua");
    CHECK_EQ_STR(next_call(5000), "s/b.lua");
    move("s", "t");
    CHECK_EQ_STR(next_call(5000), "s/b.lua");
    end();
}

TEST("the callback may close the watch, and nothing comes after that")
{
    make_folder("s");
    begin("s");
    close_in_call = true;
    write_file("s/a.lua");
    CHECK_EQ_STR(next_call(5000), "s/a.lua");
    write_file("s/b.lua");
    CHECK_EQ_STR(next_call(2 * WATCH_QUIET_MS), "(nothing)");
    CHECK_EQ_INT(calls, 1);
    end();
}

TEST("a watch closed with changes pending tells nothing")
{
    make_folder("s");
    begin("s");
    write_file("s/a.lua");
    watch_close(watch);
    watch = NULL;
    CHECK_EQ_STR(next_call(2 * WATCH_QUIET_MS), "(nothing)");
    end();
}
