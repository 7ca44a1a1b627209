/* SPDX-License-Identifier: Apache-2.0 */
/* visit.c - what main wants in memory at start, told row by row.
 *
 * Happy path: a connection of its own reads tables in the order in which main
 * can use them: channels, agents, teams, tokens, then every conversation that
 * is not closed with its contact, then the visitors' messages in them whose
 * rules have not run, then alarms, flows and versions of scripts. Rows of conversations are up to date: the
 * store wrote them out when it was opened, before anybody could add to them.
 *
 * Failure modes: the first error ends the visit; main does not start then.
 */
#include "store/inner.h"
#include "store/record_assist.h"
#include "store/record_outbox.h"
#include "store/record_scripts.h"
#include <stdlib.h>

struct visit {
    const struct store_visit *v;
    struct db db;
    uint64_t *unhandled; /* positions */
    size_t count, cap;
};

static void see_channel(struct visit *x, struct stmt *s)
{
    struct channel c;
    record_channel(s, NULL, &c);
    x->v->channel(x->v->arg, &c);
}

static void see_agent(struct visit *x, struct stmt *s)
{
    struct agent a;
    record_agent(s, NULL, &a);
    x->v->agent(x->v->arg, &a);
}

static void see_team(struct visit *x, struct stmt *s)
{
    struct team t;
    record_team(s, NULL, &t);
    x->v->team(x->v->arg, &t);
}

static void see_token(struct visit *x, struct stmt *s)
{
    struct token t;
    record_token(s, NULL, &t);
    x->v->token(x->v->arg, &t);
}

static void see_alarm(struct visit *x, struct stmt *s)
{
    struct alarm a;
    record_alarm(s, NULL, &a);
    x->v->alarm(x->v->arg, &a);
}

static void see_cut(struct visit *x, struct stmt *s)
{
    struct dead l;
    record_dead(s, NULL, &l);
    x->v->cut(x->v->arg, &l);
}

static void see_assistant(struct visit *x, struct stmt *s)
{
    struct assistant a;
    record_assistant(s, NULL, &a);
    x->v->assistant(x->v->arg, &a);
}

static void see_confirm(struct visit *x, struct stmt *s)
{
    struct confirm f;
    record_confirm(s, NULL, &f);
    x->v->confirm(x->v->arg, &f);
}

static void see_turn(struct visit *x, struct stmt *s)
{
    struct turn t;
    record_turn(s, NULL, &t);
    x->v->turn(x->v->arg, &t);
}

static void see_outbox(struct visit *x, struct stmt *s)
{
    struct outbox o;
    record_outbox(s, NULL, &o);
    x->v->outbox(x->v->arg, &o);
}

static void see_flow(struct visit *x, struct stmt *s)
{
    struct flow f;
    record_flow(s, NULL, &f);
    x->v->flow(x->v->arg, &f);
}

static void see_version(struct visit *x, struct stmt *s)
{
    struct script_version v;
    record_version(s, NULL, &v);
    x->v->version(x->v->arg, &v);
}

static void see_conversation(struct visit *x, struct stmt *s)
{
    struct conversation c;
    struct contact who;
    record_conversation(s, NULL, &c);
    record_contact(s, CONVERSATION_COUNT, NULL, &who);
    who.id = c.contact; /* also when its row is gone */
    x->v->conversation(x->v->arg, &c, &who);
}

static int each(struct visit *x, const char *sql,
                void (*see)(struct visit *x, struct stmt *s))
{
    struct stmt s;
    int r = stmt_open(&x->db, sql, "", &s);
    while (r >= 0 && (r = stmt_step(&s)) == 1)
        see(x, &s);
    stmt_close(&s);
    return r;
}

/* -- what the rules have not seen --------------------------------------- */

static void note(struct visit *x, uint64_t pos)
{
    if (x->count == x->cap) {
        x->cap = x->cap ? x->cap * 2 : 64;
        x->unhandled = mem_resize(x->unhandled, x->cap * sizeof(uint64_t));
    }
    x->unhandled[x->count++] = pos;
}

/* Back over one conversation down to its mark; what a person has answered since
 * is nothing for the rules any more (most of it never was: lines to an agent
 * leave no mark). */
static int note_above(struct visit *x, struct stmt *by_pos, uint64_t pos,
                      uint64_t handled)
{
    int r = 0;
    while (r == 0 && pos > handled) {
        struct event ev;
        r = journal_get(by_pos, pos, NULL, &ev, &pos);
        bool message = r == 0 && ev.name == EVENT_MESSAGE_CREATED;
        if (message && ev.role == ROLE_VISITOR)
            note(x, ev.pos);
        if (message && ev.role == ROLE_AGENT && !(ev.flags & EVENT_PRIVATE))
            pos = handled;
        stmt_reset(by_pos);
    }
    return r;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static int tell_noted(struct visit *x, struct stmt *by_pos)
{
    int r = 0;
    if (x->count)
        qsort(x->unhandled, x->count, sizeof *x->unhandled, by_number);
    for (size_t i = 0; i < x->count && r == 0; i++) {
        struct event ev;
        r = journal_get(by_pos, x->unhandled[i], NULL, &ev, NULL);
        if (r == 0)
            x->v->unhandled(x->v->arg, &ev);
        stmt_reset(by_pos);
    }
    return r;
}

static int each_unhandled(struct visit *x)
{
    struct stmt by_pos = {0}, s = {0};
    int r = stmt_open(&x->db, JOURNAL_ROW "WHERE pos = $pos", "pos", &by_pos);
    if (r == 0)
        r = stmt_open(&x->db,
                      "SELECT p.last_pos, p.handled FROM conversation c "
                      "JOIN progress p ON p.conv = c.id "
                      "WHERE c.state <> 4 AND p.visitor_seq > 0",
                      "", &s);
    while (r >= 0 && (r = stmt_step(&s)) == 1)
        r = note_above(x, &by_pos, got_u64(&s, 0), got_u64(&s, 1));
    if (r == 0)
        r = tell_noted(x, &by_pos);
    stmt_close(&s);
    stmt_close(&by_pos);
    mem_free(x->unhandled);
    return r;
}

int store_visit(struct store *s, const struct store_visit *v, struct err *e)
{
    struct visit x = {.v = v};
    int r = db_open(&x.db, s->dir, DB_READER, e);
    if (r < 0)
        return r;
    if (r == 0 && v->channel)
        r = each(&x, "SELECT " CHANNEL_COLUMNS " FROM channel ORDER BY id",
                 see_channel);
    if (r == 0 && v->agent)
        r = each(&x, "SELECT " AGENT_COLUMNS " FROM agent ORDER BY id",
                 see_agent);
    if (r == 0 && v->team)
        r = each(&x, "SELECT " TEAM_COLUMNS " FROM team ORDER BY id", see_team);
    if (r == 0 && v->token)
        r = each(&x, "SELECT " TOKEN_COLUMNS " FROM token ORDER BY id",
                 see_token);
    if (r == 0 && v->conversation)
        r = each(&x,
                 "SELECT " CONVERSATION_COLUMNS ", " CONTACT_COLUMNS
                 " FROM " CONVERSATION_TABLES "WHERE c.state <> 4 "
                 "ORDER BY c.id",
                 see_conversation);
    if (r == 0 && v->unhandled)
        r = each_unhandled(&x);
    if (r == 0 && v->alarm)
        r = each(&x, "SELECT " ALARM_COLUMNS " FROM alarm ORDER BY due_at",
                 see_alarm);
    if (r == 0 && v->flow) /* 3 is FLOW_DONE, behind it what ended otherwise */
        r = each(&x,
                 "SELECT " FLOW_HEAD ", '' FROM flow WHERE state < 3 "
                 "ORDER BY id",
                 see_flow);
    if (r == 0 && v->cut)
        r = each(&x,
                 "SELECT " DEAD_COLUMNS " FROM dead WHERE data LIKE "
                 "'%\"cut\":true%' ORDER BY id",
                 see_cut);
    if (r == 0 && v->outbox) /* 0 is OUTBOX_WAITING */
        r = each(&x,
                 "SELECT " OUTBOX_COLUMNS " FROM outbox WHERE state = 0 "
                 "ORDER BY id",
                 see_outbox);
    if (r == 0 && v->assistant)
        r = each(&x, "SELECT " ASSISTANT_COLUMNS " FROM assistant ORDER BY id",
                 see_assistant);
    if (r == 0 && v->turn) /* 0 is TURN_PENDING */
        r = each(&x,
                 "SELECT " TURN_COLUMNS " FROM turn WHERE state = 0 "
                 "ORDER BY id",
                 see_turn);
    if (r == 0 && v->confirm)
        r = each(&x,
                 "SELECT " CONFIRM_COLUMNS " FROM confirm WHERE told = 0 "
                 "ORDER BY id",
                 see_confirm);
    if (r == 0 && v->version) /* 3 is VERSION_OLD */
        r = each(&x,
                 "SELECT " VERSION_COLUMNS " FROM version WHERE state <> 3 "
                 "ORDER BY unit, since_at, id",
                 see_version);
    if (r < 0)
        r = err_set(e, r, "%s", x.db.err.text);
    db_close(&x.db);
    return r < 0 ? r : 0;
}
