/* SPDX-License-Identifier: Apache-2.0 */
/* lists.c - conversations, contacts, agents, key-values: found and listed.
 *
 * Happy path: one statement with every filter in it, a filter that is not
 * wanted being true for all rows; the page is written as JSON, the total is
 * counted by the same conditions.
 *
 * Failure modes: nothing found is ERR_NOT_FOUND for one thing and an empty
 * list for many. A search text is looked for as it is: % and _ in it are
 * escaped. A page larger than READER_ANSWER_BYTES is ERR_TOOBIG.
 */
#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"
#include "store/reader.h"
#include "store/record.h"

#define PATTERN_BYTES (2 * LIMIT_NAME_BYTES + 2)

int list_not_found(struct query *q, const char *what)
{
    return err_set(&q->err, ERR_NOT_FOUND, "there is no such %s", what);
}

void list_clamp(struct query *q)
{
    if (q->limit == 0)
        q->limit = LIMIT_LIST_DEFAULT;
    if (q->limit > LIMIT_LIST)
        q->limit = LIMIT_LIST;
}

/* %text% with what LIKE takes for signs escaped. */
static struct slice like_pattern(struct query *q)
{
    size_t len =
        q->text.len < LIMIT_NAME_BYTES ? q->text.len : LIMIT_NAME_BYTES;
    char *at = arena_text(q->arena, PATTERN_BYTES), *end = at;
    *end++ = '%';
    for (size_t i = 0; i < len; i++) {
        char c = q->text.at[i];
        if (c == '%' || c == '_' || c == '\\')
            *end++ = '\\';
        *end++ = c;
    }
    *end++ = '%';
    return (struct slice){at, (size_t)(end - at)};
}

/* -- conversations ------------------------------------------------------ */

/* $sees: 1 = all; else what an agent sees. $teams: ",12,34,". */
#define LIST_WHERE                                                             \
    "WHERE ($state < 0 OR c.state = $state) "                                  \
    "AND ($by_assignee = 0 OR c.assignee = $assignee) "                        \
    "AND ($team = 0 OR c.team = $team) "                                       \
    "AND ($contact = 0 OR c.contact = $contact) "                              \
    "AND ($channel = 0 OR c.channel = $channel) "                              \
    "AND ($sees = 1 OR (c.state <> 0 AND (c.assignee = $viewer OR "            \
    "(c.team <> 0 AND $teams LIKE '%,' || c.team || ',%') OR "                 \
    "(c.team = 0 AND c.state = 1)))) "                                         \
    "AND ($text = '' OR ct.name LIKE $text ESCAPE '\\' OR "                    \
    "p.preview LIKE $text ESCAPE '\\') "
#define LIST_NAMES                                                             \
    "state by_assignee assignee team contact channel sees viewer teams text"
#define LIST_SELECT                                                            \
    "SELECT " CONVERSATION_COLUMNS " FROM " CONVERSATION_TABLES LIST_WHERE
#define LIST_PAGE " LIMIT $limit OFFSET $offset"

static struct slice team_list(struct query *q)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    int r = buf_add_char(&b, ',');
    for (size_t i = 0; i < q->viewer.team_count && r == 0; i++)
        r = buf_addf(&b, "%lld,", (long long)q->viewer.teams[i]);
    struct slice list = slice_dup(q->arena, buf_slice(&b));
    buf_fini(&b);
    return list;
}

static void put_filters(struct stmt *s, struct query *q)
{
    const struct viewer *v = &q->viewer;
    bool all = v->role != ROLE_AGENT || v->agent_role != AGENT_ROLE_AGENT;
    put_i64(s, q->state);
    put_i64(s, q->by_assignee);
    put_u64(s, q->assignee);
    put_u64(s, q->team);
    put_u64(s, v->role == ROLE_VISITOR ? v->id : q->id);
    put_u64(s, q->channel);
    put_i64(s, all);
    put_u64(s, v->id);
    put_text(s, all ? SLICE("") : team_list(q));
    put_text(s, q->text.len ? like_pattern(q) : SLICE(""));
}

static int open_list(struct reader *r, struct query *q, struct stmt **s)
{
    if (q->waiting_first)
        return reader_stmt(r, READ_LIST_WAITING,
                           LIST_SELECT
                           "ORDER BY p.waiting_since_at = 0, c.priority DESC, "
                           "p.waiting_since_at, c.id" LIST_PAGE,
                           LIST_NAMES " limit offset", s);
    if (q->newest_first)
        return reader_stmt(r, READ_LIST_RECENT,
                           LIST_SELECT
                           "ORDER BY p.last_pos DESC, c.id DESC" LIST_PAGE,
                           LIST_NAMES " limit offset", s);
    return reader_stmt(r, READ_LIST_OLDEST,
                       LIST_SELECT "ORDER BY c.id" LIST_PAGE,
                       LIST_NAMES " limit offset", s);
}

static int count_list(struct reader *r, struct query *q)
{
    struct stmt *s;
    int got =
        reader_stmt(r, READ_LIST_COUNT,
                    "SELECT count(*) FROM conversation c "
                    "LEFT JOIN progress p ON p.conv = c.id "
                    "LEFT JOIN contact ct ON ct.id = c.contact " LIST_WHERE,
                    LIST_NAMES, &s);
    if (got < 0)
        return got;
    put_filters(s, q);
    got = stmt_step(s);
    if (got == 1)
        q->total = got_u64(s, 0);
    stmt_reset(s);
    return got < 0 ? got : 0;
}

/* The page's end: "]" and the answer, or the error. */
int list_finish(struct query *q, struct buf *out, int r)
{
    if (r == 0)
        r = buf_add_char(out, ']');
    if (r == 0)
        q->json = slice_dup(q->arena, buf_slice(out));
    q->more = (uint64_t)q->offset + q->count < q->total;
    buf_fini(out);
    return r;
}

int list_rows(struct query *q, struct stmt *s,
              void (*row)(struct jsonw *w, struct stmt *s))
{
    struct buf out;
    int got = 0;
    buf_init(&out, READER_ANSWER_BYTES);
    int r = buf_add_char(&out, '[');
    while (r == 0 && (got = stmt_step(s)) == 1) {
        struct jsonw w = jsonw_on(&out);
        if (q->count++)
            r = buf_add_char(&out, ',');
        if (r == 0) {
            row(&w, s);
            r = w.failed;
        }
    }
    stmt_reset(s);
    return list_finish(q, &out, r < 0 ? r : got);
}

static void put_nothing(struct stmt *s, const struct query *q)
{
}

int list_page(struct reader *r, struct query *q, const struct list_way *way)
{
    struct stmt *s;
    void (*put)(struct stmt *, const struct query *) =
        way->put ? way->put : put_nothing;
    list_clamp(q);
    int got = reader_stmt(r, way->count, way->count_sql, way->names, &s);
    if (got < 0)
        return got;
    put(s, q);
    got = stmt_step(s);
    if (got == 1)
        q->total = got_u64(s, 0);
    stmt_reset(s);
    if (got >= 0)
        got = reader_stmt(r, way->page, way->page_sql,
                          way->page_names + !way->names[0], &s);
    if (got < 0)
        return got;
    put(s, q);
    put_i64(s, q->limit);
    put_i64(s, q->offset);
    return list_rows(q, s, way->row);
}

static void set_window(const struct query *q, struct conversation *c)
{
    for (size_t i = 0; i < q->window_count; i++)
        if (q->windows[i].channel == c->channel)
            c->window = q->windows[i].window;
}

int list_conversations(struct reader *r, struct query *q)
{
    struct stmt *s;
    list_clamp(q);
    int got = count_list(r, q);
    if (got == 0)
        got = open_list(r, q, &s);
    if (got < 0)
        return got;
    struct buf out;
    buf_init(&out, READER_ANSWER_BYTES);
    put_filters(s, q);
    put_i64(s, q->limit);
    put_i64(s, q->offset);
    int w = buf_add_char(&out, '[');
    while (w == 0 && (got = stmt_step(s)) == 1) {
        struct conversation c;
        record_conversation(s, NULL, &c);
        set_window(q, &c);
        if (q->count++)
            w = buf_add_char(&out, ',');
        if (w == 0)
            w = conversation_write(&out, &c);
    }
    stmt_reset(s);
    return list_finish(q, &out, w < 0 ? w : got);
}

int find_conversation(struct reader *r, struct query *q)
{
    struct stmt *s;
    int got = reader_stmt(r, READ_CONVERSATION,
                          "SELECT " CONVERSATION_COLUMNS ", " CONTACT_COLUMNS
                          " FROM " CONVERSATION_TABLES "WHERE c.id = $id",
                          "id", &s);
    if (got < 0)
        return got;
    put_u64(s, q->id ? q->id : q->conv);
    got = stmt_step(s);
    if (got <= 0)
        return got < 0 ? got : list_not_found(q, "conversation");
    q->conversation = arena_one(q->arena, struct conversation);
    q->contact = arena_one(q->arena, struct contact);
    record_conversation(s, q->arena, q->conversation);
    record_contact(s, CONVERSATION_COUNT, q->arena, q->contact);
    if (!q->contact->id)
        q->contact->id = q->conversation->contact; /* its row is gone */
    stmt_reset(s);
    return 0;
}

/* -- contacts ----------------------------------------------------------- */

static void write_identities(struct jsonw *w, const struct contact *c)
{
    char channel[ID_TEXT];
    jsonw_key(w, "identities");
    jsonw_open(w, '[');
    if (c->identity.len) {
        jsonw_open(w, '{');
        jsonw_put_text(w, "channel", id_text(channel, ID_CHANNEL, c->channel));
        jsonw_put_text(w, "user_id", c->identity);
        jsonw_close(w, '}');
    }
    jsonw_close(w, ']');
}

static int write_contact(struct buf *out, const struct contact *c)
{
    char id[ID_TEXT], channel[ID_TEXT];
    struct jsonw w = jsonw_on(out);
    jsonw_open(&w, '{');
    jsonw_put_text(&w, "id", id_text(id, ID_CONTACT, c->id));
    jsonw_put_text(&w, "channel", id_text(channel, ID_CHANNEL, c->channel));
    write_identities(&w, c);
    jsonw_put_text(&w, "name", c->name);
    jsonw_put_text(&w, "email", c->email);
    jsonw_put_text(&w, "phone", c->phone);
    jsonw_put_text(&w, "tier", c->tier);
    jsonw_put_raw(&w, "tags", c->tags.len ? c->tags : SLICE("[]"));
    jsonw_put_raw(&w, "attributes",
                  c->attributes.len ? c->attributes : SLICE("{}"));
    jsonw_put_int(&w, "created_at", c->created_at);
    jsonw_put_int(&w, "updated_at", c->updated_at);
    jsonw_close(&w, '}');
    return w.failed;
}

#define CONTACTS_WHERE                                                         \
    "FROM contact ct WHERE ($channel = 0 OR ct.channel = $channel) AND "       \
    "($text = '' OR ct.name LIKE $text ESCAPE '\\' OR "                        \
    "ct.email LIKE $text ESCAPE '\\' OR ct.phone LIKE $text ESCAPE '\\' OR "   \
    "ct.identity LIKE $text ESCAPE '\\') "

static int count_contacts(struct reader *r, struct query *q, struct slice like)
{
    struct stmt *s;
    int got =
        reader_stmt(r, READ_CONTACTS_COUNT, "SELECT count(*) " CONTACTS_WHERE,
                    "channel text", &s);
    if (got < 0)
        return got;
    put_u64(s, q->channel);
    put_text(s, like);
    got = stmt_step(s);
    if (got == 1)
        q->total = got_u64(s, 0);
    stmt_reset(s);
    return got < 0 ? got : 0;
}

int list_contacts(struct reader *r, struct query *q)
{
    struct stmt *s;
    struct slice like = q->text.len ? like_pattern(q) : SLICE("");
    list_clamp(q);
    int got = count_contacts(r, q, like);
    if (got == 0)
        got = reader_stmt(r, READ_CONTACTS,
                          "SELECT " CONTACT_COLUMNS " " CONTACTS_WHERE
                          "ORDER BY ct.id DESC LIMIT $limit OFFSET $offset",
                          "channel text limit offset", &s);
    if (got < 0)
        return got;
    struct buf out;
    buf_init(&out, READER_ANSWER_BYTES);
    put_u64(s, q->channel);
    put_text(s, like);
    put_i64(s, q->limit);
    put_i64(s, q->offset);
    int w = buf_add_char(&out, '[');
    while (w == 0 && (got = stmt_step(s)) == 1) {
        struct contact c;
        record_contact(s, 0, NULL, &c);
        if (q->count++)
            w = buf_add_char(&out, ',');
        if (w == 0)
            w = write_contact(&out, &c);
    }
    stmt_reset(s);
    return list_finish(q, &out, w < 0 ? w : got);
}

int find_contact(struct reader *r, struct query *q)
{
    struct stmt *s;
    int got;
    if (q->id) {
        got = reader_stmt(r, READ_CONTACT,
                          "SELECT " CONTACT_COLUMNS
                          " FROM contact ct WHERE ct.id = $id",
                          "id", &s);
        if (got == 0)
            put_u64(s, q->id);
    } else {
        /* The last condition lets the partial index serve. */
        got = reader_stmt(r, READ_IDENTITY,
                          "SELECT " CONTACT_COLUMNS
                          " FROM contact ct WHERE ct.channel = $channel AND "
                          "ct.identity = $identity AND ct.identity <> ''",
                          "channel identity", &s);
        if (got == 0) {
            put_u64(s, q->channel);
            put_text(s, q->identity);
        }
    }
    if (got == 0)
        got = stmt_step(s);
    if (got <= 0)
        return got < 0 ? got : list_not_found(q, "contact");
    q->contact = arena_one(q->arena, struct contact);
    record_contact(s, 0, q->arena, q->contact);
    stmt_reset(s);
    return 0;
}

/* -- the small ones ----------------------------------------------------- */

int find_kv(struct reader *r, struct query *q)
{
    struct stmt *s;
    int got = reader_stmt(r, READ_KV,
                          "SELECT value, expires_at FROM kv WHERE "
                          "space = $space AND name = $name AND "
                          "(expires_at = 0 OR expires_at > $now)",
                          "space name now", &s);
    if (got < 0)
        return got;
    put_text(s, q->kv.space);
    put_text(s, q->kv.key);
    put_i64(s, clock_ms());
    got = stmt_step(s);
    if (got <= 0)
        return got < 0 ? got : list_not_found(q, "key");
    q->text = q->kv.value = got_text(s, 0, q->arena);
    q->kv.expires_at = got_i64(s, 1);
    stmt_reset(s);
    return 0;
}

/* Behind every text with that prefix: no name has U+10FFFF in it twice. */
static struct slice upper_end(struct arena *a, struct slice prefix)
{
    char *text = arena_text(a, prefix.len + 8);
    if (prefix.len)
        memcpy(text, prefix.at, prefix.len);
    memcpy(text + prefix.len, "\xf4\x8f\xbf\xbf\xf4\x8f\xbf\xbf", 8);
    return (struct slice){text, prefix.len + 8};
}

int list_kv_keys(struct reader *r, struct query *q)
{
    struct stmt *s;
    struct buf out;
    int got = reader_stmt(r, READ_KV_KEYS,
                          "SELECT name FROM kv WHERE space = $space AND "
                          "name >= $name AND name < $upto AND "
                          "(expires_at = 0 OR expires_at > $now) "
                          "ORDER BY name LIMIT $limit",
                          "space name upto now limit", &s);
    if (got < 0)
        return got;
    put_text(s, q->kv.space);
    put_text(s, q->kv.key);
    put_text(s, upper_end(q->arena, q->kv.key));
    put_i64(s, clock_ms());
    put_i64(s, q->limit < LIMIT_KV_KEYS ? q->limit : LIMIT_KV_KEYS);
    buf_init(&out, LIMIT_KV_KEYS * (6 * LIMIT_NAME_BYTES + 3) + 2);
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '[');
    while ((got = stmt_step(s)) > 0)
        jsonw_text(&w, got_text(s, 0, NULL));
    jsonw_close(&w, ']');
    if (got == 0)
        got = w.failed;
    if (got == 0)
        q->json = slice_dup(q->arena, buf_slice(&out));
    buf_fini(&out);
    return got;
}

int find_answer(struct reader *r, struct query *q)
{
    struct stmt *s;
    int got = reader_stmt(r, READ_ANSWER,
                          "SELECT digest, status, body FROM answer WHERE "
                          "name = $name AND created_at >= $since",
                          "name since", &s);
    if (got < 0)
        return got;
    put_text(s, q->text);
    put_i64(s, clock_ms() - RECORD_ANSWER_MS);
    got = stmt_step(s);
    if (got <= 0)
        return got < 0 ? got : list_not_found(q, "answer");
    struct answer *a = arena_one(q->arena, struct answer);
    a->key = q->text;
    a->status = (int32_t)got_i64(s, 1);
    a->body = got_text(s, 2, q->arena);
    (void)got_bytes(s, 0, a->digest, sizeof a->digest); /* else it fits none */
    q->answer = a;
    stmt_reset(s);
    return 0;
}

int find_login(struct reader *r, struct query *q)
{
    struct stmt *s;
    char key[EMAIL_BYTES];
    int got = reader_stmt(r, READ_AGENT,
                          "SELECT " AGENT_COLUMNS
                          " FROM agent WHERE email_key = $email_key",
                          "email_key", &s);
    if (got < 0)
        return got;
    put_text(s, record_email_key(q->email, key));
    got = stmt_step(s);
    if (got <= 0)
        return got < 0 ? got : list_not_found(q, "agent");
    q->agent = arena_one(q->arena, struct agent);
    record_agent(s, q->arena, q->agent);
    stmt_reset(s);
    return 0;
}
