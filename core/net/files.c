/* SPDX-License-Identifier: Apache-2.0 */
/* files.c - static files with ETag, ranges and precompressed forms.
 *
 * Happy path: the path names a page or a file below the web folder; its entry
 * is in the cache (or is read, being small) and goes out with its headers.
 * Bigger files are streamed (send.c): head first, then one uv_fs_read after the other,
 * the next one only when the out-buffer is empty.
 *
 * Failure modes: no such file 404; not GET or HEAD 405; a range outside 416.
 * Without the web folder `/` says how to build it. A file that shrinks while
 * it is streamed ends the connection, for its length is promised already.
 */
#include "net/files.h"
#include "net/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define FRESH_MS 1000
#define ENTRIES_MOST 512

/* What a file is served as. */
enum manner { PAGE, CONSOLE_PAGE, SCRIPT, ASSET, PLAIN };

struct kept {
    struct slice key; /* the whole path; in the entry's own memory */
    char *path;
    char *data; /* NULL: too big, stream it */
    int64_t size, mtime_ns, looked_ms;
    char etag[48];
};

struct files {
    struct net *net;
    char *dir;
    struct map by_path;
    int64_t bytes;
};

/* --- the cache ------------------------------------------------------------ */

static void entry_free(struct files *f, struct kept *e)
{
    map_take_text(&f->by_path, e->key);
    f->bytes -= e->data ? e->size : 0;
    mem_free(e->data);
    mem_free(e->path);
    mem_free(e);
}

/* Room for a file: whatever comes first goes. A web folder is smaller than
 * the cache, so this is for odd cases only and may be crude. */
static void make_room(struct files *f, int64_t size)
{
    struct kept *e;
    for (size_t i = 0; (f->bytes + size > FILES_CACHE_BYTES ||
                        f->by_path.count >= ENTRIES_MOST) &&
                       (e = map_next(&f->by_path, &i)) != NULL;)
        entry_free(f, e);
}

static int64_t mtime_of(const struct stat *st)
{
    return (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
}

static char *read_whole(const char *path, int64_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    char *data = mem_alloc((size_t)size + 1);
    int64_t got = 0;
    ssize_t n = 1;
    while (got < size && n > 0) {
        n = pread(fd, data + got, (size_t)(size - got), got);
        got += n > 0 ? n : 0;
    }
    close(fd);
    if (got != size) {
        mem_free(data);
        return NULL;
    }
    meter_add(&net_static_reads, 1);
    return data;
}

static struct kept *entry_new(struct files *f, const char *path,
                              const struct stat *st)
{
    char *data = NULL;
    if (st->st_size <= FILES_SMALL_BYTES &&
        !(data = read_whole(path, st->st_size)))
        return NULL;
    make_room(f, data ? st->st_size : 0);
    struct kept *e = mem_alloc(sizeof(*e));
    e->path = mem_strdup(path);
    e->key = slice_of(e->path);
    e->data = data;
    e->size = st->st_size;
    e->mtime_ns = mtime_of(st);
    e->looked_ms = net_now(f->net);
    snprintf(e->etag, sizeof(e->etag), "\"%llx-%llx\"",
             (unsigned long long)e->mtime_ns, (unsigned long long)e->size);
    f->bytes += data ? e->size : 0;
    map_put_text(&f->by_path, e->key, e);
    return e;
}

/* The entry of a regular file as it is now (a second ago at most), or NULL. */
static struct kept *find(struct files *f, const char *path)
{
    struct kept *e = map_get_text(&f->by_path, slice_of(path));
    struct stat st;
    if (e && net_now(f->net) - e->looked_ms < FRESH_MS)
        return e;
    if (stat(path, &st) < 0 || !S_ISREG(st.st_mode)) {
        if (e)
            entry_free(f, e);
        return NULL;
    }
    if (e && e->size == st.st_size && e->mtime_ns == mtime_of(&st)) {
        e->looked_ms = net_now(f->net);
        return e;
    }
    if (e)
        entry_free(f, e);
    return entry_new(f, path, &st);
}

/* --- headers -------------------------------------------------------------- */

static const char csp[] =
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; connect-src 'self' ws: wss:; font-src 'self'; "
    "media-src 'self' data: blob:; frame-src 'self'; base-uri 'none'; "
    "form-action 'self'";

static struct slice type_of(const char *path)
{
    static const struct {
        const char *end, *type;
    } types[] = {{".html", "text/html; charset=utf-8"},
                 {".js", "text/javascript; charset=utf-8"},
                 {".mjs", "text/javascript; charset=utf-8"},
                 {".css", "text/css; charset=utf-8"},
                 {".json", "application/json"},
                 {".map", "application/json"},
                 {".svg", "image/svg+xml"},
                 {".png", "image/png"},
                 {".jpg", "image/jpeg"},
                 {".webp", "image/webp"},
                 {".ico", "image/x-icon"},
                 {".woff2", "font/woff2"},
                 {".mp3", "audio/mpeg"},
                 {".mp4", "video/mp4"},
                 {".webm", "video/webm"},
                 {".wasm", "application/wasm"},
                 {".txt", "text/plain; charset=utf-8"}};
    size_t n = strlen(path);
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        size_t m = strlen(types[i].end);
        if (n >= m && strcmp(path + n - m, types[i].end) == 0)
            return slice_of(types[i].type);
    }
    return SLICE("application/octet-stream");
}

struct headers {
    enum manner manner;
    const struct kept *file;
    bool gzip, varies, is_partial;
    int64_t from, count;
};

static void add_manner(struct buf *b, enum manner m)
{
    switch (m) {
    case PAGE:
    case CONSOLE_PAGE:
        buf_addf(b,
                 "Cache-Control: no-cache\r\n"
                 "Referrer-Policy: strict-origin-when-cross-origin\r\n"
                 "Content-Security-Policy: %s%s\r\n",
                 csp, m == CONSOLE_PAGE ? "; frame-ancestors 'none'" : "");
        if (m == CONSOLE_PAGE)
            buf_add_text(b, "X-Frame-Options: DENY\r\n");
        break;
    case SCRIPT:
        buf_add_text(b, "Cache-Control: public, max-age=300\r\n"
                        "Access-Control-Allow-Origin: *\r\n"
                        "Cross-Origin-Resource-Policy: cross-origin\r\n");
        break;
    case ASSET:
        buf_add_text(b, "Cache-Control: public, max-age=31536000, immutable\r\n"
                        "Access-Control-Allow-Origin: *\r\n"
                        "Cross-Origin-Resource-Policy: cross-origin\r\n");
        break;
    case PLAIN:
        buf_add_text(b, "Cache-Control: public, max-age=3600\r\n");
        break;
    }
}

static struct slice write_headers(struct exchange *x, const struct headers *h)
{
    struct buf b;
    buf_init(&b, 4096);
    buf_addf(&b, "ETag: %s\r\nAccept-Ranges: bytes\r\n", h->file->etag);
    if (h->varies)
        buf_add_text(&b, "Vary: Accept-Encoding\r\n");
    if (h->gzip)
        buf_add_text(&b, "Content-Encoding: gzip\r\n");
    if (h->is_partial)
        buf_addf(&b, "Content-Range: bytes %lld-%lld/%lld\r\n",
                 (long long)h->from, (long long)(h->from + h->count - 1),
                 (long long)h->file->size);
    add_manner(&b, h->manner);
    struct slice out = slice_dup(x->in->req.arena, buf_slice(&b));
    buf_fini(&b);
    return out;
}

/* If-None-Match: any of a list, weak or not, or a star. */
static bool matches(struct slice list, const char *etag)
{
    while (list.len) {
        const char *comma = memchr(list.at, ',', list.len);
        size_t n = comma ? (size_t)(comma - list.at) : list.len;
        struct slice one = slice_trim((struct slice){list.at, n});
        if (slice_starts(one, "W/"))
            one = (struct slice){one.at + 2, one.len - 2};
        if (slice_is(one, "*") || slice_is(one, etag))
            return true;
        n += comma ? 1 : 0;
        list.at += n;
        list.len -= n;
    }
    return false;
}

/* "gzip, deflate;q=0.5, br": gzip is there and not refused by q=0. */
static bool takes_gzip(struct slice list)
{
    while (list.len) {
        const char *comma = memchr(list.at, ',', list.len);
        size_t n = comma ? (size_t)(comma - list.at) : list.len;
        const char *semi = memchr(list.at, ';', n);
        struct slice word = {list.at, semi ? (size_t)(semi - list.at) : n};
        struct slice q = {"", 0};
        if (semi)
            q = slice_trim(
                (struct slice){semi + 1, (size_t)(list.at + n - semi - 1)});
        if (slice_is_nocase(slice_trim(word), "gzip"))
            return !slice_is(q, "q=0") && !slice_is(q, "q=0.0");
        n += comma ? 1 : 0;
        list.at += n;
        list.len -= n;
    }
    return false;
}

/* --- streaming ------------------------------------------------------------ */

static void stream(struct exchange *x, const struct headers *h, int status,
                   const char *name)
{
    int fd = open(h->file->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        exchange_error(x, 404, "There is nothing here.", SLICE(""));
        return;
    }
    meter_add(&net_static_reads, 1);
    exchange_send_fd(x, status, type_of(name), write_headers(x, h), fd, h->from,
                     h->count);
}

/* --- answering ------------------------------------------------------------ */

static void send_file(struct exchange *x, struct headers *h, const char *name)
{
    const struct kept *e = h->file;
    struct http_req *r = &x->in->req;
    struct slice range = http_header(r, "range");
    struct slice if_range = http_header(r, "if-range");
    int status = 200;
    h->count = e->size;
    if (matches(http_header(r, "if-none-match"), e->etag)) {
        exchange_answer(x, 304, (struct slice){"", 0}, write_headers(x, h),
                        (struct slice){"", 0});
        return;
    }
    if (range.len && (!if_range.len || slice_is(if_range, e->etag))) {
        int rc = http_range(range, e->size, &h->from, &h->count);
        if (rc < 0) {
            char text[64];
            snprintf(text, sizeof(text), "Content-Range: bytes */%lld\r\n",
                     (long long)e->size);
            exchange_error(x, 416, "This range is outside of the file.",
                           slice_of(text));
            return;
        }
        h->is_partial = rc == 1;
        status = rc == 1 ? 206 : 200;
    }
    if (!e->data && !x->is_head) {
        stream(x, h, status, name);
        return;
    }
    meter_add(&net_static_hits, 1);
    exchange_begin(x, status, type_of(name), write_headers(x, h), h->count);
    if (e->data)
        exchange_piece(x, (struct slice){e->data + h->from, (size_t)h->count});
    exchange_end(x);
}

static const char not_built[] =
    "<!doctype html><meta charset=utf-8><title>Yuelai</title>"
    "<body><h1>Yuelai is running</h1><p>The web pages are not built yet. Run "
    "<code>make web</code> in the repository, or start the server with "
    "<code>--home</code> pointing at a folder with <code>web/dist</code> in "
    "it.</p><p>The API answers below <code>/api/v1</code>.</p></body>";

static void answer_missing(struct files *f, struct exchange *x, enum manner m)
{
    struct stat st;
    bool is_page = m == PAGE || m == CONSOLE_PAGE;
    if (is_page && stat(f->dir, &st) < 0)
        exchange_answer(x, 200, SLICE("text/html; charset=utf-8"),
                        SLICE("Cache-Control: no-store\r\n"),
                        slice_of(not_built));
    else
        exchange_error(x, 404, "There is nothing here.", SLICE(""));
}

static void serve_file(struct files *f, struct exchange *x, const char *name,
                       enum manner m)
{
    char path[LIMIT_URL_BYTES + 512];
    struct http_req *r = &x->in->req;
    int n = snprintf(path, sizeof(path) - 4, "%s/%s", f->dir, name);
    if (n < 0 || (size_t)n >= sizeof(path) - 4) {
        answer_missing(f, x, m);
        return;
    }
    struct headers h = {.manner = m, .file = find(f, path)};
    if (!h.file) {
        answer_missing(f, x, m);
        return;
    }
    /* Looking for the .gz may push the plain entry out of the cache. */
    strcpy(path + n, ".gz");
    struct kept *gz = find(f, path);
    path[n] = '\0';
    h.varies = gz != NULL;
    bool wants = gz && !http_header(r, "range").len &&
                 takes_gzip(http_header(r, "accept-encoding"));
    h.gzip = wants;
    h.file = wants ? gz : find(f, path);
    if (h.file)
        send_file(x, &h, name);
    else
        answer_missing(f, x, m);
}

/* The name behind a prefix, as text. */
static const char *name_of(struct slice path)
{
    return path.at + 1; /* http_path ends it with NUL */
}

void files_answer(struct files *f, struct exchange *x)
{
    struct slice path = x->in->req.path, method = x->in->req.method;
    const char *name = NULL;
    enum manner m = PLAIN;
    if (slice_is(path, "/")) {
        name = "demo/index.html";
        m = PAGE;
    } else if (slice_is(path, "/console") || slice_starts(path, "/console/")) {
        name = "console/index.html";
        m = CONSOLE_PAGE;
    } else if (slice_starts(path, "/chat/") && path.len > 6) {
        name = "chat/index.html";
        m = PAGE;
    } else if (slice_is(path, "/widget.js")) {
        name = "widget.js";
        m = SCRIPT;
    } else if (slice_starts(path, "/a/") && path.len > 3) {
        name = name_of(path);
        m = ASSET;
    } else if (slice_is(path, "/favicon.ico") ||
               slice_is(path, "/favicon.svg") ||
               slice_is(path, "/robots.txt")) {
        name = name_of(path);
    }
    if (!name)
        exchange_error(x, 404, "There is nothing here.", SLICE(""));
    else if (!slice_is(method, "GET") && !slice_is(method, "HEAD"))
        exchange_error(x, 405, "Only GET and HEAD are of use here.",
                       SLICE("Allow: GET, HEAD\r\n"));
    else
        serve_file(f, x, name, m);
}

struct files *files_new(struct net *n, const char *dir)
{
    struct files *f = mem_alloc(sizeof(*f));
    f->net = n;
    f->dir = mem_strdup(dir ? dir : "web/dist");
    map_init(&f->by_path);
    return f;
}

void files_free(struct files *f)
{
    struct kept *e;
    if (!f)
        return;
    for (size_t i = 0; (e = map_next(&f->by_path, &i)) != NULL;)
        entry_free(f, e);
    map_fini(&f->by_path);
    mem_free(f->dir);
    mem_free(f);
}
