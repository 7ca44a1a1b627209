/* SPDX-License-Identifier: Apache-2.0 */
/* inner.h - what the desk's own files share; nobody else includes it.
 *
 * Who owns what: the desk owns agents, teams, channels, persons (live
 * contacts), peers and convs. A person lives while it has a peer or a conv; a
 * conv while it is not closed or something of it is still under way.
 *
 * Two lanes of a conversation. Jobs: one at a time, in journal order (I2).
 * Changes of state: one transaction at a time, so that each is decided on what
 * is committed; a slow script never holds this lane, which is how a person can
 * take over from it (I13).
 */
#pragma once
#include "desk/desk.h"

#define CONV_MAGIC 0x636f6e76u
#define PEER_MAGIC 0x70656572u

struct team_live {
    struct team rec;
    uint64_t *members;
    size_t count;
};

struct agent_live {
    struct agent rec;
    struct list peers;               /* of struct desk_peer */
    enum agent_status chosen, shown; /* shown: what others were told */
    int32_t load;                    /* open and snoozed conversations held */
    int32_t reserved;                /* being assigned right now */
    int64_t last_taken;              /* counter: who got one last */
    struct timer grace;
    struct desk *desk;
};

/* A live contact. rec is NULL while nothing is known of it but its id. */
struct person {
    uint64_t id, channel;
    struct contact *rec;
    struct conv *conv; /* not closed, or being reopened; NULL = none */
    uint32_t convs;    /* all that point here, closing ones too */
    struct list peers;
    bool stored; /* has a row */
};

struct held_item {
    struct held_item *next;
    struct arena *arena;
    struct notice notice;
    struct event event;    /* what notice.event points at */
    bool backlog;          /* then the messages before it follow */
    uint64_t above, below; /* those with above < pos < below */
};

/* While a peer waits for something older, what is newer waits here, so that
 * its cursors rise. */
struct held {
    struct held_item *first, *last;
    uint32_t count;
    bool waiting;        /* a query is under way */
    struct query *after; /* a resume's events, as far as not yet sent */
    uint32_t sub;        /* where in a backlog the peer stopped */
};

struct desk_peer {
    unsigned magic;
    enum role role;
    uint64_t id;
    union {
        struct person *person;
        struct agent_live *agent;
    };
    struct list link;     /* in its owner's peers */
    uint64_t start_pos;   /* told of what is newer only */
    uint64_t known_pos;   /* older things in its sight it was not shown; 0 = all
                           were, by a resume */
    struct held *held;    /* NULL = nothing waits */
    bool behind;          /* reads slowly: does without pieces of answers */
    struct conv *watches; /* an agent's: told what bots answer there, too */
    struct list watch_link;
};

/* What an agent's peer has been shown of a conversation it lost sight of, or
 * that it began to see in the middle: everything with pos <= told. */
struct shown {
    uint64_t peer, told;
};

/* A flow that has not ended; its log is in the store only. */
struct flow_live {
    uint64_t id, conv;
    struct slice unit;
    enum flow_state state;
    bool woken; /* a job of it is on its way */
    struct timer timer;
    struct list link; /* its conv's flows, while that is in memory */
    struct desk *desk;
    void (*cancelled)(void *arg, int result); /* who asked for it waits */
    void *cancelled_arg;
};

struct conv;
struct change {
    struct change *next;
    void (*begin)(struct desk *d, struct conv *c, void *what);
    void *what;
};

struct conv {
    unsigned magic;
    struct conversation rec; /* slices are the conv's own copies */
    uint32_t visitor_seq;    /* of the visitor's last message, or above it */
    uint32_t public_seq;     /* of the last one not private; 0 = not known */
    int64_t held_since;      /* since when (or the start) by this holder */
    struct desk *desk;
    struct person *person;
    struct list queue_link; /* in desk->queue when queued */
    uint64_t born_pos;      /* its creation's, 0 = before this start */
    bool stored;            /* its creation is committed */
    int64_t typed_at;       /* when its platform was told so last */
    bool changing;          /* a change's tx is under way */
    bool taking;            /* the queue is giving it to somebody */
    struct change *changes, *changes_last;
    uint32_t lane_sends; /* sends waiting in the lane: others queue up too */
    uint32_t under_way;  /* txs, jobs, queries that point here */
    struct job *jobs, *jobs_last; /* waiting; linked by mail.next */
    uint32_t job_count;
    bool job_running;
    struct job *retry;      /* its effects could not be written */
    struct timer patience;  /* of the job that runs and is to place it */
    bool overdue;           /* it took too long: the default has placed it */
    uint32_t granted_fence; /* then: what the late job may still answer under,
                               until somebody else acts; 0 = nothing */
    uint64_t part_letter; /* of the running job, in case it is cut; 0 = none */
    bool cut;             /* the last start found such a letter */
    struct slice parts; /* own: effects of the running job that are committed */
    struct list flows;  /* of struct flow_live */
    struct list watchers;   /* of struct desk_peer */
    struct turn_live *turn; /* the bot owes an answer; NULL = it does not */
    struct confirm_live *confirm; /* waits for a word; NULL = nothing does */
    struct act *screens, *screens_last; /* sends that hooks look at first */
    struct job *screening;              /* of the first; only its address */
    struct timer screen_timer;
    struct timer wake;   /* snooze */
    struct timer again;  /* retry of a job */
    struct shown *shown; /* by agents' peers, count of them */
    uint32_t shown_count;
    bool handled_dirty; /* rec.handled is ahead of the store's */
    struct list dirty_link;
};

/* channels.c: what is counted of each, as series with its id and type. */
enum channel_meter {
    CHANNEL_IN,
    CHANNEL_OUT,
    CHANNEL_SENT,
    CHANNEL_RETRIES,
    CHANNEL_DEAD,
    CHANNEL_TOOK,
    CHANNEL_BREAKER,
    CHANNEL_WAITING,
    CHANNEL_OLDEST,
    CHANNEL_METERS
};
struct channel_note {        /* what went wrong last */
    struct slice code, text; /* own */
    int64_t at;              /* 0 = nothing has */
};
struct channel_live {
    struct channel rec; /* its texts are own */
    struct channel_face face;
    bool face_known;
    struct meter *meters[CHANNEL_METERS];
    int64_t last_in_at, last_out_at; /* 0 = never */
    struct channel_note trouble;
    struct channel_note rejected; /* of what strangers may send, too */
    uint64_t rejections;
};
/* As its adapter is now; zeroes: none, or no such channel. */
struct channel_face channel_face(const struct desk *d, uint64_t id);
void channels_spoil(struct desk *d); /* the faces are asked for again */
void channel_count(struct desk *d, uint64_t id, enum channel_meter m);
void channel_took(struct desk *d, uint64_t id, int64_t ms); /* one send */

struct alarm_live {
    struct alarm rec;
    struct timer timer;
    struct desk *desk;
};

struct desk {
    struct desk_conf conf;
    struct wheel *wheel;
    uint64_t pos; /* last event told */
    struct map peers, persons, convs, agents, teams, channels, alarms, flows,
        out_convs, out_channels, turns;
    struct list queue; /* of conv, in the order they are served */
    size_t queued;
    struct list dirty;     /* convs with handled_dirty */
    struct roster *roster; /* NULL = to be built */
    int64_t taken;         /* counter for last_taken */
    int64_t eta_ms;        /* average time between two takings */
    int64_t last_take_at;
    bool queue_moved; /* positions changed since they were told */
    bool started, draining;
    struct tx *traces; /* that wait for the next round; NULL = none */
    uint32_t trace_count;
    int64_t letter_said;      /* when a dead letter was last logged, ms */
    uint64_t letters_unsaid;  /* since then */
    size_t outbox;            /* waiting rows */
    int64_t oldest_looked_at; /* of them, by channel (channels.c) */
    struct timer second;      /* the once-a-second round */
    size_t jobs, pending, held;
};

/* What a transaction of ours does when it is done; lies in its arena. */
struct step {
    struct desk *desk;
    struct conv *conv;
    struct act *act;      /* answered then; may be NULL */
    struct job *job;      /* whose effects these are; may be NULL */
    struct job *part;     /* likewise, of a job that goes on; answered then */
    struct turn_end *end; /* of a bot's turn; owned */
    struct decision *decision; /* of a confirmation; owned */
    const struct kv *owed;     /* a note to who takes it; NULL = none */
    uint32_t depth;            /* of the jobs that follow from it */
    bool changes; /* next becomes the record; ends the lane's turn */
    bool creates;
    bool grants;           /* the default places what its job is too slow for */
    uint64_t reserved;     /* agent with one reserved, 0 = none */
    uint32_t read_before;  /* READ: the mark as it was */
    struct recall *recall; /* a message is taken back; NULL = none is */
    struct conversation next;
    struct event *message;   /* what the act sent, NULL = nothing */
    struct slice text, kind; /* of the message, for the rules */
};

/* inner words, by file. people.c */
void text_own(struct slice *dst, struct slice src); /* frees dst, copies src */
void text_free(struct slice *s);
struct agent_live *agent_of(const struct desk *d, uint64_t id);
bool agent_sees(const struct desk *d, const struct agent_live *a,
                const struct conversation *c); /* live: state bot is unseen */
/* What is held by somebody who will not answer goes back to the queue. Level,
 * not edge: what could not be written is tried again in the next round. */
void absent_release(struct desk *d);
bool agent_is_free(const struct agent_live *a);           /* online with room */
void agent_refresh(struct desk *d, struct agent_live *a); /* tells presence */
void agent_shift(struct desk *d, uint64_t agent, int by); /* load */
bool team_has(const struct desk *d, uint64_t team, uint64_t agent);
struct roster *roster_now(struct desk *d); /* one ref for the caller */
void roster_spoil(struct desk *d);
struct person *person_get(struct desk *d, uint64_t id, uint64_t channel);
void person_know(struct person *p, const struct contact *c);
void person_release(struct desk *d, struct person *p); /* frees if alone */
struct slice person_name(const struct person *p);
/* {"role":…,"id":…,"name":…} */
void sender_write(const struct desk *d, struct buf *out, enum role role,
                  uint64_t id, struct slice name);

/* delivery.c: from the journal to the sockets */
void tell_peer(struct desk *d, struct desk_peer *p, struct notice *n);
/* To everyone who sees the conversation, but not to peer `except`. */
void tell_message(struct desk *d, struct conv *c, const struct event *ev,
                  struct arena *a, uint64_t except);
/* before: the record as it was, so that who begins to see it gets what came
 * before. */
void tell_change(struct desk *d, struct conv *c, const struct event *ev,
                 struct arena *a, const struct conversation *before);
void tell_fleeting(struct desk *d, struct conv *c, struct notice *n,
                   uint64_t except);
void tell_agents(struct desk *d, struct notice *n);
void tell_queue(struct desk *d, struct conv *c, uint32_t position);
struct notice notice_of(const struct desk *d, enum notice_type type,
                        const struct event *ev, struct arena *a);
void held_start(struct desk *d, struct desk_peer *p);
void held_free(struct desk *d, struct desk_peer *p);
void resume_peer(struct desk *d, struct desk_peer *p, const struct join *j,
                 struct notice *welcome);

/* conv.c */
struct conv *conv_new(struct desk *d, const struct conversation *rec,
                      struct person *p, bool stored);
struct conv *conv_of(const struct desk *d, uint64_t id);
void conv_free(struct desk *d, struct conv *c);
void conv_take(struct desk *d, struct conv *c, const struct conversation *next);
void conv_change(struct desk *d, struct conv *c,
                 void (*begin)(struct desk *d, struct conv *c, void *what),
                 void *what);
void conv_change_end(struct desk *d, struct conv *c);
void conv_settle(struct desk *d, struct conv *c); /* free it if it is over */
struct tx *conv_tx(struct desk *d, struct conv *c, struct step **out);
/* Appends the conversation.* event for step->next and its PUT. */
void conv_tx_change(struct tx *tx, struct step *s, enum event_name name,
                    enum role role, uint64_t actor, uint64_t cause);
/* A message; body: JSON object, the sender is added. */
struct event *conv_tx_message(struct tx *tx, struct step *s, enum role role,
                              uint64_t sender, struct slice name,
                              struct slice body);
void conv_set_holder(struct conversation *next, enum conv_state state,
                     uint64_t assignee, int64_t now); /* raises the fence */
void conv_commit(struct desk *d, struct tx *tx);

/* acts.c */
struct contact *put_contact(struct desk *d, struct tx *tx, struct person *p,
                            int64_t now);
void act_fail(struct act *act, int code, const char *why);
void act_refuse(struct act *act, const struct err *e); /* with its field */
void act_finish(struct act *act, struct conv *c);
/* The conversation is closed: what the visitor said meanwhile and waits in its
 * lane begins a new one, in its order. */
void sends_move(struct desk *d, struct conv *c);
struct act *act_of_frame(enum act_kind kind, struct desk_peer *p,
                         struct frame *f, struct arena *a);

/* Puts what a query found into memory, if nobody else has meanwhile. */
struct conv *conv_from(struct desk *d, const struct query *q);
void send_in(struct desk *d, struct conv *c, struct act *act);

/* Where the visitor's words belong; a new one if none is open. */
struct conv *conv_of_person(struct desk *d, struct person *p);
/* Who shall hold it now, agent 0: who has room, or the queue; fills s->next. */
enum event_name choose_holder(struct desk *d, struct step *s, uint64_t agent,
                              uint64_t team);

/* screen.c: before a message is stored. True: the act waits there. */
bool screen_take(struct desk *d, struct conv *c, struct act *act);
/* What the hooks want beside the message: before it is written, the record;
 * then their notes, the record's event if it was not told yet, the trace. */
struct outcome;
struct outcome *screen_apply(struct desk *d, struct conv *c, struct act *act,
                             struct tx *tx, struct step *s);
void screen_end(struct outcome *o, struct event *message, bool told);
/* The conversation is closed: likewise what hooks have not let pass yet. */
void screens_move(struct desk *d, struct conv *c);
bool screen_changes(const struct act *act); /* it needs the lane */

/* recall.c */
void recall_begin(struct desk *d, struct conv *c, struct act *act);
/* On disk now; or not: ERR_CONFLICT is no failure, somebody was quicker. Each
 * answers the step's act. */
void recall_done(struct desk *d, struct conv *c, struct step *s, struct tx *tx,
                 struct event *ev);
void recall_failed(struct desk *d, struct conv *c, struct step *s,
                   struct tx *tx);

/* jobs.c */
void job_for_message(struct desk *d, struct conv *c, const struct event *ev,
                     struct slice text, struct slice kind);
void job_for_change(struct desk *d, struct conv *c, const struct event *ev,
                    const struct conversation *before, uint32_t depth);
void job_for_event(struct desk *d, struct conv *c, const struct event *ev,
                   uint32_t depth);
void jobs_start(struct desk *d, struct conv *c); /* at the start */
void jobs_go(struct desk *d, struct conv *c);    /* run the next, if any */
void job_retry(struct desk *d, struct conv *c, struct job *job);
void jobs_drop(struct desk *d, struct conv *c);
struct job *job_make(struct desk *d, struct conv *c, enum hook hook,
                     const struct event *ev);
void job_fill(struct desk *d, struct conv *c, struct job *job);
void job_queue(struct desk *d, struct conv *c, struct job *job);
void job_run(struct desk *d, struct conv *c, struct job *job); /* its turn */
void job_over(struct desk *d, struct conv *c, struct job *job);
bool job_wanted(struct desk *d, struct conv *c, struct job *probe);
void handled_flush(struct desk *d);

/* alarms.c */
void alarm_add(struct desk *d, const struct alarm *a);
/* letter: it is run again, NULL = for the first time */
void alarm_fire(struct desk *d, const struct alarm *a,
                const struct dead *letter);
void alarms_free(struct desk *d);
/* within.c: the house's own alarm of conv:assign { within = } is due. */
void within_due(struct desk *d, struct conv *c, const struct alarm *a);
struct job *job_free_new(struct desk *d, enum hook hook); /* of no conv */
void job_free_run(struct desk *d, struct job *job);
void job_for_house(struct desk *d, const struct event *ev); /* of no conv */

/* flows.c */
void flow_stored(struct desk *d, const struct flow *f);
void flow_took(struct desk *d, const struct flow *f);
void flow_wake(struct desk *d, struct flow_live *l, const char *why);
void flow_load(struct desk *d, struct conv *c, struct job *job);
void flow_fence(const struct conv *c, struct job *job);
struct flow_live *flow_waiting(struct conv *c); /* for a message, or NULL */
void flows_tell(struct desk *d, struct conv *c, const char *what);
void flows_attach(struct desk *d, struct conv *c);
void flows_detach(struct conv *c);
void flows_free(struct desk *d);
void flow_copy(struct arena *a, struct flow *to, const struct flow *from);

/* queue.c */
void queue_add(struct desk *d, struct conv *c);
void queue_remove(struct desk *d, struct conv *c);
void queue_drain(struct desk *d); /* gives what can be given */
uint32_t queue_position(const struct desk *d, const struct conv *c); /* 1.. */
/* Who shall have it: an agent with room, or NULL. team 0 = anybody. */
struct agent_live *queue_pick(struct desk *d, uint64_t team, struct slice how);
struct agent_live *queue_pick_but(struct desk *d, uint64_t team,
                                  struct slice how, uint64_t but);
void queue_tell(struct desk *d); /* positions, when they moved */
