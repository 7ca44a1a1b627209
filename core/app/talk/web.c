/* SPDX-License-Identifier: Apache-2.0 */
/* web.c - a small server for talks.
 *
 * Happy path: net on a loop of its own; the story's words come as mail, are
 * done there, and come back. Failure: a call nobody has foreseen is answered
 * 404 with a sentence, and remembered like any other.
 */
#include "app/talk/web.h"
#include "loop/mailbox.h"
#include "net/net.h"

#define ANSWER_MAX (1024 * 1024)

struct saying { /* what it answers */
    struct saying *next;
    struct slice method, path, body;
    int status;
};
struct asked {
    struct asked *next;
    struct slice method, path, query, body;
    bool taken;
};
struct web {
    struct loop *loop;
    struct net *net;
    struct thread *thread;
    struct mailbox *back;
    struct arena *arena;    /* the thread's */
    struct saying *sayings; /* newest first */
    struct asked *first, *last;
    bool down;
    int port;
};

/* A word of the story, done on the web's thread while its own waits. */
struct word {
    struct mail mail;
    struct web *web;
    void (*run)(struct word *w);
    struct slice method, path, body;
    int status;
    bool flag;
    struct arena *arena; /* for the answer */
    struct slice out;
};

/* --- on its thread -------------------------------------------------------- */

static bool path_fits(struct slice pattern, struct slice path)
{
    if (pattern.len && pattern.at[pattern.len - 1] == '*') {
        pattern.len--;
        return path.len >= pattern.len &&
               memcmp(path.at, pattern.at, pattern.len) == 0;
    }
    return slice_eq(pattern, path);
}

static void remember(struct web *w, const struct http_req *r)
{
    struct asked *a = arena_one(w->arena, struct asked);
    a->method = slice_dup(w->arena, r->method);
    a->path = slice_dup(w->arena, r->path);
    a->query = slice_dup(w->arena, r->query);
    a->body = slice_dup(w->arena, r->body);
    if (w->last)
        w->last->next = a;
    else
        w->first = a;
    w->last = a;
}

static void on_request(void *arg, struct http_req *r)
{
    struct web *w = arg;
    remember(w, r);
    if (w->down) {
        http_reply(r, 503, SLICE("text/plain"), SLICE(""), SLICE("down\n"));
        return;
    }
    for (const struct saying *s = w->sayings; s; s = s->next) {
        if (!slice_eq(s->method, r->method) || !path_fits(s->path, r->path))
            continue;
        http_reply(r, s->status, SLICE("application/json"), SLICE(""), s->body);
        return;
    }
    http_reply(r, 404, SLICE("text/plain"), SLICE(""),
               SLICE("the talk does not say what to answer here\n"));
}

static void do_answer(struct word *word)
{
    struct web *w = word->web;
    struct saying *s = arena_one(w->arena, struct saying);
    s->method = slice_dup(w->arena, word->method);
    s->path = slice_dup(w->arena, word->path);
    s->body = slice_dup(w->arena, word->body);
    s->status = word->status;
    s->next = w->sayings;
    w->sayings = s;
}

static void do_down(struct word *word)
{
    word->web->down = word->flag;
}

static void do_take(struct word *word)
{
    word->flag = false;
    for (struct asked *a = word->web->first; a; a = a->next) {
        if (a->taken ||
            (word->method.len && !slice_eq(word->method, a->method)) ||
            !path_fits(word->path, a->path))
            continue;
        a->taken = word->flag = true;
        word->out = slice_dup(word->arena, a->body);
        return;
    }
}

static void do_rest(struct word *word)
{
    struct buf out;
    buf_init(&out, ANSWER_MAX);
    for (const struct asked *a = word->web->first; a; a = a->next)
        if (!a->taken)
            (void)buf_addf(&out, "%.*s %.*s %.*s\n", SLICE_FMT(a->method),
                           SLICE_FMT(a->path), SLICE_FMT(a->body));
    word->out = slice_dup(word->arena, buf_slice(&out));
    buf_fini(&out);
}

static void on_word(struct mail *m)
{
    struct word *word = container_of(m, struct word, mail);
    word->run(word);
    mailbox_push(word->web->back, &word->mail);
}

static void run(void *arg)
{
    struct web *w = arg;
    loop_run(w->loop);
}

/* --- on the story's ------------------------------------------------------- */

static void say(struct web *w, struct word *word)
{
    word->web = w;
    word->mail.run = on_word;
    loop_post(w->loop, &word->mail);
    while (!mailbox_wait(w->back, -1))
        ;
}

int web_open(struct err *e, struct web **out)
{
    struct web *w = mem_alloc(sizeof *w);
    *out = NULL;
    w->arena = arena_new();
    w->back = mailbox_new(NULL, NULL);
    int r = loop_new("web", &w->loop);
    struct net_conf conf = {.loop = w->loop,
                            .listen = "127.0.0.1:0",
                            .web_dir = "/nowhere",
                            .body_bytes = 32 * 1024 * 1024,
                            .all_paths = true,
                            .arg = w,
                            .on_request = on_request};
    r = r ? r : net_open(&conf, e, &w->net);
    if (r) {
        if (w->loop)
            loop_free(w->loop);
        mailbox_free(w->back);
        arena_free(w->arena);
        mem_free(w);
        return r;
    }
    w->port = net_port(w->net);
    must(thread_start("web", run, w, &w->thread) == 0);
    *out = w;
    return 0;
}

void web_close(struct web *w)
{
    if (!w)
        return;
    loop_stop(w->loop);
    thread_join(w->thread);
    net_close(w->net);
    loop_free(w->loop);
    mailbox_free(w->back);
    arena_free(w->arena);
    mem_free(w);
}

int web_port(const struct web *w)
{
    return w->port;
}

void web_answer(struct web *w, struct slice method, struct slice path,
                int status, struct slice body)
{
    struct word word = {.run = do_answer,
                        .method = method,
                        .path = path,
                        .status = status,
                        .body = body};
    say(w, &word);
}

void web_set_down(struct web *w, bool down)
{
    struct word word = {.run = do_down, .flag = down};
    say(w, &word);
}

bool web_take(struct web *w, struct slice method, struct slice path,
              struct arena *a, struct slice *body)
{
    struct word word = {
        .run = do_take, .method = method, .path = path, .arena = a};
    say(w, &word);
    *body = word.out;
    return word.flag;
}

struct slice web_rest(struct web *w, struct arena *a)
{
    struct word word = {.run = do_rest, .arena = a};
    say(w, &word);
    return word.out;
}
