/* SPDX-License-Identifier: Apache-2.0 */
/* fakestore.c - transactions on their way to being durable.
 *
 * Happy path: given -> waiting -> batch -> durable -> answered, one hop a
 * step, in the order given. Failure modes played: a batch fails as a whole
 * (full disk, for a while), a repeated ref turns its transaction into nothing,
 * a crash keeps or loses the batch being written as a whole.
 */
#include "fakestore.h"
#include "oracle.h"
#include "rows.h"
#include "world.h"

#include <stdio.h>

static void list_push(struct mail_list *l, struct mail *m)
{
    m->next = NULL;
    if (l->last)
        l->last->next = m;
    else
        l->first = m;
    l->last = m;
    l->count++;
}

static struct mail *list_pop(struct mail_list *l)
{
    struct mail *m = l->first;
    if (!m)
        return NULL;
    l->first = m->next;
    if (!l->first)
        l->last = NULL;
    l->count--;
    m->next = NULL;
    return m;
}

void fakestore_init(struct world *w)
{
    w->store.mem = arena_new();
    w->store.refs = mem_alloc(sizeof(*w->store.refs));
    map_init(w->store.refs);
}

static void rows_fini(struct row_list *l)
{
    mem_free(l->at);
    *l = (struct row_list){0};
}

void fakestore_fini(struct world *w)
{
    struct fakestore *s = &w->store;
    struct row_list *all[] = {&s->journal,  &s->tx_of,   &s->convs,
                              &s->contacts, &s->agents,  &s->teams,
                              &s->channels, &s->alarms,  &s->flows,
                              &s->turns,    &s->confirms};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        rows_fini(all[i]);
    map_fini(s->refs);
    mem_free(s->refs);
    arena_free(s->mem);
}

void fakestore_commit(void *world, struct tx *tx)
{
    struct world *w = world;
    oracle_on_given(w, tx);
    list_push(&w->store.waiting, &tx->mail);
}

/* --- one transaction ------------------------------------------------------ */

static struct slice ref_key(struct arena *a, const struct event *ev)
{
    char text[LIMIT_REF_BYTES + 40];
    int n = snprintf(text, sizeof(text), "%d %llu %.*s", (int)ev->role,
                     (unsigned long long)ev->sender, SLICE_FMT(ev->ref));
    return slice_dup(a, (struct slice){text, (size_t)n});
}

static bool has_ref(const struct event *ev)
{
    return ev->name == EVENT_MESSAGE_CREATED && ev->ref.len > 0;
}

/* A message whose (sender, ref) is known: told the first one's place. */
static bool is_repeat(struct world *w, struct tx *tx)
{
    bool any = false;
    for (struct event *ev = tx->first; ev; ev = ev->next) {
        struct event *was =
            has_ref(ev) ? map_get_text(w->store.refs, ref_key(tx->arena, ev))
                        : NULL;
        if (!was)
            continue;
        any = true;
        ev->flags |= EVENT_DUPLICATE;
        ev->conv = was->conv;
        ev->pos = was->pos;
        ev->seq = was->seq;
        ev->at = was->at;
    }
    return any;
}

static void append(struct world *w, struct event *ev)
{
    struct fakestore *s = &w->store;
    ev->pos = fakestore_pos(w) + 1;
    if (ev->at == 0)
        ev->at = w->now;
    struct conv_row *row = ev->conv ? fakestore_conv(w, ev->conv) : NULL;
    if (ev->conv && !row)
        world_fail(w, "event %s of a conversation without a row",
                   event_name_text(ev->name));
    if (row)
        rows_project(row, ev);
    struct event *copy = arena_one(s->mem, struct event);
    *copy = *ev;
    copy->next = NULL;
    copy->ref = slice_dup(s->mem, ev->ref);
    copy->body = slice_dup(s->mem, ev->body);
    rows_add(&s->journal, copy);
    rows_add(&s->tx_of, (void *)(uintptr_t)s->txs);
    if (has_ref(ev))
        map_put_text(s->refs, ref_key(s->mem, ev), copy);
}

static void tell_story(struct world *w, const struct tx *tx)
{
    for (const struct event *ev = tx->first; ev; ev = ev->next)
        world_say(w, "  writes %s conv %llu by %s %llu ref %.*s cause %llu",
                  event_name_text(ev->name), (unsigned long long)ev->conv,
                  role_name(ev->role), (unsigned long long)ev->sender,
                  SLICE_FMT(ev->ref), (unsigned long long)ev->cause);
    for (const struct put *p = tx->puts; p; p = p->next)
        if (p->kind == PUT_CONVERSATION)
            world_say(w, "  puts conv %llu: %s agent %llu team %llu fence %u",
                      (unsigned long long)p->conversation->id,
                      conv_state_name(p->conversation->state),
                      (unsigned long long)p->conversation->assignee,
                      (unsigned long long)p->conversation->team,
                      p->conversation->fence);
}

static void write_one(struct world *w, struct tx *tx)
{
    w->store.txs++;
    tell_story(w, tx);
    if (is_repeat(w, tx)) {
        w->did.duplicates++;
        return;
    }
    oracle_before_write(w, tx);
    for (struct put *p = tx->puts; p; p = p->next)
        rows_put(w, p);
    for (struct event *ev = tx->first; ev; ev = ev->next)
        append(w, ev);
    rows_note_holdings(w, tx);
    oracle_after_write(w, tx);
}

/* --- batches -------------------------------------------------------------- */

static void begin_batch(struct world *w)
{
    uint32_t n = 1 + world_below(w, (uint32_t)w->store.waiting.count);
    while (n-- > 0)
        list_push(&w->store.batch, list_pop(&w->store.waiting));
}

static void write_batch(struct world *w)
{
    struct fakestore *s = &w->store;
    if (!w->calm && world_chance(w, w->weather.disk_full))
        s->full_until = w->now + world_below(w, 3000);
    bool full = !w->calm && s->full_until > w->now;
    if (full)
        w->did.failed_batches++;
    for (struct mail *m; (m = list_pop(&s->batch)) != NULL;) {
        struct tx *tx = (struct tx *)m;
        tx->result = 0;
        if (full)
            tx->result = err_set(&tx->err, ERR_UNAVAILABLE, "disk full");
        else
            write_one(w, tx);
        list_push(&s->answers, m);
    }
}

static void answer_one(struct world *w)
{
    struct tx *tx = (struct tx *)list_pop(&w->store.answers);
    tx->done(tx);
}

bool fakestore_step(struct world *w)
{
    struct fakestore *s = &w->store;
    /* Answering first most of the time, yet sometimes the next batch is
     * durable before the last one is answered. */
    bool answer = s->answers.first && !world_chance(w, 300);
    if (answer)
        answer_one(w);
    else if (s->batch.first)
        write_batch(w);
    else if (s->waiting.first)
        begin_batch(w);
    else if (s->answers.first)
        answer_one(w);
    else
        return false;
    return true;
}

bool fakestore_query_step(struct world *w)
{
    struct fakestore *s = &w->store;
    if (!s->queries.first)
        return false;
    /* Readers run beside each other: not in the order asked. */
    for (uint32_t n = world_below(w, (uint32_t)s->queries.count); n > 0; n--)
        list_push(&s->queries, list_pop(&s->queries));
    struct query *q = (struct query *)list_pop(&s->queries);
    if (!w->calm && world_chance(w, w->weather.rare))
        q->result = err_set(&q->err, ERR_UNAVAILABLE, "reading failed");
    else
        rows_answer(w, q);
    q->done(q);
    return true;
}

void fakestore_read(void *world, struct query *q)
{
    struct world *w = world;
    list_push(&w->store.queries, &q->mail);
}

bool fakestore_is_idle(const struct world *w)
{
    const struct fakestore *s = &w->store;
    return !s->waiting.first && !s->batch.first && !s->answers.first &&
           !s->queries.first;
}

static void cancel_txs(struct mail_list *l)
{
    for (struct mail *m; (m = list_pop(l)) != NULL;) {
        struct tx *tx = (struct tx *)m;
        tx->result = err_set(&tx->err, ERR_CANCELLED, "the house fell");
        tx->done(tx);
    }
}

void fakestore_crash(struct world *w)
{
    struct fakestore *s = &w->store;
    if (s->batch.first && world_chance(w, 500))
        write_batch(w); /* durable, and nobody was told */
}

bool fakestore_cancel(struct world *w)
{
    struct fakestore *s = &w->store;
    if (fakestore_is_idle(w))
        return false;
    cancel_txs(&s->answers);
    cancel_txs(&s->batch);
    cancel_txs(&s->waiting);
    for (struct mail *m; (m = list_pop(&s->queries)) != NULL;) {
        struct query *q = (struct query *)m;
        q->result = err_set(&q->err, ERR_CANCELLED, "the house fell");
        q->done(q);
    }
    return true;
}

struct event *fakestore_event(struct world *w, uint64_t pos)
{
    struct row_list *j = &w->store.journal;
    return pos > 0 && pos <= j->count ? j->at[pos - 1] : NULL;
}

uint64_t fakestore_pos(const struct world *w)
{
    return w->store.journal.count;
}
