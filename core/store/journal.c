/* SPDX-License-Identifier: Apache-2.0 */
/* journal.c - append, hash chain, refs.
 *
 * Happy path of an append: the conversation's figures are in memory; position
 * and seq are the next ones; two digests; one insert at the end of the table;
 * every 64th message an anchor; the figures move on.
 *
 * Failure modes: an SQL error fails the transaction, and journal_rollback puts
 * positions and conversations back, so that the next one leaves no gap. Refs
 * of a failed transaction stay in the table; their rows are not there, so they
 * are never taken for stored. A ref longer than a byte can count is refused.
 */
#include "store/journal.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/meter.h"

METER(refs_kept, METER_GAUGE, "yuelai_refs", "Refs remembered in memory.");
METER(refs_size, METER_GAUGE, "yuelai_refs_bytes", "Memory of these refs.");
METER(horizon, METER_GAUGE, "yuelai_ref_horizon_seconds",
      "How far back a repeated ref is surely known.");
METER(duplicates, METER_COUNTER, "yuelai_duplicates_total",
      "Sends whose ref was stored before.");
METER(events_stored, METER_COUNTER, "yuelai_store_events_total",
      "Journal rows appended.");
METER(journal_pos, METER_GAUGE, "yuelai_journal_rows",
      "Rows of the journal (its last position).");

/* -- rows --------------------------------------------------------------- */

void journal_row(struct stmt *s, struct arena *a, struct event *ev,
                 uint64_t *prev)
{
    *ev = (struct event){.pos = got_u64(s, 0),
                         .at = got_i64(s, 2),
                         .conv = got_u64(s, 3),
                         .seq = got_u32(s, 4),
                         .name = (enum event_name)got_i64(s, 5),
                         .role = (enum role)got_i64(s, 6),
                         .flags = (unsigned)got_i64(s, 7),
                         .sender = got_u64(s, 8),
                         .cause = got_u64(s, 9),
                         .ref = got_text(s, 10, a),
                         .body = got_text(s, 11, a)};
    if (prev)
        *prev = got_u64(s, 1);
}

int journal_get(struct stmt *by_pos, uint64_t pos, struct arena *a,
                struct event *ev, uint64_t *prev)
{
    put_u64(by_pos, pos);
    int r = stmt_step(by_pos);
    if (r <= 0)
        return r < 0 ? r : ERR_NOT_FOUND;
    journal_row(by_pos, a, ev, prev);
    if (a)
        stmt_reset(by_pos);
    return 0;
}

/* -- chain -------------------------------------------------------------- */

static unsigned char *put_le(unsigned char *at, uint64_t n, int bytes)
{
    for (; bytes > 0; bytes--, n >>= 8)
        *at++ = (unsigned char)n;
    return at;
}

void journal_hash(struct sha256 *sha, const unsigned char before[SHA256_BYTES],
                  const struct event *ev,
                  const unsigned char body_hash[SHA256_BYTES],
                  unsigned char out[SHA256_BYTES])
{
    unsigned char all[2 * SHA256_BYTES + 50 + JOURNAL_REF_BYTES];
    must(ev->ref.len <= JOURNAL_REF_BYTES);
    memcpy(all, before, SHA256_BYTES);
    unsigned char *at = all + SHA256_BYTES;
    at = put_le(at, ev->pos, 8);
    at = put_le(at, (uint64_t)ev->at, 8);
    at = put_le(at, ev->conv, 8);
    at = put_le(at, ev->seq, 4);
    at = put_le(at, ev->name, 2);
    at = put_le(at, ev->role, 1);
    at = put_le(at, ev->flags & EVENT_PRIVATE, 1);
    at = put_le(at, ev->sender, 8);
    at = put_le(at, ev->cause, 8);
    at = put_le(at, ev->ref.len, 1);
    if (ev->ref.len)
        memcpy(at, ev->ref.at, ev->ref.len);
    at += ev->ref.len;
    memcpy(at, body_hash, SHA256_BYTES);
    at += SHA256_BYTES;
    struct slice one = {(const char *)all, (size_t)(at - all)};
    sha256_parts(sha, &one, 1, out);
}

/* -- refs --------------------------------------------------------------- */

static bool has_ref(const struct event *ev)
{
    return ev->name == EVENT_MESSAGE_CREATED && ev->ref.len;
}

static uint64_t ref_hash(const struct event *ev)
{
    char key[9 + JOURNAL_REF_BYTES];
    key[0] = (char)ev->role;
    memcpy(key + 1, &ev->sender, 8);
    memcpy(key + 9, ev->ref.at, ev->ref.len);
    return hash_bytes(key, 9 + ev->ref.len);
}

static bool same_ref(const struct event *a, const struct event *b)
{
    return has_ref(a) && a->role == b->role && a->sender == b->sender &&
           slice_eq(a->ref, b->ref);
}

/* 1 = stored before, 0 = not. */
static int find_one(struct journal *j, struct event *ev)
{
    uint64_t hash = ref_hash(ev), pos;
    for (struct refs_look l = {0}; (pos = refs_next(&j->refs, hash, &l));) {
        struct event was;
        int r = journal_get(&j->by_pos, pos, NULL, &was, NULL);
        if (r == ERR_NOT_FOUND)
            continue; /* of a transaction that was rolled back */
        if (r < 0)
            return r;
        bool same = same_ref(&was, ev);
        stmt_reset(&j->by_pos);
        if (!same)
            continue;
        ev->conv = was.conv;
        ev->pos = was.pos;
        ev->seq = was.seq;
        ev->at = was.at;
        ev->flags |= EVENT_DUPLICATE;
        meter_add(&duplicates, 1);
        return 1;
    }
    return 0;
}

int journal_find(struct journal *j, struct event *first, struct event **dup)
{
    *dup = NULL;
    for (struct event *ev = first; ev; ev = ev->next) {
        if (ev->ref.len > JOURNAL_REF_BYTES)
            return err_field(&j->db->err, ERR_TOOBIG, "ref",
                             "ref is longer than %d bytes", JOURNAL_REF_BYTES);
        if (!has_ref(ev))
            continue;
        for (struct event *was = first; was != ev; was = was->next)
            if (same_ref(was, ev))
                return err_field(&j->db->err, ERR_BAD_REQUEST, "ref",
                                 "one ref twice in one transaction");
        int r = find_one(j, ev);
        if (r < 0)
            return r;
        if (r == 1) {
            *dup = ev;
            return 0;
        }
    }
    return 0;
}

int journal_age_refs(struct journal *j, int64_t now_ms)
{
    /* The last row that is old enough: positions and times rise together. */
    uint64_t low = 0, high = j->last_pos;
    struct event ev;
    while (low < high) {
        uint64_t mid = low + (high - low + 1) / 2;
        int r = journal_get(&j->by_pos, mid, NULL, &ev, NULL);
        if (r < 0 && r != ERR_NOT_FOUND)
            return r;
        stmt_reset(&j->by_pos);
        if (r == ERR_NOT_FOUND || ev.at < now_ms - j->ref_ms)
            low = mid;
        else
            high = mid - 1;
    }
    refs_forget_below(&j->refs, low + 1);
    uint64_t from = j->refs.floor;
    if (from > 1 && from <= j->last_pos) {
        int r = journal_get(&j->by_pos, from, NULL, &ev, NULL);
        if (r < 0)
            return r;
        stmt_reset(&j->by_pos);
        meter_set(&horizon, (now_ms - ev.at) / 1000);
    } else {
        meter_set(&horizon, j->ref_ms / 1000);
    }
    return 0;
}

/* -- append ------------------------------------------------------------- */

static int insert(struct journal *j, const struct event *ev, uint64_t prev,
                  const unsigned char hash[SHA256_BYTES])
{
    struct stmt *s = &j->insert;
    put_u64(s, ev->pos);
    put_u64(s, prev);
    put_i64(s, ev->at);
    put_u64(s, ev->conv);
    put_i64(s, ev->seq);
    put_i64(s, ev->name);
    put_i64(s, ev->role);
    put_i64(s, ev->flags & EVENT_PRIVATE);
    put_u64(s, ev->sender);
    put_u64(s, ev->cause);
    put_text(s, ev->ref);
    put_blob(s, hash, SHA256_BYTES);
    put_text(s, ev->body);
    return stmt_run(s);
}

static int add_anchor(struct journal *j, const struct event *ev)
{
    put_u64(&j->anchor, ev->conv);
    put_i64(&j->anchor, ev->seq);
    put_u64(&j->anchor, ev->pos);
    return stmt_run(&j->anchor);
}

/* progress_ask: walks back over the conversation. */
static int64_t above(void *arg, uint64_t pos, uint32_t seq, bool visitors)
{
    struct journal *j = arg;
    int64_t n = 0;
    while (pos) {
        struct event ev;
        int r = journal_get(&j->walk, pos, NULL, &ev, &pos);
        if (r < 0)
            return r;
        stmt_reset(&j->walk);
        if (ev.name != EVENT_MESSAGE_CREATED)
            continue;
        if (ev.seq <= seq)
            break;
        n += visitors ? ev.role == ROLE_VISITOR : !(ev.flags & EVENT_PRIVATE);
    }
    return n;
}

int journal_append(struct journal *j, struct event *ev)
{
    struct hot *h;
    int r = project_get(&j->project, ev->conv, &h);
    if (r < 0)
        return r;
    uint64_t prev = h->p.last_pos;
    bool message = ev->name == EVENT_MESSAGE_CREATED;
    ev->pos = ++j->last_pos;
    ev->seq = message ? h->p.last_seq + 1 : 0;
    if (!ev->at)
        ev->at = j->now;
    unsigned char body_hash[SHA256_BYTES];
    sha256_parts(j->sha, &ev->body, 1, body_hash);
    journal_hash(j->sha, h->hash, ev, body_hash, h->hash);
    r = insert(j, ev, prev, h->hash);
    if (r == 0 && message && ev->seq % JOURNAL_ANCHOR == 0)
        r = add_anchor(j, ev);
    if (r < 0)
        return r;
    struct progress_ask ask = {above, j};
    r = progress_apply(&h->p, ev, &ask);
    if (r < 0)
        return r;
    project_spoil(&j->project, h);
    if (has_ref(ev))
        refs_put(&j->refs, ref_hash(ev), ev->pos);
    j->events++;
    return 0;
}

void journal_begin(struct journal *j, int64_t now_ms)
{
    j->now = now_ms;
    j->begun_pos = j->last_pos;
    j->events = 0;
    project_begin(&j->project);
}

void journal_commit(struct journal *j)
{
    project_commit(&j->project);
    meter_add(&events_stored, (int64_t)j->events);
    meter_set(&journal_pos, (int64_t)j->last_pos);
    meter_set(&refs_kept, (int64_t)refs_count(&j->refs));
    meter_set(&refs_size, (int64_t)refs_bytes(&j->refs));
}

void journal_rollback(struct journal *j)
{
    j->last_pos = j->begun_pos;
    j->events = 0;
    project_rollback(&j->project);
}

/* -- open --------------------------------------------------------------- */

static int find_end(struct journal *j)
{
    struct stmt s;
    int r = stmt_open(j->db, "SELECT max(pos) FROM journal", "", &s);
    if (r == 0)
        r = stmt_step(&s);
    if (r == 1)
        j->last_pos = got_u64(&s, 0);
    stmt_close(&s);
    return r < 0 ? r : 0;
}

static int remember_refs(struct journal *j)
{
    int r = journal_age_refs(j, clock_ms());
    struct stmt s = {0};
    if (j->last_pos / 4 > j->refs.max) /* more would be forgotten again */
        refs_forget_below(&j->refs, j->last_pos - 4 * j->refs.max);
    /* Heads only: the bodies' pages are not read. */
    if (r == 0)
        r = stmt_open(j->db,
                      "SELECT pos, role, sender, ref FROM journal WHERE "
                      "pos >= $from AND ref <> '' AND name = $name "
                      "ORDER BY pos",
                      "from name", &s);
    if (r == 0) {
        put_u64(&s, j->refs.floor);
        put_i64(&s, EVENT_MESSAGE_CREATED);
        while ((r = stmt_step(&s)) == 1) {
            struct event ev = {.role = (enum role)got_i64(&s, 1),
                               .sender = got_u64(&s, 2),
                               .ref = got_text(&s, 3, NULL)};
            refs_put(&j->refs, ref_hash(&ev), got_u64(&s, 0));
        }
    }
    stmt_close(&s);
    return r;
}

/* Applies rows behind the cursor until there are none or the hands are full. */
static int replay_some(struct journal *j, struct stmt *s, uint64_t *from)
{
    struct progress_ask ask = {above, j};
    put_u64(s, *from);
    int r;
    while ((r = stmt_step(s)) == 1) {
        struct event ev;
        struct hot *h;
        journal_row(s, NULL, &ev, NULL);
        r = project_get(&j->project, ev.conv, &h);
        if (r == 0)
            r = progress_apply(&h->p, &ev, &ask);
        if (r < 0)
            break;
        project_spoil(&j->project, h);
        *from = ev.pos;
        if (project_waiting(&j->project) >= PROJECT_CLEAN / 2)
            break;
    }
    stmt_reset(s);
    return r < 0 ? r : 0;
}

static int replay(struct journal *j)
{
    uint64_t from = j->project.cursor;
    if (from >= j->last_pos)
        return 0;
    struct stmt s;
    int r = stmt_open(j->db, JOURNAL_ROW "WHERE pos > $from ORDER BY pos",
                      "from", &s);
    while (r == 0 && from < j->last_pos) {
        r = db_run(j->db, "BEGIN IMMEDIATE");
        journal_begin(j, clock_ms());
        if (r == 0)
            r = replay_some(j, &s, &from);
        if (r == 0)
            r = project_all(&j->project, from);
        if (r == 0)
            r = db_run(j->db, "COMMIT");
        journal_commit(j);
        project_forget(&j->project); /* the chain's links were not followed */
    }
    stmt_close(&s);
    return r;
}

static int open_statements(struct journal *j)
{
    struct db *db = j->db;
    int r = stmt_open(
        db,
        "INSERT INTO journal (pos, prev, at, conv, seq, name, role, flags, "
        "sender, cause, ref, hash, body) VALUES ($pos, $prev, $at, $conv, "
        "$seq, $name, $role, $flags, $sender, $cause, $ref, $hash, $body)",
        "pos prev at conv seq name role flags sender cause ref hash body",
        &j->insert);
    if (r == 0)
        r = stmt_open(db,
                      "INSERT INTO anchor (conv, seq, pos) "
                      "VALUES ($conv, $seq, $pos)",
                      "conv seq pos", &j->anchor);
    if (r == 0)
        r = stmt_open(db, JOURNAL_ROW "WHERE pos = $pos", "pos", &j->by_pos);
    if (r == 0)
        r = stmt_open(db, JOURNAL_ROW "WHERE pos = $pos", "pos", &j->walk);
    return r;
}

int journal_open(struct journal *j, struct db *db, size_t refs_max,
                 int64_t ref_ms)
{
    *j = (struct journal){.db = db, .sha = sha256_new(), .ref_ms = ref_ms};
    refs_init(&j->refs, refs_max);
    meter_add(&duplicates, 0);
    meter_add(&events_stored, 0);
    int r = project_open(&j->project, db);
    if (r == 0)
        r = open_statements(j);
    if (r == 0)
        r = find_end(j);
    if (r == 0)
        r = replay(j);
    if (r == 0)
        r = remember_refs(j);
    if (r < 0) {
        journal_close(j);
        return r;
    }
    meter_set(&journal_pos, (int64_t)j->last_pos);
    return 0;
}

void journal_close(struct journal *j)
{
    stmt_close(&j->insert);
    stmt_close(&j->anchor);
    stmt_close(&j->by_pos);
    stmt_close(&j->walk);
    project_close(&j->project);
    refs_fini(&j->refs);
    sha256_free(j->sha);
    j->sha = NULL;
}
