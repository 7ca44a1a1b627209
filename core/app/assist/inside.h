/* SPDX-License-Identifier: Apache-2.0 */
/* inside.h - what the files of assist/ share; nobody else includes it.
 *
 * A *bot* is an assistant that is set up, with its places, breaker and purse.
 * An *asking* is one question, whoever asks: it goes from bot to bot until one
 * answers. A *run* is one call of a connector for it. An asking that is not
 * wanted any more is freed at once; its run goes on alone until the connector
 * returns, so that the place is taken as long as it is used, and what it cost
 * is counted.
 */
#pragma once
#include "app/assist/assist.h"
#include "base/breaker.h"
#include "base/json.h"

#define CHAIN_MOST 8    /* assistants one after the other */
#define TOOLS_MOST 32   /* of an assistant */
#define ROUNDS_MOST 5   /* of tools in one turn */
#define CONTEXT_MOST 20 /* messages */
#define CONTEXT_BYTES (24 * 1024)
#define MEMO_BYTES (48 * 1024)
#define AT_ONCE 16
#define PATIENCE_MS 20000 /* for a place */
#define FIRST_MS 15000
#define TOTAL_MS 60000
#define CONNECT_MS 5000
#define CONFIRM_MS 600000 /* a person's word */

struct bot {
    struct arena *arena; /* owned; rec and settings lie in it */
    struct assistant rec;
    /* settings */
    struct slice fallback[CHAIN_MOST], tools[TOOLS_MOST];
    size_t fallback_count, tool_count;
    struct slice prompt, language, tags[8];
    size_t tag_count;
    bool guard, summary;
    int64_t at_once, per_minute, turn_tokens, conversation_tokens, day_tokens;
    int64_t day_cost, conversation_cost, patience_ms, cache_ms;
    int64_t connect_ms, first_ms, total_ms; /* 0 = the connector's */
    /* of a million tokens, in millionths; budgets are in billionths */
    int64_t price_input, price_output, price_cached;
    struct slice currency;
    const struct json *confirm; /* tool -> "visitor", "agent"; may be NULL */
    int64_t confirm_ms;         /* a word is waited for */
};

/* The live side of a bot; outlives changes of its settings. */
struct desk_of_bot {
    struct assist *as;
    uint64_t id;
    struct bot *bot; /* NULL: deleted, but calls are under way */
    uint32_t under_way, waiting_count;
    struct list waiting; /* of struct asking */
    struct breaker breaker;
    int64_t tokens, filled_at; /* of the rate, in thousandths */
    struct timer timer;
    int64_t day; /* since 1970, of the purse */
    struct purse purse;
    bool purse_known, purse_asked;
    uint32_t generation;  /* of its kept answers */
    int64_t hits, misses; /* of them, since the start */
    char currency[16];    /* as it was told last; "" = as in its settings */
    char trouble[200];    /* what the operator must look at; "" = nothing */
    struct meter *state, *asked, *failed, *answered;
};

/* What is remembered of a conversation: what it cost, what connectors gave to
 * keep. One for all that goes on in it; stored as a whole. */
struct memo {
    uint64_t conv;
    uint32_t refs;
    bool known;
    struct list waiting; /* askings that need it */
    struct purse purse;
    struct slice states; /* own; JSON object by assistant's id */
};

enum asking_kind { ASKING_TURN, ASKING_CALL, ASKING_EMBED, ASKING_DRAFT };
enum asking_state {
    ASKING_NEW,
    ASKING_WAITS, /* for a place */
    ASKING_READS, /* its conversation */
    ASKING_RUNS,  /* a connector works */
    ASKING_RESTS  /* until the next try */
};

/* What the visitor said to a question of confirms.c. */
enum word { WORD_NONE, WORD_YES, WORD_NO, WORD_OTHER };

struct run;
struct asking {
    struct list link; /* of who waits, or of those with new text */
    struct assist *as;
    uint64_t id; /* the turn's, or its own */
    enum asking_kind kind;
    enum asking_state state;
    struct arena *arena;
    struct slice chain[CHAIN_MOST]; /* names */
    size_t chain_count, chain_at;
    uint32_t tries; /* of the one that is asked */
    uint64_t conv, contact;
    uint32_t upto_seq;
    struct memo *memo;
    struct run *run; /* NULL = none */
    struct timer timer;
    int64_t began_ms, until_ms; /* all of it, patience included */
    /* what is asked; made when its place is there */
    struct slice messages; /* JSON array, without the brackets */
    struct slice question; /* the visitor's last words */
    uint64_t question_id;
    uint32_t question_seq;
    struct slice extra;  /* likewise: what tools gave */
    struct slice wishes; /* CALL: the script's JSON object */
    bool plain;          /* they are a text and nothing else */
    bool has_context;
    bool early; /* read before there is a place: perhaps it is known */
    size_t message_count;
    struct draft *draft;
    /* what comes */
    struct buf text;
    size_t told;
    uint32_t index;
    struct script_ask *writing; /* answered when it went out; owned */
    struct slice calls, sources, handover, state_json, vectors;
    bool too_long, halted, cut; /* cut: it broke off in the middle */
    /* what became of it */
    struct purse spent;
    struct slice currency;
    struct slice answered_by;   /* name */
    struct slice class, detail; /* of the last failure */
    struct buf asked;           /* JSON array's inside: who, what came of it */
    struct slice hops;
    uint32_t rounds;
    size_t round_from;          /* of text, where this round's begins */
    const struct json *call_at; /* the tool that runs */
    struct slice prompt_version;
    bool hears;           /* something waits for a word: looked at first */
    uint32_t confirm_seq; /* of the question, 0 = not among the messages */
    enum word word;       /* what the visitor said to it */
    struct confirm *asks; /* the turn ends with this question */
    bool asks_zh;         /* in Chinese */
    uint64_t tells;       /* the confirmation that is among extra */
    bool cached;
    void (*done)(struct asking *k, bool well); /* frees it */
    void *owner;
};

/* One call of a connector. */
struct run {
    uint64_t number;
    struct assist *as;
    struct asking *asking; /* NULL: nobody wants it any more */
    struct desk_of_bot *of;
    struct memo *memo;
    uint32_t ticket;
    int64_t began_us;
    bool goes;  /* its job is on its way */
    bool heard; /* a word has come */
};

struct assist {
    struct server *server;
    struct map bots;  /* id -> struct desk_of_bot */
    struct map names; /* text -> struct desk_of_bot */
    struct kinds *kinds, *none;
    struct arena *faces_arena;
    struct json *faces;    /* what connectors and tools say */
    struct map askings;    /* id -> struct asking */
    struct map runs;       /* number -> struct run */
    struct map memos;      /* conv -> struct memo */
    struct cache *answers; /* answers.c; NULL until there are any */
    struct prompts *prompts;
    bool reads_prompts, prompts_again;
    struct list written;   /* askings with text that was not told */
    struct list summaries; /* under way, of struct summary */
    struct map
        confirms; /* id -> struct confirm_run: tools that were approved */
};

struct desk_of_bot *bot_of(const struct assist *as, struct slice name);
int64_t assist_now(const struct assist *as);
const struct json *face_of(const struct assist *as, struct slice type);
const struct json *tool_face(const struct assist *as, struct slice name);
bool duration_of(struct slice text, int64_t *ms); /* "500ms" "30s" "2h" */

/* asking.c */
struct asking *asking_new(struct assist *as, enum asking_kind kind,
                          uint64_t id);
void asking_chain(struct asking *k, struct slice first);
void asking_go(struct asking *k);
/* Not wanted any more: frees it, done does not come. */
void asking_drop(struct asking *k);
/* Ends with what there is. */
void asking_halt(struct asking *k, const char *why);
void asking_free(struct asking *k);
void asking_ready(struct asking *k); /* its context is there, or is not */
void asking_failed(struct asking *k, const char *class, struct slice detail,
                   int64_t again_ms);
void asking_start(struct asking *k);  /* in the loop's next turn */
void asking_known(struct asking *k);  /* its context was read early */
void asking_speaks(struct asking *k); /* the first word is there */
void bot_pump(struct desk_of_bot *b);
void bot_freed(struct desk_of_bot *b);  /* a place of it */
void bot_settle(struct desk_of_bot *b); /* frees it if it is over */

/* One line of the story; hops of a script's job, for the trace. */
void asking_note(struct asking *k, struct slice name, const char *class,
                 struct slice detail);
void asking_hops(struct asking *k, const struct job *job);
void asking_again(struct asking *k); /* the same one, with what tools gave */

/* answers.c */
bool answers_find(struct asking *k); /* true: its text is there */
/* The same before it is one of the askings; a miss is not counted. */
bool answers_known(struct asking *k, uint64_t channel);
void answers_keep(struct asking *k);
/* Of a question, or "" = all of it; how many. */
size_t answers_forget(struct assist *as, struct desk_of_bot *b,
                      struct slice question);

/* drafts.c */
bool draft_tell(struct asking *k, uint32_t index, struct slice text);

/* tools.c */
void tools_begin(struct asking *k);
/* A call and what it gave, for the next round; not more than fits. */
void tools_tell(struct asking *k, struct slice call, struct slice result);
bool tools_offered(const struct asking *k, struct slice bot, struct slice name);
/* A job for the tool: done and owner as of any; key: what makes a second run
 * of it harmless. Not started. */
struct job *tools_job(struct asking *k, struct slice bot,
                      const struct json *call, struct slice key,
                      void (*done)(struct job *), void *owner);
/* What the job gave, in words for the model; *class for the story. */
struct slice tools_result(const struct job *job, const char **class);

/* confirms.c */
/* The tool's or the assistant's rule, the stricter one: "" "visitor" "agent" */
const char *confirm_by(const struct asking *k, const struct json *face);
/* NULL: the turn has ended with the question, k is gone. Else why not. */
const char *confirm_ask(struct asking *k, const struct json *face,
                        const struct json *call, const char *by);
/* While its context is read: one more message. */
void confirm_listen(struct asking *k, const struct event *ev,
                    struct slice said);
void confirm_heard(struct asking *k); /* its context is there */
void confirms_free(struct assist *as);

/* run.c */
void run_start(struct asking *k, struct desk_of_bot *b);
void run_go(struct asking *k);
void run_leave(struct asking *k); /* its run goes on alone */
void run_late(struct asking *k);  /* likewise: it took too long */
struct job *run_job(struct assist *as, enum hook h, const struct bot *bot,
                    void (*done)(struct job *), void *owner);

/* context.c */
void context_read(struct asking *k);
/* The whole turn as JSON, for a connector. */
struct slice context_turn(struct asking *k, const struct bot *bot,
                          struct arena *a);
struct slice context_more(struct asking *k, const struct bot *bot,
                          struct arena *a);

/* summary.c */
void summaries_free(struct assist *as);

/* purse.c */
#define ASSIST_SPACE "assist" /* of what is remembered, in kv */
struct memo *memo_get(struct assist *as, uint64_t conv); /* one ref */
void memo_unref(struct assist *as, struct memo *m);
void memo_wait(struct memo *m, struct asking *k);
struct slice memo_state(const struct memo *m, uint64_t bot, struct arena *a);
void memo_keep(struct memo *m, uint64_t bot, struct slice state);
/* The rows as they are now: those of the conversation and of the day. */
size_t purse_rows(struct assist *as, struct memo *m, struct desk_of_bot *b,
                  struct arena *a, struct kv out[2]);
void purse_read(struct desk_of_bot *b);
/* NULL, or which budget is used up. */
const char *purse_empty(struct desk_of_bot *b, const struct memo *m);
struct purse purse_of(const struct bot *bot, const struct json *usage);
void purse_add(struct purse *to, const struct purse *more);
/* What the provider counts in; "" changes nothing. */
void purse_currency(struct desk_of_bot *b, struct slice told);

/* write.c */
void asking_text(struct asking *k, struct script_ask *ask); /* takes */
void write_answer(struct asking *k, int result);
void write_forget(struct asking *k);
