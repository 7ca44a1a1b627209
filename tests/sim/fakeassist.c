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

bool fakeassist_step(struct world *w)
{
    struct fakeassist *s = &w->assist;
    if (s->count == 0)
        return false;
    size_t i = world_below(w, (uint32_t)s->count);
    if (s->turns[i].due > w->now && !w->calm)
        return false;
    unsigned long long id = s->turns[i].turn;
    forget(w, &s->turns[i]);
    struct turn_end *e = turn_end_new(id);
    uint32_t how = world_below(w, 10);
    if (how < 8)
        e->body = body_of(e->arena, id);
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
