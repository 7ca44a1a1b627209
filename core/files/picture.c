/* SPDX-License-Identifier: Apache-2.0 */
/* picture.c - decoding, turning, thumbnails: libgd, and only here.
 *
 * Happy path: a JPEG, PNG, GIF (first frame) or WebP becomes pixels, upright,
 * and a small WebP of them. Failure: what gd cannot read has no picture (NULL)
 * and no thumbnail; it is kept all the same. Memory is 4 bytes a pixel, which
 * the caller has bounded by PICTURE_PIXELS before.
 */
#include "files/inside.h"

#include <gd.h>
#include <limits.h>
#include <stdarg.h>

#define THUMB_QUALITY 78
#define JPEG_QUALITY 92
#define WEBP_QUALITY 90

struct picture {
    gdImagePtr image;
};

static void quiet(int priority, const char *format, va_list args)
{
    (void)priority, (void)format, (void)args; /* NULL says it */
}

struct picture *picture_read(const char *type, struct slice data)
{
    gdImagePtr (*read)(int, void *) = NULL;
    if (strcmp(type, "image/jpeg") == 0)
        read = gdImageCreateFromJpegPtr;
    else if (strcmp(type, "image/png") == 0)
        read = gdImageCreateFromPngPtr;
    else if (strcmp(type, "image/gif") == 0)
        read = gdImageCreateFromGifPtr;
    else if (strcmp(type, "image/webp") == 0)
        read = gdImageCreateFromWebpPtr;
    if (!read || data.len > INT_MAX)
        return NULL;
    gdSetErrorMethod(quiet);
    gdImagePtr image = read((int)data.len, (void *)(uintptr_t)data.at);
    if (!image)
        return NULL;
    if (!gdImageTrueColor(image) && !gdImagePaletteToTrueColor(image)) {
        gdImageDestroy(image);
        return NULL;
    }
    struct picture *p = mem_alloc(sizeof *p);
    p->image = image;
    return p;
}

void picture_free(struct picture *p)
{
    if (!p)
        return;
    gdImageDestroy(p->image);
    mem_free(p);
}

static void rotate(struct picture *p, float degrees)
{
    gdImagePtr turned = gdImageRotateInterpolated(p->image, degrees, 0);
    if (!turned)
        return;
    gdImageDestroy(p->image);
    p->image = turned;
}

/* EXIF's orientations; gd turns against the clock. */
void picture_turn(struct picture *p, int orientation)
{
    switch (orientation) {
    case 2:
        gdImageFlipHorizontal(p->image);
        break;
    case 3:
        gdImageFlipBoth(p->image);
        break;
    case 4:
        gdImageFlipVertical(p->image);
        break;
    case 5:
        rotate(p, 270);
        gdImageFlipHorizontal(p->image);
        break;
    case 6:
        rotate(p, 270);
        break;
    case 7:
        rotate(p, 90);
        gdImageFlipHorizontal(p->image);
        break;
    case 8:
        rotate(p, 90);
        break;
    default:
        break;
    }
}

static int put(void *bytes, int n, int fd)
{
    if (!bytes)
        return ERR_UNPROCESSABLE;
    int r = write_all(fd, bytes, (size_t)n);
    gdFree(bytes);
    return r;
}

int picture_write(struct picture *p, const char *type, int fd)
{
    int n = 0;
    void *bytes = strcmp(type, "image/webp") == 0
                      ? gdImageWebpPtrEx(p->image, &n, WEBP_QUALITY)
                      : gdImageJpegPtr(p->image, &n, JPEG_QUALITY);
    return put(bytes, n, fd);
}

int picture_thumb(struct picture *p, int fd)
{
    int w = gdImageSX(p->image), h = gdImageSY(p->image), n = 0;
    int side = w > h ? w : h;
    if (side <= THUMB_SIDE)
        return put(gdImageWebpPtrEx(p->image, &n, THUMB_QUALITY), n, fd);
    int tw = (int)((int64_t)w * THUMB_SIDE / side);
    int th = (int)((int64_t)h * THUMB_SIDE / side);
    tw = tw ? tw : 1;
    th = th ? th : 1;
    gdImagePtr small = gdImageCreateTrueColor(tw, th);
    if (!small)
        return ERR_UNPROCESSABLE;
    gdImageAlphaBlending(small, 0);
    gdImageSaveAlpha(small, 1);
    gdImageCopyResampled(small, p->image, 0, 0, 0, 0, tw, th, w, h);
    void *bytes = gdImageWebpPtrEx(small, &n, THUMB_QUALITY);
    gdImageDestroy(small);
    return put(bytes, n, fd);
}
