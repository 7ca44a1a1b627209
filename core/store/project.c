/* SPDX-License-Identifier: Apache-2.0 */
/* project.c - hot conversations, their undo, and sweeps.
 *
 * Happy path: project_get finds the conversation in memory, the journal moves
 * it on and spoils it; project_some writes its row when it is cheap. A sweep
 * takes all dirty ones of one moment in key order (neighbours share a page of
 * the table) and writes a chunk per transaction; when it is through, the
 * cursor moves to the journal's end of that moment.
 *
 * Failure modes: any SQL error fails the transaction; project_rollback puts
 * every touched conversation back as it was and forgets the sweep. A row ahead
 * of the cursor (a crash in the middle of a sweep) is fine: it knows by its
 * last_pos what it has seen.
 */
#include "store/project.h"
#include "base/clock.h"
#include "base/meter.h"
#include <stdlib.h>

/* The cursor is a hint where to begin the replay: moving it costs a page, so
 * it is moved in steps. */
#define CURSOR_STEP 1024

METER_US(took, "yuelai_store_project_seconds",
         "Writing projections in one transaction.");
METER(rows_written, METER_COUNTER, "yuelai_store_projected_rows_total",
      "Conversation rows written from memory.");
METER(waiting, METER_GAUGE, "yuelai_store_projection_waiting",
      "Conversations whose row is behind their journal.");

struct project_undo {
    struct hot *hot;
    struct progress p;
    unsigned char hash[SHA256_BYTES];
    bool dirty;
};

int project_open(struct project *p, struct db *db)
{
    *p = (struct project){.db = db};
    map_init(&p->hots);
    list_init(&p->clean);
    list_init(&p->dirty);
    meter_set(&waiting, 0);
    meter_add(&rows_written, 0);
    int r = progress_open(db, &p->load, &p->save);
    if (r == 0)
        r = stmt_open(db, "SELECT hash FROM journal WHERE pos = $pos", "pos",
                      &p->hash_at);
    if (r == 0)
        r = stmt_open(db,
                      "UPDATE reader SET pos = $pos WHERE name = 'projected'",
                      "pos", &p->move);
    struct stmt s = {0};
    if (r == 0)
        r = stmt_open(db, "SELECT pos FROM reader WHERE name = 'projected'", "",
                      &s);
    if (r == 0)
        r = stmt_step(&s);
    if (r == 1)
        p->cursor = p->cursor_was = got_u64(&s, 0);
    stmt_close(&s);
    return r < 0 ? r : 0;
}

void project_forget(struct project *p)
{
    struct hot *h;
    for (size_t i = 0; (h = map_next(&p->hots, &i)) != NULL;)
        mem_free(h);
    map_fini(&p->hots);
    map_init(&p->hots);
    list_init(&p->clean);
    list_init(&p->dirty);
    p->clean_count = p->dirty_count = p->undo_count = 0;
}

void project_close(struct project *p)
{
    project_forget(p);
    map_fini(&p->hots);
    mem_free(p->undo);
    mem_free(p->sweep);
    stmt_close(&p->load);
    stmt_close(&p->save);
    stmt_close(&p->hash_at);
    stmt_close(&p->move);
}

/* -- one conversation --------------------------------------------------- */

static int load_hash(struct project *p, struct hot *h)
{
    if (!h->p.last_pos)
        return 0; /* 32 zero bytes before the first event */
    put_u64(&p->hash_at, h->p.last_pos);
    int r = stmt_step(&p->hash_at);
    if (r < 0)
        return r;
    bool found = r == 1 && got_bytes(&p->hash_at, 0, h->hash, SHA256_BYTES);
    stmt_reset(&p->hash_at);
    if (found)
        return 0;
    return err_set(&p->db->err, ERR_INTERNAL,
                   "the journal lacks row %llu; stop and run yuelai verify",
                   (unsigned long long)h->p.last_pos);
}

static int load(struct project *p, uint64_t conv, struct hot **out)
{
    struct hot *h = mem_alloc(sizeof *h);
    int r = progress_load(&p->load, conv, &h->p);
    if (r == 0)
        r = load_hash(p, h);
    if (r < 0) {
        mem_free(h);
        return r;
    }
    map_put(&p->hots, conv, h);
    list_add_last(&p->clean, &h->link);
    p->clean_count++;
    *out = h;
    return 0;
}

static void note_undo(struct project *p, struct hot *h)
{
    if (h->batch == p->batch)
        return;
    h->batch = p->batch;
    if (p->undo_count == p->undo_cap) {
        p->undo_cap = p->undo_cap ? p->undo_cap * 2 : 256;
        p->undo = mem_resize(p->undo, p->undo_cap * sizeof *p->undo);
    }
    struct project_undo *u = &p->undo[p->undo_count++];
    *u = (struct project_undo){.hot = h, .p = h->p, .dirty = h->dirty};
    memcpy(u->hash, h->hash, sizeof u->hash);
}

int project_get(struct project *p, uint64_t conv, struct hot **out)
{
    struct hot *h = map_get(&p->hots, conv);
    if (!h) {
        int r = load(p, conv, &h);
        if (r < 0)
            return r;
    }
    note_undo(p, h);
    *out = h;
    return 0;
}

static void set_dirty(struct project *p, struct hot *h, bool dirty)
{
    if (h->dirty != dirty) {
        p->dirty_count += dirty ? 1 : (size_t)-1;
        p->clean_count += dirty ? (size_t)-1 : 1;
    }
    h->dirty = dirty;
    list_remove(&h->link);
    list_add_last(dirty ? &p->dirty : &p->clean, &h->link);
}

void project_spoil(struct project *p, struct hot *h)
{
    if (!h->dirty)
        set_dirty(p, h, true);
}

static int write_row(struct project *p, struct hot *h)
{
    note_undo(p, h);
    int r = progress_save(&p->save, &h->p);
    if (r < 0)
        return r;
    set_dirty(p, h, false);
    meter_add(&rows_written, 1);
    return 0;
}

int project_one(struct project *p, uint64_t conv)
{
    struct hot *h = map_get(&p->hots, conv);
    return h && h->dirty ? write_row(p, h) : 0;
}

/* -- sweeps ------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void sweep_begin(struct project *p, uint64_t last_pos)
{
    mem_free(p->sweep);
    p->sweep = mem_alloc(p->dirty_count * sizeof *p->sweep);
    p->sweep_count = p->sweep_at = 0;
    list_each (&p->dirty, l)
        p->sweep[p->sweep_count++] = container_of(l, struct hot, link)->p.conv;
    qsort(p->sweep, p->sweep_count, sizeof *p->sweep, by_number);
    p->sweep_pos = last_pos;
}

static void sweep_forget(struct project *p)
{
    mem_free(p->sweep);
    p->sweep = NULL;
    p->sweep_count = p->sweep_at = 0;
}

static int sweep_step(struct project *p, size_t most)
{
    for (; most && p->sweep_at < p->sweep_count; most--) {
        int r = project_one(p, p->sweep[p->sweep_at++]);
        if (r < 0)
            return r;
    }
    return 0;
}

static int move_cursor(struct project *p, uint64_t to, uint64_t step)
{
    if (to < p->cursor + step)
        return 0;
    put_u64(&p->move, to);
    int r = stmt_run(&p->move);
    if (r == 0)
        p->cursor = to;
    return r;
}

static int write_all(struct project *p, uint64_t last_pos, uint64_t step)
{
    int64_t from = clock_mono_us();
    sweep_begin(p, last_pos);
    int r = sweep_step(p, SIZE_MAX);
    sweep_forget(p);
    if (r == 0)
        r = move_cursor(p, last_pos, step);
    meter_note(&took, clock_mono_us() - from);
    return r;
}

int project_all(struct project *p, uint64_t last_pos)
{
    return write_all(p, last_pos, 1);
}

int project_some(struct project *p, uint64_t last_pos, size_t events,
                 int64_t now_ms)
{
    if (p->dirty_count <= PROJECT_SMALL && events <= PROJECT_SMALL) {
        p->sweep_ms = now_ms;
        return write_all(p, last_pos, CURSOR_STEP);
    }
    if (!p->sweep) {
        if (now_ms - p->sweep_ms < PROJECT_SWEEP_MS)
            return 0;
        sweep_begin(p, last_pos);
    }
    int64_t from = clock_mono_us();
    int r = sweep_step(p, PROJECT_CHUNK);
    if (r == 0 && p->sweep_at == p->sweep_count) {
        r = move_cursor(p, p->sweep_pos, 1);
        sweep_forget(p);
        p->sweep_ms = now_ms;
    }
    meter_note(&took, clock_mono_us() - from);
    return r;
}

/* -- the transaction ---------------------------------------------------- */

void project_begin(struct project *p)
{
    p->batch++;
    p->undo_count = 0;
    p->cursor_was = p->cursor;
}

void project_commit(struct project *p)
{
    p->undo_count = 0;
    meter_set(&waiting, (int64_t)p->dirty_count);
    while (p->clean_count > PROJECT_CLEAN) {
        struct hot *h = container_of(p->clean.next, struct hot, link);
        list_remove(&h->link);
        map_take(&p->hots, h->p.conv);
        mem_free(h);
        p->clean_count--;
    }
}

void project_rollback(struct project *p)
{
    for (size_t i = 0; i < p->undo_count; i++) {
        struct project_undo *u = &p->undo[i];
        u->hot->p = u->p;
        memcpy(u->hot->hash, u->hash, sizeof u->hash);
        set_dirty(p, u->hot, u->dirty);
    }
    p->undo_count = 0;
    p->cursor = p->cursor_was;
    sweep_forget(p);
}
