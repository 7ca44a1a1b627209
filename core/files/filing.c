/* SPDX-License-Identifier: Apache-2.0 */
/* filing.c - the thread of the files: pieces in, a file by its hash out.
 *
 * Happy path: pieces are appended to a file in tmp as they come; at the end it
 * is mapped, sniffed, judged, cleaned if it is an image, hashed, synced, and
 * renamed to its hash; its thumbnail beside it. A hash that is there already
 * is only touched. Answers go home by mail.
 *
 * Failure modes: a full disk fails the upload (its pieces are removed, nothing
 * half is ever named by a hash); content that is refused is removed. What a
 * crash leaves in tmp is removed at the next start; a file without a row in
 * the database by the walk, a day later.
 */
#include "base/clock.h"
#include "base/crypto.h"
#include "base/log.h"
#include "base/meter.h"
#include "files/inside.h"
#include "loop/mailbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

METER(m_bytes, METER_COUNTER, "yuelai_files_bytes_total",
      "Bytes of files taken in");
METER(m_kept, METER_COUNTER, "yuelai_files_kept_total", "Files kept");
METER(m_again, METER_COUNTER, "yuelai_files_same_total",
      "Of these, such that were there already");
METER(m_refused, METER_COUNTER, "yuelai_files_refused_total",
      "Files refused for what they are");
METER(m_depth, METER_GAUGE, "yuelai_files_depth",
      "Pieces and questions waiting for the files' thread");
METER_US(m_took, "yuelai_files_keep_seconds",
         "From a file's last piece to its place on disk");

struct filing {
    struct loop *home;
    char dir[FILES_PATH - 256];
    struct mailbox *box;
    struct thread *thread;
    struct sniffer *sniffer; /* of the thread */
    atomic_bool stop;
    uint64_t uploads; /* names of tmp files */
};

struct upload {
    struct filing *f;
    void (*moved)(void *arg); /* NULL: nobody listens any more */
    void *arg;
    /* main's */
    int64_t taken;
    size_t waiting;
    struct err err;
    uint64_t number;
    /* the thread's */
    int fd, result;
    int64_t size;
};

/* What goes to the thread; `run` tells it what to do. */
struct piece {
    struct mail mail; /* must be first */
    struct upload *u;
    struct filed *filed; /* FINISH */
    struct err err;
    int result;
    size_t len;
    char at[];
};

int write_all(int fd, const void *at, size_t n)
{
    const char *p = at;
    while (n) {
        ssize_t got = write(fd, p, n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return ERR_UNAVAILABLE;
        p += got;
        n -= (size_t)got;
    }
    return 0;
}

/* --- names ---------------------------------------------------------------- */

static void hash_path(const char *dir, const unsigned char hash[FILES_HASH],
                      bool thumb, char out[FILES_PATH])
{
    int n = snprintf(out, FILES_PATH - 80, "%s/%02x/", dir, hash[0]);
    for (int i = 1; i < FILES_HASH; i++)
        n += snprintf(out + n, 3, "%02x", hash[i]);
    if (thumb)
        snprintf(out + n, 16, ".thumb");
}

static void tmp_path(const struct filing *f, uint64_t number, const char *end,
                     char out[FILES_PATH])
{
    snprintf(out, FILES_PATH, "%s/tmp/%llu%s", f->dir,
             (unsigned long long)number, end);
}

static int disk_trouble(struct err *e, const char *what)
{
    return err_set(e, ERR_UNAVAILABLE, "the file could not be %s: %s", what,
                   errno == ENOSPC || errno == EDQUOT ? "the disk is full"
                                                      : strerror(errno));
}

static int make_tmp(const struct upload *u, const char *end, struct err *e)
{
    char path[FILES_PATH];
    tmp_path(u->f, u->number, end, path);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    return fd < 0 ? disk_trouble(e, "made") : fd;
}

static void remove_tmp(const struct upload *u, const char *end)
{
    char path[FILES_PATH];
    tmp_path(u->f, u->number, end, path);
    unlink(path);
}

/* --- pieces --------------------------------------------------------------- */

static void run_moved(struct mail *m)
{
    struct piece *p = (struct piece *)m;
    struct upload *u = p->u;
    u->waiting -= p->len;
    if (p->result && !u->err.code)
        u->err = p->err;
    if (u->moved)
        u->moved(u->arg);
    mem_free(p);
}

/* The thread's part of each; never run by a loop. */
static void do_write(struct mail *m)
{
    struct piece *p = (struct piece *)m;
    struct upload *u = p->u;
    if (!u->result && u->fd < 0) {
        int fd = make_tmp(u, "", &p->err);
        u->fd = fd < 0 ? -1 : fd;
        u->result = fd < 0 ? fd : 0;
    }
    if (!u->result && write_all(u->fd, p->at, p->len))
        u->result = disk_trouble(&p->err, "written");
    u->size += (int64_t)p->len;
    p->result = u->result;
    p->mail.run = run_moved;
    loop_post(u->f->home, &p->mail);
}

static void run_gone(struct mail *m)
{
    struct piece *p = (struct piece *)m;
    mem_free(p->u);
    mem_free(p);
}

/* Mail about its pieces may be on its way home: the upload goes behind it. */
static void upload_end(struct piece *p)
{
    struct upload *u = p->u;
    if (u->fd >= 0)
        close(u->fd);
    remove_tmp(u, "");
    p->mail.run = run_gone;
    loop_post(u->f->home, &p->mail);
}

static void do_drop(struct mail *m)
{
    upload_end((struct piece *)m);
}

/* --- the end of an upload ------------------------------------------------- */

struct finish {
    struct upload *u;
    struct filed *d;
    struct slice data; /* mapped */
    struct clean clean;
    struct picture *picture;
    int fd;            /* of what is kept: u->fd or of a cleaned one */
    const char *names; /* ending of its tmp */
    int thumb;         /* fd, -1 = none */
};

static int map_fd(int fd, struct slice *out)
{
    struct stat st;
    *out = SLICE("");
    if (fstat(fd, &st) < 0)
        return ERR_UNAVAILABLE;
    if (st.st_size == 0)
        return 0;
    void *at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (at == MAP_FAILED)
        return ERR_UNAVAILABLE;
    *out = (struct slice){at, (size_t)st.st_size};
    return 0;
}

static void unmap(struct slice *s)
{
    if (s->len)
        munmap((void *)(uintptr_t)s->at, s->len);
    *s = SLICE("");
}

static int check_claims(struct finish *x)
{
    struct filed *d = x->d;
    unsigned char want[FILES_HASH], is[FILES_HASH];
    if (x->data.len == 0)
        return err_field(&d->err, ERR_UNPROCESSABLE, "file",
                         "the file is empty");
    if (d->most && (int64_t)x->data.len > d->most)
        return files_too_long(&d->err, "file", d->most);
    if (!d->sha256.len)
        return 0;
    sha256_of(x->data, is);
    if (hex_decode(d->sha256, want, sizeof want) &&
        memcmp(want, is, sizeof is) == 0)
        return 0;
    return err_field(&d->err, ERR_UNPROCESSABLE, "sha256",
                     "what arrived is not what was sent");
}

/* To a tmp of its own, which is what is kept then. */
static int rewrite(struct finish *x)
{
    struct clean *c = &x->clean;
    bool turned = c->orientation > 1 && x->picture && !c->animated;
    int fd = make_tmp(x->u, ".clean", &x->d->err);
    if (fd < 0)
        return fd;
    int r = turned ? picture_write(x->picture, x->d->type, fd)
                   : clean_write(x->d->type, x->data, c, c->orientation, fd);
    if (r) {
        close(fd);
        remove_tmp(x->u, ".clean");
        return disk_trouble(&x->d->err, "cleaned");
    }
    x->fd = fd;
    x->names = ".clean";
    return 0;
}

static void make_thumb(struct finish *x)
{
    struct err e;
    int fd = x->picture ? make_tmp(x->u, ".thumb", &e) : -1;
    if (fd < 0)
        return;
    if (picture_thumb(x->picture, fd) || fdatasync(fd)) {
        close(fd);
        remove_tmp(x->u, ".thumb");
        return; /* without one it is shown whole */
    }
    x->thumb = fd;
}

/* Its size; what is in it beside the picture goes. */
static int mind_image(struct finish *x)
{
    struct clean *c = &x->clean;
    struct filed *d = x->d;
    int r = clean_look(d->type, x->data, c);
    if (r == ERR_UNSUPPORTED)
        return 0; /* no image, or one of a kind that is kept as it is */
    if (r)
        return err_field(&d->err, ERR_UNSUPPORTED, "file",
                         "the image is broken");
    int64_t pixels = (int64_t)c->width * c->height;
    if (pixels > PICTURE_PIXELS_MOST || (d->pixels && pixels > d->pixels))
        return err_field(&d->err, ERR_TOOBIG, "file",
                         "the image has too many pixels");
    if (pixels <= PICTURE_PIXELS && c->scans <= PICTURE_SCANS)
        x->picture = picture_read(d->type, x->data);
    if (x->picture)
        picture_turn(x->picture, c->orientation);
    bool sideways = c->orientation > 4 &&
                    (x->picture || strcmp(d->type, "image/jpeg") == 0);
    d->width = sideways ? c->height : c->width;
    d->height = sideways ? c->width : c->height;
    make_thumb(x);
    return c->dirty || c->orientation > 1 ? rewrite(x) : 0;
}

static int name_it(struct finish *x, const char *end, bool thumb)
{
    char from[FILES_PATH], to[FILES_PATH], dir[FILES_PATH];
    struct filing *f = x->u->f;
    struct stat st;
    tmp_path(f, x->u->number, end, from);
    hash_path(f->dir, x->d->hash, thumb, to);
    if (stat(to, &st) == 0 && st.st_size &&
        (thumb || st.st_size == x->d->size)) {
        if (!thumb)
            meter_add(&m_again, 1);
        utimensat(AT_FDCWD, to, NULL, 0); /* the walk leaves it alone */
        unlink(from);
        return 0;
    }
    snprintf(dir, sizeof dir, "%.*s/%02x", FILES_PATH - 8, f->dir,
             x->d->hash[0]);
    if (mkdir(dir, 0700) < 0 && errno != EEXIST)
        return ERR_UNAVAILABLE;
    if (rename(from, to) < 0)
        return ERR_UNAVAILABLE;
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = fd < 0 || fsync(fd) < 0 ? ERR_UNAVAILABLE : 0;
    if (fd >= 0)
        close(fd);
    return r;
}

static int put_away(struct finish *x)
{
    struct filed *d = x->d;
    struct slice kept = x->data;
    int r = x->fd == x->u->fd ? 0 : map_fd(x->fd, &kept);
    if (r)
        return disk_trouble(&d->err, "read");
    sha256_of(kept, d->hash);
    d->size = (int64_t)kept.len;
    if (x->fd != x->u->fd)
        unmap(&kept);
    if (fsync(x->fd) < 0)
        return disk_trouble(&d->err, "synced");
    d->has_thumb = x->thumb >= 0 && name_it(x, ".thumb", true) == 0;
    return name_it(x, x->names, false) ? disk_trouble(&d->err, "kept") : 0;
}

static int keep(struct finish *x)
{
    struct filed *d = x->d;
    struct upload *u = x->u;
    if (u->result)
        return err_set(&d->err, ERR_UNAVAILABLE,
                       "the file could not be written (is the disk full?)");
    if (u->fd >= 0 && map_fd(u->fd, &x->data))
        return disk_trouble(&d->err, "read");
    int r = check_claims(x);
    r = r ? r : policy_judge(d, sniff(u->f->sniffer, x->data));
    r = r ? r : mind_image(x);
    return r ? r : put_away(x);
}

static void run_filed(struct mail *m)
{
    struct filed *d = (struct filed *)m;
    d->done(d);
}

static void do_finish(struct mail *m)
{
    struct piece *p = (struct piece *)m;
    struct upload *u = p->u;
    struct finish x = {
        .u = u, .d = p->filed, .fd = u->fd, .names = "", .thumb = -1};
    int64_t from = clock_mono_us();
    p->filed->result = keep(&x);
    if (p->filed->result == 0) {
        meter_add(&m_kept, 1);
        meter_add(&m_bytes, x.d->size);
    } else if (p->filed->result == ERR_UNSUPPORTED) {
        meter_add(&m_refused, 1);
    }
    unmap(&x.data);
    picture_free(x.picture);
    if (x.thumb >= 0)
        close(x.thumb);
    if (x.fd >= 0 && x.fd != u->fd)
        close(x.fd);
    remove_tmp(u, ".clean");
    remove_tmp(u, ".thumb");
    struct filing *f = u->f;
    upload_end(p);
    meter_note(&m_took, clock_mono_us() - from);
    x.d->mail.run = run_filed;
    loop_post(f->home, &x.d->mail);
}

/* --- out ------------------------------------------------------------------ */

static void run_opened(struct mail *m)
{
    struct file_open *o = (struct file_open *)m;
    o->done(o);
}

/* All of it into o->into; a file of another size is not the one meant. */
static int read_whole(const struct file_open *o)
{
    int64_t at = 0;
    if (o->size != o->room)
        return ERR_UNAVAILABLE;
    while (at < o->room) {
        ssize_t got =
            pread(o->fd, o->into + at, (size_t)(o->room - at), (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return ERR_UNAVAILABLE;
        at += got;
    }
    return 0;
}

static void do_open(struct mail *m)
{
    struct file_open *o = (struct file_open *)m;
    char path[FILES_PATH];
    struct stat st;
    hash_path(o->files->dir, o->hash, o->thumb, path);
    o->fd = open(path, O_RDONLY | O_CLOEXEC);
    o->result = o->fd >= 0        ? 0
                : errno == ENOENT ? ERR_NOT_FOUND
                                  : ERR_UNAVAILABLE;
    if (o->fd >= 0 && fstat(o->fd, &st) < 0)
        o->result = ERR_UNAVAILABLE;
    else if (o->fd >= 0)
        o->size = st.st_size;
    if (o->result == 0 && o->into)
        o->result = read_whole(o);
    if (o->fd >= 0 && (o->result || o->into)) {
        close(o->fd);
        o->fd = -1;
    }
    o->mail.run = run_opened;
    loop_post(o->files->home, &o->mail);
}

/* --- keeping house -------------------------------------------------------- */

static void run_walked(struct mail *m)
{
    struct file_walk *w = (struct file_walk *)m;
    w->done(w);
}

static int64_t touched_ms(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? (int64_t)st.st_mtim.tv_sec * 1000 +
                                      st.st_mtim.tv_nsec / 1000000
                                : INT64_MAX;
}

static void do_walk(struct mail *m)
{
    struct file_walk *w = (struct file_walk *)m;
    char path[FILES_PATH];
    unsigned char hash[FILES_HASH];
    size_t cap = 0;
    file_walk_fini(w);
    snprintf(path, sizeof path, "%.*s/%02x", FILES_PATH - 8, w->files->dir,
             w->next);
    hash[0] = (unsigned char)w->next++;
    DIR *dir = opendir(path);
    for (struct dirent *d; dir && (d = readdir(dir)) != NULL;) {
        if (!hex_decode(slice_of(d->d_name), hash + 1, FILES_HASH - 1))
            continue;
        hash_path(w->files->dir, hash, false, path);
        if (touched_ms(path) >= w->before)
            continue;
        if (w->count == cap) {
            cap = cap ? cap * 2 : 64;
            w->hashes = mem_resize(w->hashes, cap * FILES_HASH);
        }
        memcpy(w->hashes[w->count++], hash, FILES_HASH);
    }
    if (dir)
        closedir(dir);
    w->wanted = w->count ? mem_alloc(w->count * sizeof(bool)) : NULL;
    w->mail.run = run_walked;
    loop_post(w->files->home, &w->mail);
}

static void do_remove(struct mail *m)
{
    struct file_walk *w = (struct file_walk *)m;
    char path[FILES_PATH];
    for (size_t i = 0; i < w->count; i++) {
        hash_path(w->files->dir, w->hashes[i], false, path);
        /* Kept anew meanwhile: it was touched, on this same thread. */
        if (w->wanted[i] || touched_ms(path) >= w->before)
            continue;
        w->removed += unlink(path) == 0;
        hash_path(w->files->dir, w->hashes[i], true, path);
        unlink(path);
    }
    w->mail.run = run_walked;
    loop_post(w->files->home, &w->mail);
}

void file_walk_fini(struct file_walk *w)
{
    mem_free(w->hashes);
    mem_free(w->wanted);
    w->hashes = NULL;
    w->wanted = NULL;
    w->count = 0;
}

/* --- the thread ----------------------------------------------------------- */

static void filing_main(void *arg)
{
    struct filing *f = arg;
    for (;;) {
        bool stop = atomic_load(&f->stop);
        struct mail *m = stop ? mailbox_take(f->box) : mailbox_wait(f->box, -1);
        if (!m && stop)
            break;
        for (struct mail *next; m; m = next) {
            next = m->next;
            meter_add(&m_depth, -1);
            m->run(m);
        }
    }
    sniffer_free(f->sniffer);
}

static void give(struct filing *f, struct mail *m, void (*run)(struct mail *m))
{
    m->run = run;
    m->next = NULL;
    meter_add(&m_depth, 1);
    mailbox_push(f->box, m);
}

/* --- the face ------------------------------------------------------------- */

struct upload *upload_new(struct filing *f, void (*moved)(void *arg), void *arg)
{
    struct upload *u = mem_alloc(sizeof *u);
    u->f = f;
    u->moved = moved;
    u->arg = arg;
    u->fd = -1;
    u->number = ++f->uploads;
    return u;
}

void upload_write(struct upload *u, struct slice piece)
{
    if (!piece.len)
        return;
    struct piece *p = mem_alloc(sizeof *p + piece.len);
    p->u = u;
    p->len = piece.len;
    memcpy(p->at, piece.at, piece.len);
    u->taken += (int64_t)piece.len;
    u->waiting += piece.len;
    give(u->f, &p->mail, do_write);
}

size_t upload_waiting(const struct upload *u)
{
    return u->waiting;
}

int64_t upload_bytes(const struct upload *u)
{
    return u->taken;
}

int upload_failed(const struct upload *u, struct err *e)
{
    if (u->err.code && e)
        *e = u->err;
    return u->err.code;
}

static void leave(struct upload *u, struct filed *fd,
                  void (*run)(struct mail *m))
{
    struct piece *p = mem_alloc(sizeof *p);
    u->moved = NULL;
    p->u = u;
    p->filed = fd;
    give(u->f, &p->mail, run);
}

void upload_drop(struct upload *u)
{
    leave(u, NULL, do_drop);
}

void upload_finish(struct upload *u, struct filed *fd)
{
    leave(u, fd, do_finish);
}

void files_open(struct filing *f, struct file_open *o)
{
    o->files = f;
    o->fd = -1;
    give(f, &o->mail, do_open);
}

void files_walk(struct filing *f, struct file_walk *w)
{
    w->files = f;
    give(f, &w->mail, do_walk);
}

void files_drop(struct filing *f, struct file_walk *w)
{
    give(f, &w->mail, do_remove);
}

static void empty_tmp(const char *path)
{
    char one[FILES_PATH];
    DIR *dir = opendir(path);
    for (struct dirent *d; dir && (d = readdir(dir)) != NULL;) {
        if (d->d_name[0] == '.')
            continue;
        snprintf(one, sizeof one, "%.*s/%.255s", FILES_PATH - 260, path,
                 d->d_name);
        unlink(one);
    }
    if (dir)
        closedir(dir);
}

int filing_open(const struct filing_conf *conf, struct err *e,
                struct filing **out)
{
    char tmp[FILES_PATH];
    struct filing *f = mem_alloc(sizeof *f);
    *out = NULL;
    f->home = conf->home;
    int n = snprintf(f->dir, sizeof f->dir, "%s", conf->dir);
    snprintf(tmp, sizeof tmp, "%s/tmp", f->dir);
    int r = 0;
    if (n >= (int)sizeof f->dir ||
        (mkdir(f->dir, 0700) < 0 && errno != EEXIST) ||
        (mkdir(tmp, 0700) < 0 && errno != EEXIST))
        r = err_set(e, ERR_UNAVAILABLE, "cannot make the folder %s: %s", tmp,
                    strerror(errno));
    if (r == 0 && !(f->sniffer = sniffer_new(e)))
        r = ERR_INTERNAL;
    if (r) {
        mem_free(f);
        return r;
    }
    empty_tmp(tmp);
    f->box = mailbox_new(NULL, NULL);
    if (thread_start("files", filing_main, f, &f->thread) < 0) {
        sniffer_free(f->sniffer);
        mailbox_free(f->box);
        mem_free(f);
        return err_set(e, ERR_UNAVAILABLE, "no thread for the files");
    }
    *out = f;
    return 0;
}

void filing_close(struct filing *f)
{
    if (!f)
        return;
    atomic_store(&f->stop, true);
    mailbox_nudge(f->box);
    thread_join(f->thread);
    mailbox_free(f->box);
    mem_free(f);
}

int files_check(const char *dir, const unsigned char hash[FILES_HASH],
                int64_t size, bool thumb)
{
    char path[FILES_PATH];
    unsigned char is[FILES_HASH];
    struct slice data;
    struct stat st;
    hash_path(dir, hash, true, path);
    if (thumb && stat(path, &st) < 0)
        return ERR_NOT_FOUND;
    hash_path(dir, hash, false, path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return ERR_NOT_FOUND;
    int r = map_fd(fd, &data);
    if (r == 0) {
        sha256_of(data, is);
        r = (int64_t)data.len == size && memcmp(is, hash, sizeof is) == 0
                ? 0
                : ERR_UNPROCESSABLE;
        unmap(&data);
    }
    close(fd);
    return r;
}
