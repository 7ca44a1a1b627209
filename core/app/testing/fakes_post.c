/* SPDX-License-Identifier: Apache-2.0 */
/* fakes_post.c - made-up mailboxes and mail servers.
 *
 * Happy path: imap.look, imap.mark and smtp.send meet a fake as http calls do:
 * method LOOK, MARK or SMTP, the server's url, what was asked as the request's
 * json (no secrets). The fake's answer is what the call gives; a mail's bytes
 * are a text, or base64. Failure modes: those of http's fakes.
 */
#include "app/testing/fakes.h"
#include "base/crypto.h"
#include "base/limits.h"

static struct slice asked(const struct script_ask *ask)
{
    const struct post_ask *p = ask->post;
    struct buf out;
    buf_init(&out, LIMIT_POST_SEND_BYTES * 2);
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '{');
    jsonw_put_text(&w, "user", p->user);
    jsonw_put_bool(&w, "plain", p->plain);
    jsonw_put_bool(&w, "has_password", p->password.len > 0);
    jsonw_put_bool(&w, "has_token", p->token.len > 0);
    if (ask->kind == ASK_SMTP) {
        jsonw_put_text(&w, "from", p->from);
        jsonw_key(&w, "to");
        jsonw_open(&w, '[');
        for (size_t i = 0; i < p->to_count; i++)
            jsonw_text(&w, p->to[i]);
        jsonw_close(&w, ']');
        jsonw_put_text(&w, "bytes", p->mail);
    } else {
        jsonw_put_text(&w, "folder", p->folder);
        jsonw_put_int(&w, "after", p->after);
        jsonw_put_int(&w, "validity", p->validity);
        jsonw_put_int(&w, "since", p->since_ms);
        jsonw_put_int(&w, "most", (int64_t)p->most);
        jsonw_put_int(&w, "uid", p->mark);
        jsonw_put_text(&w, "flags", p->flags);
    }
    jsonw_close(&w, '}');
    struct slice text =
        w.failed ? SLICE("{}") : slice_dup(ask->arena, buf_slice(&out));
    buf_fini(&out);
    return text;
}

void fake_post(struct fakes *f, struct script_ask *ask)
{
    ask->http = arena_one(ask->arena, struct http_call);
    ask->http->method = ask->kind == ASK_SMTP ? SLICE("SMTP")
                        : ask->post->mark     ? SLICE("MARK")
                                              : SLICE("LOOK");
    ask->http->url = ask->post->url;
    ask->http->body = asked(ask);
    fake_http(f, ask);
}

static struct slice bytes_of(struct arena *a, const struct json *j)
{
    struct slice coded = json_text(j, "base64");
    struct buf out;
    if (!coded.len)
        return slice_dup(a, json_text(j, "bytes"));
    buf_init(&out, STAGE_STEP_BYTES);
    struct slice bytes = SLICE("");
    if (base64_decode(&out, coded) == 0)
        bytes = slice_dup(a, buf_slice(&out));
    buf_fini(&out);
    return bytes;
}

static void fill_mails(struct script_ask *ask, const struct json *answer)
{
    struct post_ask *p = ask->post;
    const struct json *mails = json_get(answer, "mails");
    size_t n = mails ? mails->count : 0;
    p->mails = arena_many(ask->arena, struct post_mail, n + 1);
    for (const struct json *j = n ? mails->first : NULL; j; j = j->next) {
        struct post_mail *m = &p->mails[p->mail_count++];
        m->uid = (uint32_t)json_int(j, "uid", 0);
        m->bytes = bytes_of(ask->arena, j);
        m->size = json_int(j, "size", (int64_t)m->bytes.len);
        m->seen = json_bool(j, "seen", false);
    }
}

void fake_post_answer(struct script_ask *ask, const struct json *answer)
{
    struct post_ask *p = ask->post;
    if (ask->kind == ASK_SMTP) {
        p->status = (int)json_int(answer, "status", 250);
        p->text = slice_dup(ask->arena, json_text(answer, "text"));
        return;
    }
    p->validity = (uint32_t)json_int(answer, "validity", 1);
    p->next = (uint32_t)json_int(answer, "next", 1);
    p->exists = json_int(answer, "exists", 0);
    p->more = json_bool(answer, "more", false);
    p->idles = json_bool(answer, "idles", true);
    fill_mails(ask, answer);
}
