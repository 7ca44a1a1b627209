/* SPDX-License-Identifier: Apache-2.0 */
/* picture.c - decoding, turning, thumbnails: libgd, and only here.
 *
 * libgd brings forty more libraries (codecs, X11), 5 MB and 15 ms of a start:
 * it is opened when the first picture comes, by the one thread of this wing.
 *
 * Happy path: a JPEG, PNG, GIF (first frame) or WebP becomes pixels, upright,
 * and a small WebP of them. Failure: what gd cannot read has no picture (NULL)
 * and no thumbnail; it is kept all the same. Memory is 4 bytes a pixel, which
 * the caller has bounded by PICTURE_PIXELS before.
 */
#include "files/inside.h"

#include "base/log.h"

#include <dlfcn.h>
#include <gd.h>
#include <limits.h>
#include <stdarg.h>

#define THUMB_QUALITY 78
#define JPEG_QUALITY 92
#define WEBP_QUALITY 90

struct picture {
    gdImagePtr image;
};

#define GD_SONAME "libgd.so.3" /* Debian's libgd3 */
#define GD_FUNCTIONS(X)                                                        \
    X(Free)                                                                    \
    X(ImageAlphaBlending)                                                      \
    X(ImageCopyResampled)                                                      \
    X(ImageCreateFromGifPtr)                                                   \
    X(ImageCreateFromJpegPtr)                                                  \
    X(ImageCreateFromPngPtr)                                                   \
    X(ImageCreateFromWebpPtr)                                                  \
    X(ImageCreateTrueColor)                                                    \
    X(ImageDestroy)                                                            \
    X(ImageFlipBoth)                                                           \
    X(ImageFlipHorizontal)                                                     \
    X(ImageFlipVertical)                                                       \
    X(ImageJpegPtr)                                                            \
    X(ImagePaletteToTrueColor)                                                 \
    X(ImageRotateInterpolated)                                                 \
    X(ImageSaveAlpha)                                                          \
    X(ImageWebpPtrEx)                                                          \
    X(SetErrorMethod)

static struct {
#define MEMBER(name) __typeof__(gd##name) *name;
    GD_FUNCTIONS(MEMBER)
#undef MEMBER
} gd;

/* false: it is not there; said once. */
static bool gd_is_open(void)
{
    static enum { NOT_YET, OPEN, ABSENT } state;
    if (state != NOT_YET)
        return state == OPEN;
    void *lib = dlopen(GD_SONAME, RTLD_NOW | RTLD_LOCAL);
    bool all = lib != NULL;
#define FIND(name)                                                             \
    if (all) {                                                                 \
        *(void **)&gd.name = dlsym(lib, "gd" #name);                           \
        all = gd.name != NULL;                                                 \
    }
    GD_FUNCTIONS(FIND)
#undef FIND
    if (!all)
        log_warn("files", "no thumbnails, pictures as they came: %s",
                 dlerror());
    state = all ? OPEN : ABSENT;
    return all;
}

static void quiet(int priority, const char *format, va_list args)
{
    (void)priority, (void)format, (void)args; /* NULL says it */
}

struct picture *picture_read(const char *type, struct slice data)
{
    gdImagePtr (*read)(int, void *) = NULL;
    if (!gd_is_open())
        return NULL;
    if (strcmp(type, "image/jpeg") == 0)
        read = gd.ImageCreateFromJpegPtr;
    else if (strcmp(type, "image/png") == 0)
        read = gd.ImageCreateFromPngPtr;
    else if (strcmp(type, "image/gif") == 0)
        read = gd.ImageCreateFromGifPtr;
    else if (strcmp(type, "image/webp") == 0)
        read = gd.ImageCreateFromWebpPtr;
    if (!read || data.len > INT_MAX)
        return NULL;
    gd.SetErrorMethod(quiet);
    gdImagePtr image = read((int)data.len, (void *)(uintptr_t)data.at);
    if (!image)
        return NULL;
    if (!gdImageTrueColor(image) && !gd.ImagePaletteToTrueColor(image)) {
        gd.ImageDestroy(image);
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
    gd.ImageDestroy(p->image);
    mem_free(p);
}

static void rotate(struct picture *p, float degrees)
{
    gdImagePtr turned = gd.ImageRotateInterpolated(p->image, degrees, 0);
    if (!turned)
        return;
    gd.ImageDestroy(p->image);
    p->image = turned;
}

/* EXIF's orientations; gd turns against the clock. */
void picture_turn(struct picture *p, int orientation)
{
    switch (orientation) {
    case 2:
        gd.ImageFlipHorizontal(p->image);
        break;
    case 3:
        gd.ImageFlipBoth(p->image);
        break;
    case 4:
        gd.ImageFlipVertical(p->image);
        break;
    case 5:
        rotate(p, 270);
        gd.ImageFlipHorizontal(p->image);
        break;
    case 6:
        rotate(p, 270);
        break;
    case 7:
        rotate(p, 90);
        gd.ImageFlipHorizontal(p->image);
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
    int r = n > 0 ? write_all(fd, bytes, (size_t)n) : ERR_UNPROCESSABLE;
    gd.Free(bytes);
    return r;
}

int picture_write(struct picture *p, const char *type, int fd)
{
    int n = 0;
    void *bytes = strcmp(type, "image/webp") == 0
                      ? gd.ImageWebpPtrEx(p->image, &n, WEBP_QUALITY)
                      : gd.ImageJpegPtr(p->image, &n, JPEG_QUALITY);
    return put(bytes, n, fd);
}

int picture_thumb(struct picture *p, int fd)
{
    int w = gdImageSX(p->image), h = gdImageSY(p->image), n = 0;
    int side = w > h ? w : h;
    if (side <= THUMB_SIDE) {
        void *same = gd.ImageWebpPtrEx(p->image, &n, THUMB_QUALITY);
        return put(same, n, fd); /* not in one: n is read after the call */
    }
    int tw = (int)((int64_t)w * THUMB_SIDE / side);
    int th = (int)((int64_t)h * THUMB_SIDE / side);
    tw = tw ? tw : 1;
    th = th ? th : 1;
    gdImagePtr small = gd.ImageCreateTrueColor(tw, th);
    if (!small)
        return ERR_UNPROCESSABLE;
    gd.ImageAlphaBlending(small, 0);
    gd.ImageSaveAlpha(small, 1);
    gd.ImageCopyResampled(small, p->image, 0, 0, 0, 0, tw, th, w, h);
    void *bytes = gd.ImageWebpPtrEx(small, &n, THUMB_QUALITY);
    gd.ImageDestroy(small);
    return put(bytes, n, fd);
}
