/* SPDX-License-Identifier: Apache-2.0 */
/* hooks.c - webhooks of platforms.
 *
 * Happy path: the channel in the path is found, its adapter's receive() gets
 * the raw request, hands over what it means (inbound.c, durable before it goes
 * on), and its answer goes out, now or later (held.c). Failure: no such channel
 * is 404; an adapter that is not there, a house that stops or has too much to
 * do is 503 with Retry-After, so that the platform sends again; a handler that
 * failed is 500.
 */
#include "app/channels/hook.h"
#include "app/kinds.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/meter.h"
#include <stdio.h>

#define UNDER_WAY 500 /* webhooks at once */
#define ANSWER_MAX (1024 * 1024)

METER(m_hooks, METER_COUNTER, "yuelai_hooks_total", "Webhooks that came");
METER(m_refused, METER_COUNTER, "yuelai_hooks_refused_total",
      "Webhooks that adapters have refused (4xx)");
METER(m_failed, METER_COUNTER, "yuelai_hooks_failed_total",
      "Webhooks that could not be handled (5xx)");
METER(m_now, METER_GAUGE, "yuelai_hooks_under_way", "Webhooks being handled");

METER_US(took, "yuelai_hook_seconds", "From a webhook's coming to its answer");

/* By channel and reason, and as its last trouble; what the adapter refused (a
 * wrong signature) may be a stranger's, and is told apart. */
static void note_refused(struct server *s, uint64_t channel, int status,
                         struct slice why)
{
    static const struct {
        int status;
        const char *reason;
    } known[] = {{400, "bad_request"},  {401, "unauthorized"},
                 {403, "forbidden"},    {404, "not_found"},
                 {429, "rate_limited"}, {500, "failed"},
                 {503, "unavailable"}};
    const struct channel *ch = desk_channel(s->desk, channel);
    const char *reason = status >= 500 ? "failed" : "refused";
    char id[ID_TEXT], labels[160];
    if (!ch) {
        return; /* no series for every address that somebody tries */
    }
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        reason = known[i].status == status ? known[i].reason : reason;
    }
    snprintf(labels, sizeof labels,
             "{channel=\"%s\",type=\"%.*s\",reason=\"%s\"}",
             id_text(id, ID_CHANNEL, ch->id).at,
             ch->type.len > 40 ? 40 : (int)ch->type.len, ch->type.at, reason);
    meter_add(meter_labelled(METER_COUNTER, "yuelai_channel_refused_total",
                             "Webhooks refused or failed, by reason", 0,
                             labels),
              1);
    struct buf text;
    buf_init(&text, LIMIT_FRAME_BYTES);
    (void)buf_addf(&text, "webhook: %d %.*s", status,
                   SLICE_FMT(slice_trim(why)));
    if (status < 500) {
        desk_channel_rejected(s->desk, channel, slice_of(reason),
                              buf_slice(&text));
    } else {
        desk_channel_trouble(s->desk, channel, slice_of(reason),
                             buf_slice(&text));
    }
    buf_fini(&text);
}

static void refuse(struct http_req *r, int status, const char *text)
{
    meter_add(status >= 500 ? &m_failed : &m_refused, 1);
    http_reply(r, status, SLICE("text/plain; charset=utf-8"),
               status == 503 ? SLICE("Retry-After: 5\r\n") : SLICE(""),
               slice_of(text));
}

/* --- the answer ----------------------------------------------------------- */

void hook_reply(struct hook_call *h)
{
    struct adapter_call *call = h->job->call;
    int status = call->status ? call->status : 200;
    if (status >= 400) {
        meter_add(status >= 500 ? &m_failed : &m_refused, 1);
        note_refused(h->server, call->channel, status, call->answer);
    }
    struct slice type = SLICE("text/plain; charset=utf-8");
    struct slice lines = call->answer_headers;
    static const char name[] = "content-type:";
    if (lines.len > sizeof name && slice_starts(lines, name)) {
        const char *end = memchr(lines.at, '\r', lines.len);
        size_t n = end ? (size_t)(end - lines.at) : lines.len;
        type = slice_trim(
            (struct slice){lines.at + sizeof name - 1, n - (sizeof name - 1)});
        n = end ? n + 2 : n;
        lines = (struct slice){lines.at + n, lines.len - n};
    }
    http_reply(h->request, status, type, lines.len ? lines : SLICE(""),
               call->answer.len ? call->answer : SLICE(""));
}

void hook_count(struct hook_call *h)
{
    if (!h->counted) {
        h->counted = true;
        meter_add(&m_now, -1);
        meter_note(&took, clock_mono_us() - h->began_us);
        h->server->hooks_under_way--;
    }
}

void hook_end(struct hook_call *h)
{
    held_drop(h);
    hook_count(h);
    map_take(&h->server->hooks, h->number);
    job_free(h->job); /* h lies in it */
}

static void on_kept(void *arg, int result)
{
    struct hook_call *h = arg;
    if (result) {
        note_refused(h->server, h->job->call->channel, 503,
                     SLICE("it could not be stored"));
        refuse(h->request, 503, "it could not be stored; send it again\n");
    } else if (held_waits(h)) {
        return;
    } else {
        hook_reply(h);
    }
    hook_end(h);
}

static void on_received(struct job *job)
{
    struct hook_call *h = job->owner;
    if (job->result) {
        refuse(h->request, 503, "the server is stopping\n");
    } else if (!job->ran) {
        note_refused(h->server, job->call->channel, 503,
                     SLICE("the channel's adapter is not there"));
        refuse(h->request, 503, "the channel's adapter is not there\n");
    } else if (job->failures) {
        log_warn("app", "a webhook failed: %.*s", SLICE_FMT(job->trouble));
        note_refused(h->server, job->call->channel, 500, job->trouble);
        refuse(h->request, 500, "the channel's adapter failed\n");
    } else {
        call_keep(h->server, job, on_kept, h);
        return;
    }
    hook_end(h);
}

/* --- the way in ----------------------------------------------------------- */

static void copy_headers(struct job *job, const struct http_req *r)
{
    struct buf out;
    buf_init(&out, LIMIT_HEADER_BYTES * 2);
    int e = 0;
    for (size_t i = 0; i < r->header_count && e == 0; i++) {
        struct slice name = r->headers[i].name;
        for (size_t k = 0; k < name.len && e == 0; k++) {
            char c = name.at[k];
            e = buf_add_char(&out, c >= 'A' && c <= 'Z' ? (char)(c + 32) : c);
        }
        e = e ? e : buf_add_text(&out, ": ");
        e = e ? e : buf_add_slice(&out, r->headers[i].value);
        e = e ? e : buf_add_char(&out, '\n');
    }
    job->call->headers = slice_dup(job->arena, buf_slice(&out));
    buf_fini(&out);
}

static void give(struct server *s, struct http_req *r, uint64_t channel,
                 struct slice rest)
{
    struct job *job = job_new(HOOK_RECEIVE, on_received, NULL);
    struct arena *a = job->arena;
    struct hook_call *h = arena_one(a, struct hook_call);
    *h = (struct hook_call){.server = s,
                            .request = r,
                            .job = job,
                            .number = id_new(),
                            .began_us = clock_mono_us()};
    job->owner = h;
    job->at = clock_ms();
    if (!desk_fill_call(s->desk, channel, job)) {
        job_free(job);
        refuse(r, 404, "there is no such channel\n");
        return;
    }
    job->call->number = h->number;
    job->call->method = slice_dup(a, r->method);
    job->call->path = slice_dup(a, rest);
    job->call->query = slice_dup(a, r->query);
    job->call->body = slice_dup(a, r->body);
    job->call->address = slice_dup(a, slice_of(r->address));
    copy_headers(job, r);
    map_put(&s->hooks, h->number, h);
    s->hooks_under_way++;
    meter_add(&m_now, 1);
    if (s->script) {
        script_run(s->script, job);
    } else {
        job->result = ERR_CANCELLED;
        on_received(job);
    }
}

/* Its visitors come by the socket, and nothing else comes. */
static bool has_no_hook(const struct server *s, const struct channel *ch)
{
    const struct kind *k = kinds_find(s->kinds, ch->type);
    return k && k->socket && !k->receives;
}

bool hooks_answer(struct server *s, struct http_req *r)
{
    uint64_t id = 0;
    if (!slice_starts(r->path, "/hooks/")) {
        return false;
    }
    meter_add(&m_hooks, 1);
    struct slice name = {r->path.at + 7, r->path.len - 7};
    const char *slash = memchr(name.at, '/', name.len);
    struct slice rest = SLICE("");
    if (slash) {
        rest = (struct slice){slash, name.len - (size_t)(slash - name.at)};
        name.len = (size_t)(slash - name.at);
    }
    const struct channel *ch =
        id_parse(name, ID_CHANNEL, &id) ? desk_channel(s->desk, id) : NULL;
    if (!ch || !ch->enabled || has_no_hook(s, ch)) {
        refuse(r, 404, "there is no such channel\n");
    } else if (s->state != SERVER_SERVING) {
        refuse(r, 503, "the server is not ready\n");
    } else if (s->hooks_under_way >= UNDER_WAY) {
        refuse(r, 503, "too much to do; send it again\n");
    } else {
        give(s, r, ch->id, rest);
    }
    return true;
}
