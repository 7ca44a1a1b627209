/* SPDX-License-Identifier: Apache-2.0 */
/* image_fuzz.c - any bytes as each kind of image: what is kept lies inside and
 * in order, and once cleaned there is nothing more to leave out. */
#include "files/inside.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void clean_again(const char *type, struct slice data,
                        const struct clean *c)
{
    static int fd = -1;
    struct clean again;
    struct stat st;
    if (fd < 0)
        fd = memfd_create("image", MFD_CLOEXEC);
    must(fd >= 0 && ftruncate(fd, 0) == 0 && lseek(fd, 0, SEEK_SET) == 0);
    must(clean_write(type, data, c, 1, fd) == 0 && fstat(fd, &st) == 0);
    char *at = mem_alloc((size_t)st.st_size + 1);
    must(pread(fd, at, (size_t)st.st_size, 0) == st.st_size);
    must(clean_look(type, (struct slice){at, (size_t)st.st_size}, &again) == 0);
    must(!again.dirty && again.width == c->width && again.height == c->height);
    mem_free(at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const char *const types[] = {"image/jpeg", "image/png", "image/gif",
                                        "image/webp"};
    struct slice s = {(const char *)data, n};
    if (n > 70000)
        return 0;
    for (int i = 0; i < 4; i++) {
        struct clean c;
        if (clean_look(types[i], s, &c))
            continue;
        size_t at = 0;
        for (size_t k = 0; k < c.count; k++) {
            must(c.spans[k].from >= at && c.spans[k].len <= n);
            at = c.spans[k].from + c.spans[k].len;
            must(at <= n);
        }
        clean_again(types[i], s, &c);
    }
    return 0;
}
