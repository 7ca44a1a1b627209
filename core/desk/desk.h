/* SPDX-License-Identifier: Apache-2.0 */
/* desk.h - the conductor: who talks with whom, and what happens next.
 *
 * Pure: it knows no socket, no SQL, no Lua and no clock; it asks for them
 * through ports, so that it runs in tests under virtual time. Everything that
 * lasts is committed first and told afterwards (I1); what it keeps in memory
 * can be built again from the store by desk_restore_*.
 *
 * Thread: main.   Owns: live peers, agents' presence, open conversations.
 */
#pragma once
#include "base/breaker.h"
#include "base/wheel.h"
#include "desk/effect.h"
#include "desk/frame.h"
#include "desk/query.h"

struct desk;

/* What the core must know of a channel's adapter, as data. */
struct channel_face {
    bool sends;              /* it has send() */
    bool pushes;             /* visitors have sockets; who has none now gets a
                                push() by the adapter */
    int64_t push_after_ms;   /* what a socket did not bring until then */
    int64_t push_quiet_ms;   /* between two pushes of a conversation */
    bool types;              /* it has typing() */
    bool recalls;            /* it has recall() */
    bool answers;            /* it has passive() */
    int32_t rate, burst;     /* messages a second; 0 = no limit */
    int32_t at_once;         /* calls under way; 0 = 4 */
    int64_t reply_window_ms; /* after the visitor's last word; 0 = any time */
    int32_t reply_count;     /* answers to it; 0 = any number */
    bool drafts;             /* agents see what its visitors type, unsent */
    int64_t file_bytes;      /* longest file; 0 = the desk's, -1 = none */
};

/* First words that may have been answered before. */
struct known {
    const struct turn *turn; /* as it would be stored */
    uint64_t channel;
    struct slice question;
    struct arena *arena;     /* for what is given back: */
    struct slice body, note; /* as in struct turn_end */
};

struct desk_ports {
    void *arg;
    int64_t (*now)(void *arg); /* wall ms */
    uint64_t (*id)(void *arg); /* a new id */
    /* Take their argument; answered by its done, never from inside. */
    void (*commit)(void *arg, struct tx *tx);
    void (*run)(void *arg, struct job *job);
    void (*read)(void *arg, struct query *q);
    bool (*wants)(void *arg, const struct job *job); /* any hook for this? */
    /* What an adapter can do; NULL or zeroes: nothing goes out by it. */
    void (*face)(void *arg, const struct channel *c, struct channel_face *out);
    /* A webhook of this contact that waits for an answer: it is the next
     * message's now (HOOK_PASSIVE, call->number). 0 = none; NULL: none ever. */
    uint64_t (*held)(void *arg, uint64_t channel, uint64_t contact);
    /* How long may its rules take before the default places the conversation:
     * ms, by the matching rules' `deadline`; 0 = no limit. */
    int64_t (*patience)(void *arg, const struct job *job);
    /* Turns; NULL where no assistant can be asked. ask: the roof works on it
     * (borrows) and answers by desk_turn_end, not from inside; unless unask
     * says that nobody wants it any more. halt: answer with what there is. */
    void (*ask)(void *arg, const struct turn *t);
    /* Before a turn is owed for a conversation's first words: true, the answer
     * is known and goes into the same tx. Not asked again then. NULL: never. */
    bool (*known)(void *arg, struct known *k);
    void (*unask)(void *arg, uint64_t turn, const char *why);
    void (*halt)(void *arg, uint64_t turn);
    /* What was told of it, and the last piece's index; false: nothing yet. */
    bool (*told)(void *arg, uint64_t turn, struct slice *text, uint32_t *index);
    /* With the coming transaction people have what this assistant held. The
     * row, in the arena, is stored with it if they are owed a note: then left
     * comes, once that is on disk, and desk_note takes the row away. NULL: they
     * are owed none. */
    struct kv *(*leaves)(void *arg, const struct conversation *next,
                         struct arena *a);
    void (*left)(void *arg, const struct conversation *c,
                 const struct kv *owed);
    /* Bytes that wait for a slow peer; NULL: none ever do. */
    int64_t (*backlog)(void *arg, uint64_t peer);
    /* Ms since a peer was last heard, -1 = it is gone; ask: a sign of life is
     * wanted now. NULL: all are heard all the time. */
    int64_t (*silence)(void *arg, uint64_t peer, bool ask);
    /* INBOUND, SEND: must a rule have seen it, or it is refused (on_failure)?
     * NULL: none must. */
    bool (*strict)(void *arg, const struct job *job);
    /* false: the peer is gone. */
    bool (*send)(void *arg, uint64_t peer, struct notice *n);
    void (*accept)(void *arg, uint64_t peer, enum role role);
    void (*close)(void *arg, uint64_t peer, int ws_code, const char *reason);
    /* How many events are done with (credits, net.h). */
    void (*give_credits)(void *arg, int64_t n);
};

struct desk_conf {
    struct desk_ports ports;
    uint64_t epoch, pos;    /* of the store, at start */
    int64_t agent_grace_ms; /* a dropped agent keeps presence that long */
    int64_t heartbeat_ms;   /* told in welcome */
    uint32_t text_bytes, file_bytes, frames_per_s; /* told in welcome */
    int64_t recall_ms; /* so long one may take a message back; 0 = never */
};
struct desk *desk_new(const struct desk_conf *conf);
void desk_free(struct desk *d);
void desk_adjust(struct desk *d,
                 const struct desk_conf *conf); /* limits only */
/* Moves time on; call at least every 100 ms or at desk_next. */
void desk_tick(struct desk *d);
int64_t desk_next(const struct desk *d); /* ms until a tick is due, -1 none */
/* The same without the desk's own look at every second: for who leaps from
 * deadline to deadline (yuelai test). */
int64_t desk_next_deadline(struct desk *d);

/* --- what is known, from store_visit and after committed changes --- */
void desk_put_channel(struct desk *d, const struct channel *c); /* copies */
void desk_del_channel(struct desk *d, uint64_t id);
void desk_put_agent(struct desk *d, const struct agent *a); /* copies */
void desk_del_agent(struct desk *d, uint64_t id);
void desk_put_team(struct desk *d, const struct team *t); /* copies */
void desk_del_team(struct desk *d, uint64_t id);
void desk_put_contact(struct desk *d, const struct contact *c); /* if alive */
void desk_restore_conversation(struct desk *d, const struct conversation *c,
                               const struct contact *who);
void desk_restore_event(struct desk *d, const struct event *ev);
void desk_restore_alarm(struct desk *d, const struct alarm *a);
void desk_restore_flow(struct desk *d, const struct flow *f); /* copies */
/* A script's own period has passed: its on_timer runs, without conversation. */
void desk_every(struct desk *d, struct slice unit);
/* Effects of a handler that goes on to wait: a job of its own with the same
 * event, conv and fence; committed in its turn of the lane. part->done comes
 * with result, and fence as it is then. Takes it. */
void desk_part(struct desk *d, struct job *part);
/* A dead letter is run again: its event through today's rules, its alarm or
 * flow once more. done(arg, 0 or ERR_*) when it is under way (or never will
 * be); the letter goes with the effects. Copies. */
void desk_rerun(struct desk *d, const struct dead *letter,
                void (*done)(void *arg, int result), void *arg);
/* Ends a flow by hand (state CANCELLED). ERR_NOT_FOUND, or 0 and done comes. */
int desk_cancel_flow(struct desk *d, uint64_t id,
                     void (*done)(void *arg, int result), void *arg);
/* A letter of a handler that the last end of the house has cut. */
void desk_restore_letter(struct desk *d, const struct dead *l);
void desk_restore_outbox(struct desk *d, const struct outbox *o); /* copies */
/* A dead one is sent again; ERR_CONFLICT: it is not dead; ERR_UNPROCESSABLE: its
 * reply window has closed. */
void desk_resend(struct desk *d, const struct outbox *o,
                 void (*done)(void *arg, int result), void *arg);
/* A webhook of this conversation's visitor waits for an answer (ports.held):
 * what waits here goes now. */
void desk_answer_held(struct desk *d, uint64_t conv);
/* Is a message of the channel with its adapter, or what came of it not stored
 * yet? Then its receipt may be early. */
bool desk_is_sending(const struct desk *d, uint64_t channel);
/* What an assistant's turn came to; taken by desk_turn_end. */
struct turn_end {
    struct arena *arena; /* owned; it lies in it */
    uint64_t turn;
    enum turn_state state; /* DONE or FAILED */
    struct slice body;     /* JSON object of the message, "" = none */
    struct slice handover; /* why a person is wanted, "" = not */
    struct slice reason;   /* FAILED: why */
    struct slice note;     /* JSON, of the row */
    struct slice hops;     /* JSON array, for the trace */
    struct kv *kv;         /* remembered with it */
    size_t kv_count;
    struct confirm *asks; /* body asks for this word; NULL = none */
    uint64_t told;        /* the confirmation that the model knows of now */
};
struct turn_end *turn_end_new(uint64_t turn);
void turn_end_free(struct turn_end *e);
void desk_turn_end(struct desk *d, struct turn_end *e);       /* takes */
void desk_restore_turn(struct desk *d, const struct turn *t); /* copies */
/* A piece of the answer, to those who see it now; a socket that reads slowly
 * does without, and gets all of it up to this piece (ports.told) when it has
 * caught up. false: nobody wants any more of it. */
bool desk_delta(struct desk *d, uint64_t turn, uint32_t index,
                struct slice text);
/* A piece of a draft, to that agent's sockets alone; false: none is there. */
bool desk_draft(struct desk *d, uint64_t agent, uint64_t conv,
                struct slice stream, uint32_t index, struct slice text);
/* An assistant's note for the people who have the conversation now; dropped if
 * none do any more. body: JSON object, "" = there is none. owed: the row that
 * goes with it, whatever becomes of it; not while the store fails. Copies. */
void desk_note(struct desk *d, uint64_t conv, struct slice assistant,
               struct slice body, const struct kv *owed);
/* What waits for a person's word in this conversation, or what came of it and
 * no model was told yet; borrowed, NULL = nothing. */
const struct confirm *desk_confirm(const struct desk *d, uint64_t conv);
/* Decides it (PENDING -> APPROVED DENIED EXPIRED CANCELLED), or tells what the
 * tool gave (APPROVED -> DONE); by: the agent, who makes a turn owed. 0: done
 * comes exactly once, never from inside. ERR_CONFLICT, here or there: decided
 * already, or another one holds the conversation. Copies. */
int desk_decide(struct desk *d, uint64_t conv, uint64_t confirm,
                enum confirm_state to, uint64_t by, struct slice result,
                void (*done)(void *arg, int result), void *arg);
void desk_restore_confirm(struct desk *d, const struct confirm *f); /* copies */
/* The turn that its assistant answers now; 0 = none. */
uint64_t desk_turn_of(const struct desk *d, uint64_t conv);
/* The stop button; false: nothing is being answered. */
bool desk_stop_turn(struct desk *d, uint64_t conv);
/* The adapters or a setting have changed: faces are asked for again, what waited
 * for an adapter may go. */
void desk_faces_changed(struct desk *d);
/* job->call of a job for the channel's adapter, with its settings; false: no
 * such channel. */
bool desk_fill_call(const struct desk *d, uint64_t channel, struct job *job);
struct act;
/* What a platform's visitor says; who: stored or about to be (then with the
 * message). Takes the act (ACT_SEND, role VISITOR). */
void desk_visitor_says(struct desk *d, const struct contact *who, bool stored,
                       struct act *act);
/* What one of the staff told them on the platform itself: it is there already,
 * nothing is sent. actor: the agent, 0 = none of ours, then by its name. A bot
 * loses the conversation to people. Takes the act (ACT_SEND, role AGENT). */
void desk_staff_said(struct desk *d, const struct contact *who, bool stored,
                     struct act *act);
/* Is a message to this contact with its adapter, or what came of it not stored
 * yet? Then what its platform tells of may be that one. */
bool desk_is_sending_to(const struct desk *d, uint64_t contact);
/* A receipt of the platform: "delivered", "read" or "failed", by the id it
 * gave when it was sent. Copies. */
void desk_receipt(struct desk *d, const struct outbox *o, struct slice status,
                  struct slice reason);
/* Fills c->window by its channel's adapter, as it is now. */
void desk_window(const struct desk *d, struct conversation *c);
/* The same for a list: q->windows. */
void desk_windows(const struct desk *d, struct query *q);
/* All is restored: starts what was left unhandled. */
void desk_start(struct desk *d);

const struct channel *desk_channel(const struct desk *d, uint64_t id);
/* text: "ch_..." or "default" = the oldest enabled web channel; else NULL. */
const struct channel *desk_find_channel(const struct desk *d,
                                        struct slice text);
const struct channel *desk_next_channel(const struct desk *d, size_t *i);
const struct agent *desk_agent(const struct desk *d, uint64_t id);
const struct agent *desk_find_agent(const struct desk *d, struct slice email);
const struct agent *desk_next_agent(const struct desk *d, size_t *i);
enum agent_status desk_presence(const struct desk *d, uint64_t agent);
/* Open sockets of a visitor (contact) or an agent. */
size_t desk_sockets(const struct desk *d, enum role role, uint64_t id);
int32_t desk_load(const struct desk *d,
                  uint64_t agent); /* open conversations */
const struct team *desk_team(const struct desk *d, uint64_t id);
const struct team *desk_next_team(const struct desk *d, size_t *i);
/* The contact if it is alive (connected or in an open conversation). */
const struct contact *desk_contact(const struct desk *d, uint64_t id);
/* May this agent see a conversation with this assignee and team? */
bool desk_may_see(const struct desk *d, uint64_t agent,
                  const struct conversation *c);
/* An open conversation, or NULL. */
const struct conversation *desk_conversation(const struct desk *d, uint64_t id);
/* Fills viewer for an agent; teams in the arena. */
void desk_viewer(const struct desk *d, uint64_t agent, struct arena *a,
                 struct viewer *out);

/* --- peers; the roof has checked who they are --- */
struct join {
    uint64_t peer;
    struct slice token; /* visitors: goes into welcome */
    bool has_resume;    /* the peer sent one */
    bool resume_valid;  /* and it is well-formed and of this epoch */
    struct cursor resume;
};
/* c: borrowed; stored = it has a row already; changed = write it now (a signed
 * identity brought news). */
void desk_join_visitor(struct desk *d, const struct join *j, uint64_t channel,
                       const struct contact *c, bool stored, bool changed);
/* status: AGENT_OFFLINE = as last chosen. */
void desk_join_agent(struct desk *d, const struct join *j, uint64_t agent,
                     enum agent_status status);
/* Takes the arena, f lies in it. */
void desk_frame(struct desk *d, uint64_t peer, struct frame *f,
                struct arena *a);
void desk_gone(struct desk *d, uint64_t peer);
void desk_set_status(struct desk *d, uint64_t agent, enum agent_status s);

/* An event the roof committed itself (agent.updated, contact.updated, ...):
 * told to the agents' sockets. Call for every event of a tx that was not made
 * by the desk, in order; a: where the encoding may live during the call. */
void desk_announce(struct desk *d, const struct event *ev, struct arena *a);

/* --- what people do to a conversation, by frame or by REST --- */
enum act_kind {
    ACT_SEND,   /* frame: kind, body, text, is_private, ref */
    ACT_ASSIGN, /* agent, team, assistant, or none = queue; note */
    ACT_CLOSE,
    ACT_REOPEN,
    ACT_SNOOZE, /* until */
    ACT_UPDATE, /* tags, priority (has_*) */
    ACT_READ,   /* seq */
    ACT_RECALL  /* message; platform */
};
struct act {
    struct act *next;
    struct arena *arena; /* owned; the act lies in it */
    enum act_kind kind;
    enum role role; /* of the actor: AGENT, VISITOR, SYSTEM, BOT */
    uint64_t actor; /* agent or contact id */
    uint64_t peer;  /* the socket it came by, 0 = REST */
    uint64_t conv;
    struct frame *frame;
    uint64_t agent, team;
    struct slice note, tags; /* tags: JSON array */
    struct slice assistant;  /* ASSIGN: its name, "*" = the last one's */
    int64_t until;
    int32_t priority;
    bool has_tags, has_priority;
    uint32_t seq;
    uint64_t message;          /* RECALL: its pos */
    bool platform;             /* RECALL: its platform says so, whenever */
    struct slice name, remote; /* outside.c: who said it, the platform's id */
    uint64_t passed;    /* conv where on_inbound, on_send let it pass, 0 = not
                           seen yet (desk's own) */
    struct job *screen; /* with what they want, owned; NULL = nothing */
    bool strict;        /* a hook must have seen it (desk's own) */
    /* answer: result, err; SEND, RECALL: the stored event; the conversation as it is */
    int result;
    struct err err;
    struct event event;
    const struct conversation *conversation; /* borrowed, during done */
    void (*done)(struct act *act); /* exactly once; may come from inside
                                      desk_act. The act is the caller's again */
    void *owner;
};
struct act *act_new(enum act_kind kind, void (*done)(struct act *),
                    void *owner);
void act_free(struct act *act);
void desk_act(struct desk *d, struct act *act); /* takes */

/* Agents, teams and queues as they are now; one ref for the caller. */
struct roster *desk_roster(struct desk *d);

/* --- figures --- */
struct desk_figures {
    size_t peers, visitors, agents_online, conversations, queued, bot, open;
    size_t jobs, pending, held;
    size_t flows, flows_waiting;
    size_t outbox; /* waiting */
    int64_t oldest_wait_ms;
};
/* Something that went wrong; borrowed until the next of its sort. */
struct channel_word {
    struct slice code, text;
    int64_t at; /* 0 = nothing since the start */
};
/* How a channel does. */
struct channel_figures {
    enum breaker_state breaker;
    uint32_t waiting;  /* messages to its platform */
    int64_t oldest_at; /* when the oldest of them was said, 0 = none waits */
    int64_t last_in_at, last_out_at; /* since the start; 0 = not yet */
    struct channel_word trouble, rejected;
    uint64_t rejections;
};
void desk_channel_figures(struct desk *d, uint64_t id,
                          struct channel_figures *out);
/* Something the roof saw go wrong: a webhook failed, a poll in vain. Copies. */
void desk_channel_trouble(struct desk *d, uint64_t id, struct slice code,
                          struct slice text);
/* The adapter refused a webhook. Anybody can send one, so it hides no trouble.
 * Copies. */
void desk_channel_rejected(struct desk *d, uint64_t id, struct slice code,
                           struct slice text);
void desk_measure_channels(struct desk *d); /* gauges, for /metrics */
/* When the oldest conversation that is not closed was created; 0 = none. */
int64_t desk_oldest(const struct desk *d);
void desk_measure(const struct desk *d, struct desk_figures *out);
