/* SPDX-License-Identifier: Apache-2.0 */
/* clean.c - an image's parts: its size, and what of it nobody else need know.
 *
 * Happy path: the file is walked part by part (JPEG's segments, PNG's and
 * WebP's chunks, GIF's blocks); what shows the picture is kept as it is, what
 * tells of its maker (EXIF with its place, XMP, IPTC, comments, anything behind
 * the end) is left out. Nothing is decoded, so nothing is lost and animations
 * stay. Failure: a part that reaches past the end, no size: ERR_UNPROCESSABLE.
 */
#include "files/inside.h"

struct walk {
    const unsigned char *p;
    size_t n, at;
    struct clean *out;
};

static uint32_t be16(const unsigned char *p)
{
    return (uint32_t)p[0] << 8 | p[1];
}
static uint32_t be32(const unsigned char *p)
{
    return be16(p) << 16 | be16(p + 2);
}
static uint32_t le16(const unsigned char *p)
{
    return (uint32_t)p[1] << 8 | p[0];
}
static uint32_t le32(const unsigned char *p)
{
    return le16(p + 2) << 16 | le16(p);
}

static int broken(void)
{
    return ERR_UNPROCESSABLE;
}

/* The next `len` bytes stay. Neighbours become one. */
static int keep(struct walk *w, size_t from, size_t len)
{
    struct clean *c = w->out;
    struct span *last = c->count ? &c->spans[c->count - 1] : NULL;
    if (last && last->from + last->len == from) {
        last->len += len;
        return 0;
    }
    if (c->count == CLEAN_SPANS)
        return broken();
    c->spans[c->count++] = (struct span){from, len};
    return 0;
}

/* --- EXIF: only its orientation ------------------------------------------- */

static int exif_orientation(const unsigned char *p, size_t n)
{
    if (n < 14 || memcmp(p, "Exif\0\0", 6) != 0)
        return 1;
    p += 6;
    n -= 6;
    bool big = p[0] == 'M';
    uint32_t (*get16)(const unsigned char *) = big ? be16 : le16;
    uint32_t (*get32)(const unsigned char *) = big ? be32 : le32;
    size_t at = get32(p + 4);
    if (at < 8 || at + 2 > n)
        return 1;
    size_t count = get16(p + at);
    for (size_t i = 0; i < count && at + 14 + 12 * i <= n; i++) {
        const unsigned char *tag = p + at + 2 + 12 * i;
        if (get16(tag) == 0x0112) {
            uint32_t v = get16(tag + 8);
            return v >= 1 && v <= 8 ? (int)v : 1;
        }
    }
    return 1;
}

/* --- JPEG ----------------------------------------------------------------- */

static bool jpeg_keeps(int marker, const unsigned char *p, size_t n)
{
    if (marker == 0xfe)
        return false;
    if (marker < 0xe0 || marker > 0xef)
        return true;
    return (marker == 0xe0 && n >= 5 && memcmp(p, "JFIF", 5) == 0) ||
           (marker == 0xe2 && n >= 12 && memcmp(p, "ICC_PROFILE", 12) == 0) ||
           (marker == 0xee && n >= 5 && memcmp(p, "Adobe", 5) == 0);
}

/* Behind SOS: to the next marker that is none of the stream's own. */
static size_t jpeg_scan(const struct walk *w, size_t at)
{
    while (at + 1 < w->n) {
        const unsigned char *ff = memchr(w->p + at, 0xff, w->n - at - 1);
        if (!ff)
            break;
        at = (size_t)(ff - w->p);
        unsigned char m = w->p[at + 1];
        if (m != 0 && m != 0xff && !(m >= 0xd0 && m <= 0xd7))
            return at;
        at += m == 0xff ? 1 : 2;
    }
    return w->n;
}

static void jpeg_size(struct walk *w, int marker, const unsigned char *p,
                      size_t n)
{
    bool sof = marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 &&
               marker != 0xc8 && marker != 0xcc;
    if (!sof || n < 5 || w->out->width)
        return;
    w->out->height = (int32_t)be16(p + 1);
    w->out->width = (int32_t)be16(p + 3);
}

static int jpeg(struct walk *w)
{
    if (w->n < 4 || be16(w->p) != 0xffd8 || keep(w, 0, 2))
        return broken();
    w->at = 2;
    while (w->at + 4 <= w->n) {
        if (w->p[w->at] != 0xff)
            return broken();
        int marker = w->p[w->at + 1];
        if (marker == 0xff) { /* fill */
            w->at++;
            continue;
        }
        if (marker == 0xd9)
            break;
        size_t len = be16(w->p + w->at + 2);
        const unsigned char *p = w->p + w->at + 4;
        if (len < 2 || w->at + 2 + len > w->n)
            return broken();
        jpeg_size(w, marker, p, len - 2);
        size_t end = w->at + 2 + len;
        if (marker == 0xda) {
            w->out->scans++;
            end = jpeg_scan(w, end);
        }
        if (marker == 0xe1 && w->out->orientation == 1)
            w->out->orientation = exif_orientation(p, len - 2);
        if (!jpeg_keeps(marker, p, len - 2))
            w->out->dirty = true;
        else if (keep(w, w->at, end - w->at))
            return broken();
        w->at = end;
    }
    if (w->at + 2 <= w->n && be16(w->p + w->at) == 0xffd9) {
        if (keep(w, w->at, 2))
            return broken();
        w->at += 2;
    } /* else cut short: browsers show what there is */
    w->out->dirty |= w->at < w->n;
    return 0;
}

/* --- PNG ------------------------------------------------------------------ */

static bool png_keeps(const unsigned char *name)
{
    static const char *const gone[] = {"eXIf", "tEXt", "zTXt", "iTXt", "tIME"};
    static const char *const kept[] = {"tRNS", "gAMA", "cHRM", "sRGB",
                                       "iCCP", "sBIT", "bKGD", "pHYs",
                                       "acTL", "fcTL", "fdAT", "cICP"};
    for (size_t i = 0; i < sizeof gone / sizeof gone[0]; i++)
        if (memcmp(name, gone[i], 4) == 0)
            return false;
    if (!(name[0] & 0x20))
        return true; /* critical */
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++)
        if (memcmp(name, kept[i], 4) == 0)
            return true;
    return false;
}

static int png(struct walk *w)
{
    if (w->n < 33 || memcmp(w->p, "\x89PNG\r\n\x1a\n", 8) != 0 ||
        memcmp(w->p + 12, "IHDR", 4) != 0 || keep(w, 0, 8))
        return broken();
    uint32_t width = be32(w->p + 16), height = be32(w->p + 20);
    if (width > INT32_MAX || height > INT32_MAX)
        return broken();
    w->out->width = (int32_t)width;
    w->out->height = (int32_t)height;
    w->at = 8;
    while (w->at + 12 <= w->n) {
        size_t len = be32(w->p + w->at);
        const unsigned char *name = w->p + w->at + 4;
        if (len > w->n - w->at - 12)
            return broken();
        if (memcmp(name, "acTL", 4) == 0)
            w->out->animated = true;
        if (!png_keeps(name))
            w->out->dirty = true;
        else if (keep(w, w->at, len + 12))
            return broken();
        bool end = memcmp(name, "IEND", 4) == 0;
        w->at += len + 12;
        if (end) {
            w->out->dirty |= w->at < w->n;
            return 0;
        }
    }
    return broken();
}

/* --- GIF ------------------------------------------------------------------ */

/* Behind a chain of sub-blocks; 0 if it is cut. */
static size_t gif_blocks(const struct walk *w, size_t at)
{
    while (at < w->n) {
        size_t len = w->p[at++];
        if (len == 0)
            return at;
        at += len;
    }
    return 0;
}

static bool gif_keeps(const unsigned char *p, size_t n)
{
    if (p[1] == 0xfe)
        return false;
    return p[1] != 0xff || n < 14 || memcmp(p + 3, "NETSCAPE2.0", 11) == 0 ||
           memcmp(p + 3, "ANIMEXTS1.0", 11) == 0;
}

static size_t gif_table(unsigned char flags)
{
    return flags & 0x80 ? (size_t)3 << ((flags & 7) + 1) : 0;
}

static int gif(struct walk *w)
{
    size_t frames = 0;
    if (w->n < 13 || memcmp(w->p, "GIF8", 4) != 0)
        return broken();
    w->out->width = (int32_t)le16(w->p + 6);
    w->out->height = (int32_t)le16(w->p + 8);
    w->at = 13 + gif_table(w->p[10]);
    if (w->at > w->n || keep(w, 0, w->at))
        return broken();
    while (w->at < w->n) {
        size_t from = w->at, end;
        unsigned char kind = w->p[from];
        if (kind == 0x3b) {
            w->out->dirty |= from + 1 < w->n;
            w->out->animated = frames > 1;
            return keep(w, from, 1);
        }
        if (kind == 0x21 && from + 3 <= w->n) {
            end = gif_blocks(w, from + 2);
        } else if (kind == 0x2c && from + 11 <= w->n) {
            frames++;
            end = gif_blocks(w, from + 11 + gif_table(w->p[from + 9]));
        } else {
            return broken();
        }
        if (!end || end > w->n)
            return broken();
        if (kind == 0x21 && !gif_keeps(w->p + from, w->n - from))
            w->out->dirty = true;
        else if (keep(w, from, end - from))
            return broken();
        w->at = end;
    }
    return broken();
}

/* --- WebP ----------------------------------------------------------------- */

static void webp_size(struct clean *c, const unsigned char *p, size_t len)
{
    if (memcmp(p, "VP8X", 4) == 0 && len >= 10) {
        c->width = (int32_t)(le32(p + 12) & 0xffffff) + 1;
        c->height = (int32_t)(le16(p + 15) | (uint32_t)p[17] << 16) + 1;
        c->animated = p[8] & 2;
    } else if (memcmp(p, "VP8 ", 4) == 0 && len >= 10 && !c->width) {
        c->width = (int32_t)(le16(p + 14) & 0x3fff);
        c->height = (int32_t)(le16(p + 16) & 0x3fff);
    } else if (memcmp(p, "VP8L", 4) == 0 && len >= 5 && !c->width) {
        uint32_t bits = le32(p + 9);
        c->width = (int32_t)(bits & 0x3fff) + 1;
        c->height = (int32_t)(bits >> 14 & 0x3fff) + 1;
    }
}

static bool webp_keeps(const unsigned char *name)
{
    static const char *const kept[] = {"VP8 ", "VP8L", "VP8X", "ALPH",
                                       "ANIM", "ANMF", "ICCP"};
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++)
        if (memcmp(name, kept[i], 4) == 0)
            return true;
    return false;
}

static int webp(struct walk *w)
{
    if (w->n < 20 || memcmp(w->p, "RIFF", 4) != 0 ||
        memcmp(w->p + 8, "WEBP", 4) != 0 || keep(w, 0, 12))
        return broken();
    size_t end = 8 + (size_t)le32(w->p + 4);
    if (end > w->n)
        return broken();
    w->out->dirty = end < w->n;
    w->at = 12;
    while (w->at + 8 <= end) {
        const unsigned char *p = w->p + w->at;
        size_t len = le32(p + 4), whole = len + 8 + (len & 1);
        if (whole > end - w->at) {
            if (len > end - w->at - 8)
                return broken();
            whole = end - w->at; /* the last pad byte is often left out */
        }
        webp_size(w->out, p, len);
        if (memcmp(p, "EXIF", 4) == 0 && len >= 8 &&
            memcmp(p + 8, "Exif", 4) == 0)
            w->out->orientation = exif_orientation(p + 8, len);
        if (!webp_keeps(p))
            w->out->dirty = true;
        else if (keep(w, w->at, whole))
            return broken();
        w->at += whole;
    }
    return 0;
}

/* --- the face ------------------------------------------------------------- */

int clean_look(const char *type, struct slice data, struct clean *out)
{
    static const struct {
        const char *type;
        int (*walk)(struct walk *w);
    } walks[] = {{"image/jpeg", jpeg},
                 {"image/png", png},
                 {"image/gif", gif},
                 {"image/webp", webp}};
    struct walk w = {(const unsigned char *)data.at, data.len, 0, out};
    memset(out, 0, sizeof *out);
    out->orientation = 1;
    for (size_t i = 0; i < sizeof walks / sizeof walks[0]; i++) {
        if (strcmp(type, walks[i].type) != 0)
            continue;
        int r = walks[i].walk(&w);
        return r ? r : out->width > 0 && out->height > 0 ? 0 : broken();
    }
    return ERR_UNSUPPORTED;
}

/* An EXIF block that says an orientation and nothing else. */
static int write_turn(int turn, int fd)
{
    const unsigned char app1[] = {
        0xff, 0xe1, 0, 34, 'E', 'x', 'i', 'f', 0, 0,
        'M',  'M',  0, 42, 0,   0,   0,   8,   0, 1,
        1,    0x12, 0, 3,  0,   0,   0,   1,   0, (unsigned char)turn,
        0,    0,    0, 0,  0,   0};
    return write_all(fd, app1, sizeof app1);
}

/* RIFF's length and VP8X's flags are of what is left. */
static int write_webp_head(struct slice data, const struct clean *c, int fd)
{
    unsigned char head[30];
    size_t total = 0, n = c->spans[0].len < 30 ? c->spans[0].len : 30;
    for (size_t i = 0; i < c->count; i++)
        total += c->spans[i].len;
    total += total & 1;
    memcpy(head, data.at, n);
    for (int i = 0; i < 4; i++)
        head[4 + i] = (unsigned char)((total - 8) >> (8 * i));
    if (n > 20 && memcmp(head + 12, "VP8X", 4) == 0)
        head[20] &= (unsigned char)~0x0c; /* EXIF, XMP */
    int r = write_all(fd, head, n);
    return r ? r : write_all(fd, data.at + n, c->spans[0].len - n);
}

int clean_write(const char *type, struct slice data, const struct clean *c,
                int turn, int fd)
{
    bool riff = strcmp(type, "image/webp") == 0;
    size_t total = 0;
    int r = 0;
    for (size_t i = 0; i < c->count && r == 0; i++) {
        struct span s = c->spans[i];
        if (riff && i == 0) {
            r = write_webp_head(data, c, fd);
        } else if (i == 0 && turn > 1) { /* behind SOI */
            r = write_all(fd, data.at, 2);
            r = r ? r : write_turn(turn, fd);
            r = r ? r : write_all(fd, data.at + 2, s.len - 2);
        } else {
            r = write_all(fd, data.at + s.from, s.len);
        }
        total += s.len;
    }
    return r || !riff || !(total & 1) ? r : write_all(fd, "", 1);
}
