/* SPDX-License-Identifier: Apache-2.0 */
/* assist.h - assistants at the roof: who may be asked, and every question on
 * its way to a model and back.
 *
 * The core knows no provider: a connector (ai/<type>.lua, in the script wing)
 * speaks with it (ai/README.md). Here are the limits around it: places, rates,
 * times, a breaker and a purse for each assistant, and who is asked next.
 *
 * Thread: main.
 */
#pragma once
#include "app/server.h"

struct assist;
struct script_ask;

/* --- bots.c: the assistants that are set up --- */
struct assist *assist_new(struct server *s);
void assist_free(struct assist *as);         /* after the loop; NULL is fine */
bool assist_is_busy(const struct server *s); /* a thread of it works */
void assist_put(struct server *s, const struct assistant *a); /* copies */
void assist_del(struct server *s, uint64_t id);
const struct assistant *assist_get(const struct server *s, uint64_t id);
const struct assistant *assist_find(const struct server *s, struct slice name);
const struct assistant *assist_next(const struct server *s, size_t *i);
/* The connectors that serve have changed. */
void assist_faces_changed(struct server *s);
/* Types of assistants, as kinds of settings. Borrowed. */
const struct kinds *assist_kinds(const struct server *s);
/* Live figures: "breaker","under_way","waiting","trouble","spent". */
struct jsonw;
void assist_show(const struct server *s, uint64_t id, struct jsonw *w);
/* NULL, or what is wrong with the settings object. */
const char *assist_wrong(const struct json *settings);

/* --- turns.c: the desk's ports --- */
void assist_ask(void *server, const struct turn *t);
bool assist_known(void *server, struct known *w);
void assist_unask(void *server, uint64_t turn, const char *why);
void assist_halt(void *server, uint64_t turn);
bool assist_told(void *server, uint64_t turn, struct slice *text,
                 uint32_t *index);

/* --- summary.c: the desk's ports --- */
struct kv *assist_leaves(void *server, const struct conversation *next,
                         struct arena *a);
void assist_left(void *server, const struct conversation *c,
                 const struct kv *owed);
/* All is restored: what the last end of the house has cut is made. */
void assist_start(struct server *s);

/* --- calls.c: take the ask --- */
void assist_call(struct server *s, struct script_ask *ask);  /* AI, EMBED */
void assist_write(struct server *s, struct script_ask *ask); /* WRITE */
/* check() of its connector; done on the loop, exactly once. NULL answer: e
 * tells. */
void assist_check(struct server *s, uint64_t id,
                  void (*done)(void *arg, struct slice answer,
                               const struct err *e),
                  void *arg);

/* --- answers.c: of one assistant (0 = all), or of those with this tag; a
 * question's answer, or all ("") --- */
size_t assist_forget(struct server *s, uint64_t id, struct slice question,
                     struct slice tag);

void assist_forget_ask(struct server *s, struct script_ask *ask); /* takes */

/* --- drafts.c --- */
/* What was spent; costs in billionths. */
struct purse {
    int64_t input, output, cached, cost, turns;
};
struct draft_answer { /* valid during the call */
    bool well;
    struct slice text, assistant, class, detail, currency;
    struct purse spent;
};
struct draft { /* what an agent wants; copied */
    uint64_t agent, conv, contact;
    struct slice assistant; /* "" = the oldest that is switched on */
    struct slice prompt;    /* of ai/prompts */
    struct slice stream;    /* what its pieces are called; "" = none are sent */
    struct slice wish, text;
    bool bare; /* without tools, and not if others wait for a place */
    void (*done)(void *arg, const struct draft_answer *a); /* exactly once */
    void *arg;
};
/* false: there is no such assistant; done does not come. */
/* What was said of a turn's answer so far; "" = nothing yet. Borrowed. */
struct slice assist_so_far(const struct server *s, uint64_t turn);
bool assist_draft(struct server *s, const struct draft *wanted);
void purse_write(struct jsonw *w, const struct purse *p, struct slice currency);

/* At the end of each turn of the loop: pieces of answers go out. Before net's
 * own. */
void assist_flush(void *server);
