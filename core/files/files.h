/* SPDX-License-Identifier: Apache-2.0 */
/* files.h - the face of the files: bytes of people, on disk, by their hash.
 *
 * Why a wing of its own: what a file holds is not the journal's business (it
 * is big, it is never searched, it may be thrown away), and libmagic and the
 * image library must be kept from the threads that serve. One thread writes,
 * looks and cleans; main hands over pieces and gets answers by mail. What is
 * known of a file (whose, its name, who may see it) lies in the database.
 *
 * On disk: DIR/ab/cdef… (64 hex digits of SHA-256 of what is kept, split after
 * two), beside it ….thumb (WebP); DIR/tmp while it comes.
 *
 * Thread: main calls; all answers come on the home loop.
 */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "base/mail.h"
#include "loop/loop.h"

#define FILES_HASH 32
#define FILES_PIECES_BYTES (256 * 1024) /* unwritten beyond it: hold back */
#define FILES_MIME 100

struct filing;
struct filing_conf {
    const char *dir;   /* made if missing, mode 0700 */
    struct loop *home; /* borrowed */
};
/* Blocking, at start; what an earlier run left in tmp is removed. */
int filing_open(const struct filing_conf *conf, struct err *e,
                struct filing **out);
/* Answers everything that was given, joins the thread. */
void filing_close(struct filing *f);

/* --- a file on its way in --- */
struct upload;
/* moved(arg) tells, now and then, that pieces were written or writing has
 * failed; not any more once upload_finish or upload_drop was called. */
struct upload *upload_new(struct filing *f, void (*moved)(void *arg),
                          void *arg);
void upload_write(struct upload *u, struct slice piece); /* copied */
size_t upload_waiting(const struct upload *u); /* bytes not written yet */
int64_t upload_bytes(const struct upload *u);  /* taken so far */
/* 0, or why writing failed (disk full: ERR_UNAVAILABLE). */
int upload_failed(const struct upload *u, struct err *e);
void upload_drop(struct upload *u); /* takes u; its bytes are removed */

/* What becomes of it: looked at, cleaned, kept. */
struct filed {
    struct mail mail; /* must be first */
    struct arena *arena;
    /* given */
    struct slice name, mime; /* as its sender says; may be "" */
    struct slice sha256;     /* 64 hex digits it must have, or "" */
    struct slice allow;      /* policy, see files_allows */
    struct slice allow_also; /* one that narrows it; "" = none does */
    int64_t most;            /* bytes; 0 = any, -1 = no file at all */
    int64_t pixels;          /* an image with more is refused; 0 = any */
    /* answer */
    int result; /* 0; ERR_UNSUPPORTED: not this type, or it pretends;
                   ERR_TOOBIG, ERR_UNPROCESSABLE (sha256, empty),
                   ERR_FORBIDDEN (most), ERR_UNAVAILABLE (disk) */
    struct err err;
    unsigned char hash[FILES_HASH];
    int64_t size;
    char type[FILES_MIME]; /* what it is */
    int32_t width, height; /* of images; else 0 */
    bool has_thumb;
    void (*done)(struct filed *fd); /* on the home loop, exactly once */
    void *owner;
};
/* Takes u. The answer comes when it is on disk, or nothing of it is. */
void upload_finish(struct upload *u, struct filed *fd);

/* --- out --- */
struct file_open {
    struct mail mail; /* must be first */
    struct filing *files;
    unsigned char hash[FILES_HASH];
    bool thumb;
    char *into;   /* or NULL; room for all of it: then it is read, too */
    int64_t room; /* of another size than this: ERR_UNAVAILABLE */
    int result;   /* 0, ERR_NOT_FOUND, ERR_UNAVAILABLE */
    int fd;       /* the receiver's; -1 after a failure or with `into` */
    int64_t size;
    void (*done)(struct file_open *o); /* on the home loop, exactly once */
    void *owner;
};
void files_open(struct filing *f, struct file_open *o); /* takes o */

/* --- keeping house --- */
/* Goes through what is kept, some at a time, and asks which of it is wanted;
 * what is not and was last touched before `before` (ms) is removed. */
struct file_walk {
    struct mail mail; /* must be first */
    struct filing *files;
    unsigned next;                       /* folder, 0 at first; 256 = the end */
    int64_t before;                      /* ms */
    unsigned char (*hashes)[FILES_HASH]; /* owned; old enough to go */
    bool *wanted;                        /* of the same number, for the drop */
    size_t count;
    size_t removed;
    void (*done)(struct file_walk *w); /* on the home loop */
    void *owner;
};
void files_walk(struct filing *f, struct file_walk *w); /* one folder */
void files_drop(struct filing *f, struct file_walk *w); /* those not wanted */
void file_walk_fini(struct file_walk *w);

/* --- without a thread --- */
/* May this type be kept? Words are types (application/pdf), families (image
 * and a slash and a star), a star for all, or the class `executable`; ! before
 * one forbids; the last word that fits decides; "" = "* !executable". */
bool files_allows(struct slice policy, const char *type);
bool files_policy_is_good(struct slice policy);
/* Says how long one may be (most <= 0: that none is taken), gives the code. */
int files_too_long(struct err *e, const char *field, int64_t most);
/* May a browser show it in place (nothing in it runs)? */
bool files_is_inert(struct slice type);
/* Blocking, offline: is the file there and what its hash says? 0,
 * ERR_NOT_FOUND, ERR_UNPROCESSABLE. */
int files_check(const char *dir, const unsigned char hash[FILES_HASH],
                int64_t size, bool thumb);
