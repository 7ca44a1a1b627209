/* SPDX-License-Identifier: Apache-2.0 */
/* articles.c - what the house knows, written by people.
 *
 * Happy path: an article is stored whole; one that is published is found by
 * kb.search, with what was changed. Failure: the store's sentence.
 */
#include "app/api/api.h"
#include "base/clock.h"
#include "base/limits.h"

static void reply_article(struct call *c, const struct article *a, int status)
{
    article_write(reply_begin(c), a, "body");
    reply_send(c, status);
}

static void with_article(struct call *c, void (*done)(struct query *q))
{
    uint64_t id;
    if (!call_id(c, 0, ID_ARTICLE, "article", &id)) {
        return;
    }
    struct query *q = query_new(QUERY_ARTICLE, done, c);
    q->id = id;
    server_read(c->s, q);
}

static bool missing(struct call *c, struct query *q)
{
    if (q->result == 0 && q->article) {
        return false;
    }
    struct err e = q->err;
    e.code = q->result ? q->result : ERR_NOT_FOUND;
    query_free(q);
    reply_error(c, &e);
    return true;
}

/* --- reading --- */

static void on_one(struct query *q)
{
    struct call *c = q->owner;
    if (!missing(c, q)) {
        reply_article(c, q->article, 200);
        query_free(q);
    }
}

static void get(struct call *c)
{
    with_article(c, on_one);
}

static void list(struct call *c)
{
    struct page p;
    struct slice state, text;
    if (!page_read(c, &p)) {
        return;
    }
    int wanted = -1;
    if (http_query(c->r, "state", &state) && state.len) {
        wanted = slice_is(state, "published") ? 1
                 : slice_is(state, "draft")   ? 0
                                              : -2;
    }
    if (wanted == -2) {
        reply_fail(c, ERR_BAD_REQUEST, "state",
                   "state must be draft or published");
        return;
    }
    struct query *q = query_new(QUERY_ARTICLES, reply_page, c);
    q->state = wanted;
    q->limit = p.limit;
    q->offset = p.offset;
    if (http_query(c->r, "lang", &text)) {
        q->identity = slice_dup(q->arena, text);
    }
    if (http_query(c->r, "q", &text)) {
        q->text = slice_dup(q->arena, text);
    }
    server_read(c->s, q);
}

static void search(struct call *c)
{
    struct page p;
    struct slice text;
    if (!page_read(c, &p)) {
        return;
    }
    struct query *q = query_new(QUERY_KB, reply_page, c);
    q->limit = p.limit;
    if (http_query(c->r, "lang", &text)) {
        q->identity = slice_dup(q->arena, text);
    }
    if (http_query(c->r, "q", &text)) {
        q->text = slice_dup(q->arena, text);
    }
    server_read(c->s, q);
}

/* --- writing --- */

static struct slice given(struct call *c, struct arena *a, const char *name,
                          struct slice was)
{
    return slice_dup(a, body_get(c, name) ? body_text(c, name) : was);
}

static void save(struct call *c, const struct article *was, int status)
{
    struct tx *tx = tx_new(NULL, c);
    struct arena *a = tx->arena;
    char id[ID_TEXT];
    struct article *row = arena_one(a, struct article);
    *row = *was;
    row->title = given(c, a, "title", was->title);
    row->body = given(c, a, "body", was->body);
    row->lang = given(c, a, "lang", was->lang);
    row->tags = slice_dup(a, body_json(c, "tags", was->tags));
    if (body_get(c, "state")) {
        row->published = slice_is(body_text(c, "state"), "published");
    }
    row->updated_at = clock_ms();
    tx_put(tx, PUT_ARTICLE)->article = row;
    audit_put(c, tx, status == 201 ? "article.create" : "article.change",
              id_text(id, ID_ARTICLE, row->id), SLICE("{}"));
    article_write(reply_begin(c), row, "body");
    reply_commit(c, tx, status, NULL);
}

static void post(struct call *c)
{
    int64_t now = clock_ms();
    struct article a = {.id = id_new(),
                        .title = SLICE(""),
                        .body = SLICE(""),
                        .lang = SLICE(""),
                        .tags = SLICE("[]"),
                        .author = c->who.agent,
                        .created_at = now};
    save(c, &a, 201);
}

static void on_change(struct query *q)
{
    struct call *c = q->owner;
    if (!missing(c, q)) {
        save(c, q->article, 200);
        query_free(q);
    }
}

static void patch(struct call *c)
{
    with_article(c, on_change);
}

static void on_drop(struct query *q)
{
    struct call *c = q->owner;
    if (missing(c, q)) {
        return;
    }
    char id[ID_TEXT];
    struct tx *tx = tx_new(NULL, c);
    tx_put(tx, DEL_ARTICLE)->id = q->article->id;
    audit_put(c, tx, "article.delete", id_text(id, ID_ARTICLE, q->article->id),
              SLICE("{}"));
    query_free(q);
    reply_commit(c, tx, 204, NULL);
}

static void del(struct call *c)
{
    with_article(c, on_drop);
}

/* --- tables --- */

static const struct field article_in[] = {
    {.name = "title",
     .type = FIELD_TEXT,
     .required = true,
     .least = 1,
     .most = LIMIT_NAME_BYTES},
    {.name = "body",
     .type = FIELD_TEXT,
     .most = LIMIT_ARTICLE_BYTES,
     .help = "Markdown"},
    {.name = "lang", .type = FIELD_TEXT, .most = 20, .help = "zh-CN, en"},
    {.name = "tags", .type = FIELD_TEXTS, .most = LIMIT_TAGS},
    {.name = "state",
     .type = FIELD_TEXT,
     .choices = "draft|published",
     .help = "draft at first; only published ones are found"},
    {0}};
static const struct field article_out[] = {
    {.name = "id", .type = FIELD_TEXT},
    {.name = "title", .type = FIELD_TEXT},
    {.name = "lang", .type = FIELD_TEXT},
    {.name = "tags", .type = FIELD_TEXTS},
    {.name = "state", .type = FIELD_TEXT, .choices = "draft|published"},
    {.name = "author", .type = FIELD_TEXT},
    {.name = "created_at", .type = FIELD_INT},
    {.name = "updated_at", .type = FIELD_INT},
    {.name = "body", .type = FIELD_TEXT},
    {.name = "excerpt", .type = FIELD_TEXT, .help = "in lists, for the body"},
    {0}};
const struct shape shape_article = {"Article", article_out};
static const struct field passage_out[] = {
    {.name = "article", .type = FIELD_TEXT},
    {.name = "title", .type = FIELD_TEXT},
    {.name = "text", .type = FIELD_TEXT},
    {.name = "lang", .type = FIELD_TEXT},
    {.name = "tags", .type = FIELD_TEXTS},
    {.name = "score", .type = FIELD_ANY, .help = "BM25; more is better"},
    {0}};
const struct shape shape_passage = {"Passage", passage_out};
#define ARTICLES "/api/v1/articles"
const struct route routes_articles[] = {
    {"GET", ARTICLES, list, ACCESS_AGENT, "articles", ROUTE_LIST, 200, NULL,
     &shape_article, "List articles, newest first", "q state lang", NULL},
    {"POST", ARTICLES, post, ACCESS_SUPERVISOR, "articles", ROUTE_CREATES, 201,
     article_in, &shape_article, "Write an article", NULL, NULL},
    {"GET", ARTICLES "/search", search, ACCESS_AGENT, "articles", ROUTE_LIST,
     200, NULL, &shape_passage, "Passages that fit a question, best first",
     "q lang", NULL},
    {"GET", ARTICLES "/{id}", get, ACCESS_AGENT, "articles", 0, 200, NULL,
     &shape_article, "One article", NULL, NULL},
    {"PATCH", ARTICLES "/{id}", patch, ACCESS_SUPERVISOR, "articles", 0, 200,
     article_in, &shape_article, "Change an article", NULL, NULL},
    {"DELETE", ARTICLES "/{id}", del, ACCESS_SUPERVISOR, "articles", 0, 204,
     NULL, NULL, "Delete an article", NULL, NULL},
    {0}};
