/* SPDX-License-Identifier: Apache-2.0 */
/* tidy.c - bytes that no row names any more.
 *
 * Rows go by the store's own purge (unused for a day, or file_days after their
 * last use); here the folders are walked, one at a time, and what nobody names
 * and was not touched for a day is removed. So are bytes whose row a crash cut
 * off. Failure: a question that cannot be answered now ends the round; the
 * next one begins anew.
 */
#include "app/files/files.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/meter.h"

#define ROUND_MS (6LL * 3600 * 1000)
#define OLD_MS (24LL * 3600 * 1000)
#define FOLDERS 256

METER(m_removed, METER_COUNTER, "yuelai_files_removed_total",
      "Files whose bytes were removed");

struct tidy {
    struct server *s;
    struct file_walk walk;
};

static void over(struct tidy *t)
{
    if (t->walk.removed)
        log_info("files", "%zu files that nobody has were removed",
                 t->walk.removed);
    meter_add(&m_removed, (int64_t)t->walk.removed);
    file_walk_fini(&t->walk);
    t->s->tidying = false;
    mem_free(t);
}

static void go_on(struct tidy *t);

static void on_dropped(struct file_walk *w)
{
    go_on(w->owner);
}

static void on_known(struct query *q)
{
    struct tidy *t = q->owner;
    bool good = q->result == 0 && q->text.len == t->walk.count;
    for (size_t i = 0; good && i < t->walk.count; i++)
        t->walk.wanted[i] = q->text.at[i] == '1';
    query_free(q);
    if (!good || t->s->state != SERVER_SERVING) {
        over(t);
        return;
    }
    t->walk.done = on_dropped;
    files_drop(t->s->filing, &t->walk);
}

static void on_walked(struct file_walk *w)
{
    struct tidy *t = w->owner;
    if (!w->count || t->s->state != SERVER_SERVING) {
        go_on(t);
        return;
    }
    struct query *q = query_new(QUERY_FILE_HASHES, on_known, t);
    q->text = slice_dup(q->arena, (struct slice){(const char *)w->hashes,
                                                 w->count * FILES_HASH});
    server_read(t->s, q);
}

static void go_on(struct tidy *t)
{
    if (t->walk.next == FOLDERS || t->s->state != SERVER_SERVING) {
        over(t);
        return;
    }
    t->walk.done = on_walked;
    files_walk(t->s->filing, &t->walk);
}

void tidy_beat(struct server *s)
{
    int64_t now = clock_ms();
    resumable_beat(s);
    if (s->tidying || s->tidied_at + ROUND_MS > now)
        return;
    struct tidy *t = mem_alloc(sizeof *t);
    s->tidied_at = now;
    s->tidying = true;
    t->s = s;
    t->walk.before = now - OLD_MS;
    t->walk.owner = t;
    go_on(t);
}
