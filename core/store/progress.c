/* SPDX-License-Identifier: Apache-2.0 */
/* progress.c - one event moves one conversation's figures on.
 *
 * Happy path: a message raises last_seq; a visitor's one is unread and begins
 * the wait, an agent's or a bot's public answer ends it; a read mark moves the
 * mark. Everything is decided from the event and the figures alone, so that a
 * replay after a crash gives the same.
 *
 * Failure modes: a read mark in the middle needs the journal to count what is
 * left unread; if the journal cannot be read nothing is changed.
 */
#include "store/progress.h"
#include "base/json.h"
#include "base/limits.h"

/* -- apply -------------------------------------------------------------- */

static void apply_message(struct progress *p, const struct event *ev)
{
    p->last_seq = ev->seq;
    p->last_at = ev->at;
    if (ev->flags & EVENT_PRIVATE) {
        p->hidden++;
        return;
    }
    if (ev->role == ROLE_VISITOR) {
        p->unread++;
        p->visitor_seq = ev->seq;
        p->heard_at = ev->at;
        p->said = 0;
        if (!p->waiting_since_at)
            p->waiting_since_at = ev->at;
    } else if (ev->role == ROLE_AGENT) {
        p->unread = 0;
        p->waiting_since_at = 0;
        p->said++;
    } else if (ev->role == ROLE_BOT) {
        p->waiting_since_at = 0;
        p->said++;
    }
    char text[PREVIEW_BYTES];
    uint32_t n = preview_of(ev->body, text);
    if (n) {
        memcpy(p->preview, text, n);
        p->preview_len = n;
    }
}

/* {"seq":N,"status":"read"} */
static uint32_t read_up_to(const struct event *ev)
{
    struct arena *a = arena_new();
    struct json *j;
    int64_t seq = 0;
    if (json_parse(a, ev->body, NULL, &j) == 0 &&
        slice_is(json_text(j, "status"), "read"))
        seq = json_int(j, "seq", 0);
    arena_free(a);
    return seq > 0 && seq <= UINT32_MAX ? (uint32_t)seq : 0;
}

static int apply_read(struct progress *p, const struct event *ev,
                      const struct progress_ask *ask)
{
    uint32_t seq = read_up_to(ev);
    if (ev->role == ROLE_VISITOR) {
        if (seq > p->visitor_read)
            p->visitor_read = seq;
        return 0;
    }
    if (ev->role != ROLE_AGENT || seq <= p->agent_read)
        return 0;
    if (seq >= p->visitor_seq) {
        p->unread = 0;
    } else if (p->unread) {
        int64_t left = ask->above(ask->arg, p->last_pos, seq, true);
        if (left < 0)
            return (int)left;
        if (left < p->unread) /* an answer in between counted as reading */
            p->unread = (uint32_t)left;
    }
    p->agent_read = seq;
    return 0;
}

/* {"seq":N,"recalled":true}: the line of lists is not to show it any more. */
static int apply_recalled(struct progress *p, const struct event *ev,
                          const struct progress_ask *ask)
{
    struct arena *a = arena_new();
    struct json *j;
    int64_t seq = 0;
    if (json_parse(a, ev->body, NULL, &j) == 0 &&
        json_bool(j, "recalled", false))
        seq = json_int(j, "seq", 0);
    arena_free(a);
    if (seq <= 0 || seq > p->last_seq || ev->flags & EVENT_PRIVATE)
        return 0;
    int64_t newer = ask->above(ask->arg, p->last_pos, (uint32_t)seq, false);
    if (newer == 0) {
        p->preview_len = sizeof PREVIEW_RECALLED - 1;
        memcpy(p->preview, PREVIEW_RECALLED, p->preview_len);
    }
    return newer < 0 ? (int)newer : 0;
}

int progress_apply(struct progress *p, const struct event *ev,
                   const struct progress_ask *ask)
{
    if (ev->pos <= p->last_pos)
        return 0;
    if (ev->name == EVENT_MESSAGE_STATUS) {
        int r = apply_read(p, ev, ask);
        if (r < 0)
            return r;
    } else if (ev->name == EVENT_MESSAGE_CREATED) {
        apply_message(p, ev);
    } else if (ev->name == EVENT_MESSAGE_UPDATED) {
        int r = apply_recalled(p, ev, ask);
        if (r < 0)
            return r;
    }
    p->last_pos = ev->pos;
    if (ev->cause > p->handled)
        p->handled = ev->cause;
    return 0;
}

/* -- rows --------------------------------------------------------------- */

int progress_open(struct db *db, struct stmt *load, struct stmt *save)
{
    int r = stmt_open(
        db,
        "SELECT last_pos, last_seq, last_at, hidden, unread, agent_read, "
        "visitor_read, visitor_seq, waiting_since_at, handled, preview, "
        "heard_at, said FROM progress WHERE conv = $conv",
        "conv", load);
    if (r < 0 || !save)
        return r;
    return stmt_open(
        db,
        "INSERT INTO progress (conv, last_pos, last_seq, last_at, hidden, "
        "unread, agent_read, visitor_read, visitor_seq, waiting_since_at, "
        "handled, preview, heard_at, said) VALUES ($conv, $last_pos, "
        "$last_seq, $last_at, "
        "$hidden, $unread, $agent_read, $visitor_read, $visitor_seq, "
        "$waiting_since_at, $handled, $preview, $heard_at, $said) "
        "ON CONFLICT (conv) DO UPDATE SET last_pos = excluded.last_pos, "
        "last_seq = excluded.last_seq, last_at = excluded.last_at, "
        "hidden = excluded.hidden, unread = excluded.unread, "
        "agent_read = excluded.agent_read, "
        "visitor_read = excluded.visitor_read, "
        "visitor_seq = excluded.visitor_seq, "
        "waiting_since_at = excluded.waiting_since_at, "
        "handled = excluded.handled, preview = excluded.preview, "
        "heard_at = excluded.heard_at, said = excluded.said",
        "conv last_pos last_seq last_at hidden unread agent_read "
        "visitor_read visitor_seq waiting_since_at handled preview "
        "heard_at said",
        save);
}

int progress_load(struct stmt *load, uint64_t conv, struct progress *p)
{
    *p = (struct progress){.conv = conv};
    put_u64(load, conv);
    int r = stmt_step(load);
    if (r <= 0)
        return r;
    p->last_pos = got_u64(load, 0);
    p->last_seq = got_u32(load, 1);
    p->last_at = got_i64(load, 2);
    p->hidden = got_u32(load, 3);
    p->unread = got_u32(load, 4);
    p->agent_read = got_u32(load, 5);
    p->visitor_read = got_u32(load, 6);
    p->visitor_seq = got_u32(load, 7);
    p->waiting_since_at = got_i64(load, 8);
    p->handled = got_u64(load, 9);
    struct slice line = got_text(load, 10, NULL);
    p->preview_len =
        (uint32_t)(line.len < PREVIEW_BYTES ? line.len : PREVIEW_BYTES);
    if (p->preview_len)
        memcpy(p->preview, line.at, p->preview_len);
    p->heard_at = got_i64(load, 11);
    p->said = got_u32(load, 12);
    stmt_reset(load);
    return 0;
}

int progress_save(struct stmt *save, const struct progress *p)
{
    put_u64(save, p->conv);
    put_u64(save, p->last_pos);
    put_i64(save, p->last_seq);
    put_i64(save, p->last_at);
    put_i64(save, p->hidden);
    put_i64(save, p->unread);
    put_i64(save, p->agent_read);
    put_i64(save, p->visitor_read);
    put_i64(save, p->visitor_seq);
    put_i64(save, p->waiting_since_at);
    put_u64(save, p->handled);
    put_text(save, (struct slice){p->preview, p->preview_len});
    put_i64(save, p->heard_at);
    put_i64(save, p->said);
    return stmt_run(save);
}
