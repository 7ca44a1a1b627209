/* SPDX-License-Identifier: Apache-2.0 */
/* steps.c - a test's steps by name, and those about people.
 *
 * Happy path: the house is opened by the first step that needs it, the step
 * does its work and waits until all is quiet; its answer is a JSON object.
 * Failure modes: an unknown step or a refusal is {"error": sentence}, which
 * test.lua makes a failure at the line that took the step.
 */
#include "app/testing/people.h"
#include "base/clock.h"
#include "base/limits.h"

/* --- people --------------------------------------------------------------- */

static int who_in(struct stage *st, const struct json *in, struct actor **out,
                  struct err *e)
{
    *out = people_find(st, (uint64_t)json_int(in, "who", 0));
    if (!*out)
        return err_set(e, ERR_NOT_FOUND,
                       "this visitor or agent is of another test");
    return 0;
}

/* What is behind `after`; go: first let pass what handlers wait for. */
static int step_seen(struct stage *st, const struct json *in, struct jsonw *out,
                     struct err *e)
{
    struct actor *a;
    int r = who_in(st, in, &a, e);
    r = r ? r : stage_settle(st, e);
    if (r == 0 && json_bool(in, "go", false))
        r = stage_advance(st, stage_next(st, true), e);
    if (r)
        return r;
    int64_t after = json_int(in, "after", 0);
    jsonw_key(out, "items");
    jsonw_open(out, '[');
    for (const struct seen *s = a->first; s; s = s->next)
        if (s->n > after)
            jsonw_raw(out, s->json);
    jsonw_close(out, ']');
    jsonw_put_int(out, "last", a->count);
    jsonw_put_bool(out, "more", stage_next(st, true) >= 0);
    return 0;
}

static int step_leave(struct stage *st, const struct json *in,
                      struct jsonw *out, struct err *e)
{
    struct actor *a;
    int r = who_in(st, in, &a, e);
    if (r == 0)
        people_leave(st, a);
    return r ? r : stage_settle(st, e);
}

static int step_back(struct stage *st, const struct json *in, struct jsonw *out,
                     struct err *e)
{
    struct actor *a;
    int r = who_in(st, in, &a, e);
    if (r == 0 && !a->peer)
        people_join(st, a, true);
    return r ? r : stage_settle(st, e);
}

static int step_type(struct stage *st, const struct json *in, struct jsonw *out,
                     struct err *e)
{
    struct actor *a;
    int r = who_in(st, in, &a, e);
    if (r)
        return r;
    struct arena *arena = arena_new();
    struct frame *f = arena_one(arena, struct frame);
    f->type = FRAME_TYPING;
    f->conv = a->conv;
    f->text = slice_dup(arena, json_text(in, "text"));
    desk_frame(st->server->desk, a->peer, f, arena);
    return stage_settle(st, e);
}

static int step_read(struct stage *st, const struct json *in, struct jsonw *out,
                     struct err *e)
{
    struct actor *a;
    int r = who_in(st, in, &a, e);
    if (r)
        return r;
    const struct conversation *c = desk_conversation(st->server->desk, a->conv);
    struct arena *arena = arena_new();
    struct frame *f = arena_one(arena, struct frame);
    f->type = FRAME_READ;
    f->conv = a->conv;
    f->seq = c ? c->last_seq : 1;
    desk_frame(st->server->desk, a->peer, f, arena);
    return stage_settle(st, e);
}

static int step_status(struct stage *st, const struct json *in,
                       struct jsonw *out, struct err *e)
{
    struct actor *a;
    enum agent_status status;
    int r = who_in(st, in, &a, e);
    if (r == 0 && (a->role != ROLE_AGENT ||
                   !agent_status_find(json_text(in, "status"), &status)))
        r = err_set(e, ERR_BAD_REQUEST,
                    "status must be online, busy, away or offline");
    if (r == 0)
        desk_set_status(st->server->desk, a->who, status);
    return r ? r : stage_settle(st, e);
}

static int step_assigned(struct stage *st, const struct json *in,
                         struct jsonw *out, struct err *e)
{
    struct actor *a;
    char id[ID_TEXT];
    int r = who_in(st, in, &a, e);
    r = r ? r : stage_settle(st, e);
    if (r)
        return r;
    jsonw_key(out, "conversations");
    jsonw_open(out, '[');
    for (size_t i = 0; i < a->given_count; i++)
        jsonw_text(out, id_text(id, ID_CONVERSATION, a->given[i]));
    jsonw_close(out, ']');
    a->given_count = 0;
    return 0;
}

/* --- acts ----------------------------------------------------------------- */

struct acted {
    struct stage *stage;
    bool done;
};

static void on_acted(struct act *act)
{
    struct acted *w = act->owner;
    w->done = true;
    stage_moved(w->stage);
}

static int find_agent(struct stage *st, const struct json *more, uint64_t *out,
                      struct err *e)
{
    struct json *j = json_get(more, "agent");
    struct slice email =
        json_is(j, JSON_STRING) ? j->text : json_text(j, "email");
    const struct actor *a = people_find(st, (uint64_t)json_int(j, "id", 0));
    const struct agent *found =
        email.len ? desk_find_agent(st->server->desk, email) : NULL;
    *out = a ? a->who : found ? found->id : 0;
    if (j && !*out)
        return err_set(e, ERR_NOT_FOUND, "there is no such agent");
    return 0;
}

static int find_team(struct stage *st, const struct json *more, uint64_t *out,
                     struct err *e)
{
    struct slice name = json_text(more, "team");
    const struct team *t;
    *out = 0;
    for (size_t i = 0; (t = desk_next_team(st->server->desk, &i)) != NULL;)
        if (slice_eq(t->name, name))
            *out = t->id;
    if (name.len && !*out)
        return err_set(e, ERR_NOT_FOUND, "there is no team %.*s",
                       SLICE_FMT(name));
    return 0;
}

static struct slice written(struct arena *a, const struct json *j)
{
    struct buf out;
    buf_init(&out, LIMIT_FRAME_BYTES);
    struct jsonw w = jsonw_on(&out);
    jsonw_value(&w, j);
    struct slice text = slice_dup(a, buf_slice(&out));
    buf_fini(&out);
    return text;
}

static int fill_act(struct stage *st, const struct json *more, struct act *act,
                    struct err *e)
{
    struct json *tags = json_get(more, "tags");
    int r = find_agent(st, more, &act->agent, e);
    r = r ? r : find_team(st, more, &act->team, e);
    act->note = slice_dup(act->arena, json_text(more, "note"));
    act->until = clock_ms() + json_int(more, "ms", 3600 * 1000);
    act->has_tags = tags != NULL;
    if (tags)
        act->tags = written(act->arena, tags);
    act->has_priority = json_get(more, "priority") != NULL;
    act->priority = (int32_t)json_int(more, "priority", 0);
    return r;
}

static int kind_of_act(struct slice name, enum act_kind *out)
{
    static const struct {
        const char *name;
        enum act_kind kind;
    } kinds[] = {{"close", ACT_CLOSE},   {"reopen", ACT_REOPEN},
                 {"snooze", ACT_SNOOZE}, {"assign", ACT_ASSIGN},
                 {"update", ACT_UPDATE}, {"read", ACT_READ}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (slice_is(name, kinds[i].name)) {
            *out = kinds[i].kind;
            return 0;
        }
    return ERR_BAD_REQUEST;
}

static int act_conv(struct stage *st, const struct json *in,
                    const struct actor *a, uint64_t *conv, struct err *e)
{
    struct slice text = json_text(in, "conversation");
    const struct actor *of = people_find(st, (uint64_t)json_int(in, "of", 0));
    *conv = of ? of->conv : a->conv;
    if (text.len && !id_parse(text, ID_CONVERSATION, conv))
        return err_set(e, ERR_BAD_REQUEST, "%.*s is no conversation's id",
                       SLICE_FMT(text));
    return *conv ? 0
                 : err_set(e, ERR_NOT_FOUND, "there is no conversation yet");
}

static int step_act(struct stage *st, const struct json *in, struct jsonw *out,
                    struct err *e)
{
    struct actor *a = people_find(st, (uint64_t)json_int(in, "agent", 0));
    struct acted w = {.stage = st};
    enum act_kind kind = ACT_CLOSE;
    if (!a || kind_of_act(json_text(in, "kind"), &kind))
        return err_set(e, ERR_BAD_REQUEST, "who does what?");
    struct act *act = act_new(kind, on_acted, &w);
    act->role = ROLE_AGENT;
    act->actor = a->who;
    int r = act_conv(st, in, a, &act->conv, e);
    r = r ? r : fill_act(st, json_get(in, "more"), act, e);
    if (r == 0) {
        desk_act(st->server->desk, act);
        r = stage_await(st, &w.done, e);
        if (r)
            return r; /* it is the desk's for ever */
        if (act->result)
            r = err_set(e, act->result, "%s", act->err.text);
    }
    act_free(act);
    return r ? r : stage_settle(st, e);
}

const struct step steps_people[] = {
    {"visitor", people_visitor, true}, {"agent", people_agent, true},
    {"say", people_say, true},         {"seen", step_seen, true},
    {"leave", step_leave, true},       {"back", step_back, true},
    {"type", step_type, true},         {"read", step_read, true},
    {"status", step_status, true},     {"assigned", step_assigned, true},
    {"act", step_act, true},           {NULL, NULL, false}};

/* --- all ------------------------------------------------------------------ */

int steps_run(struct stage *st, struct slice name, const struct json *in,
              struct jsonw *out, struct err *e)
{
    const struct step *const all[] = {steps_house, steps_people, steps_fakes};
    for (size_t i = 0; i < 3; i++)
        for (const struct step *s = all[i]; s->name; s++) {
            if (!slice_is(name, s->name))
                continue;
            int r = s->opens ? stage_open(st, e) : 0;
            return r ? r : s->fn(st, in, out, e);
        }
    return err_set(e, ERR_UNSUPPORTED, "there is no step %.*s",
                   SLICE_FMT(name));
}
