/* SPDX-License-Identifier: Apache-2.0 */
/* fakes.h - what the files of made-up servers and models share.
 *
 *   fakes     life, answers now, later or by a function; models
 *   http      which fake a call meets; streams
 *   fixtures  answers kept in a file beside the test; recording them
 */
#pragma once
#include "app/testing/people.h"

struct fake {
    struct fake *next;
    struct slice method, url; /* url may have stars */
    struct json *answer;      /* or */
    int64_t function;         /* number of a function of the test's */
    int64_t times;            /* turns left, -1 = no end */
    int64_t delay_ms;
    bool is_fixture; /* url is compared as it was written down */
};
struct pending { /* an ask that is answered later */
    struct list link;
    struct fakes *fakes;
    struct script_ask *ask; /* NULL: answered */
    uint64_t id;
    int64_t due;
    struct json *answer;
};
struct http_made { /* a call that was made */
    struct http_made *next;
    struct slice json;
};
struct model_call {
    struct model_call *next;
    struct slice assistant, turn;
};
struct stream {
    struct stream *next;
    uint64_t ticket;
    struct json *at;  /* the next piece */
    int64_t repeated; /* times it came already */
    bool is_sse;
    struct slice whole;
};
struct file_made {
    struct file_made *next;
    uint64_t id;
    struct slice body;
};
struct recording;
struct fakes {
    struct file_made *files;
    struct stage *stage;
    struct arena *arena; /* of all below */
    struct fake *http, *models, *kb;
    struct list late, called; /* of struct pending */
    struct http_made *calls, *calls_last;
    struct model_call *model_calls; /* newest first */
    struct stream *streams;
    uint64_t last_id;
    struct slice trouble; /* JSON, "" = none */
    struct recording *recording;
};

struct slice fakes_json(struct arena *a, const struct json *j);
void fakes_fail(struct fakes *f, const char *message, struct slice actual,
                const char *expected);
struct fake *fake_of(struct fakes *f, const struct json *in);
/* The answer is { fails = code, detail = }: told to who asks. */
bool fakes_failed(struct script_ask *ask, const struct json *answer);
void fakes_play(struct fakes *f, struct script_ask *ask, struct fake *fake,
                struct slice argument);
void fakes_answer(struct fakes *f, struct script_ask *ask,
                  const struct json *answer);
void fakes_give(struct fakes *f, struct script_ask *ask); /* takes */

/* --- fakes_turn.c --- */
void fakes_ask(void *stage, const struct turn *t); /* the desk's port */
bool fakes_is_turn(const struct script_ask *ask);
void fakes_turn_given(struct fakes *f, struct script_ask *ask); /* takes */

/* --- fakes_http.c --- */
void fake_http(struct fakes *f, struct script_ask *ask);
void fake_stream(struct fakes *f, struct script_ask *ask,
                 const struct json *answer);
void fake_stream_take(struct fakes *f, struct script_ask *ask);
/* The request as a JSON object: method url path query headers body json. */
struct slice fake_request(struct arena *a, const struct http_call *c);
int step_http_on(struct stage *st, const struct json *in, struct jsonw *out,
                 struct err *e);
int step_http_calls(struct stage *st, const struct json *in, struct jsonw *out,
                    struct err *e);

/* --- fakes_file.c: what adapters bring is remembered by its id --- */
void fake_file(struct fakes *f, struct script_ask *ask); /* takes */
void fake_file_keep(struct fakes *f, struct script_ask *ask);
/* The body with its files in it. */
struct slice fake_file_body(struct fakes *f, struct arena *a,
                            const struct http_call *c);

/* --- fakes_post.c --- */
void fake_post(struct fakes *f, struct script_ask *ask);
void fake_post_answer(struct script_ask *ask, const struct json *answer);

/* --- fixtures.c --- */
int step_http_fixtures(struct stage *st, const struct json *in,
                       struct jsonw *out, struct err *e);
/* One as it is: what a test reads itself. */
int step_fixture(struct stage *st, const struct json *in, struct jsonw *out,
                 struct err *e);
/* The URL without what is secret in it, as fixtures have it. */
struct slice fixture_url(struct stage *st, struct arena *a, struct slice url);
/* Makes the call for real, when --record was said and fixtures are on. */
bool record_take(struct fakes *f, struct script_ask *ask);
void record_end(struct fakes *f);
