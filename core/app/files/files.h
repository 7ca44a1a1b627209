/* SPDX-License-Identifier: Apache-2.0 */
/* files.h - files at the roof: who brings them, who may have them.
 *
 * The bytes lie in the files wing, what is known of them in the store; here
 * REST, links, scripts and both of those meet (docs/developer/files.md).
 *
 * Thread: main.
 */
#pragma once
#include "app/api/api.h"
#include "app/server.h"
#include "files/files.h"

struct script_ask;

/* --- keep.c: an upload becomes a file --- */
/* Who brings it; at most one of contact, agent, channel. */
struct bringer {
    uint64_t contact, agent, channel;
    uint64_t conv;   /* for this conversation, 0 = none said */
    uint64_t policy; /* channel whose rules count, 0 = the house's */
};
struct keep {
    struct server *s;
    struct arena *arena; /* the caller's; lives until done */
    struct upload *upload;
    struct bringer by;
    struct slice name, mime, sha256; /* as its sender says */
    int result;
    struct err err;
    struct file file;             /* stored, with its row */
    void (*done)(struct keep *k); /* on the loop, exactly once */
    void *owner;
    struct filed filed; /* keep.c's */
};
/* Takes k->upload. */
void keep_file(struct keep *k);
/* The longest file of a channel (0: the house's); 0 = none is taken. */
int64_t files_most(struct server *s, uint64_t channel);
/* "photo.jpg" of "C:\\x\\photo.jpg"; bounded, no control characters. */
struct slice file_plain_name(struct arena *a, struct slice name);

/* --- incoming.c: bodies that come in pieces --- */
bool files_streams(void *server, const struct http_req *r);
void files_incoming(struct server *s, struct http_req *r);

/* --- resume.c: uploads in chunks; routes_files is in rest.c --- */
struct resumable;
void resumable_stop(struct server *s); /* before the files wing closes */
void resumable_free(struct server *s); /* after it, the rest */
void resumable_beat(struct server *s); /* forgets what nobody goes on with */
/* A chunk of it by the caller; takes the call. */
void resumable_patch(struct call *c);
void resumable_create(struct call *c);
void resumable_get(struct call *c);
void resumable_delete(struct call *c);

/* --- outgoing.c --- */
void files_answer_get(struct server *s, struct http_req *r); /* /files/... */
/* "/files/fi_…?e=…&s=…", good for link_minutes; thumb adds &thumb=1. */
struct slice files_link(struct server *s, struct arena *a, uint64_t id,
                        bool thumb);
/* The same for the world: public_url in front; "" without one. */
struct slice files_public_link(struct server *s, struct arena *a, uint64_t id);

/* --- rest.c --- */
/* The file object with sha256, links and the rest. */
void files_write(struct server *s, struct arena *a, struct jsonw *w,
                 const struct file *f);
/* By a visitor's token, or as caller_find: then next. Replies 401 itself. */
void files_caller(struct call *c, void (*next)(struct call *c));
struct bringer files_bringer(const struct call *c);
/* The conversation (0 = none) is the caller's to see: then next, with its
 * channel in by->policy; else c->err. next comes later, never from inside. */
struct conv_check {
    struct call *c;
    struct bringer *by;
    void (*next)(struct conv_check *k, int result);
    void *owner;
};
void files_check_conversation(struct conv_check *k);

/* --- tidy.c: bytes that nothing names --- */
void tidy_beat(struct server *s);

/* --- scripts.c: take the ask --- */
void file_ask(struct server *s, struct script_ask *ask);
/* Is what was answered a platform's word, and no file? No success, or text and
 * JSON without a file's name (Content-Disposition). */
bool file_is_word(int status, struct slice headers);
void file_body_ask(struct server *s, struct script_ask *ask);
/* Files of a request, opened one after the other; the fds are the receiver's
 * unless result is an error (then none is open). */
#define FILES_OF_REQUEST 4
struct files_opened {
    struct server *s;
    const struct http_file *files;
    size_t count, now;
    int fds[FILES_OF_REQUEST];
    int64_t sizes[FILES_OF_REQUEST];
    struct file_open open;
    int result;
    void (*done)(struct files_opened *o);
    void *owner;
};
void files_open_all(struct files_opened *o);
/* An item on its way to an adapter gets its file's link. */
void files_dress_item(struct server *s, struct job *job);
