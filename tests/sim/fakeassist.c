/* SPDX-License-Identifier: Apache-2.0 */
/* fakeassist.c - turns in, answers out, later.
 *
 * Happy path: a turn is kept till it is due and ends with a text. Failure
 * modes played: a provider that fails, one that wants a person, one that has
 * nothing to say, and one that answers although nobody wants it any more.
 */
#include "fakeassist.h"
#include "world.h"

#include <stdio.h>

static struct asked *find(struct world *w, uint64_t turn)
{
    for (size_t i = 0; i < w->assist.count; i++)
        if (w->assist.turns[i].turn == turn)
            return &w->assist.turns[i];
    return NULL;
}

static void forget(struct world *w, struct asked *a)
{
    *a = w->assist.turns[--w->assist.count];
}

void fakeassist_ask(void *world, const struct turn *t)
{
    struct world *w = world;
    struct turn *row = fakestore_turn(w, t->id);
    struct asked *was = find(w, t->id);
    if (!row || row->state != TURN_PENDING || row->fence != t->fence)
        world_fail(w, "I4: turn %llu is asked and not stored as pending",
                   (unsigned long long)t->id);
    if (was && !was->unwanted)
        world_fail(w, "I4: turn %llu is asked twice",
                   (unsigned long long)t->id);
    if (was)
        forget(w, was);
    if (w->assist.count == FAKEASSIST_TURNS) {
        world_fail(w, "more than %d turns at once", FAKEASSIST_TURNS);
        return;
    }
    w->did.turns++;
    w->assist.turns[w->assist.count++] =
        (struct asked){t->id, w->now + world_below(w, 3000), false};
}

void fakeassist_unask(void *world, uint64_t turn, const char *why)
{
    struct world *w = world;
    struct asked *a = find(w, turn);
    (void)why;
    if (!a && !w->dead)
        world_fail(w, "turn %llu is taken back and was not asked",
                   (unsigned long long)turn);
    if (a && world_chance(w, 700))
        forget(w, a);
    else if (a)
        a->unwanted = true;
}

static struct slice body_of(struct arena *a, unsigned long long id)
{
    char text[80];
    int n = snprintf(text, sizeof text,
                     "{\"kind\":\"text\",\"text\":\"a%llu\"}", id);
    return slice_dup(a, (struct slice){text, (size_t)n});
}

/* Every other first question was asked before. */
bool fakeassist_known(void *world, struct known *k)
{
    struct world *w = world;
    if (fakestore_turn(w, k->turn->id))
        world_fail(w, "turn %llu is stored before its answer is looked for",
                   (unsigned long long)k->turn->id);
    if (!k->question.len || !world_chance(w, 500))
        return false;
    k->body = body_of(k->arena, k->turn->id);
    k->note = SLICE("{}");
    return true;
}

static void on_decided(void *world, int result)
{
    (void)world;
    (void)result;
}

static bool decide(struct world *w, const struct confirm *f,
                   enum confirm_state to, uint64_t by)
{
    world_say(w, "confirmation %llu: %s", (unsigned long long)f->id,
              confirm_state_name(to));
    return desk_decide(w->desk, f->conv, f->id, to, by, SLICE("{}"), on_decided,
                       w) == 0;
}

/* An agent says a word to any that is there; too late as often as not. */
static void some_word(struct world *w)
{
    size_t n = w->store.confirms.count;
    if (n == 0 || !world_chance(w, 50))
        return;
    const struct confirm *f = w->store.confirms.at[world_below(w, (uint32_t)n)];
    uint32_t to = 1 + world_below(w, CONFIRM_DONE);
    if (f->agent)
        decide(w, f, (enum confirm_state)to, to < CONFIRM_EXPIRED ? 1 : 0);
}

/* What the roof does before a model is asked; true: the turn goes on later. */
static bool hear(struct world *w, uint64_t turn, uint64_t *told)
{
    const struct turn *row = fakestore_turn(w, turn);
    const struct confirm *f = row ? desk_confirm(w->desk, row->conv) : NULL;
    if (!f || (f->state == CONFIRM_PENDING && f->agent))
        return false;
    if (f->state == CONFIRM_PENDING)
        return decide(w, f,
                      world_chance(w, 600)
                          ? CONFIRM_APPROVED
                          : (enum confirm_state)(1 + world_below(w, 4)),
                      0);
    if (f->state == CONFIRM_APPROVED) /* the tool has run */
        return decide(w, f, CONFIRM_DONE, 0);
    *told = f->id;
    return false;
}

static struct confirm *wish(struct world *w, struct arena *a, uint64_t turn)
{
    const struct turn *row = fakestore_turn(w, turn);
    const struct confirm *was = row ? desk_confirm(w->desk, row->conv) : NULL;
    if (!row || (was && was->state == CONFIRM_PENDING) || !world_chance(w, 700))
        return NULL;
    struct confirm *f = arena_one(a, struct confirm);
    *f = (struct confirm){.id = ++w->next_id,
                          .conv = row->conv,
                          .turn = turn,
                          .agent = world_chance(w, 500),
                          .assistant = SLICE("polly"),
                          .tool = SLICE("refund"),
                          .call = SLICE("{}"),
                          .hash = SLICE("h"),
                          .question = SLICE("really?"),
                          .result = SLICE(""),
                          .created_at = w->now,
                          .expires_at = w->now + 500 + world_below(w, 4000)};
    return f;
}

bool fakeassist_step(struct world *w)
{
    struct fakeassist *s = &w->assist;
    uint64_t told = 0;
    some_word(w);
    if (s->count == 0)
        return false;
    size_t i = world_below(w, (uint32_t)s->count);
    if (s->turns[i].due > w->now && !w->calm)
        return false;
    unsigned long long id = s->turns[i].turn;
    if (!s->turns[i].unwanted && hear(w, id, &told)) {
        return true;
    }
    forget(w, &s->turns[i]);
    struct turn_end *e = turn_end_new(id);
    uint32_t how = world_below(w, 10);
    if (how < 8)
        e->body = body_of(e->arena, id);
    if (how < 8)
        e->told = told;
    if (how < 7)
        e->asks = wish(w, e->arena, id);
    if (how == 8) {
        e->state = TURN_FAILED;
        e->reason = SLICE("unavailable");
    }
    if (how >= 7 && how < 9)
        e->handover = SLICE("a person is wanted");
    world_say(w, "turn %llu ends, way %u", id, how);
    desk_turn_end(w->desk, e);
    return true;
}

void fakeassist_crash(struct world *w)
{
    w->assist.count = 0;
}
