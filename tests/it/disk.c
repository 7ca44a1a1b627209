/* SPDX-License-Identifier: Apache-2.0 */
/* disk.c - see disk.h.
 *
 * Happy path: every call goes on to the system's VFS. A write is also put on
 * its file's list of pending ones; a sync applies the list to the file's
 * durable image. Only the shared memory of the log is not looked at: no power
 * cut keeps it. Failure modes: no memory ends the test.
 */
#include "disk.h"
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SECTOR 512
#define FILES_MOST 16

struct pending {
    struct pending *next;
    bool truncate; /* to offset */
    sqlite3_int64 offset;
    int n;
    unsigned char data[];
};
struct image {
    char path[1024];
    unsigned char *durable;
    sqlite3_int64 size, cap;
    struct pending *first, *last;
};
struct file {
    sqlite3_file base;
    struct image *image; /* NULL: of no interest */
    sqlite3_file *real;  /* behind this struct */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static sqlite3_vfs *real_vfs, vfs;
static struct image *images[FILES_MOST];
static bool lying;
static struct {
    char dir[1024];
    int in, more, code; /* in: writes until the first failure; 0 = off */
    bool failed;
} fault;

static void *need(void *p)
{
    if (!p)
        abort();
    return p;
}

/* -- images ------------------------------------------------------------- */

static void reach(struct image *m, sqlite3_int64 size)
{
    if (size > m->cap) {
        m->cap = size * 2;
        m->durable = need(realloc(m->durable, (size_t)m->cap));
    }
    if (size > m->size)
        memset(m->durable + m->size, 0, (size_t)(size - m->size));
    if (size > m->size)
        m->size = size;
}

static void apply(struct image *m, const struct pending *p)
{
    if (p->truncate) {
        reach(m, p->offset);
        m->size = p->offset;
        return;
    }
    reach(m, p->offset + p->n);
    memcpy(m->durable + p->offset, p->data, (size_t)p->n);
}

static void drop_pending(struct image *m)
{
    for (struct pending *p = m->first, *next; p; p = next) {
        next = p->next;
        free(p);
    }
    m->first = m->last = NULL;
}

static void note(struct image *m, bool truncate, const void *data, int n,
                 sqlite3_int64 offset)
{
    struct pending *p = need(malloc(sizeof *p + (size_t)n));
    *p = (struct pending){.truncate = truncate, .offset = offset, .n = n};
    if (n)
        memcpy(p->data, data, (size_t)n);
    if (m->last)
        m->last->next = p;
    else
        m->first = p;
    m->last = p;
}

static void load(struct image *m)
{
    FILE *f = fopen(m->path, "rb");
    unsigned char part[4096];
    size_t n;
    while (f && (n = fread(part, 1, sizeof part, f)) > 0) {
        sqlite3_int64 at = m->size;
        reach(m, at + (sqlite3_int64)n);
        memcpy(m->durable + at, part, n);
    }
    if (f)
        fclose(f);
}

static struct image *image_of(const char *path)
{
    int slot = -1;
    for (int i = 0; i < FILES_MOST; i++) {
        if (images[i] && strcmp(images[i]->path, path) == 0)
            return images[i];
        if (!images[i] && slot < 0)
            slot = i;
    }
    if (slot < 0)
        abort(); /* disk_forget between tests */
    struct image *m = need(calloc(1, sizeof *m));
    snprintf(m->path, sizeof m->path, "%s", path);
    load(m); /* what is there when we come is on disk */
    return images[slot] = m;
}

static void image_free(struct image *m)
{
    drop_pending(m);
    free(m->durable);
    free(m);
}

void disk_forget(void)
{
    for (int i = 0; i < FILES_MOST; i++) {
        if (images[i])
            image_free(images[i]);
        images[i] = NULL;
    }
}

/* -- failing ------------------------------------------------------------ */

void disk_fail(const char *dir, int n, int more, int code)
{
    pthread_mutex_lock(&lock);
    snprintf(fault.dir, sizeof fault.dir, "%s/", dir);
    fault.in = n;
    fault.more = more;
    fault.code = code;
    fault.failed = false;
    pthread_mutex_unlock(&lock);
}

void disk_heal(void)
{
    pthread_mutex_lock(&lock);
    fault.in = fault.more = 0;
    pthread_mutex_unlock(&lock);
}

bool disk_has_failed(void)
{
    pthread_mutex_lock(&lock);
    bool failed = fault.failed;
    pthread_mutex_unlock(&lock);
    return failed;
}

/* Under the lock. 0, or the code to fail with. */
static int due_fault(const struct file *f)
{
    if (!f->image || !fault.in ||
        strncmp(f->image->path, fault.dir, strlen(fault.dir)) != 0)
        return 0;
    if (fault.in > 1) {
        fault.in--;
        return 0;
    }
    fault.failed = true;
    if (fault.more-- <= 0)
        fault.in = 0;
    return fault.code;
}

/* -- the file's methods ------------------------------------------------- */

#define REAL(f) (((struct file *)(f))->real)
#define CALL(f, method, ...) REAL(f)->pMethods->method(REAL(f), __VA_ARGS__)

static int file_close(sqlite3_file *f)
{
    return REAL(f)->pMethods->xClose(REAL(f));
}
static int file_read(sqlite3_file *f, void *to, int n, sqlite3_int64 at)
{
    return CALL(f, xRead, to, n, at);
}

static int file_write(sqlite3_file *base, const void *from, int n,
                      sqlite3_int64 at)
{
    struct file *f = (struct file *)base;
    pthread_mutex_lock(&lock);
    int rc = due_fault(f);
    if (rc) {
        /* Half of it was written: a failed write may leave anything. */
        CALL(base, xWrite, from, n / 2, at);
        if (f->image)
            note(f->image, false, from, n / 2, at);
    } else {
        rc = CALL(base, xWrite, from, n, at);
        if (rc == SQLITE_OK && f->image)
            note(f->image, false, from, n, at);
    }
    pthread_mutex_unlock(&lock);
    return rc;
}

static int file_truncate(sqlite3_file *base, sqlite3_int64 size)
{
    struct file *f = (struct file *)base;
    pthread_mutex_lock(&lock);
    int rc = due_fault(f) ? SQLITE_IOERR_TRUNCATE : SQLITE_OK;
    if (rc == SQLITE_OK)
        rc = CALL(base, xTruncate, size);
    if (rc == SQLITE_OK && f->image)
        note(f->image, true, NULL, 0, size);
    pthread_mutex_unlock(&lock);
    return rc;
}

/* The real sync is spared: nothing here outlives the process. */
static int file_sync(sqlite3_file *base, int flags)
{
    struct file *f = (struct file *)base;
    pthread_mutex_lock(&lock);
    int rc = due_fault(f) ? SQLITE_IOERR_FSYNC : SQLITE_OK;
    if (rc == SQLITE_OK && f->image && !lying) {
        for (struct pending *p = f->image->first; p; p = p->next)
            apply(f->image, p);
        drop_pending(f->image);
    }
    pthread_mutex_unlock(&lock);
    return rc;
}

static int file_size(sqlite3_file *f, sqlite3_int64 *size)
{
    return CALL(f, xFileSize, size);
}
static int file_lock(sqlite3_file *f, int level)
{
    return CALL(f, xLock, level);
}
static int file_unlock(sqlite3_file *f, int level)
{
    return CALL(f, xUnlock, level);
}
static int file_reserved(sqlite3_file *f, int *out)
{
    return CALL(f, xCheckReservedLock, out);
}
static int file_control(sqlite3_file *f, int op, void *arg)
{
    return CALL(f, xFileControl, op, arg);
}
static int file_sector(sqlite3_file *f)
{
    return SECTOR;
}
/* None of the promises that would let SQLite leave out a sync. */
static int file_traits(sqlite3_file *f)
{
    return 0;
}
static int file_shm_map(sqlite3_file *f, int region, int size, int extend,
                        void volatile **out)
{
    return CALL(f, xShmMap, region, size, extend, out);
}
static int file_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
    return CALL(f, xShmLock, offset, n, flags);
}
static void file_shm_barrier(sqlite3_file *f)
{
    REAL(f)->pMethods->xShmBarrier(REAL(f));
}
static int file_shm_unmap(sqlite3_file *f, int delete)
{
    return CALL(f, xShmUnmap, delete);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector,
    .xDeviceCharacteristics = file_traits,
    .xShmMap = file_shm_map,
    .xShmLock = file_shm_lock,
    .xShmBarrier = file_shm_barrier,
    .xShmUnmap = file_shm_unmap,
};

/* -- the system's ------------------------------------------------------- */

static int vfs_open(sqlite3_vfs *v, const char *path, sqlite3_file *base,
                    int flags, int *out_flags)
{
    struct file *f = (struct file *)base;
    *f = (struct file){.real = (sqlite3_file *)(f + 1)};
    int rc = real_vfs->xOpen(real_vfs, path, f->real, flags, out_flags);
    if (rc != SQLITE_OK)
        return rc;
    f->base.pMethods = &methods;
    if (path && flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL |
                         SQLITE_OPEN_MAIN_JOURNAL)) {
        pthread_mutex_lock(&lock);
        f->image = image_of(path);
        pthread_mutex_unlock(&lock);
    }
    return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *v, const char *path, int sync)
{
    pthread_mutex_lock(&lock);
    for (int i = 0; i < FILES_MOST; i++) {
        if (images[i] && strcmp(images[i]->path, path) == 0) {
            image_free(images[i]);
            images[i] = NULL;
        }
    }
    pthread_mutex_unlock(&lock);
    return real_vfs->xDelete(real_vfs, path, sync);
}

void disk_setup(void)
{
    if (real_vfs)
        return;
    real_vfs = sqlite3_vfs_find(NULL);
    vfs = *real_vfs;
    vfs.szOsFile = (int)sizeof(struct file) + real_vfs->szOsFile;
    vfs.zName = "disk";
    vfs.xOpen = vfs_open;
    vfs.xDelete = vfs_delete;
    sqlite3_vfs_register(&vfs, 1);
}

/* -- the cut ------------------------------------------------------------ */

void disk_lie(bool lies)
{
    pthread_mutex_lock(&lock);
    lying = lies;
    pthread_mutex_unlock(&lock);
}

static uint64_t next_random(uint64_t *seed)
{
    *seed += 0x9e3779b97f4a7c15u;
    uint64_t x = *seed;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

/* Sector by sector: a write may be torn. keep: of 256. */
static void apply_torn(struct image *m, const struct pending *p, uint64_t *seed,
                       unsigned keep)
{
    if (p->truncate) {
        if ((next_random(seed) & 255) < keep)
            apply(m, p);
        return;
    }
    for (int at = 0; at < p->n;) {
        int n = SECTOR - (int)((p->offset + at) % SECTOR);
        n = n < p->n - at ? n : p->n - at;
        if ((next_random(seed) & 255) < keep) {
            reach(m, p->offset + at + n);
            memcpy(m->durable + p->offset + at, p->data + at, (size_t)n);
        }
        at += n;
    }
}

static void write_cut(const struct image *m, const char *to, uint64_t *seed)
{
    /* Nothing, half, nearly all or all of what was not synced survives. */
    static const unsigned keeps[] = {0, 128, 240, 256};
    unsigned keep = keeps[next_random(seed) % 4];
    struct image copy = {.size = m->size, .cap = m->size};
    copy.durable = need(malloc((size_t)m->size + 1));
    memcpy(copy.durable, m->durable ? m->durable : (unsigned char *)"",
           (size_t)m->size);
    for (const struct pending *p = m->first; p; p = p->next)
        apply_torn(&copy, p, seed, keep);
    char path[2048];
    snprintf(path, sizeof path, "%s/%s", to, strrchr(m->path, '/') + 1);
    FILE *f = need(fopen(path, "wb"));
    if (copy.size &&
        fwrite(copy.durable, 1, (size_t)copy.size, f) != (size_t)copy.size)
        abort();
    fclose(f);
    free(copy.durable);
}

void disk_cut(const char *from, const char *to, uint64_t seed)
{
    pthread_mutex_lock(&lock);
    mkdir(to, 0700);
    for (int i = 0; i < FILES_MOST; i++)
        if (images[i] && strncmp(images[i]->path, from, strlen(from)) == 0 &&
            images[i]->path[strlen(from)] == '/')
            write_cut(images[i], to, &seed);
    pthread_mutex_unlock(&lock);
}
