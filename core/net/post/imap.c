/* SPDX-License-Identifier: Apache-2.0 */
/* imap.c - mailboxes are read: one command at a time, a session a mailbox.
 *
 * Happy path: CAPABILITY, log in, CAPABILITY again, ID (some providers let
 * nobody in without), SELECT; then UID SEARCH and a UID FETCH a mail, by
 * BODY.PEEK, so that nothing is marked as read. Nothing new: IDLE until
 * something comes or the caller's wait is over. Then the session is kept for
 * who comes again.
 *
 * Failure modes: a kept session that broke meanwhile is opened anew, once. A
 * server that says BYE, goes, breaks the protocol or its maximum ends the
 * session and the call. After a failed call nothing is kept.
 */
#include "base/crypto.h"
#include "net/post/imap_read.h"
#include "net/post/inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define COMMAND_BYTES (32 * 1024)
#define CAPABILITY_BYTES 4096
#define UIDS_MOST 200000
#define BODY_MOST (32 * 1024 * 1024)
#define BYE_MS 2000
#define FETCH_MS 5000 /* left of a call when IDLE ends */

enum step {
    STEP_OPEN,
    STEP_OFFERS, /* CAPABILITY before the log-in */
    STEP_LOGIN,
    STEP_OFFERS_IN, /* and after it */
    STEP_NAME,      /* ID */
    STEP_SELECT,
    STEP_SEARCH,
    STEP_FETCH,
    STEP_IDLE,
    STEP_WAKE, /* DONE was said */
    STEP_MARK,
    STEP_READY, /* kept */
    STEP_BYE
};
struct session {
    struct list link;
    struct net *net;
    uint64_t number; /* never used twice */
    struct line *line;
    struct imap_call *call; /* NULL: kept, or leaving */
    struct imap_reader in;
    unsigned char key[SHA256_BYTES];
    enum step step;
    unsigned tag;
    enum sasl way;
    bool reused, heard, news, idling;
    struct buf offers;
    uint32_t validity, next;
    int64_t exists;
    uint32_t *uids;
    size_t uid_count, uid_at;
    size_t taken;         /* bytes of this call */
    struct timer timer;   /* the call's end; kept: the session's */
    struct timer waiting; /* IDLE's end */
};

static void go(struct session *s, enum step step);

/* --- the end -------------------------------------------------------------- */

static void session_free(struct session *s)
{
    struct wheel *w = loop_wheel(s->net->loop);
    timer_stop(w, &s->timer);
    timer_stop(w, &s->waiting);
    list_remove(&s->link);
    s->net->post->session_count--;
    line_close(s->line);
    imap_reader_fini(&s->in);
    buf_fini(&s->offers);
    free(s->uids);
    mem_free(s);
}

static void start_on(struct net *n, struct imap_call *c, bool fresh);

/* e is filled: the call fails, the session ends. */
static void fail(struct session *s, int code)
{
    struct imap_call *c = s->call;
    struct net *n = s->net;
    bool again = s->reused && !s->heard && code == ERR_UNAVAILABLE;
    s->call = NULL;
    session_free(s);
    if (c && again)
        start_on(n, c, true);
    else if (c)
        imap_answer(n, c, code);
}

static void fail_with(struct session *s, int code, const char *why)
{
    if (s->call)
        err_set(&s->call->err, code, "%s", why);
    fail(s, code);
}

/* The call is done well; the session is kept. */
static void finish(struct session *s)
{
    struct imap_call *c = s->call;
    struct wheel *w = loop_wheel(s->net->loop);
    c->validity = s->validity;
    c->next = s->next;
    c->exists = s->exists;
    c->idles = s->idling;
    s->call = NULL;
    s->step = STEP_READY;
    timer_stop(w, &s->waiting);
    timer_start(w, &s->timer, net_now(s->net) + IMAP_KEEP_MS);
    imap_reader_fini(&s->in); /* a kept one is small */
    imap_reader_init(&s->in, BODY_MOST);
    free(s->uids);
    s->uids = NULL;
    s->uid_count = s->uid_at = 0;
    imap_answer(s->net, c, 0);
}

/* --- commands ------------------------------------------------------------- */

/* False: the session is gone. */
static bool send_line(struct session *s, struct slice text)
{
    if (line_send(s->line, text) == 0)
        return true;
    fail_with(s, ERR_UNAVAILABLE, "The mailbox's server does not read.");
    return false;
}

/* "K7 " text CRLF; secrets are wiped with the buffer. */
static void command(struct session *s, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static void command(struct session *s, const char *fmt, ...)
{
    char text[COMMAND_BYTES];
    va_list args;
    int head = snprintf(text, sizeof(text), "K%u ", ++s->tag);
    va_start(args, fmt);
    int n = vsnprintf(text + head, sizeof(text) - (size_t)head - 2, fmt, args);
    va_end(args);
    if (n < 0 || n >= COMMAND_BYTES - head - 2) {
        fail_with(s, ERR_TOOBIG, "A name or secret is too long.");
        return;
    }
    n += head;
    memcpy(text + n, "\r\n", 2);
    send_line(s, (struct slice){text, (size_t)n + 2});
    explicit_bzero(text, sizeof(text));
}

static struct slice in_quotes(struct arena *a, struct slice s)
{
    char *out = arena_text(a, 2 * s.len + 3);
    size_t n = 0;
    out[n++] = '"';
    for (size_t i = 0; i < s.len; i++) {
        if (s.at[i] == '"' || s.at[i] == '\\')
            out[n++] = '\\';
        out[n++] = s.at[i];
    }
    out[n++] = '"';
    return (struct slice){out, n};
}

static bool offers(const struct session *s, const char *word)
{
    return imap_has_word(buf_slice(&s->offers), word);
}

static void log_in(struct session *s)
{
    struct imap_call *c = s->call;
    const struct post_login *l = &c->login;
    s->way = sasl_choose(l, buf_slice(&s->offers), "AUTH=");
    if (s->way == SASL_LOGIN || (s->way == SASL_NONE && !l->token.len)) {
        if (offers(s, "LOGINDISABLED")) {
            fail_with(s, ERR_UNAUTHORIZED,
                      "The server takes no password on this connection.");
            return;
        }
        struct slice user = in_quotes(c->arena, l->user);
        struct slice password = in_quotes(c->arena, l->password);
        s->way = SASL_NONE;
        command(s, "LOGIN %.*s %.*s", SLICE_FMT(user), SLICE_FMT(password));
    } else if (s->way == SASL_NONE) {
        fail_with(s, ERR_UNAUTHORIZED,
                  "The server does not take OAuth2 (XOAUTH2).");
    } else if (offers(s, "SASL-IR")) {
        struct slice text = sasl_text(c->arena, l, s->way);
        command(s, "AUTHENTICATE %s %.*s", sasl_name(s->way), SLICE_FMT(text));
        s->way = SASL_NONE; /* it is said */
    } else {
        command(s, "AUTHENTICATE %s", sasl_name(s->way));
    }
}

/* "+": the server waits for us. */
static void on_go_on(struct session *s)
{
    if (s->step == STEP_IDLE || s->step == STEP_WAKE)
        return;
    if (s->step != STEP_LOGIN) {
        fail_with(s, ERR_UNAVAILABLE, "The server broke the protocol.");
        return;
    }
    struct slice text = SLICE(""); /* after a failed OAuth2: an empty line */
    if (s->way != SASL_NONE)
        text = sasl_text(s->call->arena, &s->call->login, s->way);
    s->way = SASL_NONE;
    if (send_line(s, text))
        send_line(s, SLICE("\r\n"));
}

static void search(struct session *s)
{
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr",
                                         "May", "Jun", "Jul", "Aug",
                                         "Sep", "Oct", "Nov", "Dec"};
    const struct imap_call *c = s->call;
    char since[40] = "";
    struct tm tm;
    time_t at = (time_t)(c->since_ms / 1000);
    if (c->since_ms > 0 && gmtime_r(&at, &tm))
        snprintf(since, sizeof(since), " SINCE %d-%s-%04d", tm.tm_mday,
                 months[tm.tm_mon], tm.tm_year + 1900);
    s->uid_count = s->uid_at = 0;
    s->news = false;
    command(s, "UID SEARCH UID %llu:*%s", (unsigned long long)c->after + 1,
            since);
}

/* --- what comes next ------------------------------------------------------ */

static int ascending(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static void on_selected(struct session *s)
{
    struct imap_call *c = s->call;
    if (c->mark) {
        go(s, STEP_MARK);
    } else if ((c->validity && c->validity != s->validity) || !c->most) {
        finish(s);
    } else {
        go(s, STEP_SEARCH);
    }
}

static void on_found(struct session *s)
{
    struct imap_call *c = s->call;
    int64_t left = s->timer.due_ms - net_now(s->net);
    if (s->uid_count) {
        qsort(s->uids, s->uid_count, sizeof(*s->uids), ascending);
        c->mails = arena_many(c->arena, struct imap_mail, c->most);
        go(s, STEP_FETCH);
    } else if (s->news) { /* it came while we searched */
        go(s, STEP_SEARCH);
    } else if (c->wait_ms > 0 && s->idling && left > 2 * FETCH_MS) {
        go(s, STEP_IDLE);
    } else {
        finish(s);
    }
}

static void next_mail(struct session *s)
{
    struct imap_call *c = s->call;
    c->more = s->uid_at < s->uid_count;
    if (!c->more || c->count == c->most || s->taken >= c->bytes_all) {
        finish(s);
        return;
    }
    command(s, "UID FETCH %u (UID FLAGS RFC822.SIZE BODY.PEEK[]<0.%zu>)",
            s->uids[s->uid_at], c->bytes_max);
}

static void on_wait_over(struct timer *t)
{
    struct session *s = container_of(t, struct session, waiting);
    timer_stop(loop_wheel(s->net->loop), &s->waiting);
    s->step = STEP_WAKE;
    send_line(s, SLICE("DONE\r\n"));
}

static void idle(struct session *s)
{
    struct imap_call *c = s->call;
    int64_t left = s->timer.due_ms - net_now(s->net) - FETCH_MS;
    int64_t ms = c->wait_ms < left ? c->wait_ms : left;
    timer_start(loop_wheel(s->net->loop), &s->waiting, net_now(s->net) + ms);
    c->wait_ms = 0; /* once a call */
    command(s, "IDLE");
}

static void go(struct session *s, enum step step)
{
    const struct imap_call *c = s->call;
    s->step = step;
    switch (step) {
    case STEP_OFFERS:
    case STEP_OFFERS_IN:
        buf_clear(&s->offers);
        command(s, "CAPABILITY");
        break;
    case STEP_LOGIN:
        log_in(s);
        break;
    case STEP_NAME:
        command(s,
                "ID (\"name\" \"yuelai\" \"version\" \"" YUELAI_VERSION "\")");
        break;
    case STEP_SELECT: {
        struct slice folder = c->folder.len ? c->folder : SLICE("INBOX");
        folder = in_quotes(c->arena, folder);
        command(s, "SELECT %.*s", SLICE_FMT(folder));
        break;
    }
    case STEP_SEARCH:
        search(s);
        break;
    case STEP_FETCH:
        next_mail(s);
        break;
    case STEP_IDLE:
        idle(s);
        break;
    case STEP_MARK:
        command(s, "UID STORE %u +FLAGS.SILENT (%.*s)", c->mark,
                SLICE_FMT(c->flags));
        break;
    default:
        break;
    }
}

/* Our command was done. */
static void on_ok(struct session *s)
{
    switch (s->step) {
    case STEP_OFFERS:
        go(s, STEP_LOGIN);
        break;
    case STEP_LOGIN:
        go(s, STEP_OFFERS_IN);
        break;
    case STEP_OFFERS_IN:
        s->idling = offers(s, "IDLE");
        go(s, offers(s, "ID") ? STEP_NAME : STEP_SELECT);
        break;
    case STEP_NAME:
        go(s, STEP_SELECT);
        break;
    case STEP_SELECT:
        on_selected(s);
        break;
    case STEP_SEARCH:
        on_found(s);
        break;
    case STEP_FETCH: /* or it was deleted meanwhile */
        s->uid_at++;
        next_mail(s);
        break;
    case STEP_IDLE:
    case STEP_WAKE:
        timer_stop(loop_wheel(s->net->loop), &s->waiting);
        if (s->news)
            go(s, STEP_SEARCH);
        else
            finish(s);
        break;
    case STEP_MARK:
        finish(s);
        break;
    default:
        break;
    }
}

/* It said NO or BAD. */
static void on_no(struct session *s, struct slice words)
{
    struct err *e = &s->call->err;
    bool later = slice_starts(words, "[UNAVAILABLE]") ||
                 slice_starts(words, "[INUSE]") ||
                 slice_starts(words, "[LIMIT]");
    if (s->step == STEP_NAME) { /* then it need not know */
        go(s, STEP_SELECT);
        return;
    }
    int code = later                    ? ERR_UNAVAILABLE
               : s->step == STEP_LOGIN  ? ERR_UNAUTHORIZED
               : s->step == STEP_SELECT ? ERR_NOT_FOUND
                                        : ERR_UNAVAILABLE;
    say_server(e, code,
               s->step == STEP_LOGIN    ? "The server refuses the log-in"
               : s->step == STEP_SELECT ? "The folder cannot be opened"
                                        : "The server refuses",
               words);
    fail(s, code);
}

/* --- what the server says ------------------------------------------------- */

static void add_uids(struct session *s, struct slice words)
{
    while (words.len) {
        uint32_t uid = imap_number(imap_word(&words));
        if (uid <= s->call->after || s->uid_count == UIDS_MOST)
            continue; /* "n:*" names the last one in any case */
        if ((s->uid_count & (s->uid_count - 1)) == 0) {
            size_t room = s->uid_count ? 2 * s->uid_count : 1;
            s->uids = realloc(s->uids, room * sizeof(*s->uids));
            must(s->uids != NULL);
        }
        s->uids[s->uid_count++] = uid;
    }
}

static struct slice unquoted(struct arena *a, struct slice q)
{
    char *out = arena_text(a, q.len + 1);
    size_t n = 0;
    for (size_t i = 0; i < q.len; i++) {
        if (q.at[i] == '\\' && i + 1 < q.len)
            i++;
        out[n++] = q.at[i];
    }
    return (struct slice){out, n};
}

static void on_fetched(struct session *s)
{
    struct imap_call *c = s->call;
    struct imap_fetch f;
    if (s->step != STEP_FETCH || s->uid_at >= s->uid_count ||
        !imap_fetch_read(buf_slice(&s->in.text), &f) || !f.has_body ||
        f.uid != s->uids[s->uid_at] || c->count == c->most)
        return;
    if (c->count && c->mails[c->count - 1].uid == f.uid)
        return; /* said twice */
    struct slice bytes = f.in_literal
                             ? slice_dup(c->arena, buf_slice(&s->in.literal))
                             : unquoted(c->arena, f.quoted);
    if (bytes.len > c->bytes_max)
        bytes.len = c->bytes_max; /* a server that knows no parts */
    c->mails[c->count++] = (struct imap_mail){
        .uid = f.uid,
        .bytes = bytes,
        .seen = f.seen,
        .size = f.size > (int64_t)bytes.len ? f.size : (int64_t)bytes.len};
    s->taken += bytes.len;
    if (f.uid >= s->next)
        s->next = f.uid + 1;
}

static void on_status(struct session *s, struct slice word, struct slice rest)
{
    uint32_t n;
    if ((n = imap_code_number(rest, "UIDVALIDITY")))
        s->validity = n;
    if ((n = imap_code_number(rest, "UIDNEXT")))
        s->next = n;
    if (slice_is_nocase(word, "BYE") && s->step != STEP_BYE) {
        if (s->call)
            say_server(&s->call->err, ERR_UNAVAILABLE,
                       "The server ended the connection", rest);
        fail(s, ERR_UNAVAILABLE);
    }
}

/* False: the session is gone. */
static bool on_untagged(struct session *s, struct slice rest)
{
    struct slice word = imap_word(&rest);
    struct slice second = rest;
    second = imap_word(&second);
    if (slice_is_nocase(word, "BYE")) {
        on_status(s, word, slice_trim(rest));
        return false;
    }
    if (slice_is_nocase(word, "OK")) {
        on_status(s, word, rest);
    } else if (slice_is_nocase(word, "CAPABILITY")) {
        (void)buf_add_slice(&s->offers, rest); /* what fits */
    } else if (slice_is_nocase(word, "SEARCH") && s->step == STEP_SEARCH) {
        add_uids(s, rest);
    } else if (slice_is_nocase(second, "EXISTS")) {
        int64_t n = 0;
        bool is_more = slice_to_i64(word, &n) && n > s->exists;
        s->exists = n;
        s->news |= is_more;
        if (is_more && s->step == STEP_IDLE)
            on_wait_over(&s->waiting);
        return s->step != STEP_BYE;
    } else if (slice_is_nocase(second, "EXPUNGE")) {
        s->exists -= s->exists > 0;
    } else if (slice_is_nocase(second, "FETCH")) {
        on_fetched(s);
    }
    return true;
}

static void on_tagged(struct session *s, struct slice tag, struct slice rest)
{
    char mine[16];
    snprintf(mine, sizeof(mine), "K%u", s->tag);
    struct slice word = imap_word(&rest);
    if (s->step == STEP_BYE || s->step == STEP_READY)
        return;
    if (!slice_is(tag, mine)) {
        fail_with(s, ERR_UNAVAILABLE, "The server broke the protocol.");
    } else if (slice_is_nocase(word, "OK")) {
        if (s->step == STEP_SELECT)
            on_status(s, word, rest);
        on_ok(s);
    } else {
        on_no(s, slice_trim(rest));
    }
}

/* --- the line ------------------------------------------------------------- */

static bool is_alive(struct net *n, uint64_t number)
{
    list_each (&n->post->sessions, l)
        if (container_of(l, struct session, link)->number == number)
            return true;
    return false;
}

static void on_data(void *arg, struct slice bytes)
{
    struct session *s = arg;
    struct net *n = s->net;
    uint64_t number = s->number;
    for (int got; (got = imap_reader_take(&s->in, &bytes)) != 0;) {
        struct slice text = buf_slice(&s->in.text);
        struct slice rest = text, tag = imap_word(&rest);
        s->heard = true;
        if (got < 0)
            fail_with(s, ERR_TOOBIG, "The server says too much at once.");
        else if (slice_starts(text, "+"))
            on_go_on(s);
        else if (slice_is(tag, "*"))
            on_untagged(s, rest);
        else
            on_tagged(s, tag, rest);
        if (!is_alive(n, number))
            return;
    }
}

static void on_end(void *arg, const char *why)
{
    fail_with(arg, ERR_UNAVAILABLE, why);
}

static void on_open(void *arg, int result, const struct err *e)
{
    struct session *s = arg;
    if (result == 0) {
        go(s, STEP_OFFERS);
    } else {
        s->call->err = *e;
        fail(s, result);
    }
}

static void on_time(struct timer *t)
{
    struct session *s = container_of(t, struct session, timer);
    if (s->call) {
        fail_with(s, ERR_TIMEOUT, "The mailbox's server was too slow.");
    } else if (s->step == STEP_READY) {
        s->step = STEP_BYE;
        timer_start(loop_wheel(s->net->loop), &s->timer,
                    net_now(s->net) + BYE_MS);
        command(s, "LOGOUT");
    } else {
        session_free(s);
    }
}

/* --- sessions ------------------------------------------------------------- */

static void key_of(const struct imap_call *c, unsigned char out[SHA256_BYTES])
{
    const struct post_login *l = &c->login;
    const struct slice parts[] = {l->plain ? SLICE("p") : SLICE("t"),
                                  SLICE("\n"),
                                  l->url,
                                  SLICE("\n"),
                                  l->user,
                                  SLICE("\n"),
                                  l->password,
                                  SLICE("\n"),
                                  l->token,
                                  SLICE("\n"),
                                  c->folder};
    struct sha256 *h = sha256_new();
    sha256_parts(h, parts, sizeof(parts) / sizeof(parts[0]), out);
    sha256_free(h);
}

static struct session *kept(struct net *n, const unsigned char *key)
{
    list_each (&n->post->sessions, l) {
        struct session *s = container_of(l, struct session, link);
        if (s->step == STEP_READY && memcmp(s->key, key, SHA256_BYTES) == 0)
            return s;
    }
    return NULL;
}

/* The one that has waited longest makes room. */
static bool make_room(struct net *n)
{
    struct session *oldest = NULL;
    if (n->post->session_count < IMAP_SESSIONS)
        return true;
    list_each (&n->post->sessions, l) {
        struct session *s = container_of(l, struct session, link);
        if (!s->call && (!oldest || s->timer.due_ms < oldest->timer.due_ms))
            oldest = s;
    }
    if (oldest)
        session_free(oldest);
    return oldest != NULL;
}

static struct session *session_new(struct net *n, const struct imap_call *c)
{
    struct session *s = mem_alloc(sizeof(*s));
    s->net = n;
    s->number = ++n->post->numbers;
    imap_reader_init(&s->in, BODY_MOST);
    buf_init(&s->offers, CAPABILITY_BYTES);
    timer_init(&s->timer, on_time);
    timer_init(&s->waiting, on_wait_over);
    list_add_last(&n->post->sessions, &s->link);
    n->post->session_count++;
    s->line = line_open(&(struct line_conf){.net = n,
                                            .url = c->login.url,
                                            .plain = c->login.plain,
                                            .arg = s,
                                            .on_open = on_open,
                                            .on_data = on_data,
                                            .on_end = on_end});
    return s;
}

/* fresh: no session that was kept. */
static void start_on(struct net *n, struct imap_call *c, bool fresh)
{
    unsigned char key[SHA256_BYTES];
    key_of(c, key);
    struct session *s = fresh ? NULL : kept(n, key);
    bool reused = s != NULL;
    if (!s && !make_room(n)) {
        err_set(&c->err, ERR_RATE_LIMITED, "Too many mailboxes are open.");
        imap_answer(n, c, ERR_RATE_LIMITED);
        return;
    }
    if (!s)
        s = session_new(n, c);
    memcpy(s->key, key, sizeof(s->key));
    s->call = c;
    s->reused = reused;
    s->heard = false;
    s->taken = 0;
    timer_start(loop_wheel(n->loop), &s->timer, net_now(n) + c->total_ms);
    if (reused)
        on_selected(s);
}

static bool is_sane(const struct imap_call *c)
{
    return is_plain_line(c->login.user) && is_plain_line(c->login.password) &&
           is_plain_line(c->login.token) && is_plain_line(c->folder) &&
           is_plain_line(c->flags) &&
           !memchr(c->login.url.at, '\0', c->login.url.len) &&
           (slice_starts(c->login.url, "imap://") ||
            slice_starts(c->login.url, "imaps://")) &&
           c->login.user.len && c->bytes_max <= BODY_MOST &&
           c->most <= IMAP_MOST;
}

void imap_start(struct net *n, struct imap_call *c)
{
    c->mails = NULL;
    c->count = 0;
    c->more = c->idles = false;
    if (c->total_ms <= 0)
        c->total_ms = POST_TOTAL_MS;
    if (n->closed || !is_sane(c)) {
        int code = n->closed ? ERR_CANCELLED : ERR_BAD_REQUEST;
        err_set(&c->err, code, "The call has no mailbox that can be opened.");
        imap_answer(n, c, code);
        return;
    }
    post_of(n);
    start_on(n, c, false);
}

void imap_close_all(struct net *n)
{
    list_each (&n->post->sessions, l) {
        struct session *s = container_of(l, struct session, link);
        s->reused = false;
        fail_with(s, ERR_CANCELLED, "stopping");
    }
}
