/* SPDX-License-Identifier: Apache-2.0 */
/* part.c - parts there and back.
 *
 * Happy path: effects are copied to a job of their own (the first one's arena
 * lives on), which goes home and comes back with the fence it left behind.
 * Failure modes: it is refused: the handler goes on all the same; the handler
 * is over when it comes back, or the house stops: it is freed.
 */
#include "script/run/part.h"
#include "base/limits.h"
#include "loop/mailbox.h"
#include "script/inside.h"

struct ticket { /* part->owner; in the part's arena */
    struct worker *worker;
    struct script *script; /* one ref, from home to done */
    uint32_t slot;
    uint64_t generation;
};

/* --- copies --------------------------------------------------------------- */

static void copy_effects(struct job *to, const struct effect *e)
{
    struct arena *a = to->arena;
    for (; e; e = e->next) {
        struct effect *copy = job_effect(to, e->type);
        struct effect *next = copy->next;
        *copy = *e;
        copy->next = next;
        copy->unit = slice_dup(a, e->unit);
        copy->text = slice_dup(a, e->text);
        copy->name = slice_dup(a, e->name);
        copy->data = slice_dup(a, e->data);
        copy->body = slice_dup(a, e->body);
        copy->pick = slice_dup(a, e->pick);
    }
}

static void copy_conv(struct job *to, const struct conversation *c)
{
    struct arena *a = to->arena;
    to->conv = *c;
    to->conv.tags = slice_dup(a, c->tags);
    to->conv.attributes = slice_dup(a, c->attributes);
    to->conv.preview = slice_dup(a, c->preview);
    to->conv.contact_name = slice_dup(a, c->contact_name);
    to->conv.channel_type = slice_dup(a, c->channel_type);
    to->conv.contact_tier = slice_dup(a, c->contact_tier);
}

static void copy_contact(struct job *to, const struct contact *c)
{
    struct arena *a = to->arena;
    to->contact = *c;
    to->contact.identity = slice_dup(a, c->identity);
    to->contact.name = slice_dup(a, c->name);
    to->contact.email = slice_dup(a, c->email);
    to->contact.phone = slice_dup(a, c->phone);
    to->contact.tier = slice_dup(a, c->tier);
    to->contact.tags = slice_dup(a, c->tags);
    to->contact.attributes = slice_dup(a, c->attributes);
}

static void on_done(struct job *part);

static struct job *part_new(struct task *t, const struct effect *first)
{
    const struct job *job = t->job;
    struct job *part = job_new(job->hook, on_done, NULL);
    struct arena *a = part->arena;
    part->unit = slice_dup(a, job->unit);
    part->event = job->event;
    part->event.next = NULL;
    part->event.ref = slice_dup(a, job->event.ref);
    part->event.body = SLICE(""); /* nobody asks for it again */
    part->what = slice_dup(a, job->what);
    copy_conv(part, &job->conv);
    copy_contact(part, &job->contact);
    part->roster = job->roster;
    if (part->roster)
        atomic_fetch_add(&part->roster->refs, 1);
    part->fence = job->fence;
    part->at = job->at;
    part->depth = job->depth;
    copy_effects(part, first);
    return part;
}

/* --- there ---------------------------------------------------------------- */

/* Without a conversation nobody could commit it: it counts at the end. */
static bool may_give(const struct task *t)
{
    enum hook h = t->job->hook;
    if (!t->job->event.conv || t->job->call)
        return false;
    return t->worker->conf.conf->on_part && h != HOOK_FLOW &&
           h != HOOK_INBOUND && h != HOOK_SEND && !t->job->call &&
           t->job->count > t->mark.count;
}

bool part_give(struct task *t)
{
    struct job *job = t->job;
    struct run *run = job->task;
    if (!may_give(t))
        return false;
    struct effect *last = t->mark.last;
    struct job *part = part_new(t, last ? last->next : job->first);
    struct ticket *ticket = arena_one(part->arena, struct ticket);
    ticket->worker = t->worker;
    ticket->script = t->worker->conf.script;
    ticket->slot = t->slot;
    ticket->generation = t->generation;
    part->owner = ticket;
    run->given += job->count - t->mark.count;
    job->count = t->mark.count;
    job->last = last;
    if (last)
        last->next = NULL;
    else
        job->first = NULL;
    worker_part(t->worker, part, run->plan);
    return true;
}

static void on_home(struct mail *m)
{
    struct job *part = container_of(m, struct job, mail);
    struct ticket *ticket = part->owner;
    struct script *s = ticket->script;
    if (s->closed) {
        job_free(part);
        script_unref(s);
        return;
    }
    s->conf.on_part(s->conf.arg, part);
}

void part_post(struct worker *w, struct job *part)
{
    script_ref(w->conf.script);
    part->mail.run = on_home;
    worker_post(w, &part->mail);
}

/* --- and back ------------------------------------------------------------- */

static void on_back(struct mail *m)
{
    struct job *part = container_of(m, struct job, mail);
    const struct ticket *ticket = part->owner;
    struct worker *w = ticket->worker;
    struct task *t = worker_task(w, ticket->slot, ticket->generation);
    if (t && t->wait == WAIT_PART) {
        struct run *run = t->job->task;
        /* Its hops name versions of the plan that the task's job holds. */
        const struct run *passed = part->task;
        hops_join(&run->hops, &passed->hops, t->job->arena);
        t->job->fence = t->job->conv.fence = part->fence;
        t->job->ran += part->ran;
        t->job->failures += part->failures;
        task_given(t);
    }
    job_free(part);
}

static void on_done(struct job *part)
{
    const struct ticket *ticket = part->owner;
    struct script *s = ticket->script;
    if (s->closed) {
        job_free(part);
    } else {
        part->mail.run = on_back;
        mailbox_push(ticket->worker->box, &part->mail);
    }
    script_unref(s);
}
