/* SPDX-License-Identifier: Apache-2.0 */
/* smtp.c - mails are given to a server that takes them on.
 *
 * Happy path: EHLO, AUTH, MAIL FROM, a RCPT TO for each address, DATA, the mail
 * with its dots doubled, a bit at a time as the line takes it, QUIT; a
 * connection a mail.
 *
 * Failure modes: an address is refused: the others get the mail, the answer
 * names it; all are: the last one's status is the answer. A connection that
 * breaks after the mail was said, before its answer: ERR_UNAVAILABLE, and who
 * sends it again may send it twice (the same Message-ID, so mailboxes can tell).
 */
#include "net/post/imap_read.h"
#include "net/post/inside.h"

#include <stdio.h>

#define REPLY_BYTES (16 * 1024)
#define COMMAND_BYTES 4096
#define PIECE_BYTES (64 * 1024)
#define OFFERS_BYTES 4096

enum step { OPEN, HELLO, AUTH, FROM, TO, DATA, SAY, SAID, QUIT };
struct letter {
    struct list link;
    struct net *net;
    struct line *line;
    struct smtp_call *call;
    enum step step;
    enum sasl way;
    int auth_turn;
    struct buf in, offers;
    size_t to_at, accepted, said;
    bool at_start; /* of a line of the mail */
    struct timer timer;
};

/* --- the end -------------------------------------------------------------- */

static void letter_free(struct letter *s)
{
    timer_stop(loop_wheel(s->net->loop), &s->timer);
    list_remove(&s->link);
    line_close(s->line);
    buf_fini(&s->in);
    buf_fini(&s->offers);
    mem_free(s);
}

static void end(struct letter *s, int result)
{
    struct smtp_call *c = s->call;
    struct net *n = s->net;
    letter_free(s);
    smtp_answer(n, c, result);
}

static void end_with(struct letter *s, int code, const char *why)
{
    err_set(&s->call->err, code, "%s", why);
    end(s, code);
}

/* The server has spoken, and that is the answer. */
static void end_said(struct letter *s, int status, struct slice text)
{
    s->call->status = status;
    s->call->text = slice_dup(s->call->arena, text);
    (void)line_send(s->line, SLICE("QUIT\r\n"));
    end(s, 0);
}

/* --- commands ------------------------------------------------------------- */

static bool command(struct letter *s, enum step step, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static bool command(struct letter *s, enum step step, const char *fmt, ...)
{
    char text[COMMAND_BYTES + 16384];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof(text) - 2, fmt, args);
    va_end(args);
    s->step = step;
    if (n < 0 || n >= (int)sizeof(text) - 2) {
        end_with(s, ERR_TOOBIG, "A name, address or secret is too long.");
        return false;
    }
    memcpy(text + n, "\r\n", 2);
    int got = line_send(s->line, (struct slice){text, (size_t)n + 2});
    explicit_bzero(text, sizeof(text));
    if (got < 0)
        end_with(s, ERR_UNAVAILABLE, "The mail server does not read.");
    return got == 0;
}

static void mail_from(struct letter *s)
{
    if (!s->call->to_count)
        end_said(s, 250, SLICE(""));
    else
        command(s, FROM, "MAIL FROM:<%.*s>", SLICE_FMT(s->call->from));
}

static void next_to(struct letter *s)
{
    const struct smtp_call *c = s->call;
    if (s->to_at < c->to_count)
        command(s, TO, "RCPT TO:<%.*s>", SLICE_FMT(c->to[s->to_at]));
    else
        command(s, DATA, "DATA");
}

static void log_in(struct letter *s)
{
    struct smtp_call *c = s->call;
    s->way = sasl_choose(&c->login, buf_slice(&s->offers), "");
    s->auth_turn = 0;
    if (!c->login.user.len) {
        mail_from(s);
    } else if (s->way == SASL_NONE) {
        end_with(s, ERR_UNAUTHORIZED,
                 c->login.token.len
                     ? "The mail server does not take OAuth2 (XOAUTH2)."
                     : "The mail server takes no password on this "
                       "connection.");
    } else if (s->way == SASL_LOGIN) {
        command(s, AUTH, "AUTH LOGIN");
    } else {
        struct slice text = sasl_text(c->arena, &c->login, s->way);
        command(s, AUTH, "AUTH %s %.*s", sasl_name(s->way), SLICE_FMT(text));
    }
}

/* 334: LOGIN asks for the name, then the secret; OAuth2 tells why not. */
static void auth_goes_on(struct letter *s)
{
    const struct post_login *l = &s->call->login;
    struct slice text = SLICE("");
    if (s->way == SASL_LOGIN)
        text = sasl_base64(s->call->arena,
                           s->auth_turn++ == 0 ? l->user : l->password);
    if (s->auth_turn > 2)
        end_with(s, ERR_UNAVAILABLE, "The mail server broke the protocol.");
    else
        command(s, AUTH, "%.*s", SLICE_FMT(text));
}

/* --- the mail ------------------------------------------------------------- */

/* As much as the line may have; then it asks again (on_sent). */
static void say_more(struct letter *s)
{
    const struct slice mail = s->call->mail;
    struct buf out;
    buf_init(&out, 2 * PIECE_BYTES);
    size_t left = mail.len - s->said;
    size_t n = left < PIECE_BYTES ? left : PIECE_BYTES;
    for (size_t i = 0; i < n;) { /* a line, or what is left of it */
        const char *at = mail.at + s->said + i;
        const char *end = memchr(at, '\n', n - i);
        size_t len = end ? (size_t)(end - at) + 1 : n - i;
        if (s->at_start && *at == '.')
            must(buf_add_char(&out, '.') == 0);
        must(buf_add(&out, at, len) == 0);
        s->at_start = end != NULL;
        i += len;
    }
    s->said += n;
    int got = line_send(s->line, buf_slice(&out));
    if (got == 0 && s->said == mail.len) {
        s->step = SAID;
        got = line_send(s->line,
                        s->at_start ? SLICE(".\r\n") : SLICE("\r\n.\r\n"));
    }
    buf_fini(&out);
    if (got < 0)
        end_with(s, ERR_UNAVAILABLE, "The mail server does not read.");
}

static void on_sent(void *arg)
{
    struct letter *s = arg;
    if (s->step == SAY)
        say_more(s);
}

/* --- what the server says ------------------------------------------------- */

static void refuse(struct letter *s, int status, struct slice text)
{
    struct smtp_call *c = s->call;
    c->refused[c->refused_count++] =
        (struct smtp_refused){.address = c->to[s->to_at],
                              .why = slice_dup(c->arena, text),
                              .status = status};
}

static void on_to(struct letter *s, int status, struct slice text)
{
    if (status / 100 == 2)
        s->accepted++;
    else
        refuse(s, status, text);
    s->to_at++;
    if (s->to_at == s->call->to_count && !s->accepted)
        end_said(s, status, text);
    else
        next_to(s);
}

static void on_login(struct letter *s, int status, struct slice text)
{
    int code = status / 100 == 4 ? ERR_UNAVAILABLE : ERR_UNAUTHORIZED;
    if (status == 235) {
        mail_from(s);
    } else if (status == 334) {
        auth_goes_on(s);
    } else {
        say_server(&s->call->err, code, "The mail server refuses the log-in",
                   text);
        end(s, code);
    }
}

static void on_reply(struct letter *s, int status, struct slice text)
{
    int class = status / 100;
    if (s->step == AUTH) {
        on_login(s, status, text);
    } else if (s->step == TO) {
        on_to(s, status, text);
    } else if (s->step == SAY || s->step == SAID) {
        end_said(s, status, text);
    } else if (class > 3 || status < 200) {
        end_said(s, status, text);
    } else if (s->step == HELLO) {
        log_in(s);
    } else if (s->step == FROM) {
        next_to(s);
    } else if (s->step == DATA) {
        s->step = SAY;
        s->at_start = true;
        say_more(s);
    }
}

/* "250-AUTH PLAIN LOGIN" -> " PLAIN LOGIN" */
static void note_offer(struct letter *s, struct slice text)
{
    struct slice rest = text;
    if (s->step == HELLO && slice_is_nocase(imap_word(&rest), "AUTH"))
        (void)buf_add_slice(&s->offers, rest); /* what fits */
}

/* One line is at the front of s->in; 0 = it goes on, or the whole status. */
static int take_line(struct letter *s, size_t len, struct slice *text)
{
    const char *at = s->in.data;
    size_t n = len;
    while (n && (at[n - 1] == '\n' || at[n - 1] == '\r'))
        n--;
    int64_t status = 0;
    if (n < 3 || !slice_to_i64((struct slice){at, 3}, &status) ||
        status < 200 || status > 599 || (n > 3 && at[3] != '-' && at[3] != ' '))
        return -1;
    *text = n > 4 ? (struct slice){at + 4, n - 4} : SLICE("");
    note_offer(s, *text);
    return n > 3 && at[3] == '-' ? 0 : (int)status;
}

static bool is_alive(struct net *n, const struct letter *s)
{
    list_each (&n->post->letters, l)
        if (container_of(l, struct letter, link) == s)
            return true;
    return false;
}

static void on_data(void *arg, struct slice bytes)
{
    struct letter *s = arg;
    struct net *n = s->net;
    const char *end_of_line;
    if (buf_add_slice(&s->in, bytes) < 0) {
        end_with(s, ERR_UNAVAILABLE, "The mail server says too much at once.");
        return;
    }
    while (s->in.len &&
           (end_of_line = memchr(s->in.data, '\n', s->in.len)) != NULL) {
        size_t len = (size_t)(end_of_line - s->in.data) + 1;
        char words[512];
        struct slice text = SLICE("");
        int status = take_line(s, len, &text);
        size_t most = text.len < sizeof(words) ? text.len : sizeof(words);
        memcpy(words, text.at, most);
        buf_drop(&s->in, len);
        if (status < 0)
            end_with(s, ERR_UNAVAILABLE, "The mail server speaks no SMTP.");
        else if (status > 0)
            on_reply(s, status, (struct slice){words, most});
        if (!is_alive(n, s)) /* nothing begins a letter in here */
            return;
    }
}

static void on_end(void *arg, const char *why)
{
    end_with(arg, ERR_UNAVAILABLE, why);
}

static void on_open(void *arg, int result, const struct err *e)
{
    struct letter *s = arg;
    struct slice name = s->call->name.len ? s->call->name : SLICE("localhost");
    if (result == 0) {
        command(s, HELLO, "EHLO %.*s", SLICE_FMT(name));
    } else {
        s->call->err = *e;
        end(s, result);
    }
}

static void on_time(struct timer *t)
{
    end_with(container_of(t, struct letter, timer), ERR_TIMEOUT,
             "The mail server was too slow.");
}

/* --- the face ------------------------------------------------------------- */

static bool is_address(struct slice s)
{
    return s.len < 320 && is_plain_line(s) &&
           (!s.len || (!memchr(s.at, '<', s.len) && !memchr(s.at, '>', s.len) &&
                       !memchr(s.at, ' ', s.len)));
}

static bool is_sane(const struct smtp_call *c)
{
    const struct slice url = c->login.url;
    bool ok = c->to_count <= SMTP_TO_MOST && !c->to_count == !c->mail.len &&
              is_address(c->from) && is_plain_line(c->name) &&
              c->name.len < 256 && is_plain_line(c->login.user) &&
              is_plain_line(c->login.password) &&
              is_plain_line(c->login.token) && !memchr(url.at, '\0', url.len) &&
              (slice_starts(url, "smtp://") || slice_starts(url, "smtps://"));
    for (size_t i = 0; ok && i < c->to_count; i++)
        ok = c->to[i].len > 0 && is_address(c->to[i]);
    return ok;
}

void smtp_start(struct net *n, struct smtp_call *c)
{
    c->status = 0;
    c->text = SLICE("");
    c->refused_count = 0;
    c->refused = arena_many(c->arena, struct smtp_refused, c->to_count + 1);
    if (c->total_ms <= 0)
        c->total_ms = POST_TOTAL_MS;
    if (n->closed || !is_sane(c)) {
        int code = n->closed ? ERR_CANCELLED : ERR_BAD_REQUEST;
        err_set(&c->err, code,
                "The call has no server, address or mail that "
                "can be used.");
        smtp_answer(n, c, code);
        return;
    }
    struct letter *s = mem_alloc(sizeof(*s));
    s->net = n;
    s->call = c;
    buf_init(&s->in, REPLY_BYTES);
    buf_init(&s->offers, OFFERS_BYTES);
    timer_init(&s->timer, on_time);
    timer_start(loop_wheel(n->loop), &s->timer, net_now(n) + c->total_ms);
    list_add_last(&post_of(n)->letters, &s->link);
    s->line = line_open(&(struct line_conf){.net = n,
                                            .url = c->login.url,
                                            .plain = c->login.plain,
                                            .arg = s,
                                            .on_open = on_open,
                                            .on_data = on_data,
                                            .on_sent = on_sent,
                                            .on_end = on_end});
}

void smtp_close_all(struct net *n)
{
    list_each (&n->post->letters, l)
        end_with(container_of(l, struct letter, link), ERR_CANCELLED,
                 "stopping");
}
