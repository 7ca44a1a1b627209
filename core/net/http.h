/* SPDX-License-Identifier: Apache-2.0 */
/* http.h - requests and answers of HTTP/1.1 without I/O.
 *
 * Why: bytes go in, a request comes out; whatever connects the two can be a
 * socket, a test or a fuzzer. The head is collected whole before http-parser
 * sees it, so that its lines can be judged by our own rules first: Debian
 * builds http-parser without its strict mode, which lets blanks into header
 * names and folds lines - both roads to request smuggling.
 *
 * Thread: the caller's.   Owns: the request being read, until http_take.
 * States: HEAD -> BODY -> DONE, or REFUSED from any of them
 */
#pragma once
#include "net/net.h"

struct http_reader;

enum http_step {
    HTTP_NEEDS_MORE, /* wants more bytes */
    HTTP_HAS_HEAD, /* the head is read, a body follows: in->expect may be set */
    HTTP_IS_WHOLE, /* a whole request: http_take it */
    HTTP_IS_REFUSED /* in->status and in->why say it; then the end */
};

/* A request as read. It lies in its own arena, which is req.arena. */
struct http_in {
    struct http_req req;
    struct buf body;     /* req.body lies here once it is whole */
    struct slice target; /* as sent */
    struct slice host;   /* Host header, or the authority of absolute-form */
    bool minor;          /* HTTP/1.1 rather than 1.0 */
    bool keep_alive;
    bool upgrade; /* asks for websocket */
    bool expect;  /* waits for 100 Continue */
    bool has_body;
    int status;      /* when refused: 400, 413, ... */
    const char *why; /* a sentence for people */
    void *owner;     /* the exchange (serve.c) */
};

struct http_reader *http_reader_new(size_t body_max);
/* Bodies of requests that streams(arg, r) takes have no maximum here: whoever
 * reads empties in->body after each http_read. */
void http_reader_streams(struct http_reader *r,
                         bool (*streams)(void *arg, const struct http_req *r),
                         void *arg);
void http_reader_free(struct http_reader *r);
/* Reads on. *used bytes are the reader's afterwards; the rest must be given
 * again, in front of what comes later (a head must come in one piece). */
enum http_step http_read(struct http_reader *r, struct slice data,
                         size_t *used);
/* What is being read; NULL before the head is whole. After HTTP_IS_REFUSED it is
 * never NULL. Borrowed. */
struct http_in *http_now(struct http_reader *r);
/* Takes the request after HTTP_IS_WHOLE or HTTP_IS_REFUSED and starts afresh. */
struct http_in *http_take(struct http_reader *r);
void http_in_free(struct http_in *in); /* NULL is fine */

struct slice http_find(const struct http_header *h, size_t n,
                       const char *name); /* first; .at NULL if absent */
/* Does a comma-separated header value hold this word (ASCII, no case)? */
bool http_has_word(struct slice list, const char *word);
/* Percent-decodes and normalises a path into out (room for in.len + 1 bytes):
 * one leading slash, no empty or "." segments. false: bad escape, control
 * character, "..", not UTF-8. */
bool http_path(struct slice in, char *out, size_t *len);
/* Decodes %XX and (in queries) +; -1 for a bad escape. */
int http_decode(struct slice in, bool plus, char *out, size_t *len);

/* An answer's head. length < 0: no Content-Length (1xx, 204, 304). */
struct http_answer {
    int status;
    struct slice type;    /* "" = no Content-Type */
    struct slice headers; /* "Name: value\r\n" lines */
    int64_t length;
    bool keep_alive;
    int64_t date_ms; /* wall clock, for Date */
};
int http_write_head(struct buf *out, const struct http_answer *a);
/* {"error":{"code":…,"message":…}} for a status of ours. */
int http_write_error(struct buf *out, int status, const char *message);
const char *http_reason(int status); /* "Not Found" */
