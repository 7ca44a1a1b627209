/* SPDX-License-Identifier: Apache-2.0 */
/* articles.c - articles and their passages, as rows and as answers.
 *
 * Happy path: a put replaces the article and all its passages in the same
 * transaction; a search asks FTS5 for any of the question's words and takes the
 * passages that BM25 likes best, a title's words counting three times. Failure:
 * the database's; a question without words finds nothing.
 */
#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"
#include "store/kb/kb.h"

#define ARTICLE_HEAD                                                           \
    "id, state, lang, title, tags, author, created_at, updated_at"
#define WORDS_BYTES (16 * LIMIT_ARTICLE_BYTES)
#define EXCERPT_BYTES 200

/* -- writes ------------------------------------------------------------- */

bool record_is_article(enum put_kind kind)
{
    return kind == PUT_ARTICLE || kind == DEL_ARTICLE;
}

static int drop_passages(struct db *db, uint64_t id)
{
    int r = stmt_run_id(db,
                        "DELETE FROM passage_words WHERE rowid IN "
                        "(SELECT id FROM passage WHERE article = $id)",
                        id);
    return r ? r
             : stmt_run_id(db, "DELETE FROM passage WHERE article = $id", id);
}

static int room_for(struct db *db, uint64_t id, struct err *e)
{
    struct stmt s;
    int r =
        stmt_open(db, "SELECT count(*) FROM article WHERE id <> $id", "id", &s);
    if (r == 0) {
        put_u64(&s, id);
        r = stmt_step(&s);
    }
    bool full = r == 1 && got_u64(&s, 0) >= LIMIT_ARTICLES;
    stmt_close(&s);
    return full ? err_set(e, ERR_TOOBIG, "there are %d articles already",
                          LIMIT_ARTICLES)
                : (r < 0 ? r : 0);
}

static int put_row(struct db *db, const struct article *a)
{
    struct stmt s;
    int r = stmt_open(
        db,
        "INSERT INTO article (" ARTICLE_HEAD ", body) VALUES ($id, $state, "
        "$lang, $title, $tags, $author, $created_at, $updated_at, $body) "
        "ON CONFLICT (id) DO UPDATE SET state = excluded.state, "
        "lang = excluded.lang, title = excluded.title, tags = excluded.tags, "
        "updated_at = excluded.updated_at, body = excluded.body",
        "id state lang title tags author created_at updated_at body", &s);
    if (r == 0) {
        put_u64(&s, a->id);
        put_i64(&s, a->published);
        put_text(&s, a->lang);
        put_text(&s, a->title);
        put_text(&s, a->tags);
        put_u64(&s, a->author);
        put_i64(&s, a->created_at);
        put_i64(&s, a->updated_at);
        put_text(&s, a->body);
        r = stmt_run(&s);
    }
    stmt_close(&s);
    return r;
}

static int put_passage(struct stmt *row, struct stmt *words,
                       const struct article *a, struct slice text,
                       struct slice title)
{
    struct buf out;
    uint64_t id = id_new();
    buf_init(&out, WORDS_BYTES);
    int r = kb_words(text, &out);
    put_u64(row, id);
    put_u64(row, a->id);
    put_text(row, text);
    r = r ? r : stmt_run(row);
    if (r == 0) {
        put_u64(words, id);
        put_text(words, title);
        put_text(words, buf_slice(&out));
        r = stmt_run(words);
    }
    buf_fini(&out);
    return r;
}

static int put_passages(struct db *db, const struct article *a)
{
    struct stmt row = {0}, words = {0};
    struct buf title;
    struct slice rest = a->body, text;
    buf_init(&title, WORDS_BYTES);
    int r = kb_words(a->title, &title);
    r = r ? r
          : stmt_open(db,
                      "INSERT INTO passage (id, article, text) VALUES "
                      "($id, $article, $text)",
                      "id article text", &row);
    r = r ? r
          : stmt_open(db,
                      "INSERT INTO passage_words (rowid, title, text) VALUES "
                      "($id, $title, $text)",
                      "id title text", &words);
    for (int n = 0; r == 0 && n < KB_PASSAGES && kb_passage(&rest, &text); n++)
        r = put_passage(&row, &words, a, text, buf_slice(&title));
    stmt_close(&row);
    stmt_close(&words);
    buf_fini(&title);
    return r;
}

int record_put_article(struct record_writer *w, const struct put *p,
                       struct err *e)
{
    struct db *db = w->db;
    bool put = p->kind == PUT_ARTICLE;
    uint64_t id = put ? p->article->id : p->id;
    int r = put ? room_for(db, id, e) : 0;
    if (r == ERR_TOOBIG)
        return r;
    r = r ? r : drop_passages(db, id);
    if (put) {
        r = r ? r : put_row(db, p->article);
        r = r || !p->article->published ? r : put_passages(db, p->article);
    } else {
        r = r ? r : stmt_run_id(db, "DELETE FROM article WHERE id = $id", id);
    }
    return r < 0 ? err_set(e, r, "%s", db->err.text) : 0;
}

/* -- reads -------------------------------------------------------------- */

static void read_head(struct stmt *s, struct arena *a, struct article *out)
{
    *out = (struct article){.id = got_u64(s, 0),
                            .published = got_i64(s, 1) != 0,
                            .lang = got_text(s, 2, a),
                            .title = got_text(s, 3, a),
                            .tags = got_text(s, 4, a),
                            .author = got_u64(s, 5),
                            .created_at = got_i64(s, 6),
                            .updated_at = got_i64(s, 7),
                            .body = got_text(s, 8, a)};
}

int find_article(struct reader *r, struct query *q)
{
    struct stmt *s;
    int got = reader_stmt(
        r, READ_ARTICLE,
        "SELECT " ARTICLE_HEAD ", body FROM article WHERE id = $id", "id", &s);
    if (got < 0)
        return got;
    put_u64(s, q->id);
    got = stmt_step(s);
    if (got <= 0)
        return got < 0 ? got : list_not_found(q, "article");
    q->article = arena_one(q->arena, struct article);
    read_head(s, q->arena, q->article);
    stmt_reset(s);
    return 0;
}

static void put_filters(struct stmt *s, const struct query *q)
{
    put_i64(s, q->state);
    put_text(s, q->identity.at ? q->identity : SLICE(""));
    put_text(s, q->text.at ? q->text : SLICE(""));
}

static void row(struct jsonw *w, struct stmt *s)
{
    struct article a;
    read_head(s, NULL, &a);
    article_write(w, &a, "excerpt");
}

int list_articles(struct reader *r, struct query *q)
{
    static const struct list_way way =
        LIST_WAY(READ_ARTICLES, READ_ARTICLES_COUNT,
                 ARTICLE_HEAD ", substr(body, 1, 60)",
                 "FROM article WHERE ($state < 0 OR state = $state) AND "
                 "($lang = '' OR lang = $lang) AND "
                 "($text = '' OR instr(lower(title), lower($text)) > 0 OR "
                 "instr(lower(body), lower($text)) > 0) ",
                 "state lang text", put_filters, row);
    return list_page(r, q, &way);
}

/* -- the search --------------------------------------------------------- */

static void write_found(struct jsonw *w, struct stmt *s)
{
    char id[ID_TEXT];
    jsonw_open(w, '{');
    jsonw_put_text(w, "article", id_text(id, ID_ARTICLE, got_u64(s, 0)));
    jsonw_put_text(w, "title", got_text(s, 1, NULL));
    jsonw_put_text(w, "text", got_text(s, 2, NULL));
    jsonw_put_text(w, "lang", got_text(s, 3, NULL));
    jsonw_put_raw(w, "tags", got_text(s, 4, NULL));
    jsonw_key(w, "score"); /* in billionths there: BM25, more is better */
    jsonw_real(w, (double)got_i64(s, 5) / 1000000000);
    jsonw_close(w, '}');
}

int search_passages(struct reader *r, struct query *q)
{
    struct stmt *s;
    struct buf words, out;
    buf_init(&words, WORDS_BYTES);
    int got = kb_question(q->text, &words);
    struct slice question = slice_dup(q->arena, buf_slice(&words));
    buf_fini(&words);
    q->json = SLICE("[]");
    if (got < 0 || !question.len)
        return got;
    got = reader_stmt(
        r, READ_PASSAGES,
        "SELECT p.article, a.title, p.text, a.lang, a.tags, "
        "CAST(round(-1000000000 * bm25(passage_words, 3.0, 1.0)) AS INTEGER) "
        "FROM passage_words JOIN passage p ON p.id = passage_words.rowid "
        "JOIN article a ON a.id = p.article "
        "WHERE passage_words MATCH $question "
        "AND ($lang = '' OR a.lang = $lang) AND ($tags = '[]' OR EXISTS "
        "(SELECT 1 FROM json_each(a.tags) has JOIN json_each($tags) want "
        "ON want.value = has.value)) "
        "ORDER BY bm25(passage_words, 3.0, 1.0), p.id LIMIT $limit",
        "question lang tags limit", &s);
    if (got < 0)
        return got;
    put_text(s, question);
    put_text(s, q->identity.at ? q->identity : SLICE(""));
    put_text(s, q->tags.len ? q->tags : SLICE("[]"));
    put_i64(s, q->limit && q->limit <= LIMIT_LIST ? q->limit : 5);
    buf_init(&out, READER_ANSWER_BYTES);
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '[');
    while (!w.failed && (got = stmt_step(s)) == 1) {
        write_found(&w, s);
        q->count++;
    }
    stmt_reset(s);
    q->total = q->count;
    return list_finish(q, &out, w.failed ? w.failed : got);
}
