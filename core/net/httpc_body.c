/* SPDX-License-Identifier: Apache-2.0 */
/* httpc_body.c - a request's body of bytes and of files, as it goes out.
 *
 * Happy path: libcurl asks for bytes; those in memory are copied, those of a
 * file are read ahead off the main thread (I5), curl waits for them paused. One
 * piece of a file is in memory at a time. Failure: a file that is shorter than
 * was said ends the call. A call that ends while a piece is read leaves the
 * feeder behind, which goes with its read.
 */
#include "net/httpc_inside.h"

#include <unistd.h>

#define PIECES_MOST 16
#define AHEAD_BYTES (64 * 1024)

struct feeder {
    uv_fs_t req;
    struct task *task; /* NULL: the call is over */
    struct httpc_piece pieces[PIECES_MOST];
    size_t count, now; /* now: the one that is read */
    int64_t at;        /* in it */
    size_t len, used;  /* of ahead */
    bool reading, failed;
    char ahead[AHEAD_BYTES];
};

void httpc_pieces_close(struct httpc_call *c)
{
    for (size_t i = 0; i < c->piece_count; i++)
        if (c->pieces[i].size > 0 && c->pieces[i].fd >= 0)
            close(c->pieces[i].fd);
    c->piece_count = 0;
}

static void feeder_free(struct feeder *f)
{
    for (size_t i = 0; i < f->count; i++)
        if (f->pieces[i].size > 0)
            close(f->pieces[i].fd);
    mem_free(f);
}

int64_t httpc_feed_begin(struct task *t)
{
    struct httpc_call *c = t->call;
    struct feeder *f = mem_alloc(sizeof(*f));
    int64_t total = 0;
    must(c->piece_count <= PIECES_MOST);
    f->task = t;
    f->count = c->piece_count;
    for (size_t i = 0; i < f->count; i++) {
        f->pieces[i] = c->pieces[i];
        total += f->pieces[i].size ? f->pieces[i].size
                                   : (int64_t)f->pieces[i].bytes.len;
    }
    c->piece_count = 0; /* they are the feeder's */
    t->feeder = f;
    return total;
}

void httpc_feed_end(struct task *t)
{
    struct feeder *f = t->feeder;
    t->feeder = NULL;
    if (!f)
        return;
    f->task = NULL;
    if (!f->reading)
        feeder_free(f);
}

static void on_read(uv_fs_t *req)
{
    struct feeder *f = req->data;
    ssize_t n = req->result;
    uv_fs_req_cleanup(req);
    f->reading = false;
    if (!f->task) {
        feeder_free(f);
        return;
    }
    f->failed = n <= 0;
    f->len = n > 0 ? (size_t)n : 0;
    f->used = 0;
    f->at += n > 0 ? n : 0;
    httpc_go_on(f->task);
}

static void read_ahead(struct feeder *f)
{
    const struct httpc_piece *p = &f->pieces[f->now];
    int64_t left = p->size - f->at;
    uv_buf_t b = uv_buf_init(
        f->ahead, (unsigned)(left < AHEAD_BYTES ? left : AHEAD_BYTES));
    f->req.data = f;
    f->reading = true;
    must(uv_fs_read(loop_uv(f->task->h->net->loop), &f->req, p->fd, &b, 1,
                    f->at, on_read) == 0);
}

/* Bytes of the piece in hand; false: it is over. */
static bool take(struct feeder *f, char *to, size_t room, size_t *n)
{
    const struct httpc_piece *p = &f->pieces[f->now];
    struct slice got;
    if (p->size) {
        got = (struct slice){f->ahead + f->used, f->len - f->used};
    } else {
        got = (struct slice){p->bytes.at + f->at, p->bytes.len - (size_t)f->at};
    }
    *n = got.len < room ? got.len : room;
    if (*n == 0)
        return p->size && f->at < p->size;
    memcpy(to, got.at, *n);
    if (p->size)
        f->used += *n;
    else
        f->at += (int64_t)*n;
    return true;
}

long httpc_feed(struct task *t, char *to, size_t room)
{
    struct feeder *f = t->feeder;
    if (f->failed)
        return HTTPC_FEED_BROKEN;
    while (f->now < f->count) {
        size_t n;
        if (f->reading)
            return HTTPC_FEED_LATER;
        if (!take(f, to, room, &n)) {
            f->now++;
            f->at = 0;
            f->len = f->used = 0;
        } else if (n) {
            return (long)n;
        } else {
            read_ahead(f);
        }
    }
    return 0;
}
