/* SPDX-License-Identifier: Apache-2.0 */
/* The disk is full: sends get `unavailable`, the socket stays, nothing acked
 * is lost, and service resumes when space returns.
 *
 * As root the database lies on a small file system of its own that a filler
 * file makes full; without the right to mount, the process's largest file is
 * limited instead (then SQLite sees EFBIG, not ENOSPC). An upload is refused
 * likewise, and what came of it is gone.
 */
#include "spine.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static bool mounted;
static char place[512], filler[600];

static void make_place(void)
{
    snprintf(place, sizeof(place), "%s", test_path("disk"));
    mkdir(place, 0700);
    mounted = mount("yuelai-test", place, "tmpfs", 0, "size=12m") == 0;
    snprintf(filler, sizeof(filler), "%s/filler", place);
}

static void fill_disk(struct spine *s)
{
    static const char block[65536];
    if (!mounted) {
        struct rlimit r = {.rlim_cur = 65536, .rlim_max = RLIM_INFINITY};
        CHECK(prlimit(s->t.pid, RLIMIT_FSIZE, &r, NULL) == 0);
        return;
    }
    int fd = open(filler, O_WRONLY | O_CREAT, 0600);
    ssize_t n = sizeof(block);
    while (n > 0) {
        n = write(fd, block, sizeof(block));
        if (n <= 0)
            n = write(fd, block, 4096);
    }
    CHECK_EQ_INT(errno, ENOSPC);
    close(fd);
}

static void free_disk(struct spine *s)
{
    if (mounted) {
        CHECK(unlink(filler) == 0);
        return;
    }
    struct rlimit r = {RLIM_INFINITY, RLIM_INFINITY};
    CHECK(prlimit(s->t.pid, RLIMIT_FSIZE, &r, NULL) == 0);
}

static bool is_unavailable(struct talk *t, const struct json *j, void *arg)
{
    (void)t, (void)arg;
    return slice_is(json_text(j, "type"), "error") &&
           slice_is(json_text(j, "code"), "unavailable");
}

static int unsent(const struct spine *s)
{
    int n = 0;
    for (const struct unsent *u = s->anna->unsent; u; u = u->next)
        n++;
    return n;
}

/* Sends until one is refused, bounded; what the log file had room for may
 * still be acked, and must then be kept. */
static bool send_until_refused(struct spine *s)
{
    int64_t until = talk_now_ms() + 60000;
    for (int i = 0; i < 4000 && talk_now_ms() < until; i++) {
        spine_say(s, 1000);
        do {
            spine_listen(s, 0);
            if (actor_look(&s->t, s->anna, is_unavailable, NULL))
                return true;
        } while (unsent(s) > 20 && !s->t.why[0] && talk_now_ms() < until);
    }
    return false;
}

/* As a client does: says again what was refused, a few at a time. */
static bool say_again(struct spine *s)
{
    int64_t until = talk_now_ms() + 60000;
    while (s->anna->unsent && talk_now_ms() < until) {
        int n = 0;
        for (struct unsent *u = s->anna->unsent; u && n < 30; u = u->next, n++)
            client_send(s->anna->client, CLIENT_TEXT, u->frame);
        spine_listen(s, 250);
    }
    return s->anna->unsent == NULL;
}

static void story(struct spine *s)
{
    for (int i = 0; i < 50; i++)
        spine_say(s, 100);
    REQUIRE(spine_all_acked(s, 60000));
    fill_disk(s);
    if (!CHECK(send_until_refused(s))) {
        spine_fail(s, "full disk");
        free_disk(s);
        return;
    }
    CHECK(!s->anna->client->ended);
    /* Reading goes on. */
    CHECK(house_call(&s->t, "GET", SLICE("/healthz"), SLICE(""), SLICE("")) ==
          0);
    CHECK_EQ_INT(s->t.answer.status, 200);
    free_disk(s);
    CHECK(say_again(s));
    CHECK(!s->anna->client->ended);
    spine_check_journal(s);
    house_kill(&s->t);
    spine_verify(s);
    REQUIRE(house_start(&s->t) == 0);
    REQUIRE(spine_come_back(s));
    spine_check_journal(s);
    spine_check_agent(s);
}

TEST("a full disk refuses, loses nothing acked, and service resumes")
{
    struct spine s;
    signal(SIGXFSZ, SIG_IGN); /* the server inherits it */
    make_place();
    if (spine_open(&s, place))
        story(&s);
    spine_close(&s);
    if (mounted)
        CHECK(umount2(place, MNT_DETACH) == 0);
}

/* POSTs a file of n letters; the status. */
static int upload(struct spine *s, size_t n)
{
    struct buf body;
    struct err e = {0};
    char *bytes = mem_alloc(n);
    memset(bytes, 'a', n);
    buf_init(&body, n + 1024);
    buf_add_text(&body, "--edge\r\nContent-Disposition: form-data; "
                        "name=\"file\"; filename=\"a.txt\"\r\n\r\n");
    buf_add(&body, bytes, n);
    buf_add_text(&body, "\r\n--edge--\r\n");
    struct slice heads =
        talk_fmt(&s->t,
                 "Authorization: Bearer %.*s\r\n"
                 "Content-Type: multipart/form-data; boundary=edge\r\n",
                 SLICE_FMT(s->t.admin));
    s->t.answer = (struct client_answer){0};
    if (client_call(s->t.port, "POST", "/api/v1/files", heads.at,
                    buf_slice(&body), TALK_CALL_MS, s->t.arena, &e,
                    &s->t.answer))
        FAIL("no answer: %s", e.text);
    buf_fini(&body);
    mem_free(bytes);
    return s->t.answer.status;
}

static int left_over(struct spine *s)
{
    int n = 0;
    struct slice path = talk_fmt(&s->t, "%s/files/tmp", s->t.data);
    DIR *d = opendir(path.at);
    for (struct dirent *x; d && (x = readdir(d)) != NULL;)
        n += x->d_name[0] != '.';
    if (d)
        closedir(d);
    return n;
}

static void upload_story(struct spine *s)
{
    CHECK_EQ_INT(upload(s, 1000), 201);
    fill_disk(s);
    CHECK_EQ_INT(upload(s, 1 << 20), 503);
    struct slice said = s->t.answer.body;
    CHECK(memmem(said.at, said.len, "could not be", 12) != NULL);
    if (mounted)
        CHECK(memmem(said.at, said.len, "the disk is full", 16) != NULL);
    WAIT_UNTIL(left_over(s) == 0, 5000);
    CHECK(!s->anna->client->ended);
    free_disk(s);
    CHECK_EQ_INT(upload(s, 1 << 20), 201);
    spine_say(s, 100);
    CHECK(spine_all_acked(s, 60000));
    CHECK(house_stop(&s->t) == 0);
    spine_verify(s);
}

TEST("an upload onto a full disk is refused, leaves nothing, and comes later")
{
    struct spine s;
    signal(SIGXFSZ, SIG_IGN);
    make_place();
    if (spine_open(&s, place))
        upload_story(&s);
    spine_close(&s);
    if (mounted)
        CHECK(umount2(place, MNT_DETACH) == 0);
}
