/* SPDX-License-Identifier: Apache-2.0 */
/* The wing with its thread: what comes in lies there by its hash, what is
 * refused or breaks off leaves nothing. The test is the home loop's thread. */
#include "base/clock.h"
#include "base/crypto.h"
#include "files/files.h"
#include "test.h"
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utime.h>

/* A PNG of 2x3 with a text chunk ("GPS: secret-place") in front of its data. */
static const unsigned char png[] = {
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00,
    0x0d, 0x49, 0x48, 0x44, 0x52, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00,
    0x00, 0x03, 0x08, 0x02, 0x00, 0x00, 0x00, 0x36, 0x88, 0x49, 0xd6,
    0x00, 0x00, 0x00, 0x10, 0x74, 0x45, 0x58, 0x74, 0x47, 0x50, 0x53,
    0x00, 0x73, 0x65, 0x63, 0x72, 0x65, 0x74, 0x2d, 0x70, 0x6c, 0x61,
    0x63, 0x65, 0x70, 0x3c, 0xf0, 0xcc, 0x00, 0x00, 0x00, 0x19, 0x49,
    0x44, 0x41, 0x54, 0x78, 0x9c, 0x63, 0x38, 0xc1, 0xa0, 0x01, 0x44,
    0x0c, 0x27, 0xe4, 0x34, 0x80, 0x88, 0xe1, 0x84, 0x8d, 0x06, 0x10,
    0x01, 0x00, 0x42, 0xff, 0x06, 0x55, 0xb9, 0x7c, 0xaf, 0x90, 0x00,
    0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82};
static const struct slice image = {(const char *)png, sizeof png};

struct wing {
    struct loop *loop;
    struct filing *f;
    const char *dir;
};

static bool wing_open_in(struct wing *w, const char *dir)
{
    struct err e = {0};
    w->dir = dir;
    must(loop_new("test", &w->loop) == 0);
    struct filing_conf conf = {.dir = dir, .home = w->loop};
    if (filing_open(&conf, &e, &w->f) == 0)
        return true;
    FAIL("%s", e.text);
    return false;
}

static bool wing_open(struct wing *w)
{
    return wing_open_in(w, test_path("files"));
}

static void wing_close(struct wing *w)
{
    filing_close(w->f);
    loop_free(w->loop); /* runs what is left */
}

static void on_filed(struct filed *d)
{
    loop_stop(((struct wing *)d->owner)->loop);
}

/* Whole, in pieces of so many bytes; d has what is to be checked. */
static void finish(struct wing *w, struct upload *u, struct filed *d)
{
    d->done = on_filed;
    d->owner = w;
    upload_finish(u, d);
    loop_run(w->loop);
}

static int bring(struct wing *w, struct slice bytes, size_t step,
                 struct filed *d)
{
    struct upload *u = upload_new(w->f, NULL, NULL);
    for (size_t i = 0; i < bytes.len; i += step)
        upload_write(u, (struct slice){bytes.at + i, bytes.len - i < step
                                                         ? bytes.len - i
                                                         : step});
    CHECK_EQ_INT(upload_bytes(u), (int)bytes.len);
    finish(w, u, d);
    return d->result;
}

static const char *path_of(struct wing *w, const unsigned char *hash,
                           const char *end)
{
    static char path[4096];
    int n = snprintf(path, 3000, "%s/%02x/", w->dir, hash[0]);
    for (int i = 1; i < FILES_HASH; i++)
        n += snprintf(path + n, 3, "%02x", hash[i]);
    snprintf(path + n, 16, "%s", end);
    return path;
}

static int in_tmp(struct wing *w)
{
    char path[4096];
    int n = 0;
    snprintf(path, sizeof path, "%s/tmp", w->dir);
    DIR *d = opendir(path);
    for (struct dirent *x; d && (x = readdir(d)) != NULL;)
        n += x->d_name[0] != '.';
    if (d)
        closedir(d);
    return n;
}

static void on_open(struct file_open *o)
{
    loop_stop(((struct wing *)o->owner)->loop);
}

static int read_it(struct wing *w, const unsigned char *hash,
                   struct file_open *o)
{
    memcpy(o->hash, hash, FILES_HASH);
    o->done = on_open;
    o->owner = w;
    files_open(w->f, o);
    loop_run(w->loop);
    return o->result;
}

TEST("bytes come in by pieces and lie there by their hash, each content once")
{
    struct wing w;
    unsigned char want[32];
    REQUIRE(wing_open(&w));
    static const size_t steps[] = {1, 7, 4096};
    struct slice text = SLICE("plain words, said in pieces");
    sha256_of(text, want);
    for (size_t i = 0; i < 3; i++) {
        struct filed d = {.name = SLICE("a.txt")};
        CHECK_EQ_INT(bring(&w, text, steps[i], &d), 0);
        CHECK_EQ_MEM(d.hash, 32, want, 32);
        CHECK_EQ_STR(d.type, "text/plain");
        CHECK_EQ_INT(d.size, (int)text.len);
        CHECK(!d.has_thumb && d.width == 0);
    }
    char *there = test_read_file(path_of(&w, want, ""));
    REQUIRE(there != NULL);
    CHECK_EQ_STR(there, text.at);
    free(there);
    CHECK_EQ_INT(in_tmp(&w), 0);
    wing_close(&w);
}

TEST("a file is opened, or read whole where there is room for just it")
{
    struct wing w;
    char room[64] = "";
    REQUIRE(wing_open(&w));
    struct filed d = {.name = SLICE("a.txt")};
    CHECK_EQ_INT(bring(&w, SLICE("twelve bytes"), 5, &d), 0);
    struct file_open o = {0};
    CHECK_EQ_INT(read_it(&w, d.hash, &o), 0);
    CHECK(o.fd >= 0 && o.size == 12);
    close(o.fd);
    o = (struct file_open){.into = room, .room = 12};
    CHECK_EQ_INT(read_it(&w, d.hash, &o), 0);
    CHECK_EQ_INT(o.fd, -1);
    CHECK_EQ_STR(room, "twelve bytes");
    /* Not the one whose size is known. */
    o = (struct file_open){.into = room, .room = 11};
    CHECK_EQ_INT(read_it(&w, d.hash, &o), ERR_UNAVAILABLE);
    CHECK_EQ_INT(o.fd, -1);
    d.hash[5] ^= 1;
    o = (struct file_open){.into = room, .room = 12};
    CHECK_EQ_INT(read_it(&w, d.hash, &o), ERR_NOT_FOUND);
    wing_close(&w);
}

TEST("a picture loses what it tells of its maker and gets a thumbnail")
{
    struct wing w;
    struct stat st;
    REQUIRE(wing_open(&w));
    struct filed d = {.name = SLICE("sun.png"), .mime = SLICE("image/png")};
    CHECK_EQ_INT(bring(&w, image, 10, &d), 0);
    CHECK_EQ_INT(d.width, 2);
    CHECK_EQ_INT(d.height, 3);
    CHECK(d.has_thumb && d.size < (int64_t)sizeof png);
    CHECK(stat(path_of(&w, d.hash, ".thumb"), &st) == 0 && st.st_size > 0);
    char *kept = test_read_file(path_of(&w, d.hash, ""));
    REQUIRE(kept != NULL);
    CHECK(!memmem(kept, (size_t)d.size, "secret-place", 12));
    free(kept);
    d = (struct filed){.name = SLICE("sun.png"), .pixels = 5};
    CHECK_EQ_INT(bring(&w, image, 99, &d), ERR_TOOBIG);
    /* Cut in the middle of its data. */
    d = (struct filed){.name = SLICE("sun.png")};
    CHECK_EQ_INT(bring(&w, (struct slice){image.at, 40}, 99, &d),
                 ERR_UNSUPPORTED);
    CHECK_EQ_INT(in_tmp(&w), 0);
    wing_close(&w);
}

TEST("content that belies its name is refused, one finer than content is not")
{
    static const char exe[300] = "MZ\x90";
    static const struct {
        const char *bytes;
        size_t n;
        const char *name, *mime, *allow, *also;
        int result;
        const char *type;
    } cases[] = {
        {exe, sizeof exe, "cat.png", "", "", "", ERR_UNSUPPORTED, NULL},
        {exe, sizeof exe, "", "image/png", "", "", ERR_UNSUPPORTED, NULL},
        {exe, sizeof exe, "song.mp3", "", "*", "", ERR_UNSUPPORTED, NULL},
        {exe, sizeof exe, "setup.exe", "", "", "", ERR_UNSUPPORTED, NULL},
        {exe, sizeof exe, "setup.exe", "", "* executable", "", 0,
         "application/x-dosexec"},
        {exe, sizeof exe, "setup.exe", "", "* executable", "!executable",
         ERR_UNSUPPORTED, NULL},
        {"#!/bin/sh\necho\n", 15, "notes.pdf", "", "*", "", ERR_UNSUPPORTED,
         NULL},
        {"words", 5, "photo.jpg", "", "", "", ERR_UNSUPPORTED, NULL},
        {"<svg xmlns='http://www.w3.org/2000/svg'/>", 41, "p.png", "", "", "",
         ERR_UNSUPPORTED, NULL},
        {"a,b\n1,2\n", 8, "list.csv", "", "", "", 0, "text/csv"},
        {(const char *)png, sizeof png, "", "", "", "image/*", 0, "image/png"},
        {(const char *)png, sizeof png, "", "", "", "!video/*", 0, "image/png"},
        {(const char *)png, sizeof png, "", "", "", "application/pdf",
         ERR_UNSUPPORTED, NULL},
        {(const char *)png, sizeof png, "", "", "!image/*", "image/*",
         ERR_UNSUPPORTED, NULL},
        {"words", 5, "a.txt", "", "", "image/*, text/plain", 0, "text/plain"},
    };
    struct wing w;
    REQUIRE(wing_open(&w));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct filed d = {.name = slice_of(cases[i].name),
                          .mime = slice_of(cases[i].mime),
                          .allow = slice_of(cases[i].allow),
                          .allow_also = slice_of(cases[i].also)};
        test_note("case %zu: %s %s", i, cases[i].name, cases[i].also);
        CHECK_EQ_INT(
            bring(&w, (struct slice){cases[i].bytes, cases[i].n}, 99, &d),
            cases[i].result);
        if (cases[i].type)
            CHECK_EQ_STR(d.type, cases[i].type);
        else
            CHECK_EQ_STR(d.err.field, "file");
    }
    CHECK_EQ_INT(in_tmp(&w), 0);
    wing_close(&w);
}

TEST("too long, empty, not what was sent, none wanted: refused in words")
{
    struct wing w;
    REQUIRE(wing_open(&w));
    struct filed d = {.most = 4};
    CHECK_EQ_INT(bring(&w, SLICE("12345"), 9, &d), ERR_TOOBIG);
    CHECK_EQ_STR(d.err.text, "the file is longer than 4 bytes");
    d = (struct filed){.most = -1};
    CHECK_EQ_INT(bring(&w, SLICE("1"), 9, &d), ERR_FORBIDDEN);
    CHECK_EQ_STR(d.err.text, "no files are taken here");
    d = (struct filed){.most = 4};
    CHECK_EQ_INT(bring(&w, SLICE(""), 9, &d), ERR_UNPROCESSABLE);
    d = (struct filed){.sha256 = SLICE("00112233445566778899aabbccddeeff"
                                       "00112233445566778899aabbccddeeff")};
    CHECK_EQ_INT(bring(&w, SLICE("1"), 9, &d), ERR_UNPROCESSABLE);
    CHECK_EQ_STR(d.err.field, "sha256");
    CHECK_EQ_INT(in_tmp(&w), 0);
    wing_close(&w);
}

TEST("what is given up leaves nothing; what an earlier run left is removed")
{
    struct wing w;
    char left[4096];
    REQUIRE(wing_open(&w));
    struct upload *u = upload_new(w.f, NULL, NULL);
    upload_write(u, SLICE("half of"));
    upload_drop(u);
    struct filed d = {.name = SLICE("a.txt")}; /* behind it on the thread */
    CHECK_EQ_INT(bring(&w, SLICE("whole"), 9, &d), 0);
    CHECK_EQ_INT(in_tmp(&w), 0);
    wing_close(&w);
    snprintf(left, sizeof left, "%s/tmp/77", w.dir);
    test_write_file(left, "from before the crash");
    CHECK_EQ_INT(in_tmp(&w), 1);
    REQUIRE(wing_open(&w));
    CHECK_EQ_INT(in_tmp(&w), 0);
    wing_close(&w);
}

static void on_walk(struct file_walk *k)
{
    loop_stop(((struct wing *)k->owner)->loop);
}

/* Two files of one folder are not easily made: each has its own walk. */
static size_t walk(struct wing *w, const unsigned char *hash, bool wanted)
{
    struct file_walk k = {.next = hash[0],
                          .before = clock_ms() - 60000,
                          .done = on_walk,
                          .owner = w};
    files_walk(w->f, &k);
    loop_run(w->loop);
    if (k.count) {
        CHECK_EQ_INT(k.count, 1);
        CHECK_EQ_MEM(k.hashes[0], 32, hash, 32);
        k.wanted[0] = wanted;
        files_drop(w->f, &k);
        loop_run(w->loop);
    }
    size_t removed = k.removed;
    file_walk_fini(&k);
    return removed;
}

TEST("the walk takes what is old and nobody names, and only that")
{
    struct wing w;
    struct stat st;
    struct utimbuf past = {1000, 1000};
    REQUIRE(wing_open(&w));
    struct filed d = {.name = SLICE("sun.png")};
    CHECK_EQ_INT(bring(&w, image, 99, &d), 0);
    CHECK_EQ_INT(walk(&w, d.hash, false), 0); /* too young */
    CHECK(utime(path_of(&w, d.hash, ""), &past) == 0);
    CHECK_EQ_INT(walk(&w, d.hash, true), 0);
    /* The same content again makes it young. */
    struct filed same = {.name = SLICE("again.png")};
    CHECK_EQ_INT(bring(&w, image, 99, &same), 0);
    CHECK_EQ_INT(walk(&w, d.hash, false), 0);
    CHECK(utime(path_of(&w, d.hash, ""), &past) == 0);
    CHECK_EQ_INT(walk(&w, d.hash, false), 1);
    CHECK(stat(path_of(&w, d.hash, ""), &st) < 0 && errno == ENOENT);
    CHECK(stat(path_of(&w, d.hash, ".thumb"), &st) < 0 && errno == ENOENT);
    wing_close(&w);
}

TEST("what lies there is looked at: gone, damaged, shorter, without thumbnail")
{
    struct wing w;
    REQUIRE(wing_open(&w));
    struct filed d = {.name = SLICE("sun.png")};
    CHECK_EQ_INT(bring(&w, image, 99, &d), 0);
    CHECK_EQ_INT(files_check(w.dir, d.hash, d.size, true), 0);
    CHECK_EQ_INT(files_check(w.dir, d.hash, d.size + 1, true),
                 ERR_UNPROCESSABLE);
    CHECK(unlink(path_of(&w, d.hash, ".thumb")) == 0);
    CHECK_EQ_INT(files_check(w.dir, d.hash, d.size, true), ERR_NOT_FOUND);
    CHECK_EQ_INT(files_check(w.dir, d.hash, d.size, false), 0);
    FILE *f = fopen(path_of(&w, d.hash, ""), "r+e");
    REQUIRE(f != NULL);
    fseek(f, 20, SEEK_SET);
    CHECK(fputc('!', f) == '!' && fclose(f) == 0);
    CHECK_EQ_INT(files_check(w.dir, d.hash, d.size, false), ERR_UNPROCESSABLE);
    CHECK(unlink(path_of(&w, d.hash, "")) == 0);
    CHECK_EQ_INT(files_check(w.dir, d.hash, d.size, false), ERR_NOT_FOUND);
    wing_close(&w);
}

/* As root a disk of 1 MB, else a longest file of 1 MB. */
struct small {
    const char *place;
    bool mounted;
};

static void small_make(struct small *s)
{
    s->place = test_path("disk");
    mkdir(s->place, 0700);
    s->mounted = mount("yuelai-test", s->place, "tmpfs", 0, "size=1m") == 0;
    struct rlimit r = {.rlim_cur = 1 << 20, .rlim_max = RLIM_INFINITY};
    signal(SIGXFSZ, SIG_IGN);
    if (!s->mounted)
        CHECK(setrlimit(RLIMIT_FSIZE, &r) == 0);
}

static void small_end(struct small *s)
{
    struct rlimit r = {RLIM_INFINITY, RLIM_INFINITY};
    if (s->mounted)
        CHECK(umount2(s->place, MNT_DETACH) == 0);
    else
        CHECK(setrlimit(RLIMIT_FSIZE, &r) == 0);
}

struct flow {
    struct wing *w;
    struct upload *u;
    struct err err;
};

static void on_moved(void *arg)
{
    struct flow *f = arg;
    if (upload_failed(f->u, &f->err) || !upload_waiting(f->u))
        loop_stop(f->w->loop);
}

TEST("a disk that fills up fails the upload, tells at once, and is freed")
{
    struct small disk;
    struct wing w;
    static char block[65536];
    memset(block, 'a', sizeof block);
    small_make(&disk);
    if (wing_open_in(&w, test_path("disk/files"))) {
        struct flow f = {.w = &w};
        f.u = upload_new(w.f, on_moved, &f);
        int i = 0;
        for (; i < 40 && !f.err.code; i++) {
            upload_write(f.u, (struct slice){block, sizeof block});
            loop_run(w.loop);
        }
        CHECK_EQ_INT(f.err.code, ERR_UNAVAILABLE);
        CHECK(strstr(f.err.text, "could not be written") != NULL);
        if (disk.mounted)
            CHECK(strstr(f.err.text, "the disk is full") != NULL);
        CHECK(i >= 10 && i <= 17);
        /* Told again to whoever does not listen, and nothing stays. */
        struct filed d = {.name = SLICE("a.txt")};
        finish(&w, f.u, &d);
        CHECK_EQ_INT(d.result, ERR_UNAVAILABLE);
        CHECK_EQ_INT(in_tmp(&w), 0);
        d = (struct filed){.name = SLICE("a.txt")};
        CHECK_EQ_INT(bring(&w, SLICE("there is room again"), 9, &d), 0);
        CHECK_EQ_INT(files_check(w.dir, d.hash, d.size, false), 0);
        wing_close(&w);
    }
    small_end(&disk);
}
