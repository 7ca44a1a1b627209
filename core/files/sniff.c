/* SPDX-License-Identifier: Apache-2.0 */
/* sniff.c - what content is, by libmagic.
 *
 * Happy path: the head of the file against the compiled data of the system.
 * Failure: no data file is an error at start; content that is nothing known
 * is application/octet-stream. Nothing is unpacked and no child is run, so
 * its time is bounded by SNIFF_BYTES (about 1 ms).
 */
#include "files/inside.h"

#include <magic.h>

#define SNIFF_BYTES (256 * 1024)

struct sniffer {
    magic_t magic;
};

struct sniffer *sniffer_new(struct err *e)
{
    struct sniffer *s = mem_alloc(sizeof *s);
    s->magic = magic_open(MAGIC_MIME_TYPE | MAGIC_NO_CHECK_COMPRESS |
                          MAGIC_NO_CHECK_TOKENS | MAGIC_ERROR);
    if (s->magic && magic_load(s->magic, NULL) == 0)
        return s;
    err_set(e, ERR_INTERNAL, "libmagic cannot read its data: %s",
            s->magic ? magic_error(s->magic) : "no memory");
    sniffer_free(s);
    return NULL;
}

void sniffer_free(struct sniffer *s)
{
    if (!s)
        return;
    if (s->magic)
        magic_close(s->magic);
    mem_free(s);
}

const char *sniff(struct sniffer *s, struct slice data)
{
    size_t n = data.len < SNIFF_BYTES ? data.len : SNIFF_BYTES;
    const char *type = n ? magic_buffer(s->magic, data.at, n) : NULL;
    return type && strchr(type, '/') ? type : "application/octet-stream";
}
