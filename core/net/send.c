/* SPDX-License-Identifier: Apache-2.0 */
/* send.c - a file's bytes as an answer, or a part of them.
 *
 * Happy path: a piece is read off the main thread (I5), goes out, and when it
 * is written the next one is read: one piece in memory a download. Failure: a
 * file that is shorter than was promised ends the connection, so that the
 * client sees it is not whole; a client that is gone ends the reading.
 */
#include "net/files.h"
#include "net/inside.h"

#include <unistd.h>

struct sending {
    uv_fs_t req;
    struct exchange *x; /* NULL: the client is gone */
    struct net *net;
    int fd;
    int64_t at, left;
    bool reading;
    char *piece;
};

static void sending_free(struct sending *s)
{
    close(s->fd);
    mem_free(s->piece);
    mem_free(s);
}

static void on_gone(struct exchange *x)
{
    struct sending *s = x->user;
    s->x = NULL;
    if (!s->reading)
        sending_free(s);
    exchange_end(x);
}

static void on_piece(uv_fs_t *req)
{
    struct sending *s = req->data;
    ssize_t n = req->result;
    uv_fs_req_cleanup(req);
    s->reading = false;
    if (!s->x) {
        sending_free(s);
        return;
    }
    if (n <= 0) { /* cut while we read: the length is promised already */
        log_warn("net", "a file changed while it was sent");
        s->x->in->keep_alive = false;
        s->left = 0;
    } else {
        s->at += n;
        s->left -= n;
        exchange_piece(s->x, (struct slice){s->piece, (size_t)n});
    }
    if (s->left == 0) {
        struct exchange *x = s->x;
        sending_free(s);
        exchange_end(x);
    }
}

static void read_piece(struct exchange *x)
{
    struct sending *s = x->user;
    if (s->reading)
        return;
    int64_t n = s->left < FILES_PIECE_BYTES ? s->left : FILES_PIECE_BYTES;
    uv_buf_t b = uv_buf_init(s->piece, (unsigned)n);
    s->reading = true;
    int rc = uv_fs_read(loop_uv(s->net->loop), &s->req, s->fd, &b, 1, s->at,
                        on_piece);
    must(rc == 0);
}

void exchange_send_fd(struct exchange *x, int status, struct slice type,
                      struct slice headers, int fd, int64_t from, int64_t count)
{
    exchange_begin(x, status, type, headers, count);
    if (!x->conn || x->is_head || count == 0) {
        close(fd);
        exchange_end(x);
        return;
    }
    struct sending *s = mem_alloc(sizeof(*s));
    s->req.data = s;
    s->x = x;
    s->net = x->conn->net;
    s->fd = fd;
    s->at = from;
    s->left = count;
    s->piece = mem_alloc(FILES_PIECE_BYTES);
    x->user = s;
    x->on_drained = read_piece;
    x->on_gone = on_gone;
    read_piece(x);
}

int http_range(struct slice h, int64_t size, int64_t *from, int64_t *count)
{
    int64_t a = -1, b = -1;
    if (!slice_starts(h, "bytes=") || memchr(h.at, ',', h.len))
        return 0;
    struct slice r = slice_trim((struct slice){h.at + 6, h.len - 6});
    const char *dash = r.len ? memchr(r.at, '-', r.len) : NULL;
    if (!dash)
        return 0;
    struct slice first = {r.at, (size_t)(dash - r.at)};
    struct slice last = {dash + 1, r.len - first.len - 1};
    if ((first.len && !slice_to_i64(first, &a)) ||
        (last.len && (!slice_to_i64(last, &b) || b < 0)) ||
        (!first.len && !last.len))
        return 0;
    if (!first.len) { /* the last b bytes */
        a = b < size ? size - b : 0;
        b = b ? size - 1 : -1;
    } else if (!last.len || b >= size) {
        if (last.len && b < a)
            return 0;
        b = size - 1;
    } else if (b < a) {
        return 0;
    }
    if (a >= size || b < a)
        return ERR_UNPROCESSABLE;
    *from = a;
    *count = b - a + 1;
    return 1;
}
