/* SPDX-License-Identifier: Apache-2.0 */
/* inside.h - what the files of this wing share; nobody else includes it. */
#pragma once
#include "files/files.h"

#define FILES_PATH 4096
#define THUMB_SIDE 480          /* pixels of the longer side */
#define PICTURE_PIXELS 40000000 /* decoded at most (4 bytes each) */
#define PICTURE_SCANS 100       /* of a JPEG: each is work for all pixels */
#define PICTURE_PIXELS_MOST 250000000 /* more is a bomb */

/* sniff.c: libmagic. One per thread. */
struct sniffer;
struct sniffer *sniffer_new(struct err *e); /* NULL: no data file */
void sniffer_free(struct sniffer *s);
/* "image/png"; never NULL. */
const char *sniff(struct sniffer *s, struct slice data);

/* policy.c: what a name claims, and whether the content agrees. */
bool policy_is_executable(const char *type);
/* The type to keep it as, or ERR_UNSUPPORTED with a sentence; by what the
 * sender says in d, to d->type and d->err. */
int policy_judge(struct filed *d, const char *sniffed);

/* clean.c: what is in an image, without decoding it. */
struct span {
    size_t from, len;
};
#define CLEAN_SPANS 512
struct clean {
    int32_t width, height;
    int orientation; /* EXIF's, 1 to 8 */
    int scans;       /* of a JPEG */
    bool animated;
    bool dirty;                     /* there is something to be left out */
    struct span spans[CLEAN_SPANS]; /* what is kept, in order */
    size_t count;
};
/* JPEG, PNG, GIF, WebP. ERR_UNSUPPORTED: another type. ERR_UNPROCESSABLE: it
 * does not hold together. */
int clean_look(const char *type, struct slice data, struct clean *out);
/* What is kept of it, mended (sizes in heads), to fd. turn: an orientation to
 * say in the file (JPEG), 1 = none. */
int clean_write(const char *type, struct slice data, const struct clean *c,
                int turn, int fd);

/* picture.c: the image library. Both decode: the caller bounds the pixels. */
struct picture;
struct picture *picture_read(const char *type, struct slice data);
void picture_free(struct picture *p);
void picture_turn(struct picture *p, int orientation); /* upright */
int picture_write(struct picture *p, const char *type, int fd);
/* WebP, longer side at most THUMB_SIDE. */
int picture_thumb(struct picture *p, int fd);

int write_all(int fd, const void *at, size_t n); /* 0 or ERR_UNAVAILABLE */
