/* SPDX-License-Identifier: Apache-2.0 */
/* command.c - reload, roll back, promote, enable: by people, answered once.
 *
 * Happy path: an order to the builder, or a change at once and an answer by
 * mail. Failure modes: no such script, nothing to promote, a version that does
 * not load any more: a sentence, and nothing has changed; the house stops:
 * ERR_CANCELLED.
 */
#include "script/command.h"
#include "base/log.h"
#include "script/inside.h"
#include "script/load/serving.h"

static struct command *command_new(struct script *s, struct slice unit,
                                   script_done_fn done, void *arg)
{
    struct arena *a = arena_new();
    struct command *c = arena_one(a, struct command);
    c->arena = a;
    c->script = s;
    c->unit = slice_dup(a, unit);
    c->done = done;
    c->arg = arg;
    script_ref(s);
    return c;
}

static void end(struct command *c)
{
    struct script *s = c->script;
    c->done(c->arg, c->result, &c->err);
    arena_free(c->arena);
    script_unref(s);
}

static void on_end(struct mail *m)
{
    end(container_of(m, struct command, mail));
}

static void post(struct command *c)
{
    c->mail.run = on_end;
    loop_post(c->script->conf.home_loop, &c->mail);
}

void command_cancel(struct command *c)
{
    c->result = err_set(&c->err, ERR_CANCELLED, "the house is closing");
    post(c);
}

/* The unit is there, or the command is answered. */
static struct unit *find(struct command *c)
{
    struct unit *u = script_unit(c->script, c->unit);
    if (u)
        return u;
    c->result = err_set(&c->err, ERR_NOT_FOUND, "there is no script %.*s",
                        SLICE_FMT(c->unit));
    post(c);
    return NULL;
}

static void tell_change(struct script *s)
{
    script_publish(s);
    if (s->conf.on_change)
        s->conf.on_change(s->conf.arg);
}

/* --- reload --------------------------------------------------------------- */

static void judge(struct command *c, const struct unit *u)
{
    if (u->broken && !list_empty(&u->troubles)) {
        const struct trouble *t =
            container_of(u->troubles.prev, struct trouble, link);
        c->result = err_field(&c->err, ERR_UNPROCESSABLE, "file", "%s:%u: %s",
                              t->file, t->line, t->message);
    } else if (u->is_back && !c->to) {
        c->result = err_set(&c->err, ERR_CONFLICT,
                            "this version of the file was rolled back from; "
                            "change the file, or choose the version by name");
    }
}

void command_applied(struct command *c)
{
    const struct unit *u = script_unit(c->script, c->unit);
    if (c->result == 0 && u)
        judge(c, u);
    end(c);
}

void script_reload(struct script *s, struct slice unit, script_done_fn done,
                   void *arg)
{
    builder_do(s->builder, command_new(s, unit, done, arg));
}

/* --- roll back ------------------------------------------------------------ */

static void copy_row(struct command *c, const struct script_version *from)
{
    c->to = arena_one(c->arena, struct script_version);
    *c->to = *from;
    c->to->unit = slice_dup(c->arena, from->unit);
    c->to->version = slice_dup(c->arena, from->version);
    c->to->sources = slice_dup(c->arena, from->sources);
    c->to->note = SLICE("");
}

void script_roll_back(struct script *s, const struct script_version *to,
                      script_done_fn done, void *arg)
{
    struct command *c = command_new(s, to->unit, done, arg);
    copy_row(c, to);
    if (find(c))
        builder_do(s->builder, c);
}

/* --- canaries ------------------------------------------------------------- */

void script_promote(struct script *s, struct slice unit, bool promote,
                    script_done_fn done, void *arg)
{
    struct command *c = command_new(s, unit, done, arg);
    struct unit *u = find(c);
    if (!u)
        return;
    if (u->canary)
        serving_end_canary(s, u, promote, "by command");
    else
        c->result = err_set(&c->err, ERR_CONFLICT, "no version of %s is tried",
                            u->name);
    post(c);
}

/* --- on and off ----------------------------------------------------------- */

void script_enable(struct script *s, struct slice unit, bool on,
                   script_done_fn done, void *arg)
{
    struct command *c = command_new(s, unit, done, arg);
    struct unit *u = find(c);
    if (!u)
        return;
    bool mended = serving_switch(s, u, on);
    tell_change(s);
    if (mended) {
        post(c);
        return;
    }
    c->is_mending = true;
    c->to = history_row(u->version, c->arena);
    builder_do(s->builder, c);
}
