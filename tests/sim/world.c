/* SPDX-License-Identifier: Apache-2.0 */
/* world.c - chance, time, ports, crashes, and the run from start to rest.
 *
 * Happy path: steps of one hop each, drawn from the seed; then the weather
 * calms down, everything drains, and the oracle looks at the whole.
 * Failure modes: the first violation ends the run; the same seed plays the
 * same run again, hop by hop.
 */
#include "world.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/random.h>

#define TICK_MS 100
#define CANCEL_MOST 100000
#define DRAIN_ROUNDS 40000
#define REST_MS 15000

bool world_trace;

/* The house's maps are keyed by random bytes, and the desk walks maps: with
 * the same bytes each time a seed plays the same run in every process. */
ssize_t getrandom(void *p, size_t n, unsigned flags)
{
    (void)flags;
    memset(p, 0x5a, n);
    return (ssize_t)n;
}

/* --- chance --------------------------------------------------------------- */

uint64_t world_random(struct world *w)
{
    uint64_t x = w->random += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

uint32_t world_below(struct world *w, uint32_t n)
{
    return n ? (uint32_t)(world_random(w) % n) : 0;
}

bool world_chance(struct world *w, uint32_t permille)
{
    return world_below(w, 1000) < permille;
}

/* --- the story ------------------------------------------------------------ */

void world_say(struct world *w, const char *fmt, ...)
{
    if (!world_trace)
        return;
    va_list ap;
    va_start(ap, fmt);
    printf("%6u %8lld | ", w->step, (long long)(w->now % 100000000));
    vprintf(fmt, ap);
    printf("\n");
    va_end(ap);
}

void world_fail(struct world *w, const char *fmt, ...)
{
    char text[sizeof(w->why) - 64];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    world_say(w, "FAILED: %s", text);
    if (w->failed)
        return; /* what follows from it says little */
    w->failed = true;
    snprintf(w->why, sizeof(w->why), "step %u: %s", w->step, text);
}

/* --- ports ---------------------------------------------------------------- */

struct client *world_peer(struct world *w, uint64_t peer)
{
    for (size_t i = 0; peer && i < w->client_count; i++)
        if (w->clients[i].peer == peer)
            return &w->clients[i];
    return NULL;
}

static int64_t port_now(void *arg)
{
    struct world *w = arg;
    return w->now;
}

static uint64_t port_id(void *arg)
{
    struct world *w = arg;
    return ++w->next_id;
}

static bool port_send(void *arg, uint64_t peer, struct notice *n)
{
    struct world *w = arg;
    struct client *c = world_peer(w, peer);
    if (w->dead || !c || c->broken || c->gone_due)
        return false;
    oracle_on_tell(w, c, n);
    world_say(w, "  tells client %d notice %d pos %llu (cursor %llu.%u)",
              c->index, (int)n->type,
              (unsigned long long)(n->event ? n->event->pos : 0),
              (unsigned long long)n->cursor.pos, n->cursor.sub);
    client_tell(w, c, n);
    return true;
}

static void port_accept(void *arg, uint64_t peer, enum role role)
{
    struct world *w = arg;
    struct client *c = world_peer(w, peer);
    if (!c || c->accepted || c->role != role)
        world_fail(w, "accept of peer %llu, who did not ask so",
                   (unsigned long long)peer);
    else
        c->accepted = true;
}

static void port_close(void *arg, uint64_t peer, int ws_code,
                       const char *reason)
{
    struct world *w = arg;
    struct client *c = world_peer(w, peer);
    world_say(w, "  closes peer %llu: %d %s", (unsigned long long)peer, ws_code,
              reason);
    if (c)
        c->broken = c->gone_due = true;
}

static void port_credits(void *arg, int64_t n)
{
    struct world *w = arg;
    w->credits -= n;
    if (w->credits < 0)
        world_fail(w, "more credits given back than were taken");
}

struct desk_ports world_ports(struct world *w)
{
    return (struct desk_ports){.arg = w,
                               .now = port_now,
                               .id = port_id,
                               .commit = fakestore_commit,
                               .run = fakescript_run,
                               .read = fakestore_read,
                               .wants = fakescript_wants,
                               .patience = fakescript_patience,
                               .ask = fakeassist_ask,
                               .known = fakeassist_known,
                               .unask = fakeassist_unask,
                               .send = port_send,
                               .accept = port_accept,
                               .close = port_close,
                               .give_credits = port_credits};
}

/* --- the desk's lives ----------------------------------------------------- */

static void restore_rows(struct world *w)
{
    struct fakestore *s = &w->store;
    for (size_t i = 0; i < s->channels.count; i++)
        desk_put_channel(w->desk, s->channels.at[i]);
    for (size_t i = 0; i < s->agents.count; i++)
        desk_put_agent(w->desk, s->agents.at[i]);
    for (size_t i = 0; i < s->teams.count; i++)
        desk_put_team(w->desk, s->teams.at[i]);
    for (size_t i = 0; i < s->convs.count; i++) {
        struct conv_row *r = s->convs.at[i];
        if (r->c.state != CONV_CLOSED)
            desk_restore_conversation(w->desk, &r->c,
                                      fakestore_contact(w, r->c.contact));
    }
    for (size_t i = 0; i < s->journal.count; i++) {
        struct event *ev = s->journal.at[i];
        struct conv_row *r = ev->conv ? fakestore_conv(w, ev->conv) : NULL;
        if (r && ev->name == EVENT_MESSAGE_CREATED &&
            ev->role == ROLE_VISITOR && r->c.state != CONV_CLOSED &&
            ev->pos > r->c.handled)
            desk_restore_event(w->desk, ev);
    }
    for (size_t i = 0; i < s->alarms.count; i++)
        desk_restore_alarm(w->desk, s->alarms.at[i]);
    for (size_t i = 0; i < s->flows.count; i++)
        desk_restore_flow(w->desk, s->flows.at[i]);
    for (size_t i = 0; i < s->turns.count; i++) {
        struct turn *t = s->turns.at[i];
        if (t->state == TURN_PENDING)
            desk_restore_turn(w->desk, t);
    }
    for (size_t i = 0; i < s->confirms.count; i++) {
        struct confirm *f = s->confirms.at[i];
        if (!f->told)
            desk_restore_confirm(w->desk, f);
    }
}

static void start_desk(struct world *w)
{
    struct desk_conf conf = {.ports = world_ports(w),
                             .epoch = WORLD_EPOCH,
                             .pos = fakestore_pos(w),
                             .agent_grace_ms = WORLD_GRACE_MS,
                             .heartbeat_ms = 25000,
                             .text_bytes = LIMIT_TEXT_BYTES,
                             .frames_per_s = LIMIT_FRAMES_PER_S};
    w->desk = desk_new(&conf);
    restore_rows(w);
    desk_start(w->desk);
}

/* Everything under way is answered with ERR_CANCELLED, so that memory can be
 * counted; the answers go to nobody. */
static void end_desk(struct world *w)
{
    w->dead = true;
    uint32_t n = 0;
    while ((fakestore_cancel(w) || fakescript_cancel(w)) && n < CANCEL_MOST)
        n++;
    if (n == CANCEL_MOST)
        world_fail(w, "a dying desk never stops asking");
    desk_free(w->desk);
    w->desk = NULL;
    if (w->act_count)
        world_fail(w, "%zu acts were not answered at the end", w->act_count);
    if (w->credits)
        world_fail(w, "%lld credits were not given back at the end",
                   (long long)w->credits);
    oracle_at_end(w);
    w->dead = false;
    w->credits = 0;
}

static void crash(struct world *w)
{
    world_say(w, "--- crash, pos %llu", (unsigned long long)fakestore_pos(w));
    w->did.crashes++;
    fakestore_crash(w);
    fakeassist_crash(w);
    for (size_t i = 0; i < w->client_count; i++)
        client_crash(w, &w->clients[i]);
    end_desk(w);
    oracle_on_crash(w);
    w->life++;
    w->now += world_below(w, 3000);
    start_desk(w);
    world_say(w, "--- life %u, pos %llu", w->life,
              (unsigned long long)fakestore_pos(w));
}

/* --- the beginning -------------------------------------------------------- */

bool world_team_has(size_t team, uint64_t agent, struct world *w)
{
    /* Team 0: agents 0 and 1. Team 1: agents 1, 2 and 3. */
    for (size_t i = 0; i < WORLD_AGENTS; i++)
        if (w->agents[i] == agent)
            return team == 0 ? i <= 1 : i >= 1 && i <= 3;
    return false;
}

static void make_teams(struct world *w)
{
    for (size_t t = 0; t < WORLD_TEAMS; t++) {
        struct buf out;
        buf_init(&out, 1000);
        for (size_t i = 0; i < WORLD_AGENTS; i++) {
            char id[ID_TEXT];
            if (world_team_has(t, w->agents[i], w))
                buf_addf(&out, "%s\"%s\"", out.len ? "," : "[",
                         id_text(id, ID_AGENT, w->agents[i]).at);
        }
        buf_add_char(&out, ']');
        w->teams[t] = ++w->next_id;
        struct team team = {.id = w->teams[t],
                            .name = SLICE("team"),
                            .members = buf_slice(&out)};
        fakestore_put_team(w, &team);
        buf_fini(&out);
    }
}

static struct agent new_agent(struct world *w, size_t i)
{
    return (struct agent){.id = w->agents[i],
                          .name = SLICE("Bo"),
                          .email = SLICE("bo@x"),
                          .skills = SLICE("[]"),
                          .enabled = true,
                          .role = i == 3   ? AGENT_ROLE_SUPERVISOR
                                  : i == 4 ? AGENT_ROLE_ADMIN
                                           : AGENT_ROLE_AGENT,
                          .max_load = 1 + (int32_t)world_below(w, 3)};
}

static void make_people(struct world *w)
{
    for (size_t i = 0; i < WORLD_CHANNELS; i++) {
        struct channel c = {.id = w->channels[i] = ++w->next_id,
                            .type = SLICE("web"),
                            .name = SLICE("web"),
                            .config = SLICE("{}"),
                            .enabled = true};
        fakestore_put_channel(w, &c);
    }
    for (size_t i = 0; i < WORLD_AGENTS; i++) {
        w->agents[i] = ++w->next_id;
        struct agent a = new_agent(w, i);
        fakestore_put_agent(w, &a);
    }
    make_teams(w);
    for (size_t i = 0; i < WORLD_CONTACTS; i++)
        w->contacts[i] = ++w->next_id;
}

static void make_clients(struct world *w)
{
    uint32_t visitors = 1 + world_below(w, WORLD_CONTACTS);
    uint32_t agents = 1 + world_below(w, WORLD_AGENTS);
    for (uint32_t i = 0; i < visitors; i++)
        for (uint32_t n = 1 + world_below(w, 2); n > 0; n--)
            client_init(w, &w->clients[w->client_count], ROLE_VISITOR,
                        w->contacts[i], w->channels[i % WORLD_CHANNELS]);
    for (uint32_t i = 0; i < agents; i++)
        for (uint32_t n = 1 + world_chance(w, 300); n > 0; n--)
            client_init(w, &w->clients[w->client_count], ROLE_AGENT,
                        w->agents[i], 0);
}

void world_init(struct world *w, uint64_t seed, uint32_t steps)
{
    *w = (struct world){.seed = seed,
                        .random = seed * 0x2545f4914f6cdd1du,
                        .steps = steps,
                        .now = 1900000000000,
                        .next_id = 1000};
    w->ticked = w->now;
    w->arenas_before = arena_live();
    w->weather = (struct weather){
        .crash = world_chance(w, 600) ? world_below(w, 80) : 0,
        .disk_full = world_chance(w, 500) ? world_below(w, 60) : 0,
        .drop = world_below(w, 120),
        .slow_script = world_below(w, 400),
        .wants = world_below(w, 1000),
        .rare = world_chance(w, 700) ? world_below(w, 60) : 0,
        .scripts = world_chance(w, 800)};
    fakestore_init(w);
    make_people(w);
    make_clients(w);
    start_desk(w);
}

void world_fini(struct world *w)
{
    if (w->desk)
        end_desk(w);
    for (size_t i = 0; i < w->client_count; i++)
        client_fini(&w->clients[i]);
    oracle_fini(w);
    fakestore_fini(w);
}

/* --- the roof's doings ---------------------------------------------------- */

static void change_agent(struct world *w)
{
    size_t i = world_below(w, WORLD_AGENTS);
    uint64_t id = w->agents[i];
    struct agent *row = fakestore_agent(w, id);
    if (row && world_chance(w, 100)) {
        world_say(w, "agent %llu is deleted", (unsigned long long)id);
        fakestore_del_agent(w, id);
        desk_del_agent(w->desk, id);
        return;
    }
    struct agent a = row ? *row : new_agent(w, i);
    if (row && world_chance(w, 300))
        a.enabled = !a.enabled;
    else
        a.max_load = (int32_t)world_below(w, 4);
    world_say(w, "agent %llu: enabled %d, max_load %d", (unsigned long long)id,
              a.enabled, a.max_load);
    fakestore_put_agent(w, &a);
    desk_put_agent(w->desk, &a);
}

/* --- steps ---------------------------------------------------------------- */

static void pass_time(struct world *w, int64_t ms)
{
    int64_t until = w->now + ms;
    while (w->now < until) {
        int64_t next = w->ticked + TICK_MS;
        w->now = next < until ? next : until;
        if (w->now >= next || world_chance(w, 200)) {
            w->ticked = w->now;
            desk_tick(w->desk);
        }
    }
}

/* The first client, from a random one on, with something to do. */
static bool any_client(struct world *w,
                       bool (*step)(struct world *w, struct client *c))
{
    uint32_t n = (uint32_t)w->client_count, at = world_below(w, n);
    for (uint32_t i = 0; i < n; i++)
        if (step(w, &w->clients[(at + i) % n]))
            return true;
    return false;
}

static void hop(struct world *w)
{
    uint32_t what = world_below(w, 100);
    if (what < 20)
        client_turn(w, &w->clients[world_below(w, (uint32_t)w->client_count)]);
    else if (what < 38)
        any_client(w, client_say_step);
    else if (what < 55)
        any_client(w, client_hear_step);
    else if (what < 80)
        fakestore_step(w);
    else if (what < 88)
        fakestore_query_step(w);
    else if (what < 95)
        fakescript_step(w);
    else if (what < 97)
        fakeassist_step(w);
    else
        any_client(w, client_gone_step);
}

static void step(struct world *w)
{
    int64_t ms = world_below(w, 4);
    if (world_chance(w, 4))
        ms += world_below(w, 2000);
    if (world_chance(w, 1))
        ms += world_below(w, 3 * WORLD_GRACE_MS);
    pass_time(w, ms);
    if (world_chance(w, w->weather.rare / 8))
        change_agent(w);
    if (world_below(w, 10000) < w->weather.crash)
        crash(w);
    hop(w);
}

/* --- the end -------------------------------------------------------------- */

static bool is_quiet(const struct world *w)
{
    bool idle =
        fakestore_is_idle(w) && w->script.count == 0 && w->assist.count == 0;
    for (size_t i = 0; i < w->client_count; i++)
        idle = idle && client_is_idle(&w->clients[i]);
    return idle;
}

static void drain(struct world *w)
{
    int64_t quiet_since = 0;
    w->calm = true;
    bool some_leave = world_chance(w, 400);
    for (size_t k = 0; k < w->client_count; k++) {
        struct client *c = &w->clients[k];
        struct agent *a = fakestore_agent(w, c->id);
        c->away = c->role == ROLE_AGENT &&
                  (!a || !a->enabled || (some_leave && world_chance(w, 500)));
    }
    for (uint32_t i = 0; i < DRAIN_ROUNDS && !w->failed; i++) {
        w->step++;
        for (size_t k = 0; k < w->client_count; k++) {
            client_gone_step(w, &w->clients[k]);
            client_turn(w, &w->clients[k]);
            client_say_step(w, &w->clients[k]);
            client_hear_step(w, &w->clients[k]);
        }
        fakestore_step(w);
        fakestore_query_step(w);
        fakescript_step(w);
        fakeassist_step(w);
        pass_time(w, is_quiet(w) ? 100 : 3);
        if (!is_quiet(w))
            quiet_since = 0;
        else if (!quiet_since)
            quiet_since = w->now;
        else if (w->now - quiet_since > REST_MS)
            return;
    }
    world_fail(w, "it never comes to rest");
}

bool world_run(struct world *w)
{
    for (w->step = 1; w->step <= w->steps && !w->failed; w->step++)
        step(w);
    if (!w->failed)
        drain(w);
    if (!w->failed)
        oracle_at_rest(w);
    end_desk(w);
    return !w->failed;
}
